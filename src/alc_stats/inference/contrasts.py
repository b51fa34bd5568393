"""Linear combinations of coefficients, written as a reader would write them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from alc_stats.errors import FitError, FormulaError, Problem, did_you_mean
from alc_stats.estimators.combination import combine, denominator
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.fit import Fit, require_usable
from alc_stats.records import FloatArray

_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+")
_UNKNOWN = re.compile(r"`[^`]*`|[^\s+*/=-]+")


@dataclass(frozen=True, slots=True)
class JointTest:
    """F test that several coefficients are zero together."""

    terms: tuple[str, ...]
    statistic: float
    df1: int
    df2: float
    p: float


@dataclass(frozen=True, slots=True)
class Line:
    """A linear function of the coefficients: weights (k,) and a constant."""

    weights: FloatArray
    constant: float

    def plus(self, other: Line, sign: float) -> Line:
        """The sum with `sign` times another."""
        return Line(self.weights + sign * other.weights, self.constant + sign * other.constant)

    def times(self, factor: float) -> Line:
        """A multiple."""
        return Line(self.weights * factor, self.constant * factor)


def contrast(fit: Fit, expression: str) -> Estimate:
    """A linear combination of coefficients; with "= value", its distance from that value.

    Parameters
    ----------
    fit : Fit
        Its certificate must be usable.
    expression : str
        Coefficient names as the fit prints them, numbers, + - * / ( ) and at most one =, such
        as "GPTTutor - GPTBase", "2*a + b = 1" or "arm[T.mandate]:post". A name that could be
        read in two ways may stand in backticks. Coefficients of a spread are called with their
        unit, `log_sd.mandate`.

    Returns
    -------
    Estimate
        Named as written. Its degrees of freedom are those of the very combination
        (Satterthwaite's or Kenward and Roger's for mixed models, CR2's for clustered least
        squares) as long as the fit remembers its rows; read from disk, the smallest among the
        coefficients involved, which is exact when they agree and conservative otherwise.

    Raises
    ------
    FitError
        If the fit's certificate is not usable.
    FormulaError
        For unknown names or an expression that is not linear.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "arm": ["a", "a", "b", "b", "c", "c"]})
    >>> round(contrast(fit("y ~ arm", data), "arm[T.c] - arm[T.b]").value, 6)
    3.5
    """
    require_usable(fit)
    line = read_contrast(expression, fit)
    combined = combine(fit, line.weights[None])
    return Estimate(
        name=expression,
        value=float(combined.values[0]) + line.constant,
        se=float(combined.se[0]),
        df=float(combined.df[0]),
        unit=_unit(fit, line.weights),
    )


def joint(fit: Fit, terms: Sequence[str]) -> JointTest:
    """F test that every coefficient (or contrast) in `terms` is zero.

    Mixed models have Satterthwaite's denominator degrees of freedom (Fai and Cornelius 1996), or
    Kenward and Roger's (1997) with their scaled F, as long as the fit remembers its rows; otherwise
    they are the smallest among the coefficients involved.

    Raises
    ------
    FitError
        If the fit's certificate is not usable, or the terms are not linearly independent.
    FormulaError
        For unknown names.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "arm": ["a", "a", "b", "b", "c", "c"]})
    >>> test = joint(fit("y ~ arm", data), ["arm[T.b]", "arm[T.c]"])
    >>> round(test.statistic, 3), test.df1, test.df2
    (15.5, 2, 3.0)
    """
    require_usable(fit)
    lines = [read_contrast(term, fit) for term in terms]
    L = np.array([line.weights for line in lines])
    value = L @ fit.estimates + np.array([line.constant for line in lines])
    covariance = L @ fit.vcov @ L.T
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(lines):
        raise FitError(
            Problem(
                "the terms cannot be tested together",
                found=", ".join(terms),
                way_out="Leave out those that follow from the others.",
            )
        )
    below = denominator(fit, L)
    statistic = below.scale * float(value @ np.linalg.solve(covariance, value)) / len(lines)
    p = (
        stats.f.sf(statistic, len(lines), below.df)
        if np.isfinite(below.df)
        else stats.chi2.sf(statistic * len(lines), len(lines))
    )
    return JointTest(tuple(terms), statistic, len(lines), below.df, float(p))


def _unit(fit: Fit, weights: FloatArray) -> str:
    """Log SD for spreads, log odds in a logistic model; a mixture has no unit of its own."""
    if fit.request.family == "binomial":
        return "log odds"
    involved = {part for part, weight in zip(fit.components, weights, strict=True) if weight}
    return "" if "mean" in involved else "log SD"


def read_contrast(expression: str, fit: Fit) -> Line:
    """The expression as weights on the fit's coefficients.

    Raises
    ------
    FormulaError
        For unknown names, an expression that is not linear, or one without a coefficient.
    """
    position = {label: i for i, label in enumerate(fit.labels)}
    sides = _substituted(expression, position).split("=")
    if len(sides) > 2:
        raise _error(expression, "a contrast has at most one '='")
    lines = [_side(expression, side, len(fit.names)) for side in sides]
    line = lines[0] if len(lines) == 1 else lines[0].plus(lines[1], -1.0)
    if not line.weights.any():
        raise FormulaError(
            Problem("no coefficient is left in the contrast", where=f"'{expression}'")
        )
    return line


def _substituted(expression: str, position: Mapping[str, int]) -> str:
    """The expression with every coefficient's name replaced by b0, b1, ... (longest first)."""
    names = sorted(position, key=len, reverse=True)
    out, at, unknown = [], 0, []
    while at < len(expression):
        name = next((n for n in names if _stands_at(expression, at, n)), None)
        number = _NUMBER.match(expression, at)
        quoted = re.compile(r"`([^`]*)`").match(expression, at)
        if name is not None:
            out.append(f" b{position[name]} ")
            at += len(name)
        elif quoted is not None and quoted[1] in position:
            out.append(f" b{position[quoted[1]]} ")
            at = quoted.end()
        elif number is not None:
            out.append(number[0])
            at = number.end()
        elif expression[at] in " +-*/()=":
            out.append(expression[at])
            at += 1
        else:
            piece = _UNKNOWN.match(expression, at)
            unknown.append(piece[0] if piece else expression[at])
            at += len(unknown[-1])
    if unknown:
        raise FormulaError(*(_unknown(expression, name, position) for name in unknown))
    return "".join(out)


def _stands_at(expression: str, at: int, name: str) -> bool:
    """Whether `name` stands at `at` as a whole name, not as the start of a longer one."""
    following = expression[at + len(name) : at + len(name) + 1]
    return expression.startswith(name, at) and not (following.isalnum() or following in set("_.[:"))


def _unknown(expression: str, name: str, position: Mapping[str, int]) -> Problem:
    return Problem(
        f"the fit has no coefficient '{name.strip('`')}'",
        where=f"contrast '{expression}'",
        way_out=did_you_mean(name.strip("`"), position),
    )


def _error(expression: str, what: str) -> FormulaError:
    return FormulaError(
        Problem(
            what,
            where=f"contrast '{expression}'",
            allowed="coefficient names, numbers, + - * / ( ) and one =",
        )
    )


def _side(expression: str, side: str, size: int) -> Line:
    try:
        tree = ast.parse(side.strip(), mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        raise _error(expression, "the contrast cannot be read") from None
    return _linear(expression, tree, size)


def _linear(expression: str, node: ast.expr, size: int) -> Line:
    match node:
        case ast.Name(name):
            return Line(np.eye(size)[int(name[1:])], 0.0)
        case ast.Constant(int() | float() as value):
            return Line(np.zeros(size), float(value))
        case ast.UnaryOp(ast.USub(), inner):
            return _linear(expression, inner, size).times(-1.0)
        case ast.UnaryOp(ast.UAdd(), inner):
            return _linear(expression, inner, size)
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as operator, right):
            sides = _linear(expression, left, size), _linear(expression, right, size)
            return _combined(expression, *sides, operator)
        case _:
            raise _error(expression, "the contrast cannot be read")


def _combined(expression: str, left: Line, right: Line, operator: ast.operator) -> Line:
    if isinstance(operator, ast.Add | ast.Sub):
        return left.plus(right, 1.0 if isinstance(operator, ast.Add) else -1.0)
    if isinstance(operator, ast.Mult) and not left.weights.any():
        return right.times(left.constant)
    if right.weights.any():
        raise _error(expression, "the contrast is not linear in the coefficients")
    if isinstance(operator, ast.Mult):
        return left.times(right.constant)
    if right.constant == 0.0:
        raise _error(expression, "the contrast divides by zero")
    return left.times(1.0 / right.constant)
