"""What the author of an assignment writes probes with, and how a probe becomes a question.

A probe is a function of two arguments: the names that the notebook defines, and a random number
generator to draw its inputs from. It returns what the names answered, as plain values.

    @probe
    def partition_pairs(names: Names, rng: Rng) -> object:
        X = rng.rand(17, 2)
        T = X[:, :1] + X[:, 1:]
        return names.partition(X, T, 4)

It is written once and run twice: in the student's kernel on the student's names, and in the
grader on the reference's. It asks and does not judge: what it returns is judged in the grader.

Only a probe's own text, with the imports, constants and functions that it uses, is sent to a
kernel; so an expected value may stand anywhere but in there. Pure: no I/O, no clock.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from grader.errors import PackError
from grader.inside.harness import Names
from grader.model import ProbeCall, Seed, Visibility

__all__ = ["Names", "Probe", "Rng", "probe", "questions", "self_contained"]

Rng: TypeAlias = np.random.RandomState


@dataclass(frozen=True, slots=True)
class Probe:
    """One question, by the name of the function that asks it."""

    probe_id: str
    ask: Callable[[Names, Rng], object]


def probe(ask: Callable[[Names, Rng], object]) -> Probe:
    """Mark a function of a pack's probes.py as a probe."""
    return Probe(ask.__name__, ask)


# ------------------------------------------------------------------------------- the text
def self_contained(text: str, name: str) -> str:
    """Return the part of module `text` that function `name` needs, and no more.

    Raises:
        PackError: the module does not define `name`, or does so twice.
    """
    statements = _statements(text)
    wanted, needed = {name}, set[int]()
    while fresh := [i for i, s in enumerate(statements) if i not in needed and s.defines & wanted]:
        needed.update(fresh)
        wanted |= {n for i in fresh for n in statements[i].uses}
    if sum(name in statements[i].defines for i in needed) != 1:
        raise PackError(f"probes.py should define `{name}` once, as a function at the top level.")
    return "".join(statements[i].source for i in sorted(needed))


@dataclass(frozen=True, slots=True)
class _Statement:
    """A top-level statement, without what only people read: its text, and names."""

    source: str
    defines: frozenset[str]
    uses: frozenset[str]


@lru_cache(maxsize=4)  # one text is asked for each of its probes
def _statements(text: str) -> tuple[_Statement, ...]:
    bare = [_bare(statement) for statement in ast.parse(text).body]
    return tuple(
        _Statement(ast.unparse(each) + "\n", frozenset(_defines(each)), frozenset(_uses(each)))
        for each in bare
    )


def _defines(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement binds. The grader's own are not there in a kernel."""
    match statement:
        case ast.Import(names=names):
            return {(a.asname or a.name).split(".")[0] for a in names}
        case ast.ImportFrom(module=module, names=names):
            ours = module is None or module.split(".")[0] in {"grader", "__future__"}
            return set() if ours else {a.asname or a.name for a in names}
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def _uses(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}


def _bare(statement: ast.stmt) -> ast.stmt:
    """Drop what only people and the grader read: docstrings, annotations and the mark `@probe`."""
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            node.decorator_list = [
                d for d in node.decorator_list if not (isinstance(d, ast.Name) and d.id == "probe")
            ]
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return statement


# ------------------------------------------------------------------------------- the questions
def questions(
    text: str,
    probes: Iterable[tuple[str, bool]],
    *,
    public: Sequence[int],
    hidden: int,
    secret: bytes | None,
) -> tuple[ProbeCall, ...]:
    """Return every question to put to a notebook, in order.

    Args:
        text: the pack's probes.py.
        probes: (probe id, varies) pairs; one that does not vary is asked once, publicly.
        public: the pack's public seeds.
        hidden: how many hidden seeds there are where a secret is given.
        secret: the course's hidden seed, or None for a self-check.
    """
    seeds = [(Seed(Visibility.PUBLIC, i), b"public %d" % n) for i, n in enumerate(public)]
    if secret is not None:
        seeds += [(Seed(Visibility.HIDDEN, i), secret) for i in range(hidden)]
    return tuple(
        ProbeCall(
            probe_id=probe_id,
            seed=seed,
            source=source,
            number=_number(key, probe_id, seed),
        )
        for probe_id, varies in probes
        for source in [self_contained(text, probe_id)]
        for seed, key in (seeds if varies else seeds[:1])
    )


def _number(key: bytes, probe_id: str, seed: Seed) -> int:
    """Derive a probe's number: who learns it learns nothing of the key or of other probes."""
    digest = hmac.new(key, f"{probe_id} {seed}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:4])
