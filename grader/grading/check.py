"""One notebook against the public checks: what a student sees before handing in."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from grader.errors import KernelError, SubmissionError, UsageError
from grader.exhibits import Exhibit
from grader.facts import Fact
from grader.grading.batch import Exam, Executor, run
from grader.grading.cache import AnswerCache
from grader.grading.deadline import late_as_told, late_at
from grader.grading.marking import gather_facts
from grader.grading.setting import Setting
from grader.intake import take_in
from grader.kernels.isolation import Isolation, launched
from grader.kernels.server import ForkServer
from grader.model import Evidence, Grade, Limits, ProbeCall, Submission
from grader.packs import Pack
from grader.scoring import score


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A grade, the notebook as it ran, what shows its lost checks, and what it was asked.

    `facts` are what the pack finds in it for whoever marks by hand; none if it did not run.
    """

    grade: Grade
    executed: str
    exhibits: Mapping[str, Exhibit]
    calls: tuple[ProbeCall, ...] = ()
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """Checks notebooks of one assignment; what it asks and what runs them is there already.

    `ran` says whether notebooks are run, and not only looked at for definitions; `due` is the due
    time as on the command line, `metadata` Gradescope's file of when it was handed in and due.
    """

    exam: Exam
    executor: Executor
    ran: bool = True
    due: str = ""
    metadata: Path | None = None

    def check(self, notebook: Path) -> Checked:
        """Judge one notebook.

        Raises:
            SubmissionError: the file is no notebook that can be graded.
            UsageError: it is more than one; the due time is none, or cannot be read.
            KernelError: no kernel could be had, so nothing is known.
        """
        rubric = self.exam.pack.rubric
        if self.metadata:
            late = late_as_told(self.metadata, rubric)
        else:
            late = late_at(datetime.now(UTC), self.due, rubric)
        with tempfile.TemporaryDirectory(prefix="grader-check-") as staging:
            submission = _taken(notebook, Path(staging))
            ran = asyncio.run(run(submission, self.exam.calls, self.executor))
            judged = self.exam.judge(ran)
            facts = self._facts(submission, judged.evidence)
        if judged.fault:
            raise KernelError(judged.fault)
        grade = Grade(
            student=submission.students[0],
            file=submission.file,
            sha256=submission.sha256,
            run=judged.evidence.run,
            score=score(rubric, judged.results, marks={}, late=late),
        )
        return Checked(
            grade=grade,
            executed=judged.evidence.executed,
            exhibits=self.exam.exhibition.of(judged.results, judged.evidence.replies),
            calls=self.exam.calls,
            facts=facts,
        )

    def _facts(self, submission: Submission, evidence: Evidence) -> tuple[Fact, ...]:
        if not self.ran:  # its outputs are of some other run, and it was not asked for its data
            return ()
        return gather_facts(self.exam.pack, submission.path, evidence.replies, evidence.executed)


@contextmanager
def checker(
    pack: Pack,
    limits: Limits,
    isolation: Isolation,
    warn: Callable[[str], None],
    *,
    secret: bytes | None = None,
    quick: bool = False,
    due: str = "",
    metadata: Path | None = None,
    server: ForkServer | None = None,
) -> Iterator[Checker]:
    """Prepare to check notebooks as the grading will run them.

    Args:
        warn: told in a sentence if kernels are less isolated than they could be.
        secret: the course's, where the hidden questions should be asked as well.
        quick: whether to run definitions only.
        due: the due time as on the command line; empty: it is not known.
        metadata: Gradescope's file of when it was handed in and due, in place of `due` and now.
        server: what `launched` gave, where that was before the assignment was known.

    Raises:
        UsageError, PackError: it is asked for wrongly.
    """
    setting = Setting.of(pack, limits, isolation)
    with nullcontext(server) if server else launched(isolation) as starting:
        if starting:
            setting.prepare(starting)
        # The reference answers while the fork server starts.
        exam = Exam.of(pack, secret, AnswerCache.of_this_user(os.environ))
        with setting.executor(warn, starting) as executor:
            asking = replace(executor, definitions_only=quick)
            yield Checker(exam=exam, executor=asking, ran=not quick, due=due, metadata=metadata)


def _taken(notebook: Path, staging: Path) -> Submission:
    """Return the one notebook that is in a file."""
    intake = take_in([notebook], staging)
    if not intake.entries:
        raise SubmissionError(intake.problems[0].sentence)
    if len(intake.entries) > 1:
        raise UsageError(f"{notebook} holds several notebooks: `grader grade` takes those.")
    return intake.entries[0].submission
