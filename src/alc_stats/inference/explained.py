"""R-squared of mixed models, part by part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.estimators.kernels.lmm_model import Factor
from alc_stats.estimators.kernels.lmm_problem import nested_in
from alc_stats.estimators.lmm_terms import RandomPart
from alc_stats.estimators.memory import mixed_state
from alc_stats.inference.draws import Fitted, fitted, require_unweighted
from alc_stats.records import FloatArray, Number, Phrase

Source = Literal["fixed", "fixed within", "fixed between", "slopes", "means", "residual"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the outcome's modelled variance.

    Attributes
    ----------
    source : {"fixed", "fixed within", "fixed between", "slopes", "means", "residual"}
        "slopes": random effects' differences within the levels of `group`; "means": their
        differences between the levels' means. "fixed" is the whole fixed part, where several
        groupings cross and no one split is theirs.
    group : str
        The grouping; empty for "fixed" and "residual".
    variance : float
    share : float
        Of the sum of all parts.
    """

    source: Source
    group: str
    variance: float
    share: float


@dataclass(frozen=True, slots=True)
class R2:
    """Shares of the outcome's modelled variance.

    Attributes
    ----------
    parts : tuple of Part
        They add up to one.
    marginal : float
        Share of the fixed part: Nakagawa and Schielzeth's (2013) marginal R-squared.
    conditional : float
        Share of the fixed part and the random effects: their conditional R-squared, with random
        slopes as Johnson (2014) extends it.
    within, between : float or None
        With a single grouping: share of the variance within its levels that the fixed part
        takes up there, and of the variance between its levels' means; None with several, or
        where there is no variance to share.
    sentence : Phrase
    """

    parts: tuple[Part, ...]
    marginal: float
    conditional: float
    within: float | None
    between: float | None
    sentence: Phrase

    def share(self, source: Source, group: str = "") -> float:
        """Share of a source, over all groupings or one; zero for a part the model has not."""
        return sum(
            part.share for part in self.parts if part.source == source and group in ("", part.group)
        )


def r2(fit: Fit) -> R2:
    """Split the outcome's modelled variance into fixed, random and residual parts.

    Rights and Sterba's (2019) decomposition: what the fixed part explains within and between the
    levels of a grouping (f1, f2), slope variation (v), mean variation (m) and the residual. It is
    taken from the rows: a level's mean of the fixed part, and of the random columns, is
    "between", the distance from it "within". With predictors centred within levels these are
    their formulas; without, the split stays exact and does not depend on where a column has its
    origin or unit. Nested groupings split the fixed part level by level; crossed ones leave it
    whole. Every variance is of the model, none is a difference of two models, so that every share
    lies in [0, 1].

    The fixed part's variance has divisor n - 1, that of the random effects n, as in Nakagawa,
    Johnson and Schielzeth (2017).

    Parameters
    ----------
    fit : Fit
        A mixed model of the session, REML or ML.

    Returns
    -------
    R2

    Raises
    ------
    FitError
        For a fit that is not usable, has no random terms or no longer remembers its rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [4.0, 6, 5, 9, 8, 10, 2, 3, 1], "g": list("aaabbbccc"),
    ...                      "x": [0.0, 1, 2, 1, 0, 2, 2, 1, 0]})
    >>> found = r2(fit("y ~ x + (1 | g)", data))
    >>> round(found.marginal, 3), round(found.conditional, 3), found.share("fixed between")
    (0.025, 0.949, 0.0)
    """
    require_usable(fit)
    random = mixed_state(fit).random
    require_unweighted(fit, "share explained")
    model = fitted(fit)
    variances = [
        *_fixed_parts(model, random),
        *_random_parts(model, random),
        ("residual", "", model.sigma**2),
    ]
    total = sum(variance for _, _, variance in variances)
    parts = tuple(Part(source, group, v, v / total) for source, group, v in variances)
    marginal = sum(part.share for part in parts if part.source.startswith("fixed"))
    conditional = 1.0 - parts[-1].share
    single = len(random.groups) == 1
    return R2(
        parts=parts,
        marginal=marginal,
        conditional=conditional,
        within=_explained(parts, "fixed within", ("slopes", "residual")) if single else None,
        between=_explained(parts, "fixed between", ("means",)) if single else None,
        sentence=Phrase(
            "The fixed part accounts for {marginal} of the variance, fixed and random parts "
            "together for {conditional}.",
            {"marginal": Number(marginal, "share"), "conditional": Number(conditional, "share")},
        ),
    )


def _fixed_parts(model: Fitted, random: RandomPart) -> list[tuple[Source, str, float]]:
    """Variance of the fixed part: within the finest grouping, between the levels of each."""
    explained = model.explained
    chain = _chain(random)
    if chain is None:
        return [("fixed", "", float(np.var(explained, ddof=1)))]
    means = [explained, *(_level_means(explained, random.factors[f]) for f in chain)]
    means.append(np.zeros(len(explained)))
    inside = [
        float(np.sum((fine - coarse) ** 2)) / (len(explained) - 1)
        for fine, coarse in itertools.pairwise(means)
    ]
    groups = [random.groups[f] for f in chain]
    between: list[tuple[Source, str, float]] = [
        ("fixed between", group, variance)
        for group, variance in zip(groups, inside[1:], strict=True)
    ]
    return [("fixed within", groups[0], inside[0]), *between]


def _chain(random: RandomPart) -> list[int] | None:
    """Groupings from the finest to the coarsest, if every one is nested in the next."""
    order = sorted(range(len(random.factors)), key=lambda f: -random.factors[f].levels)
    nested = all(
        nested_in(random.factors[a], random.factors[b]) for a, b in itertools.pairwise(order)
    )
    return order if nested else None


def _random_parts(model: Fitted, random: RandomPart) -> list[tuple[Source, str, float]]:
    """Slope and mean variation of every grouping: E z'Sz within levels and of level means."""
    found: list[tuple[Source, str, float]] = []
    for group, factor, loads in zip(random.groups, random.factors, model.loads, strict=True):
        means = np.column_stack([_level_means(column, factor) for column in loads.T])
        slopes = float(np.sum((loads - means) ** 2)) / len(loads)
        if factor.size > 1 or np.any(factor.Z[0] != factor.Z):
            found.append(("slopes", group, slopes))
        found.append(("means", group, float(np.sum(means**2)) / len(loads)))
    return found


def _level_means(values: FloatArray, factor: Factor) -> FloatArray:
    """Every row's level mean (n,) of `values` (n,)."""
    sums = np.bincount(factor.codes, values, factor.levels)
    sizes = np.bincount(factor.codes, minlength=factor.levels)
    return np.asarray((sums / sizes)[factor.codes])


def _explained(parts: tuple[Part, ...], own: Source, others: tuple[Source, ...]) -> float | None:
    """A part's share of itself and others."""
    explained = sum(part.variance for part in parts if part.source == own)
    rest = sum(part.variance for part in parts if part.source in others)
    return explained / (explained + rest) if explained + rest > 0.0 else None
