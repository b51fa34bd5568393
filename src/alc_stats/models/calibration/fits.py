"""The estimates: each from a fitted model, on the same scale as its statistic in the null world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.small_samples import SmallSampleChoice
from alc_stats.measures.disattenuation import Measure, disattenuated
from alc_stats.measures.scales import reliability as of_items
from alc_stats.models.calibration.data import Rated
from alc_stats.models.calibration.few import choice_for, few_p
from alc_stats.models.calibration.null import Band, null_band
from alc_stats.models.calibration.statistics import Statistics, layout, standardised, statistics
from alc_stats.records import FloatArray

TRIED = (1.0, 0.8, 0.6)
"""Reliabilities of the score where none is known."""
_WORDS = {
    "curvature": "curvature of self-estimates beyond the null",
    "bend": "slope above minus below the median beyond the null",
    "spread": "change of the spread with the score beyond the null",
    "bias": "self-estimate minus score, difference of arms",
    "resolution": "slope on the score, difference of arms",
}
UNITS = {
    "curvature": "SD per squared SD",
    "bend": "SD per SD",
    "spread": "log SD",
    "bias": "points",
    "resolution": "points per point",
}


def worded(name: str) -> str:
    """What a statistic is, as a reader would say it."""
    return _WORDS[name]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Everything that is known about one question.

    Attributes
    ----------
    data : Rated
    observed : Statistics
        Of the data, one draw.
    bands : tuple of Band
        Null worlds, one for each reliability that is thinkable.
    band : Band
        The one that speaks most against the claim.
    reliability_known : bool
    estimates : mapping of str to Estimate
        By name of the statistic; those about the curve without what the null world shows.
    raw : mapping of str to Estimate
        Further ones: "bias_overall", "slope", "correlation", "spread_model" where it can be fitted,
        and with arms "bias_control", "bias_treated", "resolution_control", "resolution_treated".
    fits : mapping of str to Fit
    choice : SmallSampleChoice
    few_p : float or None
        Of the claim's own estimate, where clusters are few.
    """

    data: Rated
    observed: Statistics
    bands: tuple[Band, ...]
    band: Band
    reliability_known: bool
    estimates: Mapping[str, Estimate]
    raw: Mapping[str, Estimate]
    fits: Mapping[str, Fit]
    choice: SmallSampleChoice
    few_p: float | None

    def value(self, name: str) -> float:
        """A statistic of the data."""
        return float(self.observed.of(name)[0])

    def p(self, name: str) -> float:
        """By simulation, in the null world that explains most."""
        return max(b.p(name, self.value(name)) for b in self.bands)


def compare(data: Rated, table: pd.DataFrame, *, seed: int, draws: int) -> Compared:
    """Fit, measure, and draw the null worlds."""
    levels = reliabilities(data, table)
    observed = statistics(data.actual[None], data.own[None], layout(data))
    bands = tuple(null_band(data, r, draws=draws, seed=seed) for r in levels)
    asked = data.question.asked
    band = max(bands, key=lambda b: b.p(asked, float(observed.of(asked)[0])))
    fits = _fits(data)
    choice = choice_for(data)
    return Compared(
        data, observed, bands, band, len(levels) == 1, _estimates(data, fits, band),
        _raw(data, fits, band), fits, choice,
        few_p(data, fits[asked], term(data, asked), choice, seed=seed),
    )  # fmt: skip


def reliabilities(data: Rated, table: pd.DataFrame) -> tuple[float, ...]:
    """The declared reliability, that of the items, or all that are tried."""
    q = data.question
    if q.items and q.item_range is not None:
        scale = of_items(table, q.items, range=q.item_range)
        found = scale.alpha if scale.omega is None else scale.omega
    elif q.reliability is not None:
        found = q.reliability
    else:
        return tuple(r for r in TRIED if r >= _least(data)) or TRIED[:1]
    if found < _least(data):
        raise DeclarationError(
            Problem(
                "the reliability of the score is too low to be true",
                where="calibration, reliability" if not q.items else "calibration, items",
                found=f"{found:.2f}",
                allowed=f"at least {_least(data):.2f}, the square of its correlation with "
                "self-estimates (lower 95 % limit)",
                way_out="No score goes with another measure more closely than the square root of "
                "its reliability: give the reliability of this very score.",
            )
        )
    return (found,)


def _least(data: Rated) -> float:
    """Lower limit of the squared correlation of self-estimate and score within cells."""
    plan = layout(data)
    x, s = plan.within(data.actual[None])[0], plan.within(data.own[None])[0]
    r = float(x @ s / np.sqrt((x @ x) * (s @ s)))
    people = data.count("person")
    if people <= 3:
        return 0.0
    low = np.tanh(np.arctanh(min(abs(r), 1.0 - 1e-12)) - 1.96 / np.sqrt(people - 3))
    return float(max(low, 0.0) ** 2)


def _prepared(data: Rated) -> pd.DataFrame:
    rows = data.rows.copy()
    z = standardised(data.actual[None])[0]
    rows["z"], rows["z_squared"] = z, z * z
    rows["above"] = np.maximum(z - np.median(z), 0.0)
    rows["own_sds"] = data.own / data.own.std()
    rows["cell"] = rows["cell"].astype(str)
    return rows


def _robust(data: Rated) -> dict[str, str]:
    """Clusters where rows share one; otherwise rows are people, whose spreads may differ."""
    if data.count("cluster") == len(data.rows):
        return {"covariance": "HC3"}
    return {"covariance": "CR2", "cluster": "cluster"}


def _fits(data: Rated) -> dict[str, Fit]:
    rows, robust = _prepared(data), _robust(data)
    cells = " + C(cell)" if data.count("cell") > 1 else ""
    curve = fit(f"own_sds ~ z + z_squared{cells}", rows, **robust)  # type: ignore[arg-type]
    residual = np.abs(_residuals(data))
    rows["size"] = residual / residual.mean()
    made = {
        "curvature": curve,
        "spread": fit(f"size ~ z{cells}", rows, **robust),  # type: ignore[arg-type]
        "slope": fit(f"own ~ actual{cells}", rows, **robust),  # type: ignore[arg-type]
        "overall": fit("score ~ is_self", stacked(data), covariance="CR2", cluster="cluster"),
    }
    if data.actual.min() < np.median(data.actual) < data.actual.max():
        broken = fit(f"own_sds ~ z + above{cells}", rows, **robust)  # type: ignore[arg-type]
        made["bend"] = broken
    return made | (_arm_fits(data, rows, robust) if data.question.treatment else {})


def _residuals(data: Rated) -> FloatArray:
    """Of the quadratic model with cells, least squares."""
    z = standardised(data.actual[None])[0]
    X = np.column_stack([layout(data).member, z, z * z])
    beta, *_ = np.linalg.lstsq(X, data.own, rcond=None)
    return np.asarray(data.own - X @ beta)


def _arm_fits(data: Rated, rows: pd.DataFrame, robust: dict[str, str]) -> dict[str, Fit]:
    arms = "treated*post" if data.question.post else "treated"
    bias = fit(f"score ~ is_self*{arms}", stacked(data), covariance="CR2", cluster="cluster")
    resolution = fit(f"own ~ actual*{arms}", rows, **robust)  # type: ignore[arg-type]
    return {"bias": bias, "resolution": resolution}


def stacked(data: Rated) -> pd.DataFrame:
    """Self-estimates above scores; rows of one cluster may depend on each other in any way."""
    keys = data.rows[["cluster", "person", "treated", "post"]]
    parts = [
        keys.assign(score=data.own, is_self=1.0),
        keys.assign(score=data.actual, is_self=0.0),
    ]
    return pd.concat(parts, ignore_index=True)


def term(data: Rated, name: str) -> str:
    """The coefficient that a statistic is in its fit."""
    arms = "treated:post" if data.question.post else "treated"
    return {
        "curvature": "z_squared",
        "bend": "above",
        "spread": "z",
        "bias": f"is_self:{arms}",
        "resolution": f"actual:{arms}",
    }[name]


def _estimates(data: Rated, fits: Mapping[str, Fit], band: Band) -> dict[str, Estimate]:
    """Of the curve what goes beyond the null world; of arms their difference as it is."""
    made = {}
    for name in ("curvature", "bend", "spread", "bias", "resolution"):
        if name not in fits:
            continue
        found = contrast(fits[name], term(data, name))
        expected = band.mean(name) if name in ("curvature", "bend", "spread") else 0.0
        made[name] = replace(
            found, name=worded(name), value=found.value - expected, unit=UNITS[name]
        )
    return made


def _raw(data: Rated, fits: Mapping[str, Fit], band: Band) -> dict[str, Estimate]:
    made = {
        "bias_overall": replace(contrast(fits["overall"], "is_self"), unit="points"),
        "slope": replace(contrast(fits["slope"], "actual"), unit="points per point"),
        "correlation": _correlation(data, band.reliability),
    }
    if data.question.treatment:
        made |= _by_arm(data, fits)
    spread = _location_scale(data)
    return made | ({} if spread is None else {"spread_model": spread})


def _by_arm(data: Rated, fits: Mapping[str, Fit]) -> dict[str, Estimate]:
    """Bias and slope of each arm (after the start, with a time before)."""
    made = {}
    for name, fit_of, unit in (("is_self", "bias", "points"), ("actual", "resolution", "slope")):
        control = [name, *([f"{name}:post"] if data.question.post else [])]
        more = [f"{name}:treated", *([f"{name}:treated:post"] if data.question.post else [])]
        for arm, terms in (("control", control), ("treated", [*control, *more])):
            found = contrast(fits[fit_of], " + ".join(terms))
            made[f"{fit_of}_{arm}"] = replace(found, unit=unit)
    return made


def _correlation(data: Rated, reliability: float) -> Estimate:
    """Of self-estimate and ability: corrected for the error of the score, not of self-estimates."""
    rows = data.rows
    measures = (
        Measure((name,), (float(rows[name].min()), float(rows[name].max())), reliability=known)
        for name, known in (("own", 1.0), ("actual", reliability))
    )
    found = disattenuated(rows, *measures, cluster="cluster", within="cell")
    return Estimate("correlation with ability", found.value, found.se, found.df, "correlation")


def _location_scale(data: Rated) -> Estimate | None:
    """Change of the log SD with the score by the location-scale model; None where it cannot be."""
    rows = _prepared(data)
    cells = " + C(cell)" if data.count("cell") > 1 else ""
    try:
        fitted = fit(f"own_sds ~ z + z_squared{cells}", rows, scale=f"~ z{cells}")
        return contrast(fitted, "log_sd.z")
    except FitError:
        return None
