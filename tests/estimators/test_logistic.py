from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.kernels import logistic_blocks, logistic_quadrature
from alc_stats.estimators.kernels.logistic_laplace import LaplaceObjective
from alc_stats.estimators.kernels.logistic_quadrature import QuadratureObjective
from alc_stats.estimators.logistic import (
    LogisticState,
    conditional_log_odds,
    fit_logistic_arrays,
)
from alc_stats.records import dump, load
from estimators import dense_logistic
from estimators.dense_twin import wide
from estimators.witness import answers, table
from tolerances import (
    DENSE_DEVIANCE,
    DENSE_TWIN,
    FINITE_DIFFERENCE,
    GLM_LAST_STEP,
    GLMER_HESSIAN,
    GLMER_LOGLIK,
    GLMER_STOPS_EARLY,
    QUADRATURE,
)

R = answers("glmm")
LME4 = R["fits"]


def people() -> pd.DataFrame:
    return table("glmm", "answers.csv")


def herds() -> pd.DataFrame:
    data = table("glmm", "batches.csv")
    return data.assign(share=data["sick"] / data["size"])


def in_our_words(text: str) -> str:
    for theirs, ours in (
        ("(Intercept)", "Intercept"),
        ("armmandate", "arm[T.mandate]"),
        ("person:team", "team:person"),
        ("person.1", "person"),
    ):
        text = text.replace(theirs, ours)
    return text


def logistic(formula: str, data: pd.DataFrame, weights: str | None = None) -> Fit:
    return fit(formula, data, family="binomial", weights=weights)


def state_of(result: Fit) -> LogisticState:
    state = result.memory.logistic
    assert isinstance(state, LogisticState)
    return state


def by_laplace(result: Fit) -> LogisticState:
    """The same model by Laplace's approximation, as glmer does by default."""
    old = state_of(result)
    return fit_logistic_arrays(old.design, old.outcomes, old.random, where="", laplace=True)


def fitted_as(answer: dict) -> tuple[Fit, LogisticState]:
    data = herds() if answer["weights"] else people()
    result = logistic(answer["formula"], data, answer["weights"] or None)
    state = state_of(result)
    return result, by_laplace(result) if answer["nodes"] == 1 and state.nodes > 1 else state


def saturated(state: LogisticState) -> float:
    """The log-likelihood of shares as probabilities, which lme4's quadrature measures from."""
    y, m = state.outcomes.successes, state.outcomes.trials
    return float(stats.binom.logpmf(y, m, y / m).sum())


IDS = [f"{a['formula']} {a['nodes']}" for a in LME4]


@pytest.mark.parametrize("answer", LME4, ids=IDS)
def test_models_are_lme4s(answer: dict) -> None:
    result, state = fitted_as(answer)
    place = [result.names.index(in_our_words(name)) for name in answer["names"]]
    constant = saturated(state) if answer["nodes"] > 1 else 0.0
    assert state.loglik - constant == pytest.approx(answer["loglik"], abs=GLMER_LOGLIK)
    assert state.loglik - constant > answer["loglik"] - 1e-9
    np.testing.assert_allclose(
        state.coefficients[place], answer["estimates"], atol=GLMER_STOPS_EARLY
    )
    se = np.sqrt(np.diag(state.vcov))[place]
    np.testing.assert_allclose(se, answer["se"], rtol=GLMER_HESSIAN)
    assert result.certificate.status == "optimum"


@pytest.mark.parametrize("answer", LME4, ids=IDS)
def test_variances_are_lme4s(answer: dict) -> None:
    result, state = fitted_as(answer)
    if state is not state_of(result):
        ours = {("person" if "person" in answer["formula"] else "herd", "Intercept", ""): 0.0}
        ours = {key: float(state.factors[0][0, 0]) for key in ours}
    else:
        ours = {
            (c.group, c.term, c.other): c.sd if c.correlation is None else c.correlation
            for c in result.random
        }
    theirs = {
        tuple(in_our_words(row[key]) for key in ("group", "term", "other")): row["value"]
        for row in answer["random"]
    }
    assert ours == pytest.approx(theirs, abs=GLMER_STOPS_EARLY)


@pytest.mark.parametrize("answer", [a for a in LME4 if "effects" in a], ids=lambda a: a["formula"])
def test_conditional_modes_are_lme4s(answer: dict) -> None:
    _, state = fitted_as(answer)
    for modes in conditional_log_odds(state):
        theirs = answer["effects"][modes.group]
        order = [list(modes.labels).index(level) for level in theirs["levels"]]
        np.testing.assert_allclose(modes.modes[order], theirs["modes"], atol=10 * GLMER_STOPS_EARLY)
        if theirs["covariance"]:
            np.testing.assert_allclose(
                modes.covariance[order], theirs["covariance"], atol=10 * GLMER_STOPS_EARLY
            )


def test_plain_logistic_regression_is_rs() -> None:
    answer = R["plain"]
    result = logistic(answer["formula"], people())
    names = [in_our_words(name) for name in answer["names"]]
    assert result.loglik == pytest.approx(answer["loglik"], abs=1e-9)
    np.testing.assert_allclose(result.params[names], answer["estimates"], rtol=GLM_LAST_STEP)
    np.testing.assert_allclose(result.bse[names], answer["se"], rtol=GLM_LAST_STEP)
    assert result.random == ()


CROSSED = "right ~ arm * novelty + (1 + novelty | person) + (1 | task) + (1 | team)"


@pytest.mark.parametrize("cost", [0, 10**9], ids=["full", "sparse"])
def test_deviance_and_gradient_are_those_of_whole_matrices(
    cost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic_blocks, "PAIR_COST", 10**9 if cost == 0 else 0)
    data = people()[lambda t: t["person"].isin([f"p{k:02d}" for k in range(1, 15)])]
    state = state_of(logistic(CROSSED, data))
    objective = state.objective
    assert isinstance(objective, LaplaceObjective)
    assert state.random is not None
    p = objective.coefficients
    place = np.concatenate([np.linspace(-0.5, 0.5, p), [0.9, 0.3, 0.6, 0.7, 0.5]])
    value, gradient = objective.value_and_gradient(place)
    lam = objective.template.unpack(place[p:])
    Z = [
        wide(factor.codes, z.T)
        for factor, z in zip(state.random.factors, objective.arrays.Z, strict=True)
    ]
    roots = [
        np.kron(np.eye(f.levels), one) for f, one in zip(state.random.factors, lam, strict=True)
    ]
    dense = dense_logistic.laplace(
        state.outcomes.successes,
        state.outcomes.trials,
        objective.arrays.X @ place[:p],
        np.concatenate([z @ root for z, root in zip(Z, roots, strict=True)], axis=1),
        np.eye(sum(z.shape[1] for z in Z)),
    )
    assert value == pytest.approx(dense, abs=DENSE_DEVIANCE)
    for j, slope in enumerate(gradient):
        step = 1e-3 * np.eye(len(place))[j]
        f = [objective.value_and_gradient(place + s * step)[0] for s in (-2, -1, 1, 2)]
        difference = (f[0] - 8.0 * f[1] + 8.0 * f[2] - f[3]) / 12e-3
        assert slope == pytest.approx(difference, abs=FINITE_DIFFERENCE)


def test_quadrature_is_the_integral() -> None:
    result = logistic("share ~ period + (1 | herd)", herds(), "size")
    state = state_of(result)
    assert isinstance(state.objective, QuadratureObjective)
    assert state.random is not None
    factor = state.random.factors[0]
    slow = dense_logistic.integrated(
        state.outcomes.successes,
        state.outcomes.trials,
        state.design.X @ state.coefficients,
        state.factors[0][0, 0] * factor.Z[:, 0],
        factor.codes,
    )
    assert -2.0 * state.loglik == pytest.approx(slow, abs=QUADRATURE)
    assert "quadrature, 25 nodes" in result.software


def test_more_nodes_where_25_are_too_few() -> None:
    stream = np.random.default_rng(5)
    person = np.repeat(np.arange(60), 40)
    eta = 9.0 * stream.standard_normal(60)[person] + 4.0 * stream.standard_normal(2400)
    data = pd.DataFrame({"right": (eta > 0.0).astype(float), "person": person})
    state = state_of(logistic("right ~ 1 + (1 | person)", data))
    assert state.random is not None
    slow = dense_logistic.integrated(
        state.outcomes.successes,
        state.outcomes.trials,
        state.design.X @ state.coefficients,
        np.full(2400, state.factors[0][0, 0]),
        state.random.factors[0].codes,
    )
    assert -2.0 * state.loglik == pytest.approx(slow, abs=DENSE_DEVIANCE)


def test_inverse_blocks_are_those_of_the_whole_inverse() -> None:
    data = people()[lambda t: t["person"].isin([f"p{k:02d}" for k in range(1, 15)])]
    state = state_of(logistic(CROSSED, data))
    assert state.objective is not None
    assert state.random is not None
    mode = state.objective.mode(state.optimum.theta)
    loads = state.objective.arrays.loads(state.lam)
    L = np.concatenate(
        [wide(f.codes, z.T) for f, z in zip(state.random.factors, loads, strict=True)], axis=1
    )
    whole = np.linalg.inv(np.eye(L.shape[1]) + L.T @ (mode.slopes.weight[:, None] * L))
    start = 0
    for factor, block in zip(state.random.factors, mode.factored.own_inverse(), strict=True):
        for level in range(factor.levels):
            own = slice(start, start + factor.size)
            np.testing.assert_allclose(block[:, :, level], whole[own, own], atol=DENSE_TWIN)
            start += factor.size


def test_units_and_order_do_not_matter() -> None:
    data = people()
    moved = data.assign(effort=1000.0 * data["effort"] - 7.0).sample(frac=1.0, random_state=3)
    formula = "right ~ arm*effort + (1 + effort | person)"
    a, b = logistic(formula, data), logistic(formula, moved)
    assert a.loglik == pytest.approx(b.loglik, abs=1e-8)
    slope = "arm[T.mandate]:effort"
    assert b.params[slope] * 1000.0 == pytest.approx(a.params[slope], rel=1e-6)
    assert b.bse[slope] * 1000.0 == pytest.approx(a.bse[slope], rel=1e-6)


def test_a_variance_of_zero_is_said() -> None:
    stream = np.random.default_rng(11)
    data = pd.DataFrame(
        {
            "right": np.tile([0.0, 1.0, 1.0, 0.0, 1.0], 40),
            "x": stream.standard_normal(200),
            "person": np.repeat(np.arange(40), 5),
            "task": np.tile(np.arange(5), 40),
        }
    )
    result = logistic("right ~ x + (1 | person)", data)
    plain = logistic("right ~ x", data)
    assert result.certificate.status == "boundary"
    assert result.certificate.boundary == ("SD of Intercept | person",)
    assert result.random[0].sd == 0.0
    assert result.loglik == pytest.approx(plain.loglik, abs=1e-9)
    np.testing.assert_allclose(result.bse, plain.bse, rtol=1e-6)
    assert result.certificate.boundary_pull is not None
    assert result.certificate.boundary_pull > 0.0


def test_a_record_on_disk_is_the_fit() -> None:
    result = logistic("right ~ arm + (1 | person)", people())
    assert load(dump(result), Fit).summary() == result.summary()


def test_separation_is_refused_in_words() -> None:
    data = people().assign(sure=lambda t: t["right"] * 2.0 + t["effort"] / 1000.0)
    with pytest.raises(FitError, match=r"sure separates .*complete separation"):
        logistic("right ~ sure + (1 | person)", data)
    team = people().assign(right=lambda t: t["right"].where(t["team"] != "m03", 1))
    with pytest.raises(FitError, match=r"team\[T.m03\] .*quasi-complete separation"):
        logistic("right ~ team", team)
    with pytest.raises(FitError, match="quasi-complete"):
        logistic("right ~ team + (1 | task)", team)


def test_whether_separation_is_complete_is_told() -> None:
    data = people().assign(sure=lambda t: 2.0 * t["right"] - 1.0)
    with pytest.raises(FitError, match=r"sure separates .*complete separation: every outcome"):
        logistic("right ~ arm + sure", data)


def test_rare_outcomes_are_no_separation() -> None:
    stream = np.random.default_rng(2)
    x = stream.standard_normal(4000)
    right = (stream.uniform(size=4000) < special.expit(-7.0 + 2.5 * x)).astype(float)
    result = logistic("right ~ x", pd.DataFrame({"right": right, "x": x}))
    assert result.certificate.usable


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"method": "REML"}, "restricted likelihood"),
        ({"covariance": "CR2", "cluster": "person"}, "covariance 'CR2'"),
        ({"df": "satterthwaite"}, "df 'satterthwaite'"),
        ({"scale": "~ arm"}, "follows from its probability"),
        ({"bounds": (0, 1)}, "only values"),
        ({"engine": "statsmodels"}, "engine 'statsmodels'"),
    ],
)
def test_what_a_logistic_model_does_not_take(arguments: dict, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        fit("right ~ arm + (1 | person)", people(), family="binomial", **arguments)


def test_outcomes_that_are_no_successes() -> None:
    data = people().assign(grade=lambda t: t["right"] + 1.0)
    with pytest.raises(FitError, match=r"not yes or no.*weights="):
        logistic("grade ~ arm", data)
    with pytest.raises(FitError, match="whole number of successes"):
        logistic("share ~ period", herds().assign(share=lambda t: t["share"].round(2)), "size")
    with pytest.raises(FitError, match="no share of successes"):
        logistic("sick ~ period", herds(), "size")
    with pytest.raises(FitError, match="trials 'size' are not whole"):
        logistic("share ~ period", herds().assign(size=lambda t: t["size"] + 0.5), "size")
    with pytest.raises(FitError, match="all outcomes are alike"):
        logistic(
            "right ~ 1 + (1 | person)",
            data.assign(right=data["person"].str[1:].astype(int) % 2),
        )


def test_yes_and_no_may_be_true_and_false() -> None:
    data = people()
    same = data.assign(right=data["right"] == 1)
    assert logistic("right ~ arm", same).loglik == logistic("right ~ arm", data).loglik


def test_trials_are_rows_written_together() -> None:
    wide_data = herds()
    rows = pd.DataFrame(
        [
            {"herd": row.herd, "period": row.period, "ill": float(k < row.sick)}
            for row in wide_data.rename(columns={"size": "trials"}).itertuples()
            for k in range(int(row.trials))
        ]
    )
    a = logistic("share ~ period + (1 | herd)", wide_data, "size")
    b = logistic("ill ~ period + (1 | herd)", rows)
    constant = state_of(a).outcomes.constant
    assert a.loglik - constant == pytest.approx(b.loglik, abs=1e-9)
    np.testing.assert_allclose(a.params, b.params, rtol=1e-7)
    np.testing.assert_allclose(a.bse, b.bse, rtol=1e-6)


def test_random_effects_that_separate_are_no_result() -> None:
    """Two dozen rows, a slope for everything: the likelihood rises towards SDs without end."""
    stream = np.random.default_rng(1)
    group = np.repeat(np.arange(6), 8)
    x = stream.standard_normal(48)
    right = (x * (group % 2 - 0.5) > 0.02).astype(float)
    data = pd.DataFrame({"right": right, "x": x, "group": group})
    result = logistic("right ~ x + (1 + x | group)", data)
    assert not result.certificate.usable
    assert "estimate" not in result.summary()


def test_few_outcomes_a_level_are_noted() -> None:
    data = people().assign(pair=lambda t: t.groupby("person").cumcount() // 3)
    data["pair"] = data["person"] + "." + data["pair"].astype(str)
    notes = logistic("right ~ arm + (1 | person) + (1 | pair)", data).certificate.notes
    assert any("of 'pair' are few for Laplace's" in note for note in notes)


def test_laplace_understates_where_outcomes_are_few() -> None:
    stream = np.random.default_rng(3)
    person = np.repeat(np.arange(1500), 2)
    odds = 0.5 + 1.5 * stream.standard_normal(1500)[person]
    right = (stream.uniform(size=3000) < special.expit(odds)).astype(float)
    result = logistic("right ~ 1 + (1 | person)", pd.DataFrame({"right": right, "person": person}))
    laplace = by_laplace(result)
    assert abs(result.random[0].sd - 1.5) < 0.25
    assert laplace.factors[0][0, 0] < 0.85 * result.random[0].sd


def test_a_crossed_part_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic_blocks, "LARGEST_REMAINDER", 10)
    with pytest.raises(FitError, match="16 random effects beside"):
        logistic("right ~ arm + (1 | person) + (1 | task)", people())


def test_quadrature_in_pieces_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    formula = "right ~ arm + (1 | person)"
    whole = logistic(formula, people())
    monkeypatch.setattr(logistic_quadrature, "_CELLS", 500)
    pieces = logistic(formula, people())
    assert pieces.loglik == pytest.approx(whole.loglik, abs=1e-10)
    np.testing.assert_allclose(pieces.params, whole.params, rtol=1e-9)


def test_a_correlation_of_one_is_said() -> None:
    stream = np.random.default_rng(31)
    person = np.repeat(np.arange(40), 10)
    x = stream.standard_normal(400)
    u = stream.standard_normal(40)[person]
    right = (stream.uniform(size=400) < special.expit(0.3 + u + 0.5 * u * x)).astype(float)
    data = pd.DataFrame({"right": right, "x": x, "person": person})
    result = logistic("right ~ x + (1 + x | person)", data)
    assert result.certificate.boundary == ("correlation of Intercept, x | person",)
    correlation = [c.correlation for c in result.random if c.correlation is not None]
    assert correlation == [pytest.approx(1.0)]
    assert result.certificate.boundary_pull is not None
    assert 0.0 < result.certificate.boundary_pull < 1.0
