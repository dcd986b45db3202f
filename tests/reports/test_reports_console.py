"""The terminal shows all there is to say within its width, and obeys nobody's escape sequences."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from grader.model import CellOutcome, CellRun, Grade, Late, RunOutcome, RunRecord
from grader.reports.console import (
    check_report,
    doctor_table,
    night_report,
    results_table,
    summary_panel,
)
from grader.reports.tables import attention_rows
from grader.rubric import Rubric

MakeGrade = Callable[..., Grade]
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-7]|9[0-7]|38;)")


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return Terminal()


def printed(what: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system="standard", force_terminal=True)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# ------------------------------------------------------------------------------- a class
def test_a_student_is_a_line(make_grade: MakeGrade) -> None:
    late = Late(days=1, penalty=Decimal(10))
    grade = make_grade({"adam_trace": "No."}, late=late)
    head, line = (
        ESCAPE.sub("", text).split() for text in printed(results_table([grade])).splitlines()
    )
    assert ["Student", "Code/70", "Marks/30", "Extra/5", "Late", "Final", "State"] == head
    assert ["Lee,", "Ana", "69", "30", "0", "-10", "89", "final"] == line


def test_what_is_not_known_is_no_number(make_grade: MakeGrade) -> None:
    grade = make_grade(marks={}, late=Late())
    line = ESCAPE.sub("", printed(results_table([grade]))).splitlines()[1].split()
    assert ["70", "-", "0", "?", "-", "needs", "marks"] == [
        x for x in line if x not in {"Lee,", "Ana"}
    ]


@pytest.mark.parametrize("name", ["x" * 300, "王" * 300])
def test_a_long_name_leaves_room_for_the_state(make_grade: MakeGrade, name: str) -> None:
    table = results_table([make_grade(name=name, attention=("Look.",))])
    lines = ESCAPE.sub("", printed(table, 80)).splitlines()
    assert lines[1].rstrip().endswith("needs attention")
    assert (2, True) == (len(lines), all(len(line) <= 80 for line in lines))


def test_the_summary_counts_and_says_where_the_files_are(
    make_grade: MakeGrade, tmp_path: Path
) -> None:
    (tmp_path / "grades.csv").touch()
    grades = [make_grade(), make_grade(marks={}), make_grade(attention=("Look.",))]
    said = " ".join(ESCAPE.sub("", printed(summary_panel(grades, tmp_path), 400)).split())
    assert "3 graded" in said
    assert "1 need a person's marks" in said
    assert "1 need attention: attention.csv says what for" in said
    assert str(tmp_path / "grades.csv") in said
    assert "results.json" not in said  # it is not there


def test_an_empty_class_is_shown(tmp_path: Path) -> None:
    assert "0 graded" in printed(night_report([], [], tmp_path))


def test_much_attention_is_cut_short(make_grade: MakeGrade, tmp_path: Path) -> None:
    grades = [make_grade(name=f"S{i:02}", attention=("Look.",)) for i in range(15)]
    assert "and 5 more" in printed(night_report(grades, attention_rows(grades), tmp_path))


def test_the_doctor_says_the_mend_of_what_is_not_well() -> None:
    said = printed(
        doctor_table([("Python", True, "3.11", "none"), ("fork", False, "no", "Use Linux.")])
    )
    assert "Use Linux." in said
    assert "none" not in said


def denied(text: str) -> None:
    """Only rich's own sequences for colour may be left."""
    bare = ESCAPE.sub("", text)
    assert not any(char in bare for char in "\x1b\x07\x08\x9b\r\u202e\u2066\u200f\u2028\U000e0041")
    assert "\x1b]" not in text  # no title, no link


def test_hostile_names_are_shown_and_not_obeyed(
    make_grade: MakeGrade, tmp_path: Path, hostile: str
) -> None:
    grade = make_grade(name=hostile, file=hostile, attention=(hostile,))
    said = printed(night_report([grade], attention_rows([grade]), tmp_path), 300)
    denied(said)
    if hostile.startswith("["):
        assert "[bold red]Bob[/]" in ESCAPE.sub("", said)


# ------------------------------------------------------------------------------- one notebook
def test_a_report_names_every_check(make_grade: MakeGrade, rubric: Rubric) -> None:
    words = " ".join(check_report(make_grade(swish=True), rubric).split())
    for rule in rubric.checks:
        assert rule.title.split(" ", maxsplit=1)[0] in words
    assert "Optimizers.adam 15 of 15" in words


def test_a_report_tells_passed_from_lost(make_grade: MakeGrade, rubric: Rubric) -> None:
    lines = check_report(make_grade({"relu_shape": "One row only."}), rubric).splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("  ✗"))
    assert ["✗", "0", "of", "1"] == [lines[at].split()[0], *lines[at].split()[-3:]]
    assert "    One row only." == lines[at + 1]
    assert any(line.startswith("  ✓") for line in lines)


@pytest.mark.parametrize("word", ["Wrong. " * 60, "x" * 500, "王" * 300])
def test_a_report_fits_80_columns(make_grade: MakeGrade, rubric: Rubric, word: str) -> None:
    grade = make_grade({"relu_shape": word}, file=f"{word}.ipynb", attention=(word,))
    lines = check_report(grade, rubric).splitlines()
    assert max(map(len, lines)) <= 80


def test_a_report_for_a_file_is_plain(
    make_grade: MakeGrade, rubric: Rubric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in check_report(make_grade(), rubric)


def test_a_terminal_gets_colour(make_grade: MakeGrade, rubric: Rubric, terminal: Terminal) -> None:
    assert COLOUR.search(check_report(make_grade(), rubric, to=terminal))


def test_no_color_is_respected(
    make_grade: MakeGrade, rubric: Rubric, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not COLOUR.search(check_report(make_grade(), rubric, to=terminal))


@pytest.mark.usefixtures("terminal")
def test_a_pipe_gets_no_colour(make_grade: MakeGrade, rubric: Rubric) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert "\x1b" not in check_report(make_grade(), rubric, to=pipe)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_signs_that_cannot_be_written_are_replaced(
    make_grade: MakeGrade, rubric: Rubric, encoding: str
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    text = check_report(make_grade({"relu_shape": "王"}, name="Łucja"), rubric, to=stream)
    stream.write(text)  # would raise
    assert "  x a matrix of the same shape" in text
    assert "  + one step of Adam" in text


def test_hostile_words_in_a_report_are_shown_and_not_obeyed(
    make_grade: MakeGrade, rubric: Rubric, terminal: Terminal, hostile: str
) -> None:
    cells = (CellRun(index=4, outcome=CellOutcome.ERROR, error=f"Traceback\n{hostile}"),)
    run = RunRecord(outcome=RunOutcome.ERRORS, cells=cells, notes=(hostile,), isolation=(hostile,))
    grade = make_grade({"relu_shape": hostile}, file=hostile, run=run, attention=(hostile,))
    denied(check_report(grade, rubric, to=terminal))


def test_the_error_of_a_failed_cell_is_named(make_grade: MakeGrade, rubric: Rubric) -> None:
    cells = (
        CellRun(index=4, outcome=CellOutcome.ERROR, error="Traceback\n\x1b[31mKeyError: 'x'\n"),
    )
    run = RunRecord(outcome=RunOutcome.ERRORS, cells=cells)
    assert "Cell 5: KeyError: 'x'" in check_report(make_grade(run=run), rubric)


def test_many_failed_cells_are_cut_short(make_grade: MakeGrade, rubric: Rubric) -> None:
    cells = tuple(CellRun(index=i, outcome=CellOutcome.ERROR, error="E") for i in range(100))
    run = RunRecord(outcome=RunOutcome.ERRORS, cells=cells)
    report = check_report(make_grade(run=run), rubric)
    assert (12, 1) == (report.count(": E\n"), report.count("88 more cells failed."))


def test_staff_notes_are_not_shown(make_grade: MakeGrade, rubric: Rubric) -> None:
    text = check_report(make_grade({"relu_shape": "No."}, broken=("adam_trace",)), rubric)
    assert "HIDDEN-NUMBER-8675309" not in text
