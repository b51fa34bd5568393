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

from alc_stats.errors import FitError
from alc_stats.estimators.api import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit
from alc_stats.models.mediation_data import MediationData
from alc_stats.models.mediation_paths import Chain, Regressions, SlopeCovariance, path


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
    apart = d.rows["x_own"].nunique() > 1 and d.rows["unit"].nunique() > 4
    table = stacked(d.rows)
    model, slopes = _fitted(table, _fixed(apart))
    total = _sloped(d, "y", ["x_rest"], ["x_own"] if apart else [])
    return GroupChains(
        _within(model, total, d, slopes=slopes),
        _between(model, total) if apart else None,
        _residual_sds(model),
        slopes,
    )


def stacked(rows: pd.DataFrame) -> pd.DataFrame:
    """Twice the rows: mediators as outcome (`sm` is 1), then outcomes (`sy` is 1)."""
    zero = np.zeros(len(rows))
    one = zero + 1.0
    first = {"z": rows["m1"], "sm": one, "sy": zero, "sm_x": rows["x_rest"],
             "sm_x_own": rows["x_own"], "sy_m": zero, "sy_x": zero, "sy_m_own": zero,
             "sy_x_own": zero}  # fmt: skip
    second = {"z": rows["y"], "sm": zero, "sy": one, "sm_x": zero, "sm_x_own": zero,
              "sy_m": rows["m1_rest"], "sy_x": rows["x_rest"], "sy_m_own": rows["m1_own"],
              "sy_x_own": rows["x_own"]}  # fmt: skip
    parts = [pd.DataFrame(p).assign(unit=rows["unit"], firm=rows["firm"]) for p in (first, second)]
    return pd.concat(parts, ignore_index=True)


def _fixed(apart: bool) -> list[str]:
    own = ["sm_x_own", "sy_x_own"] if apart else []
    return ["sm", "sm_x", "sy", "sy_m", "sy_x", "sy_m_own", *own]


def _fitted(table: pd.DataFrame, fixed: Sequence[str]) -> tuple[Fit, bool]:
    """With every slope random, then those of the chain only, then none."""
    several = 1 < table["firm"].nunique() < table["unit"].nunique()
    above = ["(0 + sm + sy | firm)"] if several else []
    levels = "(0 + sm + sy | unit)"
    ladder = [
        (["(0 + sm + sm_x + sy + sy_m + sy_x | unit)", *above], True),
        ([levels, "(0 + sm_x + sy_m | unit)", *above], True),
        ([levels, *above], False),
    ]
    why = FitError("no model could be fitted")
    for random, slopes in ladder:
        try:
            model = fit(" + ".join(["z ~ 0", *fixed, *random]), table, scale="~ sy")
        except FitError as error:
            why = error
            continue
        if model.certificate.usable:
            return model, slopes
        why = FitError(model.certificate.sentence)
    raise why


def _within(model: Fit, total: Fit, d: MediationData, *, slopes: bool) -> Chain:
    a, b = path(model, "sm_x", "a"), path(model, "sy_m", "b")
    return Chain(
        (a, b), path(model, "sy_x", "direct"), path(total, "x_rest", "total"), (model, total),
        _slope_covariance(model, a, b, d.units) if slopes else None,
    )  # fmt: skip


def _between(model: Fit, total: Fit) -> Chain:
    return Chain(
        (path(model, "sm_x_own", "a"), path(model, "sy_m_own", "b")),
        path(model, "sy_x_own", "direct"), path(total, "x_own", "total"), (model, total),
    )  # fmt: skip


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
    apart = [c for c in own if d.rows[c].nunique() > 1]
    why = FitError("no model could be fitted")
    for random in (f"(1 + {' + '.join(within)} | unit)", "(1 | unit)"):
        try:
            model = fit(f"{outcome} ~ {' + '.join([*within, *apart])} + {random}", d.rows)
        except FitError as error:
            why = error
            continue
        if model.certificate.usable:
            return model
        why = FitError(model.certificate.sentence)
    raise why
