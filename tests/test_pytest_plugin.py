"""`pytest --grader`: a test for every check, and the outcomes and the status of `grader check`."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.errors import KernelError, SubmissionError
from grader.grading.check import Checked
from grader.model import (
    CheckResult,
    Grade,
    Late,
    Outcome,
    ProbedIn,
    RunOutcome,
    RunRecord,
    Student,
)
from grader.packs import Pack
from grader.pytest_plugin import notebooks
from grader.scoring import score

pytest_plugins = ("pytester",)

RUBRIC = """
title = "Tiny"
reference = "reference.py"
[[item]]
id = "double"
title = "double"
section = "code"
points = 4
check = [
  {id = "double_values", title = "values", points = 1, probe = "doubled"},
  {id = "double_zero", title = "nothing", points = 2, probe = "zero", varies = false},
  {id = "double_crash", title = "our fault", points = 1, probe = "zero", check = "crash"},
]
[[item]]
id = "halve"
title = "halve"
section = "extra_credit"
points = 1
check = [{id = "halve_values", title = "values", points = 1, probe = "halved"}]
[[item]]
id = "triple"
title = "triple"
section = "extra_credit"
points = 1
check = [{id = "triple_values", title = "values", points = 1, probe = "tripled"}]
"""
PROBES = """
from grader.probes import Names, Rng, probe

@probe
def doubled(names: Names, rng: Rng) -> object:
    return names.double(rng.rand(3))

@probe
def zero(names: Names, rng: Rng) -> object:
    return names.double(0)

@probe
def halved(names: Names, rng: Rng) -> object:
    return names.halve(3.0)

@probe
def tripled(names: Names, rng: Rng) -> object:
    return names.triple(3.0)
"""
CHECKS = """
from grader.checks import Answer, check

@check
def crash(theirs: Answer, ours: Answer, tolerance: float) -> None:
    raise ZeroDivisionError
"""
REFERENCE = """
def double(x):
    return 2 * x

def halve(x):
    return x / 2

def triple(x):
    return 3 * x
"""
NOTEBOOK = """import math

def double(x):
    return 1 if isinstance(x, int) else x + x

def triple(x):
    return x
"""


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pack and a notebook that loses one check of each kind."""
    monkeypatch.delenv("GRADER_HIDDEN_SEED", raising=False)
    pack = pytester.mkdir("packs") / "tiny"
    pack.mkdir()
    files = {"rubric.toml": RUBRIC, "probes.py": PROBES, "checks.py": CHECKS}
    for name, text in {**files, "reference.py": REFERENCE}.items():
        (pack / name).write_text(text, encoding="utf-8")
    (pytester.path / "Ng-T1.ipynb").write_text(notebook_of(NOTEBOOK), encoding="utf-8")
    return pytester.path


def notebook_of(source: str) -> str:
    """A notebook of one cell."""
    lines = source.splitlines(keepends=True)
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": lines}
    cells = [{**cell, "execution_count": None}]
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    return json.dumps(notebook, indent=1)


Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, folder: Path) -> Run:
    def run(*arguments: str) -> pytest.RunResult:
        plugin = ("-p", "grader.pytest_plugin", "-p", "no:cacheprovider", "--disable-warnings")
        course = ("--grader", "tiny", "--grader-pack-dir", str(folder / "packs"))
        return pytester.runpytest_inprocess(*plugin, *course, *arguments)

    return run


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """In place of kernels: the notebooks that were run, and by their names what came of it."""
    done: list[Path] = []

    def check(pack: Pack, notebook: Path) -> Checked:
        done.append(notebook)
        if "broken" in notebook.name:
            raise SubmissionError("broken.ipynb is no notebook.")
        if "fault" in notebook.name:
            raise KernelError("No kernel could be had.")
        lost = (
            {"double_zero": f"Expected 0, yours is 1. {'Mind it. ' * 20}"}
            if "Ng" in notebook.name
            else {}
        )
        lost["halve_values"] = "`halve` is not defined in the notebook."
        results = tuple(
            CheckResult(
                check_id=rule.id,
                title=rule.title,
                outcome=Outcome.FAILED if rule.id in lost else Outcome.PASSED,
                earned=Decimal(0) if rule.id in lost else rule.points,
                possible=rule.points,
                message=lost.get(rule.id, ""),
            )
            for rule in pack.rubric.checks
        )
        grade = Grade(
            student=Student(name="Ng"),
            file=notebook.name,
            sha256="0" * 64,
            run=RunRecord(outcome=RunOutcome.COMPLETE, probed_in=ProbedIn.NOTEBOOK),
            score=score(pack.rubric, results, marks={}, late=Late()),
        )
        return Checked(grade=grade, executed="", exhibits={})

    def checker(pack: Pack, *_: object, **__: object) -> nullcontext[SimpleNamespace]:
        return nullcontext(SimpleNamespace(check=partial(check, pack)))

    monkeypatch.setattr(notebooks, "checker", checker)
    return done


# ------------------------------------------------------------------------------- with kernels
RIGHT = """
def double(x):
    return x + x

def halve(x):
    return x / 2

def triple(x):
    return x + x + x
"""


def as_check(
    run: Run, folder: Path, most: int, isolation: str = "auto"
) -> tuple[pytest.RunResult, dict[str, Any]]:
    """Test a notebook, and check it with the most points as the minimum: statuses are the same.

    Returns:
        What pytest said, and the JSON; empty where there is none.
    """
    found = run("Ng-T1.ipynb", "-v", "--junitxml=junit.xml", "--grader-isolation", isolation)
    asked = ["--assignment", "tiny", "--pack-dir", str(folder / "packs"), "--isolation", isolation]
    also = ["--min-score", str(most), "--format", "json", "-o", str(folder / "result.json")]
    checked = CliRunner().invoke(main, ["check", str(folder / "Ng-T1.ipynb"), *asked, *also])
    assert checked.exit_code == found.ret
    file = folder / "result.json"
    return found, json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def counted(result: dict[str, Any]) -> dict[str, int]:
    """Count a result's checks by what pytest calls them; lost extra credit is one of two."""
    names = {
        ("code", "passed"): "passed",
        ("code", "failed"): "failed",
        ("code", "broken"): "errors",
        ("extra_credit", "passed"): "passed",
        ("extra_credit", "failed"): "skipped or xfailed",
    }
    items = result["items"]
    return Counter(names[i["section"], check["outcome"]] for i in items for check in i["checks"])


def outcomes(found: pytest.RunResult) -> dict[str, int]:
    """The same of pytest's last line."""
    counts = Counter(found.parseoutcomes())
    counts.pop("warnings", 0)  # of pytest, which runs in itself here
    extra = counts.pop("skipped", 0) + counts.pop("xfailed", 0)
    return counts + Counter({"skipped or xfailed": extra})


@pytest.mark.kernel
def test_counts_and_status_are_those_of_check(folder: Path, run: Run) -> None:
    """With hidden questions, as the course's secret is given to both in the same way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_HIDDEN_SEED", "a secret of the tests")
        found, result = as_check(run, folder, 4)
    assert 3 == found.ret
    # Of the three that are lost one is extra credit not attempted, one lost extra credit.
    found.assert_outcomes(passed=1, failed=1, errors=1, skipped=1, xfailed=1)
    assert counted(result) == outcomes(found)
    checks = {check["id"]: check for item in result["items"] for check in item["checks"]}
    for case in ET.parse(folder / "junit.xml").iter("testcase"):  # noqa: S314  our own
        given = {each.get("name"): each.get("value") for each in case.iter("property")}
        check = checks[str(case.get("name"))]
        assert given == {
            "points": str(check["points"]),
            "possible": str(check["possible"]),
            "visibility": check["visibility"],
        }
    seen = {check["visibility"] for check in checks.values()}
    assert {"public", "hidden"} == seen
    assert "raise " not in found.stdout.str()


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "status"), [(RIGHT, 0), (NOTEBOOK, 1), (None, 2)], ids=["right", "lost", "broken"]
)
def test_where_all_could_be_judged_the_status_is_that_of_check_too(
    source: str | None, status: int, folder: Path, run: Run
) -> None:
    """A right notebook, one that lost points, and a file that is none."""
    (fault,) = (line for line in RUBRIC.splitlines(keepends=True) if "crash" in line)
    rubric = RUBRIC.replace(fault, "").replace("points = 4", "points = 3")
    (folder / "packs" / "tiny" / "rubric.toml").write_text(rubric, encoding="utf-8")
    text = "{" if source is None else notebook_of(source)
    (folder / "Ng-T1.ipynb").write_text(text, encoding="utf-8")
    found, result = as_check(run, folder, 3, isolation="auto" if source else "off")
    assert status == found.ret
    if source is None:
        assert {} == result
        found.assert_outcomes(errors=4)
    else:
        assert counted(result) == outcomes(found)
        assert 4 == sum(counted(result).values())


# ------------------------------------------------------------------------------- without
def test_each_check_is_a_test_and_collecting_runs_nothing(run: Run, runs: list[Path]) -> None:
    found = run("--collect-only", "-q")
    names = [line for line in found.outlines if "::" in line]
    assert [
        "Ng-T1.ipynb::double::double_values",
        "Ng-T1.ipynb::double::double_zero",
        "Ng-T1.ipynb::double::double_crash",
        "Ng-T1.ipynb::halve::halve_values",
        "Ng-T1.ipynb::triple::triple_values",
    ] == names
    assert [] == runs


def test_a_notebook_is_run_once_and_a_lost_check_is_a_sentence(run: Run, runs: list[Path]) -> None:
    found = run()
    assert (1, 1) == (found.ret, len(runs))
    found.assert_outcomes(passed=3, failed=1, skipped=1)
    text = found.stdout.str()
    assert "nothing (2 points)\nExpected 0, yours is 1." in text
    assert "Ng-T1.ipynb: 2 of 4 points for the code" in text
    assert "raise " not in text
    failures = text[text.index("FAILURES") : text.index("points for the code")]
    assert max(map(len, failures.splitlines())) <= 80


def test_no_points_lost_is_status_0(run: Run, runs: list[Path], folder: Path) -> None:
    (folder / "Ng-T1.ipynb").rename(folder / "Right-T1.ipynb")
    assert (0, 1) == (run().ret, len(runs))


@pytest.mark.parametrize(("name", "status"), [("broken", 2), ("fault", 3)])
def test_what_could_not_be_graded_is_a_sentence_and_the_status_of_check(
    name: str, status: int, run: Run, runs: list[Path], folder: Path
) -> None:
    (folder / "Ng-T1.ipynb").rename(folder / f"{name}.ipynb")
    found = run()
    assert (status, 1) == (found.ret, len(runs))
    found.assert_outcomes(errors=5)
    assert "checking.check" not in found.stdout.str()  # no line of a traceback


@pytest.mark.parametrize(
    ("chosen", "outcomes"),
    [
        (("Ng-T1.ipynb",), {"passed": 3, "failed": 1, "skipped": 1}),
        (("Ng-T1.ipynb::double",), {"passed": 2, "failed": 1}),
        (("Ng-T1.ipynb::double::double_zero",), {"failed": 1}),
        (("Ng-T1.ipynb::halve", "Ng-T1.ipynb::double::double_values"), {"skipped": 1, "passed": 1}),
        (("{folder}/Ng-T1.ipynb::triple",), {"passed": 1}),
        (("--rootdir={folder}", "./Ng-T1.ipynb::triple::triple_values"), {"passed": 1}),
    ],
    ids=str,
)
def test_an_editor_runs_what_it_points_at(
    chosen: tuple[str, ...], outcomes: dict[str, int], folder: Path, run: Run, runs: list[Path]
) -> None:
    """A file, an item, a check, several of them; from the folder, or by the whole path."""
    found = run(*(each.format(folder=folder) for each in chosen))
    found.assert_outcomes(**outcomes)
    assert 1 == len(runs)


def test_an_editor_lists_every_notebook_below_a_folder_with_ids_that_it_can_run(
    folder: Path, run: Run, runs: list[Path]
) -> None:
    (folder / "a folder").mkdir()
    (folder / "Ng-T1.ipynb").rename(folder / "a folder" / "Ng, the second.ipynb")
    listed = [line for line in run("--collect-only", "-q").outlines if "::" in line]
    assert 5 == len(listed)
    assert "a folder/Ng, the second.ipynb::double::double_zero" == listed[1]
    run(listed[0], listed[1]).assert_outcomes(passed=1, failed=1)
    assert 1 == len(runs)


def test_a_notebook_outside_of_pytests_root_has_its_name(
    folder: Path, run: Run, runs: list[Path]
) -> None:
    """As where a pack's folder, and with it some project's settings, lies somewhere else."""
    root = f"--rootdir={folder / 'packs'}"
    listed = [line for line in run(root, "--collect-only", "-q").outlines if "::" in line]
    assert f"{folder}/Ng-T1.ipynb::double::double_values" == listed[0]
    run(root, listed[0]).assert_outcomes(passed=1)
    found = run(root, "Ng-T1.ipynb::double", "-v")
    found.stdout.fnmatch_lines(["Ng-T1.ipynb::double::double_zero FAILED*"])
    assert 2 == len(runs)


def test_what_is_not_there_is_pytests_own_sentence(run: Run, runs: list[Path]) -> None:
    found = run("Ng-T1.ipynb::double::quadruple")
    assert (pytest.ExitCode.USAGE_ERROR, []) == (found.ret, runs)
    found.stderr.fnmatch_lines(["ERROR: not found: *quadruple"])


def test_keywords_choose_items(run: Run, runs: list[Path]) -> None:
    found = run("-k", "halve or double_values")
    found.assert_outcomes(passed=1, skipped=1, deselected=3)
    assert (0, 1) == (found.ret, len(runs))


def test_x_stops_at_the_first_loss(run: Run, runs: list[Path]) -> None:
    found = run("-x")
    found.assert_outcomes(passed=1, failed=1)
    assert (1, 1) == (found.ret, len(runs))


def test_a_test_knows_its_line_in_the_notebook(folder: Path, run: Run, runs: list[Path]) -> None:
    text = (folder / "Ng-T1.ipynb").read_text(encoding="utf-8")
    line = text[: text.index("def double")].count("\n") + 1
    run("--junitxml=junit.xml", "-o", "junit_family=legacy", "-k", "double_zero")
    (case,) = ET.parse(folder / "junit.xml").iter("testcase")  # noqa: S314  our own
    assert str(line - 1) == case.get("line")  # pytest counts from 0
    assert 1 == len(runs)


def test_an_assignment_that_is_not_there_is_one_sentence(
    pytester: pytest.Pytester, runs: list[Path]
) -> None:
    found = pytester.runpytest_inprocess("-p", "grader.pytest_plugin", "--grader", "a9")
    assert (pytest.ExitCode.USAGE_ERROR, []) == (found.ret, runs)
    found.stderr.fnmatch_lines(["ERROR: There is no assignment `a9`*"])


# ------------------------------------------------------------------------------- not asked for
def test_without_grader_no_notebook_is_collected(
    pytester: pytest.Pytester, folder: Path, runs: list[Path]
) -> None:
    pytester.makepyfile("def test_nothing() -> None: pass")
    found = pytester.runpytest_inprocess("-p", "grader.pytest_plugin", str(folder))
    found.assert_outcomes(passed=1)
    assert [] == runs


def test_without_grader_nothing_but_pytest_is_imported() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import grader.pytest_plugin;"
        "print(*sorted(set(sys.modules) - before))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ["grader", "grader.pytest_plugin"] == shown.stdout.split()


def test_the_package_announces_the_plugin() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"grader.pytest_plugin": "grader.pytest_plugin"} == project["entry-points"]["pytest11"]
