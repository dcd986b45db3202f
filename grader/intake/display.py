"""Hostile text made fit to be shown to a person; it decides nothing."""

from __future__ import annotations

from grader.text import display_safe

_LONGEST = 160


def shown(text: str) -> str:
    """`text` on one line and safe to show; of a long one, its beginning and its end."""
    safe = display_safe(text)
    if len(safe) <= _LONGEST:
        return safe
    return f"{safe[: _LONGEST - 40]}…{safe[-39:]}"


def listed(texts: list[str], *, most: int = 3) -> str:
    """Some names for a sentence: all of a few, and the number of the others."""
    names = [shown(text) for text in texts[:most]]
    if len(texts) > most:
        names.append(f"{len(texts) - most} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def counted(size: int) -> str:
    """A number of bytes, roughly: "50 MB"."""
    for unit, bytes_each in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= bytes_each:
            return f"{size / bytes_each:.3g} {unit}"
    return f"{size} bytes"
