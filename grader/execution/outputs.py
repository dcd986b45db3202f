"""What a notebook keeps of what its kernel shows, and how much that is once it is written.

Everything here is a student's to choose: any JSON may stand where Jupyter has a text. So of each
message only what nbformat has a place for is taken over, of the types that it has there, and it is
weighed as it will be written, with indents and escapes. Pure: values in, values out.
"""

# mypy: disable-error-code="no-untyped-call"
# nbformat says that it is typed, but its NotebookNode is not.

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeAlias

from nbformat import NotebookNode

Content: TypeAlias = Mapping[str, Any]

KEPT_OF_A_FLOOD = 64 << 10
LONGEST_NAME = 1_000  # of what is kept as the name of something
MOST_COUNT = 1 << 31  # of executions
MOST_FORMS = 50  # of one output
MOST_LINES = 1_000  # of a traceback
MOST_JSON = 20_000  # parts of a value; what holds more is shown in its other forms only
MOST_JSON_DEPTH = 40
LINE = 16  # at most: what is written of an output's line beside its text
MORE_DEPTH = 8  # of a value in the notebook that it is written in
COST_OF_AN_OUTPUT = 1_000  # bytes of ours for the smallest one


# ------------------------------------------------------------------------------- what is kept
def cleaned(kind: str, content: Content) -> dict[str, Any]:
    """Return what a notebook keeps of a message of `kind`; what has no place there is left out.

    Raises:
        ValueError: without that, nothing of it is left.
    """
    return _CLEAN[kind](content)


def of_message(kind: str, content: Content) -> NotebookNode:
    """Return the output that a message of `kind` with what is `cleaned` of its content becomes."""
    kept = {name: value for name, value in content.items() if name != "transient"}
    made: NotebookNode = NotebookNode({"output_type": kind, **kept})
    return made


def _stream(content: Content) -> dict[str, Any]:
    if content.get("name") not in ("stdout", "stderr"):
        raise ValueError("There is no such stream.")
    return {"name": content["name"], "text": _text(content.get("text"))}


def _display(content: Content) -> dict[str, Any]:
    data = content.get("data")
    transient = content.get("transient")
    name = transient.get("display_id") if isinstance(transient, dict) else None
    return {
        "data": dict(_bundle(data)) if isinstance(data, dict) else {},
        "metadata": {},
        "transient": {"display_id": name} if name and _is_name(name) else {},
    }


def _result(content: Content) -> dict[str, Any]:
    return {"execution_count": None, **_display(content), **_count(content)}


def _count(content: Content) -> dict[str, Any]:
    count = content.get("execution_count")
    return {"execution_count": count} if type(count) is int and 0 <= count < MOST_COUNT else {}


def _error(content: Content) -> dict[str, Any]:
    lines = content.get("traceback")
    lines = lines[:MOST_LINES] if isinstance(lines, list) else []
    return {
        "ename": _text(content.get("ename")),
        "evalue": _text(content.get("evalue")),
        "traceback": [_text(line) for line in lines],
    }


_CLEAN: Mapping[str, Callable[[Content], dict[str, Any]]] = {
    "stream": _stream,
    "display_data": _display,
    "update_display_data": _display,
    "execute_result": _result,
    "error": _error,
    "clear_output": lambda content: {"wait": content.get("wait") is True},
    "status": lambda content: {"execution_state": _text(content.get("execution_state"))},
    "execute_input": _count,
}
KINDS = frozenset(_CLEAN)  # of messages that say something of a cell


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("There is something else where a text should be.")  # noqa: TRY004  as all that is wrong here
    return value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def _bundle(data: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    """Yield the forms of an output: texts, and of those that are JSON what is small enough."""
    for form, value in islice(data.items(), MOST_FORMS):
        is_json = form == "application/json" or form.endswith("+json")
        if isinstance(value, str) or (is_json and _is_small(value)):
            yield form, value


def _is_small(value: object) -> bool:
    """Say whether a JSON value is of so few parts that it may be walked and indented."""
    level: list[object] = [value]
    seen = 0
    for _ in range(MOST_JSON_DEPTH):
        if not level:
            return True
        inner: list[object] = []
        for part in level:
            if isinstance(part, (dict, list)):
                seen += len(part)
                if seen > MOST_JSON:
                    return False
                inner.extend(part.values() if isinstance(part, dict) else part)
        level = inner
    return not level


# ------------------------------------------------------------------------------- how much it is
def weight(output: Mapping[str, Any]) -> int:
    """Return how many bytes an output takes at most in the notebook's file."""
    values: list[object] = [value for key, value in output.items() if key != "data"]
    for form, value in output.get("data", {}).items():
        values += [form, value] if isinstance(value, str) else [form]
    return layout(output) + sum(map(_bytes, values))


def layout(output: Mapping[str, Any]) -> int:
    """Return how many of them are not the texts themselves: those of a message are known."""
    total = COST_OF_AN_OUTPUT + LINE * len(output.get("traceback", ()))
    for value in output.get("data", {}).values():
        total += 2 * LINE
        if not isinstance(value, str):
            total += _bytes(value) + _indents(value, MORE_DEPTH)
    return total


def _bytes(value: object) -> int:
    """Return how many bytes a value takes where nothing is indented."""
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _indents(value: object, depth: int) -> int:
    """Return how many bytes the line breaks and indents in a small JSON value take."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return (len(value) + 1) * (depth + 1) + sum(_indents(part, depth + 1) for part in value)


def size(outputs: Iterable[Mapping[str, Any]]) -> int:
    """Return how many bytes `outputs` take at most in the notebook's file."""
    return sum(map(weight, outputs))


def shortened(outputs: list[NotebookNode], limit: int, why: str) -> list[NotebookNode]:
    """Return the first `limit` bytes of `outputs` or so, with a line that says why no more."""
    kept: list[NotebookNode] = []
    left = limit
    for output in outputs:
        taken = size([output])
        if taken > left:
            if output.get("output_type") == "stream":
                kept.append(NotebookNode({**output, "text": str(output["text"])[:left]}))
            break
        left -= taken
        kept.append(output)
    note = {"output_type": "stream", "name": "stderr", "text": f"\n[{why}]\n"}
    return [*kept, NotebookNode(note)]
