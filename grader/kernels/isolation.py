"""Which kernels to use: the best isolated that this machine can have, or as was asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from grader.errors import KernelError, UsageError
from grader.kernels.forked.layers import (
    ALWAYS,
    FILES,
    HOST_NAME,
    IDENTITY,
    IPC,
    LANDLOCK,
    NETWORK,
    OPTIONAL,
    PROCESSES,
    SECCOMP,
    USER,
)
from grader.kernels.server import ForkServer, Report
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels

NAMESPACES = (
    "Grade on Linux 5.13 or later where user namespaces are allowed (`sysctl "
    "kernel.apparmor_restrict_unprivileged_userns=0` on Ubuntu 24.04), or as root; in Docker with "
    "--security-opt seccomp=unconfined."
)
MENDS = {
    **dict.fromkeys((PROCESSES, FILES, NETWORK, IPC, HOST_NAME, IDENTITY, USER), NAMESPACES),
    LANDLOCK: "Use a Linux of 5.13 or later with `landlock` in /sys/kernel/security/lsm.",
    SECCOMP: "Use Linux on x86_64 or aarch64 with CONFIG_SECCOMP_FILTER.",
}


class Isolation(StrEnum):
    """How much of it is asked for."""

    AUTO = "auto"  # whatever works here
    STRICT = "strict"  # all of it, or nothing is run
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, whether it holds kernels here, and if not why."""

    name: str
    active: bool
    reason: str = ""

    @property
    def mend(self) -> str:
        return MENDS.get(self.name, NAMESPACES)


@contextmanager
def open_kernels(
    isolation: Isolation,
    *,
    hidden: Sequence[Path] = (),
    needed: Sequence[str] = (),
    warn: Callable[[str], None],
    server: ForkServer | None = None,
) -> Iterator[WarmKernels | StockKernels]:
    """Give kernels as asked for, and end what stands behind them on leaving.

    Args:
        hidden: paths that no kernel may see even where they are among Python's own.
        needed: layers without which nothing is run, unless isolation is off.
        warn: told in a sentence if there is less isolation than there could be.

    Raises UsageError where all of it was asked for and something is missing, or what is needed.
    """
    if isolation is Isolation.OFF:
        yield StockKernels()
        return
    server = server or ForkServer(hidden=hidden)
    try:
        sentence = _insufficient(server)
        if sentence and isolation is Isolation.STRICT:
            raise UsageError(f"Nothing was run, as --isolation strict asks: {_missing(server)}.")
        if lacking := [layer for layer in layers(server) if _lacks(layer, needed)]:
            names = "; ".join(f"{layer.name} ({layer.reason})" for layer in lacking)
            raise UsageError(f"Nothing was run, for kernels here have not: {names}.")
        if sentence:
            warn(sentence)
        yield WarmKernels(server) if _runs(server) else StockKernels()
    finally:
        server.close()


def _lacks(layer: Layer, needed: Sequence[str]) -> bool:
    return layer.name in needed and not layer.active


def layers(server: ForkServer) -> list[Layer]:
    """Return every layer, and whether it holds kernels on this machine. Starts the server."""
    report = _started(server)
    if isinstance(report, str):
        return [Layer(name, active=False, reason=report) for name in (*ALWAYS, *OPTIONAL)]
    identity = IDENTITY if IDENTITY in report.layers else USER
    return [
        Layer(name, name in report.layers, report.missing.get(name, ""))
        for name in (*ALWAYS, identity, *OPTIONAL)
    ]


def _started(server: ForkServer) -> Report | str:
    """Return what the server says of itself, or why there is none."""
    if sys.platform != "linux":
        return f"{sys.platform} has nothing of the kind"
    try:
        return server.start()
    except KernelError as error:
        return str(error).removesuffix(".")


def _missing(server: ForkServer) -> str:
    """Return the layers that are missing, and why, as the end of a sentence."""
    gone = [layer for layer in layers(server) if not layer.active]
    reasons = dict.fromkeys(layer.reason for layer in gone)
    names = ", ".join(layer.name for layer in gone)
    return f"these layers are missing: {names} ({'; '.join(reasons)})"


def _runs(server: ForkServer) -> bool:
    return isinstance(_started(server), Report)


def _insufficient(server: ForkServer) -> str:
    """Return a sentence on what is missing; empty: nothing."""
    report = _started(server)
    if isinstance(report, str):
        return (
            f"Notebooks cannot be isolated here ({report}), so they can do what you can: run only "
            "those that you trust, or see `grader doctor`."
        )
    missing: Mapping[str, str] = report.missing
    if missing:
        names = "; ".join(f"{name}: {why}" for name, why in missing.items())
        return f"Notebooks are not fully isolated here (missing {names}): see `grader doctor`."
    return ""
