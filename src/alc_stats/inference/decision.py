"""From an estimate to a verdict: one pure function, declared smallest effects, five answers.

Every rule is about one number (theta) and a smallest effect of interest (delta > 0), both in the
estimate's unit, after the sign has been turned so that the predicted direction is up:

================= ============================ ============================================
rule              the claim                    supported when
================= ============================ ============================================
superiority       theta > 0 and matters        (1 - alpha) interval above 0, point >= delta
minimum_effect    theta > delta                (1 - alpha) interval above delta
non_superiority   theta does not reach delta   one-sided upper limit < delta
non_inferiority   theta is not below -delta    one-sided lower limit > -delta
equivalence       abs(theta) < delta           (1 - 2 alpha) interval inside (-delta, delta)
================= ============================ ============================================

and, for every rule, when the adjusted p value of its own test is below alpha as well.
What is not supported may be *contradicted* (the opposite is shown to the same standard),
*equivalent* (to zero, within delta), or *inconclusive*, asked in this order:

================= ================================================== ======================
rule              contradicted when                                  equivalent when
================= ================================================== ======================
superiority,      (1 - alpha) interval below 0 and point <= -delta   (1 - 2 alpha) interval
minimum_effect                                                       inside (-delta, delta)
non_superiority   superiority holds on the same side, unadjusted
non_inferiority   (1 - alpha) interval below 0 and point <= -delta
equivalence       interval excludes 0 and abs(point) >= delta
================= ================================================== ======================

An adjusted p value can take "supported" away; it never gives it, and it never protects a claim
from being contradicted. A fit without a usable certificate is *not tested*, whatever its numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.estimators.estimate import Direction, Estimate
from alc_stats.records import Number, Phrase

Verdict = Literal["supported", "contradicted", "equivalent", "inconclusive", "not tested"]
Rule = Literal[
    "superiority",
    "minimum_effect",
    "non_superiority",
    "non_inferiority",
    "equivalence",
    "conjunction",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the sentence that says why."""

    verdict: Verdict
    rule: Rule
    reason: Phrase


@dataclass(frozen=True, slots=True)
class Criterion:
    """What was declared before looking.

    Attributes
    ----------
    rule : Rule
    smallest_effect : float
        delta > 0, in the estimate's unit.
    direction : {"greater", "less"}
        The predicted side (for `non_superiority`, the side that is not reached).
    alpha : float
        Two-sided level of the interval; one-sided tests and equivalence use alpha as well, so
        their interval has level 1 - 2 alpha.
    band : float or None
        For superiority and minimum_effect: equivalent needs the interval inside (-band, band),
        where it must be narrower than the smallest effect, which it is by default.
    """

    rule: Rule
    smallest_effect: float
    direction: Direction = "greater"
    alpha: float = 0.05
    band: float | None = None


def decide(
    estimate: Estimate, criterion: Criterion, *, p_adjusted: float | None = None
) -> Decision:
    """The verdict on `estimate` under `criterion`; see the module's table.

    Parameters
    ----------
    estimate : Estimate
        Any contrast of any fit.
    criterion : Criterion
        Declared rule, direction, smallest effect and alpha.
    p_adjusted : float, optional
        Multiplicity-adjusted p of the rule's own test (`own_p`), which is the default.

    Raises
    ------
    DeclarationError
        For a smallest effect that is not positive, an alpha outside (0, 0.5), or a p value
        outside [0, 1].

    Examples
    --------
    >>> decide(Estimate("effect", 0.30, 0.10, 50.0), Criterion("superiority", 0.2)).verdict
    'supported'
    >>> decide(Estimate("effect", 0.05, 0.20, 50.0), Criterion("superiority", 0.2)).verdict
    'inconclusive'
    """
    check_criterion(criterion, p_adjusted)
    if (fault := _fault(estimate)) is not None:
        return not_tested(criterion.rule, fault)
    view = _View(estimate, criterion)
    p = own_p(estimate, criterion) if p_adjusted is None else p_adjusted
    if view.holds() and p < criterion.alpha:
        return Decision("supported", criterion.rule, view.because(_SUPPORTED[criterion.rule]))
    if criterion.rule in _ABOUT_SIZE and view.within():
        return Decision("equivalent", criterion.rule, view.because(_EQUIVALENT))
    if view.opposed():
        return Decision("contradicted", criterion.rule, view.because(_CONTRADICTED[criterion.rule]))
    if view.holds():
        adjusted = view.because(_ADJUSTED, p_adjusted=Number(p, "p"))
        return Decision("inconclusive", criterion.rule, adjusted)
    return Decision("inconclusive", criterion.rule, view.because(_INCONCLUSIVE[criterion.rule]))


def own_p(estimate: Estimate, criterion: Criterion) -> float:
    """The p value of the rule's own test: what a multiplicity correction adjusts.

    Two-sided against 0 for superiority and against delta for minimum_effect (their interval has
    level 1 - alpha); one-sided for non_superiority and non_inferiority; the larger of the two
    one-sided p values for equivalence (Schuirmann 1987).

    Examples
    --------
    >>> round(own_p(Estimate("effect", 1.96, 1.0, float("inf")), Criterion("superiority", 0.2)), 3)
    0.05
    """
    delta = criterion.smallest_effect
    turned = _turned(estimate, criterion.direction)
    if criterion.rule == "superiority":
        return turned.p_value
    if criterion.rule == "minimum_effect":
        above = turned.p_against(delta, "greater")
        return 2.0 * min(above, 1.0 - above)
    if criterion.rule == "non_superiority":
        return turned.p_against(delta, "less")
    if criterion.rule == "non_inferiority":
        return turned.p_against(-delta, "greater")
    return max(turned.p_against(delta, "less"), turned.p_against(-delta, "greater"))


def conjoin(decisions: Sequence[Decision]) -> Decision:
    """The intersection-union verdict: supported only if every part is; of one part, its own.

    Contradicted if any part is; else equivalent if any part is, since an effect that is shown to be
    too small to matter takes the whole with it; else not tested if any part is not tested;
    otherwise inconclusive. Support needs no multiplicity correction (Berger 1982); that the whole
    does not hold is said when one part shows it, at the level of that part.

    Raises
    ------
    DeclarationError
        For a conjunction of nothing.
    """
    verdicts = [decision.verdict for decision in decisions]
    if not verdicts:
        raise DeclarationError(Problem("a conjunction needs at least one decision"))
    if len(verdicts) == 1:
        return Decision(verdicts[0], "conjunction", decisions[0].reason)
    numbers = {
        "total": Number(len(verdicts), "count"),
        "supported": Number(verdicts.count("supported"), "count"),
        "contradicted": Number(verdicts.count("contradicted"), "count"),
        "negligible": Number(verdicts.count("equivalent"), "count"),
        "untested": Number(verdicts.count("not tested"), "count"),
    }
    verdict, template = _conjunction(verdicts)
    used = {name: number for name, number in numbers.items() if f"{{{name}}}" in template}
    return Decision(verdict, "conjunction", Phrase(template, used))


def not_tested(rule: Rule, reason: Phrase) -> Decision:
    """The verdict on a claim that no usable number speaks to."""
    return Decision("not tested", rule, reason)


def check_criterion(criterion: Criterion, p_adjusted: float | None = None) -> None:
    """Raise a DeclarationError for everything in `criterion` that no decision can rest on."""
    rules = [rule for rule in get_args(Rule) if rule != "conjunction"]
    problems = []
    if criterion.rule not in rules:
        problems.append(
            Problem(
                f"'{criterion.rule}' is not a rule for one estimate",
                allowed=", ".join(rules),
                way_out=did_you_mean(criterion.rule, rules),
            )
        )
    if criterion.direction not in get_args(Direction):
        problems.append(
            Problem(f"unknown direction '{criterion.direction}'", allowed="greater, less")
        )
    if not (0.0 < criterion.smallest_effect < math.inf):
        problems.append(
            Problem(
                "the smallest effect of interest is not a positive number",
                found=f"{criterion.smallest_effect}",
                way_out="Declare its size; the direction is declared separately.",
            )
        )
    if criterion.band is not None and not 0.0 < criterion.band <= criterion.smallest_effect:
        problems.append(
            Problem(
                "the equivalence band is not a positive number up to the smallest effect",
                found=f"{criterion.band}",
            )
        )
    if not 0.0 < criterion.alpha < 0.5:
        problems.append(Problem("alpha is not between 0 and 0.5", found=f"{criterion.alpha}"))
    if p_adjusted is not None and not 0.0 <= p_adjusted <= 1.0:
        problems.append(
            Problem("the adjusted p value is not between 0 and 1", found=f"{p_adjusted}")
        )
    if problems:
        raise DeclarationError(*problems)


_ABOUT_SIZE = ("superiority", "minimum_effect")

_SUPPORTED = {
    "superiority": "The {level} interval {low} to {high} lies {beyond} zero and the estimate "
    "{value} reaches the smallest effect of interest {smallest_effect}.",
    "minimum_effect": "The {level} interval {low} to {high} lies {beyond} the smallest effect "
    "of interest {smallest_effect}.",
    "non_superiority": "The {inner_level} interval {inner_low} to {inner_high} stays {short_of} "
    "the smallest effect of interest {smallest_effect}.",
    "non_inferiority": "The {inner_level} interval {inner_low} to {inner_high} stays {beyond} "
    "the margin {opposite_effect}.",
    "equivalence": "The {inner_level} interval {inner_low} to {inner_high} lies between "
    "{opposite_effect} and {smallest_effect}.",
}
_EQUIVALENT = (
    "The {inner_level} interval {inner_low} to {inner_high} lies between {band_low} and "
    "{band_high}: any effect is smaller than the smallest effect of interest."
)
_OPPOSITE = (
    "The {level} interval {low} to {high} lies {short_of} zero and the estimate {value} reaches "
    "{opposite_effect}, the smallest effect of interest in the other direction."
)
_CONTRADICTED = {
    "superiority": _OPPOSITE,
    "minimum_effect": _OPPOSITE,
    "non_superiority": _SUPPORTED["superiority"],
    "non_inferiority": _OPPOSITE,
    "equivalence": "The {level} interval {low} to {high} excludes zero and the estimate {value} "
    "reaches the smallest effect of interest {smallest_effect} in size.",
}
_INCONCLUSIVE = {
    "superiority": "The {level} interval {low} to {high} around the estimate {value} neither "
    "shows an effect of at least {smallest_effect} nor rules one out.",
    "minimum_effect": "The {level} interval {low} to {high} neither lies {beyond} the smallest "
    "effect of interest {smallest_effect} nor rules it out.",
    "non_superiority": "The {inner_level} interval {inner_low} to {inner_high} reaches the "
    "smallest effect of interest {smallest_effect}, which is neither shown nor ruled out.",
    "non_inferiority": "The {inner_level} interval {inner_low} to {inner_high} reaches the "
    "margin {opposite_effect}, which is neither shown nor ruled out.",
    "equivalence": "The {inner_level} interval {inner_low} to {inner_high} is not inside "
    "{opposite_effect} to {smallest_effect}, and no effect of that size is shown.",
}
_ADJUSTED = (
    "The estimate {value} would meet the rule on its own; adjusted for the other tests of its "
    "family, p = {p_adjusted} does not."
)


def _conjunction(verdicts: Sequence[Verdict]) -> tuple[Verdict, str]:
    if all(verdict == "supported" for verdict in verdicts):
        return "supported", "All {total} parts are supported."
    if "contradicted" in verdicts:
        return (
            "contradicted",
            "{contradicted} of {total} parts contradicted: the whole cannot hold.",
        )
    if "equivalent" in verdicts:
        return (
            "equivalent",
            "{negligible} of {total} parts shown too small to matter: the whole does not hold.",
        )
    if "not tested" in verdicts:
        return "not tested", "{untested} of {total} parts could not be tested."
    return "inconclusive", "{supported} of {total} parts supported; the whole needs all of them."


def _fault(estimate: Estimate) -> Phrase | None:
    """Why the numbers of `estimate` cannot be decided on, if they cannot."""
    numbers = {"value": Number(estimate.value, unit=estimate.unit), "se": Number(estimate.se, "se")}
    if not math.isfinite(estimate.value):
        return Phrase("The estimate {value} is not a finite number.", {"value": numbers["value"]})
    if not (math.isfinite(estimate.se) and estimate.se > 0.0):
        return Phrase("The standard error {se} is not a positive number.", {"se": numbers["se"]})
    if not estimate.df > 0.0:
        df = {"df": Number(estimate.df, "df")}
        return Phrase("The degrees of freedom {df} are not positive.", df)
    return None


def _turned(estimate: Estimate, direction: Direction) -> Estimate:
    """The estimate with its sign turned so that the predicted direction is up."""
    sign = 1.0 if direction == "greater" else -1.0
    return Estimate(estimate.name, sign * estimate.value, estimate.se, estimate.df, estimate.unit)


class _View:
    """An estimate seen from the predicted direction, and the words for what is seen."""

    def __init__(self, estimate: Estimate, criterion: Criterion) -> None:
        self.estimate, self.criterion = estimate, criterion
        turned = _turned(estimate, criterion.direction)
        self.value, self.delta = turned.value, criterion.smallest_effect
        self.band = self.delta if criterion.band is None else criterion.band
        self.low, self.high = turned.interval(1.0 - criterion.alpha)
        self.inner_low, self.inner_high = turned.interval(1.0 - 2.0 * criterion.alpha)

    def holds(self) -> bool:
        """Whether the interval meets the rule, before any multiplicity correction."""
        return {
            "superiority": self.exceeds(),
            "minimum_effect": self.low > self.delta,
            "non_superiority": self.inner_high < self.delta,
            "non_inferiority": self.inner_low > -self.delta,
            "equivalence": self.within(),
        }[self.criterion.rule]

    def exceeds(self) -> bool:
        return self.low > 0.0 and self.value >= self.delta

    def within(self) -> bool:
        return -self.band < self.inner_low and self.inner_high < self.band

    def opposed(self) -> bool:
        """Whether the opposite of the claim is shown."""
        falls = self.high < 0.0 and self.value <= -self.delta
        return {
            "superiority": falls,
            "minimum_effect": falls,
            "non_superiority": self.exceeds(),
            "non_inferiority": falls,
            "equivalence": falls or self.exceeds(),
        }[self.criterion.rule]

    def because(self, template: str, **further: Number) -> Phrase:
        """`template` with the numbers it names, in the estimate's own direction."""
        up = self.criterion.direction == "greater"
        template = template.replace("{beyond}", "above" if up else "below")
        template = template.replace("{short_of}", "below" if up else "above")
        used = {
            name: n for name, n in (self._numbers() | further).items() if f"{{{name}}}" in template
        }
        return Phrase(template, used)

    def _numbers(self) -> dict[str, Number]:
        alpha, unit = self.criterion.alpha, self.estimate.unit
        low, high = self.estimate.interval(1.0 - alpha)
        inner_low, inner_high = self.estimate.interval(1.0 - 2.0 * alpha)
        delta = self.delta if self.criterion.direction == "greater" else -self.delta
        values = {
            "value": self.estimate.value,
            "low": low,
            "high": high,
            "inner_low": inner_low,
            "inner_high": inner_high,
            "smallest_effect": delta,
            "opposite_effect": -delta,
            "band_low": -self.band,
            "band_high": self.band,
        }
        levels = {"level": 1.0 - alpha, "inner_level": 1.0 - 2.0 * alpha}
        shares = {name: Number(level, "share") for name, level in levels.items()}
        return shares | {name: Number(value, "estimate", unit) for name, value in values.items()}
