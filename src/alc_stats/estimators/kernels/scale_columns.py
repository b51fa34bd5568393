"""Columns of a log SD on a basis that neither units nor origins can reach.

The constant among them is the residual's own scale, which the likelihood of the mean profiles out;
what is left is orthogonal to it and of unit mean square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from alc_stats.estimators.kernels.lmm_basis import CHUNK, joint_basis
from alc_stats.records import FloatArray

_SPANNED = 1e-10
"""A constant of which less than this share lies outside the columns is among them."""


@dataclass(frozen=True, slots=True)
class LogSd:
    """Columns of a log SD, and the standardised ones the search sees.

    Standardised rows are (columns - origin) @ forward; with tau their coefficients and log s the
    constant's, coefficients of the columns are back @ tau + constant * log s.

    Attributes
    ----------
    columns : array (n, k)
    origin : array (k,)
    forward, back : arrays (k, K)
    constant : array (k,) or None
        What makes a constant of the columns; None if nothing does.
    """

    columns: FloatArray
    origin: FloatArray
    forward: FloatArray
    back: FloatArray
    constant: FloatArray | None

    @property
    def size(self) -> int:
        """Standardised columns K."""
        return self.forward.shape[1]

    def rows(self, rows: slice) -> FloatArray:
        """Standardised columns (K, m) of some rows."""
        return np.asarray(self.forward.T @ (self.columns[rows] - self.origin).T)

    def values(self, tau: FloatArray) -> FloatArray:
        """Standardised columns times tau (n,)."""
        along = self.forward @ tau
        return np.asarray(self.columns @ along - self.origin @ along)

    def coefficients(self, tau: FloatArray, log_scale: float) -> FloatArray:
        """Coefficients (k,) of the columns."""
        found = self.back @ tau
        return np.asarray(found if self.constant is None else found + self.constant * log_scale)


def log_sd(columns: FloatArray) -> LogSd:
    """Standardise columns (n, k) of full rank."""
    basis = joint_basis(columns)
    mean = np.zeros(columns.shape[1])
    scaled = np.empty((columns.shape[1], min(len(columns), CHUNK)))
    for start in range(0, len(columns), CHUNK):
        chunk = columns[start : start + CHUNK]
        basis.rows(chunk, out=scaled[:, : len(chunk)])
        mean += scaled[:, : len(chunk)].sum(axis=1)
    mean /= len(columns)
    if 1.0 - float(mean @ mean) > _SPANNED:
        return LogSd(columns, basis.origin, basis.forward, basis.back, None)
    rest = linalg.null_space(mean[None])
    return LogSd(columns, basis.origin, basis.forward @ rest, basis.back @ rest, basis.back @ mean)
