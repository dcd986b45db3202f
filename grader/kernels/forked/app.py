"""A Jupyter kernel on sockets that it was given, in a process that has imported everything before.

Only what differs from an ipykernel started by `jupyter` is here: no connection file, no TCP, no
heartbeat, no debugger, and `stdin` and `control` lead nowhere, for the grader uses neither.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ipykernel.kernelapp
import zmq
from ipykernel.iostream import IOPubThread
from ipykernel.kernelapp import IPKernelApp
from IPython.core.application import BaseIPythonApplication
from IPython.core.profiledir import ProfileDir
from zmq.eventloop.zmqstream import ZMQStream

from grader.kernels.forked.channels import CHANNELS, PORTS

ARGUMENTS = ["--HistoryManager.hist_file=:memory:", "--log-level=ERROR"]
PRELOADED = (
    *("numpy", "pandas", "matplotlib", "matplotlib.pyplot", "matplotlib.figure"),
    *("matplotlib.backends.backend_agg", "ipykernel.ipkernel", "ipykernel.zmqshell"),
    "ipykernel.debugger",
)
# These take hold of the shell that is there when they are imported.
NEVER_PRELOADED = ("__main__", "debugpy", "_pydev", "pydevd", "matplotlib_inline", "grader")
TYPICAL = """
import numpy as np, pandas as pd, matplotlib.pyplot as plt
plt.plot([1, 2], [3, 4], label='a'); plt.legend(); plt.title('t'); plt.show()
display(pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).describe())
pd.Series(np.random.randn(10)).rolling(3).mean()
1 / 0
"""


class UnixPipeThread(IOPubThread):
    """Takes what forks of the kernel print over a unix socket: here is no loopback interface."""

    def _setup_pipe_in(self) -> None:
        self._pipe_uuid = os.urandom(16)
        folder = os.environ.get("TMPDIR", "/tmp")  # noqa: S108  this kernel's own
        self._pipe_address = f"ipc://{folder}/.print-{self._pipe_uuid.hex()}"
        socket = self.socket.context.socket(zmq.PULL)
        socket.linger = 0
        socket.bind(self._pipe_address)
        self._pipe_in = ZMQStream(socket, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> tuple[Any, Any]:
        context: zmq.Context[Any] = zmq.Context()
        socket = context.socket(zmq.PUSH)
        socket.linger = 1000
        socket.connect(self._pipe_address)
        return context, socket


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
    setattr(ipykernel.kernelapp, "IOPubThread", UnixPipeThread)  # noqa: B010  it has no setting for this
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
