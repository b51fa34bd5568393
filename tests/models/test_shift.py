"""Shifts: what they cost, how it is relearned, and what only looks like a loss."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import AlcError, DeclarationError, TableError
from alc_stats.models import Claim, Evidence, Finding, shift
from alc_stats.models.finding import Line
from alc_stats.models.shift.data import ShiftQuestion, shift_data
from alc_stats.models.shift.fits import piecewise, placebos
from alc_stats.models.shift.lines import fieller
from tolerances import EXACT_ARITHMETIC, OTHER_SEARCH

CLAIM = Claim("H10", "shift", "Quality falls when the platform changes.")
ASKED: dict[str, Any] = {
    "outcome": "score", "person": "person", "time": "week", "event": 8, "bounds": (0, 100),
    "smallest": 2.0,
}  # fmt: skip
DRAWS = 60
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.05))
"""More false rejections than this are seen once in 1,000 runs of a test of size 5 %."""
WITNESS = Path(__file__).parents[1] / "reference" / "shift" / "tankdat.json"


def course(
    seed: int,
    *,
    drop: float = 0.0,
    before: float = 0.3,
    after: float = 0.3,
    gained: float = 0.0,
    common: float = 0.0,
    curve: float = 0.0,
    eve: float = 0.0,
    firms: int = 16,
    persons: int = 10,
    weeks: int = 16,
    noise: float = 4.0,
    person_drop: float = 1.5,
) -> pd.DataFrame:
    """Half of the firms exposed at week 8; a schema by which the drop is smaller."""
    rng = np.random.default_rng(seed)
    people = firms * persons
    table = pd.MultiIndex.from_product(
        [range(people), range(weeks)], names=["person", "week"]
    ).to_frame(index=False)
    who, t = table["person"].to_numpy(), table["week"].to_numpy() - 8.0
    table["firm"] = who // persons
    table["exposed"] = (table["firm"] % 2).astype(int)
    schema = rng.normal(size=people)
    table["schema"], late = schema[who], t >= 0
    own = (drop + gained * schema + person_drop * rng.normal(size=people))[who]
    table["score"] = (
        50.0
        + (6 * rng.normal(size=people))[who]
        + before * np.minimum(t, 0)
        + after * np.maximum(t, 0)
        + late * (table["exposed"] * own + common)
        + curve * (1.0 - np.exp(-(t + 8.0) / 2.5))
        + eve * (t == -1) * table["exposed"]
        + noise * rng.normal(size=len(table))
    )
    return table


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return shift(data, CLAIM, **(ASKED | how))


def exposed(data: pd.DataFrame) -> pd.DataFrame:
    return data[data["exposed"] == 1]


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def line(finding: Finding, method: str) -> Line:
    return next(t for t in finding.triangulation if t.method == method)


# -- verdicts ------------------------------------------------------------------------------------


def test_a_loss_is_supported_and_adaptive_people_lose_less() -> None:
    found = asked(course(1, drop=-6.0, gained=2.5, firms=40), exposed="exposed", firm="firm",
                  adaptive="schema")  # fmt: skip
    assert found.decision.verdict == "supported"
    assert [part.primary for part in found.triangulation[:3]] == [True, True, False]


def test_a_gain_contradicts_a_loss() -> None:
    assert asked(course(2, drop=6.0), exposed="exposed", firm="firm").decision.verdict == (
        "contradicted"
    )


def test_no_change_is_equivalent_to_none() -> None:
    found = asked(course(3, firms=60, person_drop=0.0), exposed="exposed", firm="firm")
    assert found.decision.verdict == "equivalent"


# -- what is estimated ---------------------------------------------------------------------------


def test_without_noise_the_pieces_are_what_was_put_in() -> None:
    table = course(4, drop=-5.0, before=0.5, after=0.75, noise=1e-3, person_drop=1e-3)
    found = asked(exposed(table))
    assert line(found, "Drop at the event").value == pytest.approx(-5.0, abs=2e-3)
    assert line(found, "Slope before").value == pytest.approx(0.5, abs=1e-3)
    assert line(found, "Slope after (relearning)").value == pytest.approx(0.75, abs=1e-3)
    assert line(found, "Savings: slope after less before").value == pytest.approx(0.25, abs=1e-3)
    assert line(found, "Time until the drop is made up").value == pytest.approx(20 / 3, abs=0.02)


def test_controls_take_away_what_happened_to_everybody() -> None:
    table = course(5, drop=-5.0, common=-8.0, noise=1e-3, person_drop=1e-3)
    alone = asked(exposed(table))
    beside = asked(table, exposed="exposed", firm="firm")
    assert line(alone, "Drop at the event").value == pytest.approx(-13.0, abs=5e-3)
    assert line(beside, "Drop at the event").value == pytest.approx(-5.0, abs=5e-3)
    assert evidence(alone, "other events of the day").outcome == "not tested"


def test_degrees_of_freedom_are_at_most_those_of_firms() -> None:
    found = asked(course(6, drop=-6.0), exposed="exposed", firm="firm")
    assert (line(found, "Drop at the event").df or 0.0) <= 16 - 2


def test_a_change_that_is_none_is_found_in_one_of_twenty() -> None:
    false = 0
    for seed in range(DRAWS):
        rows = shift_data(course(seed, firms=10, persons=4, weeks=14), ShiftQuestion(
            **(ASKED | {"exposed": "exposed", "firm": "firm", "bounds": None})))  # fmt: skip
        false += piecewise(rows).piece("drop", name="").p_value < 0.05
    assert false <= RARE


def test_the_model_is_that_of_lme4_on_a_real_change() -> None:
    file = Path(os.environ.get("ALC_STATS_DATA", "none")) / "multilevel/multilevel__tankdat.csv"
    if not file.exists():
        pytest.skip("needs multilevel/multilevel__tankdat.csv in ALC_STATS_DATA")
    rows = shift_data(
        pd.read_csv(file),
        ShiftQuestion(outcome="SCORE", person="ID", time="TIME", event=6.0, adaptive="CONSC"),
    )
    found, known = piecewise(rows).fit, json.loads(WITNESS.read_text())
    for name, value in known["estimate"].items():
        ours = name.replace("(Intercept)", "Intercept").replace("consc", "adaptive")
        assert found.params[ours] == pytest.approx(value, abs=1e-5)
        assert found.bse[ours] == pytest.approx(known["se"][name], rel=10 * OTHER_SEARCH)
    assert found.loglik == pytest.approx(-known["deviance"] / 2.0, abs=1e-6)


def test_fieller_holds_the_ratios_that_a_t_does_not_reject() -> None:
    top, below, variances, critical = 3.0, 2.0, (0.2, 0.1, 0.05), 2.0
    limits = fieller(top, below, variances, critical)
    grid = np.linspace(0.0, 5.0, 500_001)
    v, w, c = variances
    kept = grid[(top - grid * below) ** 2 <= critical**2 * (v + grid**2 * w - 2 * grid * c)]
    assert limits == pytest.approx((kept.min(), kept.max()), abs=1e-5)
    assert fieller(1.0, 0.1, variances, critical) is None


def test_a_jump_of_the_mean_series_is_one_of_two_lines() -> None:
    table = course(7, drop=-4.0, noise=2.0)
    rows = shift_data(exposed(table), ShiftQuestion(**ASKED))
    own = exposed(table)["score"] - exposed(table).groupby("person")["score"].transform("mean")
    series = own.groupby(exposed(table)["week"]).mean()
    left, right = np.polyfit(range(8), series[:8], 1), np.polyfit(range(8, 16), series[8:], 1)
    found = placebos(rows)
    assert found.jump == pytest.approx(
        np.polyval(right, 8) - np.polyval(left, 8), rel=1e3 * EXACT_ARITHMETIC
    )
    assert found.dates.tolist() == [-6.0, -5.0, -4.0, -3.0, -2.0]


# -- artefacts -----------------------------------------------------------------------------------


def test_a_learning_curve_that_flattens_is_no_loss() -> None:
    found = asked(exposed(course(8, curve=20.0, before=0.0, after=0.0, firms=40, noise=2.0)))
    assert line(found, "Drop at the event").note.template.startswith("supported")
    assert evidence(found, "trend").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_people_who_knew_are_seen() -> None:
    found = asked(course(9, drop=-6.0, eve=-6.0, noise=2.0), exposed="exposed", firm="firm")
    assert evidence(found, "anticipation").outcome == "threat"
    quiet = asked(course(9, drop=-6.0, noise=2.0), exposed="exposed", firm="firm")
    assert evidence(quiet, "anticipation").outcome == "clear"


def test_as_large_a_jump_at_another_date_is_a_threat() -> None:
    table = exposed(course(10, drop=-4.0, noise=1.0))
    table = table.assign(score=table["score"] - 8.0 * (table["week"] >= 4))
    assert evidence(asked(table), "placebo dates").outcome == "threat"
    assert evidence(asked(exposed(course(10, drop=-4.0, noise=1.0))),
                    "placebo dates").outcome == "clear"  # fmt: skip


def test_a_worse_model_is_no_worse_person() -> None:
    table = exposed(course(11, noise=2.0))
    bench = 70.0 - 10.0 * (table["week"] >= 8) + np.random.default_rng(1).normal(size=len(table))
    table = table.assign(bench=bench, score=table["score"] + 0.5 * (bench - 70.0))
    assert (line(asked(table), "Drop at the event").value or 0.0) < -3.0
    held = asked(table, benchmark="bench")
    assert abs(line(held, "Drop at the event").value or 9.0) < 1.5
    assert evidence(held, "quality of the model itself").outcome == "clear"
    assert evidence(asked(table), "quality of the model itself").outcome == "not tested"


def test_a_ceiling_before_is_a_threat() -> None:
    table = exposed(course(12, drop=-6.0))
    table = table.assign(score=(table["score"] + 50.0).clip(0, 100))
    assert evidence(asked(table), "floor and ceiling").outcome == "threat"


def test_few_exposed_firms_carry_no_verdict() -> None:
    table = course(13, drop=-8.0, firms=8, persons=30, noise=2.0)
    found = asked(table, exposed="exposed", firm="firm")
    assert evidence(found, "few clusters").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


# -- bad input -----------------------------------------------------------------------------------


def refused(data: pd.DataFrame, **how: Any) -> AlcError:
    with pytest.raises((DeclarationError, TableError)) as caught:
        asked(data, **how)
    return caught.value


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        ({}, {"event": 40}, "the event leaves no line on one side"),
        ({}, {"event": 1}, "1 times before"),
        ({}, {"event": "2"}, "Found: '2'"),
        ({}, {"event": float("nan")}, "the time of the event is not a finite number"),
        ({}, {"event": pd.Timestamp("2025-03-01")}, "count days (or weeks) from one fixed day"),
        ({"week": pd.Timestamp("2025-03-01")}, {}, "times are not numbers"),
        ({"week": "2025-03-01"}, {}, "count days (or weeks) from one fixed day"),
        ({}, {"smallest": 0.0}, "the smallest loss is not positive"),
        ({}, {"bounds": (9, 1)}, "the bounds are not in order"),
        ({}, {"bounds": (0, 40)}, "outcomes lie outside their bounds"),
        ({}, {"anticipation": 0.0}, "the window of anticipation is not positive"),
        ({}, {"time": "wek"}, "Did you mean 'week'?"),
        ({"exposed": 1}, {"exposed": "exposed"}, "the exposure never varies"),
        ({"exposed": 2}, {"exposed": "exposed"}, "the column is not 0 and 1"),
        ({"schema": 1.0}, {"adaptive": "schema"}, "the moderator never varies"),
        ({}, {"adaptive": "score"}, "the moderator changes within persons"),
        ({"score": 50.0}, {}, "the outcome is constant"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    change: dict[str, Any], how: dict[str, Any], said: str
) -> None:
    assert said in str(refused(course(20, firms=4).assign(**change), **how))


def test_exposure_that_says_when_is_refused() -> None:
    table = course(21, firms=4)
    table["exposed"] = ((table["week"] >= 8) & (table["firm"] > 1)).astype(int)
    assert "the time says when" in str(refused(table, exposed="exposed"))


def test_ids_may_be_categories() -> None:
    table = course(25, firms=6)
    kinds = table.astype({"person": "category", "firm": "category"})
    how = {"exposed": "exposed", "firm": "firm"}
    assert asked(kinds, **how) == asked(table, **how)


def test_rows_without_a_time_or_exposure_are_refused() -> None:
    table = course(24, firms=6).astype({"exposed": float, "week": float})
    table.loc[:3, "exposed"] = np.nan
    table.loc[:1, "score"] = np.nan
    table.loc[9, "week"] = np.nan
    said = str(refused(table, exposed="exposed"))
    assert "2 rows with an outcome have no exposure" in said
    assert "1 rows with an outcome have no time" in said
    assert "Leave these rows out when the data are prepared" in said


def test_one_exposed_cluster_is_refused() -> None:
    table = course(22, firms=3)
    assert "one cluster is on one side" in str(refused(table, exposed="exposed", firm="firm"))


def test_people_seen_once_have_no_course() -> None:
    table = course(23, firms=4)
    table["person"] = range(len(table))
    assert "nobody was seen twice" in str(refused(table))
