"""The tables that people open in a spreadsheet: all grades, and what asks for a person.

Text is defused (see grader.text), numbers are numbers. `attention.csv` is for the staff only: it
may name what a student must not see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.files import Cell, write_table
from grader.model import Grade, Outcome, Section, Student
from grader.reports.results import in_order

WHO = ("student", "canvas_id", "login", "file")
MOST_NAMED = 5
SUMS = ("code", "discussion", "extra_credit", "late_days", "penalty", "final", "state")


# ------------------------------------------------------------------------------- grades.csv
def write_grades(path: Path, grades: Iterable[Grade]) -> None:
    """Write `grades.csv`: a row a student, a column an item; what is not known yet is blank."""
    ordered = in_order(grades)
    items = tuple(dict.fromkeys(item.item_id for grade in ordered for item in grade.score.items))
    rows = [_grade_row(grade, items) for grade in ordered]
    write_table(path, (*WHO, *map(_column, items), *SUMS), rows)


def _column(item: str) -> str:
    """Return an item's column: its id, but where that is the name of another column."""
    return f"{item}_item" if item in {*WHO, *SUMS} else item


def _grade_row(grade: Grade, items: Sequence[str]) -> list[Cell]:
    score, student = grade.score, grade.student
    points = {item.item_id: item.points for item in score.items}
    return [
        *(student.name, student.canvas_id, student.login, grade.file),
        *(points.get(item) for item in items),
        *(score.sections[section].points for section in Section),
        *(score.late.days, score.late.penalty, score.final, str(score.state)),
    ]


# ------------------------------------------------------------------------------- attention.csv
@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """One thing that a person has to do. `what` is a sentence that says who should do what."""

    student: Student
    file: str
    what: str


def attention_rows(grades: Iterable[Grade]) -> list[Attention]:
    """Return what keeps each grade from being final, but for marks that are still missing."""
    return [
        Attention(student=grade.student, file=grade.file, what=what)
        for grade in in_order(grades)
        for what in (*grade.attention, *_broken(grade))
    ]


def _broken(grade: Grade) -> list[str]:
    """Say which checks could not be judged; where none could, what was said of it already."""
    checks = [check for item in grade.score.items for check in item.checks]
    broken = [check for check in checks if check.outcome is Outcome.BROKEN]
    if not broken or (grade.attention and broken == checks):
        return []
    names = ", ".join(check.check_id for check in broken[:MOST_NAMED])
    more = f" and {len(broken) - MOST_NAMED} more" if len(broken) > MOST_NAMED else ""
    note = next((check.staff_note for check in broken if check.staff_note), "")
    said = f"Could not be judged: {names}{more}. The pack's author or the operator should see why"
    return [f"{said}, then judge again. {note}".strip()]


def write_attention(path: Path, rows: Iterable[Attention]) -> None:
    """Write `attention.csv`, in the order given."""
    header = ("student", "canvas_id", "file", "what")
    cells = [(row.student.name, row.student.canvas_id, row.file, row.what) for row in rows]
    write_table(path, header, cells)
