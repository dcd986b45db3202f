"""What file names say without Canvas."""

from __future__ import annotations

import pytest

from grader.intake.file_names import is_junk, is_notebook, kind, name_words, people, unnumbered


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("Ng-A2.ipynb", True),
        ("Ng-A2.IPYNB", True),
        ("Ng-A2.ipynb.txt", True),
        ("Ng-A2.ipynb.json", True),
        ("Ng-A2.ipynb ", True),
        ("Ng-A2.ipynb.pdf", False),
        ("Ng-A2.ipynb.zip", False),
        ("Ng-A2.py", False),
        ("ipynb", False),
    ],
)
def test_a_notebook_is_known_by_its_ending(display: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert expected == is_notebook(display)


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("Ng-A2.ipynb", ("Ng-A2.ipynb", 0)),
        ("Ng-A2-1.ipynb", ("Ng-A2.ipynb", 1)),
        ("Ng-A2-12.ipynb", ("Ng-A2.ipynb", 12)),
        ("Ng-A2 (1).ipynb", ("Ng-A2.ipynb", 1)),
        ("Ng-A2 (1)-2.ipynb", ("Ng-A2.ipynb", 2)),
        ("Ng-A2-3.ipynb.txt", ("Ng-A2.ipynb.txt", 3)),  # before the first ending
        ("Ng-A2-0aaf3cbb-9a11-4f3b-8b1d-5d6c1f0a2b3c.ipynb", ("Ng-A2.ipynb", 100)),
        ("Ng-2024.ipynb", ("Ng-2024.ipynb", 0)),
        ("Ng-A2", ("Ng-A2", 0)),
        ("", ("", 0)),
    ],
)
def test_a_resubmission_is_known_by_its_number(display: str, expected: tuple[str, int]) -> None:
    assert expected == unnumbered(display)


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("Ng-A2.ipynb", ("Ng",)),
        ("Ng-Lee-A2.ipynb", ("Ng", "Lee")),
        ("ng_lee_a2.ipynb", ("ng", "lee")),
        ("NG LEE A2.ipynb", ("NG", "LEE")),
        ("Ng & Lee - Assignment 2.ipynb", ("Ng", "Lee")),
        ("Ng_and_Lee-hw02.ipynb", ("Ng", "Lee")),
        ("A2-Ng-Lee.ipynb", ("Ng", "Lee")),
        ("CS445-Ng-A2.ipynb", ("Ng",)),
        ("NgA2.ipynb", ("Ng",)),
        ("Ng-A2-final-1.ipynb", ("Ng",)),
        ("Copy of Ng-A2.ipynb", ("Ng",)),
        ("Ng-A2.ipynb.txt", ("Ng",)),
        ("van der Berg-Ng-A2.ipynb", ("van der Berg", "Ng")),
        ("王-李-A2.ipynb", ("王", "李")),
        ("Nguyễn-Đặng-A2.ipynb", ("Nguyễn", "Đặng")),
        ("A2.ipynb", ()),
        ("assignment 2.ipynb", ()),
        ("Untitled1.ipynb", ()),
        ("de-A2.ipynb", ("de",)),
        ("", ()),
    ],
)
def test_the_words_that_may_be_names(display: str, expected: tuple[str, ...]) -> None:
    assert expected == people(name_words(display).words, {}.__contains__)


def test_known_names_of_several_words_stay_together() -> None:
    words = name_words("smith_jones_lee_a2.ipynb").words
    assert ("smith jones", "lee") == people(words, lambda name: name == "smith jones")


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("Ng-A2.pdf", "a PDF"),
        ("Ng-A2.PDF", "a PDF"),
        ("Ng-A2.docx", "a Word document"),
        ("Ng-A2.xyz", "a .xyz file"),
        ("Ng-A2", "a file without an ending"),
        (".bashrc", "a file without an ending"),
        ("Ng. " + "x" * 300, "a file without an ending"),
    ],
)
def test_what_a_file_is_called(display: str, expected: str) -> None:
    assert expected == kind(display)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("__MACOSX/._Ng-A2.ipynb", True),
        (".ipynb_checkpoints/Ng-A2-checkpoint.ipynb", True),
        ("sub/.DS_Store", True),
        ("sub/._Ng-A2.ipynb", True),
        ("sub/Ng-A2.ipynb", False),
        ("__MACOSX", False),
    ],
)
def test_what_systems_leave_behind(path: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert expected == is_junk(tuple(path.split("/")))
