"""Everything a mediation rests on, computed once."""

from __future__ import annotations

from dataclasses import dataclass

from alc_stats.estimators.estimate import Estimate
from alc_stats.models.mediation.data import MediationData
from alc_stats.models.mediation.effects import Effect, Sensitivity, monte_carlo, sensitivity
from alc_stats.models.mediation.paths import (
    Chain,
    Regressions,
    conflated,
    differing,
    fitted,
    regressions,
    sampled_chain,
    unit_chain,
)
from alc_stats.models.mediation.stacked import group_chains, slopes_chain
from alc_stats.models.mediation.units import UnitChain, unit_bootstrap

SMALLEST_INDIRECT = 0.05
"""Default smallest indirect effect, in SDs of the outcome of untreated rows."""
SMALLEST_DIRECT = 0.20
"""Default smallest direct effect, in the same SDs."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What was found.

    Attributes
    ----------
    data : MediationData
    chain : Chain
        At the level treatment varies at: the one the verdict rests on.
    other : Chain or None
        At the other level: rows within units, or means of groups where treatment varies within.
    naive : Chain or None
        With the two levels' coefficients taken as one; None where rows have no levels.
    sampled : (Chain, float) or None
        With a unit's people as a sample of it, and the reliability of their mean.
    effect : Effect
        The indirect effect with Monte-Carlo draws.
    by_arm : Estimate or None
        The last mediator's effect under treatment, less that without.
    by_unit : UnitChain or None
        With units as rows and resampled.
    undone : Sensitivity
    untreated_sds : tuple of float
        Of mediators and outcome, of rows that nothing acts on.
    smallest_indirect, smallest_direct : float
        In the outcome's unit.
    seed : int
    """

    data: MediationData
    chain: Chain
    other: Chain | None
    naive: Chain | None
    sampled: tuple[Chain, float] | None
    effect: Effect
    by_arm: Estimate | None
    by_unit: UnitChain | None
    undone: Sensitivity
    untreated_sds: tuple[float, ...]
    smallest_indirect: float
    smallest_direct: float
    seed: int


def analyse(d: MediationData, *, seed: int) -> Analysis:
    """Fit the chain at the level the design identifies, and what is read beside it.

    Raises
    ------
    FitError
        If a regression cannot be fitted.
    """
    read = _within(d) if d.design == "within" else _units(d)
    q, sds = d.question, _untreated_sds(d)
    return Analysis(
        d, read.chain, read.other, read.naive, read.sampled, monte_carlo(read.chain, seed=seed),
        differing(d), unit_bootstrap(d, seed=seed), sensitivity(read.chain, read.residual_sds), sds,
        q.smallest_indirect or SMALLEST_INDIRECT * sds[-1],
        q.smallest_direct or SMALLEST_DIRECT * sds[-1], seed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The chains of one design; see `Analysis`."""

    chain: Chain
    other: Chain | None = None
    naive: Chain | None = None
    sampled: tuple[Chain, float] | None = None
    residual_sds: tuple[float, float] | None = None


def _units(d: MediationData) -> _Read:
    apart = regressions(d)
    chain = unit_chain(d, apart)
    if d.design == "single" or not d.rows["unit"].duplicated().any():
        return _Read(chain=chain)
    return _Read(
        chain=chain,
        other=apart.read("x", [f"{m}_rest" for m in d.mediators]),
        naive=conflated(d, apart).read("x", d.mediators),
        sampled=sampled_chain(d, apart),
    )


def _within(d: MediationData) -> _Read:
    naive = _taken_as_one(d)
    if len(d.mediators) == 2:
        return _Read(chain=slopes_chain(d), naive=naive)
    found = group_chains(d)
    return _Read(
        chain=found.within, other=found.between, naive=naive, residual_sds=found.residual_sds
    )


def _taken_as_one(d: MediationData) -> Chain:
    """Raw treatment and mediators with random intercepts only: both levels in one coefficient."""
    first, total = fitted(d, d.mediators[0], []), fitted(d, "y", [])
    return conflated(d, Regressions(first, None, total, total)).read("x", d.mediators)


def _untreated_sds(d: MediationData) -> tuple[float, ...]:
    """SDs where nothing acts: under no treatment, or at its smallest dose."""
    columns = [*d.mediators, "y"]
    untreated = d.rows.loc[d.rows["x"] == d.rows["x"].min(), columns]
    here, everywhere = untreated.std(), d.rows[columns].std()
    return tuple(float(h) if h > 0.0 else float(e) for h, e in zip(here, everywhere, strict=True))
