"""Bands over a whole moderator, and ratios whose interval may be no interval."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, FormulaError
from alc_stats.estimators import fit
from alc_stats.inference import fieller, johnson_neyman
from alc_stats.inference.johnson_neyman import simultaneous_critical
from models.inversion_witness import WITNESS, work
from tolerances import MONTE_CARLO_SIGMAS, OTHER_ALGORITHM

VCOV = np.array([[0.04, -0.02], [-0.02, 0.03]])


@pytest.mark.parametrize("df", [3.0, 12.0, math.inf])
def test_a_point_is_students_and_everything_is_scheffes(df: float) -> None:
    point = simultaneous_critical(VCOV, (0.5, 0.5), df=df)
    assert point == pytest.approx(stats.t.ppf(0.975, df), rel=1e-9)
    f = stats.chi2.ppf(0.95, 2) / 2 if math.isinf(df) else stats.f.ppf(0.95, 2, df)
    everything = simultaneous_critical(VCOV, (-math.inf, math.inf), df=df)
    assert everything == pytest.approx(math.sqrt(2 * f), rel=1e-9)


@pytest.mark.parametrize(("over", "df"), [((0.0, 2.0), 8.0), ((-1.0, 5.0), math.inf)])
def test_the_critical_value_is_that_of_every_direction_looked_at(
    over: tuple[float, float], df: float
) -> None:
    """Slow twin: all directions of the estimate, and the most extreme of 2,001 moderators each."""
    c = simultaneous_critical(VCOV, over, df=df)
    root = np.linalg.cholesky(VCOV)
    w = np.linspace(*over, 2001)
    places = np.column_stack([np.ones_like(w), w]) @ root
    places /= np.linalg.norm(places, axis=1)[:, None]
    angle = (np.arange(4000) + 0.5) * np.pi / 4000
    nearest = np.abs(np.column_stack([np.cos(angle), np.sin(angle)]) @ places.T).max(axis=1)
    r = c / nearest
    beyond = np.exp(-r * r / 2) if math.isinf(df) else (1 + r * r / df) ** (-df / 2)
    assert beyond.mean() == pytest.approx(0.05, abs=1e-6)


def test_the_band_covers_the_whole_line_as_often_as_it_says_and_the_pointwise_one_does_not() -> (
    None
):
    draws, df, over = 20_000, 10, (0.0, 3.0)
    rng = np.random.default_rng(1)
    error = (
        rng.multivariate_normal([0.0, 0.0], VCOV, draws)
        / np.sqrt(rng.chisquare(df, draws) / df)[:, None]
    )
    w = np.linspace(*over, 301)
    se = np.sqrt(VCOV[0, 0] + 2 * w * VCOV[0, 1] + w * w * VCOV[1, 1])
    furthest = (np.abs(error[:, :1] + error[:, 1:] * w) / se).max(axis=1)
    simultaneous = (furthest <= simultaneous_critical(VCOV, over, df=df)).mean()
    pointwise = (furthest <= stats.t.ppf(0.975, df)).mean()
    margin = MONTE_CARLO_SIGMAS * math.sqrt(0.95 * 0.05 / draws)
    assert abs(simultaneous - 0.95) < margin
    assert pointwise < 0.95 - margin


def test_pointwise_regions_end_where_r_says() -> None:
    data, theirs = work(), WITNESS["johnson_neyman"]
    use = np.log(data["tokens"])
    data["within"] = use - use.groupby([data["person"], data["mandate"]]).transform("mean")
    made = fit("quality ~ within * quota", data)
    found = johnson_neyman(made, "within", "quota")
    (region,) = found.pointwise_regions
    assert region.low == 0.0
    assert region.high == pytest.approx(theirs["roots"][0], rel=OTHER_ALGORITHM)
    assert found.pointwise_critical == pytest.approx(theirs["critical"], rel=OTHER_ALGORITHM)
    assert found.pointwise_critical < found.critical < theirs["scheffe"]
    assert found.regions[0].high < region.high
    everywhere = johnson_neyman(made, "within", "quota", over=(-1e7, 1e7))
    assert everywhere.critical == pytest.approx(theirs["scheffe"], rel=1e-6)


def test_regions_against_a_smallest_effect_and_with_the_names_turned() -> None:
    data = work().assign(within=lambda d: np.log(d["tokens"]) - np.log(d["tokens"]).mean())
    plain = johnson_neyman(fit("quality ~ within * quota", data), "within", "quota")
    turned = johnson_neyman(fit("quality ~ quota * within", data), "within", "quota")
    np.testing.assert_allclose(plain.low, turned.low, rtol=OTHER_ALGORITHM)
    against = johnson_neyman(fit("quality ~ within * quota", data), "within", "quota", against=0.5)
    np.testing.assert_allclose(against.value, plain.value, rtol=OTHER_ALGORITHM)
    for region in against.regions:
        middle = np.searchsorted(against.at, 0.5 * (region.low + region.high))
        assert (against.low[middle] > 0.5) == region.above


def test_a_moderator_without_a_range_and_a_coefficient_that_is_not_there() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.normal(size=(50, 3)), columns=["y", "x", "w"])
    made = fit("y ~ x * w", data)
    with pytest.raises(DeclarationError, match="no range to look along") as raised:
        johnson_neyman(made, "x", "w", over=(1.0, 1.0), level=1.5)
    assert len(raised.value.problems) == 2
    with pytest.raises(FormulaError, match="no coefficient 'z:w'"):
        johnson_neyman(made, "z", "w")


# -- Fieller -------------------------------------------------------------------------------------


def test_fiellers_ends_solve_the_quadratic_in_exact_arithmetic() -> None:
    """With t = 2: (3 - r)^2 = 4 (1/4 - 2 r / 10 + r^2 / 10), in fractions."""
    level = float(1.0 - 2.0 * stats.norm.sf(2.0))
    found = fieller(3.0, 1.0, np.array([[0.25, 0.1], [0.1, 0.1]]), df=math.inf, level=level)
    a = 1 - 4 * Fraction(1, 10)
    b = 3 - 4 * Fraction(1, 10)
    c = 9 - 4 * Fraction(1, 4)
    root = math.sqrt(b * b - a * c)
    assert found.shape == "interval"
    assert found.low == pytest.approx((float(b) - root) / float(a), rel=OTHER_ALGORITHM)
    assert found.high == pytest.approx((float(b) + root) / float(a), rel=OTHER_ALGORITHM)


def test_a_denominator_that_may_be_zero_leaves_no_bounded_interval() -> None:
    vcov = np.diag([0.01, 1.0])
    assert fieller(5.0, 1.0, vcov, df=math.inf).shape == "outside"
    assert fieller(0.01, 1.0, vcov, df=math.inf).shape == "everything"
    outside = fieller(5.0, 1.0, vcov, df=math.inf)
    assert outside.low < 0.0 < outside.high < outside.value


def test_fieller_covers_the_ratio_as_often_as_it_says_where_the_delta_method_does_not() -> None:
    """The ratio 1.5 of two means, the denominator two standard errors from zero."""
    draws, vcov = 4000, np.diag([0.25, 0.25])
    rng = np.random.default_rng(2)
    sample = rng.multivariate_normal([1.5, 1.0], vcov, draws)
    inside = 0
    for numerator, denominator in sample:
        r = fieller(numerator, denominator, vcov, df=math.inf)
        between = r.low <= 1.5 <= r.high
        inside += between if r.shape == "interval" else (r.shape == "everything" or not between)
    margin = MONTE_CARLO_SIGMAS * math.sqrt(0.95 * 0.05 / draws)
    assert abs(inside / draws - 0.95) < margin
