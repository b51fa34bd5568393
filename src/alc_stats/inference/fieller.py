"""Interval of a ratio of two estimates, by Fieller (1954), which may be no interval at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from alc_stats.errors import DeclarationError, Problem
from alc_stats.records import FloatArray

Shape = Literal["interval", "outside", "everything"]


@dataclass(frozen=True, slots=True)
class RatioInterval:
    """The values of a ratio that are not rejected.

    Attributes
    ----------
    value : float
        Numerator over denominator.
    low, high : float
        Ends of the set, which `shape` says how to read.
    shape : {"interval", "outside", "everything"}
        "interval": from low to high. "outside": everything up to low and from high on, since the
        denominator may be zero. "everything": no value is rejected; low and high are infinite.
    """

    value: float
    low: float
    high: float
    shape: Shape


def fieller(
    numerator: float,
    denominator: float,
    covariance: FloatArray,
    *,
    df: float,
    level: float = 0.95,
) -> RatioInterval:
    """The ratios r for which numerator - r * denominator does not differ from zero.

    A delta-method interval is always finite, also where the denominator may be zero; this one
    says so (Fieller 1954). Exact for normal estimates with an independent variance on `df`.

    Parameters
    ----------
    numerator, denominator : float
    covariance : array (2, 2)
        Of the two.
    df : float
        Of Student's t; inf is the normal.
    level : float

    Raises
    ------
    DeclarationError
        For a level outside (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> r = fieller(2.0, 1.0, np.diag([0.04, 0.01]), df=float("inf"))
    >>> round(r.low, 4), round(r.high, 4), r.shape
    (1.509, 2.6508, 'interval')
    """
    if not 0.0 < level < 1.0:
        raise DeclarationError(
            Problem("the level is not between 0 and 1", where="fieller", found=f"{level:g}")
        )
    square = float(stats.t.ppf(0.5 + level / 2.0, df)) ** 2
    a = denominator**2 - square * float(covariance[1, 1])
    b = numerator * denominator - square * float(covariance[0, 1])
    c = numerator**2 - square * float(covariance[0, 0])
    value = numerator / denominator if denominator else math.nan
    root = b * b - a * c
    if root < 0.0 or a == 0.0:
        return RatioInterval(value, -math.inf, math.inf, "everything")
    ends = sorted(((b - math.sqrt(root)) / a, (b + math.sqrt(root)) / a))
    return RatioInterval(value, ends[0], ends[1], "interval" if a > 0.0 else "outside")
