"""Two lines with a breakpoint that favours the weaker one (Simonsohn 2018), and their rivals.

A quadratic term is significant for every curve that bends, also for one that never falls. Two
lines ask the question itself: does it rise before some dose, and does it fall (or stay) after it?

The breakpoint is chosen as in the paper, for a maximum: a spline of the outcome on the dose; the
observed doses in the middle 80 % where the curve plus one standard error reaches above its own
maximum there (the flat region); their median; two lines; then the quantile t2 / (t1 + t2) of the
flat region, which gives rows to the line that needs them. Deviations: standard errors of the
lines are CR2 by cluster with Satterthwaite's degrees of freedom where rows are clustered (HC3, as
published, where not); the spline is the project's own (`penalised_spline`, equal to mgcv's); a
maximum is sought whatever the quadratic's sign, since that is the claim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.errors import FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.kernels.penalised_spline import penalised_spline
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.fieller import RatioInterval, fieller
from alc_stats.models.dose_response.data import DoseData
from alc_stats.records import FloatArray

UNIT = "outcome per dose"
_NO_SPREAD = 1e-6
"""A standard error that is rounding alone, as a share of the smallest slope of interest."""
_SAME = "The rows on one side of the breakpoint lie on a line exactly: it has no standard error."
MIDDLE = (0.1, 0.9)
"""Quantiles of the dose between which a maximum is sought: splines are unsure at their ends."""


@dataclass(frozen=True, slots=True, eq=False)
class TwoLines:
    """Slopes before and after the breakpoint.

    Attributes
    ----------
    breakpoint : float
    first, second : Estimate or None
        None where the rows of that side have no slope; `failure` says why.
    fits : tuple of Fit
        The regressions they are from: the breakpoint's own row belongs to the side in question.
    failure : str
    """

    breakpoint: float
    first: Estimate | None
    second: Estimate | None
    fits: tuple[Fit, ...] = ()
    failure: str = ""


def two_lines(data: DoseData) -> TwoLines:
    """Two lines about the breakpoint that the rows themselves choose."""
    flat = flat_region(data)
    start = lines_at(data, float(np.median(flat)))
    if start.first is None or start.second is None:
        return start
    t = abs(start.first.statistic), abs(start.second.statistic)
    return lines_at(data, float(np.quantile(flat, t[1] / (t[0] + t[1]), method="inverted_cdf")))


def flat_region(data: DoseData) -> FloatArray:
    """Observed doses, each once, where the smoothed outcome is within one SE of its maximum."""
    x, y = (data.rows[c].to_numpy(float) for c in ("dose", "outcome"))
    doses = np.unique(x)
    low, high = np.quantile(doses, MIDDLE)
    middle = doses[(doses > low) & (doses < high)]
    curve = penalised_spline(x, y, control_columns(data), middle)
    return np.asarray(middle[curve.fitted + curve.se >= curve.fitted.max()])


def control_columns(data: DoseData) -> FloatArray:
    """Controls as numbers (n, q), levels as indicators without the first."""
    if not data.held:
        return np.empty((len(data.rows), 0))
    wide = pd.get_dummies(data.rows[data.held], drop_first=True, dtype=float)
    values = wide.to_numpy(float)
    Q, R = np.linalg.qr(values - values.mean(axis=0))
    kept = np.abs(np.diag(R)) > 1e-9 * np.abs(np.diag(R)).max(initial=1.0)
    return np.asarray(Q[:, kept])


def lines_at(data: DoseData, at: float) -> TwoLines:
    """Two lines about a given breakpoint."""
    x = data.rows["dose"] - at
    sides = {"low": x.clip(upper=0.0), "high": x.clip(lower=0.0)}
    # the row at the breakpoint itself belongs to the line whose slope is read
    first, one = _slope(data, data.rows.assign(**sides, jump=(x > 0) * 1.0), "low")
    second, two = _slope(data, data.rows.assign(**sides, jump=(x >= 0) * 1.0), "high")
    found = [e if isinstance(e, Estimate) else None for e in (first, second)]
    failures = [e for e in (first, second) if isinstance(e, str)]
    fits = tuple(f for f in (one, two) if f is not None)
    return TwoLines(at, found[0], found[1], fits, " ".join(failures))


def _slope(data: DoseData, rows: pd.DataFrame, side: str) -> tuple[Estimate | str, Fit | None]:
    try:
        made = fitted(data, "outcome ~ low + high + jump" + data.controls, rows)
        slope = named(contrast(made, side), UNIT)
    except FitError as error:
        return str(error), None
    if not slope.se > _NO_SPREAD * data.smallest:
        return _SAME, None
    return slope, made


def fitted(data: DoseData, formula: str, rows: pd.DataFrame) -> Fit:
    """Least squares with CR2 by cluster; HC3 where rows are their own clusters."""
    if data.clustered:
        return fit(formula, rows, covariance="CR2", cluster="cluster")
    return fit(formula, rows, covariance="HC3")


def named(estimate: Estimate, unit: str) -> Estimate:
    """With its unit."""
    return replace(estimate, unit=unit)


def within_persons(data: DoseData, at: float) -> TwoLines:
    """The same two lines with an effect of every person."""
    x = data.rows["dose"] - at
    person = data.rows["person"]
    columns = pd.DataFrame(
        {"outcome": data.rows["outcome"], "low": x.clip(upper=0.0), "high": x.clip(lower=0.0)}
    )
    centred = columns - columns.groupby(person).transform("mean")
    try:
        made = fit(
            "outcome ~ 0 + low + high", centred.assign(cluster=data.rows["cluster"]),
            covariance="CR2", cluster="cluster",
        )  # fmt: skip
        slopes = [named(contrast(made, side), UNIT) for side in ("low", "high")]
    except FitError as error:
        return TwoLines(at, None, None, failure=str(error))
    return TwoLines(at, slopes[0], slopes[1], (made,))


# -- the quadratic -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Quadratic:
    """What a quadratic says, and what Lind and Mehlum (2010) make of it.

    Attributes
    ----------
    curvature : Estimate
        Of the squared dose: its significance is no inverted U.
    at_low, at_high : Estimate
        Slopes at the smallest and the largest dose.
    p_inverted : float
        Of Sasabuchi's (1980) test that it rises at the one end and falls at the other: the larger
        of two one-sided p values.
    extremum : RatioInterval
        The dose of the maximum (or minimum) with Fieller's interval.
    inside : bool
        Whether that interval lies within the doses seen.
    aic_over_log : float or None
        AIC of the quadratic less that of a logarithm, which never falls; None where a dose is not
        positive.
    """

    curvature: Estimate
    at_low: Estimate
    at_high: Estimate
    p_inverted: float
    extremum: RatioInterval
    inside: bool
    aic_over_log: float | None


def quadratic(data: DoseData, level: float) -> Quadratic | str:
    """A quadratic in the dose, its slopes at both ends and its extremum; or why there is none."""
    rows = data.rows
    x = rows["dose"]
    centre, scale = float(x.mean()), float(x.std())
    ready = rows.assign(u=(x - centre) / scale, u2=((x - centre) / scale) ** 2)
    try:
        made = fitted(data, "outcome ~ u + u2" + data.controls, ready)
        ends = [(float(e) - centre) / scale for e in (x.min(), x.max())]
        slopes = [contrast(made, f"u + {2.0 * e!r}*u2") for e in ends]
        curvature = contrast(made, "u2")
    except FitError as error:
        return str(error)
    at_low, at_high = (
        Estimate(n, s.value / scale, s.se / scale, s.df, UNIT)
        for n, s in zip(
            ("slope at the lowest dose", "slope at the highest dose"), slopes, strict=True
        )
    )
    i, j = made.labels.index("u"), made.labels.index("u2")
    turn = np.diag([-1.0, 2.0])
    cov = turn @ made.vcov[np.ix_([i, j], [i, j])] @ turn
    df = float(min(made.df[i], made.df[j]))
    r = fieller(-float(made.estimates[i]), 2.0 * float(made.estimates[j]), cov, df=df, level=level)
    extremum = RatioInterval(
        centre + scale * r.value, centre + scale * r.low, centre + scale * r.high, r.shape
    )
    inside = r.shape == "interval" and x.min() < extremum.low and extremum.high < x.max()
    return Quadratic(
        named(curvature, "outcome per SD of dose squared"), at_low, at_high,
        max(at_low.p_against(0.0, "greater"), at_high.p_against(0.0, "less")),
        extremum, bool(inside), _aic_over_log(data, made),
    )  # fmt: skip


def _aic_over_log(data: DoseData, curve: Fit) -> float | None:
    if not (data.rows["dose"] > 0.0).all():
        return None
    table = data.rows.assign(log_dose=np.log(data.rows["dose"]))
    rival = fit("outcome ~ log_dose" + data.controls, table)
    if curve.loglik is None or rival.loglik is None:
        return None
    return -2.0 * (curve.loglik - rival.loglik) + 2.0 * (len(curve.names) - len(rival.names))


# -- naive ---------------------------------------------------------------------------------------


def median_split(data: DoseData) -> Estimate:
    """Welch's difference between those above the median dose and the others."""
    above = data.rows["dose"] > data.rows["dose"].median()
    high, low = (data.rows.loc[side, "outcome"].to_numpy(float) for side in (above, ~above))
    parts = [v.var(ddof=1) / v.size for v in (high, low)]
    se = float(np.sqrt(sum(parts)))
    df = sum(parts) ** 2 / sum(p**2 / (v.size - 1) for p, v in zip(parts, (high, low), strict=True))
    return Estimate(
        "above less below the median", float(high.mean() - low.mean()), se, df, "outcome"
    )


def straight(data: DoseData) -> Estimate | str:
    """One straight line."""
    try:
        made = fitted(data, "outcome ~ dose" + data.controls, data.rows)
        return named(contrast(made, "dose"), UNIT)
    except FitError as error:
        return str(error)


def correlation(data: DoseData) -> float:
    """Spearman's rank correlation of dose and outcome."""
    return float(stats.spearmanr(data.rows["dose"], data.rows["outcome"]).statistic)
