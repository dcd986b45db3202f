"""End a kernel together with every process that it began.

On Linux those are found in /proc: by their session, and by an environment variable that they
inherited, so that a process which began a session of its own is found as well (one that also
cleared its environment is not; for that there is the fork server's pid namespace).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROUNDS = 200  # of 5 ms: a process may begin others while it is looked for
PROC = Path("/proc")


def end_session(leader: int, mark: str) -> None:
    """Kill all that belongs to the session of process `leader` or carries `mark`.

    Args:
        leader: process id of a session's first process.
        mark: text in the environment of that process which no other session's processes have.
    """
    for _ in range(ROUNDS):
        members = list(_members(leader, mark))
        if not members:
            return
        for pid in members:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _members(leader: int, mark: str) -> Iterator[int]:
    """Yield the live processes of the session."""
    if sys.platform != "linux":
        yield from _members_by_ps(leader)
        return
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            # pid (name, which may hold anything) state ppid pgrp session …
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if state in "ZX":
                continue
            if int(session) == leader or mark.encode() in (folder / "environ").read_bytes():
                yield int(folder.name)


def _members_by_ps(leader: int) -> Iterator[int]:
    listed = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=False
    )
    for line in listed.stdout.splitlines():
        pid, state = line.split()[:2]
        with contextlib.suppress(OSError):
            if not state.startswith("Z") and os.getsid(int(pid)) == leader:
                yield int(pid)
