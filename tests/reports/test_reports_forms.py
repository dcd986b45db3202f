"""The forms for programs: each is what its reader documents, whatever a student wrote."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from grader.exhibits import Exhibit
from grader.grading.publishing import write_forms, write_refusals
from grader.model import (
    CellOutcome,
    CellRun,
    Grade,
    ItemResult,
    Late,
    ProbedIn,
    RunOutcome,
    RunRecord,
    State,
    Visibility,
)
from grader.reports import github
from grader.reports.forms import FORMS, as_file, on_stream
from grader.reports.github import github_report, job_summary, unchecked
from grader.reports.subject import Subject
from grader.rubric import Rubric
from tests.reports.gradescope_schema import TEST, TOP, breaches
from tests.reports.test_reports_markdown import OURS, kinds

MakeGrade = Callable[..., Grade]
MakeSubject = Callable[..., Subject]
# The schema of Jenkins's xunit plugin (MIT), as it comes with pytest's source package.
SCHEMA = Path(__file__).parent / "schemas" / "junit-10.xsd"
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": ["# A2"]},
            {"cell_type": "code", "source": ["class Optimizers:\n", "    def adam(self):\n"]},
            {"cell_type": "code", "source": ["def relu(s):\n", "    return s"]},
        ]
    },
    indent=1,
)
ADAM_LINE = NOTEBOOK[: NOTEBOOK.index("    def adam")].count("\n") + 1
LOST = {"adam_parabola": "Adam is wrong. Really.", "relu_shape": "`relu` is wrong."}


@pytest.fixture
def subject(make_grade: MakeGrade, rubric: Rubric) -> MakeSubject:
    def make(*given: Any, exhibits: Mapping[str, Exhibit] | None = None, **more: Any) -> Subject:
        path = more.pop("path", "work/Lee-A2.ipynb")
        return Subject(
            grade=make_grade(*given, marks={}, **more),
            rubric=rubric,
            exhibits=exhibits or {},
            assignment="a2",
            path=path,
            notebook=NOTEBOOK,
        )

    return make


def with_hidden(grade: Grade, hidden: set[str]) -> Grade:
    """The same, where all checks but these were decided by published inputs."""

    def of(item: ItemResult) -> ItemResult:
        seen = [
            replace(c, visibility=Visibility("hidden" if c.check_id in hidden else "public"))
            for c in item.checks
        ]
        return replace(item, checks=tuple(seen))

    return replace(grade, score=replace(grade.score, items=tuple(map(of, grade.score.items))))


def hostile_run(word: str) -> RunRecord:
    return RunRecord(
        outcome=RunOutcome.ERRORS,
        probed_in=ProbedIn.NOTEBOOK,
        cells=(CellRun(index=1, outcome=CellOutcome.ERROR, error=word),),
        notes=(word,),
    )


# ------------------------------------------------------------------------------- all forms
@pytest.mark.parametrize("form", [form for form in FORMS if form not in {"text", "markdown"}])
def test_no_form_shows_what_is_for_the_staff_or_keeps_what_a_terminal_acts_on(
    form: str, subject: MakeSubject, hostile: str
) -> None:
    made = subject(dict.fromkeys(LOST, hostile), path=f"{hostile}.ipynb", run=hostile_run(hostile))
    text = as_file(form, made).decode()
    assert "8675309" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2066\U000e0041]", text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-8"])
def test_every_form_can_be_written_to_any_stdout(
    form: str,
    encoding: str,
    subject: MakeSubject,
    make_exhibits: Callable[[str], dict[str, Exhibit]],
) -> None:
    """Text as far as a code page goes, in 80 columns and without colour; the others as UTF-8."""
    words = "σ ≠ 2 … “x” – 数学"  # noqa: RUF001  signs that code pages lack
    lost = dict.fromkeys(make_exhibits(""), f"{words}. Mind it.")
    made = subject(lost, exhibits=make_exhibits(words), file=f"{words}.ipynb")
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    written = on_stream(form, made, stream)
    if form != "text":
        assert as_file(form, made) == written
        return
    text = written.decode(encoding)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert ("✓" in text, "…" in text) == (encoding == "utf-8", encoding in {"utf-8", "cp1252"})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_colour", "coloured"), [("", True), ("1", False)])
def test_a_terminal_has_colour_unless_it_is_not_wanted(
    no_colour: str,
    coloured: bool,  # noqa: FBT001  a case of a table
    subject: MakeSubject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", no_colour)
    text = on_stream("text", subject(LOST), Terminal()).decode()
    assert coloured == ("\x1b[31m" in text or "\x1b[1;31m" in text)


# ------------------------------------------------------------------------------- JUnit
@cache
def schema() -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(SCHEMA)


def junit(made: Subject) -> ET.Element:
    data = as_file("junit", made)
    root = ET.fromstring(data)  # noqa: S314  our own
    schema().validate(data.decode().split("\n", 1)[1])
    return root


def test_junit_is_valid_and_has_a_case_for_every_check(
    subject: MakeSubject, rubric: Rubric
) -> None:
    root = junit(subject(LOST, broken=("use_values",), swish=False))
    cases = list(root.iter("testcase"))
    assert [rule.title for rule in rubric.checks] == [case.get("name") for case in cases]
    counts = {name: root.get(name) for name in ("tests", "failures", "errors")}
    assert {"tests": str(len(cases)), "failures": "2", "errors": "1"} == counts
    assert 3 == sum(case.find("skipped") is not None for case in cases)


def test_junit_has_the_points_as_properties_and_where_it_is(subject: MakeSubject) -> None:
    root = junit(subject(LOST))
    properties = {p.get("name"): p.get("value") for p in root.iter("property")}
    assert ("0", "4") == (properties["adam_parabola.points"], properties["adam_parabola.possible"])
    (adam, _) = root.iter("failure")
    assert "0 of 4 points: Adam is wrong. Really." == adam.get("message")
    assert f"Adam is wrong. Really.\nwork/Lee-A2.ipynb:{ADAM_LINE} (cell 2)" == adam.text


def test_junit_is_what_the_parsers_of_gitlab_and_github_count(subject: MakeSubject) -> None:
    """GitLab tells cases apart by class and name, and takes paths out of system-out."""
    root = junit(subject(LOST))
    cases = list(root.iter("testcase"))
    assert len(cases) == len({(case.get("classname"), case.get("name")) for case in cases})
    assert all(case.get("classname") and case.get("name") and case.get("time") for case in cases)
    assert [] == [*root.iter("system-out"), *root.iter("system-err")]
    assert all(len(case) <= 1 for case in cases)


def test_gitlab_can_tell_two_checks_of_one_title_apart(subject: MakeSubject) -> None:
    made = subject(LOST)
    score = made.grade.score
    adam = replace(
        score.items[0], checks=tuple(replace(c, title="Adam") for c in score.items[0].checks)
    )
    items = (adam, *score.items[1:])
    root = junit(replace(made, grade=replace(made.grade, score=replace(score, items=items))))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names))
    assert ("a2.adam", "Adam (adam_parabola)") == names[0]


def test_a_path_from_the_current_folder_is_one_from_the_top_for_gitlab(
    subject: MakeSubject,
) -> None:
    (entry, _) = json.loads(as_file("codequality", subject(LOST, path="./work/Lee-A2.ipynb")))
    assert "work/Lee-A2.ipynb" == entry["location"]["path"]


def test_junit_stays_valid_whatever_was_written(subject: MakeSubject, hostile: str) -> None:
    words = f"]]>&amp;<a>{hostile}\x00\x0b\ufffe"
    junit(subject(dict.fromkeys(LOST, words), path=f"{words}.ipynb"))


# ------------------------------------------------------------------------------- GitHub
COMMAND = re.compile(r"::(error|warning|notice) ((?:[a-z]+=[^,:\r\n]*,?)+)::([^\r\n]*)")


def commands(made: Subject) -> list[tuple[str, dict[str, str], str]]:
    """Read a report as the runner does: one command a line, `,` and `:` end a property."""
    found = []
    for line in github_report(made).removesuffix("\n").split("\n"):
        command = COMMAND.fullmatch(line)
        assert command, line
        pairs = (pair.split("=", 1) for pair in command[2].split(","))
        found.append((command[1], {key: unescaped(value) for key, value in pairs}, command[3]))
    return found


def unescaped(text: str) -> str:
    for escaped, sign in (("%3A", ":"), ("%2C", ","), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(escaped, sign)
    return text


def test_github_points_at_the_cell_that_is_wrong_the_dearest_first(subject: MakeSubject) -> None:
    adam, relu, total = commands(subject(LOST))
    where = {"file": "work/Lee-A2.ipynb", "line": str(ADAM_LINE)}
    assert ("error", {**where, "title": "Cell 2: Optimizers.adam (-4)"}) == adam[:2]
    assert "Adam is wrong. Really.%0A- Adam on the parabola" in adam[2]
    assert "Cell 3: relu (-1)" == relu[1]["title"]
    assert ("notice", {"title": "grader a2"}, "65 of 70 points for the code.") == total


def test_what_is_missing_is_looked_for_where_it_is_asked_of(subject: MakeSubject) -> None:
    made = subject({"swish_values": "`swish` is not defined.", "use_values": "No."}, swish=True)
    question = "F = ('swish', 'Optimizers')\ndef swish(names):\n    return names.f(*F)\n"
    found = {title: place for _, place, _ in commands(made) if (title := place["title"])}
    assert "1" == found["NeuralNetwork.use (-4)"]["line"]
    made = replace(made, questions={"swish": question})
    found = {title: place for _, place, _ in commands(made) if (title := place["title"])}
    assert str(ADAM_LINE - 1) == found["Cell 2: Extra credit: swish"]["line"]


def test_github_warns_of_cells_that_failed_and_of_what_was_not_tested(
    subject: MakeSubject,
) -> None:
    cells = (CellRun(index=2, outcome=CellOutcome.ERROR, error="Traceback\nNameError: x"),)
    run = RunRecord(outcome=RunOutcome.ERRORS, probed_in=ProbedIn.NOTEBOOK, cells=cells)
    failed, untested, total = commands(subject(broken=("use_values",), run=run))
    assert ("warning", "Cell 3: error", "NameError: x") == (
        failed[0],
        failed[1]["title"],
        failed[2],
    )
    assert "predictions in the target's units" in untested[2]
    assert "? of 70 points for the code." == total[2]


def test_github_shows_no_more_than_github_shows(
    subject: MakeSubject, rubric: Rubric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten of a kind, however many cells failed; the total is always there."""
    lost = {rule.id: f"Wrong in its own way: {rule.id}." for rule in rubric.checks}
    cells = tuple(CellRun(index=i, outcome=CellOutcome.ERROR, error="E: x") for i in range(20))
    run = RunRecord(outcome=RunOutcome.ERRORS, probed_in=ProbedIn.NOTEBOOK, cells=cells)
    del lost["use_values"]

    def counts() -> tuple[int, int, int]:
        made = subject(lost, swish=True, run=run, broken=("use_values",))
        said = [kind for kind, _, _ in commands(made)]
        return said.count("error"), said.count("warning"), said.count("notice")

    assert (10, 10, 3) == counts()
    monkeypatch.setattr(github, "MOST_ANNOTATIONS", 2)
    assert (2, 2, 2) == counts()


@pytest.mark.parametrize(
    "words",
    [
        *("one\n::add-mask::x", "one\r::error::x", "\r\n::stop-commands::x", "x%0A::error::y"),
        *("a,line=1::b", "::set-output name=a::b", "##[error]x", "\u2028::error::x", "\x85::a::b"),
    ],
)
def test_no_word_of_a_student_begins_a_command(words: str, subject: MakeSubject) -> None:
    made = subject(dict.fromkeys(LOST, words), path=f"{words}.ipynb", run=hostile_run(words))
    found = commands(made)
    assert ["error", "error", "warning", "notice"] == [kind for kind, _, _ in found]
    for _, properties, _ in found[:-1]:
        assert {"file", "line", "title"} == set(properties)
        assert properties["line"].isdigit()


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("Warning: x.\nError: Lee.ipynb is broken: no\n JSON.\n", "Lee.ipynb is broken: no JSON."),
        ("Usage: grader check\n\nError: 'x' is not one of 1%, Error: 2.\n", "'x' is not one of 1%"),
        ("Error: a\n::stop-commands::<img src=x>\u2028", "a ::stop-commands::"),
        ("", "The grader ended without a word"),
    ],
)
def test_a_notebook_without_a_report_has_one_command_and_one_line_in_the_summary(
    stderr: str, said: str
) -> None:
    command, summary = unchecked(stderr)
    found = COMMAND.fullmatch(command)
    assert found, command
    assert ("error", "title=grader") == (found[1], found[2])
    assert unescaped(found[3]).startswith(said)
    assert summary.startswith("**Not checked.** ")
    assert summary.endswith("\n")
    assert OURS >= kinds(summary)


def test_the_summary_is_the_markdown_and_of_bearable_size(
    subject: MakeSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = subject(LOST)
    whole = job_summary(made)
    assert as_file("markdown", made).decode() == whole
    monkeypatch.setattr(github, "MOST_SUMMARY", 600)
    cut = job_summary(made)
    assert len(cut.encode()) <= 600
    assert whole.startswith(cut.removesuffix(github.CUT))
    assert OURS | {"em"} >= kinds(cut)


# ------------------------------------------------------------------------------- GitLab, badge
def test_code_quality_has_an_entry_for_each_lost_check(subject: MakeSubject) -> None:
    entries = json.loads(as_file("codequality", subject(LOST, run=hostile_run("NameError: x"))))
    assert ["adam_parabola", "relu_shape", "cell 2"] == [each["check_name"] for each in entries]
    for each in entries:
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= set(each)
        assert all(
            each[key] and isinstance(each[key], str) for key in ("description", "check_name")
        )
        assert each["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert re.fullmatch("[0-9a-f]{64}", each["fingerprint"])
        assert "work/Lee-A2.ipynb" == each["location"]["path"]
        assert type(each["location"]["lines"]["begin"]) is int
    assert {"path": "work/Lee-A2.ipynb", "lines": {"begin": ADAM_LINE}} == entries[0]["location"]
    assert 3 == len({each["fingerprint"] for each in entries})


def test_a_fingerprint_is_the_same_as_long_as_the_same_check_is_lost(
    subject: MakeSubject,
) -> None:
    def mark(message: str) -> str:
        entries = json.loads(as_file("codequality", subject({"relu_shape": message})))
        return str(entries[0]["fingerprint"])

    assert mark("Wrong.") == mark("Wrong in another way.")


def test_nothing_lost_is_an_empty_list(subject: MakeSubject) -> None:
    assert [] == json.loads(as_file("codequality", subject()))


@pytest.mark.parametrize(
    ("lost", "broken", "message", "colour"),
    [
        ({}, (), "70 of 70", "brightgreen"),
        ({"relu_shape": "No."}, (), "69 of 70", "green"),
        ({}, ("use_values",), "not judged", "lightgrey"),
    ],
)
def test_the_badge_is_shields_own_schema(
    lost: dict[str, str], broken: tuple[str, ...], message: str, colour: str, subject: MakeSubject
) -> None:
    badge = json.loads(as_file("badge", subject(lost, broken=broken)))
    expected = {"schemaVersion": 1, "label": "a2", "message": message, "color": colour}
    assert expected == badge


# ------------------------------------------------------------------------------- Gradescope
def gradescope(made: Subject) -> Any:
    """Read the report as Gradescope documents it."""
    report = json.loads(as_file("gradescope", made))
    assert [] == breaches(report)
    return report


def test_gradescope_gets_its_own_schema_and_no_leaderboard(
    subject: MakeSubject, rubric: Rubric, hostile: str
) -> None:
    report = gradescope(subject(dict.fromkeys(LOST, hostile), run=hostile_run(hostile)))
    assert set(TOP) == set(report)
    assert len(rubric.checks) == len(report["tests"])
    for test in report["tests"]:
        assert set(TEST) == set(test)
        assert 0 <= test["score"] <= test["max_score"]
        assert {"text"} == {test["output_format"], test["name_format"]}
    formats = {report[f"{part}_format"] for part in ("output", "test_output", "test_name")}
    assert {"text"} == formats
    assert ("visible", "hidden") == (report["visibility"], report["stdout_visibility"])
    assert report["score"] == sum(test["score"] for test in report["tests"]) == 65


@pytest.mark.parametrize(
    "report",
    [
        *([], {}, {"tests": []}, {"tests": [{"score": 1}, {"name": "no points"}]}),
        *({"score": "65"}, {"score": True}, {"score": 0.125}, {"score": -1}),
        *({"score": 0, "output_format": "markdown"}, {"score": 0, "visibility": "public"}),
        *({"score": 0, "leaderboard": []}, {"score": 0, "tests": [{"status": "skipped"}]}),
    ],
    ids=str,
)
def test_the_schema_tells_what_gradescope_would_not_take(report: Any) -> None:
    assert breaches(report)


def test_gradescope_shows_hidden_tests_after_publishing_only(subject: MakeSubject) -> None:
    made = subject(LOST)
    made = replace(made, grade=with_hidden(made.grade, {"relu_shape"}))
    tests = gradescope(made)["tests"]
    hidden = [test["tags"][1] for test in tests if test["visibility"] != "visible"]
    assert ["relu_shape"] == hidden
    assert "after_published" in {test["visibility"] for test in tests}


def test_nothing_is_written_for_gradescope_where_a_check_could_not_be_judged(
    subject: MakeSubject, tmp_path: Path
) -> None:
    """It would count as 0 points: not even the file of an earlier run is left."""
    made = subject(LOST, broken=("use_values",))
    assert State.NEEDS_ATTENTION is made.grade.score.state
    files = [(form, tmp_path / form) for form in FORMS]
    (tmp_path / "gradescope").write_text("{}", encoding="utf-8")
    write_forms(made, files)
    assert set(FORMS) - {"gradescope"} == {path.name for path in tmp_path.iterdir()}
    gradescope(made)  # and if it were shown, it would be by the schema


def test_what_is_no_notebook_is_a_sentence_and_no_points(tmp_path: Path, hostile: str) -> None:
    write_refusals(f"{hostile} is broken.", [(form, tmp_path / form) for form in FORMS])
    (written,) = tmp_path.iterdir()
    report = json.loads(written.read_text(encoding="utf-8"))
    assert [] == breaches(report)
    assert ("gradescope", 0) == (written.name, report["score"])
    assert report["output"].endswith(" is broken.")
    assert ("text", "visible") == (report["output_format"], report["visibility"])


def test_extra_credit_counts_in_gradescope(subject: MakeSubject) -> None:
    assert 73 == gradescope(subject({}, swish=True))["score"]


@pytest.mark.parametrize(
    ("penalty", "score", "said"),
    [
        ("20", 45, "For that, 20 points are taken off here."),
        ("0.5", 64.5, "For that, 0.5 points are taken off here."),
        ("80", 0, "65 points are taken off here. It costs 80 points: 15 of them are left."),
    ],
)
def test_in_gradescope_lateness_costs_what_is_known_of_it(
    penalty: str, score: float, said: str, subject: MakeSubject
) -> None:
    late = Late(days=2, penalty=Decimal(penalty), note="2 days late: handed in on 3 March.")
    report = gradescope(subject(LOST, late=late))
    assert (score, 65) == (report["score"], sum(test["score"] for test in report["tests"]))
    assert report["output"].startswith("2 days late: handed in on 3 March.\n")
    assert said in report["output"]


def test_in_gradescope_nothing_is_said_of_lateness_that_is_not_known(
    subject: MakeSubject,
) -> None:
    report = gradescope(subject(LOST, late=Late(note="Each day late costs 10 points.")))
    assert (65, False) == (report["score"], "late" in report["output"])
