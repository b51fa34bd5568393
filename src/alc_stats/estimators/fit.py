"""`Fit`: the one record every estimator returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.certificate import Certificate
from alc_stats.estimators.estimate import p_two_sided, t_interval
from alc_stats.records import SESSION_ONLY, FloatArray

Component = Literal["mean", "log_sd", "between_log_sd"]
Interval = Literal["confidence", "prediction"]
Predicted = Literal["mean", "sd", "log_odds"]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for.

    Attributes
    ----------
    formula, engine : str
        As written; the engine that was used.
    method : {"least squares", "ML", "REML"}
    covariance : {"model", "HC0", "HC1", "HC2", "HC3", "cluster", "CR2"}
    cluster : str
        Column of the clusters; empty without.
    df : {"residual", "clusters - 1", "satterthwaite", "kenward-roger", "containment", "normal"}
        Where the degrees of freedom come from. "kenward-roger" is about the covariance as well.
    weights : str
        Column of prior weights, Var(e) = sigma^2 / w, of "binomial" of trials; empty without.
    scale, between : str
        One-sided formulas of the log SD of rows and of the random intercept; empty without.
    order : str
        Column of times of autoregressive errors; empty without.
    family : {"gaussian", "censored", "t", "binomial"}
        Law of the errors, or of a yes or no.
    bounds : pair of float or None
        Of a censored outcome; None for a side without.
    association : {"linear", "quadratic"}
        How the scale effect goes with the location effect.
    """

    formula: str
    engine: str
    method: Literal["least squares", "ML", "REML"]
    covariance: str = "model"
    cluster: str = ""
    df: str = "residual"
    weights: str = ""
    scale: str = ""
    between: str = ""
    order: str = ""
    family: str = "gaussian"
    bounds: tuple[float | None, float | None] | None = None
    association: str = "linear"


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows read and used, why rows were dropped, and the number of levels of every grouping."""

    read: int
    used: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VarianceComponent:
    """A standard deviation (or, with `other`, a correlation) of the random part."""

    group: str
    term: str
    sd: float
    other: str = ""
    correlation: float | None = None


@dataclass(frozen=True, slots=True)
class Coding:
    """How columns became numbers: the levels of every categorical, first level the reference."""

    outcome: str
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fit:
    """A fitted model as a record: no data frame, no optimiser, JSON in and out.

    Attributes
    ----------
    request : Request
        What was asked.
    names : tuple of str, length k
        Coefficient names as the formula library gives them (`Intercept`, `arm[T.mandate]`).
    estimates : array (k,)
        Coefficients. Components `log_sd` and `between_log_sd` are on the log SD scale.
    vcov : array (k, k)
        Covariance of the coefficients, of the kind `request.covariance` names.
    df : array (k,)
        Degrees of freedom of each coefficient's t; inf is the normal.
    components : tuple of str, length k
        "mean", "log_sd" or "between_log_sd".
    random : tuple of VarianceComponent
        The random part, residual last (group "Residual"); a logistic model has no residual.
    loglik : float or None
        Log-likelihood, or restricted log-likelihood under REML.
    counts : Counts
    certificate : Certificate
    coding : Coding
    statistics : mapping of str to float
        "r_squared", "residual_sd", "outcome_mean", "outcome_sd" and the like.
    software : str
        Engine and version that produced the numbers.
    memory : Memory or None
        The rows behind the fit, while the session lasts; never stored.
    """

    request: Request
    names: tuple[str, ...]
    estimates: FloatArray
    vcov: FloatArray
    df: FloatArray
    components: tuple[Component, ...]
    random: tuple[VarianceComponent, ...]
    loglik: float | None
    counts: Counts
    certificate: Certificate
    coding: Coding
    statistics: Mapping[str, float]
    software: str
    memory: Any = field(default=None, metadata=SESSION_ONLY)

    def __post_init__(self) -> None:
        k = len(self.names)
        shapes = {"estimates": (k,), "vcov": (k, k), "df": (k,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"Fit.{name} has shape {getattr(self, name).shape}, must be {shape}"
                )

    @property
    def labels(self) -> tuple[str, ...]:
        """Names, with the unit before those of a spread: `log_sd.week`, `between_log_sd.arm`."""
        pairs = zip(self.names, self.components, strict=True)
        return tuple(n if part == "mean" else f"{part}.{n}" for n, part in pairs)

    @property
    def params(self) -> pd.Series:
        """Coefficients by label."""
        return pd.Series(self.estimates, index=list(self.labels), name="estimate")

    @property
    def bse(self) -> pd.Series:
        """Standard errors by label."""
        return pd.Series(np.sqrt(np.diag(self.vcov)), index=list(self.labels), name="se")

    @property
    def tvalues(self) -> pd.Series:
        """Coefficients over their standard errors."""
        return (self.params / self.bse).rename("t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p values on the coefficients' own degrees of freedom."""
        return pd.Series(
            p_two_sided(self.estimates, self.bse.to_numpy(), self.df), list(self.labels), name="p"
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """What to print beside the numbers: warnings, and the stamp of difference scores."""
        from alc_stats.estimators.difference_scores import stamps
        from alc_stats.estimators.formula import parse, parse_part

        spreads = {"scale": self.request.scale, "between": self.request.between}
        parts = [parse_part(text, name) for name, text in spreads.items() if text]
        return (*self.certificate.notes, *stamps(parse(self.request.formula), *parts))

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Central intervals, columns `low` and `high`."""
        limits = t_interval(self.estimates, self.bse.to_numpy(), self.df, level)
        return pd.DataFrame(limits, index=list(self.labels), columns=["low", "high"])

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes by grouping: a row a level, a column a random term.

        With a random scale effect posterior means, the scale effect as "log_sd", and their
        posterior SDs, such as "posterior_sd.log_sd".

        Raises
        ------
        FitError
            If the fit cannot be used, has no random part, or does not remember its rows.

        Examples
        --------
        >>> from alc_stats.estimators import fit
        >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8, 2, 4], "g": list("aabbccdd")})
        >>> fit("y ~ 1 + (1 | g)", data).random_effects["g"].round(3)["Intercept"].to_dict()
        {'a': -1.99, 'b': -0.221, 'c': 2.875, 'd': -0.663}
        """
        from alc_stats.estimators.prediction import random_effects

        return random_effects(self)

    @overload
    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        of: Predicted = "mean",
        random: bool = True,
        interval: None = None,
        level: float = 0.95,
    ) -> pd.Series: ...

    @overload
    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        of: Predicted = "mean",
        random: bool = True,
        interval: Interval,
        level: float = 0.95,
    ) -> pd.DataFrame: ...

    def predict(
        self,
        new: pd.DataFrame | None = None,
        *,
        of: Predicted = "mean",
        random: bool = True,
        interval: Interval | None = None,
        level: float = 0.95,
    ) -> pd.Series | pd.DataFrame:
        """Predicted outcomes of the rows used or of new rows; see `estimators.prediction`.

        Examples
        --------
        >>> from alc_stats.estimators import fit
        >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8, 2, 4], "g": list("aabbccdd")})
        >>> m = fit("y ~ 1 + (1 | g)", data)
        >>> m.predict(pd.DataFrame({"g": ["a", "elsewhere"]})).round(3).tolist()
        [1.76, 3.75]
        """
        from alc_stats.estimators.prediction import predict

        return predict(self, new, of=of, random=random, interval=interval, level=level)

    def summary(self) -> str:
        """The fit as text, its certificate first."""
        from alc_stats.estimators.summary import summary_text

        return summary_text(self)

    def __repr__(self) -> str:
        return f"<Fit {self.request.formula!r} ({self.request.engine}): {self.certificate.status}>"

    __str__ = summary


def require_usable(fit: Fit) -> None:
    """Raise a FitError with the certificate's verdict unless the fit's numbers may be used."""
    if not fit.certificate.usable:
        raise FitError(
            Problem(
                "this fit cannot be used",
                where=f"formula '{fit.request.formula}'",
                found=fit.certificate.sentence,
            )
        )
