"""One number with its uncertainty, and the arithmetic every interval and p value comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from alc_stats.records import FloatArray

Direction = Literal["greater", "less"]


def p_two_sided(value: FloatArray, se: FloatArray, df: FloatArray) -> FloatArray:
    """Two-sided p of value / se on Student's t; `df` = inf is the normal. Shapes broadcast.

    Where `se` is zero the answer is 0, or nan if the value is zero as well.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(np.divide(value, se))
    return np.asarray(2.0 * stats.t.sf(statistic, df), dtype=float)


def t_interval(
    value: FloatArray, se: FloatArray, df: FloatArray, level: float = 0.95
) -> FloatArray:
    """Limits (..., 2) of the central `level` interval; `df` = inf is the normal."""
    half_width = stats.t.ppf(0.5 + level / 2.0, df) * np.asarray(se)
    return np.stack([np.asarray(value) - half_width, np.asarray(value) + half_width], axis=-1)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its standard error and degrees of freedom, with its unit.

    Attributes
    ----------
    name : str
        What is estimated, as a reader would say it.
    value, se : float
        On the scale `unit` names.
    df : float
        Degrees of freedom of the t reference; inf is the normal.
    unit : str
        "log SD", "log minutes", "SD units"; empty for the outcome's own unit.

    Examples
    --------
    >>> e = Estimate("slope", 2.0, 1.0, float("inf"))
    >>> [round(limit, 2) for limit in e.interval()]
    [0.04, 3.96]
    """

    name: str
    value: float
    se: float
    df: float
    unit: str = ""

    @property
    def statistic(self) -> float:
        """The t (or z) ratio."""
        return self.value / self.se

    @property
    def p_value(self) -> float:
        """Two-sided p against zero."""
        return float(p_two_sided(np.array(self.value), np.array(self.se), np.array(self.df)))

    def p_against(self, bound: float, direction: Direction) -> float:
        """One-sided p of the null that the value is not `direction` than `bound`."""
        t = (self.value - bound) / self.se
        return float(stats.t.sf(t if direction == "greater" else -t, self.df))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Central interval."""
        low, high = t_interval(np.array(self.value), np.array(self.se), np.array(self.df), level)
        return float(low), float(high)
