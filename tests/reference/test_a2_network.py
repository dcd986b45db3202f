"""The network's contract: weights and views, standardization, training and use."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from reference.a2 import NeuralNetwork
from reference.a2.arrays import Floats

# The published and seeded values were made with numpy's legacy generator.
# ruff: noqa: NPY002

ACTIVATION_FUNCTIONS = ["tanh", "relu", "swish"]


def samples(n: int = 30) -> tuple[Floats, Floats]:
    """Two inputs and two targets on scales of their own."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, 2)) * [10, 0.1] + [-100, 3]
    T = np.column_stack([np.sin(X[:, 0]) + X[:, 1], 50 * X[:, 1]])
    return X, T


def seeded_network(
    n_inputs: int, layers: list[int] | int, n_outputs: int, *, act: str = "tanh", seed: int = 0
) -> NeuralNetwork:
    np.random.seed(seed)
    return NeuralNetwork(n_inputs, layers, n_outputs, act)


def test_each_layer_has_a_row_for_the_bias() -> None:
    network = NeuralNetwork(2, [10, 5], 3)
    assert [(3, 10), (11, 5), (6, 3)] == [W.shape for W in network.Ws]
    assert [(3, 10), (11, 5), (6, 3)] == [dE_dW.shape for dE_dW in network.dE_dWs]
    assert (3 * 10 + 11 * 5 + 6 * 3,) == network.all_weights.shape == network.all_gradients.shape


def test_weights_and_gradients_are_views_into_their_vectors() -> None:
    network = NeuralNetwork(2, [4, 3], 1)
    network.all_weights[:] = np.arange(network.all_weights.size)
    network.all_gradients[:] = -np.arange(network.all_gradients.size)
    np.testing.assert_array_equal(network.all_weights, np.concatenate([*map(np.ravel, network.Ws)]))
    np.testing.assert_array_equal(
        network.all_gradients, np.concatenate([*map(np.ravel, network.dE_dWs)])
    )


def test_constructing_draws_from_the_generator_twice() -> None:
    """Layer by layer for the weights, and once more for the gradients."""
    network = seeded_network(2, [4], 3, seed=42)
    after = np.random.uniform()

    np.random.seed(42)
    for vector in (network.all_weights, network.all_gradients):
        hidden = np.random.uniform(size=(3, 4)) / np.sqrt(3)
        output = np.random.uniform(size=(5, 3)) / np.sqrt(5)
        np.testing.assert_array_equal(np.concatenate([hidden.ravel(), output.ravel()]), vector)
    assert np.random.uniform() == after


@pytest.mark.parametrize("nothing", [0, [], [0]])
def test_no_hidden_layer_has_three_spellings(nothing: list[int] | int) -> None:
    network = seeded_network(2, nothing, 1)
    assert [] == network.n_hiddens_per_layer
    assert [(3, 1)] == [W.shape for W in network.Ws]
    np.testing.assert_array_equal(seeded_network(2, [], 1).all_weights, network.all_weights)


def test_the_list_of_layers_is_not_shared_with_the_caller() -> None:
    layers = [3, 2]
    network = NeuralNetwork(1, layers, 1)
    layers.append(7)
    assert [3, 2] == network.n_hiddens_per_layer


def test_an_unknown_activation_function_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^There is no activation function called 'relo'; .*\.$"):
        NeuralNetwork(1, [2], 1, activation_function="relo")


def test_an_unknown_method_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"^There is no method called 'adams'; .*\.$"):
        NeuralNetwork(2, [2], 2).train(*samples(), 1, 0.1, method="adams")


@pytest.mark.parametrize("act", ACTIVATION_FUNCTIONS)
def test_forward_pass_agrees_with_a_loop_over_single_units(act: str) -> None:
    """A second formula: one sample and one unit at a time, with the bias as a constant input 1."""
    scalar_functions: dict[str, Callable[[float], float]] = {
        "tanh": math.tanh,
        "relu": lambda s: s if s > 0 else 0.0,
        "swish": lambda s: s * (1 + math.tanh(s / 2)) / 2,
    }
    f = scalar_functions[act]
    network = seeded_network(2, [4, 3], 2, act=act)
    X = np.random.default_rng(3).normal(size=(5, 2))

    Ys = network.forward_pass(X)

    assert Ys is network.Ys
    assert [(5, 2), (5, 4), (5, 3), (5, 2)] == [Y.shape for Y in Ys]
    for n, x in enumerate(X.tolist()):
        y = x
        for layer, W in enumerate(network.Ws):
            sums = [float(np.dot([1.0, *y], W[:, unit])) for unit in range(W.shape[1])]
            y = sums if layer == len(network.Ws) - 1 else [f(s) for s in sums]
            np.testing.assert_allclose(Ys[layer + 1][n], y, rtol=1e-12)


def test_the_weighted_sums_of_hidden_layers_are_kept() -> None:
    network = seeded_network(2, [4, 3], 1, act="swish")
    network.forward_pass(samples()[0])
    assert 2 == len(network.Ss)
    for S, Y in zip(network.Ss, network.Ys[1:-1], strict=True):
        np.testing.assert_array_equal(network.swish(S), Y)


def test_error_is_the_mean_over_samples_and_outputs() -> None:
    network = seeded_network(1, [], 2)
    network.all_weights[:] = 0
    T = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert (1 + 4 + 9 + 16) / 4 == network.error_f(np.zeros((2, 1)), T)


@pytest.mark.parametrize("act", ["relu", "swish"])
def test_a_subclass_can_replace_an_activation_function(act: str) -> None:
    """With the identity in its place and 1 for its derivative, any network is linear."""

    class Linear(NeuralNetwork):
        def relu(self, s: Floats) -> Floats:
            return s

        def grad_relu(self, s: Floats) -> Floats:
            return np.ones_like(s)

        swish, grad_swish = relu, grad_relu

    network = Linear(2, [3], 1, act)
    X, T = np.ones((1, 2)), np.zeros((1, 1))
    hidden, output = network.Ws
    expected = np.ones((1, 4))
    expected[0, 1:] = np.ones((1, 3)) @ hidden
    np.testing.assert_allclose(network.forward_pass(X)[-1], expected @ output, rtol=1e-14)

    network.gradient_f(X, T)
    np.testing.assert_allclose(
        network.dE_dWs[0], np.ones((3, 1)) * (expected @ output) * output[1:].T, rtol=1e-14
    )


def test_train_returns_the_network_and_keeps_its_trace() -> None:
    network = seeded_network(2, [3], 2)
    assert network is network.train(*samples(), 15, 0.01)
    assert 15 == len(network.error_trace)


def test_train_leaves_its_data_untouched() -> None:
    X, T = samples()
    seeded_network(2, [3], 2).train(X, T, 5, 0.01, method="adam").use(X)
    np.testing.assert_array_equal(samples()[0], X)
    np.testing.assert_array_equal(samples()[1], T)


def test_standardization_is_by_column() -> None:
    X, T = samples()
    network = seeded_network(2, [3], 2).train(X, T, 0, 0.01)
    np.testing.assert_allclose([np.mean(c) for c in X.T], network.Xmeans, rtol=1e-12)
    np.testing.assert_allclose([np.std(c) for c in X.T], network.Xstds, rtol=1e-12)
    np.testing.assert_allclose([np.mean(c) for c in T.T], network.Tmeans, rtol=1e-12)
    np.testing.assert_allclose([np.std(c) for c in T.T], network.Tstds, rtol=1e-12)


def test_standardization_is_set_by_the_first_call_only() -> None:
    X, T = samples()
    network = seeded_network(2, [3], 2).train(X, T, 1, 0.01)
    before = [network.Xmeans, network.Xstds, network.Tmeans, network.Tstds]
    network.train(X * 2 + 1, T * 3 + 1, 1, 0.01)
    after = [network.Xmeans, network.Xstds, network.Tmeans, network.Tstds]
    np.testing.assert_array_equal(before, after)


def test_training_on_constant_columns_stays_finite() -> None:
    """A constant column has no spread to divide by, so its standard deviation counts as 1."""
    X, T = samples()
    X[:, 1], T[:, 0] = 4.0, 8.0
    network = seeded_network(2, [3], 2, act="relu").train(X, T, 20, 0.01, method="adam")
    assert 1.0 == network.Xstds[1] == network.Tstds[0]
    assert np.isfinite(network.use(X)).all()


@pytest.mark.parametrize("method", ["sgd", "adam"])
@pytest.mark.parametrize("act", ACTIVATION_FUNCTIONS)
def test_the_trace_starts_at_the_rmse_of_the_untrained_network(act: str, method: str) -> None:
    """The trace, in target units, agrees with what `use` gives before the first step."""
    X, T = samples()
    T = T[:, 1:]
    network = seeded_network(2, [3], 1, act=act).train(X, T, 0, 0.01)
    expected = np.sqrt(np.mean((network.use(X) - T) ** 2))
    network.train(X, T, 1, 0.01, method=method)
    np.testing.assert_allclose(network.error_trace, [expected], rtol=1e-12)


def test_with_several_outputs_the_trace_is_in_units_of_the_first() -> None:
    X, T = samples()
    network = seeded_network(2, [3], 2).train(X, T, 0, 0.01)
    standardized = (network.use(X) - T) / T.std(axis=0)
    network.train(X, T, 1, 0.01)
    expected = np.sqrt(np.mean(standardized**2)) * T[:, 0].std()
    np.testing.assert_allclose(network.error_trace, [expected], rtol=1e-12)


def test_use_standardizes_inputs_and_unstandardizes_outputs() -> None:
    X, T = samples()
    network = seeded_network(2, [4], 2).train(X, T, 20, 0.05, method="adam")
    Y = network.use(X)
    expected = network.forward_pass((X - X.mean(axis=0)) / X.std(axis=0))[-1]
    np.testing.assert_allclose((Y - T.mean(axis=0)) / T.std(axis=0), expected, rtol=0, atol=1e-10)


def test_use_before_training_is_the_bare_network() -> None:
    X, _ = samples()
    network = seeded_network(2, [4], 2)
    np.testing.assert_array_equal(network.forward_pass(X)[-1], network.use(X))


@pytest.mark.parametrize("act", ACTIVATION_FUNCTIONS)
def test_units_of_the_data_do_not_matter(act: str) -> None:
    """Trained on grams or kilograms, the same network predicts the same thing in its unit."""
    X, T = samples()
    expected = seeded_network(2, [5], 2, act=act).train(X, T, 50, 0.01, method="adam").use(X)

    scaled = seeded_network(2, [5], 2, act=act)
    scaled.train(X * 1000 - 7, T / 64 + 3, 50, 0.01, method="adam")

    np.testing.assert_allclose((scaled.use(X * 1000 - 7) - 3) * 64, expected, rtol=1e-7)


def test_a_network_without_hidden_layers_finds_the_least_squares_line() -> None:
    """A second derivation: the closed form that a linear model has."""
    X, T = samples()
    ones = np.ones((X.shape[0], 1))
    weights = np.linalg.lstsq(np.hstack([ones, X]), T, rcond=None)[0]
    network = seeded_network(2, [0], 2).train(X, T, 500, 0.5)
    np.testing.assert_allclose(network.use(X), np.hstack([ones, X]) @ weights, rtol=1e-6)


@pytest.mark.parametrize("act", ACTIVATION_FUNCTIONS)
def test_adam_goes_far_below_sgd_on_the_published_sine(act: str) -> None:
    X = np.arange(100.0).reshape(-1, 1)
    T = np.sin(0.04 * X)
    errors = {}
    for method in ("sgd", "adam"):
        network = seeded_network(1, [10, 10], 1, seed=42, act=act)
        network.train(X, T, 2000, 0.01, method=method)
        errors[method] = float(np.sqrt(np.mean((network.use(X) - T) ** 2)))
    assert errors["adam"] < errors["sgd"] / 5
    assert errors["adam"] < 0.05


def test_training_says_nothing_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    network = seeded_network(2, [3], 2).train(*samples(), 100, 0.01)
    assert "" == capsys.readouterr().out
    network.train(*samples(), 100, 0.01, method="adam", verbose=True)
    assert 10 == len(capsys.readouterr().out.splitlines())
