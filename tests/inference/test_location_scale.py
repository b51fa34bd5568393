"""What comes after a location-scale fit: effects, predictions, comparisons, profiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

import alc_stats as alc
from alc_stats.errors import AlcError, DeclarationError, FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.kernels.mels_posterior import at_nodes
from alc_stats.inference import Comparison
from alc_stats.inference.spread_draws import spread_model
from alc_stats.inference.spread_profile import spread_parameters
from alc_stats.report.numbers import say
from estimators.brute_twin import Person, posterior
from estimators.test_location_scale import simulated
from tolerances import (
    BRUTE_GRID,
    EXACT_ARITHMETIC,
    LOG_VARIANCE_TWIN,
    MONTE_CARLO_SIGMAS,
    OTHER_ALGORITHM,
    SAME_LOGLIK,
    SPREAD_PROFILE,
    TWICE_DIFFERENCED,
)

FORMULA, SCALE = "y ~ x + arm + (1 | p)", "~ x + arm + (1 | p)"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return simulated(11, persons=50, rows=7)


@pytest.fixture(scope="module")
def m(data: pd.DataFrame) -> Fit:
    return fit(FORMULA, data, scale=SCALE, between="~ arm")


def parts(m: Fit, data: pd.DataFrame) -> dict[str, np.ndarray | float]:
    """The model by its printed numbers."""
    b = m.params
    values = {(c.term, c.other): c for c in m.random}
    sd, r = values["log_sd", ""].sd, values["Intercept", "log_sd"].correlation
    assert r is not None
    return {
        "mean": (b["Intercept"] + b["x"] * data["x"] + b["arm"] * data["arm"]).to_numpy(),
        "log_sd": (
            b["log_sd.Intercept"] + b["log_sd.x"] * data["x"] + b["log_sd.arm"] * data["arm"]
        ).to_numpy(),
        "load": np.exp(
            b["between_log_sd.Intercept"] + b["between_log_sd.arm"] * data["arm"]
        ).to_numpy(),
        "lam": sd * r,
        "sigma": sd * np.sqrt(1.0 - r * r),
    }


def person(m: Fit, data: pd.DataFrame, label: object) -> Person:
    own = (data["p"] == label).to_numpy()
    all_ = parts(m, data)
    return Person(
        data.loc[own, "y"].to_numpy(),
        all_["mean"][own], all_["log_sd"][own], all_["load"][own][:, None],
        np.array([all_["lam"]]), float(all_["sigma"]), np.eye(int(own.sum())),
    )  # fmt: skip


# --- effects ----------------------------------------------------------------------------------


def test_random_effects_are_posterior_means_of_a_grid(m: Fit, data: pd.DataFrame) -> None:
    table = m.random_effects["p"]
    assert table.columns.tolist() == [
        "Intercept", "log_sd", "posterior_sd.Intercept", "posterior_sd.log_sd"
    ]  # fmt: skip
    for label in (0, 1, 17):
        own = person(m, data, label)
        mean, covariance = posterior(own, reach=8.0, step=0.04)
        unit = np.array([own.load[0, 0], 1.0])
        expected = np.concatenate([mean * unit, np.sqrt(np.diag(covariance)) * unit])
        assert table.loc[label].to_numpy() == pytest.approx(expected, abs=1e2 * BRUTE_GRID)


def test_effects_and_posterior_variances_add_up_to_the_model_s(m: Fit) -> None:
    """At a maximum the mean posterior second moment of z is one (the EM fixed point)."""
    state = m.memory.mels
    whole = at_nodes(
        state.data.model, state.optimum.psi, state.optimum.evaluated.nodes, 0, 50
    ).moments()
    second = (whole[0] ** 2 + np.einsum("maa->ma", whole[1])).mean(axis=0)
    assert second == pytest.approx(np.ones(2), abs=TWICE_DIFFERENCED)


def test_plausible_values_have_the_posterior_s_moments(m: Fit) -> None:
    draws, table = 2_000, m.random_effects["p"]
    found = alc.plausible_values(m, draws=draws, seed=3)
    assert found.index.names == ["draw", "p"]
    assert found.columns.tolist() == ["Intercept", "log_sd"]
    for name in found.columns:
        sd = table[f"posterior_sd.{name}"]
        by_person = found[name].groupby("p")
        z = (by_person.mean() - table[name]) / (sd / np.sqrt(draws))
        assert z.abs().max() < MONTE_CARLO_SIGMAS
        assert (by_person.std() / sd - 1.0).abs().max() < 1.5 * MONTE_CARLO_SIGMAS / np.sqrt(draws)


def test_plausible_values_recover_the_spread_that_means_shrink(m: Fit) -> None:
    found = alc.plausible_values(m, draws=400, seed=4)["log_sd"]
    between = found.groupby("draw").std().mean()
    (sd,) = [c.sd for c in m.random if c.term == "log_sd" and not c.other]
    assert m.random_effects["p"]["log_sd"].std() < 0.9 * sd
    assert between == pytest.approx(sd, rel=0.05)


def test_plausible_values_are_the_seed(m: Fit) -> None:
    a, b, c = (alc.plausible_values(m, draws=2, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert not np.allclose(a, c)
    with pytest.raises(DeclarationError, match="whole number from 1"):
        alc.plausible_values(m, draws=0, seed=1)
    with pytest.raises(DeclarationError, match="whole number from 0"):
        alc.plausible_values(m, draws=1, seed=-1)


def test_plausible_values_need_a_scale_effect(data: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="no random scale effect"):
        alc.plausible_values(fit(FORMULA, data), draws=2, seed=1)


# --- predictions ------------------------------------------------------------------------------


@pytest.mark.parametrize("random", [True, False])
@pytest.mark.parametrize(
    ("of", "interval"),
    [(of, i) for of in ("mean", "sd") for i in (None, "confidence")] + [("mean", "prediction")],
)
def test_new_rows_are_predicted_as_the_rows_used(
    m: Fit, data: pd.DataFrame, of: str, random: bool, interval: str | None
) -> None:
    asked = {"of": of, "random": random, "interval": interval}
    new = data.drop(columns="y").sample(frac=1.0, random_state=1)
    a, b = m.predict(**asked), m.predict(new, **asked).loc[data.index]
    assert np.allclose(a, b, rtol=OTHER_ALGORITHM)


def test_the_mean_and_the_sd_are_the_model_s(m: Fit, data: pd.DataFrame) -> None:
    p, effects = parts(m, data), m.random_effects["p"].loc[data["p"]]
    assert m.predict(random=False).to_numpy() == pytest.approx(p["mean"], rel=OTHER_ALGORITHM)
    assert m.predict().to_numpy() == pytest.approx(
        p["mean"] + effects["Intercept"].to_numpy(), rel=OTHER_ALGORITHM
    )
    assert m.predict(of="sd", random=False).to_numpy() == pytest.approx(
        np.exp(p["log_sd"]), rel=OTHER_ALGORITHM
    )
    assert m.predict(of="sd").to_numpy() == pytest.approx(
        np.exp(p["log_sd"] + effects["log_sd"].to_numpy()), rel=OTHER_ALGORITHM
    )


def test_intervals_of_fixed_parts_are_those_of_coefficients(m: Fit) -> None:
    new = pd.DataFrame({"x": [0.0, 1.5], "arm": [0.0, 0.0]})
    mean = m.predict(new, random=False, interval="confidence")
    assert mean.loc[0, "se"] == pytest.approx(m.bse["Intercept"], rel=OTHER_ALGORITHM)
    sd = m.predict(new, of="sd", random=False, interval="confidence")
    limits = np.exp(m.conf_int().loc["log_sd.Intercept"].to_numpy())
    assert sd.loc[0, ["low", "high"]].to_numpy() == pytest.approx(limits, rel=LOG_VARIANCE_TWIN)


def test_an_observation_of_someone_new_integrates_over_the_scale_effect(
    m: Fit, data: pd.DataFrame
) -> None:
    """Given z the outcome is normal; the mixture's quantiles by a dense grid and a root."""
    new = pd.DataFrame({"x": [0.7], "arm": [1.0], "p": ["someone else"]}).astype({"p": object})
    found = m.predict(new.drop(columns="p"), random=False, interval="prediction").loc[0]
    own = parts(m, new)
    sd = np.hypot(own["lam"], own["sigma"])
    r = own["lam"] / sd
    z = np.linspace(-8.0, 8.0, 4001)
    weight = stats.norm.pdf(z) * (z[1] - z[0])
    centre = own["mean"][0] + own["load"][0] * r * z
    estimated = m.predict(new.drop(columns="p"), random=False, interval="confidence").loc[0, "se"]
    spread = np.sqrt(
        own["load"][0] ** 2 * (1.0 - r * r)
        + np.exp(2.0 * (own["log_sd"][0] + sd * z))
        + estimated**2
    )

    def below(x: float, p: float) -> float:
        return float(weight @ special.ndtr((x - centre) / spread)) - p

    low, high = (optimize.brentq(below, -60.0, 60.0, args=(p,), xtol=1e-13) for p in (0.025, 0.975))
    assert found[["low", "high"]].to_numpy() == pytest.approx([low, high], abs=LOG_VARIANCE_TWIN)
    assert found["se"] ** 2 == pytest.approx(
        weight @ (spread**2 + (centre - own["mean"][0]) ** 2), rel=LOG_VARIANCE_TWIN
    )


def test_prediction_intervals_cover_persons_of_every_spread(m: Fit, data: pd.DataFrame) -> None:
    """New rows of the same persons, drawn from the model: 95 % inside, whatever the person's SD."""
    model, stream = spread_model(m, m), np.random.default_rng(2)
    inside = []
    for _ in range(15):
        y = model.draw(stream)
        drawn = fit(FORMULA, data.assign(y=y), scale=SCALE, between="~ arm")
        if not drawn.certificate.usable:
            continue
        limits = drawn.predict(random=False, interval="prediction")
        fresh = model.draw(stream)
        inside.append(np.mean((fresh > limits["low"]) & (fresh < limits["high"])))
    error = np.std(inside) / np.sqrt(len(inside))
    assert abs(np.mean(inside) - 0.95) < MONTE_CARLO_SIGMAS * error
    assert len(inside) > 10


def test_incomplete_rows_have_no_prediction(m: Fit) -> None:
    new = pd.DataFrame({"x": [0.0, np.nan], "arm": [0.0, 1.0], "p": [0, 1]})
    with pytest.warns(UserWarning, match="1 of 2 rows lack x"):
        found = m.predict(new, of="sd")
    assert np.isnan(found.loc[1])
    assert found.loc[0] > 0.0


def test_bad_predictions_are_sentences(m: Fit, data: pd.DataFrame) -> None:
    for asked, said in (
        ({"of": "variance"}, "cannot predict 'variance'"),
        ({"of": "sd", "interval": "prediction"}, "no prediction interval"),
    ):
        with pytest.raises(DeclarationError, match=said):
            m.predict(**asked)
    with pytest.raises(DeclarationError, match="random scale effect"):
        fit(FORMULA, data).predict(of="sd")
    with pytest.raises(AlcError, match="'arm'"):
        m.predict(pd.DataFrame({"x": [0.0], "p": [1]}))


def test_a_scale_effect_alone_predicts_too(data: pd.DataFrame) -> None:
    found = fit("y ~ x", data, scale="~ 1 + (1 | p)")
    line = found.params["Intercept"] + found.params["x"] * data["x"].to_numpy()
    assert found.predict().to_numpy() == pytest.approx(line, rel=OTHER_ALGORITHM)
    assert found.predict(of="sd").nunique() == data["p"].nunique()
    assert len(alc.plausible_values(found, draws=2, seed=1)) == 2 * data["p"].nunique()


# --- ratios -----------------------------------------------------------------------------------


def test_ratios_are_exponentials(m: Fit) -> None:
    sd, variance = alc.sd_ratio(m), alc.variance_ratio(m)
    labels = ["log_sd.x", "log_sd.arm", "between_log_sd.arm"]
    assert sd.index.tolist() == labels
    assert sd["ratio"].to_numpy() == pytest.approx(
        np.exp(m.params[labels]).to_numpy(), rel=EXACT_ARITHMETIC
    )
    assert (sd**2).to_numpy() == pytest.approx(variance.to_numpy(), rel=EXACT_ARITHMETIC)
    assert np.log(sd[["low", "high"]]).to_numpy() == pytest.approx(
        m.conf_int().loc[labels].to_numpy(), rel=OTHER_ALGORITHM
    )


def test_ratios_need_a_log_sd(data: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError, match="says of no column"):
        alc.sd_ratio(fit(FORMULA, data))


# --- comparisons ------------------------------------------------------------------------------


def mixture(found: Comparison) -> list[tuple[int, float]]:
    return [(part.df, part.weight) for part in found.mixture]


@pytest.fixture(scope="module")
def null(data: pd.DataFrame) -> Fit:
    return fit(FORMULA, data, method="ML")


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("~ 1 + (1 || p)", [(0, 0.5), (1, 0.5)]),
        ("~ 1 + (1 | p)", [(1, 0.5), (2, 0.5)]),
        ("~ arm + (1 | p)", [(2, 0.5), (3, 0.5)]),
    ],
)
def test_a_scale_effect_is_at_the_boundary(
    data: pd.DataFrame, null: Fit, scale: str, expected: list[tuple[int, float]]
) -> None:
    larger = fit(FORMULA, data, scale=scale)
    found = alc.compare(null, larger)
    assert mixture(found) == expected
    assert found.null == "chi-bar-square"
    assert found.statistic == pytest.approx(2.0 * (larger.loglik - null.loglik), abs=SAME_LOGLIK)
    by_hand = sum(w * stats.chi2.sf(found.statistic, d) for d, w in expected if d)
    assert found.p == pytest.approx(by_hand, rel=EXACT_ARITHMETIC)
    assert alc.compare(larger, null) == found
    assert "because a variance cannot be negative" in say(found.sentence)


def test_a_slope_s_correlations_come_with_the_scale_effect(data: pd.DataFrame) -> None:
    formula = "y ~ x + arm + (1 + x | p)"
    null, larger = fit(formula, data, method="ML"), fit(formula, data, scale="~ 1 + (1 | p)")
    assert mixture(alc.compare(null, larger)) == [(2, 0.5), (3, 0.5)]


@pytest.mark.parametrize(
    ("smaller", "larger", "df"),
    [
        ({"scale": "~ 1 + (1 | p)"}, {"scale": "~ arm + x + (1 | p)"}, 2),
        ({"scale": "~ 1 + (1 | p)"}, {"scale": "~ 1 + (1 | p)", "between": "~ arm"}, 1),
        ({"scale": "~ 1 + (1 || p)"}, {"scale": "~ 1 + (1 | p)"}, 1),
        ({"scale": "~ 1 + (1 | p)"}, {"scale": "~ 1 + (1 | p)", "order": "time"}, 1),
    ],
)
def test_columns_correlations_and_autoregression_are_plain(
    data: pd.DataFrame, smaller: dict[str, str], larger: dict[str, str], df: int
) -> None:
    found = alc.compare(fit(FORMULA, data, **smaller), fit(FORMULA, data, **larger))
    assert found.null == "chi-square"
    assert mixture(found) == [(df, 1.0)]


def test_least_squares_lies_within_a_scale_effect_alone(data: pd.DataFrame) -> None:
    smaller, larger = fit("y ~ x", data), fit("y ~ x", data, scale="~ 1 + (1 | p)")
    found = alc.compare(smaller, larger)
    assert mixture(found) == [(0, 0.5), (1, 0.5)]


def test_location_and_scale_effects_at_once_have_a_bound(data: pd.DataFrame) -> None:
    found = alc.compare(fit("y ~ x + arm", data), fit(FORMULA, data, scale="~ 1 + (1 | p)"))
    assert found.null == "bound"
    assert mixture(found) == [(2, 0.5), (3, 0.5)]


def test_what_cannot_be_compared(data: pd.DataFrame, m: Fit) -> None:
    other = data.assign(g=data["p"] // 5, w=1.0 + data["time"])
    for first, second, said in (
        (m, m, "same model"),
        (m, fit(FORMULA, data), "restricted likelihood"),
        (fit(FORMULA, data.iloc[:-1], method="ML"), m, "same rows"),
        (fit("y ~ x + time + (1 | p)", data, method="ML"), m, "neither model lies within"),
        (fit("y ~ x + (1 | g)", other, method="ML"), m, "other groupings"),
        (fit(FORMULA, other, method="ML", weights="w"), m, "weights"),
    ):
        with pytest.raises(FitError, match=said):
            alc.compare(first, second)


def test_the_bootstrap_is_the_seed_whatever_the_workers(data: pd.DataFrame) -> None:
    some = data[data["p"] < 20]
    null = fit("y ~ x + (1 | p)", some, method="ML")
    larger = fit("y ~ x + (1 | p)", some, scale="~ 1 + (1 || p)")
    one = alc.compare(null, larger, bootstrap=12, seed=4)
    assert one == alc.compare(null, larger, bootstrap=12, seed=4, workers=2)
    assert one.p_bootstrap in [k / 13 for k in range(1, 14)]
    assert one.draws == 12
    assert "among 12 outcomes drawn from the smaller model" in say(one.sentence)
    with pytest.raises(DeclarationError, match="at least one worker"):
        alc.compare(null, larger, bootstrap=2, seed=4, workers=0)


def test_drawn_outcomes_have_the_model_s_moments(m: Fit, data: pd.DataFrame) -> None:
    """Mean and variance of every row: between, and within with the scale effect's average."""
    model, stream, draws = spread_model(m, m), np.random.default_rng(8), 3_000
    drawn = np.array([model.draw(stream) for _ in range(draws)])
    p = parts(m, data)
    sw2 = p["lam"] ** 2 + p["sigma"] ** 2
    variance = p["load"] ** 2 + np.exp(2.0 * p["log_sd"] + 2.0 * sw2)
    z = (drawn.mean(axis=0) - p["mean"]) / np.sqrt(variance / draws)
    assert np.abs(z).max() < MONTE_CARLO_SIGMAS
    assert np.mean(drawn.var(axis=0) / variance) == pytest.approx(1.0, abs=0.02)


def test_drawn_errors_are_autoregressive(data: pd.DataFrame) -> None:
    found = fit(FORMULA, data, scale="~ 1 + (1 | p)", order="time")
    model = spread_model(found, found)
    psi = model.psi.copy()
    shape = model.data.model.shape
    psi[shape.part("phi")] = 0.6
    psi[shape.part("free")] = psi[shape.part("lam")] = psi[shape.part("sigma")] = 0.0
    strong, stream = replace(model, psi=psi), np.random.default_rng(3)
    errors = [strong.draw(stream) - strong.design.X @ found.estimates[:3] for _ in range(200)]
    table = pd.DataFrame(np.array(errors).T).groupby(data["p"]).shift(1).to_numpy()
    here = np.array(errors).T[~np.isnan(table[:, 0])]
    before = table[~np.isnan(table[:, 0])]
    assert np.corrcoef(here.ravel(), before.ravel())[0, 1] == pytest.approx(0.6, abs=0.02)


# --- profiles ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> tuple[pd.DataFrame, Fit]:
    data = simulated(21, persons=40, rows=6, sw=0.5)
    return data, fit("y ~ x + (1 | p)", data, scale="~ x + (1 | p)")


def twin_deviance(data: pd.DataFrame, held: str, value: float, start: np.ndarray) -> float:
    """-2 log-likelihood, everything but one parameter maximised by scipy on a plain program.

    Parameters: two of the mean, two of the log SD, log SD between, log SD of the scale effect,
    Fisher's z of the correlation.
    """
    place = {"log_sd.x": 3, "SD of log_sd | p": 5, "correlation of Intercept, log_sd | p": 6}[held]
    y, x = data["y"].to_numpy(), data["x"].to_numpy()
    person = data["p"].to_numpy()
    n = np.bincount(person)[:, None]
    z = np.linspace(-7.0, 7.0, 181)[None]

    def deviance(free: np.ndarray) -> float:
        b0, b1, t0, t1, log_sd, log_sw, fisher = np.insert(free, place, value)
        sw, r, sd = np.exp(log_sw), np.tanh(fisher), np.exp(log_sd)
        e, d = y - b0 - b1 * x, np.exp(2.0 * (t0 + t1 * x))
        A, c, E, L = (
            np.bincount(person, w)[:, None] for w in (sd**2 / d, sd * e / d, e**2 / d, np.log(d))
        )
        kappa, C = np.exp(-2.0 * sw * z), 1.0 - r * r
        D = 1.0 + kappa * C * A
        centred = c - A * r * z
        quadratic = kappa * (E - 2 * r * z * c + (r * z) ** 2 * A) - kappa**2 * C * centred**2 / D
        rows = -0.5 * (n * np.log(2 * np.pi) + L + 2 * n * sw * z + np.log(D) + quadratic)
        density = rows + stats.norm.logpdf(z) + np.log(z[0, 1] - z[0, 0])
        return -2.0 * float(special.logsumexp(density, axis=1).sum())

    free = np.delete(start, place)
    found = optimize.minimize(deviance, free, method="BFGS", options={"gtol": 1e-6})
    return float(optimize.minimize(deviance, found.x, method="BFGS").fun)


@pytest.mark.parametrize(
    "name", ["log_sd.x", "SD of log_sd | p", "correlation of Intercept, log_sd | p"]
)
def test_at_a_limit_a_plain_program_s_deviance_has_risen_so_much(
    small: tuple[pd.DataFrame, Fit], name: str
) -> None:
    data, m = small
    found = alc.profile_interval(m, name)
    values = {(c.term, c.other): c for c in m.random}
    r = values["Intercept", "log_sd"].correlation
    assert r is not None
    spreads = [np.log(values["Intercept", ""].sd), np.log(values["log_sd", ""].sd), np.arctanh(r)]
    start = np.concatenate([m.estimates, spreads])
    scale = {"S": np.log, "c": np.arctanh, "l": float}[name[0]]
    for limit in (found.low, found.high):
        rise = twin_deviance(data, name, scale(limit), start) + 2.0 * m.loglik
        assert rise == pytest.approx(stats.chi2.ppf(0.95, 1), abs=SPREAD_PROFILE)
    assert found.low < found.estimate < found.high
    assert found.method == "ML"


def test_a_profile_of_every_parameter_holds_the_estimate(small: tuple[pd.DataFrame, Fit]) -> None:
    _, m = small
    ci = m.conf_int(0.8)
    for name in spread_parameters(m):
        found = alc.profile_interval(m, name, level=0.8)
        assert found.low < found.estimate < found.high
        if name in ci.index:
            assert found.estimate == pytest.approx(m.params[name], rel=OTHER_ALGORITHM)
            width = ci.loc[name, "high"] - ci.loc[name, "low"]
            assert (found.high - found.low) / width == pytest.approx(1.0, abs=0.15)


def test_an_sd_that_may_be_zero_starts_there() -> None:
    data = simulated(1, sw=0.0, persons=60)
    m = fit("y ~ x + (1 | p)", data, scale="~ 1 + (1 || p)")
    assert m.certificate.status == "boundary"
    found = alc.profile_interval(m, "SD of log_sd | p")
    assert found.estimate == found.low == 0.0
    null = fit("y ~ x + (1 | p)", data, method="ML")
    assert 0.0 < found.high < 0.3
    assert m.loglik == pytest.approx(null.loglik, abs=SAME_LOGLIK)


def test_a_correlation_that_may_be_one_ends_there() -> None:
    data = simulated(3, r=1.0, sw=0.3)
    m = fit("y ~ x + (1 | p)", data, scale="~ x + (1 | p)")
    name = "correlation of Intercept, log_sd | p"
    found = alc.profile_interval(m, name)
    assert found.high == 1.0
    sds = [np.log(c.sd) for c in m.random if c.correlation is None and c.group == "p"]
    start = np.concatenate([m.estimates, sds, [1.0]])
    rise = twin_deviance(data, name, np.arctanh(found.low), start) + 2.0 * m.loglik
    assert rise == pytest.approx(stats.chi2.ppf(0.95, 1), abs=SPREAD_PROFILE)


def test_all_profiles_leave_the_residual_out(small: tuple[pd.DataFrame, Fit]) -> None:
    names = [found.parameter for found in alc.profile_intervals(small[1])]
    assert names == [
        "SD of Intercept | p", "SD of log_sd | p", "correlation of Intercept, log_sd | p"
    ]  # fmt: skip


def test_an_unknown_parameter_is_a_sentence(m: Fit) -> None:
    with pytest.raises(DeclarationError, match=r"Did you mean 'SD of log_sd \| p'"):
        alc.profile_interval(m, "SD of logsd | p")


def test_with_a_random_slope_every_sd_and_correlation_has_a_profile(data: pd.DataFrame) -> None:
    m = fit("y ~ x + (1 + x | p)", data, scale="~ arm + (1 | p)")
    found = {f.parameter: f for f in alc.profile_intervals(m)}
    varying = [c for c in m.random if c.group == "p" and not np.isnan(c.correlation or 0.0)]
    assert len(found) == len(varying) == 6
    assert all(f.low <= f.estimate <= f.high for f in found.values())
    for c in varying:
        name = f"correlation of {c.term}, {c.other} | p" if c.other else f"SD of {c.term} | p"
        value = c.sd if c.correlation is None else c.correlation
        assert found[name].estimate == pytest.approx(value, abs=LOG_VARIANCE_TWIN)


def test_a_fixed_log_sd_is_the_null_of_a_random_one(data: pd.DataFrame) -> None:
    pytest.importorskip("alc_stats.estimators.fixed_scale", reason="needs the fixed-scale engine")
    smaller = fit(FORMULA, data, scale="~ arm", method="ML")
    larger = fit(FORMULA, data, scale="~ arm + x + (1 | p)")
    found = alc.compare(smaller, larger)
    assert mixture(found) == [(2, 0.5), (3, 0.5)]
    assert found.statistic == pytest.approx(2.0 * (larger.loglik - smaller.loglik), abs=SAME_LOGLIK)
    assert spread_model(smaller, larger).refitted(data["y"].to_numpy()) == pytest.approx(
        smaller.loglik, abs=10 * SAME_LOGLIK
    )
