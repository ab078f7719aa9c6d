"""The report as a Word document that an office can edit: every look is a named style.

Written with python-docx and not by pandoc: it gives header rows, alternative text, captions with
their fields and the Chinese face of each style directly, from a package of a quarter of a megabyte
instead of a program of a hundred and fifty, and the same bytes for the same report.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.shared import Emu

from evaluation.base.text import t
from evaluation.report.blocks import Block, Figure, Heading, Items, Locks, Paragraph, Table, Terms
from evaluation.report.document import (
    BADGES,
    Document,
    ExportError,
    Node,
    columns,
    harmless,
    nodes,
    plain,
    printed,
)
from evaluation.report.word_styles import element, styles

TYPE = 8.0  # size of tables' type in the styles of ours, in points
LOCK, OPEN = "●", "○"
TAGS = {"zh": "zh-CN", "en": "en-GB"}
PARAGRAPHS = {
    "lead": "Lead", "note": "Note", "subtitle": "Subtitle", "missing": "Missing",
    "simulated": "Warning",
}  # fmt: skip
CHARACTERS = {
    "cite": "Source", "when": "Source", "bodies": "Source", "code": "Source",
    "grade": "Grade", "proxy": "Grade", "flag": "Flag", "strong": "Strong",
}  # fmt: skip


class Styles(dict):
    """Styles of the reference by name; a missing one is named."""

    def __missing__(self, name: str) -> str:
        raise ExportError(
            f"the reference document has no style '{name}' — keep the styles of a Word report"
        )


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
    return _stamped(_Writer(document, reference or styles()).written(), document)


class _Writer:
    """One document in the making: its text is appended to the body of the reference."""

    def __init__(self, document: Document, reference: bytes):
        self.source = document
        self.file = docx.Document(io.BytesIO(reference))
        self.styles = Styles({style.name: style.style_id for style in self.file.styles})
        self.body = self.file.element.body
        page = self.file.sections[0]
        self.room = page.page_width - page.left_margin - page.right_margin
        self.counts = {"figure": 0, "table": 0}
        self.anchors = {name: f"_kepu{i}" for i, name in enumerate(document.anchors)}
        self.marks = 0

    def written(self) -> bytes:
        source = self.source
        self.properties()
        self.margins()
        if source.simulated:
            self.add("Warning", nodes(t("page.banner", source.language)))
        self.add("Title", nodes(source.title.text))
        for block in source.title.blocks:
            self.block(block)
        for number, section in enumerate(source.sections):
            made = self.place(self.paragraph("Heading 1"))
            made.extend(self.bookmark(section.id, nodes(section.title)))
            for block in section.blocks:
                self.block(block)
            if number == 0:
                self.contents()
        buffer = io.BytesIO()
        self.file.save(buffer)
        return buffer.getvalue()

    # What stands around the text.

    def properties(self) -> None:
        """Title, language and date of the file; no name of a person or a machine."""
        known, source = self.file.core_properties, self.source
        known.title, known.language = source.name, TAGS[source.language]
        known.created = known.modified = source.moment.replace(tzinfo=None)
        known.author = known.last_modified_by = known.comments = ""
        known.keywords = str(t("page.keywords", source.language))
        for tag in self.file.styles.element.find(qn("w:docDefaults")).iter(qn("w:lang")):
            tag.set(qn("w:val"), TAGS["en"])
            tag.set(qn("w:eastAsia"), TAGS["zh"])

    def margins(self) -> None:
        """Running head with the title, foot with date and page number."""
        section, source = self.file.sections[0], self.source
        dated = t("page.dated", source.language, date=f"{source.moment:%Y-%m-%d}")
        head, foot = section.header.paragraphs[0], section.footer.paragraphs[0]
        head._p.append(self.run(source.name))
        foot._p.extend([self.run(f"{dated}\u2003"), *self.field("PAGE", "1")])
        foot._p.extend([self.run(" / "), *self.field("NUMPAGES", "1")])

    def contents(self) -> None:
        """Contents as a field: an office renews it with F9, and it is readable before."""
        self.add("TOC Heading", [str(t("page.contents", self.source.language))])
        begin, end = _field('TOC \\o "1-2" \\h \\z \\u')
        *_, last = sections = self.source.sections
        for section in sections:
            made = self.place(self.paragraph("TOC 1"))
            made.extend(begin if section is sections[0] else [])
            words = self.run(plain(nodes(section.title)))
            made.append(element("hyperlink", words, anchor=self.anchors[section.id]))
            made.extend(end if section is last else [])

    # Blocks.

    def block(self, block: Block) -> None:
        match block:
            case Paragraph(text, style):
                self.add(PARAGRAPHS.get(style, "Normal"), nodes(text))
            case Heading(text):
                self.add("Heading 2", nodes(text))
            case Items(items, key, labels):
                for place, item in enumerate(items):
                    if labels:
                        self.add("Finding Label", nodes(labels[place]))
                    self.add("Finding" if key else "List Bullet", nodes(item))
            case Locks(count, most, text):
                row = LOCK * count + OPEN * (most - count)
                self.add("Locks", [{"k": "strong", "c": [row]}, "\u3000", *nodes(text)])
            case Terms(terms):
                for term, meaning in terms:
                    self.add("Term", nodes(term))
                    self.add("Definition", nodes(meaning))
            case Table():
                self._table(block)
            case Figure():
                self._figure(block)
            case _:
                kind = type(block).__name__.lower()
                raise ExportError(f"Word shows no block of kind '{kind}'")

    def _table(self, block: Table) -> None:
        self._caption("table", block.caption, keep=True)
        cells = [[nodes(cell) for cell in row] for row in (block.columns, *block.rows)]
        head, *rows = [[printed(cell) for cell in row] for row in cells]
        found, _ = columns(head, rows, self.room / 12700 / TYPE, block.numeric)
        share = self.room / 635 / sum(found)  # 635 English Metric Units are a twentieth of a point
        widths = [width * share for width in found]
        lines = [self._row(row, widths, block, first=row is cells[0]) for row in cells]
        look = {"firstRow": 1, "lastRow": 0, "firstColumn": 0, "lastColumn": 0}
        properties = element(
            "tblPr",
            element("tblStyle", val=self.styles["Report Table"]),
            element("tblW", w=round(sum(widths)), type="dxa"),
            element("tblLayout", type="fixed"),
            element("tblLook", val="0020", **look, noHBand=1, noVBand=1),
            element("tblCaption", val=plain(nodes(block.caption))),
        )
        grid = element("tblGrid", *(element("gridCol", w=round(width)) for width in widths))
        self.place(element("tbl", properties, grid, *lines))
        self.place(self.paragraph("Table Text"))  # two tables must not grow together

    def _row(self, row: Sequence[list[Node]], widths: Sequence[float], block: Table, first: bool):
        """A row that is not broken over pages; the first is repeated on each."""
        line = element("tr", element("trPr", element("cantSplit")))
        if first:
            line[0].append(element("tblHeader"))
        for place, part in enumerate(row):
            words = self.paragraph("Table Text", "right" if place in block.numeric else "")
            words.extend(self.runs(part))
            size = element("tcPr", element("tcW", w=round(widths[place]), type="dxa"))
            line.append(element("tc", size, words))
        return line

    def _figure(self, block: Figure) -> None:
        made = self.file.add_paragraph(style="Normal")
        shape = made.add_run().add_picture(io.BytesIO(block.png), width=Emu(self.room))
        shape._inline.docPr.set("descr", harmless(block.alt))
        made.paragraph_format.keep_with_next = True
        self._caption("figure", block.caption, keep=False)

    def _caption(self, kind: str, text: str, keep: bool) -> None:
        self.counts[kind] += 1
        made = self.place(self.paragraph("Caption", keep=keep))
        made.append(self.run(f"{t(f'page.{kind}', self.source.language)} "))
        made.extend(self.field(f"SEQ {kind.title()} \\* ARABIC", str(self.counts[kind])))
        made.extend([self.run("\u2002"), *self.runs(nodes(text))])

    # Paragraphs.

    def place(self, made):
        """Put a paragraph or a table at the end of the text, before the page's own settings."""
        self.body.insert(len(self.body) - 1, made)
        return made

    def add(self, style: str, part: list[Node]) -> None:
        self.place(self.paragraph(style)).extend(self.runs(part))

    def paragraph(self, style: str, align: str = "", keep: bool = False):
        """An empty paragraph of a style."""
        made = element("pPr", element("pStyle", val=self.styles[style]))
        made.extend([element("keepNext")] * keep)
        made.extend([element("jc", val=align)] if align else [])
        return element("p", made)

    # Running text.

    def runs(self, part: Sequence[Node], style: str = "") -> Iterator:
        """Nodes as runs, links and bookmarks."""
        for node in part:
            if isinstance(node, str):
                yield self.run(node, style)
            elif node["k"] == "br":
                yield element("r", element("br"))
            elif node["k"] == "anchor":
                yield from self.bookmark(node["id"], node["c"], style)
            elif node["k"] in ("ref", "link"):
                yield from self.link(node, list(self.runs(node["c"], style or "Hyperlink")))
            else:
                inner = CHARACTERS.get(node["k"], style)
                framed = ["[", *node["c"], "]"] if node["k"] in BADGES else node["c"]
                yield from self.runs(framed, "Hyperlink" if style == "Hyperlink" else inner)

    def link(self, node: dict, inner: list) -> list:
        """A link, or its words alone where it would lead nowhere."""
        if node["k"] == "ref":
            name = self.anchors.get(node["to"])
            return inner if name is None else [element("hyperlink", *inner, anchor=name)]
        made = element("hyperlink", *inner)
        part, outside = self.file.part, RELATIONSHIP_TYPE.HYPERLINK
        made.set(qn("r:id"), part.relate_to(node["url"], outside, is_external=True))
        return [made]

    def bookmark(self, identifier: str, part: Sequence[Node], style: str = "") -> Iterator:
        """Running text as a place that references lead to."""
        self.marks += 1
        number = self.marks
        yield element("bookmarkStart", id=number, name=self.anchors[identifier])
        yield from self.runs(part, style)
        yield element("bookmarkEnd", id=number)

    def run(self, text: str, style: str = ""):
        """Text in a character style; marks shared by both scripts take the Chinese face in zh."""
        look = [element("rStyle", val=self.styles[style])] if style else []
        look += [element("rFonts", hint="eastAsia")] if self.source.language == "zh" else []
        return element("r", *([element("rPr", *look)] if look else []), element("t", text=text))

    def field(self, instruction: str, shown: str) -> list:
        """A field with the result it had when the document was written."""
        begin, end = _field(instruction)
        return [*begin, self.run(shown), *end]


def _field(instruction: str) -> tuple[list, list]:
    """Runs that open a field, whose result follows, and those that close it."""
    begin, separate, end = (
        element("r", element("fldChar", fldCharType=kind)) for kind in ("begin", "separate", "end")
    )
    code = element("r", element("instrText", text=f" {instruction} "))
    return [begin, code, separate], [end]


def _stamped(written: bytes, document: Document) -> bytes:
    """The file with the report's date on each of its parts instead of the clock's."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(written)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            entry = zipfile.ZipInfo(name, document.moment.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return buffer.getvalue()
