"""What is here, what is missing, and what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from grader.errors import GraderError
from grader.grading.batch import Exam
from grader.kernels.isolation import Layer, layers
from grader.kernels.server import ForkServer
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels
from grader.model import Limits
from grader.packs import find_packs, load_pack

PACKAGES = ("nbclient", "jupyter-client", "ipykernel", "ipython", "numpy", "pandas", "matplotlib")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do where it is not well."""

    what: str
    well: bool
    seen: str
    mend: str = ""


def examine(pack_folders: Sequence[Path]) -> Iterator[Finding]:
    """Look at everything that a grading needs, one finding after the other."""
    yield Finding("Python", True, f"{platform.python_version()} at {sys.executable}")
    yield from map(_package, PACKAGES)
    yield _forking()
    yield _memory_limit()
    yield from _packs(pack_folders)
    yield from _kernels()


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"Install it: pip install {name}")


def _forking() -> Finding:
    if hasattr(os, "fork"):
        return Finding("a process for each check", True, "yes (fork)")
    return Finding(
        "a process for each check",
        False,
        f"{platform.system()} cannot fork",
        "Grade on Linux or macOS, or in the Linux subsystem of Windows.",
    )


def _memory_limit() -> Finding:
    if sys.platform == "linux":
        return Finding("memory limit of a notebook", True, "yes (RLIMIT_DATA)")
    return Finding(
        "memory limit of a notebook",
        False,
        f"{platform.system()} has none",
        "Check your own notebook here; grade other people's on Linux.",
    )


def _packs(folders: Sequence[Path]) -> Iterator[Finding]:
    for slug, folder in find_packs(folders).items():
        try:
            exam = Exam.of(load_pack(slug, folders), secret=None)
        except GraderError as error:
            yield Finding(f"assignment {slug}", False, str(error), f"Mend the pack at {folder}.")
        else:
            yield Finding(f"assignment {slug}", True, f"{len(exam.calls)} questions, at {folder}")


def _kernels() -> Iterator[Finding]:
    """Start one kernel, by the fork server where that runs, and look at each of its layers."""
    with contextlib.ExitStack() as stack:
        server = ForkServer()
        stack.callback(server.close)
        found = layers(server)
        warm = any(layer.active for layer in found)
        yield _kernel(WarmKernels(server) if warm else StockKernels())
        for layer in found:
            yield _layer(layer)


def _layer(layer: Layer) -> Finding:
    what = f"isolation: {layer.name}"
    if layer.active:
        return Finding(what, True, "active")
    seen = f"not active: {layer.reason}"
    if layer.needed:
        return Finding(what, False, seen, layer.mend)
    return Finding(what, True, f"{seen}. {layer.mend}")


def _kernel(kernels: WarmKernels | StockKernels) -> Finding:
    async def start() -> tuple[str, ...]:
        with tempfile.TemporaryDirectory(prefix="grader-doctor-") as folder:
            async with kernels.start(Path(folder), Limits()) as kernel:
                return kernel.isolation

    begun = time.perf_counter()
    try:
        held_by = asyncio.run(start())
    except GraderError as error:
        return Finding("a kernel", False, str(error), "Try `python -m ipykernel --version`.")
    took = time.perf_counter() - begun
    return Finding("a kernel", True, f"started in {took:.2g} s, held by: {', '.join(held_by)}")
