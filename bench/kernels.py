"""What a kernel costs: time from the wish for it to its first cell's end, CPU, memory, and leaks.

    python -m bench.kernels [--rounds 7] [--kernels 500]

All kinds take turns within one run, so that ratios are of like with like. Prints Markdown tables,
with medians and quartiles. CPU is that of the grader, the fork server, the kernel and all that it
begins, for a notebook of seven cells with next to nothing in them, less what the same cells take
in plain Python. Memory is what a kernel adds to the sum of all proportional shares (PSS).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from bench.cpu import CpuClock
from bench.naked import NakedServer
from grader.execution.executor import NotebookExecutor
from grader.execution.workplace import Workplace
from grader.kernels.forked.layers import OPTIONAL
from grader.kernels.kernel import Kernel
from grader.kernels.server import ForkServer
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels
from grader.model import Limits, RunOutcome, Submission

IMPORTS = "import numpy as np, pandas as pd, matplotlib.pyplot as plt"
CELLS = (
    IMPORTS,
    "n = 300",
    "x = np.random.uniform(size=(n, n))",
    "y = x @ x",
    "total = float(y.sum())",
    "print(total > 0)",
    "total > 0",
)
MILLISECONDS = 1000.0
LIVE = 10  # kernels at the same time, to see what another one costs
AT_A_TIME = 3  # notebooks one after the other, whose CPU is counted together

STOCK = "stock nbclient and ipykernel"
OFF = "grader, stock kernels (`--isolation off`)"
WARM = "grader, warm kernels, every layer"
LESS = "the same without the optional layers"
NAKED = "the same without any isolation"
Kind = Callable[[Path], Awaitable[tuple[float, float]]]


# ------------------------------------------------------------------------------- start
async def nbclient_alone(folder: Path) -> tuple[float, float]:
    """One notebook of one cell, as `jupyter execute` runs it.

    Returns:
        Seconds to the end of the first cell, and to the end of the kernel.
    """
    notebook = written([IMPORTS])
    client = NotebookClient(notebook, resources={"metadata": {"path": str(folder)}})
    begun = time.perf_counter()
    async with client.async_setup_kernel():
        await client.async_execute_cell(notebook.cells[0], 0)
        first = time.perf_counter()
    return first - begun, time.perf_counter() - begun


def ours(kernels: StockKernels | WarmKernels) -> Kind:
    """One kernel and one cell, as the grader runs it; without its prelude."""

    async def run(folder: Path) -> tuple[float, float]:
        begun = time.perf_counter()
        async with kernels.start(folder, Limits()) as kernel:
            await run_cell(kernel, IMPORTS)
            first = time.perf_counter()
        return first - begun, time.perf_counter() - begun

    return run


async def run_cell(kernel: Kernel, code: str) -> None:
    request = kernel.client.execute(code)
    while True:
        reply = await kernel.client.get_shell_msg()
        if reply["parent_header"].get("msg_id") == request:
            if reply["content"]["status"] != "ok":
                raise RuntimeError("The cell failed.")
            return


async def start_times(kinds: Mapping[str, Kind], rounds: int) -> dict[str, list[list[float]]]:
    """Return, for each kind, milliseconds to the first cell's and to the kernel's end."""
    taken: dict[str, list[list[float]]] = {name: [[], []] for name in kinds}
    for number in range(rounds + 1):
        for name, run in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                both = await run(Path(folder))
            if number:  # the first round is not counted
                for times, seconds in zip(taken[name], both, strict=True):
                    times.append(seconds * MILLISECONDS)
    return taken


def start_table(taken: Mapping[str, Sequence[Sequence[float]]]) -> list[str]:
    """Return a Markdown table; ratios are to the first row, round by round."""
    base = next(iter(taken.values()))[0]
    rows = [
        "| | first cell done, ms | quartiles | kernel gone, ms | times faster | quartiles |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, (first, gone) in taken.items():
        ratios = [of / it for of, it in zip(base, first, strict=True)]
        rows.append(
            f"| {name} | {statistics.median(first):.0f} | {quartiles(first)} | "
            f"{statistics.median(gone):.0f} | {statistics.median(ratios):.1f} | "
            f"{quartiles(ratios, 1)} |"
        )
    return rows


# ------------------------------------------------------------------------------- CPU
def plain(clock: CpuClock) -> float:
    """Return the CPU seconds of the cells' own computation, with all imported."""
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(None):
        begun = clock.seconds()
        for cell in CELLS:
            exec(compile(cell, "<cell>", "exec"), names)  # noqa: S102  the bench's own text
        return clock.seconds() - begun


async def cpu_times(
    clock: CpuClock, kernels: Mapping[str, StockKernels | WarmKernels], path: Path, rounds: int
) -> dict[str, list[float]]:
    """Return, for each kind, CPU milliseconds beyond the cells' own for the notebook at `path`."""
    taken: dict[str, list[float]] = {name: [] for name in (STOCK, *kernels)}
    own = statistics.median([plain(clock) for _ in range(10)][1:])
    for number in range(rounds + 1):
        for name, spent in taken.items():
            begun = clock.seconds()
            for _ in range(AT_A_TIME):
                await run_notebook(path, kernels.get(name))
            each = (clock.seconds() - begun) / AT_A_TIME
            if number:
                spent.append((each - own) * MILLISECONDS)
    return taken


async def run_notebook(path: Path, kernels: StockKernels | WarmKernels | None) -> None:
    """Run the notebook as the grader does, or, without kernels of its own, as nbclient does."""
    if kernels is None:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat's
        folder = {"metadata": {"path": str(path.parent)}}
        await NotebookClient(notebook, resources=folder).async_execute()
        return
    executor = NotebookExecutor(kernels, Limits(), Workplace())
    sha256 = hashlib.sha256(await asyncio.to_thread(path.read_bytes)).hexdigest()
    submission = Submission(students=(), file=path.name, path=path, sha256=sha256)
    evidence = await executor.run(submission, ())
    if evidence.run.outcome is not RunOutcome.COMPLETE:
        raise RuntimeError("The notebook failed.")


def cpu_table(taken: Mapping[str, Sequence[float]]) -> list[str]:
    rows = [
        "| | CPU beyond the notebook's own, ms | quartiles | least |",
        "|---|--:|--:|--:|",
    ]
    for name, spent in taken.items():
        middle, least = statistics.median(spent), min(spent)
        rows.append(f"| {name} | {middle:.0f} | {quartiles(spent)} | {least:.0f} |")
    return rows


# ------------------------------------------------------------------------------- memory, leaks
def descendants() -> list[int]:
    """Return all processes that this one began, or that those did."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = []
    for process, parent in parents.items():
        at = parent
        while at in parents and at != os.getpid():
            at = parents[at]
        if at == os.getpid():
            found.append(process)
    return found


def shared_out(processes: Sequence[int]) -> float:
    """Return the megabytes that these processes hold, what they share divided among the sharers."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / 1024


async def memory_of_another(kernels: WarmKernels) -> float:
    """Return the megabytes that one more live kernel adds, after the imports and a plot."""
    used = []
    plot = f"{IMPORTS}\nplt.plot([1, 2]); plt.show(); pd.DataFrame({{'a': [1]}}).describe()"
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for _ in range(LIVE):
            kernel = await stack.enter_async_context(kernels.start(folder, Limits()))
            await run_cell(kernel, plot)
            used.append(shared_out(descendants()))
    return (used[-1] - used[0]) / (LIVE - 1)


def left_over() -> dict[str, int]:
    """Count what kernels could leave behind."""
    return {
        "processes": len(descendants()),
        "descriptors": sum(len(list(Path(f"/proc/{p}/fd").iterdir())) for p in everyone()),
        "mounts": sum(lines(Path(f"/proc/{p}/mounts")) for p in everyone()),
        "temporary folders": len(list(Path(tempfile.gettempdir()).glob("grader-*"))),
    }


def everyone() -> list[int]:
    return [os.getpid(), *descendants()]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8", errors="replace").splitlines())


async def in_a_row(kernels: WarmKernels, count: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return what there is after the third of `count` kernels in a row, and after the last."""
    counted: list[dict[str, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            async with kernels.start(Path(folder), Limits()) as kernel:
                await run_cell(kernel, "pass")
            if number in {2, count - 1}:
                counted.append(left_over())
    return counted[0], counted[-1]


# ------------------------------------------------------------------------------- all
def written(cells: Sequence[str]) -> nbformat.NotebookNode:
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]  # nbformat's
    notebook: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=made)  # type: ignore[no-untyped-call]  # nbformat's
    return notebook


def quartiles(values: Sequence[float], places: int = 0) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:.{places}f} to {high:.{places}f}"


@contextmanager
def servers() -> Iterator[tuple[ForkServer, ForkServer, ForkServer]]:
    """Give fork servers with every layer, without the optional ones, and with none."""
    three = ForkServer(), ForkServer(refused=OPTIONAL), NakedServer()
    try:
        for server in three:
            server.start()
        yield three
    finally:
        for server in three:
            server.close()


async def bench(rounds: int, kernels: int) -> None:
    clock = CpuClock()
    with servers() as (full, less, naked):
        warm = {name: WarmKernels(s) for name, s in ((WARM, full), (LESS, less), (NAKED, naked))}
        kinds = {STOCK: nbclient_alone, OFF: ours(StockKernels())}
        taken = await start_times(kinds | {k: ours(v) for k, v in warm.items()}, rounds)
        print(*start_table(taken), sep="\n")
        layers = [a / b for a, b in zip(taken[WARM][0], taken[NAKED][0], strict=True)]
        print(f"\nThe layers together make a start {statistics.median(layers):.2f} times as long ")
        print(f"(quartiles {quartiles(layers, 2)}).\n")
        three: dict[str, StockKernels | WarmKernels]
        three = {OFF: StockKernels(), WARM: warm[WARM], NAKED: warm[NAKED]}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "seven.ipynb")
            nbformat.write(written(CELLS), path)  # type: ignore[no-untyped-call]  # nbformat's
            spent = await cpu_times(clock, three, path, max(2, rounds // 2))
        print(*cpu_table(spent), sep="\n")
    with contextlib.closing(ForkServer()) as server:
        another = await memory_of_another(WarmKernels(server))
        print(f"\nAnother live kernel adds {another:.1f} MB (PSS; the mean of {LIVE - 1}).")
        before, after = await in_a_row(WarmKernels(server), kernels)
        print(f"\nAfter 3 and after {kernels} kernels in a row:", end=" ")
        print(*(f"{what} {count} and {after[what]}" for what, count in before.items()), sep=", ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--kernels", type=int, default=500, help="in a row, to see what is left")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    begun = time.perf_counter()
    asyncio.run(bench(options.rounds, options.kernels))
    print(f"\n{options.rounds} rounds in {time.perf_counter() - begun:.0f} s.", file=sys.stderr)


if __name__ == "__main__":
    main()
