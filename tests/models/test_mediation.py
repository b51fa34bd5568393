"""Mediation against data of which the effect is known, other programs, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin
import pytest
from scipy import stats

import alc_stats as alc
from alc_stats.estimators.estimate import Estimate
from alc_stats.models.finding import Evidence, Finding, Line
from alc_stats.models.mediation.data import MediationQuestion, mediation_data
from alc_stats.models.mediation.effects import (
    confounded,
    monte_carlo,
    reaching,
    sensitivity,
)
from alc_stats.models.mediation.paths import Chain, SlopeCovariance, regressions, unit_chain
from alc_stats.models.mediation.stacked import group_chains, stacked
from models.mediations import averaged, chained, delayed, opposed, sloped
from tolerances import (
    BOOTSTRAP_LIMITS,
    DRAWN_VARIANCE,
    EXACT_ARITHMETIC,
    FOUR_PRINTED_DIGITS,
    MONTE_CARLO_SIGMAS,
    NLME_STOPS_EARLY,
    OTHER_ALGORITHM,
    PERCENTILES_OR_NORMAL,
    SAME_LOGLIK_BY_RELATION,
)

REFERENCE = Path(__file__).parents[1] / "reference" / "mediation"
TIMES = ("day_m", "day_y")
DECIDING, NAIVE = "Indirect effect, Monte", "Indirect effect, levels"


def line(found: Finding, start: str) -> Line:
    return next(made for made in found.triangulation if made.method.startswith(start))


def numbers(found: Finding, start: str) -> tuple[float, float, float]:
    """Value and limits."""
    made = line(found, start)
    assert made.value is not None
    assert made.low is not None
    assert made.high is not None
    return made.value, made.low, made.high


def evidence(found: Finding, artefact: str) -> Evidence:
    (only,) = [e for e in found.evidence if e.artefact == artefact]
    return only


def between(data: pd.DataFrame, **more: object) -> Finding:
    asked = {"times": TIMES, "randomised": True, "firm": "firm"} | more
    return alc.mediation(data, outcome="y", treatment="treated", mediators="m", **asked)


def within(data: pd.DataFrame, **more: object) -> Finding:
    asked = {"times": TIMES, "randomised": True} | more
    return alc.mediation(data, outcome="y", treatment="x", mediators="m", person="g", **asked)


def changes(data: pd.DataFrame, **more: object) -> Finding:
    asked = {"mediators": ("m", "k"), "times": ("day_m", "day_k", "day_y"), "wave": "wave",
             "direction": "less"} | more  # fmt: skip
    return alc.mediation(data, outcome="y", treatment="treated", person="person", firm="firm",
                         post="post", **asked)  # fmt: skip


def slopes(y: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """Least squares coefficients after the constant."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(y)), *columns]), y, rcond=None)[0][1:]


# known truths


def test_between_firms_the_effect_is_that_of_firm_means_and_conflation_turns_its_sign() -> None:
    found = between(opposed(1))
    value, low, high = numbers(found, DECIDING)
    assert low < 1.0 < high
    assert found.decision.verdict == "supported"
    assert numbers(found, NAIVE)[2] < 0.0
    assert numbers(found, "Indirect effect, within")[2] < 0.0
    assert evidence(found, "conflated levels").finding.numbers["own"].value == value


def test_balanced_firms_give_the_regressions_of_their_means() -> None:
    data = opposed(2)
    t, m, y = data.groupby("firm")[["treated", "m", "y"]].mean().to_numpy().T
    (a,), (direct, b) = slopes(m, t), slopes(y, t, m)
    found = between(data)
    ours = [numbers(found, name)[0] for name in ("Path a", "Path b", "Direct", DECIDING)]
    assert ours == pytest.approx([a, b, direct, a * b], rel=OTHER_ALGORITHM)
    assert numbers(found, "Indirect effect, boot")[0] == pytest.approx(a * b, rel=OTHER_ALGORITHM)


def test_people_who_are_a_sample_of_their_firm_hide_a_part_of_its_effect() -> None:
    found = between(opposed(1, firms=300, people=5, sampled=True))
    _, _, manifest = numbers(found, DECIDING)
    _, low, high = numbers(found, "Indirect effect, people as a sample")
    # reliability 0.49 / (0.49 + 1 / 5) = 0.71: observed means lean to 0.71 - 0.29 = 0.42
    assert manifest < 0.6
    assert low < 1.0 < high
    note = line(found, "Indirect effect, people as a sample").note
    error = 0.29 * np.sqrt(2 / 298 + 2 / 1200)  # of a ratio of two variances, over 0.71
    seen = note.numbers["reliability"].value
    assert abs(seen - 0.71) < MONTE_CARLO_SIGMAS * error


def test_slopes_that_go_together_add_their_covariance() -> None:
    found = within(sloped(1))
    value, low, high = numbers(found, DECIDING)
    assert low < 0.6 * 0.5 + 0.1 < high
    a, b, covariance = (numbers(found, name)[0] for name in ("Path a", "Path b", "Covariance"))
    assert value == pytest.approx(a * b + covariance, abs=EXACT_ARITHMETIC)
    assert numbers(found, "Covariance")[1] > 0.0
    assert evidence(found, "slope covariance").outcome == "clear"
    assert found.decision.verdict == "supported"


@pytest.mark.parametrize("seed", [6, 7, 11])
def test_a_saddle_does_not_end_the_search(seed: int) -> None:
    # where a variance that others hold up is zero, the deviance has no slope, and falls both ways
    rows = sloped(seed)
    rest = rows[["x", "m"]] - rows.groupby("g")[["x", "m"]].transform("mean")
    parts = {"m1": rows["m"], "x_rest": rest["x"], "m1_rest": rest["m"], "unit": rows["g"]}
    table = stacked(pd.DataFrame(parts).assign(y=rows["y"], firm=rows["g"]))
    terms = "0 + sm + sy + sm_x + sy_m + sy_x"
    model = alc.fit(f"z ~ {terms} + ({terms} | unit)", table, scale="~ sy")
    assert model.certificate.usable, model.certificate.sentence
    assert min(model.certificate.curvature) > 0.0
    found = within(rows)
    assert numbers(found, DECIDING)[1] < 0.4 < numbers(found, DECIDING)[2]
    assert numbers(found, "Covariance")[1] > 0.0


def test_slopes_through_two_mediators_are_means_of_slopes() -> None:
    data = sloped(1)
    rng = np.random.default_rng(9)
    last = data.assign(k=data["m"] + rng.standard_normal(len(data)))
    found = alc.mediation(last, outcome="k", treatment="x", mediators=("m", "y"), person="g")
    assert evidence(found, "slope covariance").outcome == "not tested"
    assert numbers(found, "Path a")[1] < 0.6 < numbers(found, "Path a")[2]
    assert numbers(found, "Path d")[1] < 0.5 < numbers(found, "Path d")[2]
    assert numbers(found, "Path b")[1] < 0.0 < numbers(found, "Path b")[2]
    assert line(found, "Indirect effect, bootstrap").value is None


def test_the_mean_of_group_products_is_another_way_to_the_same_effect() -> None:
    data = sloped(3)
    products = []
    for _, group in data.groupby("g"):
        x, m, y = (group[c].to_numpy() for c in ("x", "m", "y"))
        products.append(slopes(m, x)[0] * slopes(y, x, m)[1])
    value, low, high = numbers(within(data), "Indirect effect, boot")
    assert value == pytest.approx(np.mean(products), rel=OTHER_ALGORITHM)
    error = np.std(products) / np.sqrt(len(products))
    assert (high - low) / (2 * 1.96 * error) == pytest.approx(1.0, abs=PERCENTILES_OR_NORMAL)


def test_a_chain_in_changes_of_firms_is_found_against_differences_between_persons() -> None:
    found = changes(chained(1))
    _, low, high = numbers(found, DECIDING)
    assert low < -3.0 < high
    assert found.decision.verdict == "supported", found.decision
    assert numbers(found, "Path d")[1] < 2.0 < numbers(found, "Path d")[2]
    assert numbers(found, "Path b")[1] < -1.5 < numbers(found, "Path b")[2]


def test_balanced_changes_give_the_change_of_the_mediator() -> None:
    data = chained(2)
    before, after = (data[data["post"] == p].groupby("firm")["m"].mean() for p in (0, 1))
    treated = data.groupby("firm")["treated"].first().to_numpy()
    (a,) = slopes((after - before).to_numpy(), treated)
    assert numbers(changes(data), "Path a")[0] == pytest.approx(a, rel=OTHER_ALGORITHM)


def test_a_mediator_that_acts_a_wave_later_is_seen_only_from_the_wave_before() -> None:
    data = delayed(1)
    same = within(data, times=(), wave="wave")
    assert numbers(same, "Path b")[1] < 0.0 < numbers(same, "Path b")[2]
    before = within(data, times=(), wave="wave", lagged=True)
    _, low, high = numbers(before, "Path b")
    assert low < 1.0 < high
    assert low > 0.5
    assert evidence(before, "simultaneity").outcome == "clear"
    assert evidence(before, "incomplete rows").finding.numbers["left_out"].value == 60


def test_the_other_direction_is_contradicted() -> None:
    assert between(opposed(1), direction="less").decision.verdict == "contradicted"


def test_a_chain_too_weak_to_matter_is_equivalent_to_none() -> None:
    data = averaged(1, a=0.05, b=0.05, firms=1000)
    found = between(data, smallest_indirect=0.1)
    assert found.decision.verdict == "equivalent"
    assert "would have been hidden" in evidence(found, "unmeasured confounding").finding.template


def test_a_mediator_that_matters_only_under_treatment_is_seen() -> None:
    data = averaged(1, a=0.5, b=0.0, firms=200)
    moved = data.assign(y=data["y"] + data["treated"] * data["m"])
    _, low, high = numbers(between(moved), "Path b, treated minus")
    assert low < 1.0 < high
    assert low > 0.0


def test_a_wave_that_was_missed_lends_no_mediator() -> None:
    data = delayed(2)
    missed = data[(data["g"] > 0) | (data["wave"] != 4)]
    found = within(missed, times=(), wave="wave", lagged=True)
    # sixty first waves, and the wave after the missed one
    assert evidence(found, "incomplete rows").finding.numbers["left_out"].value == 61


# other programs


def test_the_stacked_model_is_nlmes() -> None:
    expected = json.loads((REFERENCE / "stacked.json").read_text(encoding="utf-8"))
    asked = MediationQuestion(outcome="y", treatment="x", mediators=("m",), person="g")
    found = group_chains(mediation_data(pd.read_csv(REFERENCE / "stacked.csv"), asked))
    model, slope = found.within.fits[0], found.within.slopes
    assert slope is not None
    labels = list(model.labels[:5])
    assert labels == expected["names"]
    for name, ours, theirs in (
        ("estimates", model.estimates[:5], expected["estimates"]),
        ("se", model.bse.to_numpy()[:5], expected["se"]),
        ("cov_ab", slope.value, expected["cov_ab"]),
        ("of means", slope.of_estimates, expected["cov_ab_of_means"]),
        ("residual", found.residual_sds, (expected["sigma_m"], expected["sigma_y"])),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=NLME_STOPS_EARLY, err_msg=name)
    assert model.loglik == pytest.approx(expected["loglik"], abs=SAME_LOGLIK_BY_RELATION)


def test_rows_without_groups_are_pingouins() -> None:
    data = pingouin.read_dataset("mediation")
    theirs = pingouin.mediation_analysis(data=data, x="X", m="M", y="Y", seed=42, n_boot=99)
    path = theirs.set_index("path")["coef"]
    found = alc.mediation(data, outcome="Y", treatment="X", mediators="M")
    ours = [numbers(found, name)[0] for name in ("Path a", "Total", "Direct", DECIDING)]
    expected = [path[name] for name in ("M ~ X", "Total", "Direct", "Indirect")]
    assert ours == pytest.approx(expected, rel=OTHER_ALGORITHM)
    # pingouin's documentation
    assert numbers(found, "Total")[1:] == pytest.approx((0.17553, 0.61672), abs=FOUR_PRINTED_DIGITS)
    low, high = numbers(found, "Indirect effect, boot")[1:]
    assert (low, high) == pytest.approx((0.2198, 0.5377), abs=BOOTSTRAP_LIMITS)


# sensitivity


def test_a_partial_correlation_is_that_of_the_residuals() -> None:
    data = pingouin.read_dataset("mediation")
    x, m, y = (data[c].to_numpy(float) for c in ("X", "M", "Y"))
    left = [v - np.polyval(np.polyfit(x, v, 1), x) for v in (m, y)]
    found = alc.mediation(data, outcome="Y", treatment="X", mediators="M")
    rho = evidence(found, "unmeasured confounding").finding.numbers["rho"].value
    assert rho == pytest.approx(np.corrcoef(*left)[0, 1], rel=OTHER_ALGORITHM)


@pytest.mark.parametrize("rho", [-0.6, -0.1, 0.3, 0.8])
def test_the_curve_gives_back_the_effect_that_a_hidden_cause_distorts(rho: float) -> None:
    # m = e2, y = b m + e3 with residuals that correlate by rho: what least squares would see
    b, sd2, sd3 = 0.7, 1.3, 2.1
    seen = b + rho * sd3 / sd2
    total = np.sqrt((b * sd2) ** 2 + sd3**2 + 2 * b * sd2 * sd3 * rho)
    assert confounded(seen, seen * sd2 / total, rho) == pytest.approx(b, abs=EXACT_ARITHMETIC)


def test_with_slopes_that_go_together_the_whole_effect_vanishes_elsewhere() -> None:
    a, b = (Estimate(n, v, 0.1, 50.0) for n, v in (("a", 0.6), ("b", 0.5)))
    chain = Chain((a, b), b, b, (), SlopeCovariance(0.1, 0.02, 0.0, 50))
    found = sensitivity(chain, (1.0, 2.0))
    bent = confounded(b.value, found.partial[0], found.weakest)
    assert a.value * bent + 0.1 == pytest.approx(0.0, abs=EXACT_ARITHMETIC)
    assert found.weakest > found.partial[0]


def test_what_could_have_hidden_an_effect_makes_one_of_that_size() -> None:
    a, b = (Estimate(n, v, 0.1, 50.0) for n, v in (("a", 0.6), ("b", 0.05)))
    chain = Chain((a, b), b, b, ())
    found = sensitivity(chain)
    rho = reaching(chain, found, 0.3)
    made = a.value * confounded(b.value, found.partial[0], rho)
    assert abs(made) == pytest.approx(0.3, abs=EXACT_ARITHMETIC)


def test_a_link_that_little_would_undo_is_a_threat() -> None:
    data = averaged(5, a=1.0, b=0.12, firms=4000)
    found = between(data, smallest_indirect=0.01)
    assert numbers(found, DECIDING)[1] > 0.0
    assert evidence(found, "unmeasured confounding").outcome == "threat"
    assert found.decision.verdict == "inconclusive"


# draws


def test_draws_of_a_product_have_its_moments() -> None:
    a, b = Estimate("a", 0.5, 0.2, np.inf), Estimate("b", 0.8, 0.3, np.inf)
    effect = monte_carlo(Chain((a, b), b, b, ()), seed=1, n=200_000)
    variance = 0.5**2 * 0.3**2 + 0.8**2 * 0.2**2 + 0.2**2 * 0.3**2  # Goodman 1960
    error = np.sqrt(variance / effect.draws.size)
    assert abs(effect.draws.mean() - 0.4) < MONTE_CARLO_SIGMAS * error
    assert effect.draws.var() == pytest.approx(variance, rel=DRAWN_VARIANCE)


def test_few_degrees_of_freedom_make_wider_intervals() -> None:
    def width(df: float) -> float:
        a, b = Estimate("a", 1.0, 0.2, df), Estimate("b", 1.0, 0.2, df)
        low, high = monte_carlo(Chain((a, b), b, b, ()), seed=1).interval()
        return high - low

    assert width(4.0) > 1.2 * width(np.inf)


def test_a_null_chain_is_found_as_seldom_as_it_should_be() -> None:
    asked = MediationQuestion(outcome="y", treatment="treated", mediators=("m",), firm="firm")
    n, shown = 300, 0
    for seed in range(1, n + 1):
        d = mediation_data(averaged(seed, a=0.0, b=1.0), asked)
        low, high = monte_carlo(unit_chain(d, regressions(d)), seed=seed, n=4000).interval()
        shown += low > 0.0 or high < 0.0
    lowest, highest = stats.binom.ppf([0.0005, 0.9995], n, 0.05)
    assert lowest <= shown <= highest


def test_the_same_seed_gives_the_same_finding() -> None:
    assert between(opposed(3)) == between(opposed(3))
    assert numbers(between(opposed(3)), DECIDING) != numbers(between(opposed(3), seed=2), DECIDING)


# what is said


def test_a_direct_path_that_is_not_significant_is_not_called_none() -> None:
    open_ = line(between(opposed(1, firms=12), smallest_direct=0.1), "Direct")
    assert open_.p is not None
    assert open_.p > 0.05
    assert "nothing can be said of full mediation" in open_.note.template
    data = averaged(1, a=1.0, b=1.0, firms=4000)
    none = between(data, smallest_direct=0.5)
    assert "No direct effect of {margin}" in line(none, "Direct").note.template
    assert "No direct effect of {margin}" in none.decision.reason.template
    moved = data.assign(y=data["y"] + data["treated"])
    there = line(between(moved, smallest_direct=0.5), "Direct").note.template
    assert there == "A direct effect of {margin} or more remains."


def test_a_share_is_given_only_of_a_total_that_is_there() -> None:
    shared = between(averaged(1, a=1.0, b=1.0, firms=400))
    assert numbers(shared, "Proportion")[1] < 1.0 < numbers(shared, "Proportion")[2]
    data = averaged(1, a=1.0, b=1.0, firms=400)
    cancelled = between(data.assign(y=data["y"] - data["treated"]))
    assert not [x for x in cancelled.triangulation if x.method.startswith("Proportion")]


def test_what_was_not_declared_stands_in_the_way() -> None:
    data = opposed(1)
    assert evidence(between(data, times=()), "simultaneity").outcome == "threat"
    assert evidence(between(data.assign(day_y=1.0)), "simultaneity").outcome == "threat"
    unknown = data.assign(day_m=data["day_m"].mask(data.index < 80))
    share = evidence(between(unknown), "simultaneity")
    assert share.outcome == "threat"
    assert share.finding.numbers["unordered"].value == pytest.approx(0.1)
    assert evidence(between(data, randomised=False), "assignment").outcome == "threat"
    assert evidence(between(data), "common method").outcome == "not tested"
    one, two = (between(data, sources=s) for s in (("survey", "survey"), ("survey", "test")))
    assert evidence(one, "common method").outcome == "threat"
    assert evidence(two, "common method").outcome == "clear"
    assert one.decision.verdict == "inconclusive"
    assert two.decision.verdict == "supported"


def test_rows_without_a_mediator_are_counted() -> None:
    data = opposed(1)
    few = between(data.assign(m=data["m"].mask(data.index < 8)))
    assert evidence(few, "incomplete rows").outcome == "clear"
    assert evidence(few, "incomplete rows").finding.numbers["left_out"].value == 8
    many = between(data.assign(m=data["m"].mask(data.index % 5 == 0)))
    assert evidence(many, "incomplete rows").outcome == "threat"


def test_both_pictures_show_what_the_table_says() -> None:
    found = between(opposed(1))
    paths, curve = found.pictures
    forest = paths.panels[0].marks[0]
    assert forest.texts[:2] == ("a: treated to m", "b: m to y")
    sds = opposed(1).query("treated == 0")[["m", "y"]].std()
    assert forest.x[0] == pytest.approx(numbers(found, "Path a")[0] / sds["m"])
    assert forest.x[4] == pytest.approx(numbers(found, DECIDING)[0] / sds["y"])
    middle = curve.panels[0].marks[1]
    assert middle.y[middle.x.index(0.0)] == pytest.approx(numbers(found, DECIDING)[0])


# bad input


def untested(found: Finding) -> str:
    assert found.decision.verdict == "not tested"
    return found.decision.reason.template


def test_what_never_varies_carries_nothing() -> None:
    data = opposed(1)
    assert "the mediator never varies" in untested(between(data.assign(m=3.0)))
    assert "3 throughout" in untested(between(data.assign(m=3.0)))
    assert "the treatment never varies" in untested(between(data.assign(treated=1.0)))
    assert "the outcome never varies" in untested(between(data.assign(y=1.0)))


def test_one_firm_in_an_arm_is_not_tested() -> None:
    data = opposed(1)
    alone = data[(data["treated"] == 0) | (data["firm"] == 0)]
    assert "an arm has a single unit" in untested(between(alone))
    waves = chained(1, firms=6)
    once = waves[(waves["treated"] == 0) | (waves["firm"] == 0) | (waves["post"] == 1)]
    assert "before and after the start" in untested(changes(once))


def test_a_mediator_after_the_outcome_is_refused() -> None:
    with pytest.raises(alc.AlcError, match="'m' was measured after 'y'") as raised:
        between(opposed(1).assign(day_m=3.0))
    assert "lagged = true takes the wave before" in str(raised.value)
    data = delayed(1).assign(day_m=2.0, day_y=1.0)
    assert within(data, wave="wave", lagged=True).decision.verdict != "not tested"


def test_everything_wrong_with_a_call_is_said_at_once() -> None:
    with pytest.raises(alc.AlcError) as raised:
        alc.mediation(
            opposed(1), outcome="y", treatment="treated", mediators=("m", "y"), times=("day_m",),
            sources=("survey",), direction="down", smallest_indirect=0.0, lagged=True,
        )  # fmt: skip
    said = str(raised.value)
    for part in (
        "plays two parts: Found: y",
        "'times' does not name",
        "'sources' does not name",
        "unknown direction",
        "not a positive number",
        "needs persons seen in several",
    ):
        assert part.replace(": Found", ". Found") in said  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"firm": None}, "rows with an outcome have no firm"),
        ({"treated": np.nan}, "rows with an outcome have no treatment"),
    ],
)
def test_rows_that_belong_nowhere_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(alc.AlcError, match=message):
        between(opposed(1).astype({"firm": object}).assign(**change))


def test_times_of_two_kinds_are_refused() -> None:
    with pytest.raises(alc.AlcError, match="times of two kinds cannot be put in order"):
        between(opposed(1).assign(day_m="Monday"))


def test_rows_without_a_wave_are_refused() -> None:
    data = chained(1, firms=6)
    with pytest.raises(alc.AlcError, match="12 rows with an outcome have no wave"):
        changes(data.assign(wave=data["wave"].mask(data.index < 12)))


def test_arms_are_named_together_and_units_stay_in_theirs() -> None:
    data = chained(1, firms=6)
    with pytest.raises(alc.AlcError, match="not two arms of the treatment"):
        changes(data.assign(treated="a"), treated="b", control="a")
    with pytest.raises(alc.AlcError, match="a firm is in both arms"):
        changes(data.assign(treated=data["treated"] * data["post"]))
    with pytest.raises(alc.AlcError, match="not 0 and 1"):
        changes(data.assign(treated=2.0))
    with pytest.raises(alc.AlcError, match="one or two mediators"):
        changes(data, mediators=("m", "k", "wave"), times=())


# what was measured


def test_committed_intervals_hold_the_truth_as_often_as_they_say() -> None:
    measured = json.loads((REFERENCE / "intervals.json").read_text(encoding="utf-8"))
    for name, row in measured.items():
        n = row["replications"]
        lowest = stats.binom.ppf(0.001, n, 0.95) / n
        assert row["monte_carlo_covers"] >= lowest, name
        if row["truth"] == 0.0:
            assert row["found"] <= stats.binom.ppf(0.999, n, 0.05) / n, name
        elif "2-1-1" in name:
            assert row["conflated_covers"] < lowest, name


def test_committed_studies_of_a_true_and_of_no_chain_come_out_apart() -> None:
    measured = json.loads((REFERENCE / "verdicts.json").read_text(encoding="utf-8"))
    true, none = measured["reference"], measured["reference_mirror"]
    n = true["studies"]
    assert min(true["covers"], none["covers"]) >= stats.binom.ppf(0.001, n, 0.95) / n
    assert none["excludes_zero"] <= stats.binom.ppf(0.999, n, 0.05) / n
    assert true["verdicts"]["supported"] > n / 2
    assert "contradicted" not in true["verdicts"]
