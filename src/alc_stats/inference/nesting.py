"""Whether one model's covariances are among another's, and how they lie at its boundary.

The covariance of the rows is V = sigma^2 I + sum over blocks of Z (I x S) Z', linear in every S.
One family of V lies in another if each of its directions is a combination of the other's. That is
asked of V's action on a few random vectors, which costs the rows and not their square, and does
not depend on how groupings and columns are written: (1 | g/x) is found within (0 + x | g).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from alc_stats.estimators.kernels.lmm_basis import joint_basis
from alc_stats.estimators.kernels.lmm_model import Factor
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.records import FloatArray

_SAME = 1e-7
"""A direction whose part outside the larger family is below this share of it lies within."""
_ZERO = 1e-6
"""An eigenvalue of a covariance below this share of its size is zero."""
_PROBES = 65_536
"""Random numbers per probe: few rows are asked several times."""
_TRIED = 32
"""Random rank-one covariances of every block whose images must be covariances."""
_SEED = 20_190_813
"""Of the probes: the same question gets the same answer."""


@dataclass(frozen=True, slots=True)
class CovarianceNesting:
    """How the smaller model's covariances lie within the larger's.

    Attributes
    ----------
    outside : tuple of str
        Groupings of the smaller model whose covariances the larger cannot take; empty if nested.
    added : int
        Covariance parameters the larger model adds.
    null : tuple of int
        Of every random term of the larger model that is singular at the smaller: how many
        dimensions of its covariance are zero there.
    """

    outside: tuple[str, ...]
    added: int
    null: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """One covariance S (q, q): its grouping and its directions' images (pairs, n * probes)."""

    group: str
    size: int
    images: FloatArray

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return _pairs(self.size)


def covariance_nesting(
    smaller: RandomPart | None, larger: RandomPart | None, rows: int
) -> CovarianceNesting:
    """Compare two random parts on the same rows; None is a model without random terms."""
    stream = np.random.Generator(np.random.PCG64(_SEED))
    probes = stream.standard_normal((rows, max(1, min(8, _PROBES // rows))))
    inner, outer = _blocks(smaller, probes), _blocks(larger, probes)
    residual = probes.reshape(1, -1)
    span = np.concatenate([residual, *(block.images for block in outer)])
    coefficients, missed = _solve(span, inner)
    if missed:
        return CovarianceNesting(missed, 0, ())
    negative = _negative(coefficients, inner, outer, stream)
    if negative:
        return CovarianceNesting(negative, 0, ())
    generic = [_generic(block.size, stream) for block in inner]
    _, image = _image(coefficients, inner, outer, generic)
    largest = max([1.0, *(float(np.linalg.eigvalsh(S)[-1]) for S in image)])
    null = [int(np.sum(np.linalg.eigvalsh(S) < _ZERO * largest)) for S in image]
    added = sum(len(b.pairs) for b in outer) - sum(len(b.pairs) for b in inner)
    return CovarianceNesting((), added, tuple(k for k in null if k))


def _blocks(random: RandomPart | None, probes: FloatArray) -> list[_Block]:
    if random is None:
        return []
    found = []
    for group, factor in zip(random.groups, random.factors, strict=True):
        first = 0
        for block in factor.blocks:
            columns = factor.Z[:, first : first + block.size]
            found.append(_Block(group, block.size, _images(columns, factor, probes)))
            first += block.size
    return found


def _images(columns: FloatArray, factor: Factor, probes: FloatArray) -> FloatArray:
    """Z (I x E_ab) Z' probes for every pair of a block's columns, on an orthonormal basis."""
    n, q = columns.shape
    W = np.empty((q, n))
    joint_basis(columns).rows(columns, out=W)
    level = sparse.csr_array((np.ones(n), (factor.codes, np.arange(n))), shape=(factor.levels, n))
    sums = [(level @ (w[:, None] * probes))[factor.codes] for w in W]
    found = []
    for a, b in _pairs(q):
        image = W[a][:, None] * sums[b]
        if a != b:
            image += W[b][:, None] * sums[a]
        found.append(image.ravel())
    return np.array(found)


def _pairs(size: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(size) for b in range(a + 1)]


def _solve(span: FloatArray, inner: Sequence[_Block]) -> tuple[FloatArray, tuple[str, ...]]:
    """Combinations of `span` that give the inner directions; groupings that have none."""
    if not inner:
        return np.zeros((len(span), 0)), ()
    target = np.concatenate([block.images for block in inner])
    scale = np.linalg.norm(span, axis=1)
    Q, R = np.linalg.qr((span / scale[:, None]).T)
    along = Q.T @ target.T
    outside = np.linalg.norm(target.T - Q @ along, axis=0) / np.linalg.norm(target, axis=1)
    owners = [block.group for block in inner for _ in block.pairs]
    missed = dict.fromkeys(g for g, out in zip(owners, outside, strict=True) if out > _SAME)
    coefficients = np.linalg.lstsq(R, along, rcond=None)[0] / scale[:, None]
    return np.asarray(coefficients), tuple(missed)


def _image(
    coefficients: FloatArray,
    inner: Sequence[_Block],
    outer: Sequence[_Block],
    covariances: Sequence[FloatArray],
) -> tuple[float, list[FloatArray]]:
    """What the inner covariances are for the outer model: residual variance, blocks."""
    entries = [S[a, b] for block, S in zip(inner, covariances, strict=True) for a, b in block.pairs]
    residual, *rest = coefficients @ np.array(entries)
    values = iter(rest)
    found: list[FloatArray] = []
    for block in outer:
        S = np.zeros((block.size, block.size))
        for a, b in block.pairs:
            S[a, b] = S[b, a] = next(values)
        found.append(S)
    return float(residual), found


def _negative(
    coefficients: FloatArray,
    inner: Sequence[_Block],
    outer: Sequence[_Block],
    stream: np.random.Generator,
) -> tuple[str, ...]:
    """Groupings whose covariances the larger model could give only with a negative one."""
    found = []
    for i, block in enumerate(inner):
        for a in stream.standard_normal((_TRIED, block.size)):
            only = [np.zeros((b.size, b.size)) for b in inner]
            only[i] = np.outer(a, a)
            residual, image = _image(coefficients, inner, outer, only)
            least = min([residual, *(float(np.linalg.eigvalsh(S)[0]) for S in image)])
            if least < -_ZERO * float(a @ a):
                found.append(block.group)
                break
    return tuple(dict.fromkeys(found))


def _generic(size: int, stream: np.random.Generator) -> FloatArray:
    """A covariance of full rank, well away from singular."""
    half = stream.standard_normal((size, size))
    return np.asarray(np.eye(size) + half @ half.T / size)
