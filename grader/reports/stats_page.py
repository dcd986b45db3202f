"""Class statistics as a page: a file on its own, without scripts, that loads nothing.

It looks like the feedback pages, and is as strict about what it shows.
"""

from __future__ import annotations

import base64
import re

from markupsafe import Markup, escape

from grader.class_statistics import ClassStatistics
from grader.model import RunOutcome, State
from grader.reports.html import MINUS, environment
from grader.reports.plots import Plot, check_bars, histogram, item_bars, late_bars
from grader.text import display_safe

STATE_WORDS = {
    State.FINAL: "final",
    State.NEEDS_MARKS: "need marks by a person",
    State.NEEDS_ATTENTION: "need attention",
}
RUN_WORDS = {
    RunOutcome.COMPLETE: "ran to the end without an error",
    RunOutcome.ERRORS: "ran with errors in some cells",
    RunOutcome.TIMEOUT: "did not come to an end in time",
    RunOutcome.DIED: "ended the Python process",
    RunOutcome.UNREADABLE: "could not be run",
}
DISTRIBUTION_ROWS = (
    ("Students", "count"),
    ("Possible", "possible"),
    ("Mean", "mean"),
    ("Standard deviation", "deviation"),
    ("Lowest", "lowest"),
    ("Lower quartile", "lower_quartile"),
    ("Median", "median"),
    ("Upper quartile", "upper_quartile"),
    ("Highest", "highest"),
)
NOT_KNOWN = "\N{EN DASH}"
NAME_PARTS = re.compile(r"[^._]*[._]+|[^._]+")


def stats_page(statistics: ClassStatistics) -> str:
    """Return the page."""
    template = environment().get_template("stats.html.j2")
    return template.render(
        of=statistics,
        grades=[_shown(plot) for plot in _grade_plots(statistics)],
        items=[_shown(item_bars(statistics.items))] if _any_item(statistics) else [],
        checks=[_shown(check_bars(statistics.most_lost))] if statistics.most_lost else [],
        late=[_shown(late_bars(statistics.late_days))] if statistics.late_days else [],
        states=STATE_WORDS,
        runs=RUN_WORDS,
        number=number,
        signed=signed,
        breakable=breakable,
        in_words=in_words,
        distribution_rows=DISTRIBUTION_ROWS,
    )


def _grade_plots(statistics: ClassStatistics) -> list[Plot]:
    named = (("Final grades", statistics.final), ("Points for the code", statistics.code))
    return [histogram(points, what) for what, points in named if points]


def _any_item(statistics: ClassStatistics) -> bool:
    return any(item.students for item in statistics.items)


def _shown(plot: Plot) -> dict[str, str]:
    """Return a plot for the template: the SVG as an image's address, so that nothing in it runs."""
    encoded = base64.b64encode(plot.svg.encode()).decode()
    source = Markup("data:image/svg+xml;base64,{}").format(encoded)
    return {"source": source, "caption": plot.caption, "words": plot.words}


# ------------------------------------------------------------------------------- numbers
def number(value: float | None) -> str:
    """Return points as people write them, with a decimal at most; a dash: not known."""
    return NOT_KNOWN if value is None else f"{value:.1f}".removesuffix(".0")


def signed(value: float) -> str:
    """Return a correlation with two decimals and a true minus sign."""
    return f"{value:.2f}".replace("-", MINUS)


def in_words(name: str) -> str:
    """Return the name that a pack gives a mistake as people read it: "partition not shuffled"."""
    return display_safe(name).replace("_", " ")


def breakable(text: str) -> Markup:
    """Return a name that may be broken behind its dots and underscores, where a phone needs it."""
    return Markup("<wbr>").join(escape(part) for part in NAME_PARTS.findall(display_safe(text)))
