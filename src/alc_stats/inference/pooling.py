"""Estimates of several completed data sets as one, and sampling errors from replicate weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.estimators.estimate import Estimate
from alc_stats.records import FloatArray

Replication = Literal["JK1", "JK2", "JRR", "BRR", "Fay"]


@dataclass(frozen=True, slots=True)
class Pooled:
    """One quantity from several imputations or plausible values.

    Attributes
    ----------
    estimate : Estimate
        For `decide`: mean value, total standard error, Barnard and Rubin's degrees of freedom.
    within, between : float
        Mean variance of the estimates, and the variance of their values.
    imputations : int
    missing : float
        Fraction of the information about this quantity that is missing.
    """

    estimate: Estimate
    within: float
    between: float
    imputations: int
    missing: float


def pool(estimates: Sequence[Estimate], *, complete_df: float | None = None) -> Pooled:
    """Rubin's rules (1987), with the degrees of freedom of Barnard and Rubin (1999).

    Parameters
    ----------
    estimates : sequence of Estimate
        The same quantity from two or more imputations or plausible values.
    complete_df : float, optional
        Degrees of freedom had nothing been missing; the smallest of the estimates' own by default.

    Raises
    ------
    DeclarationError
        For fewer than two estimates, different quantities, standard errors that are not positive
        numbers, or degrees of freedom that are not positive.

    Examples
    --------
    >>> values = [Estimate("escs", b, 0.1, 60.0) for b in (0.40, 0.45, 0.38, 0.44, 0.41)]
    >>> pooled = pool(values)
    >>> round(pooled.estimate.value, 3), round(pooled.estimate.se, 4), round(pooled.estimate.df, 1)
    (0.416, 0.1049, 47.7)
    """
    _check_pool(estimates, complete_df)
    m = len(estimates)
    values = np.array([e.value for e in estimates])
    within = float(np.mean([e.se**2 for e in estimates]))
    between = float(values.var(ddof=1))
    total = within + (1.0 + 1.0 / m) * between
    share = (1.0 + 1.0 / m) * between / total
    complete = min(e.df for e in estimates) if complete_df is None else complete_df
    df = _barnard_rubin(m, share, complete)
    increase = share / (1.0 - share)
    missing = (increase + 2.0 / (df + 3.0)) / (increase + 1.0) if between > 0.0 else 0.0
    one = estimates[0]
    pooled = Estimate(one.name, float(values.mean()), math.sqrt(total), df, one.unit)
    return Pooled(pooled, within, between, m, missing)


def replicate_variance(
    full: npt.ArrayLike,
    replicates: npt.ArrayLike,
    *,
    method: Replication,
    fay: float | None = None,
) -> FloatArray:
    """Sampling variance of an estimate from its values under R replicate weights.

    ====== ======================= =====================================================
    method factor on the squares   replicates
    ====== ======================= =====================================================
    JK1    (R - 1) / R             every cluster left out in turn
    JK2    1                       one a zone: one of two schools doubled, the other left
    JRR    1 / 2                   two a zone: both of the above (TIMSS 2015 on, PIRLS)
    BRR    1 / R                   balanced halves
    Fay    1 / (R (1 - fay)^2)     halves shrunken to `fay` and 2 - fay (PISA: 0.5, R = 80)
    ====== ======================= =====================================================

    Squares are of distances from the full-sample value.

    Parameters
    ----------
    full : array_like (k,) or number
        With the full-sample weight.
    replicates : array_like (R, k) or (R,)
    method : {"JK1", "JK2", "JRR", "BRR", "Fay"}
    fay : float, optional
        Fay's factor, in [0, 1); needed by "Fay" and by nothing else.

    Returns
    -------
    array (k,) or ()

    Raises
    ------
    DeclarationError
        For an unknown method, a factor where none belongs or none where one does, fewer than two
        replicates, or values that are not finite numbers.

    Examples
    --------
    >>> replicate_variance(10.0, [9.0, 11.0, 10.0, 12.0], method="Fay", fay=0.5).item()
    6.0
    """
    values, centre = np.asarray(replicates, dtype=float), np.asarray(full, dtype=float)
    _check_replicates(values, centre, method, fay)
    R = len(values)
    factor = {
        "JK1": (R - 1.0) / R, "JK2": 1.0, "JRR": 0.5, "BRR": 1.0 / R,
        "Fay": 1.0 / (R * (1.0 - (fay or 0.0)) ** 2),
    }[method]  # fmt: skip
    return np.asarray(factor * np.sum((values - centre) ** 2, axis=0))


def replicate_df(replicates: int, method: Replication) -> float:
    """Degrees of freedom: the zones as far as replicates tell them, clusters less one for JK1."""
    if method == "JK1":
        return replicates - 1.0
    return replicates / 2.0 if method == "JRR" else float(replicates)


def _barnard_rubin(m: int, share: float, complete: float) -> float:
    old = (m - 1.0) / share**2 if share > 0.0 else math.inf
    if math.isinf(complete):
        return old
    observed = (complete + 1.0) / (complete + 3.0) * complete * (1.0 - share)
    return 1.0 / (1.0 / old + 1.0 / observed)


def _check_pool(estimates: Sequence[Estimate], complete_df: float | None) -> None:
    where, problems = "pool(...)", []
    if len(estimates) < 2:
        problems.append(
            Problem("pooling needs two estimates or more", where=where, found=str(len(estimates)),
                    way_out="A single imputation says nothing of what is missing.")
        )  # fmt: skip
    kinds = {(e.name, e.unit) for e in estimates}
    if len(kinds) > 1:
        names = ", ".join(sorted(f"'{name}'" + (f" in {unit}" if unit else "")
                                 for name, unit in kinds))  # fmt: skip
        problems.append(Problem("the estimates are of different things", where=where, found=names))
    bad = [e.se for e in estimates if not (math.isfinite(e.value) and 0.0 < e.se < math.inf)]
    if bad:
        problems.append(
            Problem("an estimate or its standard error is not a (positive) number", where=where,
                    found=f"{len(bad)} of {len(estimates)}")
        )  # fmt: skip
    smallest = min([e.df for e in estimates], default=1.0) if complete_df is None else complete_df
    if not smallest > 0.0:
        problems.append(
            Problem("the complete data's degrees of freedom are not positive", where=where,
                    found=str(smallest))
        )  # fmt: skip
    if problems:
        raise DeclarationError(*problems)


def _check_replicates(
    values: FloatArray, centre: FloatArray, method: str, fay: float | None
) -> None:
    problems = replication_problems(method, fay, "replicate_variance({}=...)")
    if values.ndim != centre.ndim + 1 or len(values) < 2 or values.shape[1:] != centre.shape:
        problems.append(
            Problem("the replicates do not fit the full-sample value",
                    where="replicate_variance(replicates)",
                    found=f"shapes {values.shape} and {centre.shape}",
                    allowed="one axis more, of two replicates or more")
        )  # fmt: skip
    elif not (np.isfinite(values).all() and np.isfinite(centre).all()):
        problems.append(
            Problem("a replicate's value is not a finite number",
                    where="replicate_variance(replicates)",
                    found=f"{int((~np.isfinite(values)).sum())} values",
                    way_out="No replicate may be left out: the factor counts them all.")
        )  # fmt: skip
    if problems:
        raise DeclarationError(*problems)


def replication_problems(method: str, fay: float | None, where: str) -> list[Problem]:
    """What is wrong with a method of replication and Fay's factor; `where` holds one {}."""
    problems = []
    if method not in get_args(Replication):
        problems.append(
            Problem(f"unknown method of replication '{method}'", where=where.format("method"),
                    allowed=", ".join(get_args(Replication)),
                    way_out=did_you_mean(method, get_args(Replication)))
        )  # fmt: skip
    if method == "Fay" and (fay is None or not 0.0 <= fay < 1.0):
        problems.append(
            Problem("Fay's method needs its factor", where=where.format("fay"), found=str(fay),
                    allowed="from 0 to below 1", way_out="PISA's is 0.5.")
        )  # fmt: skip
    if method != "Fay" and fay is not None:
        problems.append(
            Problem(f"'{method}' has no factor", where=where.format("fay"), found=str(fay))
        )
    return problems
