"""Random small mixed models, many of them unreasonable, each named by its seed."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

RANDOM_PARTS = (
    "(1 | g)",
    "(1 + x | g)",
    "(1 + x || g)",
    "(0 + x | g)",
    "(1 | g/h)",
    "(1 + x | g) + (1 | g:h)",
    "(1 | g) + (1 | c)",
    "(1 + x | g) + (1 | c)",
    "(1 + x | g) + (1 + w | c)",
    "(1 + x + w | g)",
    "(1 | g) + (1 | c) + (1 | g:c)",
)
FIXED_PARTS = (
    "1",
    "x",
    "x + w",
    "x * between",
    "between",
    "arm",
    "arm * x",
    "0 + arm",
    "x + w + x:w",
)
RELATIVE_SDS = (0.0, 0.0, 1e-7, 1e-3, 0.3, 1.0, 1.0, 3.0, 30.0, 1e4)
CORRELATIONS = (0.0, 0.0, 0.5, -0.9, 1.0, -1.0)


@dataclass(frozen=True)
class Case:
    """A table, a formula and how the numbers were disguised."""

    seed: int
    formula: str
    data: pd.DataFrame
    method: str
    shift: float
    scale: float

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.formula} ({self.method}), {len(self.data)} rows, "
            f"shift {self.shift:g}, scale {self.scale:g}"
        )


def case(seed: int) -> Case:
    """The model and table of a seed."""
    rng = np.random.default_rng(seed)
    random = str(rng.choice(RANDOM_PARTS))
    fixed = str(rng.choice(FIXED_PARTS))
    groups = int(rng.integers(2, 13))
    sizes = rng.integers(1, int(rng.choice([3, 5, 9])), groups)
    g = np.repeat(np.arange(groups), sizes)
    n = len(g)
    data = pd.DataFrame(
        {
            "g": g,
            "h": rng.integers(0, 3, n),
            "c": rng.integers(0, max(2, n // 4), n),
            "x": _column(rng, n, g),
            "w": rng.normal(size=n),
            "between": rng.normal(size=groups)[g],
            "arm": rng.choice(["control", "mandate"], groups)[g],
        }
    )
    shift = float(rng.choice([0.0, 0.0, 0.0, 1e3, 1e6, 1e9]))
    scale = float(rng.choice([1.0, 1.0, 1.0, 1e-6, 1e6]))
    data["y"] = scale * (shift + _outcome(rng, data))
    data["x"] = _disguised(rng, data["x"])
    method = str(rng.choice(["REML", "REML", "ML"]))
    return Case(seed, f"y ~ {fixed} + {random}", data, method, shift, scale)


def groupings(formula: str) -> tuple[str, ...]:
    """What stands behind the bars."""
    return tuple(re.findall(r"\|\s*([\w:/]+)\)", formula))


def _column(rng: np.random.Generator, n: int, g: np.ndarray) -> np.ndarray:
    kind = rng.integers(4)
    if kind == 0:
        return rng.normal(size=n)
    if kind == 1:
        return rng.integers(0, 2, n).astype(float)
    if kind == 2:
        return np.concatenate([np.arange(k) for k in np.bincount(g)]).astype(float)
    return rng.standard_t(2, n)


def _outcome(rng: np.random.Generator, data: pd.DataFrame) -> np.ndarray:
    y = rng.normal(size=len(data)) + 0.5 * data["x"] * rng.integers(0, 2)
    rho = float(rng.choice(CORRELATIONS))
    effects = rng.normal(size=(data["g"].max() + 1, 2))
    effects[:, 1] = rho * effects[:, 0] + np.sqrt(1.0 - rho**2) * effects[:, 1]
    sds = rng.choice(RELATIVE_SDS, 2)
    of_row = effects[data["g"]] * sds
    y = y + of_row[:, 0] + of_row[:, 1] * data["x"]
    y = y + float(rng.choice(RELATIVE_SDS)) * rng.normal(size=data["c"].max() + 1)[data["c"]]
    return np.asarray(np.round(y, 0) if rng.integers(6) == 0 else y)


def _disguised(rng: np.random.Generator, x: pd.Series) -> pd.Series:
    return float(rng.choice([1.0, 1.0, 1e-6, 1e6])) * (
        x + float(rng.choice([0.0, 0.0, 2020.0, 1e6]))
    )
