"""Times, extensions and partners: good rows count, bad rows are told, doubt is nobody's grade."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from grader.canvas import ByStudent, Gradebook, read_extensions, read_partners, read_times
from grader.errors import UsageError
from grader.lateness import LatePolicy
from grader.model import Student

WriteFile = Callable[[str, str | bytes], Path]
POLICY = LatePolicy(Decimal(10), 0, "America/Denver")
DOE = Student(name="Doe, Jane", canvas_id="101", login="jdoe")


def times(path: Path, roster: Gradebook | None) -> ByStudent[datetime]:
    return read_times(path, policy=POLICY, roster=roster)


def clock(when: datetime | None) -> str:
    return when.astimezone(UTC).isoformat() if when else ""


# ------------------------------------------------------------------------------- times as CSV
def test_times_of_a_csv_are_found_for_each_student(file: WriteFile, roster: Gradebook) -> None:
    text = (
        "student,submitted_at\n101,2026-02-10T23:59:00Z\nslee,2026-02-10 12:00\n"
        '"lee, kim",2026-02-10\n"Garcia Lopez, Ana",\n199,2026-02-10\n'
    )
    found = times(file("times.csv", text), roster)
    assert () == found.problems
    assert {
        "101": "2026-02-10T23:59:00+00:00",
        "102": "2026-02-10T19:00:00+00:00",
        "103": "2026-02-11T06:59:59+00:00",
    } == {key: clock(when) for key, when in found.values.items()}


def test_a_bad_row_is_told_and_the_others_go_on(file: WriteFile, roster: Gradebook) -> None:
    text = (
        "Student;Submitted At\n101;2026-02-10\nnobody;2026-02-10\n\n102;yesterday\n"
        ";2026-02-10\n103;2026-02-10;later\n104;2026-02-11\n"
    )
    found = times(file("times.csv", text), roster)
    assert ["101", "104"] == list(found.values)
    starts = [
        "times.csv, row 3: Nobody in roster.csv has the Canvas ID, SIS ID, login or name “nobody”.",
        "times.csv, row 5: “yesterday” is not a date and time: write it like 2026-03-08T23:59.",
        "times.csv, row 6: The student is missing: give a Canvas ID, login or name.",
        "times.csv, row 7: it has 3 cells and the header 2",
    ]
    assert starts == [
        problem[: len(start)] for problem, start in zip(found.problems, starts, strict=True)
    ]
    assert found.problems[1:2] == found.problems_of(Student(name="", canvas_id="102"))
    assert found.problems[3:] == found.problems_of(Student(name="", canvas_id="103"))
    assert () == found.problems_of(DOE)


def test_two_rows_that_differ_are_both_unheard(file: WriteFile, roster: Gradebook) -> None:
    text = "student,submitted_at\n101,2026-02-10\n102,2026-02-10\njdoe,2026-02-12\n"
    found = times(file("times.csv", text), roster)
    assert ["102"] == list(found.values)
    (told,) = found.problems_of(DOE)
    assert told == (
        "times.csv, row 4: this is a second row for the same student (the first: times.csv, row 2)"
        "; none of them is used. Delete one."
    )


def test_two_rows_that_agree_are_told_and_heard(file: WriteFile, roster: Gradebook) -> None:
    text = "student,submitted_at\n101,2026-02-10T12:00\n101,2026-02-10T19:00Z\n"
    found = times(file("times.csv", text), roster)
    assert "2026-02-10T19:00:00+00:00" == clock(found.of(DOE))
    assert 1 == len(found.problems)
    assert () == found.problems_of(DOE)


def test_without_a_roster_a_student_is_known_by_any_key(file: WriteFile) -> None:
    text = 'student,submitted_at\n101,2026-02-10\nSLee,2026-02-11\n"lee,  KIM",2026-02-12\n'
    found = times(file("times.csv", text), None)
    people = [
        DOE,
        Student(name="", login="slee"),
        Student(name="Lee, Kim", canvas_id="103"),
        Student(name="", canvas_id="104"),
    ]
    assert ["11", "12", "13", ""] == [clock(found.of(student))[8:10] for student in people]


def test_somebodys_login_may_be_somebody_elses_id(file: WriteFile, roster: Gradebook) -> None:
    found = times(file("times.csv", "student,submitted_at\n101,2026-02-10\n"), roster)
    assert found.of(Student(name="x", canvas_id="7", login="101")) is None


@pytest.mark.parametrize("header", ["student,when", "submitted_at", "student,submitted_at,student"])
def test_the_columns_must_be_there(file: WriteFile, header: str) -> None:
    with pytest.raises(UsageError, match=r"times\.csv, row 1: (no|2) columns? called"):
        times(file("times.csv", f"{header}\n"), None)


# ------------------------------------------------------------------------------- times as JSON
def submission(user: object, when: object, **more: object) -> dict[str, object]:
    return {"user_id": user, "submitted_at": when, "late": False, "attempt": 1, **more}


def test_times_of_canvas_take_the_newest_attempt(file: WriteFile, roster: Gradebook) -> None:
    entries = [
        submission(101, "2026-02-10T10:00:00Z", attempt=2),
        submission(101, "2026-02-09T10:00:00Z", attempt=1),
        submission("102", "2026-02-11T10:00:00Z", attempt=None),
        submission(103, None, attempt=None),  # has not handed in
        submission(199, "2026-02-11T10:00:00Z"),  # the Test Student
    ]
    found = times(file("times.json", json.dumps(entries)), roster)
    assert () == found.problems
    assert {"101": "2026-02-10T10:00:00+00:00", "102": "2026-02-11T10:00:00+00:00"} == {
        key: clock(when) for key, when in found.values.items()
    }


def test_a_bad_submission_is_told_and_the_others_go_on(file: WriteFile, roster: Gradebook) -> None:
    when = "2026-02-10T10:00:00Z"
    entries = [
        submission(999, when),
        submission("s2", when),  # an ID of Canvas's is nobody's SIS ID
        submission(None, when),
        submission(True, when),
        {"submitted_at": when},
        "text",
        submission(104, when, attempt=1),
        submission(104, 17, attempt=2),
        submission(103, "soon"),
        submission(101, when),
    ]
    found = times(file("times.json", json.dumps(entries)), roster)
    assert ["101"] == list(found.values)
    assert [
        "times.json, submission 1: Nobody in roster.csv has the Canvas ID 999.",
        "times.json, submission 2: Nobody in roster.csv has the Canvas ID s2.",
        *(
            f"times.json, submission {n}: It has no user_id, so whose it is is not known."
            for n in (3, 4, 5, 6)
        ),
        "times.json, submission 8: Its submitted_at is not a date and time.",
        "times.json, submission 9: “soon” is not a date and time: write it like 2026-03-08T23:59.",
    ] == list(found.problems)
    assert found.problems_of(Student(name="", canvas_id="104"))


@pytest.mark.parametrize(
    "content",
    ["{}", '{"errors": [{"message": "Invalid access token."}]}', "[", "[1,]", "[" * 100_000],
)
def test_other_json_is_told(file: WriteFile, content: str) -> None:
    with pytest.raises(UsageError, match="a list of submissions as Canvas's API gives it is need"):
        times(file("times.json", content), None)


# ------------------------------------------------------------------------------- extensions
def test_extensions_say_until_when_and_why(file: WriteFile, roster: Gradebook) -> None:
    text = "student,until,reason\n101,2026-02-14,ill\n102,soon,\n103,,\n104,2026-02-15T12:00\n"
    found = read_extensions(file("extensions.csv", text), policy=POLICY, roster=roster)
    given = {key: (clock(one.until), one.reason) for key, one in found.values.items()}
    assert given == {
        "101": ("2026-02-15T06:59:59+00:00", "ill"),
        "104": ("2026-02-15T19:00:00+00:00", ""),
    }
    assert ["extensions.csv, row 3", "extensions.csv, row 4"] == [
        problem.partition(":")[0] for problem in found.problems
    ]


def test_extensions_that_contradict_each_other_are_told(file: WriteFile, roster: Gradebook) -> None:
    text = "student,until\n101,2026-02-14\n101,2026-02-15\n101,2026-02-14\n"
    found = read_extensions(file("e.csv", text), policy=POLICY, roster=roster)
    assert found.of(DOE) is None
    assert 2 == len(found.problems_of(DOE))


# ------------------------------------------------------------------------------- partners
def test_a_pair_holds_both_ways_and_may_be_told_twice(file: WriteFile, roster: Gradebook) -> None:
    text = 'student,partner\n101,slee\n"Lee, Sam",101\n103,\n'
    found = read_partners(file("partners.csv", text), roster=roster)
    assert () == found.problems
    assert {"101": ("102",), "102": ("101",), "103": ()} == found.values


def test_three_people_are_kept_for_whoever_resolves_pairs(
    file: WriteFile, roster: Gradebook
) -> None:
    found = read_partners(file("p.csv", "student,partner\n101,102\n101,103\n"), roster=roster)
    assert ("102", "103") == found.of(DOE)


def test_a_bad_pair_is_told_to_whom_it_concerns(file: WriteFile, roster: Gradebook) -> None:
    text = "student,partner\n101,nobody\nnobody,102\n103,klee\n104,105,101\n,105\n"
    found = read_partners(file("partners.csv", text), roster=roster)
    assert {} == found.values
    starts = ["2: Nobody", "3: Nobody", "4: “klee” cannot be", "5: it has 3", "6: The student is"]
    assert [f"partners.csv, row {start}" for start in starts] == [
        told[: len(f"partners.csv, row {start}")]
        for told, start in zip(found.problems, starts, strict=True)
    ]
    concerned = {key: len(sentences) for key, sentences in found.about.items()}
    assert {"101": 1, "102": 1, "103": 1, "105": 1} == concerned


def test_without_a_roster_partners_keep_their_spelling(file: WriteFile) -> None:
    found = read_partners(file("p.csv", 'student,partner\n"Doe, Jane",Sam  Lee\n'), roster=None)
    assert {"doe, jane": ("Sam Lee",), "sam lee": ("Doe, Jane",)} == found.values
