"""The jump of a density: beside rddensity, and its error beside a bootstrap-free twin."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from alc_stats.errors import FitError
from alc_stats.inference.density_jump import density_jump
from alc_stats.records import FloatArray
from tolerances import CENTRAL_DIFFERENCE, EXACT_ARITHMETIC, JACKKNIFE_ERRORS

WITNESS = Path(__file__).parents[1] / "reference" / "bunching" / "rddensity.csv"


def sample() -> FloatArray:
    """That of the witness."""
    rng = np.random.default_rng(7)
    x = rng.normal(-0.1, 0.4, 3000)
    moved = (x > -0.2) & (x < 0.0) & (rng.random(3000) < 0.3)
    return np.where(moved, 0.04 * rng.random(3000), x)


def known() -> dict[str, float]:
    with WITNESS.open() as file:
        return {row["name"]: float(row["value"]) for row in csv.DictReader(file)}


def test_the_densities_are_those_of_rddensity() -> None:
    """rddensity divides ranks by n - 1, ours by n."""
    found, witness = density_jump(sample(), np.arange(3000), reach=0.2), known()
    assert found.below * 3000 / 2999 == pytest.approx(witness["left"], abs=1e-9)
    assert found.above * 3000 / 2999 == pytest.approx(witness["right"], abs=1e-9)


def test_the_error_is_near_the_jackknife_of_rddensity() -> None:
    found, w = density_jump(sample(), np.arange(3000), reach=0.2), known()
    shared = (w["se_left"] ** 2 + w["se_right"] ** 2 - w["se_diff"] ** 2) / 2.0
    variance = (
        (w["se_left"] / w["left"]) ** 2
        + (w["se_right"] / w["right"]) ** 2
        - 2.0 * shared / (w["left"] * w["right"])
    )
    assert math.sqrt(found.variance) == pytest.approx(math.sqrt(variance), rel=JACKKNIFE_ERRORS)


def test_scores_are_slopes_in_the_weights_of_clusters() -> None:
    place, clusters = sample()[:600], np.arange(600) % 20
    found = density_jump(place, clusters, reach=0.4)
    for g in (0, 7, 19):
        ends = []
        for h in (1e-5, -1e-5):
            weights = np.where(clusters == g, 1.0 + h, 1.0)
            ends.append(density_jump(place, clusters, reach=0.4, weights=weights).log_ratio)
        assert found.relative[g] == pytest.approx(
            (ends[0] - ends[1]) / 2e-5, abs=CENTRAL_DIFFERENCE
        )


def test_a_weight_of_two_is_two_values() -> None:
    """Of one cluster: the second copy of a value has the rank of the first."""
    place = sample()[:400]
    once = density_jump(place, np.zeros(400, dtype=np.int64), reach=0.4).log_ratio
    weighted = density_jump(
        place, np.zeros(400, dtype=np.int64), reach=0.4, weights=np.full(400, 2.0)
    ).log_ratio
    assert weighted == pytest.approx(once, abs=1e3 * EXACT_ARITHMETIC)


def test_too_few_values_are_said() -> None:
    with pytest.raises(FitError, match="too few values on a side"):
        density_jump(np.linspace(-1.0, -0.1, 50), np.arange(50), reach=0.5)
