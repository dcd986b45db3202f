"""The corpus, graded once in each mode in a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.adversarial import runner
from tests.adversarial.attack import Mode

ENOUGH_SECONDS = 3600  # nothing waits for it: a machine may be very busy
Report = dict[str, Any]


@pytest.fixture(scope="session")
def graded(request: pytest.FixtureRequest) -> Callable[[Mode], Report]:
    """Grade, in a mode, the attacks that this session's tests ask for; once."""
    done: dict[Mode, Report] = {}

    def run(mode: Mode) -> Report:
        if mode not in done:
            done[mode] = _graded(mode, _asked_for(request.session.items, mode))
        return done[mode]

    return run


def _asked_for(items: list[pytest.Item], mode: Mode) -> list[str]:
    """Return the attacks of the tests that were selected, not of all that there are."""
    params = [item.callspec.params for item in items if hasattr(item, "callspec")]
    return [p["name"] for p in params if p.get("mode") is mode and "name" in p]


def _graded(mode: Mode, names: list[str]) -> Report:
    # Not below pytest's own folder, which is closed to others.
    with tempfile.TemporaryDirectory(prefix="adversarial-") as parent:
        folder = Path(parent, "grader")
        folder.mkdir(mode=0o755)
        Path(parent).chmod(0o755)
        if mode in (Mode.USER, Mode.BARE) and os.geteuid() == 0:
            os.chown(folder, runner.ORDINARY_ID, runner.ORDINARY_ID)
        done = subprocess.run(
            [sys.executable, "-m", "tests.adversarial.runner", mode, str(folder)],
            input=json.dumps(names),
            capture_output=True,
            text=True,
            timeout=ENOUGH_SECONDS,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "PYTHONPATH": str(Path.cwd()),
                "PYTHONDONTWRITEBYTECODE": "1",
                runner.SECRET: f"CANARY-{secrets.token_hex(12)}",
            },
        )
    assert 0 == done.returncode, done.stderr[-5000:]
    report: Report = json.loads(done.stdout)
    return report
