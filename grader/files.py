"""Files that are there whole or not at all, whatever stops the program; and tables for people."""

from __future__ import annotations

import csv
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, TypeAlias

from grader.errors import UsageError
from grader.text import defuse, plain

Cell: TypeAlias = "str | int | Decimal | None"


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path`: a reader sees the old file or the new one, never a part.

    The folder must be there. Nothing is synced to the disk: this guards against a program that is
    killed, not against a computer that loses power.

    Raises:
        UsageError: it cannot be written; the old file, if there was one, is as it was.
    """
    with whole_file(path) as stream:
        stream.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """As `write_whole`, for what is too large to be held in memory at once."""
    with _part_of(path) as part:
        with part.open("xb") as stream:  # not tempfile: its files are closed to the group
            yield stream
        part.replace(path)


def write_durable(path: Path, content: bytes) -> None:
    """Write `content` to `path` for its owner only; once this returns, a power cut costs nothing.

    Raises:
        UsageError: as `write_whole`.
    """
    with _part_of(path) as part:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        _sync_folder(path.parent)


def keep_durable(path: Path, content: bytes) -> None:
    """Have `content` at `path`, as `write_durable`; a file that holds just that stays.

    Raises:
        UsageError: as `write_whole`.
    """
    if not _holds(path, content):
        write_durable(path, content)
        return
    try:
        _sync_folder(path.parent)  # whoever put it there may have been killed before that
    except OSError as error:
        raise unwritable(path, error) from error


def _holds(path: Path, content: bytes) -> bool:
    try:
        there = path.lstat()
        if not stat.S_ISREG(there.st_mode) or there.st_size != len(content):
            return False
        return path.read_bytes() == content
    except OSError:
        return False


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make `folder`, for its owner only, where it is missing; as durably as `write_durable`.

    Args:
        mode: another one, as far as the umask lets it.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        new = [folder, *(each for each in folder.parents if not each.exists())]
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        with suppress(PermissionError):  # whoever may not list the folder around it cannot sync it
            for each in new:
                _sync_folder(each.parent)
    except OSError as error:
        raise unwritable(folder, error) from error


def _sync_folder(folder: Path) -> None:
    """Write the folder's list of names to the disk: a file without its name would be lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """Give the name of a part to write and move to `path`; remove it where that fails."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove parts that killed programs left in `folder`; nobody else may be writing there."""
    for part in folder.glob(".*.part"):
        with suppress(OSError):
            part.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> UsageError:
    """Return what to raise where `path` could not be written: the sentence says what to do."""
    said = f"{path} could not be written: {error.strerror or error}."
    if error.errno in _NO_ROOM:
        said += " Make room there; the same command then goes on."
    return UsageError(said)


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a CSV that is safe to open in a spreadsheet, whole or not at all.

    UTF-8 without a byte order mark, commas, lines that end as Canvas's do. Text is defused,
    numbers are numbers, None is blank.

    Raises:
        UsageError: the file cannot be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([_written(cell) for cell in row] for row in (header, *rows))
    write_whole(path, buffer.getvalue().encode())


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    return defuse(cell) if isinstance(cell, str) else plain(Decimal(cell))
