"""Counting correct digits: the log relative error of McCullough (1998)."""

from __future__ import annotations

import math
from fractions import Fraction

MOST = 15.0
"""float64 holds no more."""


def lre(value: float | Fraction, certified: float | str | Fraction) -> float:
    """-log10 of the relative error, between 0 and 15; of the error itself where zero is certified.

    >>> lre(1.001, "1"), lre(2.0, 2.0)
    (3.0, 15.0)
    """
    if isinstance(value, float) and not math.isfinite(value):
        return 0.0
    right = Fraction(certified)
    error = abs(Fraction(value) - right)
    if error == 0:
        return MOST
    return round(min(MOST, max(0.0, -math.log10(error / abs(right) if right else error))), 1)


def printed_digits(text: str) -> int:
    """Significant digits a source prints.

    >>> printed_digits("0.0120"), printed_digits("1764.0375195"), printed_digits("2e-05")
    (3, 11, 1)
    """
    mantissa = text.lower().split("e")[0].lstrip("+-")
    return len(mantissa.replace(".", "").lstrip("0")) or 1
