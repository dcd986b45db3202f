"""Back-propagation against central differences and against another library's differentiation.

The assignment's gradient_f leaves out the factor 2 of the squared error's derivative, and error_f
is the whole mean squared error. So twice gradient_f is the gradient of error_f.
"""

from collections.abc import Sequence
from itertools import pairwise

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from reference.a2 import NeuralNetwork
from reference.a2.arrays import Floats

EVERY_NETWORK = [
    pytest.param(act, layers, n_outputs, id=f"{act}-{layers}-{n_outputs}")
    for act in ("tanh", "relu", "swish")
    for layers in ([], [4], [4, 3], [5, 2, 4])
    for n_outputs in (1, 3)
]


def random_network(
    act: str, layers: Sequence[int], n_outputs: int
) -> tuple[NeuralNetwork, Floats, Floats]:
    """A network with weights of both signs, so that relu has inactive units; and data for it."""
    rng = np.random.default_rng(11)
    network = NeuralNetwork(2, layers, n_outputs, act)
    network.all_weights[:] = rng.normal(size=network.all_weights.shape)
    return network, rng.normal(size=(7, 2)), rng.normal(size=(7, n_outputs))


def backpropagated(network: NeuralNetwork, X: Floats, T: Floats) -> Floats:
    network.forward_pass(X)
    return network.gradient_f(X, T)


@pytest.mark.parametrize(("act", "layers", "n_outputs"), EVERY_NETWORK)
def test_backprop_agrees_with_central_differences(
    act: str, layers: list[int], n_outputs: int
) -> None:
    network, X, T = random_network(act, layers, n_outputs)
    h = 1e-6
    numeric = np.zeros_like(network.all_weights)
    for i, weight in enumerate(network.all_weights.copy()):
        network.all_weights[i] = weight + h
        above = network.error_f(X, T)
        network.all_weights[i] = weight - h
        below = network.error_f(X, T)
        network.all_weights[i] = weight
        numeric[i] = (above - below) / (2 * h)

    np.testing.assert_allclose(2 * backpropagated(network, X, T), numeric, rtol=1e-6, atol=1e-8)


def error_in_autograd(
    all_weights: Floats, act: str, units: Sequence[int], X: Floats, T: Floats
) -> Floats:
    """The mean squared error, written again for autograd: a column of ones carries the bias."""
    f = {
        "tanh": anp.tanh,
        "relu": lambda s: anp.where(s > 0, s, 0.0),
        "swish": lambda s: s / (1 + anp.exp(-s)),
    }[act]
    ones = anp.ones((X.shape[0], 1))
    Y, first = X, 0
    for layer, (n_in, n_out) in enumerate(pairwise(units)):
        last = first + (n_in + 1) * n_out
        W = anp.reshape(all_weights[first:last], (n_in + 1, n_out))
        S = anp.dot(anp.concatenate([ones, Y], axis=1), W)
        Y = S if layer == len(units) - 2 else f(S)
        first = last
    error: Floats = anp.sum((Y - T) ** 2) / T.size
    return error


@pytest.mark.parametrize(("act", "layers", "n_outputs"), EVERY_NETWORK)
def test_backprop_agrees_with_autograd(act: str, layers: list[int], n_outputs: int) -> None:
    network, X, T = random_network(act, layers, n_outputs)
    units = [2, *layers, n_outputs]
    expected = autograd.grad(error_in_autograd)(network.all_weights, act, units, X, T)
    np.testing.assert_allclose(2 * backpropagated(network, X, T), expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(
        network.error_f(X, T), error_in_autograd(network.all_weights, act, units, X, T), rtol=1e-13
    )


def test_relu_networks_of_these_tests_have_inactive_units() -> None:
    """Or else they would not tell a right grad_relu from one that is always 1."""
    network, X, _ = random_network("relu", [5, 2, 4], 1)
    network.forward_pass(X)
    assert all(0 < np.mean(Y == 0) < 1 for Y in network.Ys[1:-1])


def test_inactive_units_let_no_gradient_through() -> None:
    network, X, T = random_network("relu", [3], 1)
    network.Ws[0][0] = -100.0
    backpropagated(network, X, T)
    np.testing.assert_array_equal(np.zeros((3, 3)), network.dE_dWs[0])


def test_the_gradient_is_filled_in_place() -> None:
    network, X, T = random_network("tanh", [3], 2)
    first = backpropagated(network, X, T)
    assert first is network.all_gradients
    assert first is backpropagated(network, X, 2 * T)


def test_computing_the_gradient_changes_no_weight() -> None:
    network, X, T = random_network("swish", [3, 3], 2)
    before = network.all_weights.copy()
    backpropagated(network, X, T)
    np.testing.assert_array_equal(before, network.all_weights)


def test_the_gradient_leaves_out_the_factor_2() -> None:
    """By hand: with weights 0 and target 1, the bias's derivative is -(1 - 0), not -2(1 - 0)."""
    network = NeuralNetwork(1, [], 1)
    network.all_weights[:] = 0
    np.testing.assert_array_equal(
        [-1.0, -3.0], backpropagated(network, np.array([[3.0]]), np.array([[1.0]]))
    )
