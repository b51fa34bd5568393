"""Whether the quota is a lid: a limit that amounts cannot exceed heaps them by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.bunching.comparison import Bunching
from alc_stats.models.finding import Evidence
from alc_stats.records import FloatArray, Number, Phrase

FAR_BELOW = 0.25
"""Amounts beyond the zone, relative to the comparison, below which the quota is a lid."""
EMPTY = 0.05
"""Amounts beyond the zone, for each as far short of it, that are next to none: with a spread of 0.4
logs and a median of half the quota there are twice as many."""
FEWEST_EXPECTED = 5.0
"""Amounts that the comparison must expect beyond the zone to say that some lack."""
MORE_BEYOND = 1.25
"""Amounts beyond the zone, relative to the comparison, from which on nothing lacks there."""
FROM_BELOW = 0.5
"""Share of the excess that must have come from just short of the quota."""


@dataclass(frozen=True, slots=True)
class Lid:
    """What lies beyond the zone.

    Attributes
    ----------
    odds, odds_without : float
        Amounts just beyond the zone for each one as far short of it, under the quota and in the
        comparison; nan where none is short of it.
    ratio, low, high : float
        Of the two, with limits from a bootstrap of firms.
    from_below : float
        What lacks just short of the quota, as a share of the excess, by curves without the
        integration constraint (which would make it one).
    told : bool
        Whether the comparison expects enough beyond the zone to say so.
    heaped, heaped_without : bool
        Whether there is an excess, and whether the comparison heaps at the same cutoff.
    in_zone, at_one_value : float
        Amounts in the zone, and the share of them that are one and the same number.
    """

    odds: float
    odds_without: float
    ratio: float
    low: float
    high: float
    from_below: float
    told: bool
    heaped: bool
    heaped_without: bool
    in_zone: float
    at_one_value: float

    @property
    def why(self) -> str:
        """In what way the quota is a lid; empty where it is none."""
        if self.told and self.ratio < FAR_BELOW:
            return "far less lies beyond the quota than the comparison expects"
        if not self.odds >= EMPTY and (not self.told or self.heaped_without):
            return (
                "next to nothing lies beyond the quota, nor can the comparison say that more should"
            )
        unmoved = not self.ratio >= MORE_BEYOND or self.heaped_without
        if self.heaped and unmoved and not self.from_below >= FROM_BELOW:
            return "what is heaped at the quota does not lack just short of it, but may beyond"
        return ""


def lid(found: Bunching, level: float) -> Lid:
    """Measured against the comparison at the same cutoff."""
    other = found.data.comparison
    under, without = found.drawn("under", "odds"), found.drawn(other, "odds")
    ratio = _over(under, without)
    tail = (1.0 - level) / 2.0
    drawn = np.where(np.isnan(ratio[1:]), np.inf, ratio[1:])
    free = found.others[1]
    missing, mass = found.difference("missing", free), found.difference(spec=free)
    expected = found.count("under", "just_short") * float(without[0])
    return Lid(
        odds=float(under[0]),
        odds_without=float(without[0]),
        ratio=float(ratio[0]),
        low=float(np.quantile(drawn, tail, method="lower")),
        high=float(np.quantile(drawn, 1.0 - tail, method="higher")),
        from_below=missing.value / mass.value if missing and mass and mass.value else math.nan,
        told=expected >= FEWEST_EXPECTED,
        heaped=_heaped(found.difference(), level),
        heaped_without=_heaped(found.of(other), level),
        in_zone=found.count("under", "joined"),
        at_one_value=found.data.at_one_value,
    )


def _heaped(own: Estimate | None, level: float) -> bool:
    """Whether there is an excess; where no curve says so, it may be."""
    return own is None or own.interval(level)[0] > 0.0


def _over(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b > 0.0)


def lid_evidence(own: Lid) -> Evidence:
    """A cap at the quota, in a sentence."""
    numbers = {"in_zone": Number(own.in_zone, "count")}
    if math.isnan(own.odds):
        seen = "No amount lies just short of the zone"
    else:
        numbers["beyond"] = Number(own.odds, "ratio")
        seen = "For each amount just short of the zone {beyond} lie just beyond it"
    if own.told:
        numbers |= {"beyond_without": Number(own.odds_without, "ratio"),
                    "beyond_ratio": Number(own.ratio, "ratio")}  # fmt: skip
        seen += ", {beyond_without} without a quota ({beyond_ratio} times)"
    else:
        seen += ", and the comparison lies too far from the quota to say how many should"
    if own.in_zone:
        numbers["at_one_value"] = Number(own.at_one_value, "share")
        seen += "; of {in_zone} in the zone {at_one_value} are one and the same number"
    seen += f". {own.why.capitalize()}: a lid bunches by itself." if own.why else "."
    return Evidence("a cap at the quota", "threat" if own.why else "clear", Phrase(seen, numbers))
