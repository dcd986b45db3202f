"""How much isolation is asked for, and which layers of it this machine can have."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from grader.errors import KernelError
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


@contextmanager
def launched(isolation: Isolation) -> Iterator[ForkServer | None]:
    """Give a server that has begun to start, for `open_kernels`; None: there will be none.

    Until it is ready there is time for something else. It is of use for a single kernel or a few.
    """
    if isolation is Isolation.OFF or sys.platform != "linux":
        yield None
        return
    with closing(ForkServer(rehearsed=False)) as server:
        server.launch()
        yield server


def layers(server: ForkServer) -> list[Layer]:
    """Return every layer, and whether it holds kernels on this machine. Starts the server."""
    report = started(server)
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


def started(server: ForkServer) -> Report | str:
    """Return what the server says of itself, or why there is none."""
    if sys.platform != "linux":
        return f"{sys.platform} has nothing of the kind"
    try:
        return server.start()
    except KernelError as error:
        return str(error).removesuffix(".")
