"""Artefacts against exact moments."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from alc_stats.simulate import ceiling_only, difference_score_null
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
