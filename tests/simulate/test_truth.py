"""What a truth implies, against closed forms."""

from __future__ import annotations

import dataclasses
import math

import pytest

from alc_stats.simulate.truth import Construct, Design
from simulate.studies import STUDIES, truth_of
from tolerances import EXACT_ARITHMETIC


def parallel(items: int, *, error: float) -> Construct:
    return Construct(
        mean=4.0,
        person_sd=0.6,
        firm_sd=0.0,
        within_sd=0.8,
        loadings=(3.0,) * items,
        item_error_sd=error,
    )


def test_alpha_of_parallel_items_is_spearman_brown() -> None:
    construct = parallel(5, error=0.7)
    true, error = 0.6**2 + 0.8**2, 0.7**2 + 1 / 12
    one_item = true / (true + error)
    assert construct.alpha == pytest.approx(5 * one_item / (1 + 4 * one_item), abs=EXACT_ARITHMETIC)


def test_alpha_of_unequal_items_is_below_their_reliability() -> None:
    equal = parallel(2, error=0.7)
    unequal = dataclasses.replace(equal, loadings=(1.0, 3.0))
    # loadings 0.5 and 1.5 of the mean: covariance 0.75, twice in the sum's variance
    true, error = 1.0, 0.7**2 + 1 / 12
    assert unequal.alpha == pytest.approx(
        2 * 2 * 0.75 * true / (4 * true + 2 * error), abs=EXACT_ARITHMETIC
    )
    assert unequal.alpha < equal.alpha


def test_error_of_a_scale_is_that_of_its_items_over_their_number() -> None:
    sd = math.sqrt(1.0 + (0.7**2 + 1 / 12) / 4)
    assert parallel(4, error=0.7).baseline_scale_sd == pytest.approx(sd, abs=EXACT_ARITHMETIC)


@pytest.mark.parametrize("study", STUDIES)
def test_effects_average_one_over_the_waves_after_the_start(study: str) -> None:
    profile = truth_of(study).design.profile
    assert profile[0] == 0.0
    assert sum(profile[1:]) / len(profile[1:]) == pytest.approx(1.0, abs=EXACT_ARITHMETIC)


def test_a_profile_is_rescaled() -> None:
    design = dataclasses.replace(truth_of("reference").design, effect_profile=(0.0, 1.0, 3.0))
    assert isinstance(design, Design)
    assert design.profile == (0.0, 0.5, 1.5)


@pytest.mark.parametrize("study", STUDIES)
def test_smallest_effects_of_the_studies_are_a_fifth_of_the_baseline_sd(study: str) -> None:
    truth = truth_of(study)
    declared = {"awareness": 0.13, "folk": 0.14}  # analysis/reference/study.toml
    for name, smallest in declared.items():
        assert round(0.20 * getattr(truth, name).baseline_scale_sd, 2) == smallest
    for name in ("capability_familiar", "capability_near", "capability_far"):
        assert round(0.20 * getattr(truth, name).baseline_sd, 2) == 2.0


def test_the_mirror_differs_in_what_the_theory_is_about_only() -> None:
    theory, mirror = (dataclasses.asdict(truth_of(study)) for study in STUDIES)
    differing = {
        f"{group}.{name}"
        for group in theory
        for name in theory[group]
        if theory[group][name] != mirror[group][name]
    }
    allowed = {"mandate", "training", "between_log_sd_ratio", "slope_mandate"}
    assert {name.split(".")[1] for name in differing} <= allowed
    assert not {name for name in differing if name.startswith("log_tokens.")}


def test_in_the_mirror_capability_rises_as_much_as_awareness() -> None:
    truth = truth_of("reference_mirror")
    awareness = truth.awareness.mandate / truth.awareness.baseline_scale_sd
    for outcome in (truth.capability_familiar, truth.capability_near, truth.capability_far):
        assert round(outcome.mandate / outcome.baseline_sd, 2) == round(awareness, 2)
        assert outcome.between_log_sd_ratio == 0.0
        assert outcome.training == 0.0
