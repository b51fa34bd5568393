"""Regressions of log SDs beside glmmTMB, nlme and published numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import tolerances as tol
from alc_stats.inference import compare
from estimators import dense_scale as dense
from estimators.fixed_scale_fits import METHODS, dense_parameters, fitted, triangle
from estimators.witness import answers, real_data, table

GLMMTMB = {
    "slopes": ("y ~ arm*x + (1 + x | g)", "~ arm*x"),
    "nested": ("y ~ arm*x + (1 | h/g)", "~ arm + x"),
    "crossed": ("y ~ x + (1 | g) + (1 | k)", "~ x"),
    "none": ("y ~ arm*x", "~ arm*x"),
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return table("fixed_scale", "rows.csv")


@pytest.fixture
def orthodont() -> pd.DataFrame:
    data = real_data("multilevel/nlme__Orthodont.csv", "nlme")
    data["Sex"] = pd.Categorical(data["Sex"], ["Male", "Female"])
    return data.assign(years=data["age"] - 11.0, female=(data["Sex"] == "Female") * 1.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", GLMMTMB)
def test_glmmtmb(rows: pd.DataFrame, name: str, method: str) -> None:
    m = fitted(GLMMTMB[name][0], rows, GLMMTMB[name][1], method=method)
    theirs = answers("fixed_scale")[f"{name}_{method.lower()}"]
    assert m.loglik == pytest.approx(theirs["loglik"], abs=tol.SAME_LOGLIK)
    spread = np.array([part == "log_sd" for part in m.components])
    assert m.estimates[~spread] == pytest.approx(theirs["fixed"], abs=tol.FLAT_OPTIMUM)
    log_variance = np.array(theirs["dispersion"])
    assert m.estimates[spread] == pytest.approx(log_variance / 2.0, abs=tol.FLAT_OPTIMUM)
    se = np.array(theirs["dispersion_se"]) / 2.0
    assert m.bse.to_numpy()[spread] == pytest.approx(se, rel=tol.FLAT_OPTIMUM)
    sds = [c.sd for c in m.random[:-1] if c.correlation is None]
    assert sorted(sds) == pytest.approx(sorted(theirs["sds"]), rel=tol.LME4_STOPS_EARLY)


NLME = {
    "lme_ident": ("y ~ arm*x + (1 + x | g)", "~ arm", None),
    "lme_exp_nested": ("y ~ arm*x + (1 | h/g)", "~ x", None),
    "gls": ("y ~ arm*x", "~ arm + x", None),
    "between": ("y ~ arm*x + (1 | g)", "~ arm", "~ arm"),
}


def _nlme_log_sds(name: str, theirs: dict[str, Any]) -> list[float]:
    """Log SDs of nlme's sigma, of varIdent's ratio of SDs, and of varExp's coefficient."""
    spread = np.atleast_1d(theirs["spread"])
    ratios = 0 if name == "lme_exp_nested" else 1
    return [np.log(theirs["sigma"]), *np.log(spread[:ratios]), *spread[ratios:]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NLME)
def test_nlme(rows: pd.DataFrame, name: str, method: str) -> None:
    m = fitted(NLME[name][0], rows, *NLME[name][1:], method=method)
    theirs = answers("fixed_scale")[f"{name}_{method.lower()}"]
    assert m.loglik == pytest.approx(theirs["loglik"], abs=tol.SAME_LOGLIK)
    assert m.estimates[:4] == pytest.approx(theirs["fixed"], abs=tol.NLME_STOPS_EARLY)
    n, p = m.counts.used, 4
    factor = np.sqrt((n - p) / n) if name == "gls" and method == "ML" else 1.0  # gls' own
    se = factor * np.array(theirs["se"])
    assert m.bse.to_numpy()[:4] == pytest.approx(se, rel=tol.NLME_STOPS_EARLY)
    spread = m.estimates[[part == "log_sd" for part in m.components]]
    assert spread == pytest.approx(_nlme_log_sds(name, theirs), abs=tol.NLME_STOPS_EARLY)
    if name == "between":
        between = m.estimates[[part == "between_log_sd" for part in m.components]]
        sds = np.exp(np.cumsum(between))
        assert sds == pytest.approx(theirs["sds"], rel=tol.NLME_STOPS_EARLY)


def test_published_sleepstudy() -> None:
    """glmmTMB issue 153: AIC, BIC and log-likelihood, four decimals."""
    data = real_data("multilevel/lme4__sleepstudy.csv", "lme4")
    m = fitted("Reaction ~ Days + (1 | Subject)", data, "~ Days", method="ML")
    k = len(m.names) + 1
    assert m.loglik == pytest.approx(-891.9119, abs=tol.FOUR_PRINTED_DIGITS)
    assert -2.0 * m.loglik + 2.0 * k == pytest.approx(1793.8238, abs=tol.FOUR_PRINTED_DIGITS)
    bic = -2.0 * m.loglik + k * np.log(180)
    assert bic == pytest.approx(1809.7885, abs=tol.FOUR_PRINTED_DIGITS)
    oracle = answers("oracle")["disp_sleep"]
    for part, share, own in (("location", 1.0, slice(2)), ("dispersion", 0.5, slice(2, 4))):
        theirs = share * np.array([row["Estimate"] for row in oracle[part]])
        assert m.estimates[own] == pytest.approx(theirs, rel=tol.LME4_STOPS_EARLY)
    se = np.array([row["Std. Error"] for row in oracle["dispersion"]]) / 2.0
    assert m.bse.to_numpy()[2:] == pytest.approx(se, rel=tol.LME4_STOPS_EARLY)


def test_published_orthodont(orthodont: pd.DataFrame) -> None:
    """nlme's own saved output: SDs, correlation, ratio and coefficients, three decimals."""
    formula = "distance ~ Sex*years + (1 + years | Subject)"
    m = fitted(formula, orthodont, "~ Sex")
    three = tol.THREE_PRINTED_DIGITS
    assert m.estimates[:4] == pytest.approx([24.969, -2.321, 0.784, -0.305], abs=three)
    assert [c.sd for c in m.random[:2]] == pytest.approx([1.855, 0.157], abs=three)
    assert m.random[2].correlation == pytest.approx(0.394, abs=three)
    assert np.exp(m.estimates[4:]) == pytest.approx([1.630, 0.409], abs=three)
    theirs = answers("fixed_scale")["orthodont"]
    assert m.loglik == pytest.approx(theirs["loglik"], abs=tol.SAME_LOGLIK)
    assert compare(fitted(formula, orthodont), m).statistic == pytest.approx(
        theirs["lr"], abs=tol.FLAT_OPTIMUM
    )
    assert theirs["lr"] == pytest.approx(21.059, abs=three)


def test_oracle_orthodont(orthodont: pd.DataFrame) -> None:
    m = fitted("distance ~ Sex*years + (1 | Subject)", orthodont, "~ Sex", method="ML")
    theirs = answers("oracle")["disp_orthodont"]
    assert m.loglik == pytest.approx(theirs["loglik"], abs=tol.SAME_LOGLIK)
    log_sds = np.array([row["Estimate"] for row in theirs["dispersion"]]) / 2.0
    se = np.array([row["Std. Error"] for row in theirs["dispersion"]]) / 2.0
    assert m.estimates[4:] == pytest.approx(log_sds, abs=tol.LME4_STOPS_EARLY)
    assert m.bse.to_numpy()[4:] == pytest.approx(se, rel=tol.LME4_STOPS_EARLY)
    ident = answers("oracle")["varident_orthodont_reml"]
    m = fitted("distance ~ Sex*years + (1 + years | Subject)", orthodont, "~ Sex")
    assert m.loglik == pytest.approx(ident["loglik"], abs=tol.SAME_LOGLIK)


@pytest.mark.parametrize(
    ("file", "formula", "scale", "between", "loglik", "digits"),
    [
        (
            "riesby",
            "hamdep ~ week + endog + endweek + (1 | id)",
            "~ week + endog",
            "~ endog",
            -1134.499708,
            5e-7,
        ),
        (
            "posmood",
            "posmood ~ alone + genderf + (1 | id)",
            "~ alone + genderf",
            "~ alone + genderf",
            -35167.8842,
            5e-5,
        ),
        (
            "nlme__MathAchieve",
            "MathAch ~ SES + (1 | School)",
            "~ SES + Sex",
            None,
            -23313.3422,
            5e-5,
        ),
    ],
)
def test_mixed_effects_location_scale_without_a_random_scale(
    file: str, formula: str, scale: str, between: str | None, loglik: float, digits: float
) -> None:
    """Log-likelihoods of a prototype with other algebra (sums a person, no mixed-model engine)."""
    data = real_data(f"multilevel/{file}.csv", "see docs/validation.md")
    m = fitted(formula, data, scale, between, "ML")
    assert m.loglik == pytest.approx(loglik, abs=digits)
    if file == "posmood":  # the standard error a random scale effect would treble, log SD
        assert m.bse["log_sd.genderf"] == pytest.approx(0.011, abs=5e-4)


def test_known_residual_sd(orthodont: pd.DataFrame) -> None:
    """Without a constant the males' SD is 1: nlme's tests/sigma-fixed-etc.R, ML.

    Under REML nlme's criterion with a fixed sigma is not the restricted likelihood: the exact one
    is lower at its published estimates than at ours.
    """
    formula = "distance ~ years + (1 + years | Subject)"
    ml, reml = (fitted(formula, orthodont, "~ 0 + female", method=m) for m in METHODS)
    theirs = answers("fixed_scale")["fixed_sigma_ml"]
    assert ml.loglik == pytest.approx(theirs["loglik"], abs=tol.SAME_LOGLIK)
    assert ml.estimates[:2] == pytest.approx([24.009565, 0.64760432], abs=tol.FLAT_OPTIMUM)
    assert np.exp(ml.estimates[2]) == pytest.approx(0.65065925, abs=tol.FLAT_OPTIMUM)
    se = ml.bse.to_numpy()[:2] * np.sqrt(108 / 106)  # as summary.lme's under ML
    assert se == pytest.approx([0.426561, 0.066832], abs=tol.FLAT_OPTIMUM)
    codes = pd.factorize(orthodont["Subject"])[0]
    Z = np.column_stack([np.ones(108), orthodont["years"]])
    model = dense.Model(
        orthodont["distance"].to_numpy(),
        Z,
        orthodont[["female"]].to_numpy(),
        [dense.Grouping(codes, Z)],
        reml=True,
    )
    published = np.array([np.log(0.66087797), *triangle(2.2247716, 0.3013982, 0.394)])
    assert dense.deviance(model, dense_parameters(reml)) == pytest.approx(-2.0 * reml.loglik)
    assert dense.deviance(model, published) > -2.0 * reml.loglik + 0.02
