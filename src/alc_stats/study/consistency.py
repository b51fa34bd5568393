"""Does a declaration hang together? Names that refer to nothing, columns that no schema has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from alc_stats import schemas
from alc_stats.errors import AlcError, DeclarationError, Problem, did_you_mean
from alc_stats.estimators.difference_scores import refuse_differences
from alc_stats.estimators.formula import parse, variables
from alc_stats.estimators.logistic_outcomes import refuse_arguments
from alc_stats.estimators.spreads import Spreads
from alc_stats.study.declaration import ExhibitDeclared, HypothesisDeclared, ModelDeclared, Study
from alc_stats.study.questions import JUDGES, criterion_of, question_of, questions_asked

LARGEST_ALPHA = 0.10
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""Ids become parts of file names and of numbers' ids."""

Columns = Mapping[str, frozenset[str]]
"""Columns each table will have: its schema's fields and the scales added to it."""


def check_consistency(study: Study) -> None:
    """Raise one DeclarationError with every reference that leads nowhere."""
    columns, unreadable = _columns(study)
    checks: tuple[Callable[[Study, Columns], Iterator[Problem]], ...] = (
        _duplicate_ids,
        _origin,
        _scales,
        _table_one,
        _models,
        _contrasts,
        _hypotheses,
        _exhibits,
    )
    found = [*unreadable, *(problem for check in checks for problem in check(study, columns))]
    if found:
        raise DeclarationError(*found)


def read_schema(study: Study, name: str) -> schemas.Schema:
    """A schema named in a study: the file beside it where there is one, else the packaged one."""
    return schemas.read(study.beside(name) or name)


def _columns(study: Study) -> tuple[Columns, list[Problem]]:
    columns: dict[str, frozenset[str]] = {}
    problems: list[Problem] = []
    for table in study.tables:
        try:
            schema = read_schema(study, table.schema)
        except AlcError as error:
            problems.extend(error.problems)
            continue
        added = (scale.id for scale in study.scales if scale.table == table.id)
        columns[table.id] = frozenset((*(field.name for field in schema.fields), *added))
    return columns, problems


def _unknown(
    study: Study, where: str, what: str, names: Iterable[str], known: Iterable[str]
) -> Iterator[Problem]:
    known = list(known)
    for name in names:
        if name and name not in known:
            yield Problem(
                f"unknown {what} '{name}'",
                where=f"{study.study.id}/study.toml, {where}",
                way_out=did_you_mean(name, known),
            )


def _in_table(
    study: Study, columns: Columns, where: str, table: str, names: Iterable[str]
) -> Iterator[Problem]:
    yield from _unknown(study, where, "table", [table], [t.id for t in study.tables])
    if table in columns:
        yield from _unknown(study, where, f"column of table '{table}':", names, columns[table])


def _duplicate_ids(study: Study, _: Columns) -> Iterator[Problem]:
    kinds = {
        "sources": study.sources,
        "tables": study.tables,
        "scales": study.scales,
        "models": study.models,
        "contrasts": study.contrasts,
        "hypotheses": study.hypotheses,
        "exhibits": study.exhibits,
    }
    for kind, records in kinds.items():
        ids = [record.id for record in records]  # type: ignore[attr-defined]
        for name in (n for n in ids if not _NAME.fullmatch(n)):
            yield Problem(
                f"'{name}' cannot be an id",
                where=f"{study.study.id}/study.toml, {kind}",
                allowed="letters, digits and _, a letter first",
            )
        for name in sorted({i for i in ids if ids.count(i) > 1}):
            yield Problem(
                f"the id '{name}' is used twice",
                where=f"{study.study.id}/study.toml, {kind}",
                way_out="Every id names one thing; rename one of them.",
            )


def _origin(study: Study, _: Columns) -> Iterator[Problem]:
    where = f"{study.study.id}/study.toml"
    if study.study.simulated != (study.simulation is not None):
        yield Problem(
            "a simulated study has simulated = true and a [simulation] table, a real one neither",
            where=where,
        )
    if not study.sources and study.simulation is None:
        yield Problem(
            "the study has no [[sources]] and no [simulation]",
            where=where,
            way_out="Declare where its data come from.",
        )
    if study.simulation is not None and study.beside(study.simulation.truth) is None:
        yield Problem(f"the truth file '{study.simulation.truth}' does not exist", where=where)
    if study.study.id != study.folders[0].resolve().name:
        yield Problem(
            f"the id '{study.study.id}' is not the folder's name",
            where=where,
            found=study.folders[0].resolve().name,
        )


def _scales(study: Study, columns: Columns) -> Iterator[Problem]:
    for scale in study.scales:
        where = f"scale '{scale.id}'"
        yield from _in_table(study, columns, where, scale.table, scale.items)
        yield from _unknown(study, where, "reversed item", scale.reversed, scale.items)


def _table_one(study: Study, columns: Columns) -> Iterator[Problem]:
    if study.table1 is not None:
        yield from _in_table(
            study,
            columns,
            "table1",
            study.table1.table,
            (study.table1.by, study.table1.person, *study.table1.variables),
        )


def _models(study: Study, columns: Columns) -> Iterator[Problem]:
    for model in study.models:
        yield from _model(study, columns, model)


def _model(study: Study, columns: Columns, model: ModelDeclared) -> Iterator[Problem]:
    where = f"model '{model.id}'"
    place = f"{study.study.id}/study.toml, {where}"
    needed: list[str] = []
    try:
        needed += variables(model.formula)
        refuse_differences(parse(model.formula), allowed=model.allow_difference_score)
        needed += _spread_variables(model)
    except AlcError as error:
        yield from (replace(p, where=place) for p in error.problems)
    yield from _in_table(
        study, columns, where, model.table, (*needed, model.cluster, model.entity, model.time)
    )
    if model.entity and model.df not in ("", "normal", "clusters - 1"):
        yield Problem(
            "a panel model's df are those of its clusters, or normal", where=place, found=model.df
        )
    if bool(model.entity) != bool(model.time):
        yield Problem("a panel model has both entity and time", where=place)
    if model.covariance.startswith(("cluster", "CR")) and not model.cluster:
        yield Problem(f'covariance = "{model.covariance}" needs a cluster column', where=place)


def _spread_variables(model: ModelDeclared) -> tuple[str, ...]:
    """Columns that the spread of a location-scale model needs, none of a logistic one.

    Raises
    ------
    AlcError
        For parts that cannot be read, or that do not go with the rest of the model.
    """
    if not model.location_scale:
        return ()
    if model.entity:
        raise DeclarationError(
            Problem(
                "a panel model has no scale, between, family or bounds",
                way_out="Leave entity and time out, and write a random term into the formula.",
            )
        )
    if model.family == "binomial":
        refuse_arguments(
            method=model.method or None,
            covariance=model.covariance,
            cluster=model.cluster or None,
            df=model.df or None,
            scale=model.scale or None,
            between=model.between or None,
            bounds=model.bounds,
        )
        return ()
    parts = Spreads.read(
        model.scale or None, model.between or None, family=model.family, bounds=model.bounds
    )
    parts.check(
        method=model.method or None,
        covariance=model.covariance,
        cluster=model.cluster or None,
        df=model.df or None,
    )
    return (*parts.scale.names, *(parts.between.names if parts.between is not None else ()))


def _contrasts(study: Study, _: Columns) -> Iterator[Problem]:
    for contrast in study.contrasts:
        yield from _unknown(
            study,
            f"contrast '{contrast.id}'",
            "model",
            [contrast.model],
            [m.id for m in study.models],
        )
        if (contrast.scale == "relative") != bool(contrast.relative_to):
            yield Problem(
                'scale = "relative" goes with relative_to, the id of the number it is relative to',
                where=f"{study.study.id}/study.toml, contrast '{contrast.id}'",
            )


def _hypotheses(study: Study, columns: Columns) -> Iterator[Problem]:
    for hypothesis in study.hypotheses:
        yield from _hypothesis(study, columns, hypothesis)


def _hypothesis(
    study: Study, columns: Columns, hypothesis: HypothesisDeclared
) -> Iterator[Problem]:
    where = f"hypothesis '{hypothesis.id}'"
    place = f"{study.study.id}/study.toml, {where}"
    asked = question_of(hypothesis)
    if bool(hypothesis.model) + questions_asked(hypothesis) + bool(hypothesis.all_of) != 1:
        yield Problem(
            f"a hypothesis rests on exactly one of model, {', '.join(JUDGES)}, all_of", where=place
        )
    if bool(hypothesis.table) != (asked is not None):
        yield Problem("table goes with a question to a model module", where=place)
    joins = bool(hypothesis.all_of) or asked is not None
    if hypothesis.all_of and hypothesis.rule != "conjunction":
        yield Problem('all_of goes with rule = "conjunction"', where=place)
    if hypothesis.rule == "conjunction" and not joins:
        yield Problem('rule = "conjunction" goes with all_of, the hypotheses it joins', where=place)
    if bool(hypothesis.model) != bool(hypothesis.of):
        yield Problem("model goes with of, the linear combination of its terms", where=place)
    if not 0 < hypothesis.alpha <= LARGEST_ALPHA:
        yield Problem(
            "alpha is not a level anyone would accept",
            where=place,
            found=str(hypothesis.alpha),
            allowed=f"above 0, at most {LARGEST_ALPHA}",
        )
    joint = hypothesis.rule == "conjunction"
    if joint and hypothesis.smallest_effect is not None:
        yield Problem("a conjunction has no smallest effect of its own; its parts do", where=place)
    if not joint and not (hypothesis.smallest_effect or 0) > 0:
        yield Problem(
            "a smallest effect of interest must be declared",
            where=place,
            allowed="a number above 0",
            found=str(hypothesis.smallest_effect),
            way_out="Say in the estimate's unit what would matter.",
        )
    yield from _unknown(study, where, "model", [hypothesis.model], [m.id for m in study.models])
    yield from _unknown(
        study,
        where,
        "hypothesis",
        hypothesis.all_of,
        [h.id for h in study.hypotheses if not h.all_of],
    )
    if asked is not None:
        yield from _in_table(study, columns, where, hypothesis.table, asked[1].columns)
        yield from _band(hypothesis, place)
    yield from _widening(hypothesis, place)


def _widening(hypothesis: HypothesisDeclared, place: str) -> Iterator[Problem]:
    """What the keys of a widening get wrong together."""
    w = hypothesis.widening
    if w is None:
        return
    if hypothesis.rule != "superiority":
        yield Problem('a widening is decided by rule = "superiority"', where=place)
    if bool(w.treated) != bool(w.control):
        yield Problem("widening: treated and control are named together", where=place)
    if not (w.person or w.firm):
        yield Problem("widening: name firm, person, or both", where=place)


def _band(hypothesis: HypothesisDeclared, place: str) -> Iterator[Problem]:
    """A band of no difference that is none."""
    band, smallest = criterion_of(hypothesis).band, hypothesis.smallest_effect
    if band is not None and smallest is not None and not 0.0 < band <= smallest:
        yield Problem(
            "band, that of no difference, does not lie within the smallest effect",
            where=place,
            found=str(band),
            allowed=f"above 0, at most {smallest}",
        )


_NEEDS = {
    "forest": ("contrasts",),
    "recovery": ("truths",),
    "trajectory": ("table", "values", "by", "over"),
    "distribution": ("table", "values", "by"),
    "mean_variance": ("hypothesis",),
    "fan": ("hypothesis",),
    "caterpillar": ("hypothesis",),
}


def _exhibits(study: Study, columns: Columns) -> Iterator[Problem]:
    for exhibit in study.exhibits:
        yield from _exhibit(study, columns, exhibit)


def _exhibit(study: Study, columns: Columns, exhibit: ExhibitDeclared) -> Iterator[Problem]:
    where = f"exhibit '{exhibit.id}'"
    if exhibit.kind == "picture":
        yield Problem(
            "a picture is not declared: the finding that has one brings it along",
            where=f"{study.study.id}/study.toml, {where}",
        )
    for key in _NEEDS.get(exhibit.kind, ()):
        if not getattr(exhibit, key):
            yield Problem(
                f"a {exhibit.kind} needs the key '{key}'",
                where=f"{study.study.id}/study.toml, {where}",
            )
    spreads = [h.id for h in study.hypotheses if h.widening is not None]
    yield from _unknown(study, where, "widening", [exhibit.hypothesis], spreads)
    quotable = [c.id for c in study.contrasts]
    yield from _unknown(
        study, where, "contrast", (*exhibit.contrasts, *(exhibit.truths or {})), quotable
    )
    if exhibit.table:
        yield from _in_table(
            study,
            columns,
            where,
            exhibit.table,
            (*exhibit.values, exhibit.by, exhibit.over, exhibit.cluster, exhibit.person),
        )
