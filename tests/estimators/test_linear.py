from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

from alc_stats.errors import FitError
from alc_stats.estimators import fit
from estimators.witness import answers, real_data, table
from tolerances import EXACT_ARITHMETIC, OTHER_ALGORITHM, PUBLISHED_TWO_DIGITS

R = answers("linear")
R_NAMES = {
    "(Intercept)": "Intercept",
    "roleengineer": "role[T.engineer]",
    "rolewriter": "role[T.writer]",
    "x:roleengineer": "x:role[T.engineer]",
    "x:rolewriter": "x:role[T.writer]",
}


@pytest.fixture(scope="module")
def clusters() -> pd.DataFrame:
    return table("linear", "clusters.csv")


def in_r_order(series: pd.Series) -> np.ndarray:
    return series[[R_NAMES.get(name, name) for name in R["names"]]].to_numpy()


@pytest.mark.parametrize(
    ("covariance", "in_r"),
    [
        ("model", "model"),
        ("HC0", "HC0"),
        ("HC1", "HC1"),
        ("HC2", "HC2"),
        ("HC3", "HC3"),
        ("cluster", "CR1S"),
        ("CR2", "CR2"),
    ],
)
def test_every_covariance_is_rs(clusters: pd.DataFrame, covariance: str, in_r: str) -> None:
    cluster = "firm" if in_r.startswith("CR") else None
    result = fit(R["formula"], clusters, covariance=covariance, cluster=cluster)
    np.testing.assert_allclose(in_r_order(result.params), R["estimates"], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(in_r_order(result.bse), R["se"][in_r], rtol=OTHER_ALGORITHM)


def test_quality_of_the_fit_is_rs(clusters: pd.DataFrame) -> None:
    result = fit(R["formula"], clusters)
    assert result.loglik == pytest.approx(R["loglik"], rel=OTHER_ALGORITHM)
    assert result.statistics["r_squared"] == pytest.approx(R["r_squared"], rel=OTHER_ALGORITHM)
    assert result.statistics["residual_sd"] == pytest.approx(R["residual_sd"], rel=OTHER_ALGORITHM)
    assert result.certificate.status == "exact"
    assert result.random == ()


def test_rows_are_counted(clusters: pd.DataFrame) -> None:
    counts = fit(R["formula"], clusters, covariance="cluster", cluster="firm").counts
    assert (counts.read, counts.used) == (201, R["n"])
    assert counts.dropped == {"x": 1, "y": 1, "y, x": 1}
    assert counts.groups == {"firm": 14}


def test_cr2_has_clubsandwichs_degrees_of_freedom_and_p(clusters: pd.DataFrame) -> None:
    result = fit(R["formula"], clusters, covariance="CR2", cluster="firm")
    df = pd.Series(result.df, result.names)
    np.testing.assert_allclose(in_r_order(df), R["cr2_df"], rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(in_r_order(result.pvalues), R["cr2_p"], rtol=OTHER_ALGORITHM)
    order = [result.names.index(R_NAMES.get(name, name)) for name in R["names"]]
    np.testing.assert_allclose(
        result.vcov[np.ix_(order, order)],
        R["vcov_cr2"],
        rtol=OTHER_ALGORITHM,
        atol=EXACT_ARITHMETIC,
    )


def slow_cr2(y: np.ndarray, X: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CR2 and its degrees of freedom with every n by n matrix written out."""
    n, p = X.shape
    bread = np.linalg.inv(X.T @ X)
    M = np.eye(n) - X @ bread @ X.T
    e = M @ y
    meat, g = np.zeros((p, p)), []
    for c in np.unique(cluster):
        rows = np.flatnonzero(cluster == c)
        values, vectors = np.linalg.eigh(M[np.ix_(rows, rows)])
        root = np.where(values > 1e-8, 1.0 / np.sqrt(np.maximum(values, 1e-8)), 0.0)
        A = vectors @ np.diag(root) @ vectors.T
        score = X[rows].T @ A @ e[rows]
        meat += np.outer(score, score)
        g.append(M[:, rows] @ A @ X[rows] @ bread)
    G = np.stack(g)
    df = []
    for j in range(p):
        P = G[:, :, j] @ G[:, :, j].T
        df.append(np.trace(P) ** 2 / np.sum(P**2))
    return bread @ meat @ bread, np.array(df)


def test_cr2_is_its_slow_twin_where_clusters_own_columns(clusters: pd.DataFrame) -> None:
    # firm dummies: one cluster alone determines each of them, so I - H_gg is singular
    data = clusters.dropna()
    result = fit("y ~ 0 + firm + x", data, covariance="CR2", cluster="firm")
    X = np.column_stack([pd.get_dummies(data["firm"]).to_numpy(float), data["x"]])
    covariance, df = slow_cr2(data["y"].to_numpy(), X, pd.factorize(data["firm"])[0])
    slope = result.names.index("x")
    assert result.bse["x"] == pytest.approx(np.sqrt(covariance[-1, -1]), rel=OTHER_ALGORITHM)
    assert result.df[slope] == pytest.approx(df[-1], rel=OTHER_ALGORITHM)


def test_cr2_of_single_rows_is_hc2(clusters: pd.DataFrame) -> None:
    data = clusters.dropna().reset_index(drop=True)
    data["row"] = data.index
    single = fit("y ~ mandate + x", data, covariance="CR2", cluster="row")
    robust = fit("y ~ mandate + x", data, covariance="HC2")
    np.testing.assert_allclose(single.vcov, robust.vcov, rtol=OTHER_ALGORITHM)


def test_motor_vehicle_deaths_are_clubsandwichs() -> None:
    # clubSandwich's panel vignette, "Fixed effects model": 49 states' motor vehicle deaths
    rates = real_data("few-clusters/MortalityRates.csv", "clubSandwich, GPL-3")
    deaths = rates[(rates["cause"] == "Motor Vehicle") & rates["beertaxa"].notna()]
    formula = "mrate ~ 0 + legal + beertaxa + C(state) + C(year)"
    cr2 = fit(formula, deaths[deaths["year"] <= 1983], covariance="CR2", cluster="state")
    df = pd.Series(cr2.df, cr2.names)
    assert cr2.params["legal"] == pytest.approx(7.59, abs=PUBLISHED_TWO_DIGITS)
    assert cr2.params["beertaxa"] == pytest.approx(3.82, abs=PUBLISHED_TWO_DIGITS)
    assert cr2.bse["legal"] == pytest.approx(2.51, abs=PUBLISHED_TWO_DIGITS)
    assert cr2.bse["beertaxa"] == pytest.approx(5.27, abs=PUBLISHED_TWO_DIGITS)
    assert df["legal"] == pytest.approx(24.58, abs=PUBLISHED_TWO_DIGITS)
    assert df["beertaxa"] == pytest.approx(5.77, abs=PUBLISHED_TWO_DIGITS)
    assert cr2.pvalues["legal"] == pytest.approx(0.00583, abs=1e-5)
    assert cr2.pvalues["beertaxa"] == pytest.approx(0.49663, abs=1e-5)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("covariance", ["model", "HC3", "CR2"])
def test_units_change_units_only(clusters: pd.DataFrame, factor: float, covariance: str) -> None:
    cluster = "firm" if covariance == "CR2" else None
    plain = fit("y ~ mandate + x", clusters, covariance=covariance, cluster=cluster)
    scaled = clusters.assign(x=clusters["x"] * factor)
    other = fit("y ~ mandate + x", scaled, covariance=covariance, cluster=cluster)
    np.testing.assert_allclose(other.tvalues, plain.tvalues, rtol=OTHER_ALGORITHM)
    np.testing.assert_allclose(other.df, plain.df, rtol=OTHER_ALGORITHM)
    assert other.params["x"] * factor == pytest.approx(plain.params["x"], rel=OTHER_ALGORITHM)


def test_a_column_far_from_zero_keeps_its_digits(clusters: pd.DataFrame) -> None:
    data = clusters.dropna()
    plain = fit("y ~ x", data)
    far = fit("y ~ x", data.assign(x=data["x"] + 1e6))
    assert far.params["x"] == pytest.approx(plain.params["x"], rel=1e-9)
    assert far.bse["x"] == pytest.approx(plain.bse["x"], rel=1e-9)


@pytest.mark.parametrize(
    ("covariance", "df", "expected"),
    [
        ("model", None, 195.0),
        ("HC3", "normal", np.inf),
        ("cluster", None, 13.0),
        ("cluster", "residual", 195.0),
        ("cluster", "normal", np.inf),
        ("CR2", "normal", np.inf),
    ],
)
def test_degrees_of_freedom_are_those_asked_for(
    clusters: pd.DataFrame, covariance: str, df: str | None, expected: float
) -> None:
    cluster = "firm" if covariance in ("cluster", "CR2") else None
    result = fit("y ~ mandate + x", clusters, covariance=covariance, cluster=cluster, df=df)
    assert result.df.tolist() == [expected] * 3


def test_qr_and_normal_equations_agree(clusters: pd.DataFrame) -> None:
    data = clusters.dropna()
    X = np.column_stack([np.ones(len(data)), data["mandate"], data["x"]])
    by_hand = linalg.solve(X.T @ X, X.T @ data["y"].to_numpy())
    np.testing.assert_allclose(
        fit("y ~ mandate + x", data).estimates, by_hand, rtol=OTHER_ALGORITHM
    )


def test_one_cluster_is_refused(clusters: pd.DataFrame) -> None:
    with pytest.raises(FitError, match="needs more than one cluster in 'firm'"):
        fit("y ~ x", clusters[clusters["firm"] == "f14"], covariance="cluster", cluster="firm")


def test_rows_that_decide_alone_are_refused_by_hc3(clusters: pd.DataFrame) -> None:
    alone = clusters.dropna().assign(first=lambda d: (np.arange(len(d)) == 0) * 1.0)
    with pytest.raises(FitError, match="HC3 divides by zero: 1 rows alone determine a coefficient"):
        fit("y ~ x + first", alone, covariance="HC3")
    assert fit("y ~ x + first", alone, covariance="HC1").certificate.usable


def test_an_outcome_among_the_predictors_is_not_identified(clusters: pd.DataFrame) -> None:
    result = fit("y ~ x + I(2*y)", clusters)
    assert result.certificate.status == "not_identified"
    assert not result.certificate.usable
    assert "look for the outcome among the predictors" in result.certificate.sentence
