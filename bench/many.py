"""Grade many copies of a small notebook and say what it took: time, memory, cores, handles.

    python bench/many.py --copies 300

Memory is the grader's own (its kernels are other processes), sampled every half second; it is
flat if the last quarter of the night needs no more than the second one. Cores are CPU seconds of
the grader and all its kernels, by seconds on the clock.
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
from pathlib import Path
from statistics import mean

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=300)
    copies = parser.parse_args().copies
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "source"), Path(folder, "out")
        source.mkdir()
        write_copies(source, copies)
        before = set(Path(tempfile.gettempdir()).glob("grader-*"))
        begun = time.perf_counter()
        command = [sys.executable, "-m", "grader", "grade", str(source), "--out", str(out)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        memory, handles = watch(process)
        process.wait()
        took = time.perf_counter() - begun
        graded = len(json.loads((out / "results.json").read_text(encoding="utf-8")))
        left = set(Path(tempfile.gettempdir()).glob("grader-*")) - before
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = (used.ru_utime + used.ru_stime) / took
    print(f"graded           {graded} in {took:.0f} s, {took / copies:.2f} s each")
    print(f"cores busy       {cores:.2f} of {os.cpu_count()}")
    print(f"memory, MB       {quarter(memory, 1):.0f} in the second quarter, ", end="")
    print(f"{quarter(memory, 3):.0f} in the last; at most {max(memory):.0f}")
    print(
        f"open descriptors {max(handles[: len(handles) // 2])} at most in the first half, ", end=""
    )
    print(f"{max(handles[len(handles) // 2 :])} in the second")
    print(f"folders left     {len(left)}")


if __name__ == "__main__":
    main()
