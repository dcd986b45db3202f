"""Make a kernel fit for grading: seeded, without network or installs, and able to answer probes.

The text of this module is run silently, in a namespace of its own, before a notebook's first
cell. It knows nothing of grades. None of it is a wall: it keeps honest notebooks working where
there is no network and no window; what must hold against malice is done from outside.
"""

from __future__ import annotations

import contextlib
import email.message
import importlib
import io
import json
import random
import re
import signal
import socket
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import urllib.response
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import zmq

NO_NETWORK = "there is no network while grading"
SLICE = 1 << 20  # characters in one message: a larger one would be cut off as a flood
QUEUED_MESSAGES = 10_000  # a plot that is drawn anew for every epoch
INSTALL = re.compile(
    r"""(?: ^ | [;&|] ) \s* (?:sudo\s+)? (?:\S+\s+-m\s+)? (?:\S*/)?
        (?: pip[\d.]* | (?:micro)?(?:conda|mamba) | apt(?:-get)? | brew | uv | wget | curl
          | git\s+(?:clone|pull|fetch) ) (?= \s | $ )""",
    re.VERBOSE | re.MULTILINE,
)


def install(shell: Any, harness: str) -> dict[str, Any]:
    """Do what need not wait for a notebook: a warm kernel's shell is prepared before its fork.

    Args:
        shell: IPython's.
        harness: the text of grader.inside.harness.

    Returns:
        The harness's names.
    """
    skip_installs(shell)
    calm_magics(shell)
    scope: dict[str, Any] = {"__name__": "grader_harness"}
    exec(compile(harness, "<grader harness>", "exec"), scope)  # noqa: S102  the grader's own text
    shell.register_magic_function(beginning(shell), "cell", "grader_begin")
    shell.register_magic_function(asking(shell, scope), "cell", "grader_ask")
    shell.register_magic_function(defining(shell), "cell", "grader_define")
    return scope


def beginning(shell: Any) -> Callable[[str, str], None]:
    """Return the cell magic that does the rest, just before a notebook's first cell.

    Its text is a JSON object: `seed`; `offline`, a file for every URL that can be read;
    `output_bytes`, more of which the grader does not take.
    """

    def grader_begin(_line: str, cell: str) -> None:
        config = json.loads(cell)
        random.seed(config["seed"])
        np.random.seed(config["seed"])  # noqa: NPY002  students draw from the global generator
        answer_offline(config["offline"])
        for stream in (sys.stdout, sys.stderr):
            send_in_slices(stream, config["output_bytes"])
        queue_more(shell.kernel)

    return grader_begin


def practise(harness: Mapping[str, Any], times: int) -> None:
    """Answer a question of no meaning, so often that Python has adapted itself to the harness."""
    source = (
        "def nothing(names, rng):\n    return [1, 1.0, 'x', {'x': names.x}, rng.uniform(size=2)]"
    )
    for _ in range(times):
        for names in ({"x": np.zeros(2)}, {}):
            harness["answer"](source, "nothing", 0, harness["Names"](names))


# ------------------------------------------------------------------------------- network
def answer_offline(files: Mapping[str, str]) -> None:
    """Answer the known URLs from files, and refuse every other.

    The handlers' classes are changed rather than an opener installed, so that a notebook which
    builds an opener of its own (to send another User-Agent) is answered too.
    """
    pages = {_address(url): Path(file).resolve() for url, file in files.items()}

    def answer(_handler: object, request: urllib.request.Request) -> urllib.response.addinfourl:
        page = pages.get(_address(request.full_url))
        if page is None:
            raise urllib.error.URLError(NO_NETWORK)
        body = page.read_bytes()
        headers = email.message.Message()
        headers["Content-Type"] = "text/plain"
        headers["Content-Length"] = str(len(body))
        reply = urllib.response.addinfourl(io.BytesIO(body), headers, request.full_url, 200)
        reply.msg = "OK"  # type: ignore[attr-defined]  # urllib itself sets and reads it
        return reply

    for handler, method in (
        (urllib.request.HTTPHandler, "http_open"),
        (urllib.request.HTTPSHandler, "https_open"),
        (urllib.request.FTPHandler, "ftp_open"),
    ):
        setattr(handler, method, answer)
    socket.getaddrinfo = _only_here(socket.getaddrinfo)


def _address(url: str) -> str:
    """Return what names a page whatever the scheme: http, https and a last slash are alike."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.netloc.lower()}{parts.path.rstrip('/')}?{parts.query}"


def _only_here(look_up: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a look-up of addresses so that it fails at once for any machine but this."""

    def looked_up(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in (None, "", "localhost", "127.0.0.1", "::1"):
            return look_up(host, *arguments, **options)
        raise socket.gaierror(socket.EAI_FAIL, NO_NETWORK)

    return looked_up


# ------------------------------------------------------------------------------- installs
def skip_installs(shell: Any) -> None:
    """Print one line in place of installing or downloading; other shell commands still run."""
    get_output, run_piped = shell.getoutput, shell.system

    def system(command: str) -> None:
        if not _skipped(command):
            if command.rstrip().endswith("&"):
                run_piped(command)  # says why this is not supported
                return
            # Not by `run_piped`: names in the command are looked up in the caller's frame.
            process = importlib.import_module("IPython.utils.process")
            shell.user_ns["_exit_code"] = process.system(shell.var_expand(command, depth=1))

    def getoutput(command: str, split: bool = True, depth: int = 0) -> Any:  # noqa: FBT001, FBT002  IPython's signature
        return get_output("true" if _skipped(command) else command, split=split, depth=depth + 1)

    shell.system, shell.getoutput = system, getoutput
    for name in ("pip", "conda", "mamba", "micromamba", "uv"):
        shell.register_magic_function(_line_skipper(name), "line", name)
    for name in ("bash", "sh"):
        _skip_lines_of(shell, name)


def _skipped(command: str) -> bool:
    """Say whether `command` would install or download, and tell the reader."""
    if not INSTALL.search(command):
        return False
    print(f"Not run while grading: {command.strip()[:200]}")  # noqa: T201  the cell's output
    return True


def _line_skipper(name: str) -> Callable[[str], None]:
    return lambda line: print(f"Not run while grading: {name} {line.strip()[:200]}")  # noqa: T201  the cell's output


def _skip_lines_of(shell: Any, name: str) -> None:
    """Leave the installs out of a cell that begins with %%bash or the like."""
    run = shell.find_cell_magic(name)
    if run is None:
        return

    def magic(line: str, cell: str) -> None:
        kept = [text for text in cell.splitlines() if not _skipped(text)]
        if any(text.strip() for text in kept):
            run(line, "\n".join(kept) + "\n")

    shell.register_magic_function(magic, "cell", name)


# ------------------------------------------------------------------------------- magics
def calm_magics(shell: Any) -> None:
    """Make magics that need a window, a missing extension or an old IPython do no harm."""
    enable = shell.enable_matplotlib
    shell.enable_matplotlib = lambda gui=None: enable("inline")  # noqa: ARG005  IPython's signature
    shell.magic = lambda line: shell.run_line_magic(*_name_and_rest(line))  # removed in IPython 9
    shell.ask_exit = lambda: None  # exit() in the last cell must not race with the probes
    for name in ("autoreload", "aimport"):
        shell.register_magic_function(lambda line: None, "line", name)  # noqa: ARG005  a magic's signature
    for name in ("load_ext", "reload_ext"):
        shell.register_magic_function(_tolerant(shell.find_line_magic(name)), "line", name)


def _name_and_rest(line: str) -> tuple[str, str]:
    name, _, rest = line.strip().lstrip("%").partition(" ")
    return name, rest.strip()


def _tolerant(load: Callable[[str], Any]) -> Callable[[str], None]:
    """Wrap %load_ext: an extension that is not installed here is a line, not an error."""

    def magic(line: str) -> None:
        if line.strip() == "autoreload":
            return  # nothing changes under a notebook that is graded
        try:
            load(line)
        except ImportError:
            print(f"Not installed where this is graded: {line.strip()[:200]}")  # noqa: T201  the cell's output

    return magic


def send_in_slices(stream: Any, limit: int) -> None:
    """Send long output in slices, and of one cell not much more than the grader would take.

    So what is kept of a flood begins with its beginning, and a flooding cell can be stopped
    without first sending all that it has written. Not done in `write`, which IPython replaces
    around every cell.
    """
    waiting = getattr(stream, "_flush_buffers", None)
    if waiting is None:
        return
    cell, sent = "", 0

    def sliced() -> Iterator[tuple[Any, str]]:
        nonlocal cell, sent
        for parent, text in waiting():
            if parent.get("msg_id") != cell:
                cell, sent = parent.get("msg_id"), 0
            for start in range(0, len(text), SLICE):
                if sent <= limit:
                    yield parent, text[start : start + SLICE]
                sent += len(text[start : start + SLICE])

    stream._flush_buffers = sliced  # noqa: SLF001  ipykernel has no other place for it


def queue_more(kernel: Any) -> None:
    """Let more messages wait for the grader than libzmq's 1000, beyond which it drops the rest.

    It holds for the connection that there is; a new one begins with what was set at the start.
    """
    thread = kernel.iopub_thread
    thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, QUEUED_MESSAGES))


# ------------------------------------------------------------------------------- the grader's own
def asking(shell: Any, harness: Mapping[str, Any]) -> Callable[[str, str], None]:
    """Return the cell magic that asks probes in forks and publishes each reply at once."""

    def grader_ask(_line: str, cell: str) -> None:
        request = json.loads(cell)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        _wait_until_sent(shell.kernel)  # a fork would inherit the lock of a write that is under way
        for index, call in enumerate(request["calls"]):
            status, reply = harness["ask_in_fork"](
                call,
                harness["Names"](shell.user_ns),
                seconds=request["seconds"],
                limit=request["limit"],
            )
            _publish(shell.kernel, {"index": index, "status": status}, reply)

    return grader_ask


def _publish(kernel: Any, label: Mapping[str, Any], reply: bytes) -> None:
    kernel.session.send(
        kernel.iopub_socket,
        "display_data",
        {"data": {}, "metadata": {"grader": label}, "transient": {}},
        parent=kernel.get_parent(),
        buffers=[reply],
    )
    _wait_until_sent(kernel)  # or the next probe may kill this process with the reply still in it


def _wait_until_sent(kernel: Any) -> None:
    """Return once the publishing thread has sent all that it was given."""
    sent = threading.Event()
    kernel.iopub_thread.schedule(sent.set)
    sent.wait(5)


def defining(shell: Any) -> Callable[[str, str], None]:
    """Return the cell magic that runs the definitions in cells, each on its own.

    Its text is a JSON object: `cells`; `finder`, the text of grader.inside.definitions;
    `seconds` for each cell to be read, and for each definition to be run.
    """

    def grader_define(_line: str, cell: str) -> None:
        queue_more(shell.kernel)  # the cell before may have broken the connection with a flood
        request = json.loads(cell)
        finder: dict[str, Any] = {"__name__": "grader_definitions"}
        exec(compile(request["finder"], "<grader definitions>", "exec"), finder)  # noqa: S102  the grader's own text
        for text in request["cells"]:
            sources: tuple[str, ...] = ()
            # Anything may be raised, SystemExit and an interrupt too; the next one still counts.
            with contextlib.suppress(BaseException), _time_limit(request["seconds"]):
                sources = finder["definitions"]([text])
            for source in sources:
                with contextlib.suppress(BaseException), _time_limit(request["seconds"]):
                    name = shell.compile.cache(source)  # so that feedback can quote the line
                    exec(compile(source, name, "exec"), shell.user_ns)  # noqa: S102  the student's text

    return grader_define


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the main thread after `seconds`."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
