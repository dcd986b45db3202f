"""How answers are judged where "the same as the reference's" is not the whole story."""

from __future__ import annotations

import numpy as np

from grader.checks import Answer, check, require


@check
def left_alone(got: Answer, want: Answer, tolerance: float) -> None:
    """The reference leaves its arguments alone, so its answer holds them as they were."""
    got["w"].array(shape=(2,))  # who computes nothing has left nothing alone
    for name in ("x", "t"):
        require(
            np.array_equal(got[name].array(), want[name].array()),
            f"Your function changes `{name}`. Work on a copy.",
        )
