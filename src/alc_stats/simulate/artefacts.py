"""Data in which a popular conclusion is wrong by construction, to test the tools against."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.simulate.streams import stream


def ceiling_only(
    n: int,
    *,
    seed: int,
    means: tuple[float, float] = (85.0, 70.0),
    latent_sd: float = 15.0,
    bounds: tuple[float, float] = (0.0, 100.0),
) -> pd.DataFrame:
    """Two groups with the same latent spread, one of them pushed against a bound.

    At the default values the observed variances are 169.0 and 216.0: a variance ratio of 1.28
    with no widening at all.

    Parameters
    ----------
    n : int
        Persons in each group.
    seed : int
    means : tuple of float
        Latent means of the groups "control" and "mandate".
    latent_sd : float
        Latent standard deviation of both groups.
    bounds : tuple of float
        Scores beyond them are recorded as the bound.

    Returns
    -------
    DataFrame (2n, 3)
        Columns arm, latent, score.

    Examples
    --------
    >>> observed = ceiling_only(1000, seed=1).groupby("arm")[["latent", "score"]].var()
    >>> bool(observed["score"]["mandate"] > 1.1 * observed["score"]["control"])
    True
    """
    draws = stream(seed, "ceiling_only").standard_normal((2, n))
    latent = (np.array(means)[:, None] + latent_sd * draws).ravel()
    return pd.DataFrame(
        {
            "arm": np.repeat(["control", "mandate"], n),
            "latent": latent,
            "score": np.clip(latent, *bounds),
        }
    )


def difference_score_null(
    n: int, *, seed: int, correlation: float = 0.0, self_sd: float = 1.0
) -> pd.DataFrame:
    """Self-estimates and scores whose difference falls with the score by arithmetic alone.

    The slope of (self - actual) on actual is ``correlation * self_sd - 1``: negative unless
    people see themselves without error, whatever anybody believes.

    Parameters
    ----------
    n : int
        Persons.
    seed : int
    correlation : float
        Correlation of self-estimate and score.
    self_sd : float
        Standard deviation of the self-estimate; that of the score is one.

    Returns
    -------
    DataFrame (n, 3)
        Columns self_estimate, actual, gap (their difference).

    Examples
    --------
    >>> table = difference_score_null(1000, seed=1)
    >>> bool(table["gap"].corr(table["actual"]) < -0.5)
    True
    """
    actual, own = stream(seed, "difference_score_null").standard_normal((2, n))
    self_estimate = self_sd * (correlation * actual + np.sqrt(1.0 - correlation**2) * own)
    return pd.DataFrame(
        {"self_estimate": self_estimate, "actual": actual, "gap": self_estimate - actual}
    )
