"""Cutting a data set into the parts that train, choose and judge a model."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[Any]  # samples of any type; only their order is touched

MIN_FOLDS = 3  # one each to train, validate and test


def partition(
    X: Rows,
    T: Rows,
    n_folds: int,
    random_shuffle: bool = True,  # noqa: FBT001, FBT002 - the assignment fixes this signature
) -> tuple[Rows, Rows, Rows, Rows, Rows, Rows]:
    """Fold 0 validates, fold 1 tests, and the rest train, in order.

    Args:
        X: (n, n_inputs), in input units.
        T: (n, n_outputs), in target units; row i belongs to row i of X.
        n_folds: at least 3, at most n. A fold has n // n_folds rows; the last takes the remainder
            as well, and so every row is used.
        random_shuffle: shuffle the rows first, X and T alike, by one draw from numpy's generator.

    Returns:
        Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest: copies.
    """
    n = X.shape[0]
    if T.shape[0] != n:
        raise ValueError(f"X and T need the same number of rows, but have {n} and {T.shape[0]}.")
    if not MIN_FOLDS <= n_folds <= n:
        raise ValueError(f"{n} rows can make from {MIN_FOLDS} to {n} folds, not {n_folds}.")

    rows = np.arange(n)
    if random_shuffle:
        # The published seeded results were made with numpy's legacy generator.
        np.random.shuffle(rows)  # noqa: NPY002

    size = n // n_folds
    validate, test, train = rows[:size], rows[size : 2 * size], rows[2 * size :]
    return X[train], T[train], X[validate], T[validate], X[test], T[test]
