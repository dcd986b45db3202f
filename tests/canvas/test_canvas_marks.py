"""Marks: the template comes back as it went out, and every bad row is told by its number."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.canvas import Gradebook, MarkRow, read_marks, write_marks_template
from grader.errors import UsageError
from grader.model import Mark, Student

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WriteFile = Callable[[str, str | bytes], Path]
ITEMS = {"experiments": Decimal(15), "discussion": Decimal(15), "swish": Decimal("2.5")}
DOE = Student(name="Doe, Jane", canvas_id="101", login="jdoe")


def test_marks_are_read_by_student_and_item(file: WriteFile, roster: Gradebook) -> None:
    text = (
        "student,item,points,comment\n101,experiments,15,\n101,Discussion,12.5,-2.5: no units\n"
        '"Lee, Sam",swish,0,"a, b"\n103,experiments,,not read yet\n199,swish,1,\n'
    )
    found = read_marks(file("marks.csv", text), ITEMS, roster=roster)
    assert () == found.problems
    assert found.values == {
        "101": {
            "experiments": Mark(points=Decimal(15)),
            "discussion": Mark(points=Decimal("12.5"), comment="-2.5: no units"),
        },
        "102": {"swish": Mark(points=Decimal(0), comment="a, b")},
    }


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("nobody,swish,1", "Nobody in roster.csv has"),
        ("Test,swish,1", "Nobody in roster.csv has"),
        (",swish,1", "The student is missing"),
        (
            "102,relu,1",
            "“relu” is not an item that is marked by a person; there are: experiments, ",
        ),
        ("102,,1", "“” is not an item that is marked by a person"),
        ("102,swish,two", "“two” is not a number of points: write one like 7.5."),
        ("102,swish,1e0", "“1e0” is not a number"),
        ("102,swish,NaN", "“NaN” is not a number"),
        ("102,swish,inf", "“inf” is not a number"),
        ("102,swish,1/2", "“1/2” is not a number"),
        ("102,swish,\N{ARABIC-INDIC DIGIT ONE}", "is not a number"),
        ("102,swish," + "1" * 21, "is not a number"),
        ('102,swish,"1,234"', "“1,234” is not a number"),
        ("102,swish,-1", "The points for swish are negative (-1)."),
        ("102,swish,'-0.5", "The points for swish are negative (-0.5)."),
        ("102,swish,2.51", "2.51 points are more than the 2.5 that swish is worth."),
        ("102,experiments,100", "100 points are more than the 15 that experiments is worth."),
        ("102,swish,1,good,work", "it has 5 cells and the header 4"),
    ],
)
def test_a_bad_row_is_told_and_the_others_go_on(
    file: WriteFile, roster: Gradebook, row: str, problem: str
) -> None:
    text = f"student,item,points,comment\n101,swish,1,\n{row}\n103,swish,2,\n"
    found = read_marks(file("marks.csv", text), ITEMS, roster=roster)
    assert ["101", "103"] == list(found.values)
    (told,) = found.problems
    assert told.startswith("marks.csv, row 3: ")
    assert problem in told
    assert row.startswith("102") == bool(found.problems_of(Student(name="", canvas_id="102")))


@pytest.mark.parametrize(
    ("text", "points"),
    [
        *(("7.5", "7.5"), ("7,5", "7.5"), (" 7 ", "7"), ("+7", "7"), (".5", "0.5"), ("7.", "7")),
        *(("0", "0"), ("-0", "0"), ("15.00", "15"), ("\N{NO-BREAK SPACE}7", "7")),
    ],
)
def test_points_may_be_written_as_people_do(file: WriteFile, text: str, points: str) -> None:
    path = file("marks.csv", f"student;item;points\n101;experiments;{text}\n")
    marks = read_marks(path, ITEMS, roster=None).of(DOE)
    assert {"experiments": Mark(points=Decimal(points))} == marks


def test_two_rows_for_one_item_are_told(file: WriteFile, roster: Gradebook) -> None:
    text = "student,item,points\n101,swish,1\n101,discussion,9\njdoe,Swish,2\n101,swish,\n"
    found = read_marks(file("marks.csv", text), ITEMS, roster=roster)
    assert {"101": {"discussion": Mark(points=Decimal(9))}} == found.values
    (told,) = found.problems_of(DOE)
    assert told == (
        "marks.csv, row 4: this is a second row for the same student and swish "
        "(the first: marks.csv, row 2); none of them is used. Delete one."
    )


def test_two_rows_that_agree_count_once(file: WriteFile, roster: Gradebook) -> None:
    found = read_marks(
        file("m.csv", "student,item,points\n101,swish,1\n101,swish,1.0\n"), ITEMS, roster=roster
    )
    assert {"swish": Mark(points=Decimal(1))} == found.of(DOE)
    assert 1 == len(found.problems)


@pytest.mark.parametrize("missing", ["student", "item", "points"])
def test_the_columns_must_be_there(file: WriteFile, missing: str) -> None:
    header = ",".join(name for name in ("student", "item", "points") if name != missing)
    with pytest.raises(UsageError, match=f"row 1: no column called “{missing}”"):
        read_marks(file("marks.csv", f"{header}\n"), ITEMS, roster=None)


# ------------------------------------------------------------------------------- the template
def test_the_template_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    done = Mark(points=Decimal("12.50"), comment="-2.5: no units")
    rows = [
        MarkRow(student=DOE, item="experiments", possible=Decimal(15), hints="=2 plots; RMSE 2.8"),
        MarkRow(student=Student(name="=cmd|x"), item="swish", possible=Decimal("2.5"), mark=done),
    ]
    write_marks_template(path, rows)
    assert path.read_text(encoding="utf-8") == (
        "student,name,item,possible,points,comment,hints\n"
        '101,"Doe, Jane",experiments,15,,,\'=2 plots; RMSE 2.8\n'
        "'=cmd|x,'=cmd|x,swish,2.5,12.5,'-2.5: no units,\n"
    )


NAMES = st.text("=+-@'ab É", min_size=1, max_size=8).filter(lambda name: name.split() != [])
COMMENTS = st.text("=+-@' ab:,\"5é", max_size=12).map(str.strip)
POINTS = st.none() | st.decimals(0, 15, places=2)


@untimed
@given(
    rows=st.dictionaries(
        NAMES.map(lambda name: " ".join(name.split()).casefold()),
        st.tuples(POINTS, COMMENTS),
        max_size=5,
    ),
    hints=st.text(max_size=10),
)
def test_the_template_comes_back_as_it_went_out(
    rows: dict[str, tuple[Decimal | None, str]], hints: str
) -> None:
    """Names that look like formulas are defused on the way out and found again on the way in."""
    marks = {
        name: Mark(points=points, comment=comment)
        for name, (points, comment) in rows.items()
        if points is not None
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "marks.csv"
        write_marks_template(
            path,
            [
                MarkRow(
                    student=Student(name=name),
                    item="experiments",
                    possible=Decimal(15),
                    mark=marks.get(name),
                    hints=hints,
                )
                for name in rows
            ],
        )
        found = read_marks(path, ITEMS, roster=None)
        with path.open(newline="", encoding="utf-8") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
    assert () == found.problems
    assert marks == {name: given["experiments"] for name, given in found.values.items()}
    assert not [cell for cell in cells if cell[:1] in set("=+-@")]
