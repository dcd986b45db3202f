"""The file system that kernels see: the interpreter, its packages, fonts; nothing else is there.

It is built once, by the server for itself, and every kernel gets a copy in a mount namespace of
its own. All of it is read-only; a kernel's own folders are put on top by `cage`.
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterable, Iterator, Mapping

from grader.kernels.forked import linux

WORK, SHARED_MEMORY, STAGE = "/notebook", "/dev/shm", "/run"  # noqa: S108  mount points
TERMINALS = "/dev/pts"
DEVICES = ("null", "zero", "full", "random", "urandom")
LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
OLD = "/.old"
START = "/tmp"  # noqa: S108  any folder that every system has; its content is not touched
SYSTEM = (
    *("/bin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64"),
    *("/usr/libexec", "/usr/share/fontconfig", "/usr/share/fonts", "/usr/share/locale"),
    *("/usr/share/terminfo", "/usr/share/zoneinfo", "/usr/local/share/fonts"),
    *("/etc/alternatives", "/etc/fonts", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone"),
)
ETC = {
    "passwd": f"root:x:0:0::/:/bin/false\nstudent:x:{{uid}}:{{gid}}::{WORK}:/bin/sh\n",
    "group": "root:x:0:\nstudent:x:{gid}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


def needed() -> dict[str, str]:
    """Return the paths that Python and its packages are at, and what is really there."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    prefixes |= {os.path.dirname(os.path.dirname(path)) for path in _link_by_link(sys.executable)}
    prefixes |= {os.path.realpath(prefix) for prefix in prefixes}
    parts = ("bin", "lib", "lib64", "include", "pyvenv.cfg", "share/jupyter", "share/fonts")
    of_python = [f"{prefix.rstrip('/')}/{part}" for prefix in prefixes for part in parts]
    paths = {*SYSTEM, *of_python, *site.getsitepackages()}
    return {path: os.path.realpath(path) for path in _outermost(paths) if os.path.exists(path)}


def _link_by_link(path: str) -> Iterator[str]:
    """Yield what leads to a program, which its environment, its base and any alias of that are."""
    for _ in range(40):  # as many as Linux follows
        yield path
        if not os.path.islink(path):
            return
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))


def without(paths: Iterable[str], hidden: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what holds all that is below `paths`, but nothing that is below `hidden`.

    Returns:
        Paths to be given whole, and the folders on the way to what is hidden, of which no more
        than the names can be given. What is added there later is not among the first.
    """
    kept_out = {os.path.realpath(path) for path in hidden}
    whole, parted = [], []
    left = sorted({os.path.realpath(path) for path in paths})
    while left:
        path = left.pop()
        if any(path == out or path.startswith(f"{out}/") for out in kept_out):
            continue
        if not any(out.startswith(f"{path.rstrip('/')}/") for out in kept_out):
            whole.append(path)
            continue
        parted.append(path)
        inside = (f"{path.rstrip('/')}/{name}" for name in os.listdir(path))
        left += [each for each in inside if not os.path.islink(each)]  # it leads to what is given
    return whole, parted


def temporary(bound: Iterable[str]) -> str:
    """Return where kernels keep temporary files: not where it would hide something needed."""
    return "/var/tmp" if any(path.startswith("/tmp/") for path in bound) else "/tmp"  # noqa: S108  mount points


def _outermost(paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths that are not below another one."""
    last = ""
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not last or not path.startswith(f"{last}/"):
            yield path
            if os.path.exists(path):
                last = path


def enter(bound: Mapping[str, str], hidden: Iterable[str], *, uid: int, gid: int) -> None:
    """Change this process to a root that holds `bound`, but nothing of `hidden`.

    Needs a mount namespace of its own first. What goes wrong leaves the process of no use.

    Args:
        bound: each path that there shall be, and what is to be found there, without links.
        uid, gid: whom students' processes run as, for the list of users.
    """
    linux.mount("", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    flags = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("tmpfs", START, "tmpfs", flags, "size=1m,nr_inodes=20000,mode=755")
    os.makedirs(START + OLD)
    os.chdir(START)
    linux.pivot_root(".", OLD[1:])
    os.chdir("/")
    before = os.umask(0o022)
    _fill(uid, gid)
    for path, source in bound.items():
        _bind(path, OLD + source)
    for path in hidden:
        _hide(path)
    linux.unmount(OLD)
    os.rmdir(OLD)
    os.umask(before)
    linux.set_mount("/", linux.ATTR_READ_ONLY | linux.ATTR_NO_SUID)


def _fill(uid: int, gid: int) -> None:
    for path in (WORK, SHARED_MEMORY, STAGE, "/tmp", "/var/tmp", "/proc", "/etc", TERMINALS):  # noqa: S108  mount points
        os.makedirs(path, exist_ok=True)
    for name, text in ETC.items():
        with open(f"/etc/{name}", "w", encoding="ascii") as stream:
            stream.write(text.format(uid=uid, gid=gid))
    for name in DEVICES:
        _touch(f"/dev/{name}")
        linux.mount(f"{OLD}/dev/{name}", f"/dev/{name}", flags=linux.MS_BIND)
    for name, target in LINKS.items():
        os.symlink(target, f"/dev/{name}")
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def _bind(path: str, source: str) -> None:
    if os.path.isdir(source):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _touch(path)
    linux.mount(source, path, flags=linux.MS_BIND | linux.MS_REC)
    linux.set_mount(path, linux.ATTR_NO_DEV | linux.ATTR_NO_SUID | linux.ATTR_READ_ONLY)


def _hide(path: str) -> None:
    """Cover a file or folder that was bound with something else."""
    if os.path.isdir(path):
        linux.mount("tmpfs", path, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=4k,mode=555")
    elif os.path.exists(path):
        linux.mount("/dev/null", path, flags=linux.MS_BIND)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
