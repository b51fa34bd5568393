"""The spread of every unit (firm, class, person), and what it brings to the comparison."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from alc_stats.inference.unit_contrast import UnitSums
from alc_stats.models.widening.artefacts import FEWEST_MEMBERS, Arm, Change, Spreads
from alc_stats.models.widening.data import SpreadData
from alc_stats.records import BoolArray, FloatArray

Target = Literal["between", "within", "observed"]
"""Whose spread decides: of persons' true levels, of a person's own outcomes, or of the outcomes
seen, where persons have one row (a period) each and the two cannot be told apart."""

_PAIRED_SHARE = 0.5
"""Of persons with two rows in a period, from which on products of rows speak for the period."""


def target_of(data: SpreadData) -> Target:
    """The spread that the rows can be asked about."""
    if data.kind == "within":
        return "within"
    return "between" if data.repeated and between_channels(data) else "observed"


def members(data: SpreadData) -> pd.DataFrame:
    """One row a person and period (a row, where persons' own outcomes spread).

    Columns unit, person, treated, post, group, value (mean outcome), residual (mean of the
    centred outcomes), rows; and the cells.
    """
    known = data.rows.loc[data.rows["centred"].notna()]
    if data.kind == "within":
        return known.assign(value=known["outcome"], residual=known["centred"], rows=1)
    by = known.groupby(["unit", "person", "treated", "post"], observed=True, sort=True)
    cells = {c: (c, "first") for c in data.cells}
    table = by.agg(
        value=("outcome", "mean"), residual=("centred", "mean"), rows=("outcome", "size"), **cells
    )
    return table.reset_index()


def group_spreads(data: SpreadData) -> pd.DataFrame:
    """Log SD of members in every unit (arm, for persons) and period, with mean and sizes.

    Columns place (the unit or arm), treated, post, n, log_sd, variance (of the log SD), mean, noise
    (sampling variance of the mean), third (third central moment), log_cv and cv_variance (log of
    SD over mean, with its sampling variance; Nakagawa et al. 2015, eq. 11 and 12 for a normal
    outcome) and flat (no spread at all).
    """
    table = members(data)
    table["place"] = table["treated"] if data.kind == "persons" else table["unit"]
    square, cube = table["residual"] ** 2, table["residual"] ** 3
    by = table.assign(square=square, cube=cube).groupby(["place", "treated", "post"], observed=True)
    out = by.agg(
        n=("value", "size"), mean=("value", "mean"), square=("square", "mean"),
        cube=("cube", "mean"), least=("value", "min"), most=("value", "max"),
    ).reset_index()  # fmt: skip
    n = out["n"].to_numpy(float)
    out["flat"] = out["most"] == out["least"]
    with np.errstate(divide="ignore", invalid="ignore"):
        out["variance"] = 0.5 / (n - 1.0)
        out["log_sd"] = 0.5 * np.log(out["square"].to_numpy(float)) + out["variance"]
        out["noise"] = out["square"] / n
        out["log_cv"] = out["log_sd"] - np.log(out["mean"].to_numpy(float))
        out["cv_variance"] = out["variance"] + out["noise"] / out["mean"] ** 2
        # residuals are larger by sqrt(n / (n - 1)); n^2 / ((n - 1)(n - 2)) removes the bias
        out["third"] = out["cube"] * np.sqrt(n * (n - 1.0)) / (n - 2.0)
    return out


def measurable(table: pd.DataFrame) -> pd.DataFrame:
    """The groups whose spread can be measured."""
    return table.loc[(table["n"] >= FEWEST_MEMBERS) & ~table["flat"]]


def differences(data: SpreadData) -> pd.DataFrame:
    """One row a unit: log SD (its change, with a time before), its variance, mean and sizes.

    For persons compared with themselves, treated minus control; `treated` is 1 then.
    """
    table = measurable(group_spreads(data))
    if not data.did and data.kind != "within":
        return table.assign(level=table["mean"])
    side = "treated" if data.kind == "within" else "post"
    first, second = (table.loc[table[side] == s].set_index("place") for s in (0.0, 1.0))
    both = first.index.intersection(second.index)
    a, b = first.loc[both], second.loc[both]
    return pd.DataFrame(
        {
            "place": both,
            "treated": b["treated"].to_numpy(),
            "n": b["n"].to_numpy(),
            "effective": 1.0 / (1.0 / a["n"].to_numpy() + 1.0 / b["n"].to_numpy()),
            "log_sd": (b["log_sd"] - a["log_sd"]).to_numpy(),
            "variance": (b["variance"] + a["variance"]).to_numpy(),
            "log_cv": (b["log_cv"] - a["log_cv"]).to_numpy(),
            "cv_variance": (b["cv_variance"] + a["cv_variance"]).to_numpy(),
            "mean": (b["mean"] - a["mean"]).to_numpy(),
            "level": b["mean"].to_numpy(),
            "noise": (b["noise"] + a["noise"]).to_numpy(),
            "third": 0.5 * (b["third"] + a["third"]).to_numpy(),
            "average": 0.5 * (b["log_sd"] + a["log_sd"]).to_numpy(),
            "average_mean": 0.5 * (b["mean"] + a["mean"]).to_numpy(),
        }
    )


def _averages(data: SpreadData, table: pd.DataFrame) -> pd.DataFrame:
    """Units' log SDs and means over both times, with their sampling errors.

    What a person adds to a unit's mean and log SD (its influence on them) is summed over both
    times, since it is the same person. `third` is what gives the sampling covariance of the two in
    `spread_artefacts`.
    """
    rows = members(data)
    rows["place"] = rows["treated"] if data.kind == "persons" else rows["unit"]
    cells = [rows["place"], rows["post"]]
    square = rows["residual"] ** 2
    n = rows.groupby(cells, observed=True)["residual"].transform("size")
    rows["of_mean"] = rows["residual"] / (2.0 * n)
    variance = square.groupby(cells, observed=True).transform("mean")
    rows["of_log_sd"] = (square / variance - 1.0) / (4.0 * n)
    people = rows.groupby(["place", "person"], observed=True)[["of_mean", "of_log_sd"]].sum()
    products = pd.DataFrame(
        {"noise": people["of_mean"] ** 2, "joint": people["of_mean"] * people["of_log_sd"]}
    )
    sums = products.groupby(level="place").sum().loc[table["place"]]
    size, noise = table["n"].to_numpy(float), sums["noise"].to_numpy(float)
    third = 2.0 * sums["joint"].to_numpy(float) * size**2 * noise
    return table.assign(
        log_sd=table["average"],
        mean=table["average_mean"],
        noise=noise,
        third=third,
        effective=size,
    )


def spreads(data: SpreadData) -> Spreads:
    """The arms as the artefact checks see them."""
    apart, whole = differences(data), group_spreads(data)
    table = _averages(data, apart) if data.did else apart
    few, flat = whole["n"] < FEWEST_MEMBERS, whole["flat"] & (whole["n"] >= FEWEST_MEMBERS)
    arms = []
    for side in (1.0, 0.0):
        rows, arm = table.loc[table["treated"] == side], whole["treated"] == side
        sizes = rows["n"].to_numpy(float)
        arms.append(
            Arm(
                log_sds=rows["log_sd"].to_numpy(float),
                means=rows["mean"].to_numpy(float),
                sizes=rows["effective"].to_numpy(float) if "effective" in rows else sizes,
                mean_noise=rows["noise"].to_numpy(float),
                third_moments=rows["third"].to_numpy(float),
                few=int((few & arm).sum()),
                flat=int((flat & arm).sum()),
                members=sizes,
            )
        )
    paired = data.kind == "within"
    level = float(table.loc[table["treated"] == 1.0, "level"].mean())
    change = _change(apart) if data.did else None
    return Spreads(arms[0], None if paired else arms[1], level=level, change=change)


def _change(table: pd.DataFrame) -> Change:
    """The difference in differences of log SDs and of means."""
    arms = [table.loc[table["treated"] == side] for side in (1.0, 0.0)]
    log_sd, mean = (float(arms[0][c].mean() - arms[1][c].mean()) for c in ("log_sd", "mean"))
    variance = sum(float(arm["log_sd"].var(ddof=1)) / len(arm) for arm in arms if len(arm) > 1)
    return Change(log_sd, mean, variance)


# -- what each unit brings -----------------------------------------------------------------------


def unit_sums(data: SpreadData, target: Target) -> UnitSums:
    """The comparison of `target` with the unit as the unit."""
    if target == "between":
        return between_sums(data)
    if target == "within":
        return _paired_log_sds(data)
    return log_sd_sums(data) if data.kind == "firms" else square_sums(data)


def log_sd_sums(data: SpreadData) -> UnitSums:
    """Bias-corrected log SDs of units; the contrast is a difference of their means."""
    table = differences(data)
    values = table["log_sd"].to_numpy(float)[:, None]
    return UnitSums(values, np.ones_like(values), np.ones(1), _flags(table["treated"]), log=False)


def _paired_log_sds(data: SpreadData) -> UnitSums:
    table = measurable(group_spreads(data))
    arms = [table.loc[table["treated"] == a].set_index("place")["log_sd"] for a in (0.0, 1.0)]
    both = pd.concat(arms, axis=1, join="inner")
    values = both.to_numpy(float)[:, :, None]
    flags = np.ones(len(values), bool)
    return UnitSums(values, np.ones_like(values), np.ones(1), flags, log=False, paired=True)


def square_sums(data: SpreadData, residual: FloatArray | None = None) -> UnitSums:
    """Squares of members' residuals, so that the contrast is half a log variance ratio."""
    table = members(data)
    value = table["residual"].to_numpy(float) if residual is None else residual
    return power_sums(data, table, value**2, weight=0.5)


def power_sums(
    data: SpreadData, table: pd.DataFrame, value: FloatArray, *, weight: float = 1.0
) -> UnitSums:
    """Sums of a positive column of `members`, by unit and period."""
    one = np.ones(len(value))
    if data.kind == "within":
        both = [_by_unit(table, v, "treated", (0.0, 1.0)) for v in (value, one)]
        kept = np.all(both[1] > 0.0, axis=1)
        parts = [part[kept][:, :, None] for part in both]
        flags = np.ones(int(kept.sum()), bool)
        return UnitSums(parts[0], parts[1], np.array([weight]), flags, paired=True)
    periods = (1.0, 0.0) if data.did else (0.0,)
    weights = np.array([weight, -weight]) if data.did else np.array([weight])
    top, bottom = (_by_unit(table, v, "post", periods) for v in (value, one))
    return UnitSums(top, bottom, weights, _treated_units(table))


def _by_unit(
    table: pd.DataFrame, value: FloatArray, side: str, levels: tuple[float, ...]
) -> FloatArray:
    """Sums (units, levels) of a column, units in sorted order."""
    codes, units = pd.factorize(table["unit"], sort=True)
    return np.stack(
        [
            np.bincount(codes, value * (table[side] == level).to_numpy(float), len(units))
            for level in levels
        ],
        axis=1,
    )


def _treated_units(table: pd.DataFrame) -> BoolArray:
    return _flags(table.groupby("unit", observed=True, sort=True)["treated"].first())


def _flags(column: pd.Series) -> BoolArray:
    return np.asarray(column.to_numpy(float) == 1.0)


def between_sums(data: SpreadData, centred: FloatArray | None = None) -> UnitSums:
    """Products of two rows of one person: their mean is the between-person variance.

    Measurement error and what changes from row to row have no part in it. With a time before, the
    channels are those of `between_channels`.
    """
    value = data.rows["centred"].to_numpy(float) if centred is None else centred
    person = _person_products(data, value)
    channels = between_channels(data)
    top, bottom = (
        np.stack([person[f"{what}_{c}"].to_numpy(float) for c in channels], axis=1)
        for what in ("sum", "pairs")
    )
    codes, units = pd.factorize(person["unit"], sort=True)
    sums = [
        np.stack([np.bincount(codes, part[:, j], len(units)) for j in range(part.shape[1])], axis=1)
        for part in (top, bottom)
    ]
    weights = np.array([*channels.values()])
    return UnitSums(sums[0].astype(float), sums[1].astype(float), weights, _treated_units(person))


def _person_products(data: SpreadData, value: FloatArray) -> pd.DataFrame:
    """One row a person: sums of products of its rows within and across periods, and how many."""
    known = ~np.isnan(value)
    rows = data.rows.loc[known, ["unit", "person", "treated", "post"]].assign(
        value=value[known], square=value[known] ** 2
    )
    by = rows.groupby(["unit", "person", "treated", "post"], observed=True, sort=True)
    sums = by.agg(n=("value", "size"), s=("value", "sum"), q=("square", "sum")).reset_index()
    parts = {
        p: sums.loc[sums["post"] == p]
        .set_index(["unit", "person", "treated"])[["n", "s", "q"]]
        .add_suffix(str(p))
        for p in (0, 1)
    }
    wide = parts[0].join(parts[1], how="outer").fillna(0.0)
    products: dict[str, pd.Series] = {}
    for p in ("0", "1"):
        n, s, q = (wide[f"{name}{p}"] for name in ("n", "s", "q"))
        products |= {f"sum_{p}{p}": (s * s - q) / 2.0, f"pairs_{p}{p}": n * (n - 1.0) / 2.0}
    products |= {"sum_01": wide["s0"] * wide["s1"], "pairs_01": wide["n0"] * wide["n1"]}
    return wide.assign(**products).reset_index()


def between_channels(data: SpreadData) -> dict[str, float]:
    """Which products of rows identify the between-person log SD, with their weights.

    Both rows after (11), before (00), or one of each (01): products across periods have the mean
    SD_before * SD_after, the person keeping its place. Empty where none identifies it.
    """
    rows = data.rows[["person", "post"]].assign(before=lambda t: t["post"] == 0.0)
    by = rows.groupby("person", observed=True)
    had = {0.0: by["before"].sum(), 1.0: by["before"].size() - by["before"].sum()}
    if not data.did:
        return {"00": 0.5} if _often(had[0.0] >= 2) else {}
    before, after = _often(had[0.0] >= 2), _often(had[1.0] >= 2)
    across = _often((had[0.0] >= 1) & (had[1.0] >= 1))
    if before and after:
        return {"11": 0.5, "00": -0.5}
    if after and across:
        return {"11": 1.0, "01": -1.0}
    return {"01": 1.0, "00": -1.0} if before and across else {}


def _often(holds: pd.Series) -> bool:
    return bool(holds.mean() >= _PAIRED_SHARE)
