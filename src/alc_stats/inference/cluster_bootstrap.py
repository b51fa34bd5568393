"""Resampling of whole clusters: any statistic of a table, or of sums over its rows."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, did_you_mean
from alc_stats.inference.bootstrap_draws import BootstrapDraws, tell
from alc_stats.inference.draws import stream_seed
from alc_stats.inference.parallel import in_order, worker_problems
from alc_stats.inference.resamples import Clustering, Resamples, clustering
from alc_stats.records import FloatArray, IntArray

TableStatistic = Callable[[pd.DataFrame], Mapping[str, float]]
"""Numbers by name, computed from a resampled table; the same names every time."""
WeightedStatistic = Callable[[Resamples], Mapping[str, FloatArray]]
"""Arrays (b,) by name: each statistic in each of b resamples."""
_CHUNK_ENTRIES = 2_000_000
_WAY_OUT = "Draw within strata, so that no resample lacks an arm, or simplify the statistic."
_NOT_FINITE = "the statistic is not a finite number"


def cluster_bootstrap(
    data: pd.DataFrame,
    statistic: TableStatistic,
    *,
    cluster: str,
    strata: str | None = None,
    nested: Sequence[str] = (),
    draws: int = 999,
    seed: int,
    leave_out: bool = False,
    workers: int = 1,
) -> BootstrapDraws:
    """Draw whole clusters with replacement, and compute a statistic of every table so made.

    Every draw has a random stream of its own: neither the number of workers nor that of draws
    changes the first ones. A statistic that follows from sums over rows (means, least squares) is
    hundreds of times quicker by `weighted_cluster_bootstrap`, which draws the same clusters.

    Parameters
    ----------
    data : DataFrame
        Every row has a cluster.
    statistic : callable
        From a table with the columns of `data` to numbers by name, such as
        ``lambda table: {"slope": alc.fit("y ~ x", table).params["x"]}``. Workers need a function
        defined at the top of a module. A FitError counts as a failed draw.
    cluster : str
        Column of the clusters. A cluster that is drawn twice is two clusters: its second copy is
        labelled "name (2)", so that fixed and random effects of clusters are what they should be.
    strata : str, optional
        Column that is constant within clusters, such as the arm: clusters are drawn within it, so
        that every resample has as many of each.
    nested : sequence of str
        Columns of units within clusters (persons of a firm), relabelled with their cluster.
    draws : int
    seed : int
    leave_out : bool
        Whether every cluster is left out in turn as well, which "bca" intervals need.
    workers : int
        Processes; the table is sent to each.

    Returns
    -------
    BootstrapDraws
        `se`, `bias`, `conf_int(level, kind="percentile" | "basic" | "bca")` and `estimate(name)`
        for `decide`, on clusters - 1 degrees of freedom. With up to a dozen clusters intervals are
        too narrow: see `small_sample_choice`.

    Raises
    ------
    DeclarationError
        For a column the table lacks, less than one draw or worker, a seed that is no whole number
        from 0, a statistic other processes cannot find, or one whose names change.
    TableError
        For rows without a cluster, or a cluster in several strata.
    FitError
        For a single cluster (in a stratum), or if half of the draws fail.

    References
    ----------
    Davison, A. C., & Hinkley, D. V. (1997). Bootstrap methods and their application, section 3.8.
    Cambridge University Press.

    Examples
    --------
    >>> data = pd.DataFrame({"firm": list("aabbccdd"), "y": [1.0, 2, 2, 4, 4, 6, 8, 9]})
    >>> found = cluster_bootstrap(
    ...     data, lambda table: {"mean": table["y"].mean()}, cluster="firm", draws=199, seed=1)
    >>> found.observed.tolist(), found.clusters
    ([4.5], 4)
    """
    where = "cluster_bootstrap({}=...)"
    _check(data, {"cluster": [cluster], "strata": [strata], "nested": nested}, draws, where,
           worker_problems(statistic, workers, where))  # fmt: skip
    groups = clustering(
        data[cluster], None if strata is None else data[strata], "cluster_bootstrap"
    )
    names = _names(statistic(data))
    job = _Job(data, statistic, names, groups, _nested(data, groups, cluster, nested))
    observed = _required(job, data)
    seeds = stream_seed(seed, "cluster_bootstrap").spawn(draws)
    rows = in_order(functools.partial(_one, job), seeds, workers=workers, what="bootstrap")
    found, failures = _collected(rows, draws, len(names))
    tell(failures, draws, way_out=_WAY_OUT)
    influence = _influence(job, workers) if leave_out else None
    return BootstrapDraws(names, observed, found, dict(failures), seed, groups.number, influence)


def weighted_cluster_bootstrap(
    clusters: npt.ArrayLike,
    statistic: WeightedStatistic,
    *,
    strata: npt.ArrayLike | None = None,
    draws: int = 999,
    seed: int,
) -> BootstrapDraws:
    """The cluster bootstrap of statistics that follow from how often each row was drawn.

    Parameters
    ----------
    clusters : array_like (n,)
        Cluster of every row.
    statistic : callable
        From `Resamples` to arrays (b,) by name. `Resamples` has `total(values)` and
        `mean(values)` (sums and means over the rows drawn), `least_squares(X, y)` and the counts
        themselves (`rows`, `counts`); values are arrays in the order of `clusters`.
    strata : array_like (n,), optional
        Clusters are drawn within these.
    draws, seed : int
        The same seed draws the same clusters as in `cluster_bootstrap`.

    Returns
    -------
    BootstrapDraws
        With the clusters' influence, so that "bca" intervals are there (unless some cluster
        cannot be left out).

    Raises
    ------
    DeclarationError, TableError, FitError
        As `cluster_bootstrap`.

    Examples
    --------
    >>> firm, y = list("aabbccdd"), np.array([1.0, 2, 2, 4, 4, 6, 8, 9])
    >>> found = weighted_cluster_bootstrap(
    ...     firm, lambda drawn: {"mean": drawn.mean(y)}, draws=199, seed=1)
    >>> found.observed.tolist(), found.draws.shape
    ([4.5], (199, 1))
    """
    where = "weighted_cluster_bootstrap({}=...)"
    _check(pd.DataFrame(), {}, draws, where, [])
    groups = clustering(
        pd.Series(np.asarray(clusters), name="clusters"),
        None if strata is None else pd.Series(np.asarray(strata), name="strata"),
        "weighted_cluster_bootstrap",
    )
    seeds = stream_seed(seed, "cluster_bootstrap").spawn(draws)
    itself = statistic(Resamples(np.ones((1, groups.number)), groups.codes))
    names = tuple(itself)
    observed = np.array([float(itself[name][0]) for name in names])
    _refuse_not_finite(names, observed)
    job = functools.partial(_weighted, statistic, names, groups)
    size = max(1, _CHUNK_ENTRIES // max(groups.number, len(groups.codes) // 10))
    chunks = [seeds[first : first + size] for first in range(0, draws, size)]
    found = np.concatenate(list(in_order(job, chunks, workers=1, what="bootstrap")))
    lost = ~np.isfinite(found).all(axis=1)
    found[lost] = np.nan
    failures = {_NOT_FINITE: int(lost.sum())} if lost.any() else {}
    tell(failures, draws, way_out=_WAY_OUT)
    influence = groups.influence(_left_out(statistic, names, groups, size))
    known = influence if np.isfinite(influence).all() else None
    return BootstrapDraws(names, observed, found, failures, seed, groups.number, known)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Job:
    """What a draw needs, sent whole to other processes."""

    data: pd.DataFrame
    statistic: TableStatistic
    names: tuple[str, ...]
    groups: Clustering
    nested: Mapping[str, tuple[IntArray, tuple[str, ...]]]

    def values(self, table: pd.DataFrame) -> FloatArray:
        found = self.statistic(table)
        if tuple(found) != self.names:
            raise DeclarationError(
                Problem(
                    "the statistic does not name the same numbers every time",
                    where="cluster_bootstrap(statistic=...)",
                    found=", ".join(found),
                    allowed=", ".join(self.names),
                )
            )
        return np.array([float(value) for value in found.values()])

    def table(self, drawn: IntArray) -> pd.DataFrame:
        """The rows of the clusters drawn, every copy with labels of its own."""
        order = np.argsort(self.groups.codes, kind="stable")
        sizes = np.bincount(self.groups.codes, minlength=self.groups.number)
        starts = np.cumsum(sizes) - sizes
        rows = np.concatenate([order[starts[g] : starts[g] + sizes[g]] for g in drawn])
        copy = np.repeat(_copies(drawn), sizes[drawn])
        table = self.data.iloc[rows].reset_index(drop=True)
        own = {name: _relabelled(codes[rows], copy, labels)
               for name, (codes, labels) in self.nested.items()}  # fmt: skip
        return table.assign(**own)


def _nested(
    data: pd.DataFrame, groups: Clustering, cluster: str, nested: Sequence[str]
) -> dict[str, tuple[IntArray, tuple[str, ...]]]:
    found = {cluster: (groups.codes, groups.labels)}
    for name in nested:
        codes, labels = pd.factorize(data[name].astype(str), sort=True)
        found[name] = (codes.astype(np.int64), tuple(str(label) for label in labels))
    return found


def _copies(drawn: IntArray) -> IntArray:
    """Of every place of a draw, how often its cluster came before."""
    seen: Counter[int] = Counter()
    found = np.empty(len(drawn), dtype=np.int64)
    for place, g in enumerate(drawn.tolist()):
        found[place] = seen[g]
        seen[g] += 1
    return found


def _relabelled(codes: IntArray, copy: IntArray, labels: tuple[str, ...]) -> pd.Categorical:
    """Labels of the rows drawn; copies after the first are numbered."""
    pairs, place = np.unique(copy * len(labels) + codes, return_inverse=True)
    names = [
        labels[pair % len(labels)]
        + (f" ({pair // len(labels) + 1})" if pair >= len(labels) else "")
        for pair in pairs.tolist()
    ]
    return pd.Categorical.from_codes(place.tolist(), categories=pd.Index(names))


def _one(job: _Job, seed: np.random.SeedSequence) -> FloatArray | str:
    return _attempt(job, job.table(job.groups.drawn(seed)))


def _without(job: _Job, g: int) -> FloatArray | str:
    return _attempt(job, job.data[job.groups.codes != g].reset_index(drop=True))


def _attempt(job: _Job, table: pd.DataFrame) -> FloatArray | str:
    """The statistics of a table, or why there are none."""
    try:
        found = job.values(table)
    except FitError as error:
        return error.problems[0].what
    except np.linalg.LinAlgError as error:
        return f"linear algebra: {error}"
    return found if np.isfinite(found).all() else _NOT_FINITE


def _names(made: object) -> tuple[str, ...]:
    """What the statistic's numbers are called."""
    if not isinstance(made, Mapping) or not made:
        raise DeclarationError(
            Problem(
                "the statistic does not name its numbers",
                where="cluster_bootstrap(statistic=...)",
                found=type(made).__name__,
                allowed='numbers by name, such as {"mean": table["y"].mean()}',
            )
        )
    return tuple(made)


def _required(job: _Job, data: pd.DataFrame) -> FloatArray:
    found = job.values(data)
    _refuse_not_finite(job.names, found)
    return found


def _refuse_not_finite(names: Sequence[str], observed: FloatArray) -> None:
    lost = [name for name, value in zip(names, observed, strict=True) if not np.isfinite(value)]
    if lost:
        raise FitError(
            Problem(
                "the statistic of the data themselves is not a finite number",
                where="cluster bootstrap",
                found=", ".join(lost),
            )
        )


def _collected(
    rows: Iterable[FloatArray | str], draws: int, k: int
) -> tuple[FloatArray, Counter[str]]:
    found = np.full((draws, k), np.nan)
    failures: Counter[str] = Counter()
    for i, row in enumerate(rows):
        if isinstance(row, str):
            failures[row] += 1
        else:
            found[i] = row
    return found, failures


def _influence(job: _Job, workers: int) -> FloatArray:
    G = job.groups.number
    answers = in_order(
        functools.partial(_without, job), range(G), workers=workers, what="leaving out"
    )
    found, failures = _collected(answers, G, len(job.names))
    if failures:
        reason, count = failures.most_common(1)[0]
        raise FitError(
            Problem(
                "the statistic cannot be computed without some cluster",
                where="cluster_bootstrap(leave_out=True)",
                found=f"{count} of {G} clusters: {reason}",
                way_out="Ask for percentile intervals, without leave_out.",
            )
        )
    return job.groups.influence(found)


def _weighted(
    statistic: WeightedStatistic,
    names: tuple[str, ...],
    groups: Clustering,
    seeds: Sequence[np.random.SeedSequence],
) -> FloatArray:
    found = statistic(Resamples(groups.counts(seeds), groups.codes))
    return np.column_stack([found[name] for name in names])


def _left_out(
    statistic: WeightedStatistic, names: tuple[str, ...], groups: Clustering, size: int
) -> FloatArray:
    """Every statistic without each cluster (G, k)."""
    parts = []
    for first in range(0, groups.number, size):
        chosen = np.arange(first, min(first + size, groups.number))
        counts = np.ones((len(chosen), groups.number))
        counts[np.arange(len(chosen)), chosen] = 0.0
        found = statistic(Resamples(counts, groups.codes))
        parts.append(np.column_stack([found[name] for name in names]))
    return np.concatenate(parts)


def _check(
    data: pd.DataFrame,
    columns: Mapping[str, Sequence[str | None]],
    draws: int,
    where: str,
    problems: Sequence[Problem],
) -> None:
    known = [str(name) for name in data.columns]
    found = [*problems]
    found += [
        Problem(f"the table has no column '{name}'", where=where.format(argument),
                way_out=did_you_mean(name, known))
        for argument, names in columns.items() for name in names
        if name is not None and name not in known
    ]  # fmt: skip
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        found.append(
            Problem("the bootstrap needs at least one draw", where=where.format("draws"),
                    found=repr(draws))
        )  # fmt: skip
    if found:
        raise DeclarationError(*found)
