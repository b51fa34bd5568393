"""A study from its declaration to its result, and every way it can stop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from alc_stats.errors import ChangedSourceError, DeclarationError, OutputError, TableError
from alc_stats.estimators import fit
from alc_stats.records import dump, load
from alc_stats.study import Study, StudyResult, read_study, run_study, write_result
from alc_stats.study.gathering import Simulated
from study.conftest import edit, people
from tolerances import EXACT_ARITHMETIC, FLAT_OPTIMUM, LOGIT_LAST_STEP


def no_simulation(_: Study, __: Path) -> Simulated:
    raise AssertionError("a real study simulates nothing")


def run(folder: Path) -> StudyResult:
    return run_study(read_study(folder), simulate=no_simulation, derived=folder / "derived")


def test_the_whole_line(small: Path) -> None:
    result = run(small)
    data = people()
    X = np.column_stack([np.ones(len(data)), data["treated"], data["age"]])
    by_hand = np.linalg.lstsq(X, data["score"], rcond=None)[0]
    assert result.status == "run"
    np.testing.assert_allclose(result.fits["effect"].estimates, by_hand, rtol=EXACT_ARITHMETIC)
    assert result.numbers["effect.value"].value == pytest.approx(by_hand[1], rel=EXACT_ARITHMETIC)
    assert result.findings[0].decision.verdict == "supported"
    assert result.findings[0].p_adjusted == pytest.approx(
        result.findings[0].estimate.p_value, rel=EXACT_ARITHMETIC
    )
    assert [e.id for e in result.exhibits] == ["effect"]
    assert result.ledger[0].read == len(data)
    assert result.sources[0].file == "small/people.csv"


_EFFECT = 'formula = "score ~ treated + age"\ncovariance = "cluster"\ncluster = "team"'


def test_a_logistic_model_is_declared_and_quoted(small: Path) -> None:
    edit(small, _EFFECT, 'formula = "treated ~ age"\nfamily = "binomial"')
    edit(small, 'model = "effect"\nof = "treated"\n', 'model = "effect"\nof = "age"\n')
    edit(small, 'of = "age"\nrule', 'of = "age"\nunit = "log odds"\nrule')
    result = run(small)
    data = people()
    by_statsmodels = sm.Logit(data["treated"], sm.add_constant(data["age"])).fit(disp=False)
    estimate = result.findings[0].estimate
    assert estimate is not None
    assert estimate.value == pytest.approx(by_statsmodels.params["age"], rel=LOGIT_LAST_STEP)
    assert estimate.se == pytest.approx(by_statsmodels.bse["age"], rel=LOGIT_LAST_STEP)
    assert (estimate.unit, result.findings[0].decision.verdict) == ("log odds", "equivalent")
    again = load(dump(result), StudyResult)
    assert again.fits["effect"].request.family == "binomial"


def test_a_logistic_mixed_model_is_declared(small: Path) -> None:
    answers = 'frame["treated"] = (frame["person"] * 7 % 5 > 1).astype(int)'
    edit(small, "    ledger.start", f"    {answers}\n    ledger.start", "prepare.py")
    edit(small, _EFFECT, 'formula = "treated ~ age + (1 | team)"\nfamily = "binomial"')
    edit(small, 'model = "effect"\nof = "treated"\n', 'model = "effect"\nof = "age"\n')
    ours = run(small).fits["effect"]
    data = people().assign(treated=lambda t: (t["person"] * 7 % 5 > 1).astype(int))
    same = fit("treated ~ age + (1 | team)", data, family="binomial")
    np.testing.assert_array_equal(ours.estimates, same.estimates)
    assert ours.random == same.random
    assert ours.counts.groups == {"team": 12}


def test_a_separated_outcome_is_a_failure_in_words(small: Path) -> None:
    edit(small, _EFFECT, 'formula = "treated ~ team"\nfamily = "binomial"')
    edit(small, 'model = "effect"\nof = "treated"\n', 'model = "effect"\nof = "team[T.t1]"\n')
    result = run(small)
    assert "separate the two outcomes" in result.failures["effect"]
    assert "complete separation" in result.failures["effect"]
    assert result.findings[0].decision.verdict == "not tested"


def test_a_spread_is_declared_and_quoted(small: Path) -> None:
    """Each arm has a mean and an SD of its own: REML gives the two sample SDs (n - 1)."""
    effect = 'formula = "score ~ treated + age"\ncovariance = "cluster"\ncluster = "team"'
    edit(small, effect, 'formula = "score ~ treated"\nscale = "~ treated"')
    edit(
        small, 'model = "effect"\nof = "treated"\n\n', 'model = "effect"\nof = "log_sd.treated"\n\n'
    )
    numbers = run(small).numbers
    sd = people().groupby("treated")["score"].std()
    by_hand = {"Intercept": np.log(sd[0]), "treated": np.log(sd[1] / sd[0])}
    found = {name: numbers[f"effect.log_sd.{name}.estimate"].value for name in by_hand}
    assert found == pytest.approx(by_hand, abs=FLAT_OPTIMUM)
    assert numbers["effect.value"].value == found["treated"]
    assert numbers["effect.treated.estimate"].value == pytest.approx(
        people().groupby("treated")["score"].mean().diff()[1], abs=FLAT_OPTIMUM
    )


def test_persons_who_vary_differently_have_numbers_of_their_own(small: Path) -> None:
    """What the registry holds is what `fit` says, whose own tests have independent witnesses."""
    effect = 'formula = "score ~ treated + age"\ncovariance = "cluster"\ncluster = "team"'
    parts = {"scale": "~ treated + (1 | team)", "between": "~ treated"}
    formula = "score ~ treated + age + (1 | team)"
    lines = "".join(f'{key} = "{text}"\n' for key, text in parts.items())
    edit(small, effect, f'formula = "{formula}"\n{lines}')
    result, direct = run(small), fit(formula, people(), **parts)
    assert result.fits["effect"].request == direct.request
    numbers = {k: n.value for k, n in result.numbers.items() if k.startswith("effect.")}
    assert numbers["effect.loglik"] == direct.loglik
    for label, value in direct.params.items():
        assert numbers[f"effect.{label}.estimate"] == value
    assert numbers["effect.sd.team.log_sd"] == direct.statistics["scale_effect_log_sd"]


def test_the_result_survives_the_disk(small: Path, tmp_path: Path) -> None:
    result = run(small)
    path = write_result(result, tmp_path / "out")
    again = load(path.read_text(), StudyResult)
    assert again.numbers == result.numbers
    assert again.findings == result.findings
    np.testing.assert_array_equal(again.fits["effect"].vcov, result.fits["effect"].vcov)


def test_steps_are_announced_in_order(small: Path) -> None:
    steps: list[str] = []
    result = run_study(
        read_study(small), simulate=no_simulation, derived=small, announce=steps.append
    )
    assert steps == ["sources", "validate", "prepare", "measure", "fit", "decide", "exhibit"]
    assert list(result.seconds) == steps


def test_a_missing_source_is_not_run_and_says_how_to_get_it(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALC_STATS_DATA", str(small / "nowhere"))
    result = run(small)
    assert result.status == "not run"
    assert "people" in result.why_not
    assert str(small) not in dump(result)
    assert not result.fits


def test_changed_bytes_are_refused(small: Path) -> None:
    path = small.parent / "data" / "small" / "people.csv"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ChangedSourceError, match="not the declared file of source 'people'"):
        run(small)


def test_bad_data_stop_the_study_with_every_violation(small: Path) -> None:
    edit(small, '"maximum": 70', '"maximum": 40', "people.schema.json")
    edit(small, '"control"', '"contrl"', "people.schema.json")
    with pytest.raises(TableError) as caught:
        run(small)
    data = people()
    told = str(caught.value)
    # the first twenty of a rule are listed, the others counted
    assert f"column arm: {(data['arm'] == 'control').sum() - 20} more like these" in told
    assert f"column age: {(data['age'] > 40).sum() - 20} more like these" in told


def test_a_model_that_cannot_be_fitted_leaves_its_hypothesis_untested(small: Path) -> None:
    edit(small, "score ~ treated + age", "score ~ treated + age + I(2 * age)")
    result = run(small)
    finding = result.findings[0]
    assert "effect" in result.failures
    assert finding.decision.verdict == "not tested"
    assert not [name for name in result.numbers if name.startswith("effect.")]
    assert not result.exhibits


def test_prepare_must_return_every_table(small: Path) -> None:
    edit(small, '{"people": frame}', '{"persons": frame}', "prepare.py")
    with pytest.raises(DeclarationError, match="does not return every declared table"):
        run(small)


def expected(folder: Path, **row: object) -> None:
    number = {
        "id": "effect.value",
        "expected": 2.0,
        "tolerance": 0.5,
        "reason": "r",
        "source": "s",
    } | row
    (folder / "expected.json").write_text(json.dumps({"numbers": [number]}))


def test_expected_numbers_are_compared(small: Path) -> None:
    expected(small)
    assert run(small).checks[0].matches
    expected(small, expected=3.0)
    assert not run(small).checks[0].matches


def test_an_expected_number_that_is_none_of_the_study_is_an_error(small: Path) -> None:
    expected(small, id="efect.value")
    with pytest.raises(DeclarationError, match=r"Did you mean 'effect\.value'"):
        run(small)


def test_an_expected_number_of_a_failed_model_differs(small: Path) -> None:
    expected(small)
    edit(small, "score ~ treated + age", "score ~ treated + age + I(2 * age)")
    assert not run(small).checks[0].matches


def test_a_misspelt_expectation_is_an_error(small: Path) -> None:
    expected(small, tolerence=1)
    with pytest.raises(DeclarationError, match="unknown key 'tolerence'"):
        read_study(small)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[1]", "is not a JSON object"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"numbers": [{"id": "a", "expected": "2", "tolerance": 1, "reason": "", "source": ""}]}',
         "numbers[0].expected: found '2', must be a number"),
    ],
)  # fmt: skip
def test_a_corrupt_expectation_is_told_before_any_data_are_read(
    small: Path, content: bytes, told: str
) -> None:
    (small / "expected.json").write_bytes(content)
    with pytest.raises(DeclarationError) as caught:
        read_study(small)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def prepare(raw, ledger):\n    raise ValueError('no such wave')\n",
         "prepare.py raised ValueError (line 2 of prepare.py). Found: no such wave"),
        ("x = 1\n", "prepare.py has no function 'prepare'"),
        ("def prepare(raw, ledger):\n    return None\n", "prepare.py returns no tables by id"),
        ("def prepare(:\n", "prepare.py raised SyntaxError"),
    ],
)  # fmt: skip
def test_what_a_studys_own_code_does_wrong_is_a_sentence(small: Path, code: str, told: str) -> None:
    (small / "prepare.py").write_text(code)
    with pytest.raises(DeclarationError) as caught:
        run(small)
    assert told in str(caught.value)


def test_an_unwritable_folder_is_a_sentence(small: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write the file"):
        write_result(run(small), tmp_path / "file")


def test_the_guard_of_conjunctions(small: Path) -> None:
    study = (small / "study.toml").read_text()
    extra = """
[[hypotheses]]
id = "H2"
claim = "transfer"
statement = "Age lowers the score."
model = "effect"
of = "age"
rule = "superiority"
direction = "less"
smallest_effect = 0.01

[[hypotheses]]
id = "H3"
claim = "transfer"
statement = "Both."
rule = "conjunction"
all_of = ["H1", "H2"]
"""
    (small / "study.toml").write_text(study.replace("[[exhibits]]", extra + "\n[[exhibits]]"))
    verdicts = {f.id: f.decision.verdict for f in run(small).findings}
    assert verdicts == {"H1": "supported", "H2": "contradicted", "H3": "contradicted"}
