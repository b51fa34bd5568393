"""Laplace's approximation of a logistic mixed model's likelihood, and its exact gradient.

With random effects b = lam u, u standard normal, the deviance is
F(u) + log |I + L'W L| where F(u) = -2 log p(y | u) + u'u is smallest, u being found by penalised
iteratively reweighted least squares (Bates et al. 2015; Breslow and Clayton 1993). The gradient
follows u and W as functions of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alc_stats.estimators.kernels.lmm_deviance import Template
from alc_stats.estimators.kernels.logistic_blocks import Effects, Factored, Layout, factored
from alc_stats.estimators.kernels.logistic_law import Outcomes, Slopes, slopes
from alc_stats.records import FloatArray

_ARRIVED = 1e-22
"""Decrement of the penalised deviance, an effect, at which effects are right to eleven digits."""
_STALLED = 1e-14
"""Below this a decrement that no longer falls is rounding."""
_STEPS = 100
_SMALLEST_STEP = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Arrays:
    """A logistic mixed model on standardised columns.

    Attributes
    ----------
    outcomes : Outcomes
    X : array (n, p)
    Z : tuple of arrays (q, n)
        Random columns of every factor.
    layout : Layout
    template : Template
        Places of the covariance parameters, which stand behind the p coefficients.
    """

    outcomes: Outcomes
    X: FloatArray
    Z: Effects
    layout: Layout
    template: Template

    @property
    def rows(self) -> int:
        """Rows n."""
        return len(self.X)

    def loads(self, lam: tuple[FloatArray, ...]) -> Effects:
        """Random columns times the factors: (q, n) of every factor."""
        return tuple(factor.T @ z for factor, z in zip(lam, self.Z, strict=True))

    def spread(self, L: Effects, u: Effects) -> FloatArray:
        """What effects `u` (q, levels) add to every row's log odds (n,)."""
        total = np.zeros(self.rows)
        for own, values, codes in zip(L, u, self.layout.codes, strict=True):
            for column, value in zip(own, values, strict=True):
                total += column * value[codes]
        return total

    def summed(self, L: Effects, values: FloatArray) -> Effects:
        """Sums over every level's rows of its columns times `values` (n,): (q, levels)."""
        return tuple(
            np.array([np.bincount(codes, column * values, levels) for column in own])
            for own, codes, (_, levels) in zip(
                L, self.layout.codes, self.layout.shapes, strict=True
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """The effects where the penalised deviance is smallest.

    Attributes
    ----------
    u : tuple of arrays (q, levels)
    eta : array (n,)
        Log odds there.
    slopes : Slopes
    factored : Factored
        The Hessian there.
    deviance : float
        -2 log-likelihood by Laplace's approximation.
    """

    u: Effects
    eta: FloatArray
    slopes: Slopes
    factored: Factored
    deviance: float


@dataclass(frozen=True, slots=True, eq=False)
class LaplaceObjective:
    """-2 log-likelihood as a function of coefficients and covariance parameters.

    The last mode is where the next search for one starts.
    """

    arrays: Arrays
    _latest: list[Effects] = field(init=False, default_factory=list, repr=False)

    @property
    def template(self) -> Template:
        """Places of the covariance parameters."""
        return self.arrays.template

    @property
    def coefficients(self) -> int:
        """Number p of coefficients."""
        return self.arrays.X.shape[1]

    def mode(self, place: FloatArray) -> Mode:
        """The mode at parameters (p + k,)."""
        p = self.coefficients
        lam = self.template.unpack(place[p:])
        start = self._latest[0] if self._latest else None
        found = find_mode(self.arrays, self.arrays.X @ place[:p], lam, start)
        self._latest[:] = [found.u]
        return found

    def value_and_gradient(self, place: FloatArray) -> tuple[float, FloatArray]:
        """Deviance at parameters (p + k,) and its gradient."""
        found = self.mode(place)
        lam = self.template.unpack(place[self.coefficients :])
        return found.deviance, _gradient(self.arrays, lam, found)


def find_mode(
    arrays: Arrays, fixed: FloatArray, lam: tuple[FloatArray, ...], start: Effects | None = None
) -> Mode:
    """Newton's iteration from `start` (zero by default), its steps halved where they lead up.

    Raises
    ------
    LinAlgError
        Where numbers leave float64's range.
    """
    L, outcomes = arrays.loads(lam), arrays.outcomes
    u = start or tuple(np.zeros(shape) for shape in arrays.layout.shapes)
    eta = fixed + arrays.spread(L, u)
    value, last = _penalised(outcomes, eta, u), np.inf
    effects = sum(own.size for own in u)
    for _ in range(_STEPS):
        slope = slopes(outcomes, eta)
        now = factored(arrays.layout, L, slope.weight)
        downhill = tuple(
            g - own for g, own in zip(arrays.summed(L, slope.residual), u, strict=True)
        )
        step = now.solve(downhill)
        decrement = sum(float(np.vdot(g, s)) for g, s in zip(downhill, step, strict=True))
        if not np.isfinite(decrement):
            raise np.linalg.LinAlgError("the random effects left float64's range")
        if decrement <= _ARRIVED * effects or last / 2.0 < decrement < _STALLED * effects:
            break
        last = decrement
        along, share = arrays.spread(L, step), 1.0
        while True:
            trial = tuple(a + share * s for a, s in zip(u, step, strict=True))
            there = _penalised(outcomes, eta + share * along, trial)
            if there <= value + 1e-9 * abs(value) or share < _SMALLEST_STEP:
                break
            share /= 2.0
        u, value = trial, there
        eta = fixed + arrays.spread(L, u)
    deviance = _penalised(outcomes, eta, u) + now.log_det - 2.0 * outcomes.constant
    return Mode(u, eta, slope, now, deviance)


def _penalised(outcomes: Outcomes, eta: FloatArray, u: Effects) -> float:
    likelihood = float(outcomes.log_density(eta).sum())
    return sum(float(np.vdot(own, own)) for own in u) - 2.0 * likelihood


def _gradient(arrays: Arrays, lam: tuple[FloatArray, ...], mode: Mode) -> FloatArray:
    """Gradient (p + k,) of the deviance.

    `leverage` is the conditional variance of a row's log odds; `pulled` is how the modes answer
    its being weighed by the skew.
    """
    L, slope = arrays.loads(lam), mode.slopes
    touched = mode.factored.touched(L)
    leverage = sum(np.einsum("qn,qn->n", own, v) for own, v in zip(L, touched, strict=True))
    skewed = slope.skew * leverage
    pulled = mode.factored.solve(arrays.summed(L, skewed))
    score = skewed - 2.0 * slope.residual - slope.weight * arrays.spread(L, pulled)
    by_score, by_residual = (arrays.summed(arrays.Z, v) for v in (score, slope.residual))
    slopes_of_lam = [
        s @ u.T + r @ a.T + 2.0 * (z * slope.weight) @ v.T
        for s, u, r, a, z, v in zip(
            by_score, mode.u, by_residual, pulled, arrays.Z, touched, strict=True
        )
    ]
    return np.concatenate([arrays.X.T @ score, arrays.template.pack(tuple(slopes_of_lam))])
