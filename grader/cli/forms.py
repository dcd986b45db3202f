"""The forms of one notebook's report on the command line: which, and where to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from grader.cli.options import F, with_options
from grader.grading.publishing import append_summary, write_forms
from grader.reports.forms import FORMS, GITHUB, TEXT, on_stream
from grader.reports.subject import Subject


def _forms_and_files(
    _ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]
) -> list[tuple[str, Path]]:
    """Read each FORMAT=FILE."""
    found = []
    for each in given:
        form, _, file = each.partition("=")
        if form not in FORMS or not file:
            known = ", ".join(FORMS)
            raise click.BadParameter(f"{each!r} is not FORMAT=FILE with a format of {known}.")
        found.append((form, Path(file)))
    return found


def form_options(command: F) -> F:
    """How to report on one notebook."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(list(FORMS)),
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


def deliver(
    subject: Subject, form: str, output: Path | None, also: Sequence[tuple[str, Path]]
) -> None:
    """Show or write one report in all forms that were asked for."""
    write_forms(subject, [*also, *([(form, output)] if output else [])])
    if form == GITHUB:
        append_summary(subject, os.environ)
    if not output:
        click.echo(on_stream(form, subject, sys.stdout), nl=False)
