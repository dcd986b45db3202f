"""One notebook against the public checks: what a student sees before handing in."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.errors import KernelError, SubmissionError, UsageError
from grader.exhibits import Exhibit
from grader.grading.batch import Exam, Executor, run
from grader.intake import take_in
from grader.model import Grade, Late, ProbeCall
from grader.packs import Pack
from grader.scoring import score

UNDECIDED = Late(note="Days late are counted when the work is graded.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A grade, the notebook as it ran, what shows its lost checks, and what it was asked."""

    grade: Grade
    executed: str
    exhibits: Mapping[str, Exhibit]
    calls: tuple[ProbeCall, ...] = ()


def check_notebook(
    notebook: Path, pack: Pack, executor: Executor, *, secret: bytes | None = None
) -> Checked:
    """Run one notebook as the grading will and judge it by the public checks.

    Args:
        secret: the course's, where the hidden questions should be asked as well.

    Raises:
        SubmissionError: the file is no notebook that can be graded.
        UsageError: it is more than one.
        KernelError: no kernel could be had, so nothing is known.
    """
    exam = Exam.of(pack, secret)
    with tempfile.TemporaryDirectory(prefix="grader-check-") as staging:
        intake = take_in([notebook], Path(staging))
        if not intake.entries:
            raise SubmissionError(intake.problems[0].sentence)
        if len(intake.entries) > 1:
            raise UsageError(f"{notebook} holds several notebooks: `grader grade` takes those.")
        submission = intake.entries[0].submission
        judged = exam.judge(asyncio.run(run(submission, exam.calls, executor)))
    if judged.fault:
        raise KernelError(judged.fault)
    grade = Grade(
        student=submission.students[0],
        file=submission.file,
        sha256=submission.sha256,
        run=judged.evidence.run,
        score=score(pack.rubric, judged.results, marks={}, late=UNDECIDED),
    )
    return Checked(
        grade=grade,
        executed=judged.evidence.executed,
        exhibits=exam.exhibition.of(judged.results, judged.evidence.replies),
        calls=exam.calls,
    )
