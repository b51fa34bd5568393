"""The certificate of a location-scale model, and what its data leave open."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.kernels.mels_search import OUTWARD, MelsOptimum, scaled_vectors
from alc_stats.estimators.mels_rows import MelsData
from alc_stats.records import FloatArray

_STATIONARY = 1e-5
"""Largest gradient, in standard-error units, that a maximum may have: the Hessian it is measured
by is one of differences."""
_SADDLE = -1e-5
"""Curvature below this share of a unit diagonal is that of a saddle."""
_FLAT = 1e-6
"""Curvature below this share of a unit diagonal is flat."""
_UNSTABLE = 1e-6
"""Change of the log-likelihood per thousand by more nodes, above which the integral is unsure."""
_FEW_ROWS = 5
"""Median rows per person below which the scale effect is hard to tell from heavy tails."""
_VAGUE = 0.5
"""Standard error of a Fisher-transformed correlation above which the data hardly tell it."""
_FAILED = "The search for the spreads did not reach a maximum: simplify the parts of the spread."
_UNSURE = (
    "The integral over the scale effect does not settle as nodes are added: simplify the model."
)
_HARDLY = 0.02
"""SD of a random intercept, in residual SDs, that a search did not get past on its way to zero."""
_NO_BETWEEN = (
    "The random intercept does not vary in these data, so nothing tells what its SD depends on: "
    "leave between out."
)
_NOT_IDENTIFIED = "The data do not tell parameters of the spread apart (the likelihood is flat"


def certify_mels(
    optimum: MelsOptimum, stated: MelsData, *, boundary: tuple[str, ...]
) -> Certificate:
    """Judge a maximum; see `certificate.Certificate`."""
    gradient = _scaled_gradient(optimum)
    flat = _flat_parameters(optimum, stated)
    loglik = abs(optimum.evaluated.loglik)
    lowest = float(optimum.curvature.min(initial=1.0))
    status, sentence = "optimum", "The likelihood is at its maximum."
    arrived = gradient < _STATIONARY and lowest >= _SADDLE and optimum.pull >= OUTWARD
    if _still_intercept(stated, optimum, least=0.0 if arrived else _HARDLY):
        status, sentence = "not_identified", _NO_BETWEEN
    elif not arrived:
        status, sentence = "failed", _FAILED
    elif not optimum.node_error < _UNSTABLE * max(1.0, loglik / 1000.0):
        status, sentence = "failed", _UNSURE
    elif flat:
        status, sentence = "not_identified", f"{_NOT_IDENTIFIED}: {'; '.join(flat)})."
    elif boundary:
        status, sentence = "boundary", _at_boundary(boundary)
    return Certificate(
        status=status,  # type: ignore[arg-type]
        sentence=sentence,
        boundary=boundary,
        scaled_gradient=gradient,
        curvature=tuple(float(value) for value in optimum.curvature),
        boundary_pull=optimum.pull if np.isfinite(optimum.pull) else None,
        unidentified=flat,
        digits=_digits(optimum),
    )


def _scaled_gradient(optimum: MelsOptimum) -> float:
    """Largest derivative of the log-likelihood in standard errors of its parameter."""
    scale, values, vectors = scaled_vectors(optimum.information)
    inverse = (vectors / np.where(np.abs(values) > _FLAT, values, np.inf)) @ vectors.T
    spread = np.sqrt(np.abs(np.diag(inverse))) / scale
    return float(np.max(np.abs(optimum.evaluated.gradient[optimum.free]) * spread))


def _flat_parameters(optimum: MelsOptimum, stated: MelsData) -> tuple[str, ...]:
    _, values, vectors = scaled_vectors(optimum.information)
    taking_part = (np.abs(vectors[:, np.abs(values) < _FLAT]) > 0.1).any(axis=1)
    names = np.array(parameter_names(stated))[optimum.free]
    return tuple(str(name) for name in names[taking_part])


def parameter_names(stated: MelsData) -> list[str]:
    """Names of the search's parameters, by part and number: they are mixtures of columns."""
    shape = stated.model.shape
    parts = ("mean", "log_sd", "between_log_sd", "random effects", "scale effect with location",
             "SD of log_sd", "autocorrelation", "SD of firms", "scale effect of firms",
             "SD of log_sd of firms", "quadratic association", "tail")  # fmt: skip
    return [
        f"{part} {k + 1}" if size > 1 else part
        for part, size in zip(parts, shape.sizes, strict=True)
        for k in range(size)
    ]


def _still_intercept(stated: MelsData, optimum: MelsOptimum, *, least: float) -> bool:
    """Whether the random intercept, whose SD is modelled, has one of at most `least`."""
    if stated.between is None:
        return False
    L = stated.model.shape.unpack(optimum.psi).L
    return bool(np.linalg.norm(L[stated.model.rows.scaled]) <= least)


def _at_boundary(boundary: tuple[str, ...]) -> str:
    """What to say of SDs at zero and correlations at their limits."""
    zero = [term for term in boundary if term.startswith("SD")]
    limits = [term for term in boundary if term not in zero]
    parts = []
    if zero:
        parts.append(
            f"with the {' and the '.join(zero)} at zero: write that these data show no such "
            "variation beyond chance"
        )
    if limits:
        parts.append(
            f"with the {' and the '.join(limits)} at a limit (-1 or 1): do not interpret that "
            "correlation, and ask compare() whether the effect varies at all"
        )
    return f"The likelihood is at its maximum {'; and '.join(parts)}; the other coefficients stand."


def _digits(optimum: MelsOptimum) -> float:
    """Decimal digits, in standard errors, that the last Newton step and the integral leave alone.

    A log-likelihood that is wrong by a little, smoothly, moves its maximum by as many standard
    errors.
    """
    left = np.sqrt(max(optimum.decrement, 0.0)) + optimum.node_error
    return float(min(12.0, -np.log10(max(left, 1e-12))))


def identification_notes(
    optimum: MelsOptimum, stated: MelsData, covariance: FloatArray
) -> tuple[str, ...]:
    """What a reader should know about how much the data tell of the scale effect."""
    if not (stated.levels.person_scale or stated.levels.firm_scale):
        return ()
    sizes = np.diff(stated.model.rows.offsets)
    notes = []
    median = float(np.median(sizes))
    if median < _FEW_ROWS:
        notes.append(
            f"half of the levels of '{stated.group}' have {median:g} rows or fewer: their scale "
            "effects are hard to tell from heavy-tailed errors; compare with family='t'"
        )
    alone = int(np.sum(sizes == 1))
    if alone:
        notes.append(f"{alone} levels of '{stated.group}' have one row, which tells no spread")
    vague = _vague(optimum, stated, covariance)
    if vague > _VAGUE:
        notes.append(
            "the data hardly tell how the scale effect goes with the location effects (standard "
            f"error {vague:.2f} on Fisher's z): do not interpret that correlation"
        )
    return tuple(notes)


def _vague(optimum: MelsOptimum, stated: MelsData, covariance: FloatArray) -> float:
    """Largest standard error of Fisher's z of the scale effect's correlations; 0 without."""
    shape = stated.model.shape
    at = shape.unpack(optimum.psi)
    if not at.lam.size or at.sigma == 0.0:
        return 0.0
    own = np.r_[shape.part("lam"), shape.part("sigma")]
    vector = np.append(at.lam, at.sigma)
    worst = 0.0
    for k in range(at.lam.size):
        slope = -vector * at.lam[k] / at.scale_sd**3
        slope[k] += 1.0 / at.scale_sd
        variance = slope @ covariance[np.ix_(own, own)] @ slope
        worst = max(worst, float(np.sqrt(max(variance, 0.0)) / (1.0 - at.rho[k] ** 2)))
    return worst
