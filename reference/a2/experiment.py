"""Which setting of a network predicts best? Train one for each, and put the errors in a table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .arrays import Floats
from .data import partition
from .network import NeuralNetwork

LEARNING_RATE = 0.01


def run_experiment(  # noqa: PLR0917 - the assignment fixes this signature
    X: Floats,
    T: Floats,
    n_folds: int,
    n_epochs_choices: Sequence[int],
    n_hidden_units_per_layer_choices: Sequence[Sequence[int] | int],
    activation_function_choices: Sequence[str],
) -> pd.DataFrame:
    """Train a network with Adam for every combination of the choices.

    X and T are partitioned once, before the first network: settings can be compared only on the
    same rows.

    Args:
        X: (n, n_inputs), in input units.
        T: (n, n_outputs), in target units.
        n_folds: see `partition`.
        n_epochs_choices: outermost loop.
        n_hidden_units_per_layer_choices: middle loop; each is a network's n_hiddens_per_layer.
        activation_function_choices: innermost loop.

    Returns:
        One row a setting, in the order of the loops. The RMSE columns are in target units.
    """
    Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest = partition(X, T, n_folds)
    results = []
    for epochs in n_epochs_choices:
        for nh in n_hidden_units_per_layer_choices:
            for act in activation_function_choices:
                network = NeuralNetwork(Xtrain.shape[1], nh, Ttrain.shape[1], act)
                network.train(Xtrain, Ttrain, epochs, LEARNING_RATE, method="adam")
                results.append(
                    {
                        "epochs": epochs,
                        "nh": nh,
                        "lr": LEARNING_RATE,
                        "act func": act,
                        "RMSE Train": rmse(network.use(Xtrain), Ttrain),
                        "RMSE Val": rmse(network.use(Xvalidate), Tvalidate),
                        "RMSE Test": rmse(network.use(Xtest), Ttest),
                    }
                )
    return pd.DataFrame(results)


def rmse(Y: Floats, T: Floats) -> float:
    """Root mean square of Y - T over samples and outputs, (n, n_outputs) each, in their unit."""
    return float(np.sqrt(np.mean((Y - T) ** 2)))
