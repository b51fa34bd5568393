"""The generator gives back what the truth says; elementary estimates against closed forms."""

from __future__ import annotations

import importlib.util
import json
import math
from types import ModuleType

import numpy as np
import pandas as pd
import pingouin
import pytest

from alc_stats.simulate import reference
from alc_stats.simulate.recovery import (
    Panel,
    beside_a_line,
    counted,
    cronbach_alpha,
    implied,
    panel,
    recovered,
    variances,
)
from simulate.studies import ANALYSIS, STUDIES, tables_of, truth_of
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS, SIX_SIGNIFICANT_DIGITS

FRESH_SEEDS = range(9001, 9005)


def committed(study: str, what: str = "parameters") -> dict[str, dict[str, float]]:
    text = (ANALYSIS / study / "recovery.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, float]] = json.loads(text)[what]
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_the_committed_replications_are_of_the_committed_truth(study: str) -> None:
    expected, found = implied(truth_of(study)), committed(study)
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name]["truth"] == pytest.approx(
            value, rel=SIX_SIGNIFICANT_DIGITS, abs=EXACT_ARITHMETIC
        )


@pytest.mark.parametrize("study", STUDIES)
def test_two_hundred_replications_recover_every_parameter(study: str) -> None:
    off = {
        name: row["bias_in_mcse"]
        for name, row in committed(study).items()
        if abs(row["mean"] - row["truth"]) > MONTE_CARLO_SIGMAS * row["mcse"]
    }
    assert off == {}


@pytest.mark.parametrize("study", STUDIES)
def test_fresh_seeds_recover_every_parameter(study: str) -> None:
    truth = truth_of(study)
    runs = [recovered(reference(truth, seed=seed), truth) for seed in FRESH_SEEDS]
    assert list(runs[0]) != []
    off = {}
    for name, row in committed(study).items():
        mean = np.mean([run[name] for run in runs])
        if abs(mean - row["truth"]) > MONTE_CARLO_SIGMAS * row["sd"] / math.sqrt(len(runs)):
            off[name] = (row["truth"], float(mean))
    assert off == {}


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_must_come_near_to_its_own_truth(study: str) -> None:
    script = _script()
    text = (ANALYSIS / study / "expected.json").read_text(encoding="utf-8")
    parameters, counts = committed(study), committed(study, "counted")
    assert json.loads(text) == script.expected(parameters, counts)


@pytest.mark.parametrize("study", STUDIES)
def test_fresh_seeds_gather_at_the_quota_as_the_committed_ones(study: str) -> None:
    runs = [counted(truth_of(study), seed=seed) for seed in FRESH_SEEDS]
    for name, row in committed(study, "counted").items():
        mean = np.mean([run[name] for run in runs])
        error = row["sd"] * math.sqrt(1.0 / len(runs) + 1.0 / 200)
        assert abs(mean - row["mean"]) < MONTE_CARLO_SIGMAS * error, name


def test_a_line_sees_what_was_taken_from_below_the_quota_to_it() -> None:
    """Fifty bins of twenty: of the two hundred in the zone below, half are moved beyond."""
    ratio = np.repeat(np.arange(-0.49, 0.5, 0.02), 20)
    short = np.flatnonzero((ratio > -0.2) & (ratio < 0.0))
    ratio[short[::2]] = 0.01
    assert beside_a_line(ratio, 0.2, 0.02) == pytest.approx((0.5, 5.0), abs=EXACT_ARITHMETIC)


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "recovery_script", ANALYSIS / "reference" / "recovery.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_alpha_is_pingouins() -> None:
    survey = tables_of("reference")["survey"]
    items = survey.filter(regex=r"^aware_\d$")
    expected, _ = pingouin.cronbach_alpha(items)
    assert cronbach_alpha(items.to_numpy()) == pytest.approx(expected, rel=EXACT_ARITHMETIC)


def test_variances_of_a_small_layout_by_hand() -> None:
    # one firm; after the start persons answer 1 3, 5 7 and 6 2 (the first wave is not used)
    y = np.array([[9.0, 1.0, 3.0], [9.0, 5.0, 7.0], [9.0, 6.0, 2.0]])
    p = Panel(y, firm=np.zeros(3, dtype=np.int64), arms=np.zeros(1, dtype=np.int64))
    between, within = variances(p, np.ones(3, dtype=bool))
    # wave means 4, 4; centred -3 -1, 1 3, 2 -2; person means -2, 2, 0; residuals -1 1, -1 1, 2 -2
    assert within == pytest.approx(12 / (2 * 1), abs=EXACT_ARITHMETIC)
    assert between == pytest.approx(8 / 2 - (12 / 2) / 2, abs=EXACT_ARITHMETIC)


def test_variances_leave_out_who_missed_a_wave_after_the_start() -> None:
    y = np.array([[9.0, 1.0, 3.0], [9.0, 5.0, 7.0], [9.0, 6.0, 2.0], [9.0, np.nan, 100.0]])
    p = Panel(y, firm=np.zeros(4, dtype=np.int64), arms=np.zeros(1, dtype=np.int64))
    between, within = variances(p, np.ones(4, dtype=bool))
    assert (between, within) == pytest.approx((1.0, 6.0), abs=EXACT_ARITHMETIC)


def test_a_panel_puts_rows_in_their_place() -> None:
    table = pd.DataFrame(
        {
            "person_id": ["b", "a", "a"],
            "firm_id": ["f2", "f1", "f1"],
            "arm": ["mandate", "control", "control"],
            "wave": [1, 0, 1],
            "y": [3.0, 1.0, 2.0],
        }
    )
    p = panel(table, "y")
    np.testing.assert_array_equal(p.y, [[1.0, 2.0], [np.nan, 3.0]])
    assert (p.firm.tolist(), p.arms.tolist()) == ([0, 1], [0, 1])
