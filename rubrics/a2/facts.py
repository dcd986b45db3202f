"""What the marker of A2's last 30 points is told beside the notebook: hints, never points.

Some of it is a claim of the student's process (the survey in probes.py), some is read off the
cells as handed in, as run again, and as the handout has them. All of it is hostile text.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from grader.checks import Answer
from grader.facts import Cell, Fact, Work, fact

CARS = 392  # without those of which a value is missing; 398 with them
SENSIBLE = (1.4, 5.0)  # test RMSE in mpg; a linear model has 3.4, the best networks 2.4
ENOUGH_WORDS = 50
ENOUGH_OBSERVATIONS = 3
ENOUGH_FIGURES = 2
LITERAL_WORDS = 15  # a string in the code with fewer words is a label, not a discussion
SHORTEST_COPY = 4  # words in a row that are the handout's
MOST_LINE = 1_000  # words
LONGEST_WORD = 40  # what is longer is a picture in base64, or a joke
MOST_TEXT = 50_000  # characters of one cell that are looked at
MOST_CODE = 150_000  # of all code, and
MOST_DISCUSSION = 200_000  # of all text
MOST_SHOWN = 20_000  # of what one cell printed
MOST_CELLS = 1_000
MOST_OUTPUTS = 200  # of one cell
MOST_LISTED = 6

CALL = re.compile(r"(?<!def )\brun_experiment\s*\(")
NO_HIDDEN_IN_CODE = re.compile(r"\[\s*0\s*\]")
LAYERS = re.compile(r"nh|hid|layer|unit|struct|arch", re.IGNORECASE)
RMSE_SHOWN = re.compile(r"rmse[\s_]*val", re.IGNORECASE)

PICTURE = re.compile(r"\(data:[^()\s]*\)|\"data:[^\"\s]*\"")
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
ITEM = re.compile(
    r"[ \t]{0,8}(?:[-*+•–][ \t]+|\(?\d{1,2}[.):][ \t]*(?!\d)|[#* \t]{0,12}observation[ \t]*#?\d)",
    re.IGNORECASE,
)
HEADING = re.compile(r"[ \t]*#")
DECIMAL = re.compile(r"(?<![\d.])\d{1,4}\.\d{1,8}(?![\d.])|\b\d{1,4}(?=\s?(?:mpg|miles))")

MAGIC = re.compile(r"^([ \t]*)[%!?].*", re.MULTILINE)
NOT_COMPARED = re.compile(  # what may honestly show something else, or nothing, where it is graded
    r"A2grader|timeit|\binput\(|^[ \t]*[!%][ \t]*(?:pip|conda|wget|curl)", re.MULTILINE
)
PASSING = re.compile(  # addresses, clocks, and lines about them
    r"0x[0-9a-fA-F]+|<Figure[^<>\n]{0,80}>|^.{0,80}(?:CPU times|Wall time|\bit/s).*$"
    r"|\d[\d.]{0,12}[ \t]?(?:s|secs?|seconds?|ms|[µu]s|ns|min|minutes?|hours?)\b",
    re.MULTILINE,
)
NUMBER = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?(?:e[-+]?\d{1,3})?")


# ------------------------------------------------------------------------------- the survey
@dataclass(frozen=True, slots=True)
class Experiment:
    """A table of experiments that was found in the kernel; errors in miles per gallon."""

    name: str
    rows: int
    incomplete: int  # rows of which an error is missing
    settings: Mapping[str, Sequence[str]]  # column -> the different values in it
    best: Mapping[str, str]  # the setting of the lowest validation error; empty: no whole row
    validation: float
    test: float


def experiments(survey: Answer) -> list[Experiment]:
    """Return the tables, the longest first."""
    found = [experiment(table) for table in survey["tables"].parts()]
    return sorted(found, key=lambda table: -table.rows)


def experiment(table: Answer) -> Experiment:
    columns = entries(table["settings"])
    best = table["best"] if table["best"].value is not None else None
    errors = [float("nan")] * 3 if best is None else best["errors"].array(shape=(3,)).tolist()
    return Experiment(
        name=text(table["name"]),
        rows=count(table["rows"]),
        incomplete=count(table["incomplete"]),
        settings={label: [text(v) for v in values.parts()] for label, values in columns},
        best={} if best is None else {k: text(v) for k, v in entries(best["setting"])},
        validation=errors[1],
        test=errors[2],
    )


def best_of(tables: Sequence[Experiment]) -> Experiment | None:
    """Return the table with the best row. Tables of one length may be halves of one experiment."""
    longest = [t for t in tables if t.rows == tables[0].rows and t.validation >= 0]
    return min(longest, key=lambda table: table.validation, default=None)


def entries(answer: Answer) -> list[tuple[str, Answer]]:
    if not isinstance(answer.value, dict):
        raise answer.wrong(f"{answer.subject} should be a dict.")
    return [(key[:60], answer[key]) for key in answer.value]


def text(answer: Answer) -> str:
    if not isinstance(answer.value, str):
        raise answer.wrong(f"{answer.subject} should be text.")
    return answer.value[:60]


def ran(work: Work) -> bool:
    """Say whether the survey was asked where the notebook ran, and not of its definitions only."""
    return work.survey["ran"].flag()


def count(answer: Answer) -> int:
    number = answer.number()
    if not 0 <= number < 1e12:
        raise answer.wrong(f"{answer.subject} should be a count.")
    return int(number)


# ------------------------------------------------------------------------------- the data
@fact
def rows_read(work: Work) -> Fact:
    """How many cars there are in what is trained on, or else in the data that come nearest."""
    pair = work.survey["pair"]
    if pair.value is not None:
        rows, name = count(pair["rows"]), text(pair["inputs"])
    else:
        sizes = [(count(d["rows"]), text(d["name"])) for d in work.survey["data"].parts()]
        rows, name = min(sizes, key=lambda size: abs(size[0] - CARS), default=(0, ""))
    if not name:
        found = f"no data of about {CARS} rows were found"
        return Fact("Rows read", found, well=False if ran(work) else None)
    if rows == CARS:
        return Fact("Rows read", f"{CARS} in `{name}`", well=True)
    why = ": rows with missing values are still there" if rows == 398 else ""
    return Fact("Rows read", f"{rows} in `{name}`, not {CARS}{why}", well=False)


@fact
def target_among_inputs(work: Work) -> Fact | None:
    pair = work.survey["pair"]
    if pair.value is None:
        return None
    X, T, columns = text(pair["inputs"]), text(pair["target"]), count(pair["columns"])
    same = [text(label) for label in pair["same"].parts()]
    if same:
        found = f"yes: {listed(same)} of `{X}` is `{T}`"
        return Fact("Target among the inputs", found, well=False)
    found = f"no: none of the {columns} columns of `{X}` is `{T}`"
    return Fact("Target among the inputs", found, well=True)


# ------------------------------------------------------------------------------- experiments
@fact
def experiment_table(work: Work) -> Fact:
    tables = experiments(work.survey)
    if not tables:
        stored = [n for n, cell in numbered(work.handed_in) if RMSE_SHOWN.search(shown(cell).text)]
        if not stored:
            found = "none was found after the run"
            return Fact("Experiment table", found, well=False if ran(work) else None)
        found = f"none was found after the run; the file shows errors under cell {stored[0]}"
        return Fact("Experiment table", found)
    table = tables[0]
    choices = [f"{k} {listed(v)}" for k, v in table.settings.items() if len(v) > 1]
    found = f"{table.rows} settings in `{table.name}`"
    if table.incomplete:
        found += f", {table.incomplete} of them without all errors"
    found += f": {'; '.join(choices)}" if choices else ""
    if len(tables) > 1:
        found += f" (and {len(tables) - 1} more)"
    return Fact("Experiment table", found, well=table.rows > table.incomplete)


@fact
def best_setting(work: Work) -> Fact | None:
    best = best_of(experiments(work.survey))
    if best is None:
        return None
    setting = [f"{k} {v}" for k, v in best.best.items() if len(best.settings.get(k, ())) != 1]
    found = f"test RMSE {best.test:.3g} mpg, validation {best.validation:.3g}"
    found += f", with {', '.join(setting)}" if setting else ""
    if best.test < SENSIBLE[0]:
        return Fact("Lowest validation RMSE", f"{found}: too small to be true", well=False)
    if best.test > SENSIBLE[1]:
        return Fact("Lowest validation RMSE", f"{found}: large for this data", well=False)
    return Fact("Lowest validation RMSE", found, well=True)


@fact
def no_hidden_layer(work: Work) -> Fact | None:
    return in_experiments(work, "[0] in the experiments", has_no_hidden_layer, NO_HIDDEN_IN_CODE)


@fact
def tanh_used(work: Work) -> Fact | None:
    return activation_used(work, "tanh")


@fact
def relu_used(work: Work) -> Fact | None:
    return activation_used(work, "relu")


def activation_used(work: Work, name: str) -> Fact | None:
    def is_in(table: Experiment) -> bool:
        return any(name in v.lower() for values in table.settings.values() for v in values)

    in_code = re.compile(rf"['\"]{name}['\"]", re.IGNORECASE)
    return in_experiments(work, f"{name} in the experiments", is_in, in_code)


def has_no_hidden_layer(table: Experiment) -> bool:
    """Say whether [0] is among the settings, or 0 where the structures are plain numbers."""
    for label, values in table.settings.items():
        plain = {"".join(value.split()) for value in values}
        if any("[0]" in v or "(0,)" in v or v in ("[]", "()") for v in plain):
            return True
        if LAYERS.search(label) and "0" in plain:
            return True
    return False


def in_experiments(
    work: Work, label: str, is_in: Callable[[Experiment], bool], in_code: re.Pattern[str]
) -> Fact | None:
    """Say whether something is in any table; without a table, whether the code asks for it."""
    tables = [table for table in experiments(work.survey) if table.settings]
    names = [table.name for table in tables if is_in(table)]
    if names:
        return Fact(label, f"yes, in `{names[0]}`", well=True)
    if tables:
        return Fact(label, f"no, not in {listed([f'`{t.name}`' for t in tables])}", well=False)
    for number, cell in numbered(work.handed_in):
        if CALL.search(cell.source) and in_code.search(cell.source):
            return Fact(label, f"asked for in cell {number}, but no table was found")
    return None


# ------------------------------------------------------------------------------- figures
@fact
def figures(work: Work) -> Fact | None:
    """Two plots are asked for, beside those that the handout's own code draws."""
    if not work.executed:
        return None
    drawn, stored = own_figures(work.executed, work), own_figures(work.handed_in, work)
    found = f"{drawn} in the student's own cells"
    if drawn >= ENOUGH_FIGURES:
        return Fact("Figures", found, well=True)
    if stored > drawn:
        return Fact("Figures", f"{found} when run again; the file shows {stored}")
    if drawn:
        return Fact("Figures", f"{found}, which may hold both plots")
    return Fact("Figures", found, well=False if ran(work) else None)


def own_figures(cells: Sequence[Cell], work: Work) -> int:
    given = {line for cell in work.starter if cell.kind == "code" for line in code_lines(cell)}
    return sum(shown(cell).figures for _, cell in numbered(cells) if not mostly(cell, given))


def mostly(cell: Cell, given: set[str]) -> bool:
    """Say whether a cell is the handout's, as it was or with another number in it."""
    lines = code_lines(cell)
    return sum(line in given for line in lines) > 0.7 * len(lines)


def code_lines(cell: Cell) -> list[str]:
    return [bare for line in cell.source[:MOST_TEXT].splitlines() if (bare := line.strip())]


# ------------------------------------------------------------------------------- discussion
@dataclass(frozen=True, slots=True)
class Passage:
    """What a student wrote in one cell, without what the handout says there."""

    in_code: bool
    text: str


@fact
def words_of_discussion(work: Work) -> Fact:
    passages = discussion(work)
    total = sum(len(words(p.text)) for p in passages)
    in_code = sum(len(words(p.text)) for p in passages if p.in_code)
    if not total:
        return Fact("Words of discussion", "none were found", well=False)
    found = f"{total}, {in_code} of them in strings of code cells" if in_code else f"{total}"
    return Fact("Words of discussion", found, well=True if total >= ENOUGH_WORDS else None)


@fact
def observations(work: Work) -> Fact | None:
    """Count list items where there are any, else paragraphs."""
    passages = discussion(work)
    if not passages:
        return None
    items = sum(is_item(line) for p in passages for line in p.text.splitlines())
    blocks = sum(is_paragraph(block) for p in passages for block in paragraphs(p.text))
    number, kind = (items, "list items") if items > 1 else (blocks, "paragraphs")
    found = f"about {number} ({kind})"
    if number >= ENOUGH_OBSERVATIONS:
        return Fact("Observations", found, well=True)
    sentences = sum(len(re.findall(r"[.!?](?=\s|$)", p.text)) for p in passages)
    enough = sentences >= ENOUGH_OBSERVATIONS
    return Fact("Observations", f"{found}; sentences: {sentences}", well=None if enough else False)


@fact
def best_in_discussion(work: Work) -> Fact | None:
    """Whether a number near the best test error stands in the discussion, as far as one can see."""
    best, passages = best_of(experiments(work.survey)), discussion(work)
    if best is None or not passages:
        return None
    said = [n for p in passages for n in DECIMAL.findall(p.text)]
    near = [n for n in said if abs(float(n) - best.test) <= 0.1 * best.test]
    if near:
        found = f"{near[0]} is named, and the run gave {best.test:.3g}"
        return Fact("Test RMSE in discussion", found, well=True)
    return Fact("Test RMSE in discussion", f"no number near the {best.test:.3g} of the run")


def discussion(work: Work) -> list[Passage]:
    """Return what the student wrote, from the first code cell on: above it stand the names."""
    given = [line for cell in work.starter if cell.kind != "code" for line in lines_of(cell.source)]
    bags = {line: frozenset(line.split()) for line in given}  # in order, so that ties fall alike
    cells = [cell for _, cell in numbered(work.handed_in)]
    first = next((i for i, cell in enumerate(cells) if cell.kind == "code"), 0)
    texts = [(False, PICTURE.sub(" ", c.source)) for c in cells[first:] if c.kind != "code"]
    texts += [(True, long_strings(tree)) for _, tree in trees(cells)]
    left, passages = MOST_DISCUSSION, []
    for in_code, written in texts:
        left -= len(written[:MOST_TEXT])
        own = without(TAG.sub(" ", written[:MOST_TEXT]), bags) if left >= 0 else ""
        if words(own):
            passages.append(Passage(in_code, own))
    return passages


def long_strings(tree: ast.Module) -> str:
    """Return the long strings of a code cell; docstrings are none of them."""
    return "\n\n".join(
        node.value
        for statement in tree.body
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef))
        for node in ast.walk(statement)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if len(words(node.value)) >= LITERAL_WORDS
    )


def without(written: str, given: Mapping[str, frozenset[str]]) -> str:
    """Leave out the handout's lines, and its words where a student went on writing in them."""
    lines = written.splitlines()
    return "\n".join(own_words(x, given) if " ".join(x.split()) not in given else "" for x in lines)


def own_words(line: str, given: Mapping[str, frozenset[str]]) -> str:
    """Return a line without what it has of the given line that it is most like."""
    tokens = line.split()[:MOST_LINE]
    if len(tokens) < SHORTEST_COPY or not given:
        return line
    likest = max(given, key=lambda other: len(given[other].intersection(tokens)))
    if len(given[likest].intersection(tokens)) < SHORTEST_COPY:
        return line
    blocks = SequenceMatcher(None, likest.split(), tokens).get_matching_blocks()
    copied = {
        block.b + i for block in blocks if block.size >= SHORTEST_COPY for i in range(block.size)
    }
    return " ".join(t for i, t in enumerate(tokens) if i not in copied) if copied else line


def lines_of(source: str) -> list[str]:
    return [" ".join(line.split()) for line in source.splitlines()]


def words(written: str) -> list[str]:
    """Return the words of a text, numbers among them, marks of lists and headings not."""
    found = []
    for line in written.splitlines():
        item = ITEM.match(line)
        tokens = line[item.end() :].split() if item else line.split()
        found += [t for t in tokens if len(t) <= LONGEST_WORD and any(map(str.isalnum, t))]
    return found


def is_item(line: str) -> bool:
    return ITEM.match(line) is not None and len(words(line)) >= 3


def paragraphs(written: str) -> list[str]:
    return re.split(r"\n[ \t]*\n", written)


def is_paragraph(block: str) -> bool:
    lines = [line for line in block.splitlines() if not HEADING.match(line)]
    return len(words("\n".join(lines))) >= 8


# ------------------------------------------------------------------------------- the code
@fact
def given_code(work: Work) -> Fact | None:
    """Functions that the handout gives complete, and that are another in the notebook."""
    given, theirs = functions(work.starter), functions(work.handed_in)
    complete = {name: f.dump for name, f in given.items() if "your code" not in f.source}
    there = [name for name in complete if name in theirs]
    if not there:
        return None
    changed = [name for name in there if theirs[name].dump != complete[name]]
    if changed:
        return Fact("Given code", f"differs from the handout: {listed(changed)}")
    return Fact("Given code", "as in the handout", well=True)


@dataclass(frozen=True, slots=True)
class Function:
    source: str
    dump: str


def functions(cells: Sequence[Cell]) -> dict[str, Function]:
    """Return functions and methods by name, of two with one name the last."""
    found: dict[str, Function] = {}
    for cell, tree in trees(cells):
        for prefix, body in bodies(tree):
            for node in body:
                if isinstance(node, ast.FunctionDef):
                    source = "\n".join(cell.source.split("\n")[node.lineno - 1 : node.end_lineno])
                    found[prefix + node.name] = Function(source, dump(node))
    return found


def bodies(tree: ast.Module) -> Iterator[tuple[str, list[ast.stmt]]]:
    yield "", tree.body
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield f"{node.name[:60]}.", node.body


def dump(node: ast.FunctionDef) -> str:
    """Write down what a function does: its arguments and body, without its docstring."""
    documented = ast.get_docstring(node, clean=False) is not None
    body = node.body[1:] if documented else node.body
    return "".join(map(ast.dump, [node.args, *body]))


def parsed(source: str) -> ast.Module | None:
    """Parse a code cell, if need be without its magics; None: it is no Python."""
    if len(source) > MOST_TEXT:
        return None
    for attempt in (source, MAGIC.sub(r"\1pass", source)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes are the student's affair
                return ast.parse(attempt)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


# ------------------------------------------------------------------------------- outputs
@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be seen below a cell."""

    text: str
    figures: int
    error: str


@fact
def stored_outputs(work: Work) -> Fact | None:
    """Outputs in the file that running it again did not give. Chance may be why, or an old cell."""
    if not work.executed:
        return None
    differing, compared, stopped = [], 0, 0
    last = max((n for n, cell in numbered(work.executed) if cell.outputs), default=0)
    for (number, before), after in zip(numbered(work.handed_in), work.executed, strict=False):
        if shown(after).error == "KeyboardInterrupt":
            stopped = number  # by a limit of ours, and what comes after had less to work with
        if number > last or stopped:
            break
        if before.kind == "code" and before.outputs and not NOT_COMPARED.search(before.source):
            compared += 1
            how = difference(shown(before), shown(after))
            differing += [f"cell {number} ({how})"] if how else []
    until = f"; compared up to cell {stopped}, which was stopped" if stopped else ""
    if differing:
        found = f"running it again did not give what the file shows: {listed(differing)}{until}"
        return Fact("Stored outputs", found)
    if compared:
        return Fact("Stored outputs", f"running it again gave about the same{until}", well=True)
    return None if any(c.outputs for c in work.handed_in) else Fact("Stored outputs", "none")


@fact
def order_of_cells(work: Work) -> Fact | None:
    """Whether the cells were last run from top to bottom, by the numbers beside them."""
    counts = [(n, cell.count) for n, cell in numbered(work.handed_in) if cell.count is not None]
    if len(counts) < 2:
        return None
    early = [
        f"cell {n} before cell {above}"
        for (above, earlier), (n, later) in pairwise(counts)
        if later < earlier
    ]
    if early:
        return Fact("Order of cells", f"not run from top to bottom: {listed(early)}")
    return Fact("Order of cells", "run from top to bottom", well=True)


def shown(cell: Cell) -> Shown:
    texts, drawn, error = [], 0, ""
    for output in cell.outputs[:MOST_OUTPUTS]:
        data = output.get("data")
        data = data if isinstance(data, dict) else {}
        drawn += any(str(key).startswith(("image/", "application/vnd.plotly")) for key in data)
        if output.get("output_type") == "error":
            error = joined(output.get("ename"))[:60] or "Error"
        elif output.get("name") != "stderr":
            texts.append(joined(output.get("text")) or joined(data.get("text/plain")))
    return Shown("\n".join(texts)[:MOST_SHOWN], drawn, error)


def joined(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))


def difference(before: Shown, after: Shown) -> str:
    """Say in two words how an output is another now; "": it is about the same."""
    if after.error and not before.error:
        return "fails now"
    if before.error:
        return ""
    if after.figures < before.figures:
        return "fewer figures now"
    old, new = (PASSING.sub(" ", s.text) for s in (before, after))
    if old.strip() and not new.strip():
        return "shows nothing now"
    if other_numbers(old, new):
        return "other numbers"
    return "other text" if other_words(old, new) else ""


def other_numbers(old: str, new: str) -> bool:
    """Say whether a third of the numbers, or how many there are, is more than 20 % off."""
    a, b = numbers(old), numbers(new)
    if not a:
        return False
    off = sum(abs(x - y) > 0.2 * max(abs(x), abs(y)) for x, y in zip(a, b, strict=False))
    return abs(len(a) - len(b)) > 0.2 * len(a) or 3 * off >= max(1, len(a))


def numbers(shown_text: str) -> list[float]:
    """Return the numbers that were computed, as their point says; without any, all numbers."""
    found = NUMBER.findall(shown_text)[:2_000]
    return [float(n) for n in found if "." in n] or [float(n) for n in found]


def other_words(old: str, new: str) -> bool:
    a, b = (set(re.findall(r"[^\W\d_]+", t)) for t in (old, new))
    return len(a) >= 3 and len(a & b) < 0.5 * len(a)


# ------------------------------------------------------------------------------- both
def numbered(cells: Sequence[Cell]) -> Iterator[tuple[int, Cell]]:
    """Number the cells as people do, from 1."""
    return enumerate(cells[:MOST_CELLS], start=1)


def trees(cells: Sequence[Cell]) -> Iterator[tuple[Cell, ast.Module]]:
    """Parse the code cells, but for what is no Python or too long for a notebook's code."""
    left = MOST_CODE
    for _, cell in numbered(cells):
        left -= len(cell.source) if cell.kind == "code" else 0
        tree = parsed(cell.source) if cell.kind == "code" and left >= 0 else None
        if tree is not None:
            yield cell, tree


def listed(parts: Sequence[str]) -> str:
    more = len(parts) - MOST_LISTED
    return ", ".join(parts[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
