"""New outcomes from a fitted model, and the model fitted to them again.

Rows, columns and groupings stay; random effects and residuals are drawn anew. Bootstraps and
residual checks stand on this.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.design import Design
from alc_stats.estimators.fit import Fit
from alc_stats.estimators.kernels.lmm_basis import triangle
from alc_stats.estimators.lmm import LmmState, fit_arrays
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.estimators.memory import memory_of, prior_weights
from alc_stats.records import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A Gaussian model at its estimates: what drawing, refitting and checking need.

    Attributes
    ----------
    design : Design
        Outcome (n,) and fixed columns (n, p).
    random : RandomPart or None
        None for least squares.
    reml : bool
    coefficients : array (p,)
    loads : tuple of arrays (n, q)
        Of every grouping: what a row makes of its level's q independent standard normal effects.
    sigma : float
        Residual standard deviation.
    loglik : float
        Log-likelihood, restricted if `reml`.
    weights : array (n,) or None
        Prior weights: residuals have the variance sigma^2 / w.
    """

    design: Design
    random: RandomPart | None
    reml: bool
    coefficients: FloatArray
    loads: tuple[FloatArray, ...]
    sigma: float
    loglik: float
    weights: FloatArray | None = None

    @property
    def mean(self) -> FloatArray:
        """Fixed part of every row (n,)."""
        return np.asarray(self.design.X @ self.coefficients)

    @property
    def explained(self) -> FloatArray:
        """Fixed part of every row (n,) as a distance from its mean over the rows."""
        X = self.design.X
        return np.asarray((X - X.mean(axis=0)) @ self.coefficients)

    @property
    def residual_sd(self) -> FloatArray:
        """Standard deviation (n,) of every row's residual."""
        share = np.ones(len(self.design.y)) if self.weights is None else 1.0 / self.weights
        return np.asarray(self.sigma * np.sqrt(share))

    @property
    def variance(self) -> FloatArray:
        """Variance of every row (n,), random effects and residual together."""
        found = self.residual_sd**2
        for loads in self.loads:
            found += np.einsum("nq,nq->n", loads, loads)
        return found

    def draw(self, stream: np.random.Generator) -> FloatArray:
        """One new outcome (n,): new random effects, new residuals."""
        y = self.mean + self.residual_sd * stream.standard_normal(len(self.design.y))
        if self.random is not None:
            for factor, loads in zip(self.random.factors, self.loads, strict=True):
                effects = stream.standard_normal((factor.levels, factor.size))
                y += np.einsum("nq,nq->n", loads, effects[factor.codes])
        return y

    def again(self, y: FloatArray) -> Fitted:
        """The same model fitted to another outcome (n,) on the same rows."""
        design = replace(self.design, y=y)
        return fitted_arrays(design, self.random, reml=self.reml, weights=self.weights)


def fitted(fit: Fit, *, reml: bool | None = None) -> Fitted:
    """A fit as a model that can be drawn from.

    Parameters
    ----------
    fit : Fit
        Its certificate must be usable and its rows remembered.
    reml : bool, optional
        Which likelihood a least-squares fit is given; mixed models keep their own.

    Raises
    ------
    FitError
        If the fit's rows are gone.
    """
    memory = memory_of(fit)
    if memory.state is None:
        weights = prior_weights(fit)
        return fitted_arrays(memory.design, None, reml=bool(reml), weights=weights)
    return _of_state(memory.design, memory.state)


def fitted_arrays(
    design: Design, random: RandomPart | None, *, reml: bool, weights: FloatArray | None = None
) -> Fitted:
    """Fit a design: by least squares without random terms, else by our own engine."""
    if random is None:
        return _least_squares(design, reml=reml, weights=weights)
    return _of_state(design, fit_arrays(design, random, reml=reml, weights=weights))


def stream_of(seed: int, purpose: str) -> np.random.Generator:
    """The generator of a seed for one purpose.

    Data drawn elsewhere from the same seed share nothing with it.

    Raises
    ------
    DeclarationError
        For a seed that is no whole number from 0.
    """
    return np.random.Generator(np.random.PCG64(stream_seed(seed, purpose)))


def stream_seed(seed: int, purpose: str) -> np.random.SeedSequence:
    """What `stream_of` grows from, to be spawned where every draw has a stream of its own.

    Raises
    ------
    DeclarationError
        For a seed that is no whole number from 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise DeclarationError(
            Problem("the seed is not a whole number from 0", where="seed=...", found=repr(seed))
        )
    return np.random.SeedSequence(int(seed), spawn_key=(zlib.crc32(purpose.encode()),))


def progress(total: int, what: str) -> Iterator[int]:
    """0 ... total - 1, with a bar on standard error if that is a terminal."""
    from tqdm import tqdm

    return iter(tqdm(range(total), desc=what, leave=False, disable=None))


def require_draws(draws: int, seed: int | None, function: str) -> None:
    """Check the arguments of a bootstrap.

    Raises
    ------
    DeclarationError
        For a negative number of draws, or draws without a seed.
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 0:
        raise DeclarationError(
            Problem(
                "the number of draws is not a whole number from 0",
                where=f"{function}(bootstrap=...)",
                found=repr(draws),
            )
        )
    if draws and seed is None:
        raise DeclarationError(
            Problem(
                "a bootstrap needs a seed",
                where=f"{function}(seed=...)",
                way_out="Give a whole number, so that the same draws come back.",
            )
        )
    if seed is not None:
        stream_of(seed, function)


def monte_carlo_p(at_least: int, draws: int) -> tuple[float, float]:
    """P = (1 + draws at least as extreme) / (1 + draws), and its Monte Carlo standard error."""
    p = (1 + at_least) / (1 + draws)
    return p, float(np.sqrt(p * (1.0 - p) / draws))


def _of_state(design: Design, state: LmmState) -> Fitted:
    lam = state.objective.template.unpack(state.optimum.theta)
    return Fitted(
        design,
        state.random,
        state.objective.reml,
        state.coefficients,
        tuple(_loads(state, f, L) for f, L in enumerate(lam)),
        state.sigma,
        state.loglik,
        state.weights,
    )


def _loads(state: LmmState, f: int, lam: FloatArray) -> FloatArray:
    """Rows' loads (n, q), by way of the standardised columns: origins and units cost no digits."""
    Z = state.random.factors[f].Z
    columns = np.empty(Z.T.shape)
    state.scales.random[f].rows(Z, out=columns)
    return np.asarray(state.sigma * columns.T @ lam)


def _least_squares(design: Design, *, reml: bool, weights: FloatArray | None) -> Fitted:
    """(Restricted) maximum likelihood without random terms: the engine's deviance at lam = 0."""
    n, p = design.X.shape
    root = np.ones(n) if weights is None else np.sqrt(weights)
    R = triangle(np.column_stack([design.X, design.y]) * root[:, None])
    residual = float(R[p, p] ** 2)
    degrees = n - p if reml else n
    deviance = degrees * (1.0 + np.log(2.0 * np.pi * residual / degrees))
    deviance -= 2.0 * float(np.log(root).sum())
    if reml:
        deviance += 2.0 * float(np.log(np.abs(np.diag(R)[:p])).sum())
    coefficients: FloatArray = np.asarray(np.linalg.solve(R[:p, :p], R[:p, p]), dtype=float)
    sigma = float(np.sqrt(residual / degrees))
    return Fitted(design, None, reml, coefficients, (), sigma, -0.5 * float(deviance), weights)


def require_unweighted(fit: Fit, what: str) -> None:
    """Refuse a fit with prior weights where one residual variance is asked for.

    Raises
    ------
    FitError
    """
    if prior_weights(fit) is not None:
        raise FitError(
            Problem(
                f"rows of different weights have no common residual variance, hence no {what}",
                where=f"fit of '{fit.request.formula}'",
                way_out="Fit it without weights.",
            )
        )
