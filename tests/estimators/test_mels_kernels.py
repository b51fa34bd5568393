"""The compiled likelihood of a location-scale model against grids over all effects at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from alc_stats.estimators.kernels import mels_model
from alc_stats.estimators.kernels.mels_model import (
    Evaluated,
    MelsModel,
    Nodes,
    PersonRows,
    Shape,
    blocks_of,
)
from alc_stats.estimators.kernels.mels_posterior import before_rows, draw, moments
from alc_stats.estimators.kernels.mels_search import search
from alc_stats.estimators.kernels.mels_start import start
from estimators.brute_twin import Person, log_likelihood, posterior
from tolerances import (
    BRUTE_GRID,
    FINITE_DIFFERENCE,
    MONTE_CARLO_SIGMAS,
    OTHER_ALGORITHM,
    SAME_LOGLIK,
)

NODES = 101


@dataclass(frozen=True)
class Case:
    """A small model with everything in it that its name says."""

    name: str
    q: int = 1
    correlated: bool = True
    triangle: bool = True
    between: bool = False
    order: bool = False
    sigma: float = 0.4
    persons: int = 4

    def model(self, seed: int = 0) -> MelsModel:
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, 6, self.persons)
        n = int(sizes.sum())
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        gap = rng.integers(1, 4, n).astype(float)
        gap[offsets[:-1]] = 0.0
        Z = np.column_stack([np.ones(n), rng.normal(size=n)])[:, : self.q]
        rows = PersonRows(
            offsets=offsets,
            y=rng.normal(size=n),
            X=np.column_stack([np.ones(n), rng.normal(size=n)]),
            W=np.column_stack([np.ones(n), rng.normal(size=n)]),
            U=rng.normal(size=(n, int(self.between))),
            Z=Z,
            gap=gap if self.order else np.empty(0),
            log_unit=0.7 if self.q < 2 else -0.6,
            scaled=0 if self.between else -1,
        )
        places = [
            (a, b) for b in range(self.q) for a in range(b, self.q if self.triangle else b + 1)
        ]
        return MelsModel(
            rows,
            Shape(
                (
                    2,
                    2,
                    int(self.between),
                    len(places),
                    self.q * self.correlated,
                    1,
                    int(self.order),
                    *[0] * 5,
                ),
                np.array([a for a, _ in places], dtype=np.intp),
                np.array([b for _, b in places], dtype=np.intp),
            ),
        )

    def psi(self, model: MelsModel, seed: int = 1) -> np.ndarray:
        shape, psi = model.shape, 0.3 * np.random.default_rng(seed).normal(size=model.shape.length)
        psi[shape.part("free")] += 0.8 * (shape.rows == shape.columns)
        psi[shape.part("sigma")] = self.sigma
        psi[shape.part("phi")] = 0.5
        return psi


CASES = [
    Case("no location effect", q=0),
    Case("intercept"),
    Case("intercept, scale apart", correlated=False),
    Case("intercept, correlation at its limit", sigma=0.0),
    Case("between", between=True),
    Case("autoregression", order=True),
    Case("autoregression and between", order=True, between=True),
    Case("slope", q=2, persons=3),
    Case("slope, uncorrelated", q=2, persons=3, triangle=False),
    Case("slope, between, scale apart", q=2, persons=3, between=True, correlated=False),
]
each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def person(model: MelsModel, psi: np.ndarray, i: int) -> Person:
    """The model's definition, a person at a time."""
    r, at = model.rows, model.shape.unpack(psi)
    rows = slice(r.offsets[i], r.offsets[i + 1])
    Z = r.Z[rows].copy()
    if r.scaled >= 0:
        Z[:, r.scaled] *= np.exp(r.U[rows] @ at.alpha)
    q, n = Z.shape[1], len(Z)
    time = np.cumsum(r.gap[rows]) if len(r.gap) else np.arange(n)
    distance = np.abs(time[:, None] - time[None, :])
    return Person(
        r.y[rows],
        r.X[rows] @ at.beta,
        r.W[rows] @ at.tau - r.log_unit,
        Z @ at.L if q else Z,
        at.lam if at.lam.size else np.zeros(q),
        at.sigma,
        at.phi**distance if len(r.gap) else np.eye(n),
    )


def grid_of(case: Case) -> dict[str, float]:
    """Effects of three dimensions are less sharp here, and get a coarser grid."""
    return {"reach": 7.04, "step": 0.16} if case.q == 2 else {"reach": 8.0, "step": 0.05}


def evaluated(model: MelsModel, psi: np.ndarray, nodes: Nodes | None = None) -> Evaluated:
    found = model.evaluate(psi, nodes or model.first_nodes(NODES), relocate=True)
    return model.evaluate(psi, found.nodes, relocate=True)


@each
def test_the_likelihood_is_that_of_a_grid_over_all_effects(case: Case) -> None:
    model = case.model()
    psi = case.psi(model)
    whole = sum(
        log_likelihood(person(model, psi, i), **grid_of(case)) for i in range(model.rows.persons)
    )
    assert evaluated(model, psi).loglik == pytest.approx(whole, abs=BRUTE_GRID)


@each
def test_scores_are_differences_of_the_likelihood(case: Case) -> None:
    model = case.model()
    psi = case.psi(model)
    if case.sigma == 0.0:
        psi[model.shape.part("sigma")] = 0.0
    here = evaluated(model, psi)
    slopes, h = np.empty(len(psi)), 1e-3
    for k in range(len(psi)):
        step = np.zeros(len(psi))
        step[k] = h
        at = [
            model.evaluate(psi + j * step, here.nodes, relocate=False).loglik
            for j in (-2.0, -1.0, 1.0, 2.0)
        ]
        slopes[k] = (at[0] - 8.0 * at[1] + 8.0 * at[2] - at[3]) / (12.0 * h)
    assert here.gradient == pytest.approx(slopes, abs=FINITE_DIFFERENCE)
    assert here.scores.sum(axis=0) == pytest.approx(here.gradient, rel=OTHER_ALGORITHM)


@each
def test_posterior_moments_are_those_of_a_grid(case: Case) -> None:
    model = case.model()
    psi = case.psi(model)
    mean, covariance = moments(model, psi, evaluated(model, psi).nodes)
    to_scale = np.append(np.ones(case.q), model.shape.unpack(psi).scale_sd)
    for i in range(model.rows.persons):
        expected, spread = posterior(person(model, psi, i), **grid_of(case))
        assert mean[i] * to_scale == pytest.approx(expected, abs=BRUTE_GRID)
        assert covariance[i] * np.outer(to_scale, to_scale) == pytest.approx(spread, abs=BRUTE_GRID)


@each
def test_draws_have_the_posterior_s_moments(case: Case) -> None:
    model = case.model()
    psi = case.psi(model)
    nodes = evaluated(model, psi).nodes
    mean, covariance = moments(model, psi, nodes)
    stream, count = draw(model, psi, nodes, np.random.default_rng(5)), 4_000
    drawn = np.array([next(stream) for _ in range(count)])
    sds = np.sqrt(np.einsum("maa->ma", covariance))
    z = (drawn.mean(axis=0) - mean) / (sds / np.sqrt(count))
    assert np.abs(z).max() < MONTE_CARLO_SIGMAS
    away = drawn - drawn.mean(axis=0)
    found = np.einsum("dma,dmb->mab", away, away) / count
    scale = np.einsum("ma,mb->mab", sds, sds)
    assert np.abs((found - covariance) / scale).max() < 2.0 * MONTE_CARLO_SIGMAS / np.sqrt(count)


def test_before_rows_the_moments_are_those_of_the_prior() -> None:
    case = Case("slope", q=2)
    model = case.model()
    psi = case.psi(model)
    mean, covariance = before_rows(model, psi, 11).moments()
    rho = model.shape.unpack(psi).rho
    prior = np.block([[np.eye(2), rho[:, None]], [rho[None], np.ones((1, 1))]])
    assert mean[0] == pytest.approx(np.zeros(3), abs=OTHER_ALGORITHM)
    assert covariance[0] == pytest.approx(prior, abs=OTHER_ALGORITHM)


def test_signs_of_effects_are_conventions() -> None:
    case = Case("slope", q=2)
    model = case.model()
    psi = case.psi(model)
    psi[model.shape.part("free")] *= -1.0
    psi[model.shape.part("sigma")] *= -1.0
    turned = model.shape.upright(psi)
    assert np.all(np.diag(model.shape.unpack(turned).L) > 0.0)
    assert evaluated(model, turned).loglik == pytest.approx(
        evaluated(model, psi).loglik, abs=SAME_LOGLIK
    )


def test_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case("intercept", persons=200)
    model = case.model()
    psi = case.psi(model)
    monkeypatch.setattr(mels_model, "FEW_ROWS", 0)
    several = evaluated(model, psi)
    monkeypatch.setattr(mels_model.os, "cpu_count", lambda: 1)
    one = evaluated(model, psi)
    assert one.loglik == several.loglik
    assert np.array_equal(one.scores, several.scores)


def test_blocks_hold_everyone_once() -> None:
    offsets = np.concatenate([[0], np.cumsum(np.random.default_rng(3).integers(1, 40, 1_000))])
    blocks = blocks_of(offsets)
    assert blocks[0][0] == 0
    assert blocks[-1][1] == 1_000
    assert all(a[1] == b[0] for a, b in pairwise(blocks))


def simulated(seed: int) -> MelsModel:
    """Sixty persons of eight rows whose spreads do not differ."""
    rng = np.random.default_rng(seed)
    model = Case("intercept", persons=60).model()
    offsets = np.arange(0, 481, 8)
    effect = np.repeat(rng.normal(size=60), 8)
    one = np.ones((480, 1))
    rows = replace(
        model.rows, offsets=offsets, y=effect + rng.normal(size=480), X=one, W=one,
        U=np.empty((480, 0)), Z=one, log_unit=0.0,
    )  # fmt: skip
    shape = replace(model.shape, sizes=(1, 1, 0, 1, 1, 1, *[0] * 6))
    return MelsModel(rows, shape)


@pytest.mark.parametrize("seed", range(8))
def test_near_no_scale_effect_no_other_start_finds_more(seed: int) -> None:
    """Where the scale effect all but vanishes its correlation turns over at the slightest step."""
    model = simulated(seed)
    found = search(model, start(model.rows, model.shape))
    assert found.decrement < SAME_LOGLIK
    for lam in (-0.3, 0.3):
        psi = start(model.rows, model.shape)
        psi[model.shape.part("lam")] = lam
        other = search(model, psi)
        assert found.evaluated.loglik >= other.evaluated.loglik - 1e-6
