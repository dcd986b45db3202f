"""From hostile bytes to the bytes of a notebook that can be run, or to a refusal. No I/O.

What a student handed in stays as it is, byte for byte, wherever nbformat and nbclient can work with
it. Old formats are upgraded and small gaps are filled, always in the same way, so that the same
notebook always gives the same bytes.
"""

from __future__ import annotations

import json
import warnings
from typing import Any, TypeAlias

import nbformat

from grader.intake.display import shown
from grader.intake.json_shape import refuse_monstrous
from grader.intake.limits import IntakeLimits
from grader.intake.mending import mended
from grader.intake.refusals import RefusedError

Json: TypeAlias = dict[str, Any]

_AS_SAVED = "to hand in the notebook again as Jupyter saves it"
_UTF8_MARK = b"\xef\xbb\xbf"
_DISGUISES = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip or an Office document"),
    (b"\x1f\x8b", "a compressed file"),
    (b"\x89PNG", "a picture"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)
_CURRENT = 4
# Kernels that a notebook may name without naming the language.
_OTHER_KERNELS = (
    *("ir", "julia", "octave", "matlab", "scala", "spylon", "almond", "sas", "stata", "java"),
    *(
        "javascript",
        "typescript",
        "tslab",
        "deno",
        "bash",
        "ruby",
        "rust",
        "evcxr",
        "xcpp",
        "cling",
    ),
    *("haskell", "ihaskell", "gophernotes", "kotlin", ".net", "sql", "xsql"),
)


def runnable(data: bytes, limits: IntakeLimits) -> bytes:
    """The notebook in `data` as it can be run: `data` itself where nothing had to be mended."""
    body = data.removeprefix(_UTF8_MARK)
    _refuse_disguised(body)
    text = _decoded(body)
    refuse_monstrous(body, limits)
    handed_in = _parsed(text)
    notebook = mended(_current(handed_in))
    _refuse_other_language(notebook["metadata"])
    if notebook == handed_in and body is data and not _has_lone_surrogates(text, handed_in):
        return data
    return _written(notebook)


def _refuse_disguised(body: bytes) -> None:
    start = body[:64].lstrip().lower()
    if not body.strip():
        raise RefusedError("is empty", "to hand in the notebook again")
    for mark, what in _DISGUISES:
        if start.startswith(mark.lower()):
            raise RefusedError(f"is {what} that was only named like a notebook")


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError("is not UTF-8 text, as notebooks are", _AS_SAVED) from error


def _parsed(text: str) -> Json:
    try:
        notebook = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RefusedError(f"is broken: it is not valid JSON at {where}", _AS_SAVED) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, for one
        raise RefusedError("is JSON that no notebook needs", _AS_SAVED) from error
    if not isinstance(notebook, dict) or type(notebook.get("nbformat")) is not int:
        raise RefusedError("is JSON, but not a notebook: it names no format")
    return notebook


def _current(notebook: Json) -> Json:
    """The notebook in format 4; `notebook` itself where it is that already."""
    version: int = notebook["nbformat"]
    if version > _CURRENT:
        raise RefusedError(
            f"is in notebook format {shown(str(version))}, newer than {_CURRENT}, the last known",
            "to save it for Jupyter Notebook 7 or JupyterLab 4",
        )
    return notebook if version == _CURRENT else _upgraded(notebook)


def _upgraded(notebook: Json) -> Json:
    version = notebook["nbformat"]
    try:
        n_cells = _n_old_cells(notebook)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old = nbformat.reader.reads(json.dumps(notebook))  # type: ignore[no-untyped-call]  # theirs
            new = nbformat.convert(old, _CURRENT)  # type: ignore[no-untyped-call]  # theirs
    except Exception as error:
        # The converters of nbformat trust what they read: on a hostile notebook they may raise
        # anything, and it always means the same.
        raise RefusedError(
            f"is in the old format {shown(str(version))} and cannot be upgraded", _AS_SAVED
        ) from error
    upgraded: Json = json.loads(json.dumps(new))
    if len(upgraded["cells"]) != n_cells:
        raise RefusedError(f"is in the old format {version}, but not as that format is", _AS_SAVED)
    for cell in upgraded["cells"]:
        cell.pop("id", None)  # drawn at random; mending numbers them
    return upgraded


def _n_old_cells(notebook: Json) -> int:
    if notebook["nbformat"] == 1:
        return len(notebook["cells"])
    return sum(len(sheet["cells"]) for sheet in notebook["worksheets"])


def _refuse_other_language(metadata: Json) -> None:
    kernel, language_info = metadata.get("kernelspec", {}), metadata.get("language_info", {})
    name = kernel.get("name")
    language = kernel.get("language") or language_info.get("name")
    if isinstance(language, str):
        other = "" if language.lower().startswith(("python", "ipython")) else language
    else:
        known = isinstance(name, str) and _without_version(name) in _OTHER_KERNELS
        other = name if known else ""
    if other:
        raise RefusedError(f"is for {shown(other)}, not for Python", "for a notebook in Python")


def _without_version(kernel: str) -> str:
    """ "julia" of "julia-1.9", "xcpp" of "xcpp17"."""
    return kernel.lower().partition("-")[0].rstrip("0123456789.")


def _has_lone_surrogates(text: str, notebook: Json) -> bool:
    """Whether a string, once parsed, cannot be sent to a kernel: half of an escaped emoji."""
    if "\\ud" not in text.lower():
        return False
    try:
        json.dumps(notebook, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _written(notebook: Json) -> bytes:
    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    return text.encode("utf-8", errors="replace") + b"\n"
