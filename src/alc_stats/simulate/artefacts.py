"""Data in which a popular conclusion is wrong by construction, to test the tools against.

Each function says the closed form of what the popular analysis finds. `benchmarks/artefacts.py`
puts that analysis beside the package's own, claim by claim.
"""

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


def capability_alone(
    n: int, *, seed: int, correlation: float = 0.4, effect: float = 0.5
) -> pd.DataFrame:
    """Quality that depends on capability and on nothing else, beside an awareness score.

    The slope of quality on (awareness - capability) is ``-effect / 2`` whatever the correlation:
    "the gap hurts", though awareness has no part in it.

    Parameters
    ----------
    n : int
        Persons.
    seed : int
    correlation : float
        Of awareness and capability, both with SD one.
    effect : float
        Of capability on quality, whose error has SD one.

    Returns
    -------
    DataFrame (n, 3)
        Columns awareness, capability, quality.

    Examples
    --------
    >>> table = capability_alone(2000, seed=1)
    >>> gap = table["awareness"] - table["capability"]
    >>> bool(table["quality"].corr(gap) < -0.1)
    True
    """
    capability, own, error = stream(seed, "capability_alone").standard_normal((3, n))
    awareness = correlation * capability + np.sqrt(1.0 - correlation**2) * own
    return pd.DataFrame(
        {
            "awareness": awareness,
            "capability": capability,
            "quality": effect * capability + error,
        }
    )


def better_than_average(
    n: int,
    *,
    seed: int,
    reliability: float = 0.7,
    insight: float = 0.3,
    optimism: float = 0.5,
) -> pd.DataFrame:
    """Everybody errs alike, and the least able seem to overrate themselves most.

    A test sees skill with error, people see their own skill with error of the same size at every
    level, and all add the same optimism. Self minus score falls with the score, by
    ``1 - insight * reliability``, and no group knows itself worse than another.

    Parameters
    ----------
    n : int
        Persons.
    seed : int
    reliability : float
        Of the test; its score has SD one.
    insight : float
        Slope of the self-estimate on true skill; the self-estimate has SD one as well.
    optimism : float
        What everybody adds, in SD of the score.

    Returns
    -------
    DataFrame (n, 2)
        Columns self_estimate, actual.

    Examples
    --------
    >>> table = better_than_average(2000, seed=1)
    >>> overrated = table["self_estimate"] - table["actual"]
    >>> low = table["actual"] < table["actual"].quantile(0.25)
    >>> bool(overrated[low].mean() > overrated[~low].mean() + 1.0)
    True
    """
    skill, luck, blur = stream(seed, "better_than_average").standard_normal((3, n))
    true = np.sqrt(reliability) * skill
    seen = insight * true
    return pd.DataFrame(
        {
            "self_estimate": optimism + seen + np.sqrt(1.0 - insight**2 * reliability) * blur,
            "actual": true + np.sqrt(1.0 - reliability) * luck,
        }
    )


def unequal_reliability(
    n: int,
    *,
    seed: int,
    correlation: float = 0.6,
    reliabilities: tuple[float, float] = (0.9, 0.5),
    items: int = 4,
) -> pd.DataFrame:
    """Two groups in whom awareness and capability go together alike, measured unequally well.

    The observed correlations are ``correlation * reliability`` of the group: a "decoupling" that
    is all error of measurement.

    Parameters
    ----------
    n : int
        Persons in each group.
    seed : int
    correlation : float
        Of the true scores in both groups.
    reliabilities : (float, float)
        Of both scales in the groups control and mandate (alpha of the items' mean).
    items : int
        Of each scale, equally good; their true score has SD one.

    Returns
    -------
    DataFrame (2n, 1 + 2 * items)
        Columns arm, aware_1, ..., capable_1, ...

    Examples
    --------
    >>> table = unequal_reliability(4000, seed=1)
    >>> means = {a: t.filter(like="aware").mean(axis=1).corr(t.filter(like="capable").mean(axis=1))
    ...          for a, t in table.groupby("arm")}
    >>> bool(means["mandate"] < means["control"] - 0.15)
    True
    """
    rng = stream(seed, "unequal_reliability")
    columns: dict[str, object] = {"arm": np.repeat(["control", "mandate"], n)}
    alpha = np.repeat(reliabilities, n)
    error_sd = np.sqrt(items * (1.0 - alpha) / alpha)
    aware, own = rng.standard_normal((2, 2 * n))
    capable = correlation * aware + np.sqrt(1.0 - correlation**2) * own
    for name, true in (("aware", aware), ("capable", capable)):
        errors = error_sd[:, None] * rng.standard_normal((2 * n, items))
        columns |= {f"{name}_{k + 1}": true + errors[:, k] for k in range(items)}
    return pd.DataFrame(columns)


def few_firms(
    firms: int, persons: int, *, seed: int, firm_share: float = 0.2, waves: int = 1
) -> pd.DataFrame:
    """Half of a few firms under a mandate that does nothing; firms and persons differ.

    An analysis that takes rows for independent sees an effect of the mandate far too often. From
    one wave to the next the low gain and the high lose: within firms, the slope of a person's
    change on the first score is -1/2, though nothing changes.

    Parameters
    ----------
    firms, persons : int
        Firms in all; persons in each.
    seed : int
    firm_share : float
        Of the variance, which is one, that lies between firms.
    waves : int
        Rows a person; half of the variance within firms is a person's own.

    Returns
    -------
    DataFrame (firms * persons * waves, 5)
        Columns firm, person, wave, mandate, score.

    Examples
    --------
    >>> few_firms(6, 10, seed=1).groupby("mandate")["firm"].nunique().tolist()
    [3, 3]
    """
    rng = stream(seed, "few_firms")
    firm = np.repeat(np.arange(firms), persons)
    people = firm.size
    level = np.sqrt(firm_share) * rng.standard_normal(firms)[firm]
    own = np.sqrt((1.0 - firm_share) / 2.0) * rng.standard_normal((1 + waves, people))
    rows = [
        pd.DataFrame(
            {
                "firm": firm,
                "person": np.arange(people),
                "wave": wave,
                "mandate": (firm % 2).astype(float),
                "score": level + own[0] + own[1 + wave],
            }
        )
        for wave in range(waves)
    ]
    return pd.concat(rows, ignore_index=True)


def tasks_differ(persons: int, tasks: int, *, seed: int, task_sd: float = 0.5) -> pd.DataFrame:
    """Everyone works on all of a few tasks, half of them called far, which is no harder of itself.

    Tasks differ in difficulty, so any two sets of few tasks differ; an analysis that takes the
    tasks for all there are calls that difference novelty.

    Parameters
    ----------
    persons, tasks : int
    seed : int
    task_sd : float
        Of difficulties; persons have SD 0.7 and errors SD one.

    Returns
    -------
    DataFrame (persons * tasks, 5)
        Columns person, task, novelty ("familiar" or "far"), far (0 or 1), score.

    Examples
    --------
    >>> tasks_differ(20, 6, seed=1).groupby("novelty")["task"].nunique().tolist()
    [3, 3]
    """
    rng = stream(seed, "tasks_differ")
    difficulty = task_sd * rng.standard_normal(tasks)
    ability = 0.7 * rng.standard_normal(persons)
    far = (np.arange(tasks) % 2).astype(float)
    score = ability[:, None] - difficulty + rng.standard_normal((persons, tasks))
    return pd.DataFrame(
        {
            "person": np.repeat(np.arange(persons), tasks),
            "task": np.tile(np.arange(tasks), persons),
            "novelty": np.tile(np.where(far > 0, "far", "familiar"), persons),
            "far": np.tile(far, persons),
            "score": score.ravel(),
        }
    )


def saturating_use(n: int, *, seed: int, gain: float = 1.0, error_sd: float = 1.0) -> pd.DataFrame:
    """Quality that rises with the log of use and never falls.

    A parabola fits it with a significant downward bend and turns down among the heaviest users.

    Parameters
    ----------
    n : int
        Persons.
    seed : int
    gain : float
        Quality per log unit of use, in error SDs of one by default.
    error_sd : float

    Returns
    -------
    DataFrame (n, 3)
        Columns person, usage (positive, up to about 20), quality.

    Examples
    --------
    >>> table = saturating_use(1000, seed=1)
    >>> bool(np.polyfit(table["usage"], table["quality"], 2)[0] < 0.0)
    True
    """
    rng = stream(seed, "saturating_use")
    usage = 0.2 + 19.8 * rng.random(n)
    quality = gain * np.log(usage) + error_sd * rng.standard_normal(n)
    return pd.DataFrame({"person": np.arange(n), "usage": usage, "quality": quality})


def mediated_within_only(
    firms: int, persons: int, *, seed: int, effect: float = 0.5
) -> pd.DataFrame:
    """A mandate raises a belief; the belief goes with lower scores within firms, not across them.

    What a firm's mandate does to the firm's scores through the belief is nil; the product of the
    first path with the slope of persons is ``-0.6 * effect``.

    Parameters
    ----------
    firms, persons : int
        Firms, every other one under the mandate; persons in each.
    seed : int
    effect : float
        Fall of the score per unit of a person's belief beyond that of the firm.

    Returns
    -------
    DataFrame (firms * persons, 5)
        Columns firm, person, mandate, belief, score.

    Examples
    --------
    >>> table = mediated_within_only(40, 20, seed=1)
    >>> bool(table["score"].corr(table["belief"]) < 0.0)
    True
    """
    rng = stream(seed, "mediated_within_only")
    firm = np.repeat(np.arange(firms), persons)
    mandate = (firm % 2).astype(float)
    own, error = rng.standard_normal((2, firm.size))
    of_belief, of_score = 0.3 * rng.standard_normal((2, firms))
    return pd.DataFrame(
        {
            "firm": firm,
            "person": np.arange(firm.size),
            "mandate": mandate,
            "belief": 0.6 * mandate + of_belief[firm] + own,
            "score": of_score[firm] - effect * own + error,
        }
    )
