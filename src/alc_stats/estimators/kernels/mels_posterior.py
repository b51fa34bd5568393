"""What the rows say of every person's effects: weights of the nodes, moments given each node.

Given the scale effect the location effects are normal, so the posterior of a person is a mixture
of normals over the nodes of the integral. Its moments are means and covariances; with a fine grid
in place of the nodes it can be drawn from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from alc_stats.estimators.kernels.mels_model import MelsModel, Nodes, standard_nodes
from alc_stats.estimators.kernels.mels_persons import person_nodes
from alc_stats.records import FloatArray

_AT_ONCE = 4_096
"""Persons whose nodes are held at once."""
_REACH, _POINTS = 7.0, 141
"""The grid of a drawn scale effect: to seven SDs of its posterior, by tenths."""


@dataclass(frozen=True, slots=True, eq=False)
class NodePosterior:
    """Posteriors of m persons as mixtures over K nodes, in unit effects.

    Attributes
    ----------
    weights, places : arrays (m, K)
        Probability of every node, and the scale effect z there, of unit variance a priori.
    means : array (m, K, q)
        Of the location effects given z, of unit variance a priori.
    covariances : array (m, K, q, q)
    """

    weights: FloatArray
    places: FloatArray
    means: FloatArray
    covariances: FloatArray

    def moments(self) -> tuple[FloatArray, FloatArray]:
        """Means (m, q + 1) and covariances (m, q + 1, q + 1) of location effects, then z."""
        joint = np.concatenate([self.means, self.places[..., None]], axis=2)
        mean = np.einsum("mk,mka->ma", self.weights, joint)
        away = joint - mean[:, None]
        covariance = np.einsum("mk,mka,mkb->mab", self.weights, away, away)
        q = self.means.shape[2]
        covariance[:, :q, :q] += np.einsum("mk,mkab->mab", self.weights, self.covariances)
        return mean, covariance


def at_nodes(model: MelsModel, psi: FloatArray, nodes: Nodes, low: int, high: int) -> NodePosterior:
    """Posteriors of persons `low` to `high` at the parameters `psi`, nodes where they are."""
    r, at = model.rows, model.shape.unpack(psi)
    q, m, K = r.Z.shape[1], high - low, len(nodes.standard)
    found = NodePosterior(
        np.empty((m, K)), np.empty((m, K)), np.empty((m, K, q)), np.empty((m, K, q, q))
    )
    L = at.L if q else np.zeros((0, 0))
    person_nodes(
        low, high, r.offsets, r.y, r.X, r.W, r.U, r.Z, r.gap, r.log_unit, at.beta, at.tau,
        at.alpha, r.scaled, at.phi, L, at.rho, at.scale_sd, nodes.standard, nodes.log_weights,
        nodes.modes, nodes.spreads, found.weights, found.places, found.means, found.covariances,
    )  # fmt: skip
    return found


def before_rows(model: MelsModel, psi: FloatArray, count: int) -> NodePosterior:
    """The same of a person without rows: what is known of one before a row is seen."""
    rho = model.shape.unpack(psi).rho
    standard, log_weights = standard_nodes(count)
    z = standard[None]
    within = np.eye(len(rho)) - np.outer(rho, rho)
    return NodePosterior(
        np.exp(log_weights)[None],
        z,
        z[..., None] * rho,
        np.broadcast_to(within, (1, count, *within.shape)).copy(),
    )


def moments(model: MelsModel, psi: FloatArray, nodes: Nodes) -> tuple[FloatArray, FloatArray]:
    """Posterior means (M, q + 1) and covariances (M, q + 1, q + 1) of all persons."""
    found = [at_nodes(model, psi, nodes, *some).moments() for some in _pieces(model)]
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def draw(
    model: MelsModel, psi: FloatArray, nodes: Nodes, stream: np.random.Generator
) -> Iterator[FloatArray]:
    """Draws (M, q + 1) from the persons' posteriors, without end: location effects, then z.

    z is drawn by inverting its distribution function on a fine grid, the location effects from
    their normal given z.
    """
    grid, weights = _grid(nodes), []
    for low, high in _pieces(model):
        weights.append(at_nodes(model, psi, grid, low, high).weights)
    cumulated = np.cumsum(np.concatenate(weights), axis=1)
    while True:
        z = nodes.modes + nodes.spreads * _inverted(cumulated, grid.standard, stream)
        here = replace(nodes, standard=np.zeros(1), log_weights=np.zeros(1), modes=z)
        effects = [
            _normal(at_nodes(model, psi, here, low, high), stream) for low, high in _pieces(model)
        ]
        yield np.column_stack([np.concatenate(effects), z])


def _pieces(model: MelsModel) -> Iterator[tuple[int, int]]:
    persons = model.rows.persons
    for low in range(0, persons, _AT_ONCE):
        yield low, min(persons, low + _AT_ONCE)


def _grid(nodes: Nodes) -> Nodes:
    at = np.linspace(-_REACH, _REACH, _POINTS)
    return replace(nodes, standard=at, log_weights=-0.5 * at * at)


def _inverted(cumulated: FloatArray, grid: FloatArray, stream: np.random.Generator) -> FloatArray:
    """Quantiles (M,) at uniform draws: a point of the grid, and uniform about it."""
    uniform = stream.random(len(cumulated))
    place = np.minimum((cumulated < uniform[:, None]).sum(axis=1), len(grid) - 1)
    rows = np.arange(len(cumulated))
    before = np.where(place > 0, cumulated[rows, place - 1], 0.0)
    own = np.maximum(cumulated[rows, place] - before, np.finfo(float).tiny)
    share = np.clip((uniform - before) / own, 0.0, 1.0)
    return np.asarray(grid[place] + (share - 0.5) * (grid[1] - grid[0]))


def _normal(given: NodePosterior, stream: np.random.Generator) -> FloatArray:
    """One draw (m, q) of the location effects given the one node of every person."""
    mean, covariance = given.means[:, 0], given.covariances[:, 0]
    values, vectors = np.linalg.eigh((covariance + covariance.swapaxes(1, 2)) / 2.0)
    size = np.sqrt(np.maximum(values, 0.0)) * stream.standard_normal(mean.shape)
    return np.asarray(mean + np.einsum("mab,mb->ma", vectors, size))
