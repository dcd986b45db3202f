"""Make grades out: points, lateness and open questions of each student, and their pages.

A page is written where it shows something else than before, or is no longer the file that was
written; results are put together in several processes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.errors import EvidenceError
from grader.files import write_whole
from grader.grading.batch import Exam
from grader.grading.cases import Case
from grader.grading.course import Course
from grader.grading.judgement import Looked
from grader.grading.keys import digest
from grader.grading.processes import in_processes
from grader.lateness import Lateness
from grader.model import Grade, Late, Mark, Outcome, ProbeKey, Reply, Student
from grader.reports.html import feedback_page
from grader.reports.names import feedback_name
from grader.reports.results import published
from grader.rubric import Rubric
from grader.scoring import Known, score
from grader.store import Kept, Store

CANVAS_COUNTS = Lateness(late=Late(note="Canvas takes points off for late work by itself."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One student's grade, what it comes from, and the page of before, if any."""

    grade: Grade
    marks: Mapping[str, Mark]
    is_submitter: bool
    kept: Kept | None
    page: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """What was made of it: the text in results.json, and what is known of the page's file."""

    text: str
    page: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """Scores judged submissions for each of their students."""

    rubric: Rubric
    course: Course
    canvas_deducts: bool
    known: Known = field(default_factory=dict)

    def made(self, looked: Looked) -> list[Made]:
        """Return what each student of a submission gets, the submitter first."""
        submitter, *_ = students = looked.seen.case.submission.students
        marks = {student: self.course.marks_of(student, submitter) for student in students}
        return [
            Made(
                grade=self._grade(student, marks[student], looked, looked.seen.case),
                marks=marks[student],
                is_submitter=student == submitter,
                kept=looked.seen.kept,
            )
            for student in students
        ]

    def _grade(
        self, student: Student, marks: Mapping[str, Mark], looked: Looked, case: Case
    ) -> Grade:
        lateness = self._lateness(student, case)
        fault = looked.seen.fault
        asked = (*case.questions, *self.course.problems_of(student), lateness.asks, fault)
        attention = tuple(dict.fromkeys(filter(None, asked)))
        return Grade(
            student=student,
            file=case.submission.file,
            sha256=case.submission.sha256,
            run=looked.seen.run,
            score=score(
                self.rubric,
                looked.results,
                marks,
                late=lateness.late,
                open_question=bool(attention),
                known=self.known,
            ),
            attention=attention,
            partners=tuple(s for s in case.submission.students if s != student),
        )

    def _lateness(self, student: Student, case: Case) -> Lateness:
        if self.canvas_deducts and self.course.due is None:
            return CANVAS_COUNTS  # nobody here needs to know how late anybody was
        submitter = case.submission.students[0]
        return self.course.lateness(student, submitter, late_flag=case.late_flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Writes pages into `folder`. `key` is what pages depend on besides grade and evidence."""

    folder: Path
    exam: Exam
    key: str
    store: Store

    def write(self, made: Sequence[Made], jobs: int) -> Iterator[Out]:
        """Write the pages that are not there yet; yield what every one of `made` came to."""
        for said in in_processes(made, self._work, jobs):
            head, _, text = said.partition(b"\n")
            yield Out(text=text.decode(), page=json.loads(head))

    def _work(self, made: Made) -> bytes:
        text = published(made.grade)
        kept = [made.kept.replies, made.kept.executed] if made.kept else []
        shown = digest(self.key, repr(made.grade), kept)[:32]
        path = self.folder / feedback_name(made.grade)
        page = self.known(path) | {"shows": shown}
        if page != made.page:
            write_whole(path, self._page(made).encode())
            page = self.known(path) | {"shows": shown}
        return json.dumps(page).encode() + b"\n" + text.encode()

    def _page(self, made: Made) -> str:
        executed, replies = "", dict[ProbeKey, Reply]()
        checks = [check for item in made.grade.score.items for check in item.checks]
        if made.kept:
            with suppress(EvidenceError):  # the page then has no figures
                executed = self.store.executed(made.kept)
            if any(check.outcome is Outcome.FAILED for check in checks):
                with suppress(EvidenceError):  # it is told of where evidence is judged
                    replies |= self.store.observed(made.kept).replies
        exhibits = self.exam.exhibition.of(checks, replies)
        return feedback_page(made.grade, self.exam.pack.rubric, executed, exhibits)

    def known(self, path: Path) -> dict[str, Any]:
        """Return by what a file is known again: whoever writes it anew changes that."""
        try:
            found = path.stat()
        except OSError:
            return {"name": path.name}
        return {"name": path.name, "size": found.st_size, "time": found.st_mtime_ns}
