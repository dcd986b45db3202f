"""How much is read and kept: less than is there."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.intake import Intake, IntakeLimits
from grader.intake.found import read_bounded
from grader.intake.refusals import RefusedError

Take = Callable[..., Intake]
Build = Callable[..., bytes]
MIB = 1 << 20


class Endless:
    """A file that never ends, and knows how much of it was read."""

    served = 0

    def read(self, size: int, /) -> bytes:
        self.served += size
        return b" " * size


def test_an_endless_file_is_read_to_one_byte_over_the_limit() -> None:
    endless = Endless()
    with pytest.raises(RefusedError, match="is larger than 1 MB"):
        read_bounded(endless, IntakeLimits(notebook_bytes=MIB))
    assert MIB + 1 == endless.served


def test_a_file_of_just_the_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * MIB)
    with (tmp_path / "x").open("rb") as file:
        assert MIB == len(read_bounded(file, IntakeLimits(notebook_bytes=MIB)))


def test_a_notebook_of_300_mb_takes_no_300_mb(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    """A sparse file, larger than the limit by 6 times; what is read of it is let go."""
    with (incoming / "Ng-A2.ipynb").open("wb") as file:
        file.truncate(300 * MIB)
    (incoming / "Lee-A2.ipynb").write_bytes(notebook())
    tracemalloc.start()
    taken = intake(incoming)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ["Lee-A2.ipynb"] == [entry.submission.file for entry in taken.entries]
    assert [
        (
            "Ng-A2.ipynb is larger than 50 MB: "
            "ask Ng to clear the notebook's outputs and hand it in again."
        )
    ] == [problem.sentence for problem in taken.problems]
    assert peak < 60 * MIB


def test_memory_does_not_grow_with_the_number_of_notebooks(
    incoming: Path, intake: Take, notebook: Build
) -> None:
    for number in range(40):
        source = f"# {number}\n" + "#" * MIB
        (incoming / f"s_{number + 1}_{number + 1}_A2.ipynb").write_bytes(notebook(source))
    tracemalloc.start()
    taken = intake(incoming)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 40 == len(taken.entries)
    assert peak < 12 * MIB
