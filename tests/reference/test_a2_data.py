"""Partition: the published example, and what must hold for every size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.a2 import partition
from reference.a2.data import Rows

# The published value was made with numpy's legacy generator, so these tests seed that one.
# ruff: noqa: NPY002

# Runs are the same on every machine, and none fails for being slow.
every_size = settings(deadline=None, derandomize=True, max_examples=100)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    """Rows and folds that fit together."""
    n_folds = draw(st.integers(3, 12))
    return draw(st.integers(n_folds, 80)), n_folds


def numbered(n: int) -> tuple[Rows, Rows]:
    """Row i of X is [i, -i], and row i of T is [100 i]."""
    i = np.arange(n).reshape(-1, 1)
    return np.hstack([i, -i]), 100 * i


def test_the_published_example() -> None:
    np.random.seed(42)
    X = np.arange(40).reshape(20, 2)
    T = X[:, :1] * X[:, 1:]

    _, _, _, _, Xtest, Ttest = partition(X, T, 3)

    np.testing.assert_array_equal(
        [[22, 23], [6, 7], [36, 37], [32, 33], [26, 27], [4, 5]],
        Xtest,
    )
    np.testing.assert_array_equal([[506], [42], [1332], [1056], [702], [20]], Ttest)


def test_without_shuffling_the_folds_are_in_order() -> None:
    """11 rows in 4 folds: 2 validate, 2 test, and 2 + 2 and the remainder of 3 train."""
    parts = partition(*numbered(11), 4, random_shuffle=False)
    Xtrain, _, Xvalidate, _, Xtest, _ = parts
    assert [4, 5, 6, 7, 8, 9, 10] == Xtrain[:, 0].tolist()
    assert [0, 1] == Xvalidate[:, 0].tolist()
    assert [2, 3] == Xtest[:, 0].tolist()


@every_size
@given(sizes(), st.integers(0, 2**32 - 1), st.booleans())
def test_no_row_is_lost_or_doubled(size: tuple[int, int], seed: int, shuffle: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    n, n_folds = size
    np.random.seed(seed)
    Xtrain, _, Xvalidate, _, Xtest, _ = partition(*numbered(n), n_folds, random_shuffle=shuffle)
    rows = np.vstack([Xvalidate, Xtest, Xtrain])[:, 0].tolist()
    assert list(range(n)) == sorted(rows)


@every_size
@given(sizes(), st.integers(0, 2**32 - 1))
def test_rows_of_X_and_T_stay_together(size: tuple[int, int], seed: int) -> None:
    n, n_folds = size
    np.random.seed(seed)
    parts = partition(*numbered(n), n_folds)
    for X, T in zip(parts[::2], parts[1::2], strict=True):
        np.testing.assert_array_equal(100 * X[:, :1], T)
        np.testing.assert_array_equal(-X[:, 0], X[:, 1])


@every_size
@given(sizes())
def test_the_remainder_goes_to_the_last_fold_and_so_trains(size: tuple[int, int]) -> None:
    n, n_folds = size
    parts = partition(*numbered(n), n_folds)
    fold = n // n_folds
    expected = [n - 2 * fold] * 2 + [fold] * 4
    assert expected == [part.shape[0] for part in parts]


@every_size
@given(sizes(), st.integers(0, 2**32 - 1))
def test_shuffling_is_one_draw_of_the_row_indices(size: tuple[int, int], seed: int) -> None:
    """The parts are one shuffle of arange(n), read from the start, and nothing else is drawn."""
    n, n_folds = size
    np.random.seed(seed)
    Xtrain, _, Xvalidate, _, Xtest, _ = partition(*numbered(n), n_folds)
    after = np.random.uniform()

    np.random.seed(seed)
    expected = np.arange(n)
    np.random.shuffle(expected)
    np.testing.assert_array_equal(expected, np.vstack([Xvalidate, Xtest, Xtrain])[:, 0])
    assert np.random.uniform() == after


@every_size
@given(sizes())
def test_without_shuffling_nothing_is_drawn(size: tuple[int, int]) -> None:
    n, n_folds = size
    np.random.seed(1)
    first = partition(*numbered(n), n_folds, random_shuffle=False)
    after = np.random.uniform()
    np.random.seed(1)
    assert np.random.uniform() == after

    second = partition(*numbered(n), n_folds, random_shuffle=False)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_arguments_are_left_untouched(shuffle: bool) -> None:  # noqa: FBT001 - pytest gives it
    X, T = numbered(10)
    for part in partition(X, T, 5, random_shuffle=shuffle):
        part[:] = -1
    np.testing.assert_array_equal(numbered(10)[0], X)
    np.testing.assert_array_equal(numbered(10)[1], T)


@pytest.mark.parametrize("n_folds", [-1, 0, 1, 2, 11])
def test_a_number_of_folds_that_leaves_a_part_empty_is_refused(n_folds: int) -> None:
    with pytest.raises(ValueError, match=rf"^10 rows can make .* folds, not {n_folds}\.$"):
        partition(*numbered(10), n_folds)


def test_too_few_rows_for_any_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="rows"):
        partition(*numbered(2), 3)


def test_rows_that_cannot_pair_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same number of rows, but have 10 and 9\.$"):
        partition(numbered(10)[0], numbered(9)[1], 3)
