"""What a logistic model takes: arguments, outcomes and trials, and groupings it can tell."""

from __future__ import annotations

import numpy as np

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.design import Design, Table
from alc_stats.estimators.error_laws import Bounds
from alc_stats.estimators.formula import Formula
from alc_stats.estimators.kernels.logistic_law import Outcomes
from alc_stats.estimators.lmm_terms import RandomPart


def refuse_arguments(
    *,
    method: str | None,
    covariance: str,
    cluster: str | None,
    df: str | None,
    scale: str | None,
    between: str | None,
    bounds: Bounds | None,
    engine: str = "auto",
    order: str | None = None,
    association: str = "linear",
) -> None:
    """Raise a DeclarationError that lists everything a logistic model does not take."""
    why = {
        "method": "its restricted likelihood is not defined",
        "scale": "the variance of a yes or no follows from its probability",
        "between": "it has one variance a random term",
        "order": "errors of a yes or no are not autoregressive",
        "bounds": "0 and 1 are its only values",
    }
    asked = (
        ("method", method, (None, "ML")),
        ("covariance", covariance, ("model",)),
        ("cluster", cluster, (None,)),
        ("df", df, (None, "normal", "containment")),
        ("engine", engine, ("auto", "alc_stats")),
        ("scale", scale, (None,)),
        ("between", between, (None,)),
        ("order", order, (None,)),
        ("bounds", bounds, (None,)),
        ("association", association, ("linear",)),
    )
    problems = [
        Problem(
            f"a logistic model takes no {name} {value!r}"
            + (f": {why[name]}" if name in why else ""),
            where=f"fit({name}=...)",
            allowed=", ".join(str(one) for one in allowed if one is not None) or "nothing",
            way_out=f"Leave {name} out.",
        )
        for name, value, allowed in asked
        if value not in allowed
    ]
    if problems:
        raise DeclarationError(*problems)


def read_outcomes(design: Design, table: Table, trials: str | None, formula: Formula) -> Outcomes:
    """Successes and trials of every row.

    Raises
    ------
    FitError
        For outcomes other than 0 and 1, shares outside [0, 1], and trials or successes that are
        no whole numbers.
    """
    where, y = f"formula '{formula.text}'", design.y
    if trials is None:
        strange = np.unique(y[(y != 0.0) & (y != 1.0)])
        if strange.size:
            raise FitError(
                Problem(
                    f"the outcome '{formula.outcome}' is not yes or no",
                    where=where,
                    found=", ".join(f"{value:g}" for value in strange[:3])
                    + (", ..." if strange.size > 3 else ""),
                    allowed="0 and 1, or False and True",
                    way_out="Write the share of successes as the outcome and the column of "
                    "trials as weights=..., or code it as 0 and 1.",
                )
            )
        return Outcomes(y, np.ones(len(y)))
    m = table.frame[trials].to_numpy(dtype=float)
    successes = y * m
    whole = np.rint(successes)
    problems = []
    if not np.array_equal(m, np.rint(m)):
        problems.append(Problem(f"the trials '{trials}' are not whole numbers", where=where))
    if np.any((y < 0.0) | (y > 1.0)):
        problems.append(
            Problem(
                f"the outcome '{formula.outcome}' is no share of successes",
                where=where,
                found=f"{y.min():g} to {y.max():g}",
                allowed="0 to 1",
                way_out=f"Divide the successes by '{trials}'.",
            )
        )
    elif not problems and np.any(np.abs(successes - whole) > 1e-6 * np.maximum(whole, 1.0)):
        problems.append(
            Problem(
                f"'{formula.outcome}' times '{trials}' is not a whole number of successes",
                where=where,
                found=f"{float(successes[np.argmax(np.abs(successes - whole))]):g}",
                way_out="Do not round the shares.",
            )
        )
    if problems:
        raise FitError(*problems)
    return Outcomes(whole, m)


def refuse_constant(outcomes: Outcomes, random: RandomPart, where: str) -> None:
    """A grouping whose levels each know one outcome: its variance would be infinite."""
    problems = []
    for group, factor in zip(random.groups, random.factors, strict=True):
        won = np.bincount(factor.codes, outcomes.successes, factor.levels)
        tried = np.bincount(factor.codes, outcomes.trials, factor.levels)
        has_intercept = bool(np.any((factor.Z[0] == factor.Z).all(axis=0)))
        if has_intercept and np.all((won == 0.0) | (won == tried)):
            problems.append(
                Problem(
                    f"within every level of '{group}' all outcomes are alike, so that its variance "
                    "has no largest likelihood",
                    where=where,
                    found=f"{factor.levels} levels",
                    way_out=f"Make a row of every level of '{group}' and leave its random term "
                    "out.",
                )
            )
    if problems:
        raise FitError(*problems)
