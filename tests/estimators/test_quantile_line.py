"""The line of a quantile: reweighted least squares beside the linear programme."""

from __future__ import annotations

import numpy as np
import pytest

from alc_stats.estimators import quantile_line
from alc_stats.estimators.quantile_line import distances, programmed_line
from alc_stats.records import FloatArray
from alc_stats.simulate.mandate_artefacts import noisier_use
from tolerances import EXACT_ARITHMETIC


def wasteful(n: int = 200) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    return X @ np.array([7.0, 0.3]) + np.abs(rng.normal(size=n)), X


def loss(y: FloatArray, X: FloatArray, b: FloatArray, quantile: float) -> float:
    away = y - X @ b
    return float(np.sum(away * (quantile - (away < 0.0))))


def test_the_linear_programme_is_the_best_of_all_lines_through_two_rows() -> None:
    """An optimal line goes through as many rows as it has coefficients."""
    y, X = wasteful(40)
    pairs = [(i, j) for i in range(40) for j in range(i)]
    lines = [np.linalg.solve(X[[i, j]], y[[i, j]]) for i, j in pairs]
    least = min(loss(y, X, b, 0.05) for b in lines)
    found = loss(y, X, programmed_line(y, X, 0.05), 0.05)
    assert found == pytest.approx(least, rel=EXACT_ARITHMETIC)


def test_a_search_that_goes_round_in_circles_ends_in_the_programme(
    monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    data = noisier_use(30, seed=1043)
    y, X = np.log(data["tokens"].to_numpy()), np.column_stack([np.ones(len(data)), data["quality"]])
    asked = []

    def seen(*args: object) -> FloatArray:
        asked.append(args)
        return programmed_line(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(quantile_line, "programmed_line", seen)
    away, _ = distances(y, X, 0.05)
    assert len(asked) == 1
    assert not recwarn.list
    assert away == pytest.approx(y - X @ programmed_line(y, X, 0.05), abs=EXACT_ARITHMETIC)
