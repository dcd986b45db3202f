"""The package as the grader meets it: loaded by path, under a name of the grader's choice."""

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import reference.a2


def test_the_public_names_are_the_contract() -> None:
    assert {
        "NeuralNetwork",
        "Optimizers",
        "grad_relu",
        "grad_swish",
        "partition",
        "relu",
        "run_experiment",
        "swish",
    } == set(reference.a2.__all__)


@pytest.fixture
def loaded_by_path() -> Iterator[ModuleType]:
    """The package as `another_name`, forgotten again after the test."""
    init = Path(reference.a2.__file__)
    spec = importlib.util.spec_from_file_location(
        "another_name", init, submodule_search_locations=[str(init.parent)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["another_name"] = package
    spec.loader.exec_module(package)
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == "another_name"]:
        del sys.modules[name]


def test_loaded_by_path_it_brings_its_own_modules_along(loaded_by_path: ModuleType) -> None:
    """They come under the new name, so nothing of reference.a2 is reached."""
    assert set(reference.a2.__all__) <= set(vars(loaded_by_path))
    assert "another_name.network" == loaded_by_path.NeuralNetwork.__module__
    assert reference.a2.NeuralNetwork is not loaded_by_path.NeuralNetwork


def test_it_imports_only_itself_numpy_pandas_and_the_standard_library() -> None:
    """Teaching code that anyone can run; above all it does not know the grader."""
    outside = set()
    for path in Path(reference.a2.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                outside |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                outside.add((node.module or "").partition(".")[0])
    assert {"numpy", "pandas"} == outside - sys.stdlib_module_names
