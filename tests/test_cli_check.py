"""`grader check` while somebody works: quickly, again at each save, and what it costs now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from grader.cli import main
from grader.errors import SubmissionError
from grader.grading.check import Checked
from grader.model import (
    CheckResult,
    Grade,
    Outcome,
    ProbedIn,
    RunOutcome,
    RunRecord,
    Student,
)
from grader.packs import Pack
from grader.scoring import score

EXAMPLES = Path("docs/examples")
NOTEBOOK = EXAMPLES / "handed-in" / "Lee-A0.ipynb"
LINE = ("--assignment", "line", "--pack-dir", str(EXAMPLES))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", str(NOTEBOOK), *LINE, *arguments])


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.kernel
def test_a_quick_check_says_what_is_wrong_and_what_it_costs_now() -> None:
    """No cell is run: the points are those of its definitions."""
    found = run("--quick", "--due", "2000-01-01T00:00")
    assert (0, "") == (found.exit_code, found.stderr)
    said = words(found.stdout)
    assert "8 of 12" in said
    assert "Handed in now, it is" in said
    assert "days late" in said
    assert "Cell" not in said.partition("How the notebook ran")[2]


# ------------------------------------------------------------------------------- watching
def checked(pack: Pack) -> Checked:
    """A notebook without a loss."""
    results = [
        CheckResult(
            check_id=rule.id,
            title=rule.title,
            outcome=Outcome.PASSED,
            earned=rule.points,
            possible=rule.points,
            message="",
        )
        for rule in pack.rubric.checks
    ]
    grade = Grade(
        student=Student(name="Lee"),
        file=NOTEBOOK.name,
        sha256="0" * 64,
        run=RunRecord(outcome=RunOutcome.COMPLETE, probed_in=ProbedIn.NOTEBOOK),
        score=score(pack.rubric, results, marks={}),
    )
    return Checked(grade=grade, executed="", exhibits={})


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Watch a notebook that is saved as often as there are outcomes; then somebody ends it."""

    def watch(*outcomes: BaseException | None, end: BaseException) -> Result:
        coming = iter(outcomes)

        def saves(file: Path, _: object) -> Iterator[None]:
            assert NOTEBOOK == file
            yield from (None for _ in outcomes)
            raise end

        def checker(pack: Pack, *_: object, **__: object) -> nullcontext[SimpleNamespace]:
            def check(notebook: Path) -> Checked:
                assert NOTEBOOK == notebook
                if outcome := next(coming):
                    raise outcome
                return checked(pack)

            return nullcontext(SimpleNamespace(check=check))

        monkeypatch.setattr("grader.cli.checking.saves", saves)
        monkeypatch.setattr("grader.cli.checking.checker", checker)
        return run("--watch")

    return watch


def test_each_save_is_checked_a_half_saved_file_is_a_sentence_and_ctrl_c_ends_it(
    watch: Callable[..., Result],
) -> None:
    half = SubmissionError("Lee-A0.ipynb is broken.")
    found = watch(None, half, None, end=KeyboardInterrupt())
    assert 0 == found.exit_code
    assert 2 == words(found.stdout).count("12 of 12 for the code")
    told = [line for line in found.stderr.splitlines() if line]
    assert "Lee-A0.ipynb is broken." == told.pop(1)
    assert ["Ctrl-C ends."] * 3 == [line.partition(". ")[2] for line in told]
    assert all(line.startswith("Checked at ") for line in told)


def test_ctrl_c_in_the_middle_of_a_check_ends_it_too(watch: Callable[..., Result]) -> None:
    found = watch(None, KeyboardInterrupt(), end=AssertionError())
    assert (0, 1) == (found.exit_code, words(found.stdout).count("12 of 12 for the code"))
    assert 1 == found.stderr.count("Ctrl-C ends.")
