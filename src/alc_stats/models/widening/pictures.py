"""Columns of the figures that go with a widening; no point stands for fewer than five people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from alc_stats.data.privacy import suppress
from alc_stats.models.widening.data import SpreadData
from alc_stats.models.widening.unit_spreads import group_spreads, measurable
from alc_stats.records import Cell

FEWEST_PEOPLE = 5
"""Behind every point, and beyond every quantile that is drawn."""
STEPS = 40
"""Of a caterpillar, in each arm."""
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
_NORMAL = 1.959964

Columns = dict[str, tuple[Cell, ...]]


def arm_names(data: SpreadData) -> dict[float, str]:
    """What the arms are called."""
    c = data.columns
    return {0.0: c.control or f"{c.treatment} 0", 1.0: c.treated or f"{c.treatment} 1"}


def mean_variance_columns(data: SpreadData) -> Columns:
    """Log SD against mean by arm: group, x, value.

    A point is a firm and time of at least five people; without firms, some persons in a row by
    their mean.
    """
    if data.kind == "firms":
        table = measurable(group_spreads(data))
        table = table.loc[~suppress(table["n"].to_list(), k=FEWEST_PEOPLE)]
    else:
        table = _neighbours(_person_spreads(data), by="mean")
    names, table = arm_names(data), table.sort_values(["treated", "mean"], kind="stable")
    rows = [(names[t], m, s) for t, m, s in table[["treated", "mean", "log_sd"]].to_numpy(float)]
    return _columns(("group", "x", "value"), rows)


def fan_columns(data: SpreadData) -> Columns:
    """Quantiles of the outcome by arm and wave: group, x, x_label, share, value.

    A quantile is None unless at least five people lie beyond it.
    """
    names = arm_names(data)
    waves = {w: float(i) for i, w in enumerate(sorted(data.rows["wave"].unique()))}
    rows: list[tuple[Cell, ...]] = []
    for (arm, wave), part in data.rows.groupby(["treated", "wave"], observed=True):
        treated = float(str(arm))
        people, y = part["person"].nunique(), part["outcome"].to_numpy(float)
        for share in SHARES:
            seen = min(share, 1.0 - share) * people >= FEWEST_PEOPLE
            value = float(np.quantile(y, share)) if seen else None
            rows.append((names[treated], waves[wave], str(wave), share, value))
    return _columns(("group", "x", "x_label", "share", "value"), rows)


def caterpillar_columns(data: SpreadData) -> Columns:
    """Log SDs in order with 95 % sampling intervals by arm: group, x, value, low, high, people.

    Of persons where they have rows enough, averaged over neighbours in rank so that at least five
    stand behind every point; of firms otherwise.
    """
    persons = _person_spreads(data) if data.repeated else None
    if persons is not None and len(persons) >= 2 * FEWEST_PEOPLE:
        table = _neighbours(persons, by="log_sd")
    else:
        table = measurable(group_spreads(data)).assign(people=lambda t: t["n"])
        table = table.loc[~suppress(table["n"].to_list(), k=FEWEST_PEOPLE)]
    names = arm_names(data)
    table = table.sort_values(["treated", "log_sd"])
    arm = table.groupby("treated")["log_sd"]
    table = table.assign(x=(arm.cumcount() + 0.5) / arm.transform("size"))
    half = _NORMAL * np.sqrt(table["variance"].to_numpy(float))
    value = table["log_sd"].to_numpy(float)
    rows = [
        (names[t], float(x), float(v), float(v - h), float(v + h), float(k))
        for t, x, v, h, k in zip(
            table["treated"], table["x"], value, half, table["people"], strict=True
        )
    ]
    return _columns(("group", "x", "value", "low", "high", "people"), rows)


def _person_spreads(data: SpreadData) -> pd.DataFrame:
    """Bias-corrected log SD of every person's rows in each arm, with mean and sampling variance."""
    known = data.rows.loc[data.rows["centred"].notna()]
    by = known.groupby(["treated", "person"], observed=True)
    table = by.agg(
        n=("centred", "size"), sd=("centred", "std"), mean=("outcome", "mean")
    ).reset_index()
    table = table.loc[(table["n"] >= 3) & (table["sd"] > 0.0)].copy()
    table["variance"] = 0.5 / (table["n"] - 1.0)
    table["log_sd"] = np.log(table["sd"]) + table["variance"]
    return table


def _neighbours(table: pd.DataFrame, *, by: str) -> pd.DataFrame:
    """Means over neighbours in the order of a column, arm by arm, at least five in each."""
    return pd.concat([*_grouped_neighbours(table, by)], ignore_index=True)


def _grouped_neighbours(table: pd.DataFrame, by: str) -> Iterator[pd.DataFrame]:
    empty = pd.DataFrame(columns=["treated", "mean", "log_sd", "variance", "people"], dtype=float)
    yield empty
    for treated in (0.0, 1.0):
        arm = table.loc[table["treated"] == treated]
        steps = min(STEPS, len(arm) // FEWEST_PEOPLE)
        if steps == 0:
            continue
        place = np.arange(len(arm)) * steps // len(arm)
        ordered = arm.sort_values(by, kind="stable").assign(place=place, people=1.0)
        means = ordered.groupby("place")[["mean", "log_sd", "variance"]].mean()
        people = ordered.groupby("place")["people"].sum()
        yield means.assign(treated=treated, people=people).reset_index(drop=True)


def _columns(names: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> Columns:
    return {name: tuple(row[i] for row in rows) for i, name in enumerate(names)}
