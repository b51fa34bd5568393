"""Pictures of forecasts: the calibration curve, and the miss along a column."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.models.forecast.data import ForecastQuestion, Forecasts
from alc_stats.models.forecast.fits import Judged
from alc_stats.models.forecast.scores import binned
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture
from alc_stats.records import FloatArray, IntArray

GROUPS = 6
"""Equally many forecasts of quantities each; levels of a column that can be shown one by one."""


def pictures(found: Judged) -> tuple[Picture, ...]:
    """The miss by level where that is asked and levels are few, otherwise the calibration curve."""
    q, levels = found.data.question, _levels(found.data)
    if q.by is not None and q.about != "resolution" and 1 < len(levels) <= GROUPS:
        return (_by(found.data, levels),)
    return (_curve(found),)


def _levels(data: Forecasts) -> list[tuple[float, pd.DataFrame]]:
    """Levels of `by` that have enough people."""
    values = [float(v) for v in np.unique(data.rows["by"].to_numpy(dtype=float))]
    if len(values) > GROUPS:
        return []
    rows = [(v, data.rows.loc[data.rows["by"] == v]) for v in values]
    return [(v, part) for v, part in rows if part["person"].nunique() >= FEWEST_PEOPLE]


def _curve(found: Judged) -> Picture:
    data, probability = found.data, found.data.question.kind == "probability"
    bins = binned(data.forecast) if probability else _groups(data.forecast)
    shown = _shown(data.rows, bins)
    x = tuple(float(data.forecast[bins == b].mean()) for b in shown)
    y = tuple(float(data.outcome[bins == b].mean()) for b in shown)
    low, high = _limits(found, bins, shown)
    ends = (0.0, 1.0) if probability else (min((*x, *y)), max((*x, *y)))
    marks = (
        Mark(kind="line", label="perfect calibration", x=ends, y=ends),
        Mark(kind="interval", label="what came", x=x, y=y, low=low, high=high),
    )  # fmt: skip
    resampled = "bootstrap of people" if probability else "means of people"
    logs = " (log)" if data.question.log else ""
    return Picture(
        id="calibration_curve",
        title="What came, by what was forecast",
        caption=f"{len(data.rows)} forecasts of {data.people} people in bins of the forecast; 95 % "
        f"intervals from a {resampled}; bins of fewer than {FEWEST_PEOPLE} people are left out.",
        alt="Mean outcome against mean forecast in bins of the forecast, with intervals and the "
        "line of perfect calibration.",
        x=f"Mean forecast{logs}", y="Share that came" if probability else f"Mean outcome{logs}",
        panels=(Panel(marks=marks),), square=True,
    )  # fmt: skip


def _groups(values: FloatArray) -> IntArray:
    edges = np.quantile(values, np.arange(1, GROUPS) / GROUPS)
    return np.asarray(np.searchsorted(edges, values, side="left"), dtype=np.int64)


def _shown(rows: pd.DataFrame, bins: IntArray) -> list[int]:
    people = rows["person"].groupby(bins).nunique()
    return [int(b) for b in people.index if people[b] >= FEWEST_PEOPLE]


def _limits(
    found: Judged, bins: IntArray, shown: list[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if found.draws is not None:
        low, high = np.nanquantile(found.draws.shares[:, shown], [0.025, 0.975], axis=0)
        return tuple(map(float, low)), tuple(map(float, high))
    pairs = [_of_people(found.data.rows.loc[bins == b], "outcome") for b in shown]
    return tuple(low for _, low, _ in pairs), tuple(high for _, _, high in pairs)


def _of_people(rows: pd.DataFrame, name: str) -> tuple[float, float, float]:
    """Mean of rows, and an interval by the spread of people's sums about it (CR1)."""
    centre = float(rows[name].mean())
    sums = (rows[name] - centre).groupby(rows["person"]).sum()
    people = len(sums)
    se = float(np.sqrt(people / (people - 1) * np.sum(sums**2))) / len(rows)
    half = float(stats.t.ppf(0.975, people - 1)) * se
    return centre, centre - half, centre + half


def _by(data: Forecasts, levels: list[tuple[float, pd.DataFrame]]) -> Picture:
    q = data.question
    column, words = ("miss", "Forecast minus outcome") if q.about == "bias" else _score_words(q)
    limits = [_of_people(rows, column) for _, rows in levels]
    centre, low, high = (tuple(part) for part in zip(*limits, strict=True))
    x = tuple(v for v, _ in levels)
    bars = Mark(kind="interval", label=words, x=x, y=centre, low=low, high=high)
    zero = (Mark(kind="across", y=(0.0,)),) if column == "miss" else ()
    return Picture(
        id="miss_by_level",
        title=f"{words} by {q.by}",
        caption="Means with 95 % intervals clustered by person"
        + ("; above the dashed line people expect more than comes." if zero else "."),
        alt=f"Mean of {words.lower()} at each level of {q.by}, with intervals.",
        x=str(q.by), y=words, panels=(Panel(marks=(*zero, bars)),),
        x_names=tuple((v, f"{v:g}") for v in x),
    )  # fmt: skip


def _score_words(q: ForecastQuestion) -> tuple[str, str]:
    return "score", "Brier score" if q.kind == "probability" else "Absolute miss"
