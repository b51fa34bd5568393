"""What noise and a constant overestimate alone would show, drawn from the data's own moments.

Everybody in the null world sees themselves by one and the same rule: self-estimate = constant +
slope x ability + noise, cut at the ends of the scale, and the score is ability with error. Such a
world has a lowest quarter that overestimates itself and a highest that does not (Krueger and
Mueller 2002; Nuhfer et al. 2016): regression to the mean and the better-than-average effect need
no unskilled-and-unaware. A pattern counts only as far as it goes beyond this world.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from alc_stats.models.calibration.data import Rated
from alc_stats.models.calibration.statistics import Layout, Statistics, layout, statistics
from alc_stats.records import FloatArray, IntArray

_ENTRIES = 400_000
"""Numbers drawn at once: what fits a processor's cache beats what fits its memory."""
_MATCHING = 12
"""Rounds in which the moments of cut self-estimates are brought to the observed ones."""
_FLOOR = 1e-6
"""Share of the residual variance that rows keep where clusters and persons would take it all."""


@dataclass(frozen=True, slots=True, eq=False)
class NullWorld:
    """One rule for everybody.

    Attributes
    ----------
    latent : array (n,)
        Ability: scores shrunk to the variance that their error leaves. The error is the same for
        everybody, so that where people differ less the score is less reliable: an arm whose
        abilities are closer together has a flatter slope without anybody's judging worse.
    error_sd : float
        Of a score about ability.
    base : array (n,)
        Constant and effect of the time, equal in all arms.
    slope : float
        Self-estimate on ability; below 1 also for perfect self-knowledge in other units.
    cluster_sd, person_sd, row_sd : float
        Of the self-estimates' noise.
    """

    latent: FloatArray
    error_sd: float
    base: FloatArray
    slope: float
    cluster_sd: float
    person_sd: float
    row_sd: float
    cluster: IntArray
    person: IntArray
    bounds: tuple[float, float]

    def draw(self, generator: np.random.Generator, draws: int) -> tuple[FloatArray, FloatArray]:
        """Scores and self-estimates (draws, n)."""
        n = self.latent.size
        error = generator.standard_normal((draws, n))
        actual = np.clip(self.latent + self.error_sd * error, *self.bounds)
        noise = self.row_sd * generator.standard_normal((draws, n))
        for sd, group in ((self.cluster_sd, self.cluster), (self.person_sd, self.person)):
            if sd > 0.0:
                effects = generator.standard_normal((draws, int(group.max()) + 1))
                noise += sd * effects[:, group]
        own = np.clip(self.base + self.slope * self.latent + noise, *self.bounds)
        return actual, own


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """The statistics of one null world, draw by draw, for scores of one reliability."""

    reliability: float
    drawn: Statistics

    def mean(self, name: str) -> float:
        """What the null world shows on average."""
        return float(np.mean(self.drawn.of(name)))

    def limits(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Central band."""
        tail = (1.0 - level) / 2.0
        low, high = np.quantile(self.drawn.of(name), [tail, 1.0 - tail])
        return float(low), float(high)

    def p(self, name: str, observed: float) -> float:
        """Two-sided share of draws as far from the null mean, the observed one counted."""
        drawn = self.drawn.of(name)
        centre = drawn.mean()
        beyond = np.abs(drawn - centre) >= abs(observed - centre)
        return (1.0 + float(beyond.sum())) / (1.0 + drawn.size)


def null_band(data: Rated, reliability: float, *, draws: int, seed: int) -> Band:
    """The null world of `data` at one reliability of the score, drawn and measured."""
    world, plan = null_world(data, reliability, seed=seed), layout(data)
    generator = np.random.default_rng([seed, round(1000 * reliability)])
    parts = [
        statistics(*world.draw(generator, size), plan)
        for size in _chunks(draws, max(1, _ENTRIES // plan.rows))
    ]
    return Band(reliability, Statistics.joined(parts))


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def null_world(data: Rated, reliability: float, *, seed: int) -> NullWorld:
    """The world that has the data's means, variances, correlation and clustering."""
    plan, own = layout(data), data.own
    actual = uncut(data.actual, data.question.bounds, seed=seed)
    x, s = plan.within(actual[None])[0], plan.within(own[None])[0]
    variance = float(np.mean(x * x))
    observed_slope = float(np.mean(x * s)) / variance
    residual = s - observed_slope * x
    total = float(np.mean(residual**2))
    cluster, person = _shared(residual, data)
    error = (1.0 - reliability) * variance
    kept = _kept(x, error, plan)
    able = float(np.mean((kept * x) ** 2))
    slope = observed_slope * variance / able
    row = total - cluster - person - slope**2 * able * (1.0 - able / variance)
    latent = (actual - x) + kept * x
    base = _means(own - slope * latent, data.codes("post_code"))
    world = NullWorld(
        latent=latent, error_sd=float(np.sqrt(error)), base=base,
        slope=slope, cluster_sd=float(np.sqrt(cluster)), person_sd=float(np.sqrt(person)),
        row_sd=float(np.sqrt(max(row, _FLOOR * total))), cluster=data.codes("cluster"),
        person=data.codes("person"), bounds=data.question.bounds or (-np.inf, np.inf),
    )  # fmt: skip
    return _matched(world, data, plan, seed)


def _kept(x: FloatArray, error: float, plan: Layout) -> FloatArray:
    """Ability in every score's distance from its cell's mean (n,): SDs of ability per SD seen."""
    seen = (x * x) @ plan.member / plan.member.sum(axis=0)
    share = np.divide(error, seen, out=np.ones_like(seen), where=seen > error)
    return np.asarray(plan.member @ np.sqrt(1.0 - share))


def uncut(actual: FloatArray, bounds: tuple[float, float] | None, *, seed: int) -> FloatArray:
    """Scores as they would be without ends of the scale (n,).

    Scores at an end are spread beyond it, where a normal law through the others puts their ranks.
    Left in one heap they would hide that the null world bends by its ceiling alone.
    """
    if bounds is None:
        return actual
    heap = (actual <= bounds[0]) | (actual >= bounds[1])
    if not heap.any() or np.unique(actual[~heap]).size < 2:
        return actual
    shuffled = np.random.default_rng([seed, 11]).permutation(actual.size)
    order = np.lexsort((shuffled, actual))
    places = np.empty(actual.size)
    places[order] = stats.norm.ppf((np.arange(actual.size) + 0.5) / actual.size)
    slope, constant = np.polyfit(places[~heap], actual[~heap], 1)
    beyond = constant + slope * places
    upper = np.where(actual >= bounds[1], np.maximum(beyond, bounds[1]), actual)
    return np.asarray(np.where(actual <= bounds[0], np.minimum(beyond, bounds[0]), upper))


def _means(values: FloatArray, group: IntArray) -> FloatArray:
    """Every row's mean of its group (n,)."""
    means = np.bincount(group, values) / np.bincount(group)
    return np.asarray(means[group], dtype=float)


def _shared(residual: FloatArray, data: Rated) -> tuple[float, float]:
    """Variances of clusters' and persons' effects, from products of two rows that share them."""
    person, cluster = data.codes("person"), data.codes("cluster")
    within, pairs_within = _products(residual, person)
    both, pairs_both = _products(residual, cluster)
    alone = data.question.cluster is None
    between = 0.0 if alone or pairs_both <= pairs_within else (both - within) / (
        pairs_both - pairs_within
    )  # fmt: skip
    total = float(np.mean(residual**2))
    of_cluster = min(max(between, 0.0), total)
    of_person = within / pairs_within - of_cluster if pairs_within else 0.0
    return of_cluster, min(max(of_person, 0.0), total - of_cluster)


def _products(values: FloatArray, group: IntArray) -> tuple[float, float]:
    """Sum of the products of two different rows of a group, and their number."""
    sums, squares = np.bincount(group, values), np.bincount(group, values**2)
    sizes = np.bincount(group).astype(float)
    return float(np.sum(sums**2 - squares)), float(np.sum(sizes * (sizes - 1.0)))


def _moments(actual: FloatArray, own: FloatArray, plan: Layout) -> tuple[float, float, float]:
    """Mean self-estimate, its slope on the score within cells, and the SD about the slope."""
    x, s = plan.within(actual), plan.within(own)
    slope = float(np.mean(x * s) / np.mean(x * x))
    return float(np.mean(own)), slope, float(np.sqrt(np.mean((s - slope * x) ** 2)))


def _matched(world: NullWorld, data: Rated, plan: Layout, seed: int) -> NullWorld:
    """The world whose self-estimates have the observed moments after they are cut."""
    if not np.isfinite(world.bounds).any():
        return world
    aim_mean, aim_slope, aim_sd = _moments(data.actual[None], data.own[None], plan)
    size = max(1, _ENTRIES // (2 * plan.rows))
    for _ in range(_MATCHING):
        actual, drawn = world.draw(np.random.default_rng([seed, 7]), size)
        mean, now, sd = _moments(actual, drawn, plan)
        if sd == 0.0:
            return world
        grown, step = aim_sd / sd, aim_slope - now
        world = replace(
            world, base=world.base + aim_mean - mean - step * world.latent.mean(),
            slope=world.slope + step, cluster_sd=world.cluster_sd * grown,
            person_sd=world.person_sd * grown, row_sd=world.row_sd * grown,
        )  # fmt: skip
    return world
