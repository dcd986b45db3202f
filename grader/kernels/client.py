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

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import ZMQSocketChannel
from jupyter_client.connect import channel_socket_types
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import DELIM, Session
from traitlets import Integer, Type
from zmq.utils.monitor import recv_monitor_message

from grader.model import Limits

Message: TypeAlias = dict[str, Any]

MAX_PARTS = 2_000_000  # brackets and commas in one message: each may become an object of 60 bytes
QUEUED_MESSAGES = 16  # that may wait on our side, each as large as allowed; more wait in the kernel
MESSAGES_AT_ONCE = 8  # that are read in a row before other tasks of the event loop have a turn
RECONNECT_MS = 10
WELCOME_SECONDS = 0.5
LARGER_THAN_AN_ANSWER = 1 << 20
BROKEN = zmq.Event.DISCONNECTED
MENDED = zmq.Event.HANDSHAKE_SUCCEEDED


class BoundedChannel(ZMQSocketChannel):
    """A channel that gives well-formed messages only, each with its `size` in bytes.

    It reads from a plain socket: pyzmq's asynchronous one takes three times as long for a message.
    """

    socket: zmq.Socket[bytes]
    received = 0  # messages so far, of whatever request and form

    def __init__(self, socket: zmq.Socket[bytes], session: Session, loop: object = None) -> None:
        super().__init__(socket, session)
        self._descriptor: int = socket.FD
        self._waiting: list[asyncio.Future[None]] = []
        self._at_once = 0

    def send(self, msg: Message) -> None:
        """Send a message at once or not at all: nobody waits for a kernel that takes none."""
        with contextlib.suppress(zmq.Again):  # its code broke the connection for good
            super().send(msg)
        self.look_again()

    def stop(self) -> None:
        """Close the socket; whoever waits for a message waits for ever."""
        if self._waiting:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._waiting = []
        super().stop()

    def look_again(self) -> None:
        """Let whoever waits look for a message.

        To be called after whatever is done with the socket: libzmq may then have taken in that
        there is one, and does not tell it a second time.
        """
        waiting, self._waiting = self._waiting, []
        if waiting:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def get_msg(  # type: ignore[override]  # asynchronous, as in the base class
        self,
        timeout: float | None = None,  # noqa: ASYNC109  jupyter_client's signature
    ) -> Message:
        """Return the next message; raise queue.Empty after `timeout` seconds without one."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    message = self._read(await self._frames())
                    self.received += 1
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
        while True:
            try:
                return self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                self._at_once = 0
                await self._arrival()

    async def _arrival(self) -> None:
        """Return when there may be something to read."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.add_reader(self._descriptor, self.look_again)
        future = loop.create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if future in self._waiting:  # it was cancelled
                self._waiting.remove(future)
                if not self._waiting:
                    loop.remove_reader(self._descriptor)

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

    libzmq cuts the connection when a message is larger than `largest_message`; a kernel does so
    when its code closes the socket. In the first case `reconnect` mends it, in the second not.
    """

    # mypy knows the base class's default, where the trait takes any class of channels.
    shell_channel_class = Type(BoundedChannel)  # type: ignore[assignment]
    iopub_channel_class = Type(BoundedChannel)  # type: ignore[assignment]
    largest_message = Integer(32 << 20, help="bytes of one frame of a message")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.broken = asyncio.Event()
        self.mended = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Connect. The kernel need not be there yet."""
        self.start_channels(stdin=False, hb=False, control=False)
        self._watcher = asyncio.ensure_future(self._watch_iopub())

    def close(self) -> None:
        """Close the sockets, and forget what is in them."""
        if self._watcher is not None:
            self._watcher.cancel()
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
        seen = -1
        while not listening.done() and seen != self.iopub_channel.received:
            seen = self.iopub_channel.received
            await asyncio.wait({listening}, timeout=seconds)

    async def reconnect(self) -> None:
        """Connect iopub anew, and return once that has succeeded. It may wait for ever."""
        socket, url = self.iopub_channel.socket, self._make_url("iopub")
        self.mended.clear()
        with contextlib.suppress(zmq.ZMQError):  # libzmq may have forgotten the connection
            socket.disconnect(url)
        socket.connect(url)
        self.iopub_channel.look_again()
        await self.mended.wait()
        self.broken.clear()

    def _create_connected_socket(
        self, channel: str, identity: bytes | None = None
    ) -> zmq.Socket[bytes]:
        """Connect a socket as the base class does, but a plain one, with bounds."""
        socket: zmq.Socket[bytes] = zmq.Context.socket(
            self.context, channel_socket_types[channel], socket_class=zmq.Socket
        )
        socket.linger = 0
        socket.setsockopt(zmq.SNDTIMEO, 0)  # jupyter_client sends without awaiting
        socket.setsockopt(zmq.MAXMSGSIZE, self.largest_message)
        socket.setsockopt(zmq.RCVHWM, QUEUED_MESSAGES)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        if identity:
            socket.identity = identity
        socket.connect(self._make_url(channel))
        return socket

    async def _watch_iopub(self) -> None:
        """Keep `broken` and `mended` true to the state of the iopub connection."""
        socket = self.iopub_channel.socket
        monitor = socket.get_monitor_socket(BROKEN | MENDED)
        try:
            while True:
                event = (await recv_monitor_message(monitor))["event"]
                (self.broken if event == BROKEN else self.mended).set()
        finally:
            monitor.close(linger=0)


def connect(manager: AsyncKernelManager, limits: Limits) -> BoundedClient:
    """Return a client that is being connected to the kernel of `manager`."""
    largest = max(limits.output_bytes, limits.answer_bytes) + LARGER_THAN_AN_ANSWER
    options = manager.get_connection_info(session=True)
    client = BoundedClient(
        **options, parent=manager, context=manager.context, largest_message=largest
    )
    client.open()
    return client
