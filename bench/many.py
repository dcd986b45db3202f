"""Grade many copies of a notebook and say what it took: time, memory, cores, handles, disk.

    python -m bench.many --copies 300
    python -m bench.many --copies 100,1000,3000          how it grows
    python -m bench.many --copies 10,30 --notebook submissions/notebooks/right-with-swish.ipynb
    python -m bench.many --copies 100 --dask tcp://…     on a cluster

Without --notebook it is one of three small cells. Every one is asked all questions of A2.
Memory is the grader's own (its kernels are other processes), sampled every half second; it is
flat if the last quarter of the night needs no more than the second one. CPU is that of the grader
and all its kernels; on a cluster, of the grader alone. "Again" is the same command once more,
which finds all evidence there and starts no kernel. Prints a Markdown table, and, for several
numbers of copies, what each further notebook cost: that leaves out what is there once a night.
Cost is linear where these are the same from row to row.
The copies differ in a comment, so that no two are the same notebook.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean
from typing import Any

from bench.cpu import CpuClock

CELLS = (
    "import numpy as np",
    "x = np.linspace(0, 1, 1000)\ntotal = float(x.sum())",
    "print(total)",
)


def small_notebook() -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for i, source in enumerate(CELLS)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def write_copies(folder: Path, copies: int, notebook: dict[str, Any]) -> None:
    for number in range(copies):
        cells = [{**cell, "source": numbered(cell, number)} for cell in notebook["cells"]]
        text = json.dumps({**notebook, "cells": cells})
        (folder / f"Student{number}-A2.ipynb").write_text(text, encoding="utf-8")


def numbered(cell: dict[str, Any], number: int) -> str:
    """Return a cell's source, with a comment at its end if it is code."""
    source = "".join(cell["source"])
    return f"{source}\n# {number}" if cell["cell_type"] == "code" else source


def watch(process: subprocess.Popen[bytes]) -> tuple[list[float], list[int]]:
    """Resident megabytes and open descriptors of the grader, until it ends."""
    memory, handles = [], []
    proc = Path(f"/proc/{process.pid}")
    while process.poll() is None:
        try:
            pages = int((proc / "statm").read_text().split()[1])
            handles.append(sum(1 for _ in (proc / "fd").iterdir()))
        except (OSError, IndexError):
            break
        memory.append(pages * resource.getpagesize() / 2**20)
        time.sleep(0.5)
    return memory, handles


def quarter(samples: list[float], which: int) -> float:
    size = max(1, len(samples) // 4)
    return mean(samples[which * size : (which + 1) * size])


@dataclass(frozen=True)
class Night:
    """What one run took. Memory and handles are samples; disk is all that lies in OUT."""

    copies: int
    graded: int
    seconds: float
    cpu: float
    memory: list[float]
    handles: list[int]
    disk: int
    left: int
    again: float

    def row(self) -> str:
        half = len(self.handles) // 2
        cells = (
            f"{self.graded} of {self.copies}",
            f"{self.seconds:.0f}",
            f"{self.seconds / self.copies:.3f}",
            f"{self.cpu / self.copies:.3f}",
            f"{quarter(self.memory, 1):.0f}",
            f"{quarter(self.memory, 3):.0f}",
            f"{max(self.memory):.0f}",
            f"{max(self.handles[:half], default=0)}, {max(self.handles[half:])}",
            f"{self.disk / self.copies / 1024:.0f}",
            str(self.left),
            f"{self.again:.1f}",
        )
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| graded | s | s each | CPU s each | MB, 2nd quarter | MB, last quarter | MB at most "
    "| descriptors, halves | KB each in OUT | folders left | again, s |"
)


def night(copies: int, notebook: dict[str, Any], options: Sequence[str]) -> Night:
    """Grade `copies` of a notebook with a new process."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        source.mkdir()
        write_copies(source, copies, notebook)
        before, clock = leftovers(), CpuClock()
        begun = time.perf_counter()
        command = [sys.executable, "-m", "grader", "grade", str(source), "--out", str(out)]
        process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        memory, handles = watch(process)
        process.wait()
        took = time.perf_counter() - begun
        cpu, begun = clock.seconds(), time.perf_counter()
        subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False)
        again = time.perf_counter() - begun
        return Night(
            copies=copies,
            graded=len(json.loads((out / "results.json").read_text(encoding="utf-8"))),
            seconds=took,
            cpu=cpu,
            memory=memory,
            handles=handles,
            disk=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
            left=len(leftovers() - before),
            again=again,
        )


def further(before: Night, after: Night) -> str:
    """Return what each notebook cost by which the later night was longer."""
    more = after.copies - before.copies
    seconds = (after.seconds - before.seconds) / more
    cpu = (after.cpu - before.cpu) / more
    disk = (after.disk - before.disk) / more / 1024
    return (
        f"From {before.copies} to {after.copies}, each further one: {seconds:.3f} s, "
        f"{cpu:.3f} s of CPU, {disk:.0f} KB."
    )


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("grader-*"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--copies", default="300", help="how many; several with commas")
    parser.add_argument("--notebook", type=Path, help="which one, for one of three small cells")
    parser.add_argument("--dask", default="", help="a Dask scheduler's address")
    parser.add_argument("--isolation", default="auto")
    given = parser.parse_args()
    options = ["--isolation", given.isolation, *(["--dask", given.dask] if given.dask else [])]
    notebook = json.loads(given.notebook.read_text("utf-8")) if given.notebook else small_notebook()
    print(f"{HEAD}\n|{'--:|' * HEAD.count(' | ')}--:|")
    nights: list[Night] = []
    for copies in map(int, given.copies.split(",")):
        nights.append(night(copies, notebook, options))
        print(nights[-1].row(), flush=True)
    print("", *[further(*two) for two in pairwise(nights)], sep="\n")
    print(f"\n{os.cpu_count()} cores here; load over 15 minutes: {os.getloadavg()[2]:.1f}.")


if __name__ == "__main__":
    main()
