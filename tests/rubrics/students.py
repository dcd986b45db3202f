"""Students of A2 without a kernel: variations of the reference, judged, and their notebooks."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from grader.exhibits import Exhibit
from grader.grading.batch import Exam, Judged, Ran
from grader.grading.pack_test import Bench
from grader.inside import harness
from grader.mistakes import Change
from grader.model import CheckResult, Evidence, Outcome, RunRecord, Student, Submission
from grader.packs import ask, load_pack

Paste = Callable[[str], str]

SECRET = b"a secret of the tests"
REFERENCE = Path("reference/a2")
MODULES = ("arrays", "activations", "optimizers", "network", "data", "experiment")
SOLUTION = Path("submissions/solution.py")
CELLS = ("imports", "optimizers", "network", "partition", "run-experiment")


# ------------------------------------------------------------------------------- their code
def varied(*changes: Change) -> str:
    """Return the reference in one piece, as in a notebook, with each old text replaced.

    Every old text has to be there.
    """
    code = "\n".join((REFERENCE / f"{name}.py").read_text(encoding="utf-8") for name in MODULES)
    code = re.sub(r"^from \..*\n", "", code, flags=re.MULTILINE)
    for old, new in changes:
        assert old in code, f"the reference no longer has: {old}"
        code = code.replace(old, new)
    return code


def changes_of(*names: str) -> list[Change]:
    """Return what these mistakes, each made in its first way, or right solutions change."""
    pack = exam().pack
    return [
        change
        for name in names
        for change in (
            pack.mistakes[name].ways[0] if name in pack.mistakes else pack.rights[name].changes
        )
    ]


def handouts_solution() -> str:
    """Return the made-up class's right solution, which was written without the reference."""
    text = SOLUTION.read_text(encoding="utf-8")
    cell = re.compile(r'^# %% id="([a-z-]+)"\n(.*?)(?=^# %%|\Z)', re.MULTILINE | re.DOTALL)
    cells = dict(cell.findall(text))
    return "\n".join(cells[name] for name in CELLS)


# ------------------------------------------------------------------------------- judged
@cache
def exam() -> Exam:
    return Exam.of(load_pack("a2", [Path("rubrics")]), SECRET)


@cache
def bench() -> Bench:
    pack = exam().pack
    return Bench(pack, exam(), pack.questions(SECRET))


def judged(run: RunRecord, *changes: Change) -> Judged:
    """Judge the reference with these changes, as if it had been handed in and run like `run`."""
    replies = exam().pack.answers_if(changes, exam().calls)
    student = Student(name="Lee, Ana", canvas_id="40103")
    submission = Submission(students=(student,), file="Lee-A2.ipynb", path=Path(), sha256="0f" * 32)
    return exam().judge(Ran(submission=submission, evidence=Evidence(run=run, replies=replies)))


def results_of_code(code: str) -> tuple[CheckResult, ...]:
    """Judge a notebook's code by the public questions, each in a fork: half of the work of all."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(code, "<notebook>", "exec"), scope)  # noqa: S102  our own text
    limits = exam().pack.rubric.limits.limits()
    public = exam().pack.questions(None)
    return bench().judged({c.key: ask(c, harness.Names(scope), limits) for c in public})


def lost(results: tuple[CheckResult, ...]) -> dict[str, str | None]:
    """Return the checks that were lost, each with the mistake that is named."""
    assert [] == [r for r in results if r.outcome is Outcome.BROKEN]
    return {r.check_id: r.mistake for r in results if r.outcome is Outcome.FAILED}


def exhibits_of(found: Judged) -> dict[str, Exhibit]:
    return exam().exhibition.of(found.results, found.evidence.replies)


# ------------------------------------------------------------------------------- at work
@contextlib.contextmanager
def notebook(*changes: Change, code: str = "") -> Iterator[Paste]:
    """Yield a function that runs code at the end of a notebook and returns what it prints.

    Args:
        code: the notebook; else it is the reference with `changes`.
    """
    main = ModuleType("__main__")
    whole = code or varied(*changes)
    exec(compile(whole, "<notebook>", "exec"), vars(main))  # noqa: S102  our own text

    def paste(code: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook shows them elsewhere, and goes on
            try:
                exec(compile(code, "<snippet>", "exec"), vars(main))  # noqa: S102  our own text
            except Exception:  # noqa: BLE001  the student's error is what the snippet shows
                print(traceback.format_exc())  # noqa: T201  into `said`
        return said.getvalue()

    kept = sys.modules["__main__"]
    sys.modules["__main__"] = main
    try:
        yield paste
    finally:
        sys.modules["__main__"] = kept


def shows_a_mistake(said: str) -> bool:
    """Say whether a snippet's output ends in its verdict against the notebook, or in an error."""
    last = said.strip().splitlines()[-1]
    return last == "not right yet" or "Error" in last
