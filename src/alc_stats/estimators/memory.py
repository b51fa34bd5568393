"""What a fit remembers in the session that made it, for predictions and inference afterwards.

A stored fit holds numbers only; what needs the rows again (predictions, random effects, marginal
means, robust covariances, bootstraps, residual checks) asks for the memory and says so when it is
gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.design import Design, Table
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.formula import Formula
from alc_stats.records import FloatArray

if TYPE_CHECKING:
    from alc_stats.estimators.fixed_scale_state import FixedScaleState
    from alc_stats.estimators.lmm import LmmState
    from alc_stats.estimators.lmm_terms import RandomPart
    from alc_stats.estimators.location_scale import MelsState
    from alc_stats.estimators.logistic import LogisticState
    from alc_stats.estimators.robust import Directions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Memory:
    """The rows a fit used and how they became numbers.

    Attributes
    ----------
    formula : Formula
    table : Table
        The complete rows of the needed columns.
    design : Design
        y (n,) and X (n, p) as fitted.
    state : LmmState or None
        Of a mixed model fitted by our own engine.
    robust : Directions or None
        Of a cluster-robust covariance that knows the degrees of freedom of any combination.
    mels : MelsState or None
        Of a location-scale model with a random scale effect.
    spread : FixedScaleState or None
        Of a model whose log SDs follow columns.
    logistic : LogisticState or None
        Of a logistic model.
    """

    formula: Formula
    table: Table
    design: Design
    state: LmmState | None = None
    robust: Directions | None = None
    mels: MelsState | None = None
    spread: FixedScaleState | None = None
    logistic: LogisticState | None = None

    @property
    def random(self) -> RandomPart | None:
        """The random part of a linear or logistic mixed model."""
        if self.logistic is not None:
            return self.logistic.random
        return None if self.state is None else self.state.random


def memory_of(fit: Fit, *, spread: bool = False, logistic: bool = False) -> Memory:
    """The fit's memory.

    Parameters
    ----------
    fit : Fit
    spread : bool
        Whether the caller knows what to do with a fit that models a spread.
    logistic : bool
        Whether the caller knows what to do with a logistic model.

    Raises
    ------
    FitError
        If the fit was read from disk or made by an engine that keeps none, if it models a
        spread and the caller takes every row's spread for the same, or if it is logistic and the
        caller takes the outcome for a linear one.
    """
    if not isinstance(fit.memory, Memory):
        raise FitError(
            Problem(
                "this fit does not remember its rows",
                where=f"fit of '{fit.request.formula}' by {fit.request.engine}",
                way_out="Fit it again in this session with alc_stats.fit and the default engine.",
            )
        )
    if not spread and any(part != "mean" for part in fit.components):
        raise FitError(
            Problem(
                "this takes every row's spread for the same, and the fit says it is not",
                where=f"fit of '{fit.request.formula}' with {_spreads(fit)}",
                way_out="Ask for coefficients, contrasts, predictions of the mean or compare().",
            )
        )
    if fit.memory.logistic is not None and not logistic:
        raise FitError(
            Problem(
                "this is about a linear outcome with residuals, and the fit is logistic",
                where=f"fit of '{fit.request.formula}'",
                way_out="Ask for coefficients, contrasts, joint(), compare(), icc(), "
                "marginal_means() of log odds, marginal_probabilities() or risk_difference().",
            )
        )
    return fit.memory


def prior_weights(fit: Fit) -> FloatArray | None:
    """Prior weights (n,) of the fit's rows; None without.

    Raises
    ------
    FitError
        If the fit does not remember its rows.
    """
    memory = memory_of(fit)
    if memory.state is not None:
        return memory.state.weights
    if not fit.request.weights:
        return None
    return np.asarray(memory.table.frame[fit.request.weights], dtype=float)


def _spreads(fit: Fit) -> str:
    return " and ".join(dict.fromkeys(part for part in fit.components if part != "mean"))


def mixed_state(fit: Fit) -> LmmState:
    """The state of a mixed model fitted by our own engine.

    Raises
    ------
    FitError
        If there is none.
    """
    state = memory_of(fit).state
    if state is None:
        raise FitError(
            Problem(
                "the model has no random terms of our own engine",
                where=f"fit of '{fit.request.formula}' by {fit.request.engine}",
                way_out='Add a term such as (1 | person), with engine="auto".',
            )
        )
    return state
