"""A Jupyter kernel on sockets that it was given, in a process that has imported everything before.

Only what differs from an ipykernel started by `jupyter` is here: no connection file, no TCP, no
heartbeat, no debugger, and `stdin` and `control` lead nowhere, for the grader uses neither.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipykernel.kernelapp
import zmq
from ipykernel.iostream import IOPubThread
from ipykernel.kernelapp import IPKernelApp
from IPython.core.application import BaseIPythonApplication
from IPython.core.profiledir import ProfileDir

from grader.kernels.forked.channels import CHANNELS, PORTS

ARGUMENTS = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]
PRELOADED = (
    *("numpy", "pandas", "matplotlib", "matplotlib.pyplot", "matplotlib.figure"),
    *("matplotlib.backends.backend_agg", "ipykernel.ipkernel", "ipykernel.zmqshell"),
    "ipykernel.debugger",
)
# These take hold of the shell that is there when they are imported.
NEVER_PRELOADED = ("__main__", "debugpy", "_pydev", "pydevd", "matplotlib_inline", "grader")
FORK_SECONDS = 1.0  # for a fork to be rid of what it prints
CHUNK = 1 << 16
LENGTH = struct.Struct(">Q")
SIGNALLED = 128  # a shell adds it to the signal that ended a command
TYPICAL = """
import numpy as np, pandas as pd, matplotlib.pyplot as plt
plt.plot([1, 2], [3, 4], label='a'); plt.legend(); plt.title('t'); plt.show()
display(pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).describe())
pd.Series(np.random.randn(10)).rolling(3).mean()
1 / 0
"""


class PipeThread(IOPubThread):
    """Takes what forks of the kernel print over sockets that they inherit: none is connected.

    A fork sends one end of a pair of its own, and its message over the other.
    """

    def _setup_pipe_in(self) -> None:
        self._pipe_uuid = os.urandom(16)
        self._inlet, self._outlet = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._outlet.settimeout(FORK_SECONDS)
        self._inlet.setblocking(False)
        self.io_loop.add_handler(self._inlet.fileno(), self._take_end, self.io_loop.READ)

    def _setup_pipe_out(self) -> tuple[Any, Any]:
        end = ForkEnd(self._outlet)
        return end, end  # a context, as it were, and its socket

    def _take_end(self, _descriptor: int, _events: int) -> None:
        """Begin to read what a fork prints."""
        with contextlib.suppress(OSError):
            _, (descriptor, *_), _, _ = socket.recv_fds(self._inlet, 1, 1)
            end, chunks = socket.socket(fileno=descriptor), list[bytes]()
            end.setblocking(False)
            self.io_loop.add_handler(
                descriptor, lambda *_: self._read_on(end, chunks), self.io_loop.READ
            )

    def _read_on(self, end: socket.socket, chunks: list[bytes]) -> None:
        try:
            chunks.append(end.recv(CHUNK))
        except BlockingIOError:
            return
        except OSError:
            chunks.append(b"")
        if not chunks[-1]:
            self.io_loop.remove_handler(end.fileno())
            end.close()
            self._handle_pipe_msg(parted(b"".join(chunks)))  # type: ignore[no-untyped-call]  # ipykernel's


class ForkEnd:
    """What a fork of the kernel sends its messages by, as ipykernel uses a zmq socket there."""

    def __init__(self, outlet: socket.socket) -> None:
        self.outlet = outlet

    def send_multipart(self, frames: Sequence[Any], *_: object, **__: object) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(FORK_SECONDS)
        with ours, contextlib.suppress(OSError):  # nobody listens any more
            with theirs:
                socket.send_fds(self.outlet, [b"."], [theirs.fileno()])
            for frame in map(bytes, frames):
                ours.sendall(LENGTH.pack(len(frame)) + frame)

    def close(self) -> None:
        """Leave the outlet open: it is there for the next message."""

    term = close


def parted(text: bytes) -> list[bytes]:
    """Return the frames of a message, each of which has its length before it."""
    frames, at = [], 0
    while at < len(text):
        (length,) = LENGTH.unpack_from(text, at)
        at += LENGTH.size
        frames.append(text[at : at + length])
        at += length
    return frames


def use_pipes() -> None:
    """Run `!command` on a pipe, not in a terminal: IPython has no setting for it."""
    for name in ("IPython.utils.process", "IPython.core.interactiveshell", "ipykernel.zmqshell"):
        setattr(importlib.import_module(name), "system", run_on_pipe)  # noqa: B010  found by its name


def run_on_pipe(command: str) -> int:
    """Run a command in a shell, print what it prints, and return its code; -n after signal n."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with subprocess.Popen(  # noqa: S603  the student's own command, in the student's own process
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None  # noqa: S101  it was asked for
        try:
            while chunk := os.read(process.stdout.fileno(), CHUNK):
                sys.stdout.write(decoder.decode(chunk))
                sys.stdout.flush()
        except KeyboardInterrupt:
            process.kill()
    code = process.returncode
    return code if code <= SIGNALLED else SIGNALLED - code


class Configured(BaseIPythonApplication):
    """Reads its configuration once, in the server, and not again in every fork."""

    configured = False

    def initialize(self, argv: Any = None) -> None:
        if not self.configured:
            super().initialize(argv)  # type: ignore[no-untyped-call]  # IPython's
            self.configured = True
            return
        # Where the server has been, the kernel cannot go: its folders are its own.
        self.ipython_dir = os.environ["IPYTHONDIR"]
        self.profile_dir = ProfileDir(location=f"{self.ipython_dir}/profile", parent=self)


class ForkedApp(IPKernelApp, Configured):
    """The application of a kernel whose sockets listen already."""

    sockets: Mapping[int, int] = {}  # port -> descriptor
    key = b""

    def init_connection_file(self) -> None:
        info: dict[str, Any] = {f"{name}_port": port for name, port in PORTS.items()}
        info |= {"transport": "ipc", "ip": "none", "key": self.key}
        self.load_connection_info(info)  # type: ignore[arg-type]  # a TypedDict

    def _try_bind_socket(self, s: Any, port: int) -> int:
        if port in self.sockets:
            s.setsockopt(zmq.USE_FD, self.sockets[port])
            s.bind("ipc://none")  # it listens where the grader has bound it
        else:
            s.bind(f"inproc://unused-{port}")
        return port

    def init_control(self, context: Any) -> None:
        super().init_control(context)  # type: ignore[no-untyped-call]  # ipykernel's
        with contextlib.suppress(
            zmq.ZMQError, AttributeError
        ):  # the debugger's: it would try for ever
            self.debug_shell_socket.disconnect(self.shell_socket.getsockopt(zmq.LAST_ENDPOINT))

    def init_heartbeat(self) -> None:
        """Do without: a kernel's end is seen, not inferred."""

    def init_poller(self) -> None:
        """Do without: the server ends with the grader, and its kernels with it."""

    def init_crash_handler(self) -> None:
        """Leave sys.excepthook alone."""

    def write_connection_file(self, **_: Any) -> None:
        """Nobody reads it."""

    def cleanup_connection_file(self) -> None:
        """There is none."""


def preload() -> None:
    """Import what notebooks import, without making anything of it."""
    setattr(ipykernel.kernelapp, "IOPubThread", PipeThread)  # noqa: B010  it has no setting for this
    for name in PRELOADED:
        importlib.import_module(name)
    sys.modules.pop("debugpy", None)  # was kept from being imported so far
    Configured.initialize(ForkedApp.instance(), ARGUMENTS)


def start(key: bytes, descriptors: list[int]) -> ForkedApp:
    """Make the kernel of this process; `app.start()` then serves until the end."""
    ports = [PORTS[channel] for channel in CHANNELS]
    app: ForkedApp = ForkedApp.instance()
    app.key, app.sockets = key, dict(zip(ports, descriptors, strict=True))
    sys.argv = ["ipykernel"]
    app.initialize(ARGUMENTS)  # type: ignore[no-untyped-call]  # ipykernel's
    return app


def rehearse(descriptors: list[int], sources: list[str]) -> list[str]:
    """Start a kernel, run typical cells in it; return what it imported that was not there.

    Args:
        sources: text of the grader's own that every kernel will run.
    """
    before = set(sys.modules)
    shell = start(b"rehearsal", descriptors).kernel.shell
    shell.run_cell(TYPICAL, store_history=True)
    for source in sources:
        exec(compile(source, "<rehearsal>", "exec"), {"__name__": "rehearsal"})  # noqa: S102  the grader's own text
    found = [name for name in sys.modules if name not in before]
    return [name for name in found if not name.startswith(NEVER_PRELOADED)]


def learn(names: list[str]) -> None:
    """Import what a rehearsal found. What cannot be is left to the kernels themselves."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def make_folders(variables: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Make the folders that these variables name."""
    for name in names:
        Path(variables[name]).mkdir(parents=True, exist_ok=True)
