"""What a grading is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grader.grading.course import Tables
from grader.grading.reporting import CanvasExport
from grader.model import Limits
from grader.packs import Pack

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for."""

    sources: tuple[Path, ...]
    out: Path
    pack: Pack
    secret: bytes
    tables: Tables
    jobs: int
    export: CanvasExport
    limits: Limits = DEFAULT_LIMITS
    fresh: bool = False  # run everything again
    store: str = ""  # the address of the store's database; empty: SQLite in `out`
    line: str = "grader"  # the command, for the log
    pack_folders: tuple[Path, ...] = ()  # where the pack was looked for first
    secret_file: Path | None = None
