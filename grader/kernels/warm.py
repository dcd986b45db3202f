"""Warm kernels: forked in milliseconds from a server that has imported everything, and shut in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import KernelError
from grader.kernels.client import BoundedClient, connect
from grader.kernels.kernel import Kernel
from grader.kernels.provisioner import WarmManager, WarmProvisioner
from grader.kernels.server import ForkServer
from grader.model import Limits

LOG = logging.getLogger("grader.kernels")
ATTEMPTS = 2


@dataclass(slots=True)
class _Starting:
    """What exists of a kernel so far, so that it can be taken down from any state."""

    manager: WarmManager
    provisioner: WarmProvisioner | None = None
    client: BoundedClient | None = None


@dataclass(frozen=True, slots=True)
class WarmKernels:
    """Starts kernels of one fork server, which whoever made this must close."""

    server: ForkServer = field(default_factory=ForkServer)

    @asynccontextmanager
    async def start(self, folder: Path, limits: Limits) -> AsyncIterator[Kernel]:
        """Start a kernel that works on a copy of `folder`; end all that it began on leaving.

        Raises KernelError where none can be had, after a second attempt.
        """
        for attempt in range(1, ATTEMPTS + 1):
            starting = _Starting(WarmManager(server=self.server, log=LOG))
            try:
                try:
                    kernel = await self._launch(starting, folder, limits)
                except KernelError:
                    if attempt == ATTEMPTS:
                        raise
                    continue
                yield kernel
                return
            finally:
                await _take_down(starting)

    async def _launch(self, starting: _Starting, folder: Path, limits: Limits) -> Kernel:
        manager = starting.manager
        await asyncio.to_thread(self.server.start)
        try:
            async with asyncio.timeout(limits.startup_seconds):
                starting.provisioner = await manager.fork(folder, limits.memory_bytes)
                starting.client = connect(manager, limits)
                await _ready(starting.client, starting.provisioner)
        except TimeoutError:
            limit = f"{limits.startup_seconds:g} s"
            raise KernelError(f"The kernel did not start within {limit}.") from None
        except OSError as error:
            raise KernelError(f"The kernel did not start: {error}.") from error
        return Kernel(
            manager=manager,
            client=starting.client,
            isolation=("clean environment", *starting.provisioner.layers),
            prepared=True,
            ended=starting.provisioner.ended,
        )


async def _ready(client: BoundedClient, provisioner: WarmProvisioner) -> None:
    """Return once the kernel is shut in and answers; KernelError when it ends before that."""
    answers = asyncio.ensure_future(client.wait_until_heard())
    ended = asyncio.ensure_future(provisioner.ended.wait())
    try:
        await provisioner.started()
        await asyncio.wait({answers, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not answers.done():
            raise KernelError("The kernel did not start: it ended at once.")
        await answers
    finally:
        answers.cancel()
        ended.cancel()


async def _take_down(starting: _Starting) -> None:
    """End the kernel in whatever state it is. Cancelled, it still ends, a little later."""
    if starting.client is not None:
        starting.client.close()
    try:
        if starting.provisioner is not None:
            await starting.provisioner.kill()
            await starting.provisioner.wait()
    finally:
        if starting.provisioner is not None:
            starting.provisioner.forget()
        await starting.manager.cleanup_resources()
