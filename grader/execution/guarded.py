"""nbclient, kept from being flooded, hung or left waiting for the dead.

nbclient sends a cell's text and turns messages into outputs, as for any notebook. Time, the
amount of output and the kernel's life are watched here, from outside, because nbclient's own
limits trust the kernel to answer. It gets to see of a message what a notebook may hold, and no
message that its outputs have no room for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete

from grader.execution import notebook as nb
from grader.execution import outputs
from grader.execution.exchange import Ended, exchange
from grader.kernels.client import Message
from grader.kernels.kernel import Kernel
from grader.model import CellOutcome, CellRun, Limits

LOG = logging.getLogger("grader.execution")
LOG.addHandler(logging.NullHandler())

SETTLE_SECONDS = 0.2  # for a cell to end by itself that was about to
STOP_SECONDS = 2.0  # for a cell to end that was interrupted
AGAIN_SECONDS = 1.0  # for an idle kernel to say so
QUIET_SECONDS = 1.0  # without a message, after which output that has not come is not to come
LATE_SECONDS = 0.2  # for what a kernel sent before it died
MEND_SECONDS = 1.0  # for a connection to come back that the kernel has closed
MEND_REFUSED_SECONDS = 10.0  # for one that was cut here: it does come back, however busy all is
MOST_OF_ONE_NAME = 100  # outputs that one message may change
MOST_NAMES = 1_000  # of outputs that later messages may change
OUTPUTS = frozenset(
    {"stream", "display_data", "execute_result", "error", "update_display_data", "clear_output"}
)


class GuardedClient(NotebookClient):
    """Runs the cells of one notebook, one at a time, in a kernel that is already there."""

    def __init__(self, notebook: nb.Notebook, kernel: Kernel, limits: Limits) -> None:
        super().__init__(
            notebook,
            km=kernel.manager,
            allow_errors=True,
            record_timing=False,
            store_widget_state=False,
            on_cell_error=self._keep_error,
            log=LOG,
        )
        self.kc = kernel.client
        self.comm_open_handlers = {}  # output widgets echo all that they hold on every message
        self.silent = False  # whether the student's code closed the way of its output
        self._kernel = kernel
        self._limit = limits.output_bytes
        self._held = 0  # at least what the outputs of all cells hold
        self._flooded = asyncio.Event()
        self._error = ""

    async def run_cell(self, index: int, seconds: float) -> tuple[CellRun, bool]:
        """Run one cell for at most `seconds`.

        Returns:
            How it went, and whether the kernel is idle again, so that more can be asked of it.
        """
        cell = self.nb.cells[index]
        self._error = ""
        self._flooded.clear()
        running = asyncio.ensure_future(self.async_execute_cell(cell, index))
        try:
            outcome, idle = await self._watch(running, seconds)
        finally:
            await _cancel(running)
        if outcome is CellOutcome.FLOODED:
            why = f"stopped: more than {megabytes(self._limit)} of output in this notebook"
            cell.outputs = outputs.shortened(cell.outputs, outputs.KEPT_OF_A_FLOOD, why)
            self.clear_display_id_mapping(index)  # it goes by where they stood
            self._recount()
        return CellRun(index=index, outcome=outcome, error=self._error), idle

    async def _watch(self, running: asyncio.Task[Any], seconds: float) -> tuple[CellOutcome, bool]:
        """Wait for the cell's end, and bring it about where it does not come by itself."""
        deadline = asyncio.get_running_loop().time() + seconds
        gone = asyncio.ensure_future(self._kernel.gone())
        flooded = asyncio.ensure_future(self._flooded.wait())
        broken = asyncio.ensure_future(self._kernel.client.broken.wait())
        spent = asyncio.ensure_future(self._kernel.client.spent.wait())
        ends = (running, gone, flooded, spent)
        try:
            await _first(*ends, *([] if self.silent else [broken]), until=deadline)
            if broken.done() and not self.silent:
                await self._find_out_why_broken(gone)
                await _first(*ends, until=deadline)
            if spent.done():  # nobody listens any more, so nothing more can be asked of it
                return CellOutcome.FLOODED, False
            if self._flooded.is_set():
                return CellOutcome.FLOODED, await self._stop(running, gone)
            if running.done():
                return self._ended(running), True
            if gone.done():
                await asyncio.wait({running}, timeout=LATE_SECONDS)
                return CellOutcome.DIED, False
            return CellOutcome.TIMEOUT, await self._stop(running, gone)
        finally:
            await _cancel(gone, flooded, broken, spent)

    async def _stop(self, running: asyncio.Task[Any], gone: asyncio.Task[None]) -> bool:
        """Interrupt the cell, and say whether that left an idle kernel behind."""
        now = asyncio.get_running_loop().time()
        await _first(running, gone, until=now + SETTLE_SECONDS)
        if not running.done() and not gone.done():
            await self._kernel.interrupt()
            await _first(running, gone, until=now + STOP_SECONDS + QUIET_SECONDS)
        if running.done() or gone.done():
            return not gone.done()
        # An interrupt that comes just after the cell's end takes its reply away: ask again.
        await _cancel(running)
        return await exchange(self._kernel, "pass", seconds=AGAIN_SECONDS) is Ended.DONE

    async def _find_out_why_broken(self, gone: asyncio.Task[None]) -> None:
        """Tell a message that was too large from a socket that was closed."""
        client, now = self._kernel.client, asyncio.get_running_loop().time()
        patience = MEND_REFUSED_SECONDS if client.iopub_channel.wire.refused else MEND_SECONDS
        mended = asyncio.ensure_future(client.reconnect())
        try:
            await _first(mended, gone, until=now + patience)
            if mended.done():
                self._flooded.set()
            else:
                self.silent = True
        finally:
            await _cancel(mended)

    def _ended(self, running: asyncio.Task[Any]) -> CellOutcome:
        """Say how a cell went whose execution nbclient has finished."""
        failure = running.exception()
        if failure is not None and not self._error:  # what the kernel sent made nbclient stumble
            self._error = nb.error_text(type(failure).__name__, "the kernel's answer is not one")
        return CellOutcome.ERROR if self._error else CellOutcome.OK

    # --------------------------------------------------------------- what nbclient calls
    def process_message(
        self, msg: Message, cell: nb.Notebook, cell_index: int
    ) -> nb.Notebook | None:
        """Take one message of the running cell, as long as there is room for it."""
        kind = msg["msg_type"]
        try:
            msg["content"] = outputs.cleaned(kind, msg["content"])
        except ValueError:
            return None
        if kind in OUTPUTS and not self._has_room(kind, msg["content"], msg["size"]):
            return None
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            raise
        except Exception:  # noqa: BLE001  a message of the student's own making
            LOG.debug("A message that nbclient could not take was dropped.")
            return None

    def output(
        self, outs: list[nb.Notebook], msg: Message, display_id: str | None, cell_index: int
    ) -> nb.Notebook:
        """Add an output as nbclient does, which holds each against nbformat's schema first.

        What is left of a message here is right already, and that takes most of a message's time.
        """
        if self.clear_before_next_output:
            outs.clear()
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
        if display_id:
            self._display_id_map.setdefault(display_id, {}).setdefault(cell_index, []).append(
                len(outs)
            )
        made = outputs.of_message(msg["msg_type"], msg["content"])
        outs.append(made)
        return made

    def clear_display_id_mapping(self, cell_index: int) -> None:
        """Forget the names of a cell's outputs, and those that no output has any more."""
        for name, cells in list(self._display_id_map.items()):
            cells.pop(cell_index, None)
            if not cells:
                del self._display_id_map[name]

    def _has_room(self, kind: str, content: dict[str, Any], size: int) -> bool:
        """Say whether an output can be kept; if not, the cell is to be stopped.

        Args:
            size: bytes of its message, in which no text is shorter than in a notebook's file.
        """
        if self._flooded.is_set():
            return False
        weight = (size + outputs.layout(content)) * self._times(kind, content)
        self._held += weight
        if self._held > self._limit:
            # An animation replaces its picture thousands of times and holds one at the end.
            self._recount()
            self._held += weight
            if self._held > 0.9 * self._limit:
                self._flooded.set()
        return not self._flooded.is_set()

    def _times(self, kind: str, content: dict[str, Any]) -> int:
        """Return in how many places of the notebook an output will stand.

        One with a name replaces all that have it. A name that too many have, or one too many,
        is taken from it.
        """
        name = content.get("transient", {}).get("display_id")
        if name is None:
            return 1
        cells = self._display_id_map.get(name, {})
        there = sum(map(len, cells.values()))
        if kind == "update_display_data":
            return there
        if there >= MOST_OF_ONE_NAME or (not cells and len(self._display_id_map) >= MOST_NAMES):
            content["transient"] = {}
            return 1
        return 1 + there

    def _recount(self) -> None:
        self._held = sum(
            outputs.size(cell.outputs) for cell in self.nb.cells if cell.cell_type == "code"
        )

    def _keep_error(
        self, *, cell: nb.Notebook, cell_index: int, execute_reply: Mapping[str, Any]
    ) -> None:
        content = execute_reply["content"]
        self._error = nb.error_text(content.get("ename"), content.get("evalue"))

    async def _async_poll_kernel_alive(self) -> None:
        """Do nothing: `_watch` sees to it."""

    async def _async_poll_for_reply(
        self,
        msg_id: str,
        cell: nb.Notebook,
        timeout: float | None,  # noqa: ASYNC109  nbclient's signature
        task_poll_output_msg: asyncio.Future[None],
        task_poll_kernel_alive: asyncio.Future[None],
    ) -> Message:
        """Return the reply to the cell, once its output has come, however slowly it is read."""
        client = self._kernel.client
        reply: Message = await client.shell_channel.answer(msg_id)
        await client.drain(task_poll_output_msg, QUIET_SECONDS)
        await _cancel(task_poll_output_msg)
        return reply

    async def _async_poll_output_msg(
        self, parent_msg_id: str, cell: nb.Notebook, cell_index: int
    ) -> None:
        """Take messages until the cell is done, or until none can come any more."""
        polling = asyncio.ensure_future(self._take_messages(parent_msg_id, cell, cell_index))
        broken = asyncio.ensure_future(self._kernel.client.broken.wait())
        try:
            await asyncio.wait({polling, broken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(polling, broken)

    async def _take_messages(self, parent_msg_id: str, cell: nb.Notebook, cell_index: int) -> None:
        """Take the messages of one cell until it is done, and leave all others unread."""
        channel = self._kernel.client.iopub_channel
        while True:
            message = await channel.answer(parent_msg_id, outputs.KINDS)
            try:
                self.process_message(message, cell, cell_index)
            except CellExecutionComplete:
                return


def megabytes(size: int) -> str:
    return f"{round(size / (1 << 20), 1):g} MB"


async def _first(*tasks: asyncio.Task[Any], until: float) -> None:
    """Return once one of `tasks` is done, or at the loop's time `until`."""
    left = max(0.0, until - asyncio.get_running_loop().time())
    await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their end, so that none outlives what it works on."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
