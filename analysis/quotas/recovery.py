"""Simulate the study over and over and compare what comes out with the truth that went in.

    python analysis/quotas/recovery.py [folder] [replications]

writes `recovery.json` into the folder that holds `truth.toml` (default: this one), and beside it
`expected.json`: what the study's own estimates must come near to, and how near.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from alc_stats.files import write_whole
from alc_stats.measures.prices import priced
from alc_stats.simulate import QuotaTruth, read_quota_truth
from alc_stats.simulate.quota_recovery import Drawn, counted, drawn, implied, recovered

FIRST_SEED = 1

QUOTED = {
    "H11a.estimate": ("counted.effect_on_tokens", "log_tokens.effect"),
    "H11a.triangulation.naive_two_way_fixed_effects.estimate": (
        "counted.two_way_fixed_effects",
        "counted.two_way_fixed_effects",
    ),
    "H11b.estimate": ("capability.mandate", "capability.mandate"),
    "H11c.estimate": ("gap.mandate", "gap.mandate"),
    "H11c.triangulation.overall_awareness.estimate": ("awareness.mandate", "awareness.mandate"),
    "H11d.estimate": ("capability.log_sd_ratio", "capability.log_sd_ratio"),
    "H12a.triangulation.slope_treated_before.estimate": ("quality.slope", "counted.tokens.before"),
    "H12a.triangulation.slope_treated_after.estimate": (
        "quality.slope_under",
        "counted.tokens.after",
    ),
    "H12a.triangulation.slope_never_mandated_before.estimate": (
        "quality.slope",
        "counted.tokens.never_before",
    ),
    "H12a.triangulation.slope_never_mandated_after.estimate": (
        "quality.slope",
        "counted.tokens.never_after",
    ),
    "H12a.triangulation.the_loss_is_more_than_a_fifth.estimate": (
        "counted.tokens.loss",
        "counted.tokens.loss",
    ),
    "H12b.triangulation.slope_treated_before.estimate": (
        "quality.slope_accepted",
        "counted.accepted.before",
    ),
    "H12b.triangulation.slope_treated_after.estimate": (
        "quality.slope_accepted_under",
        "counted.accepted.after",
    ),
    "H13.estimate": ("counted.excess_bins", "counted.seen_excess_bins"),
    "H13.triangulation.share_of_those_just_short_who_were_topped_up.estimate": (
        "counted.topped_up_share",
        "counted.seen_topped_up_share",
    ),
    "H15.estimate": ("task_tokens.waste_effect", "task_tokens.waste_effect"),
    "H15.triangulation.mean_excess_untreated.estimate": (
        "task_tokens.mean_waste",
        "counted.moments.mean_waste",
    ),
    "H15.triangulation.mean_excess_treated.estimate": (
        "task_tokens.mean_waste_mandate",
        "counted.moments.mean_waste_mandate",
    ),
    "H15.triangulation.frontier_quality.estimate": ("task_tokens.quality", "task_tokens.quality"),
    "H15.triangulation.frontier_difficulty.estimate": (
        "task_tokens.difficulty",
        "task_tokens.difficulty",
    ),
    "H15.triangulation.frontier_model_version_m2.estimate": ("task_tokens.m2", "task_tokens.m2"),
    "H15.triangulation.frontier_model_version_m3.estimate": ("task_tokens.m3", "task_tokens.m3"),
    "H15.triangulation.money_of_excess_per_1_000_of_measurable_output.estimate": (
        "counted.money",
        "counted.money_by_moments",
    ),
}
"""Numbers of the study: what they estimate, and whose standard deviation says how near."""

STANDARD_ERRORS = 4
"""A right estimate is further off about once in 16 000 studies."""


def recovery(folder: Path, replications: int) -> dict[str, object]:
    """Truth, mean, standard deviation and Monte-Carlo standard error of every parameter."""
    truth = read_quota_truth(folder / "truth.toml")
    runs, counts = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + replications):
        study = drawn(truth, seed=seed)
        runs.append(recovered(study, truth))
        counts.append(counted(study, truth) | _money(study, truth))
    return {
        "first_seed": FIRST_SEED,
        "replications": replications,
        "parameters": {
            name: {"truth": value, **_summary(runs, name, value)}
            for name, value in implied(truth).items()
        },
        "counted": {name: _summary(counts, name) for name in counts[0]},
    }


def _summary(
    runs: list[dict[str, float]], name: str, truth: float | None = None
) -> dict[str, float]:
    obtained = np.array([run[name] for run in runs])
    mean, sd = float(obtained.mean()), float(obtained.std(ddof=1))
    mcse = sd / math.sqrt(len(runs))
    found = {"mean": mean, "sd": sd, "mcse": mcse}
    if truth is None:
        return found
    return found | {"bias_in_mcse": (mean - truth) / mcse if mcse > 0.0 else 0.0}


def _money(study: Drawn, truth: QuotaTruth) -> dict[str, float]:
    """Of waste per 1,000 tokens kept, at the study's prices.

    Counted on the same tasks without waste; and as a study can see it, from the mean share of
    tokens that waste of the SD that the moments give takes.
    """
    task, spared = study.tables["task"], study.spared["task"]
    per_thousand = 1000.0 / float(task["kept_tokens"].sum())
    paid, needed = (_paid(table) for table in (task, spared))
    away = counted(study, truth)
    sd = away["moments.mean_waste"] / math.sqrt(2.0 / math.pi)
    under = (
        study.population.mandated[study.population.firm].ravel().repeat(truth.design.tasks_per_week)
    )
    sds = np.where(under, sd * math.exp(away["moments.log_sd_ratio"]), sd)
    return {
        "money": float((paid - needed).sum()) * per_thousand,
        "money_by_moments": float((paid * _share_wasted(sds)).sum()) * per_thousand,
    }


def _share_wasted(sd: np.ndarray) -> np.ndarray:
    """One less the mean of tokens needed over tokens used, both weighted by tokens used."""
    from scipy import stats

    # E[e^u] = 2 exp(sd^2 / 2) Phi(sd) for u = |N(0, sd^2)|; a row's weight holds its own e^u
    return np.asarray(1.0 - 1.0 / (2.0 * np.exp(sd**2 / 2.0) * stats.norm.cdf(sd)))


def _paid(task: pd.DataFrame) -> pd.Series:
    return priced(
        task,
        _prices(),
        model="model_version",
        date="date",
        tokens_in="tokens_in",
        tokens_out="tokens_out",
    )


def _prices() -> pd.DataFrame:
    path = Path(__file__).parent / "prepare.py"
    spec = importlib.util.spec_from_file_location("quotas_prepare", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    prices: pd.DataFrame = module.PRICES
    return prices


def expected(result: Mapping[str, dict[str, dict[str, float]]]) -> dict[str, object]:
    """The truth behind every quoted number, and four standard deviations over replications."""
    return {"numbers": [_number(number, *names, result) for number, names in QUOTED.items()]}


def _number(
    number: str, what: str, spread: str, result: Mapping[str, dict[str, dict[str, float]]]
) -> dict[str, object]:
    known = result["parameters"] | {f"counted.{k}": v for k, v in result["counted"].items()}
    true = "truth" in known[what]
    return {
        "id": number,
        "expected": known[what]["truth" if true else "mean"],
        "tolerance": float(f"{STANDARD_ERRORS * known[spread]['sd']:.3g}"),
        "reason": f"four standard deviations of {spread} over replications",
        "source": f"truth.toml; recovery.json, {what}"
        if true
        else f"recovery.json, {what}: counted by the generator, mean over replications",
    }


def main(arguments: list[str]) -> None:
    """Write `recovery.json` and `expected.json`; say how far the worst parameter is off."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    result = recovery(folder, int(arguments[1]) if len(arguments) > 1 else 200)
    rounded = json.loads(json.dumps(result), parse_float=lambda text: float(f"{float(text):.6g}"))
    write_whole(folder / "recovery.json", json.dumps(rounded, indent=1) + "\n")
    write_whole(folder / "expected.json", json.dumps(expected(rounded), indent=1) + "\n")
    worst = max(rounded["parameters"].items(), key=lambda item: abs(item[1]["bias_in_mcse"]))
    print(
        f"{len(rounded['parameters'])} parameters, {rounded['replications']} replications; "
        f"largest bias {worst[1]['bias_in_mcse']:+.2f} Monte-Carlo standard errors: {worst[0]}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
