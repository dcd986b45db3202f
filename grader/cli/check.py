"""Check one notebook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from grader.cli.forms import deliver, form_options
from grader.cli.options import (
    FILE,
    NEEDS_ATTENTION,
    isolation_option,
    limit_options,
    limits_of,
    pack_of,
    pack_options,
    seed_option,
    warn,
)
from grader.grading.check import check_notebook
from grader.grading.publishing import subject_of
from grader.grading.setting import given_secret, notebook_executor
from grader.kernels.isolation import Isolation
from grader.model import Section, State

BELOW_MIN_SCORE = 1


@click.command()
@click.argument("notebook", type=FILE)
@form_options
@click.option("--min-score", type=float, help="End with status 1 below this many code points.")
@seed_option
@isolation_option
@pack_options
@limit_options
@click.pass_context
def check(
    ctx: click.Context,
    /,
    notebook: Path,
    *,
    form: str,
    output: Path | None,
    also: list[tuple[str, Path]],
    min_score: float | None,
    hidden_seed_file: Path | None,
    isolation: str,
    **options: Any,
) -> None:
    """Check NOTEBOOK against the public tests.

    The final grading asks different but similar questions. Only where the course's secret is
    given are they asked here too.

    \b
    Examples:
      grader check Lastname-A2.ipynb
      grader check Lastname-A2.ipynb --format json -o result.json --min-score 60
      grader check Lastname-A2.ipynb --format markdown -o feedback.md
      grader check Lastname-A2.ipynb --format github --also junit=junit.xml \\
          --also badge=badge.json
      grader check Lastname-A2.ipynb --also codequality=quality.json
      grader check Lastname-A2.ipynb --format gradescope -o results.json
    """
    pack = pack_of(options)
    limits = limits_of(options, pack)
    secret = given_secret(hidden_seed_file, os.environ)
    with notebook_executor(pack, limits, Isolation(isolation), warn) as executor:
        checked = check_notebook(notebook, pack, executor, secret=secret)
    deliver(subject_of(checked, pack, notebook, os.environ), form, output, also)
    if checked.grade.score.state is State.NEEDS_ATTENTION:
        ctx.exit(NEEDS_ATTENTION)
    code = checked.grade.score.sections[Section.CODE].points
    if min_score is not None and (code is None or code < min_score):
        ctx.exit(BELOW_MIN_SCORE)
