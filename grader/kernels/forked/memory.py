"""How much memory a kernel and all its processes use, seen from outside, as nothing else adds up.

Resident pages are counted first, which is cheap and too much (a fork shares its parent's); only
where that is over a limit are shared pages divided among those who share them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

PAGE = os.sysconf("SC_PAGESIZE")
PROC = "/proc"


def families(leaders: Iterable[int]) -> dict[int, list[int]]:
    """Return all living descendants of each leader, itself among them.

    A leader is the first process of a process namespace, so that none of its descendants can get
    away from it by losing its parent.
    """
    parents = dict(_parents())
    found: dict[int, list[int]] = {leader: [] for leader in leaders}
    for process in parents:
        at: int | None = process
        while at is not None and at not in found:
            at = parents.get(at)
        if at is not None:
            found[at].append(process)
    return found


def _parents() -> Iterable[tuple[int, int]]:
    for name in os.listdir(PROC):
        if name.isdigit():
            with contextlib.suppress(OSError):  # ended meanwhile
                # pid (name, which may hold anything) state ppid …
                yield int(name), int(_read(f"{PROC}/{name}/stat").rpartition(b")")[2].split()[1])


def used(processes: Iterable[int], limit: int) -> int:
    """Return the bytes that `processes` use; exactly only where that may be over the limit."""
    members = list(processes)
    resident = sum(_resident(process) for process in members)
    return resident if resident <= limit else sum(_share(process) for process in members)


def _resident(process: int) -> int:
    with contextlib.suppress(OSError):
        return int(_read(f"{PROC}/{process}/statm").split()[1]) * PAGE
    return 0


def _share(process: int) -> int:
    with contextlib.suppress(OSError):
        for line in _read(f"{PROC}/{process}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) << 10
    return _resident(process)


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
