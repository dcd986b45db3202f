"""Linux system calls that Python 3.11 has no function for. One function a call; OSError if not."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import struct

NEW_NS, NEW_UTS, NEW_IPC = 0x20000, 0x4000000, 0x8000000
NEW_USER, NEW_PID, NEW_NET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
ATTR_READ_ONLY, ATTR_NO_SUID, ATTR_NO_DEV = 1, 2, 4
# Old calls, whose numbers differ between machines; newer ones have the same number everywhere.
NUMBERS = {
    "x86_64": {"pivot_root": 155, "capset": 126, "seccomp": 317},
    "aarch64": {"pivot_root": 41, "capset": 91, "seccomp": 277},
}
MOUNT_SETATTR = 442
_DETACH, _AT_RECURSIVE, _AT_FDCWD = 2, 0x8000, -100
_PDEATHSIG, _DUMPABLE, _CAPBSET_DROP, _SUBREAPER, _NO_NEW_PRIVS, _AMBIENT = 1, 4, 24, 36, 38, 47
_CAPABILITIES = 64  # at most; prctl says where they end
_CAP_VERSION = 0x20080522
CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SETGID, CAP_SETUID = 0, 1, 3, 5, 6, 7
CAP_SYS_ADMIN = 21
_LIBC = ctypes.CDLL(None, use_errno=True)


def system_call(what: str, number: int, *arguments: object) -> int:
    """Make a system call by its number; pointers are given as bytes."""
    return _checked(_LIBC.syscall(ctypes.c_long(number), *map(_argument, arguments)), what)


def number_of(name: str) -> int:
    """Return the number of one of the calls in NUMBERS on this machine."""
    try:
        return NUMBERS[platform.machine()][name]
    except KeyError:
        raise OSError(f"{name} has no known number on {platform.machine()}") from None


def _argument(value: object) -> object:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def _prctl(what: str, option: int, *values: int) -> int:
    given = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return _checked(_LIBC.prctl(option, *given), what)


# ------------------------------------------------------------------------------- namespaces
def unshare(flags: int) -> None:
    _checked(_LIBC.unshare(flags), f"unshare {flags:#x}")


def enter(namespace: int, flags: int) -> None:
    _checked(_LIBC.setns(namespace, flags), "setns")


def map_ids(uid: int, gid: int) -> None:
    """Be the same user inside a new user namespace as outside."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1")):
        _write(f"/proc/self/{name}", text)
    _write("/proc/self/gid_map", f"{gid} {gid} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------------------- mounts
def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    given = [os.fsencode(text) if text else None for text in (source, target, kind)]
    data = options.encode() if options else None
    result = _LIBC.mount(*given, ctypes.c_ulong(flags), data)
    _checked(result, f"mount {kind or source} on {target}")


def unmount(target: str) -> None:
    _checked(_LIBC.umount2(os.fsencode(target), _DETACH), f"umount {target}")


def set_mount(target: str, attributes: int) -> None:
    """Add attributes to a mount and to every mount below it. Needs Linux 5.12."""
    given = struct.pack("=QQQQ", attributes, 0, 0, 0)
    path = os.fsencode(target)
    system_call(
        f"mount_setattr {target}", MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, given, len(given)
    )


def pivot_root(new: str, old: str) -> None:
    system_call("pivot_root", number_of("pivot_root"), os.fsencode(new), os.fsencode(old))


# ------------------------------------------------------------------------------- rights
def has_capabilities(*wanted: int) -> bool:
    """Say whether this process has all these rights of root's."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
        line = next(line for line in stream if line.startswith("CapEff:"))
    effective = int(line.split()[1], 16)
    return all(effective >> capability & 1 for capability in wanted)


def drop_bounding_set() -> None:
    """Give up for ever what a set-uid program could otherwise win back. Needs CAP_SETPCAP."""
    for capability in range(_CAPABILITIES):
        try:
            _prctl("PR_CAPBSET_DROP", _CAPBSET_DROP, capability)
        except OSError:
            if capability == 0:
                raise
            return


def drop_capabilities() -> None:
    with contextlib.suppress(OSError):  # there are none before Linux 4.3
        _prctl("PR_CAP_AMBIENT_CLEAR_ALL", _AMBIENT, 4)
    header, data = struct.pack("=Ii", _CAP_VERSION, 0), struct.pack("=6I", *[0] * 6)
    system_call("capset", number_of("capset"), header, data)


def no_new_privileges() -> None:
    _prctl("PR_SET_NO_NEW_PRIVS", _NO_NEW_PRIVS, 1)


def set_dumpable(*, on: bool) -> None:
    """Say whether processes of the same user may look into this one; setuid turns it off."""
    _prctl("PR_SET_DUMPABLE", _DUMPABLE, int(on))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent has ended."""
    _prctl("PR_SET_CHILD_SUBREAPER", _SUBREAPER, 1)


def die_with_parent(signal_number: int) -> None:
    _prctl("PR_SET_PDEATHSIG", _PDEATHSIG, signal_number)
