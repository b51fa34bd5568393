"""alc-stats <verb>: one function a verb, each importing what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from alc_stats.cli.compiling import add_compile
from alc_stats.cli.studies import add_report, add_run, add_sources
from alc_stats.cli.tables import add_codebook, add_validate
from alc_stats.cli.verbs import DONE, INTERRUPTED, MISUSED, WRONG, Handler
from alc_stats.errors import AlcError, did_you_mean

ADD_VERBS = (add_run, add_report, add_sources, add_validate, add_codebook, add_compile)
"""In the order of the help; a new verb is one function that adds it, and one that runs it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; problems go to stderr, one a line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process by default.

    Returns
    -------
    int
        0 when all is well, 1 when the input or a result is wrong, 2 when the command line is.
    """
    # small matrices are faster on one thread, and results do not depend on the number of cores
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(library, "1")
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser, verbs = _parser()
    if not arguments:
        parser.print_help()
        return DONE
    if not arguments[0].startswith("-") and arguments[0] not in verbs:
        unknown = f"alc-stats: unknown verb '{arguments[0]}'. {did_you_mean(arguments[0], verbs)}"
        print(unknown, file=sys.stderr)
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
    except BrokenPipeError:  # whoever read the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return WRONG
    except KeyboardInterrupt:
        print("alc-stats: interrupted. What was finished is written whole.", file=sys.stderr)
        return INTERRUPTED
    return code


def _parser() -> tuple[argparse.ArgumentParser, tuple[str, ...]]:
    parser = argparse.ArgumentParser(
        prog="alc-stats",
        description="Test the competence-inversion hypothesis, "
        "from raw survey and log files to a decided hypothesis.",
        epilog="'alc-stats <verb> --help' shows examples. Exit codes: 0 all is well, "
        "1 the input or a result is wrong, 2 the command line is wrong.",
    )
    verbs = parser.add_subparsers(title="verbs", metavar="<verb>", required=True)
    for add in ADD_VERBS:
        add(verbs)
    return parser, tuple(verbs.choices)
