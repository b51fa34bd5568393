"""Laying tokens out over weeks and events loses none of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from alc_stats.simulate.events import bunched, weekly_tokens
from alc_stats.simulate.population import populate
from alc_stats.simulate.streams import stream
from simulate.studies import SEED, tables_of, truth_of
from tolerances import EXACT_ARITHMETIC

USAGE = dataclasses.replace(
    truth_of("reference").usage, quota=100.0, bunching_share=1.0, bunching_width=0.2
)


def bunch(*weeks: tuple[float, ...], mandated: float = 1.0) -> np.ndarray:
    tokens = np.array([weeks])
    return bunched(tokens, np.full(tokens.shape[:2], mandated), USAGE, stream(1, "test"))[0]


def test_a_week_just_short_of_the_quota_is_topped_up_from_the_others() -> None:
    (after,) = bunch((90.0, 200.0, 300.0))
    assert 100.0 <= after[0] <= 102.0
    assert after.sum() == pytest.approx(590.0, rel=EXACT_ARITHMETIC)
    assert after[1] / after[2] == pytest.approx(2 / 3, rel=EXACT_ARITHMETIC)


@pytest.mark.parametrize(
    "week",
    [
        pytest.param((79.0, 200.0, 300.0), id="far short of the quota"),
        pytest.param((100.0, 200.0, 300.0), id="at the quota"),
        pytest.param((81.0, 10.0, 20.0), id="nothing to take from"),
    ],
)
def test_other_weeks_stay(week: tuple[float, ...]) -> None:
    np.testing.assert_array_equal(bunch(week)[0], week)


def test_without_a_mandate_every_week_stays() -> None:
    week = (90.0, 200.0, 300.0)
    np.testing.assert_array_equal(bunch(week, mandated=0.0)[0], week)


def test_one_week_of_a_wave_is_lifted() -> None:
    (after,) = bunch((90.0, 95.0, 900.0))
    assert after[0] >= 100.0
    assert after[1] < 95.0


def test_bunching_is_seen_at_the_quota_of_mandated_firms_only() -> None:
    truth = truth_of("reference")
    population = populate(truth.design, seed=SEED)
    weeks = weekly_tokens(truth, population, seed=SEED) / truth.usage.quota
    under = np.repeat(population.mandated, truth.design.weeks_per_wave, axis=1) > 0
    above, below = ((weeks >= 1.0) & (weeks < 1.02)), ((weeks >= 0.98) & (weeks < 1.0))
    assert above[under].sum() > 3 * below[under].sum()
    assert above[~under].sum() < 2 * below[~under].sum()


def test_events_add_up_to_the_tokens_of_their_week() -> None:
    truth = truth_of("reference")
    weeks = weekly_tokens(truth, populate(truth.design, seed=SEED), seed=SEED)
    events = tables_of("reference")["usage_event"]
    first = pd.Timestamp(truth.design.first_day, tz="UTC")
    week = (events["timestamp"] - first).dt.days // 7
    tokens = events["tokens_in"] + events["tokens_out"]
    sums = tokens.groupby([events["person_id"], week]).agg(["sum", "size"])
    assert len(sums) == weeks.size  # every person has an event in every week
    # an event is rounded by half a token at most, or raised to its two least tokens
    assert (np.abs(sums["sum"].to_numpy() - weeks.ravel()) <= 2.0 * sums["size"].to_numpy()).all()
