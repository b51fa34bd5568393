"""Artefacts of what people know and do: nine popular analyses and ours, row by row."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from artefact_row import ALPHA, DRAWS, Row, Table
from scipy import stats

import alc_stats as alc
from alc_stats.simulate import artefacts

# --- a gap as a difference score ------------------------------------------------------------------


def _true_gap(seed: int) -> Table:
    table = artefacts.capability_alone(300, seed=seed, effect=0.0)
    effect = 0.4 * (table["capability"] - table["awareness"])
    return table.assign(quality=table["quality"] + effect)


def _gap_slope(table: Table) -> bool:
    found = stats.linregress(table["awareness"] - table["capability"], table["quality"])
    return bool(found.pvalue < ALPHA and found.slope < 0.0)


def _surface(table: Table, seed: int) -> str:
    return alc.response_surface(
        table, outcome="quality", awareness="awareness", capability="capability", seed=seed,
        bounds=(-math.inf, math.inf), draws=DRAWS,
    ).decision.verdict  # fmt: skip


# --- the less able overrate themselves ------------------------------------------------------------


def _truly_unaware(seed: int) -> Table:
    """Below the mean, self-estimates do not follow the score at all."""
    table = artefacts.better_than_average(300, seed=seed)
    noise = np.random.default_rng(seed).normal(0.0, 0.5, len(table))
    return table.assign(self_estimate=0.5 + 0.9 * table["actual"].clip(lower=0.0) + noise)


def _quartiles(table: Table) -> bool:
    overrated = table["self_estimate"] - table["actual"]
    quarter = pd.qcut(table["actual"], 4, labels=False)
    low, high = overrated[quarter == 0], overrated[quarter == 3]
    return bool(stats.ttest_ind(low, high).pvalue < ALPHA and low.mean() > high.mean())


def _calibration(table: Table, seed: int) -> str:
    return alc.calibration(
        table, self_estimate="self_estimate", actual="actual", reliability=0.7, seed=seed,
        bounds=(-math.inf, math.inf), draws=DRAWS,
    ).decision.verdict  # fmt: skip


# --- regression to the mean -----------------------------------------------------------------------


def _no_narrowing(seed: int) -> Table:
    table = artefacts.few_firms(20, 12, seed=seed, waves=4)
    return table.assign(post=(table["wave"] >= 2) * 1)


def _true_narrowing(seed: int) -> Table:
    """After the start, people of mandated firms are half as far apart."""
    table = _no_narrowing(seed)
    return _spread(table, 0.5, (table["mandate"] * table["post"]) == 1)


def _spread(table: Table, factor: float, rows: pd.Series) -> Table:
    """The table with what differs within firms multiplied in some of its rows."""
    firm = table.groupby("firm")["score"].transform("mean")
    return table.assign(score=firm + (table["score"] - firm) * np.where(rows, factor, 1.0))


def _change_on_first(table: Table) -> bool:
    mandated = table[table["mandate"] == 1]
    wide = mandated.pivot_table(index="person", columns="post", values="score")
    found = stats.linregress(wide[0], wide[1] - wide[0])
    return bool(found.pvalue < ALPHA and found.slope < 0.0)


def _narrowing(table: Table, seed: int) -> str:
    """Supported where `widening` is contradicted: people are nearer to each other than before."""
    found = alc.widening(
        table, outcome="score", treatment="mandate", post="post", person="person", firm="firm",
        wave="wave",        bounds=(-math.inf, math.inf), seed=seed, draws=99, permutations=499,
    ).decision.verdict  # fmt: skip
    return {"contradicted": "supported", "supported": "contradicted"}.get(found, found)


# --- a ceiling ------------------------------------------------------------------------------------


def _at_the_ceiling(seed: int) -> Table:
    """Latent SD 15; means 85 without and 70 with a mandate, on a scale that ends at 100."""
    table = artefacts.few_firms(30, 12, seed=seed, waves=3, firm_share=0.05)
    score = np.where(table["mandate"] == 1, 70.0, 85.0) + 15.0 * table["score"]
    return table.assign(score=score.clip(0.0, 100.0))


def _true_widening(seed: int) -> Table:
    table = artefacts.few_firms(30, 12, seed=seed, waves=3, firm_share=0.05)
    wider = _spread(table, 1.5, table["mandate"] == 1)
    return wider.assign(score=(50.0 + 8.0 * wider["score"]).clip(0.0, 100.0))


def _levene(table: Table) -> bool:
    arms = [table.loc[table["mandate"] == m, "score"] for m in (1.0, 0.0)]
    wider = arms[0].var() > arms[1].var()
    return bool(stats.levene(*arms, center="median").pvalue < ALPHA and wider)


def _widening(table: Table, seed: int) -> str:
    return alc.widening(
        table, outcome="score", treatment="mandate", person="person", firm="firm", wave="wave",
        bounds=(0.0, 100.0), seed=seed, draws=99, permutations=499,
    ).decision.verdict  # fmt: skip


# --- unreliability --------------------------------------------------------------------------------


def _unreliable(seed: int) -> Table:
    return artefacts.unequal_reliability(250, seed=seed)


def _true_decoupling(seed: int) -> Table:
    """The same reliability in both arms; under the mandate awareness goes with nothing."""
    table = artefacts.unequal_reliability(250, seed=seed, reliabilities=(0.8, 0.8))
    mandated = (table["arm"] == "mandate").to_numpy()
    mixed = np.random.default_rng(seed).permutation(np.flatnonzero(mandated))
    capable = [c for c in table if c.startswith("capable")]
    table.loc[mandated, capable] = table.loc[mixed, capable].to_numpy()
    return table


def _scaled(table: Table) -> Table:
    means = {n: table.filter(regex=rf"^{n}_\d$").mean(axis=1) for n in ("aware", "capable")}
    return table.assign(person=np.arange(len(table)), **means)


def _fisher(table: Table) -> bool:
    of_arm = {a: t["aware"].corr(t["capable"]) for a, t in _scaled(table).groupby("arm")}
    n = len(table) / 2
    z = (np.arctanh(of_arm["mandate"]) - np.arctanh(of_arm["control"])) / math.sqrt(2 / (n - 3))
    return bool(2 * stats.norm.sf(abs(z)) < ALPHA and z < 0.0)


def _decoupling(table: Table, seed: int) -> str:
    items = {n: [f"{n}_{k}" for k in range(1, 5)] for n in ("aware", "capable")}
    return alc.decoupling(
        _scaled(table), awareness="aware", capability="capable", treatment="arm", person="person",
        treated="mandate", control="control", awareness_items=items["aware"],
        capability_items=items["capable"], seed=seed,
    ).decision.verdict  # fmt: skip


# --- few clusters ---------------------------------------------------------------------------------


def _six_firms(seed: int) -> Table:
    return artefacts.few_firms(6, 30, seed=seed)


def _true_in_six_firms(seed: int) -> Table:
    table = artefacts.few_firms(6, 30, seed=seed, firm_share=0.05)
    return table.assign(score=table["score"] + 0.9 * table["mandate"])


def _rows_as_independent(table: Table) -> bool:
    arms = [table.loc[table["mandate"] == m, "score"] for m in (1.0, 0.0)]
    higher = arms[0].mean() > arms[1].mean()
    return bool(stats.ttest_ind(*arms).pvalue < ALPHA and higher)


def _firm_effects(table: Table, _: int) -> str:
    fitted = alc.fit("score ~ mandate + (1 | firm)", table)
    rule = alc.Criterion("superiority", 0.2)
    return alc.decide(alc.contrast(fitted, "mandate"), rule).verdict


# --- tasks taken for all there are ----------------------------------------------------------------


def _eight_tasks(seed: int) -> Table:
    return artefacts.tasks_differ(60, 8, seed=seed)


def _truly_harder(seed: int) -> Table:
    table = artefacts.tasks_differ(60, 16, seed=seed)
    return table.assign(score=table["score"] - 1.0 * table["far"])


def _persons_only(table: Table) -> bool:
    wide = table.pivot_table(index="person", columns="far", values="score")
    found = stats.ttest_rel(wide[1.0], wide[0.0])
    return bool(found.pvalue < ALPHA and found.statistic < 0.0)


def _crossed(table: Table, _: int) -> str:
    fitted = alc.fit("score ~ far + (1 + far | person) + (1 | task)", table)
    rule = alc.Criterion("superiority", 0.2, "less")
    return alc.decide(alc.contrast(fitted, "far"), rule).verdict


# --- a parabola through a curve that never falls --------------------------------------------------


def _saturating(seed: int) -> Table:
    return artefacts.saturating_use(400, seed=seed)


def _truly_falling(seed: int) -> Table:
    table = artefacts.saturating_use(400, seed=seed, gain=0.0)
    peak = -0.25 * (table["usage"] - 10.0).abs()
    return table.assign(quality=table["quality"] + peak)


def _quadratic(table: Table) -> bool:
    import statsmodels.api as sm

    x = table["usage"].to_numpy()
    found = sm.OLS(table["quality"], np.column_stack([np.ones_like(x), x, x**2])).fit()
    turns = -found.params.iloc[1] / (2.0 * found.params.iloc[2])
    bent = found.pvalues.iloc[2] < ALPHA and found.params.iloc[2] < 0.0
    return bool(bent and x.min() < turns < x.max())


def _two_lines(table: Table, seed: int) -> str:
    return alc.dose_response(
        table, outcome="quality", dose="usage", person="person", seed=seed,
        bounds=(-math.inf, math.inf), smallest_slope=0.02,
    ).decision.verdict  # fmt: skip


# --- two levels in one path -----------------------------------------------------------------------


def _within_only(seed: int) -> Table:
    return artefacts.mediated_within_only(40, 20, seed=seed)


def _between_as_well(seed: int) -> Table:
    """What a firm believes lowers the firm's scores as well, by one point a point."""
    table = artefacts.mediated_within_only(60, 20, seed=seed, effect=1.0)
    of_firm = table.groupby("firm")["belief"].transform("mean")
    return table.assign(score=table["score"] - 1.0 * of_firm)


def _sobel(table: Table) -> bool:
    import statsmodels.api as sm

    first = sm.OLS(table["belief"], sm.add_constant(table[["mandate"]])).fit()
    second = sm.OLS(table["score"], sm.add_constant(table[["belief", "mandate"]])).fit()
    a, b = first.params["mandate"], second.params["belief"]
    se = math.hypot(a * second.bse["belief"], b * first.bse["mandate"])
    return bool(2 * stats.norm.sf(abs(a * b) / se) < ALPHA and a * b < 0.0)


def _mediation(table: Table, seed: int) -> str:
    return alc.mediation(
        table.assign(t1=1, t2=2), outcome="score", treatment="mandate", mediators="belief",
        person="person", firm="firm", randomised=True, direction="less", times=("t1", "t2"),
        seed=seed,
    ).decision.verdict  # fmt: skip


ROWS = (
    Row(
        "difference score", "awareness beyond capability lowers quality",
        lambda seed: artefacts.capability_alone(300, seed=seed), _true_gap,
        "slope of quality on awareness minus capability", "`response_surface`", _gap_slope,
        _surface,
    ),
    Row(
        "Dunning-Kruger null", "the less able know themselves less",
        lambda seed: artefacts.better_than_average(300, seed=seed), _truly_unaware,
        "lowest against highest quarter of the score", "`calibration`", _quartiles, _calibration,
    ),
    Row(
        "regression to the mean", "people draw nearer under the mandate",
        _no_narrowing, _true_narrowing, "slope of change on the first score", "`widening`, turned",
        _change_on_first, _narrowing,
    ),
    Row(
        "ceiling", "people spread apart under the mandate", _at_the_ceiling, _true_widening,
        "Brown and Forsythe's test of the scores", "`widening`", _levene, _widening,
    ),
    Row(
        "unreliability", "awareness and capability decouple", _unreliable, _true_decoupling,
        "Fisher's z of observed correlations", "`decoupling`", _fisher, _decoupling,
    ),
    Row(
        "few clusters", "the mandate raises scores", _six_firms, _true_in_six_firms,
        "t test of rows", "`fit` with firm effects, Satterthwaite", _rows_as_independent,
        _firm_effects,
    ),
    Row(
        "tasks as fixed", "far tasks are done worse", _eight_tasks, _truly_harder,
        "paired t test over persons", "`fit`, persons and tasks crossed", _persons_only, _crossed,
    ),
    Row(
        "quadratic artefact", "more use helps and then harms", _saturating, _truly_falling,
        "significant parabola that turns among the data", "`dose_response`", _quadratic, _two_lines,
    ),
    Row(
        "conflated levels", "mandates lower a firm's scores through a belief", _within_only,
        _between_as_well, "product of paths, persons and firms as one", "`mediation`", _sobel,
        _mediation,
    ),
)  # fmt: skip
