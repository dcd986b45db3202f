"""What people's tables say of each submission: deadline, extension, partner, marks.

Reads the tables once, at the start, so that a wrong one is told before anything has run. What
concerns one student only is asked about for that student, and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.canvas import (
    ByStudent,
    Extension,
    Gradebook,
    keys_of,
    read_extensions,
    read_gradebook,
    read_marks,
    read_partners,
    read_times,
)
from grader.errors import UsageError
from grader.grading.deadline import late_policy
from grader.lateness import Lateness, LatePolicy, late, parse_when
from grader.model import Mark, Student
from grader.rubric import Rubric
from grader.text import display_safe


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What the command line was given beside the submissions; None and empty: not given."""

    roster: Path | None = None
    due: str = ""
    submitted: Path | None = None
    extensions: Path | None = None
    partners: Path | None = None
    marks: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """The tables, read."""

    policy: LatePolicy
    gradebook: Gradebook | None
    due: datetime | None
    times: ByStudent[datetime]
    extensions: ByStudent[Extension]
    partners: ByStudent[tuple[str, ...]]
    marks: ByStudent[Mapping[str, Mark]]

    @classmethod
    def read(cls, tables: Tables, rubric: Rubric) -> Course:
        """Read every table that was given.

        Raises:
            UsageError: one cannot be read at all; single bad rows are problems, told later.
        """
        policy = late_policy(rubric)
        roster = read_gradebook(_there(tables.roster)) if tables.roster else None
        return cls(
            policy=policy,
            gradebook=roster,
            due=parse_when(tables.due, policy) if tables.due else None,
            times=(
                read_times(_there(tables.submitted), policy=policy, roster=roster)
                if tables.submitted
                else ByStudent(values={})
            ),
            extensions=(
                read_extensions(_there(tables.extensions), policy=policy, roster=roster)
                if tables.extensions
                else ByStudent(values={})
            ),
            partners=(
                read_partners(_there(tables.partners), roster=roster)
                if tables.partners
                else ByStudent(values={})
            ),
            marks=(
                read_marks(_there(tables.marks), rubric.marked_items, roster=roster)
                if tables.marks
                else ByStudent(values={})
            ),
        )

    @property
    def roster(self) -> tuple[Student, ...]:
        return self.gradebook.students if self.gradebook else ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about rows of the tables that could not be used."""
        return (
            *self.times.problems,
            *self.extensions.problems,
            *self.partners.problems,
            *self.marks.problems,
        )

    def problems_of(self, student: Student) -> tuple[str, ...]:
        """Sentences about rows that concern this student, and so leave the grade open."""
        return (
            *self.times.problems_of(student),
            *self.extensions.problems_of(student),
            *self.marks.problems_of(student),
        )

    def unheard(self, students: Sequence[Student]) -> list[str]:
        """Sentences about rows that name nobody who handed in; with a roster these are known."""
        if self.gradebook is not None:
            return []
        known = {key for student in students for key in keys_of(student)}
        tables: dict[str, ByStudent[Any]] = {
            "--submitted": self.times,
            "--extensions": self.extensions,
            "--partners": self.partners,
            "--marks": self.marks,
        }
        return [
            f"{option} names “{display_safe(key)}”, who is nobody that handed in. Correct the row, "
            "or give the gradebook with --roster."
            for option, table in tables.items()
            for key in sorted(set(table.values) - known)
        ]

    def marks_of(self, student: Student, submitter: Student) -> Mapping[str, Mark]:
        """Return a student's marks; a partner's are the submitter's where they have no own."""
        return self.marks.of(student) or self.marks.of(submitter) or {}

    def lateness(self, student: Student, submitter: Student, *, late_flag: bool) -> Lateness:
        """Count a student's days late: the submitter's hour, and the student's own extension."""
        extension = self.extensions.of(student)
        return late(
            self.due,
            self.times.of(submitter),
            policy=self.policy,
            extension_until=extension.until if extension else None,
            late_flag=late_flag,
        )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    return path
