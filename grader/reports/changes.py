"""What the terminal shows of changes: whose points became others and why, and one student's story.

Every text is made safe to display (see grader.text).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.text import clipped, display_safe

NAME_WIDTH = 26
MOST_ROWS = 60
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


def _text(words: str, style: str = "") -> Text:
    return Text(display_safe(words), style=style, overflow="fold")


def changes_report(
    rows: Sequence[ChangeRow], *, all_rows: bool = False, rest: str = "--all shows them"
) -> Group:
    """Return the table of changes; where it is long, its beginning, unless all of it is wanted.

    Args:
        rest: how to see the other lines of a long table.
    """
    points = [row for row in rows if not row.words_only]
    words = [row for row in rows if row.words_only]
    parts: list[RenderableType] = []
    if points:
        shown = points if all_rows else points[:MOST_ROWS]
        parts.append(_table(shown))
        if len(points) > len(shown):
            left = len(points) - len(shown)
            parts.append(_text(f"and {left} more lines: {rest}.", "dim"))
            parts.append(_text(_summed_up(points)))
        students = len({row.student for row in points})
        parts.append(_text(f"{students} students have other points or another grade.", "bold"))
    else:
        parts.append(_text(NOTHING_CHANGED))
    if words:
        reasons = Counter(row.why for row in words)
        why = ", ".join(f"{reason or 'other'}: {count}" for reason, count in reasons.most_common())
        count = len({row.student for row in words})
        parts.append(_text(f"Only what is said changed for {count} students ({why}).", "dim"))
    return Group(*parts)


def _summed_up(rows: Sequence[ChangeRow]) -> str:
    """Say how often which item changed and why; a long table hides what is rare in it."""
    counts = Counter((row.item, row.why) for row in rows)
    return "; ".join(
        f"{item}{f' ({why})' if why else ''}: {count}"
        for (item, why), count in counts.most_common()
    )


def _table(rows: Sequence[ChangeRow]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold", title_justify="left")
    table.add_column("Student", overflow="ellipsis", no_wrap=True, max_width=NAME_WIDTH)
    table.add_column("Item", no_wrap=True)
    table.add_column("Before", justify="right", no_wrap=True)
    table.add_column("After", justify="right", no_wrap=True)
    table.add_column("Why", overflow="fold")
    for row in rows:
        table.add_row(*map(_text, (row.student, row.item, row.before, row.after, row.why)))
    return table


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
