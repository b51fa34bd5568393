"""From declared figures to their aggregated numbers; no participant's row leaves this room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from alc_stats.errors import DeclarationError, FitError, Problem, TableError, did_you_mean
from alc_stats.measures.describe import distribution, trajectory
from alc_stats.models.finding import Finding
from alc_stats.models.picture import Panel, Picture
from alc_stats.models.widening import pictures
from alc_stats.models.widening.data import spread_data
from alc_stats.records import Cell
from alc_stats.study.declaration import ExhibitDeclared, HypothesisDeclared, Study
from alc_stats.study.fitting import Quantity
from alc_stats.study.result import Exhibit

Columns = Mapping[str, tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Material:
    """What figures are made from: tables, quantities, true values, widenings, each by id."""

    tables: Mapping[str, pd.DataFrame]
    quantities: Mapping[str, Quantity]
    labels: Mapping[str, str]
    truth: Mapping[str, float]
    widenings: Mapping[str, HypothesisDeclared]


def widenings(study: Study) -> dict[str, HypothesisDeclared]:
    """The hypotheses that compare spreads, by id."""
    return {h.id: h for h in study.hypotheses if h.widening is not None}


def pictured(findings: Iterable[Finding]) -> tuple[Exhibit, ...]:
    """The pictures that findings carry, as exhibits called after finding and picture.

    Findings that ask several things of the same rows may bring the same picture: it is shown once,
    and its title names all of them.
    """
    shown: dict[tuple[Panel, ...], list[tuple[Finding, Picture]]] = {}
    for finding in findings:
        for p in finding.pictures:
            shown.setdefault(p.panels, []).append((finding, p))
    return tuple(_pictured(alike) for alike in shown.values())


def _pictured(alike: list[tuple[Finding, Picture]]) -> Exhibit:
    (first, p), ids = alike[0], dict.fromkeys(finding.id for finding, _ in alike)
    words = (f"{p.title} ({', '.join(ids)})", p.caption, p.alt)
    return Exhibit(f"{first.id}_{p.id}", "picture", *words, {}, picture=p)


def make_exhibits(study: Study, material: Material) -> tuple[Exhibit, ...]:
    """Every declared figure whose numbers could be had, in declared order."""
    made = (_exhibit(declared, material) for declared in study.exhibits)
    return tuple(exhibit for exhibit in made if any(exhibit.columns.values()))


def _exhibit(declared: ExhibitDeclared, material: Material) -> Exhibit:
    columns = _MAKERS[declared.kind](declared, material)
    named = {"x": declared.x} | ({"y": declared.y} if declared.y else {})
    axes = named | _kinds(declared, material)
    return Exhibit(
        declared.id,
        declared.kind,
        declared.title,
        declared.caption,
        declared.alt,
        columns,
        axes,
        declared.reference,
    )


def _kinds(declared: ExhibitDeclared, material: Material) -> dict[str, str]:
    """How the numbers along an axis are printed, where it is not as plain estimates."""
    shown = [material.quantities[n].kind for n in declared.contrasts if n in material.quantities]
    relative = bool(shown) and set(shown) == {"percent"}
    return {"x_kind": "percent"} if relative else {}


def _forest(declared: ExhibitDeclared, material: Material) -> Columns:
    shown = [
        material.quantities[name] for name in declared.contrasts if name in material.quantities
    ]
    return _intervals(shown) | {"group": tuple(material.labels[q.declared.model] for q in shown)}


def _intervals(shown: list[Quantity]) -> dict[str, tuple[Cell, ...]]:
    return {
        "label": tuple(q.declared.label for q in shown),
        "value": tuple(q.value for q in shown),
        "low": tuple(q.low for q in shown),
        "high": tuple(q.high for q in shown),
    }


def _recovery(declared: ExhibitDeclared, material: Material) -> Columns:
    truths = declared.truths or {}
    shown = {name: material.quantities[name] for name in truths if name in material.quantities}
    true_values = tuple(true_value(truths[name], material.truth) for name in shown)
    inside = tuple(
        float(q.low <= t <= q.high) for q, t in zip(shown.values(), true_values, strict=True)
    )
    return _intervals(list(shown.values())) | {"truth": true_values, "inside": inside}


def true_value(name: str, truth: Mapping[str, float]) -> float:
    """The true value called `name` ("section.parameter") in the truth file."""
    if name not in truth:
        raise DeclarationError(
            Problem(f"the truth has no parameter '{name}'", way_out=did_you_mean(name, truth))
        )
    return truth[name]


def _trajectory(declared: ExhibitDeclared, material: Material) -> Columns:
    return trajectory(
        material.tables[declared.table],
        declared.values,
        by=declared.by,
        over=declared.over,
        cluster=declared.cluster or None,
        person=declared.person or None,
        labels=material.labels,
    )


def _distribution(declared: ExhibitDeclared, material: Material) -> Columns:
    (value,) = declared.values
    return distribution(
        material.tables[declared.table],
        value,
        by=declared.by,
        bins=declared.bins,
        bounds=declared.bounds,
        person=declared.person or None,
    )


def _widening(declared: ExhibitDeclared, material: Material) -> Columns:
    h = material.widenings[declared.hypothesis]
    if h.widening is None:
        raise TypeError(f"hypothesis {h.id} compares no spreads")
    try:
        data = spread_data(material.tables[h.table], h.widening)
    except (FitError, TableError):
        return {}  # the finding says why
    return _PICTURES[declared.kind](data)


_PICTURES = {
    "mean_variance": pictures.mean_variance_columns,
    "fan": pictures.fan_columns,
    "caterpillar": pictures.caterpillar_columns,
}

_MAKERS: Mapping[str, Callable[[ExhibitDeclared, Material], Columns]] = {
    "forest": _forest,
    "recovery": _recovery,
    "trajectory": _trajectory,
    "distribution": _distribution,
    **dict.fromkeys(_PICTURES, _widening),
}
