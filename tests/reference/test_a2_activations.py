"""Activation functions against second formulas, central differences and known traps."""

from collections.abc import Callable

import numpy as np
import pytest

from reference.a2.activations import (
    grad_relu,
    grad_swish,
    grad_tanh,
    relu,
    sigmoid,
    swish,
    tanh,
)
from reference.a2.arrays import Floats

Activation = Callable[[Floats], Floats]

EVERY_FUNCTION = [tanh, grad_tanh, relu, grad_relu, sigmoid, swish, grad_swish]
PAIRS = [
    pytest.param(tanh, grad_tanh, id="tanh"),
    pytest.param(relu, grad_relu, id="relu"),
    pytest.param(swish, grad_swish, id="swish"),
]
# No weighted sum within 1e-6 of 0, where relu has no derivative.
SUMS = np.linspace(-6, 6, 40).reshape(8, 5)


def sigmoid_by_tanh(s: Floats) -> Floats:
    """A second formula for the sigmoid: half a tanh, shifted up."""
    return (1 + np.tanh(s / 2)) / 2


@pytest.mark.parametrize("f", EVERY_FUNCTION)
def test_the_argument_is_left_untouched(f: Activation) -> None:
    s = np.array([[-2.0, -0.5, 0.0], [0.5, 2.0, -1e3]])
    before = s.copy()
    f(s)
    np.testing.assert_array_equal(before, s)


@pytest.mark.parametrize("f", EVERY_FUNCTION)
def test_the_result_is_a_new_matrix_of_the_same_shape(f: Activation) -> None:
    positive = np.full((4, 3), 2.0)  # where relu could hand back its argument
    result = f(positive)
    assert positive.shape == result.shape
    assert not np.shares_memory(positive, result)


@pytest.mark.parametrize(("f", "grad_f"), PAIRS)
def test_derivatives_agree_with_central_differences(f: Activation, grad_f: Activation) -> None:
    h = 1e-6
    expected = (f(SUMS + h) - f(SUMS - h)) / (2 * h)
    np.testing.assert_allclose(grad_f(SUMS), expected, rtol=0, atol=1e-9)


def test_relu_on_both_sides_of_zero() -> None:
    np.testing.assert_array_equal([[0.0, 0.0, 3.0]], relu(np.array([[-2.0, 0.0, 3.0]])))


def test_grad_relu_is_zero_at_exactly_zero() -> None:
    np.testing.assert_array_equal([[0.0, 0.0, 1.0]], grad_relu(np.array([[-2.0, 0.0, 3.0]])))


def test_grad_relu_is_the_same_from_outputs_as_from_sums() -> None:
    """Handing grad_relu the layer's output must not open the inactive units."""
    np.testing.assert_array_equal(grad_relu(SUMS), grad_relu(relu(SUMS)))


def test_sigmoid_agrees_with_its_tanh_formula() -> None:
    np.testing.assert_allclose(sigmoid(SUMS), sigmoid_by_tanh(SUMS), rtol=1e-13)


def test_swish_agrees_with_its_tanh_formula() -> None:
    np.testing.assert_allclose(swish(SUMS), SUMS * sigmoid_by_tanh(SUMS), rtol=1e-13)


def test_grad_swish_agrees_with_the_formula_of_the_paper() -> None:
    """Ramachandran et al.: f'(s) = f(s) + sigmoid(s) (1 - f(s)), in terms of the output."""
    f, sigma = SUMS * sigmoid_by_tanh(SUMS), sigmoid_by_tanh(SUMS)
    np.testing.assert_allclose(grad_swish(SUMS), f + sigma * (1 - f), rtol=0, atol=1e-14)


@pytest.mark.parametrize("f", EVERY_FUNCTION)
def test_huge_sums_neither_overflow_nor_give_nan(f: Activation) -> None:
    """Numpy's warnings are errors here, so an overflow would raise."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(f(np.array([[-1e300, -750.0, 750.0, 1e300]]))).all()


def test_swish_is_linear_far_right_and_zero_far_left() -> None:
    far = np.array([[-800.0, 800.0]])
    np.testing.assert_array_equal([[0.0, 800.0]], swish(far))
    np.testing.assert_array_equal([[0.0, 1.0]], grad_swish(far))
