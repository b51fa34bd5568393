"""The imputation estimator beside group-time effects: never the headline, always a comparison.

It uses every row before a start, so it is more precise where trends are parallel all along, and
more wrong where they are not. It holds what every period brings (`time_varying`), which group-time
effects cannot; what a mandate moves itself must not be held, so each such covariate is tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.imputation import Imputation, imputed
from alc_stats.models.finding import Evidence, Line, Outcome
from alc_stats.models.mandate.data import MandateData
from alc_stats.records import FloatArray, Number, Phrase

LEADS = 6
"""Up to so many periods before the start are compared with all earlier ones."""
_REFERENCE = "t, mandated firms - 1; conservative, clustered by firm"


@dataclass(frozen=True, slots=True, eq=False)
class Imputed:
    """By imputation.

    Attributes
    ----------
    free : Imputation or None
        Holding what group-time effects hold; None where nothing can be imputed.
    held : Imputation or None
        With covariates of every period as well.
    moved : tuple of Estimate
        Effects on these covariates themselves, in their SDs before any start.
    """

    free: Imputation | None
    held: Imputation | None
    moved: tuple[Estimate, ...]


def by_imputation(data: MandateData) -> Imputed:
    """Every imputation of one panel."""
    varying = data.varying
    if not varying.shape[2]:
        return Imputed(_imputation(data, data.contrast), None, ())
    moved = tuple(
        e for k, name in enumerate(data.question.time_varying)
        if (e := _moved(data, name, varying[:, :, k])) is not None
    )  # fmt: skip
    return Imputed(
        _imputation(data, data.contrast), _imputation(data, data.contrast, varying), moved
    )


def _imputation(
    data: MandateData, outcome: FloatArray, varying: FloatArray | None = None, *, leads: int = LEADS
) -> Imputation | None:
    """Of the rows that have all that is held."""
    held = _of_firms(data)
    if varying is not None:
        held = np.concatenate([held, varying], axis=2)
    unit, place = np.nonzero(np.isfinite(outcome) & np.isfinite(held).all(axis=2))
    longest = int(np.max(np.where(data.adoption < len(data.periods), data.adoption, 0)))
    try:
        return imputed(
            outcome[unit, place], unit, place, data.adoption, covariates=held[unit, place],
            anticipation=data.anticipation,
            leads=max(0, min(leads, longest - data.anticipation - 1)),
        )  # fmt: skip
    except FitError:
        return None


def _of_firms(data: MandateData) -> FloatArray:
    """Covariates that group-time effects hold, which may change what every period brings."""
    n, T = data.contrast.shape
    if data.covariates is None:
        return np.empty((n, T, 0))
    each = np.einsum("ik,ts->itks", data.covariates, np.eye(T)[:, 1:])
    return np.asarray(each.reshape(n, T, -1))


def _moved(data: MandateData, name: str, values: FloatArray) -> Estimate | None:
    found = _imputation(data, values, leads=0)
    before = values[np.arange(values.shape[1])[None, :] < data.adoption[:, None]]
    known = before[np.isfinite(before)]
    sd = float(known.std()) if known.size else 0.0
    if found is None or not sd > 0.0:
        return None
    return Estimate(name, found.overall / sd, found.overall_se / sd, found.df, "SD")


def imputation_lines(made: Imputed, unit: str, level: float, *, few: bool) -> list[Line]:
    """Over all rows and by time since the start, without and with covariates of each period."""
    lines = []
    for name, found in (("Imputation", made.free), ("Imputation, covariates held", made.held)):
        if found is not None:
            note = _held(made) if found is made.held else _counts(found)
            lines += _lines(name, found, note, unit, level, few=few)
    return lines


def _lines(
    name: str, found: Imputation, note: Phrase, unit: str, level: float, *, few: bool
) -> list[Line]:
    def line(method: str, guards: str, value: float, se: float, said: Phrase) -> Line:
        if few:
            said = Phrase("Few firms: without an interval, which would be too short.")
        if few or not math.isfinite(se):
            return Line(method, guards, said, value, unit=unit)
        e = Estimate(name, value, se, found.df, unit)
        return Line(
            method, guards, said, value, *e.interval(level), e.p_value, e.df, _REFERENCE, unit
        )

    guards = "noise of the one period compared with; firms that come and go"
    return [
        line(f"{name}, overall", guards, found.overall, found.overall_se, note),
        *(line(f"{name}, before the start: {-at}", "trends that differed before", float(v),
               float(se), Phrase(""))
          for at, v, se in zip(found.lead_at, found.lead_value, found.lead_se, strict=True)),
        *(line(f"{name}, since the start: {at}", "effects that grow or fade", float(v), float(se),
               Phrase(""))
          for at, v, se in zip(found.at, found.value, found.se, strict=True)),
    ]  # fmt: skip


def _counts(found: Imputation) -> Phrase:
    numbers = {
        "imputed_rows": Number(found.imputed_rows, "count"),
        "untreated_rows": Number(found.untreated_rows, "count"),
        "not_imputed": Number(found.not_imputed, "count"),
    }
    return Phrase(
        "All rows under the mandate alike, {imputed_rows} of them; what would have been is fitted "
        "to {untreated_rows} rows before; {not_imputed} rows of firms never seen before the start, "
        "or in periods without others, cannot be imputed.",
        numbers,
    )


def _held(made: Imputed) -> Phrase:
    names = ", ".join(e.name for e in made.moved)
    return Phrase(
        f"Held in every period: {names}. What runs through them is taken out of the effect."
    )


def drift_before(made: Imputed, alpha: float, unit: str, *, few: bool) -> list[Evidence]:
    """Whether periods just before the start differ from all earlier ones, in untreated rows.

    It sees a drift that builds up over periods better than the steps of one period do.
    """
    name, found = "drift before the start", made.free
    if found is None or few or not math.isfinite(found.lead_p):
        none = Phrase("Too few firms or periods to set those before the start beside earlier ones.")
        return [Evidence(name, "not tested", none)]
    numbers = {
        "drift_p": Number(found.lead_p, "p"),
        "eve": Number(float(found.lead_value[-1]), unit=unit),
        "leads": Number(len(found.lead_at), "count"),
    }
    said = (
        "The last {leads} periods before the start, beside all earlier ones: p = {drift_p}; in the "
        "very last, outcomes are {eve} from where they were."
    )
    outcome: Outcome = "threat" if found.lead_p < alpha else "clear"
    return [Evidence(name, outcome, Phrase(said, numbers))]


def moved_covariates(made: Imputed, alpha: float) -> list[Evidence]:
    """Whether what is held in every period was moved by the mandate itself."""
    if not made.moved:
        return []
    found = [e for e in made.moved if e.p_value < alpha / len(made.moved)]
    numbers = {f"moved_{k}": Number(e.value, unit="SD") for k, e in enumerate(found, 1)}
    if not found:
        said = "No covariate of each period moved at the start; the headline holds none of them."
    else:
        each = ", ".join(f"{e.name} by {{moved_{k}}}" for k, e in enumerate(found, 1))
        said = (f"The headline holds no covariate of each period. These moved at the start "
                f"themselves, so that lines which hold them leave out what runs through them: "
                f"{each}.")  # fmt: skip
    return [Evidence("covariates moved by the mandate", "clear", Phrase(said, numbers))]
