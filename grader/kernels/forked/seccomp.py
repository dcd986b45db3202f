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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grader.kernels.forked.linux import number_of, system_call

PRIO_PROCESS, IOPRIO_WHO_PROCESS = 0, 1
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
    "statmount": (457, 457), "listmount": (458, 458),
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
    # that of others, where there is one namespace for all
    "shmat": (30, 196), "shmctl": (31, 195), "semop": (65, 193), "semctl": (66, 191),
    "semtimedop": (220, 192), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_unlink": (241, 181),
}  # fmt: skip
# Programs try these and do without where the answer is that there is no such call. The last three
# would have pipes and sockets hold pages of files, of which nothing says how large they are.
ABSENT = {
    "clone3": (435, 435), "memfd_create": (319, 279),
    "splice": (275, 76), "tee": (276, 77), "sendfile": (40, 71),
}  # fmt: skip
# What Landlock does not cover, where a kernel shares its user with others.
OF_OWNERS = {
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "file_setattr": (469, 469),
}  # fmt: skip
# Nor this, which may be done to a file by whoever may write it, and be told by whoever may read.
OF_FILES = {
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "removexattrat": (466, 466), "inotify_init": (253, None), "inotify_init1": (294, 26),
}  # fmt: skip
# Said to be done and not done: much that is harmless copies a file's mode and times along.
PRETENDED = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip
# Of these processes may only do to themselves: by naming no other, and no group or user of them.
# argument, counted from 0 -> what it must be
OF_ITSELF = {
    "prlimit64": (302, 261, {0: 0}),
    "setpriority": (141, 140, {0: PRIO_PROCESS, 1: 0}),
    "ioprio_set": (251, 30, {0: IOPRIO_WHO_PROCESS, 1: 0}),
}
# These name threads, which cannot be told from others' processes; libzmq ends if they fail.
OF_THREADS = {
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setattr": (314, 274),
    "sched_setaffinity": (203, 122),
}  # fmt: skip
# The ways to a socket that has a name; another is a kind whose messages can be addressed.
NAMED = {"connect": (42, 203), "bind": (49, 200), "listen": (50, 201)}
# They can take descriptors along, and what is on its way nobody who watches would see.
TAKING = {"sendmsg": (46, 211), "sendmmsg": (307, 269)}
SEEN = {"pidfd_open": (434, 434)}  # another process
ASKED = {
    "clone": (56, 220), "socket": (41, 198), "socketpair": (53, 199), "setsockopt": (54, 208),
    "fcntl": (72, 25),
}  # fmt: skip
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NEW_NAMESPACES = 0x7E020080  # every CLONE_NEW… flag of clone
UNIX, IPV4, IPV6 = 1, 2, 10
STREAM, PACKETS = 1, 5  # kinds of sockets that have one other end, for good
# What lies in sockets and pipes is in no rlimit: they stay as large as they are made.
SOL_SOCKET, F_SETPIPE_SZ = 1, 1031
SIZES = (7, 8, 32, 33)  # SO_SNDBUF, SO_RCVBUF, and the same by force
X32 = 0x40000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
KIND_BITS = 0xF  # of a socket's second argument; the rest are flags
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000
DENY = ERROR | errno.EPERM
NUMBER, ARCHITECTURE, FIRST_ARGUMENT, ARGUMENT = 0, 4, 16, 8
_SET_FILTER = 1
Step = tuple[int, int, int, int]  # operation, steps to skip if true, if false, operand
Table = Mapping[str, tuple[int | None, int | None]]


@dataclass(frozen=True)
class Reach:
    """How far calls may reach that ordinary programs make.

    Args:
        families: of sockets that may be made.
        alone: whether no socket may have a name, be connected to one or take descriptors along, no
            folder be watched, no file be given attributes and no other process be changed, for want
            of namespaces of its own.
        owner: whether files of others belong to the same user, so that their mode, times and owner
            could be changed without opening them.
    """

    families: tuple[int, ...] = (UNIX, IPV4, IPV6)  # these lead nowhere, and say so as usual
    alone: bool = False
    owner: bool = False


NAMESPACED = Reach()


def check() -> None:
    """Raise OSError where there can be no filter."""
    program(platform.machine())
    with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
        if "Seccomp:" not in stream.read():
            raise OSError("the kernel has no seccomp")


def set_filter(reach: Reach = NAMESPACED) -> None:
    """Put the filter on this process and all that it begins. Needs no_new_privs."""
    code = program(platform.machine(), reach)
    instructions = ctypes.create_string_buffer(code, len(code))
    given = struct.pack("@HxxxxxxP", len(code) // 8, ctypes.addressof(instructions))
    system_call("seccomp", number_of("seccomp"), _SET_FILTER, 0, given)


def program(machine: str, reach: Reach = NAMESPACED) -> bytes:
    """Return the BPF program for a machine. Raises OSError where its calls are not known."""
    if machine not in AUDIT:
        raise OSError(f"the system calls of {machine} are not known here")
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(machine, reach))


def _steps(machine: str, reach: Reach) -> Iterator[Step]:
    column = list(AUDIT).index(machine)
    yield LOAD, 0, 0, ARCHITECTURE
    yield from _return_if(EQUAL, AUDIT[machine], KILL, unless=True)
    yield LOAD, 0, 0, NUMBER
    yield from _return_if(AT_LEAST, X32, ERROR | errno.ENOSYS)
    for table, code in _tables(reach):
        for row in table.values():
            if (number := row[column]) is not None:
                yield from _return_if(EQUAL, number, ERROR | code)
    for x86, arm, demands in OF_ITSELF.values() if reach.alone else ():
        steps = [step for argument, value in demands.items() for step in _only(argument, (value,))]
        yield from _asking((x86, arm)[column], *steps)
    new = _return_if(ANY_BIT, NEW_NAMESPACES, ERROR | errno.EPERM)
    yield from _asking(ASKED["clone"][column], (LOAD, 0, 0, FIRST_ARGUMENT), *new)
    kinds = _only(1, (STREAM, PACKETS), mask=KIND_BITS) if reach.alone else ()
    yield from _asking(ASKED["socket"][column], *_only(0, reach.families), *kinds)
    yield from _asking(ASKED["socketpair"][column], *kinds)
    # Said to be done: Linux too makes them smaller than asked for, and says nothing.
    of_size = (*_only(1, (SOL_SOCKET,), answer=ALLOW), *_none(2, SIZES, answer=ERROR | 0))
    yield from _asking(ASKED["setsockopt"][column], *of_size)
    yield from _asking(ASKED["fcntl"][column], *_none(1, (F_SETPIPE_SZ,)))
    yield RETURN, 0, 0, ALLOW


def _tables(reach: Reach) -> Iterator[tuple[Table, int]]:
    """Yield calls that are answered without looking further, and the error that is the answer."""
    yield ABSENT, errno.ENOSYS
    yield DENIED, errno.EPERM
    if reach.alone:
        yield NAMED, errno.EACCES
        yield OF_FILES, errno.EPERM
        yield TAKING, errno.EPERM
        yield SEEN, errno.ENOSYS
        yield OF_THREADS, 0  # said to be done, and not done
    if reach.owner:
        yield OF_OWNERS, errno.EPERM
        yield PRETENDED, 0


def _asking(number: int, *steps: Step) -> Iterator[Step]:
    """Yield steps for one call only; what they do not answer is allowed."""
    yield EQUAL, 0, len(steps) + 1, number
    yield from steps
    yield RETURN, 0, 0, ALLOW


def _only(argument: int, values: tuple[int, ...], mask: int = 0, answer: int = DENY) -> list[Step]:
    """Return steps that answer a call whose argument, counted from 0, is none of `values`."""
    load: list[Step] = [(LOAD, 0, 0, FIRST_ARGUMENT + ARGUMENT * argument)]
    masked: list[Step] = [(AND, 0, 0, mask)] if mask else []
    tests: list[Step] = [
        (EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)
    ]
    return [*load, *masked, *tests, (RETURN, 0, 0, answer)]


def _none(argument: int, values: tuple[int, ...], answer: int = DENY) -> list[Step]:
    """Return steps that answer a call whose argument, counted from 0, is one of `values`."""
    load: Step = (LOAD, 0, 0, FIRST_ARGUMENT + ARGUMENT * argument)
    return [load, *(step for value in values for step in _return_if(EQUAL, value, answer))]


def _return_if(test: int, operand: int, action: int, *, unless: bool = False) -> Iterator[Step]:
    yield (test, 1, 0, operand) if unless else (test, 0, 1, operand)
    yield RETURN, 0, 0, action
