"""Bunching under the mandate beside the same cutoff without it, drawn with whole firms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.bootstrap_draws import BootstrapDraws
from alc_stats.inference.cluster_bootstrap import weighted_cluster_bootstrap
from alc_stats.inference.excess_mass import Excess, excess_mass, usable
from alc_stats.inference.resamples import Resamples
from alc_stats.models.bunching.data import GROUPS, WIDER, BunchingData
from alc_stats.records import FloatArray

BINS = "bins"
DRAWS = 1000
WINDOWS = (0.8, 1.0, WIDER)
"""Windows that are tried, relative to the declared one."""


@dataclass(frozen=True, slots=True)
class Specification:
    """One way to draw the counterfactual."""

    order: int
    scale: float = 1.0
    rounds: bool = True
    constrained: bool = True

    @property
    def key(self) -> str:
        """Unlike that of any other."""
        return f"{self.order}:{self.scale}:{self.rounds:d}:{self.constrained:d}"


@dataclass(frozen=True, slots=True, eq=False)
class Bunching:
    """All draws of all specifications and groups."""

    data: BunchingData
    draws: BootstrapDraws
    main: Specification
    others: tuple[Specification, ...]

    def excess(self, group: str, spec: Specification | None = None) -> Excess:
        """Of the data themselves."""
        counts = self.data.counts[group].sum(axis=0, keepdims=True)
        return _excess(counts, self.data, spec or self.main)

    def of(self, group: str, what: str = "mass", spec: Specification | None = None,
           *, unit: str = BINS, name: str = "") -> Estimate:  # fmt: skip
        """One group by itself."""
        value, variance = self._parts(_key(group, what, spec or self.main))
        return Estimate(name or group, value, math.sqrt(variance), self.firms(group) - 1.0, unit)

    def difference(self, what: str = "mass", spec: Specification | None = None, *,
                   of: str = "under", less: str = "", unit: str = BINS,
                   name: str = "difference") -> Estimate:  # fmt: skip
        """One group less another: Welch's between firms, paired within them."""
        less = less or self.data.comparison
        mine, theirs = (_key(g, what, spec or self.main) for g in (of, less))
        a, b = self._parts(mine), self._parts(theirs)
        if "never" in (of, less):
            m, n = self.firms(of), self.firms(less)
            df = (a[1] + b[1]) ** 2 / (a[1] ** 2 / (m - 1) + b[1] ** 2 / (n - 1))
            return Estimate(name, a[0] - b[0], math.sqrt(a[1] + b[1]), df, unit)
        m = self.firms(of)
        at = [self.draws.names.index(key) for key in (mine, theirs)]
        apart = self.draws.draws[:, at[0]] - self.draws.draws[:, at[1]]
        se = float(np.nanstd(apart, ddof=1)) * math.sqrt(m / (m - 1.0))
        return Estimate(name, a[0] - b[0], se, m - 1.0, unit)

    def limits(self, level: float) -> tuple[float, float]:
        """Percentiles of the draws of the main difference."""
        at = [self.draws.names.index(_key(g, "mass", self.main))
              for g in ("under", self.data.comparison)]  # fmt: skip
        apart = self.draws.draws[:, at[0]] - self.draws.draws[:, at[1]]
        tail = (1.0 - level) / 2.0
        low, high = np.nanquantile(apart, [tail, 1.0 - tail], method="weibull")
        return float(low), float(high)

    def firms(self, group: str) -> int:
        """Firms with amounts of the group."""
        return int((self.data.counts[group].sum(axis=1) > 0).sum())

    def _parts(self, key: str) -> tuple[float, float]:
        """Value, and variance for firms drawn as if their number less one were theirs."""
        at = self.draws.names.index(key)
        m = self.firms(key.split("|")[0])
        variance = float(np.nanvar(self.draws.draws[:, at], ddof=1)) * m / (m - 1.0)
        return float(self.draws.observed[at]), variance


def compared(data: BunchingData, *, seed: int, draws: int = DRAWS) -> Bunching:
    """Every group, by every specification, in the same draws.

    Raises
    ------
    FitError
        Where a group is a single firm, or no counterfactual can be drawn through it.
    """
    main = Specification(data.question.order)
    others = (
        Specification(main.order, rounds=False),
        Specification(main.order, constrained=False),
        Specification(main.order, rounds=False, constrained=False),
        *(Specification(order, scale) for scale in WINDOWS
          for order in (main.order - 1, main.order, main.order + 1)
          if (order, scale) != (main.order, 1.0)),
    )  # fmt: skip
    groups = [g for g in GROUPS if data.has(g)]
    _refuse_single(data, groups)
    counts = {g: data.counts[g] for g in groups}

    def statistic(drawn: Resamples) -> Mapping[str, FloatArray]:
        found: dict[str, FloatArray] = {}
        for g in groups:
            total = drawn.total(counts[g])
            for spec in (main, *others):
                own = _excess(total, data, spec)
                found[_key(g, "mass", spec)] = own.mass
            own = _excess(total, data, main)
            found |= {_key(g, "missing", main): own.missing, _key(g, "share", main): own.share}
            if data.late:
                late = drawn.total(data.late[g])
                found[_key(g, "late", main)] = late[:, 0] / late[:, 1]
        return found

    strata = data.treated if data.comparison == "never" else None
    found = weighted_cluster_bootstrap(
        np.arange(len(data.treated)), statistic, strata=strata, draws=draws, seed=seed
    )
    return Bunching(data, found, main, others)


def _refuse_single(data: BunchingData, groups: list[str]) -> None:
    for g in ("under", data.comparison):
        number = int((data.counts[g].sum(axis=1) > 0).sum()) if g in groups else 0
        if number < 2:
            raise FitError(
                Problem("bunching needs two firms on either side", where="bunching",
                        found=f"{number} {_NAMED[g]}",
                        way_out="Add firms: what one firm does cannot be told from what it is.")
            )  # fmt: skip


_NAMED = {"under": "under a quota", "never": "never under one", "before": "before theirs"}


def _key(group: str, what: str, spec: Specification) -> str:
    return f"{group}|{what}|{spec.key}"


def _excess(counts: FloatArray, data: BunchingData, spec: Specification) -> Excess:
    zones = data.question.zones(spec.scale)
    inner = slice(w := data.question.zones(WIDER).window - zones.window, -w or None)
    return excess_mass(
        counts[:, inner], zones, order=spec.order, constrained=spec.constrained,
        rounds=data.rounds[inner] if spec.rounds else None,
    )  # fmt: skip


def told(data: BunchingData, spec: Specification) -> int:
    """Kinds of round numbers whose effect the bins can tell."""
    zones = data.question.zones(spec.scale)
    inner = slice(w := data.question.zones(WIDER).window - zones.window, -w or None)
    return int(usable(data.rounds[inner], zones, spec.order).shape[1])
