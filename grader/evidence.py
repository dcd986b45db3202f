"""Evidence as bytes, and back: what is kept of a run, and what travels between machines.

The round trip is exact: arrays keep their type, shape and order, texts their lone surrogates,
numbers their size. The same evidence gives the same bytes. Nothing is pickled, and every byte is
covered by a checksum, so that a damaged file is told as such and never judged. Pure: values in,
bytes out; where the bytes lie is somebody else's business.

    magic 8 | SHA-256 of the rest 32 | size of the header 8 | header, JSON | notebook | arrays
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from grader.errors import EvidenceError
from grader.model import (
    Array,
    CellOutcome,
    CellRun,
    Evidence,
    Other,
    ProbedIn,
    ProbeKey,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Seed,
    Table,
    Value,
    Visibility,
)

MAGIC = b"GREVID1\n"
MAX_BYTES = 2 << 30
MAX_DIMENSIONS = 32  # as of an answer
ARRAY_KINDS = "biufcU"
SMALL_INT = 1 << 63  # json reads and writes ints up to a bound; larger ones are hexadecimal
_PREAMBLE = struct.Struct(">8s32sQ")


def encode(evidence: Evidence) -> bytes:
    """Return `evidence` as bytes; the same evidence gives the same bytes.

    Raises:
        EvidenceError: a value in it is none that an answer can have, or is nested without end; or
            all together is more than can be kept.
    """
    try:
        return b"".join(_pieces(evidence))
    except MemoryError as error:
        raise EvidenceError("The answers are larger than this machine can keep.") from error


def _pieces(evidence: Evidence) -> list[bytes]:
    """Return what `encode` joins. Sizes are added up before anything of them is copied."""
    arrays: list[Array] = []
    executed = evidence.executed.encode("utf-8", "surrogatepass")
    try:
        replies = [
            _reply_out(key, evidence.replies[key], arrays) for key in sorted(evidence.replies)
        ]
        header = {
            "run": run_to_json(evidence.run),
            "replies": replies,
            "arrays": [[a.dtype.str, list(a.shape), _order(a)] for a in arrays],
            "executed": len(executed),
        }
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
    except RecursionError as error:
        raise EvidenceError("An answer is nested too deeply to be kept.") from error
    head = text.encode("utf-8", "surrogatepass")
    size = _PREAMBLE.size + len(head) + len(executed) + sum(array.nbytes for array in arrays)
    if size > MAX_BYTES:
        raise EvidenceError(f"The answers have more than {MAX_BYTES >> 30} GB together.")
    pieces = [struct.pack(">Q", len(head)), head, executed]
    pieces += [array.tobytes(_order(array)) for array in arrays]
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return [MAGIC, digest.digest(), *pieces]


def decode(data: bytes) -> Evidence:
    """Return the evidence that `data` holds.

    Raises:
        EvidenceError: they are not the very bytes that `encode` gave. That is nobody's answer.
    """
    head, rest = _checked(data)
    try:
        return _read(json.loads(head.decode("utf-8", "surrogatepass")), rest)
    except EvidenceError:
        raise
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _damaged("what is in it does not fit together") from error


def _checked(data: bytes) -> tuple[bytes, memoryview]:
    """Return the header and what stands behind it, once nothing is found to be damaged."""
    if len(data) > MAX_BYTES:
        raise _damaged(f"it has more than {MAX_BYTES >> 30} GB")
    if len(data) < _PREAMBLE.size:
        raise _damaged("it is cut off")
    magic, digest, size = _PREAMBLE.unpack_from(data)
    if magic != MAGIC:
        raise _damaged("it does not begin as evidence does, or a newer grader wrote it")
    view = memoryview(data)
    if hashlib.sha256(view[len(MAGIC) + 32 :]).digest() != digest:
        raise _damaged("its checksum is not the one that was kept with it")
    if size > len(data) - _PREAMBLE.size:
        raise _damaged("it is cut off")
    end = _PREAMBLE.size + size
    return data[_PREAMBLE.size : end], view[end:]


def _damaged(why: str) -> EvidenceError:
    return EvidenceError(f"Kept evidence cannot be read: {why}.")


def _read(header: Any, rest: memoryview) -> Evidence:
    _keys(header, "run", "replies", "arrays", "executed")
    size = _int(header["executed"])
    if not 0 <= size <= len(rest):
        raise _damaged("it is cut off")
    arrays = _arrays(_list(header["arrays"]), rest[size:])
    unused = list(reversed(arrays))  # each is used once, in order
    replies: dict[ProbeKey, Reply] = {}
    for row in _list(header["replies"]):
        key, reply = _reply_in(row, unused.pop)
        if key in replies:
            raise _damaged("a question has two replies")
        replies[key] = reply
    if unused:
        raise _damaged("an array belongs to no reply")
    executed = bytes(rest[:size]).decode("utf-8", "surrogatepass")
    return Evidence(run=run_from_json(header["run"]), replies=replies, executed=executed)


# ------------------------------------------------------------------------------- the run
def run_to_json(run: RunRecord) -> dict[str, object]:
    """Return how a notebook ran as plain values for `json`."""
    return {
        "outcome": run.outcome,
        "probed_in": run.probed_in,
        "cells": [[cell.index, cell.outcome, cell.error] for cell in run.cells],
        "seconds": run.seconds,
        "isolation": list(run.isolation),
        "notes": list(run.notes),
    }


def run_from_json(node: Any) -> RunRecord:
    """Return what `run_to_json` was given. Raises EvidenceError, ValueError or LookupError."""
    _keys(node, "outcome", "probed_in", "cells", "seconds", "isolation", "notes")
    where, seconds = node["probed_in"], node["seconds"]
    if type(seconds) not in (int, float):
        raise _damaged("the seconds of a run are no number")
    return RunRecord(
        outcome=RunOutcome(node["outcome"]),
        probed_in=None if where is None else ProbedIn(where),
        cells=tuple(
            _cell(_int(index), _text(outcome), _text(error))
            for index, outcome, error in _list(node["cells"])
        ),
        seconds=seconds,
        isolation=_one_and_the_same(_texts(node["isolation"])),
        notes=_texts(node["notes"]),
    )


@lru_cache(maxsize=4096)  # a large class is in memory at once, and most of its cells are alike
def _cell(index: int, outcome: str, error: str) -> CellRun:
    return CellRun(index=index, outcome=CellOutcome(outcome), error=error)


@lru_cache(maxsize=64)
def _one_and_the_same(texts: tuple[str, ...]) -> tuple[str, ...]:
    return texts


# ------------------------------------------------------------------------------- replies
def _reply_out(key: ProbeKey, reply: Reply, arrays: list[Array]) -> list[object]:
    probe_id, seed = key
    value = _value_out(reply.value, arrays)
    return [
        *(probe_id, seed.visibility, seed.index),
        *(reply.kind, value, reply.detail, reply.error_type),
    ]


def _reply_in(row: Any, take: Callable[[], Array]) -> tuple[ProbeKey, Reply]:
    probe_id, visibility, index, kind, value, detail, error_type = _list(row)
    key = (_text(probe_id), Seed(Visibility(visibility), _int(index)))
    return key, Reply(
        ReplyKind(kind),
        value=_value_in(value, take),
        detail=_text(detail),
        error_type=_text(error_type),
    )


def _value_out(  # noqa: PLR0911  one line a kind
    value: Value, arrays: list[Array]
) -> object:
    """Return what json writes for a value. A list is a list; what it has no word for is a dict."""
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        return value if -SMALL_INT <= value < SMALL_INT else {"int": hex(value)}
    if isinstance(value, list):
        return [_value_out(part, arrays) for part in value]
    if isinstance(value, dict):
        return {"dict": [[key, _value_out(part, arrays)] for key, part in value.items()]}
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": _plain(value.dtype).str}
    if isinstance(value, Table):
        data = [_value_out(column, arrays) for column in value.data]
        return {"table": [list(value.columns), data, value.n_rows]}
    if isinstance(value, Other):
        return {"other": value.type_name}
    raise EvidenceError(f"A {type(value).__name__} is no answer, so it cannot be kept.")


def _value_in(node: Any, take: Callable[[], Array]) -> Value:  # noqa: PLR0911  one line a kind
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if isinstance(node, list):
        return [_value_in(part, take) for part in node]
    ((tag, body),) = node.items()
    if tag == "int":
        return int(body, 16)
    if tag == "dict":
        pairs = {_text(key): _value_in(part, take) for key, part in _list(body)}
        if len(pairs) == len(body):
            return pairs
    elif tag == "array":
        array = take()
        if array.dtype.str == body:
            return array
    elif tag == "table":
        columns, data, rows = body
        read = tuple(_value_in(column, take) for column in _list(data))
        return Table(_texts(columns), read, _int(rows))
    elif tag == "other":
        return Other(_text(body))
    raise _damaged("a value has no form that is known")


# ------------------------------------------------------------------------------- arrays
def _order(array: Array) -> Literal["C", "F"]:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _plain(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type of numbers or text as it is; everything else is no answer."""
    if dtype.kind not in ARRAY_KINDS or dtype.itemsize == 0:
        raise EvidenceError(f"Arrays of {dtype} are no answer, so they cannot be kept.")
    return dtype


def _arrays(rows: Sequence[Any], data: memoryview) -> list[Array]:
    """Read arrays that fill `data` to its last byte. They are read-only, as all replies are."""
    found: list[Array] = []
    at = 0
    for name, shape, order in rows:
        dtype = _plain(np.dtype(_text(name)))
        size = math.prod(shape) * dtype.itemsize
        sound = all(type(n) is int and n >= 0 for n in shape) and len(shape) <= MAX_DIMENSIONS
        if not sound or order not in ("C", "F") or size > len(data) - at:
            raise _damaged("an array is not as it is declared")
        flat = np.frombuffer(data[at : at + size], dtype=dtype)
        found.append(flat.reshape(shape, order=order))
        at += size
    if at != len(data):
        raise _damaged("there is more in it than it declares")
    return found


# ------------------------------------------------------------------------------- strictness
def _keys(node: Any, *names: str) -> None:
    if not isinstance(node, dict) or tuple(node) != names:
        raise _damaged("its header is not the one of evidence")


def _list(node: Any) -> list[Any]:
    if not isinstance(node, list):
        raise _damaged("there is something else where a list should be")
    return node


def _text(node: Any) -> str:
    if not isinstance(node, str):
        raise _damaged("there is something else where a text should be")
    return node


def _texts(node: Any) -> tuple[str, ...]:
    return tuple(_text(part) for part in _list(node))


def _int(node: Any) -> int:
    if type(node) is not int:
        raise _damaged("there is something else where a whole number should be")
    return node
