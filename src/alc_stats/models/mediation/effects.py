"""What follows from the paths: the indirect effect, its intervals, and what would undo it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.mediation.paths import Chain
from alc_stats.records import FloatArray

MONTE_CARLO = 20_000
"""Draws of the paths: the limits of a 95 % interval are then good to 1 % of its width."""


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """An indirect effect and the draws its interval comes from.

    Attributes
    ----------
    value : float
    draws : array (n,)
        Of the effect: Monte-Carlo draws of the paths, or bootstrap estimates.
    """

    value: float
    draws: FloatArray

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentiles of the draws."""
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @property
    def p(self) -> float:
        """Two-sided: twice the smaller share of draws on one side of zero."""
        n = self.draws.size
        beyond = min(int((self.draws <= 0).sum()), int((self.draws >= 0).sum()))
        return min(1.0, 2.0 * (beyond + 1) / (n + 1))


def monte_carlo(chain: Chain, *, seed: int, n: int = MONTE_CARLO) -> Effect:
    """The indirect effect with the distribution of a product of uncertain paths.

    Every path is drawn around its estimate, normal over the square root of a chi-squared with the
    path's own degrees of freedom, so that few clusters make heavy tails; a and b of one stacked
    model are drawn with their covariance, and the covariance of slopes with its own error (Preacher
    and Selig 2012; Bauer, Preacher and Gil 2006).
    """
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((len(chain.links), n))
    if chain.slopes is not None:
        normal[1] = _correlated(normal, chain)
    spread = np.stack([_scaled(link, z, rng) for link, z in zip(chain.links, normal, strict=True)])
    draws = np.prod(spread, axis=0)
    if chain.slopes is not None:
        draws = draws + chain.slopes.value + chain.slopes.se * rng.standard_normal(n)
    return Effect(chain.indirect, draws)


def _correlated(normal: FloatArray, chain: Chain) -> FloatArray:
    a, b = chain.links
    assert chain.slopes is not None
    r = float(np.clip(chain.slopes.of_estimates / (a.se * b.se), -1.0, 1.0))
    return np.asarray(r * normal[0] + math.sqrt(1.0 - r * r) * normal[1])


def _scaled(link: Estimate, z: FloatArray, rng: np.random.Generator) -> FloatArray:
    wide = np.sqrt(rng.chisquare(link.df, z.size) / link.df) if math.isfinite(link.df) else 1.0
    return np.asarray(link.value + link.se * z / wide)


def partial_correlation(link: Estimate) -> float:
    """Correlation of a mediator with what follows it, all else held: t / sqrt(t^2 + df).

    In a linear model this is the correlation of the two equations' residuals at which the
    effect of the mediator vanishes (Imai, Keele and Yamamoto 2010, section 4).

    Examples
    --------
    >>> round(partial_correlation(Estimate("b", 2.0, 1.0, 12.0)), 3)
    0.5
    """
    if not math.isfinite(link.df):
        return 0.0
    t = link.statistic
    return t / math.sqrt(t * t + link.df)


def confounded(link: float, vanishing: float, rho: float) -> float:
    """The effect of a mediator if residuals of the two equations correlate by `rho`.

    ``b(rho) = s (v - rho sqrt((1 - v^2) / (1 - rho^2)))``, where v is the correlation at which it
    vanishes and s, the ratio of residual SDs, is b / v (Imai, Keele and Tingley 2010).

    Examples
    --------
    >>> confounded(2.0, 0.5, 0.0), confounded(2.0, 0.5, 0.5)
    (2.0, 0.0)
    """
    if vanishing == 0.0:
        return 0.0
    turned = rho * math.sqrt((1.0 - vanishing**2) / (1.0 - rho**2))
    return link / vanishing * (vanishing - turned)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What a hidden cause of a mediator and of what follows it would have to be like.

    Attributes
    ----------
    partial : tuple of float
        Of every link but the first: the correlation of residuals at which the link is zero.
    vanishing : tuple of float
        The correlation at which the indirect effect is zero; the same where slopes do not vary.
    """

    partial: tuple[float, ...]
    vanishing: tuple[float, ...]

    @property
    def weak(self) -> int:
        """Which link is undone by the smallest correlation, counted from the second."""
        return min(range(len(self.vanishing)), key=lambda i: abs(self.vanishing[i]))

    @property
    def weakest(self) -> float:
        """The smallest vanishing correlation in size."""
        return self.vanishing[self.weak]


def sensitivity(chain: Chain, residual_sds: tuple[float, float] | None = None) -> Sensitivity:
    """From t and df of every link but the first; of a stacked model from its residual SDs.

    There b is r times the ratio of residual SDs, that of the outcome without the mediator held:
    sqrt(s_y^2 + b^2 s_m^2). With slopes that go together the effect is a b(rho) + cov(a_j, b_j),
    which is zero at another correlation than b(rho).
    """
    if residual_sds is None:
        partial = tuple(partial_correlation(link) for link in chain.links[1:])
        return Sensitivity(partial, partial)
    of_mediator, of_outcome = residual_sds
    a, b = (link.value for link in chain.links)
    carried = b * of_mediator
    r = carried / math.hypot(carried, of_outcome)
    slopes = chain.slopes.value if chain.slopes else 0.0
    return Sensitivity((r,), (_reaching(-slopes / a, b, r),))


def reaching(chain: Chain, found: Sensitivity, size: float) -> float:
    """The smallest correlation, of the residuals around a link, that makes an effect of `size`.

    What a hidden cause would have to be like to have kept an effect from being seen; -1 or 1 where
    none could.
    """
    slopes = chain.slopes.value if chain.slopes else 0.0
    values = [link.value for link in chain.links]
    whole = math.prod(values)
    made = [
        _reaching((sign * size - slopes) * value / whole, value, partial)
        for value, partial in zip(values[1:], found.partial, strict=True)
        for sign in (-1.0, 1.0)
        if whole != 0.0
    ]
    return min(made, key=abs, default=1.0)


def _reaching(target: float, link: float, partial: float) -> float:
    """The correlation at which a link is `target`: the inverse of `confounded`."""
    k = partial * (1.0 - target / link) / math.sqrt(1.0 - partial**2)
    return k / math.sqrt(1.0 + k * k)


def chain_at(chain: Chain, found: Sensitivity, rho: float) -> Chain:
    """The chain if the residuals around its weakest link correlate by `rho`."""
    weak = found.weak + 1
    link = chain.links[weak]
    bent = replace(link, value=confounded(link.value, found.partial[weak - 1], rho))
    return replace(chain, links=(*chain.links[:weak], bent, *chain.links[weak + 1 :]))
