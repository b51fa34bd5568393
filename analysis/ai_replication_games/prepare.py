"""From the published teams to one row a team, the first study's teams, and the AI-Assisted ones.

The first study is all events but `Virtual 2025`. Prompts were recorded for AI-Assisted teams alone:
AI-Led has 43 zeros that are "not recorded" and one team with 311, so that no question about volume
is asked of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

OUTCOMES = ["reproduction", "minor_errors", "major_errors"]


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `teams`, `study1` and `assisted`, one row a team."""
    teams = _teams(read_table(raw["teams"]))
    ledger.start("study1", len(teams))
    first = ledger.keep("study1", teams, teams["game"] != "Virtual 2025", why="second study")
    ledger.start("assisted", len(teams))
    assisted = ledger.keep(
        "assisted", teams, teams["branch"] == "AI-Assisted", why="prompts not recorded"
    )
    return {
        "teams": teams.drop(columns=["prompts", "words", "advanced_gpt"]),
        "study1": first.drop(columns=["prompts", "words", "advanced_gpt"]),
        "assisted": _volume(assisted),
    }


def _teams(source: pd.DataFrame) -> pd.DataFrame:
    team = [f"t{i + 1:03d}" for i in range(len(source))]
    advanced = (source["max_gpt"] == "Advanced").astype("Int64").mask(source["max_gpt"].isna())
    kept = source[["game", "branch", "software", "number_teammates", "attendance", "max_skill"]]
    return kept.assign(
        team=team,
        min_skill=source["min_skill"],
        game_software=source["game"] + " / " + source["software"],
        **{name: source[name] for name in OUTCOMES},
        advanced_gpt=advanced,
        prompts=source["prompts"],
        words=source["words"],
    )


def _volume(assisted: pd.DataFrame) -> pd.DataFrame:
    """Prompts and errors in SDs among AI-Assisted teams, and the published split at the median."""
    columns = ["team", "game", *OUTCOMES, "advanced_gpt", "prompts", "words"]
    scaled = {
        f"{name}_sd": (assisted[name] - assisted[name].mean()) / assisted[name].std()
        for name in ("prompts", "major_errors")
    }
    many = assisted["prompts"] > assisted["prompts"].median()
    half = many.map({True: "more prompts", False: "fewer prompts"})
    return assisted[columns].assign(half=half, many_prompts=many.astype("int64"), **scaled)
