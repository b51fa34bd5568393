"""Does the generator do what the truth says? Elementary estimates beside closed forms.

`recovered` looks at the tables only and uses means, differences of means and sums of squares;
`implied` looks at the truth only. Averaged over seeds, the two must agree within Monte-Carlo error
(`analysis/reference/recovery.py` does this; its output is committed). Spread is compared as
variances, whose estimates are unbiased.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from alc_stats.records import BoolArray, FloatArray
from alc_stats.simulate.events import weekly_tokens
from alc_stats.simulate.population import (
    ACCESS,
    ARMS,
    CONTROL,
    MANDATE,
    TRAINING,
    IntArray,
    populate,
)
from alc_stats.simulate.truth import Construct, Design, Outcome, Truth

SCALES = {"awareness": "aware", "folk": "folk"}
SCORES = (
    "schema_accuracy",
    "self_estimate",
    "capability_familiar",
    "capability_near",
    "capability_far",
)


_BIN = 0.02
"""Of the quota; topped-up weeks end within one of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One outcome as an array: `y` (P, W), missing where nobody answered; persons by firm.

    `firm` (P,) and `arms` (F,) are indices; persons are in the order of their ids.
    """

    y: FloatArray
    firm: IntArray
    arms: IntArray


def implied(truth: Truth) -> Mapping[str, float]:
    """What `recovered` estimates, computed from the truth; the same names in the same order."""
    values: dict[str, float] = {}
    for name in SCALES:
        construct: Construct = getattr(truth, name)
        error = construct.item_error_variance / len(construct.loadings)
        values |= _implied(name, construct, error=error) | {f"{name}.alpha": construct.alpha}
    for name in SCORES:
        values |= _implied(name, getattr(truth, name), error=0.0)
    values |= _implied("compliance", _of_compliance(truth), error=0.0)
    chain = truth.folk.mandate * truth.compliance.folk * truth.compliance.capability
    values |= {
        "compliance.folk": truth.compliance.folk,
        "compliance.capability": truth.compliance.capability,
        "compliance.indirect": chain,
    }
    values |= _implied("log_tokens", truth.log_tokens, error=0.0, cell=truth.usage.access / 2.0)
    usage, quality = truth.usage, truth.quality
    return values | {
        "widening.between_log_sd": truth.capability_familiar.between_log_sd_ratio,
        "design.nonresponse_share": truth.design.nonresponse_share,
        "usage.access": usage.access,
        "usage.events_per_week": usage.events_per_week,
        "usage.week_log_variance": usage.week_log_sd**2,
        "usage.event_log_variance": usage.event_log_sd**2,
        "usage.input_share": usage.input_share,
        "usage.near_share": usage.near_share,
        "usage.far_share": usage.far_share,
        "quality.slope": quality.slope,
        "quality.slope_mandate": quality.slope_mandate,
        "quality.slope_before_mandate": quality.slope,
        "quality.slope_no_mandate_before": quality.slope,
        "quality.slope_no_mandate_after": quality.slope,
        "quality.near": quality.near,
        "quality.far": quality.far,
    }


def _implied(name: str, law: Outcome, *, error: float, cell: float = 0.0) -> dict[str, float]:
    """`error` is the variance of measurement error; `cell` half the difference between cells."""
    return {
        f"{name}.mean": law.mean,
        f"{name}.drift": law.drift,
        f"{name}.mandate": law.mandate,
        f"{name}.training": law.training,
        f"{name}.person_variance": law.person_sd**2 + cell**2,
        f"{name}.within_variance": law.within_sd**2 + error,
        f"{name}.firm_variance": law.firm_sd**2,
        f"{name}.firm_change_variance": law.firm_change_sd**2,
        f"{name}.person_variance_mandate": (
            law.person_sd**2 * math.exp(2.0 * law.between_log_sd_ratio) + cell**2
        ),
        f"{name}.within_variance_mandate": (
            law.within_sd**2 * math.exp(2.0 * law.within_log_sd_ratio) + error
        ),
    }


def _of_compliance(truth: Truth) -> Outcome:
    """The law of compliance with what professed belief adds to it at every level."""
    own, belief, d = truth.compliance, truth.folk, truth.compliance.folk
    error = belief.item_error_variance / len(belief.loadings)
    shared = 2.0 * d * own.person_sd * belief.person_sd * own.ability * belief.ability
    return Outcome(
        mean=own.mean,
        drift=own.drift + d * belief.drift,
        mandate=own.mandate + d * belief.mandate,
        training=own.training + d * belief.training,
        person_sd=math.sqrt(own.person_sd**2 + (d * belief.person_sd) ** 2 + shared),
        firm_sd=math.hypot(own.firm_sd, d * belief.firm_sd),
        firm_change_sd=math.hypot(own.firm_change_sd, d * belief.firm_change_sd),
        within_sd=math.sqrt(own.within_sd**2 + d**2 * (belief.within_sd**2 + error)),
    )


def recovered(tables: Mapping[str, pd.DataFrame], truth: Truth) -> Mapping[str, float]:
    """Estimate what `implied` names from the tables of one simulated study.

    Of `truth` only the calendar and the reference point of event counts and quality are used.
    """
    survey, events = tables["survey"], tables["usage_event"]
    values: dict[str, float] = {}
    for name, prefix in SCALES.items():
        items = survey.filter(regex=rf"^{prefix}_\d$")
        values |= _components(name, panel(survey.assign(y=items.mean(axis=1)), "y"))
        values |= {f"{name}.alpha": cronbach_alpha(items[survey["wave"] == 0].to_numpy())}
    for name in (*SCORES, "compliance"):
        values |= _components(name, panel(survey, name))
    values |= _chain(survey)
    weeks = person_weeks(events, survey, truth.design)
    return (
        values
        | _components("log_tokens", _wave_tokens(weeks, survey))
        | {
            "widening.between_log_sd": _widening(panel(survey, "capability_familiar")),
            "design.nonresponse_share": _missing_share(survey),
        }
        | _usage(events, weeks, truth)
        | _quality(events, weeks)
    )


def counted(truth: Truth, *, seed: int) -> dict[str, float]:
    """What gathers at the quota: counted by the generator, and seen beside a straight line.

    `topped_up_share` is that of mandated weeks just short of the quota, and `excess_bins` how many
    they are in weeks that would have lain in two hundredths of the quota beyond it.
    """
    population, usage = populate(truth.design, seed=seed), truth.usage
    free = replace(truth, usage=replace(usage, bunching_share=0.0))
    under = np.repeat(population.mandated > 0, truth.design.weeks_per_wave, axis=1)
    after, before = (
        weekly_tokens(t, population, seed=seed) / usage.quota - 1.0 for t in (truth, free)
    )
    short = under & (before < 0.0) & (before >= -usage.bunching_width)
    beyond = under & (before >= 0.0) & (before < 2.0 * _BIN)
    lifted = int((short & (after >= 0.0)).sum())
    never = np.broadcast_to((population.arms != MANDATE)[population.firm][:, None], under.shape)
    seen = [beside_a_line(after[rows], usage.bunching_width, _BIN) for rows in (under, never)]
    return {
        "topped_up_share": lifted / int(short.sum()),
        "excess_bins": lifted / (int(beyond.sum()) / 2.0),
        "seen_topped_up_share": seen[0][0] - seen[1][0],
        "seen_excess_bins": seen[0][1] - seen[1][1],
    }


def panel(table: pd.DataFrame, column: str) -> Panel:
    """`column` of a person x wave table as an array, with firms and arms."""
    wide = table.pivot_table(index="person_id", columns="wave", values=column, sort=True)
    people = table.drop_duplicates("person_id").set_index("person_id").loc[wide.index]
    firm, firms = pd.factorize(people["firm_id"], sort=True)
    arm_of = people.drop_duplicates("firm_id").set_index("firm_id")["arm"].loc[firms]
    return Panel(wide.to_numpy(), firm, np.array([ARMS.index(arm) for arm in arm_of]))


def firm_means(p: Panel) -> tuple[FloatArray, FloatArray]:
    """Means (F, W) over the persons of a firm who answered, and how many they are (F, W)."""
    here = ~np.isnan(p.y)
    members = np.eye(p.arms.size)[p.firm].T
    count = members @ here
    return members @ np.where(here, p.y, 0.0) / count, count


def _components(name: str, p: Panel) -> dict[str, float]:
    means, count = firm_means(p)
    change = means[:, 1:].mean(axis=1) - means[:, 0]
    by_arm = [change[p.arms == arm].mean() for arm in range(len(ARMS))]
    drift = by_arm[CONTROL] / np.arange(1, p.y.shape[1]).mean()
    mandated = p.arms[p.firm] == MANDATE
    person, within = variances(p, ~mandated)
    person_m, within_m = variances(p, mandated)
    start = (person + within) / count[:, 0]
    noise = within * (
        1.0 / count[:, 0] + (1.0 / count[:, 1:]).sum(axis=1) / (count.shape[1] - 1) ** 2
    )
    estimates = {
        "mean": means[:, 0].mean(),
        "drift": drift,
        "mandate": by_arm[MANDATE] - by_arm[CONTROL],
        "training": by_arm[TRAINING] - by_arm[CONTROL],
        "person_variance": person,
        "within_variance": within,
        "firm_variance": means[:, 0].var(ddof=1) - start.mean(),
        "firm_change_variance": _change_variance(change, noise, p.arms),
        "person_variance_mandate": person_m,
        "within_variance_mandate": within_m,
    }
    return {f"{name}.{key}": float(value) for key, value in estimates.items()}


def _change_variance(change: FloatArray, noise: FloatArray, arms: IntArray) -> float:
    """Variance of firms' changes beyond that of their persons, in the arms without a mandate."""
    parts = [change[arms == a].var(ddof=1) - noise[arms == a].mean() for a in (CONTROL, TRAINING)]
    return float(np.mean(parts))


def variances(p: Panel, who: BoolArray) -> tuple[float, float]:
    """Variance between and within the persons of a firm after the start, from complete answers.

    The mean squares of a two-way layout of persons by waves in each firm, pooled over firms.
    """
    complete = who & ~np.isnan(p.y[:, 1:]).any(axis=1)
    y, (firm, firms) = p.y[complete, 1:], (p.firm[complete], p.arms.size)
    size = np.bincount(firm, minlength=firms)
    members = np.eye(firms)[firm]
    centred = y - members @ (members.T @ y / np.maximum(size, 1)[:, None])
    own = centred.mean(axis=1, keepdims=True)
    waves, free = y.shape[1], np.maximum(size - 1, 0).sum()
    within = ((centred - own) ** 2).sum() / (free * (waves - 1))
    return float((own**2).sum() / free - within / waves), float(within)


def _widening(p: Panel) -> float:
    """Log SD of person effects, mandate minus control, after minus before.

    Products of two waves of one person have the mean SD * SD, whatever the waves add of their own.
    """
    means, count = firm_means(p)
    here = ~np.isnan(p.y)
    size = count[p.firm]
    centred = np.where(here, (p.y - means[p.firm]) * np.sqrt(size / (size - 1.0)), 0.0)
    log_ratio = []
    for arm in (MANDATE, CONTROL):
        rows = p.arms[p.firm] == arm
        y, seen = centred[rows], here[rows].astype(float)
        after, n = y[:, 1:].sum(axis=1), seen[:, 1:].sum(axis=1)
        both_after = (after**2 - (y[:, 1:] ** 2).sum(axis=1)).sum() / (n * (n - 1.0)).sum()
        across = (y[:, 0] * after).sum() / (seen[:, 0] * n).sum()
        log_ratio.append(math.log(both_after / across))
    return log_ratio[0] - log_ratio[1]


def cronbach_alpha(items: FloatArray) -> float:
    """Alpha of items (n, K): K / (K - 1) times one minus item variances over total variance."""
    k = items.shape[1]
    total = items.sum(axis=1).var(ddof=1)
    return float(k / (k - 1) * (1.0 - items.var(axis=0, ddof=1).sum() / total))


def person_weeks(events: pd.DataFrame, survey: pd.DataFrame, design: Design) -> pd.DataFrame:
    """One row a person and week: arm, access_level, wave, events, log_tokens, mean quality."""
    first = pd.Timestamp(design.first_day, tz="UTC")
    rows = pd.DataFrame(
        {
            "person_id": events["person_id"],
            "week": (events["timestamp"] - first).dt.days // 7,
            "tokens": events["tokens_in"] + events["tokens_out"],
            "quality": events["quality"],
        }
    )
    grouped = rows.groupby(["person_id", "week"], sort=True)
    weeks = grouped.agg(
        events=("tokens", "size"), tokens=("tokens", "sum"), quality=("quality", "mean")
    )
    weeks = weeks.reset_index()
    weeks["wave"] = weeks["week"] // design.weeks_per_wave
    weeks["log_tokens"] = np.log(weeks["tokens"])
    people = survey.drop_duplicates("person_id")[["person_id", "firm_id", "arm", "access_level"]]
    return weeks.merge(people, on="person_id", validate="many_to_one")


def _chain(survey: pd.DataFrame) -> dict[str, float]:
    """Slopes of changes from one answered wave to the next, within firms."""
    rows = survey.sort_values(["person_id", "wave"]).reset_index(drop=True)
    rows["belief"] = rows.filter(regex=r"^folk_\d$").mean(axis=1)
    columns = ["belief", "compliance", "capability_familiar"]
    change = rows.groupby("person_id")[columns].diff().dropna()
    keys = [rows.loc[change.index, k] for k in ("firm_id", "wave")]
    belief, compliance, capability = (change - change.groupby(keys).transform("mean")).to_numpy().T
    both = np.column_stack([belief, compliance])
    return {
        "compliance.folk": float(belief @ compliance / (belief @ belief)),
        "compliance.capability": float(np.linalg.lstsq(both, capability, rcond=None)[0][1]),
        "compliance.indirect": _product_of_paths(rows, columns),
    }


def _product_of_paths(rows: pd.DataFrame, columns: list[str]) -> float:
    """Mandate to belief to compliance to capability, over changes of mandated and control firms."""
    panels = [panel(rows, c) for c in columns]
    means = [firm_means(p)[0] for p in panels]
    arms = panels[0].arms
    two = arms != TRAINING
    x = [np.ones(two.sum()), (arms[two] == MANDATE).astype(float)]
    product = 1.0
    for change in ((m[:, 1:].mean(axis=1) - m[:, 0])[two] for m in means):
        product *= float(np.linalg.lstsq(np.column_stack(x), change, rcond=None)[0][-1])
        x.append(change)
    return product


def _wave_tokens(weeks: pd.DataFrame, survey: pd.DataFrame) -> Panel:
    waves = weeks.groupby(["person_id", "wave"], as_index=False)["tokens"].sum()
    waves["y"] = np.log(waves["tokens"])
    people = survey.drop_duplicates("person_id")[["person_id", "firm_id", "arm"]]
    return panel(waves.merge(people, on="person_id"), "y")


def _missing_share(survey: pd.DataFrame) -> float:
    waves, persons = survey["wave"].nunique(), survey["person_id"].nunique()
    return float(1.0 - (survey["wave"] > 0).sum() / (persons * (waves - 1)))


def _usage(events: pd.DataFrame, weeks: pd.DataFrame, truth: Truth) -> dict[str, float]:
    tokens = events["tokens_in"] + events["tokens_out"]
    free = weeks[weeks["arm"] != ARMS[MANDATE]]
    usual = np.exp(truth.usage.event_elasticity * (weeks["log_tokens"] - truth.usual_week))
    access = weeks.pivot_table(index="firm_id", columns="access_level", values="log_tokens")
    bank = events.drop_duplicates("task_id")["novelty"]
    in_week = tokens.map(math.log).groupby(
        [events["person_id"], events["timestamp"].dt.isocalendar().week]
    )
    return {
        "usage.access": float((access[ACCESS[1]] - access[ACCESS[0]]).mean()),
        "usage.events_per_week": float((weeks["events"] / usual).mean()),
        "usage.week_log_variance": _pooled(free.groupby(["person_id", "wave"])["log_tokens"]),
        "usage.event_log_variance": _pooled(in_week),
        "usage.input_share": float((events["tokens_in"] / tokens).mean()),
        "usage.near_share": float((bank == "near").mean()),
        "usage.far_share": float((bank == "far").mean()),
    }


def _pooled(groups: pd.api.typing.SeriesGroupBy[Any, Any]) -> float:
    """Variance within groups, pooled over them."""
    free = groups.count() - 1
    squares = groups.var().fillna(0.0) * free
    return float(squares.sum() / free.sum())


def beside_a_line(ratio: FloatArray, width: float, bin_width: float) -> tuple[float, float]:
    """Share that lacks below the quota, and bins too many beyond it, of tokens over quota less one.

    The zones are `width` below the quota and two bins above it; the line goes through the mean
    heights of six bins on either side of them.
    """
    beyond = 2.0 * bin_width

    def height(low: float, high: float) -> float:
        return float(((ratio >= low) & (ratio < high)).sum() / ((high - low) / bin_width))

    ends = (-width - 6.0 * bin_width, -width, beyond, beyond + 6.0 * bin_width)
    left, right = height(ends[0], ends[1]), height(ends[2], ends[3])
    at = (np.array([-width / 2.0, beyond / 2.0]) - (ends[0] + ends[1]) / 2.0) / (
        (ends[2] + ends[3] - ends[0] - ends[1]) / 2.0
    )
    line = left + at * (right - left)
    return (
        float(1.0 - height(-width, 0.0) / line[0]),
        float(2.0 * (height(0.0, beyond) - line[1]) / line[1]),
    )


def _quality(events: pd.DataFrame, weeks: pd.DataFrame) -> dict[str, float]:
    level = events.groupby("novelty")["quality"].mean()
    mandate, after = weeks["arm"] == ARMS[MANDATE], weeks["wave"] > 0
    under = mandate & after
    return {
        "quality.slope": _within_slope(weeks[~under]),
        "quality.slope_mandate": _within_slope(weeks[under]),
        "quality.slope_before_mandate": _within_slope(weeks[mandate & ~after]),
        "quality.slope_no_mandate_before": _within_slope(weeks[~mandate & ~after]),
        "quality.slope_no_mandate_after": _within_slope(weeks[~mandate & after]),
        "quality.near": float(level["near"] - level["familiar"]),
        "quality.far": float(level["far"] - level["familiar"]),
    }


def _within_slope(weeks: pd.DataFrame) -> float:
    """Slope of quality on log tokens between the weeks of a person and wave."""
    keys = [weeks["person_id"], weeks["wave"]]
    columns = weeks[["log_tokens", "quality"]]
    x, y = (columns - columns.groupby(keys).transform("mean")).to_numpy().T
    return float(x @ y / (x @ x))
