"""Gains of every arm and level on both scales, and the key contrast by other methods."""

from __future__ import annotations

import math

from alc_stats.errors import AlcError
from alc_stats.estimators.estimate import Estimate
from alc_stats.models.finding import Line
from alc_stats.models.transfer.answer import Answer, farther
from alc_stats.models.transfer.fits import Gain, gain_of, without_tasks
from alc_stats.models.transfer.logistic import LogisticModel
from alc_stats.records import Number, Phrase

LOG_ODDS = "log odds"
SCORE = "score"
MIXED = "t, Satterthwaite"


def lines(answer: Answer) -> tuple[Line, ...]:
    """Gains first, then other methods."""
    return (
        *_gains(answer),
        *_differences(answer),
        *_log_odds(answer),
        *_other_methods(answer),
    )


def _reference(answer: Answer) -> str:
    return "t, logistic, averaged" if isinstance(answer.logistic, LogisticModel) else MIXED


def _line(
    method: str, guards: str, e: Estimate, reference: str, note: Phrase | None = None
) -> Line:
    return Line.of(e, method, guards, reference, note=note or Phrase(""), unit=e.unit or SCORE)


def _pairs(answer: Answer) -> list[tuple[str, str]]:
    """Every arm over the reference, and schema over usage."""
    pairs = [(arm, answer.rows.reference) for arm in answer.rows.others]
    if answer.has("usage", "schema") and ("schema", "usage") not in pairs:
        pairs.append(("schema", "usage"))
    return pairs


def _gains(answer: Answer) -> list[Line]:
    found = []
    for arm, other in _pairs(answer):
        for level in answer.rows.levels:
            e = answer.over(level, arm, other)
            method = f"{arm.capitalize()} over {other}, {level} tasks"
            found.append(_line(method, "a gain at one distance only", e, _reference(answer)))
    return found


def _differences(answer: Answer) -> list[Line]:
    if "familiar" not in answer.rows.levels:
        return []
    return [
        _line(
            f"{arm.capitalize()} over {other}, far less familiar",
            "a gain on every kind of task",
            answer.far_less_familiar(arm, other),
            _reference(answer),
        )
        for arm, other in _pairs(answer)
    ]


def _log_odds(answer: Answer) -> list[Line]:
    """The same gains in log odds."""
    if answer.rows.bounds is None:
        return []
    found = []
    for arm, other in _pairs(answer):
        at = {f"{k} tasks": gain_of(k, arm, other) for k in answer.rows.levels}
        if "familiar" in answer.rows.levels:
            at["far less familiar"] = farther(arm, other)
        for tail, of in at.items():
            method = f"{arm.capitalize()} over {other}, {tail}, log odds"
            found += _in_log_odds(method, answer.log_odds(of))
    return found


def _in_log_odds(method: str, e: Estimate | float) -> list[Line]:
    guards = "a floor or ceiling of the scale"
    if isinstance(e, Estimate):
        return [_line(method, guards, e, "t, logistic mixed model")]
    if not math.isfinite(e):
        return []
    return [Line(method, guards, _OF_MEANS, e, reference="sign only", unit=LOG_ODDS)]


_OF_MEANS = Phrase("Of mean scores, as shares of the scale; the starting point is the untreated.")


def _other_methods(answer: Answer) -> list[Line]:
    level, arm, other = answer.key
    of = gain_of(level, arm, other)
    name = f"{arm.capitalize()} over {other}, {level} tasks"
    found = [
        _units(answer, name),
        _held(answer, name, of),
        *_naive(answer, name, of),
    ]
    equal = answer.equal_difficulty
    if isinstance(equal, Estimate):
        method = f"{arm.capitalize()} over {other}, far less familiar, equally hard tasks"
        found.append(_line(method, "far tasks that are only hard", equal, MIXED))
    return found


def _units(answer: Answer, name: str) -> Line:
    method, guards = f"{name}, units as units", "few clusters taken for many people"
    if answer.by_units is None:
        return Line(method, guards, _NOT_EXCHANGED)
    alone, exchanged = answer.by_units
    low, high = alone.interval()
    return Line(method, guards, _EXCHANGED, alone.value, low, high, exchanged.p, alone.df,
                "permutation p; t interval", SCORE)  # fmt: skip


_NOT_EXCHANGED = Phrase("Not with covariates, which whole units that are exchanged would share.")
_EXCHANGED = Phrase("Scores less the means of their tasks; whole units exchanged between arms.")


def _held(answer: Answer, name: str, of: Gain) -> Line:
    method, guards = f"{name}, means of tasks held", "a wrong random part"
    if isinstance(answer.fixed, str):
        return Line(method, guards, Phrase(answer.fixed.replace("{", "(").replace("}", ")")))
    return _line(method, guards, answer.fixed.gain(of), "t, CR2 Satterthwaite")


def _naive(answer: Answer, name: str, of: Gain) -> list[Line]:
    """The contrast as it looks when tasks are taken as fixed (Clark 1973)."""
    if not any("task" in g.split(":") for g in answer.model.groupings):
        return []
    try:
        naive = without_tasks(answer.rows, answer.model).gain(of)
    except AlcError:
        return []
    own = answer.model.gain(of)
    said = Phrase("Not for a verdict: its standard error is {se_share} of the one with tasks as a "
                  "sample.", {"se_share": Number(naive.se / own.se, "share")})  # fmt: skip
    method = f"{name}, tasks not sampled (naive)"
    return [_line(method, "shows what tasks as fixed would claim", naive, "t, Satterthwaite", said)]
