"""Workflow commands of GitHub Actions: what is wrong, at the cell where it is defined.

Each line is one command, `::error file=…,line=…,title=…::message`. A student's words stand in
properties and messages only, escaped as GitHub reads them, so that none of them begins a command.
GitHub shows ten annotations of a kind for a step: what cost the most comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from grader.model import Outcome
from grader.reports.feedback import ItemView, Loss, LostCheck, failed_cells, last_line
from grader.reports.markdown import markdown_report, text
from grader.reports.places import Place
from grader.reports.subject import Subject, words
from grader.text import clipped, display_safe, plain

MOST_ANNOTATIONS = 10
MOST_MESSAGE = 2000  # characters
MOST_TITLE = 200
MOST_SUMMARY = 900_000  # bytes; GitHub shows no summary of more than a mebibyte
NO_REASON = "The grader ended without a word; the log of this step has what is known."
_ERROR = re.compile(r"^Error: (.+)", re.MULTILINE | re.DOTALL)
CUT = "\n\n*The summary is cut off here: it would be too long.*\n"


def github_report(subject: Subject) -> str:
    """Return the commands, one a line."""
    lines = [*_losses(subject), *_extra(subject), *_failed_cells(subject), *_unjudged(subject)]
    return "\n".join([*lines, _total(subject)]) + "\n"


def job_summary(subject: Subject) -> str:
    """Return the report in Markdown, short enough for a job's summary."""
    whole = markdown_report(subject.grade, subject.rubric, subject.exhibits, subject.facts)
    if len(whole.encode()) <= MOST_SUMMARY:
        return whole
    kept: list[str] = []
    room = MOST_SUMMARY - len(CUT)
    for block in whole.split("\n\n"):
        room -= len(block.encode()) + 2
        if room < 0:
            break
        kept.append(block)
    return "\n\n".join(kept) + CUT


def unchecked(stderr: str) -> tuple[str, str]:
    """Return the command and the summary for a notebook of which there is no report at all.

    Args:
        stderr: what `grader check` said; its last words begin with "Error: ".
    """
    found = _ERROR.search(stderr)
    sentence = " ".join(found[1].split()) if found else NO_REASON
    return _command("error", sentence, "grader"), f"**Not checked.** {text(sentence)}\n"


# ------------------------------------------------------------------------------- what is said
def _losses(subject: Subject) -> Iterator[str]:
    lost = [(view, loss) for view in subject.said.items if not view.extra for loss in view.tests]
    lost.sort(key=lambda pair: -pair[1].points)
    for view, loss in lost[:MOST_ANNOTATIONS]:
        yield _loss("error", subject, view, loss, loss.points)


def _extra(subject: Subject) -> Iterator[str]:
    views = [view for view in subject.said.items if view.extra and view.attempted]
    lost = [(view, loss) for view in views for loss in view.tests[:2]]
    for view, loss in lost[: MOST_ANNOTATIONS - 1]:  # leaves room for the total
        yield _loss("notice", subject, view, loss, Decimal(0))


def _loss(kind: str, subject: Subject, view: ItemView, loss: Loss, cost: Decimal) -> str:
    title = f"{view.item.title} (-{plain(cost)})" if cost else view.item.title
    tests = [_test(check) for check in loss.checks]
    place = subject.place(view.item, loss.message)
    message = "\n".join(filter(None, [words(loss.message), *map(words, tests)]))
    return _command(kind, message, title, subject.path, place)


def _test(check: LostCheck) -> str:
    """Return one test of a loss: what it was, and the first of the numbers that show it."""
    parts = [f"- {check.title}{':' if check.words or check.rows else ''}", check.words]
    parts += [f"{row.label}: expected {row.expected}, yours {row.yours}." for row in check.rows[:1]]
    return " ".join(filter(None, parts))


def _failed_cells(subject: Subject) -> Iterator[str]:
    for cell in failed_cells(subject.grade.run)[: MOST_ANNOTATIONS - 1]:
        place = subject.places.cells.get(cell.index + 1) or Place(cell.index + 1, 1)
        message = last_line(cell.error) or "This cell was stopped."
        yield _command("warning", message, cell.outcome.value, subject.path, place)


def _unjudged(subject: Subject) -> Iterator[str]:
    open_ = [check.title for _, check in subject.checks() if check.outcome is Outcome.BROKEN]
    if open_:
        message = "Not tested, for a reason that is not the student's: " + "; ".join(open_)
        yield _command("warning", message, "Some checks could not be made")


def _total(subject: Subject) -> str:
    title = f"grader {subject.assignment}".strip()
    return _command("notice", f"{subject.score} points for the code.", title)


# ------------------------------------------------------------------------------- how it is said
def _command(
    kind: str, message: str, title: str, path: str = "", place: Place | None = None
) -> str:
    properties = {}
    if path:
        properties["file"] = words(path)
        properties["line"] = str(place.line if place else 1)
        title = f"Cell {place.cell}: {title}" if place else title
    properties["title"] = clipped(words(title), MOST_TITLE)
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{kind} {listed}::{_data(message)}"


def _data(message: str) -> str:
    """Escape a message. Of what breaks lines only the newline is left by then."""
    safe = clipped(display_safe(message, lines=True), MOST_MESSAGE)
    return safe.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
