"""A way to run each scenario but once with each kind of kernels."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.execution.executor import Kernels, NotebookExecutor
from grader.kernels.server import ForkServer
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels
from grader.model import Evidence
from tests.execution.scenarios import WORKPLACE, Scenario, leftovers

KINDS = ["warm", "stock"] if sys.platform == "linux" else ["stock"]


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


@pytest.fixture(scope="session", params=KINDS)
def kernels(
    request: pytest.FixtureRequest,
    temporary: Path,  # noqa: ARG001  made first: it is where kernels make their folders
) -> Iterator[Kernels]:
    """Both kinds, one after the other: whoever uses it is run with each."""
    if request.param == "stock":
        yield StockKernels()
        return
    server = ForkServer()
    server.start()
    try:
        yield WarmKernels(server)
    finally:
        server.close()


@pytest.fixture(scope="session")
def run(
    kernels: Kernels, temporary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Scenario], Evidence]:
    """Run a scenario; when it is asked for again, return the same evidence."""
    done: list[tuple[Scenario, Evidence]] = []

    def evidence(scenario: Scenario) -> Evidence:
        for known, result in done:
            if known is scenario:
                return result
        executor = NotebookExecutor(kernels, scenario.limits, WORKPLACE)
        given = scenario.submission(tmp_path_factory.mktemp("given"))
        result = asyncio.run(executor.run(given, scenario.calls()))
        assert [] == leftovers(temporary)
        done.append((scenario, result))
        return result

    return evidence
