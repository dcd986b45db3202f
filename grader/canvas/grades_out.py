"""Writes the grades of one assignment as a file for Canvas's gradebook import.

What is not in the file, Canvas leaves alone: so it has the one column and the rows that are meant,
in the roster's own dialect. Where Canvas reads less than it writes (see `_dialect` and
`_info_columns`) the file has the form that Canvas reads. Names are written back as Canvas wrote
them, not defused: this file goes to Canvas, and Canvas would match other names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from grader.canvas.roster import (
    FIRST_NAME,
    ID,
    INFO_COLUMNS,
    INTEGRATION_ID,
    LAST_NAME,
    ROOT_ACCOUNT,
    SECTION,
    SIS_LOGIN_ID,
    SIS_USER_ID,
    STUDENT,
    AssignmentColumn,
    Gradebook,
)
from grader.canvas.tables import Dialect, SheetRow, rendered
from grader.errors import UsageError
from grader.files import write_whole
from grader.model import Student
from grader.text import plain

_EXCUSED = "ex"
_UNASSIGNED = "n/a"
_COMMA_NUMBER = re.compile(r"-?[0-9]+,[0-9]{1,2}")
_POINT_NUMBER = re.compile(r"-?[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """One grade in the import file."""

    student: Student
    before: str  # the cell of the export: a score, `N/A` or nothing
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasImport:
    """What was written, and what was not: each of the last three wants a word with a person."""

    column: str
    posted: tuple[Posted, ...]
    excused: tuple[Student, ...]  # `EX` in Canvas: their grades were left out
    unassigned: tuple[Student, ...]  # `N/A`: posted, but Canvas takes no score for them now
    not_enrolled: tuple[str, ...]  # Canvas IDs with a grade that the gradebook does not have


def write_canvas_import(
    gradebook: Gradebook, path: Path, assignment: str, grades: Mapping[str, Decimal]
) -> CanvasImport:
    """Write `grades` for Canvas to import, whole or not at all.

    Args:
        assignment: heading, Canvas ID or title of the assignment's column.
        grades: Canvas ID -> grade. Students who are not in it keep what they have.
    """
    column = gradebook.assignment(assignment)
    posted: list[Posted] = []
    excused: list[Student] = []
    rows: list[tuple[SheetRow, str]] = []
    mark = _decimal_mark(gradebook)
    for enrollment in gradebook.enrollments:
        student, before = enrollment.student, enrollment.row[column.index]
        if (grade := grades.get(student.canvas_id)) is None:
            continue
        if before.casefold() == _EXCUSED:
            excused.append(student)
            continue
        posted.append(Posted(student=student, before=before, after=_score(student, grade, mark)))
        rows.append((enrollment.row, posted[-1].after))
    _write(gradebook, path, column, rows)
    enrolled = {student.canvas_id for student in gradebook.students}
    return CanvasImport(
        column=column.header,
        posted=tuple(posted),
        excused=tuple(excused),
        unassigned=tuple(p.student for p in posted if p.before.casefold() == _UNASSIGNED),
        not_enrolled=tuple(sorted(grades.keys() - enrolled)),
    )


def _write(
    gradebook: Gradebook,
    path: Path,
    column: AssignmentColumn,
    rows: Iterable[tuple[SheetRow, str]],
) -> None:
    dialect = _dialect(gradebook)
    names = tuple(_info_columns(gradebook))
    special = [
        [*_info_cells(gradebook, row, names), row.raw(column.index)]
        for row in (gradebook.posting, gradebook.points_possible)
        if row is not None
    ]
    table = [
        [*names, column.header],
        # Without the other columns a posting row may be blank, and Canvas has no use for that.
        *(cells for cells in special if any(cell.strip() for cell in cells)),
        *([*_info_cells(gradebook, row, names), score] for row, score in rows),
    ]
    lines = [rendered(row, dialect.separator, quote_all=dialect.quote_all) for row in table]
    text = "".join(f"{line}{dialect.line_end}" for line in lines)
    write_whole(path, text.encode("utf-8-sig" if dialect.bom else "utf-8"))


def _dialect(gradebook: Gradebook) -> Dialect:
    """The export's own, as far as Canvas's import understands it.

    The import knows commas and semicolons; a tab is what a spreadsheet made of them. It does not
    take off a byte order mark, and then finds neither a column called `LastName` nor a first cell
    that begins with its quote.
    """
    dialect = gradebook.sheet.dialect
    separator = dialect.separator if dialect.separator in {",", ";"} else ","
    bom = dialect.bom and STUDENT in gradebook.columns and not dialect.quote_all
    return replace(dialect, separator=separator, bom=bom)


def _info_columns(gradebook: Gradebook) -> Iterator[str]:
    """The columns about the student, in the one order and the combinations that Canvas reads."""
    there = gradebook.columns.keys()
    if SECTION not in there:
        raise UsageError(
            f"{gradebook.sheet.path.name} has no column Section, which Canvas's import requires: "
            "use the file as Canvas exported it."
        )
    unread = {LAST_NAME, FIRST_NAME} if STUDENT in there else {STUDENT}
    if SIS_LOGIN_ID not in there:
        unread.add(SIS_USER_ID)
    if not {SIS_USER_ID, SIS_LOGIN_ID} <= there:
        unread |= {INTEGRATION_ID, ROOT_ACCOUNT}
    yield from (name for name in INFO_COLUMNS if name in there and name not in unread)


def _info_cells(gradebook: Gradebook, row: SheetRow, names: Iterable[str]) -> list[str]:
    # A number with a space beside it would be none.
    return [
        row[gradebook.columns[name]] if name == ID else row.raw(gradebook.columns[name])
        for name in names
    ]


def _score(student: Student, grade: Decimal, mark: str) -> str:
    if not grade.is_finite():
        raise UsageError(f"The grade of {student.name} ({student.canvas_id}) is {grade}.")
    return plain(grade).replace(".", mark)


def _decimal_mark(gradebook: Gradebook) -> str:
    """What the export writes between units and tenths; a point where it writes neither."""
    rows = [enrollment.row for enrollment in gradebook.enrollments]
    if gradebook.points_possible is not None:
        rows.append(gradebook.points_possible)
    cells = [row[column.index] for row in rows for column in gradebook.assignments]
    commas = sum(_COMMA_NUMBER.fullmatch(cell) is not None for cell in cells)
    points = sum(_POINT_NUMBER.fullmatch(cell) is not None for cell in cells)
    return "," if commas > points else "."
