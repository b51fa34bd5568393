"""The results page: one HTML file with everything in it, for screens of any width and for paper."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from alc_stats.files import without_machine
from alc_stats.inference.decision import Verdict
from alc_stats.models.finding import Finding
from alc_stats.records import Number
from alc_stats.report import numbers
from alc_stats.report.canvas import COLOURS, INK, MUTED
from alc_stats.report.figures import Drawing
from alc_stats.report.page_parts import SHAPES, packaged, pill
from alc_stats.report.render import to_html
from alc_stats.report.table import cell_text
from alc_stats.report.tables import finding_cells, study_tables
from alc_stats.study.result import SourceUse, StudyResult

if TYPE_CHECKING:
    from markupsafe import Markup

_LONG_REASON = 180  # characters


@dataclass(frozen=True, slots=True)
class EvidenceShown:
    """One artefact, its outcome and the sentence about it."""

    artefact: str
    outcome: str
    finding: Markup


@dataclass(frozen=True, slots=True)
class VerdictShown:
    """A finding as text."""

    id: str
    statement: str
    verdict: Verdict
    estimate: str
    unit: str
    p: str
    reason: str
    gist: str
    rest: str
    exploratory: bool
    evidence: tuple[EvidenceShown, ...]


@dataclass(frozen=True, slots=True)
class FigureShown:
    """A figure with its words."""

    title: str
    caption: str
    svg: Markup


@dataclass(frozen=True, slots=True)
class TableShown:
    """A table as HTML, with the name by which it is announced."""

    title: str
    html: Markup


@dataclass(frozen=True, slots=True)
class StudyShown:
    """A study's section."""

    id: str
    anchor: str
    title: str
    question: str
    simulated: bool
    evidence: bool
    ran: bool
    why_not: str
    verdicts: tuple[VerdictShown, ...]
    figures: tuple[FigureShown, ...]
    tables: tuple[TableShown, ...]
    sources: tuple[SourceUse, ...]
    warnings: tuple[str, ...]
    scorecards: tuple[str, ...]


def build_page(
    results: Sequence[StudyResult],
    *,
    drawings: dict[str, tuple[Drawing, ...]],
    manifest: str,
    scorecards: Mapping[str, tuple[str, ...]],
) -> str:
    """The page as HTML text.

    Parameters
    ----------
    results : sequence of StudyResult
    drawings : mapping of study id to its figures
    manifest : str
        The manifest as JSON text; its heading lines are shown in the footer.
    scorecards : mapping of study id to files, relative to the page
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    studies = [
        _study(result, drawings.get(result.id, ()), scorecards.get(result.id, ()))
        for result in results
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(packaged("page.html.j2"))
    return template.render(
        style=Markup(packaged("page.css")),  # noqa: S704 - our own file
        lead=_lead(studies),
        studies=studies,
        verdicts=any(study.verdicts for study in studies),
        verdict_names=tuple(SHAPES),
        pill=pill,
        manifest=_manifest_lines(manifest),
    )


def inline_svg(svg: str, *, prefix: str, alt: str) -> str:
    """A drawing for the inside of a page: ids made unique, inks that follow the colour scheme.

    Parameters
    ----------
    svg : str
        As the figures room writes it.
    prefix : str
        Put before every id.
    alt : str
        What a reader who cannot see the picture is told.
    """
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    body = re.sub(r"<title>.*?</title>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", body)
    roles = {INK: "currentColor", MUTED: "var(--muted)", "#ffffff": "var(--paper)"}
    roles |= {colour: f"var(--series-{i})" for i, colour in enumerate(COLOURS, 1)}
    for colour, role in roles.items():
        body = body.replace(colour, role)
    body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
    return body.replace("<svg", f'<svg role="img" aria-label="{escape(alt, quote=True)}"', 1)


def _lead(studies: Sequence[StudyShown]) -> str:
    """How many studies ran, on what data, and what the verdicts came to."""
    ran = [study for study in studies if study.ran]
    real = [v.verdict for study in ran if study.evidence for v in study.verdicts]
    counts = {name: real.count(name) for name in SHAPES if real.count(name)}
    simulated = sum(study.simulated for study in ran)
    parts = [
        f"{_count(len(ran))} of {_count(len(studies))} studies ran"
        + (f", {_count(simulated)} of them on simulated data." if simulated else ".")
    ]
    if counts:
        verdicts = numbers.joined(f"{_count(n)} {name}" for name, n in counts.items())
        parts.append(f"Hypotheses on real data: {verdicts}.")
    return " ".join(parts)


def _study(
    result: StudyResult, drawings: Sequence[Drawing], scorecards: tuple[str, ...]
) -> StudyShown:
    anchor = "study-" + re.sub(r"[^\w-]", "-", result.slug)
    return StudyShown(
        id=result.id,
        anchor=anchor,
        title=result.title,
        question=result.question,
        simulated=result.simulated,
        evidence=result.evidence and not result.simulated,
        ran=result.status == "run",
        why_not=without_machine(result.why_not),
        verdicts=tuple(_verdict(finding) for finding in result.findings),
        figures=tuple(_figure(drawing, anchor) for drawing in drawings),
        tables=_tables(result, anchor),
        sources=tuple(_safe(source) for source in result.sources),
        warnings=tuple(without_machine(warning) for warning in result.warnings),
        scorecards=scorecards,
    )


def _gist(finding: Finding) -> tuple[str, str]:
    """A reason in two parts: what a table shows, and what it folds away if that is long.

    Shown is what the rule says, and the names of artefacts that stand in the way; how many rows
    were seen, and the whole of a long reason, are folded away.
    """
    reason = numbers.say(finding.decision.reason)
    if len(reason) <= _LONG_REASON:
        return reason, ""
    observed = numbers.say(finding.observed)
    ruled = reason.removeprefix(observed).strip().partition(". ")[0].rstrip(".")
    threats = [e.artefact for e in finding.evidence if e.outcome == "threat"]
    if finding.decision.verdict == "not tested" or not threats:
        return f"{ruled}.", reason
    return f"{ruled}. An artefact could have made it: {numbers.joined(threats)}.", reason


def _verdict(finding: Finding) -> VerdictShown:
    estimate, interval, p = finding_cells(finding)
    reason = numbers.no_break(numbers.say(finding.decision.reason))
    gist, rest = map(numbers.no_break, _gist(finding))
    value = cell_text(estimate).split(" (")[0]
    return VerdictShown(
        id=finding.id,
        statement=numbers.no_break(finding.statement),
        verdict=finding.decision.verdict,
        estimate=numbers.no_break(
            f"{value} {cell_text(interval)}" if estimate else numbers.MISSING
        ),
        unit=finding.estimate.unit if finding.estimate and estimate else "",
        p=numbers.no_break(numbers.show(p)),
        reason=reason,
        gist=gist,
        rest=rest,
        exploratory=finding.family == "exploratory",
        evidence=tuple(
            EvidenceShown(e.artefact, e.outcome, _with_code(numbers.say(e.finding)))
            for e in finding.evidence
        ),
    )


def _with_code(text: str) -> Markup:
    """The text as HTML; what stands between backticks is the name of an argument."""
    from markupsafe import Markup, escape

    safe = str(escape(numbers.no_break(text)))
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", safe))  # noqa: S704


def _figure(drawing: Drawing, anchor: str) -> FigureShown:
    from markupsafe import Markup

    svg = inline_svg(drawing.svg, prefix=f"{anchor}-{drawing.id}", alt=drawing.alt)
    return FigureShown(drawing.title.rstrip("."), drawing.caption, Markup(svg))  # noqa: S704


def _tables(result: StudyResult, anchor: str) -> tuple[TableShown, ...]:
    """Every table but the hypotheses, which the section tells in words."""
    from markupsafe import Markup

    return tuple(
        TableShown(
            table.heading,
            Markup(to_html(table).replace('id="', f'id="{anchor}-', 1)),  # noqa: S704
        )
        for table in study_tables(result)
        if table.id != "hypotheses"
    )


def _safe(source: SourceUse) -> SourceUse:
    """The source without paths of a machine, and with a link only where it leads to the web."""
    url = source.url if source.url.startswith(("https://", "http://")) else ""
    return SourceUse(
        source.id,
        without_machine(source.file),
        source.sha256,
        source.licence.rstrip("."),
        source.citation.rstrip("."),
        url,
    )


def _manifest_lines(manifest: str) -> list[tuple[str, str]]:
    """What the footer tells of the manifest."""
    held = json.loads(manifest)
    commit = held["commit"]["id"] or "unknown"
    changed = "" if held["commit"]["clean"] or commit == "unknown" else ", files changed since"
    packages = (
        f"{name} {version}" for name, version in held["software"]["packages"].items() if version
    )
    seconds = sum(sum(study["seconds"].values()) for study in held["studies"])
    return [
        ("alc_stats", held["software"]["alc_stats"] or "not installed"),
        ("Python", f"{held['software']['python']} on {held['software']['platform']}"),
        ("Commit", f"{commit}{changed}"),
        ("Lock file, SHA-256", held["lock_sha256"] or "none"),
        ("Seeds", ", ".join(f"{k}: {v}" for k, v in held["seeds"].items()) or "none"),
        ("Analysis time", numbers.show(Number(seconds, "seconds"))),
        ("Packages", ", ".join(packages) or "unknown"),
    ]


def _count(n: int) -> str:
    return numbers.show(Number(n, "count"))
