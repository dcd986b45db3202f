"""A file that a SOURCE holds, not yet read; and reading it, whatever size it says it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from grader.intake.display import counted
from grader.intake.entries import Problem
from grader.intake.limits import IntakeLimits
from grader.intake.refusals import RefusedError

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file of one SOURCE. Reading is bounded, and raises RefusedError."""

    source: int  # which SOURCE, counted from 0
    path: str  # within the source, "/" between folders, as it came
    read: Callable[[], bytes]
    fault: RefusedError | None = None  # known without reading
    asked_for: bool = False  # this very file was given as SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one SOURCE holds, and what is wrong with it as a whole."""

    files: tuple[Found, ...]
    problems: tuple[Problem, ...] = ()


class Readable(Protocol):
    """An open file: of a folder, or a member of a zip."""

    def read(self, size: int, /) -> bytes: ...


def read_bounded(
    stream: Readable, limits: IntakeLimits, on_chunk: Callable[[int], None] | None = None
) -> bytes:
    """All of `stream`, or a refusal after at most one byte more than a notebook may have.

    `on_chunk` gets the number of bytes after each read, and may refuse too.
    """
    chunks: list[bytes] = []
    room = limits.notebook_bytes + 1
    while chunk := stream.read(min(_CHUNK, room)):
        chunks.append(chunk)
        room -= len(chunk)
        if on_chunk:
            on_chunk(len(chunk))
        if room <= 0:
            raise RefusedError(
                f"is larger than {counted(limits.notebook_bytes)}",
                "to clear the notebook's outputs and hand it in again",
            )
    return b"".join(chunks)


def unread() -> bytes:
    """The `read` of a file that is not to be read: its fault says why."""
    raise RefusedError("was not read")
