"""Where in a notebook's file the cells and the definitions stand: lines of its JSON.

For reports that point at a line. The text is a student's and may be anything; what cannot be found
has no place. Nothing of it is run or parsed as Python: a cell with a syntax error is often the one
to point at. Pure: text in, values out.
"""

from __future__ import annotations

import json
import json.scanner
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.text import clipped

MOST_DEFINITIONS = 5_000
_DEFINITION = re.compile(r"([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w{1,100})\b")
_NAMED = re.compile(r"([A-Za-z_]\w{0,99})[ \t]*=(?!=)")  # relu = lambda s: ...
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_QUOTED = re.compile(r"`([A-Za-z_][\w.]*)`")


@dataclass(frozen=True, slots=True)
class Place:
    """One line. `cell` counts all cells from 1, `line` the lines of the file from 1."""

    cell: int
    line: int


@dataclass(frozen=True, slots=True)
class Places:
    """Name, or Class.name, -> where it is defined last; cell number -> its first line."""

    definitions: Mapping[str, Place] = field(default_factory=dict)
    cells: Mapping[int, Place] = field(default_factory=dict)

    def of(self, item_id: str, title: str, message: str = "") -> Place | None:
        """Return the definition that an item is about: by its title, its id, then the message."""
        words = _IDENTIFIER.findall(title)
        dotted = [word for word in words if "." in word]
        tails = [word.rpartition(".")[2] for word in dotted]
        names = (*dotted, item_id, *tails, *words, *_QUOTED.findall(clipped(message, 4000)))
        return next((self.definitions[name] for name in names if name in self.definitions), None)


def places(notebook: str) -> Places:
    """Find what stands where. Never raises, whatever the text is; old formats have no places."""
    try:
        found = _decoder().decode(notebook)
    except (ValueError, RecursionError):
        return Places()
    cells = found.get("cells") if isinstance(found, dict) else None
    starts = [0, *(end.end() for end in re.finditer("\n", notebook))]
    definitions: dict[str, Place] = {}
    firsts: dict[int, Place] = {}
    for number, cell in enumerate(cells if isinstance(cells, list) else (), start=1):
        for i, (text, offset) in enumerate(_lines(cell)):
            place = Place(number, bisect_right(starts, offset))
            if i == 0:
                firsts[number] = place
                enclosing: list[tuple[int, str, str]] = []
            if len(definitions) < MOST_DEFINITIONS and (names := _defined(text, enclosing)):
                definitions.update(dict.fromkeys(names, place))
    return Places(definitions, firsts)


def _defined(line: str, enclosing: list[tuple[int, str, str]]) -> tuple[str, ...]:
    """Return the names that a line defines; `enclosing` has (indent, kind, name) of its parents."""
    if found := _DEFINITION.match(line):
        indent, kind, name = len(found[1].expandtabs()), found[2], found[3]
        while enclosing and enclosing[-1][0] >= indent:
            enclosing.pop()
        parent = enclosing[-1] if enclosing else None
        inside = parent is not None and parent[1] != "class"
        enclosing.append((indent, "def" if inside else kind, name))
        if inside:
            return ()  # a function's own
        return (name, f"{parent[2]}.{name}") if parent else (name,)
    if found := _NAMED.match(line):
        enclosing.clear()
        return (found[1],)
    return ()


# ------------------------------------------------------------------------------- the JSON
class _Placed(str):
    """A string of the JSON that knows where it began."""

    __slots__ = ("offset",)
    offset: int


def _decoder() -> json.JSONDecoder:
    """Return a decoder whose strings, keys apart, are _Placed."""
    decoder: Any = json.JSONDecoder()  # typeshed does not know these parts of it
    scan = decoder.parse_string

    def placed(text: str, begin: int, *strict: bool) -> tuple[str, int]:
        found, end = scan(text, begin, *strict)
        string = _Placed(found)
        string.offset = begin
        return string, end

    decoder.parse_string = placed
    # The scanner in C calls no parse_string; the one in Python is the standard library's as well.
    scanner: Any = json.scanner
    decoder.scan_once = scanner.py_make_scanner(decoder)
    typed: json.JSONDecoder = decoder
    return typed


def _lines(cell: Any) -> Iterator[tuple[str, int]]:
    """Yield a code cell's lines of Python, each with where its text begins in the file.

    Jupyter writes a source as a list, one string a line; others may write one string for all.
    """
    if not isinstance(cell, dict) or cell.get("cell_type") != "code":
        return
    source = cell.get("source")
    parts = source if isinstance(source, list) else [source]
    for part in parts:
        if isinstance(part, _Placed):
            yield from ((line, part.offset) for line in part.split("\n"))
