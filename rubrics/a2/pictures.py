"""What A2 draws where a picture says it faster than numbers. Captions say it all the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from grader.pictures import (
    Answer,
    Chart,
    Listing,
    Role,
    Strip,
    Strips,
    agreement,
    curve,
    differing,
    dots,
    picture,
)

Floats = npt.NDArray[np.float64]
FOLDS = {"Xvalidate": "V", "Xtest": "E", "Xtrain": "t"}
KEY = {"V": "validation", "E": "test", "t": "training", "–": "no fold", "2": "two folds"}
NOWHERE, TWICE = "–", "2"
MOST_LEFT = 30


# ------------------------------------------------------------------------------- Adam
@picture
def adam_path(got: Answer, want: Answer) -> Chart:
    """The first weight on its way to the minimum."""
    yours, expected = got["path"].array(), want["path"].array()
    return Chart(
        series=(
            curve("expected", expected, role=Role.EXPECTED),
            curve("yours", yours),
        ),
        x_label="epoch",
        y_label="first weight",
        caption=(
            "The first weight, epoch by epoch: from the same start it should get to "
            f"{expected[-1]:.4g} in {len(expected) - 1} epochs; yours gets to {yours[-1]:.4g}."
        ),
    )


@picture
def adam_trace(got: Answer, want: Answer) -> Chart:
    yours, expected = got.array(), want.array()
    return Chart(
        series=(
            curve("expected", expected, role=Role.EXPECTED),
            dots("yours", yours),
        ),
        x_label="epoch",
        y_label="error in the trace",
        caption=(
            f"The trace, from {expected[0]:.4g} to {expected[-1]:.4g} as expected; yours has "
            f"{yours.size} errors, from {yours[0]:.4g} to {yours[-1]:.4g}."
        ),
    )


# ------------------------------------------------------------------------------- activations
@picture
def activation(got: Answer, want: Answer) -> Chart | None:
    """What the function makes of each weighted sum."""
    s, expected = want["s"].array().ravel(), want["values"].array().ravel()
    found = got["values"].array().ravel()
    if found.size != s.size:
        return None
    order = np.argsort(s)
    near = np.abs(found - expected) <= 1e-6 * max(1.0, float(np.max(np.abs(expected))))
    off = int(np.sum(~near))
    yours = (
        [
            dots("yours, right", found[near], s[near], role=Role.GUIDE),
            dots("yours, off", found[~near], s[~near]),
        ]
        if 0 < off < s.size
        else [dots("yours", found, s)]
    )
    return Chart(
        series=(
            curve("expected", expected[order], s[order], role=Role.EXPECTED),
            *yours,
        ),
        x_label="weighted sum",
        y_label="value",
        caption=(
            f"The value at each of {s.size} weighted sums: {off} of yours lie off the expected."
        ),
    )


@picture
def argument_after(got: Answer, want: Answer) -> Chart | None:
    """What the call left of its argument."""
    s, after = want["s"].array().ravel(), got["argument"].array().ravel()
    if after.size != s.size:
        return None
    changed = int(np.sum(after != s))
    order = np.argsort(s)
    return Chart(
        series=(
            curve("left as it was", s[order], s[order], role=Role.EXPECTED),
            dots("after your call", after[order], s[order]),
        ),
        x_label="the argument before the call",
        y_label="after the call",
        caption=f"The argument before and after: your function changed {changed} of {s.size}.",
    )


# ------------------------------------------------------------------------------- networks
@picture
def predictions(got: Answer, want: Answer) -> Chart | None:
    return _agreement(got["Y"], want["Y"], "prediction")


@picture
def outputs(got: Answer, want: Answer) -> Chart | None:
    return _agreement(got, want, "output")


@picture
def gradients(got: Answer, want: Answer) -> Chart | None:
    return _agreement(got, want, "derivative")


@picture
def second_step(got: Answer, want: Answer) -> Chart | None:
    return _agreement(got["output"], want["output"], "output")


def _agreement(got: Answer, want: Answer, what: str) -> Chart | None:
    found, expected = got.array(), want.array()
    if found.size != expected.size:
        return None
    low, high = float(np.min(found)), float(np.max(found))
    caption = (
        f"Each {what} over the one that is expected; right ones lie on the dotted line. "
        f"Expected are {np.min(expected):.3g} to {np.max(expected):.3g}; "
        f"yours are {low:.3g} to {high:.3g}."
    )
    return agreement(found, expected, what=what, caption=caption)


# ------------------------------------------------------------------------------- partition
def _where(answer: Answer, X: Floats) -> tuple[str, ...]:
    """Return for each row of X the letter of the fold that has it."""
    found = {letter: {tuple(row) for row in answer[fold].array()} for fold, letter in FOLDS.items()}
    held = ["".join(k for k, rows in found.items() if tuple(x) in rows) for x in X]
    return tuple(h if len(h) == 1 else TWICE if h else NOWHERE for h in held)


def _key(*strips: tuple[str, ...]) -> dict[str, str]:
    return {letter: words for letter, words in KEY.items() if any(letter in s for s in strips)}


@picture
def folds_in_order(got: Answer, want: Answer) -> Strips:
    """Which row went where, without shuffling."""
    X = want["X"].array()
    expected, yours = _where(want, X), _where(got, X)
    off = differing(yours, expected)
    return Strips(
        strips=(
            Strip(label="expected", cells=expected),
            Strip(label="yours", cells=yours, off=off),
        ),
        key=_key(expected, yours),
        caption=(
            f"The {len(X)} rows of X and the fold of each, with random_shuffle=False: "
            f"{len(off)} rows are in another place than expected."
        ),
    )


@picture
def fold_sizes(got: Answer, want: Answer) -> Strips:
    """How many rows each fold has, whichever they are."""
    X = want["X"].array()
    order = "".join(KEY).index
    expected, yours = (tuple(sorted(_where(a, X), key=order)) for a in (want, got))
    counts = ", ".join(f"{yours.count(k)} in {words}" for k, words in _key(yours).items())
    right = ", ".join(f"{expected.count(k)} in {words}" for k, words in _key(expected).items())
    return Strips(
        strips=(
            Strip(label="expected", cells=expected),
            Strip(label="yours", cells=yours, off=differing(yours, expected)),
        ),
        key=_key(expected, yours),
        caption=f"Of {len(X)} rows, {right} are expected; yours has {counts}.",
    )


@picture
def shuffled_folds(got: Answer, want: Answer) -> Strips:
    """Which row went where, with shuffling: any order but the given one is right."""
    X = want["X"].array()
    expected, yours = _where(want, X), _where(got, X)
    return Strips(
        strips=(
            Strip(label="shuffled, for instance", cells=expected),
            Strip(label="yours", cells=yours),
        ),
        key=_key(expected, yours),
        caption=f"The {len(X)} rows of X in the order of the argument, and the fold of each.",
    )


@picture
def pairs_of_rows(got: Answer, want: Answer) -> Strips | None:
    """Which row of X and which row of T stand beside each other in the folds."""
    X, T = want["X"].array(), want["T"].array()
    numbers = {tuple(x): i + 1 for i, x in enumerate(X)}
    targets = {tuple(t): i + 1 for i, t in enumerate(T)}
    rows_X = [tuple(row) for fold in FOLDS for row in got[fold].array()]
    rows_T = [
        tuple(np.ravel(row)) for fold in FOLDS for row in got["T" + fold.removeprefix("X")].array()
    ]
    of_X = tuple(str(numbers.get(row, NOWHERE)) for row in rows_X)[:MOST_LEFT]
    of_T = tuple(str(targets.get(row, NOWHERE)) for row in rows_T)[:MOST_LEFT]
    off = differing(of_T, of_X)
    return Strips(
        strips=(Strip(label="row of X", cells=of_X), Strip(label="row of T", cells=of_T, off=off)),
        key={},
        caption=(
            "The original row numbers of what stands in the folds, X above and T below: "
            f"{len(off)} of {len(of_X)} rows of X have another row's T."
        ),
    )


# ------------------------------------------------------------------------------- run_experiment
def _settings(answer: Answer) -> tuple[str, ...]:
    said = []
    for entry in answer["log"].parts()[:MOST_LEFT]:
        hidden = [int(n.number()) for n in entry["hidden"].parts()] or [0]
        epochs, activation = int(entry["epochs"].number()), str(entry["activation"].value)
        said.append(f"{epochs} epochs, {hidden}, {activation[:20]}")
    return tuple(said)


@picture
def settings(got: Answer, want: Answer) -> Listing:
    """What was trained, in the order in which it was."""
    yours, expected = _settings(got), _settings(want)
    return Listing(
        expected=expected,
        yours=yours,
        caption=f"Settings in the order of training: {len(expected)} expected, {len(yours)} yours.",
    )


@picture
def errors(got: Answer, want: Answer) -> Chart | None:
    """The three errors of all settings, over the expected ones."""
    found, expected = (_errors(answer) for answer in (got, want))
    if found.shape != expected.shape:
        return None
    names = ("training", "validation", "test")
    apart = [n for n, f, e in zip(names, found, expected, strict=True) if not np.allclose(f, e)]
    ends = np.array([np.min(expected), np.max(expected)])
    return Chart(
        series=(
            curve("where both agree", ends, ends, role=Role.GUIDE),
            dots("yours", found, expected.ravel()),
        ),
        x_label="expected error",
        y_label="your error",
        caption=(
            f"Each error over the one that is expected; right ones lie on the dotted line. "
            f"Off it are errors of: {', '.join(apart) or 'none'}."
        ),
    )


def _errors(answer: Answer) -> Floats:
    """Return the last three columns, (3, n_rows)."""
    table = answer["table"].table()
    columns = [Answer(column, "an error", answer.theirs).array() for column in table.data[-3:]]
    return np.array(columns)
