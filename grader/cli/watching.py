"""See when a file is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path


def saves(file: Path, pause: Callable[[], None]) -> Iterator[None]:
    """Yield at once, and then whenever the file is another one than at the last time.

    Editors write a new file and move it there, so for a moment there may be none.

    Args:
        pause: waits between two looks.
    """
    seen = None
    while True:
        now = _known_by(file)
        if now is not None and now != seen:
            seen = now
            yield
        pause()


def _known_by(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
