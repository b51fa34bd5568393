"""The models behind usage-quality slopes: within-between with random slopes, and their rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators import Fit, fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.estimators.kernels.rank import dependent_sets
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.johnson_neyman import JohnsonNeyman, johnson_neyman
from alc_stats.inference.small_samples import SmallSampleChoice, small_sample_choice
from alc_stats.models.inversion.data import FEWEST_VARYING, FIRMS_FOR_BETWEEN, InversionData
from alc_stats.records import FloatArray

SAME = 1e-9
"""A difference that is rounding alone, as a share of the SD within persons."""
UNIT = "quality per log usage"


@dataclass(frozen=True, slots=True)
class Slopes:
    """A slope without a mandate, under it, and their difference; or why there are none."""

    free: Estimate | None = None
    under: Estimate | None = None
    change: Estimate | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The within-between model and what it says.

    Attributes
    ----------
    fit : Fit or None
    within, persons, firms : Slopes
        Of a person's own usage; of persons' and of firms' mean usage.
    random_slopes : bool
        Whether the slope may differ between persons (and firms), as it must for its interaction
        with the mandate to have an honest standard error.
    choice : SmallSampleChoice
        Which inference the number of clusters can bear.
    region : JohnsonNeyman, str or None
        Along the intensity of the mandate; why there is none; None where none is declared.
    """

    fit: Fit | None
    within: Slopes
    persons: Slopes
    firms: Slopes
    random_slopes: bool
    choice: SmallSampleChoice
    region: JohnsonNeyman | str | None


def within_between_model(data: InversionData, level: float) -> Fitted:
    """The model the verdict rests on."""
    choice = small_sample_choice(data.clusters, mixed=True)
    between = _between(data)
    fixed = "quality ~ " + _varying("mandate", ["within", *between]) + controls(data)
    fitted, slopes = _with_slopes(data, fixed, choice)
    failed = Slopes(failure="" if isinstance(fitted, Fit) else fitted)
    if not isinstance(fitted, Fit):
        return Fitted(None, failed, failed, failed, random_slopes=False, choice=choice, region=None)
    persons, firms = (
        slopes_of(fitted, column) if column in between else Slopes(failure=_NO_BETWEEN)
        for column in ("person_mean", "firm_mean")
    )
    return Fitted(
        fitted, slopes_of(fitted, "within"), persons, firms, slopes, choice,
        _region(data, between, choice, level),
    )  # fmt: skip


_NO_BETWEEN = "There are too few of them under each regime for a slope of their means."


def _between(data: InversionData) -> list[str]:
    """Means that can have a slope: of persons who differ within firms, and of enough firms."""
    differ = data.rows["person_mean"].abs().max() > SAME * data.within_sd[0]
    enough = data.has_firms and min(data.firms.values()) >= FIRMS_FOR_BETWEEN
    return [*(["person_mean"] if differ else []), *(["firm_mean"] if enough else [])]


def _varying(by: str, columns: Sequence[str]) -> str:
    """Slopes of the columns that change with `by`; its own effect is among the controls."""
    return " + ".join(f"{c} + {by}:{c}" for c in columns)


def controls(data: InversionData) -> str:
    """Occasions of each regime (the mandate's own effect is in them) and difficulty.

    A mandate's effect may grow; were occasions the same for both regimes, a growing effect on
    quality and a growing one on usage would be a slope within persons.
    """
    parts = ["C(occasion)"]
    for name in data.hard:
        numeric = pd.api.types.is_numeric_dtype(data.rows[name])
        parts.append(name if numeric else f"C({name})")
    return "".join(f" + {part}" for part in parts)


def _with_slopes(
    data: InversionData, fixed: str, choice: SmallSampleChoice
) -> tuple[Fit | str, bool]:
    """With random slopes of persons and firms; with fewer where the rows cannot tell them."""
    failure = ""
    for terms, slopes in _random_parts(data):
        try:
            found = fitted_by(data, fixed + terms, choice)
        except FitError as error:
            failure = str(error)
            continue
        if found.certificate.usable:
            return found, slopes
        failure = found.certificate.sentence
    return failure, False


def _random_parts(data: InversionData) -> list[tuple[str, bool]]:
    """Random terms from the fullest down, and whether slopes are in them.

    Uncorrelated: `within` has a zero of its own, the person's mean, so that the model does not
    depend on where its zero is put; correlations of four rows a person are not told anyway.
    """
    if not data.has_firms:
        shift = "" if data.whole_firms else "mandate + "
        return [
            (f" + (1 + {shift}within || person)", True),
            (" + (1 + within || person)", True),
            (" + (1 | person)", False),
        ]
    shift = "" if data.whole_firms else "mandate + "
    both = f" + (1 + {shift}within || firm) + (1 + within || firm:person)"
    return [
        (both, True),
        (" + (1 + within || firm) + (1 | firm:person)", True),
        (" + (1 | firm) + (1 | firm:person)", False),
    ]


def fitted_by(data: InversionData, formula: str, choice: SmallSampleChoice) -> Fit:
    """A mixed model with the inference that the clusters can bear."""
    if choice.method == "CR2":
        return fit(formula, data.rows, covariance="CR2", cluster="firm")
    return fit(formula, data.rows, df="kenward-roger")


def slopes_of(fitted: Fit, column: str, by: str = "mandate") -> Slopes:
    """The slopes of `column` where `by` is 0 and 1."""
    pair = f"{by}:{column}" if f"{by}:{column}" in fitted.labels else f"{column}:{by}"
    return _slopes(fitted, column, f"{column} + {pair}", pair)


def _slopes(fitted: Fit, free: str, under: str, change: str) -> Slopes:
    free_, under_, change_ = (_named(contrast(fitted, e)) for e in (free, under, change))
    return Slopes(free_, under_, change_)


def _named(estimate: Estimate) -> Estimate:
    return Estimate(estimate.name, estimate.value, estimate.se, estimate.df, UNIT)


def _region(
    data: InversionData, between: Sequence[str], choice: SmallSampleChoice, level: float
) -> JohnsonNeyman | str | None:
    """Where along the mandate's intensity the slope differs from zero."""
    if data.question.intensity is None:
        return None
    varying = _varying("intensity", ["within", *between])
    fixed = f"quality ~ intensity + {varying}" + controls(data)
    fitted, _ = _with_slopes(data, fixed, choice)
    if not isinstance(fitted, Fit):
        return fitted
    return johnson_neyman(fitted, "within", "intensity", level=level)


# -- rivals --------------------------------------------------------------------------------------


def pooled(data: InversionData) -> Slopes:
    """Least squares on raw usage, which takes persons apart for what use does to one of them."""
    return _least_squares(
        data, "quality ~ " + _varying("mandate", ["usage"]) + controls(data), "usage"
    )


def without_random_slopes(data: InversionData) -> Slopes:
    """The same fixed part with random intercepts alone and the model's own standard errors."""
    groups = " + (1 | firm) + (1 | firm:person)" if data.has_firms else " + (1 | person)"
    varying = _varying("mandate", ["within", *_between(data)])
    formula = f"quality ~ {varying}" + controls(data) + groups
    try:
        return slopes_of(fit(formula, data.rows), "within")
    except FitError as error:
        return Slopes(failure=str(error))


def _least_squares(data: InversionData, formula: str, column: str) -> Slopes:
    try:
        fitted = fit(formula, data.rows, covariance="CR2", cluster="firm")
        return slopes_of(fitted, column)
    except FitError as error:
        return Slopes(failure=str(error))


def fixed_effects(data: InversionData, *, hard: bool) -> Slopes:
    """Slopes with an effect of every person and regime, clustered by firm."""
    return _both(_absorbed(data, data.rows, _by_regime(data.rows, "usage"), hard=hard))


def usage_before(data: InversionData) -> Slopes:
    """Slopes of quality on the usage of the occasion before, that of this one held.

    Without holding it, few occasions about their own mean make the two go against each other.
    """
    rows = neighbours(data.rows, -1)
    if len(rows) < FEWEST_VARYING:
        return Slopes(failure=_NO_NEIGHBOURS)
    now = {f"now_{k}": v for k, v in _by_regime(rows, "usage").items()}
    return _both(_absorbed(data, rows, _by_regime(rows, "neighbour") | now, hard=True))


_NO_NEIGHBOURS = "No person has two occasions in a row under one regime."


def _by_regime(rows: pd.DataFrame, column: str) -> dict[str, pd.Series]:
    return {
        "free": rows[column] * (1.0 - rows["mandate"]),
        "under": rows[column] * rows["mandate"],
    }


def next_usage(data: InversionData) -> Estimate | str:
    """Slope of quality on the usage of the *next* occasion, that of this one held.

    What comes later cannot cause what was before: a slope here says that usage answers to quality
    or that both follow something else (strict exogeneity; Wooldridge 2010, section 10.7).
    """
    rows = neighbours(data.rows, 1)
    if len(rows) < FEWEST_VARYING:
        return _NO_NEIGHBOURS
    parts = {"later": rows["neighbour"]} | _by_regime(rows, "usage")
    made = _absorbed(data, rows, parts, hard=True)
    return made if isinstance(made, str) else _named(contrast(made, "later"))


def _absorbed(
    data: InversionData, rows: pd.DataFrame, parts: Mapping[str, pd.Series], *, hard: bool
) -> Fit | str:
    """Least squares after every person and regime's own mean is taken out."""
    table = pd.DataFrame({**parts, **_held(data, rows, hard=hard)}).astype(float)
    centred = table - table.groupby(rows["cell"]).transform("mean")
    kept = _independent(centred)
    if not {*parts} <= {*kept}:
        return "Usage does not vary within persons and regimes in these rows."
    outcome = rows["quality"] - rows.groupby("cell")["quality"].transform("mean")
    ready = centred[kept].assign(quality=outcome, firm=rows["firm"])
    try:
        formula = "quality ~ 0 + " + " + ".join(kept)
        return fit(formula, ready, covariance="CR2", cluster="firm")
    except FitError as error:
        return str(error)


def _both(made: Fit | str) -> Slopes:
    if isinstance(made, str):
        return Slopes(failure=made)
    return _slopes(made, "free", "under", "under - free")


def _held(data: InversionData, rows: pd.DataFrame, *, hard: bool) -> dict[str, pd.Series]:
    """Controls as columns: numbers as they are, levels as indicators without the first."""
    made: dict[str, pd.Series] = {}
    for name in ["occasion", *(data.hard if hard else [])]:
        if pd.api.types.is_numeric_dtype(rows[name]):
            made[name] = rows[name]
            continue
        for i, value in enumerate(sorted(rows[name].unique())[1:], 1):
            made[f"{name}_{i}"] = (rows[name] == value).astype(float)
    return made


def cleared(data: InversionData, rows: pd.DataFrame) -> pd.DataFrame:
    """`usage` and `quality` of rows less the means of persons and what the controls explain."""
    table = pd.DataFrame({c: rows[c] for c in ("usage", "quality")} | _held(data, rows, hard=True))
    centred = table.astype(float) - table.astype(float).groupby(rows["cell"]).transform("mean")
    held = _independent(centred.drop(columns=["usage", "quality"]))
    if not held:
        return centred[["usage", "quality"]]
    Q, _ = np.linalg.qr(centred[held].to_numpy(float))
    values = centred[["usage", "quality"]].to_numpy(float)
    return pd.DataFrame(values - Q @ (Q.T @ values), rows.index, ["usage", "quality"])


def _independent(table: pd.DataFrame) -> list[str]:
    """Columns from left to right that no earlier ones make up."""
    kept: list[str] = []
    for name in table.columns:
        values: FloatArray = table[[*kept, name]].to_numpy(float)
        if np.abs(values[:, -1]).max() > 1e-9 and not dependent_sets(values, 1e-9):
            kept.append(str(name))
    return kept


def neighbours(rows: pd.DataFrame, step: int) -> pd.DataFrame:
    """Rows with the usage of the occasion `step` later (earlier if negative), `neighbour`.

    Only within a person and regime, and only of the very next occasion.
    """
    order = {t: i for i, t in enumerate(sorted(rows["time"].unique()))}
    place = rows["time"].map(order).astype(int)
    keyed = rows.assign(place=place)
    other = keyed[["cell", "place", "usage"]].rename(columns={"usage": "neighbour"})
    other = other.assign(place=other["place"] - step).drop_duplicates(["cell", "place"])
    return keyed.merge(other, on=["cell", "place"], how="inner")


def change_on_change(data: InversionData) -> Slopes:
    """Change of quality on change of usage from before to after the start, within firms.

    Under a mandate it weighs both slopes: quality before goes with usage before by the slope
    without a mandate. It is a check of drift, not of the slope under the mandate.
    """
    keys, values = ["firm", "person"], ["quality", "usage"]
    after = data.rows["post"] == 1.0
    before_means, after_means = (
        data.rows.loc[when].groupby(keys)[values].mean() for when in (~after, after)
    )
    changes = (after_means - before_means).dropna().reset_index()
    if len(changes) < FEWEST_VARYING:
        return Slopes(failure="Too few persons were seen before and after the start.")
    mandate = changes["person"].map(data.rows.groupby("person")["mandate"].max())
    if data.has_firms:  # each firm has a mean change of its own
        changes[values] -= changes.groupby("firm")[values].transform("mean")
    table = changes.assign(
        mandate=mandate, free=changes["usage"] * (1.0 - mandate), under=changes["usage"] * mandate
    )
    formula = "quality ~ 0 + free + under" if data.has_firms else "quality ~ mandate + free + under"
    try:
        return _both(fit(formula, table, covariance="CR2", cluster="firm"))
    except FitError as error:
        return Slopes(failure=str(error))
