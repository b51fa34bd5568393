"""Two-way fixed effects and the weights that it gives to the effects it averages.

De Chaisemartin and D'Haultfoeuille (2020), American Economic Review 110, 2964-2996: the
coefficient is a weighted sum of the treated cells' effects, and some weights are negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alc_stats.records import FloatArray, IntArray


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
    """Least squares with effects of units and periods on a panel (n, T) without gaps.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, 1.0], [3.0, 4.0]])
    >>> two_way(y, np.array([1, 1, 9, 9]), np.arange(4)).value
    1.0
    """
    treated = (np.arange(outcomes.shape[1])[None, :] >= adoption[:, None]).astype(float)
    own = _demeaned(treated)
    y = _demeaned(outcomes)
    size = float(np.sum(own**2))
    value = float(np.sum(own * y) / size)
    scores = np.zeros(int(clusters.max()) + 1)
    np.add.at(scores, clusters, np.sum(own * (y - value * own), axis=1))
    c = len(scores)
    se = float(np.sqrt(np.sum(scores**2) * c / (c - 1)) / size)
    weights = own[treated == 1.0] / own[treated == 1.0].sum()
    below = weights < -1e-12
    return TwoWay(value, se, c - 1.0, float(below.mean()), float(weights[below].sum()))


def _demeaned(a: FloatArray) -> FloatArray:
    centred: FloatArray = (
        a - a.mean(axis=1, keepdims=True) - a.mean(axis=0, keepdims=True) + a.mean()
    )
    return centred
