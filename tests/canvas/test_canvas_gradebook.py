"""Canvas's gradebook: every dialect is read, and an import changes the grades meant, no others."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from grader.canvas import Gradebook, read_gradebook, write_canvas_import
from grader.errors import UsageError

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WriteFile = Callable[[str, str | bytes], Path]


# ------------------------------------------------------------------------------- what Canvas does
@dataclass(frozen=True, kw_only=True)
class Person:
    canvas_id: int
    last: str
    first: str
    section: str
    a1: str
    a2: str


@dataclass(frozen=True, kw_only=True)
class Export:
    """What one user's Canvas would write."""

    people: tuple[Person, ...]
    title: str
    first_last: bool
    sis: bool
    integration: bool
    root: bool
    custom: tuple[str, ...]
    hidden: tuple[str, str] | None  # below the two assignments
    totals: bool
    test_student: bool
    separator: str
    line_end: str
    bom: bool
    quote_all: bool
    decimal_mark: str

    @property
    def names(self) -> list[str]:
        return ["LastName", "FirstName"] if self.first_last else ["Student"]

    @property
    def info(self) -> list[str]:
        return [
            *self.names,
            "ID",
            *(["SIS User ID"] if self.sis else []),
            "SIS Login ID",
            *(["Integration ID"] if self.sis and self.integration else []),
            *(["Root Account"] if self.sis and self.root else []),
            "Section",
        ]

    @property
    def a2(self) -> str:
        return f"{self.title} (902)"

    def table(self) -> list[list[str]]:
        blank = [""] * len(self.info[1:])
        custom = [""] * len(self.custom)
        totals = ["Current Score", "Final Score (2026)"] if self.totals else []
        rows = [[*self.info, *self.custom, "A1 (901)", self.a2, *totals]]
        if self.hidden:
            rows.append(["", *blank, *custom, *self.hidden, *[""] * len(totals)])
        worth = ["10.00", "100.00"]
        rows.append(
            ["    Points Possible", *blank, *custom, *worth, *["(read only)"] * len(totals)]
        )
        tests = [Person(canvas_id=9, last="Student", first="Test", section="S", a1="", a2="")]
        for person in (*self.people, *(tests if self.test_student else [])):
            scores = [person.a1, person.a2, *["50.00"] * len(totals)]
            rows.append([*self.row(person), *custom, *scores])
        return [[self.number(cell) for cell in row] for row in rows]

    def row(self, person: Person) -> list[str]:
        parts = [person.last, person.first]
        sortable = ", ".join(filter(None, parts))
        values = {
            "ID": str(person.canvas_id),
            "SIS User ID": f"sis{person.canvas_id}",
            "SIS Login ID": f"login{person.canvas_id}",
            "Integration ID": "i1",
            "Root Account": "school.example",
            "Section": person.section,
        }
        names = parts if self.first_last else [sortable]
        names = [f'="{name}"' if re.match(r"\s*=", name) else name for name in names]
        return [*names, *(values[column] for column in self.info[len(names) :])]

    def number(self, cell: str) -> str:
        scored = re.fullmatch(r"[0-9]+\.[0-9]{2}", cell)
        return cell.replace(".", self.decimal_mark) if scored else cell

    def content(self) -> bytes:
        """Ruby writes quotes where it must; spreadsheets may write them everywhere."""
        must = re.compile(rf'[{re.escape(self.separator)}"\r\n]|\A\s')

        def written(cell: str) -> str:
            quoted = (self.quote_all or must.search(cell)) and not cell.startswith("    P")
            return '"' + cell.replace('"', '""') + '"' if quoted or self.quote_all else cell

        lines = [self.separator.join(map(written, row)) + self.line_end for row in self.table()]
        return "".join(lines).encode("utf-8-sig" if self.bom else "utf-8")


def canvas_imports(content: bytes) -> tuple[str, dict[str, str]]:
    """The heading of the assignment, and Canvas ID -> score, as Canvas's importer reads a file.

    Written from its description, without any of the code under test.
    """
    text = content.decode("utf-8")  # with its byte order mark, if it has one
    separator = identified_separator(text)
    mark, rest = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
    assert not (mark and rest.startswith('"')), "illegal quoting"
    header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    first_last = header[:2] == ["LastName", "FirstName"]
    assert first_last or ("Student" in header[0] and "ID" in header[1])
    at = 3 if first_last else 2  # the column behind ID
    if header[at] == "SIS Login ID":
        at += 1
    elif header[at : at + 2] == ["SIS User ID", "SIS Login ID"]:
        at += 2
        at += header[at] == "Integration ID"
        at += header[at] == "Root Account"
    assert "Section" == header[at]
    assert re.fullmatch(r".*\s\([0-9]+\)", header[at + 1]), "Canvas would create an assignment"
    assert len(header) == at + 2, "more columns than the one meant"
    scores: dict[str, str] = {}
    for row in rows:
        if "Points Possible" in row[0]:
            assert re.fullmatch(r"100[.,]00", row[-1])
        elif not all(re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell) for cell in row):
            score = row[-1].strip()
            number = re.fullmatch(r"-?[0-9.,]+%?", score)
            scores[row[2 if first_last else 1]] = normalized(score) if number else score
    assert len(scores) == sum(row[-1] != "" for row in scored(rows)), "a student twice"
    return header[-1], scores


def scored(rows: list[list[str]]) -> list[list[str]]:
    special = re.compile(r"\s*(Muted|Manual Posting.*)?\s*")
    return [
        row
        for row in rows
        if "Points Possible" not in row[0] and not all(map(special.fullmatch, row))
    ]


def normalized(number: str) -> str:
    """Canvas takes the last comma or point for the decimal one."""
    *whole, fraction = re.split("[,.]", number)
    return f"{''.join(whole)}.{fraction}" if whole else fraction


def identified_separator(text: str) -> str:
    """Canvas looks at three lines: the separator that gives all of them the same, larger number."""
    lines = io.StringIO(text, newline="").readlines()[:3]
    sizes = {}
    for separator in (";", ","):
        counts = {len(next(csv.reader([line], delimiter=separator))) for line in lines}
        sizes[separator] = counts.pop() if len(counts) == 1 else 0
    return ";" if sizes[";"] > sizes[","] else ","


# ------------------------------------------------------------------------------- round trip
NAME = st.text("abÉöß李o'-=+@,;.\" 1_()", max_size=10).map(str.strip)
LAST = NAME.filter(lambda name: name not in {"", "-"} and not name.startswith('="'))
SCORE = st.sampled_from(["", "EX", "N/A", "0.00", "87.50", "100.00", "ex"])
SECTION = st.sampled_from(["Sec 1", "Sec 1 and Sec 2", 'A, B, and "C"', "=1+1", "Übung; 2"])


@st.composite
def people(draw: st.DrawFn) -> tuple[Person, ...]:
    ids = draw(st.lists(st.integers(10, 10**15), unique=True, max_size=6))
    return tuple(
        Person(
            canvas_id=canvas_id,
            last=draw(LAST).replace(",", "").strip() or "x",
            first=draw(NAME).replace(",", "").strip(),
            section=draw(SECTION),
            a1=draw(SCORE),
            a2=draw(SCORE),
        )
        for canvas_id in ids
    )


HIDDEN = st.sampled_from(["", "Manual Posting", "Muted"])
EXPORTS = st.builds(
    Export,
    people=people(),
    title=st.sampled_from(["A2", "A2: networks, deep; wide", 'The "second"', "(3)", "=A2"]),
    first_last=st.booleans(),
    sis=st.booleans(),
    integration=st.booleans(),
    root=st.booleans(),
    custom=st.sampled_from([(), ("Notes",), ("Notes (2)", "Email")]),
    hidden=st.none() | st.tuples(HIDDEN, HIDDEN).filter(any),
    totals=st.booleans(),
    test_student=st.booleans(),
    separator=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    quote_all=st.booleans(),
    decimal_mark=st.sampled_from([".", ","]),
)
GRADE = st.decimals(0, 105, places=2) | st.sampled_from([Decimal(90), Decimal("1E+2")])


def written(export: Export, grades: dict[str, Decimal]) -> tuple[bytes, Gradebook]:
    """What the program makes of an export, and how it reads its own work."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "gradebook.csv", Path(folder) / "canvas-import.csv"
        source.write_bytes(export.content())
        write_canvas_import(read_gradebook(source), target, export.a2, grades)
        return target.read_bytes(), read_gradebook(target)


PERSON = Person(canvas_id=10, last="o", first="a", section="Sec 1", a1="", a2="87.50")
GERMAN = Export(
    people=(PERSON,),
    title="A2",
    first_last=True,
    sis=True,
    integration=True,
    root=True,
    custom=("Notes",),
    hidden=("", "Manual Posting"),
    totals=True,
    test_student=True,
    separator=";",
    line_end="\r\n",
    bom=True,
    quote_all=True,
    decimal_mark=",",
)


@untimed
@given(EXPORTS, st.data())
def test_an_import_changes_the_grades_meant_and_no_others(
    export: Export, data: st.DataObject
) -> None:
    ids = [str(person.canvas_id) for person in export.people]
    chosen = st.dictionaries(st.sampled_from([*ids, "9", "5"]), GRADE)
    grades = data.draw(chosen)
    content, again = written(export, grades)
    heading, scores = canvas_imports(content)
    excused = {str(p.canvas_id) for p in export.people if p.a2 in {"EX", "ex"}}
    meant = {key: grades[key] for key in ids if key in grades and key not in excused}
    assert export.a2 == heading
    assert meant == {key: Decimal(score) for key, score in scores.items()}
    assert "1E+2" not in str(scores)
    assert sorted(meant) == sorted(student.canvas_id for student in again.students)


@untimed
@given(EXPORTS)
@example(GERMAN)
def test_what_else_is_in_an_import_is_as_the_export_has_it(export: Export) -> None:
    grades = {str(person.canvas_id): Decimal("87.5") for person in export.people}
    _, again = written(export, grades)
    theirs = export.table()
    width, column = len(export.info), theirs[0].index(export.a2)
    expected = [[*row[:width], row[column]] for row in theirs]
    kept = [row for row in expected if row[-1].casefold() != "ex" and any(map(str.strip, row))]
    kept = [row for row in kept if "9" != row[export.info.index("ID")]]
    mine = [list(row.cells) for row in (again.sheet.header, *again.sheet.rows)]
    assert [row[:-1] for row in kept] == [row[:-1] for row in mine]
    special = 1 + (export.hidden is not None and export.hidden[1] != "") + 1
    assert [row[-1] for row in kept[:special]] == [row[-1] for row in mine[:special]]


@untimed
@given(EXPORTS)
@example(GERMAN)
def test_an_import_is_in_the_dialect_of_the_export(export: Export) -> None:
    content, again = written(export, {})
    dialect = again.sheet.dialect
    assert ("," if export.separator == "\t" else export.separator) == dialect.separator
    assert export.line_end == dialect.line_end
    assert export.quote_all == dialect.quote_all
    readable_mark = export.bom and not export.first_last and not export.quote_all
    assert readable_mark == content.startswith(b"\xef\xbb\xbf")


@untimed
@given(EXPORTS)
@example(GERMAN)
def test_every_dialect_tells_the_same_students(export: Export) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradebook.csv"
        path.write_bytes(export.content())
        gradebook = read_gradebook(path)
    told = [(student.canvas_id, student.name, student.login) for student in gradebook.students]
    expected = [
        (
            str(person.canvas_id),
            ", ".join(filter(None, (person.last, person.first))),
            f"login{person.canvas_id}",
        )
        for person in export.people
    ]
    assert expected == told
    assert [person.section for person in export.people] == [
        enrollment.section for enrollment in gradebook.enrollments
    ]
    assert ["901", "902"] == [column.assignment_id for column in gradebook.assignments][-2:]
    assert ({"9"} if export.test_student else set()) == gradebook.test_ids


# ------------------------------------------------------------------------------- to the letter
def test_an_import_to_the_letter(roster: Gradebook, tmp_path: Path) -> None:
    grades = {
        "101": Decimal("90.00"),
        "102": Decimal("87.5"),
        "103": Decimal(70),
        "104": Decimal("0E-2"),
        "199": Decimal(1),
    }
    path = tmp_path / "canvas-import.csv"
    summary = write_canvas_import(roster, path, "901", grades)
    assert path.read_text(encoding="utf-8") == (
        "Student,ID,SIS User ID,SIS Login ID,Section,A2 (901)\n"
        "    Points Possible,,,,,100.00\n"
        '"Doe, Jane",101,s1,jdoe,Sec 1,90\n'
        '"Lee, Sam",102,s2,slee,Sec 1,87.5\n'
        '"Garcia Lopez, Ana",104,s4,agl,Sec 2,0\n'
    )
    assert "A2 (901)" == summary.column
    assert [("", "90"), ("88.50", "87.5"), ("N/A", "0")] == [
        (posted.before, posted.after) for posted in summary.posted
    ]
    assert ["Lee, Kim"] == [student.name for student in summary.excused]
    assert ["Garcia Lopez, Ana"] == [student.name for student in summary.unassigned]
    assert ("199",) == summary.not_enrolled


@pytest.mark.parametrize(
    ("hidden", "kept"), [("Manual Posting,", ""), (",Manual Posting", ",,,Manual Posting\n")]
)
def test_a_posting_row_is_kept_where_it_says_something_of_the_column(
    file: WriteFile, tmp_path: Path, hidden: str, kept: str
) -> None:
    text = f"Student,ID,Section,A1 (1),A2 (2)\n,,,{hidden}\n    Points Possible,,,5,6\nx,7,s,,\n"
    path = tmp_path / "out.csv"
    write_canvas_import(read_gradebook(file("g.csv", text)), path, "2", {"7": Decimal(6)})
    expected = f"Student,ID,Section,A2 (2)\n{kept}    Points Possible,,,6\nx,7,s,6\n"
    assert expected == path.read_text()


def test_a_decimal_comma_is_answered_with_one(file: WriteFile, tmp_path: Path) -> None:
    text = "Student;ID;SIS Login ID;Section;A2 (1)\n    Points Possible;;;;100,00\nx;5;l;s;\n"
    path = tmp_path / "out.csv"
    write_canvas_import(read_gradebook(file("g.csv", text)), path, "A2", {"5": Decimal("87.5")})
    assert path.read_text().endswith("x;5;l;s;87,5\n")


@pytest.mark.parametrize("separator", [",", ";"])
def test_without_any_number_to_go_by_a_point_is_written(
    file: WriteFile, tmp_path: Path, separator: str
) -> None:
    text = "Student,ID,Section,A2 (1)\nx,5,s,\n".replace(",", separator)
    path = tmp_path / "out.csv"
    write_canvas_import(read_gradebook(file("g.csv", text)), path, "A2", {"5": Decimal("87.5")})
    assert path.read_text().endswith(f"x{separator}5{separator}s{separator}87.5\n")


def test_columns_that_people_moved_and_renamed_go_back_as_canvas_wants_them(
    file: WriteFile, tmp_path: Path
) -> None:
    text = 'section,id,INTEGRATION ID,student,Notes, A2 (1) \nS,5,i,"Doe, Jane",n,\n'
    path = tmp_path / "out.csv"
    write_canvas_import(read_gradebook(file("g.csv", text)), path, "1", {"5": Decimal(9)})
    assert 'Student,ID,Section,A2 (1)\n"Doe, Jane",5,S,9\n' == path.read_text()


def test_windows_text_goes_back_as_utf8(file: WriteFile, tmp_path: Path) -> None:
    text = "Student,ID,Section,A2 (1)\nMüller,5,s,\n"
    gradebook = read_gradebook(file("g.csv", text.encode("cp1252")))
    write_canvas_import(gradebook, tmp_path / "out.csv", "1", {"5": Decimal(9)})
    assert "Müller,5,s,9" in (tmp_path / "out.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("grade", ["NaN", "Infinity"])
def test_no_number_is_no_grade(roster: Gradebook, tmp_path: Path, grade: str) -> None:
    with pytest.raises(UsageError, match=r"Doe, Jane \(101\)"):
        write_canvas_import(roster, tmp_path / "out.csv", "901", {"101": Decimal(grade)})
    assert not (tmp_path / "out.csv").exists()


def test_an_import_needs_a_section(file: WriteFile, tmp_path: Path) -> None:
    gradebook = read_gradebook(file("g.csv", "Student,ID,A2 (1)\nx,5,\n"))
    with pytest.raises(UsageError, match=r"g\.csv has no column Section"):
        write_canvas_import(gradebook, tmp_path / "out.csv", "1", {})


# ------------------------------------------------------------------------------- assignments
ASSIGNMENTS = (
    "Student,ID,Section,Notes,A1 (11),A2 (12),A2 (13),Final Score (14),11 (15),Quiz (16),Total\n"
    "    Points Possible,,,,10,10,10,10,10,(read  only),(read only)\nx,5,s,,,,,,,,\n"
)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        *(("A1 (11)", "A1 (11)"), (" a1 ", "A1 (11)"), ("12", "A2 (12)"), ("(13)", "A2 (13)")),
        *(("a2  (13)", "A2 (13)"), ("15", "11 (15)")),
    ],
)
def test_an_assignment_is_found_by_heading_number_or_title(
    file: WriteFile, key: str, header: str
) -> None:
    gradebook = read_gradebook(file("g.csv", ASSIGNMENTS))
    assert header == gradebook.assignment(key).header


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "A2",
            "“A2”; name one by its ID in parentheses. There are: “A2 (12)”, “A2 (13)”.",
        ),
        ("11", "2 assignments are called “11”"),
        ("A3", "no assignments are called “A3”"),
        ("A", "There are: “A1 (11)”, “A2 (12)”, “A2 (13)”, “11 (15)”."),
        *((key, "no assignments") for key in ("14", "16", "Quiz", "Notes", "Total", "", "()")),
    ],
)
def test_an_assignment_that_is_not_certain_is_not_guessed(
    file: WriteFile, key: str, message: str
) -> None:
    gradebook = read_gradebook(file("g.csv", ASSIGNMENTS))
    with pytest.raises(UsageError) as error:
        gradebook.assignment(key)
    assert message in str(error.value)
    assert "g.csv" in str(error.value)


# ------------------------------------------------------------------------------- students
@pytest.mark.parametrize(
    ("key", "canvas_id"),
    [
        *(("101", "101"), (" 101 ", "101"), ("S2", "102"), ("KLEE", "103")),
        *(("doe, jane", "101"), ("Jane  Doe", "101"), ("Lee, Kim", "103")),
        ("Mu\u0308ller, Jo\u0308rg", "105"),  # the same name, composed otherwise
    ],
)
def test_a_student_is_found_by_number_login_or_name(
    roster: Gradebook, key: str, canvas_id: str
) -> None:
    assert canvas_id == roster.find(key).canvas_id


@pytest.mark.parametrize("key", ["", "Lee", "999", "Student, Test", "199", "    Points Possible"])
def test_nobody_is_told(roster: Gradebook, key: str) -> None:
    with pytest.raises(UsageError, match=r"Nobody in roster\.csv has"):
        roster.find(key)


def test_the_canvas_id_goes_first_then_sis_then_login_then_name(file: WriteFile) -> None:
    text = (
        "Student,ID,SIS User ID,SIS Login ID,Section\n"
        "4,1,2,3,s\nx,2,3,4,s\nx,3,9,1,s\nx,7,8,4,s\n=7,5,6,7,s\n"
    )
    gradebook = read_gradebook(file("g.csv", text))
    found = {key: gradebook.find(key).canvas_id for key in ("1", "2", "3", "7", "9", "6", "=7")}
    assert found == {"1": "1", "2": "2", "3": "3", "7": "7", "9": "3", "6": "5", "=7": "5"}
    assert "5" == gradebook.find("'=7").canvas_id  # as a spreadsheet's cell has it
    with pytest.raises(UsageError, match=r"“4” means 2 students in g\.csv: .* one of 2, 7"):
        gradebook.find("4")
    with pytest.raises(UsageError, match=r"“X” means 3 students"):
        gradebook.find("X")


@pytest.mark.parametrize("name", ['"=""=cmd"""', '"=""  =cmd"""', "=cmd"])
def test_a_name_that_looks_like_a_formula_is_a_name(file: WriteFile, name: str) -> None:
    gradebook = read_gradebook(file("g.csv", f"Student,ID,Section\n{name},5,s\n"))
    assert "=cmd" == gradebook.students[0].name


def test_whoever_has_an_id_is_a_student_whatever_the_name(file: WriteFile) -> None:
    text = "Student,ID,Section\nPoints Possible,,\nPoints Possible,5,s\nMuted,6,\n"
    gradebook = read_gradebook(file("g.csv", text))
    assert ["5", "6"] == [student.canvas_id for student in gradebook.students]


@pytest.mark.parametrize("name", ['"Student, Test"', "Test Student", "test student"])
def test_the_test_student_is_nobody(file: WriteFile, name: str) -> None:
    gradebook = read_gradebook(file("g.csv", f"Student,ID,Section\nx,5,s\n{name},6,s\n"))
    assert ["5"] == [student.canvas_id for student in gradebook.students]
    assert gradebook.is_test_student("6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Name,Number\n", "g.csv, row 1: this is not Canvas's gradebook"),
        ("Student,Section\n", "g.csv, row 1: this is not Canvas's gradebook"),
        ("LastName,ID\n", "g.csv, row 1: this is not Canvas's gradebook"),
        ("Student,ID\nx,1\n\ny,1.23457E+13\n", "g.csv, row 4: “1.23457E+13” is not a Canvas ID"),
        ("Student,ID\nx,\n", "g.csv, row 2: “” is not a Canvas ID"),
        ("Student,ID\nx,1\ny,2\nx,1\n", "g.csv, row 4: the Canvas ID 1 is that of row 2 already"),
        ("Student,ID\nDoe, Jane,1\n", "g.csv, row 2: it has 3 cells and the header 2"),
    ],
)
def test_a_gradebook_that_cannot_be_right_is_told(file: WriteFile, text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read_gradebook(file("g.csv", text))
    assert message in str(error.value)
