"""A2's known mistakes: what students really get wrong, each as a change of the reference.

Below them, right solutions in other styles. Which checks a mistake costs is written beside it, so
that a change of the checks which no longer catches it, or catches it elsewhere, is seen.
"""

from __future__ import annotations

from grader.mistakes import mistake, right

# ------------------------------------------------------------------------------- Adam
MEAN = "mean = self.mt / (1 - self.beta1t)"
MEAN_SQUARE = "mean_square = self.vt / (1 - self.beta2t)"
MT = "self.mt = self.beta1 * self.mt + (1 - self.beta1) * gradient"
VT = "self.vt = self.beta2 * self.vt + (1 - self.beta2) * gradient**2"
POWERS = "self.beta1t *= self.beta1\n            self.beta2t *= self.beta2\n            "
STEP = "learning_rate * mean / (np.sqrt(mean_square) + EPSILON)"
UPDATE = f"self.all_weights -= {STEP}"
# The line of the trace is in sgd too; with what stands around it, it is Adam's.
TRACE = "error_trace.append(error if error_convert_f is None else error_convert_f(error))"
VERBOSE = '\n            if verbose:\n                _report_progress("Adam"'
RETURN = ", epoch, n_epochs, error_trace[-1])\n        return error_trace\n\n\ndef _report"
ADAM_VALUES = ["adam_parabola", "adam_one_step", "adam_continued", "adam_several_weights"]
ADAM_AFTER_ONE = ["adam_parabola", "adam_continued", "adam_several_weights"]

adam_no_bias_correction = mistake(
    "adam",
    "Your Adam has no bias correction: `mt` and `vt` begin at 0, and nothing makes up for that. "
    "Look at what the algorithm does with them between their update and that of the weights.",
    [(MEAN, "mean = self.mt"), (MEAN_SQUARE, "mean_square = self.vt")],
    loses=ADAM_VALUES,
)

adam_first_moment_not_corrected = mistake(
    "adam",
    "Your Adam corrects the bias of `vt` only: the mean of the gradients begins at 0 as well.",
    [(MEAN, "mean = self.mt")],
    loses=ADAM_VALUES,
)

adam_second_moment_not_corrected = mistake(
    "adam",
    "Your Adam corrects the bias of `mt` only: the mean of the squares begins at 0 as well.",
    [(MEAN_SQUARE, "mean_square = self.vt")],
    loses=ADAM_VALUES,
)

adam_beta_without_power = mistake(
    "adam",
    "Your Adam corrects the bias by the same amount in every epoch: the correction should fade "
    "as epochs go by. What are `beta1t` and `beta2t` for?",
    [
        (MEAN, "mean = self.mt / (1 - self.beta1)"),
        (MEAN_SQUARE, "mean_square = self.vt / (1 - self.beta2)"),
    ],
    loses=ADAM_AFTER_ONE,
)

adam_corrections_swapped = mistake(
    "adam",
    "Your Adam has the two bias corrections exchanged: look at which beta goes with `mt` and "
    "which with `vt`.",
    [
        (MEAN, "mean = self.mt / (1 - self.beta2t)"),
        (MEAN_SQUARE, "mean_square = self.vt / (1 - self.beta1t)"),
    ],
    loses=ADAM_VALUES,
)

adam_betas_swapped = mistake(
    "adam",
    "Your Adam has `beta1` and `beta2` exchanged where it updates `mt` and `vt`.",
    [(MT, MT.replace("beta1", "beta2")), (VT, VT.replace("beta2", "beta1"))],
    [
        ("self.beta1 = 0.9\n", "self.beta1 = 0.999\n"),
        ("self.beta2 = 0.999\n", "self.beta2 = 0.9\n"),
    ],
    loses=ADAM_VALUES,
)

adam_powers_too_late = mistake(
    "adam",
    "Your Adam multiplies `beta1t` and `beta2t` after it has used them, so the first epoch "
    "corrects the bias with their starting values.",
    [(POWERS, ""), (UPDATE, f"{UPDATE}\n            {POWERS}")],
    loses=ADAM_VALUES,
)

adam_correction_stored = mistake(
    "adam",
    "Your Adam stores the corrected means in `mt` and `vt`, so that the next epoch goes on from "
    "numbers that were corrected already. Give them names of their own.",
    [
        (MEAN, "mean = self.mt = self.mt / (1 - self.beta1t)"),
        (MEAN_SQUARE, "mean_square = self.vt = self.vt / (1 - self.beta2t)"),
    ],
    loses=ADAM_AFTER_ONE,
)

adam_epsilon_inside_root = mistake(
    "adam",
    "Your Adam adds epsilon inside the square root; look at the algorithm again for its place.",
    [("(np.sqrt(mean_square) + EPSILON)", "np.sqrt(mean_square + EPSILON)")],
    loses=["adam_one_step"],
)

adam_no_square_root = mistake(
    "adam",
    "Your Adam divides by the mean of the squares itself: something is still to be done with it.",
    [("np.sqrt(mean_square)", "mean_square")],
    loses=ADAM_VALUES,
)

adam_uphill = mistake(
    "adam",
    "Your Adam walks uphill: look at the sign with which the step changes the weights.",
    [(UPDATE, UPDATE.replace("-=", "+="))],
    loses=ADAM_VALUES,
)

adam_state_reset = mistake(
    "adam",
    "Your Adam starts afresh in every call: what it remembers is made again inside `adam`, "
    "although the constructor has made it already.",
    [
        (
            MT,
            (
                "if epoch == 0:\n                self.mt, self.vt = 0 * self.mt, 0 * self.vt\n"
                f"                self.beta1t, self.beta2t = 1.0, 1.0\n            {MT}"
            ),
        )
    ],
    [
        (
            MT,
            (
                "if epoch == 0:\n                self.mt, self.vt = 0 * self.mt, 0 * self.vt\n"
                f"            {MT}"
            ),
        )
    ],
    [
        (
            MT,
            (
                "if epoch == 0:\n                self.beta1t, self.beta2t = 1.0, 1.0\n"
                f"            {MT}"
            ),
        )
    ],
    loses=["adam_continued"],
)

adam_weights_rebound = mistake(
    "adam",
    "Your Adam binds `self.all_weights` to a new array in each epoch: the array that it was given, "
    "which the network's `Ws` look into, never changes.",
    [(UPDATE, f"self.all_weights = self.all_weights - {STEP}")],
    loses=["adam_in_place"],
)

adam_gradient_not_squared = mistake(
    "adam",
    "Your Adam's `vt` is a mean of the gradients: of what should it be the mean?",
    [(VT, VT.replace("gradient**2", "gradient"))],
    loses=ADAM_VALUES,
)

adam_learning_rate_twice = mistake(
    "adam",
    "Your Adam applies the learning rate twice: look at how often it stands between the gradient "
    "and the new weights.",
    [(MT, MT.replace("* gradient", "* learning_rate * gradient"))],
    [(STEP, STEP.replace("learning_rate", "learning_rate**2"))],
    loses=ADAM_VALUES,
)

adam_no_learning_rate = mistake(
    "adam",
    "Your Adam does not use the learning rate.",
    [(STEP, STEP.replace("learning_rate * ", ""))],
    loses=ADAM_VALUES,
)

adam_sums_for_means = mistake(
    "adam",
    "Your Adam's `mt` and `vt` add the new gradient in full: in a running mean the old and the new "
    "have weights that add up to 1.",
    [(MT, MT.replace("(1 - self.beta1) * ", "")), (VT, VT.replace("(1 - self.beta2) * ", ""))],
    loses=ADAM_VALUES,
)

adam_trace_not_converted = mistake(
    "adam",
    "Your `adam` appends the errors as they are: it is given `error_convert_f` for them.",
    [(TRACE + VERBOSE, "error_trace.append(error)" + VERBOSE)],
    loses=["adam_trace"],
)

adam_trace_after_update = mistake(
    "adam",
    "Your `adam` takes the error after the update: each error should be that of the weights with "
    "which its epoch began.",
    [(TRACE + VERBOSE, f"error = error_f(*fargs)\n            {TRACE}{VERBOSE}")],
    loses=["adam_trace"],
)

adam_returns_nothing = mistake(
    "adam",
    "Your `adam` returns nothing: whoever called it wants the list of errors.",
    [
        (
            '_report_progress("Adam"' + RETURN,
            '_report_progress("Adam"' + RETURN.replace("        return error_trace\n", ""),
        )
    ],
    loses=["adam_trace"],
)

# ------------------------------------------------------------------------------- use
USE = "Y = self.forward_pass((X - self.Xmeans) / self.Xstds)[-1]"
UNITS = "return Y * self.Tstds + self.Tmeans"

use_left_standardized = mistake(
    "use",
    "Your `use` returns standardized predictions: nothing takes the standardization of T back.",
    [(UNITS, "return Y")],
    loses=["use_values", "use_several_outputs"],
)

use_mean_and_deviation_swapped = mistake(
    "use",
    "Your `use` has the mean and the standard deviation of T exchanged: look at which of them "
    "multiplies and which is added.",
    [(UNITS, "return Y * self.Tmeans + self.Tstds")],
    loses=["use_values", "use_several_outputs"],
)

use_standardizes_output = mistake(
    "use",
    "Your `use` standardizes its predictions once more, where it should take the standardization "
    "of T back.",
    [(UNITS, "return (Y - self.Tmeans) / self.Tstds")],
    loses=["use_values", "use_several_outputs"],
)

use_mean_not_added = mistake(
    "use",
    "Your `use` scales its predictions to T's units but leaves their mean at 0.",
    [(UNITS, "return Y * self.Tstds")],
    loses=["use_values", "use_several_outputs"],
)

use_with_units_of_inputs = mistake(
    "use",
    "Your `use` brings its predictions into the units of X: whose means and deviations does it "
    "take?",
    [(UNITS, "return Y * self.Xstds + self.Xmeans")],
    loses=["use_values", "use_several_outputs"],
)

use_returns_layers = mistake(
    "use",
    "Your `use` returns the outputs of all layers: whoever asks for predictions wants one of them.",
    [(USE, USE.replace("[-1]", "")), (UNITS, "return Y")],
    [
        (USE, USE.replace("[-1]", "")),
        (UNITS, "return [y if y is not Y[-1] else y * self.Tstds + self.Tmeans for y in Y]"),
    ],
    loses=["use_shape", "use_values", "use_several_outputs"],
)

use_standardizes_with_new_data = mistake(
    "use",
    "Your `use` standardizes X by the mean and deviation of the X that it is given: the network "
    "was trained with others, and has kept them.",
    [(USE, "Y = self.forward_pass((X - X.mean(axis=0)) / X.std(axis=0))[-1]")],
    loses=["use_values", "use_several_outputs"],
)

use_changes_input = mistake(
    "use",
    "Your `use` standardizes the very array that it is given: whoever calls it twice with one X "
    "gets two different answers.",
    [(USE, "X -= self.Xmeans\n        X /= self.Xstds\n        Y = self.forward_pass(X)[-1]")],
    loses=["use_input_untouched"],
)

use_flat = mistake(
    "use",
    "Your `use` returns a flat vector: there should be a row for each sample.",
    [(UNITS, f"{UNITS.replace('return ', 'return (')}).ravel()")],
    loses=["use_shape"],
)

# ------------------------------------------------------------------------------- relu
RELU = "return np.maximum(s, 0)"
GRAD_RELU = "return np.where(s > 0, 1.0, 0.0)"
BACK = "delta = back_to_outputs * self.grad_activation(self.Ss[layer - 1])"
# The handout's gradient_f gives grad_relu the outputs of a layer.
ON_OUTPUTS = (BACK, BACK.replace("self.Ss[layer - 1]", "self.Ys[layer]"))

relu_np_max = mistake(
    "relu",
    "Your `relu` takes one largest value out of many weighted sums: each sum should be compared "
    "with 0 for itself. NumPy has two functions whose names are much alike.",
    [(RELU, "return np.max(s, 0)")],
    [(RELU, "return np.max(s, axis=1)")],
    [(RELU, "return np.max(s)")],
    [(RELU, "return max(0, np.max(s))")],
    loses=["relu_values", "relu_shape"],
)

relu_in_place = mistake(
    "relu",
    "Your `relu` writes its zeros into the matrix that it is given, which the caller still needs.",
    [(RELU, "s[s < 0] = 0\n    return s")],
    loses=["relu_untouched"],
)

relu_absolute = mistake(
    "relu",
    "Your `relu` is the absolute value: what should become of negative sums?",
    [(RELU, "return np.abs(s)")],
    loses=["relu_values"],
)

relu_leaky = mistake(
    "relu",
    "Your `relu` is a leaky one: it lets a part of the negative sums through.",
    [(RELU, "return np.maximum(s, 0.01 * s)")],
    [(RELU, "return np.maximum(s, 0.1 * s)")],
    [(RELU, "return np.maximum(s, 0.2 * s)")],
    loses=["relu_values"],
)

relu_clipped = mistake(
    "relu",
    "Your `relu` has an upper bound: large sums should come through as they are.",
    [(RELU, "return np.clip(s, 0, 1)")],
    [(RELU, "return np.clip(s, 0, 6)")],
    loses=["relu_values"],
)

relu_step = mistake(
    "relu",
    "Your `relu` says whether a sum is positive: it should return the sum itself there.",
    [(RELU, "return s > 0")],
    loses=["relu_values"],
)

relu_negative_side = mistake(
    "relu",
    "Your `relu` keeps the negative sums and drops the positive ones.",
    [(RELU, "return np.minimum(s, 0)")],
    [(RELU, "return np.where(s > 0, 0, s)")],
    loses=["relu_values"],
)

relu_returns_nothing = mistake(
    "relu",
    "Your `relu` changes the matrix that it is given and returns nothing.",
    [
        (RELU, "s[s < 0] = 0"),
        ("return self.relu(S)", "self.relu(S)\n            return S"),
        ('"""See `activations.relu`."""\n        return', '"""See `activations.relu`."""\n       '),
    ],
    loses=["relu_values", "relu_shape", "relu_untouched"],
)

# ------------------------------------------------------------------------------- grad_relu
grad_relu_in_place = mistake(
    "grad_relu",
    "Your `grad_relu` writes its ones and zeros into the matrix that it is given, which the "
    "caller still needs.",
    [(GRAD_RELU, "s[s > 0] = 1\n    s[s < 0] = 0\n    return s"), ON_OUTPUTS],
    loses=["grad_relu_untouched"],
)

grad_relu_inverted = mistake(
    "grad_relu",
    "Your `grad_relu` is 0 where it should be 1 and 1 where it should be 0.",
    [(GRAD_RELU, "return np.where(s > 0, 0.0, 1.0)")],
    loses=["grad_relu_values"],
)

grad_relu_returns_sums = mistake(
    "grad_relu",
    "Your `grad_relu` returns the sums themselves where they are positive: how steep is relu "
    "there?",
    [(GRAD_RELU, "return np.where(s > 0, s, 0.0)")],
    [(GRAD_RELU, "return s")],
    [(GRAD_RELU, "return np.where(s > 0, s, 1.0)")],
    loses=["grad_relu_values"],
)

grad_relu_sign = mistake(
    "grad_relu",
    "Your `grad_relu` is -1 for negative sums: how steep is relu there?",
    [(GRAD_RELU, "return np.sign(s)")],
    [(GRAD_RELU, "return np.where(s > 0, 1.0, -1.0)")],
    loses=["grad_relu_values"],
)

grad_relu_always_one = mistake(
    "grad_relu",
    "Your `grad_relu` is 1 everywhere, for negative sums too.",
    [(GRAD_RELU, "return np.ones_like(s)")],
    loses=["grad_relu_values"],
)

grad_relu_leaky = mistake(
    "grad_relu",
    "Your `grad_relu` is the derivative of a leaky relu: it lets a part of the gradient through "
    "where the sum is negative.",
    [(GRAD_RELU, "return np.where(s > 0, 1.0, 0.01)")],
    [(GRAD_RELU, "return np.where(s > 0, 1.0, 0.1)")],
    [(GRAD_RELU, "return np.where(s > 0, 1.0, 0.2)")],
    loses=["grad_relu_values"],
)

grad_relu_of_tanh = mistake(
    "grad_relu",
    "Your `grad_relu` is a derivative of tanh.",
    [(GRAD_RELU, "return 1 - s**2")],
    [(GRAD_RELU, "return 1 - np.tanh(s) ** 2")],
    loses=["grad_relu_values"],
)

# ------------------------------------------------------------------------------- network
HIDDEN = "return self.relu(S)"
OUTPUT = "self.Ys.append(_weighted_sums(self.Ys[-1], self.Ws[-1]))"
BACK_WEIGHTS = "back_to_outputs = delta @ self.Ws[layer][1:].T"
SLOPE = "return self.grad_relu(S)"
DELTA = "delta = -(T - self.Ys[-1]) / (n_samples * n_outputs)"
BIAS = "self.dE_dWs[layer][0] = delta.sum(axis=0)"
THROUGH_ALL = [
    "network_forward",
    "network_gradient",
    "network_inactive",
    "network_two_steps",
]

# With relu, whose outputs are never negative, a derivative of 1 at an output of 0 and none at all
# come to the same; so the sentence holds for both.
network_slope_one_at_zero = mistake(
    "relu_network",
    "Your network lets gradient through inactive units: look at the line where `gradient_f` uses "
    "relu's derivative, and at what yours says of an output of 0.",
    [(GRAD_RELU, "return np.heaviside(s, 1)"), ON_OUTPUTS],
    [(BACK, "delta = back_to_outputs")],
    loses=["network_gradient", "network_inactive"],
)

network_slope_of_tanh = mistake(
    "relu_network",
    "Your network goes back through its relu layers with the derivative of tanh: look at "
    "`gradient_f`, where the activation function matters too.",
    [(SLOPE, "return 1 - self.relu(S) ** 2")],
    [(SLOPE, "return grad_tanh(S)")],
    loses=["network_gradient", "network_inactive"],
)

network_one_minus_slope = mistake(
    "relu_network",
    "Your network goes back through its relu layers with 1 minus the derivative: that is how the "
    "line for tanh begins, but relu's derivative is what it is.",
    [
        (
            BACK,
            BACK.replace(
                "self.grad_activation(self.Ss[layer - 1])",
                "(1 - self.grad_activation(self.Ss[layer - 1]))",
            ),
        )
    ],
    [
        (
            BACK,
            BACK.replace(
                "self.grad_activation(self.Ss[layer - 1])",
                "(1 - self.grad_activation(self.Ss[layer - 1]) ** 2)",
            ),
        )
    ],
    loses=["network_gradient", "network_inactive"],
)

network_squared_output = mistake(
    "relu_network",
    "Your network squares its outputs: the output layer is linear.",
    [(OUTPUT, OUTPUT[:-1] + " ** 2)")],
    loses=["network_forward", "network_gradient", "network_two_steps"],
)

network_relu_on_output = mistake(
    "relu_network",
    "Your network's output layer goes through relu: it could never predict a negative number.",
    [
        (
            OUTPUT,
            (
                "out = _weighted_sums(self.Ys[-1], self.Ws[-1])\n        self.Ys.append("
                "self.relu(out) if self.activation_function == 'relu' else out)"
            ),
        )
    ],
    loses=["network_forward", "network_gradient", "network_two_steps"],
)

network_bias_sent_back = mistake(
    "relu_network",
    "Your network sends delta back through the bias weights as well: which rows of a weight matrix "
    "belong to the outputs of the layer below?",
    [(BACK_WEIGHTS, BACK_WEIGHTS.replace("[1:]", "[:-1]"))],
    [(BACK_WEIGHTS, BACK_WEIGHTS.replace("[1:]", ""))],
    loses=["network_gradient"],
)

network_still_tanh = mistake(
    "relu_network",
    "Your network's forward pass goes through tanh although relu was asked for.",
    [(HIDDEN, "return tanh(S)")],
    [(HIDDEN, "return tanh(S)"), (SLOPE, "return grad_tanh(S)")],
    loses=THROUGH_ALL,
)

network_linear = mistake(
    "relu_network",
    "Your network's hidden layers are linear: their weighted sums go through no activation "
    "function where relu was asked for.",
    [(HIDDEN, "return S")],
    loses=THROUGH_ALL,
)

network_gradient_of_sum = mistake(
    "relu_network",
    "Your network's gradient is that of the sum of the squared errors: the error is their mean.",
    [(DELTA, "delta = -(T - self.Ys[-1])")],
    [(DELTA, "delta = -(T - self.Ys[-1]) / n_outputs")],
    loses=["network_gradient"],
)

network_gradient_uphill = mistake(
    "relu_network",
    "Your network's gradient points downhill: look at the sign in delta.",
    [(DELTA, DELTA.replace("-(T", "(T"))],
    loses=["network_gradient"],
)

# ------------------------------------------------------------------------------- partition
FOLDS = "validate, test, train = rows[:size], rows[size : 2 * size], rows[2 * size :]"
SHUFFLE = "np.random.shuffle(rows)"

partition_validation_and_test_swapped = mistake(
    "partition",
    "Your `partition` has validation and test exchanged: which fold is which?",
    [(FOLDS, FOLDS.replace("validate, test", "test, validate"))],
    loses=["partition_order"],
)

partition_train_first = mistake(
    "partition",
    "Your `partition` trains with the first folds: look at which folds the handout sets aside.",
    [
        (
            FOLDS,
            (
                "last = n - 2 * size\n    train, validate, test = "
                "rows[:last], rows[last : last + size], rows[last + size :]"
            ),
        )
    ],
    [
        (
            FOLDS,
            (
                "last = n - 2 * size\n    train, test, validate = "
                "rows[:last], rows[last : last + size], rows[last + size :]"
            ),
        )
    ],
    [
        (
            FOLDS,
            (
                "train, validate, test = rows[:size * (n_folds - 2)], "
                "rows[size * (n_folds - 2) : size * (n_folds - 1)], rows[size * (n_folds - 1) :]"
            ),
        )
    ],
    loses=["partition_order"],
)

partition_remainder_dropped = mistake(
    "partition",
    "Your `partition` drops the rows that are left over where the rows do not divide evenly.",
    [(FOLDS, FOLDS.replace("rows[2 * size :]", "rows[2 * size : n_folds * size]"))],
    loses=["partition_remainder"],
)

partition_remainder_in_first_fold = mistake(
    "partition",
    "Your `partition` gives the rows that are left over to the first fold: which fold should take "
    "them?",
    [
        (
            FOLDS,
            (
                "first = n - (n_folds - 1) * size\n    validate, test, train = "
                "rows[:first], rows[first : first + size], rows[first + size :]"
            ),
        )
    ],
    loses=["partition_remainder"],
)

partition_remainder_in_test = mistake(
    "partition",
    "Your `partition` gives the rows that are left over to the test fold: which fold should take "
    "them?",
    [
        (
            FOLDS,
            (
                "more = size + n % n_folds\n    validate, test, train = "
                "rows[:size], rows[size : size + more], rows[size + more :]"
            ),
        )
    ],
    loses=["partition_remainder"],
)

partition_remainder_spread = mistake(
    "partition",
    "Your `partition` spreads the rows that are left over evenly over the first folds: which fold "
    "should take them?",
    [
        (
            FOLDS,
            (
                "folds = np.array_split(rows, n_folds)\n    validate, test, train = "
                "folds[0], folds[1], np.concatenate(folds[2:])"
            ),
        )
    ],
    loses=["partition_remainder"],
)

partition_shuffled_apart = mistake(
    "partition",
    "Your `partition` shuffles X and T each in an order of its own: no row of X keeps its target.",
    [(FOLDS, f"{FOLDS}\n    if random_shuffle:\n        T = T[np.random.permutation(n)]")],
    [
        (
            SHUFFLE,
            "X, T = X.copy(), T.copy()\n        np.random.shuffle(X)\n        np.random.shuffle(T)",
        )
    ],
    loses=["partition_rows_together"],
)

partition_only_inputs_shuffled = mistake(
    "partition",
    "Your `partition` shuffles X and leaves T in its order: no row of X keeps its target.",
    [
        (
            "return X[train], T[train], X[validate], T[validate], X[test], T[test]",
            (
                "at = np.arange(n)\n    v, t, r = at[:size], at[size : 2 * size], at[2 * size :]\n"
                "    return X[train], T[r], X[validate], T[v], X[test], T[t]"
            ),
        )
    ],
    loses=["partition_rows_together"],
)

partition_folds_overlap = mistake(
    "partition",
    "Your `partition` puts some rows into two folds: a test on rows that were trained with tells "
    "nothing. Look at where each fold begins and ends.",
    [(FOLDS, FOLDS.replace("rows[size : 2 * size]", "rows[size - 1 : 2 * size - 1]"))],
    [(FOLDS, FOLDS.replace("rows[2 * size :]", "rows"))],
    loses=["partition_complete", "partition_order"],
)

partition_trains_from_fold_1 = mistake(
    "partition",
    "Your `partition` trains with fold 1 as well, which is there to test with.",
    [(FOLDS, FOLDS.replace("rows[2 * size :]", "rows[size:]"))],
    loses=["partition_shapes", "partition_remainder", "partition_order", "partition_complete"],
)

partition_not_shuffled = mistake(
    "partition",
    "Your `partition` does not shuffle, whatever `random_shuffle` says.",
    [(SHUFFLE, "pass")],
    loses=["partition_shuffling"],
)

partition_always_shuffled = mistake(
    "partition",
    "Your `partition` shuffles even where `random_shuffle` is False.",
    [("    if random_shuffle:\n", "    if True:\n")],
    loses=["partition_order"],
)

# ------------------------------------------------------------------------------- run_experiment
ONCE = "    Xtrain, Ttrain, Xvalidate, Tvalidate, Xtest, Ttest = partition(X, T, n_folds)\n"
NETWORK = "                network = NeuralNetwork(Xtrain.shape[1], nh, Ttrain.shape[1], act)\n"
TRAIN = 'network.train(Xtrain, Ttrain, epochs, LEARNING_RATE, method="adam")'
BY_EPOCHS = "    for epochs in n_epochs_choices:\n"
BY_LAYERS = "for nh in n_hidden_units_per_layer_choices:\n"
BY_ACTIVATION = "for act in activation_function_choices:\n"
RMSE = "return float(np.sqrt(np.mean((Y - T) ** 2)))"
VAL_ERROR = "rmse(network.use(Xvalidate), Tvalidate)"
TEST_ERROR = "rmse(network.use(Xtest), Ttest)"
TRAIN_ERROR = "rmse(network.use(Xtrain), Ttrain)"
TABLE = "return pd.DataFrame(results)"

experiment_partitions_each_time = mistake(
    "run_experiment",
    "Your `run_experiment` partitions the data anew for each setting, so that no two settings are "
    "compared on the same rows. Look at where the call of `partition` stands.",
    [(NETWORK, f"            {ONCE}{NETWORK}"), (f"{ONCE}    results", "    results")],
    [(NETWORK, f"            {ONCE}{NETWORK}")],
    [
        (f"        {BY_LAYERS}", f"    {ONCE}        {BY_LAYERS}"),
        (f"{ONCE}    results", "    results"),
    ],
    [
        (f"            {BY_ACTIVATION}", f"        {ONCE}            {BY_ACTIVATION}"),
        (f"{ONCE}    results", "    results"),
    ],
    loses=["experiment_one_partition"],
)

experiment_trains_with_sgd = mistake(
    "run_experiment",
    "Your `run_experiment` trains its networks with SGD: look at how `train` is told what to use.",
    [(', method="adam")', ', method="sgd")')],
    [(', method="adam")', ")")],
    loses=["experiment_adam"],
)

experiment_mean_squares = mistake(
    "run_experiment",
    "Your `run_experiment` reports mean squared errors: they are not in the units of the target.",
    [(RMSE, "return float(np.mean((Y - T) ** 2))")],
    loses=["experiment_rmse"],
)

experiment_root_of_sum = mistake(
    "run_experiment",
    "Your `run_experiment` takes the root of a sum of squares: such an error grows with the number "
    "of rows.",
    [(RMSE, "return float(np.sqrt(np.sum((Y - T) ** 2)))")],
    loses=["experiment_rmse", "experiment_sets"],
)

experiment_mean_differences = mistake(
    "run_experiment",
    "Your `run_experiment` averages the differences themselves, not their squares.",
    [(RMSE, "return float(np.mean(np.abs(Y - T)))")],
    [(RMSE, "return float(np.sqrt(np.mean(Y - T) ** 2))")],
    [(RMSE, "return float(np.mean(Y - T))")],
    loses=["experiment_rmse", "experiment_sets"],
)

experiment_other_order = mistake(
    "run_experiment",
    "Your `run_experiment` goes through the settings in another order than the handout's: look at "
    "which loop is inside which.",
    [(BY_EPOCHS, f"    {BY_ACTIVATION}"), (f"            {BY_ACTIVATION}", f"        {BY_EPOCHS}")],
    [
        (BY_EPOCHS, f"    {BY_LAYERS}"),
        (f"        {BY_LAYERS}            ", f"    {BY_EPOCHS}            "),
    ],
    [
        (BY_LAYERS, "for act_ in activation_function_choices:\n"),
        (BY_ACTIVATION, BY_LAYERS),
        ("for act_ in", "for act in"),
    ],
    [
        (BY_EPOCHS, f"    {BY_LAYERS}"),
        (
            f"        {BY_LAYERS}            {BY_ACTIVATION}",
            f"        {BY_ACTIVATION}            for epochs in n_epochs_choices:\n",
        ),
    ],
    [
        (BY_EPOCHS, f"    {BY_ACTIVATION}"),
        (
            f"        {BY_LAYERS}            {BY_ACTIVATION}",
            f"        for epochs in n_epochs_choices:\n            {BY_LAYERS}",
        ),
    ],
    loses=["experiment_grid"],
)

experiment_one_network = mistake(
    "run_experiment",
    "Your `run_experiment` trains one network on and on: each setting should begin with a network "
    "of its own, that has learned nothing yet.",
    [
        (f"    {BY_EPOCHS.strip()}\n", f"    networks = {{}}\n{BY_EPOCHS}"),
        (
            NETWORK,
            NETWORK.replace(
                "network = NeuralNetwork(",
                "network = networks.setdefault((str(nh), act), NeuralNetwork(",
            ).replace("act)\n", "act))\n"),
        ),
    ],
    [
        (NETWORK, ""),
        (
            f"            {BY_ACTIVATION}",
            (
                "            network = NeuralNetwork(Xtrain.shape[1], nh, Ttrain.shape[1], "
                f"activation_function_choices[0])\n            {BY_ACTIVATION}"
            ),
        ),
    ],
    loses=["experiment_grid"],
)

experiment_no_hidden_skipped = mistake(
    "run_experiment",
    "Your `run_experiment` skips `[0]`, the network without hidden layers.",
    [(NETWORK, f"                if nh == [0]:\n                    continue\n{NETWORK}")],
    loses=["experiment_no_hidden"],
)

experiment_test_on_training_rows = mistake(
    "run_experiment",
    "Your `run_experiment` takes the test error on the training rows.",
    [(TEST_ERROR, TRAIN_ERROR)],
    loses=["experiment_sets"],
)

experiment_validation_on_training_rows = mistake(
    "run_experiment",
    "Your `run_experiment` takes the validation error on the training rows.",
    [(VAL_ERROR, TRAIN_ERROR)],
    loses=["experiment_sets"],
)

experiment_validation_and_test_swapped = mistake(
    "run_experiment",
    "Your `run_experiment` has the validation and the test error exchanged.",
    [(VAL_ERROR, "VALIDATION"), (TEST_ERROR, VAL_ERROR), ("VALIDATION", TEST_ERROR)],
    loses=["experiment_sets"],
)

experiment_returns_nothing = mistake(
    "run_experiment",
    "Your `run_experiment` returns nothing: the table is lost when the function ends.",
    [(TABLE, "pd.DataFrame(results)")],
    loses=["experiment_rmse", "experiment_sets", "experiment_columns", "experiment_table"],
)

experiment_returns_list = mistake(
    "run_experiment",
    "Your `run_experiment` returns a list: the handout wants a pandas DataFrame.",
    [(TABLE, "return results")],
    [(TABLE, "return [list(row.values()) for row in results]")],
    loses=["experiment_rmse", "experiment_sets", "experiment_columns", "experiment_table"],
)

experiment_returns_too_early = mistake(
    "run_experiment",
    "Your `run_experiment` returns before all settings are done: look at how far `return` is "
    "indented.",
    [(f"    {TABLE}", f"            {TABLE}")],
    [(f"    {TABLE}", f"                {TABLE}")],
    [(f"    {TABLE}", f"        {TABLE}")],
    loses=["experiment_grid", "experiment_no_hidden"],
)

# ------------------------------------------------------------------------------- swish
swish_gradient_first_term = mistake(
    "swish",
    "Your derivative of swish is the sigmoid alone: swish is a product, and both factors change "
    "with x.",
    [("return sigma + s * sigma * (1 - sigma)", "return sigma")],
    loses=["swish_gradient"],
)

swish_gradient_second_term = mistake(
    "swish",
    "Your derivative of swish has one term of two: swish is a product, and both factors change "
    "with x.",
    [("return sigma + s * sigma * (1 - sigma)", "return s * sigma * (1 - sigma)")],
    [("return sigma + s * sigma * (1 - sigma)", "return sigma * (1 - sigma)")],
    loses=["swish_gradient"],
)

swish_is_sigmoid = mistake(
    "swish",
    "Your swish is the sigmoid alone.",
    [("return s * sigmoid(s)", "return sigmoid(s)")],
    loses=["swish_values", "swish_network"],
)

# ------------------------------------------------------------------------------- right, too
factor_two_kept = right([(DELTA, DELTA.replace("-(T", "-2 * (T"))])

adam_of_scaled_gradient = right([(MT, f"gradient = learning_rate * gradient\n            {MT}")])

adam_other_names = right(
    [
        (MEAN, "m_hat = self.mt / (1 - self.beta1t)"),
        (MEAN_SQUARE, "v_hat = self.vt / (1 - self.beta2t)"),
        (STEP, "learning_rate * m_hat / (np.sqrt(v_hat) + EPSILON)"),
        ("for epoch in range(n_epochs)", "for step in range(n_epochs)"),
        (", epoch, n_epochs, error_trace[-1])", ", step, n_epochs, error_trace[-1])"),
    ]
)

adam_corrected_learning_rate = right(
    [
        (
            UPDATE,
            (
                "rate = learning_rate * np.sqrt(1 - self.beta2t) / (1 - self.beta1t)\n"
                "            self.all_weights -= rate * self.mt / (np.sqrt(self.vt) + EPSILON)"
            ),
        ),
    ]
)

adam_with_loops = right(
    [
        (
            UPDATE,
            (
                "for i in range(len(self.all_weights)):\n                self.all_weights[i] -= "
                "learning_rate * mean[i] / (mean_square[i] ** 0.5 + EPSILON)"
            ),
        ),
    ]
)

adam_by_helper_function = right(
    [
        (UPDATE, "self._step(learning_rate, mean, mean_square)"),
        (
            "    def sgd(",
            (
                "    def _step(self, rate, m, v):\n"
                "        self.all_weights[:] -= rate * m / (np.sqrt(v) + EPSILON)\n\n"
                "    def sgd("
            ),
        ),
    ]
)

adam_state_made_when_needed = right(
    [
        (
            (
                "        self.mt = np.zeros_like(all_weights)\n"
                "        self.vt = np.zeros_like(all_weights)\n"
            ),
            "        self.mt = self.vt = None\n",
        ),
        (
            MT,
            (
                f"if self.mt is None:\n                self.mt = np.zeros(len(self.all_weights))\n"
                f"                self.vt = np.zeros(len(self.all_weights))\n            {MT}"
            ),
        ),
    ]
)

use_takes_standardized_inputs = right([(USE, "Y = self.forward_pass(X)[-1]")])

use_on_a_copy = right(
    [
        (
            USE,
            (
                "X = X.copy()\n        X -= self.Xmeans\n        X /= self.Xstds\n"
                "        Y = self.forward_pass(X)[-1]"
            ),
        ),
    ]
)

relu_on_a_copy = right([(RELU, "s = s.copy()\n    s[s < 0] = 0\n    return s")])

relu_by_multiplying = right([(RELU, "return s * (s > 0)")])

relu_with_loops = right(
    [
        (
            RELU,
            (
                "result = np.zeros(s.shape)\n    for i in range(s.shape[0]):\n"
                "        for j in range(s.shape[1]):\n            if s[i, j] > 0:\n"
                "                result[i, j] = s[i, j]\n    return result"
            ),
        ),
    ]
)

relu_vectorized = right(
    [
        (RELU, "return np.vectorize(lambda each: max(0.0, each))(s)"),
        (GRAD_RELU, "return np.vectorize(lambda each: 1.0 if each > 0 else 0.0)(s)"),
    ]
)

relu_decorated = right(
    [
        (
            "def relu(s: Floats)",
            (
                "def noted(function):\n    def wrapper(*args, **kwargs):\n        "
                "return function(*args, **kwargs)\n\n    return wrapper\n\n\n@noted\n"
                "def relu(s: Floats)"
            ),
        ),
    ]
)

relu_static = right(
    [
        ("    def relu(self, s: Floats)", "    @staticmethod\n    def relu(s: Floats)"),
        ("    def grad_relu(self, s: Floats)", "    @staticmethod\n    def grad_relu(s: Floats)"),
    ]
)

grad_relu_of_booleans = right([(GRAD_RELU, "return s > 0")])

grad_relu_on_outputs = right([ON_OUTPUTS])

grad_relu_one_at_zero_of_sums = right([(GRAD_RELU, "return np.heaviside(s, 1)")])

derivative_called_drelu = right([("grad_relu", "drelu")])

functions_only = right(
    [
        ("self.relu(S)", "relu(S)"),
        ("self.grad_relu(S)", "grad_relu(S)"),
        ("def relu(self", "def not_here(self"),
        ("def grad_relu(self", "def not_there(self"),
    ]
)

network_as_subclass = right(
    [
        (
            "class NeuralNetwork:",
            (
                "class Named:\n    def __repr__(self):\n        return 'a network'\n"
                "\n\nclass NeuralNetwork(Named):"
            ),
        ),
    ]
)

network_in_single_precision = right(
    [
        (
            "vector = np.concatenate([layer.ravel() for layer in layers])",
            "vector = np.concatenate([layer.ravel() for layer in layers]).astype(np.float32)",
        ),
    ]
)

network_with_column_of_ones = right(
    [
        (
            "sums: Floats = W[0] + Y @ W[1:]",
            "sums: Floats = np.hstack([np.ones((len(Y), 1)), Y]) @ W",
        ),
    ]
)

partition_sets_seed = right(
    [("rows = np.arange(n)", "np.random.seed(42)\n    rows = np.arange(n)")]
)

partition_by_permutation = right(
    [
        (SHUFFLE, "rows = np.random.default_rng(7).permutation(n)"),
    ]
)

partition_by_loop = right(
    [
        (
            FOLDS,
            (
                "folds = []\n    for fold in range(n_folds):\n        first = fold * size\n"
                "        last = n if fold == n_folds - 1 else first + size\n"
                "        folds.append(rows[first:last])\n    validate, test = folds[0], folds[1]\n"
                "    train = np.hstack(folds[2:])"
            ),
        ),
    ]
)

partition_keyword_only = right(
    [
        ("    T: Rows,\n    n_folds: int,", "    T: Rows,\n    *,\n    n_folds: int,"),
        ("partition(X, T, n_folds)", "partition(X, T, n_folds=n_folds)"),
    ]
)

experiment_other_loop_variables = right(
    [
        ("for nh in", "for structure in"),
        ("Xtrain.shape[1], nh,", "Xtrain.shape[1], structure,"),
        ('"nh": nh', '"nh": structure'),
    ]
)

experiment_by_product = right(
    [
        (
            "import numpy as np\nimport pandas",
            "import itertools\n\nimport numpy as np\nimport pandas",
        ),
        (
            f"{BY_EPOCHS}        {BY_LAYERS}            {BY_ACTIVATION}",
            (
                "    for epochs, nh, act in itertools.product(\n        n_epochs_choices, "
                "n_hidden_units_per_layer_choices, activation_function_choices\n    ):\n"
                "            if True:\n"
            ),
        ),
    ]
)

experiment_all_by_keyword = right(
    [
        (
            TRAIN,
            (
                "network.train(X=Xtrain, T=Ttrain, n_epochs=epochs, learning_rate=LEARNING_RATE, "
                'method="adam")'
            ),
        ),
        (
            "NeuralNetwork(Xtrain.shape[1], nh, Ttrain.shape[1], act)",
            (
                "NeuralNetwork(n_inputs=Xtrain.shape[1], n_hiddens_per_layer=nh, "
                "n_outputs=Ttrain.shape[1], activation_function=act)"
            ),
        ),
    ]
)

experiment_table_row_by_row = right(
    [
        (
            TABLE,
            (
                "table = pd.DataFrame(columns=list(results[0]))\n    for row in results:\n"
                "        table.loc[len(table)] = list(row.values())\n    return table"
            ),
        ),
    ]
)

experiment_table_by_concat = right(
    [
        (TABLE, "return pd.concat([pd.DataFrame([row]) for row in results], ignore_index=True)"),
    ]
)

experiment_column_called_func = right([('"act func"', '"func"')])

experiment_with_typed_arguments = right(
    [
        ("    n_epochs_choices: Sequence[int],", '    n_epochs_choices: "list[int]",'),
    ]
)
