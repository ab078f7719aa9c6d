"""The styles of a Word report.

Reports name styles and hold no formatting of their own: an office changes a style in any report,
empties it and hands it over as the reference of the next.
"""

from __future__ import annotations

import io
from functools import cache

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

ACCENT, INK, SOFT, WARN, TINT, RULE = "0A5A84", "1E2429", "59636B", "8A4B00", "EEF5F8", "C9D0D4"
BODY = ("Times New Roman", "SimSun")  # Latin face, Chinese face (宋体)
HEAD = ("Arial", "SimHei")  # 黑体
# name: faces, size in points, colour, space before and after in points
PARAGRAPHS = {
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
    "Finding Label": (HEAD, 9.5, ACCENT, 3, 0),
    "Finding": (BODY, 10.5, INK, 0, 6),
    "Locks": (HEAD, 10, INK, 8, 8),
    "Term": (HEAD, 10, ACCENT, 6, 0),
    "Definition": (BODY, 10, INK, 0, 4),
    "Table Text": (HEAD, 8, INK, 1, 1),
    "Header": (HEAD, 8, SOFT, 0, 0),
    "Footer": (HEAD, 8, SOFT, 0, 0),
}
CHARACTERS = {"Source": SOFT, "Grade": SOFT, "Flag": WARN, "Hyperlink": ACCENT, "Strong": ACCENT}
KEEP = ("Heading 1", "Heading 2", "Finding Label", "Term", "TOC Heading")


def element(tag: str, /, *children, text: str = "", **attributes: object):
    """An element of the ``w`` namespace with its attributes, children or text."""
    made = OxmlElement(f"w:{tag}")
    for key, value in attributes.items():
        made.set(qn(f"w:{key}"), str(value))
    made.extend(children)
    if text:
        made.text = text
        made.set(qn("xml:space"), "preserve")
    return made


@cache
def styles() -> bytes:
    """An empty document that holds the styles of a report."""
    document = Document()
    normal = document.styles["Normal"]
    _face(normal, BODY)
    normal.font.size = Pt(10.5)
    normal.paragraph_format.space_after, normal.paragraph_format.line_spacing = Pt(6), 1.25
    for name in PARAGRAPHS:
        _paragraph_style(document, name)
    for name in ("Finding", "Finding Label"):
        _box(document.styles[name])
    for name, colour in CHARACTERS.items():
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


def _paragraph_style(document, name: str) -> None:
    faces, points, colour, before, after = PARAGRAPHS[name]
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
