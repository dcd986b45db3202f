"""Check one notebook."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from grader.cli.forms import deliver, form_options, refuse
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
from grader.cli.watching import saves
from grader.errors import SubmissionError, UsageError
from grader.grading.check import checker
from grader.grading.publishing import subject_of
from grader.grading.setting import given_secret
from grader.kernels.isolation import Isolation
from grader.reports.subject import Subject

BELOW_MIN_SCORE = 1
LOOK_SECONDS = 0.3  # between two looks at whether the notebook was saved


@click.command()
@click.argument("notebook", type=FILE)
@click.option("--quick", is_flag=True, help="Run no cells: ask only what the notebook defines.")
@click.option("--watch", is_flag=True, help="Check again each time the notebook is saved.")
@click.option("--due", default="", metavar="TIME", help="Say how late it is now.")
@click.option(
    "--submission-metadata",
    type=FILE,
    help="Gradescope's JSON of when it was handed in and due, in place of --due and now.",
)
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
    quick: bool,
    watch: bool,
    due: str,
    submission_metadata: Path | None,
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
      grader check Lastname-A2.ipynb --quick --watch
      grader check Lastname-A2.ipynb --due 2026-10-31T23:59
      grader check Lastname-A2.ipynb --format json -o result.json --min-score 60
      grader check Lastname-A2.ipynb --format markdown -o feedback.md
      grader check Lastname-A2.ipynb --format github --also junit=junit.xml \\
          --also badge=badge.json
      grader check Lastname-A2.ipynb --also codequality=quality.json
      grader check Lastname-A2.ipynb --format gradescope -o results.json
      grader check Lastname-A2.ipynb --format gradescope -o results.json \\
          --submission-metadata submission_metadata.json
    """
    if watch and min_score is not None:
        raise UsageError("--watch goes on until Ctrl-C, so there is no status for --min-score.")
    if due and submission_metadata:
        raise UsageError("--due and --submission-metadata both say when it was due: give one.")
    pack = pack_of(options)
    prepared = checker(
        pack,
        limits_of(options, pack),
        Isolation(isolation),
        warn,
        secret=given_secret(hidden_seed_file, os.environ),
        quick=quick,
        due=due,
        metadata=submission_metadata,
    )
    with prepared as checking:

        def report() -> Subject:
            try:
                checked = checking.check(notebook)
            except SubmissionError as error:
                refuse(str(error), form, output, also)
                raise
            subject = subject_of(checked, pack, notebook, os.environ)
            deliver(subject, form, output, also)
            return subject

        if watch:
            _watch(notebook, report)
            return
        subject = report()
    ctx.exit(_status(subject, min_score))


def _watch(notebook: Path, report: Callable[[], object]) -> None:
    """Report now and after every save, until Ctrl-C."""
    try:
        for _ in saves(notebook, partial(time.sleep, LOOK_SECONDS)):
            try:
                report()
            except SubmissionError as error:  # saved in the middle of something
                click.echo(str(error), err=True)
            click.echo(f"\nChecked at {time.strftime('%H:%M:%S')}. Ctrl-C ends.\n", err=True)
    except KeyboardInterrupt:
        return


def _status(subject: Subject, min_score: float | None) -> int:
    if subject.unjudged:
        return NEEDS_ATTENTION
    code = subject.code.points
    return BELOW_MIN_SCORE if min_score is not None and (code is None or code < min_score) else 0
