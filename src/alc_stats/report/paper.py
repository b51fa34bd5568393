"""The paper: every number, table and figure of the prose is generated here, then it is compiled.

The prose (`paper.typ`) asks for numbers by id and never types a digit of a result; an id that
does not exist stops the compiler. Compiling needs no network and no font of the machine, and
gives the same bytes every time.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from alc_stats.errors import DeclarationError, OutputError, Problem
from alc_stats.files import without_machine, write_whole
from alc_stats.models.finding import Finding
from alc_stats.report import numbers
from alc_stats.report.figures import Drawing
from alc_stats.report.render import to_typst
from alc_stats.report.tables import study_tables
from alc_stats.report.verdicts import verdict_table, world, worlds_tables
from alc_stats.study.result import StudyResult

GENERATED = "generated"
_PROSE = "paper.typ"
_PLACE = re.compile(r"\u250c\u2500 (?:.*[/\\])?(.+)")
_MOST_LINES = 3


def check_prose(paper: Path) -> None:
    """Refuse a folder without prose, before any work is done for it.

    Raises
    ------
    DeclarationError
        If `paper` holds no `paper.typ`.
    """
    if not (paper / _PROSE).is_file():
        raise DeclarationError(
            Problem(
                f"there is no {_PROSE} to compile",
                where=str(paper),
                way_out="Name the folder that holds the paper's prose (--paper), or leave it out.",
            )
        )


def build_paper(
    results: Sequence[StudyResult], *, drawings: Mapping[str, Sequence[Drawing]], paper: Path
) -> bytes:
    """Write `paper/generated` afresh and compile the paper; return the PDF.

    Raises
    ------
    OutputError
        If the prose does not compile, warns, or asks for a number that no study has.
    """
    folder = paper / GENERATED
    shutil.rmtree(folder, ignore_errors=True)
    told = [result for result in results if result.evidence]
    for name, content in generated(told, drawings).items():
        write_whole(folder / name, content)
    return compile_paper(paper)


def compile_paper(paper: Path) -> bytes:
    """The PDF of `paper/paper.typ` with what `paper/generated` holds."""
    import typst

    try:
        pdf, warnings = typst.compile_with_warnings(
            str(paper / _PROSE),
            root=str(paper),
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    except (RuntimeError, OSError) as error:  # the compiler's own errors are runtime errors
        raise OutputError(_problem(error)) from error
    if warnings:
        raise OutputError(*(_problem(warning) for warning in warnings))
    return bytes(pdf)


def generated(
    results: Sequence[StudyResult], drawings: Mapping[str, Sequence[Drawing]]
) -> dict[str, str]:
    """What the prose reads, by name within `paper/generated`."""
    verdicts = verdict_table(results)
    files = {
        "numbers.json": _json(number_texts(results)),
        "findings.json": _json(_findings(results)),
        "studies.json": _json({r.id: _study(r, drawings.get(r.id, ())) for r in results}),
        "tables/verdicts.typ": to_typst(verdicts) if verdicts.rows else "",
        "tables/worlds.typ": "\n".join(map(to_typst, worlds_tables(results))),
    }
    for result in results:
        tables = {f"tables/{result.slug}/{t.id}.typ": to_typst(t) for t in study_tables(result)}
        figures = {f"figures/{result.slug}/{d.id}.svg": d.svg for d in drawings.get(result.id, ())}
        files |= tables | figures
    return files


def number_texts(results: Sequence[StudyResult]) -> dict[str, str]:
    """Every number a text may quote, by `<study>.<id>`, as it is printed."""
    texts: dict[str, str] = {}
    for result in results:
        shown = numbers.registry({_with_study(result, id_): n for id_, n in result.numbers.items()})
        texts |= {id_: numbers.no_break(text) for id_, text in shown.items()}
    return texts


def _with_study(result: StudyResult, id_: str) -> str:
    return id_ if id_.startswith(f"{result.id}.") else f"{result.id}.{id_}"


def _findings(results: Sequence[StudyResult]) -> dict[str, dict[str, str]]:
    return {f"{r.id}.{finding.id}": _finding(finding) for r in results for finding in r.findings}


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "statement": numbers.no_break(finding.statement),
        "verdict": finding.decision.verdict,
        "reason": numbers.no_break(numbers.say(finding.decision.reason)),
        "family": finding.family,
    }


def _study(result: StudyResult, drawings: Sequence[Drawing]) -> dict[str, object]:
    """What the prose may know of a study before it asks for numbers."""
    return {
        "title": result.title,
        "question": result.question,
        "status": result.status,
        "simulated": result.simulated,
        "complete": _complete(result),
        "why_not": without_machine(result.why_not),
        "citations": list(result.citations),
        "hypotheses": [finding.id for finding in result.findings],
        "checks": _of([check.matches for check in result.checks]),
        "covered": _of([bool(i) for e in result.exhibits for i in e.columns.get("inside", ())]),
        "tables": {t.id: f"tables/{result.slug}/{t.id}.typ" for t in study_tables(result)},
        "figures": {
            d.id: {
                "kind": d.kind,
                "file": f"figures/{result.slug}/{d.id}.svg",
                "title": _caption(result, d),
                "note": d.caption,
                "alt": d.alt,
            }
            for d in drawings
        },
    }


def _complete(result: StudyResult) -> bool:
    """Whether every model gave a result, so that no number is lacking for want of a fit."""
    return not result.failures and all(fit.certificate.usable for fit in result.fits.values())


def _caption(result: StudyResult, drawing: Drawing) -> str:
    """The title of a figure; simulated studies share theirs and are told apart."""
    title = drawing.title.rstrip(".")
    return f"{title} ({world(result).lower()})" if result.simulated else title


def _of(outcomes: Sequence[bool]) -> dict[str, int]:
    """How many hold, of how many."""
    return {"hold": sum(outcomes), "of": len(outcomes)}


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _problem(told: Exception) -> Problem:
    """What the compiler tells: the first lines of its message, and where in the prose."""
    lines = [line.strip() for line in str(told).splitlines() if line.strip()]
    place = _PLACE.search(str(getattr(told, "diagnostic", "")))
    return Problem(
        "the paper does not compile",
        where=place[1] if place else _PROSE,
        found=without_machine(" ".join(lines[:_MOST_LINES])).rstrip("."),
        way_out="Correct the prose; paper/generated/numbers.json lists the ids.",
    )
