"""Proxy: the metric stops measuring value once it is the target (H12).

The share of variance that a metric explains falls whenever people become more alike in it, with no
change in what it is worth. So the slope is asked, not the share; and it is asked against firms that
never had a mandate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from alc_stats.errors import FitError
from alc_stats.estimators.estimate import Estimate
from alc_stats.inference.bootstrap_draws import BootstrapDraws
from alc_stats.inference.cluster_bootstrap import weighted_cluster_bootstrap
from alc_stats.inference.decision import Criterion, decide
from alc_stats.inference.fieller import RatioInterval, fieller
from alc_stats.inference.resamples import Resamples
from alc_stats.inference.small_samples import FEW_TREATED
from alc_stats.models.finding import Claim, Evidence, Finding, Line, Part, find_jointly
from alc_stats.models.gap.lines import line
from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.models.proxy.data import CELLS, ProxyData, ProxyQuestion, proxy_data
from alc_stats.records import FloatArray, Number, Phrase

HALF = 0.5
"""Smallest loss of the slope: the metric is worth half of what it was."""
AT_LEAST = 0.2
"""The loss that the interval must exclude."""
DRAWS = 999
SEED = 20261127
_SLOPE = "per log unit"
_NAMED = dict(zip(CELLS, ("treated, before", "treated, after", "never mandated, before",
                          "never mandated, after"), strict=True))  # fmt: skip


def proxy(
    data: pd.DataFrame,
    claim: Claim | None = None,
    *,
    quality: str,
    amount: str,
    person: str,
    firm: str,
    mandated: str,
    post: str,
    wave: str | None = None,
    criterion: Criterion | None = None,
    seed: int = SEED,
) -> Finding:
    """Whether quality goes less with use once use is mandated.

    Slopes of quality on log amounts, within persons and periods, before and after the start, among
    firms with a mandate and firms without. The slope that a mandate would have left is that of
    before plus what happened to the slope elsewhere; the loss is one less the ratio of the slope
    after to it. Supported if the loss is at least a half and its interval lies above a fifth.

    Parameters
    ----------
    data : DataFrame
        One row a task, or a person and period short enough for several before and after.
    claim : Claim, optional
        The prediction that is tested; a plain one by default.
    quality, amount : str
        What came out; tokens, above zero, of which logs are taken.
    person, firm : str
    mandated : str
        1 throughout for firms that ever have a mandate.
    post : str
        0 before and 1 after the start.
    wave : str, optional
        Occasions, which have means of their own in each arm: use and quality that rise together
        over time are no slope.
    criterion : Criterion, optional
        Its `alpha` is used; 0.05 by default.
    seed : int
        Of the bootstrap of firms.

    Returns
    -------
    Finding

    Raises
    ------
    DeclarationError, TableError
        For unknown columns, amounts not above zero, no firm without a mandate or no time before.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame({"person": np.arange(8000) % 400, "post": np.arange(8000) // 4000})
    >>> table["firm"] = table["person"] % 20
    >>> table["mandate"] = table["firm"] % 2
    >>> use = rng.normal(size=8000)
    >>> worth = np.where(table["mandate"] * table["post"] == 1, 0.2, 3.0)
    >>> table["tokens"], table["quality"] = np.exp(use), worth * use + 5 * rng.normal(size=8000)
    >>> found = proxy(table, quality="quality", amount="tokens", person="person", firm="firm",
    ...               mandated="mandate", post="post")
    >>> found.decision.verdict
    'supported'
    """
    question = ProxyQuestion(
        quality=quality, amount=amount, person=person, firm=firm, mandated=mandated, post=post,
        wave=wave,
    )  # fmt: skip
    claim = claim or Claim("proxy", "proxy", f"{amount} stops measuring {quality}.")
    alpha = criterion.alpha if criterion else 0.05
    rule = Criterion("conjunction", float("nan"), alpha=alpha)
    return judge(data, question, claim, rule, seed=seed)


def judge(
    data: pd.DataFrame, question: ProxyQuestion, claim: Claim, criterion: Criterion,
    *, seed: int = SEED,
) -> Finding:  # fmt: skip
    """`proxy` with its columns as one record."""
    rows = proxy_data(data, question)
    excludes = Criterion("minimum_effect", AT_LEAST, alpha=criterion.alpha)
    reaches = Criterion("superiority", HALF, alpha=criterion.alpha)
    names = ("The loss is more than a fifth", "The loss is at least a half")
    try:
        found = _Slopes(rows, _drawn(rows, seed), 1.0 - criterion.alpha)
    except FitError as error:
        why = Phrase.verbatim(str(error))
        parts = [Part(n, None, c, why) for n, c in zip(names, (excludes, reaches), strict=True)]
        return find_jointly(claim, parts)
    ratio = found.fieller()
    if ratio.shape != "interval" or found.kept() <= 0.0:
        why = Phrase("The slope that would have been left cannot be told from zero: a metric that "
                     "never measured anything cannot stop.")  # fmt: skip
        parts = [Part(n, None, c, why) for n, c in zip(names, (excludes, reaches), strict=True)]
        return find_jointly(claim, parts, triangulation=tuple(found.lines()),
                            pictures=(found.picture(),))  # fmt: skip
    loss = found.of("loss", "ratio")
    parts = [Part(n, loss, c) for n, c in zip(names, (excludes, reaches), strict=True)]
    return find_jointly(
        claim, parts, evidence=found.evidence(reaches), observed=found.observed(),
        triangulation=tuple(found.lines()), pictures=(found.picture(),),
    )  # fmt: skip


def _drawn(rows: ProxyData, seed: int) -> BootstrapDraws:
    def statistic(drawn: Resamples) -> Mapping[str, FloatArray]:
        return _statistics({cell: drawn.total(own) for cell, own in rows.sums.items()})

    return weighted_cluster_bootstrap(
        np.arange(len(rows.treated)), statistic, strata=rows.treated, draws=DRAWS, seed=seed
    )


def _statistics(sums: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for cell, own in sums.items():
            found[cell] = own[:, 1] / own[:, 0]
            found[f"share {cell}"] = own[:, 1] ** 2 / (own[:, 0] * own[:, 2])
            found[f"log sd {cell}"] = 0.5 * np.log(own[:, 0] / own[:, 3])
        before, after, never_before, never_after = (found[cell] for cell in CELLS)
        found["kept"] = before + never_after - never_before
        found["change"] = after - found["kept"]
        found["loss"] = 1.0 - after / found["kept"]
        for what in ("share", "log sd"):
            was, now, never_was, never_now = (found[f"{what} {cell}"] for cell in CELLS)
            found[f"change of {what}"] = now - was - never_now + never_was
    return found


class _Slopes:
    """Draws, and what is said of them."""

    def __init__(self, rows: ProxyData, draws: BootstrapDraws, level: float) -> None:
        self.rows, self.draws, self.level = rows, draws, level
        sides = (int(rows.treated.sum()), int((~rows.treated).sum()))
        self.fewest, self.df = min(sides), float(min(sides) - 1)

    def of(self, name: str, unit: str = _SLOPE) -> Estimate:
        """With the degrees of freedom of the smaller side, and a variance for their number."""
        own = self.draws.estimate(name)
        se = own.se * float(np.sqrt((self.df + 1.0) / self.df))
        return Estimate(name, own.value, se, self.df, unit)

    def kept(self) -> float:
        """The slope that would have been left."""
        return self.of("kept").value

    def fieller(self) -> RatioInterval:
        """Of the slope after to that which would have been left."""
        at = [self.draws.names.index(n) for n in ("treated_after", "kept")]
        pair = self.draws.draws[:, at]
        V = np.cov(pair[np.isfinite(pair).all(axis=1)].T) * (self.df + 1.0) / self.df
        values = self.draws.observed[at]
        return fieller(float(values[0]), float(values[1]), V, df=self.df, level=self.level)

    def lines(self) -> Iterator[Line]:
        """Slopes, the ratio by Fieller, and what shares of variance would have said."""
        how = "bootstrap of firms, t"
        r = self.fieller()
        yield Line("Slope after, relative to what would have been left", "a slope near zero before",
                   value=r.value, low=r.low, high=r.high, reference=f"Fieller, {r.shape}",
                   unit="ratio")  # fmt: skip
        yield line(self.of("change"), "Change of the slope", "a ratio that is large by chance", how,
                   level=self.level, unit=_SLOPE)  # fmt: skip
        for cell, name in _NAMED.items():
            yield line(self.of(cell), f"Slope, {name}", "", how, level=self.level, unit=_SLOPE)
        share, spread = self.of("change of share"), self.of("change of log sd")
        yield line(share, "Naive: change of variance explained", "nothing; it moves with the range",
                   how, level=self.level, unit="share")  # fmt: skip
        yield line(spread, "Change of the spread of use", "a range that became narrower or wider",
                   how, level=self.level, unit="log SD")  # fmt: skip

    def evidence(self, criterion: Criterion) -> tuple[Evidence, ...]:
        """Trends elsewhere, range, few firms, error of quality."""
        shown = decide(self.of("loss", "ratio"), criterion).verdict in ("supported", "contradicted")
        few = self.fewest <= FEW_TREATED and shown
        spread = self.of("change of log sd", "log SD")
        return (
            Evidence("range of use", "clear", Phrase(
                "The spread of use changed by {spread_change} log SD; a slope does not move with "
                "it where the relation is straight.",
                {"spread_change": Number(spread.value, unit="log SD")})),
            Evidence("few firms", "threat" if few else "clear", Phrase(
                "{fewest_firms} firms on the smaller side.",
                {"fewest_firms": Number(self.fewest, "count")})),
            Evidence("error of measurement of use", "not tested", Phrase(
                "Error in logged use that grows under the mandate would look like a loss.")),
        )  # fmt: skip

    def observed(self) -> Phrase:
        """What was seen."""
        numbers = {
            "slope_after": Number(self.of("treated_after").value, unit=_SLOPE),
            "slope_left": Number(self.kept(), unit=_SLOPE),
            "rows": Number(self.rows.rows, "count"),
        }
        seen = (
            "Under the mandate quality rises by {slope_after} per log unit of use, where "
            "{slope_left} would have been left ({rows} rows)."
        )
        if self.rows.left_out:
            numbers["left_out"] = Number(self.rows.left_out, "count")
            seen += " {left_out} rows that lack a value were not used."
        return Phrase(seen, numbers)

    def picture(self) -> Picture:
        """Four slopes."""
        own = [self.of(cell) for cell in CELLS]
        ends = [e.interval(self.level) for e in own]
        rows = Mark(
            kind="row", texts=tuple(_NAMED.values()), x=tuple(e.value for e in own),
            low=tuple(low for low, _ in ends), high=tuple(high for _, high in ends),
        )  # fmt: skip
        return Picture(
            id="slopes",
            title="What use is worth, before and after",
            caption=f"Slopes of quality on log use within persons and periods, {self.rows.rows:,} "
            f"rows, with {self.level:.0%} intervals from a bootstrap of firms.",
            alt="Four intervals: treated and never-mandated firms, before and after.",
            x="Slope (points of quality per log unit)",
            panels=(Panel(marks=(rows, Mark(kind="down", x=(0.0,)))),),
        )
