"""Read a handed-in notebook, and write the executed one down. Pure but for `read`.

What is in the file is hostile: of it, only the cells' kind, text and attachments are kept, so
that no tag or metadata can make an error pass or a cell be skipped.
"""

# mypy: disable-error-code="no-untyped-call"
# nbformat says that it is typed, but its functions are not.

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from grader.errors import SubmissionError

Notebook: TypeAlias = NotebookNode
Output: TypeAlias = Mapping[str, Any]

LARGEST_FILE = 100 << 20
MAX_CELLS = 5_000
MAX_ERROR = 300
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
CELL_FILE = re.compile(r"\(\d+\.py, line (\d+)\)")  # IPython's name for a cell's text
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


# ------------------------------------------------------------------------------- reading
def read(path: Path) -> Notebook:
    """Return a clean notebook of the cells in the file. Raises SubmissionError, says why."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SubmissionError(f"The file is larger than {LARGEST_FILE >> 20} MB.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SubmissionError(f"The file cannot be read as text: {error}.") from error
    return parse(text)


def parse(text: str) -> Notebook:
    """Return a clean notebook of the cells in `text`. Raises SubmissionError, says why."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about cells without an id
            given = nbformat.reads(text, as_version=4)
        cells = [_cell(index, cell) for index, cell in enumerate(given["cells"])]
    except (Exception, RecursionError) as error:  # a hostile file may upset a parser in any way
        raise SubmissionError("The file is not a Jupyter notebook.") from error
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"The notebook has more than {MAX_CELLS} cells.")
    notebook: Notebook = new_notebook(cells=cells)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _cell(index: int, given: Mapping[str, Any]) -> NotebookNode:
    """Return a new cell of the same kind and text, and of nothing else that was said of it."""
    source = given["source"]
    source = storable(source if isinstance(source, str) else "".join(map(str, source)))
    make = {"code": new_code_cell, "markdown": new_markdown_cell}.get(
        given["cell_type"], new_raw_cell
    )
    name = given.get("id")
    cell: NotebookNode = make(source)
    # Not nbformat's own id, which is random: the same file gives the same evidence.
    cell["id"] = name if isinstance(name, str) and CELL_ID.fullmatch(name) else f"cell-{index + 1}"
    if cell.cell_type == "markdown" and (attachments := _attachments(given.get("attachments"))):
        cell["attachments"] = attachments  # pictures of the discussion
    return cell


def _attachments(given: object) -> dict[str, dict[str, str]]:
    """Return a cell's pictures: name of the file -> form -> base64. Anything else is left out."""
    files = given if isinstance(given, dict) else {}
    return {
        str(name): {str(form): data for form, data in forms.items() if isinstance(data, str)}
        for name, forms in files.items()
        if isinstance(forms, dict)
    }


def storable(text: str) -> str:
    """Return `text` without the lone surrogates that no file or socket takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


# ------------------------------------------------------------------------------- writing
def error_text(name: object, value: object) -> str:
    """Return "NameError: name 'x' is not defined", without colours and of bounded length."""
    text = f"{name}: {value}" if value else str(name)
    text = ANSI.sub("", text[: 10 * MAX_ERROR])
    text = CELL_FILE.sub(r"(line \1)", text).strip()
    return storable(text if len(text) <= MAX_ERROR else text[: MAX_ERROR - 1] + "…")


def written(notebook: Notebook) -> str:
    """Return the notebook as nbformat JSON."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = list(_joined(cell.outputs))
    return storable(json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def _joined(outputs: list[NotebookNode]) -> Iterator[NotebookNode]:
    """Join neighbouring pieces of one stream: where they were cut is a matter of timing."""
    parts: list[str] = []
    stream: str | None = None
    for output in [*outputs, None]:
        name = output["name"] if output and output["output_type"] == "stream" else None
        if name != stream and stream is not None:
            text = "".join(parts)
            yield NotebookNode({"output_type": "stream", "name": stream, "text": text})
            parts = []
        stream = name
        if output and name is not None:
            parts.append(str(output["text"]))
        elif output:
            yield output
