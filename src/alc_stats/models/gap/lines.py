"""The same gap counted in other units, and by other inference: one line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from alc_stats.errors import AlcError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.decision import Criterion, decide, own_p
from alc_stats.models.finding import Line
from alc_stats.models.gap.comparison import By, Gap
from alc_stats.models.gap.data import Level
from alc_stats.models.gap.fits import PAIR
from alc_stats.records import Number, Phrase

_DIFFERENCE: dict[Level, float] = {"awareness": 1.0, "capability": -1.0}


def gap_lines(found: Gap) -> tuple[Line, ...]:
    """What is derived from the parts, then other units and other inference."""
    return (
        _difference(found), _unchanged(found), *_other_inference(found),
        *_latent(found), *_pomp(found), *_true_scores(found), *_difference_score(found),
    )  # fmt: skip


def line(
    estimate: Estimate,
    method: str,
    guards: str,
    how: str,
    *,
    level: float,
    unit: str = "SD",
    note: Phrase = Phrase(""),  # noqa: B008 - frozen
) -> Line:
    """An estimate as a line."""
    return Line.of(estimate, method, guards, how, level=level, note=note, unit=unit)


def reference(found: Gap, by: By) -> str:
    """Where intervals and p values come from."""
    if by == "CR2":
        return f"t, CR2 by {found.data.unit_name}, Satterthwaite"
    if found.data.assigned_whole:
        return f"t, HC2, {found.data.unit_name} as unit"
    return f"paired t, {found.data.unit_name} as unit"


def _level(found: Gap) -> float:
    return 1.0 - found.alpha


def _difference(found: Gap) -> Line:
    name = "Awareness minus capability"
    own = found.effect(_DIFFERENCE, name)
    guards = "two verdicts that differ where the effects do not"
    r = found.pair.correlation
    note = Phrase(
        "One model of both; what their residuals on one occasion share (r {residual_correlation}) "
        "is in the robust error.",
        {"residual_correlation": Number(r, "estimate", "r")},
    ) if r is not None else Phrase("One model of both.")  # fmt: skip
    return line(own, name, guards, reference(found, found.by), level=_level(found), note=note)


def _unchanged(found: Gap) -> Line:
    """Two one-sided tests of capability against its smallest effect."""
    name = "Capability does not change"
    own = found.effect({"capability": 1.0}, name)
    criterion = Criterion("equivalence", found.data.question.smallest_capability, alpha=found.alpha)
    low, high = own.interval(1.0 - 2.0 * found.alpha)
    note = decide(own, criterion).reason
    guards = "capability that falls, which non-superiority does not tell from no change"
    return Line(
        name, guards, note, own.value, low, high, own_p(own, criterion), own.df,
        f"two one-sided tests, {reference(found, found.by)}", "SD",
    )  # fmt: skip


def _untold(found: Gap, error: AlcError) -> Phrase:
    """Why there is no number; the model's own columns mean nothing to a reader."""
    if not found.data.covariates:
        return Phrase.verbatim(str(error))
    return Phrase.verbatim(f"Too few {found.data.unit_name}s to tell the covariates, each one row.")


def _other_inference(found: Gap) -> Iterator[Line]:
    other: By = "units" if found.by == "CR2" else "CR2"
    named: dict[str, Mapping[Level, float]] = {
        "awareness": {"awareness": 1.0},
        "capability": {"capability": 1.0},
        "awareness minus capability": _DIFFERENCE,
    }
    clusters = found.data.unit_name
    for name, weights in named.items():
        method = f"{name.capitalize()}, {f'{clusters} as unit' if other == 'units' else 'CR2'}"
        guards = f"few {clusters}s"
        try:
            own = found.effect(weights, name, by=other)
        except AlcError as error:
            yield Line(method, guards, _untold(found, error), unit="SD")
        else:
            yield line(own, method, guards, reference(found, other), level=_level(found))
    for name, weights in [*named.items()][:2]:
        yield line(
            found.model_effect(weights, name), f"{name.capitalize()}, model-based",
            "a random part that is wrong, which this line trusts", "t, Satterthwaite",
            level=_level(found),
        )  # fmt: skip


def _pomp(found: Gap) -> Iterator[Line]:
    """Percent of the maximum possible: the same whatever anybody's SD."""
    factors: dict[Level, float] = {}
    for outcome in PAIR:
        low, high = found.data.question.bounds(outcome) or (-math.inf, math.inf)
        if math.isfinite(high - low):
            factors[outcome] = 100.0 * found.data.baselines[outcome].sd / (high - low)
    yield from _scaled(found, factors, "percent of the range", "points of 100",
                       "an SD that is small or large by itself")  # fmt: skip


def _true_scores(found: Gap) -> Iterator[Line]:
    """An SD of true scores is the SD seen times the root of the reliability."""
    factors = {
        o: 1.0 / math.sqrt(alpha) for o in PAIR if (alpha := found.reliability(o)) is not None
    }
    yield from _scaled(found, factors, "true-score SDs", "true-score SD",
                       "error in the SD, which makes every effect look small")  # fmt: skip


def _scaled(
    found: Gap, factors: Mapping[Level, float], how: str, unit: str, guards: str
) -> Iterator[Line]:
    named: list[tuple[str, Mapping[Level, float]]] = [(o, {o: f}) for o, f in factors.items()]
    if len(factors) == 2:
        both = {o: _DIFFERENCE[o] * f for o, f in factors.items()}
        named.append(("awareness minus capability", both))
    for name, weights in named:
        yield line(
            found.effect(weights, name), f"{name.capitalize()}, {how}", guards,
            reference(found, found.by), level=_level(found), unit=unit,
        )  # fmt: skip


def _latent(found: Gap) -> Iterator[Line]:
    for outcome, own in found.censored.items():
        method = f"{outcome.capitalize()}, censored model"
        guards = "a floor or ceiling that hides an effect"
        if isinstance(own, str):
            yield Line(method, guards, Phrase.verbatim(own), unit="SD")
        else:
            how = f"t, CR1, {found.data.unit_name}s - 1"
            yield line(own, method, guards, how, level=_level(found))


def _difference_score(found: Gap) -> Iterator[Line]:
    """What a difference score of the two would be worth: (a + c - 2r) / (2 - 2r) in SDs."""
    a, c = (found.reliability(o) for o in PAIR)
    if a is None or c is None:
        return
    rows = found.data.rows
    at = (rows["treated"] == 0.0) & (rows["post"] == 0.0)
    r = float(rows.loc[at, list(PAIR)].corr().to_numpy()[0, 1])
    note = Phrase(
        "At baseline, from reliabilities {reliability_awareness} and {reliability_capability} and "
        "a correlation of {r}: not used, since it holds both effects to one size.",
        {
            "reliability_awareness": Number(a, "ratio"),
            "reliability_capability": Number(c, "ratio"),
            "r": Number(r, "estimate", "r"),
        },
    )
    guards = "a difference score that is mostly error"
    yield Line(
        "Reliability of the difference score", guards, note, (a + c - 2.0 * r) / (2.0 - 2.0 * r),
        unit="ratio",
    )  # fmt: skip
