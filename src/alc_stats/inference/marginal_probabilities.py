"""Probabilities of a logistic model averaged over the rows and the random effects.

The g-formula: every row is given the levels of a cell, the other columns stay as they are, and its
probability is averaged over the population's random effects and then over the rows. Unlike an odds
ratio, a difference of such averages means the same whatever the model conditions on.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.logistic_prediction import (
    margins,
    probability_limits,
    required_logistic,
)
from alc_stats.estimators.memory import Memory
from alc_stats.estimators.new_rows import fitted_rows, new_rows
from alc_stats.estimators.reference_grid import Variable, grid_variables
from alc_stats.inference.marginal_means import cell_name, level_text
from alc_stats.records import FloatArray, Level

UNIT = "probability"


@dataclass(frozen=True, slots=True, eq=False)
class MarginalProbabilities:
    """Average probabilities, cell by cell.

    Attributes
    ----------
    over : tuple of str
    at : mapping of str to float or str
        Columns held at one value in every row.
    cells : tuple of mapping
        The level of every factor in `over`.
    estimates : tuple of Estimate
        Their own `interval` is normal; that of `table` stays between 0 and 1.
    covariance : array (cells, cells)
    df : float
        Degrees of freedom of differences between cells.
    level : float
        Of the intervals.
    """

    over: tuple[str, ...]
    at: Mapping[str, Level]
    cells: tuple[Mapping[str, Level], ...]
    estimates: tuple[Estimate, ...]
    covariance: FloatArray
    df: float
    level: float

    @property
    def table(self) -> pd.DataFrame:
        """One row a cell: the factors, estimate, se, low, high."""
        values = np.array([e.value for e in self.estimates])
        se = np.array([e.se for e in self.estimates])
        df = np.array([e.df for e in self.estimates])
        limits = probability_limits(values, se, df, self.level)
        columns = {name: [cell[name] for cell in self.cells] for name in self.over}
        return pd.DataFrame(
            columns | {"estimate": values, "se": se, "low": limits[:, 0], "high": limits[:, 1]}
        )

    def contrast(self, name: str, weights: Sequence[float]) -> Estimate:
        """A linear combination of the cells, in their order.

        Raises
        ------
        DeclarationError
            Unless there is a weight a cell, and one is not zero.

        Examples
        --------
        >>> from alc_stats.estimators import fit
        >>> data = pd.DataFrame({"right": [0, 1, 1, 0, 1, 0, 0, 1] * 3, "arm": [*"aabbbaab"] * 3})
        >>> cells = marginal_probabilities(fit("right ~ arm", data, family="binomial"), "arm")
        >>> round(cells.contrast("b less a", [-1, 1]).value, 4)
        0.5
        """
        w = np.asarray(weights, dtype=float)
        if w.shape != (len(self.cells),) or not np.isfinite(w).all() or not w.any():
            raise DeclarationError(
                Problem(
                    "the contrast does not have a weight for every cell",
                    where=f"contrast '{name}'",
                    found=", ".join(map(str, weights)),
                    allowed=f"{len(self.cells)} numbers, for "
                    + "; ".join(cell_name(cell) for cell in self.cells),
                )
            )
        value = float(w @ [e.value for e in self.estimates])
        variance = max(float(w @ self.covariance @ w), 0.0)
        return Estimate(name, value, float(np.sqrt(variance)), self.df, UNIT)


def marginal_probabilities(
    fit: Fit,
    over: str | Sequence[str],
    *,
    at: Mapping[str, Level] | None = None,
    level: float = 0.95,
) -> MarginalProbabilities:
    """Average probabilities of every combination of the levels of `over`.

    Parameters
    ----------
    fit : Fit
        A logistic model of the session, its certificate usable.
    over : str or sequence of str
        Columns of the fixed part that are coded by level or have two values.
    at : mapping, optional
        Columns held at one value in every row; all others keep every row's own.
    level : float
        Of the intervals.

    Returns
    -------
    MarginalProbabilities
        Standardised over the rows used (over trials, with `weights`), and over random effects of
        the estimated covariance, as new persons and tasks would have them. Standard errors by the
        delta method, covariance parameters included; the rows are taken as given.

    Raises
    ------
    DeclarationError
        For columns the fixed part lacks, covariates with many values, levels not in the data.
    FitError
        For a fit that cannot be used, is not logistic, or does not remember its rows.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"right": [0, 1, 1, 0, 1, 0, 0, 1] * 3, "arm": [*"aabbbaab"] * 3})
    >>> marginal_probabilities(fit("right ~ arm", data, family="binomial"), "arm").table.round(3)
      arm  estimate     se    low   high
    0   a      0.25  0.125  0.083  0.552
    1   b      0.75  0.125  0.448  0.917
    """
    require_usable(fit)
    required_logistic(fit)
    names = (over,) if isinstance(over, str) else tuple(over)
    held = {name: _level(value) for name, value in (at or {}).items()}
    variables = grid_variables(fit.memory)
    _check(names, held, variables, level)
    sets = [variables[name].values for name in names]
    cells = tuple(dict(zip(names, cell, strict=True)) for cell in itertools.product(*sets))
    values, covariance, df = _averages(fit, [held | cell for cell in cells])
    least = float(fit.df.min())
    estimates = tuple(
        Estimate(cell_name(cell), float(value), float(se), least, UNIT)
        for cell, value, se in zip(cells, values, np.sqrt(np.diag(covariance)), strict=True)
    )
    return MarginalProbabilities(names, held, cells, estimates, covariance, df, level)


def risk_difference(
    fit: Fit, change: Mapping[str, tuple[Level, Level]], *, at: Mapping[str, Level] | None = None
) -> Estimate:
    """What a change of one column does to the average probability; of several, their interaction.

    Parameters
    ----------
    fit : Fit
        A logistic model of the session, its certificate usable.
    change : mapping of str to (to, from)
        {"arm": ("mandate", "control")} is the average probability under the mandate less that
        without; {"arm": ("mandate", "control"), "novelty": (1, 0)} the difference on novel tasks
        less the difference on familiar ones.
    at : mapping, optional
        Columns held at one value in every row, such as {"novelty": 1}.

    Returns
    -------
    Estimate
        Difference of probabilities, of `marginal_probabilities`' kind: positive where the first
        level makes a success more likely.

    Raises
    ------
    DeclarationError, FitError
        As `marginal_probabilities`.

    Examples
    --------
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"right": [0, 1, 1, 0, 1, 0, 0, 1] * 3, "arm": [*"aabbbaab"] * 3})
    >>> found = risk_difference(fit("right ~ arm", data, family="binomial"), {"arm": ("b", "a")})
    >>> round(found.value, 3), round(found.se, 3)
    (0.5, 0.177)
    """
    require_usable(fit)
    required_logistic(fit)
    pairs = {name: tuple(_level(v) for v in pair) for name, pair in change.items()}
    held = {name: _level(value) for name, value in (at or {}).items()}
    _check_change(pairs, held, grid_variables(fit.memory))
    cells, weights = [], []
    for chosen in itertools.product((0, 1), repeat=len(pairs)):
        cells.append(
            held | {n: pair[k] for (n, pair), k in zip(pairs.items(), chosen, strict=True)}
        )
        weights.append((-1.0) ** sum(chosen))
    values, covariance, df = _averages(fit, cells)
    w = np.array(weights)
    text = " by ".join(f"{n} {level_text(a)} - {level_text(b)}" for n, (a, b) in pairs.items())
    if held:
        text += f" at {cell_name(held)}"
    variance = max(float(w @ covariance @ w), 0.0)
    return Estimate(text, float(w @ values), float(np.sqrt(variance)), df, UNIT)


def _averages(
    fit: Fit, cells: Sequence[Mapping[str, Level]]
) -> tuple[FloatArray, FloatArray, float]:
    """Average probability (c,) of every cell, their covariance (c, c), and the df of differences.

    These are the fewest among the coefficients of columns that differ between cells.
    """
    memory: Memory = fit.memory
    state = required_logistic(fit)
    share = state.outcomes.trials / state.outcomes.trials.sum()
    values, slopes = [], []
    differs = np.zeros(len(fit.names), dtype=bool)
    first: FloatArray | None = None
    for cell in cells:
        frame = memory.table.frame.copy()
        for name, value in cell.items():
            trained = frame[name].dtype
            frame[name] = pd.Series([value] * len(frame), frame.index).astype(trained)
        rows = new_rows(memory, frame, needs="effects") if cell else fitted_rows(memory)
        first = rows.X if first is None else first
        differs |= (first != rows.X).any(axis=0)
        found = margins(state, rows)
        values.append(share @ found.values)
        slopes.append(share @ found.slopes)
    D = np.array(slopes)
    df = float(fit.df[differs].min(initial=np.inf))
    return np.array(values), D @ state.covariance @ D.T, df


def _level(value: Level) -> Level:
    return value if isinstance(value, str) else float(value)


def _unknown(names: Sequence[str], variables: Mapping[str, Variable], where: str) -> list[Problem]:
    return [
        Problem(
            f"the fixed part has no column '{name}'",
            where=where,
            way_out=did_you_mean(name, variables),
        )
        for name in names
        if name not in variables
    ]


def _unseen(name: str, value: Level, variables: Mapping[str, Variable]) -> list[Problem]:
    if name not in variables:
        return []
    known = variables[name]
    if value in known.values or (not known.by_level and not isinstance(value, str)):
        return []
    allowed = ", ".join(map(level_text, known.values)) if known.by_level else "numbers"
    return [
        Problem(f"'{name}' cannot be {level_text(value)}", where="the fit's rows", allowed=allowed)
    ]


def _check(
    names: tuple[str, ...],
    held: Mapping[str, Level],
    variables: Mapping[str, Variable],
    level: float,
) -> None:
    """Collect everything that is wrong with how probabilities are asked for."""
    where = "marginal_probabilities(over)"
    problems = _unknown(names, variables, where)
    problems += _unknown(tuple(held), variables, "marginal_probabilities(at)")
    problems += [p for name, value in held.items() for p in _unseen(name, value, variables)]
    problems += [
        Problem(
            f"'{name}' is a covariate with many values",
            where=where,
            way_out="Ask for risk_difference() between two of them, or hold it with at={...}.",
        )
        for name in names
        if name in variables and variables[name].many
    ]
    problems += [
        Problem(f"'{name}' is named twice", where="marginal_probabilities(over, at)")
        for name in dict.fromkeys((*names, *held))
        if (*names, *held).count(name) > 1
    ]
    if not names:
        problems.append(Problem("no factor is named", where=where))
    if not 0.0 < level < 1.0:
        problems.append(Problem("no such level", where="level", found=f"{level}", allowed="0 to 1"))
    if problems:
        raise DeclarationError(*problems)


def _check_change(
    pairs: Mapping[str, tuple[Level, ...]],
    held: Mapping[str, Level],
    variables: Mapping[str, Variable],
) -> None:
    where = "risk_difference(change)"
    problems = _unknown(tuple(pairs), variables, where)
    problems += _unknown(tuple(held), variables, "risk_difference(at)")
    for name, pair in pairs.items():
        problems += [p for value in pair for p in _unseen(name, value, variables)]
        if len(pair) != 2 or pair[0] == pair[-1]:
            problems.append(
                Problem(
                    f"the change of '{name}' is not between two levels",
                    where=where,
                    found=", ".join(map(level_text, pair)),
                    allowed="(to, from)",
                )
            )
        if name in held:
            problems.append(Problem(f"'{name}' is both changed and held", where=where))
    problems += [p for name, value in held.items() for p in _unseen(name, value, variables)]
    if not pairs:
        problems.append(Problem("no column changes", where=where))
    if problems:
        raise DeclarationError(*problems)
