"""Each artefact at its edges, on arms given by their numbers."""

from __future__ import annotations

import numpy as np
import pytest

from alc_stats.estimators import Estimate
from alc_stats.models.widening.artefacts import (
    Arm,
    Coupling,
    Spreads,
    coupling,
    ends_of_scale,
    left_out,
    mean_variance,
    unequal_sizes,
)
from alc_stats.records import FloatArray
from tolerances import OTHER_ALGORITHM


def made(
    log_sds: FloatArray,
    means: FloatArray,
    *,
    sizes: FloatArray | None = None,
    noise: float = 1e-30,
    few: int = 0,
    flat: int = 0,
) -> Arm:
    """An arm by its numbers; the sampling error of its means is next to nothing by default."""
    one = np.ones(len(log_sds))
    return Arm(
        log_sds, means, 30 * one if sizes is None else sizes, noise * one, 0 * one, few, flat
    )


def test_coupling_without_sampling_error_is_analysis_of_covariance() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(35)
    means = rng.normal(50, 3, 14)
    treated = np.repeat([1.0, 0.0], [6, 8])
    log_sds = 2 + 0.3 * treated + 0.02 * means + rng.normal(0, 0.1, 14)
    twin = sm.OLS(log_sds, np.column_stack([np.ones(14), treated, means])).fit()
    arms = (made(log_sds[treated == a], means[treated == a]) for a in (1.0, 0.0))
    found = coupling(Spreads(*arms))
    assert found is not None
    np.testing.assert_allclose(
        [
            found.adjusted.value,
            found.adjusted.se,
            found.slope.value,
            found.slope.se,
            found.slope.df,
        ],
        [*np.column_stack([twin.params, twin.bse])[1:].ravel(), twin.df_resid],
        rtol=OTHER_ALGORITHM,
    )


@pytest.mark.parametrize(
    ("adjusted", "se", "reliability", "kept"),
    [
        (0.2, 0.01, 0.9, True),
        (0.199, 0.01, 0.9, False),  # less than half of 0.4
        (0.2, 0.0958, 0.9, True),  # 0.2 / 0.0958 = 2.088 > 2.086, the .975 quantile of t(20)
        (0.2, 0.0960, 0.9, False),  # 0.2 / 0.0960 = 2.083
        (0.2, 0.01, 0.5, True),
        (0.2, 0.01, 0.499, False),  # more than half of the means' variance is sampling error
        (-0.3, 0.01, 0.9, False),  # on the other side
    ],
)
def test_half_of_the_difference_must_stand_at_equal_means(
    adjusted: float, se: float, reliability: float, kept: bool
) -> None:
    for side in (1.0, -1.0):
        at_equal = Estimate("", side * adjusted, se, 20.0)
        found = Coupling(Estimate("", 0.0, 1.0, 20.0), at_equal, reliability)
        assert found.keeps(side * 0.4, 0.95) is kept


@pytest.mark.parametrize(("scale", "outcome"), [(0.45, "clear"), (0.44, "threat")])
@pytest.mark.parametrize("mirrored", [False, True])
def test_means_without_variation_are_judged_from_the_ends_of_the_data(
    scale: float, outcome: str, mirrored: bool
) -> None:
    # data on 0-100, means 50 and 40: ln(50 / 40) = 0.2231 > ln(60 / 50) = 0.1823; half of 0.4463
    arms = [made(np.array([2.0, 2.1, 2.2]), np.full(3, m)) for m in (50.0, 40.0)]
    if mirrored:
        arms = [made(np.array([2.0, 2.1, 2.2]), np.full(3, 100 - m)) for m in (50.0, 40.0)]
    found = mean_variance(Spreads(*arms), {"all": np.array([0.0, 100.0])}, scale=scale, level=0.95)
    assert found.outcome == outcome
    assert "do not vary" in found.finding.template
    assert found.finding.numbers["furthest_log_sd"].value == pytest.approx(np.log(1.25))


@pytest.mark.parametrize(("scale", "outcome"), [(0.45, "clear"), (0.44, "threat")])
def test_a_flat_slope_does_not_excuse_from_the_ends_of_the_data(scale: float, outcome: str) -> None:
    log_sds, off = 2 + 1e-6 * np.array([0, 1, -1, 1, -1, 0]), np.array([-3, -2, -1, 1, 2, 3.0])
    spreads = Spreads(made(log_sds, 50 + off), made(log_sds, 40 + off))
    found = mean_variance(spreads, {"all": np.array([0.0, 100.0])}, scale=scale, level=0.95)
    assert found.outcome == outcome


def test_the_far_limit_of_the_slope_is_held_against_half() -> None:
    # no difference and next to no slope, so that nothing stands at equal means
    log_sds, off = np.array([2.0, 2.1, 1.9, 2.1, 1.9, 2.0]), np.array([-3, -2, -1, 1, 2, 3.0])
    arms = [made(log_sds, m + off) for m in (52.0, 50.0)]
    spreads, values = Spreads(*arms), {"all": np.array([-1e6, 1e6])}
    found = coupling(spreads)
    assert found is not None
    far = max(abs(limit * spreads.shift) for limit in found.slope.interval())
    for scale, outcome in ((2.001 * far, "clear"), (1.999 * far, "threat")):
        assert mean_variance(spreads, values, scale=scale, level=0.95).outcome == outcome


def test_flat_clusters_of_either_arm_are_a_threat() -> None:
    log_sds = np.array([1.0, 2.0])
    fine, flat = made(log_sds, log_sds), made(log_sds, log_sds, flat=1)
    outcomes = [
        left_out(Spreads(*arms)).outcome for arms in ((fine, fine), (fine, flat), (flat, fine))
    ]
    assert outcomes == ["clear", "threat", "threat"]


@pytest.mark.parametrize("other_end", [False, True])
@pytest.mark.parametrize(
    ("near", "value", "outcome"),
    [
        (5, 5.0, "threat"),  # 5 of 100 values at 5 % of the range
        (4, 5.0, "clear"),
        (5, 5.001, "clear"),  # a little further in
    ],
)
def test_scores_near_a_bound(near: int, value: float, outcome: str, other_end: bool) -> None:
    close = value - np.arange(near) * 1e-6 if value == 5.0 else value + np.arange(near) * 1e-6
    arm = np.concatenate([close, np.linspace(20, 80, 100 - near)])
    arms = {"treated": 100 - arm if other_end else arm, "control": np.linspace(20, 80, 100)}
    assert ends_of_scale(arms, (0.0, 100.0), outcome="score").outcome == outcome


@pytest.mark.parametrize("other_end", [False, True])
@pytest.mark.parametrize(("heaped", "outcome"), [(5, "threat"), (4, "clear")])
def test_scores_heaped_at_an_end_of_the_data(heaped: int, outcome: str, other_end: bool) -> None:
    arm = np.concatenate([np.full(heaped, 340.0), np.linspace(341, 360, 100 - heaped)])
    arms = {"treated": 1000 - arm if other_end else arm, "control": np.linspace(320, 380, 100)}
    found = ends_of_scale(arms, (0.0, 1000.0), outcome="score")
    assert found.outcome == outcome
    assert found.finding.numbers["heap_share"].value == heaped / 100


def test_the_ends_of_a_small_arm_are_no_heap() -> None:
    arms = {"treated": np.linspace(40, 60, 10), "control": np.linspace(40, 60, 10)}
    assert ends_of_scale(arms, (0.0, 100.0), outcome="score").outcome == "clear"


def test_bounds_far_from_the_data_are_said() -> None:
    arms = {"treated": np.linspace(300, 400, 101), "control": np.linspace(300, 400, 101)}
    found = ends_of_scale(arms, (0.0, 1000.0), outcome="score")
    # the middle 90 % of 300, 301, ..., 400 runs from 305 to 395
    assert found.finding.numbers["range_used"].value == pytest.approx(0.09)
    assert "of the declared range" in found.finding.template


@pytest.mark.parametrize(("scale", "outcome"), [(0.674, "threat"), (0.676, "clear")])
@pytest.mark.parametrize("swapped", [False, True])
def test_unequal_sizes_are_held_against_half(scale: float, outcome: str, swapped: bool) -> None:
    # 6 / 4 * (1 / 4 - 1 / 40) = 0.3375, half of 0.675
    sizes = [np.full(3, 4.0), np.full(3, 40.0)]
    arms = [made(np.ones(3), np.ones(3), sizes=s) for s in (sizes[::-1] if swapped else sizes)]
    found = unequal_sizes(Spreads(*arms), scale)
    assert found.outcome == outcome
    assert found.finding.numbers["size_log_sd"].value == pytest.approx(0.3375)


def test_the_size_bound_covers_t_with_3_df() -> None:
    rng = np.random.default_rng(45)
    means = []
    for n in (4, 40):
        sds = np.std(rng.standard_t(3, (20_000, n)), axis=1, ddof=1)
        means.append(np.mean(np.log(sds) + 0.5 / (n - 1)))
    assert 0.05 < means[1] - means[0] < 0.3375
