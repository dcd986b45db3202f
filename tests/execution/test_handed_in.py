"""Our own copy of what was handed in is run as it was handed in, or not at all."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from grader.errors import KernelError
from grader.execution.executor import NotebookExecutor
from grader.execution.notebook import handed_in
from grader.kernels.kernel import Kernel
from grader.model import Limits, RunOutcome
from tests.execution.scenarios import WORKPLACE, submission


class NoKernels:
    """Nothing may be started."""

    def start(self, folder: Path, limits: Limits) -> AbstractAsyncContextManager[Kernel]:
        raise AssertionError


EXECUTOR = NotebookExecutor(NoKernels(), Limits(), WORKPLACE)


@pytest.mark.parametrize("how", ["cut off", "another", "gone", "a folder"])
def test_a_damaged_copy_is_a_fault_of_ours(tmp_path: Path, how: str) -> None:
    path = tmp_path / "copy.ipynb"
    path.write_bytes(b'{"nbformat": 4, "cells": []}')
    given = submission(path)
    assert path.read_bytes() == handed_in(given)
    if how == "cut off":
        path.write_bytes(b"")
    elif how == "another":
        path.write_bytes(b'{"nbformat": 4, "cells": [], "metadata": {}}')
    else:
        path.unlink()
        if how == "a folder":
            path.mkdir()
    with pytest.raises(KernelError, match=r"copy\.ipynb .* again: it puts that file there anew"):
        asyncio.run(EXECUTOR.run(given, ()))


def test_what_was_handed_in_as_no_notebook_is_the_students(tmp_path: Path) -> None:
    path = tmp_path / "copy.ipynb"
    path.write_bytes(b"\xff\xfe")
    evidence = asyncio.run(EXECUTOR.run(submission(path), ()))
    assert RunOutcome.UNREADABLE is evidence.run.outcome
