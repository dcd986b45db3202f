"""The fork server: one process, one thread, that has imported everything and forks kernels.

    grader ── guard ── server ── first process of a kernel ── the kernel ── what it begins
                       (pid 1)   (pid 1 of its own)

The guard is outside the server's process namespace: it ends the server when the grader is gone,
however that came, and removes what the grader left. The server's end is the end of every kernel,
and a kernel's first process's end is that of all that the kernel began: Linux sees to both.

Over the control socket come requests, one a packet: JSON, with the descriptors of the kernel's
line, of its staged folder and of its listening sockets. The line carries {"signal": n} one way;
the other way {"started": layers} or {"error": text}, and {"ended": code, "why": text} at the end.
When the grader's side of a line is closed, the kernel is killed.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import selectors
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from grader.kernels.forked import app, cage, landlock, layers, linux, memory, root, seccomp
from grader.kernels.forked.channels import CHANNELS

WATCH_SECONDS = 0.1
LARGEST_REQUEST = 1 << 16
DESCRIPTORS = 2 + len(CHANNELS)
FOLDERS = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")
STAGED = "staged-*"  # links, in the grader's own folder, to the folders that it staged
TOO_MUCH_MEMORY = "memory"


@dataclass
class Child:
    """A kernel, as the server knows it.

    `line` leads to the grader; what the kernel says before it starts is read from `report`.
    """

    pid: int
    line: socket.socket
    report: int
    memory_bytes: int
    said: bytes = b""
    why: str = ""


def main(control: socket.socket, config: dict[str, Any]) -> NoReturn:
    """Become a guard and a server; neither returns.

    Args:
        config: `folder`, the grader's own, which the guard removes, with the folders that links in
            it lead to if their names begin with `staged`; `hidden`, paths that kernels
            must not see; `refused`, layers to do without; `environment` of kernels, in which
            @work and @temporary stand for folders; `prelude` and `harness`, texts for every kernel.
    """
    try:
        own_ids = _own_processes(control, config)
        app.preload()
        app.prepare(config["prelude"], config["harness"])
        server = Server(control, config, _enter_root(config, own_ids=own_ids))
        server.get_ready()
    except BaseException:  # noqa: BLE001  whatever it is, the grader shall hear of it
        _tell(control, {"error": traceback.format_exc(limit=-3)})
        os._exit(1)
    server.serve()


# ------------------------------------------------------------------------------- beginning
def _own_processes(control: socket.socket, config: dict[str, Any]) -> bool:
    """Return in a process that is the first of its namespace, guarded from outside.

    Returns:
        Whether it is root outside of any user namespace of its own.
    """
    root_here = linux.may_administrate()
    if not root_here:
        user, group = os.getuid(), os.getgid()
        linux.unshare(linux.NEW_USER)
        linux.map_ids(user, group)
    linux.unshare(linux.NEW_PID)
    child = os.fork()
    if child:
        _guard(control, child, config)
    linux.die_with_parent(signal.SIGKILL)
    return root_here


def _guard(control: socket.socket, server: int, config: dict[str, Any]) -> NoReturn:
    """Wait for the end of the grader or of the server; leave neither anything behind."""
    folder = Path(config["folder"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watched = select.poll()
    watched.register(control, 0)  # hung up
    watched.register(os.pidfd_open(server), select.POLLIN)
    watched.poll()
    os.kill(server, signal.SIGKILL)
    os.waitpid(server, 0)
    if _is_hung_up(control):  # or else the grader starts another server, with the same folder
        for staged in map(os.path.realpath, folder.glob(STAGED)):
            if os.path.basename(staged).startswith(config["staged"]):  # made for it, and no other
                shutil.rmtree(staged, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _is_hung_up(control: socket.socket) -> bool:
    poll = select.poll()
    poll.register(control, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _enter_root(config: dict[str, Any], *, own_ids: bool) -> cage.Cage:
    """Change to the minimal root; return how kernels are to be shut in from here."""
    uid, gid = (cage.FIRST_ID, cage.FIRST_ID) if own_ids else (os.getuid(), os.getgid())
    bound = root.needed()
    linux.unshare(linux.NEW_NS)
    root.enter(bound, config["hidden"], uid=uid, gid=gid)
    always = frozenset((*layers.ALWAYS, layers.IDENTITY if own_ids else layers.USER))
    return cage.Cage(always, root.temporary(bound), own_ids)


def _optional(refused: list[str]) -> tuple[set[str], dict[str, str]]:
    """Return the layers that kernels can do without and have here, and why not the others."""
    tests: dict[str, Callable[[], None]] = {
        **{layer: _unshares(flag) for layer, flag in cage.PER_KERNEL.items()},
        layers.LANDLOCK: _has_landlock,
        layers.SECCOMP: _has_seccomp,
    }
    missing = dict.fromkeys(refused, "it was switched off")
    for layer, test in tests.items():
        if layer not in missing:
            try:
                test()
            except OSError as error:
                missing[layer] = str(error)
    return set(tests) - set(missing), missing


def _unshares(flag: int) -> Callable[[], None]:
    def test() -> None:
        child = os.fork()
        if child == 0:
            try:
                linux.unshare(flag)
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1]:
            raise OSError("the system refused a new namespace")

    return test


def _has_landlock() -> None:
    if landlock.version() < 1:
        raise OSError("the kernel has no Landlock")


def _has_seccomp() -> None:
    seccomp.program(os.uname().machine)
    if "Seccomp:" not in Path("/proc/self/status").read_text(encoding="ascii", errors="replace"):
        raise OSError("the kernel has no seccomp")


# ------------------------------------------------------------------------------- serving
class Server:
    """Forks kernels on request, watches over them and tells their end."""

    def __init__(self, control: socket.socket, config: dict[str, Any], shell: cage.Cage) -> None:
        optional, self.missing = _optional(config["refused"])
        self.cage = cage.Cage(shell.layers | optional, shell.temporary, shell.own_ids)
        self.control, self.config = control, config
        self.children: dict[int, Child] = {}
        self.number = int.from_bytes(os.urandom(2), "big")
        self.own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.selector = selectors.DefaultSelector()
        self.wake_reader, self.wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watched = 0.0
        self.variables = {
            name: value.replace("@work", root.WORK).replace("@temporary", self.cage.temporary)
            for name, value in config["environment"].items()
        }

    def get_ready(self) -> None:
        """Rehearse, and tell the grader that kernels can be had and how they are held."""
        app.learn(self._rehearse())
        gc.collect()
        gc.freeze()  # a collection in a kernel would copy every page that it looks at
        threads = len(list(Path("/proc/self/task").iterdir()))
        if threads != 1:
            raise OSError(f"the fork server has {threads} threads")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_writer, warn_on_full_buffer=False)
        self.selector.register(self.control, selectors.EVENT_READ, self._request)
        self.selector.register(self.wake_reader, selectors.EVENT_READ, self._reap)
        _tell(self.control, {"layers": sorted(self.cage.layers), "missing": self.missing})

    def serve(self) -> NoReturn:
        """Answer until the grader hangs up; the kernels end with this process."""
        while True:
            for key, _ in self.selector.select(WATCH_SECONDS if self.children else None):
                key.data()
            if self.children and time.monotonic() - self.watched > WATCH_SECONDS:
                self._watch_memory()

    def _request(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(self.control, LARGEST_REQUEST, DESCRIPTORS)
        if not packet:
            os._exit(0)
        line = socket.socket(fileno=descriptors[0])
        try:
            request = json.loads(packet)
            child = self._fork(request, descriptors[1], descriptors[2:], line)
        except Exception as error:  # noqa: BLE001  one kernel's trouble is not the server's
            _tell(line, {"error": f"{type(error).__name__}: {error}"})
            line.close()
            return
        finally:
            for descriptor in descriptors[1:]:
                os.close(descriptor)
        self.children[child.pid] = child
        line.setblocking(False)
        self.selector.register(line, selectors.EVENT_READ, lambda: self._obey(child))
        self.selector.register(child.report, selectors.EVENT_READ, lambda: self._hear(child))

    def _obey(self, child: Child) -> None:
        """Pass a signal on to a kernel; kill it when the grader wants no more of it."""
        if child.pid not in self.children:
            return  # it ended in this very round
        try:
            packet = child.line.recv(LARGEST_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        number = json.loads(packet)["signal"] if packet else signal.SIGKILL
        if not packet:
            self.selector.unregister(child.line)
        os.kill(child.pid, number)

    def _hear(self, child: Child) -> None:
        """Take what a kernel says before it has run any of a student's code."""
        if child.report < 0:
            return
        chunk = os.read(child.report, LARGEST_REQUEST)
        child.said += chunk
        if chunk:
            return
        self.selector.unregister(child.report)
        os.close(child.report)
        child.report = -1
        for said in child.said.splitlines()[-1:]:
            _tell(child.line, json.loads(said))

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake_reader, LARGEST_REQUEST)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.children:
                self._end(self.children.pop(pid), os.waitstatus_to_exitcode(status))

    def _end(self, child: Child, code: int) -> None:
        while child.report >= 0:
            self._hear(child)
        with contextlib.suppress(KeyError):  # the grader hung up first
            self.selector.unregister(child.line)
        _tell(child.line, {"ended": code, "why": child.why})
        child.line.close()

    def _watch_memory(self) -> None:
        """Kill the kernels whose processes together use more than they may."""
        self.watched = time.monotonic()
        for leader, members in memory.families(self.children).items():
            child = self.children[leader]
            if memory.used(members, child.memory_bytes) > child.memory_bytes:
                child.why = TOO_MUCH_MEMORY
                os.kill(leader, signal.SIGKILL)

    # --------------------------------------------------------------- forking
    def _fork(
        self, request: dict[str, Any], staged: int, sockets: list[int], line: socket.socket
    ) -> Child:
        """Fork a kernel; return in the server only."""
        self.number += 1
        reader, writer = os.pipe()
        try:
            pid = self._fork_namespace()
            if pid == 0:
                self._become_kernel(request, staged, sockets, writer)
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        return Child(pid, line, reader, int(request["memory_bytes"]))

    def _fork_namespace(self) -> int:
        """Fork a process that is the first of a new process namespace."""
        linux.unshare(linux.NEW_PID)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                linux.enter(self.own, linux.NEW_PID)
        return pid

    def _become_kernel(
        self, request: dict[str, Any], staged: int, sockets: list[int], report: int
    ) -> NoReturn:
        """Be a kernel's first process: shut oneself in, fork the kernel, outlive what it leaves."""
        try:
            held = self._shut_in(staged, {staged, report, *sockets}, int(request["memory_bytes"]))
            os.close(staged)
            kernel = os.fork()
            if kernel == 0:
                _run_kernel(request["key"].encode(), sockets, report, held)
            _keep_only(set())
            linux.set_dumpable(on=False)
            _wait_for(kernel)
        except BaseException:  # noqa: BLE001  the grader shall hear of it
            _fail(report)
        finally:
            os._exit(1)

    def _shut_in(self, staged: int, kept: set[int], memory_bytes: int) -> list[str]:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        linux.die_with_parent(signal.SIGKILL)
        _keep_only(kept)
        os.setsid()
        cage.forget_random_numbers()
        held = cage.shut_in(self.cage, staged, memory_bytes=memory_bytes, number=self.number)
        cage.clean_variables(self.variables)
        app.make_folders(self.variables, FOLDERS)
        return held

    def _rehearse(self) -> list[str]:
        """Start a kernel as others will be, and return the names of what it had to import."""
        self.number += 1
        listening = [socket.socket(socket.AF_UNIX) for _ in CHANNELS]
        for each in listening:
            each.bind("")  # an address that Linux makes up
            each.listen()
        staged = os.open(root.WORK, os.O_RDONLY)
        reader, writer = os.pipe()
        pid = self._fork_namespace()
        if pid == 0:
            self._be_rehearsal(staged, [each.fileno() for each in listening], writer)
        os.close(writer)
        os.close(staged)
        for each in listening:
            each.close()
        with os.fdopen(reader, encoding="utf-8") as stream:
            text = stream.read()
        os.waitpid(pid, 0)
        said: dict[str, Any] = json.loads(text or '{"error": "the rehearsal ended at once"}')
        if "error" in said:
            raise OSError(said["error"])
        found: list[str] = said["found"]
        return found

    def _be_rehearsal(self, staged: int, sockets: list[int], report: int) -> NoReturn:
        try:
            self._shut_in(staged, {staged, report, *sockets}, 1 << 40)
            found = app.rehearse(sockets)
            _write(report, json.dumps({"found": found}))
        except BaseException:  # noqa: BLE001  the grader shall hear of it
            _fail(report)
        finally:
            os._exit(0)


def _run_kernel(key: bytes, sockets: list[int], report: int, held: list[str]) -> NoReturn:
    """Be the kernel. What it reports is said before any of a student's code is here."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        linux.die_with_parent(signal.SIGKILL)
        linux.set_dumpable(on=True)
        kernel = app.start(key, sockets)
        _write(report, json.dumps({"started": held}))
        os.close(report)
        report = -1
        kernel.start()  # type: ignore[no-untyped-call]  # ipykernel's
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0
    except BaseException:  # noqa: BLE001  the grader shall hear of it
        if report >= 0:
            _fail(report)
    finally:
        os._exit(code)


def _wait_for(kernel: int) -> NoReturn:
    """Take the ends of all processes in, pass interrupts on, and end with the kernel."""

    def interrupt(_number: int, _frame: object) -> None:
        with contextlib.suppress(OSError):
            os.killpg(kernel, signal.SIGINT)

    signal.signal(signal.SIGINT, interrupt)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == kernel:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _keep_only(kept: set[int]) -> None:
    """Close every other descriptor, which a fork inherits whatever its flags, and all of 0 to 2."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:  # noqa: PLR2004  the standard streams
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(name))


def _fail(report: int) -> None:
    with contextlib.suppress(OSError):
        _write(report, "\n" + json.dumps({"error": traceback.format_exc(limit=-3)}))


def _write(descriptor: int, text: str) -> None:
    left = text.encode()
    while left:
        left = left[os.write(descriptor, left) :]


def _tell(line: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the grader is gone: so shall we be, soon
        line.send(json.dumps(message).encode())


if __name__ == "__main__":
    sys.exit("This runs in the fork server, which grader.kernels.server starts.")
