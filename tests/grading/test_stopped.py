"""kill -9 at any moment, and a disk without room: the same command then gives the same results.

Moments are not chosen by the clock but by events: each time a file is moved to its place, removed
or synced, or a transaction ends, there is a moment before and one after.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import signal
import subprocess
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, event

from grader.cli import main
from grader.errors import GraderError
from grader.grading import processes
from grader.grading.batch import Exam
from grader.grading.night import grade_night
from grader.grading.setting import course_secret
from grader.grading.watcher import Watcher
from grader.model import Evidence, ProbeCall, Submission
from grader.store import open_store
from tests.grading.small_class import STUDENTS, SayingExecutor, SmallClass, class_in

KILLS = 20
Moment = Callable[[], None]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    twin = class_in(tmp_path_factory.mktemp("twin"))
    twin.grade()
    return twin.outputs()


@contextmanager
def moments(at: Moment) -> Iterator[None]:
    """Call `at` before and after everything that reaches the disk for good, or may empty a file."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((Path, "replace"), (Path, "unlink"), (os, "fsync"), (os, "open")):
            patch.setattr(owner, name, _surrounded(getattr(owner, name), at))
        ended = _surrounded(lambda _: None, at)
        event.listen(Engine, "commit", ended)
        try:
            yield
        finally:
            event.remove(Engine, "commit", ended)


def _surrounded(call: Callable[..., Any], at: Moment) -> Callable[..., Any]:
    def surrounded(*args: Any, **kwargs: Any) -> Any:
        at()
        result = call(*args, **kwargs)
        at()
        return result

    return surrounded


def counted(small: SmallClass) -> int:
    """Grade undisturbed, and return how many moments there were."""
    seen = []
    with moments(lambda: seen.append(1)):
        small.grade()
    return len(seen)


def forked(work: Callable[[], object]) -> int:
    """Work in a process of its own, which ends with status 0 where that goes well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forking with threads about
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001  nothing of the tests may run on in a fork of them
            traceback.print_exc()
        os._exit(status)
    return child


def killed(work: Callable[[], object], moment: int) -> bool:
    """Work in a process that is killed at a moment; return whether it came to that.

    The moment may be one of a process that the grader began: the grader is killed then too.
    """

    def disturbed() -> None:
        grader, left = os.getpid(), [moment]

        def at() -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(grader, signal.SIGKILL)
                signal.pause()  # in another process, which ends with the grader

        with moments(at):
            work()

    _, ended = os.waitpid(forked(disturbed), 0)
    assert os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 0, "see the traceback on stderr"
    return os.WIFSIGNALED(ended)


def until_nobody_works(out: Path) -> None:
    """Wait for what a killed grader began: the system ends it, and it has the lock till then."""
    lock = out / "store" / "lock"
    if lock.exists():
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)


def runs(small: SmallClass) -> dict[str, int]:
    """How often each student's notebook was run, by what the store knows."""
    return {
        number: sum(row.what == "ran" for row in small.story(number).rows) for number in STUDENTS
    }


@pytest.mark.parametrize("forks", [False, True])
def test_killed_at_20_random_moments_and_going_on_gives_the_same_every_time(
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    *,
    forks: bool,
) -> None:
    """Byte for byte, and no notebook is run twice once it was kept; several kills in one night."""
    if forks:
        monkeypatch.setattr(processes, "PAYS", 1)
    (tmp_path / "counted").mkdir()
    there = counted(class_in(tmp_path / "counted"))
    chosen = random.Random(f"seed {forks}")  # noqa: S311  the same moments each time
    kills, night = 0, 0
    while kills < KILLS // 2:
        night += 1
        (tmp_path / str(night)).mkdir()
        small = class_in(tmp_path / str(night))
        while killed(small.grade, chosen.randint(1, there)):
            kills += 1
            until_nobody_works(small.out)
        small.grade()
        assert undisturbed == small.outputs()
        assert dict.fromkeys(STUDENTS, 1) == runs(small)
        assert not list(small.out.rglob("*.part"))


def test_killed_while_a_hidden_seed_is_made_there_is_one_afterwards(tmp_path: Path) -> None:
    moment, ended = 0, False
    while not ended:
        moment += 1
        seed = partial(course_secret, None, tmp_path / str(moment), {})
        ended = not killed(seed, moment)
        (first, _), (second, _) = seed(), seed()
        assert (64, first) == (len(first), second)
    assert moment > 10


def test_a_disk_that_is_full_at_any_moment_is_one_sentence(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """What stands in for a full disk where none can be mounted: writing fails from a moment on."""
    small = class_in(tmp_path)
    left = [0]

    def at() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    said: list[str] = []
    for moment in range(0, 999, 3):
        left[0] = moment
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", _surrounded(os.fsync, at))
            patch.setattr(Path, "replace", _surrounded(Path.replace, at))
            try:
                small.grade()
            except GraderError as error:
                said.append(str(error))
            else:
                break
    assert len(said) > 3
    assert all("ake room" in each for each in said), said
    assert undisturbed == small.outputs()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk; see above")
def test_a_small_disk_that_is_full_and_then_has_room_again(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here; see above")
    try:
        small = class_in(tmp_path)
        small.place, small.secret = disk / "out", None
        said = []
        for free in (0, 8, 64, 128, 192, 256, 320, 2048):
            ballast = disk / "ballast"
            ballast.unlink(missing_ok=True)
            room = os.statvfs(disk)
            ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - free * 1024)))
            try:
                small.grade()
            except GraderError as error:
                said.append(str(error))
        assert said
        assert all("ake room" in each for each in said), said
        made = {"hidden-seed": small.order().secret}
        assert undisturbed | made == small.outputs()
        assert dict.fromkeys(STUDENTS, 1) == runs(small)
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S607  Debian's


def test_a_second_grader_is_another_process_and_stops_with_a_sentence(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    """The first is in the middle of its night; each of the second's commands says so, and ends."""
    small = class_in(tmp_path)
    small.order()  # its files are there before the first begins
    begun, go_on = os.pipe(), os.pipe()

    def first() -> None:
        """Grade, and wait with a notebook under way."""
        os.close(go_on[1])  # nobody is waited for who is gone

        class Waiting(SayingExecutor):
            slots = 1

            async def run(self, submission: Submission, calls: Sequence[ProbeCall]) -> Evidence:
                os.write(begun[1], b".")
                os.read(go_on[0], 1)
                return await super().run(submission, calls)

        order = small.order()
        exam = Exam.of(order.pack, order.secret)
        grade_night(order, lambda: nullcontext(Waiting(exam)), Watcher())

    child = forked(first)
    os.close(begun[1])
    assert os.read(begun[0], 1), "see the traceback on stderr"
    packs = ("--pack-dir", small.folder / "packs", "--out", small.out)
    source = small.folder / "submissions.zip"
    for command in (
        ("grade", source, "--assignment", "line", *packs),
        ("rejudge", small.out),
        ("rejudge", small.out, "--dry-run"),
    ):
        found = CliRunner().invoke(main, [str(word) for word in command])
        assert 2 == found.exit_code
        assert f"Another grader is at work in {small.out} (process {child} on" in found.output
    os.write(go_on[1], b"." * len(STUDENTS))
    _, ended = os.waitpid(child, 0)
    assert 0 == ended
    assert undisturbed == small.outputs()


def test_an_older_grading_in_the_same_database_is_not_touched(tmp_path: Path) -> None:
    """Another identity, another grading: what is known of one folder is not known of the other."""
    small = class_in(tmp_path)
    small.grade()
    (small.out / "store" / "identity").write_text("another", encoding="ascii")
    store = open_store(small.out)
    assert {} == store.results()
    store.close()
