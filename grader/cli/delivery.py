"""Show and write what a command has to report on one notebook."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from grader.grading.publishing import append_summary, write_forms, write_refusals
from grader.reports.form_names import GITHUB
from grader.reports.forms import REFUSALS, on_stream, withheld
from grader.reports.subject import Subject


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
