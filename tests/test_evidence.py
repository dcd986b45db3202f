"""Evidence comes back as it was, byte for byte the same each time; what is damaged is told."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import EvidenceError
from grader.evidence import MAGIC, MAX_BYTES, decode, encode
from grader.model import (
    CellOutcome,
    CellRun,
    Evidence,
    Other,
    ProbedIn,
    Reply,
    ReplyKind,
    RunOutcome,
    RunRecord,
    Seed,
    Table,
    Value,
    Visibility,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
DTYPES = ("<f8", ">f8", "<f4", "<f2", "<i8", "|u1", ">i2", "|b1", "<c16", "<U3", ">U1")


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of every kind, shape and order, with any bytes in them."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    count = math.prod(shape)
    if dtype.kind == "U":
        texts = draw(st.lists(ANY_TEXT, min_size=count, max_size=count))
        flat = np.array(texts, dtype=dtype)
    elif dtype.kind == "b":
        flat = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype)
    else:
        size = count * dtype.itemsize
        flat = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype)
    return flat.reshape(shape, order=draw(st.sampled_from(["C", "F"])))


def containers(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(values, max_size=3)
    tables = st.builds(
        lambda columns, rows: Table(
            tuple(c for c, _ in columns), tuple(v for _, v in columns), rows
        ),
        st.lists(st.tuples(ANY_TEXT, values), max_size=3),
        st.integers(0, 9),
    )
    return lists | st.dictionaries(ANY_TEXT, values, max_size=3) | tables


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | ANY_TEXT
    | arrays()
    | st.builds(Other, ANY_TEXT),
    containers,
    max_leaves=8,
)
KEYS = st.tuples(ANY_TEXT, st.builds(Seed, st.sampled_from(Visibility), st.integers(0, 3)))
REPLIES = st.builds(Reply, st.sampled_from(ReplyKind), VALUES, ANY_TEXT, ANY_TEXT)
CELLS = st.builds(
    CellRun, index=st.integers(0, 9), outcome=st.sampled_from(CellOutcome), error=ANY_TEXT
)
RUNS = st.builds(
    RunRecord,
    outcome=st.sampled_from(RunOutcome),
    probed_in=st.none() | st.sampled_from(ProbedIn),
    cells=st.lists(CELLS, max_size=3).map(tuple),
    seconds=st.floats(0, 1e6),
    isolation=st.lists(ANY_TEXT, max_size=3).map(tuple),
    notes=st.lists(ANY_TEXT, max_size=3).map(tuple),
)
EVIDENCE = st.builds(
    Evidence, run=RUNS, replies=st.dictionaries(KEYS, REPLIES, max_size=4), executed=ANY_TEXT
)


def plain(value: Value) -> object:
    """A value as something that == compares, to the last bit."""
    match value:
        case np.ndarray():
            order = value.flags.c_contiguous, value.flags.f_contiguous
            return ("array", value.dtype.str, value.shape, order, value.tobytes())
        case Table():
            return ("table", value.columns, [plain(v) for v in value.data], value.n_rows)
        case list():
            return [plain(part) for part in value]
        case dict():
            return ("dict", [(key, plain(part)) for key, part in value.items()])
        case float():
            return ("float", "nan" if math.isnan(value) else struct.pack(">d", value))
        case _:
            return (type(value), value)


def told(evidence: Evidence) -> object:
    replies = {
        key: (reply.kind, plain(reply.value), reply.detail, reply.error_type)
        for key, reply in evidence.replies.items()
    }
    return (evidence.run, replies, evidence.executed)


def sealed(header: object, rest: bytes = b"") -> bytes:
    """Bytes that are not damaged, but were not written by `encode`."""
    head = json.dumps(header).encode()
    body = struct.pack(">Q", len(head)) + head + rest
    return MAGIC + hashlib.sha256(body).digest() + body


def some() -> Evidence:
    run = RunRecord(outcome=RunOutcome.COMPLETE, cells=(CellRun(index=1, outcome=CellOutcome.OK),))
    value: Value = {"W": np.arange(6.0).reshape(2, 3), "n": [1, None, 2.5]}
    key = ("probe", Seed(Visibility.HIDDEN, 0))
    return Evidence(run=run, replies={key: Reply(ReplyKind.VALUE, value)}, executed="{}")


@given(EVIDENCE)
def test_evidence_comes_back_as_it_was(evidence: Evidence) -> None:
    assert told(evidence) == told(decode(encode(evidence)))


@given(EVIDENCE)
def test_the_same_evidence_gives_the_same_bytes_in_whatever_order_it_came(e: Evidence) -> None:
    backwards = Evidence(
        run=e.run, replies=dict(reversed(list(e.replies.items()))), executed=e.executed
    )
    assert encode(e) == encode(backwards) == encode(decode(encode(e)))


def test_a_pair_of_surrogates_stays_two_and_a_huge_number_whole() -> None:
    key = ("p", Seed(Visibility.PUBLIC, 0))
    value: Value = ["\ud83d\ude00", 7**9999, -(1 << 63), -0.0]
    replies = {key: Reply(ReplyKind.VALUE, value)}
    evidence = Evidence(run=RunRecord(outcome=RunOutcome.ERRORS), replies=replies)
    back = decode(encode(evidence)).replies[key].value
    assert value == back
    assert isinstance(back, list)
    assert len(str(back[0])) == 2


@pytest.mark.parametrize("at", range(0, len(encode(some())), 7))
def test_a_changed_byte_is_told(at: int) -> None:
    data = bytearray(encode(some()))
    data[at] ^= 0x20
    with pytest.raises(EvidenceError, match="cannot be read"):
        decode(bytes(data))


@pytest.mark.parametrize("cut", [0, 7, 40, 47, 60, -1])
def test_a_file_that_is_cut_off_is_told(cut: int) -> None:
    with pytest.raises(EvidenceError, match="cannot be read"):
        decode(encode(some())[:cut])


def test_a_longer_file_is_told() -> None:
    with pytest.raises(EvidenceError, match="cannot be read"):
        decode(encode(some()) + b"\0")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=5), parts),
    max_leaves=10,
)
RUN: dict[str, object] = {
    "outcome": "complete",
    "probed_in": None,
    "cells": [],
    "seconds": 1,
    "isolation": [],
    "notes": [],
}


@given(JSON, JSON, JSON, JSON)
def test_what_encode_did_not_write_is_told_and_upsets_nothing(
    run: object, reply: object, array: object, value: object
) -> None:
    """Whatever stands in a file whose checksum is right: evidence, or one kind of error."""
    row = ["p", "public", 0, "value", value, "", ""]
    for header in (
        {"run": run, "replies": [], "arrays": [], "executed": 0},
        {"run": RUN, "replies": [reply], "arrays": [], "executed": 0},
        {"run": RUN, "replies": [row], "arrays": [], "executed": 0},
        {"run": RUN, "replies": [], "arrays": [array], "executed": 0},
        {"run": RUN, "replies": [], "arrays": [], "executed": value},
        value,
    ):
        try:
            decode(sealed(header, b"12345678"))
        except EvidenceError:
            continue


ARRAY_ROW = ["p", "public", 0, "value", {"array": "<f8"}, "", ""]


@pytest.mark.parametrize(
    ("arrays", "rows", "rest"),
    [
        ([["<f8", [1], "C"]], [], 8),  # of nobody
        ([["<f8", [2], "C"]], [ARRAY_ROW], 8),  # more than there is
        ([["<f8", [-1, -1], "C"]], [ARRAY_ROW], 8),
        ([["<f8", [1], "K"]], [ARRAY_ROW], 8),
        ([["|O", [1], "C"]], [ARRAY_ROW], 8),
        ([["<f8", [1], "C"]], [ARRAY_ROW, ARRAY_ROW], 8),
        ([["<i8", [1], "C"]], [ARRAY_ROW], 8),  # of another type than the reply says
        ([["<f8", [1], "C"]], [ARRAY_ROW], 9),
        ([["<f8", [True], "C"]], [ARRAY_ROW], 8),
    ],
)
def test_an_array_that_is_not_what_is_declared_is_told(
    arrays: list[Any], rows: list[Any], rest: int
) -> None:
    header = {"run": RUN, "replies": rows, "arrays": arrays, "executed": 0}
    with pytest.raises(EvidenceError):
        decode(sealed(header, bytes(rest)))


@pytest.mark.parametrize("value", [np.array([object()]), np.array(["2026"], "M8[D]"), {1, 2}])
def test_what_is_no_answer_is_not_kept(value: Any) -> None:
    replies = {("p", Seed(Visibility.PUBLIC, 0)): Reply(ReplyKind.VALUE, value)}
    with pytest.raises(EvidenceError, match="no answer"):
        encode(Evidence(run=RunRecord(outcome=RunOutcome.COMPLETE), replies=replies))


def test_more_than_can_be_read_again_is_not_even_put_together() -> None:
    large = np.broadcast_to(np.zeros(1), (MAX_BYTES // 8,))  # of 8 bytes, and 2 GB if copied
    replies = {("p", Seed(Visibility.PUBLIC, 0)): Reply(ReplyKind.VALUE, large)}
    with pytest.raises(EvidenceError, match="more than 2 GB"):
        encode(Evidence(run=RunRecord(outcome=RunOutcome.COMPLETE), replies=replies))


def test_that_there_is_no_memory_for_it_is_told_of_this_evidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("grader.evidence._value_out", full)
    with pytest.raises(EvidenceError, match="larger than this machine"):
        encode(some())
