"""Limits of one kernel, and those of them that the system itself keeps: rlimits."""

from __future__ import annotations

import resource
from collections.abc import Mapping

OPEN_FILES = 1024
PROCESSES = 256  # and threads, of one kernel
STORAGE_BYTES, STORED_FILES = 512 << 20, 20_000  # in all its folders together
LARGEST_FILE = STORAGE_BYTES


def rlimits(memory_bytes: int, processes: int = PROCESSES) -> Mapping[int, int]:
    """Return the limit for each resource; memory is counted for each process here.

    Args:
        processes: of the kernel's user, threads among them.
    """
    return {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: memory_bytes,
        resource.RLIMIT_FSIZE: LARGEST_FILE,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_NPROC: processes,
    }


def set_rlimits(limits: Mapping[int, int]) -> None:
    """Set limits that cannot be raised again; one that is lower already stays."""
    for what, value in limits.items():
        _, hard = resource.getrlimit(what)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (lowest, lowest))
