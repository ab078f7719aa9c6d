"""Every format of a report from one executed notebook."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from nbformat import NotebookNode

from evaluation.errors import KepuError

FORMATS = ("html", "pdf", "docx")


def write(
    notebook: NotebookNode,
    language: str,
    formats: Collection[str] = FORMATS,
    *,
    simulated: bool = False,
    reference: Path | None = None,
) -> dict[str, bytes]:
    """Make the files of a report; the same notebook gives the same bytes.

    Parameters
    ----------
    notebook : executed notebook whose cells show ``report.title(page)`` and the sections. For
        ``html`` alone any notebook that displays something will do.
    language : ``"zh"`` or ``"en"``.
    formats : some of ``FORMATS``.
    simulated : whether every format must say that the data are simulated.
    reference : a .docx whose styles the Word report takes; ours where ``None``.

    Returns
    -------
    dict of the files' bytes by format, in the order of ``FORMATS``.

    Raises
    ------
    KepuError : an unknown format; an ``ExportError`` where a notebook cannot become a format.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise KepuError(f"Unknown format '{unknown[0]}'; known: {', '.join(FORMATS)}.")
    made: dict[str, bytes] = {}
    if "html" in formats:
        from evaluation.export import to_html

        made["html"] = to_html(notebook, language, simulated=simulated).encode()
    if {"pdf", "docx"} & set(formats):  # the libraries of a format load when it is asked for
        from evaluation.formats.document import read

        document = read(notebook, language, simulated=simulated)
    if "pdf" in formats:
        from evaluation.formats.pdf import to_pdf

        made["pdf"] = to_pdf(document)
    if "docx" in formats:
        from evaluation.formats.word import to_docx

        made["docx"] = to_docx(document, reference.read_bytes() if reference else None)
    return made
