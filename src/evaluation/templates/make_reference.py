"""Write reference.docx, the styles of a Word report: run it again after a change here.

An office may change any of these styles in Word, or put a document of its own in place of the
file; reports name styles and hold no formatting of their own.
"""

from __future__ import annotations

from pathlib import Path

from docx import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

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


if __name__ == "__main__":
    main()
