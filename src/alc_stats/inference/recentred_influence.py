"""Recentred influence functions: the columns whose regression is about a distribution's shape.

The mean of a recentred influence function is the statistic itself, so that its least-squares
coefficient on a treatment is the treatment's effect on that statistic, to first order (Firpo,
Fortin and Lemieux, 2009).
"""

from __future__ import annotations

import numpy as np

from alc_stats.records import FloatArray


def rif_variance(values: FloatArray) -> FloatArray:
    """(y - mean)^2, whose mean is the variance (divisor n).

    Examples
    --------
    >>> rif_variance(np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 0.0, 1.0]
    """
    return np.asarray((values - values.mean()) ** 2)


def rif_quantile(values: FloatArray, share: float) -> FloatArray:
    """Q + (share - 1{y <= q}) / f(q), the density by a Gaussian kernel (Silverman's bandwidth).

    Parameters
    ----------
    values : array (n,)
    share : float
        Of the values below the quantile, in (0, 1).

    References
    ----------
    Firpo, S., Fortin, N. M., & Lemieux, T. (2009). Unconditional quantile regressions.
    Econometrica, 77, 953-973.

    Examples
    --------
    >>> y = np.linspace(0.0, 1.0, 1001)
    >>> bool(abs(rif_quantile(y, 0.25).mean() - 0.25) < 0.005)
    True
    """
    q = float(np.quantile(values, share))
    quartiles = np.quantile(values, [0.25, 0.75])
    spread = min(float(values.std(ddof=1)), float(quartiles[1] - quartiles[0]) / 1.349)
    width = 0.9 * spread * values.size**-0.2
    z = (values - q) / width
    density = float(np.mean(np.exp(-0.5 * z * z))) / (width * np.sqrt(2.0 * np.pi))
    return np.asarray(q + (share - (values <= q)) / density)
