"""Reads who handed in when, whose time was extended, and who works with whom.

Times come as CSV or as the submissions JSON of Canvas's API. What lateness costs is none of its
business.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias, TypeVar

from grader.canvas.by_student import (
    ByStudent,
    Problem,
    Said,
    agreed,
    by_student,
    rows_of_students,
    student_key,
)
from grader.canvas.roster import Gradebook
from grader.canvas.tables import Sheet, SheetRow, read_sheet, read_text, shown
from grader.errors import UsageError
from grader.lateness import LatePolicy, parse_when
from grader.text import undefuse

T = TypeVar("T")
Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """More time for one student."""

    until: datetime
    reason: str = ""


def read_times(path: Path, *, policy: LatePolicy, roster: Gradebook | None) -> ByStudent[datetime]:
    """When each student handed in: a CSV (student, submitted_at), or the API's JSON.

    Of several attempts in the JSON the newest counts. Who has not handed in is left out.
    """
    text, _ = read_text(path)
    if text.lstrip().startswith(("[", "{")):
        return _times_of_json(path, text, policy=policy, roster=roster)
    sheet = read_sheet(path, known=("student", "submitted_at"))
    sheet.require("student", "submitted_at")
    when = sheet.column("submitted_at")
    return _read(sheet, roster, lambda row: parse_when(row[when], policy) if row[when] else None)


def read_extensions(
    path: Path, *, policy: LatePolicy, roster: Gradebook | None
) -> ByStudent[Extension]:
    """Until when each student may hand in: a CSV (student, until, reason)."""
    sheet = read_sheet(path, known=("student", "until", "reason"))
    sheet.require("student", "until")
    until, reason = sheet.column("until"), sheet.column("reason")

    def extension(row: SheetRow) -> Extension:
        return Extension(until=parse_when(row[until], policy), reason=undefuse(row[reason]))

    return _read(sheet, roster, extension)


def read_partners(path: Path, *, roster: Gradebook | None) -> ByStudent[tuple[str, ...]]:
    """Who works with whom: a CSV (student, partner), and it does not matter who is which.

    For each student all partners, by Canvas ID or, without a roster, as the file spells them; none
    at all means that the file says, by a blank partner, that the student works alone.
    """
    sheet = read_sheet(path, known=("student", "partner"))
    sheet.require("student", "partner")
    partner = sheet.column("partner")
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)  # key -> partners' keys and texts
    problems: list[Problem] = []
    for row in rows_of_students(sheet, roster):
        people, wrong = _pair(sheet, row, partner, roster)
        if wrong:
            problems += [Problem(sentence=wrong, student=key) for key in people or ("",)]
            continue
        for key in people:
            found[key] |= {other: text for other, text in people.items() if other != key}
    partners = {
        key: tuple(others) if roster else tuple(others.values()) for key, others in found.items()
    }
    return by_student(partners, problems, roster=roster)


# ------------------------------------------------------------------------------- rows
def _read(
    sheet: Sheet, roster: Gradebook | None, value_of: Callable[[SheetRow], T | None]
) -> ByStudent[T]:
    """Read row by row; a value of None says nothing of the student."""
    student = sheet.column("student")
    said: list[Said[T]] = []
    problems: list[Problem] = []
    for row in rows_of_students(sheet, roster):
        key = ""
        try:
            key = student_key(row[student], roster)
            if overflow := sheet.overflow(row):
                problems.append(Problem(sentence=overflow, student=key))
            elif (value := value_of(row)) is not None:
                said.append(Said(where=sheet.where(row), student=key, value=value))
        except UsageError as error:
            problems.append(Problem(sentence=f"{sheet.where(row)}: {error}", student=key))
    values, doubled = agreed(said)
    return by_student(
        {key: value for (key, _), value in values.items()}, problems + doubled, roster=roster
    )


def _pair(
    sheet: Sheet, row: SheetRow, partner: int | None, roster: Gradebook | None
) -> tuple[dict[str, str], str]:
    """Key and text of a row's people as far as they are known, and what is wrong, if so."""
    if overflow := sheet.overflow(row):
        return {}, overflow
    people: dict[str, str] = {}
    wrong = ""
    texts = [row[sheet.column("student")], row[partner]]
    for text in texts if texts[1] else texts[:1]:
        try:
            key = student_key(text, roster)
        except UsageError as error:
            wrong = wrong or f"{sheet.where(row)}: {error}"
            continue
        if key in people:
            wrong = f"{sheet.where(row)}: “{shown(text)}” cannot be their own partner."
        people[key] = " ".join(undefuse(text).split())
    return people, wrong


# ------------------------------------------------------------------------------- Canvas's API
@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    number: int
    submitted_at: datetime


def _times_of_json(
    path: Path, text: str, *, policy: LatePolicy, roster: Gradebook | None
) -> ByStudent[datetime]:
    attempts: defaultdict[str, list[_Attempt]] = defaultdict(list)
    problems: list[Problem] = []
    for number, entry in enumerate(_entries(path, text), start=1):
        key = ""
        try:
            user = _user_id(entry)
            if roster and roster.is_test_student(user):
                continue
            key = _key_of_id(user, roster)
            attempts[key] += _attempts(entry, policy)
        except UsageError as error:
            sentence = f"{path.name}, submission {number}: {error}"
            problems.append(Problem(sentence=sentence, student=key))
    # Without its newest attempt, whatever it was, an older one would be a guess.
    unsure = {problem.student for problem in problems}
    newest = {
        key: max(found, key=lambda one: (one.number, one.submitted_at)).submitted_at
        for key, found in attempts.items()
        if found and key not in unsure
    }
    return by_student(newest, problems, roster=roster)


def _entries(path: Path, text: str) -> list[Json]:
    wanted = "a list of submissions as Canvas's API gives it is needed"
    try:
        entries: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path.name} cannot be read as JSON ({error}); {wanted}.") from error
    if not isinstance(entries, list):
        raise UsageError(f"{path.name} is JSON, but not a list; {wanted}.")
    return entries


def _user_id(entry: Json) -> str:
    user = entry.get("user_id") if isinstance(entry, dict) else None
    if isinstance(user, bool) or not isinstance(user, int | str) or not str(user).strip():
        raise UsageError("It has no user_id, so whose it is is not known.")
    return str(user).strip()


def _key_of_id(user: str, roster: Gradebook | None) -> str:
    """As `student_key`, but a Canvas ID is nobody's login or SIS ID."""
    if roster and roster.by_id(user) is None:
        raise UsageError(f"Nobody in {roster.sheet.path.name} has the Canvas ID {shown(user)}.")
    return student_key(user, roster)


def _attempts(entry: Json, policy: LatePolicy) -> Iterable[_Attempt]:
    """None where nothing was handed in; Canvas lists those students too."""
    if not isinstance(entry, dict) or (when := entry.get("submitted_at")) is None:
        return ()
    if not isinstance(when, str):
        raise UsageError("Its submitted_at is not a date and time.")
    number = entry.get("attempt")
    return (
        _Attempt(
            number=number if isinstance(number, int) else 0,
            submitted_at=parse_when(when, policy),
        ),
    )
