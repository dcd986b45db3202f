"""The grader's end of a kernel's sockets, made for kernels that may not mean well.

Messages are bounded before they are read, what is not a message or nobody asked for is dropped
unread, all is counted, and a connection that breaks is noticed. It knows Jupyter's message format
and nothing of notebooks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from hmac import compare_digest
from queue import Empty
from typing import Any, TypeAlias

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import DELIM, Session
from traitlets import Integer, Type

from grader.kernels.wire import Wire
from grader.model import Limits

Message: TypeAlias = dict[str, Any]

MAX_PARTS = 2_000_000  # brackets and commas in one message: each may become an object of 60 bytes
MAX_HEADER = 64 << 10  # bytes of a header, or of the request's that a message names
AT_ONCE = 1 << 20  # bytes that are read in a row before other tasks of the event loop have a turn
WELCOME_SECONDS = 0.5
LARGER_THAN_AN_ANSWER = 1 << 20
MOST_TRAFFIC = 1 << 30  # bytes that one kernel may send: a plot drawn anew for 10,000 epochs
COST_OF_A_MESSAGE = 4 << 10  # bytes that take as long to read as the smallest message
COST_OF_A_PART = 32  # bytes that take as long to read as what a bracket or a comma stands for


@dataclass(slots=True)
class Meter:
    """Counts what a kernel sends, on all its channels; `spent` is set once it was too much.

    What is shown may be replaced any number of times, so nothing else bounds all of it together.
    """

    left: int = MOST_TRAFFIC
    spent: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, size: int) -> None:
        """Take in a message of `size` bytes."""
        self.take(size + COST_OF_A_MESSAGE)

    def take(self, cost: int) -> None:
        """Take in what is as much work as `cost` bytes."""
        self.left -= cost
        if self.left < 0:
            self.spent.set()


class BoundedChannel:
    """A channel that gives well-formed messages only, each with its `size` in bytes."""

    def __init__(self, wire: Wire, session: Session, loop: object = None) -> None:
        self.wire, self.session = wire, session
        self.meter = Meter()
        self._at_once = 0

    # --------------------------------------------------------------- what jupyter_client calls
    def start(self) -> None:
        """Connect. The kernel need not be there yet."""
        self.wire.open()

    def stop(self) -> None:
        """Hang up; whoever waits for a message waits for ever."""
        self.wire.close()

    def is_alive(self) -> bool:
        return True

    def send(self, msg: Message) -> None:
        """Send a message, without waiting for a kernel that takes none."""
        self.wire.send(self.session.serialize(msg))

    async def get_msg(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  jupyter_client's signature
    ) -> Message:
        """Return the next message; raise queue.Empty after `timeout` seconds without one."""
        try:
            async with asyncio.timeout(timeout):
                return await self._next("", ())
        except TimeoutError:
            raise Empty from None

    # --------------------------------------------------------------- what the grader calls
    async def answer(self, request: str, kinds: Collection[str] = ()) -> Message:
        """Return the next message that the request of this id caused. It may wait for ever.

        Args:
            kinds: of messages that are of interest; empty: all.
        """
        return await self._next(request, kinds)

    # --------------------------------------------------------------- reading
    async def _next(self, request: str, kinds: Collection[str]) -> Message:
        """Return the next message that is wanted: by any request where `request` is empty."""
        while True:
            frames = await self._frames()
            size = sum(map(len, frames))
            self.meter.count(size)  # late output of a cell that was stopped is no worse than other
            with contextlib.suppress(Exception):  # hostile bytes may upset a parser in any way
                message = self._opened(frames, size)
                asked = not request or message["parent_header"].get("msg_id") == request
                if asked and (not kinds or message["msg_type"] in kinds):
                    return self._read(message, frames)

    async def _frames(self) -> list[bytes]:
        """Return the parts of the next message. In a flood, others get their turn all the same."""
        if self.meter.spent.is_set():
            self.stop()
            await asyncio.Future()
        if self._at_once > AT_ONCE:
            self._at_once = 0
            await asyncio.sleep(0)
        frames = await self.wire.receive()
        self._at_once += sum(map(len, frames)) + AT_ONCE // 8
        return frames

    def _opened(self, frames: list[bytes], size: int) -> Message:
        """Return a message without what is in it. Raises anything where the bytes are none."""
        begin = frames.index(DELIM) + 2  # before it come topics and addresses, behind a signature
        header, parent = (self._unpacked(part) for part in frames[begin : begin + 2])
        if not isinstance(header["msg_type"], str):
            raise TypeError("It is of no kind.")
        return {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": parent,
            "metadata": {},  # nobody here asks for it
            "size": size,
        }

    def _unpacked(self, part: bytes) -> dict[str, Any]:
        """Return one of a message's headers. Dates stay text: reading them takes longest of all."""
        if len(part) > MAX_HEADER:
            raise ValueError("Nobody has such a header.")
        header = self.session.unpack(part)
        if not isinstance(header, dict):
            raise TypeError("It is not a header.")
        return header

    def _read(self, message: Message, frames: list[bytes]) -> Message:
        """Return the message with what is in it. Raises anything where the bytes are none."""
        parts = frames[frames.index(DELIM) + 1 :]
        if not compare_digest(parts[0], self.session.sign(parts[1:5])):
            raise ValueError("It is signed by nobody that we know.")
        count = sum(map(parts[4].count, (b"[", b"{", b",")))
        self.meter.take(COST_OF_A_PART * count)
        if count > MAX_PARTS:
            raise ValueError("It is of more parts than there is memory for.")
        content = self.session.unpack(parts[4])
        if not isinstance(content, dict):
            raise TypeError("There is nothing in it that has a name.")
        return {**message, "content": content, "buffers": [memoryview(p) for p in parts[5:]]}


class BoundedClient(AsyncKernelClient):
    """A client of the shell and iopub channels only; `broken` is set when iopub is cut off.

    That is done here when a message is larger than `largest_message`, or by a kernel whose code
    closes the socket. In the first case `reconnect` mends it, in the second not.
    """

    shell_channel_class = Type(BoundedChannel)  # type: ignore[assignment]  # mypy sees defaults
    iopub_channel_class = Type(BoundedChannel)  # type: ignore[assignment]  # as above
    largest_message = Integer(32 << 20, help="bytes of one message")

    @property
    def broken(self) -> asyncio.Event:
        event: asyncio.Event = self.iopub_channel.wire.broken
        return event

    @property
    def spent(self) -> asyncio.Event:
        """Set once the kernel has sent so much that nobody listens any more."""
        event: asyncio.Event = self.iopub_channel.meter.spent
        return event

    def open(self) -> None:
        """Connect. The kernel need not be there yet."""
        meter = Meter()
        for channel in (self.shell_channel, self.iopub_channel):
            channel.meter = meter
        self.start_channels(stdin=False, hb=False, control=False)

    def close(self) -> None:
        """Close the sockets, and forget what is in them."""
        for channel in (self.shell_channel, self.iopub_channel):  # `stop_channels` would open more
            channel.stop()

    async def wait_until_ready(self) -> None:
        """Return once the kernel answers on both channels. It waits without a limit of its own."""
        self.kernel_info()
        while (await self.get_shell_msg())["msg_type"] != "kernel_info_reply":
            pass
        while True:
            with contextlib.suppress(Empty):
                await self.get_iopub_msg(timeout=0.5)
                return
            self.kernel_info()  # what it published came before our subscription did

    async def wait_until_heard(self) -> None:
        """Return once what the kernel publishes comes here. It waits without a limit of its own.

        ipykernel 7 greets whoever listens; one that does not is asked for something.
        """
        while True:
            with contextlib.suppress(Empty):
                await self.get_iopub_msg(timeout=WELCOME_SECONDS)
                return
            self.kernel_info()

    async def drain(self, listening: asyncio.Future[None], seconds: float) -> None:
        """Wait for `listening` to be done, but no longer than something comes on iopub.

        Args:
            seconds: without anything, after which what has not come is not to come.
        """
        wire, heard = self.iopub_channel.wire, -1
        while not (listening.done() or self.spent.is_set()):
            if heard == wire.heard and not wire.waiting:
                return
            heard = wire.heard
            await asyncio.wait({listening}, timeout=seconds)

    async def reconnect(self) -> None:
        """Connect iopub anew, and return once that has succeeded. It may wait for ever."""
        wire: Wire = self.iopub_channel.wire
        wire.open()
        await wire.joined.wait()

    def connect_shell(self, identity: bytes | None = None) -> Wire:  # type: ignore[override]  # ours
        return self._wire("shell", "DEALER", identity or b"")

    def connect_iopub(self, identity: bytes | None = None) -> Wire:  # type: ignore[override]  # ours
        return self._wire("iopub", "SUB")

    def _wire(self, channel: str, kind: str, identity: bytes = b"") -> Wire:
        path = self._make_url(channel).removeprefix("ipc://")
        return Wire(path, kind, identity=identity, largest=self.largest_message)


def connect(manager: AsyncKernelManager, limits: Limits) -> BoundedClient:
    """Return a client that is being connected to the kernel of `manager`."""
    largest = max(limits.output_bytes, limits.answer_bytes) + LARGER_THAN_AN_ANSWER
    options = manager.get_connection_info(session=True)
    client = BoundedClient(**options, parent=manager, largest_message=largest)
    client.open()
    return client
