"""Round numbers that are no quota: whether amounts gather there more under it than without one."""

from __future__ import annotations

import numpy as np

from alc_stats.inference.excess_mass import Zones
from alc_stats.models.bunching.data import WIDER, BunchingData
from alc_stats.records import BoolArray, FloatArray

_MOSTLY = 0.5
"""Share of quotas about which a bin holds a round number, from which on it is one."""


def rounding(data: BunchingData) -> float | None:
    """How much more gathers at a round number like the quota under it than without one, in bins.

    Told outside the zones, in heights of the bins on either side. None where the quota is no round
    number, or no other of its kind has bins without one beside it.
    """
    zones = data.question.zones(WIDER)
    like, plain = _like_the_quota(data.rounds, zones)
    spots = np.flatnonzero(like).tolist()
    pairs = [(b, [n for n in (b - 1, b + 1) if plain[n]]) for b in spots]
    pairs = [(b, beside) for b, beside in pairs if beside]
    heaps = [_heap(data.counts[group].sum(axis=0), pairs) for group in ("under", data.comparison)]
    return heaps[0] - heaps[1] if pairs and np.isfinite(heaps).all() else None


def _like_the_quota(rounds: FloatArray, zones: Zones) -> tuple[BoolArray, BoolArray]:
    """Bins outside the zones and the edges with a number as round as the quota, and with none."""
    is_round = rounds >= _MOSTLY
    coarsest = np.argmax(is_round[zones.window]) if is_round[zones.window].any() else None
    outside = np.ones(zones.bins, dtype=bool)
    outside[zones.window - zones.short : zones.window + zones.reached] = False
    outside[[0, -1]] = False
    if coarsest is None:
        return np.zeros_like(outside), outside
    upto = is_round[:, : coarsest + 1]
    coarser = is_round[:, :coarsest].any(axis=1)
    return outside & upto[:, -1] & ~coarser, outside & ~upto.any(axis=1)


def _heap(counts: FloatArray, pairs: list[tuple[int, list[int]]]) -> float:
    expected = sum(float(counts[beside].mean()) for _, beside in pairs)
    return sum(float(counts[b]) for b, _ in pairs) / expected - 1.0 if expected > 0.0 else np.nan
