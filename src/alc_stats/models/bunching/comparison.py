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
from alc_stats.inference.excess_mass import Excess, excess_mass, ratio, step_of_means, usable
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


RATIOS: Mapping[str, tuple[str, str]] = {
    "mass": ("more", "height"),
    "missing": ("lacking", "height"),
    "share": ("lacking", "short"),
    "late": ("late", "whole"),
    "odds": ("just_beyond", "just_short"),
    "quality": ("step", "rated"),
}
"""What is said of a group, as one sum over another: draws in which the other is not above zero say
nothing, and do not take the rest with them."""
MOST_LOST = 0.05
"""Share of such draws from which on the rest are no sample."""


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
           *, unit: str = BINS, name: str = "") -> Estimate | None:  # fmt: skip
        """One group by itself; None where the curve expects nothing."""
        if not self.told(group, what, spec):
            return None
        value, variance = self._parts(group, what, spec)
        return Estimate(name or group, value, math.sqrt(variance), self.firms(group) - 1.0, unit)

    def difference(self, what: str = "mass", spec: Specification | None = None, *,
                   of: str = "under", less: str = "", unit: str = BINS,
                   name: str = "difference") -> Estimate | None:  # fmt: skip
        """One group less another: Welch's between firms, paired within them."""
        less = less or self.data.comparison
        if not (self.told(of, what, spec) and self.told(less, what, spec)):
            return None
        a, b = self._parts(of, what, spec), self._parts(less, what, spec)
        least = _ROUNDING * max(abs(a[0]), abs(b[0]))
        if not (least > 0.0 or a[1] + b[1] > 0.0):
            return None
        if "never" in (of, less):
            m, n = self.firms(of), self.firms(less)
            se = math.sqrt(a[1] + b[1])
            if se < least:
                return Estimate(name, a[0] - b[0], least, m + n - 2.0, unit)
            df = (a[1] + b[1]) ** 2 / (a[1] ** 2 / (m - 1) + b[1] ** 2 / (n - 1))
            return Estimate(name, a[0] - b[0], se, df, unit)
        m = self.firms(of)
        apart = self.drawn(of, what, spec)[1:] - self.drawn(less, what, spec)[1:]
        se = float(np.nanstd(apart, ddof=1)) * math.sqrt(m / (m - 1.0))
        return Estimate(name, a[0] - b[0], max(se, least), m - 1.0, unit)

    def limits(self, level: float) -> tuple[float, float]:
        """Percentiles of the draws of the main difference."""
        apart = self.drawn("under") - self.drawn(self.data.comparison)
        tail = (1.0 - level) / 2.0
        low, high = np.nanquantile(apart[1:], [tail, 1.0 - tail], method="weibull")
        return float(low), float(high)

    def firms(self, group: str) -> int:
        """Firms with amounts of the group."""
        return int((self.data.counts[group].sum(axis=1) > 0).sum())

    def count(self, group: str, what: str) -> float:
        """A sum over the data themselves."""
        return float(self._column(group, what, self.main)[0])

    def drawn(self, group: str, what: str = "mass", spec: Specification | None = None
              ) -> FloatArray:  # fmt: skip
        """Of the data themselves, then of every draw (1 + draws,); nan where nothing is said."""
        over, under = (self._column(group, part, spec or self.main) for part in RATIOS[what])
        return ratio(over, under)

    def told(self, group: str, what: str = "mass", spec: Specification | None = None) -> bool:
        """Whether the data, and nearly all draws, say anything."""
        drawn = self.drawn(group, what, spec)
        return bool(np.isfinite(drawn[0]) and np.isnan(drawn[1:]).mean() < MOST_LOST)

    def _column(self, group: str, part: str, spec: Specification) -> FloatArray:
        key = _key(group, part, spec if part in _CURVED else self.main)
        at = self.draws.names.index(key)
        return np.append(self.draws.observed[at], self.draws.draws[:, at])

    def _parts(self, group: str, what: str, spec: Specification | None) -> tuple[float, float]:
        """Value, and variance for firms drawn as if their number less one were theirs."""
        drawn, m = self.drawn(group, what, spec), self.firms(group)
        return float(drawn[0]), float(np.nanvar(drawn[1:], ddof=1)) * m / (m - 1.0)


_ROUNDING = 1e-12
"""Errors so small, relative to what they are of, are those of the arithmetic."""
_CURVED = ("more", "height", "lacking", "short")


def compared(data: BunchingData, *, seed: int, draws: int = DRAWS) -> Bunching:
    """Every group, by every specification, in the same draws.

    Raises
    ------
    FitError
        Where a group is a single firm.
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

    def statistic(drawn: Resamples) -> Mapping[str, FloatArray]:
        found: dict[str, FloatArray] = {}
        for g in groups:
            total = drawn.total(data.counts[g])
            for spec in (main, *others):
                own = _excess(total, data, spec)
                sums = {"more": own.more, "height": own.height, "lacking": own.lacking,
                        "short": own.short}  # fmt: skip
                found |= {_key(g, part, spec): values for part, values in sums.items()}
            sums = _beside(total, data) | _late(drawn, data, g) | _quality(drawn, data, g)
            found |= {_key(g, part, main): values for part, values in sums.items()}
        return found

    strata = data.treated if data.comparison == "never" else None
    found = weighted_cluster_bootstrap(
        np.arange(len(data.treated)), statistic, strata=strata, draws=draws, seed=seed
    )
    return Bunching(data, found, main, others)


def _beside(total: FloatArray, data: BunchingData) -> dict[str, FloatArray]:
    """Amounts in strips of one width on either side of the zones, and in that beyond the quota."""
    zones = data.question.zones(WIDER)
    first, short = zones.window + zones.reached, zones.window - zones.short
    width = min(zones.short, short, zones.bins - first)
    return {
        "just_short": total[:, short - width : short].sum(axis=1),
        "just_beyond": total[:, first : first + width].sum(axis=1),
        "joined": total[:, zones.window : first].sum(axis=1),
    }


def _late(drawn: Resamples, data: BunchingData, group: str) -> dict[str, FloatArray]:
    if not data.late:
        return {}
    late, whole = drawn.total(data.late[group]).T
    return {"late": late, "whole": whole}


def _quality(drawn: Resamples, data: BunchingData, group: str) -> dict[str, FloatArray]:
    """The step of quality at the quota, and one where there is one."""
    if not data.quality:
        return {}
    inner = _inner(data, 1.0)
    sums, rated = (drawn.total(part[:, inner]) for part in data.quality[group])
    step = step_of_means(sums, rated, data.question.zones())
    return {"step": np.nan_to_num(step), "rated": np.isfinite(step).astype(float)}


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
    inner = _inner(data, spec.scale)
    return excess_mass(
        counts[:, inner], data.question.zones(spec.scale), order=spec.order,
        constrained=spec.constrained, rounds=data.rounds[inner] if spec.rounds else None,
    )  # fmt: skip


def _inner(data: BunchingData, scale: float) -> slice:
    """The bins of a window within the widest one."""
    w = data.question.zones(WIDER).window - data.question.zones(scale).window
    return slice(w, -w or None)


def kinds_told(data: BunchingData, spec: Specification) -> int:
    """Kinds of round numbers whose effect the bins can tell."""
    zones = data.question.zones(spec.scale)
    return int(usable(data.rounds[_inner(data, spec.scale)], zones, spec.order).shape[1])
