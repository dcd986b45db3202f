"""Days late, by table: on the wall clock of the course, over both changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import PackError, UsageError
from grader.lateness import LatePolicy, late, parse_when

DENVER = LatePolicy(Decimal(10), 0, "America/Denver")
GRACE = LatePolicy(Decimal(10), 15, "America/Denver")
DUE = "2026-10-07T23:59"  # an ordinary week, six hours behind UTC
SPRING = "2026-03-07T23:59"  # the next night has 23 hours
AUTUMN = "2026-10-31T23:59"  # the next night has 25 hours


def days(due: str, submitted: str, policy: LatePolicy = DENVER, until: str = "") -> int | None:
    return late(
        parse_when(due, policy),
        parse_when(submitted, policy),
        policy=policy,
        extension_until=parse_when(until, policy) if until else None,
    ).late.days


@pytest.mark.parametrize(
    ("due", "submitted", "expected"),
    [
        pytest.param(DUE, "2026-10-01T08:00", 0, id="long-before"),
        pytest.param(DUE, "2026-10-07T23:59:00", 0, id="on-the-second"),
        pytest.param(DUE, "2026-10-07T23:59:01", 1, id="a-second-late"),
        pytest.param(DUE, "2026-10-08T23:59:00", 1, id="24-hours-exactly"),
        pytest.param(DUE, "2026-10-08T23:59:01", 2, id="24-hours-and-a-second"),
        pytest.param(DUE, "2026-10-17T23:59:00", 10, id="ten-days"),
        pytest.param(DUE, "2026-10-08T05:59:00Z", 0, id="in-time-as-utc"),
        pytest.param(DUE, "2026-10-08T05:59:01+00:00", 1, id="late-as-utc"),
        pytest.param(DUE, "2026-10-08T14:59:00+09:00", 0, id="in-time-as-tokyo"),
        pytest.param(SPRING, "2026-03-08T23:59:00", 1, id="23-hours-are-a-day-in-spring"),
        pytest.param(SPRING, "2026-03-08T23:59:01", 2, id="and-a-second-more-in-spring"),
        pytest.param(AUTUMN, "2026-11-01T23:59:00", 1, id="25-hours-are-a-day-in-autumn"),
        pytest.param(AUTUMN, "2026-11-01T23:59:01", 2, id="and-a-second-more-in-autumn"),
        pytest.param(AUTUMN, "2026-11-02T06:59:00Z", 1, id="autumn-as-utc"),
    ],
)
def test_a_part_of_a_day_counts_as_a_day(due: str, submitted: str, expected: int) -> None:
    assert expected == days(due, submitted)


@pytest.mark.parametrize(
    ("submitted", "expected"),
    [
        ("2026-10-08T00:14:00", 0),
        ("2026-10-08T00:14:01", 1),
        ("2026-10-08T23:59:00", 1),
        ("2026-10-08T23:59:01", 2),  # whoever is past the grace is counted from the due time
    ],
)
def test_the_grace_is_free_and_moves_nothing_else(submitted: str, expected: int) -> None:
    assert expected == days(DUE, submitted, GRACE)


@pytest.mark.parametrize(
    ("until", "submitted", "expected"),
    [
        ("2026-10-10T23:59", "2026-10-10T23:59:00", 0),
        ("2026-10-10T23:59", "2026-10-10T23:59:01", 1),
        ("2026-10-10", "2026-10-10T23:59:59", 0),
        ("2026-10-01T12:00", "2026-10-07T12:00", 0),  # an earlier one takes nothing away
    ],
)
def test_an_extension_takes_the_place_of_the_due_time(
    until: str, submitted: str, expected: int
) -> None:
    assert expected == days(DUE, submitted, until=until)


def test_each_day_costs_points_and_says_why() -> None:
    found = late(parse_when(DUE, DENVER), parse_when("2026-10-09T12:00", DENVER), policy=DENVER)
    assert Decimal(20) == found.late.penalty
    assert "2 days late" in found.late.note
    assert not found.asks


@pytest.mark.parametrize("late_flag", [True, False])
def test_without_a_time_the_days_are_asked_for_and_not_guessed(*, late_flag: bool) -> None:
    found = late(parse_when(DUE, DENVER), None, policy=DENVER, late_flag=late_flag)
    assert (None, Decimal(0)) == (found.late.days, found.late.penalty)
    assert "--submitted" in found.asks


def test_without_a_due_time_nothing_is_asked_unless_canvas_said_late() -> None:
    assert not late(None, None, policy=DENVER).asks
    assert "--due" in late(None, None, policy=DENVER, late_flag=True).asks


def test_a_time_outweighs_canvass_mark() -> None:
    found = late(
        parse_when(DUE, DENVER),
        parse_when("2026-10-07T20:00", DENVER),
        policy=DENVER,
        late_flag=True,
    )
    assert (0, "") == (found.late.days, found.asks)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  on the course's clock
    st.integers(0, 40 * 24 * 3600),
    st.integers(0, 24 * 3600),
)
def test_later_is_never_cheaper(due: datetime, seconds: int, more: int) -> None:
    start = due.replace(tzinfo=DENVER.zone).astimezone(UTC)

    def cost(after: int) -> Decimal:
        return late(due, start + timedelta(seconds=after), policy=DENVER).late.penalty

    assert cost(seconds) <= cost(seconds + more)


@pytest.mark.parametrize(
    "text", ["tomorrow", "2026-13-01", "10/07/2026", "2026-10-07T25:00", "1026-10-07", ""]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError):
        parse_when(text, DENVER)


@pytest.mark.parametrize(
    ("points", "grace", "zone"),
    [("-1", 0, "UTC"), ("NaN", 0, "UTC"), ("10", -1, "UTC"), ("10", 0, "Mars"), ("10", 0, "../x")],
)
def test_a_policy_that_cannot_be_is_the_packs_mistake(points: str, grace: int, zone: str) -> None:
    with pytest.raises(PackError):
        LatePolicy(Decimal(points), grace, zone)
