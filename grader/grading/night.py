"""Grading night: submissions in, every report out.

One call does the whole way of the data. What concerns one submission is a sentence in its
`attention`; only what makes the whole run senseless (a table that cannot be read, a pack that
contradicts itself, a folder that cannot be written) stops it, before anything has run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from grader.canvas import (
    CanvasImport,
    Gradebook,
    HandedIn,
    resolve_pairs,
    write_canvas_import,
    write_feedback_zip,
)
from grader.errors import UsageError
from grader.facts import Fact
from grader.files import write_whole
from grader.grading.batch import Exam, Executor, Judged, grade_all, unseen
from grader.grading.course import Course, Tables
from grader.grading.marking import gather_facts, write_facts
from grader.intake import Entry, Intake, Problem, take_in
from grader.lateness import Lateness
from grader.model import Grade, Late, State, Student, Submission
from grader.packs import Pack
from grader.reports.html import feedback_page
from grader.reports.names import feedback_name
from grader.reports.results import in_order, write_results
from grader.reports.tables import Attention, attention_rows, write_attention, write_grades
from grader.scoring import score
from grader.text import display_safe

NOBODY = Student(name="")
CANVAS_COUNTS = Lateness(late=Late(note="Canvas takes points off for late work by itself."))
NO_NOTEBOOK = "What was handed in is not a notebook that can be run. Ask the staff what to do."


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for."""

    sources: tuple[Path, ...]
    out: Path
    pack: Pack
    secret: bytes
    tables: Tables
    jobs: int
    canvas_assignment: str = ""  # the gradebook's column; empty: the one of the rubric's title
    canvas_deducts_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What wants to know how far the night is."""

    began: Callable[[int], None] = lambda _: None
    judged: Callable[[Grade], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What came of it."""

    grades: tuple[Grade, ...]
    attention: tuple[Attention, ...]
    nothing_handed_in: tuple[Student, ...]
    canvas: CanvasImport | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One submission and what is known of it beside its notebook."""

    submission: Submission  # its students: the submitter first
    late_flag: bool = False
    questions: tuple[str, ...] = ()


def grade_night(order: Order, executor: Executor, watcher: Watcher) -> Night:
    """Grade everything and write every report.

    Raises:
        UsageError, PackError: the whole night is asked for wrongly; mostly before anything ran.
    """
    course = Course.read(order.tables, order.pack.rubric)
    exam = Exam.of(order.pack, order.secret)
    _make_folders(order.out)
    intake = take_in(order.sources, order.out / "store" / "notebooks", roster=course.roster)
    cases = _cases(intake, course)
    lost = _unreadable(intake)
    watcher.began(len(cases))
    desk = _Desk(order, course, {_key(c.submission): c for c in (*cases, *lost)}, watcher)
    for case in lost:
        desk.make_out(exam.judge(case.submission, unseen(NO_NOTEBOOK)))
    submissions = [case.submission for case in cases]
    asyncio.run(grade_all(submissions, exam, executor, jobs=order.jobs, done=desk.make_out))
    return _report(order, course, intake, desk)


# ------------------------------------------------------------------------------- who and what
def _cases(intake: Intake, course: Course) -> list[_Case]:
    """One case for each notebook: its pair settled, its open questions gathered."""
    handed_in = [
        HandedIn(
            file=entry.submission.file,
            student=_submitter(entry),
            partner_names=entry.partner_names,
            group=entry.is_group,
        )
        for entry in intake.entries
    ]
    shared = resolve_pairs(handed_in, roster=course.gradebook, partners=course.partners)
    return [
        _Case(
            submission=replace(entry.submission, students=share.students),
            late_flag=entry.late_flag,
            questions=(
                *share.problems,
                *_said_of(_submitter(entry), intake.problems),
                *_stranger(entry, course),
            ),
        )
        for entry, share in zip(intake.entries, shared, strict=True)
    ]


def _submitter(entry: Entry) -> Student:
    return entry.submission.students[0]


def _stranger(entry: Entry, course: Course) -> tuple[str, ...]:
    """Ask about somebody whom the roster does not have: their grade has no place to go."""
    student, file = _submitter(entry), display_safe(entry.submission.file)
    if course.gradebook is None or student in course.roster:
        return ()
    if entry.anonymous_id:
        return ()  # nobody of an anonymous export is on the roster, and Canvas knows who it was
    mend = "find out who it was, or export the gradebook anew"
    return (f"{file} was handed in by somebody who is not on the roster: {mend}.",)


def _said_of(student: Student, problems: Iterable[Problem]) -> tuple[str, ...]:
    return tuple(problem.sentence for problem in problems if problem.student == student)


def _unreadable(intake: Intake) -> list[_Case]:
    """A case for each student who handed in something, but no notebook that can be run."""
    readable = {_submitter(entry) for entry in intake.entries}
    first: dict[Student, Problem] = {}
    for problem in intake.problems:
        if problem.student is not None and problem.student not in readable:
            first.setdefault(problem.student, problem)
    return [
        _Case(
            submission=Submission(students=(student,), file=problem.file, path=Path(), sha256=""),
            questions=_said_of(student, intake.problems),
        )
        for student, problem in first.items()
    ]


def _key(submission: Submission) -> tuple[str, Student]:
    return (submission.file, submission.students[0])


def _make_folders(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)  # grades are nobody else's business
        for name in ("feedback", "store"):
            (out / name).mkdir(exist_ok=True)
        for name in ("canvas-import.csv", "feedback.zip"):  # of an earlier run, if not made anew
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{out} cannot be used for the results: {error.strerror}.") from error


# ------------------------------------------------------------------------------- making out
@dataclass(slots=True)
class _Desk:
    """Makes grades out: knows whose a submission is and what is open about it."""

    order: Order
    course: Course
    cases: Mapping[tuple[str, Student], _Case]
    watcher: Watcher
    grades: list[Grade] = field(default_factory=list)
    facts: dict[str, tuple[Fact, ...]] = field(default_factory=dict)  # by the notebook's sha256
    pages: list[tuple[str, Path]] = field(default_factory=list)  # Canvas's file name, our page

    def make_out(self, judged: Judged) -> None:
        """Score one judged submission for each of its students, and write their pages."""
        case = self.cases[_key(judged.submission)]
        grades = [self._grade(student, judged, case) for student in case.submission.students]
        rubric, executed = self.order.pack.rubric, judged.evidence.executed
        for grade in grades:
            page = self.order.out / "feedback" / feedback_name(grade)
            write_whole(page, feedback_page(grade, rubric, executed).encode())
        self.pages.append((judged.submission.file, self._page(grades[0])))
        self.facts[judged.submission.sha256] = gather_facts(self.order.pack, judged)
        self.grades += grades
        self.watcher.judged(grades[0])

    def _page(self, grade: Grade) -> Path:
        return self.order.out / "feedback" / feedback_name(grade)

    def _grade(self, student: Student, judged: Judged, case: _Case) -> Grade:
        submitter, *_ = everyone = case.submission.students
        lateness = self._lateness(student, case)
        asked = (*case.questions, *self.course.problems_of(student), lateness.asks, judged.fault)
        attention = tuple(dict.fromkeys(filter(None, asked)))
        return Grade(
            student=student,
            file=judged.submission.file,
            sha256=judged.submission.sha256,
            run=judged.evidence.run,
            score=score(
                self.order.pack.rubric,
                judged.results,
                self.course.marks_of(student, submitter),
                late=lateness.late,
                open_question=bool(attention),
            ),
            attention=attention,
            partners=tuple(other for other in everyone if other != student),
        )

    def _lateness(self, student: Student, case: _Case) -> Lateness:
        if self.order.canvas_deducts_late and self.course.due is None:
            return CANVAS_COUNTS  # nobody here needs to know how late anybody was
        submitter = case.submission.students[0]
        return self.course.lateness(student, submitter, late_flag=case.late_flag)


# ------------------------------------------------------------------------------- reports
def _report(order: Order, course: Course, intake: Intake, desk: _Desk) -> Night:
    """Write everything that is about the whole class."""
    grades = in_order(desk.grades)
    attention = (*_of_nobody(intake, course, grades), *attention_rows(grades))
    missing = _nothing_handed_in(course, grades)
    write_results(order.out / "results.json", grades)
    write_grades(order.out / "grades.csv", grades)
    write_facts(order.out, desk.facts)
    rows = (*attention, *map(_handed_in_nothing, missing))
    write_attention(order.out / "attention.csv", rows)
    packed = write_feedback_zip(
        order.out / "feedback.zip", desk.pages, user_ids=[s.canvas_id for s in course.roster]
    )
    if not packed.names:
        (order.out / "feedback.zip").unlink()  # nothing in it came from a Canvas upload
    canvas, notices = _canvas_import(order, course.gradebook, grades)
    return Night(
        grades=tuple(grades),
        attention=attention,
        nothing_handed_in=missing,
        canvas=canvas,
        notices=notices,
    )


def _of_nobody(intake: Intake, course: Course, grades: Iterable[Grade]) -> list[Attention]:
    """What is wrong with files and rows, where no student's grade tells it."""
    files = [
        Attention(student=NOBODY, file=problem.file, what=problem.sentence)
        for problem in intake.problems
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
    order: Order, gradebook: Gradebook | None, grades: Iterable[Grade]
) -> tuple[CanvasImport | None, tuple[str, ...]]:
    """Write canvas-import.csv where there is a gradebook; say what was written and what not."""
    if gradebook is None:
        return None, ()
    final: dict[str, Decimal] = {}
    for grade in grades:
        points = grade.score.before_penalty if order.canvas_deducts_late else grade.score.final
        if grade.score.state is State.FINAL and points is not None and grade.student.canvas_id:
            final[grade.student.canvas_id] = points
    try:
        column = order.canvas_assignment or _likely_column(gradebook, order.pack)
        written = write_canvas_import(gradebook, order.out / "canvas-import.csv", column, final)
    except UsageError as error:
        why = f"canvas-import.csv was not written. {error} Name it with --canvas-assignment."
        return None, (why,)
    which = "before" if order.canvas_deducts_late else "after"
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


def _likely_column(gradebook: Gradebook, pack: Pack) -> str:
    """Return the rubric's title, or the only column that begins with the assignment's name."""
    titles = [column.title for column in gradebook.assignments]
    begin = [title for title in titles if title.casefold().split()[:1] == [pack.slug.casefold()]]
    return begin[0] if pack.rubric.title not in titles and len(begin) == 1 else pack.rubric.title
