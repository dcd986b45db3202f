"""Seccomp: system calls that no notebook needs and that attacks begin with, denied.

The filter is a small BPF program. It denies by list, because Jupyter and numpy need most calls of
an ordinary program; what is on the list is what reaches beyond the process or into rarely used
parts of the kernel. A filter built for one machine ends a process of any other ABI.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator

from grader.kernels.forked.linux import number_of, system_call

# Each call's number on x86_64 and aarch64; None: it does not exist there.
DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "pidfd_send_signal": (424, 424), "move_pages": (279, 239), "migrate_pages": (256, 238),
    # mounts and namespaces
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "setns": (308, 268), "unshare": (272, 97), "move_mount": (429, 429), "open_tree": (428, 428),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "open_tree_attr": (467, 467), "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264), "mknod": (133, None), "mknodat": (259, 33),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225),
    # the kernel itself
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142),
    "syslog": (103, 116), "acct": (163, 89), "iopl": (172, None), "ioperm": (173, None),
    "personality": (135, 92), "vhangup": (153, 58), "lookup_dcookie": (212, 18),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "sethostname": (170, 161), "setdomainname": (171, 162),
    # parts of it that notebooks do without
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "fanotify_init": (300, 262), "vmsplice": (278, 75), "modify_ldt": (154, None),
    # memory that neither rlimits nor the watch see
    "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186),
    "mq_open": (240, 180), "mbind": (237, 235), "set_mempolicy": (238, 237),
}  # fmt: skip
# Programs try these and do without where the answer is that there is no such call.
ABSENT = {"clone3": (435, 435), "memfd_create": (319, 279)}
ASKED = {"clone": (56, 220), "socket": (41, 198)}
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW… flag of clone
FAMILIES = (1, 2, 10)  # unix; IPv4 and IPv6 lead nowhere, and say so as usual
X32 = 0x40000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
_SET_FILTER = 1


def set_filter() -> None:
    """Put the filter on this process and all that it begins. Needs no_new_privs."""
    code = program(platform.machine())
    instructions = ctypes.create_string_buffer(code, len(code))
    given = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    system_call("seccomp", number_of("seccomp"), _SET_FILTER, 0, given)


def program(machine: str) -> bytes:
    """Return the BPF program for a machine. Raises OSError where its calls are not known."""
    if machine not in AUDIT:
        raise OSError(f"the system calls of {machine} are not known here")
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(machine))


def _steps(machine: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield (operation, steps to skip if true, if false, operand)."""
    column = list(AUDIT).index(machine)
    yield LOAD, 0, 0, ARCHITECTURE
    yield from _return_if(EQUAL, AUDIT[machine], KILL, unless=True)
    yield LOAD, 0, 0, NUMBER
    yield from _return_if(AT_LEAST, X32, ERROR | errno.ENOSYS)
    for table, code in ((ABSENT, errno.ENOSYS), (DENIED, errno.EPERM)):
        for row in table.values():
            if (number := row[column]) is not None:
                yield from _return_if(EQUAL, number, ERROR | code)
    clone, socket = ASKED["clone"][column], ASKED["socket"][column]
    yield EQUAL, 0, 4, clone
    yield LOAD, 0, 0, FIRST_ARGUMENT
    yield from _return_if(ANY_BIT, NEW_NAMESPACES, ERROR | errno.EPERM)
    yield RETURN, 0, 0, ALLOW
    yield EQUAL, 0, 2 + 2 * len(FAMILIES), socket
    yield LOAD, 0, 0, FIRST_ARGUMENT
    for family in FAMILIES:
        yield from _return_if(EQUAL, family, ALLOW)
    yield RETURN, 0, 0, ERROR | errno.EPERM
    yield RETURN, 0, 0, ALLOW


def _return_if(
    test: int, operand: int, action: int, *, unless: bool = False
) -> Iterator[tuple[int, int, int, int]]:
    yield (test, 1, 0, operand) if unless else (test, 0, 1, operand)
    yield RETURN, 0, 0, action
