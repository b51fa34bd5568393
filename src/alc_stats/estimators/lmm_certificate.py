"""The certificate of a mixed model: read from the optimum itself, whatever the size of the data."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.kernels.lmm_search import OUTWARD, Optimum
from alc_stats.records import FloatArray

_STATIONARY = 1e-6
"""Largest gradient, in standard-error units, that an optimum may have."""
_SADDLE = -1e-6
"""Curvature below this share of a unit diagonal is that of a saddle, not of an optimum."""
_FLAT = 1e-7
"""Curvature below this share of a unit diagonal is flat: the data do not tell two things apart."""
_FAILED = "The search for the variances did not reach an optimum: simplify the random part."
_NOT_IDENTIFIED = (
    "The data do not tell the variances apart (the likelihood is flat): simplify the random part."
)


def certify(
    optimum: Optimum, names: tuple[str, ...], *, boundary: tuple[str, ...], digits: float
) -> Certificate:
    """Judge an optimum.

    Parameters
    ----------
    optimum : Optimum
    names : tuple of str
        Of all parameters of the search.
    boundary : tuple of str
        Standard deviations at zero and correlations at one, as a reader would name them.
    digits : float
        Digits the data themselves support.
    """
    gradient = _scaled_gradient(optimum)
    flat = _flat_parameters(optimum, names)
    curvature = tuple(float(value) for value in optimum.curvature)
    lowest = min(curvature, default=1.0)
    status, sentence = "optimum", "The likelihood is at its maximum."
    if not gradient < _STATIONARY or lowest < _SADDLE or optimum.pull < -OUTWARD:
        status, sentence = "failed", _FAILED
    elif flat:
        status, sentence = "not_identified", f"{_NOT_IDENTIFIED[:-1]} ({'; '.join(flat)})."
    elif boundary:
        status, sentence = "boundary", boundary_sentence(boundary)
    return Certificate(
        status=status,  # type: ignore[arg-type]
        sentence=sentence,
        boundary=boundary,
        scaled_gradient=gradient,
        curvature=curvature,
        boundary_pull=optimum.pull if np.isfinite(optimum.pull) else None,
        unidentified=flat,
        digits=min(digits, _search_digits(optimum)),
    )


def _scaled_gradient(optimum: Optimum) -> float:
    """Largest gradient of the log-likelihood in standard errors of its parameter."""
    if optimum.gradient.size == 0:
        return 0.0
    spread = np.sqrt(2.0 * np.abs(np.diag(np.linalg.pinv(optimum.hessian, rcond=1e-12))))
    return float(np.max(np.abs(optimum.gradient) / 2.0 * spread))


def _flat_parameters(optimum: Optimum, names: tuple[str, ...]) -> tuple[str, ...]:
    """The free parameters that take part in a flat direction."""
    if optimum.gradient.size == 0:
        return ()
    scale = np.sqrt(np.maximum(np.abs(np.diag(optimum.hessian)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(optimum.hessian / np.outer(scale, scale))
    parts = np.abs(vectors[:, np.abs(values) < _FLAT])
    taking_part = (parts > 0.1).any(axis=1)
    free = [name for name, is_free in zip(names, optimum.free, strict=True) if is_free]
    return tuple(name for name, takes in zip(free, taking_part, strict=True) if takes)


def _search_digits(optimum: Optimum) -> float:
    """Digits the last Newton step leaves alone."""
    if optimum.last_step.size == 0:
        return 15.0
    sizes = _sizes(optimum.theta)[optimum.free]
    share = float(np.max(np.abs(optimum.last_step) / sizes))
    return float(-np.log10(max(share, 1e-15)))


def _sizes(theta: FloatArray) -> FloatArray:
    """What a step is small beside: the parameter, or for a covariance near zero the largest."""
    return np.maximum(np.abs(theta), 1e-3 * float(np.abs(theta).max(initial=1e-300)))


def boundary_sentence(boundary: tuple[str, ...]) -> str:
    """What to say of a maximum with these SDs at zero or correlations at one."""
    zero = all(term.startswith("SD") for term in boundary)
    reached = "at zero" if zero else "at a limit (SD 0, correlation -1 or 1)"
    return (
        f"The likelihood is at its maximum with the {' and the '.join(boundary)} {reached}: write "
        "that these data show no such variation beyond chance; the fixed effects stand."
    )
