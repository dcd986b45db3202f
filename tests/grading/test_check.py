"""One notebook through a real kernel, by the use case behind `grader check`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from grader.checks import Answer
from grader.errors import SubmissionError, UsageError
from grader.grading.batch import Exam
from grader.grading.check import check_notebook
from grader.grading.setting import notebook_executor
from grader.kernels.isolation import Isolation
from grader.model import (
    Evidence,
    Limits,
    ProbedIn,
    RunOutcome,
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
    submission = Submission(
        students=(Student(name="Right"),), file=RIGHT.name, path=RIGHT, sha256="0"
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
        notebook_executor(pack, LIMITS, Isolation.OFF, print) as executor,
        pytest.raises(SubmissionError, match=r"Ng-A2\.ipynb is broken"),
    ):
        check_notebook(tmp_path / "Ng-A2.ipynb", pack, executor)


def test_several_notebooks_are_for_the_other_command(pack: Pack) -> None:
    with (
        notebook_executor(pack, LIMITS, Isolation.OFF, print) as executor,
        pytest.raises(UsageError, match="grader grade"),
    ):
        check_notebook(Path("submissions/a2-canvas-export.zip"), pack, executor)
