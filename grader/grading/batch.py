"""Put submissions through executor and judge, several at a time.

Knows nothing of files, people's tables or reports: it hands each judged submission on as soon as
it is done, so that no more than a few notebooks are in memory at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from grader.errors import ClusterError, KernelError
from grader.judging import judge
from grader.model import (
    CheckResult,
    Evidence,
    ProbeCall,
    ProbeKey,
    Reply,
    RunOutcome,
    RunRecord,
    Submission,
)
from grader.packs import Pack


class Executor(Protocol):
    """Runs untrusted notebooks. Declared here, by the caller that needs it."""

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        """Return evidence even if the student's code fails; KernelError if ours does.

        Raises ClusterError if ours has failed for good, and nothing more can be run.
        """
        ...


OUR_FAULT = "This could not be run for a reason that is not yours. Staff will look at it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One submission, run and judged. `fault` says what of ours went wrong, if anything did."""

    submission: Submission
    evidence: Evidence
    results: tuple[CheckResult, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """The questions of one grading and the reference's answers, worked out once.

    The last of the questions may be a survey, which has no right answer.
    """

    pack: Pack
    calls: tuple[ProbeCall, ...]
    expected: dict[ProbeKey, Reply]

    @classmethod
    def of(cls, pack: Pack, secret: bytes | None) -> Exam:
        """Prepare the questions; without a secret, the public ones only."""
        calls = pack.questions(secret)
        return cls(pack, (*calls, *pack.survey()), pack.expected(calls))

    def judge(self, submission: Submission, evidence: Evidence, fault: str = "") -> Judged:
        """Judge evidence, whenever it was gathered."""
        results = judge(self.pack.rubric, self.pack.checks, evidence.replies, self.expected)
        return Judged(submission=submission, evidence=evidence, results=results, fault=fault)

    async def sit(self, submission: Submission, executor: Executor) -> Judged:
        """Run one submission and judge it. What fails on our side costs the student nothing.

        Raises ClusterError where no submission can be run any more.
        """
        try:
            evidence = await executor.run(submission, self.calls)
        except ClusterError:
            raise  # what is wrong is not this submission: none can be run
        except KernelError as error:
            return self.judge(submission, unseen(OUR_FAULT), fault=str(error))
        except Exception as error:  # noqa: BLE001  a fault of ours must not end the batch
            fault = f"The grader failed on this notebook ({type(error).__name__}: {error})."
            return self.judge(submission, unseen(OUR_FAULT), fault=fault)
        unreadable = evidence.run.outcome is RunOutcome.UNREADABLE
        fault = f"{submission.file}: {' '.join(evidence.run.notes)}" if unreadable else ""
        return self.judge(submission, evidence, fault)


def unseen(why: str) -> Evidence:
    """Return the evidence of a submission that could not be looked at; the student reads `why`."""
    return Evidence(run=RunRecord(outcome=RunOutcome.UNREADABLE, notes=(why,)), replies={})


async def grade_all(
    submissions: Iterable[Submission],
    exam: Exam,
    executor: Executor,
    *,
    jobs: int,
    done: Callable[[Judged], None],
) -> None:
    """Put every submission through, `jobs` at a time; `done` gets each as soon as it is judged.

    Cancelled, it cancels what is under way and waits until that is cleaned up.
    """
    waiting: Iterator[Submission] = iter(submissions)

    async def work() -> None:
        for submission in waiting:  # one iterator for all workers: each takes the next
            done(await exam.sit(submission, executor))

    workers = [asyncio.create_task(work()) for _ in range(jobs)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
