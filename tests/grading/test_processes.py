"""Work in several processes: what goes wrong in one of them is said here."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.errors import EvidenceError, StoreError
from grader.grading.processes import PAYS, in_processes

ITEMS = range(PAYS)


def test_answers_come_in_order() -> None:
    assert [bytes([item]) for item in ITEMS] == list(
        in_processes(ITEMS, lambda item: bytes([item]), 3)
    )


def fails_in_its_words(item: int) -> bytes:
    raise EvidenceError(f"{item} is damaged.")


def crashes(item: int) -> bytes:
    raise ZeroDivisionError(f"\x1b[2J{item} is ours" + "!" * 999)


def is_killed(item: int) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return bytes([item])


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (fails_in_its_words, r"^0 is damaged\.$"),
        (
            crashes,
            rf"^The grader failed \(ZeroDivisionError: 0 is ours!+…; {Path(__file__).name}, line",
        ),
        (is_killed, "was ended before its work was done"),
    ],
)
def test_what_goes_wrong_is_a_sentence_that_says_what(
    work: Callable[[int], bytes], said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        list(in_processes(ITEMS, work, 2))
