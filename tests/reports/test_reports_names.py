"""Pages have names that every file system takes, and no two students share one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.model import Grade
from grader.reports.names import feedback_name

MakeGrade = Callable[..., Grade]
SAFE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.html")


@pytest.mark.parametrize(
    ("name", "canvas_id", "expected"),
    [
        ("Lee, Ana", "40103", "lee-ana-40103.html"),
        ("Brandt-Rasmussen, Jonas Ø.", "7", "brandt-rasmussen-jonas-o-7.html"),
        ("Dvořák, Łucja", "8", "dvorak-lucja-8.html"),
        ("王伟", "9", "student-9.html"),
        ("con", "10", "con-10.html"),
    ],
)
def test_names_can_be_read(make_grade: MakeGrade, name: str, canvas_id: str, expected: str) -> None:
    assert expected == feedback_name(make_grade(name=name, canvas_id=canvas_id))


@settings(deadline=None)
@given(name=st.text(max_size=200), canvas_id=st.text(max_size=30), file=st.text(max_size=30))
def test_any_name_is_safe(make_grade: MakeGrade, name: str, canvas_id: str, file: str) -> None:
    found = feedback_name(make_grade(name=name, canvas_id=canvas_id, file=file))
    assert SAFE.fullmatch(found)
    assert len(found) <= 80
    # "-" and what tells students apart follow every name, so none is a device such as con or nul.
    assert "-" in PureWindowsPath(found).stem
    assert found == PurePosixPath(found).name == PureWindowsPath(found).name


def test_no_two_students_share_a_page(make_grade: MakeGrade) -> None:
    people = [
        *(("Kim", "1"), ("Kim", "2"), ("Kim 1", "2x"), ("Kim", ""), ("kim!", ""), ("KIM", "")),
        *(("", ""), ("王伟", ""), ("李娜", ""), ("x" * 300, ""), ("x" * 300 + "y", "")),
        *(("Kim", "../1"), ("Kim", "1/"), ("Kim", "\u0661")),
    ]
    names = [feedback_name(make_grade(name=name, canvas_id=c)) for name, c in people]
    assert len(people) == len(set(names))


def test_people_without_an_id_are_told_apart_by_file(make_grade: MakeGrade) -> None:
    one, other = (make_grade(name="Kim", canvas_id="", file=file) for file in ("a", "b"))
    assert feedback_name(one) != feedback_name(other)


def test_a_new_submission_replaces_the_page(make_grade: MakeGrade) -> None:
    assert feedback_name(make_grade(file="a.ipynb")) == feedback_name(make_grade(file="a-1.ipynb"))
