"""What a grading needs before it begins: an executor for the pack, and the course's secret."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grader.errors import UsageError
from grader.execution.executor import NotebookExecutor
from grader.execution.workplace import Workplace
from grader.kernels.forked.layers import NETWORK
from grader.kernels.isolation import Isolation
from grader.kernels.opening import open_kernels
from grader.kernels.server import ForkServer
from grader.model import Limits
from grader.packs import Pack

if TYPE_CHECKING:
    from grader.grading.cluster import ClusterExecutor

SECRET_VARIABLE = "GRADER_HIDDEN_SEED"  # noqa: S105  the name of a variable
SECRET_FILE = "hidden-seed"  # noqa: S105  the name of a file
SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is needed to run notebooks of an assignment, here or in another process.

    Nothing in it decides a grade: of the pack it has the files that notebooks may read, and the
    paths that they may not.
    """

    limits: Limits
    workplace: Workplace
    isolation: Isolation
    hidden: tuple[Path, ...] = ()
    needed: tuple[str, ...] = ()  # layers without which nothing is run

    @classmethod
    def of(cls, pack: Pack, limits: Limits, isolation: Isolation) -> Setting:
        rubric = pack.rubric
        files = {name: pack.file(path).read_bytes() for name, path in rubric.files.items()}
        return cls(
            limits=limits,
            workplace=Workplace(files=files, offline=rubric.offline, self_check=rubric.self_check),
            isolation=isolation,
            hidden=(pack.folder.resolve(), (pack.folder / rubric.reference).resolve()),
        )

    def prepare(self, server: ForkServer) -> None:
        """Let a server that was launched get ready for this assignment; do not wait for it."""
        server.hidden = self.hidden
        server.prepare()

    @contextmanager
    def executor(
        self, warn: Callable[[str], None], server: ForkServer | None = None
    ) -> Iterator[NotebookExecutor]:
        """Give what runs notebooks in kernels of their own, in this process.

        Args:
            warn: told in a sentence if kernels are less isolated than they could be.
            server: what was launched and prepared before.

        Raises UsageError where a layer is missing that is asked for or needed.
        """
        with open_kernels(
            self.isolation, hidden=self.hidden, needed=self.needed, warn=warn, server=server
        ) as kernels:
            yield NotebookExecutor(kernels=kernels, limits=self.limits, workplace=self.workplace)


@contextmanager
def notebook_executor(
    pack: Pack, limits: Limits, isolation: Isolation, warn: Callable[[str], None]
) -> Iterator[NotebookExecutor]:
    """Give what runs notebooks of this assignment: see `Setting.executor`."""
    with Setting.of(pack, limits, isolation).executor(warn) as executor:
        yield executor


@contextmanager
def remote_executor(
    address: str, setting: Setting, warn: Callable[[str], None]
) -> Iterator[ClusterExecutor]:
    """Give what runs notebooks on the Dask cluster at `address`: see `cluster_executor`.

    A kernel that reaches the network there could command the cluster, so that one is needed.
    """
    try:
        from grader.grading.cluster import cluster_executor  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise UsageError(
            "--dask needs Dask, which is not installed: pip install 'grader[dask]'."
        ) from error
    with cluster_executor(address, replace(setting, needed=(NETWORK,)), warn) as executor:
        yield executor


def course_secret(
    file: Path | None, out: Path, environment: Mapping[str, str]
) -> tuple[bytes, str]:
    """Return the course's hidden seed and a sentence on where it came from.

    From the file, else the environment, else the one that an earlier run kept in `out`; where
    there is none yet one is made and kept there, readable by its owner only, so that a second run
    judges alike.

    Raises:
        UsageError: what was given is no secret.
    """
    if file is not None:
        return _checked(_read(file), f"the file {file}"), f"Hidden seed: from {file}."
    if SECRET_VARIABLE in environment:
        given = environment[SECRET_VARIABLE].encode()
        return _checked(given, SECRET_VARIABLE), f"Hidden seed: from ${SECRET_VARIABLE}."
    kept = out / SECRET_FILE
    if kept.is_file():
        return _checked(_read(kept), f"the file {kept}"), f"Hidden seed: from {kept}."
    made = secrets.token_hex(32).encode()
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(made)
    except OSError as error:
        raise UsageError(f"{kept} cannot be written: {error.strerror}.") from error
    return made, f"Hidden seed: none was given, so one was made and kept in {kept}."


def given_secret(file: Path | None, environment: Mapping[str, str]) -> bytes | None:
    """Return the course's hidden seed from the file, else the environment; None: there is none.

    An empty variable is none: that is what CI makes of a secret that a job may not have.

    Raises:
        UsageError: what was given is no secret.
    """
    if file is not None:
        return _checked(_read(file), f"the file {file}")
    given = environment.get(SECRET_VARIABLE, "").strip()
    return _checked(given.encode(), SECRET_VARIABLE) if given else None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"The hidden seed {file} cannot be read: {error.strerror}.") from error


def _checked(secret: bytes, where: str) -> bytes:
    secret = secret.strip()
    if len(secret) < SHORTEST_SECRET:
        raise UsageError(
            f"The hidden seed in {where} has fewer than {SHORTEST_SECRET} characters, so it could "
            "be guessed. A line of random letters is a good one."
        )
    return secret
