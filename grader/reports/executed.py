"""What the page shows of the notebook as it ran: its figures, and how its cells begin.

The notebook is the student's, so nothing in it is believed: only bytes that begin as a PNG of a
bearable size are taken for a figure; SVG and HTML are never taken. Pure: text in, values out.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.text import clipped, display_safe

MOST_FIGURES = 12
MOST_BYTES = 4 << 20  # of all figures together, before base64
MOST_PIXELS = 40_000_000  # of one figure: a few bytes of PNG may unpack to gigabytes
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">I4sII")
_END = b"IEND\xaeB`\x82"
_SHORTEST = len(_SIGNATURE) + _HEADER.size


@dataclass(frozen=True, slots=True)
class Figure:
    """One PNG. `cell` counts all cells of the notebook from 1; sizes are in pixels."""

    cell: int
    png: bytes
    width: int
    height: int

    @property
    def address(self) -> str:
        """The figure as a data: address, in our own base64."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Executed:
    """What is left of a notebook: figures, how many more there were, cell number -> first line."""

    figures: tuple[Figure, ...] = ()
    left_out: int = 0
    openings: Mapping[int, str] = field(default_factory=dict)

    def opening(self, cell: int) -> str:
        return self.openings.get(cell, "")


def read_executed(text: str) -> Executed:
    """Take from nbformat JSON what may be shown. Never raises, whatever the text is."""
    try:
        notebook = json.loads(text) if text else {}
    except (ValueError, RecursionError):  # a notebook that is no JSON, or nested without end
        return Executed()
    cells = list(enumerate(_list(_get(notebook, "cells")), start=1))
    figures: list[Figure] = []
    left_out, room = 0, MOST_BYTES
    for number, cell in cells:
        for data in _pngs(cell):
            figure = _figure(number, data, room) if len(figures) < MOST_FIGURES else None
            if figure is None:
                left_out += 1
            else:
                figures.append(figure)
                room -= len(figure.png)
    openings = {number: line for number, cell in cells if (line := _first_line(cell))}
    return Executed(tuple(figures), left_out, openings)


def _pngs(cell: object) -> Iterator[str]:
    if _get(cell, "cell_type") != "code":
        return
    for output in _list(_get(cell, "outputs")):
        if _get(output, "output_type") in ("display_data", "execute_result"):
            data = _joined(_get(_get(output, "data"), "image/png"))
            if data:
                yield data


def _figure(cell: int, data: str, room: int) -> Figure | None:
    """Return a figure, or None for what is not a PNG or has no room."""
    if len(data) > room * 3 // 2:  # base64 takes 4 characters for 3 bytes, and line breaks
        return None
    try:
        png = base64.b64decode(data.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError):
        return None
    begins, ends = png.startswith(_SIGNATURE), png.endswith(_END)
    if not (begins and ends and _SHORTEST <= len(png) <= room):
        return None
    length, kind, width, height = _HEADER.unpack_from(png, len(_SIGNATURE))
    if (length, kind) != (13, b"IHDR") or not 0 < width * height <= MOST_PIXELS:
        return None
    return Figure(cell, png, width, height)


def _first_line(cell: object) -> str:
    if _get(cell, "cell_type") != "code":
        return ""
    lines = (line.strip() for line in _joined(_get(cell, "source")).splitlines())
    return clipped(display_safe(next(filter(None, lines), "")), 72)


# ------------------------------------------------------------------------------- hostile JSON
def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(value: object) -> str:
    """Text that nbformat may keep as one string or as a list of lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
