"""When Gradescope took a submission in: what it documents is read, and nothing is guessed."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grader.errors import UsageError
from grader.intake.submission_metadata import TakenIn, read_submission_metadata
from grader.lateness import LatePolicy

POLICY = LatePolicy(Decimal(10), 0, "America/Los_Angeles")
AT, DUE = "2018-07-01T14:22:32.365935-07:00", "2018-07-31T23:00:00.000000-07:00"
LATER, EARLIER = "2018-08-02T23:00:00.000000-07:00", "2018-07-20T23:00:00.000000-07:00"


def documented(**changed: Any) -> dict[str, Any]:
    """The sample of Gradescope's documentation ("Submission Metadata")."""
    assignment = {
        "due_date": DUE,
        "group_size": 4,
        "group_submission": True,
        "id": 25828,
        "course_id": 1234,
        "late_due_date": None,
        "release_date": "2018-07-02T00:00:00.000000-07:00",
        "title": "Programming Assignment 1",
        "total_points": "20.0",
    }
    earlier = {"submission_time": "2017-04-06T14:24:48.087023-07:00", "score": 0.0, "results": {}}
    return {
        "id": 123456,
        "created_at": AT,
        "assignment": assignment,
        "submission_method": "upload",
        "users": [user()],
        "previous_submissions": [earlier],
        **changed,
    }


def user(**own: Any) -> dict[str, Any]:
    """One who handed in; `own` is what holds for this user only, as Gradescope gives extensions."""
    found = {"email": "student@example.com", "id": 1234, "name": "Student User"}
    return {**found, "assignment": own} if own else found


def read(folder: Path, content: Any) -> TakenIn:
    file = folder / "submission_metadata.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_submission_metadata(file, POLICY)


@pytest.mark.parametrize(
    ("users", "due"),
    [
        ([user()], DUE),
        ([user(due_date=LATER)], LATER),
        ([user(due_date=EARLIER)], EARLIER),
        ([user(due_date=None)], DUE),
        ([user(), user(due_date=LATER)], LATER),  # one of a group was given more time
        ([], DUE),
    ],
)
def test_the_due_time_is_that_of_whoever_handed_in(
    users: list[dict[str, Any]], due: str, tmp_path: Path
) -> None:
    expected = TakenIn(datetime.fromisoformat(AT), datetime.fromisoformat(due))
    assert expected == read(tmp_path, documented(users=users))


def test_an_assignment_without_a_due_time_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, documented(assignment={"due_date": None})).due is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([], "as Gradescope documents"),
        (documented(created_at=7), "as Gradescope documents"),
        (documented(created_at="soon"), "“soon” is not a date and time"),
        (documented(assignment=None), "as Gradescope documents"),
        (documented(users=None), "as Gradescope documents"),
        (documented(users=["Student User"]), "as Gradescope documents"),
    ],
)
def test_what_says_nothing_of_the_time_is_refused(
    content: Any, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=complaint) as raised:
        read(tmp_path, content)
    assert "submission_metadata.json" in str(raised.value)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.json cannot be read: No such file"):
        read_submission_metadata(tmp_path / "nothing.json", POLICY)
