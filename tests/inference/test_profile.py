from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.kernels.lmm_profile import profile
from alc_stats.inference import ProfileInterval, parameters_of, profile_interval, profile_intervals
from alc_stats.inference.profile import _held
from alc_stats.records import FloatArray, dump, load
from alc_stats.report.numbers import say
from estimators.witness import answers, real_data, table
from tolerances import (
    FINITE_DIFFERENCE,
    OTHER_ALGORITHM,
    PROFILE_RISE,
    SPLINED_PROFILE,
)

R = answers("after_variance")
RISE = float(stats.chi2.ppf(0.95, 1))
SLOPES = "y ~ x + z + (1 + x | person)"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return table("after_variance", "rows.csv")


def in_our_words(name: str) -> str:
    """lme4's `sd_(Intercept)|person`, `cor_x.(Intercept)|person`, `sigma`."""
    name = name.replace("(Intercept)", "Intercept")
    if name == "sigma":
        return "SD of residual"
    kind, rest = name.split("_", 1)
    what, group = rest.split("|")
    if kind == "sd":
        return f"SD of {what} | {group}"
    return f"correlation of {', '.join(reversed(what.split('.')))} | {group}"


def limits(model: Fit) -> dict[str, float]:
    found = profile_intervals(model)
    return {f"{i.parameter}, {side}": getattr(i, side) for i in found for side in ("low", "high")}


def theirs(name: str) -> dict[str, float]:
    return {
        f"{in_our_words(key)}, {side}": value
        for key, pair in R[name].items()
        for side, value in zip(("low", "high"), pair, strict=True)
    }


@pytest.mark.parametrize(
    ("formula", "name"),
    [
        (SLOPES, "profile_slopes_ml"),
        ("y ~ x + z + (1 | person) + (1 | task)", "profile_crossed_ml"),
    ],
)
def test_limits_are_those_of_lme4(rows: pd.DataFrame, formula: str, name: str) -> None:
    assert limits(fit(formula, rows, method="ML")) == pytest.approx(
        theirs(name), rel=SPLINED_PROFILE, abs=SPLINED_PROFILE
    )


def test_sleepstudy() -> None:
    data = real_data("multilevel/lme4__sleepstudy.csv", "lme4's sleepstudy")
    model = fit("Reaction ~ Days + (1 + Days | Subject)", data, method="ML")
    assert limits(model) == pytest.approx(theirs("sleepstudy_profile_ml"), rel=SPLINED_PROFILE)


def dense_rise(
    model: Fit, y: FloatArray, X: FloatArray, parts: list[FloatArray], held: str, at: float
) -> float:
    """Least restricted deviance with one SD held, above the optimum's: dense matrices."""
    others = [k for k in ("a", "b", "e") if k != held]

    def deviance(logs: FloatArray) -> float:
        sd = dict(zip(others, np.exp(logs), strict=True)) | {held: at}
        V = sum(sd[k] ** 2 * P for k, P in zip("abe", parts, strict=True))
        W = np.linalg.inv(V)
        A = X.T @ W @ X
        r = y - X @ np.linalg.solve(A, X.T @ W @ y)
        half = np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + r @ W @ r
        return float(half + (len(y) - X.shape[1]) * np.log(2.0 * np.pi))

    found = optimize.minimize(
        deviance,
        np.zeros(2),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000},
    )
    assert model.loglik is not None
    return float(found.fun) + 2.0 * model.loglik


def test_restricted_limits_rise_as_they_should() -> None:
    # crossed, 8 by 6 with one cell in four lost; a twin with dense matrices measures the rise
    stream = np.random.default_rng(14)
    a, b = np.repeat(np.arange(8), 12), np.tile(np.repeat(np.arange(6), 2), 8)
    keep = stream.random(96) > 0.25
    x = stream.normal(size=96)
    y = 1.0 + x + stream.normal(size=8)[a] + 0.8 * stream.normal(size=6)[b] + stream.normal(size=96)
    data = pd.DataFrame({"y": y, "x": x, "a": a, "b": b})[keep]
    model = fit("y ~ x + (1 | a) + (1 | b)", data)
    codes = [data[g].to_numpy() for g in "ab"]
    parts = [(c[:, None] == c[None]).astype(float) for c in codes] + [np.eye(len(data))]
    X = np.column_stack([np.ones(len(data)), data["x"]])
    names = {"a": "SD of Intercept | a", "b": "SD of Intercept | b", "e": "SD of residual"}
    for held, name in names.items():
        interval = profile_interval(model, name)
        assert interval.method == "REML"
        for limit in (interval.low, interval.high):
            rise = dense_rise(model, data["y"].to_numpy(), X, parts, held, limit)
            assert rise == pytest.approx(RISE, abs=PROFILE_RISE)


@pytest.mark.parametrize("method", ["ML", "REML"])
def test_gradients_are_those_of_differences(rows: pd.DataFrame, method: str) -> None:
    model = fit("y ~ x + z + (1 + x + z || firm) + (1 + x | person)", rows, method=method)
    state, stream = model.memory.state, np.random.default_rng(1)
    for name in parameters_of(model):
        path = profile(state.objective, state.optimum.theta, _held(state, name)[0])
        x = path.start + 0.1 * stream.normal(size=len(path.start))
        _, gradient = path.deviance(x)
        h = 1e-3
        numeric = [
            (
                8.0 * (path.deviance(x + h * e)[0] - path.deviance(x - h * e)[0])
                - (path.deviance(x + 2 * h * e)[0] - path.deviance(x - 2 * h * e)[0])
            )
            / (12.0 * h)
            for e in np.eye(len(x))
        ]
        assert gradient == pytest.approx(
            numeric, rel=FINITE_DIFFERENCE, abs=1e2 * FINITE_DIFFERENCE
        )
        assert path.deviance(path.start)[0] == pytest.approx(path.least, rel=OTHER_ALGORITHM)


def test_estimates_are_those_of_the_fit(rows: pd.DataFrame) -> None:
    model = fit(SLOPES, rows)
    found = profile_intervals(model, level=0.5)
    for interval, part in zip(found, model.random, strict=True):
        value = part.sd if part.correlation is None else part.correlation
        assert interval.estimate == pytest.approx(value, rel=OTHER_ALGORITHM)
        assert interval.low < value < interval.high


def test_units_move_limits_and_origins_do_not(rows: pd.DataFrame) -> None:
    ours = profile_interval(fit(SLOPES, rows), "SD of x | person")
    moved = rows.assign(x=1e4 * rows["x"] + 5e4, y=3.0 * rows["y"] + 8.0)
    other = profile_interval(fit(SLOPES, moved), "SD of x | person")
    assert [other.low, other.high] == pytest.approx([3e-4 * ours.low, 3e-4 * ours.high], rel=1e-6)


def test_zero_is_a_limit_and_may_be_the_estimate() -> None:
    y = np.tile([1.0, -1.0, 2.0, -2.0], 6)
    model = fit("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": np.repeat(np.arange(6), 4)}))
    found = profile_interval(model, "SD of Intercept | g")
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert 0.1 < found.high < 2.0


def test_correlations_may_reach_one(rows: pd.DataFrame) -> None:
    few = rows[rows["person"] < "p06"]
    found = profile_interval(
        fit("y ~ x + (1 + x | person)", few), "correlation of Intercept, x | person"
    )
    assert -1.0 <= found.low <= found.estimate <= found.high == 1.0


def test_wrong_names_are_told_the_right_ones(rows: pd.DataFrame) -> None:
    model = fit("y ~ x + (1 | person)", rows)
    with pytest.raises(
        DeclarationError, match=r"no parameter 'SD of person'.*SD of Intercept \| person"
    ):
        profile_interval(model, "SD of person")
    with pytest.raises(DeclarationError, match="not a probability"):
        profile_interval(model, "SD of residual", level=1.0)


def test_an_effect_that_does_not_vary_has_no_correlation() -> None:
    y = np.tile([1.0, -1.0, 2.0, -2.0], 6)
    data = pd.DataFrame({"y": y, "g": np.repeat(np.arange(6), 4), "x": np.tile([0.0, 1, 1, 0], 6)})
    model = fit("y ~ x + (1 + x | g)", data)
    with pytest.raises(FitError, match="an effect that does not vary has no correlation"):
        profile_interval(model, "correlation of Intercept, x | g")
    assert not [i for i in profile_intervals(model) if i.parameter.startswith("correlation")]


def test_record_and_sentence(rows: pd.DataFrame) -> None:
    found = profile_interval(fit(SLOPES, rows), "SD of residual")
    assert load(dump(found), ProfileInterval) == found
    assert say(found.sentence).startswith("The SD of residual is 1.1")
