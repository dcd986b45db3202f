"""results.json is the published schema, whole, in order, and free of what is for the staff."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grader.errors import UsageError
from grader.model import Grade, Late, Mark, Student
from grader.reports.results import (
    json_text,
    published,
    read_results,
    result_object,
    result_of,
    write_results,
)

MakeGrade = Callable[..., Grade]
STAFF_NOTE = "HIDDEN-NUMBER-8675309"


@pytest.fixture
def written(make_grade: MakeGrade, tmp_path: Path) -> Callable[..., Any]:
    """What a JSON reader finds in the file, written from the grades or one made of the options."""

    def write(*grades: Grade, **options: Any) -> Any:
        path = tmp_path / "results.json"
        write_results(path, grades or [make_grade(**options)])
        return json.loads(path.read_bytes())

    return write


def test_the_keys_are_the_published_ones(written: Callable[..., Any]) -> None:
    (one,) = written()
    assert [
        *("student", "partners", "file", "sha256", "run", "items"),
        *("code", "discussion", "extra_credit", "late", "final", "state", "attention"),
    ] == list(one)
    assert ["name", "canvas_id", "login"] == list(one["student"])
    assert ["outcome", "probed_in", "cells", "seconds", "isolation", "notes"] == list(one["run"])
    assert ["id", "title", "section", "points", "possible", "source", "checks"] == list(
        one["items"][0]
    )
    assert [*("id", "outcome", "points", "possible", "message", "mistake", "visibility")] == list(
        one["items"][0]["checks"][0]
    )
    assert {"points": 70, "possible": 70} == one["code"]
    assert {"days": 0, "penalty": 0, "note": ""} == one["late"]
    assert (100, "final") == (one["final"], one["state"])


def test_the_items_of_a2_are_those_of_the_contract(written: Callable[..., Any]) -> None:
    assert {
        "adam": 15,
        "use": 10,
        "relu": 5,
        "grad_relu": 5,
        "relu_network": 10,
        "partition": 10,
        "run_experiment": 15,
        "experiments": 15,
        "discussion": 15,
        "swish": 5,
    } == {item["id"]: item["possible"] for item in written()[0]["items"]}


def test_numbers_are_whole_where_they_can_be(written: Callable[..., Any]) -> None:
    marks = {
        "experiments": Mark(points=Decimal("12.5")),
        "discussion": Mark(points=Decimal("15.00")),
    }
    (one,) = written(marks=marks, late=Late(days=1, penalty=Decimal(10)))
    points = {item["id"]: item["points"] for item in one["items"]}
    assert ("12.5", "15", "87.5", "10") == (
        repr(points["experiments"]),
        repr(points["discussion"]),
        repr(one["final"]),
        repr(one["late"]["penalty"]),
    )


def test_what_is_not_known_is_null(written: Callable[..., Any]) -> None:
    (one,) = written(marks={}, late=Late())
    assert (None, None, None) == (one["final"], one["discussion"]["points"], one["late"]["days"])
    assert "needs-marks" == one["state"]


def test_what_is_written_is_read_back(make_grade: MakeGrade, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    partner = Student(name="Kim, Bo", canvas_id="7")
    grades = [
        make_grade({"relu_values": "No."}, name="Zoë 王", partners=(partner,)),
        make_grade(marks={}, broken=("adam_trace",), attention=("Look.",)),
    ]
    write_results(path, grades)
    assert tuple(result_of(grade) for grade in reversed(grades)) == read_results(path)


def test_any_order_of_grades_gives_the_same_bytes(make_grade: MakeGrade, tmp_path: Path) -> None:
    grades = [
        make_grade(name=name, canvas_id=canvas_id, file=file)
        for name, canvas_id, file in [
            *(("B", "1", "b"), ("A", "2", "b"), ("A", "2", "a"), ("A", "1", "c"))
        ]
    ]
    write_results(tmp_path / "1.json", grades)
    write_results(tmp_path / "2.json", grades[::-1])
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    rows = json.loads((tmp_path / "1.json").read_bytes())
    assert ["c", "a", "b", "b"] == [row["file"] for row in rows]


def test_staff_notes_are_not_published(make_grade: MakeGrade, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, [make_grade({"relu_values": "No."}, broken=("adam_trace",))])
    assert STAFF_NOTE not in path.read_text(encoding="utf-8")


def test_hostile_text_is_kept_and_cannot_act_on_a_terminal(
    make_grade: MakeGrade, tmp_path: Path, hostile: str
) -> None:
    path = tmp_path / "results.json"
    write_results(path, [make_grade({"relu_values": hostile}, name=hostile, file=hostile)])
    text = path.read_text(encoding="utf-8")
    assert not any(char in text for char in "\x1b\x07\x08\x9b\u202e\u2066\u200f\u2028\U000e0041")
    (one,) = json.loads(text)
    kept = hostile.replace("\udcff", "\N{REPLACEMENT CHARACTER}")
    assert (kept, kept) == (one["student"]["name"], one["file"])


def test_one_object_is_what_check_prints(make_grade: MakeGrade, tmp_path: Path) -> None:
    grade = make_grade()
    write_results(tmp_path / "results.json", [grade])
    assert [result_object(grade)] == json.loads((tmp_path / "results.json").read_bytes())


def test_seconds_are_rounded(make_grade: MakeGrade) -> None:
    grade = make_grade()
    run = replace(grade.run, seconds=1.23456)
    assert 1.235 == result_of(replace(grade, run=run)).run.seconds


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"grade": 5}, r"at 0\.grade: Extra inputs are not permitted"),
        ({"state": "done"}, r"at 0\.state: "),
        ({"final": "100"}, r"at 0\.final\."),
    ],
)
def test_a_file_that_is_not_ours_is_refused_with_its_key(
    make_grade: MakeGrade, tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{**result_object(make_grade()), **change}]), encoding="utf-8")
    with pytest.raises(UsageError, match=complaint):
        read_results(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"results\.json could not be read"):
        read_results(tmp_path / "results.json")


def test_the_fast_way_to_json_writes_the_same(
    make_grade: Callable[..., Grade], hostile: str
) -> None:
    grade = make_grade({"relu_values": hostile, "adam_trace": "7 \u00fc"}, name=hostile)
    assert json_text(result_object(grade)) == published(grade)
