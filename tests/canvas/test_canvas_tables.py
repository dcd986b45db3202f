"""Tables: what people call CSV is read, and what is written is safe and whole."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.canvas.tables import MOST_BYTES, Sheet, read_sheet, shown
from grader.errors import UsageError
from grader.files import Cell, write_table
from grader.text import undefuse

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WriteFile = Callable[[str, str | bytes], Path]
KNOWN = ("student", "item", "points")


def cells(sheet: Sheet) -> list[list[str]]:
    return [list(row.cells) for row in (sheet.header, *sheet.rows)]


PLAIN = [["student", "item", "points"], ["Doe, Jane", 'the "best"', "7;5"], ["Müller", "", "9"]]
AS_TEXT = {
    "commas": 'student,item,points\n"Doe, Jane","the ""best""",7;5\nMüller,,9\n',
    "semicolons": 'student;item;points\nDoe, Jane;"the ""best""";"7;5"\nMüller;;9\n',
    "tabs": 'student\titem\tpoints\nDoe, Jane\t"the ""best"""\t7;5\nMüller\t\t9\n',
    "Windows": 'student,item,points\r\n"Doe, Jane","the ""best""",7;5\r\nMüller,,9\r\n',
    "old Mac": 'student,item,points\r"Doe, Jane","the ""best""",7;5\rMüller,,9',
    "blank lines": '\nstudent,item,points\n\n"Doe, Jane","the ""best""",7;5\n,,\nMüller,,9\n\n\n',
    "sep=": 'sep=;\nstudent;item;points\nDoe, Jane;"the ""best""";"7;5"\nMüller;;9\n',
    "all quoted": '"student","item","points"\n"Doe, Jane","the ""best""","7;5"\n"Müller","","9"',
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("text", AS_TEXT.values(), ids=AS_TEXT)
def test_every_way_to_write_a_table_is_read(file: WriteFile, text: str, encoding: str) -> None:
    path = file("t.csv", text.encode(encoding))
    assert PLAIN == cells(read_sheet(path, known=KNOWN))


def test_known_columns_settle_the_separator(file: WriteFile) -> None:
    """More commas than semicolons in the header, and still it is semicolons."""
    sheet = read_sheet(file("t.csv", "Student;ID;a, b, c, d, e (1)\nx;1;2\n"), known=("id",))
    assert ["Student", "ID", "a, b, c, d, e (1)"] == list(sheet.header.cells)


def test_names_of_columns_are_compared_without_case_and_spacing(file: WriteFile) -> None:
    sheet = read_sheet(file("t.csv", " Submitted  At ,STUDENT\n1,2\n"))
    assert (0, 1, None) == tuple(map(sheet.column, ("submitted_at", "student", "points")))


def test_row_numbers_are_those_of_a_spreadsheet(file: WriteFile) -> None:
    sheet = read_sheet(file("t.csv", 'a,b\n1,"two\nlines"\n\n2,x\n'))
    assert [2, 4] == [row.number for row in sheet.rows]
    assert "t.csv, row 4" == sheet.where(sheet.rows[1])


def test_short_rows_have_empty_cells_and_long_ones_are_told(file: WriteFile) -> None:
    sheet = read_sheet(file("t.csv", "a,b\n1\n2,3,,\nDoe, Jane,4\n"))
    assert ["", "3", "Jane"] == [row[1] for row in sheet.rows]
    assert ["", ""] == [sheet.overflow(row) for row in sheet.rows[:2]]
    assert sheet.overflow(sheet.rows[2]).startswith("t.csv, row 4: it has 3 cells and the header 2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv is empty: its first row must name the columns."),
        (b"\n , \n\n", "t.csv is empty"),
        (b";", "t.csv is empty"),
        (b'a,b\n1,2\n\n"Doe" Jane,3\n', "t.csv, row 4: the quotes are not those of a CSV file"),
        (b'a,b\n1,"2\n3,4\n', "t.csv, row 2: the quotes are not those of a CSV file"),
        (b"PK\x03\x04....", "t.csv is a spreadsheet or zip file: save the table as CSV."),
        (b"a,b\n\0,1\n", "t.csv is not a text file"),
        (b"a,b\n\x81\x8d,1\n", "t.csv is not a text file"),
        (b"a" * 200_000, "t.csv, row 1: "),
        (b"a" + b",a" * 6_000, "t.csv, row 1: more than 5000 columns."),
        (b"a\n" * 200_001, "t.csv has more than 200000 rows."),
        (b"a" * (MOST_BYTES + 1), "t.csv is larger than 32 MiB."),
    ],
)
def test_what_cannot_be_read_is_told_with_file_and_row(
    file: WriteFile, content: bytes, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        read_sheet(file("t.csv", content))
    assert message in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.csv could not be read: No such file"):
        read_sheet(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("student,item", "row 1: no column called “points”; one is needed. The columns are: stu"),
        ("student,points,Points", "row 1: 2 columns called “points”; one is needed."),
    ],
)
def test_a_column_must_be_there_once(file: WriteFile, header: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read_sheet(file("t.csv", f"{header}\n")).require("student", "points")
    assert message in str(error.value)


HOSTILE = st.binary(max_size=60) | st.text('ab,;\t\r\n"= \x1c\u2028', max_size=40).map(str.encode)


@untimed
@given(HOSTILE)
def test_anything_at_all_is_a_table_or_is_told(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(content)
        with suppress(UsageError):
            sheet = read_sheet(path)
            assert not any(row.is_blank for row in (sheet.header, *sheet.rows))


# ------------------------------------------------------------------------------- writing
TEXT = st.text(max_size=12) | st.text("=+-@'\t\r\n;, \"aé", max_size=8)


@untimed
@given(st.lists(st.tuples(TEXT, TEXT), max_size=6))
def test_what_is_written_is_no_formula_and_is_read_back(rows: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_table(path, ("a", "b"), rows)
        data = path.read_bytes()
        with io.StringIO(data.decode(), newline="") as stream:
            written = list(csv.reader(stream))[1:]
    assert not [cell for row in written for cell in row if cell[:1] in set("=+-@\t\r")]
    assert not {char for row in written for cell in row for char in cell} & set("\0\x1b\x7f\x85")
    readable = [[text for text in row if text.isprintable()] for row in rows]
    again = [
        [undefuse(cell) for cell, text in zip(row, said, strict=True) if text.isprintable()]
        for row, said in zip(written, rows, strict=True)
    ]
    assert readable == again


def test_numbers_are_numbers_and_nothing_is_nothing(tmp_path: Path) -> None:
    row: list[Cell] = [Decimal("-7.50"), Decimal("1E+2"), -3, None, "-3", ""]
    write_table(tmp_path / "t.csv", list("abcdef"), [row])
    assert b"a,b,c,d,e,f\n-7.5,100,-3,,'-3,\n" == (tmp_path / "t.csv").read_bytes()


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(path, ("a",), [("old",)])

    def rows() -> Iterator[tuple[str]]:
        yield ("new",)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_table(path, ("a",), rows())
    assert "a\nold\n" == path.read_text()
    assert [path] == list(tmp_path.iterdir())


def test_text_in_a_sentence_is_one_line_without_controls() -> None:
    assert "a b cd" == shown(" a\n\tb \x00c\u202ed ")
    assert 80 == len(shown("x" * 1000))
