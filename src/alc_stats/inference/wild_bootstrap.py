"""Wild cluster bootstrap of one coefficient of a linear model, the null imposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alc_stats.errors import DeclarationError, FitError, FormulaError, Problem, did_you_mean
from alc_stats.estimators.design import Design
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.estimators.kernels.wild_cluster import (
    RADEMACHER,
    WEBB,
    ClusterSums,
    Draws,
    cluster_sums,
    drawn,
    every,
    extreme_share,
    joined,
)
from alc_stats.estimators.memory import Memory, memory_of, prior_weights
from alc_stats.estimators.robust import Clusters, cluster_columns, clusters_of
from alc_stats.records import FloatArray

Weights = Literal["auto", "rademacher", "webb"]
FEW_CLUSTERS = 12
"""Up to here Rademacher weights give too few different draws (Webb 2014; MacKinnon, Webb 2017)."""
ENUMERATED = 4096
"""Up to so many different draws all of them are taken."""
_POINTS = {"rademacher": RADEMACHER, "webb": WEBB}
_CHUNK_ENTRIES = 2_000_000
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
    """Wild cluster restricted bootstrap of one coefficient's t (Cameron, Gelbach and Miller 2008).

    The residuals of the model without the effect are multiplied by one random sign (or one of
    Webb's six numbers) a cluster, and the p value is the share of t ratios at least as large as
    the observed one, ties and the observed one counted: (1 + extreme) / (1 + n), or the exact
    share where all draws are taken. (R's fwildclusterboot and Stata's boottest count strictly
    larger ones over n.) The interval holds the values around the estimate whose own test does not
    reject.

    With few treated clusters the test rejects far too seldom (MacKinnon and Webb 2017): see
    `small_sample_choice`.

    Parameters
    ----------
    fit : Fit
        Least squares, weighted or not, fitted in this session.
    term : str
        A coefficient's name.
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
        For an unknown coefficient.
    FitError
        For a mixed model, an unusable fit, a fit without memory, a cluster column it did not
        read, or a single cluster.

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
    memory = _linear_memory(fit)
    where = _position(fit, term)
    clusters = _clusters(fit, memory, cluster)
    own = _sums(memory.design, prior_weights(fit), clusters, where)
    kind = _kind(weights, clusters.number)
    complete = len(_POINTS[kind]) ** clusters.number <= max(ENUMERATED, n)
    draws = _draws(own, kind, n, seed, complete=complete)

    def p_of(delta: float) -> float:
        return extreme_share(own, draws, delta, complete=complete)

    below, above = _reach(own, p_of, 1.0 - level, 1.0), _reach(own, p_of, 1.0 - level, -1.0)
    rows, k = memory.design.X.shape
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
        weights=kind,
        draws=len(draws.n0),
        enumerated=complete,
        seed=seed,
    )


def _check(n: int, weights: str, level: float) -> None:
    where = "wild_cluster_bootstrap({}=...)"
    problems = []
    if n < 1:
        problems.append(
            Problem("the bootstrap needs at least one draw", where=where.format("n"), found=str(n))
        )
    if weights not in ("auto", *_POINTS):
        problems.append(
            Problem(
                f"unknown weights '{weights}'",
                where=where.format("weights"),
                allowed="auto, rademacher, webb",
                way_out=did_you_mean(weights, ("auto", *_POINTS)),
            )
        )
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


def _linear_memory(fit: Fit) -> Memory:
    require_usable(fit)
    if fit.request.family == "binomial":
        raise FitError(
            Problem(
                "the wild cluster bootstrap is for least squares, and this fit is logistic",
                where=f"fit of '{fit.request.formula}'",
                way_out="Use compare(..., bootstrap=...) with the model without the term.",
            )
        )
    if fit.request.method != "least squares" or fit.request.engine == "linearmodels":
        raise FitError(
            Problem(
                "the wild cluster bootstrap is for least squares",
                where=f"fit of '{fit.request.formula}' by {fit.request.engine}",
                way_out="For a mixed model use covariance='CR2', or parametric_bootstrap.",
            )
        )
    return memory_of(fit)


def _position(fit: Fit, term: str) -> int:
    if term not in fit.names:
        raise FormulaError(
            Problem(
                f"the fit has no coefficient '{term}'",
                where="wild_cluster_bootstrap(term=...)",
                way_out=did_you_mean(term, fit.names),
            )
        )
    return fit.names.index(term)


def _clusters(fit: Fit, memory: Memory, cluster: str | None) -> Clusters:
    name = cluster or fit.request.cluster
    if not name:
        raise DeclarationError(
            Problem(
                "no cluster is named",
                where="wild_cluster_bootstrap(cluster=...)",
                way_out="Name the column of the clusters here, or in fit(..., cluster=...).",
            )
        )
    columns = cluster_columns(name, memory.table.frame)
    unread = [column for column in columns if column not in memory.table.frame.columns]
    if unread:
        raise FitError(
            Problem(
                f"the fit did not read the column '{unread[0]}'",
                where=f"fit of '{fit.request.formula}'",
                way_out=f"Fit with covariance='CR2', cluster='{name}'.",
            )
        )
    return clusters_of(memory.table, name, columns, f"fit of '{fit.request.formula}'")


def _sums(
    design: Design, weights: FloatArray | None, clusters: Clusters, place: int
) -> ClusterSums:
    """Of the rows times the roots of their weights, which turns their least squares into ours."""
    from scipy import linalg

    root = np.ones(len(design.y)) if weights is None else np.sqrt(weights)
    y = root * design.y
    Q, R = orthonormal(root[:, None] * design.X)
    root_n = np.sqrt(len(Q))
    Q, R = Q / root_n, R * root_n
    pick = linalg.solve_triangular(R, np.eye(len(R)))[place]
    on_basis = Q.T @ y
    residuals = y - Q @ on_basis
    return cluster_sums(Q, residuals, clusters.level, pick=pick, estimate=float(pick @ on_basis))


def _kind(weights: str, clusters: int) -> str:
    if weights != "auto":
        return weights
    return "webb" if clusters <= FEW_CLUSTERS else "rademacher"


def _draws(own: ClusterSums, kind: str, n: int, seed: int, *, complete: bool) -> Draws:
    """All draws, or n of them, a chunk at a time."""
    from tqdm import tqdm

    points, G = _POINTS[kind], len(own.score)
    chunk = max(1, _CHUNK_ENTRIES // G)
    total = len(points) ** G if complete else n
    source = every(points, G, chunk) if complete else _random(points, G, n, chunk, seed)
    parts = []
    bar = tqdm(total=total, desc="wild bootstrap", leave=False, disable=None, delay=1.0)
    with bar:
        for v in source:
            parts.append(drawn(own, v))
            bar.update(len(v))
    return joined(parts)


def _random(
    points: FloatArray, clusters: int, n: int, chunk: int, seed: int
) -> Iterator[FloatArray]:
    rng = np.random.default_rng(seed)
    for first in range(0, n, chunk):
        yield points[rng.integers(len(points), size=(min(chunk, n - first), clusters))]


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
