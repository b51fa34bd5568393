"""The cluster-level comparison of spreads and the guard on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import FitError
from alc_stats.inference import Criterion
from alc_stats.models import Claim, Finding, widening
from tolerances import EXACT_ARITHMETIC

CLAIM = Claim("H6", "widening", "Outcomes spread wider under treatment.")
CRITERION = Criterion("superiority", 0.1116)


def classes(
    rng: np.random.Generator,
    *,
    sd: tuple[float, float] = (10.0, 10.0),
    mean: tuple[float, float] = (50.0, 50.0),
    clusters: int = 12,
    members: int = 30,
) -> pd.DataFrame:
    """Two arms of `clusters` classes each, scores on 0-100, cut at the bounds."""
    arm = np.repeat([0, 1], clusters * members)
    cluster = np.repeat(np.arange(2 * clusters), members)
    level = rng.normal(0, 3, 2 * clusters)[cluster]
    score = np.array(mean)[arm] + level + np.array(sd)[arm] * rng.normal(size=arm.size)
    return pd.DataFrame(
        {
            "class": cluster,
            "arm": np.where(arm == 1, "treated", "control"),
            "score": score.clip(0, 100),
        }
    )


def compare(
    data: pd.DataFrame,
    *,
    bounds: tuple[float, float] | None = (0.0, 100.0),
    criterion: Criterion = CRITERION,
) -> Finding:
    return widening(
        data,
        CLAIM,
        outcome="score",
        arm="arm",
        treated="treated",
        control="control",
        cluster="class",
        criterion=criterion,
        bounds=bounds,
    )


def test_estimate_is_welch_on_cluster_log_sds() -> None:
    data = classes(np.random.default_rng(1), sd=(10.0, 14.0))
    # slow twin: ln S + 1 / (2 (n - 1)) of every class, compared by scipy's Welch test
    spread = data.groupby(["arm", "class"])["score"].agg(
        lambda x: np.log(np.std(x, ddof=1)) + 1 / (2 * (len(x) - 1))
    )
    welch = stats.ttest_ind(spread["treated"], spread["control"], equal_var=False)
    estimate = compare(data).estimate
    assert estimate is not None
    assert estimate.unit == "log SD"
    np.testing.assert_allclose(
        estimate.value, spread["treated"].mean() - spread["control"].mean(), rtol=EXACT_ARITHMETIC
    )
    np.testing.assert_allclose(
        [estimate.statistic, estimate.df, estimate.p_value],
        [welch.statistic, welch.df, welch.pvalue],
        rtol=1e-10,
    )


def test_a_real_widening_is_supported() -> None:
    data = classes(np.random.default_rng(2), sd=(10.0, 14.0))
    finding = compare(data)
    assert finding.decision.verdict == "supported"
    assert [e.outcome for e in finding.evidence] == ["clear", "clear", "clear"]


def test_a_real_narrowing_contradicts() -> None:
    data = classes(np.random.default_rng(3), sd=(14.0, 10.0))
    assert compare(data).decision.verdict == "contradicted"


def test_no_declared_bounds_no_verdict() -> None:
    data = classes(np.random.default_rng(2), sd=(10.0, 14.0))
    finding = compare(data, bounds=None)
    assert finding.decision.verdict == "inconclusive"
    assert "floor or ceiling cannot be ruled out" in finding.decision.reason.template


@pytest.mark.parametrize("mean", [(50.0, 95.0), (95.0, 50.0), (50.0, 3.0)])
def test_a_bound_blocks_both_verdicts(mean: tuple[float, float]) -> None:
    data = classes(np.random.default_rng(4), mean=mean)
    finding = compare(data)
    assert finding.evidence[0].outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_spread_that_goes_with_the_mean_is_a_threat() -> None:
    rng = np.random.default_rng(5)
    mean = np.concatenate([np.linspace(20, 40, 12), np.linspace(40, 60, 12)])
    rows = [
        pd.DataFrame(
            {
                "class": k,
                "arm": "treated" if k >= 12 else "control",
                "score": (m + 0.2 * m * rng.normal(size=40)).clip(0, 200),
            }
        )
        for k, m in enumerate(mean)
    ]
    finding = compare(pd.concat(rows, ignore_index=True), bounds=(0.0, 200.0))
    assert finding.evidence[1].outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_false_support_without_widening_is_rare() -> None:
    rng = np.random.default_rng(6)
    verdicts = [compare(classes(rng)).decision.verdict for _ in range(60)]
    # one-sided 2.5 %: 60 draws hold at most 6 false supports with probability above .999 (binomial)
    assert verdicts.count("supported") <= int(stats.binom.ppf(0.999, 60, 0.025))


def test_a_cluster_in_both_arms_is_refused() -> None:
    data = classes(np.random.default_rng(7)).assign(**{"class": 1})
    with pytest.raises(FitError, match="1 clusters are in both arms"):
        compare(data)


def test_one_cluster_an_arm_is_refused() -> None:
    data = classes(np.random.default_rng(8), clusters=1)
    with pytest.raises(FitError, match="an arm has 1 clusters"):
        compare(data)


def test_missing_outcomes_are_left_out() -> None:
    data = classes(np.random.default_rng(9))
    hole = data.copy()
    hole.loc[::7, "score"] = np.nan
    assert compare(hole).estimate == compare(data.drop(data.index[::7])).estimate
