"""What the terminal shows of changes: whose points became others and why, and one student's story.

Every text is made safe to display (see grader.text).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from grader.text import clipped, display_safe

NAME_WIDTH = 26
MOST_ROWS = 60
HEADS = ("Student", "Item", "Before", "After", "Why")
NUMBERS = ("Before", "After")
NOTHING_CHANGED = "No grade changed."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """One line: who, what, and from what to what."""

    student: str
    item: str
    before: str
    after: str
    why: str
    words_only: bool = False


def changes_report(
    rows: Sequence[ChangeRow], *, all_rows: bool = False, rest: str = "--all shows them"
) -> str:
    """Return the table of changes; where it is long, its beginning, unless all of it is wanted.

    Args:
        rest: how to see the other lines of a long table.
    """
    points = [row for row in rows if not row.words_only]
    words = [row for row in rows if row.words_only]
    lines: list[str] = []
    if points:
        shown = points if all_rows else points[:MOST_ROWS]
        lines += _table(shown)
        if len(points) > len(shown):
            lines.append(f"and {len(points) - len(shown)} more lines: {rest}.")
            lines.append(_summed_up(points))
        students = len({row.student for row in points})
        lines.append(f"{students} students have other points or another grade.")
    else:
        lines.append(NOTHING_CHANGED)
    if words:
        reasons = Counter(row.why for row in words)
        why = ", ".join(f"{reason or 'other'}: {count}" for reason, count in reasons.most_common())
        count = len({row.student for row in words})
        lines.append(f"Only what is said changed for {count} students ({_safe(why)}).")
    return "\n".join(lines)


def _summed_up(rows: Sequence[ChangeRow]) -> str:
    """Say how often which item changed and why; a long table hides what is rare in it."""
    counts = Counter((row.item, row.why) for row in rows)
    return "; ".join(
        _safe(f"{item}{f' ({why})' if why else ''}: {count}")
        for (item, why), count in counts.most_common()
    )


def _table(rows: Sequence[ChangeRow]) -> Iterator[str]:
    """Yield aligned lines. Of a class of thousands, so nothing is measured twice or wrapped."""
    cells = [HEADS] + [
        (_name(row.student), *map(_safe, (row.item, row.before, row.after, row.why)))
        for row in rows
    ]
    widths = [max(map(cell_len, set(column))) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = [
            " " * (width - cell_len(cell)) + cell if head in NUMBERS else set_cell_size(cell, width)
            for head, cell, width in zip(HEADS, line, widths, strict=True)
        ]
        yield " ".join(padded).rstrip()


def _name(student: str) -> str:
    safe = _safe(student)
    too_wide = cell_len(safe) > NAME_WIDTH
    return f"{set_cell_size(safe, NAME_WIDTH - 1).rstrip()}…" if too_wide else safe


@lru_cache(maxsize=4096)  # most of a class have the same
def _safe(words: str) -> str:
    return display_safe(words)


# ------------------------------------------------------------------------------- one student
@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One thing that happened, and by whose command."""

    at: str
    who: str
    line: str
    what: str
    item: str
    before: str
    after: str
    why: str


MOST_CHARACTERS = 300


def history_report(student: str, rows: Sequence[HistoryRow]) -> str:
    """Return a student's story as lines: a head for each command, and what it did under it."""
    lines = [_line(student)]
    command = None
    for row in rows:
        if (row.at, row.line) != command:
            command = (row.at, row.line)
            lines += ["", _line(f"{_when(row.at)}  {row.who}  {row.line}")]
        lines.append(_line(f"  {_told(row)}"))
    return "\n".join(lines)


def _when(at: str) -> str:
    return at.replace("T", " ").replace("+00:00", " UTC")


def _told(row: HistoryRow) -> str:  # noqa: PLR0911  one line a kind
    because = f" ({row.why})" if row.why else ""
    match row.what:
        case "handed-in":
            return f"handed in {row.after}"
        case "ran":
            return f"the notebook ran: {row.after}{because}"
        case "graded":
            return f"first graded here: {row.after}"
        case "mark" if not row.before:
            return f"mark for {row.item}: {row.after}"
        case "mark" if row.before == row.after:
            return f"mark for {row.item}: {row.after} as before, with another comment"
        case "mark":
            return f"mark for {row.item}: {row.before} → {row.after or 'taken back'}{because}"
        case "left-out":
            return "not in the submissions any more, and left out of the results"
        case "words":
            return f"{row.item}: only what is said changed{because}"
        case _:
            return f"{row.item}: {row.before} → {row.after}{because}"


def _line(text: str) -> str:
    return clipped(display_safe(text), MOST_CHARACTERS)
