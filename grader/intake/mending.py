"""Fills the gaps of a notebook in format 4, and refuses what cannot be run whatever is filled in.

What nbclient needs is here by force; what only the schema wants is filled where it is missing.
Pure: the notebook that comes in is left alone, and the same one always gets the same mending.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from grader.intake.refusals import RefusedError

Json: TypeAlias = dict[str, Any]

_WITH_IDS = 5  # the minor version since which cells have identifiers
_WITHOUT_IDS = 4
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REQUEST = "to hand in the notebook again as Jupyter saves it"


def mended(notebook: Json) -> Json:
    """An equal notebook where nothing had to be done."""
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise RefusedError("is broken: its cells are not a list", _REQUEST)
    minor = notebook.get("nbformat_minor")
    if type(minor) is not int or minor < 0:
        minor = _WITHOUT_IDS
    new_cells = [_mended_cell(cell, number) for number, cell in enumerate(cells, start=1)]
    return {
        **notebook,
        "nbformat_minor": minor,
        "metadata": _without_nonsense(notebook.get("metadata")),
        "cells": _identified(new_cells) if minor >= _WITH_IDS else new_cells,
    }


def _mended_cell(cell: object, number: int) -> Json:
    if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
        raise RefusedError(f"is broken: its cell {number} is not a cell", _REQUEST)
    source = cell.get("source", "")
    if not _is_text(source):
        raise RefusedError(f"is broken: the source of its cell {number} is not text", _REQUEST)
    new = {**cell, "source": source, "metadata": _mended_metadata(cell.get("metadata"))}
    if not _is_attachments(cell.get("attachments", {})):
        del new["attachments"]
    if cell["cell_type"] == "code":
        outputs = cell.get("outputs")
        new["outputs"] = [o for o in outputs if _is_output(o)] if isinstance(outputs, list) else []
        count = cell.get("execution_count")
        new["execution_count"] = count if type(count) is int and count >= 0 else None
    return new


def _mended_metadata(metadata: object) -> Json:
    new = metadata if isinstance(metadata, dict) else {}
    if _is_lines(new.get("tags", [])):
        return new
    return {key: value for key, value in new.items() if key != "tags"}


def _without_nonsense(metadata: object) -> Json:
    """The notebook's own metadata; nbclient looks into these two and takes them for objects."""
    if not isinstance(metadata, dict):
        return {}
    objects = ("kernelspec", "language_info")
    return {k: v for k, v in metadata.items() if k not in objects or isinstance(v, dict)}


def _identified(cells: list[Json]) -> list[Json]:
    """The cells, each with an identifier of its own: the one it has, or one by its number."""
    taken = {cell["id"] for cell in cells if _is_id(cell.get("id"))}
    seen: set[str] = set()
    identified = []
    for number, cell in enumerate(cells, start=1):
        name: str = cell.get("id", "")
        if not _is_id(name) or name in seen:
            name = f"cell-{number}"
            while name in taken:
                name += "-"
            taken.add(name)
        seen.add(name)
        identified.append({**cell, "id": name})
    return identified


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str) or _is_lines(value)


def _is_lines(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(line, str) for line in value)


def _is_attachments(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(bundle, dict) for bundle in value.values())


def _is_output(output: object) -> bool:
    """Whether an output is one that nbformat can read and write. It is stale in any case."""
    if not isinstance(output, Mapping):
        return False
    match output.get("output_type"):
        case "stream":
            return isinstance(output.get("name"), str) and _is_text(output.get("text"))
        case "display_data" | "execute_result":
            return all(isinstance(output.get(key), dict) for key in ("data", "metadata"))
        case "error":
            texts = (output.get("ename"), output.get("evalue"))
            return all(isinstance(text, str) for text in texts) and _is_lines(
                output.get("traceback")
            )
        case _:
            return False
