"""Judge variations of the reference as if they were notebooks, without a kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.answers import decode
from grader.inside import harness
from grader.judging import judge
from grader.model import Outcome, Reply, ReplyKind
from grader.packs import load_pack

REFERENCE = Path("reference/a2")
MODULES = ("arrays", "activations", "optimizers", "network", "data", "experiment")
Lost = Callable[..., set[str]]


def reference_as_notebook() -> str:
    """Return the reference in one piece, as a student would have written it in one notebook."""
    parts = [(REFERENCE / f"{name}.py").read_text(encoding="utf-8") for name in MODULES]
    return re.sub(r"^from \..*\n", "", "\n".join(parts), flags=re.MULTILINE)


def varied(*changes: tuple[str, str]) -> str:
    """Return the reference with each old text, which must be there, replaced by the new one."""
    code = reference_as_notebook()
    for old, new in changes:
        assert old in code, f"the reference no longer has: {old}"
        code = code.replace(old, new)
    return code


@pytest.fixture(scope="session")
def lost() -> Lost:
    """Return a function: changes to the reference -> ids of the checks that fail."""
    pack = load_pack("a2", [Path("rubrics")])
    calls = pack.questions(b"a secret of the tests")
    expected = pack.expected(calls)

    def of(*changes: tuple[str, str], more: str = "") -> set[str]:
        scope: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(varied(*changes) + more, "<notebook>", "exec"), scope)  # noqa: S102  our own text
        replies = {}
        for call in calls:
            asked = {"source": call.source, "probe_id": call.probe_id, "number": call.number}
            names = harness.Names(scope)
            status, payload = harness.ask_in_fork(asked, names, seconds=10, limit=1 << 20)
            reply = decode(payload, limit=1 << 20)
            replies[call.key] = reply if status == "done" else Reply(ReplyKind(status))
        results = judge(pack.rubric, pack.checks, replies, expected)
        assert not [r for r in results if r.outcome is Outcome.BROKEN]
        return {r.check_id for r in results if r.outcome is Outcome.FAILED}

    return of
