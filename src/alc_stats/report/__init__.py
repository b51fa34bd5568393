"""The report room: the only place where numbers become strings.

It reads `StudyResult` records and writes tables (Markdown, HTML, LaTeX, Typst, Word), figures
(SVG, PNG), the results page, the paper, the manifest and the lines of the terminal. It never
refits a model and never sees a participant; everything it prints is in a record already. Only
the command line may come in. Start reading at `write.write_reports`.
"""
