"""Censored, t and quadratic location-scale models against grids, R and closed forms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.mels_laws import digamma, log_phi, t_constant
from alc_stats.records import FloatArray, dump, load
from estimators.witness import answers, table
from tolerances import (
    FINITE_DIFFERENCE,
    MONTE_CARLO_SIGMAS,
    OTHER_ALGORITHM,
    SAME_LOGLIK,
    SUM_OF_A_GRID,
    SURVREG_LAST_STEP,
    TEN_DIGITS,
    UNITS_ONLY,
)

R = answers("error_laws")
LOCATION, SCALE = "y ~ x + arm + (1 | person)", "~ arm + (1 | person)"
TRUTH = {"Intercept": 1.0, "x": 0.5, "arm": 0.4, "log_sd.Intercept": -0.2, "log_sd.arm": 0.3}
SDS = {"location": 0.8, "lam": 0.15, "sigma": 0.25}
CENSORED: dict[str, Any] = {"family": "censored", "bounds": (0.0, 2.5)}
HEAVY: dict[str, Any] = {"family": "t"}
QUADRATIC: dict[str, Any] = {"association": "quadratic"}
LAWS = pytest.mark.parametrize("law", [CENSORED, HEAVY, QUADRATIC], ids=["censored", "t", "square"])


def simulated(
    persons: int, rows: int, seed: int, *, nu: float = np.inf, square: float = 0.0
) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), rows)
    x, arm = rng.normal(size=len(person)), person % 2
    eta, zeta = rng.normal(size=(2, persons))
    e = rng.normal(size=len(x))
    if np.isfinite(nu):
        e = rng.standard_t(nu, size=len(x)) * np.sqrt((nu - 2) / nu)
    effect = SDS["lam"] * eta + square * eta**2 + SDS["sigma"] * zeta
    log_sd = TRUTH["log_sd.Intercept"] + TRUTH["log_sd.arm"] * arm + effect[person]
    mean = TRUTH["Intercept"] + TRUTH["x"] * x + TRUTH["arm"] * arm
    y = mean + SDS["location"] * eta[person] + np.exp(log_sd) * e
    return pd.DataFrame({"y": y, "x": x, "arm": arm, "person": person})


def data_for(law: dict[str, Any], persons: int, rows: int, seed: int) -> pd.DataFrame:
    if "bounds" in law:
        data = simulated(persons, rows, seed)
        return data.assign(y=data["y"].clip(*law["bounds"]))
    if law == HEAVY:
        return simulated(persons, rows, seed, nu=5)
    return simulated(persons, rows, seed, square=0.06)


# -- the laws of one row -------------------------------------------------------------------------


@pytest.mark.parametrize("u", [-1e8, -300.0, -38.0, -25.1, -24.9, -5.0, -1e-9, 0.0, 0.7, 6.0, 40.0])
def test_log_phi_is_right_in_the_tails(u: float) -> None:
    value, ratio = log_phi(u)
    assert value == pytest.approx(special.log_ndtr(u), rel=OTHER_ALGORITHM)
    # phi / Phi by the scaled complementary error function, which never underflows on the left
    expected = np.sqrt(2 / np.pi) / special.erfcx(-u / np.sqrt(2))
    assert ratio == pytest.approx(expected, rel=OTHER_ALGORITHM, abs=1e-300)


@pytest.mark.parametrize("w", [0.0, 1e-8, 1e-3, 1.0 / 49.1, 1.0 / 48.9, 0.2, 3.0, 200.0])
def test_the_constant_of_a_t_law_is_its_log_density_at_zero(w: float) -> None:
    value, slope = t_constant(w)
    if w == 0.0:
        assert value == pytest.approx(stats.norm.logpdf(0.0), rel=TEN_DIGITS)
        assert slope == pytest.approx(3.0 / 8.0)  # of the fourth Hermite polynomial, 3 / 8
        return
    df = 2 + 2 / w
    scale = np.sqrt((df - 2) / df)
    lost = 1e-15 * df * np.log(df)  # of scipy's log gamma, by taking a difference
    assert value == pytest.approx(stats.t.logpdf(0.0, df, scale=scale), rel=TEN_DIGITS, abs=lost)
    step = 1e-4 * w if w > 1e-6 else 1e-6
    up, down = t_constant(w + step)[0], t_constant(max(w - step, 0.0))[0]
    assert slope == pytest.approx((up - down) / (w + step - max(w - step, 0.0)), rel=1e-5)


@pytest.mark.parametrize("x", [0.01, 1.0, 11.9, 12.1, 1e5])
def test_digamma_is_scipys(x: float) -> None:
    assert digamma(x) == pytest.approx(special.digamma(x), rel=OTHER_ALGORITHM)


# -- witnesses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "formula", "options"),
    [
        ("one_sd", "score ~ arm + x", {"family": "censored", "bounds": (0, 100)}),
        ("sd_by_arm", "score ~ arm + x",
         {"family": "censored", "bounds": (0, 100), "scale": "~ arm"}),
        ("floored", "floored ~ arm + x", {"family": "censored", "bounds": (60, None)}),
    ],
)  # fmt: skip
def test_fixed_censored_models_are_rs(name: str, formula: str, options: dict[str, Any]) -> None:
    result, expected = fit(formula, table("error_laws", "scores.csv"), **options), R[name]
    assert result.loglik == pytest.approx(expected["loglik"], abs=SAME_LOGLIK)
    np.testing.assert_allclose(result.estimates, expected["coefficients"], rtol=SURVREG_LAST_STEP)
    np.testing.assert_allclose(result.bse, expected["se"], rtol=SURVREG_LAST_STEP)
    assert result.certificate.status == "optimum"


def test_a_t_model_is_rs_at_its_best_degrees_of_freedom() -> None:
    data, expected = table("error_laws", "scores.csv"), R["heavy"]
    result = fit("heavy ~ arm + x", data, family="t", scale="~ arm")
    assert result.loglik == pytest.approx(expected["loglik"], abs=SAME_LOGLIK)
    np.testing.assert_allclose(result.estimates, expected["coefficients"], rtol=SURVREG_LAST_STEP)
    assert result.statistics["nu"] == pytest.approx(expected["nu"], rel=SURVREG_LAST_STEP)


def effects_of(result: Fit) -> dict[str, float]:
    """L, lam, sigma, quad of a fit in the outcome's unit."""
    parts = {(c.term, c.other): c for c in result.random if c.group == "person"}
    scale_sd = parts["log_sd", ""].sd
    lam = scale_sd * float(parts["Intercept", "log_sd"].correlation or 0.0)
    quad = result.statistics.get("log_sd_quadratic", 0.0)
    own = np.sqrt(scale_sd**2 - lam**2 - 2 * quad**2)
    return {"L": parts["Intercept", ""].sd, "lam": lam, "quad": quad, "sigma": float(own)}


def grid_loglik(result: Fit, data: pd.DataFrame, bounds: tuple[float, float]) -> float:
    """Sum over an even grid of (eta, zeta) of every person; nothing clever."""
    b, at = result.params, effects_of(result)
    eta, zeta = np.meshgrid(np.linspace(-5.5, 5.5, 161), np.linspace(-5.5, 5.5, 161), indexing="ij")
    weight = stats.norm.pdf(eta) * stats.norm.pdf(zeta) * (11 / 160) ** 2
    nu = result.statistics.get("nu", np.inf)
    effect = at["lam"] * eta + at["quad"] * eta**2 + at["sigma"] * zeta
    total = 0.0
    for _, rows in data.groupby("person"):
        logs = np.zeros_like(eta)
        for y, x, arm in rows[["y", "x", "arm"]].to_numpy():
            mean = b["Intercept"] + b["x"] * x + b["arm"] * arm + at["L"] * eta
            sd = np.exp(b["log_sd.Intercept"] + b["log_sd.arm"] * arm + effect)
            u = (y - mean) / sd
            if y <= bounds[0]:
                logs += stats.norm.logcdf(u)
            elif y >= bounds[1]:
                logs += stats.norm.logsf(u)
            elif np.isfinite(nu):
                unit = np.sqrt((nu - 2) / nu)
                logs += stats.t.logpdf(u, nu, scale=unit) - np.log(sd)
            else:
                logs += stats.norm.logpdf(u) - np.log(sd)
        total += np.log(np.sum(weight * np.exp(logs)))
    return float(total)


@LAWS
def test_the_likelihood_is_that_of_a_grid(law: dict[str, Any]) -> None:
    data = data_for(law, persons=40, rows=8, seed=5)
    result = fit(LOCATION, data, scale=SCALE, **law)
    assert result.certificate.status == "optimum"
    brute = grid_loglik(result, data, law.get("bounds", (-np.inf, np.inf)))
    assert result.loglik == pytest.approx(brute, abs=len(data) * SUM_OF_A_GRID / 10)


@LAWS
@pytest.mark.parametrize("between", [None, "~ arm"])
def test_scores_are_finite_differences_of_the_likelihood(
    law: dict[str, Any], between: str | None
) -> None:
    result = fit(LOCATION, data_for(law, 30, 6, seed=8), scale=SCALE, between=between, **law)
    model, optimum = result.memory.mels.data.model, result.memory.mels.optimum
    nodes = model.renewed(optimum.evaluated.nodes, 11)
    psi = optimum.psi + 0.03
    at = model.evaluate(psi, nodes, relocate=True)

    def loglik(change: float, place: int) -> float:
        moved = psi.copy()
        moved[place] += change
        return float(model.evaluate(moved, at.nodes, relocate=False).loglik)

    h = 1e-3
    found = [
        (8 * (loglik(h, k) - loglik(-h, k)) - (loglik(2 * h, k) - loglik(-2 * h, k))) / (12 * h)
        for k in range(len(psi))
    ]
    size = np.abs(at.gradient).max()
    np.testing.assert_allclose(at.gradient, found, rtol=0, atol=FINITE_DIFFERENCE * size)


# -- reduction -----------------------------------------------------------------------------------


def test_bounds_that_no_value_reaches_leave_the_gaussian_model() -> None:
    data = simulated(80, 10, seed=2)
    plain = fit(LOCATION, data, scale=SCALE, between="~ arm")
    bounded = fit(LOCATION, data, scale=SCALE, between="~ arm", family="censored", bounds=(-99, 99))
    assert bounded.loglik == pytest.approx(plain.loglik, abs=2 * SAME_LOGLIK)
    np.testing.assert_allclose(bounded.estimates, plain.estimates, atol=SUM_OF_A_GRID)
    np.testing.assert_allclose(bounded.bse, plain.bse, rtol=1e-4)
    assert bounded.statistics["share_at_upper"] == bounded.statistics["share_at_lower"] == 0.0


@pytest.mark.parametrize("law", [{"family": "t"}, {"association": "quadratic"}])
def test_without_its_parameter_a_law_is_the_gaussian_model(law: dict[str, Any]) -> None:
    data = simulated(60, 10, seed=3)
    plain = fit(LOCATION, data, scale=SCALE).memory.mels
    wider = fit(LOCATION, data, scale=SCALE, **law).memory.mels
    shape = wider.data.model.shape
    psi = np.append(plain.optimum.psi, 0.0)
    assert psi.size == shape.length
    nodes = wider.data.model.renewed(wider.optimum.evaluated.nodes, 61)
    for _ in range(2):
        nodes = wider.data.model.evaluate(psi, nodes, relocate=True).nodes
    at = wider.data.model.evaluate(psi, nodes, relocate=True)
    assert at.loglik == pytest.approx(plain.optimum.evaluated.loglik, abs=2 * SAME_LOGLIK)


def test_a_t_law_of_normal_errors_ends_at_the_normal() -> None:
    data = simulated(60, 10, seed=12).assign(
        y=lambda d: np.tile(stats.norm.ppf(np.arange(1, 601) / 601), 1)
    )
    result = fit("y ~ 1", data, family="t")
    assert result.statistics["nu"] == np.inf
    assert result.certificate.status == "boundary"
    assert result.loglik == pytest.approx(
        stats.norm.logpdf(data["y"], 0, data["y"].std(ddof=0)).sum(), abs=SAME_LOGLIK
    )


def test_two_arms_without_effects_have_a_closed_form() -> None:
    data = simulated(50, 4, seed=4)
    result = fit("y ~ arm", data, scale="~ arm", family="censored", bounds=(None, 50))
    arms = [data["y"][data["arm"] == arm] for arm in (0, 1)]
    means = [float(arm.mean()) for arm in arms]
    log_sds = [float(np.log(arm.std(ddof=0))) for arm in arms]
    expected = [means[0], means[1] - means[0], log_sds[0], log_sds[1] - log_sds[0]]
    np.testing.assert_allclose(result.estimates, expected, atol=UNITS_ONLY * 100)


def test_a_random_intercept_alone_is_the_mixed_model() -> None:
    data = simulated(60, 6, seed=6)
    mixed = fit("y ~ x + arm + (1 | person)", data, method="ML")
    bounded = fit("y ~ x + arm + (1 | person)", data, family="censored", bounds=(-99, 99))
    assert bounded.loglik == pytest.approx(mixed.loglik, abs=SAME_LOGLIK)
    np.testing.assert_allclose(bounded.estimates[:3], mixed.estimates, atol=SUM_OF_A_GRID)
    sds = [component.sd for component in mixed.random]
    np.testing.assert_allclose([c.sd for c in bounded.random], sds, rtol=SUM_OF_A_GRID)


# -- what they are for ---------------------------------------------------------------------------


def test_a_ceiling_alone_narrows_the_observed_spread_and_not_the_latent_one() -> None:
    rng = np.random.default_rng(17)
    arm = np.arange(20_000) % 2
    y = np.clip(np.where(arm == 1, 85.0, 70.0) + 15.0 * rng.normal(size=len(arm)), 0, 100)
    data = pd.DataFrame({"y": y, "arm": arm})
    latent = fit("y ~ arm", data, scale="~ arm", family="censored", bounds=(0, 100))
    observed = np.log(y[arm == 1].std() / y[arm == 0].std())
    # the observed variances are 168.9 and 216.3, by integration over the censored normal
    se = np.sqrt(1.0 / len(arm)) * 2**0.5
    assert abs(observed - 0.5 * np.log(168.9 / 216.3)) < MONTE_CARLO_SIGMAS * se
    assert abs(latent.params["log_sd.arm"]) < MONTE_CARLO_SIGMAS * latent.bse["log_sd.arm"]
    assert abs(latent.params["arm"] - 15) < MONTE_CARLO_SIGMAS * latent.bse["arm"]
    assert latent.bse["log_sd.arm"] < 0.015


@LAWS
def test_parameters_are_recovered(law: dict[str, Any]) -> None:
    result = fit(LOCATION, data_for(law, 400, 10, seed=21), scale=SCALE, **law)
    assert result.certificate.usable
    off = (result.params - pd.Series(TRUTH)) / result.bse
    assert np.abs(off).max() < MONTE_CARLO_SIGMAS
    state, places = result.memory.mels, result.memory.mels.data.model.shape
    at = effects_of(result)
    for name, part in (("lam", "lam"), ("sigma", "sigma")):
        place = places.part(part).start
        assert abs(at[name] - SDS[name]) < MONTE_CARLO_SIGMAS * np.sqrt(
            state.covariance[place, place]
        )
    if law == HEAVY:
        place = places.part("tail").start
        tail, se = np.sqrt(2 / (5 - 2)), np.sqrt(state.covariance[place, place])
        assert abs(state.optimum.psi[place] - tail) < MONTE_CARLO_SIGMAS * se
    if law == QUADRATIC:
        place = places.part("quad").start
        se = np.sqrt(state.covariance[place, place])
        assert abs(result.statistics["log_sd_quadratic"] - 0.06) < MONTE_CARLO_SIGMAS * se


def test_units_and_origin_of_outcome_and_bounds_do_not_matter() -> None:
    data = data_for(CENSORED, 60, 8, seed=9)
    first = fit(LOCATION, data, scale=SCALE, **CENSORED)
    moved = data.assign(y=1000.0 * data["y"] - 500.0).sample(frac=1.0, random_state=1)
    second = fit(LOCATION, moved, scale=SCALE, family="censored", bounds=(-500.0, 2000.0))
    within = int(((data["y"] > 0) & (data["y"] < 2.5)).sum())
    shift = within * np.log(1000.0)
    assert first.loglik - shift == pytest.approx(second.loglik, abs=10 * SAME_LOGLIK)
    expected = first.estimates * [1000, 1000, 1000, 1, 1] + [-500, 0, 0, np.log(1000), 0]
    np.testing.assert_allclose(second.estimates, expected, rtol=SUM_OF_A_GRID)


def test_shares_at_the_bounds_are_counted() -> None:
    data = data_for(CENSORED, 40, 8, seed=5)
    result = fit(LOCATION, data, scale=SCALE, **CENSORED)
    assert result.statistics["share_at_lower"] == np.mean(data["y"] == 0.0)
    assert result.statistics["share_at_upper"] == np.mean(data["y"] == 2.5)
    assert "errors      censored normal, bounds (0, 2.5)" in result.summary()


def test_clustered_errors_come_from_the_rows_scores() -> None:
    data = data_for(CENSORED, 30, 6, seed=13)
    own = fit("y ~ arm + x", data, **CENSORED)
    robust = fit("y ~ arm + x", data, covariance="CR0", cluster="person", **CENSORED)
    X = np.column_stack([np.ones(len(data)), data["arm"], data["x"]])

    def rows(b: FloatArray) -> FloatArray:
        u = (data["y"] - X @ b[:3]) / np.exp(b[3])
        inside = stats.norm.logpdf(u) - b[3]
        bounded = np.where(data["y"] <= 0, stats.norm.logcdf(u), stats.norm.logsf(u))
        return np.where((data["y"] > 0) & (data["y"] < 2.5), inside, bounded)

    scores = differences(rows, own.estimates)
    sums = pd.DataFrame(scores.T).groupby(data["person"].to_numpy()).sum().to_numpy()
    expected = own.vcov @ sums.T @ sums @ own.vcov
    np.testing.assert_allclose(robust.vcov, expected, rtol=1e-5, atol=1e-10)
    assert set(robust.df) == {29.0}


def differences(function: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    steps = 1e-5 * np.eye(len(at))
    return np.array([(function(at + h) - function(at - h)) / 2e-5 for h in steps])


def test_a_fit_survives_the_disk() -> None:
    result = fit("y ~ arm", data_for(CENSORED, 30, 4, seed=1), family="censored", bounds=(0, None),
                 scale="~ arm")  # fmt: skip
    again = load(dump(result), Fit)
    assert again.request == result.request
    assert again.request.bounds == (0, None)
    np.testing.assert_array_equal(again.estimates, result.estimates)


def test_an_arm_wholly_at_the_ceiling_is_no_result() -> None:
    data = data_for(CENSORED, 30, 4, seed=1)
    data.loc[data["arm"] == 1, "y"] = 2.5
    result = fit("y ~ arm", data, scale="~ arm", **CENSORED)
    assert not result.certificate.usable


# -- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"family": "censord", "bounds": (0, 1)}, "unknown family.*Did you mean 'censored'"),
        ({"association": "cubic"}, "unknown association 'cubic'"),
        ({"family": "censored"}, "a censored outcome has a bound"),
        ({"family": "censored", "bounds": (-np.inf, None)}, "a censored outcome has a bound"),
        ({"family": "censored", "bounds": (2, 1)}, "the bounds are not in order"),
        ({"family": "censored", "bounds": (float("nan"), 1)}, "the bounds are not in order"),
        ({"family": "censored", "bounds": ("low", 1)}, "not a pair of numbers"),
        ({"family": "censored", "bounds": (1, 2, 3)}, "not a pair of numbers"),
        ({"bounds": (0, 1)}, "the family 'gaussian' has no bounds"),
        ({"family": "t", "bounds": (0, 1)}, "the family 't' has no bounds"),
        ({"family": "censored", "bounds": (0, 1)}, "outcomes lie beyond the bounds.*Correct"),
        ({"family": "t", "method": "REML"}, "takes no method 'REML'"),
        ({"family": "t", "order": "x"}, "takes no order 'x': autoregressive errors are normal"),
        ({"family": "t", "weights": "x"}, "takes no weights 'x'"),
        ({"family": "t", "covariance": "HC1"}, "takes no covariance 'HC1'"),
        ({"family": "t", "engine": "statsmodels"}, "takes no engine 'statsmodels'"),
        ({"association": "quadratic"}, "a quadratic association is one of a scale effect"),
        ({"association": "quadratic", "family": "t"}, "'t' comes with a linear association"),
        ({"association": "quadratic", "scale": "~ arm + (1 || person)"},
         "a quadratic association is one of a scale effect"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AlcError, match=sentence):
        fit(LOCATION, simulated(10, 4, seed=1), **options)


@pytest.mark.parametrize("law", [CENSORED, HEAVY, QUADRATIC])
def test_slopes_and_firms_are_refused(law: dict[str, Any]) -> None:
    data = data_for(law, 20, 4, seed=1).assign(firm=lambda d: d["person"] // 5)
    with pytest.raises(AlcError, match=r"one location effect a person.*Intercept, x"):
        fit("y ~ x + (1 + x | person)", data, scale=SCALE, **law)
    with pytest.raises(AlcError, match=r"effects of one grouping.*person, firm"):
        fit("y ~ x + (1 | firm) + (1 | person)", data, scale=SCALE, **law)


def test_a_binary_outcome_is_not_a_censored_one() -> None:
    data = simulated(20, 4, seed=1)
    with pytest.raises(AlcError, match=r"two different values within the bounds.*ordered"):
        fit("y ~ x", data.assign(y=(data["y"] > 1).astype(float)), family="censored", bounds=(0, 1))


def test_persons_with_one_row_cannot_have_effects() -> None:
    data = data_for(CENSORED, 30, 1, seed=1)
    with pytest.raises(AlcError, match="no level of 'person' has two rows"):
        fit("y ~ x", data, scale="~ (1 | person)", **CENSORED)


def test_requests_say_what_was_asked() -> None:
    result = fit("y ~ x", simulated(20, 4, seed=1), family="t")
    assert dataclasses.asdict(result.request) | {"formula": ""} == {
        "formula": "", "engine": "alc_stats", "method": "ML", "covariance": "model", "cluster": "",
        "df": "normal", "weights": "", "scale": "", "between": "", "order": "", "family": "t",
        "bounds": None, "association": "linear",
    }  # fmt: skip
