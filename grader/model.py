"""Values that every floor may hold: frozen, comparable, free of I/O.

A notebook is a Submission; running it gives Evidence; judging the evidence gives CheckResults;
scoring them gives a Grade. Nothing here knows how any of that is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt


# ------------------------------------------------------------------------------- who and what
@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """One person, as the gradebook or the file name knows them. Empty strings: not known."""

    name: str
    canvas_id: str = ""
    login: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One handed-in notebook and whose it is.

    `path` is where the grader may read it; `file` is the name that people know it by.
    """

    students: tuple[Student, ...]
    file: str
    path: Path
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one notebook may use. Seconds are wall clock; bytes count what leaves the kernel."""

    cell_seconds: float = 120.0
    notebook_seconds: float = 600.0
    probe_seconds: float = 10.0
    memory_bytes: int = 4 << 30
    output_bytes: int = 20 << 20
    answer_bytes: int = 8 << 20
    startup_seconds: float = 60.0


# ------------------------------------------------------------------------------- answers
@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A data frame as plain data: column names in order, one value list or array a column."""

    columns: tuple[str, ...]
    data: tuple[Value, ...]
    n_rows: int


Array: TypeAlias = npt.NDArray[np.generic]
Value: TypeAlias = (
    "bool | int | float | str | list[Value] | dict[str, Value] | Array | Table | Other | None"
)


@dataclass(frozen=True, slots=True)
class Other:
    """Something that cannot be an answer (a function, an open file); only its type's name left."""

    type_name: str


class ReplyKind(StrEnum):
    """How a probe came back."""

    VALUE = "value"
    UNDEFINED = "undefined"  # the notebook does not define what the probe asks for
    RAISED = "raised"  # the student's code raised
    UNUSABLE = "unusable"  # the probe could not use what the student's code returned
    TIMEOUT = "timeout"
    DIED = "died"  # the process was gone: os._exit, a segmentation fault, out of memory
    MALFORMED = "malformed"  # too large, or not an answer at all
    NOT_RUN = "not-run"  # nobody's answer: the grader did not get to ask


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """What one probe said. `detail` is a claim of the student's process: treat it as hostile."""

    kind: ReplyKind
    value: Value = None
    detail: str = ""
    error_type: str = ""  # the exception's type, for RAISED and UNUSABLE


class Visibility(StrEnum):
    """Whether a student may see the numbers."""

    PUBLIC = "public"
    HIDDEN = "hidden"


@dataclass(frozen=True, slots=True, order=True)
class Seed:
    """A label that results may carry, and the number that probes draw from.

    The number of a hidden seed is derived, one way, for each probe: see grader.probes.
    """

    visibility: Visibility
    index: int

    def __hash__(self) -> int:
        return hash(self.index)  # a few have the same, and an enum works its own out each time

    def __str__(self) -> str:
        return f"{self.visibility}-{self.index}"


ProbeKey: TypeAlias = tuple[str, Seed]  # (probe id, seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeCall:
    """One question to put to a notebook, complete: this is all that a kernel gets to see of it."""

    probe_id: str
    seed: Seed
    source: str  # Python that defines the function `probe_id` and what it needs, and nothing else
    number: int  # seeds the probe's random inputs

    @property
    def key(self) -> ProbeKey:
        return (self.probe_id, self.seed)


# ------------------------------------------------------------------------------- evidence
class RunOutcome(StrEnum):
    COMPLETE = "complete"
    ERRORS = "errors"
    TIMEOUT = "timeout"
    DIED = "died"
    UNREADABLE = "unreadable"


class ProbedIn(StrEnum):
    NOTEBOOK = "notebook"
    DEFINITIONS = "definitions"


class CellOutcome(StrEnum):
    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    DIED = "died"
    FLOODED = "flooded"  # more output than allowed
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRun:
    """One code cell. `index` counts all cells of the notebook from 0; `error` is hostile text."""

    index: int
    outcome: CellOutcome
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """How the notebook ran."""

    outcome: RunOutcome
    probed_in: ProbedIn | None = None
    cells: tuple[CellRun, ...] = ()
    seconds: float = 0.0
    isolation: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # sentences about the run that student and TA may read

    @property
    def failed_cells(self) -> int:
        return sum(cell.outcome is not CellOutcome.OK for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What was observed, as plain data: a grade can be computed from it at any later time."""

    run: RunRecord
    replies: Mapping[ProbeKey, Reply]
    executed: str = ""  # the notebook as it ran, with its outputs: nbformat JSON, hostile


# ------------------------------------------------------------------------------- judgement
class Outcome(StrEnum):
    """Who must act next, which pass and fail alone cannot say."""

    PASSED = "passed"
    FAILED = "failed"  # the submission is wrong
    BROKEN = "broken"  # the grader or the pack is wrong; a person must look


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One judged check and the sentence that the student will read."""

    check_id: str
    title: str
    outcome: Outcome
    earned: Decimal
    possible: Decimal
    message: str
    visibility: Visibility = Visibility.PUBLIC
    mistake: str | None = None
    staff_note: str = ""  # may name hidden data; never shown to students


class Section(StrEnum):
    CODE = "code"
    DISCUSSION = "discussion"
    EXTRA_CREDIT = "extra_credit"


class Source(StrEnum):
    AUTOMATIC = "automatic"
    MARKED = "marked"
    UNMARKED = "unmarked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Points that a person gave for one rubric item."""

    points: Decimal
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """One rubric item. `points` is None while a mark is missing or a check could not be judged."""

    item_id: str
    title: str
    section: Section
    points: Decimal | None
    possible: Decimal
    source: Source
    checks: tuple[CheckResult, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """How late, and what it costs. `days` is None where that is not known."""

    days: int | None = None
    penalty: Decimal = Decimal(0)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Points of one section; `points` is None while any of its items lacks its mark."""

    points: Decimal | None
    possible: Decimal


class State(StrEnum):
    FINAL = "final"
    NEEDS_MARKS = "needs-marks"
    NEEDS_ATTENTION = "needs-attention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What scoring knows: points by item and section, the penalty, the final grade or None."""

    items: tuple[ItemResult, ...]
    sections: Mapping[Section, Total]
    late: Late
    before_penalty: Decimal | None
    final: Decimal | None
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """One student's result: what `results.json` holds an object of."""

    student: Student
    file: str
    sha256: str
    run: RunRecord
    score: Score
    attention: tuple[str, ...] = field(default=())
    partners: tuple[Student, ...] = field(default=())
