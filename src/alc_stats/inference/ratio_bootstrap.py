"""The bootstrap of a likelihood ratio: outcomes of the smaller model, both models refitted."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alc_stats.errors import DeclarationError, FitError, Problem
from alc_stats.inference.draws import monte_carlo_p, stream_seed
from alc_stats.inference.parallel import in_order

Replicate = Callable[[np.random.Generator], float]
"""The statistic of one outcome drawn from the smaller model."""
_MOST_FAILURES = 0.2
"""Beyond this share of failed refits the rest are no sample of the statistic."""


@dataclass(frozen=True, slots=True)
class BootstrapP:
    """Share of drawn statistics at least as large, its standard error, and how many were drawn."""

    p: float
    monte_carlo_error: float
    draws: int


def bootstrap_p(
    replicate: Replicate, statistic: float, *, draws: int, seed: int, workers: int
) -> BootstrapP:
    """Compare a statistic with that of drawn outcomes.

    Every replicate has a stream of its own, so that workers do not matter. Refits that fail are
    left out, counted and warned of.

    Raises
    ------
    DeclarationError
        For less than one worker.
    FitError
        If a fifth of the refits fail.
    """
    if workers < 1:
        raise DeclarationError(
            Problem(
                "the bootstrap needs at least one worker",
                where="compare(workers=...)",
                found=str(workers),
            )
        )
    seeds = stream_seed(seed, "compare").spawn(draws)
    job = functools.partial(_one, replicate)
    found = np.array(list(in_order(job, seeds, workers=workers, what="bootstrap")))
    usable = found[np.isfinite(found)]
    _tell(draws - len(usable), draws)
    p, error = monte_carlo_p(int(np.sum(usable >= statistic)), len(usable))
    return BootstrapP(p, error, len(usable))


def _one(replicate: Replicate, seed: np.random.SeedSequence) -> float:
    try:
        return replicate(np.random.default_rng(seed))
    except (FitError, np.linalg.LinAlgError):
        return float("nan")


def _tell(failed: int, draws: int) -> None:
    if failed > _MOST_FAILURES * draws:
        raise FitError(
            Problem(
                "too many refits of the bootstrap failed",
                found=f"{failed} of {draws}",
                way_out="Simplify the larger model.",
            )
        )
    if failed:
        warnings.warn(
            f"{failed} of {draws} refits of the bootstrap failed and are left out",
            RuntimeWarning,
            stacklevel=4,
        )
