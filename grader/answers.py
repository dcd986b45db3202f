"""Read what a probe answered, once, at the border.

The bytes come from the student's process, so every one of them may be a lie: sizes are bounded
before anything is allocated, nothing is unpickled, and whatever is not an answer in the form of
`grader.inside.harness` becomes a MALFORMED reply. Pure: bytes in, values out.
"""

from __future__ import annotations

import io
import json
import math
import struct
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from grader.model import Array, Other, Reply, ReplyKind, Table, Value

MAX_HEADER = 4 << 20
MAX_PARTS = 500_000  # brackets and commas of a header; an answer of the harness has 400,000
MAX_NPY_HEADER = 4096
MAX_DIMENSIONS = 32  # of an array; evidence keeps no more
MAX_DEPTH = 100  # of nested parts; an answer that the harness wrote has far fewer
SAID_BY_STUDENT = frozenset(
    {ReplyKind.VALUE, ReplyKind.UNDEFINED, ReplyKind.RAISED, ReplyKind.UNUSABLE}
)


class _Malformed(Exception):  # noqa: N818  the student's doing, not an error of ours
    """The bytes are not an answer."""


def decode(payload: bytes, *, limit: int) -> Reply:
    """Return the reply that `payload` holds, or a MALFORMED one that says why. Never raises."""
    try:
        return _decode(payload, limit)
    except _Malformed as why:
        return Reply(ReplyKind.MALFORMED, detail=str(why))
    except RecursionError:
        return Reply(ReplyKind.MALFORMED, detail="the answer is nested too deeply")
    except Exception:  # noqa: BLE001  hostile bytes may upset a parser in any way
        return Reply(ReplyKind.MALFORMED, detail="the answer does not have the form of an answer")


def _decode(payload: bytes, limit: int) -> Reply:
    if len(payload) > limit:
        raise _Malformed(f"the answer is larger than {limit >> 20} MB")
    if len(payload) < 4:  # noqa: PLR2004  the length of the length
        raise _Malformed("the answer is empty")
    size = struct.unpack_from(">I", payload)[0]
    if size > min(MAX_HEADER, len(payload) - 4):
        raise _Malformed("the answer is cut off")
    head = payload[4 : 4 + size]
    if sum(map(head.count, (b"[", b"{", b","))) > MAX_PARTS:
        raise _Malformed("the answer has too many parts")
    header = json.loads(head.decode("utf-8"))
    kind = ReplyKind(header["kind"])
    if kind not in SAID_BY_STUDENT:
        raise _Malformed("the answer claims what only the grader can say")
    blobs = _Blobs(_split(payload, 4 + size, header["blobs"]))
    return Reply(
        kind,
        value=_value(header["value"], blobs),
        detail=str(header["detail"])[:2000],
        error_type=str(header["error_type"])[:100],
    )


def _split(payload: bytes, start: int, sizes: Any) -> list[bytes]:
    """Cut the part behind the header into the arrays that the header declares."""
    blobs = []
    for size in sizes:
        if type(size) is not int or not 0 <= size <= len(payload) - start:
            raise _Malformed("the answer is cut off")
        blobs.append(payload[start : start + size])
        start += size
    return blobs


class _Blobs:
    """The arrays behind a header, each to be had once.

    One that is named a hundred thousand times would be small here, as views of the same bytes,
    and as large as it claims wherever the answer is written down or compared.
    """

    def __init__(self, blobs: Sequence[bytes]) -> None:
        self._left: list[bytes | None] = list(blobs)

    def take(self, index: Any) -> bytes:
        """Return the array of this number. Raises _Malformed where it was taken before."""
        if type(index) is not int or not 0 <= index < len(self._left):
            raise _Malformed("the answer names an array that is not there")
        blob, self._left[index] = self._left[index], None
        if blob is None:
            raise _Malformed("the answer names an array twice")
        return blob


def _value(  # noqa: PLR0911  one line a kind
    node: Any, blobs: _Blobs, depth: int = 0
) -> Value:
    if depth > MAX_DEPTH:
        raise _Malformed("the answer is nested too deeply")
    if node is None or isinstance(node, (bool, int, float, str)):
        return node
    if not isinstance(node, dict) or len(node) != 1:
        raise _Malformed("the answer does not have the form of an answer")
    ((tag, body),) = node.items()
    if tag == "float":
        return _not_finite(body)
    if tag == "list":
        return [_value(part, blobs, depth + 1) for part in body]
    if tag == "dict":
        return {str(key): _value(part, blobs, depth + 1) for key, part in body}
    if tag == "array":
        return _array(blobs.take(body))
    if tag == "table":
        return _table(body, blobs, depth)
    if tag == "other":
        return Other(str(body)[:100])
    raise _Malformed("the answer does not have the form of an answer")


def _not_finite(text: Any) -> float:
    number = float(text)
    if math.isfinite(number):
        raise _Malformed("the answer does not have the form of an answer")
    return number


def _table(body: Any, blobs: _Blobs, depth: int) -> Table:
    columns = tuple(str(name) for name in body["columns"])
    data = tuple(_value(column, blobs, depth + 1) for column in body["data"])
    rows = body["rows"]
    lengths = {len(c) if isinstance(c, (list, np.ndarray)) else -1 for c in data}
    if type(rows) is not int or len(columns) != len(data) or not lengths <= {rows}:
        raise _Malformed("the data frame's columns do not fit together")
    return Table(columns, data, rows)


def _array(blob: bytes) -> Array:
    """Read one npy array: a plain type, a bounded header, exactly as many bytes as it declares."""
    stream = io.BytesIO(blob)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise _Malformed("the array is not in npy format 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(
        stream, max_header_size=MAX_NPY_HEADER
    )
    if dtype.kind not in "biufcU" or dtype.itemsize == 0 or dtype.names is not None:
        raise _Malformed(f"arrays of {dtype} are no answer")
    count = math.prod(shape)
    if any(n < 0 for n in shape) or count * dtype.itemsize != len(blob) - stream.tell():
        raise _Malformed("the array's size is not the one that it declares")
    if len(shape) > MAX_DIMENSIONS:
        raise _Malformed(f"the array has more than {MAX_DIMENSIONS} dimensions")
    flat = np.frombuffer(blob, dtype=dtype, count=count, offset=stream.tell())
    if dtype.kind == "U" and count:
        points = flat.view(np.dtype("u4").newbyteorder(dtype.byteorder))
        if points.max() > sys.maxunicode:  # numpy would make texts of them that no text may be
            raise _Malformed("the array has characters that there are not")
    return flat.reshape(shape, order="F" if fortran else "C")
