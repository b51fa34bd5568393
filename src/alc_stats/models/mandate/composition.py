"""Firms' means with people as they were before: who came or left cannot move them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.inference.group_time import NEVER
from alc_stats.models.mandate.data import MandateData
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Reweighted:
    """Outcomes (n, T) with each firm's groups of persons in their shares before any start.

    They are nan where the firm is not seen, or was not seen before.

    `lost` is the share, on average, of persons before whose group has nobody later.
    """

    outcomes: FloatArray
    lost: float


def reweighted(data: MandateData) -> Reweighted | None:
    """None where no groups were named, or a firm and period has nobody of a group from before.

    Groups that are empty in a period leave their weight to the others.
    """
    if not data.question.composition:
        return None
    rows = data.rows.assign(
        level=data.rows["outcome"] - (data.rows["minus"] if data.joint else 0.0)
    )
    shares = _shares(rows.loc[rows["place"] <= _last_before(data)], data)
    means = _by_group(rows.groupby(["firm", "place", "group"])["level"].mean(), data)
    present = np.isfinite(means)
    weight = np.where(present, shares[:, None, :], 0.0)
    total = weight.sum(axis=2)
    seen = (data.sizes > 0) & (shares.sum(axis=1) > 0.0)[:, None]
    if np.any(total[seen] <= 0.0):
        return None
    level = np.sum(weight * np.where(present, means, 0.0), axis=2)
    level = np.where(seen, level / np.where(seen, total, 1.0), np.nan)
    return Reweighted(level, float(1.0 - total[seen].mean()))


def _last_before(data: MandateData) -> int:
    """Place of the last period in which no firm is under a mandate or reacts to one."""
    first = int(data.adoption[data.adoption < NEVER].min())
    return max(first - 1 - data.anticipation, 0)


def _shares(before: pd.DataFrame, data: MandateData) -> FloatArray:
    """Of groups in each firm (n, c); 0 in firms that were not seen before."""
    every = pd.MultiIndex.from_product([data.firms, _groups(data)])
    sizes = before.groupby(["firm", "group"]).size().reindex(every, fill_value=0)
    counts = sizes.to_numpy(float).reshape(len(data.firms), -1)
    return np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0))


def _by_group(cells: pd.Series, data: MandateData) -> FloatArray:
    """Means (n, T, c), nan for empty groups."""
    index = pd.MultiIndex.from_product([data.firms, range(len(data.periods)), _groups(data)])
    return np.asarray(
        cells.reindex(index).to_numpy(float).reshape(len(data.firms), len(data.periods), -1)
    )


def _groups(data: MandateData) -> list[int]:
    return sorted(data.rows["group"].unique().tolist())
