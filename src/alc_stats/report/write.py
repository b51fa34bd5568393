"""Everything that is written for a set of studies, in one call."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath

from alc_stats.errors import OutputError, Problem
from alc_stats.files import write_whole
from alc_stats.inference.parallel import in_order
from alc_stats.report import render
from alc_stats.report.figures import Drawing, draw
from alc_stats.report.manifest import build_manifest
from alc_stats.report.page import build_page
from alc_stats.report.paper import build_paper, check_prose
from alc_stats.report.scorecard_page import scorecard_files
from alc_stats.report.table import SIMULATED, Table
from alc_stats.report.tables import TABLE_IDS, hypothesis_tables, study_tables
from alc_stats.study.result import Exhibit, StudyResult

Files = dict[str, bytes]
_FIGURES_A_WORKER = 20
"""What one more process has to draw to be worth its start."""


def write_reports(
    results: Sequence[StudyResult], *, out: Path, paper: Path | None = None
) -> tuple[Path, ...]:
    """Write tables, figures, the page, the paper and the manifest; return every path.

    Tables and figures that an earlier call left of these studies and this one did not write anew
    are removed.

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
    DeclarationError
        If `paper` holds no prose; nothing is written.
    OutputError
        If a file cannot be written, an id leads out of `out`, or the paper does not compile.
    """
    if paper is not None:
        check_prose(paper)
    drawings = _drawn(results)
    files: Files = table_files(hypothesis_tables(results), "tables")
    for result in results:
        files |= table_files(study_tables(result), f"{result.slug}/tables")
        files |= figure_files(drawings[result.id], f"{result.slug}/figures")
    cards = {r.id: scorecard_files(r) for r in results}
    for of_study in cards.values():
        files |= of_study
    _refuse_ways_out(files)
    project = paper.parent if paper is not None else None
    manifest = build_manifest(results, outputs=files, project=project)
    files["index.html"] = build_page(
        results,
        drawings=drawings,
        manifest=manifest,
        scorecards={id_: tuple(of_study) for id_, of_study in cards.items()},
    ).encode()
    if paper is not None:
        files["paper.pdf"] = build_paper(results, drawings=drawings, paper=paper)
    files["MANIFEST.json"] = build_manifest(results, outputs=files, project=project).encode()
    paths = tuple(write_whole(out / name, content) for name, content in files.items())
    _remove(path for path in _left_over(results, out) if path not in paths)
    return paths


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


_TABLE_SUFFIXES = (".md", ".html", ".tex", ".typ", ".docx")
_FIGURE_SUFFIXES = (".svg", ".png")


def _formats(table: Table) -> Mapping[str, bytes]:
    return {
        "md": render.to_markdown(table).encode(),
        "html": render.to_html(table).encode(),
        "tex": render.to_latex(table).encode(),
        "typ": render.to_typst(table).encode(),
        "docx": render.to_docx(table),
    }


def _drawn(results: Sequence[StudyResult]) -> dict[str, tuple[Drawing, ...]]:
    """Every figure of every study, by as many processes as there are cores and enough to draw."""
    jobs = [(e, r.simulated) for r in results for e in r.exhibits]
    workers = min(os.cpu_count() or 1, 1 + len(jobs) // _FIGURES_A_WORKER)
    drawn = in_order(_draw, jobs, workers=workers, what="figures")
    return {r.id: tuple(itertools.islice(drawn, len(r.exhibits))) for r in results}


def _draw(job: tuple[Exhibit, bool]) -> Drawing:
    exhibit, simulated = job
    return draw(exhibit, simulated=simulated)


def _refuse_ways_out(names: Iterable[str]) -> None:
    """Raise for every file whose name, made from declared ids, would not stay where it belongs."""
    paths = [PureWindowsPath(name) for name in names]  # knows both kinds of slashes, and drives
    problems = [
        Problem(
            "the file would lie outside its folder",
            found=repr(path.as_posix()),
            way_out="Name studies and exhibits with letters, digits and underscores.",
        )
        for path in paths
        if path.anchor or ".." in path.parts
    ]
    if problems:
        raise OutputError(*problems)


def _left_over(results: Sequence[StudyResult], out: Path) -> Iterator[Path]:
    """Files of these studies, and tables over studies, in the places and kinds written here."""
    stems = {*TABLE_IDS, *(f"{id_}_{SIMULATED}" for id_ in TABLE_IDS)}
    for folder in (out, *(out / result.slug for result in results)):
        for path in _files(folder / "tables"):
            if path.suffix in _TABLE_SUFFIXES and path.stem in stems:
                yield path
    for result in results:
        yield from (out / result.slug).glob("scorecard*.html")
        for path in _files(out / result.slug / "figures"):
            if path.suffix in _FIGURE_SUFFIXES:
                yield path


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(
                Problem(
                    "cannot remove the file of an earlier run",
                    where=str(path),
                    found=error.strerror or str(error),
                    way_out="Remove it yourself or choose another folder (--out).",
                )
            ) from error
