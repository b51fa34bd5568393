"""Differences of two columns within a formula: found, explained, refused unless allowed.

Edwards (1994, 2001): in ``y ~ I(a - b)`` the one slope says that a and b act with the same size and
opposite signs, which is a hypothesis and not a fact; in ``I(a - b) ~ x`` the one slope mixes the
effect on a with that on b; and a difference of two measures that go together is less reliable than
either. A change score, the same measure later and earlier, is another matter: it is what a
difference in differences compares, and `allow_difference_score=True` lets it pass.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from alc_stats.errors import FormulaError, Problem

if TYPE_CHECKING:
    from alc_stats.estimators.formula import Formula

OBJECTION = (
    "is a difference score: it holds the effects of the two to one size with opposite signs, mixes "
    "them where it is the outcome, and is less reliable than either (Edwards 1994, 2001)"
)
WAY_OUT = (
    "For an outcome, model both in one stacked model (alc_stats.gap); for a predictor, enter both "
    "by themselves, with squares and product as a response surface. If it is a change score, the "
    "same measure later minus earlier, or the two are parts of one amount, pass "
    "allow_difference_score=True: the result then says so."
)
STAMP = (
    "DIFFERENCE SCORE '{piece}': its one effect mixes those of both columns, which may differ "
    "in size and sign, and its reliability is below theirs (Edwards 1994, 2001)."
)


def differences(tree: ast.expr, columns: Mapping[str, str]) -> Iterator[ast.expr]:
    """Arithmetic within brackets, I(...), {...} or log(...), that takes one column from another.

    `columns` maps what columns are called in the tree to their names. Outside such
    arithmetic a minus leaves a term out of the formula.
    """
    for node in ast.walk(tree):
        inside = node.args if isinstance(node, ast.Call) else []
        inside = node.elts if isinstance(node, ast.Set) else inside
        for arithmetic in inside:
            yield from _within(arithmetic, columns)


def takes(node: ast.expr, columns: Mapping[str, str]) -> bool:
    """Whether a sum takes one column from another."""
    named = [(sign, _names(term, columns)) for sign, term in _terms(node, 1)]
    added = {c for sign, names in named if sign > 0 for c in names}
    taken = {c for sign, names in named if sign < 0 for c in names}
    return any(a != t for a in added for t in taken)


def _within(node: ast.expr, columns: Mapping[str, str]) -> Iterator[ast.expr]:
    """Sums in `node`, from the outside in, that take one column from another."""
    if takes(node, columns):
        yield node
        return
    for _, term in _terms(node, 1):
        for child in ast.iter_child_nodes(term):
            if isinstance(child, ast.expr) and not isinstance(term, ast.Call):
                yield from _within(child, columns)


def _terms(node: ast.expr, sign: int) -> Iterator[tuple[int, ast.expr]]:
    """The terms of a sum with the signs they are added with."""
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() as operator, right):
            yield from _terms(left, sign)
            yield from _terms(right, -sign if isinstance(operator, ast.Sub) else sign)
        case ast.UnaryOp(ast.USub(), inner):
            yield from _terms(inner, -sign)
        case ast.BinOp(ast.UnaryOp(ast.USub(), ast.Constant()), ast.Mult(), inner):
            yield from _terms(inner, -sign)
        case _:
            yield sign, node


def _names(node: ast.expr, columns: Mapping[str, str]) -> Iterator[str]:
    return (columns[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in columns)


def refuse_differences(formula: Formula, *, allowed: bool) -> None:
    """Raise a FormulaError with the objection for every difference score, unless allowed."""
    if formula.differences and not allowed:
        raise FormulaError(
            *(
                Problem(f"'{p}' {OBJECTION}", where=f"formula '{formula.text}'", way_out=WAY_OUT)
                for p in formula.differences
            )
        )


def stamps(*formulas: Formula) -> tuple[str, ...]:
    """What results carry that rest on difference scores."""
    return tuple(STAMP.replace("{piece}", piece) for f in formulas for piece in f.differences)
