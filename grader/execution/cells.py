"""Run the cells of a notebook from top to bottom, going on after what fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from grader.execution.exchange import Ended, define
from grader.execution.guarded import GuardedClient, megabytes
from grader.execution.notebook import Notebook
from grader.kernels.forked.limits import PROCESSES, STORAGE_BYTES, STORED_FILES
from grader.kernels.kernel import Kernel
from grader.model import CellOutcome, CellRun, Limits, RunOutcome

STOPPED = frozenset({CellOutcome.TIMEOUT, CellOutcome.FLOODED})
EXCESS = {  # what a kernel was ended for, as the rest of a sentence
    "memory": "{memory} of memory",
    "storage": f"{STORAGE_BYTES >> 20} MB or {STORED_FILES:,} files of storage",
    "processes": f"{PROCESSES} processes",
}


@dataclass(slots=True)
class CellsRun:
    """How the cells went, as far as they have.

    `lost` says why the kernel is of no more use, as the beginning of a sentence; empty: it is.
    """

    limits: Limits
    cells: list[CellRun] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lost: str = ""
    died: bool = False
    last_cell: str = ""
    out_of_time: bool = False

    @property
    def outcome(self) -> RunOutcome:
        """The worst that happened."""
        seen = {cell.outcome for cell in self.cells}
        if self.died:
            return RunOutcome.DIED
        if CellOutcome.TIMEOUT in seen or self.out_of_time:
            return RunOutcome.TIMEOUT
        return RunOutcome.COMPLETE if seen <= {CellOutcome.OK} else RunOutcome.ERRORS

    def gone_after(self, number: int) -> None:
        """Take in that the kernel ended by itself, in or after the cell of this number."""
        self.died = True
        self.last_cell = f" in cell {number}"
        self.lost = f"The kernel was gone after cell {number}"

    def add(self, cell: CellRun, *, idle: bool, seconds: float) -> None:
        """Take in one cell that ran for at most `seconds`."""
        number = cell.index + 1
        self.cells.append(cell)
        if cell.outcome is CellOutcome.DIED:
            self.gone_after(number)
        elif cell.outcome in STOPPED and not idle:
            self.lost = f"Cell {number} could not be stopped"
        if cell.outcome is CellOutcome.TIMEOUT:
            self.notes.append(f"Cell {number} was stopped after {round(seconds, 1):g} s.")
        elif cell.outcome is CellOutcome.FLOODED:
            limit = megabytes(self.limits.output_bytes)
            self.notes.append(f"Cell {number} was stopped: it wrote more than {limit} of output.")


async def run_cells(kernel: Kernel, notebook: Notebook, limits: Limits, record: CellsRun) -> None:
    """Run all code cells, writing outputs into `notebook` and how it went into `record`.

    Of a cell that was stopped, or not begun because the time was over, the definitions are run
    all the same, so that slow experiments cost nobody the code that stands behind them.
    """
    await _run_cells(kernel, notebook, limits, record)
    if record.died and kernel.why_ended in EXCESS:
        size = f"{round(limits.memory_bytes / (1 << 30), 1):g} GB"
        used = EXCESS[kernel.why_ended].format(memory=size)
        record.lost = f"The notebook used more than {used}{record.last_cell}"


async def _run_cells(kernel: Kernel, notebook: Notebook, limits: Limits, record: CellsRun) -> None:
    client = GuardedClient(notebook, kernel, limits)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.notebook_seconds
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        left = deadline - loop.time()
        if not record.lost and not await kernel.alive():
            record.gone_after(index)
        if record.lost or left <= 0:
            _skip(record, index)
            if not record.lost:
                await _define(kernel, cell.source, limits, record)
            continue
        seconds = min(left, limits.cell_seconds)
        was_silent = client.silent
        ran, idle = await client.run_cell(index, seconds)
        record.add(ran, idle=idle, seconds=seconds)
        if kernel.client.spent.is_set():
            record.lost = f"The notebook sent more than the grader can take in, by cell {index + 1}"
        if client.silent and not was_silent and not record.lost:
            record.notes.append(f"Cell {index + 1} closed the way of all output.")
        if ran.outcome in STOPPED and idle:
            await _define(kernel, cell.source, limits, record)
    if not record.lost and not await kernel.alive():
        record.gone_after(len(notebook.cells))


def _skip(record: CellsRun, index: int) -> None:
    if not record.lost and not record.out_of_time:
        record.out_of_time = True
        record.notes.append(
            f"The notebook was stopped after {record.limits.notebook_seconds:g} s: "
            f"from cell {index + 1} on, only the definitions were run."
        )
    record.cells.append(CellRun(index=index, outcome=CellOutcome.NOT_RUN))


async def _define(kernel: Kernel, source: str, limits: Limits, record: CellsRun) -> None:
    ended = await define(kernel, [source], limits)
    if ended in (Ended.DIED, Ended.STUCK):
        record.lost = "The kernel was gone after a cell that had been stopped"
