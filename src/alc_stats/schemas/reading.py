"""Schema files into records: every mistake in the file is reported, not only the first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from alc_stats.errors import DeclarationError, Problem, did_you_mean
from alc_stats.schemas.fields import FieldReader
from alc_stats.schemas.notes import Expected, Notes
from alc_stats.schemas.rules import read_rules
from alc_stats.schemas.schema import Field, FieldsMatch, ForeignKey, Schema

SUFFIX = ".schema.json"
MATCHES: tuple[FieldsMatch, ...] = get_args(FieldsMatch)
PROPERTIES: Mapping[str, Expected] = {
    "$schema": str,
    "name": str,
    "title": str,
    "description": str,
    "fields": list,
    "fieldsMatch": str,
    "missingValues": list,
    "primaryKey": (str, list),
    "uniqueKeys": list,
    "foreignKeys": list,
    "x-alc:rules": list,
}


def read(name_or_path: str | Path) -> Schema:
    """Read a schema: one of the package's by its name, or any by the path of its file.

    Parameters
    ----------
    name_or_path : str or Path
        "survey", "usage_event", "mandate", "platform_event", or the path of a `.json` file.

    Raises
    ------
    DeclarationError
        If there is no such schema, or with every mistake in the file: unknown properties, unknown
        fields in keys and rules, values of the wrong kind, rules that cannot be read.

    Examples
    --------
    >>> read("usage_event").primary_key
    ('event_id',)
    """
    path = Path(name_or_path)
    if path.suffix != ".json":
        path = _packaged(str(name_or_path))
    return parse(_text(path), where=path.name)


def packaged_names() -> tuple[str, ...]:
    """List the names of the schemas that come with the package, sorted.

    Examples
    --------
    >>> packaged_names()
    ('mandate', 'platform_event', 'survey', 'usage_event')
    """
    return tuple(sorted(p.name.removesuffix(SUFFIX) for p in _folder().glob(f"*{SUFFIX}")))


def parse(text: str, *, where: str) -> Schema:
    """Read a schema from the text of its file; `where` names the file in problems."""
    notes = Notes(where)
    declared = _json(text, where)
    notes.properties(declared, PROPERTIES, at="")
    codes = notes.codes(declared.get("missingValues", [""]), "missingValues")
    reader = FieldReader(notes, codes)
    fields = tuple(
        reader.read(i, field) for i, field in enumerate(notes.objects(declared, "fields"))
    )
    _check_names(fields, notes)
    schema = Schema(
        name=notes.text(declared, "name", where.partition(".")[0]),
        title=notes.text(declared, "title"),
        description=notes.text(declared, "description"),
        fields=fields,
        fields_match=notes.choice(declared, "fieldsMatch", MATCHES, "exact"),
        primary_key=_key(declared.get("primaryKey", []), "primaryKey", fields, notes),
        unique_keys=_unique_keys(declared, fields, notes),
        foreign_keys=tuple(_foreign_keys(declared, fields, notes)),
        rules=read_rules(declared, fields, notes),
    )
    notes.raise_if_any()
    return schema


def _folder() -> Path:
    """`definitions` in an installed package, `data/schemas` in a checkout."""
    here = Path(__file__).parent
    installed = here / "definitions"
    return installed if installed.is_dir() else here.parents[2] / "data" / "schemas"


def _packaged(name: str) -> Path:
    if name not in packaged_names():
        raise DeclarationError(
            Problem(
                f"unknown schema '{name}'",
                allowed=f"{', '.join(packaged_names())}, or the path of a .json file",
                way_out=did_you_mean(name, packaged_names()),
            )
        )
    return _folder() / f"{name}{SUFFIX}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        found = error.strerror or str(error)
        raise DeclarationError(
            Problem("the schema file cannot be read", str(path), found)
        ) from error
    except UnicodeDecodeError as error:
        raise DeclarationError(
            Problem("the schema file is not UTF-8 text", str(path), way_out="Save it as UTF-8.")
        ) from error


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        declared = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_number
        )
    except (ValueError, RecursionError) as error:
        raise DeclarationError(
            Problem(
                "the schema file is not valid JSON", where, str(error), way_out="Correct it there."
            )
        ) from error
    if not isinstance(declared, dict):
        raise DeclarationError(Problem("a schema is a JSON object", where, type(declared).__name__))
    return declared


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make the object, unless a property is written twice: JSON would keep the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"'{next(n for n in names if names.count(n) > 1)}' is written twice in one object"
        )
    return found


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def _check_names(fields: tuple[Field, ...], notes: Notes) -> None:
    names = [field.name for field in fields]
    if not fields:
        notes.add("a schema has at least one field", at="fields")
    for name in sorted({name for name in names if names.count(name) > 1}):
        notes.add(f"two fields are called '{name}'", at="fields", way_out="Rename one.")


def _key(declared: object, at: str, fields: Iterable[Field], notes: Notes) -> tuple[str, ...]:
    """Names of fields: one as a text, or several as a list."""
    names = [declared] if isinstance(declared, str) else declared
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        notes.add(
            "a key is the name of a field or a list of names", at=at, found=json.dumps(declared)
        )
        return ()
    known = {field.name for field in fields if field.name}
    for name in names:
        if name not in known:
            notes.add(f"unknown field '{name}'", at=at, way_out=did_you_mean(name, known))
    return tuple(names)


def _unique_keys(
    declared: Mapping[str, Any], fields: tuple[Field, ...], notes: Notes
) -> tuple[tuple[str, ...], ...]:
    keys = declared.get("uniqueKeys", [])
    if not isinstance(keys, list):
        return ()
    return tuple(_key(key, f"uniqueKeys[{i}]", fields, notes) for i, key in enumerate(keys))


def _foreign_keys(
    declared: Mapping[str, Any], fields: tuple[Field, ...], notes: Notes
) -> Iterator[ForeignKey]:
    for i, key in enumerate(notes.objects(declared, "foreignKeys")):
        at = f"foreignKeys[{i}]"
        notes.properties(key, {"fields": (str, list), "reference": dict}, at=at)
        reference = key.get("reference")
        if not isinstance(reference, dict):
            notes.add("a foreign key names what it refers to", at=at, way_out='Add "reference".')
            continue
        at_reference = f"{at}.reference"
        notes.properties(reference, {"resource": str, "fields": (str, list)}, at=at_reference)
        own = _key(key.get("fields", []), f"{at}.fields", fields, notes)
        resource = notes.text(reference, "resource")
        others = (
            fields if not resource else tuple(Field(n) for n in _names(reference.get("fields")))
        )
        there = _key(reference.get("fields", []), f"{at_reference}.fields", others, notes)
        if len(own) != len(there) or not own:
            notes.add(
                "a foreign key has as many fields here as there",
                at=at,
                found=f"{len(own)} and {len(there)}",
            )
        yield ForeignKey(own, resource, there)


def _names(declared: object) -> list[str]:
    listed = [declared] if isinstance(declared, str) else declared
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
