"""Pictures of a calibration: quarters of the score never without the null band, and the arms."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.models.calibration.data import Rated
from alc_stats.models.calibration.fits import Compared
from alc_stats.models.calibration.statistics import QUARTERS, quarters
from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture


def pictures(found: Compared) -> tuple[Picture, ...]:
    """The quartile plot, and with arms their means."""
    cells = _cells(found.data) if found.data.question.treatment is not None else []
    return (_quartile_plot(found), *((_arms(cells),) if cells else ()))


def _quartile_plot(found: Compared) -> Picture:
    data, shown = found.data, _shown(found.data)
    x = tuple(float(v) for v in found.observed.actual[0][shown])
    y = tuple(float(v) for v in found.observed.own[0][shown])
    drawn = found.band.drawn.own[:, shown]
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    marks = (
        Mark(kind="band", label="null band (noise), 95 %", x=x,
             low=tuple(map(float, low)), high=tuple(map(float, high))),
        Mark(kind="line", label="score itself", x=x, y=x),
        Mark(kind="points", label="self-estimate", x=x, y=y),
    )  # fmt: skip
    return Picture(
        id="quarters",
        title="Self-estimates by quarter of the score, and what noise alone would show",
        caption=f"Mean self-estimate of the quarters of the score, {data.count('person')} people. "
        "Points inside the null band are no evidence that the less able misjudge themselves: noise "
        "and one overestimate for everybody, with these data's own moments, look the same.",
        alt="Mean self-estimate against mean score for up to four quarters of the score, with the "
        "band that a simulated world of noise and a constant overestimate makes, and the line of "
        "perfect self-knowledge.",
        x="Mean score of the quarter", y="Mean self-estimate", panels=(Panel(marks=marks),),
    )  # fmt: skip


def _shown(data: Rated) -> list[int]:
    """Quarters with enough people that nobody can be found."""
    quarter = quarters(data.actual[None])[0]
    people = data.rows["person"].groupby(quarter).nunique()
    return [q for q in range(QUARTERS) if people.get(q, 0) >= FEWEST_PEOPLE]


Cell = tuple[float, str, pd.DataFrame]


def _cells(data: Rated) -> list[Cell]:
    """Arms (and times) of enough people: where they stand, what they are called, their rows."""
    q, table = data.question, data.rows
    times = [(0.0, ", before"), (1.0, ", after")] if q.post else [(0.0, "")]
    arms = [(0.0, q.control or "control"), (1.0, q.treated or "treated")]
    named = [
        (f"{arm}{time}", table.loc[(table["treated"] == a) & (table["post"] == t)])
        for a, arm in arms
        for t, time in times
    ]
    shown = [(name, rows) for name, rows in named if rows["person"].nunique() >= FEWEST_PEOPLE]
    return [(float(place), name, rows) for place, (name, rows) in enumerate(shown)]


def _arms(cells: list[Cell]) -> Picture:
    """Mean self-estimate and score of each arm (and time)."""
    marks = tuple(_means(cells, name, label) for name, label in _BOTH)
    return Picture(
        id="arms",
        title="Self-estimate and score by arm",
        caption="Means of cluster means with 95 % intervals over clusters. The claim is about the "
        "distance of the two, and how it differs between arms.",
        alt="For each arm, and time where there are two, the mean self-estimate and the mean "
        "score, with intervals.",
        x="", y="Points", panels=(Panel(marks=marks),),
        x_names=tuple((place, name) for place, name, _ in cells),
    )  # fmt: skip


_BOTH = (("own", "self-estimate"), ("actual", "score"))


def _means(cells: list[Cell], name: str, label: str) -> Mark:
    limits = [_interval(rows.groupby("cluster")[name].mean()) for _, _, rows in cells]
    centre, low, high = (tuple(part) for part in zip(*limits, strict=True))
    shift = 0.06 if name == "own" else -0.06
    x = tuple(place + shift for place, _, _ in cells)
    return Mark(kind="interval", label=label, x=x, y=centre, low=low, high=high)


def _interval(means: pd.Series) -> tuple[float, float, float]:
    centre = float(means.mean())
    half = float(stats.t.ppf(0.975, len(means) - 1) * means.sem())
    return centre, centre - half, centre + half
