from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import FitError
from alc_stats.estimators import Estimate, Fit, fit
from alc_stats.estimators.memory import memory_of
from alc_stats.records import dump, load
from estimators.witness import table


@pytest.fixture(scope="module")
def mixed() -> Fit:
    return fit("y ~ arm*week + (1 + week | firm)", table("mixed", "firms.csv"))


@pytest.fixture(scope="module")
def linear() -> Fit:
    return fit("y ~ mandate + x", table("linear", "clusters.csv"), covariance="HC3", df="normal")


@pytest.mark.parametrize("which", ["mixed", "linear"])
def test_a_fit_survives_the_disk_whole(which: str, request: pytest.FixtureRequest) -> None:
    result: Fit = request.getfixturevalue(which)
    back = load(dump(result), Fit)
    for field in dataclasses.fields(Fit):
        if field.metadata.get("session"):
            continue
        before, after = getattr(result, field.name), getattr(back, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
        else:
            assert after == before
    assert str(back) == str(result)


def test_views_are_one_truth(linear: Fit) -> None:
    se = np.sqrt(np.diag(linear.vcov))
    np.testing.assert_array_equal(linear.bse, se)
    np.testing.assert_allclose(linear.tvalues, linear.estimates / se)
    np.testing.assert_allclose(linear.pvalues, 2 * stats.norm.sf(np.abs(linear.estimates / se)))
    limits = linear.conf_int(0.9)
    np.testing.assert_allclose(limits["high"], linear.estimates + stats.norm.ppf(0.95) * se)
    assert linear.params.index.tolist() == list(linear.names)


def test_arrays_of_the_wrong_shape_are_refused(linear: Fit) -> None:
    with pytest.raises(ValueError, match=r"Fit.df has shape \(1,\), must be \(3,\)"):
        dataclasses.replace(linear, df=np.ones(1))


def test_repr_is_one_line(mixed: Fit) -> None:
    assert repr(mixed) == "<Fit 'y ~ arm*week + (1 + week | firm)' (alc_stats): optimum>"


def test_an_estimates_numbers_are_students() -> None:
    estimate = Estimate("slope", 2.0, 0.8, 11.0)
    assert estimate.statistic == pytest.approx(2.5)
    assert estimate.p_value == pytest.approx(2 * stats.t.sf(2.5, 11))
    assert estimate.p_against(1.0, "greater") == pytest.approx(stats.t.sf(1.25, 11))
    assert estimate.p_against(1.0, "less") == pytest.approx(stats.t.cdf(1.25, 11))
    half = stats.t.ppf(0.95, 11) * 0.8
    assert estimate.interval(0.9) == pytest.approx((2.0 - half, 2.0 + half))


def test_a_zero_standard_error_raises_no_warning(linear: Fit) -> None:
    still = dataclasses.replace(linear, vcov=np.zeros((3, 3)))
    assert still.pvalues.tolist() == [0.0, 0.0, 0.0]
    assert isinstance(still.pvalues, pd.Series)


def test_the_memory_is_never_written() -> None:
    data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "x": [0.0, 1, 2, 3, 4, 5]})
    fitted = fit("y ~ x", data)
    again = load(dump(fitted), Fit)
    assert fitted.memory is not None
    assert again.memory is None
    assert "memory" not in dump(fitted)
    with pytest.raises(FitError, match="does not remember its rows"):
        memory_of(again)
