"""A2's pictures can be drawn of right answers and of wrong ones, and say what is to be seen."""

from __future__ import annotations

import numpy as np
import pytest

from grader.checks import Answer
from grader.exhibits import Exhibit
from grader.model import RunOutcome, RunRecord, Visibility
from grader.pictures import Chart, Listing, Picture, Strips
from grader.rubric import CheckRule
from tests.rubrics.students import changes_of, exam, exhibits_of, judged

RUN = RunRecord(outcome=RunOutcome.COMPLETE)
PACK = exam().pack


def exhibits(*mistakes: str) -> dict[str, Exhibit]:
    return exhibits_of(judged(RUN, *changes_of(*mistakes)))


def picture(check: str, *mistakes: str) -> Picture:
    found = exhibits(*mistakes)[check].picture
    assert found is not None
    return found


@pytest.mark.parametrize("rule", [r for r in PACK.rubric.checks if r.picture], ids=lambda r: r.id)
def test_every_picture_can_be_drawn_of_the_references_own_answers(rule: CheckRule) -> None:
    for (probe, seed), reply in exam().expected.items():
        if probe == rule.probe and seed.visibility is Visibility.PUBLIC:
            answer = Answer(reply.value, theirs=False)
            assert PACK.painters[rule.picture].paint(answer, answer)


def test_adams_path_is_drawn_from_the_same_start() -> None:
    chart = picture("adam_parabola", "adam_no_bias_correction")
    assert isinstance(chart, Chart)
    expected, yours = chart.series
    assert (101, 101) == (expected.y.size, yours.y.size)
    assert expected.y[0] == yours.y[0] == 0
    assert pytest.approx(5.03900403) == expected.y[-1]
    assert "should get to 5.039 in 100 epochs; yours gets to 5.019." in chart.caption


def test_a_leak_is_seen_left_of_zero() -> None:
    chart = picture("relu_values", "relu_leaky")
    assert isinstance(chart, Chart)
    expected, right, off = chart.series
    assert np.array_equal(expected.x, np.sort(np.append(right.x, off.x)))
    assert np.max(off.x) < 0 <= np.min(right.x)
    assert ("yours, right", "yours, off") == (right.label, off.label)


def test_exchanged_folds_are_pointed_at() -> None:
    strips = picture("partition_order", "partition_validation_and_test_swapped")
    assert isinstance(strips, Strips)
    assert frozenset(range(10)) == strips.strips[1].off
    assert {"V": "validation", "E": "test", "t": "training"} == strips.key
    assert "10 rows are in another place than expected" in strips.caption


def test_dropped_rows_are_counted() -> None:
    strips = picture("partition_remainder", "partition_remainder_dropped")
    assert isinstance(strips, Strips)
    assert strips.strips[1].cells[-2:] == 2 * ("\N{EN DASH}",)
    dropped = strips.strips[1].cells.count("\N{EN DASH}")
    assert f"{dropped} in no fold" in strips.caption


def test_rows_that_were_taken_apart_are_pointed_at() -> None:
    strips = picture("partition_rows_together", "partition_shuffled_apart")
    assert isinstance(strips, Strips)
    of_X, of_T = (strip.cells for strip in strips.strips)
    assert sorted(of_X) == sorted(of_T)
    assert of_X != of_T


def test_settings_that_were_skipped_are_missing_from_the_list() -> None:
    listing = picture("experiment_no_hidden", "experiment_no_hidden_skipped")
    assert isinstance(listing, Listing)
    assert {s for s in listing.expected if ", [0]," in s} == set(listing.expected) - set(
        listing.yours
    )


def test_answers_of_another_size_have_no_picture() -> None:
    found = exhibits("relu_np_max")
    assert found["relu_values"].picture is None
    assert found["relu_shape"].difference
    assert found["relu_shape"].difference.shapes == ((6, 4), (4,))
