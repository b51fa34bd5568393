"""What gamers would do to each metric: strategies of a declared size, applied to the data.

Gamers are anybody by lot: a share of an arm's people. What a strategy does to each of them is
applied to their own rows; since the effect of an arm is linear in the scores of its people, the
mean over all lots is the share times the mean over people, and no lot needs to be drawn
(`tests/models/test_scorecard.py` draws them and fits again).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from alc_stats.models.scorecard.data import CardData, Role
from alc_stats.models.scorecard.effects import Effects, after_less_before


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way of gaming.

    Attributes
    ----------
    name, does : str
    roles : tuple of str
        Metrics that it can reach.
    moved : callable
        From the data and a role to what a gamer's score after the start gains (for what lowers
        scores before the start, the improvement), SDs, a number a person.
    by_change : bool
        Whether it games the improvement rather than the score.
    """

    name: str
    does: str
    roles: tuple[Role, ...]
    moved: Callable[[CardData, Role], pd.Series]
    by_change: bool = False


@dataclass(frozen=True, slots=True)
class Gamed:
    """One strategy against one metric.

    Attributes
    ----------
    strategy : Strategy
    person : float
        How far a gamer moves up, in SDs of people of the control arm: of their means after the
        start, or of their changes.
    whole : mapping of arm to float
        How far the effect of an arm moves if everybody in it games, baseline SDs.
    share : float
        The declared share of gamers.
    """

    strategy: Strategy
    person: float
    whole: Mapping[str, float]
    share: float

    def arm(self, arm: str) -> float:
        """How far its effect moves by the declared share."""
        return self.share * self.whole[arm]

    def fakes(self, arm: str, smallest: float) -> float | None:
        """The share of gamers who reach the smallest effect from none; None beyond everybody."""
        share = smallest / self.whole[arm] if self.whole[arm] > 0.0 else math.inf
        return share if share <= 1.0 else None


def _people(data: CardData, role: Role) -> pd.Series:
    """People seen after the start; the values are their means."""
    rows = data.of(role)
    return rows.loc[rows["post"] == 1.0].groupby("person")["y"].mean()


def _alike(data: CardData, role: Role, size: float) -> pd.Series:
    return pd.Series(size, _people(data, role).index)


def _padding(data: CardData, role: Role) -> pd.Series:
    return _alike(data, role, math.log(data.question.padding) / data.baselines[role].sd)


def _holding_back(data: CardData, role: Role) -> pd.Series:
    return _padding(data, role) if role == "volume" else _coaching(data, role)


def _coaching(data: CardData, role: Role) -> pd.Series:
    return _alike(data, role, data.question.coached)


def _picking(data: CardData, role: Role) -> pd.Series:
    """The mean of the better half of a person's occasions less that of all of them."""
    rows = data.of(role)
    after = rows.loc[rows["post"] == 1.0, ["person", "y"]].sort_values(
        ["person", "y"], ascending=[True, False], kind="stable"
    )
    place = after.groupby("person").cumcount()
    kept = place < (after.groupby("person")["y"].transform("size") + 1) // 2
    best = after.loc[kept].groupby("person")["y"].mean()
    return best - after.groupby("person")["y"].mean()


PADDING = Strategy("padding", "the amount multiplied with no work done", ("volume",), _padding)
PICKING = Strategy(
    "cherry-picking", "only the better half of a person's occasions handed in",
    ("quality", "completion", "transfer"), _picking,
)  # fmt: skip
COACHING = Strategy(
    "teaching to the test", "the very tasks practised before they are set",
    ("completion", "transfer"), _coaching,
)  # fmt: skip
SANDBAGGING = Strategy(
    "sandbagging", "held back before the start, so that more can improve",
    ("volume", "quality", "completion", "transfer"), _holding_back, by_change=True,
)  # fmt: skip
STRATEGIES = (PADDING, PICKING, COACHING, SANDBAGGING)


def gaming(found: Effects) -> dict[Role, tuple[Gamed, ...]]:
    """Every strategy that reaches a metric, the one that moves the claim's arm most first."""
    return {role: _against(found, role) for role in found.data.roles}


def _against(found: Effects, role: Role) -> tuple[Gamed, ...]:
    data = found.data
    repeated = bool(data.of(role).query("post == 1.0")["person"].duplicated().any())
    reach = [s for s in STRATEGIES if role in s.roles and (repeated or s is not PICKING)]
    gamed = [_gamed(data, role, s) for s in reach]
    return tuple(sorted(gamed, key=lambda g: -g.whole[found.about]))


def _gamed(data: CardData, role: Role, strategy: Strategy) -> Gamed:
    moved = strategy.moved(data, role)
    rows = data.of(role)
    after = rows.loc[rows["post"] == 1.0]
    shift = after.assign(moved=after["person"].map(moved))
    by_firm = shift.groupby(["arm", "firm"])["moved"].mean().groupby("arm").mean()
    whole = {arm: float(by_firm[arm]) for arm in data.arms}
    people = after_less_before(rows, "person") if strategy.by_change else _people(data, role)
    control = set(rows.loc[rows["arm"] == data.question.control, "person"])
    spread = float(people.loc[people.index.isin(control)].std())
    return Gamed(strategy, float(moved.mean()) / spread, whole, data.question.gamers)
