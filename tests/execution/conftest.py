"""A way to run each scenario but once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.execution.executor import NotebookExecutor
from grader.kernels.stock import StockKernels
from grader.model import Evidence
from tests.execution.scenarios import WORKPLACE, Scenario


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where kernels and working folders are made, so that a test can see that nothing is left."""
    tmp_path_factory.getbasetemp()  # pytest's own is made elsewhere
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before


@pytest.fixture(scope="session")
def run(
    temporary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Scenario], Evidence]:
    """Run a scenario; when it is asked for again, return the same evidence."""
    done: list[tuple[Scenario, Evidence]] = []

    def evidence(scenario: Scenario) -> Evidence:
        for known, result in done:
            if known is scenario:
                return result
        executor = NotebookExecutor(StockKernels(), scenario.limits, WORKPLACE)
        given = scenario.submission(tmp_path_factory.mktemp("given"))
        result = asyncio.run(executor.run(given, scenario.calls()))
        assert [] == list(temporary.glob("grader-*"))
        done.append((scenario, result))
        return result

    return evidence
