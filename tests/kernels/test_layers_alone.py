"""Each layer by itself, without a kernel: in a fork of the test, or on a folder made for it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import platform
import resource
import selectors
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

if sys.platform != "linux":
    pytest.skip("the layers are Linux's", allow_module_level=True)

from grader.kernels.forked import (
    cage,
    groups,
    landlock,
    limits,
    linux,
    memory,
    namespaced,
    root,
    seccomp,
    serve,
    storage,
)
from grader.kernels.forked.limits import PROCESSES

BARE = seccomp.Reach((seccomp.UNIX,), alone=True, owner=True)
OWN_ID = seccomp.Reach((seccomp.UNIX,), alone=True)
BUFFERS = (socket.SO_SNDBUF, socket.SO_RCVBUF)
ORDINARY_ID = 64_001
MACHINE = list(seccomp.AUDIT).index(platform.machine())  # the column of its numbers
IOPRIO_SET = (251, 30)[MACHINE]


def in_fork(act: Callable[[], object]) -> str:
    """Return what came of something done in a fork: an error's name, or its result as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "it ended at once"
        try:
            said = str(act())
        except OSError as error:
            said = errno.errorcode.get(error.errno or 0, str(error))
        finally:
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read().decode()
    os.waitpid(child, 0)
    return said


# ------------------------------------------------------------------------------- seccomp
def filtered(reach: seccomp.Reach, act: Callable[[], object]) -> str:
    def inside() -> object:
        linux.no_new_privileges()
        seccomp.set_filter(reach)
        return act()

    return in_fork(inside)


def called(number: int, *arguments: int) -> Callable[[], int]:
    return lambda: linux.system_call("call", number, *arguments)


def denied(*acts: Callable[[], object]) -> str:
    """Return what came of each act: an error's name, or its result as text."""
    found = []
    for act in acts:
        try:
            found.append(str(act()))
        except OSError as error:
            found.append(errno.errorcode[error.errno or 0])
    return " ".join(found)


def test_the_filter_of_kernels_with_namespaces_lets_sockets_be_made_and_connected(
    tmp_path: Path,
) -> None:
    def connect() -> str:
        with socket.socket() as one, socket.socket(socket.AF_UNIX) as other:
            assert one.type == socket.SOCK_STREAM
            other.connect(str(tmp_path / "nothing"))
        return "connected"

    assert "ENOENT" == filtered(seccomp.NAMESPACED, connect)
    assert "EACCES" == filtered(BARE, lambda: socket.socket(socket.AF_UNIX).connect("nothing"))


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (socket.socket, "EPERM"),
        (lambda: socket.socket(socket.AF_UNIX).type, "1"),
        (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), "EPERM"),
        (lambda: socket.socket(socket.AF_UNIX, socket.SOCK_RAW), "EPERM"),
        (lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0].type, "5"),
        (lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM), "EPERM"),
        (lambda: os.setpriority(os.PRIO_PROCESS, 0, 19), "None"),
        (lambda: os.setpriority(os.PRIO_PROCESS, 1, 19), "EPERM"),
        (lambda: os.setpriority(os.PRIO_PGRP, 0, 19), "EPERM"),
        (lambda: os.setpriority(os.PRIO_USER, 0, 19), "EPERM"),
        (called(IOPRIO_SET, 1, 0, 3 << 13), "0"),
        (called(IOPRIO_SET, 3, 0, 3 << 13), "EPERM"),  # all of the user
        (lambda: resource.prlimit(0, resource.RLIMIT_CORE)[0] >= -1, "True"),
        (lambda: resource.prlimit(1, resource.RLIMIT_CORE), "EPERM"),
        (lambda: socket.socket(socket.AF_UNIX).bind(""), "EACCES"),
        (lambda: socket.socket(socket.AF_UNIX).listen(), "EACCES"),
        (lambda: socket.send_fds(socket.socketpair()[0], [b"."], [0]), "EPERM"),
        (lambda: os.chown("/", -1, -1), "EPERM"),
        (called(434, 1, 0), "ENOSYS"),
        (lambda: linux.unshare(linux.NEW_USER), "EPERM"),
    ],
)
def test_the_filter_of_bare_kernels_answers(act: Callable[[], object], expected: str) -> None:
    assert filtered(BARE, act) == expected


@pytest.mark.parametrize("reach", [seccomp.NAMESPACED, BARE, OWN_ID])
def test_no_filter_lets_buffers_grow_or_hold_pages_of_files(reach: seccomp.Reach) -> None:
    """Nor does it get in the way of options that have the same numbers at other levels."""

    def inside() -> str:
        ends = socket.socketpair()
        sizes = [ends[0].getsockopt(socket.SOL_SOCKET, name) for name in BUFFERS]
        for name in BUFFERS:
            ends[0].setsockopt(socket.SOL_SOCKET, name, 4 << 20)
        ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        assert sizes == [ends[0].getsockopt(socket.SOL_SOCKET, name) for name in BUFFERS]
        assert 1 == ends[0].getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED)
        return denied(
            lambda: fcntl.fcntl(os.pipe()[1], fcntl.F_SETPIPE_SZ, 1 << 20),
            lambda: fcntl.fcntl(os.pipe()[1], fcntl.F_GETPIPE_SZ) > 0,
            lambda: ends[0].setsockopt(socket.IPPROTO_IP, socket.SO_SNDBUF, 1),
            lambda: os.splice(os.pipe()[0], os.pipe()[1], 1),
            lambda: os.sendfile(os.pipe()[1], os.open("/", os.O_RDONLY), 0, 1),
        )

    assert filtered(reach, inside) == "EPERM True ENOTSUP ENOSYS ENOSYS"


@pytest.mark.parametrize("reach", [BARE, OWN_ID])
def test_files_of_others_are_not_watched_or_given_attributes(
    reach: seccomp.Reach, tmp_path: Path
) -> None:
    """With an id of its own too: a file may be anybody's to write, and names be told of any."""
    file = tmp_path / "file"
    file.touch(0o666)
    assert "EPERM" == filtered(reach, lambda: os.setxattr(file, "user.mine", b"x"))
    assert "EPERM" == filtered(reach, lambda: os.removexattr(file, "user.mine"))
    assert [] == os.listxattr(file)
    watching = [row for name, row in seccomp.OF_FILES.items() if name.startswith("inotify_init")]
    for row in (*watching, seccomp.DENIED["fanotify_init"]):
        if (number := row[MACHINE]) is not None:
            assert "EPERM" == filtered(reach, called(number, 0, 0))


def test_a_mode_is_said_to_be_changed_and_is_not(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o644)
    assert "None" == filtered(BARE, lambda: file.chmod(0))
    assert 0o644 == file.stat().st_mode & 0o777
    assert "None" == filtered(OWN_ID, lambda: file.chmod(0o600))
    assert 0o600 == file.stat().st_mode & 0o777


@pytest.mark.parametrize("reach", [seccomp.NAMESPACED, BARE, OWN_ID])
@pytest.mark.parametrize("machine", list(seccomp.AUDIT))
def test_every_jump_of_a_program_lands_in_it_and_every_end_is_an_answer(
    machine: str, reach: seccomp.Reach
) -> None:
    steps = list(seccomp._steps(machine, reach))  # noqa: SLF001  a program of bytes tells nothing
    assert len(steps) <= 4096
    for place, (operation, if_true, if_false, _) in enumerate(steps):
        if operation != seccomp.RETURN:
            assert place + 1 + max(if_true, if_false) < len(steps)
        assert max(if_true, if_false) <= 255
    assert seccomp.RETURN == steps[-1][0]


# ------------------------------------------------------------------------------- rights and limits
def status(*names: str) -> list[int]:
    """Return these lines of this process's status, read as hexadecimal."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":\t") for line in lines)
    return [int(found[name], 16) for name in names]


def test_rights_are_given_up_for_good() -> None:
    def inside() -> list[int]:
        user, group = os.getuid(), os.getgid()
        linux.unshare(linux.NEW_USER)  # in which anybody has all rights
        linux.map_ids(user, group)
        assert linux.has_capabilities(linux.CAP_SYS_ADMIN, linux.CAP_KILL)
        linux.drop_bounding_set()
        linux.drop_capabilities()
        assert not linux.has_capabilities(linux.CAP_KILL)
        linux.no_new_privileges()
        return status("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")

    assert "[0, 0, 0, 0, 0, 1]" == in_fork(inside)


def test_limits_cannot_be_raised_and_lower_ones_stay() -> None:
    def inside() -> str:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
        wanted = dict(limits.rlimits(1 << 30, processes=77))
        limits.set_rlimits({**wanted, resource.RLIMIT_CORE: 1 << 20})
        set_now = {what: resource.getrlimit(what) for what in wanted}
        wanted |= {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: 200}
        assert {what: (value, value) for what, value in wanted.items()} == set_now
        assert (1 << 30, 77) == (wanted[resource.RLIMIT_DATA], wanted[resource.RLIMIT_NPROC])
        linux.drop_capabilities()
        infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        try:
            resource.setrlimit(resource.RLIMIT_DATA, infinite)
        except ValueError as error:
            return str(error)
        return "raised"

    assert "not allowed to raise maximum limit" == in_fork(inside)


def test_a_process_holds_no_more_memory_than_its_limit() -> None:
    def inside() -> int:
        limits.set_rlimits(limits.rlimits(256 << 20))
        try:
            return len(bytearray(512 << 20))
        except MemoryError:
            return 0

    assert "0" == in_fork(inside)


# ------------------------------------------------------------------------------- files
def test_a_root_holds_what_is_bound_read_only_and_nothing_that_is_hidden() -> None:
    hidden = ("/seen/folder", "/seen/file.py", "/seen/absent")

    def look() -> object:
        linux.unshare(linux.NEW_NS)
        root.enter({"/seen": f"{folder}/given"}, hidden, uid=7, gid=8)
        denied_to = ("/seen/x", "/seen/folder/x", "/x", "/etc/passwd")
        return (
            *(sorted(path.name for path in Path(top).iterdir()) for top in ("/", "/seen")),
            [Path(f"/seen/{name}").read_text() for name in ("kept", "file.py")],
            list(Path("/seen/folder").iterdir()),
            Path("/etc/passwd").read_text().splitlines()[1][:12],
            Path(folder).exists(),
            denied(*(lambda path=path: os.close(os.open(path, os.O_CREAT)) for path in denied_to)),
        )

    def inside() -> str:
        namespaced.own_processes()  # of which the next fork is the first
        return in_fork(look)

    with tempfile.TemporaryDirectory(prefix="t") as folder:
        given = Path(folder, "given")
        (given / "folder").mkdir(parents=True)
        for name in ("folder/secret", "file.py", "kept"):
            (given / name).write_text(name)
        there = ["dev", "etc", "notebook", "proc", "run", "seen", "tmp", "var"]
        expected: tuple[object, ...] = (
            there,
            ["file.py", "folder", "kept"],
            ["kept", ""],
            [],
            "student:x:7:",
            False,
            "EROFS EROFS EROFS None",
        )
        assert str(expected) == in_fork(inside)


# ------------------------------------------------------------------------------- landlock
def test_landlock_holds_by_two_walls_what_both_allow(tmp_path: Path) -> None:
    for name in ("both", "outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    outer = landlock.ruleset([], [str(tmp_path / "both"), str(tmp_path / "outer")], [str(tmp_path)])

    def inside() -> str:
        linux.no_new_privileges()
        landlock.enter(outer)
        landlock.restrict([str(tmp_path)], [str(tmp_path / "both"), str(tmp_path / "inner")])
        seen = sorted(path.name for path in tmp_path.iterdir())
        for name in ("both", "outer", "inner"):
            for mode in "ra":
                try:
                    (tmp_path / name / "file").open(mode).close()
                    seen.append(f"{name} {mode}")
                except PermissionError:
                    pass
        return " ".join(seen)

    try:
        assert "both inner outer both r both a outer r" == in_fork(inside)
    finally:
        os.close(outer)


@pytest.mark.skipif(landlock.version() < landlock.SCOPE_ABI, reason="needs Linux 6.12")
def test_landlock_keeps_signals_inside() -> None:
    def inside() -> None:
        linux.no_new_privileges()
        landlock.restrict(["/"], [])
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.kill(child, 0)
        os.kill(os.getppid(), 0)

    assert "EPERM" == in_fork(inside)


def test_what_lies_beside_something_hidden_is_given_one_by_one(tmp_path: Path) -> None:
    for name in ("site/numpy/core", "site/grader/rubrics", "site/z", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "site" / "link").symlink_to(tmp_path / "site" / "grader")
    paths = [str(tmp_path / "site"), str(tmp_path / "bin")]
    whole, parted = root.without(paths, [str(tmp_path / "site" / "grader")])
    expected = {tmp_path / "bin", tmp_path / "site/numpy", tmp_path / "site/z"}
    assert {str(path) for path in expected} == set(whole)
    assert [str(tmp_path / "site")] == parted
    assert ([], []) == root.without(paths, [str(tmp_path)])


# ------------------------------------------------------------------------------- storage
def test_storage_is_counted_by_size_and_by_number(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "large").write_bytes(bytes(1 << 20))
    os.truncate(tmp_path / "a" / "large", 1 << 40)  # a hole takes no room
    (tmp_path / "link").symlink_to("/usr")

    def exceeds(size: int, files: int) -> bool:
        return storage.exceeds(str(tmp_path), [], size=size, files=files)

    assert not exceeds(2 << 20, 3)
    assert exceeds(1 << 19, 3)
    assert exceeds(2 << 20, 2)
    assert not storage.exceeds(str(tmp_path / "not made yet"), [], size=0, files=0)


def test_too_deep_is_too_much_and_is_removed_all_the_same(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    before = Path.cwd()
    try:
        os.chdir(top)
        for _ in range(3000):
            Path("d" * 20).mkdir()
            os.chdir("d" * 20)
        Path("file").touch()
        Path("closed").mkdir(0)
        Path("link").symlink_to(tmp_path)
    finally:
        os.chdir(before)
    assert storage.exceeds(str(top), [], size=1 << 30, files=100_000)
    (tmp_path / "kept").touch()
    storage.remove(str(top))
    assert [tmp_path / "kept"] == list(tmp_path.iterdir())


def test_what_is_closed_to_its_own_user_is_removed_by_them() -> None:
    """Another's folders cannot be opened by them, and one's own have to be first."""

    def inside() -> str:
        if os.getuid() == 0:
            os.setresuid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)
        closed = Path(folder, "top", "below", "closed")
        (closed / "deep").mkdir(parents=True)
        (closed / "deep" / "file").touch()
        for path in (closed / "deep", closed, closed.parent):
            path.chmod(0)
        storage.remove(f"{folder}/top")
        return str(list(Path(folder).iterdir()))

    # Pytest's own folder is closed to others, and so are those that other tests let be made.
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        assert "[]" == in_fork(inside)


def test_a_link_put_in_the_place_of_a_folder_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at it and its removal, by somebody who is still at work there."""
    top, other = tmp_path / "top", tmp_path / "other"
    (top / "folder").mkdir(parents=True)
    other.mkdir(0o755)
    (other / "file").touch()
    look = os.stat

    def look_and_replace(path: str, **options: Any) -> os.stat_result:
        seen = look(path, **options)
        if path == "folder":
            (top / "folder").rmdir()
            (top / "folder").symlink_to(other)
        return seen

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", look_and_replace)
        with pytest.raises(OSError, match="folder"):
            storage.remove(str(top))
    assert 0o755 == other.stat().st_mode & 0o777
    assert (other / "file").exists()
    storage.remove(str(top))
    assert [other] == list(tmp_path.iterdir())


def test_files_without_a_name_are_counted_as_long_as_they_are_open_or_mapped(
    tmp_path: Path,
) -> None:
    def exceeds() -> bool:
        return storage.exceeds(str(tmp_path), [os.getpid()], size=3 << 20, files=1000)

    file = tmp_path / "nameless"
    with file.open("wb+") as stream:
        stream.write(bytes(4 << 20))
        stream.flush()
        file.unlink()
        assert exceeds()
        mapped = mmap.mmap(stream.fileno(), 4 << 20)
    assert exceeds()
    mapped.close()
    assert not exceeds()
    with mmap.mmap(-1, 4 << 20):  # shared memory is counted as such
        assert not exceeds()


# ------------------------------------------------------------------------------- memory
def sockets_full(count: int) -> list[socket.socket]:
    """Return sockets that take no more, of pairs with both ends open."""
    ends = [end for _ in range(count // 2) for end in socket.socketpair()]
    for end in ends:
        end.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while end.send(bytes(65536)):
                pass
    return ends


def test_what_lies_in_sockets_and_pipes_is_counted_once() -> None:
    me, each = os.getpid(), memory.socket_bytes()
    ends, pipes = sockets_full(20), [os.pipe() for _ in range(10)]
    pages = memory._share(me)  # noqa: SLF001  what there would be without them
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        alone, both = memory.used([me], 0), memory.used([me, child], 0)
        assert alone >= pages // 2 + 20 * each + 10 * memory.PIPE_BYTES
        assert both < alone + pages, "the child has the same sockets and pages"
        assert memory.used([me], 1 << 40) >= alone // 2 + 20 * each, "at most so much, at once"
        assert memory.used([me], 0, sockets=10_000) - alone > 9_000 * each
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for descriptor in (end for pipe in pipes for end in pipe):
            os.close(descriptor)
        for end in ends:
            end.close()


def test_sockets_of_a_network_are_counted_though_nobody_has_them_open() -> None:
    def inside() -> int:
        linux.unshare(linux.NEW_NET if os.getuid() == 0 else linux.NEW_NET | linux.NEW_USER)
        before = memory.sockets_of(os.getpid())
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
            listening.bind(f"{folder}/s")
            listening.listen(10)
            for _ in range(5):
                with socket.socket(socket.AF_UNIX) as end:
                    end.connect(f"{folder}/s")
                    end.send(b"x")
            return memory.sockets_of(os.getpid()) - before

    assert "11" == in_fork(inside), "one that listens, five that wait, five that were closed"
    assert 0 == memory.sockets_of(1 << 30), "there is no such process"


def test_tables_of_pages_are_counted() -> None:
    size = 64 << 30  # of address space: 32,768 tables, 128 MB
    before, most = memory.used([os.getpid()], 0), memory.used([os.getpid()], 1 << 50)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, size, flags=flags, prot=mmap.PROT_READ) as held:
        held.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, size, 2 << 20):
            assert 0 == held[offset]
        assert memory.used([os.getpid()], 0) - before > 100 << 20
        assert memory.used([os.getpid()], 1 << 50) - most > 100 << 20


# ------------------------------------------------------------------------------- families
def test_a_family_holds_those_who_lost_their_parent_and_not_who_ended() -> None:
    reader, writer = os.pipe()
    leader = os.fork()
    if leader == 0:
        linux.adopt_orphans()
        if os.fork() == 0:
            if os.fork() == 0:
                os.setsid()
                os.write(writer, b".")
                signal.pause()
            os._exit(0)  # an orphan is left, and an end that nobody waits for
        signal.pause()
    try:
        os.read(reader, 1)
        for _ in range(10_000):
            family = memory.families([leader])[leader]
            if len(family.members) == 1:
                break
        assert (1, 1) == (len(family.members), family.threads)
        assert [leader] == [pid for pid in memory.strays(os.getpid(), ()) if pid == leader]
        assert leader not in memory.strays(os.getpid(), [leader])
    finally:
        for pid in (*family.members, leader):
            os.kill(pid, 9)
        os.waitpid(leader, 0)
        os.close(reader)
        os.close(writer)


def test_what_a_killed_first_process_leaves_ends_before_its_folder_goes() -> None:
    """Somebody still at work in a folder could put links there while it is removed."""

    def inside() -> list[list[int]]:
        linux.adopt_orphans()
        reader, writer = os.pipe()
        first = os.fork()
        if first == 0:
            if os.fork() == 0:
                os.write(writer, b".")
            signal.pause()
        os.read(reader, 1)
        os.kill(first, signal.SIGKILL)
        found: list[list[int]] = []
        server: Any = object.__new__(serve.Server)  # with what it needs for this
        server.cage = SimpleNamespace(
            forget=lambda _: found.append(memory.strays(os.getpid(), ())),
        )
        server.groups, server.selector = None, selectors.DefaultSelector()
        server.wake_reader, _ = os.pipe2(os.O_NONBLOCK)
        line, _ = socket.socketpair()
        nobody = cage.Inmate(1, -1, 0, "", "")
        server.children = {first: serve.Child(first, line, -1, nobody)}
        while server.children:
            server._reap()  # noqa: SLF001  it is what SIGCHLD leads to
        return found

    assert "[[]]" == in_fork(inside)


def test_ids_of_kernels_are_nobody_elses_and_are_used_only_where_there_are_so_many(
    tmp_path: Path,
) -> None:
    usual = range(100_000, 600_100_000)  # of /etc/subuid, by login.defs
    containers, freeipa = range(524_288, 1_879_048_192), range(200_000, 2_000_200_001)
    kept = range(2_147_352_576, 1 << 32)  # by systemd
    ids = (cage.FIRST_ID, cage.FIRST_ID + cage.IDS - 1)
    assert not [each for each in ids for of in (usual, containers, freeipa, kept) if each in of]
    for text, expected in (
        ("0 0 4294967295\n", True),
        ("0 1000 1\n1 100000 65536\n", False),
        (f"{cage.FIRST_ID} 5 {cage.IDS}\n", True),
        (f"{cage.FIRST_ID} 5 {cage.IDS - 1}\n", False),
    ):
        (tmp_path / "uid_map").write_text(text)
        (tmp_path / "gid_map").write_text("0 0 4294967295\n")
        assert expected == cage.ids_exist(str(tmp_path))


def test_what_is_tried_in_a_fork_says_why_it_failed() -> None:
    cage.in_fork(lambda: None)
    with pytest.raises(OSError, match="by zero"):
        cage.in_fork(lambda: os.kill(1 // 0, 0))
    with pytest.raises(OSError, match="ended at once"):
        cage.in_fork(lambda: os.kill(os.getpid(), 9))


# ------------------------------------------------------------------------------- cgroups
@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of folders that behaves as cgroupfs: files appear with a group and go with it."""
    mounted = tmp_path / "cgroup"
    unit = mounted / "user" / "unit"
    (unit / "main").mkdir(parents=True)
    (mounted / "cgroup.controllers").write_text("cpu memory pids\n")
    (unit / "cgroup.controllers").write_text("cpu memory pids\n")
    (unit / "cgroup.subtree_control").write_text("")
    (tmp_path / "own").write_text("0::/user/unit/main\n")
    make, remove = os.mkdir, os.rmdir

    def mkdir(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(path, mode, dir_fd=dir_fd)
        for name in ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max"):
            (unit / path / name).write_text("")
        (unit / path / "cgroup.procs").write_text("")
        (unit / path / "memory.events").write_text("low 0\noom 0\noom_kill 0\n")

    def rmdir(path: str, *, dir_fd: int | None = None) -> None:
        if dir_fd is None:
            remove(path)
        else:
            shutil.rmtree(unit / path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(os, "rmdir", rmdir)
    return tmp_path


def found(fake: Path) -> groups.Groups:
    return groups.find(str(fake / "cgroup"), str(fake / "own"))


def test_a_kernel_gets_a_group_with_limits_which_goes_with_it(fake: Path) -> None:
    own, unit = found(fake), fake / "cgroup" / "user" / "unit"
    assert "+memory +pids" == (unit / "cgroup.subtree_control").read_text()
    assert ["main"] == [path.name for path in unit.iterdir() if path.is_dir()]
    name = own.make(7, 1 << 30)
    group = unit / name
    assert str(1 << 30) == (group / "memory.max").read_text()
    assert "0" == (group / "memory.swap.max").read_text()
    assert "1" == (group / "memory.oom.group").read_text()
    assert str(PROCESSES) == (group / "pids.max").read_text()
    own.join(name)
    assert "0" == (group / "cgroup.procs").read_text()
    assert not own.out_of_memory(name)
    (group / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert own.out_of_memory(name)
    own.make(8, 1 << 30)
    own.remove(name)
    own.remove_all()
    assert ["main"] == [path.name for path in unit.iterdir() if path.is_dir()]
    assert not own.out_of_memory(name)
    os.close(own.folder)


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("own", "0::/\n", "topmost"),
        ("own", "4:memory:/x\n", "topmost"),
        ("cgroup/user/unit/cgroup.controllers", "cpu pids\n", "does not offer memory"),
    ],
)
def test_where_there_can_be_no_groups_it_says_why(
    fake: Path, path: str, text: str, why: str
) -> None:
    (fake / path).write_text(text)
    with pytest.raises(OSError, match=why):
        found(fake)


def test_without_cgroups_of_version_2_it_says_so(fake: Path) -> None:
    (fake / "cgroup" / "cgroup.controllers").unlink()
    with pytest.raises(OSError, match="version 2"):
        found(fake)


def test_a_group_that_cannot_be_divided_is_named(
    fake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(groups.Groups, "write", refuse)
    with pytest.raises(OSError, match=r"unit cannot be divided: Device or resource busy"):
        found(fake)
