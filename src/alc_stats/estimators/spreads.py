"""What is asked of the spread of a model, and which engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from alc_stats.errors import DeclarationError, FormulaError, Problem
from alc_stats.estimators.error_laws import Bounds, law_problems
from alc_stats.estimators.fit import Fit, Request
from alc_stats.estimators.formula import Formula, parse_part

_CLUSTERED = ("model", "CR0", "CR1")
_REML = (
    "a random scale effect has no exact restricted likelihood: its location and scale parts do "
    "not separate"
)
_NO_REML = "only normal errors with a linear association have a restricted likelihood"
_ORDER = "autoregressive errors come with a random scale effect"
_ORDER_LAW = "autoregressive errors are normal ones with a linear association"


@dataclass(frozen=True, slots=True)
class Spreads:
    """The parts `scale` and `between` of a model, and the law of its errors."""

    scale: Formula
    between: Formula | None
    family: str = "gaussian"
    bounds: Bounds | None = None
    association: str = "linear"

    @classmethod
    def read(
        cls,
        scale: str | None,
        between: str | None,
        *,
        family: str = "gaussian",
        bounds: Bounds | None = None,
        association: str = "linear",
    ) -> Spreads:
        """Take both apart; without `scale` rows have one SD.

        Raises
        ------
        FormulaError
            For what cannot be read, or random terms in `between`.
        """
        parts = cls(
            parse_part(scale if scale is not None else "~ 1", "scale"),
            parse_part(between, "between") if between is not None else None,
            family,
            bounds,
            association,
        )
        if parts.between is not None and parts.between.random:
            raise FormulaError(
                Problem(
                    "the log SD between persons has no random terms",
                    where=f"between={between!r}",
                    way_out="Leave the brackets with bars out.",
                )
            )
        return parts

    @property
    def random(self) -> bool:
        """Whether persons have a scale effect of their own."""
        return bool(self.scale.random)

    def method(self, asked: str | None) -> Literal["ML", "REML"]:
        """ML by quadrature, else REML unless asked for otherwise."""
        return "ML" if self.quadrature or asked == "ML" else "REML"

    @property
    def quadrature(self) -> bool:
        """Whether effects are integrated numerically."""
        return self.random or self.family != "gaussian" or self.association != "linear"

    def dfs(self, covariance: str) -> tuple[str, ...]:
        """Where degrees of freedom may come from, the default first."""
        if covariance != "model":
            return ("clusters - 1", "normal")
        return ("normal",) if self.quadrature else ("satterthwaite", "residual", "normal")

    def check(
        self,
        *,
        method: str | None,
        covariance: str,
        cluster: str | None,
        df: str | None,
        engine: str = "auto",
        weights: str | None = None,
        order: str | None = None,
    ) -> None:
        """Raise a DeclarationError that lists everything that does not go together."""
        covariances = _CLUSTERED if self.quadrature else ("model",)
        normal = self.family == "gaussian" and self.association == "linear"
        problems = [
            *law_problems(self.family, self.bounds, self.association),
            _problem("method", method, (None, "ML"), _REML if normal else _NO_REML)
            if self.quadrature
            else _problem("method", method, (None, "ML", "REML")),
            _problem("covariance", covariance, covariances),
            _problem("df", df, (None, *self.dfs(covariance))),
            _problem("engine", engine, ("auto", "alc_stats")),
            _problem("weights", weights, (None,)),
            None
            if self.random and normal
            else _problem("order", order, (None,), _ORDER if normal else _ORDER_LAW),
        ]
        if (cluster is not None) != (covariance in ("CR0", "CR1")):
            problems.append(
                Problem(
                    "cluster and covariance do not go together",
                    where="fit(cluster=...)",
                    found=f"covariance '{covariance}', cluster {cluster!r}",
                    way_out="Name a cluster column exactly with covariance 'CR0' or 'CR1'.",
                )
            )
        found = [problem for problem in problems if problem is not None]
        if found:
            raise DeclarationError(*found)

    def fit(self, formula: Formula, data: pd.DataFrame, request: Request) -> Fit:
        """By quadrature where effects need it, else by the profiled likelihood."""
        if self.quadrature:
            from alc_stats.estimators.location_scale import fit_location_scale

            return fit_location_scale(formula, self.scale, self.between, data, request=request)
        from alc_stats.estimators.fixed_scale import fit_fixed_scale

        return fit_fixed_scale(formula, self.scale, self.between, data, request=request)


def _problem(
    argument: str, value: str | None, allowed: tuple[str | None, ...], why: str = ""
) -> Problem | None:
    """What is wrong with an argument of a location-scale model; None if nothing is."""
    if value in allowed:
        return None
    return Problem(
        f"this location-scale model takes no {argument} '{value}'" + (f": {why}" if why else ""),
        where=f"fit({argument}=...)",
        allowed=", ".join(str(one) for one in allowed if one is not None) or "nothing",
        way_out=f"Leave {argument} out.",
    )
