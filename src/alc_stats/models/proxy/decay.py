"""What the bootstrap of firms says of slopes and loadings."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.bootstrap_draws import BootstrapDraws
from alc_stats.inference.cluster_bootstrap import weighted_cluster_bootstrap
from alc_stats.inference.decision import Criterion, Verdict, decide
from alc_stats.inference.fieller import RatioInterval, fieller
from alc_stats.inference.resamples import Resamples
from alc_stats.models.finding import Outcome
from alc_stats.models.proxy.statistics import statistics
from alc_stats.models.proxy.sums import CELLS, ProxyData
from alc_stats.records import FloatArray

DRAWS = 999
HALF = 0.5
"""Smallest loss of the slope: the metric is worth half of what it was."""
AT_LEAST = 0.2
"""The loss that the interval must exclude, and the least by which a loss told otherwise differs."""
SLOPE = "per log unit"


class Decay:
    """Estimates with errors from draws of whole firms, and the degrees of freedom of fewer."""

    def __init__(self, data: ProxyData, draws: BootstrapDraws, alpha: float) -> None:
        self.data, self.draws, self.alpha, self.level = data, draws, alpha, 1.0 - alpha
        sides = (int(data.treated.sum()), int((~data.treated).sum()))
        self.fewest, self.df = min(sides), float(min(sides) - 1)

    def knows(self, name: str) -> bool:
        """Whether it was asked for and could be told."""
        return name in self.draws.names

    def of(self, name: str, unit: str = SLOPE) -> Estimate:
        """With a variance for the number of firms on the smaller side."""
        own = self.draws.estimate(name)
        return Estimate(name, own.value, own.se * self._wider, self.df, unit)

    def loss(self, name: str = "slope") -> Estimate:
        """One less the ratio of the value after to what would have been left."""
        return self.of(f"{name} loss", "ratio")

    def ratio(self, name: str) -> RatioInterval:
        """Of the value after to that which would have been left."""
        at = [self.draws.names.index(f"{name} {n}") for n in ("treated_after", "kept")]
        pair = self.draws.draws[:, at]
        V = np.cov(pair[np.isfinite(pair).all(axis=1)].T) * self._wider**2
        values = self.draws.observed[at]
        return fieller(float(values[0]), float(values[1]), V, df=self.df, level=self.level)

    def lost(self, name: str) -> bool:
        """Whether nothing was there to be lost, so that no loss can be told."""
        return self.ratio(name).shape != "interval" or self.of(f"{name} kept").value <= 0.0

    def share_one_thing(self) -> bool:
        """Whether the other indicators go together, each with each and in every cell."""
        among = self.data.sums["indicators"].products.sum(axis=(0, 1))[1:, 1:]
        return bool((among > 0.0).all()) and all(
            self.of(f"shared {cell}").interval(self.level)[0] > 0.0 for cell in CELLS
        )

    def kept_range(self) -> bool:
        """Whether use is shown to have moved by less than a fifth of an SD, its spread as well."""
        moved, wider = (self.of(f"change of {name}") for name in ("mean", "log sd"))
        ends = (*moved.interval(1.0 - 2.0 * self.alpha), *wider.interval(1.0 - 2.0 * self.alpha))
        return max(abs(end) for end in ends) < AT_LEAST

    def tale(self, name: str) -> Outcome:
        """Whether the loss told otherwise tells the same.

        "clear" if it is shown to differ by less than a fifth, or is not shown to differ and says
        what the loss says, a loss of a fifth being enough; a "threat" if it is shown to differ by a
        fifth or more, or does not say again that there is a loss; "not tested" otherwise.
        """
        moved = self._difference(f"{name} loss", "slope loss")
        low, high = moved.interval(self.level)
        inner = moved.interval(1.0 - 2.0 * self.alpha)
        if inner[0] > -AT_LEAST and inner[1] < AT_LEAST:
            return "clear"
        if abs(moved.value) >= AT_LEAST and not low <= 0.0 <= high:
            return "threat"
        told = self._verdict(self.loss(), HALF)
        again = [self._verdict(self.loss(name), least) for least in (HALF, AT_LEAST)]
        if told != "inconclusive" and told in again:
            return "clear"
        return "threat" if told == "supported" else "not tested"

    def shows_loss(self) -> bool:
        """Whether a loss of a fifth or more is shown."""
        return self._verdict(self.loss(), AT_LEAST) == "supported"

    def _verdict(self, loss: Estimate, least: float) -> Verdict:
        return decide(loss, Criterion("superiority", least, alpha=self.alpha)).verdict

    def _difference(self, first: str, second: str) -> Estimate:
        at = [self.draws.names.index(name) for name in (first, second)]
        a, b = self.draws.draws[:, at].T
        value = float(np.subtract(*self.draws.observed[at]))
        se = float(np.nanstd(a - b, ddof=1)) * self._wider
        return Estimate(f"{first} less {second}", value, max(se, 1e-12), self.df, "ratio")

    @property
    def _wider(self) -> float:
        return float(np.sqrt((self.df + 1.0) / self.df))


def decay(data: ProxyData, *, alpha: float, seed: int) -> Decay:
    """Draw.

    Raises
    ------
    FitError
        If the slopes themselves cannot be told.
    """
    firms = np.arange(len(data.treated))
    itself = statistics(data, Resamples(np.ones((1, len(firms))), firms))
    told = [
        name for name, value in itself.items()
        if np.isfinite(value).all() or name.startswith("slope")
    ]  # fmt: skip

    def chosen(drawn: Resamples) -> dict[str, FloatArray]:
        found = statistics(data, drawn)
        return {name: found[name] for name in told}

    draws = weighted_cluster_bootstrap(firms, chosen, strata=data.treated, draws=DRAWS, seed=seed)
    return Decay(data, draws, alpha)
