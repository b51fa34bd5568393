"""Which clusters a bootstrap draws, and sums over the rows drawn, for all draws at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from alc_stats.errors import FitError, Problem, TableError
from alc_stats.records import FloatArray, IntArray

_SINGULAR = 1e-10
"""Share of the largest eigenvalue below which a resample does not determine a coefficient."""


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """Several resamples of the clusters, as how often each cluster was drawn.

    Attributes
    ----------
    counts : array (b, G)
        One row a resample.
    codes : int array (n,)
        Of every row, its cluster 0 ... G - 1.
    """

    counts: FloatArray
    codes: IntArray

    @property
    def rows(self) -> FloatArray:
        """How often every row was drawn (b, n)."""
        return np.asarray(self.counts[:, self.codes])

    def total(self, values: npt.ArrayLike) -> FloatArray:
        """Sums of `values` (n,) or (n, k) over the rows drawn: (b,) or (b, k)."""
        array = np.asarray(values, dtype=float)
        columns = array.reshape(len(array), -1).T
        G = self.counts.shape[1]
        sums = np.array([np.bincount(self.codes, column, minlength=G) for column in columns])
        found = self.counts @ sums.T
        return np.asarray(found[:, 0] if array.ndim == 1 else found)

    def mean(self, values: npt.ArrayLike) -> FloatArray:
        """Means of `values` (n,) or (n, k) over the rows drawn: (b,) or (b, k)."""
        size = self.total(np.ones(len(self.codes)))
        return np.asarray((self.total(values).T / size).T)

    def least_squares(self, X: FloatArray, y: FloatArray) -> FloatArray:
        """Coefficients (b, p) of y (n,) on X (n, p) in every resample.

        nan where the rows drawn do not determine them.
        """
        Q, R = np.linalg.qr(X)
        n, p = Q.shape
        products = self.total((Q[:, :, None] * Q[:, None, :]).reshape(n, p * p))
        gram, right = products.reshape(-1, p, p), self.total(Q * y[:, None])
        values = np.linalg.eigvalsh(gram)
        lost = values[:, 0] <= _SINGULAR * values[:, -1]
        gram[lost] = np.eye(p)
        found = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
        found[lost] = np.nan
        return np.asarray(np.linalg.solve(R, found.T).T)


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """Rows by cluster, and clusters by the stratum they are drawn within.

    Attributes
    ----------
    codes : int array (n,)
    labels : tuple of str, length G
    strata : tuple of int arrays
        Positions of the clusters of every stratum; one stratum without.
    """

    codes: IntArray
    labels: tuple[str, ...]
    strata: tuple[IntArray, ...]

    @property
    def number(self) -> int:
        """Clusters G."""
        return len(self.labels)

    def drawn(self, seed: np.random.SeedSequence) -> IntArray:
        """Positions (G,) of the clusters of one draw, as many of every stratum as there are."""
        rng = np.random.default_rng(seed)
        return np.concatenate(
            [members[rng.integers(len(members), size=len(members))] for members in self.strata]
        )

    def counts(self, seeds: Sequence[np.random.SeedSequence]) -> FloatArray:
        """How often each cluster is drawn (b, G)."""
        rows = [np.bincount(self.drawn(seed), minlength=self.number) for seed in seeds]
        return np.array(rows, dtype=float).reshape(-1, self.number)

    def influence(self, without: FloatArray) -> FloatArray:
        """Of every cluster on the statistics (G, k), from the statistics without it (G, k).

        Within a stratum of m clusters (m - 1) / m times the mean without one less that without
        this one (Davison and Hinkley 1997, section 3.2).
        """
        found = np.empty_like(without)
        for members in self.strata:
            own = without[members]
            found[members] = (own.mean(axis=0) - own) * (len(members) - 1.0) / len(members)
        return found


def clustering(clusters: pd.Series, strata: pd.Series | None, where: str) -> Clustering:
    """The clusters of a table's rows.

    Raises
    ------
    TableError
        For rows without a cluster or stratum, or a cluster in several strata.
    FitError
        For a single cluster, in all or in a stratum.
    """
    _refuse_missing(clusters, "cluster", where)
    codes, labels = pd.factorize(clusters, sort=True)
    names = tuple(str(label) for label in labels)
    if strata is None:
        members: list[IntArray] = [np.arange(len(names))]
    else:
        _refuse_missing(strata, "stratum", where)
        members = list(_members(codes, strata, names, where))
    for own in members:
        if len(own) < 2:
            raise FitError(
                Problem(
                    "a single cluster cannot be resampled",
                    where=where,
                    found=f"'{names[own[0]]}' alone"
                    + ("" if strata is None else " in its stratum"),
                    way_out="Cluster at a finer level, or join strata.",
                )
            )
    return Clustering(codes.astype(np.int64), names, tuple(members))


def _members(
    codes: IntArray, strata: pd.Series, names: tuple[str, ...], where: str
) -> Iterator[IntArray]:
    own, levels = pd.factorize(strata, sort=True)
    pairs = np.unique(np.column_stack([codes, own]), axis=0)
    several = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
    if several.size:
        raise TableError(
            Problem(
                "a cluster lies in several strata",
                where=where,
                found=f"{several.size} clusters, such as '{names[several[0]]}'",
                way_out="Strata hold whole clusters; name the column that was randomised within.",
            )
        )
    for level in range(len(levels)):
        yield pairs[pairs[:, 1] == level, 0]


def _refuse_missing(column: pd.Series, what: str, where: str) -> None:
    missing = int(column.isna().sum())
    if missing:
        raise TableError(
            Problem(
                f"rows without a {what} cannot be resampled",
                where=f"{where}, column '{column.name}'",
                found=f"{missing} of {len(column)} rows",
                way_out="Leave them out, and say so, or give each its own.",
            )
        )
