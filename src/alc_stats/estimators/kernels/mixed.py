r"""The Gaussian linear mixed model as a function of its relative covariance factors.

y = X b + Z u + e with u ~ N(0, s^2 L L') and e ~ N(0, s^2 I), where L is block diagonal: one
lower triangle per random term, repeated for each of its levels (Bates, Maechler, Bolker and
Walker 2015, eq. 4 and 27-40). Given the triangles' entries `theta`, b and s^2 have closed forms,
so the profiled -2 log-likelihood is a function of a handful of numbers. It is the same for theta
and for theta with the sign of any column of a triangle turned: the search is unconstrained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from alc_stats.records import FloatArray, IntArray

_STEP = 1e-4
_SCALES = 10.0 ** np.arange(-1, 6)
_POLISHES = 50
_HALVINGS = 30
_CONVERGED = 1e-7
_SADDLE = -1e-6
_ESCAPE = 0.1


@dataclass(frozen=True, slots=True)
class Block:
    """One random term: columns Z (n, q), level of every row (n,), and whether columns correlate."""

    Z: FloatArray
    level: IntArray
    correlated: bool

    @property
    def size(self) -> int:
        """Entries of theta that belong to this term."""
        q = self.Z.shape[1]
        return q * (q + 1) // 2 if self.correlated else q

    def factor(self, theta: FloatArray) -> FloatArray:
        """The lower triangle (q, q) that theta (size,) holds row by row."""
        q = self.Z.shape[1]
        if not self.correlated:
            return np.diag(theta)
        triangle = np.zeros((q, q))
        triangle[np.tril_indices(q)] = theta
        return triangle

    def entries(self, matrix: FloatArray) -> FloatArray:
        """The entries of a (q, q) matrix that stand where theta stands in the factor."""
        own = matrix[np.tril_indices(len(matrix))] if self.correlated else np.diag(matrix)
        return np.asarray(own, dtype=float)

    def default(self) -> FloatArray:
        """Independent columns with half the residual's variance, as theta."""
        return self.entries(np.sqrt(0.5) * np.eye(self.Z.shape[1]))


@dataclass(frozen=True, slots=True)
class Batch:
    """Independent groups of the same shape: m levels of each term.

    Attributes
    ----------
    levels : tuple of int
        Levels of each term in every group.
    ZZ : array (G, Q, Q)
        Z'Z of every group, Q = sum of levels times columns.
    ZXy : array (G, Q, p + 1)
        Z'[X y] of every group.
    """

    levels: tuple[int, ...]
    ZZ: FloatArray
    ZXy: FloatArray


@dataclass(frozen=True, slots=True)
class MixedModel:
    """What the likelihood needs of the data: crossproducts by group, and those of [X y]."""

    blocks: tuple[Block, ...]
    batches: tuple[Batch, ...]
    XyXy: FloatArray
    rows: int
    reml: bool

    @property
    def columns(self) -> int:
        """Number of fixed columns."""
        return self.XyXy.shape[0] - 1

    def factors(self, theta: FloatArray) -> list[FloatArray]:
        """The lower triangle of every term."""
        ends = np.cumsum([block.size for block in self.blocks])
        pieces = np.split(theta, ends[:-1])
        return [block.factor(piece) for block, piece in zip(self.blocks, pieces, strict=True)]


@dataclass(frozen=True, slots=True)
class Solution:
    """The model at one theta.

    Attributes
    ----------
    deviance : float
        -2 log-likelihood (ML) or -2 restricted log-likelihood (REML).
    coefficients : array (p,)
        Generalised least squares.
    vcov : array (p, p)
        s^2 (X' V^-1 X)^-1.
    variance : float
        s^2, the residual variance.
    """

    deviance: float
    coefficients: FloatArray
    vcov: FloatArray
    variance: float


@dataclass(frozen=True, slots=True)
class Optimum:
    """Where the search ended.

    Attributes
    ----------
    theta : array (k,)
    deviance : float
    scaled_gradient : float
        Largest component of the log-likelihood's gradient in standard-error units.
    curvature : array (k,)
        Eigenvalues of the deviance's second derivatives, scaled to a unit diagonal, ascending.
    """

    theta: FloatArray
    deviance: float
    scaled_gradient: float
    curvature: FloatArray


def assemble(
    y: FloatArray, X: FloatArray, blocks: Sequence[Block], outer: IntArray, *, reml: bool
) -> MixedModel:
    """Crossproducts of the independent groups `outer` (n,), those of one shape together.

    Every term's levels must be nested within the levels of `outer`.
    """
    Xy = np.column_stack([X, y])
    by_shape: dict[tuple[int, ...], list[tuple[FloatArray, FloatArray]]] = {}
    order = np.argsort(outer, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(outer[order])) + 1):
        wide = [_spread(block.Z[rows], block.level[rows]) for block in blocks]
        shape = tuple(w.shape[1] // b.Z.shape[1] for w, b in zip(wide, blocks, strict=True))
        Z = np.column_stack(wide)
        by_shape.setdefault(shape, []).append((Z.T @ Z, Z.T @ Xy[rows]))
    batches = tuple(
        Batch(shape, np.stack([ZZ for ZZ, _ in groups]), np.stack([ZXy for _, ZXy in groups]))
        for shape, groups in by_shape.items()
    )
    return MixedModel(tuple(blocks), batches, Xy.T @ Xy, len(y), reml)


def solve(model: MixedModel, theta: FloatArray) -> Solution:
    """Deviance, coefficients and residual variance at `theta`, all in closed form.

    Raises
    ------
    LinAlgError
        Where `theta` is so large that float64 cannot hold the answer.
    """
    log_det, weighted = _weighted(model, theta)
    p = model.columns
    root = np.linalg.cholesky(weighted[:p, :p])
    inverse = np.linalg.inv(root)
    half = inverse @ weighted[:p, p]
    dof = model.rows - p if model.reml else model.rows
    variance = float(weighted[p, p] - half @ half) / dof
    if not variance > 0.0:
        raise np.linalg.LinAlgError("no digit of the residual variance is left")
    if model.reml:
        log_det += 2.0 * float(np.log(np.diag(root)).sum())
    return Solution(
        deviance=dof * (1.0 + np.log(2.0 * np.pi * variance)) + log_det,
        coefficients=inverse.T @ half,
        vcov=variance * inverse.T @ inverse,
        variance=variance,
    )


def gradient(model: MixedModel, theta: FloatArray) -> FloatArray:
    """Derivatives (k,) of the deviance of `solve` by the entries of `theta`.

    With S = Z'V^-1 Z, T = Z'V^-1 X, w = Z'V^-1 (y - X b) and K = (X'V^-1 X)^-1, the derivative by
    the factor is 2 (S - T K T' - w w' / s^2) L; the term with K belongs to REML.
    """
    solution = solve(model, theta)
    p = model.columns
    residual = np.append(-solution.coefficients, 1.0)
    factors = model.factors(theta)
    totals = [np.zeros_like(factor) for factor in factors]
    for batch in model.batches:
        L = _wide_factor(batch, factors)
        ZZL = batch.ZZ @ L
        SL = ZZL @ np.linalg.inv(L.T @ ZZL + np.eye(L.shape[0]))
        T = batch.ZXy - SL @ (L.T @ batch.ZXy)
        w = T @ residual
        by_factor = SL.sum(axis=0) - (w.T @ w) @ L / solution.variance
        if model.reml:
            TK = T[:, :, :p] @ (solution.vcov / solution.variance)
            by_factor -= np.einsum("gip,gjp->ij", TK, T[:, :, :p], optimize=True) @ L
        for total, part in zip(totals, _own_blocks(by_factor, batch, factors), strict=True):
            total += part
    pairs = zip(model.blocks, totals, strict=True)
    return 2.0 * np.concatenate([block.entries(total) for block, total in pairs])


def descend(model: MixedModel, starts: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """The best place L-BFGS finds, and the deviance (s,) it reached from every start."""
    places = [_descend(model, start) for start in starts]
    reached = np.array([_deviance(model, place) for place in places])
    return places[int(np.argmin(reached))], reached


def principal(
    model: MixedModel, theta: FloatArray
) -> tuple[tuple[Block, ...], tuple[FloatArray, ...], FloatArray]:
    """Every correlated term turned to the principal axes of its covariance at `theta`.

    Returns the turned blocks, the rotations U (turned columns = columns U) and theta in the new
    axes, which is diagonal. Where a variance or a correlation is at its limit the deviance is
    flat along a curve in the old axes; in the new ones it has an ordinary minimum at zero.
    """
    blocks, rotations, entries = [], [], []
    for block, factor in zip(model.blocks, model.factors(theta), strict=True):
        axes, sizes = np.eye(factor.shape[0]), np.abs(np.diag(factor))
        if block.correlated:
            axes, sizes, _ = np.linalg.svd(factor)
        blocks.append(Block(block.Z @ axes, block.level, block.correlated))
        rotations.append(np.asarray(axes, dtype=float))
        entries.append(block.entries(np.diag(sizes)))
    return tuple(blocks), tuple(rotations), np.concatenate(entries)


def best_scale(model: MixedModel, directions: Sequence[FloatArray]) -> FloatArray:
    """The multiple of a direction, by powers of ten, with the smallest deviance.

    Where the random part is thousands of times the residual, a search that starts at the
    residual's size may end at a poor optimum nearby.
    """
    candidates = [scale * direction for direction in directions for scale in _SCALES]
    deviances = [_deviance(model, candidate) for candidate in candidates]
    return np.asarray(candidates[int(np.argmin(deviances))], dtype=float)


def curvature(model: MixedModel, theta: FloatArray) -> FloatArray:
    """Second derivatives (k, k) of the deviance by central differences of its gradient."""
    sizes = _STEP * np.maximum(1.0, np.abs(theta))
    differences = [
        (gradient(model, theta + h) - gradient(model, theta - h)) / (2.0 * size)
        for h, size in zip(np.diag(sizes), sizes, strict=True)
    ]
    H = np.array(differences)
    return np.asarray((H + H.T) / 2.0, dtype=float)


def _spread(Z: FloatArray, level: IntArray) -> FloatArray:
    """Columns of Z (n, q) repeated for each of the m levels among these rows: (n, m q)."""
    present, index = np.unique(level, return_inverse=True)
    n, q = Z.shape
    wide = np.zeros((n, present.size, q))
    wide[np.arange(n), index] = Z
    return wide.reshape(n, present.size * q)


def _weighted(model: MixedModel, theta: FloatArray) -> tuple[float, FloatArray]:
    """ln|V| and [X y]' V^-1 [X y], both relative to the residual variance."""
    factors = model.factors(theta)
    log_det, weighted = 0.0, model.XyXy.copy()
    for batch in model.batches:
        L = _wide_factor(batch, factors)
        root = np.linalg.cholesky(L.T @ batch.ZZ @ L + np.eye(L.shape[0]))
        half = np.linalg.solve(root, L.T @ batch.ZXy)
        log_det += 2.0 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum())
        weighted -= np.einsum("gqi,gqj->ij", half, half, optimize=True)
    return log_det, weighted


def _wide_factor(batch: Batch, factors: Sequence[FloatArray]) -> FloatArray:
    """The factor (Q, Q) of all levels of all terms of one group."""
    repeated = (np.kron(np.eye(m), f) for m, f in zip(batch.levels, factors, strict=True))
    return np.asarray(linalg.block_diag(*repeated), dtype=float)


def _own_blocks(
    wide: FloatArray, batch: Batch, factors: Sequence[FloatArray]
) -> Iterator[FloatArray]:
    """For every term the sum of its levels' diagonal blocks of `wide` (Q, Q)."""
    start = 0
    for m, factor in zip(batch.levels, factors, strict=True):
        q = factor.shape[0]
        part = wide[start : start + m * q, start : start + m * q].reshape(m, q, m, q)
        yield np.einsum("aiaj->ij", part)
        start += m * q


def _deviance(model: MixedModel, theta: FloatArray) -> float:
    """The deviance, infinite where float64 cannot hold it, so that a search turns back."""
    try:
        return solve(model, theta).deviance
    except np.linalg.LinAlgError:
        return float("inf")


def _slope(model: MixedModel, theta: FloatArray) -> FloatArray:
    try:
        return gradient(model, theta)
    except np.linalg.LinAlgError:
        return np.zeros_like(theta)


def _descend(model: MixedModel, start: FloatArray) -> FloatArray:
    """L-BFGS in units of the start, which may hold entries of very different size."""
    unit = np.maximum(np.abs(start), 1.0)
    result = optimize.minimize(
        lambda scaled: _deviance(model, scaled * unit),
        start / unit,
        jac=lambda scaled: _slope(model, scaled * unit) * unit,
        method="L-BFGS-B",
        options={"ftol": 1e-10, "gtol": 1e-4, "maxiter": 500},
    )
    return np.asarray(result.x * unit, dtype=float)


def polish(model: MixedModel, theta: FloatArray) -> Optimum:
    """Newton steps, halved until the deviance falls, as far as float64 can tell."""
    value = solve(model, theta).deviance
    g, H = gradient(model, theta), curvature(model, theta)
    for _ in range(_POLISHES):
        if _scaled(g, H) < _CONVERGED and _unit_diagonal_eigenvalues(H)[0] > _SADDLE:
            break
        improved = _line_search(model, theta, value, _newton(g, H))
        if improved is None:
            break
        theta, value = improved
        g, H = gradient(model, theta), curvature(model, theta)
    return Optimum(theta, value, _scaled(g, H), _unit_diagonal_eigenvalues(H))


def _newton(g: FloatArray, H: FloatArray) -> FloatArray:
    """The Newton step, turned downhill in negative directions and off a saddle.

    theta = 0 is stationary whatever the data, because the sign of theta does not matter: where
    the deviance curves down without a slope, a step of fixed length leaves it.
    """
    scale = _scale(H)
    values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
    along = -(vectors.T @ (g / scale)) / np.maximum(np.abs(values), 1e-12)
    stuck = (values < _SADDLE) & (np.abs(along) < _ESCAPE)
    step = vectors @ np.where(stuck, _ESCAPE * np.sqrt(len(g)), along)
    return np.asarray(step / scale, dtype=float)


def _line_search(
    model: MixedModel, theta: FloatArray, value: float, step: FloatArray
) -> tuple[FloatArray, float] | None:
    for halvings in range(_HALVINGS):
        candidate = theta + step * 0.5**halvings
        reached = _deviance(model, candidate)
        if reached < value:
            return candidate, reached
    return None


def _scale(H: FloatArray) -> FloatArray:
    diagonal = np.abs(np.diag(H))
    floored = np.maximum(diagonal, 1e-8 * diagonal.max(initial=1e-300))
    return np.asarray(np.sqrt(floored), dtype=float)


def _scaled(g: FloatArray, H: FloatArray) -> float:
    return float(np.max(np.abs(g) / (np.sqrt(2.0) * _scale(H))))


def _unit_diagonal_eigenvalues(H: FloatArray) -> FloatArray:
    scale = _scale(H)
    return np.asarray(np.linalg.eigvalsh(H / np.outer(scale, scale)), dtype=float)
