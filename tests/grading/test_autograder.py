"""The autograder zip for Gradescope: what is in it, and how its shell scripts behave."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.cli.check import check
from grader.errors import PackError, UsageError
from grader.grading.bundling import autograder
from grader.grading.bundling.autograder import container
from grader.packs import Pack, load_pack
from tests.reports.gradescope_schema import breaches

EXAMPLES = Path("docs/examples")
PAGE = Path("docs/gradescope.md")
METADATA = {
    "created_at": "2026-03-03T12:00:00.000000-07:00",
    "assignment": {"due_date": "2026-03-01T23:59:00.000000-07:00"},
    "users": [{"name": "Lee", "email": "lee@example.com", "id": 1}],
}
# Does what the file `does` says, and keeps what it was asked.
GRADER = """\
#!/bin/sh
for word; do printf '%s\\0' "$word"; done > "$AUTOGRADER_ROOT/asked"
[ "$1" = check ] || exit 3
while [ "$1" != -o ]; do shift; done
case "$(cat "$AUTOGRADER_ROOT/does")" in
  judges) echo '{"score": 12, "tests": []}' > "$2" ;;
  refuses) echo '{"score": 0, "output": "Lee.ipynb is broken."}' > "$2"; exit 2 ;;
  complains) echo "Usage: grader check" >&2; exit 2 ;;
  fails) exit 3 ;;
  is-killed) echo '{"score": 100}' > "$2"; kill -9 $$ ;;
esac
"""
# Makes environments in which there is no more than the grader above.
PYTHON = """\
#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
  "-m pip install -q ./grader-0.1.0-py3-none-any.whl")
    [ -f "$5" ] && cp "$AUTOGRADER_ROOT/grader" "$(dirname "$0")" ;;
  *) exec "$REAL_PYTHON" "$@" ;;
esac
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


@dataclass(frozen=True)
class Container:
    """What Gradescope makes of the zip: its folders, and programs in place of the machine's."""

    root: Path

    @classmethod
    def of(cls, archive: Path, root: Path) -> Container:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(root / "source")
        shutil.copy(root / "source" / "run_autograder", program(root / "run_autograder", ""))
        (root / "submission").mkdir()
        (root / "does").write_text("judges", encoding="utf-8")
        program(root / "grader", GRADER)
        program(root / "bin" / "python3.13", PYTHON)
        return cls(root)

    def does(self, what: str) -> None:
        (self.root / "does").write_text(what, encoding="utf-8")

    def sh(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
        return subprocess.run(
            ["/bin/bash", str(self.root / script)],
            env={
                **kept,
                "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
                "AUTOGRADER_ROOT": str(self.root),
                "REAL_PYTHON": sys.executable,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def hand_in(self, *names: str) -> subprocess.CompletedProcess[str]:
        for name in names:
            path = self.root / "submission" / name
            path.parent.mkdir(exist_ok=True)
            path.touch()
        return self.sh("run_autograder")

    @property
    def result(self) -> dict[str, Any] | None:
        """What Gradescope reads, which is by its schema; None: nothing, so that it says so."""
        file = self.root / "results" / "results.json"
        if not file.exists():
            return None
        report: dict[str, Any] = json.loads(file.read_text("utf-8"))
        assert [] == breaches(report)
        return report

    def asked(self) -> dict[str, Any]:
        """What the grader was asked, by the real command's own parser, each value of its type."""
        _, *words = (self.root / "asked").read_text(encoding="utf-8").split("\0")[:-1]
        context = click.Context(check)
        given, left, order = check.make_parser(context).parse_args(words)
        assert [] == left
        for parameter in check.params:
            value = given.get(parameter.name or "")
            if isinstance(value, str):
                parameter.type_cast_value(context, value)
        return {str(p.name): given[str(p.name)] for p in order}


@pytest.fixture(scope="module")
def line() -> Pack:
    return load_pack("line", [EXAMPLES])


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of the grader as far as pip and names go."""
    path = tmp_path / "grader-0.1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: grader\nVersion: 0.1.0\n"
    tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("grader/cli/__init__.py", "")
        archive.writestr("grader-0.1.0.dist-info/METADATA", about)
        archive.writestr("grader-0.1.0.dist-info/WHEEL", tags)
        archive.writestr("grader-0.1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def ready(line: Pack, wheel: Path, tmp_path: Path) -> Container:
    """A container whose image is built."""
    autograder(line, tmp_path / "autograder.zip", wheel, None)
    made = Container.of(tmp_path / "autograder.zip", tmp_path / "autograder")
    built = made.sh("source/setup.sh")
    assert 0 == built.returncode, built.stderr
    return made


# ------------------------------------------------------------------------------- the zip
def test_the_zip_holds_what_gradescope_starts_and_a_pack_of_ones_own(
    line: Pack, wheel: Path, tmp_path: Path
) -> None:
    (tmp_path / "seed").write_text("a secret of the tests\n", encoding="utf-8")
    autograder(line, tmp_path / "a.zip", wheel, tmp_path / "seed")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    assert {"setup.sh", "run_autograder", wheel.name, "hidden-seed"} < names
    assert {"packs/line/rubric.toml", "packs/line/reference.py"} < names
    assert (0o755, 0o755, 0o644) == tuple(
        modes[name] for name in ("setup.sh", "run_autograder", wheel.name)
    )


def test_what_comes_with_the_grader_is_not_packed_again(wheel: Path, tmp_path: Path) -> None:
    names = autograder(load_pack("a2", [Path("rubrics")]), tmp_path / "a.zip", wheel, None)
    assert ("setup.sh", "run_autograder", wheel.name) == names


def test_what_is_no_wheel_of_the_grader_is_refused(wheel: Path, tmp_path: Path) -> None:
    other = wheel.rename(tmp_path / "numpy-2.0.whl")
    for path in (other, Path("README.md")):
        with pytest.raises(UsageError, match="pip wheel"):
            autograder(load_pack("a2", [Path("rubrics")]), tmp_path / "a.zip", path, None)


def test_a_seed_that_is_none_is_refused_before_students_read_of_it(
    line: Pack, wheel: Path, tmp_path: Path
) -> None:
    (tmp_path / "seed").write_text("short\n", encoding="utf-8")
    with pytest.raises(UsageError, match="fewer than 8 characters"):
        autograder(line, tmp_path / "a.zip", wheel, tmp_path / "seed")
    assert not (tmp_path / "a.zip").exists()


def test_a_late_policy_that_makes_no_sense_is_refused(
    line: Pack, wheel: Path, tmp_path: Path
) -> None:
    late = line.rubric.late.model_copy(update={"timezone": "Mars/Olympus"})
    odd = line.rubric.model_copy(update={"late": late})
    object.__setattr__(copied := load_pack("line", [EXAMPLES]), "rubric", odd)
    with pytest.raises(PackError, match="not a time zone"):
        autograder(copied, tmp_path / "a.zip", wheel, None, lateness=True)


def test_the_command_says_what_a_container_needs_and_so_does_the_page(
    wheel: Path, tmp_path: Path
) -> None:
    """A2 may use 900 s and 4 GB; Gradescope ends what goes over its own limits, with 0 points."""
    given = ["bundle", "a2", "--gradescope", "--wheel", str(wheel), "-o", str(tmp_path / "a.zip")]
    made = CliRunner().invoke(main, given)
    assert 0 == made.exit_code, made.output
    sentence = container(load_pack("a2", [Path("rubrics")]))
    assert f"{tmp_path / 'a.zip'}: setup.sh, run_autograder, {wheel.name}.\n{sentence}\n" == (
        made.output
    )
    assert "26 minutes and 5 GB" in sentence
    assert "26 minutes and 5 GB" in PAGE.read_text(encoding="utf-8")


def test_what_is_for_gradescope_is_refused_without_it() -> None:
    refused = CliRunner().invoke(main, ["bundle", "a2", "--late"])
    assert (2, True) == (refused.exit_code, "are for --gradescope" in refused.output)


# ------------------------------------------------------------------------------- the image
def test_an_image_without_a_python_that_suits_gets_one(
    line: Pack, wheel: Path, tmp_path: Path
) -> None:
    autograder(line, tmp_path / "autograder.zip", wheel, None)
    image = Container.of(tmp_path / "autograder.zip", tmp_path / "autograder")
    programs = image.root / "bin"
    spare = (programs / "python3.13").rename(image.root / "spare")
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        program(programs / name, "#!/bin/sh\nexit 1\n")
    program(programs / "apt-get", f'#!/bin/sh\necho "$@"\ncp "{spare}" "{programs}/python3.11"\n')
    built = image.sh("source/setup.sh")
    assert 0 == built.returncode, built.stderr
    assert ["update -qq", "install -y -qq python3.11 python3.11-venv"] == (
        built.stdout.splitlines()[:2]
    )
    assert 0 == (image.root / "source" / "setup.sh").stat().st_mode & 0o077


@pytest.mark.parametrize("does", ["complains", "fails", "refuses"])
def test_an_image_in_which_no_notebook_can_be_graded_is_not_built(
    does: str, line: Pack, wheel: Path, tmp_path: Path
) -> None:
    """So a broken assignment, or a machine without kernels, meets the staff and no student."""
    autograder(line, tmp_path / "autograder.zip", wheel, None)
    image = Container.of(tmp_path / "autograder.zip", tmp_path / "autograder")
    image.does(does)
    built = image.sh("source/setup.sh")
    assert (1, None) == (built.returncode, image.result)
    assert "A trial notebook could not be graded" in built.stderr


# ------------------------------------------------------------------------------- a submission
def test_one_notebook_is_checked_whatever_its_name(ready: Container) -> None:
    done = ready.hand_in("-Lee's A0 (1).ipynb", ".ipynb_checkpoints/Lee.ipynb")
    assert (0, 12) == (done.returncode, (ready.result or {})["score"])
    expected = {
        "assignment": "line",
        "form": "gradescope",
        "output": f"{ready.root}/results/results.json",
        "pack_dir": [f"{ready.root}/source/packs/."],
        "notebook": f"{ready.root}/submission/-Lee's A0 (1).ipynb",
    }
    assert expected == ready.asked()


def test_a_seed_and_lateness_are_handed_on_where_they_were_given(
    line: Pack, wheel: Path, tmp_path: Path
) -> None:
    (tmp_path / "seed").write_text("a secret of the tests\n", encoding="utf-8")
    autograder(line, tmp_path / "a.zip", wheel, tmp_path / "seed", lateness=True)
    image = Container.of(tmp_path / "a.zip", tmp_path / "autograder")
    assert 0 == image.sh("source/setup.sh").returncode
    (image.root / "submission_metadata.json").write_text(json.dumps(METADATA), encoding="utf-8")
    assert 0 == image.hand_in("Lee-A0.ipynb").returncode
    asked = image.asked()
    assert f"{image.root}/source/hidden-seed" == asked["hidden_seed_file"]
    assert f"{image.root}/submission_metadata.json" == asked["submission_metadata"]


@pytest.mark.parametrize("names", [[], ["a.ipynb", "b.ipynb"]])
def test_without_one_notebook_the_student_is_told(names: list[str], ready: Container) -> None:
    assert 0 == ready.hand_in(*names).returncode
    result = ready.result or {}
    said = f"Hand in one notebook (.ipynb); here are {len(names)}."
    assert (0, said) == (result["score"], result["output"])


def test_a_notebook_that_cannot_be_run_is_told(ready: Container) -> None:
    ready.does("refuses")
    assert 0 == ready.hand_in("Lee-A0.ipynb").returncode
    assert {"score": 0, "output": "Lee.ipynb is broken."} == ready.result


@pytest.mark.parametrize("does", ["complains", "fails", "is-killed"])
def test_a_fault_that_is_not_the_students_leaves_no_result_not_even_an_old_one(
    does: str, ready: Container
) -> None:
    """Status 2 for the course's mistakes, 3 for the machine's: neither costs a student points.

    Nor does a result count that somebody wrote who then ended the grader.
    """
    assert 0 == ready.hand_in("Lee-A0.ipynb").returncode
    ready.does(does)
    assert (1, None) == (ready.hand_in().returncode, ready.result)


# ------------------------------------------------------------------------------- the real thing
@pytest.mark.kernel
def test_the_scripts_grade_a_notebook_with_the_grader_itself(
    line: Pack, wheel: Path, tmp_path: Path
) -> None:
    """All of it but what pip would download: the environment is the one that runs this test."""
    (tmp_path / "seed").write_text("a secret of the tests\n", encoding="utf-8")
    autograder(line, tmp_path / "a.zip", wheel, tmp_path / "seed", lateness=True)
    image = Container.of(tmp_path / "a.zip", tmp_path / "autograder")
    environment = f'#!/bin/sh\n[ "$2" != venv ] || exec ln -s "{sys.prefix}" "$3"\n'
    program(image.root / "bin" / "python3.13", f'{environment}exec "$REAL_PYTHON" "$@"\n')
    built = image.sh("source/setup.sh", PIP_DRY_RUN="1", PIP_NO_DEPS="1", PIP_NO_INDEX="1")
    assert 0 == built.returncode, built.stdout + built.stderr
    (image.root / "submission_metadata.json").write_text(json.dumps(METADATA), encoding="utf-8")
    shutil.copy(EXAMPLES / "handed-in" / "Lee-A0.ipynb", image.root / "submission")
    done = image.sh("run_autograder")
    assert 0 == done.returncode, done.stdout + done.stderr
    result = image.result or {}
    assert (4, 8) == (result["score"], sum(test["score"] for test in result["tests"]))
    assert "2 days late: handed in 2026-03-03 12:00:00" in result["output"]
    assert {"visible", "after_published"} == {test["visibility"] for test in result["tests"]}
