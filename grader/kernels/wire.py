"""The connecting end of a kernel's sockets: ZMTP 3.0 over unix sockets, with bounds of its own.

libzmq hands a message over when it is complete, however many parts it has and however large that
makes it, so a kernel could fill the grader's memory with one that never ends. Here bytes, parts
and waiting messages are counted while they arrive, and a connection that goes too far is cut.
Knows frames, and nothing of what is in them. Source: ZeroMQ RFC 23, mechanism NULL.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Iterable, Iterator

MOST_PARTS = 1000  # of one message; Jupyter's have seven, and one for each buffer
MOST_COMMANDS = 64  # of one connection; there is one, and a few more where sockets ask for life
MOST_WAITING = 16  # messages; the rest waits in the kernel
MOST_UNSENT = 64 << 20  # bytes to a kernel that takes none
RETRY_SECONDS = 0.01
CHUNK = 1 << 18
MORE, LONG, COMMAND = 1, 2, 4
SHORTEST_LONG = 256  # bytes of a frame whose size takes eight bytes
SIGNATURE = b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f"
GREETING = SIGNATURE + b"\x03\x00" + b"NULL".ljust(20, b"\x00") + bytes(32)
SUBSCRIBE_TO_ALL = [b"\x01"]


class WireError(Exception):
    """What comes over a connection is not ZMTP, or more than was agreed to."""


class Frames:
    """Takes bytes as they arrive, and gives messages: lists of frames.

    Args:
        largest: bytes that one message may have, all its frames together.
    """

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self.greeted = False
        self.ready = False  # whether the other side has said what it is
        self._held = bytearray()
        self._parts: list[bytes] = []
        self._size = 0  # of the parts
        self._commands = 0

    def feed(self, chunk: bytes) -> Iterator[list[bytes]]:
        """Yield the messages that are complete. Raises WireError where the bytes are none."""
        self._held += chunk
        at = 0 if self.greeted else self._greet()
        while (frame := self._frame(at)) is not None:
            at, flags, body = frame
            if flags & COMMAND:
                self._obey(body)
                continue
            if not self.ready:
                raise WireError("a message comes before the handshake")
            self._parts.append(body)
            self._size += len(body)
            if len(self._parts) > MOST_PARTS:
                raise WireError(f"a message has more than {MOST_PARTS} parts")
            if not flags & MORE:
                parts, self._parts, self._size = self._parts, [], 0
                yield parts
        del self._held[:at]

    def _greet(self) -> int:
        """Return where the greeting ends; 0: not here yet."""
        if len(self._held) < len(GREETING):
            return 0
        held = self._held
        if held[0] != SIGNATURE[0] or not held[9] & 1 or held[10] < GREETING[10]:
            raise WireError("the other side does not speak ZMTP 3")
        self.greeted = True
        return len(GREETING)

    def _frame(self, at: int) -> tuple[int, int, bytes] | None:
        """Return the end, the flags and the body of the frame at `at`; None: not all is here."""
        held = self._held
        if not self.greeted or len(held) < at + 2:
            return None
        flags = held[at]
        if flags & ~(MORE | LONG | COMMAND):
            raise WireError("a frame has flags that mean nothing")
        begin = at + (9 if flags & LONG else 2)
        if len(held) < begin:
            return None
        size = int.from_bytes(held[at + 1 : begin], "big")
        if size > self.largest - self._size:
            raise WireError(f"a message has more than {self.largest} bytes")
        end = begin + size
        return (end, flags, bytes(held[begin:end])) if len(held) >= end else None

    def _obey(self, command: bytes) -> None:
        """Take a command. READY ends the handshake; others are of no interest here."""
        self._commands += 1
        if self._commands > MOST_COMMANDS:
            raise WireError(f"there are more than {MOST_COMMANDS} commands")
        name = command[1 : 1 + command[0]] if command else b""
        if name == b"READY":
            self.ready = True
        elif name == b"ERROR":
            raise WireError("the other side refuses the connection")


class Wire:
    """One connection to a socket of a kernel, which need not listen yet.

    Args:
        path: of the unix socket.
        kind: of zmq socket that this end is: DEALER or SUB.
        identity: by which a ROUTER knows this end; empty: none.
        largest: bytes that one message may have.
    """

    def __init__(self, path: str, kind: str, *, identity: bytes = b"", largest: int) -> None:
        self.path, self.kind, self.identity, self.largest = path, kind, identity, largest
        self.heard = 0  # times that something came, of this connection and earlier ones
        self.broken = asyncio.Event()  # set when this connection has been cut, by either side
        self.refused = False  # whether it was by this side
        self.joined = asyncio.Event()  # set when the handshake is done
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._messages: deque[list[bytes]] = deque()
        self._arrived = asyncio.Event()
        self._reading = False
        self._unsent = bytearray()
        self._held_back = bytearray()  # messages that wait for the end of the handshake
        self._frames = Frames(largest)

    # --------------------------------------------------------------- what is called from outside
    def open(self) -> None:
        """Connect, again if this was connected before; what was not read of that is forgotten."""
        self.close()
        self.broken.clear()
        self.refused = False
        self.joined.clear()
        self._messages.clear()
        self._frames = Frames(self.largest)
        self._unsent = bytearray(GREETING) + self._command()
        # libzmq takes a message that comes before it has sent its own READY for a wrong command.
        self._held_back = bytearray(packed(SUBSCRIBE_TO_ALL) if self.kind == "SUB" else b"")
        self._connect()

    def close(self) -> None:
        """Hang up. Whoever waits for a message waits for ever."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._reading = False

    def send(self, frames: Iterable[bytes]) -> None:
        """Send a message as soon as the kernel takes it; forget it where it has taken too few."""
        waiting = self._unsent if self.joined.is_set() else self._held_back
        if len(waiting) > MOST_UNSENT or self.broken.is_set():
            return
        waiting += packed(frames)
        if self.joined.is_set() and self._socket is not None:
            self._write()

    @property
    def waiting(self) -> bool:
        """Whether there is a message that nobody has taken yet."""
        return bool(self._messages)

    async def receive(self) -> list[bytes]:
        """Return the frames of the next message. It may wait for ever."""
        while not self._messages:
            self._arrived.clear()
            self._listen()
            await self._arrived.wait()
        return self._messages.popleft()

    # --------------------------------------------------------------- the connection
    def _connect(self) -> None:
        """Connect now or, where nobody listens yet, a little later."""
        self._retry = None
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            end.connect(self.path)
        except OSError:
            end.close()
            self._retry = self._loop.call_later(RETRY_SECONDS, self._connect)
            return
        self._socket = end
        self._listen()
        self._write()

    def _command(self) -> bytes:
        body = b"\x05READY" + _property(b"Socket-Type", self.kind.encode())
        body += _property(b"Identity", self.identity) if self.identity else b""
        return _head(COMMAND, len(body)) + body

    def _listen(self) -> None:
        if self._socket is not None and not self._reading:
            self._loop.add_reader(self._socket.fileno(), self._read)
            self._reading = True

    def _read(self) -> None:
        """Take in what has come; no more once enough messages wait."""
        assert self._socket is not None  # noqa: S101  it is read as long as it is there
        try:
            chunk = self._socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        self.heard += 1
        try:
            self._messages.extend(self._frames.feed(chunk))
        except WireError:
            chunk, self.refused = b"", True
        if self._messages:
            self._arrived.set()
        if self._frames.ready and not self.joined.is_set():
            self.joined.set()
            self._unsent += self._held_back
            self._write()
        if not chunk:
            self.close()
            self.broken.set()
        elif self._has_enough():
            self._loop.remove_reader(self._socket.fileno())
            self._reading = False

    def _has_enough(self) -> bool:
        """Say whether so many messages wait, or such large ones, that the rest had better wait."""
        waiting = self._messages
        return len(waiting) >= MOST_WAITING or (
            sum(len(part) for message in waiting for part in message) > self.largest
        )

    def _write(self) -> None:
        assert self._socket is not None  # noqa: S101  it is written to as long as it is there
        descriptor = self._socket.fileno()
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
            self._loop.remove_writer(descriptor)
        except BlockingIOError:
            self._loop.add_writer(descriptor, self._write)
        except OSError:  # it hung up; reading says so
            self._unsent.clear()
            with contextlib.suppress(OSError):
                self._loop.remove_writer(descriptor)


# ------------------------------------------------------------------------------- frames
def packed(frames: Iterable[bytes]) -> bytes:
    """Return a message as it goes over the wire."""
    parts = [bytes(frame) for frame in frames]
    flags = [MORE] * (len(parts) - 1) + [0]
    return b"".join(_head(flag, len(part)) + part for flag, part in zip(flags, parts, strict=True))


def _head(flags: int, size: int) -> bytes:
    if size < SHORTEST_LONG:
        return bytes([flags, size])
    return bytes([flags | LONG]) + size.to_bytes(8, "big")


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + len(value).to_bytes(4, "big") + value
