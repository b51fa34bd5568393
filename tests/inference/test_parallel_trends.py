"""Robust intervals under trends that part: R's numbers, linear programmes, coverage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from alc_stats.inference import parallel_trends, smooth_trends
from alc_stats.inference.parallel_trends import (
    EventStudy,
    breakdown_magnitude,
    excluded,
    inflated,
    relative_magnitudes,
)
from alc_stats.inference.smooth_trends import (
    breakdown_smoothness,
    folded_quantile,
    smoothness,
)
from tolerances import (
    DRAWN_QUANTILES,
    EXACT_ARITHMETIC,
    FLAT_CENTRE,
    GRID_OF_HONESTDID,
)

HERE = Path(__file__).parent.parent / "reference" / "parallel_trends"
TAX = json.loads((HERE / "benzarti_carloni.json").read_text())
R = json.loads((HERE / "honestdid_r.json").read_text())
PYTHON = json.loads((HERE / "witnesses.json").read_text())
DRAWS = 400
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.05))
"""More false rejections than this are seen once in 1,000 runs of a test of size 5 %."""
WEIGHTS = {"2009": np.array([1.0, 0.0, 0.0, 0.0]), "mean": np.full(4, 0.25)}


def study(case: dict[str, Any], weights: np.ndarray) -> EventStudy:
    beta, p = np.array(case["betahat"]), case["before"]
    return EventStudy(beta[:p], beta[p:], np.array(case["sigma"]), weights)


def made_up() -> EventStudy:
    case = PYTHON["made_up"]
    return study(case, np.array(case["weights"]))


@pytest.mark.parametrize("which", ["2009", "mean"])
def test_relative_magnitudes_are_those_of_honestdid(which: str) -> None:
    for bound, limits in R[f"magnitudes_{which}"].items():
        found = relative_magnitudes(study(TAX, WEIGHTS[which]), float(bound))
        for ours, theirs in zip((found.low, found.high), limits, strict=True):
            assert theirs is None or ours == pytest.approx(theirs, abs=GRID_OF_HONESTDID)


def test_parallel_trends_give_the_ordinary_interval() -> None:
    found = relative_magnitudes(study(TAX, WEIGHTS["2009"]), 0.0)
    assert [found.low, found.high] == pytest.approx(R["original"], abs=EXACT_ARITHMETIC)


def test_relative_magnitudes_are_those_of_moderndid() -> None:
    case = PYTHON["2009"]
    for bound, limits in case["magnitudes"].items():
        found = relative_magnitudes(study(case, np.array(case["weights"])), float(bound))
        assert [found.low, found.high] == pytest.approx(limits, abs=GRID_OF_HONESTDID)


def test_smoothness_is_that_of_honestdid() -> None:
    for bound, limits in R["smoothness_2009"].items():
        found = smoothness(study(TAX, WEIGHTS["2009"]), float(bound))
        assert [found.low, found.high] == pytest.approx(limits, abs=DRAWN_QUANTILES)


@pytest.mark.parametrize("case", ["2009", "made_up"])
def test_smoothness_is_that_of_diff_diff(case: str) -> None:
    own = PYTHON[case]
    for bound, limits in own["smoothness"].items():
        found = smoothness(study(own, np.array(own["weights"])), float(bound))
        assert [found.low, found.high] == pytest.approx(limits, abs=FLAT_CENTRE)


class Programme:
    """The moment inequalities of one step before, as matrices, and their linear programme."""

    def __init__(self, s: EventStudy, bound: float, step: int, sign: int) -> None:
        p, q = len(s.before), len(s.after)
        D = np.zeros((p + q, p + q + 1))
        D[np.arange(p + q), np.arange(p + q)] = -1.0
        D[np.arange(p + q), np.arange(1, p + q + 1)] = 1.0
        largest = bound * sign * D[step]
        self.A = np.delete(np.vstack([D[p:] - largest, -D[p:] - largest]), p, axis=1)
        self.V = self.A @ s.covariance @ self.A.T
        self.sd = np.sqrt(np.diag(self.V))
        self.beta = np.concatenate([s.before, s.after])
        j = int(np.argmax(np.abs(s.weights)))
        self.fixed = self.A[:, p + j] / s.weights[j]
        free = np.delete(np.arange(q), j)
        self.X = self.A[:, p + free] - np.outer(self.fixed, s.weights[free])

    def solved(self, Y: np.ndarray) -> tuple[float, np.ndarray]:
        """Least eta with Y - X t <= eta sd, and the dual."""
        k = self.X.shape[1]
        found = optimize.linprog(
            np.r_[1.0, np.zeros(k)], A_ub=np.column_stack([-self.sd, -self.X]), b_ub=-Y,
            bounds=[(None, None)] * (k + 1),
        )  # fmt: skip
        return float(found.fun), -found.ineqlin.marginals

    def rejects(self, theta: float, limit: float, alpha: float) -> bool:
        """Conditional test, whose truncation is found by bisection."""
        Y = self.A @ self.beta - self.fixed * theta
        eta, gamma = self.solved(Y)
        if eta > limit:
            return True
        scale = float(np.sqrt(gamma @ self.V @ gamma))
        along = self.V @ gamma / scale**2
        rest = Y - along * eta

        def same(x: float) -> bool:
            return abs(self.solved(rest + along * x)[0] - x) < 1e-7 * (1.0 + abs(x))

        below, above = (self._edge(same, eta, eta + far * scale) for far in (-40.0, 40.0))
        a, b = stats.norm.cdf(below / scale), stats.norm.cdf(min(above, limit) / scale)
        size = 0.9 * alpha / (1.0 - 0.1 * alpha)
        return bool(eta > max(0.0, scale * stats.norm.ppf(a + (1.0 - size) * (b - a))))

    @staticmethod
    def _edge(same: Any, inside: float, outside: float) -> float:
        if same(outside):
            return outside
        for _ in range(40):
            middle = 0.5 * (inside + outside)
            inside, outside = (middle, outside) if same(middle) else (inside, middle)
        return inside


@pytest.mark.parametrize("bound", [0.5, 1.5])
def test_every_decision_is_that_of_the_linear_programme(bound: float) -> None:
    s, theta = made_up(), np.array([-0.3, 0.1, 0.45, 0.7])
    problems = parallel_trends._problems(s, bound)
    limit = parallel_trends._least_favourable(problems[0], 0.005)
    for sign, problem in zip((1, -1), problems, strict=True):
        ours = parallel_trends._accepted(problem, limit, theta, 0.05)
        for step in range(len(s.before)):
            slow = Programme(s, bound, step, sign)
            theirs = [not slow.rejects(t, limit[step], 0.05) for t in theta]
            assert ours[step].tolist() == theirs


def test_least_favourable_values_are_exceeded_as_often_as_they_should() -> None:
    s, rng, draws = made_up(), np.random.default_rng(1), 800
    limit = parallel_trends._least_favourable(parallel_trends._problems(s, 1.0)[0], 0.10)
    root = np.linalg.cholesky(s.covariance)
    for step in (0, 4):
        slow = Programme(s, 1.0, step, 1)
        noise = rng.normal(size=(draws, len(root))) @ root.T
        above = sum(slow.solved(slow.A @ e)[0] > limit[step] for e in noise)
        assert abs(above - 0.10 * draws) < 3.3 * np.sqrt(draws * 0.10 * 0.90)


def drawn(truth: np.ndarray, s: EventStudy, seed: int) -> list[EventStudy]:
    root, p = np.linalg.cholesky(s.covariance), len(s.before)
    noise = np.random.default_rng(seed).normal(size=(DRAWS, len(truth))) @ root.T
    return [EventStudy(b[:p], b[p:], s.covariance, s.weights) for b in truth + noise]


@pytest.mark.parametrize("step", [0.0, 0.3, 2.0])
def test_relative_magnitudes_cover_where_trends_part_as_much_as_is_allowed(step: float) -> None:
    """The effect is zero, the steps after are the largest before; the ordinary test fails."""
    s = made_up()
    before = step * np.array([-2.0, -3.0, -2.0, -1.0, -1.0])
    truth = np.concatenate([before, step * np.arange(1.0, 4.0)])
    robust = naive = 0
    for one in drawn(truth, s, 2):
        robust += excluded(one, 1.0)
        naive += abs(one.estimate) > 1.96 * one.se
    assert robust <= RARE
    assert (naive > RARE) == (step > 0.0)


@pytest.mark.parametrize("bend", [0.0, 0.2])
def test_smoothness_covers_where_trends_bend_as_much_as_is_allowed(bend: float) -> None:
    """The interval's middle is linear in the event study, its length the same in every draw."""
    s = made_up()
    after = np.array([k + bend * k * (k + 1) / 2.0 for k in (1, 2, 3)])
    truth = np.concatenate([np.arange(-5.0, 0.0), after])
    for bound, holds in ((bend, True), (0.0, bend == 0.0)):
        units = [EventStudy(u[:5], u[5:], s.covariance, s.weights) for u in np.eye(8)]
        found = [smoothness(one, bound) for one in units]
        middle = np.array([0.5 * (one.low + one.high) for one in found])
        half = 0.5 * (found[0].high - found[0].low)
        centres = [middle @ np.concatenate([d.before, d.after]) for d in drawn(truth, s, 3)]
        assert (np.sum(np.abs(centres) > half) <= RARE) == holds


@pytest.mark.parametrize("bound", [0.01, 0.1, 1.0])
def test_no_affine_estimate_has_a_shorter_interval(bound: float) -> None:
    """Searched over the weights on periods before, straight trends left out."""
    s = made_up()
    p, q = len(s.before), len(s.after)
    ages = np.arange(p, 0.0, -1.0)
    slope = float(s.weights @ np.arange(1.0, q + 1.0))
    later = sum(abs(s.weights[j:] @ np.arange(1.0, q - j + 1.0)) for j in range(1, q))

    def half(free: np.ndarray) -> float:
        v = np.append(free, slope - free @ ages[:-1])
        bends = sum(abs(v @ np.maximum(ages - j, 0.0)) for j in range(p))
        whole = np.concatenate([v, s.weights])
        sd = np.sqrt(whole @ s.covariance @ whole)
        return float(sd * folded_quantile(np.array([bound * (bends + later) / sd]), 0.95)[0])

    best = min(
        optimize.minimize(half, start, method="Nelder-Mead",
                          options={"maxiter": 4000, "xatol": 1e-7, "fatol": 1e-10}).fun
        for start in (np.zeros(p - 1), np.full(p - 1, 0.1))
    )  # fmt: skip
    found = smoothness(s, bound)
    assert 0.5 * (found.high - found.low) <= best + FLAT_CENTRE
    assert 0.5 * (found.high - found.low) >= best * 0.99


def test_folded_quantiles_hold_their_level() -> None:
    ratio = np.array([0.0, 0.01, 0.5, 2.0, 40.0])
    c = folded_quantile(ratio, 0.90)
    assert stats.norm.cdf(c - ratio) - stats.norm.cdf(-c - ratio) == pytest.approx(
        0.90, abs=EXACT_ARITHMETIC
    )


def test_breakdown_values_are_where_the_intervals_reach_zero() -> None:
    s = study(TAX, WEIGHTS["2009"])
    low = relative_magnitudes(s, breakdown_magnitude(s)).low
    assert 0.0 < low < 0.002
    assert not excluded(s, breakdown_magnitude(s) + 0.01)
    assert 0.0 < smoothness(s, breakdown_smoothness(s)).low < 0.002


def test_nothing_breaks_down_that_never_held() -> None:
    s = EventStudy(np.array([0.1]), np.array([0.1]), 0.01 * np.eye(2), np.ones(1))
    assert breakdown_magnitude(s) == breakdown_smoothness(s) == 0.0


def test_one_period_before_and_after() -> None:
    s = EventStudy(np.array([0.1]), np.array([1.0]), 0.01 * np.eye(2), np.ones(1))
    narrow, wide = relative_magnitudes(s, 0.5), relative_magnitudes(s, 2.0)
    assert wide.low < narrow.low < 1.0 < narrow.high < wide.high


def test_an_inflated_covariance_gives_the_interval_of_t() -> None:
    s = EventStudy(np.array([0.1]), np.array([1.0]), inflated(0.01 * np.eye(2), 7.0, 0.95),
                   np.ones(1))  # fmt: skip
    found = relative_magnitudes(s, 0.0)
    assert found.high - 1.0 == pytest.approx(0.1 * stats.t.ppf(0.975, 7.0), abs=EXACT_ARITHMETIC)
    assert smooth_trends.smoothness(s, 0.0).high > found.high - 0.1
