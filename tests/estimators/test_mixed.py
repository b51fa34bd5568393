from __future__ import annotations

import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

from alc_stats.errors import FitError, FormulaError
from alc_stats.estimators import Fit, mixed
from alc_stats.estimators import fit as fit_any
from alc_stats.estimators.kernels import mixed as kernel
from estimators.witness import answers, real_data, table
from tolerances import FINITE_DIFFERENCE, FLAT_OPTIMUM, OTHER_ALGORITHM, SAME_LOGLIK

fit = partial(fit_any, engine="statsmodels")
LME4 = answers("mixed")["fits"]
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
    assert result.loglik == pytest.approx(answer["loglik"], abs=SAME_LOGLIK)
    np.testing.assert_allclose(result.params[names], answer["estimates"], atol=FLAT_OPTIMUM)
    np.testing.assert_allclose(result.bse[names], answer["se"], atol=FLAT_OPTIMUM)
    theirs = {
        tuple(in_our_words(row[key]) for key in ("group", "term", "other")): row["value"]
        for row in answer["random"]
    }
    assert random_part(result) == pytest.approx(theirs, abs=FLAT_OPTIMUM)
    assert result.random[-1].group == "Residual"
    assert (result.certificate.status == "boundary") == answer["singular"]
    assert result.certificate.usable


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
    result = fit("y ~ mandate*week + (1 + week | firm/person)", firms, method=method)
    part = random_part(result)
    X = np.column_stack(
        [np.ones(len(firms)), firms["mandate"], firms["week"], firms["mandate"] * firms["week"]]
    )
    Z = np.column_stack([np.ones(len(firms)), firms["week"]])
    V = np.eye(len(firms)) * part["Residual", "", ""] ** 2
    for group, columns in (("firm", ["firm"]), ("firm:person", ["firm", "person"])):
        sds = np.array([part[group, "Intercept", ""], part[group, "week", ""]])
        r = part[group, "Intercept", "week"]
        G = np.outer(sds, sds) * np.array([[1.0, r], [r, 1.0]])
        cell = firms.groupby(columns).ngroup().to_numpy()
        V += (Z @ G @ Z.T) * (cell[:, None] == cell[None, :])
    deviance, b, covariance = slow_deviance(firms["y"].to_numpy(), X, V, method == "REML")
    assert result.loglik == pytest.approx(-0.5 * deviance, abs=SAME_LOGLIK)
    np.testing.assert_allclose(result.estimates, b, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(result.vcov, covariance, rtol=OTHER_ALGORITHM)


def test_no_neighbour_has_a_higher_likelihood(firms: pd.DataFrame) -> None:
    # the optimum of the profiled likelihood, found again by a grid around it
    block = kernel.Block(np.ones((len(firms), 1)), firms.groupby("firm").ngroup().to_numpy(), False)
    X = np.column_stack([np.ones(len(firms)), firms["week"]])
    model = kernel.assemble(firms["y"].to_numpy(), X, [block], block.level, reml=True)
    best = kernel.polish(model, kernel.descend(model, [block.default()])[0])
    around = best.theta + np.linspace(-0.5, 0.5, 1001)
    deviances = [kernel.solve(model, np.array([t])).deviance for t in around]
    assert min(deviances) >= best.deviance - SAME_LOGLIK
    assert abs(around[int(np.argmin(deviances))] - best.theta[0]) <= 1e-3


@pytest.mark.parametrize("reml", [True, False])
def test_the_gradient_is_that_of_finite_differences(firms: pd.DataFrame, reml: bool) -> None:
    firm = firms.groupby("firm").ngroup().to_numpy()
    person = firms.groupby(["firm", "person"]).ngroup().to_numpy()
    slope = np.column_stack([np.ones(len(firms)), firms["week"] / 4.0])
    X = np.column_stack([np.ones(len(firms)), firms["week"], firms["mandate"]])
    blocks = [kernel.Block(slope, firm, True), kernel.Block(slope, person, False)]
    model = kernel.assemble(firms["y"].to_numpy(), X, blocks, firm, reml=reml)
    theta, h = np.array([0.9, -0.3, 0.5, 0.7, 0.2]), 1e-3
    for j, step in enumerate(np.eye(5) * h):
        f = [kernel.solve(model, theta + k * step).deviance for k in (-2, -1, 1, 2)]
        slow = (8 * (f[2] - f[1]) - (f[3] - f[0])) / (12 * h)
        assert kernel.gradient(model, theta)[j] == pytest.approx(slow, abs=FINITE_DIFFERENCE)


def test_the_search_leaves_the_stationary_point_at_zero(firms: pd.DataFrame) -> None:
    block = kernel.Block(np.ones((len(firms), 1)), firms.groupby("firm").ngroup().to_numpy(), False)
    X = np.ones((len(firms), 1))
    model = kernel.assemble(firms["y"].to_numpy(), X, [block], block.level, reml=True)
    from_zero, usual = (kernel.polish(model, start) for start in (np.zeros(1), np.ones(1)))
    assert from_zero.deviance == pytest.approx(usual.deviance, abs=SAME_LOGLIK)


def hard_design(rng: np.random.Generator) -> pd.DataFrame:
    """Few uneven groups, signals from none to a hundred times the noise, columns far from zero."""
    sizes = rng.integers(2, 10, rng.integers(4, 12))
    g = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=len(g)) + rng.uniform(-20, 20)
    own = rng.choice([0.0, 0.1, 5.0]) * rng.normal(size=len(sizes))[g]
    slope = rng.choice([0.0, 0.5, 5.0]) * rng.normal(size=len(sizes))[g] * (x - x.mean())
    noise = rng.normal(size=len(g)) * 10.0 ** rng.uniform(-1, 1)
    return pd.DataFrame({"g": g, "z": g % 2, "x": x, "y": own + slope + noise})


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "formula", ["y ~ z*x + (1 + x | g)", "y ~ x + (x || g)", "y ~ z + x + (1 | g)"]
)
def test_no_other_start_ends_higher(
    formula: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[kernel.MixedModel, float]] = {}

    def remembered(model: kernel.MixedModel, theta: np.ndarray) -> kernel.Optimum:
        optimum = kernel.polish(model, theta)
        seen["here"] = model, optimum.deviance
        return optimum

    monkeypatch.setattr(mixed, "polish", remembered)
    rng = np.random.default_rng(seed)
    result = fit(formula, hard_design(rng))
    model, reached = seen["here"]
    size = sum(block.size for block in model.blocks)
    starts = [rng.normal(size=size) * scale for scale in (0.1, 1.0, 10.0, 100.0)]
    elsewhere = kernel.descend(model, starts)[1].min()
    assert result.certificate.status in ("optimum", "boundary")
    assert reached <= elsewhere + SAME_LOGLIK


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_of_a_slope_change_units_only(firms: pd.DataFrame, factor: float) -> None:
    formula = "y ~ mandate*week + (1 + week | firm)"
    plain = fit(formula, firms)
    other = fit(formula, firms.assign(week=firms["week"] * factor))
    np.testing.assert_allclose(other.tvalues, plain.tvalues, rtol=FLAT_OPTIMUM)
    np.testing.assert_array_equal(other.df, plain.df)
    scaled = random_part(other)["firm", "week", ""] * factor
    assert scaled == pytest.approx(random_part(plain)["firm", "week", ""], rel=FLAT_OPTIMUM)
    # under REML the likelihood depends on the units of the columns: ln|X'X| / 2 for two columns
    assert other.loglik == pytest.approx(plain.loglik - 2.0 * np.log(factor), abs=1e-6)


def test_units_and_origin_of_the_outcome_change_units_only(firms: pd.DataFrame) -> None:
    plain = fit("y ~ week + (1 + week | firm)", firms, method="ML")
    other = fit("I(1000*y + 5e6) ~ week + (1 + week | firm)", firms, method="ML")
    np.testing.assert_allclose(other.bse, 1000.0 * plain.bse, rtol=FLAT_OPTIMUM)
    assert other.loglik == pytest.approx(plain.loglik - len(firms) * np.log(1000.0), abs=1e-6)


def test_a_year_as_slope_is_as_good_as_a_centred_one(firms: pd.DataFrame) -> None:
    plain = fit("y ~ week + (1 + week | firm)", firms)
    year = fit("y ~ year + (1 + year | firm)", firms.assign(year=firms["week"] + 2020))
    assert year.certificate.status == "optimum"
    assert year.loglik == pytest.approx(plain.loglik, abs=SAME_LOGLIK)
    assert year.params["year"] == pytest.approx(plain.params["week"], rel=FLAT_OPTIMUM)


def test_a_variance_at_zero_is_named_and_the_fixed_effects_stand(firms: pd.DataFrame) -> None:
    result = fit("flat ~ week + mandate + (1 | firm)", firms)
    least_squares = fit("flat ~ week + mandate", firms)
    assert result.certificate.status == "boundary"
    assert result.certificate.boundary == ("SD of Intercept | firm",)
    assert "SD of Intercept | firm at zero: write that these data show no such variation" in (
        result.certificate.sentence
    )
    np.testing.assert_allclose(result.estimates, least_squares.estimates, rtol=1e-7)
    np.testing.assert_allclose(result.bse, least_squares.bse, rtol=1e-7)


def test_a_correlation_of_one_is_named(firms: pd.DataFrame) -> None:
    result = fit("y ~ arm*week + (1 + week | firm)", firms, method="ML")
    assert result.certificate.boundary == ("correlation of Intercept, week | firm",)
    assert "correlation -1 or 1" in result.certificate.sentence
    assert random_part(result)["firm", "Intercept", "week"] == pytest.approx(1.0, abs=FLAT_OPTIMUM)


def test_no_fixed_effect_is_zero_by_failure_of_the_search() -> None:
    # statsmodels 10239: between-group effects of exactly 0.0 where the group variance reaches 0
    rng = np.random.default_rng(10239)
    statuses = []
    for _ in range(12):
        group = np.repeat(np.arange(8), 6)
        data = pd.DataFrame({"g": group, "z": (group % 2).astype(float), "y": rng.normal(size=48)})
        result = fit("y ~ z + (1 | g)", data)
        statuses.append(result.certificate.status)
        difference = data.groupby("z")["y"].mean().diff().iloc[1]
        # balanced groups: generalised least squares is the difference in means at any variance
        assert result.params["z"] == pytest.approx(difference, rel=OTHER_ALGORITHM)
    assert statuses.count("boundary") >= 3
    assert set(statuses) <= {"boundary", "optimum"}


def test_warnings_of_the_search_become_notes(firms: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = fit("flat ~ week + (1 | firm)", firms)
    assert any(note.startswith("statsmodels: ") for note in result.certificate.notes)


def test_without_statsmodels_the_answer_is_the_same(firms: pd.DataFrame) -> None:
    formula = "y ~ mandate*week + (1 + week | firm) + (1 | firm:person)"
    both, own = fit(formula, firms), fit(formula, firms, engine="alc_stats")
    assert (both.request.engine, own.request.engine) == ("statsmodels", "alc_stats")
    assert own.loglik == pytest.approx(both.loglik, abs=SAME_LOGLIK)
    np.testing.assert_allclose(own.estimates, both.estimates, atol=FLAT_OPTIMUM)
    assert "statsmodels" in both.software
    assert "statsmodels" not in own.software


def test_a_search_that_did_not_arrive_is_failed(
    firms: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "_POLISHES", 0)
    monkeypatch.setattr(kernel, "_descend", lambda model, start: start)
    result = fit("y ~ week + (1 + week | firm)", firms)
    assert result.certificate.status == "failed"
    assert not result.certificate.usable
    assert result.certificate.scaled_gradient > 1e-3
    assert "simplify the random part" in result.certificate.sentence


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
    assert shuffled.loglik == pytest.approx(plain.loglik, abs=SAME_LOGLIK)
    np.testing.assert_allclose(shuffled.estimates, plain.estimates, rtol=FLAT_OPTIMUM)


def test_nested_by_labels_is_nested_by_data(firms: pd.DataFrame) -> None:
    data = firms.assign(unique=firms["firm"] + firms["person"])
    slash = fit("y ~ week + (1 | firm/person)", data)
    plain = fit("y ~ week + (1 | firm) + (1 | unique)", data)
    assert plain.loglik == pytest.approx(slash.loglik, abs=SAME_LOGLIK)
    np.testing.assert_array_equal(plain.df, slash.df)


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        (
            "y ~ week + (1 | firm) + (1 | person)",
            r"the random terms of '(firm|person)' and '(firm|person)' are crossed",
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


def test_the_refusal_of_crossed_terms_says_what_can_be_fitted(firms: pd.DataFrame) -> None:
    with pytest.raises(FitError) as caught:
        fit("y ~ 1 + (1 | firm) + (1 | person)", firms)
    assert "nested terms: (1 | a/b)" in str(caught.value)
    assert "Give one of the two a fixed effect, such as C(" in str(caught.value)


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
    assert part["Subject", "Intercept", ""] ** 2 == pytest.approx(exact[0, 0], rel=FLAT_OPTIMUM)
    assert part["Subject", "Days", ""] ** 2 == pytest.approx(exact[1, 1], rel=FLAT_OPTIMUM)
    assert part["Residual", "", ""] ** 2 == pytest.approx(residual, rel=FLAT_OPTIMUM)
    np.testing.assert_allclose(result.estimates, own.mean(axis=0), rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(result.vcov, between / 18.0, rtol=FLAT_OPTIMUM)
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
        deviance, abs=SAME_LOGLIK
    )


def test_pastes_are_mixed_models_jls() -> None:
    # MixedModels.jl, test/pls.jl
    pastes = real_data("multilevel/lme4__Pastes.csv", "lme4, GPL-2 or later")
    result = fit("strength ~ 1 + (1 | batch/cask)", pastes, method="ML")
    assert -2.0 * result.loglik == pytest.approx(247.9944658624955, abs=1e-7)
    sds = [component.sd for component in result.random]
    assert sds == pytest.approx([1.095060801, 2.904077936, 0.823407389], abs=FLAT_OPTIMUM)


def test_work_hours_and_well_being_are_bliese_s() -> None:
    # Bliese, Multilevel modeling in R (bh1996 of the multilevel package); the same in lme4 1.1.31
    army = real_data("multilevel/multilevel__bh1996.csv", "multilevel, GPL-2 or later")
    result = fit("WBEING ~ HRS + G.HRS + (1 | GRP)", army)
    assert result.params.round(4).tolist() == pytest.approx([4.7408, -0.0465, -0.1269], abs=1e-9)
    assert result.bse.round(4).tolist()[1:] == pytest.approx([0.0049, 0.0194], abs=1e-9)
    assert result.df.tolist() == [97.0, 7282.0, 97.0]


def test_factor_of_a_block_is_lower_triangular() -> None:
    block = kernel.Block(np.ones((4, 3)), np.zeros(4, dtype=np.int64), True)
    factor = block.factor(np.arange(1.0, 7.0))
    np.testing.assert_array_equal(factor, [[1, 0, 0], [2, 3, 0], [4, 5, 6]])
    assert linalg.norm(np.triu(factor, 1)) == 0.0
