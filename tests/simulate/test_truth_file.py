"""Reading truth files: what they give, and every mistake named at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from alc_stats.errors import DeclarationError
from alc_stats.simulate import Parameter, parameters, read_truth
from simulate.studies import STUDIES, truth_file


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """A copy of the reference truth with lines replaced; each must occur exactly once."""
    text = truth_file("reference").read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = folder / "truth.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(DeclarationError) as raised:
        read_truth(path)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize("study", STUDIES)
def test_every_parameter_of_the_file_is_in_the_record(study: str) -> None:
    truth = read_truth(truth_file(study))
    for name, parameter in parameters(truth_file(study)).items():
        group, field = name.split(".")
        assert getattr(getattr(truth, group), field) == parameter.value


def test_a_parameter_says_its_unit_and_meaning() -> None:
    named = parameters(truth_file("reference"))
    assert named["awareness.mandate"] == Parameter(
        0.35, "points (1-7)", "Mandates raise awareness, by half a standard deviation."
    )
    assert named["usage.tasks"].value == 600.0
    assert named["design.first_day"].value == dt.date(2025, 1, 6)
    assert named["design.effect_profile"].value == (0.0, 0.7, 1.0, 1.3)


def test_a_parameter_that_is_not_named_is_zero() -> None:
    assert read_truth(truth_file("reference")).topography.firm_change_sd == 0.0


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("firms_per_arm = { value = 10,", "firms_per_arm = { value = 10.5,"),
        ("nonresponse_share = { value = 0.05,", "nonresponse_share = { value = 1.5,"),
        (
            "[awareness]\nmean",
            "[awareness]\nmandat = { value = 1, unit = 'x', meaning = 'y' }\nmean",
        ),
        ('near = { value = -4.0, unit = "points (0-100)",', 'near = { value = -4.0, unit = " ",'),
        ("slope_mandate = {", "slope_mandat = {"),
    )
    assert problems(path) == [
        "truth.toml, design.firms_per_arm: 10.5 is not a whole number.",
        "truth.toml, quality.slope_mandate: the parameter 'slope_mandate' is missing.",
        "truth.toml, awareness: unknown parameter 'mandat'. Did you mean 'mandate'?",
        "truth.toml, quality: unknown parameter 'slope_mandat'. Did you mean 'slope_mandate'?",
        "truth.toml, design.nonresponse_share: is impossible. Found: 1.5. Allowed: 0 to 1.",
        "truth.toml, quality.near: 'unit' is empty. A truth that nobody can read is not committed.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "first_day = { day = 2025-01-06,",
            "first_day = { day = 2025-01-06T08:00:00,",
            (
                "design.first_day: "
                "datetime.datetime(2025, 1, 6, 8, 0) is not a day such as 2025-01-06."
            ),
        ),
        (
            'firms_per_arm = { value = 10, unit = "firms",',
            "firms_per_arm = { value = 10,",
            'design.firms_per_arm: must be { value = ..., unit = "...", meaning = "..." }.',
        ),
        (
            "loadings = { values = [1.1, 1.0, 0.9, 1.2, 0.8, 1.0]",
            "loadings = { values = []",
            "awareness.loadings: [] is not a list of numbers.",
        ),
        (
            "loadings = { values = [1.1, 1.0, 0.9, 1.2, 0.8, 1.0]",
            "loadings = { values = [1.1, -1.0]",
            "awareness.loadings: is impossible. Found: -1.0. Allowed: above 0.",
        ),
        (
            "effect_profile = { values = [0.0, 0.7, 1.0, 1.3]",
            "effect_profile = { values = [0.1, 0.7]",
            (
                "design.effect_profile: has no first wave without an effect and later waves with "
                "one. Found: [0.1, 0.7]. Allowed: a list such as [0, 0.7, 1.0, 1.3]."
            ),
        ),
        (
            "quota = { value = 60000.0,",
            "quota = { value = nan,",
            "usage.quota: nan is not a number.",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert problems(changed(tmp_path, (old, new))) == [f"truth.toml, {problem}"]


def test_a_missing_group_is_named(tmp_path: Path) -> None:
    text = truth_file("reference").read_text(encoding="utf-8")
    path = tmp_path / "truth.toml"
    path.write_text(text[: text.index("[quality]")], encoding="utf-8")
    assert problems(path) == ["truth.toml, quality: the parameter 'quality' is missing."]


def test_an_unknown_group_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, ("[quality]", "[qualty]"))
    assert problems(path) == [
        "truth.toml, quality: the parameter 'quality' is missing.",
        "truth.toml: unknown group 'qualty'. Did you mean 'quality'?",
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "truth.toml")
    assert problem == (
        f"{tmp_path}/truth.toml: the truth file does not exist. "
        "Correct `truth` in the study's [simulation]."
    )


def test_broken_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "truth.toml"
    path.write_text("[design\n", encoding="utf-8")
    (problem,) = problems(path)
    assert problem.startswith(f"{path}: is not valid TOML. Found: ")


def test_a_cause_cannot_move_more_than_there_is(tmp_path: Path) -> None:
    path = changed(tmp_path, ("capability = { value = -0.50,", "capability = { value = -0.80,"))
    first, second = problems(path)
    assert "compliance moves capability by more than capability varies" in first
    assert "Found: 3.84" in first
    assert "Found: 0.6" in second
