"""Models of misses: people differ, and items where everybody meets the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.models.forecast.data import ForecastAbout, Forecasts
from alc_stats.models.forecast.scores import (
    Brier,
    Resampled,
    brier,
    correlation,
    discrimination,
    resampled,
)

ABOUT: tuple[ForecastAbout, ...] = ("bias", "resolution", "score")


@dataclass(frozen=True, slots=True, eq=False)
class Modelled:
    """One quantity from the model with random effects and from rows clustered by person.

    Attributes
    ----------
    estimate : Estimate
        With `by` its coefficient, otherwise the level.
    clustered : Estimate
        Least squares, CR2 by person with Satterthwaite's degrees of freedom.
    slopes : bool
        Whether people differ in the effect as well, or the data cannot tell.
    fit : Fit
    """

    estimate: Estimate
    clustered: Estimate
    slopes: bool
    fit: Fit


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Everything known about one set of forecasts.

    Attributes
    ----------
    data : Forecasts
    models : mapping of "bias", "resolution", "score" to Modelled
    choice : SmallSampleChoice
    parts, draws, area : Brier, Resampled, float, or None
        Of probabilities: the parts of Brier's score, their bootstrap, the area under the ROC.
    correlation : (float, float, float) or None
        Of quantities, within people, with its 95 % limits.
    """

    data: Forecasts
    models: Mapping[ForecastAbout, Modelled]
    choice: SmallSampleChoice
    parts: Brier | None
    draws: Resampled | None
    area: float | None
    correlation: tuple[float, float, float] | None = None


def judged(data: Forecasts, *, draws: int, seed: int) -> Judged:
    """Fit and score."""
    models = {about: _modelled(data, about) for about in ABOUT}
    choice = small_sample_choice(data.people, mixed=True)
    f, o = data.forecast, data.outcome
    if data.question.kind == "quantity":
        r = correlation(f, o, data.codes("person"), draws=draws, seed=seed, level=0.95)
        return Judged(data, models, choice, None, None, None, r)
    groupings = [data.codes("person"), *([data.codes("item")] if data.question.item else [])]
    return Judged(
        data, models, choice, brier(f, o), resampled(f, o, groupings, draws=draws, seed=seed),
        discrimination(f, o),
    )  # fmt: skip


def unit(data: Forecasts, about: ForecastAbout) -> str:
    """Of the level; with `by` it is per unit of that."""
    q = data.question
    if about == "resolution" and q.kind == "quantity":
        return "slope"
    if about == "score" and q.kind == "probability":
        return "Brier score"
    return "probability" if q.kind == "probability" else ("log ratio" if q.log else "points")


def _modelled(data: Forecasts, about: ForecastAbout) -> Modelled:
    left, right, term, slope = _terms(data, about)
    rows = data.rows.assign(
        person_mean=data.rows.groupby("person")["forecast"].transform("mean"),
    )
    rows["within"] = rows["forecast"] - rows["person_mean"]
    item = " + (1 | item)" if data.question.item else ""
    how = _inference(data)
    plain = fit(f"{left} ~ {right}", rows, covariance="CR2", cluster="person")
    fitted = (
        _usable(f"{left} ~ {right} + (1 + {slope} | person){item}", rows, how)
        if slope and data.repeated
        else None
    )
    slopes = fitted is not None
    if fitted is None:
        people = " + (1 | person)" if data.repeated else ""
        random = people + item
        fitted = fit(f"{left} ~ {right}{random}", rows, **how) if random else plain  # type: ignore[arg-type]
    name = unit(data, about)
    return Modelled(
        replace(contrast(fitted, term), unit=name), replace(contrast(plain, term), unit=name),
        slopes, fitted,
    )  # fmt: skip


def _inference(data: Forecasts) -> dict[str, str]:
    """By the rule for few clusters; items cross people, so no cluster holds whole items."""
    if small_sample_choice(data.people, mixed=True).method == "kenward-roger":
        return {"df": "kenward-roger"}
    if data.question.item:
        return {"df": "satterthwaite"}
    return {"covariance": "CR2", "cluster": "person"}


def _usable(formula: str, rows: pd.DataFrame, how: dict[str, str]) -> Fit | None:
    """The fit, or None where the rows cannot tell the random effects."""
    try:
        found = fit(formula, rows, **how)  # type: ignore[arg-type]
    except FitError:
        return None
    return found if found.certificate.usable else None


def _terms(data: Forecasts, about: ForecastAbout) -> tuple[str, str, str, str]:
    """Outcome, fixed part, the term asked for, and what may differ between people."""
    q = data.question
    if about == "resolution":
        left, on = ("forecast", "outcome") if q.kind == "probability" else ("outcome", "within")
        mean = "" if q.kind == "probability" else " + person_mean"
        if q.by:
            return left, f"{on}*by{mean}", f"{on}:by", on
        return left, f"{on}{mean}", on, on
    left = "miss" if about == "bias" else "score"
    if q.by:
        return left, "by", "by", "by" if data.by_within else ""
    return left, "1", "Intercept", ""


def level_of(data: Forecasts) -> tuple[float, float]:
    """Mean forecast and mean outcome, rows alike."""
    return float(np.mean(data.forecast)), float(np.mean(data.outcome))
