"""Two-way fixed effects and the weights that it gives to the effects it averages.

De Chaisemartin and D'Haultfoeuille (2020), American Economic Review 110, 2964-2996: the
coefficient is a weighted sum of the treated cells' effects, and some weights are negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.records import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class TwoWay:
    """The coefficient and what is wrong with it.

    Attributes
    ----------
    value, se, df : float
        Clustered; clusters less one.
    negative_share : float
        Of treated cells, those whose effect counts with the wrong sign.
    negative_weight : float
        Sum of the negative weights (all weights sum to one); at most 0.
    """

    value: float
    se: float
    df: float
    negative_share: float
    negative_weight: float


def two_way(outcomes: FloatArray, adoption: IntArray, clusters: IntArray) -> TwoWay:
    """Least squares with effects of units and periods on a panel (n, T); gaps are nan.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, 1.0], [3.0, 4.0]])
    >>> two_way(y, np.array([1, 1, 9, 9]), np.arange(4)).value
    1.0
    """
    treated = (np.arange(outcomes.shape[1])[None, :] >= adoption[:, None]).astype(float)
    seen = np.isfinite(outcomes)
    own = _demeaned(treated, seen)
    y = _demeaned(outcomes, seen)
    treated = np.where(seen, treated, 0.0)
    size = float(np.sum(own**2))
    value = float(np.sum(own * y) / size)
    scores = np.zeros(int(clusters.max()) + 1)
    np.add.at(scores, clusters, np.sum(own * (y - value * own), axis=1))
    c = len(scores)
    se = float(np.sqrt(np.sum(scores**2) * c / (c - 1)) / size)
    weights = own[treated == 1.0] / own[treated == 1.0].sum()
    below = weights < -1e-12
    return TwoWay(value, se, c - 1.0, float(below.mean()), float(weights[below].sum()))


def _demeaned(a: FloatArray, seen: BoolArray) -> FloatArray:
    """What effects of units and periods leave of the cells seen; 0 elsewhere."""
    if seen.all():
        centred: FloatArray = (
            a - a.mean(axis=1, keepdims=True) - a.mean(axis=0, keepdims=True) + a.mean()
        )
        return centred
    periods = np.broadcast_to(np.eye(a.shape[1]), (*a.shape, a.shape[1]))
    cells = _less_units(np.concatenate([np.where(seen, a, 0.0)[:, :, None], periods], axis=2), seen)
    y, D = cells[:, 0], cells[:, 1:]
    left = np.zeros_like(a)
    left[seen] = y - D @ np.linalg.lstsq(D, y)[0]
    return left


def _less_units(values: FloatArray, seen: BoolArray) -> FloatArray:
    """Values (n, T, k) less the mean of their unit, of the cells seen (N, k)."""
    held = np.where(seen[:, :, None], values, 0.0)
    mean = held.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)[:, None]
    return np.asarray((held - mean[:, None, :])[seen])
