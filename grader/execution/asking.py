"""Ask probes of the code that a kernel holds, and read what it answers."""

from __future__ import annotations

from collections.abc import Sequence

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
        index, reply = _read(message, limits)
        if reply is None or not 0 <= index < len(calls) or calls[index].key in replies:
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


def _read(message: Message, limits: Limits) -> tuple[int, Reply | None]:
    """Return which call `message` answers and what it says; None where it is no answer."""
    metadata = message["content"].get("metadata")
    label = metadata.get("grader") if isinstance(metadata, dict) else None
    if message["msg_type"] != "display_data" or not isinstance(label, dict):
        return -1, None
    index, status = label.get("index"), label.get("status")
    if type(index) is not int or not isinstance(status, str):
        return -1, None
    if status in STATUS:
        return index, Reply(STATUS[status])
    payload = b"".join(bytes(part) for part in message["buffers"][:1])
    return index, decode(payload, limit=limits.answer_bytes)
