"""What must not change when nothing but the writing of the data changes.

Relations between two fits need no expected number (Segura and others 2016): rows, columns and
levels in another order or under other names, other units and origins, data said twice, rows that
say nothing. A few cases of each run always, hundreds under ALC_EXTENDED=1 (see tests/README.md).
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alc_stats.errors import FitError
from alc_stats.estimators import Fit, Request, fit
from alc_stats.estimators.formula import parse
from alc_stats.estimators.lmm import fit_lmm
from alc_stats.records import dump, load
from tolerances import SAME_BY_RELATION, SAME_LOGLIK_BY_RELATION

EXTENDED = os.environ.get("ALC_EXTENDED") == "1"
many = settings(max_examples=200 if EXTENDED else 3, deadline=None, derandomize=True, database=None)

FIXED = ("x", "x + w", "arm * x", "w + arm")
RANDOM = (
    "(1 | g)",
    "(1 + x | g)",
    "(1 + x || g)",
    "(1 | g/h)",
    "(1 | g) + (1 | c)",
    "(1 + x | g) + (1 | c)",
)
GRID = 2.0**20
"""Outcomes are whole multiples of 2^-20, so that an integer can be added without rounding."""


@dataclass(frozen=True)
class Model:
    """A model of a simulated table, the random terms apart so that they can change places."""

    seed: int
    groups: int
    fixed: str
    random: str
    method: Literal["ML", "REML"]

    @property
    def data(self) -> pd.DataFrame:
        """Groups of five to nine rows, with something to find at every level."""
        rng = np.random.default_rng(self.seed)
        g = np.repeat(np.arange(self.groups), rng.integers(5, 10, self.groups))
        n = len(g)
        h, c = np.arange(n) % 3, rng.integers(0, 5, n)
        x, w = rng.normal(size=n), rng.normal(size=n)
        treated = rng.permutation(np.arange(self.groups) % 3 == 0)[g]
        effects = rng.normal(size=(self.groups, 5))
        y = x * (0.5 + effects[g, 1]) + effects[g, 0] + effects[g, 2 + h]
        y += 0.7 * rng.normal(size=5)[c] + 0.6 * treated + 0.8 * rng.normal(size=n)
        data = pd.DataFrame({"y": np.round(y * GRID) / GRID, "x": x, "w": w})
        data["arm"] = np.where(treated, "mandate", "control")
        levels = {"g": g, "h": h, "c": c}
        return data.assign(**{name: [f"{name}{k}" for k in of] for name, of in levels.items()})

    def fit(self, **changed: Any) -> Fit:
        """The model with another table, fixed or random part."""
        data = changed.pop("data", self.data)
        formula = f"y ~ {changed.pop('fixed', self.fixed)} + {changed.pop('random', self.random)}"
        return fit(formula, data, method=self.method)


def models(random: tuple[str, ...] = RANDOM, fixed: tuple[str, ...] = FIXED) -> Any:
    """Six to ten groups."""
    return st.builds(
        Model,
        seed=st.integers(0, 2**32 - 1),
        groups=st.integers(6, 10),
        fixed=st.sampled_from(fixed),
        random=st.sampled_from(random),
        method=st.sampled_from(("REML", "ML")),
    )


@dataclass
class Numbers:
    """What a fit says, as mappings, variances and covariances by what varies."""

    loglik: float
    params: dict[str, float]
    bse: dict[str, float]
    df: dict[str, float]
    covariances: dict[frozenset[str] | tuple[str, frozenset[str]], float]


def numbers(own: Fit) -> Numbers:
    covariances: dict[Any, float] = {}
    sds = {(c.group, c.term): c.sd for c in own.random if c.correlation is None}
    for c in own.random:
        if c.correlation is None:
            covariances[c.group, frozenset([c.term])] = c.sd**2
        else:
            size = sds[c.group, c.term] * sds[c.group, c.other]
            covariances[c.group, frozenset([c.term, c.other])] = (
                size * c.correlation if size > 0.0 else 0.0
            )
    df = dict(zip(own.names, own.df.tolist(), strict=True))
    return Numbers(float(own.loglik or 0.0), dict(own.params), dict(own.bse), df, covariances)


def assert_same(found: Numbers, expected: Numbers) -> None:
    """Equal but for rounding: coefficients beside their errors, covariances beside the residual."""
    assert found.loglik == pytest.approx(expected.loglik, abs=SAME_LOGLIK_BY_RELATION)
    assert found.params.keys() == expected.params.keys()
    for name, se in expected.bse.items():
        assert abs(found.params[name] - expected.params[name]) < SAME_BY_RELATION * se, name
        assert found.bse[name] == pytest.approx(se, rel=SAME_BY_RELATION), name
        assert 1.0 / found.df[name] == pytest.approx(
            1.0 / expected.df[name], rel=SAME_BY_RELATION, abs=SAME_BY_RELATION
        ), name
    assert found.covariances.keys() == expected.covariances.keys()
    residual = expected.covariances["Residual", frozenset([""])]
    for key, value in expected.covariances.items():
        sizes = [expected.covariances[key[0], frozenset([term])] for term in key[1]]
        allowed = SAME_BY_RELATION * (max(sizes) + residual)
        assert abs(found.covariances[key] - value) < allowed, key


def settled(own: Model) -> Numbers:
    """What the plain fit says; a case without a usable answer has nothing to relate."""
    plain = own.fit()
    assume(plain.certificate.usable)
    return numbers(plain)


def renamed(own: Numbers, names: dict[str, str]) -> Numbers:
    """The same under other coefficient names."""

    def told(values: dict[str, float]) -> dict[str, float]:
        return {names.get(name, name): value for name, value in values.items()}

    return replace(own, params=told(own.params), bse=told(own.bse), df=told(own.df))


def in_units(own: Numbers, factor: dict[str, float], random: dict[str, float]) -> Numbers:
    """Coefficients times their factor, covariances times those of their terms."""
    return replace(
        own,
        params={n: v * factor.get(n, 1.0) for n, v in own.params.items()},
        bse={n: v * factor.get(n, 1.0) for n, v in own.bse.items()},
        covariances={
            (group, terms): v * np.prod([random.get(t, 1.0) for t in terms]) ** (2 // len(terms))
            for (group, terms), v in own.covariances.items()
        },
    )


@many
@given(models(), st.randoms(use_true_random=False))
def test_1_order_of_rows_columns_and_terms(own: Model, random: Random) -> None:
    base = settled(own)
    rows, columns = list(range(len(own.data))), list(own.data.columns)
    random.shuffle(rows)
    random.shuffle(columns)
    assert_same(numbers(own.fit(data=own.data.iloc[rows][columns])), base)
    first, *rest = own.random.split(" + (1 | c)")
    if rest:
        assert_same(numbers(own.fit(random=f"(1 | c) + {first}")), base)


@many
@given(models(), st.sampled_from(("numbers", "letters", "floats", "categories", "bytes of joy")))
def test_2_names_of_levels(own: Model, kind: str) -> None:
    base = settled(own)
    data = own.data.copy()
    for column in ("g", "h", "c"):
        level = data[column].str[1:].astype(int)
        told = {
            "numbers": 1000 - 7 * level,
            "letters": "\u00fc " + (99 - level).astype(str),
            "floats": -0.5 * level,
            "categories": pd.Categorical(data[column], sorted(set(data[column]), reverse=True)),
            "bytes of joy": (level.astype(str) + "\U0001f600 | (1 + x"),
        }
        data[column] = told[kind]
    assert_same(numbers(own.fit(data=data)), base)


@many
@given(models(), st.integers(-(10**9), 10**9))
def test_3_origin_of_the_outcome(own: Model, shift: int) -> None:
    base = settled(own)
    moved = numbers(own.fit(data=own.data.assign(y=own.data["y"] + shift)))
    moved.params["Intercept"] -= shift
    assert_same(moved, base)


@many
@given(models(), st.integers(-12, 12), st.sampled_from((1.0, -1.0, 0.3)))
def test_4_units_of_the_outcome(own: Model, power: int, mantissa: float) -> None:
    base = settled(own)
    k = mantissa * 10.0**power
    scaled = numbers(own.fit(data=own.data.assign(y=k * own.data["y"])))
    degrees = len(own.data) - (len(base.params) if own.method == "REML" else 0)
    back = in_units(
        scaled,
        dict.fromkeys(base.params, 1.0 / k),
        {"Intercept": 1.0 / abs(k), "x": 1.0 / abs(k), "": 1.0 / abs(k)},
    )
    back = replace(
        back,
        loglik=scaled.loglik + degrees * np.log(abs(k)),
        bse={n: abs(v) for n, v in back.bse.items()},
    )
    assert_same(back, base)


@many
@given(models(), st.integers(-9, 9), st.sampled_from((1.0, -1.0, 7.0)))
def test_5_units_of_a_predictor(own: Model, power: int, mantissa: float) -> None:
    base = settled(own)
    k = mantissa * 10.0**power
    scaled = numbers(own.fit(data=own.data.assign(x=k * own.data["x"])))
    slopes = [name for name in base.params if "x" in name.split(":")]
    back = in_units(scaled, dict.fromkeys(slopes, k), {"x": k})
    if own.method == "REML":
        back = replace(back, loglik=scaled.loglik + len(slopes) * np.log(abs(k)))
    back = replace(back, bse={n: abs(v) for n, v in back.bse.items()})
    assert_same(back, base)


@many
@given(
    models(("(1 | g)", "(1 + x | g)", "(1 + x | g) + (1 | c)"), ("x", "x + w", "arm * x")),
    st.integers(-(10**6), 10**6),
)
def test_6_origin_of_a_predictor(own: Model, shift: int) -> None:
    """x - s: intercepts are taken elsewhere on the same lines, slopes and fit stay."""
    base = settled(own)
    moved = numbers(own.fit(data=own.data.assign(x=own.data["x"] - shift)))
    assert moved.loglik == pytest.approx(base.loglik, abs=SAME_LOGLIK_BY_RELATION)
    for name in ("x", *(n for n in base.params if n.endswith(":x"))):
        assert abs(moved.params[name] - base.params[name]) < SAME_BY_RELATION * base.bse[name] * 10
        assert moved.bse[name] == pytest.approx(base.bse[name], rel=SAME_BY_RELATION)
    if "1 + x | g" not in own.random:
        return
    v0, v1 = (base.covariances["g", frozenset([t])] for t in ("Intercept", "x"))
    c = base.covariances["g", frozenset(["Intercept", "x"])]
    assert moved.covariances["g", frozenset(["x"])] == pytest.approx(
        v1, abs=SAME_BY_RELATION * (v1 + 1.0)
    )
    expected = v0 + 2.0 * shift * c + shift**2 * v1
    assert moved.covariances["g", frozenset(["Intercept"])] == pytest.approx(
        expected, abs=SAME_BY_RELATION * (1.0 + v0 + shift**2 * (v1 + 1.0))
    )


@many
@given(models(fixed=("arm * x",)))
def test_7_reference_level(own: Model) -> None:
    base = settled(own)
    other = numbers(own.fit(fixed='C(arm, Treatment("mandate")) * x'))
    effect, written = "arm[T.mandate]", "C(arm, Treatment('mandate'))[T.control]"
    turned = {name: name.replace(written, effect) for name in other.params}
    other = renamed(other, turned)
    for name in (effect, f"{effect}:x"):
        assert abs(other.params[name] + base.params[name]) < SAME_BY_RELATION * base.bse[name]
        assert other.bse[name] == pytest.approx(base.bse[name], rel=SAME_BY_RELATION)
        assert 1 / other.df[name] == pytest.approx(1 / base.df[name], abs=SAME_BY_RELATION)
    for name in ("Intercept", "x"):
        inside = effect if name == "Intercept" else f"{effect}:x"
        moved = base.params[name] + base.params[inside]
        assert abs(other.params[name] - moved) < SAME_BY_RELATION * base.bse[inside]
    assert_same(replace(other, params={}, bse={}, df={}), replace(base, params={}, bse={}, df={}))


@many
@given(models(("(1 | g)", "(1 + x | g)", "(1 | g/h)")))
def test_8_every_group_twice(own: Model) -> None:
    own = replace(own, method="ML")
    base = settled(own)
    twin = own.data.assign(g="second " + own.data["g"])
    twice = numbers(own.fit(data=pd.concat([own.data, twin])))
    back = replace(
        twice,
        loglik=twice.loglik / 2.0,
        bse={n: v * np.sqrt(2.0) for n, v in twice.bse.items()},
        df={n: v / 2.0 for n, v in twice.df.items()},
    )
    assert_same(back, base)


@many
@given(models(), st.integers(1, 9))
def test_9_rows_and_levels_that_say_nothing(own: Model, extra: int) -> None:
    base = settled(own)
    empty = own.data.iloc[:extra].assign(y=np.nan)
    data = pd.concat([own.data, empty], ignore_index=True)
    levels = [*sorted(set(data["arm"])), "never seen"]
    data = data.assign(arm=pd.Categorical(data["arm"], levels), unused=np.nan)
    found = own.fit(data=data)
    assert_same(numbers(found), base)
    assert (found.counts.read, found.counts.used) == (len(data), len(own.data))
    assert found.counts.dropped == {"y": extra}


@many
@given(models(("(1 | g)", "(1 + x | g)")))
def test_10_columns_that_say_nothing(own: Model) -> None:
    base = settled(own)
    data = own.data.assign(one=3.0, again=2.0 * own.data["x"], noise=np.arange(len(own.data)) % 4)
    for column, other in (("one", "Intercept"), ("again", "x")):
        with pytest.raises(FitError, match="linearly dependent") as refusal:
            own.fit(data=data, fixed=f"x + w + {column}")
        assert column in str(refusal.value)
        assert other in str(refusal.value)
    more = own.fit(data=data, random=f"{own.random} + (1 | noise)")
    if more.certificate.usable:
        assert float(more.loglik or 0.0) > base.loglik - SAME_LOGLIK_BY_RELATION


@many
@given(models(("(1 | g)", "(1 + x | g)")), st.integers(-6, 6))
def test_15_weights(own: Model, power: int) -> None:
    """A weight is a row scaled by its root; all weights times k is the residual variance times k.

    (Prior weights say how precise a row is, not how often it was seen: weight 2 is not the row
    twice.)
    """
    data = own.data.assign(weight=1.0 + np.arange(len(own.data)) % 5, one=1.0)
    slope = " + x" if "x" in own.random else ""
    written = f"y ~ 0 + one + x + w + (0 + one{slope} | g)"
    request = Request(written, "alc_stats", own.method, df="satterthwaite")

    def weighted(table: pd.DataFrame, column: str | None) -> Fit:
        return fit_lmm(parse(written), table, request=request, weights=column).fit

    plain = weighted(data, "weight")
    assume(plain.certificate.usable)
    base = numbers(plain)
    root = np.sqrt(data["weight"])
    scaled = data.assign(**{name: data[name] * root for name in ("y", "one", "x", "w")})
    by_rows = numbers(weighted(scaled, None))
    assert_same(replace(by_rows, loglik=by_rows.loglik + float(np.log(root).sum())), base)
    k = 10.0**power
    found = numbers(weighted(data.assign(weight=k * data["weight"]), "weight"))
    found.covariances["Residual", frozenset([""])] /= k
    assert_same(found, base)


@many
@given(models())
def test_16_on_disk_and_back(own: Model) -> None:
    plain = own.fit()
    text = dump(plain)
    assert dump(load(text, Fit)) == text
    csv = io.StringIO(own.data.to_csv(index=False))
    parquet = io.BytesIO()
    own.data.to_parquet(parquet)
    for table in (pd.read_csv(csv), pd.read_parquet(io.BytesIO(parquet.getvalue()))):
        assert dump(own.fit(data=table)) == text
