"""The triangulation table of a dose-response question, and what the evidence needs of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.errors import FitError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.inference.wild_bootstrap import WildBootstrap, wild_cluster_bootstrap
from alc_stats.models.dose_response import two_lines as shapes
from alc_stats.models.dose_response.data import FEWEST_DOSES, FEWEST_ROWS, DoseData
from alc_stats.models.dose_response.single_peak import SinglePeak, single_peak
from alc_stats.models.dose_response.two_lines import UNIT, Quadratic, TwoLines
from alc_stats.models.finding import NOTHING, Line
from alc_stats.records import Number, Phrase

HEAVIEST = 0.95
"""Quantile of the dose above which users are heavy."""
DRAWS = 999


@dataclass(frozen=True, slots=True, eq=False)
class DoseFound:
    """Everything that is said of the shape.

    Attributes
    ----------
    lines : TwoLines
        The rule's own.
    quadratic : Quadratic or str
    peak : SinglePeak
    straight : Estimate or str
    split : Estimate
        Welch's, above less below the median dose.
    trimmed, logged, within : TwoLines or None
        Without the heaviest users; of the log dose; within persons. None where there is none.
    choice : SmallSampleChoice or None
        Where rows are clustered.
    wild : tuple of WildBootstrap
        Of both slopes, with few clusters.
    """

    lines: TwoLines
    quadratic: Quadratic | str
    peak: SinglePeak
    straight: Estimate | str
    split: Estimate
    trimmed: TwoLines | None
    logged: TwoLines | None
    within: TwoLines | None
    choice: SmallSampleChoice | None
    wild: tuple[WildBootstrap, ...]


def shape_of(data: DoseData, level: float, seed: int) -> DoseFound:
    """Every method."""
    own = shapes.two_lines(data)
    choice = small_sample_choice(data.clusters) if data.clustered else None
    return DoseFound(
        lines=own,
        quadratic=shapes.quadratic(data, level),
        peak=single_peak(data, seed),
        straight=shapes.straight(data),
        split=shapes.median_split(data),
        trimmed=_trimmed(data),
        logged=_logged(data),
        within=shapes.within_persons(data, own.breakpoint) if data.repeated else None,
        choice=choice,
        wild=_wild(own, level, seed) if choice and choice.method == "wild bootstrap" else (),
    )


def _trimmed(data: DoseData) -> TwoLines | None:
    """Without the heaviest users, the breakpoint chosen anew."""
    rows = data.rows.loc[data.rows["dose"] <= data.rows["dose"].quantile(HEAVIEST)]
    if len(rows) < FEWEST_ROWS or rows["dose"].nunique() < FEWEST_DOSES:
        return None
    return shapes.two_lines(replace(data, rows=rows.reset_index(drop=True)))


def _logged(data: DoseData) -> TwoLines | None:
    if not (data.rows["dose"] > 0.0).all():
        return None
    return shapes.two_lines(replace(data, rows=data.rows.assign(dose=np.log(data.rows["dose"]))))


def _wild(found: TwoLines, level: float, seed: int) -> tuple[WildBootstrap, ...]:
    if len(found.fits) < 2:
        return ()
    try:
        return tuple(
            wild_cluster_bootstrap(made, term, n=DRAWS, seed=seed, level=level)
            for made, term in zip(found.fits, ("low", "high"), strict=True)
        )
    except FitError:
        return ()


# -- lines ---------------------------------------------------------------------------------------


def triangulation(data: DoseData, found: DoseFound, level: float) -> tuple[Line, ...]:
    """Every line but the parts of the claim."""
    how = "t, CR2 Satterthwaite" if data.clustered else "t, HC3"
    split = line(found.split, "Median split (Welch)", _COARSE, "Welch's t", level)
    return (
        *_quadratic(found.quadratic, how, level),
        _peak(found.peak),
        *_one(found.straight, "One straight line", "a bend that is not there", how, level),
        split,
        *_bootstrapped(found.wild),
        *_pair(found.trimmed, "Without the heaviest users", _HEAVY, how, level),
        *_pair(found.logged, "On the log of the dose", _HEAVY, how, level, "outcome per log dose"),
        *_pair(found.within, "Within persons", _BETWEEN, "t, CR2 Satterthwaite", level),
    )


def line(
    e: Estimate, method: str, guards: str, how: str, level: float, note: Phrase = NOTHING
) -> Line:
    """An estimate as a line."""
    how = how if math.isfinite(e.df) else "normal"
    return Line.of(e, method, guards, how, level=level, note=note)


def _one(e: Estimate | str, method: str, guards: str, how: str, level: float) -> Iterator[Line]:
    yield (
        line(e, method, guards, how, level)
        if isinstance(e, Estimate)
        else Line(method, guards, Phrase.verbatim(e), unit=UNIT)
    )


def _quadratic(found: Quadratic | str, how: str, level: float) -> Iterator[Line]:
    if isinstance(found, str):
        yield Line("Quadratic term", _NEVER, Phrase.verbatim(found), unit=UNIT)
        return
    yield line(found.curvature, "Quadratic term", _NEVER, how, level, _INSUFFICIENT)
    for e, where in ((found.at_low, "lowest"), (found.at_high, "highest")):
        yield line(e, f"Quadratic, slope at the {where} dose", _ENDS, how, level)
    yield _extremum(found)
    if found.aic_over_log is not None:
        yield Line(
            "Quadratic less logarithm, AIC", "a curve that rises ever more slowly", _AIC,
            found.aic_over_log, unit="AIC",
        )  # fmt: skip


def _extremum(found: Quadratic) -> Line:
    r = found.extremum
    kind = "maximum" if found.curvature.value < 0.0 else "minimum"
    text = f"The {kind} of the quadratic; {_SHAPES[r.shape]}"
    bounded = r.shape == "interval"
    return Line(
        "Extremum (Fieller), U-test (Lind and Mehlum)", "an extremum outside the doses seen",
        Phrase(text + (" It lies within the doses." if found.inside else "")), r.value,
        r.low if bounded else None, r.high if bounded else None, found.p_inverted,
        reference="Fieller; p of an inverted U", unit="dose",
    )  # fmt: skip


_SHAPES = {
    "interval": "its interval is bounded.",
    "outside": "its interval is not bounded, since the quadratic may be straight.",
    "everything": "no dose is excluded, since the quadratic may be straight.",
}


def _peak(found: SinglePeak) -> Line:
    note = Phrase("Of the variance. {draws} draws.", {"draws": Number(found.draws, "count")})
    return Line(
        "Single peak over a curve that never falls", "the form of lines and quadratics", note,
        found.share, p=found.p, reference="wild bootstrap of clusters", unit="share of variance",
    )  # fmt: skip


def _bootstrapped(found: tuple[WildBootstrap, ...]) -> Iterator[Line]:
    for boot, side in zip(found, ("first", "second"), strict=False):
        note = Phrase("{draws} draws.", {"draws": Number(boot.draws, "count")})
        yield Line(
            f"Wild cluster bootstrap, {side} line", "few clusters", note, boot.value, boot.low,
            boot.high, boot.p, reference=f"wild bootstrap, {boot.weights}", unit=UNIT,
        )  # fmt: skip


def _pair(
    found: TwoLines | None, method: str, guards: str, how: str, level: float, unit: str = UNIT
) -> Iterator[Line]:
    if found is None:
        return
    note = Phrase("Breakpoint {at}.", {"at": Number(found.breakpoint)})
    for e, side in ((found.first, "first"), (found.second, "second")):
        name = f"{method}, {side} line"
        if e is None:
            yield Line(name, guards, Phrase.verbatim(found.failure), unit=unit)
        else:
            yield line(replace(e, unit=unit), name, guards, how, level, note)


_NEVER = "a bend taken for a fall"
_INSUFFICIENT = Phrase("Significant for every curve that bends, also one that never falls.")
_ENDS = "an extremum outside the doses seen"
_AIC = Phrase("Above zero the logarithm, which never falls, describes the rows better.")
_COARSE = "a shape that two groups cannot show"
_HEAVY = "a few heavy users who make the second line"
_BETWEEN = "people who differ taken for what a dose does"
