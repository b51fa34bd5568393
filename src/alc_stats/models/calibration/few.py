"""The p value that is headlined where clusters are few, by `inference.small_sample_choice`."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators import Fit
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.inference.unit_contrast import UnitSums, permutation_test
from alc_stats.inference.wild_bootstrap import wild_cluster_bootstrap
from alc_stats.models.calibration.data import Rated
from alc_stats.models.calibration.statistics import layout
from alc_stats.records import FloatArray, IntArray


def choice_for(data: Rated) -> SmallSampleChoice:
    """By the number of clusters, and of treated ones where the claim compares whole clusters."""
    if data.question.asked in ("curvature", "spread") or not _whole_clusters(data):
        return small_sample_choice(data.count("cluster"))
    treated = data.rows.loc[data.rows["treated"] == 1.0, "cluster"].nunique()
    return small_sample_choice(data.count("cluster"), treated=treated)


def _whole_clusters(data: Rated) -> bool:
    pairs = data.rows[["cluster", "treated"]].drop_duplicates()
    return not pairs["cluster"].duplicated().any()


def few_p(
    data: Rated, fit: Fit, term: str, choice: SmallSampleChoice, *, seed: int
) -> float | None:
    """The headlined p of the claim's own estimate; None where that is the estimate's own."""
    if choice.method == "randomisation":
        generator = np.random.default_rng([seed, 13])
        return permutation_test(cluster_sums(data), generator=generator).p
    if choice.method == "wild bootstrap":
        return wild_cluster_bootstrap(fit, term, cluster="cluster", seed=seed).p
    return None


def cluster_sums(data: Rated) -> UnitSums:
    """What each cluster brings to the bias, or the slope, of its arm before and after."""
    top, bottom = _parts(data)
    cluster, post = data.codes("cluster"), data.codes("post_code")
    times = (0, 1) if data.question.post else (0,)
    numerators, denominators = (
        np.array([_summed(part * (post == time), cluster) for time in times]).T
        for part in (top, bottom)
    )
    treated = np.bincount(cluster, data.rows["treated"].to_numpy(dtype=float)) > 0.0
    weights = np.array([-1.0, 1.0]) if data.question.post else np.ones(1)
    return UnitSums(numerators, denominators, weights, treated, log=False)


def _summed(values: FloatArray, cluster: IntArray) -> FloatArray:
    return np.asarray(np.bincount(cluster, values), dtype=float)


def _parts(data: Rated) -> tuple[FloatArray, FloatArray]:
    """Numerator and denominator of every row: of a mean gap, or of a slope."""
    if data.question.asked == "bias":
        return data.own - data.actual, np.ones(data.own.size)
    plan = layout(data)
    x, s = plan.within(data.actual[None])[0], plan.within(data.own[None])[0]
    return s * x, x * x
