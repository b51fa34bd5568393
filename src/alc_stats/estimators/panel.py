"""Panel regression by linearmodels: fixed effects absorbed, errors clustered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.cluster_support import cluster_support, refusal
from alc_stats.estimators.design import Design, build_design, codes, read_table, require_full_rank
from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.cluster_leverage import cluster_leverage
from alc_stats.estimators.kernels.rank import dependent_sets
from alc_stats.records import BoolArray, FloatArray, IntArray

_ABSORBED = 1e-9
"""A column whose part left by the effects is below this share of its spread has been absorbed."""

_CANDIDATE = 0.05
"""Only clusters with more than this share of what is left of a column are tried: where a cluster
alone tells a column, what the others' effects borrow from it leaves it a smaller share only if more
than 95 % of the rows of a time lie in it."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Which columns identify a row, which effects are absorbed, and what errors cluster by."""

    entity: str
    time: str
    cluster: str
    time_effects: bool

    @property
    def absorbed(self) -> tuple[str, ...]:
        """The columns whose levels have effects of their own."""
        return (self.entity, self.time) if self.time_effects else (self.entity,)


def fit_panel_ols(formula: Formula, data: pd.DataFrame, *, request: Request, panel: Panel) -> Fit:
    """Fit by PanelOLS; see `alc_stats.estimators.fit_panel`."""
    table = read_table(formula, data, [panel.entity, panel.time, panel.cluster])
    design = _without_intercept(build_design(formula, table))
    keys = (panel.entity, panel.time, panel.cluster)
    levels = {name: codes(table.frame, [name]) for name in keys}
    where = f"formula '{formula.text}'"
    _require_panel(levels, panel, where)
    _require_rows(design, [levels[name][1] for name in panel.absorbed], where)
    effects = [levels[name][0] for name in panel.absorbed]
    left = _require_variation(design, effects, where)
    support = cluster_support(left, design.names, levels[panel.cluster][0], request=request)
    _require_clusters(design, left, effects, levels[panel.cluster][0], request)
    spread = np.linalg.norm(design.X - design.X.mean(axis=0), axis=0) / np.sqrt(len(design.y))
    result = _panel_ols(design, spread, levels, panel)
    df = np.inf if request.df == "normal" else levels[panel.cluster][1] - 1.0
    return Fit(
        request=request,
        names=design.names,
        estimates=np.asarray(result.params, dtype=float) / spread,
        vcov=_debiased(result, design, levels, panel) / np.outer(spread, spread),
        df=np.where(support.lone, np.nan, df),
        components=design.components,
        random=(),
        loglik=float(result.loglik),
        counts=table.counts({name: number for name, (_, number) in levels.items()}),
        certificate=replace(_certificate(panel), notes=support.notes),
        coding=design.coding,
        statistics=design.statistics() | _quality(result),
        software=_software(),
    )


def _panel_ols(
    design: Design, spread: FloatArray, levels: Mapping[str, tuple[IntArray, int]], panel: Panel
) -> Any:
    from linearmodels.panel import PanelOLS

    index = pd.MultiIndex.from_arrays([levels[panel.entity][0], levels[panel.time][0]])
    outcome = pd.DataFrame({"outcome": design.y}, index)
    columns = pd.DataFrame(design.X / spread, index, list(design.names))
    cluster = pd.DataFrame({"cluster": levels[panel.cluster][0]}, index)
    model = PanelOLS(outcome, columns, entity_effects=True, time_effects=panel.time_effects)
    return model.fit(
        cov_type="clustered",
        clusters=cluster,
        group_debias=True,
        debiased=True,
        auto_df=False,
        count_effects=False,
    )


def _debiased(
    result: Any, design: Design, levels: Mapping[str, tuple[IntArray, int]], panel: Panel
) -> FloatArray:
    """The clustered covariance times G/(G-1) * (n-1)/(n-k).

    linearmodels counts either all effects in k or none. The custom since Stata's xtreg, kept
    here, is to count the constant and those effects that are not nested within clusters.
    """
    n, k = design.X.shape
    sizes = [levels[name][1] for name in panel.absorbed if not _nested(name, levels, panel)]
    counted = k + max(sum(sizes) - len(sizes) + 1, 1)
    return np.asarray(result.cov, dtype=float) * (n - k) / (n - counted)


def _nested(name: str, levels: Mapping[str, tuple[IntArray, int]], panel: Panel) -> bool:
    """Whether every level of the effect lies within one cluster."""
    level, number = levels[name]
    pairs = np.unique(np.stack([level, levels[panel.cluster][0]]), axis=1)
    return bool(pairs.shape[1] == number)


def _quality(result: Any) -> dict[str, float]:
    return {
        "r_squared_within": float(result.rsquared_within),
        "residual_sd": float(np.sqrt(result.resid_ss / result.df_resid)),
    }


def _certificate(panel: Panel) -> Certificate:
    within = " and ".join(panel.absorbed)
    sentence = f"Least squares within {within} solved exactly; no column depends on the others."
    return Certificate("exact", sentence)


def _without_intercept(design: Design) -> Design:
    keep = [j for j, name in enumerate(design.names) if name != "Intercept"]
    names = tuple(design.names[j] for j in keep)
    return replace(design, X=design.X[:, keep], names=names)


def _require_panel(levels: Mapping[str, tuple[IntArray, int]], panel: Panel, where: str) -> None:
    problems = []
    pairs = np.stack([levels[panel.entity][0], levels[panel.time][0]])
    repeated = pairs.shape[1] - np.unique(pairs, axis=1).shape[1]
    if repeated:
        problems.append(
            Problem(
                f"{repeated} rows repeat a combination of '{panel.entity}' and '{panel.time}'",
                where=where,
                way_out="Aggregate to one row for each, or name the columns that tell them apart.",
            )
        )
    if levels[panel.cluster][1] < 2:
        problems.append(
            Problem(
                f"a clustered covariance needs more than one cluster in '{panel.cluster}'",
                where=where,
                found="1 cluster",
            )
        )
    if problems:
        raise FitError(*problems)


def _require_rows(design: Design, sizes: Sequence[int], where: str) -> None:
    n, k = design.X.shape
    effects = sum(sizes) - len(sizes) + 1
    if n <= k + effects:
        raise FitError(
            Problem(
                "there are not more rows than coefficients and effects",
                where=where,
                found=f"{n} complete rows, {k} coefficients, {effects} effects",
            )
        )


def _require_variation(design: Design, effects: Sequence[IntArray], where: str) -> FloatArray:
    """What the effects leave of the columns (n, p).

    Raises a FitError naming every column that they absorb or that depends on others.
    """
    if not design.names:
        raise FitError(Problem("nothing but the intercept is to be estimated", where=where))
    left = _within(design.X, effects)
    spread = np.linalg.norm(design.X, axis=0)
    absorbed = np.linalg.norm(left, axis=0) <= _ABSORBED * spread
    if absorbed.any():
        raise FitError(
            *(
                Problem(
                    f"the column {name} is absorbed by the fixed effects",
                    where=where,
                    found="it does not vary within entities once times are taken out",
                    way_out="Leave it out.",
                )
                for name, gone in zip(design.names, absorbed, strict=True)
                if gone
            )
        )
    require_full_rank(left, design.names, f"{where}, within entities", tolerance=_ABSORBED)
    return left


def _require_clusters(
    design: Design,
    left: FloatArray,
    effects: Sequence[IntArray],
    clusters: IntArray,
    request: Request,
) -> None:
    """Refuse a column that, without some one cluster, the effects and other columns absorb.

    `cluster_support` sees what the effects of all rows leave; but effects estimated without the
    cluster absorb more, as in the difference-in-differences of a single treated firm.
    """
    shares = cluster_leverage(left, clusters).shares
    alone: set[int] = set()
    for g in np.flatnonzero(shares.max(axis=1) > _CANDIDATE):
        alone |= _lost(design.X, effects, clusters != g)
    if alone:
        raise FitError(
            *(refusal(design.X[:, j], design.names[j], clusters, request) for j in sorted(alone))
        )


def _lost(X: FloatArray, effects: Sequence[IntArray], rows: BoolArray) -> set[int]:
    """The columns that these rows alone do not tell from the effects and from one another."""
    left = _within(X[rows], [np.unique(e[rows], return_inverse=True)[1] for e in effects])
    gone = np.linalg.norm(left, axis=0) <= _ABSORBED * np.linalg.norm(X[rows], axis=0)
    return {j for columns in dependent_sets(np.where(gone, 0.0, left), _ABSORBED) for j in columns}


def _within(X: FloatArray, effects: Sequence[IntArray]) -> FloatArray:
    """X (n, p) less its projection on the dummies of `effects`, by sparse least squares."""
    from scipy import sparse

    n = X.shape[0]
    dummies = [sparse.csr_matrix((np.ones(n), (np.arange(n), e))) for e in effects]
    D = sparse.hstack(dummies).tocsr()
    weights = np.column_stack(
        [sparse.linalg.lsmr(D, x, atol=1e-14, btol=1e-14, maxiter=10 * D.shape[1])[0] for x in X.T]
    )
    return np.asarray(X - D @ weights, dtype=float)


def _software() -> str:
    import linearmodels

    return f"linearmodels {linearmodels.__version__} PanelOLS"
