"""Write stacked.csv: 60 groups of 10 rows in which every slope differs between groups.

python tests/reference/mediation/made.py
"""

from pathlib import Path

import numpy as np
import pandas as pd

GROUPS, ROWS = 60, 10

rng = np.random.default_rng(20261127)
g = np.repeat(np.arange(GROUPS), ROWS)
a, b, direct = rng.multivariate_normal(
    [0.6, 0.5, 0.2], [[0.25, 0.15, 0.0], [0.15, 0.25, 0.0], [0.0, 0.0, 0.16]], GROUPS
).T
x = 0.7 * rng.standard_normal(GROUPS)[g] + rng.standard_normal(g.size)
m = a[g] * x + rng.standard_normal(GROUPS)[g] + 0.7 * rng.standard_normal(g.size)
y = b[g] * m + direct[g] * x + rng.standard_normal(GROUPS)[g] + rng.standard_normal(g.size)
table = pd.DataFrame({"g": g, "x": x, "m": m, "y": y}).round(4)
if __name__ == "__main__":
    table.to_csv(Path(__file__).parent / "stacked.csv", index=False)
