"""The wild cluster bootstrap against the obvious loop of refits.

R's fwildclusterboot is not among Debian's packages, so the witness is the loop, which makes every
outcome and refits it. That package counts |t*| > |t| over the draws; here ties count as well.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError, FormulaError
from alc_stats.estimators import Fit, fit, fit_panel
from alc_stats.estimators.kernels.wild_cluster import WEBB
from alc_stats.inference import wild_cluster_bootstrap
from estimators.witness import table
from tolerances import EXACT_ARITHMETIC, OTHER_ALGORITHM

FORMULA = "y ~ mandate*week + x"
NAMES = ("Intercept", "mandate", "week", "x", "mandate:week")


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    data = table("cluster_robust", "firms.csv").dropna()
    return data[data["firm"] != "f9"].reset_index(drop=True)


@pytest.fixture(scope="module")
def result(firms: pd.DataFrame) -> Fit:
    return fit(FORMULA, firms, covariance="CR2", cluster="firm")


def columns_of(data: pd.DataFrame) -> np.ndarray:
    mandate, week = data["mandate"], data["week"]
    return np.column_stack([np.ones(len(data)), mandate, week, data["x"], mandate * week])


def ratio(y: np.ndarray, X: np.ndarray, cluster: np.ndarray, j: int, null: float) -> float:
    """(estimate - null) over its CR0 standard error."""
    bread = np.linalg.inv(X.T @ X)
    b = bread @ X.T @ y
    e = y - X @ b
    scores = np.array([X[cluster == g].T @ e[cluster == g] for g in np.unique(cluster)])
    return float((b[j] - null) / np.sqrt((bread @ scores.T @ scores @ bread)[j, j]))


def slow_p(
    data: pd.DataFrame, j: int, null: float, draws: list[tuple[float, ...]], observed: int
) -> float:
    """Share of refits whose |t| is at least the observed one, plus `observed` draws."""
    X, y = columns_of(data), data["y"].to_numpy()
    cluster = pd.factorize(data["firm"], sort=True)[0]
    others = np.delete(X, j, axis=1)
    shifted = y - null * X[:, j]
    restricted = others @ np.linalg.lstsq(others, shifted, rcond=None)[0] + null * X[:, j]
    t = abs(ratio(y, X, cluster, j, null))
    extreme = observed
    for v in draws:
        simulated = restricted + (y - restricted) * np.array(v)[cluster]
        extreme += abs(ratio(simulated, X, cluster, j, null)) >= t * (1.0 - 1e-9)
    return extreme / (len(draws) + observed)


SIGNS = list(itertools.product([-1.0, 1.0], repeat=8))


@pytest.mark.parametrize("term", ["mandate", "x", "mandate:week"])
def test_all_signs_are_the_slow_loop(result: Fit, firms: pd.DataFrame, term: str) -> None:
    found = wild_cluster_bootstrap(result, term, weights="rademacher", seed=1)
    assert (found.draws, found.enumerated, found.clusters) == (256, True, 8)
    assert found.p == slow_p(firms, NAMES.index(term), 0.0, SIGNS, 0)


def test_weights_multiply_rows_by_their_roots(firms: pd.DataFrame) -> None:
    """Least squares of the rows times the roots of their weights, intercept and all."""
    data = firms.assign(w=np.linspace(0.2, 5.0, len(firms)))
    weighted = fit(FORMULA, data, covariance="cluster", cluster="firm", weights="w")
    found = wild_cluster_bootstrap(weighted, "x", weights="rademacher", seed=1)
    root = np.sqrt(data["w"].to_numpy())
    X, y = columns_of(data) * root[:, None], data["y"].to_numpy() * root
    cluster = pd.factorize(data["firm"], sort=True)[0]
    others = np.delete(X, 3, axis=1)
    restricted = others @ np.linalg.lstsq(others, y, rcond=None)[0]
    t = abs(ratio(y, X, cluster, 3, 0.0))
    again = [restricted + (y - restricted) * np.array(v)[cluster] for v in SIGNS]
    extreme = [abs(ratio(one, X, cluster, 3, 0.0)) >= t * (1.0 - 1e-9) for one in again]
    assert found.p == np.mean(extreme)
    assert found.value == pytest.approx(weighted.params["x"], rel=OTHER_ALGORITHM)
    assert found.statistic == pytest.approx(weighted.tvalues["x"], rel=OTHER_ALGORITHM)


def test_a_mixed_model_is_least_squares_of_whitened_rows(firms: pd.DataFrame) -> None:
    mixed = fit("y ~ mandate*week + x + (1 | person)", firms, covariance="CR2", cluster="firm")
    found = wild_cluster_bootstrap(mixed, "x", weights="rademacher", seed=1)
    person = pd.factorize(firms["person"])[0]
    between, within = (part.sd**2 for part in mixed.random)
    V = between * (person[:, None] == person) + within * np.eye(len(firms))
    root = np.linalg.inv(np.linalg.cholesky(V))
    X, y = columns_of(firms), firms["y"].to_numpy()
    # whitening mixes rows of a person only, so the clusters stay
    cluster = pd.factorize(firms["firm"], sort=True)[0]
    X, y = root @ X, root @ y
    others = np.delete(X, 3, axis=1)
    restricted = others @ np.linalg.lstsq(others, y, rcond=None)[0]
    t = abs(ratio(y, X, cluster, 3, 0.0))
    again = [restricted + (y - restricted) * np.array(v)[cluster] for v in SIGNS]
    extreme = [abs(ratio(one, X, cluster, 3, 0.0)) >= t * (1.0 - 1e-9) for one in again]
    assert found.p == np.mean(extreme)
    assert found.value == pytest.approx(mixed.params["x"], rel=OTHER_ALGORITHM)


def test_a_contrast_is_the_coefficient_of_a_column_turned(result: Fit, firms: pd.DataFrame) -> None:
    # b_x + b_week = 0.2: the coefficient of x, with week replaced by week - x
    turned = fit(
        "y ~ mandate + x + turned + mandate:week",
        firms.assign(turned=firms["week"] - firms["x"], week=firms["week"]),
        covariance="CR2", cluster="firm",
    )  # fmt: skip
    one = wild_cluster_bootstrap(result, "x + week = 0.2", weights="rademacher", seed=1)
    plain = wild_cluster_bootstrap(turned, "x = 0.2", weights="rademacher", seed=1)
    assert (one.value, one.low, one.high) == pytest.approx(
        (plain.value, plain.low, plain.high), rel=OTHER_ALGORITHM
    )
    assert one.p == plain.p
    unshifted = wild_cluster_bootstrap(result, "x + week", weights="rademacher", seed=1)
    assert one.low == pytest.approx(unshifted.low - 0.2, rel=OTHER_ALGORITHM)


def test_drawn_webb_weights_are_the_slow_loop(result: Fit, firms: pd.DataFrame) -> None:
    found = wild_cluster_bootstrap(result, "x", n=99, seed=5)
    assert (found.draws, found.enumerated, found.weights) == (99, False, "webb")
    rng = np.random.default_rng(5)
    draws = [tuple(row) for row in WEBB[rng.integers(6, size=(99, 8))]]
    assert found.p == slow_p(firms, 3, 0.0, draws, 1)


def test_the_limits_are_where_the_slow_test_turns(result: Fit, firms: pd.DataFrame) -> None:
    found = wild_cluster_bootstrap(result, "x", weights="rademacher", seed=1, level=0.9)
    nudge = 1e-7 * (found.high - found.low)
    for limit, inward in ((found.low, nudge), (found.high, -nudge)):
        assert slow_p(firms, 3, limit + inward, SIGNS, 0) > 0.1
        assert slow_p(firms, 3, limit - inward, SIGNS, 0) <= 0.1
    assert not found.disjoint


def test_value_and_statistic_are_the_clustered_fits(result: Fit, firms: pd.DataFrame) -> None:
    clustered = fit(FORMULA, firms, covariance="cluster", cluster="firm")
    found = wild_cluster_bootstrap(result, "mandate", n=19, seed=1)
    assert found.value == pytest.approx(clustered.params["mandate"], rel=OTHER_ALGORITHM)
    assert found.statistic == pytest.approx(clustered.tvalues["mandate"], rel=OTHER_ALGORITHM)


def test_webbs_points_have_the_moments_they_should() -> None:
    assert WEBB.mean() == pytest.approx(0.0, abs=EXACT_ARITHMETIC)
    assert np.mean(WEBB**2) == pytest.approx(1.0, rel=EXACT_ARITHMETIC)
    assert np.mean(WEBB**4) == pytest.approx(7.0 / 6.0, rel=EXACT_ARITHMETIC)


def test_few_clusters_cannot_bound_the_coefficient(firms: pd.DataFrame) -> None:
    # 4 clusters: 16 signs, of which 2 always tie with the observed: p >= 1/8, no 95 % limits
    four = firms[firms["firm"].isin(["f1", "f2", "f4", "f5"])]
    fitted = fit("y ~ x", four, covariance="CR2", cluster="firm")
    found = wild_cluster_bootstrap(fitted, "x", weights="rademacher", seed=1)
    assert found.p >= 0.125
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_weights_follow_the_number_of_clusters() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"g": np.repeat(np.arange(13), 4), "x": rng.normal(size=52)})
    data["y"] = rng.normal(size=52)
    many = fit("y ~ x", data, covariance="CR1", cluster="g")
    few = fit("y ~ x", data[data["g"] < 12], covariance="CR1", cluster="g")
    assert wild_cluster_bootstrap(many, "x", n=9, seed=1).weights == "rademacher"
    assert wild_cluster_bootstrap(few, "x", n=9, seed=1).weights == "webb"
    assert wild_cluster_bootstrap(many, "x", n=10_000, seed=1).enumerated
    assert not wild_cluster_bootstrap(many, "x", n=5000, seed=1).enumerated


def test_a_seed_decides_and_chunks_do_not(result: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    once = wild_cluster_bootstrap(result, "x", n=199, seed=7)
    assert wild_cluster_bootstrap(result, "x", n=199, seed=7) == once
    assert wild_cluster_bootstrap(result, "x", n=199, seed=8).p != once.p
    from alc_stats.inference import multipliers

    monkeypatch.setattr(multipliers, "_CHUNK_ENTRIES", 8 * 10)
    assert wild_cluster_bootstrap(result, "x", n=199, seed=7).p == once.p


def test_under_the_null_it_rejects_as_often_as_it_should() -> None:
    # 8 unequal clusters with their own effects, 200 samples: 5 % +- 4 Monte Carlo SEs of 1.54 %
    rng = np.random.default_rng(20261125)
    cluster = np.repeat(np.arange(8), [3, 4, 5, 6, 7, 8, 9, 10])
    rejected = 0
    for _ in range(200):
        x = rng.normal(size=8)[cluster] + rng.normal(size=52)
        y = rng.normal(size=8)[cluster] + rng.normal(size=52)
        data = pd.DataFrame({"y": y, "x": x, "g": cluster})
        fitted = fit("y ~ x", data, covariance="CR1", cluster="g")
        rejected += wild_cluster_bootstrap(fitted, "x", n=199, seed=1).p <= 0.05
    assert abs(rejected / 200 - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": 0}, "at least one draw"),
        ({"weights": "mammen"}, "unknown weights 'mammen'"),
        ({"level": 1.0}, "the level is not between 0 and 1"),
    ],
)
def test_arguments_that_make_no_sense(result: Fit, arguments: dict, sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        wild_cluster_bootstrap(result, "x", seed=1, **arguments)


def test_what_cannot_be_bootstrapped_says_why(result: Fit, firms: pd.DataFrame) -> None:
    panel = fit_panel("y ~ x", firms, entity="person", time="week")
    with pytest.raises(FitError, match="needs the rows, which a panel regression does not keep"):
        wild_cluster_bootstrap(panel, "x", seed=1)
    crossed = fit("y ~ x + (1 | week)", firms)
    with pytest.raises(FitError, match="the fit did not read the column 'firm'"):
        wild_cluster_bootstrap(crossed, "x", cluster="firm", seed=1)
    with pytest.raises(FormulaError, match="no coefficient 'xx'"):
        wild_cluster_bootstrap(result, "xx", seed=1)
    with pytest.raises(FitError, match="the fit did not read the column 'person'"):
        wild_cluster_bootstrap(result, "x", cluster="person", seed=1)
    with pytest.raises(DeclarationError, match="no cluster is named"):
        wild_cluster_bootstrap(fit("y ~ x", firms), "x", seed=1)
