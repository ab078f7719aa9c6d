"""Pieces of WordprocessingML: runs, links, bookmarks, captions and tables, all by named style.

python-docx reaches styles, pictures and the file; what a report needs beyond that (bookmarks,
fields, header rows, wide tables at speed) is written here as elements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from evaluation.formats.inline import BADGES, Node

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
