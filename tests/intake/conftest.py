"""Builders for what people hand in, and a take_in that watches what it does to the disk."""

from __future__ import annotations

import hashlib
import json
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from grader.intake import Intake, IntakeLimits, take_in
from grader.model import Student

NG = Student(name="Ng, Jennifer", canvas_id="12", login="jng")
LEE = Student(name="Lee, Ana", canvas_id="17", login="alee")
SMITH_JONES = Student(name="Smith-Jones, Ann", canvas_id="23", login="asj")


def build_notebook(*sources: str, **changes: Any) -> bytes:
    """A small notebook of the current format, with `changes` at its top."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(sources or ("x = 1\n",))
    ]
    notebook: dict[str, Any] = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": cells,
    }
    return json.dumps({**notebook, **changes}).encode()


def build_zip(path: Path, members: Mapping[str, bytes] | Sequence[tuple[Any, bytes]]) -> Path:
    """A zip of members by name (or ZipInfo), deflated, in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = members.items() if isinstance(members, Mapping) else members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in pairs:
            opened.writestr(name, data)
    return path


@pytest.fixture(scope="session")
def notebook() -> Callable[..., bytes]:
    return build_notebook


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """Where the SOURCEs of a test are."""
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def zipped(incoming: Path) -> Callable[..., Path]:
    def build(members: Any, name: str = "submissions.zip") -> Path:
        return build_zip(incoming / name, members)

    return build


@pytest.fixture
def roster() -> tuple[Student, ...]:
    return (NG, LEE, SMITH_JONES)


@pytest.fixture
def intake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Intake]:
    """take_in into a staging folder well inside tmp_path; every call is held to the contract."""
    staging = tmp_path / "a" / "b" / "staging"
    elsewhere = tmp_path / "cwd"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def run(
        *sources: Path,
        roster: Sequence[Student] = (),
        limits: IntakeLimits = IntakeLimits(),  # noqa: B008 - frozen
    ) -> Intake:
        before, open_before = _tree(tmp_path, staging), _open_files()
        taken = take_in(sources, staging, roster=roster, limits=limits)
        assert before == _tree(tmp_path, staging), "something was written outside staging"
        assert open_before == _open_files(), "a file was left open"
        _check_staged(taken, staging)
        _check_problems(taken)
        return taken

    return run


def _tree(root: Path, staging: Path) -> dict[str, tuple[int, int]]:
    inside = {staging, *staging.parents}
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_size)
        for path in root.rglob("*")
        if path not in inside and staging not in path.parents
    }


def _open_files() -> int:
    open_now = Path("/proc/self/fd")
    return len(list(open_now.iterdir())) if open_now.is_dir() else 0


def _check_staged(taken: Intake, staging: Path) -> None:
    """Whole files under the hash of what is in them, for nobody else to read."""
    for path in staging.iterdir():
        assert path.name == f"{hashlib.sha256(path.read_bytes()).hexdigest()}.ipynb"
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    for entry in taken.entries:
        assert entry.submission.path == staging / f"{entry.submission.sha256}.ipynb"
        assert entry.submission.path.is_file()


def _check_problems(taken: Intake) -> None:
    """Sentences that name the file and cannot change how a terminal or a page reads."""
    for problem in taken.problems:
        assert problem.file in problem.sentence
        assert problem.sentence.endswith(".")
        categories = {unicodedata.category(char) for char in problem.sentence + problem.file}
        assert categories.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
        assert not {"\u202e", "\u2066", "\u200f"} & set(problem.sentence + problem.file)
