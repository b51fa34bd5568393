"""Everything that is written for a set of studies, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from alc_stats.files import write_whole
from alc_stats.report import render
from alc_stats.report.figures import Drawing, draw
from alc_stats.report.manifest import build_manifest
from alc_stats.report.page import build_page
from alc_stats.report.paper import build_paper
from alc_stats.report.table import Table
from alc_stats.report.tables import hypothesis_table, study_tables
from alc_stats.study.result import StudyResult

Files = dict[str, bytes]


def write_reports(
    results: Sequence[StudyResult], *, out: Path, paper: Path | None = None
) -> tuple[Path, ...]:
    """Write tables, figures, the page, the paper and the manifest; return every path.

    Parameters
    ----------
    results : sequence of StudyResult
        In the order they are reported.
    out : Path
        The folder to write to.
    paper : Path, optional
        The folder of the paper's prose; its `generated` folder is rewritten. No paper without it.

    Raises
    ------
    OutputError
        If a file cannot be written or the paper does not compile.
    """
    drawings = {r.id: tuple(draw(e, simulated=r.simulated) for e in r.exhibits) for r in results}
    files: Files = table_files([hypothesis_table(results)], "tables")
    for result in results:
        files |= table_files(study_tables(result), f"{result.slug}/tables")
        files |= figure_files(drawings[result.id], f"{result.slug}/figures")
    project = paper.parent if paper is not None else None
    manifest = build_manifest(results, outputs=files, project=project)
    files["index.html"] = build_page(results, drawings=drawings, manifest=manifest).encode()
    if paper is not None:
        files["paper.pdf"] = build_paper(results, drawings=drawings, paper=paper)
    files["MANIFEST.json"] = build_manifest(results, outputs=files, project=project).encode()
    return tuple(write_whole(out / name, content) for name, content in files.items())


def figure_files(drawings: Sequence[Drawing], folder: str) -> Files:
    """Every figure as SVG and PNG, by relative path."""
    return {
        f"{folder}/{drawing.file_stem}.{suffix}": content
        for drawing in drawings
        for suffix, content in (("svg", drawing.svg.encode()), ("png", drawing.png))
    }


def table_files(tables: Sequence[Table], folder: str) -> Files:
    """Every table in every format, by relative path."""
    return {
        f"{folder}/{table.file_stem}.{suffix}": content
        for table in tables
        for suffix, content in _formats(table).items()
    }


def _formats(table: Table) -> Mapping[str, bytes]:
    return {
        "md": render.to_markdown(table).encode(),
        "html": render.to_html(table).encode(),
        "tex": render.to_latex(table).encode(),
        "typ": render.to_typst(table).encode(),
        "docx": render.to_docx(table),
    }
