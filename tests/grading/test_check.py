"""One notebook through a real kernel, by the use case behind `grader check`."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from grader.checks import Answer
from grader.errors import SubmissionError, UsageError
from grader.grading.batch import Exam
from grader.grading.check import checker
from grader.grading.setting import notebook_executor
from grader.kernels.isolation import Isolation
from grader.model import (
    Evidence,
    Limits,
    ProbedIn,
    RunOutcome,
    Section,
    Seed,
    Student,
    Submission,
    Visibility,
)
from grader.packs import Pack, load_pack

RIGHT = Path("submissions/notebooks/right.ipynb")
SECRET = b"a secret of the tests"
LIMITS = Limits()


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("a2", [Path("rubrics")])


@pytest.fixture(scope="module")
def evidence(pack: Pack) -> Evidence:
    exam = Exam.of(pack, SECRET)
    sha256 = hashlib.sha256(RIGHT.read_bytes()).hexdigest()
    submission = Submission(
        students=(Student(name="Right"),), file=RIGHT.name, path=RIGHT, sha256=sha256
    )
    with notebook_executor(pack, LIMITS, Isolation.AUTO, print) as executor:
        return asyncio.run(executor.run(submission, exam.calls))


@pytest.mark.kernel
def test_adam_ends_at_the_published_weight_in_a_students_notebook(evidence: Evidence) -> None:
    reply = evidence.replies["adam_parabola", Seed(Visibility.PUBLIC, 0)]
    assert 5.03900403 == pytest.approx(Answer(reply.value)["weights"].number(), abs=5e-9)


@pytest.mark.kernel
def test_a_right_notebook_runs_to_its_end_and_is_asked_where_it_ran(evidence: Evidence) -> None:
    assert (RunOutcome.COMPLETE, ProbedIn.NOTEBOOK) == (
        evidence.run.outcome,
        evidence.run.probed_in,
    )
    assert 0 == evidence.run.failed_cells
    assert evidence.run.isolation


def test_adam_ends_at_the_published_weight_in_the_reference(pack: Pack) -> None:
    expected = Exam.of(pack, None).expected["adam_parabola", Seed(Visibility.PUBLIC, 0)]
    weight = Answer(expected.value)["weights"].number()
    assert 5.03900403 == pytest.approx(weight, abs=5e-9)


def test_what_is_no_notebook_is_told_in_a_sentence(pack: Pack, tmp_path: Path) -> None:
    (tmp_path / "Ng-A2.ipynb").write_text("{", encoding="utf-8")
    with (
        checker(pack, LIMITS, Isolation.OFF, print) as checking,
        pytest.raises(SubmissionError, match=r"Ng-A2\.ipynb is broken"),
    ):
        checking.check(tmp_path / "Ng-A2.ipynb")


def test_several_notebooks_are_for_the_other_command(pack: Pack) -> None:
    with (
        checker(pack, LIMITS, Isolation.OFF, print) as checking,
        pytest.raises(UsageError, match="grader grade"),
    ):
        checking.check(Path("submissions/a2-canvas-export.zip"))


@pytest.mark.kernel
def test_a_quick_look_finds_the_same_in_the_code(pack: Pack) -> None:
    """A right notebook; and one that would run for ever."""
    with checker(pack, LIMITS, Isolation.AUTO, print, quick=True) as checking:
        for notebook in (RIGHT, RIGHT.with_name("endless-loop.ipynb")):
            found = checking.check(notebook)
            assert 70 == found.grade.score.sections[Section.CODE].points
            assert ((), ProbedIn.DEFINITIONS) == (found.grade.run.cells, found.grade.run.probed_in)
            assert () == found.facts


@pytest.mark.kernel
def test_a_student_is_told_what_people_will_look_at(pack: Pack) -> None:
    with checker(pack, LIMITS, Isolation.AUTO, print, due="2000-01-01T00:00") as checking:
        found = checking.check(RIGHT)
    assert {"Rows read", "Experiment table"} <= {fact.label for fact in found.facts}
    days = found.grade.score.late.days
    assert days
    assert days > 9000
