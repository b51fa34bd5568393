"""The family of surfaces between a constant and a full polynomial, compared by AICc.

Every member is the full polynomial with its coefficients held to a subspace, so one factorisation
of the columns serves them all. Two members may be turned by an angle, over which is searched.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from alc_stats.records import FloatArray

_ANGLES = 180
_ORDER = 10
"""Columns of the third-order polynomial, of which the first six are the surface."""


@dataclass(frozen=True, slots=True)
class Member:
    """One surface of the family.

    Attributes
    ----------
    name, shape : str
        Its usual name, and what it says.
    parameters : int
        Coefficients with the constant, and the residual variance.
    rss : float
    loglik : float
        Of independent normal errors.
    aicc : float
        With the number of all parameters (Burnham and Anderson 2002).
    r_squared : float
    """

    name: str
    shape: str
    parameters: int
    rss: float
    loglik: float
    aicc: float
    r_squared: float


Space = FloatArray | Callable[[float], FloatArray]
"""What coefficients may be: combinations of the columns (10, m), perhaps turned by an angle."""


def family(A: FloatArray, C: FloatArray, y: FloatArray) -> tuple[Member, ...]:
    """All members fitted to rows (n,) by least squares; A and C from one common point.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> A, C = rng.normal(size=(2, 200))
    >>> found = family(A, C, -((A - C) ** 2) + rng.normal(size=200))
    >>> min(found, key=lambda m: m.aicc).name
    'SQD'
    """
    scale = math.sqrt(float(np.mean(A**2 + C**2) / 2.0))
    table = np.column_stack([_columns(A / scale, C / scale), y])
    R: FloatArray = np.asarray(np.linalg.qr(table, mode="r"))
    n, total = len(y), float(np.sum((y - y.mean()) ** 2))
    return tuple(
        _member(name, shape, _least(R, space), size, n, total)
        for name, shape, size, space in _FAMILY
    )


def _columns(A: FloatArray, C: FloatArray) -> FloatArray:
    second = (np.ones_like(A), A, C, A**2, A * C, C**2)
    return np.column_stack([*second, A**3, A**2 * C, A * C**2, C**3])


def _member(name: str, shape: str, rss: float, size: int, n: int, total: float) -> Member:
    k = size + 1
    loglik = -0.5 * n * (math.log(2.0 * math.pi * rss / n) + 1.0)
    aicc = -2.0 * loglik + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0)
    r_squared = 1.0 - rss / total if size > 1 else 0.0  # a constant explains nothing, not rounding
    return Member(name, shape, k, rss, loglik, aicc, r_squared)


def _least(R: FloatArray, space: Space) -> float:
    """The smallest residual sum of squares, over the angle where there is one."""
    if not callable(space):
        return _rss(R, space)
    turn = space

    def rss(angle: float) -> float:
        return _rss(R, turn(angle))

    step = math.pi / _ANGLES
    best = step * int(np.argmin([rss(step * i) for i in range(_ANGLES)]))
    found = optimize.minimize_scalar(
        rss, bounds=(best - step, best + step), method="bounded", options={"xatol": 1e-10}
    )
    return float(found.fun)


def _rss(R: FloatArray, space: FloatArray) -> float:
    columns, target = R[:, :_ORDER] @ space, R[:, _ORDER]
    solution = np.linalg.lstsq(columns, target, rcond=None)[0]
    return float(np.sum((target - columns @ solution) ** 2))


def _span(*columns: dict[int, float]) -> FloatArray:
    """Columns (10, m) of a subspace: the constant, and one for every mapping of place to weight."""
    T = np.zeros((_ORDER, len(columns) + 1))
    T[0, 0] = 1.0
    for j, column in enumerate(columns, start=1):
        for place, weight in column.items():
            T[place, j] = weight
    return T


def _line(angle: float) -> dict[int, float]:
    return {1: math.cos(angle), 2: math.sin(angle)}


def _parabola(angle: float) -> dict[int, float]:
    """The square of cos A + sin C."""
    c, s = math.cos(angle), math.sin(angle)
    return {3: c * c, 4: 2.0 * c * s, 5: s * s}


_GAP = {3: 1.0, 4: -2.0, 5: 1.0}
_EACH = ({1: 1.0}, {2: 1.0})
_FAMILY: tuple[tuple[str, str, int, Space], ...] = (
    ("null", "a constant", 1, _span()),
    ("awareness only", "a slope of awareness", 2, _span(_EACH[0])),
    ("capability only", "a slope of capability", 2, _span(_EACH[1])),
    ("additive", "two slopes", 3, _span(*_EACH)),
    ("IA", "two slopes and their product", 4, _span(*_EACH, {4: 1.0})),
    ("difference", "the gap as a difference score: two equal and opposite slopes", 2,
     _span({1: 1.0, 2: -1.0})),
    ("SQD", "the squared gap", 2, _span(_GAP)),
    ("SSQD", "the squared gap, its ridge shifted", 3, _span({1: 1.0, 2: -1.0}, _GAP)),
    ("SRSQD", "the same, its ridge shifted and turned", 4,
     lambda angle: _span(_line(angle), _parabola(angle))),
    ("RR", "the squared gap on a rising ridge", 3, _span({1: 1.0, 2: 1.0}, _GAP)),
    ("SRR", "the same, its ridge shifted", 4, _span(*_EACH, _GAP)),
    ("SRRR", "the same, its ridge shifted and turned", 5,
     lambda angle: _span(*_EACH, _parabola(angle))),
    ("full", "the surface", 6, _span(*({i: 1.0} for i in range(1, 6)))),
    ("cubic", "all terms of the third order", 10, _span(*({i: 1.0} for i in range(1, 10)))),
)  # fmt: skip
"""Name, shape, coefficients, space."""
