"""Robust intervals of two Python packages, for benzarti_carloni.json and a made-up event study.

moderndid 0.2.0 leaves the earliest step before out of those that may be the largest, so its
relative magnitudes are a witness only where another step decides, as in 2009.

Run in an environment of its own: python witnesses.py > witnesses.json
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from diff_diff import honest_did as dd
from moderndid.didhonest import compute_conditional_cs_rm

warnings.filterwarnings("ignore")
HERE = Path(__file__).parent
GRID = 4000


def made_up() -> tuple[list[float], list[list[float]], int, list[float]]:
    """Five periods before and three after, errors of a random walk and noise."""
    rng = np.random.default_rng(20261127)
    root = rng.normal(size=(8, 8)) * 0.05 + np.tril(np.full((8, 8), 0.08))
    sigma = root @ root.T + 0.02 * np.eye(8)
    beta = [0.2, -0.1, 0.15, 0.1, -0.05, 0.9, 1.4, 1.6]
    return beta, np.round(sigma, 6).tolist(), 5, [0.5, 0.3, 0.2]


def magnitudes(beta, sigma, before, weights, bound):
    se = float(np.sqrt(np.array(weights) @ np.array(sigma)[before:, before:] @ np.array(weights)))
    centre = float(np.dot(weights, np.array(beta)[before:]))
    found = compute_conditional_cs_rm(
        np.array(beta),
        np.array(sigma),
        before,
        len(beta) - before,
        l_vec=np.array(weights).reshape(-1, 1),
        m_bar=bound,
        alpha=0.05,
        hybrid_flag="LF",
        grid_points=GRID,
        grid_lb=centre - 15 * se,
        grid_ub=centre + 15 * se,
        seed=1,
    )
    kept = np.asarray(found["grid"])[np.asarray(found["accept"]) > 0]
    return [float(kept.min()), float(kept.max())], 30 * se / (GRID - 1)


def smooth(beta, sigma, before, weights, bound):
    beta, sigma, weights = np.array(beta), np.array(sigma), np.array(weights)
    low, high = dd._compute_optimal_flci(
        beta[:before], beta[before:], sigma, weights, before, len(beta) - before, bound, 0.05
    )[:2]
    return [float(low), float(high)]


def main() -> None:
    bc = json.loads((HERE / "benzarti_carloni.json").read_text())
    cases = {
        "2009": (bc["betahat"], bc["sigma"], 4, [1.0, 0.0, 0.0, 0.0]),
        "made_up": made_up(),
    }
    out = {"versions": {p: version(p) for p in ("moderndid", "diff-diff", "numpy", "scipy")}}
    for name, (beta, sigma, before, weights) in cases.items():
        case = {
            "betahat": beta,
            "sigma": sigma,
            "before": before,
            "weights": weights,
            "magnitudes": {},
            "smoothness": {},
        }
        for bound in (0.5, 1.0) if name == "2009" else ():
            case["magnitudes"][str(bound)], case["grid_step"] = magnitudes(
                beta, sigma, before, weights, bound
            )
        for bound in (0.0, 0.02, 0.1):
            case["smoothness"][str(bound)] = smooth(beta, sigma, before, weights, bound)
        out[name] = case
    sys.stdout.write(json.dumps(out, indent=1) + "\n")


main()
