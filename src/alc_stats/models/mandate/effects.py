"""Everything that is estimated for a question of a mandate, on one panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.errors import FitError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.group_time import (
    NEVER,
    GroupTimes,
    early_values,
    group_times,
    overall_values,
)
from alc_stats.inference.group_time_summaries import (
    Pretest,
    Summary,
    Wald,
    permuted_adoptions,
    pretest,
    summarised,
    uniform_half_widths,
    wald_before,
)
from alc_stats.inference.two_way_weights import TwoWay, two_way
from alc_stats.models.mandate.checks import FEWEST_PERSONS
from alc_stats.models.mandate.composition import reweighted
from alc_stats.models.mandate.data import MandateData, MandateQuestion, functional
from alc_stats.models.mandate.imputation import Imputed, by_imputation
from alc_stats.records import FloatArray, IntArray

FEW_FIRMS = 5
"""Up to so many firms on a side, the headline is the randomisation test of firms."""
PERMUTATIONS = 999
GAPPED_PERMUTATIONS = 199
"""With gaps and more than a few firms: each costs more, and they decide nothing."""
ENUMERATED = 5000
"""Up to so many different assignments all of them are compared."""
BAND_DRAWS = 1999
SEED = 20261127
_TIE = 1e-9
_TINY = 1e-300
_SEEN = float(stats.norm.ppf(0.975) + stats.norm.ppf(0.80))
"""Standard errors that are seen in 80 % of samples."""


@dataclass(frozen=True, slots=True)
class EarlyPermuted:
    """Steps before the start under other assignments.

    Attributes
    ----------
    p : float
        Of the largest step, each over its root mean square.
    slope : float
        Difference in trends, a period, that the mean step shows in 80 % of samples.
    last, last_p : float
        The step just before the start (and before anticipation), and its own p.
    """

    p: float
    slope: float
    last: float
    last_p: float


@dataclass(frozen=True, slots=True)
class Permuted:
    """The overall effect under other assignments of the same dates to firms.

    `sd` is the root mean square of the others once the effect is taken out of the outcomes.
    """

    p: float
    number: int
    enumerated: bool
    sd: float
    early: EarlyPermuted | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MandateFound:
    """What was estimated.

    Attributes
    ----------
    data : MandateData
    cells : GroupTimes
        Of the functional that the claim is about.
    before : GroupTimes
        The same with the varying base, for what was different before the start.
    parts : dict of Summary
        Of each outcome where the claim is about their difference.
    group, simple, calendar, dynamic : Summary
    pre : Pretest or None
    wald : Wald or None
    permuted : Permuted
    naive : TwoWay
    stayers : Estimate or None
        Of persons seen throughout.
    as_before : Estimate or None
        With groups of persons in their shares before.
    lost_share : float
        Of persons before, those whose group has nobody later.
    other_controls : Estimate or None
        With the other kind of control.
    throughout : Estimate or None
        Of firms seen in every period, where others are not.
    imputed : Imputed
    band : array (m,)
        Half widths of the uniform band of `dynamic`.
    """

    data: MandateData
    cells: GroupTimes
    before: GroupTimes
    parts: dict[str, Summary]
    group: Summary
    simple: Summary
    calendar: Summary
    dynamic: Summary
    pre: Pretest | None
    wald: Wald | None
    permuted: Permuted
    naive: TwoWay
    stayers: Estimate | None
    as_before: Estimate | None
    lost_share: float
    other_controls: Estimate | None
    throughout: Estimate | None
    imputed: Imputed
    band: FloatArray

    @property
    def few(self) -> bool:
        """Whether so few firms are on a side that the randomisation test is the headline."""
        return few_firms(self.data)

    @property
    def unit(self) -> str:
        """Of effects."""
        return unit_of(self.data)

    @property
    def headline(self) -> Estimate:
        """The overall effect: mean over cohorts of their mean effects."""
        g = self.group
        if not self.few:
            return Estimate("overall effect", g.overall, g.overall_se, g.overall_df, self.unit)
        df = max(len(self.data.firms) - 2.0, 1.0)
        return Estimate("overall effect", g.overall, self.permuted.sd, df, self.unit)


def few_firms(data: MandateData) -> bool:
    """Whether at most `FEW_FIRMS` are mandated, or never are where these are the controls."""
    sides = [data.number_treated]
    if data.question.controls == "never":
        sides.append(len(data.firms) - data.number_treated)
    return min(sides) <= FEW_FIRMS


def unit_of(data: MandateData) -> str:
    """Of effects on the functional: the outcome as its column is called."""
    return "log SD" if data.question.functional == "log_sd" else outcome_of(data.question)


def outcome_of(question: MandateQuestion) -> str:
    """What the mandate is asked about, in words."""
    names = (question.outcome, question.minus)
    return " \N{MINUS SIGN} ".join(name.replace("_", " ") for name in names if name)


def estimated(data: MandateData, *, alpha: float) -> MandateFound:
    """Every estimate.

    Raises
    ------
    FitError
        If no cohort can be compared, or the covariates are not identified.
    """
    parts = {name: cells_for(data, y) for name, y in data.parts.items()}
    cells = parts["outcome"].minus(parts["minus"]) if data.joint else parts["outcome"]
    dynamic = summarised(cells, "dynamic")
    window = data.anticipation
    before = (
        cells if data.question.base == "varying" else cells_for(data, data.contrast, base="varying")
    )
    return MandateFound(
        data, cells, before,
        {name: summarised(c, "group") for name, c in parts.items()} if data.joint else {},
        summarised(cells, "group"), summarised(cells, "simple"), summarised(cells, "calendar"),
        dynamic,
        pretest(before, anticipation=window, alpha=alpha),
        wald_before(before, anticipation=window),
        _permuted(data), two_way(data.contrast, data.adoption, data.clusters), _stayers(data),
        *_as_before(data), _other_controls(data), _throughout(data), by_imputation(data),
        uniform_half_widths(cells, dynamic, level=1.0 - alpha, draws=BAND_DRAWS, seed=SEED),
    )  # fmt: skip


def cells_for(data: MandateData, outcomes: FloatArray, **other: Any) -> GroupTimes:
    """Group-time effects as the question has them, but for `other`."""
    q = data.question
    how: dict[str, Any] = {
        "clusters": data.clusters, "covariates": data.covariates, "method": q.method,
        "controls": q.controls, "base": q.base, "anticipation": data.anticipation,
    }  # fmt: skip
    return group_times(outcomes, data.adoption, **(how | other))


def orders_of(data: MandateData) -> tuple[IntArray, bool]:
    """Assignments of the dates to firms, the own one first; whether they are all there are."""
    complete = bool(np.isfinite(data.contrast).all())
    draws = PERMUTATIONS if complete or few_firms(data) else GAPPED_PERMUTATIONS
    return permuted_adoptions(
        data.adoption, data.clusters, draws=draws, enumerated=ENUMERATED, seed=SEED
    )


def _permuted(data: MandateData) -> Permuted:
    """Without covariates: whoever has the dates is compared by mean changes.

    The test takes outcomes as they are; the spread is that without the effect, since otherwise a
    large effect would hide itself.
    """
    orders, every = orders_of(data)
    how: dict[str, Any] = {
        "controls": data.question.controls, "anticipation": data.anticipation,
    }  # fmt: skip
    values = overall_values(data.contrast, orders, **how)
    on = np.arange(len(data.periods))[None, :] >= data.adoption[:, None]
    rest = data.contrast - values[0] * on
    without = overall_values(rest, orders, **how)
    extreme = np.abs(values) >= abs(values[0]) * (1.0 - _TIE)
    sd = float(np.sqrt(np.mean(without[1:] ** 2)))
    early = _early(*early_values(rest, orders, **how))
    return Permuted(float(extreme.mean()), len(values), every, sd, early)


def _early(at: IntArray, steps: FloatArray) -> EarlyPermuted | None:
    """The largest step before the start, the mean one and the last."""
    if not at.size:
        return None
    scale = np.sqrt(np.mean(steps**2, axis=0))
    largest = np.abs(steps / np.maximum(scale, _TINY)).max(axis=1)
    mean = np.sqrt(np.mean(steps[1:].mean(axis=1) ** 2))
    last = np.abs(steps[:, -1])
    return EarlyPermuted(
        float(np.mean(largest >= largest[0] * (1.0 - _TIE))), float(_SEEN * mean),
        float(steps[0, -1]), float(np.mean(last >= last[0] * (1.0 - _TIE))),
    )  # fmt: skip


def overall_for(
    data: MandateData, outcomes: FloatArray, name: str, **other: Any
) -> Estimate | None:
    """The overall effect on outcomes made in another way; None where it cannot be had."""
    try:
        g = summarised(cells_for(data, outcomes, **other), "group")
    except FitError:
        return None
    return Estimate(name, g.overall, g.overall_se, g.overall_df, unit_of(data))


def _stayers(data: MandateData) -> Estimate | None:
    """Persons seen in every period that their firm is; None where a firm has too few of them."""
    if data.question.person is None:
        return None
    periods = data.rows.groupby(["firm", "person"])["place"].transform("nunique")
    stayed = data.rows.loc[periods == data.rows.groupby("firm")["place"].transform("nunique")]
    fewest = FEWEST_PERSONS if data.question.functional == "log_sd" else 1
    number = stayed.groupby("firm")["person"].nunique().reindex(data.firms, fill_value=0)
    if number.min() < fewest:
        return None
    names = ["outcome", "minus"] if data.joint else ["outcome"]
    shape = (pd.Index(data.firms), len(data.periods))
    made = [functional(stayed, n, data.question.functional, shape) for n in names]
    return overall_for(data, made[0] - made[1] if data.joint else made[0], "stayers")


def _as_before(data: MandateData) -> tuple[Estimate | None, float]:
    held = reweighted(data)
    if held is None:
        return None, 0.0
    return overall_for(data, held.outcomes, "composition as before"), held.lost


def _other_controls(data: MandateData) -> Estimate | None:
    other = "not_yet" if data.question.controls == "never" else "never"
    if other == "never" and not np.any(data.adoption >= NEVER):
        return None
    return overall_for(data, data.contrast, "other controls", controls=other)


def _throughout(data: MandateData) -> Estimate | None:
    """Firms that are seen in every period."""
    who = data.throughout
    if who.all() or not who.any():
        return None
    part = replace(
        data, adoption=data.adoption[who], firms=data.firms[who],
        covariates=None if data.covariates is None else data.covariates[who],
    )  # fmt: skip
    return overall_for(part, data.contrast[who], "firms seen throughout")


def bias_of_trend(found: MandateFound, slope: float) -> float:
    """What a difference in trends of `slope` a period would add to the overall effect."""
    apart = (found.cells.period - found.cells.base).astype(float)
    return slope * summarised(replace(found.cells, value=apart), "group").overall


def trends_before(found: MandateFound) -> tuple[float, float] | None:
    """P of no difference before the start, and the slope that would have been seen.

    With few firms, errors of the steps are those of one or two firms, so dates are permuted.
    """
    test = found.permuted.early if found.few else found.pre
    return None if test is None else (test.p, test.slope)


def last_step(found: MandateFound) -> tuple[float, float] | None:
    """The change just before the start (and before anticipation), and its p."""
    if found.few:
        early = found.permuted.early
        return None if early is None else (early.last, early.last_p)
    series = summarised(found.before, "dynamic")
    where = np.flatnonzero(series.at == -1 - found.data.anticipation)
    if not where.size or not np.isfinite(series.se[where[0]]):
        return None
    k = where[0]
    e = Estimate("before", float(series.value[k]), float(series.se[k]), float(series.df[k]))
    return e.value, e.p_value
