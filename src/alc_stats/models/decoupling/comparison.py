"""Everything that is estimated about one decoupling, before anything is said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.models.gap.data import GapData, GapQuestion, Level, gap_data
from alc_stats.models.gap.fits import PAIR
from alc_stats.models.widening.coupling import (
    Moments,
    Sums,
    bootstrapped,
    change_sums,
    coupling_sums,
    jackknifed,
    way_of,
)
from alc_stats.records import FloatArray

DRAWS = 999
SLOPE = "SD per SD"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecouplingQuestion:
    """Which column plays which part; see `alc_stats.models.decoupling.claim.decoupling`."""

    awareness: str
    capability: str
    treatment: str
    person: str
    firm: str | None = None
    post: str | None = None
    wave: str | None = None
    treated: str | None = None
    control: str | None = None
    awareness_items: tuple[str, ...] = ()
    capability_items: tuple[str, ...] = ()
    awareness_reliability: float | None = None
    capability_reliability: float | None = None
    uncorrected: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is named."""
        return self.rows.columns

    @property
    def rows(self) -> GapQuestion:
        """The same, as rows of a gap are read."""
        return GapQuestion(
            awareness=self.awareness, capability=self.capability, treatment=self.treatment,
            person=self.person, firm=self.firm, post=self.post, wave=self.wave,
            treated=self.treated, control=self.control, awareness_items=self.awareness_items,
            capability_items=self.capability_items,
        )  # fmt: skip

    @property
    def reliabilities(self) -> tuple[float | None, float | None]:
        """As declared, of a person's average."""
        return self.awareness_reliability, self.capability_reliability


@dataclass(frozen=True, slots=True, eq=False)
class Decoupled:
    """What was estimated; differences are treated minus control.

    Attributes
    ----------
    data : GapData
    sums, plain : Sums
        Free of error, and as measured.
    slope, z : Estimate
        Free of error, by leaving out clusters.
    z_limits : (float, float)
        Of z, by a bootstrap of clusters.
    plain_z : Estimate
        As measured.
    before, change : Estimate or None
        Of z, as measured, before the start, and of persons' changes; None without a time before.
    log_sd : mapping of outcome to Estimate
        Log ratio of the SDs of true scores.
    """

    data: GapData
    sums: Sums
    slope: Estimate
    z: Estimate
    z_limits: tuple[float, float]
    plain_z: Estimate
    before: Estimate | None
    change: Estimate | None
    log_sd: dict[Level, Estimate]


def decoupled(
    data: pd.DataFrame, question: DecouplingQuestion, *, level: float, seed: int
) -> Decoupled:
    """Sums of both kinds, and what follows from them.

    Raises
    ------
    FitError
        If the data cannot answer, or a corrected correlation lies beyond 1.
    """
    read = gap_data(data, question.rows, where="decoupling")
    known = question.reliabilities
    way = way_of(read, known, uncorrected=question.uncorrected)
    after = 1.0 if read.did else 0.0
    sums = coupling_sums(read, after, known, way)
    _refuse_failed(sums)
    return Decoupled(
        data=read,
        sums=sums,
        slope=jackknifed(sums, slope_apart, "slope, treated minus control", SLOPE),
        z=jackknifed(sums, z_apart, "Fisher's z, treated minus control", "z"),
        z_limits=bootstrapped(sums, z_apart, seed=seed, draws=DRAWS, level=level),
        plain_z=_plain_z(read, after),
        before=_plain_z(read, 0.0) if read.did else None,
        change=jackknifed(change_sums(read), z_apart, "changes", "z") if read.did else None,
        log_sd={o: _log_sd(sums, o) for o in PAIR},
    )


def slope_apart(moments: Moments) -> FloatArray:
    """Difference of slopes (draws,)."""
    return np.asarray(moments.slope[1] - moments.slope[0])


def z_apart(moments: Moments) -> FloatArray:
    """Difference of Fisher's z (draws,)."""
    return np.asarray(moments.z[1] - moments.z[0])


def _plain_z(read: GapData, post: float) -> Estimate:
    sums = coupling_sums(read, post, (None, None), "uncorrected")
    return jackknifed(sums, z_apart, "Fisher's z as measured", "z")


def _log_sd(sums: Sums, outcome: Level) -> Estimate:
    return jackknifed(sums, lambda m: m.log_sd_ratio(outcome), f"SD of {outcome}", "log SD")


def _refuse_failed(sums: Sums) -> None:
    """Corrected variances that are not positive, and correlations beyond 1."""
    moments = sums.moments()
    problems = []
    for at, group in enumerate(("the control group", "the treated group")):
        r = float(moments.r[at, 0])
        if not (moments.aa[at, 0] > 0.0 and moments.cc[at, 0] > 0.0):
            problems.append(Problem(f"no true variance is left in {group}", where="decoupling"))
        elif not math.fabs(r) < 1.0:
            problems.append(
                Problem(
                    f"the corrected correlation in {group} lies beyond 1",
                    where="decoupling",
                    found=f"{r:.3f}",
                    way_out="The model of measurement error fails: reliabilities are too low, or "
                    "errors go together.",
                )
            )
    if problems:
        raise FitError(*problems)
