"""Attacks on what lies beyond the process: the network, other processes, rights, the end."""

from __future__ import annotations

from tests.adversarial.attack import SHORT, Attack, attack, tries

SOCKETS = "import socket\n"


def nets(*acts: str) -> Attack:
    return Attack(cells=(SOCKETS, *tries(*acts).cells))


NETWORK = {
    "tcp": nets(
        "socket.create_connection(('127.0.0.1', TARGETS['tcp port']), 2).send(b'x')",
        "socket.create_connection(('::1', TARGETS['tcp port']), 2).send(b'x')",
        "socket.create_connection(('192.0.2.1', 80), 2)",
    ),
    "udp": nets(
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', TARGETS['udp port']))",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('255.255.255.255', 9))",
    ),
    "raw and packet": nets(
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)",
    ),
    "netlink, vsock, alg and others": nets(
        *(
            f"socket.socket({family}, {kind})"
            for family in (16, 40, 38, 29, 31, 15)
            for kind in (1, 2, 3)
        ),
    ),
    "abstract unix sockets": nets(
        "socket.socket(socket.AF_UNIX).connect(chr(0) + TARGETS['abstract']) or 'connected'"
    ),
    "named unix sockets": nets(
        "socket.socket(socket.AF_UNIX).connect(TARGETS['unix']) or 'connected'",
        "socket.socket(socket.AF_UNIX).connect('/run/docker.sock') or 'connected'",
        "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket') or 'connected'",
    ),
    "dns": nets(
        "__import__('_socket').getaddrinfo('example.com', 80)",
        "__import__('_socket').gethostbyname('localhost.localdomain')",
    ),
    "an interface of its own": nets(
        "__import__('fcntl').ioctl(socket.socket(), 0x8914, b'lo' + bytes(14) + b'\\x01\\x00' + bytes(14))",
        "os.open('/dev/net/tun', os.O_RDWR)",
        "len(socket.if_nameindex()) > 1",
    ),
}

PROCESSES = {
    "a fork bomb": attack(
        """
print("TRIED", flush=True)
children = 0
try:
    while children < 1000:  # a fuse
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        children += 1
except OSError as error:
    print("TRIED", error)
if children >= 1000:
    time.sleep(100)  # for whoever watches
    print("GOT", children)
"""
    ),
    "a daemon that outlives the kernel": attack(
        """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 256)
        os.chdir("/")
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        time.sleep(600)
    os._exit(0)
os.wait()
print("TRIED")
"""
    ),
    "a daemon begun by a probe": attack(
        """
def double(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return 3 * x
print("TRIED")
"""
    ),
    "signals to the parent, to others, to all": attack(
        """
print("TRIED", flush=True)
time.sleep(0.1)
for pid in (1, TARGETS["grader pid"], TARGETS["victim"]):
    for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except OSError:
            pass
for group in (0, 1):
    try:
        os.killpg(TARGETS["victim"], signal.SIGKILL)
    except OSError:
        pass
if os.fork() == 0:
    os.kill(-1, signal.SIGKILL)
    os._exit(0)
os.wait()
"""
    ),
    "signals by pidfd, timers and sigqueue": tries(
        "call(434, TARGETS['victim'], 0)",
        "call(424, returned(434, os.getpid(), 0), 9, 0, 0)",
        "call(424, os.open('/proc/self', os.O_RDONLY), 9, 0, 0)",
        "call(424, os.open(f\"/proc/{TARGETS['victim']}\", os.O_RDONLY), 9, 0, 0)",
        # si_code SI_QUEUE, which anybody may give whom a signal may be sent to
        "call(129, TARGETS['victim'], 9, struct.pack('iii', 9, 0, -1) + bytes(116))",
        "call(297, TARGETS['victim'], TARGETS['victim'], 9, struct.pack('iii', 9, 0, -1) + bytes(116))",
        "call(200, TARGETS['victim'], 9)",
        "call(234, TARGETS['victim'], TARGETS['victim'], 9)",
    ),
    "others' priority, limits and processors": tries(
        "os.setpriority(os.PRIO_PROCESS, TARGETS['victim'], 19) or 'set'",
        "os.setpriority(os.PRIO_PROCESS, 0, -20) or 'set'",
        "os.sched_setaffinity(TARGETS['victim'], {0}) or len(os.sched_getaffinity(TARGETS['victim'])) == 1",
        "os.sched_setscheduler(TARGETS['victim'], os.SCHED_IDLE, os.sched_param(0)) or "
        "os.sched_getscheduler(TARGETS['victim']) == os.SCHED_IDLE",
        "__import__('resource').prlimit(TARGETS['victim'], 7)",
        "__import__('resource').setrlimit(2, (-1, -1)) or 'set'",
        "__import__('resource').setrlimit(6, (-1, -1)) or 'set'",
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or os.sched_getscheduler(0) == os.SCHED_FIFO",
        "__import__('resource').prlimit(TARGETS['victim'], 7, (0, 0)) or 'set'",
        "call(251, 1, TARGETS['victim'], 3 << 13)",
        # Of all of the same user: what it is that this does, the victim shows.
        "os.setpriority(os.PRIO_USER, 0, 19)",
        "os.setpriority(os.PRIO_PGRP, TARGETS['victim group'], 19)",
        "call(251, 3, 0, 3 << 13) and None",
        "call(251, 2, TARGETS['victim group'], 3 << 13)",
    ),
}

RIGHTS = {
    "another user": tries(
        *(f"os.{name}(0) or 'root'" for name in ("setuid", "setgid", "seteuid", "setegid")),
        "os.setgroups([0]) or 'groups'",
        "os.setresuid(0, 0, 0) or 'root'",
        "b'uid=0' in __import__('subprocess').run(['su', '-c', 'id'], capture_output=True).stdout",
        "b'uid=0' in __import__('subprocess').run(['sudo', '-n', 'id'], capture_output=True).stdout",
        "os.chown('/notebook', 0, 0) or 'chown'",
    ),
    "a set-uid program of its own": attack(
        """
with open("/bin/sh", "rb") as shell:
    made = os.open("sh", os.O_CREAT | os.O_WRONLY, 0o6755)
    os.write(made, shell.read())
    os.close(made)
os.chmod("sh", 0o6755)
out = os.popen("./sh -p -c 'echo TRIED; read line < /etc/shadow && echo GOT shadow; [ $(id -u) = 0 ] && echo GOT root'").read()
print(out)
"""
    ),
    "namespaces": tries(
        *(f"call(272, {flag:#x})" for flag in (0x10000000, 0x20000000, 0x40000000, 0x20000, 0x80)),
        "call(56, 0x10000000 | 17, 0, 0, 0, 0)",
        "call(435, ctypes.create_string_buffer(bytes(8) + bytes(80)), 88)",
        "call(308, os.open('/proc/self/ns/pid', os.O_RDONLY), 0)",
        "call(308, os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)",
    ),
    "ptrace": tries("call(101, 0, 0, 0, 0)", "call(101, 16, 1, 0, 0)", "call(101, 16902, 1, 0, 0)"),
    "mounts": tries(
        "call(165, b'tmpfs', b'/tmp', b'tmpfs', 0, None)",
        "call(165, b'/dev/null', b'/etc/passwd', None, 4096, None)",
        "call(165, None, b'/', None, 0x20 | 4096, None)",
        "call(166, b'/proc', 2)",
        "call(155, b'.', b'.')",
        "call(430, b'tmpfs', 0)",
        "call(428, -100, b'/', 1)",
        "call(442, -100, b'/', 0, bytes(32), 32)",
    ),
    "devices": tries(
        "os.mknod('disk', 0o60666, os.makedev(259, 0)) or 'made'",
        "os.mknod('mem', 0o20666, os.makedev(1, 1)) or 'made'",
        "os.mknod('/dev/shm/vda', 0o60666, os.makedev(254, 0)) or 'made'",
    ),
    "chroot and handles of files": tries(
        "os.chroot('/tmp') or 'changed'",
        "call(303, -100, b'/', ctypes.create_string_buffer(200), ctypes.create_string_buffer(8), 0)",
        "call(304, 3, ctypes.create_string_buffer(200), 0)",
    ),
    "io_uring": tries("call(425, 8, ctypes.create_string_buffer(120))", "call(427, 0, 0, 0, 0)"),
    "bpf and perf": tries(
        "call(321, 0, ctypes.create_string_buffer(120), 120)",
        "call(298, ctypes.create_string_buffer(120), 0, -1, -1, 0)",
    ),
    "keys": tries(
        "call(250, 0, -3, 1)",
        "call(248, b'user', b'k', b'v', 1, -3)",
        "call(249, b'user', b'k', None, -3)",
    ),
    "userfaultfd and its kin": tries(
        "call(323, 0)",
        "call(319, b'x', 0)",
        "call(447, 0)",
        "call(300, 0, 0)",
        "call(278, 1, 0, 0, 0)",
        "call(154, 0, 0, 0)",
    ),
    "the machine itself": tries(
        "call(169, 0xfee1dead, 672274793, 0, None)",
        "call(170, b'owned', 5)",
        "call(164, ctypes.create_string_buffer(16), None)",
        "call(175, b'', 0, b'')",
        "call(246, 0, 0, 0, 0)",
        "call(163, b'/tmp/acct')",
        "call(135, 0x0040000)",
        "call(172, 3)",
    ),
    "shared memory of the old kind": tries(
        "call(29, 0x1234, 4096, 0o1666) or 'made'",
        "call(68, 0x1234, 0o1666) or 'made'",
        "call(64, 0x1234, 1, 0o1666) or 'made'",
        "call(240, b'x', 0o102, 0o666, None)",
    ),
    "another way to make system calls": attack(
        """
import mmap
def machine_code(code):
    page = mmap.mmap(-1, 4096, prot=7)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
if os.fork() == 0:  # the 32-bit entry: setuid32(0) by int 0x80
    result = machine_code(b"\\x53\\xb8\\xd5\\x00\\x00\\x00\\x31\\xdb\\xcd\\x80\\x5b\\xc3")
    os._exit(42 if result == 0 else 0)
if os.waitstatus_to_exitcode(os.wait()[1]) == 42:
    print("GOT int 0x80")
attempt("x32", lambda: call(0x40000000 | 39))
"""
    ),
}

LEAVING = {
    "os._exit": attack("print('TRIED', flush=True)\nos._exit(0)", sign="The kernel was gone"),
    "os._exit with a reply first": attack(
        "def double(x):\n    os.write(2, b'passed')\n    os._exit(0)\nprint('TRIED')",
    ),
    "sys.exit": attack("print('TRIED')\nsys.exit(0)"),
    "exit of the shell": attack("print('TRIED')\nget_ipython().ask_exit()\nexit()\nquit()"),
    "kills itself": attack("os.kill(os.getpid(), 9)", sign="The kernel was gone"),
    "stops itself": attack("os.kill(os.getpid(), signal.SIGSTOP)", seconds=SHORT, sign="stopped"),
    "a segmentation fault": attack("ctypes.string_at(0)", sign="The kernel was gone"),
    "closes every descriptor": attack(
        "os.closerange(3, 1024)", seconds=SHORT, sign="The kernel was gone"
    ),
    "closes the kernel's sockets": attack(
        "kernel = get_ipython().kernel\nfor s in (kernel.shell_stream.socket, kernel.iopub_socket):\n"
        "    try: s.close(0)\n    except Exception: pass\nprint('TRIED')",
        seconds=SHORT,
        sign="was stopped after",
    ),
    "a probe that kills the kernel": attack(
        "def double(x):\n    os.kill(os.getppid(), 9)\n    time.sleep(600)\nprint('TRIED')",
    ),
}
