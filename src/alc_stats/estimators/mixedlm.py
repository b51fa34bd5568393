"""The search of statsmodels' MixedLM on scaled arrays, and what MixedLM itself says of its end."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alc_stats.estimators.kernels.gls import independent_groups, spread_over_levels
from alc_stats.records import FloatArray, IntArray

_ATTEMPTS: tuple[tuple[str, float, dict[str, float]], ...] = (
    ("bfgs", 1.0, {"gtol": 1e-7}),
    ("bfgs", 0.5, {"gtol": 1e-7}),
    ("lbfgs", 1.0, {}),
    ("nm", 1.0, {"maxiter": 2000}),
)
"""Methods of MixedLM and the variances, as shares, they start from, until one arrives.

MixedLM's likelihood breaks at zero, which stops the methods that use its score."""
_STATIONARY = 1e-2
"""Largest score at an end, in standard errors: near a limit MixedLM stops at some 0.003."""
_SADDLE = -1e-3
"""Curvature below this share of a unit diagonal is that of a saddle, not of a maximum."""
_STEP = 1e-3
_LIFT = 1e-9
"""Added to the shares: below 1e-10 MixedLM takes a variance of zero for an infinite one."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What MixedLM sees.

    Attributes
    ----------
    y, X : arrays (n,), (n, p)
        Of unit size, columns orthonormal.
    Z : tuple of array (n, q)
        Columns of every random term.
    codes : tuple of int array (n,)
        Level of every row in every term's grouping.
    joint : int or None
        The term whose columns correlate.
    outer : int array (n,)
        Groups whose rows share no level.
    reml : bool
    """

    y: FloatArray
    X: FloatArray
    Z: tuple[FloatArray, ...]
    codes: tuple[IntArray, ...]
    joint: int | None
    outer: IntArray
    reml: bool


@dataclass(frozen=True, slots=True)
class End:
    """Where a search ended.

    Attributes
    ----------
    shares : tuple of array (q, q)
        Covariance of every term, the residual variance being one.
    loglik : float
    score : float
        Largest component of MixedLM's score, in standard errors of its parameter.
    curvature : tuple of float
        Eigenvalues of the information (differences of the score), unit diagonal, ascending.
    arrived : bool
        Whether MixedLM says it converged, at a zero of its score that is no saddle.
    notes : tuple of str
        Every warning, word for word.
    """

    shares: tuple[FloatArray, ...]
    loglik: float
    score: float
    curvature: tuple[float, ...]
    arrived: bool
    notes: tuple[str, ...]


def search(seen: Seen) -> End:
    """Let MixedLM search until an attempt arrives; the last attempt if none does.

    Raises
    ------
    LinAlgError, ValueError
        Where MixedLM breaks off.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = _model(seen)
        for method, share, options in _ATTEMPTS:
            start = _roots(seen, [share * np.eye(Z.shape[1]) for Z in seen.Z])
            result = model.fit(start, reml=seen.reml, method=method, **options)
            notes = tuple(dict.fromkeys(f"statsmodels: {warning.message}" for warning in caught))
            end = _end(seen, model, result, notes)
            if end.arrived:
                break
    return end


def _model(seen: Seen) -> Any:
    """Every column outside the joint term is a variance component of its own."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    groups = independent_groups(seen.outer)
    mats = [
        [spread_over_levels(z[rows], codes[rows]) for rows in groups]
        for i, (Z, codes) in enumerate(zip(seen.Z, seen.codes, strict=True))
        for z in Z.T
        if i != seen.joint
    ]
    labels = [[[str(j) for j in range(mat.shape[1])] for mat in own] for own in mats]
    return MixedLM(
        seen.y,
        seen.X,
        groups=seen.outer,
        exog_re=None if seen.joint is None else seen.Z[seen.joint],
        exog_vc=VCSpec([str(i) for i in range(len(mats))], labels, mats) if mats else None,
    )


def _roots(seen: Seen, shares: Sequence[FloatArray]) -> FloatArray:
    """The shares as MixedLM searches them: a triangle for the joint term, then SDs."""
    roots = [np.linalg.cholesky(own + _LIFT * np.eye(len(own))) for own in shares]
    joint = [] if seen.joint is None else [roots.pop(seen.joint)]
    triangles = [root[np.tril_indices(len(root))] for root in joint]
    return np.concatenate([*triangles, *(np.diag(root) for root in roots)])


def _end(seen: Seen, model: Any, result: Any, notes: tuple[str, ...]) -> End:
    variances = iter(result.params_object.vcomp)
    shares = tuple(
        result.cov_re_unscaled if i == seen.joint else np.diag([next(variances) for _ in Z.T])
        for i, Z in enumerate(seen.Z)
    )
    theta = _roots(seen, shares)
    steps = _STEP * np.eye(len(theta))
    H = np.array([model.score(theta - h) - model.score(theta + h) for h in steps]) / (2.0 * _STEP)
    scale = np.sqrt(np.maximum(np.abs(np.diag(H)), np.finfo(float).tiny))
    curvature = np.linalg.eigvalsh((H + H.T) / 2.0 / np.outer(scale, scale))
    score = float(np.max(np.abs(model.score(theta)) / scale))
    arrived = bool(result.converged and score < _STATIONARY and curvature[0] > _SADDLE)
    loglik = float(model.loglike(theta))
    return End(shares, loglik, score, tuple(curvature.tolist()), arrived, notes)
