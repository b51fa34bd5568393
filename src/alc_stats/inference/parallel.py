"""The same job many times, here or in other processes: answers in order, a bar on a terminal."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from alc_stats.errors import DeclarationError, Problem

Item = TypeVar("Item")
Answer = TypeVar("Answer")
_CHUNKS_A_WORKER = 8
_BROKEN = Problem(
    "a worker process ended before its time",
    where="workers=...",
    way_out="Either it cannot import the statistic (define it in a module, not in a notebook) or "
    "the memory is too small for so many workers; workers=1 needs neither.",
)


def in_order(
    job: Callable[[Item], Answer], items: Sequence[Item], *, workers: int, what: str
) -> Iterator[Answer]:
    """Yield the job's answers in the order of the items, so that workers change nothing.

    Parameters
    ----------
    job : callable
        With more than one worker it is sent to them: a function defined at the top of a module, or
        a `functools.partial` of one.
    items : sequence
        Such as one seed a draw.
    workers : int
        Processes.
    what : str
        The bar's name; it is shown on standard error if that is a terminal.

    Raises
    ------
    DeclarationError
        If a worker ends before its time, since it cannot import the job or memory ran out.
    """
    from tqdm import tqdm

    bar = tqdm(total=len(items), desc=what, leave=False, disable=None, delay=1.0)
    with bar:
        for answer in _answers(job, items, workers):
            yield answer
            bar.update()


def worker_problems(job: object, workers: int, where: str) -> list[Problem]:
    """What is wrong with asking `workers` processes to do a job, `where` holding one {}."""
    place = getattr(getattr(job, "func", job), "__qualname__", "")
    problems = []
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        problems.append(
            Problem(
                "the bootstrap needs at least one worker",
                where=where.format("workers"),
                found=repr(workers),
            )
        )
    elif workers > 1 and ("<lambda>" in place or "<locals>" in place):
        problems.append(
            Problem(
                "other processes cannot find the statistic",
                where=where.format("statistic"),
                found=place,
                way_out="Define it with def at the top of a module, or use workers=1.",
            )
        )
    return problems


def _answers(
    job: Callable[[Item], Answer], items: Sequence[Item], workers: int
) -> Iterator[Answer]:
    if workers == 1:
        yield from map(job, items)
        return
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    size = max(1, -(-len(items) // (_CHUNKS_A_WORKER * workers)))
    chunks = [items[first : first + size] for first in range(0, len(items), size)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for found in pool.map(functools.partial(_several, job), chunks):
                yield from found
        except BrokenProcessPool:
            raise DeclarationError(_BROKEN) from None


def _several(job: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    return [job(item) for item in items]
