"""How much memory a kernel and all its processes use, seen from outside, as nothing else adds up.

Resident pages are counted first, which is cheap and too much (a fork shares its parent's); only
where that is over a limit are shared pages divided among those who share them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

PAGE = os.sysconf("SC_PAGESIZE")
PROC = "/proc"


@dataclass
class Family:
    """A kernel's processes but for its first, and how many threads they have."""

    members: list[int] = field(default_factory=list)
    threads: int = 0


def families(leaders: Iterable[int]) -> dict[int, Family]:
    """Return all living descendants of each leader.

    A leader adopts orphans, or is the first process of a process namespace, so that none of its
    descendants can get away from it by losing its parent.
    """
    seen = {pid: (parent, threads) for pid, parent, threads in _processes()}
    found: dict[int, Family] = {leader: Family() for leader in leaders}
    for process, (parent, threads) in seen.items():
        at = parent
        while at not in found and at in seen:
            at = seen[at][0]
        if at in found:
            found[at].members.append(process)
            found[at].threads += threads
    return found


def strays(parent: int, known: Iterable[int]) -> list[int]:
    """Return living children of `parent` that are none of `known`."""
    return [pid for pid, at, _ in _processes() if at == parent and pid not in set(known)]


def _processes() -> Iterable[tuple[int, int, int]]:
    """Yield each process's id, its parent's, and how many threads it has."""
    for name in os.listdir(PROC):
        if name.isdigit():
            with contextlib.suppress(OSError):  # ended meanwhile
                # pid (name, which may hold anything) state ppid …
                fields = _read(f"{PROC}/{name}/stat").rpartition(b")")[2].split()
                if fields[0] not in (b"Z", b"X"):  # ended, and not yet waited for
                    yield int(name), int(fields[1]), int(fields[17])


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
