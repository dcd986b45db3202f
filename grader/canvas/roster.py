"""Reads the gradebook that Canvas exports: who is in the course, and under which names and numbers.

Every cell is kept as it came, so that a file for the import can be written in the same dialect. It
knows the rows and columns of a gradebook and nothing of how a grade comes about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.canvas.tables import Sheet, SheetRow, read_sheet, shown
from grader.errors import UsageError
from grader.model import Student
from grader.text import undefuse

STUDENT, LAST_NAME, FIRST_NAME = "Student", "LastName", "FirstName"
ID, SECTION = "ID", "Section"
SIS_USER_ID, SIS_LOGIN_ID = "SIS User ID", "SIS Login ID"
INTEGRATION_ID, ROOT_ACCOUNT = "Integration ID", "Root Account"
# In the order in which Canvas writes them and insists on reading them.
INFO_COLUMNS = (
    *(STUDENT, LAST_NAME, FIRST_NAME, ID),
    *(SIS_USER_ID, SIS_LOGIN_ID, INTEGRATION_ID, ROOT_ACCOUNT, SECTION),
)

_TEST_STUDENT = frozenset({"student, test", "test student"})
_FORMULA_NAME = re.compile(r'="(.*)"', re.DOTALL)
_POSTING = re.compile(r"\s*(muted|manual posting.*)?\s*", re.IGNORECASE | re.DOTALL)
_ASSIGNMENT = re.compile(r"(.*)\s\(([0-9]+)\)")
# Canvas leaves a column with any of these in its title out of an import, assignment or not.
_COMPUTED = re.compile(r"(Current|Final|Override) (Score|Points|Grade)|Override Status")
_READ_ONLY = re.compile(r"read\s+only", re.IGNORECASE)
_CANVAS_ID = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentColumn:
    """A column `Title (assignment_id)` that Canvas would accept scores for."""

    index: int
    header: str
    title: str
    assignment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrollment:
    """One student and the row that says so."""

    student: Student
    sis_user_id: str
    section: str
    row: SheetRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Gradebook:
    """An exported gradebook."""

    sheet: Sheet
    columns: Mapping[str, int]  # of INFO_COLUMNS those that are there
    assignments: tuple[AssignmentColumn, ...]
    enrollments: tuple[Enrollment, ...]
    posting: SheetRow | None  # the row with `Manual Posting` or `Muted`
    points_possible: SheetRow | None
    test_ids: frozenset[str]
    keys: tuple[Mapping[str, tuple[Student, ...]], ...] = field(repr=False)

    @property
    def students(self) -> tuple[Student, ...]:
        return tuple(enrollment.student for enrollment in self.enrollments)

    def by_id(self, canvas_id: str) -> Student | None:
        return next(iter(self.keys[0].get(canvas_id, ())), None)

    def find(self, key: str) -> Student:
        """The student with this Canvas ID, else SIS ID, else login, else name.

        A name is matched whole, without regard to case: as `Doe, Jane` or as `Jane Doe`.
        """
        wanted = folded_name(undefuse(key))
        found = next((hits for known in self.keys if (hits := known.get(wanted))), ())
        if len(found) == 1:
            return found[0]
        file = self.sheet.path.name
        if not found:
            raise UsageError(
                f"Nobody in {file} has the Canvas ID, SIS ID, login or name “{shown(key)}”."
            )
        ids = ", ".join(student.canvas_id for student in found)
        raise UsageError(
            f"“{shown(key)}” means {len(found)} students in {file}: "
            f"use the Canvas ID instead, one of {ids}."
        )

    def is_test_student(self, key: str) -> bool:
        return key.strip() in self.test_ids or folded_name(key) in _TEST_STUDENT

    def assignment(self, key: str) -> AssignmentColumn:
        """The column with this heading, Canvas assignment ID or title."""
        wanted = folded_name(key)
        number = key.strip().strip("()")
        found = [column for column in self.assignments if folded_name(column.header) == wanted]
        found = found or [
            column
            for column in self.assignments
            if column.assignment_id == number or folded_name(column.title) == wanted
        ]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"“{shown(column.header)}”" for column in found or self.assignments)
        raise UsageError(
            f"{self.sheet.path.name}: {len(found) or 'no'} assignments are called “{shown(key)}”; "
            f"name one by its ID in parentheses. There are: {listed or 'none'}."
        )


def read_gradebook(path: Path) -> Gradebook:
    """Read a gradebook in any of Canvas's dialects, also after a spreadsheet has saved it."""
    sheet = read_sheet(path, known=INFO_COLUMNS)
    columns = _info_columns(sheet)
    points_possible = posting = None
    tests: set[str] = set()
    enrollments: list[Enrollment] = []
    for row in sheet.rows:
        if _is_points_possible(row, columns):
            points_possible = row
        elif all(_POSTING.fullmatch(cell) for cell in row.cells):
            posting = row
        elif folded_name(_name(row, columns)) in _TEST_STUDENT:
            tests.add(row[columns[ID]])
        else:
            enrollments.append(_enrollment(sheet, row, columns))
    _check_unique(sheet, enrollments)
    return Gradebook(
        sheet=sheet,
        columns=columns,
        assignments=tuple(_assignments(sheet, columns, points_possible)),
        enrollments=tuple(enrollments),
        posting=posting,
        points_possible=points_possible,
        test_ids=frozenset(tests - {""}),
        keys=_keys(enrollments),
    )


def folded_name(text: str) -> str:
    """Names that differ in case, spacing or Unicode form only are the same."""
    return " ".join(unicodedata.normalize("NFC", text).split()).casefold()


def family_and_first(name: str) -> tuple[str, str]:
    """The parts of a sortable name, `Doe, Jane`; without a comma the last word is the family's."""
    if "," in name:
        family, _, first = name.partition(",")
        return family.strip(), first.strip()
    first, _, family = name.strip().rpartition(" ")
    return family, first.strip()


# ------------------------------------------------------------------------------- columns
def _info_columns(sheet: Sheet) -> dict[str, int]:
    found = {name: index for name in INFO_COLUMNS if (index := sheet.column(name)) is not None}
    names = STUDENT in found or {LAST_NAME, FIRST_NAME} <= found.keys()
    if not names or ID not in found:
        raise UsageError(
            f"{sheet.where(sheet.header)}: this is not Canvas's gradebook, which has the columns "
            "Student (or LastName and FirstName) and ID. Export it in Canvas under Grades, Export."
        )
    return found


def _assignments(
    sheet: Sheet, columns: Mapping[str, int], points_possible: SheetRow | None
) -> Iterator[AssignmentColumn]:
    for index, cell in enumerate(sheet.header.cells):
        header = cell.strip()
        match = _ASSIGNMENT.fullmatch(header)
        read_only = points_possible is not None and _READ_ONLY.search(points_possible[index])
        if match and index > max(columns.values()) and not read_only:
            if _COMPUTED.search(header):
                continue
            yield AssignmentColumn(
                index=index, header=header, title=match[1].strip(), assignment_id=match[2]
            )


# ------------------------------------------------------------------------------- rows
def _is_points_possible(row: SheetRow, columns: Mapping[str, int]) -> bool:
    first = columns.get(STUDENT, columns.get(LAST_NAME))
    return folded_name(row[first]) == "points possible" and not row[columns[ID]]


def _name(row: SheetRow, columns: Mapping[str, int]) -> str:
    def cell(column: str) -> str:
        text = row[columns.get(column)]
        match = _FORMULA_NAME.fullmatch(text)  # how Canvas keeps `=Name` from being a formula
        return match[1].strip() if match else text

    return cell(STUDENT) or ", ".join(filter(None, (cell(LAST_NAME), cell(FIRST_NAME))))


def _enrollment(sheet: Sheet, row: SheetRow, columns: Mapping[str, int]) -> Enrollment:
    if problem := sheet.overflow(row):
        raise UsageError(problem)
    canvas_id = row[columns[ID]]
    if not _CANVAS_ID.fullmatch(canvas_id):
        raise UsageError(
            f"{sheet.where(row)}: “{shown(canvas_id)}” is not a Canvas ID, which has digits only. "
            "Spreadsheets change long numbers: use the file as Canvas exported it."
        )
    student = Student(
        name=_name(row, columns), canvas_id=canvas_id, login=row[columns.get(SIS_LOGIN_ID)]
    )
    return Enrollment(
        student=student,
        sis_user_id=row[columns.get(SIS_USER_ID)],
        section=row[columns.get(SECTION)],
        row=row,
    )


def _check_unique(sheet: Sheet, enrollments: Iterable[Enrollment]) -> None:
    first: dict[str, SheetRow] = {}
    for enrollment in enrollments:
        other = first.setdefault(enrollment.student.canvas_id, enrollment.row)
        if other is not enrollment.row:
            raise UsageError(
                f"{sheet.where(enrollment.row)}: the Canvas ID {enrollment.student.canvas_id} "
                f"is that of row {other.number} already. Delete one of the two rows."
            )


# ------------------------------------------------------------------------------- finding
def _keys(enrollments: Iterable[Enrollment]) -> tuple[Mapping[str, tuple[Student, ...]], ...]:
    """One index for each way to name a student, the surest first."""
    tiers: tuple[dict[str, tuple[Student, ...]], ...] = ({}, {}, {}, {})
    for enrollment in enrollments:
        student = enrollment.student
        family, first = family_and_first(student.name)
        names = (
            {student.canvas_id},
            {enrollment.sis_user_id},
            {student.login},
            {student.name, f"{first} {family}"},
        )
        for tier, keys in zip(tiers, names, strict=True):
            for key in {folded_name(key) for key in keys} - {""}:
                tier[key] = (*tier.get(key, ()), student)
    return tiers
