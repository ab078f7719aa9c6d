"""The report as a Word document that an office can edit: every look is a named style.

Written with python-docx and not by pandoc: it gives header rows, alternative text, captions with
their fields and the Chinese face of each style directly, from a package of a quarter of a megabyte
instead of a program of a hundred and fifty, and the same bytes for the same report.
"""

from __future__ import annotations

import io
import zipfile
from importlib.resources import files

import docx
from docx.shared import Emu

from evaluation.formats import widths
from evaluation.formats.document import Document, ExportError, anchors
from evaluation.formats.inline import Node, harmless, nodes, plain
from evaluation.formats.word_frame import Styles, contents, margins, properties
from evaluation.formats.word_xml import Ink, paragraph, table
from evaluation.report.blocks import (
    Block,
    Figure,
    Heading,
    Items,
    Locks,
    Paragraph,
    Section,
    Table,
    Terms,
)
from evaluation.text import t

TYPE = 8.0  # size of tables' type in the reference document, in points
LOCK, OPEN = "●", "○"
KINDS = {
    "lead": "Lead", "note": "Note", "subtitle": "Subtitle", "missing": "Missing",
    "simulated": "Warning",
}  # fmt: skip


def to_docx(document: Document, reference: bytes | None = None) -> bytes:
    """Write a report; the same document gives the same bytes.

    Parameters
    ----------
    document : report.
    reference : a .docx whose styles are taken, ours where ``None``. Styles are found by name.

    Raises
    ------
    ExportError : the reference lacks a style, which is named.
    """
    if reference is None:
        reference = (files("evaluation") / "templates" / "reference.docx").read_bytes()
    return _stamped(_Writer(document, reference).written(), document)


class _Writer:
    """One document in the making."""

    def __init__(self, document: Document, reference: bytes):
        self.source = document
        self.file = docx.Document(io.BytesIO(reference))
        self.styles = Styles({style.name: style.style_id for style in self.file.styles})
        self.body = self.file.element.body
        page = self.file.sections[0]
        self.room = page.page_width - page.left_margin - page.right_margin
        self.counts = {"figure": 0, "table": 0}
        self.anchors = {name: f"_kepu{i}" for i, name in enumerate(anchors(document))}
        self.ink = Ink(self.file.part, self.styles, document.language == "zh", self.anchors)

    def written(self) -> bytes:
        source = self.source
        properties(self.file, source)
        margins(self.file, source, self.ink)
        if source.simulated:
            self.add("Warning", nodes(t("page.banner", source.language)))
        self.add("Title", nodes(source.title.text))
        for block in source.title.blocks:
            self.block(block)
        for number, section in enumerate(source.sections):
            self._section(section)
            if number == 0:
                for made in contents(source, self.ink, self.anchors, self.styles):
                    self.place(made)
        buffer = io.BytesIO()
        self.file.save(buffer)
        return buffer.getvalue()

    def place(self, made):
        """Put a paragraph or a table at the end of the text, before the page's own settings."""
        self.body.insert(len(self.body) - 1, made)
        return made

    def add(self, style: str, part: list[Node], keep: bool = False):
        made = self.place(paragraph(self.styles[style], keep=keep))
        self.ink.write(made, part)
        return made

    def _section(self, section: Section) -> None:
        made = self.place(paragraph(self.styles["Heading 1"]))
        self.ink.bookmark(made, section.id, lambda: self.ink.write(made, nodes(section.title)))
        for block in section.blocks:
            self.block(block)

    def block(self, block: Block) -> None:
        match block:
            case Paragraph(text, kind):
                self.add(KINDS.get(kind, "Normal"), nodes(text))
            case Heading(text):
                self.add("Heading 2", nodes(text))
            case Items(items, key, labels):
                for place, item in enumerate(items):
                    if labels:
                        self.add("Finding Label", nodes(labels[place]))
                    self.add("Finding" if key else "List Bullet", nodes(item))
            case Locks(count, most, text):
                drawn = LOCK * count + OPEN * (most - count)
                strong = {"k": "strong", "c": [drawn]}
                self.add("Locks", [strong, "\u3000", *nodes(text)])
            case Terms(terms):
                for term, meaning in terms:
                    self.add("Term", nodes(term))
                    self.add("Definition", nodes(meaning))
            case Table():
                self._table(block)
            case Figure():
                self._figure(block)
            case _:
                raise ExportError(f"Word knows no block of type {type(block).__name__}")

    def _caption(self, kind: str, text: str, keep: bool) -> None:
        self.counts[kind] += 1
        made = self.place(paragraph(self.styles["Caption"], keep=keep))
        made.append(self.ink.run(f"{t(f'page.{kind}', self.source.language)} "))
        self.ink.field(made, f"SEQ {kind.title()} \\* ARABIC", str(self.counts[kind]))
        made.append(self.ink.run("\u2002"))
        self.ink.write(made, nodes(text))

    def _table(self, block: Table) -> None:
        self._caption("table", block.caption, keep=True)
        cells = [[nodes(cell) for cell in row] for row in (block.columns, *block.rows)]
        head, *rows = [[widths.printed(cell) for cell in row] for row in cells]
        found, _ = widths.columns(head, rows, self.room / 12700 / TYPE, block.numeric)
        share = self.room / 635 / sum(found)  # 635 English Metric Units are a twentieth of a point
        made = table(
            self.ink,
            self.styles["Report Table"],
            self.styles["Table Text"],
            cells,
            [width * share for width in found],
            block.numeric,
            plain(nodes(block.caption)),
        )
        self.place(made)
        self.place(paragraph(self.styles["Table Text"]))  # two tables must not grow together

    def _figure(self, block: Figure) -> None:
        made = self.file.add_paragraph(style="Normal")
        shape = made.add_run().add_picture(io.BytesIO(block.png), width=Emu(self.room))
        described = shape._inline.docPr
        described.set("descr", harmless(block.alt))
        made.paragraph_format.keep_with_next = True
        self._caption("figure", block.caption, keep=False)


def _stamped(written: bytes, document: Document) -> bytes:
    """The file with the report's date on each of its parts instead of the clock's."""
    moment = document.moment
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return buffer.getvalue()
