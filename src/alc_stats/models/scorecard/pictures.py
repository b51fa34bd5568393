"""A scorecard to look at: every metric on every arm, and what gamers do to each."""

from __future__ import annotations

from collections.abc import Mapping

from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.models.scorecard.data import Role
from alc_stats.models.scorecard.effects import Effects
from alc_stats.models.scorecard.gaming import Gamed

FEWER, MORE = 0.5, 2.0
"""The range of shares that the picture shows, beside the declared share."""


def card_pictures(found: Effects, gamed: Mapping[Role, tuple[Gamed, ...]]) -> tuple[Picture, ...]:
    """The forest of metrics by arm, and the picture of gaming."""
    return _forest(found), _gaming(found, gamed)


def _forest(found: Effects) -> Picture:
    data = found.data
    marks = [_arm(found, arm) for arm in data.arms]
    smallest = sorted({m.smallest for m in data.question.metrics.values()})
    people = data.rows["person"].nunique()
    units = "" if data.unit_name == "person" else f" in {data.rows['firm'].nunique()} firms"
    return Picture(
        id="metrics",
        title="What each metric says about each arm",
        caption=f"Changes since the start beyond those of {data.question.control}, in SDs of its "
        f"scores before the start, with {100.0 * (1.0 - found.alpha):.0f} % intervals "
        f"({people:,} people{units}). Lines at zero and at the smallest effect that "
        "would matter.",
        alt="Rows of intervals, one a metric and arm, the volume metric first, with dashed lines "
        "at zero and at the smallest effect.",
        x=f"Change beyond {data.question.control} (baseline SD)",
        panels=(Panel(marks=(*marks, Mark(kind="down", x=(0.0, *smallest)))),),
    )


def _arm(found: Effects, arm: str) -> Mark:
    own = [found.estimates[role, arm] for role in found.data.roles]
    ends = [e.interval(1.0 - found.alpha) for e in own]
    return Mark(
        kind="row",
        label=arm,
        texts=tuple(found.data.question.name(role) for role in found.data.roles),
        x=tuple(e.value for e in own),
        low=tuple(low for low, _ in ends),
        high=tuple(high for _, high in ends),
    )


def _gaming(found: Effects, gamed: Mapping[Role, tuple[Gamed, ...]]) -> Picture:
    q, about = found.data.question, found.about
    smallest = sorted({m.smallest for m in q.metrics.values()})
    shares = (FEWER * q.gamers, min(MORE * q.gamers, 1.0))
    volume: tuple[Role, ...] = ("volume",)
    groups = {"volume": volume, "competence": found.data.competence}
    marks = [_games(found, gamed, label, roles, shares) for label, roles in groups.items()]
    return Picture(
        id="gaming",
        title="What gamers would do to each metric",
        caption=f"How far the effect of {about} moves if {100 * q.gamers:.0f} % of its people game "
        f"the metric; bars run from {100 * shares[0]:.0f} % to {100 * shares[1]:.0f} % of them. An "
        f"amount is multiplied by {q.padding:g}, a score raised or held back by {q.coached:g} SD; "
        "cherry-picking is applied to the data. At the second line gamers alone fake an effect "
        "that would matter.",
        alt="Rows of bars, one a metric and way of gaming, with dashed lines at zero and at the "
        "smallest effect.",
        x="Movement of the arm's effect (baseline SD)",
        panels=(Panel(marks=(*marks, Mark(kind="down", x=(0.0, *smallest)))),),
    )


def _games(
    found: Effects,
    gamed: Mapping[Role, tuple[Gamed, ...]],
    label: str,
    roles: tuple[Role, ...],
    shares: tuple[float, float],
) -> Mark:
    rows = [(role, g) for role in roles for g in gamed[role]]
    return Mark(
        kind="row",
        label=label,
        texts=tuple(f"{found.data.question.name(r)}: {g.strategy.name}" for r, g in rows),
        x=tuple(g.arm(found.about) for _, g in rows),
        low=tuple(shares[0] * g.whole[found.about] for _, g in rows),
        high=tuple(shares[1] * g.whole[found.about] for _, g in rows),
    )
