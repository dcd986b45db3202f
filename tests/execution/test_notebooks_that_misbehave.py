"""Whatever a notebook does, its code is still asked, and what it did is told."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.execution.executor import Kernels, NotebookExecutor
from grader.kernels.warm import WarmKernels
from grader.model import CellOutcome, Evidence, Limits, ProbedIn, ReplyKind, RunOutcome
from tests.execution.scenarios import (
    WORKPLACE,
    Scenario,
    descendants,
    leftovers,
    outputs,
    reply,
    submission,
)

pytestmark = pytest.mark.kernel

RunScenario = Callable[[Scenario], Evidence]
OK, ERROR, TIMEOUT, DIED, FLOODED, NOT_RUN = CellOutcome
BEFORE = "state = 'kept'\nlimit = 3\ndef before(): return 'before'"
AFTER = "def after(): return 'after'"
BOTH = {"before": "return names.before()", "after": "return names.after()"}


def cell_outcomes(evidence: Evidence) -> list[CellOutcome]:
    return [cell.outcome for cell in evidence.run.cells]


def values(evidence: Evidence) -> list[object]:
    return [reply.value for reply in evidence.replies.values()]


# ------------------------------------------------------------------------------- time
SLOW = Scenario(
    cells=[
        BEFORE,
        "def early(): return 'early'\nwhile True: pass\ndef late(): return 'late'",
        "import time\ntime.sleep(1000)",
        AFTER,
    ],
    probes={**BOTH, "stopped": "return [names.early(), names.late(), names.state]"},
    limits=Limits(cell_seconds=1.0),
)


def test_an_endless_cell_is_interrupted_and_the_same_kernel_goes_on(run: RunScenario) -> None:
    evidence = run(SLOW)
    assert [OK, TIMEOUT, TIMEOUT, OK] == cell_outcomes(evidence)
    assert (RunOutcome.TIMEOUT, ProbedIn.NOTEBOOK) == (evidence.run.outcome, evidence.run.probed_in)
    expected = ("Cell 2 was stopped after 1 s.", "Cell 3 was stopped after 1 s.")
    assert expected == evidence.run.notes


def test_the_definitions_of_a_stopped_cell_count(run: RunScenario) -> None:
    assert ["before", "after", ["early", "late", "kept"]] == values(run(SLOW))


LONG = Scenario(
    cells=[BEFORE, "import time\ntime.sleep(1000)", f"{AFTER}\nran = 1", "pass"],
    probes={**BOTH, "ran": "return [names.state, names.find('ran')]"},
    limits=Limits(notebook_seconds=2.0),
)


def test_a_notebook_out_of_time_keeps_its_state_and_gives_its_definitions(run: RunScenario) -> None:
    evidence = run(LONG)
    assert [OK, TIMEOUT, NOT_RUN, NOT_RUN] == cell_outcomes(evidence)
    assert (RunOutcome.TIMEOUT, ProbedIn.NOTEBOOK) == (evidence.run.outcome, evidence.run.probed_in)
    assert ["before", "after", ["kept", 1]] == values(evidence)
    expected = "The notebook was stopped after 2 s: from cell 3 on, only the definitions were run."
    assert expected == evidence.run.notes[-1]


STUBBORN = Scenario(
    cells=[
        BEFORE,
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        AFTER,
    ],
    probes={**BOTH, "state": "return names.state"},
    limits=Limits(cell_seconds=0.5),
)
IN_C = Scenario(
    cells=[BEFORE, "sum(range(10**13))", AFTER], probes=BOTH, limits=Limits(cell_seconds=0.5)
)


@pytest.mark.parametrize("scenario", [STUBBORN, IN_C], ids=["ignores signals", "in C"])
def test_a_cell_that_cannot_be_interrupted_is_killed(run: RunScenario, scenario: Scenario) -> None:
    evidence = run(scenario)
    assert [OK, TIMEOUT, NOT_RUN] == cell_outcomes(evidence)
    assert RunOutcome.TIMEOUT is evidence.run.outcome
    assert ProbedIn.DEFINITIONS is evidence.run.probed_in
    assert ["before", "after"] == values(evidence)[:2]
    expected = (
        "Cell 2 was stopped after 0.5 s.",
        "Cell 2 could not be stopped, so the code was graded from the notebook's definitions.",
    )
    assert expected == evidence.run.notes


# ------------------------------------------------------------------------------- death
ENDS = {
    "os._exit": "import os\nos._exit(0)",
    "killed": "import os\nos.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize("how", list(ENDS))
def test_when_the_kernel_dies_the_definitions_are_asked(run: RunScenario, how: str) -> None:
    cells = [BEFORE, f"print('so far', flush=True)\n{ENDS[how]}", AFTER]
    evidence = run(Scenario(cells=cells, probes=BOTH))
    assert [OK, DIED, NOT_RUN] == cell_outcomes(evidence)
    assert (RunOutcome.DIED, ProbedIn.DEFINITIONS) == (evidence.run.outcome, evidence.run.probed_in)
    assert ["before", "after"] == values(evidence)
    expected = (
        "The kernel was gone after cell 2, so the code was graded from the notebook's definitions.",
    )
    assert expected == evidence.run.notes


KILLERS = Scenario(
    cells=[BEFORE, AFTER],
    probes={
        "before": "return names.before()",
        "kills": "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(1000)",
        "between": "return names.limit",
        "kills_again": "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(1000)",
        "after": "return names.after()",
    },
)


def test_a_probe_that_kills_the_kernel_costs_its_neighbours_nothing(run: RunScenario) -> None:
    evidence = run(KILLERS)
    kinds = [evidence.replies[call.key].kind for call in KILLERS.calls()]
    value, died = ReplyKind.VALUE, ReplyKind.DIED
    assert [value, died, value, died, value] == kinds
    assert [OK, OK] == cell_outcomes(evidence)
    assert RunOutcome.COMPLETE is evidence.run.outcome


DEADLY = Scenario(
    cells=["class Deadly:\n    import os\n    os._exit(0)"], probes={"before": "return 1"}
)


def test_definitions_that_kill_even_a_fresh_kernel_are_the_students(run: RunScenario) -> None:
    evidence = run(DEADLY)
    assert ReplyKind.DIED is reply(evidence, "before").kind
    assert "The kernel was gone while the definitions were run." == evidence.run.notes[-1]


GREEDY = Scenario(
    cells=[
        BEFORE,
        "import os, time\nos.fork()\nmine = bytearray(600 << 20)\ntime.sleep(1000)",
        AFTER,
    ],
    probes=BOTH,
    limits=Limits(memory_bytes=1 << 30),
)


def test_processes_that_together_use_too_much_memory_are_ended_and_told(
    kernels: Kernels, run: RunScenario
) -> None:
    if not isinstance(kernels, WarmKernels):
        pytest.skip("stock kernels have a limit for each process only")
    evidence = run(GREEDY)
    assert [OK, DIED, NOT_RUN] == cell_outcomes(evidence)
    assert ["before", "after"] == values(evidence)
    expected = "The notebook used more than 1 GB of memory in cell 2, so the code was graded from"
    assert [f"{expected} the notebook's definitions."] == list(evidence.run.notes)


# ------------------------------------------------------------------------------- output
LOUD = Scenario(
    cells=[
        BEFORE,
        "print('first words')\nfor _ in range(300): print('x' * 10**6)\nprint('never')",
        (
            "from IPython.display import display, HTML, clear_output\n"
            "for i in range(10**6): display(i)"
        ),
        "from IPython.display import HTML\ndisplay(HTML('y' * 30_000_000))\nseen = 1",
        "for i in range(3000):\n    clear_output(wait=True)\n    display(HTML(f'{i}z' * 400))",
        "print('heard')",
        (
            "import sys\nsys.stdout.write('w' * 3_000_000)\ntry:\n"
            "    while True: print('v' * 1000)\n"
            "except KeyboardInterrupt: pass\nafterwards = 1"
        ),
        AFTER,
    ],
    probes={**BOTH, "state": "return [names.state, names.seen, names.afterwards]"},
    limits=Limits(output_bytes=2 << 20, answer_bytes=1 << 20),
)


def test_a_flood_is_stopped_and_the_kernel_goes_on(run: RunScenario) -> None:
    evidence = run(LOUD)
    assert [OK, FLOODED, FLOODED, FLOODED, OK, OK, FLOODED, OK] == cell_outcomes(evidence)
    assert (RunOutcome.ERRORS, ProbedIn.NOTEBOOK) == (evidence.run.outcome, evidence.run.probed_in)
    assert ["before", "after", ["kept", 1, 1]] == values(evidence)
    expected = "Cell 2 was stopped: it wrote more than 2 MB of output."
    assert expected == evidence.run.notes[0]


def test_the_beginning_of_a_flood_is_kept_with_a_note(run: RunScenario) -> None:
    text = outputs(run(LOUD), 1)
    assert "first words" in text
    assert "[stopped: more than 2 MB of output in this notebook]" in text
    assert "never" not in text
    assert len(text) < 100_000


def test_what_is_said_after_a_flood_is_heard(run: RunScenario) -> None:
    assert "heard" in outputs(run(LOUD), 5)


def test_an_animation_counts_as_what_it_shows_at_the_end(run: RunScenario) -> None:
    assert "2999z" in outputs(run(LOUD), 4)


def test_no_flood_gets_into_the_graders_memory(run: RunScenario) -> None:
    tracemalloc.start()
    try:
        evidence = run(Scenario(cells=[LOUD.cells[1], LOUD.cells[3]], limits=LOUD.limits))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 << 20
    assert len(evidence.executed) < 4 << 20


CLOSED = Scenario(
    cells=[
        BEFORE,
        (
            "kernel = get_ipython().kernel\nkernel.iopub_thread.io_loop.add_callback("
            "kernel.iopub_thread.socket.close)\nimport time; time.sleep(0.3)"
        ),
        "print('nobody hears this')",
        f"{AFTER}\n1 / 0",
        "pass",
    ],
    probes=BOTH,
)


def test_a_notebook_that_closes_the_way_of_output_is_run_and_asked(run: RunScenario) -> None:
    evidence = run(CLOSED)
    assert [OK, OK, OK, ERROR, OK] == cell_outcomes(evidence)
    assert ["before", "after"] == values(evidence)
    assert "Cell 2 closed the way of all output." in evidence.run.notes


# ------------------------------------------------------------------------------- files
@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", "not json", "\x00", "[" * 100_000, '{"cells": 3}']
)
def test_a_file_that_is_no_notebook_is_unreadable(
    kernels: Kernels, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(text, encoding="utf-8")
    executor = NotebookExecutor(kernels, Limits(), WORKPLACE)
    evidence = asyncio.run(executor.run(submission(path), KILLERS.calls()))
    assert (RunOutcome.UNREADABLE, {}) == (evidence.run.outcome, evidence.replies)
    assert ("The file is not a Jupyter notebook.",) == evidence.run.notes


def test_a_notebook_without_code_is_run_and_asked(run: RunScenario) -> None:
    cells = [{"cell_type": "markdown", "source": ["# A\n", "b"], "metadata": {}}]
    evidence = run(Scenario(cells=cells, probes={"before": "return names.before()"}))
    assert (RunOutcome.COMPLETE, ()) == (evidence.run.outcome, evidence.run.cells)
    assert ReplyKind.UNDEFINED is reply(evidence, "before").kind
    assert "# A\nb" == json.loads(evidence.executed)["cells"][0]["source"]


def test_notebooks_run_side_by_side(kernels: Kernels, tmp_path: Path) -> None:
    async def both() -> list[Evidence]:
        executor = NotebookExecutor(kernels, Limits(), WORKPLACE)
        runs = []
        for number in range(2):
            scenario = Scenario(cells=[f"x = {number}"], probes={"x": "return names.x"})
            folder = tmp_path / str(number)
            folder.mkdir()
            runs.append(executor.run(scenario.submission(folder), scenario.calls()))
        return await asyncio.gather(*runs)

    assert [[0], [1]] == [values(evidence) for evidence in asyncio.run(both())]


def test_cancelling_a_run_leaves_nothing(kernels: Kernels, temporary: Path, tmp_path: Path) -> None:
    scenario = Scenario(cells=["open('begun', 'w')\nwhile True: pass"])

    def begun() -> bool:
        if isinstance(kernels, WarmKernels):  # what it writes cannot be seen from outside
            return len(descendants(kernels.server.pid)) > 1
        return bool(list(temporary.glob("grader-work-*/begun")))

    async def cancelled() -> None:
        executor = NotebookExecutor(kernels, Limits(), WORKPLACE)
        task = asyncio.ensure_future(executor.run(scenario.submission(tmp_path), []))
        while not begun():  # noqa: ASYNC110  neither a file nor a process has an event
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancelled())
    assert [] == leftovers(temporary)
