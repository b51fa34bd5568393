"""Whether the clusters can bear what a clustered covariance is asked to say.

What clusters say about a coefficient's error is how the estimate would differ with other clusters.

- A coefficient that a single cluster determines says nothing of the kind: the residuals of that
  cluster are fitted to zero in its direction, and the clustered standard error is zero or rounding.
  Such a fit is refused. The one exception are the levels of a factor with several columns (fixed
  effects of schools, of which each lies in one cluster): they are there to be held constant, so the
  others stay, and theirs have no degrees of freedom (nan), hence no p value and no verdict.
- Few or unequal clusters behind a coefficient make the standard error too small and its t too
  liberal, by how much no closed form says (MacKinnon and Webb 2017). Such fits stand, with a note.
- With as many coefficients as clusters or more, the covariance matrix is singular, but the variance
  of one coefficient is not: what is wrong is again that too few clusters vary freely. Published
  regressions with many fixed effects are of this kind, so this is a note as well, by the columns
  that vary only between clusters; a joint test of more coefficients than its rank is refused where
  it is asked for.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.fit import Request
from alc_stats.estimators.kernels.cluster_leverage import ClusterLeverage, cluster_leverage
from alc_stats.records import BoolArray, FloatArray, IntArray

_FEW_SHARE = 0.5
"""Noted are coefficients with fewer effective clusters than this share of all: their t then has
about half the degrees of freedom, or less, that clusters - 1 promises."""
_FEW = 10.0
"""... and fewer than this number: beyond it even half the degrees of freedom move the 5 % critical
value of t by less than a seventh (2.26 on 9, 1.96 on infinitely many)."""
_CARRY = 2.0 / 3.0
"""The clusters a note counts are the fewest that carry at least this share."""


@dataclass(frozen=True, slots=True, eq=False)
class Support:
    """Coefficients (p,) that one cluster alone determines, and the notes of the certificate."""

    lone: BoolArray
    notes: tuple[str, ...] = ()


def cluster_support(
    X: FloatArray,
    names: Sequence[str],
    clusters: IntArray,
    *,
    request: Request,
    root: FloatArray | None = None,
) -> Support:
    """Which coefficients have a clustered standard error, and what a reader must know.

    Parameters
    ----------
    X : array (n, p)
        Of full column rank.
    names : sequence of str, length p
    clusters : int array (n,)
        0 ... G - 1, every cluster present.
    request : Request
        Its formula, cluster, covariance and df are spoken of.
    root : array (n,), optional
        Roots of prior weights.

    Raises
    ------
    FitError
        Naming every coefficient, other than the levels of a factor, that a single cluster
        determines.
    """
    leverage = cluster_leverage(X, clusters, root)
    levels = _levels_of_factors(names)
    refused = np.flatnonzero(leverage.lone & ~levels).tolist()
    if refused:
        told = [j for j in refused if names[j] != "Intercept"] or refused
        raise FitError(*(refusal(X[:, j], names[j], clusters, request) for j in told))
    notes = [
        *_lone_levels(leverage, names, request),
        *_few(leverage, names, levels, request),
        *_saturated(leverage, request),
    ]
    return Support(leverage.lone, tuple(notes))


def _levels_of_factors(names: Sequence[str]) -> BoolArray:
    """The columns of factors with several columns, and the intercept they are measured from."""
    terms = [re.sub(r"\[[^\]]*\]", "[]", name) for name in names]
    several = {t for t, columns in Counter(terms).items() if "[]" in t and columns > 1}
    return np.array([t in several or (t == "Intercept" and bool(several)) for t in terms])


def refusal(column: FloatArray, name: str, clusters: IntArray, request: Request) -> Problem:
    """What to say of a column (n,) whose coefficient one cluster alone determines."""
    return Problem(
        f"one cluster of '{request.cluster}' alone determines the coefficient {name}, so it has no "
        "clustered standard error",
        where=f"formula '{request.formula}'",
        found=f"{clusters.max() + 1} clusters; {_where_it_lies(column, name, clusters)}",
        way_out="Treat more clusters, or use randomisation inference over whole clusters.",
    )


def _where_it_lies(column: FloatArray, name: str, clusters: IntArray) -> str:
    values = np.unique(column)
    for value in values[::-1] if len(values) == 2 else ():
        if np.ptp(clusters[column == value]) == 0:
            return f"all rows with {name} = {value:g} lie in one cluster"
    return f"without one of them the other columns reproduce {name}"


def _lone_levels(leverage: ClusterLeverage, names: Sequence[str], request: Request) -> list[str]:
    lone = [name for name, alone in zip(names, leverage.lone, strict=True) if alone]
    if not lone:
        return []
    shown = ", ".join(lone[:3]) + (f" and {len(lone) - 3} more" if len(lone) > 3 else "")
    note = (
        f"One cluster of '{request.cluster}' alone determines each of {shown}: they are held "
        "constant, but have no clustered standard error and cannot be tested."
    )
    return [note]


def _few(
    leverage: ClusterLeverage, names: Sequence[str], levels: BoolArray, request: Request
) -> list[str]:
    """Coefficients few clusters tell; factors' levels, there to be held constant, are left out."""
    G, notes = leverage.clusters, list[str]()
    few = leverage.effective < min(_FEW_SHARE * G, _FEW)
    for j in np.flatnonzero(few & ~levels & ~leverage.lone).tolist():
        if names[j] == "Intercept":
            continue
        carried = np.cumsum(np.sort(leverage.shares[:, j])[::-1])
        most = int(np.searchsorted(carried, _CARRY)) + 1
        notes.append(
            f"{most} of {G} clusters of '{request.cluster}' carry {carried[most - 1]:.0%} of what "
            f"the rows say about {names[j]}, as few as {leverage.effective[j]:.1f} equal clusters "
            f"would: {_instead(request)}."
        )
    return notes


def _saturated(leverage: ClusterLeverage, request: Request) -> list[str]:
    G, between = leverage.clusters, int(leverage.between.sum())
    if request.df != "clusters - 1" or G - between >= _FEW_SHARE * (G - 1):
        return []
    note = (
        f"{between} coefficients vary only between the {G} clusters of '{request.cluster}', which "
        f"leaves {G - between} to tell chance by, not {G - 1}: {_instead(request)}."
    )
    return [note]


def _instead(request: Request) -> str:
    if request.df == "satterthwaite":
        return "its degrees of freedom allow for that; compare randomisation inference"
    if request.engine == "linearmodels" or request.weights:
        return "its t is too liberal; use randomisation inference"
    return "its t is too liberal; use CR2 (its own degrees of freedom) or randomisation inference"
