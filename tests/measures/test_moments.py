"""The bias-corrected log SD against metafor, published values and its own theory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from alc_stats.errors import DeclarationError, TableError
from alc_stats.measures import log_sd, log_sd_by_group
from tolerances import FOUR_PRINTED_DIGITS, JSON_DIGITS, MONTE_CARLO_SIGMAS


def _sample(n: int, sd: float) -> np.ndarray:
    """N values whose SD (n - 1) is exactly `sd`."""
    spread = np.arange(n, dtype=float)
    return spread / spread.std(ddof=1) * sd


def test_the_published_value_of_metafor() -> None:
    # metafor, tests/testthat/test_misc_escalc.r: escalc("SDLN", sdi = 2, ni = 20)
    found = log_sd(_sample(20, 2.0))
    assert_allclose([found.value, found.variance], [0.7195, 0.0263], atol=FOUR_PRINTED_DIGITS)
    assert found.n == 20


def test_the_difference_of_two_is_the_published_log_variability_ratio() -> None:
    # dat.normand1999, study 1: n 155 and 156, SD 47 and 64; metafor publishes lnVR -.3087 (.0065)
    cases, controls = log_sd(_sample(155, 47.0)), log_sd(_sample(156, 64.0))
    assert_allclose(cases.value - controls.value, -0.3087, atol=FOUR_PRINTED_DIGITS)
    assert_allclose(cases.variance + controls.variance, 0.0065, atol=FOUR_PRINTED_DIGITS)


def test_groups_are_those_of_metafor(people: pd.DataFrame, witness: dict[str, Any]) -> None:
    table = log_sd_by_group(people, "quality", groups=["firm", "wave"])
    expected = pd.DataFrame(witness["log_sd"]).sort_values(["firm", "wave"], ignore_index=True)
    pd.testing.assert_frame_equal(table[["firm", "wave", "n"]], expected[["firm", "wave", "n"]])
    assert_allclose(table["log_sd"], expected["value"], rtol=JSON_DIGITS)
    assert_allclose(table["variance"], expected["variance"], rtol=JSON_DIGITS)


def test_by_group_is_the_single_one_in_every_group(people: pd.DataFrame) -> None:
    table = log_sd_by_group(people, "quality", groups=["firm"]).set_index("firm")
    for firm, members in people.groupby("firm"):
        single = log_sd(members["quality"].to_numpy())
        assert_allclose(table.loc[firm, ["n", "log_sd", "variance"]].astype(float),
                        [single.n, single.value, single.variance], rtol=JSON_DIGITS)  # fmt: skip


def test_the_correction_removes_the_bias_and_the_variance_is_right() -> None:
    # 40,000 normal samples of 10 with SD 3: ln S alone is off by about -1/18
    n, draws = 10, 40_000
    samples = np.random.default_rng(7).normal(0.0, 3.0, (draws, n))
    plain = np.log(samples.std(axis=1, ddof=1))
    one = log_sd(samples[0])
    found = plain + (one.value - plain[0])
    noise = found.std() / np.sqrt(draws)
    # what remains of the bias is of order n**-2: 1 / (12 * 9**2) = 0.001
    assert (
        abs(found.mean() - np.log(3.0))
        < MONTE_CARLO_SIGMAS * noise + 1.0 / (12.0 * (n - 1) ** 2) * 2
    )
    assert abs(plain.mean() - np.log(3.0)) > 10.0 * noise
    # 1/(2(n-1)) is the first term of trigamma((n-1)/2)/4, which is the variance exactly
    from scipy.special import polygamma

    exact = polygamma(1, (n - 1) / 2) / 4
    assert abs(found.var() - exact) < MONTE_CARLO_SIGMAS * exact * np.sqrt(2.0 / draws) * 1.5
    assert one.variance < exact < 1.2 * one.variance


def test_groups_without_spread_are_missing_and_counted() -> None:
    frame = pd.DataFrame({"firm": list("aabbc"), "y": [0.1, 0.1, 1.0, 3.0, 7.0]})
    table = log_sd_by_group(frame, "y", groups=["firm"])
    assert table["n"].tolist() == [2, 2, 1]
    assert table["log_sd"].notna().tolist() == [False, True, False]
    assert table["variance"].notna().tolist() == [False, True, False]


def test_a_sample_without_spread_has_no_log_sd() -> None:
    with pytest.raises(TableError) as caught:
        log_sd([0.1, 0.1, np.nan])
    assert str(caught.value) == (
        "log_sd: the log SD does not exist. Found: 2 values, all equal. "
        "Allowed: two values or more that are not all equal."
    )
    with pytest.raises(TableError, match="Found: 1 values"):
        log_sd([3.0])
    with pytest.raises(DeclarationError, match="the table has no column 'firms'"):
        log_sd_by_group(pd.DataFrame({"firm": ["a"], "y": [1.0]}), "y", groups=["firms"])
