"""One made-up figure of every kind, for the tests of `report`."""

from __future__ import annotations

from alc_stats.models.picture import Mark, Panel, Picture
from alc_stats.study.result import Exhibit


def forest(label: str = "Observed, OLS with HC3") -> Exhibit:
    return Exhibit(
        id="belief_and_fact",
        kind="forest",
        title="Developers expected to be faster and were slower",
        caption="Points are estimates, lines their 95 % intervals; left of zero, AI saves time.",
        alt="Forest plot: forecasts lie left of zero, all four observed effects right of it.",
        columns={
            "label": (
                "Forecast before the task",
                label,
                "Observed, clustered by developer",
                "Observed, developer intercept",
            ),
            "value": (-0.2853, 0.1726, 0.1726, 0.1512),
            "low": (-0.373, 0.013, 0.0016, -0.0017),
            "high": (-0.197, 0.333, 0.344, 0.304),
            "group": ("Expected", "Observed", "Observed", "Observed"),
        },
        axes={"x": "Change in time with AI (log minutes)"},
        reference=0.0,
    )


def percentages() -> Exhibit:
    """A forest of relative changes."""
    return Exhibit(
        id="specifications", kind="forest", title="Published and ours", caption="", alt="",
        columns={
            "label": ("Published", "Ours"), "value": (0.188, 0.163), "low": (0.013, -0.002),
            "high": (0.395, 0.355), "group": ("OLS", "Random intercept"),
        },
        axes={"x": "Change in time with AI", "x_kind": "percent"}, reference=0.0,
    )  # fmt: skip


def histogram() -> Exhibit:
    edges = [2.0 + 0.5 * i for i in range(11)]
    ai = [0.01, 0.04, 0.08, 0.14, 0.19, 0.2, 0.15, 0.11, 0.06, 0.02]
    no = [0.03, 0.07, 0.12, 0.18, 0.2, 0.16, 0.11, 0.08, 0.04, 0.01]
    return Exhibit(
        id="times",
        kind="distribution",
        title="How long issues took",
        caption="Shares of issues; bins with fewer than five issues are merged.",
        alt="Two overlapping histograms of log minutes; the one with AI lies to the right.",
        columns={
            "panel": ("",) * 20,
            "group": ("AI allowed",) * 10 + ("AI not allowed",) * 10,
            "left": (*edges[:-1], *edges[:-1]),
            "right": (*edges[1:], *edges[1:]),
            "share": (*ai, *no),
        },
        axes={"x": "Time to finish (log minutes)", "y": "Share of issues"},
    )


def three_arms() -> Exhibit:
    """Three groups of one measure; one bin of the last is suppressed, the outer bins are empty."""
    shares = {
        "control": (0.0, 0.3, 0.4, 0.3, 0.0),
        "chat_only": (0.0, 0.5, 0.3, 0.2, 0.0),
        "tutor": (0.0, 0.4, 0.6, None, 0.0),
    }
    cells = [
        ("", group, 2.0 * i, 2.0 * i + 2.0, share)
        for group, values in shares.items()
        for i, share in enumerate(values)
    ]
    names = ("panel", "group", "left", "right", "share")
    return Exhibit(
        id="arms", kind="distribution", title="Three arms", caption="Shares.", alt="Two panels.",
        columns=dict(zip(names, zip(*cells, strict=True), strict=True)),
        axes={"x": "Score (0-10)", "y": "Share of pupils"},
    )  # fmt: skip


def trajectory() -> Exhibit:
    rows = []
    for panel, gain in (("AI awareness", 0.22), ("Capability without AI", 0.01)):
        for group, factor in (("Mandate", 1.0), ("No mandate", 0.25)):
            for wave in range(5):
                value = 3.1 + gain * factor * wave + 0.02 * (wave % 2)
                gap = group == "No mandate" and wave == 3
                rows.append(
                    (
                        panel,
                        group,
                        float(wave),
                        f"wave {wave + 1}",
                        None if gap else value,
                        None if gap else value - 0.12,
                        None if gap else value + 0.12,
                        580.0,
                    )
                )
    names = ("panel", "group", "x", "x_label", "value", "low", "high", "n")
    return Exhibit(
        id="waves",
        kind="trajectory",
        title="Awareness rises, capability does not",
        caption="Means with 95 % intervals; the third wave without a mandate is suppressed.",
        alt="Two panels over five waves: awareness rises under the mandate, capability stays flat.",
        columns=dict(zip(names, zip(*rows, strict=True), strict=True)),
        axes={"x": "Measurement", "y": "Mean (points from 1 to 7)"},
    )


def recovery() -> Exhibit:
    return Exhibit(
        id="recovery",
        kind="recovery",
        title="What was put in and what came out",
        caption="Diamonds are the values put in, points the estimates with 95 % intervals.",
        alt="Five estimates with intervals; four of five intervals cover the value put in.",
        columns={
            "label": (
                "Mandate on awareness",
                "Mandate on capability",
                "Week",
                "Mandate by week",
                "Between-person log SD",
            ),
            "truth": (0.4, 0.0, 0.03, 0.01, 0.2),
            "value": (0.42, 0.011, 0.028, 0.012, 0.31),
            "low": (0.24, -0.05, 0.02, 0.002, 0.22),
            "high": (0.6, 0.07, 0.036, 0.022, 0.4),
            "inside": (1.0, 1.0, 1.0, 1.0, 0.0),
        },
        axes={"x": "Coefficient (in the unit of its outcome)"},
    )


def of_a_widening() -> tuple[Exhibit, ...]:
    """Spread against level, a fan with a hidden quantile, and spreads in order."""
    arms = ("control",) * 4 + ("mandate",) * 4
    place = (0.125, 0.375, 0.625, 0.875)
    log_sds = (1.8, 2.0, 2.1, 2.3, 2.0, 2.3, 2.4, 2.6)
    level = (48.0, 50.0, 52.0, 51.0, 49.0, 53.0, 50.5, 54.0)
    shares = (0.1, 0.25, 0.5, 0.75, 0.9)
    fan = [
        (
            arm,
            float(wave),
            str(wave),
            share,
            None if (wave, share) == (1, 0.9) else 40.0 + 20 * share,
        )
        for arm in ("control", "mandate")
        for wave in (0, 1)
        for share in shares
    ]
    names = ("group", "x", "x_label", "share", "value")
    words = {"title": "A spread", "caption": "Points.", "alt": "Points of two arms."}
    axes = {"x": "Mean", "y": "Log SD"}
    return (
        Exhibit(
            id="spread_and_level", kind="mean_variance", axes=axes,
            columns={"group": arms, "x": level, "value": log_sds}, **words,
        ),
        Exhibit(
            id="spread_fan", kind="fan", axes={"x": "Wave", "y": "Score"},
            columns={name: tuple(row[i] for row in fan) for i, name in enumerate(names)}, **words,
        ),
        Exhibit(
            id="spread_persons", kind="caterpillar", axes=axes,
            columns={
                "group": arms, "x": place * 2, "value": log_sds,
                "low": tuple(v - 0.3 for v in log_sds), "high": tuple(v + 0.3 for v in log_sds),
                "people": (6.0,) * 8,
            },
            **words,
        ),
    )  # fmt: skip


def of_a_finding() -> Exhibit:
    """A picture with a band, a line and intervals in two panels."""
    waves = (0.0, 1.0, 2.0)
    band = Mark(kind="band", label="null", x=waves, low=(0.1, 0.0, 0.0), high=(0.3, 0.5, 0.4))
    line = Mark(kind="line", label="mandate", x=waves, y=(0.2, 0.3, 0.35))
    means = Mark(
        kind="interval", label="mandate", x=waves, y=(0.2, 0.3, 0.35), low=(0.1, 0.2, 0.2),
        high=(0.3, 0.4, 0.5),
    )  # fmt: skip
    panels = (Panel(marks=(band, line), title="near"), Panel(marks=(means,), title="far"))
    words = {"title": "Transfer", "caption": "Means.", "alt": "Two panels with lines."}
    picture = Picture(id="means", x="Wave", y="Score", panels=panels, **words)
    return Exhibit("H9_means", "picture", columns={}, picture=picture, **words)
