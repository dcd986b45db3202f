"""The published schema of `results.json`: what is written there, and nothing else.

The file may be shown to students, so what is for the staff only (staff notes, hidden numbers) has
no field here. Decides nothing: a Grade goes in, JSON comes out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from grader.errors import UsageError
from grader.files import whole_file
from grader.model import (
    CheckResult,
    Grade,
    ItemResult,
    Outcome,
    ProbedIn,
    RunOutcome,
    RunRecord,
    Section,
    Source,
    State,
    Student,
    Total,
    Visibility,
)
from grader.text import encodable


def _as_text(value: object) -> object:
    return encodable(value) if isinstance(value, str) else value


# Whole numbers are written as such: 70, not 70.0.
Number: TypeAlias = int | float
Text: TypeAlias = Annotated[str, BeforeValidator(_as_text)]


class _Published(BaseModel):
    """What all parts share: frozen, no key that is not known, no text for a number, no nan."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class PersonResult(_Published):
    name: Text
    canvas_id: Text
    login: Text


class CellsResult(_Published):
    total: int
    failed: int


class RunResult(_Published):
    outcome: RunOutcome
    probed_in: ProbedIn | None
    cells: CellsResult
    seconds: Number
    isolation: tuple[Text, ...]
    notes: tuple[Text, ...]


class CheckRow(_Published):
    id: Text
    outcome: Outcome
    points: Number
    possible: Number
    message: Text
    mistake: Text | None
    visibility: Visibility


class ItemRow(_Published):
    id: Text
    title: Text
    section: Section
    points: Number | None
    possible: Number
    source: Source
    checks: tuple[CheckRow, ...]


class SectionResult(_Published):
    points: Number | None
    possible: Number


class LateResult(_Published):
    days: int | None
    penalty: Number
    note: Text


class Result(_Published):
    """One student's result: one object of the list in `results.json`."""

    student: PersonResult
    partners: tuple[PersonResult, ...] = ()
    file: Text
    sha256: Text
    run: RunResult
    items: tuple[ItemRow, ...]
    code: SectionResult
    discussion: SectionResult
    extra_credit: SectionResult
    late: LateResult
    final: Number | None
    state: State
    attention: tuple[Text, ...]


_RESULTS = TypeAdapter(tuple[Result, ...])


# ------------------------------------------------------------------------------- writing
def result_of(grade: Grade) -> Result:
    """Return what is published of a grade."""
    score = grade.score
    return Result(
        student=_person(grade.student),
        partners=tuple(_person(partner) for partner in grade.partners),
        file=grade.file,
        sha256=grade.sha256,
        run=_run(grade.run),
        items=tuple(_item(item) for item in score.items),
        code=_section(score.sections[Section.CODE]),
        discussion=_section(score.sections[Section.DISCUSSION]),
        extra_credit=_section(score.sections[Section.EXTRA_CREDIT]),
        late=LateResult(
            days=score.late.days, penalty=_number(score.late.penalty), note=score.late.note
        ),
        final=_maybe(score.final),
        state=score.state,
        attention=grade.attention,
    )


def result_object(grade: Grade) -> dict[str, object]:
    """Return the same as plain values for `json`: what `check --format json` prints."""
    return result_of(grade).model_dump(mode="json")


def in_order(grades: Iterable[Grade]) -> list[Grade]:
    """Return the grades in the order of every list."""
    return sorted(grades, key=place)


def place(grade: Grade) -> tuple[str, ...]:
    """Return what grades are put in order by: name, Canvas id, file."""
    return (grade.student.name, grade.student.canvas_id, grade.file, grade.sha256)


def published(grade: Grade) -> str:
    """Return a grade as it stands in `results.json`: the same as `json_text`, faster."""
    return _escaped(result_of(grade).model_dump_json(indent=2))


def write_results(path: Path, grades: Iterable[Grade]) -> None:
    """Write `results.json`, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    write_published(path, map(published, in_order(grades)))


def write_published(path: Path, texts: Iterable[str]) -> None:
    """Write `results.json` of what `published` returns, in the order of `in_order`."""
    with whole_file(path) as stream:
        stream.write(b"[")
        empty = True
        for text in texts:
            stream.write(b"\n" if empty else b",\n")
            stream.write(f"  {text}".replace("\n", "\n  ").encode())
            empty = False
        stream.write(b"]\n" if empty else b"\n]\n")


def json_text(value: object) -> str:
    """JSON that a person can read and a terminal can show: no control or bidi mark is left raw."""
    return _escaped(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def _escaped(text: str) -> str:
    return _RAW_CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], text)


# What json.dumps leaves as it is, though a terminal or an editor would act on it. Such characters
# occur inside of JSON strings only, where an escape means the same.
_RAW_CONTROL = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def _person(student: Student) -> PersonResult:
    return PersonResult(name=student.name, canvas_id=student.canvas_id, login=student.login)


def _run(run: RunRecord) -> RunResult:
    return RunResult(
        outcome=run.outcome,
        probed_in=run.probed_in,
        cells=CellsResult(total=len(run.cells), failed=run.failed_cells),
        seconds=_number(round(Decimal(run.seconds), 3)),
        isolation=run.isolation,
        notes=run.notes,
    )


def _item(item: ItemResult) -> ItemRow:
    return ItemRow(
        id=item.item_id,
        title=item.title,
        section=item.section,
        points=_maybe(item.points),
        possible=_number(item.possible),
        source=item.source,
        checks=tuple(_check(check) for check in item.checks),
    )


def _check(check: CheckResult) -> CheckRow:
    return CheckRow(
        id=check.check_id,
        outcome=check.outcome,
        points=_number(check.earned),
        possible=_number(check.possible),
        message=check.message,
        mistake=check.mistake,
        visibility=check.visibility,
    )


def _section(total: Total) -> SectionResult:
    return SectionResult(points=_maybe(total.points), possible=_number(total.possible))


def _maybe(points: Decimal | None) -> Number | None:
    return None if points is None else _number(points)


def _number(points: Decimal) -> Number:
    return int(points) if points == points.to_integral_value() else float(points)


# ------------------------------------------------------------------------------- reading
def read_results(path: Path) -> tuple[Result, ...]:
    """Read a `results.json` back.

    Raises:
        UsageError: it cannot be read, or is not what `write_results` writes.
    """
    try:
        return _RESULTS.validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} could not be read: {error.strerror or error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f", at {key}" if key else ""
        raise UsageError(f"{path} is not a list of results{where}: {first['msg']}.") from error
