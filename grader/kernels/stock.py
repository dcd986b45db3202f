"""Kernels as ordinary processes: slow to start and less isolated, but for every system.

A kernel gets a clean environment, a session of its own and limits set from outside; it talks
over sockets in a private folder; it ends with everything that it began, however the grader ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from grader.errors import KernelError
from grader.kernels.client import BoundedClient, connect
from grader.kernels.environment import clean_environment, font_cache
from grader.kernels.kernel import Kernel
from grader.kernels.processes import end_session
from grader.model import Limits

LOG = logging.getLogger("grader.kernels")
LOG.addHandler(logging.NullHandler())

ATTEMPTS = 2
LARGEST_FILE = 512 << 20
# Run in place of `-m ipykernel_launcher`. PR_SET_PDEATHSIG (1): the kernel dies with the grader,
# even with one that was killed. debugpy is never used here, and takes 60 ms to import.
BOOT = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
if os.getppid() != int(os.environ["JPY_PARENT_PID"]):
    os._exit(1)
sys.modules["debugpy"] = None
from ipykernel.kernelapp import launch_new_instance
del sys.modules["debugpy"]
launch_new_instance()
"""


class _Manager(AsyncKernelManager):
    """A manager whose kernel spec is written here, so that none need be installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-P", "-c", BOOT, "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")

    def _connect_control_socket(self) -> None:
        """Do without: kernels are ended by signal, and what they say of themselves is not read."""


@dataclass(slots=True)
class _Starting:
    """What exists of a kernel so far, so that it can be taken down from any state."""

    runtime: Path
    manager: _Manager
    client: BoundedClient | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return getattr(self.manager.provisioner, "process", None)


@dataclass(frozen=True, slots=True)
class StockKernels:
    """Starts kernels of this very Python.

    Kernels must be started from a thread that outlives them: Linux ends them with it.
    """

    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @asynccontextmanager
    async def start(self, folder: Path, limits: Limits) -> AsyncIterator[Kernel]:
        """Start a kernel that works in `folder`; end it and all that it began on leaving.

        Raises KernelError where none can be had, after a second attempt.
        """
        cache = await font_cache(self.environment)
        for attempt in range(1, ATTEMPTS + 1):
            starting = _prepare()
            try:
                try:
                    kernel = await self._launch(starting, folder, limits, cache)
                except KernelError:
                    if attempt == ATTEMPTS:
                        raise
                    continue
                yield kernel
                return
            finally:
                await _take_down(starting)

    async def _launch(
        self, starting: _Starting, folder: Path, limits: Limits, cache: Path
    ) -> Kernel:
        runtime, manager = starting.runtime, starting.manager
        log = runtime / "stderr"
        try:
            async with asyncio.timeout(limits.startup_seconds):
                with log.open("wb") as stderr:
                    await manager.start_kernel(
                        cwd=str(folder),
                        env=clean_environment(
                            self.environment, home=folder, runtime=runtime, cache=cache
                        ),
                        stdout=subprocess.DEVNULL,
                        stderr=stderr,
                        extra_arguments=["--HistoryManager.hist_file=:memory:"],
                    )
                layers = ("clean environment", "own process group", *_limit(starting, limits))
                client = starting.client = connect(manager, limits)
                kernel = Kernel(manager=manager, client=client, isolation=layers)
                await _ready(kernel)
        except TimeoutError:
            raise KernelError(
                f"The kernel did not start within {limits.startup_seconds:g} s. {_last_words(log)}"
            ) from None
        except (OSError, RuntimeError) as error:
            with contextlib.suppress(Exception):
                manager.ready.exception()  # read, or asyncio complains that nobody did
            raise KernelError(f"The kernel did not start: {error}. {_last_words(log)}") from error
        return kernel


def _prepare() -> _Starting:
    runtime = Path(tempfile.mkdtemp(prefix="grader-kernel-"))  # mode 0700, away from the student's
    manager = _Manager(
        transport="ipc",
        ip=str(runtime / "s"),
        connection_file=str(runtime / "connection.json"),
        log=LOG,
    )
    return _Starting(runtime, manager)


async def _ready(kernel: Kernel) -> None:
    """Return once the kernel answers; raise RuntimeError when it ends before that."""
    ready = asyncio.ensure_future(kernel.client.wait_until_ready())
    gone = asyncio.ensure_future(kernel.gone())
    try:
        await asyncio.wait({ready, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            raise RuntimeError("it ended at once")
        await ready
    finally:
        ready.cancel()
        gone.cancel()


def _limit(starting: _Starting, limits: Limits) -> tuple[str, ...]:
    """Limit the kernel's process from outside, before it has run a line of a student's."""
    if sys.platform != "linux" or starting.process is None:
        return ()
    import resource  # noqa: PLC0415  not on every system

    pid = starting.process.pid
    try:
        for what, value in (
            (resource.RLIMIT_DATA, limits.memory_bytes),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, LARGEST_FILE),
        ):
            resource.prlimit(pid, what, (value, value))
    except (OSError, ValueError):
        return ()
    return ("memory limit",)


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        return log.read_text(encoding="utf-8", errors="replace")[-500:].strip()
    return ""


async def _take_down(starting: _Starting) -> None:
    """End the kernel in whatever state it is. Safe to cancel: the thread goes on to the end."""
    process = starting.process
    if process is not None and process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    if starting.client is not None:
        starting.client.close()
    with contextlib.suppress(Exception):
        await starting.manager.cleanup_resources()
    await asyncio.to_thread(_end, process, starting.runtime)


def _end(process: subprocess.Popen[bytes] | None, runtime: Path) -> None:
    if process is not None:
        end_session(process.pid, str(runtime))
        process.wait()
    shutil.rmtree(runtime, ignore_errors=True)
