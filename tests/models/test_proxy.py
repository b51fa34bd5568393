"""A metric that dies, one that does not, and a range that only looks like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alc_stats.errors import TableError
from alc_stats.models import Finding
from alc_stats.models.proxy.claim import proxy
from alc_stats.simulate import read_truth, reference
from tolerances import DENSE_TWIN, EXACT_ARITHMETIC

TRUTH = Path(__file__).parents[2] / "analysis" / "reference" / "truth.toml"
COLUMNS: dict[str, Any] = {
    "quality": "quality",
    "amount": "tokens",
    "person": "person",
    "firm": "firm",
    "mandated": "mandate",
    "post": "post",
}
RUNS = 100


def table(
    seed: int, *, after: float = 3.0, sd: float = 1.0, trend: float = 0.0, firms: int = 30
) -> pd.DataFrame:
    """A slope of 3 that is `after` under the mandate; `trend` moves it for everybody."""
    rng = np.random.default_rng(seed)
    n = firms * 200
    person, post = np.arange(n) % (firms * 10), np.arange(n) // (n // 2)
    firm = person % firms
    on = (firm % 2) * post == 1
    use = rng.normal(size=n) * np.where(on, sd, 1.0)
    slope = np.where(on, after, 3.0) + trend * post
    quality = 50.0 + slope * use + 6.0 * rng.normal(size=n)
    return pd.DataFrame(
        {"person": person, "post": post, "firm": firm, "mandate": firm % 2,
         "tokens": np.exp(use), "quality": quality}
    )  # fmt: skip


def ask(data: pd.DataFrame, **more: Any) -> Finding:
    return proxy(data, **COLUMNS, **more)


def line_of(found: Finding, start: str) -> Any:
    return next(x for x in found.triangulation if x.method.startswith(start))


def test_slopes_are_those_of_least_squares_with_a_mean_a_person_and_period() -> None:
    data = table(1, after=1.0)
    own = data[(data["mandate"] == 1) & (data["post"] == 1)]
    design = pd.get_dummies(own["person"], dtype=float).assign(x=np.log(own["tokens"]))
    beta = np.linalg.lstsq(design.to_numpy(), own["quality"].to_numpy(), rcond=None)[0]
    found = line_of(ask(data), "Slope, treated, after")
    assert found.value == pytest.approx(beta[-1], rel=1e3 * EXACT_ARITHMETIC)


def test_waves_are_taken_off_as_least_squares_would() -> None:
    data = table(6, after=1.0).sample(frac=0.7, random_state=1)
    data["wave"] = 2 * data["post"] + np.random.default_rng(1).integers(0, 2, len(data))
    own = data[(data["mandate"] == 1) & (data["post"] == 1)]
    dummies = [pd.get_dummies(own["person"], dtype=float), own["wave"] == 3]
    design = pd.concat(dummies, axis=1).assign(x=np.log(own["tokens"])).to_numpy(dtype=float)
    beta = np.linalg.lstsq(design, own["quality"].to_numpy(), rcond=None)[0]
    found = line_of(ask(data, wave="wave"), "Slope, treated, after")
    assert found.value == pytest.approx(beta[-1], rel=DENSE_TWIN * 10)


def test_a_metric_that_died_is_found_in_the_reference_study() -> None:
    truth = read_truth(TRUTH)
    tables = reference(truth, seed=1)
    events = tables["usage_event"]
    events = events.assign(
        tokens=events["tokens_in"] + events["tokens_out"],
        week=(events["timestamp"] - events["timestamp"].min().normalize()).dt.days // 7,
    )
    weeks = events.groupby(["firm_id", "person_id", "week"], as_index=False).agg(
        tokens=("tokens", "sum"), quality=("quality", "mean")
    )
    mandated = tables["mandate"].set_index("firm_id")["mandate_type"].eq("token").astype(int)
    weeks["mandate"] = weeks["firm_id"].map(mandated)
    weeks["post"] = (weeks["week"] >= truth.design.weeks_per_wave).astype(int)
    weeks = weeks.rename(columns={"firm_id": "firm", "person_id": "person"})
    found = ask(weeks, wave="week")
    after = line_of(found, "Slope, treated, after")
    assert after.low < truth.quality.slope_mandate < after.high
    never = line_of(found, "Slope, never mandated, after")
    assert never.low < truth.quality.slope < never.high
    assert line_of(found, "Change of the slope").high < 0.0


def test_a_narrower_range_deceives_the_share_of_variance_and_not_the_slope() -> None:
    found = [ask(table(seed, sd=0.4)) for seed in range(RUNS)]
    naive = sum(line_of(f, "Naive").p < 0.05 for f in found)
    ours = sum(line_of(f, "Change of the slope").p < 0.05 for f in found)
    assert naive > 0.9 * RUNS
    assert ours <= stats.binom.ppf(0.999, RUNS, 0.05)
    assert not any(f.decision.verdict == "supported" for f in found)


def test_intervals_of_the_ratio_cover_it() -> None:
    covered = 0
    for seed in range(RUNS):
        ratio = line_of(ask(table(seed, after=1.0)), "Slope after, relative")
        covered += ratio.low < 1.0 / 3.0 < ratio.high
    assert covered >= stats.binom.ppf(0.001, RUNS, 0.95)


def test_what_happens_to_everybody_is_not_the_mandate() -> None:
    found = ask(table(2, trend=-2.0, after=3.0))
    assert found.decision.verdict != "supported"
    assert line_of(found, "Slope, treated, after").value < 1.6


def test_a_metric_that_died_is_supported_and_one_that_did_not_is_not() -> None:
    assert ask(table(3, after=0.2)).decision.verdict == "supported"
    assert ask(table(3, after=3.0)).decision.verdict in ("equivalent", "inconclusive")


def test_a_metric_that_never_measured_anything_is_not_tested() -> None:
    data = table(4)
    data["quality"] = np.random.default_rng(1).normal(size=len(data))
    found = ask(data)
    assert found.decision.verdict == "not tested"


def test_few_firms_are_a_threat() -> None:
    found = ask(table(5, after=0.1, firms=8))
    few = next(e for e in found.evidence if e.artefact == "few firms")
    assert few.outcome == "threat"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokens": -1.0}, "Negative tokens are errors of the log"),
        ({"mandate": 1}, "Add firms that never had a mandate"),
        ({"post": 1}, "and the time before"),
        ({"firm": None}, "rows have no firm"),
        ({"firm": "one"}, "a firm is in both arms"),
    ],
)
def test_bad_tables_are_refused_in_a_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TableError, match=says):
        ask(table(1).assign(**change))
