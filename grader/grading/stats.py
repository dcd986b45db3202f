"""Statistics of a class that was graded: read its results, write the page."""

from __future__ import annotations

from pathlib import Path

from grader.class_statistics import ClassStatistics
from grader.files import write_whole
from grader.reports.results import read_results
from grader.reports.stats import statistics_of
from grader.reports.stats_page import stats_page

PAGE = "stats.html"


def class_report(out: Path) -> tuple[ClassStatistics, Path]:
    """Write `stats.html` beside the results of `grader grade`; return the numbers and its path.

    Raises:
        UsageError: there are no results there, or the page cannot be written.
    """
    statistics = statistics_of(read_results(out / "results.json"))
    page = out / PAGE
    write_whole(page, stats_page(statistics).encode())
    return statistics, page
