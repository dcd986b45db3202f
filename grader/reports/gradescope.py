"""Gradescope's results.json: a test for each check, with its points and who may see it.

Tests that published inputs decided are visible at once, those that hidden inputs decided after the
grades are published. Every output is plain text. No leaderboard, no stdout; lateness and marks are
Gradescope's. A check that could not be judged has no points there, neither 0 nor full.
"""

from __future__ import annotations

from typing import Any

from grader.model import CheckResult, Outcome, Visibility
from grader.reports.feedback import ItemView
from grader.reports.junit import NOT_ATTEMPTED
from grader.reports.results import json_text
from grader.reports.subject import Subject, is_lost, number, words
from grader.text import clipped, display_safe

MOST_CHARACTERS = 4000  # of one output
_VISIBLE = {Visibility.PUBLIC: "visible", Visibility.HIDDEN: "after_published"}


def gradescope_report(subject: Subject) -> str:
    """Return the JSON. Its score is that of all tests, extra credit included."""
    earned = [check.earned for _, check in subject.checks()]
    report: dict[str, Any] = {
        "score": number(sum(earned[1:], earned[0])) if earned else 0,
        "execution_time": round(subject.grade.run.seconds),
        "output": _output(subject),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [_test(view, check, i) for i, (view, check) in enumerate(subject.checks(), 1)],
    }
    if subject.unjudged:
        del report["score"]  # Gradescope adds up what the tests have
    return json_text(report)


def _output(subject: Subject) -> str:
    """Say how the notebook ran; the numbers of hidden tests are in none of these sentences."""
    said = subject.said
    lines = [*said.run, *said.notes, *said.missing]
    return "\n".join(clipped(words(line), MOST_CHARACTERS) for line in lines)


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
        for key in ("score", "max_score", "status"):
            del test[key]
    return test


def _said(view: ItemView, check: CheckResult) -> str:
    if check.outcome is Outcome.FAILED and not is_lost(view, check):
        return NOT_ATTEMPTED
    return clipped(display_safe(check.message, lines=True), MOST_CHARACTERS)
