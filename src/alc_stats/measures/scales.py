"""Multi-item scales: the person's mean, and how reliable it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError
from alc_stats.measures.columns import numbers
from alc_stats.measures.one_factor import OneFactor, influence, one_factor

_NORMAL_95 = 1.959963984540054
_FEWEST_STEPS = 5
"""Fewer steps than this are no linear measure of a trait (Rhemtulla and others 2012)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A multi-item scale and its reliability.

    Attributes
    ----------
    id, label : str
    items : tuple of str
    alpha : float
        Cronbach's alpha of the keyed items.
    alpha_low, alpha_high : float
        Its 95 % interval (Feldt, Woodruff & Salih, 1987).
    n : int
        Rows with an answer to every item: what alpha and omega were computed from.
    reversed_items : tuple of str
    omega : float or None
        McDonald's omega total of the keyed items, from a one-factor model.
    omega_low, omega_high : float or None
        Its 95 % interval.
    note : str
        Why there is no omega, or what speaks against reading it.
    """

    id: str
    label: str
    items: tuple[str, ...]
    alpha: float
    alpha_low: float
    alpha_high: float
    n: int
    reversed_items: tuple[str, ...] = ()
    omega: float | None = None
    omega_low: float | None = None
    omega_high: float | None = None
    note: str = ""


def score(
    frame: pd.DataFrame,
    items: Sequence[str],
    *,
    range: tuple[float, float],  # noqa: A002 - the word of study.toml
    reversed_items: Sequence[str] = (),
    min_answered: int | None = None,
) -> pd.Series:
    """The mean of a person's keyed answers; missing with fewer than `min_answered` of them.

    Parameters
    ----------
    frame : DataFrame (n rows)
    items : k column names
    range : (lowest, highest) possible answer
        An answer x to a reversed item counts as lowest + highest - x.
    reversed_items : sequence of str
    min_answered : int, optional
        By default all k: nothing is filled in unless it was declared.

    Returns
    -------
    Series (n,)
        On the items' own scale, with the frame's index.

    Raises
    ------
    DeclarationError
        If the items, the reversed ones, the range or `min_answered` do not fit together.
    TableError
        If an item is not numeric or an answer lies outside the range.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [5, 1], "b": [1, 2], "c": [4, None]})
    >>> score(answers, ["a", "b", "c"], range=(1, 5), reversed_items=["b"], min_answered=2).tolist()
    [4.666666666666667, 2.5]
    """
    needed = len(items) if min_answered is None else min_answered
    if not 1 <= needed <= max(len(items), 1):
        raise DeclarationError(
            Problem(
                "min_answered does not fit the scale",
                where=_named(items),
                found=str(needed),
                allowed=f"1 to {len(items)}",
            )
        )
    keyed = keyed_answers(frame, items, reversed_items=reversed_items, bounds=range)
    return keyed.mean(axis=1).where(keyed.notna().sum(axis=1) >= needed)


def reliability(
    frame: pd.DataFrame,
    items: Sequence[str],
    *,
    range: tuple[float, float],  # noqa: A002 - the word of study.toml
    reversed_items: Sequence[str] = (),
    id: str = "",  # noqa: A002 - the word of study.toml
    label: str = "",
) -> Scale:
    """Cronbach's alpha and McDonald's omega with 95 % intervals, from rows without a gap.

    Omega is the share of one common factor in the variance of the items' sum (McDonald 1999),
    from the maximum-likelihood one-factor model of the items' covariances. It is alpha where all
    loadings are equal, and larger where they are not; both assume errors that do not go together.
    Its interval is symmetric in log(omega / (1 - omega)), with a standard error from the answers'
    fourth moments, since answers on a few steps are not normal.

    Omega here is that of the mean of the answers as they were given, which is what regressions
    on the score and corrections of its correlations need. An omega of polychoric correlations is
    that of continuous responses nobody observed, mostly larger (Chalmers 2018); with fewer than
    five steps, or answers piled up at one end, linear loadings themselves are doubtful
    (Rhemtulla, Brosseau-Liard & Savalei 2012), and `note` says so.

    Parameters
    ----------
    frame, items, range, reversed_items
        As for `score`.
    id, label : str
        The scale's name in the study and for readers.

    Raises
    ------
    DeclarationError
        If there are fewer than two items, or they do not fit together.
    TableError
        If an item is not numeric, is constant or has answers outside the range, or if fewer than
        three rows answer every item.

    References
    ----------
    Chalmers, R. P. (2018). On misconceptions and the limited usefulness of ordinal alpha.
    Educational and Psychological Measurement, 78(6), 1056-1071.

    Feldt, L. S., Woodruff, D. J., & Salih, F. A. (1987). Statistical inference for coefficient
    alpha. Applied Psychological Measurement, 11(1), 93-103.

    McDonald, R. P. (1999). Test theory: A unified treatment. Erlbaum.

    Rhemtulla, M., Brosseau-Liard, P. E., & Savalei, V. (2012). When can categorical variables be
    treated as continuous? Psychological Methods, 17(3), 354-373.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(2)
    >>> trait = rng.normal(size=300)
    >>> answers = pd.DataFrame({f"a{i}": trait + rng.normal(size=300) for i in range(4)})
    >>> scale = reliability(answers, list(answers), range=(-9, 9))
    >>> round(scale.alpha, 2), round(scale.omega, 2)
    (0.8, 0.8)
    """
    from pingouin import cronbach_alpha

    if len(items) < 2:
        raise DeclarationError(
            Problem(
                "reliability needs two items or more", where=_named(items), found=str(len(items))
            )
        )
    keyed = keyed_answers(frame, items, reversed_items=reversed_items, bounds=range).dropna()
    _refuse_uninformative(keyed, items)
    # pingouin rounds its interval to three digits: the interval is computed here
    alpha = float(cronbach_alpha(keyed)[0])
    low, high = feldt_interval(alpha, n=len(keyed), k=len(items))
    omega = _omega(keyed, items)
    return Scale(
        id, label, tuple(items), alpha, low, high, len(keyed), tuple(reversed_items),
        omega.value, omega.low, omega.high, omega.note,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Omega:
    """Omega with its limits, or the reason that there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


def _omega(keyed: pd.DataFrame, items: Sequence[str]) -> _Omega:
    """Omega of complete keyed answers."""
    values = keyed.to_numpy(float)
    try:
        model = one_factor(values, items)
    except FitError as error:
        problem = error.problems[0]
        found = f" ({problem.found})" if problem.found else ""
        return _Omega(note=f"No omega: {problem.what}{found}.")
    value = model.omega
    if not 0.0 < value < 1.0:
        return _Omega(note="No omega: the loadings cancel out; see which items are reversed.")
    se = float(np.sqrt(np.mean(influence(model, values) ** 2) / len(values)))
    odds, half = np.log(value / (1.0 - value)), _NORMAL_95 * se / (value * (1.0 - value))
    low, high = (float(1.0 / (1.0 + np.exp(-limit))) for limit in (odds - half, odds + half))
    return _Omega(value, low, high, _doubts(model, keyed))


def _doubts(model: OneFactor, keyed: pd.DataFrame) -> str:
    """What speaks against the one-factor model of answers as numbers."""
    against = [str(item) for item, own in zip(keyed, model.loadings, strict=True) if own < 0.0]
    few = [str(item) for item in keyed if keyed[item].nunique() < _FEWEST_STEPS]
    notes = []
    if against:
        notes.append(f"Against the others: {', '.join(against)}; see which items are reversed.")
    if few:
        notes.append(f"Fewer than five different answers: {', '.join(few)}; loadings of such "
                     "items are too small in a linear model.")  # fmt: skip
    return " ".join(notes)


def feldt_interval(alpha: float, *, n: int, k: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of alpha from `n` people and `k` items (Feldt, Woodruff & Salih, 1987, eq. 8).

    (1 - alpha_population) / (1 - alpha) is F distributed on (n - 1)(k - 1) and n - 1 degrees of
    freedom if the items are parallel and normal.

    Examples
    --------
    >>> [round(limit, 3) for limit in feldt_interval(0.8, n=41, k=10)]
    [0.695, 0.88]
    """
    from scipy import stats

    tail = (1.0 - level) / 2.0
    df = (n - 1, (n - 1) * (k - 1))
    low, high = (1.0 - (1.0 - alpha) * stats.f.ppf(q, *df) for q in (1.0 - tail, tail))
    return float(low), float(high)


def keyed_answers(
    frame: pd.DataFrame,
    items: Sequence[str],
    *,
    reversed_items: Sequence[str],
    bounds: tuple[float, float],
) -> pd.DataFrame:
    """The answers (n, k) as float64 with the reversed items turned."""
    low, high = bounds
    _check_declaration(items, reversed_items=reversed_items, low=low, high=high)
    answers = numbers(frame, items, where=_named(items))
    _refuse_out_of_range(answers, low=low, high=high)
    return answers.assign(**{item: low + high - answers[item] for item in reversed_items})


def _check_declaration(
    items: Sequence[str], *, reversed_items: Sequence[str], low: float, high: float
) -> None:
    where = _named(items)
    problems = []
    if not items or len(set(items)) < len(items):
        problems.append(Problem("a scale needs items, each named once", where=where))
    strangers = [item for item in reversed_items if item not in items]
    if strangers:
        problems.append(
            Problem(
                "reversed items are not items of the scale", where=where, found=", ".join(strangers)
            )
        )
    if not low < high:
        problems.append(
            Problem(
                "the range of answers is empty",
                where=where,
                found=f"{low} to {high}",
                allowed="lowest below highest",
            )
        )
    if problems:
        raise DeclarationError(*problems)


def _refuse_out_of_range(answers: pd.DataFrame, *, low: float, high: float) -> None:
    strange = {item: column[(column < low) | (column > high)] for item, column in answers.items()}
    problems = [
        Problem(
            f"item '{item}' has answers outside the range",
            where=_named([str(name) for name in answers.columns]),
            found=f"{len(values)} rows, such as {values.iloc[0]:g}",
            allowed=f"{low:g} to {high:g}",
            way_out="Correct the range, or declare the code as missing in the schema.",
        )
        for item, values in strange.items()
        if len(values)
    ]
    if problems:
        raise TableError(*problems)


def _refuse_uninformative(keyed: pd.DataFrame, items: Sequence[str]) -> None:
    if len(keyed) < 3:
        raise TableError(
            Problem(
                "too few rows answer every item",
                where=_named(items),
                found=str(len(keyed)),
                allowed="3 or more",
            )
        )
    constant = [item for item in items if keyed[item].min() == keyed[item].max()]
    if constant:
        raise TableError(
            *(
                Problem(
                    f"item '{item}' has one answer only",
                    where=_named(items),
                    way_out="Leave it out of the scale.",
                )
                for item in constant
            )
        )


def _named(items: Sequence[str]) -> str:
    return f"scale of {', '.join(items)}"
