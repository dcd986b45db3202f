"""Ask a probe of a set of names, and write its answer down as bytes.

Runs in two places: in a fork of the student's kernel, on the names that the notebook defined,
and in the grader, on the names of the reference solution. So it knows neither kernels nor grades.

An answer is one JSON header and the arrays behind it: 4 bytes big-endian length of the header,
the header, then each array in npy format, their sizes listed in the header. Never pickle.
"""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import io
import json
import math
import os
import random
import select
import signal
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_DEPTH = 30
MAX_NODES = 100_000
MAX_TEXT = 2_000
LENGTH = struct.Struct(">Q")  # what a fork writes before its reply
_HERE = globals().get("__file__", "<grader harness>")
_LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120  as tracebacks spell it, on Windows too
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


# ------------------------------------------------------------------------------- names
class NotDefined(Exception):  # noqa: N818  it is an answer, not an error
    """The notebook defines none of the names that a probe asks for."""


class Names:
    """The names that a notebook (or the reference) defines, as a probe sees them.

    `names.partition` is the thing itself; asking for what is not there ends the probe with
    "not defined", so a probe needs no test for it.
    """

    def __init__(self, *scopes: dict[str, Any]) -> None:
        self._scopes = scopes

    def __getattr__(self, name: str) -> Any:
        return self.find(name)

    def find(self, *aliases: str) -> Any:
        """Return the first of `aliases` that is defined."""
        for alias in aliases:
            for scope in self._scopes:
                if alias in scope:
                    return scope[alias]
        raise NotDefined(aliases[0])

    def everything(self) -> dict[str, Any]:
        """Return all names that do not begin with an underscore; a survey looks through them."""
        found = {name: value for scope in self._scopes for name, value in scope.items()}
        # Keys need not be text: `globals()[7] = 7` is allowed.
        return {k: v for k, v in found.items() if isinstance(k, str) and not k.startswith("_")}

    def function(self, *aliases: str, of: str) -> Callable[..., Any]:
        """Return a function found as a method of class `of` or as a function of the notebook.

        A method is called without running the class's constructor, so that a fault in the
        constructor costs nothing here.
        """
        cls = next((scope[of] for scope in self._scopes if of in scope), None)
        if isinstance(cls, type):
            for alias in aliases:
                with contextlib.suppress(AttributeError):
                    return _method(cls, alias)
        found: Callable[..., Any] = self.find(*aliases)
        return found

    def replace(self, **stand_ins: object) -> None:
        """Put stand-ins in place of names, wherever the notebook's code looks them up."""
        for name, stand_in in stand_ins.items():
            for scope in self._scopes:
                scope[name] = stand_in

    def replace_function(self, *aliases: str, of: str, by: Callable[[Any], Any]) -> None:
        """Put a stand-in of one argument in place of a function or method, under every alias."""

        def stand_in(*arguments: Any) -> Any:
            return by(arguments[-1])  # with or without self

        cls = self.find(of)
        for alias in aliases:
            if alias == aliases[0] or hasattr(cls, alias):
                setattr(cls, alias, staticmethod(stand_in))
            for scope in self._scopes:
                if alias in scope:
                    scope[alias] = stand_in


def _method(cls: type, name: str) -> Callable[..., Any]:
    """Return method `name` of `cls`, ready to be called without self."""
    raw = inspect.getattr_static(cls, name)
    if isinstance(raw, staticmethod):
        found: Callable[..., Any] = raw.__func__
        return found
    function: Callable[..., Any] = getattr(cls, name)
    if isinstance(raw, classmethod):
        return function
    with contextlib.suppress(ValueError, TypeError):
        if len(inspect.signature(function).parameters) == 1:
            return function  # written without self
    bound: Callable[..., Any] = getattr(object.__new__(cls), name)
    return bound


# ------------------------------------------------------------------------------- answers
class _Writer:
    """Turns a value into a header tree and a list of arrays, within bounds."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []
        self.nodes = 0

    def node(self, value: Any, depth: int = 0) -> Any:  # noqa: PLR0911  one line a kind
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise ValueError("the answer has too many or too deeply nested parts")
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, np.generic):
            return self.node(value.item() if value.dtype.kind in "biufU" else str(value), depth)
        if isinstance(value, int):
            return value if abs(value) < 1 << 63 else {"other": "huge int"}
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, np.ndarray):
            return self.array(np.asarray(value), depth)
        if isinstance(value, (list, tuple)):
            return {"list": [self.node(part, depth + 1) for part in value]}
        if isinstance(value, dict):
            return {"dict": [[str(k), self.node(v, depth + 1)] for k, v in value.items()]}
        return self.pandas(value, depth)

    def array(self, value: npt.NDArray[Any], depth: int) -> Any:
        if value.dtype.kind in "biufcU":
            out = io.BytesIO()
            np.lib.format.write_array(out, value, version=(1, 0), allow_pickle=False)
            self.blobs.append(out.getvalue())
            return {"array": len(self.blobs) - 1}
        if value.dtype.kind == "O":
            return {"list": [self.node(part, depth + 1) for part in value.tolist()]}
        return self.node([str(part) for part in value.ravel().tolist()], depth)

    def pandas(self, value: Any, depth: int) -> Any:
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(value, pandas.Series):
            return self.array(value.to_numpy(), depth)
        if pandas is not None and isinstance(value, pandas.DataFrame):
            columns = [value.iloc[:, i].to_numpy() for i in range(value.shape[1])]
            return {
                "table": {
                    "columns": [str(name) for name in value.columns],
                    "rows": int(value.shape[0]),
                    "data": [self.array(column, depth + 1) for column in columns],
                }
            }
        return {"other": type(value).__name__[:100]}


def encode(kind: str, value: object = None, *, error_type: str = "", detail: str = "") -> bytes:
    """Write one reply down.

    Args:
        kind: one of the values of grader.model.ReplyKind.
        value: the answer of a probe that returned.
        error_type, detail: what happened to one that did not.
    """
    writer = _Writer()
    tree = writer.node(value)
    header = json.dumps(
        {
            "kind": kind,
            "value": tree,
            "blobs": [len(blob) for blob in writer.blobs],
            "error_type": error_type[:100],
            "detail": detail[:MAX_TEXT],
        }
    ).encode()
    return b"".join([struct.pack(">I", len(header)), header, *writer.blobs])


# ------------------------------------------------------------------------------- asking
def answer(source: str, probe_id: str, number: int, names: Names) -> bytes:
    """Run one probe on `names` and return its encoded reply. Never raises.

    Args:
        source: text that defines the function `probe_id(names, rng)`.
        number: seeds the probe's inputs and the global generators, so that answers repeat.
    """
    file = f"<probe {probe_id}>"
    try:
        seed = number % (1 << 32)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  students draw from the global generator
        # RandomState's streams are frozen by numpy's compatibility policy; Generator's are not.
        rng = np.random.RandomState(seed)
        scope: dict[str, Any] = {"__name__": "probe"}
        exec(compile(source, file, "exec"), scope)  # noqa: S102  the pack's own text
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning never costs points
            value = scope[probe_id](names, rng)
        return encode("value", value)
    except NotDefined as missing:
        return encode("undefined", detail=str(missing))
    except BaseException as error:  # noqa: BLE001  student code may raise anything, SystemExit too
        kind, detail = _explain(error, file)
        return encode(kind, error_type=type(error).__name__, detail=detail)


def _explain(error: BaseException, probe_file: str) -> tuple[str, str]:
    """Say where `error` came from: the student's own lines, or the probe's use of their result."""
    try:
        text = str(error)[:500]
    except Exception:  # noqa: BLE001  a student's __str__ may do anything
        text = ""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if f.filename not in (probe_file, _HERE)]
    if not theirs or (frames and frames[-1].filename == probe_file):
        return "unusable", text
    mine = [f for f in theirs if not _is_library(f.filename)]
    at = (mine or theirs)[-1]
    return "raised", f"{text} (in `{at.name}`, at: {at.line})" if at.line else text


def _is_library(file: str) -> bool:
    """Say whether a file is Python's own, or one that was installed."""
    return file.startswith(_LIBRARY) or "site-packages" in file or "dist-packages" in file


def ask_in_fork(
    call: Mapping[str, Any], names: Names, *, seconds: float, limit: int
) -> tuple[str, bytes]:
    """Run one probe in a fork of this process, so that what it breaks is broken nowhere else.

    Args:
        call: source, probe_id and number of the probe.
        seconds: wall clock that it may take.
        limit: bytes that its reply may have.

    Returns:
        ("done", reply), or ("timeout" | "died" | "malformed", b"").
    """
    asked = (call["source"], call["probe_id"], call["number"])
    return in_fork(lambda: answer(*asked, names), seconds=seconds, limit=limit)


def in_fork(work: Callable[[], bytes], *, seconds: float, limit: int) -> tuple[str, bytes]:
    """Return what `work` returns in a fork of this process; the rest is as in ask_in_fork."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forking with threads about
        child = os.fork()
    if child == 0:
        _child(work, reader, writer)
    os.close(writer)
    try:
        return _collect(reader, time.monotonic() + seconds, limit)
    finally:
        os.close(reader)
        for kill, target in ((os.killpg, child), (os.kill, child)):
            with contextlib.suppress(OSError):
                kill(target, signal.SIGKILL)
        with contextlib.suppress(OSError):
            os.waitpid(child, 0)


def _child(work: Callable[[], bytes], reader: int, writer: int) -> None:
    """Answer on `writer` and leave; never returns."""
    try:
        os.setpgid(0, 0)  # so that its own children go with it
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # an endless loop must not outlive it
        os.close(reader)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        # The streams of the kernel belong to threads that do not exist here.
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  for good
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        reply = work()
        left = memoryview(LENGTH.pack(len(reply)) + reply)
        while left:
            left = left[os.write(writer, left[: 1 << 20]) :]
    finally:
        os._exit(0)


def _collect(reader: int, deadline: float, limit: int) -> tuple[str, bytes]:
    got = bytearray()
    size: int | None = None
    for chunk in _chunks(reader, deadline):
        got += chunk
        if size is None and len(got) >= LENGTH.size:
            size = int(LENGTH.unpack_from(got)[0])
            if size > limit:
                return "malformed", b""
        if size is not None and len(got) >= size + LENGTH.size:
            return "done", bytes(got[LENGTH.size : LENGTH.size + size])
    return ("timeout" if time.monotonic() >= deadline else "died"), b""


def _chunks(reader: int, deadline: float) -> Iterator[bytes]:
    """Yield what arrives until the other side is closed or the time is over."""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([reader], [], [], left)[0]:
            chunk = os.read(reader, 1 << 20)
            if not chunk:
                return
            yield chunk
