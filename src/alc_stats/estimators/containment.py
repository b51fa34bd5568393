"""Degrees of freedom of a mixed model's fixed effects by containment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.records import BoolArray, FloatArray, IntArray

_CONTAINED = 1e-8
"""A column whose part outside a span is below this share of its length lies in the span."""


@dataclass(frozen=True, slots=True)
class Factor:
    """A grouping with all its random columns: Z (n, q) and the level of every row (n,)."""

    name: str
    Z: FloatArray
    level: IntArray

    @property
    def levels(self) -> int:
        """Number of levels."""
        return int(self.level.max()) + 1


def containment_df(
    X: FloatArray, names: Sequence[str], factors: Sequence[Factor], outer: IntArray
) -> tuple[FloatArray, Mapping[str, str]]:
    """Degrees of freedom (p,) of every fixed column, and the grouping each is tested on.

    A fixed column that, within every level of a grouping, lies in the span of that grouping's
    random columns is tested on that grouping: constant within firms for (1 | firm), arm:post for
    (1 + post | firm). Its degrees of freedom are what the random columns it needs add to the rank
    of the fixed columns and of every grouping outside (divided by their number): the levels less
    the fixed columns tested there, less the levels outside. With several such groupings the one
    with the fewest levels wins. The other columns have rows - rank[X Z].

    This is the containment rule of SAS PROC MIXED (DDFM=CONTAIN) and the inner-outer rule of
    Pinheiro and Bates (2000, section 2.4.2) with columns instead of names, so that the coding of
    a factor does not matter. In balanced nested designs it gives the exact values. It does not
    account for unbalancedness or for the estimation of variances.

    Raises
    ------
    FitError
        If the columns tested on a grouping use up all its levels.
    """
    scaled = X / np.linalg.norm(X, axis=0)
    df = np.full(X.shape[1], float(len(X) - _rank(scaled, factors, outer)))
    tested_on: dict[str, str] = {}
    outside: list[Factor] = []
    for factor in sorted(factors, key=lambda f: f.levels):
        for j, needed in _contained(factor, scaled).items():
            if names[j] not in tested_on:
                part = Factor(factor.name, factor.Z[:, needed], factor.level)
                added = _rank(scaled, [*outside, part], outer) - _rank(scaled, outside, outer)
                tested_on[names[j]] = factor.name
                df[j] = added / needed.sum()
        outside.append(factor)
    _require_positive(df, names, tested_on)
    return df, tested_on


def _contained(factor: Factor, X: FloatArray) -> dict[int, BoolArray]:
    """The columns of X in the span of the factor's random columns, and which ones each needs."""
    weights, left = _within_levels(factor, X)
    size = np.linalg.norm(weights, axis=0)
    inside = np.flatnonzero(np.linalg.norm(left, axis=0) < _CONTAINED)
    return {int(j): size[:, j] > _CONTAINED * size[:, j].max() for j in inside}


def _within_levels(factor: Factor, X: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least squares of X on Z within levels: weights (levels, q, p), what is left (n, p)."""
    Z = factor.Z / np.linalg.norm(factor.Z, axis=0)
    q, p = Z.shape[1], X.shape[1]
    ZZ, ZX = np.zeros((factor.levels, q, q)), np.zeros((factor.levels, q, p))
    np.add.at(ZZ, factor.level, Z[:, :, None] * Z[:, None, :])
    np.add.at(ZX, factor.level, Z[:, :, None] * X[:, None, :])
    weights = np.linalg.pinv(ZZ, rcond=1e-10, hermitian=True) @ ZX
    left = X - np.einsum("nq,nqp->np", Z, weights[factor.level])
    return weights, left


def _rank(X: FloatArray, factors: Sequence[Factor], outer: IntArray) -> int:
    """Rank of [X Z]: that of Z, group by group, and that of what Z leaves of X."""
    if not factors:
        return int(np.linalg.matrix_rank(X, tol=_CONTAINED))
    left, rank = np.empty_like(X), 0
    order = np.argsort(outer, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(outer[order])) + 1):
        basis = _basis(np.column_stack([_wide(f.Z[rows], f.level[rows]) for f in factors]))
        rank += basis.shape[1]
        left[rows] = X[rows] - basis @ (basis.T @ X[rows])
    return rank + int(np.linalg.matrix_rank(left, tol=_CONTAINED))


def _basis(Z: FloatArray) -> FloatArray:
    U, s, _ = np.linalg.svd(Z, full_matrices=False)
    return U[:, s > 1e-10 * s[0]]


def _wide(Z: FloatArray, level: IntArray) -> FloatArray:
    present, index = np.unique(level, return_inverse=True)
    wide = np.zeros((len(Z), present.size, Z.shape[1]))
    wide[np.arange(len(Z)), index] = Z / np.maximum(np.abs(Z).max(axis=0), 1e-300)
    return wide.reshape(len(Z), -1)


def _require_positive(df: FloatArray, names: Sequence[str], tested_on: Mapping[str, str]) -> None:
    used_up = [name for name, value in zip(names, df, strict=True) if value <= 0.0]
    if used_up:
        raise FitError(
            *(
                Problem(
                    f"no degrees of freedom are left for {name}",
                    found=f"it is tested on the levels of '{tested_on.get(name, 'the rows')}'",
                    way_out="Use fewer columns that vary only between those levels.",
                )
                for name in used_up
            )
        )
