"""Slopes, relearning, the drop by other methods; and the course of outcomes to look at."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.models.finding import Line
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture
from alc_stats.models.shift.evidence import Course
from alc_stats.records import Phrase

OUTCOME = "outcome"
_MIXED = "t, Satterthwaite"


def lines(course: Course) -> tuple[Line, ...]:
    """Everything beside the parts."""
    return (
        *_pieces(course),
        _regained(course),
        *_moderated(course),
        *_others(course),
        _placebo_line(course),
    )


def _line(method: str, guards: str, e: Estimate, *, unit: str = OUTCOME) -> Line:
    return Line.of(e, method, guards, _MIXED, unit=unit)


def _pieces(course: Course) -> list[Line]:
    m = course.model
    rate = f"{OUTCOME} per unit of time"
    return [
        _line("Slope before", "learning that was under way", m.piece("before", name=""), unit=rate),
        _line("Slope after (relearning)", "a loss for good", m.piece("after", name=""), unit=rate),
        _line("Savings: slope after less before", "relearning no faster than learning",
              m.piece("after - before", name=""), unit=rate),
    ]  # fmt: skip


def _regained(course: Course) -> Line:
    """Time until the drop is made up, with Fieller's interval where there is one."""
    method, guards = "Time until the drop is made up", "a loss for good"
    fit, suffix = course.model.fit, course.model.suffix
    drop, after = (contrast(fit, f"`{term}{suffix}`") for term in ("drop", "after"))
    both = contrast(fit, f"`drop{suffix}` + `after{suffix}`")
    covariance = 0.5 * (both.se**2 - drop.se**2 - after.se**2)
    if not (drop.value < 0.0 < after.value):
        return Line(method, guards, Phrase("There is no drop that a rise makes up."))
    critical = float(stats.t.ppf(0.975, min(drop.df, after.df)))
    found = fieller(-drop.value, after.value, (drop.se**2, after.se**2, -covariance), critical)
    note = Phrase("" if found else "No interval: the slope after may be zero.")
    low, high = found or (None, None)
    ratio = -drop.value / after.value
    return Line(method, guards, note, ratio, low, high, None, None,
                "Fieller" if found else "", "units of time")  # fmt: skip


def fieller(
    top: float, below: float, variances: tuple[float, float, float], critical: float
) -> tuple[float, float] | None:
    """Limits of a ratio (Fieller 1954); None where its denominator may be zero.

    Parameters
    ----------
    top, below : float
    variances : (float, float, float)
        Of `top`, of `below`, and their covariance.
    critical : float
        Of the t.

    Examples
    --------
    >>> [round(x, 3) for x in fieller(2.0, 4.0, (0.01, 0.04, 0.0), 2.0)]
    [0.434, 0.576]
    """
    v, w, c = (critical**2 * x for x in variances)
    a, b, d = below**2 - w, top * below - c, top**2 - v
    if a <= 0.0 or b**2 < a * d:
        return None
    half = math.sqrt(b**2 - a * d)
    return (b - half) / a, (b + half) / a


def _moderated(course: Course) -> list[Line]:
    if course.rows.question.adaptive is None:
        return []
    names = {"before": "Slope before", "after": "Slope after (relearning)"}
    return [
        _line(f"{said}, for an SD of the moderator", "a moderator of the level alone",
              course.model.moderated(term, name=""),
              unit=f"{OUTCOME} per unit of time and SD")
        for term, said in names.items()
    ]  # fmt: skip


def _others(course: Course) -> list[Line]:
    others = {
        "Drop, curved course before": ("a learning curve that flattens", course.curved),
        "Drop, without the window of anticipation": ("people who knew", course.donut),
        "Off the line just before": ("people who knew", course.anticipated),
    }
    return [
        Line(method, guards, Phrase(e)) if isinstance(e, str) else _line(method, guards, e)
        for method, (guards, e) in others.items()
    ]


def _placebo_line(course: Course) -> Line:
    found = course.placebos
    return Line(
        "Jump of the mean series, placebo dates", "jumps that are there at any date",
        Phrase("Two straight lines through means, at the event and at earlier dates."), found.jump,
        p=found.p, reference="share of dates", unit=OUTCOME,
    )  # fmt: skip


def pictures(course: Course) -> tuple[Picture, ...]:
    """Mean course by time, less persons' own means before."""
    rows = course.rows.rows
    own = rows.loc[rows["drop"] == 0.0].groupby("person")["outcome"].mean()
    change = rows["outcome"] - rows["person"].map(own)
    marks = []
    sides = {1.0: "touched by the event", 0.0: "not touched"}
    for side, label in sides.items():
        here = rows["exposed"] == side
        mark = _course(rows.loc[here].assign(change=change[here]), label)
        if mark is not None:
            marks.append(mark)
    if not marks:
        return ()
    marks.append(Mark(kind="down", x=(0.0,)))
    return (
        Picture(
            id="course",
            title="Outcomes before and after the shift",
            caption="Mean departure from a person's own mean before the event, with 95 % "
            f"intervals ({rows['person'].nunique()} persons); the dashed line is the event.",
            alt="Means by time with intervals and a dashed line at the event.",
            x="Time from the event",
            y="Change from the own mean before",
            panels=(Panel(marks=tuple(marks)),),
        ),
    )


def _course(rows: pd.DataFrame, label: str) -> Mark | None:
    """Means over units by time, of times with enough people."""
    rows = rows.loc[rows["change"].notna()]
    people = rows.groupby("t")["person"].nunique()
    units = rows.groupby(["t", "unit"])["change"].mean().groupby("t")
    table = pd.DataFrame({"mean": units.mean(), "se": units.std() / np.sqrt(units.size())})
    table = table.loc[people[people >= FEWEST_PEOPLE].index]
    if table.empty:
        return None
    half = 1.96 * table["se"]
    return Mark(
        kind="interval", label=label, x=tuple(map(float, table.index)),
        y=tuple(table["mean"]), low=tuple(table["mean"] - half), high=tuple(table["mean"] + half),
    )  # fmt: skip
