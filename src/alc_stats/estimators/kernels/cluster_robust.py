"""Cluster-robust covariances of (generalised) least squares, and their degrees of freedom.

The working covariance of the rows is V = diag(1 / w) + U U', block diagonal by cluster: U holds a
few loadings a row, each on an effect that belongs to one cluster. Least squares is the case of no
loadings. With W = V^-1 and M = (X'WX)^-1 the estimators differ in what multiplies the residuals of
cluster g (Bell and McCaffrey 2002; Pustejovsky and Tipton 2018):

    CR0   nothing
    CR2   the symmetric A with A (V - X M X')_gg A = V_gg: unbiased where V is right
    CR3   (I - X_g M X_g'W_g)^-1: what leaving the cluster out does to the coefficients
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from alc_stats.records import BoolArray, FloatArray, IntArray

FULL_LEVERAGE = 1e-8
"""A direction in which a cluster leaves less than this share to the others is its own."""
_BATCH_ENTRIES = 4_000_000
"""Entries of the padded rows that are held at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Working:
    """A regression with a working covariance.

    Attributes
    ----------
    X : array (n, p)
    residuals : array (n,)
    clusters : int array (n,)
        0 ... G - 1, every cluster present.
    effect : int array (n, m)
        Which random effects a row loads on; 0 ... E - 1, each in one cluster. m = 0 for least
        squares.
    load : array (n, m)
        The loadings, relative to the residual standard deviation.
    weights : array (n,) or None
        Prior weights w.
    """

    X: FloatArray
    residuals: FloatArray
    clusters: IntArray
    effect: IntArray
    load: FloatArray
    weights: FloatArray | None = None

    @property
    def effects(self) -> int:
        """Random effects E."""
        return int(self.effect.max()) + 1 if self.effect.size else 0


@dataclass(frozen=True, slots=True, eq=False)
class Sandwich:
    """A cluster-robust covariance, cluster by cluster.

    Attributes
    ----------
    bread : array (p, p)
        M.
    scores : array (G, p)
        X_g'W_g A_g e_g.
    spread : array (G, p, p)
        X_g'W_g A_g V_g A_g'W_g X_g.
    share : array (G, p, p)
        X_g'A_g'W_g X_g.
    """

    bread: FloatArray
    scores: FloatArray
    spread: FloatArray
    share: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """Of the coefficients (p, p)."""
        half = self.scores @ self.bread
        return np.asarray(half.T @ half)

    def df(self, direction: FloatArray) -> float:
        """Satterthwaite degrees of freedom of the variance of direction'coefficients.

        (tr P)^2 / tr(P^2) with P (G, G) = diag(a) - N N', where g_i = A_i'W_i X_i M direction,
        a_i = g_i'V_i g_i and the rows of N are g_i'X_i M^(1/2): the distribution of the variance
        if V is right (Pustejovsky and Tipton 2018). A factor such as CR1's cancels.
        """
        weights = self.bread @ direction
        own = np.einsum("gij,i,j->g", self.spread, weights, weights)
        inner = self.share @ weights @ np.linalg.cholesky(self.bread)
        shared = np.einsum("gi,gi->g", inner, inner)
        trace = own.sum() - shared.sum()
        square = own @ own - 2.0 * own @ shared + np.sum((inner.T @ inner) ** 2)
        return float(trace**2 / square)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """X_g'W_g X_g (G, p, p) and X_g'W_g e_g (G, p) of every cluster."""

    products: FloatArray
    scores: FloatArray

    @property
    def bread(self) -> FloatArray:
        """M (p, p)."""
        return np.asarray(np.linalg.inv(self.products.sum(axis=0)))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Clusters of about one size, padded to the same: rows of zeros, effects nobody loads on.

    Attributes
    ----------
    clusters : int array (J,)
    X, residuals : arrays (J, k, p), (J, k)
    V : array (J, k, k)
        On the rows, or on an orthonormal basis of all that loadings and columns span.
    """

    clusters: IntArray
    X: FloatArray
    residuals: FloatArray
    V: FloatArray


def sums(model: Working) -> Sums:
    """Every cluster's share of the normal equations, by one sparse factorisation."""
    order = np.argsort(model.clusters, kind="stable")
    starts = np.flatnonzero(np.diff(model.clusters[order], prepend=-1))
    columns = np.column_stack([model.X, model.residuals])
    weighted = _solved(model, columns)
    p = model.X.shape[1]
    found = np.stack(
        [np.add.reduceat((model.X[:, [a]] * weighted)[order], starts, axis=0) for a in range(p)],
        axis=1,
    )
    products = found[:, :, :p]
    return Sums((products + products.swapaxes(1, 2)) / 2.0, found[:, :, p])


def plain(own: Sums) -> Sandwich:
    """CR0."""
    return Sandwich(own.bread, own.scores, own.products, own.products)


def left_out(own: Sums) -> Sandwich:
    """CR3, for clusters none of which has a direction of its own."""
    bread = own.bread
    kept = np.eye(len(bread)) - own.products @ bread
    scores = np.asarray(np.linalg.solve(kept, own.scores[:, :, None])[:, :, 0], dtype=float)
    half = np.asarray(np.linalg.solve(kept, own.products), dtype=float)
    spread = np.linalg.solve(kept, half.swapaxes(1, 2))
    return Sandwich(bread, scores, (spread + spread.swapaxes(1, 2)) / 2.0, half.swapaxes(1, 2))


def indispensable(own: Sums) -> BoolArray:
    """Clusters (G,) without which the coefficients are not determined."""
    root = np.linalg.cholesky(own.bread)
    return np.asarray(np.linalg.eigvalsh(root.T @ own.products @ root)[:, -1] > 1.0 - FULL_LEVERAGE)


def bias_reduced(batch: Batch, bread: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """CR2's scores, spread and share of a batch of clusters.

    A = V#(V - X M X')^-1, the geometric mean of two matrices, is the same whichever square root
    of V it is computed from. In the eigenbasis V = D, with H = D^-1/2 X M X'D^-1/2 and
    K = (I - H)^1/2 D, A = D^1/2 (K'K)^-1/2 D^1/2; K's singular values need no squaring. Where a
    cluster has directions of its own the pseudo-inverse is taken.
    """
    d, basis = np.linalg.eigh(batch.V)
    X = basis.swapaxes(1, 2) @ batch.X
    residuals = np.einsum("jab,ja->jb", basis, batch.residuals)
    root = np.sqrt(d)[:, :, None]
    half = X / root
    K, own = _remaining(half @ np.linalg.cholesky(bread))
    _, singular, Vt = np.linalg.svd(K * d[:, None, :])
    kept = np.arange(singular.shape[1]) < singular.shape[1] - own[:, None]
    inverse = np.divide(1.0, singular, out=np.zeros_like(singular), where=kept)
    F = root * (Vt.swapaxes(1, 2) @ (inverse[:, :, None] * (Vt @ half)))
    Ft = F.swapaxes(1, 2)
    return (
        np.einsum("jap,ja->jp", F, residuals),
        Ft @ (d[:, :, None] * F),
        X.swapaxes(1, 2) @ F,
    )


def batches(model: Working) -> Iterator[Batch]:
    """The clusters, those of about one size together.

    Without prior weights V is the identity outside what loadings and columns span, so a cluster
    costs its effects and not its rows.
    """
    rows = _sorted_rows(model.clusters)
    sizes = np.diff(rows.starts)
    local, effects = _within_clusters(model, len(sizes))
    shapes = np.column_stack([_rounded(sizes), _rounded(effects)])
    for shape in np.unique(shapes, axis=0):
        members = np.flatnonzero((shapes == shape).all(axis=1))
        entries = int(shape[0]) * int(shape[1] + model.X.shape[1] + 1)
        parts = max(1, -(-len(members) * entries // _BATCH_ENTRIES))
        for part in np.array_split(members, min(parts, len(members))):
            yield _batch(model, rows, part, local, (int(shape[0]), int(shape[1])))


def largest(model: Working) -> int:
    """Order of the largest matrix that CR2 decomposes."""
    clusters = int(model.clusters.max()) + 1
    sizes = np.bincount(model.clusters, minlength=clusters)
    if model.weights is not None:
        return int(sizes.max())
    effects = _within_clusters(model, clusters)[1]
    return int(np.minimum(sizes, effects + model.X.shape[1]).max())


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows in the order of their clusters, and where each cluster starts (G + 1,)."""

    order: IntArray
    starts: IntArray


def _sorted_rows(clusters: IntArray) -> _Rows:
    order = np.argsort(clusters, kind="stable")
    starts = np.append(np.flatnonzero(np.diff(clusters[order], prepend=-1)), len(clusters))
    return _Rows(order.astype(np.int64), starts.astype(np.int64))


def _within_clusters(model: Working, clusters: int) -> tuple[IntArray, IntArray]:
    """Place (E,) of every effect within its cluster, and the number of effects a cluster (G,)."""
    of_effect = np.empty(model.effects, dtype=np.int64)
    of_effect[model.effect] = model.clusters[:, None]
    counts = np.bincount(of_effect, minlength=clusters).astype(np.int64)
    order = np.argsort(of_effect, kind="stable")
    place = np.empty(model.effects, dtype=np.int64)
    place[order] = np.arange(model.effects) - np.repeat(np.cumsum(counts) - counts, counts)
    return place, counts


def _rounded(sizes: IntArray) -> IntArray:
    """Sizes rounded up to 0 ... 4, 6, 8, 12, 16, 24, ..., so that few shapes occur."""
    power = 2 ** np.ceil(np.log2(np.maximum(sizes, 1))).astype(np.int64)
    return np.where(sizes <= 4, sizes, np.where(sizes <= 3 * power // 4, 3 * power // 4, power))


def _batch(
    model: Working, rows: _Rows, members: IntArray, local: IntArray, shape: tuple[int, int]
) -> Batch:
    n, r = shape
    counts = np.diff(rows.starts)[members]
    first = np.repeat(rows.starts[members] - (np.cumsum(counts) - counts), counts)
    taken = rows.order[first + np.arange(counts.sum())]
    j = np.repeat(np.arange(len(members)), counts)
    i = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    p = model.X.shape[1]
    columns = np.zeros((len(members), n, r + p + 1))
    columns[j, i, r : r + p] = model.X[taken]
    columns[j, i, r + p] = model.residuals[taken]
    if r:
        columns[j[:, None], i[:, None], local[model.effect[taken]]] = model.load[taken]
    variance = np.ones((len(members), n))
    if model.weights is not None:
        variance[j, i] = 1.0 / model.weights[taken]
    elif n > r + p:
        basis = np.linalg.qr(columns[:, :, : r + p]).Q
        columns = basis.swapaxes(1, 2) @ columns
        variance = np.ones(columns.shape[:2])
    U = columns[:, :, :r]
    V = U @ U.swapaxes(1, 2) + variance[:, :, None] * np.eye(variance.shape[1])
    return Batch(members, columns[:, :, r : r + p], columns[:, :, r + p], V)


def _remaining(half: FloatArray) -> tuple[FloatArray, IntArray]:
    """(I - half half')^(1/2) of a batch (J, k, p), and the directions without anything left."""
    U, s, _ = np.linalg.svd(half, full_matrices=False)
    left = 1.0 - s**2
    left = np.where(left > FULL_LEVERAGE, left, 0.0)
    root = np.eye(half.shape[1]) - (U * (1.0 - np.sqrt(left))[:, None, :]) @ U.swapaxes(1, 2)
    return root, np.sum(left == 0.0, axis=1)


def _solved(model: Working, columns: FloatArray) -> FloatArray:
    """W columns (n, c), by a sparse factorisation of I + U'diag(w)U."""
    weighted = columns if model.weights is None else columns * model.weights[:, None]
    if model.effects == 0:
        return weighted
    n, m = model.effect.shape
    index = np.repeat(np.arange(n), m)
    shape = (n, model.effects)
    U = sparse.csr_array((model.load.ravel(), (index, model.effect.ravel())), shape=shape)
    WU = U if model.weights is None else sparse.diags_array(model.weights) @ U
    core = sparse.csc_array(U.T @ WU + sparse.eye_array(model.effects))
    factor = splu(
        core,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.asarray(weighted - WU @ factor.solve(np.asarray(U.T @ weighted)))
