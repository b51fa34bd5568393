from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FitError, FormulaError
from alc_stats.estimators import Fit, mixedlm
from alc_stats.estimators import fit as fit_any
from estimators.witness import answers, real_data, table
from tolerances import MIXEDLM_ESTIMATES, MIXEDLM_LOGLIK, OTHER_ALGORITHM

fit = partial(fit_any, engine="statsmodels")
ANSWERS = answers("mixed")["fits"]
REFUSED = [answer for answer in ANSWERS if "(1 + week | firm/person)" in answer["formula"]]
LME4 = [answer for answer in ANSWERS if answer not in REFUSED]
IDS = [f"{answer['formula']}, {answer['method']}" for answer in LME4]


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    return table("mixed", "firms.csv")


def in_our_words(text: str) -> str:
    """lme4's names: `(Intercept)`, `person:firm`, `armmandate`, `firm.1`."""
    for theirs, ours in (
        ("(Intercept)", "Intercept"),
        ("person:firm", "firm:person"),
        ("armmandate", "arm[T.mandate]"),
        ("firm.1", "firm"),
    ):
        text = text.replace(theirs, ours)
    return text


def random_part(result: Fit) -> dict[tuple[str, str, str], float]:
    return {
        (c.group, c.term, c.other): c.sd if c.correlation is None else c.correlation
        for c in result.random
    }


@pytest.mark.parametrize("answer", LME4, ids=IDS)
def test_every_model_is_lme4s(answer: dict) -> None:
    result = fit(answer["formula"], table("mixed", answer["file"]), method=answer["method"])
    names = [in_our_words(name) for name in answer["names"]]
    assert result.loglik == pytest.approx(answer["loglik"], abs=MIXEDLM_LOGLIK)
    np.testing.assert_allclose(result.params[names], answer["estimates"], atol=MIXEDLM_ESTIMATES)
    np.testing.assert_allclose(result.bse[names], answer["se"], atol=MIXEDLM_ESTIMATES)
    theirs = {
        tuple(in_our_words(row[key]) for key in ("group", "term", "other")): row["value"]
        for row in answer["random"]
    }
    assert random_part(result) == pytest.approx(theirs, abs=MIXEDLM_ESTIMATES)
    assert result.random[-1].group == "Residual"
    assert (result.certificate.status == "boundary") == answer["singular"]
    assert result.certificate.usable
    assert result.software.startswith("statsmodels ")


@pytest.mark.parametrize("answer", LME4, ids=IDS)
def test_the_engines_agree(answer: dict) -> None:
    # the default engine against lme4, at tighter tolerances: test_lmm.py
    data = table("mixed", answer["file"])
    ask = partial(fit_any, answer["formula"], data, method=answer["method"], df="containment")
    own, theirs = ask(), ask(engine="statsmodels")
    assert theirs.loglik == pytest.approx(own.loglik, abs=MIXEDLM_LOGLIK)
    np.testing.assert_allclose(theirs.estimates, own.estimates, atol=MIXEDLM_ESTIMATES)
    np.testing.assert_allclose(theirs.vcov, own.vcov, atol=MIXEDLM_ESTIMATES)
    assert random_part(theirs) == pytest.approx(
        random_part(own), abs=MIXEDLM_ESTIMATES, nan_ok=True
    )
    np.testing.assert_array_equal(theirs.df, own.df)
    assert theirs.certificate.status == own.certificate.status
    assert theirs.counts == own.counts


def slow_deviance(
    y: np.ndarray, X: np.ndarray, V: np.ndarray, reml: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    """-2 log-likelihood, coefficients and their covariance from the whole V."""
    inverse = np.linalg.inv(V)
    bread = np.linalg.inv(X.T @ inverse @ X)
    b = bread @ X.T @ inverse @ y
    r = y - X @ b
    n, p = X.shape
    deviance = np.linalg.slogdet(V)[1] + r @ inverse @ r + n * np.log(2 * np.pi)
    if reml:
        deviance += np.linalg.slogdet(X.T @ inverse @ X)[1] - p * np.log(2 * np.pi)
    return deviance, b, bread


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_the_likelihood_is_that_of_the_whole_covariance_matrix(
    firms: pd.DataFrame, method: str
) -> None:
    result = fit("y ~ mandate*week + (1 + week | firm) + (1 | firm:person)", firms, method=method)
    part = random_part(result)
    X = np.column_stack(
        [np.ones(len(firms)), firms["mandate"], firms["week"], firms["mandate"] * firms["week"]]
    )
    Z = np.column_stack([np.ones(len(firms)), firms["week"]])
    V = np.eye(len(firms)) * part["Residual", "", ""] ** 2
    sds = np.array([part["firm", "Intercept", ""], part["firm", "week", ""]])
    r = part["firm", "Intercept", "week"]
    G = np.outer(sds, sds) * np.array([[1.0, r], [r, 1.0]])
    firm = firms["firm"].to_numpy()
    person = (firms["firm"] + firms["person"]).to_numpy()
    V += (Z @ G @ Z.T) * (firm[:, None] == firm)
    V += part["firm:person", "Intercept", ""] ** 2 * (person[:, None] == person)
    deviance, b, covariance = slow_deviance(firms["y"].to_numpy(), X, V, method == "REML")
    assert result.loglik == pytest.approx(-0.5 * deviance, abs=MIXEDLM_LOGLIK)
    np.testing.assert_allclose(result.estimates, b, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(result.vcov, covariance, rtol=OTHER_ALGORITHM)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_a_slope_change_units_only(firms: pd.DataFrame, factor: float) -> None:
    formula = "y ~ mandate*week + (1 + week | firm)"
    plain = fit(formula, firms)
    other = fit(formula, firms.assign(week=firms["week"] * factor))
    np.testing.assert_allclose(other.tvalues, plain.tvalues, rtol=MIXEDLM_ESTIMATES)
    np.testing.assert_array_equal(other.df, plain.df)
    scaled = random_part(other)["firm", "week", ""] * factor
    assert scaled == pytest.approx(random_part(plain)["firm", "week", ""], rel=MIXEDLM_ESTIMATES)
    # under REML the likelihood depends on the units of the columns: ln|X'X| / 2 for two columns
    assert other.loglik == pytest.approx(plain.loglik - 2.0 * np.log(factor), abs=MIXEDLM_LOGLIK)
    assert other.certificate.status == "optimum"


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_and_origin_of_the_outcome_change_units_only(
    firms: pd.DataFrame, factor: float
) -> None:
    plain = fit("y ~ week + (1 + week | firm)", firms)
    other = fit("y ~ week + (1 + week | firm)", firms.assign(y=factor * (firms["y"] + 50.0)))
    np.testing.assert_allclose(other.bse, factor * plain.bse, rtol=MIXEDLM_ESTIMATES)
    shifted = plain.params + pd.Series({"Intercept": 50.0, "week": 0.0})
    np.testing.assert_allclose(other.params, factor * shifted, rtol=MIXEDLM_ESTIMATES)
    loglik = plain.loglik - (len(firms) - 2) * np.log(factor)
    assert other.loglik == pytest.approx(loglik, abs=MIXEDLM_LOGLIK)


def test_a_year_as_slope_is_as_good_as_a_centred_one(firms: pd.DataFrame) -> None:
    plain = fit("y ~ week + (1 + week | firm)", firms)
    year = fit("y ~ year + (1 + year | firm)", firms.assign(year=firms["week"] + 2020))
    assert year.certificate.status == "optimum"
    assert year.loglik == pytest.approx(plain.loglik, abs=MIXEDLM_LOGLIK)
    assert year.params["year"] == pytest.approx(plain.params["week"], rel=MIXEDLM_ESTIMATES)


def test_a_variance_at_zero_is_named_and_the_fixed_effects_stand(firms: pd.DataFrame) -> None:
    result = fit("flat ~ week + mandate + (1 | firm)", firms)
    least_squares = fit("flat ~ week + mandate", firms)
    assert result.certificate.status == "boundary"
    assert result.certificate.boundary == ("SD of Intercept | firm",)
    assert "the SD of Intercept | firm at a limit" in result.certificate.sentence
    assert "write that these data show no such variation" in result.certificate.sentence
    np.testing.assert_allclose(result.estimates, least_squares.estimates, rtol=1e-7)
    np.testing.assert_allclose(result.bse, least_squares.bse, rtol=1e-7)


def test_a_correlation_of_one_is_named(firms: pd.DataFrame) -> None:
    result = fit("y ~ arm*week + (1 + week | firm)", firms, method="ML")
    assert result.certificate.boundary == ("correlation of Intercept, week | firm",)
    assert "correlation -1 or 1" in result.certificate.sentence
    assert random_part(result)["firm", "Intercept", "week"] == pytest.approx(
        1.0, abs=MIXEDLM_ESTIMATES
    )


def without_group_variance(seed: int, count: int) -> list[pd.DataFrame]:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(8), 6)
    frame = pd.DataFrame({"g": group, "z": (group % 2).astype(float)})
    return [frame.assign(y=rng.normal(size=48)) for _ in range(count)]


def test_no_fixed_effect_is_zero_where_the_group_variance_is() -> None:
    # statsmodels#10239: between-group effects of exactly 0.0 where the group variance reaches 0
    statuses = []
    for data in without_group_variance(10239, 12):
        result = fit("y ~ z + (1 | g)", data)
        statuses.append(result.certificate.status)
        difference = data.groupby("z")["y"].mean().diff().iloc[1]
        # balanced groups: generalised least squares is the difference in means at any variance
        assert result.params["z"] == pytest.approx(difference, rel=OTHER_ALGORITHM)
    assert statuses.count("boundary") >= 3
    assert set(statuses) <= {"boundary", "optimum"}


@pytest.mark.parametrize("method", ["bfgs", "lbfgs"])
def test_fixed_effects_are_least_squares_at_the_variances_found(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    # unbalanced, and also by the optimiser that shows the fault
    monkeypatch.setattr(mixedlm, "_ATTEMPTS", ((method, 1.0, {}),))
    for data in without_group_variance(10239, 8):
        kept = data.iloc[: 48 - 11]
        result = fit("y ~ z + (1 | g)", kept)
        group, X = kept["g"].to_numpy(), np.column_stack([np.ones(len(kept)), kept["z"]])
        sds = [component.sd for component in result.random]
        V = sds[0] ** 2 * (group[:, None] == group) + sds[1] ** 2 * np.eye(len(kept))
        _, b, covariance = slow_deviance(kept["y"].to_numpy(), X, V, reml=True)
        np.testing.assert_allclose(result.estimates, b, rtol=OTHER_ALGORITHM)
        np.testing.assert_allclose(result.vcov, covariance, rtol=OTHER_ALGORITHM)
        assert np.abs(result.estimates).min() > 1e-4


def test_warnings_of_the_search_become_notes(firms: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit("flat ~ week + (1 | firm)", firms)
    assert any(note.startswith("statsmodels: ") for note in result.certificate.notes)


def test_a_search_that_did_not_arrive_is_failed(
    firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    # statsmodels' own cg stops on the way here and says so
    monkeypatch.setattr(mixedlm, "_ATTEMPTS", (("cg", 1.0, {}),))
    result = fit("y ~ arm*week + (1 + week | firm)", firms)
    assert result.certificate.status == "failed"
    assert not result.certificate.usable
    assert "Use the default engine" in result.certificate.sentence
    assert any("Gradient optimization failed" in note for note in result.certificate.notes)


def test_a_claim_of_convergence_away_from_the_optimum_is_failed(
    firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    # this lbfgs says it converged, 0.004 below the maximum
    monkeypatch.setattr(mixedlm, "_ATTEMPTS", (("lbfgs", 1.0, {}),))
    result = fit("y ~ arm*week + (1 + week | firm)", firms)
    assert result.certificate.status == "failed"
    assert result.certificate.scaled_gradient > 1e-2
    best = fit_any("y ~ arm*week + (1 + week | firm)", firms)
    assert result.loglik < best.loglik - 1e-3


def test_a_saddle_is_failed(firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    # the score by the root of a variance vanishes at zero, whatever the data: enough for a search
    # that starts there and is easily satisfied
    monkeypatch.setattr(mixedlm, "_ATTEMPTS", (("bfgs", 0.0, {"gtol": 0.1}),))
    result = fit("log(tenure + 1) ~ arm + (1 | firm)", firms)
    assert result.certificate.status == "failed"
    assert result.certificate.scaled_gradient < 1e-2
    assert result.certificate.curvature[0] < -1e-3


def test_a_search_that_breaks_off_is_an_error(
    firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr(mixedlm, "_model", broken)
    with pytest.raises(FitError, match=r"MixedLM broke off\. Found: Singular matrix") as caught:
        fit("y ~ week + (1 | firm)", firms)
    assert "Use the default engine" in str(caught.value)


def test_counts_groups_and_missing_rows(firms: pd.DataFrame) -> None:
    data = firms.copy()
    data.loc[data.index[:3], "tenure"] = np.nan
    data.loc[data.index[10], "person"] = None
    result = fit("y ~ tenure + (1 | firm/person)", data)
    assert result.counts.dropped == {"person": 1, "tenure": 3}
    assert result.counts.used == len(firms) - 4
    persons = len(firms[["firm", "person"]].drop_duplicates())
    assert result.counts.groups == {"firm": 12, "firm:person": persons}


def test_order_of_rows_does_not_matter(firms: pd.DataFrame) -> None:
    formula = "y ~ week + (1 + week | firm) + (1 | firm:person)"
    plain, shuffled = fit(formula, firms), fit(formula, firms.sample(frac=1, random_state=1))
    assert shuffled.loglik == pytest.approx(plain.loglik, abs=MIXEDLM_LOGLIK)
    np.testing.assert_allclose(shuffled.estimates, plain.estimates, rtol=MIXEDLM_ESTIMATES)


def test_nested_by_labels_is_nested_by_data(firms: pd.DataFrame) -> None:
    data = firms.assign(unique=firms["firm"] + firms["person"])
    slash = fit("y ~ week + (1 | firm/person)", data)
    plain = fit("y ~ week + (1 | firm) + (1 | unique)", data)
    assert plain.loglik == pytest.approx(slash.loglik, abs=MIXEDLM_LOGLIK)
    np.testing.assert_array_equal(plain.df, slash.df)


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        (
            "y ~ week + (1 | firm) + (1 | person)",
            "MixedLM cannot fit the crossed terms of 'firm' and 'person'",
        ),
        (
            "y ~ week + (1 + week | firm/person)",
            "MixedLM cannot fit the correlated columns of 'firm:person'",
        ),
        (
            "y ~ week + (1 | firm) + (week | firm)",
            "'Intercept' varies over 'firm' in two random terms",
        ),
        ("y ~ week + (1 | row)", "the random effects cannot be told from the residual"),
        (
            "y ~ 1 + (week + I(week**2) + I(week**3) + I(week**4) | firm:person)",
            "cannot be told from the residual",
        ),
        ("y ~ week + (1 | one)", "the grouping has a single level"),
        (
            "y ~ week + (week + I(2*week) | firm)",
            r"columns week, I\(2 \* week\) are linearly dependent",
        ),
        ("y ~ week + (0 | firm)", "a random term has no columns"),
        ("y ~ y2 + (1 | firm)", "the columns reproduce the outcome exactly"),
    ],
)
def test_what_cannot_be_fitted_is_refused(firms: pd.DataFrame, formula: str, sentence: str) -> None:
    data = firms.assign(row=np.arange(len(firms)), one="a", y2=2.0 * firms["y"] + 1.0)
    with pytest.raises((FitError, FormulaError), match=sentence):
        fit(formula, data)


@pytest.mark.parametrize(
    "formula", ["y ~ 1 + (1 | firm) + (1 | person)", "y ~ week + (1 + week | firm/person)"]
)
def test_a_refusal_points_to_the_default_engine_which_fits(
    firms: pd.DataFrame, formula: str
) -> None:
    with pytest.raises(FitError, match="Use the default engine: leave engine='statsmodels' out"):
        fit(formula, firms)
    assert fit_any(formula, firms).certificate.usable


def test_sleepstudy_has_its_exact_solution() -> None:
    # balanced data: the REML solution is a closed form, computed here in the plain
    sleep = real_data("multilevel/lme4__sleepstudy.csv", "lme4, GPL-2 or later")
    wide = sleep.pivot_table(index="Subject", columns="Days", values="Reaction").to_numpy()
    X = np.column_stack([np.ones(10), np.arange(10.0)])
    own = np.linalg.lstsq(X, wide.T, rcond=None)[0].T
    residual = np.sum((wide.T - X @ own.T) ** 2) / (18 * 8)
    between = np.cov(own.T)
    exact = between - residual * np.linalg.inv(X.T @ X)
    result = fit("Reaction ~ Days + (1 + Days | Subject)", sleep)
    part = random_part(result)
    assert part["Subject", "Intercept", ""] ** 2 == pytest.approx(
        exact[0, 0], rel=MIXEDLM_ESTIMATES
    )
    assert part["Subject", "Days", ""] ** 2 == pytest.approx(exact[1, 1], rel=MIXEDLM_ESTIMATES)
    assert part["Residual", "", ""] ** 2 == pytest.approx(residual, rel=MIXEDLM_ESTIMATES)
    np.testing.assert_allclose(result.estimates, own.mean(axis=0), rtol=MIXEDLM_ESTIMATES)
    np.testing.assert_allclose(result.vcov, between / 18.0, rtol=MIXEDLM_ESTIMATES)
    # and the numbers that closed form gives, as published: Bates et al. (2015) print 1743.6283
    assert -2.0 * result.loglik == pytest.approx(1743.6283, abs=5e-5)
    assert result.df.tolist() == [17.0, 17.0]


@pytest.mark.parametrize(
    ("formula", "method", "deviance"),
    [
        # MixedModels.jl, test/pls.jl
        ("Reaction ~ Days + (1 + Days | Subject)", "ML", 1751.9393444636682),
        ("Reaction ~ Days + (1 + Days || Subject)", "ML", 1752.003255140962),
    ],
)
def test_sleepstudy_deviances(formula: str, method: str, deviance: float) -> None:
    sleep = real_data("multilevel/lme4__sleepstudy.csv", "lme4, GPL-2 or later")
    assert -2.0 * fit(formula, sleep, method=method).loglik == pytest.approx(
        deviance, abs=MIXEDLM_LOGLIK
    )


def test_pastes_are_mixed_models_jls() -> None:
    # MixedModels.jl, test/pls.jl
    pastes = real_data("multilevel/lme4__Pastes.csv", "lme4, GPL-2 or later")
    result = fit("strength ~ 1 + (1 | batch/cask)", pastes, method="ML")
    assert -2.0 * result.loglik == pytest.approx(247.9944658624955, abs=MIXEDLM_LOGLIK)
    sds = [component.sd for component in result.random]
    assert sds == pytest.approx([1.095060801, 2.904077936, 0.823407389], abs=MIXEDLM_ESTIMATES)


def test_work_hours_and_well_being_are_bliese_s() -> None:
    # Bliese, Multilevel modeling in R (bh1996 of the multilevel package); the same in lme4 1.1.31
    army = real_data("multilevel/multilevel__bh1996.csv", "multilevel, GPL-2 or later")
    result = fit("WBEING ~ HRS + G.HRS + (1 | GRP)", army)
    assert result.params.round(4).tolist() == pytest.approx([4.7408, -0.0465, -0.1269], abs=1e-9)
    assert result.bse.round(4).tolist()[1:] == pytest.approx([0.0049, 0.0194], abs=1e-9)
    assert result.df.tolist() == [97.0, 7282.0, 97.0]
