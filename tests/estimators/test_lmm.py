from __future__ import annotations

from fractions import Fraction
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.fit import Request
from alc_stats.estimators.formula import parse
from alc_stats.estimators.kernels import lmm_crossed
from alc_stats.estimators.lmm import FittedLmm, conditional_modes, fit_lmm
from alc_stats.records import dump, load
from estimators.witness import answers, real_data, table
from tolerances import (
    FLAT_OPTIMUM,
    LME4_STOPS_EARLY,
    PUBLISHED_OBJECTIVE,
    SAME_LOGLIK,
    TEN_DIGITS,
    UNITS_ONLY,
)

LME4 = answers("lmm")["fits"]
NESTED = answers("mixed")["fits"]


def engine(
    formula: str,
    data: pd.DataFrame,
    *,
    method: Literal["ML", "REML"] = "REML",
    df: str = "satterthwaite",
    weights: str | None = None,
) -> FittedLmm:
    request = Request(formula, "alc_stats", method, df=df)
    return fit_lmm(parse(formula), data, request=request, weights=weights)


def in_our_words(text: str) -> str:
    """lme4's names: `(Intercept)`, `person:firm`, `armmandate`, `firm.1`."""
    for theirs, ours in (
        ("(Intercept)", "Intercept"),
        ("person:firm", "firm:person"),
        ("person:team", "team:person"),
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


def same_as(answer: dict, result: Fit) -> None:
    names = [in_our_words(name) for name in answer["names"]]
    assert result.loglik == pytest.approx(answer["loglik"], abs=SAME_LOGLIK)
    np.testing.assert_allclose(result.params[names], answer["estimates"], atol=FLAT_OPTIMUM)
    np.testing.assert_allclose(result.bse[names], answer["se"], atol=FLAT_OPTIMUM)
    theirs = {
        tuple(in_our_words(row[key]) for key in ("group", "term", "other")): row["value"]
        for row in answer["random"]
    }
    assert random_part(result) == pytest.approx(theirs, abs=LME4_STOPS_EARLY)
    assert result.certificate.usable


@pytest.mark.parametrize("answer", LME4, ids=[f"{a['formula']} {a['method']}" for a in LME4])
def test_crossed_nested_and_weighted_models_are_lme4s(answer: dict) -> None:
    weights = "weight" if answer["weights"] else None
    data = table("lmm", "ratings.csv")
    same_as(answer, engine(answer["formula"], data, method=answer["method"], weights=weights).fit)


@pytest.mark.parametrize("answer", NESTED, ids=[f"{a['formula']} {a['method']}" for a in NESTED])
def test_nested_models_are_lme4s(answer: dict) -> None:
    result = fit(answer["formula"], table("mixed", answer["file"]), method=answer["method"])
    same_as(answer, result)
    assert (result.certificate.status == "boundary") == answer["singular"]


@pytest.mark.parametrize(
    "answer", [a for a in LME4 if "effects" in a], ids=lambda a: str(a["formula"])
)
def test_conditional_modes_are_lme4s(answer: dict) -> None:
    fitted = engine(answer["formula"], table("lmm", "ratings.csv"))
    for own in conditional_modes(fitted.state):
        theirs = answer["effects"][own.group]
        assert own.labels.tolist() == theirs["levels"]
        np.testing.assert_allclose(own.modes, theirs["modes"], atol=LME4_STOPS_EARLY)
        np.testing.assert_allclose(own.covariance, theirs["covariance"], atol=LME4_STOPS_EARLY)


# --- closed forms ---------------------------------------------------------------------------


def leading_digits(constant: int, replicates: int) -> tuple[pd.DataFrame, list[Fraction]]:
    """Nine treatments as Simon and Lesage (1989) build them: a constant, steps of a tenth."""
    labels, exact = [], []
    for treatment in range(9):
        centre = Fraction(constant) + Fraction(2 * treatment + 4, 10)
        values = [centre] + [centre + Fraction((-1) ** (i + 1), 10) for i in range(replicates - 1)]
        labels += [f"t{treatment}"] * replicates
        exact += values
    return pd.DataFrame({"y": [float(v) for v in exact], "g": labels}), exact


def one_way(exact: list[Fraction], groups: int) -> tuple[float, float, float]:
    """REML of a balanced one-way layout in rationals: variances between and within, SE."""
    n = len(exact) // groups
    means = [sum(exact[j * n : (j + 1) * n], Fraction(0)) / n for j in range(groups)]
    grand = sum(means, Fraction(0)) / groups
    between = n * sum((m - grand) ** 2 for m in means) / (groups - 1)
    within = sum((y - means[i // n]) ** 2 for i, y in enumerate(exact)) / (len(exact) - groups)
    return float((between - within) / n), float(within), float(between / len(exact)) ** 0.5


def correct_digits(found: float, exact: float) -> float:
    return float(-np.log10(max(abs(found / exact - 1.0), 1e-16)))


@pytest.mark.parametrize(("constant", "least"), [(1, 13.0), (10**6, 9.0), (10**12, 3.5)])
@pytest.mark.parametrize("replicates", [21, 201])
def test_leading_digits_cost_what_float64_cannot_hold(
    constant: int, least: float, replicates: int
) -> None:
    data, exact = leading_digits(constant, replicates)
    result = fit("y ~ 1 + (1 | g)", data)
    found = (result.random[0].sd ** 2, result.random[1].sd ** 2, result.bse.iloc[0])
    digits = [correct_digits(*pair) for pair in zip(found, one_way(exact, 9), strict=True)]
    assert min(digits) > least
    # never more is promised than is there, and never less than two digits too little
    assert min(digits) - 2.5 < result.certificate.digits < min(digits) + 0.5
    assert result.df[0] == pytest.approx(8.0, abs=1e-6)


def test_a_between_variance_below_its_noise_is_exactly_zero() -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(6), 5)
    y = rng.normal(size=30)
    y -= 0.9 * pd.Series(y).groupby(g).transform("mean").to_numpy()
    fitted = engine("y ~ 1 + (1 | g)", pd.DataFrame({"y": y, "g": g}))
    result = fitted.fit
    assert fitted.state.optimum.theta.tolist() == [0.0]
    assert result.random[0].sd == 0.0
    assert result.certificate.status == "boundary"
    assert result.certificate.boundary == ("SD of Intercept | g",)
    assert result.certificate.boundary_pull > 0.0
    assert "SD of Intercept | g at zero" in result.certificate.sentence
    # with no variance between groups the fit is ordinary least squares
    assert result.bse.iloc[0] == pytest.approx(np.std(y, ddof=1) / np.sqrt(30), rel=UNITS_ONLY)
    # but an estimate of zero from six groups is not knowledge: 6 - 1, not 30 - 1
    assert result.df[0] == pytest.approx(5.0, rel=UNITS_ONLY)


def test_a_correlation_of_one_is_at_the_boundary() -> None:
    # one random number a group moves intercept and slope alike
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(40), 5), np.tile(np.arange(5.0), 40)
    y = rng.normal(size=40)[g] * (1.0 + 0.3 * x) + rng.normal(size=200)
    result = fit("y ~ x + (1 + x | g)", pd.DataFrame({"y": y, "x": x, "g": g}))
    assert result.certificate.status == "boundary"
    assert result.certificate.boundary == ("correlation of Intercept, x | g",)
    assert result.certificate.boundary_pull > 0.0
    assert result.random[2].correlation == pytest.approx(1.0, rel=UNITS_ONLY)
    assert "at a limit (SD 0, correlation -1 or 1)" in result.certificate.sentence


# --- relations ------------------------------------------------------------------------------

FORMULA = "y ~ arm + load + (1 + load | person) + (1 | task)"


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    return table("lmm", "ratings.csv")


@pytest.fixture(scope="module")
def plain(ratings: pd.DataFrame) -> Fit:
    return fit(FORMULA, ratings)


def numbers(result: Fit) -> np.ndarray:
    random = [c.sd if c.correlation is None else c.correlation for c in result.random]
    return np.concatenate([result.estimates, result.bse, random, [result.loglik]])


def test_the_order_of_rows_does_not_matter(ratings: pd.DataFrame, plain: Fit) -> None:
    other = fit(FORMULA, ratings.sample(frac=1.0, random_state=3))
    np.testing.assert_allclose(numbers(other), numbers(plain), rtol=UNITS_ONLY)


@pytest.mark.parametrize("relabel", [lambda p: f"é {p[::-1]}", lambda p: 1000 - int(p[1:])])
def test_names_of_groups_do_not_matter(ratings: pd.DataFrame, plain: Fit, relabel: object) -> None:
    other = fit(FORMULA, ratings.assign(person=ratings["person"].map(relabel)))
    np.testing.assert_allclose(numbers(other), numbers(plain), rtol=UNITS_ONLY)


@pytest.mark.parametrize("factor", [1e-9, 1e-6, 1e6, 1e9])
def test_units_of_a_predictor_are_units_only(
    ratings: pd.DataFrame, plain: Fit, factor: float
) -> None:
    other = fit(FORMULA, ratings.assign(load=ratings["load"] * factor))
    assert other.params["load"] * factor == pytest.approx(plain.params["load"], rel=UNITS_ONLY)
    assert other.bse["load"] * factor == pytest.approx(plain.bse["load"], rel=UNITS_ONLY)
    assert other.random[1].sd * factor == pytest.approx(plain.random[1].sd, rel=UNITS_ONLY)
    # the restricted likelihood has |X'V^-1 X|, which knows the units of X
    assert other.loglik == pytest.approx(plain.loglik - np.log(factor), abs=SAME_LOGLIK)
    np.testing.assert_allclose(other.df, plain.df, rtol=FLAT_OPTIMUM)


@pytest.mark.parametrize("factor", [1e-9, -1e3, 1e9])
def test_units_of_the_outcome_are_units_only(
    ratings: pd.DataFrame, plain: Fit, factor: float
) -> None:
    other = fit(FORMULA, ratings.assign(y=ratings["y"] * factor))
    np.testing.assert_allclose(other.estimates / factor, plain.estimates, rtol=UNITS_ONLY)
    np.testing.assert_allclose(other.bse / abs(factor), plain.bse, rtol=UNITS_ONLY)
    np.testing.assert_allclose(abs(other.pvalues), plain.pvalues, rtol=FLAT_OPTIMUM)


@pytest.mark.parametrize("shift", [-1e9, 1e4, 1e9])
def test_the_origin_of_a_predictor_moves_the_intercept_only(
    ratings: pd.DataFrame, plain: Fit, shift: float
) -> None:
    # hundredths added to a thousand million keep seven digits: the shifted column is given as such
    moved = ratings["load"] + shift
    back = fit(FORMULA, ratings.assign(load=moved - shift))
    other = fit(FORMULA, ratings.assign(load=moved))
    assert other.params["load"] == pytest.approx(back.params["load"], rel=UNITS_ONLY)
    assert other.random[1].sd == pytest.approx(back.random[1].sd, rel=UNITS_ONLY)
    assert other.random[-1].sd == pytest.approx(back.random[-1].sd, rel=UNITS_ONLY)
    assert other.loglik == pytest.approx(back.loglik, abs=SAME_LOGLIK)


def test_the_origin_of_the_outcome_moves_the_intercept_only(
    ratings: pd.DataFrame, plain: Fit
) -> None:
    other = fit(FORMULA, ratings.assign(y=ratings["y"] + 1e6))
    assert other.params["Intercept"] - 1e6 == pytest.approx(plain.params["Intercept"], rel=1e-8)
    np.testing.assert_allclose(other.bse, plain.bse, rtol=1e-8)
    assert other.certificate.digits < 10.5


def test_groups_that_come_twice_halve_the_information(ratings: pd.DataFrame) -> None:
    formula = "y ~ arm + load + (1 + load | person)"
    once = fit(formula, ratings, method="ML")
    again = ratings.assign(person=ratings["person"] + " again")
    twice = fit(formula, pd.concat([ratings, again]), method="ML")
    np.testing.assert_allclose(twice.estimates, once.estimates, rtol=UNITS_ONLY)
    np.testing.assert_allclose(twice.bse * np.sqrt(2.0), once.bse, rtol=UNITS_ONLY)
    assert twice.loglik == pytest.approx(2.0 * once.loglik, rel=UNITS_ONLY)


def test_constant_weights_are_units_of_the_residual(ratings: pd.DataFrame) -> None:
    plain = engine(FORMULA, ratings).fit
    heavy = engine(FORMULA, ratings.assign(w=4.0), weights="w").fit
    assert heavy.random[-1].sd == pytest.approx(2.0 * plain.random[-1].sd, rel=UNITS_ONLY)
    assert heavy.loglik == pytest.approx(plain.loglik, abs=SAME_LOGLIK)
    np.testing.assert_allclose(heavy.bse, plain.bse, rtol=UNITS_ONLY)


def test_rows_that_lack_a_value_are_dropped_and_counted(ratings: pd.DataFrame, plain: Fit) -> None:
    lacking = ratings.iloc[:7].assign(y=np.nan)
    other = fit(FORMULA, pd.concat([ratings, lacking], ignore_index=True))
    np.testing.assert_allclose(numbers(other), numbers(plain), rtol=UNITS_ONLY)
    assert (other.counts.read - other.counts.used, other.counts.dropped) == (7, {"y": 7})


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(-6.0, 6.0),
    shift=st.floats(-50.0, 50.0),
    between=st.floats(-2.0, 2.0),
)
def test_any_design_is_at_its_optimum_in_any_units(
    seed: int, scale: float, shift: float, between: float
) -> None:
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(12), 6), np.round(rng.normal(size=72), 3)
    effects = 10.0**between * rng.normal(size=(12, 2))
    y = effects[g, 0] + effects[g, 1] * x + rng.normal(size=72)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    first = engine("y ~ x + (1 + x | g)", data)
    second = engine("y ~ x + (1 + x | g)", data.assign(x=(x + shift) * 10.0**scale))
    assert first.fit.certificate.usable
    assert second.fit.certificate.status == first.fit.certificate.status
    assert second.fit.params["x"] * 10.0**scale == pytest.approx(first.fit.params["x"], rel=1e-8)
    assert second.state.sigma == pytest.approx(first.state.sigma, rel=1e-8)


def test_no_other_start_finds_a_better_optimum(ratings: pd.DataFrame) -> None:
    from alc_stats.estimators.kernels.lmm_search import search

    state = engine(FORMULA, ratings).state
    rng = np.random.default_rng(8)
    for _ in range(6):
        start = state.optimum.theta + rng.normal(size=4)
        other = search(state.objective, start)
        assert other.deviance == pytest.approx(state.optimum.deviance, abs=SAME_LOGLIK)


# --- refusals -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def awkward() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(12), 5)
    return pd.DataFrame(
        {
            "y": rng.normal(size=60),
            "still": np.repeat(rng.normal(size=12), 5),
            "g": g,
            "again": [f"k{v}" for v in g],
            "age": np.repeat(rng.normal(size=12), 5),
            "x": rng.normal(size=60),
            "one": 1,
            "row": np.arange(60),
        }
    )


@pytest.mark.parametrize(
    ("formula", "sentence"),
    [
        ("y ~ 1 + (1 + age | g)", "the slope of age cannot vary over 'g'"),
        ("y ~ 1 + (1 | one)", "the grouping has a single level"),
        ("y ~ 1 + (1 | row)", "the random effects cannot be told from the residual"),
        ("y ~ 1 + (1 + x | row)", "the random effects cannot be told from the residual"),
        ("still ~ 1 + (1 | g)", "the random effects reproduce the outcome exactly"),
        ("x ~ 1 + x + (1 | g)", "the columns reproduce the outcome exactly"),
        ("y ~ 1 + (1 | g) + (1 + x | g)", "'Intercept' varies over 'g' in two random terms"),
        ("y ~ 1 + (0 + x + I(2*x) | g)", "linearly dependent"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    awkward: pd.DataFrame, formula: str, sentence: str
) -> None:
    with pytest.raises((FitError, FormulaError), match=sentence):
        fit(formula, awkward)


def test_covariances_no_group_shows_are_refused() -> None:
    # within every group x takes one of two patterns: three covariances, two kinds of group
    g = np.repeat(np.arange(12), 4)
    x = np.where(g % 2 == 0, np.tile([0.0, 1.0, 0.0, 1.0], 12), 0.0)
    z = np.where(g % 2 == 0, 0.0, np.tile([1.0, 0.0, 1.0, 0.0], 12))
    y = np.random.default_rng(1).normal(size=48)
    data = pd.DataFrame({"y": y, "x": x, "z": z, "g": g})
    with pytest.raises(FitError, match="cannot tell how x, z covary"):
        fit("y ~ 1 + (0 + x + z | g)", data)


def test_two_names_for_one_grouping_are_not_identified(awkward: pd.DataFrame) -> None:
    y = awkward["y"] + np.random.default_rng(3).normal(size=12)[awkward["g"]]
    result = fit("y ~ 1 + (1 | g) + (1 | again)", awkward.assign(y=y))
    assert result.certificate.status == "not_identified"
    assert result.certificate.unidentified == ("SD of Intercept | g", "SD of Intercept | again")
    assert not result.certificate.usable


def test_crossed_groupings_beyond_memory_are_refused(
    ratings: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmm_crossed, "LARGEST_REMAINDER", 8)
    with pytest.raises(FitError, match="too large for this computer's memory") as caught:
        fit("y ~ load + (1 | person) + (1 | task)", ratings)
    assert "Found: 9 random effects beside those of the largest" in str(caught.value)


def test_weights_must_be_positive(awkward: pd.DataFrame) -> None:
    with pytest.raises(FitError, match=r"the weights 'x' are not all positive.*of 60 rows"):
        engine("y ~ 1 + (1 | g)", awkward, weights="x")


def test_a_state_is_beside_the_record_not_inside(ratings: pd.DataFrame) -> None:
    result = engine(FORMULA, ratings).fit
    assert load(dump(result), Fit).certificate == result.certificate


# --- published values -----------------------------------------------------------------------

MIXED_MODELS_JL = "MixedModels.jl, test/pls.jl"


def objective(formula: str, data: pd.DataFrame) -> float:
    return -2.0 * fit(formula, data, method="ML").loglik


def multilevel(name: str, **kinds: type) -> pd.DataFrame:
    return real_data(f"multilevel/{name}.csv", "R's lme4 and nlme").astype(kinds)


def test_sleepstudy_is_exact_to_ten_digits() -> None:
    # REML of this balanced design in rational arithmetic
    state = engine("Reaction ~ Days + (1 + Days | Subject)", multilevel("lme4__sleepstudy")).state
    exact = {
        "v0": 612.0899386625255,
        "v1": 35.07166049831739,
        "c01": 9.604333316744091,
        "s2": 654.9410270722988,
    }
    covariance = state.covariance(0)
    found = (covariance[0, 0], covariance[1, 1], covariance[0, 1], state.sigma**2)
    np.testing.assert_allclose(found, list(exact.values()), rtol=TEN_DIGITS)
    np.testing.assert_allclose(
        state.coefficients, [251.40510484848485, 10.46728595959596], rtol=TEN_DIGITS
    )
    np.testing.assert_allclose(
        np.diag(state.vcov), [46.574571859406646, 2.38946331190807], rtol=TEN_DIGITS
    )


@pytest.mark.parametrize(
    ("name", "formula", "published"),
    [
        ("lme4__Dyestuff", "Yield ~ 1 + (1 | Batch)", 327.327059881135),
        ("lme4__Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", 332.1883486700085),
        ("lme4__Pastes", "strength ~ 1 + (1 | batch/cask)", 247.9944658624955),
        ("lme4__Pastes", "strength ~ 1 + (1 | sample) + (1 | batch)", 247.9944658624955),
        ("lme4__sleepstudy", "Reaction ~ Days + (1 + Days | Subject)", 1751.9393444636682),
        ("lme4__sleepstudy", "Reaction ~ Days + (1 + Days || Subject)", 1752.003255140962),
    ],
)
def test_published_objectives(name: str, formula: str, published: float) -> None:
    found = objective(formula, multilevel(name))
    assert found == pytest.approx(published, abs=PUBLISHED_OBJECTIVE)
    assert found < published + SAME_LOGLIK, f"{MIXED_MODELS_JL} found a better optimum"


def test_insteval_is_the_published_optimum() -> None:
    data = multilevel("lme4__InstEval", s=str, d=str, dept=str, service=str)
    found = objective("y ~ service + (1 | s) + (1 | d) + (1 | dept)", data)
    assert found == pytest.approx(237721.76877450474, abs=1e-6)


def test_crossed_terms_cannot_ask_for_containment(ratings: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError, match="containment needs nested random terms"):
        fit(FORMULA, ratings, df="containment")
