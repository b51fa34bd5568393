"""Bootstrap of a response surface, and slopes freed of measurement error, from sums of products.

A draw of rows, or of whole groups, only weighs their sums of products, so all draws of a sample are
one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alc_stats.models.response_surface.data import TERMS, SurfaceData
from alc_stats.records import FloatArray

_CHUNK_ENTRIES = 5_000_000
"""Of the matrix of weights that is held at once."""
_SINGULAR = 1e-12
"""Draws whose products have a smaller reciprocal condition number leave a coefficient open."""


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDraws:
    """Coefficients of every draw.

    Attributes
    ----------
    surface : array (draws, 5)
        b1 to b5; nan where the draw leaves them open.
    linear : array (draws, 2)
        b1, b2 of the regression on A and C alone.
    corrected : array (draws, 2) or None
        The same without measurement error; None where no reliabilities are declared.
    observed_corrected : array (2,) or None
        Of the sample itself.
    corrected_surface : array (draws + 1, 5) or None
        b1 to b5 without measurement error, the sample's own first; None without reliabilities, and
        with groups.
    units : str
        What was drawn.
    """

    surface: FloatArray
    linear: FloatArray
    corrected: FloatArray | None
    observed_corrected: FloatArray | None
    corrected_surface: FloatArray | None
    units: str

    def interval(
        self, function: Callable[[FloatArray], float], level: float
    ) -> tuple[float, float]:
        """Percentile limits of a function of b1 to b5."""
        return percentile(np.array([function(b) for b in self.surface]), level)


def percentile(values: FloatArray, level: float) -> tuple[float, float]:
    """Limits (N + 1) q of what the draws gave; nan where half of them gave nothing."""
    known = values[np.isfinite(values)]
    if len(known) < 0.5 * len(values):
        return float("nan"), float("nan")
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail], method="weibull")
    return float(low), float(high)


def surface_draws(data: SurfaceData, *, draws: int, seed: int) -> SurfaceDraws:
    """Draw rows, or groups with all their rows, with replacement, and fit again by least squares.

    With groups the columns are those within them: deviations of the terms from the group's means,
    which a drawn group keeps.
    """
    suffix = "_within" if data.group else ""
    names = [f"{t}{suffix}" for t in TERMS]
    X = np.column_stack([np.ones(len(data.rows)), data.rows[[*names, *data.means]].to_numpy(float)])
    products = _products(X, data.rows["quality"].to_numpy(float), data)
    k = X.shape[1]
    sums = _drawn(products, draws, seed)
    whole = products.sum(axis=0)[None]
    alone = [0, 1, 2, *range(6, k)]
    noise = _error_variances(data, k)
    return SurfaceDraws(
        surface=_solved(sums, k, [*range(k)])[:, 1:6],
        linear=_solved(sums, k, alone)[:, 1:3],
        corrected=None if noise is None else _solved(sums, k, alone, noise)[:, 1:3],
        observed_corrected=None if noise is None else _solved(whole, k, alone, noise)[0, 1:3],
        corrected_surface=_corrected_surface(data, draws, seed),
        units=data.group_name if data.group else "rows",
    )


def _corrected_surface(data: SurfaceData, draws: int, seed: int) -> FloatArray | None:
    """Adjusted least squares (Cheng and Schneeweiss 1998), exact where errors are normal.

    Powers of a predictor are replaced by polynomials in it whose expectation is the power of what
    would have been seen without error. Within groups the terms are differences of powers, for
    which this does not hold.
    """
    noise = _error_variances(data, 3)
    if noise is None or data.group is not None:
        return None
    A, C = (_powers(data.rows[k].to_numpy(float), v) for k, v in zip("AC", noise[1:], strict=True))
    y = data.rows["quality"].to_numpy(float)
    XX = [A[i + k] * C[j + m] for i, j in _POWERS for k, m in _POWERS]
    Xy = [A[i] * C[j] * y for i, j in _POWERS]
    products = np.column_stack([*XX, *Xy])
    sums = np.vstack([products.sum(axis=0), _drawn(products, draws, seed)])
    return _solved(sums, len(_POWERS), [*range(len(_POWERS))])[:, 1:]


_POWERS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
"""Of awareness and capability in the six columns."""


def _powers(x: FloatArray, v: float) -> FloatArray:
    """Powers 0 to 4 (5, n) of what `x` would be without normal error of variance `v`, unbiased."""
    fourth = x**4 - 6.0 * v * x**2 + 3.0 * v**2
    return np.stack([np.ones_like(x), x, x**2 - v, x**3 - 3.0 * v * x, fourth])


def _products(X: FloatArray, y: FloatArray, data: SurfaceData) -> FloatArray:
    """Sums of X'X and X'y (units, k^2 + k) of every row or group."""
    n, k = X.shape
    rows = np.column_stack([np.einsum("ni,nj->nij", X, X).reshape(n, k * k), X * y[:, None]])
    if data.group is None:
        return rows
    level, labels = data.rows["group"].factorize()
    sums = np.zeros((len(labels), rows.shape[1]))
    np.add.at(sums, level, rows)
    return sums


def _drawn(products: FloatArray, draws: int, seed: int) -> FloatArray:
    """The sums of every draw (draws, k^2 + k): units with replacement."""
    units, rng = len(products), np.random.default_rng(seed)
    even, size = np.full(units, 1.0 / units), max(1, _CHUNK_ENTRIES // units)
    parts = [
        rng.multinomial(units, even, size=min(size, draws - first)) @ products
        for first in range(0, draws, size)
    ]
    return np.concatenate(parts)


def _solved(
    sums: FloatArray, k: int, kept: list[int], noise: FloatArray | None = None
) -> FloatArray:
    """Coefficients (draws, len(kept)) of the columns `kept`."""
    XX = sums[:, : k * k].reshape(-1, k, k)
    rows = XX[:, 0, 0]
    if noise is not None:
        XX = XX - rows[:, None, None] * np.diag(noise)
    XX, Xy = XX[:, kept][:, :, kept], sums[:, k * k :][:, kept]
    scale = np.sqrt(np.abs(np.einsum("dii->di", XX)))
    scale = np.where(scale > 0.0, scale, 1.0)
    scaled = XX / scale[:, :, None] / scale[:, None]
    fine = np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR
    found = np.full(Xy.shape, np.nan)
    found[fine] = np.linalg.solve(XX[fine], Xy[fine][:, :, None])[:, :, 0]
    return found


def _error_variances(data: SurfaceData, k: int) -> FloatArray | None:
    """What measurement error adds to the mean squares of A and C; the rest without.

    Error variance is (1 - reliability) times the variance; deviations from means of groups lose the
    share of it that the means keep.
    """
    if data.question.reliability is None:
        return None
    noise = np.zeros(k)
    kept = 1.0 - data.rows["cell"].nunique() / len(data.rows) if data.group else 1.0
    for place, (name, reliable) in enumerate(
        zip(("A", "C"), data.question.reliability, strict=True), start=1
    ):
        noise[place] = kept * (1.0 - reliable) * float(data.rows[name].var(ddof=0))
    return noise
