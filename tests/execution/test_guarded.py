"""However messages follow each other, a notebook holds no more than it may, and nobody waits."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jupyter_client.manager import AsyncKernelManager

from grader.execution import notebook as nb
from grader.execution.exchange import Ended, exchange
from grader.execution.guarded import MOST_NAMES, MOST_OF_ONE_NAME, GuardedClient
from grader.execution.outputs import size
from grader.kernels.kernel import Kernel
from grader.model import Limits
from tests.execution.scenarios import notebook

LIMITS = Limits(output_bytes=1 << 20)


class Talk:
    """A client, and what a kernel says to it, without a kernel."""

    def __init__(self, cells: int = 1) -> None:
        self.notebook = nb.parse(json.dumps(notebook(["pass"] * cells)))
        kernel = SimpleNamespace(manager=AsyncKernelManager(), client=None)
        self.client = GuardedClient(self.notebook, cast("Kernel", kernel), LIMITS)
        self.client.clear_before_next_output = False  # as nbclient does when a cell begins

    def say(self, kind: str, content: dict[str, Any], cell: int = 0) -> None:
        message = {
            "header": {"msg_type": kind},
            "msg_type": kind,
            "parent_header": {"msg_id": "1"},
            "content": content,
            "size": len(json.dumps(content)),
        }
        self.client.process_message(message, self.notebook.cells[cell], cell)

    def show(self, text: str, name: str = "", *, cell: int = 0, kind: str = "display_data") -> None:
        content = {"data": {"text/plain": text}, "transient": {"display_id": name}}
        self.say(kind, content, cell)

    @property
    def flooded(self) -> bool:
        return self.client._flooded.is_set()  # noqa: SLF001  what `run_cell` looks at

    @property
    def written(self) -> int:
        return len(nb.written(self.notebook).encode())


@pytest.fixture
def talk() -> Talk:
    return Talk(cells=5)


def test_an_update_counts_once_for_every_output_that_it_changes(talk: Talk) -> None:
    for cell in range(5):
        for _ in range(15):
            talk.show("small", "x", cell=cell)
    assert not talk.flooded
    talk.show("y" * 50_000, "x", cell=4, kind="update_display_data")
    assert talk.flooded
    assert talk.written < LIMITS.output_bytes


def test_an_output_that_is_replaced_again_and_again_is_no_flood(talk: Talk) -> None:
    talk.show("first", "x")
    for number in range(200):
        talk.show(f"{number}" + "y" * 20_000, "x", kind="update_display_data")
    assert not talk.flooded
    assert "199yyy" in talk.notebook.cells[0].outputs[0].data["text/plain"]


def test_what_replaces_nothing_is_no_flood(talk: Talk) -> None:
    for _ in range(200):
        talk.show("y" * 20_000, "nobody's", kind="update_display_data")
    assert not talk.flooded


def test_a_name_that_is_used_without_end_is_no_name_any_more(talk: Talk) -> None:
    for number in range(MOST_OF_ONE_NAME + 50):
        talk.show(str(number), "x")
    shown = [output.data["text/plain"] for output in talk.notebook.cells[0].outputs]
    last = str(MOST_OF_ONE_NAME - 1)
    assert [last] * MOST_OF_ONE_NAME == shown[:MOST_OF_ONE_NAME]
    assert str(MOST_OF_ONE_NAME + 49) == shown[-1]


def test_names_are_forgotten_with_their_outputs_and_never_too_many(talk: Talk) -> None:
    names = talk.client._display_id_map  # noqa: SLF001  nbclient's own
    for number in range(3 * MOST_NAMES):
        talk.show("a", f"cleared {number}")
        talk.say("clear_output", {"wait": False})
    assert {} == names
    for number in range(MOST_NAMES + 5):
        talk.show("a", f"kept {number}")
        if number % 400 == 0:
            talk.client._held = 0  # noqa: SLF001  their size is another matter
    assert len(names) <= MOST_NAMES


def test_a_long_count_of_executions_is_none(talk: Talk) -> None:
    for kind in ("status", "execute_input", "execute_result"):
        talk.say(kind, {"execution_state": "busy", "execution_count": [1] * 100_000, "data": {}})
    assert not talk.notebook.cells[0].execution_count
    talk.say("execute_input", {"execution_count": 3})
    assert 3 == talk.notebook.cells[0].execution_count


def test_held_is_never_less_than_what_there_is(talk: Talk) -> None:
    for number in range(50):
        talk.show("a" * number, f"{number % 7}", cell=number % 5)
        talk.show("b" * 100, f"{number % 3}", cell=number % 5, kind="update_display_data")
        talk.say("stream", {"name": "stdout", "text": "\0" * number})
        there = sum(size(cell.outputs) for cell in talk.notebook.cells)
        assert there <= talk.client._held  # noqa: SLF001  that is the fact


def test_attachments_are_pictures_and_nothing_else() -> None:
    deep: list[Any] = []
    for _ in range(90):
        deep = [deep]
    cell = {"cell_type": "markdown", "source": "a", "metadata": {}}
    files = {"a.png": {"image/png": "AA", "x": deep}, "b": {"image/png": ["A", "B"]}}
    (found,) = nb.parse(json.dumps(notebook([{**cell, "attachments": files}]))).cells
    assert {"a.png": {"image/png": "AA"}, "b": {"image/png": "AB"}} == found["attachments"]


def test_a_request_to_a_kernel_that_nobody_listens_to_any_more_is_over() -> None:
    class Silent:
        async def answer(self, *_: object) -> None:
            await asyncio.Future()

    async def gone() -> None:
        await asyncio.Future()

    async def asked() -> Ended:
        spent = asyncio.Event()
        spent.set()
        client = SimpleNamespace(
            execute=lambda *_, **__: "1",
            shell_channel=Silent(),
            iopub_channel=Silent(),
            spent=spent,
        )
        kernel = SimpleNamespace(client=client, gone=gone)
        return await exchange(cast("Kernel", kernel), "pass", seconds=1e9)

    assert Ended.STUCK is asyncio.run(asked())
