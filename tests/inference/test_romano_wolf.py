"""The stepdown against a loop of refits, and its familywise error where Holm's is too careful."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FormulaError
from alc_stats.estimators import Fit, fit
from alc_stats.inference import (
    Criterion,
    contrast,
    decide,
    holm,
    romano_wolf,
    wild_cluster_bootstrap,
)
from tolerances import MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

OUTCOMES = ["use", "aware", "able"]


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    firm = np.repeat(np.arange(8), [3, 4, 5, 6, 7, 5, 4, 6])
    data = pd.DataFrame({"firm": [f"f{g}" for g in firm], "mandate": (firm % 2).astype(float)})
    data["x"] = rng.normal(size=len(data))
    common = rng.normal(size=8)[firm] + rng.normal(size=len(data))
    for j, name in enumerate(OUTCOMES):
        noise = rng.normal(size=len(data))
        data[name] = 1.2 * (1 - j) * data["mandate"] + 0.4 * data["x"] + common + noise
    return data


@pytest.fixture(scope="module")
def fits(firms: pd.DataFrame) -> list[Fit]:
    return [fit(f"{y} ~ mandate + x", firms, covariance="CR1", cluster="firm") for y in OUTCOMES]


def slow_ratios(data: pd.DataFrame, outcome: str, signs: np.ndarray) -> np.ndarray:
    """|t| of refits of outcomes made without the mandate's effect; first the observed one."""
    X = np.column_stack([np.ones(len(data)), data["mandate"], data["x"]])
    y, g = data[outcome].to_numpy(), pd.factorize(data["firm"], sort=True)[0]
    bread = np.linalg.inv(X.T @ X)

    def ratio(y: np.ndarray) -> float:
        b = bread @ X.T @ y
        e = y - X @ b
        scores = np.array([X[g == k].T @ e[g == k] for k in range(8)])
        return abs(b[1]) / np.sqrt((bread @ scores.T @ scores @ bread)[1, 1])

    others = X[:, [0, 2]]
    restricted = others @ np.linalg.lstsq(others, y, rcond=None)[0]
    again = [ratio(restricted + (y - restricted) * v[g]) for v in signs]
    return np.array([ratio(y), *again])


def test_the_stepdown_is_the_slow_loop(firms: pd.DataFrame, fits: list[Fit]) -> None:
    found = romano_wolf([(m, "mandate") for m in fits], weights="rademacher", seed=1)
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=8)))
    t = np.column_stack([slow_ratios(firms, y, signs) for y in OUTCOMES])
    np.testing.assert_allclose(np.abs(found.statistics), t[0], rtol=OTHER_ALGORITHM)
    slack = 1.0 - 1e-9
    own = [(t[1:, j] >= t[0, j] * slack).mean() for j in range(3)]
    np.testing.assert_array_equal(found.p, own)
    # step down by hand: the largest among three, among the two that are left, alone
    ranked = np.argsort(-t[0])
    adjusted = {}
    for place in range(3):
        rest = ranked[place:]
        adjusted[ranked[place]] = (t[1:, rest].max(axis=1) >= t[0, ranked[place]] * slack).mean()
    running = np.maximum.accumulate([adjusted[j] for j in ranked])
    np.testing.assert_array_equal(found.adjusted[ranked], running)
    assert (found.draws, found.enumerated, found.clusters) == (256, True, 8)
    # the dependence is used (one by one a maximum of t's may still exceed the worst case of p's)
    assert (found.adjusted >= found.p).all()
    assert (found.adjusted < holm(found.p)).any()
    assert found.table.index.tolist() == ["use: mandate", "aware: mandate", "able: mandate"]


def test_one_test_is_the_wild_bootstrap(fits: list[Fit]) -> None:
    family = romano_wolf([(fits[0], "mandate")], n=199, seed=4)
    alone = wild_cluster_bootstrap(fits[0], "mandate", n=199, seed=4)
    assert family.p[0] == family.adjusted[0] == alone.p


def test_contrasts_of_one_fit_and_a_mixed_model_in_one_family(
    firms: pd.DataFrame, fits: list[Fit]
) -> None:
    mixed = fit("able ~ mandate + x + (1 | firm)", firms, covariance="CR2", cluster="firm")
    found = romano_wolf(
        [(fits[0], "mandate"), (fits[0], "x = 0.2"), (mixed, "mandate + x")], n=199, seed=2
    )
    alone = wild_cluster_bootstrap(mixed, "mandate + x", n=199, seed=2)
    assert found.p[2] == alone.p
    assert found.names == ("use: mandate", "use: x = 0.2", "able: mandate + x")


def test_fits_with_different_rows_share_their_clusters(
    firms: pd.DataFrame, fits: list[Fit]
) -> None:
    fewer = fit(
        "able ~ mandate + x", firms[firms["firm"] != "f3"], covariance="CR1", cluster="firm"
    )
    found = romano_wolf([(fits[0], "mandate"), (fewer, "mandate")], weights="rademacher", seed=1)
    # the signs of eight firms, one of which says nothing to the second fit
    alone = wild_cluster_bootstrap(fewer, "mandate", weights="rademacher", seed=1)
    assert found.p[1] == alone.p
    renamed = fit(
        "able ~ mandate + x", firms.assign(firm=firms["firm"] + "b"), covariance="CR1",
        cluster="firm",
    )  # fmt: skip
    with pytest.raises(DeclarationError, match="share no cluster"):
        romano_wolf([(fits[0], "mandate"), (renamed, "mandate")], seed=1)


def test_the_familywise_error_holds_where_naive_tests_fail_and_holm_is_too_careful() -> None:
    # four outcomes that share nine tenths of their variance, 14 firms, no effect anywhere
    rng = np.random.default_rng(20261127)
    firm = np.repeat(np.arange(14), 5)
    arm = (firm % 2).astype(float)
    names, samples = [f"y{j}" for j in range(4)], 160
    false = np.zeros(3)
    for _ in range(samples):
        shared = (0.7 * rng.normal(size=14)[firm] + 0.7 * rng.normal(size=70)) * 3.0
        data = pd.DataFrame({y: shared + rng.normal(size=70) for y in names})
        data["arm"], data["firm"] = arm, firm
        fits = [fit(f"{y} ~ arm", data, covariance="CR1", cluster="firm") for y in names]
        family = romano_wolf([(m, "arm") for m in fits], n=199, seed=1)
        false += [
            family.adjusted.min() <= 0.05, family.p.min() <= 0.05, holm(family.p).min() <= 0.05
        ]  # fmt: skip
    rate = false / samples
    band = MONTE_CARLO_SIGMAS * np.sqrt(0.05 * 0.95 / samples)
    assert abs(rate[0] - 0.05) < band, rate
    assert rate[1] > rate[0], rate
    assert rate[2] < rate[0], rate


def test_an_adjusted_p_reaches_the_decision(fits: list[Fit]) -> None:
    family = romano_wolf([(m, "mandate") for m in fits], seed=1)
    estimate = contrast(fits[0], "mandate")
    verdict = decide(estimate, Criterion("superiority", 0.1), p_adjusted=float(family.adjusted[0]))
    assert verdict.verdict in ("supported", "inconclusive")


def test_what_cannot_be_adjusted_says_why(firms: pd.DataFrame, fits: list[Fit]) -> None:
    with pytest.raises(DeclarationError) as caught:
        romano_wolf([], n=0, weights="web", seed=1)
    assert "at least one test" in str(caught.value)
    assert "at least one draw" in str(caught.value)
    assert "Did you mean 'webb'" in str(caught.value)
    with pytest.raises(FormulaError, match="no coefficient 'mandat'"):
        romano_wolf([(fits[0], "mandat")], seed=1)
    with pytest.raises(DeclarationError, match="no cluster is named"):
        romano_wolf([(fit("use ~ x", firms), "x")], seed=1)
