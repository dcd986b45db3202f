"""A badge for a README: the JSON that shields' endpoint badges read.

Nothing of a student stands in it, and no hidden check has a number there.
"""

from __future__ import annotations

from decimal import Decimal

from grader.reports.results import json_text
from grader.reports.subject import Subject

# The share of the points from which on a badge has this colour.
_COLOURS = (
    (Decimal("1.0"), "brightgreen"),
    (Decimal("0.9"), "green"),
    (Decimal("0.8"), "yellowgreen"),
    (Decimal("0.7"), "yellow"),
    (Decimal("0.6"), "orange"),
    (Decimal("0.0"), "red"),
)


def badge_report(subject: Subject) -> str:
    """Return the JSON: the points for the code, in a colour that fits."""
    points, possible = subject.code.points, subject.code.possible
    message, colour = "not judged", "lightgrey"
    if points is not None and possible:
        message = subject.score
        colour = next(name for share, name in _COLOURS if points >= share * possible)
    label = subject.assignment or "grader"
    return json_text({"schemaVersion": 1, "label": label, "message": message, "color": colour})
