"""Firms that come and go, periods asked about, and imputation beside group-time effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference import Criterion
from alc_stats.models import Evidence, Finding, mandate
from alc_stats.models.finding import Line
from tolerances import EXACT_ARITHMETIC

ASKED: dict[str, Any] = {"outcome": "usage", "firm": "firm", "time": "month", "start": "start"}


def firms(
    seed: int, *, effect: float = 1.0, growth: float = 0.0, number: int = 60, drift: float = 0.0
) -> pd.DataFrame:
    """60 firms, 10 months, starts in 5 or 7 or never; a third covariate follows the mandate."""
    rng = np.random.default_rng(seed)
    table = pd.MultiIndex.from_product(
        [range(number), range(1, 11)], names=["firm", "month"]
    ).to_frame(index=False)
    table["start"] = np.array([5.0, 7.0, np.nan])[table["firm"] % 3]
    since = (table["month"] - table["start"]).fillna(-99.0)
    on = (since >= 0).to_numpy()
    table["size"] = rng.normal(size=len(table)) + 2.0 * on
    table["weather"] = rng.normal(size=len(table))
    table["usage"] = (
        rng.normal(size=number)[table["firm"]] + 0.3 * table["month"] + on * effect
        + growth * np.where(on, since, 0.0) + drift * table["start"].notna() * table["month"]
        + rng.normal(size=len(table))
    )  # fmt: skip
    return table


def with_gaps(table: pd.DataFrame, seed: int, share: float = 0.2) -> pd.DataFrame:
    kept = np.random.default_rng(seed).random(len(table)) > share
    return table.loc[kept].reset_index(drop=True)


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return mandate(data, **(ASKED | {"criterion": Criterion("superiority", 0.3)} | how))


def line(finding: Finding, method: str) -> Line:
    return next(one for one in finding.triangulation if one.method == method)


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(one for one in finding.evidence if one.artefact == artefact)


def test_gaps_are_refused_with_both_ways_out() -> None:
    with pytest.raises(TableError, match=r"gaps='pairs'.*gaps='leave_out'"):
        asked(with_gaps(firms(1), 1))


def test_a_panel_without_gaps_gives_the_same_either_way() -> None:
    data = firms(2)
    assert asked(data, gaps="pairs").estimate == asked(data).estimate


def test_pairs_find_the_effect_and_say_who_is_seen() -> None:
    found = asked(with_gaps(firms(3), 3, 0.05), gaps="pairs")
    assert found.estimate is not None
    assert abs(found.estimate.value - 1.0) < 3.0 * found.estimate.se
    said = evidence(found, "firms that come and go")
    assert 0 < said.finding.numbers["seen_throughout"].value < 60
    throughout = line(found, "Overall, firms seen throughout")
    assert throughout.value == said.finding.numbers["throughout_effect"].value
    left = asked(with_gaps(firms(3), 3, 0.05), gaps="leave_out")
    assert left.estimate is not None
    assert throughout.value == pytest.approx(left.estimate.value, abs=EXACT_ARITHMETIC)


def test_an_effect_that_only_firms_seen_for_short_have_is_a_threat() -> None:
    """Firms 0 to 29 are seen throughout and feel nothing; the others come late and gain."""
    data = firms(4, effect=0.0, number=90)
    late = data["firm"] >= 30
    on = data["month"] >= data["start"].fillna(99.0)
    data["usage"] += 3.0 * (late & on)
    data = data.loc[~late | (data["month"] > 2)]
    found = asked(data, gaps="pairs")
    assert evidence(found, "firms that come and go").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_mandated_firms_never_seen_before_the_start_are_counted() -> None:
    data = firms(5)
    data = data.loc[~((data["firm"] == 0) & (data["month"] < 5))]
    found = asked(data, gaps="pairs")
    assert evidence(found, "firms that come and go").finding.numbers["never_before"].value == 1
    note = line(found, "Imputation, overall").note
    assert note.numbers["not_imputed"].value == 6, "months 5 to 10 of firm 0"


def test_the_effect_may_be_asked_of_some_periods_after_the_start() -> None:
    data = firms(6, effect=0.0, growth=1.0)
    first, later = asked(data, since=(0, 0)), asked(data, since=(2, 3))
    assert first.estimate is not None
    assert later.estimate is not None
    assert first.estimate.value == line(asked(data), "Since the start: 0").value
    assert abs(later.estimate.value - 2.5) < 3.0 * later.estimate.se
    assert "rows after the start are not asked about" in first.decision.reason.template
    with pytest.raises(DeclarationError, match="do not begin at the start or later"):
        asked(data, since=(3, 1))


def test_trends_may_part_in_periods_that_are_not_asked_about_too() -> None:
    """Two steps more lie between the start and period 2: the robust interval is wider by them."""
    data = firms(12)
    wide = [
        line(asked(data, since=since), "Relative magnitudes, M = 1") for since in ((0, 0), (2, 2))
    ]
    first, later = (one.high - one.low for one in wide)  # type: ignore[operator]
    assert later > 2.0 * first


def test_cohorts_and_periods_in_which_one_firm_alone_is_seen_are_counted() -> None:
    data = firms(11)
    gone = (data["start"] == 5.0) & (data["month"] == 10) & (data["firm"] != 0)
    found = asked(data.loc[~gone], gaps="pairs")
    assert found.decision.reason.numbers["lone_cells"].value == 1, "cohort 5 in month 10"
    assert all(one.method != "ATT(5, 10)" for one in found.triangulation)


def test_imputation_stands_beside_group_time_effects() -> None:
    found = asked(firms(7, growth=0.5))
    overall = line(found, "Imputation, overall")
    cells = line(found, "Overall, cells after the start")
    assert overall.value is not None
    assert cells.value is not None
    assert overall.value == pytest.approx(cells.value, abs=0.5)
    assert line(found, "Imputation, since the start: 3").value == pytest.approx(2.5, abs=0.9)
    assert not overall.primary
    marks = {mark.label for mark in found.pictures[0].panels[0].marks}
    assert "Imputation" in marks


def test_what_is_held_in_every_period_and_moved_by_the_mandate_is_named() -> None:
    data = firms(8)
    data["usage"] += 0.5 * (data["size"])
    found = asked(data, time_varying=["size", "weather"])
    free, held = (
        line(found, "Imputation, overall"),
        line(found, "Imputation, covariates held, overall"),
    )
    assert free.value is not None
    assert held.value is not None
    assert free.value - held.value == pytest.approx(1.0, abs=0.35), "0.5 of a size that grew by 2"
    said = evidence(found, "covariates moved by the mandate")
    assert said.outcome == "clear", "the headline holds none"
    assert "size by" in said.finding.template
    assert "weather by" not in said.finding.template


def test_a_drift_before_the_start_is_a_threat() -> None:
    assert evidence(asked(firms(9)), "drift before the start").outcome == "clear"
    found = asked(firms(9, drift=0.4))
    assert evidence(found, "drift before the start").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_with_few_firms_imputation_has_no_interval() -> None:
    data = firms(10)
    data.loc[data["firm"] > 7, "start"] = np.nan
    found = asked(data.loc[data["firm"] != 0], controls="not_yet")
    assert line(found, "Imputation, overall").low is None
    assert evidence(found, "drift before the start").outcome == "not tested"


def test_composition_as_before_takes_gaps_as_they_are() -> None:
    """Seniors leave mandated firms; with shares as before there is no effect, gaps or not."""
    rng = np.random.default_rng(13)
    base = firms(13, effect=0.0, number=48)
    rows = base.loc[base.index.repeat(6)].reset_index(drop=True)
    rows["person"] = rows["firm"] * 10 + np.tile(np.arange(6), len(base))
    rows["senior"] = np.tile([1, 1, 1, 0, 0, 0], len(base))
    rows["usage"] = rows["usage"] + 4.0 * rows["senior"] + 0.1 * rng.normal(size=len(rows))
    on = rows["month"] >= rows["start"].fillna(99.0)
    rows = rows.loc[~(on & (rows["person"] % 10 < 2))]
    gone = (rows["firm"] % 7 == 0) & (rows["month"] == 9)
    found = asked(rows.loc[~gone], gaps="pairs", person="person", composition=["senior"])
    as_before = line(found, "Overall, composition as before")
    assert found.estimate is not None
    assert found.estimate.value < -0.5
    assert as_before.low is not None
    assert as_before.high is not None
    assert as_before.low < 0.0 < as_before.high
