"""The spread of a group as one number on the log SD scale, with its sampling variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import Problem, TableError
from alc_stats.measures.columns import numbers, require
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True)
class LogSd:
    """A bias-corrected log standard deviation.

    Attributes
    ----------
    value : float
        ln S + 1 / (2 (n - 1)); log SD.
    variance : float
        Its sampling variance, 1 / (2 (n - 1)), under normality.
    n : int
        Values behind it.
    """

    value: float
    variance: float
    n: int


def log_sd(values: FloatArray | Sequence[float]) -> LogSd:
    """The log SD of a sample, corrected for the bias of ln S (Nakagawa et al., 2015, eq. 8).

    Parameters
    ----------
    values : array (n,)
        Missing values are left out.

    Raises
    ------
    TableError
        If fewer than two values remain, or all are equal: the log SD does not exist.

    References
    ----------
    Nakagawa, S., Poulin, R., Mengersen, K., Reinhold, K., Engqvist, L., Lagisz, M., & Senior, A. M.
    (2015). Meta-analysis of variation. Methods in Ecology and Evolution, 6(2), 143-152.

    Examples
    --------
    >>> log_sd([1.0, 3.0, 5.0])
    LogSd(value=0.9431471805599453, variance=0.25, n=3)
    """
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    if len(sample) < 2 or np.ptp(sample) == 0.0:
        raise TableError(
            Problem(
                "the log SD does not exist",
                where="log_sd",
                found=_spreadless(sample),
                allowed="two values or more that are not all equal",
            )
        )
    correction = 1.0 / (2.0 * (len(sample) - 1))
    return LogSd(float(np.log(sample.std(ddof=1))) + correction, correction, len(sample))


def _spreadless(sample: FloatArray) -> str:
    return f"{len(sample)} values" + (", all equal" if len(sample) > 1 else "")


def log_sd_by_group(frame: pd.DataFrame, value: str, *, groups: Sequence[str]) -> pd.DataFrame:
    """The log SD of `value` in every group, in the order of the group columns.

    Returns
    -------
    DataFrame
        The columns `groups`, then `n`, `log_sd` and `variance`; the last two are missing where the
        group has fewer than two values or no spread, and the row says so by its `n`.

    Raises
    ------
    DeclarationError
        If a column is lacking.
    TableError
        If `value` is not numeric.

    Examples
    --------
    >>> frame = pd.DataFrame({"firm": ["a", "a", "a", "b"], "quality": [1.0, 3.0, 5.0, 4.0]})
    >>> log_sd_by_group(frame, "quality", groups=["firm"])
      firm  n    log_sd  variance
    0    a  3  0.943147      0.25
    1    b  1       NaN       NaN
    """
    require(frame, groups, where="log_sd_by_group")
    sample = numbers(frame, [value], where="log_sd_by_group")[value]
    by = sample.groupby([frame[g] for g in groups], observed=True, sort=True)
    table = by.agg(n="count", sd="std", least="min", most="max")
    exists = table["most"] > table["least"]
    table["variance"] = (0.5 / (table["n"] - 1)).where(exists)
    table["log_sd"] = np.log(table["sd"].where(exists)) + table["variance"]
    return table[["n", "log_sd", "variance"]].reset_index()
