"""Writes people.csv: 24 firms whose slopes differ, awareness and capability on one scale."""

import numpy as np
import pandas as pd

rng = np.random.default_rng(20261127)
sizes = rng.integers(8, 17, size=24)
firm, n = np.repeat(np.arange(24), sizes), int(sizes.sum())
able = 55 + 9 * rng.normal(size=n) + 4 * rng.normal(size=24)[firm]
aware = 58 + 0.6 * (able - 55) + 8 * rng.normal(size=n) + 4 * rng.normal(size=24)[firm]
of_aware, of_able = 0.3 * rng.normal(size=(2, 24))[:, firm]
quality = (
    60
    + (of_aware - 0.25) * (aware - 56)
    + (of_able + 0.45) * (able - 56)
    - 0.012 * (aware - able) ** 2
    + 5 * rng.normal(size=n)
    + 4 * rng.normal(size=24)[firm]
)
columns = {"aware": aware, "able": able, "quality": quality}
table = pd.DataFrame({"firm": [f"f{i:02d}" for i in firm]}).assign(**columns).round(2)
if __name__ == "__main__":
    table.to_csv("people.csv", index=False)
