"""What the author of an assignment draws with: what to show, never how it looks.

A picture is a plain description, made of one question's two answers: the student's and the
reference's. A pack writes, in its pictures.py:

    @picture
    def path(got: Answer, want: Answer) -> Chart:
        return Chart(
            series=(
                curve("expected", want["path"].array(), role=Role.EXPECTED),
                curve("yours", got["path"].array()),
            ),
            x_label="epoch",
            y_label="w",
            caption="The weight after each epoch, as expected and as yours.",
        )

`got` is read as in a check: what does not fit raises, and then there is no picture. The caption
says in words what is to be seen: it stands in for the picture wherever none can be shown. Only
public answers are ever drawn. Pure: no I/O, no drawing, no markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from grader.checks import Answer

__all__ = [
    "Answer",
    "Chart",
    "Listing",
    "Painter",
    "Picture",
    "Role",
    "Series",
    "Strip",
    "Strips",
    "agreement",
    "curve",
    "differing",
    "dots",
    "picture",
]

Floats: TypeAlias = npt.NDArray[np.float64]


class Role(StrEnum):
    """Whose a series is; decides how it is drawn."""

    YOURS = "yours"
    EXPECTED = "expected"
    GUIDE = "guide"  # neither: a target, a diagonal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Points (x, y), in the order in which they are joined, if they are."""

    label: str
    x: Floats
    y: Floats
    role: Role = Role.YOURS
    joined: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chart:
    """Series over two axes. What is far from the expected and the guides may be cut off."""

    series: tuple[Series, ...]
    x_label: str
    y_label: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A row of cells with a word or letter in each; `off` are the cells to point at."""

    label: str
    cells: tuple[str, ...]
    off: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Strips:
    """Rows of cells below each other: which rows went to which fold. `key` explains the words."""

    strips: tuple[Strip, ...]
    key: Mapping[str, str]
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Two lists beside each other; lines that differ are pointed at."""

    expected: tuple[str, ...]
    yours: tuple[str, ...]
    caption: str


Picture: TypeAlias = "Chart | Strips | Listing"
Paint: TypeAlias = "Callable[[Answer, Answer], Picture | None]"


@dataclass(frozen=True, slots=True)
class Painter:
    """A named way to picture two answers. Returns None where there is nothing to see."""

    name: str
    paint: Paint


def picture(paint: Paint) -> Painter:
    """Mark a function of a pack's pictures.py as a picture, known by the function's name."""
    return Painter(paint.__name__, paint)


# ------------------------------------------------------------------------------- series
def curve(
    label: str, y: Floats, x: Floats | None = None, *, role: Role = Role.YOURS, joined: bool = True
) -> Series:
    """Return a line through the values y, at 0, 1, 2, … where no x are given."""
    y = np.ravel(y)
    x = np.arange(len(y), dtype=np.float64) if x is None else np.ravel(x)
    return Series(label=label, x=x, y=y, role=role, joined=joined)


def dots(label: str, y: Floats, x: Floats | None = None, *, role: Role = Role.YOURS) -> Series:
    """Return points that are not joined."""
    return curve(label, y, x, role=role, joined=False)


def agreement(found: Floats, expected: Floats, *, what: str, caption: str) -> Chart:
    """Return each value over the one that was expected; right ones lie on the diagonal.

    Args:
        found, expected: arrays of one size, in the same order.
        what: what the values are: "prediction".
    """
    ends = np.array([np.min(expected), np.max(expected)])
    return Chart(
        series=(
            curve("where both agree", ends, ends, role=Role.GUIDE),
            dots("yours", found, np.ravel(expected)),
        ),
        x_label=f"expected {what}",
        y_label=f"your {what}",
        caption=caption,
    )


def differing(yours: Sequence[str], expected: Sequence[str]) -> frozenset[int]:
    """Return where two strips of cells differ."""
    return frozenset(i for i, cell in enumerate(yours) if [cell] != list(expected[i : i + 1]))
