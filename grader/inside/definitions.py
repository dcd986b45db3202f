"""Find the definitions of a notebook: what can be run when the whole of it cannot.

That is its imports, functions, classes, aliases of these, and names given a literal value.
Pure: text in, text out; nothing of the student's is run.

A kernel does it while grading, and the self-check does it where it stands: the tokenizer that
IPython uses takes minutes for some short texts, and nobody else is to wait for them.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence

MAX_CELL = 200_000  # characters
MAX_TOTAL = 2_000_000  # of what is read, and of what is found
MAX_STATEMENTS = 5_000
MAX_MAGICS = 100  # lines of a cell
MAX_EXPONENT = 100
TRANSPARENT = re.compile(r"\s*%%(?:time|capture|prun|memit)\b.*\n?")  # the cell's code still counts
MAGIC = re.compile(r"\s*[%!?,;/]|.*\?\s*$|[^#'\"]*=\s*[%!]")  # how IPython may read a line
OTHER_LANGUAGE = re.compile(r"\s*%%")
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
NUMERIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def definitions(cells: Iterable[str]) -> tuple[str, ...]:
    """Return the source of each definition in `cells`, in order, to be run one by one.

    Args:
        cells: the sources of code cells, as IPython would get them.

    Where a name is defined twice both are there: run in order, the last one wins.
    """
    found: list[str] = []
    total = 0
    for cell in readable(cells):
        for source in _of_cell(cell):
            total += len(source)
            if total > MAX_TOTAL or len(found) >= MAX_STATEMENTS:
                return tuple(found)
            found.append(source)
    return tuple(found)


def readable(cells: Iterable[str]) -> Iterator[str]:
    """Yield the cells that are looked at: none that is monstrous, and not too many."""
    total = 0
    for cell in cells:
        if len(cell) <= MAX_CELL:
            total += len(cell)
            if total > MAX_TOTAL:
                return
            yield cell


def _of_cell(cell: str) -> Iterator[str]:
    while transparent := TRANSPARENT.match(cell):
        cell = cell[transparent.end() :]
    if OTHER_LANGUAGE.match(cell):
        return
    for attempt in (_as_it_is, _by_ipython, _without_magics):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes are the student's affair
                source = attempt(cell)
                statements = ast.parse(source).body
                lines = source.split("\n")
                kept = [
                    _text(statements, index, lines)
                    for index, node in enumerate(statements)
                    if _keeps(node)
                ]
        except (Exception, RecursionError):  # noqa: BLE001, S112  hostile text may upset a parser in any way
            continue
        yield from kept
        return


def _as_it_is(cell: str) -> str:
    return cell


def _by_ipython(cell: str) -> str:
    # Only here: the self-check that students get does without where IPython is not installed.
    from IPython.core.inputtransformer2 import TransformerManager  # noqa: PLC0415  see above

    manager = TransformerManager()  # type: ignore[no-untyped-call]  # IPython's own lack
    if sum(map(_is_magic, cell.splitlines())) > MAX_MAGICS:
        raise ValueError("IPython takes time with the square of their number")
    transformed: str = manager.transform_cell(cell)
    return transformed


def _without_magics(cell: str) -> str:
    return "\n".join("" if _is_magic(line) else line for line in cell.splitlines()) + "\n"


def _is_magic(line: str) -> bool:
    """Say whether a line is a magic, a shell command or a call for help, or assigns one."""
    return MAGIC.match(line) is not None


def _text(statements: Sequence[ast.stmt], index: int, lines: Sequence[str]) -> str:
    """Return a statement as it was written, or unparsed where it shares a line with another."""
    node = statements[index]
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    last = node.end_lineno or node.lineno
    before = statements[index - 1].end_lineno or 0 if index else 0
    after = statements[index + 1].lineno if index + 1 < len(statements) else last + 1
    if before >= first or after <= last:
        return ast.unparse(node)
    return "\n".join(lines[first - 1 : last]) + "\n"


# ------------------------------------------------------------------------------- what counts
def _keeps(node: ast.stmt) -> bool:
    if isinstance(node, DEFINITIONS):
        return True
    if isinstance(node, ast.Assign):
        return all(map(_is_target, node.targets)) and _is_harmless(node.value)
    if isinstance(node, ast.AnnAssign):
        return _is_target(node.target) and node.value is not None and _is_harmless(node.value)
    if isinstance(node, ast.Try):
        parts = [*node.body, *node.orelse, *node.finalbody]
        handled = [statement for handler in node.handlers for statement in handler.body]
        return all(_keeps(part) or isinstance(part, ast.Pass) for part in parts + handled)
    return False


def _is_target(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(map(_is_target, node.elts))
    return isinstance(node, (ast.Name, ast.Attribute))


def _is_harmless(node: ast.expr) -> bool:
    """Say whether evaluating `node` takes no time: a literal, a function, or a name for one."""
    if isinstance(node, ast.Lambda):
        return True
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) or _is_number(node) or _is_literal(node)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_number(node: ast.expr) -> bool:
    """Say whether `node` is arithmetic on written numbers, such as 10**-8, of bounded size."""
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.USub, ast.UAdd)) and _is_number(node.operand)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        exponent = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        if not (isinstance(exponent, ast.Constant) and isinstance(exponent.value, (int, float))):
            return False
        return isinstance(node.left, ast.Constant) and exponent.value <= MAX_EXPONENT
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, NUMERIC) and _is_number(node.left) and _is_number(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))
