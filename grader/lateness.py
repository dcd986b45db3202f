"""How many days late a submission is, and what that costs. Pure: no I/O, no clock, no pandas.

Days are counted on the wall clock of the course's time zone: the deadline moved by n days stands
at the same local time n calendar days later, however many hours the days between had. A part of a
day counts as one. Where a local time exists twice (clocks set back) the first one is meant, and
where it does not exist (clocks set forward) it is read with the offset from before the change;
that is `fold=0`, for due times, for times of submission and for moved deadlines alike.

What is not known is not guessed: `days` is then None, and `asks` says what a person must give.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from grader.errors import PackError, UsageError
from grader.model import Late

_END_OF_DAY = time(23, 59, 59)
_YEARS = range(1970, 2201)  # outside of these it is a typing error, and arithmetic may overflow
_WHEN = re.compile(
    r"""(?P<date>\d{4}-\d{2}-\d{2})
        (?:[T ]
           (?P<hour>\d{1,2}) (?P<rest>:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)
           \s? (?P<offset>Z|UTC|[+-]\d{2}:?\d{2})?
        )?""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_HOW_TO_GIVE_TIMES = (
    "give the submission times with --submitted: a CSV file with the columns student,submitted_at, "
    "or the submissions JSON of Canvas's API"
)


@dataclass(frozen=True, slots=True)
class LatePolicy:
    """What the assignment pack says about late work.

    Attributes:
        points_per_day: points, not percent, for every day begun.
        grace_minutes: these are free. They only move the moment from which a submission is late:
            whoever is later than that is counted from the due time itself.
        timezone: IANA name of the course's zone; `America/Denver`.
    """

    points_per_day: Decimal
    grace_minutes: int
    timezone: str

    def __post_init__(self) -> None:
        if not self.points_per_day.is_finite() or self.points_per_day < 0:
            raise PackError(
                f"The late penalty is {self.points_per_day} points for a day; "
                "it must be a number that is not negative."
            )
        if self.grace_minutes < 0:
            raise PackError(f"The grace period is {self.grace_minutes} minutes; it starts at 0.")
        _zone(self.timezone)

    @property
    def zone(self) -> ZoneInfo:
        return _zone(self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """How late, and the sentence for whoever must decide; `asks` is empty where all is known."""

    late: Late
    asks: str = ""


def late(
    due: datetime | None,
    submitted: datetime | None,
    *,
    policy: LatePolicy,
    extension_until: datetime | None = None,
    late_flag: bool = False,
) -> Lateness:
    """Count the days from the due time to `submitted`, and their penalty.

    Args:
        due: naive times are read in the course's zone; so are the two below.
        extension_until: takes the place of `due` where it is later, with the same grace.
        late_flag: Canvas wrote LATE into the file name. It does not say by how much, and a given
            due time and time of submission outweigh it.
    """
    if due is None:
        return _without_due_time(late_flag=late_flag)
    deadline = _instant(due, policy)
    extended = extension_until is not None and _instant(extension_until, policy) > deadline
    if extension_until is not None and extended:
        deadline = _instant(extension_until, policy)
    if submitted is None:
        return _without_submission_time(late_flag=late_flag)
    handed_in = _instant(submitted, policy)
    days = _days(deadline, handed_in, policy)
    return Lateness(
        late=Late(
            days=days,
            penalty=policy.points_per_day * days,
            note=_note(days, deadline, handed_in, policy, extended=extended, late_flag=late_flag),
        )
    )


def parse_when(text: str, policy: LatePolicy) -> datetime:
    """Read an ISO 8601 date and time; the answer always knows its offset from UTC.

    A date alone is the end of that day, 23:59:59. Without an offset the course's zone is meant.
    `T` or a space may stand before the time; `Z` and ` UTC` are understood.
    """
    words = " ".join(text.split())
    mend = f"“{words[:60]}” is not a date and time: write it like 2026-03-08T23:59."
    match = _WHEN.fullmatch(words)
    if match is None:
        raise UsageError(mend)
    offset = (match["offset"] or "").upper().replace("UTC", "Z")
    clock = f"{match['hour']:0>2}{match['rest']}" if match["hour"] else _END_OF_DAY.isoformat()
    try:
        when = datetime.fromisoformat(f"{match['date']}T{clock}{offset}")
    except ValueError as error:
        raise UsageError(mend) from error
    if when.year not in _YEARS:
        raise UsageError(f"“{words}” is in the year {when.year}, which cannot be right.")
    return when if when.tzinfo else when.replace(tzinfo=policy.zone)


# ------------------------------------------------------------------------------- what is not known
def _without_due_time(*, late_flag: bool) -> Lateness:
    note = "No due date was given, so days late were not counted."
    if not late_flag:
        return Lateness(late=Late(days=None, note=note))
    asks = (
        "Canvas marked this as late, and no due date was given: give it with --due, "
        f"and {_HOW_TO_GIVE_TIMES}."
    )
    return Lateness(late=Late(days=None, note=asks), asks=asks)


def _without_submission_time(*, late_flag: bool) -> Lateness:
    known = (
        "Canvas marked this as late and does not say by how much"
        if late_flag
        else "When this was handed in is not known, so whether it was late is not known either"
    )
    asks = f"{known}: {_HOW_TO_GIVE_TIMES}."
    return Lateness(late=Late(days=None, note=asks), asks=asks)


# ------------------------------------------------------------------------------- counting
def _days(deadline: datetime, handed_in: datetime, policy: LatePolicy) -> int:
    """The smallest n for which the deadline moved by n days is not before `handed_in`."""
    if handed_in <= deadline + timedelta(minutes=policy.grace_minutes):
        return 0

    def moved(days: int) -> datetime:
        local = deadline.astimezone(policy.zone).replace(tzinfo=None)
        return _instant(local + timedelta(days=days), policy)

    days = max(1, (handed_in - deadline).days)  # never too many: no clock is set back a whole day
    while moved(days) < handed_in:
        days += 1
    return days


def _instant(when: datetime, policy: LatePolicy) -> datetime:
    """In UTC: Python compares two times of one zone by their clocks, not by what came first."""
    aware = when if when.tzinfo else when.replace(tzinfo=policy.zone)
    return aware.astimezone(UTC)


def _note(
    days: int,
    deadline: datetime,
    handed_in: datetime,
    policy: LatePolicy,
    *,
    extended: bool,
    late_flag: bool,
) -> str:
    def clock(when: datetime) -> str:
        return f"{when.astimezone(policy.zone):%Y-%m-%d %H:%M:%S}"

    due = f"{'extended until' if extended else 'due'} {clock(deadline)} ({policy.timezone})"
    if days:
        counted = "1 day" if days == 1 else f"{days} days"
        return f"{counted} late: handed in {clock(handed_in)}, {due}."
    if handed_in > deadline:
        return f"Handed in {clock(handed_in)}, {due}, within the grace period."
    if extended:
        return f"In time: {due}."
    if late_flag:
        return f"In time: handed in {clock(handed_in)}, {due}. Canvas marked it as late."
    return ""


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    # A name that is a path or a folder of the zone database raises one of the other two.
    except (KeyError, ValueError, OSError) as error:
        raise PackError(
            f"“{name}” is not a time zone: write its IANA name, such as America/Denver."
        ) from error
