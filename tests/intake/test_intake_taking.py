"""The whole way of a batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.errors import UsageError
from grader.intake import Entry, Intake, take_in
from grader.model import Student, Submission

Take = Callable[..., Intake]
Zipped = Callable[..., Path]
Build = Callable[..., bytes]


def test_an_entry_says_all_that_a_name_says(
    zipped: Zipped, intake: Take, notebook: Build, tmp_path: Path, roster: tuple[Student, ...]
) -> None:
    data = notebook("x = 1")
    sha256 = hashlib.sha256(data).hexdigest()
    file = "ngjennifer_LATE_12_340_Ng-Lee-A2-1.ipynb"
    taken = intake(zipped({f"submissions/{file}": data}), roster=roster)
    path = tmp_path / "a" / "b" / "staging" / f"{sha256}.ipynb"
    expected = Entry(
        submission=Submission(students=(roster[0],), file=file, path=path, sha256=sha256),
        late_flag=True,
        partner_names=("Lee",),
        is_group=False,
        anonymous_id="",
        attachment_id="340",
    )
    assert Intake(entries=(expected,), problems=()) == taken
    assert data == path.read_bytes()


def test_a_class_with_everything_in_it(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    """Whatever stands beside it, each right notebook is taken in; the order is that of names."""
    members = [
        ("smithjonesann_23_350_Smith-Jones-A2.ipynb", notebook("x = 3")),
        ("ngjennifer_LATE_12_340_Ng-A2.ipynb", notebook("x = 1")),
        ("doejane_99_351_broken.ipynb", b"{"),
        ("roejohn_98_352_r.ipynb", notebook(metadata={"kernelspec": {"name": "ir"}})),
        ("poejim_97_353_deep.ipynb", b"[" * 100_000),
        ("__MACOSX/._x.ipynb", b""),
        ("../evil_96_354_x.ipynb", notebook()),
        ("leeana_17_text.html", b"<p>here is my code</p>"),
    ]
    taken = intake(zipped(members), roster=roster)
    assert ["Ng, Jennifer", "Smith-Jones, Ann"] == [
        entry.submission.students[0].name for entry in taken.entries
    ]
    assert [
        (
            "../evil_96_354_x.ipynb has a path that leads out of the zip: "
            "look into the zip, and give the right notebook by itself."
        ),
        (
            "doejane_99_351_broken.ipynb is broken: it is not valid JSON at line 1, column 2: "
            "ask doejane to hand in the notebook again as Jupyter saves it."
        ),
        (
            "leeana_17_text.html is text that was typed into Canvas, not a notebook: "
            "ask Lee, Ana for the .ipynb file."
        ),
        (
            "poejim_97_353_deep.ipynb nests lists and objects more than 100 deep, "
            "as no notebook does: ask poejim for the .ipynb file."
        ),
        "roejohn_98_352_r.ipynb is for ir, not for Python: ask roejohn for a notebook in Python.",
    ] == [problem.sentence for problem in taken.problems]


def test_the_order_of_members_and_sources_changes_nothing(
    zipped: Zipped, notebook: Build, tmp_path: Path
) -> None:
    members = [(f"s{i:02}_{i}_{i}_A2.ipynb", notebook(f"x = {i}")) for i in range(1, 20)]
    members.append(("t_40_40_A2.pdf", b""))
    first = take_in([zipped(members, "a.zip")], tmp_path / "staging")
    members.reverse()
    assert first == take_in([zipped(members, "b.zip")], tmp_path / "staging")


def test_taking_in_again_gives_the_same(
    zipped: Zipped, intake: Take, notebook: Build, roster: tuple[Student, ...]
) -> None:
    old = {"nbformat": 3, "metadata": {}, "worksheets": [{"cells": []}]}
    path = zipped(
        {
            "ngjennifer_12_340_Ng-A2.ipynb": notebook(),
            "leeana_17_341_A2.ipynb": json.dumps(old).encode(),
        }
    )
    assert intake(path, roster=roster) == intake(path, roster=roster)
    assert 2 == len(intake(path, roster=roster).entries)


def test_two_students_may_hand_in_the_same_bytes(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    taken = intake(zipped({"ng_12_340_A2.ipynb": notebook(), "lee_17_341_A2.ipynb": notebook()}))
    assert 2 == len(taken.entries)
    assert 1 == len({entry.submission.sha256 for entry in taken.entries})


def test_nothing_at_all_is_an_empty_intake(intake: Take, incoming: Path) -> None:
    assert Intake(entries=(), problems=()) == intake()
    assert Intake(entries=(), problems=()) == intake(incoming)


# ------------------------------------------------------------------------------- staging
def test_a_broken_staged_file_is_written_anew(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    path = zipped({"ng_12_340_A2.ipynb": notebook()})
    staged = intake(path).entries[0].submission.path
    staged.write_bytes(b"half")
    intake(path)
    assert notebook() == staged.read_bytes()


def test_a_link_in_the_staging_folder_is_replaced_and_not_followed(
    zipped: Zipped, intake: Take, notebook: Build, tmp_path: Path
) -> None:
    path = zipped({"ng_12_340_A2.ipynb": notebook()})
    staged = intake(path).entries[0].submission.path
    victim = tmp_path / "victim"
    victim.write_text("mine")
    staged.unlink()
    staged.symlink_to(victim)
    intake(path)
    assert "mine" == victim.read_text()
    assert not staged.is_symlink()


def test_a_damaged_copy_is_written_anew_and_a_good_one_stays(
    zipped: Zipped, intake: Take, notebook: Build
) -> None:
    path = zipped({"ng_12_340_A2.ipynb": notebook(), "lee_17_341_A2.ipynb": notebook("x = 2")})
    good, bad = (entry.submission.path for entry in intake(path).entries)
    content, before = bad.read_bytes(), good.stat()
    bad.write_bytes(content[:-1] + b" ")
    intake(path)
    assert content == bad.read_bytes()
    assert (before.st_ino, before.st_mtime_ns) == (good.stat().st_ino, good.stat().st_mtime_ns)


def test_a_write_that_fails_leaves_nothing_behind(
    zipped: Zipped, notebook: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped({"ng_12_340_A2.ipynb": notebook()})

    staging = tmp_path / "staging"
    moved: list[Path] = []

    def full(part: Path, _target: Path) -> None:
        assert notebook() == part.read_bytes(), "what is moved is whole"
        moved.append(part)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match=r"written: No space left on device\. Make room there"):
        take_in([path], staging)
    assert [staging] == [part.parent for part in moved], "a move within one folder is atomic"
    assert [] == list(staging.iterdir())


def test_a_staging_folder_that_cannot_be_made_is_wrong_use(
    zipped: Zipped, notebook: Build, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="staging could not be written"):
        take_in([zipped({"ng_12_340_A2.ipynb": notebook()})], tmp_path / "file" / "staging")
