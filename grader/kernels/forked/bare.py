"""The cage without namespaces: a kernel is among others, and may touch nothing of theirs.

Landlock keeps files and signals from it, a stricter filter of system calls the network and all
that Landlock does not cover, and the server counts what it stores and begins. Its first process
stays outside of the innermost wall: it holds a wall of its own around itself and the kernel, so
that it can end at one stroke whatever was begun inside, and cannot itself be hurt from there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import stat
import time
from collections.abc import Iterable, Iterator
from typing import Any

from grader.kernels.forked import cage, landlock, limits, linux, root, seccomp, storage
from grader.kernels.forked.layers import BARE, IDENTITY, LANDLOCK, NEED_NAMESPACES, SECCOMP, USER

FOLDERS = "kernels"  # in the grader's own folder: one for each kernel, with these in it
WORK, TEMPORARY = "work", "tmp"
SPARE_PROCESSES = 4096  # of the same user, for all kernels together, if the server were too slow
RIGHTS = (
    *(linux.CAP_SETUID, linux.CAP_SETGID, linux.CAP_KILL),
    *(linux.CAP_CHOWN, linux.CAP_FOWNER, linux.CAP_DAC_OVERRIDE),
)
DEVICES = tuple(f"/dev/{name}" for name in root.DEVICES)
# Of /proc: what tells of the machine, and of the kernel itself. Not `net`, nor what leads to it.
MACHINE = tuple(
    f"/proc/{name}"
    for name in ("cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version")
)
OWN = tuple(
    f"/proc/self/{name}"
    for name in ("cmdline", "comm", "fd", "io", "limits", "maps", "mem", "smaps", "smaps_rollup")
) + tuple(f"/proc/self/{name}" for name in ("stat", "statm", "status"))


class Bare(cage.Cage):
    """Built by the server, which stays as it is itself."""

    leaves_by = signal.SIGTERM  # which it takes for the order to end all
    terminals = False  # those that there are belong to others

    def __init__(self, config: dict[str, Any], why: str) -> None:
        tests = {LANDLOCK: landlock.check, SECCOMP: seccomp.check}
        for layer, reason in cage.tried(tests, config["refused"]).items():
            raise OSError(f"{why}, and there is no {layer} ({reason})")
        self.base = os.path.join(config["folder"], FOLDERS)
        os.mkdir(self.base, 0o700)
        self.name = secrets.token_hex(8)  # of kernels' folders: nobody can guess another's
        needed = list(root.needed().values())
        try:
            self._open_to_others(config, needed)
            missing = {USER: why}
        except OSError as error:
            missing = {IDENTITY: str(error)}
            if landlock.version() < landlock.SCOPE_ABI:
                reason = "and Landlock keeps signals apart from Linux 6.12 on only"
                raise OSError(
                    f"kernels have no user ids of their own ({error}), {reason}"
                ) from error
        own_ids = IDENTITY not in missing
        missing |= dict.fromkeys(NEED_NAMESPACES, why)
        layers = {*BARE, *([IDENTITY] if own_ids else [])}
        super().__init__(frozenset(layers), missing, own_ids)
        self.needed = needed
        whole, parted = root.without(needed, config["hidden"])
        self.outer = landlock.ruleset([*whole, "/proc"], [*DEVICES, self.base], parted)
        self.descriptors = frozenset({self.outer})
        self.empty = os.path.join(self.base, "empty")
        os.mkdir(self.empty, 0o700)

    def _open_to_others(self, config: dict[str, Any], needed: list[str]) -> None:
        """Let other users reach kernels' folders. Raises OSError where there can be none."""
        if IDENTITY in config["refused"]:
            raise OSError("it was switched off")
        if not linux.has_capabilities(*RIGHTS):
            raise OSError("only root can give kernels user ids of their own")
        if not cage.ids_exist():
            raise OSError("this user namespace has too few user ids to give kernels their own")
        mode = stat.S_IMODE(os.stat(config["folder"]).st_mode)
        for path in (self.base, config["folder"]):
            os.chmod(path, 0o711)  # noqa: S103  others may go through, and list nothing

        def act() -> None:
            _become(cage.FIRST_ID, cage.FIRST_ID)
            os.stat(self.base)
            for path in needed:
                try:
                    os.close(os.open(path, os.O_RDONLY))
                except PermissionError:
                    raise OSError(f"other users cannot read {path}") from None

        try:
            cage.in_fork(act)
        except OSError:
            for path in (self.base, config["folder"]):
                os.chmod(path, mode)
            raise

    # --------------------------------------------------------------- in the server
    def inmate(self, number: int, staged: int, memory_bytes: int) -> cage.Inmate:
        folder = f"{self.base}/{self.name}-{number}-{secrets.token_hex(8)}"
        work, temporary = f"{folder}/{WORK}", f"{folder}/{TEMPORARY}"
        return cage.Inmate(number, staged, memory_bytes, work, temporary)

    def fork(self) -> int:
        return os.fork()

    def end(self, pid: int) -> None:
        """Ask a first process to end everything. One that has become deaf is ended by the guard."""
        os.kill(pid, signal.SIGTERM)

    def forget(self, inmate: cage.Inmate) -> None:
        """Remove a kernel's folder, if its first process could not."""
        with contextlib.suppress(OSError):
            storage.remove(os.path.dirname(inmate.work))

    def overfull(self, inmate: cage.Inmate, members: Iterable[int]) -> bool:
        folder = os.path.dirname(inmate.work)
        with contextlib.suppress(OSError):
            return storage.exceeds(
                folder, members, size=limits.STORAGE_BYTES, files=limits.STORED_FILES
            )
        return True

    def overcrowded(self, count: int) -> bool:
        return count > limits.PROCESSES

    def sockets(self, leader: int) -> int:
        """Say none: there is one network for all. Those that are open are counted as such."""
        return 0

    @contextlib.contextmanager
    def looking(self, inmate: cage.Inmate) -> Iterator[None]:
        """Look as the kernel's user: root without CAP_SYS_PTRACE may not, but one's like may."""
        if not self.own_ids:
            yield
            return
        user, group = self.ids(inmate)
        os.setegid(group)
        os.seteuid(user)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(os.getgid())
            linux.die_with_parent(signal.SIGKILL)  # a change of user makes Linux forget it

    # --------------------------------------------------------------- in its processes
    def enclose(self, inmate: cage.Inmate) -> None:
        """Make the kernel's folders, and be held together with it."""
        user, group = self.ids(inmate)
        os.umask(0o022)
        for path in (os.path.dirname(inmate.work), inmate.work, inmate.temporary):
            os.mkdir(path, 0o700)
            os.chown(path, user, group)
        cage.copy_tree(inmate.staged, inmate.work, user, group)
        linux.adopt_orphans()
        linux.set_dumpable(on=False)
        linux.no_new_privileges()
        landlock.enter(self.outer)
        os.close(self.outer)
        if not self.own_ids:
            linux.drop_capabilities()
            _must_be_alone()

    def enclose_kernel(self, inmate: cage.Inmate) -> None:
        user, group = self.ids(inmate)
        os.chdir(inmate.work)
        if self.own_ids:
            linux.drop_bounding_set()
            limits.set_rlimits(limits.rlimits(inmate.memory_bytes))
            _become(user, group)
        else:
            most = tasks_of(user) + SPARE_PROCESSES
            limits.set_rlimits(limits.rlimits(inmate.memory_bytes, most))
        linux.drop_capabilities()
        linux.set_dumpable(on=True)
        os.umask(0o022)
        own = [path for path in (*MACHINE, *OWN) if os.path.exists(path)]
        landlock.restrict([*self.needed, *own], [inmate.work, inmate.temporary, *DEVICES])
        families = (seccomp.UNIX,)
        seccomp.set_filter(seccomp.Reach(families, alone=True, owner=not self.own_ids))

    def end_the_rest(self, inmate: cage.Inmate) -> None:
        """End all in this process's own wall, and remove what they stored."""
        while _children():
            if self.own_ids:
                _end_all_of(*self.ids(inmate))
            else:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)  # whom Landlock lets be signalled, which is them
            _take_in()
            time.sleep(0.001)  # for them to end
        storage.remove(os.path.dirname(inmate.work))


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _must_be_alone() -> None:
    """Raise OSError unless signals to others are denied: soon all that can be reached is ended."""
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return
    raise OSError("Landlock does not keep signals apart")


def _end_all_of(user: int, group: int) -> None:
    """End every process of a user who has none elsewhere."""
    child = os.fork()
    if child == 0:
        try:
            _become(user, group)
            if os.getresuid() == (user, user, user):
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _children() -> bool:
    """Say whether there are any; one that has ended and was not waited for is one."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _take_in() -> None:
    """Wait for every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def tasks_of(user: int) -> int:
    """Return how many processes and threads a user has, for the limit counts them together."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                if os.stat(f"/proc/{name}").st_uid == user:
                    count += len(os.listdir(f"/proc/{name}/task"))
    return count
