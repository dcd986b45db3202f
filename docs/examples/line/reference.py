"""A right solution. It never imports grader."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def design(x: Floats) -> Floats:
    """Return X, (n, 2): a column of ones and the column x."""
    return np.column_stack([np.ones_like(x), x])


def predict(w: Floats, x: Floats) -> Floats:
    """Return w[0] + w[1] x, elementwise."""
    return design(x) @ w


def fit_line(x: Floats, t: Floats) -> Floats:
    """Return the w, (2,), that minimizes the sum of (t - predict(w, x))².

    The normal equations: (XᵀX) w = Xᵀt.
    """
    X = design(x)
    return np.linalg.solve(X.T @ X, X.T @ t)


def rmse(w: Floats, x: Floats, t: Floats) -> float:
    """Return the root of the mean of (t - predict(w, x))², in the units of t."""
    return float(np.sqrt(np.mean((t - predict(w, x)) ** 2)))
