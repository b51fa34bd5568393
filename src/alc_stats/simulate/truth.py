"""The truth of a simulated study, as data: a TOML file of named values with units and sentences.

The file has one table a group and one inline table a parameter::

    [awareness]
    mandate = { value = 0.5, unit = "points", meaning = "Mean change under a mandate, averaged over the waves after it." }

A parameter that has a default below and is not in the file is zero.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alc_stats.errors import DeclarationError, Problem, did_you_mean

if TYPE_CHECKING:
    from cattrs import Converter

Value = float | tuple[float, ...] | dt.date
"""What a parameter can be: a number, several numbers, or a day."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of a truth file: the value, its unit, and a sentence that says what it is."""

    value: Value
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Who is observed and when. The number of waves is the length of `effect_profile`.

    Attributes
    ----------
    firms_per_arm : int
        Firms in each of the arms control, mandate and schema_training.
    persons_per_firm, firm_size_spread : int
        Firm sizes are uniform on persons_per_firm -/+ firm_size_spread.
    first_day : date
        A Monday; the first wave begins here.
    weeks_per_wave : int
        Weeks of usage that belong to one survey wave; mandates start with the second wave.
    effect_profile : tuple of float, length waves
        Relative size of every effect at each wave; zero at the first, and rescaled so that it
        averages one over the others.
    nonresponse_share : float
        Share of surveys after the first that are missing completely at random.
    """

    firms_per_arm: int
    persons_per_firm: int
    firm_size_spread: int
    first_day: dt.date
    weeks_per_wave: int
    effect_profile: tuple[float, ...]
    nonresponse_share: float

    @property
    def profile(self) -> tuple[float, ...]:
        """`effect_profile` divided by its mean over the waves after the first."""
        mean = sum(self.effect_profile[1:]) / (len(self.effect_profile) - 1)
        return tuple(x / mean for x in self.effect_profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The law of one outcome of person i in firm f at wave t, in the outcome's own unit::

        y = mean + drift * t + effect[arm] * profile[t] + firm + firm_change * post[t]
            + exp(between_log_sd_ratio * m) * person + exp(within_log_sd_ratio * m) * residual

    where m is one for mandated firms after the start and zero otherwise, and firm, firm_change,
    person and residual are normal with the standard deviations below.

    Attributes
    ----------
    mean, drift : float
        Level at the first wave and change per wave in all arms.
    mandate, training : float
        Mean effects over the waves after the start, against no programme.
    person_sd, firm_sd, firm_change_sd, within_sd : float
        Standard deviations.
    between_log_sd_ratio, within_log_sd_ratio : float
        Log SD of mandated firms after the start minus log SD elsewhere.
    ability : float
        Correlation of the person effect with general ability.
    """

    mean: float
    person_sd: float
    firm_sd: float
    within_sd: float
    drift: float = 0.0
    mandate: float = 0.0
    training: float = 0.0
    firm_change_sd: float = 0.0
    between_log_sd_ratio: float = 0.0
    within_log_sd_ratio: float = 0.0
    ability: float = 0.0

    @property
    def baseline_sd(self) -> float:
        """Standard deviation over all persons at the first wave (error-free)."""
        return math.sqrt(self.person_sd**2 + self.firm_sd**2 + self.within_sd**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct(Outcome):
    """An outcome that is seen through items answered in whole numbers from 1 to 7.

    Item k is round(mean + loading_k / mean loading * (y - mean) + error), so that the mean of the
    items has the effects of the outcome itself.
    """

    loadings: tuple[float, ...]
    item_error_sd: float

    @property
    def weights(self) -> tuple[float, ...]:
        """The loadings divided by their mean."""
        mean = sum(self.loadings) / len(self.loadings)
        return tuple(loading / mean for loading in self.loadings)

    @property
    def item_error_variance(self) -> float:
        """Error variance of one item: normal error plus 1/12 for answering in whole numbers."""
        return self.item_error_sd**2 + 1.0 / 12.0

    @property
    def alpha(self) -> float:
        """Cronbach's alpha of the items at the first wave, implied by the loadings."""
        k, true = len(self.loadings), self.baseline_sd**2
        items = sum(w**2 * true + self.item_error_variance for w in self.weights)
        total = k**2 * true + k * self.item_error_variance
        return k / (k - 1) * (1.0 - items / total)

    @property
    def baseline_scale_sd(self) -> float:
        """Standard deviation of the items' mean at the first wave, error included."""
        return math.sqrt(self.baseline_sd**2 + self.item_error_variance / len(self.loadings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How a person's tokens of a wave become events.

    Attributes
    ----------
    events_per_week : float
        Expected events of a person with average tokens.
    event_elasticity : float
        Change in log expected events per unit of log tokens; the rest is tokens per event.
    week_log_sd, event_log_sd : float
        Log SD of tokens over the weeks of a wave, and over the events of a week.
    input_share : float
        Mean share of tokens that are input.
    access : float
        Log tokens of persons with full rather than basic access.
    tasks : int
        Tasks in the task bank.
    near_share, far_share : float
        Shares of tasks coded near and far before anyone worked on them; the rest is familiar.
    quota : float
        Tokens a person of a mandated firm has to use in a week.
    bunching_share, bunching_width : float
        Share of weeks within `bunching_width` below the quota that are topped up to it.
    platform_week : int
        Week, counted from zero, in which the default model changes for all.
    """

    events_per_week: float
    event_elasticity: float
    week_log_sd: float
    event_log_sd: float
    input_share: float
    access: float
    tasks: int
    near_share: float
    far_share: float
    quota: float
    bunching_share: float
    bunching_width: float
    platform_week: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality of an event on 0-100.

    Attributes
    ----------
    mean, person_sd, firm_sd, event_sd : float
        Level of familiar tasks and standard deviations, in points.
    slope, slope_mandate : float
        Points per unit of log tokens of the person's week, counted from a usual week: without a
        mandate, and under one.
    near, far, platform : float
        Points for near and far tasks against familiar ones, and after the platform event.
    """

    mean: float
    person_sd: float
    firm_sd: float
    event_sd: float
    slope: float
    slope_mandate: float
    near: float
    far: float
    platform: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Everything the generator knows, read from a truth file by `read_truth`."""

    design: Design
    log_tokens: Outcome
    awareness: Construct
    topology: Construct
    topography: Construct
    folk: Construct
    schema_accuracy: Outcome
    self_estimate: Outcome
    capability_familiar: Outcome
    capability_near: Outcome
    capability_far: Outcome
    usage: Usage
    quality: Quality

    @property
    def usual_week(self) -> float:
        """Log tokens of the week that quality and event counts are counted from."""
        return self.log_tokens.mean - math.log(self.design.weeks_per_wave)


def read_truth(path: Path) -> Truth:
    """The truth in a TOML file.

    Raises
    ------
    DeclarationError
        With one problem for every missing, unknown, mistyped or impossible parameter.
    """
    from cattrs.errors import BaseValidationError

    declared = _parsed(path)
    problems = [*_impossible(declared, path), *_unnamed(declared, path)]
    try:
        truth = _converter().structure(declared, Truth)
    except BaseValidationError as errors:
        problems = [*_malformed(errors, path), *problems]
    if problems:
        raise DeclarationError(*problems)
    return truth


def parameters(path: Path) -> Mapping[str, Parameter]:
    """Every parameter of a truth file by its dotted name, such as "awareness.mandate".

    Raises
    ------
    DeclarationError
        As `read_truth`.
    """
    read_truth(path)
    return {
        f"{group}.{name}": Parameter(_plain(leaf["value"]), leaf["unit"], leaf["meaning"])
        for group, leaves in _parsed(path).items()
        for name, leaf in leaves.items()
    }


def _plain(value: Any) -> Value:
    if isinstance(value, dt.date):
        return value
    return tuple(map(float, value)) if isinstance(value, list) else float(value)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeclarationError(
            Problem("the truth file does not exist", where=str(path),
                    way_out="Correct `truth` in the study's [simulation].")
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(
            Problem("is not valid TOML", where=str(path), found=str(error))
        ) from None


@functools.cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True)
    converter.register_structure_hook(float, _reader("a number", _number))
    converter.register_structure_hook(int, _reader("a whole number", _whole))
    converter.register_structure_hook(dt.date, _reader("a day such as 2025-01-06", _day))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[float, ...], _reader("a list of numbers", _numbers)
    )
    return converter


def _reader(spoken: str, read: Callable[[Any], Any]) -> Callable[[Any, type], Any]:
    """A hook that takes `value` out of a parameter and refuses what is not `spoken`."""

    def structure(leaf: Any, _: type) -> Any:
        if not isinstance(leaf, Mapping) or set(leaf) != {"value", "unit", "meaning"}:
            raise TypeError('must be { value = ..., unit = "...", meaning = "..." }')
        value = read(leaf["value"])
        if value is None:
            raise TypeError(f"the value {leaf['value']!r} is not {spoken}")
        return value

    return structure


def _number(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _day(value: Any) -> dt.date | None:
    return value if isinstance(value, dt.date) and not isinstance(value, dt.datetime) else None


def _numbers(value: Any) -> tuple[float, ...] | None:
    read = [_number(x) for x in value] if isinstance(value, list) and value else [None]
    return None if None in read else tuple(x for x in read if x is not None)


def _malformed(errors: Exception, path: Path) -> list[Problem]:
    """One problem for every leaf of cattrs' exception tree."""
    from cattrs.v import transform_error

    found = []
    for text in transform_error(errors, format_exception=_sentence):
        sentence, _, place = text.partition(" @ $")
        found.append(Problem(sentence, where=f"{path.name}, {place.lstrip('.') or 'top level'}"))
    return found


def _sentence(error: BaseException, _: type | None) -> str:
    from cattrs.errors import ForbiddenExtraKeysError

    if isinstance(error, ForbiddenExtraKeysError):
        known = [f.name for f in fields(error.cl)] if is_dataclass(error.cl) else []
        return "; ".join(
            f"unknown parameter '{name}'. {did_you_mean(name, known)}"
            for name in sorted(error.extra_fields)
        )
    if isinstance(error, KeyError):
        return f"the parameter {error} is missing"
    return str(error)


_RULES: tuple[tuple[Callable[[str], bool], Callable[[float], bool], str], ...] = (
    (lambda name: name.endswith("_sd"), lambda x: x >= 0, "0 or more"),
    (lambda name: name.endswith("_share"), lambda x: 0 <= x <= 1, "0 to 1"),
    (lambda name: name == "ability", lambda x: -1 <= x <= 1, "-1 to 1"),
    (lambda name: name == "loadings", lambda x: x > 0, "above 0"),
    (
        lambda name: name in ("firms_per_arm", "persons_per_firm", "weeks_per_wave", "tasks",
                              "events_per_week", "quota"),
        lambda x: x > 0,
        "above 0",
    ),
)
"""Which parameters a rule is about, what must hold of every number in them, and how it is said."""


def _impossible(declared: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for group, name, leaf in _leaves(declared):
        for applies, holds, allowed in _RULES:
            if applies(name):
                yield from (
                    Problem("is impossible", where=f"{path.name}, {group}.{name}", found=str(x),
                            allowed=allowed)
                    for x in _numbers_in(leaf) if not holds(x)
                )
        if name == "effect_profile" and _bad_profile(_numbers_in(leaf)):
            yield Problem("has no first wave without an effect and later waves with one",
                          where=f"{path.name}, {group}.{name}", found=str(leaf.get("value")),
                          allowed="a list such as [0, 0.7, 1.0, 1.3]")


def _bad_profile(profile: list[float]) -> bool:
    return len(profile) < 2 or profile[0] != 0 or sum(profile[1:]) <= 0


def _unnamed(declared: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    for group, name, leaf in _leaves(declared):
        for key in ("unit", "meaning"):
            if key in leaf and not (isinstance(leaf[key], str) and leaf[key].strip()):
                yield Problem(f"'{key}' is empty", where=f"{path.name}, {group}.{name}",
                              way_out="A truth that nobody can read is not committed.")


def _leaves(declared: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for group, leaves in declared.items():
        if isinstance(leaves, Mapping):
            yield from ((group, n, leaf) for n, leaf in leaves.items() if isinstance(leaf, Mapping))


def _numbers_in(leaf: Mapping[str, Any]) -> list[float]:
    value = leaf.get("value")
    values = value if isinstance(value, list) else [value]
    return [x for x in map(_number, values) if x is not None]
