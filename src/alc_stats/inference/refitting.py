"""The same model again, on other rows or with another covariance."""

from __future__ import annotations

from typing import Any

import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators import fit
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.memory import Memory


def rows_of(made: Fit) -> pd.DataFrame:
    """The complete rows a fit used, whatever it models.

    Raises
    ------
    FitError
        If it does not remember them.
    """
    if not isinstance(made.memory, Memory):
        raise FitError(
            Problem(
                "this fit does not remember its rows",
                where=f"fit of '{made.request.formula}' by {made.request.engine}",
                way_out="Fit it again in this session with alc_stats.fit and the default engine.",
            )
        )
    return made.memory.table.frame


def refitted(made: Fit, frame: pd.DataFrame, **changes: Any) -> Fit:
    """Fit the request of `made` to `frame`; `changes` are arguments of `alc_stats.fit`."""
    asked = made.request
    own = "auto" if asked.engine == "alc_stats" or not _mixed(made) else asked.engine
    arguments: dict[str, Any] = {
        "scale": asked.scale or None,
        "between": asked.between or None,
        "method": None if asked.method == "least squares" else asked.method,
        "covariance": asked.covariance,
        "cluster": asked.cluster or None,
        "df": asked.df,
        "engine": own,
        "weights": asked.weights or None,
        "order": asked.order or None,
        "family": asked.family,
        "bounds": asked.bounds,
        "association": asked.association,
    }
    return fit(asked.formula, frame, **(arguments | changes))


def _mixed(made: Fit) -> bool:
    return made.request.method != "least squares"
