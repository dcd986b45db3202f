"""Landlock: which files a process may read or change, kept by the kernel whoever it runs as."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Sequence

from grader.kernels.forked.linux import system_call

CREATE, ADD_RULE, RESTRICT = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
SINCE_FIRST = (1 << 13) - 1
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
NET_TCP, SCOPES = 3, 3  # bind and connect; abstract sockets and signals
NET_ABI, SCOPE_ABI = 4, 6
_RULE_PATH, _VERSION = 1, 1


def version() -> int:
    """Return the ABI of this system's Landlock; 0: it has none."""
    with contextlib.suppress(OSError):
        return system_call("landlock", CREATE, None, 0, _VERSION)
    return 0


def check() -> None:
    """Raise OSError where the system has no Landlock."""
    if version() < 1:
        raise OSError("the kernel has no Landlock")


def handled(abi: int) -> int:
    """Return every file right that an ABI knows, as bits."""
    later = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
    return SINCE_FIRST | sum(bit for since, bit in later.items() if abi >= since)


def restrict(readable: Sequence[str], writable: Sequence[str]) -> None:
    """Deny this process everything but reading below `readable` and using `writable`.

    Raises OSError where the system has no Landlock. Needs no_new_privs.
    """
    rules = ruleset(readable, writable)
    try:
        enter(rules)
    finally:
        os.close(rules)


def ruleset(readable: Sequence[str], writable: Sequence[str], listable: Sequence[str] = ()) -> int:
    """Return a descriptor of rules that any number of processes may `enter`.

    They allow reading below `readable`, anything but devices of one's own below `writable`, and
    below `listable` to see the names; and no signals or abstract sockets to who is outside.
    """
    check()
    abi = version()
    every = handled(abi)
    fields = (every, NET_TCP if abi >= NET_ABI else 0, SCOPES if abi >= SCOPE_ABI else 0)
    used = 3 if abi >= SCOPE_ABI else 2 if abi >= NET_ABI else 1
    attributes = struct.pack(f"={used}Q", *fields[:used])
    rules = system_call("landlock ruleset", CREATE, attributes, len(attributes), 0)
    try:
        for paths, rights in (
            (readable, (EXECUTE | READ_FILE | READ_DIR) & every),
            (writable, every & ~(MAKE_CHAR | MAKE_BLOCK)),
            (listable, READ_DIR),
        ):
            for path in paths:
                _allow(rules, path, rights)
    except BaseException:
        os.close(rules)
        raise
    return rules


def enter(rules: int) -> None:
    """Be held by `rules` for good, besides those that hold already. Needs no_new_privs."""
    system_call("landlock", RESTRICT, rules, 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    below = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(below).st_mode):
            rights &= OF_FILES
        rule = struct.pack("=Qi", rights, below)
        system_call(f"landlock {path}", ADD_RULE, ruleset, _RULE_PATH, rule, 0)
    finally:
        os.close(below)
