"""Students of A2 without a kernel: variations of the reference, judged, and their notebooks."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from grader.answers import decode
from grader.exhibits import Exhibit
from grader.grading.batch import Exam, Judged, Ran
from grader.inside import harness
from grader.model import Evidence, Reply, ReplyKind, RunRecord, Student, Submission
from grader.packs import load_pack
from tests.rubrics.conftest import varied
from tests.rubrics.test_a2_faults import WRONG

Paste = Callable[[str], str]
Change = tuple[str, str]


@cache
def exam() -> Exam:
    return Exam.of(load_pack("a2", [Path("rubrics")]), b"a secret of the tests")


def changes_of(*names: str) -> list[Change]:
    return [change for name in names for change in WRONG[name][0]]


def judged(run: RunRecord, *changes: Change) -> Judged:
    """Judge a notebook that is the reference with these changes, as if it had run like `run`."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(varied(*changes), "<notebook>", "exec"), scope)  # noqa: S102  our own text
    replies = {}
    for call in exam().calls:
        asked = {"source": call.source, "probe_id": call.probe_id, "number": call.number}
        names = harness.Names(scope)
        status, payload = harness.ask_in_fork(asked, names, seconds=10, limit=1 << 20)
        reply = decode(payload, limit=1 << 20)
        replies[call.key] = reply if status == "done" else Reply(ReplyKind(status))
    student = Student(name="Lee, Ana", canvas_id="40103")
    submission = Submission(students=(student,), file="Lee-A2.ipynb", path=Path(), sha256="0f" * 32)
    return exam().judge(Ran(submission=submission, evidence=Evidence(run=run, replies=replies)))


def exhibits_of(found: Judged) -> dict[str, Exhibit]:
    return exam().exhibition.of(found.results, found.evidence.replies)


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
        with contextlib.redirect_stdout(said):
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
