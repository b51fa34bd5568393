"""A location-scale model as a function of its parameters, on standardised scales.

The parameter vector holds, in this order: beta (p,) of the location; tau (w,) of the log SD of
rows; alpha (u,) of the log SD of the intercept, beyond its constant; the free entries of L, the
lower triangular factor of the location effects; lam (q,) and sigma, which make the scale effect
lam'eta + sigma zeta of independent unit effects eta (of the location) and zeta; phi of the errors.
Neither a variance of zero nor a correlation of one is a singular point of these.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.records import FloatArray, IntArray

BLOCKS = 16
"""Blocks of persons: enough to keep the threads of any desktop busy, and always the same."""
FEW_ROWS = 4_000
"""So few rows are done with before a thread has started."""
SMALLEST_SCALE = 1e-12
"""Scale SD at which correlations with it are no longer formed."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonRows:
    """Standardised rows, a person's side by side.

    Attributes
    ----------
    offsets : int array (M + 1,)
        Where each person's rows begin.
    y : array (N,)
    X, W, U, Z : arrays (N, p), (N, w), (N, u), (N, q)
        Columns of location, log SD, log SD of the scaled random column, and location effects.
    gap : array (N,)
        Time since the row before; used with autoregressive errors only.
    log_unit : float
        Log of the unit the outcome was divided by.
    scaled : int
        The column of Z whose SD `U` multiplies; -1 for none.
    """

    offsets: IntArray
    y: FloatArray
    X: FloatArray
    W: FloatArray
    U: FloatArray
    Z: FloatArray
    gap: FloatArray
    log_unit: float
    scaled: int

    @property
    def persons(self) -> int:
        """Number of persons M."""
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """How the parameter vector is cut.

    Attributes
    ----------
    sizes : tuple of int
        Lengths of beta, tau, alpha, the free entries of L, lam, sigma (1) and phi (0 or 1).
    rows, columns : int arrays
        Places of the free entries in L, column by column.
    """

    sizes: tuple[int, ...]
    rows: IntArray
    columns: IntArray

    @property
    def length(self) -> int:
        """Parameters P."""
        return sum(self.sizes)

    def part(self, name: str) -> slice:
        """Where the part called `name` stands."""
        place = _PARTS.index(name)
        first = sum(self.sizes[:place])
        return slice(first, first + self.sizes[place])

    def unpack(self, psi: FloatArray) -> Parts:
        """The parameter vector by name."""
        beta, tau, alpha, free, lam, sigma, phi = (psi[self.part(name)] for name in _PARTS)
        q = int(self.rows.max(initial=-1)) + 1
        L = np.zeros((q, q))
        L[self.rows, self.columns] = free
        scale = float(np.sqrt(lam @ lam + sigma[0] ** 2))
        rho = lam / max(scale, SMALLEST_SCALE) if lam.size else np.zeros(q)
        phi_now = float(phi[0]) if phi.size else 0.0
        return Parts(beta, tau, alpha, L, lam, float(sigma[0]), phi_now, scale, rho)


_PARTS = ("beta", "tau", "alpha", "free", "lam", "sigma", "phi")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A parameter vector by name; `scale_sd` is the SD of the scale effect, in log SD.

    `rho` (q,) are the correlations of the unit location effects with the scale effect.
    """

    beta: FloatArray
    tau: FloatArray
    alpha: FloatArray
    L: FloatArray
    lam: FloatArray
    sigma: float
    phi: float
    scale_sd: float
    rho: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Where each person's integral is evaluated: K standard nodes, moved and spread by person."""

    standard: FloatArray
    log_weights: FloatArray
    modes: FloatArray
    spreads: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """The log-likelihood at one parameter vector.

    Attributes
    ----------
    loglik : float
    scores : array (M, P)
        Derivatives of every person's log-likelihood.
    nodes : Nodes
        As used.
    """

    loglik: float
    scores: FloatArray
    nodes: Nodes

    @property
    def gradient(self) -> FloatArray:
        """Derivatives (P,) of the log-likelihood."""
        return np.asarray(self.scores.sum(axis=0))

    @property
    def outer(self) -> FloatArray:
        """Sum over persons of the outer product of their scores (P, P)."""
        return np.asarray(self.scores.T @ self.scores)


def first_nodes(count: int, persons: int) -> Nodes:
    """Nodes of the standard normal, to be moved to every person's mode at the first evaluation."""
    return renewed(Nodes(np.empty(0), np.empty(0), np.zeros(persons), np.ones(persons)), count)


def renewed(nodes: Nodes, count: int) -> Nodes:
    """The same places with another number of nodes, from the middle outwards."""
    at, weights = np.polynomial.hermite_e.hermegauss(count)
    order = np.argsort(np.abs(at), kind="stable")
    log_weights = np.log(weights[order] / np.sqrt(2.0 * np.pi))
    return replace(nodes, standard=at[order], log_weights=log_weights)


@dataclass(frozen=True, slots=True, eq=False)
class MelsModel:
    """Rows and the shape of the parameters: everything the likelihood is a function of."""

    rows: PersonRows
    shape: Shape

    def scale_sd(self, psi: FloatArray) -> float:
        """SD of the scale effect, in log SD."""
        return self.shape.unpack(psi).scale_sd

    def evaluate(self, psi: FloatArray, nodes: Nodes, *, relocate: bool) -> Evaluated:
        """Log-likelihood and scores; `relocate` moves the nodes to the modes at `psi` first."""
        from alc_stats.estimators.kernels.mels_persons import persons

        r, at = self.rows, self.shape.unpack(psi)
        modes, spreads = nodes.modes.copy(), nodes.spreads.copy()
        logliks, scores = np.empty(r.persons), np.empty((r.persons, self.shape.length))
        q = r.Z.shape[1]
        L = at.L if q else np.zeros((0, 0))

        def block(low: int, high: int) -> None:
            persons(
                low, high, r.offsets, r.y, r.X, r.W, r.U, r.Z, r.gap, r.log_unit,
                at.beta, at.tau, at.alpha, r.scaled, L, at.lam, at.sigma, at.rho, at.scale_sd,
                at.phi, bool(self.shape.sizes[-1]), self.shape.rows, self.shape.columns,
                nodes.standard, nodes.log_weights, modes, spreads, relocate, logliks, scores,
            )  # fmt: skip

        _shared(block, blocks_of(r.offsets), few=r.offsets[-1] < FEW_ROWS)
        return Evaluated(float(logliks.sum()), scores, replace(nodes, modes=modes, spreads=spreads))


def blocks_of(offsets: IntArray) -> list[tuple[int, int]]:
    """Persons cut into at most BLOCKS blocks of about equally many rows."""
    targets = np.linspace(0, offsets[-1], BLOCKS + 1)
    cuts = np.unique(np.searchsorted(offsets, targets))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))


def _shared(block: Callable[[int, int], None], blocks: list[tuple[int, int]], *, few: bool) -> None:
    """Run `block` over all blocks, on as many threads as there are cores, or one for a few rows."""
    workers = 1 if few else min(os.cpu_count() or 1, len(blocks))
    if workers == 1:
        for low, high in blocks:
            block(low, high)
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(block, *zip(*blocks, strict=True)))
