"""The end of a grading night: every report about the whole class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from grader.canvas import CanvasImport, Gradebook, write_canvas_import, write_feedback_zip
from grader.errors import UsageError
from grader.facts import Fact
from grader.grading.changes import Change
from grader.grading.course import Course
from grader.grading.marking import write_facts
from grader.intake import Problem
from grader.model import Grade, State, Student
from grader.reports.tables import Attention, attention_rows, write_attention, write_grades

NOBODY = Student(name="")


@dataclass(frozen=True, slots=True, kw_only=True)
class CanvasExport:
    """How the grades are to go back to Canvas."""

    title: str  # the assignment's, which its column should have
    assignment: str = ""  # the gradebook's column by name or id; empty: found by the title
    deducts_late: bool = False  # Canvas takes points off by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What came of it."""

    grades: tuple[Grade, ...]
    attention: tuple[Attention, ...]
    nothing_handed_in: tuple[Student, ...]
    canvas: CanvasImport | None = None
    notices: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    executed: int = 0  # notebooks that were run
    reused: int = 0  # notebooks that were not, because what they show was kept before
    first: bool = True  # nothing was known of anybody here before


def looked_over(
    course: Course, problems: Sequence[Problem], grades: Sequence[Grade]
) -> tuple[tuple[Attention, ...], tuple[Student, ...]]:
    """Return what asks for a person, and who handed in nothing.

    Args:
        problems: what the intake found; those of a student are in that student's grade too.
    """
    attention = (*_of_nobody(problems, course, grades), *attention_rows(grades))
    return attention, _nothing_handed_in(course, grades)


def report(
    out: Path,
    course: Course,
    night: Night,
    facts: Mapping[str, Sequence[Fact]],
    export: CanvasExport,
) -> tuple[CanvasImport | None, tuple[str, ...]]:
    """Write every table about the whole class; return what was written for Canvas."""
    write_grades(out / "grades.csv", night.grades)
    write_facts(out, facts)
    waiting = map(_handed_in_nothing, night.nothing_handed_in)
    write_attention(out / "attention.csv", (*night.attention, *waiting))
    canvas, notices = _canvas_import(out, course.gradebook, night.grades, export)
    if canvas is None:
        _remove(out / "canvas-import.csv")  # of an earlier run
    return canvas, notices


def pack_feedback(out: Path, course: Course, pages: Sequence[tuple[str, Path]]) -> None:
    """Write feedback.zip of (Canvas's file name, our page); none where nothing is Canvas's."""
    user_ids = [student.canvas_id for student in course.roster]
    packed = write_feedback_zip(out / "feedback.zip", pages, user_ids=user_ids)
    if not packed.names:
        _remove(out / "feedback.zip")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be removed: {error.strerror}.") from error


def _of_nobody(
    problems: Iterable[Problem], course: Course, grades: Iterable[Grade]
) -> list[Attention]:
    """What is wrong with files and rows, where no student's grade tells it."""
    files = [
        Attention(student=NOBODY, file=problem.file, what=problem.sentence)
        for problem in problems
        if problem.student is None
    ]
    told = {sentence for grade in grades for sentence in grade.attention}
    rows = [sentence for sentence in course.problems if sentence not in told]
    rows += course.unheard([grade.student for grade in grades])
    return files + [Attention(student=NOBODY, file="", what=sentence) for sentence in rows]


def _nothing_handed_in(course: Course, grades: Iterable[Grade]) -> tuple[Student, ...]:
    graded = {grade.student for grade in grades}
    return tuple(student for student in course.roster if student not in graded)


def _handed_in_nothing(student: Student) -> Attention:
    what = "Nothing was handed in. There is nothing to do here unless the student says otherwise."
    return Attention(student=student, file="", what=what)


def _canvas_import(
    out: Path, gradebook: Gradebook | None, grades: Iterable[Grade], export: CanvasExport
) -> tuple[CanvasImport | None, tuple[str, ...]]:
    """Write canvas-import.csv where there is a gradebook; say what was written and what not."""
    if gradebook is None:
        return None, ()
    final: dict[str, Decimal] = {}
    for grade in grades:
        points = grade.score.before_penalty if export.deducts_late else grade.score.final
        if grade.score.state is State.FINAL and points is not None and grade.student.canvas_id:
            final[grade.student.canvas_id] = points
    try:
        column = export.assignment or _likely_column(gradebook, export.title)
        written = write_canvas_import(gradebook, out / "canvas-import.csv", column, final)
    except UsageError as error:
        why = f"canvas-import.csv was not written. {error} Name it with --canvas-assignment."
        return None, (why,)
    which = "before" if export.deducts_late else "after"
    said = f"{len(written.posted)} grades for “{written.column}”, {which} the late penalty"
    notices = [f"canvas-import.csv: {said}."]
    for count, what in (
        (len(written.excused), "excused in Canvas (EX) and were left as they are"),
        (len(written.unassigned), "not assigned this in Canvas (N/A), which will ignore the grade"),
        (len(written.not_enrolled), "not in the gradebook, so their grades were left out"),
    ):
        if count:
            notices.append(f"{count} are {what}.")
    return written, tuple(notices)


def _likely_column(gradebook: Gradebook, title: str) -> str:
    """Return the assignment's title, or the only column that begins with its first word."""
    titles = [column.title for column in gradebook.assignments]
    first = title.casefold().split()[:1]
    begin = [each for each in titles if each.casefold().split()[:1] == first]
    return begin[0] if title not in titles and len(begin) == 1 else title
