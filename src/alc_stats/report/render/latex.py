r"""Tables as LaTeX (booktabs; `\usepackage{booktabs}` is all they need)."""

from __future__ import annotations

from collections.abc import Iterable

from alc_stats.report.table import Table

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "'": r"\textquotesingle{}",
    "\u2212": "$-$", "∞": r"$\infty$", "\u00d7": r"$\times$", "±": r"$\pm$",
    "\u03b1": r"$\alpha$", "—": "---", "\u00a0": "~",
    "⁻": r"\textsuperscript{$-$}",
} | {
    raised: rf"\textsuperscript{{{plain}}}"
    for raised, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)
}  # fmt: skip
_ALIGNMENT = {"label": "l", "number": "r", "text": r"p{0.24\linewidth}"}


def to_latex(table: Table) -> str:
    """The table as a `table` environment with booktabs rules."""
    width = len(table.columns)
    lines = [
        r"\begin{table}",
        rf"\caption{{{escape(table.heading)}}}",
        rf"\label{{tab:{_key(table.file_stem)}}}",
        rf"\begin{{tabular}}{{{''.join(_ALIGNMENT[c.role] for c in table.columns)}}}",
        r"\toprule",
        *_spanner_lines(table),
        _line(escape(column.label) for column in table.columns),
        r"\midrule",
    ]
    group = ""
    for row, cells in zip(table.rows, table.grid(), strict=True):
        if row.group and row.group != group:
            lines.append(rf"\multicolumn{{{width}}}{{l}}{{\textit{{{escape(row.group)}}}}} \\")
        group = row.group
        label = rf"\quad {escape(cells[0])}" if row.group else escape(cells[0])
        lines.append(_line((label, *(escape(cell) for cell in cells[1:]))))
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize\textit{{Note.}} {escape(' '.join(table.notes))}"] * bool(
        table.notes
    )
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def escape(text: str) -> str:
    r"""Text that LaTeX shows as it is.

    Examples
    --------
    >>> print(escape("50 % of R&D_1"))
    50 \% of R\&D\_1
    """
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split(" ")))


def _key(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-." else "-" for c in text)


def _line(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _spanner_lines(table: Table) -> list[str]:
    if not any(column.spanner for column in table.columns):
        return []
    cells, rules, at = [], [], 1
    for name, count in table.spanners():
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{escape(name)}}}" if name else "")
        if name:
            rules.append(rf"\cmidrule(lr){{{at}-{at + count - 1}}}")
        at += count
    return [_line(cells), " ".join(rules)]
