"""The marks that people give: a template for a spreadsheet, and what comes back, row by row.

It knows which items there are and what each is worth; adding up is somebody else's work.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from grader.canvas.by_student import (
    ByStudent,
    Problem,
    Said,
    agreed,
    by_student,
    rows_of_students,
    student_key,
)
from grader.canvas.roster import Gradebook, folded_name
from grader.canvas.tables import Sheet, SheetRow, read_sheet, shown
from grader.errors import UsageError
from grader.files import write_table
from grader.model import Mark, Student
from grader.text import plain, undefuse

COLUMNS = ("student", "name", "item", "possible", "points", "comment", "hints")

# A comma may stand for the point; `1,234` is none of the two for certain.
_NUMBER = re.compile(r"(?=.{1,20}$)([+-]?)([0-9]+(?:\.[0-9]*|,[0-9]{1,2})?|\.[0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRow:
    """One line of the template: what a marker sees, and the mark if there is one already."""

    student: Student
    item: str
    possible: Decimal
    mark: Mark | None = None
    hints: str = ""


def write_marks_template(path: Path, rows: Iterable[MarkRow]) -> None:
    """Write the CSV that markers fill in; `read_marks` reads it back."""
    write_table(
        path,
        COLUMNS,
        (
            (
                row.student.canvas_id or row.student.login or row.student.name,
                row.student.name,
                row.item,
                row.possible,
                row.mark.points if row.mark else None,
                row.mark.comment if row.mark else "",
                row.hints,
            )
            for row in rows
        ),
    )


def read_marks(
    path: Path, items: Mapping[str, Decimal], *, roster: Gradebook | None
) -> ByStudent[Mapping[str, Mark]]:
    """Read the marks of a CSV (student, item, points, comment); other columns do not matter.

    Args:
        items: item id -> the most that it can earn; of the items that are marked by a person.

    A row without points is not marked yet, and no problem.
    """
    sheet = read_sheet(path, known=COLUMNS)
    sheet.require("student", "item", "points")
    said: list[Said[Mark]] = []
    problems: list[Problem] = []
    for row in rows_of_students(sheet, roster):
        key = ""
        try:
            key = student_key(row[sheet.column("student")], roster)
            if overflow := sheet.overflow(row):
                problems.append(Problem(sentence=overflow, student=key))
                continue
            item = _item(row[sheet.column("item")], items)
            mark = _mark(sheet, row, item, items[item])
        except UsageError as error:
            problems.append(Problem(sentence=f"{sheet.where(row)}: {error}", student=key))
            continue
        if mark:
            said.append(Said(where=sheet.where(row), student=key, topic=item, value=mark))
    values, doubled = agreed(said)
    marks: defaultdict[str, dict[str, Mark]] = defaultdict(dict)
    for (key, item), mark in values.items():
        marks[key][item] = mark
    return by_student(dict(marks), problems + doubled, roster=roster)


def _item(text: str, items: Mapping[str, Decimal]) -> str:
    wanted = folded_name(undefuse(text))
    found = [item for item in items if folded_name(item) == wanted]
    if len(found) != 1:
        raise UsageError(
            f"“{shown(text)}” is not an item that is marked by a person; "
            f"there are: {', '.join(items) or 'none'}."
        )
    return found[0]


def _mark(sheet: Sheet, row: SheetRow, item: str, possible: Decimal) -> Mark | None:
    text = undefuse(row[sheet.column("points")]).strip()
    if not text:
        return None
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise UsageError(f"“{shown(text)}” is not a number of points: write one like 7.5.")
    points = Decimal(match[2].replace(",", "."))
    if match[1] == "-" and points:
        raise UsageError(f"The points for {item} are negative ({shown(text)}).")
    if points > possible:
        raise UsageError(
            f"{plain(points)} points are more than the {plain(possible)} that {item} is worth."
        )
    return Mark(points=points, comment=undefuse(row[sheet.column("comment")]))
