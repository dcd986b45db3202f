"""Join the grader's own modules, and an assignment's, into what one file can hold.

The self-check judges with the very text that the grader judges with: each part is a module's
source with its imports renamed, so that on a student's machine the parts find each other and
what their Python lacks. Knows nothing of what is asked, nor of answers.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from grader import (
    answers,
    checks,
    diagnosis,
    differences,
    errors,
    evidence,
    exhibits,
    judging,
    mistakes,
    model,
    pictures,
    scoring,
    text,
)
from grader.errors import PackError
from grader.grading.bundling import older, plain_rubric, selfcheck
from grader.inside import definitions, harness
from grader.reports import feedback, lines

OLDEST_PYTHON = (3, 9)
PACKAGE = "_A2grader"  # any name would do that nobody else has
THEIRS = frozenset({"numpy", "pandas"}) | (sys.stdlib_module_names - {"tomllib"})  # new in 3.11
MODULES = (  # each after those that it imports
    *(older, errors, text, model, harness, differences, checks, pictures, plain_rubric, mistakes),
    *(evidence, answers, judging, scoring, exhibits, diagnosis, definitions, feedback, lines),
)
PACK_FILES = ("checks", "pictures")  # where they are there; each becomes pack_checks and so on
_IMPORT = re.compile(r"^(from )([\w.]+)( import )", re.MULTILINE)
_RENAMED = {"grader.rubric": "plain_rubric"} | dict.fromkeys(
    ("dataclasses", "enum", "typing"), "older"
)


def parts(pack_folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of each part, each after those that it imports.

    Raises:
        PackError: a file of the pack needs more than a student has.
    """
    for module in MODULES:
        yield name_of(module.__name__), _source(module)
    for name in PACK_FILES:
        path = pack_folder / f"{name}.py"
        if path.is_file():
            yield f"pack_{name}", fitted(path.read_text(encoding="utf-8"), path)
    yield name_of(selfcheck.__name__), _source(selfcheck)


def _source(module: ModuleType) -> str:
    if module is older:  # the one that imports the real ones
        return inspect.getsource(module)
    return renamed(inspect.getsource(module))


def name_of(module: str) -> str:
    """Return the part that stands for a module of the grader."""
    return module.rpartition(".")[2]


def renamed(source: str) -> str:
    """Return `source` with the grader's modules imported as parts."""

    def part(match: re.Match[str]) -> str:
        before, module, after = match.groups()
        if module in _RENAMED:
            return f"{before}{PACKAGE}.{_RENAMED[module]}{after}"
        if module == "grader.inside":  # the one module that is imported whole
            return f"{before}{PACKAGE}{after}"
        ours = module.startswith("grader.")
        return f"{before}{f'{PACKAGE}.{name_of(module)}' if ours else module}{after}"

    return _IMPORT.sub(part, source)


def fitted(source: str, path: Path) -> str:
    """Return a text of the pack as a part.

    Raises:
        PackError: it is not Python 3.9, or imports what a student need not have.
    """
    try:
        tree = ast.parse(source, feature_version=OLDEST_PYTHON)
    except SyntaxError as error:
        raise PackError(
            f"{path}, line {error.lineno}: students may have Python 3.9, which cannot read this "
            f"({error.msg}). Write it in another way, and it can be bundled."
        ) from error
    for module in _imported(ast.walk(tree)):
        if module.partition(".")[0] not in THEIRS | {"grader"}:
            raise PackError(
                f"{path} imports {module}, which students need not have. Do without it, and it "
                "can be bundled."
            )
    return renamed(source)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."
