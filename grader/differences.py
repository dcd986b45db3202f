"""How two answers differ, in a few bounded values: kinds, shapes, the first and the largest.

What a comparison finds out on its way to a verdict, kept for whoever tells the student. Pure; it
must not know what is compared, nor decide whether a difference matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Two values at one index; `index` is empty where there is only one of each."""

    index: Shape
    expected: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """In what two answers differ; what they do not differ in is None.

    Attributes:
        name: what was compared, in the words of its check: "the result", "`weights`".
        kinds: what was expected and what was seen, where numbers cannot be compared.
        shapes: the two shapes, expected first.
        first: the first values that differ, in the order of the array.
        largest: those that are farthest apart, of all that are finite; `distance` is how far.
        differing, of: how many values differ, of how many.
        verdict: what the check's message says of it in words: "The result has wrong values."
        sentence: where and how, in one sentence, as the check's message has it.
    """

    name: str
    kinds: tuple[str, str] | None = None
    shapes: tuple[Shape, Shape] | None = None
    first: Place | None = None
    largest: Place | None = None
    distance: str = ""
    differing: int = 0
    of: int = 0
    verdict: str = ""
    sentence: str = ""


def differing_values(name: str, found: Floats, expected: Floats, bound: float) -> Difference | None:
    """Compare two arrays of one shape; None where no value is farther off than `bound`.

    A nan is off, wherever it stands. Values of the students' are any that a float can be.
    """
    with np.errstate(all="ignore"):  # infinities and overflows are differences, not faults
        distance = np.abs(found - expected)
    off = ~(distance <= bound)
    if not off.any():
        return None
    count = int(off.sum())
    first = _place(int(np.argmax(off)), found, expected)
    finite = np.isfinite(distance)
    far = int(np.argmax(np.where(finite, distance, -1.0))) if finite.any() else None
    where = f" at index {list(first.index)}" if first.index else ""
    share = f" ({count} of {off.size} values differ)" if off.size > 1 else ""
    return Difference(
        name=name,
        first=first,
        largest=None if far is None else _place(far, found, expected),
        distance="" if far is None else f"{distance.flat[far]:.3g}",
        differing=count,
        of=off.size,
        sentence=f"Expected {first.expected}{where}, yours is {first.seen}{share}.",
    )


def _place(at: int, found: Floats, expected: Floats) -> Place:
    index = tuple(int(i) for i in np.unravel_index(at, expected.shape))
    return Place(index=index, expected=f"{expected[index]:.9g}", seen=f"{found[index]:.9g}")
