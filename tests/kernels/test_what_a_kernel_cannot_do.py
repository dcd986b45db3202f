"""Each layer denies what it is there for: what is tested is the denial, from inside a kernel."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import grader
from grader.kernels.forked.limits import OPEN_FILES, PROCESSES
from grader.kernels.server import ForkServer
from grader.model import Limits

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(sys.platform != "linux", reason="needs Linux"),
]
Attempt = Callable[..., Any]
TRY = """
import ctypes, errno, os, signal, socket, subprocess, sys
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


def outcome(attempt: Attempt, act: str) -> str:
    return str(attempt(f"{TRY}\nanswer = denied(lambda: {act})"))


# ------------------------------------------------------------------------------- files
@pytest.mark.parametrize(
    "path",
    [
        str(Path("reference/a2/optimizers.py").resolve()),
        str(Path("rubrics/a2/rubric.toml").resolve()),
        str(Path(grader.__file__).resolve()),
        *("/etc/shadow", "/root/.bashrc", "/home", "/var/log", "/proc/1/environ", "/sys/kernel"),
    ],
)
def test_files_of_this_machine_are_not_there(attempt: Attempt, path: str) -> None:
    assert outcome(attempt, f"open({path!r}).read()") in {"ENOENT", "EACCES"}


def test_the_root_holds_python_and_no_more(attempt: Attempt) -> None:
    listed = attempt("import os; answer = {p: os.listdir(p) for p in ('/', '/tmp', '/run')}")
    assert "home" not in listed["/"]
    assert [] == listed["/run"]
    on_the_way = Path(sys.prefix).parts[2:3]  # to a Python that lies in /tmp itself
    assert {name for name in listed["/tmp"] if name[0] != "."} <= {*on_the_way}  # noqa: S108  its own


def test_what_others_wrote_into_tmp_is_not_there(attempt: Attempt, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of another")
    assert "ENOENT" == outcome(attempt, f"open({str(secret)!r}).read()")


@pytest.mark.parametrize("path", ["/x", "/usr/x", "/etc/x", "/proc/sys/kernel/hostname", "/dev/x"])
def test_nothing_can_be_written_elsewhere(attempt: Attempt, path: str) -> None:
    assert outcome(attempt, f"open({path!r}, 'w')") in {"EROFS", "EACCES", "EPERM"}


def test_packages_cannot_be_changed(attempt: Attempt) -> None:
    assert outcome(attempt, "open(os.__file__, 'a')") in {"EROFS", "EACCES"}


def test_the_grader_is_not_importable_even_where_it_is_installed(attempt: Attempt) -> None:
    code = (
        "import os\ntry:\n    import grader\n"
        "    answer = [name for path in grader.__path__ for name in os.listdir(path)]\n"
        "except ImportError: answer = []"
    )
    assert [] == attempt(code), "where it is installed there is at most an empty folder"
    assert [] == attempt("import sys; answer = [m for m in sys.modules if 'grader' in m]")


def test_paths_among_the_packages_can_be_hidden(tmp_path: Path) -> None:
    """As the grader hides itself where it is installed beside numpy."""
    import asyncio  # noqa: PLC0415  only here

    import autograd  # noqa: PLC0415  any package that is there

    from grader.kernels.warm import WarmKernels  # noqa: PLC0415  only here
    from tests.kernels.conftest import said  # noqa: PLC0415  only here

    package = Path(autograd.__file__).parent
    server = ForkServer(hidden=[package])

    async def listed() -> Any:
        async with WarmKernels(server).start(tmp_path, Limits()) as kernel:
            return await said(kernel, f"import os; answer = os.listdir({str(package)!r})")

    try:
        assert [] == asyncio.run(listed())
    finally:
        server.close()


def test_the_disk_is_bounded(attempt: Attempt) -> None:
    code = """
import tempfile
answer = []
for folder in ("/notebook", tempfile.gettempdir(), "/dev/shm"):
    try:
        with open(folder + "/big", "wb") as stream:
            while True:
                stream.write(bytes(64 << 20))
    except OSError as error:
        answer.append(error.errno)
"""
    assert {errno.ENOSPC, errno.EFBIG} >= set(attempt(code))


def test_the_number_of_files_is_bounded(attempt: Attempt) -> None:
    code = "import os\nanswer = 0\ntry:\n    for i in range(10**6): open(str(i), 'w').close()\n"
    assert errno.ENOSPC == attempt(f"{code}except OSError as error: answer = error.errno")


# ------------------------------------------------------------------------------- network
def test_no_machine_can_be_reached(attempt: Attempt) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        act = f"socket.create_connection(('127.0.0.1', {port}), 5)"
        assert outcome(attempt, act) in {"ENETUNREACH", "EACCES", "EADDRNOTAVAIL"}
    assert "ENETUNREACH" == outcome(
        attempt, "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))"
    )


@pytest.mark.parametrize(
    "what", ["socket.AF_NETLINK, socket.SOCK_RAW", "socket.AF_PACKET, socket.SOCK_RAW", "40, 1"]
)
def test_other_families_of_sockets_are_denied(attempt: Attempt, what: str) -> None:
    assert "EPERM" == outcome(attempt, f"socket.socket({what})")


def test_raw_sockets_are_denied(attempt: Attempt) -> None:
    assert "EPERM" == outcome(attempt, "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)")


def test_abstract_sockets_of_this_machine_are_not_there(attempt: Attempt) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")
        listening.listen()
        name = listening.getsockname()
        act = f"socket.socket(socket.AF_UNIX).connect({name!r})"
        assert outcome(attempt, act) in {"ECONNREFUSED", "EPERM"}


# ------------------------------------------------------------------------------- processes
def test_no_other_process_is_seen(attempt: Attempt) -> None:
    code = "import os; answer = [int(n) for n in os.listdir('/proc') if n.isdigit()]"
    assert max(attempt(code)) < 20


def test_the_first_process_cannot_be_looked_into_or_ended(attempt: Attempt) -> None:
    code = (
        f"{TRY}\nos.kill(1, 9)\nanswer = [denied(lambda: open('/proc/1/mem', 'rb')), os.getppid()]"
    )
    assert ["EACCES", 1] == attempt(code)


@pytest.mark.parametrize(
    "act",
    [
        "libc.ptrace(0, 0, 0, 0)",
        "libc.mount(b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        "libc.umount2(b'/tmp', 2)",
        "libc.unshare(0x10000000)",
        "libc.setns(0, 0)",
        "libc.chroot(b'/tmp')",
        "libc.setuid(0)",
        "libc.setgid(0)",
        "libc.setgroups(1, b'aaaa')",
        "libc.sethostname(b'x', 1)",
        "libc.process_vm_readv(1, None, 0, None, 0, 0)",
        "libc.personality(0)",
        "libc.shmget(0, 4096, 0o1666)",
        "os.mknod('/tmp/disk', 0o60666, os.makedev(259, 0))",
        "libc.syscall(425, 1, None)",
        "libc.syscall(323, 0)",
        "libc.syscall(321, 0, None, 0)",
    ],
)
def test_calls_beyond_the_process_are_denied(attempt: Attempt, act: str) -> None:
    assert outcome(attempt, act) in {"EPERM", "EINVAL"} - (
        {"EINVAL"} if "set" not in act else set()
    )


def test_a_new_process_with_new_namespaces_is_denied(attempt: Attempt) -> None:
    assert "EPERM" == outcome(attempt, "libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)")
    assert "ENOSYS" == outcome(attempt, "libc.syscall(435, 0, 0)")


def test_it_has_no_rights_and_can_gain_none(attempt: Attempt) -> None:
    code = """
answer = {}
for line in open("/proc/self/status"):
    name, _, value = line.partition(":")
    if name in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"):
        answer[name] = int(value, 16)
"""
    none = dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), 0)
    assert {**none, "NoNewPrivs": 1, "Seccomp": 2} == attempt(code)


def test_a_fork_bomb_is_bounded(attempt: Attempt) -> None:
    code = """
import os, time
answer = 0
try:
    for _ in range(10_000):
        if os.fork() == 0:
            time.sleep(1000)
            os._exit(0)
        answer += 1
except OSError:
    pass
"""
    assert attempt(code) < PROCESSES


def test_open_files_are_bounded(attempt: Attempt) -> None:
    code = (
        "import os\nanswer = 0\ntry:\n    while True: os.dup(0); answer += 1\nexcept OSError: pass"
    )
    assert attempt(code) < OPEN_FILES


def test_no_descriptor_but_its_own_is_inherited(attempt: Attempt) -> None:
    code = """
import os
answer = []
for name in os.listdir("/proc/self/fd"):
    try:
        answer.append(os.readlink(f"/proc/self/fd/{name}"))
    except OSError:
        pass
"""
    kinds = {target.split(":")[0] for target in attempt(code)}
    assert not {kind for kind in kinds if kind.startswith("/")} - {"/dev/null", "/proc/2/fd"}


def test_numbers_drawn_differ_between_kernels(attempt: Attempt) -> None:
    code = "import random, numpy as np; answer = [random.random(), np.random.rand()]"
    assert not set(attempt(code)) & set(attempt(code))


# ------------------------------------------------------------------------------- what works
def test_ordinary_work_goes_on(attempt: Attempt) -> None:
    """Forks, pools, threads, shells, plots, files, time zones, locks in shared memory."""
    code = """
import multiprocessing, os, pathlib, subprocess, tempfile, threading, zoneinfo, io, sys
import matplotlib.pyplot as plt, numpy as np, pandas as pd
with multiprocessing.Pool(2) as pool:
    answer = pool.map(abs, [-1, -2])
answer.append(subprocess.run([sys.executable, "-c", "import numpy; print(3)"], capture_output=True,
    text=True).stdout)
answer.append(subprocess.check_output("echo $HOME", shell=True, text=True))
plt.plot([1, 2]); plt.savefig("p.png")
answer.append(pathlib.Path("p.png").exists())
answer.append(str(zoneinfo.ZoneInfo("America/Denver")))
with tempfile.NamedTemporaryFile() as f:
    answer.append(f.name.startswith(("/tmp", "/var/tmp")))
answer.append(float(np.linalg.norm(np.linalg.inv(np.eye(3) * 2))) < 1)
"""
    expected = [1, 2, "3\n", "/notebook\n", True, "America/Denver", True, True]
    assert expected == attempt(code)
