"""alc-stats <verb>: one function a verb, each importing what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from alc_stats.errors import AlcError, DeclarationError, Problem, did_you_mean

Handler = Callable[[argparse.Namespace], int]
DONE, WRONG, MISUSED = 0, 1, 2
"""Exit codes: all is well; the input is wrong; the command line is wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; problems go to stderr, one a line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        0 when all is well, 1 when the input is wrong, 2 when the command line is.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser, verbs = _parser()
    if not arguments:
        parser.print_help()
        return DONE
    if not arguments[0].startswith("-") and arguments[0] not in verbs:
        print(
            f"alc-stats: unknown verb '{arguments[0]}'. {did_you_mean(arguments[0], verbs)}",
            file=sys.stderr,
        )
        return MISUSED
    try:
        chosen = parser.parse_args(arguments)
    except SystemExit as leaving:  # argparse has printed the help or its complaint
        return int(leaving.code or DONE)
    return _run(chosen)


def _run(chosen: argparse.Namespace) -> int:
    handler: Handler = chosen.handler
    try:
        code = handler(chosen)
        sys.stdout.flush()
    except AlcError as error:
        for problem in error.problems:
            print(f"alc-stats: {problem}", file=sys.stderr)
        return WRONG
    except BrokenPipeError:  # whoever reads us, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    return code


def _validate(chosen: argparse.Namespace) -> int:
    from alc_stats import schemas

    schema = schemas.read(chosen.schema)
    report = schemas.check(schema, chosen.file, related=_named_files(chosen.related))
    print(report)
    return DONE if report.ok else WRONG


def _codebook(chosen: argparse.Namespace) -> int:
    from alc_stats import schemas

    names = [chosen.schema] if chosen.schema else schemas.packaged_names()
    print("\n".join(schemas.codebook(schemas.read(name)) for name in names), end="")
    return DONE


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


def _add_validate(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = _verb(
        verbs, "validate", _validate,
        summary="check a file against a schema; list every violation",
        examples="""\
  alc-stats validate survey survey.csv
  alc-stats validate usage_event events.parquet --with survey=survey.csv --with mandate=mandates.csv
  alc-stats validate my/own.schema.json my/table.csv""",
    )  # fmt: skip
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


def _add_codebook(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = _verb(
        verbs, "codebook", _codebook,
        summary="print the data dictionary of a schema, or of all, as Markdown",
        examples="""\
  alc-stats codebook survey
  alc-stats codebook > codebook.md""",
    )  # fmt: skip
    verb.add_argument(
        "schema", nargs="?", help="the name or path of a schema; all of the package's by default"
    )


ADD_VERBS = (_add_validate, _add_codebook)
"""In the order of the help; a new verb is one function that adds it, and one that runs it."""


def _parser() -> tuple[argparse.ArgumentParser, tuple[str, ...]]:
    parser = argparse.ArgumentParser(
        prog="alc-stats",
        description="Test the competence-inversion hypothesis: from raw survey and log files "
        "to a decided hypothesis.",
        epilog="'alc-stats <verb> --help' shows examples. Exit codes: 0 all is well, "
        "1 the input is wrong, 2 the command line is wrong.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="<verb>", required=True)
    for add in ADD_VERBS:
        add(verbs)
    return parser, tuple(verbs.choices)


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    handler: Handler,
    *,
    summary: str,
    examples: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(handler=handler)
    return verb


if __name__ == "__main__":
    sys.exit(main())
