"""Equal spread across groups, tested without assuming normality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alc_stats.errors import FitError, Problem


@dataclass(frozen=True, slots=True)
class EqualSpread:
    """F test of equal spread: `p` small means the groups' spreads differ."""

    statistic: float
    df1: int
    df2: int
    p: float


def brown_forsythe(values: Mapping[str, npt.ArrayLike]) -> EqualSpread:
    """Brown and Forsythe's (1974) test: analysis of variance of distances from group medians.

    It assumes independent observations: clustered data need the log-SD estimators instead.

    Parameters
    ----------
    values : mapping of group to array_like (n_group,)
        Missing values are left out.

    Raises
    ------
    FitError
        For fewer than two groups, a group with fewer than three values, or no spread at all.

    Examples
    --------
    >>> brown_forsythe({"a": [1, 2, 3, 4], "b": [1, 4, 7, 10]}).df2
    6
    """
    import pingouin

    groups = {name: _present(column) for name, column in values.items()}
    _require_spread(groups)
    result = pingouin.homoscedasticity(list(groups.values()), method="levene", center="median")
    sizes = [column.size for column in groups.values()]
    row = result.iloc[0]
    return EqualSpread(float(row["W"]), len(sizes) - 1, sum(sizes) - len(sizes), float(row["pval"]))


def _present(column: npt.ArrayLike) -> np.ndarray:
    array = np.asarray(column, dtype=float)
    return np.asarray(array[~np.isnan(array)])


def _require_spread(groups: Mapping[str, np.ndarray]) -> None:
    if len(groups) < 2:
        raise FitError(
            Problem("spreads can only be compared between groups", found=f"{len(groups)}")
        )
    problems = [
        Problem(
            f"group '{name}' is too small to show its spread",
            found=f"{column.size} values",
            allowed="3 or more",
        )
        for name, column in groups.items()
        if column.size < 3
    ]
    if not problems and all(np.ptp(column) == 0.0 for column in groups.values()):
        problems = [Problem("no group has any spread")]
    if problems:
        raise FitError(*problems)
