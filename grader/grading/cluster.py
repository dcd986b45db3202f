"""Run notebooks on a Dask cluster: an executor whose kernels are in the cluster's workers.

The judge, the reference's answers and the hidden seed stay in this process. Imported only where
a cluster is asked for: it needs the extra `grader[dask]`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import dask
from distributed import Client, KilledWorker, Security
from distributed.client import FutureCancelledError
from distributed.comm.addressing import parse_address
from distributed.utils import silence_logging_cmgr

from grader.errors import ClusterError, KernelError, UsageError
from grader.evidence import decode
from grader.grading.setting import Setting
from grader.grading.worker import (
    DASK,
    Answer,
    Readiness,
    Station,
    difference,
    readiness,
    run_notebook,
    versions,
)
from grader.model import Evidence, ProbeCall, Submission

CONNECT_SECONDS = 10.0
WORKERS_SECONDS = 60.0
CLOSE_SECONDS = 10.0
LOOK_SECONDS = 1.0  # between two looks which workers there are
MOST_UNFIT = 20  # workers that may refuse one notebook, one after the other
SETTLE_TRIES = 5
SETTINGS = {
    "distributed.admin.large-graph-warning-threshold": "1 GiB",  # a notebook may be 50 MB
    "distributed.diagnostics.computations.nframes": 0,  # our source is not for the dashboard
}
KILLED = (
    "This notebook was under way in {} Dask workers that ended, one after the other, so it was "
    "not tried again. Look at the workers' logs for the reason, then grade it by itself."
)
GONE = (
    "The Dask scheduler at {} is gone, so nothing more can be run. Start it and its workers, then "
    "give the same command again."
)
ENDED = (
    "Workers of the cluster ended while they were prepared: look at their logs for the reason, "
    "start others, and give the same command again."
)


@dataclass(slots=True)
class ClusterExecutor:
    """Runs each notebook in whatever worker has room; again elsewhere if that is killed."""

    client: Client
    loop: asyncio.AbstractEventLoop  # the client's, in a thread of its own
    address: str
    station: str
    slots: int  # notebooks to have under way; `follow` keeps it true
    lost: bool = False
    unfit: set[str] = field(default_factory=set)

    async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
        """Return the evidence that a worker gathered.

        Raises:
            KernelError: workers failed on this notebook, or were killed.
            ClusterError: the scheduler is gone.
        """
        try:
            notebook = await asyncio.to_thread(submission.path.read_bytes)
        except OSError as error:
            raise KernelError(f"{submission.path} cannot be read: {error.strerror}.") from error
        for _ in range(MOST_UNFIT):
            answer = await self._answer(notebook, tuple(calls))
            if answer.evidence:
                return await asyncio.to_thread(decode, answer.evidence)
            if not answer.unfit:
                break
            self.unfit.add(answer.worker)
        raise KernelError(answer.fault)

    async def _answer(self, notebook: bytes, calls: tuple[ProbeCall, ...]) -> Answer:
        """Send a notebook off and wait, in the event loop of the client's own thread."""
        waiting = asyncio.run_coroutine_threadsafe(self._result(notebook, calls), self.loop)
        return await asyncio.wrap_future(waiting)

    async def _result(self, notebook: bytes, calls: tuple[ProbeCall, ...]) -> Answer:
        try:
            elsewhere = await self._elsewhere()
            future = self.client.submit(
                run_notebook, self.station, notebook, calls, pure=False, **elsewhere
            )
            answer: Answer = await future
        except FutureCancelledError as error:  # by the loss of the connection
            raise self._gone() from error
        except KilledWorker as error:
            return Answer(fault=KILLED.format(error.allowed_failures + 1))
        except Exception as error:  # Dask's own trouble with this notebook
            if self.client.status != "running":
                raise self._gone() from error
            return Answer(fault=f"Dask failed on this notebook ({type(error).__name__}).")
        return answer

    async def follow(self) -> None:
        """Keep `slots` what the cluster has now; in the event loop of the client's own thread."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with suppress(OSError):  # the scheduler is gone: who waits for a notebook says so
                self.slots = _slots(await _threads(self.client))

    async def _elsewhere(self) -> dict[str, Any]:
        """Return how to keep off workers that run nothing. New ones may have come since."""
        if not self.unfit:
            return {}
        fit = set(await _threads(self.client)) - self.unfit
        return {"workers": sorted(fit), "allow_other_workers": True} if fit else {}

    def _gone(self) -> ClusterError:
        self.lost = True
        return ClusterError(GONE.format(self.address))


# ------------------------------------------------------------------------------- opening
@contextmanager
def cluster_executor(
    address: str, setting: Setting, warn: Callable[[str], None]
) -> Iterator[ClusterExecutor]:
    """Give what runs notebooks on the cluster whose scheduler is at `address`.

    Every worker opens kernels of its own, also one that comes later, and closes them on leaving.

    Args:
        warn: told in a sentence if kernels of a worker are less isolated than they could be.

    Raises:
        UsageError: there is no such cluster, or a worker is not as asked; the sentence names it.
    """
    with (
        dask.config.set(SETTINGS),
        silence_logging_cmgr(logging.CRITICAL),
        _connected(address) as client,
    ):
        same_program(client)
        loop: asyncio.AbstractEventLoop = cast("Any", client.loop).asyncio_loop
        executor = ClusterExecutor(
            client=client,
            loop=loop,
            address=address,
            station=f"grader-{secrets.token_hex(8)}",
            slots=_slots(cast("Any", client).nthreads()),
        )
        try:
            settle(client, Station(setting, versions()), executor.station)
            all_ready(client, executor, warn)
            following = asyncio.run_coroutine_threadsafe(executor.follow(), loop)
            try:
                yield executor
            finally:
                following.cancel()
        finally:
            if not executor.lost:
                with suppress(Exception):  # gone meanwhile, and everything is done
                    cast("Any", client).unregister_worker_plugin(executor.station)


@contextmanager
def _connected(address: str) -> Iterator[Client]:
    _check_encryption(address)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions: they are compared below
            client: Client = cast("Any", Client)(
                address, timeout=CONNECT_SECONDS, set_as_default=False, name="grader"
            )
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"There is no Dask scheduler at {address}: start one with `dask scheduler`, and give "
            "the address that it prints."
        ) from error
    try:
        _wait_for_a_worker(client, address)
        yield client
    finally:
        cast("Any", client).close(CLOSE_SECONDS)


def _check_encryption(address: str) -> None:
    """Refuse what Dask's configuration has no keys for, or forbids. It would do so less clearly."""
    scheme, _ = parse_address(address)
    security = cast("Any", Security)()
    try:
        keys = security.get_connection_args("client")["ssl_context"]
    except OSError as error:
        raise UsageError(
            f"The TLS certificate or key of Dask's configuration cannot be used: {error}."
        ) from error
    if scheme == "tls" and keys is None:
        raise UsageError(
            f"{address} wants TLS, and Dask's configuration names no certificate and key here: set "
            "DASK_CONFIG to the file that the scheduler has, as docs/scale.md shows."
        )
    if scheme != "tls" and security.require_encryption:
        raise UsageError(
            f"{address} is without encryption, which Dask's configuration here requires: give an "
            "address that begins with tls://."
        )


def _wait_for_a_worker(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS_SECONDS)
    except TimeoutError as error:
        raise UsageError(
            f"The Dask scheduler at {address} has no workers: start some with `dask worker "
            f"{address}`."
        ) from error


def same_program(client: Client) -> None:
    """Refuse machines that have another program, before anything of ours is unpickled there."""
    ours = {"Python": _minor(versions()["Python"]), **{name: versions()[name] for name in DASK}}
    found = cast("Any", client.get_versions(packages=["grader"]))
    machines = {"The Dask scheduler": found["scheduler"]}
    machines |= {f"The worker {each}": of for each, of in sorted(found["workers"].items())}
    for machine, of in machines.items():
        packages: dict[str, Any] = dict(of["packages"])
        if packages.get("grader") is None:
            raise UsageError(f"{machine} has no grader: install the same everywhere.")
        packages["Python"] = _minor(str(packages["python"]))
        if differs := difference(ours, packages):
            raise UsageError(f"{machine} {differs}: install the same everywhere.")


def _minor(python: str) -> str:
    """Return the part of a version within which Python reads what another one pickled."""
    return ".".join(python.split(".")[:2])


async def _threads(client: Client) -> Mapping[str, int]:
    """Return how many threads each worker has, by address; called in the client's event loop."""
    found: Mapping[str, int] = await cast("Any", client).nthreads()
    return found


def _slots(threads: Mapping[str, int]) -> int:
    """Return how many to have under way: what the workers do at once, and one more for each.

    So no worker waits for its next notebook.
    """
    return sum(count + 1 for count in threads.values())


def settle(client: Client, station: Station, name: str) -> None:
    """Open kernels in every worker. If one ends meanwhile, try again once that is known."""
    for left in reversed(range(SETTLE_TRIES)):
        try:
            client.register_plugin(station, name=name)
        except OSError as error:
            if not left:
                raise UsageError(ENDED) from error
            time.sleep(LOOK_SECONDS)
        except Exception as error:  # another program may fail in any way on what this one sends
            raise UsageError(
                f"A worker of the cluster could not be prepared ({type(error).__name__}: {error}): "
                "install the same grader everywhere."
            ) from error
        else:
            return


def all_ready(client: Client, executor: ClusterExecutor, warn: Callable[[str], None]) -> None:
    """Ask every worker whether it is as asked; leave out those that have ended meanwhile."""
    try:
        found = client.run(readiness, executor.station, on_error="return")
    except OSError as error:
        raise ClusterError(GONE.format(executor.address)) from error
    said = {address: each for address, each in found.items() if isinstance(each, Readiness)}
    if not said:
        raise UsageError(ENDED)
    for ready in said.values():
        if ready.refusal:
            raise UsageError(ready.refusal)
    for sentence in sorted({each for ready in said.values() for each in ready.warnings}):
        who = sorted(address for address, ready in said.items() if sentence in ready.warnings)
        warn(f"{sentence} (On {len(who)} of {len(said)} workers, {who[0]} among them.)")
