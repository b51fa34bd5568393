"""What each metric says of each arm: changes since the start beyond those of the control arm.

One mixed model a metric. Whole firms (or, without firms, persons) are the clusters: they have a
level and a change of their own, persons within them a level. Nothing is subtracted person by
person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import require_usable
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.small_samples import FEW_CLUSTERS, FEW_TREATED
from alc_stats.inference.unit_contrast import UnitSums, unit_contrast
from alc_stats.models.card import Word
from alc_stats.models.scorecard.data import CardData, Role

By = Literal["CR2", "units"]


@dataclass(frozen=True, slots=True, eq=False)
class Modelled:
    """One metric.

    Attributes
    ----------
    rows : DataFrame
        Those that have it.
    fit : Fit
        CR2 by firm (person).
    without : tuple of str
        Random terms that these data cannot tell, and the model does without.
    """

    rows: pd.DataFrame
    fit: Fit
    without: tuple[str, ...]


def modelled(data: CardData, role: Role) -> Modelled:
    """Fit a metric by REML; the fullest random part that reaches an optimum is taken.

    Raises a FitError where none has a usable certificate.
    """
    rows = _designed(data, role)
    fixed = [*_numbered("arm", data), *_waves(rows), *_numbered("effect", data)]
    terms = _random(data, rows)
    for without in _ever_simpler(terms):
        kept = [t for t in terms if t not in without]
        formula = f"y ~ {' + '.join([*fixed, *kept])}"
        made = fit(formula, rows, covariance="CR2", cluster="firm")
        if made.certificate.usable:
            break
    require_usable(made)
    return Modelled(rows, made, without)


def _numbered(stem: str, data: CardData) -> list[str]:
    return [f"{stem}_{i}" for i in range(len(data.arms))]


def _designed(data: CardData, role: Role) -> pd.DataFrame:
    rows = data.of(role)
    for i, arm in enumerate(data.arms):
        rows[f"arm_{i}"] = (rows["arm"] == arm).astype(float)
        rows[f"effect_{i}"] = rows[f"arm_{i}"] * rows["post"]
    return rows


def _waves(rows: pd.DataFrame) -> list[str]:
    return ["wave"] if len(rows["wave"].unique()) > 1 else []


def _random(data: CardData, rows: pd.DataFrame) -> tuple[str, ...]:
    """Every level with replication has its effect."""
    repeated = bool(rows["person"].duplicated().any())
    if not data.question.firm:
        return ("(1 | person)",) if repeated else ()
    person = ("(1 | firm:person)",) if repeated else ()
    return ("(1 | firm)", "(0 + post | firm)", *person)


def _ever_simpler(terms: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Random terms to do without: none, firms' own changes, all of firms."""
    change = tuple(t for t in terms if t.startswith("(0 + post"))
    firms = tuple(t for t in terms if t.endswith("| firm)"))
    return list(dict.fromkeys(((), change, firms)))


# -- the effect of an arm ------------------------------------------------------------------------


def units_decide(data: CardData, arm: str) -> bool:
    """Whether clusters are too few for their robust covariance; by the design alone."""
    arms = data.units(arm), data.units(data.question.control)
    return sum(arms) <= FEW_CLUSTERS or min(arms) <= FEW_TREATED


def effect(data: CardData, found: Modelled, arm: str, *, by: By | None = None) -> Estimate:
    """The effect of an arm in baseline SDs, by the inference that the design asks for."""
    by = by or ("units" if units_decide(data, arm) else "CR2")
    if by == "units":
        return as_units(data, found, arm)
    own = contrast(found.fit, f"effect_{data.arms.index(arm)}")
    return Estimate(arm, own.value, own.se, own.df, "SD")


def as_units(data: CardData, found: Modelled, arm: str) -> Estimate:
    """Welch's t on the changes of firms (persons), each counted once."""
    change = changes(found)
    arms = found.rows.drop_duplicates("firm").set_index("firm")["arm"].reindex(change.index)
    compared = arms.isin([arm, data.question.control]).to_numpy()
    values = change.to_numpy(float)[compared][:, None]
    treated = (arms == arm).to_numpy()[compared]
    sums = UnitSums(values, np.ones_like(values), np.ones(1), treated, log=False)
    return unit_contrast(sums, name=arm, unit="SD")


def changes(found: Modelled) -> pd.Series:
    """After less before, of the mean of each firm that has both, less what waves do."""
    waves = [i for i, n in enumerate(found.fit.names) if n.startswith("wave[")]
    design = found.fit.memory.design.X[:, waves]
    net = found.rows["y"].to_numpy(float) - design @ found.fit.estimates[waves]
    return after_less_before(found.rows.assign(y=net), "firm")


def after_less_before(rows: pd.DataFrame, unit: str) -> pd.Series:
    """The change in the mean of `y` of every firm (person) that has both."""
    before, after = (
        rows.loc[rows["post"] == post].groupby(unit)["y"].mean() for post in (0.0, 1.0)
    )
    return (after - before).dropna()


def reference(data: CardData, arm: str) -> str:
    """Where interval and p come from."""
    if units_decide(data, arm):
        return f"Welch t, {data.unit_name} as unit"
    return f"t, CR2 by {data.unit_name}, Satterthwaite"


# -- the word ------------------------------------------------------------------------------------


def word(estimate: Estimate, smallest: float, alpha: float) -> Word:
    """What a metric alone would have told of an arm.

    Examples
    --------
    >>> [word(Estimate("", value, 0.05, 30.0), 0.2, 0.05) for value in (0.5, 0.0, 0.2, -0.5)]
    ['better', 'no better', 'better', 'worse']
    >>> word(Estimate("", 0.15, 0.1, 30.0), 0.2, 0.05)
    'cannot say'
    """
    about = decide(estimate, Criterion("superiority", smallest, alpha=alpha)).verdict
    if about in ("supported", "contradicted"):
        return "better" if about == "supported" else "worse"
    short = decide(estimate, Criterion("non_superiority", smallest, alpha=alpha)).verdict
    return "no better" if short == "supported" else "cannot say"


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Every metric on every arm.

    Attributes
    ----------
    data : CardData
    models : mapping of role to Modelled
    estimates : mapping of (role, arm) to Estimate
        In baseline SDs.
    alpha : float
    """

    data: CardData
    models: Mapping[Role, Modelled]
    estimates: Mapping[tuple[Role, str], Estimate]
    alpha: float

    def word(self, role: Role, arm: str, estimate: Estimate | None = None) -> Word:
        """What the metric says of an arm, or would say of another estimate."""
        smallest = self.data.question.metrics[role].smallest
        return word(estimate or self.estimates[role, arm], smallest, self.alpha)

    def rescaled(self, role: Role, arm: str, factor: float) -> Estimate:
        """The effect in other units."""
        own = self.estimates[role, arm]
        return replace(own, value=own.value * factor, se=own.se * factor)

    @property
    def about(self) -> str:
        """The arm that the claim is about."""
        return self.data.question.treated


def estimated(data: CardData, alpha: float) -> Effects:
    """Fit every metric, and read off every arm."""
    models = {role: modelled(data, role) for role in data.roles}
    own = {(role, arm): effect(data, m, arm) for role, m in models.items() for arm in data.arms}
    return Effects(data, models, own, alpha)


# -- bounds --------------------------------------------------------------------------------------


def standard_bounds(data: CardData, role: Role) -> tuple[float, float] | None:
    """The bounds in baseline SDs; None where they were not declared."""
    bounds, own = data.question.metrics[role].bounds, data.baselines[role]
    if bounds is None:
        return None
    low, high = ((b - own.mean) / own.sd for b in bounds)
    return low, high


def share_at_bounds(data: CardData, role: Role) -> float:
    """The largest share, over arms and times, of values at the floor or at the ceiling."""
    bounds = standard_bounds(data, role)
    if bounds is None:
        return 0.0
    rows = data.of(role)
    slack = 1e-9 * (1.0 + rows["y"].abs())
    cells = [rows["arm"], rows["post"]]
    at = (rows["y"] <= bounds[0] + slack, rows["y"] >= bounds[1] - slack)
    return float(max(here.groupby(cells).mean().max() for here in at))


def censored(data: CardData, found: Modelled, role: Role, arm: str) -> Estimate | str:
    """The effect on what lies beyond the bounds; a sentence where there is none."""
    low, high = standard_bounds(data, role) or (-math.inf, math.inf)
    rows = found.rows.assign(y=found.rows["y"].clip(low, high))
    fixed = [*_numbered("arm", data), *_waves(rows), *_numbered("effect", data)]
    repeated = ["(1 | person)"] if rows["person"].duplicated().any() else []
    try:
        made = fit(
            f"y ~ {' + '.join([*fixed, *repeated])}", rows, family="censored",
            bounds=(low if math.isfinite(low) else None, high if math.isfinite(high) else None),
            covariance="CR1", cluster="firm",
        )  # fmt: skip
        own = contrast(made, f"effect_{data.arms.index(arm)}")
    except AlcError as error:
        return str(error)
    clusters = data.units(arm) + data.units(data.question.control)
    return replace(own, df=min(own.df, clusters - 1.0), unit="SD")
