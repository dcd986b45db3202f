"""What the author of an assignment writes facts with: hints for whoever marks by hand.

A fact says what was found in a notebook and never counts points: a person does that, with the
facts beside the notebook. A pack's facts.py holds functions of a Work:

    @fact
    def rows_read(work: Work) -> Fact | None:
        rows = work.survey["rows"].number()
        return Fact("Rows read", f"{rows:.0f} of 392", well=rows == 392)

One that finds nothing to say returns None; one that stumbles over what a student's notebook holds
says nothing either. Pure: no I/O, no clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from grader.checks import Answer, Failed
from grader.model import Reply, ReplyKind

__all__ = ["Cell", "Fact", "FactFinder", "Work", "fact", "find_facts", "read_cells"]

Output: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing found. `well` is None where it is neither good nor bad."""

    label: str
    finding: str
    well: bool | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a notebook as plain data; all of it hostile."""

    kind: str  # "code", "markdown" or "raw"
    source: str
    outputs: tuple[Output, ...] = ()  # nbformat outputs of a code cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """All that a fact may look at."""

    handed_in: Sequence[Cell]  # with the outputs that were stored in the file
    executed: Sequence[Cell]  # the same cells with the outputs of our run; empty if it did not run
    starter: Sequence[Cell]  # the handout
    survey: Answer  # what the pack's survey probe answered, or None's answer


@dataclass(frozen=True, slots=True)
class FactFinder:
    """A function of a pack's facts.py."""

    name: str
    find: Callable[[Work], Fact | None]


def fact(find: Callable[[Work], Fact | None]) -> FactFinder:
    """Mark a function of a pack's facts.py as one that finds a fact."""
    return FactFinder(find.__name__, find)


def find_facts(finders: Iterable[FactFinder], work: Work) -> tuple[Fact, ...]:
    """Return the facts that the finders found, in their order."""
    found = (_find(finder, work) for finder in finders)
    return tuple(fact for fact in found if fact is not None)


def _find(finder: FactFinder, work: Work) -> Fact | None:
    try:
        return finder.find(work)
    except Failed:  # the survey has no such answer
        return None
    except Exception as crash:  # noqa: BLE001  a hint is worth no broken night
        return Fact(finder.name, f"could not be found out ({type(crash).__name__})")


def surveyed(reply: Reply | None) -> Answer:
    """Return what a survey answered, as something that facts may read."""
    value = reply.value if reply is not None and reply.kind is ReplyKind.VALUE else None
    return Answer(value, "the survey")


def read_cells(text: str) -> tuple[Cell, ...]:
    """Return the cells of nbformat JSON; what is not in its form is left out."""
    try:
        notebook = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return ()
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    return tuple(_cell(cell) for cell in cells or () if isinstance(cell, dict))


def _cell(cell: Mapping[str, Any]) -> Cell:
    source, outputs = cell.get("source", ""), cell.get("outputs", ())
    return Cell(
        kind=str(cell.get("cell_type", "raw")),
        source=source if isinstance(source, str) else "".join(map(str, source)),
        outputs=tuple(o for o in outputs if isinstance(o, dict)),
    )
