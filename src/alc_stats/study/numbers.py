"""The number registry: every number a text may quote, under the id it is quoted by."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from alc_stats.data.ledger import LedgerRow
from alc_stats.estimators import Fit
from alc_stats.measures.describe import Descriptive
from alc_stats.measures.scales import Scale
from alc_stats.models.finding import Finding
from alc_stats.records import Kind, Number
from alc_stats.study.fitting import Quantity

Numbers = dict[str, Number]


def from_descriptives(rows: Iterable[Descriptive]) -> Numbers:
    """`table1.<variable>.<group>.{n,mean,sd,median}`; suppressed cells have no id."""
    numbers: Numbers = {}
    for row in rows:
        stem = f"table1.{row.variable}.{row.group}"
        cells: tuple[tuple[str, float | None, Kind], ...] = (
            ("n", row.n, "count"),
            ("mean", row.mean, "estimate"),
            ("sd", row.sd, "estimate"),
            ("median", row.median, "estimate"),
        )
        numbers.update(
            {
                f"{stem}.{name}": Number(value, kind, row.unit if kind != "count" else "")
                for name, value, kind in cells
                if value is not None
            }
        )
    return numbers


def from_fits(fits: Mapping[str, Fit]) -> Numbers:
    """`<model>.<term>.{estimate,se,low,high,p,df}` of every usable fit, and what belongs to all.

    Terms of a spread are called with their unit, `log_sd.week`. Further `<model>.n`, `.loglik`,
    `.groups.<grouping>`, `.sd.<grouping>.<term>` and `.correlation.<grouping>.<term>.<other>`.
    """
    numbers: Numbers = {}
    for model, fitted in fits.items():
        if fitted.certificate.usable:
            numbers.update(_of_fit(model, fitted))
    return numbers


def _of_fit(model: str, fitted: Fit) -> Numbers:
    limits = fitted.conf_int().to_numpy()
    columns: tuple[tuple[str, np.ndarray, Kind], ...] = (
        ("estimate", fitted.estimates, "estimate"),
        ("se", fitted.bse.to_numpy(), "se"),
        ("low", limits[:, 0], "estimate"),
        ("high", limits[:, 1], "estimate"),
        ("p", fitted.pvalues.to_numpy(), "p"),
        ("df", fitted.df, "df"),
    )
    numbers = {
        f"{model}.{term}.{name}": Number(float(values[i]), kind)
        for i, term in enumerate(fitted.labels)
        for name, values, kind in columns
    }
    numbers[f"{model}.n"] = Number(fitted.counts.used, "count")
    if fitted.loglik is not None:
        numbers[f"{model}.loglik"] = Number(fitted.loglik, "statistic")
    numbers.update(
        {f"{model}.groups.{g}": Number(n, "count") for g, n in fitted.counts.groups.items()}
    )
    numbers.update(
        {f"{model}.sd.{c.group}.{c.term}": Number(c.sd) for c in fitted.random if not c.other}
    )
    numbers.update(
        {
            f"{model}.correlation.{c.group}.{c.term}.{c.other}": Number(c.correlation, "ratio")
            for c in fitted.random
            if c.correlation is not None and math.isfinite(c.correlation)
        }
    )
    return numbers


def from_quantities(found: Mapping[str, Quantity]) -> Numbers:
    """`<contrast>.{value,low,high,se,p}`; `se` is on the model's own scale."""
    numbers: Numbers = {}
    for name, q in found.items():
        unit = q.declared.unit
        numbers.update(
            {
                f"{name}.value": Number(q.value, q.kind, unit),
                f"{name}.low": Number(q.low, q.kind, unit),
                f"{name}.high": Number(q.high, q.kind, unit),
                f"{name}.p": Number(q.estimate.p_value, "p"),
                f"{name}.se": Number(q.estimate.se, "se"),
            }
        )
    return numbers


def from_findings(findings: Iterable[Finding]) -> Numbers:
    """`<hypothesis>.{estimate,low,high,p,smallest_effect}` and what evidence and lines hold."""
    numbers: Numbers = {}
    for finding in findings:
        numbers |= _from_estimate(finding) | _from_evidence(finding) | _from_lines(finding)
    return numbers


def _from_estimate(finding: Finding) -> Numbers:
    if finding.estimate is None:
        return {}
    low, high = finding.estimate.interval()
    unit = finding.estimate.unit
    smallest = finding.smallest_effect or float("nan")
    return {
        f"{finding.id}.estimate": Number(finding.estimate.value, "estimate", unit),
        f"{finding.id}.low": Number(low, "estimate", unit),
        f"{finding.id}.high": Number(high, "estimate", unit),
        f"{finding.id}.p": Number(finding.estimate.p_value, "p"),
        f"{finding.id}.smallest_effect": Number(smallest, "estimate", unit),
    }


def _from_evidence(finding: Finding) -> Numbers:
    """`<hypothesis>.evidence.<artefact>.<name>`."""
    return {
        f"{finding.id}.evidence.{e.artefact.replace(' ', '_')}.{key}": number
        for e in finding.evidence
        for key, number in e.finding.numbers.items()
    }


def _from_lines(finding: Finding) -> Numbers:
    """`<hypothesis>.triangulation.<method>.{estimate,low,high,p}`, the method in lower case."""
    numbers: Numbers = {}
    for line in finding.triangulation:
        stem = re.sub(r"\W+", "_", line.method.lower()).strip("_")
        parts = {"estimate": line.value, "low": line.low, "high": line.high}
        numbers |= {
            f"{finding.id}.triangulation.{stem}.{name}": Number(value, "estimate", line.unit)
            for name, value in parts.items()
            if value is not None
        }
        if line.p is not None:
            numbers[f"{finding.id}.triangulation.{stem}.p"] = Number(line.p, "p")
    return numbers


def from_ledger(rows: Iterable[LedgerRow]) -> Numbers:
    """`ledger.<step>.{read,dropped,kept}`: first read, all dropped, last kept of a step."""
    numbers: Numbers = {}
    for row in rows:
        stem = f"ledger.{row.step.replace(' ', '_')}"
        before = numbers.get(f"{stem}.dropped", Number(0, "count")).value
        numbers.setdefault(f"{stem}.read", Number(row.read, "count"))
        numbers[f"{stem}.dropped"] = Number(before + row.dropped, "count")
        numbers[f"{stem}.kept"] = Number(row.kept, "count")
    return numbers


def from_scales(scales: Iterable[Scale]) -> Numbers:
    """`<scale>.{alpha,omega}{,_low,_high}`; no omega where there is none."""
    names = [f"{what}{end}" for what in ("alpha", "omega") for end in ("", "_low", "_high")]
    return {
        f"{s.id}.{name}": Number(value, "ratio")
        for s in scales
        for name in names
        if (value := getattr(s, name)) is not None
    }
