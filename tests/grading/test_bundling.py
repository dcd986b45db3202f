"""The self-check that students download: what is in it, and that it says what the grader says."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from packaging.requirements import Requirement

from grader.cli import main
from grader.errors import PackError, SubmissionError
from grader.evidence import decode
from grader.execution import notebook
from grader.execution.executor import NotebookExecutor
from grader.grading.batch import Exam
from grader.grading.bundling import bundle
from grader.grading.bundling.parts import OLDEST_PYTHON, PACKAGE, THEIRS, _imported
from grader.grading.bundling.selfcheck import (
    REMINDER,
    Question,
    SelfCheck,
    _print,
    _put_back,
    ask_all,
)
from grader.grading.check import Checked, Checker, checker
from grader.inside import definitions, harness
from grader.kernels.isolation import Isolation
from grader.model import ProbeKey, Reply, ReplyKind, Section, Seed, Visibility
from grader.packs import Pack, load_pack
from grader.reports.console import check_report

SAMPLES = Path("submissions")
PACKAGES = ("numpy", "pandas")
IN_JUPYTER = (*PACKAGES, "matplotlib", "ipykernel")
RUNNER = Path(__file__).with_name("self_checking.py")
# Other Pythons to try, each with the packages of IN_JUPYTER: paths separated as in PATH.
PYTHONS = [
    path for path in os.environ.get("GRADER_SELF_CHECK_PYTHONS", "").split(os.pathsep) if path
]
NO_PYTHONS = pytest.mark.skip(reason="GRADER_SELF_CHECK_PYTHONS names no other Pythons")
CODE_PAGES = ("cp437", "cp1252")
RULER = "-" * 80
WHEEL = "grader-0.1.0-py3-none-any.whl"
SECRET = "a secret of the tests"  # noqa: S105  and of nothing else
# Names that IPython sets itself, the last of them for %run.
IPYTHONS = re.compile(r"_{1,3}|_i{1,3}|_i?\d+|_[ido]h|In|Out|__file__")
Run = tuple[str, str, str]  # a way, an encoding, the name of a notebook: see RUNNER


# ------------------------------------------------------------------------------- what is made
@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Exam]:
    """The zip that `grader bundle` makes where the course's secret is known; what it asked."""
    path = tmp_path_factory.mktemp("self-check") / "A2grader.zip"
    asked: list[Exam] = []

    def kept(pack: Pack, secret: bytes | None) -> Exam:
        asked.append(Exam.of(pack, secret))
        return asked[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_HIDDEN_SEED", SECRET)
        patch.setattr("grader.grading.bundling.making.Exam", SimpleNamespace(of=kept))
        run = CliRunner().invoke(main, ["bundle", "a2", "-o", str(path)], catch_exceptions=False)
    assert 0 == run.exit_code
    assert f"{path}: A2grader.py, auto-mpg.data, auto-mpg.data-original." in run.output
    assert "In the last cell of a notebook: %run -i A2grader.py" in run.output
    return path, asked[0]


@pytest.fixture(scope="module")
def exam(made: tuple[Path, Exam]) -> Exam:
    return made[1]


@pytest.fixture(scope="module")
def pack(exam: Exam) -> Pack:
    return exam.pack


@pytest.fixture(scope="module")
def script(made: tuple[Path, Exam]) -> Path:
    with zipfile.ZipFile(made[0]) as archive:
        archive.extractall(made[0].parent)
    return made[0].with_suffix(".py")


@pytest.fixture(scope="module")
def texts(script: Path) -> dict[str, str]:
    """All the Python that the script holds, by part or probe, and the script itself."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    lists = [node for node in tree.body if isinstance(node, ast.Assign)]
    call = lists[0].value
    assert isinstance(call, ast.Call)
    parts = dict(ast.literal_eval(call.args[0]))
    holding = held(script)
    probes = {f"probe {name}": text for name, text in holding["sources"].items()}
    snippets = {f"snippet {name}": text for name, text in holding["snippets"].items()}
    return {"script": script.read_text(encoding="utf-8"), **parts, **probes, **snippets}


def held(script: Path) -> dict[str, Any]:
    """The data at the script's end."""
    packed = script.read_text(encoding="utf-8").split("'''")[-2]
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b85decode("".join(packed.split()))))
    return found


def replies_of(kept: str) -> dict[ProbeKey, Reply]:
    return dict(decode(base64.b64decode(kept)).replies)


# ------------------------------------------------------------------------------- what is in it
def test_all_of_it_is_python_3_9(texts: dict[str, str]) -> None:
    for name, text in texts.items():
        ast.parse(text, name, feature_version=OLDEST_PYTHON)


def test_it_imports_what_students_have_and_itself(texts: dict[str, str]) -> None:
    """IPython only where it has to do without as well."""
    found = {
        (name, module.partition(".")[0])
        for name, text in texts.items()
        for module in _imported(ast.walk(ast.parse(text)))
    }
    assert ("differences", "numpy") in found
    theirs = THEIRS | {PACKAGE}
    assert {("definitions", "IPython")} == {each for each in found if each[1] not in theirs}


def statements(text: str) -> Iterator[str]:
    """The statements and lambdas of a module in one spelling, but for those that say nothing.

    Names of variables and annotations are part of it; docstrings, imports, signatures, constants
    and plain names or attributes are not: `return self`, `x = 0`.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AugAssign):
            yield ast.unparse(node)
            continue
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)):
            value = node.value
        elif isinstance(node, ast.Lambda):
            value = node.body
        else:
            continue
        if sum(isinstance(part, (ast.Call, ast.BinOp)) for part in ast.walk(value or node)):
            yield ast.unparse(value or node)


def test_no_line_of_the_reference_is_in_it(texts: dict[str, str], pack: Pack) -> None:
    reference = {
        line: path.name
        for path in Path("reference/a2").glob("*.py")
        for line in statements(path.read_text(encoding="utf-8"))
    }
    starter = json.loads(pack.file(pack.rubric.starter).read_text(encoding="utf-8"))
    given = "\n".join(
        "".join(cell["source"])
        for cell in starter["cells"]
        if cell["cell_type"] == "code" and "%run" not in "".join(cell["source"])
    )
    secret = reference.keys() - set(statements(given))
    found = {
        (line, name, reference[line])
        for name, text in texts.items()
        for line in statements(text)
        if line in secret
    }
    assert len(reference) > 60
    assert set() == found


def test_nothing_of_how_known_mistakes_are_made_is_in_it(
    texts: dict[str, str], script: Path, pack: Pack
) -> None:
    whole = "\n".join([*texts.values(), json.dumps(held(script))])
    changes = [c for m in pack.mistakes.values() for way in m.ways for c in way]
    changes += [c for right in pack.rights.values() for c in right.changes]
    told = [text for change in changes for text in change if "(" in text or "\n" in text]
    assert len(told) > 40
    assert [] == [text for text in told if text in whole and len(text) > 24]


def test_questions_and_answers_are_public_ones(script: Path, pack: Pack) -> None:
    holding = held(script)
    asked = [(call.probe_id, call.seed.index, call.number) for call in pack.questions(None)]
    assert asked == [tuple(question) for question in holding["questions"]]
    answered = {**replies_of(holding["expected"]), **replies_of(holding["known"])}
    assert {Visibility.PUBLIC} == {seed.visibility for _, seed in answered}
    assert {"title", "perfect", "item"} == set(holding["rubric"])
    assert set(pack.mistakes) == set(holding["mistakes"])


def test_nothing_in_the_zip_knows_the_hidden_seed(
    made: tuple[Path, Exam], script: Path, pack: Pack
) -> None:
    """Neither as it is, nor packed; and none of the numbers that are drawn from it."""
    with zipfile.ZipFile(made[0]) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert {"A2grader.py", *pack.rubric.files} == set(members)
    members["held"] = json.dumps(held(script)).encode()
    found = {
        (call.seed.visibility, name)
        for call in pack.questions(SECRET.encode())
        for name, content in members.items()
        if str(call.number).encode() in content
    }
    assert {(Visibility.PUBLIC, "held")} == found
    assert [] == [name for name, content in members.items() if SECRET.encode() in content]


def test_answers_are_data_and_of_the_reference(script: Path, pack: Pack) -> None:
    expected = replies_of(held(script)["expected"])
    reply = next(reply for (probe, _), reply in expected.items() if probe == "adam_parabola")
    assert isinstance(reply.value, dict)
    assert np.allclose(reply.value["weights"], 5.03900403, atol=5e-9)  # type: ignore[arg-type]  # an array
    assert {call.key for call in pack.questions(None)} == set(expected)


def test_the_same_pack_gives_the_same_zip(tmp_path: Path) -> None:
    line = load_pack("line", [Path("docs/examples")])
    first, again = (bundle(line, tmp_path / name, 1).path for name in ("1.zip", "2.zip"))
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--gradescope"], "--gradescope needs --wheel: `pip wheel --no-deps -w dist .`"),
        (
            ["--hidden-seed-file", "README.md"],
            "--wheel, --hidden-seed-file and --late are for",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], words: str) -> None:
    run = CliRunner().invoke(main, ["bundle", "a2", *options])
    assert 2 == run.exit_code
    assert words in run.stderr


def test_the_other_form_is_an_autograder(tmp_path: Path) -> None:
    wheel, seed, path = (tmp_path / name for name in (WHEEL, "seed", "a.zip"))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("grader/cli/__init__.py", "")
    seed.write_text(SECRET, encoding="utf-8")
    options = ["--gradescope", "--wheel", wheel, "--hidden-seed-file", seed, "-o", path]
    run = CliRunner().invoke(main, ["bundle", "a2", *map(str, options)], catch_exceptions=False)
    said, container, *_ = run.output.splitlines()
    assert (0, f"{path}: setup.sh, run_autograder, {WHEEL}, hidden-seed.") == (run.exit_code, said)
    assert "26 minutes and 5 GB" in container
    with zipfile.ZipFile(path) as archive:
        assert SECRET == archive.read("hidden-seed").decode()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("import numpy as np", "import numpy as np\nimport scipy", "imports scipy"),
        ("import numpy as np", "import numpy as np\nimport tomllib", "imports tomllib"),
        ("import numpy as np", "match 1:\n    case _:\n        import numpy as np", "Python 3.9"),
    ],
)
def test_a_pack_that_needs_more_than_students_have_is_refused(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    shutil.copytree("docs/examples/line", tmp_path / "line")
    line = load_pack("line", [tmp_path])
    checks = tmp_path / "line" / "checks.py"
    checks.write_text(checks.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(PackError, match=words):
        bundle(line, tmp_path / "out.zip", 1)
    assert not (tmp_path / "out.zip").exists()


# ------------------------------------------------------------------------------- what it says
@pytest.fixture(scope="session")
def jupyters_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bare_python(tmp_path_factory.mktemp("jupyter"), IN_JUPYTER)


@pytest.fixture(scope="session")
def barest_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bare_python(tmp_path_factory.mktemp("barest"), PACKAGES)


def bare_python(folder: Path, packages: tuple[str, ...]) -> str:
    """Make a Python of its own that finds these packages, what they require, and no more."""
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for distribution in required(packages):
        for top in {file.parts[0] for file in distribution.files or () if ".." not in file.parts}:
            place = site / top
            if not place.exists():
                place.symlink_to(Path(str(distribution.locate_file(top))).resolve())
    return str(folder / "bin" / "python")


def required(names: tuple[str, ...]) -> list[metadata.Distribution]:
    """These distributions and all that they require here."""
    found: dict[str, metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        requirements = [Requirement(text) for text in found[name].requires or ()]
        waiting += [
            each.name
            for each in requirements
            if each.marker is None or each.marker.evaluate({"extra": ""})
        ]
    return list(found.values())


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run_bare(
    python: str, *arguments: str | Path, cwd: Path, seconds: float | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean(), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", **env},
        check=False,
        timeout=seconds,
    )


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every notebook of submissions/, by its name there; `shadowed` is made of one of them."""
    folder = tmp_path_factory.mktemp("notebooks")
    with zipfile.ZipFile(SAMPLES / "a2-canvas-export.zip") as archive:
        contents = {n: archive.read(n) for n in archive.namelist() if n.endswith(".ipynb")}
    contents |= {path.stem: path.read_bytes() for path in (SAMPLES / "notebooks").glob("*.ipynb")}
    shadowed = json.loads(contents["relu-in-place"])
    shadowed["cells"].append(
        {**shadowed["cells"][-1], "source": "list = len = str = zip = sum = 7"}
    )
    contents["shadowed"] = json.dumps(shadowed).encode()
    found = {name: folder / f"{i}.ipynb" for i, name in enumerate(contents)}
    for name, path in found.items():
        path.write_bytes(contents[name])
    return found


@dataclass(frozen=True)
class Samples:
    """Every notebook of submissions/, and what `grader check --quick` finds in it."""

    pack: Pack
    checking: Checker
    notebooks: dict[str, Path]
    checked: dict[str, Checked]  # without those that are refused

    def code_points(self, name: str) -> Decimal:
        points = self.checked[name].grade.score.sections[Section.CODE].points
        assert points is not None
        return points

    def said(self, found: Checked, encoding: str = "utf-8") -> str:
        """What `grader check` prints of points and reasons, on a terminal of this encoding."""
        to = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        text = check_report(found.grade, self.pack.rubric, found.exhibits, found.facts, to=to)
        title, _file, rest = text.split("\n", 2)
        return f"{title}\n{rest.partition('What people will look at')[0]}".strip()


@pytest.fixture(scope="module")
def samples(exam: Exam, notebooks: dict[str, Path]) -> Iterator[Samples]:
    """All of them by one fork server, with the answers of known mistakes that are there already."""
    limits = exam.pack.rubric.limits.limits()
    checked = {}
    with checker(exam.pack, limits, Isolation.AUTO, print, quick=True) as quick:
        checking = replace(quick, exam=exam)
        for name, path in notebooks.items():
            with contextlib.suppress(SubmissionError):
                checked[name] = checking.check(path)
        yield Samples(exam.pack, checking, notebooks, checked)


def said_of_the_code(text: str) -> str:
    """What a self-check prints of the same, after where the names come from."""
    return text.partition("\n\n")[2].partition(RULER)[0].strip()


def execution_grade(text: str) -> str:
    (points,) = re.findall("^Execution grade +(.*)$", text, re.MULTILINE)
    return str(points)


def compare(python: str, script: Path, samples: Samples, runs: Sequence[Run], folder: Path) -> None:
    """Assert that a self-check says of each notebook what the grader says of it."""
    assert run_bare(python, "-c", "import grader", cwd=folder).returncode
    files = [(way, encoding, samples.notebooks[name]) for way, encoding, name in runs]
    texts = printed_by_runner(python, script, files, folder)
    for (way, encoding, name), text in zip(runs, texts, strict=True):
        if name in samples.checked:
            right = samples.said(samples.checked[name], encoding)
            assert right == said_of_the_code(text), (way, encoding, name)
            assert right.count("?") == samples.said(samples.checked[name]).count("?")
            assert f"{samples.code_points(name):f} of 70" == execution_grade(text), name
        else:
            assert "is not a Jupyter notebook, or it is damaged" in " ".join(text.split())


def printed_by_runner(
    python: str,
    script: Path,
    runs: Sequence[tuple[str, str, Path]],
    folder: Path,
    *,
    seconds: float | None = None,
) -> list[str]:
    asked, out = folder / "runs.json", folder / "said.json"
    asked.write_text(json.dumps([[way, code, str(path)] for way, code, path in runs]), "utf-8")
    run = run_bare(python, RUNNER, script, asked, out, cwd=folder, seconds=seconds)
    assert ("", "") == (run.stdout, run.stderr)
    said: list[str] = json.loads(out.read_text(encoding="utf-8"))
    return said


def every_way(samples: Samples) -> list[Run]:
    """All as on Windows; those that lost points as on Linux too, where each question forks.

    And two of them with code pages.
    """
    alone = sorted(path.stem for path in (SAMPLES / "notebooks").glob("*.ipynb"))
    lost = [name for name in alone if samples.code_points(name) < 70]
    assert (60, 1, 8) == (len(samples.notebooks), 60 - len(samples.checked), len(lost))
    runs = [("windows", "utf-8", name) for name in samples.notebooks]
    runs += [("fork", "utf-8", name) for name in lost]
    return runs + [("windows", page, name) for name in lost[:2] for page in CODE_PAGES]


@pytest.mark.kernel
def test_it_says_of_every_notebook_what_grader_check_says(
    script: Path, jupyters_python: str, samples: Samples, tmp_path: Path
) -> None:
    """All points and all words."""
    contents = {path: path.read_bytes() for path in samples.notebooks.values()}
    compare(jupyters_python, script, samples, every_way(samples), tmp_path)
    assert contents == {path: path.read_bytes() for path in samples.notebooks.values()}


@pytest.mark.kernel
@pytest.mark.parametrize("python", PYTHONS or [pytest.param("", marks=NO_PYTHONS)])
def test_it_says_the_same_on_other_pythons(
    python: str, script: Path, samples: Samples, tmp_path: Path
) -> None:
    compare(python, script, samples, every_way(samples), tmp_path)


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["right", "relu-by-np-max"])
def test_a_run_of_all_cells_comes_to_the_same(name: str, samples: Samples) -> None:
    """What `grader check` says without --quick; a cell of the second one fails."""
    checking = samples.checking
    assert isinstance(checking.executor, NotebookExecutor)
    executor = replace(checking.executor, definitions_only=False)
    full = replace(checking, executor=executor, ran=True).check(samples.notebooks[name])
    assert (name != "right") == bool(full.grade.run.failed_cells)
    assert samples.said(samples.checked[name]) == samples.said(full)


@pytest.mark.kernel
def test_with_numpy_and_pandas_only_it_runs_from_its_first_line_to_its_last(
    script: Path, barest_python: str, samples: Samples, tmp_path: Path
) -> None:
    """As a student starts it, beside the notebook; it ends with the other points.

    On a machine of another kind: there BLAS rounds otherwise.
    """
    for module in ("IPython", "matplotlib"):
        assert run_bare(barest_python, "-c", f"import {module}", cwd=tmp_path).returncode
    shutil.copy(samples.notebooks["no-relu"], tmp_path / "Lee-A2.ipynb")
    shutil.copy(script, tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    run = run_bare(barest_python, "A2grader.py", cwd=tmp_path, OPENBLAS_CORETYPE="Prescott")
    assert ("", 0) == (run.stderr, run.returncode)
    assert run.stdout.startswith("Checked: the definitions in Lee-A2.ipynb, as it is saved")
    assert samples.said(samples.checked["no-relu"]) == said_of_the_code(run.stdout)
    words = ["Execution grade 50 of 70", "A person gives up to 30 points more, for:"]
    for item in samples.pack.rubric.item:
        if item.section is Section.EXTRA_CREDIT:
            words.append("For extra credit a person gives up to 2 points, for:")
        if item.marked:
            words += [f"{item.title} {item.marked.points:f}"]
            words += [f"- {each}" for each in item.marked.criteria]
    tail = run.stdout.rpartition(RULER)[2]
    assert " ".join([*words, REMINDER]) == " ".join(tail.split())
    assert files == {path: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.kernel
def test_in_the_last_cell_it_checks_the_names_and_leaves_them_alone(
    script: Path, jupyters_python: str, samples: Samples, tmp_path: Path
) -> None:
    """In a real kernel, where a fork has threads beside it, and where there is no fork.

    With names that a script may have, and those of built-in functions.
    """
    shutil.copy(samples.notebooks["no-relu"], tmp_path / "Lee-A2.ipynb")
    shutil.copy(script, tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    names = "g, X, test, script, parts, names, sys, json = 'gXtspnsj'"
    before = "before = dict(globals())"
    changed = "{n for n in {**before, **globals()} if before.get(n) is not globals().get(n)}"
    with kernel(jupyters_python, tmp_path) as client:
        defined = "\n".join(code_of(samples.notebooks["right"]))
        assert "" == printed_by(client, f"{defined}\n{names}\n{before}")
        forked = printed_by(client, "%run -i A2grader.py")
        left = printed_by(client, f"print({changed})")
        file = printed_by(client, "%run A2grader.py Lee-A2.ipynb")
        none = printed_by(client, "%run A2grader.py Ng-A2.ipynb")
        defined = "\n".join(code_of(samples.notebooks["shadowed"]))
        assert "" == printed_by(client, f"import os; del os.fork\n{defined}\n{before}")
        here = printed_by(client, "%run -i A2grader.py")
        left_here = printed_by(client, f"print({changed})")
    for name, text in (("right", forked), ("no-relu", file), ("shadowed", here)):
        assert samples.said(samples.checked[name]) == said_of_the_code(text)
    for text in (forked, here):
        assert text.startswith("Checked: what the names of your notebook stand for now.")
    assert file.startswith("Checked: the definitions in Lee-A2.ipynb, as it is saved")
    assert "There is no file Ng-A2.ipynb.\n" == none
    for text in (left, left_here):
        assert {"before"} == {n for n in ast.literal_eval(text) if not IPYTHONS.fullmatch(n)}
    assert files == {path: path.read_bytes() for path in tmp_path.iterdir()}


def code_of(path: Path) -> tuple[str, ...]:
    """The definitions of a notebook: what a kernel can be given without waiting for its cells."""
    cells = notebook.parse(path.read_text(encoding="utf-8-sig")).cells
    return definitions.definitions(c.source for c in cells if c.cell_type == "code")


@contextlib.contextmanager
def kernel(python: str, folder: Path) -> Iterator[BlockingKernelClient]:
    """Start a kernel of a Python that has nothing of the grader."""
    with tempfile.TemporaryDirectory() as specs:
        command = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": "bare", "language": "python"}
        (Path(specs) / "bare").mkdir()
        (Path(specs) / "bare" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        found = KernelSpecManager(kernel_dirs=[specs])
        manager = KernelManager(kernel_name="bare", kernel_spec_manager=found)
        manager.start_kernel(cwd=str(folder), env=clean())
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def printed_by(client: BlockingKernelClient, code: str) -> str:
    """Run code; return what it prints, with its error if it raises."""
    said: list[str] = []

    def take(message: dict[str, Any]) -> None:
        content = message["content"]
        said.extend(content.get("traceback", ()))
        said.append(content.get("text", ""))

    client.execute_interactive(code, output_hook=take, timeout=300)
    return "".join(said)


def test_beside_no_notebook_or_a_broken_one_it_says_so(script: Path, tmp_path: Path) -> None:
    (tmp_path / "A2grader.py").write_bytes(script.read_bytes())

    def say(*arguments: str) -> tuple[int, str]:
        run = run_bare(sys.executable, "A2grader.py", *arguments, cwd=tmp_path)
        assert "" == run.stderr
        return run.returncode, " ".join(run.stdout.split())

    nothing, broken = say(), (2, "Lee-A2.ipynb is not a Jupyter notebook, or it is damaged: ")
    assert (2, "There is no notebook beside A2grader.py. ") == (nothing[0], nothing[1][:41])
    (tmp_path / "Lee-A2.ipynb").write_text("{", encoding="utf-8")
    assert broken == (say()[0], say()[1][: len(broken[1])])
    assert (2, "There is no file Ng-A2.ipynb.") == say("Ng-A2.ipynb")
    (tmp_path / "old-A2.ipynb").write_text('{"worksheets": []}', encoding="utf-8")
    several = "There is more than one notebook here: Lee-A2.ipynb, old-A2.ipynb. Name one:"
    assert several in say()[1]
    assert "old format" in say(str(tmp_path / "old-A2.ipynb"))[1]


WILD = """
import os, sys
class Here:
    process = os.getpid()
eaten = []
def predict(w, x):
    if os.getpid() == Here.process:
        os._exit(7)
    while True:
        try:
            eaten.append(len(eaten))
        except:
            pass
def fit_line(x, t):
    print("loud " * 1000)
    sys.stderr.write("loud")
    raise ValueError("not yet")
def rmse(w, x, t):
    os._exit(1)
"""
HANGING = """
import time
def predict(w, x):
    while True:
        try:
            time.sleep(60)
        except:
            pass
"""
INTERRUPTED = """
import numpy as np, os, signal
def predict(w, x):
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        pass
def fit_line(x, t):
    return np.linalg.lstsq(np.column_stack([np.ones_like(x), x]), t, rcond=None)[0]
def rmse(w, x, t):
    return np.sqrt(np.mean((t - predict(w, x)) ** 2))
"""
TOO_LONG = "Your code did not come to an end in the time that a test has."
MOST_SECONDS = 600.0  # for what would never end otherwise


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the self-check of a small assignment that gives a test half a second."""
    folder = tmp_path_factory.mktemp("line")
    shutil.copytree("docs/examples/line", folder / "line")
    rubric = folder / "line" / "rubric.toml"
    text = rubric.read_text(encoding="utf-8")
    rubric.write_text(text.replace("probe_seconds = 5", "probe_seconds = 0.5"), encoding="utf-8")
    made = bundle(load_pack("line", [folder]), folder / "line.zip", 1)
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(folder)
    return folder / "linegrader.py"


def written(folder: Path, code: str) -> Path:
    """Write a notebook of one cell."""
    cell = {"cell_type": "code", "source": code.splitlines(keepends=True)}
    path = folder / "Lee-line.ipynb"
    path.write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    return path


def test_code_that_hangs_prints_raises_or_ends_the_process_is_a_line_each(
    line: Path, tmp_path: Path
) -> None:
    """Nothing of it is run outside of a fork, not even what swallows every exception."""
    shutil.copy(line, tmp_path)
    written(tmp_path, WILD)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    run = run_bare(sys.executable, "linegrader.py", cwd=tmp_path, seconds=MOST_SECONDS)
    said = " ".join(run.stdout.split())
    assert ("", 0, False) == (run.stderr, run.returncode, "loud" in said)
    assert TOO_LONG in said
    assert "Your code stopped with ValueError. not yet (in `fit_line`, at: raise" in said
    assert "Your code ended the Python process (or ran out of memory)." in said
    assert "0 of 12" == execution_grade(run.stdout)
    assert before == {path: path.read_bytes() for path in tmp_path.glob("*.*")}


def test_where_nothing_forks_a_bare_except_does_not_hang_for_ever(
    line: Path, tmp_path: Path
) -> None:
    runs = [("here", "utf-8", written(tmp_path, HANGING))]
    (text,) = printed_by_runner(sys.executable, line, runs, tmp_path, seconds=MOST_SECONDS)
    assert TOO_LONG in " ".join(text.split())
    assert "0 of 12" == execution_grade(text)


def test_on_windows_an_interrupted_test_counts_as_failed(line: Path, tmp_path: Path) -> None:
    """The others go on: all points but those for `predict`, which `rmse` is tested without."""
    runs = [("windows", "utf-8", written(tmp_path, INTERRUPTED))]
    (text,) = printed_by_runner(sys.executable, line, runs, tmp_path, seconds=MOST_SECONDS)
    assert "Your code stopped with KeyboardInterrupt." in text
    assert "10 of 12" == execution_grade(text)


@pytest.mark.parametrize("came", ["timeout", "OSError"])
def test_where_forks_do_not_answer_it_asks_in_the_process_itself(
    came: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library does not survive forking; there are too many processes."""

    def ask_in_fork(*_: object, **__: object) -> tuple[str, bytes]:
        if came == "OSError":
            raise OSError
        return came, b""

    monkeypatch.setattr(harness, "ask_in_fork", ask_in_fork)
    key = ("doubled", Seed(Visibility.PUBLIC, 0))
    question = Question(key, "def doubled(names, rng): return 2 * names.x", 0)
    check = SimpleNamespace(questions=[question], probe_seconds=60.0, answer_bytes=1 << 20)
    reply = ask_all(cast("SelfCheck", check), {"x": 21})[key]
    assert (ReplyKind.VALUE, 42) == (reply.kind, reply.value)


@pytest.mark.parametrize(("encoding", "signs"), [("cp437", "! ≥ - >"), ("cp1252", "! > - >")])
def test_signs_that_a_code_page_lacks_are_those_of_grader_check(encoding: str, signs: str) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding, newline="\n")
    with contextlib.redirect_stdout(stream):
        _print(["≠ ≥ − →"])  # noqa: RUF001  the signs meant
    assert f"{signs}\n" == written.getvalue().decode(encoding)


GENERATORS = (np.random.default_rng, np.random.RandomState, random.Random)


def test_names_classes_and_contents_are_put_back() -> None:
    class Network:
        size = 1

        def use(self) -> None:
            """Do nothing."""

    Network.__module__ = "__main__"
    array, listed, told = np.arange(3.0), [1], {"a": 1}
    frozen = np.zeros(1)
    scope: dict[str, Any] = {"Network": Network, "frozen": frozen, "array": array}
    scope |= {"listed": listed, "told": told}
    scope[7] = 7  # type: ignore[index]  # a notebook can do that
    for new in GENERATORS:
        scope[new.__name__] = new(1)
    before, attributes = dict(scope), dict(vars(Network))
    drawn = np.random.RandomState(1).get_state()
    np.random.set_state(drawn)  # noqa: NPY002  students draw from it
    with _put_back(scope):
        scope.update(Network=int, more=1)
        del scope["listed"]
        listed.append(2)
        told.clear()
        array[:] = 0
        frozen.flags.writeable = False  # what cannot be put back keeps nothing else from it
        for new in GENERATORS:
            scope[new.__name__].uniform(0, 1)
        Network.use = Network.more = lambda _: None  # type: ignore[method-assign, attr-defined]  # stand-ins
        del Network.size
        np.random.uniform()  # noqa: NPY002  as above
    assert before == scope
    assert attributes == dict(vars(Network))
    assert ([1], {"a": 1}) == (listed, told)
    for new in GENERATORS:
        assert new(1).uniform(0, 1) == scope[new.__name__].uniform(0, 1)
    assert np.random.RandomState(1).uniform() == np.random.uniform()  # noqa: NPY002  as above
