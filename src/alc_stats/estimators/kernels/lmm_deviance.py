"""The profiled deviance of a mixed model and its gradient in the relative covariance factors.

Bates, Maechler, Bolker and Walker (2015), equations 34 and 41, with everything the rows enter by
replaced by an `Evaluation`. All quantities are on the standardised scale.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alc_stats.estimators.kernels.lmm_model import Evaluation, Factor, Statistics
from alc_stats.records import BoolArray, FloatArray, IntArray

_NO_RESIDUAL = 1e-300
"""Where the effects reproduce the outcome the deviance has no bound; this keeps its logarithm."""


@dataclass(frozen=True, slots=True)
class Template:
    """Where the parameters stand in the factors: every block's lower triangle.

    Attributes
    ----------
    sizes : tuple of int
        Columns q of every factor.
    levels : tuple of int
        Of every factor.
    factor, row, column : int arrays (k,)
        Of every parameter, column by column within its block.
    block : int array (k,)
        Number of the block, counted over all factors.
    blocks : tuple of (factor, first, size)
        Columns with a free covariance: a random term, or a column of an uncorrelated one.
    """

    sizes: tuple[int, ...]
    levels: tuple[int, ...]
    factor: IntArray
    row: IntArray
    column: IntArray
    block: IntArray
    blocks: tuple[tuple[int, int, int], ...]

    def unpack(self, theta: FloatArray) -> tuple[FloatArray, ...]:
        """Lower triangular lam (q, q) of every factor."""
        lam = tuple(np.zeros((q, q)) for q in self.sizes)
        for value, f, a, b in zip(theta, self.factor, self.row, self.column, strict=True):
            lam[f][a, b] = value
        return lam

    def pack(self, lam: tuple[FloatArray, ...]) -> FloatArray:
        """The parameters' entries of matrices (q, q), one a factor."""
        places = zip(self.factor, self.row, self.column, strict=True)
        return np.array([lam[f][a, b] for f, a, b in places])

    @property
    def diagonal(self) -> BoolArray:
        """Which parameters stand on a diagonal (k,)."""
        return np.asarray(self.row == self.column)


@dataclass(frozen=True, slots=True)
class Solution:
    """What an evaluation says at one theta, on the standardised scale.

    Attributes
    ----------
    deviance : float
        -2 log-likelihood (restricted if asked), without the constants of the standardisation.
    beta : array (p,)
    unscaled : array (p, p)
        (X'V^-1 X)^-1.
    residual : float
        Penalised residual sum of squares r^2; sigma^2 = r^2 / degrees.
    degrees : int
        n, or n - p for REML.
    weight : array (w, w)
        B with d deviance = sum over factors of <trace - <B, cross>, dSigma>.
    known : float or None
        The residual variance, where it is not estimated.
    """

    deviance: float
    beta: FloatArray
    unscaled: FloatArray
    residual: float
    degrees: int
    weight: FloatArray
    known: float | None = None

    @property
    def sigma2(self) -> float:
        """Residual variance: known, or what maximises the likelihood at this theta."""
        return self.residual / self.degrees if self.known is None else self.known

    @property
    def contrast(self) -> FloatArray:
        """(-beta, 1): the residual's direction among [X y]."""
        return np.append(-self.beta, 1.0)


@dataclass(frozen=True, slots=True)
class Objective:
    """Deviance as a function of theta.

    Attributes
    ----------
    statistics : Statistics
    template : Template
    rows : int
    reml : bool
    known : float or None
        The residual variance, where it is not estimated.
    """

    statistics: Statistics
    template: Template
    rows: int
    reml: bool
    known: float | None = None
    _latest: dict[bytes, tuple[Evaluation, Solution]] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def at(self, theta: FloatArray) -> tuple[Evaluation, Solution]:
        """Evaluate and solve for the coefficients.

        The latest answer is kept: a search, its last step and what is read at the optimum ask for
        the same point in turn.
        """
        place = theta.tobytes()
        found = self._latest.get(place)
        if found is None:
            evaluation = self.statistics.evaluate(self.template.unpack(theta))
            found = evaluation, self._solved(evaluation)
            self._latest.clear()
            self._latest[place] = found
        return found

    def _solved(self, evaluation: Evaluation) -> Solution:
        return solve(evaluation, rows=self.rows, reml=self.reml, known=self.known)

    def value_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Deviance and its gradient (k,)."""
        evaluation, solution = self.at(theta)
        return solution.deviance, self.gradient_of(theta, evaluation, solution)

    def gradient_of(
        self, theta: FloatArray, evaluation: Evaluation, solution: Solution
    ) -> FloatArray:
        """Gradient (k,) read from what `at` returned."""
        lam = self.template.unpack(theta)
        slopes = covariance_scores(evaluation, solution.weight)
        return self.template.pack(tuple(2.0 * S @ L for S, L in zip(slopes, lam, strict=True)))

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Gradient (k,) of the deviance."""
        return self.value_and_gradient(theta)[1]


def template(factors: tuple[Factor, ...]) -> Template:
    """Places of the parameters of every factor's blocks."""
    places: list[tuple[int, int, int, int]] = []
    terms: list[tuple[int, int, int]] = []
    for f, of_factor in enumerate(factors):
        first = 0
        for block in of_factor.blocks:
            size = block.size if block.correlated else 1
            for start in range(first, first + block.size, size):
                end = start + size
                places += [(f, a, b, len(terms)) for b in range(start, end) for a in range(b, end)]
                terms.append((f, start, size))
            first += block.size
    factor, row, column, block_of = np.array(places, dtype=np.intp).T
    sizes = tuple(of_factor.size for of_factor in factors)
    levels = tuple(of_factor.levels for of_factor in factors)
    return Template(sizes, levels, factor, row, column, block_of, tuple(terms))


def solve(evaluation: Evaluation, *, rows: int, reml: bool, known: float | None = None) -> Solution:
    """Coefficients, residual and deviance from W'V^-1 W."""
    p = len(evaluation.inner) - 1
    scale = np.sqrt(np.diag(evaluation.inner)[:p])
    lower = np.linalg.cholesky(evaluation.inner[:p, :p] / np.outer(scale, scale))
    inverse = np.linalg.inv(lower).T / scale[:, None]
    z = inverse.T @ evaluation.inner[:p, p]
    beta = inverse @ z
    unscaled = inverse @ inverse.T
    residual = max(float(evaluation.inner[p, p] - z @ z), _NO_RESIDUAL)
    degrees = rows - p if reml else rows
    sigma2 = residual / degrees if known is None else known
    deviance = evaluation.log_det + degrees * np.log(2.0 * np.pi * sigma2) + residual / sigma2
    contrast = np.append(-beta, 1.0)
    weight = np.outer(contrast, contrast) / sigma2
    if reml:
        deviance += 2.0 * float(np.log(np.diag(lower) * scale).sum())
        weight[:p, :p] += unscaled
    return Solution(float(deviance), beta, unscaled, residual, degrees, weight, known)


def covariance_scores(evaluation: Evaluation, weight: FloatArray) -> tuple[FloatArray, ...]:
    """Derivative of the deviance in every factor's relative covariance Sigma = lam lam' (q, q)."""
    return tuple(
        T - np.einsum("abij,ij->ab", G, weight)
        for T, G in zip(evaluation.trace, evaluation.cross, strict=True)
    )
