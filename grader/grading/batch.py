"""Put submissions through the executor, several at a time; and judge one.

Knows nothing of files, people's tables or reports: it hands each submission on as soon as it was
run, so that no more than a few notebooks are in memory at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from grader.diagnosis import items_to_diagnose, look_over, named, told
from grader.errors import ClusterError, KernelError
from grader.exhibits import Exhibition
from grader.grading.cache import AnswerCache
from grader.grading.keys import reference
from grader.grading.known import KnownMistakes
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

    @property
    def slots(self) -> int:
        """How many notebooks to have under way at a time; 0: as many as were asked for.

        It may change while notebooks run.
        """
        ...

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        """Return evidence even if the student's code fails; KernelError if ours does.

        Raises ClusterError if ours has failed for good, and nothing more can be run.
        """
        ...


LOOK_SECONDS = 1.0  # between two looks whether there are more slots
OUR_FAULT = "This could not be run for a reason that is not yours. Staff will look at it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One submission that was run. Without evidence, `fault` says what of ours went wrong."""

    submission: Submission
    evidence: Evidence | None
    fault: str = ""


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
    expected: Mapping[ProbeKey, Reply]
    known: KnownMistakes

    @classmethod
    def of(cls, pack: Pack, secret: bytes | None, cache: AnswerCache | None = None) -> Exam:
        """Prepare the questions; without a secret, the public ones only.

        Args:
            cache: where the answers to public questions may be from; hidden ones are never there.
        """
        calls = pack.questions(secret)
        if secret is not None or cache is None:
            cache = AnswerCache()
        kept = f"{pack.slug}-reference-{reference(pack, calls)[:32]}"
        expected = cache.answers(kept, lambda: pack.expected(calls))
        known = KnownMistakes(pack, calls, cache=cache)
        return cls(pack, (*calls, *pack.survey()), expected, known)

    def judge(self, ran: Ran) -> Judged:
        """Judge what was observed. What failed on our side costs the student nothing."""
        evidence = ran.evidence or unseen(OUR_FAULT)
        results = self.results(evidence.replies)
        fault = ran.fault or unread(ran.submission, evidence.run)
        return Judged(submission=ran.submission, evidence=evidence, results=results, fault=fault)

    def results(self, replies: Mapping[ProbeKey, Reply]) -> tuple[CheckResult, ...]:
        """Judge replies, and name the mistakes in them."""
        judged = judge(self.pack.rubric, self.pack.checks, replies, self.expected)
        items = items_to_diagnose(self.pack.rubric, judged)
        return told(judged, self.names(judged, replies, items), self.pack.mistakes)

    def names(
        self,
        judged: Sequence[CheckResult],
        replies: Mapping[ProbeKey, Reply],
        items: Collection[str],
    ) -> dict[str, list[str]]:
        """Return check id -> the mistakes that it may have been lost to, for checks of `items`."""
        return named(
            self.pack.rubric,
            self.pack.checks,
            self.pack.mistakes,
            judged,
            replies=replies,
            expected=self.expected,
            known=self.known.of(items),
            looks=self.known.looks,
            items=items,
        )

    def look_over_mistakes(self) -> None:
        """Judge the known mistakes' answers once, before a class is compared with them."""
        look_over(
            self.pack.rubric,
            self.pack.checks,
            self.pack.mistakes,
            expected=self.expected,
            known=self.known.found,
            looks=self.known.looks,
        )

    @property
    def exhibition(self) -> Exhibition:
        """What there is to show of lost checks is made from this."""
        return Exhibition(
            rubric=self.pack.rubric,
            checks=self.pack.checks,
            painters=self.pack.painters,
            snippets=self.pack.snippets,
            expected=self.expected,
        )


async def run(submission: Submission, calls: Sequence[ProbeCall], executor: Executor) -> Ran:
    """Run one submission and put questions to it.

    Raises ClusterError where no submission can be run any more.
    """
    try:
        evidence = await executor.run(submission, calls)
    except ClusterError:
        raise  # what is wrong is not this submission: none can be run
    except KernelError as error:
        return Ran(submission=submission, evidence=None, fault=str(error))
    except Exception as error:  # noqa: BLE001  a fault of ours must not end the batch
        fault = f"The grader failed on this notebook ({type(error).__name__}: {error})."
        return Ran(submission=submission, evidence=None, fault=fault)
    return Ran(submission=submission, evidence=evidence)


def unread(submission: Submission, run: RunRecord) -> str:
    """Return what a person must know of a notebook that could not be read; empty: it could."""
    unreadable = run.outcome is RunOutcome.UNREADABLE
    return f"{submission.file}: {' '.join(run.notes)}" if unreadable else ""


def unseen(why: str) -> Evidence:
    """Return the evidence of a submission that could not be looked at; the student reads `why`."""
    return Evidence(run=RunRecord(outcome=RunOutcome.UNREADABLE, notes=(why,)), replies={})


async def run_all(
    tasks: Iterable[tuple[Submission, Sequence[ProbeCall]]],
    executor: Executor,
    *,
    jobs: int,
    done: Callable[[Ran], None],
) -> None:
    """Run every submission and put its questions; `done` gets each, one by one.

    As many at a time as the executor has slots, else `jobs`. Where slots are added, more are begun;
    where some go, what is under way stays so.

    `done` is called in a thread, and may wait for a disk: the next notebooks run meanwhile, but no
    worker is more than one ahead. Cancelled, this cancels what is under way, and waits until that
    is cleaned up and what was done is taken.
    """
    waiting: Iterator[tuple[Submission, Sequence[ProbeCall]]] = iter(tasks)
    taken: dict[int, asyncio.Future[None]] = {}  # worker -> its last result, being taken

    async def work(worker: int) -> None:
        for submission, calls in waiting:  # one iterator for all workers: each takes the next
            ran = await run(submission, calls, executor)
            if worker in taken:
                await asyncio.shield(taken[worker])
            taken[worker] = asyncio.get_running_loop().run_in_executor(taker, done, ran)
        if worker in taken:
            await asyncio.shield(taken[worker])

    with ThreadPoolExecutor(1, "taker") as taker:
        workers: list[asyncio.Task[None]] = []
        try:
            ended = False  # one worker has, so there is nothing left to begin
            while not ended or not all(worker.done() for worker in workers):
                more = range(len(workers), 0 if ended else executor.slots or jobs)
                workers += [asyncio.create_task(work(number)) for number in more]
                at_work = [worker for worker in workers if not worker.done()]
                finished, _ = await asyncio.wait(
                    at_work, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for worker in finished:
                    worker.result()  # raises what it raised
                ended = ended or bool(finished)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, *taken.values(), return_exceptions=True)
