"""Slopes, loadings and what follows from them, in every resample of firms at once.

With x the log of use and y the quality, both about a person's means of a period. The loss of four
values of a cell is one less the last of the treated over what would have been left: theirs of
before, plus what happened to those of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from alc_stats.inference.resamples import Resamples
from alc_stats.models.proxy.sums import CELLS, ProxyData, Sums
from alc_stats.records import FloatArray

Named = Iterator[tuple[str, FloatArray]]
_NOBODY = 1e-9
"""Share of the squares that is rounding: all of them are one firm's, and none can foresee it."""


def statistics(data: ProxyData, drawn: Resamples) -> dict[str, FloatArray]:
    """Everything, by name; arrays (b,)."""
    found: dict[str, FloatArray] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, sums in data.sums.items():
            found |= dict(_OF[name](sums, drawn))
    return found


def _use(sums: Sums, drawn: Resamples) -> Named:
    S = _totals(drawn, sums.products)
    yield from _decay("slope", S[:, :, 0, 1] / S[:, :, 0, 0])
    yield "change of share", _change(_foreseen(sums, drawn))
    freedom = _totals(drawn, sums.freedom)
    spread = 0.5 * np.log(S[:, :, 0, 0] / freedom)
    yield "change of log sd", _change(spread)
    means = _totals(drawn, sums.totals)[:, :, 0] / _totals(drawn, sums.rows)
    yield "change of mean", _change(means) / np.sqrt(S[:, 0, 0, 0] / freedom[:, 0])


def _foreseen(sums: Sums, drawn: Resamples) -> FloatArray:
    """Share of variance of quality that the slope of all other firms explains, by cell (b, 4)."""
    own, times = sums.products, drawn.counts
    S = _totals(drawn, own)
    left = np.empty((len(times), 4))
    for cell in range(4):
        xx, xy, yy = (own[:, cell, i, j] for i, j in ((0, 0), (0, 1), (1, 1)))
        others = S[:, cell, 0, 0, None] - times * xx
        told = others > _NOBODY * S[:, cell, 0, 0, None]
        slope = np.where(told, (S[:, cell, 0, 1, None] - times * xy) / others, 0.0)
        left[:, cell] = np.sum(times * (yy - 2.0 * slope * xy + slope**2 * xx), axis=1)
    return np.asarray(1.0 - left / S[:, :, 1, 1])


def _common(sums: Sums, drawn: Resamples) -> Named:
    """Slopes within the range that all cells have: straight, and at one use of one curve."""
    S = _totals(drawn, sums.products)
    xx, xy, xq = S[:, :, 0, 0], S[:, :, 0, 1], S[:, :, 0, 2]
    yield from _decay("common", xy / xx)
    bent = np.sum(S[:, :, 1, 2] - xq * xy / xx, axis=1)
    curve = bent / np.sum(S[:, :, 2, 2] - xq**2 / xx, axis=1)
    yield "curvature", curve
    yield from _decay("held", (xy - curve[:, None] * xq) / xx)


def _halves(sums: Sums, drawn: Resamples) -> Named:
    """Slopes on what both halves share, each the other's instrument; the reliability of both."""
    S = _totals(drawn, sums.products)
    shared = S[:, :, 0, 1]
    yield from _decay("true", (S[:, :, 0, 2] + S[:, :, 1, 2]) / (2.0 * shared))
    r = shared / np.sqrt(S[:, :, 0, 0] * S[:, :, 1, 1])
    reliable = 2.0 * r / (1.0 + r)
    yield from ((f"reliability {cell}", reliable[:, i]) for i, cell in enumerate(CELLS))
    yield "change of reliability", _change(reliable)


def _ratings(sums: Sums, drawn: Resamples) -> Named:
    """Slopes of the second rating, and how far both agree."""
    S = _totals(drawn, sums.products)
    yield from _decay("second", S[:, :, 0, 2] / S[:, :, 0, 0])
    r = S[:, :, 1, 2] / np.sqrt(S[:, :, 1, 1] * S[:, :, 2, 2])
    yield from ((f"agreement {cell}", r[:, i]) for i, cell in enumerate(CELLS))


def _plain(name: str) -> Callable[[Sums, Resamples], Named]:
    def found(sums: Sums, drawn: Resamples) -> Named:
        S = _totals(drawn, sums.products)
        yield from _decay(name, S[:, :, 0, 1] / S[:, :, 0, 0])

    return found


def _indicators(sums: Sums, drawn: Resamples) -> Named:
    """The loading of log use, in loadings of the others, whose scale is their spread of before.

    Of one factor, a covariance is the product of two loadings and the factor's variance: that of
    the metric with the others, over that of the others among themselves, has no variance of the
    factor in it.
    """
    before = sums.products[:, ::2, :, :].sum(axis=(0, 1))
    scale = np.sqrt(np.diag(before) / sums.freedom[:, ::2].sum())
    scale[0] = 1.0
    S = _totals(drawn, sums.products) / np.outer(scale, scale)
    k = S.shape[-1] - 1
    upper = np.triu_indices(k, 1)
    among = S[:, :, 1:, 1:][:, :, upper[0], upper[1]]
    across = S[:, :, 0, 1:]
    loading = across.mean(axis=2) / among.mean(axis=2)
    yield from _decay("loading", loading)
    freedom = _totals(drawn, sums.freedom)
    yield from ((f"shared {cell}", among.mean(axis=2)[:, i] / freedom[:, i])
                for i, cell in enumerate(CELLS))  # fmt: skip
    pairs = (across[:, :, upper[0]] * across[:, :, upper[1]]).sum(axis=2) / among.sum(axis=2)
    yield "change of communality", _change(pairs / S[:, :, 0, 0])
    yield "inflation", _inflation(sums, drawn, scale, S[:, 0])


def _inflation(sums: Sums, drawn: Resamples, scale: FloatArray, S: FloatArray) -> FloatArray:
    """Change of mean log use beyond what the others' means account for, at the loading of before.

    With each other as the marker in turn, whose loading on it is told from the rest.
    """
    means = _totals(drawn, sums.totals) / _totals(drawn, sums.rows)[:, :, None] / scale
    moved = np.stack([_change(means[:, :, j]) for j in range(means.shape[2])], axis=1)
    ratios = []
    for j in range(1, len(scale)):
        rest = [i for i in range(1, len(scale)) if i != j]
        ratios.append(S[:, 0, rest].sum(axis=1) / S[:, j, rest].sum(axis=1))
    accounted = np.mean([r * moved[:, j + 1] for j, r in enumerate(ratios)], axis=0)
    return np.asarray(moved[:, 0] - accounted)


def _ends(sums: Sums, drawn: Resamples) -> Named:
    share = _totals(drawn, sums.totals)[:, :, 0] / _totals(drawn, sums.rows)
    yield from ((f"ends {cell}", share[:, i]) for i, cell in enumerate(CELLS))
    yield "change of ends", _change(share)


def _decay(name: str, four: FloatArray) -> Named:
    """Four values, what would have been left, and how much of that is lost."""
    yield from ((f"{name} {cell}", four[:, i]) for i, cell in enumerate(CELLS))
    kept = four[:, 0] + four[:, 3] - four[:, 2]
    yield f"{name} kept", kept
    yield f"{name} change", four[:, 1] - kept
    yield f"{name} loss", 1.0 - four[:, 1] / kept


def _change(four: FloatArray) -> FloatArray:
    """Of the treated, less that of the others."""
    return np.asarray(four[:, 1] - four[:, 0] - four[:, 3] + four[:, 2])


def _totals(drawn: Resamples, values: FloatArray) -> FloatArray:
    """Sums over the firms drawn of values (G, ...): (b, ...)."""
    flat = drawn.total(values.reshape(len(values), -1))
    return flat.reshape(len(flat), *values.shape[1:])


_OF: dict[str, Callable[[Sums, Resamples], Named]] = {
    "use": _use,
    "common": _common,
    "halves": _halves,
    "ratings": _ratings,
    "control": _plain("control"),
    "elsewhere": _plain("elsewhere"),
    "indicators": _indicators,
    "ends": _ends,
}
