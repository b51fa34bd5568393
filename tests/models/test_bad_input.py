"""What no function of mandates and metrics can read is a sentence; what it can read is a finding.

A table is spoilt in one place at a time. Warnings are errors in tests, so that none leaks either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alc_stats as alc
from alc_stats.errors import AlcError, DeclarationError
from alc_stats.models.arguments import check_arguments
from alc_stats.models.frontier.data import FrontierQuestion
from tolerances import SAME_BY_RELATION

POINTS = (-np.inf, np.inf)
PRICES = pd.DataFrame(
    {"model": ["m1", "m2"], "since": ["2026-01-01", "2025-10-01"], "input": 3.0, "output": 15.0}
)


def _panel() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.MultiIndex.from_product([range(12), range(1, 6)], names=["firm", "month"])
    made = table.to_frame(index=False)
    made["start"] = made["firm"].map(lambda firm: {0: 3, 1: 4}.get(firm % 3)).astype(float)
    made["size"] = rng.normal(size=12)[made["firm"]]
    return made.assign(y=rng.normal(size=60), load=rng.normal(size=60))


def _tasks() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 960
    made = pd.DataFrame({"person": np.arange(n) % 96, "post": np.arange(n) // (n // 2)})
    made["firm"] = made["person"] % 12
    made["mandate"] = made["firm"] % 2
    worth = rng.normal(size=n)
    made["tokens"] = 60_000 * np.exp(0.4 * worth + 0.2 * np.abs(rng.normal(size=n)))
    made["tokens_out"] = 0.4 * made["tokens"]
    made["quality"] = worth + rng.normal(size=n)
    made["done"], made["accepted"] = worth + rng.normal(size=(2, n))
    made["quota"], made["kept"], made["late"] = 60_000.0, 120.0, 0.1 * made["tokens"]
    made["model"] = np.where(rng.random(n) < 0.5, "m1", "m2")
    made["day"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(rng.integers(0, 90, n), "D")
    made["arm"] = np.where(made["mandate"] == 1, "mandate", "control")
    return made


def _weeks() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    made = pd.DataFrame({"person_id": np.arange(480) // 8, "period": np.arange(480) % 8})
    made["firm_id"], made["prompts"] = made["person_id"] % 6, 40
    return made.assign(repeat_prompts=rng.binomial(40, 0.2, 480), tokens=9000, accepted=8)


@dataclass(frozen=True)
class Asked:
    """A function, a table that it can read, and the arguments."""

    of: Callable[..., Any]
    table: Callable[[], pd.DataFrame]
    by: Mapping[str, Any]

    def ask(self, table: pd.DataFrame) -> Any:
        return self.of(table, **self.by)

    @property
    def columns(self) -> list[str]:
        known = [*self.table().columns]
        named = [x for v in self.by.values() for x in (v if isinstance(v, list) else [v])]
        named = [x.column if isinstance(x, alc.Metric) else x for x in named]
        chosen = [x for x in named if isinstance(x, str) and x in known]
        return list(dict.fromkeys(chosen)) or known


ASKED = {
    "mandate": Asked(
        alc.mandate, _panel,
        {"outcome": "y", "firm": "firm", "time": "month", "start": "start", "controls": "not_yet",
         "covariates": ["size"], "time_varying": ["load"], "gaps": "leave_out"},
    ),
    "proxy": Asked(
        alc.proxy, _tasks,
        {"quality": "quality", "amount": "tokens", "person": "person", "firm": "firm",
         "mandated": "mandate", "post": "post", "indicators": ["done", "accepted"]},
    ),
    "bunching": Asked(
        alc.bunching, _tasks,
        {"amount": "tokens", "quota": "quota", "firm": "firm", "mandated": "mandate",
         "quality": "quality", "late": "late", "draws": 99},
    ),
    "frontier": Asked(
        alc.frontier, _tasks,
        {"amount": "tokens", "given": ["quality"], "categories": ["model"], "treatment": "mandate",
         "determinants": ["done"], "firm": "firm", "person": "person", "money": "tokens_out",
         "measurable": "kept"},
    ),
    "scorecard": Asked(
        alc.scorecard, _tasks,
        {"volume": alc.Metric(column="tokens", log=True),
         "quality": alc.Metric(column="quality", bounds=POINTS), "arm": "arm",
         "control": "control", "treated": "mandate", "person": "person", "firm": "firm",
         "post": "post"},
    ),
    "padding": Asked(alc.padding, _weeks, {"starts": {f: 4 if f % 2 else None for f in range(6)}}),
    "priced": Asked(
        alc.priced, _tasks,
        {"prices": PRICES, "model": "model", "date": "day", "tokens_in": "tokens",
         "tokens_out": "tokens_out"},
    ),
}  # fmt: skip


def _some(table: pd.DataFrame, name: str, value: object) -> pd.Series:
    column = table[name].astype(object)
    column.iloc[::7] = value
    return column.infer_objects()


def _numbers(change: Callable[[pd.Series], pd.Series]) -> Callable[[pd.DataFrame, str], Any]:
    def spoilt(table: pd.DataFrame, name: str) -> pd.Series:
        numeric = pd.api.types.is_numeric_dtype(table[name])
        return change(table[name].astype(float)) if numeric else table[name]

    return spoilt


SPOILT: dict[str, Callable[[pd.DataFrame, str], Any]] = {
    "missing": lambda t, c: _some(t, c, None),
    "empty": lambda t, c: None,
    "infinite": lambda t, c: _some(t, c, np.inf),
    "negative": _numbers(lambda x: -x),
    "zero": _numbers(lambda x: 0.0 * x),
    "huge": _numbers(lambda x: x * 1e300),
    "large": _numbers(lambda x: x * 1e12),
    "tiny": _numbers(lambda x: x * 1e-300),
    "complex": _numbers(lambda x: x + 1j),
    "halves": _numbers(lambda x: x + 0.5),
    "constant": lambda t, c: t[c].iloc[0],
    "one": lambda t, c: 1,
    "unique": lambda t, c: np.arange(len(t)),
    "text": lambda t, c: t[c].astype(str),
    "mixed": lambda t, c: _some(t, c, "n/a"),
    "categories": lambda t, c: t[c].astype("category"),
    "nullable": lambda t, c: _some(t, c, None).convert_dtypes(),
    "arrow": lambda t, c: _some(t, c, None).convert_dtypes(dtype_backend="pyarrow"),
    "days": lambda t, c: pd.date_range("2026-01-01", periods=len(t), tz="Europe/Berlin"),
    "months": lambda t, c: pd.period_range("2026-01", periods=len(t), freq="D"),
    "spans": lambda t, c: pd.to_timedelta(np.arange(len(t)), "h"),
    "lists": lambda t, c: [[1]] * len(t),
}
CUT: dict[str, Callable[[pd.DataFrame], Any]] = {
    "no rows": lambda t: t.iloc[:0],
    "one row": lambda t: t.iloc[:1],
    "first rows": lambda t: t.iloc[:9],
    "no columns": lambda t: t[[]],
    "a part": lambda t: t.sample(frac=0.2, random_state=1),
    "rows twice": lambda t: pd.concat([t, t]),
    "columns twice": lambda t: pd.concat([t, t], axis=1),
    "headings of two rows": lambda t: t.set_axis(
        pd.MultiIndex.from_product([t.columns, ["a"]]), axis=1
    ),
    "one index": lambda t: t.set_axis(np.zeros(len(t), dtype=int), axis=0),
    "a named index": lambda t: t.rename_axis(index=t.columns[0]),
    "two indices": lambda t: t.set_index([*t.columns[:2]], drop=False),
    "arrow throughout": lambda t: t.convert_dtypes(dtype_backend="pyarrow"),
    "no table": lambda t: t.to_dict("list"),
}


def _answered(asked: Asked, table: Any) -> None:
    """A finding that can be read, or a sentence."""
    try:
        found = asked.ask(table)
    except AlcError as error:
        assert all(problem.what for problem in error.problems)  # noqa: PT017
        return
    if isinstance(found, alc.Finding):
        assert found.id in alc.summary(found)


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("name", ASKED)
def test_a_spoilt_column_is_read_or_refused(name: str, spoil: str) -> None:
    asked = ASKED[name]
    for column in asked.columns:
        table = asked.table()
        _answered(asked, table.assign(**{column: SPOILT[spoil](table, column)}))


@pytest.mark.parametrize("cut", CUT)
@pytest.mark.parametrize("name", ASKED)
def test_a_table_in_pieces_is_read_or_refused(name: str, cut: str) -> None:
    _answered(ASKED[name], CUT[cut](ASKED[name].table()))


WRONG = (None, "", "nope", 0, -1.5, float("nan"), float("inf"), True, (), ["firm"], {}, object())


@pytest.mark.parametrize("name", ASKED)
def test_an_argument_of_another_kind_is_refused(name: str) -> None:
    asked, table = ASKED[name], ASKED[name].table()
    for part in asked.by:
        for value in WRONG:
            _answered(Asked(asked.of, asked.table, {**asked.by, part: value}), table)


@pytest.mark.parametrize("name", ["mandate", "proxy", "bunching", "frontier", "scorecard"])
def test_a_number_is_no_criterion(name: str) -> None:
    asked = ASKED[name]
    with pytest.raises(DeclarationError, match=r"'criterion' is of another kind.*Say alc.Crit"):
        asked.of(asked.table(), **asked.by, criterion=0.2)


def test_all_arguments_of_another_kind_are_named_at_once() -> None:
    question = FrontierQuestion(amount="", given=("size", 3), firm=["firm"])  # type: ignore[arg-type]
    with pytest.raises(DeclarationError) as error:
        check_arguments("frontier", question, None, None)
    assert [p.found for p in error.value.problems] == ["''", "('size', 3)", "['firm']"]
    assert error.value.problems[1].allowed == "a list, each text"


# -- each rule by its sentence --------------------------------------------------------------------


def _refused(name: str, table: pd.DataFrame, says: str, **more: Any) -> None:
    with pytest.raises(AlcError, match=says):
        ASKED[name].of(table, **{**ASKED[name].by, **more})


def test_a_firm_without_a_covariate_is_named() -> None:
    table = _panel()
    table.loc[(table["firm"] == 3) & (table["month"] == 1), "size"] = np.nan
    _refused("mandate", table, r"no value of a covariate.*1 of 12 firms; the first is 3")


def test_firms_that_are_left_after_gaps_have_to_be_enough() -> None:
    table = _panel().query("not (start > 0 and firm > 0 and month == 2)")
    _refused("mandate", table, "one firm alone is ever under a mandate")


def test_firms_may_be_held_sparsely() -> None:
    table = _panel()
    table["on"] = ((table["start"] > 0) & (table["month"] >= table["start"])).astype(int)
    by = {k: v for k, v in ASKED["mandate"].by.items() if k != "start"} | {"treated": "on"}
    sparse = table.assign(firm=pd.arrays.SparseArray(table["firm"].to_numpy()))
    of = ASKED["mandate"].of
    assert of(sparse, **by).estimate == of(table, **by).estimate


def test_one_covariate_may_be_named_by_itself() -> None:
    of, by = ASKED["mandate"].of, dict(ASKED["mandate"].by)
    several = of(_panel(), **by)
    alone = of(_panel(), **{**by, "covariates": "size", "time_varying": "load"})
    assert alone.estimate == several.estimate


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("tokens", None, "lack tokens, which would cost nothing"),
        ("day", "soon", "not every value is a day"),
        ("day", 20260131, "numbers are no days"),
        ("day", None, "rows have no day"),
    ],
)
def test_what_has_no_price_is_refused(column: str, value: object, says: str) -> None:
    table = _tasks()
    _refused("priced", table.assign(**{column: _some(table, column, value)}), says)


def test_an_empty_table_of_prices_is_refused() -> None:
    _refused("priced", _tasks(), "the table of prices is empty", prices=PRICES.iloc[:0])


def test_amounts_that_are_all_alike_have_no_excess() -> None:
    found = ASKED["frontier"].ask(_tasks().assign(tokens=1.0))
    assert found.decision.verdict == "not tested"
    assert "amounts are the same in all rows" in alc.summary(found).replace("\n", " ")


def test_a_unit_that_is_missing_is_named() -> None:
    table = _tasks().assign(unit=None)
    _refused("bunching", table, "another unit than the log.*none in", quota_unit="unit", unit="t")


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_an_excess_does_not_hang_on_the_unit_of_what_moves_it(scale: float) -> None:
    table = _tasks()
    own = ASKED["frontier"].ask(table)
    other = ASKED["frontier"].ask(table.assign(done=scale * table["done"]))
    assert other.estimate.value == pytest.approx(own.estimate.value, rel=SAME_BY_RELATION)
    assert other.estimate.se == pytest.approx(own.estimate.se, rel=SAME_BY_RELATION)


def test_ids_may_start_anew_in_every_firm() -> None:
    table = _tasks()
    local = table.groupby("firm")["person"].transform(lambda ids: pd.factorize(ids)[0])
    own, other = (ASKED["frontier"].ask(t) for t in (table, table.assign(person=local)))
    told = [[line.value for line in f.triangulation] for f in (own, other)]
    assert told[0] == told[1]


def test_starts_are_of_the_kind_that_periods_are() -> None:
    _refused("padding", _weeks(), "starts are of several kinds", starts={
        f: [None, 4, pd.Timestamp("2026-01-01")][f % 3] for f in range(6)})  # fmt: skip
    _refused("padding", _weeks().iloc[:0], "there is no row to count in")
