"""Density below and above a cutoff by rddensity 3.0 at a fixed bandwidth.

python densities.py > rddensity.csv
"""

import sys

import numpy as np


def sample() -> np.ndarray:
    """Normal, of which three in ten short of zero by up to 0.2 are moved beyond it."""
    rng = np.random.default_rng(7)
    x = rng.normal(-0.1, 0.4, 3000)
    moved = (x > -0.2) & (x < 0.0) & (rng.random(3000) < 0.3)
    return np.where(moved, 0.04 * rng.random(3000), x)


if __name__ == "__main__":
    from rddensity import rddensity  # not among the dependencies of the tests

    found = rddensity(sample(), c=0, h=[0.2, 0.2], p=2, kernel="triangular", massPoints=False)
    lines = ["name,value"]
    for side in ("left", "right", "diff"):
        lines += [f"{side},{found.hat[side]:.10f}", f"se_{side},{found.sd_jk[side]:.10f}"]
    sys.stdout.write("\n".join(lines) + "\n")
