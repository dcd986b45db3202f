"""The forms of one notebook's report on the command line: which, and where to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from grader.cli.options import F, with_options
from grader.grading.publishing import append_summary, write_forms, write_refusals
from grader.reports.forms import FORMS, GITHUB, REFUSALS, TEXT, on_stream, withheld
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
    forms = _to_files(form, output, also)
    write_forms(subject, forms)
    for each in dict.fromkeys([form, *(name for name, _ in forms)]):
        if withheld(each, subject):
            click.echo(f"Nothing is written for {each}: some checks could not be judged.", err=True)
    if form == GITHUB:
        append_summary(subject, os.environ)
    if not output and not withheld(form, subject):
        click.echo(on_stream(form, subject, sys.stdout), nl=False)


def refuse(sentence: str, form: str, output: Path | None, also: Sequence[tuple[str, Path]]) -> None:
    """Show or write that the notebook cannot be graded, in the forms that have a word for it."""
    write_refusals(sentence, _to_files(form, output, also))
    if not output and form in REFUSALS:
        click.echo(REFUSALS[form](sentence))


def _to_files(
    form: str, output: Path | None, also: Sequence[tuple[str, Path]]
) -> list[tuple[str, Path]]:
    return [*also, *([(form, output)] if output else [])]
