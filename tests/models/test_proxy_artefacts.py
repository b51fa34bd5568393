"""Loadings, and what makes a metric look dead that is not: each shown to deceive, and found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.measures.one_factor import solved
from alc_stats.models import Finding
from alc_stats.models.proxy.claim import proxy
from alc_stats.records import FloatArray
from tolerances import DENSE_TWIN, EXACT_ARITHMETIC

COLUMNS: dict[str, Any] = {
    "quality": "quality",
    "amount": "tokens",
    "person": "person",
    "firm": "firm",
    "mandated": "mandate",
    "post": "post",
}
OTHERS = ["accepted", "tasks", "sessions"]
RUNS = 100
FIRMS, ROWS = 30, 6_000


def frame(seed: int) -> tuple[np.random.Generator, pd.DataFrame, np.ndarray[Any, Any]]:
    """Firms with ten persons each, half of them mandated; and the rows under a mandate."""
    person, post = np.arange(ROWS) % (FIRMS * 10), np.arange(ROWS) // (ROWS // 2)
    data = pd.DataFrame({"person": person, "post": post, "firm": person % FIRMS})
    data["mandate"] = data["firm"] % 2
    return np.random.default_rng(seed), data, (data["mandate"] * data["post"] == 1).to_numpy()


def factor(
    seed: int, *, loading: float = 1.0, spread: float = 1.0, error: float = 0.5
) -> pd.DataFrame:
    """What use is for (a factor), the log of use with a loading and error, quality, and three
    other indicators. Under the mandate loading, spread of the factor and error are as given; the
    variance of use is kept where the loading falls."""
    rng, data, on = frame(seed)
    worth = rng.normal(size=ROWS) * np.where(on, spread, 1.0)
    noise = np.sqrt(error**2 + 1.0 - loading**2)
    own = 0.15 * rng.normal(size=FIRMS)
    use = (np.where(on, loading, 1.0) + own[data["firm"]]) * worth
    use += rng.normal(size=ROWS) * np.where(on, noise, 0.5)
    others = {
        name: weight * worth + 0.8 * rng.normal(size=ROWS)
        for name, weight in zip(OTHERS, (1.0, 0.7, 0.5), strict=True)
    }
    quality = 50.0 + 3.0 * worth + 4.0 * rng.normal(size=ROWS)
    return data.assign(tokens=np.exp(use), quality=quality, **others)


def ask(data: pd.DataFrame, **more: Any) -> Finding:
    return proxy(data, **COLUMNS, **more)


def line_of(found: Finding, start: str) -> Any:
    return next(x for x in found.triangulation if x.method.startswith(start))


def outcome_of(found: Finding, artefact: str) -> str:
    return next(e.outcome for e in found.evidence if e.artefact == artefact)


def within(data: pd.DataFrame, columns: list[str]) -> FloatArray:
    """Columns of the treated after about their persons' means."""
    own = data[(data["mandate"] == 1) & (data["post"] == 1)]
    return (own[columns] - own.groupby("person")[columns].transform("mean")).to_numpy()


# -- loadings ------------------------------------------------------------------------------------


def test_a_loading_is_that_of_a_one_factor_model_in_loadings_of_the_others() -> None:
    data, pair = factor(1, loading=0.4), OTHERS[:2]
    data["log"] = np.log(data["tokens"])
    before = data[data["post"] == 0]
    away = before[pair] - before.groupby("person")[pair].transform("mean")
    scale = np.sqrt((away**2).sum() / (len(before) - before["person"].nunique())).to_numpy()
    S = np.cov(within(data, ["log", *pair]).T)
    loadings, _ = solved(S, ["log", *pair])
    expected = np.mean(loadings[0] / (loadings[1:] / scale))
    found = ask(data, indicators=pair).pictures[1].panels[0].marks[0]
    at = found.texts.index("treated, after")
    assert found.x[at] == pytest.approx(expected, rel=DENSE_TWIN)


def test_people_who_become_alike_in_what_use_is_for_fake_a_dead_slope_and_no_dead_loading() -> None:
    data = [factor(seed, spread=0.4) for seed in range(RUNS)]
    slopes = [ask(table) for table in data]
    both = [ask(table, indicators=OTHERS) for table in data]
    alone = [line_of(f, "The loss is at least a half").note.template for f in slopes]
    assert sum(said.startswith("supported") for said in alone) > 0.3 * RUNS
    assert sum(f.decision.verdict == "supported" for f in slopes) < 0.05 * RUNS
    told = [outcome_of(f, "error of measurement of use") for f in slopes]
    assert told.count("threat") > 0.9 * RUNS
    fooled = sum(f.decision.verdict == "supported" for f in both)
    lost = [line_of(f, "The loading falls") for f in both]
    assert fooled <= stats.binom.ppf(0.999, RUNS, 0.025)
    assert sum(x.p < 0.05 for x in lost) <= stats.binom.ppf(0.999, RUNS, 0.05)


def test_error_of_use_that_grows_is_no_dead_loading() -> None:
    found = [ask(factor(seed, error=1.5), indicators=OTHERS) for seed in range(RUNS)]
    assert all(line_of(f, "Change of the slope").p < 0.05 for f in found)
    lost = [line_of(f, "The loading falls") for f in found]
    assert sum(x.p < 0.05 for x in lost) <= stats.binom.ppf(0.999, RUNS, 0.05)
    assert not any(f.decision.verdict == "supported" for f in found)


def test_a_metric_that_died_is_found_with_its_loading() -> None:
    found = [ask(factor(seed, loading=0.2), indicators=OTHERS) for seed in range(20)]
    assert all(f.decision.verdict == "supported" for f in found)
    assert all(len([x for x in f.triangulation if x.primary]) == 3 for f in found)


def test_people_pushed_to_one_level_of_use_keep_the_slope_and_lose_the_loading() -> None:
    """What is left of the differences in use still means something: bunching finds these."""
    rng, data, on = frame(1)
    worth = rng.normal(size=ROWS)
    use = (worth + 0.5 * rng.normal(size=ROWS)) * np.where(on, 0.3, 1.0)
    others = {name: worth + 0.8 * rng.normal(size=ROWS) for name in OTHERS}
    quality = 3.0 * worth + 4.0 * rng.normal(size=ROWS)
    found = ask(data.assign(tokens=np.exp(use), quality=quality, **others), indicators=OTHERS)
    assert line_of(found, "The loading falls").low > 0.5
    assert line_of(found, "Change of the slope").value > 0.0
    assert found.decision.verdict != "supported"


def test_a_metric_that_lives_is_not_found_with_its_loading() -> None:
    found = [ask(factor(seed), indicators=OTHERS).decision.verdict for seed in range(20)]
    assert "supported" not in found
    assert found.count("equivalent") > 10


def test_use_that_grows_without_what_it_is_for_is_inflation() -> None:
    data = factor(2)
    on = data["mandate"] * data["post"] == 1
    inflated = data.assign(tokens=data["tokens"] * np.where(on, np.exp(0.7), 1.0))
    with_worth = data.assign(**{n: data[n] + w * 0.7 * on for n, w in
                                zip(OTHERS, (1.0, 0.7, 0.5), strict=True)},
                             tokens=inflated["tokens"])  # fmt: skip
    alone = line_of(ask(inflated, indicators=OTHERS), "Use beyond")
    along = line_of(ask(with_worth, indicators=OTHERS), "Use beyond")
    assert alone.low < 0.7 < alone.high
    assert alone.low > 0.5
    assert along.low < 0.0 < along.high


def test_indicators_that_share_nothing_are_no_factor() -> None:
    data = factor(3)
    noise = np.random.default_rng(1).normal(size=(ROWS, 3))
    found = ask(data.assign(**dict(zip(OTHERS, noise.T, strict=True))), indicators=OTHERS)
    turned = ask(data.assign(tasks=-data["tasks"]), indicators=OTHERS)
    for part in (line_of(f, "The loading falls") for f in (found, turned)):
        assert part.value is None
        assert "no factor" in part.note.template


def test_what_hardly_any_row_has_is_not_tested() -> None:
    data = factor(3).assign(odd=np.nan, even=1.0, other=(np.arange(ROWS) % 500 == 0).astype(int))
    data["tasks"] = data["tasks"].where(data["post"] == 0)
    found = ask(data, halves=["odd", "even"], control_tasks="other", indicators=OTHERS)
    assert line_of(found, "The loading falls").value is None
    assert outcome_of(found, "error of measurement of use") == "not tested"
    assert outcome_of(found, "tasks that do not count") == "not tested"


def test_without_indicators_invariance_is_said_not_to_be_tested() -> None:
    assert outcome_of(ask(factor(1)), "indicator invariance") == "not tested"


# -- artefacts -----------------------------------------------------------------------------------


def test_use_that_does_not_vary_has_no_slope() -> None:
    data = factor(1)
    on = data["mandate"] * data["post"] == 1
    found = ask(data.assign(tokens=data["tokens"].mask(on, 7.0)))
    assert found.decision.verdict == "not tested"
    assert "there is no slope" in found.decision.reason.template


def test_a_curve_that_bends_is_found_out() -> None:
    rng, data, on = frame(1)
    use = rng.normal(size=ROWS) + 1.5 * on
    data["quality"] = -6.0 * np.exp(-0.8 * use) + 4.0 * rng.normal(size=ROWS)
    found = ask(data.assign(tokens=np.exp(use)))
    assert line_of(found, "The loss is more than a fifth").note.template.startswith("supported")
    assert outcome_of(found, "range of use") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_slopes_at_one_use_of_one_curve_are_those_of_least_squares() -> None:
    rng, data, on = frame(2)
    use = rng.normal(size=ROWS) + 1.0 * on
    data["quality"] = 3.0 * use - 0.8 * use**2 + 4.0 * rng.normal(size=ROWS)
    data["tokens"], data["use"] = np.exp(use), use
    cell = data["mandate"].astype(str) + data["post"].astype(str)
    ends = data.groupby(cell)["use"].quantile([0.05, 0.95]).to_numpy().reshape(4, 2)
    own = data[data["use"].between(ends[:, 0].max(), ends[:, 1].min())]
    cell = cell.loc[own.index]
    away = own["use"] - own["use"].groupby(cell).mean().mean()
    unit = pd.get_dummies(own["person"] * 2 + own["post"], dtype=float)
    slopes = pd.get_dummies(cell, dtype=float).mul(own["use"], axis=0)
    design = np.column_stack([unit, away**2, slopes])
    beta = np.linalg.lstsq(design, own["quality"], rcond=None)[0]
    never_before, never_after, before, after = beta[-4:]
    expected = 1.0 - after / (before + never_after - never_before)
    found = line_of(ask(data), "Loss at the same use")
    assert found.value == pytest.approx(expected, rel=100 * DENSE_TWIN)


def test_use_that_has_not_moved_bends_no_slope() -> None:
    """The loss lies in the tails alone, and a curve would have bent slopes before as well."""
    rng, data, on = frame(1)
    use = rng.normal(size=ROWS)
    worth = np.where(on, np.clip(use, -1.0, 1.0), use + np.sign(use) * np.maximum(abs(use) - 1, 0))
    found = ask(data.assign(tokens=np.exp(use), quality=3.0 * worth + rng.normal(size=ROWS)))
    assert outcome_of(found, "range of use") == "clear"
    assert line_of(found, "Loss in the use").value < line_of(found, "The loss is more").value


def test_no_use_in_common_is_a_threat() -> None:
    rng, data, on = frame(3)
    use = rng.normal(size=ROWS) + 6.0 * on
    found = ask(data.assign(tokens=np.exp(use), quality=3.0 * use + rng.normal(size=ROWS)))
    assert outcome_of(found, "range of use") == "threat"


def halves(seed: int, *, error: float, worth: float = 3.0) -> pd.DataFrame:
    """Use in two halves of a period, each with error that is `error` under the mandate."""
    rng, data, on = frame(seed)
    use, sd = rng.normal(size=ROWS), np.where(on, error, 0.5)
    data["odd"], data["even"] = (np.exp(use + sd * rng.normal(size=ROWS)) for _ in range(2))
    data["quality"] = np.where(on, worth, 3.0) * use + 4.0 * rng.normal(size=ROWS)
    return data.assign(tokens=np.sqrt(data["odd"] * data["even"]))


def test_error_of_use_that_grows_is_found_in_its_halves() -> None:
    grown = ask(halves(1, error=1.8), halves=("odd", "even"))
    assert line_of(grown, "Change of the slope").high < 0.0
    assert outcome_of(grown, "error of measurement of use") == "threat"
    told = line_of(grown, "Loss of slopes on what both halves")
    assert told.low < 0.0 < told.high
    dead = ask(halves(1, error=0.5, worth=0.3), halves=("odd", "even"))
    assert outcome_of(dead, "error of measurement of use") == "clear"
    assert dead.decision.verdict == "supported"


def test_losses_on_what_both_halves_share_are_those_of_instruments() -> None:
    data = halves(2, error=1.0, worth=1.5)
    data["a"], data["b"] = np.log(data["odd"]), np.log(data["even"])
    slopes = {}
    for (mandate, post), own in data.groupby(["mandate", "post"]):
        away = own[["a", "b", "quality"]]
        a, b, y = (away - away.groupby(own["person"]).transform("mean")).to_numpy().T
        slopes[mandate, post] = ((a @ y) + (b @ y)) / (2.0 * (a @ b))
    kept = slopes[1, 0] + slopes[0, 1] - slopes[0, 0]
    found = line_of(ask(data, halves=("odd", "even")), "Loss of slopes on what both")
    assert found.value == pytest.approx(1.0 - slopes[1, 1] / kept, rel=1e3 * EXACT_ARITHMETIC)


def test_raters_who_rate_otherwise_than_before_are_found() -> None:
    """One of them no longer sees differences where the other still does."""
    rng, data, on = frame(1)
    use = rng.normal(size=ROWS)
    worth = 3.0 * use + 2.0 * rng.normal(size=ROWS)
    data["second"] = worth + 2.0 * rng.normal(size=ROWS)
    data["quality"] = np.where(on, 0.2, 1.0) * worth + 2.0 * rng.normal(size=ROWS)
    data["tokens"] = np.exp(use)
    found = ask(data, second_rating="second")
    assert outcome_of(found, "rating") == "threat"
    assert found.decision.verdict == "inconclusive"
    both = ask(data.assign(second=data["quality"] + rng.normal(size=ROWS)), second_rating="second")
    assert outcome_of(both, "rating") == "clear"
    agreed = next(e for e in both.evidence if e.artefact == "rating").finding
    own = within(data.assign(again=data["second"]), ["quality", "again"]).T
    told = next(e for e in found.evidence if e.artefact == "rating").finding
    expected = np.corrcoef(own)[0, 1]
    assert told.numbers["agreement_after"].value == pytest.approx(expected, rel=DENSE_TWIN)
    assert agreed.numbers["agreement_after"].value > expected


def other_tasks(seed: int, *, everywhere: bool) -> pd.DataFrame:
    """A slope that falls in tasks that count, or in all."""
    rng, data, on = frame(seed)
    use, other = rng.normal(size=ROWS), rng.random(ROWS) < 0.4
    worth = np.where(on & (everywhere | ~other), 0.3, 3.0)
    quality = worth * use + 4.0 * rng.normal(size=ROWS)
    return data.assign(tokens=np.exp(use), other=other.astype(int), quality=quality)


def test_a_slope_that_falls_where_no_quota_counts_is_not_the_quota() -> None:
    here = ask(other_tasks(1, everywhere=False), control_tasks="other")
    assert outcome_of(here, "tasks that do not count") == "clear"
    assert here.decision.verdict == "supported"
    everywhere = ask(other_tasks(1, everywhere=True), control_tasks="other")
    assert outcome_of(everywhere, "tasks that do not count") == "threat"
    assert everywhere.decision.verdict == "inconclusive"


def test_a_ceiling_flattens_slopes_and_is_found() -> None:
    rng, data, on = frame(4)
    use = rng.normal(size=ROWS)
    quality = np.minimum(3.0 * use + 2.0 * rng.normal(size=ROWS) + 9.0 * on, 4.0)
    found = ask(data.assign(tokens=np.exp(use), quality=quality))
    assert line_of(found, "Change of the slope").high < 0.0
    assert outcome_of(found, "ends of the rating") == "threat"


def test_padding_up_to_the_quota_goes_with_the_weeks_at_it() -> None:
    """Who falls short reports just above the quota; the rest is worth what it was."""
    rng, data, on = frame(5)
    use = rng.normal(size=ROWS)
    quality = 3.0 * use + 2.0 * rng.normal(size=ROWS)
    padded = on & (use < 0.0) & (rng.random(ROWS) < 0.7)
    use = np.where(padded, 0.02 * rng.random(ROWS), use)
    data = data.assign(tokens=np.exp(use), quality=quality, quota=np.where(on, 1.0, np.nan))
    found = ask(data, quota="quota")
    left = line_of(found, "Loss without weeks at the quota")
    assert line_of(found, "Change of the slope").p < 0.05
    assert left.low < 0.0 < left.high


def test_shares_of_variance_are_foreseen_by_the_other_firms() -> None:
    data = factor(6)
    data["use"] = np.log(data["tokens"])
    shares = {}
    for cell, own in data.groupby(["mandate", "post"]):
        away = own[["use", "quality"]]
        x, y = (away - away.groupby(own["person"]).transform("mean")).to_numpy().T
        left = 0.0
        for firm in own["firm"].unique():
            here = (own["firm"] == firm).to_numpy()
            slope = (x[~here] @ y[~here]) / (x[~here] @ x[~here])
            left += float(np.sum((y[here] - slope * x[here]) ** 2))
        shares[cell] = 1.0 - left / float(y @ y)
    expected = shares[1, 1] - shares[1, 0] - shares[0, 1] + shares[0, 0]
    assert line_of(ask(data), "Naive").value == pytest.approx(expected, abs=DENSE_TWIN)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"indicators": ["tasks"]}, "one indicator beside the metric identifies no loading"),
        ({"indicators": ["tasks", "tokens"]}, "a column plays two parts"),
        ({"halves": ["accepted"]}, "error of measurement is told from two halves"),
        ({"indicators": ["tasks", "chats"]}, "the table has no column 'chats'"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(more: dict[str, Any], says: str) -> None:
    with pytest.raises(DeclarationError, match=says):
        ask(factor(1), **more)


@pytest.mark.parametrize(
    ("change", "more", "says"),
    [
        ({"other": 1}, {"control_tasks": "other"}, "Code tasks that do not count"),
        ({"quota": np.nan}, {"quota": "quota"}, "rows under a mandate have no quota"),
        ({"quota": 1e6}, {"quota": "quota"}, "See that both are in one unit"),
        ({"tasks": "many"}, {"indicators": OTHERS}, "does not hold numbers"),
        ({"person": np.arange(ROWS)}, {}, "no person has several rows before or after the start"),
        ({"a": -1.0, "b": 1.0}, {"halves": ["a", "b"]}, "amounts of a half are below zero"),
    ],
)
def test_bad_columns_are_refused_in_a_sentence(
    change: dict[str, Any], more: dict[str, Any], says: str
) -> None:
    with pytest.raises(TableError, match=says):
        ask(factor(1).assign(**change), **more)
