"""Firms that come and go: whether who is seen makes the effect."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.group_time import NEVER, Base, cells_of
from alc_stats.models.finding import Evidence
from alc_stats.models.mandate.data import MandateData
from alc_stats.records import Number, Phrase


def firms_come_and_go(
    data: MandateData, headline: Estimate, throughout: Estimate | None, delta: float, level: float
) -> list[Evidence]:
    """Nothing where all firms are seen in all periods."""
    if data.throughout.all():
        return []
    name = "firms that come and go"
    numbers = {
        "seen_throughout": Number(int(data.throughout.sum()), "count"),
        "never_before": Number(never_before(data), "count"),
    }
    seen = (
        "{seen_throughout} firms are seen in all periods; {never_before} mandated firms were never "
        "seen before their start and are behind no number"
    )
    if throughout is None:
        return [Evidence(name, "not tested", Phrase(f"{seen}. Too few of the former.", numbers))]
    numbers["throughout_effect"] = Number(throughout.value, unit=headline.unit)
    said = f"{seen}. Among the former the effect is {{throughout_effect}}"
    if abs(throughout.value - headline.value) < delta:
        return [Evidence(name, "clear", Phrase(f"{said}.", numbers))]
    low, high = throughout.interval(level)
    if low <= headline.value <= high:
        said += ", another one by more than the smallest effect of interest, which may be chance."
        return [Evidence(name, "not tested", Phrase(said, numbers))]
    said += ", another one by more than the smallest effect of interest and than chance."
    return [Evidence(name, "threat", Phrase(said, numbers))]


def never_before(data: MandateData) -> int:
    """Mandated firms without a period that could be compared with."""
    places = np.arange(len(data.periods))[None, :]
    early = np.isfinite(data.contrast) & (places < data.adoption[:, None] - data.anticipation)
    return int(np.sum((data.adoption < NEVER) & ~early.any(axis=1)))


def lone_cells(data: MandateData) -> int:
    """Cohorts and periods that are left out since one firm alone of several is seen in them."""
    y, alone = data.contrast, 0
    base: Base = "universal" if data.question.base == "universal" else "varying"
    for g, t, b in cells_of(data.adoption, y.shape[1], base, data.anticipation):
        cohort = data.adoption == g
        seen = np.isfinite(y[cohort, t] - y[cohort, b])
        alone += int(seen.sum() == 1 < cohort.sum())
    return alone
