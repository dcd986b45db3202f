"""Answers come through as they were given, and nothing that is not an answer comes through."""

from __future__ import annotations

import io
import json
import math
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from grader.answers import decode
from grader.inside.harness import encode
from grader.model import Other, Reply, ReplyKind, Table

LIMIT = 1 << 20


def through(value: object) -> Reply:
    return decode(encode("value", value), limit=LIMIT)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def equal(a: Any, b: Any) -> bool:
    """Equal, and of one type; nan equals nan."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return type(a) is type(b) and bool(a == b)


@given(PLAIN)
def test_plain_values_come_through(value: object) -> None:
    assert equal(value, through(value).value)


@given(
    npst.arrays(
        dtype=st.sampled_from(["f8", "f4", "i8", "u1", "?", "c16", "<U5"]),
        shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    )
)
def test_arrays_come_through_with_type_and_shape(array: Any) -> None:
    got = through(array).value
    assert isinstance(got, np.ndarray)
    assert (array.dtype, array.shape) == (got.dtype, got.shape)
    assert array.tobytes() == got.tobytes()


def test_a_data_frame_comes_through_as_a_table() -> None:
    got = through(pd.DataFrame({"nh": [[0], [5, 5]], "RMSE Val": [1.5, 2.5]})).value
    assert isinstance(got, Table)
    assert (("nh", "RMSE Val"), 2) == (got.columns, got.n_rows)
    assert [[0], [5, 5]] == got.data[0]


def test_what_is_no_answer_leaves_only_its_type() -> None:
    assert Other("function") == through(lambda: 0).value


def test_an_array_subclass_with_lying_methods_is_taken_as_the_array_that_it_is() -> None:
    class Liar(np.ndarray):
        def tobytes(self, *_: object, **__: object) -> bytes:
            raise AssertionError("nobody should ask it")

    assert [1.0, 2.0] == list(through(np.array([1.0, 2.0]).view(Liar)).value)  # type: ignore[arg-type]  # it is an array


def header(value: object, *, kind: str = "value", blobs: object = ()) -> bytes:
    return json.dumps(
        {"kind": kind, "value": value, "blobs": blobs, "error_type": "", "detail": ""}
    ).encode()


def framed(head: bytes, *blobs: bytes) -> bytes:
    return struct.pack(">I", len(head)) + head + b"".join(blobs)


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=(1, 0), allow_pickle=False)
    return out.getvalue()


def tables_in_tables(times: int) -> object:
    value: object = None
    for _ in range(times):
        value = {"table": {"columns": ["a"], "rows": 1, "data": [{"list": [value]}]}}
    return value


NPY = npy(np.zeros(4))
HOSTILE = {
    "nothing": b"",
    "cut off": encode("value", np.zeros(100))[:-1],
    "a length that lies": struct.pack(">I", 1 << 31) + b"{}",
    "not JSON": framed(b"{"),
    "not UTF-8": framed(b"\xff\xfe"),
    "a list for a header": framed(b"[]"),
    "nested 100,000 deep": framed(b"[" * 100_000),
    "a claim that only the grader can make": framed(header(None, kind="not-run")),
    "an unknown kind": framed(header(None, kind="full marks")),
    "an unknown tag": framed(header({"pickle": "gASV"})),
    "an array that is not there": framed(header({"array": 0})),
    "an array before the first": framed(header({"array": -1}, blobs=[len(NPY)]), NPY),
    "an array by the name True": framed(header({"array": True}, blobs=[0, len(NPY)]), NPY),
    "an array twice": framed(header({"list": [{"array": 0}, {"array": 0}]}, blobs=[len(NPY)]), NPY),
    "an array twice in a table": framed(
        header(
            {"table": {"columns": ["a", "b"], "rows": 4, "data": [{"array": 0}] * 2}},
            blobs=[len(NPY)],
        ),
        NPY,
    ),
    "a million numbers": framed(header({"list": [1] * 1_000_000})),
    "of 40 dimensions": encode("value", np.zeros((1,) * 40)),
    "characters that there are not": encode("value", np.array(["ab"]))[:-8] + b"\xff" * 8,
    "tables in tables without end": framed(header(tables_in_tables(60))),
    "a negative size": framed(header({"array": 0}, blobs=[-1])),
    "a size of another type": framed(header({"array": 0}, blobs=[True])),
    "a finite number as not finite": framed(header({"float": "1.0"})),
    "an object array": framed(
        header({"array": 0}, blobs=[70]), b"\x93NUMPY\x01\x00\x3c\x00{'descr':'|O','shape':(1,)}"
    ),
    "a pickle": framed(header({"array": 0}, blobs=[4]), b"\x80\x04N."),
    "10 GB declared": encode("value", np.zeros(4)).replace(b"(4,)", b"(1250000000,)"),
    "a table that does not fit": framed(
        header({"table": {"columns": ["a"], "rows": 3, "data": [{"list": [1]}]}})
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_an_answer_is_malformed(name: str) -> None:
    reply = decode(HOSTILE[name], limit=LIMIT)
    assert ReplyKind.MALFORMED is reply.kind
    assert reply.value is None


def test_an_answer_over_the_limit_is_malformed() -> None:
    assert ReplyKind.MALFORMED is decode(encode("value", np.zeros(LIMIT)), limit=LIMIT).kind


@given(st.binary(max_size=300))
def test_no_bytes_can_make_the_decoder_raise(noise: bytes) -> None:
    assert ReplyKind.MALFORMED is decode(noise, limit=LIMIT).kind


@given(st.integers(0, 400), st.integers(0, 255))
def test_no_changed_byte_can_make_the_decoder_raise(at: int, byte: int) -> None:
    payload = bytearray(encode("value", {"a": np.arange(6.0), "b": [1, "x", None]}))
    payload[at % len(payload)] = byte
    assert isinstance(decode(bytes(payload), limit=LIMIT), Reply)


def test_an_answer_without_end_of_nesting_is_malformed() -> None:
    deep: object = 1
    for _ in range(150):
        deep = {"dict": [["k", deep]]}
    header = {"kind": "value", "value": deep, "blobs": [], "error_type": "", "detail": ""}
    head = json.dumps(header).encode()
    reply = decode(struct.pack(">I", len(head)) + head, limit=1 << 20)
    assert (ReplyKind.MALFORMED, "the answer is nested too deeply") == (reply.kind, reply.detail)
