"""Class statistics on the terminal, 80 columns wide at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TextIO

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grader.class_statistics import ClassStatistics, Distribution
from grader.reports.console import can_write, printed
from grader.reports.plots import late_words
from grader.reports.stats_page import (
    DISTRIBUTION_ROWS,
    NOT_KNOWN,
    RUN_WORDS,
    STATE_WORDS,
    in_words,
    number,
    signed,
)
from grader.text import display_safe

MOST_CHECKS = 12
BAR_WIDTH = 20
NAME_WIDTH = 30
PAIRS = "A pair counts twice for points, and once for checks, mistakes and runs."


def stats_report(of: ClassStatistics, *, to: TextIO | None = None) -> str:
    """Return the statistics as tables.

    Args:
        to: the stream that this will be written to. It decides on colour and signs.
    """
    return printed(_tables(of, block="█" if can_write("█", to) else "#"), to)


def _tables(of: ClassStatistics, *, block: str) -> Group:
    parts: list[RenderableType] = [_heading(_counted(of)), Text(PAIRS, style="dim"), _states(of)]
    if of.final or of.code:
        parts += [_distributions(of), _histograms(of, block)]
    if of.items:
        parts.append(_items(of))
    if of.most_lost:
        parts.append(_checks(of))
    if of.mistakes:
        parts.append(_mistakes(of))
    if of.notebooks:
        parts += [_runs(of), _lateness(of)]
    return Group(*[part for each in parts for part in (each, "")][:-1])


def _counted(of: ClassStatistics) -> str:
    return f"{of.students} students, {of.notebooks} notebooks"


def _heading(words: str) -> Text:
    return Text(display_safe(words), style="bold")


def _table(title: str, *heads: str) -> Table:
    """Return a table whose first column is a name and whose others are numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(title, max_width=NAME_WIDTH, overflow="fold")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _add(table: Table, *cells: object) -> None:
    table.add_row(*[Text(display_safe(str(cell))) for cell in cells])


def _counts(title: str, rows: Iterable[tuple[str, int]]) -> Table:
    table = _table(title, "")
    table.columns[0].max_width = None
    for words, count in rows:
        _add(table, words, count)
    return table


# ------------------------------------------------------------------------------- parts
def _states(of: ClassStatistics) -> Table:
    return _counts("Grades", [(STATE_WORDS[state], count) for state, count in of.states.items()])


def _named(of: ClassStatistics) -> list[tuple[str, Distribution]]:
    both = (("Final", of.final), ("Code", of.code))
    return [(name, points) for name, points in both if points]


def _distributions(of: ClassStatistics) -> Table:
    named = _named(of)
    table = _table("Points", *[name for name, _ in named])
    for label, field in DISTRIBUTION_ROWS:
        _add(table, label, *[number(getattr(points, field)) for _, points in named])
    return table


def _histograms(of: ClassStatistics, block: str) -> Table:
    """Set the histograms side by side: each with where its bins begin, bars and counts."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    named = _named(of)
    for _ in named:
        grid.add_column(no_wrap=True)
    grid.add_row(*[_heading(f"{name}, students from …") for name, _ in named])
    for row in zip_longest(*[_bars(points, block) for _, points in named], fillvalue=""):
        grid.add_row(*map(Text, row))
    return grid


def _bars(points: Distribution, block: str) -> Sequence[str]:
    """Return a line for each bin, from the first to the last that holds anybody."""
    filled = [place for place, each in enumerate(points.bins) if each.count]
    shown = points.bins[filled[0] : filled[-1] + 1]
    most = max(each.count for each in shown)
    return [
        f"{number(each.low):>5} {block * _length(each.count, most):<{BAR_WIDTH}} {each.count:>4}"
        for each in shown
    ]


def _length(count: int, most: int) -> int:
    """Return a bar's length: in proportion, but anybody at all can be seen."""
    return max(round(BAR_WIDTH * count / most), min(count, 1))


def _items(of: ClassStatistics) -> Table:
    table = _table("Item", "students", "mean", "of", "all points", "none")
    for item in of.items:
        counts = (item.students, number(item.mean), number(item.possible), item.full, item.none)
        _add(table, item.item, *counts)
    return table


def _checks(of: ClassStatistics) -> Table:
    separates = ["separates"] if of.separates else []
    table = _table("Check most often lost", "lost", "judged", "points lost", *separates)
    for check in of.most_lost[:MOST_CHECKS]:
        found = signed(check.separation.correlation) if check.separation else NOT_KNOWN
        cells = (check.check, check.lost, check.judged, number(check.points_lost), found)
        _add(table, *cells[: len(table.columns)])
    if (more := len(of.most_lost) - MOST_CHECKS) > 0:
        _add(table, f"and {more} more")
    return table


def _mistakes(of: ClassStatistics) -> Table:
    table = _table("Mistake", "notebooks")
    table.add_column("checks", overflow="fold")
    for each in of.mistakes:
        _add(table, in_words(each.mistake), each.notebooks, ", ".join(each.checks))
    return table


def _runs(of: ClassStatistics) -> Table:
    ran = [(RUN_WORDS[outcome], count) for outcome, count in of.runs.items() if count]
    return _counts("Notebooks", ran)


def _lateness(of: ClassStatistics) -> Table:
    days = [(late_words(late), students) for late, students in of.late_days.items()]
    return _counts("Lateness", [*days, ("not known, or not counted", of.days_unknown)])
