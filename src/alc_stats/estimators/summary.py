"""A fit as plain text, its certificate first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alc_stats.estimators.error_laws import inline
from alc_stats.estimators.fit import Fit, Request, VarianceComponent

_SMALLEST_P = 0.00005
"""A p below this would print as zero, which no p is."""


def summary_text(fit: Fit) -> str:
    """Certificate, coefficients, random part, counts; without a usable certificate no numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from alc_stats.estimators import fit
    >>> data = pd.DataFrame({"y": [1.0, 2, 4, 3, 6, 8], "x": [0.0, 1, 2, 3, 4, 5]})
    >>> print(summary_text(fit("y ~ x", data)).splitlines()[0])
    Least squares solved exactly; no column depends on the others.
    """
    head = [fit.certificate.sentence, "", *_request_lines(fit)]
    body = [*_coefficient_lines(fit), *_random_lines(fit)] if fit.certificate.usable else []
    return "\n".join([*head, *body, *_count_lines(fit), *_note_lines(fit)])


def _request_lines(fit: Fit) -> list[str]:
    request = fit.request
    spreads = {
        "scale": request.scale,
        "between": request.between,
        "errors": inline(request),
        "outcome": _outcome(request),
    }
    covariance = request.covariance
    if request.cluster:
        covariance += f" on {request.cluster}"
    return [
        f"formula     {request.formula}",
        *(f"{name:<12}{text}" for name, text in spreads.items() if text),
        f"method      {request.method} ({fit.software})",
        f"covariance  {covariance}; degrees of freedom: {request.df}",
    ]


def _outcome(request: Request) -> str:
    """What a logistic model is of; empty for others."""
    if request.family != "binomial":
        return ""
    of = f"share of {request.weights}" if request.weights else "yes or no"
    return f"{of}; coefficients and SDs are log odds"


def _coefficient_lines(fit: Fit) -> list[str]:
    limits = fit.conf_int()
    header = ["", "estimate", "se", "t", "df", "p", "low", "high"]
    numbers = zip(
        fit.estimates,
        fit.bse,
        fit.tvalues,
        fit.df,
        fit.pvalues,
        limits["low"],
        limits["high"],
        strict=True,
    )
    rows = [
        [
            label,
            f"{b:.5g}",
            f"{se:.4g}",
            f"{t:.3f}",
            f"{df:.1f}",
            f"{p:.4f}" if p >= _SMALLEST_P else "<.0001",
            f"{low:.5g}",
            f"{high:.5g}",
        ]
        for label, (b, se, t, df, p, low, high) in zip(fit.labels, numbers, strict=True)
    ]
    return ["", *_aligned([header, *rows])]


def _random_lines(fit: Fit) -> list[str]:
    if not fit.random:
        return []
    return [
        "",
        *_aligned([["random part", "", "SD", "correlation"], *map(_random_row, fit.random)]),
    ]


def _random_row(component: VarianceComponent) -> list[str]:
    if component.correlation is None:
        return [component.group, component.term, f"{component.sd:.5g}", ""]
    pair = f"{component.term}, {component.other}"
    return [component.group, pair, "", f"{component.correlation:.3f}"]


def _count_lines(fit: Fit) -> list[str]:
    counts = fit.counts
    lines = ["", f"{counts.used} of {counts.read} rows used"]
    lines += [f"  {number} dropped: missing {reason}" for reason, number in counts.dropped.items()]
    lines += [f"  {number} levels of {group}" for group, number in counts.groups.items()]
    if fit.loglik is not None and fit.certificate.usable:
        name = "restricted log-likelihood" if fit.request.method == "REML" else "log-likelihood"
        lines.append(f"{name} {fit.loglik:.4f}")
    return lines


def _note_lines(fit: Fit) -> list[str]:
    return ["", *(f"note: {note}" for note in fit.notes)] if fit.notes else []


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Columns under one another: words to the left, numbers to the right."""
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if j == 0 else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
