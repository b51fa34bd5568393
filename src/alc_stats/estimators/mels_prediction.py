"""Predictions of a location-scale model: the mean, the SD, and one observation.

A person is a mixture over the nodes of the scale effect: normal given the node, with an SD of the
node's own. A person the fit has not seen is the same mixture before any row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from alc_stats.estimators.combination import Combined, combine
from alc_stats.estimators.estimate import t_interval
from alc_stats.estimators.fit import Fit, Interval
from alc_stats.estimators.formula import parse_part
from alc_stats.estimators.kernels.mels_posterior import NodePosterior, at_nodes, before_rows
from alc_stats.estimators.location_scale import MelsState, raw_coefficients
from alc_stats.estimators.mels_effects import two_levels
from alc_stats.estimators.mels_rows import beyond_constant
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.new_rows import Rows, effect_columns, new_cells, places_of
from alc_stats.records import FloatArray, IntArray

_STEP = 1e-4
"""Step of the differences in parameters of order one."""
_CHUNK = 16_384
"""Rows whose mixtures are held at once."""
_SETTLED = 1e-9
"""A quantile's last step, as a share of the mean SD."""


@dataclass(frozen=True, slots=True, eq=False)
class SpreadRows:
    """Complete rows a prediction is asked for, in raw columns.

    Attributes
    ----------
    X, W, U, Z : arrays (m, .)
        Of the mean, the log SD, the log SD of the intercept and the location effects.
    level : int array (m,)
        The person of every row; -1 of one the fit has not seen.
    """

    X: FloatArray
    W: FloatArray
    U: FloatArray
    Z: FloatArray
    level: IntArray


def fitted_spread_rows(memory: Memory, state: MelsState) -> SpreadRows:
    """The rows the model was fitted on."""
    stated, n = state.data, len(state.data.order)
    level = np.empty(n, dtype=np.int64)
    sizes = np.diff(stated.model.rows.offsets)
    level[stated.order] = np.repeat(np.arange(len(sizes)), sizes)
    return SpreadRows(
        memory.design.X,
        stated.scale.values,
        stated.between.columns.values if stated.between is not None else np.empty((n, 0)),
        stated.levels.random.factors[0].Z if stated.levels.random is not None else np.empty((n, 0)),
        level,
    )


def new_spread_rows(
    fit: Fit, memory: Memory, state: MelsState, data: pd.DataFrame, *, groups: bool
) -> tuple[SpreadRows, Rows]:
    """Code new rows as those of the fit; the second answer says which rows are complete."""
    stated, scale = state.data, parse_part(fit.request.scale, "scale")
    specs = [memory.design.spec, stated.scale.spec, *effect_columns(memory)]
    if stated.between is not None:
        specs.append(stated.between.columns.spec)
    grouping = scale.random[0].grouping if groups else ()
    names = [*memory.formula.names, *scale.names]
    names += parse_part(fit.request.between, "between").names if fit.request.between else ()
    cells = new_cells(memory, data, specs, list(dict.fromkeys(names)), set(grouping))
    X, W, *rest = cells.columns
    m = len(X)
    U = rest.pop() if stated.between is not None else np.empty((m, 0))
    level: IntArray = np.full(m, -1, dtype=np.int64)
    if groups:
        level = places_of(stated.labels, cells.frame[list(grouping)])
    found = SpreadRows(X, W, U, np.hstack(rest) if rest else np.empty((m, 0)), level)
    return found, Rows(X, (), (), data.index, cells.complete, cells.lacking)


def mean_or_sd(
    fit: Fit,
    state: MelsState,
    rows: SpreadRows,
    *,
    sd: bool,
    random: bool,
    interval: Interval | None,
    level: float,
) -> dict[str, FloatArray]:
    """Columns of a prediction for complete rows; see `prediction.predict`."""
    asked = (
        rows if random else SpreadRows(rows.X, rows.W, rows.U, rows.Z, np.full_like(rows.level, -1))
    )
    value = (_log_sd if sd else _mean)(state, asked)
    found = value(state.optimum.psi)
    if interval is None:
        return {"prediction": np.exp(found.values) if sd else found.values}
    if interval == "prediction":
        return _observation(fit, state, asked, value, level)
    if sd or random:
        variance = _estimated(state, value) + found.variances
        se: FloatArray = np.sqrt(variance)
        df: FloatArray = np.full(len(variance), np.inf)
    else:
        fixed = _fixed_part(fit, rows.X)
        se, df = fixed.se, fixed.df
    limits = t_interval(found.values, se, df, level)
    if sd:
        limits, found = np.exp(limits), _Value(np.exp(found.values), found.variances)
        se = se * found.values
    return {
        "prediction": found.values, "se": se, "df": df, "low": limits[:, 0], "high": limits[:, 1]
    }  # fmt: skip


def _fixed_part(fit: Fit, X: FloatArray) -> Combined:
    """Of rows X (m, p); the coefficients of the spreads take no part."""
    return combine(fit, np.pad(X, ((0, 0), (0, len(fit.names) - X.shape[1]))))


@dataclass(frozen=True, slots=True, eq=False)
class _Value:
    """Predicted values (m,) and their posterior variances, parameters taken for known."""

    values: FloatArray
    variances: FloatArray


_At = Callable[[FloatArray], _Value]


def _mean(state: MelsState, rows: SpreadRows) -> _At:
    """Expected outcomes as a function of the parameters."""

    def at(psi: FloatArray) -> _Value:
        coefficients, _ = raw_coefficients(state.data, psi)
        values = rows.X @ coefficients[: rows.X.shape[1]]
        q = rows.Z.shape[1]
        if not q:
            return _Value(values, np.zeros(len(values)))
        loads = _loads(state, psi, rows)
        mean, covariance = _moments(state, psi, rows.level)
        values = values + np.einsum("mq,mq->m", loads, mean[:, :q])
        return _Value(values, np.einsum("ma,mab,mb->m", loads, covariance[:, :q, :q], loads))

    return at


def _log_sd(state: MelsState, rows: SpreadRows) -> _At:
    """Log SDs as a function of the parameters."""

    def at(psi: FloatArray) -> _Value:
        values = _row_log_sd(state, psi, rows)
        sw = state.data.model.shape.unpack(psi).scale_sd
        mean, covariance = _moments(state, psi, rows.level)
        seen = rows.level >= 0
        values = values + sw * mean[:, -1]
        return _Value(values, np.where(seen, sw**2 * covariance[:, -1, -1], 0.0))

    return at


def _row_log_sd(state: MelsState, psi: FloatArray, rows: SpreadRows) -> FloatArray:
    """Log SDs (m,) where the scale effect is zero."""
    coefficients, _ = raw_coefficients(state.data, psi)
    first = rows.X.shape[1]
    return np.asarray(rows.W @ coefficients[first : first + rows.W.shape[1]])


def _loads(state: MelsState, psi: FloatArray, rows: SpreadRows) -> FloatArray:
    """What a row makes of the unit location effects (m, q)."""
    stated, at = state.data, state.data.model.shape.unpack(psi)
    Z = rows.Z @ stated.random.back
    if stated.between is not None:
        Z[:, stated.model.rows.scaled] *= np.exp(beyond_constant(stated.between, rows.U) @ at.alpha)
    return np.asarray(stated.unit * Z @ at.L)


def _moments(state: MelsState, psi: FloatArray, level: IntArray) -> tuple[FloatArray, FloatArray]:
    """Means (m, q + 1) and covariances of the unit effects of every row's person."""
    persons, place = np.unique(level, return_inverse=True)
    found = [part.moments() for _, part in _posteriors(state, psi, persons)]
    mean, covariance = (np.concatenate([f[k] for f in found]) for k in (0, 1))
    return mean[place], covariance[place]


def _posteriors(
    state: MelsState, psi: FloatArray, persons: IntArray
) -> Iterator[tuple[IntArray, NodePosterior]]:
    """Posteriors of sorted persons, -1 first, some at a time."""
    model, nodes = two_levels(state), state.optimum.evaluated.nodes
    if persons.size and persons[0] < 0:
        yield persons[:1], before_rows(model, psi, len(nodes.standard))
        persons = persons[1:]
    for low in range(0, model.rows.persons, _CHUNK):
        high = min(low + _CHUNK, model.rows.persons)
        some = persons[(persons >= low) & (persons < high)]
        if some.size:
            yield some, _of(at_nodes(model, psi, nodes, low, high), some - low)


def _of(posterior: NodePosterior, persons: IntArray) -> NodePosterior:
    p = posterior
    return NodePosterior(
        p.weights[persons], p.places[persons], p.means[persons], p.covariances[persons]
    )


def _estimated(state: MelsState, value: _At) -> FloatArray:
    """Variance (m,) that the estimated parameters add: slopes by differences, their covariance."""
    psi, free = state.optimum.psi, np.flatnonzero(state.optimum.free)
    slopes = []
    for place in free:
        step = np.zeros(len(psi))
        step[place] = _STEP
        slopes.append((value(psi + step).values - value(psi - step).values) / (2.0 * _STEP))
    S = np.array(slopes)
    return np.asarray(np.einsum("km,kl,lm->m", S, state.covariance[np.ix_(free, free)], S))


def _observation(
    fit: Fit, state: MelsState, rows: SpreadRows, value: _At, level: float
) -> dict[str, FloatArray]:
    """Mean, SD and quantiles of one observation: a mixture over the scale effect."""
    m, psi = len(rows.X), state.optimum.psi
    seen = bool((rows.level >= 0).any())
    estimated = _estimated(state, value) if seen else _fixed_part(fit, rows.X).se ** 2
    base = rows.X @ raw_coefficients(state.data, psi)[0][: rows.X.shape[1]]
    loads, log_sd = _loads(state, psi, rows), _row_log_sd(state, psi, rows)
    sw = state.data.model.shape.unpack(psi).scale_sd
    persons, place = np.unique(rows.level, return_inverse=True)
    out = np.empty((4, m))
    first = 0
    for some, posterior in _posteriors(state, psi, persons):
        inside = np.flatnonzero((place >= first) & (place < first + len(some)))
        for start in range(0, len(inside), _CHUNK):
            own = inside[start : start + _CHUNK]
            given = _of(posterior, place[own] - first)
            centre = base[own, None] + np.einsum("mq,mkq->mk", loads[own], given.means)
            within = np.einsum("ma,mkab,mb->mk", loads[own], given.covariances, loads[own])
            spread = np.exp(2.0 * (log_sd[own, None] + sw * given.places))
            variance = within + spread + estimated[own, None]
            out[:, own] = _mixture(given.weights, centre, variance, level)
        first += len(some)
    return {
        "prediction": out[0], "se": out[1], "df": np.full(m, np.inf), "low": out[2], "high": out[3]
    }  # fmt: skip


def _mixture(
    weights: FloatArray, centre: FloatArray, variance: FloatArray, level: float
) -> FloatArray:
    """Mean, SD and central quantiles (4, m) of mixtures of K normals."""
    mean = np.einsum("mk,mk->m", weights, centre)
    second = np.einsum("mk,mk->m", weights, variance + (centre - mean[:, None]) ** 2)
    tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    quantiles = [_quantile(weights, centre, np.sqrt(variance), p) for p in tails]
    return np.array([mean, np.sqrt(second), *quantiles])


def _quantile(weights: FloatArray, centre: FloatArray, sd: FloatArray, p: float) -> FloatArray:
    """The p quantile (m,) of mixtures of normals: Newton steps within a bracket."""
    own = centre + sd * special.ndtri(p)
    low, high = own.min(axis=1), own.max(axis=1)
    x = np.einsum("mk,mk->m", weights, own)
    settled = _SETTLED * np.einsum("mk,mk->m", weights, sd)
    for _ in range(60):
        at = (x[:, None] - centre) / sd
        over = np.einsum("mk,mk->m", weights, special.ndtr(at)) - p
        density = np.einsum("mk,mk->m", weights, np.exp(-0.5 * at * at) / sd) / np.sqrt(2 * np.pi)
        low, high = np.where(over < 0.0, x, low), np.where(over < 0.0, high, x)
        with np.errstate(all="ignore"):
            newton = x - over / density
        inside = (newton >= low) & (newton <= high)
        then = np.where(inside, newton, 0.5 * (low + high))
        moved, x = np.abs(then - x), then
        if np.all(moved <= settled):
            break
    return np.asarray(x)
