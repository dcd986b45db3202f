"""Batches: the rest goes on whatever one does, and a fault of ours costs nobody points."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grader.errors import KernelError, UsageError
from grader.grading.batch import Exam, Judged, Ran, run_all
from grader.model import Evidence, Outcome, ProbeCall, RunOutcome, RunRecord, Student, Submission
from grader.packs import load_pack

PATIENCE = 60.0  # seconds until it is clear that something will never be
COMPLETE = RunRecord(outcome=RunOutcome.COMPLETE)


@pytest.fixture(scope="module")
def exam() -> Exam:
    return Exam.of(load_pack("a2", [Path("rubrics")]), b"a secret of the tests")


@dataclass
class CannedExecutor:
    """Answers as the reference does; notebooks called so fail in the way that they are called."""

    exam: Exam
    at_once: int = 0
    most_at_once: int = 0
    cleaned_up: list[str] = field(default_factory=list)

    slots = 0

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            match submission.file:
                case "no-kernel":
                    raise KernelError("The kernel did not start.")
                case "our-bug":
                    raise ZeroDivisionError("ours")
                case "endless":
                    await asyncio.Event().wait()
            return Evidence(run=COMPLETE, replies=self.exam.expected)
        finally:
            self.at_once -= 1
            self.cleaned_up.append(submission.file)


def submission(file: str) -> Submission:
    return Submission(students=(Student(name=file),), file=file, path=Path(file), sha256="0")


def graded(exam: Exam, files: Sequence[str], jobs: int = 2) -> tuple[dict[str, Judged], int]:
    done: dict[str, Judged] = {}

    def judge(ran: Ran) -> None:
        assert ran.submission.file not in done
        done[ran.submission.file] = exam.judge(ran)

    executor = CannedExecutor(exam)
    tasks = [(submission(file), exam.calls) for file in files]
    asyncio.run(run_all(tasks, executor, jobs=jobs, done=judge))
    return done, executor.most_at_once


def test_every_submission_is_judged_once_and_as_many_at_a_time_as_asked(exam: Exam) -> None:
    files = [f"s{i}" for i in range(7)]
    done, most = graded(exam, files, jobs=3)
    assert sorted(files) == sorted(done)
    assert 3 == most


def test_where_slots_are_added_more_are_under_way_while_the_first_still_runs() -> None:
    """As on a cluster whose workers come one by one. None ends before there are three."""

    class Growing:
        slots = 1
        under_way = 0

        def __init__(self) -> None:
            self.three = asyncio.Event()

        async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
            self.slots = 3
            self.under_way += 1
            if self.under_way == 3:
                self.three.set()
            await self.three.wait()
            return Evidence(run=COMPLETE, replies={})

    async def grown() -> list[str]:
        done: list[str] = []
        tasks = [(submission(f"s{i}"), ()) for i in range(5)]
        batch = run_all(tasks, Growing(), jobs=1, done=lambda ran: done.append(ran.submission.file))
        await asyncio.wait_for(batch, PATIENCE)
        return sorted(done)

    assert ["s0", "s1", "s2", "s3", "s4"] == asyncio.run(grown())


@pytest.mark.parametrize("fault", ["no-kernel", "our-bug"])
def test_a_fault_of_ours_asks_for_a_person_and_the_others_go_on(exam: Exam, fault: str) -> None:
    done, _ = graded(exam, ["before", fault, "after"])
    assert {"before", fault, "after"} == set(done)
    assert {Outcome.BROKEN} == {result.outcome for result in done[fault].results}
    assert done[fault].fault
    assert {Outcome.PASSED} == {result.outcome for result in done["after"].results}


def test_a_cancelled_batch_cleans_up_what_is_under_way(exam: Exam) -> None:
    executor = CannedExecutor(exam)

    async def stopped() -> None:
        tasks = [(submission("endless"), exam.calls)] * 2
        batch = run_all(tasks, executor, jobs=2, done=lambda _: None)
        task = asyncio.create_task(batch)
        while executor.at_once < 2:  # noqa: ASYNC110  the executor is simple on purpose
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(stopped())
    assert ["endless", "endless"] == executor.cleaned_up


def test_what_cannot_be_written_stops_the_batch_with_its_sentence(exam: Exam) -> None:
    def full(_: Ran) -> None:
        raise UsageError("The disk is full.")

    executor = CannedExecutor(exam)
    tasks = [(submission(file), exam.calls) for file in ("s", "endless")]
    batch = run_all(tasks, executor, jobs=2, done=full)
    with pytest.raises(UsageError, match="disk is full"):
        asyncio.run(batch)
    assert 0 == executor.at_once
