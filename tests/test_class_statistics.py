"""Class statistics: right by another derivation, and no crash however few there are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.class_statistics import (
    FEWEST_EACH,
    MOST_BINS,
    Judged,
    Record,
    Scored,
    class_statistics,
    distribution,
    separation,
)
from grader.model import Outcome, RunOutcome, Section, State

POINTS = st.lists(st.integers(0, 420).map(lambda quarter: quarter / 4), min_size=1, max_size=60)
RECORD = Record(
    notebook="a",
    state=State.FINAL,
    final=80,
    final_possible=105,
    code=60,
    code_possible=70,
    late_days=0,
    run=RunOutcome.COMPLETE,
)


def check(name: str, outcome: Outcome, points: float = 2, mistake: str | None = None) -> Judged:
    earned = points if outcome is Outcome.PASSED else 0
    return Judged(
        check=name,
        item="item",
        section=Section.CODE,
        outcome=outcome,
        earned=earned,
        possible=points,
        mistake=mistake,
    )


def marks(bits: str) -> tuple[Judged, ...]:
    """Checks a, b, c, …: 1 passed, 0 lost, ? broken."""
    outcomes = {"1": Outcome.PASSED, "0": Outcome.FAILED, "?": Outcome.BROKEN}
    return tuple(check(chr(97 + i), outcomes[bit]) for i, bit in enumerate(bits))


# ------------------------------------------------------------------------------- distributions
@given(POINTS)
def test_a_distribution_is_that_of_numpy(values: list[float]) -> None:
    found = distribution(values, 105)
    assert found is not None
    assert np.mean(values) == pytest.approx(found.mean)
    quartiles = (found.lower_quartile, found.median, found.upper_quartile)
    assert np.percentile(values, [25, 50, 75]) == pytest.approx(quartiles)
    if len(values) > 1:
        assert np.std(values, ddof=1) == pytest.approx(found.deviation)


@given(POINTS, st.sampled_from([0.0, 3.0, 70.0, 105.0, 1000.0]))
def test_every_value_is_in_one_bin(values: list[float], possible: float) -> None:
    found = distribution(values, possible)
    assert found is not None
    assert len(values) == sum(each.count for each in found.bins)
    assert len(found.bins) <= MOST_BINS
    edges = [found.bins[0].low, *(each.high for each in found.bins)]
    counts, _ = np.histogram(values, edges)
    assert counts.tolist() == [each.count for each in found.bins]


def test_full_marks_are_in_the_last_bin() -> None:
    found = distribution([105, 100, 99], 105)
    assert found is not None
    assert (100, 105, 2) == (found.bins[-1].low, found.bins[-1].high, found.bins[-1].count)


def test_one_student_has_no_deviation() -> None:
    found = distribution([70], 70)
    assert found is not None
    assert (None, 70, 70) == (found.deviation, found.lower_quartile, found.highest)


def test_an_empty_class_has_statistics() -> None:
    found = class_statistics([])
    assert (0, 0, None, None) == (found.students, found.notebooks, found.final, found.code)
    assert ((), (), ()) == (found.items, found.checks, found.most_lost)


# ------------------------------------------------------------------------------- who counts
def test_a_pair_counts_twice_for_points_and_once_for_work() -> None:
    mistaken = (check("a", Outcome.FAILED, mistake="max_for_maximum"),)
    one = replace(RECORD, checks=mistaken, run=RunOutcome.ERRORS)
    found = class_statistics([one, replace(one, final=70, late_days=1)])
    assert found.final is not None
    assert (2, 2, 75) == (found.students, found.final.count, found.final.mean)
    assert (1, 1) == (found.notebooks, found.checks[0].lost)
    assert 1 == found.runs[RunOutcome.ERRORS]
    assert [("max_for_maximum", 1)] == [(m.mistake, m.notebooks) for m in found.mistakes]
    assert {0: 1, 1: 1} == found.late_days


def test_what_is_not_known_counts_nowhere() -> None:
    item = Scored(item="i", title="I", section=Section.CODE, points=4, possible=5)
    known = replace(RECORD, items=(item,), checks=marks("1"))
    open_item = replace(item, points=None)
    unknown = replace(
        RECORD,
        notebook="b",
        final=None,
        code=None,
        late_days=None,
        items=(open_item,),
        checks=marks("?"),
    )
    found = class_statistics([known, unknown])
    assert found.final is not None
    assert 1 == found.final.count
    assert 1 == found.days_unknown
    assert (1, 4, 0, 0) == (
        found.items[0].students,
        found.items[0].mean,
        found.items[0].full,
        found.items[0].none,
    )
    only = found.checks[0]
    assert (1, 0, 1) == (only.judged, only.lost, only.broken)


def test_a_mistake_that_costs_two_checks_is_one_mistake() -> None:
    checks = (
        check("a", Outcome.FAILED, mistake="m"),
        check("b", Outcome.FAILED, mistake="m"),
        check("c", Outcome.FAILED, mistake="n"),
    )
    found = class_statistics([replace(RECORD, checks=checks)])
    told = [(each.mistake, each.notebooks, each.checks) for each in found.mistakes]
    assert [("m", 1, ("a", "b")), ("n", 1, ("c",))] == told


def test_the_checks_lost_most_often_come_first_and_extra_credit_is_no_loss() -> None:
    extra = replace(check("x", Outcome.FAILED), section=Section.EXTRA_CREDIT)
    records = [
        replace(RECORD, notebook=str(i), checks=(*marks(bits), extra))
        for i, bits in enumerate(["101", "100", "111"])
    ]
    found = class_statistics(records)
    assert ["b", "c"] == [each.check for each in found.most_lost]
    assert [0, 4, 2, 0] == [each.points_lost for each in found.checks]


# ------------------------------------------------------------------------------- separation
@given(st.lists(st.integers(0, 31), min_size=20, max_size=60))
def test_separation_is_numpys_correlation_with_the_other_points(works: list[int]) -> None:
    notebooks = [marks(f"{work:05b}") for work in works]
    found = separation("a", notebooks)
    passed = np.array([work >> 4 for work in works])
    others = np.array([2 * (work & 15).bit_count() for work in works])
    enough = FEWEST_EACH <= passed.sum() <= len(works) - FEWEST_EACH and len(set(others)) > 1
    assert enough == (found is not None)
    if found is not None:
        assert np.corrcoef(passed, others)[0, 1] == pytest.approx(found.correlation)
        assert found.low < found.correlation < found.high or math.isclose(abs(found.correlation), 1)


def test_too_few_are_not_said_to_separate_and_an_empty_notebook_compares_nothing() -> None:
    right, wrong, empty = marks("11"), marks("01"), marks("00")
    few = [replace(RECORD, notebook=f"r{i}", checks=right) for i in range(9)]
    few += [replace(RECORD, notebook=f"w{i}", checks=wrong) for i in range(FEWEST_EACH - 1)]
    few += [replace(RECORD, notebook=f"e{i}", checks=empty) for i in range(3)]
    assert [None, None] == [each.separation for each in class_statistics(few).checks]
