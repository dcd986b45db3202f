"""Several files of one submitter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grader.intake import Intake
from grader.model import Student

Take = Callable[..., Intake]
Zipped = Callable[..., Path]
Build = Callable[..., bytes]

LOOK = "look which of them is to be graded."


def sentences(taken: Intake) -> list[str]:
    return [problem.sentence for problem in taken.problems]


def attachments(taken: Intake) -> list[str]:
    return [entry.attachment_id for entry in taken.entries]


@pytest.mark.parametrize(
    ("names", "taken_id"),
    [
        pytest.param(
            ["ng_12_340_Ng-A2.ipynb", "ng_12_342_Ng-A2-2.ipynb", "ng_12_341_Ng-A2-1.ipynb"],
            "342",
            id="resubmitted",
        ),
        pytest.param(
            ["ng_12_99_Ng-A2.ipynb", "ng_12_100_Ng-A2.ipynb"],
            "100",
            id="numbers-are-compared-as-numbers",
        ),
        pytest.param(
            ["ng_12_340_Ng-A2.ipynb", "ng_12_350_auto-mpg.data", "ng_12_351_A2grader.py"],
            "340",
            id="with-its-data",
        ),
        pytest.param(
            ["ng_12_340_Ng-A2.ipynb", "ng_12_350_Ng-A2.pdf", "ng_12_339_plot.png"],
            "340",
            id="with-a-pdf-of-it",
        ),
        pytest.param(
            ["ng_12_340_Ng-A2.ipynb", "ng_LATE_12_350_Ng-A2-1.ipynb"], "350", id="late-the-second"
        ),
    ],
)
def test_the_newest_notebook_is_taken_without_a_word(
    names: list[str], taken_id: str, zipped: Zipped, intake: Take, notebook: Build
) -> None:
    taken = intake(zipped({name: notebook(name) for name in names}))
    assert ([taken_id], []) == (attachments(taken), sentences(taken))
    (entry,) = taken.entries
    assert entry.late_flag == ("350" == taken_id)


def test_two_different_notebooks_of_one_attempt_are_for_a_person(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    members = {
        "ngjennifer_12_340_Ng-A2.ipynb": notebook("x = 1"),
        "ngjennifer_12_341_scratch.ipynb": notebook("x = 2"),
    }
    taken = intake(zipped(members), roster=roster)
    assert ["341"] == attachments(taken)
    assert [
        (
            "ngjennifer_12_341_scratch.ipynb was taken as the newest notebook of Ng, Jennifer, "
            f"and ngjennifer_12_340_Ng-A2.ipynb left aside: {LOOK}"
        )
    ] == sentences(taken)
    assert roster[0] == taken.problems[0].student


def test_of_two_downloads_the_newer_attempt_is_taken(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    """Whichever is given first, and whatever the files are called."""
    monday = zipped({"ng_12_340_Ng-A2.ipynb": notebook("x = 1")}, "monday.zip")
    friday = zipped({"ng_LATE_12_350_final.ipynb": notebook("x = 2")}, "friday.zip")
    for sources in ((monday, friday), (friday, monday), (monday, friday, monday)):
        taken = intake(*sources)
        assert (["350"], []) == (attachments(taken), sentences(taken))


def test_a_newer_attempt_without_a_notebook_is_for_a_person(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    monday = zipped({"ng_12_340_Ng-A2.ipynb": notebook("x = 1")}, "monday.zip")
    friday = zipped({"ng_12_350_Ng-A2.pdf": b"%PDF"}, "friday.zip")
    taken = intake(monday, friday)
    assert ["340"] == attachments(taken)
    assert [
        (
            "ng_12_340_Ng-A2.ipynb was taken as the newest notebook of ng, "
            f"and ng_12_350_Ng-A2.pdf left aside: {LOOK}"
        )
    ] == sentences(taken)


def test_the_same_download_as_zip_and_as_folder_is_one(
    zipped: Zipped, incoming: Path, intake: Take, notebook: Build
) -> None:
    path = zipped({"ng_12_340_Ng-A2.ipynb": notebook()})
    folder = incoming / "extracted"
    folder.mkdir()
    (folder / "ng_12_340_Ng-A2.ipynb").write_bytes(notebook())
    taken = intake(path, folder)
    assert (["340"], []) == (attachments(taken), sentences(taken))


def test_a_notebook_by_mail_and_one_on_canvas_are_for_a_person(
    zipped: Zipped, incoming: Path, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    """Which is newer, no name says. Canvas's is taken."""
    path = zipped({"ngjennifer_12_340_Ng-A2.ipynb": notebook()})
    (incoming / "Ng-A2.ipynb").write_bytes(notebook("x = 2"))
    taken = intake(path, incoming / "Ng-A2.ipynb", roster=roster)
    assert ["340"] == attachments(taken)
    assert ["ngjennifer_12_340_Ng-A2.ipynb"] == [problem.file for problem in taken.problems]


def test_without_canvas_a_higher_number_is_newer(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    for name in ("Ng-A2.ipynb", "Ng-A2-1.ipynb", "Ng-A2 (2).ipynb"):
        (incoming / name).write_bytes(notebook(name))
    taken = intake(incoming)
    assert ["Ng-A2 (2).ipynb"] == [entry.submission.file for entry in taken.entries]
    assert [] == sentences(taken)


def test_one_name_in_two_folders_is_for_a_person(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    for name in ("a", "b"):
        (incoming / name).mkdir()
        (incoming / name / "Ng-A2.ipynb").write_bytes(notebook(name))
    taken = intake(incoming)
    assert [
        "b/Ng-A2.ipynb was taken as the newest notebook of Ng, and a/Ng-A2.ipynb left aside: "
        + LOOK
    ] == sentences(taken)


def test_files_of_which_none_is_a_notebook_are_one_problem(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    members = {
        "ngjennifer_12_340_data.csv": b"",
        "ngjennifer_12_341_Ng-A2.pdf": b"",
        "ngjennifer_12_342_plot.png": b"",
        "leeana_17_343_Lee-A2.ipynb": notebook(),
    }
    taken = intake(zipped(members), roster=roster)
    assert ["343"] == attachments(taken)
    assert [
        (
            "ngjennifer_12_341_Ng-A2.pdf is a PDF, not a notebook, "
            "and neither is what was handed in with it (2 more): "
            "ask Ng, Jennifer for the .ipynb file."
        )
    ] == sentences(taken)


def test_the_newest_notebook_is_not_replaced_by_an_older_one_where_it_is_broken(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    """An older attempt must not be graded without anybody knowing."""
    taken = intake(zipped({"ng_12_340_Ng-A2.ipynb": notebook(), "ng_12_341_Ng-A2-1.ipynb": b""}))
    assert [] == attachments(taken)
    assert ["ng_12_341_Ng-A2-1.ipynb is empty: ask ng to hand in the notebook again."] == sentences(
        taken
    )


def test_somebody_who_left_cannot_replace_a_students_notebook(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    members = {
        "ngjennifer_12_340_Ng-A2.ipynb": notebook("honest = 1"),
        "doejane_99_341_12_99999_A2.ipynb": notebook("forged = 1"),
    }
    taken = intake(zipped(members), roster=roster)
    assert ["340"] == attachments(taken)
    assert "has another student's number in its name" in sentences(taken)[0]


def test_numbers_of_two_students_give_it_to_neither(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    members = {"team_12_17_340_A2.ipynb": notebook(), "leeana_17_343_Lee-A2.ipynb": notebook()}
    taken = intake(zipped(members), roster=roster)
    assert ["343"] == attachments(taken)
    assert "fit several students (Ng, Jennifer and Lee, Ana)" in sentences(taken)[0]


def test_a_group_is_its_representative(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    (entry,) = intake(
        zipped({"team_1_LATE_12_340_Ng-Lee-A2.ipynb": notebook()}), roster=roster
    ).entries
    assert (roster[0],) == entry.submission.students
    assert (True, ("Lee",), "340", "") == (
        entry.late_flag,
        entry.partner_names,
        entry.attachment_id,
        entry.anonymous_id,
    )


def test_an_anonymous_export_stays_anonymous(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    members = {
        "anon_x7Yz2_340_Ng-Lee-A2.ipynb": notebook("x = 1"),
        "LATE_anon_b3Qp9_341_A2.ipynb": notebook("x = 2"),
        "LATE_anon_k8Rt4_text.html": b"<html>",
    }
    taken = intake(zipped(members), roster=roster)
    assert [("b3Qp9", True, ()), ("x7Yz2", False, ())] == [
        (entry.anonymous_id, entry.late_flag, entry.partner_names) for entry in taken.entries
    ]
    assert all(not entry.submission.students[0].canvas_id for entry in taken.entries)
    assert "ask Anonymous k8Rt4 for" in sentences(taken)[0]
