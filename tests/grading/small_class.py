"""A small class that is graded without kernels: notebooks say in their text how they answer."""

from __future__ import annotations

import gc
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from grader.cli import main
from grader.grading.batch import Exam
from grader.grading.course import Tables
from grader.grading.history import Story, story
from grader.grading.night import Order, grade_night
from grader.grading.rejudging import Again, rejudge
from grader.grading.reporting import CanvasExport, Night
from grader.grading.setting import Setting
from grader.grading.watcher import Watcher
from grader.model import Evidence, ProbeCall, Reply, ReplyKind, RunOutcome, RunRecord, Submission
from grader.packs import load_pack

CLASS_SECRET = b"a secret of the class"
LINE_PACK = Path("docs/examples/line")
# A check that its own pack has: one whose verdict on a right answer hangs on the tolerance.
NOT_SQUARED = """

@check
def not_squared(got: Answer, want: Answer, tolerance: float) -> None:
    squared = abs(got.number() - want.number() ** 2) <= tolerance
    require(not squared, "That is the mean of the squares.")
    require(bool(np.isclose(got.number(), want.number())), "That is another number.")
"""
STUDENTS = {"12": "ngjennifer", "17": "leeana", "23": "diazeva"}
CLASS_GRADEBOOK = (
    "Student,ID,SIS Login ID,Section,A1 Line (77)\n"
    "    Points Possible,,,,10\n"
    '"Ng, Jennifer",12,jng,One,\n"Lee, Ana",17,alee,One,\n"Diaz, Eva",23,ediaz,One,\n'
)


def class_notebook(text: str) -> str:
    cell = {"cell_type": "markdown", "id": "c", "metadata": {}, "source": text}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


@dataclass
class SayingExecutor:
    """Answers as the reference does, but for probes that a notebook's text breaks or doubles."""

    exam: Exam
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)  # file, probes

    slots = 0

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        self.asked.append((submission.file, tuple(sorted({call.probe_id for call in calls}))))
        text = submission.path.read_text(encoding="utf-8")
        replies = {call.key: self._reply(call, text) for call in calls}
        run = RunRecord(outcome=RunOutcome.COMPLETE, seconds=len(text) + 0.125)
        return Evidence(run=run, replies=replies, executed=text)

    def _reply(self, call: ProbeCall, text: str) -> Reply:
        if f"break {call.probe_id}" in text:
            return Reply(ReplyKind.UNDEFINED, detail=call.probe_id)
        right = self.exam.expected.get(call.key, Reply(ReplyKind.VALUE, None))
        if f"double {call.probe_id}" in text:
            assert isinstance(right.value, np.ndarray)
            return Reply(ReplyKind.VALUE, np.multiply(2, right.value))
        return right


@dataclass
class SmallClass:
    """A folder with a pack of its own, a download and results."""

    folder: Path
    texts: dict[str, str] = field(default_factory=lambda: dict.fromkeys(STUDENTS, "right"))
    attempt: int = 340
    opened: int = 0  # how often kernels would have been started
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    place: Path | None = None  # of the results, where it is not in `folder`

    @property
    def out(self) -> Path:
        return self.place or self.folder / "out"

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / "packs" / "line" / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def order(self, **options: Any) -> Order:
        pack = load_pack("line", [self.folder / "packs"])
        source = self.folder / "submissions.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for number, text in self.texts.items():
                name = f"{STUDENTS[number]}_{number}_{self.attempt}{number}_A1.ipynb"
                archive.writestr(name, class_notebook(f"{text}, says {number}"))
        (self.folder / "roster.csv").write_text(CLASS_GRADEBOOK, encoding="utf-8")
        tables: Mapping[str, Any] = options.pop("tables", {})
        return replace(
            Order(
                sources=(source,),
                out=self.out,
                pack=pack,
                secret=CLASS_SECRET,
                tables=Tables(roster=self.folder / "roster.csv", **tables),
                jobs=2,
                export=CanvasExport(title=pack.rubric.title),
                line="grader grade submissions.zip",
                pack_folders=(self.folder / "packs",),
            ),
            **options,
        )

    @contextmanager
    def executor(self, order: Order) -> Iterator[SayingExecutor]:
        self.opened += 1
        executor = SayingExecutor(Exam.of(order.pack, order.secret))
        executor.asked = self.asked
        yield executor

    def grade(self, **options: Any) -> Night:
        order = self.order(**options)
        return grade_night(order, lambda: self.executor(order), Watcher())

    def type_grade(self, *words: object) -> tuple[int, str]:
        """Give the command, see `typed_class`; return its status and what it said."""
        order = self.order()
        pack = ("--assignment", "line", "--pack-dir", self.folder / "packs")
        roster = ("--roster", order.tables.roster, "--out", self.out)
        return typed("grade", *order.sources, *pack, *roster, *words)

    def rejudge(self, **options: Any) -> Night:
        again = Again(
            out=self.out,
            tables=options.pop("tables", Tables()),
            jobs=2,
            secret_file=self.folder / "secret",
            **options,
        )
        (self.folder / "secret").write_bytes(CLASS_SECRET)
        return rejudge(again, self.executor, Watcher())

    def story(self, student: str) -> Story:
        return story(self.out, student)

    def results(self) -> bytes:
        return (self.out / "results.json").read_bytes()

    def outputs(self) -> dict[str, bytes]:
        """Every file that is for people, by name."""
        return {
            path.relative_to(self.out).as_posix(): path.read_bytes()
            for path in self.out.rglob("*")
            if path.is_file() and "store" not in path.relative_to(self.out).parts
        }


def typed(*words: object) -> tuple[int, str]:
    """Give a command; return its status and what it said, with single spaces."""
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, " ".join(found.output.split())


@contextmanager
def typed_class(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[SmallClass]:
    """A class that commands are given for, whose kernels say what the notebooks' texts say."""
    small = class_in(folder)

    @contextmanager
    def executor(*_: object) -> Iterator[SayingExecutor]:
        with small.executor(small.order()) as saying:
            yield saying

    patch.setattr(Setting, "executor", executor)
    patch.setenv("GRADER_HIDDEN_SEED", CLASS_SECRET.decode())
    try:
        yield small
    finally:
        gc.unfreeze()  # a command leaves it so, for it is a process of its own
        gc.enable()


def changed(night: Night) -> list[tuple[str, str, str, str, str]]:
    """A night's changes, but for those of words only."""
    return [
        (c.student.canvas_id, c.item, c.before, c.after, c.why)
        for c in night.changes
        if not c.words_only
    ]


def class_in(folder: Path) -> SmallClass:
    """Make a class in `folder` whose pack is `docs/examples/line` and a check more.

    A test may edit it.
    """
    target = folder / "packs" / "line"
    target.mkdir(parents=True)
    for path in LINE_PACK.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    with (target / "checks.py").open("a", encoding="utf-8") as checks:
        checks.write(NOT_SQUARED)
    small = SmallClass(folder)
    judged_by = '  check = "not_squared"\n  tolerance = 1e-6\n'
    small.replace("rubric.toml", '"errors"\n', f'"errors"\n{judged_by}')
    return small
