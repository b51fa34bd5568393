"""Where a difference in spread may come from: schemas, people who came or left, reliability."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.inference.unit_contrast import UnitSums
from alc_stats.measures.scales import reliability
from alc_stats.models.widening.data import SpreadData, within_groups
from alc_stats.models.widening.unit_spreads import (
    Target,
    between_sums,
    square_sums,
    target_of,
)
from alc_stats.records import BoolArray, FloatArray

_WIDTH = 0.95


@dataclass(frozen=True, slots=True)
class Explained:
    """How much of the difference goes when schema accuracy is held, with a bootstrap interval.

    Attributes
    ----------
    without, held : float
        Difference in log SD without the schema terms, and with them in the mean.
    low, high : float
        Limits of the part that goes, `without` - `held`.
    share : float
        Of `without` that goes.
    draws : int
    """

    without: float
    held: float
    low: float
    high: float
    share: float
    draws: int

    @property
    def part(self) -> float:
        """What goes, log SD."""
        return self.without - self.held


def explained(
    data: SpreadData, target: Target, *, generator: np.random.Generator, draws: int
) -> Explained | str:
    """The difference in log SD without and with schema accuracy in the mean of every arm and time.

    Accurate schemas pull away if the spread that treatment adds lies along schema accuracy: its
    slope grows, and what is left around it spreads less. Slopes are held at their estimates while
    units are drawn.
    """
    rows = data.rows
    complete = rows[data.schemas].notna().all(axis=1).to_numpy()
    if complete.sum() <= 0:
        return "No row has the schema columns and the outcome."
    some = data.of(complete)
    left = _without_schemas(some)
    if target == "between":
        pair = (between_sums(some), between_sums(some, left))
    else:
        pair = (_squares(some, None), _squares(some, left))
    before, after = (s.value() for s in pair)
    seeds = generator.integers(2**63, size=1)[0]
    drawn = [s.resampled(np.random.default_rng(seeds), draws) for s in pair]
    parts = (drawn[0] - drawn[1])[np.isfinite(drawn[0] - drawn[1])]
    if not (math.isfinite(before - after) and parts.size):
        return "The spread around the schemas has no logarithm."
    tail = (1.0 - _WIDTH) / 2.0
    low, high = (float(q) for q in np.quantile(parts, [tail, 1.0 - tail]))
    return Explained(before, after, low, high, (before - after) / before, int(parts.size))


def _squares(data: SpreadData, centred: FloatArray | None) -> UnitSums:
    if centred is None:
        return square_sums(data)
    return square_sums(SpreadData(
        data.rows.assign(centred=centred), data.columns, data.kind, data.repeated, data.did
    ))  # fmt: skip


def _without_schemas(data: SpreadData) -> FloatArray:
    """Centred outcomes less their regression on the schemas, arm by arm and time by time."""
    rows = data.rows
    out = rows["centred"].to_numpy(float).copy()
    x = within_groups(rows[data.schemas].to_numpy(float), rows["group"])
    known = ~np.isnan(out)
    for index in rows.loc[known].groupby(["treated", "post"]).indices.values():
        at = np.flatnonzero(known)[index]
        slope, *_ = np.linalg.lstsq(x[at], out[at], rcond=None)
        fitted = x[at] @ slope
        # what k slopes take from n rows by chance is given back
        free = len(at) / max(len(at) - x.shape[1], 1)
        out[at] = (out[at] - fitted) * math.sqrt(free)
    return out


# -- people who came or left ---------------------------------------------------------------------


def stayers(data: SpreadData) -> BoolArray | None:
    """Rows of persons seen before and after (in every wave, without a time before).

    None where persons are seen once, so that nobody can be followed.
    """
    if not data.columns.person or data.kind == "within" or not (data.repeated or data.did):
        return None
    side = "post" if data.did else "wave"
    waves = data.rows[side].nunique()
    if waves < 2:
        return None
    seen = data.rows.groupby("person", observed=True)[side].transform("nunique")
    return np.asarray(seen == waves)


def same_target(data: SpreadData, target: Target) -> bool:
    """Whether fewer rows still speak to the same spread, in both arms."""
    enough = all(data.units(treated=side) >= 2 for side in (True, False))
    return enough and target_of(data) == target and bool(data.rows["centred"].notna().any())


# -- reliability ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CellReliability:
    """Alpha of the items in one arm and time, and the standard error of its logarithm."""

    treated: float
    post: float
    alpha: float
    log_se: float
    n: int


def reliabilities(data: SpreadData) -> tuple[CellReliability, ...] | str:
    """Cronbach's alpha by arm and time; a sentence where it does not exist.

    The standard error is that of ln(1 - alpha), from Feldt's F, by the delta method.
    """
    items = list(data.columns.items)
    try:
        return tuple(_cell_reliabilities(data.rows, items))
    except AlcError as error:
        return str(error)


def _cell_reliabilities(rows: pd.DataFrame, items: list[str]) -> Iterator[CellReliability]:
    answers = rows[items].to_numpy(float)
    ends = (float(np.nanmin(answers)), float(np.nanmax(answers)))
    cells = rows[["treated", "post"]].drop_duplicates().sort_values(["treated", "post"])
    for treated, post in cells.to_numpy(float):
        part = rows.loc[(rows["treated"] == treated) & (rows["post"] == post)]
        scale = reliability(part, items, range=ends)
        k, n, alpha = len(items), scale.n, scale.alpha
        spread = math.sqrt(2.0 * k / ((n - 1.0) * (k - 1.0)))
        se = abs((1.0 - alpha) / alpha) * spread if alpha else math.inf
        yield CellReliability(float(treated), float(post), alpha, se, n)


def reliability_effect(cells: tuple[CellReliability, ...], *, did: bool) -> tuple[float, float]:
    """What the change of reliability alone does to the observed log SD, and its standard error.

    Observed SD = true SD / sqrt(reliability): the difference (in differences) of -ln(alpha) / 2.
    """
    value = variance = 0.0
    for c in cells:
        if c.alpha <= 0.0:
            return math.nan, math.inf
        sign = (1.0 if c.treated else -1.0) * (1.0 if c.post or not did else -1.0)
        value -= sign * 0.5 * math.log(c.alpha)
        variance += 0.25 * c.log_se**2
    return value, math.sqrt(variance)
