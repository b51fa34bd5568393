"""Artefacts against exact moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from alc_stats.simulate.artefacts import (
    better_than_average,
    capability_alone,
    ceiling_only,
    difference_score_null,
    few_firms,
    mediated_within_only,
    saturating_use,
    tasks_differ,
    unequal_reliability,
)
from alc_stats.simulate.recovery import cronbach_alpha
from tolerances import MONTE_CARLO_SIGMAS

N = 40_000


def censored_variance(mean: float, sd: float, low: float, high: float) -> float:
    """Variance of a normal score recorded between two bounds: its moments piece by piece."""
    law = stats.norm(mean, sd)

    def moment(power: int) -> float:
        inside, _ = integrate.quad(lambda x: x**power * law.pdf(x), low, high)
        return float(low**power * law.cdf(low) + inside + high**power * law.sf(high))

    return moment(2) - moment(1) ** 2


def test_a_ceiling_alone_makes_a_variance_ratio_of_128() -> None:
    near, far = censored_variance(85, 15, 0, 100), censored_variance(70, 15, 0, 100)
    # the numbers of the docstring
    assert (round(near, 1), round(far, 1), round(far / near, 2)) == (169.0, 216.0, 1.28)


def test_the_sample_has_these_moments() -> None:
    table = ceiling_only(N, seed=5)
    assert list(table) == ["arm", "latent", "score"]
    assert table["score"].between(0, 100).all()
    for arm, mean in (("control", 85.0), ("mandate", 70.0)):
        rows = table[table["arm"] == arm]
        for column, variance in (("latent", 225.0), ("score", censored_variance(mean, 15, 0, 100))):
            y = rows[column].to_numpy()
            error = np.sqrt(stats.kurtosis(y, fisher=False) - 1) * variance / np.sqrt(N)
            assert abs(y.var(ddof=1) - variance) < MONTE_CARLO_SIGMAS * error


@pytest.mark.parametrize(("correlation", "self_sd"), [(0.0, 1.0), (0.6, 1.0), (0.5, 2.0)])
def test_a_difference_falls_with_what_is_subtracted(correlation: float, self_sd: float) -> None:
    table = difference_score_null(N, seed=5, correlation=correlation, self_sd=self_sd)
    assert list(table) == ["self_estimate", "actual", "gap"]
    fit = stats.linregress(table["actual"], table["gap"])
    assert abs(fit.slope - (correlation * self_sd - 1.0)) < MONTE_CARLO_SIGMAS * fit.stderr
    own = table["self_estimate"].std(ddof=1)
    assert abs(own - self_sd) < MONTE_CARLO_SIGMAS * self_sd / np.sqrt(2 * N)


def slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Least-squares slope and its standard error."""
    fit = stats.linregress(x, y)
    return float(fit.slope), float(fit.stderr)


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_the_gap_takes_half_of_what_capability_does(correlation: float) -> None:
    table = capability_alone(N, seed=6, correlation=correlation, effect=0.5)
    found, error = slope(table["awareness"] - table["capability"], table["quality"])
    assert abs(found + 0.25) < MONTE_CARLO_SIGMAS * error
    r = table["awareness"].corr(table["capability"])
    assert abs(r - correlation) < MONTE_CARLO_SIGMAS / np.sqrt(N)


def test_overrating_falls_with_the_score_though_all_err_alike() -> None:
    table = better_than_average(N, seed=6, reliability=0.7, insight=0.3, optimism=0.5)
    overrated = table["self_estimate"] - table["actual"]
    found, error = slope(table["actual"], overrated)
    assert abs(found + 1.0 - 0.3 * 0.7) < MONTE_CARLO_SIGMAS * error
    assert abs(overrated.mean() - 0.5) < MONTE_CARLO_SIGMAS * overrated.std() / np.sqrt(N)
    for column in ("self_estimate", "actual"):
        assert abs(table[column].std() - 1.0) < MONTE_CARLO_SIGMAS / np.sqrt(2 * N)


def test_what_did_not_change_regresses_to_the_mean() -> None:
    table = few_firms(400, 50, seed=6, waves=2)
    own = table["score"] - table.groupby(["firm", "wave"])["score"].transform("mean")
    wide = table.assign(own=own).pivot(index="person", columns="wave", values="own")
    found, error = slope(wide[0], wide[1] - wide[0])
    assert abs(found + 0.5) < MONTE_CARLO_SIGMAS * error


def test_observed_correlations_are_true_ones_times_reliability() -> None:
    table = unequal_reliability(N, seed=6, correlation=0.6, reliabilities=(0.9, 0.5))
    for arm, alpha in (("control", 0.9), ("mandate", 0.5)):
        rows = table[table["arm"] == arm]
        means = [rows.filter(like=name).mean(axis=1) for name in ("aware", "capable")]
        assert abs(means[0].corr(means[1]) - 0.6 * alpha) < MONTE_CARLO_SIGMAS / np.sqrt(N)
        one = rows.filter(like="aware").to_numpy()
        assert abs(cronbach_alpha(one) - alpha) < MONTE_CARLO_SIGMAS / np.sqrt(N)


def test_few_firms_have_the_declared_share_of_variance_and_no_effect() -> None:
    table = few_firms(4_000, 10, seed=6, firm_share=0.2)
    by_firm = table.groupby("firm")["score"]
    within, between = by_firm.var(ddof=1).mean(), by_firm.mean().var(ddof=1)
    assert abs(within - 0.8) < MONTE_CARLO_SIGMAS * 0.8 * np.sqrt(2 / 36_000)
    law = 0.2 + 0.8 / 10
    assert abs(between - law) < MONTE_CARLO_SIGMAS * law * np.sqrt(2 / 4_000)
    means = [table.loc[table["mandate"] == m, "score"].mean() for m in (0.0, 1.0)]
    assert abs(means[1] - means[0]) < MONTE_CARLO_SIGMAS * np.sqrt(2 * law / 2_000)


def test_far_tasks_are_no_harder_over_many_draws_and_differ_in_one() -> None:
    tables = [tasks_differ(10, 6, seed=s) for s in range(400)]
    found = [t.groupby("novelty")["score"].mean() for t in tables]
    differences = np.array([f["far"] - f["familiar"] for f in found])
    law = 2 * (0.5**2 / 3 + 1.0 / 30)  # two sets of three tasks, ten persons
    assert abs(differences.mean()) < MONTE_CARLO_SIGMAS * np.sqrt(law / 400)
    assert abs(differences.var(ddof=1) - law) < MONTE_CARLO_SIGMAS * law * np.sqrt(2 / 400)


def test_saturating_use_never_falls_and_follows_the_log() -> None:
    table = saturating_use(N, seed=6, gain=1.0)
    found, error = slope(np.log(table["usage"]), table["quality"])
    assert abs(found - 1.0) < MONTE_CARLO_SIGMAS * error
    bend = np.polyfit(table["usage"], table["quality"], 2)
    assert bend[0] < 0.0 < -bend[1] / (2 * bend[0]) < 20.0  # the parabola turns among the data


def test_belief_lowers_scores_within_firms_and_not_across_them() -> None:
    table = mediated_within_only(2_000, 20, seed=6, effect=0.5)
    means = table.groupby("firm")[["mandate", "belief", "score"]].transform("mean")
    found, error = slope(table["belief"] - means["belief"], table["score"] - means["score"])
    assert abs(found + 0.5) < MONTE_CARLO_SIGMAS * error
    firms = table.groupby("firm").mean(numeric_only=True)
    effect = firms.groupby("mandate")[["belief", "score"]].mean().diff().loc[1.0]
    spread = np.sqrt(2 / 1_000 * (0.3**2 + 1.25 / 20))
    assert abs(effect["belief"] - 0.6) < MONTE_CARLO_SIGMAS * spread
    assert abs(effect["score"]) < MONTE_CARLO_SIGMAS * spread
