"""The verbs about studies: `run`, `report` and `sources`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alc_stats.cli.running import Outcome, progress, run_all
from alc_stats.cli.verbs import DONE, WRONG, Verbs, add_verb
from alc_stats.errors import DeclarationError, Problem

if TYPE_CHECKING:
    from alc_stats.study import Study, StudyResult

RESULTS = "*/result*.json"


def add_run(verbs: Verbs) -> None:
    """`alc-stats run`."""
    verb = add_verb(
        verbs,
        "run",
        _run,
        summary="run studies; write results, tables, figures, a page and a paper",
        examples="""\
  alc-stats run analysis/metr_2025
  alc-stats run analysis/* --out results --paper paper

Sources are looked for in the folder that ALC_STATS_DATA names, then in the user cache, then
downloaded. A study whose sources cannot be had is reported as not run and fails nothing else.
The exit code is 1 if a number differs from the expected one or a study's data break a rule.""",
    )
    verb.add_argument(
        "studies", nargs="+", type=Path, metavar="folder", help="folders that hold a study.toml"
    )
    _add_places(verb)


def add_report(verbs: Verbs) -> None:
    """`alc-stats report`."""
    verb = add_verb(
        verbs,
        "report",
        _report,
        summary="write tables, figures, page and paper anew from the results on disk",
        examples="  alc-stats report --out results --paper paper",
    )
    _add_places(verb)


def add_sources(verbs: Verbs) -> None:
    """`alc-stats sources`."""
    verb = add_verb(
        verbs,
        "sources",
        _sources,
        summary="list the sources of studies: where each lies, or how to get it",
        examples="  alc-stats sources analysis/*",
    )
    verb.add_argument(
        "studies", nargs="+", type=Path, metavar="folder", help="folders that hold a study.toml"
    )


def _add_places(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--out", type=Path, default=Path("results"), help="folder to write to (default: results)"
    )
    verb.add_argument(
        "--paper", type=Path, help="folder of the paper's prose; without it no paper is compiled"
    )


def _run(chosen: argparse.Namespace) -> int:
    from alc_stats.report import transcript

    start = time.perf_counter()
    studies = _read_all(chosen.studies)
    _check_places(chosen.out, chosen.paper)
    print(transcript.header_line(_project(chosen.paper)), flush=True)
    results, broken = [], 0
    for study, outcome in zip(studies, run_all(studies, chosen.out), strict=True):
        print(flush=True)
        if outcome.result is None:
            broken += 1
            _told(study, outcome)
        else:
            print("\n".join(transcript.study_lines(outcome.result)), flush=True)
            results.append(outcome.result)
    return _write(results, chosen, start=start, broken=broken)


def _write(
    results: Sequence[StudyResult], chosen: argparse.Namespace, *, start: float, broken: int
) -> int:
    """Write every report, close with the verdict line, and say with the exit code what it was."""
    from alc_stats.report import transcript
    from alc_stats.report.write import write_reports

    if results:
        with progress("writing tables, figures, page and paper", total=1) as announce:
            announce("report")
            paths = write_reports(results, out=chosen.out, paper=chosen.paper)
        print(f"\nWROTE  {chosen.out}/ ({len(paths)} files), {chosen.out}/index.html", flush=True)
    print(transcript.time_line(time.perf_counter() - start))
    print(transcript.result_line(results))
    if broken:
        print(f"RESULT {broken} of {broken + len(results)} studies stopped: see above")
    differ = any(not check.matches for result in results for check in result.checks)
    return WRONG if broken or differ else DONE


def _read_all(folders: Sequence[Path]) -> list[Study]:
    """Every declaration, or the problems of all of them together."""
    from alc_stats.study import read_study

    studies: list[Study] = []
    problems: list[Problem] = []
    for folder in folders:
        try:
            studies.append(read_study(folder))
        except DeclarationError as error:
            problems.extend(error.problems)
    ids = [study.study.id for study in studies]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    problems += [Problem(f"the study '{name}' is named twice") for name in twice]
    if problems:
        raise DeclarationError(*problems)
    return studies


def _told(study: Study, outcome: Outcome) -> None:
    """What stopped a study."""
    print(f"STUDY  {study.study.id}: STOPPED", flush=True)
    for problem in outcome.problems:
        print(f"alc-stats: {problem}", file=sys.stderr)


def _report(chosen: argparse.Namespace) -> int:
    start = time.perf_counter()
    paths = sorted(chosen.out.glob(RESULTS))
    if not paths:
        raise DeclarationError(
            Problem(
                "there are no results to report",
                where=str(chosen.out),
                way_out="Run a study first: alc-stats run analysis/*.",
            )
        )
    results = [_loaded(path) for path in paths]
    return _write(results, chosen, start=start, broken=0)


def _loaded(path: Path) -> StudyResult:
    from cattrs.errors import BaseValidationError

    from alc_stats.records import load
    from alc_stats.study import StudyResult

    try:
        return load(path.read_text(encoding="utf-8"), StudyResult)
    except (ValueError, BaseValidationError):
        raise DeclarationError(
            Problem(
                "is not a result of this version",
                where=str(path),
                way_out="Run its study again: alc-stats run analysis/<study>.",
            )
        ) from None


def _sources(chosen: argparse.Namespace) -> int:
    from alc_stats.data.sources import locate
    from alc_stats.errors import SourceError

    for study in _read_all(chosen.studies):
        print(f"{study.study.id}:" + (" simulated" if study.study.simulated else ""))
        for source in study.sources:
            try:
                print(
                    f"  {source.id}: {locate(source, download=False)} (licence: {source.licence})"
                )
            except SourceError as error:
                print("\n".join(f"  {source.id}: {problem}" for problem in error.problems))
    return DONE


def _check_places(out: Path, paper: Path | None) -> None:
    """Refuse before the work what would be refused after it."""
    from alc_stats.files import write_whole
    from alc_stats.report.paper import check_prose

    if paper is not None:
        check_prose(paper)
    write_whole(out / ".writable", "")
    (out / ".writable").unlink()


def _project(paper: Path | None) -> Path | None:
    return paper.resolve().parent if paper is not None else None
