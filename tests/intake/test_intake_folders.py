"""Folders and single files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.errors import UsageError
from grader.intake import Intake, IntakeLimits, take_in
from grader.model import Student

Take = Callable[..., Intake]
Build = Callable[..., bytes]


def sentences(taken: Intake) -> list[str]:
    return [problem.sentence for problem in taken.problems]


def files(taken: Intake) -> list[str]:
    return [entry.submission.file for entry in taken.entries]


def put(folder: Path, name: str, data: bytes = b"") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_notebooks_are_found_in_all_subfolders(
    incoming: Path, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    put(incoming, "ngjennifer_12_340_Ng-A2.ipynb", notebook("x = 1"))
    put(incoming, "monday/evening/Lee-A2.ipynb", notebook("x = 2"))
    put(incoming, ".ipynb_checkpoints/Lee-A2-checkpoint.ipynb", notebook("x = 3"))
    put(incoming, "__MACOSX/._Lee-A2.ipynb", b"\0")
    put(incoming, ".DS_Store", b"\0")
    taken = intake(incoming, roster=roster)
    assert ["Lee, Ana", "Ng, Jennifer"] == [e.submission.students[0].name for e in taken.entries]
    assert [] == sentences(taken)


def test_what_lies_beside_notebooks_is_not_a_problem(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    put(incoming, "Ng-A2.ipynb", notebook())
    beside = ("auto-mpg.data", "A2grader.py", "gradebook.csv", "README.md", ".gitignore")
    for name in (*beside, "a2-gradebook.csv", "data/a2-times.csv"):
        put(incoming, name, b"text")
    taken = intake(incoming)
    assert (["Ng-A2.ipynb"], []) == (files(taken), sentences(taken))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Ng-A2.pdf", "Ng-A2.pdf is a PDF, not a notebook: ask Ng for the .ipynb file."),
        ("Ng-A2.py", "Ng-A2.py is a Python script, not a notebook: ask Ng for the .ipynb file."),
        (
            "Ng/A2.docx",
            "Ng/A2.docx is a Word document, not a notebook: ask Ng for the .ipynb file.",
        ),
        (
            "report.pdf",
            "report.pdf is a PDF, not a notebook: ask whoever handed it in for the .ipynb file.",
        ),
        (
            "a2-canvas-export.zip",
            (
                "a2-canvas-export.zip is an archive (which is not opened), not a notebook: "
                "if it is a download of Canvas's, give it as a SOURCE of its own."
            ),
        ),
        (
            "A2.pdf",
            "A2.pdf is a PDF, not a notebook: ask whoever handed it in for the .ipynb file.",
        ),
    ],
)
def test_what_was_handed_in_for_a_notebook_is_a_problem(
    name: str, sentence: str, incoming: Path, intake: Take, notebook: Build
) -> None:
    put(incoming, name, b"%PDF")
    put(incoming, "Lee-A2.ipynb", notebook())
    taken = intake(incoming)
    assert (["Lee-A2.ipynb"], [sentence]) == (files(taken), sentences(taken))


@pytest.mark.parametrize("name", ["Ng-A2.ipynb", "more"])
def test_links_are_not_followed(
    name: str, incoming: Path, tmp_path: Path, intake: Take, notebook: Build
) -> None:
    put(incoming, "Lee-A2.ipynb", notebook())
    put(tmp_path, "secret/Ng-A2.ipynb", notebook("secret = 1"))
    (incoming / name).symlink_to(tmp_path / "secret" / (name if "." in name else ""))
    taken = intake(incoming)
    assert ["Lee-A2.ipynb"] == files(taken)
    assert f"{name} is a link, and links are not followed" in sentences(taken)[0]


def test_a_link_to_the_folder_above_does_not_go_round(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    put(incoming, "Lee-A2.ipynb", notebook())
    (incoming / "again").symlink_to(incoming)
    assert ["Lee-A2.ipynb"] == files(intake(incoming))


def test_a_link_that_appears_after_listing_is_not_followed(
    incoming: Path, tmp_path: Path, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is a file when it is listed, and a link when it is read."""
    put(tmp_path, "secret.ipynb", notebook("secret = 1"))
    path = put(incoming, "Ng-A2.ipynb", notebook())
    put(incoming, "Lee-A2.ipynb", notebook())
    original = os.open

    def swapped(name: str, flags: int, *rest: int) -> int:
        if str(name).endswith("incoming/Ng-A2.ipynb"):
            path.unlink(missing_ok=True)
            path.symlink_to(tmp_path / "secret.ipynb")
        return original(name, flags, *rest)

    monkeypatch.setattr(os, "open", swapped)
    staging = tmp_path / "staging"
    taken = take_in([incoming], staging)
    assert ["Lee-A2.ipynb"] == files(taken)
    assert "Ng-A2.ipynb cannot be read" in sentences(taken)[0]


def test_a_pipe_is_not_waited_for(incoming: Path, intake: Take, notebook: Build) -> None:
    os.mkfifo(incoming / "Ng-A2.ipynb")
    put(incoming, "Lee-A2.ipynb", notebook())
    taken = intake(incoming)
    assert ["Lee-A2.ipynb"] == files(taken)
    assert "Ng-A2.ipynb is a device or a pipe" in sentences(taken)[0]


def test_the_staging_folder_within_a_source_is_left_out(tmp_path: Path, notebook: Build) -> None:
    """`grader grade . --out graded`, twice."""
    put(tmp_path, "Ng-A2.ipynb", notebook())
    staging = tmp_path / "graded" / "staging"
    first = take_in([tmp_path], staging)
    assert first == take_in([tmp_path], staging)
    assert ["Ng-A2.ipynb"] == files(first)


def test_a_folder_too_deep_is_a_problem(incoming: Path, intake: Take, notebook: Build) -> None:
    put(incoming, "a/b/c/Ng-A2.ipynb", notebook())
    put(incoming, "Lee-A2.ipynb", notebook())
    taken = intake(incoming, limits=IntakeLimits(folder_depth=2))
    assert ["Lee-A2.ipynb"] == files(taken)
    assert "a/b/c is too deep in the folder" in sentences(taken)[0]


def test_a_folder_of_too_many_files_is_a_problem(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    for number in range(12):
        put(incoming, f"s{number:02}/Student{'abcdefghijkl'[number]}-A2.ipynb", notebook())
    taken = intake(incoming, limits=IntakeLimits(files=10))
    assert 10 == len(taken.entries)
    assert "incoming holds more than 10 files" in sentences(taken)[0]


def test_what_may_not_be_read_is_a_problem(
    incoming: Path, intake: Take, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(incoming, "Ng-A2.ipynb", notebook())
    put(incoming, "Lee-A2.ipynb", notebook())
    original = os.open

    def refusing(path: str, *rest: int) -> int:
        if str(path).endswith("Ng-A2.ipynb"):
            raise PermissionError(13, "Permission denied")
        return original(path, *rest)

    monkeypatch.setattr(os, "open", refusing)
    taken = intake(incoming)
    assert ["Lee-A2.ipynb"] == files(taken)
    assert ["Ng-A2.ipynb cannot be read (Permission denied): ask Ng for a copy that can."] == (
        sentences(taken)
    )


def test_a_folder_that_cannot_be_listed_is_a_problem(
    incoming: Path, intake: Take, notebook: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(incoming, "closed/Ng-A2.ipynb", notebook())
    put(incoming, "Lee-A2.ipynb", notebook())
    original = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", refusing)
    taken = intake(incoming)
    assert ["Lee-A2.ipynb"] == files(taken)
    assert ["incoming/closed cannot be listed (Permission denied): make it readable."] == (
        sentences(taken)
    )


def test_names_that_are_not_utf8_can_be_written_down(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    put(incoming, os.fsdecode(b"N\xff-A2.ipynb"), notebook())
    (entry,) = intake(incoming).entries
    assert "N\ufffd-A2.ipynb" == entry.submission.file
    assert entry.submission.students[0].name.encode() == "N\ufffd".encode()


def test_hostile_names_are_kept_as_text_and_shown_safely(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    put(incoming, "=1+1-A2.ipynb", notebook("x = 1"))
    put(incoming, "Ng\u202exfdp-A2.ipynb", b"")
    put(incoming, "Lee\n\x1b[31m-A2.ipynb", notebook("x = 3"))
    taken = intake(incoming)
    assert {"=1+1-A2.ipynb", "Lee\n\x1b[31m-A2.ipynb"} == set(files(taken))
    assert ["Ngxfdp-A2.ipynb"] == [problem.file for problem in taken.problems]


# ------------------------------------------------------------------------------- single files
def test_a_single_notebook_is_taken_in(incoming: Path, intake: Take, notebook: Build) -> None:
    taken = intake(put(incoming, "Ng-A2.ipynb", notebook()))
    assert [("Ng", "Ng-A2.ipynb")] == [
        (e.submission.students[0].name, e.submission.file) for e in taken.entries
    ]


def test_a_notebook_named_after_nobody_is_named_after_itself(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    (entry,) = intake(put(incoming, "A2.ipynb", notebook())).entries
    assert (Student(name="A2"),) == entry.submission.students


def test_even_a_bare_ending_is_a_name(incoming: Path, intake: Take, notebook: Build) -> None:
    (entry,) = intake(put(incoming, ".ipynb", notebook())).entries
    assert (Student(name=".ipynb"),) == entry.submission.students


def test_nobody_is_asked_where_the_name_names_nobody(incoming: Path, intake: Take) -> None:
    """The file still has a student of its own, so that it has a row in the results."""
    (problem,) = intake(put(incoming, "A2.ipynb")).problems
    assert "A2.ipynb is empty: ask whoever handed it in to hand in the notebook again." == (
        problem.sentence
    )
    assert Student(name="A2") == problem.student


def test_notebooks_named_after_nobody_are_each_their_own(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    names = ["relu-by-np-max.ipynb", "relu-in-place.ipynb", "right.ipynb", "right-with-swish.ipynb"]
    for name in names:
        put(incoming, name, notebook(name))
    assert (names, []) == (files(intake(incoming)), sentences(intake(incoming)))


def test_a_link_that_somebody_typed_is_followed(
    incoming: Path, tmp_path: Path, intake: Take, notebook: Build
) -> None:
    put(tmp_path, "kept/7f3a", notebook())
    (incoming / "Ng-A2.ipynb").symlink_to(tmp_path / "kept" / "7f3a")
    assert ["Ng-A2.ipynb"] == files(intake(incoming / "Ng-A2.ipynb"))


def test_a_single_file_that_is_no_notebook_is_a_problem(incoming: Path, intake: Take) -> None:
    assert [
        "data.csv is a table, not a notebook: ask whoever handed it in for the .ipynb file."
    ] == sentences(intake(put(incoming, "data.csv")))


def test_a_missing_source_is_wrong_use_and_costs_no_work(
    incoming: Path, intake: Take, notebook: Build, tmp_path: Path
) -> None:
    put(incoming, "Ng-A2.ipynb", notebook())
    with pytest.raises(UsageError, match=r"gone\.zip does not exist"):
        intake(incoming, incoming / "gone.zip")
    assert not list((tmp_path / "a").rglob("*.ipynb"))


def test_a_pipe_as_source_is_wrong_use(incoming: Path, intake: Take) -> None:
    os.mkfifo(incoming / "pipe")
    with pytest.raises(UsageError, match="pipe is not a file"):
        intake(incoming / "pipe")
