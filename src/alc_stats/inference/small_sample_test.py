"""The test of a contrast that few clusters can bear, chosen by the design and stated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, Problem
from alc_stats.estimators.design import codes
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.robust import cluster_columns
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.randomisation import Randomisation, randomisation_test
from alc_stats.inference.refitting import refitted, rows_of
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.inference.wild_bootstrap import WildBootstrap, wild_cluster_bootstrap


@dataclass(frozen=True, slots=True)
class SmallSampleTest:
    """A contrast tested as its design demands.

    Attributes
    ----------
    choice : SmallSampleChoice
        The method, and the sentence that says why.
    p : float
        The headline, two-sided.
    estimate : Estimate
        With CR2 and Satterthwaite degrees of freedom (Kenward and Roger's where that is the
        method): what intervals and `decide` take.
    detail : WildBootstrap, Randomisation or None
        Where the headline is not the estimate's own p.
    """

    choice: SmallSampleChoice
    p: float
    estimate: Estimate
    detail: WildBootstrap | Randomisation | None


def small_sample_test(
    fit: Fit,
    expression: str,
    *,
    cluster: str | None = None,
    treatment: str | None = None,
    strata: str | None = None,
    n: int = 1999,
    seed: int,
) -> SmallSampleTest:
    """Test a contrast by the method `small_sample_choice` names for its clusters.

    Parameters
    ----------
    fit : Fit
        Least squares or a mixed model that has read its clusters.
    expression : str
        As for `contrast`.
    cluster : str, optional
        The fit's own clusters by default.
    treatment : str, optional
        Column of a treatment in `expression`. Where whole clusters have it and five or fewer are
        on one side, the test re-assigns it.
    strata : str, optional
        Column within which the treatment was assigned.
    n : int
        Draws or assignments.
    seed : int

    Raises
    ------
    DeclarationError, FormulaError, TableError, FitError
        As `wild_cluster_bootstrap`, `randomisation_test` and `contrast`.

    Examples
    --------
    >>> from alc_stats.estimators import fit as fit_model
    >>> data = pd.DataFrame({"firm": list("aabbccddeeff"), "ai": [0.0] * 6 + [1.0] * 6,
    ...     "y": [1.0, 2, 2, 3, 1, 2, 5, 6, 4, 6, 5, 7]})
    >>> m = fit_model("y ~ ai", data, covariance="CR2", cluster="firm")
    >>> found = small_sample_test(m, "ai", treatment="ai", seed=1)
    >>> found.choice.method, found.p
    ('randomisation', 0.1)
    """
    require_usable(fit)
    frame, name = rows_of(fit), cluster or fit.request.cluster
    level, number = _clusters(frame, name)
    treated = None if treatment is None else _on_one_side(frame, treatment, level)
    mixed = fit.request.method != "least squares"
    choice = small_sample_choice(number, treated=treated, mixed=mixed)
    if choice.method == "kenward-roger":
        estimate = contrast(refitted(fit, frame, covariance="model", cluster=None,
                                     df="kenward-roger", method="REML"), expression)  # fmt: skip
        return SmallSampleTest(choice, estimate.p_value, estimate, None)
    robust = refitted(fit, frame, covariance="CR2", cluster=name, df="satterthwaite")
    estimate = contrast(robust, expression)
    detail: WildBootstrap | Randomisation | None = None
    if choice.method == "randomisation" and treatment is not None:
        detail = randomisation_test(
            robust, expression, treatment=treatment, strata=strata, n=n, seed=seed
        )
    elif choice.method == "wild bootstrap":
        detail = wild_cluster_bootstrap(robust, expression, n=n, seed=seed)
    return SmallSampleTest(
        choice, estimate.p_value if detail is None else detail.p, estimate, detail
    )


def _clusters(frame: pd.DataFrame, name: str) -> tuple[np.ndarray, int]:
    columns = cluster_columns(name, frame) if name else []
    if not columns or any(column not in frame.columns for column in columns):
        raise DeclarationError(
            Problem(
                "the fit has not read its clusters",
                where="small_sample_test(cluster=...)",
                found=name or "none named",
                way_out="Fit with covariance='CR2', cluster='...'.",
            )
        )
    return codes(frame, columns)


def _on_one_side(frame: pd.DataFrame, treatment: str, level: np.ndarray) -> int | None:
    """Clusters of the rarer of two treatments; None where it varies within clusters."""
    if treatment not in frame.columns:
        raise DeclarationError(
            Problem(
                f"the fit did not read the column '{treatment}'",
                where="small_sample_test(treatment=...)",
            )
        )
    given = pd.factorize(frame[treatment])[0]
    pairs = np.unique(np.column_stack([level, given]), axis=0)
    if len(pairs) > int(level.max()) + 1:
        return None
    counts = np.bincount(pairs[:, 1], minlength=2)
    return int(counts[0]) if len(counts) == 2 else None
