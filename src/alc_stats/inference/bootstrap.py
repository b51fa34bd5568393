"""Parametric bootstrap of a mixed model: outcomes from the fit, refitted, again and again."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.estimators.design import Design
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.lmm import LmmState, fit_arrays
from alc_stats.estimators.lmm_certificate import certify
from alc_stats.estimators.memory import memory_of, mixed_state
from alc_stats.inference.bootstrap_draws import BootstrapDraws, tell
from alc_stats.inference.parallel import in_order, worker_problems
from alc_stats.records import FloatArray

Statistic = Callable[[LmmState], Mapping[str, float]]
"""Numbers by name, computed from one refit; the same names every time."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Simulator:
    """Outcomes as a fitted model would have them.

    Attributes
    ----------
    mean : array (n,)
        X coefficients.
    loadings : tuple of arrays (n, q)
        Z times the covariance factor of every grouping.
    state : LmmState
    """

    mean: FloatArray
    loadings: tuple[FloatArray, ...]
    state: LmmState

    def outcome(self, rng: np.random.Generator) -> FloatArray:
        """One outcome (n,): new random effects at every level, new residuals."""
        residuals = rng.standard_normal(len(self.mean))
        if self.state.weights is not None:
            residuals /= np.sqrt(self.state.weights)
        y = self.mean + self.state.sigma * residuals
        for factor, loads in zip(self.state.random.factors, self.loadings, strict=True):
            effects = rng.standard_normal((factor.levels, factor.size))
            y += np.einsum("nq,nq->n", loads, effects[factor.codes])
        return np.asarray(y)


def simulator(state: LmmState, design: Design) -> Simulator:
    """Outcomes of a fitted model on its own rows; residuals of variance sigma^2 / w if weighted."""
    loadings = tuple(
        factor.Z @ (state.sigma * state.relative_factor(f))
        for f, factor in enumerate(state.random.factors)
    )
    return Simulator(design.X @ state.coefficients, loadings, state)


def parametric_bootstrap(
    fit: Fit,
    *,
    statistic: Statistic | None = None,
    n: int = 999,
    seed: int,
    workers: int = 1,
) -> BootstrapDraws:
    """Simulate outcomes from a mixed model, refit it to each, and keep what a statistic says.

    Every replicate has a random stream of its own, so the answer does not depend on the number of
    workers.

    Parameters
    ----------
    fit : Fit
        A mixed model of our own engine, fitted in this session.
    statistic : callable, optional
        From an `LmmState` to numbers by name, such as
        ``lambda state: {"ratio": state.covariance(0)[0, 0] / state.sigma**2}``; by default all
        coefficients, standard deviations and correlations (0 where an SD is at zero). Workers
        need a function defined at the top of a module.
    n : int
        Replicates.
    seed : int
    workers : int
        Processes; the rows are sent to each.

    Returns
    -------
    BootstrapDraws
        A refit that fails, or does not reach an optimum, is a row of nan, counted with its reason,
        and warned of.

    Raises
    ------
    DeclarationError
        For less than one replicate or worker, or a statistic other processes cannot find.
    FitError
        If the fit is unusable, not a mixed model or without memory, or half of the refits fail.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from alc_stats.estimators import fit
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"g": np.repeat(list("abcdefgh"), 6)})
    >>> data["y"] = np.repeat(rng.normal(size=8), 6) + rng.normal(size=48)
    >>> parametric_bootstrap(fit("y ~ 1 + (1 | g)", data), n=19, seed=1).names
    ('Intercept', 'SD of Intercept | g', 'SD of the residual')
    """
    _check(statistic, n, workers)
    require_usable(fit)
    state, design = mixed_state(fit), memory_of(fit).design
    asked = statistic or functools.partial(estimates, names=design.names)
    observed = asked(state)
    job = _Job(simulator(state, design), design, asked, tuple(observed))
    rows, failures = _replicates(job, np.random.SeedSequence(seed).spawn(n), workers)
    tell(failures, n, way_out="Simplify the random part.")
    return BootstrapDraws(
        job.names, np.array(list(observed.values()), dtype=float), rows, dict(failures), seed
    )


def estimates(state: LmmState, *, names: Sequence[str]) -> dict[str, float]:
    """Coefficients, standard deviations, correlations and the residual's SD of a mixed model."""
    found = dict(zip(names, state.coefficients.tolist(), strict=True))
    for term in state.random.terms:
        own = state.covariance(term.factor)[term.columns, term.columns]
        sds = np.sqrt(np.diag(own))
        for name, sd in zip(term.names, sds, strict=True):
            found[f"SD of {name} | {term.group}"] = float(sd)
        if term.correlated:
            found |= _correlations(term.group, term.names, own, sds)
    return found | {"SD of the residual": state.sigma}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Job:
    """What a replicate needs, sent whole to other processes."""

    simulator: Simulator
    design: Design
    statistic: Statistic
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One replicate: its statistics, or why there are none."""

    values: tuple[float, ...]
    failure: str = ""


def _replicates(
    job: _Job, seeds: Sequence[np.random.SeedSequence], workers: int
) -> tuple[FloatArray, Counter[str]]:
    rows = np.full((len(seeds), len(job.names)), np.nan)
    failures: Counter[str] = Counter()
    outcomes = in_order(functools.partial(_one, job), seeds, workers=workers, what="bootstrap")
    for i, outcome in enumerate(outcomes):
        if outcome.failure:
            failures[outcome.failure] += 1
        else:
            rows[i] = outcome.values
    return rows, failures


def _one(job: _Job, seed: np.random.SeedSequence) -> _Outcome:
    y = job.simulator.outcome(np.random.default_rng(seed))
    original = job.simulator.state
    try:
        state = fit_arrays(
            replace(job.design, y=y),
            original.random,
            reml=original.objective.reml,
            weights=original.weights,
        )
    except FitError as error:
        return _Outcome((), error.problems[0].what)
    except np.linalg.LinAlgError as error:
        return _Outcome((), f"linear algebra: {error}")
    names = tuple(str(k) for k in range(len(state.optimum.theta)))
    verdict = certify(state.optimum, names, boundary=(), digits=15.0)
    if not verdict.usable:
        return _Outcome((), verdict.status.replace("_", " "))
    found = job.statistic(state)
    if tuple(found) != job.names:
        raise DeclarationError(
            Problem(
                "the statistic does not name the same numbers every time",
                where="parametric_bootstrap(statistic=...)",
                found=", ".join(found),
                allowed=", ".join(job.names),
            )
        )
    return _Outcome(tuple(float(value) for value in found.values()))


def _correlations(
    group: str, names: Sequence[str], covariance: FloatArray, sds: FloatArray
) -> dict[str, float]:
    pairs = [(i, j) for j in range(len(sds)) for i in range(j)]
    return {
        f"correlation of {names[i]}, {names[j]} | {group}": float(
            np.clip(covariance[i, j] / (sds[i] * sds[j]), -1.0, 1.0) if sds[i] * sds[j] > 0 else 0.0
        )
        for i, j in pairs
    }


def _check(statistic: Statistic | None, n: int, workers: int) -> None:
    where = "parametric_bootstrap({}=...)"
    problems = worker_problems(statistic, workers, where)
    if n < 1:
        problems.append(
            Problem(
                "the bootstrap needs at least one replicate", where=where.format("n"), found=str(n)
            )
        )
    if problems:
        raise DeclarationError(*problems)
