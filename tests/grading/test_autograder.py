"""The autograder zip for Gradescope: what is in it, and how its shell script behaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from grader.errors import UsageError
from grader.grading.bundling import autograder
from grader.packs import load_pack

STAND_IN = """\
#!/bin/sh
echo "$@" > "$AUTOGRADER_ROOT/asked"
if [ -f "$AUTOGRADER_ROOT/refuses" ]; then echo "Lee-A0.ipynb is broken." >&2; exit 2; fi
if [ -f "$AUTOGRADER_ROOT/fails" ]; then exit 3; fi
while [ "$1" != -o ]; do shift; done
echo '{"score": 12}' > "$2"
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Something that is a wheel of the grader as far as names go."""
    path = tmp_path / "grader-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("grader/cli/__init__.py", "")
    return path


@pytest.fixture
def root(wheel: Path, tmp_path: Path) -> Path:
    """What Gradescope's container looks like once setup.sh was run, with a grader that says so."""
    pack = load_pack("line", [Path("docs/examples")])
    autograder(pack, tmp_path / "autograder.zip", wheel, None)
    folder = tmp_path / "autograder"
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        archive.extractall(folder / "source")
    for name in ("submission", "results", "grader-env/bin"):
        (folder / name).mkdir(parents=True)
    (folder / "grader-env/bin/python").symlink_to(sys.executable)
    (folder / "grader-env/bin/grader").write_text(STAND_IN, encoding="utf-8")
    (folder / "grader-env/bin/grader").chmod(0o755)
    return folder


def run(root: Path, *notebooks: str) -> tuple[int, dict[str, Any] | None]:
    """Hand notebooks in; return the exit status and what was left as the result."""
    for name in notebooks:
        path = root / "submission" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}", encoding="utf-8")
    script = root / "source" / "run_autograder"
    script.chmod(0o755)  # zipfile does not
    done = subprocess.run(
        [str(script)],
        env={**os.environ, "AUTOGRADER_ROOT": str(root)},
        capture_output=True,
        check=False,
    )
    results = root / "results" / "results.json"
    return done.returncode, json.loads(results.read_text("utf-8")) if results.exists() else None


def test_the_zip_holds_what_gradescope_starts_and_a_pack_of_ones_own(
    wheel: Path, tmp_path: Path
) -> None:
    (tmp_path / "seed").write_text("a secret of the tests", encoding="utf-8")
    line = load_pack("line", [Path("docs/examples")])
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


def test_one_notebook_is_checked_whatever_its_name(root: Path) -> None:
    assert (0, {"score": 12}) == run(root, "Lee A0 (1).ipynb", ".ipynb_checkpoints/Lee.ipynb")
    asked = (root / "asked").read_text(encoding="utf-8")
    assert "Lee A0 (1).ipynb --assignment line --format gradescope -o" in asked
    assert f"--pack-dir {root}/source/packs" in asked
    assert "--hidden-seed-file" not in asked


def test_without_one_notebook_the_student_is_told(root: Path) -> None:
    status, result = run(root)
    assert (0, {"score": 0, "output": "Hand in one notebook (.ipynb); here are 0."}) == (
        status,
        result,
    )
    assert "here are 2." in (run(root, "a.ipynb", "b.ipynb")[1] or {})["output"]


def test_a_notebook_that_cannot_be_run_is_told_and_a_fault_of_ours_gives_no_points(
    root: Path,
) -> None:
    (root / "refuses").touch()
    assert (0, {"score": 0, "output": "Lee-A0.ipynb is broken."}) == run(root, "Lee-A0.ipynb")
    (root / "refuses").rename(root / "fails")
    (root / "results" / "results.json").unlink()
    assert (1, None) == run(root)
