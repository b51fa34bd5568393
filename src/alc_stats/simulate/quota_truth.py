"""The truth of a study of firms with quotas: staggered starts, honest heavy users, and gamers.

`truth_file.read_quota_truth` reads it from a committed TOML file.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, replace

HALF_NORMAL_MEAN = math.sqrt(2.0 / math.pi)
"""Mean of the absolute value of a standard normal variable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaDesign:
    """Who is observed and when.

    Attributes
    ----------
    cohort_starts, cohort_firms : tuple of float
        First week under the mandate of each cohort, counted from zero, and its firms.
    never_firms : int
        Firms that never have a mandate.
    persons_per_firm, firm_size_spread : int
        Firm sizes are uniform on persons_per_firm -/+ firm_size_spread.
    weeks, tasks_per_week : int
        Weeks of the panel; graded tasks of a person in each.
    first_day : date
        The Monday of week 0.
    notice : int
        Weeks between the announcement and the start.
    honest_share, gamer_share : float
        Shares of honest heavy users and of gamers among persons; the others are ordinary.
    """

    cohort_starts: tuple[float, ...]
    cohort_firms: tuple[float, ...]
    never_firms: int
    persons_per_firm: int
    firm_size_spread: int
    weeks: int
    tasks_per_week: int
    first_day: dt.date
    notice: int
    honest_share: float
    gamer_share: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of honest heavy users, gamers and ordinary persons."""
        return (
            self.honest_share,
            self.gamer_share,
            1.0 - self.honest_share - self.gamer_share,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekLaw:
    """The law of an outcome of person i of firm f in week t, in the outcome's own unit.

    ::

        y = mean + mandate * m + firm + exp(log_sd_ratio * m) * own
        own = honest * (h - share) + person + within

    where m is one under a mandate, h is one for honest heavy users and `share` is theirs. All
    that tells persons of a firm apart is multiplied, so that their log SD changes by
    `log_sd_ratio` whatever its law.

    Attributes
    ----------
    mean : float
    mandate : float
        Effect from the start on.
    honest : float
        Honest heavy users, against the others.
    person_sd, firm_sd, within_sd : float
        Standard deviations of persons, of firms, and of a person's weeks.
    log_sd_ratio : float
        Log SD within firms under a mandate less that without.
    """

    mean: float
    person_sd: float
    firm_sd: float
    within_sd: float
    mandate: float = 0.0
    honest: float = 0.0
    log_sd_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLaw:
    """Log tokens of a person's week, before anything is topped up.

    ::

        y = mean + drift * t + honest * h + firm + person + firm_week + within + effect

    The effect is `announced` in the weeks of notice and `step + growth[cohort] * e**2` in the e-th
    week after the start.

    Attributes
    ----------
    mean, drift, honest : float
    person_sd, firm_sd, firm_week_sd, within_sd : float
    announced, step : float
    growth : tuple of float, one a cohort
    """

    mean: float
    drift: float
    honest: float
    person_sd: float
    firm_sd: float
    firm_week_sd: float
    within_sd: float
    announced: float
    step: float
    growth: tuple[float, ...]

    def effect(self, cohort: int, week: int, start: int) -> float:
        """Log tokens that the mandate adds in a week from the start on."""
        return self.step + self.growth[cohort] * (week - start) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaming:
    """What gamers do to reach the quota, and what of it the log shows.

    Attributes
    ----------
    quotas : tuple of float
        Tokens a week; firms have one of them.
    topped_up_share, width, overshoot : float
        Share of gamers' weeks within `width` below the quota that are topped up, to at most
        `overshoot` above it.
    late_share : float
        Mean share of a week's tokens that are used on its last day.
    tokens_per_prompt : float
    repeat_share : float
        Mean share of prompts that repeat an earlier one, without gaming. Under a mandate all that
        gamers use more, and all that is topped up, is repeated prompts.
    repeat_logit_sd : float
        Persons differ in it.
    """

    quotas: tuple[float, ...]
    topped_up_share: float
    width: float
    overshoot: float
    late_share: float
    tokens_per_prompt: float
    repeat_share: float
    repeat_logit_sd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedQuality:
    """Quality of a graded task on 0-100.

    ::

        q = mean + honest * (h - share) + firm + person + slope * x + slope_accepted * a
            + difficulty * d + task

    where x and a are how far the person's log tokens and log accepted answers of the week lie
    from the person's usual ones; `slope` is one of the four below.

    Attributes
    ----------
    mean, honest, person_sd, firm_sd, task_sd : float
    slope : float
        Without a mandate, for everybody.
    slope_honest, slope_gamer, slope_ordinary : float
        Under a mandate.
    slope_accepted : float
        With and without a mandate.
    difficulty : float
        Points per SD of difficulty.
    """

    mean: float
    honest: float
    person_sd: float
    firm_sd: float
    task_sd: float
    slope: float
    slope_honest: float
    slope_gamer: float
    slope_ordinary: float
    slope_accepted: float
    difficulty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTokens:
    """Log tokens of a graded task: what it needs, noise, and an excess that is never negative.

    ::

        y = constant + quality * q + difficulty * d + models[model] + noise + |waste|

    Attributes
    ----------
    constant, quality, difficulty : float
    models : tuple of float
        Log tokens of each model against the first, whose entry is zero; the last one appears in
        `new_model_week`.
    noise_sd, waste_sd : float
        Of the normal noise, and of the normal variable whose absolute value is the excess.
    waste_log_sd_ratio : float
        Log SD of that variable under a mandate less that without.
    new_model_week : int
    input_share : float
        Mean share of tokens that are input.
    kept_share : float
        Tokens of the answer that was used, as a share of what the task needed.
    """

    constant: float
    quality: float
    difficulty: float
    models: tuple[float, ...]
    noise_sd: float
    waste_sd: float
    waste_log_sd_ratio: float
    new_model_week: int
    input_share: float
    kept_share: float

    def mean_waste(self, *, mandate: bool) -> float:
        """Mean log tokens beyond what was needed."""
        return HALF_NORMAL_MEAN * self.waste_sd * math.exp(self.waste_log_sd_ratio * mandate)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaTruth:
    """Everything the generator knows."""

    design: QuotaDesign
    log_tokens: TokenLaw
    gaming: Gaming
    log_accepted: WeekLaw
    awareness: WeekLaw
    capability: WeekLaw
    quality: GradedQuality
    task_tokens: TaskTokens

    @property
    def slope_under(self) -> float:
        """Slope of quality on log tokens within persons under a mandate, over the three kinds."""
        q = self.quality
        under = (q.slope_honest, q.slope_gamer, q.slope_ordinary)
        return sum(s * b for s, b in zip(self.design.shares, under, strict=True))

    @property
    def effect_on_tokens(self) -> float:
        """Mean over cohorts, by their firms, of each one's mean over its weeks; without topping up.

        With the same weight for every cell of a firm it is the ATT that group-time effects give
        when they are averaged over cohorts.
        """
        d, law = self.design, self.log_tokens
        cohorts = [
            sum(law.effect(c, t, int(start)) for t in range(int(start), d.weeks))
            / (d.weeks - int(start))
            for c, start in enumerate(d.cohort_starts)
        ]
        firms = d.cohort_firms
        return sum(n * x for n, x in zip(firms, cohorts, strict=True)) / sum(firms)


def without_mandate(truth: QuotaTruth) -> QuotaTruth:
    """The same world in which mandates do nothing: nobody reacts, pads, wastes or drifts apart.

    Drawn with the same seed it gives the potential outcomes of the very same persons.
    """
    q = truth.quality
    return replace(
        truth,
        log_tokens=replace(
            truth.log_tokens,
            announced=0.0,
            step=0.0,
            growth=tuple(0.0 for _ in truth.log_tokens.growth),
        ),
        gaming=replace(truth.gaming, topped_up_share=0.0),
        awareness=replace(truth.awareness, mandate=0.0, log_sd_ratio=0.0),
        capability=replace(truth.capability, mandate=0.0, log_sd_ratio=0.0),
        quality=replace(q, slope_honest=q.slope, slope_gamer=q.slope, slope_ordinary=q.slope),
        task_tokens=replace(truth.task_tokens, waste_log_sd_ratio=0.0),
    )
