"""One model over imputations, plausible values and replicate weights: large-scale assessments."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, did_you_mean
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate, t_interval
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.memory import memory_of
from alc_stats.inference.contrasts import contrast, read_contrast
from alc_stats.inference.parallel import in_order
from alc_stats.inference.pooling import (
    Pooled,
    Replication,
    pool,
    replicate_df,
    replicate_variance,
    replication_problems,
)
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class PooledFits:
    """Contrasts pooled over several fits of one model.

    Attributes
    ----------
    parts : tuple of Pooled
    rows : int
        Used by every fit.
    fits : int
        Imputations or sets of plausible values.
    replicates : int
        Replicate weights; 0 without.
    """

    parts: tuple[Pooled, ...]
    rows: int
    fits: int
    replicates: int

    def estimate(self, term: str) -> Estimate:
        """One contrast, for `decide`.

        Raises
        ------
        DeclarationError
            For a term that was not pooled.
        """
        found = {part.estimate.name: part.estimate for part in self.parts}
        if term not in found:
            raise DeclarationError(
                Problem(f"no contrast '{term}' was pooled", where="estimate(term)",
                        way_out=did_you_mean(term, found))
            )  # fmt: skip
        return found[term]

    @property
    def table(self) -> pd.DataFrame:
        """A row a contrast: estimate, se, df, p, low, high, missing."""
        rows = {}
        for part in self.parts:
            e = part.estimate
            low, high = t_interval(np.array(e.value), np.array(e.se), np.array(e.df))
            rows[e.name] = (e.value, e.se, e.df, e.p_value, float(low), float(high), part.missing)
        columns = ["estimate", "se", "df", "p", "low", "high", "missing"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def pooled(
    formula: str,
    data: pd.DataFrame | Sequence[pd.DataFrame],
    *,
    terms: Sequence[str] | None = None,
    plausible: Mapping[str, Sequence[str]] | None = None,
    weight: str | None = None,
    replicates: Sequence[str] = (),
    method: Replication = "Fay",
    fay: float | None = None,
    complete_df: float | None = None,
    workers: int = 1,
    **options: Any,
) -> PooledFits:
    """Fit one model to every imputation or set of plausible values, and pool it by Rubin's rules.

    With replicate weights the sampling variance of every fit comes from them, as PISA, TIMSS and
    PIRLS prescribe: the model is fitted once with the full weight and once with each replicate,
    for every plausible value (not for the first one only). Without them it is the fit's own
    (`covariance="CR2", cluster="school"`, a mixed model, ...).

    Parameters
    ----------
    formula : str
        As for `fit`; an outcome or predictor measured by plausible values is called by a name of
        its own, such as "maths ~ ai_use + escs".
    data : DataFrame, or a sequence of them
        Several completed data sets with the same rows, or one table with plausible values.
    terms : sequence of str, optional
        Contrasts as for `contrast`; all coefficients by default.
    plausible : mapping of str to sequence of str, optional
        Of every such name its columns, ``{"maths": ["PV1MATH", ..., "PV10MATH"]}``, the same
        number for all: the first of one goes with the first of the others.
    weight : str, optional
        Column of the full-sample weight, positive.
    replicates : sequence of str
        Columns of replicate weights, zero or more each.
    method, fay
        As for `replicate_variance`; PISA is "Fay" with 0.5.
    complete_df : float, optional
        Degrees of freedom had nothing been missing. By default the fit's own; with replicates
        their number (half of it for "JRR", less one for "JK1"), which is at most the zones'.
    workers : int
        Processes, for replicates of models other than least squares.
    **options
        Further arguments of `fit`.

    Raises
    ------
    DeclarationError
        For arguments that do not go together.
    TableError
        For missing or negative replicate weights, or imputations that keep different rows.
    FormulaError, FitError
        As `fit` and `contrast`. No replicate may fail, since the factors count them all.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> pupils = pd.DataFrame({"escs": rng.normal(size=60), "w": 1.0})
    >>> for m in (1, 2, 3):
    ...     pupils[f"PV{m}"] = 0.5 * pupils["escs"] + rng.normal(size=60)
    >>> for r in (1, 2, 3, 4):
    ...     pupils[f"W{r}"] = np.where(np.arange(60) % 4 == r - 1, 0.5, 1.5)
    >>> found = pooled("maths ~ escs", pupils, plausible={"maths": ["PV1", "PV2", "PV3"]},
    ...                weight="w", replicates=["W1", "W2", "W3", "W4"], method="Fay", fay=0.5)
    >>> found.fits, found.replicates, found.estimate("escs").name
    (3, 4, 'escs')
    """
    tables = _tables(data, plausible or {})
    _check(tables, weight, replicates, method, fay, options, workers)
    made = [fit(formula, table, weights=weight, **options) for table in tables]
    _require_same_rows(made)
    names = list(terms) if terms is not None else list(made[0].labels)
    if replicates:
        estimates = [
            _replicated(one, table, names, weight or "", replicates, method, fay, workers)
            for one, table in zip(made, tables, strict=True)
        ]
    else:
        estimates = [[contrast(one, name) for name in names] for one in made]
    parts = tuple(pool(column, complete_df=complete_df) for column in zip(*estimates, strict=True))
    return PooledFits(parts, made[0].counts.used, len(made), len(replicates))


def _tables(
    data: pd.DataFrame | Sequence[pd.DataFrame], plausible: Mapping[str, Sequence[str]]
) -> list[pd.DataFrame]:
    """The completed tables, every plausible value in the column of its name."""
    tables = [data] if isinstance(data, pd.DataFrame) else list(data)
    where, problems = "pooled(plausible=...)", []
    lengths = {len(columns) for columns in plausible.values()}
    if plausible and len(tables) > 1:
        problems.append(
            Problem("plausible values come in one table, imputations in several", where=where,
                    found=f"{len(tables)} tables",
                    way_out="Give every table its own plausible value under the name used in the "
                    "formula, and leave out plausible=.")
        )  # fmt: skip
    if len(lengths) > 1:
        counts = ", ".join(f"{name} {len(columns)}" for name, columns in plausible.items())
        problems.append(
            Problem("names have different numbers of plausible values", where=where, found=counts)
        )
    known = [str(name) for name in tables[0].columns] if tables else []
    problems += [
        Problem(f"the table has no column '{column}'", where=where,
                way_out=did_you_mean(column, known))
        for columns in plausible.values() for column in columns if column not in known
    ]  # fmt: skip
    problems += [
        Problem(f"'{name}' is a column already", where=where,
                way_out="Call what the plausible values measure by another name.")
        for name in plausible if name in known
    ]  # fmt: skip
    if problems:
        raise DeclarationError(*problems)
    if not plausible:
        return tables
    # joined, since inserting columns into a table of a thousand is slow and warned of
    return [
        pd.concat([tables[0], _values(tables[0], plausible, m)], axis=1)
        for m in range(lengths.pop())
    ]


def _values(table: pd.DataFrame, plausible: Mapping[str, Sequence[str]], m: int) -> pd.DataFrame:
    """The mth plausible value of every name."""
    return pd.DataFrame({name: table[columns[m]] for name, columns in plausible.items()})


def _replicated(
    made: Fit,
    table: pd.DataFrame,
    names: Sequence[str],
    weight: str,
    replicates: Sequence[str],
    method: Replication,
    fay: float | None,
    workers: int,
) -> list[Estimate]:
    """Every contrast of one fit with the sampling error of the replicate weights."""
    full = [contrast(made, name) for name in names]
    weights = table.loc[memory_of(made, spread=True).table.labels, list(replicates)]
    if made.request.method == "least squares":
        found = _linear(made, names, weights.to_numpy(float))
    else:
        job = functools.partial(_again, made, table, list(names), weight)
        found = np.array(
            list(in_order(job, list(replicates), workers=workers, what="replicate weights"))
        )
    values = [e.value for e in full]
    variance = replicate_variance(values, found, method=method, fay=fay)
    df = replicate_df(len(replicates), method)
    return [
        Estimate(e.name, e.value, float(np.sqrt(v)), df, e.unit)
        for e, v in zip(full, variance, strict=True)
    ]


def _linear(made: Fit, names: Sequence[str], weights: FloatArray) -> FloatArray:
    """Contrasts (R, c) of least squares under weights (n, R)."""
    design = memory_of(made).design
    lines = [read_contrast(name, made) for name in names]
    Q, R = np.linalg.qr(design.X)
    found = np.empty((weights.shape[1], len(lines)))
    for r, w in enumerate(weights.T):
        gram = (Q * w[:, None]).T @ Q
        if np.linalg.cond(gram) > 1e12:
            raise FitError(
                Problem("a replicate's rows do not determine the coefficients",
                        where=f"replicate weight {r + 1}",
                        way_out="A column rests on very few clusters: leave it out.")
            )  # fmt: skip
        b = np.linalg.solve(R, np.linalg.solve(gram, Q.T @ (w * design.y)))
        found[r] = [line.weights @ b + line.constant for line in lines]
    return found


def _again(
    made: Fit, table: pd.DataFrame, names: Sequence[str], weight: str, replicate: str
) -> list[float]:
    """Contrasts of the model under one replicate weight; rows of weight zero are not there."""
    from alc_stats.inference.refitting import refitted

    rows = table.loc[memory_of(made, spread=True).table.labels]
    rows = rows[rows[replicate] > 0.0]
    again = refitted(made, rows.assign(**{weight: rows[replicate]}), df="normal")
    return [contrast(again, name).value for name in names]


def _require_same_rows(made: Sequence[Fit]) -> None:
    used = sorted({one.counts.used for one in made})
    if len(used) > 1:
        raise TableError(
            Problem("the imputations keep different numbers of rows", where="pooled(...)",
                    found=", ".join(str(n) for n in used),
                    way_out="Impute every column of the formula, or leave out the same rows.")
        )  # fmt: skip


def _check(
    tables: Sequence[pd.DataFrame],
    weight: str | None,
    replicates: Sequence[str],
    method: str,
    fay: float | None,
    options: Mapping[str, Any],
    workers: int,
) -> None:
    where = "pooled({}=...)"
    problems = replication_problems(method, fay, where) if replicates else []
    if len(tables) < 2:
        problems.append(
            Problem("pooling needs two imputations or plausible values or more",
                    where=where.format("plausible"), found=str(len(tables)),
                    way_out="With one complete outcome use fit().")
        )  # fmt: skip
    if replicates and weight is None:
        problems.append(
            Problem("replicate weights need the full-sample weight beside them",
                    where=where.format("weight"), way_out="PISA calls it W_FSTUWT.")
        )  # fmt: skip
    if replicates and options.get("covariance", "model") != "model":
        problems.append(
            Problem("the sampling error comes from the replicate weights or from a covariance, "
                    "not from both", where=where.format("covariance"),
                    found=str(options["covariance"]))
        )  # fmt: skip
    if workers < 1:
        problems.append(Problem("less than one worker", where=where.format("workers")))
    known = [str(name) for name in tables[0].columns] if tables else []
    problems += [
        Problem(f"the table has no column '{name}'", where=where.format("replicates"),
                way_out=did_you_mean(name, known))
        for name in replicates if name not in known
    ]  # fmt: skip
    if problems:
        raise DeclarationError(*problems)
    if replicates:
        _refuse_weights(tables[0][list(replicates)])


def _refuse_weights(weights: pd.DataFrame) -> None:
    bad = weights.isna() | (weights < 0.0)
    if bad.to_numpy().any():
        column = str(bad.columns[bad.any()][0])
        raise TableError(
            Problem("replicate weights are missing or negative", where=f"column '{column}'",
                    found=f"{int(bad.any(axis=1).sum())} rows",
                    way_out="Leave these rows out: they belong to no sample.")
        )  # fmt: skip
