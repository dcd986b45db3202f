"""The forms of one notebook's report on the command line: which, and where to.

Loads nothing that takes long, as grader.cli.options.
"""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import F, with_options
from grader.reports.form_names import FORM_NAMES, TEXT


def _forms_and_files(
    _ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]
) -> list[tuple[str, Path]]:
    """Read each FORMAT=FILE."""
    found = []
    for each in given:
        form, _, file = each.partition("=")
        if form not in FORM_NAMES or not file:
            known = ", ".join(FORM_NAMES)
            raise click.BadParameter(f"{each!r} is not FORMAT=FILE with a format of {known}.")
        found.append((form, Path(file)))
    return found


def form_options(command: F) -> F:
    """How to report on one notebook."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORM_NAMES),
            default=TEXT,
            show_default=True,
            help="How to report.",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write there and not to stdout.",
        ),
        click.option(
            "--also",
            metavar="FORMAT=FILE",
            callback=_forms_and_files,
            multiple=True,
            help="Write this form of the same run too; may be repeated.",
        ),
    )
    return with_options(options, command)
