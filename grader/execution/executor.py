"""Turn a submission into evidence: run its notebook, then ask its code every probe.

What the student's code does, up to killing its kernel, becomes evidence; only a kernel that
cannot be had at all is an error, and ours.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from grader.errors import SubmissionError
from grader.execution import notebook as nb
from grader.execution.asking import ask
from grader.execution.cells import CellsRun, run_cells
from grader.execution.exchange import Ended, define, prepare
from grader.execution.workplace import Workplace
from grader.kernels.kernel import Kernel
from grader.model import (
    Evidence,
    Limits,
    ProbeCall,
    ProbedIn,
    ProbeKey,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Submission,
)

MAX_DEATHS = 5  # probes that may end a fresh kernel each, before the rest are given up
MAX_FRESH = 2 * MAX_DEATHS + 4
BLAME = {Ended.DIED: ReplyKind.DIED, Ended.STUCK: ReplyKind.TIMEOUT}


class Kernels(Protocol):
    """What can start a kernel."""

    def start(self, folder: Path, limits: Limits) -> AbstractAsyncContextManager[Kernel]:
        """Start a kernel that works in `folder`; end it on leaving. May raise KernelError."""


@dataclass(slots=True)
class _Probing:
    """The questions, and the replies so far."""

    waiting: list[ProbeCall]
    replies: dict[ProbeKey, Reply] = field(default_factory=dict)
    where: ProbedIn | None = None
    isolation: tuple[str, ...] = ()  # of the first kernel
    deaths: int = 0
    notes: list[str] = field(default_factory=list)

    def take(self, replies: Mapping[ProbeKey, Reply]) -> None:
        self.replies.update(replies)
        self.waiting = [call for call in self.waiting if call.key not in self.replies]

    def blame(self, kind: ReplyKind, calls: Sequence[ProbeCall]) -> None:
        self.take({call.key: Reply(kind) for call in calls})


@dataclass(frozen=True, slots=True)
class NotebookExecutor:
    """Runs notebooks, any number of them at a time in one event loop.

    Args:
        definitions_only: whether to run no cells, and to ask what the notebook defines; a quick
            look, which sees nothing of what the cells do.
    """

    kernels: Kernels
    limits: Limits
    workplace: Workplace
    slots: int = 0  # as many as are asked for
    definitions_only: bool = False

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        """Return what the submission did and answered. Raises KernelError only."""
        begun = time.monotonic()
        try:
            notebook = await asyncio.to_thread(nb.read, submission.path)
        except SubmissionError as error:
            record = RunRecord(outcome=RunOutcome.UNREADABLE, notes=(str(error),))
            return Evidence(run=record, replies={})
        ran, probing = CellsRun(self.limits), _Probing(list(calls))
        if self.definitions_only:
            ran.lost = "No cell was to be run"
        else:
            async with self._kernel(probing) as kernel:
                await run_cells(kernel, notebook, self.limits, ran)
                await self._ask_notebook(kernel, ran, probing)
        await self._ask_definitions(notebook, ran, probing)
        record = RunRecord(
            outcome=ran.outcome,
            probed_in=probing.where,
            cells=tuple(ran.cells),
            seconds=round(time.monotonic() - begun, 3),
            isolation=probing.isolation,
            notes=(*ran.notes, *probing.notes),
        )
        executed = await asyncio.to_thread(nb.written, notebook)
        return Evidence(run=record, replies=probing.replies, executed=executed)

    @asynccontextmanager
    async def _kernel(self, probing: _Probing) -> AsyncIterator[Kernel]:
        """Start a prepared kernel in a fresh folder, for these questions."""
        async with (
            self.workplace.staged() as folder,
            self.kernels.start(folder, self.limits) as kernel,
        ):
            probing.isolation = probing.isolation or kernel.isolation
            await prepare(kernel, self.workplace.offline, self.limits)
            yield kernel

    async def _ask_notebook(self, kernel: Kernel, ran: CellsRun, probing: _Probing) -> None:
        """Ask in the kernel that ran the notebook, if it is of use."""
        if not probing.waiting or ran.lost:
            return
        replies, _ = await ask(kernel, probing.waiting, self.limits)
        probing.take(replies)
        if not replies:
            ran.lost = "The notebook's kernel did not answer the first check"
            return
        probing.where = ProbedIn.NOTEBOOK
        if probing.waiting:
            probing.notes.append(
                "A check ended the notebook's kernel, so the checks after it were run on the "
                "notebook's definitions."
            )

    async def _ask_definitions(
        self, notebook: nb.Notebook, ran: CellsRun, probing: _Probing
    ) -> None:
        """Ask what is left in fresh kernels that hold the notebook's definitions."""
        if probing.waiting and probing.where is None:
            probing.where = ProbedIn.DEFINITIONS
            probing.notes.append(
                f"{ran.lost}, so the code was graded from the notebook's definitions."
            )
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        for _ in range(MAX_FRESH):
            if not probing.waiting or probing.deaths > MAX_DEATHS:
                break
            async with self._kernel(probing) as kernel:
                await self._ask_fresh(kernel, code, probing)
        probing.blame(ReplyKind.DIED, probing.waiting)

    async def _ask_fresh(self, kernel: Kernel, code: Sequence[str], probing: _Probing) -> None:
        """Ask what is left in a fresh kernel, and say whose fault it is if that ends it.

        A reply may be lost when the next probe ends the kernel. So the first is asked alone: only
        a probe that ends a kernel in which nothing else was asked is held to have done so.
        """
        ended = await define(kernel, code, self.limits)
        if ended in BLAME:
            probing.notes.append("The kernel was gone while the definitions were run.")
            probing.blame(BLAME[ended], probing.waiting)
            return
        first = probing.waiting[:1]
        replies, ended = await ask(kernel, first, self.limits)
        probing.take(replies)
        if not replies:
            probing.blame(BLAME.get(ended, ReplyKind.MALFORMED), first)
            probing.deaths += 1
        elif probing.waiting:
            replies, _ = await ask(kernel, probing.waiting, self.limits)
            probing.take(replies)
