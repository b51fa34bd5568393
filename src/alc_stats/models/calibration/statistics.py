"""What is measured of self-estimates and scores, in the data and in every null world alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from alc_stats.models.calibration.data import Rated
from alc_stats.records import FloatArray, IntArray

QUARTERS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What stays as it is from draw to draw.

    Attributes
    ----------
    rows : int
    member : array (n, m)
        1.0 where a row is in a cell of arm and time.
    contrast : array (m,)
        Weights of cells: the difference of arms (in differences, with a time before).
    """

    rows: int
    member: FloatArray
    contrast: FloatArray

    def means(self, values: FloatArray) -> FloatArray:
        """Means of the cells (draws, m)."""
        return np.asarray(values @ self.member / self.member.sum(axis=0))

    def within(self, values: FloatArray) -> FloatArray:
        """Values (draws, n) without the means of their cells."""
        return values - self.means(values) @ self.member.T


def layout(data: Rated) -> Layout:
    """The cells of arm and time and what compares them."""
    cell = data.codes("cell")
    member = np.eye(int(cell.max()) + 1)[cell]
    places = data.rows.groupby("cell")[["treated", "post"]].first().to_numpy(dtype=float)
    treated, post = 2.0 * places[:, 0] - 1.0, 2.0 * places[:, 1] - 1.0
    if data.question.treatment is None:
        return Layout(len(cell), member, np.zeros(member.shape[1]))
    return Layout(len(cell), member, treated * post if data.question.post else treated)


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """One number a draw (draws,), quarters apart.

    Attributes
    ----------
    curvature : array
        Coefficient of squared standardised scores, in SDs of self-estimates: what the slope gains
        from one SD below to one SD above the mean is four times it.
    bend : array
        Slope above minus slope below the median score, in the same units.
    spread : array
        Glejser's slope: change of the mean absolute residual with one SD of the score, as a share
        of its mean; nearly the change of the log SD.
    bias : array
        Self-estimate minus score, treated minus control (difference in differences).
    resolution : array
        Slope of self-estimates on scores, likewise.
    quartile_gap : array
        Overestimate of the lowest quarter minus that of the highest, in points.
    own, actual : array (draws, 4)
        Mean self-estimate and mean score of the quarters of the score.
    """

    curvature: FloatArray
    bend: FloatArray
    spread: FloatArray
    bias: FloatArray
    resolution: FloatArray
    quartile_gap: FloatArray
    own: FloatArray
    actual: FloatArray

    def of(self, name: str) -> FloatArray:
        """One of them by its name."""
        return np.asarray(getattr(self, name), dtype=float)

    @staticmethod
    def joined(parts: Sequence[Statistics]) -> Statistics:
        """Draws of several runs in a row."""
        return Statistics(
            **{f.name: np.concatenate([p.of(f.name) for p in parts]) for f in fields(Statistics)}
        )


def statistics(actual: FloatArray, own: FloatArray, plan: Layout) -> Statistics:
    """Every statistic of every draw; both arrays are (draws, n)."""
    z = standardised(actual)
    sd = own.std(axis=1)
    s, z_in, square_in = plan.within(own), plan.within(z), plan.within(z * z)
    curve, residual = _second(s, z_in, square_in)
    above = np.maximum(z - np.median(z, axis=1, keepdims=True), 0.0)
    bend, _ = _second(s, z_in, plan.within(above))
    quarter = quarters(actual)
    own_means, actual_means = _by_quarter(own, quarter), _by_quarter(actual, quarter)
    gap = own_means - actual_means
    return Statistics(
        curve / sd, bend / sd, _glejser(residual, z_in, plan), plan.means(own - actual)
        @ plan.contrast, _slopes(s, plan.within(actual), plan) @ plan.contrast,
        gap[:, 0] - gap[:, -1], own_means, actual_means,
    )  # fmt: skip


def standardised(actual: FloatArray) -> FloatArray:
    """Scores in SDs about their mean, draw by draw."""
    return np.asarray(
        (actual - actual.mean(axis=1, keepdims=True)) / actual.std(axis=1, keepdims=True)
    )


def _second(y: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficient of b in y on a and b, all centred within cells, and the residuals."""
    aa, ab, bb = _dot(a, a), _dot(a, b), _dot(b, b)
    ay, by = _dot(a, y), _dot(b, y)
    determinant = aa * bb - ab**2
    with np.errstate(divide="ignore", invalid="ignore"):
        of_b = (aa * by - ab * ay) / determinant
        of_a = (bb * ay - ab * by) / determinant
    return of_b, y - of_a[:, None] * a - of_b[:, None] * b


def _dot(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.einsum("dn,dn->d", a, b))


def _glejser(residual: FloatArray, z: FloatArray, plan: Layout) -> FloatArray:
    size = np.abs(residual)
    return np.asarray(_dot(plan.within(size), z) / _dot(z, z) / size.mean(axis=1))


def _slopes(s: FloatArray, x: FloatArray, plan: Layout) -> FloatArray:
    """Slope of every cell (draws, m); both are centred within cells."""
    return np.asarray((s * x) @ plan.member / ((x * x) @ plan.member))


def quarters(actual: FloatArray) -> IntArray:
    """Quarter of the score 0 to 3 (draws, n); equal scores stay together."""
    edges = np.quantile(actual, [0.25, 0.5, 0.75], axis=1)
    return np.asarray(sum((actual > edge[:, None]).astype(np.int64) for edge in edges))


def _by_quarter(values: FloatArray, quarter: IntArray) -> FloatArray:
    """Means (draws, 4); NaN for a quarter that ties leave empty."""
    with np.errstate(invalid="ignore"):
        return np.stack(
            [
                np.sum(values, axis=1, where=quarter == q) / np.sum(quarter == q, axis=1)
                for q in range(QUARTERS)
            ],
            axis=1,
        )
