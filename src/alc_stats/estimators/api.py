"""The two functions that fit: one grammar, one record, whatever engine does the work."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from alc_stats.errors import DeclarationError, FormulaError, Problem, did_you_mean
from alc_stats.estimators.design import check_weights
from alc_stats.estimators.difference_scores import refuse_differences
from alc_stats.estimators.error_laws import Association, Bounds, Family
from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.formula import Formula, parse
from alc_stats.estimators.linear import CLUSTERED, Covariance, fit_linear
from alc_stats.estimators.lmm import fit_lmm
from alc_stats.estimators.lmm_robust import fit_lmm_clustered
from alc_stats.estimators.logistic import fit_logistic
from alc_stats.estimators.logistic_outcomes import refuse_arguments
from alc_stats.estimators.mixed import fit_mixed
from alc_stats.estimators.panel import Panel, fit_panel_ols
from alc_stats.estimators.robust import ROBUST
from alc_stats.estimators.spreads import Spreads

COVARIANCES = ("model", "HC0", "HC1", "HC2", "HC3", *CLUSTERED)
_ROBUST_DF = ("clusters - 1", "satterthwaite", "normal")
_SMALL_SAMPLE_DF = ("satterthwaite", "clusters - 1", "normal")
_DF_OF = {
    "cluster": ("clusters - 1", "residual", "normal"),
    "CR0": _ROBUST_DF,
    "CR1": _ROBUST_DF,
    "CR2": _SMALL_SAMPLE_DF,
    "CR3": _SMALL_SAMPLE_DF,
}
"""Degrees of freedom a covariance of least squares allows, the default first."""
_OWN_DF = ("satterthwaite", "kenward-roger", "containment", "residual", "normal")
_MIXED_DF = {
    "auto": _OWN_DF,
    "alc_stats": _OWN_DF,
    "statsmodels": ("containment", "residual", "normal"),
}


def fit(
    formula: str,
    data: pd.DataFrame,
    *,
    scale: str | None = None,
    between: str | None = None,
    method: Literal["ML", "REML"] | None = None,
    covariance: Covariance = "model",
    cluster: str | None = None,
    df: str | None = None,
    engine: Literal["auto", "alc_stats", "statsmodels"] = "auto",
    weights: str | None = None,
    order: str | None = None,
    family: Family = "gaussian",
    bounds: Bounds | None = None,
    association: Association = "linear",
    allow_difference_score: bool = False,
) -> Fit:
    """Fit a linear, a logistic, a mixed or a location-scale model.

    Random terms in the formula make it a mixed model, `scale` or `between` a location-scale model,
    as does a law of the errors other than the normal; family="binomial" makes it logistic.

    Parameters
    ----------
    formula : str
        lme4's grammar, such as "minutes ~ ai*week + (1 + week | firm) + (1 | firm:person)"; see
        `alc_stats.estimators.formula`. Without bars: least squares (statsmodels OLS). With bars:
        the profiled (restricted) likelihood, nested and crossed terms alike.
    data : DataFrame
        One row an observation. Rows that lack a needed value are dropped and counted.
    scale : str, optional
        One-sided formula of the log SD of rows, such as "~ mandate*post + (1 | person)": its random
        intercept lets persons differ in how much they vary, and go with their location effects
        ((1 || person) without). Its coefficients are log SDs, `log_sd.mandate` in the result.
    between : str, optional
        One-sided formula of the log SD of the random intercept: `between_log_sd.mandate`.
    method : {"REML", "ML"}
        For mixed models only; "REML" by default, "ML" with a random scale effect, whose model has
        no exact restricted likelihood.
    covariance : {"model", "HC0", ..., "HC3", "cluster", "CR0", "CR1", "CR2", "CR3"}
        "HC0" to "HC3" and "cluster" for least squares only. With G clusters, n rows and k
        coefficients: "CR0" is the plain cluster-robust covariance; "CR1" is CR0 times G/(G-1)
        (clubSandwich's CR1); "cluster" is CR0 times G/(G-1) * (n-1)/(n-k) (statsmodels' and
        Stata's default, clubSandwich's CR1S); "CR2" is Bell and McCaffrey's (2002) bias-reduced
        covariance; "CR3" what leaving out one cluster after another does to the coefficients,
        the variances held. A mixed model's own covariance of the rows is the working covariance
        (Pustejovsky and Tipton 2018), so they protect against its being wrong.
    cluster : str, optional
        The column of clusters ("a:b" for the cells of two), for "cluster" and "CR0" to "CR3". In
        a mixed model every cluster holds whole levels of every grouping: cluster at a grouping
        or above it.
    df : str, optional
        Where the degrees of freedom come from, the default first. Least squares: "residual"
        (n - k), "normal"; "cluster": "clusters - 1", "residual", "normal". CR0, CR1: "clusters
        - 1", "satterthwaite", "normal"; CR2, CR3: "satterthwaite", "clusters - 1", "normal".
        Mixed: "satterthwaite", "kenward-roger" (REML only; its covariance too), "containment"
        (nested terms), "residual", "normal"; with statsmodels "containment", "residual",
        "normal".
    engine : {"auto", "alc_stats", "statsmodels"}
        Who searches: "auto" is statsmodels for least squares and `alc_stats.estimators.lmm` for
        mixed models; statsmodels' MixedLM is an independent witness for nested terms.
    weights : str, optional
        Column of positive prior weights w: Var(e) = sigma^2 / w, as for means of w equal rows
        (lm's and lmer's `weights`). They say how precise a row is, not how often it occurs: the
        residual degrees of freedom count rows. Not for "CR2", nor for statsmodels' mixed models.
        Of "binomial": trials a row.
    order : str, optional
        Column of times, with a random scale effect only: errors are then a first-order
        autoregression within persons, since serial dependence leaks into the spread.
    family : {"gaussian", "censored", "t", "binomial"}
        Law of the errors, or "binomial" for a yes or no. "censored": of an outcome on a bounded
        scale only that it lies at or beyond a bound is seen there (tobit); coefficients and log SDs
        are those of the latent outcome, so that a ceiling alone narrows no spread. "t": Student's t
        scaled to unit variance, with the degrees of freedom estimated (`statistics["nu"]`, above
        2), to see whether heavy tails pass for differences in spread. Both by maximum likelihood,
        with at most one location effect a person, with or without a random scale effect.
        "binomial": logistic regression or a logistic mixed model of an outcome 0 or 1 (False or
        True), or of the share of successes with `weights` the column of trials; coefficients are
        log odds. By maximum likelihood: exact without random terms; adaptive Gauss-Hermite
        quadrature with one random effect a level of one grouping; else Laplace's approximation.
        z tests, or with df="containment" t with what the levels of a column's grouping leave.
    bounds : (low, high), optional
        Of a censored outcome; None for a side without a bound.
    association : {"linear", "quadratic"}
        How the scale effect goes with the location effect theta (of unit variance): linearly, or
        with the square of theta as well (`statistics["log_sd_quadratic"]`, half of MIXREGLS'
        coefficient; the constant of the log SD is then that of theta = 0).
    allow_difference_score : bool
        Whether the formula may take one column from another, as in I(self - actual); it is refused
        otherwise, with the reason, and what rests on it says so (`Fit.notes`).

    Returns
    -------
    Fit
        Coefficients in the units of the columns; its certificate says whether to believe them.

    Raises
    ------
    DeclarationError
        For arguments that do not go together.
    FormulaError
        For a formula that cannot be read or names columns the table lacks.
    FitError
        For data that cannot answer: infinite values, dependent columns, a constant outcome, too
        few rows, clusters or levels, random effects the rows cannot tell, a coefficient that a
        single cluster determines, weights that are missing or not positive.

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "x": [0.0, 1, 2, 3, 4, 5]})
    >>> fit("y ~ x", data).params.round(3).to_dict()
    {'Intercept': 0.714, 'x': 1.314}
    """
    parsed = parse(formula)
    refuse_differences(parsed, allowed=allow_difference_score)
    if family == "binomial":
        refuse_arguments(method=method, covariance=covariance, cluster=cluster, df=df,
                         engine=engine, scale=scale, between=between, order=order, bounds=bounds,
                         association=association)  # fmt: skip
        if weights is not None:
            check_weights(parsed, data, weights)
        request = Request(
            formula=formula, engine="alc_stats", method="ML", df=df or "normal",
            weights=weights or "", family=family,
        )  # fmt: skip
        return fit_logistic(parsed, data, request=request, trials=weights)
    if (scale, between, family, bounds, association) != (None, None, "gaussian", None, "linear"):
        parts = Spreads.read(scale, between, family=family, bounds=bounds, association=association)
        for part in (parts.scale, *([parts.between] if parts.between else [])):
            refuse_differences(part, allowed=allow_difference_score)
        parts.check(method=method, covariance=covariance, cluster=cluster, df=df, engine=engine,
                    weights=weights, order=order)  # fmt: skip
        request = Request(
            formula=formula, engine="alc_stats", method=parts.method(method),
            covariance=covariance, cluster=cluster or "", df=df or parts.dfs(covariance)[0],
            scale=scale or "", between=between or "", order=order or "",
            family=family, bounds=bounds, association=association,
        )  # fmt: skip
        return parts.fit(parsed, data, request)
    method = method or "REML"
    _check_arguments(parsed, method, covariance, cluster, df, engine)
    if weights is not None:
        _refuse_weights(parsed, covariance, engine)
        check_weights(parsed, data, weights)
    own = parsed.random and engine != "statsmodels"
    request = Request(
        formula=formula,
        engine="alc_stats" if own else "statsmodels",
        method=method if parsed.random else "least squares",
        covariance=covariance,
        cluster=cluster or "",
        df=df or _allowed_df(parsed, covariance, engine)[0],
        weights=weights or "",
    )
    if own and covariance in ROBUST:
        return fit_lmm_clustered(parsed, data, request=request, weights=weights).fit
    if own:
        return fit_lmm(parsed, data, request=request, weights=weights).fit
    return fit_mixed(parsed, data, request) if parsed.random else fit_linear(parsed, data, request)


def fit_panel(
    formula: str,
    data: pd.DataFrame,
    *,
    entity: str,
    time: str,
    time_effects: bool = True,
    cluster: str | None = None,
    df: Literal["clusters - 1", "normal"] | None = None,
    allow_difference_score: bool = False,
) -> Fit:
    """Fit a panel regression with entity (and time) fixed effects by linearmodels PanelOLS.

    Parameters
    ----------
    formula : str
        Outcome and columns; the intercept is absorbed. No random terms.
    data : DataFrame
        One row an entity and time.
    entity, time : str
        Columns that identify a row.
    time_effects : bool
        Whether every time has its own effect.
    cluster : str, optional
        Column the errors are clustered by; the entity by default.
    df : {"clusters - 1", "normal"}, optional
        Reference of the t values; "clusters - 1" by default.
    allow_difference_score : bool
        As in `fit`.

    Returns
    -------
    Fit
        The clustered covariance carries the factor G/(G-1) * (n-1)/(n-k) for G clusters, where k
        counts the coefficients, a constant and those effects that are not nested within the
        clusters (Cameron and Miller 2015, section III.B).

    Raises
    ------
    FormulaError
        For random terms or columns the table lacks.
    FitError
        For repeated entity-time rows, columns the effects absorb, or a single cluster.

    Examples
    --------
    >>> data = pd.DataFrame({"firm": list("aabbccdd"), "week": [1, 2] * 4,
    ...     "ai": [0, 1, 0, 0, 0, 1, 0, 0], "y": [1.0, 3, 2, 2.5, 1, 2.5, 3, 3.1]})
    >>> fit_panel("y ~ ai", data, entity="firm", time="week").params.round(3).to_dict()
    {'ai': 1.45}
    """
    parsed = parse(formula)
    refuse_differences(parsed, allowed=allow_difference_score)
    if parsed.random:
        raise FormulaError(
            Problem(
                "a panel regression has no random terms",
                where=f"formula '{formula}'",
                way_out="Use fit(), or leave out the brackets with bars.",
            )
        )
    if df not in (None, "clusters - 1", "normal"):
        raise DeclarationError(
            Problem(
                f"unknown degrees of freedom '{df}'",
                where="fit_panel(df=...)",
                allowed="clusters - 1, normal",
            )
        )
    request = Request(
        formula=formula,
        engine="linearmodels",
        method="least squares",
        covariance="cluster",
        cluster=cluster or entity,
        df=df or "clusters - 1",
    )
    panel = Panel(entity, time, cluster or entity, time_effects)
    return fit_panel_ols(parsed, data, request=request, panel=panel)


def _check_arguments(
    formula: Formula, method: str, covariance: str, cluster: str | None, df: str | None, engine: str
) -> None:
    """Collect everything that is wrong with how a fit is asked for."""
    dfs = _allowed_df(formula, covariance, engine)
    engines = ("auto", "alc_stats", "statsmodels") if formula.random else ("auto", "statsmodels")
    problems = [
        *_unknown("method", method, ("REML", "ML")),
        *_unknown("covariance", covariance, COVARIANCES),
        *_unknown("df", df or dfs[0], dfs),
        *_unknown("engine", engine, engines),
    ]
    if formula.random and not _for_mixed(covariance, engine):
        problems.append(
            Problem(
                f"a mixed model has no '{covariance}' covariance here",
                where="fit(covariance=...)",
                allowed="model, and with the default engine CR0, CR1, CR2, CR3",
                way_out="Leave it out, or cluster the default engine's fit by CR2.",
            )
        )
    elif (cluster is not None) != (covariance in CLUSTERED):
        problems.append(
            Problem(
                "cluster and covariance do not go together",
                where="fit(cluster=...)",
                found=f"covariance '{covariance}', cluster {cluster!r}",
                way_out="Name a cluster column exactly with covariance 'cluster' or 'CR0' to "
                "'CR3'.",
            )
        )
    if problems:
        raise DeclarationError(*problems)


def _for_mixed(covariance: str, engine: str) -> bool:
    return covariance == "model" or (covariance in ROBUST and engine != "statsmodels")


def _allowed_df(formula: Formula, covariance: str, engine: str) -> tuple[str, ...]:
    """Where the degrees of freedom may come from, the default first."""
    if formula.random and covariance not in ROBUST:
        return _MIXED_DF.get(engine, _OWN_DF)
    return _DF_OF.get(covariance, ("residual", "normal"))


def _refuse_weights(formula: Formula, covariance: str, engine: str) -> None:
    if not formula.random and covariance in ROBUST:
        raise DeclarationError(
            Problem(
                f"the '{covariance}' covariance takes no weights here",
                where="fit(weights=...)",
                allowed="model, HC0, HC1, HC2, HC3, cluster",
                way_out="Use covariance 'cluster', or leave the weights out.",
            )
        )
    if formula.random and engine == "statsmodels":
        raise DeclarationError(
            Problem(
                "statsmodels' mixed models take no weights",
                where="fit(weights=...)",
                way_out="Use the default engine.",
            )
        )


def _unknown(argument: str, value: str, allowed: tuple[str, ...]) -> list[Problem]:
    if value in allowed:
        return []
    return [
        Problem(
            f"unknown {argument} '{value}'",
            where=f"fit({argument}=...)",
            allowed=", ".join(allowed),
            way_out=did_you_mean(value, allowed),
        )
    ]
