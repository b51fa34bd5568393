"""The truth of a simulated study: what the generator knows, as frozen records.

`truth_file.read_truth` reads them from a committed TOML file.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass


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
    """The law of one outcome of person i in firm f at wave t, in the outcome's own unit.

    ::

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
class Knowledge(Outcome):
    """An outcome, in probits, that is seen through items answered right or wrong.

    Item k is right if y + error > difficulty_k, with standard normal error.
    """

    difficulties: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compliance(Outcome):
    """Procedural compliance: moved by belief as professed, and moving capability.

    Its own law is that of `Outcome`, to which `folk * (professed - mean belief)` is added, where
    professed belief is the mean of the folk theory items. `mandate` and `training` are therefore
    effects that do not pass through the belief.

    ::

        capability = ... + capability * (compliance - folk * professed)

    for the deviations of firms' changes and of occasions; the effects of `capability_familiar` are
    total effects, with what passes through compliance in them. Capability goes with belief only
    through this difference: belief itself helps as much as the compliance that it breeds harms,
    so that it predicts capability only once compliance is held. Compliance is drawn given
    capability, which has the same joint law and leaves capability as it is without a chain.

    Attributes
    ----------
    folk : float
        Points of compliance per point of professed belief.
    capability : float
        Points of capability on familiar tasks per point of compliance. Times `within_sd` (and
        `firm_change_sd`) it cannot exceed that of capability, of which it is a part.
    """

    folk: float = 0.0
    capability: float = 0.0


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
    """Everything the generator knows, read from a truth file by `truth_file.read_truth`."""

    design: Design
    log_tokens: Outcome
    awareness: Construct
    topology: Knowledge
    topography: Knowledge
    folk: Construct
    compliance: Compliance
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
