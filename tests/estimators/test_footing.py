"""Where an optimum is looked for, and how its columns are written when arithmetic is short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import fit
from alc_stats.estimators.design import build_design, read_table
from alc_stats.estimators.formula import parse
from alc_stats.estimators.kernels.lmm_crossed import Crossed
from alc_stats.estimators.kernels.lmm_optimum import principal
from alc_stats.estimators.kernels.lmm_problem import prepare
from alc_stats.estimators.lmm import _arithmetic_digits
from alc_stats.estimators.lmm_terms import random_part
from alc_stats.estimators.memory import memory_of, mixed_state
from estimators.dense_search import dense_model, relative_covariance
from estimators.dense_twin import wide
from estimators.fuzz import case
from tolerances import DENSE_DEVIANCE, SAME_LOGLIK


def crossed(sd: float) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g, c = np.repeat(np.arange(8), 6), np.tile(np.arange(12), 4)
    y = sd * rng.normal(size=8)[g] + rng.normal(size=12)[c] + rng.normal(size=48)
    return pd.DataFrame({"y": y, "x": rng.normal(size=48), "g": g, "c": c})


def test_a_grouping_that_dwarfs_the_others_is_eliminated_first() -> None:
    formula = "y ~ x + (1 | g) + (1 | c)"
    for sd, first in ((1.0, 1), (1e4, 0)):
        statistics = mixed_state(fit(formula, crossed(sd))).objective.statistics
        assert isinstance(statistics, Crossed)
        assert statistics.places[0] == first


def test_the_digits_know_which_grouping_was_absorbed() -> None:
    """The same variances on the other footing: its deviance is off, and its digits say how far."""
    answer = fit("y ~ x + (1 | g) + (1 | c)", crossed(1e4))
    state, design = mixed_state(answer), memory_of(answer).design
    plain = prepare(design.y, design.X, factors=state.random.factors, reml=True).objective
    evaluation, solution = plain.at(state.optimum.theta)
    other = replace(state, objective=plain, evaluation=evaluation, solution=solution)
    twin, jacobian = dense_model(state, design.y, design.X, reml=True)
    exact = twin.value(relative_covariance(state, len(design.y))) + jacobian
    lost = abs(solution.sigma2 / state.solution.sigma2 - 1.0)
    assert -2.0 * state.loglik == pytest.approx(exact, abs=10.0 * DENSE_DEVIANCE)
    assert _arithmetic_digits(state) > 9.0
    assert _arithmetic_digits(other) < -np.log10(max(lost, 1e-15))


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.2])
def test_a_rotation_of_random_columns_changes_no_deviance(turn: float) -> None:
    data = crossed(1.0)
    state = mixed_state(fit("y ~ x + (1 + x | g) + (1 | c)", data))
    design, form = state.design, state.objective.template
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    turned = prepare(
        design.y,
        design.X,
        factors=state.random.factors,
        reml=True,
        turns=(rotation, np.eye(1)),
    ).objective
    lam = form.unpack(np.array([0.9, 0.3, 0.4, 0.7]))
    there = np.linalg.cholesky(rotation.T @ lam[0] @ lam[0].T @ rotation)
    one = state.objective.at(form.pack(lam))[1].deviance
    assert turned.at(form.pack((there, lam[1])))[1].deviance == pytest.approx(one, abs=SAME_LOGLIK)


def test_on_its_own_axes_a_covariance_is_diagonal() -> None:
    form = mixed_state(fit("y ~ x + (1 + x | g) + (1 | c)", crossed(1.0))).objective.template
    theta = np.array([0.01, 0.9, 0.4, 0.7])
    turns, start = principal(form, theta)
    lam, own = form.unpack(theta)[0], form.unpack(start)[0]
    covariance = turns[0].T @ lam @ lam.T @ turns[0]
    assert own @ own.T + 0.0 == pytest.approx(
        np.diag([covariance[0, 0], max(covariance[1, 1], own[1, 1] ** 2)])
    )
    assert own[0, 0] > own[1, 1] > 0.0


@pytest.mark.parametrize("seed", [1348, 1928])
def test_a_likelihood_without_a_maximum_is_refused(seed: int) -> None:
    """The columns of both parts reproduce the outcome, the random ones in fewer than its rows."""
    own = case(seed)
    table = read_table(parse(own.formula), own.data)
    design, random = build_design(parse(own.formula), table), random_part(parse(own.formula), table)
    both = np.hstack([design.X, *(wide(f.codes, f.Z) for f in random.factors)])
    left = design.y - both @ np.linalg.lstsq(both, design.y, rcond=None)[0]
    assert np.linalg.norm(left) < 1e-4 * np.linalg.norm(design.y - design.y.mean())
    with pytest.raises(FitError, match="no maximum could be certified there"):
        fit(own.formula, own.data, method=own.method)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [1790, 1995])
def test_of_two_tops_the_higher_is_found(seed: int) -> None:
    own = case(seed)
    answer = fit(own.formula, own.data, method=own.method)  # type: ignore[arg-type]
    state, design = mixed_state(answer), memory_of(answer).design
    twin, jacobian = dense_model(state, design.y, design.X, reml=own.method == "REML")
    assert -2.0 * state.loglik < twin.best() + jacobian + DENSE_DEVIANCE


@pytest.mark.parametrize("seed", [541, 1607])
def test_a_deviance_that_does_not_move_is_not_identified(seed: int) -> None:
    """The fixed part leaves one contrast, whose variance is the residual's and the groups' sum."""
    own = case(seed)
    answer = fit(own.formula, own.data, method=own.method)  # type: ignore[arg-type]
    state = mixed_state(answer)
    assert answer.certificate.status == "not_identified"
    near, far = (state.objective.at(np.array([theta]))[1].deviance for theta in (0.1, 2.0))
    assert near == pytest.approx(far, abs=SAME_LOGLIK)
