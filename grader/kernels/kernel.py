"""A started kernel, whoever started it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from jupyter_client.manager import AsyncKernelManager

from grader.kernels.client import BoundedClient

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel that answers, and which isolation layers hold it, as words."""

    manager: AsyncKernelManager
    client: BoundedClient
    isolation: tuple[str, ...]
    prepared: bool = False  # whether the grader's prelude is installed in it
    ended: asyncio.Event | None = None  # set when it has; None: that has to be looked for

    async def alive(self) -> bool:
        """Say whether its process is there. What the process itself says does not count."""
        return bool(await self.manager.is_alive())

    async def gone(self) -> None:
        """Return once its process has ended."""
        if self.ended is not None:
            await self.ended.wait()
            return
        while await self.alive():  # noqa: ASYNC110  not every provisioner has an event for it
            await asyncio.sleep(POLL_SECONDS)

    @property
    def why_ended(self) -> str:
        """Return the limit that it was ended for ("memory"); empty: for none, or it goes on."""
        return str(getattr(self.manager.provisioner, "why_ended", ""))

    async def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the code that runs, as far as it lets itself be stopped."""
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            await self.manager.interrupt_kernel()
