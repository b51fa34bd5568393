"""The study of quotas: honest heavy users and gamers, where mandates do something and where not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from alc_stats.measures import padding
from alc_stats.measures.padding import Padding
from alc_stats.models.proxy.claim import proxy
from alc_stats.simulate import quotas
from alc_stats.simulate.truth_file import read_quota_truth

ANALYSIS = Path(__file__).parents[2] / "analysis"
Tables = Mapping[str, pd.DataFrame]


def study(name: str, seed: int = 1) -> Tables:
    return quotas(read_quota_truth(ANALYSIS / name / "truth.toml"), seed=seed)


@pytest.fixture(scope="module")
def true() -> Tables:
    return study("quotas")


@pytest.fixture(scope="module")
def false() -> Tables:
    return study("quotas_mirror")


def starts(tables: Tables) -> dict[str, int | None]:
    """First week of every firm's mandate."""
    mandate = tables["mandate"].set_index("firm_id")
    days = pd.to_datetime(mandate["start_date"]) - pd.Timestamp("2026-01-05")
    return {str(f): None if pd.isna(d) else d.days // 7 for f, d in days.items()}


def told(tables: Tables) -> Padding:
    weeks = tables["person_week"].rename(columns={"week": "period"})
    return padding(weeks, starts=starts(tables))


def test_prompts_repeat_more_where_gamers_are_under_a_quota(true: Tables, false: Tables) -> None:
    found, nothing = (next(c for c in told(t).changes if c.index == "repeated")
                      for t in (true, false))  # fmt: skip
    assert found.low > 0.0
    assert nothing.low < 0.0 < nothing.high


def test_gaming_is_more_reliable_than_the_habit_of_repeating(true: Tables) -> None:
    cells = {(c.arm, c.phase): c for c in told(true).cells if c.index == "repeated"}
    after, before = cells["mandated", "after"], cells["mandated", "before"]
    assert after.icc_low is not None
    assert before.icc_high is not None
    assert after.icc_low > before.icc_high


def test_honest_heavy_users_cannot_be_told_by_tokens_per_accepted_output(true: Tables) -> None:
    """What they use more is not padding; so nothing of a person is returned."""
    kinds = true["person"].set_index("person_id")["kind"]
    weeks = true["person_week"]
    after = weeks[weeks["week"] >= 14].groupby("person_id")[["tokens", "accepted"]].sum()
    ratio = after["tokens"] / (after["accepted"] + 1)
    honest = ratio[kinds.reindex(ratio.index) == "honest"]
    assert honest.median() > ratio[kinds.reindex(ratio.index) == "ordinary"].median()


def dies(tables: Tables) -> str:
    """Whether tokens stop measuring quality."""
    graded = tables["task"].groupby(["person_id", "week"], as_index=False)["quality"].mean()
    weeks = tables["person_week"].merge(graded, on=["person_id", "week"])
    start = weeks["firm_id"].map(starts(tables)).astype(float)
    weeks["mandated"] = start.notna().astype(int)
    weeks["post"] = (weeks["week"] >= start.fillna(start.median())).astype(int)
    weeks["wave"] = start.fillna(-1).astype(int).astype(str) + " " + weeks["week"].astype(str)
    return proxy(
        weeks, quality="quality", amount="tokens", person="person_id", firm="firm_id",
        mandated="mandated", post="post", wave="wave",
    ).decision.verdict  # fmt: skip


def test_tokens_die_as_a_metric_in_one_world_only() -> None:
    for seed in range(1, 4):
        assert dies(study("quotas", seed)) == "supported"
        assert dies(study("quotas_mirror", seed)) in ("equivalent", "inconclusive")
