"""The architecture, as a test: imports point strictly down, and the core is pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FLOORS = (
    {"cli", "web", "pytest_plugin"},
    {"grading"},
    {"intake", "execution", "store", "canvas", "reports"},
    {"packs", "kernels"},
    {
        *("rubric", "probes", "checks", "answers", "evidence", "facts", "mistakes", "judging"),
        *("diagnosis", "scoring", "lateness", "differences", "pictures", "exhibits"),
        "class_statistics",
    },
    {"model", "errors", "inside", "text", "files", "places"},
)
FLOOR = {module: level for level, modules in enumerate(FLOORS) for module in modules}
# Within a floor: who may use whom. The rubric is read by all; checks and probes are vocabulary.
WITHIN = {
    "diagnosis": {"checks", "mistakes", "rubric"},
    "files": {"errors", "text"},
    "checks": {"differences"},
    "facts": {"checks"},
    "pictures": {"checks"},
    "exhibits": {"checks", "differences", "pictures", "rubric"},
    "judging": {"checks", "rubric"},
    "scoring": {"rubric"},
}
PURE = FLOORS[4] | {"model", "errors", "text"}
OUTSIDE_WORLD = {
    *("asyncio", "click", "jupyter_client", "nbclient", "nbformat", "os", "pandas", "random"),
    *("rich", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "time", "zmq"),
}


def sources() -> list[Path]:
    return sorted(Path("grader").rglob("*.py"))


def module_of(path: Path) -> str:
    return path.relative_to("grader").parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Dotted names that `path` imports, at any depth, so that a local import cannot hide."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def grader_modules(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(path) if name.startswith("grader.")}
    return names - {module_of(path)}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_every_module_has_its_floor(path: Path) -> None:
    assert module_of(path) in {*FLOOR, "__init__", "__main__"}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_imports_point_down(path: Path) -> None:
    module = module_of(path)
    level = FLOOR.get(module, -1)
    allowed = WITHIN.get(module, set())
    assert not {m for m in grader_modules(path) if FLOOR[m] <= level} - allowed


@pytest.mark.parametrize("path", [p for p in sources() if module_of(p) in PURE], ids=str)
def test_the_core_is_pure(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & OUTSIDE_WORLD


@pytest.mark.parametrize("path", sorted(Path("grader/inside").glob("*.py")), ids=str)
def test_what_runs_inside_a_kernel_knows_no_grader(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "grader"}


@pytest.mark.parametrize("path", sorted(Path("grader/kernels/forked").glob("*.py")), ids=str)
def test_what_runs_in_the_fork_server_knows_only_itself(path: Path) -> None:
    known = {name for name in imports(path) if name.split(".")[0] == "grader"}
    assert all(name.startswith("grader.kernels.forked") for name in known)


@pytest.mark.parametrize("path", sorted(Path("reference").rglob("*.py")), ids=str)
def test_reference_code_knows_no_grader(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = {
        (node.module or "").split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.level == 0
    }
    assert not found & {"grader", "rubrics"}


@pytest.mark.parametrize("path", sorted(Path("rubrics").rglob("*.py")), ids=str)
def test_packs_speak_only_the_authors_vocabulary(path: Path) -> None:
    modules = {name.split(".")[1] for name in imports(path) if name.startswith("grader.")}
    assert modules <= {"probes", "checks", "facts", "mistakes", "pictures"}


@pytest.mark.parametrize("path", sorted(Path("rubrics").rglob("*.py")), ids=str)
def test_packs_do_not_import_the_reference(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "reference"}
