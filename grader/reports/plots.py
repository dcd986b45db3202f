"""Plots of class statistics: SVG texts that are the same for the same numbers.

Drawn at the width of a phone, so that their words can be read there; a wide page sets them side
by side. Each comes with words for those who do not see it. Words are few and plain: titles of a
rubric's items and ids of its checks, nothing from a student.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.class_statistics import CheckStatistics, Distribution, ItemStatistics
from grader.text import clipped, display_safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 3.4, 2.2  # inches
BAR_HEIGHT = 0.19  # inches for each line of a plot of lines
MOST_LINES = 15
LONGEST_WORD = 26
INK, BLUE, PALE, GREY = "#21201c", "#1c5d99", "#86aed6", "#9a9486"
SETTINGS: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 8,
    "svg.fonttype": "path",  # drawn with any fonts, or none
    "svg.hashsalt": "grader",  # the same names of parts each time
    "text.color": INK,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing, what stands under it, and the same in words."""

    svg: str
    caption: str
    words: str


def histogram(points: Distribution, what: str) -> Plot:
    """Draw how many students have how many points."""

    def draw(axes: Axes) -> None:
        edges = [points.bins[0].low, *(each.high for each in points.bins)]
        counts = [each.count for each in points.bins]
        axes.bar(edges[:-1], counts, [b.high - b.low for b in points.bins], align="edge", **BAR)
        axes.axvline(points.median, color=INK, linestyle="--", linewidth=1)
        _count_axis(axes, "students")
        axes.set_xlabel(f"points of {points.possible:g} (dashed: the median)")

    filled = [each for each in points.bins if each.count]
    parts = [f"{each.count} from {each.low:g} to {each.high:g}" for each in filled]
    words = f"{what} of {points.count} students: {', '.join(parts)} points."
    return Plot(svg=_drawn(draw), caption=what, words=words)


def item_bars(items: Sequence[ItemStatistics]) -> Plot:
    """Draw for each item the share of students with all of its points, some, and none."""
    known = [item for item in items if item.students][:MOST_LINES]

    def draw(axes: Axes) -> None:
        places = range(len(known))  # two items may have one title
        full = [item.full / item.students for item in known]
        none = [item.none / item.students for item in known]
        some = [1 - a - b for a, b in zip(full, none, strict=True)]
        so_far = [0.0] * len(known)
        for shares, colour, label in (
            (full, BLUE, "all"),
            (some, PALE, "some"),
            (none, GREY, "none"),
        ):
            axes.barh(places, shares, 0.7, so_far, color=colour, label=label)
            so_far = [a + b for a, b in zip(so_far, shares, strict=True)]
        axes.set_yticks(places, [_word(item.title) for item in known])
        _share_axis(axes, "share of students")
        axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.4, 1), frameon=False)

    words = "; ".join(
        f"{item.title}: {item.full} of {item.students} with all points, {item.none} with none"
        for item in known
    )
    return Plot(
        svg=_drawn(draw, lines=len(known) + 1),
        caption="Students with all points of an item, some, none",
        words=f"{words}.",
    )


def check_bars(checks: Sequence[CheckStatistics]) -> Plot:
    """Draw the share of notebooks that lost each check; the first of `checks` on top."""
    shown = checks[:MOST_LINES]

    def draw(axes: Axes) -> None:
        shares = [check.share_lost for check in shown]
        axes.barh([_word(check.check) for check in shown], shares, 0.7, **BAR)
        _share_axis(axes, "share of notebooks that lost it", top=max(0.1, *shares) * 1.05)

    parts = [f"{check.check} by {check.lost} of {check.judged}" for check in shown]
    words = f"Notebooks that lost a check: {', '.join(parts)}."
    return Plot(svg=_drawn(draw, lines=len(shown)), caption="Checks most often lost", words=words)


def late_bars(late_days: Mapping[int, int]) -> Plot:
    """Draw how many students were how many days late."""

    def draw(axes: Axes) -> None:
        bars = axes.bar([str(days) for days in late_days], list(late_days.values()), **BAR)
        axes.bar_label(bars)
        _count_axis(axes, "students")
        axes.set_xlabel("days late")

    parts = [f"{late_words(days)} {count}" for days, count in late_days.items()]
    return Plot(svg=_drawn(draw), caption="Days late", words=f"Students: {', '.join(parts)}.")


def late_words(days: int) -> str:
    return {0: "on time", 1: "1 day late"}.get(days, f"{days} days late")


# ------------------------------------------------------------------------------- drawing
BAR: dict[str, Any] = {"color": BLUE, "edgecolor": "white", "linewidth": 0.5}


def _drawn(draw: Callable[[Axes], None], *, lines: int = 0) -> str:
    """Return what `draw` drew as an SVG; `lines` make it as high as they need."""
    import matplotlib as mpl  # noqa: PLC0415  half a second, for who wants a plot
    from matplotlib.figure import Figure  # noqa: PLC0415  the same

    with mpl.rc_context(SETTINGS):
        height = 0.6 + BAR_HEIGHT * lines if lines else HEIGHT
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def _count_axis(axes: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  the same

    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(label)


def _share_axis(axes: Axes, label: str, *, top: float = 1.0) -> None:
    axes.invert_yaxis()
    axes.set_xlim(0, min(1.0, top))
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(label)


def _word(text: str) -> str:
    """Return an id as it can be drawn with any font."""
    return clipped(display_safe(text), LONGEST_WORD).encode("ascii", "replace").decode()
