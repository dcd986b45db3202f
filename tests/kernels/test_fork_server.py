"""The fork server: kernels by the dozen, nothing left of any, and none outlives the grader."""

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
from types import SimpleNamespace
from typing import Any

import pytest

from grader import inside
from grader.errors import KernelError, UsageError
from grader.kernels.forked.layers import (
    ALWAYS,
    EXTRA,
    LANDLOCK,
    NETWORK,
    OPTIONAL,
    SECCOMP,
    USER,
)
from grader.kernels.isolation import Isolation, launched, layers
from grader.kernels.kernel import Kernel
from grader.kernels.opening import open_kernels
from grader.kernels.server import ForkServer
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels
from grader.model import Limits
from tests.kernels.conftest import said

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
]
LIMITS = Limits()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where servers make their folders. Short: a socket's path has at most 107 bytes."""
    assert tmp_path.is_dir()  # pytest's own is made elsewhere
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def own(temporary: Path) -> Iterator[ForkServer]:
    """A server that the test may harm."""
    server = ForkServer()
    server.start()
    yield server
    server.close()
    assert [] == list(temporary.iterdir())


def family(pid: int) -> set[int]:
    """Return a process and all that it and its children have begun."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {pid} & set(parents)
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def wait_for_end(pids: set[int]) -> set[int]:
    """Return those of `pids` that do not end however long one waits."""
    for _ in range(500):
        pids = {pid for pid in pids if Path(f"/proc/{pid}").exists() and not is_zombie(pid)}
        if not pids:
            break
        time.sleep(0.02)
    return pids


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_was_staged_is_there_and_nothing_comes_back(own: ForkServer, tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "a.csv").write_text("1,2")
    code = """
import os
answer = [os.getcwd(), open("data/deep/a.csv").read()]
open("data/deep/a.csv", "w").write("changed"); open("new", "w").close()
"""

    async def start() -> object:
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            return await said(kernel, code)

    assert ["/notebook", "1,2"] == asyncio.run(start())
    assert "1,2" == (tmp_path / "data" / "deep" / "a.csv").read_text()
    assert not (tmp_path / "new").exists()


def test_a_shell_that_the_server_made_is_at_home_in_its_kernel(
    own: ForkServer, tmp_path: Path
) -> None:
    """Nothing of where and as what it was made is left in it, and nothing of what it practised."""
    code = """
import tempfile
shell = get_ipython()
answer = {
    "folders": [shell.ipython_dir, shell.profile_dir.startup_dir, tempfile.gettempdir()],
    "there": [str(folder) for folder in _dh] + [shell.starting_dir, shell.home_dir],
    "ran": [shell.execution_count, len(Out), In[1:], shell.last_execution_result, sorted(_oh)],
    "ids": [shell.kernel.session.session, shell.kernel.session.message_count < 20],
}
"""

    async def start() -> list[Any]:
        both = []
        for _ in range(2):
            async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
                both.append(await said(kernel, code))
        return both

    first, second = asyncio.run(start())
    temporary = first["folders"][2]
    assert [f"{temporary}/.ipython", f"{temporary}/.ipython/profile/startup", temporary] == (
        first["folders"]
    )
    assert own.folder.name not in str(first)
    assert ["/notebook"] * 3 == first["there"]
    assert [1, 0, [], None, []] == first["ran"]
    assert first["ids"][0] != second["ids"][0]
    assert first["ids"][1]


def test_sixty_kernels_leave_nothing(own: ForkServer, tmp_path: Path) -> None:
    """No process, descriptor, mount, socket or folder; two at a time."""

    def state() -> tuple[object, ...]:
        guard = own.pid
        (server,) = family(guard) - {guard}
        listed = [f"/proc/{pid}/fd" for pid in (os.getpid(), guard, server)]
        mounts = [Path(f"/proc/{pid}/mounts").read_text() for pid in (os.getpid(), guard, server)]
        files = sorted(path for path in own.folder.rglob("*") if not path.is_dir())
        return (*(len(list(Path(folder).iterdir())) for folder in listed), *mounts, *files)

    async def start(count: int) -> None:
        for _ in range(count):
            async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
                assert await kernel.alive()

    async def both(count: int) -> None:
        await asyncio.gather(start(count), start(count))

    asyncio.run(both(1))  # zmq keeps what it opened for its first context
    before = state()
    asyncio.run(both(30))
    assert before == state()
    assert 1 == own.starts


def test_all_that_a_kernel_began_ends_with_it(own: ForkServer, tmp_path: Path) -> None:
    code = """
import os, signal, subprocess
answer = [subprocess.Popen(["sleep", "1000"], start_new_session=new, env={}).pid for new in (0, 1)]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        signal.pause()
    os._exit(0)
"""

    async def start() -> set[int]:
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            await said(kernel, code)
            return family(own.pid)

    begun = asyncio.run(start())
    assert len(begun) >= 7  # guard, server, first process, kernel, two sleeps, a daemon
    assert 2 == len(family(own.pid))


def test_more_memory_than_allowed_ends_the_kernel_which_says_so(
    own: ForkServer, tmp_path: Path
) -> None:
    """Neither process uses too much, and shared memory is in no rlimit."""
    code = """
import mmap, os, time
shared = mmap.mmap(-1, 300 << 20)
child = os.fork()
mine = bytearray(300 << 20)
for i in range(300):
    shared[i << 20 : (i + 1) << 20] = bytes(1 << 20)
time.sleep(1000)
"""

    async def start() -> tuple[bool, str]:
        limits = Limits(memory_bytes=700 << 20)
        async with WarmKernels(own).start(tmp_path, limits) as kernel:
            kernel.client.execute(code, silent=True)
            await asyncio.wait_for(kernel.gone(), 60)
            return await kernel.alive(), kernel.why_ended

    assert (False, "memory") == asyncio.run(start())


def test_the_server_is_started_again_when_it_has_died(own: ForkServer, tmp_path: Path) -> None:
    async def start() -> None:
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            (server,) = [p for p in family(own.pid) if parent_of(p) == own.pid]
            os.kill(server, signal.SIGKILL)
            await asyncio.wait_for(kernel.gone(), 60)
            with pytest.raises(KernelError, match="fork server ended"):
                await kernel.alive()
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            assert await kernel.alive()

    asyncio.run(start())
    assert 2 == own.starts


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_an_interrupt_reaches_the_cell(own: ForkServer, tmp_path: Path) -> None:
    async def start() -> object:
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            kernel.client.execute("print('on', flush=True)\nwhile True: pass")
            while (await kernel.client.get_iopub_msg(timeout=60))["msg_type"] != "stream":
                pass
            await kernel.interrupt()
            return await said(kernel, "answer = 'goes on'")

    with pytest.raises(AssertionError, match="aborted"):  # the first after an error, as in Jupyter
        asyncio.run(start())


GRADER = """
import asyncio, pathlib, sys
from grader.kernels.server import ForkServer
from grader.kernels.warm import WarmKernels
from grader.model import Limits

async def main():
    async with WarmKernels(ForkServer()).start(pathlib.Path(sys.argv[1]), Limits()) as kernel:
        kernel.client.execute("import signal\\nsignal.signal(2, signal.SIG_IGN)\\nwhile True: pass")
        print("started", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_ended_grader_leaves_nothing(
    temporary: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Not a process, a socket, a folder, or what it had staged."""
    staged = tmp_path / ("grader-work-x" if number == signal.SIGKILL else "somebody's")
    staged.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", GRADER, str(staged)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(temporary)},
    ) as grader:
        assert grader.stdout is not None
        assert b"started\n" == grader.stdout.readline()
        members = family(grader.pid)
        assert len(members) >= 5
        grader.send_signal(number)
    assert set() == wait_for_end(members)
    assert [] == list(temporary.iterdir())
    assert staged.exists() == (number != signal.SIGKILL)  # never a folder that is not our own


def test_a_long_path_of_temporary_files_is_no_hindrance(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has at most 107 bytes."""
    deep = temporary / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    server = ForkServer()

    async def start() -> object:
        async with WarmKernels(server).start(tmp_path, LIMITS) as kernel:
            return await said(kernel, "answer = 1")

    try:
        assert 1 == asyncio.run(start())
    finally:
        server.close()
    assert [] == list(deep.iterdir())


# ------------------------------------------------------------------------------- what was asked for
@pytest.mark.usefixtures("temporary")
def test_every_layer_is_either_active_or_says_why_and_what_to_do() -> None:
    server = ForkServer(refused=[NETWORK, SECCOMP])
    try:
        found = {layer.name: layer for layer in layers(server)}
    finally:
        server.close()
    assert {*ALWAYS, *OPTIONAL} < set(found)
    inactive = {name for name, layer in found.items() if not layer.active}
    assert {NETWORK, SECCOMP} <= inactive
    assert all(found[name].reason and found[name].mend for name in inactive)


@pytest.mark.usefixtures("temporary")
@pytest.mark.parametrize("refused", OPTIONAL)
def test_each_optional_layer_can_be_done_without(tmp_path: Path, refused: str) -> None:
    heard: list[str] = []

    async def start(kernels: WarmKernels | StockKernels) -> Kernel:
        async with kernels.start(tmp_path, LIMITS) as kernel:
            assert 1 == await said(kernel, "answer = 1")
            return kernel

    server = ForkServer(refused=[refused])
    with open_kernels(Isolation.AUTO, warn=heard.append, server=server) as kernels:
        kernel = asyncio.run(start(kernels))
    assert refused not in kernel.isolation
    assert {*ALWAYS} <= set(kernel.isolation)
    assert 1 == len(heard)
    assert refused in heard[0]


IN_A_CONTAINER = """
import os
from grader.kernels.forked import linux
from grader.kernels.server import ForkServer

user, group = os.getuid(), os.getgid()
linux.unshare(linux.NEW_USER)
linux.map_ids(user, group)
server = ForkServer()
try:
    print(*server.start().layers, sep="\\n")
finally:
    server.close()
"""


def test_root_of_a_container_that_has_few_user_ids_has_every_layer(temporary: Path) -> None:
    """As in containers that an ordinary user began: there are no ids to give to kernels."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_CONTAINER],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(temporary)},
    )
    assert {*ALWAYS, *OPTIONAL, USER} == set(done.stdout.splitlines()) - {*EXTRA}


def test_strict_refuses_in_a_sentence_that_names_what_is_missing(temporary: Path) -> None:
    server = ForkServer(refused=[LANDLOCK])
    strict = open_kernels(Isolation.STRICT, warn=pytest.fail, server=server)
    with pytest.raises(UsageError, match=r"Nothing was run.*landlock"), strict:
        pytest.fail("it was run")
    assert [] == list(temporary.iterdir())


def test_where_there_is_no_server_stock_kernels_are_used_and_it_is_said(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.kernels.server.BOOT", "raise SystemExit(1)")
    heard: list[str] = []
    with open_kernels(Isolation.AUTO, warn=heard.append) as kernels:
        assert isinstance(kernels, StockKernels)
    assert 1 == len(heard)
    assert "run only those that you trust" in heard[0]
    assert [] == list(temporary.iterdir())


SPOILERS = {
    "1 zmq context": "import zmq\nKEPT = zmq.Context()",
    "2 threads": "import threading, time\nthreading.Thread(target=time.sleep, args=[1000]).start()",
}


@pytest.mark.parametrize(("why", "spoiler"), SPOILERS.items())
def test_what_a_fork_cannot_take_along_is_not_there_before_it(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, why: str, spoiler: str
) -> None:
    """A server refuses to start that has a second thread, or a zmq context without any yet."""
    source = inside.source
    spoilt = {"prelude": f"{source('prelude')}\n{spoiler}\n"}  # run in the server
    monkeypatch.setattr(inside, "source", lambda name: spoilt.get(name) or source(name))
    server = ForkServer()
    with pytest.raises(KernelError, match=f"the fork server has {why}"):
        server.start()
    server.close()
    assert [] == list(temporary.iterdir())


@pytest.mark.parametrize("isolation", [Isolation.AUTO, Isolation.STRICT])
def test_on_another_system_auto_says_once_what_is_missing_and_works_and_strict_refuses(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: Isolation
) -> None:
    monkeypatch.setattr("grader.kernels.isolation.sys", SimpleNamespace(platform="darwin"))
    heard: list[str] = []

    async def run(kernels: WarmKernels | StockKernels) -> object:
        async with kernels.start(tmp_path, LIMITS) as kernel:
            return await said(kernel, "answer = 1 + 1")

    with launched(isolation) as server:
        assert server is None
    opened = open_kernels(isolation, warn=heard.append)
    if isolation is Isolation.STRICT:
        with pytest.raises(UsageError, match="darwin has nothing of the kind"), opened:
            pytest.fail("it was run")
        assert [] == heard
        return
    with opened as kernels:
        assert isinstance(kernels, StockKernels)
        assert 2 == asyncio.run(run(kernels))
    assert 1 == len(heard)
    assert "cannot be isolated here (darwin" in heard[0]
    assert "run only those that you trust" in heard[0]
    assert [] == list(temporary.iterdir())


def test_off_starts_no_server() -> None:
    with open_kernels(Isolation.OFF, warn=pytest.fail) as kernels:
        assert isinstance(kernels, StockKernels)
