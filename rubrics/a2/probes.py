"""What A2 asks of a notebook. How the answers are judged and what they count is not said here.

Arguments are passed by keyword where the assignment names them, and nothing relies on printing.
Each part is asked for itself: where it leans on another part, that part is a stand-in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from grader.probes import Names, Rng, probe

# The names seen in the wild, the assignment's own first.
RELU = ("relu", "ReLU", "Relu", "RELU")
GRAD_RELU = (
    *("grad_relu", "drelu", "dReLU", "relu_grad", "d_relu", "grad_ReLU", "dRelu", "drelu_ds"),
    *("relu_gradient", "relu_derivative", "relu_prime", "gradient_relu", "derivative_relu"),
)
SWISH = ("swish", "Swish", "SWISH")
GRAD_SWISH = (
    *("grad_swish", "dswish", "swish_grad", "d_swish", "grad_Swish", "dSwish", "swish_gradient"),
    *("swish_derivative", "swish_prime", "gradient_swish", "derivative_swish"),
)
NETWORK = "NeuralNetwork"
RELU_POINTS = ([-1e6, 0.0, 1e6], [0.0, 0.0, 1e6])
GRAD_RELU_POINTS = ([-1e6, 0.0, 1e-300, 1e6], [0.0, 0.0, 1.0, 1.0])
Array: TypeAlias = npt.NDArray[np.float64]
FOLDS = ("Xtrain", "Ttrain", "Xvalidate", "Tvalidate", "Xtest", "Ttest")


# ------------------------------------------------------------------------------- Adam
def now(optimizer: Any, w: Array) -> Any:
    """Return the weights as the optimizer has them: it may have bound new ones by mistake."""
    return getattr(optimizer, "all_weights", w)


def descend(
    names: Names, w: Array, minimum: Array, curvature: Array, *calls: int, learning_rate: float
) -> dict[str, Array]:
    """Run Adam on sum(curvature * (w - minimum)**2), in one call for each number of epochs.

    `path` is the first weight before each step and at the end, to be drawn and not judged.
    """
    optimizer = names.Optimizers(w)
    path: list[Array] = []

    def error(minimum: Array, curvature: Array) -> float:
        return float(np.sum(curvature * (now(optimizer, w) - minimum) ** 2))

    def gradient(minimum: Array, curvature: Array) -> Any:
        path.append(np.ravel(now(optimizer, w))[:1].copy())
        return 2 * curvature * (now(optimizer, w) - minimum)

    for n_epochs in calls:
        optimizer.adam(
            error_f=error,
            gradient_f=gradient,
            fargs=[minimum, curvature],
            n_epochs=n_epochs,
            learning_rate=learning_rate,
        )
    path.append(np.ravel(now(optimizer, w))[:1].copy())
    return {"weights": np.array(now(optimizer, w)), "given": w, "path": np.concatenate(path)}


@probe
def adam_parabola(names: Names, rng: Rng) -> object:
    """The published one: (w - 5)² from w = 0, 100 epochs, learning rate 0.1."""
    w = np.array([0.0])
    return descend(names, w, np.array([5.0]), np.ones(1), 100, learning_rate=0.1)


@probe
def adam_one_step(names: Names, rng: Rng) -> object:
    w = rng.uniform(-1, 1, 3)
    curvature = np.array([1.0, 1.0, 5e-5])  # a gradient so small that epsilon's place shows
    return descend(names, w, rng.uniform(2, 3, 3), curvature, 1, learning_rate=0.25)


@probe
def adam_continued(names: Names, rng: Rng) -> object:
    w = rng.uniform(-1, 1, 2)
    return descend(names, w, rng.uniform(2, 4, 2), np.ones(2), 7, 12, learning_rate=0.1)


@probe
def adam_several_weights(names: Names, rng: Rng) -> object:
    w = rng.uniform(-1, 1, 6)
    minimum, curvature = rng.uniform(-3, 3, 6), rng.uniform(0.1, 5, 6)
    return descend(names, w, minimum, curvature, 60, learning_rate=0.05)


@probe
def adam_trace(names: Names, rng: Rng) -> object:
    """An error that counts the gradients asked for so far: when it was taken can be read off."""
    gradients: list[float] = []
    optimizer = names.Optimizers(np.zeros(2))

    def error(start: float) -> float:
        return start - len(gradients)

    def gradient(start: float) -> Array:
        gradients.append(start)
        return np.zeros(2)

    trace = optimizer.adam(
        error_f=error,
        gradient_f=gradient,
        fargs=[float(rng.randint(50, 100))],
        n_epochs=12,
        learning_rate=0.1,
        error_convert_f=lambda e: 3 * e + 1,
    )
    return [float(np.squeeze(e)) for e in trace]


# ------------------------------------------------------------------------------- networks
def network(
    names: Names, rng: Rng, n_inputs: int, hidden: list[int], n_outputs: int, **activation: str
) -> Any:
    """Make a network with known weights in [-1, 1)."""
    net = names.NeuralNetwork(n_inputs, hidden, n_outputs, **activation)
    net.all_weights[:] = rng.uniform(-1, 1, net.all_weights.shape)
    return net


def right_relu(names: Names) -> None:
    """Put a right relu and its derivative in place of the notebook's.

    Read off tables of points on their graphs: this text is in the self-check that students get,
    which holds no line of a solution. No weighted sum here is anywhere near the tables' ends.
    """
    names.replace_function(*RELU, of=NETWORK, by=lambda s: np.interp(s, *RELU_POINTS))
    names.replace_function(*GRAD_RELU, of=NETWORK, by=lambda s: np.interp(s, *GRAD_RELU_POINTS))


def right_forward_pass(names: Names) -> None:
    """Put a right forward pass for tanh in place of the notebook's."""

    def forward_pass(self: Any, X: Array) -> Any:
        self.Ys = [X]
        for i, W in enumerate(self.Ws):
            s = self.Ys[-1] @ W[1:] + W[:1]
            self.Ys.append(s if i == len(self.Ws) - 1 else np.tanh(s))
        return self.Ys

    names.NeuralNetwork.forward_pass = forward_pass


# ------------------------------------------------------------------------------- use
def predictions(names: Names, rng: Rng, n_outputs: int) -> dict[str, Any]:
    """Ask `use` for X as it is given, and for what X is if it was standardized already."""
    net = network(names, rng, 3, [4, 2], n_outputs)
    net.Xmeans, net.Xstds = rng.uniform(5, 9, 3), rng.uniform(2, 4, 3)
    net.Tmeans, net.Tstds = rng.uniform(20, 60, n_outputs), rng.uniform(3, 9, n_outputs)
    X = rng.uniform(-2, 2, (7, 3))
    given = X.copy()
    Y = net.use(given)
    return {"Y": Y, "X": given, "Y_if_standardized": net.use(X * net.Xstds + net.Xmeans)}


@probe
def use_one_output(names: Names, rng: Rng) -> object:
    return predictions(names, rng, 1)


@probe
def use_several_outputs(names: Names, rng: Rng) -> object:
    return predictions(names, rng, 3)


@probe
def use_one_output_right_forward(names: Names, rng: Rng) -> object:
    right_forward_pass(names)
    return predictions(names, rng, 1)


@probe
def use_several_outputs_right_forward(names: Names, rng: Rng) -> object:
    right_forward_pass(names)
    return predictions(names, rng, 3)


# ------------------------------------------------------------------------------- relu, swish
def of_sums(function: Callable[[Array], Any], rng: Rng) -> dict[str, Any]:
    """Ask an activation for a matrix of weighted sums, some of them exactly 0."""
    s = rng.normal(0, 2, (6, 4))
    s[rng.randint(0, 6), :2] = 0.0
    s[rng.randint(0, 6), 3] = rng.uniform(7, 9)  # above where some let relu end
    given = s.copy()
    return {"values": function(given), "argument": given, "s": s}


@probe
def relu(names: Names, rng: Rng) -> object:
    return of_sums(names.function(*RELU, of=NETWORK), rng)


@probe
def grad_relu(names: Names, rng: Rng) -> object:
    return of_sums(names.function(*GRAD_RELU, of=NETWORK), rng)


@probe
def swish(names: Names, rng: Rng) -> object:
    return of_sums(names.function(*SWISH, of=NETWORK), rng)


@probe
def grad_swish(names: Names, rng: Rng) -> object:
    return of_sums(names.function(*GRAD_SWISH, of=NETWORK), rng)


def swish_layer(names: Names, rng: Rng) -> dict[str, Any]:
    """The hidden layer's outputs, so that the output layer answers for itself."""
    net = network(names, rng, 2, [5], 1, activation_function="swish")
    X, T = rng.uniform(-1, 1, (9, 2)), rng.uniform(0, 1, (9, 1))
    hidden = np.array(layers(net, X)[1])
    net.train(X, T, 10, 0.01, method="sgd")
    return {"hidden": hidden, "trained": bool(np.all(np.isfinite(net.all_weights)))}


@probe
def swish_network(names: Names, rng: Rng) -> object:
    return swish_layer(names, rng)


@probe
def swish_network_no_gradient(names: Names, rng: Rng) -> object:
    names.NeuralNetwork.gradient_f = lambda self, *_: np.zeros_like(self.all_weights)
    return swish_layer(names, rng)


# ------------------------------------------------------------------------------- relu network
def layers(net: Any, X: Array) -> Any:
    """Run the forward pass; take the layers where it returns or where it keeps them."""
    Ys = net.forward_pass(X)
    return net.Ys if Ys is None else Ys


def gradient(net: Any, X: Array, T: Array) -> Array:
    layers(net, X)
    found = net.gradient_f(X, T)
    return np.array(net.all_gradients if found is None else found)


def relu_output(names: Names, rng: Rng) -> Array:
    net = network(names, rng, 3, [6, 4], 2, activation_function="relu")
    return np.array(layers(net, rng.uniform(-1, 1, (8, 3)))[-1])


def relu_gradient(names: Names, rng: Rng) -> Array:
    net = network(names, rng, 3, [6, 4], 2, activation_function="relu")
    X, T = rng.uniform(-1, 1, (8, 3)), rng.uniform(-1, 1, (8, 2))
    return gradient(net, X, T)


def inactive_gradient(names: Names, rng: Rng) -> Array:
    """Two of four hidden units are inactive for every sample, so no gradient may reach them."""
    net = network(names, rng, 2, [4], 1, activation_function="relu")
    net.all_weights *= 0.3
    net.Ws[0][0, :] = [-1.5, 1.5, -1.5, 1.5]  # |X @ W| < 0.6, so these decide
    X, T = rng.uniform(-1, 1, (8, 2)), rng.uniform(-1, 1, (8, 1))
    return gradient(net, X, T)


def two_steps(names: Names, rng: Rng) -> dict[str, Array]:
    """Forward, gradient, new weights, forward again: nothing may be left of the first step."""
    net = network(names, rng, 3, [5, 4], 1, activation_function="relu")
    X, T = rng.uniform(-1, 1, (8, 3)), rng.uniform(-1, 1, (8, 1))
    given = X.copy()
    gradient(net, given, T)
    net.all_weights[:] = rng.uniform(-1, 1, net.all_weights.shape)
    return {"output": np.array(layers(net, X.copy())[-1]), "X": given}


@probe
def network_forward(names: Names, rng: Rng) -> object:
    return relu_output(names, rng)


@probe
def network_forward_right_relu(names: Names, rng: Rng) -> object:
    right_relu(names)
    return relu_output(names, rng)


@probe
def network_gradient(names: Names, rng: Rng) -> object:
    return relu_gradient(names, rng)


@probe
def network_gradient_right_relu(names: Names, rng: Rng) -> object:
    right_relu(names)
    return relu_gradient(names, rng)


@probe
def network_inactive(names: Names, rng: Rng) -> object:
    return inactive_gradient(names, rng)


@probe
def network_inactive_right_relu(names: Names, rng: Rng) -> object:
    right_relu(names)
    return inactive_gradient(names, rng)


@probe
def network_two_steps(names: Names, rng: Rng) -> object:
    return two_steps(names, rng)


@probe
def network_two_steps_right_relu(names: Names, rng: Rng) -> object:
    right_relu(names)
    return two_steps(names, rng)


# ------------------------------------------------------------------------------- partition
def folds(names: Names, rng: Rng, n: int, n_folds: int, *, random_shuffle: bool) -> dict[str, Any]:
    X = rng.uniform(-1, 1, (n, 3))
    T = 2 * X[:, :1] - X[:, 1:2]  # no product: BLAS rounds it otherwise on another machine
    result = names.partition(X.copy(), T.copy(), n_folds=n_folds, random_shuffle=random_shuffle)
    Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest = result
    six = (Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest)
    return {"X": X, "T": T} | dict(zip(FOLDS, six, strict=True))


@probe
def partition_shuffled(names: Names, rng: Rng) -> object:
    return folds(names, rng, 24, 4, random_shuffle=True)


@probe
def partition_in_order(names: Names, rng: Rng) -> object:
    return folds(names, rng, 20, 4, random_shuffle=False)


@probe
def partition_remainder(names: Names, rng: Rng) -> object:
    n = int(rng.randint(27, 29))  # two or three are left over, so that where they went shows
    return folds(names, rng, n, 5, random_shuffle=True)


# ------------------------------------------------------------------------------- run_experiment
class RecordingNetwork:
    """Stands in for NeuralNetwork: writes down how it is used, and predicts at once."""

    log: list[dict[str, Any]]

    def __init__(
        self,
        n_inputs: int,
        n_hiddens_per_layer: Any,
        n_outputs: int,
        activation_function: str = "tanh",
        **_: Any,
    ) -> None:
        hidden = n_hiddens_per_layer
        hidden = list(hidden) if isinstance(hidden, (list, tuple)) else [hidden]
        self.hidden = [int(n) for n in hidden if n]
        self.n_outputs = n_outputs
        self.activation = str(activation_function)
        self.fresh = True
        self.error_trace = [1.0]

    def train(
        self,
        X: Array,
        T: Array,
        n_epochs: int,
        learning_rate: float = 0.0,
        method: str = "sgd",
        **_: Any,
    ) -> RecordingNetwork:
        self.n_epochs = int(n_epochs)
        self.log.append(
            {
                "epochs": self.n_epochs,
                "hidden": self.hidden,
                "activation": self.activation,
                "fresh": self.fresh,
                "method": str(method),
            }
        )
        self.fresh = False
        return self

    def use(self, X: Array, *_: Any) -> Any:
        size = 1 + self.n_epochs + 3 * sum(self.hidden) + len(self.activation)
        return np.repeat(np.sum(X, axis=1, keepdims=True), self.n_outputs, axis=1) / size


@probe
def experiment(names: Names, rng: Rng) -> object:
    """The grid on stand-ins for partition and NeuralNetwork, which write down what is asked."""
    partitions: list[int] = []
    written: list[dict[str, Any]] = []

    def partition(X: Array, T: Array, n_folds: int = 5, *_: bool, **__: bool) -> tuple[Array, ...]:
        partitions.append(n_folds)
        fold = np.arange(len(X)) % 5
        train, validate, test = fold > 1, fold == 0, fold == 1
        return X[train], T[train], X[validate], T[validate], X[test], T[test]

    class Network(RecordingNetwork):
        log = written

    names.replace(partition=partition, NeuralNetwork=Network)
    X = rng.uniform(0, 4, (35, 2))
    T = np.sum(X**2, axis=1, keepdims=True)
    table = names.run_experiment(X, T, 5, [2, 4], [[0], [3], [5, 2]], ["tanh", "relu"])
    return {"table": table, "log": written, "partitions": len(partitions)}


# ------------------------------------------------------------------------------- survey
# What facts.py reads. Nothing is judged by it, and it runs among the student's own objects, any of
# which may raise from anything: what stumbles is left out.
MOST_NAMES = 3_000
MOST_INSIDE = 200  # parts of a list or dict that are looked at
MOST_TABLES = 8
MOST_ROWS = 20_000
MOST_COLUMNS = 60
FEWEST_CARS = 200  # rows; the handout's own small examples have fewer
INPUT_WORDS = ("input", "feature", "predictor", "attribute")
TARGET_WORDS = ("target", "mpg", "label", "output")


def attempt(ask: Callable[..., Any], *arguments: Any) -> Any:
    """Return what `ask` returns, or None where it raises, whatever it raises."""
    try:
        return ask(*arguments)
    except BaseException:  # noqa: BLE001  a student's object may raise SystemExit from a property
        return None


def short(value: Any) -> str:
    return " ".join(str(value)[:200].split())[:60]


def one_of_pandas(value: Any, name: str) -> bool:
    """Say whether a value is a DataFrame or Series. Not isinstance: that asks the value itself."""
    return issubclass(type(value), getattr(sys.modules.get("pandas"), name, ()))


@probe
def survey(names: Names, rng: Rng) -> object:
    """The data, the inputs and target among them, and the tables of experiments."""
    held = attempt(lambda: list(names.everything().items())[:MOST_NAMES]) or []
    cells = dict(held).get(
        "In", ()
    )  # IPython's list of the cells that were run, after an empty one
    data = [found for name, value in held if (found := attempt(as_data, name, value))]
    return {
        "ran": len(cells) != 1 if type(cells) is list else True,
        "tables": attempt(experiment_tables, held) or [],
        "data": [{key: d[key] for key in ("name", "rows", "columns")} for d in data[:40]],
        "pair": attempt(inputs_and_target, data),
    }


def as_data(name: str, value: Any) -> dict[str, Any] | None:
    """Describe what may hold the cars; None: it does not."""
    frame = one_of_pandas(value, "DataFrame")
    if not frame and not one_of_pandas(value, "Series") and not issubclass(type(value), np.ndarray):
        return None
    rows, columns = (*value.shape, 1)[:2]
    if not FEWEST_CARS <= rows <= MOST_ROWS or columns > MOST_COLUMNS or len(value.shape) > 2:
        return None
    return {
        "name": short(name),
        "rows": int(rows),
        "columns": int(columns),
        "value": value,
        "labels": [short(c) for c in value.columns] if frame else None,
    }


def numbers(data: dict[str, Any], i: int) -> Any:
    """Return column `i` as floats, or None where it holds something else."""
    value = data["value"]
    if data["labels"] is not None:
        value = value.iloc[:, i]
    elif len(value.shape) == 2:
        value = value[:, i]
    return attempt(lambda: np.asarray(value, dtype=np.float64).ravel())


def inputs_and_target(data: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Find what is trained on, X and T or names that say so, and whether T is a column of X."""
    inputs = [d for d in data if called(d["name"], "Xx", INPUT_WORDS)][:40]
    targets = [d for d in data if d["columns"] == 1 and called(d["name"], "TtYy", TARGET_WORDS)]
    pairs = [(x, t) for x in inputs for t in targets[:40] if x["rows"] == t["rows"] and x is not t]
    if not pairs:
        return None
    X, T = max(pairs, key=lambda p: (p[0]["name"] == "X", p[1]["name"] == "T", p[0]["rows"]))
    target = numbers(T, 0)
    same = [i for i in range(X["columns"]) if attempt(in_step, numbers(X, i), target)]
    labels = X["labels"] or [f"column {i + 1}" for i in range(X["columns"])]
    return {
        "inputs": X["name"],
        "target": T["name"],
        "rows": X["rows"],
        "columns": X["columns"],
        "same": [labels[i] for i in same[:5]],
    }


def called(name: str, initials: str, words: tuple[str, ...]) -> bool:
    """Say whether a name is X, x2, X_all or Xcars, or has one of `words`; `year` is no y."""
    first, rest = name[:1], name[1:2]
    by_letter = first in initials and (first in "XT" or not rest.isalpha())
    return by_letter or any(word in name.lower() for word in words)


def in_step(a: Array, b: Array) -> bool:
    """Say whether a is b, or b standardized."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if len(a) < FEWEST_CARS // 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return False
    return bool(abs(np.corrcoef(a, b)[0, 1]) > 1 - 1e-9)


def experiment_tables(held: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Return the data frames with errors of training, validation and test, the longest first."""
    inner = [pair for name, value in held for pair in attempt(inside, name, value) or ()]
    frames: dict[int, tuple[str, Any]] = {}
    for name, value in [*held, *inner]:
        if one_of_pandas(value, "DataFrame") and attempt(error_columns, value):
            frames.setdefault(id(value), (name, value))
    longest = sorted(frames.values(), key=lambda found: -len(found[1]))[:MOST_TABLES]
    return [t for name, frame in longest if (t := attempt(as_table, name, frame))]


def inside(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the parts of a list or dict; IPython's Out has the results that got no name."""
    if type(value) is dict:
        return [(f"{name}[{short(key)}]", part) for key, part in list(value.items())[:MOST_INSIDE]]
    if type(value) in (list, tuple):
        return [(f"{name}[{i}]", part) for i, part in enumerate(value[:MOST_INSIDE])]
    return []


def as_table(name: str, frame: Any) -> dict[str, Any] | None:
    """Describe a table of experiments."""
    labels, chosen = error_columns(frame)
    frame = frame.iloc[:MOST_ROWS]
    errors = np.column_stack(
        [np.asarray(frame.iloc[:, i].to_numpy(), dtype=np.float64) for i in chosen]
    )
    whole = np.flatnonzero(np.isfinite(errors).all(axis=1))
    best = int(whole[np.argmin(errors[whole, 1])]) if len(whole) else None
    others = [i for i in range(len(labels)) if i not in chosen][:10]
    settings = {labels[i]: [attempt(short, v) for v in frame.iloc[:2_000, i]] for i in others}
    if frame.index.dtype == object:
        settings["index"] = [attempt(short, v) for v in frame.index[:2_000]]
    return {
        "name": short(name),
        "rows": len(errors),
        "incomplete": len(errors) - len(whole),
        "settings": {
            label: list(dict.fromkeys(v for v in values if v is not None))[:40]
            for label, values in settings.items()
        },
        "best": None
        if best is None
        else {
            "setting": {labels[i]: attempt(short, frame.iloc[best, i]) or "?" for i in others},
            "errors": errors[best],
        },
    }


def error_columns(frame: Any) -> tuple[list[str], list[int]]:
    """Return all labels, and where the three errors are; raise where they are not there."""
    labels = [short(column) for column in frame.columns[:MOST_COLUMNS]]
    plain = [label.lower().replace("_", "").replace(" ", "") for label in labels]
    chosen = []
    for part in ("train", "val", "test"):
        fitting = [i for i, label in enumerate(plain) if part in label]
        chosen.append(next((i for i in fitting if "rmse" in plain[i]), fitting[0]))
    return labels, chosen
