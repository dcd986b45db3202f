"""Class statistics."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grader.grading.stats import class_report
from grader.reports.results import json_text
from grader.reports.stats import stats_object
from grader.reports.stats_table import stats_report


@click.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON, not as tables.")
def stats(out: Path, *, as_json: bool) -> None:
    """Show the class statistics of OUT, the folder of a grading, and write stats.html there.

    Grades, points by item, checks that were lost, recognised mistakes, how the notebooks ran and
    how late they were. Nobody's name is in it.

    \b
    Examples:
      grader stats graded
      grader stats graded --json > stats.json
    """
    statistics, page = class_report(out)
    if as_json:
        click.echo(json_text(stats_object(statistics)))
    else:
        click.echo(stats_report(statistics, to=sys.stdout))
        click.echo(f"\nThe same with plots: {page}")
