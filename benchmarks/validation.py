"""The scoreboard of correct digits: writes docs/validation.md.

Run as `make validate` (or `python benchmarks/validation.py`). Exact answers come from rational
arithmetic (tests/estimators/exact.py), published ones from their sources, R's from
tests/reference/oracle; lme4 and statsmodels run beside us where they are installed.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import exact_sets
import machine
from exact_sets import ROOT, Answer, ExactSet
from published_sets import oracle, oracle_rows, published_rows, robust_rows
from spread_sets import spread_rows

DOCS = ROOT / "docs"
KINDS = ("vc", "s", "b")


def main() -> None:
    """Fit everything and write the page and its numbers."""
    folder = os.environ.get("ALC_STATS_DATA")
    data = Path(folder) if folder else None
    sets = exact_sets.exact_sets(data)
    with tempfile.TemporaryDirectory() as scratch:
        peers = exact_sets.lme4(sets, Path(scratch))
    answers = [
        (own, exact_sets.ours(own), theirs, exact_sets.statsmodels(own))
        for own, theirs in zip(sets, peers, strict=True)
    ]
    facts = machine.facts()
    (DOCS / "validation.json").write_text(
        json.dumps({"machine": facts, "exact": [scores(*answer) for answer in answers]}, indent=1)
        + "\n",
        encoding="utf-8",
    )
    page = [HEAD, *machine.lines(facts), "", *exact_section(answers)]
    page += data_sections(data) if data else [WITHOUT_DATA]
    (DOCS / "validation.md").write_text("\n".join(page) + "\n", encoding="utf-8")
    print(f"written: {DOCS / 'validation.md'}")


def scores(own: ExactSet, *answers: Answer) -> dict[str, object]:
    """Digits of all programs on one set, as plain data."""
    programs = ("alc_stats", "lme4", "statsmodels")
    return {
        "set": own.name,
        "formula": own.formula,
        "float64_limit": exact_sets.input_limit(own, kinds="vc"),
        "promised_by_certificate": answers[0].promised,
        **{
            program: {kind: exact_sets.scored(own, said, kinds=kind) for kind in KINDS}
            | {"remark": said.remark}
            for program, said in zip(programs, answers, strict=True)
        },
    }


def exact_section(answers: Sequence[tuple[ExactSet, Answer, Answer, Answer]]) -> list[str]:
    """The exactly solved sets."""
    head = [
        "set",
        "model",
        "**alc_stats**",
        "promised by its certificate",
        "float64 input can hold",
        "lme4",
        "statsmodels",
        "alc_stats, squared SE",
        "lme4, squared SE",
        "statsmodels, squared SE",
        "what they said",
    ]
    rows = []
    for own, *programs in answers:
        limit = exact_sets.input_limit(own, kinds="vc")
        variances = [shown(exact_sets.scored(own, said, kinds="vc")) for said in programs]
        errors = [shown(exact_sets.scored(own, said, kinds="s")) for said in programs]
        promised = programs[0].promised
        rows.append(
            [
                own.name,
                f"`{own.formula}`".replace("|", "\\|"),
                f"**{variances[0]}**",
                "" if promised is None else f"{promised:.1f}",
                "15.0" if limit is None else f"{limit:.1f}",
                *variances[1:],
                *errors,
                remarks(programs),
            ]
        )
    return [EXACT, *table(head, rows), "", *sleepstudy_lines(answers)]


def remarks(programs: Sequence[Answer]) -> str:
    """What each program said about its own answer."""
    names = ("alc_stats", "lme4", "statsmodels")
    said = [f"{n}: {a.remark}" for n, a in zip(names, programs, strict=True) if a.remark]
    return "; ".join(said).replace("|", "\\|").replace("\n", " ")


def sleepstudy_lines(
    answers: Sequence[tuple[ExactSet, Answer, Answer, Answer]],
) -> list[str]:
    """Number by number for the field's most copied model."""
    found = next((answer for answer in answers if answer[0].name == "sleepstudy"), None)
    if found is None:
        return []
    own, *programs = found
    rows = [
        [
            " ".join(filter(None, (MEANING[place[0]], *place[1:]))),
            f"{float(certified):.16g}",
            *(f"{said.numbers[place]:.16g}" if place in said.numbers else "" for said in programs),
        ]
        for place, certified in own.certified.items()
    ]
    return [SLEEPSTUDY, *table(["quantity", "exact", "alc_stats", "lme4", "statsmodels"], rows), ""]


def data_sections(data: Path) -> list[str]:
    """Published values and R's answers."""
    versions = oracle()["versions"]
    with_versions = ORACLE.format(
        **{k: versions[k] for k in ("lme4", "lmerTest", "pbkrtest", "clubSandwich")}
    )
    three = ["SE", "df", "p"]
    return [
        PUBLISHED,
        *table(
            ["data", "model", "method", "quantity", "ours", "published", "digits", "source"],
            published_rows(data),
        ),
        "",
        with_versions,
        *table(
            [
                "entry",
                "model",
                "method",
                "log-likelihood",
                *(f"Satterthwaite: {t}" for t in three),
                *(f"Kenward-Roger: {t}" for t in three),
            ],
            oracle_rows(data),
        ),
        "",
        ROBUST.format(clubSandwich=versions["clubSandwich"]),
        *table(
            [
                "coefficient",
                *(f"our {t} (digits)" for t in three),
                *(f"clubSandwich's {t}" for t in three),
            ],
            robust_rows(data),
        ),
        "",
        SPREAD,
        *table(["data", "quantity", "ours", "other", "digits", "source"], spread_rows(data)),
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def shown(score: float | None) -> str:
    """A score, or a dash where the program gave no number."""
    return "-" if score is None else f"{score:.1f}"


MEANING = {"b": "coefficient", "v": "variance", "c": "covariance", "s": "squared SE"}
HEAD = """# Validation: correct digits

Measured by `make validate` (`benchmarks/validation.py`); written by it, not by hand. A score \
is the log relative error, LRE = -log10(|value - right| / |right|), between 0 and 15: the \
number of correct decimal digits (McCullough 1998). Of several numbers the worst counts. Every \
program runs with its defaults.
"""
EXACT = """
## Exactly solved models

Balanced designs, whose REML solution is the analysis of variance solved for its expected mean \
squares: rational numbers, computed exactly from the decimal text of the data \
(`tests/estimators/exact.py`). The NIST sets are the one-way sets of the Statistical Reference \
Datasets (`tests/reference/nist`), where up to 13 leading digits are constant; "float64 input \
can hold" is what an exact calculation would keep of the data after they were read as float64. \
The first scores are the worst over all variances and covariances.
"""
SLEEPSTUDY = """**sleepstudy, number by number** (the exact values are also in \
`tests/reference/exact/sleepstudy_exact.json`)
"""
PUBLISHED = """## Published values

Digits that agree, of those the source prints. Where a value was published by a program that \
stopped early, agreement ends where the program did: Dyestuff's exact REML variance is 1764.05, \
the mean's squared standard error 375.71666..., and the published 1764.0375195 and \
375.714676744 are lme4's of their day.
"""
ORACLE = """## R's answers

`tests/reference/oracle` (lme4 {lme4}, lmerTest {lmerTest}, pbkrtest {pbkrtest}, clubSandwich \
{clubSandwich}): agreeing digits, the worst over the coefficients of a model. R differentiates \
numerically and stops at its optimiser's tolerance, so agreement ends where R's own digits do; \
empty where the entry has no such answer.
"""
ROBUST = """## Cluster-robust: CR2 beside clubSandwich {clubSandwich}

`distance ~ Sex * age + (1 | Subject)` on Orthodont, REML, clustered on Subject.
"""
SPREAD = """## Location-scale models

Everything in log SD; glmmTMB below 1.1.9 and the script report log variances, which are halved. \
The script (`tests/reference/location_scale/location_scale.py`) integrates over both effects on a \
grid and maximises by values alone. nlme prints five to six figures; its own likelihood ratio of \
23.8 compares two codings and is not valid, 21.059 is.
"""
WITHOUT_DATA = """
The remaining sections need the folder that `ALC_STATS_DATA` names.
"""

if __name__ == "__main__":
    main()
