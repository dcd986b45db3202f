"""The points that people give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from grader.cli.assignment import pack_of
from grader.cli.options import FILE, pack_options
from grader.grading.marking import template


@click.group()
def marks() -> None:
    """The points that people give.

    \b
    Example:
      grader marks template graded
    """


@marks.command("template")
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--marks", "given", type=FILE, help="Marks so far: their rows are taken over.")
@pack_options
def marks_template(out: Path, given: Path | None, **options: Any) -> None:
    """Write a table of the marks to give in OUT, with hints beside each row.

    Fill in the column `points` and give the file to `grader grade` with --marks.

    \b
    Examples:
      grader marks template graded
      grader marks template graded --marks marks.csv
    """
    path, count = template(out, pack_of(options), given)
    click.echo(f"{path}: {count} marks to give.")
