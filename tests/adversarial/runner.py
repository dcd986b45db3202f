"""Grade the corpus in one mode, in a process of its own, and say as JSON what came of it.

    python -m tests.adversarial.runner MODE FOLDER < names

The process is a grader that has what students want: secrets in files, in its environment and its
memory, sockets that listen, a process to be hurt. What it says is read by `test_attacks`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.errors import KernelError
from grader.execution.executor import NotebookExecutor
from grader.execution.workplace import Workplace
from grader.grading.batch import Exam, Judged, run
from grader.kernels.forked import linux, seccomp
from grader.kernels.server import ForkServer
from grader.kernels.warm import WarmKernels
from grader.model import Grade, Late, Limits, Student, Submission
from grader.packs import load_pack
from grader.reports.console import check_report, results_table
from grader.reports.html import feedback_page
from grader.reports.results import write_results
from grader.reports.tables import attention_rows, write_attention, write_grades
from grader.scoring import score
from tests.adversarial.attack import NAMESPACES_REFUSED, Attack, Mode
from tests.adversarial.corpus import ALL
from tests.execution.scenarios import code, descendants, notebook

SECRET = "GRADER_SECRET_OF_TEST"  # noqa: S105  a variable's name
ORDINARY_ID = 64_001
MS_MOVE = 8192
IOPRIO_GET, PRCTL = 252, 157  # as the numbers of the attacks: on x86_64
# Of root's rights a default container has: chown, dac_override, fowner, fsetid, kill, setgid,
# setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap.
IN_CONTAINERS = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
MOST_CAPABILITIES, PR_CAPBSET_DROP, CAPSET_VERSION = 64, 24, 0x20080522
AT_ONCE = 6
LATER_SECONDS = 0.5
LONGEST, SHOWN = 300_000, 300  # characters of outputs that are reported, and of a success
PATIENCE_SECONDS = 900.0  # nothing waits for it: a machine may be very busy
LIMITS = Limits(
    notebook_seconds=600.0, memory_bytes=1 << 29, output_bytes=2 << 20, answer_bytes=1 << 20
)
RIGHT = ["2", ""]  # points of a right notebook, and that nothing went wrong
RUBRIC = """
title = "Doubling"
reference = "reference.py"
[seeds]
public = [1]
hidden = 1
[[item]]
id = "double"
title = "double"
section = "code"
points = 2
check = [{id = "double_values", title = "values", points = 2, probe = "doubled"}]
"""
PROBE = """
from grader.probes import Names, Rng, probe

@probe
def doubled(names: Names, rng: Rng) -> object:
    return names.double(1 + rng.rand(3))
"""
NEIGHBOUR = ("import time\ndef double(x): return 2 * x", "time.sleep(0.2)", "print('done')")
PREAMBLE = """
import ctypes, os, signal, struct, sys, time
TARGETS = {targets}
libc = ctypes.CDLL(None, use_errno=True)
def returned(call, *arguments):
    "Make a system call, by its number on x86_64; return what it returns."
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(call), *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def call(*arguments):
    "The same; return what is true even if it returns 0."
    return f"returned {{returned(*arguments)}}"
def attempt(what, act):
    try:
        result = act()
    except BaseException as error:
        print("TRIED", what, type(error).__name__, str(error)[:100])
    else:
        print("TRIED", what)
        if result:
            print("GOT", what, repr(result)[:200])
def double(x): return 3 * x
"""


# ------------------------------------------------------------------------------- modes
def enter(mode: Mode) -> None:
    """Be in `mode`: as an ordinary user this program is begun anew."""
    if mode is Mode.ROOT:
        return
    if os.geteuid() == 0:
        make_readable()
    if mode is Mode.ROOT_BARE:
        keep_capabilities(IN_CONTAINERS)
    elif os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)
        os.setresuid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID)
        os.execv(  # noqa: S606  this very program
            sys.executable, [sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        )
    if mode in NAMESPACES_REFUSED:
        linux.no_new_privileges()
        seccomp.set_filter()  # new namespaces and mounts are refused, as in a default container


def keep_capabilities(kept: Collection[int]) -> None:
    """Give up all other rights of root's for good, as a container's first process has."""
    for capability in range(MOST_CAPABILITIES):
        if capability not in kept:
            with contextlib.suppress(OSError):  # there are not so many
                linux.system_call("prctl", PRCTL, PR_CAPBSET_DROP, capability, 0, 0, 0)
    bits = sum(1 << capability for capability in kept)
    header, data = struct.pack("=Ii", CAPSET_VERSION, 0), struct.pack("=6I", bits, bits, 0, 0, 0, 0)
    linux.system_call("capset", linux.number_of("capset"), header, data)


def make_readable() -> None:
    """Let everybody reach Python, as seen by this process alone, where it is in closed folders."""
    linux.unshare(linux.NEW_NS)
    linux.mount("", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    for prefix in {Path(sys.base_prefix), Path(sys.prefix)}:
        closed = next((p for p in reversed(prefix.parents) if not p.stat().st_mode & 1), None)
        if closed is not None:
            _open(prefix, closed)


def _open(prefix: Path, closed: Path) -> None:
    """Put another folder, which holds the way to `prefix` only, in place of a closed one."""
    hold = Path(tempfile.mkdtemp())
    linux.mount(str(prefix), str(hold), flags=linux.MS_BIND)
    linux.mount("tmpfs", str(closed), "tmpfs", 0, "mode=755")
    prefix.mkdir(parents=True)
    linux.mount(str(hold), str(prefix), flags=MS_MOVE)
    hold.rmdir()


# ------------------------------------------------------------------------------- what is wanted
@dataclass
class Targets:
    """What attacks are after, and whether they got at it."""

    folder: Path
    secret: str
    places: dict[str, Any] = field(default_factory=dict)
    listening: dict[str, socket.socket] = field(default_factory=dict)
    before: dict[Path, tuple[float, ...]] = field(default_factory=dict)

    @contextlib.contextmanager
    def laid_out(self) -> Iterator[None]:
        self.folder.mkdir(mode=0o755)
        for name in ("reference", "pack", "expected values", "hidden seed", "store", "submission"):
            file = self.folder / f"{name.replace(' ', '-')}.py"
            file.write_text(self.secret)
            file.chmod(0o666)  # as far as its mode goes, anybody may
            self.places[name] = str(file)
        self.places["package"] = str(Path(dataclasses.__file__).parent / "site-packages/grader")
        self.listening = {
            "tcp port": socket.create_server(("127.0.0.1", 0)),
            "udp port": socket.socket(type=socket.SOCK_DGRAM),
            "unix": socket.socket(socket.AF_UNIX),
            "abstract": socket.socket(socket.AF_UNIX),
        }
        self.listening["udp port"].bind(("127.0.0.1", 0))
        self.listening["unix"].bind(str(self.folder / "socket"))
        (self.folder / "socket").chmod(0o777)
        self.listening["abstract"].bind(f"\0{self.folder}")
        for name in ("tcp port", "udp port"):
            self.places[name] = self.listening[name].getsockname()[1]
        self.places |= {"unix": str(self.folder / "socket"), "abstract": str(self.folder)}
        for listener in self.listening.values():
            listener.setblocking(False)
            if listener.type == socket.SOCK_STREAM:
                listener.listen()
        kept = [Path(self.places["store"]), self.folder, Path(os.__file__)]
        for path in kept:
            seen = path.stat()
            self.before[path] = (seen.st_mode, seen.st_mtime, seen.st_uid, seen.st_gid)
        victim = subprocess.Popen(["/bin/sleep", "100000"])
        self.places |= {"victim": victim.pid, "victim group": os.getpgid(victim.pid)}
        self.places["grader pid"] = os.getpid()
        self.victim, self.priorities = victim, priorities(victim.pid)
        try:
            yield
        finally:
            victim.kill()
            victim.wait()
            for listener in self.listening.values():
                listener.close()

    def hurt(self) -> list[str]:
        """Return what was changed, reached or ended."""
        files = ("reference", "pack", "expected values", "hidden seed", "store", "submission")
        found = [
            name
            for name in files
            if not (path := Path(self.places[name])).is_file() or path.read_text() != self.secret
        ]
        found += [str(p) for p in self.folder.iterdir() if p.suffix not in {".py", ""}]
        for name, listener in self.listening.items():
            with contextlib.suppress(BlockingIOError):
                if listener.type == socket.SOCK_STREAM:
                    listener.accept()
                else:
                    listener.recv(100)
                found.append(name)
        for path, before in self.before.items():
            seen = path.stat()
            if (seen.st_mode, seen.st_mtime, seen.st_uid, seen.st_gid) != before:
                found.append(f"mode, time or owner of {path}")
        if os.listxattr(self.places["store"]):
            found.append("attributes")
        if len(os.sched_getaffinity(self.victim.pid)) < len(os.sched_getaffinity(0)):
            found.append("processors of the victim")
        if priorities(self.victim.pid) != self.priorities:
            found.append("priorities of the victim")
        state = Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()[0]
        if self.victim.poll() is not None or state != "S":
            found.append(f"victim ({state})")
        return found


def priorities(pid: int) -> tuple[int, int]:
    """Return a process's priority for the processor and for the disk."""
    place = (IOPRIO_GET, seccomp.IOPRIO_WHO_PROCESS, pid)
    return os.getpriority(os.PRIO_PROCESS, pid), linux.system_call("ioprio_get", *place)


# ------------------------------------------------------------------------------- grading
@dataclass
class Grading:
    """A grader at work on attacks, with a right notebook beside each."""

    folder: Path
    targets: Targets
    server: ForkServer
    sittings: int = 0
    marks: dict[int, int] = field(default_factory=dict)  # most memory of this process, by attack

    def __post_init__(self) -> None:
        pack = self.folder / "packs" / "tiny"
        pack.mkdir(parents=True)
        (pack / "rubric.toml").write_text(RUBRIC)
        (pack / "probes.py").write_text(PROBE)
        (pack / "reference.py").write_text("def double(x):\n    return 2 * x\n")
        self.pack = load_pack("tiny", [pack.parent])
        self.exam = Exam.of(self.pack, self.targets.secret.encode())

    async def all(self, attacks: Mapping[str, Attack]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        ends = sorted(attacks.items(), key=lambda named: named[1].seconds + named[1].probe_seconds)
        waiting = iter([(n, a) for n, a in ends if not a.alone])  # those that wait begin first

        async def work() -> None:
            for name, attack in waiting:
                found[name] = await self.one(attack)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        for name, attack in attacks.items():
            if attack.alone:
                found[name] = await self.one(attack)
        return found

    async def one(self, attack: Attack) -> dict[str, Any]:
        """Grade one attack, with a neighbour beside its beginning and one beside its end."""
        begun = time.monotonic()
        self._mark_memory()
        self.marks[id(attack)] = 0
        limits = dataclasses.replace(
            LIMITS, cell_seconds=attack.seconds, probe_seconds=attack.probe_seconds
        )
        cells = [PREAMBLE.format(targets=repr(self.targets.places)), *attack.cells]
        sitting = asyncio.ensure_future(self._sit(attack.file, attack.name, cells, limits))
        neighbours = [await self._neighbour()]
        if not sitting.done():
            await asyncio.sleep(LATER_SECONDS)
            neighbours.append(await self._neighbour())
        judged = await sitting
        grade = self._grade(judged)
        reports, crash = self._reports(grade, judged)
        executed = judged.evidence.executed
        outputs = _outputs(executed)
        self._mark_memory()
        said = [*judged.evidence.run.notes, *(r.message for r in judged.results)]
        said += [cell.error for cell in judged.evidence.run.cells]
        return {
            "outputs": outputs[:LONGEST],
            "got": _got(outputs + " ".join(said)),
            "said": said,
            "written": len(executed.encode()),
            "points": str(grade.score.final),
            "fault": judged.fault,
            "staff": [r.staff_note for r in judged.results],
            "leaked": self.targets.secret in f"{executed}{said}{reports}",
            "reports": reports,
            "crash": crash,
            "neighbours": neighbours,
            "layers": list(judged.evidence.run.isolation),
            "peak_mb": self.marks.pop(id(attack)) >> 20,
            "seconds": round(time.monotonic() - begun, 1),
        }

    def _mark_memory(self) -> None:
        """Note the most memory since the last time for every attack at work, and begin anew."""
        most = _most_memory()
        for attack, before in self.marks.items():
            self.marks[attack] = max(before, most)
        _count_memory_anew()

    async def _neighbour(self) -> list[str]:
        """Return what became of a right notebook; more than RIGHT where it did not get all."""
        judged = await self._sit("right.ipynb", "Right", NEIGHBOUR, Limits())
        seen = [str(self._grade(judged).score.final), judged.fault]
        said = [*judged.evidence.run.notes, *(result.message for result in judged.results)]
        return seen if seen == RIGHT else [*seen, *said]

    async def _sit(self, file: str, name: str, cells: Sequence[str], limits: Limits) -> Judged:
        self.sittings += 1
        path = self.folder / f"{self.sittings}.ipynb"
        marked = [code(cell, tags=_tags(cell), grader={"passed": True}) for cell in cells]
        path.write_text(json.dumps(notebook(marked)))
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        submission = Submission(students=(Student(name=name),), file=file, path=path, sha256=sha256)
        executor = NotebookExecutor(WarmKernels(self.server), limits, Workplace())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return self.exam.judge(await run(submission, self.exam.calls, executor))
        finally:
            path.unlink()

    def _grade(self, judged: Judged) -> Grade:
        return Grade(
            student=judged.submission.students[0],
            file=judged.submission.file,
            sha256=judged.submission.sha256,
            run=judged.evidence.run,
            score=score(self.pack.rubric, judged.results, {}, late=Late()),
        )

    def _reports(self, grade: Grade, judged: Judged) -> tuple[dict[str, str], str]:
        """Return every report on one grade as text; or what went wrong in making them."""
        texts: dict[str, str] = {}
        try:
            page = feedback_page(grade, self.pack.rubric, judged.evidence.executed)
            texts["feedback.html"] = page.encode().decode()
            with Path(os.devnull).open("w", encoding="utf-8") as stream:
                texts["terminal"] = check_report(grade, self.pack.rubric, to=stream)
            texts["names"] = "\n".join(
                str(cell) for column in results_table([grade]).columns for cell in column.cells
            )
            write_results(self.folder / "results.json", [grade])
            write_grades(self.folder / "grades.csv", [grade])
            write_attention(self.folder / "attention.csv", attention_rows([grade]))
            for name in ("results.json", "grades.csv", "attention.csv"):
                texts[name] = (self.folder / name).read_text(encoding="utf-8")
        except Exception as error:  # noqa: BLE001  it is what is looked for
            return texts, repr(error)
        return texts, ""


def _tags(cell: str) -> list[str]:
    """Return the tags that a cell asks for in a first line `#tag`; all ask to be let fail."""
    first = cell.partition("\n")[0]
    return [first[1:]] if first.startswith("#") else ["raises-exception"]


def _outputs(executed: str) -> str:
    if not executed:
        return ""
    cells = json.loads(executed)["cells"]
    return json.dumps([cell["outputs"] for cell in cells if cell["cell_type"] == "code"])


def _got(text: str) -> str:
    """Return what an attack says that it has, from all that came of it; empty: nothing."""
    at = text.find("GOT")
    return text[at : at + SHOWN] if at >= 0 else ""


def _count_memory_anew() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _most_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def main() -> None:
    mode, folder = Mode(sys.argv[1]), Path(sys.argv[2])
    enter(mode)
    tempfile.tempdir = str(folder)
    targets = Targets(folder / "targets", os.environ[SECRET])
    server = ForkServer()
    attacks = {name: ALL[name] for name in json.load(sys.stdin)}
    try:
        report = server.start()
    except KernelError as error:
        sys.stdout.write(json.dumps({"unavailable": str(error)}))
        return
    try:
        with targets.laid_out():
            found = asyncio.run(Grading(folder, targets, server).all(attacks))
            left = sorted(descendants(server.pid))
            hurt = targets.hurt()
            layers = {
                "layers": report.layers,
                "missing": dict(report.missing),
                "starts": server.starts,
            }
            sys.stdout.write(
                json.dumps({"attacks": found, "hurt": hurt, "left": len(left) - 1, **layers})
            )
    finally:
        server.close()


if __name__ == "__main__":
    main()
