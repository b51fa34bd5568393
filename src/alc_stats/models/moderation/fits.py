"""The model in which a programme's effect depends on several things at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators import Estimate, Fit, fit
from alc_stats.inference import contrast
from alc_stats.models.moderation.data import ModerationData

UNIT = "SD per SD"


@dataclass(frozen=True, slots=True, eq=False)
class Moderated:
    """The fit, and what it says."""

    fit: Fit
    data: ModerationData

    def gamma(self, moderator: str) -> Estimate:
        """How much more effect for an SD of the moderator, the others held."""
        return self._of(f"on:{self.data.column(moderator)}", f"moderation by {moderator}")

    def difference(self, one: str, other: str) -> Estimate:
        """Between two moderations."""
        of = " - ".join(f"on:{self.data.column(m)}" for m in (one, other))
        return self._of(of, f"moderation by {one} less by {other}")

    def effect_at(self, moderator: str, sds: float) -> Estimate:
        """The effect for people so many SDs above the mean of a moderator."""
        e = contrast(self.fit, f"on + {sds} * on:{self.data.column(moderator)}" if sds >= 0 else
                     f"on - {-sds} * on:{self.data.column(moderator)}")  # fmt: skip
        return Estimate("effect", e.value, e.se, e.df, "SD")

    @property
    def average(self) -> Estimate:
        """The effect at mean moderators."""
        e = contrast(self.fit, "on")
        return Estimate("effect at mean moderators", e.value, e.se, e.df, "SD")

    def _of(self, expression: str, name: str) -> Estimate:
        e = contrast(self.fit, expression)
        return Estimate(name, e.value, e.se, e.df, UNIT)


def moderated(
    data: ModerationData, *, only: Sequence[str] | None = None, log_odds: bool = False
) -> Moderated:
    """Fit it, mixed where rows recur, clustered by what was assigned.

    Parameters
    ----------
    data : ModerationData
    only : sequence of str, optional
        The moderators (and ability) to have in the model; all by default.
    log_odds : bool
        Whether the outcome is the log odds of its share of the scale.

    Raises
    ------
    FitError
        If no such model can be fitted.
    """
    held = [data.column(m) for m in (data.question.held if only is None else only)]
    rows = data.rows.assign(outcome=_log_odds(data)) if log_odds else data.rows
    terms = ["C(wave)" if len(rows["wave"].unique()) > 1 else "1", "on"]
    terms += ["treated"] if data.did else []
    for m in held:
        terms += [m, f"on:{m}"] + ([f"post:{m}", f"treated:{m}"] if data.did else [])
    fixed = f"outcome ~ {' + '.join(terms)}"
    for random in _random_parts(data):
        try:
            found = fit(fixed + random, rows, covariance="CR2", cluster="unit")
        except FitError:
            if not random:
                raise
            continue
        if found.certificate.usable:
            return Moderated(found, data)
    raise FitError("no model of the moderation has a usable certificate")


def _random_parts(data: ModerationData) -> list[str]:
    """From the fullest to none."""
    rows, firm, post = data.rows, data.question.firm is not None, "1 + post" if data.did else "1"
    many = rows["person"].duplicated().any()
    parts = []
    if firm and many:
        parts.append(f" + ({post} || unit) + (1 | person)")
    if firm or many:
        parts.append(" + (1 | unit)")
    return [*parts, ""]


def _log_odds(data: ModerationData) -> pd.Series:
    """Log odds of the share of the scale; the ends half a step of the finest share inwards."""
    low, high = data.question.bounds or (0.0, 1.0)
    share = (data.rows["raw"] - low) / (high - low)
    inside = share[(share > 0.0) & (share < 1.0)]
    edge = 0.5 * float(min(inside.min(), 1.0 - inside.max()))
    share = share.clip(edge, 1.0 - edge)
    logit = pd.Series(np.log(share / (1.0 - share)), share.index)
    return logit / float(logit.std())
