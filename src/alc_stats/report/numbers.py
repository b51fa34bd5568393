"""The one formatter: every number that a reader sees becomes text here.

Numbers that are read together (an estimate, its standard error and its limits) are shown with
the same decimals. A true minus sign is used, never a hyphen; what is missing is an em dash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from alc_stats.errors import OutputError, Problem, did_you_mean
from alc_stats.records import Kind, Number, Phrase

MISSING = "—"
MINUS = "\u2212"
INFINITE = "∞"
TIMES = "\u00d7"
_MOST_DECIMALS = 8
_EXACT = 1e-9  # what is left of a share such as 1 - 0.025 after it is turned into per cent
_LOG_TWO = math.log10(2.0)
_HOLE = re.compile(r"\{(\w+)\}")
_GLUED = re.compile(r"(?<=\d) %|(?<=[<>=]) (?=[.\d])|(?<=\bp) (?=[<>=] )")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def show(number: Number | None) -> str:
    """The number as its kind asks; an em dash where there is none.

    Examples
    --------
    >>> show(Number(2848, "count")), show(Number(0.0362, "p")), show(Number(2e-7, "p"))
    ('2,848', '.036', '< .001')
    >>> show(Number(0.12, "share")), show(Number(0.188, "percent")), show(Number(0.856, "ratio"))
    ('12 %', '+18.8 %', '0.86')
    >>> show(Number(0.975, "share")), show(Number(0.9749, "share"))
    ('97.5 %', '97 %')
    >>> show(Number(float("inf"), "df")), show(Number(-0.0001)), show(None)
    ('∞', '−0.00010', '—')
    """
    if number is None:
        return MISSING
    return show_together(number)[0]


def show_together(*numbers: Number) -> tuple[str, ...]:
    """The numbers as text; estimates and standard errors of one unit share their decimals.

    Examples
    --------
    >>> show_together(Number(0.151), Number(0.0784, "se"), Number(-0.0021))
    ('0.151', '0.078', '−0.002')
    """
    return tuple(_show(n, _companions(n, numbers)) for n in numbers)


def show_interval(low: Number, high: Number, *, beside: tuple[Number, ...] = ()) -> str:
    """An interval in APA brackets, with the decimals of what it stands beside.

    Examples
    --------
    >>> show_interval(Number(0.013, "percent"), Number(0.395, "percent"))
    '[+1.3 %, +39.5 %]'
    >>> show_interval(Number(0.254), Number(1.014), beside=(Number(0.634), Number(0.193, "se")))
    '[0.254, 1.014]'
    """
    if math.isnan(low.value) and math.isnan(high.value):
        return MISSING
    sizes = _companions(low, beside) or [low.value, high.value]
    return f"[{_show(low, sizes)}, {_show(high, sizes)}]"


def say(phrase: Phrase) -> str:
    """The sentence with its numbers filled in.

    Raises
    ------
    OutputError
        If the template has a hole for which there is no number.

    Examples
    --------
    >>> say(Phrase("{floor} of the scores are at the floor (p = {p}).",
    ...            {"floor": Number(0.12, "share"), "p": Number(0.00002, "p")}))
    '12 % of the scores are at the floor (p < .001).'
    """
    shown = dict(zip(phrase.numbers, show_together(*phrase.numbers.values()), strict=True))
    unknown = [name for name in _HOLE.findall(phrase.template) if name not in shown]
    if unknown:
        raise OutputError(*(_no_number(name, phrase) for name in unknown))
    filled = _HOLE.sub(lambda hole: shown[hole.group(1)], phrase.template)
    return re.sub(r"= ([<>]) ", r"\1 ", filled)


def registry(numbers: Mapping[str, Number]) -> dict[str, str]:
    """Every number as text under its id; ids that differ in their last part share decimals.

    Examples
    --------
    >>> registry({"m.ai.estimate": Number(0.151), "m.ai.low": Number(-0.0021)})
    {'m.ai.estimate': '0.151', 'm.ai.low': '−0.002'}
    """
    families: dict[str, dict[str, Number]] = {}
    for id_, number in numbers.items():
        families.setdefault(id_.rpartition(".")[0], {})[id_] = number
    shown = {
        id_: text
        for family in families.values()
        for id_, text in zip(family, show_together(*family.values()), strict=True)
    }
    return {id_: shown[id_] for id_ in numbers}


def tick(value: float, kind: Kind = "estimate", *, among: Iterable[float] = ()) -> str:
    """A round number on an axis: as short as it is exact, with the decimals of its neighbours.

    Examples
    --------
    >>> tick(0.125, "share"), tick(-0.2, "percent"), tick(12000.0), tick(-0.4)
    ('12.5 %', '−20 %', '12,000', '−0.4')
    >>> tick(4.0, among=(3.5, 4.0, 4.5))
    '4.0'
    """
    factor, mark = (100.0, " %") if kind in ("share", "percent") else (1.0, "")
    exact = [f"{round(factor * v, 9) + 0.0:.12g}" for v in (value, *among)]
    places = 0 if any("e" in text for text in exact) else max(map(_places, exact))
    text = f"{float(exact[0]):,.{places}f}" if "e" not in exact[0] else exact[0]
    return text.replace("-", MINUS) + mark


def _places(text: str) -> int:
    """Decimals of a number as text."""
    return len(text.partition(".")[2])


def hundredths(value: float, *, signed: bool = False) -> str:
    """A number to two decimals whatever its size, with its sign where it rounds to zero.

    Examples
    --------
    >>> hundredths(0.8), hundredths(-0.0001), hundredths(0.084, signed=True)
    ('0.80', '−0.00', '+0.08')
    """
    if not math.isfinite(value):
        return _unbounded(value)
    text = f"{value:+,.2f}" if signed and value != 0.0 else f"{value:,.2f}"
    return text.replace("-", MINUS)


def precise(value: float) -> str:
    """A number beside its witness: six significant digits, powers of ten written out.

    Examples
    --------
    >>> precise(0.18842071), precise(1e-10), precise(-1751.93934446)
    ('0.188421', '1 × 10⁻¹⁰', '−1751.94')
    """
    if not math.isfinite(value):
        return _unbounded(value)
    text = f"{value + 0.0:.6g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa} {TIMES} 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return text.replace("-", MINUS)


def digits_agreeing(expected: float, obtained: float) -> float:
    """How many leading digits agree (log relative error), between 0 and 15.

    Examples
    --------
    >>> digits_agreeing(0.188, 0.18842), digits_agreeing(1.0, 1.0)
    (2.7, 15.0)
    """
    if expected == obtained:
        return 15.0
    error = abs(obtained - expected) / (abs(expected) or 1.0)
    if not math.isfinite(error):
        return 0.0
    return round(min(15.0, max(0.0, -math.log10(error))), 1)


def joined(parts: Iterable[str]) -> str:
    """Words as a reader lists them.

    Examples
    --------
    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    *most, last = [*parts] or [""]
    return f"{', '.join(most)} and {last}" if most else last


def no_break(text: str) -> str:
    """The text with its per cent signs and comparisons glued to their numbers (for typesetting)."""
    return _GLUED.sub(lambda found: found[0].replace(" ", "\u00a0"), text)


def decimals(*values: float) -> int:
    """Decimals for values that are read together, by the largest: 0.151, 12.34, 251.4, 1752.

    Below 0.01 two significant digits are kept, and no value that is not zero is shown as zero.

    Examples
    --------
    >>> decimals(0.151), decimals(12.3), decimals(251.4, 0.5), decimals(0.00049)
    (3, 2, 1, 5)
    >>> decimals(0.3, 0.0002)
    4
    """
    sizes = [abs(v) for v in values if math.isfinite(v) and v != 0.0]
    if not sizes:
        return 3
    order = math.floor(math.log10(max(sizes)))
    by_largest = 1 - order if order < -2 else (3, 3, 2, 2, 1, 0)[min(order + 2, 5)]
    return min(max(by_largest, _until_seen(min(sizes))), _MOST_DECIMALS)


def _until_seen(value: float) -> int:
    """Decimals that `value` needs in order not to be shown as zero."""
    if value == 0.0 or not math.isfinite(value):
        return 0
    return min(max(0, math.ceil(-math.log10(abs(value)) - _LOG_TWO + 1e-12)), _MOST_DECIMALS)


def _companions(number: Number, numbers: Iterable[Number]) -> list[float]:
    """The values that share their decimals with `number`."""
    return [n.value for n in numbers if n.kind in ("estimate", "se") and n.unit == number.unit]


def _show(number: Number, companions: list[float]) -> str:
    value = number.value
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return _unbounded(value)
    if number.kind in ("estimate", "se"):
        return _estimate(value, companions)
    return _FORMATS[number.kind](value)


def _unbounded(value: float) -> str:
    if math.isnan(value):
        return MISSING
    return INFINITE if value > 0 else f"{MINUS}{INFINITE}"


def _fixed(value: float, places: int, sign: str = "-") -> str:
    """Fixed decimals with thousands commas, a true minus and no negative zero."""
    text = f"{value:{sign},.{places}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def _estimate(value: float, companions: list[float]) -> str:
    if value == 0.0 and not any(companions):
        return "0"
    places = max(decimals(*companions), _until_seen(value))
    tiny = value != 0.0 and abs(value) < 0.5 * 10.0**-_MOST_DECIMALS
    return precise(float(f"{value:.1e}")) if tiny else _fixed(value, places)


def _p(value: float) -> str:
    if value < 0.001:
        return "< .001"
    if value > 0.999:
        return "> .999"
    return f"{value:.3f}".removeprefix("0")


def _df(value: float) -> str:
    return _fixed(value, 0 if abs(value - round(value)) < 1e-6 else 1)


def _share(value: float) -> str:
    per_cent = 100.0 * value + 0.0  # a zero has no sign
    if per_cent in (0.0, 100.0):
        return f"{per_cent:.0f} %"
    if 0.0 < per_cent < 0.05:
        return "< 0.1 %"
    if 99.95 <= per_cent < 100.0:
        return "> 99.9 %"
    small_or_near = abs(per_cent) < 9.95 or 99.5 <= per_cent < 100.0
    return f"{_fixed(per_cent, 1 if small_or_near or _ends_at_a_tenth(per_cent) else 0)} %"


def _ends_at_a_tenth(per_cent: float) -> bool:
    """Whether one decimal says it exactly and none would not, as for a level of 97.5 %."""
    tenth = round(per_cent, 1)
    return abs(per_cent - tenth) < _EXACT and tenth != round(tenth)


def _seconds(value: float) -> str:
    return f"{_fixed(value, 1 if value < 99.95 else 0)} s"


def _no_number(name: str, phrase: Phrase) -> Problem:
    return Problem(
        f"no number for '{{{name}}}'",
        where=f"the sentence '{phrase.template}'",
        way_out=did_you_mean(name, phrase.numbers),
    )


_FORMATS: Mapping[Kind, Callable[[float], str]] = {
    "count": lambda value: _fixed(value, 0),
    "p": _p,
    "df": _df,
    "share": _share,
    "percent": lambda value: f"{_fixed(100.0 * value, 1, '+')} %",
    "ratio": lambda value: _fixed(value, max(2, decimals(value) if abs(value) < 0.095 else 2)),
    "statistic": lambda value: _fixed(value, 2),
    "seconds": _seconds,
}
