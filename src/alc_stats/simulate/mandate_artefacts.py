"""Data of mandates and metrics in which a popular conclusion is wrong by construction.

As in `alc_stats.simulate.artefacts`, each function says the closed form of what the popular
analysis finds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.records import FloatArray, IntArray
from alc_stats.simulate.streams import stream


def growing_effects(
    firms: int,
    *,
    seed: int,
    periods: int = 12,
    starts: tuple[int, int] = (4, 9),
    first: float = 0.5,
    growth: float = 1.0,
) -> pd.DataFrame:
    """Every firm comes under a mandate, early or late, and what it does to each grows.

    Two-way fixed effects compare what early firms gain between the starts with all other periods.
    With ``m`` periods between the starts and ``l`` from the late one on their coefficient is
    ``first + growth * ((m - 1) / 2 - m * l / (periods - m))``: at the default values -0.36, where
    every effect is 0.5 or more.

    Parameters
    ----------
    firms : int
        Half of them start early.
    seed : int
    periods : int
    starts : (int, int)
        First period under the mandate, counted from one.
    first, growth : float
        Effect in the period of the start, and what each further period adds. Firms, periods and
        errors have SD one.

    Returns
    -------
    DataFrame (firms * periods, 5)
        Columns firm, period, start, treated (0 or 1), score.

    Examples
    --------
    >>> table = growing_effects(60, seed=1)
    >>> table.groupby("start")["treated"].mean().round(2).tolist()
    [0.75, 0.33]
    """
    rng = stream(seed, "growing_effects")
    start = np.array(starts)[np.arange(firms) % 2]
    since = np.arange(1, periods + 1) - start[:, None]
    effect = np.where(since >= 0, first + growth * since, 0.0)
    score = effect + _levels(firms, periods, rng) + rng.standard_normal((firms, periods))
    return _panel(score, start.astype(float))


def effects_wear_off(
    firms: int,
    *,
    seed: int,
    periods: int = 12,
    starts: tuple[int, int] = (4, 8),
    gain: float = 1.0,
) -> pd.DataFrame:
    """A third of firms never starts; the others gain at first and lose as much later.

    The mean effect on every firm is nil. Two-way fixed effects count what comes soon after the
    start more than what comes late: their coefficient is ``15 / 47 * gain`` at the default values.

    Parameters
    ----------
    firms : int
        In turn early, late and never under a mandate.
    seed : int
    periods : int
    starts : (int, int)
        First period under the mandate, counted from one.
    gain : float
        In the period of the start; falls in equal steps to ``-gain`` in the last period. Firms,
        periods and errors have SD one.

    Returns
    -------
    DataFrame (firms * periods, 5)
        Columns firm, period, start (empty for never), treated (0 or 1), score.

    Examples
    --------
    >>> effects_wear_off(60, seed=1).groupby("start", dropna=False)["firm"].nunique().tolist()
    [20, 20, 20]
    """
    rng = stream(seed, "effects_wear_off")
    start = np.array([*map(float, starts), np.nan])[np.arange(firms) % 3]
    since = np.arange(1, periods + 1) - start[:, None]
    longest = (periods - start)[:, None]
    effect = np.where(since >= 0.0, gain * (1.0 - 2.0 * since / longest), 0.0)
    score = effect + _levels(firms, periods, rng) + rng.standard_normal((firms, periods))
    return _panel(score, start)


def few_starters(
    firms: int, starters: int, *, seed: int, periods: int = 8, persistence: float = 0.8
) -> pd.DataFrame:
    """A few of some firms come under a mandate that does nothing; shocks last.

    Two-way fixed effects with errors by firm and the usual t take the spread of the few from their
    own residuals about their own mean: of ``starters`` changes they see the variance times
    ``1 - 1 / starters``, half of it for two, with as many degrees of freedom less one.

    Parameters
    ----------
    firms, starters : int
        Firms in all, and how many of them start half-way.
    seed : int
    periods : int
    persistence : float
        Correlation of a firm's shocks from one period to the next; they have SD one.

    Returns
    -------
    DataFrame (firms * periods, 5)
        Columns firm, period, start (empty for never), treated (0 or 1), score.

    Examples
    --------
    >>> few_starters(12, 2, seed=1).groupby("firm")["treated"].max().sum()
    np.int64(2)
    """
    rng = stream(seed, "few_starters")
    start = np.where(np.arange(firms) < starters, periods // 2 + 1.0, np.nan)
    shocks = rng.standard_normal((firms, periods))
    for t in range(1, periods):
        shocks[:, t] *= np.sqrt(1.0 - persistence**2)
        shocks[:, t] += persistence * shocks[:, t - 1]
    return _panel(shocks + _levels(firms, periods, rng), start)


def _levels(firms: int, periods: int, rng: np.random.Generator) -> FloatArray:
    """Of firms and of periods, each with SD one."""
    return np.asarray(rng.standard_normal((firms, 1)) + rng.standard_normal((1, periods)))


def _panel(score: FloatArray, start: FloatArray) -> pd.DataFrame:
    firms, periods = score.shape
    table = pd.DataFrame(
        {
            "firm": np.repeat(np.arange(firms), periods),
            "period": np.tile(np.arange(1, periods + 1), firms),
            "start": np.repeat(start, periods),
        }
    )
    table["treated"] = (table["period"] >= table["start"]).astype(int)
    return table.assign(score=score.ravel())


def narrower_use(
    firms: int, *, seed: int, narrowed: float = 0.4, slope: float = 3.0, lost: float = 0.0
) -> pd.DataFrame:
    """Under the mandate everybody uses much the same, and what use is worth has not changed.

    Quality correlates with log use by ``slope / sqrt(slope**2 + 36)``, 0.447; with ``narrowed``
    times the spread of use by 0.196.

    Parameters
    ----------
    firms : int
        Every other one under the mandate; 10 persons each.
    seed : int
    narrowed : float
        SD of log use under the mandate; one everywhere else.
    slope : float
        Points of quality per log unit of use; errors have SD 6.
    lost : float
        Share of the slope that the mandate takes away.

    Returns
    -------
    DataFrame (firms * 200, 6)
        Columns person, firm, mandate (1 throughout where there is ever one), post, tokens, quality;
        10 rows of each person before and 10 after the start.

    Examples
    --------
    >>> table = narrower_use(30, seed=1)
    >>> np.log(table["tokens"]).groupby(table["mandate"] * table["post"]).std().round(1).tolist()
    [1.0, 0.4]
    """
    rng = stream(seed, "narrower_use")
    n = firms * 200
    person, post = np.arange(n) % (firms * 10), np.arange(n) // (n // 2)
    firm = person % firms
    under = (firm % 2) * post == 1
    use = rng.standard_normal(n) * np.where(under, narrowed, 1.0)
    worth = slope * np.where(under, 1.0 - lost, 1.0)
    return pd.DataFrame(
        {
            "person": person,
            "firm": firm,
            "mandate": firm % 2,
            "post": post,
            "tokens": np.exp(use),
            "quality": 50.0 + worth * use + 6.0 * rng.standard_normal(n),
        }
    )


def round_amounts(
    firms: int, *, seed: int, rounded: float = 0.3, topped_up: float = 0.0, rows: int = 250
) -> pd.DataFrame:
    """Quotas are round, and so are many amounts in every firm, under a quota or not.

    A share `rounded` of amounts are whole ten thousands, as is the quota of 60 000, so that a
    sixth of these lies at the quota: a heap of ``rounded * 10 000 / 1 200`` bins of two per cent
    of it, 2.5, that nobody made for its sake.

    Parameters
    ----------
    firms : int
        Every other one under the quota.
    seed : int
    rounded : float
    topped_up : float
        Share of amounts up to a fifth below the quota that are raised to just above it where it
        holds.
    rows : int
        Of each firm.

    Returns
    -------
    DataFrame (firms * rows, 4)
        Columns firm, mandate, quota, tokens.

    Examples
    --------
    >>> table = round_amounts(30, seed=1)
    >>> bool((table["tokens"] == 60_000).groupby(table["mandate"]).mean().min() > 0.03)
    True
    """
    rng = stream(seed, "round_amounts")
    firm = np.repeat(np.arange(firms), rows)
    level = 10.9 + 0.2 * rng.standard_normal(firms)[firm]
    tokens = np.exp(level + 0.4 * rng.standard_normal(firm.size))
    short = (tokens >= 48_000.0) & (tokens < 60_000.0) & (firm % 2 == 1)
    raised = short & (rng.random(firm.size) < topped_up)
    tokens = np.where(rng.random(firm.size) < rounded, np.round(tokens, -4), tokens)
    return pd.DataFrame(
        {
            "firm": firm,
            "mandate": firm % 2,
            "quota": 60_000.0,
            "tokens": np.where(raised, 60_000.0 * (1.0 + 0.02 * rng.random(firm.size)), tokens),
        }
    )


def noisier_use(
    firms: int,
    *,
    seed: int,
    noise: tuple[float, float] = (0.2, 0.4),
    waste: tuple[float, float] = (0.4, 0.4),
    rows: int = 60,
) -> pd.DataFrame:
    """Under the mandate log amounts vary more, both ways, and as much is wasted as elsewhere.

    Waste that a frontier of one noise for all expects of a row rises ever faster with its residual,
    so that a group with wider residuals of the same mean seems more wasteful.

    Parameters
    ----------
    firms : int
        Every other one under the mandate.
    seed : int
    noise, waste : (float, float)
        Without and with the mandate, in log amounts: SD of normal noise, and of the normal
        variable whose absolute value is wasted.
    rows : int
        Of each firm.

    Returns
    -------
    DataFrame (firms * rows, 4)
        Columns firm, mandate, quality, tokens; log tokens are 7 + 0.3 quality, noise and waste.

    Examples
    --------
    >>> table = noisier_use(30, seed=1)
    >>> spread = np.log(table["tokens"]).groupby(table["mandate"]).std()
    >>> bool(spread[1] > spread[0])
    True
    """
    rng = stream(seed, "noisier_use")
    firm: IntArray = np.repeat(np.arange(firms), rows)
    mandate = firm % 2
    quality, own, luck = rng.standard_normal((3, firm.size))
    above = np.abs(own) * np.array(waste)[mandate] + luck * np.array(noise)[mandate]
    return pd.DataFrame(
        {
            "firm": firm,
            "mandate": mandate,
            "quality": quality,
            "tokens": np.exp(7.0 + 0.3 * quality + above),
        }
    )
