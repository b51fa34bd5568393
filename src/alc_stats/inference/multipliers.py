"""One random number a cluster, all of them or some: what wild bootstraps multiply residuals by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alc_stats.errors import Problem, did_you_mean
from alc_stats.estimators.kernels.wild_cluster import RADEMACHER, WEBB, every
from alc_stats.records import FloatArray

Weights = Literal["auto", "rademacher", "webb"]
FEW_CLUSTERS = 12
"""Up to here Rademacher weights give too few different draws (Webb 2014; MacKinnon, Webb 2017)."""
ENUMERATED = 4096
"""Up to so many different draws all of them are taken."""
_POINTS = {"rademacher": RADEMACHER, "webb": WEBB}
_CHUNK_ENTRIES = 2_000_000


@dataclass(frozen=True, slots=True)
class Multipliers:
    """A plan of draws.

    Attributes
    ----------
    kind : {"rademacher", "webb"}
    clusters : int
    number : int
        Draws: all there are if `complete`.
    complete : bool
    seed : int
    """

    kind: str
    clusters: int
    number: int
    complete: bool
    seed: int

    def chunks(self) -> Iterator[FloatArray]:
        """The draws (B, G), some at a time, with a bar on a terminal."""
        from tqdm import tqdm

        points = _POINTS[self.kind]
        size = max(1, _CHUNK_ENTRIES // self.clusters)
        source = every(points, self.clusters, size) if self.complete else self._random(points, size)
        bar = tqdm(total=self.number, desc="wild bootstrap", leave=False, disable=None, delay=1.0)
        with bar:
            for v in source:
                yield v
                bar.update(len(v))

    def share(self, extreme: int) -> float:
        """The p value of so many extreme draws; the observed one counts among them."""
        return extreme / self.number if self.complete else (1.0 + extreme) / (1.0 + self.number)

    def _random(self, points: FloatArray, size: int) -> Iterator[FloatArray]:
        rng = np.random.default_rng(self.seed)
        for first in range(0, self.number, size):
            rows = min(size, self.number - first)
            yield points[rng.integers(len(points), size=(rows, self.clusters))]


def multipliers(weights: Weights, clusters: int, *, n: int, seed: int) -> Multipliers:
    """The plan: Webb's points with few clusters, all draws where these are few."""
    kind = weights
    if weights == "auto":
        kind = "webb" if clusters <= FEW_CLUSTERS else "rademacher"
    different = len(_POINTS[kind]) ** clusters
    complete = different <= max(ENUMERATED, n)
    return Multipliers(kind, clusters, different if complete else n, complete, seed)


def multiplier_problems(n: int, weights: str, where: str) -> list[Problem]:
    """What is wrong with so many draws of such weights; `where` holds one {}."""
    problems = []
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        problems.append(
            Problem("the bootstrap needs at least one draw", where=where.format("n"), found=str(n))
        )
    if weights not in ("auto", *_POINTS):
        problems.append(
            Problem(
                f"unknown weights '{weights}'",
                where=where.format("weights"),
                allowed="auto, rademacher, webb",
                way_out=did_you_mean(weights, ("auto", *_POINTS)),
            )
        )
    return problems
