"""From survey, usage log and mandates to one row a person and wave, and one row a person after.

Nothing here knows that the files are simulated: real files with the same columns go through it
as they are, given their calendar.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table
from alc_stats.measures.scales import score
from alc_stats.measures.usage import person_period_usage

FIRST_DAY = date(2025, 1, 6)
DAYS_PER_WAVE = 21
WAVES = {
    wave: (
        FIRST_DAY + timedelta(days=DAYS_PER_WAVE * wave),
        FIRST_DAY + timedelta(days=DAYS_PER_WAVE * (wave + 1) - 1),
    )
    for wave in range(4)
}
"""First and last day of the usage that belongs to a wave; programmes start with wave 1."""

WEEKS = {
    week: (
        FIRST_DAY + timedelta(days=7 * week),
        FIRST_DAY + timedelta(days=7 * week + 6),
    )
    for week in range(4 * DAYS_PER_WAVE // 7)
}
"""First and last day of each week of the log."""

NOVELTY = ["familiar", "near", "far"]
CAPABILITY = [f"capability_{novelty}" for novelty in NOVELTY]


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Make `usage` and `person_wave`, a row a person and wave; `baseline` and `after`, a person.

    Also `tests`, a row a person, wave and novelty of tasks, `weeks`, a row a person and week, and
    `mandates`, usage of the arms that are compared for a mandate alone.
    """
    survey = read_table(raw["survey"])
    ledger.start("survey", len(survey))
    usage = _usage(raw["usage_event"], survey, ledger)
    person_wave = _person_wave(survey, usage)
    return {
        "usage": usage,
        "person_wave": person_wave,
        "tests": _tests(person_wave),
        "weeks": _weeks(raw["usage_event"], survey, read_table(raw["mandate"])),
        "mandates": _mandates(usage, ledger),
        "baseline": _baseline(person_wave, ledger),
        "after": _after(person_wave, ledger),
    }


def _usage(events: Path, survey: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Usage of every person and wave in the log, also of those who did not answer that wave."""
    usage = person_period_usage(events, period=WAVES, ledger=ledger)
    usage = usage.rename(columns={"period": "wave"})
    people = survey.drop_duplicates("person_id")[
        ["person_id", "arm", "role", "access_level", "simulated"]
    ]
    joined = _programmes(usage.merge(people, on="person_id", validate="many_to_one"))
    return joined[
        [
            "person_id",
            "firm_id",
            "arm",
            "role",
            "access_level",
            "wave",
            "post",
            "mandate_post",
            "training_post",
            "events",
            "sessions",
            "log_tokens",
            "quality",
            "far_share",
            "simulated",
        ]
    ]


def _person_wave(survey: pd.DataFrame, usage: pd.DataFrame) -> pd.DataFrame:
    measures = usage[["person_id", "wave", "events", "log_tokens", "quality"]]
    joined = survey.merge(measures, on=["person_id", "wave"], how="left", validate="one_to_one")
    joined = _programmes(joined)
    joined["topology"] = joined.filter(regex=r"^topology_\d$").mean(axis=1)
    joined["topography"] = joined.filter(regex=r"^topography_\d$").mean(axis=1)
    items = joined.columns[joined.columns.str.fullmatch(r"(aware|folk)_\d")]
    return joined[
        [
            "person_id",
            "firm_id",
            "team_id",
            "arm",
            "role",
            "access_level",
            "prior_ai",
            "wave",
            "date",
            "belief_date",
            "audit_date",
            "post",
            "mandate_post",
            "training_post",
            *items,
            "compliance",
            "topology",
            "topography",
            "schema_accuracy",
            "self_estimate",
            *CAPABILITY,
            "events",
            "log_tokens",
            "quality",
            "simulated",
        ]
    ]


def _tests(person_wave: pd.DataFrame) -> pd.DataFrame:
    """One row a test: the three of a person and wave, below each other."""
    keys = ["person_id", "firm_id", "arm", "wave", "post", "simulated"]
    stacked = [
        person_wave[keys].assign(novelty=novelty, score=person_wave[f"capability_{novelty}"])
        for novelty in NOVELTY
    ]
    columns = ["person_id", "firm_id", "arm", "wave", "post", "novelty", "score", "simulated"]
    return pd.concat(stacked, ignore_index=True)[columns]


def _weeks(events: Path, survey: pd.DataFrame, mandate: pd.DataFrame) -> pd.DataFrame:
    """Tokens and mean quality of a person's week, the quota, schema accuracy before the start."""
    counted = Ledger()  # weeks cover the days of the waves, so what lies outside is in the ledger
    usage = person_period_usage(events, period=WEEKS, ledger=counted)
    first = survey.loc[survey["wave"] == 0, ["person_id", "arm", "schema_accuracy", "simulated"]]
    joined = usage.rename(columns={"period": "week"}).merge(
        first, on="person_id", validate="many_to_one"
    )
    joined = joined.merge(mandate[["firm_id", "quota"]], on="firm_id", validate="many_to_one")
    mandated = (joined["arm"] == "mandate").astype(int)
    post = (joined["week"] >= DAYS_PER_WAVE // 7).astype(int)
    joined = joined.assign(
        tokens=joined["tokens_in"] + joined["tokens_out"],
        mandated=mandated,
        post=post,
        mandate=mandated * post,
    )
    return joined[
        [
            "person_id",
            "firm_id",
            "week",
            "mandated",
            "post",
            "mandate",
            "quota",
            "tokens",
            "quality",
            "schema_accuracy",
            "simulated",
        ]
    ]


def _mandates(usage: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Usage without schema training, which raises use by itself, and each firm's start."""
    ledger.start("mandates", len(usage))
    compared = ledger.keep(
        "mandates", usage, usage["arm"] != "schema_training", why="schema training"
    )
    start = pd.Series(1.0, index=compared.index).where(compared["arm"] == "mandate")
    columns = ["person_id", "firm_id", "arm", "wave", "log_tokens", "simulated"]
    return compared[columns].assign(start=start)[[*columns[:-1], "start", "simulated"]]


def _programmes(table: pd.DataFrame) -> pd.DataFrame:
    """Indicators of the waves after the start, and of being under a mandate or trained then."""
    post = (table["wave"] > 0).astype(int)
    return table.assign(
        post=post,
        mandate_post=post * (table["arm"] == "mandate"),
        training_post=post * (table["arm"] == "schema_training"),
    )


def _baseline(person_wave: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """The first wave, with the scales that Table 1 describes."""
    ledger.start("baseline", len(person_wave))
    first = ledger.keep("baseline", person_wave, person_wave["wave"] == 0, why="after the start")
    scales = {
        name: score(first, [f"{prefix}_{i + 1}" for i in range(items)], range=(1, 7))
        for name, prefix, items in (("awareness", "aware", 6), ("folk", "folk", 4))
    }
    return first.assign(**scales)[
        [
            "person_id",
            "firm_id",
            "arm",
            "role",
            "access_level",
            "prior_ai",
            *scales,
            "topology",
            "topography",
            "schema_accuracy",
            "self_estimate",
            *CAPABILITY,
            "log_tokens",
            "quality",
            "simulated",
        ]
    ]


def _after(person_wave: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """A person's mean capability over the waves after the start."""
    ledger.start("after", len(person_wave))
    answered = ledger.keep("after", person_wave, person_wave["post"] == 1, why="before the start")
    keys = ["person_id", "firm_id", "arm", "role", "access_level", "simulated"]
    return answered.groupby(keys, as_index=False, sort=True)[CAPABILITY].mean()
