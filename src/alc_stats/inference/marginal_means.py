"""Estimated marginal means (Searle, Speed and Milliken 1980).

What a model says about the mean outcome at every level of a factor, in a population where all
combinations of the other factors are equally frequent and covariates have their means: the
definition of R's emmeans.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.estimators.combination import combine
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.memory import memory_of
from alc_stats.estimators.reference_grid import Variable, grid_columns, grid_variables
from alc_stats.records import SESSION_ONLY, FloatArray, Level


@dataclass(frozen=True, slots=True, eq=False)
class MarginalMeans:
    """Estimated marginal means, level by level.

    Attributes
    ----------
    over, by : tuples of str
        The factors whose levels are told apart; comparisons are made within levels of `by`.
    at : mapping of str to tuple
        Every other column of the fixed part, and the values it was held at or averaged over; those
        of `over` and `by` only if they were chosen.
    cells : tuple of mapping
        The level of every factor, a mapping an estimate.
    estimates : tuple of Estimate
    weights : array (cells, k)
        What every mean is of the coefficients.
    level : float
        Of the intervals.
    fit : Fit or None
        While the session lasts.
    """

    over: tuple[str, ...]
    by: tuple[str, ...]
    at: Mapping[str, tuple[Level, ...]]
    cells: tuple[Mapping[str, Level], ...]
    estimates: tuple[Estimate, ...]
    weights: FloatArray
    level: float
    fit: Fit | None = field(default=None, metadata=SESSION_ONLY, repr=False)

    @property
    def table(self) -> pd.DataFrame:
        """One row a mean: the factors, estimate, se, df, low, high."""
        limits = [e.interval(self.level) for e in self.estimates]
        columns = {
            **{name: [cell[name] for cell in self.cells] for name in (*self.over, *self.by)},
            "estimate": [e.value for e in self.estimates],
            "se": [e.se for e in self.estimates],
            "df": [e.df for e in self.estimates],
            "low": [low for low, _ in limits],
            "high": [high for _, high in limits],
        }
        return pd.DataFrame(columns)


def marginal_means(
    fit: Fit,
    over: str | Sequence[str],
    *,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Level | Sequence[Level]] | None = None,
    level: float = 0.95,
) -> MarginalMeans:
    """Estimated marginal means of the levels of one factor, or of the cells of several.

    Parameters
    ----------
    fit : Fit
        Made in this session, its certificate usable.
    over : str or sequence of str
        Columns of the fixed part.
    by : str or sequence of str, optional
        Further columns; comparisons are made within their levels.
    at : mapping, optional
        Values for some columns, in place of the default: every level of a factor; both values of
        a numeric column that has two; the mean over the rows used of any other.
    level : float
        Of the intervals.

    Returns
    -------
    MarginalMeans
        Averaged with equal weights over what is neither in `over` nor in `by`; on the outcome's
        scale in the formula, with the fit's covariance and each mean's own degrees of freedom.
        Random effects are at zero. Of a logistic model they are log odds;
        `marginal_probabilities` has probabilities.

    Raises
    ------
    DeclarationError
        For columns the fixed part lacks, values a column cannot have, or a numeric column in
        `over` or `by` without values in `at`; all at once.
    FitError
        If the fit cannot be used or does not remember its rows.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "arm": ["a", "a", "b", "b", "c", "c"]})
    >>> marginal_means(fit("y ~ arm", data), "arm").table.round(2)
      arm  estimate    se   df   low  high
    0   a       1.5  0.71  3.0 -0.75  3.75
    1   b       3.5  0.71  3.0  1.25  5.75
    2   c       7.0  0.71  3.0  4.75  9.25
    """
    require_usable(fit)
    memory = memory_of(fit, logistic=True)
    unit = "" if memory.logistic is None else "log odds"
    told = _names(over), _names(by)
    variables = grid_variables(memory)
    chosen = {name: _listed(values) for name, values in (at or {}).items()}
    _check(told, variables, chosen, level)
    values = {name: chosen.get(name, variable.values) for name, variable in variables.items()}
    order = [*told[1], *told[0]]
    rest = [name for name in values if name not in order]
    X = grid_columns(memory, {name: values[name] for name in [*order, *rest]})
    cells = _cells({name: values[name] for name in order}, [*told[0], *told[1]])
    weights = X.reshape(len(cells), -1, X.shape[1]).mean(axis=1)
    found = combine(fit, weights)
    estimates = tuple(
        Estimate(cell_name(cell), float(value), float(se), float(df), unit)
        for cell, value, se, df in zip(cells, found.values, found.se, found.df, strict=True)
    )
    held = {name: values[name] for name in values if name in rest or name in chosen}
    return MarginalMeans(*told, held, cells, estimates, weights, level, fit)


def cell_name(cell: Mapping[str, Level]) -> str:
    """A cell as a reader would name it, such as "arm mandate, week 2"."""
    return ", ".join(f"{name} {level_text(value)}" for name, value in cell.items())


def level_text(value: Level) -> str:
    """A level, or a covariate's value, as text."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _listed(values: Level | Sequence[Level]) -> tuple[Level, ...]:
    listed = [values] if isinstance(values, str | float | int) else values
    return tuple(v if isinstance(v, str) else float(v) for v in listed)


def _cells(
    values: Mapping[str, Sequence[Level]], order: Sequence[str]
) -> tuple[dict[str, Level], ...]:
    """All combinations, the last column running fastest, written in `order`."""
    return tuple(
        {name: cell[list(values).index(name)] for name in order}
        for cell in itertools.product(*values.values())
    )


def _check(
    told: tuple[tuple[str, ...], tuple[str, ...]],
    variables: Mapping[str, Variable],
    chosen: Mapping[str, tuple[Level, ...]],
    level: float,
) -> None:
    """Collect everything that is wrong with how means are asked for."""
    over, by = told
    problems = [
        Problem(
            f"the fixed part has no column '{name}'",
            where=f"marginal_means({argument})",
            way_out=did_you_mean(name, variables),
        )
        for argument, names in (("over", over), ("by", by), ("at", chosen))
        for name in names
        if name not in variables
    ]
    problems += [
        Problem(f"'{name}' is named twice", where="marginal_means(over, by)")
        for name in dict.fromkeys((*over, *by))
        if (*over, *by).count(name) > 1
    ]
    problems += [
        Problem(
            f"'{name}' is a covariate with many values",
            where="marginal_means(over, by)",
            way_out=f"Choose some of them, as in at={{'{name}': [...]}}.",
        )
        for name in (*over, *by)
        if name in variables and name not in chosen and variables[name].many
    ]
    for name, values in chosen.items():
        problems += _unsuitable(name, values, variables)
    if not over:
        problems.append(Problem("no factor is named", where="marginal_means(over)"))
    if not 0.0 < level < 1.0:
        problems.append(
            Problem(
                "no such level", where="marginal_means(level)", found=f"{level}", allowed="0 to 1"
            )
        )
    if problems:
        raise DeclarationError(*problems)


def _unsuitable(
    name: str, values: tuple[Level, ...], variables: Mapping[str, Variable]
) -> list[Problem]:
    """Values of `at` a column cannot have."""
    if name not in variables:
        return []
    variable = variables[name]
    allowed = ", ".join(map(level_text, variable.values)) if variable.by_level else "finite numbers"
    wrong = [
        v for v in values if (v not in variable.values if variable.by_level else not _finite(v))
    ]
    if values and not wrong:
        return []
    found = ", ".join(map(level_text, wrong)) or "nothing"
    where = f"marginal_means(at['{name}'])"
    return [Problem(f"'{name}' cannot be held there", where=where, found=found, allowed=allowed)]


def _finite(value: Level) -> bool:
    return not isinstance(value, str) and math.isfinite(value)
