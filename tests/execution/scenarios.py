"""Notebooks to run, what to ask of them, and how to read what came of it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grader.execution.workplace import Workplace
from grader.model import Evidence, Limits, ProbeCall, Reply, Seed, Student, Submission, Visibility

URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/auto-mpg/auto-mpg.data"
WORKPLACE = Workplace(
    files={"auto-mpg.data": b"18.0 8 307.0\n15.0 8 350.0\n18.0 8 NA\n"},
    offline={URL: "auto-mpg.data"},
    self_check="A2grader.py",
)
SEED = Seed(Visibility.PUBLIC, 0)


@dataclass(frozen=True)
class Scenario:
    """A notebook, what to ask of it, and under which limits."""

    cells: Sequence[Any]  # a code cell's text, or a whole cell
    probes: dict[str, str] = field(default_factory=dict)  # name -> body
    limits: Limits = field(default_factory=Limits)

    def submission(self, folder: Path) -> Submission:
        path = folder / "Lastname-A2.ipynb"
        path.write_text(json.dumps(notebook(self.cells)), encoding="utf-8")
        return submission(path)

    def calls(self) -> list[ProbeCall]:
        return [probe(name, body) for name, body in self.probes.items()]


def notebook(cells: Sequence[Any]) -> dict[str, Any]:
    whole = [cell if isinstance(cell, dict) else code(cell) for cell in cells]
    return {"cells": whole, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def code(source: str, **metadata: object) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
    }


def submission(path: Path) -> Submission:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Submission(students=(Student(name="A"),), file=path.name, path=path, sha256=sha256)


def probe(name: str, body: str) -> ProbeCall:
    source = f"def {name}(names, rng):\n    " + body.replace("\n", "\n    ")
    return ProbeCall(probe_id=name, seed=SEED, source=source, number=7)


def reply(evidence: Evidence, name: str) -> Reply:
    return evidence.replies[name, SEED]


def outputs(evidence: Evidence, index: int) -> str:
    """Return what a cell of the executed notebook shows, as text."""
    return json.dumps(json.loads(evidence.executed)["cells"][index]["outputs"])


def leftovers(temporary: Path) -> list[Path]:
    """Return what is left of kernels that have ended, but for the fork server's own folder."""
    left = [path for path in temporary.glob("grader-*") if "grader-kernels-" not in path.name]
    return left + [path for path in temporary.glob("grader-kernels-*/*") if not path.is_dir()]


def descendants(pid: int) -> set[int]:
    """Return all processes that a process and its children have begun, as seen from here."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def assert_ended(pid: int) -> None:
    """Wait for the end of a process; a zombie that its parent does not fetch has ended too."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    pytest.fail("the process goes on")
