"""Everything that is estimated about one gap, before anything is said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.decision import Criterion, Verdict, decide
from alc_stats.measures.scales import reliability
from alc_stats.models.finding import Part
from alc_stats.models.gap.data import GapData, Level
from alc_stats.models.gap.fits import PAIR, Stacked, as_units, long_rows, of, stacked, units_decide

By = Literal["CR2", "units"]
SHARE_AT_BOUND = 0.05
"""From this share of an arm at a bound on, the outcome's verdict must hold for the latent one."""
TITLES: dict[Level, str] = {
    "usage": "Use rises",
    "awareness": "Awareness rises",
    "capability": "Capability does not rise",
}
RULES: dict[Level, Literal["superiority", "non_superiority"]] = {
    "usage": "superiority",
    "awareness": "superiority",
    "capability": "non_superiority",
}


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """What was estimated.

    Attributes
    ----------
    data : GapData
    pair, use : Stacked
        Awareness and capability jointly; use alone, where it was measured.
    by : {"CR2", "units"}
        The inference that decides.
    parts : mapping of outcome to Part
    reliabilities : mapping of outcome to omega by (treated, post), or a sentence
        Of those with items.
    censored : mapping of outcome to estimate, or a sentence
        Of those with a share of values at a bound.
    """

    data: GapData
    pair: Stacked
    use: Stacked | None
    by: By
    parts: Mapping[Level, Part]
    reliabilities: Mapping[Level, dict[tuple[float, float], float] | str]
    censored: Mapping[Level, Estimate | str]
    alpha: float

    def effect(
        self, weights: Mapping[Level, float], name: str, *, by: By | None = None
    ) -> Estimate:
        """A weighted sum of effects, by the inference that decides or another."""
        return effect(self.data, self._source(weights), weights, name, by=by or self.by)

    def model_effect(self, weights: Mapping[Level, float], name: str) -> Estimate:
        """By the model's own covariance, with Satterthwaite's degrees of freedom."""
        return of(self._source(weights), _expression(weights), robust=False, name=name)

    def _source(self, weights: Mapping[Level, float]) -> Stacked:
        if "usage" in weights and self.use is not None:
            return self.use
        return self.pair

    def reliability(self, outcome: Level) -> float | None:
        """Of the baseline of those never treated; None where it is not known."""
        own = self.reliabilities.get(outcome)
        return None if own is None or isinstance(own, str) else own.get((0.0, 0.0))

    def reads(self, outcome: Level, estimate: Estimate | None = None) -> Verdict:
        """The verdict on an outcome's part, or what it would be on another estimate."""
        part = self.parts[outcome]
        return decide(estimate or self.estimate(outcome), part.criterion).verdict

    def estimate(self, outcome: Level) -> Estimate:
        """The effect that decides an outcome's part."""
        return self.effect({outcome: 1.0}, TITLES[outcome])


def estimated(data: GapData, alpha: float) -> Gap:
    """Fit and decide every part.

    Raises
    ------
    FitError
        As `alc_stats.estimators.fit`.
    """
    pair = stacked(data, PAIR)
    use = stacked(data, ("usage",)) if "usage" in data.outcomes else None
    by: By = "units" if units_decide(data) else "CR2"
    parts: dict[Level, Part] = {}
    for outcome in (*(("usage",) if use else ()), *PAIR):
        source = use if outcome == "usage" and use else pair
        own = effect(data, source, {outcome: 1.0}, TITLES[outcome], by=by)
        parts[outcome] = Part(TITLES[outcome], own, criterion_of(data, outcome, alpha))
    known = {o: _reliabilities(data, o) for o in PAIR if data.question.items(o)}
    latent = {o: _censored(data, o) for o in PAIR if share_at_bounds(data, o) >= SHARE_AT_BOUND}
    return Gap(data, pair, use, by, parts, known, latent, alpha)


def criterion_of(data: GapData, outcome: Level, alpha: float) -> Criterion:
    """The rule and smallest effect of one outcome."""
    return Criterion(RULES[outcome], data.question.smallest(outcome), alpha=alpha)


def effect(
    data: GapData, found: Stacked, weights: Mapping[Level, float], name: str, *, by: By
) -> Estimate:
    """A weighted sum of effects in baseline SDs."""
    if by == "units":
        return as_units(data, found, dict(weights), name)
    return of(found, _expression(weights), robust=True, name=name)


def _expression(weights: Mapping[Level, float]) -> str:
    return " + ".join(f"{_factor(w)}*effect_{o}" for o, w in weights.items()).replace("+ -", "- ")


def _factor(weight: float) -> str:
    return repr(float(weight))


# -- reliability ---------------------------------------------------------------------------------


def _reliabilities(data: GapData, outcome: Level) -> dict[tuple[float, float], float] | str:
    """Omega (alpha where it has none) by arm and time; a sentence where neither exists."""
    items = list(data.question.items(outcome))
    known: dict[tuple[float, float], float] = {}
    try:
        cells = data.rows[["treated", "post"]].drop_duplicates().to_numpy(float)
        for treated, post in cells:
            at = (data.rows["treated"] == treated) & (data.rows["post"] == post)
            part = data.rows.loc[at]
            ends = (float(part[items].min().min()), float(part[items].max().max()))
            scale = reliability(part, items, range=ends)
            known[float(treated), float(post)] = scale.omega or scale.alpha
    except AlcError as error:
        return str(error)
    low = min(known.values())
    return known if low > 0.0 else "The reliability is not positive in an arm."


# -- bounds --------------------------------------------------------------------------------------


def share_at_bounds(data: GapData, outcome: Level) -> float:
    """The largest share, over arms and times, of values at the floor or at the ceiling."""
    bounds = standard_bounds(data, outcome)
    if bounds is None:
        return 0.0
    y = data.rows[outcome]
    slack = 1e-9 * (1.0 + np.abs(y))
    shares = [
        at.loc[y.notna()].groupby([data.rows["treated"], data.rows["post"]]).mean().max()
        for at in (y <= bounds[0] + slack, y >= bounds[1] - slack)
    ]
    return float(max(shares))


def standard_bounds(data: GapData, outcome: Level) -> tuple[float, float] | None:
    """The bounds in baseline SDs."""
    bounds = data.question.bounds(outcome)
    if bounds is None:
        return None
    own = data.baselines[outcome]
    low, high = ((b - own.mean) / own.sd for b in bounds)
    return low, high


def _censored(data: GapData, outcome: Level) -> Estimate | str:
    """The effect on the latent outcome that bounds cut off; persons have a level of their own."""
    rows = long_rows(data, (outcome,))
    low, high = standard_bounds(data, outcome) or (-math.inf, math.inf)
    terms = (["treated"] if data.did else []) + [f"effect_{outcome}"]
    terms += data.varying(rows)
    terms += ["(1 | person)"] if data.repeated else []
    rows = rows.assign(y=rows["y"].clip(low, high))
    try:
        found = fit(
            f"y ~ {' + '.join(terms)}", rows, family="censored",
            bounds=(low if math.isfinite(low) else None, high if math.isfinite(high) else None),
            covariance="CR1", cluster=data.cluster,
        )  # fmt: skip
        own = contrast(found, f"effect_{outcome}")
    except AlcError as error:
        return str(error)
    return replace(own, df=min(own.df, data.clusters - 1.0), unit="SD")


def persons_seen(data: GapData) -> pd.DataFrame:
    """Each person of the first period, the arm, the firm, and whether seen again."""
    rows = data.rows.loc[data.rows["awareness"].notna() & data.rows["capability"].notna()]
    first = rows.loc[rows["post"] == 0.0].drop_duplicates("person")
    later = set(rows.loc[rows["post"] == 1.0, "person"])
    return first[["person", "firm", "treated"]].assign(seen=first["person"].isin(later) * 1.0)
