"""A gap: recovered where it is, not claimed where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from alc_stats.estimators import fit
from alc_stats.models import Evidence, Finding, gap
from alc_stats.models.finding import Line
from alc_stats.models.gap_data import GapQuestion, gap_data
from alc_stats.models.gap_model import PAIR, of, stacked
from tolerances import FLAT_OPTIMUM

COLUMNS: dict[str, Any] = {
    "awareness": "aware",
    "capability": "skill",
    "usage": "use",
    "treatment": "mandate",
    "person": "person",
    "firm": "firm",
    "post": "post",
    "wave": "wave",
}
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


# -- what is refused -----------------------------------------------------------------------------


def test_a_treatment_that_never_varies_is_refused() -> None:
    finding = asked(panel(5).assign(mandate=1))
    assert finding.decision.verdict == "not tested"
