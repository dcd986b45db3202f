"""Each layer by itself, without a kernel: in a fork of the test, or on a folder made for it."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the layers are Linux's", allow_module_level=True)

from grader.kernels.forked import cage, groups, landlock, linux, memory, root, seccomp, storage
from grader.kernels.forked.limits import PROCESSES

BARE = seccomp.Reach((seccomp.UNIX,), alone=True, owner=True)


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
        (lambda: os.chown("/", -1, -1), "EPERM"),
        (called(434, 1, 0), "ENOSYS"),
        (lambda: linux.unshare(linux.NEW_USER), "EPERM"),
    ],
)
def test_the_filter_of_bare_kernels_answers(act: Callable[[], object], expected: str) -> None:
    assert filtered(BARE, act) == expected


def test_a_mode_is_said_to_be_changed_and_is_not(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(0o644)
    assert "None" == filtered(BARE, lambda: file.chmod(0))
    assert 0o644 == file.stat().st_mode & 0o777
    own = seccomp.Reach((seccomp.UNIX,), alone=True)
    assert "None" == filtered(own, lambda: file.chmod(0o600))
    assert 0o600 == file.stat().st_mode & 0o777


@pytest.mark.parametrize("reach", [seccomp.NAMESPACED, BARE])
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
