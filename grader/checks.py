"""What the author of an assignment writes checks with.

A check compares two answers to one probe: what the student's code said and what the reference
said. Most need no code at all: `agrees`, the default, accepts an answer that is the reference's
within the tolerance. For anything else a pack writes, in its checks.py:

    @check
    def no_row_lost(got: Answer, want: Answer, tolerance: float) -> None:
        rows = got["Xtrain"].array()
        require(len(rows) == len(want["Xtrain"].array()), "Some rows are missing.")

`got` may be anything that a student's process can send. Reading it through Answer turns whatever
does not fit into a sentence to the student, never into a crash. Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from grader.differences import Difference, differing_values
from grader.errors import PackError
from grader.model import Other, Table, Value

__all__ = ["Answer", "Check", "Failed", "agrees", "check", "compare", "require", "same"]

Floats: TypeAlias = npt.NDArray[np.float64]
Judge: TypeAlias = "Callable[[Answer, Answer, float], str | None]"


class Failed(Exception):  # noqa: N818  it is a verdict, not an error
    """The answer is wrong. `words` may be told of any check, the rest of public ones only."""

    def __init__(self, words: str, numbers: str = "", difference: Difference | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.numbers = numbers
        self.difference = difference


@dataclass(frozen=True, slots=True)
class Check:
    """A named way to judge an answer. Returns a remark for the student, or None."""

    name: str
    judge: Judge


def check(judge: Judge) -> Check:
    """Mark a function of a pack's checks.py as a check, known by the function's name."""
    return Check(judge.__name__, judge)


def require(condition: object, words: str, numbers: str = "") -> None:
    """Fail the check unless `condition` holds.

    Args:
        words: what is wrong, with no number that a hidden input could be read from.
        numbers: what was expected and seen, shown for public inputs only.
    """
    if not condition:
        raise Failed(words, numbers)


# ------------------------------------------------------------------------------- reading
@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A value out of a reply, with the words for what it is and whose it is."""

    value: Value
    name: str = "the result"
    theirs: bool = True  # the student's; else the reference's

    def wrong(
        self, words: str, numbers: str = "", difference: Difference | None = None
    ) -> Exception:
        """Return what to raise where the answer does not fit: whose answer decides whose fault."""
        if self.theirs:
            return Failed(words, numbers, difference)
        return PackError(f"The reference's answer does not fit the check: {words}")

    def __getitem__(self, key: str) -> Answer:
        """Return the part `key` of an answer that is a dict."""
        if not isinstance(self.value, dict) or key not in self.value:
            raise self.wrong(f"There is no `{key}` in the answer.")
        return self._part(key, self.value[key], f"`{key}`")

    def parts(self) -> list[Answer]:
        """Return the elements of an answer that is a list or tuple."""
        if not isinstance(self.value, list):
            raise self.wrong(f"{self.subject} should be a list or tuple, not {kind(self.value)}.")
        return [self._part(str(i), v, f"{self.name}[{i}]") for i, v in enumerate(self.value)]

    def shape(self) -> Answer:
        """Return the shape of an array as an answer of its own, a list of whole numbers."""
        return self._part("shape()", list(self.array().shape), f"the shape of {self.name}")

    def _part(self, key: str, value: Value, name: str) -> Answer:
        """Return what `key` leads to; for whoever watches what a check asks for."""
        return Answer(value, name, self.theirs)

    def array(self, *, shape: tuple[int, ...] | None = None) -> Floats:
        """Return the answer as an array of floats, of `shape` where one is given.

        Booleans and whole numbers count as floats; nan and infinities are let through.
        """
        try:
            found = np.asarray(_plain(self.value), dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            words = f"{self.subject} should be numbers, not {kind(self.value)}."
            raise self.wrong(words) from None
        if shape is not None and found.shape != shape:
            words = f"{self.subject} should have shape {shape}, not {found.shape}."
            raise self.wrong(words, "", Difference(name=self.name, shapes=(shape, found.shape)))
        return found

    def number(self) -> float:
        """Return the answer as one number; an array of one element is one."""
        found = self.array()
        if found.size != 1:
            raise self.wrong(f"{self.subject} should be one number, not {kind(self.value)}.")
        return float(found.reshape(()))

    def flag(self) -> bool:
        """Return an answer that is True or False."""
        if not isinstance(self.value, bool):
            raise self.wrong(f"{self.subject} should be True or False, not {kind(self.value)}.")
        return self.value

    def table(self) -> Table:
        """Return an answer that is a data frame."""
        if not isinstance(self.value, Table):
            words = f"{self.subject} should be a pandas DataFrame, not {kind(self.value)}."
            raise self.wrong(words)
        return self.value

    @property
    def subject(self) -> str:
        """The answer's name, to begin a sentence with."""
        return self.name[:1].upper() + self.name[1:]


def _plain(value: Value) -> object:
    """Refuse what numpy would turn into numbers though nobody meant it as such."""
    if value is None or isinstance(value, (str, dict, Table, Other)):
        raise TypeError
    if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
        raise TypeError
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


def kind(value: Value) -> str:
    """Say what a value is, for a sentence."""
    if value is None:
        return "None (nothing was returned)"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Table):
        return "a DataFrame"
    return f"a {value.type_name if isinstance(value, Other) else type(value).__name__}"


# ------------------------------------------------------------------------------- comparing
def agrees(got: Answer, want: Answer, tolerance: float) -> None:
    """Accept an answer that is the reference's: same structure, numbers within the tolerance.

    The tolerance is relative to the largest expected number of each array, and absolute below 1:
    |got - want| <= tolerance * max(1, max|want|).
    """
    if isinstance(want.value, dict):
        for key in want.value:
            agrees(got[key], want[key], tolerance)
    elif isinstance(want.value, list):
        parts, expected = got.parts(), want.parts()
        if len(parts) != len(expected):
            words = f"{got.subject} should have {len(expected)} parts, not {len(parts)}."
            kinds = (kind(want.value), kind(got.value))
            raise Failed(words, "", Difference(name=got.name, kinds=kinds))
        for part, wanted in zip(parts, expected, strict=True):
            agrees(part, wanted, tolerance)
    elif want.value is None or isinstance(want.value, (bool, str)):
        same(got, want)
    else:
        _close(got, want, tolerance)


def same(got: Answer, want: Answer, tolerance: float = 0.0) -> None:  # noqa: ARG001  every check has it
    """Accept only the very value: for words, flags and None."""
    require(
        type(got.value) is type(want.value) and bool(got.value == want.value),
        f"{got.subject} is not what it should be.",
        f"Expected {want.value!r}, yours is {str(got.value)[:80]!r}.",
    )


def _close(got: Answer, want: Answer, tolerance: float) -> None:
    expected = want.array()
    if expected.size == 1 and expected.ndim == 0:
        found = np.asarray(got.number())
    else:
        found = got.array(shape=expected.shape)
    if expected.size:
        bound = tolerance * max(1.0, float(np.max(np.abs(expected))))
        compare(got.name, found, expected, bound, f"{got.subject} has wrong values.")


def compare(name: str, found: Floats, expected: Floats, bound: float, words: str) -> None:
    """Fail with `words` where a value is off by more than `bound`, and with where and how far.

    Args:
        name: what is compared: "the prediction".
        found, expected: two arrays of one shape.
    """
    difference = differing_values(name, found, expected, bound)
    if difference is not None:
        raise Failed(words, difference.sentence, replace(difference, verdict=words))


AGREES = Check("agrees", agrees)
SAME = Check("same", same)


def catalogue(own: Mapping[str, Check]) -> dict[str, Check]:
    """Return the checks that a rubric may name: the built-in ones and the pack's own."""
    return {AGREES.name: AGREES, SAME.name: SAME, **own}
