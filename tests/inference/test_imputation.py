"""Imputation beside diff-diff and pyfixest, a dense twin, and known truths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import FitError
from alc_stats.inference.group_time import NEVER
from alc_stats.inference.imputation import Imputation, imputed
from tolerances import EXACT_ARITHMETIC, IMPUTED_BY_OTHERS, PYFIXEST_CLUSTERED, TWO_STAGES_ITERATED

REFERENCE = Path(__file__).parents[1] / "reference" / "imputation"
WITNESS = json.loads((REFERENCE / "witness.json").read_text(encoding="utf-8"))


def panel(covariates: bool, **how: Any) -> Imputation:
    data = pd.read_csv(REFERENCE / "panel.csv")
    firm = pd.factorize(data["firm"])[0]
    start = data.groupby("firm")["start"].first().to_numpy()
    return imputed(
        data["y"].to_numpy(), firm, data["time"].to_numpy() - 1,
        np.where(start > 0, start - 1, NEVER), leads=3,
        covariates=data[["x"]].to_numpy() if covariates else None, **how,
    )  # fmt: skip


@pytest.mark.parametrize("held", ["free", "held"])
@pytest.mark.parametrize("kind", ["plain", "leave_out"])
def test_effects_and_standard_errors_are_those_of_diff_diff(held: str, kind: str) -> None:
    expected = WITNESS[held][kind]
    found = panel(held == "held", leave_out=kind == "leave_out")
    assert (found.overall, found.overall_se) == pytest.approx(
        tuple(expected["overall"]), abs=IMPUTED_BY_OTHERS
    )
    assert sorted(expected["events"], key=int) == [str(h) for h in found.at]
    for h, value, se in zip(found.at, found.value, found.se, strict=True):
        assert (value, se) == pytest.approx(
            tuple(expected["events"][str(h)]), abs=IMPUTED_BY_OTHERS
        )


@pytest.mark.parametrize("held", ["free", "held"])
def test_periods_before_are_those_of_least_squares_on_untreated_rows(held: str) -> None:
    found = panel(held == "held")
    assert found.lead_at.tolist() == [-3, -2, -1]
    for at, value, se in zip(found.lead_at, found.lead_value, found.lead_se, strict=True):
        expected = WITNESS[held]["leads"][f"lead{-at}"]
        assert (value, se) == pytest.approx(tuple(expected), abs=PYFIXEST_CLUSTERED)


@pytest.mark.parametrize("held", ["free", "held"])
def test_two_stages_give_the_same_point(held: str) -> None:
    expected = WITNESS[held]["did2s"]
    assert panel(held == "held").overall == pytest.approx(expected, abs=TWO_STAGES_ITERATED)


def small(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Twelve units, six periods, a quarter of rows missing."""
    rng = np.random.default_rng(seed)
    adoption = np.array([2, 2, 2, 4, 4, 4, 4, *[NEVER] * 5])
    unit, period = np.nonzero(rng.random((12, 6)) > 0.25)
    return rng.normal(size=len(unit)), unit, period, adoption


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_dense_twin_agrees(seed: int) -> None:
    """Dummies for all, predictions, and weights by differentiating the estimate numerically."""
    y, unit, period, adoption = small(seed)
    on = period >= adoption[unit]
    D = np.column_stack([np.eye(12)[unit], np.eye(6)[period][:, 1:]])

    def told(outcome: np.ndarray) -> np.ndarray:
        fit = np.linalg.lstsq(D[~on], outcome[~on])[0]
        known = [np.linalg.matrix_rank(np.vstack([D[~on], row])) == rank for row in D[on]]
        return np.where(known, outcome[on] - D[on] @ fit, np.nan)

    rank = np.linalg.matrix_rank(D[~on])
    effects = told(y)
    used = np.isfinite(effects)
    v = np.array([np.nanmean(told(e)) for e in np.eye(len(y))])
    fit = np.linalg.lstsq(D[~on], y[~on])[0]
    residual = np.zeros(len(y))
    residual[~on] = y[~on] - D[~on] @ fit
    rows = np.flatnonzero(on)[used]
    cells = list(zip(adoption[unit[rows]], period[rows], strict=True))
    for k, cell in zip(rows, cells, strict=True):
        same = [e for e, c in zip(effects[used], cells, strict=True) if c == cell]
        residual[k] = effects[used][list(rows).index(k)] - np.mean(same)
    scores = np.bincount(unit, v * residual, 12)
    found = imputed(y, unit, period, adoption, leave_out=False)
    assert found.overall == pytest.approx(np.nanmean(effects), abs=EXACT_ARITHMETIC)
    assert found.overall_se == pytest.approx(np.sqrt(np.sum(scores**2)), abs=EXACT_ARITHMETIC)
    assert found.not_imputed == int(np.sum(~used))


def test_a_unit_never_seen_untreated_and_a_period_without_others_are_counted() -> None:
    unit = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3])
    period = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    adoption = np.array([1, NEVER, 1, 2])
    y = np.arange(9.0)
    found = imputed(y, unit, period, adoption)
    assert found.not_imputed == 3, "unit 2, and period 2, in which nobody is untreated"
    assert found.imputed_rows == 1
    with pytest.raises(FitError, match="no treated row can be imputed"):
        imputed(y[3:6], unit[3:6] - 1, period[3:6], adoption[1:3])


def test_a_lone_unit_is_compared_with_the_others_of_the_estimate() -> None:
    y, unit, period, _ = small(4)
    adoption = np.array([2, 3, 4, *[NEVER] * 9])
    plain = imputed(y, unit, period, adoption, leave_out=False)
    assert np.isfinite(imputed(y, unit, period, adoption).overall_se)
    assert imputed(y, unit, period, adoption).overall_se > plain.overall_se
    alone = imputed(y, unit, period, np.array([2, *[NEVER] * 11]))
    assert np.isnan(alone.se).all(), "one unit alone has no interval at any time"


def test_anticipation_takes_rows_out_of_what_is_fitted() -> None:
    unit, period = np.repeat(np.arange(8), 6), np.tile(np.arange(6), 8)
    adoption = np.array([3, 3, 3, 4, *[NEVER] * 4])
    since = period - adoption[unit]
    y = unit + 2.0 * period + 5.0 * (since >= 0) + 3.0 * (since == -1)
    assert imputed(y, unit, period, adoption, anticipation=1).overall == pytest.approx(5.0)
    assert imputed(y, unit, period, adoption).overall < 4.9


def test_intervals_cover_about_as_often_as_they_say() -> None:
    """Serially correlated outcomes of 30 units in six cohorts with a fifth of rows missing.

    1,000 samples; nominal 95 %. The band allows for what so few units cost (91 %) and no more.
    """
    rng = np.random.default_rng(7)
    adoption = np.array([3, 4, 5, 6, 7, NEVER] * 5)
    covered = 0
    for _ in range(1000):
        noise = rng.normal(size=(30, 10))
        y = noise.cumsum(axis=1) * 0.4 + noise
        unit, period = np.nonzero(rng.random((30, 10)) > 0.2)
        found = imputed(y[unit, period], unit, period, adoption)
        covered += abs(found.overall) < stats.t.ppf(0.975, found.df) * found.overall_se
    assert stats.binom.ppf(0.001, 1000, 0.91) <= covered <= stats.binom.ppf(0.999, 1000, 0.97)


def test_of_periods_before_is_false_as_often_as_it_says() -> None:
    """Three periods before the start, 30 units, 500 samples without any drift."""
    rng = np.random.default_rng(8)
    adoption = np.array([4, 5, 6, NEVER, NEVER] * 6)
    false = 0
    for _ in range(500):
        unit, period = np.nonzero(rng.random((30, 8)) > 0.1)
        found = imputed(rng.normal(size=len(unit)), unit, period, adoption, leads=3)
        false += found.lead_p < 0.05
    assert stats.binom.ppf(0.001, 500, 0.03) <= false <= stats.binom.ppf(0.999, 500, 0.08)


def test_a_drift_before_the_start_is_seen() -> None:
    rng = np.random.default_rng(9)
    unit, period = np.repeat(np.arange(40), 10), np.tile(np.arange(10), 40)
    adoption = np.where(np.arange(40) % 2, 6, NEVER)
    y = rng.normal(size=400) + 0.4 * (adoption[unit] == 6) * period
    assert imputed(y, unit, period, adoption, leads=4).lead_p < 0.001


def test_periods_before_that_nothing_can_be_set_beside_are_given_up() -> None:
    """All start in period 2 and are seen in two periods before: one difference at most."""
    unit, period = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    adoption = np.array([2, 2, 2, NEVER, NEVER, NEVER])
    y = np.random.default_rng(1).normal(size=18)
    assert imputed(y, unit, period, adoption, leads=2).lead_at.tolist() == [-1]
