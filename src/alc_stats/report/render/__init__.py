"""One small module a format: each turns a `Table` into text or bytes and escapes what it must.

All formats take their cells from `Table.grid`, so that the values are the same in every one.
"""

from alc_stats.report.render.html import to_html
from alc_stats.report.render.latex import to_latex
from alc_stats.report.render.markdown import to_markdown
from alc_stats.report.render.typst import to_typst
from alc_stats.report.render.word import to_docx

__all__ = ["to_docx", "to_html", "to_latex", "to_markdown", "to_typst"]
