"""Artefacts of mandates and metrics against exact moments."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.simulate.mandate_artefacts import (
    effects_wear_off,
    few_starters,
    growing_effects,
    narrower_use,
    noisier_use,
    round_amounts,
)
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS


def wide(table: pd.DataFrame, name: str) -> np.ndarray:
    """Firms by periods."""
    return table[name].to_numpy(dtype=float).reshape(table["firm"].nunique(), -1)


def two_way(table: pd.DataFrame) -> tuple[float, np.ndarray, np.ndarray]:
    """Coefficient of the treatment, and treatment and residuals without firms and periods."""
    y, d = (
        x - x.mean(0) - x.mean(1, keepdims=True) + x.mean()
        for x in (wide(table, "score"), wide(table, "treated"))
    )
    value = float((d * y).sum() / (d**2).sum())
    return value, d, y - value * d


def effects(one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """What two tables of the same draws differ by."""
    return (one["score"] - other["score"]).to_numpy()


def test_two_way_fixed_effects_are_least_squares_with_a_dummy_a_firm_and_period() -> None:
    table = growing_effects(10, seed=3)
    dummies = [pd.get_dummies(table[name], dtype=float) for name in ("firm", "period")]
    X = np.column_stack([table["treated"], *dummies])
    beta = np.linalg.lstsq(X, table["score"].to_numpy(), rcond=None)[0]
    assert two_way(table)[0] == pytest.approx(beta[0], abs=1e2 * EXACT_ARITHMETIC)


@pytest.mark.parametrize(("periods", "starts"), [(12, (4, 9)), (8, (3, 5))])
def test_two_way_fixed_effects_turn_growing_gains_into_harm(
    periods: int, starts: tuple[int, int]
) -> None:
    table = growing_effects(10, seed=3, periods=periods, starts=starts)
    none = growing_effects(10, seed=3, periods=periods, starts=starts, first=0.0, growth=0.0)
    own = effects(table, none)
    assert own[table["treated"] == 1].min() == pytest.approx(0.5, abs=EXACT_ARITHMETIC)
    assert np.abs(own[table["treated"] == 0]).max() == 0.0
    m, late = starts[1] - starts[0], periods + 1 - starts[1]
    law = 0.5 + (m - 1) / 2 - m * late / (periods - m)
    found = two_way(table.assign(score=own))[0]
    assert found == pytest.approx(law, abs=1e2 * EXACT_ARITHMETIC)
    if periods == 12:
        assert round(found, 2) == -0.36  # the number of the docstring


def test_effects_wear_off_to_nothing_and_two_way_fixed_effects_see_a_gain() -> None:
    table = effects_wear_off(30, seed=3)
    own = effects(table, effects_wear_off(30, seed=3, gain=0.0))
    by_firm = pd.Series(own[table["treated"] == 1]).groupby(
        table.loc[table["treated"] == 1, "firm"].to_numpy()
    )
    assert by_firm.mean().abs().max() < EXACT_ARITHMETIC
    assert by_firm.first().to_numpy() == pytest.approx(1.0, abs=EXACT_ARITHMETIC)
    found = two_way(table.assign(score=own))[0]
    assert found == pytest.approx(15 / 47, abs=1e2 * EXACT_ARITHMETIC)


@pytest.mark.parametrize("starters", [2, 3])
def test_errors_by_firm_see_a_share_of_what_few_starters_vary_by(starters: int) -> None:
    """Their own part of the variance: squared scores, beside the squares they estimate."""
    seen, real = [], []
    for seed in range(300):
        table = few_starters(24, starters, seed=seed)
        value, d, residuals = two_way(table)
        own = np.flatnonzero(table.groupby("firm")["treated"].max().to_numpy())
        assert len(own) == starters
        scores = (d * residuals).sum(axis=1)[own]
        assert abs(scores.sum()) < 1e3 * EXACT_ARITHMETIC  # about their own mean
        seen.append((scores**2).sum() / (d**2).sum() ** 2)
        real.append(value**2)
    # all other firms add a variance of their own, that of the starters times starters / (24 - s)
    share = (1.0 - 1.0 / starters) * (1.0 - starters / 24)
    error = np.std(np.array(seen) - share * np.array(real)) / math.sqrt(300)
    assert abs(np.mean(seen) - share * np.mean(real)) < MONTE_CARLO_SIGMAS * error


def test_shocks_of_few_starters_last_as_declared_and_nothing_happens() -> None:
    tables = [few_starters(12, 2, seed=s, persistence=0.8) for s in range(400)]
    y = np.array([t["score"].to_numpy().reshape(12, 8) for t in tables])
    own = y - y.mean(axis=1, keepdims=True)
    steps = own[:, :, 1:] - own[:, :, :-1]
    law = 2.0 * (1.0 - 0.8) * (1.0 - 1.0 / 12.0)  # firms' levels cancel, those of periods as well
    error = law * math.sqrt(2.0 / (400 * 11))  # steps of a firm after another are nearly free
    assert abs((steps**2).mean() - law) < MONTE_CARLO_SIGMAS * error
    found = np.array([two_way(t)[0] for t in tables[:200]])
    assert abs(found.mean()) < MONTE_CARLO_SIGMAS * found.std() / math.sqrt(200)


@pytest.mark.parametrize("lost", [0.0, 0.9])
def test_a_narrower_range_lowers_the_correlation_and_leaves_the_slope(lost: float) -> None:
    table = narrower_use(200, seed=4, lost=lost)
    under = table["mandate"] * table["post"] == 1
    for rows, sd, slope in ((table[~under], 1.0, 3.0), (table[under], 0.4, 3.0 * (1.0 - lost))):
        use = np.log(rows["tokens"])
        n = len(rows)
        assert abs(use.std() - sd) < MONTE_CARLO_SIGMAS * sd / math.sqrt(2 * n)
        fit = stats.linregress(use, rows["quality"])
        assert abs(fit.slope - slope) < MONTE_CARLO_SIGMAS * fit.stderr
        law = slope * sd / math.hypot(slope * sd, 6.0)
        assert abs(fit.rvalue - law) < MONTE_CARLO_SIGMAS / math.sqrt(n)
    people = table.groupby("person")
    assert people["firm"].nunique().max() == 1
    assert (people["post"].sum() == 10).all()
    # the numbers of the docstring
    assert (round(3 / math.hypot(3, 6), 3), round(1.2 / math.hypot(1.2, 6), 3)) == (0.447, 0.196)


def test_round_amounts_lie_at_the_quota_without_anybody_s_doing() -> None:
    table = round_amounts(4_000, seed=4, rows=25)
    law = stats.norm(10.9, math.hypot(0.2, 0.4))
    near = law.cdf(math.log(65_000)) - law.cdf(math.log(55_000))
    at = (table["tokens"] == 60_000.0).groupby(table["mandate"])
    for mandate in (0, 1):
        firms = at.get_group(mandate).groupby(table["firm"]).mean()
        error = firms.std() / math.sqrt(len(firms))
        assert abs(firms.mean() - 0.3 * near) < MONTE_CARLO_SIGMAS * error


def test_those_just_short_are_topped_up_where_a_quota_holds() -> None:
    table = round_amounts(4_000, seed=4, rows=25, topped_up=0.4, rounded=0.0)
    law = stats.norm(10.9, math.hypot(0.2, 0.4))
    short = law.cdf(math.log(60_000)) - law.cdf(math.log(48_000))
    left = table["tokens"].between(48_000, 60_000, inclusive="left").groupby(table["mandate"])
    for mandate, share in ((0, 1.0), (1, 0.6)):
        firms = left.get_group(mandate).groupby(table["firm"]).mean()
        error = firms.std() / math.sqrt(len(firms))
        assert abs(firms.mean() - share * short) < MONTE_CARLO_SIGMAS * error


def test_noisier_use_wastes_as_much_and_varies_more() -> None:
    table = noisier_use(400, seed=4, rows=100)
    above = np.log(table["tokens"]) - 7.0 - 0.3 * table["quality"]
    for mandate, noise in ((0, 0.2), (1, 0.4)):
        own = above[table["mandate"] == mandate].to_numpy()
        variance = 0.4**2 * (1.0 - 2.0 / math.pi) + noise**2
        mean = 0.4 * math.sqrt(2.0 / math.pi)
        assert abs(own.mean() - mean) < MONTE_CARLO_SIGMAS * math.sqrt(variance / len(own))
        kurtosis = stats.kurtosis(own, fisher=False)
        error = variance * math.sqrt((kurtosis - 1.0) / len(own))
        assert abs(own.var() - variance) < MONTE_CARLO_SIGMAS * error
