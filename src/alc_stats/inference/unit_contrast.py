"""Treated minus control, where whole units (firms, classes, persons) were treated.

Every unit brings sums; an arm's statistic is a function of its units' sums. Leaving out one unit
after another gives the standard error, exchanging units between arms the permutation p: both know
that the unit, not the row, was assigned.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from alc_stats.estimators.estimate import Estimate
from alc_stats.records import BoolArray, FloatArray

ENUMERATED = 2000
"""Up to so many assignments all of them are compared."""


@dataclass(frozen=True, slots=True, eq=False)
class UnitSums:
    """What each unit brings to the comparison of arms.

    The contrast is the sum over channels of weight * (h(N_T / D_T) - h(N_C / D_C)), where N and D
    are an arm's sums and h is the logarithm, or the identity.

    Attributes
    ----------
    numerators, denominators : array (units, channels)
        With `paired`, (units, 2, channels): what each unit brings under control, then treatment.
    weights : array (channels,)
        Such as 0.5 for the log of a variance, and its negative for the period before.
    treated : array (units,) of bool
        Ignored with `paired`.
    log : bool
        Whether h is the logarithm.
    paired : bool
        Whether every unit has both arms.
    """

    numerators: FloatArray
    denominators: FloatArray
    weights: FloatArray
    treated: BoolArray
    log: bool = True
    paired: bool = False

    @property
    def arms(self) -> tuple[int, int]:
        """Units that are treated, and that are not."""
        if self.paired:
            return (len(self.numerators), len(self.numerators))
        return int(self.treated.sum()), int((~self.treated).sum())

    def value(self) -> float:
        """The contrast; nan where an arm's ratio has no logarithm."""
        return float(self.contrast(*self.arm_sums(self.arm_weights()))[0])

    def resampled(self, generator: np.random.Generator, draws: int) -> FloatArray:
        """The contrast in `draws` samples of units, with replacement within arms."""
        counts = resampled_units(self.treated, generator, draws, paired=self.paired)
        treated, control = self.arm_weights()
        return self.contrast(*self.arm_sums((counts * treated, counts * control)))

    def arm_weights(self) -> tuple[FloatArray, FloatArray]:
        """Which units are treated, and which are not, as rows (1, units) of ones and zeros."""
        if self.paired:
            ones = np.ones((1, len(self.numerators)))
            return ones, ones
        return self.treated[None].astype(float), (~self.treated)[None].astype(float)

    def arm_sums(self, counts: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, ...]:
        """Sums (draws, channels) under treatment, then control: numerators and denominators."""
        if self.paired:
            under = [(self.numerators[:, a], self.denominators[:, a]) for a in (1, 0)]
        else:
            under = [(self.numerators, self.denominators)] * 2
        return tuple(c @ part for c, pair in zip(counts, under, strict=True) for part in pair)

    def contrast(
        self, nt: FloatArray, dt: FloatArray, nc: FloatArray, dc: FloatArray
    ) -> FloatArray:
        """The contrast (draws,) from sums (draws, channels) as `arm_sums` gives them."""
        with np.errstate(divide="ignore", invalid="ignore"):
            treated, control = nt / dt, nc / dc
            if self.log:
                treated, control = (
                    np.log(np.where(ratio > 0.0, ratio, np.nan)) for ratio in (treated, control)
                )
            return np.asarray((treated - control) @ self.weights)


def resampled_units(
    treated: BoolArray, generator: np.random.Generator, draws: int, *, paired: bool = False
) -> FloatArray:
    """How often each unit occurs (draws, units) in samples with replacement, arm by arm.

    With `paired` every unit has both arms, and all are drawn together.
    """
    counts = np.zeros((draws, len(treated)))
    for arm in [np.ones(len(treated), bool)] if paired else [treated, ~treated]:
        size = int(arm.sum())
        counts[:, arm] = generator.multinomial(size, np.full(size, 1.0 / size), size=draws)
    return counts


def unit_contrast(sums: UnitSums, *, name: str, unit: str = "log SD") -> Estimate:
    """The contrast with the standard error that leaving out one unit after another gives.

    Arms add their own variances, with Welch and Satterthwaite's degrees of freedom; where the
    contrast is a difference of unit means this is Welch's t exactly, and with `paired` the paired
    t.

    Examples
    --------
    >>> sums = UnitSums(np.array([[1.0], [2.0], [4.0], [5.0]]), np.ones((4, 1)), np.ones(1),
    ...                 np.array([False, False, True, True]), log=False)
    >>> e = unit_contrast(sums, name="difference")
    >>> e.value, round(e.se, 6), e.df
    (3.0, 0.707107, 2.0)
    """
    without = _leave_one_out(sums)
    groups = [np.ones(len(without), bool)] if sums.paired else [sums.treated, ~sums.treated]
    parts = [_jackknife(without[g]) for g in groups]
    total = sum(v for v, _ in parts)
    shares = sum(v**2 / free for v, free in parts if free > 0)
    df = total**2 / shares if shares > 0.0 else math.nan
    return Estimate(name, sums.value(), math.sqrt(total), df, unit)


def _leave_one_out(sums: UnitSums) -> FloatArray:
    n = len(sums.numerators)
    kept = 1.0 - np.eye(n)
    treated, control = sums.arm_weights()
    return sums.contrast(*sums.arm_sums((kept * treated, kept * control)))


def _jackknife(without: FloatArray) -> tuple[float, int]:
    n = without.size
    if n < 2:
        return math.nan, 0
    return (n - 1) / n * float(np.sum((without - without.mean()) ** 2)), n - 1


@dataclass(frozen=True, slots=True)
class Permutation:
    """A permutation test of no difference between arms.

    Attributes
    ----------
    value : float
        The contrast as it was seen.
    p : float
        Two-sided: the share of assignments that make a contrast at least as large; the one that
        was made counts among them.
    assignments : int
        Compared.
    enumerated : bool
        Whether these are all there are.
    """

    value: float
    p: float
    assignments: int
    enumerated: bool


def permutation_test(
    sums: UnitSums, *, generator: np.random.Generator, draws: int = 999
) -> Permutation:
    """Exchange whole units between arms (with `paired`, the two arms within units).

    Examples
    --------
    >>> sums = UnitSums(np.array([[1.0], [2.0], [4.0], [5.0]]), np.ones((4, 1)), np.ones(1),
    ...                 np.array([False, False, True, True]), log=False)
    >>> permutation_test(sums, generator=np.random.default_rng(1)).p
    0.3333333333333333
    """
    seen = sums.value()
    every = _count(sums) <= ENUMERATED
    drawn = _contrasts(sums, _all(sums) if every else _drawn(sums, generator, draws))
    drawn = drawn[np.isfinite(drawn)]
    extreme = int(np.sum(np.abs(drawn) >= abs(seen) * (1.0 - 1e-12)))
    if not math.isfinite(seen) or drawn.size == 0:
        return Permutation(seen, math.nan, int(drawn.size), every)
    p = extreme / drawn.size if every else (1 + extreme) / (1 + drawn.size)
    return Permutation(seen, p, int(drawn.size), every)


def _count(sums: UnitSums) -> float:
    n = len(sums.numerators)
    return 2.0**n if sums.paired else float(math.comb(n, sums.arms[0]))


def _all(sums: UnitSums) -> BoolArray:
    n = len(sums.numerators)
    if sums.paired:
        return np.array(list(itertools.product([True, False], repeat=n)))
    chosen = list(itertools.combinations(range(n), sums.arms[0]))
    labels = np.zeros((len(chosen), n), bool)
    labels[np.arange(len(chosen))[:, None], np.array(chosen)] = True
    return labels


def _drawn(sums: UnitSums, generator: np.random.Generator, draws: int) -> BoolArray:
    n = len(sums.numerators)
    if sums.paired:
        return generator.random((draws, n)) < 0.5
    return np.argsort(generator.random((draws, n)), axis=1) < sums.arms[0]


def _contrasts(sums: UnitSums, labels: BoolArray) -> FloatArray:
    """The contrast under each assignment (assignments, units); True is treated or as it was."""
    a, b = labels.astype(float), (~labels).astype(float)
    if not sums.paired:
        return sums.contrast(*sums.arm_sums((a, b)))
    treated, control = (
        [a @ part[:, i] + b @ part[:, 1 - i] for part in (sums.numerators, sums.denominators)]
        for i in (1, 0)
    )
    return sums.contrast(*treated, *control)
