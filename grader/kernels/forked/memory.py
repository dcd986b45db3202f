"""How much memory a kernel and all its processes use, seen from outside, as nothing else adds up.

That is their pages, and what Linux holds for them: what lies in sockets and pipes, and the tables
of pages. At first the most that it can be is added up, which is cheap and too much (a fork shares
its parent's pages, and nobody knows how full a socket is); only where that is over a limit are
shared pages divided among those who share them, and sockets and pipes that are open counted.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from grader.kernels.forked.limits import OPEN_FILES

PAGE = os.sysconf("SC_PAGESIZE")
PROC = "/proc"
PIPE_BYTES = 16 * PAGE  # that lie in one at most, as it is made
TABLES = 512  # bytes of memory, at least, that a byte of page tables is for


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


def used(processes: Iterable[int], limit: int, sockets: int = 0) -> int:
    """Return the bytes that `processes` use; exactly only where that may be over the limit.

    Args:
        sockets: how many there are in a network that is theirs alone (`sockets_of`).
    """
    members = list(processes)
    most = sum(_at_most(process) for process in members) + sockets * socket_bytes()
    if most <= limit:
        return most
    return sum(_share(process) for process in members) + _buffered(members, sockets)


@functools.cache
def socket_bytes() -> int:
    """Return how much can lie in a socket, as it is made: what it holds when it takes no more.

    Linux lets one more message in as long as there is room for any, which may be as large again.
    """
    with socket.socket(socket.AF_UNIX) as any_other:
        return 2 * any_other.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)


def sockets_of(process: int) -> int:
    """Return how many sockets there are in a process's network.

    Those are among them that were closed, or wait to be accepted, and still hold something.
    """
    with contextlib.suppress(OSError):
        return int(_read(f"{PROC}/{process}/net/sockstat").split(maxsplit=3)[2])  # sockets: used n
    return 0


def _at_most(process: int) -> int:
    with contextlib.suppress(OSError):
        size, resident, *_ = map(int, _read(f"{PROC}/{process}/statm").split())
        return resident * PAGE + size * PAGE // TABLES + _descriptors(process) * socket_bytes()
    return 0


def _descriptors(process: int) -> int:
    folder = f"{PROC}/{process}/fd"
    with contextlib.suppress(OSError):  # closed to us
        return os.stat(folder).st_size or len(os.listdir(folder))  # the first from Linux 6.2 on
    return OPEN_FILES


def _resident(process: int) -> int:
    with contextlib.suppress(OSError):
        return int(_read(f"{PROC}/{process}/statm").split()[1]) * PAGE
    return 0


def _share(process: int) -> int:
    """Return a process's part of the pages that it shares, and its page tables."""
    with contextlib.suppress(OSError):
        pages = _line(f"{PROC}/{process}/smaps_rollup", b"Pss:")
        return pages + _line(f"{PROC}/{process}/status", b"VmPTE:")
    return _resident(process)


def _line(path: str, name: bytes) -> int:
    """Return the bytes that a line of a file says in kB. Raises OSError where there is none."""
    for line in _read(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise OSError(f"{path} does not say {name.decode()}")


def _buffered(processes: Iterable[int], sockets: int) -> int:
    """Return the most that lies in sockets and pipes; who is open more than once counts once."""
    seen: dict[tuple[int, int], int] = {}
    for process in processes:
        with contextlib.suppress(OSError):  # ended meanwhile
            for name in os.listdir(f"{PROC}/{process}/fd"):
                with contextlib.suppress(OSError):
                    found = os.stat(f"{PROC}/{process}/fd/{name}")
                    seen[found.st_dev, found.st_ino] = stat.S_IFMT(found.st_mode)
    kinds = list(seen.values())
    pipes = kinds.count(stat.S_IFIFO) * PIPE_BYTES
    return max(kinds.count(stat.S_IFSOCK), sockets) * socket_bytes() + pipes


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
