"""Profile-likelihood intervals of location-scale models with a random scale effect.

A coefficient, SD or correlation is held, everything else is maximised again, and the fall of the
log-likelihood is followed to the critical value. SDs are followed on the log scale, correlations
as Fisher's z, where the fall is nearly a parabola.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.mels_held import Held, held_model
from alc_stats.estimators.kernels.mels_search import climb
from alc_stats.estimators.location_scale import MelsState, raw_coefficients
from alc_stats.estimators.mels_effects import effect_names, required_state, two_levels
from alc_stats.records import FloatArray

_NEAR_ZERO = 1e-6
"""An SD of this share of the outcome's unit, or of one log SD, stands for zero."""
_NEAR_ONE = float(np.arctanh(1.0 - 1e-6))
"""Fisher's z of a correlation that stands for one."""
_RELEASED = 1e-2
"""Where a parameter that the fit holds at zero starts when others are held instead."""
_CLOSE = 1e-7
"""A limit is found to this share of its bracket."""
_SMALL = float(np.log(0.05))
"""Log of an SD from which the limit of one that is zero is looked for."""
_LONGEST = 1.0
"""Longest step of a log SD or Fisher's z: over longer ones the other parameters do not follow."""
_FLAT = 3.0
"""Fisher's z beyond which a correlation hardly moves."""
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Profile:
    """Estimate and limits of a profile."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class _Parameter:
    """A held function on its working scale: where it is at the estimates, and its ends."""

    held: Held
    estimate: float
    low: float
    high: float
    back: Callable[[float], float]


class _Path:
    """Falls of the log-likelihood at held values, each search starting from the nearest value's."""

    def __init__(self, state: MelsState, held: Held) -> None:
        self.state, self.held = state, held
        psi = state.optimum.psi.copy()
        psi[~state.optimum.free] = _RELEASED
        self.known = {held.value(psi): psi}

    def fall(self, value: float) -> float:
        """Twice the fall of the log-likelihood where the function has the value."""
        evaluated = self.state.optimum.evaluated
        near = self.known[min(self.known, key=lambda at: abs(at - value))]
        model = held_model(two_levels(self.state), self.held, near, value)
        place, now = climb(model, np.zeros(len(near) - 1), evaluated.nodes)
        self.known[value] = model.parameters(place)
        return 2.0 * (evaluated.loglik - now.loglik)


def spread_parameters(fit: Fit) -> tuple[str, ...]:
    """Names of what can be profiled: SDs and correlations of persons' effects, coefficients."""
    found = []
    for component in fit.random:
        if component.group == "Residual":
            continue
        if component.correlation is None:
            found.append(f"SD of {component.term} | {component.group}")
        else:
            found.append(f"correlation of {component.term}, {component.other} | {component.group}")
    return (*found, *fit.labels)


def spread_profile(fit: Fit, parameter: str, level: float) -> Profile:
    """Estimate and limits of one parameter; see `profile.profile_interval`.

    Raises
    ------
    DeclarationError
        For a parameter the fit has not.
    FitError
        For a correlation of an effect that does not vary, or a profile that cannot be followed.
    """
    state = required_state(fit)
    names = spread_parameters(fit)
    if parameter not in names:
        raise DeclarationError(
            Problem(
                f"the fit has no parameter '{parameter}'",
                where="profile_interval(parameter=...)",
                allowed="; ".join(names),
                way_out=did_you_mean(parameter, names),
            )
        )
    own = _parameter(fit, state, parameter)
    path, critical = _Path(state, own.held), float(stats.chi2.ppf(level, 1))
    limits = [_limit(path, own, end, critical, parameter) for end in (own.low, own.high)]
    low, high = (own.back(limit) for limit in limits)
    return Profile(own.back(own.estimate), low, high)


def _parameter(fit: Fit, state: MelsState, name: str) -> _Parameter:
    if name in fit.labels:
        return _coefficient(state, fit.labels.index(name))
    effects = {effect: k for k, effect in enumerate(effect_names(state))}
    inside = name.rsplit(" | ", 1)[0]
    if inside.startswith("SD of "):
        return _sd(state, effects[inside.removeprefix("SD of ")])
    a, b = next(
        (effects[x], effects[y])
        for x in effects
        for y in effects
        if inside == f"correlation of {x}, {y}"
    )
    return _correlation(state, a, b, name)


def _coefficient(state: MelsState, k: int) -> _Parameter:
    stated = state.data

    def value(psi: FloatArray) -> float:
        return float(raw_coefficients(stated, psi)[0][k])

    def to(psi: FloatArray, at: float) -> FloatArray:
        for _ in range(4):
            now, slopes = raw_coefficients(stated, psi)
            psi = psi + slopes[k] * (at - now[k]) / (slopes[k] @ slopes[k])
        return psi

    held = Held(value, to, lambda psi: np.ones(len(psi)))
    return _Parameter(held, value(state.optimum.psi), -np.inf, np.inf, float)


def _sd(state: MelsState, k: int) -> _Parameter:
    unit = state.data.unit if k < _q(state) else 1.0

    def value(psi: FloatArray) -> float:
        with np.errstate(divide="ignore"):
            return float(np.log(np.linalg.norm(_factor(state, psi)[k])))

    def to(psi: FloatArray, at: float) -> FloatArray:
        factor = _factor(state, psi)
        factor[k] *= np.exp(at) / np.linalg.norm(factor[k])
        return _with_factor(state, psi, factor)

    held = Held(value, to, lambda psi: _sizes(state, psi))
    end = float(np.log(unit * _NEAR_ZERO))
    return _Parameter(held, value(state.optimum.psi), end, np.inf, lambda x: _sd_back(x, end))


def _sd_back(x: float, end: float) -> float:
    return 0.0 if x <= end else float(np.exp(x))


def _correlation(state: MelsState, a: int, b: int, name: str) -> _Parameter:
    a, b = min(a, b), max(a, b)
    if not np.all(np.linalg.norm(_factor(state, state.optimum.psi)[[a, b]], axis=1) > 0.0):
        raise FitError(
            Problem(
                "an effect that does not vary has no correlation",
                where=f"'{name}'",
                found="a standard deviation of zero",
                way_out="Ask for the interval of that standard deviation.",
            )
        )

    def value(psi: FloatArray) -> float:
        one, other = _factor(state, psi)[[a, b]]
        r = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        with np.errstate(divide="ignore"):
            return float(np.clip(np.arctanh(np.clip(r, -1.0, 1.0)), -_NEAR_ONE, _NEAR_ONE))

    def to(psi: FloatArray, at: float) -> FloatArray:
        factor = _factor(state, psi)
        along = factor[a] / np.linalg.norm(factor[a])
        length = float(np.linalg.norm(factor[b]))
        across = factor[b] - (factor[b] @ along) * along
        if np.linalg.norm(across) < 1e-12 * length:  # nothing beside it: the last free axis
            across = np.eye(len(factor))[b] - along[b] * along
        across /= np.linalg.norm(across)
        r = np.tanh(at)
        factor[b] = length * (r * along + np.sqrt(1.0 - r * r) * across)
        return _with_factor(state, psi, factor)

    held = Held(value, to, lambda psi: _sizes(state, psi))
    return _Parameter(held, value(state.optimum.psi), -_NEAR_ONE, _NEAR_ONE, _correlation_back)


def _correlation_back(x: float) -> float:
    return float(np.sign(x)) if abs(x) >= _NEAR_ONE else float(np.tanh(x))


def _q(state: MelsState) -> int:
    return state.data.model.rows.Z.shape[1]


def _factor(state: MelsState, psi: FloatArray) -> FloatArray:
    """Rows of the columns' effects, then the scale effect, in independent ones (q + 1, q + 1)."""
    q, at = _q(state), state.data.model.shape.unpack(psi)
    found = np.zeros((q + 1, q + 1))
    if q:
        found[:q, :q] = state.data.unit * state.data.random.back @ at.L
    if at.lam.size:
        found[q, :q] = at.lam
    found[q, q] = at.sigma
    return found


def _with_factor(state: MelsState, psi: FloatArray, factor: FloatArray) -> FloatArray:
    """The parameters with another factor: L triangular again, the scale effect turned with it."""
    q, shape = _q(state), state.data.model.shape
    psi = psi.copy()
    lam = factor[q, :q]
    if q:
        inner = np.linalg.solve(state.data.unit * state.data.random.back, factor[:q, :q])
        turn, upper = np.linalg.qr(inner.T)
        signs = np.where(np.diag(upper) < 0.0, -1.0, 1.0)
        psi[shape.part("free")] = (upper.T * signs)[shape.rows, shape.columns]
        lam = (lam @ turn) * signs
    if shape.sizes[4]:
        psi[shape.part("lam")] = lam
    psi[shape.part("sigma")] = factor[q, q]
    return psi


def _sizes(state: MelsState, psi: FloatArray) -> FloatArray:
    """Steps: the length of a parameter's row of the covariance's factor, at most one."""
    shape = state.data.model.shape
    at = shape.unpack(psi)
    found = np.ones(len(psi))
    lengths = np.linalg.norm(at.L, axis=1)
    found[shape.part("free")] = np.clip(lengths[shape.rows], 1e-9, 1.0)
    found[np.r_[shape.part("lam"), shape.part("sigma")]] = np.clip(at.scale_sd, 1e-9, 1.0)
    return found


def _limit(path: _Path, own: _Parameter, end: float, critical: float, name: str) -> float:
    """Where the fall reaches the critical value on the way to `end`; `end` if it does not."""
    side = 1.0 if end > own.estimate else -1.0
    if (own.estimate - end) * side >= 0.0:
        return end
    goal = float(np.sqrt(critical))

    def rise(at: float) -> float:
        return float(np.sqrt(max(path.fall(at), 0.0))) - goal

    if np.isfinite(own.estimate):
        return _crossing(rise, (own.estimate, -goal), side, end, name)
    first = rise(_SMALL)
    if first >= 0.0:
        return _between(rise, (own.low, -goal), (_SMALL, first))
    return _crossing(rise, (_SMALL, first), side, end, name)


def _crossing(
    rise: Callable[[float], float],
    inside: tuple[float, float],
    side: float,
    end: float,
    name: str,
) -> float:
    """Follow sqrt(fall) - sqrt(critical), nearly linear, outwards to its root or to `end`."""
    start, lowest = inside
    at = start + side * max(1e-3, 0.1 * min(abs(start), 3.0))
    if abs(start) == _NEAR_ONE:
        at = -side * _FLAT  # Fisher's z of a correlation at its other limit
    for _ in range(_STEPS):
        at = side * min(side * at, side * end)
        now = rise(at)
        if now >= 0.0:
            return _between(rise, inside, (at, now))
        if at == end:
            return end
        reached = max((now - lowest) / -lowest, 0.25)
        further = start + (at - start) * min(1.1 / reached, 4.0)
        if np.isfinite(end):
            further = at + side * min(side * (further - at), _LONGEST)
        inside, at = (at, now), further
    raise FitError(
        Problem(
            f"the profile of '{name}' cannot be followed to its limit",
            way_out="Use the interval of the coefficient, or simplify the spread.",
        )
    )


def _between(
    rise: Callable[[float], float], inside: tuple[float, float], outside: tuple[float, float]
) -> float:
    """The root in a bracket whose values are known."""
    known = dict([inside, outside])
    width = abs(outside[0] - inside[0])
    found = optimize.brentq(
        lambda at: known[at] if at in known else rise(at),
        inside[0],
        outside[0],
        xtol=_CLOSE * width,
        rtol=1e-14,
    )
    return float(found)
