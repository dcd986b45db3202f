"""What runs in a process of a Dask cluster: kernels of its own, and notebooks in them.

A worker gets what a kernel may see (a notebook's bytes, questions with derived numbers, the files
that the assignment hands out) and its limits; no answers, no secret, nobody's name. It gives
evidence back as bytes of `grader.evidence`. Dask's pickle carries these values between the
course's own machines, and nothing that a student made but plain bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import platform
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from distributed import Worker, WorkerPlugin, get_worker

from grader import inside
from grader.errors import GraderError, KernelError
from grader.evidence import encode
from grader.execution.executor import NotebookExecutor
from grader.grading.doctor import PACKAGES
from grader.grading.keys import PACKAGES as IN_KERNELS
from grader.grading.setting import Setting
from grader.model import Evidence, ProbeCall, Submission

DASK = ("dask", "distributed", "cloudpickle", "msgpack")
Versions = Mapping[str, str]


# ------------------------------------------------------------------------------- the same program
@cache
def versions() -> Versions:
    """Return what has to be the same on all machines, so that they give the same evidence.

    What evidence is known again by (`keys.environment`) is all there: it is worked out here only.
    """
    here = {"processor": platform.machine(), "Python": platform.python_version()}
    names = dict.fromkeys((*PACKAGES, *IN_KERNELS, *DASK))
    return {**here, "grader": _own_version(), **{name: _version(name) for name in names}}


def _own_version() -> str:
    """Return the version, and a digest of the code: two checkouts have the same number."""
    package = Path(inside.__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        if not name.startswith("_bundled/"):  # assignments: a wheel has them there, a checkout not
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return f"{_version('grader')} ({digest.hexdigest()[:12]})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def difference(ours: Versions, theirs: Versions) -> str:
    """Return the first of `ours` that differs there, as the end of a sentence; empty: none."""
    for name, own in ours.items():
        if (other := theirs.get(name, "none")) != own:
            return f"has {name} {other}, and this machine has {own}"
    return ""


# ------------------------------------------------------------------------------- its kernels
class _Kernels:
    """Kernels in a thread that does nothing else, for any number of notebooks at a time.

    Its own thread, because a stock kernel ends with the thread that began it.
    """

    def __init__(self, setting: Setting) -> None:
        """Raises GraderError where the setting cannot be had here."""
        self.warnings: list[str] = []
        self._stack = ExitStack()
        self._executor: NotebookExecutor = self._stack.enter_context(
            setting.executor(self.warnings.append)
        )
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve()], daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _serve(self) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._closing.wait()  # asyncio.run then cancels what is under way, and waits for it

    def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        """Wait for a notebook's evidence. Raises KernelError, also where this is closed."""
        running = self._executor.run(submission, calls)
        try:
            return asyncio.run_coroutine_threadsafe(running, self._loop).result()
        except CancelledError as error:
            raise KernelError("The grading was ended while this notebook ran.") from error

    def close(self) -> None:
        """End every kernel, and what stands behind them."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        self._stack.close()


class Station(WorkerPlugin):
    """The kernels of one grading in one worker process: there from its registration to its end.

    Where they cannot be had as asked, `refusal` says why, and nothing is run.
    """

    here: ClassVar[list[Station]] = []  # of this process

    def __init__(self, setting: Setting, expected: Versions) -> None:
        self.setting, self.expected = setting, expected
        self.refusal, self.address, self.warnings = "", "", tuple[str, ...]()
        self.at_work = 0

    async def setup(self, worker: Worker) -> None:
        """Open the kernels; close those of gradings that are idle, for one may have been killed."""
        self.address = worker.address
        self._lock = threading.Lock()
        self._kernels: _Kernels | None = None
        for other in self.here:
            await asyncio.to_thread(other.rest)
        self.here.append(self)
        if differs := difference(self.expected, versions()):
            self.refusal = f"The worker {self.address} {differs}: install the same everywhere."
            return
        try:
            self.warnings = tuple((await asyncio.to_thread(self._open)).warnings)
        except GraderError as error:
            self.refusal = f"The worker {self.address}: {error}"

    async def teardown(self, worker: Worker) -> None:
        self.here.remove(self)
        await asyncio.to_thread(self._close)

    @property
    def is_open(self) -> bool:
        return self._kernels is not None

    def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        """Return a notebook's evidence. Raises GraderError."""
        with self._lock:
            self.at_work += 1
        try:
            return self._open().run(submission, calls)
        finally:
            with self._lock:
                self.at_work -= 1

    def rest(self) -> None:
        """Close the kernels if nothing runs in them; they open again when something does."""
        self._close(unless_at_work=True)

    def _open(self) -> _Kernels:
        with self._lock:
            if self._kernels is None:
                self._kernels = _Kernels(self.setting)
            return self._kernels

    def _close(self, *, unless_at_work: bool = False) -> None:
        with self._lock:
            if unless_at_work and self.at_work:
                return
            kernels, self._kernels = self._kernels, None
        if kernels is not None:
            kernels.close()


# ------------------------------------------------------------------------------- what is asked
@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What a worker says before anything is run."""

    refusal: str
    warnings: tuple[str, ...]


def readiness(station: str, dask_worker: Worker) -> Readiness:
    """Return whether this worker can do what is asked."""
    found = dask_worker.plugins[station]
    assert isinstance(found, Station)  # noqa: S101  its name is of nothing else
    return Readiness(refusal=found.refusal, warnings=found.warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of a notebook: its evidence, or a sentence on why there is none.

    `unfit`: nothing is run on this worker, another one may do it.
    """

    worker: str = ""
    evidence: bytes = b""
    fault: str = ""
    unfit: bool = False


def run_notebook(station: str, notebook: bytes, calls: tuple[ProbeCall, ...]) -> Answer:
    """Run a notebook and ask it.

    Raises nothing: an exception would be pickled with whatever a student put into it.
    """
    worker = get_worker()
    found = worker.plugins.get(station)
    if not isinstance(found, Station):
        return Answer(worker=worker.address, fault="The grading is over.")
    if found.refusal:
        return Answer(worker=worker.address, fault=found.refusal, unfit=True)
    try:
        with tempfile.TemporaryDirectory(prefix="grader-notebook-") as folder:
            path = Path(folder, "notebook.ipynb")
            path.write_bytes(notebook)
            submission = Submission(students=(), file=path.name, path=path, sha256="")
            evidence = encode(found.run(submission, calls))
    except GraderError as error:
        return Answer(worker=worker.address, fault=f"{error} (On the worker {worker.address}.)")
    except Exception as error:  # noqa: BLE001  a fault of ours must not end the worker's thread
        sentence = f"The grader failed on this notebook ({type(error).__name__}: {error})."
        return Answer(worker=worker.address, fault=sentence)
    return Answer(worker=worker.address, evidence=evidence)
