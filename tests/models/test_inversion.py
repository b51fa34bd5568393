"""Usage-quality slopes: what is called an inversion, what is not, and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.inference import non_superiority_p
from alc_stats.inference.johnson_neyman import JohnsonNeyman
from alc_stats.models import Finding, inversion
from alc_stats.models.inversion.data import InversionQuestion, inversion_data
from alc_stats.models.inversion.fits import pooled, within_between_model, without_random_slopes
from alc_stats.models.inversion.lines import rivals
from alc_stats.models.picture import FEWEST_PEOPLE
from alc_stats.records import dump, load
from models import inversion_witness as witness
from tolerances import LME4_STOPS_EARLY, MONTE_CARLO_SIGMAS

COLUMNS: dict[str, Any] = {
    "quality": "quality", "usage": "tokens", "mandate": "mandate", "person": "person",
    "firm": "firm", "time": "time", "bounds": (-math.inf, math.inf), "smallest_slope": 0.5,
}  # fmt: skip
QUESTION = InversionQuestion(**COLUMNS)
DRAWS = 80


def work(
    seed: int,
    *,
    slopes: tuple[float, float] = (2.0, 0.0),
    between: tuple[float, float] = (0.0, 0.0),
    firm_slope_sd: float = 0.0,
    firms: int = 24,
    persons: int = 10,
    times: int = 5,
    uneven: bool = False,
    usage_sd: tuple[float, float] = (0.5, 0.5),
) -> pd.DataFrame:
    """Firms, half under a mandate from the second occasion on, which raises usage."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 2 * persons, firms) if uneven else np.full(firms, persons)
    firm = np.repeat(np.repeat(np.arange(firms), sizes), times)
    person = np.repeat(np.arange(sizes.sum()), times)
    time = np.tile(np.arange(times), sizes.sum())
    mandate = ((firm < firms // 2) & (time > 0)).astype(int)
    usual = rng.normal(0.0, 0.6, sizes.sum())[person]
    own = rng.normal(size=firm.size) * np.where(mandate, usage_sd[1], usage_sd[0])
    noise = np.where(firm % 3 == 0, 3.0, 1.0) if uneven else 1.5
    slope = np.where(mandate, slopes[1], slopes[0])
    slope = slope + rng.normal(0.0, 1.0, firms)[firm] * firm_slope_sd
    quality = 50 + slope * own + np.where(mandate, between[1], between[0]) * usual
    quality += rng.normal(0.0, 3.0, sizes.sum())[person] + rng.normal(0.0, 1.0, firms)[firm]
    quality += noise * rng.normal(size=firm.size)
    return pd.DataFrame(
        {
            "firm": firm, "person": person, "time": time, "mandate": mandate,
            "post": (time > 0).astype(int), "tokens": np.exp(8 + usual + own + 0.4 * mandate),
            "quality": quality,
        }
    )  # fmt: skip


def evidence(found: Finding, artefact: str) -> str:
    return next(e.outcome for e in found.evidence if e.artefact == artefact)


def lines(found: Finding) -> dict[str, float | None]:
    return {line.method: line.value for line in found.triangulation}


def test_an_inversion_is_found_and_its_slopes_are_the_true_ones() -> None:
    found = inversion(work(1), **COLUMNS, post="post")
    assert found.decision.verdict == "supported"
    free, under = found.triangulation[:2]
    for line, truth in ((free, 2.0), (under, 0.0)):
        assert line.value is not None
        assert line.high is not None
        assert line.df is not None
        se = (line.high - line.value) / stats.t.ppf(0.975, line.df)
        assert abs(line.value - truth) < MONTE_CARLO_SIGMAS * se
    assert {e.outcome for e in found.evidence if e.artefact != "task difficulty"} == {"clear"}


def test_a_lower_slope_alone_is_attenuation_and_contradicts() -> None:
    found = inversion(work(2, slopes=(2.0, 1.2)), **COLUMNS)
    change = next(x for x in found.triangulation if "attenuation" in x.method)
    assert change.p is not None
    assert change.p < 0.001
    assert change.value is not None
    assert change.value < 0.0
    assert found.decision.verdict == "contradicted"
    assert "an attenuation, not an inversion" in found.decision.reason.template


def test_the_same_slope_under_both_is_contradicted_and_none_at_all_is_not_supported() -> None:
    assert inversion(work(3, slopes=(2, 2)), **COLUMNS).decision.verdict == "contradicted"
    nothing = inversion(work(4, slopes=(0, 0)), **COLUMNS)
    assert nothing.decision.verdict == "equivalent"  # no slope there is to break


def test_strict_asks_for_a_negative_slope() -> None:
    flat, falling = work(5), work(5, slopes=(2.0, -1.5))
    assert inversion(flat, **COLUMNS, strict=True).decision.verdict == "equivalent"
    assert inversion(falling, **COLUMNS, strict=True).decision.verdict == "supported"


def test_persons_apart_make_an_inversion_only_where_they_are_pooled() -> None:
    """Weak people use more under the mandate: pooled slopes invert, nobody's own does."""
    data = work(6, slopes=(2.0, 2.0), between=(0.0, -5.0))
    raw = pooled(inversion_data(data, QUESTION))
    assert raw.free is not None
    assert raw.under is not None
    assert raw.free.interval()[0] > 0.0 > raw.under.interval()[1]
    found = inversion(data, **COLUMNS)
    assert found.decision.verdict == "contradicted"
    assert (lines(found)["Between persons, mandate"] or 0.0) < -2.0


def test_at_the_bound_support_is_as_rare_as_alpha_with_clusters_unequal_in_size_and_noise() -> None:
    """The slope under the mandate is the bound itself, and firms differ in slope."""
    hits = 0
    for seed in range(DRAWS):
        data = work(1000 + seed, slopes=(2.0, 0.5), firm_slope_sd=0.6, persons=6, uneven=True)
        under = within_between_model(inversion_data(data, QUESTION), 0.95).within.under
        assert under is not None
        hits += non_superiority_p(under, 0.5) < 0.05
    assert hits <= stats.binom.ppf(0.999, DRAWS, 0.06)


def test_without_random_slopes_the_interaction_is_found_where_there_is_none() -> None:
    naive = ours = 0
    for seed in range(DRAWS // 2):
        data = work(2000 + seed, slopes=(1.0, 1.0), firm_slope_sd=1.0, firms=16, persons=8, times=4)
        made = inversion_data(data, QUESTION)
        kept = within_between_model(made, 0.95).within.change
        lost = without_random_slopes(made).change
        assert kept is not None
        assert lost is not None
        ours += kept.p_value < 0.05
        naive += lost.p_value < 0.05
    assert naive >= stats.binom.ppf(0.999, DRAWS // 2, 0.10)
    assert ours <= stats.binom.ppf(0.999, DRAWS // 2, 0.06)


def test_a_ceiling_that_flattens_the_slope_stops_the_verdict() -> None:
    data = work(7, slopes=(2.0, 2.0))
    data["quality"] = (data["quality"] + 40 * data["mandate"]).clip(upper=90)
    found = inversion(data, **COLUMNS | {"bounds": (0.0, 90.0)})
    assert evidence(found, "bounds") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_undeclared_bounds_allow_no_verdict() -> None:
    found = inversion(work(1), **COLUMNS | {"bounds": None})
    assert found.decision.verdict == "inconclusive"
    assert "declare bounds" in found.decision.reason.template


def test_error_of_usage_that_only_looks_like_an_inversion_is_named() -> None:
    """Usage hardly varies under the mandate, so that error takes the slope."""
    data = work(8, slopes=(2.0, 2.0), usage_sd=(0.6, 0.15), persons=20)
    rng = np.random.default_rng(8)
    data["tokens"] *= np.exp(0.3 * rng.normal(size=len(data)))
    made = inversion_data(data, QUESTION)
    found = inversion(data, **COLUMNS)
    assert made.within_sd[1] < made.within_sd[0]
    assert evidence(found, "unequal reliability") == "threat"


def test_quality_that_drives_the_next_usage_is_named() -> None:
    data = work(9, slopes=(0.0, 0.0)).sort_values(["person", "time"])
    centred = data["quality"] - data.groupby("person")["quality"].transform("mean")
    data["tokens"] *= np.exp(0.4 * centred.groupby(data["person"]).shift(1).fillna(0.0))
    assert evidence(inversion(data, **COLUMNS), "reverse causation") == "threat"


def test_few_firms_under_one_regime_stop_the_verdict() -> None:
    data = work(10)
    few = data[(data["firm"] >= 12) | (data["firm"] < 4)]
    found = inversion(few, **COLUMNS)
    assert evidence(found, "few clusters") == "threat"
    assert found.decision.verdict == "inconclusive"


def test_lines_other_methods_and_where_along_the_quota() -> None:
    data = work(11)
    data["quota"] = data["mandate"] * (1.0 + data["firm"] % 4)
    data["hard"] = np.where((data["time"] + data["person"]) % 2, "hard", "easy")
    found = inversion(data, **COLUMNS, post="post", intensity="quota", difficulty=["hard"])
    methods = [*lines(found)]
    for name in (
        "Pooled least squares, mandate", "Person-and-regime fixed effects, mandate",
        "Task difficulty held, mandate", "Change on change around the start, mandate",
        "Usage of the occasion before, mandate", "Usage of the occasion after",
        "Johnson-Neyman, highest intensity",
    ):  # fmt: skip
        assert name in methods
    assert [p.id for p in found.pictures] == ["usage_slopes", "johnson_neyman"]
    assert load(dump(found), Finding) == found


def test_no_point_of_the_picture_stands_for_fewer_than_five_people() -> None:
    data = work(12)
    points = [m for m in inversion(data, **COLUMNS).pictures[0].panels[0].marks if m.label]
    shown = next(m for m in points if m.kind == "points")
    persons = data.loc[data["mandate"] == 0, "person"].nunique()
    assert 2 <= len(shown.x) <= persons / FEWEST_PEOPLE


def test_difficulty_is_held_in_the_model_of_the_verdict() -> None:
    """Harder tasks take more use and come out worse: an inversion that difficulty explains."""
    data = work(13, slopes=(2.0, 2.0))
    data["hard"] = data["mandate"] * np.random.default_rng(13).normal(size=len(data))
    data["tokens"] *= np.exp(0.8 * data["hard"])
    data["quality"] += (2.0 * 0.8 - 6.0) * data["hard"]
    hidden, held = inversion(data, **COLUMNS), inversion(data, **COLUMNS, difficulty=["hard"])
    assert "Task difficulty is not held" in hidden.decision.reason.template
    assert "Task difficulty" not in held.decision.reason.template
    assert (lines(hidden)["Slope within persons, mandate"] or 0.0) < 0.0
    assert (lines(held)["Slope within persons, mandate"] or 0.0) > 1.0


@pytest.mark.parametrize(
    ("change", "argument", "sentence"),
    [
        ({"tokens": 0.0}, {}, "usage that is not positive has no logarithm"),
        ({"quality": 200.0}, {"bounds": (0.0, 100.0)}, "values lie outside their bounds"),
    ],
)
def test_tables_that_cannot_be_read_this_way(
    change: dict[str, float], argument: dict[str, Any], sentence: str
) -> None:
    data = work(1)
    for column, value in change.items():
        data.loc[3, column] = value
    with pytest.raises(TableError, match=sentence):
        inversion(data, **COLUMNS | argument)


def test_all_mistakes_of_a_call_are_named_at_once() -> None:
    data = work(1).assign(mandate=2)
    with pytest.raises(DeclarationError) as raised:
        inversion(data, **COLUMNS | {"bounds": (1.0, 0.0), "smallest_slope": -1.0})
    text = str(raised.value)
    assert len(raised.value.problems) == 3
    for part in ("bounds are not in order", "not a positive number", "is not 0 and 1"):
        assert part in text


@pytest.mark.parametrize(
    ("change", "argument", "sentence"),
    [
        (lambda d: d.assign(mandate=0), {}, "the mandate never varies: no firm under a mandate"),
        (
            lambda d: d[(d["firm"] >= 12) | (d["firm"] == 0)], {},
            "one firm under a mandate cannot tell a mandate from that firm",
        ),
        (
            lambda d: d.assign(quota=d["mandate"]), {"intensity": "quota"},
            "the moderator never varies under a mandate",
        ),
        (
            lambda d: d.assign(tokens=100.0 + d["person"]), {},
            "usage does not vary within persons without a mandate",
        ),
        (
            lambda d: d.assign(time=np.arange(len(d))), {},
            "nearly every row is an occasion of its own",
        ),
    ],
)  # fmt: skip
def test_what_the_data_cannot_answer_is_not_tested_and_says_why(
    change: Any, argument: dict[str, Any], sentence: str
) -> None:
    found = inversion(change(work(1)), **COLUMNS | argument)
    assert found.decision.verdict == "not tested"
    assert sentence in found.decision.reason.template


def test_rows_without_usage_are_counted() -> None:
    data = work(1)
    data.loc[:4, "tokens"] = np.nan
    found = inversion(data, **COLUMNS)
    assert found.observed.numbers["left_out"].value == 5
    assert evidence(found, "rows left out") == "clear"
    data.loc[data.index % 20 == 0, "tokens"] = np.nan
    many = inversion(data, **COLUMNS)
    assert evidence(many, "rows left out") == "threat"
    assert many.decision.verdict == "inconclusive"
    assert rivals(inversion_data(data, QUESTION)).changes is None


def test_centring_and_slopes_are_those_of_lme4() -> None:
    """Kenward and Roger's errors and degrees of freedom, twelve firms (pbkrtest)."""
    asked = InversionQuestion(**COLUMNS | {"usage": "tokens"})
    found = within_between_model(inversion_data(witness.work(), asked), 0.95)
    theirs = witness.WITNESS["within"]
    assert found.fit is not None
    assert found.fit.loglik == pytest.approx(theirs["loglik"], abs=LME4_STOPS_EARLY)
    for i, e in enumerate((found.within.free, found.within.under, found.within.change)):
        assert e is not None
        ours, expected = [e.value, e.se, e.df], [theirs[k][i] for k in ("value", "se", "df")]
        np.testing.assert_allclose(ours, expected, rtol=LME4_STOPS_EARLY)


def test_where_along_the_quota_the_slope_ends() -> None:
    """The slope is 2 - quota: zero at 2."""
    data = work(14, slopes=(2.0, 2.0), firms=36, persons=14)
    quota = data["mandate"] * (0.5 + 3.5 * (data["firm"] % 18) / 17.0)
    usage = np.log(data["tokens"])
    own = usage - usage.groupby([data["person"], data["mandate"]]).transform("mean")
    data = data.assign(quota=quota, quality=data["quality"] - quota * own)
    asked = InversionQuestion(**COLUMNS, intensity="quota")
    region = within_between_model(inversion_data(data, asked), 0.95).region
    assert isinstance(region, JohnsonNeyman)
    above, below = region.regions
    assert above.above
    assert not below.above
    assert 1.0 < above.high < 2.0 < below.low < 3.0


def test_without_firms_persons_are_the_clusters() -> None:
    columns = {k: v for k, v in COLUMNS.items() if k != "firm"}
    data = work(15)
    found = inversion(data, **columns)
    assert found.decision.verdict == "supported"
    assert lines(found)["Between persons, mandate"] is not None
    # of one person a firm, means of persons and of firms are the same
    alone = data[data["person"] % 10 == 0]
    apart = inversion(alone, **COLUMNS).triangulation[:2]
    assert all(line.value is not None for line in apart)
