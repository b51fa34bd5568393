"""The reference grid of a fit: the levels of its factors, and where covariates are held."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.estimators.design import recoded
from alc_stats.estimators.memory import Memory
from alc_stats.records import FloatArray, Level

KEPT = 2
"""A numeric column with at most this many values keeps them, as a factor would (emmeans' rule)."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A column of the fixed part: whether it is coded by level, and its values on the grid."""

    name: str
    values: tuple[Level, ...]
    by_level: bool

    @property
    def many(self) -> bool:
        """Whether it is a covariate that the grid holds at its mean."""
        return not self.by_level and len(self.values) == 1


def grid_variables(memory: Memory) -> dict[str, Variable]:
    """Every column of the fixed part; covariates with more than two values at their means."""
    frame, spec = memory.table.frame, memory.design.spec
    coded = {name for factor in spec.factor_contrasts for name in spec.factor_variables[factor]}
    names = [name for name in memory.formula.names if name in spec.required_variables]
    return {name: _variable(frame[name], coded=name in coded) for name in names}


def grid_columns(memory: Memory, values: Mapping[str, Sequence[Level]]) -> FloatArray:
    """Fixed columns (cells, p) of all combinations of values, the last variable running fastest."""
    cells = list(itertools.product(*values.values()))
    frame = pd.DataFrame(cells, columns=list(values))
    for name in values:
        trained = memory.table.frame[name].dtype
        frame[name] = frame[name].astype(trained)
    if not values:
        frame = pd.DataFrame(index=range(1))
    return recoded(memory.design.spec, frame, memory.formula.text)


def _variable(column: pd.Series, *, coded: bool) -> Variable:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return Variable(str(column.name), tuple(column.cat.categories), by_level=True)
    distinct = np.unique(column.to_numpy(dtype=float))
    if coded or distinct.size <= KEPT:
        return Variable(str(column.name), tuple(float(v) for v in distinct), by_level=coded)
    return Variable(str(column.name), (float(column.mean()),), by_level=False)
