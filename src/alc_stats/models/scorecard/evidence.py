"""What else could have made volume and competence disagree, or hidden that they agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from alc_stats.errors import AlcError
from alc_stats.estimators import fit
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.contrasts import contrast
from alc_stats.inference.unit_contrast import UnitSums, unit_contrast
from alc_stats.models.finding import MOST_LEFT_OUT, Evidence, joined
from alc_stats.models.scorecard.data import CardData, Role
from alc_stats.models.scorecard.effects import (
    Effects,
    censored,
    share_at_bounds,
    standard_bounds,
    units_decide,
)
from alc_stats.models.scorecard.gaming import Gamed
from alc_stats.models.scorecard.precision import Precision
from alc_stats.records import Number, Phrase

SHARE_AT_BOUND = 0.05
"""From this share of an arm at a bound on, a word must hold for what lies beyond it."""
SUPPOSED_RELIABILITY = 0.7
"""Of a metric of which none is known: its word must bear it. The card prints "not known"."""
ATTRITION = 0.05
"""A difference between arms in the share that left, from which on it is worth a test."""


def card_evidence(
    found: Effects, known: Mapping[Role, Precision], gamed: Mapping[Role, tuple[Gamed, ...]]
) -> tuple[Evidence, ...]:
    """One piece an artefact; all are about the arm of the claim."""
    competence = found.data.competence
    return (
        _certificates(found), _ASSIGNMENT, _few(found),
        *(_reliability(found, role, known[role]) for role in competence),
        *(_bounds(found, role) for role in found.data.roles),
        _gamed_competence(found, gamed), _trends(found), _attrition(found), _left_out(found),
    )  # fmt: skip


def _certificates(found: Effects) -> Evidence:
    names = found.data.question.name
    without = [
        f"that of {names(role).lower()} does without {' and '.join(m.without)}"
        for role, m in found.models.items()
        if m.without
    ]
    text = "Every metric's mixed model reached its optimum, by its certificate"
    if without:
        text += f"; {'; '.join(without)}, which these data do not tell"
    return Evidence("certificate", "clear", Phrase.verbatim(f"{text}."))


_ASSIGNMENT = Evidence(
    "assignment", "clear", Phrase("Changes are compared, so that what is stable in arms cancels.")
)


def _few(found: Effects) -> Evidence:
    data, unit = found.data, found.data.unit_name
    units = {
        "units_treated": Number(data.units(found.about), "count"),
        "units_control": Number(data.units(data.question.control), "count"),
    }
    how = (
        f"each counts as one {unit}, and intervals are Welch's"
        if units_decide(data, found.about)
        else f"intervals are CR2 by {unit} with Satterthwaite's degrees of freedom"
    )
    seen = Phrase(f"{{units_treated}} {unit}s beside {{units_control}} in control: {how}.", units)
    return Evidence(f"few {unit}s", "clear", seen)


# -- reliability ---------------------------------------------------------------------------------


def _reliability(found: Effects, role: Role, known: Precision) -> Evidence:
    """A noisy metric sees no improvement: its word must hold in SDs of true scores."""
    name = f"noise in {role}"
    value = SUPPOSED_RELIABILITY if known.value is None else known.value
    if not value > 0.0:
        why = f"No value of {role} tells people apart: its reliability is not positive."
        return Evidence(name, "threat", Phrase(why))
    true = found.rescaled(role, found.about, value**-0.5)
    same = found.word(role, found.about, true) == found.word(role, found.about)
    start = "Its reliability is not known; at" if known.value is None else "At"
    text = (
        f"{start} a reliability of {{reliability_{role}}} the effect in SDs of true scores is "
        f"{{true_{role}}} and the metric says {'the same' if same else 'otherwise'}."
    )
    numbers = {
        f"reliability_{role}": Number(value, "ratio"),
        f"true_{role}": Number(true.value, unit="SD"),
    }
    return Evidence(name, "clear" if same else "threat", Phrase(text, numbers))


# -- bounds --------------------------------------------------------------------------------------


def _bounds(found: Effects, role: Role) -> Evidence:
    name = f"bounds of {role}"
    if standard_bounds(found.data, role) is None:
        if role == "volume":
            return Evidence(name, "clear", Phrase("Amounts have no ceiling."))
        why = f"The bounds of {role} were not declared; what is at a ceiling cannot get better."
        return Evidence(name, "threat", Phrase(why))
    share = share_at_bounds(found.data, role)
    seen = Phrase(
        f"At most {{at_bound_{role}}} of an arm lie at a bound.",
        {f"at_bound_{role}": Number(share, "share")},
    )
    if share < SHARE_AT_BOUND:
        return Evidence(name, "clear", seen)
    latent = censored(found.data, found.models[role], role, found.about)
    if isinstance(latent, str):
        return Evidence(name, "threat", joined(seen, Phrase.verbatim(latent)))
    same = found.word(role, found.about, latent) == found.word(role, found.about)
    tells = Phrase(
        f"A censored model, {{latent_{role}}} SD, says {'the same' if same else 'otherwise'}.",
        {f"latent_{role}": Number(latent.value, unit="SD")},
    )
    return Evidence(name, "clear" if same else "threat", joined(seen, tells))


# -- gaming --------------------------------------------------------------------------------------


def _gamed_competence(found: Effects, gamed: Mapping[Role, tuple[Gamed, ...]]) -> Evidence:
    """Gamers make metrics look better: only a metric that says so can be their work."""
    name = "gamed competence metrics"
    better = [r for r in found.data.competence if found.word(r, found.about) == "better"]
    if not better:
        why = "Gaming makes a metric look better, and none of competence says that it is."
        return Evidence(name, "clear", Phrase(why))
    left = {r: _without_gamers(found, r, gamed[r]) for r in better}
    lost = [r for r, own in left.items() if found.word(r, found.about, own) != "better"]
    said_so = Phrase(
        "Without what {gamers} of gamers would add, "
        + " and ".join(f"{r} moves by {{honest_{r}}} SD" for r in left)
        + (", which is no longer better." if lost else ", which is better still."),
        {"gamers": Number(found.data.question.gamers, "share")}
        | {f"honest_{r}": Number(own.value, unit="SD") for r, own in left.items()},
    )
    return Evidence(name, "threat" if lost else "clear", said_so)


def _without_gamers(found: Effects, role: Role, gamed: tuple[Gamed, ...]) -> Estimate:
    own = found.estimates[role, found.about]
    worst = max((g.arm(found.about) for g in gamed), default=0.0)
    return Estimate(own.name, own.value - worst, own.se, own.df, own.unit)


# -- time ----------------------------------------------------------------------------------------


def _trends(found: Effects) -> Evidence:
    name = "trends before the start"
    compared = found.data.rows["arm"].isin([found.about, found.data.question.control])
    before = found.data.rows.loc[compared & (found.data.rows["post"] == 0.0)]
    waves = pd.to_numeric(before["wave"], errors="coerce")
    if waves.nunique() < 2 or waves.isna().any():
        why = "There is one wave before the start, so that trends before it cannot be compared."
        return Evidence(name, "not tested", Phrase(why))
    own = {role: _trend(before, role, waves, found.about) for role in found.data.roles}
    failed = [t for t in own.values() if isinstance(t, str)]
    if failed:
        return Evidence(name, "not tested", Phrase.verbatim(failed[0]))
    trends = {role: t for role, t in own.items() if isinstance(t, Estimate)}
    # one test a metric: none may stand out among as many
    apart = any(t.p_value < found.alpha / len(trends) for t in trends.values())
    seen = Phrase(
        "Before the start the arms part a wave by "
        + ", ".join(f"{{trend_{role}}} SD in {role}" for role in trends)
        + (", which is more than chance." if apart else ", which chance could make."),
        {f"trend_{role}": Number(t.value, unit="SD") for role, t in trends.items()},
    )
    return Evidence(name, "threat" if apart else "clear", seen)


def _trend(before: pd.DataFrame, role: Role, waves: pd.Series, about: str) -> Estimate | str:
    rows = before.assign(treated=(before["arm"] == about) * 1.0)
    rows = rows.assign(y=rows[role], parting=rows["treated"] * waves)
    rows = rows.loc[rows["y"].notna()].reset_index(drop=True)
    try:
        made = fit("y ~ wave + treated + parting + (1 | person)", rows,
                   covariance="CR2", cluster="firm")  # fmt: skip
        return contrast(made, "parting")
    except AlcError as error:
        return str(error)


def _attrition(found: Effects) -> Evidence:
    seen = _seen_again(found.data, found.about)
    shares = seen.groupby("treated")["again"].mean()
    own = _apart(seen)
    apart = abs(shares[1.0] - shares[0.0]) >= ATTRITION
    threat = apart and (own is None or own.p_value < found.alpha)
    numbers = {
        "again_treated": Number(float(shares[1.0]), "share"),
        "again_control": Number(float(shares[0.0]), "share"),
    }
    text = "{again_treated} of the treated and {again_control} of control were seen again."
    return Evidence("people who left", "threat" if threat else "clear", Phrase(text, numbers))


def _seen_again(data: CardData, about: str) -> pd.DataFrame:
    """Each person of the two arms seen before the start, and whether after it as well."""
    rows = data.rows.loc[data.rows["arm"].isin([about, data.question.control])]
    later = set(rows.loc[rows["post"] == 1.0, "person"])
    first = rows.loc[rows["post"] == 0.0].drop_duplicates("person")
    treated = (first["arm"] == about) * 1.0
    return first[["firm"]].assign(treated=treated, again=first["person"].isin(later) * 1.0)


def _apart(seen: pd.DataFrame) -> Estimate | None:
    units = seen.groupby(["firm", "treated"])["again"].mean().reset_index()
    values = units["again"].to_numpy(float)[:, None]
    treated = units["treated"].to_numpy(float) == 1.0
    own = unit_contrast(
        UnitSums(values, np.ones_like(values), np.ones(1), treated, log=False), name="seen again"
    )
    return own if own.se > 0.0 else None


def _left_out(found: Effects) -> Evidence:
    shares = dict(_lacking(found.data))
    if not shares:
        return Evidence("rows left out", "clear", Phrase("Every row has every metric."))
    threat = max(shares.values()) >= MOST_LEFT_OUT
    text = ", ".join(f"{{lacking_{role}}} of rows lack {role}" for role in shares)
    end = ": who is missing may have made the result." if threat else " and were left out of it."
    numbers = {f"lacking_{role}": Number(share, "share") for role, share in shares.items()}
    seen = Phrase(f"{text[:1].upper()}{text[1:]}{end}", numbers)
    return Evidence("rows left out", "threat" if threat else "clear", seen)


def _lacking(data: CardData) -> Iterator[tuple[Role, float]]:
    for role in data.roles:
        if (share := data.left_out(role)) > 0.0:
            yield role, share
