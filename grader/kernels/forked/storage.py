"""How much a kernel has stored, seen from outside, where no file system of its own bounds it.

Counted is what its folders hold, and what its processes hold open or mapped that has no name any
more. It looks at what somebody hostile changes meanwhile, so it follows no links and no depth.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DEEPEST = 60  # folders in one another: no notebook needs more, and a walk could be lost in them
BLOCK = 512  # bytes, as `stat` counts them
SHARED_MEMORY = b"/dev/zero (deleted)\n"  # as it is called in a list of maps


class TooMuch(Exception):  # noqa: N818  it is a finding, not an error
    """There is more than may be, or it cannot be told."""


@dataclass
class Count:
    """What may still be added; TooMuch when that is used up."""

    size: int
    files: int

    def add(self, size: int) -> None:
        self.size -= size
        self.files -= 1
        if self.size < 0 or self.files < 0:
            raise TooMuch


def exceeds(folder: str, processes: Iterable[int], *, size: int, files: int) -> bool:
    """Say whether more than `size` bytes or `files` files are stored."""
    left = Count(size, files)
    try:
        with contextlib.suppress(FileNotFoundError):  # not made yet
            _count(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW), left, 0)
        for process in processes:
            for nameless in (*_open_files(process), *_mapped_files(process)):
                left.add(nameless)
    except TooMuch:
        return True
    return False


def _count(folder: int, left: Count, depth: int) -> None:
    """Count a folder, whose descriptor is closed then."""
    try:
        if depth > DEEPEST:
            raise TooMuch
        with os.scandir(folder) as listed:
            for entry in listed:
                with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                    seen = entry.stat(follow_symlinks=False)
                    left.add(seen.st_blocks * BLOCK)
                    if stat.S_ISDIR(seen.st_mode):
                        _count(_entered(entry.name, folder), left, depth + 1)
    finally:
        os.close(folder)


def _entered(name: str, folder: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except (PermissionError, NotADirectoryError) as error:  # closed to us, or changed meanwhile
        raise TooMuch from error


def _open_files(process: int) -> Iterator[int]:
    """Yield the sizes of files that a process has open and that are nowhere in a folder."""
    with _not_if_ended(process):
        for name in os.listdir(f"/proc/{process}/fd"):
            with _not_if_ended(process):
                seen = os.stat(f"/proc/{process}/fd/{name}")
                if stat.S_ISREG(seen.st_mode) and seen.st_nlink == 0:
                    yield seen.st_blocks * BLOCK


def _mapped_files(process: int) -> Iterator[int]:
    """Yield the sizes of mapped parts of such files, which need not be open any more."""
    with _not_if_ended(process), open(f"/proc/{process}/maps", "rb") as stream:
        for line in stream:
            if line.endswith(b" (deleted)\n"):
                span, _rights, _offset, _device, _inode, path = line.split(maxsplit=5)
                start, _, end = span.partition(b"-")
                if path != SHARED_MEMORY:  # which is counted as such
                    yield int(end, 16) - int(start, 16)


@contextlib.contextmanager
def _not_if_ended(process: int) -> Iterator[None]:
    """Pass over a process or file that is gone; TooMuch for one that lets nobody look into it."""
    try:
        yield
    except PermissionError as error:
        if not _is_ending(process):
            raise TooMuch from error
    except (FileNotFoundError, ProcessLookupError):
        return


def _is_ending(process: int) -> bool:
    """Say whether a process has no memory any more: what is left of it then belongs to root."""
    try:
        with open(f"/proc/{process}/statm", "rb") as stream:
            return int(stream.read().split()[0]) == 0
    except (FileNotFoundError, ProcessLookupError):
        return True


def remove(folder: str) -> None:
    """Remove a folder, however deep and however closed. Nobody may be at work in it any more."""
    with contextlib.suppress(FileNotFoundError):
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _empty(top)
        finally:
            os.close(top)
        os.rmdir(folder)


def _empty(top: int) -> None:
    """Remove all in a folder: what lies deeper is first moved up, so that no path grows long."""
    moved = 0
    while names := os.listdir(top):
        for name in names:
            if not _is_folder(name, top):
                os.unlink(name, dir_fd=top)
                continue
            below = _opened_up(name, top)
            try:
                for inside in os.listdir(below):
                    moved += 1
                    _move_up(inside, below, f".{moved}-{os.getpid()}", top)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=top)


def _is_folder(name: str, above: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)


def _move_up(name: str, below: int, new: str, top: int) -> None:
    try:
        os.rename(name, new, src_dir_fd=below, dst_dir_fd=top)
    except PermissionError:  # what is moved out of a folder has its own entry `..` changed
        os.close(_opened_up(name, below))
        os.rename(name, new, src_dir_fd=below, dst_dir_fd=top)


def _opened_up(name: str, above: int) -> int:
    """Open a folder, whatever its mode was; never what a link leads to, put there meanwhile."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    try:
        itself = f"/proc/self/fd/{handle}"  # there is no fchmod for what nobody may read
        os.chmod(itself, 0o700)
        return os.open(itself, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        os.close(handle)
