"""The fault table of A2: every known mistake costs in its own item only, and is named."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grader.errors import PackError
from tests.rubrics.students import (
    bench,
    changes_of,
    exam,
    handouts_solution,
    lost,
    results_of_code,
    varied,
)

PACK = exam().pack
NAMES = sorted(PACK.mistakes)
CHECKS = {item.id: {rule.id for rule in item.check} for item in PACK.rubric.item}

ASKED_FOR = {
    "Adam without bias correction": "adam_no_bias_correction",
    "beta in place of beta**t": "adam_beta_without_power",
    "corrections swapped": "adam_corrections_swapped",
    "epsilon inside the root": "adam_epsilon_inside_root",
    "square root forgotten": "adam_no_square_root",
    "sign wrong": "adam_uphill",
    "state reset each call": "adam_state_reset",
    "weights rebound instead of updated in place": "adam_weights_rebound",
    "gradient not squared": "adam_gradient_not_squared",
    "learning rate applied twice with effect": "adam_learning_rate_twice",
    "use not unstandardizing": "use_left_standardized",
    "use with T's mean and deviation exchanged": "use_mean_and_deviation_swapped",
    "use returning the list of layers": "use_returns_layers",
    "use standardizing with the new data's own mean": "use_standardizes_with_new_data",
    "use changing its input": "use_changes_input",
    "relu by np.max": "relu_np_max",
    "relu in place": "relu_in_place",
    "relu absolute value": "relu_absolute",
    "relu leaky": "relu_leaky",
    "relu clipped at 1": "relu_clipped",
    "grad_relu in place": "grad_relu_in_place",
    "grad_relu 1 at zero on outputs": "network_slope_one_at_zero",
    "grad_relu returning s itself": "grad_relu_returns_sums",
    "grad_relu booleans inverted": "grad_relu_inverted",
    "relu_network with tanh's derivative": "network_slope_of_tanh",
    "relu_network with 1 - gradient": "network_one_minus_slope",
    "relu_network with squared outputs": "network_squared_output",
    "relu on the output layer": "network_relu_on_output",
    "bias row included in the back-propagated weights": "network_bias_sent_back",
    "validation and test exchanged": "partition_validation_and_test_swapped",
    "remainder dropped": "partition_remainder_dropped",
    "remainder added to the first fold": "partition_remainder_in_first_fold",
    "X and T shuffled apart": "partition_shuffled_apart",
    "folds overlapping": "partition_folds_overlap",
    "no shuffling": "partition_not_shuffled",
    "training from fold 1": "partition_trains_from_fold_1",
    "a new partition each setting": "experiment_partitions_each_time",
    "SGD": "experiment_trains_with_sgd",
    "MSE": "experiment_mean_squares",
    "loops in another order": "experiment_other_order",
    "one network trained on and on": "experiment_one_network",
    "test error on the training set": "experiment_test_on_training_rows",
    "[0] skipped": "experiment_no_hidden_skipped",
    "nothing returned": "experiment_returns_nothing",
    "swish without its x sigmoid' term": "swish_gradient_first_term",
}
STYLES = {
    "Adam fed lr g": "adam_of_scaled_gradient",
    "factor 2 kept": "factor_two_kept",
    "other loop variables": "experiment_other_loop_variables",
    "functions instead of methods": "functions_only",
    "float32": "network_in_single_precision",
    "vectorised": "relu_vectorized",
    "written with loops": "relu_with_loops",
    "helper functions": "adam_by_helper_function",
    "pandas 2 idioms": "experiment_table_by_concat",
    "type hints": "experiment_with_typed_arguments",
    "subclasses": "network_as_subclass",
    "decorators": "relu_decorated",
    "keyword-only use": "partition_keyword_only",
}


# ------------------------------------------------------------------------------- the catalogue
def test_the_catalogue_has_what_students_are_known_for() -> None:
    assert len(NAMES) >= 40
    assert set() == set(ASKED_FOR.values()) - set(NAMES)
    assert len(PACK.rights) >= 15
    assert set() == set(STYLES.values()) - set(PACK.rights)


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_costs_what_it_should_and_is_named(name: str) -> None:
    """In whichever way it is made: in its own item only, and by its name."""
    known = PACK.mistakes[name]
    first, *others = (
        {check.check_id: check.mistake for check in trial.lost} for trial in bench().trials_of(name)
    )
    assert known.loses is not None
    assert dict.fromkeys(known.loses, name) == first
    for other in others:
        assert other
        assert other.keys() <= CHECKS[known.item]
        assert {name} == set(other.values())


@pytest.mark.parametrize("name", ["", *sorted(PACK.rights)])
def test_a_right_solution_in_any_style_loses_nothing(name: str) -> None:
    """The one without a name is the reference as it is."""
    assert {} == lost(bench().of_changes(changes_of(*filter(None, [name]))))


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(pair=st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))
def test_two_mistakes_in_different_items_are_both_named(pair: list[str]) -> None:
    """They cost what each costs alone."""
    first, second = (PACK.mistakes[name] for name in pair)
    assume(first.item != second.item)
    try:
        found = lost(bench().of_changes(changes_of(*pair)))
    except PackError:
        assume(False)  # the two are changes of the same words: nobody can make both
    assert first.loses is not None
    assert second.loses is not None
    assert dict.fromkeys(first.loses, pair[0]) | dict.fromkeys(second.loses, pair[1]) == found


def test_an_empty_notebook_loses_everything_and_no_mistake_is_guessed() -> None:
    """Missing evidence never earns points."""
    assert dict.fromkeys((rule.id for rule in PACK.rubric.checks), None) == lost(
        results_of_code("")
    )


# ------------------------------------------------------------------------------- not in it
ALL_OF_ADAM = {"adam_parabola", "adam_one_step", "adam_continued", "adam_several_weights"}
OTHERWISE_WRONG = {
    "another beta1": (
        ("self.beta1 = 0.9\n", "self.beta1 = 0.8\n"),
        ALL_OF_ADAM - {"adam_one_step"},
    ),
    "a step of 1% more": (("learning_rate * mean /", "1.01 * learning_rate * mean /"), ALL_OF_ADAM),
    "a cube for the square": (("* gradient**2", "* abs(gradient) ** 3"), ALL_OF_ADAM),
    "use a little off": (
        ("return Y * self.Tstds +", "return 1.001 * Y * self.Tstds +"),
        {"use_values", "use_several_outputs"},
    ),
    "relu above 0.05": (
        ("return np.maximum(s, 0)", "return np.maximum(s, 0.05)"),
        {"relu_values"},
    ),
    "another leak": (
        ("return np.maximum(s, 0)", "return np.maximum(s, 0.03 * s)"),
        {"relu_values"},
    ),
    "half a slope": (
        ("return np.where(s > 0, 1.0, 0.0)", "return np.where(s > 0, 0.5, 0.0)"),
        {"grad_relu_values"},
    ),
    "half a bias": (
        ("sums: Floats = W[0] + ", "sums: Floats = 0.5 * W[0] + "),
        {"network_forward", "network_gradient", "network_two_steps", "swish_network"},
    ),
    "one row more": (
        ("rows[:size], rows[size :", "rows[: size + 1], rows[size + 1 :"),
        {"partition_shapes", "partition_remainder", "partition_order"},
    ),
    "errors doubled": (
        ("return float(np.sqrt(", "return 2 * float(np.sqrt("),
        {"experiment_rmse", "experiment_sets"},
    ),
    "a column of another name": (('"RMSE Val"', '"Validation"'), {"experiment_columns"}),
    "a steeper swish": (
        ("return s * sigmoid(s)", "return s * sigmoid(1.1 * s)"),
        {"swish_values", "swish_network"},
    ),
}


@pytest.mark.parametrize("what", OTHERWISE_WRONG)
def test_what_is_wrong_in_a_way_of_its_own_has_no_name(what: str) -> None:
    change, checks = OTHERWISE_WRONG[what]
    assert dict.fromkeys(checks, None) == lost(bench().of_changes([change]))


def test_a_network_without_any_relu_loses_what_is_about_relu() -> None:
    """It answers as no one mistake does where relu is to be called, so no name is guessed there."""
    no_relu = [
        *[("self.relu(S)", "tanh(S)"), ("self.grad_relu(S)", "grad_tanh(S)")],
        *[("def relu(", "def not_here("), ("def grad_relu(", "def not_there(")],
    ]
    found = lost(results_of_code(varied(*no_relu)))
    alone = CHECKS["relu"] | CHECKS["grad_relu"]
    assert alone | CHECKS["relu_network"] == found.keys()
    assert {None} == {found[check] for check in alone}


# ------------------------------------------------------------------------------- in other words
ADAM = """
def adam(self, error_f, gradient_f, fargs=[], n_epochs=10, learning_rate=0.1, error_convert_f=None):
    errors = []
    while len(errors) < n_epochs:
        err, g = error_f(*fargs), gradient_f(*fargs)
        errors.append(error_convert_f(err) if error_convert_f else err)
        {body}
    return errors
Optimizers.adam = adam
"""
USE = "NeuralNetwork.use = lambda net, A: "
RELU = "NeuralNetwork.relu = lambda net, z: "
SLOPE = "NeuralNetwork.grad_relu = lambda net, z: "
FOLDS = """
def partition(inputs, targets, n_folds, random_shuffle=True):
    order = np.array(list(range(len(inputs))))
    if random_shuffle:
        order = np.random.permutation(order)
    k = int(len(inputs) / n_folds)
    {body}
    return inputs[c], targets[c], inputs[a], targets[a], inputs[b], targets[b]
"""
EXPERIMENT = """
def run_experiment(A, B, n_folds, epochs, hidden, functions):
    import itertools
    a, b, c, d, e, f = partition(A, B, n_folds)
    table = pd.DataFrame(columns=['epochs', 'nh', 'lr', 'act func',
                                  'RMSE Train', 'RMSE Val', 'RMSE Test'])
    for {order}:
        net = NeuralNetwork(a.shape[1], h, b.shape[1], fn)
        net.train(a, b, n, 0.01, method='adam')
        pairs = (net.use(a), b), (net.use(c), d), (net.use(e), f)
        errors = [{error} for p, t in pairs]
        table.loc[len(table)] = [n, h, 0.01, fn, *errors]
    return table
"""
IN_ORDER = "n, h, fn in itertools.product(epochs, hidden, functions)"
ROOT = "(((p - t) ** 2).sum() / t.size) ** 0.5"


def steps(*lines: str) -> str:
    return ADAM.format(body="\n        ".join(lines))


IN_OTHER_WORDS = {
    "adam_no_bias_correction": steps(
        "self.mt = self.mt - 0.1 * (self.mt - g)",
        "self.vt = self.vt - 0.001 * (self.vt - g * g)",
        "for i in range(len(g)):",
        "    self.all_weights[i] -= learning_rate * self.mt[i] / (self.vt[i] ** 0.5 + 1e-8)",
    ),
    "adam_beta_without_power": steps(
        "b, c = self.beta1, self.beta2",
        "self.mt, self.vt = b * self.mt + (1 - b) * g, c * self.vt + (1 - c) * np.square(g)",
        "step = self.mt / (1 - b) / (np.sqrt(self.vt / (1 - c)) + 1e-8)",
        "self.all_weights[:] = self.all_weights - learning_rate * step",
    ),
    "adam_uphill": steps(
        "self.beta1t, self.beta2t = self.beta1t * 0.9, self.beta2t * 0.999",
        "self.mt = 0.9 * self.mt + 0.1 * g",
        "self.vt = 0.999 * self.vt + 0.001 * g ** 2",
        "np.add(self.all_weights, learning_rate * (self.mt / (1 - self.beta1t)) / (1e-8 +",
        "       (self.vt / (1 - self.beta2t)) ** 0.5), out=self.all_weights)",
    ),
    "use_left_standardized": USE + "net.forward_pass((A - net.Xmeans) / net.Xstds)[-1]",
    "use_mean_and_deviation_swapped": (
        USE + "net.Tstds + net.forward_pass((A - net.Xmeans) / net.Xstds).pop() * net.Tmeans"
    ),
    "relu_leaky": RELU + "np.where(z > 0, z, z / 100)",
    "relu_absolute": RELU + "np.sqrt(z ** 2)",
    "grad_relu_inverted": SLOPE + "(z <= 0).astype(int)",
    "grad_relu_returns_sums": SLOPE + "z * (z > 0)",
    "partition_remainder_dropped": FOLDS.format(
        body="a, b, *more = np.split(order[: k * n_folds], n_folds); c = np.concatenate(more)"
    ),
    "partition_validation_and_test_swapped": FOLDS.format(
        body="b, a, c = order[:k], order[k : k + k], order[k + k :]"
    ),
    "experiment_mean_squares": EXPERIMENT.format(order=IN_ORDER, error=ROOT.replace(" ** 0.5", "")),
    "experiment_other_order": EXPERIMENT.format(
        order="h, n, fn in itertools.product(hidden, epochs, functions)", error=ROOT
    ),
}


def test_the_solution_that_they_vary_loses_no_more_than_swish() -> None:
    code = handouts_solution() + EXPERIMENT.format(order=IN_ORDER, error=ROOT)
    assert CHECKS["swish"] == lost(results_of_code(code)).keys()


@pytest.mark.parametrize("name", IN_OTHER_WORDS)
def test_a_mistake_in_a_students_own_words_is_named(name: str) -> None:
    """The code has nothing of the reference's, and numbers that differ in their last digits."""
    found = lost(results_of_code(handouts_solution() + "\n" + IN_OTHER_WORDS[name]))
    known = PACK.mistakes[name]
    assert known.loses is not None
    mine = {check: said for check, said in found.items() if check not in CHECKS["swish"]}
    assert mine.keys() <= CHECKS[known.item]
    assert {name} == set(mine.values())


def test_a_notebook_of_one_piece_is_judged_as_the_reference_in_its_modules() -> None:
    changes = changes_of("adam_no_bias_correction", "relu_leaky")
    assert lost(bench().of_changes(changes)) == lost(results_of_code(varied(*changes)))
