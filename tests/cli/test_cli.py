# ruff: noqa: E501  (sentences stand here as they are printed)
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from alc_stats import cli, schemas
from schemas.examples import as_csv, events, mandates, survey, write
from schemas.planted import EXPECTED, write_planted

SOURCE = Path(cli.__file__).parents[1]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-W", "error", "-m", "alc_stats.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(SOURCE)}
    )


def test_twelve_planted_violations_are_all_printed(tmp_path: Path) -> None:
    done = run("validate", "usage_event", write_planted(tmp_path / "log.csv"))
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(
        "log.csv breaks usage_event: 12 violations of 12 rules in 20 rows. "
        "Row 1 is the first row after the header.\n"
    )
    for rule, row, column, found in EXPECTED:
        (section,) = [
            text for text in done.stdout.split("\n\n")
            if f"({rule})" in text and f". {column or 'the table'}: " in text
        ]  # fmt: skip
        line = f"  row {row}: {found}" if row else f"  {found}"
        assert section.splitlines()[-1] == line
        assert "What to do: " in section


def test_a_clean_file_with_its_related_tables(tmp_path: Path, capsys) -> None:
    log = write(events(), tmp_path / "log.csv")
    people = write(survey(), tmp_path / "people.csv")
    firms = write(mandates(), tmp_path / "firms.csv")
    arguments = ["validate", "usage_event", str(log), "--with", f"survey={people}"]
    assert cli.main([*arguments, "--with", f"mandate={firms}"]) == 0
    assert capsys.readouterr().out == "log.csv satisfies usage_event: 12 rows, no violations.\n"
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "Not checked: that firm_id occurs in mandate: no such table was given "
        "(--with on the command line)."
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["validate", "usage", "x.csv"], ("alc-stats: unknown schema 'usage'. Allowed: mandate, platform_event, "
         "survey, usage_event, or the path of a .json file. Did you mean 'usage_event'?\n")),
        (["validate", "survey", "no.csv"], "alc-stats: no.csv: there is no such file. Check the path.\n"),
        (["validate", "survey", "x.csv", "--with", "mandate"], ("alc-stats: --with needs a name and a file. Found: "
         "mandate. Allowed: such as survey=survey.csv.\n")),
        (["codebook", "surve"], ("alc-stats: unknown schema 'surve'. Allowed: mandate, platform_event, survey, "
         "usage_event, or the path of a .json file. Did you mean 'survey'?\n")),
    ],
)  # fmt: skip
def test_wrong_input_is_one_line_a_problem(arguments: list[str], said: str, capsys) -> None:
    assert cli.main(arguments) == 1
    assert capsys.readouterr() == ("", said)


def test_every_problem_of_a_schema_file_has_its_line(tmp_path: Path, capsys) -> None:
    schema = tmp_path / "own.schema.json"
    schema.write_text('{"fields": [{"name": "a", "type": "int"}], "primaryKey": "b"}')
    assert cli.main(["codebook", str(schema)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(".json, ")[1].split(":")[0] for line in lines] == [
        "field 'a'.type",
        "primaryKey",
    ]


def test_a_separator_is_explained_not_traced(tmp_path: Path) -> None:
    file = tmp_path / "survey.csv"
    file.write_text(as_csv(survey()).replace(",", ";"))
    done = run("validate", "survey", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the columns are separated by semicolons, not by commas" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_verb_is_answered_with_the_nearest(capsys) -> None:
    assert cli.main(["valdate", "survey"]) == 2
    assert (
        capsys.readouterr().err == "alc-stats: unknown verb 'valdate'. Did you mean 'validate'?\n"
    )


def test_a_missing_argument_is_a_wrong_command_line(capsys) -> None:
    assert cli.main(["validate"]) == 2
    assert "the following arguments are required: schema, file" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_verb(arguments: list[str], capsys) -> None:
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert all(f"    {verb} " in said for verb in ("validate", "codebook"))


def test_every_verb_shows_examples(capsys) -> None:
    for verb in ("validate", "codebook"):
        assert cli.main([verb, "--help"]) == 0
        assert f"examples:\n  alc-stats {verb}" in capsys.readouterr().out


def test_the_codebook_of_one_schema_and_of_all(capsys) -> None:
    assert cli.main(["codebook", "survey"]) == 0
    one = capsys.readouterr().out
    assert one == schemas.codebook(schemas.read("survey"))
    assert cli.main(["codebook"]) == 0
    every = capsys.readouterr().out
    assert one in every
    assert every.count("\n# ") == len(schemas.packaged_names()) - 1


def test_help_needs_no_heavy_import() -> None:
    """Help is quick because nothing but the standard library and our errors is imported for it."""
    code = (
        "import sys; from alc_stats import cli; cli.main(['--help']); "
        "heavy = {'pandas', 'numpy', 'duckdb', 'matplotlib', 'statsmodels'} & set(sys.modules); "
        "sys.exit(len(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        env={"PYTHONPATH": str(SOURCE)},
    )
    assert done.returncode == 0


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f'"{sys.executable}" -m alc_stats.cli codebook | head -n 1'
    done = subprocess.run(
        command,
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(SOURCE), "PATH": "/bin:/usr/bin"},
    )
    assert done.stdout.startswith("# Mandates")
    assert done.stderr == ""
