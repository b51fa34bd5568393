"""The piecewise mixed model of a shift: a line before, a drop at the event, a line after.

Coding of discontinuous growth models (Bliese and Lang 2016): `drop` is the difference between the
first occasion of the new and the line of the old carried on to it; `before` and `after` are the
slopes themselves. With persons whom the event did not touch, everything is a difference from what
happens to them at the same time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators import Estimate, Fit, fit
from alc_stats.inference import contrast
from alc_stats.models.shift.data import ShiftData
from alc_stats.records import FloatArray

_PIECES = ("before", "drop", "after")
_RANDOM = (
    "(1 + drop + before + after | person)",
    "(1 + drop + after | person)",
    "(1 + drop + before + after || person)",
    "(1 + drop + after || person)",
    "(1 + drop || person)",
    "(1 | person)",
)
"""Maximal first; the next where the certificate is not usable."""


@dataclass(frozen=True, slots=True, eq=False)
class Piecewise:
    """A fit, and the names of the pieces among exposed persons.

    Attributes
    ----------
    fit : Fit
    suffix : str
        ":exposed" where others are the comparison, "" without.
    random : str
        The random part.
    most : float
        Degrees of freedom of what was exposed.
    """

    fit: Fit
    suffix: str
    random: str
    most: float

    def piece(self, expression: str, *, name: str) -> Estimate:
        """A contrast of pieces such as "after - before" among the exposed."""
        for term in _PIECES:
            expression = expression.replace(term, f"`{term}{self.suffix}`")
        e = contrast(self.fit, expression)
        return Estimate(name, e.value, e.se, min(e.df, self.most), e.unit)

    def moderated(self, term: str, *, name: str) -> Estimate:
        """How a piece changes with one SD of the moderator."""
        e = contrast(self.fit, f"`{term}{self.suffix}:adaptive`")
        return Estimate(name, e.value, e.se, min(e.df, self.most), e.unit)


def piecewise(data: ShiftData, *, extra: str = "", rows: pd.DataFrame | None = None) -> Piecewise:
    """The model with the fullest random part whose certificate is usable.

    Raises
    ------
    FitError
        If there is none.
    """
    rows = (data.rows if rows is None else rows).copy()
    fixed = _fixed(data) + extra
    firm = " + (1 + drop || firm)" if data.question.firm else ""
    task = " + (1 | task)" if data.question.task else ""
    last: FitError | None = None
    for random in _RANDOM:
        try:
            found = fit(f"outcome ~ {fixed} + {random}{firm}{task}", rows)
        except FitError as error:
            last = error
            continue
        if found.certificate.usable:
            return Piecewise(found, _suffix(data), random + firm + task, _most(data))
    raise last or FitError("no piecewise model has a usable certificate")


def _suffix(data: ShiftData) -> str:
    return ":exposed" if data.controlled else ""


def _most(data: ShiftData) -> float:
    sides = data.rows.groupby("unit")["exposed"].first()
    return float(len(sides) - (2 if data.controlled else 1)) if data.question.firm else math.inf


def _fixed(data: ShiftData) -> str:
    """Pieces; with controls times of their own for everybody, and pieces of the exposed."""
    pieces = [*_PIECES]
    if data.controlled:
        pieces += ["exposed", *(f"{p}:exposed" for p in _PIECES)]
    if data.question.adaptive:
        own = [*_PIECES, *([f"{p}:exposed" for p in _PIECES] if data.controlled else [])]
        pieces += ["adaptive", *(["exposed:adaptive"] if data.controlled else [])]
        pieces += [f"{p}:adaptive" for p in own]
    if data.question.benchmark:
        pieces.append("benchmark")
    return " + ".join([*pieces, *data.covariates])


@dataclass(frozen=True, slots=True, eq=False)
class Placebos:
    """Jumps of the mean series at dates where nothing happened.

    Attributes
    ----------
    jump : float
        At the event, from the same window.
    dates : array
        Times before the event, as distances from it.
    jumps : array
    p : float
        Share of dates, the event's among them, with a jump at least as large.
    """

    jump: float
    dates: FloatArray
    jumps: FloatArray
    p: float


def placebos(data: ShiftData) -> Placebos:
    """The jump of the mean series at every earlier date, and at the event.

    Lines by least squares on either side, with at least two times each; at an earlier date from
    the times before the event alone.
    """
    series = _series(data)
    times = series.index.to_numpy(float)
    quiet = series[times < 0.0]
    dates = np.asarray([t for t in quiet.index if 2 <= (quiet.index < t).sum() <= len(quiet) - 2])
    jumps = np.array([_jump(quiet, t) for t in dates])
    own = _jump(series, float(times[times >= 0.0][0]))
    p = (1 + int(np.sum(np.abs(jumps) >= abs(own)))) / (1 + len(jumps))
    return Placebos(own, dates, jumps, p)


def _series(data: ShiftData) -> pd.Series:
    """Mean of persons' departures from their own mean, by time; exposed less others."""
    own = data.rows["outcome"] - data.rows.groupby("person")["outcome"].transform("mean")
    sides = data.rows["exposed"] == 1.0
    exposed = own[sides].groupby(data.rows["t"]).mean()
    if not data.controlled:
        return exposed
    return (exposed - own[~sides].groupby(data.rows["t"]).mean()).dropna()


def _jump(series: pd.Series, date: float) -> float:
    t = series.index.to_numpy(float) - date
    late = t >= 0.0
    X = np.column_stack([np.ones(len(t)), np.where(late, 0.0, t), late, np.where(late, t, 0.0)])
    return float(np.linalg.lstsq(X, series.to_numpy(float), rcond=None)[0][2])


def baseline_sd(data: ShiftData) -> float:
    """SD of outcomes before the event about the mean of their time."""
    rows = data.rows.loc[data.rows["drop"] == 0.0]
    cell = rows.groupby("t")["outcome"]
    within = rows["outcome"] - cell.transform("mean")
    return float(np.sqrt((within**2).sum() / (len(rows) - cell.ngroups)))
