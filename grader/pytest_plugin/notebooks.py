"""Notebooks as pytest sees them: a file, in it the rubric's items, in them the checks.

A notebook is run once a session, when the first of its checks is due; collecting runs nothing.
Outcomes are those of `grader check`: a lost check fails, one that could not be judged is an error,
extra credit never fails. So is the exit status: 1 for lost points, 2 for a notebook that cannot be
graded, 3 where the fault is not the student's.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Any, NoReturn

import pytest

from grader.errors import GraderError, KernelError
from grader.grading.check import checker
from grader.grading.publishing import subject_of, text_of
from grader.grading.setting import given_secret
from grader.kernels.isolation import Isolation
from grader.model import CheckResult, Outcome
from grader.packs import Pack, load_pack
from grader.places import PACK_VARIABLE, bundled
from grader.reports.feedback import ItemView
from grader.reports.junit import NOT_ATTEMPTED
from grader.reports.places import Place, places
from grader.reports.subject import Subject, words
from grader.rubric import CheckRule, Item
from grader.text import clipped, plain

WRONG_USE = 2
NOT_JUDGED = 3
WIDTH = 76  # of lines, where pytest puts up to four characters around some


@dataclass
class Session:
    """What one run of pytest knows of its notebooks."""

    pack: Pack
    isolation: Isolation
    subjects: list[Subject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    status: int = 0  # the worst of 2 and 3, where one of them applies


_SESSION = pytest.StashKey[Session]()


# ------------------------------------------------------------------------------- hooks
def pytest_configure(config: pytest.Config) -> None:
    named = os.environ.get(PACK_VARIABLE, "").split(os.pathsep)
    folders = [Path(each) for each in (*config.getoption("grader_pack_dirs"), *named) if each]
    try:
        pack = load_pack(config.getoption("grader_assignment"), [*folders, bundled("rubrics")])
    except GraderError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[_SESSION] = Session(pack, Isolation(config.getoption("grader_isolation")))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".ipynb":
        return None
    # pytest itself has no name for what lies outside of its root, which may be another project's.
    inside = file_path.is_relative_to(parent.config.rootpath)
    name = None if inside else file_path.as_posix()
    notebook: NotebookFile = NotebookFile.from_parent(parent, path=file_path, nodeid=name)
    return notebook


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End as `grader check` would, where pytest itself would only say that tests failed."""
    status = session.config.stash[_SESSION].status
    if status and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        session.exitstatus = status


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many points there are for the code."""
    known = config.stash[_SESSION]
    for sentence in known.warnings:
        terminalreporter.write_line(f"Warning: {sentence}")
    for subject in known.subjects:
        line = f"{words(subject.path)}: {subject.score} points for the code"
        terminalreporter.write_line(line)


# ------------------------------------------------------------------------------- the tree
class NotebookFile(pytest.File):
    """One notebook; its children are the items that have checks."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._results: dict[str, tuple[ItemView, CheckResult]] = {}
        self._fault: GraderError | None = None

    @property
    def known(self) -> Session:
        return self.config.stash[_SESSION]

    def collect(self) -> Iterator[ItemNode]:
        found = places(text_of(self.path))
        for item in self.known.pack.rubric.item:
            if item.check:
                place = found.of(item.id, item.title)
                node: ItemNode = ItemNode.from_parent(self, name=item.id, item=item, place=place)
                yield node

    def result(self, check_id: str) -> tuple[ItemView, CheckResult]:
        """Return what became of a check. The first call runs the notebook.

        Raises:
            GraderError: it could not be run; every call says so, and none tries again.
        """
        if self._fault is None and not self._results:
            try:
                self._run()
            except GraderError as error:
                self._fault = error
                status = NOT_JUDGED if isinstance(error, KernelError) else WRONG_USE
                self.known.status = max(self.known.status, status)
        if self._fault is not None:
            raise self._fault
        return self._results[check_id]

    def _run(self) -> None:
        known = self.known
        secret = given_secret(None, os.environ)
        limits = known.pack.rubric.limits.limits()
        with checker(
            known.pack, limits, known.isolation, known.warnings.append, secret=secret
        ) as checking:
            checked = checking.check(self.path)
        subject = subject_of(checked, known.pack, self.path, os.environ)
        known.subjects.append(subject)
        if subject.unjudged:
            known.status = NOT_JUDGED
        self._results = {check.check_id: (view, check) for view, check in subject.checks()}


class ItemNode(pytest.Collector):
    """One item of the rubric, so that `-k adam` finds all of its checks."""

    parent: NotebookFile

    def __init__(self, *, item: Item, place: Place | None, **given: Any) -> None:
        super().__init__(**given)
        self.item = item
        self.place = place

    def collect(self) -> Iterator[CheckNode]:
        for rule in self.item.check:
            node: CheckNode = CheckNode.from_parent(self, name=rule.id, rule=rule)
            yield node


class CheckNode(pytest.Item):
    """One check, with its points among the properties of the test."""

    parent: ItemNode

    def __init__(self, *, rule: CheckRule, **given: Any) -> None:
        super().__init__(**given)
        self.rule = rule

    def judged(self) -> tuple[ItemView, CheckResult]:
        return self.parent.parent.result(self.rule.id)

    def setup(self) -> None:
        """Find out what became of the check; what nobody could judge is an error, not a failure."""
        try:
            _, check = self.judged()
        except GraderError as error:
            self._tell(str(error))
        self.user_properties += [
            ("points", plain(check.earned)),
            ("possible", plain(check.possible)),
            ("visibility", check.visibility.value),
        ]
        if check.outcome is Outcome.BROKEN:
            self._tell(check.message)

    def runtest(self) -> None:
        view, check = self.judged()
        if check.outcome is Outcome.PASSED:
            return
        if not view.attempted:
            pytest.skip(NOT_ATTEMPTED)
        if view.extra:
            pytest.xfail(f"Extra credit: {words(check.message)}")
        self._tell(check.message)

    def _tell(self, message: str) -> NoReturn:
        """Fail with a sentence in place of a traceback."""
        points = f"{plain(self.rule.points)} {'point' if self.rule.points == 1 else 'points'}"
        lines = [f"{self.rule.title} ({points})", words(message)]
        pytest.fail("\n".join(fill(line, WIDTH) for line in lines), pytrace=False)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        place = self.parent.place
        title = f"{self.parent.item.title}: {self.rule.title}"
        return self.path, place.line - 1 if place else None, clipped(title, WIDTH)
