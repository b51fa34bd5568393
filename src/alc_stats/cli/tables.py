"""The verbs about tables: `validate` and `codebook`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from alc_stats.cli.verbs import DONE, WRONG, Verbs, add_verb
from alc_stats.errors import DeclarationError, Problem


def add_validate(verbs: Verbs) -> None:
    """`alc-stats validate`."""
    verb = add_verb(
        verbs,
        "validate",
        _validate,
        summary="check a file against a schema; list every violation",
        examples="""\
  alc-stats validate survey survey.csv
  alc-stats validate usage_event events.parquet --with survey=survey.csv --with mandate=mandates.csv
  alc-stats validate my/own.schema.json my/table.csv""",
    )
    verb.add_argument(
        "schema",
        help="survey, usage_event, mandate, platform_event, or the path of a schema (.json)",
    )
    verb.add_argument("file", type=Path, help="the table: .csv, .tsv or .parquet")
    verb.add_argument(
        "--with",
        dest="related",
        metavar="NAME=FILE",
        action="append",
        default=[],
        help="a table that foreign keys refer to; may be given several times",
    )


def _validate(chosen: argparse.Namespace) -> int:
    from alc_stats import schemas

    schema = schemas.read(chosen.schema)
    report = schemas.check(schema, chosen.file, related=_named_files(chosen.related))
    print(report)
    return DONE if report.ok else WRONG


def _named_files(given: Sequence[str]) -> dict[str, Path]:
    """`survey=FILE` as a mapping."""
    pairs = [text.partition("=") for text in given]
    wrong = [
        Problem("--with needs a name and a file", found=text, allowed="such as survey=survey.csv")
        for text, (name, _, file) in zip(given, pairs, strict=True)
        if not name or not file
    ]
    if wrong:
        raise DeclarationError(*wrong)
    return {name: Path(file) for name, _, file in pairs}


def add_codebook(verbs: Verbs) -> None:
    """`alc-stats codebook`."""
    verb = add_verb(
        verbs,
        "codebook",
        _codebook,
        summary="print the data dictionary of a schema, or of all, as Markdown",
        examples="""\
  alc-stats codebook survey
  alc-stats codebook > codebook.md""",
    )
    verb.add_argument(
        "schema",
        nargs="?",
        help="the name or path of a schema; all of the package's by default",
    )


def _codebook(chosen: argparse.Namespace) -> int:
    from alc_stats import schemas

    names = [chosen.schema] if chosen.schema else schemas.packaged_names()
    print("\n".join(schemas.codebook(schemas.read(name)) for name in names), end="")
    return DONE
