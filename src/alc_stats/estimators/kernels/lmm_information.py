"""Expected information of the covariance parameters, and what Kenward and Roger (1997) need.

V = sum_k gamma_k G_k is linear in the covariances gamma_k of the random effects and in the residual
variance (k = 0, G_0 = I). With V relative to the residual variance, V^-1 G_0 V^-1 follows from
V^-1 and the other products, because the G_k add up to V.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.kernels.lmm_model import Evaluation
from alc_stats.estimators.kernels.lmm_stage import times, transposed
from alc_stats.records import FloatArray

_Tables = dict[tuple[int, int], tuple[FloatArray, FloatArray]]
"""Products of every pair of factors, entry by entry of their covariances."""


@dataclass(frozen=True, slots=True)
class Products:
    """Second-order products of one evaluation; p fixed columns.

    Attributes
    ----------
    traces : array (k, k)
        tr(V^-1 G_k V^-1 G_l).
    Q : array (k, k, p, p)
        X'V^-1 G_k V^-1 G_l V^-1 X.
    """

    traces: FloatArray
    Q: FloatArray


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """Everything tests of coefficients need, relative to the residual variance.

    Attributes
    ----------
    unscaled, adjusted : arrays (p, p)
        (X'V^-1 X)^-1, and its small-sample adjustment.
    P : array (1 + k, p, p)
        Derivatives of X'V^-1 X.
    W : array (1 + k, 1 + k)
        Asymptotic covariance of the parameters.
    """

    unscaled: FloatArray
    adjusted: FloatArray
    P: FloatArray
    W: FloatArray

    def df(self, contrast: FloatArray) -> float:
        """Denominator degrees of freedom of one contrast (p,)."""
        direction = self.unscaled @ contrast
        slopes = np.einsum("i,kij,j->k", direction, self.P, direction)
        share = float(slopes @ self.W @ slopes) / float(contrast @ direction) ** 2
        return 2.0 / share


@dataclass(frozen=True, slots=True)
class Parameter:
    """Where a covariance stands: factor, row, column."""

    factor: int
    row: int
    column: int

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Entries of its symmetric unit matrix."""
        own = (self.row, self.column)
        return (own,) if self.row == self.column else (own, own[::-1])


def products_by_level(
    root: FloatArray, score: FloatArray, parameters: tuple[Parameter, ...]
) -> Products:
    """Products for a single factor: root (q, q, J), score Z_j'V^-1 X (q, p, J)."""
    K = times(transposed(root), root)
    q, p, _ = score.shape
    traces = np.einsum("bcj,adj->abcd", K, K, optimize=True)
    reach = np.einsum("bcj,dxj->bcdxj", K, score)
    Q = np.empty((q, q, q, q, p, p))
    for a in range(q):
        flat = reach.reshape(q * q * q * p, -1) @ score[a].T
        Q[a] = flat.reshape(q, q, q, p, p).swapaxes(-1, -2)
    tables: _Tables = {(0, 0): (traces, Q)}
    return _assemble(tables, parameters, p)


def products_dense(
    K: FloatArray,
    score: FloatArray,
    bounds: tuple[tuple[int, int, int], ...],
    parameters: tuple[Parameter, ...],
) -> Products:
    """Products from Z'V^-1 Z (N, N) and Z'V^-1 X (N, p), factor by factor, level by level.

    `bounds` holds first place, end and columns q of every factor.
    """
    p = score.shape[1]
    tables: _Tables = {}
    for f, (first_f, end_f, q_f) in enumerate(bounds):
        left = score[first_f:end_f].reshape(-1, q_f, p)
        for g, (first_g, end_g, q_g) in enumerate(bounds):
            block = K[first_f:end_f, first_g:end_g].reshape(len(left), q_f, -1, q_g)
            right = score[first_g:end_g].reshape(-1, q_g, p)
            traces = np.einsum("ibkc,iakd->abcd", block, block, optimize=True)
            half = np.einsum("iax,ibkc->abxkc", left, block, optimize=True)
            Q = np.einsum("abxkc,kdy->abcdxy", half, right, optimize=True)
            tables[f, g] = (traces, Q)
    return _assemble(tables, parameters, p)


def kenward_roger(
    evaluation: Evaluation,
    products: Products,
    *,
    parameters: tuple[Parameter, ...],
    covariances: tuple[FloatArray, ...],
    rows: int,
) -> KenwardRoger:
    """Adjusted covariance and information (Kenward and Roger 1997, equations 4 to 7).

    Parameters
    ----------
    covariances : tuple of arrays (q, q)
        lam lam' of every factor.
    rows : int
    """
    p = len(evaluation.inner) - 1
    C = evaluation.inner[:p, :p]
    unscaled = np.asarray(np.linalg.inv(C), dtype=float)
    now = np.array([covariances[k.factor][k.row, k.column] for k in parameters])
    R = np.array([_sum(evaluation.cross[k.factor][:, :, :p, :p], k) for k in parameters])
    own = np.array([_sum(evaluation.trace[k.factor], k) for k in parameters])
    traces, P, Q = _with_residual(products, now, R, own, C, rows)
    QP = Q - np.einsum("kij,jl,hlm->khim", P, unscaled, P)
    turned = np.einsum("ij,kjl->kil", unscaled, P)
    information = (
        traces
        - 2.0 * np.einsum("ij,khji->kh", unscaled, Q)
        + np.einsum("kij,hji->kh", turned, turned)
    )
    inverse = np.linalg.pinv(_symmetric(information), rcond=1e-12, hermitian=True)
    W = np.asarray(2.0 * inverse, dtype=float)
    U = np.einsum("kh,khij->ij", W, QP)
    change = 2.0 * unscaled @ _symmetric(U) @ unscaled
    return KenwardRoger(unscaled, unscaled + change, P, W)


def _with_residual(
    products: Products, now: FloatArray, R: FloatArray, own: FloatArray, C: FloatArray, rows: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Traces, P and Q with the residual variance as parameter 0: G_0 = V - sum gamma_k G_k."""
    k, p = len(now), len(C)
    traces = np.empty((k + 1, k + 1))
    Q = np.empty((k + 1, k + 1, p, p))
    traces[1:, 1:], Q[1:, 1:] = products.traces, products.Q
    traces[0, 1:] = traces[1:, 0] = own - products.traces @ now
    traces[0, 0] = rows - own @ now - traces[0, 1:] @ now
    Q[0, 1:] = R - np.einsum("k,khij->hij", now, products.Q)
    Q[1:, 0] = R - np.einsum("h,khij->kij", now, products.Q)
    residual = C - np.einsum("k,kij->ij", now, R)
    Q[0, 0] = residual - np.einsum("k,kij->ij", now, Q[0, 1:])
    return traces, -np.concatenate([residual[None], R]), Q


def _assemble(
    tables: _Tables,
    parameters: tuple[Parameter, ...],
    p: int,
) -> Products:
    """Sum the entries of every pair of parameters' unit matrices."""
    k = len(parameters)
    traces, Q = np.zeros((k, k)), np.zeros((k, k, p, p))
    for i, left in enumerate(parameters):
        for j, right in enumerate(parameters):
            trace, product = tables[left.factor, right.factor]
            for a, b in left.places:
                for c, d in right.places:
                    traces[i, j] += trace[a, b, c, d]
                    Q[i, j] += product[a, b, c, d]
    return Products(traces, Q)


def _sum(table: FloatArray, parameter: Parameter) -> FloatArray:
    return np.asarray(sum(table[a, b] for a, b in parameter.places))


def _symmetric(A: FloatArray) -> FloatArray:
    return np.asarray((A + A.T) / 2.0)
