"""What a student reads of the late policy before handing in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from grader.errors import UsageError
from grader.grading.deadline import late_as_told, late_at
from grader.packs import load_pack
from grader.rubric import Rubric

DUE = "2026-10-31T23:59"


@pytest.fixture(scope="module")
def rubric() -> Rubric:
    """Ten points a day, by the clocks of Denver, which are set back on 1 November 2026."""
    return load_pack("a2", [Path("rubrics")]).rubric


@pytest.mark.parametrize(
    ("now", "days", "penalty"),
    [
        (datetime(2026, 11, 1, 5, 59, tzinfo=UTC), 0, 0),  # 23:59 in Denver
        (datetime(2026, 11, 1, 6, 0, tzinfo=UTC), 1, 10),
        (datetime(2026, 11, 2, 6, 59, tzinfo=UTC), 1, 10),  # 25 hours later: 23:59 again
        (datetime(2026, 11, 2, 7, 0, tzinfo=UTC), 2, 20),
    ],
)
def test_what_handing_in_now_would_cost(
    rubric: Rubric, now: datetime, days: int, penalty: int
) -> None:
    found = late_at(now, DUE, rubric)
    assert (days, Decimal(penalty)) == (found.days, found.penalty)
    said = "in time" if days == 0 else f"{days} day"
    assert found.note.startswith(f"Handed in now, it is {said}")


def test_without_a_due_time_the_policy_is_told(rubric: Rubric) -> None:
    found = late_at(datetime.now(UTC), "", rubric)
    assert found.days is None
    assert 0 == found.penalty
    assert "Each day late costs 10 points" in found.note


def test_a_due_time_that_is_none_is_refused(rubric: Rubric) -> None:
    with pytest.raises(UsageError, match="write it like"):
        late_at(datetime.now(UTC), "tomorrow", rubric)


def test_gradescopes_own_times_count_by_the_rubrics_policy(rubric: Rubric, tmp_path: Path) -> None:
    """By the clocks of Denver: two days after midnight of the 31st, in an hour of Greenwich."""
    told = {
        "created_at": "2026-11-02T07:00:00.000000+00:00",
        "assignment": {"due_date": "2026-10-31T23:59:00.000000-06:00"},
        "users": [{"name": "Ng"}],
    }
    file = tmp_path / "submission_metadata.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    found = late_as_told(file, rubric)
    assert (2, Decimal(20)) == (found.days, found.penalty)
    assert found.note.startswith("2 days late: handed in 2026-11-02 00:00:00, due 2026-10-31 23:59")
    file.write_text(json.dumps({**told, "assignment": {"due_date": None}}), encoding="utf-8")
    found = late_as_told(file, rubric)
    assert (None, Decimal(0)) == (found.days, found.penalty)
