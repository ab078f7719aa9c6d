"""The report as a Word document that an office can edit: every look is a named style.

Written with python-docx and not by pandoc: it gives header rows, alternative text, captions with
their fields and the Chinese face of each style directly, from a package of a quarter of a megabyte
instead of a program of a hundred and fifty, and the same bytes for the same report. An office
changes a style in any report, empties it and hands it over as the reference of the next.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from itertools import chain

import docx
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import nsmap, qn
from docx.oxml.parser import oxml_parser
from docx.shared import Emu, Mm, Pt, RGBColor
from PIL import Image, ImageDraw

from evaluation.base.text import t
from evaluation.report.blocks import (
    Block,
    Cards,
    Figure,
    Heading,
    Items,
    Locks,
    Paragraph,
    Row,
    Section,
    Table,
    Terms,
)
from evaluation.report.depths import BRIEF, KICKER
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
from evaluation.report.pdf import bitmaps

TYPE = 8.0  # size of tables' type in our styles, in points
TAGS = {"zh": "zh-CN", "en": "en-GB"}
PARAGRAPHS = {
    "lead": "Lead", "note": "Note", "subtitle": "Subtitle", "missing": "Missing",
    "simulated": "Warning", "kicker": "Note",
}  # fmt: skip
CHARACTERS = {
    "cite": "Source", "when": "Source", "bodies": "Source", "code": "Source",
    "grade": "Grade", "proxy": "Grade", "flag": "Flag", "strong": "Strong",
}  # fmt: skip
ACCENT, INK, SOFT, WARN, TINT, RULE = "0A5A84", "1E2429", "59636B", "8A4B00", "EEF5F8", "C9D0D4"
BODY = ("Times New Roman", "SimSun")  # Latin face, Chinese face (宋体)
HEAD = ("Arial", "SimHei")  # 黑体
# name: faces, size in points, colour, space before and after in points
STYLES = {
    "Title": (HEAD, 22, ACCENT, 0, 4),
    "Subtitle": (HEAD, 11, SOFT, 0, 8),
    "Heading 1": (HEAD, 16, ACCENT, 20, 6),
    "Heading 2": (HEAD, 12.5, ACCENT, 12, 4),
    "Caption": (HEAD, 9, SOFT, 8, 5),
    "List Bullet": (BODY, 10.5, INK, 0, 3),
    "TOC Heading": (HEAD, 12.5, ACCENT, 12, 4),
    "TOC 1": (BODY, 10.5, INK, 0, 0),
    "Lead": (BODY, 12, INK, 0, 6),
    "Note": (HEAD, 8.5, SOFT, 2, 6),
    "Missing": (BODY, 10, SOFT, 2, 6),
    "Warning": (HEAD, 10.5, WARN, 2, 6),
    "Card": (HEAD, 16, INK, 4, 0),
    "Finding Label": (HEAD, 9.5, ACCENT, 3, 0),
    "Finding": (BODY, 10.5, INK, 0, 6),
    "Locks": (HEAD, 10, INK, 8, 8),
    "Term": (HEAD, 10, ACCENT, 6, 0),
    "Definition": (BODY, 10, INK, 0, 4),
    "Table Text": (HEAD, 8, INK, 1, 1),
    "Header": (HEAD, 8, SOFT, 0, 0),
    "Footer": (HEAD, 8, SOFT, 0, 0),
}
# What is smaller in a brief, which has two pages.
IN_BRIEF = {
    "Title": (HEAD, 16, ACCENT, 0, 3),
    "Heading 1": (HEAD, 12, ACCENT, 8, 3),
    "Lead": (BODY, 11, INK, 0, 4),
    "Caption": (HEAD, 8.5, SOFT, 3, 3),
    "Locks": (HEAD, 9.5, INK, 3, 3),
}
COLOURS = {"Source": SOFT, "Grade": SOFT, "Flag": WARN, "Hyperlink": ACCENT, "Strong": ACCENT}
WORDS, SPACE = {"w": nsmap["w"]}, qn("xml:space")
KEEP = ("Heading 1", "Heading 2", "Card", "Finding Label", "Term", "TOC Heading")


def element(tag: str, /, *children, text: str = "", **attributes: object):
    """An element of the ``w`` namespace with its attributes, children or text."""
    given = {_named(key): str(value) for key, value in attributes.items()}
    made = oxml_parser.makeelement(_named(tag), given, nsmap=WORDS)
    made.extend(children)
    if text:
        made.text = text
        made.set(SPACE, "preserve")
    return made


@cache
def _named(tag: str) -> str:
    return qn(f"w:{tag}")


def ready() -> None:
    """Have what all documents share."""
    for brief in (False, True):
        styles(brief)


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
    ours = styles(document.depth == BRIEF)
    return Writer(document, reference or ours).written()


class Writer:
    """One document in the making: its text is appended to the body of the reference.

    ``type`` is the size of tables' type in points, ``pictured`` the style pictures stand in.
    """

    type, pictured = TYPE, "Normal"

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
        blocks = chain(document.title.blocks, *(section.blocks for section in document.sections))
        svgs = list(dict.fromkeys(svg for block in blocks for svg in _drawn(block)))
        self.bitmaps = dict(zip(svgs, bitmaps(svgs), strict=True))

    def written(self) -> bytes:
        source = self.source
        self.properties()
        self.margins()
        if source.simulated:
            self.add("Warning", nodes(t("page.banner", source.language)))
        kicker = [block for block in source.title.blocks if getattr(block, "style", "") == KICKER]
        for block in kicker:
            self.block(block)
        self.add("Title", nodes(source.title.text))
        for block in source.title.blocks:
            if block not in kicker:
                self.block(block)
        self.sections()
        buffer = io.BytesIO()
        self.file.save(buffer)
        return _stamped(buffer.getvalue(), source)

    def sections(self) -> None:
        for number, section in enumerate(self.source.sections):
            self.section(section, "Heading 1")
            if number == 0 and self.source.listed:
                self.contents()

    def section(self, section: Section, style: str) -> None:
        """A section under its title in a style."""
        made = self.place(self.paragraph(style))
        made.extend(self.bookmark(section.id, nodes(section.title)))
        for block in section.blocks:
            self.block(block)

    # What stands around the text.

    def properties(self) -> None:
        """Title, language and date of the file; no name of a person or a machine."""
        known, source = self.file.core_properties, self.source
        known.title, known.language = source.name, TAGS[source.language]
        known.created = known.modified = source.moment.replace(tzinfo=None)
        known.author = known.last_modified_by = known.comments = ""
        known.keywords = source.title.keywords
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
        """Contents whose page numbers are fields, counted when Word or LibreOffice opens the file.

        A field around the whole would keep LibreOffice from counting.
        """
        self.file.settings.element.append(element("updateFields", val="true"))
        right = element("tab", val="right", leader="dot", pos=round(self.room / 635))
        self.add("TOC Heading", [str(t("page.contents", self.source.language))])
        for section in self.source.sections:
            made = self.place(self.paragraph("TOC 1"))
            made.pPr.append(element("tabs", deepcopy(right)))
            words = self.run(plain(nodes(section.title)))
            name = self.anchors[section.id]
            page = [element("r", element("tab")), *self.field(f"PAGEREF {name} \\h", "…")]
            made.append(element("hyperlink", words, *page, anchor=name))

    # Blocks.

    def block(self, block: Block) -> None:
        match block:
            case Paragraph(text, style):
                self.add(PARAGRAPHS.get(style, "Normal"), nodes(text))
            case Heading(text):
                self.add("Heading 2", nodes(text))
            case Cards(cards):
                self._side_by_side([
                    [self._styled("Card", nodes(number)), self._styled("Note", nodes(text))]
                    for number, text in cards
                ])  # fmt: skip
            case Row(figures):
                self._figures(figures)
            case Items(items, key, labels):
                for place, item in enumerate(items):
                    if labels:
                        self.add("Finding Label", nodes(labels[place]))
                    self.add("Finding" if key else "List Bullet", nodes(item))
            case Locks(count, most, text):
                made = self.file.add_paragraph(style="Locks")
                row = made.add_run().add_picture(io.BytesIO(padlocks(count, most)), height=Pt(12))
                row._inline.docPr.set("descr", plain(nodes(text)))
                made._p.extend(self.runs(["\u2003", *nodes(text)]))
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
        found, _ = columns(head, rows, self.room / 12700 / self.type, block.numeric)
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

    def _figure(self, block: Figure, room: int = 0, svg: str = "") -> None:
        made = self.file.add_paragraph(style=self.pictured)
        shape = made.add_run().add_picture(
            io.BytesIO(self.bitmaps[svg or block.svg]), width=Emu(room * 19 // 20 or self.room)
        )
        shape._inline.docPr.set("descr", harmless(block.alt))
        made.paragraph_format.keep_with_next = True
        self._caption("figure", block.caption, keep=False)

    def _figures(self, figures: Sequence[Figure]) -> None:
        """Figures side by side, each above its caption."""
        cells = []
        for block in figures:
            before = len(self.body)
            self._figure(block, self.room // len(figures), block.narrow)
            cells.append(list(self.body)[before - 1 : len(self.body) - 1])
        self._side_by_side(cells)

    def _side_by_side(self, cells: Sequence[Sequence]) -> None:
        """Paragraphs in the cells of a table without rules."""
        wide = self.room // len(cells)
        made = (element("tc", element("tcPr", _width(wide)), *each) for each in cells)
        grid = element("tblGrid", *(element("gridCol", w=wide // 635) for _ in cells))
        look = element("tblPr", _width(self.room, "tblW"), element("tblLayout", type="fixed"))
        self.place(element("tbl", look, grid, element("tr", *made)))
        self.place(self.paragraph("Table Text"))

    def _styled(self, style: str, part: list[Node]):
        made = self.paragraph(style)
        made.extend(self.runs(part))
        return made

    def _caption(self, kind: str, text: str, keep: bool) -> None:
        self.counts[kind] += 1
        made = self.place(self.paragraph("Caption", keep=keep))
        made.append(self.run(f"{self.source.word(kind)} "))
        made.extend(self.field(f"SEQ {kind.title()} \\* ARABIC", str(self.counts[kind])))
        made.extend([self.run("\u2002"), *self.runs(nodes(text))])

    # Paragraphs.

    def place(self, made):
        """Put a paragraph or a table at the end of the text, before the page's own settings."""
        self.body.insert(len(self.body) - 1, made)
        return made

    def add(self, style: str, part: list[Node]) -> None:
        self.place(self._styled(style, part))

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


def _drawn(block: Block) -> list[str]:
    """The drawings of a block as Word shows them: in a row the narrow ones."""
    if isinstance(block, Row):
        return [figure.narrow for figure in block.figures]
    return [block.svg] if isinstance(block, Figure) else []


def _width(wide: int, tag: str = "tcW"):
    """A width in twentieths of a point; ``wide`` is in English Metric Units."""
    return element(tag, w=wide // 635, type="dxa")


@cache
def padlocks(count: int, most: int) -> bytes:
    """PNG of ``most`` padlocks, the first ``count`` closed: no face is sure to have the signs."""
    image = Image.new("RGB", (most * 52 - 4, 52), "white")
    draw = ImageDraw.Draw(image)
    for place in range(most):
        x, closed = place * 52, place < count
        colour = f"#{ACCENT if closed else SOFT}"
        draw.arc((x + 13, 4, x + 35, 40), 180, 360, colour, 5)
        draw.rounded_rectangle((x + 6, 22, x + 42, 48), 5, colour if closed else "white", colour, 4)
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


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
            small = name.endswith(".png")  # compressed already
            entry.compress_type = zipfile.ZIP_STORED if small else zipfile.ZIP_DEFLATED
            new.writestr(entry, old.read(name))
    return buffer.getvalue()


@cache
def styles(brief: bool = False) -> bytes:
    """An empty document that holds the styles of a report; those of a brief are smaller."""
    document, looks = docx.Document(), STYLES | (IN_BRIEF if brief else {})
    normal = document.styles["Normal"]
    _face(normal, BODY)
    normal.font.size = Pt(10.5)
    normal.paragraph_format.space_after, normal.paragraph_format.line_spacing = Pt(6), 1.25
    for name, look in looks.items():
        paragraph_style(document, name, look)
    for name in ("Finding", "Finding Label"):
        _box(document.styles[name])
    for name, colour in COLOURS.items():
        _style(document, name, WD_STYLE_TYPE.CHARACTER).font.color.rgb = RGBColor.from_string(
            colour
        )
    _table_style(document)
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(21)
    page.top_margin, page.bottom_margin = Mm(24), Mm(22)
    document.core_properties.author = document.core_properties.comments = ""
    for key, relation in list(document.part.package.rels.items()):
        if relation.reltype.endswith("/thumbnail"):  # a picture of another document
            del document.part.package.rels[key]
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _style(document, name: str, kind):
    """The style of a name, made where Word's own template has none."""
    known = name in document.styles
    style = document.styles[name] if known else document.styles.add_style(name, kind)
    style.hidden, style.quick_style = False, True
    return style


def _face(style, faces: tuple[str, str]) -> None:
    """Set the Latin and the Chinese face of a style, and none by theme."""
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for name in list(fonts.attrib):
        del fonts.attrib[name]
    latin, chinese = faces
    for script, name in (("ascii", latin), ("hAnsi", latin), ("cs", latin), ("eastAsia", chinese)):
        fonts.set(qn(f"w:{script}"), name)


def paragraph_style(document, name: str, look: tuple):
    """A style of its faces, size, colour and space before and after, in points."""
    faces, points, colour, before, after = look
    style = _style(document, name, WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = document.styles["Normal"]
    _face(style, faces)
    style.font.size, style.font.color.rgb = Pt(points), RGBColor.from_string(colour)
    style.font.bold = name in ("Title", *KEEP)
    style.font.italic = False
    for spacing in style.element.rPr.findall(qn("w:spacing")):
        style.element.rPr.remove(spacing)
    form = style.paragraph_format
    form.space_before, form.space_after = Pt(before), Pt(after)
    form.keep_with_next = name in KEEP
    for border in style.element.pPr.findall(qn("w:pBdr")):
        style.element.pPr.remove(border)
    return style


def _box(style) -> None:
    """A tinted block with a rule at its left, for the key findings."""
    spacing = style.element.get_or_add_pPr().find(qn("w:spacing"))
    rule = element("left", val="single", sz=24, space=8, color=ACCENT)
    spacing.addprevious(element("pBdr", rule))
    spacing.addprevious(element("shd", val="clear", color="auto", fill=TINT))


def _table_style(document) -> None:
    """Horizontal rules only; the head row in its own colour, repeated on every page."""
    style = _style(document, "Report Table", WD_STYLE_TYPE.TABLE)
    style.base_style = document.styles["Normal Table"]
    rules = (("top", SOFT), ("bottom", SOFT), ("insideH", RULE))
    lines = (element(side, val="single", sz=4, space=0, color=colour) for side, colour in rules)
    margins = (element(side, w=60, type="dxa") for side in ("left", "right"))
    first = element("rPr", element("b"), element("color", val=SOFT))
    style.element.append(
        element("tblPr", element("tblBorders", *lines), element("tblCellMar", *margins))
    )
    style.element.append(element("tblStylePr", first, type="firstRow"))
