"""Grading night without kernels: who gets what, what is asked, what is written."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grader.errors import UsageError
from grader.grading.batch import Exam
from grader.grading.course import Tables
from grader.grading.marking import template
from grader.grading.night import Order, grade_night
from grader.grading.reporting import CanvasExport, Night
from grader.grading.watcher import Watcher
from grader.model import Evidence, ProbeCall, RunOutcome, RunRecord, State, Submission
from grader.packs import Pack, load_pack

SECRET = b"a secret of the tests"
NOTEBOOK = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []})
GRADEBOOK = (
    "Student,ID,SIS Login ID,Section,A2 Networks (77)\n"
    "    Points Possible,,,,105\n"
    '"Ng, Jennifer",12,jng,One,\n'
    '"Lee, Ana",17,alee,One,88\n'
    '"Diaz, Eva",23,ediaz,One,EX\n'
)
MARKS = "student,item,points\n" + "".join(
    f"{student},experiments,15\n{student},discussion,15\n{student},swish,2\n"
    for student in (12, 17, 23)
)
Grade = Callable[..., Night]


@dataclass(frozen=True)
class ReferenceExecutor:
    """Every notebook answers as the reference does."""

    exam: Exam

    slots = 0

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        run = RunRecord(outcome=RunOutcome.COMPLETE)
        return Evidence(run=run, replies=self.exam.expected, executed=NOTEBOOK)


@pytest.fixture(scope="module")
def pack() -> Pack:
    """A2 without its known mistakes: nobody makes one here, and to work them out takes longest."""
    return replace(load_pack("a2", [Path("rubrics")]), mistakes={})


@pytest.fixture(scope="module")
def executor(pack: Pack) -> ReferenceExecutor:
    return ReferenceExecutor(Exam.of(pack, SECRET))


@pytest.fixture
def grade(tmp_path: Path, pack: Pack, executor: ReferenceExecutor) -> Grade:
    """Return a function: file names in a Canvas zip, tables as text -> the night."""

    def of(*files: str, export: dict[str, Any] | None = None, due: str = "", **texts: str) -> Night:
        source = tmp_path / "submissions.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for number, file in enumerate(files):
                archive.writestr(file, NOTEBOOK.replace("{}", json.dumps({"n": number})))
        paths = {}
        for name, text in {"roster": GRADEBOOK, "marks": MARKS, **texts}.items():
            paths[name] = tmp_path / f"{name}.csv"
            paths[name].write_text(text, encoding="utf-8")
        tables = Tables(due=due, **paths)
        asked = Order(
            sources=(source,),
            out=tmp_path / "out",
            pack=pack,
            secret=SECRET,
            tables=tables,
            jobs=2,
            export=CanvasExport(title=pack.rubric.title, **(export or {})),
        )
        return grade_night(asked, lambda: nullcontext(executor), Watcher())

    return of


def imported(tmp_path: Path) -> dict[str, str]:
    with (tmp_path / "out" / "canvas-import.csv").open(encoding="utf-8", newline="") as stream:
        return {row["ID"]: row["A2 Networks (77)"] for row in csv.DictReader(stream) if row["ID"]}


NG, LEE, DIAZ = (
    "ngjennifer_12_340_Ng-A2.ipynb",
    "leeana_17_341_Lee-A2.ipynb",
    "diazeva_23_342_x.ipynb",
)


def test_final_grades_are_imported_and_excused_students_stay_excused(
    grade: Grade, tmp_path: Path
) -> None:
    night = grade(NG, LEE, DIAZ)
    assert {State.FINAL} == {g.score.state for g in night.grades}
    assert {"12": "105", "17": "105"} == imported(tmp_path)
    assert any("EX" in notice for notice in night.notices)


def test_a_late_day_is_taken_off_and_canvas_can_do_that_instead(
    grade: Grade, tmp_path: Path
) -> None:
    times = "student,submitted_at\n12,2026-10-09T00:10\n17,2026-10-08T20:00\n"
    late = {"due": "2026-10-08T23:59", "submitted": times}
    night = grade(NG, LEE, **late)
    assert {"12": "95", "17": "105"} == imported(tmp_path)
    assert any("after the late penalty" in notice for notice in night.notices)
    night = grade(NG, LEE, export={"deducts_late": True}, **late)
    assert {"12": "105", "17": "105"} == imported(tmp_path)
    assert any("before the late penalty" in notice for notice in night.notices)


def test_late_by_nobody_knows_how_much_is_asked_and_not_posted(
    grade: Grade, tmp_path: Path
) -> None:
    late = NG.replace("_12_", "_LATE_12_")
    night = grade(late, LEE)
    assert {"17": "105"} == imported(tmp_path)
    assert ["Ng, Jennifer"] == [row.student.name for row in night.attention]
    night = grade(late, LEE, export={"deducts_late": True})
    assert {"12": "105", "17": "105"} == imported(tmp_path), "Canvas knows how late it was"


def test_both_of_a_pair_get_the_grade(grade: Grade, tmp_path: Path) -> None:
    night = grade("ngjennifer_12_340_Ng-Lee-A2.ipynb")
    assert {"12": "105", "17": "105"} == imported(tmp_path)
    assert [("Lee, Ana",), ("Ng, Jennifer",)] == [
        tuple(p.name for p in g.partners)
        for g in sorted(night.grades, key=lambda g: g.student.name)
    ][::-1]
    assert ["Diaz, Eva"] == [student.name for student in night.nothing_handed_in]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("ngjennifer_12_340_Ng-Kim-A2.ipynb", "Kim"),
        ("theowls_12_340_A2.ipynb", "group"),
        ("doejane_99_340_Doe-A2.ipynb", "not on the roster"),
    ],
)
def test_whose_work_it_is_is_asked_where_it_is_not_clear(
    file: str, said: str, grade: Grade, tmp_path: Path
) -> None:
    night = grade(file, LEE)
    assert any(said in row.what for row in night.attention)
    assert {"17": "105"} == imported(tmp_path)


def test_both_partners_handing_in_is_asked(grade: Grade) -> None:
    night = grade("ngjennifer_12_340_Ng-Lee-A2.ipynb", LEE)
    assert {"Ng, Jennifer", "Lee, Ana"} == {row.student.name for row in night.attention}


def test_a_bad_row_of_a_table_is_told_with_its_number_and_the_rest_goes_on(
    grade: Grade, tmp_path: Path
) -> None:
    bad = MARKS.replace("17,discussion,15", "17,discussion,51") + "99,discussion,3\n"
    night = grade(NG, LEE, marks=bad)
    said = [row.what for row in night.attention]
    assert any("row 6" in sentence for sentence in said)
    assert any("row 11" in sentence for sentence in said)
    assert {"12": "105"} == imported(tmp_path)


def test_an_anonymous_export_is_graded_without_asking_who_it_was(grade: Grade) -> None:
    night = grade("anon_7yQ2x_340_A2.ipynb", "LATE_anon_9zz_341_A2.ipynb", due="")
    assert ["Anonymous 7yQ2x", "Anonymous 9zz"] == sorted(g.student.name for g in night.grades)
    assert all("roster" not in row.what for row in night.attention)


def test_a_column_that_is_not_there_costs_the_import_and_nothing_else(
    grade: Grade, tmp_path: Path
) -> None:
    night = grade(NG, export={"assignment": "Final exam"})
    assert not (tmp_path / "out" / "canvas-import.csv").exists()
    assert any("--canvas-assignment" in notice for notice in night.notices)
    assert (tmp_path / "out" / "results.json").exists()


def test_a_table_that_is_not_one_stops_everything_before_it_begins(
    grade: Grade, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"marks\.csv"):
        grade(NG, marks="what is this\n")
    assert not (tmp_path / "out" / "results.json").exists()


def test_the_marks_template_asks_for_what_is_missing_and_can_be_given_back(
    grade: Grade, tmp_path: Path, pack: Pack
) -> None:
    begun = "student,item,points\n12,experiments,15\n12,discussion,14\n12,swish,2\n"
    night = grade(NG, LEE, marks=begun)
    assert [State.NEEDS_MARKS, State.FINAL] == [g.score.state for g in night.grades]
    path, count = template(tmp_path / "out", pack, tmp_path / "marks.csv")
    assert 3 == count, "Lee's; swish too, for it answers as the reference does"
    filled = path.read_text(encoding="utf-8").replace(",15,,", ",15,11,").replace(",2,,", ",2,1,")
    night = grade(NG, LEE, marks=filled)
    assert {"Ng, Jennifer": Decimal(104), "Lee, Ana": Decimal(70 + 22 + 4)} == {
        g.student.name: g.score.final for g in night.grades
    }


def test_a_template_that_was_filled_in_is_not_written_over(
    grade: Grade, tmp_path: Path, pack: Pack
) -> None:
    grade(NG, marks="student,item,points\n")
    path, _ = template(tmp_path / "out", pack)
    path.write_text(path.read_text(encoding="utf-8").replace(",15,,", ",15,11,"), encoding="utf-8")
    with pytest.raises(UsageError, match="has marks in it"):
        template(tmp_path / "out", pack)


def test_without_a_roster_a_row_that_fits_nobody_is_told(
    tmp_path: Path, pack: Pack, executor: ReferenceExecutor
) -> None:
    (tmp_path / "Ng-A2.ipynb").write_text(NOTEBOOK, encoding="utf-8")
    (tmp_path / "marks.csv").write_text("student,item,points\nNg,experiments,9\nNag,swish,1\n")
    order = Order(
        sources=(tmp_path / "Ng-A2.ipynb",),
        out=tmp_path / "out",
        pack=pack,
        secret=SECRET,
        tables=Tables(marks=tmp_path / "marks.csv"),
        jobs=1,
        export=CanvasExport(title=pack.rubric.title),
    )
    night = grade_night(order, lambda: nullcontext(executor), Watcher())
    assert ["--marks names “nag”"] == [row.what.split(",")[0] for row in night.attention]


def test_what_an_earlier_run_left_for_canvas_does_not_stay(grade: Grade, tmp_path: Path) -> None:
    grade(NG)
    assert (tmp_path / "out" / "canvas-import.csv").exists()
    grade(NG, export={"assignment": "Final exam"})
    assert not (tmp_path / "out" / "canvas-import.csv").exists()


def test_results_do_not_depend_on_the_order_of_submissions(grade: Grade) -> None:
    def results(*files: str) -> list[tuple[str, object]]:
        return [(g.student.name, g.score.final) for g in grade(*files).grades]

    assert results(NG, LEE, DIAZ) == results(DIAZ, NG, LEE)
