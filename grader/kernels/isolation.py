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
    BARE,
    EXTRA,
    GROUP,
    IDENTITY,
    LANDLOCK,
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
    LANDLOCK: "Use a Linux of 5.13 or later with `landlock` in /sys/kernel/security/lsm.",
    SECCOMP: "Use Linux on x86_64 or aarch64 with CONFIG_SECCOMP_FILTER.",
    GROUP: (
        "Not needed: other layers keep these limits too. To have the system keep them, begin the "
        "grader with `systemd-run --user --pty -p Delegate=yes -p DelegateSubgroup=main`."
    ),
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
    def needed(self) -> bool:
        """Say whether isolation is less without it."""
        return self.name not in EXTRA

    @property
    def mend(self) -> str:
        return MENDS.get(self.name, NAMESPACES)


def begun(isolation: Isolation, *, hidden: Sequence[Path] = ()) -> ForkServer | None:
    """Return a server that has begun to start, for `open_kernels`; None: there will be none.

    Until it is ready there is time for something else. Whoever asks for it closes it.
    """
    if isolation is Isolation.OFF or sys.platform != "linux":
        return None
    server = ForkServer(hidden=hidden)
    server.launch()
    return server


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
    identity = IDENTITY if IDENTITY in {*report.layers, *report.missing} else USER
    wanted = (*ALWAYS, identity, *OPTIONAL)
    instead = BARE if PROCESSES in report.missing else ()
    return [
        Layer(name, name in report.layers, report.missing.get(name, ""))
        for name in dict.fromkeys((*wanted, *instead, *EXTRA))
    ]


def lacking(report: Report) -> Mapping[str, str]:
    """Return the layers that isolation asks for and that are missing, and why."""
    return {name: why for name, why in report.missing.items() if name not in EXTRA}


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
    gone = {layer.name: layer.reason for layer in layers(server) if not layer.active}
    return f"these layers are missing: {_listed(gone)}"


def _listed(missing: Mapping[str, str]) -> str:
    """Return names of layers and, once for all that have it, each reason."""
    names: dict[str, list[str]] = {}
    for name, why in missing.items():
        if name not in EXTRA:
            names.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(of)} ({why})" for why, of in names.items())


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
    if missing := lacking(report):
        return (
            f"Notebooks are not fully isolated here (missing {_listed(missing)}): see "
            "`grader doctor`."
        )
    return ""
