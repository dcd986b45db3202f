"""Lists and reads the files of a folder, or the one file that was given, following no link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grader.intake.entries import Problem
from grader.intake.file_names import is_junk
from grader.intake.found import Found, Listing, read_bounded, unread
from grader.intake.limits import IntakeLimits
from grader.intake.refusals import RefusedError, remark
from grader.text import encodable


def single(path: Path, number: int, limits: IntakeLimits) -> Listing:
    """The one file that a person named: a link to it is what they meant."""
    read = partial(_read, path.resolve(), limits)
    found = Found(source=number, path=encodable(path.name), read=read, asked_for=True)
    return Listing(files=(found,))


def folder(path: Path, number: int, limits: IntakeLimits, leave_out: Path) -> Listing:
    """All files of a folder and its subfolders but for those in `leave_out`."""
    walk = _Walk(path, number, limits, _identity(leave_out))
    files: list[Found] = []
    for found in walk.files():
        if len(files) == limits.files:
            walk.complain(
                path.name,
                f"holds more than {limits.files} files: look what is in it, "
                "and give the folder of the notebooks alone.",
            )
            break
        files.append(found)
    return Listing(files=tuple(files), problems=tuple(walk.problems))


@dataclass(slots=True)
class _Walk:
    """One pass through a folder, in the order of the names, without recursion."""

    root: Path
    number: int
    limits: IntakeLimits
    left_out: tuple[int, int] | None
    problems: list[Problem] = field(default_factory=list)

    def complain(self, name: str, predicate: str) -> None:
        self.problems.append(remark(name, None, predicate))

    def files(self) -> Iterator[Found]:
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            folder = waiting.pop()
            for entry in self._entries(folder):
                parts = (*folder, entry.name)
                if is_junk((*parts, "")) or is_junk(parts):
                    continue
                if not entry.is_dir(follow_symlinks=False):
                    yield self._found(entry, parts)
                elif self._may_enter(entry, parts):
                    waiting.append(parts)

    def _entries(self, folder: tuple[str, ...]) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root.joinpath(*folder)) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            name = "/".join((self.root.name, *folder))
            self.complain(name, f"cannot be listed ({error.strerror}): make it readable.")
            return []

    def _may_enter(self, entry: os.DirEntry[str], parts: tuple[str, ...]) -> bool:
        if len(parts) > self.limits.folder_depth:
            self.complain(
                "/".join(parts),
                "is too deep in the folder, and was not looked into: "
                "give it as a SOURCE of its own.",
            )
            return False
        return self.left_out is None or self.left_out != _identity(Path(entry.path))

    def _found(self, entry: os.DirEntry[str], parts: tuple[str, ...]) -> Found:
        path = encodable("/".join(parts))
        if entry.is_symlink():
            fault = RefusedError("is a link, and links are not followed", "for the file itself")
            return Found(source=self.number, path=path, read=unread, fault=fault)
        return Found(
            source=self.number, path=path, read=partial(_read, Path(entry.path), self.limits)
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open_no_link(path: str, flags: int) -> int:
    """Opens no link in place of the file, and does not wait for the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _read(path: Path, limits: IntakeLimits) -> bytes:
    try:
        with open(path, "rb", opener=_open_no_link) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RefusedError("is a device or a pipe, not a file")
            return read_bounded(file, limits)
    except OSError as error:
        raise RefusedError(f"cannot be read ({error.strerror})", "for a copy that can") from error
