"""An assignment's late policy, and what it means for one notebook: now, or on Gradescope."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from grader.intake.submission_metadata import read_submission_metadata
from grader.lateness import LatePolicy, late, parse_when
from grader.model import Late
from grader.rubric import Rubric
from grader.text import plain


def late_policy(rubric: Rubric) -> LatePolicy:
    """Return what the rubric says of late work. Raises UsageError where it makes no sense."""
    rule = rubric.late
    return LatePolicy(rule.points_per_day, rule.grace_minutes, rule.timezone)


def late_at(now: datetime, due: str, rubric: Rubric) -> Late:
    """Return how late a notebook is that is handed in at `now`, which knows its zone.

    Args:
        due: the due time as on the command line; empty: it is not known.

    Raises:
        UsageError: it is no date and time.
    """
    policy = late_policy(rubric)
    if not due:
        cost = plain(policy.points_per_day)
        note = f"Each day late costs {cost} points; how late this is, --due TIME tells."
        return Late(note=note if policy.points_per_day else "")
    found = late(parse_when(due, policy), now, policy=policy).late
    said = found.note if found.days else "in time."
    return replace(found, note=f"Handed in now, it is {said}")


def late_as_told(metadata: Path, rubric: Rubric) -> Late:
    """Return how late a notebook is by Gradescope's submission_metadata.json.

    Raises:
        UsageError: it does not say so.
    """
    policy = late_policy(rubric)
    told = read_submission_metadata(metadata, policy)
    return late(told.due, told.at, policy=policy).late
