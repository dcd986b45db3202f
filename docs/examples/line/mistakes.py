"""What students get wrong, each as a change of the reference; and right solutions that look odd."""

from __future__ import annotations

from grader.mistakes import mistake, right

PREDICT = "return design(x) @ w"
COLUMNS = "    X = design(x)\n"
SOLUTION = "np.linalg.solve(X.T @ X, X.T @ t)"
RMSE = "np.sqrt(np.mean((t - predict(w, x)) ** 2))"

weights_exchanged = mistake(
    "predict",
    "Your `predict` takes intercept and slope for each other: look at which of them meets `x`.",
    [(PREDICT, "return w[0] * x + w[1]")],
    loses=["predict_values"],
)

no_intercept_in_predict = mistake(
    "predict",
    "Your `predict` is a line through the origin: one of the two weights is never used.",
    [(PREDICT, "return w[1] * x")],
    [(PREDICT, "return w[0] * x")],
    loses=["predict_values"],
)

slope_before_intercept = mistake(
    "fit_line",
    "Your `fit_line` returns the slope first: look at the order that the handout asks for.",
    [(SOLUTION, f"{SOLUTION}[::-1]")],
    loses=["fit_example", "fit_values"],
)

no_intercept_in_fit = mistake(
    "fit_line",
    "Your `fit_line` fits a line through the origin: what makes a line rise off it?",
    [
        (COLUMNS, "    X = x[:, None]\n"),
        (SOLUTION, f"np.append(0.0, {SOLUTION})"),
    ],
    loses=["fit_example", "fit_values"],
)

x_centred_in_place = mistake(
    "fit_line",
    "Your `fit_line` takes the mean off the very `x` that it is given, which the caller still "
    "needs.",
    [
        (COLUMNS, f"    middle = x.mean()\n    x -= middle\n{COLUMNS}"),
        (
            f"return {SOLUTION}",
            f"w = {SOLUTION}\n    return np.array([w[0] - w[1] * middle, w[1]])",
        ),
    ],
    loses=["fit_untouched"],
)

root_forgotten = mistake(
    "rmse",
    "Your `rmse` is a mean of squares: something is still to be done with it.",
    [(RMSE, "np.mean((t - predict(w, x)) ** 2)")],
    loses=["rmse_values"],
)

sum_for_mean = mistake(
    "rmse",
    "Your `rmse` grows with the number of points: a mean does not.",
    [(RMSE, "np.sqrt(np.sum((t - predict(w, x)) ** 2))")],
    loses=["rmse_values"],
)

mean_of_distances = mistake(
    "rmse",
    "Your `rmse` is the mean of the distances: what comes first, the mean or the root?",
    [(RMSE, "np.mean(np.abs(t - predict(w, x)))")],
    loses=["rmse_values"],
)

by_least_squares = right([(SOLUTION, "np.linalg.lstsq(X, t, rcond=None)[0]")])

by_polyfit = right([(SOLUTION, "np.polyfit(x, t, 1)[::-1]")])

with_a_loop = right([(PREDICT, "return np.array([w[0] + w[1] * each for each in x])")])
