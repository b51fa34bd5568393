from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError, FitError
from alc_stats.estimators import Certificate, Fit, fit
from alc_stats.inference import MarginalMeans, contrast, joint, marginal_means, pairwise
from alc_stats.inference.pairwise import Comparisons
from alc_stats.records import dump, load
from estimators.witness import answers, real_data, table
from tolerances import (
    EXACT_ARITHMETIC,
    FLAT_OPTIMUM,
    JSON_DIGITS,
    OTHER_ALGORITHM,
    STUDENTISED_RANGE,
)

R = answers("after_fit")
FIXED = "y ~ arm * shift + x + novice"
MIXED = FIXED + " + (1 + x | person) + (1 | task)"
# lme4's optimum limits the mixed models, Tukey's distribution the linear one
TOLERANCE = {
    "kenward-roger": FLAT_OPTIMUM,
    "satterthwaite": FLAT_OPTIMUM,
    "linear": OTHER_ALGORITHM,
}


@pytest.fixture(scope="module")
def fits() -> dict[str, Fit]:
    trial = table("after_fit", "trial.csv")
    return {
        "kenward-roger": fit(MIXED, trial, df="kenward-roger"),
        "satterthwaite": fit(MIXED, trial),
        "linear": fit(FIXED, trial),
    }


MEANS = {
    "arm": {"over": "arm"},
    "arm_by_shift": {"over": "arm", "by": "shift"},
    "arm_shift": {"over": ["arm", "shift"]},
    "at": {"over": "arm", "at": {"x": [3, 8], "shift": "night"}},
    "novice": {"over": "novice"},
    "x": {"over": "x", "at": {"x": [2, 4.5]}},
}


@pytest.mark.parametrize("kind", ["kenward-roger", "satterthwaite", "linear"])
@pytest.mark.parametrize("name", MEANS)
def test_marginal_means_are_those_of_emmeans(fits: dict[str, Fit], kind: str, name: str) -> None:
    own, theirs = (
        marginal_means(fits[kind], **MEANS[name]).table,
        pd.DataFrame(R["means"][kind][name]),
    )
    keys = [column for column in ("arm", "shift", "novice", "x") if column in own]
    both = own.merge(theirs, on=keys, suffixes=("", "_emmeans"), validate="1:1")
    assert len(both) == len(own) == len(theirs)
    pairs = {
        "estimate": "emmean",
        "se": "SE",
        "df": "df_emmeans",
        "low": "low_emmeans",
        "high": "high_emmeans",
    }
    for mine, their in pairs.items():
        np.testing.assert_allclose(both[mine], both[their], rtol=TOLERANCE[kind])


@pytest.mark.parametrize("kind", ["kenward-roger", "satterthwaite", "linear"])
@pytest.mark.parametrize("name", ["tukey", "tukey_by_shift", "holm"])
def test_pairwise_comparisons_are_those_of_emmeans(
    fits: dict[str, Fit], kind: str, name: str
) -> None:
    adjust = "holm" if name == "holm" else "tukey"
    by = "shift" if name == "tukey_by_shift" else None
    own, theirs = (
        pairwise(fits[kind], "arm", by=by, adjust=adjust).table,
        pd.DataFrame(R["means"][kind][name]),
    )
    assert list(own["contrast"]) == list(theirs["contrast"])
    pairs = {
        "estimate": "estimate",
        "se": "SE",
        "df": "df",
        "statistic": "t.ratio",
        "low": "low",
        "high": "high",
    }
    for mine, their in pairs.items():
        np.testing.assert_allclose(
            own[mine], theirs[their], rtol=TOLERANCE[kind], atol=TOLERANCE[kind]
        )
    np.testing.assert_allclose(own["p"], theirs["p.value"], rtol=STUDENTISED_RANGE)


def test_the_cells_of_two_factors_are_compared_unadjusted(fits: dict[str, Fit]) -> None:
    theirs = {
        frozenset(row["contrast"].split(" - ")): row for row in R["means"]["linear"]["none_both"]
    }
    own = pairwise(fits["linear"], ["arm", "shift"], adjust="none").table
    assert len(own) == len(theirs) == 15
    for row in own.itertuples():
        expected = theirs[frozenset(row.contrast.replace(",", "").split(" - "))]
        assert abs(row.estimate) == pytest.approx(abs(expected["estimate"]), rel=JSON_DIGITS)
        assert row.p == pytest.approx(expected["p.value"], rel=JSON_DIGITS * 10)


def test_machines_has_the_means_that_emmeans_prints() -> None:
    machines = real_data("multilevel/nlme__Machines.csv", "nlme's Machines")
    m = fit("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", machines, df="kenward-roger")
    means = marginal_means(m, "Machine")
    # emmeans 1.8.4.1 on lme4 1.1-31 with Kenward and Roger's degrees of freedom
    own = means.table
    assert list(own["Machine"]) == ["A", "B", "C"]
    np.testing.assert_allclose(own["estimate"], [52.355555555552, 60.32222222222, 66.27222222222])
    np.testing.assert_allclose(own["se"], 2.485830218284, rtol=FLAT_OPTIMUM)
    np.testing.assert_allclose(own["df"], 8.521698516133, rtol=FLAT_OPTIMUM)
    pairs = pairwise(means, "Machine").table
    assert list(pairs["contrast"]) == ["A - B", "A - C", "B - C"]
    np.testing.assert_allclose(pairs["se"], 2.176975482223, rtol=FLAT_OPTIMUM)
    np.testing.assert_allclose(pairs["df"], 10.0, rtol=FLAT_OPTIMUM)
    np.testing.assert_allclose(
        pairs["p"], [0.01114047288247, 0.0002115828323254, 0.05067064651544], rtol=STUDENTISED_RANGE
    )


def test_a_mean_is_a_contrast(fits: dict[str, Fit]) -> None:
    data = table("after_fit", "trial.csv")
    share = f"{data.x.mean():.17g}*x + novice/2 + shift[T.night]/2"
    for m in fits.values():
        mean = marginal_means(m, "arm").estimates[0]
        same = contrast(m, f"Intercept + {share}")
        assert (mean.value, mean.se, mean.df) == pytest.approx(
            (same.value, same.se, same.df), rel=EXACT_ARITHMETIC
        )


def test_stored_coding_is_reused() -> None:
    data = table("after_fit", "trial.csv")
    coded = fit('y ~ C(arm, Treatment("mandate")) + center(x) + C(novice)', data)
    plain = fit("y ~ arm + x + novice", data)
    own, same = marginal_means(coded, "arm"), marginal_means(plain, "arm")
    np.testing.assert_allclose(own.table["estimate"], same.table["estimate"], rtol=EXACT_ARITHMETIC)
    assert own.at == {"x": (pytest.approx(data.x.mean()),), "novice": (0.0, 1.0)}
    assert own.estimates[0].name == "arm choice"
    assert marginal_means(coded, ["arm", "novice"]).estimates[1].name == "arm choice, novice 1"


def test_means_can_be_compared_within_each_other(fits: dict[str, Fit]) -> None:
    means = marginal_means(fits["linear"], ["arm", "shift"], at={"x": 5.0})
    within = pairwise(means, "shift").table
    direct = pairwise(fits["linear"], "shift", by="arm", at={"x": 5.0}).table
    pd.testing.assert_frame_equal(within, direct)
    assert list(within["arm"]) == ["choice", "control", "mandate"]
    assert len(pairwise(means).estimates) == 15


def test_the_records_go_to_disk_and_back(fits: dict[str, Fit]) -> None:
    means = marginal_means(fits["linear"], "arm", by="shift")
    stored = load(dump(means), MarginalMeans)
    pd.testing.assert_frame_equal(stored.table, means.table)
    compared = pairwise(means)
    pd.testing.assert_frame_equal(load(dump(compared), Comparisons).table, compared.table)
    with pytest.raises(FitError, match="these means do not remember their fit"):
        pairwise(stored)


def test_a_fit_without_rows_or_verdict_has_no_means(fits: dict[str, Fit]) -> None:
    with pytest.raises(FitError, match="this fit does not remember its rows"):
        marginal_means(load(dump(fits["linear"]), Fit), "arm")
    failed = dataclasses.replace(fits["linear"], certificate=Certificate("failed", "No."))
    with pytest.raises(FitError, match="this fit cannot be used"):
        marginal_means(failed, "arm")


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        ({"over": "amr"}, ["the fixed part has no column 'amr'. Did you mean 'arm'?"]),
        ({"over": "person"}, ["the fixed part has no column 'person'"]),
        ({"over": []}, ["no factor is named"]),
        ({"over": "arm", "by": "arm"}, ["'arm' is named twice"]),
        ({"over": "x"}, ["'x' is a covariate with many values", "at={'x': [...]}"]),
        (
            {"over": "arm", "at": {"shift": "noon", "x": float("inf"), "z": 1}},
            [
                "the fixed part has no column 'z'",
                "Found: noon. Allowed: day, night",
                "finite numbers",
            ],
        ),
        ({"over": "arm", "at": {"x": []}}, ["Found: nothing"]),
        ({"over": "arm", "level": 95}, ["no such level"]),
    ],
)
def test_means_that_cannot_be_taken(
    fits: dict[str, Fit], arguments: dict[str, object], sentences: list[str]
) -> None:
    with pytest.raises(DeclarationError) as caught:
        marginal_means(fits["linear"], **arguments)
    assert all(sentence in str(caught.value) for sentence in sentences)


def test_comparisons_that_cannot_be_made(fits: dict[str, Fit]) -> None:
    means = marginal_means(fits["linear"], "arm", by="shift")
    asked = [
        (lambda: pairwise(fits["linear"], "arm", adjust="tuckey"), "Did you mean 'tukey'?"),
        (lambda: pairwise(fits["linear"]), "no factor is named"),
        (lambda: pairwise(means, by="shift"), "means bring their own by and at"),
        (lambda: pairwise(means, "novice"), r"do not tell all of these apart"),
        (lambda: pairwise(fits["linear"], "x", at={"x": 3}), "a single mean has nothing"),
    ]
    for question, sentence in asked:
        with pytest.raises(DeclarationError) as caught:
            question()
        assert sentence in str(caught.value)


@pytest.mark.parametrize("case", R["contrasts"], ids=lambda case: case["expression"])
def test_a_contrast_has_the_degrees_of_freedom_of_lmertest_and_clubsandwich(
    fits: dict[str, Fit], case: dict
) -> None:
    for kind, key in (("satterthwaite", "satterthwaite"), ("kenward-roger", "kenward_roger")):
        own = contrast(fits[kind], case["expression"])
        assert own.df == pytest.approx(case[key]["df"], rel=FLAT_OPTIMUM)
        assert own.se == pytest.approx(case[key]["se"], rel=FLAT_OPTIMUM)
    trial = table("after_fit", "trial.csv")
    clustered = contrast(fit(FIXED, trial, covariance="CR2", cluster="person"), case["expression"])
    assert clustered.df == pytest.approx(case["cr2"]["df"], rel=JSON_DIGITS)
    assert clustered.se == pytest.approx(case["cr2"]["se"], rel=JSON_DIGITS)


@pytest.mark.parametrize("case", R["joint"], ids=lambda case: str(case["terms"]))
def test_joint_tests_are_those_of_lmertest_and_pbkrtest(fits: dict[str, Fit], case: dict) -> None:
    terms = [case["terms"]] if isinstance(case["terms"], str) else case["terms"]
    for kind, key in (("satterthwaite", "satterthwaite"), ("kenward-roger", "kenward_roger")):
        own = joint(fits[kind], terms)
        assert own.df1 == len(terms)
        for value, expected in (
            (own.statistic, case[key]["statistic"]),
            (own.df2, case[key]["df2"]),
            (own.p, case[key]["p"]),
        ):
            assert value == pytest.approx(expected, rel=FLAT_OPTIMUM)


def test_a_joint_test_of_one_term_is_its_t_squared(fits: dict[str, Fit]) -> None:
    for m in fits.values():
        test, single = joint(m, ["x"]), contrast(m, "x")
        assert test.statistic == pytest.approx(single.statistic**2, rel=OTHER_ALGORITHM)
        assert test.df2 == pytest.approx(single.df, rel=OTHER_ALGORITHM)
        assert test.p == pytest.approx(single.p_value, rel=OTHER_ALGORITHM)


def test_units_and_origins_change_no_test(fits: dict[str, Fit]) -> None:
    trial = table("after_fit", "trial.csv")
    moved = trial.assign(x=1e4 + 1e-3 * trial.x, y=50 + 1000 * trial.y)
    for kind in ("satterthwaite", "kenward-roger"):
        m = fit(MIXED, moved, df=kind)
        own, same = pairwise(m, "arm"), pairwise(fits[kind], "arm")
        np.testing.assert_allclose(own.p, same.p, rtol=FLAT_OPTIMUM)
        terms = ["arm[T.control]", "arm[T.mandate]"]
        assert joint(m, terms).p == pytest.approx(joint(fits[kind], terms).p, rel=FLAT_OPTIMUM)
