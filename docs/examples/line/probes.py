"""What is asked of a notebook. Nothing here knows a right answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grader.probes import Names, Rng, probe

Floats = npt.NDArray[np.float64]


def points(rng: Rng) -> tuple[Floats, Floats]:
    """Draw points that lie near a line, but not on it."""
    x = rng.uniform(-3, 3, 12)
    return x, rng.uniform(-5, 5) + rng.uniform(1, 4) * x + rng.normal(0, 0.5, 12)


@probe
def predictions(names: Names, rng: Rng) -> object:
    return names.predict(rng.uniform(-2, 2, 2), rng.uniform(-3, 3, 7))


@probe
def handout_example(names: Names, rng: Rng) -> object:
    return names.fit_line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))


@probe
def fitted(names: Names, rng: Rng) -> object:
    x, t = points(rng)
    given_x, given_t = x.copy(), t.copy()
    w = names.fit_line(given_x, given_t)
    return {"w": w, "x": given_x, "t": given_t}


@probe
def errors(names: Names, rng: Rng) -> object:
    return names.rmse(rng.uniform(-2, 2, 2), *points(rng))


@probe
def errors_right_predict(names: Names, rng: Rng) -> object:
    names.replace(predict=lambda w, x: w[0] + w[1] * x)
    return names.rmse(rng.uniform(-2, 2, 2), *points(rng))
