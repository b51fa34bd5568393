"""The triangulation table: one line a method, each with what it guards against."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.unit_contrast import Permutation, unit_contrast
from alc_stats.models.finding import Line
from alc_stats.models.widening import artefacts
from alc_stats.models.widening.comparison import Comparison
from alc_stats.models.widening.evidence import LOG_SD
from alc_stats.models.widening.fits import Modelled, at_bound
from alc_stats.models.widening.sources import Explained, reliability_effect
from alc_stats.records import Number, Phrase

_COMPONENTS = {
    "between_log_sd": "Location-scale model, between persons",
    "log_sd": "Location-scale model, within persons",
}
_OBSERVED = "Location-scale model, within "


def triangulation(found: Comparison, *, decides: str, level: float) -> tuple[Line, ...]:
    """Every line.

    Parameters
    ----------
    found : Comparison
    decides : {"model", "units"}
        Which line the verdict rests on.
    level : float
        Of the intervals.
    """
    return (
        *_modelled(found, found.model, decides=decides == "model", level=level),
        _units(found, decides=decides == "units", level=level),
        *_meta(found, level),
        _brown_forsythe(found),
        _quantiles(found),
        *_influences(found, level),
        *_bounded(found, level),
        *_explained(found),
        *_stayers(found, level),
        *_reliability(found, level),
        _ends(found),
        _equal_means(found, level),
    )


def line(estimate: Estimate, method: str, guards: str, how: str, *, level: float) -> Line:
    """An estimate as a line."""
    return Line.of(estimate, method, guards, how, level=level, unit=LOG_SD)


def _failed(method: str, guards: str, why: str) -> Line:
    return Line(method, guards, Phrase.verbatim(why))


# -- models --------------------------------------------------------------------------------------


def _modelled(found: Comparison, model: Modelled, *, decides: bool, level: float) -> Iterator[Line]:
    wanted = "between_log_sd" if found.target == "between" else "log_sd"
    if model.failure:
        yield _failed(_method(found, wanted), _RANDOM_SCALE, model.failure)
        return
    how = f"t, {found.unit_name} - 1"
    for component, estimate in model.estimates.items():
        made = line(estimate, _method(found, component), _RANDOM_SCALE, how, level=level)
        yield replace(made, note=_note(model), primary=decides and component == wanted)


def _method(found: Comparison, component: str) -> str:
    within = "firms" if found.data.kind == "firms" else "arms"
    return _OBSERVED + within if found.target == "observed" else _COMPONENTS[component]


def _note(model: Modelled) -> Phrase:
    return Phrase("With a random scale effect." if model.random_scale else "")


_RANDOM_SCALE = (
    "shifts of the mean, and people who differ in how much they vary (standard errors too small "
    "without a random scale effect)"
)


def _bounded(found: Comparison, level: float) -> Iterator[Line]:
    if found.bounded is None:
        return
    method = "Censored location-scale model"
    own = found.bounded.of(found.target)
    if own is None:
        yield _failed(method, _BOUND, found.bounded.failure)
    else:
        how = f"t, {found.unit_name} - 1"
        note = _note(found.bounded) if at_bound(found.data) else _NOTHING_CENSORED
        yield replace(line(own, method, _BOUND, how, level=level), note=note)
    method = "Beta regression, precision part"
    if isinstance(found.precision, str):
        yield _failed(method, _BOUND, found.precision)
    else:
        yield Line(method, _BOUND, _SIGN_ONLY, found.precision, reference="sign only")


_NOTHING_CENSORED = Phrase("No value lies at a bound, so that it is the model above.")
_BOUND = "a floor or ceiling that makes or hides spread"
_SIGN_ONLY = Phrase("Minus half the effect on log precision; its sign counts, not its size.")


# -- units ---------------------------------------------------------------------------------------


def _units(found: Comparison, *, decides: bool, level: float) -> Line:
    unit = "cluster" if found.data.kind == "firms" else "person"
    method = {
        "between": f"Products of a person's rows, {unit} as unit",
        "within": "Log SD of each person in both arms, person as unit",
        "observed": f"Bias-corrected log SD, {unit} as unit"
        if unit == "firm"
        else "Log SD of arms, person as unit",
    }[found.target]
    if not math.isfinite(found.units.value):
        return _failed(method, _FEW, "The spread between persons is not positive in an arm.")
    how = "t, paired" if found.target == "within" else "Welch's t"
    made = line(found.units, method, _FEW, how, level=level)
    return replace(made, primary=decides, note=_permuted(found.permutation))


def _permuted(test: Permutation) -> Phrase:
    numbers = {"p": Number(test.p, "p"), "count": Number(test.assignments, "count")}
    return Phrase("By permutation p {p} ({count} assignments).", numbers)


_FEW = "few firms, and standard errors that take people of one firm as independent"


def _meta(found: Comparison, level: float) -> Iterator[Line]:
    how = "t, Knapp-Hartung" if found.data.kind != "persons" else "t, persons - arms"
    for value, method, guards in (
        (found.log_sds, "lnVR, random-effects meta-regression", "a model of rows that is wrong"),
        (
            found.log_cvs,
            "lnCVR, random-effects meta-regression",
            "spread in proportion to the mean",
        ),
    ):
        if isinstance(value, str):
            yield _failed(method, guards, value)
        else:
            yield line(value, method, guards, how, level=level)


# -- shape ---------------------------------------------------------------------------------------


def _brown_forsythe(found: Comparison) -> Line:
    test = found.distance_permutation
    note = Phrase(
        "Taking every value as independent, p would be {naive_p}.",
        {"naive_p": Number(found.distances.naive_p, "p")},
    )
    estimate = unit_contrast(found.distances.sums, name="distances")
    low, high = estimate.interval()
    return Line(
        "Brown-Forsythe distances, permutation of units", "outliers, and ignored clustering",
        note, estimate.value, low, high, test.p, estimate.df, "permutation p; t interval",
    )  # fmt: skip


def _quantiles(found: Comparison) -> Line:
    q = found.quantiles
    note = Phrase(
        "Log ratio of the distances from the .1 to the .9 quantile; SE {se}.",
        {"se": Number(q.se, "se", LOG_SD)},
    )
    return Line(
        "Quantile regression, Q90 - Q10", "tails that make a variance", note, q.value, q.low,
        q.high, reference=f"bootstrap of {found.unit_name}",
    )  # fmt: skip


def _influences(found: Comparison, level: float) -> Iterator[Line]:
    for statistic, value in found.influences.items():
        method = f"RIF regression of the {statistic}"
        guards = "a comparison of conditional instead of overall spread"
        if isinstance(value, str):
            yield _failed(method, guards, value)
        else:
            yield line(value, method, guards, "t, CR2 Satterthwaite", level=level)


# -- sources -------------------------------------------------------------------------------------


def _explained(found: Comparison) -> Iterator[Line]:
    method, guards = "Explained by schema accuracy", "spread that is not schemas pulling away"
    got = found.explained
    if isinstance(got, Explained):
        numbers = {
            "without": Number(got.without, "estimate", LOG_SD),
            "held": Number(got.held, "estimate", LOG_SD),
        }
        note = Phrase(
            "{without} log SD without schema terms in the mean, {held} with them.", numbers
        )
        yield Line(
            method, guards, note, got.part, got.low, got.high,
            reference=f"bootstrap of {found.unit_name}",
        )  # fmt: skip
    elif got is not None:
        yield _failed(method, guards, got)


def _stayers(found: Comparison, level: float) -> Iterator[Line]:
    method, guards = "Persons seen throughout only", "people who came or left"
    if isinstance(found.stayers, Estimate):
        made = line(found.stayers, method, guards, "Welch's t", level=level)
        note = Phrase("{share} of the rows.", {"share": Number(found.stayer_share, "share")})
        yield replace(made, note=note)
    elif found.stayers is not None:
        yield _failed(method, guards, found.stayers)


def _reliability(found: Comparison, level: float) -> Iterator[Line]:
    method = "Change of reliability alone"
    guards = "measurement error that passes for people"
    cells = found.reliabilities
    if isinstance(cells, tuple):
        effect, se = reliability_effect(cells, did=found.data.did)
        least, most = min(c.alpha for c in cells), max(c.alpha for c in cells)
        note = Phrase(
            "Alpha by arm and time from {least} to {most}: what it alone does to the log SD seen.",
            {"least": Number(least, "ratio"), "most": Number(most, "ratio")},
        )
        if not math.isfinite(effect):
            yield Line(method, guards, note)
            return
        made = line(Estimate("", effect, se, math.inf, LOG_SD), method, guards, "z", level=level)
        yield replace(made, note=note)
    elif cells is not None:
        yield _failed(method, guards, cells)


def _ends(found: Comparison) -> Line:
    ends = artefacts.ends_of_scale(
        found.values, found.data.columns.bounds, outcome=found.data.columns.outcome
    )
    return Line("Distance to floor and ceiling", _BOUND, ends.finding)


def _equal_means(found: Comparison, level: float) -> Line:
    method, guards = (
        "At equal unit means (analysis of covariance)",
        "spread that goes with the level",
    )
    coupled = artefacts.coupling(found.spreads)
    if coupled is None:
        return _failed(method, guards, "Unit means do not vary within arms, or units are too few.")
    made = line(coupled.adjusted, method, guards, "t, units - arms - 1", level=level)
    note = Phrase(
        "Log SD changes by {slope} per unit of the mean.", {"slope": Number(coupled.slope.value)}
    )
    return replace(made, note=note)
