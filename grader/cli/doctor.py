"""Say what works here."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from grader.cli.options import NEEDS_ATTENTION, pack_dir_option
from grader.grading.doctor import examine
from grader.places import bundled
from grader.reports.console import doctor_table


@click.command()
@pack_dir_option
@click.pass_context
def doctor(ctx: click.Context, pack_dir: tuple[Path, ...]) -> None:
    """Say what is installed, what works here, and what to do about what does not.

    \b
    Example:
      grader doctor
    """
    findings = list(examine([*pack_dir, bundled("rubrics")]))
    Console().print(doctor_table([(f.what, f.well, f.seen, f.mend) for f in findings]))
    ctx.exit(0 if all(finding.well for finding in findings) else NEEDS_ATTENTION)
