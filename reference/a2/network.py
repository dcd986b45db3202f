"""A fully connected network for regression: hidden layers of one kind, then a linear output layer.

The network knows its weights, its error and the error's gradient. How to go down that gradient is
the optimizer's business.

Letters, as in the lectures: X inputs, T targets, W weights, S weighted sums, Y outputs of a layer,
delta the derivative of the error by a layer's weighted sums.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np

from .activations import grad_relu, grad_swish, grad_tanh, relu, swish, tanh
from .arrays import Floats
from .optimizers import Error, Optimizers

ACTIVATION_FUNCTIONS = ("tanh", "relu", "swish")


class NeuralNetwork:
    """A multilayer perceptron with n_inputs inputs and n_outputs linear outputs.

    Args:
        n_inputs: columns of X.
        n_hiddens_per_layer: units in each hidden layer, first to last. `0`, `[]` and `[0]` all mean
            no hidden layer, which leaves a linear model.
        n_outputs: columns of T.
        activation_function: 'tanh', 'relu' or 'swish', for every hidden layer.

    Attributes:
        all_weights, Ws: one vector, and a view (n_in + 1, n_out) for each layer; row 0 is the bias.
        all_gradients, dE_dWs: the same for the derivatives of the error by the weights.
        Xmeans, Xstds, Tmeans, Tstds: (n_columns,), in the units of X and T; 0 and 1 until the first
            `train`.
        Ys: [X, outputs of each hidden layer, linear output] of the last `forward_pass`.
        Ss: the weighted sums of each hidden layer, from the same pass.
        error_trace: root mean square error of each epoch of the last `train`, in units of the
            first target.
    """

    def __init__(
        self,
        n_inputs: int,
        n_hiddens_per_layer: Sequence[int] | int,
        n_outputs: int,
        activation_function: str = "tanh",
    ) -> None:
        if activation_function not in ACTIVATION_FUNCTIONS:
            raise ValueError(
                f"There is no activation function called {activation_function!r}; "
                "choose 'tanh', 'relu' or 'swish'."
            )
        self.n_inputs = n_inputs
        self.n_hiddens_per_layer = _list_of_layers(n_hiddens_per_layer)
        self.n_outputs = n_outputs
        self.activation_function = activation_function

        n_ins = [n_inputs, *self.n_hiddens_per_layer]
        n_outs = [*self.n_hiddens_per_layer, n_outputs]
        shapes = [(n_in + 1, n_out) for n_in, n_out in zip(n_ins, n_outs, strict=True)]
        self.all_weights, self.Ws = self.make_weights(shapes)
        # gradient_f overwrites these numbers; they are drawn all the same, because the published
        # seeded results count on a network that draws twice.
        self.all_gradients, self.dE_dWs = self.make_weights(shapes)

        self.Xmeans, self.Xstds = np.zeros(n_inputs), np.ones(n_inputs)
        self.Tmeans, self.Tstds = np.zeros(n_outputs), np.ones(n_outputs)
        self.standardization_is_set = False
        self.Ys: list[Floats] = []
        self.Ss: list[Floats] = []
        self.error_trace: list[Error] = []

    def make_weights(self, shapes: Sequence[tuple[int, int]]) -> tuple[Floats, list[Floats]]:
        """Draw one vector of weights, and cut it into matrices that share its memory.

        Args:
            shapes: (n_in + 1, n_out) of each layer.

        Returns:
            The vector, (sum of n_in + 1 times n_out,), uniform in [0, 1/√(n_in + 1)) layer by
            layer; and the list of its views in those shapes.
        """
        layers = [
            # The published seeded results were made with numpy's legacy generator.
            np.random.uniform(size=shape) / np.sqrt(shape[0])  # noqa: NPY002
            for shape in shapes
        ]
        vector = np.concatenate([layer.ravel() for layer in layers])
        ends = np.cumsum([layer.size for layer in layers])
        pieces = np.split(vector, ends[:-1])
        return vector, [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    # Activation functions, as methods so that a subclass can replace them.

    def relu(self, s: Floats) -> Floats:
        """See `activations.relu`."""
        return relu(s)

    def grad_relu(self, s: Floats) -> Floats:
        """See `activations.grad_relu`."""
        return grad_relu(s)

    def swish(self, s: Floats) -> Floats:
        """See `activations.swish`."""
        return swish(s)

    def grad_swish(self, s: Floats) -> Floats:
        """See `activations.grad_swish`."""
        return grad_swish(s)

    def activation(self, S: Floats) -> Floats:
        """Outputs of a hidden layer from its weighted sums, both (n_samples, n_units)."""
        if self.activation_function == "relu":
            return self.relu(S)
        if self.activation_function == "swish":
            return self.swish(S)
        return tanh(S)

    def grad_activation(self, S: Floats) -> Floats:
        """Derivative of `activation` at the weighted sums S, (n_samples, n_units)."""
        if self.activation_function == "relu":
            return self.grad_relu(S)
        if self.activation_function == "swish":
            return self.grad_swish(S)
        return grad_tanh(S)

    # The network as a function, its error and the error's gradient. X and T are standardized here.

    def forward_pass(self, X: Floats) -> list[Floats]:
        """Outputs of all layers for standardized X, (n_samples, n_inputs).

        Returns:
            [X, hidden outputs…, linear output], each (n_samples, units of that layer); kept as Ys.
        """
        self.Ys, self.Ss = [X], []
        for W in self.Ws[:-1]:
            self.Ss.append(_weighted_sums(self.Ys[-1], W))
            self.Ys.append(self.activation(self.Ss[-1]))
        self.Ys.append(_weighted_sums(self.Ys[-1], self.Ws[-1]))
        return self.Ys

    def error_f(self, X: Floats, T: Floats) -> float:
        """Mean squared error over samples and outputs, in standardized target units squared.

        Args:
            X: (n_samples, n_inputs), standardized.
            T: (n_samples, n_outputs), standardized.
        """
        Y = self.forward_pass(X)[-1]
        return float(np.mean((T - Y) ** 2))

    def gradient_f(self, X: Floats, T: Floats) -> Floats:
        """Half the gradient of `error_f` by the weights, by back-propagation.

        Half, because the assignment leaves out the 2 from the derivative of the square. For SGD
        that halves the learning rate; Adam's steps do not depend on the gradient's scale.

        Args:
            X: (n_samples, n_inputs), standardized; `forward_pass(X)` must have just run.
            T: (n_samples, n_outputs), standardized.

        Returns:
            (n_weights,), the vector `all_gradients` itself, which the next call overwrites.
        """
        n_samples, n_outputs = X.shape[0], T.shape[1]
        delta = -(T - self.Ys[-1]) / (n_samples * n_outputs)
        for layer in reversed(range(len(self.Ws))):
            self.dE_dWs[layer][0] = delta.sum(axis=0)
            self.dE_dWs[layer][1:] = self.Ys[layer].T @ delta
            if layer > 0:
                back_to_outputs = delta @ self.Ws[layer][1:].T
                delta = back_to_outputs * self.grad_activation(self.Ss[layer - 1])
        return self.all_gradients

    # Training and use. X and T are in their own units here.

    def train(
        self,
        X: Floats,
        T: Floats,
        n_epochs: int,
        learning_rate: float,
        method: str = "sgd",
        *,
        verbose: bool = False,
    ) -> Self:
        """Fit the weights to X and T, and keep the error of each epoch in `error_trace`.

        Args:
            X: (n_samples, n_inputs), in input units.
            T: (n_samples, n_outputs), in target units.
            n_epochs: how many steps to take.
            learning_rate: step size; see `Optimizers` for its unit.
            method: 'sgd' or 'adam'. Adam starts afresh at each call of train.
            verbose: print about ten lines of progress.

        Returns:
            The network itself. The first call sets the means and standard deviations; later calls
            keep them, since the weights have learned to live with those.
        """
        optimizer = Optimizers(self.all_weights)
        minimizers = {"sgd": optimizer.sgd, "adam": optimizer.adam}
        if method not in minimizers:
            raise ValueError(f"There is no method called {method!r}; choose 'sgd' or 'adam'.")

        if not self.standardization_is_set:
            self.Xmeans, self.Xstds = _means_and_stds(X)
            self.Tmeans, self.Tstds = _means_and_stds(T)
            self.standardization_is_set = True

        self.error_trace = minimizers[method](
            self.error_f,
            self.gradient_f,
            fargs=[(X - self.Xmeans) / self.Xstds, (T - self.Tmeans) / self.Tstds],
            n_epochs=n_epochs,
            learning_rate=learning_rate,
            error_convert_f=self._in_target_units,
            verbose=verbose,
        )
        return self

    def use(self, X: Floats) -> Floats:
        """Predictions, (n_samples, n_outputs) in target units, for X in input units."""
        Y = self.forward_pass((X - self.Xmeans) / self.Xstds)[-1]
        return Y * self.Tstds + self.Tmeans

    def _in_target_units(self, mean_square: Error) -> Error:
        """Root of a standardized mean square error, in units of the first target."""
        return np.sqrt(mean_square) * self.Tstds[0]


def _list_of_layers(n_hiddens_per_layer: Sequence[int] | int) -> list[int]:
    if isinstance(n_hiddens_per_layer, int):
        n_hiddens_per_layer = [n_hiddens_per_layer]
    layers = list(n_hiddens_per_layer)
    return [] if layers == [0] else layers


def _weighted_sums(Y: Floats, W: Floats) -> Floats:
    """(n_samples, n_out) from Y, (n_samples, n_in), and W, (n_in + 1, n_out) with bias in row 0."""
    sums: Floats = W[0] + Y @ W[1:]
    return sums


def _means_and_stds(A: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column; 1 for a constant column, which has no spread."""
    stds = A.std(axis=0)
    return A.mean(axis=0), np.where(stds == 0, 1.0, stds)
