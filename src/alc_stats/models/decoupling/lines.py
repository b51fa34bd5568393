"""What is said and shown of a decoupling: lines, evidence, figure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from alc_stats.inference.decision import Criterion, decide
from alc_stats.models.decoupling.comparison import SLOPE, Decoupled
from alc_stats.models.finding import Evidence, Line
from alc_stats.models.gap.fits import FEW_ON_A_SIDE, PAIR
from alc_stats.models.gap.lines import line
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.models.widening.coupling import Moments, Statistic, jackknifed
from alc_stats.records import FloatArray, Number, Phrase

_GROUPS = ((1, "treated"), (0, "control"))


def decoupling_lines(found: Decoupled, level: float) -> tuple[Line, ...]:
    """Slopes, on which the verdict rests, then correlations, then ranges."""
    return (
        _slope(found, level), *_groups(found, level, "slope", SLOPE), *_correlations(found, level),
        *_groups(found, level, "r", "r"), *_spreads(found, level),
    )  # fmt: skip


def reference(found: Decoupled) -> str:
    """Where intervals and p values come from."""
    return f"t, leaving out {found.data.unit_name}s"


def _slope(found: Decoupled, level: float) -> Line:
    method, guards = "Slope of capability on awareness", "people drawn together in awareness"
    own = line(found.slope, method, guards, reference(found), level=level, unit=SLOPE)
    return replace(own, primary=True)


def _correlations(found: Decoupled, level: float) -> Iterator[Line]:
    how = reference(found)
    guards = "capability that spreads, which makes every slope steeper"
    yield line(found.z, "Correlation, Fisher's z", guards, how, level=level, unit="z")
    low, high = found.z_limits
    yield Line(
        "Correlation, Fisher's z, bootstrap", "few clusters, and z that is not normal",
        value=found.z.value, low=low, high=high,
        reference=f"BCa bootstrap of {found.data.unit_name}s", unit="z",
    )  # fmt: skip
    guards = "error of measurement that differs between groups"
    yield line(found.plain_z, "Correlation as measured, Fisher's z", guards, how, level=level,
               unit="z")  # fmt: skip
    if found.before is not None:
        guards = "groups that differed before the start"
        method = "Before the start, as measured, Fisher's z"
        yield line(found.before, method, guards, how, level=level, unit="z")
    if found.change is not None:
        guards = "people who differ for good, whatever treatment changes"
        method = "Changes of persons, as measured, Fisher's z"
        yield line(found.change, method, guards, how, level=level, unit="z")


def _spreads(found: Decoupled, level: float) -> Iterator[Line]:
    for outcome in PAIR:
        yield line(
            found.log_sd[outcome], f"True-score SD of {outcome}",
            "a range that treatment made narrower or wider", reference(found), level=level,
            unit="log SD",
        )  # fmt: skip


def _groups(found: Decoupled, level: float, what: str, unit: str) -> Iterator[Line]:
    name = "Slope" if what == "slope" else "Correlation"
    for at, group in _GROUPS:
        own = jackknifed(found.sums, _of(at, what), group, unit)
        yield line(own, f"{name}, {group}", "", reference(found), level=level, unit=unit)


def _of(group: int, what: str) -> Statistic:
    def statistic(moments: Moments) -> FloatArray:
        values: FloatArray = getattr(moments, what)
        return np.asarray(values[group])

    return statistic


# -- evidence ------------------------------------------------------------------------------------


def decoupling_evidence(found: Decoupled, criterion: Criterion) -> tuple[Evidence, ...]:
    """One piece an artefact."""
    return (
        _range(found, criterion), _error(found), _before(found, criterion), _method(),
        _few(found),
    )  # fmt: skip


def _range(found: Decoupled, criterion: Criterion) -> Evidence:
    """A slope and a correlation that part were moved by a range, not by coupling."""
    ratios = {o: Number(math.exp(found.log_sd[o].value), "ratio") for o in PAIR}
    numbers = {f"sd_ratio_{o}": ratio for o, ratio in ratios.items()}
    shown = decide(found.slope, criterion).verdict in ("supported", "contradicted")
    apart = found.slope.value * found.z.value <= 0.0
    text = (
        "True-score SDs, treated to control: {sd_ratio_awareness} of awareness and "
        "{sd_ratio_capability} of capability; slope and correlation "
        + ("change in opposite directions." if apart else "change in the same direction.")
    )
    return Evidence("range", "threat" if shown and apart else "clear", Phrase(text, numbers))


def _error(found: Decoupled) -> Evidence:
    name = "error of measurement"
    if found.sums.way == "uncorrected":
        why = (
            "Reliabilities are not known; error of measurement that grows under treatment would "
            "look like decoupling."
        )
        return Evidence(name, "not tested", Phrase(why))
    if found.sums.way == "occasions":
        why = "No error of one occasion is in products of different occasions."
        return Evidence(name, "clear", Phrase(why))
    moments = found.sums.moments()
    numbers = {
        f"reliability_{outcome}_{group}": Number(float(of[at, 0]), "ratio")
        for outcome, of in (
            ("awareness", moments.reliability_a),
            ("capability", moments.reliability_c),
        )
        for at, group in _GROUPS
    }
    text = (
        "Reliabilities of persons' averages: awareness {reliability_awareness_treated} treated and "
        "{reliability_awareness_control} control, capability {reliability_capability_treated} and "
        "{reliability_capability_control}."
    )
    return Evidence(name, "clear", Phrase(text, numbers))


def _before(found: Decoupled, criterion: Criterion) -> Evidence:
    name = "differences before the start"
    if found.before is None:
        why = "There is no time before; that groups were alike rests on the assignment."
        return Evidence(name, "not tested", Phrase(why))
    apart = found.before.p_value < criterion.alpha
    seen = Phrase(
        "Before the start Fisher's z differed by {z_before}, "
        + ("more than chance would." if apart else "as chance could."),
        {"z_before": Number(found.before.value, unit="z")},
    )
    return Evidence(name, "threat" if apart else "clear", seen)


def _method() -> Evidence:
    why = (
        "Whether the two share a source cannot be seen in the data: self-reports of both correlate "
        "by who answers, a self-report and a test do not."
    )
    return Evidence("common method", "not tested", Phrase(why))


def _few(found: Decoupled) -> Evidence:
    control, treated = found.sums.clusters
    numbers = {"treated": Number(treated, "count"), "control": Number(control, "count")}
    few = min(control, treated) <= FEW_ON_A_SIDE
    text = f"{{treated}} treated and {{control}} control {found.data.unit_name}s" + (
        ", too few to know how much they differ." if few else "."
    )
    return Evidence("few clusters", "threat" if few else "clear", Phrase(text, numbers))


# -- figure --------------------------------------------------------------------------------------


def decoupling_pictures(found: Decoupled, level: float) -> tuple[Picture, ...]:
    """Correlation and slope of each group."""
    panels = []
    for what, title in (("r", "Correlation"), ("slope", "Slope (SD per SD)")):
        own = [jackknifed(found.sums, _of(at, what), group, "") for at, group in _GROUPS]
        ends = [e.interval(level) for e in own]
        rows = Mark(
            kind="row", texts=tuple(group for _, group in _GROUPS),
            x=tuple(e.value for e in own),
            low=tuple(low for low, _ in ends), high=tuple(high for _, high in ends),
        )  # fmt: skip
        panels.append(Panel(title=title, marks=(rows, Mark(kind="down", x=(0.0,)))))
    control, treated = found.sums.persons
    picture = Picture(
        id="coupling",
        title="Awareness and capability within firms, by group",
        caption=f"Among {treated} treated and {control} control persons, free of error of "
        "measurement as far as declared, with intervals that leave out one cluster after another.",
        alt="Two panels, correlation and slope, each with an interval for treated and control.",
        x="Coupling of awareness and capability",
        panels=tuple(panels),
    )
    return (picture,)
