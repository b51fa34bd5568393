"""Bases a mixed model is fitted on, so that units and origins cannot reach the search.

Columns are centred where a constant column lets them, then made orthonormal; a chunk of rows is
translated whenever it is needed, so that no second table exists. `back` translates what was
fitted: coefficients, covariance factors and covariances.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alc_stats.records import FloatArray

CHUNK = 16_384
"""Rows handled at once: a few columns of them fit a processor's second-level cache."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Standardised rows are root_weight * (columns - origin) @ forward.

    Coefficients of the columns are back @ coefficients of the standardised ones.

    Attributes
    ----------
    origin : array (k,)
        Subtracted from every row; zero where no constant column makes that a change of units.
    forward, back : arrays (k, k)
    log_det : float
        log |det back|, the Jacobian restricted likelihoods need.
    """

    origin: FloatArray
    forward: FloatArray
    back: FloatArray
    log_det: float

    def rows(self, chunk: FloatArray, *, out: FloatArray) -> None:
        """Write the standardised columns (k, n) of raw rows (n, k) to `out`."""
        np.matmul(self.forward.T, (chunk - self.origin).T, out=out)

    def turned(self, rotation: FloatArray) -> Basis:
        """The standardised columns rotated (k, k) among themselves."""
        return replace(self, forward=self.forward @ rotation, back=self.back @ rotation)


@dataclass(frozen=True, slots=True)
class Residualised:
    """Fixed columns and outcome on their bases: y = X start + scale * y_standardised.

    Attributes
    ----------
    basis : Basis
        Of the fixed columns.
    start : array (p,)
        Least-squares coefficients of the raw columns: what the search need not find again.
    coefficients : array (p,)
        The same on the centred columns, and `y_origin`, the outcome's own centre.
    scale : float
        Residual standard deviation of least squares.
    """

    basis: Basis
    start: FloatArray
    coefficients: FloatArray
    y_origin: float
    scale: float

    def rows(self, y: FloatArray, X: FloatArray, *, out: FloatArray) -> None:
        """Write the standardised columns [X y] (p + 1, n) of raw rows to `out`."""
        centred = (X - self.basis.origin).T
        np.matmul(self.basis.forward.T, centred, out=out[:-1])
        np.subtract(y, self.y_origin, out=out[-1])
        out[-1] -= self.coefficients @ centred
        out[-1] /= self.scale


def joint_basis(columns: FloatArray, root_weight: FloatArray | None = None) -> Basis:
    """Orthonormal basis of all `columns` (n, k): for blocks with a free covariance."""
    origin, constant = _origin(columns)
    return _from_triangle(
        _triangle([columns], root_weight, origin), len(columns), origin, constant, columns
    )


def separate_basis(columns: FloatArray, root_weight: FloatArray | None = None) -> Basis:
    """Every column brought to unit mean square by itself: for uncorrelated random terms."""
    k = columns.shape[1]
    rows = columns if root_weight is None else columns * root_weight[:, None]
    size = np.sqrt(np.einsum("ij,ij->j", rows, rows) / len(rows))
    size = np.where(size > 0.0, size, 1.0)
    return Basis(np.zeros(k), np.diag(1.0 / size), np.diag(1.0 / size), -float(np.log(size).sum()))


def residualised(
    y: FloatArray, X: FloatArray, root_weight: FloatArray | None = None
) -> Residualised:
    """Fixed columns X (n, p) of full rank on an orthonormal basis, the outcome's fit removed.

    One QR decomposition of [X y] in chunks of rows; nothing of the table's size is stored.
    """
    n, p = X.shape
    origin, constant = _origin(X)
    y_origin = float(y.mean()) if constant is not None else 0.0
    triangle = _triangle([X, y[:, None]], root_weight, np.append(origin, y_origin))
    basis = _from_triangle(triangle[:p, :p], n, origin, constant, X)
    coefficients = np.asarray(np.linalg.inv(triangle[:p, :p]), dtype=float) @ triangle[:p, p]
    start = coefficients.copy()
    if constant is not None:
        start[constant] += (y_origin - origin @ coefficients) / X[0, constant]
    scale = abs(float(triangle[p, p])) / np.sqrt(n - p)
    return Residualised(basis, start, coefficients, y_origin, scale)


def _origin(columns: FloatArray) -> tuple[FloatArray, int | None]:
    """What to subtract from every column, and the constant column that can absorb it."""
    still = np.flatnonzero((columns == columns[0]).all(axis=0) & (columns[0] != 0.0))
    if still.size == 0:
        return np.zeros(columns.shape[1]), None
    origin = columns.mean(axis=0)
    origin[still[0]] = 0.0
    return origin, int(still[0])


def triangle(columns: FloatArray) -> FloatArray:
    """R (k, k) with R'R = columns'columns, from QR decompositions of chunks of rows."""
    return _triangle([columns], None)


def _triangle(
    blocks: list[FloatArray], root_weight: FloatArray | None, origin: FloatArray | None = None
) -> FloatArray:
    """R (k, k) of the QR decomposition of the weighted columns of all blocks, chunk by chunk."""
    k = sum(block.shape[1] for block in blocks)
    R = np.zeros((0, k))
    for start in range(0, len(blocks[0]), CHUNK):
        rows = slice(start, start + CHUNK)
        chunk = np.concatenate([block[rows] for block in blocks], axis=1)
        if origin is not None:
            chunk = chunk - origin
        if root_weight is not None:
            chunk = chunk * root_weight[rows, None]
        R = np.asarray(np.linalg.qr(np.concatenate([R, chunk]), mode="r"))
    return R


def _from_triangle(
    R: FloatArray, n: int, origin: FloatArray, constant: int | None, columns: FloatArray
) -> Basis:
    size = np.linalg.norm(R, axis=0)
    forward = np.asarray(np.linalg.inv(R / size) / size[:, None] * np.sqrt(n))
    back = forward.copy()
    if constant is not None:
        back[constant] -= (origin @ forward) / columns[0, constant]
    log_det = float(np.sum(np.log(np.abs(np.diag(forward)))))
    return Basis(origin, forward, back, log_det)
