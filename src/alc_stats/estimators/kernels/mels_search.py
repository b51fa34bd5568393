"""The search for a location-scale model's maximum: scoring far away, Newton near it.

Far from the maximum the outer product of the persons' scores stands in for the information
(Berndt, Hall, Hall and Hausman 1974), damped after Levenberg and Marquardt; near it the Hessian is
taken by differences of the exact gradient, nodes held still, and Newton steps go on until they are
rounding. Then nodes are added until more of them change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alc_stats.estimators.kernels.mels_model import Evaluated, Likelihood
from alc_stats.records import BoolArray, FloatArray

_FIRST_NODES = 7
NODES = (11, 15, 21, 31, 61, 101, 181)
"""Numbers of nodes that are tried in turn; 11 are good to about 1e-5 in the log-likelihood."""
_SAME = 1e-8
"""Log-likelihoods nearer than this, or than this share of their ten-thousandth, are the same."""
_MANY = 5_000
"""With so many persons the scores' outer product is the information to a per cent or so: scoring
arrives by itself, and one-sided differences are exact enough for standard errors."""
_NEAR = 1e-2
"""A scoring step that promises less gain in log-likelihood than this hands over to Newton."""
_ENOUGH = 1e-7
"""The same where no Newton step is needed."""
_QUADRATIC = 1e-8
"""A Newton step that promises less than this keeps its Hessian: standard errors do not see it."""
ARRIVED = 1e-9
"""Promised gain in log-likelihood below which a search has arrived."""
_ROUNDING = 1e-15
"""Promised gain in log-likelihood that no digit shows."""
_LONGEST = 0.7
"""Longest step of a parameter of spread: all are of order one on the standardised scales."""
_PERHAPS_ZERO = 0.02
"""An SD below this is tried at zero."""
OUTWARD = -1e-6
"""A slope at zero below this calls for a variance."""
_LOST = 1e-7
"""Log-likelihood that a zero may cost, being rounding."""
_DIFFERENCE = 1e-4
"""Step of the differences of the gradient: error of about its square, rounding over it."""
_ONE_SIDED = 1e-6
"""The same of one-sided differences, whose error is about the step itself."""
_TURNING = 0.03
"""SD of a scale effect below which a difference may turn its correlations by a per cent."""
_FLAT = 1e-9
"""A curvature below this share of its diagonal cannot be told from the noise of differences."""
_SCORING_STEPS, _NEWTON_STEPS, _POLISH_STEPS = 60, 40, 6


@dataclass(frozen=True, slots=True, eq=False)
class MelsOptimum:
    """Where the search ended, on the standardised scale.

    Attributes
    ----------
    psi : array (P,)
        Diagonal entries of L and sigma not negative; exactly zero on the boundary.
    free : array (P,)
        Parameters not held at zero by the boundary.
    evaluated : Evaluated
        Log-likelihood, scores and nodes there.
    information : array (f, f)
        Minus the Hessian over the free parameters.
    curvature : array (f,)
        Eigenvalues of the information with its diagonal scaled to one.
    decrement : float
        gradient' information^-1 gradient: twice the gain that a Newton step promises.
    pull : float
        Least derivative of minus the log-likelihood in the variances held at zero, as a share of
        its size; inf where nothing is held.
    node_error : float
        Change of the log-likelihood by the last addition of nodes.
    steps : int
        Evaluations of the likelihood.
    """

    psi: FloatArray
    free: BoolArray
    evaluated: Evaluated
    information: FloatArray
    curvature: FloatArray
    decrement: float
    pull: float
    node_error: float
    steps: int


class _Climber:
    """A model, where the search is, and how often it looked."""

    def __init__(self, model: Likelihood, psi: FloatArray, nodes: Any, free: BoolArray) -> None:
        self.model, self.free, self.steps = model, free, 0
        self.psi, self.now = psi, self.look(psi, nodes)

    def look(self, psi: FloatArray, nodes: Any, *, relocate: bool = True) -> Evaluated:
        self.steps += 1
        with np.errstate(all="ignore"):
            return self.model.evaluate(psi, nodes, relocate=relocate)

    def beside(self, psi: FloatArray) -> FloatArray:
        """The gradient (P,) at a place very near, for differences.

        Nodes are held still, unless the scale effect is so small that its correlations, and with
        them the nodes, turn over within a difference.
        """
        small = self.model.shape.unpack(self.psi).scale_sd < _TURNING
        return self.look(psi, self.now.nodes, relocate=small).gradient

    def go(self, psi: FloatArray, then: Evaluated) -> None:
        self.psi, self.now = psi, then

    def moved(self, step: FloatArray) -> FloatArray:
        """The parameters after a step of the free ones, cut to a length that can be trusted."""
        beyond = self.model.shape.part("tau").start
        spread = np.zeros(len(self.psi))
        spread[self.free] = step
        length = float(np.abs(spread[beyond:]).max(initial=0.0))
        share = min(1.0, _LONGEST / length) if length > 0.0 else 1.0
        return np.asarray(self.psi + share * spread)


def search(model: Likelihood, start: FloatArray, held: BoolArray | None = None) -> MelsOptimum:
    """Maximise the log-likelihood; the answer says how sure it is, not only where it ended.

    Parameters that are `held` (P,) stay where they start.
    """
    free = np.ones(len(start), dtype=bool) if held is None else ~held
    climber = _Climber(model, start, model.first_nodes(_FIRST_NODES), free)
    _score(climber)
    climber.go(climber.psi, climber.look(climber.psi, model.renewed(climber.now.nodes, NODES[0])))
    information = _newton(climber)
    for place in model.shape.sds:
        if climber.free[place] and abs(climber.psi[place]) < _PERHAPS_ZERO:
            information = _try_zero(climber, place, information)
    information, node_error = _add_nodes(climber, information)
    if _pull(climber) < OUTWARD:  # with few nodes an SD looked like zero that is small
        information, node_error = _released(climber, free)
    return _answer(climber, information, node_error)


def climb(model: Likelihood, start: FloatArray, nodes: Any) -> tuple[FloatArray, Evaluated]:
    """Where the log-likelihood is highest with as many nodes as given, and what it is there."""
    climber = _Climber(model, start, nodes, np.ones(len(start), dtype=bool))
    _score(climber)
    _newton(climber)
    return climber.psi, climber.now


def _score(climber: _Climber) -> None:
    """Damped scoring steps until one promises little."""
    damping = 1e-2
    near = _ENOUGH if climber.model.units >= _MANY else _NEAR
    for _ in range(_SCORING_STEPS):
        gradient = climber.now.gradient[climber.free]
        outer = climber.now.outer[np.ix_(climber.free, climber.free)]
        scale = np.maximum(np.diag(outer), 1e-10 * np.diag(outer).max())
        step = np.asarray(np.linalg.solve(outer + damping * np.diag(scale), gradient), dtype=float)
        if gradient @ step < near and damping <= 1e-2:
            return
        trial = climber.moved(step)
        then = climber.look(trial, climber.now.nodes)
        if then.loglik > climber.now.loglik:
            climber.go(trial, then)
            damping = max(damping / 6.0, 1e-8)
        else:
            damping *= 8.0
            if damping > 1e8:
                return


def _newton(climber: _Climber) -> FloatArray:
    """Newton steps to the last digit; returns the information."""
    information = _information(climber)
    for _ in range(_NEWTON_STEPS):
        step, decrement = _step(information, climber.now.gradient[climber.free])
        if decrement < _QUADRATIC:
            break
        if not _advance(climber, step):
            break
        information = _information(climber)
    return _polish(climber, information)


def _polish(climber: _Climber, information: FloatArray) -> FloatArray:
    """Steps with one Hessian as long as they bring the gradient down."""
    step, decrement = _step(information, climber.now.gradient[climber.free])
    for _ in range(_POLISH_STEPS):
        if decrement < _ROUNDING:
            break
        trial = climber.moved(step)
        then = climber.look(trial, climber.now.nodes)
        new_step, new_decrement = _step(information, then.gradient[climber.free])
        if not new_decrement < decrement:
            break
        climber.go(trial, then)
        step, decrement = new_step, new_decrement
    return information


def _advance(climber: _Climber, step: FloatArray) -> bool:
    """Go along a step as far as the log-likelihood rises; False if it does not."""
    share = 1.0
    while share > 1e-6:
        trial = climber.moved(share * step)
        then = climber.look(trial, climber.now.nodes)
        if then.loglik > climber.now.loglik:
            climber.go(trial, then)
            return True
        share /= 3.0
    return False


def _information(climber: _Climber) -> FloatArray:
    """Minus the Hessian (f, f) by differences of the gradient, nodes held still.

    Central ones, or with very many persons, whose scores are smooth in sum, one-sided ones.
    """
    places = np.flatnonzero(climber.free)
    found = np.empty((len(places), len(places)))
    many = climber.model.units >= _MANY
    size = _ONE_SIDED if many else _DIFFERENCE
    below = climber.beside(climber.psi) if many else None
    for row, place in enumerate(places):
        step = np.zeros(len(climber.psi))
        step[place] = size
        up = climber.beside(climber.psi + step)
        down = climber.beside(climber.psi - step) if below is None else below
        found[row] = (down - up)[places] / (size if many else 2.0 * size)
    return np.asarray((found + found.T) / 2.0)


def _step(information: FloatArray, gradient: FloatArray) -> tuple[FloatArray, float]:
    """Step and decrement; flat directions stay, the wrong curvature is walked up."""
    scale, values, vectors = scaled_vectors(information)
    along = vectors.T @ (gradient / scale)
    usable = np.abs(values) > _FLAT
    ratio = np.divide(along, np.abs(values), out=np.zeros_like(along), where=usable)
    return (vectors @ ratio) / scale, float(along @ ratio)


def scaled_vectors(information: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Root diagonal, eigenvalues and eigenvectors of a matrix with its diagonal scaled to one."""
    if not np.isfinite(information).all():
        raise np.linalg.LinAlgError("a curvature of the likelihood is not a number")
    diagonal = np.abs(np.diag(information))
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    return scale, values, vectors


def _try_zero(climber: _Climber, place: int, information: FloatArray) -> FloatArray:
    """Hold an SD at zero, with what it alone makes identifiable.

    Unless that costs likelihood, or the likelihood still rises from there: then the SD is small.
    """
    psi, now, free = climber.psi, climber.now, climber.free
    held = climber.model.shape.held_with(place)
    climber.free = free & ~held
    trial = np.where(held, 0.0, psi)
    climber.go(trial, climber.look(trial, now.nodes))
    narrower = _newton(climber)
    if climber.now.loglik >= now.loglik - _LOST and _pull_at(climber, place) >= OUTWARD:
        return narrower
    climber.free = free
    climber.go(psi, now)
    return information


def _released(climber: _Climber, free: BoolArray) -> tuple[FloatArray, float]:
    """Search again from where the SDs held at zero are small, with the nodes there are."""
    psi = climber.psi.copy()
    for place in climber.model.shape.sds:
        if free[place] and not climber.free[place]:
            psi[place] = _PERHAPS_ZERO
    climber.free = free
    climber.go(psi, climber.look(psi, climber.now.nodes))
    return _add_nodes(climber, _newton(climber))


def _add_nodes(climber: _Climber, information: FloatArray) -> tuple[FloatArray, float]:
    """More nodes until they change nothing, the maximum following."""
    change = np.inf
    for count in NODES[1:]:
        before = climber.now.loglik
        climber.go(
            climber.psi, climber.look(climber.psi, climber.model.renewed(climber.now.nodes, count))
        )
        change = abs(climber.now.loglik - before)
        if change < _SAME * max(1.0, abs(before) / 1e4):
            break
        _polish(climber, information)
    return _polish(climber, information), change


def _answer(climber: _Climber, information: FloatArray, node_error: float) -> MelsOptimum:
    gradient = climber.now.gradient[climber.free]
    return MelsOptimum(
        psi=climber.model.shape.upright(climber.psi),
        free=climber.free,
        evaluated=climber.now,
        information=information,
        curvature=scaled_vectors(information)[1],
        decrement=_step(information, gradient)[1],
        pull=_pull(climber),
        node_error=node_error,
        steps=climber.steps,
    )


def _pull(climber: _Climber) -> float:
    """Least curvature of minus the log-likelihood in SDs held at zero, where its slope is zero."""
    held = [place for place in climber.model.shape.sds if not climber.free[place]]
    return min((_pull_at(climber, place) for place in held), default=float("inf"))


def _pull_at(climber: _Climber, place: int) -> float:
    """The curvature in one SD that is zero, as a share of the size of scores."""
    step = np.zeros(len(climber.psi))
    step[place] = _DIFFERENCE
    up = climber.beside(climber.psi + step)[place]
    size = float(np.sqrt(max(climber.now.outer.diagonal().max(), 1.0)))
    return float(-up) / _DIFFERENCE / size
