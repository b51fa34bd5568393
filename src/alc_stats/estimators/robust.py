"""Cluster-robust covariances of coefficients, for least squares and for mixed models alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Table, codes
from alc_stats.estimators.kernels.cluster_robust import (
    Sandwich,
    Sums,
    Working,
    batches,
    bias_reduced,
    indispensable,
    largest,
    left_out,
    plain,
    sums,
)
from alc_stats.records import FloatArray, IntArray

ROBUST = ("CR0", "CR1", "CR2", "CR3")
"""Names of the cluster-robust covariances that know Satterthwaite degrees of freedom."""
LARGEST_DENSE = 2000
"""Effects and coefficients (rows, with prior weights) of one cluster that CR2 decomposes: about
a quarter of a minute each at this size."""


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """The clusters of a table.

    Attributes
    ----------
    name : str
        As asked for, such as "firm" or "firm:person".
    level : int array (n,)
    labels : tuple of str, length G
    """

    name: str
    level: IntArray
    labels: tuple[str, ...]

    @property
    def number(self) -> int:
        """Clusters G."""
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """A fit's sandwich, and how its coefficients' combinations lie on the sandwich's columns.

    Attributes
    ----------
    sandwich : Sandwich
    basis : array (k, p)
        Combination weights (c, k) are directions `weights @ basis` of the sandwich.
    """

    sandwich: Sandwich
    basis: FloatArray

    def df(self, weights: FloatArray) -> FloatArray:
        """Satterthwaite degrees of freedom (c,) of combinations `weights` (c, k)."""
        return robust_df(self.sandwich, weights @ self.basis, "satterthwaite")


def cluster_columns(cluster: str, data: pd.DataFrame) -> list[str]:
    """The columns whose cells are the clusters: the one of that name, or those joined by colons."""
    return [cluster] if cluster in data.columns else cluster.split(":")


def clusters_of(table: Table, name: str, columns: Sequence[str], where: str) -> Clusters:
    """The clusters of the rows used.

    Raises
    ------
    FitError
        For a single cluster.
    """
    level, number = codes(table.frame, columns)
    if number < 2:
        raise FitError(
            Problem(
                f"a clustered covariance needs more than one cluster in '{name}'",
                found="1 cluster",
                where=where,
            )
        )
    example = np.empty(number, dtype=np.intp)
    example[level[::-1]] = np.arange(len(level))[::-1]
    cells = table.frame[list(columns)].iloc[example].astype(str)
    return Clusters(name, level, tuple(":".join(row) for row in cells.to_numpy()))


def sandwich(model: Working, kind: str, clusters: Clusters, where: str) -> Sandwich:
    """The covariance of one kind, CR1 still without its factor.

    Raises
    ------
    FitError
        CR2 with a cluster too large to decompose; CR3 with a cluster that alone determines a
        coefficient.
    """
    own = sums(model)
    if kind == "CR2":
        return _bias_reduced(model, own.bread, clusters, where)
    if kind == "CR3":
        _refuse_indispensable(own, clusters, where)
        return left_out(own)
    return plain(own)


def factor_of(kind: str, clusters: int) -> float:
    """What multiplies the covariance: G / (G - 1) for CR1, else 1."""
    return clusters / (clusters - 1.0) if kind == "CR1" else 1.0


def robust_df(robust: Sandwich, directions: FloatArray, df: str) -> FloatArray:
    """Degrees of freedom (c,) of directions (c, p) on the columns the sandwich was made of.

    `df` is "satterthwaite", "clusters - 1" or "normal".
    """
    if df == "satterthwaite":
        return np.array([robust.df(row) for row in directions])
    return np.full(len(directions), np.inf if df == "normal" else len(robust.scores) - 1.0)


def _bias_reduced(model: Working, bread: FloatArray, clusters: Clusters, where: str) -> Sandwich:
    from tqdm import tqdm

    _refuse_large(model, clusters, where)
    G, p = clusters.number, len(bread)
    scores, spread, share = np.empty((G, p)), np.empty((G, p, p)), np.empty((G, p, p))
    with tqdm(total=G, desc="CR2, clusters", leave=False, disable=None, delay=1.0) as bar:
        for batch in batches(model):
            at = batch.clusters
            scores[at], spread[at], share[at] = bias_reduced(batch, bread)
            bar.update(len(at))
    return Sandwich(bread, scores, spread, share)


def _refuse_large(model: Working, clusters: Clusters, where: str) -> None:
    order = largest(model)
    if order > LARGEST_DENSE:
        raise FitError(
            Problem(
                f"a cluster of '{clusters.name}' is too large for CR2",
                where=where,
                found=f"{order} random effects and coefficients (rows, with weights) in one",
                allowed=f"{LARGEST_DENSE}",
                way_out="Use CR3, which needs no such decomposition and is more conservative.",
            )
        )


def _refuse_indispensable(own: Sums, clusters: Clusters, where: str) -> None:
    alone = np.flatnonzero(indispensable(own))
    if alone.size:
        named = ", ".join(clusters.labels[g] for g in alone[:5])
        more = f" and {alone.size - 5} more" if alone.size > 5 else ""
        raise FitError(
            Problem(
                "CR3 leaves every cluster out in turn, and without some of them a coefficient "
                "cannot be estimated",
                where=where,
                found=f"'{clusters.name}' {named}{more}",
                way_out="Leave out the column those clusters alone determine, or use CR2.",
            )
        )
