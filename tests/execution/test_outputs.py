"""Of what a kernel shows, a notebook keeps what nbformat has a place for, and knows its size."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import output_from_msg

from grader.execution import outputs
from grader.execution.guarded import OUTPUTS
from grader.execution.outputs import cleaned, layout, size, weight

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
FORMS = st.sampled_from(["text/plain", "image/png", "application/json", "application/x+json"])
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["stdout", "stderr"]) | JSON,
        "text": TEXT | JSON,
        "data": st.dictionaries(FORMS | TEXT, JSON, max_size=4) | JSON,
        "metadata": JSON,
        "transient": st.fixed_dictionaries({"display_id": TEXT | JSON}) | JSON,
        "execution_count": st.integers() | JSON,
        "ename": TEXT | JSON,
        "evalue": TEXT | JSON,
        "traceback": st.lists(TEXT, max_size=5) | JSON,
        "wait": JSON,
        "execution_state": TEXT | JSON,
    },
)
SHOWN = sorted(OUTPUTS - {"clear_output", "update_display_data"})


def written(output: Any) -> int:
    """The bytes that an output adds to a notebook's file."""

    def file(found: list[Any]) -> int:
        cells = [{"cell_type": "code", "outputs": found}]
        text = json.dumps({"cells": cells}, ensure_ascii=False, indent=1, sort_keys=True)
        return len(text.encode("utf-8", "replace"))

    return file([output]) - file([])


def shown(kind: str, content: dict[str, Any]) -> Any:
    """What nbclient makes of a message; None where nothing is kept of it."""
    try:
        return output_from_msg({"header": {"msg_type": kind}, "content": cleaned(kind, content)})  # type: ignore[no-untyped-call]  # nbformat's own lack
    except ValueError:
        return None


@given(st.sampled_from(SHOWN), CONTENT)
def test_whatever_a_kernel_shows_is_an_output_and_no_larger_than_it_counts(
    kind: str, content: dict[str, Any]
) -> None:
    output = shown(kind, content)
    if output is not None:  # nbformat has found it valid
        assert written(output) <= weight(output)
        message = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        assert written(output) <= len(message.encode("utf-8", "replace")) + layout(output)
        assert {} == output.get("metadata", {})


@given(st.sampled_from(sorted(outputs.KINDS)), CONTENT)
def test_what_nbclient_is_told_besides_is_of_the_types_that_it_expects(
    kind: str, content: dict[str, Any]
) -> None:
    try:
        told = cleaned(kind, content)
    except ValueError:
        return
    assert type(told.get("execution_count", 0)) in (int, type(None))
    assert type(told.get("execution_state", "")) is str
    assert type(told.get("transient", {}).get("display_id", "")) is str


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("stream", {"name": "stdout", "text": "a"}, {"name": "stdout", "text": "a"}),
        ("error", {"ename": "E", "evalue": "", "traceback": ["a"]}, {"traceback": ["a"]}),
        (
            "display_data",
            {"data": {"text/plain": "a", "image/png": "AA", "text/html": ["b"]}},
            {"data": {"text/plain": "a", "image/png": "AA"}},
        ),
        (
            "display_data",
            {"data": {"application/json": {"a": [1, None]}, "application/x.y+json": [2]}},
            {"data": {"application/json": {"a": [1, None]}, "application/x.y+json": [2]}},
        ),
        ("execute_result", {"data": {}, "execution_count": 3}, {"execution_count": 3}),
        ("execute_result", {"data": {}, "execution_count": True}, {"execution_count": None}),
        ("execute_input", {"code": "x" * 99, "execution_count": 3}, {"execution_count": 3}),
        ("execute_input", {"execution_count": [3]}, {}),
        ("status", {"execution_state": "idle", "execution_count": 3}, {"execution_state": "idle"}),
        ("clear_output", {"wait": True}, {"wait": True}),
        (
            "update_display_data",
            {"data": {}, "transient": {"display_id": "a", "x": 1}},
            {"transient": {"display_id": "a"}},
        ),
        ("display_data", {"transient": {"display_id": "a" * 2_000}}, {"transient": {}}),
    ],
)
def test_what_is_kept(kind: str, content: dict[str, Any], expected: dict[str, Any]) -> None:
    found = cleaned(kind, content)
    assert expected == {key: found[key] for key in expected}
    assert {"code", "wait", "x"} & found.keys() <= expected.keys()


def nested(value: Any, times: int) -> Any:
    for _ in range(times):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        nested([1] * 100_000, 450),
        nested(1, outputs.MOST_JSON_DEPTH + 1),
        [1] * (outputs.MOST_JSON + 1),
        {str(i): [] for i in range(outputs.MOST_JSON + 1)},
    ],
    ids=["indents", "deep", "a long list", "a large dict"],
)
def test_json_of_too_many_parts_is_left_out_and_the_other_forms_are_kept(value: Any) -> None:
    data = {"application/json": value, "text/plain": "a"}
    assert {"text/plain": "a"} == cleaned("display_data", {"data": data})["data"]


def test_forms_and_lines_without_number_are_cut() -> None:
    data = {f"{i}/x": "" for i in range(10_000)}
    assert outputs.MOST_FORMS == len(cleaned("display_data", {"data": data})["data"])
    error = cleaned("error", {"ename": "", "evalue": "", "traceback": [""] * 10_000})
    assert outputs.MOST_LINES == len(error["traceback"])


def test_what_is_left_of_a_flood_is_short_and_says_why() -> None:
    flood = [
        shown("stream", {"name": "stdout", "text": text}) for text in ("first", "\0" * 999, "last")
    ]
    left = outputs.shortened(flood, 2_000, "stopped")
    assert "first" == left[0]["text"]
    assert "\n[stopped]\n" == left[-1]["text"]
    assert "last" not in [output["text"] for output in left]
    assert size(left) < 10_000


@given(st.sampled_from(SHOWN), CONTENT)
def test_an_output_is_the_one_that_nbformat_makes_and_finds_right(
    kind: str, content: dict[str, Any]
) -> None:
    expected = shown(kind, content)
    if expected is not None:
        assert expected == outputs.of_message(kind, cleaned(kind, content))
