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
from grader.text import clipped

__all__ = ["Cell", "Fact", "FactFinder", "Work", "fact", "find_facts", "read_cells", "surveyed"]

Output: TypeAlias = Mapping[str, Any]
LONGEST_LABEL = 30
LONGEST_FINDING = 300


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
    count: int | None = None  # the number in [ ]: in which order the cells were run


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
    """Return the facts that the finders found, in their order, none longer than a sentence."""
    found = (_find(finder, work) for finder in finders)
    return tuple(_bounded(fact) for fact in found if fact is not None)


def _bounded(fact: Fact) -> Fact:
    label, finding = clipped(fact.label, LONGEST_LABEL), clipped(fact.finding, LONGEST_FINDING)
    return Fact(label, finding, fact.well)


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
        notebook = json.loads(text.removeprefix("\ufeff")) if text else {}
    except (ValueError, RecursionError):
        return ()
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    return tuple(_cell(cell) for cell in _list(cells) if isinstance(cell, dict))


def _cell(cell: Mapping[str, Any]) -> Cell:
    kind, source, count = (cell.get(key) for key in ("cell_type", "source", "execution_count"))
    lines = [source] if isinstance(source, str) else _list(source)
    return Cell(
        kind=kind if isinstance(kind, str) else "raw",
        source="".join(line for line in lines if isinstance(line, str)),
        outputs=tuple(o for o in _list(cell.get("outputs")) if isinstance(o, dict)),
        count=count if type(count) is int else None,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
