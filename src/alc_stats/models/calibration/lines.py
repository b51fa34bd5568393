"""The triangulation table of a calibration: every statistic beside its null world."""

from __future__ import annotations

import math

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.calibration.fits import Compared
from alc_stats.models.finding import NOTHING, Line
from alc_stats.records import Number, Phrase

_METHODS = {
    "curvature": ("Quadratic curve", "a straight line with regression to the mean"),
    "bend": ("Broken line at the median", "a few extreme scores that make a quadratic"),
    "spread": ("Glejser's test", "a curve in the mean that looks like spread"),
    "bias": ("Stacked model, bias between arms", "a difference score regressed on its own part"),
    "resolution": ("Slope between arms", "a shift of the mean"),
}


def lines(found: Compared, *, level: float) -> tuple[Line, ...]:
    """Every line; the one the verdict rests on is marked."""
    return (
        *(_line(found, name, level) for name in _METHODS if name in found.estimates),
        *_spread_model(found, level),
        *(_raw(found, name, level) for name in _RAW if name in found.raw),
        _resolution(found, level),
        _naive(found, level),
    )


_RAW = {
    "bias_overall": (
        "Bias of everybody",
        "nothing: a constant overestimate is part of the null world",
    ),
    "bias_control": ("Bias, control", "a difference that hides both arms' levels"),
    "bias_treated": ("Bias, treated", "a difference that hides both arms' levels"),
    "resolution_control": ("Slope, control", "a difference that hides both arms' slopes"),
    "resolution_treated": ("Slope, treated", "a difference that hides both arms' slopes"),
    "correlation": (
        "Correlation of everybody with ability",
        "an unreliable score; error of self-estimates is left in",
    ),
}


def _line(found: Compared, name: str, level: float) -> Line:
    low, high = found.band.limits(name)
    note = Phrase(
        "The null world gives {null_low} to {null_high}; p by simulation {null_p}.",
        {
            "null_low": Number(low),
            "null_high": Number(high),
            "null_p": Number(found.p(name), "p"),
        },
    )
    primary = name == found.data.question.asked
    how = _reference(found, name)
    return _of(found.estimates[name], _METHODS[name], how, level, note, primary=primary)


def _raw(found: Compared, name: str, level: float) -> Line:
    method, guards = _RAW[name]
    after = found.data.question.post and name.endswith(("control", "treated"))
    named = (f"{method}, after" if after else method, guards)
    return _of(found.raw[name], named, _reference(found, name), level)


def _reference(found: Compared, name: str) -> str:
    """Where interval and p come from; stacked rows always share a person."""
    if name == "correlation":
        return "t, delta method"
    alone = found.data.count("cluster") == len(found.data.rows)
    return "t, HC3" if alone and not name.startswith("bias") else "t, CR2 Satterthwaite"


def _of(
    e: Estimate, named: tuple[str, str], how: str, level: float, note: Phrase = NOTHING,
    *, primary: bool = False,
) -> Line:  # fmt: skip
    low, high = e.interval(level)
    df = e.df if math.isfinite(e.df) else None
    return Line(*named, note, e.value, low, high, e.p_value, df, how, e.unit, primary)


def _spread_model(found: Compared, level: float) -> tuple[Line, ...]:
    e = found.raw.get("spread_model")
    if e is None:
        return ()
    low, high = e.interval(level)
    return (
        Line(
            "Location-scale model, log SD by score", "what absolute residuals lose in efficiency",
            Phrase("The null world is not taken off; rows are taken as independent."), e.value,
            low, high, e.p_value, e.df if math.isfinite(e.df) else None, "likelihood", "log SD",
        ),
    )  # fmt: skip


def _resolution(found: Compared, level: float) -> Line:
    """The slope on ability: that on the score divided by the score's reliability."""
    e, reliability = found.raw["slope"], found.band.reliability
    low, high = (x / reliability for x in e.interval(level))
    note = Phrase(
        "Slope on the score {slope}, divided by its reliability {slope_reliability}, whose own "
        "uncertainty is not carried.",
        {"slope": Number(e.value), "slope_reliability": Number(reliability)},
    )
    return Line(
        "Resolution of everybody", "an unreliable score that flattens the slope", note,
        e.value / reliability, low, high, e.p_value, e.df if math.isfinite(e.df) else None,
        "t of the slope", "points per point",
    )  # fmt: skip


def _naive(found: Compared, level: float) -> Line:
    """What a quartile plot is read for, with the band that it is usually shown without."""
    low, high = found.band.limits("quartile_gap", level)
    return Line(
        "Lowest minus highest quarter, null band", "reading a quartile plot without its null band",
        Phrase("Low and high are the band of the null world, not an interval of the value."),
        found.value("quartile_gap"), low, high, found.p("quartile_gap"), None, "simulation",
        "points",
    )  # fmt: skip
