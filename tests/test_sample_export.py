"""The sample export, graded as a TA would: every true grade of the manifest, item by item."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kernel

SAMPLES = Path("submissions")
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))
HANDED_IN = [s for s in MANIFEST["students"] if s["state"] is not None]
COMMAND = (
    *(sys.executable, "-m", "grader", "grade", str(SAMPLES / "a2-canvas-export.zip")),
    *("--roster", str(SAMPLES / "a2-gradebook.csv"), "--due", MANIFEST["due"]),
    *("--submitted", str(SAMPLES / "a2-times.csv")),
    *("--extensions", str(SAMPLES / "a2-extensions.csv")),
    *("--partners", str(SAMPLES / "a2-partners.csv"), "--marks", str(SAMPLES / "a2-marks.csv")),
    *("--cell-seconds", "8"),  # one of them hands in an endless loop
)


def name(entry: dict[str, Any]) -> str:
    return str(entry["student"]["name"])


def grade(out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--out", str(out), *options],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "GRADER_HIDDEN_SEED": "a secret of the tests"},
        check=False,
    )


@pytest.fixture(scope="session")
def night(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("night") / "graded"
    return grade(out), out


@pytest.fixture(scope="session")
def results(night: tuple[object, Path]) -> dict[str, dict[str, Any]]:
    listed = json.loads((night[1] / "results.json").read_text(encoding="utf-8"))
    return {result["student"]["canvas_id"]: result for result in listed}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_everybody_who_handed_in_is_there_once(results: dict[str, dict[str, Any]]) -> None:
    assert {str(s["student"]["canvas_id"]) for s in HANDED_IN} == set(results)


@pytest.mark.parametrize("entry", HANDED_IN, ids=name)
def test_every_true_grade(entry: dict[str, Any], results: dict[str, dict[str, Any]]) -> None:
    """Points by item, lateness, total, state and the checks that were lost."""
    result = results[str(entry["student"]["canvas_id"])]
    assert entry["items"] == {item["id"]: item["points"] for item in result["items"]}
    late = entry["late"]
    said = result["late"]
    assert (late["days"], late["penalty"] or 0) == (said["days"], said["penalty"])
    assert (entry["final"], entry["state"]) == (result["final"], result["state"])
    lost = {
        check["id"]
        for item in result["items"]
        for check in item["checks"]
        if check["outcome"] == "failed" and item["section"] == "code"
    }
    assert set(entry["lost"]) == lost
    assert result["run"]["outcome"] in (entry["run"] or ["unreadable"])


def test_the_exit_status_says_that_some_need_attention(
    night: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    run, _ = night
    assert 3 == run.returncode
    assert "Traceback" not in run.stdout + run.stderr
    assert "\x1b" not in run.stdout, "a name's escape sequence came through"


def test_every_line_of_attention_names_a_person_or_a_file_and_what_to_do(
    night: tuple[object, Path],
) -> None:
    lines = rows(night[1] / "attention.csv")
    waiting = {name(s) for s in MANIFEST["students"] if s["state"] in {None, "needs-attention"}}
    assert waiting == {line["student"].removeprefix("'") for line in lines}
    assert all(line["what"].endswith(".") for line in lines)


def test_the_import_holds_exactly_the_final_grades(night: tuple[object, Path]) -> None:
    """One column, one row for each final grade, and nobody who is excused."""
    lines = rows(night[1] / "canvas-import.csv")
    column = next(c for c in lines[0] if c.startswith("A2 "))
    written = {line["ID"]: float(line[column]) for line in lines if line["ID"]}
    final = {
        str(s["student"]["canvas_id"]): float(s["final"])
        for s in HANDED_IN
        if s["final"] is not None
    }
    assert final == written


def test_everybody_gets_a_page_and_canvas_gets_them_back(night: tuple[object, Path]) -> None:
    pages = {path.name for path in (night[1] / "feedback").iterdir()}
    assert len(HANDED_IN) == len(pages)
    assert all(page.isascii() and page.endswith(".html") for page in pages)
    with zipfile.ZipFile(night[1] / "feedback.zip") as archive:
        members = archive.namelist()
    uploads = {s["file"] for s in HANDED_IN if s["file"] and s["file"].endswith(".ipynb")}
    assert len(uploads) == len(members)
    assert not [m for m in members if "LATE" in m or "/" in m or "\\" in m]


def test_nothing_of_the_hidden_seed_is_in_what_students_see(night: tuple[object, Path]) -> None:
    for path in [*(night[1] / "feedback").iterdir(), night[1] / "results.json"]:
        assert "a secret of the tests" not in path.read_text(encoding="utf-8")


def test_isolation_changes_no_grade(night: tuple[object, Path], tmp_path: Path) -> None:
    """The same results with and without it, byte for byte but for seconds and the layers."""
    grade(tmp_path / "off", "--isolation", "off")

    def judged(out: Path) -> list[str]:
        results = json.loads((out / "results.json").read_text(encoding="utf-8"))
        for result in results:
            del result["run"]["seconds"]
            result["run"].pop("isolation", None)
        return [json.dumps(result) for result in results]

    assert judged(tmp_path / "off") == judged(night[1])
