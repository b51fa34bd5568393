"""The likelihood of a logistic model with one random effect a level, by quadrature.

Adaptive Gauss-Hermite quadrature (Pinheiro and Bates 1995): every level's nodes stand about the
mode of its effect, as far apart as the curvature there says. With one node it is Laplace's
approximation. The gradient is the quadrature of the true integral's gradient.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from alc_stats.estimators.kernels.lmm_deviance import Template
from alc_stats.estimators.kernels.logistic_blocks import Effects
from alc_stats.estimators.kernels.logistic_laplace import Arrays, Mode, find_mode
from alc_stats.records import FloatArray, IntArray

_CELLS = 4_000_000
"""Rows times nodes handled at once: 32 megabytes a table."""


@dataclass(frozen=True, slots=True, eq=False)
class QuadratureObjective:
    """-2 log-likelihood as a function of coefficients and one standard deviation.

    Attributes
    ----------
    arrays : Arrays
        One factor with one column, rows sorted by its levels.
    nodes : int
    """

    arrays: Arrays
    nodes: int
    _latest: list[Effects] = field(init=False, default_factory=list, repr=False)

    @property
    def template(self) -> Template:
        """Place of the covariance parameter."""
        return self.arrays.template

    @property
    def coefficients(self) -> int:
        """Number p of coefficients."""
        return self.arrays.X.shape[1]

    def mode(self, place: FloatArray) -> Mode:
        """The modes at parameters (p + 1,)."""
        p = self.coefficients
        start = self._latest[0] if self._latest else None
        lam = self.template.unpack(place[p:])
        found = find_mode(self.arrays, self.arrays.X @ place[:p], lam, start)
        self._latest[:] = [found.u]
        return found

    def value_and_gradient(self, place: FloatArray) -> tuple[float, FloatArray]:
        """Deviance at parameters (p + 1,) and its gradient."""
        arrays, p = self.arrays, self.coefficients
        found, sd = self.mode(place), float(place[p])
        fixed = arrays.X @ place[:p]
        spread = np.sqrt(found.factored.own[:, 0, 0])
        codes, levels = arrays.layout.codes[0], arrays.layout.levels
        score, total, by_sd = np.empty(arrays.rows), 0.0, 0.0
        for rows, own in _chunks(codes, levels, self.nodes):
            piece = _levels(
                arrays, rows, own, fixed[rows], sd * arrays.Z[0][0, rows],
                found.u[0][0, own], spread[own], self.nodes,
            )  # fmt: skip
            total += piece.log_likelihood
            score[rows] = piece.score
            by_sd += piece.by_sd
        value = -2.0 * (total + arrays.outcomes.constant)
        return value, -2.0 * np.append(score @ arrays.X, by_sd)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Of some levels: log-likelihood, its derivative in every row's log odds (n,) and in the SD."""

    log_likelihood: float
    score: FloatArray
    by_sd: float


def _levels(
    arrays: Arrays,
    rows: slice,
    own: slice,
    fixed: FloatArray,
    load: FloatArray,
    mode: FloatArray,
    spread: FloatArray,
    nodes: int,
) -> _Piece:
    """Quadrature over the effects of a range of levels."""
    outcomes = arrays.outcomes.picked(rows)
    codes = arrays.layout.codes[0][rows] - own.start
    x, log_weight = _rule(nodes)
    u = mode + spread * x[:, None]
    eta = fixed + load * u[:, codes]
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    joint = np.add.reduceat(outcomes.log_density(eta), starts, axis=1)
    joint += 0.5 * (x[:, None] ** 2 - u**2) + log_weight[:, None] + np.log(spread)
    marginal = special.logsumexp(joint, axis=0)
    posterior = np.exp(joint - marginal)[:, codes]
    residual = posterior * outcomes.residual(eta)
    z = arrays.Z[0][0, rows]
    by_sd = float(np.einsum("kn,kn,n->", residual, u[:, codes], z, optimize=True))
    return _Piece(float(marginal.sum()), residual.sum(axis=0), by_sd)


@functools.cache
def _rule(nodes: int) -> tuple[FloatArray, FloatArray]:
    """Places of the nodes, and the logarithms of their weights under the standard normal."""
    x, weight = special.roots_hermitenorm(nodes)
    with np.errstate(divide="ignore"):  # the outermost of very many weigh nothing
        return x, np.log(weight) - 0.5 * np.log(2.0 * np.pi)


def _chunks(codes: IntArray, levels: int, nodes: int) -> list[tuple[slice, slice]]:
    """Ranges of rows and of the levels they belong to; rows are sorted by level."""
    ends = np.searchsorted(codes, np.arange(levels), side="right")
    found, level, row = [], 0, 0
    while level < levels:
        last = int(np.searchsorted(ends, row + _CELLS // nodes, side="right"))
        last = min(max(last, level + 1), levels)
        found.append((slice(row, int(ends[last - 1])), slice(level, last)))
        level, row = last, int(ends[last - 1])
    return found
