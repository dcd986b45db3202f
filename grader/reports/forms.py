"""Every form that one notebook's report can have, by the name that it has on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from grader.reports.badge import badge_report
from grader.reports.codequality import codequality_report
from grader.reports.console import check_report
from grader.reports.form_names import (
    BADGE,
    CODEQUALITY,
    GITHUB,
    GRADESCOPE,
    JSON,
    JUNIT,
    MARKDOWN,
    TEXT,
)
from grader.reports.github import github_report
from grader.reports.gradescope import gradescope_report, refusal_report
from grader.reports.junit import junit_report
from grader.reports.markdown import markdown_report
from grader.reports.results import json_text, result_object
from grader.reports.subject import Subject


def _text(subject: Subject) -> str:
    return check_report(subject.grade, subject.rubric, subject.exhibits, subject.facts)


def _markdown(subject: Subject) -> str:
    return markdown_report(subject.grade, subject.rubric, subject.exhibits, subject.facts)


def _json(subject: Subject) -> str:
    return json_text(result_object(subject.grade))


FORMS: Mapping[str, Callable[[Subject], str]] = {
    TEXT: _text,
    MARKDOWN: _markdown,
    JSON: _json,
    JUNIT: junit_report,
    GITHUB: github_report,
    GRADESCOPE: gradescope_report,
    CODEQUALITY: codequality_report,
    BADGE: badge_report,
}


# What says that a notebook cannot be graded; the other forms have nothing for it.
REFUSALS: Mapping[str, Callable[[str], str]] = {GRADESCOPE: refusal_report}


def withheld(form: str, subject: Subject) -> bool:
    """Whether nothing is to be written in a form: its reader would count a fault of ours as 0."""
    return form == GRADESCOPE and subject.unjudged


def as_file(form: str, subject: Subject) -> bytes:
    """Return a report as a file has it: UTF-8, its last line ended."""
    return (FORMS[form](subject).rstrip("\n") + "\n").encode()


def on_stream(form: str, subject: Subject, to: TextIO) -> bytes:
    """Return a report as it is written to a stream.

    Text is for people: colour, width and signs are those of the stream. All other forms are for
    programs and are UTF-8 wherever they go.
    """
    if form != TEXT:
        return as_file(form, subject)
    text = check_report(subject.grade, subject.rubric, subject.exhibits, subject.facts, to=to)
    return f"{text}\n".encode(to.encoding or "utf-8", "replace")
