"""The verb about kernels: `compile`."""

from __future__ import annotations

import argparse
import time

from alc_stats.cli.verbs import DONE, Verbs, add_verb


def add_compile(verbs: Verbs) -> None:
    """`alc-stats compile`."""
    add_verb(
        verbs,
        "compile",
        _compile,
        summary="compile the kernels of location-scale models now, so that no fit waits for them",
        examples="  alc-stats compile",
    )


def _compile(_: argparse.Namespace) -> int:
    """Fit a small model by every kernel; compiled kernels are kept until a source changes."""
    import pandas as pd

    from alc_stats.estimators import fit

    start = time.perf_counter()
    rows = range(48)
    data = pd.DataFrame(
        {
            "y": [((7 * i + i * i) % 23) / 5.0 + (i // 4) % 3 for i in rows],
            "person": [i // 4 for i in rows],
            "firm": [i // 12 for i in rows],
        }
    )
    spread = "~ 1 + (1 | person)"
    fit("y ~ 1 + (1 | person)", data, scale=spread)
    fit("y ~ 1 + (1 | person)", data, scale=spread, family="censored", bounds=(0.0, None))
    fit("y ~ 1 + (1 | firm/person)", data, scale="~ 1 + (1 | firm:person)")
    print(f"compiled in {time.perf_counter() - start:.0f} s")
    return DONE
