"""Gradescope's results.json: a test for each check, with its points and who may see it.

Tests that published inputs decided are visible at once, those that hidden inputs decided after the
grades are published. Every output is plain text. No leaderboard, no stdout; marks are Gradescope's,
and so is lateness where nothing is known of it here.

Gradescope knows no test without points: its total counts. So where a check could not be judged,
this form is withheld, and Gradescope says that the autograder failed (`forms.withheld`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from grader.model import CheckResult, Outcome, Visibility
from grader.reports.feedback import ItemView
from grader.reports.junit import NOT_ATTEMPTED
from grader.reports.results import json_text
from grader.reports.subject import Subject, is_lost, number, words
from grader.text import clipped, display_safe, plain

MOST_CHARACTERS = 4000  # of one output
_FORM = {"output_format": "text", "visibility": "visible", "stdout_visibility": "hidden"}
_VISIBLE = {Visibility.PUBLIC: "visible", Visibility.HIDDEN: "after_published"}


def gradescope_report(subject: Subject) -> str:
    """Return the JSON. Its score is that of all tests, extra credit included, less what is late."""
    earned = _earned(subject)
    report: dict[str, Any] = {
        "score": number(earned - _taken_off(subject)),
        "execution_time": round(subject.grade.run.seconds),
        "output": "\n".join(clipped(words(line), MOST_CHARACTERS) for line in _output(subject)),
        **_FORM,
        "test_output_format": "text",
        "test_name_format": "text",
        "tests": [_test(view, check, i) for i, (view, check) in enumerate(subject.checks(), 1)],
    }
    return json_text(report)


def refusal_report(sentence: str) -> str:
    """Return the JSON for what cannot be graded as a notebook: no points, and why."""
    return json_text({"score": 0, "output": clipped(words(sentence), MOST_CHARACTERS), **_FORM})


def _earned(subject: Subject) -> Decimal:
    return sum((check.earned for _, check in subject.checks()), Decimal(0))


def _taken_off(subject: Subject) -> Decimal:
    """Return what lateness costs here: nothing is below 0."""
    return min(subject.grade.score.late.penalty, _earned(subject))


def _output(subject: Subject) -> Iterator[str]:
    """Yield how late it was and how it ran; the numbers of hidden tests are in no sentence."""
    said, late = subject.said, subject.grade.score.late
    if late.days:
        yield late.note
        off = _taken_off(subject)
        left = late.penalty - off
        yield f"For that, {_points(off)} are taken off here." + (
            f" It costs {_points(late.penalty)}: {plain(left)} of them are left." if left else ""
        )
    yield from (*said.run, *said.notes, *said.missing)


def _points(points: Decimal) -> str:
    return f"{plain(points)} point{'' if points == 1 else 's'}"


def _test(view: ItemView, check: CheckResult, count: int) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": words(f"{view.item.title}: {check.title}"),
        "name_format": "text",
        "number": str(count),
        "score": number(check.earned),
        "max_score": number(check.possible),
        "status": "passed" if check.outcome is Outcome.PASSED else "failed",
        "output": _said(view, check),
        "output_format": "text",
        "tags": [view.item.item_id, check.check_id],
        "visibility": _VISIBLE[check.visibility],
    }
    if check.outcome is Outcome.BROKEN:
        for key in ("score", "max_score", "status"):  # withheld, and seen by nobody but programs
            del test[key]
    return test


def _said(view: ItemView, check: CheckResult) -> str:
    if check.outcome is Outcome.FAILED and not is_lost(view, check):
        return NOT_ATTEMPTED
    return clipped(display_safe(check.message, lines=True), MOST_CHARACTERS)
