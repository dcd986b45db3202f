"""Put the grader's own requests to a kernel: the prelude, definitions, probes.

They run silently and leave no name in the student's namespace. What comes back is matched to the
request it claims to answer, bounded in time, and otherwise not believed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal

from grader import inside
from grader.errors import KernelError
from grader.inside.definitions import readable
from grader.kernels.client import Message
from grader.kernels.kernel import Kernel
from grader.model import Limits

SEED = 0
PUBLISHED = frozenset(
    {"display_data", "status"}
)  # for a request of the grader's: the rest is noise
QUIET_SECONDS = 1.0  # without a message, after which what has not come is not to come
LATE_SECONDS = 0.3  # for what a kernel sent before it died
DEFINITION_SECONDS = 10.0  # for one statement, and for finding those of one cell
_SHELL = '__import__("IPython").get_ipython()'  # a notebook may have a get_ipython of its own


class Ended(StrEnum):
    """What became of a request."""

    DONE = "done"
    FAILED = "failed"  # it raised
    DIED = "died"
    STUCK = "stuck"  # no sign of life in the time given, or more than anybody can listen to


class _Inbox:
    """Reads a kernel's messages that belong to one request."""

    def __init__(
        self, kernel: Kernel, request: str, listener: Callable[[Message], bool] | None
    ) -> None:
        self._client = kernel.client
        self._request = request
        self._listener = listener
        self.progress = asyncio.get_running_loop().time()

    async def reply(self) -> str:
        """Return the status that the kernel claims for the request."""
        message = await self._client.shell_channel.answer(self._request)
        return str(message["content"].get("status"))

    async def published(self) -> None:
        """Hand on what is published, until the kernel claims to be idle."""
        while True:
            message = await self._client.iopub_channel.answer(self._request, PUBLISHED)
            if self._listener is not None and self._listener(message):
                self.progress = asyncio.get_running_loop().time()
            if message["content"].get("execution_state") == "idle":
                return


async def exchange(
    kernel: Kernel,
    code: str,
    *,
    seconds: float,
    listener: Callable[[Message], bool] | None = None,
) -> Ended:
    """Run `code` in the kernel, for at most `seconds` without progress.

    Args:
        listener: called with every message published for it; returns whether that is progress.
    """
    request = kernel.client.execute(code, silent=True, store_history=False, allow_stdin=False)
    inbox = _Inbox(kernel, request, listener)
    reply = asyncio.ensure_future(inbox.reply())
    published = asyncio.ensure_future(inbox.published())
    gone = asyncio.ensure_future(kernel.gone())
    spent = asyncio.ensure_future(kernel.client.spent.wait())
    try:
        if not await _either(reply, gone, spent, inbox, seconds):
            return Ended.STUCK
        quiet = LATE_SECONDS if gone.done() else QUIET_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(kernel.client.drain(published, quiet), seconds)
        if not reply.done():
            return Ended.DIED
        return Ended.DONE if reply.result() == "ok" else Ended.FAILED
    finally:
        tasks = (reply, published, gone, spent)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _either(
    reply: asyncio.Task[str],
    gone: asyncio.Task[None],
    spent: asyncio.Task[Literal[True]],
    inbox: _Inbox,
    seconds: float,
) -> bool:
    """Wait for the reply or the kernel's end; say whether one came before patience ended."""
    loop = asyncio.get_running_loop()
    ends = {reply, gone, spent}
    while (left := inbox.progress + seconds - loop.time()) > 0:
        await asyncio.wait(ends, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if any(end.done() for end in ends):
            return reply.done() or gone.done()
    return False


# ------------------------------------------------------------------------------- requests
def magic(name: str, body: Mapping[str, Any]) -> str:
    """Return code that calls one of the cell magics of grader.inside.prelude."""
    return f"{_SHELL}.run_cell_magic({name!r}, '', {json.dumps(body)!r})"


async def prepare(kernel: Kernel, offline: Mapping[str, str], limits: Limits) -> None:
    """Run the prelude. Raises KernelError: nothing of a student's has run so far."""
    body = {"seed": SEED, "offline": dict(offline), "output_bytes": limits.output_bytes}
    code = magic("grader_begin", body)
    if not kernel.prepared:
        code = (
            "(lambda scope: ("
            f"exec(compile({inside.source('prelude')!r}, '<grader prelude>', 'exec'), scope), "
            f"scope['install']({_SHELL}, {inside.source('harness')!r}), {code}"
            "))({'__name__': 'grader_prelude'})"
        )
    ended = await exchange(kernel, code, seconds=limits.startup_seconds)
    if ended is not Ended.DONE:
        raise KernelError(f"The kernel could not be prepared for grading ({ended}).")


async def define(kernel: Kernel, cells: Sequence[str], limits: Limits) -> Ended:
    """Run the definitions in cells, each on its own: one that fails does not stop the next.

    The kernel finds them: a short text may take minutes to be read, and here others would wait.
    """
    seconds = min(limits.cell_seconds, DEFINITION_SECONDS)
    finder = inside.source("definitions")
    body = {"finder": finder, "cells": list(readable(cells)), "seconds": seconds}
    return await exchange(kernel, magic("grader_define", body), seconds=2 * limits.cell_seconds)
