"""One grader at a time in a folder of results; the system frees the lock of one that is killed."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grader.errors import StoreError, UsageError
from grader.files import make_folder, unwritable
from grader.text import display_safe

LOCK = "lock"
MOST_READ = 200


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`; it and the folder around it are made where they are missing.

    Both are then their owner's only: grades are nobody else's business.

    Raises:
        StoreError: another grader holds it; the sentence names its process and machine.
    """
    path = folder / LOCK
    try:
        make_folder(folder.parent)
        make_folder(folder)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except UsageError as error:
        raise StoreError(str(error)) from error
    except OSError as error:
        raise StoreError(str(unwritable(path, error))) from error
    try:
        _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)  # and with it, the lock


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = display_safe(os.pread(descriptor, MOST_READ, 0).decode("utf-8", "replace"))
        raise StoreError(
            f"Another grader is at work in {folder.parent} ({holder or 'just begun'}): wait until "
            "it has ended, or name another folder with --out."
        ) from error
    except OSError as error:
        raise StoreError(f"{folder / LOCK} cannot be locked: {error.strerror}.") from error
    with suppress(OSError):  # a full disk; who holds it is a help, and what follows says the rest
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
