"""The folder that a notebook finds itself in: what the assignment promises, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grader.kernels.environment import STAGED

STAND_IN = 'print("The self-check is not run while grading.")\n'


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a notebook may read.

    `files`: name and content of each file of the working folder, `offline`: the file that
    answers each URL, `self_check`: the script that notebooks run at their end; empty: none.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    offline: Mapping[str, str] = field(default_factory=dict)
    self_check: str = ""

    @asynccontextmanager
    async def staged(self) -> AsyncIterator[Path]:
        """Make a folder of these files; remove it, with all that was written there, on leaving."""
        folder = Path(tempfile.mkdtemp(prefix=STAGED))
        try:
            for name, content in self.files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            if self.self_check:
                (folder / self.self_check).write_text(STAND_IN, encoding="utf-8")
            yield folder
        finally:
            await asyncio.to_thread(_remove, folder)  # it may hold any number of files


def _remove(folder: Path) -> None:
    """Remove a folder even where a student's code has taken the right to do so away."""
    folder.chmod(0o700)
    for parent, names, _ in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
