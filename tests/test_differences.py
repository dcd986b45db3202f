"""How two answers differ: right in small cases, and without a fault whatever the numbers are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from grader.checks import Answer, Failed, agrees
from grader.differences import Difference, Place, differing_values
from grader.model import Value


def difference(got: Value, want: Value) -> Difference:
    """What `agrees` finds out where it fails."""
    with pytest.raises(Failed) as failed:
        agrees(Answer(got), Answer(want, theirs=False), 1e-6)
    assert isinstance(failed.value, Failed)
    assert failed.value.difference
    return failed.value.difference


def test_the_first_and_the_largest_difference_are_told_by_index() -> None:
    want = np.array([[1.0, 2.0], [3.0, 4.0]])
    found = difference(np.array([[1.0, 2.5], [3.0, 40.0]]), want)
    assert Place(index=(0, 1), expected="2", seen="2.5") == found.first
    assert Place(index=(1, 1), expected="4", seen="40") == found.largest
    assert ("36", 2, 4) == (found.distance, found.differing, found.of)
    assert "Expected 2 at index [0, 1], yours is 2.5 (2 of 4 values differ)." == found.sentence


def test_one_number_has_no_index() -> None:
    found = difference(3.0, 2.0)
    assert Place(index=(), expected="2", seen="3") == found.first == found.largest
    assert "Expected 2, yours is 3." == found.sentence


def test_shapes_are_told_without_values() -> None:
    found = difference(np.zeros(3), np.zeros((3, 1)))
    assert (((3, 1), (3,)), None) == (found.shapes, found.first)


def test_kinds_are_told_where_parts_cannot_be_compared() -> None:
    assert ("a list of 2", "a list of 3") == difference([1, 2, 3], [1, 2]).kinds


def test_what_agrees_has_no_difference() -> None:
    assert differing_values("the result", np.ones(2), np.ones(2) + 1e-9, 1e-6) is None


def test_nan_differs_but_is_not_the_largest_difference() -> None:
    found = difference(np.array([math.nan, 1.0, 5.0]), np.zeros(3))
    assert found.first
    assert found.largest
    assert ("nan", (0,), (2,)) == (found.first.seen, found.first.index, found.largest.index)


def test_where_nothing_is_finite_there_is_no_largest_difference() -> None:
    assert difference(np.array([math.nan, math.inf]), np.zeros(2)).largest is None


@given(st.data())
def test_any_floats_can_be_compared(data: st.DataObject) -> None:
    shape = data.draw(array_shapes(max_dims=3, max_side=4))
    anything = arrays(np.float64, shape, elements=st.floats(allow_nan=True, allow_infinity=True))
    finite = arrays(np.float64, shape, elements=st.floats(-1e300, 1e300))
    found, expected = data.draw(anything), data.draw(finite)
    told = differing_values("the result", found, expected, 1e-6)
    if told is None:
        assert np.all(np.abs(found - expected) <= 1e-6)
    else:
        assert told.first
        assert 1 <= told.differing <= told.of == found.size
        assert len(told.sentence) < 200
