"""Check one notebook: what is given on the command line.

A kernel is begun as soon as that is read, and what else takes long is loaded meanwhile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from grader.cli.forms import form_options
from grader.cli.options import FILE, isolation_option, limit_options, pack_options, seed_option
from grader.errors import UsageError
from grader.kernels.isolation import Isolation, launched


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
    *,
    isolation: str,
    watch: bool,
    min_score: float | None,
    due: str,
    submission_metadata: Path | None,
    **given: Any,
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
    with launched(Isolation(isolation)) as server:
        from grader.cli.checking import Checking  # noqa: PLC0415  takes as long as the server

        checking = Checking.of(
            given,
            isolation=Isolation(isolation),
            min_score=min_score,
            due=due,
            metadata=submission_metadata,
        )
        status = checking.watch(server) if watch else checking.once(server)
    ctx.exit(status)
