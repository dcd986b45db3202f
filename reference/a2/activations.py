"""Activation functions and their derivatives, element by element.

Every function takes the weighted sums s of a layer, (n_samples, n_units), and returns a new matrix
of the same shape; s itself is never changed. The derivatives are functions of s too, not of the
layer's output f(s): swish falls and then rises, so its output does not say which s it came from.
"""

import numpy as np

from .arrays import Floats


def tanh(s: Floats) -> Floats:
    """Hyperbolic tangent, between -1 and 1."""
    return np.tanh(s)


def grad_tanh(s: Floats) -> Floats:
    """Derivative of tanh: 1 - tanh²(s)."""
    return 1 - np.tanh(s) ** 2


def relu(s: Floats) -> Floats:
    """Rectified linear unit: max(0, s)."""
    return np.maximum(s, 0)


def grad_relu(s: Floats) -> Floats:
    """Derivative of relu: 1 where s > 0, else 0.

    At exactly 0 there is no derivative, and any value in [0, 1] would do for a function of s. We
    take 0, so that the answer stays right when it is given the layer's output instead: relu(s) is
    0 for every inactive unit, and no gradient may pass through those.
    """
    return np.where(s > 0, 1.0, 0.0)


def sigmoid(s: Floats) -> Floats:
    """Logistic function 1 / (1 + exp(-s)), without overflow for any finite s.

    exp(-|s|) lies in [0, 1]. For s ≥ 0 the textbook's fraction uses it as it is; for s < 0 we
    multiply that fraction above and below by exp(s), which gives exp(s) / (exp(s) + 1).
    """
    decay = np.exp(-np.abs(s))
    sigma: Floats = np.where(s >= 0, 1.0, decay) / (1 + decay)
    return sigma


def swish(s: Floats) -> Floats:
    """Swish: s · sigmoid(s).

    Source:
        Ramachandran, Zoph and Le (2017), *Searching for Activation Functions*, arXiv:1710.05941,
        with the paper's β = 1.
    """
    return s * sigmoid(s)


def grad_swish(s: Floats) -> Floats:
    """Derivative of swish: σ + s · σ · (1 - σ), where σ = sigmoid(s); the product rule."""
    sigma = sigmoid(s)
    return sigma + s * sigma * (1 - sigma)
