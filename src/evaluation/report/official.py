"""The report as a Chinese office files it: page, type and numbering of GB/T 9704-2012 in Word.

Blocks are written as in any Word report (:mod:`evaluation.report.word`); only what the standard
rules is set here. A page has 22 lines of 28 characters: lines of 28.95 points, and 三号 (16 points)
drawn together by a quarter of a point. That is set in the type and not as a grid of characters, of
which LibreOffice gives each of 16 points two cells. Faces are those of an office's machine;
the table of fonts names for each what stands in where it is missing.

Source: GB/T 9704-2012, 党政机关公文格式, sections 5 to 7.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH as ALIGN
from docx.enum.text import WD_LINE_SPACING
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from lxml import etree

from evaluation.base.text import t
from evaluation.report.blocks import Block, Cards, Heading, Items, Locks, Section
from evaluation.report.document import Document, nodes
from evaluation.report.word import Writer, element, paragraph_style
from evaluation.report.word import styles as ours

LINE, SIZE, DRAWN = 28.95, 16.0, -0.25  # pitch of lines, 三号, space between its letters; points
BLACK = "000000"
LATIN = "Times New Roman"
SONG, BLOCK, KAI, FANG = "方正小标宋简体", "黑体", "楷体_GB2312", "仿宋_GB2312"
# Where a machine lacks a face: the one that stands in, and the class Word looks for (panose).
FALLBACK = {
    SONG: ("华文中宋", "02010600030101010101", "auto"),
    BLOCK: ("SimHei", "02010609060101010101", "modern"),
    KAI: ("楷体", "02010609060101010101", "modern"),
    FANG: ("仿宋", "02010609060101010101", "modern"),
}
LEFT, MIDDLE, RIGHT, FULL = ALIGN.LEFT, ALIGN.CENTER, ALIGN.RIGHT, ALIGN.JUSTIFY
# name: Chinese face, size, alignment, characters of first-line indent, whether it keeps the pitch
LOOKS = {
    "Title": (SONG, 22, MIDDLE, 0, False),
    "Subtitle": (KAI, SIZE, MIDDLE, 0, True),
    "Heading 1": (BLOCK, SIZE, FULL, 2, True),
    "Heading 2": (KAI, SIZE, FULL, 2, True),
    "Numbered": (FANG, SIZE, FULL, 2, True),
    "Numbered 2": (FANG, SIZE, FULL, 2, True),
    "Warning": (BLOCK, SIZE, FULL, 2, True),
    "Lead": (FANG, SIZE, FULL, 2, True),
    "Missing": (FANG, SIZE, FULL, 2, True),
    "Attachment": (BLOCK, SIZE, LEFT, 0, True),
    "Listed": (FANG, SIZE, LEFT, 0, True),
    "Dated": (FANG, SIZE, RIGHT, 0, True),
    "Note": (FANG, 12, FULL, 2, False),
    "Term": (BLOCK, 12, LEFT, 0, False),
    "Definition": (FANG, 12, FULL, 0, False),
    "Caption": (BLOCK, 12, MIDDLE, 0, False),
    "Picture": (FANG, 12, MIDDLE, 0, False),
    "Table Text": (FANG, 9, LEFT, 0, False),
    "Footer": ("宋体", 14, LEFT, 0, False),
}
KEPT = ("Heading 1", "Heading 2", "Caption", "Attachment", "Term", "Picture")
LEVELS = (  # a style, how its numbers are written, what stands around them
    ("Heading 1", "chineseCountingThousand", "%1、"),
    ("Heading 2", "chineseCountingThousand", "（%2）"),
    ("Numbered", "decimal", "%3．"),
    ("Numbered 2", "decimal", "（%4）"),  # no block goes so deep; an office that writes on may
)
HEADS, SUBHEADS, ITEMS, _ = range(len(LEVELS))
NUMBERING = 90  # above any number of python-docx's template


def to_official(document: Document, attached: int) -> bytes:
    """Write a report in the layout of an official document; the same report, the same bytes.

    Parameters
    ----------
    document : body and attachments, see :func:`evaluation.report.depths.official`.
    attached : how many sections at its end are attachments.
    """
    return Official(document, attached).written()


class Official(Writer):
    """An official document in the making."""

    type, pictured = 9.0, "Picture"

    def __init__(self, document: Document, attached: int):
        super().__init__(document, styles())
        self.attached = attached
        self.heads = NUMBERING  # the numbering in which headings count
        self.top = HEADS  # the level of a heading inside a section

    def margins(self) -> None:
        """— 1 — at the outer edge, one character from it."""
        section = self.file.sections[0]
        for foot, side in ((section.footer, RIGHT), (section.even_page_footer, LEFT)):
            line = foot.paragraphs[0]
            line.style, line.alignment = self.file.styles["Footer"], side
            line.paragraph_format.left_indent = line.paragraph_format.right_indent = Pt(14)
            line._p.extend([self.run("— "), *self.field("PAGE", "1"), self.run(" —")])

    def sections(self) -> None:
        body = len(self.source.sections) - self.attached
        self.top = SUBHEADS
        for section in self.source.sections[:body]:
            self.section(section, "Heading 1")
        attachments = self.source.sections[body:]
        self.signed(attachments)
        self.top = HEADS
        for number, section in enumerate(attachments, 1):
            self.opened(number)
            self.heads = self.count(HEADS)
            self.section(section, "Title")

    def signed(self, attachments: Sequence[Section]) -> None:
        """What is attached, two characters in; the date, four from the right."""
        self.blank()
        for number, section in enumerate(attachments, 1):
            said = t("official.list", "zh") if number == 1 else "\u3000" * 3
            self.add("Listed", [f"\u3000\u3000{said}{number}．", *nodes(section.title)])
        moment = self.source.moment
        told = {"year": moment.year, "month": moment.month, "day": moment.day}
        self.blank()
        self.add("Dated", [f"{t('official.date', 'zh', **told)}" + "\u3000" * 4])

    def opened(self, number: int) -> None:
        """The head of an attachment at the top of a page; its title stands in the third line."""
        made = self.place(self.paragraph("Attachment"))
        made.pPr.append(element("pageBreakBefore"))
        made.append(self.run(str(t("depth.annex", "zh", number=number))))
        self.blank()

    def blank(self) -> None:
        self.place(self.paragraph("Listed"))

    def block(self, block: Block) -> None:
        """What the standard sets in another way; all else as in any Word report."""
        match block:
            case Heading(text):
                name = LEVELS[self.top][0]
                made = self.place(self.numbered(name, self.heads, self.top))
                made.extend(self.runs(nodes(text)))
            case Items(items, _, labels):
                count = self.count(ITEMS)
                for place, item in enumerate(items):
                    label = [{"k": "strong", "c": nodes(labels[place])}] if labels else []
                    made = self.place(self.numbered("Numbered", count, ITEMS))
                    made.extend(self.runs([*label, *["\u3000"] * len(label), *nodes(item)]))
            case Cards(cards):
                count = self.count(ITEMS)
                for number, text in cards:
                    told = [{"k": "strong", "c": nodes(number)}, "：", *nodes(text)]
                    made = self.place(self.numbered("Numbered", count, ITEMS))
                    made.extend(self.runs(told))
            case Locks(text=text):
                self.add("Normal", nodes(text))
            case _:
                super().block(block)

    def numbered(self, style: str, count: int, level: int):
        """An empty paragraph that counts in a numbering."""
        made = self.paragraph(style)
        made.pPr.append(element("numPr", element("ilvl", val=level), element("numId", val=count)))
        return made

    def count(self, level: int) -> int:
        """A numbering that begins anew at a level."""
        numbering = self.file.part.numbering_part.element
        number = 1 + max(int(num.get(qn("w:numId"))) for num in numbering.findall(qn("w:num")))
        start = element("lvlOverride", element("startOverride", val=1), ilvl=level)
        numbering.append(
            element("num", element("abstractNumId", val=NUMBERING), start, numId=number)
        )
        return number


@cache
def styles() -> bytes:
    """An empty document with the page, grid, styles, numbering and faces of the standard."""
    document = docx.Document(io.BytesIO(ours()))
    normal = document.styles["Normal"]
    paragraph_style(document, "Normal", ((LATIN, FANG), SIZE, BLACK, 0, 0))
    _set(normal, FULL, 2, pitch=True)
    for name, (face, size, *look) in LOOKS.items():
        space = {"Title": (0, LINE), "Caption": (6, 6), "Note": (3, 6)}.get(name, (0, 0))
        style = paragraph_style(document, name, ((LATIN, face), size, BLACK, *space))
        style.font.bold = False
        style.paragraph_format.keep_with_next = name in KEPT
        _set(style, *look)
    for style in document.styles:
        if style.type == 2 and style.font.color.rgb is not None:  # links and marks are black too
            style.font.color.rgb = RGBColor.from_string(BLACK)
    _page(document)
    _numbering(document)
    _faces(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _set(style, align, indent: int, pitch: bool) -> None:
    """Alignment, first-line indent in characters, and the exact pitch or the line's own height."""
    form = style.paragraph_format
    form.alignment = align
    form.line_spacing_rule = WD_LINE_SPACING.EXACTLY if pitch else WD_LINE_SPACING.SINGLE
    if pitch:
        form.line_spacing = Pt(LINE)
    size = style.font.size.pt
    form.first_line_indent = Pt(size * indent)
    form._element.pPr.find(qn("w:ind")).set(qn("w:firstLineChars"), str(100 * indent))
    form.widow_control = False  # a page has its 22 lines
    if size == SIZE:
        style.element.rPr.find(qn("w:sz")).addprevious(element("spacing", val=round(DRAWN * 20)))
    if not pitch:
        form._element.pPr.find(qn("w:spacing")).addprevious(element("snapToGrid", val=0))


def _page(document) -> None:
    page = document.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.top_margin, page.bottom_margin = Mm(37), Mm(35)
    page.left_margin, page.right_margin = Mm(28), Mm(26)
    page.footer_distance = Mm(25.5)  # the dashes stand 7 mm below the text
    document.settings.odd_and_even_pages_header_footer = True
    for grid in page._sectPr.findall(qn("w:docGrid")):
        page._sectPr.remove(grid)
    page._sectPr.append(element("docGrid", type="lines", linePitch=round(LINE * 20)))


def _numbering(document) -> None:
    """一、（一）1．（1） as numbering that counts on where an office adds a heading."""
    numbering = document.part.numbering_part.element
    levels = [
        element(
            "lvl",
            element("start", val=1),
            element("numFmt", val=form),
            element("pStyle", val=document.styles[name].style_id),
            element("suff", val="nothing"),
            element("lvlText", val=text),
            element("lvlJc", val="left"),
            element("pPr", element("ind", firstLineChars=200, firstLine=round(SIZE * 40))),
            ilvl=place,
        )
        for place, (name, form, text) in enumerate(LEVELS)
    ]
    kind = element("multiLevelType", val="multilevel")
    numbering.insert(0, element("abstractNum", kind, *levels, abstractNumId=NUMBERING))
    numbering.append(element("num", element("abstractNumId", val=NUMBERING), numId=NUMBERING))
    for place, (name, *_) in enumerate(LEVELS):
        known = document.styles[name].element.get_or_add_pPr()._add_numPr()
        known.append(element("ilvl", val=place))
        known.append(element("numId", val=NUMBERING))


def _faces(document) -> None:
    """The table of fonts: what stands in for each face."""
    part = next(
        p for p in document.part.package.iter_parts() if p.partname == "/word/fontTable.xml"
    )
    table = parse_xml(part.blob)
    for name, (other, panose, family) in FALLBACK.items():
        table.append(
            element(
                "font",
                element("altName", val=other),
                element("panose1", val=panose),
                element("charset", val=86),
                element("family", val=family),
                element("pitch", val="fixed" if family == "modern" else "variable"),
                name=name,
            )
        )
    part._blob = etree.tostring(table, xml_declaration=True, encoding="UTF-8", standalone=True)
