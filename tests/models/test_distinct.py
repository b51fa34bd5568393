"""Discriminant validity where the truth is known: distinct, the same, and impossible."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from alc_stats.errors import DeclarationError
from alc_stats.inference import Criterion
from alc_stats.measures import disattenuated
from alc_stats.models import NamedScale, distinct
from alc_stats.report.finding_summary import summary

SCALES = [
    NamedScale(label=name, items=tuple(f"{name}{i}" for i in range(4)), range=(-30, 30))
    for name in ("tech", "eval", "create")
]


def answers(correlation: float, *, shared: float = 0.0, seed: int = 1) -> pd.DataFrame:
    """500 people, three traits of one correlation; `shared` errors go together across scales."""
    rng = np.random.default_rng(seed)
    common = np.sqrt(correlation) * rng.normal(size=500)
    errors = rng.normal(size=(500, 4))
    columns = {}
    for scale in SCALES:
        trait = common + np.sqrt(1 - correlation) * rng.normal(size=500)
        own = shared * errors + np.sqrt(1 - shared**2) * rng.normal(size=(500, 4))
        columns |= {item: trait + own[:, i] for i, item in enumerate(scale.items)}
    return pd.DataFrame(columns).assign(firm=np.arange(500) // 20)


def test_scales_of_different_traits_are_distinct() -> None:
    found = distinct(answers(0.6), scales=SCALES, cluster="firm")
    assert found.decision.verdict == "supported"
    assert [line.method for line in found.triangulation] == [
        "tech and eval", "tech and create", "eval and create"
    ]  # fmt: skip
    one, other = (scale.measure for scale in SCALES[:2])
    alone = disattenuated(answers(0.6), one, other, cluster="firm")
    first = found.triangulation[0]
    assert (first.value, first.df) == (alone.value, 24.0)
    assert found.p is not None
    assert found.p == max(line.p for line in found.triangulation)
    assert "Corrected for unreliability, 3 scales of 500 people" in summary(found)


def test_one_trait_under_three_names_is_not() -> None:
    found = distinct(answers(0.97), scales=SCALES)
    assert found.decision.verdict in ("contradicted", "inconclusive")
    assert max(line.value for line in found.triangulation) > 0.9


def test_errors_in_common_are_a_threat_not_a_verdict() -> None:
    found = distinct(answers(0.95, shared=0.8), scales=SCALES)
    assert found.decision.verdict == "inconclusive"
    assert [e.outcome for e in found.evidence] == ["threat", "not tested"]


def test_groups_that_differ_make_scales_look_alike() -> None:
    data = answers(0.5)
    for scale in SCALES:
        data[list(scale.items)] += 3.0 * (data["firm"].to_numpy()[:, None] % 2)
    mixed = distinct(data, scales=SCALES)
    within = distinct(data, scales=SCALES, within="firm")
    assert min(line.value for line in mixed.triangulation) > 0.8
    assert max(line.value for line in within.triangulation) < 0.7
    assert within.decision.verdict == "supported"


def test_the_rate_of_false_support_at_the_ceiling_holds() -> None:
    two = SCALES[:2]
    supported = [
        distinct(answers(0.90, seed=s), scales=two, criterion=Criterion("conjunction", 1.0))
        .decision.verdict == "supported" for s in range(150)
    ]  # fmt: skip
    assert sum(supported) / 150 < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 150)


def test_what_cannot_be_told_apart_says_why() -> None:
    with pytest.raises(DeclarationError) as caught:
        distinct(answers(0.5), scales=SCALES[:1], ceiling=1.0)
    assert "two scales or more" in str(caught.value)
    assert "not between 0 and 1" in str(caught.value)
    with pytest.raises(DeclarationError, match="a label of its own"):
        distinct(answers(0.5), scales=[SCALES[0], SCALES[0]])


def test_a_scale_without_a_factor_leaves_the_other_pairs() -> None:
    rng = np.random.default_rng(4)
    noise = {f"tech{i}": rng.normal(size=500) for i in range(4)}
    noise["tech1"] = 0.9 * noise["tech0"] + 0.1 * noise["tech1"]
    found = distinct(answers(0.5).assign(**noise), scales=SCALES)
    untested = [line.method for line in found.triangulation if line.value is None]
    assert untested == ["tech and eval", "tech and create"]
    assert found.triangulation[2].value is not None
    assert found.decision.verdict == "not tested"
    assert "the one-factor model is improper" in summary(found)
