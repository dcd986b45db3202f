"""A stock kernel starts clean, is limited from outside, and takes all that it began with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.errors import KernelError
from grader.kernels import stock
from grader.kernels.kernel import Kernel
from grader.kernels.processes import end_session
from grader.kernels.stock import StockKernels
from grader.model import Limits

pytestmark = pytest.mark.kernel
LIMITS = Limits(memory_bytes=3 << 30)
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where kernels make their folders. Short: a socket's path has at most 107 bytes."""
    assert tmp_path.is_dir()  # pytest's own is made elsewhere
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def process_id(kernel: Kernel) -> int:
    return int(kernel.manager.provisioner.pid)  # type: ignore[union-attr]  # a local process


def ended(pid: int) -> bool:
    """Say whether a process ends soon; a zombie that its parent does not fetch has ended too."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@linux
def test_a_kernel_is_limited_and_leaves_nothing(temporary: Path, tmp_path: Path) -> None:
    import resource  # noqa: PLC0415  not on every system

    async def start() -> int:
        async with StockKernels().start(tmp_path, LIMITS) as kernel:
            pid = process_id(kernel)
            data = resource.prlimit(pid, resource.RLIMIT_DATA)
            core = resource.prlimit(pid, resource.RLIMIT_CORE)
            assert ((3 << 30, 3 << 30), (0, 0)) == (data, core)
            cwd = Path(f"/proc/{pid}/cwd").readlink()  # noqa: ASYNC240  nothing else runs
            assert (pid, str(tmp_path)) == (os.getsid(pid), str(cwd))
            assert ("clean environment", "own process group", "memory limit") == kernel.isolation
            assert await kernel.alive()
        return pid

    pid = asyncio.run(start())
    assert ended(pid)
    assert ([], []) == (list(temporary.iterdir()), list(tmp_path.iterdir()))


def test_a_kernel_that_does_not_start_is_tried_twice_and_then_ours(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = tmp_path / "tried"
    boot = f"open({str(tried)!r}, 'a').write('x')\nraise SystemExit('no such thing')"
    monkeypatch.setattr(stock, "BOOT", boot)

    async def start() -> None:
        async with StockKernels().start(tmp_path, LIMITS):
            pytest.fail("it started")

    with pytest.raises(KernelError, match=r"did not start: it ended at once\. no such thing"):
        asyncio.run(start())
    assert "xx" == tried.read_text()
    assert [] == list(temporary.iterdir())


def test_a_kernel_that_hangs_at_its_start_is_given_up(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "BOOT", "import time\ntime.sleep(1000)")

    async def start() -> None:
        async with StockKernels().start(tmp_path, Limits(startup_seconds=0.3)):
            pytest.fail("it started")

    with pytest.raises(KernelError, match=r"did not start within 0\.3 s"):
        asyncio.run(start())
    assert [] == list(temporary.iterdir())


def test_cancelling_ends_the_kernel(temporary: Path, tmp_path: Path) -> None:
    async def cancelled() -> int:
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def start() -> None:
            async with StockKernels().start(tmp_path, LIMITS) as kernel:
                started.set_result(process_id(kernel))
                await asyncio.sleep(1000)

        task = asyncio.ensure_future(start())
        pid = await started
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return pid

    assert ended(asyncio.run(cancelled()))
    assert [] == list(temporary.iterdir())


def test_cancelling_a_start_ends_what_there_is_of_it(temporary: Path, tmp_path: Path) -> None:
    async def cancelled() -> None:
        async def start() -> None:
            async with StockKernels().start(tmp_path, LIMITS):
                pytest.fail("it started")

        task = asyncio.ensure_future(start())
        while not list(temporary.glob("grader-kernel-*/connection.json")):  # noqa: ASYNC110, ASYNC240  a file has no event
            await asyncio.sleep(0.001)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert [] == list(temporary.iterdir())


GRADER = """
import asyncio, pathlib, sys
from grader.kernels.stock import StockKernels
from grader.model import Limits

async def main():
    async with StockKernels().start(pathlib.Path(sys.argv[1]), Limits()) as kernel:
        print(kernel.manager.provisioner.pid, flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""


@linux
def test_a_killed_grader_leaves_no_kernel(temporary: Path, tmp_path: Path) -> None:
    root = Path(stock.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", GRADER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(temporary)},
    ) as grader:
        assert grader.stdout is not None
        pid = int(grader.stdout.readline())
        grader.send_signal(signal.SIGKILL)
    assert ended(pid)


@linux
@pytest.mark.parametrize("new_session", [False, True])
def test_a_session_is_ended_with_what_it_left_behind(tmp_path: Path, new_session: bool) -> None:  # noqa: FBT001  a table of cases
    mark = str(tmp_path)
    inner = f"subprocess.Popen(['sleep', '1000'], start_new_session={new_session}).pid"
    leader = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, time\nprint({inner}, flush=True)"],
        env={"MARK": mark, "PATH": os.defpath},
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with leader:
        assert leader.stdout is not None
        child = int(leader.stdout.readline())
        leader.wait()  # the child is left behind
        end_session(leader.pid, mark)
    assert ended(child)
