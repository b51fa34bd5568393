"""What else could have opened a gap, or hidden that none is there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.unit_contrast import UnitSums, unit_contrast
from alc_stats.models.finding import Evidence, joined
from alc_stats.models.gap.comparison import Gap, persons_seen, share_at_bounds
from alc_stats.models.gap.data import Level
from alc_stats.models.gap.fits import PAIR, long_rows
from alc_stats.records import Number, Phrase

SUPPOSED_RELIABILITY = 0.7
"""Of a test of capability of which none is known: a claim that it does not rise must bear it."""
ATTRITION = 0.05
"""A difference between arms in the share that left, from which on it is worth a test."""


def gap_evidence(found: Gap) -> tuple[Evidence, ...]:
    """One piece an artefact."""
    return (
        _certificate(found), _assignment(found), *(_bounds(found, o) for o in PAIR),
        *(_reliability(found, o) for o in PAIR), _pre_trends(found), _practice(found),
        _attrition(found), *_left_out(found),
    )  # fmt: skip


def _certificate(found: Gap) -> Evidence:
    own = Phrase.verbatim(found.pair.model.certificate.sentence)
    without = found.pair.without
    if not without:
        return Evidence("certificate", "clear", own)
    text = f"These data do not tell {' and '.join(without)}, which the model does without; the "
    return Evidence(
        "certificate", "clear", joined(own, Phrase.verbatim(text + "robust errors allow for it."))
    )


def _assignment(found: Gap) -> Evidence:
    """Whether arms were alike before treatment, by chance or because change is compared."""
    if found.data.question.randomised:
        return Evidence("assignment", "clear", Phrase("Treatment was assigned at random."))
    if found.data.did:
        why = "Changes are compared, so that what is stable in the arms cancels."
        return Evidence("assignment", "clear", Phrase(why))
    why = (
        "There is no time before the start and treatment was not said to be assigned at random, so "
        "that the arms may have differed all along."
    )
    return Evidence("assignment", "threat", Phrase(why))


# -- floors and ceilings -------------------------------------------------------------------------


def _bounds(found: Gap, outcome: Level) -> Evidence:
    name = f"bounds of {outcome}"
    if found.data.question.bounds(outcome) is None:
        why = f"The bounds of {outcome} were not declared; scores at a ceiling cannot rise."
        fatal = outcome == "capability"
        return Evidence(name, "threat" if fatal else "not tested", Phrase(why))
    share = {"share_" + outcome: Number(share_at_bounds(found.data, outcome), "share")}
    seen = Phrase(f"At most {{share_{outcome}}} of an arm lie at a bound.", share)
    latent = found.censored.get(outcome)
    if latent is None:
        return Evidence(name, "clear", seen)
    if isinstance(latent, str):
        return Evidence(name, "threat", joined(seen, Phrase.verbatim(latent)))
    same = found.reads(outcome, latent) == found.reads(outcome)
    tells = Phrase(
        f"The censored model, {{latent_{outcome}}} SD, reads "
        + ("the same." if same else "otherwise."),
        {f"latent_{outcome}": Number(latent.value, unit="SD")},
    )
    return Evidence(name, "clear" if same else "threat", joined(seen, tells))


# -- reliability ---------------------------------------------------------------------------------


def _reliability(found: Gap, outcome: Level) -> Evidence:
    """Error in the SD shrinks effects in SDs: a verdict must hold in SDs of true scores."""
    name = f"reliability of {outcome}"
    known = found.reliabilities.get(outcome)
    if outcome == "capability" and not isinstance(known, dict):
        return _supposed(found, name)
    if known is None or isinstance(known, str):
        why = known or f"No items of {outcome} were given, so that its reliability is not known."
        return Evidence(name, "not tested", Phrase.verbatim(why))
    least, most = min(known.values()), max(known.values())
    alpha = found.reliability(outcome) or np.nan
    true = found.effect({outcome: float(alpha**-0.5)}, outcome)
    same = found.reads(outcome, true) == found.reads(outcome)
    numbers = {
        f"least_{outcome}": Number(least, "ratio"),
        f"most_{outcome}": Number(most, "ratio"),
        f"true_{outcome}": Number(true.value, unit="SD"),
    }
    seen = Phrase(
        f"Omega by arm and time from {{least_{outcome}}} to {{most_{outcome}}}; in SDs of true "
        f"scores the effect is {{true_{outcome}}} and reads "
        + ("the same." if same else "otherwise."),
        numbers,
    )
    return Evidence(name, "clear" if same else "threat", seen)


def _supposed(found: Gap, name: str) -> Evidence:
    """Capability at a declared reliability, or at a supposed one where none is known."""
    declared = found.data.question.capability_reliability
    alpha = SUPPOSED_RELIABILITY if declared is None else declared
    true = found.effect({"capability": alpha**-0.5}, "capability")
    same = found.reads("capability", true) == found.reads("capability")
    numbers = {
        "supposed_capability": Number(alpha, "ratio"),
        "true_capability": Number(true.value, unit="SD"),
    }
    start = "At the declared" if declared is not None else "No reliability is known; at a supposed"
    text = (
        f"{start} reliability of {{supposed_capability}} the effect in SDs of true scores is "
        "{true_capability} and reads " + ("the same." if same else "otherwise.")
    )
    return Evidence(name, "clear" if same else "threat", Phrase(text, numbers))


# -- time ----------------------------------------------------------------------------------------


def _pre_trends(found: Gap) -> Evidence:
    name = "trends before the start"
    rows = found.data.rows.loc[found.data.rows["post"] == 0.0]
    waves = pd.to_numeric(rows["wave"], errors="coerce")
    if not found.data.did or waves.nunique() < 2 or waves.isna().any():
        why = (
            "There is one wave before the start, so that trends before it cannot be compared."
            if found.data.did
            else "There is no time before the start."
        )
        return Evidence(name, "not tested", Phrase(why))
    trends = {o: _trend(found, o, waves) for o in PAIR}
    failed = [t for t in trends.values() if isinstance(t, str)]
    if failed:
        return Evidence(name, "not tested", Phrase.verbatim(failed[0]))
    own = {o: t for o, t in trends.items() if isinstance(t, Estimate)}
    apart = any(t.p_value < found.alpha for t in own.values())
    seen = Phrase(
        "Before the start treated and control part by {trend_awareness} SD a wave in awareness and "
        "{trend_capability} in capability"
        + (", which is more than chance." if apart else ", which chance could make."),
        {f"trend_{o}": Number(t.value, unit="SD") for o, t in own.items()},
    )
    return Evidence(name, "threat" if apart else "clear", seen)


def _trend(found: Gap, outcome: Level, waves: pd.Series) -> Estimate | str:
    rows = long_rows(found.data, (outcome,))
    rows = rows.loc[rows["post"] == 0.0]
    rows = rows.assign(trend=waves.reindex(found.data.rows.index)[rows["occasion"]].to_numpy())
    rows = rows.assign(parting=rows["treated"] * rows["trend"])
    try:
        made = fit("y ~ wave + treated + parting + (1 | person)", rows.reset_index(drop=True),
                   covariance="CR2", cluster=found.data.cluster)  # fmt: skip
        return contrast(made, "parting")
    except AlcError as error:
        return str(error)


def _practice(found: Gap) -> Evidence:
    name = "practice on the test"
    if not found.data.repeated:
        return Evidence(name, "clear", Phrase("Each person was tested once."))
    if found.data.question.wave or found.data.did:
        why = (
            "What all gain by being tested again is taken out by the waves' own means; that one "
            "arm gains more by it would look like an effect, and parallel forms rule it out."
        )
        return Evidence(name, "clear", Phrase(why))
    why = "Persons were tested several times and no waves were named."
    return Evidence(name, "not tested", Phrase(why))


def _attrition(found: Gap) -> Evidence:
    name = "people who left"
    if not found.data.did:
        why = "Without a time before nobody can be followed; who answered may depend on the arm."
        return Evidence(name, "not tested", Phrase(why))
    seen = persons_seen(found.data)
    own = _share_apart(seen, found.data.cluster, whole=found.data.assigned_whole)
    shares = seen.groupby("treated")["seen"].mean()
    numbers = {
        "seen_treated": Number(float(shares.get(1.0, np.nan)), "share"),
        "seen_control": Number(float(shares.get(0.0, np.nan)), "share"),
    }
    apart = abs(shares.get(1.0, 0.0) - shares.get(0.0, 0.0)) >= ATTRITION
    threat = apart and (own is None or own.p_value < found.alpha)
    text = "{seen_treated} of the treated and {seen_control} of the others were seen again."
    return Evidence(name, "threat" if threat else "clear", Phrase(text, numbers))


def _share_apart(seen: pd.DataFrame, cluster: str, *, whole: bool) -> Estimate | None:
    units = seen.groupby([cluster, "treated"])["seen"].mean().reset_index() if whole else seen
    values = units["seen"].to_numpy(float)[:, None]
    treated = units["treated"].to_numpy(float) == 1.0
    own = unit_contrast(
        UnitSums(values, np.ones_like(values), np.ones(1), treated, log=False), name="seen again"
    )
    return own if own.se > 0.0 else None


def _left_out(found: Gap) -> Iterator[Evidence]:
    count = found.data.left_out
    if count:
        share = count / (count + len(found.data.rows))
        seen = Phrase(
            "{left_out} rows ({left_out_share}) lack a covariate and were left out.",
            {"left_out": Number(count, "count"), "left_out_share": Number(share, "share")},
        )
        yield Evidence("rows left out", "clear" if share < ATTRITION else "threat", seen)
