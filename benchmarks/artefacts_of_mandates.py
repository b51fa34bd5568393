"""Artefacts of mandates and metrics: six popular analyses and ours, row by row."""

from __future__ import annotations

import math

import numpy as np
from artefact_row import ALPHA, DRAWS, Row, Table
from scipy import stats

import alc_stats as alc
from alc_stats.estimators.stochastic_frontier import fit_frontier
from alc_stats.simulate import mandate_artefacts as artefacts

# --- staggered adoption ---------------------------------------------------------------------------


def _all_gain(seed: int) -> Table:
    return artefacts.growing_effects(60, seed=seed)


def _true_harm(seed: int) -> Table:
    return artefacts.growing_effects(60, seed=seed, first=-1.0, growth=0.0)


def _worn_off(seed: int) -> Table:
    return artefacts.effects_wear_off(90, seed=seed)


def _true_gain(seed: int) -> Table:
    table = artefacts.effects_wear_off(90, seed=seed, gain=0.0)
    return table.assign(score=table["score"] + 0.8 * table["treated"])


def _two_way(table: Table) -> tuple[float, float]:
    """Effects of firms and periods: the coefficient, and its p by firm (CR1, t with firms - 1)."""
    y, d = (
        table.pivot_table(index="firm", columns="period", values=name).to_numpy(dtype=float)
        for name in ("score", "treated")
    )
    firms, periods = y.shape
    y, d = (x - x.mean(0) - x.mean(1, keepdims=True) + x.mean() for x in (y, d))
    value = float((d * y).sum() / (d**2).sum())
    scores = (d * (y - value * d)).sum(axis=1)
    rows = firms * periods
    correction = firms / (firms - 1) * (rows - 1) / (rows - firms - periods)
    error = math.sqrt(correction * float((scores**2).sum())) / float((d**2).sum())
    return value, float(2.0 * stats.t.sf(abs(value) / error, firms - 1))


def _two_way_loss(table: Table) -> bool:
    value, p = _two_way(table)
    return p < ALPHA and value < 0.0


def _two_way_gain(table: Table) -> bool:
    value, p = _two_way(table)
    return p < ALPHA and value > 0.0


def _lowers(table: Table, _: int) -> str:
    return alc.mandate(
        table, outcome="score", firm="firm", time="period", start="start", controls="not_yet",
        criterion=alc.Criterion("superiority", 0.2, "less"),
    ).decision.verdict  # fmt: skip


def _raises(table: Table, _: int) -> str:
    return alc.mandate(
        table, outcome="score", firm="firm", time="period", start="start",
        criterion=alc.Criterion("superiority", 0.2),
    ).decision.verdict  # fmt: skip


# --- two firms under a mandate --------------------------------------------------------------------


def _two_firms(seed: int) -> Table:
    return artefacts.few_starters(24, 2, seed=seed)


def _true_in_two(seed: int) -> Table:
    table = _two_firms(seed)
    return table.assign(score=table["score"] + 3.0 * table["treated"])


def _two_way_any(table: Table) -> bool:
    return _two_way(table)[1] < ALPHA


def _moves(table: Table, seed: int) -> str:
    """Supported whichever way the scores move."""
    found = _raises(table, seed)
    return "supported" if found == "contradicted" else found


# --- a narrower range -----------------------------------------------------------------------------


def _narrower(seed: int) -> Table:
    return artefacts.narrower_use(30, seed=seed)


def _true_loss(seed: int) -> Table:
    return artefacts.narrower_use(30, seed=seed, narrowed=1.0, lost=0.9)


def _less_correlated(table: Table) -> bool:
    """Fisher's z of quality and log use among mandated firms, after less before."""
    under = table[table["mandate"] == 1]
    z = {
        post: (np.arctanh(np.log(rows["tokens"]).corr(rows["quality"])), len(rows))
        for post, rows in under.groupby("post")
    }
    error = math.sqrt(sum(1.0 / (n - 3) for _, n in z.values()))
    return bool((z[1][0] - z[0][0]) / error < stats.norm.ppf(ALPHA / 2.0))


def _dies(table: Table, seed: int) -> str:
    return alc.proxy(
        table, quality="quality", amount="tokens", person="person", firm="firm",
        mandated="mandate", post="post", seed=seed,
    ).decision.verdict  # fmt: skip


# --- a round quota --------------------------------------------------------------------------------


def _round(seed: int) -> Table:
    return artefacts.round_amounts(30, seed=seed)


def _true_filling(seed: int) -> Table:
    return artefacts.round_amounts(30, seed=seed, topped_up=0.4)


def _heap(table: Table) -> bool:
    """A polynomial through the histogram of mandated firms, left out from -20 to 4 per cent."""
    under = table[table["mandate"] == 1]
    edges = np.linspace(-0.6, 0.6, 61)
    # the slack keeps the quota itself in the bin that begins there
    counts, _ = np.histogram(under["tokens"] / under["quota"] - 1.0 + 1e-9, edges)
    middles = (edges[:-1] + edges[1:]) / 2.0
    free = (middles < -0.2) | (middles > 0.04)
    reached = (middles > 0.0) & ~free
    fitted = np.polynomial.Polynomial.fit(middles[free], counts[free], 4)(middles)
    excess = float((counts - fitted)[reached].sum())
    return excess / math.sqrt(counts[reached].sum()) > stats.norm.ppf(1.0 - ALPHA / 2.0)


def _bunches(table: Table, seed: int) -> str:
    return alc.bunching(
        table, amount="tokens", quota="quota", firm="firm", mandated="mandate", seed=seed,
        draws=DRAWS,
    ).decision.verdict  # fmt: skip


# --- noise taken for waste ------------------------------------------------------------------------


def _noisier(seed: int) -> Table:
    return artefacts.noisier_use(30, seed=seed)


def _true_waste(seed: int) -> Table:
    return artefacts.noisier_use(30, seed=seed, noise=(0.2, 0.2), waste=(0.4, 0.8))


def _two_steps(table: Table) -> bool:
    """One frontier for all, then the mean efficiency of mandated firms against that of others."""
    ones = np.ones((len(table), 1))
    X = np.column_stack([ones, table["quality"]])
    fit = fit_frontier(np.log(table["tokens"].to_numpy()), X, ones, ones)
    if not fit.certificate.usable:
        return False
    firms = table.assign(efficiency=fit.efficiency()).groupby("firm").mean()
    with_it, without = (firms.loc[firms["mandate"] == m, "efficiency"] for m in (1, 0))
    return bool(
        stats.ttest_ind(with_it, without).pvalue < ALPHA and with_it.mean() < without.mean()
    )


def _wastes(table: Table, _: int) -> str:
    return alc.frontier(
        table, amount="tokens", given=["quality"], treatment="mandate", firm="firm"
    ).decision.verdict


ROWS = (
    Row(
        "growing effects", "the mandate lowers scores", _all_gain, _true_harm,
        "two-way fixed effects", "`mandate`, not yet treated as controls", _two_way_loss, _lowers,
    ),
    Row(
        "effects that wear off", "the mandate raises scores on the whole", _worn_off, _true_gain,
        "two-way fixed effects", "`mandate`", _two_way_gain, _raises,
    ),
    Row(
        "two mandated firms", "the mandate moves scores, either way", _two_firms, _true_in_two,
        "two-way fixed effects, errors by firm (CR1)", "`mandate`, by permutation", _two_way_any,
        _moves,
    ),
    Row(
        "range restriction", "the metric stops measuring quality", _narrower, _true_loss,
        "Fisher's z of correlations before and after", "`proxy`", _less_correlated, _dies,
    ),
    Row(
        "round quota", "people fill the quota", _round, _true_filling,
        "polynomial through the histogram", "`bunching`", _heap, _bunches,
    ),
    Row(
        "noise as waste", "the mandate makes people waste tokens", _noisier, _true_waste,
        "efficiencies of one frontier, compared", "`frontier`", _two_steps, _wastes,
    ),
)  # fmt: skip
