"""Wild cluster bootstrap of one contrast of a linear or mixed model, the null imposed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.wild_cluster import (
    ClusterSums,
    Draws,
    drawn,
    extreme_share,
    joined,
)
from alc_stats.estimators.memory import memory_of
from alc_stats.inference.cluster_scores import contrast_sums
from alc_stats.inference.multipliers import (
    Multipliers,
    Weights,
    multiplier_problems,
    multipliers,
)

_FARTHEST = 1e4
"""Distance, in standard errors, at which a limit not found is infinite."""
_GRID = 240
_BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """What the wild cluster bootstrap says of a coefficient.

    Attributes
    ----------
    term : str
    value : float
    statistic : float
        t with the covariance "cluster" (CR1 with the factor G/(G-1) * (n-1)/(n-k)).
    p : float
        Two-sided, of the null that the coefficient is zero.
    low, high : float
        Limits of the values around the coefficient that are not rejected at 1 - level; infinite
        where none is rejected.
    level : float
    disjoint : bool
        Whether values beyond the limits are not rejected either: clusters that hardly count
        leave draws that all but tie with the observed one.
    clusters : int
    weights : {"rademacher", "webb"}
    draws : int
    enumerated : bool
        Whether the draws are all there are, so that the answer needs no seed.
    seed : int
    """

    term: str
    value: float
    statistic: float
    p: float
    low: float
    high: float
    level: float
    disjoint: bool
    clusters: int
    weights: str
    draws: int
    enumerated: bool
    seed: int


def wild_cluster_bootstrap(
    fit: Fit,
    term: str,
    *,
    cluster: str | None = None,
    n: int = 999,
    weights: Weights = "auto",
    seed: int,
    level: float = 0.95,
) -> WildBootstrap:
    """Wild cluster restricted bootstrap of one contrast's t (Cameron, Gelbach and Miller 2008).

    The residuals of the model without the effect are multiplied by one random sign (or one of
    Webb's six numbers) a cluster, and the p value is the share of t ratios at least as large as
    the observed one, ties and the observed one counted: (1 + extreme) / (1 + n), or the exact
    share where all draws are taken. (R's fwildclusterboot and Stata's boottest count strictly
    larger ones over n.) The interval holds the values around the estimate whose own test does not
    reject.

    Of a mixed model the rows are first made independent by its working covariance, which stays at
    its estimate; clusters lie at a grouping of the model or above it.

    With few treated clusters the test rejects far too seldom (MacKinnon and Webb 2017): see
    `small_sample_choice`.

    Parameters
    ----------
    fit : Fit
        Least squares, weighted or not, or a mixed model, fitted in this session.
    term : str
        A coefficient's name, or any contrast as `contrast` reads it.
    cluster : str, optional
        Column of the clusters, which the fit must have read; the fit's own by default.
    n : int
        Draws, where not all of them are taken: all are if there are at most 4096, or n.
    weights : {"auto", "rademacher", "webb"}
        "auto" is Webb's with up to 12 clusters.
    seed : int
    level : float
        Of the interval.

    Raises
    ------
    DeclarationError
        For a number of draws, weights or a level that make no sense, or no cluster.
    FormulaError
        For an expression that is no contrast of this fit.
    FitError
        For an unusable fit, a fit without memory, a cluster column it did not read, a single
        cluster, or clusters that cut through levels of a random effect.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 2, 3, 1, 3, 4, 5, 4, 6], "x": [0.0, 1] * 5,
    ...     "firm": list("aabbccddee")})
    >>> found = wild_cluster_bootstrap(fit("y ~ x", data, covariance="CR2", cluster="firm"), "x",
    ...     weights="rademacher", seed=1)
    >>> found.draws, found.enumerated, found.p
    (32, True, 0.0625)
    """
    _check(n, weights, level)
    own, clusters = contrast_sums(fit, term, cluster, "wild_cluster_bootstrap")
    plan = multipliers(weights, clusters.number, n=n, seed=seed)
    draws = _draws(own, plan)

    def p_of(delta: float) -> float:
        return extreme_share(own, draws, delta, complete=plan.complete)

    below, above = _reach(own, p_of, 1.0 - level, 1.0), _reach(own, p_of, 1.0 - level, -1.0)
    rows, k = memory_of(fit).design.X.shape
    G = clusters.number
    corrected = own.se * np.sqrt(G / (G - 1.0) * (rows - 1.0) / (rows - k))
    return WildBootstrap(
        term=term,
        value=own.estimate,
        statistic=float(own.estimate / corrected),
        p=p_of(own.estimate / own.leverage),
        low=own.estimate - below.distance,
        high=own.estimate + above.distance,
        level=level,
        disjoint=below.resumed or above.resumed,
        clusters=G,
        weights=plan.kind,
        draws=len(draws.n0),
        enumerated=plan.complete,
        seed=seed,
    )


def _check(n: int, weights: str, level: float) -> None:
    where = "wild_cluster_bootstrap({}=...)"
    problems = multiplier_problems(n, weights, where)
    if not 0.0 < level < 1.0:
        problems.append(
            Problem(
                "the level is not between 0 and 1",
                where=where.format("level"),
                found=str(level),
            )
        )
    if problems:
        raise DeclarationError(*problems)


def _draws(own: ClusterSums, plan: Multipliers) -> Draws:
    """All draws of one contrast, a chunk at a time."""
    return joined([drawn(own, v) for v in plan.chunks()])


@dataclass(frozen=True, slots=True)
class _Reach:
    """How far from the estimate values are not rejected, and whether farther ones are not."""

    distance: float
    resumed: bool


def _reach(own: ClusterSums, p_of: Callable[[float], float], alpha: float, side: float) -> _Reach:
    """The first value on one side whose p is not above alpha, refined by bisection."""
    steps = np.geomspace(0.01, _FARTHEST, _GRID)

    def kept(step: float) -> bool:
        return p_of(side * step * own.se / own.leverage) > alpha

    rejected = np.flatnonzero([not kept(float(step)) for step in steps])
    if rejected.size == 0:
        return _Reach(float("inf"), resumed=False)
    first = int(rejected[0])
    inside, outside = (float(steps[first - 1]) if first else 0.0), float(steps[first])
    for _ in range(_BISECTIONS):
        middle = 0.5 * (inside + outside)
        inside, outside = (middle, outside) if kept(middle) else (inside, middle)
    return _Reach(inside * own.se, resumed=rejected.size < _GRID - first)
