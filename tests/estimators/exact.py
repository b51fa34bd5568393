"""REML of balanced designs in rational arithmetic, from the decimal text of the data.

In a balanced design with positive components REML is the analysis of variance solved for its
expected mean squares (Searle, Casella and McCulloch 1992, section 6.6); every mean square is a
rational number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from pathlib import Path

Read = Callable[[str], Fraction]


def from_text(text: str) -> Fraction:
    """The decimal number as written."""
    return Fraction(text)


def from_float64(text: str) -> Fraction:
    """What float64 keeps of it: the most any program can know that reads it so."""
    return Fraction(float(text))


def nist_table(path: Path) -> list[tuple[str, str]]:
    """Treatment and response of a StRD one-way file, as text."""
    lines = path.read_text(encoding="ascii").splitlines()
    start = max(i for i, line in enumerate(lines) if line.startswith("Data:  "))
    return [(a, y) for a, y in (line.split() for line in lines[start + 1 :] if line.strip())]


def one_way(rows: Sequence[tuple[Hashable, str]], read: Read = from_text) -> dict[str, Fraction]:
    """Variances between and within groups, and squared standard error of the mean."""
    groups = cells(rows, read)
    a, n = len(groups), len(next(iter(groups.values())))
    between = n * spread(means(groups).values()) / (a - 1)
    within = sum(spread(g) for g in groups.values()) / (a * (n - 1))
    return {"group": (between - within) / n, "residual": within, "se^2": between / (a * n)}


def crossed(rows: Sequence[tuple[tuple[str, str], str]]) -> dict[str, Fraction]:
    """Two crossed factors, one row a cell: variances of both, residual, squared standard error."""
    values = {key: from_text(y) for key, y in rows}
    first = means(cells([(key[0], y) for key, y in rows]))
    second = means(cells([(key[1], y) for key, y in rows]))
    a, b = len(first), len(second)
    ms_first = b * spread(first.values()) / (a - 1)
    ms_second = a * spread(second.values()) / (b - 1)
    total = spread(values.values())
    left = (total - (a - 1) * ms_first - (b - 1) * ms_second) / ((a - 1) * (b - 1))
    return {
        "first": (ms_first - left) / b,
        "second": (ms_second - left) / a,
        "residual": left,
        "se^2": (ms_first + ms_second - left) / (a * b),
    }


def nested(rows: Sequence[tuple[tuple[str, str], str]]) -> dict[str, Fraction]:
    """Samples within batches, equally many rows each."""
    inner = cells(rows)
    of_sample = means(inner)
    batches = defaultdict(list)
    for (batch, _), mean in of_sample.items():
        batches[batch].append(mean)
    b, s, n = len(batches), len(next(iter(batches.values()))), len(next(iter(inner.values())))
    ms_batch = s * n * spread([average(m) for m in batches.values()]) / (b - 1)
    ms_sample = n * sum(spread(m) for m in batches.values()) / (b * (s - 1))
    within = sum(spread(g) for g in inner.values()) / (b * s * (n - 1))
    return {
        "outer": (ms_batch - ms_sample) / (s * n),
        "inner": (ms_sample - within) / n,
        "residual": within,
        "se^2": ms_batch / (b * s * n),
    }


def treated(rows: Sequence[tuple[tuple[str, str], str]]) -> dict[str, Fraction]:
    """Worker and machine, machine fixed, worker and worker:machine random, replicated cells.

    `se^2` is of the difference of two machines.
    """
    inner = cells(rows)
    of_cell = means(inner)
    workers = means(_regrouped(of_cell, 0))
    machines = means(_regrouped(of_cell, 1))
    w, m, n = len(workers), len(machines), len(next(iter(inner.values())))
    ms_worker = m * n * spread(workers.values()) / (w - 1)
    ss_cells = n * spread(of_cell.values())
    ss_machine = w * n * spread(machines.values())
    ms_cell = (ss_cells - ss_machine - (w - 1) * ms_worker) / ((w - 1) * (m - 1))
    within = sum(spread(g) for g in inner.values()) / (w * m * (n - 1))
    return {
        "outer": (ms_worker - ms_cell) / (m * n),
        "inner": (ms_cell - within) / n,
        "residual": within,
        "se^2": 2 * ms_cell / (w * n),
    }


def growth(rows: Sequence[tuple[Hashable, str, str]]) -> dict[str, Fraction]:
    """Persons with the same times: random intercepts and slopes, residual, squared errors.

    Every person's least-squares line is an independent draw from the lines' distribution widened
    by residual * (T'T)^-1, so REML subtracts that from the lines' covariance.
    """
    persons: dict[Hashable, list[tuple[Fraction, Fraction]]] = defaultdict(list)
    for person, time, y in rows:
        persons[person].append((from_text(time), from_text(y)))
    times = [t for t, _ in next(iter(persons.values()))]
    n, J = len(times), len(persons)
    centre, squares = average(times), spread(times)
    slopes = [sum((t - centre) * y for t, y in p) / squares for p in persons.values()]
    starts = [
        average([y for _, y in p]) - b * centre
        for p, b in zip(persons.values(), slopes, strict=True)
    ]
    left = sum(
        (y - a - b * t) ** 2
        for p, a, b in zip(persons.values(), starts, slopes, strict=True)
        for t, y in p
    )
    residual = left / (J * (n - 2))
    v0, v1 = spread(starts) / (J - 1), spread(slopes) / (J - 1)
    a0, b0 = average(starts), average(slopes)
    c = sum((a - a0) * (b - b0) for a, b in zip(starts, slopes, strict=True)) / (J - 1)
    return {
        "b0": a0,
        "b1": b0,
        "v0": v0 - residual * (Fraction(1, n) + centre**2 / squares),
        "v1": v1 - residual / squares,
        "c01": c + residual * centre / squares,
        "s2": residual,
        "se0sq": v0 / J,
        "se1sq": v1 / J,
    }


def cells(rows: Sequence[tuple[Hashable, str]], read: Read = from_text) -> dict:
    """The numbers of every group."""
    found: dict = defaultdict(list)
    for key, y in rows:
        found[key].append(read(y))
    return found


def means(groups: dict) -> dict:
    """The mean of every group."""
    return {key: average(values) for key, values in groups.items()}


def average(values: Sequence[Fraction]) -> Fraction:
    """Mean."""
    return sum(values, Fraction(0)) / len(values)


def spread(values) -> Fraction:
    """Sum of squares about the mean."""
    values = list(values)
    centre = average(values)
    return sum(((v - centre) ** 2 for v in values), Fraction(0))


def _regrouped(of_cell: dict, place: int) -> dict:
    found = defaultdict(list)
    for key, mean in of_cell.items():
        found[key[place]].append(mean)
    return found
