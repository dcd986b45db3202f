"""One case for each submission: whose it is, and what has to be asked about it.

The intake says what was handed in, people's tables say of whom; nothing has run yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from grader.canvas import HandedIn, resolve_pairs
from grader.grading.course import Course
from grader.intake import Entry, Intake, Problem
from grader.model import Student, Submission
from grader.text import display_safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One submission and what is known of it beside its notebook."""

    submission: Submission  # its students: the submitter first
    late_flag: bool = False
    questions: tuple[str, ...] = ()


def cases_of(intake: Intake, course: Course) -> list[Case]:
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
        Case(
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


def without_notebook(intake: Intake) -> list[Case]:
    """A case for each student who handed in something, but no notebook that can be run."""
    readable = {_submitter(entry) for entry in intake.entries}
    first: dict[Student, Problem] = {}
    for problem in intake.problems:
        if problem.student is not None and problem.student not in readable:
            first.setdefault(problem.student, problem)
    return [
        Case(
            submission=Submission(students=(student,), file=problem.file, path=Path(), sha256=""),
            questions=_said_of(student, intake.problems),
        )
        for student, problem in first.items()
    ]
