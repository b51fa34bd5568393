"""What every cluster adds to a contrast: the ground of wild and stepdown bootstraps.

A mixed model is the least squares of rows that its working covariance has made independent; that
covariance stays at its estimate, and whatever else binds the rows of a cluster is left to the
bootstrap.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.design import Design
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.cluster_robust import sums
from alc_stats.estimators.kernels.rank import orthonormal
from alc_stats.estimators.kernels.wild_cluster import ClusterSums, cluster_sums
from alc_stats.estimators.lmm import LmmState
from alc_stats.estimators.lmm_robust import working
from alc_stats.estimators.memory import Memory, memory_of, prior_weights
from alc_stats.estimators.robust import Clusters, cluster_columns, clusters_of
from alc_stats.inference.contrasts import Line, read_contrast
from alc_stats.records import FloatArray


def contrast_sums(
    fit: Fit, expression: str, cluster: str | None, where: str
) -> tuple[ClusterSums, Clusters]:
    """The contrast and its clusters' scores.

    Parameters
    ----------
    fit : Fit
        Least squares or a mixed model, remembered, that has read the clusters' column.
    expression : str
        As for `contrast`.
    cluster : str, optional
        The fit's own clusters by default.
    where : str
        The function that asks, for messages.

    Raises
    ------
    DeclarationError
        Without a cluster.
    FormulaError
        For an expression that is no contrast of this fit.
    FitError
        For an unusable fit, one without memory, a column the fit did not read, a single cluster,
        or clusters that cut through levels of a random effect.
    """
    memory = _memory(fit, where)
    line = read_contrast(expression, fit)
    clusters = _clusters(fit, memory, cluster, where)
    weights = prior_weights(fit)
    if memory.state is None:
        return _of_rows(memory.design, weights, clusters, line), clusters
    return _of_mixed(fit, memory.state, memory.design, clusters, line), clusters


def _memory(fit: Fit, where: str) -> Memory:
    require_usable(fit)
    if fit.request.engine == "linearmodels":
        raise FitError(
            Problem(
                f"{where} needs the rows, which a panel regression does not keep",
                where=f"fit of '{fit.request.formula}' by linearmodels",
                way_out="Fit the effects as columns: fit('y ~ x + C(firm) + C(week)', ...).",
            )
        )
    return memory_of(fit)


def _clusters(fit: Fit, memory: Memory, cluster: str | None, where: str) -> Clusters:
    name = cluster or fit.request.cluster
    if not name:
        raise DeclarationError(
            Problem(
                "no cluster is named",
                where=f"{where}(cluster=...)",
                way_out="Name the column of the clusters here, or in fit(..., cluster=...).",
            )
        )
    columns = cluster_columns(name, memory.table.frame)
    unread = [column for column in columns if column not in memory.table.frame.columns]
    if unread:
        raise FitError(
            Problem(
                f"the fit did not read the column '{unread[0]}'",
                where=f"fit of '{fit.request.formula}'",
                way_out=f"Fit with covariance='CR2', cluster='{name}'.",
            )
        )
    return clusters_of(memory.table, name, columns, f"fit of '{fit.request.formula}'")


def _of_rows(
    design: Design, weights: FloatArray | None, clusters: Clusters, line: Line
) -> ClusterSums:
    """Of the rows times the roots of their weights, which turns their least squares into ours."""
    root = np.ones(len(design.y)) if weights is None else np.sqrt(weights)
    y = root * design.y
    Q, R = orthonormal(root[:, None] * design.X)
    root_n = np.sqrt(len(Q))
    Q, R = Q / root_n, R * root_n
    pick = linalg.solve_triangular(R, line.weights, trans="T")
    on_basis = Q.T @ y
    residuals = y - Q @ on_basis
    value = float(pick @ on_basis) + line.constant
    return cluster_sums(Q, residuals, clusters.level, pick=pick, estimate=value)


def _of_mixed(
    fit: Fit, state: LmmState, design: Design, clusters: Clusters, line: Line
) -> ClusterSums:
    where = f"fit of '{fit.request.formula}'"
    own = sums(working(state, design, clusters, state.weights, where))
    root = np.linalg.cholesky(own.bread)
    pick = root.T @ (line.weights @ state.scales.fixed.basis.back)
    value = float(line.weights @ fit.estimates) + line.constant
    slope = (root.T @ own.products @ root) @ pick
    # the working regression has the outcome in units of its residual SD
    scores = state.scales.fixed.scale * own.scores @ root
    return ClusterSums(value, float(pick @ pick), scores, slope, pick)
