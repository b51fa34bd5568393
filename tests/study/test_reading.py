"""Every mistake in a declaration is found at once, in words, before any data are read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from alc_stats.errors import DeclarationError
from alc_stats.study import read_study
from study.conftest import edit

ROOT = Path(__file__).parents[2]
COMMITTED = sorted(folder.parent.name for folder in ROOT.glob("analysis/*/study.toml"))


def test_a_right_study_is_read(small: Path) -> None:
    study = read_study(small)
    assert study.study.id == "small"
    assert [m.id for m in study.models] == ["effect"]
    assert study.models[0].df == ""


def test_the_toml_file_itself_may_be_named(small: Path) -> None:
    assert read_study(small / "study.toml").study.id == "small"


@pytest.mark.parametrize("name", COMMITTED)
def test_the_committed_studies_are_right(name: str) -> None:
    assert read_study(ROOT / "analysis" / name).study.id == name


MISTAKES = {
    "key": ('label = "Effect"', 'lable = "Effect"', "unknown key 'lable'. Did you mean 'label'?"),
    "missing key": ('statement = "It matters."', "", "the key 'statement' is missing"),
    "type": (
        "smallest_effect = 1.0",
        'smallest_effect = "large"',
        "found 'large', must be a number",
    ),
    "rule": ('rule = "superiority"', 'rule = "better"', "found 'better'. Allowed: \"superiority\""),
    "model": (
        'model = "effect"\nof = "treated"\nrule',
        'model = "efect"\nof = "treated"\nrule',
        "unknown model 'efect'. Did you mean 'effect'?",
    ),
    "column": ("score ~ treated + age", "score ~ treated + agee", "'agee'. Did you mean 'age'?"),
    "cluster": ('cluster = "team"', 'cluster = "teem"', "'teem'. Did you mean 'team'?"),
    "formula": ("score ~ treated + age", "score ~ __import__('os')", "__import__"),
    "effect size": (
        "smallest_effect = 1.0",
        "smallest_effect = 0.0",
        "a smallest effect of interest must be declared",
    ),
    "table": (
        '[table1]\ntable = "people"',
        '[table1]\ntable = "peeple"',
        "unknown table 'peeple'. Did you mean 'people'?",
    ),
    "exhibit": (
        'contrasts = ["effect"]',
        'contrasts = ["effects"]',
        "unknown contrast 'effects'. Did you mean 'effect'?",
    ),
    "unsafe id": ('id = "effect"\nkind', 'id = "../effect"\nkind', "'../effect' cannot be an id"),
    "alpha": (
        "smallest_effect = 1.0",
        "smallest_effect = 1.0\nalpha = 0.45",
        "alpha is not a level",
    ),
    "id": ('id = "small"', 'id = "smal"', "the id 'smal' is not the folder's name"),
}

_RULE = 'model = "effect"\nof = "treated"\nrule = "superiority"\nsmallest_effect = 1.0'
_SPREAD = (
    'rule = "superiority"\nsmallest_effect = 0.1116\ntable = "people"\nwidening = {{ '
    'outcome = "{0}", treatment = "treated"{1} }}'
)
MISTAKES |= {
    "spread column": (_RULE, _SPREAD.format("skore", ', firm = "team"'), "Did you mean 'score'?"),
    "spread without units": (_RULE, _SPREAD.format("score", ""), "name firm, person, or both"),
    "spread of one arm": (
        _RULE,
        _SPREAD.format("score", ', firm = "team", control = "0"'),
        "treated and control are named together",
    ),
    "spread band": (
        _RULE,
        "band = 0.2\n" + _SPREAD.format("score", ', firm = "team"'),
        "band, that of no difference, does not lie within the smallest effect",
    ),
    "spread rule": (
        _RULE,
        _SPREAD.format("score", ', firm = "team"').replace("superiority", "non_superiority"),
        'a widening is decided by rule = "superiority"',
    ),
    "spread figure": (
        'kind = "forest"',
        'kind = "fan"\nhypothesis = "H2"',
        "unknown widening 'H2'",
    ),
}

_MODEL = 'formula = "score ~ treated + age"\ncovariance = "cluster"\ncluster = "team"'
_MIXED = 'formula = "score ~ treated + age + (1 | team)"\n'
MISTAKES |= {
    "spread of rows": (_MODEL, f'{_MIXED}scale = "~ treeted"', "Did you mean 'treated'?"),
    "spread between": (
        _MODEL,
        f'{_MIXED}between = "~ treated + (1 | team)"',
        "the log SD between persons has no random terms",
    ),
    "two-sided spread": (_MODEL, f'{_MIXED}scale = "score ~ age"', "scale is a one-sided formula"),
    "restricted random spread": (
        _MODEL,
        f'{_MIXED}scale = "~ treated + (1 | team)"\nmethod = "REML"',
        "takes no method 'REML': a random scale effect has no exact restricted likelihood",
    ),
    "spread of a panel": (
        _MODEL,
        'formula = "score ~ treated"\nentity = "team"\ntime = "age"\nscale = "~ treated"',
        "a panel model has no scale, between, family or bounds",
    ),
    "bounds of a normal outcome": (
        _MODEL,
        f"{_MIXED}bounds = [0, 100]",
        "the family 'gaussian' has no bounds",
    ),
    "bounds in no order": (
        _MODEL,
        f'{_MIXED}family = "censored"\nbounds = [100, 0]',
        "the bounds are not in order",
    ),
    "spread of a yes or no": (
        _MODEL,
        f'{_MIXED}family = "binomial"\nscale = "~ treated"',
        "the variance of a yes or no follows from its probability",
    ),
    "restricted likelihood of a yes or no": (
        _MODEL,
        f'{_MIXED}family = "binomial"\nmethod = "REML"',
        "a logistic model takes no method 'REML'",
    ),
    "difference score": (
        _MODEL,
        'formula = "I(score - age) ~ treated"\n',
        "'score - age' is a difference score",
    ),
    "law of errors": (_MODEL, f'{_MIXED}family = "tobit"', "found 'tobit'. Allowed: \"gaussian\""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_words(small: Path, mistake: str) -> None:
    old, new, told = MISTAKES[mistake]
    edit(small, old, new)
    with pytest.raises(DeclarationError) as caught:
        read_study(small)
    assert told in str(caught.value)


def test_mistakes_are_told_together(small: Path) -> None:
    for mistake in ("column", "cluster", "effect size", "exhibit"):
        edit(small, *MISTAKES[mistake][:2])
    with pytest.raises(DeclarationError) as caught:
        read_study(small)
    assert len(caught.value.problems) == 4


def test_mistakes_are_found_without_data(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALC_STATS_DATA", str(small / "nowhere"))
    edit(small, *MISTAKES["model"][:2])
    with pytest.raises(DeclarationError, match="unknown model"):
        read_study(small)


def test_not_toml(small: Path) -> None:
    (small / "study.toml").write_text("[study\n")
    with pytest.raises(DeclarationError, match="is not valid TOML"):
        read_study(small)


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="no study is declared here"):
        read_study(tmp_path)


def test_a_mirror_states_only_its_difference(small: Path) -> None:
    mirror = small.parent / "mirror"
    mirror.mkdir()
    (mirror / "study.toml").write_text(
        'extends = "../small"\n[study]\nid = "mirror"\ntitle = "T"\nquestion = "Q"\n'
    )
    study, base = read_study(mirror), read_study(small)
    assert study.study.id == "mirror"
    assert study.models == base.models
    assert study.beside("prepare.py") is not None
    assert dataclasses.replace(study, study=base.study, folders=base.folders) == base


def test_a_difference_score_that_is_allowed_is_read(small: Path) -> None:
    edit(small, _MODEL, 'formula = "I(score - age) ~ treated"\nallow_difference_score = true\n')
    assert read_study(small).models[0].allow_difference_score
