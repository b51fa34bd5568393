"""Imputation's event study beside that of group-time effects, in one figure."""

from __future__ import annotations

import numpy as np
from scipy import stats

from alc_stats.inference.imputation import Imputation
from alc_stats.models.mandate.data import MandateData
from alc_stats.models.mandate.effects import MandateFound
from alc_stats.models.picture import FEWEST_PEOPLE, Mark
from alc_stats.records import BoolArray

_APART = 0.22
"""Between the intervals of one time, in periods."""


def imputation_marks(found: MandateFound, level: float) -> tuple[Mark, ...]:
    """Nothing where nothing could be imputed, or no interval could be trusted (few firms)."""
    made = found.imputed
    if found.few:
        return ()
    marks = [
        _mark(label, each, found.data, level, k * _APART)
        for k, (label, each) in enumerate(
            (("Imputation", made.free), ("Imputation, covariates held", made.held)), 1
        )
        if each is not None
    ]
    return tuple(mark for mark in marks if mark.x)


def _mark(label: str, i: Imputation, data: MandateData, level: float, shift: float) -> Mark:
    at = np.concatenate([i.lead_at, i.at])
    value, se = np.concatenate([i.lead_value, i.value]), np.concatenate([i.lead_se, i.se])
    shown = np.isfinite(se) & _enough(at, data)
    half = float(stats.t.ppf(0.5 + level / 2.0, i.df)) * se[shown]
    x, y = at[shown] + shift, value[shown]
    return Mark(kind="interval", label=label, x=_t(x), y=_t(y), low=_t(y - half), high=_t(y + half))


def _enough(at: np.ndarray, data: MandateData) -> BoolArray:
    """Times with rows of enough mandated firms behind them."""
    since = np.arange(len(data.periods))[None, :] - data.adoption[:, None]
    return np.array([data.sizes[since == e].sum() >= FEWEST_PEOPLE for e in at], dtype=bool)


def _t(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
