"""Where jupyter_client gets a warm kernel from: a provisioner that asks the fork server.

It is registered as the kernel provisioner `grader-warm`; its manager must have a fork server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Instance

from grader.errors import KernelError
from grader.kernels.environment import STAGED
from grader.kernels.forked.channels import CHANNELS, PORTS
from grader.kernels.server import ForkServer

LARGEST_MESSAGE = 1 << 16
PROVISIONER = "grader-warm"
MEMORY_BYTES = 4 << 30


class WarmProvisioner(KernelProvisionerBase):
    """One kernel of a fork server: its line to the server, and what came over it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.layers: tuple[str, ...] = ()
        self.why_ended = ""
        self._line: socket.socket | None = None
        self._code: int | None = None
        self._staged: Path | None = None
        self._started: asyncio.Future[None] | None = None
        self.ended = asyncio.Event()

    # --------------------------------------------------------------- what jupyter_client calls
    @property
    def has_process(self) -> bool:
        return self._line is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Name the sockets; there is no command to run."""
        manager = self._manager
        manager.transport = "ipc"
        manager.ip = str(manager.server.folder / secrets.token_hex(4))
        for name, port in PORTS.items():
            setattr(manager, f"{name}_port", port)
        return {"cmd": [], "cwd": kwargs.get("cwd", "."), "memory_bytes": MEMORY_BYTES, **kwargs}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Ask for a kernel, and return before it is ready: its sockets listen already."""
        manager, loop = self._manager, asyncio.get_running_loop()
        folder = Path(kwargs["cwd"])
        if folder.name.startswith(STAGED):  # so that it goes even where the grader is killed
            self._staged = manager.server.folder / f"staged-{Path(manager.ip).name}"
            self._staged.symlink_to(folder)
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        self._started = loop.create_future()
        with theirs, _listening(manager) as sockets, _opened(folder) as staged:
            descriptors = [theirs.fileno(), staged, *(each.fileno() for each in sockets)]
            what = {
                "key": manager.session.key.decode(),
                "memory_bytes": kwargs["memory_bytes"],
            }
            manager.server.request(what, descriptors)
        loop.add_reader(self._line.fileno(), self._hear)
        return manager.get_connection_info()

    async def started(self) -> None:
        """Return once the kernel is shut in and about to listen; KernelError if it is not."""
        if self._started is None:
            raise KernelError("The kernel was not asked for.")
        await asyncio.shield(self._started)

    async def poll(self) -> int | None:
        """Return None as long as the kernel lives. Raises KernelError when the server does not."""
        if self.ended.is_set() and self._code is None:
            raise KernelError("The fork server ended, and this kernel with it.")
        return self._code

    async def wait(self) -> int | None:
        """Return once the kernel and all that it began has ended."""
        if self._line is not None:
            await self.ended.wait()
        return self._code

    async def send_signal(self, signum: int) -> None:
        if self._line is not None and not self.ended.is_set():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                self._line.send(json.dumps({"signal": int(signum)}).encode())

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002  jupyter_client's signature
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002  jupyter_client's signature
        await self.send_signal(signal.SIGKILL)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002  jupyter_client's signature
        self.forget()

    # --------------------------------------------------------------- the line
    def forget(self) -> None:
        """End the kernel, if it has not ended, and take down what there is of it here."""
        self._hang_up()
        if self._staged is not None:
            self._staged.unlink(missing_ok=True)

    def _hang_up(self) -> None:
        """Close the line: the server then kills the kernel, if it has not ended."""
        if self._line is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._line.close()
            self._line = None
        self._settle("It was given up.")

    @property
    def _manager(self) -> WarmManager:
        if not isinstance(self.parent, WarmManager):
            raise KernelError(f"The provisioner {PROVISIONER} needs a manager with a fork server.")
        return self.parent

    def _hear(self) -> None:
        """Take the server's messages; the end of them is the end of the kernel."""
        assert self._line is not None  # noqa: S101  it is read as long as it is there
        while True:
            try:
                packet = self._line.recv(LARGEST_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                break
            self._take(json.loads(packet))
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        self._settle("The kernel did not start: it ended at once.")

    def _take(self, message: Mapping[str, Any]) -> None:
        if "started" in message:
            self.layers = tuple(message["started"])
            if self._started is not None and not self._started.done():
                self._started.set_result(None)
        elif "error" in message:
            reason = str(message["error"]).strip().splitlines()[-1]
            self._settle(f"The kernel did not start: {reason}.", ended=False)
        elif "ended" in message:
            self._code, self.why_ended = message["ended"], message["why"]

    def _settle(self, why: str, *, ended: bool = True) -> None:
        """Nothing more comes: let nobody wait for it."""
        if self._started is not None and not self._started.done():
            self._started.set_exception(KernelError(why))
            self._started.exception()  # read, or asyncio complains that nobody did
        if ended:
            self.ended.set()


class WarmManager(AsyncKernelManager):
    """A kernel manager whose kernels are forked from `server`."""

    server = Instance(ForkServer)

    @property
    def kernel_spec(self) -> KernelSpec:
        metadata = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
        return KernelSpec(argv=[], display_name="Python 3", language="python", metadata=metadata)

    async def fork(self, folder: Path, memory_bytes: int) -> WarmProvisioner:
        """Ask for a kernel that finds what is in `folder` in its own; return before it is ready.

        As `start_kernel`, but without its entry points and its waiting.
        """
        provisioner = WarmProvisioner(parent=self, kernel_id="", kernel_spec=self.kernel_spec)
        self.provisioner = provisioner
        options = await provisioner.pre_launch(cwd=folder, memory_bytes=memory_bytes)
        await provisioner.launch_kernel(**options)
        return provisioner

    def _connect_control_socket(self) -> None:
        """Do without: kernels are ended by signal, and what they say of themselves is not read."""


@contextmanager
def _listening(manager: WarmManager) -> Iterator[list[socket.socket]]:
    """Bind the kernel's sockets here, so that clients can connect before the kernel is there."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for name in CHANNELS:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.setblocking(False)
            listener.bind(f"{manager.ip}-{PORTS[name]}")
            listener.listen()
            sockets.append(listener)
        yield sockets


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
