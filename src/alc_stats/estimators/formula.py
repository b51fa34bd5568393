"""lme4's formula grammar as a frozen record, checked before anything evaluates it.

::

    outcome ~ fixed part + (random columns | grouping) + ...

    fixed part       columns, `quoted columns`, 0, 1, + - : * /, (a + b)**2, C(g),
                     C(g, Treatment("level")), log(x), exp(x), sqrt(x), center(x), scale(x),
                     I(arithmetic), {arithmetic}
    random columns   as the fixed part; an intercept is implied, 0 + x leaves it out
    grouping         g, a:b (combinations), a/b (a and a:b)
    |, ||            correlated, uncorrelated random columns

The text is cut into tokens here and walked with `ast` against this list; nothing else reaches
the formula library, which evaluates arithmetic.
"""

from __future__ import annotations

import ast
import functools
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import NamedTuple

from alc_stats.errors import FormulaError, Problem
from alc_stats.estimators.difference_scores import OBJECTION, WAY_OUT, differences, takes

TRANSFORMS = ("log", "exp", "sqrt", "center", "scale")
ALLOWED = (
    "column names, `quoted names`, 0, 1, + - : * / **, brackets, C(x), "
    'C(x, Treatment("level")), log(x), exp(x), sqrt(x), center(x), scale(x), I(...), {...}, '
    "random terms such as (1 + x | g)"
)
_LARGEST_POWER = 9
"""Powers of brackets beyond it, of more columns than a model can hold, are typing errors."""
_TAKEN = re.compile(
    rf"Intercept|\d[\d.]*|.*[:\[\]].*|(?:{'|'.join((*TRANSFORMS, 'I', 'C'))})\(.*\)"
)
"""Columns called so would be one coefficient with what the formula library itself calls so: the
intercept, 0 and 1, interactions (a:b), levels (g[T.b]) and transformations (log(x))."""
_TOKEN = re.compile(
    r"""\s*(?:(?P<name>`[^`]+`|[^\W\d][\w.]*)
          |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
          |(?P<text>"[^"\\]*"|'[^'\\]*')
          |(?P<mark>\|\||\*\*|[-+:*/()|~{},]))""",
    re.VERBOSE,
)
_NO_OUTCOME = "no_outcome_"
"""What a one-sided formula is given to be read as a whole one."""
_SPACES = re.compile(
    r"""(`[^`]+`|"[^"]*"|'[^']*')|([({])[ ]|[ ](?=[)},:])|(?<!\+)[ ](?=\()|(?<=:)[ ]""", re.VERBOSE
)
"""Spaces that a reader would not write between tokens; those within quotes are part of names."""
_OPENING, _CLOSING = {"(", "{"}, {")", "}"}


class _Token(NamedTuple):
    kind: str
    text: str


class _Bracket(NamedTuple):
    columns: list[_Token]
    bar: _Token
    grouping: list[_Token]


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """One random term: `columns` vary over the levels of `grouping` (several names: their cells).

    `correlated` is False for `||`.
    """

    columns: str
    grouping: tuple[str, ...]
    correlated: bool = True

    @property
    def group(self) -> str:
        """The grouping as text, such as "firm" or "firm:person"."""
        return ":".join(self.grouping)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula taken apart.

    Attributes
    ----------
    text : str
        As written.
    outcome, fixed : str
        What the formula library is given.
    random : tuple of RandomTerm
        `a/b` is already written out as `a` and `a:b`.
    names : tuple of str
        The columns the formula needs, in order of appearance.
    differences : tuple of str
        Arithmetic in it that takes one column from another.
    """

    text: str
    outcome: str
    fixed: str
    random: tuple[RandomTerm, ...]
    names: tuple[str, ...]
    differences: tuple[str, ...] = ()


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Formula:
    """Take a formula apart.

    Raises
    ------
    FormulaError
        Naming the piece that cannot be read and what is allowed.

    Examples
    --------
    >>> parse("y ~ arm*post + (1 + post | firm/person)").random[1]
    RandomTerm(columns='1 + post', grouping=('firm', 'person'), correlated=True)
    """
    tokens = _tokens(text)
    left, right = _sides(text, tokens)
    fixed, groups = _split_random(text, right)
    pieces: list[str] = []
    problems = _check(text, left, _Outcome, pieces) + _check(text, fixed, _Terms, pieces)
    random: list[RandomTerm] = []
    for group in groups:
        random += _random_terms(text, group, problems, pieces)
    names = tuple(dict.fromkeys(_columns(tokens)))
    problems += [
        Problem(
            f"a column may not be called '{name}'",
            where=f"formula '{text}'",
            found="the name of a coefficient, which it would silently replace",
            way_out="Rename the column.",
        )
        for name in names
        if _TAKEN.fullmatch(name)
    ]
    if problems:
        raise FormulaError(*problems)
    return Formula(text, _written(left), _written(fixed), tuple(random), names, tuple(pieces))


def parse_part(text: str, argument: str) -> Formula:
    """Take a one-sided formula apart, such as `scale="~ mandate*post + (1 | person)"`.

    Its random terms are intercepts: a level of its own for every level of a grouping. `argument`
    names it in errors.

    Raises
    ------
    FormulaError
        As `parse`; for an outcome, or random columns other than an intercept.

    Examples
    --------
    >>> part = parse_part("~ mandate + (1 | firm/person)", "scale")
    >>> part.fixed, [term.group for term in part.random]
    ('mandate', ['firm', 'firm:person'])
    """
    if not text.lstrip().startswith("~"):
        raise FormulaError(
            Problem(
                f"{argument} is a one-sided formula",
                where=f"{argument}={text!r}",
                way_out=f'Write {argument}="~ {text.split("~")[-1].strip()}".',
            )
        )
    part = replace(parse(f"{_NO_OUTCOME} {text}"), text=text, outcome="")
    slopes = [term for term in part.random if term.columns != "1"]
    if slopes:
        raise FormulaError(
            Problem(
                "a spread varies over a grouping by a level of its own, not by slopes",
                where=f"{argument}={text!r}",
                found=f"({slopes[0].columns} | {slopes[0].group})",
                allowed="(1 | g), (1 || g), (1 | a/b)",
            )
        )
    return replace(part, names=part.names[1:])


def variables(formula: str) -> tuple[str, ...]:
    """The columns a formula needs, in order of appearance.

    Examples
    --------
    >>> variables("log(minutes) ~ ai * C(task) + `hours worked` + (1 | firm/person)")
    ('minutes', 'ai', 'task', 'hours worked', 'firm', 'person')
    """
    return parse(formula).names


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            piece = stripped[position:].lstrip()
            raise _error(text, f"cannot read the formula at '{piece[:20]}'")
        tokens.append(_Token(str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
    return tokens


def _sides(text: str, tokens: list[_Token]) -> tuple[list[_Token], list[_Token]]:
    tildes = [i for i, token in enumerate(tokens) if token.text == "~"]
    if len(tildes) != 1:
        raise _error(text, "a formula has exactly one '~'", found=f"{len(tildes)}")
    left, right = tokens[: tildes[0]], tokens[tildes[0] + 1 :]
    for side, where in ((left, "left"), (right, "right")):
        if not side:
            raise _error(text, f"nothing stands {where} of '~'")
    return left, right


def _split_random(text: str, tokens: list[_Token]) -> tuple[list[_Token], list[_Bracket]]:
    """The tokens of the fixed part, and every bracket that holds a bar."""
    fixed: list[_Token] = []
    groups: list[_Bracket] = []
    position = 0
    while position < len(tokens):
        end = _closing(text, tokens, position) if tokens[position].text in _OPENING else position
        inside = tokens[position + 1 : end]
        bar = _bar(inside) if tokens[position].text == "(" else None
        if bar is not None and (not fixed or fixed[-1].text == "+"):
            groups.append(_Bracket(inside[:bar], inside[bar], inside[bar + 1 :]))
            fixed = fixed[:-1]
            if not fixed and end + 1 < len(tokens) and tokens[end + 1].text == "+":
                end += 1
        else:
            fixed += tokens[position : end + 1]
        position = end + 1
    return fixed or [_Token("number", "1")], groups


def _closing(text: str, tokens: list[_Token], start: int) -> int:
    depth = 0
    for i in range(start, len(tokens)):
        depth += (tokens[i].text in _OPENING) - (tokens[i].text in _CLOSING)
        if depth == 0:
            return i
    raise _error(text, f"the '{tokens[start].text}' is never closed")


def _bar(tokens: list[_Token]) -> int | None:
    """Position of the bar outside inner brackets."""
    depth = 0
    for i, token in enumerate(tokens):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and token.text in ("|", "||"):
            return i
    return None


def _random_terms(
    text: str, bracket: _Bracket, problems: list[Problem], pieces: list[str]
) -> list[RandomTerm]:
    columns, bar, grouping = bracket
    problems += _check(text, columns, _Terms, pieces)
    names, marks = grouping[::2], grouping[1::2]
    readable = len(names) == len(marks) + 1 and all(n.kind == "name" for n in names)
    if not readable or any(m.text not in (":", "/") for m in marks):
        piece = _written(grouping)
        problems.append(_problem(text, f"cannot group by '{piece}'", allowed="g, a:b, a/b"))
        return []
    correlated = bar.text == "|"
    levels = _nesting([_bare(n.text) for n in names], [m.text for m in marks])
    return [RandomTerm(_written(columns), level, correlated) for level in levels]


def _nesting(names: list[str], marks: list[str]) -> list[tuple[str, ...]]:
    """`a/b` as a, a:b; `a:b` as itself."""
    ends = [i + 1 for i, mark in enumerate(marks) if mark == "/"] + [len(names)]
    return [tuple(names[:end]) for end in ends]


def _columns(tokens: list[_Token]) -> list[str]:
    following = [*(t.text for t in tokens[1:]), ""]
    return [
        _bare(token.text)
        for token, after in zip(tokens, following, strict=True)
        if token.kind == "name" and after != "("
    ]


def _bare(name: str) -> str:
    return name.strip("`")


def _written(tokens: list[_Token]) -> str:
    """The tokens as the formula library reads them; dotted names need its quotes."""
    parts = [
        f"`{t.text}`" if t.kind == "name" and "." in t.text and t.text[0] != "`" else t.text
        for t in tokens
    ]
    return _SPACES.sub(lambda found: found[1] or found[2] or "", " ".join(parts))


def _problem(text: str, what: str, *, allowed: str = ALLOWED, found: str = "") -> Problem:
    return Problem(what, where=f"formula '{text}'", found=found, allowed=allowed)


def _error(text: str, what: str, *, found: str = "") -> FormulaError:
    return FormulaError(_problem(text, what, found=found))


def _check(
    text: str, tokens: list[_Token], grammar: type[_Grammar], pieces: list[str]
) -> list[Problem]:
    """Every piece of `tokens` that `grammar` does not allow; difference scores go to `pieces`."""
    quoted: dict[str, str] = {}
    source = _as_python(tokens, quoted)
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError):
        return [_problem(text, f"cannot read '{_written(tokens)}'")]
    checker = grammar(quoted)
    checker.term(tree)
    pieces += [checker.written(node) for node in differences(tree, quoted)]
    return [_problem(text, what) for what in checker.found]


def _as_python(tokens: list[_Token], quoted: dict[str, str]) -> str:
    """The tokens as Python, columns replaced by neutral names, ':' by '@'."""
    parts = []
    for i, token in enumerate(tokens):
        called = i + 1 < len(tokens) and tokens[i + 1].text == "("
        if token.kind == "name" and not called:
            parts.append(f"column{len(quoted)}_")
            quoted[parts[-1]] = token.text
        else:
            parts.append({":": "@"}.get(token.text, token.text))
    return " ".join(parts)


class _Grammar(ABC):
    """Walks a tree and collects what is not allowed."""

    def __init__(self, quoted: dict[str, str]) -> None:
        self.quoted = quoted
        self.found: list[str] = []

    @abstractmethod
    def term(self, node: ast.expr) -> None:
        """Take one term of the tree, or refuse it."""

    def refuse(self, node: ast.AST, why: str = "is not allowed in a formula") -> None:
        piece = self.written(node)
        if "|" in piece:
            why += "; put random terms in brackets, as in (1 | g), joined by '+'"
        self.found.append(f"'{piece}' {why}")

    def written(self, node: ast.AST) -> str:
        """A piece of the tree as it stands in the formula."""
        piece = ast.unparse(node).replace(" @ ", ":")
        return re.sub(r"column\d+_", lambda found: self.quoted[found[0]], piece)

    def arithmetic(self, node: ast.expr) -> None:
        match node:
            case ast.Name(name) if name in self.quoted:
                pass
            case ast.Constant(value) if isinstance(value, int | float):
                pass
            case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow(), right):
                self.arithmetic(left)
                self.arithmetic(right)
            case ast.UnaryOp(ast.USub() | ast.UAdd(), operand):
                self.arithmetic(operand)
            case ast.Call(ast.Name(function), [argument], []) if function in TRANSFORMS:
                self.arithmetic(argument)
            case _:
                self.refuse(node, "is not allowed in arithmetic")


class _Outcome(_Grammar):
    """One column, or one transformation of columns."""

    def term(self, node: ast.expr) -> None:
        match node:
            case ast.Name(name) if name in self.quoted:
                pass
            case ast.Call(ast.Name(function), [argument], []) if function in (*TRANSFORMS, "I"):
                self.arithmetic(argument)
            case _ if takes(node, self.quoted):
                self.refuse(node, f"{OBJECTION}. {WAY_OUT} Then write I(...) around it")
            case _:
                self.refuse(node, "is not one outcome; write a column, log(y) or I(...)")


class _Terms(_Grammar):
    """The fixed part and the columns of random terms."""

    def term(self, node: ast.expr) -> None:
        match node:
            case ast.Name(name) if name in self.quoted:
                pass
            case ast.Constant(value) if _is_zero_or_one(value):
                pass
            case ast.UnaryOp(ast.USub(), ast.Constant(value)) if _is_zero_or_one(value):
                pass
            case ast.BinOp(left, ast.Pow(), right):
                self.term(left)
                self.power(right)
            case ast.BinOp(
                left, ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.MatMult(), right
            ):
                self.term(left)
                self.term(right)
            case ast.Set([inside]):
                self.arithmetic(inside)
            case ast.Call():
                self.call(node)
            case _:
                self.refuse(node)

    def power(self, node: ast.expr) -> None:
        whole = isinstance(node, ast.Constant) and type(node.value) is int
        if not whole or not 1 <= node.value <= _LARGEST_POWER:  # type: ignore[attr-defined]
            self.refuse(node, f"is not a power: ** takes a whole number from 1 to {_LARGEST_POWER}")

    def call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(ast.Name(function), [argument], []) if function in (*TRANSFORMS, "I"):
                self.arithmetic(argument)
            case ast.Call(ast.Name("C"), [ast.Name(name)], []) if name in self.quoted:
                pass
            case ast.Call(ast.Name("C"), [ast.Name(name), reference], []) if name in self.quoted:
                self.reference(reference)
            case _:
                self.refuse(node)

    def reference(self, node: ast.expr) -> None:
        match node:
            case ast.Call(ast.Name("Treatment"), [ast.Constant(str() | int() | float())], []):
                pass
            case _:
                self.refuse(node, 'is not a coding; write Treatment("level")')


def _is_zero_or_one(value: object) -> bool:
    return type(value) is int and value in (0, 1)
