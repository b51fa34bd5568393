"""Rubin's rules and replicate weights against mitools, survey and exact arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, TableError
from alc_stats.estimators import Estimate, fit
from alc_stats.inference import contrast, pool, pooled, replicate_variance
from estimators.witness import answers, table
from tolerances import EXACT_ARITHMETIC, OTHER_ALGORITHM

R = answers("pooling")
PREFIX = {"Fay": "fay", "BRR": "brr", "JK2": "jk", "JRR": "both", "JK1": "one"}
VALUES = {"maths": [f"pv{m}" for m in range(1, 6)]}
TERMS = ["Intercept", "escs", "ai"]


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    return table("pooling", "pupils.csv").copy()


def weights_of(pupils: pd.DataFrame, method: str) -> list[str]:
    names = [
        c for c in pupils if c.startswith(PREFIX[method]) and c[len(PREFIX[method]) :].isdigit()
    ]
    assert len(names) == R["designs"][method]["replicates"]
    return names


@pytest.mark.parametrize("method", list(PREFIX))
def test_replicate_weights_and_plausible_values_are_surveys(
    pupils: pd.DataFrame, method: str
) -> None:
    fay = 0.5 if method == "Fay" else None
    found = pooled("maths ~ escs + ai", pupils, plausible=VALUES, weight="w",
                   replicates=weights_of(pupils, method), method=method, fay=fay,
                   complete_df=12.0)  # fmt: skip
    theirs = R["designs"][method]
    shown = found.table.loc[TERMS]
    np.testing.assert_allclose(shown["estimate"], theirs["value"], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(shown["se"], theirs["se"], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(shown["df"], theirs["df"], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(shown["missing"], theirs["missing"], rtol=OTHER_ALGORITHM)
    assert (found.rows, found.fits) == (len(pupils), 5)


def test_rubins_rules_are_mitools(pupils: pd.DataFrame) -> None:
    fits = [fit(f"{pv} ~ escs + ai", pupils, df="normal") for pv in VALUES["maths"]]
    for i, term in enumerate(TERMS):
        found = pool([contrast(m, term) for m in fits])
        assert found.estimate.value == pytest.approx(R["rubin"]["value"][i], rel=OTHER_ALGORITHM)
        assert found.estimate.se == pytest.approx(R["rubin"]["se"][i], rel=OTHER_ALGORITHM)
        assert found.estimate.df == pytest.approx(R["rubin"]["df"][i], rel=OTHER_ALGORITHM)
        assert found.missing == pytest.approx(R["rubin"]["missing"][i], rel=OTHER_ALGORITHM)
        # least squares' own degrees of freedom are the complete data's
        own = pool([contrast(fit(f"{pv} ~ escs + ai", pupils), term) for pv in VALUES["maths"]])
        assert own.estimate.df == pytest.approx(R["rubin"]["df_small"][i], rel=OTHER_ALGORITHM)


def test_pooling_by_hand() -> None:
    # values 1, 2, 3 with variances 1: W = 1, B = 1, T = 1 + 4/3; df = 2 (7/4)^2
    found = pool([Estimate("b", v, 1.0, math.inf) for v in (1.0, 2.0, 3.0)])
    assert found.estimate.value == pytest.approx(2.0, rel=EXACT_ARITHMETIC)
    assert found.estimate.se == pytest.approx(math.sqrt(7 / 3), rel=EXACT_ARITHMETIC)
    assert found.estimate.df == pytest.approx(2 * (7 / 4) ** 2, rel=EXACT_ARITHMETIC)
    # with 10 complete degrees of freedom: (11/13) 10 (1 - 4/7)
    small = pool([Estimate("b", v, 1.0, 10.0) for v in (1.0, 2.0, 3.0)])
    observed = 11 / 13 * 10 * 3 / 7
    assert small.estimate.df == pytest.approx(1 / (8 / 49 + 1 / observed), rel=EXACT_ARITHMETIC)
    same = pool([Estimate("b", 2.0, 1.0, 10.0)] * 3)
    assert (same.estimate.se, same.missing) == (1.0, 0.0)
    assert same.estimate.df == pytest.approx(110 / 13, rel=EXACT_ARITHMETIC)


@pytest.mark.parametrize(
    ("method", "fay", "factor"),
    [("JK1", None, 3 / 4), ("JK2", None, 1), ("JRR", None, 1 / 2), ("BRR", None, 1 / 4),
     ("Fay", 0.5, 1.0), ("Fay", 0.0, 1 / 4)],
)  # fmt: skip
def test_factors_by_hand(method: str, fay: float | None, factor: float) -> None:
    found = replicate_variance(
        [10.0, 0.0], [[9, 0], [11, 1], [10, 0], [12, 2]], method=method, fay=fay
    )
    np.testing.assert_allclose(found, [6 * factor, 5 * factor], rtol=EXACT_ARITHMETIC)


def test_the_jackknife_of_a_mean_is_its_variance() -> None:
    y = np.random.default_rng(1).normal(size=30)
    without = [np.delete(y, i).mean() for i in range(30)]
    found = replicate_variance(y.mean(), without, method="JK1")
    assert found == pytest.approx(y.var(ddof=1) / 30, rel=EXACT_ARITHMETIC)


def test_imputations_pool_any_model(pupils: pd.DataFrame) -> None:
    tables = [pupils.assign(maths=pupils[pv]) for pv in VALUES["maths"]]
    found = pooled("maths ~ escs + (1 | school)", tables, terms=["escs", "escs = 0.4"])
    fits = [fit("maths ~ escs + (1 | school)", one) for one in tables]
    by_hand = pool([contrast(m, "escs") for m in fits])
    assert found.estimate("escs") == by_hand.estimate
    shifted = found.estimate("escs = 0.4")
    assert shifted.value == pytest.approx(by_hand.estimate.value - 0.4, rel=EXACT_ARITHMETIC)
    robust = pooled("maths ~ escs", pupils, plausible=VALUES, covariance="CR2", cluster="school")
    assert robust.estimate("escs").df < 24
    with pytest.raises(DeclarationError, match="no contrast 'esc'"):
        found.estimate("esc")


def test_a_mixed_model_under_replicate_weights_is_refitted(pupils: pd.DataFrame) -> None:
    names = weights_of(pupils, "JK2")[:3]
    two = {"maths": ["pv1", "pv2"]}
    found = pooled("maths ~ escs + (1 | school)", pupils, terms=["escs"], plausible=two,
                   weight="w", replicates=names, method="JK2")  # fmt: skip
    by_hand = []
    for pv in two["maths"]:
        formula = f"{pv} ~ escs + (1 | school)"
        full = fit(formula, pupils, weights="w").params["escs"]
        own = [fit(formula, pupils[pupils[w] > 0], weights=w).params["escs"] for w in names]
        by_hand.append(Estimate("escs", full, math.sqrt(sum((b - full) ** 2 for b in own)), 3.0))
    expected = pool(by_hand).estimate
    estimate = found.estimate("escs")
    assert (estimate.value, estimate.se, estimate.df) == pytest.approx(
        (expected.value, expected.se, expected.df), rel=OTHER_ALGORITHM
    )


def test_what_cannot_be_pooled_says_why(pupils: pd.DataFrame) -> None:
    one = Estimate("b", 1.0, 1.0, 5.0)
    with pytest.raises(DeclarationError, match="two estimates or more"):
        pool([one])
    with pytest.raises(DeclarationError, match=r"different things.*'a', 'b' in log SD"):
        pool([Estimate("a", 1.0, 1.0, 5.0), Estimate("b", 1.0, 1.0, 5.0, "log SD")])
    with pytest.raises(DeclarationError, match=r"not a \(positive\) number"):
        pool([one, Estimate("b", 1.0, 0.0, 5.0)])
    with pytest.raises(DeclarationError, match="degrees of freedom are not positive"):
        pool([one, one], complete_df=0.0)
    with pytest.raises(DeclarationError, match=r"unknown method.*Did you mean 'BRR'"):
        replicate_variance(1.0, [1.0, 2.0], method="BRE")
    with pytest.raises(DeclarationError, match=r"PISA's is 0\.5"):
        replicate_variance(1.0, [1.0, 2.0], method="Fay")
    with pytest.raises(DeclarationError, match="'JK2' has no factor"):
        replicate_variance(1.0, [1.0, 2.0], method="JK2", fay=0.5)
    with pytest.raises(DeclarationError, match="do not fit the full-sample value"):
        replicate_variance([1.0, 2.0], [[1.0], [2.0]], method="JK2")
    with pytest.raises(DeclarationError, match="No replicate may be left out"):
        replicate_variance(1.0, [1.0, np.nan], method="JK2")
    names = weights_of(pupils, "JK2")
    with pytest.raises(DeclarationError) as caught:
        pooled("maths ~ escs", pupils, plausible={"maths": ["pv1"]}, replicates=["jk99"],
               covariance="CR2", cluster="school")  # fmt: skip
    said = str(caught.value)
    for part in ("two imputations", "W_FSTUWT", "not from both", "no column 'jk99'", "factor"):
        assert part in said
    with pytest.raises(DeclarationError, match="different numbers of plausible values"):
        pooled("maths ~ read", pupils, plausible={"maths": ["pv1", "pv2"], "read": ["pv3"]})
    with pytest.raises(DeclarationError, match="'escs' is a column already"):
        pooled("escs ~ ai", pupils, plausible={"escs": ["pv1", "pv2"]})
    with pytest.raises(DeclarationError, match="one table, imputations in several"):
        pooled("maths ~ escs", [pupils, pupils], plausible=VALUES)
    with pytest.raises(TableError, match=r"missing or negative.*column 'jk1'|column 'jk1'"):
        pooled("maths ~ escs", pupils.assign(jk1=-1.0), plausible=VALUES, weight="w",
               replicates=names, method="JK2")  # fmt: skip
    with pytest.raises(TableError, match=r"different numbers of rows.*191, 192"):
        pooled("maths ~ escs", pupils.assign(pv2=pupils["pv2"].where(pupils.index > 0)),
               plausible=VALUES)  # fmt: skip
    lone = pupils.assign(rare=(pupils["school"] == 1).astype(float))
    with pytest.raises(FitError, match="do not determine the coefficients"):
        pooled("maths ~ rare", lone, plausible=VALUES, weight="w", replicates=names, method="JK2")
