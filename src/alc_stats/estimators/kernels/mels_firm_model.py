"""A three-level location-scale model (rows in persons in firms) as a function of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alc_stats.estimators.kernels.mels_model import (
    Evaluated,
    PersonRows,
    Shape,
    blocks_of,
    floor_of,
    shared,
    standard_nodes,
)
from alc_stats.records import FloatArray, IntArray

_FIRM_NODES = {7: 5, 11: 7, 15: 9, 21: 11, 31: 13, 61: 33, 101: 45, 181: 61}
"""Nodes a dimension for firms, by those for persons: many rows make it smooth."""
_NEGLIGIBLE = 1e-16
"""Product nodes whose weight is below this are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class FirmNodes:
    """Nodes of the persons' integrals, and those of the firms' (m, 2), moved and turned by firm."""

    standard: FloatArray
    log_weights: FloatArray
    floor: float
    firm: FloatArray
    firm_log_weights: FloatArray
    person_modes: FloatArray
    modes: FloatArray
    spreads: FloatArray

    @property
    def count(self) -> int:
        """Nodes of a person's effect."""
        return len(self.standard)


@dataclass(frozen=True, slots=True, eq=False)
class FirmModel:
    """Rows sorted by firm and person; the last column of Z is the firm's load.

    Attributes
    ----------
    rows : PersonRows
    firm_offsets : int array (G + 1,)
        Where each firm's persons begin.
    shape : Shape
    """

    rows: PersonRows
    firm_offsets: IntArray
    shape: Shape

    @property
    def units(self) -> int:
        """Independent units: firms."""
        return len(self.firm_offsets) - 1

    def first_nodes(self, count: int) -> FirmNodes:
        """Nodes to be moved to every firm's mode at the first evaluation."""
        G, none = self.units, np.empty(0)
        spreads = np.broadcast_to(np.eye(2), (G, 2, 2)).copy()
        places = (np.zeros(self.rows.persons), np.zeros((G, 2)), spreads)
        return self.renewed(FirmNodes(none, none, 0.0, none, none, *places), count)

    def renewed(self, nodes: FirmNodes, count: int) -> FirmNodes:
        """The same places with another number of nodes."""
        standard, log_weights = standard_nodes(count)
        firm, firm_log_weights = self._product(_FIRM_NODES[count])
        return replace(
            nodes, standard=standard, log_weights=log_weights, floor=floor_of(standard), firm=firm,
            firm_log_weights=firm_log_weights,
        )  # fmt: skip

    def _product(self, count: int) -> tuple[FloatArray, FloatArray]:
        """Nodes of (eta, zeta); one node in a dimension that the model does not have."""
        location, lam, sigma = self.shape.sizes[7:10]
        first = standard_nodes(count if location or lam else 1)
        second = standard_nodes(count if sigma else 1)
        at = np.array([(x, y) for x in first[0] for y in second[0]])
        log_weights = np.add.outer(first[1], second[1]).ravel()
        kept = np.flatnonzero(log_weights > np.log(_NEGLIGIBLE))
        outwards = kept[np.argsort(np.sum(at[kept] ** 2, axis=1), kind="stable")]
        return at[outwards], log_weights[outwards]

    def evaluate(self, psi: FloatArray, nodes: FirmNodes, *, relocate: bool) -> Evaluated:
        """Log-likelihood and scores of the firms; `relocate` moves the nodes to the modes first."""
        from alc_stats.estimators.kernels.mels_firms import firms

        r, at = self.rows, self.shape.unpack(psi)
        person_modes, modes = nodes.person_modes.copy(), nodes.modes.copy()
        spreads = nodes.spreads.copy()
        logliks, scores = np.empty(self.units), np.empty((self.units, self.shape.length))

        def block(low: int, high: int) -> None:
            firms(
                low, high, self.firm_offsets, r.offsets, r.y, r.X, r.W, r.U, r.Z, r.gap, r.log_unit,
                at.beta, at.tau, at.alpha, r.scaled, at.L, at.lam, at.sigma, at.rho, at.scale_sd,
                at.phi, at.firm[0], at.firm[1], at.firm[2], self._firm_places(), self.shape.rows,
                self.shape.columns,
                nodes.standard, nodes.log_weights, nodes.floor, nodes.firm, nodes.firm_log_weights,
                person_modes, modes, spreads, relocate, logliks, scores,
            )  # fmt: skip

        shared(block, blocks_of(r.offsets[self.firm_offsets]))
        moved = replace(nodes, person_modes=person_modes, modes=modes, spreads=spreads)
        return Evaluated(float(logliks.sum()), scores, moved)

    def _firm_places(self) -> IntArray:
        """Places of the firms' parameters, -1 for those the model does not have."""
        parts = [self.shape.part(name) for name in ("firm_location", "firm_lam", "firm_sigma")]
        return np.array([p.start if p.stop > p.start else -1 for p in parts], dtype=np.int64)
