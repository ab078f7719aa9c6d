"""A report as a Word file, and the template it takes its styles from."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import docx
from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Emu, Mm, Pt, RGBColor

from evaluation.base.text import t
from evaluation.report import document as widths
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
from evaluation.report.document import (
    BADGES,
    TAGS,
    ExportError,
    Node,
    anchors,
    harmless,
    nodes,
    plain,
)
from evaluation.report.document import Document as document_Document

# ------------------------------------------------------------------------------------------
# Write reference.docx, the styles of a Word report: run it again after a change here.


ACCENT, INK, SOFT, WARN, TINT, RULE = "0A5A84", "1E2429", "59636B", "8A4B00", "EEF5F8", "C9D0D4"
BODY = ("Times New Roman", "SimSun")  # Latin face, Chinese face (宋体)
HEAD = ("Arial", "SimHei")  # 黑体
# name: based on, faces, size in points, colour, space before and after in points
PARAGRAPHS = {
    "Title": ("Normal", HEAD, 22, ACCENT, 0, 4),
    "Subtitle": ("Normal", HEAD, 11, SOFT, 0, 8),
    "Heading 1": ("Normal", HEAD, 16, ACCENT, 20, 6),
    "Heading 2": ("Normal", HEAD, 12.5, ACCENT, 12, 4),
    "Caption": ("Normal", HEAD, 9, SOFT, 8, 5),
    "List Bullet": ("Normal", BODY, 10.5, INK, 0, 3),
    "TOC Heading": ("Normal", HEAD, 12.5, ACCENT, 12, 4),
    "TOC 1": ("Normal", BODY, 10.5, INK, 0, 0),
    "Lead": ("Normal", BODY, 12, INK, 0, 6),
    "Note": ("Normal", HEAD, 8.5, SOFT, 2, 6),
    "Missing": ("Normal", BODY, 10, SOFT, 2, 6),
    "Warning": ("Normal", HEAD, 10.5, WARN, 2, 6),
    "Finding Label": ("Normal", HEAD, 9.5, ACCENT, 3, 0),
    "Finding": ("Normal", BODY, 10.5, INK, 0, 6),
    "Locks": ("Normal", HEAD, 10, INK, 8, 8),
    "Term": ("Normal", HEAD, 10, ACCENT, 6, 0),
    "Definition": ("Normal", BODY, 10, INK, 0, 4),
    "Table Text": ("Normal", HEAD, 8, INK, 1, 1),
    "Header": ("Normal", HEAD, 8, SOFT, 0, 0),
    "Footer": ("Normal", HEAD, 8, SOFT, 0, 0),
}
CHARACTERS = {"Source": SOFT, "Grade": SOFT, "Flag": WARN, "Hyperlink": ACCENT, "Strong": ACCENT}
KEEP = ("Heading 1", "Heading 2", "Finding Label", "Term", "TOC Heading")


def face(style, faces: tuple[str, str]) -> None:
    """Set the Latin and the Chinese face of a style, and none by theme."""
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    latin, chinese = faces
    for script, name in (("ascii", latin), ("hAnsi", latin), ("cs", latin), ("eastAsia", chinese)):
        fonts.set(qn(f"w:{script}"), name)


def paragraph_style(document, name: str) -> None:
    parent, faces, points, colour, before, after = PARAGRAPHS[name]
    known = [style.name for style in document.styles]
    style = document.styles[name] if name in known else None
    style = style or document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = document.styles[parent]
    style.hidden, style.quick_style = False, True
    face(style, faces)
    style.font.size, style.font.color.rgb = Pt(points), RGBColor.from_string(colour)
    style.font.bold = name.startswith(("Heading", "Title", "Finding Label", "Term", "TOC Heading"))
    style.font.italic = False
    for spacing in style.element.rPr.findall(qn("w:spacing")):
        style.element.rPr.remove(spacing)
    form = style.paragraph_format
    form.space_before, form.space_after = Pt(before), Pt(after)
    form.keep_with_next = name in KEEP
    if name in ("Title", "Heading 1", "Heading 2"):
        for border in style.element.pPr.findall(qn("w:pBdr")):
            style.element.pPr.remove(border)


def boxed(style) -> None:
    """A tinted block with a rule at its left, for the key findings."""
    properties = style.element.get_or_add_pPr()
    border = OxmlElement("w:pBdr")
    left = OxmlElement("w:left")
    for key, value in (("val", "single"), ("sz", "24"), ("space", "8"), ("color", ACCENT)):
        left.set(qn(f"w:{key}"), value)
    border.append(left)
    shade = OxmlElement("w:shd")
    for key, value in (("val", "clear"), ("color", "auto"), ("fill", TINT)):
        shade.set(qn(f"w:{key}"), value)
    spacing = properties.find(qn("w:spacing"))
    spacing.addprevious(border)
    spacing.addprevious(shade)


def table_style(document) -> None:
    """Horizontal rules only; the head row in its own colour, repeated on every page."""
    style = document.styles.add_style("Report Table", WD_STYLE_TYPE.TABLE)
    style.base_style = document.styles["Normal Table"]
    style.hidden, style.quick_style = False, True
    properties = OxmlElement("w:tblPr")
    borders = OxmlElement("w:tblBorders")
    for side, colour in (("top", SOFT), ("bottom", SOFT), ("insideH", RULE)):
        line = OxmlElement(f"w:{side}")
        for key, value in (("val", "single"), ("sz", "4"), ("space", "0"), ("color", colour)):
            line.set(qn(f"w:{key}"), value)
        borders.append(line)
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), "60")
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    properties.extend([borders, margins])
    style.element.append(properties)
    first = OxmlElement("w:tblStylePr")
    first.set(qn("w:type"), "firstRow")
    letters = OxmlElement("w:rPr")
    bold, colour = OxmlElement("w:b"), OxmlElement("w:color")
    colour.set(qn("w:val"), SOFT)
    letters.extend([bold, colour])
    first.append(letters)
    style.element.append(first)


def main() -> None:
    document = Document()
    for paragraph in list(document.paragraphs):
        paragraph._element.getparent().remove(paragraph._element)
    normal = document.styles["Normal"]
    face(normal, BODY)
    normal.font.size = Pt(10.5)
    normal.paragraph_format.space_after, normal.paragraph_format.line_spacing = Pt(6), 1.25
    for name in PARAGRAPHS:
        paragraph_style(document, name)
    for name in ("Finding", "Finding Label"):
        boxed(document.styles[name])
    for name, colour in CHARACTERS.items():
        known = [style.name for style in document.styles]
        style = document.styles[name] if name in known else None
        style = style or document.styles.add_style(name, WD_STYLE_TYPE.CHARACTER)
        style.font.color.rgb = RGBColor.from_string(colour)
        style.hidden, style.quick_style = False, True
    table_style(document)
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(21)
    page.top_margin, page.bottom_margin = Mm(24), Mm(22)
    document.core_properties.author = document.core_properties.comments = ""
    for key, relation in list(document.part.package.rels.items()):
        if relation.reltype.endswith("/thumbnail"):  # a picture of another document
            del document.part.package.rels[key]
    document.save(Path(__file__).with_name("reference.docx"))


# ------------------------------------------------------------------------------------------
# Pieces of WordprocessingML: runs, links, bookmarks, captions and tables, all by named style.


STYLES = {
    "cite": "Source", "when": "Source", "bodies": "Source", "code": "Source",
    "grade": "Grade", "proxy": "Grade", "flag": "Flag", "strong": "Strong",
}  # fmt: skip


def element(tag: str, /, **attributes: object):
    """An element of the ``w`` namespace with its attributes."""
    made = OxmlElement(f"w:{tag}")
    for key, value in attributes.items():
        made.set(qn(f"w:{key}"), str(value))
    return made


class Ink:
    """Writes running text into paragraphs: languages, styles, links and bookmarks.

    Parameters
    ----------
    part : part of the document that holds the relationships of links.
    styles : identifiers of character styles by name.
    chinese : whether marks shared by both scripts take the Chinese face.
    anchors : names of bookmarks by the identifiers the report uses.
    """

    def __init__(self, part, styles: Mapping[str, str], chinese: bool, anchors: Mapping[str, str]):
        self._part, self._styles, self._anchors = part, styles, anchors
        self._chinese = chinese
        self._marks = 0

    def write(self, parent, part: Sequence[Node], style: str = "") -> None:
        """Append nodes to a paragraph or a link."""
        for node in part:
            if isinstance(node, str):
                parent.append(self.run(node, style))
            elif node["k"] == "br":
                run = element("r")
                run.append(element("br"))
                parent.append(run)
            else:
                self._node(parent, node, style)

    def _node(self, parent, node: dict[str, Any], style: str) -> None:
        kind = node["k"]
        if kind == "anchor":
            self.bookmark(parent, node["id"], lambda: self.write(parent, node["c"], style))
        elif kind in ("ref", "link"):
            inner = style or "Hyperlink"
            link = self._link(node)
            self.write(parent if link is None else link, node["c"], inner)
            if link is not None:
                parent.append(link)
        else:
            inner = STYLES.get(kind, style)
            framed = ["[", *node["c"], "]"] if kind in BADGES else node["c"]
            self.write(parent, framed, "Hyperlink" if style == "Hyperlink" else inner)

    def _link(self, node: dict[str, Any]):
        if node["k"] == "link":
            key = self._part.relate_to(node["url"], RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
            link = OxmlElement("w:hyperlink")
            link.set(qn("r:id"), key)
            return link
        name = self._anchors.get(node["to"])
        return None if name is None else element("hyperlink", anchor=name)

    def bookmark(self, parent, identifier: str, content) -> None:
        """Mark what ``content`` writes as a place that references lead to."""
        self._marks += 1
        name = self._anchors[identifier]
        parent.append(element("bookmarkStart", id=self._marks, name=name))
        content()
        parent.append(element("bookmarkEnd", id=self._marks))

    def run(self, text: str, style: str = ""):
        """A run of text in a character style."""
        run = element("r")
        properties = element("rPr")
        if style:
            properties.append(element("rStyle", val=self._styles[style]))
        if self._chinese:
            properties.append(element("rFonts", hint="eastAsia"))
        if len(properties):
            run.append(properties)
        words = element("t")
        words.text = text
        words.set(qn("xml:space"), "preserve")
        run.append(words)
        return run

    def field(self, parent, instruction: str, shown: str) -> None:
        """A field with the result it had when the document was written."""
        self.begin(parent, instruction)
        parent.append(self.run(shown))
        self.end(parent)

    def begin(self, parent, instruction: str) -> None:
        """Open a field whose result follows, in this paragraph or over several."""
        for kind in ("begin", None, "separate"):
            run = element("r")
            if kind:
                run.append(element("fldChar", fldCharType=kind))
            else:
                code = element("instrText")
                code.text = f" {instruction} "
                code.set(qn("xml:space"), "preserve")
                run.append(code)
            parent.append(run)

    def end(self, parent) -> None:
        """Close the field last opened."""
        end = element("r")
        end.append(element("fldChar", fldCharType="end"))
        parent.append(end)


def paragraph(style: str, align: str = "", keep: bool = False):
    """An empty paragraph of a style."""
    made = element("p")
    properties = element("pPr")
    properties.append(element("pStyle", val=style))
    if keep:
        properties.append(element("keepNext"))
    if align:
        properties.append(element("jc", val=align))
    made.append(properties)
    return made


def table(
    ink: Ink,
    style: str,
    text_style: str,
    cells: Sequence[Sequence[Sequence[Node]]],
    widths: Sequence[float],
    numeric: frozenset[int],
    caption: str,
):
    """A table whose first row is repeated on every page.

    Parameters
    ----------
    cells : rows of nodes, the head first.
    widths : of the columns, in twentieths of a point.
    """
    made = element("tbl")
    properties = element("tblPr")
    properties.append(element("tblStyle", val=style))
    properties.append(element("tblW", w=round(sum(widths)), type="dxa"))
    properties.append(element("tblLayout", type="fixed"))
    properties.append(
        element("tblLook", val="0020", firstRow=1, lastRow=0, firstColumn=0, lastColumn=0,
                noHBand=1, noVBand=1)
    )  # fmt: skip
    properties.append(element("tblCaption", val=caption))
    made.append(properties)
    grid = element("tblGrid")
    grid.extend([element("gridCol", w=round(width)) for width in widths])
    made.append(grid)
    for number, row in enumerate(cells):
        line = element("tr")
        rules = element("trPr")
        rules.append(element("cantSplit"))
        if number == 0:
            rules.append(element("tblHeader"))
        line.append(rules)
        for place, part in enumerate(row):
            box = element("tc")
            size = element("tcPr")
            size.append(element("tcW", w=round(widths[place]), type="dxa"))
            box.append(size)
            words = paragraph(text_style, "right" if place in numeric else "")
            ink.write(words, part)
            box.append(words)
            line.append(box)
        made.append(line)
    return made


# ------------------------------------------------------------------------------------------
# What stands around the text of a Word report: properties, running head and foot, contents.


class Styles(dict):
    """Styles of the reference by name; a missing one is named."""

    def __missing__(self, name: str) -> str:
        raise ExportError(
            f"the reference document has no style '{name}' — keep the styles of reference.docx"
        )


def properties(file, source: document_Document) -> None:
    """Title, language and date of the file; no name of a person or a machine."""
    known = file.core_properties
    known.title, known.language = source.name, TAGS[source.language]
    known.created = known.modified = source.moment.replace(tzinfo=None)
    known.author = known.last_modified_by = known.comments = ""
    known.keywords = str(t("page.keywords", source.language))
    for tag in file.styles.element.find(qn("w:docDefaults")).iter(qn("w:lang")):
        tag.set(qn("w:val"), TAGS["en"])
        tag.set(qn("w:eastAsia"), TAGS["zh"])


def margins(file, source: document_Document, ink: Ink) -> None:
    """Running head with the title, foot with date and page number."""
    section = file.sections[0]
    dated = t("page.dated", source.language, date=f"{source.moment:%Y-%m-%d}")
    head, foot = section.header.paragraphs[0], section.footer.paragraphs[0]
    head._p.append(ink.run(source.name))
    foot._p.append(ink.run(f"{dated}\u2003"))
    ink.field(foot._p, "PAGE", "1")
    foot._p.append(ink.run(" / "))
    ink.field(foot._p, "NUMPAGES", "1")


def contents(
    source: document_Document, ink: Ink, anchors: Mapping[str, str], styles: Mapping[str, str]
) -> Iterator:
    """Contents as a field: an office renews it with F9, and it is readable before."""
    head = paragraph(styles["TOC Heading"])
    head.append(ink.run(str(t("page.contents", source.language))))
    yield head
    last = len(source.sections) - 1
    for number, section in enumerate(source.sections):
        made = paragraph(styles["TOC 1"])
        if number == 0:
            ink.begin(made, 'TOC \\o "1-2" \\h \\z \\u')
        link = element("hyperlink", anchor=anchors[section.id])
        link.append(ink.run(plain(nodes(section.title))))
        made.append(link)
        if number == last:
            ink.end(made)
        yield made


# ------------------------------------------------------------------------------------------
# The report as a Word document that an office can edit: every look is a named style.


TYPE = 8.0  # size of tables' type in the reference document, in points
LOCK, OPEN = "●", "○"
KINDS = {
    "lead": "Lead", "note": "Note", "subtitle": "Subtitle", "missing": "Missing",
    "simulated": "Warning",
}  # fmt: skip


def to_docx(document: document_Document, reference: bytes | None = None) -> bytes:
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
        reference = (files("evaluation.report") / "templates" / "reference.docx").read_bytes()
    return _stamped(_Writer(document, reference).written(), document)


class _Writer:
    """One document in the making."""

    def __init__(self, document: document_Document, reference: bytes):
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


def _stamped(written: bytes, document: document_Document) -> bytes:
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


if __name__ == "__main__":
    main()
