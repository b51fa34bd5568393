"""What a bootstrap drew, and the intervals that follow."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.estimators.estimate import Estimate
from alc_stats.records import FloatArray

IntervalKind = Literal["percentile", "basic", "bca"]
_KINDS = ("percentile", "basic", "bca")
_MOST_FAILURES = 0.5
"""Beyond this share of failed refits the rest are no sample of anything."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BootstrapDraws:
    """The draws of a bootstrap.

    Attributes
    ----------
    names : tuple of str, length k
    observed : array (k,)
        The statistics of the data themselves.
    draws : array (n, k)
        One row a draw; nan where the refit failed.
    failures : mapping of str to int
        Why refits failed, and how many.
    seed : int
    clusters : int or None
        Clusters that were drawn; None for a parametric bootstrap.
    influence : array (G, k) or None
        Of every cluster on every statistic, by leaving it out: what "bca" intervals need.
    """

    names: tuple[str, ...]
    observed: FloatArray
    draws: FloatArray
    failures: Mapping[str, int]
    seed: int
    clusters: int | None = None
    influence: FloatArray | None = None

    @property
    def failed(self) -> int:
        """Refits without an answer."""
        return sum(self.failures.values())

    @property
    def se(self) -> pd.Series:
        """Standard deviations of the draws."""
        return pd.Series(np.nanstd(self.draws, axis=0, ddof=1), list(self.names), name="se")

    @property
    def bias(self) -> pd.Series:
        """Means of the draws less the observed."""
        mean = np.nanmean(self.draws, axis=0)
        return pd.Series(mean - self.observed, list(self.names), name="bias")

    def estimate(self, name: str, *, unit: str = "") -> Estimate:
        """One statistic with the draws' standard error, for `decide`.

        Of clusters the degrees of freedom are their number less one; of a parametric bootstrap
        they are infinite.

        Raises
        ------
        DeclarationError
            For a statistic that was not drawn.
        """
        if name not in self.names:
            raise DeclarationError(
                Problem(
                    f"no statistic '{name}' was drawn",
                    where="estimate(name)",
                    way_out=did_you_mean(name, self.names),
                )
            )
        df = math.inf if self.clusters is None else self.clusters - 1.0
        value = float(self.observed[self.names.index(name)])
        return Estimate(name, value, float(self.se[name]), df, unit)

    def conf_int(self, level: float = 0.95, *, kind: IntervalKind = "percentile") -> pd.DataFrame:
        """Intervals, columns `low` and `high`.

        "percentile" takes the draws' quantiles, "basic" mirrors them about the observed value
        (Davison and Hinkley 1997, section 5.2), "bca" moves them by the draws' bias and by how
        the statistic's spread goes with its value (Efron 1987; the acceleration from leaving out
        one cluster after another). Of N draws the q quantile is the one of rank (N + 1) q,
        interpolated. A mirrored limit of a standard deviation may be negative.

        Raises
        ------
        DeclarationError
            For an unknown kind, a level the draws are too few for, or "bca" without the clusters'
            influence.
        """
        tail = (1.0 - level) / 2.0
        usable = self.draws[~np.isnan(self.draws).any(axis=1)]
        self._require(len(usable), tail, level, kind)
        if kind == "bca":
            limits = np.array(
                [self._corrected(usable[:, j], j, tail) for j in range(len(self.names))]
            )
        else:
            limits = np.quantile(usable, [tail, 1.0 - tail], axis=0, method="weibull").T
        if kind == "basic":
            limits = 2.0 * self.observed[:, None] - limits[:, ::-1]
        return pd.DataFrame(limits, index=list(self.names), columns=["low", "high"])

    def _corrected(self, drawn: FloatArray, j: int, tail: float) -> FloatArray:
        """BCa limits (2,) of the jth statistic; infinite where all draws lie on one side of it."""
        from scipy import special

        assert self.influence is not None
        effect = self.influence[:, j]
        spread = float(np.sum(effect**2)) ** 1.5
        acceleration = float(np.sum(effect**3)) / (6.0 * spread) if spread > 0.0 else 0.0
        below = np.mean(drawn < self.observed[j]) + 0.5 * np.mean(drawn == self.observed[j])
        bias = special.ndtri(below)
        if not np.isfinite(bias):
            return np.array([-np.inf, np.inf])
        z = bias + special.ndtri(np.array([tail, 1.0 - tail]))
        ranks = special.ndtr(bias + z / (1.0 - acceleration * z))
        return np.asarray(np.quantile(drawn, ranks, method="weibull"))

    def _require(self, draws: int, tail: float, level: float, kind: str) -> None:
        problems = []
        if kind not in _KINDS:
            problems.append(
                Problem(
                    f"unknown kind '{kind}'",
                    where="conf_int(kind=...)",
                    allowed=", ".join(_KINDS),
                    way_out=did_you_mean(kind, _KINDS),
                )
            )
        if kind == "bca" and self.influence is None:
            problems.append(
                Problem(
                    "a bca interval needs every cluster left out in turn, which was not done",
                    where="conf_int(kind=...)",
                    way_out="Draw with cluster_bootstrap(..., leave_out=True), or ask for "
                    "kind='percentile'.",
                )
            )
        if not 0.0 < level < 1.0 or tail * (draws + 1) < 1.0 - 1e-9:
            problems.append(
                Problem(
                    f"the draws are too few for {level:.3g} intervals",
                    where="conf_int(level=...)",
                    found=f"{draws} usable draws",
                    way_out="Draw more, or lower the level.",
                )
            )
        if problems:
            raise DeclarationError(*problems)


def tell(failures: Mapping[str, int], n: int, *, way_out: str) -> None:
    """Say which refits failed; refuse if too many did.

    Raises
    ------
    FitError
        If more than half of them failed.
    """
    failed = sum(failures.values())
    if failed == 0:
        return
    ordered = sorted(failures.items(), key=lambda pair: -pair[1])
    reasons = "; ".join(f"{count} times: {reason}" for reason, count in ordered)
    if failed > _MOST_FAILURES * n:
        raise FitError(
            Problem(
                "most refits of the bootstrap failed",
                found=f"{failed} of {n} ({reasons})",
                way_out=way_out,
            )
        )
    warnings.warn(
        f"{failed} of {n} refits of the bootstrap failed and are left out ({reasons})",
        RuntimeWarning,
        stacklevel=3,
    )
