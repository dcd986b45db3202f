"""Grade many copies of a small notebook and say what it took: time, memory, cores, handles, disk.

    python bench/many.py --copies 300
    python bench/many.py --copies 100,1000,3000          how it grows
    python bench/many.py --copies 100 --dask tcp://…     on a cluster

Memory is the grader's own (its kernels are other processes), sampled every half second; it is
flat if the last quarter of the night needs no more than the second one. CPU is that of the grader
and all its kernels; on a cluster, of the grader alone. "Again" is the same command once more,
which finds all evidence there and starts no kernel. Prints a Markdown table.
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
from pathlib import Path
from statistics import mean

from bench.cpu import CpuClock

CELLS = (
    "import numpy as np",
    "x = np.linspace(0, 1, 1000)\ntotal = float(x.sum())",
    "print(total)",
)


def write_copies(folder: Path, copies: int) -> None:
    for number in range(copies):
        cells: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "id": f"c{i}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": f"{source}\n# {number}",
            }
            for i, source in enumerate(CELLS)
        ]
        notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
        (folder / f"Student{number}-A2.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


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


def night(copies: int, options: Sequence[str]) -> Night:
    """Grade `copies` notebooks with a new process."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        source.mkdir()
        write_copies(source, copies)
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


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("grader-*"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--copies", default="300", help="how many; several with commas")
    parser.add_argument("--dask", default="", help="a Dask scheduler's address")
    parser.add_argument("--isolation", default="auto")
    given = parser.parse_args()
    options = ["--isolation", given.isolation, *(["--dask", given.dask] if given.dask else [])]
    print(f"{HEAD}\n|{'--:|' * HEAD.count(' | ')}--:|")
    for copies in map(int, given.copies.split(",")):
        print(night(copies, options).row(), flush=True)
    print(f"\n{os.cpu_count()} cores here; load over 15 minutes: {os.getloadavg()[2]:.1f}.")


if __name__ == "__main__":
    main()
