"""Intraclass correlations of a logistic model, on the latent scale of its log odds."""

from __future__ import annotations

import itertools

import numpy as np
from scipy import special, stats

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.lmm_problem import nested_in
from alc_stats.estimators.logistic import LogisticState
from alc_stats.records import BoolArray, FloatArray

LATENT_VARIANCE = float(np.pi**2 / 3.0)
"""Variance of the standard logistic: of what a row adds to its log odds, a success above zero."""


def latent_variances(fit: Fit, state: LogisticState) -> tuple[FloatArray, BoolArray]:
    """Variance (f,) of every grouping's intercepts; whether each lies within each other (f, f).

    Raises
    ------
    FitError
        For random slopes, with which the correlation depends on the rows, or no random terms.
    """
    random = state.random
    names = [] if random is None else [n for term in random.terms for n in term.names]
    if random is None or any(name != "Intercept" for name in names):
        raise FitError(
            Problem(
                "with random slopes the correlation of two rows depends on the rows"
                if names
                else "a model without random terms has no intraclass correlation",
                where=f"fit of '{fit.request.formula}'",
                way_out="Fit it with random intercepts, such as (1 | person).",
            )
        )
    variances = np.array([float(factor[0, 0] ** 2) for factor in state.factors])
    pairs = itertools.product(random.factors, repeat=2)
    within = np.array([nested_in(g, f) for g, f in pairs]).reshape(len(variances), -1)
    return variances, within


def latent_limits(state: LogisticState, within: BoolArray, level: float) -> FloatArray:
    """Limits (f, 2) of every grouping's correlation: the delta method on the logit scale.

    NaN where the correlation is zero.
    """
    p = len(state.back)
    theta = state.optimum.theta[p:]
    back = np.array([basis.back[0, 0] for basis in state.bases])
    variances = (back * theta) ** 2
    total = variances.sum() + LATENT_VARIANCE
    share = within @ variances / total
    slopes = (within - share[:, None]) / total * (2.0 * back**2 * theta)
    spread = np.einsum("gi,ij,gj->g", slopes, state.covariance[p:, p:], slopes)
    limits = np.full((len(share), 2), np.nan)
    inside = share > 0.0
    own = share[inside]
    reach = stats.norm.ppf(0.5 + level / 2.0) * np.sqrt(spread[inside]) / (own * (1.0 - own))
    limits[inside] = special.expit(special.logit(own)[:, None] + np.outer(reach, (-1.0, 1.0)))
    return limits
