"""Ask probes of the code that a kernel holds, and read what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grader.answers import decode
from grader.execution.exchange import Ended, exchange, magic
from grader.kernels.client import Message
from grader.kernels.kernel import Kernel
from grader.model import Limits, ProbeCall, ProbeKey, Reply, ReplyKind

MARGIN_SECONDS = 10.0  # beyond a probe's own limit: a kernel that holds gigabytes forks slowly
STATUS = {
    "timeout": ReplyKind.TIMEOUT,
    "died": ReplyKind.DIED,
    "malformed": ReplyKind.MALFORMED,
}


async def ask(
    kernel: Kernel, calls: Sequence[ProbeCall], limits: Limits
) -> tuple[dict[ProbeKey, Reply], Ended]:
    """Ask `calls` in order, each in a fork of the kernel.

    Returns:
        The replies that came (any may be missing), and what became of the kernel meanwhile.
    """
    replies: dict[ProbeKey, Reply] = {}

    def listener(message: Message) -> bool:
        label = _label(message)
        index = label.get("index")
        if type(index) is not int or not 0 <= index < len(calls) or calls[index].key in replies:
            return False  # before it is read, which takes longest
        reply = _read(label, message, limits)
        if reply is None:
            return False
        replies[calls[index].key] = reply
        return True

    body = {
        "calls": [
            {"source": call.source, "probe_id": call.probe_id, "number": call.number}
            for call in calls
        ],
        "seconds": limits.probe_seconds,
        "limit": limits.answer_bytes,
    }
    ended = await exchange(
        kernel,
        magic("grader_ask", body),
        seconds=limits.probe_seconds + MARGIN_SECONDS,
        listener=listener,
    )
    return replies, ended


def _label(message: Message) -> Mapping[str, Any]:
    """Return what a message says of the call that it answers; empty where it is no answer."""
    metadata = message["content"].get("metadata")
    label = metadata.get("grader") if isinstance(metadata, dict) else None
    return label if message["msg_type"] == "display_data" and isinstance(label, dict) else {}


def _read(label: Mapping[str, Any], message: Message, limits: Limits) -> Reply | None:
    """Return the reply in `message`; None where it is none."""
    status = label.get("status")
    if not isinstance(status, str):
        return None
    if status in STATUS:
        return Reply(STATUS[status])
    payload = b"".join(bytes(part) for part in message["buffers"][:1])
    return decode(payload, limit=limits.answer_bytes)
