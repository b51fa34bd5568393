"""Whether a combination of columns separates the outcomes, so that no maximum exists.

Albert and Anderson (1984): the likelihood of a logistic regression has no maximum exactly if some
combination of the columns is never on the wrong side of any row's outcome. Random effects do not
help: given them, the same combination still makes every outcome more likely.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize

from alc_stats.errors import FitError, Problem
from alc_stats.estimators.kernels.logistic_law import Outcomes
from alc_stats.records import FloatArray

_INVOLVED = 1e-6
"""A weight below this share of the largest takes no part in the separating combination."""
_APART = 1e-6
"""A row nearer than this to the separating plane, of columns of size one, lies on it."""


def refuse_separation(outcomes: Outcomes, X: FloatArray, names: Sequence[str], where: str) -> None:
    """Raise a FitError that names the columns, if a combination of X (n, p) separates.

    Raises
    ------
    FitError
        For complete separation (no row on the plane) and quasi-complete separation.
    """
    scaled = X / np.abs(X).max(axis=0)
    signed = np.concatenate(
        [scaled[outcomes.successes > 0.0], -scaled[outcomes.successes < outcomes.trials]]
    )
    sides = np.unique(signed, axis=0)
    found = _widest(sides)
    complete = found is not None
    if found is None:
        found = _farthest(sides)
    if found is None:
        return
    weights = np.abs(found)
    involved = [n for n, w in zip(names, weights, strict=True) if w > _INVOLVED * weights.max()]
    columns = [name for name in involved if name != "Intercept"] or involved
    told = int(np.sum(signed @ found > _APART))
    raise FitError(
        Problem(
            f"{', '.join(columns)} {'separate' if len(columns) > 1 else 'separates'} the two "
            "outcomes, so that no largest likelihood exists",
            where=where,
            found="complete separation: every outcome is told with certainty"
            if complete
            else f"quasi-complete separation: at least {told} of {len(signed)} outcomes are told "
            "with certainty",
            way_out="Leave the column out, merge the levels in which all outcomes are alike, or "
            "model the rows where they are not.",
        )
    )


def _widest(sides: FloatArray) -> FloatArray | None:
    """The combination (p,) that keeps all rows farthest from its plane; None if none does."""
    n, p = sides.shape
    found = optimize.linprog(
        np.append(np.zeros(p), -1.0),
        A_ub=np.column_stack([-sides, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[*[(-1.0, 1.0)] * p, (0.0, 1.0)],
    )
    return None if found.x is None or found.x[-1] <= _APART else np.asarray(found.x[:-1])


def _farthest(sides: FloatArray) -> FloatArray | None:
    """The combination (p,) with no row on the wrong side and most distance in all; None if none."""
    found = optimize.linprog(
        -sides.sum(axis=0), A_ub=-sides, b_ub=np.zeros(len(sides)), bounds=(-1.0, 1.0)
    )
    return None if found.x is None or -float(found.fun) <= _APART else np.asarray(found.x)
