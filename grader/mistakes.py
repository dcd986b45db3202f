"""What the author of an assignment writes known mistakes with.

A known mistake is the reference with a few words changed, and the sentence that a student reads
who answers as that does. A pack's mistakes.py holds them, each known by the name it is given:

    forgot_the_root = mistake(
        "rmse",
        "Your `rmse` is the mean of the squares: something is still to be done with it.",
        [("np.sqrt(np.mean(error**2))", "np.mean(error**2)")],
        loses=["rmse_values"],
    )

Beside them stand right solutions that look unusual, so that nobody loses points for style:

    squares_by_multiplying = right([("error**2", "error * error")])

Changes are text, so that a pack needs no import of its reference. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from grader.errors import PackError

__all__ = ["Change", "Mistake", "Right", "changed", "mistake", "right"]

Change: TypeAlias = tuple[str, str]  # (text of the reference, what stands there instead)
Way: TypeAlias = tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake that is known.

    Attributes:
        item: the rubric item that it belongs to, and the only one that it may cost points.
        says: what is wrong and where to look, to the student. Told of hidden checks too: no
            numbers, and not the answer.
        ways: each a change of the reference. More than one where students make the mistake in
            several ways that answer differently.
        loses: the checks that the first way costs, where the author wants that held; else None.
    """

    item: str
    says: str
    ways: tuple[Way, ...]
    loses: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Right:
    """A solution that is as right as the reference, whatever it looks like."""

    changes: Way


def mistake(
    item: str,
    says: str,
    changes: Sequence[Change],
    *also: Sequence[Change],
    loses: Sequence[str] | None = None,
) -> Mistake:
    """Describe a known mistake; `also` are other ways to make it that answer differently."""
    ways = tuple(tuple(way) for way in (changes, *also))
    return Mistake(item, says, ways, None if loses is None else frozenset(loses))


def right(changes: Sequence[Change]) -> Right:
    """Describe a right solution by what it changes in the reference."""
    return Right(tuple(changes))


def changed(files: Mapping[str, str], changes: Sequence[Change]) -> dict[str, str]:
    """Return the files, name -> text, with every occurrence of each old text replaced in turn.

    Raises:
        PackError: an old text is in none of them, so the reference has moved on.
    """
    texts = dict(files)
    for old, new in changes:
        holding = [name for name, text in texts.items() if old in text]
        if not holding:
            raise PackError(f"The reference no longer has the text {old!r}.")
        texts |= {name: texts[name].replace(old, new) for name in holding}
    return texts
