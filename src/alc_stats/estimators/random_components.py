"""The covariances of a mixed model's random effects as a reader wants them: SDs, correlations."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.fit import VarianceComponent
from alc_stats.estimators.kernels.lmm_deviance import Template
from alc_stats.estimators.lmm_terms import RandomPart, Term
from alc_stats.records import FloatArray

_ZERO_SD = 1e-9
"""A random SD below this share of the residual SD is the rounding of an exact zero."""


def random_components(
    random: RandomPart,
    lam: tuple[FloatArray, ...],
    raw: tuple[FloatArray, ...],
    *,
    unit: float,
) -> tuple[tuple[VarianceComponent, ...], tuple[str, ...]]:
    """SDs and correlations of a random part, and what of it is at a boundary.

    Parameters
    ----------
    random : RandomPart
    lam, raw : tuples of arrays (q, q)
        Factors of every grouping's covariance, on standardised columns and in the columns' units.
    unit : float
        What an SD of zero is small beside.
    """
    found: list[VarianceComponent] = []
    boundary: list[str] = []
    for term in random.terms:
        own = raw[term.factor][term.columns, term.columns]
        sds = np.linalg.norm(own, axis=1)
        found += [
            VarianceComponent(term.group, name, float(sd))
            for name, sd in zip(term.names, sds, strict=True)
        ]
        if term.correlated:
            found += _correlations(term.group, term.names, own, sds)
        pivots = np.diag(lam[term.factor])[term.columns]
        boundary += _at_boundary(random, term, sds, pivots, unit)
    return tuple(found), tuple(boundary)


def _correlations(
    group: str, names: tuple[str, ...], factor: FloatArray, sds: FloatArray
) -> list[VarianceComponent]:
    directions = np.divide(factor, sds[:, None], out=np.zeros_like(factor), where=sds[:, None] > 0)
    products = np.clip(directions @ directions.T, -1.0, 1.0)
    return [
        VarianceComponent(
            group,
            names[j],
            float(sds[j]),
            names[i],
            float(products[i, j]) if sds[i] > 0 and sds[j] > 0 else float("nan"),
        )
        for i in range(len(sds))
        for j in range(i)
    ]


def _at_boundary(
    random: RandomPart, term: Term, sds: FloatArray, pivots: FloatArray, unit: float
) -> list[str]:
    """SDs of a term that are zero; if none is but a combination is, its correlation."""
    if np.all(pivots > 0.0):
        return []
    Z = random.factors[term.factor].Z[:, term.columns]
    zero = sds * np.sqrt(np.mean(Z**2, axis=0)) < _ZERO_SD * unit
    if zero.any():
        return [f"SD of {n} | {term.group}" for n, z in zip(term.names, zero, strict=True) if z]
    return [f"correlation of {', '.join(term.names)} | {term.group}"]


def covariance_names(form: Template, random: RandomPart) -> tuple[str, ...]:
    """A name for every covariance parameter."""
    columns = {
        (term.factor, term.first + k): (term.group, name)
        for term in random.terms
        for k, name in enumerate(term.names)
    }
    found = []
    for f, a, b in zip(form.factor, form.row, form.column, strict=True):
        group, row = columns[int(f), int(a)]
        column = columns[int(f), int(b)][1]
        kind = f"SD of {row}" if a == b else f"covariance of {column}, {row}"
        found.append(f"{kind} | {group}")
    return tuple(found)
