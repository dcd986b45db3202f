"""The cage of namespaces: a kernel has a machine to itself, in which there is nothing to find.

Its first process is the first of a process namespace, shut in before it forks the kernel, so that
nothing it began outlives it and nothing gets from one to another.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from grader.kernels.forked import cage, landlock, limits, linux, memory, root, seccomp
from grader.kernels.forked.layers import (
    ALWAYS,
    HOST_NAME,
    IDENTITY,
    IPC,
    LANDLOCK,
    NETWORK,
    OPTIONAL,
    SECCOMP,
    USER,
)

PER_KERNEL = {NETWORK: linux.NEW_NET, IPC: linux.NEW_IPC, HOST_NAME: linux.NEW_UTS}
WRITABLE_DEVICES = (*(f"/dev/{name}" for name in root.DEVICES), root.TERMINALS)


def try_out(hidden: Iterable[str]) -> None:
    """Raise OSError where the system refuses any of what this cage cannot do without."""

    def act() -> None:
        own_ids = own_processes()
        cage.in_fork(lambda: in_namespace(own_ids))

    def in_namespace(own_ids: bool) -> None:  # noqa: FBT001  passed on once
        enter_root(hidden, own_ids=own_ids)
        linux.unshare(linux.NEW_PID)
        cage.in_fork(lambda: in_kernel(own_ids))

    def in_kernel(own_ids: bool) -> None:  # noqa: FBT001  passed on once
        linux.unshare(linux.NEW_NS)
        mount_own()
        if not own_ids:
            own_user(os.getuid(), os.getgid())

    cage.in_fork(act)


def own_processes() -> bool:
    """Have the next fork be the first of a process namespace.

    Returns:
        Whether this is root, who can give kernels ids, outside of a user namespace of its own.
    """
    root_here = linux.has_capabilities(linux.CAP_SYS_ADMIN) and cage.ids_exist()
    if not root_here:
        own_user(os.getuid(), os.getgid())
    linux.unshare(linux.NEW_PID)
    return root_here


def own_user(user: int, group: int) -> None:
    """Be the same user in a user namespace, where processes elsewhere do not count."""
    linux.unshare(linux.NEW_USER)
    linux.map_ids(user, group)


def enter_root(hidden: Iterable[str], *, own_ids: bool) -> str:
    """Change to the minimal root; return where kernels keep temporary files in it."""
    uid, gid = (cage.FIRST_ID, cage.FIRST_ID) if own_ids else (os.getuid(), os.getgid())
    bound = root.needed()
    linux.unshare(linux.NEW_NS)
    root.enter(bound, hidden, uid=uid, gid=gid)
    return root.temporary(bound)


class Namespaced(cage.Cage):
    """Built by the server for itself and its kernels, when it is the first of its namespace."""

    empty = root.WORK  # as long as nothing is mounted there

    def __init__(self, config: dict[str, Any], *, own_ids: bool) -> None:
        self.temporary = enter_root(config["hidden"], own_ids=own_ids)
        tests = {
            **{layer: _unsharing(flag) for layer, flag in PER_KERNEL.items()},
            LANDLOCK: landlock.check,
            SECCOMP: seccomp.check,
        }
        missing = cage.tried(tests, config["refused"])
        identity = IDENTITY if own_ids else USER
        super().__init__(frozenset({*ALWAYS, identity, *OPTIONAL} - set(missing)), missing, own_ids)
        self.own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def inmate(self, number: int, staged: int, memory_bytes: int) -> cage.Inmate:
        return cage.Inmate(number, staged, memory_bytes, root.WORK, self.temporary)

    def fork(self) -> int:
        """Fork a process that is the first of a new process namespace."""
        linux.unshare(linux.NEW_PID)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                linux.enter(self.own, linux.NEW_PID)
        return pid

    def end(self, pid: int) -> None:
        """End a process namespace by its first process."""
        os.kill(pid, signal.SIGKILL)

    def forget(self, inmate: cage.Inmate) -> None:
        """Do nothing: all that a kernel stored was gone with its mounts."""

    def overfull(self, inmate: cage.Inmate, members: Iterable[int]) -> bool:
        """Say no: the file system is as large as that."""
        return False

    def overcrowded(self, count: int) -> bool:
        """Say no: the system counts each kernel's."""
        return False

    def sockets(self, leader: int) -> int:
        return memory.sockets_of(leader) if NETWORK in self.layers else 0

    def looking(self, inmate: cage.Inmate) -> AbstractContextManager[None]:
        """Be as before: the server may look into whatever it has begun."""
        return nullcontext()

    # --------------------------------------------------------------- in its processes
    def enclose(self, inmate: cage.Inmate) -> None:
        own = [flag for layer, flag in PER_KERNEL.items() if layer in self.layers]
        linux.unshare(linux.NEW_NS | sum(own))
        user, group = self.ids(inmate)
        own_storage(inmate, user, group)
        be_nobody(user, group, inmate.memory_bytes, own_ids=self.own_ids)
        if LANDLOCK in self.layers:
            writable = (root.WORK, inmate.temporary, root.SHARED_MEMORY, *WRITABLE_DEVICES)
            landlock.restrict(["/"], writable)
        if SECCOMP in self.layers:
            seccomp.set_filter()

    def enclose_kernel(self, inmate: cage.Inmate) -> None:
        """Do nothing: the kernel is forked from a process that is shut in already."""

    def end_the_rest(self, inmate: cage.Inmate) -> None:
        """Do nothing: the end of a namespace's first process is the end of all in it."""


def _unsharing(flag: int) -> Callable[[], None]:
    return lambda: cage.in_fork(lambda: linux.unshare(flag))


def own_storage(inmate: cage.Inmate, user: int, group: int) -> None:
    """Put one tmpfs of bounded size under all that can be written, and the staged files in it."""
    flags = linux.MS_NOSUID | linux.MS_NODEV
    options = f"size={limits.STORAGE_BYTES},nr_inodes={limits.STORED_FILES},mode=755"
    linux.mount("tmpfs", root.STAGE, "tmpfs", flags, options)
    os.umask(0o022)
    for target in (root.WORK, inmate.temporary, root.SHARED_MEMORY):
        folder = f"{root.STAGE}/{target.strip('/').replace('/', '-')}"
        os.mkdir(folder, 0o700)
        if target == root.WORK:
            cage.copy_tree(inmate.staged, folder, user, group)
        os.chown(folder, user, group)
        linux.mount(folder, target, flags=linux.MS_BIND)
    linux.unmount(root.STAGE)
    mount_own()
    os.chdir(root.WORK)


def mount_own() -> None:
    """Mount what shows a kernel its own processes, and terminals for `!command`."""
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    options = "newinstance,ptmxmode=0666,mode=600"
    linux.mount("devpts", root.TERMINALS, "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, options)


def be_nobody(user: int, group: int, memory_bytes: int, *, own_ids: bool) -> None:
    """Give up every right but those of a user who owns nothing else."""
    linux.drop_bounding_set()
    if own_ids:
        os.setgroups([])
        limits.set_rlimits(limits.rlimits(memory_bytes))
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    else:
        own_user(user, group)
        limits.set_rlimits(limits.rlimits(memory_bytes))
        linux.drop_bounding_set()
    linux.drop_capabilities()
    linux.no_new_privileges()
    linux.set_dumpable(on=True)  # or /proc/self would be somebody else's now
    os.umask(0o022)
