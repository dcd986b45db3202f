"""One mistake costs once: each variation of the reference loses in its own item and only there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Lost = Callable[..., set[str]]

ADAM = {
    "adam_parabola",
    "adam_one_step",
    "adam_continued",
    "adam_in_place",
    "adam_several_weights",
    "adam_trace",
}
NETWORK = {"network_forward", "network_gradient", "network_inactive", "network_two_steps"}
RELU = {"relu_values", "relu_shape", "relu_untouched"}
GRAD_RELU = {"grad_relu_values", "grad_relu_shape", "grad_relu_untouched"}

RELU_BODY = "return np.maximum(s, 0)"
GRAD_BODY = "return np.where(s > 0, 1.0, 0.0)"
BACK = "delta = back_to_outputs * self.grad_activation(self.Ss[layer - 1])"
ON_OUTPUTS = (BACK, BACK.replace("self.Ss[layer - 1]", "self.Ys[layer]"))
UPDATE = "self.all_weights -= learning_rate * mean / (np.sqrt(mean_square) + EPSILON)"
USE = "Y = self.forward_pass((X - self.Xmeans) / self.Xstds)[-1]"
BACK_IN_UNITS = "return Y * self.Tstds + self.Tmeans"
FOLDS = "validate, test, train = rows[:size], rows[size : 2 * size], rows[2 * size :]"
RMSE = "return float(np.sqrt(np.mean((Y - T) ** 2)))"
SWISH = "return s * sigmoid(s)"
GRAD_SWISH = "return sigma + s * sigma * (1 - sigma)"
PARTITION_ONCE = "partition(X, T, n_folds)\n    results = []"
NEW_NETWORK = "                network = NeuralNetwork(Xtrain.shape[1], nh, Ttrain.shape[1], act)\n"

WRONG: dict[str, tuple[list[tuple[str, str]], set[str]]] = {
    "Adam without bias correction": (
        [("self.mt / (1 - self.beta1t)", "self.mt"), ("self.vt / (1 - self.beta2t)", "self.vt")],
        ADAM - {"adam_in_place", "adam_trace"},
    ),
    "epsilon inside the root": (
        [("(np.sqrt(mean_square) + EPSILON)", "np.sqrt(mean_square + EPSILON)")],
        {"adam_one_step"},
    ),
    "Adam's state made anew in each call": (
        [
            (
                "self.mt = self.beta1 * self.mt",
                (
                    "if epoch == 0:\n                self.mt, self.vt = 0 * self.mt, 0 * self.vt\n"
                    "                self.beta1t, self.beta2t = 1.0, 1.0\n"
                    "            self.mt = self.beta1 * self.mt"
                ),
            )
        ],
        {"adam_continued"},
    ),
    "weights bound anew": (
        [(UPDATE, UPDATE.replace("-= ", "= self.all_weights - "))],
        {"adam_in_place"},
    ),
    "the trace not converted": (
        [
            (
                (
                    "error if error_convert_f is None else error_convert_f(error))\n"
                    '            if verbose:\n                _report_progress("Adam"'
                ),
                'error)\n            if verbose:\n                _report_progress("Adam"',
            )
        ],
        {"adam_trace"},
    ),
    "use leaves the output standardized": (
        [(BACK_IN_UNITS, "return Y")],
        {"use_values", "use_several_outputs"},
    ),
    "use returns all layers": (
        [(USE, USE.replace("[-1]", "")), (BACK_IN_UNITS, "return Y")],
        {"use_values", "use_several_outputs", "use_shape"},
    ),
    "use standardizes in place": (
        [(USE, "X -= self.Xmeans\n        X /= self.Xstds\n        Y = self.forward_pass(X)[-1]")],
        {"use_input_untouched"},
    ),
    "relu in place": (
        [(RELU_BODY, "s[s < 0] = 0\n    return s")],
        {"relu_untouched"},
    ),
    "relu by np.max": ([(RELU_BODY, "return np.max(s, 0)")], {"relu_values", "relu_shape"}),
    "relu as absolute value": ([(RELU_BODY, "return np.abs(s)")], {"relu_values"}),
    "leaky relu": ([(RELU_BODY, "return np.maximum(s, 0.01 * s)")], {"relu_values"}),
    "grad_relu in place": (
        [(GRAD_BODY, "s[s > 0] = 1\n    s[s < 0] = 0\n    return s"), ON_OUTPUTS],
        {"grad_relu_untouched"},
    ),
    "grad_relu inverted": ([(GRAD_BODY, "return np.where(s > 0, 0.0, 1.0)")], {"grad_relu_values"}),
    "np.heaviside(Y, 1) on layer outputs": (
        [(GRAD_BODY, "return np.heaviside(s, 1)"), ON_OUTPUTS],
        {"network_gradient", "network_inactive"},
    ),
    "1 - gradient": (
        [(BACK, BACK.replace("self.grad", "(1 - self.grad").replace("- 1])", "- 1]))"))],
        {"network_gradient", "network_inactive"},
    ),
    "relu on the output layer": (
        [
            (
                "self.Ys.append(_weighted_sums(self.Ys[-1], self.Ws[-1]))",
                (
                    "out = _weighted_sums(self.Ys[-1], self.Ws[-1])\n        self.Ys.append("
                    "self.relu(out) if self.activation_function == 'relu' else out)"
                ),
            )
        ],
        NETWORK - {"network_inactive"},
    ),
    "squared outputs": (
        [
            (
                "self.Ys.append(_weighted_sums(self.Ys[-1], self.Ws[-1]))",
                "self.Ys.append(_weighted_sums(self.Ys[-1], self.Ws[-1]) ** 2)",
            )
        ],
        NETWORK - {"network_inactive"},
    ),
    "no relu at all": (
        [
            ("self.relu(S)", "tanh(S)"),
            ("self.grad_relu(S)", "grad_tanh(S)"),
            ("def relu(self", "def not_here(self"),
            ("def grad_relu(self", "def not_there(self"),
            ("def relu(s", "def nowhere(s"),
            ("def grad_relu(s", "def nor_there(s"),
        ],
        RELU | GRAD_RELU | NETWORK,
    ),
    "remainder dropped": (
        [(FOLDS, FOLDS.replace("rows[2 * size :]", "rows[2 * size : n_folds * size]"))],
        {"partition_remainder"},
    ),
    "remainder in the first fold": (
        [
            (
                FOLDS,
                (
                    "first = n - (n_folds - 1) * size\n    validate, test, train = "
                    "rows[:first], rows[first : first + size], rows[first + size :]"
                ),
            )
        ],
        {"partition_remainder"},
    ),
    "validation and test exchanged": (
        [(FOLDS, FOLDS.replace("validate, test", "test, validate"))],
        {"partition_order"},
    ),
    "X and T shuffled apart": (
        [
            (
                FOLDS,
                FOLDS + "\n    if random_shuffle:\n        T = T[np.random.permutation(n)]",
            )
        ],
        {"partition_rows_together"},
    ),
    "no shuffling": ([("np.random.shuffle(rows)", "pass")], {"partition_shuffling"}),
    "shuffled when it should not be": (
        [("    if random_shuffle:\n", "    if True:\n")],
        {"partition_order"},
    ),
    "trained with SGD": ([('method="adam"', 'method="sgd"')], {"experiment_adam"}),
    "mean square without the root": (
        [(RMSE, "return float(np.mean((Y - T) ** 2))")],
        {"experiment_rmse"},
    ),
    "a new partition for each setting": (
        [
            (
                NEW_NETWORK,
                "                Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest = "
                "partition(X, T, n_folds)\n" + NEW_NETWORK,
            )
        ],
        {"experiment_one_partition"},
    ),
    "[0] skipped": (
        [
            (
                NEW_NETWORK,
                "                if nh == [0]:\n                    continue\n" + NEW_NETWORK,
            )
        ],
        {"experiment_no_hidden"},
    ),
    "test error on the training rows": (
        [("rmse(network.use(Xtest), Ttest)", "rmse(network.use(Xtrain), Ttrain)")],
        {"experiment_sets"},
    ),
    "nothing returned": (
        [("return pd.DataFrame(results)", "pd.DataFrame(results)")],
        {"experiment_rmse", "experiment_sets", "experiment_columns", "experiment_table"},
    ),
    "columns called otherwise": (
        [('"RMSE Val"', '"Validation"')],
        {"experiment_columns"},
    ),
    "swish without its second term": ([(GRAD_SWISH, "return sigma")], {"swish_gradient"}),
}

RIGHT: dict[str, list[tuple[str, str]]] = {
    "as it is": [],
    "factor 2 kept": [("delta = -(T - self.Ys[-1])", "delta = -2 * (T - self.Ys[-1])")],
    "Adam fed the learning rate times the gradient": [
        (
            "self.mt = self.beta1 * self.mt",
            "gradient = learning_rate * gradient\n            self.mt = self.beta1 * self.mt",
        )
    ],
    "X taken as standardized by use": [(USE, "Y = self.forward_pass(X)[-1]")],
    "grad_relu of booleans": [(GRAD_BODY, "return s > 0")],
    "grad_relu on layer outputs": [ON_OUTPUTS],
    "grad_relu 1 at zero, on weighted sums": [(GRAD_BODY, "return np.heaviside(s, 1)")],
    "relu by a mask on a copy": [(RELU_BODY, "s = s.copy()\n    s[s < 0] = 0\n    return s")],
    "drelu in place of grad_relu": [("grad_relu", "drelu")],
    "functions only, no methods": [
        ("self.relu(S)", "relu(S)"),
        ("self.grad_relu(S)", "grad_relu(S)"),
        ("def relu(self", "def not_here(self"),
        ("def grad_relu(self", "def not_there(self"),
    ],
    "seed set inside partition": [
        ("rows = np.arange(n)", "np.random.seed(42)\n    rows = np.arange(n)")
    ],
    "single precision": [
        (
            "vector = np.concatenate([layer.ravel() for layer in layers])",
            "vector = np.concatenate([layer.ravel() for layer in layers]).astype(np.float32)",
        )
    ],
    "the column called func": [('"act func"', '"func"')],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_loses_in_its_own_checks_only(name: str, lost: Lost) -> None:
    changes, expected = WRONG[name]
    assert expected == lost(*changes)


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_in_another_style_loses_nothing(name: str, lost: Lost) -> None:
    assert {c for c in lost(*RIGHT[name]) if not c.startswith("swish")} == set()


def test_two_mistakes_lose_what_each_loses_alone(lost: Lost) -> None:
    first, second = WRONG["remainder dropped"], WRONG["Adam without bias correction"]
    assert first[1] | second[1] == lost(*first[0], *second[0])


def test_an_empty_notebook_loses_everything(lost: Lost) -> None:
    """Missing evidence never earns points."""
    gone = (
        "\nfor _name in list(globals()):\n    if _name[0] != '_':\n        del globals()[_name]\n"
    )
    everything = lost(more=gone)
    assert 37 == len(everything)
