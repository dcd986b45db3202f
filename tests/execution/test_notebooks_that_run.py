"""Notebooks as students write them: what runs in Jupyter runs here, without network or window."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grader.execution.executor import Kernels, NotebookExecutor
from grader.kernels.warm import WarmKernels
from grader.model import CellOutcome, Evidence, Limits, ProbedIn, ReplyKind, RunOutcome
from tests.execution.scenarios import (
    URL,
    WORKPLACE,
    Scenario,
    assert_ended,
    code,
    descendants,
    outputs,
    reply,
)

pytestmark = pytest.mark.kernel

CELLS = {
    "imports": "import os, sys\nimport numpy as np\nimport pandas as pd\n"
    "import matplotlib.pyplot as plt\n"
    "listed, environment = sorted(os.listdir('.')), dict(os.environ)",
    "draws": "first_draw = np.random.uniform(size=2)",
    "definitions": "counter = [0]\ndef relu(s):\n    counter[0] += 1\n    return np.maximum(s, 0)",
    "undefined": "result = never_defined + 1",
    "after": "after = 1",
    "syntax": "def broken(:\n    pass",
    "url": f"import urllib.request\n"
    f"table = pd.read_csv({URL!r}, header=None, delim_whitespace=True, na_values='NA')\n"
    f"text = urllib.request.urlopen({URL!r}).read()\n"
    f"urllib.request.urlretrieve({URL!r}, 'again.data')",
    "no network": "pd.read_csv('https://example.org/other.data')",
    "installs": "!pip install nonesuch\nlines = !conda install nonesuch\n%pip install nonesuch\n"
    "word = 'there'\n!echo hello {word}\nsaid = !echo {word}",
    "bash": "%%bash\napt-get install nonesuch\necho from bash",
    "widget": "%matplotlib widget\nplt.plot([1, 2])",
    "qt": "%matplotlib qt\nplt.plot([1, 2]);",
    "removed magic": "get_ipython().magic(u'run -i A2grader.py')",
    "self-check": "%run -i A2grader.py",
    "line magic": "get_ipython().run_line_magic('run', '-i A2grader.py')",
    "autoreload": "%load_ext autoreload\n%autoreload 2\n%load_ext nonesuch",
    "input": "name = input('who? ')",
    "exit": "sys.exit(1)",
    "quit": "quit()",
    "memory": "ones = np.ones(8 << 30)",
    "allowed to fail": code("raise ValueError('\\x1b[31mred\\x1b[0m')", tags=["raises-exception"]),
    "skipped": code("not_skipped = 1", tags=["skip-execution"]),
    "own timeout": code("import time; time.sleep(1.2); waited = 1", timeout=1),
    "children": "import subprocess\n"
    "children = [subprocess.Popen(['sleep', '1000'], start_new_session=s).pid for s in (0, 1)]",
    "markdown": {"cell_type": "markdown", "source": "# Discussion", "metadata": {}},
    "empty": "",
    "shadows": "len = compile = exec = print = json = np.save = open = id = str = None\n"
    "get_ipython = None",
    "last": "last = 1",
}
PROBES = {
    "value": "return names.relu(np.array([[-1.0, 2.0]]))",
    "counted": "names.relu(np.zeros(1))\nreturn names.counter",
    "counted_again": "names.relu(np.zeros(1))\nreturn names.counter",
    "drawn": "return names.first_draw",
    "table": "return names.table",
    "text": "return names.text.decode()",
    "flags": "return [names.after, names.not_skipped, names.waited, names.last]",
    "said": "return list(names.said)",
    "listed": "return names.listed",
    "environment": "return sorted(names.environment)",
    "values": "return ' '.join(names.environment.values())",
    "children": "return names.children",
    "undefined": "return names.find('swish', 'Swish')",
    "hangs": "while True: pass",
    "exits": "import os\nos._exit(0)",
    "nested": "x = []\nfor _ in range(100_000): x = [x]\nreturn x",
    "huge": "return np.zeros(2 << 20)",
    "lies": "import os, struct, sys\nframe = sys._getframe()\n"
    "while 'writer' not in frame.f_locals: frame = frame.f_back\n"
    "text = b'[' * 100_000\n"
    "lie = struct.pack('>Q', len(text) + 4) + struct.pack('>I', len(text)) + text\n"
    "os.write(frame.f_locals['writer'], lie)\nos._exit(0)",
    "neighbour": "return 'still here'",
}
HONEST = Scenario(
    cells=list(CELLS.values()),
    probes={name: f"import numpy as np\n{body}" for name, body in PROBES.items()},
    limits=Limits(probe_seconds=2.0),
)
RunScenario = Callable[[Scenario], Evidence]


@pytest.fixture
def honest(run: RunScenario) -> Evidence:
    return run(HONEST)


def shown(evidence: Evidence, name: str) -> str:
    return outputs(evidence, list(CELLS).index(name))


def cell_error(evidence: Evidence, name: str) -> str:
    index = list(CELLS).index(name)
    return next(cell.error for cell in evidence.run.cells if cell.index == index)


def test_it_runs_to_the_end_and_is_asked_where_it_ran(honest: Evidence) -> None:
    assert (RunOutcome.ERRORS, ProbedIn.NOTEBOOK) == (honest.run.outcome, honest.run.probed_in)
    assert () == honest.run.notes


def test_the_cells_that_fail_are_those_that_fail_in_jupyter(honest: Evidence) -> None:
    names = list(CELLS)
    failed = [names[c.index] for c in honest.run.cells if c.outcome is not CellOutcome.OK]
    expected = ["undefined", "syntax", "no network", "input", "exit", "memory", "allowed to fail"]
    assert expected == failed


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("undefined", "NameError: name 'never_defined' is not defined"),
        ("syntax", "SyntaxError: invalid syntax (line 1)"),
        ("no network", "URLError: <urlopen error there is no network while grading>"),
        ("allowed to fail", "ValueError: red"),
        ("exit", "SystemExit: 1"),
    ],
)
def test_an_error_is_told_in_a_line(honest: Evidence, name: str, error: str) -> None:
    assert error == cell_error(honest, name)


def test_more_memory_than_allowed_is_an_error_of_the_cell(honest: Evidence) -> None:
    assert "MemoryError" in cell_error(honest, "memory")


def test_answers_come_from_the_notebooks_names(honest: Evidence) -> None:
    np.testing.assert_array_equal([[0.0, 2.0]], reply(honest, "value").value)


def test_a_probe_sees_nothing_of_what_another_changed(honest: Evidence) -> None:
    assert ([1], [1]) == (reply(honest, "counted").value, reply(honest, "counted_again").value)


def test_tags_and_metadata_change_nothing(honest: Evidence) -> None:
    assert [1, 1, 1, 1] == reply(honest, "flags").value


def test_the_generator_is_seeded(honest: Evidence) -> None:
    expected = np.random.RandomState(0).uniform(size=2)
    np.testing.assert_array_equal(expected, reply(honest, "drawn").value)


def test_the_data_is_read_without_network(honest: Evidence) -> None:
    assert ReplyKind.VALUE is reply(honest, "table").kind
    assert "18.0 8 307.0\n15.0 8 350.0\n18.0 8 NA\n" == reply(honest, "text").value


def test_installs_are_one_line_each_and_other_commands_run(honest: Evidence) -> None:
    text = shown(honest, "installs")
    assert 3 == text.count("Not run while grading")
    assert "hello there" in text
    assert ["there"] == reply(honest, "said").value
    assert "Not run while grading: apt-get install nonesuch" in shown(honest, "bash")
    assert "from bash" in shown(honest, "bash")


@pytest.mark.parametrize("name", ["widget", "qt"])
def test_plots_are_in_the_notebook_whatever_was_asked_for(honest: Evidence, name: str) -> None:
    assert "image/png" in shown(honest, name)


@pytest.mark.parametrize("name", ["removed magic", "self-check", "line magic"])
def test_the_self_check_is_replaced_by_a_line(honest: Evidence, name: str) -> None:
    assert "The self-check is not run while grading." in shown(honest, name)


def test_a_missing_extension_is_a_line(honest: Evidence) -> None:
    assert "Not installed where this is graded: nonesuch" in shown(honest, "autoreload")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("undefined", ReplyKind.UNDEFINED),
        ("hangs", ReplyKind.TIMEOUT),
        ("exits", ReplyKind.DIED),
        ("nested", ReplyKind.UNUSABLE),
        ("huge", ReplyKind.MALFORMED),
        ("lies", ReplyKind.MALFORMED),
        ("neighbour", ReplyKind.VALUE),
    ],
)
def test_each_probe_answers_for_itself(honest: Evidence, name: str, kind: ReplyKind) -> None:
    assert kind is reply(honest, name).kind


def test_the_folder_holds_what_was_staged_and_nothing_else(honest: Evidence) -> None:
    assert ["A2grader.py", "auto-mpg.data"] == reply(honest, "listed").value


def test_nothing_of_the_graders_environment_is_there(honest: Evidence) -> None:
    names = reply(honest, "environment").value
    assert isinstance(names, list)
    assert not [name for name in names if str(name).startswith(("GRADER", "PYTEST"))]
    assert "a-secret-of-the-course" not in str(reply(honest, "values").value)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_HIDDEN_SEED", "a-secret-of-the-course")


def test_no_process_is_left(kernels: Kernels, honest: Evidence) -> None:
    if isinstance(kernels, WarmKernels):  # the ids that it knows are its own
        assert 1 == len(descendants(kernels.server.pid))
        return
    pids = reply(honest, "children").value
    assert isinstance(pids, list)
    for pid in pids:
        assert isinstance(pid, int)
        assert_ended(pid)


def test_the_isolation_that_was_active_is_told(honest: Evidence) -> None:
    assert "clean environment" in honest.run.isolation


def test_the_executed_notebook_is_one(honest: Evidence) -> None:
    executed = json.loads(honest.executed)
    assert len(CELLS) == len(executed["cells"])
    assert all({} == cell["metadata"] for cell in executed["cells"])


# ------------------------------------------------------------------------------- a quick look
def test_a_quick_look_asks_what_is_defined_and_runs_no_cell(
    kernels: Kernels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = Scenario(
        cells=["def relu(s): return max(s, 0)\nwhile True: pass", "seen = relu(1)"],
        probes={"relu": "return names.relu(-1)", "seen": "return names.seen"},
    )
    executor = NotebookExecutor(kernels, Limits(), WORKPLACE, definitions_only=True)
    with monkeypatch.context() as here:
        here.setattr("ast.parse", None)  # it is the kernel that reads a student's text
        evidence = asyncio.run(executor.run(scenario.submission(tmp_path), scenario.calls()))
    assert (RunOutcome.COMPLETE, ()) == (evidence.run.outcome, evidence.run.cells)
    assert ProbedIn.DEFINITIONS is evidence.run.probed_in
    assert 0 == reply(evidence, "relu").value
    assert ReplyKind.UNDEFINED is reply(evidence, "seen").kind
    assert evidence.run.isolation
