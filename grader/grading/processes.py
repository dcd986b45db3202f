"""Do the same work on many things in several processes, and get the answers in order.

The processes are forks: what they look at is there already, and only bytes come back. Nothing is
pickled. They hold what this process holds, the lock of the results too, and end with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from grader.errors import GraderError, StoreError
from grader.text import clipped, display_safe

T = TypeVar("T")
PAYS = 24  # fewer things than this are done before a fork has begun
MOST_SAID = 300  # characters of an exception, which may have a student's words in it
_FRAME = struct.Struct(">?Q")  # whether it went well, and how many bytes follow
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def in_processes(items: Sequence[T], work: Callable[[T], bytes], jobs: int) -> Iterator[bytes]:
    """Yield `work(item)` for every item, in order; `jobs` at a time where that pays.

    Raises:
        StoreError: what `work` raised, in words; or a process was ended from outside.
    """
    if jobs < 2 or len(items) < PAYS:  # noqa: PLR2004  two are several
        yield from map(work, items)
        return
    children: list[tuple[int, BinaryIO]] = []
    try:
        for number in range(jobs):
            children.append(_fork(items[number::jobs], work, [r for _, r in children]))
        for number in range(len(items)):
            yield _read(children[number % jobs][1])
    finally:
        for child, reader in children:
            reader.close()
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(child, 0)


def _fork(
    items: Sequence[T], work: Callable[[T], bytes], others: Sequence[BinaryIO]
) -> tuple[int, BinaryIO]:
    reader, writer = os.pipe()
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forking with threads about
        child = os.fork()
    if child:
        os.close(writer)
        return child, os.fdopen(reader, "rb")
    try:
        _end_with(parent)
        os.close(reader)
        for other in others:
            other.close()
        with os.fdopen(writer, "wb") as stream:
            for item in items:
                _answer(stream, item, work)
    except BaseException:  # noqa: BLE001  nothing of this process may run on in a fork of it
        os._exit(1)
    os._exit(0)


def _end_with(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends this one
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before that could be asked for
        os._exit(1)


def _answer(stream: BinaryIO, item: T, work: Callable[[T], bytes]) -> None:
    try:
        well, said = True, work(item)
    except GraderError as error:
        well, said = False, str(error).encode("utf-8", "replace")
    except Exception as error:  # noqa: BLE001  a fault of ours, which the parent is to tell
        well, said = False, _fault(error).encode("utf-8", "replace")
    stream.write(_FRAME.pack(well, len(said)) + said)
    stream.flush()


def _fault(error: Exception) -> str:
    """Say what of ours went wrong, and where: there is nothing else to find it by."""
    *_, last = traceback.extract_tb(error.__traceback__)
    where = f"{Path(last.filename).name}, line {last.lineno}"
    what = clipped(display_safe(f"{type(error).__name__}: {error}"), MOST_SAID)
    return f"The grader failed ({what}; {where}): tell its maintainer. What notebooks did is kept."


def _read(stream: BinaryIO) -> bytes:
    head = stream.read(_FRAME.size)
    well, size = _FRAME.unpack(head) if len(head) == _FRAME.size else (True, -1)
    said = stream.read(size) if size >= 0 else b""
    if len(said) != size:
        raise StoreError(
            "A process of the grader was ended before its work was done (is there enough memory?); "
            "the same command goes on."
        )
    if not well:
        raise StoreError(said.decode("utf-8", "replace"))
    return said
