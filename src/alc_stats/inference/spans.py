"""Whether columns of one model, of its mean or its log SDs, are combinations of another's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.fixed_scale_state import FixedScaleState
from alc_stats.estimators.kernels.lmm_basis import joint_basis
from alc_stats.estimators.memory import memory_of
from alc_stats.records import FloatArray

_WITHIN = 1e-7
"""A column whose part outside the other columns is below this share of it is theirs."""


@dataclass(frozen=True, slots=True)
class SpreadNesting:
    """What the log SDs of a larger model add; `outside` names columns of the smaller it lacks."""

    added: int
    outside: tuple[str, ...]


def outside(X: FloatArray, names: tuple[str, ...], span: FloatArray) -> tuple[str, ...]:
    """Names of the columns of X (n, p) that are no combination of the columns of `span`."""
    n = len(X)
    basis = joint_basis(span)
    standardised = np.empty(span.T.shape)
    basis.rows(span, out=standardised)
    Q = standardised / np.sqrt(n)
    ones = np.ones(n)
    centred = np.linalg.norm(ones - Q.T @ (Q @ ones)) < _WITHIN * np.sqrt(n)
    columns = X - X.mean(axis=0) if centred else X
    left = np.linalg.norm(columns - Q.T @ (Q @ columns), axis=0)
    size = np.linalg.norm(columns, axis=0)
    return tuple(
        name for name, out, whole in zip(names, left, size, strict=True) if out > _WITHIN * whole
    )


def spread_state(fit: Fit) -> FixedScaleState | None:
    """The state of a fit whose log SDs follow columns; None where every row's spread is one.

    Raises
    ------
    FitError
        If the fit does not remember its rows, or models a spread in a way not known here.
    """
    state = memory_of(fit, spread=True).spread
    if state is None:
        memory_of(fit)
    return state


def spread_nesting(smaller: Fit, larger: Fit) -> SpreadNesting:
    """Compare the log SDs of two fits to the same rows.

    Raises
    ------
    FitError
        If the larger model's random intercept has its own log SDs and the random parts differ:
        where that intercept does not vary, nothing tells them.
    """
    inner, outer = spread_state(smaller), spread_state(larger)
    if outer is not None and outer.between is not None:
        _require_same_random(smaller, larger)
    n = smaller.counts.used
    found = [_part(inner, n, between=part) for part in (False, True)]
    span = [_part(outer, n, between=part) for part in (False, True)]
    lacking = [
        f"{label}.{name}"
        for label, (names, W), (_, whole) in zip(
            ("log_sd", "between_log_sd"), found, span, strict=True
        )
        for name in outside(W, names, whole)
    ]
    added = sum(b.shape[1] - a.shape[1] for (_, a), (_, b) in zip(found, span, strict=True))
    return SpreadNesting(added, tuple(lacking))


def _part(
    state: FixedScaleState | None, n: int, *, between: bool
) -> tuple[tuple[str, ...], FloatArray]:
    """Names and columns of a log SD; a constant where every row's is the same."""
    columns = None if state is None else state.between if between else state.scale
    if columns is None:
        return ("Intercept",), np.ones((n, 1))
    return columns.names, columns.basis.columns


def _require_same_random(smaller: Fit, larger: Fit) -> None:
    terms = [[(c.group, c.term, c.other) for c in fit.random] for fit in (smaller, larger)]
    if terms[0] != terms[1]:
        raise FitError(
            Problem(
                "models of a random intercept's log SD are compared with one random part only",
                found=f"'{smaller.request.formula}' and '{larger.request.formula}'",
                way_out="Write the same random terms in both.",
            )
        )
