"""Files that are there whole or not at all, whatever stops the program; and tables for people."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TypeAlias

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
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as stream:  # not tempfile: its files are closed to the group
            stream.write(content)
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


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
