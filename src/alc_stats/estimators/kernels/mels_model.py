"""A location-scale model as a function of its parameters, on standardised scales.

The parameter vector holds, in this order: beta (p,) of the location; tau (w,) of the log SD of
rows; alpha (u,) of the log SD of the intercept, beyond its constant; the free entries of L, the
lower triangular factor of the location effects; lam (q,) and sigma, which make the scale effect
lam'eta + sigma zeta of independent unit effects eta (of the location) and zeta; phi of the errors;
for firms above the persons their location SD, and the two parts of their scale effect likewise;
quad, which adds quad eta^2 to the scale effect of persons; tail, sqrt(2 / (df - 2)) of errors of a
t law.
Neither a variance of zero nor a correlation of one is a singular point of these.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from alc_stats.records import BoolArray, FloatArray, IntArray

BLOCKS = 16
"""Blocks of persons: enough to keep the threads of any desktop busy, and always the same."""
FEW_ROWS = 4_000
"""So few rows are done with before a thread has started."""
GAUSSIAN = 31
"""Nodes up to which Gauss and Hermite's are taken."""
PRIOR_REACH = 7.0
"""Standard deviations of the prior that leave 1e-11 outside."""
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
        Lengths of beta, tau, alpha, the free entries of L, lam, sigma (0 or 1), phi (0 or 1),
        the firms' location SD, lam and sigma, quad and tail (0 or 1 each).
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
        place = PARTS.index(name)
        first = sum(self.sizes[:place])
        return slice(first, first + self.sizes[place])

    def has(self, name: str) -> bool:
        """Whether the model has the part called `name`."""
        return self.sizes[PARTS.index(name)] > 0

    def unpack(self, psi: FloatArray) -> Parts:
        """The parameter vector by name."""
        beta, tau, alpha, free, lam = (psi[self.part(name)] for name in PARTS[:5])
        sigma, phi, *firm, quad, tail = (float(psi[self.part(name)].sum()) for name in PARTS[5:])
        q = int(self.rows.max(initial=-1)) + 1
        L: FloatArray = np.zeros((q, q))
        L[self.rows, self.columns] = free
        scale = float(np.sqrt(lam @ lam + sigma**2 + 2.0 * quad**2))
        rho = lam / max(scale, SMALLEST_SCALE) if lam.size else np.zeros(q)
        return Parts(beta, tau, alpha, L, lam, sigma, phi, scale, rho, tuple(firm), quad, tail)

    @property
    def sds(self) -> tuple[int, ...]:
        """Places of the parameters that are SDs, or like one, and may be zero."""
        pivots = self.part("free").start + np.flatnonzero(self.rows == self.columns)
        alone = [self.part(name) for name in ("sigma", "firm_location", "firm_sigma", "tail")]
        return (*(p.start for p in alone if p.stop > p.start), *(int(place) for place in pivots))

    def held_with(self, place: int) -> BoolArray:
        """What an SD of zero at `place` leaves without meaning (P,), itself included.

        For a pivot of L its column and its covariance with the scale effect, likewise for firms:
        without a location effect, both parts of the scale effect are the same.
        """
        held = np.zeros(self.length, dtype=bool)
        held[place] = True
        entries = self.part("free")
        if entries.start <= place < entries.stop:
            column = int(self.columns[place - entries.start])
            held[entries] = self.columns == column
            if self.sizes[4]:
                held[self.part("lam").start + column] = True
            held[self.part("quad")] = True
        if place == self.part("firm_location").start and self.sizes[7]:
            held[self.part("firm_lam")] = True
        return held

    def upright(self, psi: FloatArray) -> FloatArray:
        """The same model with no SD below zero."""
        psi = psi.copy()
        free = psi[self.part("free")]
        turned = self.columns[(self.rows == self.columns) & (free < 0.0)]
        psi[self.part("free")] = free * np.where(np.isin(self.columns, turned), -1.0, 1.0)
        lam = psi[self.part("lam")]
        lam[turned[turned < lam.size]] *= -1.0
        if psi[self.part("firm_location")].sum() < 0.0:
            psi[self.part("firm_lam")] *= -1.0
        for name in ("sigma", "firm_location", "firm_sigma", "tail"):
            psi[self.part(name)] = np.abs(psi[self.part(name)])
        return psi


PARTS = ("beta", "tau", "alpha", "free", "lam", "sigma", "phi",
         "firm_location", "firm_lam", "firm_sigma", "quad", "tail")  # fmt: skip
"""Names of the parts of the parameter vector, in order."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A parameter vector by name; `scale_sd` is the SD of the scale effect, in log SD.

    `rho` (q,) are the correlations of the unit location effects with the scale effect; `firm`
    are the firms' location SD and the parts of their scale effect, zero without firms.
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
    firm: tuple[float, ...] = (0.0, 0.0, 0.0)
    quad: float = 0.0
    tail: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Where each person's integral is evaluated: K standard nodes, moved and spread by person.

    No person's are spread by less than `floor`, unless its posterior is narrow.
    """

    standard: FloatArray
    log_weights: FloatArray
    floor: float
    modes: FloatArray
    spreads: FloatArray

    @property
    def count(self) -> int:
        """Nodes of an effect."""
        return len(self.standard)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """The log-likelihood at one parameter vector.

    Attributes
    ----------
    loglik : float
    scores : array (units, P)
        Derivatives of every unit's log-likelihood.
    nodes : object
        As used.
    """

    loglik: float
    scores: FloatArray
    nodes: Any

    @property
    def gradient(self) -> FloatArray:
        """Derivatives (P,) of the log-likelihood."""
        return np.asarray(self.scores.sum(axis=0))

    @property
    def outer(self) -> FloatArray:
        """Sum over units of the outer product of their scores (P, P)."""
        return np.asarray(self.scores.T @ self.scores)


def standard_nodes(count: int) -> tuple[FloatArray, FloatArray]:
    """Nodes of the standard normal and their log weights, the middle one first.

    Gauss and Hermite's, which are few where a posterior is nearly normal; above `GAUSSIAN` of them
    an even grid, which converges as fast for one that is skewed or has two modes.
    """
    if count <= GAUSSIAN:
        at, weights = np.polynomial.hermite_e.hermegauss(count)
        log_weights = np.log(weights / np.sqrt(2.0 * np.pi))
    else:
        reach = np.sqrt(1.3 * count)
        at = np.linspace(-reach, reach, count)
        log_weights = -0.5 * at**2 + np.log((at[1] - at[0]) / np.sqrt(2.0 * np.pi))
    order = np.argsort(np.abs(at), kind="stable")
    return at[order], log_weights[order]


def floor_of(standard: FloatArray) -> float:
    """Least spread of nodes: an even grid reaches from any mode as far as the prior does."""
    return PRIOR_REACH / float(np.abs(standard).max()) if len(standard) > GAUSSIAN else 0.0


class Likelihood(Protocol):
    """What the search climbs: a log-likelihood that is a sum over independent units."""

    @property
    def shape(self) -> Shape:
        """Of the parameters."""
        ...

    @property
    def units(self) -> int:
        """Independent units: persons, or firms."""
        ...

    def first_nodes(self, count: int) -> Any:
        """Nodes of the integrals, to be moved to their places at the first evaluation."""
        ...

    def renewed(self, nodes: Any, count: int) -> Any:
        """The same places with another number of nodes."""
        ...

    def evaluate(self, psi: FloatArray, nodes: Any, *, relocate: bool) -> Evaluated:
        """Log-likelihood and scores; `relocate` moves the nodes to the modes at `psi` first."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MelsModel:
    """Rows and the shape of the parameters: everything the likelihood is a function of."""

    rows: PersonRows
    shape: Shape

    @property
    def units(self) -> int:
        """Independent units: persons."""
        return self.rows.persons

    def first_nodes(self, count: int) -> Nodes:
        """Nodes to be moved to every person's mode at the first evaluation."""
        none = np.empty(0)
        return self.renewed(
            Nodes(none, none, 0.0, np.zeros(self.units), np.ones(self.units)), count
        )

    def renewed(self, nodes: Nodes, count: int) -> Nodes:
        """The same places with another number of nodes."""
        standard, log_weights = standard_nodes(count)
        return replace(nodes, standard=standard, log_weights=log_weights, floor=floor_of(standard))

    def evaluate(self, psi: FloatArray, nodes: Nodes, *, relocate: bool) -> Evaluated:
        """Log-likelihood and scores; `relocate` moves the nodes to the modes at `psi` first."""
        from alc_stats.estimators.kernels.mels_persons import persons

        r, at = self.rows, self.shape.unpack(psi)
        modes, spreads = nodes.modes.copy(), nodes.spreads.copy()
        logliks, scores = np.empty(r.persons), np.empty((r.persons, self.shape.length))

        def block(low: int, high: int) -> None:
            persons(
                low, high, r.offsets, r.y, r.X, r.W, r.U, r.Z, r.gap, r.log_unit,
                at.beta, at.tau, at.alpha, r.scaled, at.L, at.lam, at.sigma, at.rho, at.scale_sd,
                at.phi, self.shape.rows, self.shape.columns,
                nodes.standard, nodes.log_weights, nodes.floor, modes, spreads, relocate, logliks,
                scores,
            )  # fmt: skip

        shared(block, blocks_of(r.offsets), few=r.offsets[-1] < FEW_ROWS)
        return Evaluated(float(logliks.sum()), scores, replace(nodes, modes=modes, spreads=spreads))


def blocks_of(offsets: IntArray) -> list[tuple[int, int]]:
    """Persons cut into at most BLOCKS blocks of about equally many rows."""
    targets = np.linspace(0, offsets[-1], BLOCKS + 1)
    cuts = np.unique(np.searchsorted(offsets, targets))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))


def shared(
    block: Callable[[int, int], None], blocks: list[tuple[int, int]], *, few: bool = False
) -> None:
    """Run `block` over all blocks, on as many threads as there are cores, or one for a few rows."""
    workers = 1 if few else min(os.cpu_count() or 1, len(blocks))
    if workers == 1:
        for low, high in blocks:
            block(low, high)
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(block, *zip(*blocks, strict=True)))
