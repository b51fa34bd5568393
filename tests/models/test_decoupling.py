"""Decoupling: slopes and correlations free of error, and what is not taken for decoupling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import DeclarationError
from alc_stats.estimators.estimate import Estimate
from alc_stats.models import Evidence, Finding, decoupling
from alc_stats.models.decoupling.comparison import z_apart
from alc_stats.models.finding import Line
from alc_stats.models.gap.data import GapQuestion, gap_data
from alc_stats.models.widening.coupling import Moments, coupling_sums, jackknifed
from tolerances import EXACT_ARITHMETIC

COLUMNS: dict[str, Any] = {
    "awareness": "aware",
    "capability": "skill",
    "treatment": "mandate",
    "person": "person",
    "firm": "firm",
    "wave": "wave",
}
RUNS = 200
FOUR_SE = 4.0


def people(
    seed: int,
    *,
    r: tuple[float, float] = (0.6, 0.6),
    firms: int = 30,
    persons: int = 20,
    waves: int = 3,
    noise: tuple[float, float] = (0.7, 0.7),
    shared: float = 0.0,
    range_of_awareness: float = 1.0,
) -> pd.DataFrame:
    """True scores that correlate by r (control, mandate), measured with error on every wave.

    The mandate scales true awareness by `range_of_awareness`, its part in capability as well.
    """
    rng = np.random.default_rng(seed)
    firm = np.repeat(np.arange(firms), persons)
    mandate = firm % 2
    own = np.array(r)[mandate]
    scale = np.where(mandate == 1, range_of_awareness, 1.0)
    a = scale * rng.normal(size=firm.size)
    c = own * a + np.sqrt(1 - own**2) * rng.normal(size=firm.size)
    level = rng.normal(size=(2, firms))[:, firm]
    parts = []
    for wave in range(waves):
        occasion = shared * rng.normal(size=firm.size)
        error = np.array(noise)[mandate] * rng.normal(size=(2, firm.size)) + occasion
        parts.append(
            pd.DataFrame(
                {
                    "firm": firm,
                    "person": np.arange(firm.size),
                    "mandate": mandate,
                    "wave": wave,
                    "aware": a + level[0] + error[0],
                    "skill": c + level[1] + error[1] + 0.2 * wave,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def asked(data: pd.DataFrame, **how: Any) -> Finding:
    return decoupling(data, **(COLUMNS | how))


def lined(finding: Finding, method: str) -> Line:
    return next(line for line in finding.triangulation if line.method == method)


def evidence(finding: Finding, artefact: str) -> Evidence:
    return next(e for e in finding.evidence if e.artefact == artefact)


def near(line: Line, truth: float) -> bool:
    assert line.value is not None
    assert line.low is not None
    assert line.high is not None
    assert line.df is not None
    se = (line.high - line.low) / 2.0 / stats.t.ppf(0.975, line.df)
    return bool(abs(line.value - truth) < FOUR_SE * se)


# -- recovery ------------------------------------------------------------------------------------


def test_true_correlations_are_recovered_through_error_firms_and_shared_occasions() -> None:
    finding = asked(people(1, r=(0.7, 0.2), shared=0.6, firms=60))
    assert near(lined(finding, "Correlation, control"), 0.7)
    assert near(lined(finding, "Correlation, treated"), 0.2)
    assert near(lined(finding, "Slope of capability on awareness"), -0.5)
    assert finding.decision.verdict == "supported"


def test_items_and_declared_reliabilities_lead_to_the_same_correlation() -> None:
    data = people(2, waves=1, noise=(0.0, 0.0), r=(0.7, 0.2), firms=60)
    rng = np.random.default_rng(3)
    error = rng.normal(size=(len(data), 4))
    data = data.assign(**{f"i{k}": data["aware"] + error[:, k] for k in range(4)})
    data["aware"] = data[[f"i{k}" for k in range(4)]].mean(axis=1)
    by_items = asked(data, awareness_items=[f"i{k}" for k in range(4)], capability_reliability=1.0)
    declared = asked(data, awareness_reliability=0.8, capability_reliability=1.0)
    for finding in (by_items, declared):
        assert near(lined(finding, "Correlation, control"), 0.7)
        assert near(lined(finding, "Correlation, treated"), 0.2)
    assert "omega" not in evidence(declared, "error of measurement").finding.template
    assert evidence(by_items, "error of measurement").outcome == "clear"


def test_sums_are_what_loops_over_persons_give() -> None:
    """An independent twin: every pair of different occasions of every person, one by one."""
    data = people(4, firms=6, persons=5)
    read = gap_data(data, GapQuestion(**COLUMNS))
    moments = coupling_sums(read, 0.0, (None, None), "occasions").moments()
    rows = read.rows.copy()
    for column in ("awareness", "capability"):
        rows[column] -= rows.groupby(["firm", "wave"])[column].transform("mean")
    for group in (0, 1):
        products: list[list[float]] = []
        for _, own in rows[rows["treated"] == group].groupby("person"):
            a, c = own["awareness"].tolist(), own["capability"].tolist()
            pairs = [(s, t) for s in range(3) for t in range(3) if s != t]
            products.append([
                float(np.mean([x[s] * y[t] for s, t in pairs])) for x, y in ((a, a), (c, c), (a, c))
            ])  # fmt: skip
        aa, cc, ac = np.mean(products, axis=0)
        assert moments.r[group, 0] == pytest.approx(ac / np.sqrt(aa * cc), rel=EXACT_ARITHMETIC)


def test_leaving_out_one_firm_after_another_is_done_by_sums() -> None:
    data = people(5, firms=8, persons=6)
    read = gap_data(data, GapQuestion(**COLUMNS))
    sums = coupling_sums(read, 0.0, (None, None), "occasions")
    found = jackknifed(sums, z_apart, "z", "z")
    by_hand = {
        firm: z_apart(
            coupling_sums(
                gap_data(data[data["firm"] != firm], GapQuestion(**COLUMNS)),
                0.0, (None, None), "occasions",
            ).moments()
        )[0]
        for firm in range(8)
    }  # fmt: skip
    parts = [np.array([z for f, z in by_hand.items() if f % 2 == g]) for g in (0, 1)]
    variance = sum(3 / 4 * np.sum((p - p.mean()) ** 2) for p in parts)
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-9)


# -- what is no decoupling -----------------------------------------------------------------------


def test_more_error_under_treatment_is_no_decoupling() -> None:
    """Observed correlations fall from 0.55 to 0.24; nothing decouples."""
    finding = asked(people(6, noise=(0.3, 1.2), firms=60))
    observed = lined(finding, "Correlation as measured, Fisher's z")
    assert observed.p is not None
    assert observed.p < 0.001
    assert finding.decision.verdict not in ("supported", "contradicted")
    assert near(lined(finding, "Slope of capability on awareness"), 0.0)


def test_people_drawn_together_in_awareness_are_no_decoupling() -> None:
    """Half the range of awareness: the correlation falls, and what awareness is worth does not."""
    finding = asked(people(7, range_of_awareness=0.4, firms=60, noise=(0.3, 0.3)))
    z = lined(finding, "Correlation, Fisher's z")
    assert z.p is not None
    assert z.p < 0.001
    assert near(lined(finding, "Slope of capability on awareness"), 0.0)
    assert near(lined(finding, "True-score SD of awareness"), float(np.log(0.4)))
    assert finding.decision.verdict not in ("supported", "contradicted")


def test_a_correlation_beyond_one_is_a_failure_and_is_not_cut_off() -> None:
    data = people(8, waves=1, r=(0.9, 0.9), noise=(0.1, 0.1))
    finding = asked(data, awareness_reliability=0.6, capability_reliability=0.6)
    assert finding.decision.verdict == "not tested"
    told = finding.decision.reason.template
    assert "corrected correlation in the control group lies beyond 1" in told
    assert "model of measurement error fails" in told


def test_without_reliability_nothing_is_tested_unless_it_is_said_to_be_uncorrected() -> None:
    data = people(9, waves=1)
    refused = asked(data)
    assert refused.decision.verdict == "not tested"
    assert "cannot be told from weak coupling" in refused.decision.reason.template
    finding = asked(data, uncorrected=True)
    assert finding.decision.verdict != "not tested"
    assert "not corrected" in finding.observed.template
    assert evidence(finding, "error of measurement").outcome == "not tested"


def test_changes_of_persons_are_compared_as_well_and_one_occasion_after_is_none_to_compare() -> (
    None
):
    """Changes that go together under the mandate alone: 0.5 among the treated, 0 elsewhere."""
    rng = np.random.default_rng(13)
    before = people(13, waves=1, firms=60)
    moved = rng.normal(size=(3, len(before)))
    half = np.sqrt(0.5) * (before["mandate"] == 1)
    both = [np.sqrt(1 - half**2) * own + half * moved[2] for own in moved[:2]]
    after = before.assign(wave=1, aware=before["aware"] + both[0], skill=before["skill"] + both[1])
    data = pd.concat([before.assign(post=0), after.assign(post=1)], ignore_index=True)
    told = asked(data, post="post").decision.reason.template
    assert "one occasion a person" in told
    finding = asked(data, post="post", uncorrected=True)
    assert near(lined(finding, "Changes of persons, as measured, Fisher's z"), np.arctanh(0.5))


def test_groups_that_differed_before_are_a_threat() -> None:
    before, after = people(10, r=(0.8, 0.1), firms=60), people(10, r=(0.8, 0.1), firms=60)
    data = pd.concat([before.assign(post=0), after.assign(post=1, wave=after["wave"] + 3)])
    finding = asked(data.reset_index(drop=True), post="post")
    assert evidence(finding, "differences before the start").outcome == "threat"
    assert finding.decision.verdict == "inconclusive"


def test_few_firms_on_a_side_are_a_threat() -> None:
    assert evidence(asked(people(11, firms=8)), "few clusters").outcome == "threat"
    assert evidence(asked(people(11, firms=14)), "few clusters").outcome == "clear"


@pytest.mark.parametrize("value", [0.0, 1.2])
def test_a_reliability_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(DeclarationError, match="not above 0 and at most 1"):
        asked(people(12), awareness_reliability=value)


# -- error rates ---------------------------------------------------------------------------------


def test_equal_coupling_is_rejected_as_often_as_alpha_says() -> None:
    rejected = 0
    for seed in range(RUNS):
        read = gap_data(people(1000 + seed, firms=14, persons=15), GapQuestion(**COLUMNS))
        sums = coupling_sums(read, 0.0, (None, None), "occasions")
        rejected += slope(sums).p_value < 0.05
    assert rejected <= stats.binom.ppf(0.999, RUNS, 0.05)
    assert rejected >= stats.binom.ppf(0.001, RUNS, 0.05)


def slope(sums: Any) -> Estimate:
    def apart(moments: Moments) -> np.ndarray:
        return np.asarray(moments.slope[1] - moments.slope[0])

    return jackknifed(sums, apart, "slope", "")
