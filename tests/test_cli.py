"""The command line as people use it: outputs, statuses, and sentences in place of tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.cli import COMMANDS, main
from grader.cli.options import command_line
from grader.reports.forms import FORMS
from grader.reports.results import Result
from tests.execution.scenarios import descendants

NOTEBOOKS = Path("submissions/notebooks").resolve()
NAMES = sorted(COMMANDS)


def grader(
    *arguments: object, env: dict[str, str] | None = None, encoding: str = "utf-8"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "grader", *map(str, arguments)],
        capture_output=True,
        encoding=encoding,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, **(env or {})},
    )


def write_notebook(path: Path, *cells: str) -> Path:
    blank: dict[str, object] = {
        "cell_type": "code",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    written = [{**blank, "id": f"c{i}", "source": cell} for i, cell in enumerate(cells)]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": written}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@pytest.fixture
def tiny_pack(tmp_path: Path) -> Path:
    """A course's own pack: one function, one check."""
    pack = tmp_path / "packs" / "tiny"
    pack.mkdir(parents=True)
    (pack / "rubric.toml").write_text(
        'title = "Tiny"\nreference = "reference.py"\n[[item]]\nid = "double"\ntitle = "double"\n'
        'section = "code"\npoints = 2\n'
        'check = [{id = "double_values", title = "values", points = 2, probe = "doubled"}]\n'
    )
    (pack / "probes.py").write_text(
        "from grader.probes import Names, Rng, probe\n\n@probe\n"
        "def doubled(names: Names, rng: Rng) -> object:\n    return names.double(rng.rand(3))\n"
    )
    (pack / "reference.py").write_text("def double(x):\n    return 2 * x\n")
    return pack.parent


# ------------------------------------------------------------------------------- words
@pytest.mark.parametrize("command", NAMES)
def test_every_command_shows_an_example(command: str) -> None:
    """The help of each command has an example that names the command."""
    found = CliRunner().invoke(main, [command, "--help"])
    assert 0 == found.exit_code
    assert "Example" in found.output
    assert f"grader {command}" in found.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["grade"], "Missing argument"),
        (["grade", "nowhere.zip"], "nowhere.zip does not exist"),
        (["grade", "README.md", "--assignment", "a9"], "There is no assignment `a9`"),
        (["grade", "README.md", "--due", "tomorrow"], "is not a date and time"),
        (["grade", "README.md", "--roster", "README.md"], "README.md"),
        (["check", "README.md"], "README.md"),
        (["check", "README.md", "--cell-seconds", "0"], "is not in the range"),
    ],
)
def test_wrong_use_is_one_sentence_and_status_2(
    arguments: Sequence[str], complaint: str, tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "out")] if arguments[0] == "grade" else []
    found = grader(*arguments, *out)
    assert 2 == found.returncode
    assert complaint in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("typed", "logged"),
    [
        ("postgresql://ta:secret@db/grades", "postgresql://ta:…@db/grades"),
        ("postgresql://ta@db:secret@x@db:5432/grades", "postgresql://ta@db:…@db:5432/grades"),
        ("postgresql:///grades?user=ta&password=secret", "…/grades?user=ta&password=…"),
        ("postgresql://db/g?sslpassword=secret's x&a=1", "…db/g?sslpassword=…&a=1"),
        ("--store=postgresql:///g?PASSWORD=secret", "--store=postgresql:///g?PASSWORD=…"),
        ("tcp://ta@10.0.0.5:8786", "tcp://ta@10.0.0.5:8786"),
    ],
)
def test_no_password_of_a_database_is_in_what_is_logged(
    typed: str, logged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["grader", "grade", "x.zip", typed])
    line = command_line()
    assert "secret" not in line
    assert logged.removeprefix("…") in line


# ------------------------------------------------------------------------------- check
@pytest.mark.kernel
def test_check_prints_one_object_of_the_schema_with_no_configuration() -> None:
    found = grader("check", NOTEBOOKS / "right.ipynb", "--format", "json")
    assert 0 == found.returncode
    result = Result.model_validate_json(found.stdout)
    assert (70, "needs-marks", None) == (result.code.points, result.state, result.final)
    parabola = result.items[0].checks[0]
    assert ("adam_parabola", "passed") == (parabola.id, parabola.outcome)


@pytest.mark.kernel
def test_check_ends_with_status_1_below_the_minimum_and_says_what_is_wrong() -> None:
    """On a stdout of a Windows code page too, which lacks the signs of the report."""
    notebook = NOTEBOOKS / "relu-in-place.ipynb"
    found = grader("check", notebook, "--min-score", "70", encoding="cp437")
    assert (1, "") == (found.returncode, found.stderr)
    text = found.stdout
    assert "writes its zeros into the matrix that it is given" in " ".join(text.split())
    assert "  x the matrix of weighted sums is left as it was" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text


@pytest.mark.kernel
def test_check_writes_several_forms_of_one_run(tmp_path: Path) -> None:
    notebook = NOTEBOOKS / "adam-without-bias-correction.ipynb"
    files = {form: tmp_path / f"report.{form}" for form in FORMS if form != "github"}
    also = [word for form, file in files.items() for word in ("--also", f"{form}={file}")]
    summary = tmp_path / "summary.md"
    summary.write_text("Before.\n", encoding="utf-8")
    environment = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(NOTEBOOKS.parent)}
    found = grader("check", notebook, "--format", "github", *also, env=environment)
    assert (0, "") == (found.returncode, found.stderr)
    wrong = "    def adam("
    lines = notebook.read_text(encoding="utf-8").splitlines()
    line = next(i for i, each in enumerate(lines, 1) if wrong in each)
    assert f"::error file=notebooks/{notebook.name},line={line},title=Cell 7%3A " in found.stdout
    markdown = files["markdown"].read_text(encoding="utf-8")
    assert f"Before.\n{markdown}" == summary.read_text(encoding="utf-8")
    assert "- **-12** Optimizers.adam:" in markdown
    assert "| Value, at \\[0\\] | 5.03900403 |" in markdown
    assert "yours gets to" in markdown
    assert "```python\nw = np.array([0.0])\n" in markdown
    points = json.loads(files["json"].read_text(encoding="utf-8"))["code"]["points"]
    gradescope = json.loads(files["gradescope"].read_text(encoding="utf-8"))
    assert points == gradescope["score"] == 58
    assert "58 of 70" == json.loads(files["badge"].read_text(encoding="utf-8"))["message"]
    quality = json.loads(files["codequality"].read_text(encoding="utf-8"))
    assert {line} == {entry["location"]["lines"]["begin"] for entry in quality}
    assert f"notebooks/{notebook.name}:{line} (cell 7)" in files["junit"].read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--also", "junit"), "'junit' is not FORMAT=FILE"),
        (("--also", "pdf=x.pdf"), "with a format of text, markdown"),
        (("--format", "pdf"), "'pdf' is not one of"),
        (("--hidden-seed-file", "short"), "fewer than 8 characters"),
        (("--watch", "--min-score", "60"), "there is no status for --min-score"),
        (("--due", "2026-10-31", "--submission-metadata", "short"), "give one"),
        (("--submission-metadata", "short"), "short is not JSON"),
    ],
)
def test_what_check_cannot_do_is_said_before_anything_is_run(
    options: tuple[str, ...], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("seed\n", encoding="utf-8")
    notebook = str(NOTEBOOKS / "right.ipynb")
    found = CliRunner().invoke(main, ["check", notebook, *options])
    assert 2 == found.exit_code
    assert complaint in " ".join(found.output.replace("│", " ").split())


def test_what_cannot_be_graded_is_a_result_for_gradescope_and_an_assignments_mistake_is_none(
    tiny_pack: Path, tmp_path: Path
) -> None:
    """So the one costs points there and the other nobody, with the same status."""
    (tmp_path / "Ng-T1.ipynb").write_text("{", encoding="utf-8")
    pack = ("--assignment", "tiny", "--pack-dir", str(tiny_pack), "--isolation", "off")

    def check(file: Path) -> tuple[int, str]:
        asked = ["check", str(tmp_path / "Ng-T1.ipynb"), *pack, "--format", "gradescope"]
        found = CliRunner().invoke(main, [*asked, "--also", f"gradescope={file}"])
        return found.exit_code, found.stdout

    status, shown = check(tmp_path / "results.json")
    written = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert (2, json.loads(shown)) == (status, json.loads(written))
    result = json.loads(written)
    assert (0, True) == (result["score"], "Ng-T1.ipynb is broken" in result["output"])
    (tiny_pack / "tiny" / "rubric.toml").write_text("title = 1\n", encoding="utf-8")
    assert (2, "") == check(tmp_path / "other.json")
    assert not (tmp_path / "other.json").exists()


@pytest.mark.kernel
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_the_isolation_that_was_asked_for_is_in_the_result() -> None:
    def layers(isolation: str) -> set[str]:
        found = grader(
            *("check", NOTEBOOKS / "no-relu.ipynb", "--format", "json", "--isolation", isolation)
        )
        assert (0, "") == (found.returncode, found.stderr)
        return set(json.loads(found.stdout)["run"]["isolation"])

    assert "own processes" not in layers("off")
    assert {"own processes", "minimal read-only files"} <= layers("auto")


@pytest.mark.parametrize("command", ["check", "grade"])
def test_strict_isolation_that_cannot_be_had_is_one_sentence(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.kernels.server.BOOT", "raise SystemExit(1)")
    out = ["--out", str(tmp_path / "out")] if command == "grade" else []
    notebook = str(NOTEBOOKS / "right.ipynb")
    found = CliRunner().invoke(main, [command, notebook, "--isolation", "strict", *out])
    assert 2 == found.exit_code
    assert "Error: Nothing was run, as --isolation strict asks" in found.output


# ------------------------------------------------------------------------------- grade
@pytest.mark.kernel
def test_a_courses_own_pack_is_graded_with_no_change_in_the_grader(
    tiny_pack: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "handed in"
    folder.mkdir()
    write_notebook(folder / "Right-T1.ipynb", "def double(x):\n    return x + x")
    write_notebook(folder / "Wrong-T1.ipynb", "def double(x):\n    return 3 * x")
    out = tmp_path / "out"
    found = grader("grade", folder, "--assignment", "tiny", "--pack-dir", tiny_pack, "--out", out)
    assert 0 == found.returncode, found.stderr
    results = json.loads((out / "results.json").read_text())
    assert [2, 0] == [result["final"] for result in results]


@pytest.mark.kernel
def test_two_runs_give_the_same_results_but_for_timings(tmp_path: Path) -> None:
    """In different folders, with different numbers of jobs, under one secret."""

    def run(out: Path, jobs: int) -> str:
        sources = [NOTEBOOKS / f"{name}.ipynb" for name in ("right", "no-relu", "syntax-error")]
        found = grader(
            *("grade", *sources, "--out", out, "--jobs", jobs),
            env={"GRADER_HIDDEN_SEED": "the same for both"},
        )
        assert 0 == found.returncode, found.stderr
        results = json.loads((out / "results.json").read_text())
        for result in results:
            result["run"]["seconds"] = 0
        return json.dumps(results)

    assert run(tmp_path / "one", 1) == run(tmp_path / "two", 2)


@pytest.mark.kernel
@pytest.mark.parametrize("isolation", ["auto", "off"])
@pytest.mark.parametrize(
    ("number", "interrupts"),
    [(signal.SIGINT, "--default-signal=INT"), (signal.SIGTERM, "--ignore-signal=INT")],
)
def test_stopped_it_leaves_no_process_and_no_half_written_file(
    number: signal.Signals, interrupts: str, isolation: str, tmp_path: Path
) -> None:
    """By Ctrl-C, and by SIGTERM where a shell runs it in the background, deaf to Ctrl-C."""
    mark = f"grader-test-{os.getpid()}-{number}"
    started = tmp_path / "started"
    tell = f"try: open({str(started)!r}, 'w').close()\nexcept OSError: pass"  # not when isolated
    code = f"{tell}\nmark = {mark!r}\nwhile True: pass"
    notebook = write_notebook(tmp_path / "Loop-A2.ipynb", code)
    out, temp = tmp_path / "out", tmp_path / "temp"
    temp.mkdir()
    process = subprocess.Popen(
        [
            *("env", interrupts, sys.executable, "-m", "grader", "grade", str(notebook)),
            *("--out", str(out), "--isolation", isolation),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temp)},
    )
    # What it writes when it is isolated cannot be seen from here, but its processes can: guard,
    # server, the kernel's first process, the kernel.
    while not started.exists() and (isolation == "off" or len(descendants(process.pid)) < 4):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate()
    assert 130 == process.returncode
    assert "Stopped." in said
    assert "Traceback" not in said
    assert [] == processes_with(str(temp))
    assert [] == [p for p in temp.iterdir() if not p.name.startswith("grader-fonts")]
    left = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    own = {name for name in left if not name.endswith((".ipynb", ".replies"))}  # each whole
    store = {"store/grader.sqlite", "store/identity", "store/lock"}
    assert {"hidden-seed", *store} == own


def processes_with(text: str) -> list[str]:
    """Command lines and environments of processes that mention `text`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name == str(os.getpid()):
            continue
        for name in ("cmdline", "environ"):
            try:
                if text.encode() in (folder / name).read_bytes():
                    found.append(folder.name)
            except OSError:
                continue
    return found


# ------------------------------------------------------------------------------- installed
@pytest.mark.kernel
def test_from_a_wheel_in_an_empty_folder_outside_the_checkout(tmp_path: Path) -> None:
    """The wheel carries packs, reference and samples; nothing of them is importable by name."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(tmp_path)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "Me-A2.ipynb").write_bytes((NOTEBOOKS / "right.ipynb").read_bytes())
    run = subprocess.run(
        [sys.executable, "-m", "grader", "check", "Me-A2.ipynb", "--format", "json"],
        cwd=empty,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == run.returncode, run.stderr
    assert 70 == json.loads(run.stdout)["code"]["points"]
    assert {"grader"} == {path.name for path in site.iterdir() if path.is_dir()} - {
        "bin",
        *(path.name for path in site.glob("*.dist-info")),
    }
