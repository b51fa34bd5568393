from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alc_stats as alc
from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.logistic import LogisticState
from alc_stats.inference import marginal_probabilities, risk_difference
from alc_stats.inference.logistic_comparison import draw_outcomes
from alc_stats.records import dump, load
from estimators import dense_logistic
from estimators.witness import answers, table
from tolerances import (
    DENSE_TWIN,
    FINITE_DIFFERENCE,
    GLMER_LOGLIK,
    GLMER_STOPS_EARLY,
    MONTE_CARLO_SIGMAS,
)

LME4 = {(a["formula"], a["nodes"]): a for a in answers("glmm")["fits"]}
SLOPES = "right ~ arm * novelty + (1 + novelty | person) + (1 | task)"
CROSSED = "right ~ arm * novelty + (1 | person) + (1 | task)"
PERSONS = "right ~ arm * novelty + (1 | person)"


def logistic(formula: str, **arguments: str) -> Fit:
    data = table("glmm", "answers.csv")
    return fit(formula, data, family="binomial", **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def slopes() -> Fit:
    return logistic(SLOPES)


def state_of(result: Fit) -> LogisticState:
    state = result.memory.logistic
    assert isinstance(state, LogisticState)
    return state


def test_contrasts_are_log_odds_on_the_normal(slopes: Fit) -> None:
    found = alc.contrast(slopes, "arm[T.mandate] + arm[T.mandate]:novelty")
    assert (found.unit, found.df) == ("log odds", np.inf)
    assert found.value == pytest.approx(
        slopes.params["arm[T.mandate]"] + slopes.params["arm[T.mandate]:novelty"]
    )
    names = ["arm[T.mandate]", "arm[T.mandate]:novelty"]
    test = alc.joint(slopes, names)
    place = [slopes.names.index(name) for name in names]
    b, V = slopes.estimates[place], slopes.vcov[np.ix_(place, place)]
    wald = float(b @ np.linalg.solve(V, b))
    assert test.p == pytest.approx(stats.chi2.sf(wald, 2))
    means = alc.marginal_means(slopes, ["arm", "novelty"])
    assert {e.unit for e in means.estimates} == {"log odds"}
    assert means.estimates[0].value == pytest.approx(slopes.params["Intercept"])


def test_conditional_predictions_are_lme4s() -> None:
    for formula in (SLOPES, CROSSED):
        theirs = LME4[formula, 1]["fitted"]
        ours = logistic(formula).predict().iloc[: len(theirs)]
        np.testing.assert_allclose(ours, theirs, atol=GLMER_STOPS_EARLY)


def twin(state: LogisticState, frame: pd.DataFrame) -> np.ndarray:
    """Average probability (rows,) from the raw coefficients and covariances."""
    arm = (frame["arm"] == "mandate").to_numpy(float)
    new = frame["novelty"].to_numpy(float)
    eta = np.column_stack([np.ones(len(arm)), arm, new, arm * new]) @ state.coefficients
    person, task = (factor @ factor.T for factor in state.factors)
    z = np.column_stack([np.ones(len(new)), new])
    sd = np.sqrt(np.einsum("na,ab,nb->n", z, person, z) + task[0, 0])
    pairs, back = np.unique(np.column_stack([eta, sd]), axis=0, return_inverse=True)
    return dense_logistic.marginal_probability(pairs[:, 0], pairs[:, 1])[back.ravel()]


def cells_of(state: LogisticState) -> np.ndarray:
    data = table("glmm", "answers.csv")
    return np.array(
        [
            twin(state, data.assign(arm=arm, novelty=novelty)).mean()
            for arm, novelty in itertools.product(("control", "mandate"), (0, 1))
        ]
    )


def test_marginal_probabilities_are_those_of_a_plain_program(slopes: Fit) -> None:
    found = marginal_probabilities(slopes, ["arm", "novelty"])
    state = state_of(slopes)
    np.testing.assert_allclose([e.value for e in found.estimates], cells_of(state), atol=DENSE_TWIN)
    columns = []
    for j in range(len(state.optimum.theta)):
        sides = []
        for step in (1e-4, -1e-4):
            moved = state.optimum.theta.copy()
            moved[j] += step
            sides.append(cells_of(replace(state, optimum=replace(state.optimum, theta=moved))))
        columns.append((sides[0] - sides[1]) / 2e-4)
    slope = np.array(columns).T
    p = len(state.back)
    slope[:, :p] = slope[:, :p] @ np.linalg.inv(state.back)
    np.testing.assert_allclose(
        found.covariance, slope @ state.covariance @ slope.T, atol=FINITE_DIFFERENCE
    )


def test_risk_differences_are_contrasts_of_cells(slopes: Fit) -> None:
    cells = marginal_probabilities(slopes, ["arm", "novelty"])
    assert [tuple(cell.values()) for cell in cells.cells] == [
        ("control", 0.0), ("control", 1.0), ("mandate", 0.0), ("mandate", 1.0),
    ]  # fmt: skip
    arm = {"arm": ("mandate", "control")}
    for found, weights in (
        (risk_difference(slopes, arm, at={"novelty": 1}), [0, -1, 0, 1]),
        (risk_difference(slopes, arm | {"novelty": (1, 0)}), [1, -1, -1, 1]),
    ):
        same = cells.contrast("same", weights)
        assert (found.value, found.se) == pytest.approx((same.value, same.se), rel=1e-12)
        assert found.unit == "probability"
    data = table("glmm", "answers.csv")
    share = data["novelty"].mean()
    both = risk_difference(slopes, arm)
    familiar, novel = (risk_difference(slopes, arm, at={"novelty": k}).value for k in (0, 1))
    assert both.value == pytest.approx((1 - share) * familiar + share * novel, rel=1e-12)


def test_limits_of_probabilities_stay_between_zero_and_one() -> None:
    data = pd.DataFrame({"y": [0] * 39 + [1] + [0, 1] * 20, "arm": ["a"] * 40 + ["b"] * 40})
    cells = marginal_probabilities(fit("y ~ arm", data, family="binomial"), "arm")
    assert 0.0 < cells.table["low"].min() < 0.01
    assert cells.estimates[0].interval()[0] < 0.0
    assert cells.estimates[0].value == pytest.approx(1 / 40)
    assert cells.estimates[0].se == pytest.approx(np.sqrt(39 / 40**3))


def test_predictions_for_anybody_are_marginal(slopes: Fit) -> None:
    data = table("glmm", "answers.csv").head(30)
    state = state_of(slopes)
    found = slopes.predict(data, random=False, interval="confidence")
    np.testing.assert_allclose(found["prediction"], twin(state, data), atol=DENSE_TWIN)
    stranger = data.assign(person="somebody", task="something")
    np.testing.assert_allclose(slopes.predict(stranger), found["prediction"], atol=1e-12)
    odds = slopes.predict(data, of="log_odds", random=False)
    np.testing.assert_allclose(odds, state.design.X[:30] @ state.coefficients, atol=1e-12)
    assert (found["prediction"].between(found["low"], found["high"])).all()


def test_a_plain_model_has_intervals_for_everybody() -> None:
    plain = logistic("right ~ arm")
    found = plain.predict(table("glmm", "answers.csv").head(3), interval="confidence")
    share = table("glmm", "answers.csv").groupby("arm")["right"].agg(["mean", "size"])
    control = share.loc["control"]
    assert found["prediction"].iloc[0] == pytest.approx(control["mean"])
    by_hand = np.sqrt(control["mean"] * (1 - control["mean"]) / control["size"])
    assert found["se"].iloc[0] == pytest.approx(by_hand)
    with pytest.raises(FitError, match="no random terms"):
        _ = plain.random_effects


def test_what_a_fit_from_disk_still_knows(slopes: Fit) -> None:
    again = load(dump(slopes), Fit)
    assert alc.contrast(again, "novelty") == alc.contrast(slopes, "novelty")
    for ask in (
        lambda: alc.compare(again, slopes),
        lambda: risk_difference(again, {"arm": ("mandate", "control")}),
        again.predict,
    ):
        with pytest.raises(FitError, match="does not remember its rows"):
            ask()


def ratio(smaller: str, larger: str) -> float:
    return 2.0 * (LME4[larger, 1]["loglik"] - LME4[smaller, 1]["loglik"])


def test_likelihood_ratios_are_lme4s(slopes: Fit) -> None:
    crossed = logistic(CROSSED)
    test = alc.compare(slopes, crossed)
    assert test.statistic == pytest.approx(ratio(CROSSED, SLOPES), abs=2 * GLMER_LOGLIK)
    assert (test.added, test.null, test.smaller) == (2, "chi-bar-square", CROSSED)
    assert [part.df for part in test.mixture] == [1, 2]


def test_both_models_are_integrated_alike() -> None:
    persons, crossed = logistic(PERSONS), logistic(CROSSED)
    assert state_of(persons).nodes == 25
    test = alc.compare(persons, crossed)
    assert test.statistic == pytest.approx(ratio(PERSONS, CROSSED), abs=2 * GLMER_LOGLIK)
    mixed = 2.0 * ((crossed.loglik or 0.0) - (persons.loglik or 0.0))
    assert abs(test.statistic - mixed) > 1e-3


def test_a_plain_model_is_the_smallest(slopes: Fit) -> None:
    plain = logistic("right ~ arm * novelty")
    data = table("glmm", "answers.csv")
    cells = data.groupby(["arm", "novelty"])["right"].agg(["mean", "size"])
    saturated = cells["size"] * (
        cells["mean"] * np.log(cells["mean"]) + (1 - cells["mean"]) * np.log1p(-cells["mean"])
    )
    assert plain.loglik == pytest.approx(saturated.sum(), abs=1e-9)
    assert alc.compare(plain, slopes).added == 4
    drawn = alc.compare(
        logistic(PERSONS), logistic("right ~ arm + novelty + (1 | person)"), bootstrap=39, seed=4
    )
    assert drawn.draws == 39
    assert drawn.p_bootstrap is not None
    assert drawn.p < 0.01
    assert drawn.p_bootstrap < 0.2


def test_what_cannot_be_compared(slopes: Fit) -> None:
    data = table("glmm", "answers.csv")
    with pytest.raises(FitError, match="with another one"):
        alc.compare(slopes, fit(SLOPES, data, method="ML"))
    with pytest.raises(FitError, match="neither model"):
        alc.compare(slopes, logistic("right ~ effort + (1 | person)"))
    with pytest.raises(FitError, match="same rows"):
        alc.compare(slopes, fit(CROSSED, data.head(500), family="binomial"))
    with pytest.raises(FitError, match="same model"):
        alc.compare(slopes, slopes)


def test_drawn_outcomes_have_the_marginal_mean(slopes: Fit) -> None:
    state = state_of(slopes)
    stream = np.random.default_rng(8)
    drawn = np.array([draw_outcomes(state, stream).successes.mean() for _ in range(400)])
    expected = twin(state, table("glmm", "answers.csv")).mean()
    error = drawn.std(ddof=1) / np.sqrt(len(drawn))
    assert abs(drawn.mean() - expected) < MONTE_CARLO_SIGMAS * error


def test_latent_correlations() -> None:
    result = logistic("right ~ arm * novelty + (1 | team/person) + (1 | task)")
    sd = {c.group: c.sd for c in result.random}
    found = alc.icc(result)
    total = sum(s**2 for s in sd.values()) + np.pi**2 / 3
    assert found.residual == pytest.approx(np.pi**2 / 3)
    assert found["task"].icc == pytest.approx(sd["task"] ** 2 / total)
    shared = (sd["team"] ** 2 + sd["team:person"] ** 2) / total
    assert found["team:person"].icc == pytest.approx(shared)
    for level in found.levels:
        assert 0.0 < level.low < level.icc < level.high < 1.0
    with pytest.raises(FitError, match="random slopes"):
        alc.icc(logistic(SLOPES))
    with pytest.raises(FitError, match="without random terms"):
        alc.icc(logistic("right ~ arm"))
    null = alc.null_model(logistic("right ~ arm * novelty + (1 | person)"))
    assert null.names == ("Intercept",)
    assert null.request.family == "binomial"


def test_latent_intervals_follow_the_likelihood() -> None:
    """Where the likelihood of one SD falls by 1.92, the interval of its share ends nearby."""
    result = logistic("right ~ arm * novelty + (1 | person)")
    state = state_of(result)
    assert state.objective is not None
    se = np.sqrt(state.covariance[-1, -1])
    low, high = (state.optimum.theta[-1] + k * 1.96 * se for k in (-1, 1))
    shares = [sd**2 / (sd**2 + np.pi**2 / 3) for sd in (low, high)]
    level = alc.icc(result)["person"]
    assert (level.low, level.high) == pytest.approx(shares, abs=0.02)


@pytest.mark.parametrize(
    "ask",
    [
        alc.r2,
        lambda m: alc.check(m, seed=1),
        lambda m: alc.profile_interval(m, "arm[T.mandate]"),
        lambda m: alc.wild_cluster_bootstrap(m, "arm[T.mandate]", cluster="person", seed=1),
        lambda m: alc.parametric_bootstrap(m, n=2, seed=1),
    ],
    ids=["r2", "check", "profile", "wild bootstrap", "parametric bootstrap"],
)
def test_what_makes_no_sense_is_refused_in_words(ask, slopes: Fit) -> None:
    with pytest.raises(FitError, match="logistic"):
        ask(slopes)


def test_probabilities_are_of_logistic_models(slopes: Fit) -> None:
    linear = fit(PERSONS, table("glmm", "answers.csv"))
    with pytest.raises(FitError, match="logistic model"):
        marginal_probabilities(linear, "arm")
    with pytest.raises(DeclarationError, match="no column 'arms'"):
        marginal_probabilities(slopes, "arms")
    with pytest.raises(DeclarationError, match=r"'novelty' is both changed and held"):
        risk_difference(slopes, {"novelty": (1, 0)}, at={"novelty": 1})
    with pytest.raises(DeclarationError, match=r"cannot be ban.*control, mandate"):
        risk_difference(slopes, {"arm": ("ban", "control")})
    with pytest.raises(DeclarationError, match="not between two levels"):
        risk_difference(slopes, {"arm": ("control", "control")})
    with pytest.raises(DeclarationError, match="many values"):
        marginal_probabilities(logistic("right ~ effort"), "effort")
    with pytest.raises(DeclarationError, match="weight for every cell"):
        marginal_probabilities(slopes, "arm").contrast("one", [1.0])
    with pytest.raises(DeclarationError, match="has no interval"):
        slopes.predict(interval="prediction")
    with pytest.raises(DeclarationError, match="random=False"):
        slopes.predict(interval="confidence")
    with pytest.raises(DeclarationError, match="does not predict 'sd'"):
        slopes.predict(of="sd")


def test_containment_counts_the_levels() -> None:
    result = logistic("right ~ arm * novelty + (1 | person)", df="containment")
    assert dict(zip(result.names, result.df, strict=True)) == {
        "Intercept": 58.0,
        "arm[T.mandate]": 58.0,
        "novelty": np.inf,
        "arm[T.mandate]:novelty": np.inf,
    }
    crossed = logistic(SLOPES, df="containment")
    df = dict(zip(crossed.names, crossed.df, strict=True))
    assert (df["arm[T.mandate]"], df["novelty"]) == (58.0, 14.0)
    assert risk_difference(crossed, {"arm": ("mandate", "control")}).df == df["arm[T.mandate]"]
    assert crossed.certificate.notes == ()
    assert "16 levels" in logistic(SLOPES).certificate.notes[0]


def test_t_tests_of_few_groups_hold_their_level_and_z_tests_do_not() -> None:
    """Eight groups, no effect of what four of them have."""
    draws, alpha = 250, 0.05
    stream = np.random.default_rng(19)
    group = np.repeat(np.arange(8), 15)
    rejected = np.zeros(2)
    for _ in range(draws):
        odds = 0.3 + stream.standard_normal(8)[group]
        right = (stream.uniform(size=120) < 1 / (1 + np.exp(-odds))).astype(float)
        data = pd.DataFrame({"right": right, "arm": group % 2.0, "group": group})
        result = fit("right ~ arm + (1 | group)", data, family="binomial", df="containment")
        assert result.certificate.usable
        t = abs(result.tvalues["arm"])
        rejected += [2 * stats.norm.sf(t) < alpha, 2 * stats.t.sf(t, 6) < alpha]
    least, most = stats.binom.ppf([0.0005, 0.9995], draws, alpha)
    assert rejected[0] > most
    assert least <= rejected[1] <= most


def test_risk_differences_cover_the_truth() -> None:
    """Crossed persons and tasks; the truth by the even grid."""
    draws = 80
    stream = np.random.default_rng(23)
    person, task = np.repeat(np.arange(40), 20), np.tile(np.arange(20), 40)
    arm, novelty = person % 2, task % 2
    fixed = 0.5 + 0.3 * arm - 0.4 * novelty - 0.6 * arm * novelty
    truth = np.diff(dense_logistic.marginal_probability(np.array([0.1, -0.2]), np.ones(2)))[0]
    inside = 0
    for _ in range(draws):
        odds = fixed + 0.8 * stream.standard_normal(40)[person]
        odds += 0.6 * stream.standard_normal(20)[task]
        right = (stream.uniform(size=800) < 1 / (1 + np.exp(-odds))).astype(float)
        data = pd.DataFrame({"right": right, "arm": arm, "novelty": novelty})
        result = fit(
            "right ~ arm*novelty + (1 | person) + (1 | task)",
            data.assign(person=person, task=task),
            family="binomial",
            df="containment",
        )
        low, high = risk_difference(result, {"arm": (1, 0)}, at={"novelty": 1}).interval()
        inside += low <= truth <= high
    least, most = stats.binom.ppf([0.0005, 0.9995], draws, 0.95)
    assert least <= inside <= most
