"""The search for the maximum of a logistic mixed model's likelihood.

Coefficients and covariance parameters are searched together: quasi-Newton by the exact gradient to
the neighbourhood, Newton with a Hessian of differences of exact gradients to the last digits. As
for linear mixed models the deviance does not know the signs of a factor's columns, so that
whether a variance of zero is right is read from the derivative in the covariance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from scipy import optimize

from alc_stats.estimators.kernels.lmm_deviance import Template
from alc_stats.estimators.kernels.lmm_search import OUTWARD, Optimum, lowered, upright
from alc_stats.records import BoolArray, FloatArray

START = 0.6
"""Standard deviation of every standardised random column at the start, log odds."""
FEW_ROWS = 500
"""With several random columns, tables up to this size are searched from several sides: of those of
some dozens of rows a few in a hundred have two tops."""
SIDES = (0.15, 2.0)
_SAME_TOP = 1e-6
"""Deviances nearer than this are of one top, reached from two sides."""
_STEP = 1e-4
"""Step of differences: columns are standardised, so parameters are log odds."""
_PROBE = 1e-3
"""Standard deviation at which the derivative in a variance of zero is read."""
_ARRIVED = 1e-10
_POLISH_STEPS = 12
_RESTARTS = 3
_FLAT = 1e-8
_FAR = 1e3
"""Log odds beyond which no step leads."""


class Objective(Protocol):
    """-2 log-likelihood of coefficients (p,) and covariance parameters (k,) behind them."""

    @property
    def template(self) -> Template:
        """Places of the covariance parameters."""
        ...

    @property
    def coefficients(self) -> int:
        """Number p of coefficients."""
        ...

    def value_and_gradient(self, place: FloatArray) -> tuple[float, FloatArray]:
        """Deviance and gradient (p + k,)."""
        ...


def best(objective: Objective, start: FloatArray, metric: FloatArray, *, rows: int) -> Optimum:
    """The lowest of the searches a table of this size is worth.

    `start` (p + k,) holds coefficients, `metric` (p + k,) guesses the curvature; in the answer,
    `theta` holds the coefficients first. A lower deviance counts wherever its search ended: where
    that is no optimum, neither is the top from which it could not be seen.
    """
    pivots = _diagonal(objective)
    found = search(objective, np.where(pivots, START, start), metric)
    if rows > FEW_ROWS or pivots.sum() == 1:
        return found
    still = pivots & (found.theta == 0.0)
    starts = [np.where(pivots, sd, start) for sd in SIDES]
    if still.any() and not still[pivots].all():
        starts.append(np.where(still, START, found.theta))
    for place in starts:
        try:
            other = search(objective, place, metric)
        except (np.linalg.LinAlgError, ValueError):
            continue
        if other.deviance < found.deviance - _SAME_TOP:
            found = other
    return found


def search(objective: Objective, start: FloatArray, metric: FloatArray) -> Optimum:
    """Minimise the deviance from one place."""
    place, every = start.copy(), np.ones(len(start), dtype=bool)
    for _ in range(_RESTARTS):
        place = _descend(objective, place, every, metric)
        place, free = _settle(objective, _upright(objective, place), metric)
        found = _polish(objective, place, free)
        found = replace(found, pull=_pull(objective, found.theta, free))
        if found.pull >= -OUTWARD and found.decrement < _ARRIVED:
            break
        place = np.where(free, found.theta, np.where(_diagonal(objective), START / 2.0, 0.0))
    return found


def covariance(optimum: Optimum) -> FloatArray:
    """Covariance (p + k, p + k) of all parameters; zero for what is held at zero."""
    found = np.zeros((len(optimum.theta), len(optimum.theta)))
    found[np.ix_(optimum.free, optimum.free)] = 2.0 * np.linalg.inv(optimum.hessian)
    return found


def _descend(
    objective: Objective, place: FloatArray, free: BoolArray, metric: FloatArray
) -> FloatArray:
    whole = np.where(free, place, 0.0)

    def restricted(part: FloatArray) -> tuple[float, FloatArray]:
        if not np.all(np.abs(part) < _FAR):
            return np.inf, np.zeros(len(part))
        whole[free] = part
        value, gradient = objective.value_and_gradient(whole)
        return value, gradient[free]

    found = optimize.minimize(
        restricted,
        place[free],
        jac=True,
        method="BFGS",
        options={
            "gtol": 1e-5 * float(np.sqrt(metric[free].min())),
            "hess_inv0": np.diag(1.0 / metric[free]),
        },
    )
    whole[free] = found.x
    return whole.copy()


def _diagonal(objective: Objective) -> BoolArray:
    """Which parameters (p + k,) are pivots of a factor."""
    fixed = np.zeros(objective.coefficients, dtype=bool)
    return np.concatenate([fixed, objective.template.diagonal])


def _upright(objective: Objective, place: FloatArray) -> FloatArray:
    p = objective.coefficients
    return np.concatenate([place[:p], upright(objective.template, place[p:])])


def _settle(
    objective: Objective, place: FloatArray, metric: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Hold at zero the directions of random effects in which nothing varies."""
    form, p = objective.template, objective.coefficients
    free = np.ones(len(place), dtype=bool)
    for number in range(len(form.blocks)):
        while (lower := lowered(form, place[p:], free[p:], number)) is not None:
            still = np.concatenate([free[:p], lower[1]])
            trial = np.concatenate([place[:p], lower[0]])
            trial = _descend(objective, trial, still, metric)
            values = [objective.value_and_gradient(one)[0] for one in (trial, place)]
            tolerance = 1e-9 * max(1.0, abs(values[1]))
            if values[0] > values[1] + tolerance or _pull(objective, trial, still) < -OUTWARD:
                break
            place, free = _upright(objective, trial), still
    return place, free


def _pull(objective: Objective, place: FloatArray, free: BoolArray) -> float:
    """Least derivative of the deviance in variances held at zero, a level of their grouping.

    The gradient in a column held at zero is the derivative in the covariance times that column, so
    that a small column shows the derivative.
    """
    if free.all():
        return float("inf")
    form, p = objective.template, objective.coefficients
    least = float("inf")
    for number, (f, _, _) in enumerate(form.blocks):
        held = np.flatnonzero(~free[p:] & (form.block == number))
        pivots = [k for k in held if form.row[k] == form.column[k]]
        if not pivots:
            continue
        S = np.zeros((len(pivots), len(pivots)))
        for a, k in enumerate(pivots):
            probe = place.copy()
            probe[p + k] = _PROBE
            gradient = objective.value_and_gradient(probe)[1][p:] / (2.0 * _PROBE)
            for b, other in enumerate(pivots):
                own = (form.factor == f) & (form.row == form.row[other])
                entry = np.flatnonzero(own & (form.column == form.column[k]))
                if entry.size:
                    S[a, b] = S[b, a] = gradient[entry[0]]
        least = min(least, float(np.linalg.eigvalsh(S)[0]) / form.levels[f])
    return least


def hessian(objective: Objective, place: FloatArray, free: BoolArray) -> FloatArray:
    """Hessian (f, f) of the deviance over the free parameters, by central differences."""
    columns = []
    for j in np.flatnonzero(free):
        sides = []
        for sign in (1.0, -1.0):
            moved = place.copy()
            moved[j] += sign * _STEP
            sides.append(objective.value_and_gradient(moved)[1][free])
        columns.append((sides[0] - sides[1]) / (2.0 * _STEP))
    H = np.array(columns)
    return np.asarray((H + H.T) / 2.0)


def _polish(objective: Objective, place: FloatArray, free: BoolArray) -> Optimum:
    """Newton steps on the free parameters until they no longer help."""
    value, gradient = objective.value_and_gradient(place)
    H = hessian(objective, place, free)
    step, decrement = _newton_step(H, gradient[free])
    moved_far = False
    for _ in range(_POLISH_STEPS):
        trial = place.copy()
        trial[free] += step
        there, slope = objective.value_and_gradient(trial)
        new_step, new_decrement = _newton_step(H, slope[free])
        if not new_decrement < decrement:
            break
        moved_far = moved_far or float(np.abs(step).max()) > _STEP
        slow = new_decrement > 1e-4 * decrement and new_decrement > _ARRIVED
        place, value, gradient, step, decrement = trial, there, slope, new_step, new_decrement
        if slow:
            H = hessian(objective, place, free)
            step, decrement = _newton_step(H, gradient[free])
            moved_far = False
    if moved_far:
        H = hessian(objective, place, free)
        step, decrement = _newton_step(H, gradient[free])
    return Optimum(
        theta=place,
        free=free,
        deviance=value,
        gradient=gradient[free],
        hessian=H,
        curvature=_scaled(H)[1],
        decrement=decrement,
        last_step=step,
        pull=float("inf"),
    )


def _newton_step(H: FloatArray, gradient: FloatArray) -> tuple[FloatArray, float]:
    """Step and decrement; flat directions stay, downward curvature is walked down."""
    scale, values, vectors = _scaled(H)
    along = vectors.T @ (gradient / scale)
    ratio = np.divide(along, np.abs(values), out=np.zeros_like(along), where=np.abs(values) > _FLAT)
    return -(vectors @ ratio) / scale, float(along @ ratio)


def _scaled(H: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    diagonal = np.abs(np.diag(H))
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
    return scale, values, vectors
