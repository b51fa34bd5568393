"""Whether the columns of one model, mean or log SD, are combinations of another's."""

from __future__ import annotations

import numpy as np

from alc_stats.estimators.kernels.lmm_basis import joint_basis
from alc_stats.records import FloatArray

_WITHIN = 1e-7
"""A column whose part outside the other columns is below this share of it is theirs."""


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
