"""The same question asked of distances from the median, quantiles, influence functions and shares.

All but the beta regression work on members' residuals, which are free of the means of firms, waves
and cells, and come out in log SD.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.recentred_influence import rif_quantile, rif_variance
from alc_stats.inference.unit_contrast import UnitSums, resampled_units
from alc_stats.models.widening.data import SpreadData, access_dummies
from alc_stats.models.widening.unit_spreads import members, power_sums
from alc_stats.records import FloatArray

TAILS = (0.1, 0.9)
QUARTILES = (0.25, 0.75)


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """Brown and Forsythe's comparison of distances from the median.

    Attributes
    ----------
    sums : UnitSums
        The log ratio of mean distances.
    naive_p : float
        Of the analysis of variance of distances that takes every member as independent.
    """

    sums: UnitSums
    naive_p: float


def brown_forsythe_distances(data: SpreadData) -> Distances:
    """Distances of residuals from the median of their arm and period.

    The naive p is Brown and Forsythe's (1974) own where there is no time before, and that of the
    product of treatment and time in the same analysis of variance otherwise.
    """
    table = members(data)
    residual = table["residual"]
    middle = residual.groupby([table["treated"], table["post"]]).transform("median")
    distance = (residual - middle).abs().to_numpy(float)
    return Distances(power_sums(data, table, distance), _naive_p(table, distance, did=data.did))


def _naive_p(table: pd.DataFrame, distance: FloatArray, *, did: bool) -> float:
    x = _design(table, did=did)
    n, k = x.shape
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ (x.T @ distance)
    rest = float(np.sum((distance - x @ beta) ** 2)) / (n - k)
    if rest == 0.0:
        return math.nan
    return float(2.0 * stats.t.sf(abs(beta[-1]) / math.sqrt(rest * bread[-1, -1]), n - k))


def _design(table: pd.DataFrame, *, did: bool) -> FloatArray:
    """Intercept, treatment (time, product): the difference (in differences) comes last."""
    treated, post = (table[c].to_numpy(float) for c in ("treated", "post"))
    columns = [np.ones(len(table)), treated]
    return np.column_stack([*columns, post, treated * post] if did else columns)


# -- quantiles -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Quantiles:
    """Treatment's effect on the distance of two quantiles, as a log ratio, with its bootstrap."""

    value: float
    se: float
    low: float
    high: float
    draws: int


def quantile_widths(
    data: SpreadData, *, generator: np.random.Generator, draws: int, level: float = 0.95
) -> Quantiles:
    """Log ratio of the distances from the .1 to the .9 quantile (statsmodels QuantReg).

    The model is saturated, so that its quantiles are those of arms and periods; the bootstrap
    draws whole units within arms and takes weighted quantiles.
    """
    table = members(data)
    residual, x = table["residual"].to_numpy(float), _design(table, did=data.did)
    value = _log_width(_regressed(residual, x), did=data.did)
    drawn = _resampled_widths(table, residual, data, generator, draws)
    drawn = drawn[np.isfinite(drawn)]
    tail = (1.0 - level) / 2.0
    low, high = (float(q) for q in np.quantile(drawn, [tail, 1.0 - tail]))
    return Quantiles(value, float(drawn.std(ddof=1)), low, high, int(drawn.size))


def _regressed(residual: FloatArray, x: FloatArray) -> FloatArray:
    from statsmodels.regression.quantile_regression import QuantReg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ties stop its iterations early; quantiles are checked
        low, high = (QuantReg(residual, x).fit(q=q).params for q in TAILS)
    return np.asarray(high - low)


def _log_width(width: FloatArray, *, did: bool) -> float:
    """From coefficients of widths to the log ratio (of ratios)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if not did:
            return float(np.log(width[0] + width[1]) - np.log(width[0]))
        c0, t0 = width[0], width[0] + width[1]
        c1, t1 = c0 + width[2], width.sum()
        return float(np.log(t1) - np.log(t0) - np.log(c1) + np.log(c0))


def _resampled_widths(
    table: pd.DataFrame,
    residual: FloatArray,
    data: SpreadData,
    generator: np.random.Generator,
    draws: int,
) -> FloatArray:
    codes, _ = pd.factorize(table["unit"], sort=True)
    treated = table.groupby("unit", observed=True, sort=True)["treated"].first().to_numpy() == 1.0
    counts = resampled_units(treated, generator, draws, paired=data.kind == "within")
    out = np.zeros(draws)
    for t in (1.0, 0.0):
        for p in (1.0, 0.0) if data.did else (0.0,):
            cell = ((table["treated"] == t) & (table["post"] == p)).to_numpy()
            width = _weighted_width(residual[cell], counts[:, codes[cell]])
            sign = (1.0 if t else -1.0) * (1.0 if p or not data.did else -1.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                out += sign * np.log(width)
    return out


def _weighted_width(values: FloatArray, counts: FloatArray) -> FloatArray:
    """Distance of the tails' quantiles of values repeated `counts` (draws, n) times."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(counts[:, order], axis=1)
    total = cumulated[:, -1:]
    low, high = (
        values[order][np.argmax(cumulated >= np.maximum(q * total, 1), axis=1)] for q in TAILS
    )
    return np.asarray(high - low)


# -- recentred influence -------------------------------------------------------------------------


def rif_regression(data: SpreadData, statistic: str) -> Estimate | str:
    """Effect on the variance, or on the distance of the quartiles, as a log SD.

    Least squares of the recentred influence function on treatment (and time), CR2 by unit; the
    coefficient is put on the log scale at the treated, by the delta method. A sentence where the
    data do not allow it.
    """
    table = members(data)
    residual = table["residual"].to_numpy(float)
    if statistic == "variance":
        influence, factor = rif_variance(residual), 0.5
    else:
        low, high = (rif_quantile(residual, q) for q in QUARTILES)
        influence, factor = high - low, 1.0
    rows = pd.DataFrame(
        {
            "rif": influence / influence.mean(),
            "treated": table["treated"],
            "post": table["post"],
            "unit": table["unit"].astype(str),
        }
    )
    try:
        effect = contrast(
            fit(f"rif ~ {data.design}", rows, covariance="CR2", cluster="unit"), data.effect
        )
    except AlcError as error:
        return str(error)
    there = rows["treated"].eq(1.0) & rows["post"].eq(1.0 if data.did else 0.0)
    level = float(rows.loc[there, "rif"].mean())
    before = level - effect.value
    if min(level, before) <= 0.0:
        return "The effect is larger than the statistic itself."
    name = f"log SD by the RIF of the {statistic}"
    slope = factor / before
    return Estimate(name, factor * math.log(level / before), slope * effect.se, effect.df, "log SD")


# -- shares of the range -------------------------------------------------------------------------


def beta_precision(data: SpreadData) -> float | str:
    """Minus half the effect on log precision in a beta regression: its sign is that of log SD.

    Outcomes are shares of the range, drawn in from the ends as (y (n - 1) + 1 / 2) / n (Smithson
    and Verkuilen, 2006). Precision compares spreads at equal means: what a bound does to the
    spread is part of the model.
    """
    from statsmodels.othermod.betareg import BetaModel

    bounds = data.columns.bounds
    if bounds is None or not all(math.isfinite(b) for b in bounds):
        return "A beta regression needs both bounds."
    table = members(data)
    share = (table["value"].to_numpy(float) - bounds[0]) / (bounds[1] - bounds[0])
    share = (share * (len(share) - 1) + 0.5) / len(share)
    x = _design(table, did=data.did)
    cells = access_dummies(table, data.cells)
    level = _group_level(table) if data.kind == "firms" else np.empty((len(table), 0))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own check of convergence is read below
            done = BetaModel(share, np.column_stack([x, level, cells]), exog_precision=x).fit(
                disp=0
            )
    except (ValueError, np.linalg.LinAlgError) as error:
        return f"The beta regression failed: {error}"
    if not done.mle_retvals["converged"]:
        return "The beta regression did not converge."
    return float(-0.5 * np.asarray(done.params)[-1])


def _group_level(table: pd.DataFrame) -> FloatArray:
    own = table.groupby(["unit", "post"], observed=True)["value"].transform("mean")
    arm = table.groupby(["treated", "post"], observed=True)["value"].transform("mean")
    level = (own - arm).to_numpy(float)
    spread = float(level.std())
    return np.asarray(level / spread)[:, None] if spread > 0.0 else np.empty((len(table), 0))
