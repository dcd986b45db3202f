"""The self-check that students download: what is in it, and that it says what the grader says."""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager
from packaging.requirements import Requirement

from grader.errors import PackError
from grader.evidence import decode
from grader.execution import notebook
from grader.grading.batch import Exam
from grader.grading.bundling import bundle, script_text
from grader.grading.bundling.parts import OLDEST_PYTHON
from grader.grading.bundling.selfcheck import _put_back
from grader.inside.definitions import definitions
from grader.inside.harness import Names
from grader.model import Grade, ProbeKey, Reply, RunOutcome, RunRecord, Student, Visibility
from grader.packs import Pack, ask, load_pack
from grader.reports.feedback import feedback
from grader.reports.lines import feedback_lines
from grader.scoring import score

SAMPLES = Path("submissions")
CODE = ("adam", "use", "relu", "grad_relu", "relu_network", "partition", "run_experiment")
PACKAGES = ("numpy", "pandas", "matplotlib", "ipykernel")  # and what these require
RUNNER = Path(__file__).with_name("self_checking.py")
# Other Pythons to try, each with these packages: paths separated as in PATH.
PYTHONS = os.environ.get("GRADER_SELF_CHECK_PYTHONS", "")
RULER = "-" * 80
SECRET = "a secret of the tests"  # noqa: S105  and of nothing else


# ------------------------------------------------------------------------------- what is made
@pytest.fixture(scope="module")
def pack() -> Pack:
    """A2 with a quarter of its known mistakes: all of them take ten seconds to work out."""
    whole = load_pack("a2", [Path("rubrics")])
    return replace(whole, mistakes=dict(list(whole.mistakes.items())[::4]))


@pytest.fixture(scope="module")
def exam(pack: Pack) -> Exam:
    return Exam.of(pack, None)


@pytest.fixture(scope="module")
def script(exam: Exam, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADER_HIDDEN_SEED", SECRET)
        text = script_text(exam, 2)
    path = tmp_path_factory.mktemp("self-check") / "A2grader.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def texts(script: Path) -> dict[str, str]:
    """All the Python that the script holds, by part or probe, and the script itself."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    lists = [node for node in tree.body if isinstance(node, ast.Assign)]
    call = lists[0].value
    assert isinstance(call, ast.Call)
    parts = dict(ast.literal_eval(call.args[0]))
    probes = {f"probe {name}": text for name, text in held(script)["sources"].items()}
    return {"script": script.read_text(encoding="utf-8"), **parts, **probes}


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


def statements(text: str) -> Iterator[str]:
    """The statements and lambdas of a module in one spelling, but for those that say nothing.

    Names of variables and annotations are part of it; docstrings, imports, signatures, constants
    and plain names or attributes are not: `return self`, `x = 0`.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.Expr)):
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
    assert SECRET not in json.dumps(holding)
    assert {"title", "perfect", "item"} == set(holding["rubric"])


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


def test_the_zip_holds_the_script_and_the_data(
    script: Path, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = script.read_text(encoding="utf-8")
    monkeypatch.setattr("grader.grading.bundling.making.script_text", lambda *_: text)
    made = bundle(pack, tmp_path / "A2grader.zip", 1)
    with zipfile.ZipFile(made.path) as archive:
        assert ["A2grader.py", "auto-mpg.data", "auto-mpg.data-original"] == archive.namelist()
        assert text == archive.read("A2grader.py").decode()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("import numpy as np", "import numpy as np\nimport scipy", "imports scipy"),
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
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python of its own that finds numpy, pandas, matplotlib, ipykernel, and no more."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    for distribution in required(PACKAGES):
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


def run_bare(python: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean(), "PYTHONIOENCODING": "utf-8"},
        check=False,
    )


@dataclass(frozen=True)
class HandedIn:
    """A notebook of submissions/ and its true points, worked out by hand; `either`: or not."""

    path: Path
    code: tuple[str, ...]  # its definitions: these are what the script checks
    items: dict[str, float]
    either: bool


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> list[HandedIn]:
    """Every notebook of submissions/ that can be read, those with the same definitions once."""
    folder = tmp_path_factory.mktemp("notebooks")
    manifest = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))
    found: dict[tuple[str, ...], HandedIn] = {}
    with zipfile.ZipFile(SAMPLES / "a2-canvas-export.zip") as archive:
        for entry in [*manifest["students"], *manifest["notebooks"]]:
            if entry["code"] is None:
                continue
            name = entry["file"]
            content = archive.read(name) if "student" in entry else (SAMPLES / name).read_bytes()
            cells = notebook.parse(content.decode("utf-8-sig")).cells
            code = definitions(c.source for c in cells if c.cell_type == "code")
            path = folder / f"{len(found)}.ipynb"
            path.write_bytes(content)
            either = bool(entry.get("either"))
            found.setdefault(code, HandedIn(path, code, entry["items"], either))
    return list(found.values())


@pytest.fixture(scope="module")
def by_the_grader(exam: Exam, script: Path, handed_in: list[HandedIn]) -> dict[Path, str]:
    """What `grader check` says of the items of some that lost points, by their definitions."""
    assert script.exists()  # so the exam knows the mistakes already
    wrong = [each for each in handed_in if sum(each.items[i] for i in CODE) < 70]
    return {each.path: _said(exam, each.code) for each in wrong[::4]}


def _said(exam: Exam, code: tuple[str, ...]) -> str:
    scope: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()):
        for source in code:
            with contextlib.suppress(Exception):
                exec(source, scope)  # noqa: S102  of the made-up students' notebooks
    limits = exam.pack.rubric.limits.limits()
    replies = {call.key: ask(call, Names(scope), limits) for call in exam.pack.questions(None)}
    results = exam.results(replies)
    grade = Grade(
        student=Student(name=""),
        file="",
        sha256="",
        run=RunRecord(outcome=RunOutcome.COMPLETE),
        score=score(exam.pack.rubric, results, {}),
    )
    exhibits = exam.exhibition.of(results, replies)
    said = feedback(grade, exam.pack.rubric, exhibits)
    return "\n".join(feedback_lines(said)).strip()


@pytest.mark.kernel
def test_it_gives_the_points_and_says_the_words_of_the_grader(  # noqa: PLR0917  pytest's fixtures
    script: Path,
    bare_python: str,
    handed_in: list[HandedIn],
    by_the_grader: dict[Path, str],
    pack: Pack,
    tmp_path: Path,
) -> None:
    """Of every notebook of submissions/, where nothing can be forked and where it can.

    The true points are those that tests/test_sample_export.py holds the grader to.
    """
    titles = {item.id: item.title for item in pack.rubric.item}
    assert len(by_the_grader) > 4
    for python in (bare_python, *filter(None, PYTHONS.split(os.pathsep))):
        assert run_bare(python, "-c", "import grader", cwd=tmp_path).returncode
        said = said_by(python, script, "here", [each.path for each in handed_in], tmp_path)
        for each in handed_in:
            for item in () if each.either else CODE:
                (line,) = re.findall(
                    rf"^{re.escape(titles[item])} .*", said[each.path], re.MULTILINE
                )
                points = line.removeprefix(titles[item]).split()[0]
                assert f"{each.items[item]:g}" == points, (each.path, item)
        again = said_by(python, script, "fork", list(by_the_grader), tmp_path)
        for path, text in by_the_grader.items():
            assert [text, text] == [one[path].split(RULER)[0].strip() for one in (said, again)]


def said_by(
    python: str, script: Path, way: str, notebooks: list[Path], folder: Path
) -> dict[Path, str]:
    out = folder / "said.json"
    run = run_bare(python, RUNNER, script, out, way, *notebooks, cwd=folder)
    assert ("", "") == (run.stdout, run.stderr)
    return {Path(p): text for p, text in json.loads(out.read_text(encoding="utf-8")).items()}


@pytest.mark.kernel
def test_in_the_last_cell_it_checks_the_names_and_leaves_them_alone(
    script: Path, bare_python: str, handed_in: list[HandedIn], tmp_path: Path
) -> None:
    """In a real kernel, where a fork has threads beside it; with names that a script may have."""
    right = next(each for each in handed_in if sum(each.items[i] for i in CODE) == 70)
    definitions_only = "\n".join(right.code)
    names = "g, X, test, script, parts, names, sys, json = 'gXtspnsj'; before = dict(globals())"
    changed = "{n for n in {**before, **globals()} if before.get(n) is not globals().get(n)}"
    left_over = f"print(sorted(n for n in {changed} if n[:1] != '_'))"
    (tmp_path / "bare").mkdir()
    command = [bare_python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "bare", "language": "python"}
    (tmp_path / "bare" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path)])
    manager = KernelManager(kernel_name="bare", kernel_spec_manager=specs)
    manager.start_kernel(cwd=str(script.parent), env=clean())
    client = manager.blocking_client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        assert "" == printed_by(client, f"{definitions_only}\n{names}")
        said = printed_by(client, "%run -i A2grader.py")
        left = printed_by(client, left_over)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert re.search("^Execution grade {30,}70 of 70$", said, re.MULTILINE)
    assert "different but similar" in " ".join(said.split())
    assert "['before']" == left.strip()


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
def predict(w, x):
    while True:
        pass
def fit_line(x, t):
    print("loud " * 1000)
    sys.stderr.write("loud")
    raise ValueError("not yet")
def rmse(w, x, t):
    os._exit(1)
"""


def test_code_that_hangs_prints_raises_or_ends_the_process_is_a_line_each(tmp_path: Path) -> None:
    shutil.copytree("docs/examples/line", tmp_path / "line")
    rubric = tmp_path / "line" / "rubric.toml"
    text = rubric.read_text(encoding="utf-8")
    rubric.write_text(text.replace("probe_seconds = 5", "probe_seconds = 0.5"), encoding="utf-8")
    made = bundle(load_pack("line", [tmp_path]), tmp_path / "line.zip", 1)
    with zipfile.ZipFile(made.path) as archive:
        archive.extractall(tmp_path)
    cell = {"cell_type": "code", "source": WILD.splitlines(keepends=True)}
    (tmp_path / "Lee-line.ipynb").write_text(json.dumps({"cells": [cell]}), encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    run = run_bare(sys.executable, "linegrader.py", cwd=tmp_path)
    said = " ".join(run.stdout.split())
    assert ("", 0, False) == (run.stderr, run.returncode, "loud" in said)
    assert "Your code did not come to an end in the time that a test has." in said
    assert "Your code stopped with ValueError. not yet (in `fit_line`, at: raise" in said
    assert "Your code ended the Python process (or ran out of memory)." in said
    assert re.search("^Execution grade {30,}0 of 12$", run.stdout, re.MULTILINE)
    assert before == {path: path.read_bytes() for path in tmp_path.glob("*.*")}


def test_names_classes_and_contents_are_put_back() -> None:
    class Network:
        size = 1

        def use(self) -> None:
            """Do nothing."""

    Network.__module__ = "__main__"
    array, listed = np.arange(3.0), [1]
    scope: dict[str, Any] = {"Network": Network, "array": array, "listed": listed, 7: 7}  # type: ignore[dict-item]  # a notebook can do that
    before, attributes = dict(scope), dict(vars(Network))
    drawn = np.random.RandomState(1).get_state()
    np.random.set_state(drawn)  # noqa: NPY002  students draw from it
    with _put_back(scope):
        scope.update(Network=int, more=1)
        del scope["listed"]
        listed.append(2)
        array[:] = 0
        Network.use = Network.more = lambda _: None  # type: ignore[method-assign, attr-defined]  # stand-ins
        del Network.size
        np.random.uniform()  # noqa: NPY002  as above
    assert before == scope
    assert attributes == dict(vars(Network))
    assert ([1], [0.0, 1.0, 2.0]) == (listed, array.tolist())
    assert np.random.RandomState(1).uniform() == np.random.uniform()  # noqa: NPY002  as above
