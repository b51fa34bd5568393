"""No point of a widening's figures stands for fewer than five people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from alc_stats.models.widening import pictures
from alc_stats.models.widening.data import Columns, SpreadData, spread_data


def table(persons: int, *, firms: int = 6, waves: int = 4) -> SpreadData:
    rng = np.random.default_rng(1)
    firm = np.repeat(np.arange(firms), persons)
    parts = [
        pd.DataFrame(
            {
                "firm": firm,
                "person": np.arange(firm.size),
                "mandate": (firm % 2),
                "wave": wave,
                "score": rng.normal(size=firm.size),
            }
        )
        for wave in range(waves)
    ]
    columns = Columns(
        outcome="score", treatment="mandate", person="person", firm="firm", wave="wave"
    )
    return spread_data(pd.concat(parts, ignore_index=True), columns)


def test_firms_of_few_people_are_not_drawn() -> None:
    assert len(pictures.mean_variance_columns(table(5))["x"]) == 6
    assert pictures.mean_variance_columns(table(4))["x"] == ()


def test_quantiles_beyond_which_few_people_lie_are_hidden() -> None:
    for persons, hidden in ((16, {0.1, 0.9}), (17, set())):  # 48 and 51 people an arm
        columns = pictures.fan_columns(table(persons))
        without = {s for s, v in zip(columns["share"], columns["value"], strict=True) if v is None}
        assert without == hidden


def test_a_fan_shows_the_quantiles_of_an_arm_and_wave() -> None:
    data = table(20)
    columns = pictures.fan_columns(data)
    own = (data.rows["treated"] == 1.0) & (data.rows["wave"] == 2)
    shown = [
        v
        for g, x, s, v in zip(*(columns[n] for n in ("group", "x", "share", "value")), strict=True)
        if (g, x, s) == ("mandate 1", 2.0, 0.75)
    ]
    assert shown == [float(np.quantile(data.rows.loc[own, "outcome"], 0.75))]


def test_persons_in_order_are_averaged_over_at_least_five() -> None:
    columns = pictures.caterpillar_columns(table(20))
    assert min(columns["people"]) >= 5.0  # type: ignore[type-var]
    assert sum(float(k) for k in columns["people"] if k is not None) == 120.0
    control = [
        v for g, v in zip(columns["group"], columns["value"], strict=True) if g == "mandate 0"
    ]
    assert control == sorted(control)  # type: ignore[type-var]
