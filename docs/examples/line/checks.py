"""How answers are judged where "the same as the reference's" is not the whole story."""

from __future__ import annotations

import numpy as np

from grader.checks import Answer, agrees, check, require


@check
def left_alone(got: Answer, want: Answer, tolerance: float) -> None:
    """The reference leaves its arguments alone, so its answer holds them as they were."""
    for name in ("x", "t"):
        require(
            np.array_equal(got[name].array(), want[name].array()),
            f"Your function changes `{name}`. Work on a copy.",
        )


@check
def root_of_mean(got: Answer, want: Answer, tolerance: float) -> None:
    error = want.number()
    squared = abs(got.number() - error**2) <= tolerance * max(1.0, error**2)
    require(not squared, "That is the mean of the squares: take its root.")
    agrees(got, want, tolerance)
