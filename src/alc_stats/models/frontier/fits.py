"""The frontier by several models, and what is derived from them."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import AlcError, FitError
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.quantile_line import distances
from alc_stats.estimators.stochastic_frontier import MEAN_OF_HALF_NORMAL, Frontier, fit_frontier
from alc_stats.models.frontier.data import FrontierData
from alc_stats.records import FloatArray

LOG_AMOUNT = "log amount"
_STEP = 1e-6
"""By which a parameter moves a row at most, for a derivative."""
_SHORT = 1e-100


@dataclass(frozen=True, eq=False)
class Excesses:
    """Everything that is measured once for a verdict on excess."""

    data: FrontierData
    main: Frontier

    @property
    def df(self) -> float:
        """Firms less one; infinite where rows are taken as independent."""
        return math.inf if self.data.clusters is None else float(self.data.clusters.max())

    @functools.cached_property
    def covariance(self) -> FloatArray:
        """Of the main model's parameters."""
        return self.main.covariance(self.data.clusters)

    @functools.cached_property
    def plain(self) -> Frontier:
        """With one SD of the excess, for the likelihood-ratio test of none."""
        d = self.data
        if d.Z.shape[1] == 1:
            return self.main
        return fit_frontier(d.y, d.X, d.constant, d.constant, side=d.question.side)

    def derived(
        self, of: Callable[[FloatArray], float], name: str, unit: str = LOG_AMOUNT,
        *, fit: Frontier | None = None,
    ) -> Estimate:  # fmt: skip
        """A function of the parameters, by the delta method."""
        f = fit or self.main
        V = self.covariance if fit is None else fit.covariance(self.data.clusters)
        slope = np.empty(len(f.theta))
        reach = np.concatenate([np.abs(design).max(axis=0) for design in (f.X, f.Z, f.W)])
        for j, step in enumerate(_STEP / np.maximum(reach, _SHORT)):
            up, down = f.theta.copy(), f.theta.copy()
            up[j] += step
            down[j] -= step
            slope[j] = (of(up) - of(down)) / (2.0 * step)
        return Estimate(name, of(f.theta), math.sqrt(float(slope @ V @ slope)), self.df, unit)

    def mean_excess(self, theta: FloatArray, treated: float | None = None,
                    fit: Frontier | None = None) -> float:  # fmt: skip
        """E[u], of everybody as they are, or with everybody treated or not."""
        f = fit or self.main
        Z = f.Z.copy()
        if treated is not None:
            Z[:, 1] = treated
        k = f.X.shape[1]
        return float(MEAN_OF_HALF_NORMAL * np.exp(Z @ theta[k : k + Z.shape[1]]).mean())

    @functools.cached_property
    def main_effect(self) -> Estimate:
        """By the main model."""
        return self.effect(None)

    def effect(self, fit: Frontier | None = None, name: str = "effect on mean excess") -> Estimate:
        """The mandate's effect on E[u]; E[u] itself without a treatment."""
        if self.data.treated is None:
            return self.derived(lambda t: self.mean_excess(t, fit=fit), "mean excess", fit=fit)
        return self.derived(
            lambda t: self.mean_excess(t, 1.0, fit) - self.mean_excess(t, 0.0, fit), name, fit=fit
        )

    @functools.cached_property
    def shifted(self) -> Estimate | str:
        """The effect where the treatment may move the frontier as well."""
        d = self.data
        assert d.treated is not None
        return self._another(np.column_stack([d.X, d.treated]), d.constant)

    @functools.cached_property
    def noisy(self) -> Estimate | str:
        """The effect where the treatment (or what else moves the excess) may move the noise."""
        return self._another(self.data.X, self.data.Z)

    def _another(self, X: FloatArray, W: FloatArray) -> Estimate | str:
        d = self.data
        try:
            fit = fit_frontier(d.y, X, d.Z, W, side=d.question.side)
        except AlcError as error:
            return str(error)
        if not fit.certificate.usable:
            return fit.certificate.sentence
        return self.effect(fit)

    @functools.cached_property
    def alike(self) -> Estimate | str:
        """The effect beside the units' means of what is given (Mundlak 1978)."""
        d = self.data
        if d.means is None:
            return "No person or firm is named whose tasks could be harder than they look."
        if np.linalg.matrix_rank(X := np.hstack([d.X, d.means])) < X.shape[1]:
            return "The means of what is given are sums of other columns."
        return self._another(X, d.constant)

    @functools.cached_property
    def by_quantile(self) -> Estimate | str:
        """Mean distance from a low (or high) quantile's line; treated less others."""
        d = self.data
        tau = d.question.quantile if d.question.side == "cost" else 1.0 - d.question.quantile
        try:
            away, influence = distances(d.y, d.X, tau)
        except FitError as error:
            return str(error)
        n = len(away)
        weight = np.full(n, 1.0 / n)
        if d.treated is not None:
            own = d.treated == 1.0
            weight = np.where(own, 1.0 / own.sum(), -1.0 / (~own).sum())
        apart = np.abs(away)
        level = np.zeros(n)
        for side in np.unique(weight):
            level[weight == side] = apart[weight == side].mean()
        slope = -(weight * np.sign(away)) @ d.X
        score = weight * (apart - level) + influence @ slope
        value = float(weight @ apart)
        return Estimate("distance", value, self._error(score), self.df, LOG_AMOUNT)

    def _error(self, score: FloatArray) -> float:
        """Standard error of a sum of scores, over whole firms where they are named."""
        if self.data.clusters is None:
            return float(np.sqrt((score**2).sum()))
        sums = np.bincount(self.data.clusters, score)
        return float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1.0)))

    @functools.cached_property
    def price(self) -> tuple[float, float, float] | None:
        """Money of excess per 1,000 of measurable output, with limits by the delta method."""
        d = self.data
        if d.money is None or d.measurable is None:
            return None
        money, per = d.money, 1000.0 / float(d.measurable.sum())

        def of(theta: FloatArray) -> float:
            return float(money @ (1.0 - self.main.efficiency(theta))) * per

        own = self.derived(of, "price", "money")
        return own.value, *own.interval()
