"""What there is to see of transfer: gains by novelty, and the means behind them."""

from __future__ import annotations

import math

import pandas as pd

from alc_stats.models.picture import FEWEST_PEOPLE, Mark, Panel, Picture
from alc_stats.models.transfer.answer import Answer


def _name(answer: Answer, arm: str) -> str:
    """What the data call an arm."""
    return str(getattr(answer.rows.question, arm) or arm)


def pictures(answer: Answer) -> tuple[Picture, ...]:
    """Gains of the arms by novelty; mean scores by novelty and time."""
    return (_gains(answer), *_means(answer))


def _gains(answer: Answer) -> Picture:
    reference = _name(answer, answer.rows.reference)
    several = len(answer.rows.levels) > 1
    gain = f"Gain over {reference} (units of the score)"
    return Picture(
        id="gains",
        title="Gains by how new the tasks are" if several else "Gains on far tasks",
        caption=f"Gain over {reference} with 95 % intervals, persons and tasks as samples "
        f"({_size(answer)}). Dashed lines: no gain, and the smallest gain of interest.",
        alt="Intervals of gains for each arm, with lines at no gain and at the smallest gain of "
        "interest.",
        x="Novelty of the tasks" if several else gain,
        y=gain if several else "",
        panels=(Panel(marks=_by_novelty(answer) if several else _forest(answer)),),
        x_names=_level_names(answer) if several else (),
    )


def _forest(answer: Answer) -> tuple[Mark, ...]:
    estimates = [answer.over("far", arm, answer.rows.reference) for arm in answer.rows.others]
    limits = [e.interval() for e in estimates]
    rows = Mark(
        kind="row", texts=tuple(_name(answer, arm) for arm in answer.rows.others),
        x=tuple(e.value for e in estimates),
        low=tuple(low for low, _ in limits), high=tuple(high for _, high in limits),
    )  # fmt: skip
    return rows, Mark(kind="down", x=(0.0, answer.smallest))


def _by_novelty(answer: Answer) -> tuple[Mark, ...]:
    marks = []
    for i, arm in enumerate(answer.rows.others):
        estimates = [answer.over(k, arm, answer.rows.reference) for k in answer.rows.levels]
        limits = [e.interval() for e in estimates]
        marks.append(
            Mark(
                kind="interval", label=_name(answer, arm),
                x=_places(answer, i, len(answer.rows.others)),
                y=tuple(e.value for e in estimates),
                low=tuple(low for low, _ in limits), high=tuple(high for _, high in limits),
            )
        )  # fmt: skip
    return (*marks, Mark(kind="across", y=(0.0, answer.smallest)))


def _places(answer: Answer, arm: int, arms: int) -> tuple[float, ...]:
    """Where an arm's marks stand: beside each other at each level."""
    shift = 0.12 * (arm - (arms - 1) / 2.0)
    return tuple(i + shift for i in range(len(answer.rows.levels)))


def _level_names(answer: Answer) -> tuple[tuple[float, str], ...]:
    return tuple((float(i), level) for i, level in enumerate(answer.rows.levels))


def _means(answer: Answer) -> tuple[Picture, ...]:
    if len(answer.rows.levels) < 2:
        return ()
    rows = answer.rows.rows
    times = [0.0, 1.0] if answer.rows.did else [1.0]
    panels = []
    for time in times:
        here = rows.loc[rows["post"] == time]
        marks = [m for arm in (answer.rows.reference, *answer.rows.others)
                 if (m := _mean_mark(answer, here, arm)) is not None]  # fmt: skip
        title = ("before" if time == 0.0 else "after") if answer.rows.did else ""
        panels.append(Panel(marks=tuple(marks), title=title))
    if not any(p.marks for p in panels):
        return ()
    return (
        Picture(
            id="means",
            title="Mean scores by how new the tasks are",
            caption="Means of persons' mean scores with 95 % intervals over what was assigned "
            f"({_size(answer)}).",
            alt="Mean scores of each arm from familiar to far tasks.",
            x="Novelty of the tasks",
            y="Mean score",
            panels=tuple(panels),
            x_names=_level_names(answer),
        ),
    )


def _mean_mark(answer: Answer, here: pd.DataFrame, arm: str) -> Mark | None:
    x: list[float] = []
    y: list[float] = []
    half: list[float] = []
    arms = (answer.rows.reference, *answer.rows.others)
    places = _places(answer, arms.index(arm), len(arms))
    for place, level in zip(places, answer.rows.levels, strict=True):
        cell = here.loc[(here["arm"] == arm) & (here["level"] == level)]
        if cell["person"].nunique() < FEWEST_PEOPLE:
            continue
        units = cell.groupby("unit")["score"].mean()
        x.append(place)
        y.append(float(units.mean()))
        half.append(
            1.96 * float(units.std()) / math.sqrt(len(units)) if len(units) > 1 else math.nan
        )
    if not x:
        return None
    return Mark(
        kind="interval", label=_name(answer, arm), x=tuple(x), y=tuple(y),
        low=tuple(a - b for a, b in zip(y, half, strict=True)),
        high=tuple(a + b for a, b in zip(y, half, strict=True)),
    )  # fmt: skip


def _size(answer: Answer) -> str:
    persons = answer.rows.rows["person"].nunique()
    tasks = sum(answer.rows.tasks(level) for level in answer.rows.levels)
    return f"{persons} persons" + (f", {tasks} tasks" if tasks else "")
