"""The small language of a schema's rules: its grammar, read into `expressions`; no eval anywhere.

::

    condition  = either ["implies" condition]
    either     = both {"or" both}
    both       = negation {"and" negation}
    negation   = "not" negation | comparison
    comparison = sum [("==" | "!=" | "<" | "<=" | ">" | ">=") sum
                     | ["not"] "in" "[" constant {"," constant} "]"
                     | "is" ["not"] "missing"]
    sum        = product {("+" | "-") product}
    product    = value {("*" | "/") value}
    value      = number | 'text' | "true" | "false" | field | "-" value | "(" condition ")"
               | ("day" | "week" | "month") "(" field ")"

Only values of one kind are compared; a quoted text beside a date is read as a date. A comparison
with a missing value is undecided, and an undecided rule is kept; `is missing` always decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from alc_stats.errors import did_you_mean
from alc_stats.schemas.expressions import (
    Among,
    Arithmetic,
    Compare,
    Connect,
    Constant,
    Expression,
    FieldRef,
    Kind,
    Missing,
    Period,
    is_written_as,
)

PERIODS = ("day", "week", "month")
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "missing", "implies"})
TRUTHS = {"true": True, "false": False}
DEEPEST = 40
"""How deeply parts may nest: far beyond any readable rule, far within Python's stack."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*')|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>==|!=|<=|>=|[<>+\-*/()\[\],]))"
)


class ExpressionError(Exception):
    """A rule that cannot be read, in one sentence; the schema reader adds where it stands."""


def parse_condition(text: str, kinds: Mapping[str, Kind]) -> Expression:
    """Read a rule's condition; `kinds` names the fields and the kind of their values.

    Raises
    ------
    ExpressionError
        With a sentence that names the part that cannot be read.

    Examples
    --------
    >>> parse_condition("end >= start", {"start": "date", "end": "date"}).operator
    '>='
    """
    condition = parse_value(text, kinds)
    _require_truth(condition, "a rule")
    return condition


def parse_value(text: str, kinds: Mapping[str, Kind]) -> Expression:
    """Read a value of any kind, such as `person_id` or `week(timestamp)`."""
    parser = _Parser(_tokens(text), kinds)
    value = parser.condition()
    if parser.at < len(parser.tokens):
        raise ExpressionError(f"'{parser.next()[1]}' cannot stand there")
    return value


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"'{text[at:].lstrip()[:10]}' cannot be read")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens: one method a line of the grammar."""

    def __init__(self, tokens: list[tuple[str, str]], kinds: Mapping[str, Kind]) -> None:
        self.tokens = tokens
        self.kinds = kinds
        self.at = 0
        self.depth = 0

    def condition(self) -> Expression:
        left = self.joined("or", lambda: self.joined("and", self.negation))
        if not self.accept("implies"):
            return left
        return _connect("implies", left, self.nested(self.condition))

    def joined(self, word: str, part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while self.accept(word):
            parts.append(part())
        return _connect(word, *parts) if len(parts) > 1 else parts[0]

    def negation(self) -> Expression:
        if self.accept("not"):
            return _connect("not", self.nested(self.negation))
        return self.comparison()

    def comparison(self) -> Expression:
        left = self.sum()
        if self.accept("is"):
            return self.negated(lambda: self.missing(left))
        if self.peek() in ("not", "in"):
            return self.negated(lambda: self.among(left))
        for operator in COMPARISONS:
            if self.accept(operator):
                return _compare(operator, left, self.sum())
        return left

    def negated(self, part: Callable[[], Expression]) -> Expression:
        return _connect("not", part()) if self.accept("not") else part()

    def missing(self, value: Expression) -> Missing:
        self.expect("missing")
        if not isinstance(value, FieldRef):
            raise ExpressionError("only a field can be missing")
        return Missing(value)

    def among(self, value: Expression) -> Among:
        self.expect("in")
        self.expect("[")
        options = [self.option(value.kind)]
        while self.accept(","):
            options.append(self.option(value.kind))
        self.expect("]")
        return Among(value, tuple(options))

    def option(self, kind: Kind) -> Constant:
        option = _of_kind(self.value(), kind)
        if not isinstance(option, Constant):
            raise ExpressionError("a list holds numbers and quoted texts only")
        _require_same(kind, option.kind)
        return option

    def sum(self) -> Expression:
        return self.arithmetic(("+", "-"), lambda: self.arithmetic(("*", "/"), self.value))

    def arithmetic(self, operators: tuple[str, ...], part: Callable[[], Expression]) -> Expression:
        left = part()
        while (operator := self.peek()) in operators:
            self.at += 1
            left = _arithmetic(operator, left, part())
        return left

    def value(self) -> Expression:
        if self.accept("("):
            inner = self.nested(self.condition)
            self.expect(")")
            return inner
        if self.accept("-"):
            return _negative(self.nested(self.value))
        kind, token = self.next()
        if kind == "number":
            return Constant(float(token) if "." in token else int(token), "number")
        if kind == "text":
            return Constant(token[1:-1], "text")
        if token in TRUTHS:
            return Constant(TRUTHS[token], "truth")
        if kind == "word" and token not in KEYWORDS:
            return self.period(token) if self.peek() == "(" else self.field(token)
        raise ExpressionError(f"a value should stand where '{token}' stands")

    def period(self, unit: str) -> Period:
        if unit not in PERIODS:
            raise ExpressionError(f"unknown function '{unit}'. {did_you_mean(unit, PERIODS)}")
        self.expect("(")
        of = self.field(self.next()[1])
        self.expect(")")
        if of.kind not in ("date", "moment"):
            raise ExpressionError(
                f"{unit}() needs a date or a moment, and '{of.name}' is a {of.kind}"
            )
        return Period(unit, of)

    def field(self, name: str) -> FieldRef:
        if name not in self.kinds:
            raise ExpressionError(
                f"unknown field '{name}'. {did_you_mean(name, self.kinds)}".strip()
            )
        return FieldRef(name, self.kinds[name])

    def nested(self, part: Callable[[], Expression]) -> Expression:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ExpressionError(f"parts nest deeper than {DEEPEST}")
        inner = part()
        self.depth -= 1
        return inner

    def peek(self) -> str:
        """Look at the next word or symbol; "" at the end and before a number or a text."""
        kind, token = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        return token if kind in ("word", "symbol") else ""

    def next(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise ExpressionError("the rule ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def accept(self, token: str) -> bool:
        found = self.peek() == token
        self.at += found
        return found

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise ExpressionError(f"'{token}' should stand {self.place()}")

    def place(self) -> str:
        """Where the parser is, in words."""
        return f"before {self.tokens[self.at][1]}" if self.at < len(self.tokens) else "at the end"


def _connect(word: str, *parts: Expression) -> Connect:
    for part in parts:
        _require_truth(part, f"'{word}'")
    return Connect(word, parts)


def _compare(operator: str, left: Expression, right: Expression) -> Compare:
    left, right = _of_kind(left, right.kind), _of_kind(right, left.kind)
    _require_same(left.kind, right.kind)
    if left.kind == "truth" and operator not in ("==", "!="):
        raise ExpressionError(f"truth values have no order: '{operator}'")
    return Compare(operator, left, right)


def _arithmetic(operator: str, left: Expression, right: Expression) -> Arithmetic:
    if (left.kind, right.kind) != ("number", "number"):
        raise ExpressionError(f"'{operator}' needs numbers, not a {left.kind} and a {right.kind}")
    return Arithmetic(operator, left, right)


def _negative(value: Expression) -> Expression:
    if isinstance(value, Constant) and value.kind == "number":
        return Constant(-float(value.value), "number")
    return _arithmetic("-", Constant(0, "number"), value)


def _of_kind(value: Expression, kind: Kind) -> Expression:
    """Take a quoted text beside a date or a moment for one."""
    if not (isinstance(value, Constant) and value.kind == "text" and kind in ("date", "moment")):
        return value
    text = str(value.value)
    if not is_written_as(text, kind):
        raise ExpressionError(f"'{text}' is not a {kind}")
    return Constant(text, kind)


def _require_same(left: Kind, right: Kind) -> None:
    if left != right:
        raise ExpressionError(f"a {left} cannot be compared with a {right}")


def _require_truth(part: Expression, what: str) -> None:
    if part.kind != "truth":
        raise ExpressionError(f"{what} needs a condition, not a {part.kind}")
