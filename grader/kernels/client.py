"""The grader's end of a kernel's sockets, made for kernels that may not mean well.

Messages are bounded before they are read, what is not a message is dropped, and a connection
that breaks is noticed. It knows Jupyter's message format and nothing of notebooks.
"""

from __future__ import annotations

import asyncio
import contextlib
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
MESSAGES_AT_ONCE = 8  # that are read in a row before other tasks of the event loop have a turn
WELCOME_SECONDS = 0.5
LARGER_THAN_AN_ANSWER = 1 << 20


class BoundedChannel:
    """A channel that gives well-formed messages only, each with its `size` in bytes."""

    def __init__(self, wire: Wire, session: Session, loop: object = None) -> None:
        self.wire, self.session = wire, session
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
                while True:
                    message = self._read(await self._frames())
                    if message is not None:
                        return message
        except TimeoutError:
            raise Empty from None

    async def _frames(self) -> list[bytes]:
        """Return the parts of the next message. In a flood, others get their turn all the same."""
        self._at_once += 1
        if self._at_once > MESSAGES_AT_ONCE:
            self._at_once = 0
            await asyncio.sleep(0)
        return await self.wire.receive()

    def _read(self, frames: list[bytes]) -> Message | None:
        """Return the message in `frames`, or None where they are not a message."""
        if (
            sum(frame.count(mark) for frame in frames[:6] for mark in (b"[", b"{", b","))
            > MAX_PARTS
        ):
            return None
        try:
            message = self._unpacked(frames)
        except Exception:  # noqa: BLE001  hostile bytes may upset the parser in any way
            return None
        dicts = (message["header"], message["parent_header"], message["content"])
        if not all(isinstance(part, dict) for part in dicts):
            return None
        if not isinstance(message["msg_type"], str):
            return None
        message["size"] = sum(len(frame) for frame in frames)
        return message

    def _unpacked(self, frames: list[bytes]) -> Message:
        """Do as Session.deserialize, but leave dates as text: to read them takes longest of all.

        Raises anything where the bytes are not a message.
        """
        parts = frames[frames.index(DELIM) + 1 :]  # before it come topics and addresses
        signed = parts[1:5]
        if not compare_digest(parts[0], self.session.sign(signed)):
            raise ValueError("It is signed by nobody that we know.")
        header, parent, metadata, content = map(self.session.unpack, signed)
        return {
            "header": header,
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": parent,
            "metadata": metadata,
            "content": content,
            "buffers": [memoryview(part) for part in parts[5:]],
        }


class BoundedClient(AsyncKernelClient):
    """A client of the shell and iopub channels only; `broken` is set when iopub is cut off.

    That is done here when a message is larger than `largest_message`, or by a kernel whose code
    closes the socket. In the first case `reconnect` mends it, in the second not.
    """

    # mypy knows the base class's default, where the trait takes any class of channels.
    shell_channel_class = Type(BoundedChannel)  # type: ignore[assignment]
    iopub_channel_class = Type(BoundedChannel)  # type: ignore[assignment]
    largest_message = Integer(32 << 20, help="bytes of one message")

    @property
    def broken(self) -> asyncio.Event:
        event: asyncio.Event = self.iopub_channel.wire.broken
        return event

    def open(self) -> None:
        """Connect. The kernel need not be there yet."""
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
        """Wait for `listening` to be done, but no longer than messages come on iopub.

        Args:
            seconds: without a message, after which what has not come is not to come.
        """
        wire, seen = self.iopub_channel.wire, -1
        while not listening.done() and seen != wire.received:
            seen = wire.received
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
