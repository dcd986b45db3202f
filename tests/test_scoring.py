"""Points: what earns them, what takes them away, and what leaves them open."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import PackError
from grader.model import CheckResult, Late, Mark, Outcome, Score, Section, Source, State
from grader.rubric import parse_rubric
from grader.scoring import Known, score

RUBRIC = parse_rubric(
    """
title = "T"
reference = "reference.py"
[[item]]
id = "code"
title = "Code"
section = "code"
points = 70
check = [
  {id = "a", title = "A", points = 30, probe = "p"},
  {id = "b", title = "B", points = 40, probe = "p"},
]
[[item]]
id = "talk"
title = "Talk"
section = "discussion"
points = 30
marked = {points = 30, criteria = ["says something"]}
[[item]]
id = "more"
title = "More"
section = "extra_credit"
points = 5
check = [{id = "c", title = "C", points = 3, probe = "p"}]
marked = {points = 2, criteria = [], only_if_attempted = true}
"""
)
OUTCOMES = st.sampled_from(Outcome)
POINTS = st.integers(0, 30).map(Decimal)
DAYS = st.integers(0, 20)


def results(**outcomes: Outcome) -> list[CheckResult]:
    possible = {rule.id: rule.points for rule in RUBRIC.checks}
    return [
        CheckResult(
            check_id=check_id,
            title=check_id,
            outcome=outcome,
            earned=possible[check_id] if outcome is Outcome.PASSED else Decimal(0),
            possible=possible[check_id],
            message="because",
        )
        for check_id, outcome in outcomes.items()
    ]


def scored(a: Outcome, b: Outcome, c: Outcome, talk: Decimal | None, days: int = 0) -> Score:
    marks = {} if talk is None else {"talk": Mark(points=talk), "more": Mark(points=Decimal(2))}
    late = Late(days=days, penalty=Decimal(10 * days))
    return score(RUBRIC, results(a=a, b=b, c=c), marks, late=late)


PASSED, FAILED, BROKEN = Outcome.PASSED, Outcome.FAILED, Outcome.BROKEN


def test_all_right_is_105() -> None:
    assert Decimal(105) == scored(PASSED, PASSED, PASSED, Decimal(30)).final


def test_a_day_late_costs_ten_points_after_extra_credit() -> None:
    assert Decimal(95) == scored(PASSED, PASSED, PASSED, Decimal(30), days=1).final


def test_without_marks_there_is_no_grade_yet() -> None:
    """Until a person has marked the discussion, the grade is open and says so."""
    open_score = scored(PASSED, PASSED, FAILED, None)
    assert open_score.final is None
    assert State.NEEDS_MARKS is open_score.state
    assert open_score.sections[Section.DISCUSSION].points is None
    assert Decimal(70) == open_score.sections[Section.CODE].points


def test_extra_credit_that_was_not_tried_needs_no_mark() -> None:
    marks = {"talk": Mark(points=Decimal(20))}
    done = score(RUBRIC, results(a=PASSED, b=PASSED, c=FAILED), marks)
    assert (State.FINAL, Decimal(90)) == (done.state, done.final)
    assert Source.AUTOMATIC is done.items[2].source


def test_a_broken_check_asks_for_a_person_and_is_no_final_grade() -> None:
    broken = scored(BROKEN, PASSED, PASSED, Decimal(30))
    assert (State.NEEDS_ATTENTION, None) == (broken.state, broken.final)


def test_a_missing_result_is_not_known_to_be_nothing_and_asks_for_a_person() -> None:
    missing = score(RUBRIC, results(a=PASSED), {"talk": Mark(points=Decimal(30))})
    assert State.NEEDS_ATTENTION is missing.state
    assert missing.items[0].points is None
    assert missing.final is None


def test_an_open_question_leaves_the_grade_open() -> None:
    marks = {"talk": Mark(points=Decimal(30))}
    asked = score(RUBRIC, results(a=PASSED, b=PASSED, c=FAILED), marks, open_question=True)
    assert (State.NEEDS_ATTENTION, None) == (asked.state, asked.final)


@pytest.mark.parametrize(
    ("judged", "marks", "complaint"),
    [
        pytest.param(results(a=PASSED) * 2, {}, "judged twice", id="twice"),
        pytest.param([], {"nobody": Mark(points=Decimal(1))}, "no marked item", id="stray-mark"),
        pytest.param(
            [
                CheckResult(
                    check_id="z",
                    title="",
                    outcome=PASSED,
                    earned=Decimal(1),
                    possible=Decimal(1),
                    message="",
                )
            ],
            {},
            "no check `z`",
            id="stray-check",
        ),
    ],
)
def test_what_the_rubric_does_not_know_is_the_authors_mistake(
    judged: list[CheckResult], marks: dict[str, Mark], complaint: str
) -> None:
    with pytest.raises(PackError, match=complaint):
        score(RUBRIC, judged, marks)


@given(OUTCOMES, OUTCOMES, OUTCOMES, st.none() | POINTS, DAYS)
def test_a_grade_is_never_below_0_or_above_105(
    a: Outcome, b: Outcome, c: Outcome, talk: Decimal | None, days: int
) -> None:
    final = scored(a, b, c, talk, days).final
    assert final is None or Decimal(0) <= final <= Decimal(105)


@given(OUTCOMES, OUTCOMES, POINTS, DAYS)
def test_more_is_never_less(a: Outcome, c: Outcome, talk: Decimal, days: int) -> None:
    """Monotone in checks, in marks and in lateness."""
    base = scored(a, FAILED, c, talk, days).final
    better = scored(a, PASSED, c, talk, days).final
    more = scored(a, FAILED, c, talk + 1, days).final
    later = scored(a, FAILED, c, talk, days + 1).final
    if base is not None:
        assert better is not None
        assert more is not None
        assert later is not None
        assert later <= base <= min(better, more)


@given(st.lists(st.tuples(OUTCOMES, OUTCOMES, OUTCOMES, st.none() | POINTS, DAYS), max_size=8))
def test_a_class_is_scored_as_each_of_it_is(
    everybody: list[tuple[Outcome, Outcome, Outcome, Decimal | None, int]],
) -> None:
    """Also where results are not the same objects, and those of before are gone."""
    known: Known = {}
    alike = {outcome: results(a=outcome, b=outcome, c=outcome) for outcome in Outcome}
    for a, b, c, talk, days in everybody:
        marks = {} if talk is None else {"talk": Mark(points=talk)}
        for judged in (results(a=a, b=b, c=c), alike[a]):
            late = Late(days=days, penalty=Decimal(10 * days))
            one = score(RUBRIC, judged, marks, late=late, known=known)
            assert score(RUBRIC, judged, marks, late=late) == one
    items = [score(RUBRIC, alike[PASSED], {}, known=known).items for _ in range(2)]
    assert all(first is second for first, second in zip(*items, strict=True))
