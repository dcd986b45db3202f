"""SGD and Adam against the published values and against formulas that keep no running state."""

import math
from typing import Any

import numpy as np
import pytest

from reference.a2 import Optimizers
from reference.a2.arrays import Floats
from reference.a2.optimizers import Error

METHODS = ["sgd", "adam"]


def parabola(w: Floats, lowest: float) -> float:
    return float(((w - lowest) ** 2)[0])


def parabola_gradient(w: Floats, lowest: float) -> Floats:
    return 2 * (w - lowest)


def minimize_parabola(method: str, **options: Any) -> tuple[Floats, list[Error]]:
    w = np.array([0.0])
    options = {"n_epochs": 100, "learning_rate": 0.1} | options
    trace = getattr(Optimizers(w), method)(parabola, parabola_gradient, fargs=[w, 5.0], **options)
    return w, trace


class Bowl:
    """An uneven quadratic in three weights, which keeps every gradient it gave."""

    def __init__(self) -> None:
        self.w = np.array([3.0, -2.0, 0.5])
        self.curvature = np.array([1.0, 10.0, 0.01])
        self.gradients: list[Floats] = []

    def error(self) -> float:
        return float(np.sum(self.curvature * self.w**2) / 2)

    def gradient(self) -> Floats:
        self.gradients.append(self.curvature * self.w)
        return self.gradients[-1]


def test_sgd_ends_at_the_published_value() -> None:
    w, _ = minimize_parabola("sgd")
    np.testing.assert_allclose(w, [5.0], rtol=0, atol=0.5e-8)


def test_adam_ends_at_the_published_value() -> None:
    w, _ = minimize_parabola("adam")
    np.testing.assert_allclose(w, [5.03900403], rtol=0, atol=1e-8)


def test_sgd_on_a_parabola_is_a_geometric_series() -> None:
    """Each step keeps 1 - 2 · 0.1 of the distance to the lowest point: a closed form."""
    w, trace = minimize_parabola("sgd", n_epochs=7)
    np.testing.assert_allclose(w, [5 - 5 * 0.8**7], rtol=1e-14)
    np.testing.assert_allclose(trace, [(5 * 0.8**t) ** 2 for t in range(7)], rtol=1e-13)


def test_adam_agrees_with_algorithm_1_in_plain_numbers() -> None:
    """Kingma and Ba's loop over t with βᵗ as a power, one weight at a time, without numpy."""
    bowl = Bowl()
    expected = bowl.w.tolist()
    for i, curvature in enumerate(bowl.curvature.tolist()):
        m = v = 0.0
        for t in range(1, 51):
            g = curvature * expected[i]
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            expected[i] -= 0.05 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)

    Optimizers(bowl.w).adam(bowl.error, bowl.gradient, n_epochs=50, learning_rate=0.05)

    np.testing.assert_allclose(bowl.w, expected, rtol=1e-11)


def test_adam_steps_by_weighted_means_of_all_gradients_so_far() -> None:
    """Unrolled, m̂ and v̂ are averages in which a gradient k steps old weighs βᵏ."""
    bowl = Bowl()
    optimizer = Optimizers(bowl.w)
    for t in range(20):
        before = bowl.w.copy()
        optimizer.adam(bowl.error, bowl.gradient, n_epochs=1, learning_rate=0.05)
        age = np.arange(t, -1, -1)
        mean = np.average(bowl.gradients, axis=0, weights=0.9**age)
        mean_square = np.average(np.square(bowl.gradients), axis=0, weights=0.999**age)
        expected = -0.05 * mean / (np.sqrt(mean_square) + 1e-8)
        np.testing.assert_allclose(bowl.w - before, expected, rtol=1e-9)


def test_epsilon_stands_outside_the_square_root() -> None:
    """With a gradient as small as epsilon the first step is 1/2; inside, it would be 1/10,000."""
    w = np.array([0.0])
    Optimizers(w).adam(lambda: 0.0, lambda: np.array([1e-8]), n_epochs=1, learning_rate=1.0)
    np.testing.assert_allclose(w, [-0.5], rtol=1e-6)


def test_a_zero_gradient_moves_nothing() -> None:
    w = np.array([1.5, -2.0])
    Optimizers(w).adam(lambda: 0.0, lambda: np.zeros(2), n_epochs=3, learning_rate=1.0)
    np.testing.assert_array_equal([1.5, -2.0], w)


def test_adam_over_two_calls_is_one_long_call() -> None:
    once, twice = Bowl(), Bowl()
    expected = Optimizers(once.w).adam(once.error, once.gradient, n_epochs=50, learning_rate=0.1)

    optimizer = Optimizers(twice.w)
    trace = optimizer.adam(twice.error, twice.gradient, n_epochs=20, learning_rate=0.1)
    trace += optimizer.adam(twice.error, twice.gradient, n_epochs=30, learning_rate=0.1)

    np.testing.assert_array_equal(once.w, twice.w)
    assert expected == trace


def test_the_state_of_adam_starts_in_the_constructor() -> None:
    optimizer = Optimizers(np.array([1.0, 2.0]))
    np.testing.assert_array_equal([0.0, 0.0], optimizer.mt)
    np.testing.assert_array_equal([0.0, 0.0], optimizer.vt)
    state = (optimizer.beta1, optimizer.beta2, optimizer.beta1t, optimizer.beta2t)
    assert (0.9, 0.999, 1, 1) == state


def test_the_state_of_adam_follows_the_steps() -> None:
    bowl = Bowl()
    optimizer = Optimizers(bowl.w)
    optimizer.adam(bowl.error, bowl.gradient, n_epochs=3)
    assert pytest.approx((0.9**3, 0.999**3), rel=1e-14) == (optimizer.beta1t, optimizer.beta2t)


def test_a_reused_gradient_buffer_does_no_harm() -> None:
    """A network gives back the same array at each call, so Adam may not keep a reference to it."""
    fresh, w = Bowl(), Bowl().w
    buffer = np.empty(3)

    def refill() -> Floats:
        buffer[:] = fresh.curvature * w
        return buffer

    Optimizers(fresh.w).adam(fresh.error, fresh.gradient, n_epochs=10, learning_rate=0.1)
    Optimizers(w).adam(lambda: 0.0, refill, n_epochs=10, learning_rate=0.1)
    np.testing.assert_array_equal(fresh.w, w)


@pytest.mark.parametrize("method", METHODS)
def test_weights_change_in_place(method: str) -> None:
    """A view into the weights sees every step."""
    w = np.array([0.0, 0.0])
    view, optimizer = w[1:], Optimizers(w)
    getattr(optimizer, method)(lambda: 0.0, lambda: np.array([0.0, 1.0]), n_epochs=1)
    assert w is optimizer.all_weights
    assert view[0] < 0


@pytest.mark.parametrize("method", METHODS)
def test_each_epoch_takes_the_error_and_then_the_gradient(method: str) -> None:
    calls: list[tuple[str, float]] = []
    w = np.array([0.0])

    def error(label: str) -> float:
        calls.append((f"error {label}", w[0]))
        return 0.0

    def gradient(label: str) -> Floats:
        calls.append((f"gradient {label}", w[0]))
        return np.array([1.0])

    getattr(Optimizers(w), method)(error, gradient, fargs=["f"], n_epochs=2, learning_rate=1.0)

    assert ["error f", "gradient f"] * 2 == [name for name, _ in calls]
    assert pytest.approx([0, 0, -1, -1], abs=1e-7) == [weight for _, weight in calls]


@pytest.mark.parametrize("method", METHODS)
def test_the_trace_is_the_error_before_each_step(method: str) -> None:
    _, trace = minimize_parabola(method, n_epochs=12)
    assert 12 == len(trace)
    assert 25.0 == trace[0]


@pytest.mark.parametrize("method", METHODS)
def test_the_trace_is_converted(method: str) -> None:
    _, squares = minimize_parabola(method)
    _, roots = minimize_parabola(method, error_convert_f=np.sqrt)
    np.testing.assert_allclose(roots, np.sqrt(squares), rtol=1e-15)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_printed_unless_asked(method: str, capsys: pytest.CaptureFixture[str]) -> None:
    minimize_parabola(method)
    assert "" == capsys.readouterr().out


@pytest.mark.parametrize(("n_epochs", "lines"), [(0, 0), (1, 1), (7, 7), (10, 10), (19, 10)])
@pytest.mark.parametrize("method", METHODS)
def test_verbose_prints_ten_lines_or_one_an_epoch(
    method: str, n_epochs: int, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    minimize_parabola(method, n_epochs=n_epochs, verbose=True)
    printed = capsys.readouterr().out.splitlines()
    assert lines == len(printed)
    assert all(f"of {n_epochs}" in line for line in printed)


@pytest.mark.parametrize("method", METHODS)
def test_an_error_may_be_an_array_of_one_number(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parabola written without [0], as in many notebooks."""
    w = np.array([0.0])
    getattr(Optimizers(w), method)(lambda: (w - 5) ** 2, lambda: 2 * (w - 5), verbose=True)
    assert "[25.]" not in capsys.readouterr().out.splitlines()[-1]
