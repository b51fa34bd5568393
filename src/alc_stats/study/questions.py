"""Which model module answers a declared question; the one place where a study meets them.

A module joins in three lines: a field of `HypothesisDeclared` with the record of its columns, whose
keys are the arguments of the public function; its `judge` in `JUDGES` under the field's name; and,
where the rule has a band of its own, an entry in `BANDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pandas as pd

from alc_stats.inference import Criterion
from alc_stats.models.bunching.claim import judge as judge_bunching
from alc_stats.models.calibration.claim import judge as judge_calibration
from alc_stats.models.decoupling.claim import judge as judge_decoupling
from alc_stats.models.distinct import judge as judge_distinct
from alc_stats.models.dose_response.claim import judge as judge_dose_response
from alc_stats.models.finding import Claim, Finding
from alc_stats.models.forecast.claim import judge as judge_forecast
from alc_stats.models.frontier.claim import judge as judge_frontier
from alc_stats.models.gap.claim import judge as judge_gap
from alc_stats.models.inversion.claim import judge as judge_inversion
from alc_stats.models.mandate.claim import judge as judge_mandate
from alc_stats.models.mediation.claim import judge as judge_mediation
from alc_stats.models.moderation.claim import judge as judge_moderation
from alc_stats.models.proxy.claim import judge as judge_proxy
from alc_stats.models.response_surface.claim import judge as judge_response_surface
from alc_stats.models.scorecard.claim import judge as judge_scorecard
from alc_stats.models.shift.claim import judge as judge_shift
from alc_stats.models.transfer.claim import judge as judge_transfer
from alc_stats.models.widening.claim import EQUIVALENCE_BAND
from alc_stats.models.widening.claim import judge as judge_widening
from alc_stats.study.declaration import HypothesisDeclared


class Question(Protocol):
    """Which column of a table plays which part in a claim."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        ...


Judge = Callable[[pd.DataFrame, Any, Claim, Criterion], Finding]

JUDGES: Mapping[str, Judge] = {
    "bunching": judge_bunching,
    "frontier": judge_frontier,
    "proxy": judge_proxy,
    "calibration": judge_calibration,
    "decoupling": judge_decoupling,
    "distinct": judge_distinct,
    "dose_response": judge_dose_response,
    "forecast": judge_forecast,
    "gap": judge_gap,
    "inversion": judge_inversion,
    "mandate": judge_mandate,
    "mediation": judge_mediation,
    "moderation": judge_moderation,
    "response_surface": judge_response_surface,
    "scorecard": judge_scorecard,
    "shift": judge_shift,
    "transfer": judge_transfer,
    "widening": judge_widening,
}
"""By the key that a hypothesis declares its question under."""

BANDS: Mapping[str, float] = {
    "widening": EQUIVALENCE_BAND,
}
"""Bands of no difference where the claim has one that is narrower than the smallest effect."""


def question_of(h: HypothesisDeclared) -> tuple[str, Question] | None:
    """The module a hypothesis asks, and what it asks; None where it rests on a declared model."""
    asked = [(name, getattr(h, name)) for name in JUDGES if getattr(h, name) is not None]
    return asked[0] if asked else None


def questions_asked(h: HypothesisDeclared) -> int:
    """How many modules a hypothesis asks; more than one is a mistake."""
    return sum(getattr(h, name) is not None for name in JUDGES)


def criterion_of(h: HypothesisDeclared) -> Criterion:
    """The declared rule; a conjunction carries its alpha alone."""
    asked = question_of(h)
    band = h.band if h.band is not None or asked is None else BANDS.get(asked[0])
    return Criterion(h.rule, h.smallest_effect or float("nan"), h.direction, h.alpha, band)


def ask(h: HypothesisDeclared, tables: Mapping[str, pd.DataFrame]) -> Finding:
    """The finding of the module that the hypothesis asks."""
    asked = question_of(h)
    if asked is None:
        raise TypeError(f"hypothesis {h.id} asks no module")
    name, question = asked
    claim = Claim(h.id, h.claim, h.statement, h.family)
    return JUDGES[name](tables[h.table], question, claim, criterion_of(h))
