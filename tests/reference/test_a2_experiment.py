"""run_experiment: with stand-ins for its parts, and for real against the same loops by hand."""

from typing import Any, ClassVar, Self

import numpy as np
import pytest

from reference.a2 import NeuralNetwork, experiment, partition, run_experiment
from reference.a2.arrays import Floats

# Seeds numpy's legacy generator, the one that the network and the partition draw from.
# ruff: noqa: NPY002

COLUMNS = ["epochs", "nh", "lr", "act func", "RMSE Train", "RMSE Val", "RMSE Test"]


class RecordingNetwork:
    """Stands in for NeuralNetwork: keeps its calls, and predicts 0 for everything."""

    calls: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, *args: Any) -> None:
        self.calls.append(("made", *args))

    def train(self, X: Floats, T: Floats, *args: Any, **options: Any) -> Self:
        self.calls.append(("trained", X.tolist(), T.tolist(), *args, options))
        return self

    def use(self, X: Floats) -> Floats:
        self.calls.append(("used", X.tolist()))
        return np.zeros((X.shape[0], 1))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    monkeypatch.setattr(RecordingNetwork, "calls", [])
    monkeypatch.setattr(experiment, "NeuralNetwork", RecordingNetwork)
    return RecordingNetwork.calls


def samples() -> tuple[Floats, Floats]:
    X = np.linspace(-2, 2, 24).reshape(12, 2)
    return X, X[:, :1] ** 2 + X[:, 1:]


def test_one_row_a_setting_with_the_last_choice_changing_fastest(calls: list[Any]) -> None:
    df = run_experiment(*samples(), 4, [10, 20], [[0], [3, 3]], ["tanh", "relu"])

    assert COLUMNS == df.columns.tolist()
    assert list(range(8)) == df.index.tolist()
    assert [
        [10, [0], "tanh"],
        [10, [0], "relu"],
        [10, [3, 3], "tanh"],
        [10, [3, 3], "relu"],
        [20, [0], "tanh"],
        [20, [0], "relu"],
        [20, [3, 3], "tanh"],
        [20, [3, 3], "relu"],
    ] == df[["epochs", "nh", "act func"]].to_numpy().tolist()
    assert [0.01] * 8 == df["lr"].tolist()
    assert 8 == sum("made" == call[0] for call in calls)


def test_each_network_is_made_trained_and_used_on_the_partition(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part goes to its own column, and only the training part to train."""

    def stand_in(*args: Any) -> tuple[Floats, ...]:
        calls.append(("partitioned", args[2:]))
        ones = np.ones((2, 1))
        return 1 * ones, 10 * ones, 2 * ones, 20 * ones, 3 * ones, 30 * ones

    monkeypatch.setattr(experiment, "partition", stand_in)
    df = run_experiment(*samples(), 4, [50], [[2]], ["relu", "swish"])

    for_each: list[tuple[Any, ...]] = [
        ("trained", [[1.0]] * 2, [[10.0]] * 2, 50, 0.01, {"method": "adam"}),
        ("used", [[1.0]] * 2),
        ("used", [[2.0]] * 2),
        ("used", [[3.0]] * 2),
    ]
    assert [
        ("partitioned", (4,)),
        ("made", 1, [2], 1, "relu"),
        *for_each,
        ("made", 1, [2], 1, "swish"),
        *for_each,
    ] == calls
    assert [[10.0, 20.0, 30.0]] * 2 == df[COLUMNS[4:]].to_numpy().tolist()


def test_rmse_is_the_root_of_the_mean_over_samples_and_outputs() -> None:
    Y, T = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 5.0], [7.0, 4.0]])
    assert 2.5 == experiment.rmse(Y, T)  # √((0 + 9 + 16 + 0) / 4)


def test_a_real_run_agrees_with_the_same_loops_by_hand() -> None:
    X, T = samples()
    np.random.seed(42)
    df = run_experiment(X, T, 4, [5, 40], [[0], [4]], ["tanh", "relu", "swish"])

    np.random.seed(42)
    parts = partition(X, T, 4)
    Xtrain, Ttrain = parts[:2]
    expected = []
    for epochs, nh, act in df[["epochs", "nh", "act func"]].to_numpy().tolist():
        network = NeuralNetwork(2, nh, 1, act).train(Xtrain, Ttrain, epochs, 0.01, "adam")
        expected.append(
            [
                np.linalg.norm(network.use(some_X) - some_T) / np.sqrt(some_T.size)
                for some_X, some_T in zip(parts[::2], parts[1::2], strict=True)
            ]
        )
    np.testing.assert_allclose(df[COLUMNS[4:]].to_numpy(), expected, rtol=1e-12)


def test_the_same_seed_gives_the_same_table() -> None:
    tables = []
    for _ in range(2):
        np.random.seed(3)
        tables.append(run_experiment(*samples(), 3, [10], [[], [3]], ["relu"]))
    assert tables[0].equals(tables[1])


def test_rmse_is_in_target_units() -> None:
    """Targets a thousand times as large have errors a thousand times as large."""
    X, T = samples()
    errors = []
    for unit in (1, 1000):
        np.random.seed(5)
        df = run_experiment(X, T * unit, 3, [20], [[3]], ["tanh"])
        errors.append(df[COLUMNS[4:]].to_numpy())
    np.testing.assert_allclose(errors[1], 1000 * errors[0], rtol=1e-8)
