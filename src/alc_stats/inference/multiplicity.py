"""p values adjusted for the number of tests in a family."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alc_stats.errors import DeclarationError, Problem
from alc_stats.records import FloatArray


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Holm's (1979) step-down: controls the chance of any false claim in the family.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    remaining = np.arange(p.size, 0, -1)
    return _placed(np.maximum.accumulate(p[order] * remaining), order)


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Benjamini and Hochberg's (1995) step-up: controls the expected share of false claims.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")[::-1]
    ranks = np.arange(p.size, 0, -1)
    return _placed(np.minimum.accumulate(p[order] * p.size / ranks), order)


def _placed(adjusted: FloatArray, order: np.ndarray) -> FloatArray:
    """Back in the order the p values came in, at most 1."""
    out = np.empty_like(adjusted)
    out[order] = np.minimum(adjusted, 1.0)
    return out


def _checked(p_values: npt.ArrayLike) -> FloatArray:
    p = np.atleast_1d(np.asarray(p_values, dtype=float))
    bad = ~((p >= 0.0) & (p <= 1.0))
    if bad.any():
        raise DeclarationError(
            Problem(
                "a family of tests holds values that are not p values",
                found=", ".join(f"{value}" for value in p[bad]),
                way_out="Leave untested hypotheses out of the family.",
            )
        )
    return p
