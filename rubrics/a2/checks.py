"""How A2's answers are judged, where "the same as the reference's" is not the whole story."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grader.checks import Answer, Failed, agrees, check, compare, require

Floats = npt.NDArray[np.float64]
FOLDS = ("train", "validate", "test")
RMSE = ("RMSE Train", "RMSE Val", "RMSE Test")


def near(a: Floats, b: Floats, tolerance: float) -> bool:
    """Say whether two arrays of one shape agree, relative to the larger of 1 and max|b|."""
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= bound(b, tolerance)))


def bound(b: Floats, tolerance: float) -> float:
    return tolerance * max(1.0, float(np.max(np.abs(b), initial=0.0)))


# ------------------------------------------------------------------------------- shapes
@check
def has_shape(got: Answer, want: Answer, tolerance: float) -> None:
    """Only the shape counts."""
    got.array(shape=want.array().shape)


@check
def fold_shapes(got: Answer, want: Answer, tolerance: float) -> None:
    """Each of the six results has the shape that it should have."""
    keys = [f"{letter}{fold}" for fold in FOLDS for letter in ("X", "T")]
    # By shape() and not by array(shape=…): which rows they are is no affair of this check. And all
    # of them are read before the first is judged, so that mistakes can be told apart by the rest.
    found, expected = ([sizes(answer[key]) for key in keys] for answer in (got, want))
    for key, is_, should in zip(keys, found, expected, strict=True):
        require(is_ == should, f"`{key}` should have shape {should}, not {is_}.")


def sizes(answer: Answer) -> tuple[int, ...]:
    return tuple(int(size.number()) for size in answer.shape().parts())


@check
def untouched(got: Answer, want: Answer, tolerance: float) -> None:
    """What was given to the function is after the call what it was before."""
    before, after = want.array(), got.array()
    words = (
        "Your function changes its argument. Whoever called it still needs that array: "
        "work on a copy, or let NumPy make a new array."
    )
    require(after.shape == before.shape, words)
    compare("the argument", after, before, bound(before, tolerance), words)


# ------------------------------------------------------------------------------- adam
@check
def in_place(got: Answer, want: Answer, tolerance: float) -> None:
    """The vector that was given is the one that was updated, whatever to."""
    given, weights = got["given"].array(), got["weights"].array()
    require(
        np.array_equal(given, weights, equal_nan=True) and np.any(given != 0.0),
        "The vector of weights that was given to Optimizers is not the one that is updated. "
        "The network's `Ws` are views into that vector and would never change.",
    )


# ------------------------------------------------------------------------------- use
@check
def predicts(got: Answer, want: Answer, tolerance: float) -> str | None:
    """X in input units, or X standardized already: the lecture says the one, the handout both."""
    expected = want["Y"].array()
    found = got["Y"].array()
    if found.size == expected.size:
        found = found.reshape(expected.shape)  # its shape has a check of its own
    if near(found, want["Y_if_standardized"].array(), tolerance):
        return "Read as: X is standardized already. The handout wants X in input units."
    agrees(Answer(found, "the prediction"), Answer(expected, theirs=False), tolerance)
    return None


# ------------------------------------------------------------------------------- activations
@check
def values_at(got: Answer, want: Answer, tolerance: float) -> None:
    """The values, in whatever shape; the shape has a check of its own."""
    expected = want["values"].array()
    found = got["values"].array()
    require(
        found.size == expected.size,
        f"The result has {found.size} values for {expected.size} weighted sums.",
    )
    agrees(
        Answer(found.reshape(expected.shape), "the result"),
        Answer(expected, theirs=False),
        tolerance,
    )


@check
def step_at(got: Answer, want: Answer, tolerance: float) -> None:
    """The derivative of relu; at exactly 0 it may be 0 or 1."""
    expected, s = want["values"].array(), want["s"].array()
    found = got["values"].array()
    require(
        found.size == expected.size,
        f"The result has {found.size} values for {expected.size} weighted sums.",
    )
    found = found.reshape(expected.shape)
    at_zero = found[s == 0]
    require(
        np.all((at_zero == 0) | (at_zero == 1)),
        "The derivative at exactly 0 should be 0 or 1.",
    )
    agrees(
        Answer(np.where(s == 0, expected, found), "the derivative"),
        Answer(expected, theirs=False),
        tolerance,
    )


# ------------------------------------------------------------------------------- network
@check
def same_direction(got: Answer, want: Answer, tolerance: float) -> str | None:
    """A gradient, with or without the factor 2 of the squared error's derivative."""
    expected = want.array()
    found = got.array()
    require(
        found.size == expected.size,
        f"The gradient has {found.size} elements for {expected.size} weights.",
    )
    found, expected = found.ravel(), expected.ravel()
    if near(found, expected, tolerance):
        return None
    if near(found, 2 * expected, tolerance):
        return "With the factor 2 of the squared error's derivative, which is right too."
    size = float(found @ found) ** 0.5 * float(expected @ expected) ** 0.5
    cosine = float(found @ expected) / size if size > 0 else 0.0
    if cosine > 1 - tolerance:
        raise Failed(
            "The gradient points the right way but has the wrong length. "
            "Is the mean taken over all samples and outputs?"
        )
    raise Failed(
        "The gradient is not the gradient of the error: central differences "
        "(error(w + h) - error(w - h)) / 2h point another way.",
        f"The cosine between the two is {cosine:.4f}.",
    )


@check
def blocked(got: Answer, want: Answer, tolerance: float) -> None:
    """Where the right gradient is exactly 0, so is this one; and elsewhere there is some."""
    zero = want.array().ravel() == 0
    found = got.array().ravel()
    require(
        found.size == zero.size,
        f"The gradient has {found.size} elements for {zero.size} weights.",
    )
    require(np.any(found[~zero] != 0), "No gradient reaches any unit.")
    require(
        np.all(np.abs(found[zero]) <= tolerance),
        "Gradient passes through units that are inactive (output 0) for every sample. Mind what "
        "the derivative is given: where it gets layer outputs, it must be 0 at an output of 0.",
    )


# ------------------------------------------------------------------------------- partition
def rows(answer: Answer, letter: str) -> Floats:
    """Put the three folds of X or T below each other again, as matrices."""
    parts = [answer[f"{letter}{fold}"].array() for fold in FOLDS]
    if any(p.ndim == 0 for p in parts):
        raise answer.wrong(f"`{letter}` should have rows.")
    parts = [p.reshape(len(p), -1) for p in parts]
    if len({p.shape[1] for p in parts}) > 1:
        raise answer.wrong(f"The three folds of {letter} have different numbers of columns.")
    return np.vstack(parts)


@check
def rows_together(got: Answer, want: Answer, tolerance: float) -> None:
    """Every row of X still has its own row of T."""
    X, T = want["X"].array(), want["T"].array()
    target = {tuple(x): t for x, t in zip(X, T, strict=True)}
    found_X, found_T = rows(got, "X"), rows(got, "T")
    require(len(found_X) == len(found_T), "X and T came back with different numbers of rows.")
    require(len(found_X) > 0, "There are no rows in the folds.")
    for x, t in zip(found_X, found_T, strict=True):
        require(tuple(x) in target, "There is a row in X that was not there before.")
        require(
            np.array_equal(t, target[tuple(x)]),
            "The rows of X and T were taken apart: shuffle both by the same order.",
        )


@check
def complete(got: Answer, want: Answer, tolerance: float) -> None:
    """No row lost, none doubled: the training, validation and test rows are X's rows, once each."""
    before = sorted(map(tuple, want["X"].array()))
    after = sorted(map(tuple, rows(got, "X")))
    require(len(set(after)) == len(after), "Some rows are in more than one fold.")
    require(len(after) == len(before), "Some rows are in no fold.")
    require(after == before, "The rows of the folds are not the rows of X.")


@check
def shuffled(got: Answer, want: Answer, tolerance: float) -> None:
    """With random_shuffle=True the rows come in another order, so folds hold other rows."""
    X = want["X"].array()
    found = rows(got, "X")
    size = len(got["Xvalidate"].array())
    require(
        not np.array_equal(found[-2 * size :], X[: 2 * size])
        and not np.array_equal(got["Xvalidate"].array(), X[:size]),
        "With random_shuffle=True the rows are still in the order in which they were given.",
    )


@check
def in_order(got: Answer, want: Answer, tolerance: float) -> None:
    """With random_shuffle=False: fold 0 validates, fold 1 tests, the rest trains, in order."""
    where = {"train": "the folds from 2 on", "validate": "fold 0", "test": "fold 1"}
    for fold in FOLDS:
        for letter in ("X", "T"):
            key = f"{letter}{fold}"
            found, expected = got[key].array(), want[key].array()
            words = (
                f"With random_shuffle=False, `{key}` should hold the rows of {where[fold]}, "
                "in their order."
            )
            require(found.size == expected.size, words)
            found = found.reshape(expected.shape)
            compare(f"`{key}`", found, expected, bound(expected, tolerance), words)


# ------------------------------------------------------------------------------- run_experiment
def settings(answer: Answer) -> list[tuple[object, ...]]:
    """(epochs, hidden layers, activation) of every training, in the order it was done."""
    found: list[tuple[object, ...]] = []
    for entry in answer["log"].parts():
        hidden = tuple(int(n.number()) for n in entry["hidden"].parts())
        found.append((int(entry["epochs"].number()), hidden, entry["activation"].value))
    return found


@check
def grid_in_order(got: Answer, want: Answer, tolerance: float) -> None:
    """Every setting once, with a new network; `[0]` has a check of its own."""
    found, expected = settings(got), settings(want)
    require(found, "No network was trained.")
    fresh = [entry["fresh"].value for entry in got["log"].parts()]
    require(all(fresh), "One network is trained on for several settings: make a new one for each.")
    hidden_only = [s for s in found if s[1]]
    wanted = [s for s in expected if s[1]]
    require(
        sorted(map(repr, hidden_only)) == sorted(map(repr, wanted)),
        "The settings that were trained are not those of the three lists of choices.",
        f"{len(hidden_only)} of {len(wanted)} settings with hidden layers were trained.",
    )
    require(
        hidden_only == wanted,
        "The settings come in another order: epochs outside, then layers, then activation.",
    )


@check
def without_hidden_layer(got: Answer, want: Answer, tolerance: float) -> None:
    """`[0]`, no hidden layer, is one of the settings."""
    found = [s for s in settings(got) if not s[1]]
    wanted = [s for s in settings(want) if not s[1]]
    require(
        len(found) == len(wanted),
        "The setting `[0]`, no hidden layer, is not run as often as the other settings.",
    )


@check
def partitions_once(got: Answer, want: Answer, tolerance: float) -> None:
    """One partition for all settings; another each time would compare them on other data."""
    times = int(got["partitions"].number())
    require(times > 0, "The data are not partitioned by your function `partition`.")
    require(
        times == 1,
        "The data are partitioned anew for each setting, so the settings are compared on "
        "different data. Partition once, before the loops.",
        f"`partition` was called {times} times.",
    )


@check
def trains_with_adam(got: Answer, want: Answer, tolerance: float) -> None:
    """Every setting is trained with Adam."""
    methods = {str(entry["method"].value).lower() for entry in got["log"].parts()}
    require(methods, "No network was trained.")
    require(methods == {"adam"}, "The networks are not trained with Adam: pass method='adam'.")


def errors(answer: Answer) -> Floats:
    """The three error columns as a matrix, by name or, where the names differ, the last three."""
    table = answer["table"].table()
    names = [squeezed(name) for name in table.columns]
    if all(squeezed(name) in names for name in RMSE):
        chosen = [names.index(squeezed(name)) for name in RMSE]
    else:
        chosen = list(range(len(names)))[-3:]
    if len(chosen) != len(RMSE):
        raise answer.wrong("The table has no three columns of errors.")
    columns = [Answer(table.data[i], f"`{table.columns[i]}`", answer.theirs) for i in chosen]
    return np.column_stack([column.array(shape=(table.n_rows,)) for column in columns])


def squeezed(name: str) -> str:
    return "".join(name.lower().replace("_", " ").split())


@check
def root_mean_square(got: Answer, want: Answer, tolerance: float) -> None:
    """Every number is a root of the mean of squares; in which column is another check's."""
    found, expected = errors(got), errors(want)
    require(len(found) > 0, "The table has no rows.")
    for row in found:
        if not any(all(near_any(x, e, tolerance) for x in row) for e in expected):
            squares = any(all(near_any(x, e**2, tolerance) for x in row) for e in expected)
            raise Failed(
                "The errors are means of squares: take the root, so that they are in the "
                "target's units."
                if squares
                else "The errors are not the root of the mean of (T - use(X))² in target units."
            )


def near_any(x: float, values: Floats, tolerance: float) -> bool:
    return bool(np.any(np.abs(values - x) <= tolerance * np.maximum(1.0, np.abs(values))))


@check
def right_sets(got: Answer, want: Answer, tolerance: float) -> None:
    """Training error on the training rows, and so on; with or without the root."""
    found, expected = errors(got), errors(want)
    require(len(found) > 0, "The table has no rows.")
    for row in found:
        as_is = any(near(row, e, tolerance) for e in expected)
        if not as_is and not any(near(row, e**2, tolerance) for e in expected):
            raise Failed(
                "The three errors of a setting are not those of the training, the validation and "
                "the test rows, in this order."
            )


@check
def error_columns(got: Answer, want: Answer, tolerance: float) -> None:
    """The columns `RMSE Train`, `RMSE Val` and `RMSE Test`; the others may have any name."""
    names = [squeezed(name) for name in got["table"].table().columns]
    for name in RMSE:
        require(squeezed(name) in names, f"The table has no column `{name}`.")


@check
def data_frame(got: Answer, want: Answer, tolerance: float) -> None:
    """A DataFrame comes back, one row a setting."""
    table = got["table"].table()
    trained = len(got["log"].parts())
    require(
        table.n_rows == trained,
        f"The table has {table.n_rows} rows for {trained} trained settings.",
    )
