"""The grader's end of a channel: what was asked for is read, all is counted, and it has an end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from jupyter_client.session import DELIM, Session

from grader.kernels import client
from grader.kernels.client import BoundedChannel, Message
from grader.kernels.wire import Wire

ASKED = "the request"


class SayingWire:
    """A wire over which all of this comes at once, and then nothing more."""

    def __init__(self, messages: list[list[bytes]]) -> None:
        self.messages = messages
        self.closed = False

    async def receive(self) -> list[bytes]:
        if not self.messages:
            await asyncio.Future()
        return self.messages.pop(0)

    def close(self) -> None:
        self.closed = True


def frames(
    session: Session,
    content: object = None,
    *,
    parent: object = ASKED,
    kind: object = "stream",
    topics: int = 1,
    raw: bytes = b"",
) -> list[bytes]:
    """A message as it comes from a kernel."""
    header = {"msg_id": "1", "msg_type": kind}
    signed = [json.dumps(part).encode() for part in (header, {"msg_id": parent}, {}, content or {})]
    if raw:
        signed[3] = raw
    return [b"topic"] * topics + [DELIM, session.sign(signed), *signed, b"buffer"]


def talk(
    say: Callable[[Session], list[list[bytes]]],
    listen: Callable[[BoundedChannel], Awaitable[Any]],
) -> tuple[list[Message], BoundedChannel]:
    """Return the messages that `listen` gets until it waits, and the channel."""

    async def all_of_it() -> tuple[list[Message], BoundedChannel]:
        session = Session(key=b"secret")
        channel = BoundedChannel(cast("Wire", SayingWire(say(session))), session)
        got: list[Message] = []

        async def take() -> None:
            while True:
                got.append(await listen(channel))

        taking = asyncio.ensure_future(take())
        for _ in range(1_000):  # turns of the loop, of which none waits for anything
            await asyncio.sleep(0)
        taking.cancel()
        return got, channel

    return asyncio.run(all_of_it())


def test_a_message_comes_with_its_size_and_its_buffers() -> None:
    got, _ = talk(lambda s: [frames(s, {"text": "a"})], lambda c: c.answer(ASKED))
    (message,) = got
    assert {"text": "a"} == message["content"]
    assert [b"buffer"] == [bytes(part) for part in message["buffers"]]
    assert ASKED == message["parent_header"]["msg_id"]


def test_what_nobody_asked_for_is_left_unread_and_counts() -> None:
    read: list[bytes] = []

    def unpack(part: bytes) -> Any:
        read.append(part)
        return json.loads(part)

    def say(session: Session) -> list[list[bytes]]:
        session.unpack = unpack
        return [frames(session, parent="another"), frames(session), frames(session, kind="comm")]

    got, channel = talk(say, lambda c: c.answer(ASKED, {"stream"}))
    assert ["stream"] == [message["msg_type"] for message in got]
    assert 3 * 2 + 1 == len(read)  # headers of three, and what is in one
    used = client.MOST_TRAFFIC - channel.meter.left
    assert used > 3 * client.COST_OF_A_MESSAGE


NO_MESSAGES: dict[str, Callable[[Session], list[bytes]]] = {
    "nothing": lambda s: [b""],  # noqa: ARG005  all have it
    "signed by nobody": lambda s: [b"x" * 64 if len(p) == 64 else p for p in frames(s)],
    "cut off": lambda s: frames(s)[:5],
    "of a kind that is no text": lambda s: frames(s, kind=[1]),
    "of a kind that is no text, for nobody": lambda s: frames(s, kind=[1], parent=[2]),
    "a list": lambda s: frames(s, raw=b"[]"),
    "not JSON": lambda s: frames(s, raw=b"{"),
    "nested without end": lambda s: frames(s, raw=b"[" * 100_000),
    "of many parts": lambda s: frames(s, raw=b'{"a":[' + b"1," * client.MAX_PARTS + b"1]}"),
    "of many parts, behind topics": lambda s: frames(
        s, raw=b'{"a":[' + b"1," * client.MAX_PARTS + b"1]}", topics=7
    ),
    "an answer to something large": lambda s: frames(s, parent="x" * client.MAX_HEADER),
}


@pytest.mark.parametrize("name", NO_MESSAGES)
def test_what_is_no_message_is_dropped_and_the_next_is_read(name: str) -> None:
    got, channel = talk(lambda s: [NO_MESSAGES[name](s), frames(s)], lambda c: c.answer(ASKED))
    assert 1 == len(got)
    assert channel.meter.left < client.MOST_TRAFFIC


@pytest.mark.parametrize(
    "message",
    [
        frames,
        lambda s: frames(s, parent="another"),
        lambda s: [b""],  # noqa: ARG005  all have it
        lambda s: frames(s, raw=b'{"a":[' + b"1," * 9_000 + b"1]}"),
    ],
    ids=["asked for", "for another", "none", "of many parts"],
)
def test_who_says_too_much_is_listened_to_no_more(
    message: Callable[[Session], list[bytes]],
) -> None:
    got, channel = talk(lambda s: [message(s)] * 100, lambda c: _with_little(c).answer(ASKED))
    wire = cast("SayingWire", channel.wire)
    assert channel.meter.spent.is_set()
    assert wire.closed
    assert wire.messages, "The rest is not even taken."
    assert len(got) < 100


def _with_little(channel: BoundedChannel) -> BoundedChannel:
    """Let a channel listen to 20 small messages."""
    channel.meter.left = min(channel.meter.left, 20 * client.COST_OF_A_MESSAGE)
    return channel
