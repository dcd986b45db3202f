"""GitLab's code quality report: an entry for each lost check, at the line where it belongs.

GitLab compares two reports by their fingerprints, so one depends on the check and the file only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from grader.model import CheckResult, Outcome
from grader.reports.feedback import ItemView, failed_cells, last_line
from grader.reports.results import json_text
from grader.reports.subject import Subject, is_lost, words
from grader.text import clipped, plain

MOST_CHARACTERS = 1000  # of a description
MOST_CELLS = 100


def codequality_report(subject: Subject) -> str:
    """Return the JSON: a list, empty where nothing is wrong."""
    return json_text([*_checks(subject), *_cells(subject)])


def _checks(subject: Subject) -> Iterator[dict[str, Any]]:
    for view, check in subject.checks():
        if is_lost(view, check) or check.outcome is Outcome.BROKEN:
            place = subject.place(view.item, check.message)
            yield _entry(
                subject,
                name=check.check_id,
                description=_description(view, check),
                severity=_severity(view, check),
                line=place.line if place else 1,
            )


def _cells(subject: Subject) -> Iterator[dict[str, Any]]:
    for cell in failed_cells(subject.grade.run)[:MOST_CELLS]:
        place = subject.places.cells.get(cell.index + 1)
        yield _entry(
            subject,
            name=f"cell {cell.index + 1}",  # with a space, which no id of a check has
            description=f"Cell {cell.index + 1}: {last_line(cell.error) or cell.outcome.value}",
            severity="minor",
            line=place.line if place else 1,
        )


def _description(view: ItemView, check: CheckResult) -> str:
    points = f"{plain(check.earned)} of {plain(check.possible)}"
    return f"{view.item.title}: {check.title} ({points}). {check.message}"


def _severity(view: ItemView, check: CheckResult) -> str:
    if check.outcome is Outcome.BROKEN or view.extra:
        return "info"
    return "critical" if view.item.points == 0 else "major"


def _entry(
    subject: Subject, *, name: str, description: str, severity: str, line: int
) -> dict[str, Any]:
    path = words(subject.path).removeprefix("./")
    mark = hashlib.sha256(f"{subject.assignment}\n{path}\n{name}".encode())
    return {
        "type": "issue",
        "check_name": name,
        "description": clipped(words(description), MOST_CHARACTERS),
        "categories": ["Bug Risk"],
        "fingerprint": mark.hexdigest(),
        "severity": severity,
        "location": {"path": path, "lines": {"begin": line}},
    }
