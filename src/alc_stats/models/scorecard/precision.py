"""The reliability of each metric: from items, from repeated occasions, or as stated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.inference.correlation import Icc, icc
from alc_stats.measures.scales import reliability
from alc_stats.models.scorecard.data import CardData, Role
from alc_stats.models.scorecard.effects import after_less_before


@dataclass(frozen=True, slots=True)
class Precision:
    """Of one value of the metric, arm by arm.

    Attributes
    ----------
    how : str
        Where it comes from, or why it is not known.
    control : (float, float or None, float or None) or None
        In the control arm, with its 95 % interval.
    arms : mapping of arm to float
        Of all arms of which it is known, the control arm among them.
    """

    how: str
    control: tuple[float, float | None, float | None] | None = None
    arms: dict[str, float] | None = None
    change: float | None = None
    """Of a person's improvement in the control arm, where occasions tell; never below 0."""

    @property
    def value(self) -> float | None:
        """In the control arm."""
        return self.control[0] if self.control else None


def precision(data: CardData, role: Role) -> Precision:
    """The reliability of a metric; never one that is supposed."""
    metric = data.question.metrics[role]
    if metric.reliability is not None:
        return Precision("as stated", (metric.reliability, None, None))
    try:
        return _of_items(data, role) if metric.items else _of_occasions(data, role)
    except AlcError as error:
        return Precision(f"not known: {error.problems[0].what}")


def _of_items(data: CardData, role: Role) -> Precision:
    """Omega (alpha where it has none) of the rows before the start."""
    items = list(data.question.metrics[role].items)
    known: dict[str, tuple[float, float | None, float | None]] = {}
    for arm in (data.question.control, *data.arms):
        rows = data.rows.loc[(data.rows["arm"] == arm) & (data.rows["post"] == 0.0), items]
        ends = (float(rows.min().min()), float(rows.max().max()))
        scale = reliability(rows, items, range=ends)
        own = (scale.alpha, scale.alpha_low, scale.alpha_high)
        omega = (scale.omega, scale.omega_low, scale.omega_high)
        known[arm] = own if omega[0] is None else (omega[0], omega[1], omega[2])
    return _told("omega of its items, before the start", known, data)


def _of_occasions(data: CardData, role: Role) -> Precision:
    """ICC of people's occasions after the start; that people change for good counts as error."""
    rows = data.of(role)
    after = rows.loc[rows["post"] == 1.0]
    if not after["person"].duplicated().any():
        return Precision("not known: no items were given, and nobody was seen twice in one phase")
    known = {
        arm: _icc(after.loc[after["arm"] == arm].reset_index(drop=True))
        for arm in (data.question.control, *data.arms)
    }
    name = "ICC(C,1)" if _waves(after) else "ICC(1)"
    told = _told(f"one occasion with another, {name}", known, data)
    return replace(told, change=_of_change(rows, data)) if role == "completion" else told


def _icc(rows: pd.DataFrame) -> tuple[float, float | None, float | None]:
    own = _correlated(rows)["person"]
    return own.icc, own.low, own.high


def _correlated(rows: pd.DataFrame) -> Icc:
    """Waves have means of their own where they are named, which makes it one of consistency."""
    return icc(fit(f"y ~ {'wave' if _waves(rows) else '1'} + (1 | person)", rows))


def _of_change(rows: pd.DataFrame, data: CardData) -> float:
    """What of the variance of people's changes is more than their occasions' error."""
    control = rows.loc[rows["arm"] == data.question.control].reset_index(drop=True)
    after = control.loc[control["post"] == 1.0].reset_index(drop=True)
    change = after_less_before(control, "person")
    before, later = (
        control.loc[control["post"] == post].groupby("person").size().reindex(change.index)
        for post in (0.0, 1.0)
    )
    error = _correlated(after).residual * float((1.0 / before + 1.0 / later).mean())
    return max(0.0, 1.0 - error / float(change.var()))


def _waves(rows: pd.DataFrame) -> bool:
    return len(rows["wave"].unique()) > 1


def _told(
    how: str, known: dict[str, tuple[float, float | None, float | None]], data: CardData
) -> Precision:
    return Precision(how, known[data.question.control], {arm: v[0] for arm, v in known.items()})
