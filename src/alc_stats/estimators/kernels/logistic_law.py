"""The binomial law with a logit link, row by row, as a function of the log odds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Successes of every row.

    Attributes
    ----------
    successes, trials : arrays (n,)
        Whole numbers, 0 <= successes <= trials; trials are 1 for a yes or no.
    """

    successes: FloatArray
    trials: FloatArray

    @property
    def constant(self) -> float:
        """Sum of the log binomial coefficients, which no parameter moves."""
        m, s = self.trials, self.successes
        if np.all(m == 1.0):
            return 0.0
        gamma = special.gammaln
        return float(np.sum(gamma(m + 1.0) - gamma(s + 1.0) - gamma(m - s + 1.0)))

    def picked(self, rows: slice) -> Outcomes:
        """Some of the rows."""
        return Outcomes(self.successes[rows], self.trials[rows])

    def log_density(self, eta: FloatArray) -> FloatArray:
        """Log-likelihood (n,) of every row at log odds `eta` (n,), without the constant."""
        softplus = np.log1p(np.exp(-np.abs(eta))) + np.maximum(eta, 0.0)
        return np.asarray(self.successes * eta - self.trials * softplus)

    def residual(self, eta: FloatArray) -> FloatArray:
        """First derivative (n,): successes less expected ones."""
        return np.asarray(self.successes - self.trials * special.expit(eta))


@dataclass(frozen=True, slots=True)
class Slopes:
    """Derivatives of the log-likelihood of every row in its log odds, all (n,).

    Attributes
    ----------
    residual : array
        The first.
    weight : array
        The second, its sign turned: the binomial variance.
    skew : array
        How the weight changes.
    """

    residual: FloatArray
    weight: FloatArray
    skew: FloatArray


def slopes(outcomes: Outcomes, eta: FloatArray) -> Slopes:
    """The three derivatives at log odds `eta` (n,).

    The variance is a product of both tails, so that it keeps its digits where one is nearly 1.
    """
    p, q = special.expit(eta), special.expit(-eta)
    weight = outcomes.trials * p * q
    return Slopes(outcomes.successes - outcomes.trials * p, weight, weight * (q - p))
