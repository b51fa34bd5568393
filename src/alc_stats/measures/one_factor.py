"""One common factor behind several items, by maximum likelihood, and omega with its error.

Items x = m + loadings f + e with Var f = 1 and independent e of variances `uniquenesses`. The error
of every function of the parameters comes from what each person contributes to the covariances, so
that it holds for answers on a few steps, whose fourth moments are not those of the normal (Browne
1984), and adds up over clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import FitError, Problem
from alc_stats.records import FloatArray

_SMALLEST = 0.005
"""Share of an item's variance below which its uniqueness has run into zero (R's factanal)."""
_STEPS = 100
_STILL = 1e-11


@dataclass(frozen=True, slots=True, eq=False)
class OneFactor:
    """A one-factor model of k items, in the items' own units.

    Attributes
    ----------
    loadings, uniquenesses : arrays (k,)
    chi_square : float
        n times the discrepancy of observed and modelled covariances; the usual test of one factor
        if answers are normal.
    df : int
        k (k - 3) / 2.
    srmr : float
        Root mean square of the residual correlations, the diagonal counted.
    """

    loadings: FloatArray
    uniquenesses: FloatArray
    chi_square: float
    df: int
    srmr: float

    @property
    def omega(self) -> float:
        """Share of the common factor in the variance of the sum of the items (McDonald 1999)."""
        common = float(self.loadings.sum()) ** 2
        return common / (common + float(self.uniquenesses.sum()))


def one_factor(values: FloatArray, names: Sequence[str]) -> OneFactor:
    """The model of complete answers `values` (n, k), k >= 3.

    Raises
    ------
    FitError
        For fewer than three items, dependent items, or an item whose uniqueness runs into zero.
    """
    where = f"one factor of {', '.join(names)}"
    n, k = values.shape
    if k < 3:
        raise FitError(
            Problem("one factor needs three items or more", where=where, found=f"{k} items",
                    way_out="Two items have alpha only.")
        )  # fmt: skip
    spread = values.std(axis=0)
    R = np.asarray(np.corrcoef(values, rowvar=False), dtype=float)
    if np.linalg.eigvalsh(R)[0] < 1e-10:
        raise FitError(Problem("the items are linearly dependent", where=where))
    loadings, unique = solved(R, names)
    implied = np.outer(loadings, loadings) + np.diag(unique)
    discrepancy = np.linalg.slogdet(implied)[1] - np.linalg.slogdet(R)[1]
    discrepancy += float(np.trace(np.linalg.solve(implied, R))) - k
    residual = (R - implied)[np.tril_indices(k)]
    return OneFactor(
        loadings * spread, unique * spread**2, n * max(float(discrepancy), 0.0),
        k * (k - 3) // 2, float(np.sqrt(np.mean(residual**2))),
    )  # fmt: skip


def solved(R: FloatArray, names: Sequence[str]) -> tuple[FloatArray, FloatArray]:
    """Loadings and uniquenesses (k,) of a covariance matrix (k, k) by maximum likelihood.

    The likelihood's profile over the uniquenesses is searched (Joreskog 1967), then Fisher's
    scoring removes the last digits of the search.

    Raises
    ------
    FitError
        For a uniqueness that runs into zero, or a search that does not come to rest.
    """
    from scipy import optimize

    variance = np.diag(R)
    lowest = _SMALLEST * variance
    start = np.maximum((1.0 - 0.5 / len(R)) / np.diag(np.linalg.inv(R)), 2.0 * lowest)
    found = optimize.minimize(
        lambda unique: _profile(R, unique), start, jac=True, method="L-BFGS-B",
        bounds=list(zip(lowest, variance, strict=True)), options={"maxiter": 1000},
    )  # fmt: skip
    unique = np.asarray(found.x, dtype=float)
    _refuse_improper(unique, lowest, names)
    return _scored(R, _loadings(R, unique), unique, names)


def influence(model: OneFactor, values: FloatArray) -> FloatArray:
    """What every person contributes to omega's error (n,): Var(omega) is its mean square over n."""
    L, T = float(model.loadings.sum()), float(model.uniquenesses.sum())
    total = L**2 + T
    slope = np.concatenate(
        [np.full(len(model.loadings), 2.0 * L * T / total**2),
         np.full(len(model.loadings), -(L**2) / total**2)]
    )  # fmt: skip
    inverse = _inverse(model.loadings, model.uniquenesses)
    z = (values - values.mean(axis=0)) @ inverse
    own = np.hstack([z * (z @ model.loadings)[:, None], z**2 / 2.0])
    weights = np.linalg.solve(_information(inverse, model.loadings), slope)
    return np.asarray((own - own.mean(axis=0)) @ weights)


def _profile(R: FloatArray, unique: FloatArray) -> tuple[float, FloatArray]:
    """Discrepancy at the best loadings for these uniquenesses, and its gradient."""
    root = np.sqrt(unique)
    values, vectors = np.linalg.eigh(R / np.outer(root, root))
    rest = values[:-1]
    discrepancy = float(np.sum(rest - np.log(rest))) - len(rest)
    loadings = root * vectors[:, -1] * np.sqrt(max(values[-1] - 1.0, 0.0))
    return discrepancy, (loadings**2 + unique - np.diag(R)) / unique**2


def _loadings(R: FloatArray, unique: FloatArray) -> FloatArray:
    """The best loadings for these uniquenesses, most of them positive."""
    root = np.sqrt(unique)
    values, vectors = np.linalg.eigh(R / np.outer(root, root))
    loadings = root * vectors[:, -1] * np.sqrt(max(values[-1] - 1.0, 0.0))
    return np.asarray(loadings if loadings.sum() >= 0.0 else -loadings)


def _scored(
    R: FloatArray, loadings: FloatArray, unique: FloatArray, names: Sequence[str]
) -> tuple[FloatArray, FloatArray]:
    k = len(R)
    for _ in range(_STEPS):
        inverse = _inverse(loadings, unique)
        excess = inverse @ R @ inverse - inverse
        score = np.concatenate([excess @ loadings, np.diag(excess) / 2.0])
        try:
            step = np.linalg.solve(_information(inverse, loadings), score)
        except np.linalg.LinAlgError:
            break
        loadings, unique = loadings + step[:k], unique + step[k:]
        _refuse_improper(unique, np.zeros(k), names)
        if np.abs(step).max() < _STILL:
            return loadings, unique
    raise FitError(
        Problem("the one-factor model does not come to rest", where=f"items {', '.join(names)}",
                way_out="The items share too little, or not one thing: look at their correlations.")
    )  # fmt: skip


def _inverse(loadings: FloatArray, unique: FloatArray) -> FloatArray:
    """Inverse of the modelled covariances (k, k)."""
    implied = np.outer(loadings, loadings) + np.diag(unique)
    return np.asarray(np.linalg.inv(implied), dtype=float)


def _information(inverse: FloatArray, loadings: FloatArray) -> FloatArray:
    """Of a person on loadings and uniquenesses (2k, 2k)."""
    turned = inverse @ loadings
    own = float(loadings @ turned) * inverse + np.outer(turned, turned)
    mixed = inverse * turned[None, :]
    return np.asarray(np.block([[own, mixed], [mixed.T, inverse**2 / 2.0]]), dtype=float)


def _refuse_improper(unique: FloatArray, lowest: FloatArray, names: Sequence[str]) -> None:
    lost = [name for name, u, low in zip(names, unique, lowest, strict=True) if u <= low * 1.001]
    if lost:
        raise FitError(
            Problem("the one-factor model is improper: an item's own variance runs into zero",
                    where=f"items {', '.join(names)}", found=f"'{lost[0]}'",
                    way_out="The items do not share one factor, or too few people answered.")
        )  # fmt: skip
