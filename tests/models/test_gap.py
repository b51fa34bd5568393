"""A gap: recovered where it is, not claimed where it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError, TableError
from alc_stats.estimators import fit
from alc_stats.measures import reliability
from alc_stats.models import Evidence, Finding, gap
from alc_stats.models.finding import Line
from alc_stats.models.gap.data import GapQuestion, gap_data
from alc_stats.models.gap.fits import PAIR, of, stacked
from tolerances import EXACT_ARITHMETIC, FLAT_OPTIMUM, NLME_STOPS_EARLY

REFERENCE = Path(__file__).parents[1] / "reference" / "gap"
COLUMNS: dict[str, Any] = {
    "awareness": "aware",
    "capability": "skill",
    "usage": "use",
    "treatment": "mandate",
    "person": "person",
    "firm": "firm",
    "post": "post",
    "wave": "wave",
    "capability_bounds": (-np.inf, np.inf),
    "capability_reliability": 1.0,
}
ARMS = GapQuestion(**{**COLUMNS, "treatment": "arm", "treated": "mandate", "control": "control"})
SINGLE: dict[str, Any] = {
    "awareness": "aware",
    "capability": "skill",
    "treatment": "mandate",
    "person": "person",
    "firm": "firm",
    "capability_bounds": (-np.inf, np.inf),
    "capability_reliability": 1.0,
    "randomised": True,
}
RUNS = 40
TWO_ROUTES = 1e-6
"""Wave means by the model and by hand, in balanced data."""
WITHIN_THREE_SE = 3.0
CORRELATION_OF_700 = 0.12
"""Three standard errors of a correlation from 700 residuals."""


def panel(
    seed: int,
    *,
    effects: tuple[float, float, float] = (0.6, 0.6, 0.0),
    firms: int = 24,
    persons: int = 15,
    waves: tuple[int, int] = (1, 2),
    firm_change: float = 0.1,
    together: float = 0.5,
) -> pd.DataFrame:
    """Use, awareness and capability of persons in firms, half mandated; effects in total SDs."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons)
    n = firm.size
    mandate = (firm < firms // 2) * 1
    cov = np.array([[1.0, 0.2, 0.1], [0.2, 1.0, together], [0.1, together, 1.0]])
    root = np.linalg.cholesky(cov)
    person = 0.7 * rng.normal(size=(n, 3)) @ root.T
    level = 0.3 * (rng.normal(size=(firms, 3)) @ root.T)[firm]
    change = firm_change * (rng.normal(size=(firms, 3)) @ root.T)[firm]
    parts = []
    for wave in range(sum(waves)):
        post = int(wave >= waves[0])
        residual = np.sqrt(1 - 0.49 - 0.09) * rng.normal(size=(n, 3)) @ root.T
        y = person + level + residual + 0.1 * wave + change * post
        y = y + np.outer(mandate * post, effects)
        parts.append(
            pd.DataFrame(
                {
                    "firm": firm,
                    "person": np.arange(n),
                    "mandate": mandate,
                    "post": post,
                    "wave": wave,
                    "use": y[:, 0],
                    "aware": 4 + 0.5 * y[:, 1],
                    "skill": 50 + 10 * y[:, 2],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def cross_section(
    seed: int,
    effects: tuple[float, float],
    *,
    firms: int = 14,
    persons: int = 10,
    together: float = 0.3,
    firm_sd: float = 0.4,
) -> pd.DataFrame:
    """Persons of firms once, every other firm treated; effects in SDs."""
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons)
    root = np.linalg.cholesky([[1.0, together], [together, 1.0]]).T
    y = firm_sd * (rng.normal(size=(firms, 2)) @ root)[firm]
    y = y + np.sqrt(1 - firm_sd**2) * rng.normal(size=(firm.size, 2)) @ root
    y = y + np.outer(firm % 2, effects)
    return pd.DataFrame({"firm": firm, "person": np.arange(firm.size), "mandate": firm % 2,
                         "aware": y[:, 0], "skill": y[:, 1]})  # fmt: skip


def with_items(data: pd.DataFrame, *, column: str = "aware", error: float) -> pd.DataFrame:
    """Four parallel items of a column, and their mean as `scale`."""
    noise = error * np.random.default_rng(77).normal(size=(len(data), 4))
    items = pd.DataFrame(noise, data.index).add(data[column], axis=0)
    items.columns = [f"item_{i}" for i in range(4)]
    return data.assign(**items, scale=items.mean(axis=1))


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return gap(data, **(COLUMNS | how))


def lined(finding: Finding, method: str) -> Line:
    return next(line for line in finding.triangulation if line.method == method)


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


# -- verdicts ------------------------------------------------------------------------------------


def test_a_gap_that_is_there_is_supported_with_the_effects_it_has() -> None:
    finding = asked(panel(1))
    assert finding.decision.verdict == "supported"
    truths = {"Use rises": 0.6, "Awareness rises": 0.6, "Capability does not rise": 0.0,
              "Awareness minus capability": 0.6}  # fmt: skip
    for method, truth in truths.items():
        own = lined(finding, method)
        assert own.value is not None
        assert own.low is not None
        assert own.high is not None
        assert abs(own.value - truth) < (own.high - own.low) / 2.0 * WITHIN_THREE_SE / 2.0
    assert finding.p == max(line.p or 0.0 for line in finding.triangulation[:3])


def test_capability_that_rises_contradicts_the_claim() -> None:
    assert asked(panel(2, effects=(0.6, 0.6, 0.8))).decision.verdict == "contradicted"


def test_awareness_that_does_not_rise_is_no_gap() -> None:
    assert asked(panel(3, effects=(0.6, 0.0, 0.0))).decision.verdict != "supported"


# -- the model -----------------------------------------------------------------------------------


def test_the_robust_twin_is_the_model_with_two_residual_sds() -> None:
    found = stacked(gap_data(panel(4), GapQuestion(**COLUMNS)), PAIR)
    for outcome in PAIR:
        model = of(found, f"effect_{outcome}", robust=False, name="")
        robust = of(found, f"effect_{outcome}", robust=True, name="")
        assert model.value == pytest.approx(robust.value, abs=FLAT_OPTIMUM)


def test_effects_and_their_errors_are_those_of_nlme_and_clubsandwich() -> None:
    """Incomplete and unbalanced rows; R stops searching a little below the maximum."""
    expected = json.loads((REFERENCE / "gap.json").read_text(encoding="utf-8"))
    columns = {k: v for k, v in COLUMNS.items() if k not in ("usage", "wave")}
    rows = pd.read_csv(REFERENCE / "rows.csv")
    found = stacked(gap_data(rows, GapQuestion(**columns)), PAIR)
    assert found.model.loglik is not None
    assert 0.0 <= found.model.loglik - expected["reml"] < 2.0 * NLME_STOPS_EARLY
    ratio = found.model.params["log_sd.outcome[T.capability]"]
    assert ratio == pytest.approx(expected["log_sd_ratio"], abs=NLME_STOPS_EARLY)
    for outcome in PAIR:
        own = of(found, f"effect_{outcome}", robust=True, name="")
        assert own.value == pytest.approx(expected[outcome], abs=NLME_STOPS_EARLY)
    apart = "effect_awareness - effect_capability"
    model, robust = (of(found, apart, robust=r, name="") for r in (False, True))
    assert model.value == pytest.approx(expected["apart"], abs=NLME_STOPS_EARLY)
    assert model.se == pytest.approx(expected["apart_se"], abs=NLME_STOPS_EARLY)
    assert robust.se == pytest.approx(expected["apart_cr2"], abs=NLME_STOPS_EARLY)
    assert robust.df == pytest.approx(expected["apart_df"], rel=NLME_STOPS_EARLY)


@pytest.mark.parametrize("together", [0.5, -0.5])
def test_what_both_outcomes_share_on_an_occasion_moves_no_effect(together: float) -> None:
    """Zellner: with the same columns for both, the covariance of residuals is of no account."""
    found = stacked(gap_data(panel(4, together=together), GapQuestion(**COLUMNS)), PAIR)
    assert found.correlation == pytest.approx(together, abs=CORRELATION_OF_700)
    rows = found.rows.assign(
        joint=np.where((found.rows["outcome"] == "capability") & (together < 0), -1.0, 1.0)
    )
    fuller = fit(found.robust.request.formula + " + (0 + joint | occasion)", rows)
    for outcome in PAIR:
        own = of(found, f"effect_{outcome}", robust=True, name="")
        assert abs(fuller.params[f"effect_{outcome}"] - own.value) < own.se / 100.0


def test_other_arms_stay_in_the_model_and_change_no_baseline() -> None:
    """A third arm tells what waves do; effects, SDs and counts are those of the two."""
    two = panel(6).assign(arm=lambda d: np.where(d["mandate"] == 1, "mandate", "control"))
    third = panel(16, effects=(0.0, 0.0, 3.0)).query("mandate == 1")
    third = third.assign(arm="training", firm=third["firm"] + 100, person=third["person"] + 9000)
    both = gap_data(pd.concat([two, third], ignore_index=True), ARMS)
    alone = gap_data(two, ARMS)
    assert both.baselines == alone.baselines
    assert both.clusters == alone.clusters
    for outcome in PAIR:
        own, single = (of(stacked(d, PAIR), f"effect_{outcome}", robust=True, name="")
                       for d in (both, alone))  # fmt: skip
        assert abs(own.value - single.value) < single.se


# -- the cluster as the unit ---------------------------------------------------------------------


def changes(data: pd.DataFrame, column: str) -> pd.Series:
    means = data.pivot_table(index=["mandate", "firm"], columns="post", values=column)
    return means[1] - means[0]


def test_firms_as_units_have_welchs_error_of_their_changes() -> None:
    data = panel(8, firms=10)
    finding = asked(data)
    first = data[(data["mandate"] == 0) & (data["post"] == 0)]
    own = changes(data, "skill") / first["skill"].std()
    line = lined(finding, "Capability does not rise")
    assert line.value == pytest.approx(own.loc[1].mean() - own.loc[0].mean(), abs=TWO_ROUTES)
    assert line.low is not None
    assert line.high is not None
    width = (line.high - line.low) / 2.0 / stats.t.ppf(0.975, line.df)
    error = np.sqrt(own.loc[1].var() / 5 + own.loc[0].var() / 5)
    assert width == pytest.approx(error, rel=TWO_ROUTES)
    assert line.df == pytest.approx(8.0)  # Bell and McCaffrey's, of two arms of five
    assert "counts as one unit" in finding.decision.reason.template


def test_firms_with_both_arms_are_paired() -> None:
    data = cross_section(3, (0.5, 0.0), firms=10, persons=12)
    data["mandate"] = np.tile(np.repeat([0, 1], 6), 10)
    finding = gap(data, **SINGLE)
    means = data.pivot_table(index="firm", columns="mandate", values="skill")
    scale = data.loc[data["mandate"] == 0, "skill"].std()
    expected = stats.ttest_rel(means[1] / scale, means[0] / scale)
    line = lined(finding, "Capability does not rise")
    assert line.value == pytest.approx((means[1] - means[0]).mean() / scale, abs=EXACT_ARITHMETIC)
    assert line.df == pytest.approx(expected.df, rel=EXACT_ARITHMETIC)
    low, high = expected.confidence_interval()
    assert (line.low, line.high) == pytest.approx((low, high), abs=1e-9)


def test_covariates_of_firms_cost_degrees_of_freedom() -> None:
    data = cross_section(4, (0.5, 0.0), firms=12)
    data["size"] = np.random.default_rng(1).normal(size=12)[data["firm"]]
    free, held = gap(data, **SINGLE), gap(data, **SINGLE, covariates=["size"])
    before, after = (lined(f, "Awareness rises").df for f in (free, held))
    assert before is not None
    assert after is not None
    assert after < before - 0.5


# -- other units ---------------------------------------------------------------------------------


def test_other_units_are_the_same_effect_counted_differently() -> None:
    data = with_items(panel(9), error=0.6)
    items = [f"item_{i}" for i in range(4)]
    finding = asked(data, awareness="scale", awareness_items=items, awareness_bounds=(-20, 30),
                    capability_bounds=(-200, 300))  # fmt: skip
    first = data[(data["mandate"] == 0) & (data["post"] == 0)]
    own = lined(finding, "Awareness rises").value
    assert own is not None
    share = lined(finding, "Awareness, percent of the range").value
    assert share == pytest.approx(own * 100 * first["scale"].std() / 50, rel=EXACT_ARITHMETIC)
    omega = reliability(first, items, range=(-99, 99)).omega
    assert omega is not None
    true = lined(finding, "Awareness, true-score SDs").value
    assert true == pytest.approx(own / np.sqrt(omega), rel=EXACT_ARITHMETIC)
    assert lined(finding, "Capability does not change").reference.startswith("two one-sided tests")


def test_the_reliability_of_a_difference_score_is_that_of_its_true_difference() -> None:
    """Four parallel items each: the share of true variance in the difference, known by design."""
    rng = np.random.default_rng(10)
    n, r, error = 4000, 0.6, 1.0
    true = rng.normal(size=(n, 2)) @ np.linalg.cholesky([[1, r], [r, 1]]).T
    items = true[:, :, None] + error * rng.normal(size=(n, 2, 4))
    data = pd.DataFrame(items.reshape(n, 8), columns=[f"{o}{i}" for o in "ac" for i in range(4)])
    own = {f"{o}": data.filter(regex=f"^{o[0]}").mean(axis=1) for o in ("aware", "cskill")}
    data = data.assign(aware=own["aware"], skill=own["cskill"], person=np.arange(n))
    data = data.assign(mandate=np.arange(n) % 2)
    finding = gap(
        data, awareness="aware", capability="skill", treatment="mandate", person="person",
        awareness_items=[f"a{i}" for i in range(4)], capability_items=[f"c{i}" for i in range(4)],
    )  # fmt: skip
    found = lined(finding, "Reliability of the difference score").value
    assert found == pytest.approx((1 - r) / (1 - r + error**2 / 4), abs=0.03)


# -- artefacts -----------------------------------------------------------------------------------


def test_a_ceiling_that_hides_a_rise_of_capability_gives_no_verdict() -> None:
    """Five in six are at the top already: 0.30 SD of latent scores look like 0.14 of those seen."""
    data = cross_section(21, (0.8, 0.30), firms=20, persons=200, firm_sd=0.0)
    data = data.assign(skill=data["skill"].clip(upper=-1.0))
    naive = gap(data, **SINGLE)
    finding = gap(data, **SINGLE | {"capability_bounds": (-np.inf, -1.0)})
    seen = lined(naive, "Capability does not rise").value
    latent = lined(finding, "Capability, censored model").value
    assert seen is not None
    assert latent is not None
    assert latent > 1.5 * seen
    assert naive.decision.verdict == "supported"
    assert evidence(finding, "bounds of capability").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_error_in_the_capability_test_does_not_make_a_rise_small() -> None:
    """0.24 SD of true scores look like 0.12 under a reliability of 0.25."""
    data = cross_section(12, (0.8, 0.24), firms=20, persons=200, firm_sd=0.0)
    noisy = with_items(data, column="skill", error=3.46)
    items = [f"item_{i}" for i in range(4)]
    own = SINGLE | {"capability": "scale"}
    bare = gap(noisy, **own)
    finding = gap(noisy, **own, capability_items=items)
    assert lined(bare, "Capability does not rise").value < 0.20  # type: ignore[operator]
    assert bare.decision.verdict == "supported"
    assert evidence(finding, "reliability of capability").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_what_could_hold_capability_down_must_be_declared() -> None:
    """No bounds, an unknown reliability that matters, or arms nobody assigned: no verdict."""
    data = cross_section(12, (0.8, 0.08), firms=20, persons=200, firm_sd=0.0)
    assert gap(data, **SINGLE).decision.verdict == "supported"
    unbounded = gap(data, **SINGLE | {"capability_bounds": None})
    assert evidence(unbounded, "bounds of capability").outcome == "threat"
    chosen = gap(data, **SINGLE | {"randomised": False})
    assert evidence(chosen, "assignment").outcome == "threat"
    noisy = with_items(data, column="skill", error=3.0).assign(skill=lambda t: t["scale"])
    hidden = cross_section(12, (0.8, 0.28), firms=20, persons=200, firm_sd=0.0)
    hidden = with_items(hidden, column="skill", error=2.0).assign(skill=lambda t: t["scale"])
    unknown = [gap(t, **SINGLE | {"capability_reliability": None}) for t in (noisy, hidden)]
    verdicts = [f.decision.verdict for f in (unbounded, chosen, unknown[1])]
    assert verdicts == ["inconclusive"] * 3
    assert (
        "{supposed_capability}"
        in evidence(unknown[0], "reliability of capability").finding.template
    )


def test_arms_that_part_before_the_start_are_a_threat() -> None:
    data = panel(13, waves=(3, 2))
    drift = data.assign(aware=data["aware"] + 0.3 * data["wave"] * data["mandate"])
    assert evidence(asked(drift), "trends before the start").outcome == "threat"
    assert evidence(asked(data), "trends before the start").outcome == "clear"
    assert evidence(asked(panel(1)), "trends before the start").outcome == "not tested"


def test_people_who_leave_one_arm_are_a_threat() -> None:
    data = panel(14)
    gone = (data["mandate"] == 1) & (data["post"] == 1) & (data["person"] % 3 == 0)
    assert evidence(asked(data[~gone]), "people who left").outcome == "threat"
    assert evidence(asked(data), "people who left").outcome == "clear"


# -- error rates ---------------------------------------------------------------------------------


@pytest.mark.parametrize("firms", [8, 14])
def test_a_rise_of_exactly_the_smallest_effect_is_hardly_ever_called_none(firms: int) -> None:
    """The boundary where the conjunction errs most: awareness rises for sure, capability by delta.

    The naive rule, "not significant, so it does not rise", errs in most samples.
    """
    found = [gap(cross_section(100 + s, (2.0, 0.2), firms=firms), **SINGLE) for s in range(RUNS)]
    false = sum(f.decision.verdict == "supported" for f in found)
    assert false <= stats.binom.ppf(0.999, RUNS, 0.05)
    naive = [lined(f, "Capability, model-based").p for f in found]
    assert sum(p > 0.05 for p in naive if p is not None) > RUNS / 2


def test_the_interval_of_the_difference_covers_it() -> None:
    """With what both share on one occasion, which the model leaves to the robust error."""
    covered = 0
    for seed in range(RUNS):
        data = cross_section(500 + seed, (0.5, 0.1), firms=16, together=0.8)
        line = lined(gap(data, **SINGLE), "Awareness minus capability")
        scale = data.loc[data["mandate"] == 0, ["aware", "skill"]].std()
        truth = 0.5 / scale["aware"] - 0.1 / scale["skill"]
        covered += bool(line.low <= truth <= line.high)  # type: ignore[operator]
    low, high = stats.binom.ppf([0.001, 0.999], RUNS, 0.95)
    assert low <= covered <= high


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ({"capability": "aware"}, DeclarationError, "the same column"),
        ({"awareness": "awrae"}, DeclarationError, "Did you mean 'aware'"),
        ({"awareness_bounds": (7, 1)}, DeclarationError, "not in order"),
        ({"awareness_bounds": (3, 4)}, TableError, "outside their bounds"),
        ({"treated": "mandate"}, DeclarationError, "named together"),
        ({"treatment": "wave"}, DeclarationError, "not 0 and 1"),
        ({"smallest_capability": 0.0}, DeclarationError, "smallest effect of interest"),
    ],
)
def test_what_makes_no_sense_is_refused(
    how: dict[str, Any], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told):
        asked(panel(5), **how)


def test_what_cannot_answer_is_not_tested_and_says_why() -> None:
    data = panel(5)
    lone = data[(data["mandate"] == 0) | (data["firm"] == 0)]
    for table, told in (
        (data.assign(mandate=1), "the treatment never varies"),
        (lone, "an arm has 1 firm"),
        (data.assign(skill=50.0), "does not vary among those never treated"),
    ):
        decision = asked(table).decision
        assert decision.verdict == "not tested"
        assert told in decision.reason.template


def test_rows_that_say_nothing_of_where_they_belong_are_refused_and_others_counted() -> None:
    data = panel(5)
    with pytest.raises(TableError, match="rows with an outcome have no firm"):
        asked(data.assign(firm=data["firm"].where(data["firm"] > 0)))
    with pytest.raises(TableError, match="persons are in several firms"):
        asked(data.assign(firm=(data["firm"] + 12 * (data["wave"] > 0)) % 24))
    with pytest.raises(TableError, match="repeat a person and wave"):
        asked(data.assign(wave=0))
    age = np.where(data["person"] == 0, np.nan, 30.0 + data["person"] % 7)
    finding = asked(data.assign(age=age), covariates=["age"])
    assert evidence(finding, "rows left out").outcome == "clear"


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_show_effects_with_the_bound_and_no_small_group() -> None:
    effects, trajectory = asked(panel(1)).pictures
    rows, bounds = effects.panels[0].marks
    assert rows.texts == ("Use", "Awareness", "Capability", "Awareness minus capability")
    assert bounds.x == (0.0, 0.2)
    assert [p.title for p in trajectory.panels] == ["Use", "Awareness", "Capability"]
    thin = panel(1, firms=14, persons=2)
    few = thin[(thin["wave"] < 2) | (thin["person"].isin([0, 2, 4, 6, *range(14, 28)]))]
    marks = asked(few).pictures[1].panels[1].marks
    treated = next(m for m in marks if m.label == "treated" and m.kind == "line")
    assert len(treated.x) == 2


def test_bounds_that_are_no_pair_are_refused() -> None:
    with pytest.raises(DeclarationError, match="the bounds are not two numbers"):
        gap(cross_section(1, (0.0, 0.0)), **SINGLE, awareness_bounds=5)
