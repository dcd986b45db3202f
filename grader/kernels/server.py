"""The grader's end of the fork server: start it, ask it for kernels, end it.

It gets a clean environment, and all else over a socket: what it is told cannot be read from its
command line or environment by the kernels that it forks. It ends when this end is closed, by
whatever; it is started anew when it has died.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import site
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader import inside
from grader.errors import KernelError
from grader.kernels import forked
from grader.kernels.environment import STAGED, server_environment, warm_environment

START_SECONDS = 60.0
REMOVE_SECONDS = 60.0
LARGEST_REPLY = 1 << 16
FOLDER = "grader-kernels-"
LONGEST_SOCKET, SOCKET_NAME = 107, len("/12345678-1")  # of a unix socket's path, by Linux; of ours
# Run by a Python that then knows these modules by name no more: kernels shall not find them.
BOOT = """
import importlib, json, socket, sys, types
sys.modules["debugpy"] = None  # takes 60 ms to import, and is never used here
for name in ("ipykernel.ipkernel", "ipykernel.kernelapp", "matplotlib.pyplot", "pandas"):
    try:  # what takes long, while the grader does not know yet what else there is to say
        importlib.import_module(name)
    except Exception:
        pass  # whoever needs it says so
control = socket.socket(fileno=int(sys.argv[1]))
config = json.loads(control.recv(1 << 20))
packages = ["grader", "grader.kernels", "grader.kernels.forked"]
for name, text in [*((name, "") for name in packages), *config.pop("modules").items()]:
    parent, _, leaf = name.rpartition(".")
    sys.modules[name] = module = types.ModuleType(name)
    if name in packages:
        module.__path__ = []
    if parent:
        setattr(sys.modules[parent], leaf, module)
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
for name in [name for name in sys.modules if name.partition(".")[0] == "grader"]:
    del sys.modules[name]
sys.argv = [""]
module.main(control, config)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a server says of itself: the layers that hold its kernels, and why not others.

    Layers of `forked.layers.EXTRA` may be missing without there being less isolation.
    """

    layers: tuple[str, ...]
    missing: Mapping[str, str]


@dataclass(slots=True)
class ForkServer:
    """One fork server, and another where that has died. Safe to use from several threads.

    Args:
        refused: layers to do without.
        hidden: further paths that no kernel may see.
        rehearsed: whether a kernel is tried before the first one that is asked for, which makes
            each one faster, and the start slower.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    refused: Sequence[str] = ()
    hidden: Sequence[Path] = ()
    rehearsed: bool = True
    starts: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _folder: Path | None = None
    _control: socket.socket | None = None
    _process: subprocess.Popen[bytes] | None = None
    _told: bool = False
    _report: Report | None = None

    def launch(self) -> None:
        """Begin to start: what takes long does not depend on what is hidden.

        What goes wrong is told by `start`, and so with `prepare`.
        """
        with self._lock, contextlib.suppress(KernelError):
            if self._control is None:
                self._spawn()

    def prepare(self) -> None:
        """Go on with the start, and do not wait for its end as `start` does.

        From here on it is of no effect to set `refused`, `hidden` and `rehearsed`.
        """
        with self._lock, contextlib.suppress(KernelError):
            if self._control is None:
                self._spawn()
            self._tell()

    def start(self) -> Report:
        """Return once kernels can be had. Does nothing if they can.

        Raises KernelError, with the reason, where the server does not start.
        """
        with self._lock:
            if self._report is None or not self._there():
                with contextlib.ExitStack() as undo:
                    undo.callback(self._drop)
                    if self._report is not None or self._control is None:
                        self._drop()
                        self._spawn()
                    self._tell()
                    report = self._awaited()
                    undo.pop_all()
                self._report = report
            return self._report

    @property
    def folder(self) -> Path:
        """Return this server's folder for sockets: of mode 0700, and removed whatever happens."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=FOLDER))
            if len(str(self._folder)) + SOCKET_NAME > LONGEST_SOCKET:
                self._folder.rmdir()
                self._folder = Path(tempfile.mkdtemp(prefix=FOLDER, dir="/tmp"))
        return self._folder

    @property
    def pid(self) -> int:
        """Return the id of the process that guards the server."""
        if self._process is None:
            raise KernelError("The fork server does not run.")
        return self._process.pid

    def request(self, what: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        """Ask for a kernel. Raises KernelError when the server is not there."""
        try:
            with self._lock:
                socket.send_fds(self._started(), [json.dumps(what).encode()], list(descriptors))
        except OSError as error:
            raise KernelError(f"The fork server is gone: {error}.") from error

    def close(self) -> None:
        """End the server with all its kernels; return when they are gone."""
        with self._lock:
            self._drop()
            if self._folder is not None:
                _remove(self._folder)
                self._folder = None

    def _started(self) -> socket.socket:
        if self._control is None:
            raise KernelError("The fork server was not started.")
        return self._control

    def _there(self) -> bool:
        """Say whether the server's end of the socket is open."""
        if self._control is None or self._process is None or self._process.poll() is not None:
            return False
        poll = select.poll()
        poll.register(self._control, 0)
        return not poll.poll(0)

    def _spawn(self) -> None:
        """Start the process. Raises KernelError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control, self._told = ours, False
        ours.settimeout(START_SECONDS)
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603  our own text, by our own Python
                    [sys.executable, "-P", "-s", "-c", BOOT, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    env=server_environment(self.environment, self.folder),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is the grader's
                )
            except OSError as error:
                self._drop()
                raise KernelError(f"The fork server did not start: {error}.") from error
        self.starts += 1

    def _tell(self) -> None:
        """Tell the process what it is to do, once. Raises KernelError."""
        if self._told:
            return
        try:
            self._started().send(json.dumps(self._config()).encode())
        except OSError as error:
            self._drop()
            raise KernelError(f"The fork server did not start: {error}.") from error
        self._told = True

    def _awaited(self) -> Report:
        """Return what the server says of itself once it is ready. Raises KernelError."""
        control = self._started()
        try:
            said = control.recv(LARGEST_REPLY)
        except OSError as error:
            raise KernelError(f"The fork server did not start: {error}.") from error
        control.settimeout(None)
        reply: dict[str, Any] = json.loads(said or b'{"error": "it ended at once"}')
        if "error" in reply:
            reason = str(reply["error"]).strip().splitlines()[-1]
            raise KernelError(f"The fork server did not start: {reason}.")
        return Report(layers=tuple(reply["layers"]), missing=reply["missing"])

    def _config(self) -> dict[str, Any]:
        return {
            "modules": forked.texts(),
            "folder": str(self.folder),
            "staged": STAGED,
            "hidden": [str(path) for path in (*_own_files(), *self.hidden)],
            "refused": list(self.refused),
            "rehearsed": self.rehearsed,
            "environment": warm_environment(self.environment),
            **{name: inside.source(name) for name in ("prelude", "harness")},
        }

    def _drop(self) -> None:
        self._report = None
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(START_SECONDS)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._process = None


def _remove(folder: Path) -> None:
    """Remove a folder, though a kernel's first process may still be removing things in it."""
    patience = time.monotonic() + REMOVE_SECONDS
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < patience:
        time.sleep(0.01)
        shutil.rmtree(folder, ignore_errors=True)


def _own_files() -> list[Path]:
    """Return where this package is installed: it holds rubrics and reference solutions."""
    package = Path(inside.__file__).parent.parent
    places = {package, package.resolve()}
    # An editable installation lies elsewhere, but has its bundled files among the packages.
    places |= {Path(folder, "grader") for folder in site.getsitepackages()}
    beside = {path for place in places for path in place.parent.glob("grader-*.dist-info")}
    return [*sorted(places), *sorted(beside)]
