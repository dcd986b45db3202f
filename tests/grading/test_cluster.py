"""A Dask cluster gives what one machine gives, whatever is killed; it gets nothing that decides."""

from __future__ import annotations

import asyncio
import json
import pickle
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import pytest
from distributed import Client, KilledWorker
from distributed.client import FutureCancelledError

from grader.errors import ClusterError, KernelError, UsageError
from grader.evidence import encode
from grader.execution.workplace import Workplace
from grader.grading import cluster
from grader.grading.batch import Exam, Executor, run_all
from grader.grading.cluster import ClusterExecutor
from grader.grading.course import Tables
from grader.grading.keys import PACKAGES
from grader.grading.night import Order, grade_night
from grader.grading.reporting import CanvasExport
from grader.grading.setting import Setting, remote_executor
from grader.grading.watcher import Watcher
from grader.grading.worker import Answer, Readiness, Station, difference, versions
from grader.kernels import opening
from grader.kernels.forked.layers import NETWORK
from grader.kernels.isolation import Isolation
from grader.kernels.server import ForkServer
from grader.model import Evidence, Limits, RunOutcome, RunRecord, Student, Submission
from grader.packs import Pack, load_pack

SECRET = b"a secret of the tests"
PATIENCE = 300.0  # seconds: on a busy machine everything takes longer
HANDED_IN = Path("docs/examples/handed-in")
COPIES = 3  # of each of the two notebooks
PLAIN = Setting(limits=Limits(), workplace=Workplace(), isolation=Isolation.AUTO)


@pytest.fixture(scope="module")
def pack() -> Pack:
    return load_pack("line", [Path("docs/examples")])


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of a right and of a wrong notebook, all different, each of which takes a moment."""
    folder = tmp_path_factory.mktemp("handed-in")
    for path in sorted(HANDED_IN.glob("*.ipynb")):
        for number in range(COPIES):
            notebook = json.loads(path.read_text(encoding="utf-8"))
            moment = f"# {number}\nimport time\ntime.sleep(0.3)"
            notebook["cells"].append({**notebook["cells"][1], "id": "moment", "source": moment})
            name = f"{path.stem.partition('-')[0]}{chr(97 + number)}-A0.ipynb"
            (folder / name).write_text(json.dumps(notebook), encoding="utf-8")
    return folder


# ------------------------------------------------------------------------------- a real cluster
@dataclass
class Processes:
    """A scheduler and its workers, each a process that can be killed."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: dict[str, subprocess.Popen[bytes]]  # by address
    start_worker: Callable[[str], subprocess.Popen[bytes]]  # of a name

    def add(self, client: Any) -> None:
        """Start a worker more, and wait until the scheduler knows it."""
        name = str(len(self.workers))
        process = self.start_worker(name)
        client.wait_for_workers(len(self.workers) + 1, timeout=PATIENCE)
        found = client.scheduler_info(n_workers=-1)["workers"]
        (address,) = (at for at, info in found.items() if str(info["name"]) == name)
        self.workers[address] = process


@contextmanager
def dask_processes(folder: Path, count: int) -> Iterator[Processes]:
    """Start a scheduler and workers on loopback, at whatever port is free; end them."""
    started: list[subprocess.Popen[bytes]] = []
    written = folder / "scheduler.json"  # by the scheduler; workers and client wait for it
    everywhere = ("--scheduler-file", str(written), "--no-dashboard", "--host", "127.0.0.1")

    def start(*words: str) -> subprocess.Popen[bytes]:
        with (folder / f"{len(started)}.log").open("wb") as log:
            command = [sys.executable, "-m", "dask", *words, *everywhere]
            started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=folder))
        return started[-1]

    def start_worker(name: str) -> subprocess.Popen[bytes]:
        return start("worker", "--nthreads", "1", "--no-nanny", "--name", name)

    try:
        scheduler = start("scheduler", "--port", "0")
        workers = [start_worker(str(i)) for i in range(count)]
        while not written.exists():
            assert scheduler.poll() is None, (folder / "0.log").read_text(encoding="utf-8")
            time.sleep(0.05)
        with Client(scheduler_file=str(written), timeout=PATIENCE, set_as_default=False) as client:  # type: ignore[no-untyped-call]  # Dask's
            client.wait_for_workers(count, timeout=PATIENCE)
            found = client.scheduler_info(n_workers=-1)["workers"]
            address = client.scheduler.address
        named = {at: workers[int(info["name"])] for at, info in found.items()}
        yield Processes(address, scheduler, named, start_worker)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def results(
    out: Path, pack: Pack, notebooks: Path, executor: Executor, watcher: Watcher
) -> list[dict[str, Any]]:
    """Grade, and return results.json without seconds."""
    order = Order(
        sources=(notebooks,),
        out=out,
        pack=pack,
        secret=SECRET,
        tables=Tables(),
        jobs=2,
        export=CanvasExport(title=pack.rubric.title),
    )
    grade_night(order, lambda: nullcontext(executor), watcher)
    found: list[dict[str, Any]] = json.loads((out / "results.json").read_text(encoding="utf-8"))
    for result in found:
        del result["run"]["seconds"]
    return found


@pytest.mark.kernel
def test_a_killed_worker_costs_nothing_but_time_and_without_its_scheduler_a_grading_ends(
    pack: Pack, notebooks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, because starting a cluster takes the longest."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", PATIENCE)
    setting = Setting.of(pack, pack.rubric.limits.limits(), Isolation.AUTO)
    with setting.executor(lambda _: None) as executor:
        at_home = results(tmp_path / "home", pack, notebooks, executor, Watcher())
    with dask_processes(tmp_path, 2) as processes:
        away = with_a_worker_killed(processes, setting, tmp_path / "away", pack, notebooks)
        assert 2 * COPIES == len(away)
        assert at_home == away
        assert [-signal.SIGKILL] == [
            code for each in processes.workers.values() if (code := each.poll()) is not None
        ]
        started = {pid for each in processes.workers.values() for pid in children(each.pid)}
        assert set() == started  # the kernels ended with the grading

        watcher = Watcher(seen=lambda *_: processes.scheduler.kill())
        with (
            pytest.raises(ClusterError, match="is gone, so nothing more can be run"),
            remote_executor(processes.address, setting, pytest.fail) as remote,
        ):
            results(tmp_path / "out", pack, notebooks, remote, watcher)


def with_a_worker_killed(
    processes: Processes, setting: Setting, out: Path, pack: Pack, notebooks: Path
) -> list[dict[str, Any]]:
    """Kill a worker that has a notebook under way, once the first one is done.

    Of three: the third comes when the grading has begun, and is counted on at once.
    """
    killed = threading.Event()
    with remote_executor(processes.address, setting, pytest.fail) as remote:
        assert 4 == remote.slots
        processes.add(remote.client)
        until = time.monotonic() + PATIENCE
        while remote.slots < 6:
            assert time.monotonic() < until, "the worker that came later is not counted"
            time.sleep(0.05)

        def kill(*_: object) -> None:
            client: Any = remote.client
            for address, tasks in client.processing().items():
                if tasks and not killed.is_set():
                    processes.workers[address].kill()
                    processes.workers[address].wait()
                    killed.set()

        found = results(out, pack, notebooks, remote, Watcher(seen=kill))
    assert killed.is_set()
    return found


def children(pid: int) -> list[int]:
    """Return the processes that a process has."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True)  # noqa: PLW1510, S607  1 if there are none
    return [int(each) for each in listed.stdout.split()]


# ------------------------------------------------------------------------------- what is sent
@dataclass
class FakeClient:
    """Takes what is submitted, and answers in turn."""

    answers: list[Answer | BaseException]
    submitted: list[tuple[Any, ...]] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    status: str = "running"

    def submit(self, *args: Any, **options: Any) -> Awaitable[Answer]:
        self.submitted.append(args)
        self.options.append(options)

        async def answer() -> Answer:
            said = self.answers.pop(0)
            if isinstance(said, BaseException):
                raise said
            return said

        return answer()

    async def nthreads(self) -> dict[str, int]:
        return {"tcp://a:1": 1, "tcp://b:2": 1}


Ask = Callable[..., Evidence]


@pytest.fixture
def ask(tmp_path: Path, pack: Pack) -> Ask:
    """Return a function: a client -> the evidence of one notebook, asked for through it."""
    path = tmp_path / "Ng-A0.ipynb"
    path.write_bytes((HANDED_IN / path.name).read_bytes())
    student = Student(name="Ng, Jennifer", canvas_id="40103", login="jng")
    submission = Submission(students=(student,), file=path.name, path=path, sha256="0")

    def run(client: FakeClient) -> Evidence:
        async def here() -> Evidence:
            executor = ClusterExecutor(
                client=client,  # type: ignore[arg-type]  # a fake
                loop=asyncio.get_running_loop(),
                address="tcp://s:8786",
                station="grader-1",
                slots=1,
            )
            return await executor.run(submission, Exam.of(pack, SECRET).calls)

        return asyncio.run(here())

    return run


EVIDENCE = Evidence(run=RunRecord(outcome=RunOutcome.COMPLETE, isolation=("x",)), replies={})
DONE = Answer(worker="tcp://a:1", evidence=encode(EVIDENCE))


def test_a_worker_gets_no_answers_no_secret_and_nobodys_name(ask: Ask, pack: Pack) -> None:
    client = FakeClient([DONE])
    assert EVIDENCE.run == ask(client).run
    setting = Setting.of(pack, Limits(), Isolation.STRICT)
    sent = pickle.dumps((client.submitted, Station(setting, versions())))
    for word in (SECRET, b"Jennifer", b"40103", b"jng", b"Reply", b"reference_answer"):
        assert word not in sent
    expected = Exam.of(pack, SECRET).expected
    assert expected
    (_, _, notebook, calls) = client.submitted[0]
    assert (HANDED_IN / "Ng-A0.ipynb").read_bytes() == notebook
    assert set(expected) <= {call.key for call in calls}


def test_what_comes_back_is_bytes_and_sentences() -> None:
    assert {"worker": str, "evidence": bytes, "fault": str, "unfit": bool} == {
        name: type(getattr(DONE, name)) for name in Answer.__dataclass_fields__
    }


def test_a_notebook_that_kills_workers_is_not_tried_for_ever(ask: Ask) -> None:
    dead = KilledWorker("key", SimpleNamespace(address="tcp://a:1"), 3)  # type: ignore[arg-type]  # Dask's own value is long
    with pytest.raises(KernelError, match="4 Dask workers that ended, one after the other"):
        ask(FakeClient([dead]))


def test_a_lost_connection_is_the_clusters_fault(ask: Ask) -> None:
    lost = FutureCancelledError("key", "scheduler-connection-lost")
    with pytest.raises(ClusterError, match=r"scheduler at tcp://s:8786 is gone"):
        ask(FakeClient([lost]))


def test_what_fails_on_a_worker_is_told(ask: Ask) -> None:
    with pytest.raises(KernelError, match="No kernel"):
        ask(FakeClient([Answer(worker="tcp://a:1", fault="No kernel.")]))
    with pytest.raises(KernelError, match=r"Dask failed on this notebook \(ZeroDivisionError\)"):
        ask(FakeClient([ZeroDivisionError()]))


def test_a_worker_that_runs_nothing_is_kept_off(ask: Ask) -> None:
    client = FakeClient([Answer(worker="tcp://a:1", fault="No.", unfit=True), DONE])
    assert EVIDENCE.run == ask(client).run
    assert [None, ["tcp://b:2"]] == [options.get("workers") for options in client.options]


def test_a_lost_cluster_stops_the_batch(pack: Pack) -> None:
    class Lost:
        slots = 0

        async def run(self, submission: Submission, calls: Sequence[Any]) -> Evidence:
            raise ClusterError("Gone.")

    submission = Submission(students=(Student(name="N"),), file="n", path=Path("n"), sha256="0")
    batch = run_all([(submission, pack.questions(None))], Lost(), jobs=1, done=lambda _: None)
    with pytest.raises(ClusterError, match="Gone"):
        asyncio.run(batch)


# ------------------------------------------------------------------------------- refusals
def settled(setting: Setting, expected: dict[str, str] | None = None) -> tuple[str, int]:
    """Set a station up and take it down; return its refusal and how many warnings it had."""

    async def here() -> tuple[str, int]:
        station = Station(setting, expected or versions())
        place: Any = SimpleNamespace(address="tcp://w:1")
        await station.setup(place)
        try:
            return station.refusal, len(station.warnings)
        finally:
            await station.teardown(place)

    return asyncio.run(here())


@pytest.mark.kernel
@pytest.mark.parametrize("wish", [Isolation.STRICT, Isolation.AUTO])
def test_a_worker_without_a_layer_that_is_needed_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, wish: Isolation
) -> None:
    """A kernel with a network could command the cluster, so that layer is needed by `auto` too."""
    monkeypatch.setattr(opening, "ForkServer", partial(ForkServer, refused=(NETWORK,)))
    refusal, _ = settled(replace(PLAIN, isolation=wish, needed=(NETWORK,)))
    assert refusal.startswith("The worker tcp://w:1: Nothing was run")
    assert "no network" in refusal


def test_without_isolation_nothing_is_needed() -> None:
    assert ("", 0) == settled(replace(PLAIN, isolation=Isolation.OFF, needed=(NETWORK,)))


def test_another_program_is_refused_by_name() -> None:
    expected = {**versions(), "grader": "9.9 (0123456789ab)"}
    refusal, _ = settled(PLAIN, expected)
    assert refusal.startswith("The worker tcp://w:1 has grader 0.1.0 (")
    assert refusal.endswith("this machine has 9.9 (0123456789ab): install the same everywhere.")


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        ({"grader": None}, "The Dask scheduler has no grader"),
        ({"python": "3.99.1"}, "The Dask scheduler has Python 3.99, and this machine has 3."),
        ({"dask": "1.0"}, "The Dask scheduler has dask 1.0, and this machine has"),
    ],
)
def test_another_program_is_refused_before_anything_is_sent(
    packages: dict[str, str | None], said: str
) -> None:
    here = {**versions(), "python": ".".join(map(str, sys.version_info))}
    of = {"packages": {**here, **packages}}
    client: Any = SimpleNamespace(get_versions=lambda **_: {"scheduler": of, "workers": {}})
    with pytest.raises(UsageError, match=said):
        cluster.same_program(client)


def test_workers_have_all_that_evidence_is_known_again_by() -> None:
    """What `keys.environment` is made of here is the same there, or nothing is run."""
    compared = versions()
    assert set(PACKAGES) <= set(compared)
    for name in ("Python", "processor", "scipy"):
        refusal, _ = settled(PLAIN, {**compared, name: "another"})
        assert f"has {name} {compared[name]}, and this machine has another" in refusal
    assert (platform.python_version(), platform.machine()) == (
        compared["Python"],
        compared["processor"],
    )


def test_a_worker_that_ended_before_it_was_asked_is_left_out() -> None:
    """`on_error` is as in Dask: without it, one dead worker is an exception of all."""

    def run(_: object, __: str, on_error: str = "raise") -> dict[str, object]:
        if on_error != "return":
            raise OSError("Timed out trying to connect to tcp://a:1")
        return found

    client: Any = SimpleNamespace(run=run)
    asked: Any = SimpleNamespace(station="grader-1", address="tcp://s:8786")
    warned: list[str] = []
    well = Readiness(refusal="", warnings=("A layer is missing.",))
    found: dict[str, object] = {"tcp://a:1": OSError("gone"), "tcp://b:2": well}
    cluster.all_ready(client, asked, warned.append)
    assert ["A layer is missing. (On 1 of 1 workers, tcp://b:2 among them.)"] == warned
    found = {"tcp://a:1": OSError("gone")}
    with pytest.raises(UsageError, match="ended while they were prepared: look at their logs"):
        cluster.all_ready(client, asked, warned.append)


def test_a_worker_that_ends_while_kernels_are_opened_is_tried_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0)
    raised: list[Exception] = [OSError("gone"), OSError("gone")]

    def register(_: object, **__: str) -> None:
        if raised:
            raise raised.pop()

    client: Any = SimpleNamespace(register_plugin=register)
    station = Station(PLAIN, versions())
    cluster.settle(client, station, "grader-1")
    raised += [OSError("gone")] * cluster.SETTLE_TRIES
    with pytest.raises(UsageError, match="ended while they were prepared"):
        cluster.settle(client, station, "grader-1")
    raised[:] = [ImportError("grader.grading.worker")]
    with pytest.raises(UsageError, match=r"\(ImportError: .*: install the same grader everywhere"):
        cluster.settle(client, station, "grader-1")


def test_the_first_difference_is_told() -> None:
    assert "" == difference({"a": "1"}, {"a": "1", "b": "2"})
    assert "has b none, and this machine has 2" == difference({"a": "1", "b": "2"}, {"a": "1"})


def test_kernels_of_gradings_that_are_gone_are_closed_by_the_next() -> None:
    """One that was killed cannot close them; one that is at work keeps them."""

    async def here() -> list[bool]:
        place: Any = SimpleNamespace(address="tcp://w:1")
        setting = replace(PLAIN, isolation=Isolation.OFF)
        left, busy, new = stations = [Station(setting, versions()) for _ in range(3)]
        await left.setup(place)
        await busy.setup(place)
        busy.at_work = 1
        await new.setup(place)
        opened = [station.is_open for station in stations]
        for station in stations:
            await station.teardown(place)
        return [*opened, *[station.is_open for station in stations]]

    assert [False, True, True, False, False, False] == asyncio.run(here())
    assert [] == Station.here


def test_no_scheduler_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.2)
    for address in ("tcp://127.0.0.1:1", "no address at all"):
        with (
            pytest.raises(UsageError, match="There is no Dask scheduler at"),
            remote_executor(address, PLAIN, lambda _: None),
        ):
            pytest.fail("there is none")


NO_FILES = {
    "distributed.comm.tls.ca-file": "/no/such/file",
    "distributed.comm.tls.client.cert": "/no/such/file",
}


@pytest.mark.parametrize(
    ("configured", "address", "said"),
    [
        ({}, "tls://127.0.0.1:1", "names no certificate and key here"),
        ({"distributed.comm.require-encryption": True}, "tcp://127.0.0.1:1", "begins with tls://"),
        (NO_FILES, "tls://127.0.0.1:1", "cannot be used: .*No such file"),
    ],
)
def test_encryption_that_cannot_be_had_is_told_in_a_sentence(
    configured: dict[str, Any], address: str, said: str
) -> None:
    with (
        dask.config.set(configured),
        pytest.raises(UsageError, match=said),
        remote_executor(address, PLAIN, lambda _: None),
    ):
        pytest.fail("nothing is listening")


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grader.grading.cluster", "grader.grading.worker"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setitem(sys.modules, "dask", None)
    with (
        pytest.raises(UsageError, match=r"pip install 'grader\[dask\]'"),
        remote_executor("tcp://127.0.0.1:1", PLAIN, lambda _: None),
    ):
        pytest.fail("there is none")
