"""From fits to findings: each hypothesis by its rule, families adjusted, conjunctions last.

Multiplicity: the members of the confirmatory family are the conjunctions and the hypotheses that
are in none. A conjunction enters with the largest p of its parts (intersection-union), so its
parts need no adjustment of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from alc_stats.errors import FitError, TableError
from alc_stats.estimators import Fit
from alc_stats.inference import conjoin, contrast, holm, not_tested
from alc_stats.models.finding import NOT_AFTER_ADJUSTMENT, Claim, Finding, decided, find
from alc_stats.records import Phrase
from alc_stats.study.declaration import HypothesisDeclared, Study
from alc_stats.study.questions import ask, criterion_of, question_of

Findings = dict[str, Finding]


def decide_all(
    study: Study,
    fits: Mapping[str, Fit],
    failures: Mapping[str, str],
    tables: Mapping[str, pd.DataFrame],
) -> tuple[Finding, ...]:
    """Every declared hypothesis as a finding, in declared order."""
    declared = {h.id: h for h in study.hypotheses}
    findings = {h.id: _single(h, fits, failures, tables) for h in declared.values() if not h.all_of}
    adjusted = _adjusted(study, findings)
    findings = {
        name: _adjust(declared[name], f, adjusted.get(name)) for name, f in findings.items()
    }
    findings |= {
        h.id: _conjunction(h, findings, _member_p(h, findings), adjusted.get(h.id))
        for h in declared.values()
        if h.all_of
    }
    return tuple(findings[name] for name in declared)


def _claim(h: HypothesisDeclared) -> Claim:
    return Claim(h.id, h.claim, h.statement, h.family)


def _single(
    h: HypothesisDeclared,
    fits: Mapping[str, Fit],
    failures: Mapping[str, str],
    tables: Mapping[str, pd.DataFrame],
) -> Finding:
    try:
        if question_of(h) is not None:
            return _in_declared_unit(h, ask(h, tables))
        return _contrast(h, fits, failures)
    except (FitError, TableError) as error:
        return _untested(h, str(error))


def _in_declared_unit(h: HypothesisDeclared, finding: Finding) -> Finding:
    """A model knows the outcome by its column; the study knows what it is measured in."""
    estimate = finding.estimate
    if estimate is None or not h.unit:
        return finding
    lines = tuple(
        replace(line, unit=h.unit) if line.unit == estimate.unit else line
        for line in finding.triangulation
    )
    return replace(finding, estimate=replace(estimate, unit=h.unit), triangulation=lines)


def _contrast(
    h: HypothesisDeclared, fits: Mapping[str, Fit], failures: Mapping[str, str]
) -> Finding:
    if h.model in failures:
        return _untested(h, failures[h.model])
    estimate = replace(contrast(fits[h.model], h.of), unit=h.unit)
    return find(_claim(h), estimate, criterion=criterion_of(h), rests_on=(h.model,))


def _untested(h: HypothesisDeclared, why: str) -> Finding:
    # braces in a message are not holes of the phrase
    reason = Phrase.verbatim(why)
    return Finding(
        h.id,
        h.claim,
        h.statement,
        h.family,
        None,
        h.smallest_effect,
        None,
        not_tested(h.rule, reason),
        rests_on=(h.model,) if h.model else (),
    )


def _adjusted(study: Study, findings: Findings) -> dict[str, float]:
    """Holm-adjusted p of the confirmatory family's members, by hypothesis id."""
    parts = {name for h in study.hypotheses for name in h.all_of}
    members = [h for h in study.hypotheses if h.family == "confirmatory" and h.id not in parts]
    p_values = {h.id: _member_p(h, findings) for h in members}
    # what could not be tested keeps its place in the family: a failure makes nothing easier
    adjusted = holm([1.0 if p is None else p for p in p_values.values()]) if p_values else ()
    pairs = zip(p_values.items(), adjusted, strict=True)
    return {name: float(p) for (name, own), p in pairs if own is not None}


def _member_p(h: HypothesisDeclared, findings: Findings) -> float | None:
    """The p a member of the family enters with; None where a part could not be tested."""
    parts = [findings[name] for name in (h.all_of or (h.id,))]
    p_values = [None if f.decision.verdict == "not tested" else f.p for f in parts]
    return None if None in p_values else max(p for p in p_values if p is not None)


def _adjust(h: HypothesisDeclared, finding: Finding, p_adjusted: float | None) -> Finding:
    return (
        finding if p_adjusted is None else decided(finding, criterion_of(h), p_adjusted=p_adjusted)
    )


def _conjunction(
    h: HypothesisDeclared, findings: Findings, p: float | None, p_adjusted: float | None
) -> Finding:
    decision = conjoin([findings[name].decision for name in h.all_of])
    if decision.verdict == "supported" and p_adjusted is not None and p_adjusted >= h.alpha:
        decision = replace(decision, verdict="inconclusive", reason=NOT_AFTER_ADJUSTMENT)
    return Finding(
        h.id,
        h.claim,
        h.statement,
        h.family,
        None,
        None,
        p_adjusted,
        decision,
        rests_on=h.all_of,
        p=p,
    )
