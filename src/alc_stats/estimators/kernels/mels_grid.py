"""A location-scale model integrated over two effects of a person, some of its rows visited.

For errors that do not integrate in closed form: rows at a bound of a censored normal, rows of a t
law, and normal rows whose scale effect goes with the square of the location effect. At most one
location effect; without effects every row is a person of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alc_stats.estimators.kernels.mels_model import (
    GAUSSIAN,
    Evaluated,
    Nodes,
    PersonRows,
    Shape,
    blocks_of,
    shared,
    standard_nodes,
)
from alc_stats.records import FloatArray, IntArray

RANGE_OF_EFFECTS = 7.5
"""Effects of unit variance are within this, but for a part in 10^13."""
_EACH = {7: 7, 11: 9, 15: 13, 21: 17, 31: 25, 61: 45, 101: 65, 181: 91}
"""Nodes of each of two effects where one effect alone would have as many as the key says."""
_SHARES = {7: 0.7, 11: 0.65, 15: 0.6, 21: 0.55, 31: 0.5, 61: 0.44, 101: 0.37, 181: 0.32}
"""Steps of even sums over both effects in a person's narrowest SDs; they take the place of nodes
where the square of the location effect is part of the scale effect."""
_STRETCH, _REACH = 0.6, 2.2
"""How fast nodes beyond those move apart, and how far out they reach over the root of their
number, in SDs: errors of leaving out tails and of stepping over peaks are about alike."""


@dataclass(frozen=True, slots=True, eq=False)
class GridNodes(Nodes):
    """Nodes of z and, at each of them, of v; see `mels_visits`.

    Attributes
    ----------
    modes, spreads : arrays (M, 1 + K)
        Of z, then of v at every node of z.
    inner, log_inner : arrays (I,)
        Nodes of v.
    turn : pair of float
        Shares of z and v in the location effect.
    share : float
        Step of even sums in SDs of a person's effects; 0 where there are nodes instead.
    """

    inner: FloatArray
    log_inner: FloatArray
    turn: tuple[float, float]
    share: float

    @property
    def count(self) -> int:
        """Nodes of each effect; of an even sum those of an effect that rows tell nothing of."""
        if self.share > 0.0:
            return 2 * int(np.ceil(RANGE_OF_EFFECTS / self.share)) + 1
        return max(len(self.standard), len(self.inner))


@dataclass(frozen=True, slots=True, eq=False)
class GridModel:
    """Rows, the shape of the parameters, and how each row was observed.

    Attributes
    ----------
    rows : PersonRows
    shape : Shape
    kinds : int array (N,)
        0 a normal error, 1 at the lower bound or below, -1 at the upper bound or above, 2 an error
        of a t law; `rows.y` of a row at a bound is the bound.
    """

    rows: PersonRows
    shape: Shape
    kinds: IntArray

    @property
    def units(self) -> int:
        """Independent units: persons."""
        return self.rows.persons

    def first_nodes(self, count: int) -> GridNodes:
        """Nodes to be moved to every person's modes at the first evaluation."""
        none, places = np.empty(0), np.zeros((self.rows.persons, 2))
        nodes = GridNodes(
            none, none, 0.0, places, np.ones_like(places), none, none, (0.0, 1.0), 0.0
        )
        return self.renewed(nodes, count)

    def renewed(self, nodes: GridNodes, count: int) -> GridNodes:
        """Another number of nodes in every effect the model has, to be moved at the next look."""
        each, square = _EACH[count], self.shape.has("quad")
        inner, log_inner = _rule(each if self.rows.Z.shape[1] and not square else 1)
        outer, log_outer = _rule(each if self.shape.has("sigma") and not square else 1)
        places = np.zeros((self.rows.persons, 1 + len(outer)))
        places[:, :2] = nodes.modes[:, :2]
        return replace(
            nodes, standard=outer, log_weights=log_outer, inner=inner, log_inner=log_inner,
            modes=places, spreads=np.ones_like(places), share=_SHARES[count] if square else 0.0,
        )  # fmt: skip

    def evaluate(self, psi: FloatArray, nodes: GridNodes, *, relocate: bool) -> Evaluated:
        """Log-likelihood and scores; `relocate` moves the nodes to the modes at `psi` first."""
        from alc_stats.estimators.kernels.mels_visits import persons

        r, at = self.rows, self.shape.unpack(psi)
        modes, spreads = nodes.modes.copy(), nodes.spreads.copy()
        logliks, scores = np.empty(r.persons), np.empty((r.persons, self.shape.length))
        L = float(at.L[0, 0]) if at.L.size else 0.0
        lam = float(at.lam[0]) if at.lam.size else 0.0
        turn = _turned(lam, at.sigma) if relocate else nodes.turn

        def block(low: int, high: int) -> None:
            persons(
                low, high, r.offsets, self.kinds, r.y, r.X, r.W, r.U, r.Z, r.log_unit,
                at.beta, at.tau, at.alpha, L, lam, at.quad, at.sigma, at.tail, self._places(), turn,
                nodes.standard, nodes.log_weights, nodes.inner, nodes.log_inner, nodes.share,
                modes, spreads, relocate, logliks, scores,
            )  # fmt: skip

        shared(block, blocks_of(r.offsets))
        moved = replace(nodes, modes=modes, spreads=spreads, turn=turn)
        return Evaluated(float(logliks.sum()), scores, moved)

    @property
    def densities(self) -> int:
        """Rows whose likelihood is a density, and so depends on the outcome's unit."""
        return int(np.sum((self.kinds == 0) | (self.kinds == 2)))

    def _places(self) -> IntArray:
        """Where the scores of L, lam, sigma, quad and tail stand; -1 for what the model lacks."""
        shape = self.shape
        return np.array(
            [
                shape.part(name).start if shape.has(name) else -1
                for name in ("free", "lam", "sigma", "quad", "tail")
            ]
        )


def _turned(lam: float, sigma: float) -> tuple[float, float]:
    """The direction of z among the effects.

    That of the scale effect: given it, normal rows are normal in v.
    """
    length = float(np.hypot(lam, sigma))
    return (lam / length, sigma / length) if length > 0.0 else (0.0, 1.0)


def _rule(count: int) -> tuple[FloatArray, FloatArray]:
    """Gauss and Hermite's nodes and log weights, or where they are many stretched ones."""
    return standard_nodes(count) if count <= GAUSSIAN else _stretched(count)


def _stretched(count: int) -> tuple[FloatArray, FloatArray]:
    """Nodes x = sinh(a u) / a, equally far apart in u, and log weights.

    They reach heavy tails, steps and second modes that polynomials do not; of smooth integrands
    they need more (Takahasi and Mori 1974).
    """
    furthest = np.arcsinh(_STRETCH * _REACH * np.sqrt(count))
    u = np.linspace(-furthest, furthest, count) / _STRETCH
    u = u[np.argsort(np.abs(u), kind="stable")]
    x = np.sinh(_STRETCH * u) / _STRETCH
    apart = 2.0 * furthest / _STRETCH / (count - 1)
    density = -0.5 * x * x - 0.5 * np.log(2.0 * np.pi)
    return x, np.log(apart * np.cosh(_STRETCH * u)) + density
