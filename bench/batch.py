"""A class's notebooks, two at a time: pure computation, nbclient, the grader, and other graders.

    python -m bench.batch [--rounds 1] [--with nbgrader,otter] [--tools /tmp/bench-tools]

Two sets: 20 notebooks that compute for 1.5 s, and 100 that compute for 0.3 s (how much work that
is on this machine is measured first, and is then the same for all). All kinds take turns, on the
same notebooks, which define all that A2 asks for: `grader grade` asks all of A2's questions,
nbgrader and otter have one trivial test. Pure computation is the cells' own code in two processes
that have imported everything: what any grader adds to that is its own. So the start of nbclient's
two processes and of the fork server of "its executor" are not counted either; the programs are
timed from their start to their end. Stock kinds run fewer of the notebooks, for they need long;
so times are given for one notebook as well. nbgrader and otter are installed in a virtual
environment of their own, in the folder `--tools`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from grader.execution.executor import NotebookExecutor
from grader.execution.workplace import Workplace
from grader.kernels.server import ForkServer
from grader.kernels.warm import WarmKernels
from grader.model import Limits, RunOutcome, Submission

Kind = Callable[[Sequence[Path]], float]  # seconds for all of the notebooks
PURE, GRADE = "pure computation, two processes", "grader, `grader grade`"
ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
FEW = 10  # notebooks that stock kinds run
OTHERS = {"nbgrader": ["nbgrader"], "otter": ["otter-grader"]}
BESIDE = ["ipykernel", "matplotlib", "numpy", "pandas<3"]
SOLUTION = ROOT / "submissions" / "solution.py"
ASKED_FOR = ("optimizers", "network", "partition", "run-experiment")  # cells of it
IMPORTS = "import numpy as np\nimport pandas as pd\nimport matplotlib.pyplot as plt"
TRAINING = """
def train(steps, seed=0, hidden=20):
    rng = np.random.default_rng(seed)
    X, T = rng.uniform(-1, 1, (300, 5)), rng.uniform(-1, 1, (300, 1))
    V, W = rng.uniform(-0.1, 0.1, (5, hidden)), rng.uniform(-0.1, 0.1, (hidden, 1))
    errors = []
    for _ in range(steps):
        Z = np.tanh(X @ V)
        D = (Z @ W - T) / len(X)
        V, W = V - 0.1 * X.T @ ((D @ W.T) * (1 - Z**2)), W - 0.1 * Z.T @ D
        errors.append(float(np.sqrt(np.mean((Z @ W - T) ** 2))))
    return errors
"""
TRIVIAL = "abs(rmse(np.array([[1.0], [3.0]]), np.ones((2, 1))) - 2**0.5) < 1e-9"
TEST = f"assert {TRIVIAL}"
NBGRADER_TEST = {
    "grade": True,
    "grade_id": "test",
    "locked": True,
    "points": 1,
    "schema_version": 3,
    "solution": False,
    "task": False,
    "cell_type": "code",
}
QUESTION = f">>> bool({TRIVIAL})\nTrue"
SUITE = {"type": "doctest", "scored": True, "setup": "", "teardown": ""}
OTTER_TEST = {"name": "q1", "points": 1, "suites": [{**SUITE, "cases": [{"code": QUESTION}]}]}


# ------------------------------------------------------------------------------- notebooks
def calibrated(seconds: float) -> int:
    """Return the steps of training that take so long here."""
    names: dict[str, Any] = {}
    exec(IMPORTS.splitlines()[0] + TRAINING, names)  # noqa: S102  the bench's own text
    taken = []
    for _ in range(5):
        begun = time.process_time()
        names["train"](2000)
        taken.append(time.process_time() - begun)
    return round(2000 * seconds / statistics.median(taken))


def solution() -> list[str]:
    """Return the cells of a right A2 that define what it asks for."""
    cells = re.split(
        r'^# %%.* id="(.+)"\n', SOLUTION.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    by_id = dict(zip(cells[1::2], cells[2::2], strict=True))
    return [by_id[name] for name in ASKED_FOR]


def notebook(steps: int, number: int, *, plots: bool) -> nbformat.NotebookNode:
    """Return a notebook in the manner of the course, with a test cell for nbgrader."""
    cells = [
        IMPORTS,
        *solution(),
        TRAINING,
        f"errors = train({steps}, seed={number})\nlen(errors)",
        "plt.plot(errors)\nplt.xlabel('step')\nplt.show()" if plots else "rows = []",
        "pd.DataFrame({'error': errors}).describe()" if plots else "print(errors[-1])",
        TEST,
    ]
    made = [nbformat.v4.new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(cells)]  # type: ignore[no-untyped-call]  # nbformat's
    made[-1]["metadata"]["nbgrader"] = NBGRADER_TEST
    written: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=made)  # type: ignore[no-untyped-call]  # nbformat's
    written["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return written


def make_set(folder: Path, count: int, steps: int, *, plots: bool) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"Student{number:03}-A0.ipynb" for number in range(count)]
    for number, path in enumerate(paths):
        nbformat.write(notebook(steps, number, plots=plots), path)  # type: ignore[no-untyped-call]  # nbformat's
    return paths


# ------------------------------------------------------------------------------- kinds
def in_processes(kind: str, processes: int) -> Kind:
    """Return what runs notebooks in so many worker processes; their start is not counted."""

    def run(paths: Sequence[Path]) -> float:
        shares = [paths[number::processes] for number in range(processes)]
        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(worker(kind, share)) for share in shares]
            for each in workers:
                assert each.stderr is not None  # noqa: S101  it is a pipe
                each.stderr.readline()
            begun = time.perf_counter()
            for each in workers:
                assert each.stdin is not None  # noqa: S101  it is a pipe
                each.stdin.write("begin\n")
                each.stdin.close()
            if any(each.wait() for each in workers):
                raise RuntimeError(f"A worker of {kind} failed.")
            return time.perf_counter() - begun

    return run


def worker(kind: str, paths: Sequence[Path]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.worker", kind, *map(str, paths)],
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def by_executor(paths: Sequence[Path]) -> float:
    """Run notebooks as the grader does, by a fork server that is there."""
    with contextlib.closing(ForkServer()) as server:
        server.start()
        begun = time.perf_counter()
        executor = NotebookExecutor(WarmKernels(server), Limits(), Workplace())
        waiting = iter(paths)

        async def work() -> None:
            for path in waiting:
                sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
                submission = Submission(students=(), file=path.name, path=path, sha256=sha256)
                evidence = await executor.run(submission, ())
                if evidence.run.outcome is not RunOutcome.COMPLETE:
                    raise RuntimeError(f"{path.name} failed: {evidence.run}.")

        async def work_all() -> None:
            await asyncio.gather(*(work() for _ in range(WORKERS)))

        asyncio.run(work_all())
        return time.perf_counter() - begun


def by_command(paths: Sequence[Path]) -> float:
    """Run `grader grade` from its start to its end: results, tables and pages for everybody."""
    command = [sys.executable, "-m", "grader", "grade", *map(str, paths), "--jobs", str(WORKERS)]
    environment = {**os.environ, "GRADER_HIDDEN_SEED": "a secret of the bench"}
    with tempfile.TemporaryDirectory() as folder:
        return timed([*command, "--out", folder], Path(folder), environment)


def by_nbgrader(tools: Path) -> Kind:
    def run(paths: Sequence[Path]) -> float:
        nbgrader = str(tools / "bin" / "nbgrader")
        with tempfile.TemporaryDirectory() as made:
            course = Path(made)
            config = "c = get_config()\nc.CourseDirectory.course_id = 'bench'\n"
            (course / "nbgrader_config.py").write_text(config, encoding="utf-8")
            source = course / "source" / "a0" / "a0.ipynb"
            for target in (source, *(submitted(course, path) for path in paths)):
                target.parent.mkdir(parents=True)
            shutil.copy(paths[0], source)
            for path in paths:
                shutil.copy(path, submitted(course, path))
            environment = with_programs_of(tools)
            timed([nbgrader, "generate_assignment", "a0"], course, environment)
            taken = timed([nbgrader, "autograde", "a0"], course, environment)
            graded = list(course.glob("autograded/*/a0/a0.ipynb"))
            if len(graded) != len(paths):
                raise RuntimeError(f"nbgrader graded {len(graded)} of {len(paths)}.")
            return taken

    return run


def submitted(course: Path, path: Path) -> Path:
    return course / "submitted" / path.stem / "a0" / "a0.ipynb"


def by_otter(tools: Path) -> Kind:
    def run(paths: Sequence[Path]) -> float:
        otter = str(tools / "bin" / "otter")
        environment = with_programs_of(tools)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            (folder / "tests").mkdir()
            test = f"OK_FORMAT = True\ntest = {OTTER_TEST!r}\n"
            (folder / "tests" / "q1.py").write_text(test, encoding="utf-8")
            autograder = folder / "autograder.zip"
            generate = [otter, "generate", "-t", "tests", "-o", str(autograder)]
            timed([*generate, "--no-environment", "--no-requirements"], folder, environment)
            taken = 0.0
            for path in paths:
                out = folder / path.stem
                out.mkdir()
                command = [otter, "run", "-a", str(autograder), "-o", str(out), "--no-logo"]
                taken += timed([*command, str(path)], folder, environment)
                result = json.loads((out / "results.json").read_text(encoding="utf-8"))
                if not any(test.get("score") for test in result["tests"]):
                    raise RuntimeError(f"otter gave no points: {result}.")
            return taken

    return run


def with_programs_of(tools: Path) -> dict[str, str]:
    """Return an environment in which programs installed there are found by name."""
    return {**os.environ, "PATH": f"{tools / 'bin'}:{os.environ['PATH']}"}


def timed(command: list[str], folder: Path, environment: Mapping[str, str]) -> float:
    """Return the seconds that a program takes; RuntimeError, with what it said, if it fails."""
    begun = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    taken = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return taken


def installed(tools: Path, names: Sequence[str]) -> None:
    """Install graders in a virtual environment of their own, if it is not there."""
    if not (tools / "bin" / "pip").exists():
        venv.create(tools, with_pip=True)
    packages = [package for name in names for package in OTHERS[name]]
    if not all((tools / "bin" / name).exists() for name in names):
        subprocess.run([tools / "bin" / "pip", "install", "-q", *packages, *BESIDE], check=True)


# ------------------------------------------------------------------------------- all
def measured(
    kinds: Mapping[str, tuple[Kind, int]], paths: Sequence[Path], rounds: int
) -> dict[str, list[float]]:
    """Return, for each kind, the seconds for one notebook in each round."""
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, (run, count) in kinds.items():
            print(f"{name} …", file=sys.stderr, flush=True)
            taken[name].append(run(paths[:count]) / len(paths[:count]))
    return taken


def table(
    title: str, kinds: Mapping[str, tuple[Kind, int]], taken: Mapping[str, Sequence[float]]
) -> list[str]:
    """Return a Markdown table; "of pure" is pure computation's time by a kind's own."""
    pure = taken[PURE]
    rows = [
        f"| {title} | ran | s for one | all, s | least to most | of pure | times the grader |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    total = kinds[PURE][1]
    for name, each in taken.items():
        middle = statistics.median(each)
        share = statistics.median(p / one for p, one in zip(pure, each, strict=True))
        slower = statistics.median(one / g for one, g in zip(each, taken[GRADE], strict=True))
        rows.append(
            f"| {name} | {kinds[name][1]} | {middle:.2f} | {middle * total:.1f} | "
            f"{min(each) * total:.1f} to {max(each) * total:.1f} | {share:.2f} | {slower:.1f} |"
        )
    return rows


def kinds_of(count: int, others: Mapping[str, Kind]) -> dict[str, tuple[Kind, int]]:
    few = min(FEW, count)
    return {
        PURE: (in_processes("pure", WORKERS), count),
        "grader, its executor": (by_executor, count),
        GRADE: (by_command, count),
        "nbclient, two processes": (in_processes("nbclient", WORKERS), few),
        "nbclient, one after the other": (in_processes("nbclient", 1), few),
        **{name: (run, count) for name, run in others.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--with", dest="others", default="", help="nbgrader,otter")
    parser.add_argument("--tools", type=Path, default=Path(tempfile.gettempdir(), "bench-tools"))
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    names = [name for name in options.others.split(",") if name]
    if names:
        installed(options.tools, names)
    made = {"nbgrader": by_nbgrader, "otter": by_otter}
    others = {name: made[name](options.tools) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        for title, count, seconds, plots, beside in (
            ("20 notebooks of 1.5 s", 20, 1.5, True, others),
            ("100 notebooks of 0.3 s", 100, 0.3, False, {}),
        ):
            paths = make_set(Path(folder, title), count, calibrated(seconds), plots=plots)
            kinds = kinds_of(count, beside)
            taken = measured(kinds, paths, options.rounds)
            print(*table(title, kinds, taken), "", sep="\n", flush=True)


if __name__ == "__main__":
    main()
