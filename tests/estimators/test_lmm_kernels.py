from __future__ import annotations

import itertools

import numpy as np
import pytest

from alc_stats.estimators.kernels import lmm_coupling, lmm_crossed
from alc_stats.estimators.kernels.lmm_curvature import differenced_hessian, exact_hessian
from alc_stats.estimators.kernels.lmm_deviance import covariance_scores
from alc_stats.estimators.kernels.lmm_model import Block, Factor
from alc_stats.estimators.kernels.lmm_problem import Problem, lower_triangle, prepare
from estimators import dense_twin
from tolerances import CENTRAL_DIFFERENCE, DENSE_TWIN, EXACT_ARITHMETIC

N = 60


def dense(codes: np.ndarray) -> np.ndarray:
    return np.unique(codes, return_inverse=True)[1]


def factor(codes: np.ndarray, Z: np.ndarray, *blocks: Block) -> Factor:
    codes = dense(codes)
    return Factor(codes, int(codes.max()) + 1, Z, blocks)


RNG = np.random.default_rng(3)
X1 = RNG.normal(5.0, 1.0, N)
ONE = np.ones((N, 1))
SLOPE = np.column_stack([ONE, X1])
X = np.column_stack([ONE, X1, RNG.normal(size=N)])
Y = X @ [1.0, 2.0, 3.0] + RNG.normal(size=N)
WEIGHTS = RNG.uniform(0.5, 2.0, N)
TOP = RNG.integers(0, 4, N)
MIDDLE = TOP * 5 + RNG.integers(0, 4, N)
BOTTOM = MIDDLE * 3 + RNG.integers(0, 2, N)
ACROSS = RNG.integers(0, 6, N)

FREE1, FREE2, APART = (
    Block(1, correlated=True),
    Block(2, correlated=True),
    Block(1, correlated=False),
)
DESIGNS = {
    "intercept": (factor(MIDDLE, ONE, FREE1),),
    "slope": (factor(MIDDLE, SLOPE, FREE2),),
    "uncorrelated": (factor(MIDDLE, SLOPE, APART, APART),),
    "three columns": (factor(TOP, np.column_stack([SLOPE, X[:, 2]]), Block(3, correlated=True)),),
    "nested": (factor(TOP, SLOPE, FREE2), factor(MIDDLE, SLOPE, FREE2)),
    "nested three deep": (
        factor(TOP, ONE, FREE1),
        factor(BOTTOM, SLOPE, FREE2),
        factor(MIDDLE, SLOPE, APART, APART),
    ),
    "crossed": (factor(ACROSS, SLOPE, FREE2), factor(MIDDLE, SLOPE, FREE2)),
    "crossed and nested": (
        factor(ACROSS, ONE, FREE1),
        factor(MIDDLE, SLOPE, FREE2),
        factor(TOP, SLOPE, FREE2),
    ),
}
CASES = list(itertools.product(DESIGNS, ["REML", "ML"], ["plain", "weighted"]))


def problem(name: str, method: str = "REML", weighted: str = "plain") -> Problem:
    weights = WEIGHTS if weighted == "weighted" else None
    return prepare(Y, X, factors=DESIGNS[name], reml=method == "REML", weights=weights)


def somewhere(made: Problem, seed: int = 1) -> np.ndarray:
    form = made.objective.template
    theta = np.random.default_rng(seed).normal(size=len(form.row))
    return np.where(form.diagonal, np.abs(theta) + 0.1, theta)


def twin_of(
    made: Problem, name: str, theta: np.ndarray, method: str, weighted: str
) -> tuple[dense_twin.Twin, list[dense_twin.Random]]:
    lam = made.objective.template.unpack(theta)
    random = [
        dense_twin.Random(f.codes, f.Z, made.scales.factor(i, L))
        for i, (f, L) in enumerate(zip(DESIGNS[name], lam, strict=True))
    ]
    weights = WEIGHTS if weighted == "weighted" else None
    return dense_twin.solve(Y, X, random, reml=method == "REML", weights=weights), random


@pytest.fixture(params=["table", "sparse"])
def coupled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways a crossed design can be held."""
    monkeypatch.setattr(lmm_coupling, "PAIR_COST", 1e9 if request.param == "table" else -1e9)
    return request.param


@pytest.mark.usefixtures("coupled")
@pytest.mark.parametrize(("name", "method", "weighted"), CASES)
def test_the_solution_is_that_of_the_whole_matrices(name: str, method: str, weighted: str) -> None:
    made = problem(name, method, weighted)
    theta = somewhere(made)
    _, solution = made.objective.at(theta)
    twin, _ = twin_of(made, name, theta, method, weighted)
    deviance = made.scales.deviance(
        solution.deviance, degrees=solution.degrees, reml=method == "REML"
    )
    assert deviance == pytest.approx(twin.deviance, rel=DENSE_TWIN)
    beta = made.scales.coefficients(solution.beta)
    np.testing.assert_allclose(beta, twin.beta, rtol=DENSE_TWIN)
    vcov = made.scales.covariance(solution.unscaled * solution.sigma2)
    np.testing.assert_allclose(vcov, twin.vcov, rtol=DENSE_TWIN)


@pytest.mark.usefixtures("coupled")
@pytest.mark.parametrize(("name", "method", "weighted"), CASES)
def test_the_gradient_is_the_slope_of_the_deviance(name: str, method: str, weighted: str) -> None:
    objective = problem(name, method, weighted).objective
    theta = somewhere(problem(name, method, weighted), seed=2)
    steps = 1e-5 * np.eye(len(theta))
    slopes = [
        (objective.value_and_gradient(theta + h)[0] - objective.value_and_gradient(theta - h)[0])
        / 2e-5
        for h in steps
    ]
    np.testing.assert_allclose(objective.gradient(theta), slopes, atol=CENTRAL_DIFFERENCE)


@pytest.mark.usefixtures("coupled")
@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(
    "name",
    ["intercept", "slope", "uncorrelated", "three columns", "crossed", "crossed and nested"],
)
def test_the_exact_hessian_is_the_slope_of_the_gradient(name: str, method: str) -> None:
    made = problem(name, method, "weighted")
    theta = somewhere(made, seed=4)
    exact = exact_hessian(made.objective, theta, *made.objective.at(theta))
    every = np.ones(len(theta), dtype=bool)
    differenced = differenced_hessian(made.objective, theta, every)
    np.testing.assert_allclose(exact, differenced, atol=CENTRAL_DIFFERENCE)


@pytest.mark.usefixtures("coupled")
def test_the_exact_hessian_of_crossed_factors_holds_where_one_is_zero() -> None:
    made = problem("crossed", "REML", "weighted")
    theta = np.where(made.objective.template.factor == 1, 0.0, somewhere(made, seed=4))
    exact = exact_hessian(made.objective, theta, *made.objective.at(theta))
    every = np.ones(len(theta), dtype=bool)
    differenced = differenced_hessian(made.objective, theta, every)
    np.testing.assert_allclose(exact, differenced, atol=CENTRAL_DIFFERENCE)


def test_the_exact_hessian_is_not_for_nested_factors_nor_where_crossed_ones_are_singular() -> None:
    nested, crossed = problem("nested three deep"), problem("crossed")
    singular = np.where(crossed.objective.template.column == 0, 0.0, somewhere(crossed))
    for made, theta in ((nested, somewhere(nested)), (crossed, singular)):
        with pytest.raises(ValueError, match="no second-order products"):
            exact_hessian(made.objective, theta, *made.objective.at(theta))


def test_a_point_changed_in_place_is_evaluated_anew() -> None:
    made, again = (prepare(Y, X, factors=DESIGNS["slope"], reml=True) for _ in range(2))
    theta = np.array([1.0, 0.3, 0.6])
    first = made.objective.at(theta)[1].deviance
    theta[1] = -0.2
    moved = made.objective.at(theta)[1].deviance
    assert moved != first
    assert moved == again.objective.at(np.array([1.0, -0.2, 0.6]))[1].deviance


@pytest.mark.parametrize("name", ["crossed", "crossed and nested", "nested three deep", "slope"])
def test_derivatives_in_the_covariance_hold_where_it_is_singular(name: str) -> None:
    # one column of a factor at zero: the derivative in its variance is the limit from inside
    made = problem(name)
    form = made.objective.template
    theta = np.where(form.column == 0, 0.0, somewhere(made))
    scores = [covariance_scores(*_scored(made, t)) for t in (theta, theta + 1e-7 * form.diagonal)]
    for at_zero, beside in zip(*scores, strict=True):
        np.testing.assert_allclose(at_zero, beside, atol=1e-5)


def _scored(made: Problem, theta: np.ndarray) -> tuple[object, np.ndarray]:
    evaluation, solution = made.objective.at(theta)
    return evaluation, solution.weight


@pytest.mark.parametrize("name", ["crossed", "crossed and nested"])
def test_every_way_to_a_trace_leads_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # from what the data tell of a variance, from Z'V_1^-1 Z, and from that where lam is singular
    found = []
    for setting in ({"_TOLD": -1.0}, {"_TOLD": np.inf}, {"_INVERTIBLE": np.inf}):
        with monkeypatch.context() as patch:
            for constant, value in setting.items():
                patch.setattr(lmm_crossed, constant, value)
            made = problem(name, "REML", "weighted")
            found.append(made.objective.at(somewhere(made))[0].trace)
    for way in found[1:]:
        for trace, first in zip(way, found[0], strict=True):
            np.testing.assert_allclose(trace, first, rtol=DENSE_TWIN, atol=DENSE_TWIN)


@pytest.mark.usefixtures("coupled")
def test_evaluations_share_a_buffer_and_nothing_else() -> None:
    made = problem("crossed", "REML", "weighted")
    objective, statistics = made.objective, made.objective.statistics
    theta = somewhere(made)
    lam = objective.template.unpack(theta)
    first, modes = objective.at(theta)[0], statistics.effects(lam)
    gradient = objective.gradient(somewhere(made, seed=7))
    exact_hessian(objective, theta, *objective.at(theta))
    again = statistics.effects(lam)
    statistics.release()
    np.testing.assert_array_equal(objective.gradient(somewhere(made, seed=7)), gradient)
    for trace, before in zip(objective.at(theta)[0].trace, first.trace, strict=True):
        np.testing.assert_array_equal(trace, before)
    for effects, before in zip(again, modes, strict=True):
        np.testing.assert_array_equal(effects.loads, before.loads)
        np.testing.assert_array_equal(effects.spread, before.spread)


def test_a_factor_out_of_range_gives_no_number_and_no_error() -> None:
    made = problem("crossed")
    form = made.objective.template
    with np.errstate(all="ignore"):
        evaluation = made.objective.statistics.evaluate(form.unpack(np.full(len(form.row), 1e160)))
    assert np.isnan(evaluation.log_det)


@pytest.mark.usefixtures("coupled")
@pytest.mark.parametrize("name", list(DESIGNS))
def test_effects_are_those_of_the_whole_matrices(name: str) -> None:
    made = problem(name, "REML", "weighted")
    theta = somewhere(made)
    _, solution = made.objective.at(theta)
    twin, random = twin_of(made, name, theta, "REML", "weighted")
    lam = made.objective.template.unpack(theta)
    for f, effects in enumerate(made.objective.statistics.effects(lam)):
        back = made.scales.fixed.scale * made.scales.random[f].back
        modes = np.einsum("qwj,w,bq->jb", effects.loads, solution.contrast, back)
        spread = solution.sigma2 * np.einsum("aq,qrj,br->jab", back, effects.spread, back)
        theirs, their_spread = dense_twin.modes(twin, random, f)
        np.testing.assert_allclose(modes, theirs, atol=DENSE_TWIN)
        np.testing.assert_allclose(spread, their_spread, atol=DENSE_TWIN)


@pytest.mark.usefixtures("coupled")
@pytest.mark.parametrize("name", list(DESIGNS))
def test_the_gram_matrix_holds_every_product(name: str) -> None:
    made = problem(name)
    gram = made.objective.statistics.gram()
    columns = []
    for f, basis in zip(DESIGNS[name], made.scales.random, strict=True):
        columns.append(dense_twin.wide(f.codes, (f.Z - basis.origin) @ basis.forward))
    Z = np.concatenate(columns, axis=1)
    W = np.empty((X.shape[1] + 1, N))
    made.scales.fixed.rows(Y, X, out=W)
    np.testing.assert_allclose(gram.ZZ, Z.T @ Z, atol=DENSE_TWIN)
    np.testing.assert_allclose(gram.ZW, Z.T @ W.T, atol=DENSE_TWIN)


@pytest.mark.parametrize("name", list(DESIGNS))
def test_a_row_of_weight_two_is_that_row_twice(name: str) -> None:
    # at one theta the two differ in the number of rows only, not in V^-1 products
    weights = np.where(np.arange(N) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(N), weights.astype(int))
    doubled = tuple(Factor(f.codes[twice], f.levels, f.Z[twice], f.blocks) for f in DESIGNS[name])
    heavy = prepare(Y, X, factors=DESIGNS[name], reml=False, weights=weights)
    long = prepare(Y[twice], X[twice], factors=doubled, reml=False)
    theta = somewhere(long)
    lam = [long.scales.factor(f, L) for f, L in enumerate(long.objective.template.unpack(theta))]
    same = heavy.objective.template.pack(
        tuple(
            lower_triangle(np.linalg.solve(heavy.scales.random[f].back, L))
            for f, L in enumerate(lam)
        )
    )
    left, right = heavy.objective.at(same)[1], long.objective.at(theta)[1]
    np.testing.assert_allclose(
        heavy.scales.coefficients(left.beta), long.scales.coefficients(right.beta), rtol=DENSE_TWIN
    )
    scale = (heavy.scales.fixed.scale / long.scales.fixed.scale) ** 2
    spread = heavy.scales.covariance(left.unscaled) / scale
    np.testing.assert_allclose(spread, long.scales.covariance(right.unscaled), rtol=DENSE_TWIN)
    assert left.residual * scale == pytest.approx(right.residual, rel=DENSE_TWIN)


def test_a_variance_that_dwarfs_the_residual_costs_no_digits() -> None:
    # balanced groups: V_j^-1 1 = 1 / (1 + n theta^2), so log |V| and X'V^-1 X are closed forms
    J, n = 8, 5
    codes = np.repeat(np.arange(J), n)
    y = np.random.default_rng(2).normal(size=J * n)
    made = prepare(
        y, np.ones((J * n, 1)), factors=(factor(codes, np.ones((J * n, 1)), FREE1),), reml=False
    )
    theta = 1e9
    evaluation, _ = made.objective.at(np.array([theta]))
    assert evaluation.log_det == pytest.approx(J * np.log1p(n * theta**2), rel=EXACT_ARITHMETIC)
    # standardised columns have mean square one, as the constant column has
    assert evaluation.inner[0, 0] == pytest.approx(
        J * n / (1.0 + n * theta**2), rel=EXACT_ARITHMETIC
    )
