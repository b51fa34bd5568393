"""How awareness and capability go together among the people of a firm, free of error.

Everything is a function of sums over persons, cluster by cluster, so that leaving out or drawing
clusters costs nothing. Two ways to be free of error: products of *different* occasions of one
person, in which neither errors nor what both share on one occasion appear; or person averages whose
variances are multiplied by their reliability.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.cluster_bootstrap import weighted_cluster_bootstrap
from alc_stats.measures.scales import reliability
from alc_stats.models.gap.data import GapData, Level
from alc_stats.models.gap.fits import PAIR
from alc_stats.records import BoolArray, FloatArray

Way = Literal["occasions", "reliability", "uncorrected"]
_SUMS = ("aa", "cc", "ac", "items_a", "error_a", "items_c", "error_c", "people")
_NO_ERRORS = dict.fromkeys(("items_a", "error_a", "items_c", "error_c"), 0.0)
FEWEST_PERSONS = 10
"""In a group, for a correlation at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What each cluster brings.

    Attributes
    ----------
    values : array (2, clusters, 8)
        Control, then treated: squares and products of awareness and capability; squares of the
        item means and of their errors, for reliabilities; persons.
    persons : tuple of int
        Control, then treated.
    whole : bool
        Whether each cluster is in one group.
    known : tuple of (float or None)
        Declared reliabilities of awareness and capability.
    omega : array (2, 2)
        What to multiply alpha by for omega: awareness and capability, by group.
    way : {"occasions", "reliability", "uncorrected"}
    """

    values: FloatArray
    persons: tuple[int, int]
    whole: bool
    known: tuple[float | None, float | None]
    omega: FloatArray
    way: Way

    @property
    def treated(self) -> BoolArray:
        """Clusters with people in the treated group."""
        return np.asarray(np.abs(self.values[1]).sum(axis=1) > 0.0)

    @property
    def clusters(self) -> tuple[int, int]:
        """Control, then treated."""
        there = np.abs(self.values).sum(axis=2) > 0.0
        return int(there[0].sum()), int(there[1].sum())

    def moments(self, counts: FloatArray | None = None) -> Moments:
        """Moments of both groups, with each cluster as often as `counts` (draws, clusters) say."""
        weights = np.ones((1, self.values.shape[1])) if counts is None else counts
        total = np.einsum("dk,gks->gds", weights, self.values)
        with np.errstate(divide="ignore", invalid="ignore"):
            rel = [1.0 - total[..., i + 1] / total[..., i] for i in (3, 5)]
        share = [
            np.ones_like(total[..., 0]) if self.way != "reliability"
            else np.full_like(r, known) if known is not None else r * omega[:, None]
            for r, known, omega in zip(rel, self.known, self.omega, strict=True)
        ]  # fmt: skip
        people = total[..., 7]
        return Moments(
            total[..., 0] / people * share[0], total[..., 1] / people * share[1],
            total[..., 2] / people, *share,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Error-free variances and covariances, arrays (2, draws): control, then treated."""

    aa: FloatArray
    cc: FloatArray
    ac: FloatArray
    reliability_a: FloatArray
    reliability_c: FloatArray

    @property
    def r(self) -> FloatArray:
        """Correlations; beyond 1 where the correction fails, never cut off."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.ac / np.sqrt(self.aa * self.cc))

    @property
    def slope(self) -> FloatArray:
        """Capability on awareness, in true-score SDs of the control group."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.ac / self.aa * np.sqrt(self.aa[0] / self.cc[0]))

    @property
    def z(self) -> FloatArray:
        """Fisher's z of the correlations; nan beyond 1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.arctanh(np.where(np.abs(self.r) < 1.0, self.r, np.nan))

    def log_sd_ratio(self, outcome: Level) -> FloatArray:
        """Log SD of true scores, treated minus control (draws,)."""
        of = self.aa if outcome == "awareness" else self.cc
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(0.5 * np.log(of[1] / of[0]))


Statistic = Callable[[Moments], FloatArray]
"""From moments to one number a draw."""


def way_of(data: GapData, known: tuple[float | None, float | None], *, uncorrected: bool) -> Way:
    """Reliabilities where both have one, else occasions where persons have several.

    Raises
    ------
    FitError
        Where there is neither, unless uncorrected numbers are asked for.
    """
    if all(k is not None or data.question.items(o) for o, k in zip(PAIR, known, strict=True)):
        return "reliability"
    if uncorrected:
        return "uncorrected"
    after = data.rows.loc[data.rows["post"] == data.rows["post"].max(), "person"]
    if after.duplicated().any():
        return "occasions"
    raise FitError(
        Problem(
            "error of measurement cannot be told from weak coupling",
            where="decoupling",
            found="no items, no declared reliability, one occasion a person",
            allowed="items or a reliability of both, or several occasions a person",
            way_out="Give them, or ask for uncorrected=True, which says so.",
        )
    )


def coupling_sums(
    data: GapData, post: float, known: tuple[float | None, float | None], way: Way
) -> Sums:
    """Sums over persons within firms (arms, without firms) and waves, in one period.

    Raises
    ------
    FitError
        If a group has fewer than 10 persons to compare.
    """
    rows = data.rows.loc[data.rows["post"] == post]
    rows = rows.loc[rows[[*PAIR]].notna().all(axis=1)].reset_index(drop=True)
    by = ["firm", "treated", "wave"] if data.question.firm else ["treated", "wave"]
    persons = _persons(_centred(rows, data, by), data, way)
    omega = _omega(rows, data, by) if way == "reliability" else np.ones((2, 2))
    return _summed(persons, data, known, omega, way)


def change_sums(data: GapData) -> Sums:
    """Sums of persons' changes from before the start to after it, as measured."""
    rows = data.rows.loc[data.rows[[*PAIR]].notna().all(axis=1)].reset_index(drop=True)
    by = ["firm", "treated", "wave"] if data.question.firm else ["treated", "wave"]
    keys = ["person", "treated", "firm"]
    means = _centred(rows, data, by).groupby([*keys, "post"])[[*PAIR]].mean().reset_index()
    before, after = (means.loc[means["post"] == p].set_index(keys)[[*PAIR]] for p in (0.0, 1.0))
    changes = (after - before).dropna().reset_index()
    return _summed(
        _persons(changes, data, "uncorrected"), data, (None, None), np.ones((2, 2)), "uncorrected"
    )


def _summed(
    persons: pd.DataFrame,
    data: GapData,
    known: tuple[float | None, float | None],
    omega: FloatArray,
    way: Way,
) -> Sums:
    control, treated = (int((persons["treated"] == g).sum()) for g in (0.0, 1.0))
    if min(control, treated) < FEWEST_PERSONS:
        raise FitError(
            Problem(
                "a group has too few persons to correlate anything",
                where="decoupling",
                found=str(min(control, treated)),
                allowed=f"{FEWEST_PERSONS} or more",
            )
        )
    clusters = persons["cluster"].unique()
    values = np.stack([
        persons.loc[persons["treated"] == g].groupby("cluster")[[*_SUMS]].sum()
        .reindex(clusters, fill_value=0.0).to_numpy(float)
        for g in (0.0, 1.0)
    ])  # fmt: skip
    return Sums(values, (control, treated), data.assigned_whole, known, omega, way)


def _omega(rows: pd.DataFrame, data: GapData, by: list[str]) -> FloatArray:
    """Omega over alpha of persons' averages, by outcome and group; 1 where there is no omega."""
    persons = _centred(rows, data, by).groupby("person")
    found = np.ones((2, 2))
    for i, outcome in enumerate(PAIR):
        items = [*data.question.items(outcome)]
        for group in (0, 1) if items else ():
            own = persons[items].mean()[(persons["treated"].first() == group).to_numpy()]
            scale = reliability(own, items, range=(-math.inf, math.inf))
            found[i, group] = (scale.omega or scale.alpha) / scale.alpha
    return found


def _centred(rows: pd.DataFrame, data: GapData, by: list[str]) -> pd.DataFrame:
    items = [*data.question.awareness_items, *data.question.capability_items]
    columns = [*PAIR, *items]
    return rows.assign(**{c: rows[c] - rows.groupby(by)[c].transform("mean") for c in columns})


def _persons(rows: pd.DataFrame, data: GapData, way: Way) -> pd.DataFrame:
    """One row a person with squares and products; with occasions, of different ones only."""
    keys = (
        ["person", "treated", data.cluster] if data.cluster != "person" else ["person", "treated"]
    )
    a, c = rows["awareness"], rows["capability"]
    parts = rows[keys].assign(a=a, c=c, aa=a * a, cc=c * c, ac=a * c, n=1.0)
    sums = parts.groupby(keys, as_index=False).sum()
    n = sums["n"]
    pairs = n * (n - 1.0) if way == "occasions" else n * n
    own = sums[["aa", "cc", "ac"]] if way == "occasions" else 0.0 * sums[["aa", "cc", "ac"]]
    made: dict[str, pd.Series | float] = {
        "aa": (sums["a"] ** 2 - own["aa"]) / pairs,
        "cc": (sums["c"] ** 2 - own["cc"]) / pairs,
        "ac": (sums["a"] * sums["c"] - own["ac"]) / pairs,
    }
    made |= _errors(rows, data, keys) if way == "reliability" else _NO_ERRORS
    out = sums.assign(**made, cluster=sums[data.cluster], people=1.0)
    return out.loc[pairs > 0.0].reset_index(drop=True)


def _errors(rows: pd.DataFrame, data: GapData, keys: list[str]) -> dict[str, pd.Series | float]:
    """Squares of a person's item mean, and of its standard error over items (Cronbach's alpha)."""
    made: dict[str, pd.Series | float] = {}
    for outcome, short in zip(PAIR, ("a", "c"), strict=True):
        items = [*data.question.items(outcome)]
        if not items:
            made |= {f"items_{short}": 0.0, f"error_{short}": 0.0}
            continue
        means = rows.groupby(keys, as_index=False)[items].mean()[items]
        k = len(items)
        made[f"items_{short}"] = means.mean(axis=1) ** 2
        made[f"error_{short}"] = means.var(axis=1, ddof=1) / k
    return made


# -- estimates -----------------------------------------------------------------------------------


def jackknifed(sums: Sums, statistic: Statistic, name: str, unit: str) -> Estimate:
    """A statistic with the error that leaving out one cluster after another gives.

    Groups add their own variances, with Welch and Satterthwaite's degrees of freedom; where
    clusters have people in both groups, all are left out together.
    """
    count = sums.values.shape[1]
    without = statistic(sums.moments(1.0 - np.eye(count)))
    groups = [sums.treated, ~sums.treated] if sums.whole else [np.ones(count, bool)]
    parts = []
    for group in groups:
        own = without[group]
        n = own.size
        parts.append(((n - 1) / n * float(np.sum((own - own.mean()) ** 2)), n - 1))
    total = sum(v for v, _ in parts)
    df = total**2 / sum(v**2 / free for v, free in parts) if total > 0.0 else float("nan")
    value = float(statistic(sums.moments())[0])
    return Estimate(name, value, float(np.sqrt(total)), float(df), unit)


def bootstrapped(
    sums: Sums, statistic: Statistic, *, seed: int, draws: int, level: float
) -> tuple[float, float]:
    """BCa limits over samples of clusters, drawn within groups where each is in one."""
    found = weighted_cluster_bootstrap(
        np.arange(sums.values.shape[1]),
        lambda drawn: {"value": statistic(sums.moments(drawn.counts))},
        strata=sums.treated if sums.whole else None,
        draws=draws,
        seed=seed,
    )
    limits = found.conf_int(level, kind="percentile" if found.influence is None else "bca")
    low, high = limits.to_numpy(float)[0]
    return float(low), float(high)
