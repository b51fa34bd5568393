"""Simulate the study over and over and compare what comes out with the truth that went in.

    python analysis/reference/recovery.py [folder] [replications]

writes `recovery.json` into the folder that holds `truth.toml` (default: this one), and beside it
`expected.json`: what the study's own estimates must come near to, and how near.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from alc_stats.files import write_whole
from alc_stats.simulate import read_truth, reference
from alc_stats.simulate.recovery import counted, implied, recovered

FIRST_SEED = 1

QUOTED = {
    "mandate_usage.value": "log_tokens.mandate",
    "training_usage.value": "log_tokens.training",
    "mandate_awareness.value": "awareness.mandate",
    "training_awareness.value": "awareness.training",
    "mandate_folk.value": "folk.mandate",
    "training_folk.value": "folk.training",
    "mandate_familiar.value": "capability_familiar.mandate",
    "training_familiar.value": "capability_familiar.training",
    "mandate_far.value": "capability_far.mandate",
    "training_far.value": "capability_far.training",
    "slope_free.value": "quality.slope",
    "slope_mandate.value": "quality.slope_mandate",
    "H4.triangulation.slope_within_persons_no_mandate.estimate": "quality.slope",
    "H4.triangulation.slope_within_persons_mandate.estimate": "quality.slope_mandate",
    "H6.estimate": "widening.between_log_sd",
    "H14.triangulation.path_a.estimate": "folk.mandate",
    "H14.triangulation.indirect_effect_monte_carlo.estimate": "compliance.indirect",
    "H11.estimate": "log_tokens.mandate",
    "H12.triangulation.slope_treated_before.estimate": "quality.slope_before_mandate",
    "H12.triangulation.slope_treated_after.estimate": "quality.slope_mandate",
    "H12.triangulation.slope_never_mandated_before.estimate": "quality.slope_no_mandate_before",
    "H12.triangulation.slope_never_mandated_after.estimate": "quality.slope_no_mandate_after",
    "H9.triangulation.usage_over_control_familiar_tasks.estimate": "capability_familiar.mandate",
    "H9.triangulation.usage_over_control_near_tasks.estimate": "capability_near.mandate",
    "H9.triangulation.usage_over_control_far_tasks.estimate": "capability_far.mandate",
    "H9.triangulation.schema_over_control_familiar_tasks.estimate": "capability_familiar.training",
    "H9.triangulation.schema_over_control_near_tasks.estimate": "capability_near.training",
    "H9.triangulation.schema_over_control_far_tasks.estimate": "capability_far.training",
}
"""Numbers of the study and the parameters they estimate."""

DIFFERENCES = {"H16.estimate": ("self_estimate.mandate", "capability_familiar.mandate")}
"""Numbers that estimate a difference of two parameters."""

COUNTED = {
    "H13.estimate": "excess_bins",
    "H13.triangulation.share_of_those_just_short_who_were_topped_up.estimate": "topped_up_share",
}
"""Numbers that have no closed form and that the generator counts."""

STANDARDISED = {
    "H12s.triangulation.transfer_to_far_tasks_does_not_rise.estimate": "capability_far.mandate",
    "H12s.triangulation.transfer_to_far_tasks_schema_training.estimate": "capability_far.training",
}
"""Numbers that estimate a parameter over the SD of the first wave."""

RELIABILITIES = {
    "H12s.triangulation.reliability_of_transfer_to_far_tasks.estimate": "capability_far",
}
"""Numbers that estimate what is no variance within persons, as a share of all."""

STANDARD_ERRORS = 4
"""A right estimate is further off about once in 16 000 studies."""


def recovery(folder: Path, replications: int) -> dict[str, object]:
    """Truth, mean, standard deviation and Monte-Carlo standard error of every parameter."""
    truth = read_truth(folder / "truth.toml")
    expected = implied(truth)
    seeds = range(FIRST_SEED, FIRST_SEED + replications)
    runs = [recovered(reference(truth, seed=seed), truth) for seed in seeds]
    counts = [counted(truth, seed=seed) for seed in seeds]
    parameters = {}
    for name, value in expected.items():
        obtained = np.array([run[name] for run in runs])
        sd = float(obtained.std(ddof=1))
        mcse = sd / math.sqrt(replications)
        parameters[name] = {
            "truth": value,
            "mean": float(obtained.mean()),
            "sd": sd,
            "mcse": mcse,
            "bias_in_mcse": (float(obtained.mean()) - value) / mcse,
        }
    return {
        "first_seed": FIRST_SEED,
        "replications": replications,
        "parameters": parameters,
        "counted": {name: _spread([count[name] for count in counts]) for name in counts[0]},
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))}


def expected(
    parameters: dict[str, dict[str, float]], counts: dict[str, dict[str, float]]
) -> dict[str, object]:
    """The truth behind every quoted number, and four standard deviations over replications."""
    numbers = [
        {
            "id": number,
            "expected": parameters[name]["truth"],
            "tolerance": float(f"{STANDARD_ERRORS * parameters[name]['sd']:.3g}"),
            "reason": "four standard deviations of an elementary estimate over replications",
            "source": f"truth.toml, {name}; recovery.json",
        }
        for number, name in QUOTED.items()
    ]
    numbers += [_difference(n, parameters) for n in DIFFERENCES]
    numbers += [_standardised(n, parameters) for n in STANDARDISED]
    numbers += [_reliability(n, parameters) for n in RELIABILITIES]
    return {"numbers": numbers + [_count(n, counts) for n in COUNTED]}


def _count(number: str, counts: dict[str, dict[str, float]]) -> dict[str, object]:
    name = COUNTED[number]
    return {
        "id": number,
        "expected": counts[name]["mean"],
        "tolerance": float(f"{STANDARD_ERRORS * counts[f'seen_{name}']['sd']:.3g}"),
        "reason": f"four standard deviations of seen_{name} over replications",
        "source": f"recovery.json, {name}: counted by the generator, mean over replications",
    }


def _difference(number: str, parameters: dict[str, dict[str, float]]) -> dict[str, object]:
    """As if the two estimates were independent: what they share only brings them nearer."""
    first, second = (parameters[name] for name in DIFFERENCES[number])
    sd = math.hypot(first["sd"], second["sd"])
    return {
        "id": number,
        "expected": round(first["truth"] - second["truth"], 10),
        "tolerance": float(f"{STANDARD_ERRORS * sd:.3g}"),
        "reason": "four standard deviations of two elementary estimates over replications",
        "source": f"truth.toml, {' minus '.join(DIFFERENCES[number])}; recovery.json",
    }


def _variances(
    law: str, parameters: dict[str, dict[str, float]]
) -> tuple[dict[str, float], dict[str, float]]:
    """The variances of a score at the first wave, and their standard deviations."""
    parts = {part: parameters[f"{law}.{part}_variance"] for part in ("person", "firm", "within")}
    return {k: v["truth"] for k, v in parts.items()}, {k: v["sd"] for k, v in parts.items()}


def _standardised(number: str, parameters: dict[str, dict[str, float]]) -> dict[str, object]:
    """By the delta method: the effect's own error, and that of the SD."""
    name = STANDARDISED[number]
    truths, errors = _variances(name.split(".")[0], parameters)
    total, error = sum(truths.values()), math.hypot(*errors.values())
    effect, sd = parameters[name], math.sqrt(total)
    spread = math.hypot(effect["sd"] / sd, effect["truth"] / sd * error / (2.0 * total))
    return {
        "id": number,
        "expected": round(effect["truth"] / sd, 10),
        "tolerance": float(f"{STANDARD_ERRORS * spread:.3g}"),
        "reason": "four standard deviations of elementary estimates of an effect and an SD",
        "source": f"truth.toml, {name} over the root of the summed variances; recovery.json",
    }


def _reliability(number: str, parameters: dict[str, dict[str, float]]) -> dict[str, object]:
    """By the delta method, in the error's share of all variance."""
    law = RELIABILITIES[number]
    truths, errors = _variances(law, parameters)
    total = sum(truths.values())
    share = truths["within"] / total
    between = math.hypot(errors["person"], errors["firm"])
    spread = math.hypot((1.0 - share) * errors["within"], share * between) / total
    return {
        "id": number,
        "expected": round(1.0 - share, 10),
        "tolerance": float(f"{STANDARD_ERRORS * spread:.3g}"),
        "reason": "four standard deviations of elementary estimates of the variances",
        "source": f"truth.toml, {law}: variance of persons and firms over all; recovery.json",
    }


def main(arguments: list[str]) -> None:
    """Write `recovery.json` and `expected.json`; say how far the worst parameter is off."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    result = recovery(folder, int(arguments[1]) if len(arguments) > 1 else 200)
    rounded = json.loads(json.dumps(result), parse_float=lambda text: float(f"{float(text):.6g}"))
    write_whole(folder / "recovery.json", json.dumps(rounded, indent=1) + "\n")
    near = expected(rounded["parameters"], rounded["counted"])
    write_whole(folder / "expected.json", json.dumps(near, indent=1) + "\n")
    worst = max(rounded["parameters"].items(), key=lambda item: abs(item[1]["bias_in_mcse"]))
    print(
        f"{len(rounded['parameters'])} parameters, {rounded['replications']} replications; "
        f"largest bias {worst[1]['bias_in_mcse']:+.2f} Monte-Carlo standard errors: {worst[0]}"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
