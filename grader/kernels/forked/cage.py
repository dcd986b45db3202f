"""Shut a forked process in, layer by layer, before any of a student's code is there.

Every function is one step that the process takes itself; `shut_in` takes all of them in the one
order that works and says which layers hold. A layer that the server promised and that fails here
raises OSError: the kernel then does not start, rather than start with less.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from grader.kernels.forked import landlock, limits, linux, root, seccomp
from grader.kernels.forked.layers import (
    CAPABILITIES,
    FILES,
    HOST_NAME,
    IDENTITY,
    IPC,
    LANDLOCK,
    LIMITS,
    MEMORY,
    NETWORK,
    PRIVILEGES,
    PROCESSES,
    SECCOMP,
    STORAGE,
    USER,
)

PER_KERNEL = {NETWORK: linux.NEW_NET, IPC: linux.NEW_IPC, HOST_NAME: linux.NEW_UTS}
STORAGE_BYTES, STORED_FILES = 512 << 20, 20_000
FIRST_ID, IDS = 200_000, 50_000  # user ids of students' processes where the server is root
WRITABLE_DEVICES = (*(f"/dev/{name}" for name in root.DEVICES), root.TERMINALS)


@dataclass(frozen=True)
class Cage:
    """How the kernels of this server are shut in."""

    layers: frozenset[str]  # that work here
    temporary: str
    own_ids: bool  # whether there is an id for each kernel, which needs root


def shut_in(cage: Cage, staged: int, *, memory_bytes: int, number: int) -> list[str]:
    """Shut this process in for good; it is the first of its process namespace.

    Args:
        staged: descriptor of the folder whose files the notebook finds in its own.
        number: of this kernel, which gives its user id where it has its own.

    Returns:
        The layers that hold it.
    """
    held = [PROCESSES, FILES, *own_namespaces(cage.layers)]
    user = FIRST_ID + number % IDS if cage.own_ids else os.getuid()
    group = user if cage.own_ids else os.getgid()
    own_storage(cage.temporary, staged, user, group)
    held += [STORAGE, MEMORY]
    be_nobody(user, group, memory_bytes, own_ids=cage.own_ids)
    held += [IDENTITY if cage.own_ids else USER, LIMITS, CAPABILITIES, PRIVILEGES]
    if LANDLOCK in cage.layers:
        writable = (root.WORK, cage.temporary, root.SHARED_MEMORY, *WRITABLE_DEVICES)
        landlock.restrict(["/"], writable)
        held.append(LANDLOCK)
    if SECCOMP in cage.layers:
        seccomp.set_filter()
        held.append(SECCOMP)
    return held


def own_namespaces(layers: frozenset[str]) -> list[str]:
    """Leave the server's mounts, network, ipc and host name for new and empty ones."""
    own = [layer for layer in PER_KERNEL if layer in layers]
    linux.unshare(linux.NEW_NS | sum(PER_KERNEL[layer] for layer in own))
    return own


def own_storage(temporary: str, staged: int, user: int, group: int) -> None:
    """Put one tmpfs of bounded size under all that can be written, and the staged files in it."""
    flags = linux.MS_NOSUID | linux.MS_NODEV
    options = f"size={STORAGE_BYTES},nr_inodes={STORED_FILES},mode=755"
    linux.mount("tmpfs", root.STAGE, "tmpfs", flags, options)
    os.umask(0o022)
    for target in (root.WORK, temporary, root.SHARED_MEMORY):
        folder = f"{root.STAGE}/{target.strip('/').replace('/', '-')}"
        os.mkdir(folder, 0o700)
        if target == root.WORK:
            copy_tree(staged, folder, user, group)
        os.chown(folder, user, group)
        linux.mount(folder, target, flags=linux.MS_BIND)
    linux.unmount(root.STAGE)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    options = "newinstance,ptmxmode=0666,mode=600"  # `!command` runs in a terminal of its own
    linux.mount("devpts", root.TERMINALS, "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, options)
    os.chdir(root.WORK)


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


def be_nobody(user: int, group: int, memory_bytes: int, *, own_ids: bool) -> None:
    """Give up every right but those of a user who owns nothing else."""
    linux.drop_bounding_set()
    if own_ids:
        os.setgroups([])
        limits.set_rlimits(limits.rlimits(memory_bytes))
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    else:
        linux.unshare(linux.NEW_USER)  # where processes of the same user elsewhere do not count
        linux.map_ids(user, group)
        limits.set_rlimits(limits.rlimits(memory_bytes))
        linux.drop_bounding_set()
    linux.drop_capabilities()
    linux.no_new_privileges()
    linux.set_dumpable(on=True)  # or /proc/self would be somebody else's now
    os.umask(0o022)


def forget_random_numbers() -> None:
    """Draw other numbers than the other forks of this process, which share its generators."""
    import numpy as np  # noqa: PLC0415  loaded by the server after this module

    random.seed()
    np.random.seed()  # noqa: NPY002  it is the global generator that is shared


def clean_variables(given: Mapping[str, str]) -> None:
    """Put these environment variables in place of all there are."""
    os.environ.clear()
    os.environ.update(given)
