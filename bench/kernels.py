"""From the wish for a kernel to the end of its first cell: stock Jupyter, our fallback, and warm.

    python bench/kernels.py [--rounds 15]

Every kind runs a cell that imports numpy, pandas and pyplot, in turns within one run, so that the
ratios are of like with like. A warm kernel has every isolation layer that works here, and once
more without the layers that can be left out. Prints medians and the quartiles, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from grader.kernels.forked.layers import OPTIONAL
from grader.kernels.kernel import Kernel
from grader.kernels.server import ForkServer
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels
from grader.model import Limits

CELL = "import numpy as np, pandas as pd, matplotlib.pyplot as plt"
MILLISECONDS = 1000.0
Seconds = tuple[float, float]  # to the end of the first cell, to the end of the kernel


async def nbclient_alone(folder: Path) -> Seconds:
    """One notebook of one cell, as `jupyter execute` runs it."""
    cell = nbformat.v4.new_code_cell(CELL)  # type: ignore[no-untyped-call]  # nbformat's
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]  # nbformat's
    client = NotebookClient(notebook, resources={"metadata": {"path": str(folder)}})
    begun = time.perf_counter()
    async with client.async_setup_kernel():
        await client.async_execute_cell(cell, 0)
        first = time.perf_counter()
    return first - begun, time.perf_counter() - begun


def ours(kernels: StockKernels | WarmKernels) -> Callable[[Path], Awaitable[Seconds]]:
    """One kernel and one cell, as the grader runs it; without its prelude."""

    async def run(folder: Path) -> Seconds:
        begun = time.perf_counter()
        async with kernels.start(folder, Limits()) as kernel:
            await _cell(kernel)
            first = time.perf_counter()
        return first - begun, time.perf_counter() - begun

    return run


async def _cell(kernel: Kernel) -> None:
    request = kernel.client.execute(CELL)
    while True:
        reply = await kernel.client.get_shell_msg()
        if reply["parent_header"].get("msg_id") == request:
            if reply["content"]["status"] != "ok":
                raise RuntimeError("The cell failed.")
            return


async def measure(
    kinds: dict[str, Callable[[Path], Awaitable[Seconds]]], rounds: int
) -> dict[str, list[Seconds]]:
    """Run every kind once a round; the first round is not counted."""
    taken: dict[str, list[Seconds]] = {name: [] for name in kinds}
    for number in range(rounds + 1):
        for name, run in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds = await run(Path(folder))
            if number:
                taken[name].append(seconds)
    return taken


def lines(taken: dict[str, list[Seconds]]) -> list[str]:
    """Return a Markdown table; ratios are to the first row."""
    rows = [
        "| | first cell done, ms | quartiles | kernel gone, ms | faster |",
        "|---|--:|--:|--:|--:|",
    ]
    base = statistics.median(first for first, _ in next(iter(taken.values())))
    for name, seconds in taken.items():
        firsts = [first * MILLISECONDS for first, _ in seconds]
        gone = statistics.median(end for _, end in seconds) * MILLISECONDS
        low, median, high = statistics.quantiles(firsts, n=4)
        ratio = base * MILLISECONDS / median
        rows.append(
            f"| {name} | {median:.0f} | {low:.0f} to {high:.0f} | {gone:.0f} | {ratio:.1f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    logging.disable(logging.WARNING)
    full, bare = ForkServer(), ForkServer(refused=OPTIONAL)
    try:
        begun = time.perf_counter()
        report = full.start()
        took = time.perf_counter() - begun
        bare.start()
        kinds = {
            "stock nbclient and ipykernel": nbclient_alone,
            "grader, stock kernels (`--isolation off`)": ours(StockKernels()),
            "grader, warm kernels, every layer": ours(WarmKernels(full)),
            "the same without the optional layers": ours(WarmKernels(bare)),
        }
        print("\n".join(lines(asyncio.run(measure(kinds, rounds)))))
        print(f"\n{rounds} rounds. The fork server starts once a run, in {took:.2f} s.")
        print(f"Layers: {', '.join(report.layers)}.")
        print(f"Optional: {', '.join(OPTIONAL)}.")
    finally:
        full.close()
        bare.close()


if __name__ == "__main__":
    main()
