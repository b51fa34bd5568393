"""What a mediation shows: its paths side by side, and what a hidden cause would leave of it."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.mediation.analysis import Analysis
from alc_stats.models.mediation.effects import chain_at, monte_carlo
from alc_stats.models.picture import Mark, Panel, Picture

_GRID = np.linspace(-0.9, 0.9, 37)
_DRAWS = 4000
"""Of the band: its limits are seen, not read."""


def pictures(found: Analysis, level: float) -> tuple[Picture, ...]:
    """The forest of paths and the curve of sensitivity."""
    return (_paths(found, level), _sensitivity(found, level))


def _paths(found: Analysis, level: float) -> Picture:
    """Every path in SDs of untreated rows, so that paths of different units can stand together."""
    q, sds = found.data.question, found.untreated_sds
    names = [q.treatment, *q.mediators, q.outcome]
    sizes = [1.0, *sds]
    rows = [
        _row(f"{link.name}: {names[i]} to {names[i + 1]}", link, sizes[i] / sizes[i + 1], level)
        for i, link in enumerate(found.chain.links)
    ]
    last = 1.0 / sizes[-1]
    rows += [
        _row("direct effect", found.chain.direct, last, level),
        _row("total effect", found.chain.total, last, level),
    ]
    low, high = found.effect.interval(level)
    rows.append(("indirect effect", found.effect.value * last, low * last, high * last))
    if found.naive is not None:
        naive = monte_carlo(found.naive, seed=found.seed)
        low, high = naive.interval(level)
        rows.append(("indirect, levels conflated", naive.value * last, low * last, high * last))
    texts, x, low_, high_ = zip(*rows, strict=True)
    forest = Mark(kind="row", label="estimate", x=x, low=low_, high=high_, texts=texts)
    title = " to ".join(names)
    return Picture(
        id="paths",
        title=f"Paths from {title}",
        caption=f"Paths, direct, total and indirect effects with {100 * level:.0f} % intervals, "
        "each in standard deviations of rows that nothing acts on. The indirect effect is the "
        "product of the lettered paths.",
        alt=f"{len(rows)} intervals around a line at zero, one a path or effect.",
        x="Standard deviations of untreated rows",
        panels=(Panel(marks=(forest, Mark(kind="down", x=(0.0,)))),),
    )


def _row(text: str, e: Estimate, scale: float, level: float) -> tuple[str, float, float, float]:
    low, high = e.interval(level)
    return text, e.value * scale, low * scale, high * scale


def _sensitivity(found: Analysis, level: float) -> Picture:
    """The indirect effect over correlations of what is left unexplained."""
    bent = [chain_at(found.chain, found.undone, float(r)) for r in _GRID]
    effects = [monte_carlo(chain, seed=found.seed, n=_DRAWS) for chain in bent]
    limits = [e.interval(level) for e in effects]
    q = found.data.question
    links = [*q.mediators, q.outcome]
    weak = found.undone.weak
    rho = tuple(float(r) for r in _GRID)
    low, high = zip(*limits, strict=True)
    return Picture(
        id="sensitivity",
        title="What a hidden common cause would leave",
        caption="The indirect effect if what is left unexplained of "
        f"{links[weak]} and of {links[weak + 1]} correlated, with {100 * level:.0f} % intervals. "
        "It is zero at the correlation marked; nothing in the data says which correlation is true.",
        alt="A falling or rising curve with a band, crossing zero at a marked correlation.",
        x="Correlation of residuals",
        y=f"Indirect effect, {q.unit or q.outcome}",
        x_kind="statistic",
        panels=(
            Panel(
                marks=(
                    Mark(kind="band", label="indirect effect", x=rho, low=low, high=high),
                    Mark(kind="line", label="indirect effect", x=rho,
                         y=tuple(e.value for e in effects)),
                    Mark(kind="across", y=(0.0,)),
                    Mark(kind="down", x=(found.undone.weakest,)),
                )
            ),
        ),
    )  # fmt: skip
