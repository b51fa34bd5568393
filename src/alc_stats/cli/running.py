"""Studies side by side: each in a process of its own, told of in the order they were named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alc_stats.errors import AlcError, DeclarationError, OutputError, Problem

if TYPE_CHECKING:
    from alc_stats.study import Study, StudyResult
    from alc_stats.study.gathering import Simulated
    from alc_stats.study.runner import Announce


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a study ended: with a result, or stopped by the problems told."""

    result: StudyResult | None
    problems: tuple[Problem, ...] = ()


def run_all(studies: Sequence[Study], out: Path) -> Iterator[Outcome]:
    """Run studies and write their results; as many at a time as there are cores.

    A study reads nothing of another and draws from seeds of its own, so that neither order nor
    number of processes changes a result.

    Raises
    ------
    OutputError
        If a result cannot be written.
    """
    workers = min(len(studies), os.cpu_count() or 1)
    if workers == 1:
        yield from (run_one(study, out) for study in studies)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with (
        progress("studies", total=len(studies)) as announce,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        jobs = [pool.submit(_unwatched, study, out) for study in studies]
        for study, job in zip(studies, jobs, strict=True):
            announce(study.study.id)
            yield job.result()


def run_one(study: Study, out: Path, *, watched: bool = True) -> Outcome:
    """One study run and its result written, or every problem it stopped at."""
    from alc_stats.study import run_study, write_result

    try:
        with progress(study.study.id, total=8, shown=watched) as announce:
            result = run_study(study, simulate=simulate, derived=out / "derived", announce=announce)
        write_result(result, out)
    except OutputError:
        raise
    except AlcError as error:
        return Outcome(None, error.problems)
    return Outcome(result)


def _unwatched(study: Study, out: Path) -> Outcome:
    """In another process: no bar, and no table on the way back."""
    from alc_stats.records import dump, load
    from alc_stats.study import StudyResult

    outcome = run_one(study, out, watched=False)
    if outcome.result is None:
        return outcome
    return Outcome(load(dump(outcome.result), StudyResult))


def simulate(study: Study, derived: Path) -> Simulated:
    """Draw a simulated study's tables from its truth and write them, marked, under `derived`."""
    from alc_stats.simulate import drawn, write_tables
    from alc_stats.study.gathering import Simulated

    simulation = study.simulation
    truth = study.beside(simulation.truth) if simulation is not None else None
    if simulation is None or truth is None:
        raise DeclarationError(Problem("the study declares no simulation", where=study.study.id))
    tables, values = drawn(simulation.generator, truth, seed=simulation.seed)
    return Simulated(write_tables(tables, derived / f"{study.study.id}_SIMULATED"), values)


@contextmanager
def progress(what: str, *, total: int, shown: bool = True) -> Iterator[Announce]:
    """A bar on stderr that names the step at work; silent where nobody watches."""
    from tqdm import tqdm

    hidden = None if shown else True
    with tqdm(total=total, desc=what, leave=False, disable=hidden, bar_format=_BAR) as bar:

        def announce(step: str) -> None:
            bar.set_postfix_str(step)
            bar.update()

        yield announce


_BAR = "{desc} {bar:24} {postfix} [{elapsed}]"
