"""Unreasonable little data sets: an answer is the optimum, or there is a sentence instead.

Every case is checked against the dense twin: its likelihood at our variances, and what a search
from several starts finds. Thousands of cases run under ALC_EXTENDED=1 (see tests/README.md).
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from alc_stats.errors import FitError
from alc_stats.estimators import fit
from alc_stats.estimators.memory import memory_of, mixed_state
from estimators.dense_search import dense_model, relative_covariance
from estimators.fuzz import Case, case
from tolerances import DENSE_DEVIANCE, DENSE_ROUNDING

EXTENDED = os.environ.get("ALC_EXTENDED") == "1"
BATCH = 100
BATCHES = 20
MOST_UNSURE = 0.06
"""Share of these cases that may end without an optimum: most have a residual of nearly nothing."""


def verdict(own: Case) -> str:
    """What is wrong with how a case ended; "" for nothing, "unsure" for a certificate that says no.

    A refusal is a FitError of sentences; any other error is left to fail the test.
    """
    try:
        answer = fit(own.formula, own.data, method=own.method)  # type: ignore[arg-type]
    except FitError as refusal:
        return "" if all(problem.what for problem in refusal.problems) else "refused in silence"
    if not answer.certificate.usable:
        return "unsure" if answer.certificate.sentence else "unusable in silence"
    design, state = memory_of(answer).design, mixed_state(answer)
    twin, jacobian = dense_model(state, design.y, design.X, reml=own.method == "REML")
    V = relative_covariance(state, len(design.y))
    allowed = DENSE_DEVIANCE + DENSE_ROUNDING * len(V) * np.linalg.eigvalsh(V)[-1]
    reported = -2.0 * float(answer.loglik or np.nan)
    there, best = twin.value(V) + jacobian, twin.best() + jacobian
    if not abs(reported - there) < allowed:
        return f"reports {reported}, at its variances is {there}"
    if reported - best > allowed:
        return f"stopped at {reported}, there is {best}"
    return ""


def verdicts(seeds: range) -> tuple[dict[str, str], float]:
    """Failures by case, and the share that ended unsure."""
    found = {str(own): verdict(own) for own in map(case, seeds)}
    unsure = [name for name, said in found.items() if said == "unsure"]
    wrong = {name: said for name, said in found.items() if said not in ("", "unsure")}
    return wrong, len(unsure) / len(seeds)


def test_an_answer_is_the_optimum_or_a_sentence() -> None:
    wrong, _ = verdicts(range(100, 115))
    assert not wrong


@pytest.mark.skipif(not EXTENDED, reason="two thousand cases: set ALC_EXTENDED=1")
@pytest.mark.parametrize("batch", range(BATCHES))
def test_thousands_of_answers_are_the_optimum_or_a_sentence(batch: int) -> None:
    wrong, unsure = verdicts(range(batch * BATCH, (batch + 1) * BATCH))
    assert not wrong
    assert unsure <= MOST_UNSURE


def test_the_twin_knows_a_likelihood_by_hand() -> None:
    """Two groups of two rows, outcomes 0, 2, 4, 6: MSB = 16, MSW = 2, so REML's ratio is 3.5.

    -2 log-likelihood of the three contrasts: 2 of variance 2, 1 of variance 16.
    """
    from estimators.dense_search import Dense, Term

    codes = np.array([0, 0, 1, 1])
    twin = Dense(
        np.array([0.0, 2.0, 4.0, 6.0]), np.ones((4, 1)), (Term(np.ones((4, 1)), codes, True),), True
    )
    by_hand = 3.0 * np.log(2.0 * np.pi) + 2.0 * np.log(2.0) + np.log(16.0) + 3.0
    assert twin.at(np.array([np.sqrt(3.5)])) == pytest.approx(by_hand, abs=DENSE_DEVIANCE)
    assert twin.best() == pytest.approx(by_hand, abs=DENSE_DEVIANCE)
