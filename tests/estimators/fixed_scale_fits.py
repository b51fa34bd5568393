"""What the tests of log SD regressions share: how to fit, and a fit as the dense twin reads it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.fixed_scale import fit_fixed_scale
from alc_stats.estimators.formula import parse, parse_part

METHODS = ("ML", "REML")


def fitted(
    formula: str,
    data: pd.DataFrame,
    scale: str = "~ 1",
    between: str | None = None,
    method: str = "REML",
    df: str = "satterthwaite",
) -> Fit:
    part = parse_part(between, "between") if between else None
    request = Request(formula, "alc_stats", method, df=df)  # type: ignore[arg-type]
    return fit_fixed_scale(parse(formula), parse_part(scale, "scale"), part, data, request=request)


def triangle(first: float, second: float, r: float) -> list[float]:
    """Entries of a triangular covariance factor, column by column."""
    return [first, r * second, second * np.sqrt(1.0 - r**2)]


def dense_parameters(m: Fit) -> np.ndarray:
    """A fit's variance parameters in the order of `dense_scale.Model`; groupings without U."""
    found = list(m.estimates[[part == "log_sd" for part in m.components]])
    between = m.estimates[[part == "between_log_sd" for part in m.components]]
    groups = list(dict.fromkeys(c.group for c in m.random[:-1]))
    most = max(m.counts.groups, key=m.counts.groups.get) if groups else ""  # type: ignore[arg-type]
    for group in groups:
        own = [c for c in m.random if c.group == group]
        if group == most and len(between):
            found += list(between)
        elif len(own) == 3:
            found += triangle(own[0].sd, own[1].sd, own[2].correlation or 0.0)
        else:
            found += [own[0].sd]
    return np.array(found)
