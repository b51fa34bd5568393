"""The triangulation table of usage-quality slopes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.johnson_neyman import JohnsonNeyman
from alc_stats.models.finding import NOTHING, Line
from alc_stats.models.inversion import fits as models
from alc_stats.models.inversion.data import InversionData
from alc_stats.models.inversion.fits import UNIT, Fitted, Slopes
from alc_stats.records import Number, Phrase


@dataclass(frozen=True, slots=True, eq=False)
class Rivals:
    """The same slopes by other methods; None where nothing was declared for one."""

    pooled: Slopes
    no_random: Slopes
    fixed: Slopes
    before: Slopes | None
    changes: Slopes | None
    hard: Slopes | None
    later: Estimate | str | None


def rivals(data: InversionData) -> Rivals:
    """Every other method that the declared columns allow."""
    timed = "time" in data.rows
    return Rivals(
        pooled=models.pooled(data),
        no_random=models.without_random_slopes(data),
        fixed=models.fixed_effects(data, hard=False),
        before=models.usage_before(data) if timed else None,
        changes=models.change_on_change(data) if data.question.post else None,
        hard=models.fixed_effects(data, hard=True) if data.hard else None,
        later=models.next_usage(data) if timed else None,
    )


def lines(found: Fitted, others: Rivals, level: float) -> tuple[Line, ...]:
    """Every line but the parts of the claim."""
    change = found.within.change
    kept = [] if change is None else [line(change, _ATTENUATION, _ALONE, _how(found), level)]
    return (
        *kept,
        *_pair(found.persons, "Between persons", _BETWEEN, _how(found), level),
        *_pair(found.firms, "Between firms", _BETWEEN, _how(found), level),
        *_pair(others.pooled, "Pooled least squares", _CONFOUNDED, _CR2, level),
        *_pair(others.fixed, "Person-and-regime fixed effects", _WRONG_MODEL, _CR2, level),
        *_pair(others.no_random, "Random intercepts only", _NAIVE, "t, model", level),
        *_pair(others.hard, "Task difficulty held", _HARD, _CR2, level),
        *_changes(others.changes, level),
        *_pair(others.before, "Usage of the occasion before", _REVERSE, _CR2, level),
        *_later(others.later, level),
        *_along(found.region),
    )


def _pair(
    slopes: Slopes | None, method: str, guards: str, how: str, level: float
) -> Iterator[Line]:
    if slopes is None:
        return
    if slopes.free is None or slopes.under is None:
        yield Line(method, guards, Phrase.verbatim(slopes.failure), unit=UNIT)
        return
    yield line(slopes.free, f"{method}, no mandate", guards, how, level)
    yield line(slopes.under, f"{method}, mandate", guards, how, level)


def _changes(slopes: Slopes | None, level: float) -> Iterator[Line]:
    for made in _pair(slopes, "Change on change around the start", _DRIFT, _CR2, level):
        yield replace(made, note=_MIX) if made.method.endswith(", mandate") else made


def line(
    estimate: Estimate, method: str, guards: str, how: str, level: float, note: Phrase = NOTHING
) -> Line:
    """An estimate as a line."""
    return Line.of(estimate, method, guards, how, level=level, note=note)


def _later(found: Estimate | str | None, level: float) -> Iterator[Line]:
    if isinstance(found, Estimate):
        yield line(found, _LATER, _REVERSE, _CR2, level)
    elif found is not None:
        yield Line(_LATER, _REVERSE, Phrase.verbatim(found), unit=UNIT)


def _along(region: JohnsonNeyman | str | None) -> Iterator[Line]:
    """The slope at the ends of the range of intensity, with the simultaneous band."""
    if isinstance(region, str):
        yield Line(_JN, _SEARCH, Phrase.verbatim(region), unit=UNIT)
    elif region is not None:
        for end, name in ((0, "lowest"), (-1, "highest")):
            yield Line(
                f"{_JN}, {name} intensity", _SEARCH, _regions(region), float(region.value[end]),
                float(region.low[end]), float(region.high[end]), df=region.df,
                reference="simultaneous band", unit=UNIT,
            )  # fmt: skip


def _regions(found: JohnsonNeyman) -> Phrase:
    """Where the band excludes zero, in words."""
    words: list[str] = []
    numbers: dict[str, Number] = {}
    for i, region in enumerate(found.regions, 1):
        side = "above" if region.above else "below"
        words.append(f"{side} zero from {{from_{i}}} to {{to_{i}}}")
        numbers |= {f"from_{i}": Number(region.low), f"to_{i}": Number(region.high)}
    at = "; ".join(words) or "nowhere apart from zero"
    return Phrase(f"Over the whole range at once the slope is {at}.", numbers)


def _how(found: Fitted) -> str:
    return "t, CR2 Satterthwaite" if found.choice.method == "CR2" else "t, Kenward-Roger"


_CR2 = "t, CR2 Satterthwaite"
_ATTENUATION = "Difference of the slopes (attenuation)"
_ALONE = "a difference taken for an inversion: alone it says attenuation"
_LATER = "Usage of the occasion after"
_JN = "Johnson-Neyman"
_BETWEEN = "differences between people taken for what more use does to one"
_CONFOUNDED = "what an analysis without persons would report"
_WRONG_MODEL = "random effects that go with usage"
_NAIVE = "standard errors too small without random slopes"
_HARD = "harder tasks that take more use"
_MIX = Phrase("Weighs both slopes: usage before the start counts at the slope without a mandate.")
_DRIFT = "people whose usage and quality drift together"
_REVERSE = "quality that drives usage"
_SEARCH = "regions found by looking everywhere"
