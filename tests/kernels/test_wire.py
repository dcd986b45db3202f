"""The grader's own end of ZMTP: libzmq understands it, and nothing that comes is too much."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from grader.kernels import wire
from grader.kernels.wire import COMMAND, GREETING, LONG, MORE, Frames, Wire, WireError, packed

READY = bytes([COMMAND, 6]) + b"\x05READY"
HANDSHAKE = GREETING + READY
PATIENCE = 300.0
LARGEST = 1 << 20


# ------------------------------------------------------------------------------- frames
@given(
    st.lists(st.lists(st.binary(max_size=600), min_size=1, max_size=5), max_size=6),
    st.integers(1, 700),
)
def test_messages_come_as_they_were_sent_however_they_are_cut(
    messages: list[list[bytes]], size: int
) -> None:
    data = HANDSHAKE + b"".join(map(packed, messages))
    frames = Frames(LARGEST)
    found: list[list[bytes]] = []
    for at in range(0, len(data), size):
        found += frames.feed(data[at : at + size])
    assert messages == found


@given(st.binary(max_size=300))
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    for begin in (b"", HANDSHAKE):
        frames = Frames(LARGEST)
        try:
            for message in frames.feed(begin + data):
                assert message
        except WireError:
            pass


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n" * 5, "does not speak"),
        (GREETING[:10] + b"\x01" + GREETING[11:], "does not speak"),
        (GREETING + packed([b"early"]), "before the handshake"),
        (HANDSHAKE + b"\x08\x00", "flags"),
        (HANDSHAKE + bytes([COMMAND, 6]) + b"\x05ERROR", "refuses"),
        (HANDSHAKE + bytes([LONG]) + (LARGEST + 1).to_bytes(8, "big"), "bytes"),
        (HANDSHAKE + bytes([LONG]) + b"\xff" * 8, "bytes"),
        (HANDSHAKE + (bytes([MORE | LONG]) + (LARGEST // 2).to_bytes(8, "big")
                      + bytes(LARGEST // 2)) * 2 + bytes([0, 1]), "bytes"),
        (HANDSHAKE + bytes([MORE, 0]) * (wire.MOST_PARTS + 1), "parts"),
        (HANDSHAKE + bytes([COMMAND, 0]) * wire.MOST_COMMANDS, "commands"),
    ],
)  # fmt: skip
def test_what_is_no_message_or_too_much_of_one_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(WireError, match=why):
        list(Frames(LARGEST).feed(data))


def test_a_frame_that_is_announced_takes_no_memory_before_it_is_there() -> None:
    frames = Frames(1 << 40)
    announced = bytes([LONG]) + (1 << 39).to_bytes(8, "big")
    assert [] == list(frames.feed(HANDSHAKE + announced))


# ------------------------------------------------------------------------------- libzmq
@pytest.fixture
def peer() -> Iterator[Callable[[int], tuple[Any, str]]]:
    """Return a function: a kind of libzmq's sockets -> one that listens, and where."""
    context, bound = zmq.Context(), list[Any]()
    with tempfile.TemporaryDirectory(prefix="w") as folder:

        def bind(kind: int) -> tuple[Any, str]:
            listening = context.socket(kind)
            listening.linger = 0
            listening.rcvtimeo = int(PATIENCE * 1000)
            path = str(Path(folder, str(kind)))
            listening.bind(f"ipc://{path}")
            bound.append(listening)
            return listening, path

        yield bind
        for listening in bound:
            listening.close()
        context.term()


def soon(work: Callable[[], Awaitable[Any]]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(PATIENCE):
            return await work()

    return asyncio.run(limited())


def test_a_router_of_libzmq_takes_messages_and_answers(
    peer: Callable[[int], tuple[Any, str]],
) -> None:
    router, path = peer(zmq.ROUTER)
    long = bytes(range(256)) * 3000

    async def talk() -> list[bytes]:
        end = Wire(path, "DEALER", identity=b"me", largest=LARGEST)
        end.open()
        end.send([b"a", b"", long])
        assert [b"me", b"a", b"", long] == await asyncio.to_thread(router.recv_multipart)
        router.send_multipart([b"me", long, b"b"])
        try:
            return await end.receive()
        finally:
            end.close()

    assert [long, b"b"] == soon(talk)


def test_a_publisher_of_libzmq_is_heard_and_heard_again_after_a_cut(
    peer: Callable[[int], tuple[Any, str]],
) -> None:
    publisher, path = peer(zmq.XPUB)
    publisher.setsockopt(zmq.XPUB_VERBOSE, 1)  # it tells of a second subscription like the first

    async def listen() -> list[list[bytes]]:
        end = Wire(path, "SUB", largest=LARGEST)
        end.open()
        heard = []
        for said in (b"one", b"two"):
            while await asyncio.to_thread(publisher.recv) != b"\x01":
                pass  # it is told of the end of a subscription, too
            publisher.send_multipart([b"topic", said])
            heard.append(await end.receive())
            publisher.send(bytes(2 * LARGEST))
            await end.broken.wait()
            assert end.refused
            end.open()
            assert not end.refused
            await end.joined.wait()
        end.close()
        return heard

    assert [[b"topic", b"one"], [b"topic", b"two"]] == soon(listen)


# ------------------------------------------------------------------------------- a bad end
def test_who_does_not_listen_yet_is_waited_for() -> None:
    with tempfile.TemporaryDirectory(prefix="w") as folder:
        path = f"{folder}/s"

        async def join() -> bool:
            end = Wire(path, "DEALER", largest=LARGEST)
            end.open()
            await asyncio.sleep(0.05)
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(path)
                listening.listen()
                other, _ = await asyncio.to_thread(listening.accept)
                with other:
                    other.sendall(HANDSHAKE)
                    await end.joined.wait()
                    end.close()
            return True

        assert soon(join)


def test_messages_wait_in_the_kernel_where_nobody_reads_them_here() -> None:
    """A flood of ten megabytes: of it no more than a few messages and buffers are taken in."""
    with tempfile.TemporaryDirectory(prefix="w") as folder:
        path = f"{folder}/s"

        async def flood() -> int:
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(path)
                listening.listen()
                end = Wire(path, "DEALER", largest=LARGEST)
                end.open()
                other, _ = await asyncio.to_thread(listening.accept)
                other.setblocking(False)
                data = HANDSHAKE + packed([bytes(1000)]) * 10_000
                sent = 0
                with other:
                    for _ in range(2000):
                        try:
                            sent += other.send(data[sent : sent + 65536])
                        except BlockingIOError:
                            await asyncio.sleep(0)
                    end.close()
            return sent

        assert soon(flood) < 5 << 20
