"""What shuts kernels in: one interface, and what is the same however it is done.

There are two kinds. With namespaces of its own (`namespaced`) a kernel has a machine to itself, in
which there is nothing. Without (`bare`), where a system refuses them, it is among other processes
and files and may not touch any. The server takes one of them, at its beginning.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

# Ids of students' processes where the server is root. In bare cages all that has a kernel's id is
# ended, so they are nobody else's: above those of containers, of /etc/subuid as it is usual, and of
# FreeIPA (up to 2,000,200,000), and below what systemd keeps (from 2,147,352,576 on). There are so
# many that two graders at the same time hardly draw the same one.
FIRST_ID, IDS = 2_100_000_000, 40_000_000


@dataclass(frozen=True)
class Inmate:
    """One kernel that is to be shut in.

    Args:
        number: which differs from that of any other kernel of this server.
        staged: descriptor of the folder whose files the notebook finds in its own.
        work, temporary: where the kernel finds its folders.
    """

    number: int
    staged: int
    memory_bytes: int
    work: str
    temporary: str


class Cage(ABC):
    """How the kernels of this server are shut in.

    A kernel is two processes: a first one, without any of the student's code in it, which is shut
    in as far as it can be and stays its child's keeper, and the kernel proper.

    Args:
        layers: that hold kernels; one of them that fails then raises OSError, and the kernel does
            not start, rather than start with less.
        missing: the other layers, and why.
        own_ids: whether each kernel has a user id of its own, which needs root.
    """

    leaves_by: signal.Signals = signal.SIGKILL  # for a first process whose server is gone
    terminals = True  # whether a kernel can have some
    empty = ""  # a folder with nothing in it
    descriptors: frozenset[int] = frozenset()  # that a first process needs to be shut in

    def __init__(self, layers: frozenset[str], missing: Mapping[str, str], own_ids: bool) -> None:  # noqa: FBT001  each is passed on once
        self.layers, self.missing, self.own_ids = layers, dict(missing), own_ids

    # --------------------------------------------------------------- in the server
    @abstractmethod
    def inmate(self, number: int, staged: int, memory_bytes: int) -> Inmate:
        """Return what is to be shut in."""

    @abstractmethod
    def fork(self) -> int:
        """Fork a kernel's first process, as `os.fork`."""

    @abstractmethod
    def end(self, pid: int) -> None:
        """Have a first process and all that its kernel began ended."""

    @abstractmethod
    def forget(self, inmate: Inmate) -> None:
        """Remove what an ended kernel left."""

    @abstractmethod
    def overfull(self, inmate: Inmate, members: Iterable[int]) -> bool:
        """Say whether a kernel has stored more than it may, where nothing else sees to it."""

    @abstractmethod
    def overcrowded(self, count: int) -> bool:
        """Say whether a kernel has more processes than it may, where nothing else sees to it."""

    @abstractmethod
    def sockets(self, leader: int) -> int:
        """Count the sockets of a kernel, by its first process, where others' are elsewhere."""

    @abstractmethod
    def looking(self, inmate: Inmate) -> AbstractContextManager[None]:
        """Be, for a moment, somebody who may look into a kernel's processes."""

    # --------------------------------------------------------------- in its processes
    @abstractmethod
    def enclose(self, inmate: Inmate) -> None:
        """Shut a first process in, or make ready what shuts its kernel in."""

    @abstractmethod
    def enclose_kernel(self, inmate: Inmate) -> None:
        """Shut the kernel proper in, where it is not yet."""

    @abstractmethod
    def end_the_rest(self, inmate: Inmate) -> None:
        """End what a kernel left; by its first process, which then ends itself."""

    # --------------------------------------------------------------- what both kinds do
    def ids(self, inmate: Inmate) -> tuple[int, int]:
        """Return the user and group that a kernel's processes have."""
        if self.own_ids:
            return FIRST_ID + inmate.number % IDS, FIRST_ID + inmate.number % IDS
        return os.getuid(), os.getgid()


def ids_exist(folder: str = "/proc/self") -> bool:
    """Say whether there are such ids here: in a container's user namespace there may be few."""
    return all(_maps(f"{folder}/{name}") for name in ("uid_map", "gid_map"))


def _maps(path: str) -> bool:
    """Say whether one line of a map (first inside, first outside, how many) has all the ids."""
    with open(path, encoding="ascii") as stream:
        lines = [[int(word) for word in line.split()] for line in stream]
    return any(first <= FIRST_ID and first + count >= FIRST_ID + IDS for first, _, count in lines)


def tried(tests: Mapping[str, Callable[[], None]], refused: Iterable[str]) -> dict[str, str]:
    """Return the layers that cannot be had, and why; `refused` are not tried."""
    missing = {layer: "it was switched off" for layer in refused if layer in tests}
    for layer, test in tests.items():
        if layer not in missing:
            try:
                test()
            except OSError as error:
                missing[layer] = str(error)
    return missing


def in_fork(act: Callable[[], None]) -> None:
    """Do something in a process that is gone then; OSError, with the reason, if it cannot."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        why = "it ended at once"
        try:
            act()
            why = ""
        except BaseException as error:  # noqa: BLE001  whatever it is, it cannot be done
            why = str(error) or type(error).__name__
        finally:
            os.write(writer, why.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        reason = stream.read().decode()
    if os.waitpid(child, 0)[1]:
        reason = reason or "it ended at once"
    if reason:
        raise OSError(reason)


def copy_tree(source: int, target: str, user: int, group: int) -> None:
    """Copy the files below a folder given by descriptor, which may be of another root."""
    for folder, names, files, descriptor in os.fwalk(".", dir_fd=source):
        inside = os.path.normpath(os.path.join(target, folder))
        for name in names:
            os.mkdir(f"{inside}/{name}")
            os.chown(f"{inside}/{name}", user, group)
        for name in files:
            given = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=descriptor)
            with open(given, "rb") as reader, open(f"{inside}/{name}", "wb") as writer:
                shutil.copyfileobj(reader, writer)
                os.fchown(writer.fileno(), user, group)


def forget_random_numbers() -> None:
    """Draw other numbers than the other forks of this process, which share its generators."""
    import numpy as np  # noqa: PLC0415  loaded by the server after this module

    random.seed()
    np.random.seed()  # noqa: NPY002  it is the global generator that is shared


def clean_variables(given: Mapping[str, str]) -> None:
    """Put these environment variables in place of all there are."""
    os.environ.clear()
    os.environ.update(given)
