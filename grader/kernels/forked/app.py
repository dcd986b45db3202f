"""A Jupyter kernel on sockets that it was given, in a process that has imported everything before.

All of a kernel that needs neither sockets nor threads is made once, in the server: the shell with
its magics, the kernel around it, and the grader's prelude. A fork connects it. Only what differs
from an ipykernel started by `jupyter` is here: no connection file, no TCP, no heartbeat, no
debugger, and `stdin` and `control` lead nowhere, for the grader uses neither.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import gc
import importlib
import logging
import os
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipykernel.iostream
import ipykernel.kernelapp
import zmq
from ipykernel.iostream import IOPubThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from IPython.core.application import BaseIPythonApplication
from IPython.utils.path import get_home_dir
from jupyter_client.session import new_id
from traitlets import Type

from grader.kernels.forked.channels import CHANNELS, PORTS

PRACTICE = 20
ARGUMENTS = [
    "--HistoryManager.hist_file=:memory:",
    "--IPythonKernel._execute_sleep=0",  # 0.5 ms after each cell; what it printed is sent before
    "--log-level=ERROR",
]
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
NAME_BYTES = 16  # of a message, which its packets have in common
PACKET = struct.Struct(f"{NAME_BYTES}s?")  # which message, whether it is the end of it; then a part
MOST_BEGUN = 256  # messages, as a kernel has processes
SIGNALLED = 128  # a shell adds it to the signal that ended a command
TYPICAL = """
import numpy as np, pandas as pd, matplotlib.pyplot as plt
plt.plot([1, 2], [3, 4], label='a'); plt.legend(); plt.title('t'); plt.show()
display(pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).describe())
pd.Series(np.random.randn(10)).rolling(3).mean()
1 / 0
"""


class PipeThread(IOPubThread):
    """Takes what forks of the kernel print over a pair of sockets that they inherit.

    A fork connects nothing and sends no descriptors: neither may be done everywhere.
    """

    def _setup_pipe_in(self) -> None:
        self._pipe_uuid = os.urandom(16)
        self._inlet, self._outlet = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._outlet.settimeout(FORK_SECONDS)
        self._inlet.setblocking(False)
        self._begun: dict[bytes, list[bytes]] = {}  # messages of which there is more to come
        self.io_loop.add_handler(self._inlet.fileno(), self._take_packets, self.io_loop.READ)

    def _setup_pipe_out(self) -> tuple[Any, Any]:
        end = ForkEnd(self._outlet)
        return end, end  # a context, as it were, and its socket

    def _take_packets(self, _descriptor: int, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while packet := self._inlet.recv(CHUNK + PACKET.size):
                if len(packet) >= PACKET.size:
                    message, is_last = PACKET.unpack_from(packet)
                    self._take(message, packet[PACKET.size :], is_last=is_last)

    def _take(self, message: bytes, chunk: bytes, *, is_last: bool) -> None:
        self._begun.setdefault(message, []).append(chunk)
        if is_last:
            self._handle_pipe_msg(parted(b"".join(self._begun.pop(message))))  # type: ignore[no-untyped-call]  # ipykernel's
        elif len(self._begun) > MOST_BEGUN:  # whose forks have ended meanwhile, say
            self._begun.pop(next(iter(self._begun)))


class ForkEnd:
    """What a fork of the kernel sends its messages by, as ipykernel uses a zmq socket there."""

    def __init__(self, outlet: socket.socket) -> None:
        self.outlet = outlet

    def send_multipart(self, frames: Sequence[Any], *_: object, **__: object) -> None:
        whole = b"".join(LENGTH.pack(len(frame)) + frame for frame in map(bytes, frames))
        message = os.urandom(NAME_BYTES)  # other forks send theirs at the same time
        with contextlib.suppress(OSError):  # nobody listens any more
            for at in range(0, len(whole), CHUNK):
                is_last = at + CHUNK >= len(whole)
                self.outlet.send(PACKET.pack(message, is_last) + whole[at : at + CHUNK])

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


class OutStream(ipykernel.iostream.OutStream):
    """Wakes the publishing thread only where there is something to publish.

    ipykernel flushes both streams four times a cell, and waits for the other thread each time.
    """

    _sending = False  # set before the buffers are emptied, so that nothing overtakes what was there

    def flush(self) -> None:
        if self._buffers or self._sending:
            super().flush()  # type: ignore[no-untyped-call]  # ipykernel's

    def _flush(self) -> None:
        self._sending = True
        try:
            super()._flush()  # type: ignore[no-untyped-call]  # ipykernel's
        finally:
            self._sending = False


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
        profile: Any = self.profile_dir
        profile._location_isset = False  # noqa: SLF001  made anew it takes 2 ms
        profile.location = f"{self.ipython_dir}/profile"


class MadeBefore(IPythonKernel):
    """The kernel that the server has made; asked for again, it is connected."""

    @classmethod
    def instance(cls, *arguments: Any, **links: Any) -> Any:
        """Return the one kernel; `links` are its sockets, streams and threads."""
        made = cls.initialized()
        kernel = super().instance(*arguments, **links)
        if made:
            kernel.connect(links)
        return kernel

    def connect(self, links: Mapping[str, Any]) -> None:
        """Take what was not there when this was made, and pass it on as the constructor does."""
        for name, value in links.items():
            setattr(self, name, value)
        self._stdout, self._stderr = sys.stdout, sys.stderr
        shell: Any = self.shell
        for publisher in (shell.displayhook, shell.display_pub):
            publisher.session, publisher.pub_socket = self.session, self.iopub_socket
        shell.displayhook.topic = self._topic("execute_result")  # type: ignore[no-untyped-call]  # ipykernel's
        move_in(shell)


def move_in(shell: Any) -> None:
    """Make a shell that was made in another folder and environment at home in this one."""
    shell.init_environment()
    shell.ipython_dir = os.environ["IPYTHONDIR"]
    shell.home_dir, shell.starting_dir = get_home_dir(), os.getcwd()
    tempfile.tempdir = None  # or it is the server's
    shell.history_manager.dir_hist[:] = [Path.cwd()]
    shell.save_sys_module_state()


class ForkedApp(IPKernelApp, Configured):
    """The application of a kernel whose sockets listen already."""

    sockets: Mapping[int, int] = {}  # port -> descriptor
    key = b""
    kernel_class = Type(MadeBefore)

    def make_shell(self) -> Any:
        """Make the kernel and its shell as far as that can be done before the fork."""
        app: Any = self  # ipykernel's methods have no types
        Configured.initialize(self, ARGUMENTS)
        app.init_pdb()
        links = {name: getattr(self, name) for name in ("log", "profile_dir", "session", "user_ns")}
        app.kernel = self.kernel_class.instance(**links, parent=self)
        app.init_shell()
        app.init_gui_pylab()
        app.init_extensions()
        app.init_code()
        logging.getLogger(self.log.name).setLevel(logging.ERROR)  # or records are made for nobody
        return app.kernel.shell

    def initialize(self, argv: Any = None) -> None:
        """Connect what `make_shell` has made, in the order in which ipykernel does it."""
        app: Any = self
        Configured.initialize(self, argv)
        app.init_connection_file()
        app.init_sockets()
        app.log_connection_info()
        app.init_io()
        app.init_signal()
        app.init_kernel()
        app.init_path()
        sys.stdout.flush()
        sys.stderr.flush()

    def init_connection_file(self) -> None:
        info: dict[str, Any] = {f"{name}_port": port for name, port in PORTS.items()}
        info |= {"transport": "ipc", "ip": "none", "key": self.key}
        self.session.session, self.session.pid = new_id(), os.getpid()
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

    def log_connection_info(self) -> None:
        self._ports = dict(PORTS)

    def init_crash_handler(self) -> None:
        """Leave sys.excepthook alone."""

    def cleanup_connection_file(self) -> None:
        """There is none."""


def preload() -> None:
    """Import what notebooks import."""
    # There is no setting for these.
    setattr(ipykernel.kernelapp, "IOPubThread", PipeThread)  # noqa: B010  mypy sees no such name
    ipykernel.iostream.OutStream = OutStream  # type: ignore[misc]  # as is the purpose
    for name in PRELOADED:
        importlib.import_module(name)
    sys.modules.pop("debugpy", None)  # was kept from being imported so far


def prepare(prelude: str, harness: str) -> None:
    """Make the shell of every kernel, and run the prelude in it.

    Args:
        prelude: text that defines `install(shell, harness)` and `practise(what it returns, times)`.
    """
    shell = ForkedApp.instance().make_shell()
    scope: dict[str, Any] = {"__name__": "grader_prelude"}
    exec(compile(prelude, "<grader prelude>", "exec"), scope)  # noqa: S102  the grader's own text
    scope["practise"](scope["install"](shell, harness), PRACTICE)
    practise(shell.kernel)


class Nowhere:
    """Takes what a kernel sends before there is anybody to send it to."""

    def send_multipart(self, *_: Any, **__: Any) -> None:
        """Forget it."""


def practise(kernel: Any) -> None:
    """Run cells that do nothing, often enough for Python to have adapted itself to their way.

    What is made when it is first needed, and the shortcuts that Python 3.11 writes into code that
    it has run a few times, are inherited by every fork, which else would copy pages to write them.
    """
    shell, session, nowhere = kernel.shell, kernel.session, Nowhere()
    publishers = (shell.displayhook, shell.display_pub)
    kernel.iopub_socket = nowhere
    for publisher in publishers:
        publisher.session, publisher.pub_socket = session, nowhere

    async def run_cell() -> None:
        content = {"code": "display(0)", "silent": False, "store_history": False}
        message = session.msg("execute_request", content)
        _, frames = session.feed_identities(session.serialize(message))
        message = session.deserialize(frames)
        kernel.set_parent([], message)
        kernel._publish_status("busy", "shell")  # noqa: SLF001  as its dispatcher does
        await kernel.execute_request(nowhere, [], message)
        kernel._publish_status("idle", "shell")  # noqa: SLF001  as its dispatcher does

    loop = asyncio.new_event_loop()
    for _ in range(PRACTICE):
        loop.run_until_complete(run_cell())
    loop.close()
    kernel.set_parent([], {})
    shell.last_execution_result = None
    session.message_count = 0
    session.digest_history.clear()


def start(key: bytes, descriptors: list[int]) -> ForkedApp:
    """Connect the kernel of this process; `app.start()` then serves until the end."""
    ports = [PORTS[channel] for channel in CHANNELS]
    app: ForkedApp = ForkedApp.instance()
    app.key, app.sockets = key, dict(zip(ports, descriptors, strict=True))
    sys.argv = ["ipykernel"]
    app.initialize(ARGUMENTS)
    return app


def rehearse(descriptors: list[int]) -> list[str]:
    """Start a kernel, run typical cells in it; return what it imported that was not there."""
    before = set(sys.modules)
    shell = start(b"rehearsal", descriptors).kernel.shell
    shell.run_cell(TYPICAL, store_history=True)
    found = [name for name in sys.modules if name not in before]
    return [name for name in found if not name.startswith(NEVER_PRELOADED)]


def learn(names: list[str]) -> None:
    """Import what a rehearsal found. What cannot be is left to the kernels themselves."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def contexts() -> int:
    """Count the zmq contexts of this process: their threads and sockets are not in its forks."""
    return sum(issubclass(type(each), zmq.Context) for each in gc.get_objects())


def make_folders(variables: Mapping[str, str], names: tuple[str, ...]) -> None:
    """Make the folders that these variables name."""
    for name in names:
        Path(variables[name]).mkdir(parents=True, exist_ok=True)
