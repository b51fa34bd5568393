"""Mediation within groups: one model for mediator and outcome, so that slopes may go together.

Where effects differ between groups, the mean of a_j * b_j is a * b + cov(a_j, b_j) (Kenny,
Korchmaros and Bolger 2003). Stacking the two outcomes makes the covariance a parameter (Bauer,
Preacher and Gil 2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit
from alc_stats.models.mediation.data import MediationData
from alc_stats.models.mediation.paths import (
    Chain,
    Regressions,
    SlopeCovariance,
    first_usable,
    path,
)

FEWEST_GROUPS = 4
"""Up to so many groups, means of groups say nothing about a chain of theirs."""


@dataclass(frozen=True, slots=True)
class GroupChains:
    """The chains of a group's rows and of group means, with what the model says of residuals.

    Attributes
    ----------
    within : Chain
    between : Chain or None
        None where treatment does not differ between groups.
    residual_sds : (float, float)
        Of mediator and outcome, within groups.
    slopes_vary : bool
        Whether the slopes of the groups could be told apart.
    """

    within: Chain
    between: Chain | None
    residual_sds: tuple[float, float]
    slopes_vary: bool


def group_chains(d: MediationData) -> GroupChains:
    """Fit the stacked model of one mediator and read its chains.

    Raises
    ------
    FitError
        If it cannot be fitted with any random part.
    """
    model, slopes = _fitted(stacked(d.rows))
    total = _sloped(d, "y", ["x_rest"], ["x_own"])
    return GroupChains(
        _within(model, total, d, slopes=slopes),
        _between(d, total) if _apart(d.rows) else None,
        _residual_sds(model),
        slopes,
    )


def _apart(rows: pd.DataFrame) -> bool:
    """Whether treatment differs between groups, by more than the rounding of means."""
    spread = float(rows["x_own"].drop_duplicates().std())
    return rows["unit"].nunique() > FEWEST_GROUPS and spread > 1e-9 * float(rows["x"].std())


def stacked(rows: pd.DataFrame) -> pd.DataFrame:
    """Twice the rows: mediators as outcome (`sm` is 1), then outcomes (`sy` is 1)."""
    zero = np.zeros(len(rows))
    one = zero + 1.0
    first = {"z": rows["m1"], "sm": one, "sm_x": rows["x_rest"], "sy": zero, "sy_m": zero,
             "sy_x": zero}  # fmt: skip
    second = {"z": rows["y"], "sm": zero, "sm_x": zero, "sy": one, "sy_m": rows["m1_rest"],
              "sy_x": rows["x_rest"]}  # fmt: skip
    parts = [pd.DataFrame(p).assign(unit=rows["unit"], firm=rows["firm"]) for p in (first, second)]
    return pd.concat(parts, ignore_index=True)


def _fitted(table: pd.DataFrame) -> tuple[Fit, bool]:
    """With every slope random, then those of the chain only, then none; and whether any is.

    A slope that does not vary is at its limit in the first; the others are for searches that fail,
    which they do less often with the levels first.
    """
    several = 1 < table["firm"].nunique() < table["unit"].nunique()
    above = ["(0 + sm + sy | firm)"] if several else []
    ladder = (
        ["(0 + sm + sy + sm_x + sy_m + sy_x | unit)"],
        ["(0 + sm_x + sy_m | unit)", "(0 + sm + sy | unit)"],
        ["(0 + sm_x + sy_m | unit)", "(0 + sm | unit)", "(0 + sy | unit)"],
        ["(0 + sm | unit)", "(0 + sy | unit)"],
    )
    fixed = "z ~ 0 + sm + sm_x + sy + sy_m + sy_x"
    formulas = [" + ".join([fixed, *random, *above]) for random in ladder]
    model, place = first_usable(formulas, table, scale="~ sy")
    return model, place < len(ladder) - 1


def _within(model: Fit, total: Fit, d: MediationData, *, slopes: bool) -> Chain:
    a, b = path(model, "sm_x", "a"), path(model, "sy_m", "b")
    return Chain(
        (a, b), path(model, "sy_x", "direct"), path(total, "x_rest", "total"), (model, total),
        _slope_covariance(model, a, b, d.units) if slopes else None,
    )  # fmt: skip


def _between(d: MediationData, total: Fit) -> Chain:
    """The chain of group means, from regressions that hold what varies within groups."""
    first = _sloped(d, "m1", ["x_rest"], ["x_own"])
    last = _sloped(d, "y", ["x_rest", "m1_rest"], ["x_own", "m1_own"])
    return Regressions(first, None, last, total).read("x_own", ["m1_own"])


def _slope_covariance(model: Fit, a: Estimate, b: Estimate, groups: int) -> SlopeCovariance:
    labels = list(model.labels)
    cross = float(model.vcov[labels.index("sm_x"), labels.index("sy_m")])
    seen = (groups * a.se) ** 2 * b.se**2 + (groups * cross) ** 2
    return SlopeCovariance(
        _component(model, "sm_x", "sy_m"), math.sqrt(seen / (groups - 1)), cross, groups
    )


def _component(model: Fit, one: str, other: str) -> float:
    """Covariance of two random terms."""
    sds = {c.term: c.sd for c in model.random if not c.other and c.group == "unit"}
    for c in model.random:
        if c.group == "unit" and {c.term, c.other} == {one, other} and c.correlation is not None:
            return sds[one] * sds[other] * c.correlation
    return 0.0


def _residual_sds(model: Fit) -> tuple[float, float]:
    log = model.params
    of_mediator = float(log["log_sd.Intercept"])
    return math.exp(of_mediator), math.exp(of_mediator + float(log["log_sd.sy"]))


def slopes_chain(d: MediationData) -> Chain:
    """Within groups through two mediators: three regressions, each with its slopes random.

    The links are means of slopes; their covariances over groups are not part of the product.
    """
    first = _sloped(d, "m1", ["x_rest"], ["x_own"])
    second = _sloped(d, "m2", ["x_rest", "m1_rest"], ["x_own", "m1_own"])
    last = _sloped(d, "y", ["x_rest", "m1_rest", "m2_rest"], ["x_own", "m1_own", "m2_own"])
    total = _sloped(d, "y", ["x_rest"], ["x_own"])
    return Regressions(first, second, last, total).read("x_rest", ["m1_rest", "m2_rest"])


def _sloped(d: MediationData, outcome: str, within: Sequence[str], own: Sequence[str]) -> Fit:
    """With random slopes of what varies within groups, or without where they cannot be told."""
    apart = [c for c in own if d.rows[c].max() > d.rows[c].min()]
    fixed = f"{outcome} ~ {' + '.join([*within, *apart])}"
    parts = (f"(1 + {' + '.join(within)} | unit)", "(1 | unit)")
    return first_usable([f"{fixed} + {random}" for random in parts], d.rows)[0]
