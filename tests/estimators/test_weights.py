from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import fit
from estimators.witness import answers, table
from tolerances import LME4_STOPS_EARLY, OTHER_ALGORITHM

R = answers("weights")


@pytest.fixture(scope="module")
def means() -> pd.DataFrame:
    return table("weights", "weights.csv")


@pytest.mark.parametrize("covariance", R["se"])
def test_weighted_least_squares_is_rs(means: pd.DataFrame, covariance: str) -> None:
    cluster = "firm" if covariance == "cluster" else None
    result = fit("y ~ mandate + x", means, covariance=covariance, cluster=cluster, weights="size")
    np.testing.assert_allclose(result.estimates, R["estimates"], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(result.bse, R["se"][covariance], rtol=OTHER_ALGORITHM)
    assert result.loglik == pytest.approx(R["loglik"], rel=OTHER_ALGORITHM)
    for name in ("r_squared", "residual_sd"):
        assert result.statistics[name] == pytest.approx(R[name], rel=OTHER_ALGORITHM)
    assert result.request.weights == "size"
    assert result.certificate.status == "exact"


def test_weighted_least_squares_counts_rows(means: pd.DataFrame) -> None:
    assert set(fit("y ~ mandate + x", means, weights="size").df) == {R["df"]}


def test_weighted_mixed_models_are_lme4s(means: pd.DataFrame) -> None:
    result = fit("y ~ mandate + x + (1 | firm)", means, weights="size")
    np.testing.assert_allclose(result.estimates, R["mixed"]["estimates"], rtol=LME4_STOPS_EARLY)
    np.testing.assert_allclose(result.bse, R["mixed"]["se"], rtol=LME4_STOPS_EARLY)
    sds = [component.sd for component in result.random]
    expected = [R["mixed"]["firm_sd"], R["mixed"]["residual_sd"]]
    np.testing.assert_allclose(sds, expected, rtol=LME4_STOPS_EARLY)
    assert result.request.weights == "size"


def test_weight_two_is_the_row_twice(means: pd.DataFrame) -> None:
    twice = means.assign(w=np.where(means.index % 3 == 0, 2.0, 1.0))
    rows = twice.loc[twice.index.repeat(twice["w"].astype(int))]
    weighted, repeated = fit("y ~ mandate + x", twice, weights="w"), fit("y ~ mandate + x", rows)
    np.testing.assert_allclose(weighted.estimates, repeated.estimates, rtol=OTHER_ALGORITHM)
    # the same weighted sum of squares, divided by n - 3 rows of either table
    share = (len(rows) - 3) / (len(twice) - 3)
    np.testing.assert_allclose(weighted.vcov, repeated.vcov * share, rtol=OTHER_ALGORITHM)


def test_weight_two_is_the_row_twice_for_clusters(means: pd.DataFrame) -> None:
    twice = means.assign(w=np.where(means.index % 3 == 0, 2.0, 1.0))
    rows = twice.loc[twice.index.repeat(twice["w"].astype(int))]
    options = {"covariance": "cluster", "cluster": "firm"}
    weighted = fit("y ~ mandate + x", twice, weights="w", **options)
    repeated = fit("y ~ mandate + x", rows, **options)
    # a cluster's score sums over rows; only (n - 1) / (n - 3) counts them
    n, m = len(twice), len(rows)
    share = (n - 1) / (n - 3) * (m - 3) / (m - 1)
    np.testing.assert_allclose(weighted.vcov, repeated.vcov * share, rtol=OTHER_ALGORITHM)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | firm)"])
def test_equal_weights_change_the_residual_sd_only(means: pd.DataFrame, formula: str) -> None:
    plain = fit(formula, means)
    weighted = fit(formula, means.assign(w=4.0), weights="w")
    np.testing.assert_allclose(weighted.estimates, plain.estimates, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(weighted.vcov, plain.vcov, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(weighted.df, plain.df, rtol=OTHER_ALGORITHM)
    ratio = weighted.statistics["residual_sd"] / plain.statistics["residual_sd"]
    assert ratio == pytest.approx(2.0, rel=OTHER_ALGORITHM)


@pytest.mark.parametrize("formula", ["y ~ x", "y ~ x + (1 | firm)"])
def test_weights_that_are_none_are_errors(means: pd.DataFrame, formula: str) -> None:
    weight = means["size"].to_numpy(copy=True)
    weight[:4] = [0.0, -1.0, np.nan, 0.0]
    with pytest.raises(FitError) as raised:
        fit(formula, means.assign(w=weight), weights="w")
    assert str(raised.value) == (
        f"formula '{formula}': the weights 'w' are not all positive numbers. Found: 1 missing, 3 "
        "zero or below, of 78 rows. Correct them, or leave those rows out of the table."
    )
    with pytest.raises(FitError, match="the weights 'firm' hold no numbers"):
        fit(formula, means, weights="firm")
    with pytest.raises(FormulaError, match="the table has no column 'sizes'"):
        fit(formula, means, weights="sizes")


def test_what_takes_no_weights_says_so(means: pd.DataFrame) -> None:
    with pytest.raises(DeclarationError, match="the 'CR2' covariance takes no weights here"):
        fit("y ~ x", means, covariance="CR2", cluster="firm", weights="size")
    with pytest.raises(DeclarationError, match="statsmodels' mixed models take no weights"):
        fit("y ~ x + (1 | firm)", means, engine="statsmodels", weights="size")


def test_shares_of_clusters_are_weighted(means: pd.DataFrame) -> None:
    heavy = means.assign(w=np.where(means["firm"].isin(["f01", "f02"]), 1e4, 1.0))
    result = fit("y ~ mandate", heavy, covariance="cluster", cluster="firm", weights="w")
    (note,) = result.certificate.notes
    # two firms of 4 and 9 heavy rows: shares 9/13 and 4/13, 169/97 equal clusters
    assert note == (
        "1 of 12 clusters of 'firm' carry 69% of what the rows say about mandate, as few as 1.7 "
        "equal clusters would: its t is too liberal; use randomisation inference."
    )
