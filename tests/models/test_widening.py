"""The guard: what it supports, what it refuses, and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.estimators import Estimate
from alc_stats.inference import Criterion
from alc_stats.inference.unit_contrast import unit_contrast
from alc_stats.models import Claim, Evidence, Finding, widening
from alc_stats.models.widening import comparison
from alc_stats.models.widening.artefacts import mean_variance, unequal_sizes
from alc_stats.models.widening.data import Columns, spread_data
from alc_stats.models.widening.fits import Modelled, location_scale
from alc_stats.models.widening.unit_spreads import log_sd_sums, spreads
from alc_stats.records import dump, load
from tolerances import EXACT_ARITHMETIC

CLAIM = Claim("H6", "widening", "Outcomes spread wider under treatment.")
WIDE = (-1000.0, 1000.0)
FAST: dict[str, Any] = {"draws": 99, "permutations": 199}
FULL = {"person": "person", "firm": "firm", "wave": "wave", "post": "post"}
SMALLEST = 0.5 * math.log(1.25)
DRAWS = 100
RARE = int(stats.binom.ppf(0.999, DRAWS, 0.06))
"""More false supports than this are seen once in 1,000 seeds if their rate is 6 %."""


def panel(
    seed: int,
    *,
    widened: float = 0.0,
    firms: int = 24,
    persons: int = 14,
    waves: int = 4,
    mean: tuple[float, float] = (50.0, 50.0),
    sd: float = 8.0,
    noise: float = 5.0,
    noisier: float = 1.0,
    bounds: tuple[float, float] = (0.0, 100.0),
) -> pd.DataFrame:
    """Firms, half treated; persons; waves, half of them before; scores cut at the bounds."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons)
    mandate = (firm < firms // 2).astype(int)
    ability, level = sd * rng.normal(size=firm.size), 3 * rng.normal(size=firms)
    parts = []
    for wave in range(waves):
        post = int(wave >= waves // 2)
        here = mandate * post
        score = np.where(here == 1, mean[1], mean[0]) + level[firm]
        score = score + ability * np.exp(widened * here)
        score = score + noise * noisier**here * rng.normal(size=firm.size)
        rows = {"firm": firm, "person": np.arange(firm.size), "mandate": mandate, "post": post}
        parts.append(pd.DataFrame(rows | {"wave": wave, "score": score.clip(*bounds)}))
    return pd.concat(parts, ignore_index=True)


def judged(data: pd.DataFrame, **how: Any) -> Finding:
    asked: dict[str, Any] = {"outcome": "score", "treatment": "mandate", "bounds": WIDE} | FAST
    return widening(data, CLAIM, **(asked | how))


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


# -- verdicts ------------------------------------------------------------------------------------


def test_a_real_widening_between_persons_is_supported() -> None:
    finding = judged(panel(1, widened=0.35), **FULL)
    assert finding.decision.verdict == "supported"
    assert finding.estimate is not None
    assert finding.estimate.unit == "log SD"
    low, high = finding.estimate.interval()
    assert low < 0.35 < high
    assert not [e.artefact for e in finding.evidence if e.outcome == "threat"]


def test_a_real_narrowing_contradicts() -> None:
    assert judged(panel(2, widened=-0.4), **FULL).decision.verdict == "contradicted"


def test_the_estimate_is_the_models_own_coefficient() -> None:
    data = panel(1, widened=0.35)
    finding = judged(data, **FULL)
    made = spread_data(data, Columns(outcome="score", treatment="mandate", **FULL))
    model = location_scale(made, "between")
    own = model.estimates["between_log_sd"]
    assert model.fit is not None
    assert model.fit.certificate.usable
    assert finding.estimate is not None
    assert (finding.estimate.value, finding.estimate.se) == (own.value, own.se)
    assert finding.estimate.df == 23.0  # firms less one
    assert [line.method for line in finding.triangulation if line.primary] == [
        "Location-scale model, between persons"
    ]


def test_equal_spreads_are_equivalent_only_inside_the_band() -> None:
    data = panel(31, firms=120, persons=30, noise=3.0)
    narrow = judged(data, **FULL)
    wide = Criterion("superiority", SMALLEST, band=SMALLEST)
    assert narrow.estimate is not None
    low, high = narrow.estimate.interval(0.90)
    inside = low > -0.0477 and high < 0.0477
    assert narrow.decision.verdict == ("equivalent" if inside else "inconclusive")
    assert judged(data, criterion=wide, **FULL).decision.verdict == "equivalent"


def test_less_reliable_measurement_is_no_widening_between_persons() -> None:
    data = panel(4, noisier=2.0, firms=40, noise=8.0)
    finding = judged(data, **FULL)
    lines = {line.method: line for line in finding.triangulation}
    observed = lines["lnVR, random-effects meta-regression"]
    assert observed.low is not None
    assert observed.low > 0.0  # what is seen does widen
    within = lines["Location-scale model, within persons"]
    assert within.low is not None
    assert within.high is not None
    assert within.low < math.log(2.0) < within.high
    assert finding.decision.verdict != "supported"
    assert evidence(finding, "measurement error").outcome == "clear"


def test_one_score_a_person_cannot_tell_error_from_people() -> None:
    data = panel(5, widened=0.5).query("wave == 3")
    finding = judged(data, firm="firm")
    assert finding.decision.verdict == "inconclusive"
    assert "measurement error" in finding.decision.reason.template


@pytest.mark.parametrize(("noisier", "verdict"), [(1.0, "supported"), (3.0, "inconclusive")])
def test_items_tell_measurement_error_from_people(noisier: float, verdict: str) -> None:
    rng = np.random.default_rng(6)
    widened = 0.5 if noisier == 1.0 else 0.0
    data = panel(6, widened=widened, firms=40, persons=25, noise=0.01).query("wave == 3").copy()
    error = 8.0 * noisier ** data["mandate"].to_numpy()[:, None] * rng.normal(size=(len(data), 6))
    items = [f"item_{k}" for k in range(6)]
    data[items] = data["score"].to_numpy()[:, None] + error
    data["score"] = data[items].mean(axis=1)
    finding = judged(data, firm="firm", items=items)
    assert finding.decision.verdict == verdict
    shown = evidence(finding, "measurement error").finding.numbers
    assert {"alpha_treated_before", "reliability_log_sd", "corrected_log_sd"} <= set(shown)


def test_no_declared_bounds_no_verdict() -> None:
    finding = judged(panel(1, widened=0.35), bounds=None, **FULL)
    assert finding.decision.verdict == "inconclusive"
    assert "floor or ceiling cannot be ruled out" in finding.decision.reason.template


def test_an_outcome_declared_without_bounds_can_be_judged() -> None:
    finding = judged(panel(1, widened=0.35), bounds=(-math.inf, math.inf), **FULL)
    assert finding.decision.verdict == "supported"


def test_a_ceiling_alone_is_no_widening() -> None:
    data = panel(7, mean=(85.0, 68.0), sd=13.0, noise=7.5, firms=40)
    finding = judged(data, bounds=(0.0, 100.0), **FULL)
    assert finding.decision.verdict == "inconclusive"
    assert evidence(finding, "bounds").outcome == "threat"


def test_scores_drawn_together_before_a_bound_are_a_threat() -> None:
    data = panel(8, mean=(2.5, 0.5), sd=0.9, noise=0.5, bounds=WIDE)
    data["score"] = 100 / (1 + np.exp(-data["score"]))
    finding = judged(data, bounds=(0.0, 100.0), **FULL)
    assert finding.decision.verdict == "inconclusive"


def test_new_people_in_treated_firms_are_no_widening() -> None:
    data = panel(9, firms=40)
    rng = np.random.default_rng(9)
    new = (data["mandate"] * data["post"] == 1) & (data["person"] % 2 == 0)
    place = pd.Series(20.0 * rng.normal(size=data["person"].nunique()))
    data.loc[new, "score"] = (50 + place[data.loc[new, "person"]]).to_numpy() + 5 * rng.normal(
        size=int(new.sum())
    )
    data.loc[new, "person"] += 10_000
    finding = judged(data, **FULL)
    assert finding.decision.verdict == "inconclusive"
    assert evidence(finding, "composition").outcome == "threat"


def test_a_shift_of_the_mean_alone_is_seldom_called_widening() -> None:
    rng = np.random.default_rng(20)
    false = 0
    for _ in range(DRAWS):
        firm = np.repeat(np.arange(12), 25)
        mandate = (firm < 6).astype(int)
        mean = np.where(mandate == 1, 50.0, 30.0) + 3 * rng.normal(size=12)[firm]
        score = mean + 0.2 * mean * rng.normal(size=firm.size)
        data = spread_data(
            pd.DataFrame({"firm": firm, "mandate": mandate, "score": score}),
            Columns(outcome="score", treatment="mandate", firm="firm"),
        )
        estimate = unit_contrast(log_sd_sums(data), name="")
        scale = max(abs(estimate.value), SMALLEST)
        clear = mean_variance(
            spreads(data), {"all": score}, scale=scale, level=0.95
        ).outcome == "clear"  # fmt: skip
        false += estimate.interval()[0] > 0.0 and estimate.value >= SMALLEST and clear
    assert false <= RARE


def test_heavy_tails_in_firms_of_unequal_sizes_are_a_threat() -> None:
    rng = np.random.default_rng(21)
    sizes = np.repeat([40, 4], 12)
    firm = np.repeat(np.arange(24), sizes)
    data = pd.DataFrame(
        {"firm": firm, "mandate": (firm < 12) * 1, "score": rng.standard_t(3, firm.size)}
    )
    made = spread_data(data, Columns(outcome="score", treatment="mandate", firm="firm"))
    assert unequal_sizes(spreads(made), SMALLEST).outcome == "threat"


def test_six_firms_are_never_enough() -> None:
    finding = judged(panel(11, widened=0.8, firms=6), **FULL)
    assert finding.decision.verdict == "inconclusive"  # the least p of 20 assignments is 0.1
    assert evidence(finding, "permutation").finding.numbers["assignments"].value == 20


# -- which estimate decides, and what a failed fit does ------------------------------------------


def decided_by(
    monkeypatch: pytest.MonkeyPatch, model: Modelled, *, firms: int = 24, widened: float = 0.35
) -> Finding:
    monkeypatch.setattr(comparison, "location_scale", lambda *_args, **_how: model)
    return judged(panel(1, widened=widened, firms=firms), **FULL)


def model_says(value: float, se: float) -> Modelled:
    estimate = Estimate("between_log_sd.treated:post", value, se, 23.0, "log SD")
    return Modelled({"between_log_sd": estimate}, "", "", random_scale=True)


def test_nothing_is_supported_without_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Modelled({}, "This fit cannot be used.", "", random_scale=True)
    finding = decided_by(monkeypatch, failed)
    assert finding.decision.verdict == "inconclusive"
    assert evidence(finding, "certificate").outcome == "threat"
    assert "This fit cannot be used." in finding.decision.reason.template
    assert finding.estimate is not None  # the units' estimate is shown, and supports nothing
    assert finding.estimate.interval()[0] > 0.0


@pytest.mark.parametrize(("firms", "primary"), [(24, False), (60, True)])
def test_with_few_firms_the_firm_is_the_unit_where_the_two_disagree(
    monkeypatch: pytest.MonkeyPatch, firms: int, primary: bool
) -> None:
    finding = decided_by(monkeypatch, model_says(0.5, 0.01), firms=firms, widened=0.0)
    assert finding.estimate is not None
    assert (finding.estimate.value == 0.5) is primary
    assert ("as one unit decides" in finding.decision.reason.template) is not primary


def test_with_few_firms_the_model_decides_where_the_two_agree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finding = decided_by(monkeypatch, model_says(0.5, 0.01))
    assert finding.estimate is not None
    assert finding.estimate.value == 0.5


def test_a_permutation_that_disagrees_takes_support_away(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = decided_by(monkeypatch, model_says(0.5, 0.01), firms=60, widened=0.0)
    assert evidence(finding, "permutation").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


# -- the table -----------------------------------------------------------------------------------


def test_every_method_has_its_line_and_says_what_it_guards_against() -> None:
    data = panel(12, widened=0.3)
    data["accuracy"] = np.random.default_rng(12).normal(size=len(data))
    finding = judged(data, schema=["accuracy"], bounds=(0.0, 100.0), **FULL)
    methods = [line.method for line in finding.triangulation]
    assert methods == [
        "Location-scale model, between persons",
        "Location-scale model, within persons",
        "Products of a person's rows, cluster as unit",
        "lnVR, random-effects meta-regression",
        "lnCVR, random-effects meta-regression",
        "Brown-Forsythe distances, permutation of units",
        "Quantile regression, Q90 - Q10",
        "RIF regression of the variance",
        "RIF regression of the quartiles",
        "Censored location-scale model",
        "Beta regression, precision part",
        "Explained by schema accuracy",
        "Persons seen throughout only",
        "Distance to floor and ceiling",
        "At equal unit means (analysis of covariance)",
    ]
    assert all(line.guards_against for line in finding.triangulation)
    assert all(line.unit == "log SD" for line in finding.triangulation)


def test_what_accurate_schemas_explain_goes_when_they_are_held() -> None:
    rng = np.random.default_rng(113)  # not the stream that persons come from
    data = panel(13, firms=30, persons=20)
    accuracy = pd.Series(rng.normal(size=data["person"].nunique()))[data["person"]].to_numpy()
    data["accuracy"] = accuracy
    data["score"] += 8.0 * accuracy * data["mandate"] * data["post"]  # accurate ones pull away
    finding = judged(data, schema=["accuracy"], **FULL)
    line = next(x for x in finding.triangulation if x.method == "Explained by schema accuracy")
    # variance between persons goes from 64 to 128: 0.5 ln 2, all of it along accuracy
    assert line.low is not None
    assert line.high is not None
    assert line.low < 0.5 * math.log(2.0) < line.high
    assert abs(line.note.numbers["held"].value) < abs(line.note.numbers["without"].value) / 2


def test_a_finding_survives_the_disk() -> None:
    finding = judged(panel(14), **FULL)
    assert load(dump(finding), Finding) == finding


def test_numbers_of_one_finding_have_names_of_their_own() -> None:
    finding = judged(panel(15), **FULL)
    names = [name for e in finding.evidence for name in e.finding.numbers]
    assert len(names) == len(set(names))


def test_the_same_seed_gives_the_same_finding() -> None:
    data = panel(16)
    assert judged(data, seed=3, **FULL) == judged(data, seed=3, **FULL)
    assert judged(data, seed=3, **FULL) != judged(data, seed=4, **FULL)


def test_missing_outcomes_are_left_out() -> None:
    data = panel(17)
    hole = data.copy()
    hole.loc[::7, "score"] = np.nan
    assert judged(hole, **FULL) == judged(data.drop(data.index[::7]), **FULL)


# -- what cannot be answered ---------------------------------------------------------------------


def refused(data: pd.DataFrame, because: str, **how: Any) -> None:
    finding = judged(data, **how)
    assert finding.decision.verdict == "not tested"
    assert finding.estimate is None
    assert because in finding.decision.reason.template


def test_an_outcome_of_two_values_is_not_tested() -> None:
    data = panel(20)
    refused(data.assign(score=(data["score"] > 50) * 1.0), "too few distinct values", **FULL)


def test_a_constant_treatment_is_not_tested() -> None:
    refused(panel(21).assign(mandate=1), "column 'mandate': the column is constant", **FULL)


def test_a_constant_post_is_not_tested() -> None:
    refused(panel(22).assign(post=1), "column 'post': the column is constant", **FULL)


def test_two_firms_are_not_tested() -> None:
    refused(panel(23, firms=2), "an arm has 1 firms", **FULL)


def test_an_outcome_that_never_changes_within_persons_is_not_tested() -> None:
    data = panel(24)
    data["score"] = data.groupby("person")["score"].transform("first")
    refused(data, "constant within every person", **FULL)


def test_persons_with_one_row_among_others_are_kept() -> None:
    data = panel(25)
    one = (data["person"] % 14 == 0) & (data["wave"] > 0)
    finding = judged(data.loc[~one], **FULL)
    assert finding.decision.verdict in ("inconclusive", "equivalent")
    share = evidence(finding, "composition").finding.numbers["stayer_share"].value
    assert share == pytest.approx(1.0 - (~one & (data["person"] % 14 == 0)).sum() / (~one).sum())


def test_persons_with_one_row_each_are_compared_as_they_are_seen() -> None:
    data = panel(26).query("wave == 3")
    finding = judged(data, person="person", firm="firm")
    assert finding.triangulation[0].method == "Location-scale model, within firms"


def test_everything_wrong_with_bounds_and_columns_is_said() -> None:
    data = panel(27)
    for bounds in ((100.0, 0.0), (1.0, 1.0), (0.0, math.nan)):
        with pytest.raises(DeclarationError, match="the bounds are not in order"):
            judged(data, bounds=bounds, **FULL)
    with pytest.raises(TableError, match="column 'score': values lie outside their bounds"):
        judged(data, bounds=(0.0, 50.0), **FULL)
    with pytest.raises(DeclarationError, match=r"no column 'scor'\. Did you mean 'score'\?"):
        judged(data, outcome="scor", **FULL)
    with pytest.raises(TableError, match="column 'score' does not hold numbers"):
        judged(data.astype({"score": str}), **FULL)


def test_arms_must_be_told() -> None:
    data = panel(28)
    named = data.assign(mandate=np.where(data["mandate"] == 1, "mandate", "control"))
    with pytest.raises(DeclarationError, match="the column is not 0 and 1"):
        judged(named, **FULL)
    with pytest.raises(DeclarationError, match=r"no row is in arm 'Mandate'"):
        judged(named, treated="Mandate", control="control", **FULL)
    with pytest.raises(DeclarationError, match="treated and control are the same arm"):
        judged(named, treated="control", control="control", **FULL)
    with pytest.raises(DeclarationError, match="treated and control are named together"):
        judged(named, treated="mandate", **FULL)
    coded = judged(named, treated="mandate", control="control", **FULL)
    assert coded.estimate == judged(data, **FULL).estimate


def test_the_level_of_assignment_must_be_told() -> None:
    data = panel(29)
    with pytest.raises(DeclarationError, match="nothing says what was assigned"):
        judged(data)
    with pytest.raises(TableError, match="24 firms are in both arms"):
        judged(data.assign(mandate=data["person"] % 2), **FULL)
    with pytest.raises(DeclarationError, match="treatment changes within persons"):
        judged(data.assign(mandate=data["mandate"] * data["post"]), person="person", post="post")
    with pytest.raises(TableError, match="persons are in several firms"):
        judged(data.assign(person=data["person"] % 14), **FULL)
    lost = data.astype({"firm": float})
    lost.loc[3, "firm"] = np.nan
    with pytest.raises(TableError, match="1 rows with an outcome have no firm"):
        judged(lost, **FULL)


def test_too_few_draws_are_refused() -> None:
    with pytest.raises(DeclarationError, match="too few draws"):
        judged(panel(30), draws=10, **FULL)


# -- at a bound ----------------------------------------------------------------------------------


def censored_says(monkeypatch: pytest.MonkeyPatch, censored: Modelled) -> None:
    """The open model shows widening, and the censored one says what it is given."""
    models = {"gaussian": model_says(0.4, 0.05), "censored": censored}

    def stated(*_args: object, family: str = "gaussian") -> Modelled:
        return models[family]

    monkeypatch.setattr(comparison, "location_scale", stated)


@pytest.mark.parametrize(
    ("value", "se", "outcome"),
    [
        (0.4, 0.05, "clear"),
        (0.1, 0.05, "threat"),  # reaches less than the smallest effect
        (0.4, 0.30, "threat"),  # right sign, interval over zero
        (-0.4, 0.05, "threat"),
    ],
)
def test_where_scores_heap_the_censored_model_must_show_as_much_by_itself(
    monkeypatch: pytest.MonkeyPatch, value: float, se: float, outcome: str
) -> None:
    censored_says(monkeypatch, model_says(value, se))
    data = panel(1, widened=0.35, mean=(85.0, 85.0), sd=13.0)
    finding = judged(data, bounds=(0.0, 100.0), **FULL)
    assert evidence(finding, "bounds").outcome == outcome


def test_away_from_bounds_only_the_sign_must_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    censored_says(monkeypatch, model_says(0.05, 0.3))
    data = panel(1, widened=0.35)
    data.loc[0, "score"] = 100.0  # one value at the bound, so that censoring has something to do
    finding = judged(data, bounds=(0.0, 100.0), **FULL)
    assert evidence(finding, "bounds").outcome == "clear"


def test_a_bounded_model_that_fails_is_a_threat(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Modelled({}, "It did not converge.", "", random_scale=True)
    censored_says(monkeypatch, failed)
    data = panel(1, widened=0.35, mean=(85.0, 85.0), sd=13.0)
    finding = judged(data, bounds=(0.0, 100.0), **FULL)
    assert evidence(finding, "bounds").outcome == "threat"
    assert "It did not converge." in finding.decision.reason.template


def test_persons_assigned_one_by_one_are_their_own_units() -> None:
    rng = np.random.default_rng(33)
    data = pd.DataFrame({"person": np.arange(300), "mandate": np.arange(300) % 2})
    data["score"] = 50 + 8 * rng.normal(size=300) * np.exp(0.4 * data["mandate"])
    finding = judged(data, person="person")
    model, units = finding.triangulation[:2]
    assert model.method == "Location-scale model, within arms"
    # normal likelihood with arms' own means: the log ratio of the arms' SDs, divisor n - 1
    sds = data.groupby("mandate")["score"].std()
    assert model.value == pytest.approx(np.log(sds[1] / sds[0]), rel=1e-6)
    assert units.value == pytest.approx(np.log(sds[1] / sds[0]), rel=EXACT_ARITHMETIC)


def test_rows_without_a_treatment_are_not_left_out_in_silence() -> None:
    data = panel(12, widened=0.0)
    data["mandate"] = data["mandate"].astype(float)
    data.loc[data["person"] == data["person"].iloc[0], "mandate"] = np.nan
    lost = int(data["mandate"].isna().sum())
    with pytest.raises(TableError, match=f"{lost} rows with an outcome have no treatment"):
        judged(data, **FULL)
