"""Pictures of transfer, shifts and moderation: numbers as found, enough people behind them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.models import Finding, moderation, shift, transfer
from alc_stats.models.picture import Mark, Picture
from alc_stats.report.finding_plot import plot


def people(levels: tuple[str, ...] = ("familiar", "far"), each: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([range(3 * each), range(6 * len(levels))],
                                       names=["person", "task"])  # fmt: skip
    table = index.to_frame(index=False)
    table["arm"] = np.array(["none", "use", "train"])[table["person"] % 3]
    table["novelty"] = np.array(levels)[table["task"] % len(levels)]
    return table.assign(score=rng.normal(50, 8, len(table)))


def asked(table: pd.DataFrame) -> Finding:
    return transfer(table, score="score", person="person", arm="arm", control="none", usage="use",
                    schema="train", novelty="novelty", task="task")  # fmt: skip


def picture(finding: Finding, name: str) -> Picture:
    return next(p for p in finding.pictures if p.id == name)


def marks(found: Picture, label: str) -> Mark:
    return next(m for m in found.panels[0].marks if m.label == label)


def test_gains_are_those_of_the_table() -> None:
    found = asked(people())
    by_level = marks(picture(found, "gains"), "use")
    lines = {t.method: t for t in found.triangulation}
    for i, level in enumerate(("familiar", "far")):
        assert by_level.y[i] == lines[f"Usage over control, {level} tasks"].value
        assert by_level.low[i] == lines[f"Usage over control, {level} tasks"].low


def test_a_single_level_is_a_forest_without_means() -> None:
    found = asked(people(("far",)))
    assert [p.id for p in found.pictures] == ["gains"]
    assert picture(found, "gains").panels[0].marks[0].kind == "row"


def test_means_of_few_people_are_not_shown() -> None:
    shown = picture(asked(people()), "means")
    assert {m.label for m in shown.panels[0].marks} == {
        "none", "use", "train"
    }  # fmt: skip
    assert "means" not in {p.id for p in asked(people(each=4)).pictures}


def test_arms_stand_beside_each_other() -> None:
    found = asked(people())
    for name in ("gains", "means"):
        bars = [m for m in picture(found, name).panels[0].marks if m.kind == "interval"]
        places = [x for mark in bars for x in mark.x]
        assert len(set(places)) == len(places) == 2 * len(bars)


def test_the_course_is_the_mean_departure_from_the_own_mean_before() -> None:
    rng = np.random.default_rng(2)
    index = pd.MultiIndex.from_product([range(12), range(8)], names=["person", "week"])
    table = index.to_frame(index=False).assign(score=rng.normal(50, 5, 96))
    found = shift(table, outcome="score", person="person", time="week", event=4)
    own = table[table["week"] < 4].groupby("person")["score"].mean()
    expected = (table["score"] - table["person"].map(own)).groupby(table["week"]).mean()
    assert marks(picture(found, "course"), "touched by the event").y == pytest.approx(
        tuple(expected), rel=1e-12
    )
    few = shift(table[table["person"] < 4], outcome="score", person="person", time="week", event=4)
    assert few.pictures == ()


def test_all_of_them_can_be_drawn() -> None:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(200, 3)), columns=["shape", "ways", "score"])
    table["person"], table["ai"] = range(200), [0, 1] * 100
    found = moderation(table, outcome="score", treatment="ai", person="person",
                       moderators=["shape", "ways"])  # fmt: skip
    for finding in (found, asked(people()), asked(people(("far",)))):
        assert plot(finding) is not None
