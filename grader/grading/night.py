"""Grading night: submissions in, every report out.

One call does the whole way of the data. What concerns one submission is a sentence in its
`attention`; only what makes the whole run senseless (a table that cannot be read, a pack that
contradicts itself, a folder that cannot be written) stops it, before anything has run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.canvas import HandedIn, resolve_pairs
from grader.errors import UsageError
from grader.files import write_whole
from grader.grading.batch import Exam, Executor, Judged, grade_all, unseen
from grader.grading.course import Course, Tables
from grader.grading.marking import gather_facts
from grader.grading.reporting import CanvasExport, Made, Night, report
from grader.intake import Entry, Intake, Problem, take_in
from grader.lateness import Lateness
from grader.model import Grade, Late, Student, Submission
from grader.packs import Pack
from grader.reports.html import feedback_page
from grader.reports.names import feedback_name
from grader.scoring import score
from grader.text import display_safe

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
    export: CanvasExport


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """What wants to know how far the night is."""

    began: Callable[[int], None] = lambda _: None
    judged: Callable[[Grade], None] = lambda _: None


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
    desk = _Desk(order, course, exam, {_key(c.submission): c for c in (*cases, *lost)}, watcher)
    for case in lost:
        desk.make_out(exam.judge(case.submission, unseen(NO_NOTEBOOK)))
    submissions = [case.submission for case in cases]
    asyncio.run(grade_all(submissions, exam, executor, jobs=order.jobs, done=desk.make_out))
    return report(order.out, course, intake.problems, desk.made, order.export)


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
    exam: Exam
    cases: Mapping[tuple[str, Student], _Case]
    watcher: Watcher
    made: Made = field(default_factory=Made)

    def make_out(self, judged: Judged) -> None:
        """Score one judged submission for each of its students, and write their pages."""
        case = self.cases[_key(judged.submission)]
        grades = [self._grade(student, judged, case) for student in case.submission.students]
        rubric, executed = self.order.pack.rubric, judged.evidence.executed
        exhibits = self.exam.exhibits(judged)
        for grade in grades:
            page = feedback_page(grade, rubric, executed, exhibits)
            write_whole(self._page(grade), page.encode())
        self.made.pages.append((judged.submission.file, self._page(grades[0])))
        self.made.facts[judged.submission.sha256] = gather_facts(self.order.pack, judged)
        self.made.grades += grades
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
        if self.order.export.deducts_late and self.course.due is None:
            return CANVAS_COUNTS  # nobody here needs to know how late anybody was
        submitter = case.submission.students[0]
        return self.course.lateness(student, submitter, late_flag=case.late_flag)
