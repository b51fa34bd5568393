"""Stepdown adjustment of dependent tests, the dependence taken from whole clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.wild_cluster import ClusterSums, drawn
from alc_stats.inference.cluster_scores import contrast_sums
from alc_stats.inference.multipliers import (
    Multipliers,
    Weights,
    multiplier_problems,
    multipliers,
)
from alc_stats.records import FloatArray, IntArray

_TIE = 1e-10
"""Two t ratios closer than this share of their size are the same arithmetic."""


@dataclass(frozen=True, slots=True)
class StepDown:
    """A family of tests adjusted together.

    Attributes
    ----------
    names : tuple of str, length k
        Outcome and contrast.
    statistics : array (k,)
        Contrasts over their cluster-robust (CR0) standard errors.
    p : array (k,)
        Two-sided, of the wild cluster bootstrap, each on its own.
    adjusted : array (k,)
        For `decide(..., p_adjusted=...)`.
    clusters : int
    weights : {"rademacher", "webb"}
    draws : int
    enumerated : bool
        Whether the draws are all there are, so that the answer needs no seed.
    seed : int
    """

    names: tuple[str, ...]
    statistics: FloatArray
    p: FloatArray
    adjusted: FloatArray
    clusters: int
    weights: str
    draws: int
    enumerated: bool
    seed: int

    @property
    def table(self) -> pd.DataFrame:
        """A row a test: t, p, p_adjusted."""
        columns = {"t": self.statistics, "p": self.p, "p_adjusted": self.adjusted}
        return pd.DataFrame(columns, index=list(self.names))


def romano_wolf(
    tests: Sequence[tuple[Fit, str]],
    *,
    cluster: str | None = None,
    n: int = 1999,
    weights: Weights = "auto",
    seed: int,
) -> StepDown:
    """Romano and Wolf's (2005) stepdown: the chance of any false claim in a family of tests.

    Holm and Bonferroni guard against the worst dependence between tests, and give away power where
    outcomes of the same people move together. Here the dependence comes from the data: each test
    is a wild cluster bootstrap with its own null imposed, and in every draw all tests share the
    multipliers of the clusters. The largest statistic is compared with the largest of all tests,
    the next with the largest of those that remain, and so on. Holm needs no cluster and no seed;
    use this within a confirmatory family of several outcomes.

    Parameters
    ----------
    tests : sequence of (fit, contrast)
        Several contrasts of one fit, one of several fits, or both; least squares and mixed models
        alike, fitted in this session. Clusters are matched by their labels, so fits may have
        different rows.
    cluster : str, optional
        Column of the clusters, which every fit has read; each fit's own by default.
    n, weights, seed
        As for `wild_cluster_bootstrap`.

    Returns
    -------
    StepDown
        `table` shows it. An adjusted p is at least the test's own.

    Raises
    ------
    DeclarationError
        For an empty family, draws or weights that make no sense, no cluster, or tests that share
        no cluster.
    FormulaError
        For an expression that is no contrast of its fit.
    FitError
        For a fit that cannot be used, see `wild_cluster_bootstrap`.

    References
    ----------
    Romano, J. P., & Wolf, M. (2005). Stepwise multiple testing as formalized data snooping.
    Econometrica, 73(4), 1237-1282.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"awareness": [1.0, 2, 2, 3, 1, 3, 4, 5, 4, 6], "mandate": [0.0, 1] * 5,
    ...     "use": [2.0, 4, 1, 4, 2, 3, 3, 5, 1, 2], "firm": list("aabbccddee")})
    >>> fits = [fit(f"{y} ~ mandate", data, covariance="CR2", cluster="firm")
    ...         for y in ("awareness", "use")]
    >>> family = romano_wolf([(m, "mandate") for m in fits], weights="rademacher", seed=1)
    >>> family.table.round(4)["p_adjusted"].to_dict()
    {'awareness: mandate': 0.0625, 'use: mandate': 0.0625}
    """
    _check(tests, n, weights)
    read = [contrast_sums(m, term, cluster, "romano_wolf") for m, term in tests]
    labels = sorted({label for _, clusters in read for label in clusters.labels})
    columns = [np.array([labels.index(label) for label in c.labels]) for _, c in read]
    _require_shared(columns, tests)
    sums = [own for own, _ in read]
    plan = multipliers(weights, len(labels), n=n, seed=seed)
    statistics = np.array([own.estimate / own.se for own in sums])
    ratios = _ratios(sums, columns, plan)
    own_p = [
        plan.share(int(np.sum(ratios[:, j] >= _reach(statistics[j])))) for j in range(len(sums))
    ]
    return StepDown(
        tuple(f"{m.coding.outcome}: {term}" for m, term in tests),
        statistics,
        np.array(own_p),
        stepdown(statistics, ratios, plan),
        len(labels),
        plan.kind,
        plan.number,
        plan.complete,
        seed,
    )


def stepdown(statistics: FloatArray, ratios: FloatArray, plan: Multipliers) -> FloatArray:
    """Adjusted p (k,) of |t| from absolute draws (B, k): maxima over the tests that remain."""
    order = np.argsort(-np.abs(statistics), kind="stable")
    adjusted, before = np.empty(len(order)), 0.0
    for place, j in enumerate(order):
        largest = ratios[:, order[place:]].max(axis=1)
        before = max(before, plan.share(int(np.sum(largest >= _reach(statistics[j])))))
        adjusted[j] = before
    return adjusted


def _reach(statistic: float) -> float:
    return abs(float(statistic)) * (1.0 - _TIE)


def _ratios(
    sums: Sequence[ClusterSums], columns: Sequence[IntArray], plan: Multipliers
) -> FloatArray:
    """|t| of every draw and test (B, k), each under its own null."""
    parts = [
        np.column_stack(
            [
                np.abs(drawn(own, v[:, place]).t(own.estimate / own.leverage))
                for own, place in zip(sums, columns, strict=True)
            ]
        )
        for v in plan.chunks()
    ]
    return np.concatenate(parts)


def _check(tests: Sequence[tuple[Fit, str]], n: int, weights: str) -> None:
    problems = multiplier_problems(n, weights, "romano_wolf({}=...)")
    if not tests:
        problems.append(Problem("a family needs at least one test", where="romano_wolf(tests)"))
    if problems:
        raise DeclarationError(*problems)


def _require_shared(columns: Sequence[IntArray], tests: Sequence[tuple[Fit, str]]) -> None:
    """Refuse tests whose clusters are named differently: nothing would tie them together."""
    first = set(columns[0].tolist())
    for (m, _), place in zip(tests, columns, strict=True):
        if not first & set(place.tolist()):
            raise DeclarationError(
                Problem(
                    "two tests share no cluster",
                    where="romano_wolf(tests)",
                    found=f"fits of '{tests[0][0].request.formula}' and '{m.request.formula}'",
                    way_out="Give the same clusters the same labels, or adjust with holm.",
                )
            )
