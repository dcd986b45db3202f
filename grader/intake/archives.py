"""Lists and reads the members of a zip. Nothing is ever unpacked to a name that the zip chose.

A zip's directory says how large its members are, how they are packed and what they are called,
and may lie in all of it: sizes are counted while unpacking, and no name is used as a path.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grader.errors import UsageError
from grader.intake.display import counted, shown
from grader.intake.file_names import is_junk
from grader.intake.found import Found, Listing, read_bounded, unread
from grader.intake.limits import IntakeLimits
from grader.intake.refusals import RefusedError, remark
from grader.text import encodable

# What zipfile raises on one that somebody broke, by accident or with care.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_ENCRYPTED, _UTF8_NAME = 0x1, 0x800
# zipfile unpacks these by the piece. Of bzip2 and LZMA it unpacks 4 KB at a time, to gigabytes.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DIRECTORY_BYTES_A_FILE = 1024  # with a long name and its extra fields
_BY_HAND = "look into the zip, and give the right notebook by itself"
_DRIVE = re.compile(r"[A-Za-z]:")


class _TooManyFilesError(Exception):
    """The zip's directory alone is larger than it may be."""


class _BoundedFile(io.FileIO):
    """zipfile reads a directory at one go, as large as the file says; this one refuses to."""

    largest_read: int

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.largest_read:
            raise _TooManyFilesError
        return super().read(size) or b""


def archive(path: Path, number: int, limits: IntakeLimits, stack: ExitStack) -> Listing:
    """The members of a zip, which stays open until `stack` is closed."""
    too_many = f"holds more than {limits.files} files, and none was read: look what is in it."
    try:
        opened = _opened(path, limits, stack)
    except _TooManyFilesError:
        return Listing(files=(), problems=(remark(path.name, None, too_many),))
    if len(opened.infolist()) > limits.files:
        return Listing(files=(), problems=(remark(path.name, None, too_many),))
    members = [member for member in map(_Member.of, opened.infolist()) if not member.is_ignored]
    times = Counter(member.parts for member in members)
    reader = _Reader(opened, path.name, limits)
    files = [
        Found(source=number, path=encodable(member.name), read=partial(reader.read, member.info))
        if fault is None
        else Found(source=number, path=encodable(member.name), read=unread, fault=fault)
        for member in {member.parts: member for member in members}.values()
        for fault in [_fault(member, times[member.parts], limits)]
    ]
    return Listing(files=tuple(files))


def _opened(path: Path, limits: IntakeLimits, stack: ExitStack) -> zipfile.ZipFile:
    try:
        file = stack.enter_context(_BoundedFile(path))
        file.largest_read = max(limits.files, 64) * _DIRECTORY_BYTES_A_FILE
        return stack.enter_context(zipfile.ZipFile(file))
    except _BROKEN as error:
        raise UsageError(
            f"{shown(str(path))} is not a zip that can be read ({shown(str(error))}): "
            "download it from Canvas again."
        ) from error


@dataclass(frozen=True, slots=True)
class _Member:
    info: zipfile.ZipInfo
    name: str
    parts: tuple[str, ...]

    @classmethod
    def of(cls, info: zipfile.ZipInfo) -> _Member:
        name = _name(info)
        return cls(info, name, tuple(part for part in name.split("/") if part not in {"", "."}))

    @property
    def is_ignored(self) -> bool:
        """Whether this is a folder, or nothing that anybody handed in."""
        return self.name.endswith("/") or not self.parts or is_junk(self.parts)


def _name(info: zipfile.ZipInfo) -> str:
    """The member's name. Many programs, Ruby's among them, write UTF-8 and do not say so."""
    name = info.orig_filename
    if info.flag_bits & _UTF8_NAME:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _fault(member: _Member, times: int, limits: IntakeLimits) -> RefusedError | None:
    """What is wrong with a member that can be told without unpacking it."""
    if times > 1:
        return RefusedError(f"is in the zip {times} times, and none was taken", advice=_BY_HAND)
    if "\\" in member.name or "\0" in member.name:
        fault = "has a backslash or a zero byte in its name, as no file of Canvas's has"
        return RefusedError(fault, advice=_BY_HAND)
    if member.name.startswith("/") or _DRIVE.match(member.name) or ".." in member.parts:
        return RefusedError("has a path that leads out of the zip", advice=_BY_HAND)
    if len(member.parts[-1]) > limits.name_characters:
        return RefusedError(f"has a name of more than {limits.name_characters} characters")
    if stat.S_IFMT(member.info.external_attr >> 16) not in {0, stat.S_IFREG}:
        return RefusedError("is a link or a device, and those are not followed")
    return None


@dataclass(slots=True)
class _Reader:
    """Unpacks members of one zip, and stops when all of them together are too much."""

    opened: zipfile.ZipFile
    name: str
    limits: IntakeLimits
    unpacked: int = 0

    def read(self, info: zipfile.ZipInfo) -> bytes:
        if info.flag_bits & _ENCRYPTED:
            raise RefusedError("is encrypted", "for the .ipynb file without a password")
        if info.compress_type not in _METHODS:
            raise RefusedError("is packed in a way that Canvas does not use")
        try:
            with self.opened.open(info) as member:
                return read_bounded(member, self.limits, self._counting(info))
        except _BROKEN as error:
            raise RefusedError(
                f"cannot be unpacked from {shown(self.name)} ({shown(str(error))})",
                "to hand it in again, unless a new download mends it",
            ) from error

    def _counting(self, info: zipfile.ZipInfo) -> Callable[[int], None]:
        size = 0

        def count(chunk: int) -> None:
            nonlocal size
            size += chunk
            self.unpacked += chunk
            if self.unpacked > self.limits.archive_bytes:
                raise RefusedError(
                    f"was not read, since {shown(self.name)} unpacks to more than "
                    f"{counted(self.limits.archive_bytes)}",
                    advice="look what is in it, or give the notebooks in several zips",
                )
            most = max(self.limits.expansion_from, info.compress_size * self.limits.expansion)
            if size > most:
                raise RefusedError(
                    f"unpacks to more than {self.limits.expansion} times its size",
                    "to clear the notebook's outputs and hand it in again",
                )

        return count
