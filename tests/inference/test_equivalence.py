from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Estimate
from alc_stats.inference import (
    equivalence_of_means,
    equivalence_p,
    non_inferiority_p,
    non_superiority_p,
)
from estimators.witness import answers
from tolerances import OTHER_ALGORITHM

R = answers("linear")["means"]


@pytest.mark.parametrize(("paired", "key"), [(False, "welch_p"), (True, "paired_p")])
def test_equivalence_of_means_is_rs_two_t_tests(paired: bool, key: str) -> None:
    result = equivalence_of_means(R["x"], R["y"], margin=R["margin"], paired=paired)
    assert result.p == pytest.approx(R[key], rel=OTHER_ALGORITHM)
    assert equivalence_p(result.difference, result.margin) == pytest.approx(
        result.p, rel=OTHER_ALGORITHM
    )


def test_the_difference_is_welchs() -> None:
    difference = equivalence_of_means(R["x"], R["y"], margin=R["margin"]).difference
    expected = {"value": R["difference"], "se": R["se"], "df": R["df"]}
    obtained = {"value": difference.value, "se": difference.se, "df": difference.df}
    assert obtained == pytest.approx(expected, rel=OTHER_ALGORITHM)


def test_missing_values_leave_singly_or_in_pairs() -> None:
    x, y = [*R["x"], math.nan, 9.0], [*R["y"], 9.0, math.nan]
    paired = equivalence_of_means(x, y, margin=0.8, paired=True)
    assert paired.p == pytest.approx(R["paired_p"], rel=OTHER_ALGORITHM)
    single = equivalence_of_means(x, R["y"], margin=0.8).difference
    assert single.value == pytest.approx(np.mean([*R["x"], 9.0]) - np.mean(R["y"]))


def test_one_sided_p_values_are_the_normals() -> None:
    e = Estimate("gain", 0.1, 0.05, math.inf)
    assert non_superiority_p(e, 0.2) == pytest.approx(stats.norm.cdf(-2.0))
    assert non_inferiority_p(e, 0.2) == pytest.approx(stats.norm.sf(6.0))
    assert equivalence_p(e, 0.2) == pytest.approx(stats.norm.cdf(-2.0))


@pytest.mark.parametrize("margin", [0.0, -0.2, math.nan, math.inf])
def test_a_margin_is_positive(margin: float) -> None:
    with pytest.raises(DeclarationError, match="the margin is not a positive number"):
        equivalence_p(Estimate("e", 0.1, 0.05, 9.0), margin)
    with pytest.raises(DeclarationError, match="the margin is not a positive number"):
        equivalence_of_means(R["x"], R["y"], margin=margin)


def test_samples_that_cannot_be_compared() -> None:
    with pytest.raises(FitError, match=r"a mean needs at least two values\. Found: 1 and 2 values"):
        equivalence_of_means([1.0], [1.0, 2.0], margin=1.0)
    with pytest.raises(FitError, match=r"different lengths\. Found: 1 and 2 values"):
        equivalence_of_means([1.0], [1.0, 2.0], margin=1.0, paired=True)
    with pytest.raises(FitError, match="the samples have no spread"):
        equivalence_of_means([1.0, 1.0], [2.0, 2.0], margin=1.0)
