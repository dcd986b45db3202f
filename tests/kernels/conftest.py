"""A fork server for all tests of a session, and a way to run code in a kernel of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.kernels.kernel import Kernel
from grader.kernels.server import ForkServer
from grader.kernels.warm import WarmKernels
from grader.model import Limits

Attempt = Callable[..., Any]


@pytest.fixture(scope="session")
def server() -> Iterator[ForkServer]:
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    server = ForkServer()
    server.start()
    yield server
    server.close()


async def said(kernel: Kernel, code: str) -> Any:
    """Run `code` in the kernel; return what it put into `answer`, as JSON."""
    request = kernel.client.execute(
        code,
        silent=True,
        store_history=False,
        user_expressions={"it": "__import__('json').dumps(answer)"},
    )
    while True:
        message = await kernel.client.get_shell_msg(timeout=60)
        if message["parent_header"].get("msg_id") == request:
            break
    content = message["content"]
    assert "ok" == content["status"], content
    shown = content["user_expressions"]["it"]
    assert "data" in shown, shown
    return json.loads(eval(shown["data"]["text/plain"]))  # noqa: S307  a string literal of our own


@pytest.fixture
def attempt(server: ForkServer, tmp_path: Path) -> Attempt:
    """Run code in a fresh kernel and return what it put into `answer`."""

    def run(code: str, limits: Limits | None = None) -> Any:
        async def go() -> Any:
            async with WarmKernels(server).start(tmp_path, limits or Limits()) as kernel:
                return await said(kernel, code)

        return asyncio.run(go())

    return run
