"""Limits that the system keeps for a kernel's processes together: a cgroup of version 2 for each.

They can be had where the account was given a group to divide up (by systemd's `Delegate=`, or a
container with a group of its own to write to): the groups of kernels are then made beside the
one that this process is in. Everywhere else `find` says why not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass

from grader.kernels.forked.limits import PROCESSES

MOUNTED, OWN = "/sys/fs/cgroup", "/proc/self/cgroup"
CONTROLLERS = ("memory", "pids")


@dataclass(frozen=True)
class Groups:
    """A folder of cgroupfs, by descriptor, in which groups for kernels can be made."""

    folder: int
    name: str  # how they begin

    def make(self, number: int, memory_bytes: int) -> str:
        """Make the group of one kernel and return its name.

        Args:
            memory_bytes: of all its processes, with what they store in memory.
        """
        group = f"{self.name}-{number}"
        os.mkdir(group, 0o755, dir_fd=self.folder)
        try:
            for file, text in (
                ("memory.max", str(memory_bytes)),
                ("pids.max", str(PROCESSES)),
                ("memory.oom.group", "1"),
            ):
                self.write(f"{group}/{file}", text)
            with contextlib.suppress(OSError):  # where there is no swap to forbid
                self.write(f"{group}/memory.swap.max", "0")
        except OSError:
            self.remove(group)
            raise
        return group

    def join(self, group: str) -> None:
        """Put this process into a group, with all that it begins."""
        self.write(f"{group}/cgroup.procs", "0")

    def out_of_memory(self, group: str) -> bool:
        """Say whether the system ended processes of a group for want of memory."""
        with contextlib.suppress(OSError):
            for line in _read(f"{group}/memory.events", self.folder).splitlines():
                kind, _, count = line.partition(" ")
                if kind in ("oom_kill", "oom_group_kill") and int(count):
                    return True
        return False

    def remove(self, group: str) -> None:
        """Remove a group, whose processes have ended."""
        with contextlib.suppress(OSError):
            os.rmdir(group, dir_fd=self.folder)

    def remove_all(self) -> None:
        """Remove every group of this server's; for when it has ended."""
        for name in os.listdir(self.folder):
            if name.startswith(f"{self.name}-"):
                self.remove(name)

    def write(self, path: str, text: str) -> None:
        """Write one of the files that groups are steered by."""
        descriptor = os.open(path, os.O_WRONLY, dir_fd=self.folder)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def find(mounted: str = MOUNTED, own: str = OWN) -> Groups:
    """Return where groups can be made. Raises OSError, with the reason, where they cannot.

    Args:
        mounted: where the cgroups are.
        own: the file that says which this process is in.
    """
    with open(own, encoding="utf-8") as stream:
        lines = [line.rstrip("\n") for line in stream]
    path = next((line[3:] for line in lines if line.startswith("0::")), "")
    if not os.path.exists(f"{mounted}/cgroup.controllers"):
        raise OSError(f"there are no cgroups of version 2 at {mounted}")
    if path in ("", "/"):
        raise OSError("this process is in the topmost cgroup, and its limits are not to be had")
    parent = os.path.dirname(f"{mounted}{path}")
    folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        groups = Groups(folder, f"grader-{secrets.token_hex(4)}")
        _divide(groups, parent)
        groups.remove(groups.make(0, 1 << 30))
    except BaseException:
        os.close(folder)
        raise
    return groups


def _divide(groups: Groups, parent: str) -> None:
    """Have the groups below a folder be limited."""
    offered = _read("cgroup.controllers", groups.folder).split()
    if lacking := [name for name in CONTROLLERS if name not in offered]:
        raise OSError(f"the cgroup {parent} does not offer {' and '.join(lacking)}")
    if not set(CONTROLLERS) <= set(_read("cgroup.subtree_control", groups.folder).split()):
        try:
            groups.write("cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))
        except OSError as error:
            raise OSError(f"the cgroup {parent} cannot be divided: {error.strerror}") from error


def _read(path: str, folder: int) -> str:
    descriptor = os.open(path, os.O_RDONLY, dir_fd=folder)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as stream:
        return stream.read()
