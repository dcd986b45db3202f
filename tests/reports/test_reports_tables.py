"""The tables hold every student, numbers as numbers, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from grader.files import write_table
from grader.model import Grade, Late, Mark, Student
from grader.reports.tables import (
    Attention,
    attention_rows,
    write_attention,
    write_grades,
)
from grader.rubric import Rubric

MakeGrade = Callable[..., Grade]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_grades_have_a_column_for_each_item(make_grade: MakeGrade, tmp_path: Path) -> None:
    marks = {"experiments": Mark(points=Decimal("12.5"))}
    write_grades(tmp_path / "grades.csv", [make_grade({"adam_trace": "No."}, marks=marks)])
    assert [
        {
            "student": "Lee, Ana",
            "canvas_id": "40103",
            "login": "alee",
            "file": "Lee-A2.ipynb",
            "adam": "14",
            "use": "10",
            "relu": "5",
            "grad_relu": "5",
            "relu_network": "10",
            "partition": "10",
            "run_experiment": "15",
            "experiments": "12.5",
            "discussion_item": "",
            "swish": "0",
            "code": "69",
            "discussion": "",
            "extra_credit": "0",
            "late_days": "0",
            "penalty": "0",
            "final": "",
            "state": "needs-marks",
        }
    ] == read(tmp_path / "grades.csv")


def test_no_two_columns_share_a_name(make_grade: MakeGrade, tmp_path: Path) -> None:
    write_grades(tmp_path / "g.csv", [make_grade()])
    header = (tmp_path / "g.csv").read_text(encoding="utf-8").splitlines()[0].split(",")
    assert len(header) == len(set(header))


def test_the_penalty_is_in_the_grade(make_grade: MakeGrade, tmp_path: Path) -> None:
    write_grades(tmp_path / "g.csv", [make_grade(late=Late(days=2, penalty=Decimal(20)))])
    (row,) = read(tmp_path / "g.csv")
    assert ("2", "20", "80") == (row["late_days"], row["penalty"], row["final"])


def test_students_are_in_order(make_grade: MakeGrade, tmp_path: Path) -> None:
    write_grades(tmp_path / "g.csv", [make_grade(name=name) for name in "CAB"])
    assert ["A", "B", "C"] == [row["student"] for row in read(tmp_path / "g.csv")]


def test_a_class_of_nobody_is_a_header(tmp_path: Path) -> None:
    write_grades(tmp_path / "g.csv", [])
    assert (tmp_path / "g.csv").read_text(encoding="utf-8").startswith("student,canvas_id,login,")


def test_no_cell_is_a_formula(make_grade: MakeGrade, tmp_path: Path, hostile: str) -> None:
    grades, attention = tmp_path / "grades.csv", tmp_path / "attention.csv"
    grade = make_grade(name=hostile, file=hostile, canvas_id=hostile, attention=(hostile,))
    write_grades(grades, [grade])
    write_attention(attention, attention_rows([grade]))
    cells = [cell for path in (grades, attention) for row in read(path) for cell in row.values()]
    for cell in cells:
        assert cell.lstrip()[:1] not in tuple("=+-@")
        assert ";=" not in cell
        assert cell.isprintable()


def test_a_negative_number_is_a_number(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ["a", "b", "c"], [[Decimal("-2.50"), "-2.50", -3]])
    assert [{"a": "-2.5", "b": "'-2.50", "c": "-3"}] == read(tmp_path / "t.csv")


def test_attention_names_what_is_to_be_done(make_grade: MakeGrade, tmp_path: Path) -> None:
    asked = make_grade(name="A", attention=("Say when it came.", "Say whose it is."))
    broken = make_grade(name="B", broken=("relu_values", "relu_shape"))
    fine, unmarked = make_grade(name="C"), make_grade(name="D", marks={})
    rows = attention_rows([broken, asked, fine, unmarked])
    write_attention(tmp_path / "attention.csv", rows)
    first, second, third = read(tmp_path / "attention.csv")
    assert {
        "student": "A",
        "canvas_id": "40103",
        "file": "Lee-A2.ipynb",
        "what": "Say when it came.",
    } == first
    assert ("A", "Say whose it is.") == (second["student"], second["what"])
    assert third["what"].startswith("Could not be judged: relu_values, relu_shape. The pack")
    assert "HIDDEN-NUMBER-8675309" in third["what"]  # for the staff, who have to find the fault


def test_where_nothing_could_be_judged_the_reason_is_enough(
    make_grade: MakeGrade, rubric: Rubric
) -> None:
    every = tuple(rule.id for rule in rubric.checks)
    grade = make_grade(broken=every, attention=("It is a PDF: ask for the notebook.",))
    assert ["It is a PDF: ask for the notebook."] == [row.what for row in attention_rows([grade])]


def test_a_broken_check_is_told_beside_other_questions(make_grade: MakeGrade) -> None:
    grade = make_grade(broken=("relu_values",), attention=("Say when it came.",))
    assert 2 == len(attention_rows([grade]))


def test_many_broken_checks_are_counted(make_grade: MakeGrade, rubric: Rubric) -> None:
    grade = make_grade(broken=tuple(rule.id for rule in rubric.checks))
    (row,) = attention_rows([grade])
    assert f"and {len(rubric.checks) - 5} more." in row.what


def test_attention_may_be_about_nobody(tmp_path: Path) -> None:
    row = Attention(student=Student(name=""), file="notes.txt", what="Not a notebook.")
    write_attention(tmp_path / "attention.csv", [row])
    assert [("", "notes.txt", "Not a notebook.")] == [
        (r["student"], r["file"], r["what"]) for r in read(tmp_path / "attention.csv")
    ]
