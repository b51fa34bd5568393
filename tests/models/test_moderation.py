"""Moderation: each kind of knowledge apart, as it was before, and what only looks like it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import AlcError, DeclarationError, TableError
from alc_stats.estimators import fit
from alc_stats.models import Claim, Evidence, Finding, moderation
from alc_stats.models.finding import Line
from alc_stats.models.moderation.data import ModerationQuestion, moderation_data
from alc_stats.models.moderation.fits import moderated
from alc_stats.records import Phrase
from tolerances import EXACT_ARITHMETIC

CLAIM = Claim("H8", "moderation", "Those who know the shape pull away.")
ASKED: dict[str, Any] = {
    "outcome": "score", "treatment": "mandate", "person": "person", "firm": "firm",
    "moderators": ("shape", "ways"), "ability": "ability", "bounds": (0, 100),
}  # fmt: skip
DRAWS = 80
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.05))
"""More false rejections than this are seen once in 1,000 runs of a test of size 5 %."""


def people(
    seed: int,
    *,
    shape: float = 0.0,
    ways: float = 0.0,
    ability: float = 0.0,
    firms: int = 30,
    persons: int = 30,
    slope_sd: float = 0.0,
    together: float = 0.6,
    mean: float = 50.0,
) -> pd.DataFrame:
    """One row a person; whole firms mandated; the three measures go together."""
    rng = np.random.default_rng(seed)
    n = firms * persons
    common = rng.normal(size=n)
    table = pd.DataFrame(
        {name: np.sqrt(together) * common + np.sqrt(1 - together) * rng.normal(size=n)
         for name in ("shape", "ways", "ability")}
    )  # fmt: skip
    table["person"], table["firm"] = range(n), np.arange(n) // persons
    on = table["mandate"] = table["firm"] % 2
    varied = (slope_sd * rng.normal(size=firms))[table["firm"]] * table["shape"]
    effect = 0.3 + shape * table["shape"] + ways * table["ways"] + ability * table["ability"]
    level = 0.3 * table["ability"] + (0.2 * rng.normal(size=firms))[table["firm"]]
    table["score"] = (mean + 10.0 * (level + on * effect + varied + rng.normal(size=n))).clip(
        0, 100
    )
    return table


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return moderation(data, CLAIM, **(ASKED | how))


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def line(finding: Finding, method: str) -> Line:
    return next(t for t in finding.triangulation if t.method == method)


def test_both_kinds_of_knowledge_are_told_apart() -> None:
    found = asked(people(1, shape=0.4, ways=0.3))
    assert found.decision.verdict == "supported"
    only = asked(people(1, shape=0.5))
    first, second = only.triangulation[:2]
    assert first.note.template.startswith("supported")
    assert not second.note.template.startswith("supported")
    assert only.decision.verdict != "supported"
    difference = line(only, "More effect with shape than with ways")
    assert difference.value == pytest.approx((first.value or 0) - (second.value or 0), abs=1e-9)
    assert (difference.p or 1.0) < 0.05


def test_what_goes_with_a_moderator_looks_like_it_until_both_are_held() -> None:
    found = asked(people(2, shape=0.5))
    alone, held = line(found, "By ways alone"), line(found, "More effect with more ways")
    assert (alone.p or 1.0) < 0.05
    assert abs(held.value or 9.0) < 0.5 * abs(alone.value or 0.0)


def test_ability_that_pulls_away_is_not_knowledge() -> None:
    found = asked(people(3, ability=0.5, firms=60))
    assert (line(found, "By shape, ability not held").p or 1.0) < 0.05
    assert found.decision.verdict != "supported"
    assert (line(found, "By ability, held in the model").p or 1.0) < 0.05


def test_it_is_the_interaction_of_standardised_columns() -> None:
    table = people(4, shape=0.3).drop(columns="firm")
    found = moderation(table, outcome="score", treatment="mandate", person="person",
                       moderators=["shape", "ways"])  # fmt: skip
    free = table.loc[table["mandate"] == 0, "score"].std()
    plain = pd.DataFrame({"y": table["score"] / free, "on": table["mandate"]})
    for name in ("shape", "ways"):
        plain[name] = (table[name] - table[name].mean()) / table[name].std()
    twin = fit("y ~ on*shape + on*ways", plain, covariance="HC2")
    part = found.triangulation[0]
    assert part.value == pytest.approx(twin.params["on:shape"], rel=1e2 * EXACT_ARITHMETIC)
    low, high = part.low or 0.0, part.high or 0.0
    half = stats.t.ppf(0.975, part.df) * twin.bse["on:shape"]
    assert (high - low) / 2 == pytest.approx(half, rel=1e-9)


def test_with_a_time_before_moderators_are_taken_from_it() -> None:
    start = people(5, shape=0.4, ways=0.4)
    later = start.assign(post=1)
    before = start.assign(post=0, score=start["score"] - 3.0 * start["mandate"])
    table = pd.concat([before, later], ignore_index=True)
    found = asked(table, post="post")
    spoilt = table.copy()
    spoilt.loc[spoilt["post"] == 1, ["shape", "ways", "ability"]] = 7.0
    assert asked(spoilt, post="post").triangulation[0] == found.triangulation[0]
    assert evidence(found, "moderator measured after").outcome == "clear"


def test_a_moderation_that_is_none_is_found_in_one_of_twenty() -> None:
    """Effects differ from firm to firm by shape: only robust errors know it."""
    ours = naive = 0
    for seed in range(DRAWS):
        table = people(seed, slope_sd=0.8, firms=16, persons=20)
        rows = moderation_data(table, ModerationQuestion(**ASKED))
        ours += moderated(rows).gamma("shape").p_value < 0.05
        plain = fit("outcome ~ on*m_1 + on*m_2 + on*m_3 + (1 | unit)", rows.rows)
        naive += plain.pvalues["on:m_1"] < 0.05
    assert ours <= RARE
    assert naive > 2 * RARE


def test_a_ceiling_is_a_threat() -> None:
    found = asked(people(6, shape=0.4, ways=0.4, mean=95.0))
    assert evidence(found, "floor and ceiling").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


def test_few_firms_carry_no_verdict() -> None:
    assert evidence(asked(people(7, firms=8)), "few clusters").outcome == "threat"


def test_what_is_not_known_is_said() -> None:
    found = asked(people(8, firms=12), ability=None, bounds=None)
    unknown = {e.artefact for e in found.evidence if e.outcome == "not tested"}
    assert {"ability", "floor and ceiling", "scale", "moderator measured after"} <= unknown


def refused(data: pd.DataFrame, **how: Any) -> AlcError:
    with pytest.raises((DeclarationError, TableError)) as caught:
        asked(data, **how)
    return caught.value


def test_a_moderator_measured_after_the_start_is_refused() -> None:
    table = people(9, firms=6).assign(seen="2025-03-01", began="2025-02-01")
    said = str(refused(table, measured="seen", start="began"))
    assert "moderators were measured after the start" in said
    assert "may be its consequence" in said


@pytest.mark.parametrize(
    ("change", "how", "said"),
    [
        ({"shape": 1.0}, {}, "the moderator never varies"),
        ({"mandate": 1}, {}, "the treatment never varies"),
        ({"mandate": [1, 2] * 90}, {}, "Name the two arms with treated= and control="),
        ({}, {"moderators": ()}, "moderators are not one or more different columns"),
        ({}, {"moderators": ("shape", "shape")}, "different columns"),
        ({}, {"smallest": 0.0}, "the smallest moderation is not positive"),
        ({}, {"measured": "shape"}, "measured and start are named together"),
        ({}, {"ability": "abilty"}, "Did you mean 'ability'?"),
        ({"post": 1}, {"post": "post"}, "not 0 before and 1 after"),
        ({"mandate": [0, 1] * 90}, {}, "what was assigned is in both arms"),
        ({"person": [0, 1] * 90}, {}, "the moderator changes within persons"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    change: dict[str, Any], how: dict[str, Any], said: str
) -> None:
    assert said in str(refused(people(10, firms=6).assign(**change), **how))


def test_ids_may_be_categories() -> None:
    """With a time before, people are grouped and their means put back by id."""
    later = people(12, shape=0.4, firms=10)
    before = later.assign(score=50.0 + later["ability"] + later["ways"])
    plain = pd.concat([before.assign(post=0), later.assign(post=1)], ignore_index=True)
    kinds = plain.astype({"person": "category", "firm": "category"})
    assert asked(kinds, post="post") == asked(plain, post="post")
    named = plain.assign(arm=plain["mandate"].map({0: "off", 1: "on"}).astype("category"))
    how = {"treatment": "arm", "treated": "on", "control": "off", "post": "post"}
    assert asked(named, **how) == asked(plain, post="post")


def test_persons_and_firms_are_called_so() -> None:
    table = people(13, firms=8)
    assert "240 persons in 8 firms;" in filled(asked(table).observed)
    alone = asked(table.assign(mandate=table["person"] % 2), firm=None)
    assert "240 persons, each assigned alone;" in filled(alone.observed)


def filled(phrase: Phrase) -> str:
    return phrase.template.format(**{k: f"{n.value:g}" for k, n in phrase.numbers.items()})


def test_rows_without_a_treatment_or_firm_are_refused() -> None:
    table = people(14, firms=6)
    table.loc[:3, "mandate"] = np.nan
    table.loc[:1, "score"] = np.nan
    said = str(refused(table))
    assert "2 rows with an outcome have no treatment" in said
    assert "Leave these rows out when the data are prepared" in said
    text = table.assign(mandate=table["mandate"].map({0.0: "off", 1.0: "on"}))
    assert "2 rows with" in str(refused(text, treated="on", control="off"))
    lost = people(14, firms=6).astype({"firm": object})
    lost.loc[0, "firm"] = None
    assert "1 rows have no firm" in str(refused(lost))


def test_one_cluster_in_an_arm_is_refused() -> None:
    table = people(11, firms=3)
    assert "an arm has one cluster" in str(refused(table[table["firm"] < 2]))
