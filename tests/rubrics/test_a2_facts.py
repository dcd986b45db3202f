"""What the marker of A2 is told, of small namespaces and small notebooks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.answers import decode
from grader.checks import Answer
from grader.facts import Cell, Fact, Work, find_facts, read_cells, surveyed
from grader.inside import harness
from grader.model import Reply, ReplyKind
from grader.packs import Pack, load_pack

Survey = Callable[[str], Reply]
Find = Callable[..., dict[str, Fact]]

DATA = """
import numpy as np
import pandas as pd
cars = pd.DataFrame(np.random.RandomState(0).uniform(1, 40, (392, 8)))
T = cars.values[:, 0:1]
X = cars.values[:, 1:8]
"""
TABLE = """
rows = [
    [n, nh, 0.01, act, 3 - n / 1000, 3.5 - n / 1000 - 0.1 * (act == 'tanh'), 3.4 - n / 1000]
    for n in (100, 500) for nh in ([0], [10, 10]) for act in ('tanh', 'relu')
]
columns = ['epochs', 'nh', 'lr', 'act func', 'RMSE Train', 'RMSE Val', 'RMSE Test']
results = pd.DataFrame(rows, columns=columns)
"""
WORDS = """
The best network has two hidden layers and a test RMSE of about 2.9 mpg, which is good enough.

1. More epochs help every network, though less and less from five hundred on.
2. The linear model, `[0]`, is the worst of all, on the training data too.
3. There is little between tanh and relu; tanh is ahead by a hair in the validation error.
"""
PLOT = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo="}}


def printed(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def failed(name: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": "", "traceback": []}


@pytest.fixture(scope="session")
def pack() -> Pack:
    return load_pack("a2", [Path("rubrics")])


@pytest.fixture(scope="session")
def starter(pack: Pack) -> tuple[Cell, ...]:
    assert pack.rubric.starter
    return read_cells(pack.file(pack.rubric.starter).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def survey(pack: Pack) -> Survey:
    """Return a function: a notebook's code -> what the survey says of its names."""
    (call,) = pack.survey()
    asked = {"source": call.source, "probe_id": call.probe_id, "number": call.number}

    def of(code: str) -> Reply:
        scope: dict[str, Any] = {"__name__": "__main__"}
        try:
            exec(compile(code, "<notebook>", "exec"), scope)  # noqa: S102  our own text
        except BaseException as error:  # noqa: BLE001  pytest cannot show a hostile object
            pytest.fail(f"{type(error).__name__} in the test's own notebook", pytrace=False)
        names = harness.Names(scope)
        status, payload = harness.ask_in_fork(asked, names, seconds=10, limit=1 << 20)
        assert "done" == status
        return decode(payload, limit=1 << 20)

    return of


@pytest.fixture(scope="session")
def find(pack: Pack, survey: Survey, starter: tuple[Cell, ...]) -> Find:
    """Return a function: names' code and cells -> facts by label."""

    def of(
        code: str = DATA + TABLE,
        cells: tuple[Cell, ...] | None = None,
        executed: tuple[Cell, ...] = (),
    ) -> dict[str, Fact]:
        handed_in = notebook(starter) if cells is None else cells
        answer = surveyed(survey(code))
        work = Work(handed_in=handed_in, executed=executed, starter=starter, survey=answer)
        facts = find_facts(pack.facts, work)
        assert not [f for f in facts if "could not be found out" in f.finding]
        assert len(facts) == len({f.label for f in facts})
        assert all(len(f.label) < 30 and len(f.finding) < 300 for f in facts)
        return {f.label: f for f in facts}

    return of


def notebook(starter: tuple[Cell, ...], *more: Cell, words: str = WORDS) -> tuple[Cell, ...]:
    """Return the handout with a discussion in it, and more cells below."""
    place = next(i for i, cell in enumerate(starter) if "Your discussion here" in cell.source)
    handed_in = (*starter[:place], replace(starter[place], source=words), *starter[place + 1 :])
    return (*handed_in, *more)


def code(source: str, *outputs: dict[str, Any], count: int | None = None) -> Cell:
    return Cell("code", source, outputs, count)


# ------------------------------------------------------------------------------- a right piece
def test_a_right_piece(find: Find, starter: tuple[Cell, ...]) -> None:
    cells = notebook(starter, code("plot_rmses()", PLOT, PLOT))
    facts = find(DATA + TABLE, cells, cells)
    assert "392 in `X`" == facts["Rows read"].finding
    assert "8 settings in `results`: epochs 100, 500; nh [0], [10, 10]; act func tanh, relu" == (
        facts["Experiment table"].finding
    )
    best = "test RMSE 2.9 mpg, validation 2.9, with epochs 500, nh [0], act func tanh"
    assert best == facts["Lowest validation RMSE"].finding
    assert "2.9 is named, and the run gave 2.9" == facts["Test RMSE in discussion"].finding
    assert "about 3 (list items)" == facts["Observations"].finding
    assert {
        *("Rows read", "Target among the inputs", "Experiment table", "Lowest validation RMSE"),
        *("[0] in the experiments", "tanh in the experiments", "relu in the experiments"),
        *("Figures", "Words of discussion", "Observations", "Test RMSE in discussion"),
        *("Given code", "Stored outputs"),
    } == {label for label, found in facts.items() if found.well}


def test_the_handout_itself_has_nothing_to_show(find: Find, starter: tuple[Cell, ...]) -> None:
    facts = find("x = 1", starter, starter)
    assert {"Rows read", "Experiment table", "Figures", "Words of discussion"} == {
        label for label, found in facts.items() if found.well is False
    }


# ------------------------------------------------------------------------------- data
@pytest.mark.parametrize(
    ("change", "finding", "well"),
    [
        ("X = cars.values", "yes: column 1 of `X` is `T`", False),
        ("X = cars.values; X = (X - X.mean(0)) / X.std(0)", "yes: column 1 of `X` is `T`", False),
        ("X = cars.rename(columns={0: 'mpg'})", "yes: mpg of `X` is `T`", False),
        ("X = cars.iloc[:, 1:]; T = cars[0]", "no: none of the 7 columns of `X` is `T`", True),
        ("Xcars, y = X, T; del X, T", "no: none of the 7 columns of `Xcars` is `y`", True),
        ("X = cars.astype(object).values; X[:, 1] = 'x'", "yes: column 1 of `X` is `T`", False),
    ],
)
def test_the_target_among_the_inputs(change: str, finding: str, well: Any, find: Find) -> None:
    assert (
        Fact("Target among the inputs", finding, well)
        == (find(f"{DATA}\n{change}")["Target among the inputs"])
    )


def test_without_inputs_and_target_there_is_nothing_to_compare(find: Find) -> None:
    facts = find(DATA + "\nyear = cars[3]; del T")  # a column called year is not a target
    assert "Target among the inputs" not in facts
    assert facts["Rows read"].well


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            "X, T = np.ones((398, 7)), np.ones((398, 1))",
            "398 in `X`, not 392: rows with missing values are still there",
        ),
        ("X, T = X[:300], T[:300]", "300 in `X`, not 392"),
        ("del X, T, cars", "no data of about 392 rows were found"),
        (
            "del X, T, cars; X = np.arange(40).reshape(20, 2)",
            "no data of about 392 rows were found",
        ),
    ],
)
def test_another_number_of_rows(change: str, finding: str, find: Find) -> None:
    assert Fact("Rows read", finding, well=False) == find(f"{DATA}\n{change}")["Rows read"]


def test_where_only_definitions_were_run_missing_data_are_not_held_against_anybody(
    find: Find,
) -> None:
    facts = find("In = ['']")
    assert facts["Rows read"].well is None
    assert facts["Experiment table"].well is None


# ------------------------------------------------------------------------------- experiments
def test_no_experiment_table(find: Find) -> None:
    facts = find(DATA)
    assert (
        Fact("Experiment table", "none was found after the run", well=False)
        == (facts["Experiment table"])
    )
    assert not {"Lowest validation RMSE", "[0] in the experiments"} & set(facts)


def test_a_table_that_only_the_file_shows_is_pointed_at(
    find: Find, starter: tuple[Cell, ...]
) -> None:
    source = "results = run_experiment(X, T, 5, [9000], [[0], [90]], ['tanh', 'relu'])\nresults"
    shown = {"output_type": "execute_result", "data": {"text/plain": ["RMSE Train  RMSE Val\n"]}}
    cells = notebook(starter, code(source, shown))
    facts = find(DATA, cells)
    number = len(cells)
    assert (
        Fact(
            "Experiment table",
            f"none was found after the run; the file shows errors under cell {number}",
        )
        == (facts["Experiment table"])
    )
    asked = f"asked for in cell {number}, but no table was found"
    for what in ("[0]", "tanh", "relu"):
        assert asked == facts[f"{what} in the experiments"].finding


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("results = results[results['act func'] == 'tanh']", {"relu"}),
        ("results = results[results['act func'] == 'relu']", {"tanh"}),
        ("results = results[results['nh'].map(len) > 1]", {"[0]"}),
        ("results['nh'] = [0, 10] * 4", set[str]()),
        ("results['nh'] = [5, 10] * 4", {"[0]"}),
        ("results['nh'] = results['nh'].map(str)", set[str]()),
        ("results['nh'] = results['nh'].map(tuple)", set[str]()),
        ("results = results.set_index('act func')", set[str]()),
        ("results.columns = list('abcd') + ['train_rmse', 'val_rmse', 'test_rmse']", set[str]()),
        ("results.columns = list('abcd') + ['Train', 'Validation', 'Test']", set[str]()),
        ("results = {'all': results}", set[str]()),
        ("Out = {4: results}; del results", set[str]()),
        (
            "t = results[results['act func'] == 'tanh']; r = results.drop(t.index); del results",
            set(),
        ),
    ],
)
def test_what_is_in_the_experiments(change: str, missing: set[str], find: Find) -> None:
    facts = find(f"{DATA}{TABLE}\n{change}")
    named = {w: facts[f"{w} in the experiments"].well for w in ("[0]", "tanh", "relu")}
    assert {w: w not in missing for w in named} == named


def test_the_best_of_two_halves_of_one_experiment(find: Find) -> None:
    halves = "r = results[1::2]; t = results[::2]; del results"
    assert find(DATA + TABLE + halves)["Lowest validation RMSE"].finding.startswith(
        "test RMSE 2.9 mpg, validation 2.9, with epochs 500"
    )


def test_rows_without_all_errors_are_counted_and_never_the_best(find: Find) -> None:
    facts = find(DATA + TABLE + "results.loc[[4, 6], 'RMSE Val'] = [np.nan, -np.inf]")
    assert "2 of them without all errors" in facts["Experiment table"].finding
    assert "act func relu" in facts["Lowest validation RMSE"].finding


@pytest.mark.parametrize(("factor", "words"), [(0.01, "too small"), (3, "large for this data")])
def test_errors_that_cannot_be_are_doubted(factor: float, words: str, find: Find) -> None:
    best = find(DATA + TABLE + f"results['RMSE Test'] *= {factor}")["Lowest validation RMSE"]
    assert words in best.finding
    assert best.well is False


# ------------------------------------------------------------------------------- discussion
def test_no_discussion(find: Find, starter: tuple[Cell, ...]) -> None:
    author = (replace(starter[1], source="Ada Example and Bob Example"), *starter[2:])
    facts = find(cells=(starter[0], *author))
    assert (
        Fact("Words of discussion", "none were found", well=False) == (facts["Words of discussion"])
    )
    assert not {"Observations", "Test RMSE in discussion"} & set(facts)


@pytest.mark.parametrize("form", ['"""{}"""', 'print("""{}""")', 'answer = """{}"""\n%time pass'])
def test_a_discussion_in_a_string(form: str, find: Find, starter: tuple[Cell, ...]) -> None:
    facts = find(cells=(*starter, code(form.format(WORDS))))
    total = facts["Words of discussion"].finding.split(",")[0]
    assert f"{total}, {total} of them in strings of code cells" == (
        facts["Words of discussion"].finding
    )
    assert facts["Observations"].well
    assert facts["Test RMSE in discussion"].well


def test_docstrings_labels_and_pictures_are_no_discussion(
    find: Find, starter: tuple[Cell, ...]
) -> None:
    docstring = f'def f():\n    """{"what it does and why " * 20}"""\nplt.title("RMSE of tanh")'
    picture = Cell("markdown", f"![](data:image/png;base64,{'iVBORw0KGgo' * 500})")
    facts = find(cells=(*starter, code(docstring), picture))
    assert facts["Words of discussion"].well is False


def test_words_behind_the_handouts_own_words_count(find: Find, starter: tuple[Cell, ...]) -> None:
    asked = next(i for i, c in enumerate(starter) if c.source.startswith("Find the setting"))
    cell = replace(starter[asked], source=starter[asked].source + " It is 2.91 mpg, which is fine.")
    facts = find(cells=(*starter[:asked], cell, *starter[asked + 1 :]))
    assert "7" == facts["Words of discussion"].finding
    assert "2.91 is named, and the run gave 2.9" == facts["Test RMSE in discussion"].finding


@pytest.mark.parametrize(
    ("words", "finding", "well"),
    [
        (
            "- More epochs are better.\n- Two layers are best.\n* relu is slow here.",
            "3 (list",
            True,
        ),
        ("#### Observation 1\n\n" + "This is what one can see in the plot. " * 4, "1 (par", None),
        ("\n\n".join(["This paragraph says in eight words what is."] * 4), "4 (par", True),
        ("tanh is better.", "0 (par", False),
    ],
)
def test_observations(
    words: str, finding: str, well: Any, find: Find, starter: tuple[Cell, ...]
) -> None:
    found = find(cells=notebook(starter, words=words))["Observations"]
    assert f"about {finding}" in found.finding
    assert found.well is well


def test_no_number_near_the_best_is_no_verdict(find: Find, starter: tuple[Cell, ...]) -> None:
    words = "1. The best network is off by 7.25 mpg.\n2. That is in 2026, and 29 cars."
    found = find(cells=notebook(starter, words=words))["Test RMSE in discussion"]
    assert Fact("Test RMSE in discussion", "no number near the 2.9 of the run") == found


# ------------------------------------------------------------------------------- given code
def changed(starter: tuple[Cell, ...], old: str, new: str) -> tuple[Cell, ...]:
    assert any(old in cell.source for cell in starter)
    return tuple(replace(cell, source=cell.source.replace(old, new)) for cell in starter)


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("learning_rate * grad\n", "2 * learning_rate * grad\n", "Optimizers.sgd"),
        ("if self.Xmeans is None:", "if True:", "NeuralNetwork.train"),
        ("/ np.sqrt(shape[0])", "", "NeuralNetwork.make_weights"),
        ("np.mean((T - self", "np.sum((T - self", "NeuralNetwork.error_f"),
    ],
)
def test_changed_given_code(
    old: str, new: str, names: str, find: Find, starter: tuple[Cell, ...]
) -> None:
    found = find(cells=changed(starter, old, new))["Given code"]
    assert Fact("Given code", f"differs from the handout: {names}") == found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("'''One flat vector", "'''My words: one flat vector"),  # a docstring
        ("# What Adam remembers", "# Remembered"),
        ("raise NotImplementedError('adam')", "return [0.0]"),  # theirs to write
        ("# your code: relu\n            self", "if 1:\n                pass\n            self"),
        ("class Optimizers:", "%matplotlib inline\nclass Optimizers:"),
        ("import pandas as pd", "import pandas as pd\n!pip install pandas"),
    ],
)
def test_given_code_that_does_the_same(
    old: str, new: str, find: Find, starter: tuple[Cell, ...]
) -> None:
    assert find(cells=changed(starter, old, new))["Given code"].well


# ------------------------------------------------------------------------------- outputs
def run_again(find: Find, *pairs: tuple[Any, Any], source: str = "show()") -> Fact:
    """Return the fact of cells that show the first of each pair in the file, the second now."""
    before = tuple(code(source, *([first] if first else [])) for first, _ in pairs)
    after = tuple(code(source, *([second] if second else [])) for _, second in pairs)
    end = code("1", printed("the end"))
    return find("x = 1", (*before, end), (*after, end))["Stored outputs"]


@pytest.mark.parametrize(
    ("first", "second", "how"),
    [
        (printed("RMSE 2.50"), failed("NameError"), "fails now"),
        (printed("RMSE 2.50 2.61 2.40"), printed("RMSE 6.25 6.81 5.76"), "other numbers"),
        (printed("0.1\n" * 30), printed("0.1\n" * 3), "other numbers"),
        (printed("RMSE 2.50"), None, "shows nothing now"),
        (PLOT, None, "fewer figures now"),
        (printed("everything went well here"), printed("no data at all, sorry"), "other text"),
    ],
)
def test_stored_outputs_that_differ(first: Any, second: Any, how: str, find: Find) -> None:
    found = run_again(find, (printed("a"), printed("a")), (first, second))
    differing = f"running it again did not give what the file shows: cell 2 ({how})"
    assert Fact("Stored outputs", differing) == found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (printed("RMSE 2.50 2.61"), printed("RMSE 2.44 2.75")),  # another seed
        (printed("<A object at 0x7f01>"), printed("<A object at 0x8e92>")),
        (printed("done, took 12.5 seconds"), printed("done, took 1.5 seconds")),
        (printed("Wall time: 9.81 ms\nCPU times: 1"), printed("Wall time: 1 min\nCPU times: 7")),
        (printed("a  b\n"), printed("a b")),
        (failed("NameError"), printed("4")),
        (None, printed("4")),
        (PLOT, PLOT),
    ],
)
def test_stored_outputs_that_are_about_the_same(first: Any, second: Any, find: Find) -> None:
    assert run_again(find, (first, second)).well


@pytest.mark.parametrize("source", ["%run -i A2grader.py", "!pip install x", "n = input('n')"])
def test_what_cannot_be_run_here_is_not_compared(source: str, find: Find) -> None:
    assert run_again(find, (printed("80 of 100"), failed("Error")), source=source).well


def test_nothing_is_compared_from_a_stopped_cell_on(find: Find) -> None:
    stopped = (printed("2.50"), failed("KeyboardInterrupt"))
    found = run_again(find, (printed("a"), printed("a")), stopped, (printed("b"), None))
    words = "running it again gave about the same; compared up to cell 2, which was stopped"
    assert words == found.finding


def test_figures_of_the_handouts_own_cells_do_not_count(
    find: Find, starter: tuple[Cell, ...]
) -> None:
    given = next(c for c in starter if "plt.plot(Xsine" in c.source)
    given = replace(given, source=given.source.replace("2000", "500"), outputs=(PLOT,))
    own = code("plot_rmses()", PLOT)
    assert find("x = 1", (given, own), (given, own))["Figures"].well is None
    assert find("x = 1", (given,), (given,))["Figures"].well is False
    assert "the file shows 1" in find("x = 1", (own,), (given,))["Figures"].finding


def test_cells_that_were_run_out_of_order(find: Find) -> None:
    cells = (code("a", count=1), code("b", count=5), code("c", count=3), code("d"))
    found = "not run from top to bottom: cell 3 before cell 2"
    assert Fact("Order of cells", found) == find("x = 1", cells)["Order of cells"]
    assert find("x = 1", cells[:2])["Order of cells"].well
    assert "Order of cells" not in find("x = 1", cells[3:])


# ------------------------------------------------------------------------------- hostile
HOSTILE = """
class Meta(type):
    def __getattribute__(cls, name):
        raise SystemExit
    def __instancecheck__(cls, other):
        raise SystemExit
class Trap(metaclass=Meta):
    def __getattribute__(self, name):
        raise KeyboardInterrupt
    def __eq__(self, other):
        raise SystemExit
    def __str__(self):
        raise MemoryError
    __repr__ = __str__
    def __hash__(self):
        return 7
class Mine:  # may stand in arrays and frames, and explodes there
    def __float__(self):
        raise SystemExit
    __str__ = __repr__ = __eq__ = __float__
class Frame(pd.DataFrame):
    columns = property(lambda self: exit())
    shape = columns
class Array(np.ndarray):
    shape = property(lambda self: 1 / 0)
    ndim = shape
trap, mine = Trap(), Mine()
X_frame, X_array = Frame({'a': [1.0] * 392}), np.ones((392, 3)).view(Array)
traps = [trap] * 1000
mapped = {trap: trap, 1: traps}
T_mines = np.empty(392, dtype=object)
for i in range(392):
    T_mines[i] = mine
X_mines = pd.DataFrame({'a': T_mines, 'b': 1.0})
errors = pd.DataFrame({'RMSE Train': T_mines, 'RMSE Val': 1, 'RMSE Test': 1})
mines = pd.DataFrame({'nh': T_mines[:1], 'train': 1.0, 'val': 1.0, 'test': 1.0})
huge = np.lib.stride_tricks.as_strided(np.zeros(1), (10**9, 10**3), (0, 0))
recursive = []
recursive.append(recursive)
wide = pd.DataFrame(np.ones((2, 50_000)))
long = pd.DataFrame(np.ones((10**6, 4)), columns=['nh', 'train', 'val', 'test'])
"""


def test_hostile_names_hide_nothing_else(find: Find, survey: Survey) -> None:
    assert ReplyKind.VALUE is survey(DATA + TABLE + HOSTILE).kind
    facts = find(DATA + TABLE + HOSTILE.replace("10**6", "1"))
    assert "392 in `X`" == facts["Rows read"].finding
    assert facts["Target among the inputs"].well
    assert facts["Experiment table"].finding.startswith("8 settings in `results`")


@pytest.mark.parametrize("names", ["globals()[7] = 7", "import sys; sys.modules['pandas'] = 7"])
def test_a_namespace_that_cannot_be_looked_through_is_an_empty_one(
    names: str, survey: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", sys.modules.get("pandas"))
    reply = survey(names)
    assert ReplyKind.VALUE is reply.kind
    assert isinstance(reply.value, dict)
    assert [] == reply.value["tables"]


JUNK: list[Any] = [None, True, -1, float("nan"), float("inf"), "x" * 9_999, [], [[]], {}, {"a": 1}]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: repr(junk)[:20])
@pytest.mark.parametrize("key", ["ran", "tables", "data", "pair", "table", "settings", "best"])
def test_a_lying_survey_breaks_no_fact(
    key: str, junk: Any, pack: Pack, starter: tuple[Cell, ...]
) -> None:
    best = {"setting": {"nh": "[0]"}, "errors": [1, 2, 3]}
    table = {"name": "r", "rows": 1, "incomplete": 0, "settings": {"nh": ["[0]"]}, "best": best}
    honest = {"ran": True, "tables": [table], "data": [], "pair": None}
    lie = {"tables": [junk if key == "table" else {**table, key: junk}]}
    answer: Any = {**honest, key: junk} if key in honest else {**honest, **lie}
    survey = Answer(answer, "the survey")
    cells = notebook(starter)
    facts = find_facts(
        pack.facts, Work(handed_in=cells, executed=cells, starter=starter, survey=survey)
    )
    assert not [f for f in facts if "could not be found out" in f.finding]


@pytest.mark.parametrize(
    "source",
    [
        *("(" * 40_000, "-" * 40_000 + "1", "<a" * 20_000, "![](" * 10_000, "1" * 49_999),
        *("the " * 9_999, "1. " * 15_000, "#" * 49_999, " " * 49_999 + "x", "x\n" * 20_000),
        *("\x00\udc80\u202e\x1b[31m", "'\\d'", '"""' + "of the " * 5_000 + '"""'),
        "your code in the next cell or the next cell " * 1_000,
    ],
    ids=lambda source: repr(source)[:16],
)
@pytest.mark.parametrize("kind", ["code", "markdown", "raw"])
def test_hostile_cells_take_no_time_and_break_no_fact(
    kind: str, source: str, find: Find, starter: tuple[Cell, ...]
) -> None:
    outputs: tuple[dict[str, Any], ...] = (
        *(printed(source), {"output_type": 7, "data": [], "text": {}}, {"data": {"image/png": 1}}),
        *({"output_type": "error", "ename": []}, {}),
    )
    cells = (*starter, *[Cell(kind, source, outputs, 1)] * 5)
    began = time.process_time()
    find("x = 1", cells, cells[:-1])
    find("x = 1", cells, tuple(replace(c, outputs=(printed("1 2"),)) for c in cells))
    assert time.process_time() - began < 10


def test_the_samples_own_discussion_is_seen(find: Find) -> None:
    text = Path("submissions/notebooks/right.ipynb").read_text(encoding="utf-8")
    facts = find(cells=read_cells(json.dumps(json.loads(text))))
    assert "about 5 (list items)" == facts["Observations"].finding
    assert facts["Given code"].well
