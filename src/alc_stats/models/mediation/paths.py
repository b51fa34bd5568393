"""The regressions behind a mediation, and the paths read from them.

Treatment that is a unit's own moves the unit's mean of a mediator; what that does to the outcome
is the coefficient of unit means (Zhang, Zyphur and Preacher 2009). The coefficient of deviations
from them says what goes with differences among people of one unit, and is kept apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators.api import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit
from alc_stats.inference.contrasts import contrast
from alc_stats.models.mediation.data import MediationData


@dataclass(frozen=True, slots=True)
class SlopeCovariance:
    """Covariance of the groups' slopes a_j and b_j, added to the product of their means.

    `se` is that of a covariance of normal slopes seen in `groups` groups: their variances as seen
    are the groups times the sampling variances of the mean slopes.
    """

    value: float
    se: float
    of_estimates: float
    groups: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The paths of treatment, through one or two mediators, to the outcome.

    Attributes
    ----------
    links : tuple of Estimate
        a, then (with two mediators) d, then b: along the chain.
    direct, total : Estimate
        With and without the mediators held.
    slopes : SlopeCovariance or None
        Of a and b where slopes vary between groups.
    fits : tuple of Fit
    """

    links: tuple[Estimate, ...]
    direct: Estimate
    total: Estimate
    fits: tuple[Fit, ...]
    slopes: SlopeCovariance | None = None

    @property
    def indirect(self) -> float:
        """Product of the links, with the covariance of slopes where they vary."""
        product = 1.0
        for link in self.links:
            product *= link.value
        return product + (self.slopes.value if self.slopes else 0.0)


@dataclass(frozen=True, slots=True)
class Regressions:
    """One regression a variable of the chain, and the outcome's without mediators, last."""

    first: Fit
    second: Fit | None
    last: Fit
    total: Fit

    def read(self, treatment: str, mediators: Sequence[str]) -> Chain:
        """The chain whose links are the coefficients of these terms."""
        links = [path(self.first, treatment, "a")]
        if self.second is not None:
            links.append(path(self.second, mediators[0], "d"))
        links.append(path(self.last, mediators[-1], "b"))
        fits = (self.first, self.second, self.last, self.total)
        return Chain(
            tuple(links), path(self.last, treatment, "direct"),
            path(self.total, treatment, "total"), tuple(f for f in fits if f is not None),
        )  # fmt: skip


def path(model: Fit, term: str, name: str) -> Estimate:
    """A coefficient under the name of its path."""
    return replace(contrast(model, term), name=name)


def regressions(d: MediationData) -> Regressions:
    """With a mediator's levels apart, where rows have units."""
    parts = [_parts(d, m) for m in d.mediators]
    second = fitted(d, d.mediators[1], parts[0]) if len(parts) == 2 else None
    last = fitted(d, "y", [c for columns in parts for c in columns])
    return Regressions(fitted(d, d.mediators[0], []), second, last, fitted(d, "y", []))


def conflated(d: MediationData, apart: Regressions) -> Regressions:
    """With one coefficient for a mediator's levels, as is often seen."""
    second = fitted(d, d.mediators[1], d.mediators[:1]) if len(d.mediators) == 2 else None
    return replace(apart, second=second, last=fitted(d, "y", d.mediators))


def differing(d: MediationData) -> Estimate | None:
    """How much the last mediator's effect differs under treatment; None where it is not asked."""
    if d.design == "within":
        return None
    parts = [c for m in d.mediators for c in _parts(d, m)]
    own = _parts(d, d.mediators[-1])[0]
    try:
        return path(fitted(d, "y", [*parts, f"x:{own}"]), f"x:{own}", "b by arm")
    except FitError:
        return None


def sampled_chain(d: MediationData, found: Regressions) -> tuple[Chain, float] | None:
    """The chain if a unit's people are a sample of it, and the reliability of their mean.

    The coefficient of observed means is r b + (1 - r) w, for the unit's effect b, that among its
    people w and the reliability r = t^2 / (t^2 + s^2 / n) of a mean of n given treatment (Lüdtke et
    al. 2008). Of one mediator between units; None elsewhere, and where means differ by chance only.
    """
    if d.design != "between" or len(d.mediators) > 1 or not d.rows["unit"].duplicated().any():
        return None
    sds = {c.group: c.sd for c in found.first.random if not c.other}
    if set(sds) != {"unit", "Residual"} or not sds["unit"] > 0.0:
        return None
    noise = sds["Residual"] ** 2 * float((1.0 / d.rows.groupby("unit").size()).mean())
    r = sds["unit"] ** 2 / (sds["unit"] ** 2 + noise)
    chain = found.read("x", ["m1_own"])
    a, b = chain.links
    w = path(found.last, "m1_rest", "w")
    se = math.hypot(b.se, (1.0 - r) * w.se) / r
    unit = replace(b, value=(b.value - (1.0 - r) * w.value) / r, se=se)
    return replace(chain, links=(a, unit)), r


def unit_chain(d: MediationData, found: Regressions) -> Chain:
    """The chain at the level of units, and of rows where they have none."""
    named = d.mediators if d.design == "single" else [f"{m}_own" for m in d.mediators]
    return found.read("x", named)


def _parts(d: MediationData, mediator: str) -> list[str]:
    if d.design == "single":
        return [mediator]
    level = [f"{mediator}_level"] if d.design == "changes" else []
    rest = [f"{mediator}_rest"] if d.rows["unit"].duplicated().any() else []
    return [f"{mediator}_own", *rest, *level]


def fitted(d: MediationData, outcome: str, mediators: Sequence[str]) -> Fit:
    """The regression of `outcome` on treatment and mediators, with the richest random part.

    Raises
    ------
    FitError
        If none of the random parts can be fitted.
    """
    right = " + ".join([*_base(d), *mediators])
    formulas = [" + ".join([f"{outcome} ~ {right}", *random]) for random in _random_parts(d)]
    return first_usable(formulas, d.rows)[0]


def first_usable(
    formulas: Sequence[str], table: pd.DataFrame, scale: str | None = None
) -> tuple[Fit, int]:
    """The first of the formulas whose fit can be used, and its place among them.

    Raises
    ------
    FitError
        That of the last, if there is none.
    """
    why = FitError("no formula was given")
    for place, formula in enumerate(formulas):
        try:
            model = fit(formula, table, scale=scale)
        except FitError as error:
            why = error
            continue
        if model.certificate.usable:
            return model, place
        why = FitError(model.certificate.sentence)
    raise why


def _base(d: MediationData) -> list[str]:
    waves = len(d.rows["wave"].unique()) > 1
    if d.design == "changes":
        return ["x", "treated", "C(wave)" if waves else "post"]
    return ["x", "C(wave)"] if waves else ["x"]


def _random_parts(d: MediationData) -> list[list[str]]:
    """Random terms to try: every level with replication; then without slopes."""
    rows = d.rows
    if d.design == "single" or not rows["unit"].duplicated().any():
        return [[]]
    others = [g for g in ("person", "firm") if _adds(rows, g)]
    plain = ["(1 | unit)", *(f"(1 | {g})" for g in others)]
    cells = rows.groupby(["unit", "post"]).size()
    if d.design == "changes" and (cells > 1).any() and "person" in others:
        return [["(1 + post | unit)", *plain[1:]], plain]
    return [plain]


def _adds(rows: pd.DataFrame, group: str) -> bool:
    """Whether a grouping has several levels, with several rows, that are not the units."""
    levels = rows[group].nunique()
    return 1 < levels < len(rows) and levels != rows["unit"].nunique()
