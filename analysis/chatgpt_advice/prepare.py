"""From the published file to one row a person and question.

`usage_level` counts four yes answers: heard of ChatGPT, used it, used it in class, used it on
multiple-choice questions. The advice is ChatGPT's in both arms; only its name differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from alc_stats.data.ledger import Ledger
from alc_stats.data.readers import read_table

OPTIONS = ["A", "B", "C", "D"]


def prepare(raw: Mapping[str, Path], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """Tables `answers` (as published) and `advised` (where the advice names an option)."""
    source = read_table(raw["responses"])
    ledger.start("answers", len(source))
    answers = _answers(source)
    ledger.start("advised", len(answers))
    names_one = source["advice_answer"].isin(OPTIONS)
    advised = ledger.keep("advised", answers, names_one, why="the advice names none of the options")
    return {"answers": answers, "advised": advised}


def _answers(source: pd.DataFrame) -> pd.DataFrame:
    """Ids of the survey firm become running numbers in order of appearance."""
    return pd.DataFrame(
        {
            "person": pd.Series(pd.factorize(source["participant_id"])[0] + 1).astype(str),
            "question": pd.Series(pd.factorize(source["question_id"])[0] + 1).astype(str),
            "advisor": source["advisor"],
            "expert": (source["advisor"] == "expert").astype(int),
            "justified": (source["give_justification"] == "yes").astype(int),
            "familiarity": source["topic_familiarity"],
            "usage_level": source["usage_level"],
            "weight_on_advice": source["weight_on_advice"],
            "confidence_before": source["init_advice_confidence"],
            "confidence": source["advice_confidence"],
            "correct": source["advice_is_correct"],
        }
    )
