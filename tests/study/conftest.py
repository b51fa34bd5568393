"""A small study on disk, made anew for each test: 12 teams, two arms, a known linear outcome."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

STUDY = """
[study]
id = "small"
title = "A small study"
question = "Does it matter?"

[[sources]]
id = "people"
file = "small/people.csv"
sha256 = "{sha256}"
licence = "none needed"
citation = "made in a test"
schema = "people.schema.json"

[[tables]]
id = "people"
schema = "people.schema.json"

[table1]
table = "people"
by = "arm"
variables = ["score"]

[[models]]
id = "effect"
label = "Effect, clustered"
table = "people"
formula = "score ~ treated + age"
covariance = "cluster"
cluster = "team"

[[contrasts]]
id = "effect"
label = "Effect"
model = "effect"
of = "treated"

[[hypotheses]]
id = "H1"
claim = "transfer"
statement = "It matters."
model = "effect"
of = "treated"
rule = "superiority"
smallest_effect = 1.0

[[exhibits]]
id = "effect"
kind = "forest"
title = "The effect"
caption = "One interval."
alt = "One interval."
x = "points"
contrasts = ["effect"]
"""

PREPARE = '''
import pandas as pd
def prepare(raw, ledger):
    """All rows."""
    frame = pd.read_csv(raw["people"])
    ledger.start("people", len(frame))
    return {"people": frame}
'''


def field(name: str, kind: str, **constraints: object) -> dict[str, object]:
    return {
        "name": name,
        "type": kind,
        "title": name.title(),
        "constraints": {"required": True, **constraints},
    }


SCHEMA = {
    "$schema": "https://datapackage.org/profiles/2.0/tableschema.json",
    "name": "people",
    "title": "People",
    "description": "One row a person.",
    "fieldsMatch": "equal",
    "primaryKey": ["person"],
    "missingValues": [{"value": "", "label": "not recorded"}],
    "fields": [
        field("person", "integer"),
        field("team", "string"),
        field("arm", "string", enum=["control", "treated"]),
        field("treated", "integer", enum=[0, 1]),
        field("age", "number", minimum=18, maximum=70),
        field("score", "number"),
    ],
}


def people(effect: float = 2.0) -> pd.DataFrame:
    """96 people in 12 teams; score = 10 + effect * treated + 0.1 * age + noise of SD 0.5."""
    rng = np.random.default_rng(7)
    team = np.repeat(np.arange(12), 8)
    treated = (team % 2).astype(int)
    age = rng.integers(20, 65, team.size)
    score = 10 + effect * treated + 0.1 * age + rng.normal(0, 0.5, team.size)
    return pd.DataFrame(
        {
            "person": np.arange(team.size),
            "team": [f"t{t}" for t in team],
            "arm": np.where(treated == 1, "treated", "control"),
            "treated": treated,
            "age": age,
            "score": score.round(3),
        }
    )


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a study whose data lie where ALC_STATS_DATA points."""
    data = tmp_path / "data" / "small"
    data.mkdir(parents=True)
    csv = people().to_csv(index=False).encode()
    (data / "people.csv").write_bytes(csv)
    monkeypatch.setenv("ALC_STATS_DATA", str(tmp_path / "data"))
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY.format(sha256=hashlib.sha256(csv).hexdigest()))
    (folder / "prepare.py").write_text(PREPARE)
    (folder / "people.schema.json").write_text(json.dumps(SCHEMA))
    return folder


def edit(folder: Path, old: str, new: str, name: str = "study.toml") -> None:
    """Replace text in one of the study's files; the text must be there."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
