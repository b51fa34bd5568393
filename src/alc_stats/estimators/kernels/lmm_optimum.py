"""The optimum of a model: searched from several sides, on the footing that suits where it ends.

A footing is how the random columns are written: rotated within their terms, and which grouping is
eliminated first. It changes neither the model nor its deviance, but what arithmetic makes of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from scipy import linalg

from alc_stats.estimators.kernels.lmm_crossed import Crossed
from alc_stats.estimators.kernels.lmm_deviance import Objective, Template
from alc_stats.estimators.kernels.lmm_problem import Problem
from alc_stats.estimators.kernels.lmm_search import START, Optimum, reached, search
from alc_stats.records import FloatArray

FEW_ROWS = 500
"""Tables up to this size are searched twice: two tops were seen in tables of a few dozen rows."""
FAR_START = 3.0
"""Where the second search starts: random SDs three times the residual's."""
TINY_ROWS = 60
"""Tables up to this size are searched from every side: most with two tops have twenty rows."""
_SIDES = (0.1, 10.0)
_SAME_TOP = 1e-6
"""Deviances nearer than this are of one top, reached from two sides."""
_STILL = 1e-6
"""A diagonal entry below this is lifted off zero for one more search."""
_DOMINANT = 100.0
"""A random SD this many times the first grouping's and the residual's is eliminated first: what
is left of the rows is then a sum of squares, not a difference of large numbers."""
_MOST_FOOTINGS = 3


class Prepare(Protocol):
    """`prepare` with the arrays of a model filled in."""

    def __call__(
        self, *, turns: tuple[FloatArray, ...] | None = None, first: int | None = None
    ) -> Problem:
        """State the objective on a footing."""
        ...


def optimise(problem: Problem, prepared: Prepare) -> tuple[Problem, Optimum]:
    """The model on the footing its optimum asks for, and that optimum.

    Parameters
    ----------
    problem : Problem
        On the plain footing.
    prepared : callable
        The same model on any other.
    """
    turns: tuple[FloatArray, ...] | None = None
    first: int | None = None
    found = best(problem.objective)
    for _ in range(_MOST_FOOTINGS):
        form, start = problem.objective.template, found.theta
        dominant, arrived = _dominant(problem.objective, start), reached(found)
        if arrived and dominant is None:
            break
        if not arrived:
            rotations, start = principal(form, start)
            turns = _composed(turns, rotations)
        first = first if dominant is None else dominant
        other = prepared(turns=turns, first=first)
        try:
            again = search(other.objective, start)
        except np.linalg.LinAlgError:
            break
        if not (reached(again) or again.deviance < found.deviance):
            break
        problem, found = other, again
    return problem, found


def best(objective: Objective) -> Optimum:
    """The lowest of the searches a table of this size is worth.

    A lower deviance counts wherever its search ended: where that is no optimum, neither is the top
    from which it could not be seen.
    """
    found = search(objective)
    if objective.rows > FEW_ROWS:
        return found
    for start in _starts(objective, found):
        try:
            other = search(objective, start)
        except (np.linalg.LinAlgError, ValueError):
            continue
        if other.deviance < found.deviance - _SAME_TOP:
            found = other
    return found


def _starts(objective: Objective, first: Optimum) -> Iterator[FloatArray]:
    """From afar; of a tiny table also from near, from farther, and off the zeros found."""
    diagonal = objective.template.diagonal
    yield np.where(diagonal, FAR_START, 0.0)
    if objective.rows > TINY_ROWS:
        return
    for size in _SIDES:
        yield np.where(diagonal, size, 0.0)
    still = diagonal & (np.abs(first.theta) < _STILL)
    if still.any() and not still[diagonal].all():
        yield np.where(still, START, first.theta)


def principal(form: Template, theta: FloatArray) -> tuple[tuple[FloatArray, ...], FloatArray]:
    """Rotations (q, q) to the principal axes of every block's covariance, and theta there.

    On its own axes a covariance has a diagonal factor, largest first, so no small pivot stands
    before a large one.
    """
    lam = form.unpack(theta)
    turns = [np.eye(size) for size in form.sizes]
    for f, first, size in form.blocks:
        own = slice(first, first + size)
        turns[f][own, own], sizes, _ = np.linalg.svd(lam[f][own, own])
        lam[f][own, own] = np.diag(np.maximum(sizes, START / 10.0))
    return tuple(turns), form.pack(lam)


def _composed(
    before: tuple[FloatArray, ...] | None, turns: tuple[FloatArray, ...]
) -> tuple[FloatArray, ...]:
    return turns if before is None else tuple(a @ b for a, b in zip(before, turns, strict=True))


def _dominant(objective: Objective, theta: FloatArray) -> int | None:
    """The grouping that dwarfs the one eliminated first, if any does; in small tables only."""
    statistics = objective.statistics
    if not isinstance(statistics, Crossed) or objective.rows > FEW_ROWS:
        return None
    sizes = [float(linalg.norm(lam, 2)) for lam in objective.template.unpack(theta)]
    largest = int(np.argmax(sizes))
    dwarfed = sizes[largest] > _DOMINANT * max(sizes[statistics.places[0]], 1.0)
    return largest if dwarfed else None
