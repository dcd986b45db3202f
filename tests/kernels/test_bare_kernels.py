"""Kernels where namespaces are refused: what each wall denies, what goes on, and what ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import autograd
import pytest

import grader
from grader.errors import UsageError
from grader.execution.executor import NotebookExecutor
from grader.grading.batch import Exam, run
from grader.grading.setting import Setting
from grader.kernels.forked import cage
from grader.kernels.forked.layers import (
    BARE,
    EXTRA,
    IDENTITY,
    NEED_NAMESPACES,
    PROCESSES,
    SECCOMP,
)
from grader.kernels.isolation import Isolation, layers
from grader.kernels.opening import open_kernels
from grader.kernels.server import FOLDER, ForkServer
from grader.kernels.stock import StockKernels
from grader.kernels.warm import WarmKernels
from grader.model import Limits, Outcome, RunOutcome, Student, Submission
from grader.packs import load_pack
from tests.kernels.conftest import said
from tests.kernels.test_fork_server import GRADER, LIMITS, family, parent_of, wait_for_end

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
]
HIDDEN = Path(autograd.__file__).parent  # any package that is there
Attempt = Callable[..., Any]
TRY = """
import ctypes, errno, os, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
def denied(act):
    try:
        result = act()
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    if isinstance(result, int) and result == -1 and ctypes.get_errno():
        return errno.errorcode[ctypes.get_errno()]
    return f"allowed: {result!r}"
"""


@pytest.fixture(scope="module")
def bare() -> Iterator[ForkServer]:
    server = ForkServer(refused=[PROCESSES], hidden=[HIDDEN])
    server.start()
    yield server
    server.close()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ForkServer]:
    """A server that the test may harm, in a folder in which it must leave nothing."""
    assert tmp_path.is_dir()  # pytest's own is made elsewhere
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        server = ForkServer(refused=[PROCESSES])
        server.start()
        yield server
        server.close()
        assert [] == list(Path(folder).iterdir())


@pytest.fixture
def attempt(bare: ForkServer, tmp_path: Path) -> Attempt:
    def run(code: str) -> Any:
        async def go() -> Any:
            async with WarmKernels(bare).start(tmp_path, LIMITS) as kernel:
                return await said(kernel, code)

        return asyncio.run(go())

    return run


def outcomes(attempt: Attempt, *acts: str) -> dict[str, str]:
    """Return what became of each of these expressions, all tried in one kernel."""
    tried = ", ".join(f"{act!r}: denied(lambda: {act})" for act in acts)
    found: dict[str, str] = attempt(f"{TRY}\nanswer = {{{tried}}}")
    return found


# ------------------------------------------------------------------------------- what holds
def test_it_says_which_layers_hold_and_why_not_the_others(bare: ForkServer) -> None:
    found = {layer.name: layer for layer in layers(bare)}
    assert {*BARE} <= {name for name, layer in found.items() if layer.active}
    missing = {name for name, layer in found.items() if not layer.active and layer.needed}
    assert {*NEED_NAMESPACES} <= missing
    assert all(found[name].reason and found[name].mend for name in missing)


def test_strict_refuses_and_names_what_is_missing_in_one_sentence() -> None:
    strict = open_kernels(
        Isolation.STRICT, warn=pytest.fail, server=ForkServer(refused=[PROCESSES])
    )
    with pytest.raises(UsageError) as refused, strict:
        pytest.fail("it was run")
    said = str(refused.value)
    assert all(name in said for name in NEED_NAMESPACES)
    assert not any(name in said for name in (*BARE, *EXTRA))
    assert 1 == said.count("it was switched off")
    assert said.endswith(".")


def test_auto_uses_it_and_says_once_what_is_missing() -> None:
    heard: list[str] = []
    server = ForkServer(refused=[PROCESSES])
    with open_kernels(Isolation.AUTO, warn=heard.append, server=server) as kernels:
        assert isinstance(kernels, WarmKernels)
    assert 1 == len(heard)
    assert all(name in heard[0] for name in NEED_NAMESPACES)


def test_without_a_filter_there_is_no_such_cage_and_stock_kernels_are_used() -> None:
    heard: list[str] = []
    server = ForkServer(refused=[PROCESSES, SECCOMP])
    with open_kernels(Isolation.AUTO, warn=heard.append, server=server) as kernels:
        assert isinstance(kernels, StockKernels)
    assert "run only those that you trust" in heard[0]


# ------------------------------------------------------------------------------- what is denied
def test_files_of_others_cannot_be_opened_listed_or_made(attempt: Attempt, tmp_path: Path) -> None:
    secret = tmp_path.parent / f"{tmp_path.name}-secret"
    secret.write_text("of another")
    secret.chmod(0o666)
    found = outcomes(
        attempt,
        *(
            f"open({path!r}).read()"
            for path in (
                str(secret),
                str(Path("reference/a2/optimizers.py").resolve()),
                str(Path(grader.__file__).resolve()),
                str(HIDDEN / "__init__.py"),
                "/etc/passwd",
                "/proc/1/cmdline",
                "/proc/self/net/unix",
            )
        ),
        *(f"os.listdir({path!r})" for path in ("/", "/tmp", "/proc", "/home", str(tmp_path))),  # noqa: S108  not ours
        f"open({str(secret)!r}, 'w')",
        f"os.truncate({str(secret)!r}, 0)",
        f"os.remove({str(secret)!r})",
        f"os.link({str(secret)!r}, 'mine')",
        "open(os.__file__, 'a')",
        "open('/tmp/x', 'w')",
        "open('/dev/shm/x', 'w')",
        "open('/dev/tty', 'w')",
        "open('/dev/pts/0', 'w')",
        "os.open('/dev/ptmx', os.O_RDWR)",
    )
    assert {"EACCES", "EXDEV", "ENOENT"} >= set(found.values()), found
    assert "of another" == secret.read_text()
    secret.unlink()


def test_what_lies_beside_something_hidden_is_there(attempt: Attempt) -> None:
    code = "import numpy, os; answer = [len(os.listdir(numpy.__path__[0])) > 5]"
    assert [True] == attempt(code)
    code = f"""
import subprocess, sys
answer = subprocess.run([sys.executable, "-c", "import numpy; print(numpy.ones(2).sum())"],
                        capture_output=True, text=True).stdout
try:
    open({str(HIDDEN / "core.py")!r})
except PermissionError:
    answer += "denied"
"""
    assert "2.0\ndenied" == attempt(code)


def test_modes_times_owners_and_attributes_of_others_stay(attempt: Attempt, tmp_path: Path) -> None:
    file = tmp_path / "theirs"
    file.write_text("x")
    before = file.stat()
    found = outcomes(
        attempt,
        f"os.chown({str(file)!r}, -1, os.getgid())",
        f"os.setxattr({str(file)!r}, 'user.mine', b'x')",
        f"os.chmod({str(file)!r}, 0)",
        f"os.utime({str(file)!r}, (0, 0))",
        "libc.inotify_init1(0)",
    )
    after = file.stat()
    assert (before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime)
    assert [] == os.listxattr(file)
    assert ["EPERM", "EPERM"] == list(found.values())[:2]
    assert "EPERM" == list(found.values())[-1]


def test_no_socket_leads_anywhere(attempt: Attempt, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        address = f"{tmp_path}.socket"  # not in what is staged
        named.bind(address)
        abstract.bind("")
        for each in (named, abstract):
            each.listen()
        found = outcomes(
            attempt,
            "socket.socket()",
            "socket.socket(socket.AF_INET6)",
            "socket.socket(type=socket.SOCK_DGRAM)",
            "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
            "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
            f"socket.socket(socket.AF_UNIX).connect({address!r})",
            f"socket.socket(socket.AF_UNIX).connect({abstract.getsockname()!r})",
            "socket.socket(socket.AF_UNIX).bind('mine')",
            "socket.socket(socket.AF_UNIX).bind('')",
            "socket.socket(socket.AF_UNIX).listen()",
        )
    assert ["EPERM"] * 6 + ["EACCES"] * 5 == list(found.values())


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["/bin/sleep", "100000"]) as process:
        yield process
        process.kill()


def test_other_processes_cannot_be_touched(
    attempt: Attempt, victim: subprocess.Popen[bytes]
) -> None:
    pid = victim.pid
    found = outcomes(
        attempt,
        f"os.kill({pid}, 0)",
        f"os.kill({os.getpid()}, 0)",
        "os.kill(os.getppid(), 0)",
        f"os.setpriority(os.PRIO_PROCESS, {pid}, 19)",
        "os.setpriority(os.PRIO_USER, 0, 19)",
        "libc.syscall(251, 3, 0, 3 << 13)",
        f"__import__('resource').prlimit({pid}, 7, (0, 0))",
        f"libc.syscall(251, 1, {pid}, 3 << 13)",
        f"libc.ptrace(16, {pid}, 0, 0)",
        f"libc.process_vm_readv({pid}, None, 0, None, 0, 0)",
    )
    assert {"EPERM"} == set(found.values()), found
    attempt(f"import os; os.sched_setaffinity({pid}, {{0}}); answer = 0")
    assert os.sched_getaffinity(0) == os.sched_getaffinity(pid)


def test_a_signal_to_all_ends_a_kernel_and_nobody_else(
    bare: ForkServer, tmp_path: Path, victim: subprocess.Popen[bytes]
) -> None:
    code = "import os, signal\nif os.fork() == 0: os.kill(-1, signal.SIGKILL)\nsignal.pause()"
    assert "" == ended_for(bare, tmp_path, code)
    assert victim.poll() is None
    assert 1 == bare.starts


def test_a_kernel_has_no_rights_and_can_gain_none(attempt: Attempt) -> None:
    code = """
answer = {}
for line in open("/proc/self/status"):
    name, _, value = line.partition(":")
    if name in ("CapEff", "CapPrm", "CapAmb", "NoNewPrivs", "Seccomp"):
        answer[name] = int(value, 16)
"""
    none = dict.fromkeys(("CapEff", "CapPrm", "CapAmb"), 0)
    assert {**none, "NoNewPrivs": 1, "Seccomp": 2} == attempt(code)


# ------------------------------------------------------------------------------- what works
def test_ordinary_work_goes_on(attempt: Attempt) -> None:
    """Shells, threads, forks, plots, temporary files, time zones; pools do not."""
    code = """
import multiprocessing, os, pathlib, shutil, subprocess, tempfile, threading, zoneinfo
import matplotlib.pyplot as plt, numpy as np
answer = [get_ipython().getoutput("echo $HOME")[0] == os.getcwd()]
answer.append(subprocess.check_output("echo 3", shell=True, text=True))
plt.plot([1, 2]); plt.savefig("p.png"); shutil.copy("p.png", "q.png")
answer.append(pathlib.Path("q.png").exists())
answer.append(str(zoneinfo.ZoneInfo("America/Denver")))
with tempfile.NamedTemporaryFile() as f:
    answer.append(f.name.startswith(os.path.dirname(os.getcwd())))
thread = threading.Thread(target=answer.append, args=[4]); thread.start(); thread.join()
reader, writer = multiprocessing.Pipe()
child = multiprocessing.Process(target=writer.send, args=[5]); child.start()
answer.append(reader.recv()); child.join()
answer.append(float(np.linalg.norm(np.linalg.inv(np.eye(3) * 2))) < 1)
try: multiprocessing.Pool(2)
except PermissionError: answer.append("no pool")
"""
    expected = [True, "3\n", True, "America/Denver", True, 4, 5, True, "no pool"]
    assert expected == attempt(code)


def test_what_a_command_and_a_fork_print_is_seen(bare: ForkServer, tmp_path: Path) -> None:
    code = """
import os
!printf 'of a command'; exit 3
print(_exit_code)
if os.fork() == 0:
    print("of a fork" + "." * 300_000, flush=True)
    os._exit(0)
os.wait()
print("the end")
"""

    async def run() -> str:
        async with WarmKernels(bare).start(tmp_path, LIMITS) as kernel:
            kernel.client.execute(code)
            text = ""
            while "the end" not in text or "of a fork" not in text:
                message = await kernel.client.get_iopub_msg(timeout=600)
                text += str(message["content"].get("text", ""))
            return text

    text = asyncio.run(run())
    assert "of a command3\n" in text
    assert 300_000 == text.count(".")


def test_a_right_notebook_of_the_course_is_graded_in_it_with_every_point(bare: ForkServer) -> None:
    pack = load_pack("a2", [Path("rubrics")])
    exam = Exam.of(pack, b"a secret of the tests")
    path = Path("submissions/notebooks/right-with-swish.ipynb")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    student = Student(name="R")
    handed_in = Submission(students=(student,), file=path.name, path=path, sha256=sha256)
    workplace = Setting.of(pack, LIMITS, Isolation.AUTO).workplace
    executor = NotebookExecutor(WarmKernels(bare), LIMITS, workplace)
    judged = exam.judge(asyncio.run(run(handed_in, exam.calls, executor)))
    assert "" == judged.fault
    assert {Outcome.PASSED} == {result.outcome for result in judged.results}
    assert PROCESSES not in judged.evidence.run.isolation
    assert (RunOutcome.COMPLETE, ()) == (judged.evidence.run.outcome, judged.evidence.run.notes)


# ------------------------------------------------------------------------------- limits and ends
def ended_for(server: ForkServer, folder: Path, code: str) -> str:
    async def run() -> str:
        async with WarmKernels(server).start(folder, Limits(memory_bytes=1 << 30)) as kernel:
            kernel.client.execute(code, silent=True)
            await asyncio.wait_for(kernel.gone(), 600)
            return kernel.why_ended

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("why", "code"),
    [
        ("storage", "for n in range(3): open(str(n), 'wb').write(bytes(250 << 20))"),
        ("storage", "for n in range(30_000): open(str(n), 'w').close()"),
        ("processes", "for n in range(400): os.fork() or time.sleep(1000)"),
        ("memory", "a = [os.fork() for n in range(3)]; b = b'x' * (400 << 20)"),
    ],
)
def test_who_uses_too_much_is_ended_and_told_why(
    bare: ForkServer, tmp_path: Path, why: str, code: str
) -> None:
    assert why == ended_for(bare, tmp_path, f"import os, time\n{code}\ntime.sleep(1000)")


DAEMONS = """
import os, signal, subprocess
answer = [subprocess.Popen(["sleep", "1000"], start_new_session=new, env={}).pid for new in (0, 1)]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        signal.pause()
    os._exit(0)
for depth in range(50):
    os.mkdir("d"); os.chdir("d")
"""


def test_all_that_a_kernel_began_and_stored_is_gone_with_it(
    own: ForkServer, tmp_path: Path
) -> None:
    async def start() -> set[int]:
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            await said(kernel, DAEMONS)
            return family(own.pid)

    begun = asyncio.run(start())
    assert len(begun) >= 7
    assert 2 == len(family(own.pid))
    assert [] == [path for path in (own.folder / "kernels").iterdir() if path.name != "empty"]


@pytest.mark.parametrize("whom", ["server", "first process", "both", "guard"])
def test_nothing_is_left_when_one_of_ours_is_killed(
    own: ForkServer, tmp_path: Path, whom: str
) -> None:
    async def start() -> set[int]:
        async with WarmKernels(own).start(tmp_path, LIMITS) as kernel:
            await said(kernel, DAEMONS)
            members = family(own.pid)
            (server,) = [pid for pid in members if parent_of(pid) == own.pid]
            (first,) = [pid for pid in members if parent_of(pid) == server]
            killed = {"server": [server], "first process": [first], "guard": [own.pid]}
            for pid in killed.get(whom, [first, server]):
                os.kill(pid, signal.SIGKILL)
            if whom != "guard":
                await asyncio.wait_for(kernel.gone(), 600)
            return members - ({own.pid, server} if whom == "first process" else {own.pid})

    begun = asyncio.run(start())
    own.close()
    assert set() == wait_for_end(begun)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_ended_grader_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    staged = tmp_path / "grader-work-x"
    staged.mkdir()
    script = GRADER.replace("ForkServer()", f"ForkServer(refused=[{PROCESSES!r}])")
    with tempfile.TemporaryDirectory(prefix="t") as temporary:
        with subprocess.Popen(
            [sys.executable, "-c", script, str(staged)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": temporary},
        ) as begun:
            assert begun.stdout is not None
            assert b"started\n" == begun.stdout.readline()
            members = family(begun.pid)
            assert len(members) >= 5
            begun.send_signal(number)
        assert set() == wait_for_end(members)
        assert [] == list(Path(temporary).glob(f"{FOLDER}*"))
    assert not staged.exists()


# ------------------------------------------------------------------------------- as root
AS_ROOT = """
import asyncio, json, pathlib, sys
from grader.kernels.forked.layers import PROCESSES
from grader.kernels.server import ForkServer
from grader.kernels.warm import WarmKernels
from grader.model import Limits
from tests.adversarial.runner import make_readable
from tests.kernels.conftest import said
from tests.kernels.test_bare_kernels import DAEMONS, TRY, ended_for
from tests.kernels.test_fork_server import family

async def main(server, folder):
    async with WarmKernels(server).start(folder, Limits()) as kernel:
        who = await said(kernel, "import os; answer = [os.getuid(), os.getgid(), os.getgroups()]")
        tried = await said(kernel, TRY + "answer = denied(lambda: libc.inotify_init1(0))")
        await said(kernel, DAEMONS)
        begun = len(family(server.pid))
    return [list(kernel.isolation), who, tried, begun, len(family(server.pid))]

make_readable()
server = ForkServer(refused=[PROCESSES])
folder = pathlib.Path(sys.argv[1])
try:
    found = asyncio.run(main(server, folder))
    nameless = "import os\\nkept = []\\nfor n in range(3):\\n    kept.append(open('x', 'wb'))\\n"
    nameless += "    os.remove('x'); kept[-1].write(bytes(250 << 20)); kept[-1].flush()\\n"
    found.append(ended_for(server, folder, nameless + "import time; time.sleep(1000)"))
    left = [p for p in (server.folder / "kernels").iterdir() if p.name != "empty"]
    print(json.dumps([*found, len(left)]))
finally:
    server.close()
"""


@pytest.mark.skipif(sys.platform == "linux" and os.geteuid() != 0, reason="only root has others")
def test_as_root_each_kernel_has_an_id_of_its_own(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", AS_ROOT, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": folder},
        )
        layers, (uid, gid, groups), watching, begun, after, why, left = json.loads(done.stdout)
        assert IDENTITY in layers
        assert (uid, []) == (gid, groups)
        assert uid >= cage.FIRST_ID
        assert "EPERM" == watching, "the names of files in folders that it may read would be told"
        assert begun >= 7
        assert (2, "storage", 0) == (after, why, left)
        assert [] == list(Path(folder).iterdir())
