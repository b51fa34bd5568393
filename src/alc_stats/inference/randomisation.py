"""What a contrast would have been, had the treatment fallen to other clusters."""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, did_you_mean
from alc_stats.estimators.design import recoded
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.memory import prior_weights
from alc_stats.inference.bootstrap_draws import tell
from alc_stats.inference.contrasts import contrast, read_contrast
from alc_stats.inference.draws import stream_of
from alc_stats.inference.parallel import in_order, worker_problems
from alc_stats.inference.refitting import refitted, rows_of
from alc_stats.inference.resamples import Clustering, clustering
from alc_stats.records import FloatArray, IntArray

ENUMERATED = 5000
"""Up to so many different assignments all of them are taken."""
_LARGEST = 20_000_000
"""Entries of designs that are kept."""
_TIE = 1e-9
"""Two statistics closer than this share of their size are the same arithmetic."""


@dataclass(frozen=True, slots=True)
class Randomisation:
    """A randomisation test of no effect.

    Attributes
    ----------
    name : str
        The contrast.
    value, statistic : float
        As observed: the contrast, and its ratio to its standard error.
    p : float
        Two-sided: the share of assignments whose ratio is at least as large; the one that was
        made counts among them.
    assignments : int
        Compared.
    enumerated : bool
        Whether these are all there are, so that the answer needs no seed.
    smallest_p : float
        What the design can reach: 2 over the number of assignments of two equal arms, 1 over it
        otherwise. A test at a level below it never rejects.
    clusters : int
    seed : int
    """

    name: str
    value: float
    statistic: float
    p: float
    assignments: int
    enumerated: bool
    smallest_p: float
    clusters: int
    seed: int


def randomisation_test(
    fit: Fit,
    expression: str,
    *,
    treatment: str,
    cluster: str | None = None,
    strata: str | None = None,
    n: int = 1999,
    seed: int,
    workers: int = 1,
) -> Randomisation:
    """Re-assign the treatment to whole clusters and compute the contrast again.

    The p value is exact, however few clusters there are and whatever their sizes, for the
    hypothesis that the treatment changes no outcome at all, if it was assigned to clusters at
    random (within strata). Ratios rather than values are compared, so that it also holds, in
    large samples, where only the mean does not change (Wu and Ding 2021). Interactions go along:
    with "mandate*post" the mandate moves between firms and every week keeps its place.

    Parameters
    ----------
    fit : Fit
        Any model fitted in this session, mixed and location-scale models included, which has read
        the columns of treatment and clusters.
    expression : str
        As for `contrast`, without "= value".
    treatment : str
        Column that is constant within clusters.
    cluster : str, optional
        What was assigned; the fit's own clusters by default.
    strata : str, optional
        Column, constant within clusters, within which it was assigned.
    n : int
        Assignments drawn, where not all of them are taken: all are if there are at most 5000.
    seed : int
    workers : int
        Processes, for models that are slow to fit.

    Raises
    ------
    DeclarationError
        For columns the fit has not read, a contrast with "= value" or without the treatment, less
        than one assignment, or a seed that is no whole number from 0.
    TableError
        For a treatment that varies within clusters, or a cluster in several strata.
    FitError
        For an unusable fit, one without memory, one cluster an arm, or if half of the refits fail.

    Examples
    --------
    >>> from alc_stats.estimators import fit as fit_model
    >>> data = pd.DataFrame({"firm": list("aabbccddeeff"), "ai": [0.0] * 6 + [1.0] * 6,
    ...     "y": [1.0, 2, 2, 3, 1, 2, 5, 6, 4, 6, 5, 7]})
    >>> m = fit_model("y ~ ai", data, covariance="CR2", cluster="firm")
    >>> found = randomisation_test(m, "ai", treatment="ai", seed=1)
    >>> found.p, found.assignments, found.enumerated
    (0.1, 20, True)
    """
    require_usable(fit)
    frame = rows_of(fit)
    where = "randomisation_test({}=...)"
    name = cluster or fit.request.cluster
    _check(frame, {"treatment": treatment, "cluster": name, "strata": strata}, n,
           worker_problems(None, workers, where))  # fmt: skip
    _require_moved(fit, expression, treatment)
    groups = clustering(
        frame[name].astype(str), None if strata is None else frame[strata], "randomisation_test"
    )
    first = _constant(frame, treatment, groups)
    levels = pd.factorize(frame[treatment].iloc[first])[0].astype(np.int64)
    total = _require_choice(levels, groups, treatment)
    enumerated = total <= ENUMERATED
    orders = _all(levels, groups) if enumerated else _drawn(groups, n, seed)
    fast = _fast(fit, expression, treatment, first, levels)
    job = _Job(fit, expression, treatment, groups, first, levels, fast)
    observed = job.ratio(np.arange(groups.number))
    answers = in_order(functools.partial(_one, job), orders, workers=workers, what="randomisation")
    ratios, failures = _collected(answers)
    tell(
        failures, len(orders), way_out="Simplify the model, so that every assignment can be fitted."
    )
    extreme = int(np.sum(np.abs(ratios) >= abs(observed) * (1.0 - _TIE)))
    p = extreme / ratios.size if enumerated else (1 + extreme) / (1 + ratios.size)
    return Randomisation(
        expression, contrast(fit, expression).value, observed, p, int(ratios.size), enumerated,
        _smallest(levels, groups, total), groups.number, seed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _LeastSquares:
    """A linear model under every level of the treatment.

    Attributes
    ----------
    y : array (n,)
        Times the roots of the rows' weights, as are the designs.
    designs : array (levels, n, k)
        Columns of the rows if all had the level.
    direction : array (k,)
        The contrast.
    """

    y: FloatArray
    designs: FloatArray
    direction: FloatArray


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Job:
    """What an assignment needs, sent whole to other processes.

    `first` and `levels` (G,) are a row of every cluster and the level of its treatment.
    """

    fit: Fit
    expression: str
    treatment: str
    groups: Clustering
    first: IntArray
    levels: IntArray
    fast: _LeastSquares | None

    def ratio(self, order: IntArray) -> float:
        """Of the contrast to its error with cluster g under the treatment of cluster order[g]."""
        if self.fast is not None:
            return _linear_ratio(self.fast, self.levels[order], self.groups)
        frame = rows_of(self.fit)
        given = frame[self.treatment].iloc[self.first[order]].array[self.groups.codes]
        made = refitted(self.fit, frame.assign(**{self.treatment: given}), df="normal")
        return contrast(made, self.expression).statistic


def _linear_ratio(fast: _LeastSquares, levels: IntArray, groups: Clustering) -> float:
    """Contrast over its cluster-robust (CR0) standard error."""
    n = len(fast.y)
    Q, R = np.linalg.qr(fast.designs[levels[groups.codes], np.arange(n)])
    size = np.abs(np.diag(R))
    if size.min() <= 1e-10 * size.max():
        raise FitError(Problem("an assignment leaves dependent columns"))
    pick = np.linalg.solve(R.T, fast.direction)
    on_basis = Q.T @ fast.y
    scores = np.bincount(groups.codes, (Q @ pick) * (fast.y - Q @ on_basis))
    return float(pick @ on_basis / np.sqrt(scores @ scores))


def _fast(
    fit: Fit, expression: str, treatment: str, first: IntArray, levels: IntArray
) -> _LeastSquares | None:
    """The arrays of a linear model; None for any other, or for very many levels."""
    if fit.request.method != "least squares" or any(part != "mean" for part in fit.components):
        return None
    design, frame, number = fit.memory.design, rows_of(fit), int(levels.max()) + 1
    if number * design.X.size > _LARGEST:
        return None
    weights = prior_weights(fit)
    root = np.ones(len(frame)) if weights is None else np.sqrt(weights)
    designs = []
    for level in range(number):
        given = frame[treatment].iloc[np.repeat(first[levels == level][:1], len(frame))].array
        table = frame.assign(**{treatment: given})
        designs.append(root[:, None] * recoded(design.spec, table, fit.request.formula))
    direction = read_contrast(expression, fit).weights
    return _LeastSquares(root * design.y, np.array(designs), direction)


def _one(job: _Job, order: IntArray) -> float | str:
    try:
        found = job.ratio(order)
    except FitError as error:
        return error.problems[0].what
    except np.linalg.LinAlgError as error:
        return f"linear algebra: {error}"
    return found if math.isfinite(found) else "the contrast has no error"


def _collected(answers: Iterable[float | str]) -> tuple[FloatArray, Counter[str]]:
    ratios: list[float] = []
    failures: Counter[str] = Counter()
    for answer in answers:
        if isinstance(answer, str):
            failures[answer] += 1
        else:
            ratios.append(answer)
    return np.array(ratios), failures


def _all(levels: IntArray, groups: Clustering) -> list[IntArray]:
    """Every different assignment, as an order of clusters to take the treatment from."""
    parts = [_arrangements(levels[members]) for members in groups.strata]
    orders: list[IntArray] = []
    for chosen in itertools.product(*parts):
        order = np.arange(groups.number)
        for members, places in zip(groups.strata, chosen, strict=True):
            order[members] = members[places]
        orders.append(order)
    return orders


def _arrangements(levels: IntArray) -> list[IntArray]:
    """Orders that give all different arrangements of labels with repetitions."""
    if not levels.size:
        return [np.empty(0, dtype=np.int64)]
    own = np.flatnonzero(levels == levels[0])
    rest = np.flatnonzero(levels != levels[0])
    found: list[IntArray] = []
    for places in itertools.combinations(range(len(levels)), len(own)):
        others = np.setdiff1d(np.arange(len(levels)), places)
        for below in _arrangements(levels[rest]):
            order = np.empty(len(levels), dtype=np.int64)
            order[list(places)] = own
            order[others] = rest[below]
            found.append(order)
    return found


def _drawn(groups: Clustering, n: int, seed: int) -> list[IntArray]:
    stream = stream_of(seed, "randomisation_test")
    orders: list[IntArray] = []
    for _ in range(n):
        order = np.arange(groups.number)
        for members in groups.strata:
            order[members] = stream.permutation(members)
        orders.append(order)
    return orders


def _constant(frame: pd.DataFrame, treatment: str, groups: Clustering) -> IntArray:
    """A row (G,) of every cluster, whose treatment is the whole cluster's."""
    first = np.unique(groups.codes, return_index=True)[1].astype(np.int64)
    given = pd.factorize(frame[treatment])[0]
    varying = np.unique(groups.codes[given != given[first][groups.codes]])
    if varying.size:
        raise TableError(
            Problem(
                "the treatment varies within clusters, which cannot have been assigned it whole",
                where=f"randomisation_test(treatment='{treatment}')",
                found=f"{varying.size} of {groups.number} clusters, such as "
                f"'{groups.labels[varying[0]]}'",
                way_out="Name as the cluster what was assigned (the person, the team), and put "
                "periods into the formula as a column of their own, as in mandate*post.",
            )
        )
    return first


def _require_choice(levels: IntArray, groups: Clustering, treatment: str) -> float:
    """How many different assignments there are; at least three, or no p value is below a half."""
    total = 1.0
    for members in groups.strata:
        counts = np.bincount(levels[members])
        total *= math.exp(math.lgamma(len(members) + 1) - sum(math.lgamma(c + 1) for c in counts))
    total = float(round(total)) if total < 1e15 else total
    if total <= 2.0:
        raise FitError(
            Problem(
                "one cluster an arm tells no treatment from the cluster it fell to",
                where=f"randomisation_test(treatment='{treatment}')",
                found=f"{groups.number} clusters in {len(groups.strata)} strata, "
                f"{int(total)} possible assignments",
                way_out="No analysis can mend this: more clusters are needed, or a treatment "
                "that varies within them.",
            )
        )
    return total


def _smallest(levels: IntArray, groups: Clustering, total: float) -> float:
    """Two equal arms in every stratum can be exchanged, which changes only the sign."""
    counts = [np.bincount(levels[members], minlength=2) for members in groups.strata]
    mirrored = all(len(c) == 2 and c[0] == c[1] for c in counts)
    return (2.0 if mirrored else 1.0) / total


def _require_moved(fit: Fit, expression: str, treatment: str) -> None:
    """Refuse a contrast of coefficients that no assignment moves."""
    line = read_contrast(expression, fit)
    its = re.compile(rf"(?<![\w.]){re.escape(treatment)}(?![\w.])")
    pairs = zip(fit.labels, line.weights, strict=True)
    involved = [name for name, weight in pairs if weight and its.search(name)]
    if not involved:
        raise DeclarationError(
            Problem(
                f"no coefficient of '{treatment}' is in the contrast",
                where=f"randomisation_test('{expression}')",
                allowed=", ".join(name for name in fit.labels if its.search(name)),
                way_out="The test moves the treatment, and nothing else.",
            )
        )
    if line.constant != 0.0:
        raise DeclarationError(
            Problem(
                "a randomisation test is of no effect at all",
                where=f"randomisation_test('{expression}')",
                way_out="Leave out '= value'; for a margin use wild_cluster_bootstrap or decide.",
            )
        )


def _check(
    frame: pd.DataFrame,
    columns: dict[str, str | None],
    n: int,
    problems: list[Problem],
) -> None:
    known = [str(name) for name in frame.columns]
    where = "randomisation_test({}=...)"
    found = [*problems]
    found += [
        Problem(
            f"the fit did not read the column '{name}'",
            where=where.format(argument),
            way_out=did_you_mean(name, known)
            if argument == "treatment"
            else f"Fit with covariance='CR2', cluster='{name}', or write it into the formula.",
        )
        for argument, name in columns.items()
        if name is not None and name not in known
    ]
    if not columns["cluster"]:
        found.append(
            Problem(
                "no cluster is named",
                where=where.format("cluster"),
                way_out="Name the column of what was assigned the treatment.",
            )
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        found.append(
            Problem("the test needs at least one assignment", where=where.format("n"),
                    found=repr(n))
        )  # fmt: skip
    if found:
        raise DeclarationError(*found)
