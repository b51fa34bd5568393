"""A scorecard: each metric's word, its reliability, what gamers do to it, and the joint claim."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import AlcError, DeclarationError, TableError
from alc_stats.estimators.estimate import Estimate
from alc_stats.measures import reliability
from alc_stats.models import Evidence, Finding, Metric, scorecard
from alc_stats.models.card import Card, CardRow, Weakness, Word
from alc_stats.models.finding import Line
from alc_stats.models.scorecard.data import ROLES, ScorecardQuestion, card_data
from alc_stats.models.scorecard.effects import (
    Effects,
    as_units,
    censored,
    estimated,
    units_decide,
    word,
)
from alc_stats.models.scorecard.precision import precision
from alc_stats.records import dump, load
from tolerances import EXACT_ARITHMETIC, MONTE_CARLO_SIGMAS, PUBLISHED_TWO_DIGITS, TEN_DIGITS

WIDE = (-np.inf, np.inf)
VOLUME = Metric(column="log_tokens", name="Tokens used", unit="tokens")
QUALITY = Metric(column="quality", bounds=(0, 100))
COMPLETION = Metric(column="familiar", bounds=(0, 100))
TRANSFER = Metric(column="far", bounds=(0, 100))
COLUMNS: dict[str, Any] = {
    "volume": VOLUME,
    "quality": QUALITY,
    "completion": COMPLETION,
    "transfer": TRANSFER,
    "arm": "arm",
    "control": "control",
    "treated": "mandate",
    "person": "person",
    "firm": "firm",
    "post": "post",
    "wave": "wave",
}
TWO_ROUTES = 1e-6
"""Firm means by the model and by hand, in balanced data."""
CORRELATION_OF_4000 = 0.06
"""Four standard errors of a correlation of 4000 people."""
REFITTED = 2e-3
"""SDs: another model search on gamed data weighs firms by a slightly other variance."""


def panel(
    seed: int,
    *,
    effects: tuple[float, float, float, float] = (0.9, 0.0, 0.0, 0.0),
    firms: int = 24,
    persons: int = 15,
    waves: tuple[int, int] = (1, 3),
    firm_change: float = 0.1,
) -> pd.DataFrame:
    """Four metrics of persons in firms, half mandated; effects in total SDs."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons)
    n = firm.size
    mandate = (firm < firms // 2) * 1
    person, level = 0.8 * rng.normal(size=(n, 4)), 0.3 * rng.normal(size=(firms, 4))[firm]
    change = firm_change * rng.normal(size=(firms, 4))[firm]
    parts = []
    for wave in range(sum(waves)):
        post = int(wave >= waves[0])
        residual = math.sqrt(1 - 0.64 - 0.09) * rng.normal(size=(n, 4))
        y = person + level + residual + 0.05 * wave + change * post
        y = y + np.outer(mandate * post, effects)
        parts.append(
            pd.DataFrame(
                {
                    "firm": firm,
                    "person": np.arange(n),
                    "arm": np.where(mandate == 1, "mandate", "control"),
                    "post": post,
                    "wave": wave,
                    "log_tokens": 11 + 0.7 * y[:, 0],
                    "quality": 50 + 5 * y[:, 1],
                    "familiar": 50 + 8 * y[:, 2],
                    "far": 40 + 8 * y[:, 3],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return scorecard(data, **(COLUMNS | how))


def effects_of(data: pd.DataFrame, **how: Any) -> Effects:
    return estimated(card_data(data, ScorecardQuestion(**(COLUMNS | how))), 0.05)


def page(finding: Finding) -> Card:
    assert finding.card is not None
    return finding.card


def row(finding: Finding, metric: str) -> CardRow:
    return next(r for r in page(finding).rows if r.metric == metric)


def weakness(finding: Finding, metric: str, strategy: str) -> Weakness:
    return next(w for w in row(finding, metric).weaknesses if w.strategy == strategy)


def lined(finding: Finding, method: str) -> Line:
    return next(line for line in finding.triangulation if line.method == method)


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


# -- verdicts ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def volume_only() -> Finding:
    return asked(panel(1))


def test_volume_that_alone_calls_an_arm_a_success_supports_the_claim(volume_only: Finding) -> None:
    assert volume_only.decision.verdict == "supported"
    words = [r.answers[0].word for r in page(volume_only).rows]
    assert words == ["better", "no better", "no better", "no better"]
    assert volume_only.p == max(line.p or 0.0 for line in volume_only.triangulation[:4])


def test_effects_are_the_ones_that_were_put_in() -> None:
    truths = (0.9, 0.0, 0.4, -0.5)
    finding = asked(panel(2, effects=truths, firms=40))
    for truth, own in zip(truths, page(finding).rows, strict=True):
        answer = own.answers[0]
        half = (answer.high.value - answer.low.value) / 2.0
        assert abs(answer.value.value - truth) < 2.0 * half
    assert [r.answers[0].word for r in page(finding).rows[2:]] == ["better", "worse"]


def test_a_competence_metric_that_is_better_contradicts_the_claim() -> None:
    finding = asked(panel(3, effects=(0.9, 0.0, 0.0, 0.8)))
    assert finding.decision.verdict == "contradicted"
    assert "by cross-context transfer, it is better as well" in page(finding).headline.template


def test_use_that_falls_contradicts_the_claim() -> None:
    assert asked(panel(4, effects=(-0.9, 0.0, 0.0, 0.0))).decision.verdict == "contradicted"


def test_a_third_arm_is_on_the_card_and_leaves_the_claim_alone(volume_only: Finding) -> None:
    third = panel(11, effects=(0.0, 0.0, 0.0, 0.8)).query("arm == 'mandate'")
    third = third.assign(arm="training", firm=third["firm"] + 100, person=third["person"] + 9000)
    both = asked(pd.concat([panel(1), third], ignore_index=True))
    assert page(both).arms == ("mandate", "training")
    assert [r.answers[1].word for r in page(both).rows][3] == "better"
    assert both.decision.verdict == volume_only.decision.verdict
    for own, alone in zip(page(both).rows, page(volume_only).rows, strict=True):
        assert own.answers[0].value.value == pytest.approx(alone.answers[0].value.value, abs=0.02)


def test_the_card_is_on_disk_as_it_was(volume_only: Finding) -> None:
    assert load(dump(volume_only), Finding) == volume_only


def test_every_number_of_the_card_is_a_line(volume_only: Finding) -> None:
    lines = {line.value for line in volume_only.triangulation}
    for own in page(volume_only).rows:
        assert own.reliability.value is not None
        shown = [own.reliability.value, *(w.arm for w in own.weaknesses)]
        assert {n.value for n in (*shown, *(a.value for a in own.answers))} <= lines


# -- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.30, "better"), (0.19, "cannot say"), (0.02, "no better"), (-0.30, "worse"),
     (-0.15, "no better")],
)  # fmt: skip
def test_the_word_is_that_of_limits_computed_by_hand(value: float, said: Word) -> None:
    se, df, smallest = 0.1, 20.0, 0.2
    two_sided, one_sided = stats.t.ppf([0.975, 0.95], df) * se
    by_hand: Word = "cannot say"
    if value - two_sided > 0.0 and value >= smallest:
        by_hand = "better"
    elif value + two_sided < 0.0 and value <= -smallest:
        by_hand = "worse"
    elif value + one_sided < smallest:
        by_hand = "no better"
    assert by_hand == said
    assert word(Estimate("", value, se, df), smallest, 0.05) == said


# -- effects -------------------------------------------------------------------------------------


def test_with_firms_as_units_it_is_welch_on_changes_of_firms() -> None:
    data = panel(5, firms=10)
    found = effects_of(data, wave=None)
    assert units_decide(found.data, "mandate")
    for role in ROLES:
        metric = found.data.question.metrics[role].column
        means = data.groupby(["arm", "firm", "post"])[metric].mean()
        change = means.xs(1, level="post") - means.xs(0, level="post")
        sd = data.query("arm == 'control' and post == 0")[metric].std()
        treated, control = change["mandate"] / sd, change["control"] / sd
        by_scipy = stats.ttest_ind(treated, control, equal_var=False)
        own = found.estimates[role, "mandate"]
        assert own.value == pytest.approx(treated.mean() - control.mean(), abs=TEN_DIGITS)
        assert own.statistic == pytest.approx(by_scipy.statistic, rel=TEN_DIGITS)
        assert own.df == pytest.approx(by_scipy.df, rel=TEN_DIGITS)


def test_in_balanced_data_the_model_and_the_units_agree() -> None:
    found = effects_of(panel(6))
    assert not units_decide(found.data, "mandate")
    for role, model in found.models.items():
        units = as_units(found.data, model, "mandate")
        own = found.estimates[role, "mandate"]
        assert own.value == pytest.approx(units.value, abs=TWO_ROUTES)
        assert own.se == pytest.approx(units.se, abs=TWO_ROUTES)


def test_without_firms_persons_are_the_units() -> None:
    data = panel(7, firms=60, persons=1)
    with_firms, without = effects_of(data, firm="person"), effects_of(data, firm=None)
    assert without.data.unit_name == "person"
    for key, own in without.estimates.items():
        assert own.value == pytest.approx(with_firms.estimates[key].value, abs=TWO_ROUTES)
        assert own.se == pytest.approx(with_firms.estimates[key].se, abs=TWO_ROUTES)


def test_amounts_are_logged_and_shown_as_a_change_in_percent() -> None:
    data = panel(8)
    logged = asked(data)
    raw = asked(data.assign(tokens=np.exp(data["log_tokens"])),
                volume=replace(VOLUME, column="tokens", log=True))  # fmt: skip
    own, other = (row(f, "Tokens used").answers[0] for f in (logged, raw))
    assert own.value.value == pytest.approx(other.value.value, abs=TEN_DIGITS)
    sd = data.query("arm == 'control' and post == 0")["log_tokens"].std()
    assert own.plain.value == pytest.approx(math.exp(own.value.value * sd) - 1.0, rel=TEN_DIGITS)


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("firms", [8, 14])
def test_the_words_err_no_more_often_than_they_may(firms: int) -> None:
    """Volume does nothing; quality rises by exactly what would matter, where the rule errs most."""
    runs, errors = 80, {"better": 0, "no better": 0}
    for seed in range(runs):
        data = panel(1000 + seed, effects=(0.0, 0.2, 0.0, 0.0), firms=firms, persons=8,
                     waves=(1, 1), firm_change=0.15)  # fmt: skip
        sd = 5.0  # of the population, so that the effect is the smallest one
        read = card_data(
            data, ScorecardQuestion(**COLUMNS | {"completion": None, "transfer": None})
        )
        found = estimated(read, 0.05)
        own = found.rescaled("quality", "mandate", read.baselines["quality"].sd / sd)
        errors["better"] += found.word("volume", "mandate") == "better"
        errors["no better"] += found.word("quality", "mandate", own) == "no better"
    assert errors["better"] <= stats.binom.ppf(0.995, runs, 0.025)
    assert errors["no better"] <= stats.binom.ppf(0.995, runs, 0.05)


# -- reliability ---------------------------------------------------------------------------------

JUDGES = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)
"""Shrout and Fleiss (1979), Table 2: six targets, four judges."""


def rated() -> pd.DataFrame:
    """Every arm has the six targets: four occasions after the start, one before."""
    before = pd.DataFrame({"target": range(6), "wave": 0, "quality": [3.0, 1, 4, 1, 5, 9]})
    after = pd.DataFrame(JUDGES, columns=range(1, 5)).rename_axis("target").reset_index()
    after = after.melt("target", var_name="wave", value_name="quality")
    rows = pd.concat([before, after], ignore_index=True)
    arms = [rows.assign(arm=arm, person=arm + rows["target"].astype(str))
            for arm in ("control", "mandate")]  # fmt: skip
    both = pd.concat(arms, ignore_index=True)
    both["log_tokens"] = np.random.default_rng(1).normal(size=len(both))
    return both.assign(post=(both["wave"] > 0) * 1)


@pytest.mark.parametrize(("wave", "published"), [(None, 0.17), ("wave", 0.71)])
def test_reliability_of_occasions_is_the_published_intraclass_correlation(
    wave: str | None, published: float
) -> None:
    finding = asked(rated(), wave=wave, firm=None, completion=None, transfer=None)
    own = row(finding, "Output quality").reliability
    assert own.value is not None
    assert own.value.value == pytest.approx(published, abs=PUBLISHED_TWO_DIGITS)
    assert ("ICC(1)" if wave is None else "ICC(C,1)") in own.how


def test_reliability_of_items_is_omega_of_the_control_arm_before_the_start() -> None:
    data = panel(9)
    noise = 6.0 * np.random.default_rng(5).normal(size=(len(data), 4))
    items = pd.DataFrame(noise, columns=list("abcd")).add(data["far"], axis=0)
    data = pd.concat([data, items], axis=1)
    finding = asked(data, transfer=replace(TRANSFER, items=("a", "b", "c", "d")))
    own = row(finding, "Cross-context transfer").reliability
    by_scale = reliability(data.query("arm == 'control' and post == 0"), list("abcd"),
                           range=(-999, 999))  # fmt: skip
    assert own.value is not None
    assert own.low is not None
    assert own.value.value == pytest.approx(by_scale.omega, abs=TEN_DIGITS)
    assert own.low.value == pytest.approx(by_scale.omega_low, abs=TEN_DIGITS)


def test_reliability_of_improvement_is_what_changes_share_when_measured_twice() -> None:
    """Two measurements of the same true changes correlate by it (Lord 1956)."""
    rng = np.random.default_rng(4)
    people, true_sd, error_sd = 4000, 0.8, 1.0
    level, change = rng.normal(size=people), true_sd * rng.normal(size=people)

    def occasions(post: int) -> list[np.ndarray]:
        return [level + change * post + error_sd * rng.normal(size=people)
                for _ in range(2 if post else 1)]  # fmt: skip

    twice = [np.mean(occasions(1), axis=0) - occasions(0)[0] for _ in range(2)]
    again = float(np.corrcoef(*twice)[0, 1])
    seen = [(post, y) for post in (0, 1) for y in occasions(post)]
    rows = [
        pd.DataFrame({"person": [f"{arm}{i}" for i in range(people)], "arm": arm, "post": post,
                      "familiar": y, "log_tokens": rng.normal(size=people)})
        for arm in ("control", "mandate") for post, y in seen
    ]  # fmt: skip
    read = card_data(
        pd.concat(rows, ignore_index=True),
        ScorecardQuestion(**COLUMNS | {"wave": None, "firm": None, "quality": None,
                                       "transfer": None,
                                       "completion": replace(COMPLETION, bounds=WIDE)}),
    )  # fmt: skip
    own = precision(read, "completion").change
    assert own is not None
    truth = true_sd**2 / (true_sd**2 + error_sd**2 * 1.5)
    assert own == pytest.approx(truth, abs=CORRELATION_OF_4000)
    assert own == pytest.approx(again, abs=2.0 * CORRELATION_OF_4000)
    assert precision(read, "volume").change is None


def test_improvement_that_is_all_error_is_not_reliable(volume_only: Finding) -> None:
    own = row(volume_only, "Task-completion improvement").reliability
    assert own.change is not None
    assert own.value is not None
    assert own.change.value < 0.15 < own.value.value


def test_reliability_that_nobody_knows_is_not_known() -> None:
    finding = asked(panel(1, waves=(1, 1)))
    own = row(finding, "Output quality").reliability
    assert own.value is None
    assert own.how.startswith("not known")
    assert evidence(finding, "noise in quality").finding.numbers["reliability_quality"].value == 0.7


def test_a_metric_too_noisy_to_see_an_improvement_allows_no_verdict() -> None:
    data = panel(1, effects=(0.9, 0.06, 0.0, 0.0), firms=40)
    assert asked(data).decision.verdict == "supported"
    noisy = asked(data, quality=replace(QUALITY, reliability=0.3))
    assert evidence(noisy, "noise in quality").outcome == "threat"
    assert noisy.decision.verdict == "inconclusive"


# -- gaming --------------------------------------------------------------------------------------


def with_gamers(
    data: pd.DataFrame, share: float, seed: int, game: Callable[[pd.DataFrame], pd.Series]
) -> pd.DataFrame:
    """Rows after a share of the people of every mandated firm gamed, drawn by lot."""
    rng = np.random.default_rng(seed)
    people = data.query("arm == 'mandate'").drop_duplicates("person")
    chosen: list[int] = []
    for _, own in people.groupby("firm")["person"]:
        chosen += list(rng.choice(own, size=round(share * len(own)), replace=False))
    gamers = data["person"].isin(chosen)
    return data.assign(game=game(data)).assign(gamer=gamers)


def moved(data: pd.DataFrame, column: str, gamed: pd.DataFrame) -> float:
    """How far the mandate's effect moves when the model is fitted to gamed data as well."""
    after = data.assign(**{column: gamed["game"].where(gamed["gamer"], data[column])})
    role = {"log_tokens": "volume", "quality": "quality", "far": "transfer"}[column]
    return (
        effects_of(after).estimates[role, "mandate"].value  # type: ignore[index]
        - effects_of(data).estimates[role, "mandate"].value  # type: ignore[index]
    )


def doubled(data: pd.DataFrame) -> pd.Series:
    return data["log_tokens"] + math.log(2.0) * data["post"]


def coached(data: pd.DataFrame) -> pd.Series:
    return (
        data["far"]
        + 0.42 * data.query("arm == 'control' and post == 0")["far"].std() * data["post"]
    )


def held_back(data: pd.DataFrame) -> pd.Series:
    lower = 0.42 * data.query("arm == 'control' and post == 0")["quality"].std()
    return data["quality"] - lower * (1 - data["post"])


def picked(data: pd.DataFrame) -> pd.Series:
    """Occasions after the start that are not among the better half count for nothing."""
    out = data["quality"].copy()
    for _, own in data.query("post == 1").groupby("person"):
        ranked = own["quality"].sort_values(ascending=False)
        best = ranked.iloc[: math.ceil(len(ranked) / 2)]
        out.loc[ranked.index] = best.mean()
    return out


@pytest.mark.parametrize(
    ("column", "game", "metric", "strategy"),
    [
        ("log_tokens", doubled, "Tokens used", "padding"),
        ("far", coached, "Cross-context transfer", "teaching to the test"),
        ("quality", held_back, "Output quality", "sandbagging"),
    ],
)
def test_gamers_drawn_by_lot_move_an_arm_as_far_as_the_card_says(
    volume_only: Finding,
    column: str,
    game: Callable[[pd.DataFrame], pd.Series],
    metric: str,
    strategy: str,
) -> None:
    """A fifth of the people of every firm, and the model fitted again."""
    data = panel(1)
    seen = moved(data, column, with_gamers(data, 0.2, 3, game))
    told = weakness(volume_only, metric, strategy).arm.value
    # sandbagging leaves the SD of control as it is, so movements are in the same unit
    assert seen == pytest.approx(told, abs=REFITTED)


def test_cherry_pickers_drawn_by_lot_move_an_arm_as_far_as_the_card_says(
    volume_only: Finding,
) -> None:
    """What each gains differs, so that lots differ: their mean is what the card says."""
    data = panel(1)
    lots = [moved(data, "quality", with_gamers(data, 0.2, seed, picked)) for seed in range(8)]
    told = weakness(volume_only, "Output quality", "cherry-picking").arm.value
    error = np.std(lots, ddof=1) / math.sqrt(len(lots))
    assert abs(np.mean(lots) - told) < MONTE_CARLO_SIGMAS * error
    assert 0.0 < told < 0.2


def test_movements_of_a_person_are_exact(volume_only: Finding) -> None:
    data = panel(1)
    means = data.query("post == 1 and arm == 'control'").groupby("person")["log_tokens"].mean()
    own = weakness(volume_only, "Tokens used", "padding").person.value
    assert own == pytest.approx(math.log(2.0) / means.std(), rel=TEN_DIGITS)
    both = data.query("arm == 'control'").groupby(["person", "post"])["quality"].mean()
    change = both.xs(1, level="post") - both.xs(0, level="post")
    held = weakness(volume_only, "Output quality", "sandbagging").person.value
    sd = data.query("arm == 'control' and post == 0")["quality"].std()
    assert held == pytest.approx(0.42 * sd / change.std(), rel=TEN_DIGITS)


def test_the_share_that_fakes_a_success_moves_the_arm_by_what_would_matter(
    volume_only: Finding,
) -> None:
    own = weakness(volume_only, "Tokens used", "padding")
    assert own.fakes is not None
    again = asked(panel(1), gamers=own.fakes.value)
    moves = weakness(again, "Tokens used", "padding").arm.value
    assert moves == pytest.approx(0.2, abs=EXACT_ARITHMETIC)
    weak = weakness(asked(panel(1), coached=0.1), "Output quality", "sandbagging")
    assert weak.fakes is None


def test_the_worst_strategy_comes_first(volume_only: Finding) -> None:
    for own in page(volume_only).rows:
        moves = [w.arm.value for w in own.weaknesses]
        assert moves == sorted(moves, reverse=True)
    strategies = {w.strategy for w in row(volume_only, "Output quality").weaknesses}
    assert strategies == {"cherry-picking", "sandbagging"}


def test_nobody_picks_among_single_occasions() -> None:
    finding = asked(panel(1, waves=(1, 1)))
    strategies = {w.strategy for w in row(finding, "Output quality").weaknesses}
    assert strategies == {"sandbagging"}


def test_a_success_that_gamers_could_have_made_contradicts_nothing() -> None:
    data = panel(1, effects=(0.9, 0.0, 0.0, 0.25), firms=40)
    finding = asked(data)
    assert row(finding, "Cross-context transfer").answers[0].word == "better"
    assert evidence(finding, "gamed competence metrics").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"
    honest = asked(data, gamers=0.01)
    assert evidence(honest, "gamed competence metrics").outcome == "clear"
    assert honest.decision.verdict == "contradicted"


# -- artefacts -----------------------------------------------------------------------------------


def test_a_ceiling_that_hides_an_improvement_allows_no_verdict() -> None:
    data = panel(12, effects=(0.9, 0.0, 0.0, 0.3), firms=30, persons=8, waves=(1, 2))
    data["far"] = data["far"].clip(upper=36.0)
    capped = replace(TRANSFER, bounds=(0, 36))
    finding = asked(data, transfer=capped)
    hidden = evidence(finding, "bounds of transfer")
    assert hidden.outcome == "threat"
    assert finding.decision.verdict == "inconclusive"
    found = effects_of(data, transfer=capped)
    latent = censored(found.data, found.models["transfer"], "transfer", "mandate")
    assert isinstance(latent, Estimate)
    assert latent.value > found.estimates["transfer", "mandate"].value


def test_undeclared_bounds_of_a_competence_metric_allow_no_verdict() -> None:
    finding = asked(panel(1), quality=replace(QUALITY, bounds=None))
    assert evidence(finding, "bounds of quality").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_people_who_leave_one_arm_allow_no_verdict() -> None:
    data = panel(1)
    gone = (data["arm"] == "mandate") & (data["person"] % 5 == 0) & (data["post"] == 1)
    finding = asked(data.loc[~gone])
    assert evidence(finding, "people who left").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_arms_that_part_before_the_start_allow_no_verdict() -> None:
    data = panel(1, waves=(3, 3))
    assert evidence(asked(data), "trends before the start").outcome == "clear"
    parting = data["wave"].clip(upper=2) * (data["arm"] == "mandate")
    finding = asked(data.assign(quality=data["quality"] - 3.0 * parting))
    assert evidence(finding, "trends before the start").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_metrics_that_lack_many_rows_allow_no_verdict() -> None:
    data = panel(1)
    data.loc[data["person"] % 10 == 0, "far"] = np.nan
    finding = asked(data)
    own = evidence(finding, "rows left out")
    assert own.outcome == "threat"
    assert own.finding.numbers["lacking_transfer"].value == pytest.approx(0.1)


def test_what_was_not_measured_is_on_the_page() -> None:
    finding = asked(panel(1), transfer=None, completion=None)
    said = [phrase.template for phrase in page(finding).untested]
    assert "Cross-context transfer was not measured." in said
    assert [r.metric for r in page(finding).rows] == ["Tokens used", "Output quality"]


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_show_every_metric_arm_and_strategy(volume_only: Finding) -> None:
    metrics, games = volume_only.pictures
    own = metrics.panels[0].marks[0]
    assert own.texts == tuple(r.metric for r in page(volume_only).rows)
    assert own.x == tuple(r.answers[0].value.value for r in page(volume_only).rows)
    rows = [m for m in games.panels[0].marks if m.kind == "row"]
    assert [m.label for m in rows] == ["volume", "competence"]
    assert sum(len(m.texts) for m in rows) == sum(len(r.weaknesses) for r in page(volume_only).rows)
    for m in rows:
        assert m.high == pytest.approx([4.0 * low for low in m.low], rel=EXACT_ARITHMETIC)


# -- bad input -----------------------------------------------------------------------------------


def one_firm(data: pd.DataFrame) -> pd.DataFrame:
    return data.loc[(data["arm"] == "control") | (data["firm"] == 0)]


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"quality": Metric(column="log_tokens")}, DeclarationError,
         "the volume metric is also the metric of quality"),
        ({"quality": None, "completion": None, "transfer": None}, DeclarationError,
         "no competence metric"),
        ({"treated": "mandat"}, DeclarationError, "Did you mean 'mandate'"),
        ({"control": "mandate"}, DeclarationError, "the same arm"),
        ({"quality": Metric(column="qualty")}, DeclarationError, "Did you mean 'quality'"),
        ({"quality": Metric(column="quality", log=True)}, DeclarationError, "only the volume"),
        ({"quality": Metric(column="quality", bounds=(100, 0))}, DeclarationError, "not in order"),
        ({"quality": Metric(column="quality", bounds=(0, 50))}, TableError, "outside their bounds"),
        ({"quality": Metric(column="quality", reliability=1.2)}, DeclarationError,
         "not a share above 0"),
        ({"quality": Metric(column="quality", reliability=0.8, items=("far",))}, DeclarationError,
         "both stated and to be computed"),
        ({"quality": Metric(column="quality", smallest=0.0)}, DeclarationError,
         "smallest effect of interest is not a positive number"),
        ({"quality": "quality", "transfer": ("far",)}, DeclarationError, "is no metric"),
        ({"gamers": 20.0}, DeclarationError, "share of gamers is not a share"),
        ({"padding": 1.0}, DeclarationError, "padding makes amounts no larger"),
        ({"coached": -0.4}, DeclarationError, "coaching raises no score"),
        ({"volume": Metric(column="arm")}, TableError, "does not hold numbers"),
        ({"post": "wave"}, DeclarationError, "not 0 and 1"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_a_sentence(how: dict[str, Any], error: type[AlcError], words: str) -> None:
    with pytest.raises(error, match=words):
        asked(panel(1), **how)


@pytest.mark.parametrize(
    ("wrong", "how", "words"),
    [
        (lambda d: d.assign(arm=d["arm"].where(d["person"] > 0)), {}, "have no arm"),
        (lambda d: d.assign(firm=d["person"] % 7), {}, "firms are in several arms"),
        (lambda d: d.assign(firm=d["firm"] + 100 * d["wave"]), {}, "persons are in several firms"),
        (lambda d: d.assign(log_tokens=60000.0), {}, "not logarithms of amounts"),
        (lambda d: d, {"volume": Metric(column="signed", log=True)}, "have no logarithm"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_a_sentence(
    wrong: Callable[[pd.DataFrame], pd.DataFrame], how: dict[str, Any], words: str
) -> None:
    data = panel(1).assign(signed=lambda d: d["far"] - 50.0)
    with pytest.raises(TableError, match=words):
        asked(wrong(data), **how)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda d: d.query("post == 1"), "has no row before the start"),
        (lambda d: d.query("post == 1 or arm == 'control'"),
         "arm 'mandate' has no row before the start"),
        (one_firm, "arm 'mandate' has 1 firm"),
        (lambda d: d.query("arm == 'control' or person in (0, 15, 30)"),
         "arm 'mandate' has 3 people"),
        (lambda d: d.assign(quality=50.0), "the same in all rows of the control arm"),
    ],
)  # fmt: skip
def test_data_that_cannot_answer_are_not_tested(
    wrong: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    finding = asked(wrong(panel(1)))
    assert finding.decision.verdict == "not tested"
    assert words in finding.decision.reason.template
    assert finding.card is None


def test_all_problems_of_a_call_are_told_at_once() -> None:
    with pytest.raises(DeclarationError) as caught:
        asked(panel(1), gamers=2.0, padding=0.5, quality=Metric(column="log_tokens"))
    assert len(caught.value.problems) == 3
