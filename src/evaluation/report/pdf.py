"""A report as PDF, set by Typst."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
import typst
from markupsafe import Markup

from evaluation.base import files as private
from evaluation.base.text import t
from evaluation.figures import style
from evaluation.report import document as widths
from evaluation.report.blocks import Block, Figure, Heading, Items, Locks, Paragraph, Table, Terms
from evaluation.report.document import Document, ExportError, Node, anchors, harmless, nodes, plain

# ------------------------------------------------------------------------------------------
# A table of the PDF: the widths of its columns, the size of its type, where it may be broken.


ROOM = 168 / 25.4 * 72  # width of the text on the page, in points
SIZES = (8.5, 7.5, 6.8)  # type of tables: the largest in which the columns fit
LONGEST_HEAD = 200  # letters of a head that is repeated on every page
WHOLE = 8, 1600  # rows and letters up to which a table is not broken over pages
LONGEST_ROW = 1200  # letters up to which a row is not


def laid_out(block: Table, flow: Callable[[str], list[Node]]) -> dict[str, Any]:
    """A table with the widths of its columns and the largest type in which they fit."""
    head = [flow(cell) for cell in block.columns]
    rows = [[flow(cell) for cell in row] for row in block.rows]
    words = (
        [widths.printed(cell) for cell in head],
        [[widths.printed(cell) for cell in row] for row in rows],
    )
    for size in SIZES:
        found, excess = widths.columns(*words, room=ROOM / size, numeric=block.numeric)
        if not excess:
            break
    return {
        "kind": "table",
        "caption": flow(block.caption),
        "columns": head,
        "rows": rows,
        "numeric": sorted(block.numeric),
        "widths": [round(width, 3) for width in found],
        "size": size,
        # A head that fills half a page would leave no room to go on.
        "repeated": max(len(text) for text in words[0]) <= LONGEST_HEAD,
        "whole": len(rows) <= WHOLE[0] and sum(map(_letters, words[1])) <= WHOLE[1],
        "rows_whole": max(map(_letters, words[1]), default=0) <= LONGEST_ROW,
    }


def _letters(row: list[str]) -> int:
    return sum(map(len, row))


# ------------------------------------------------------------------------------------------
# The report as a PDF: A4, tagged, set by Typst with fonts that ship with the packages.


FAMILIES = {
    "Noto Sans CJK SC": "mplfonts",
    "Noto Serif CJK SC": "mplfonts",
    "DejaVu Sans": "matplotlib",
    "Libertinus Serif": "typst",
}
LONGEST_WORD, PIECE = 30, 12
HEAD = 36.0  # what a running head has room for, in em
SHORT = 200  # letters of a paragraph that stays with what it leads to
LABELS = ("contents", "figure", "table")


@lru_cache(maxsize=1)
def fonts() -> typst.Fonts:
    """The Chinese faces of ``mplfonts``, DejaVu of matplotlib, Typst's own; none of the system's.

    Raises
    ------
    FileNotFoundError : a face is missing from the wheel that ships it.
    """
    folders = [style.font_path().parent, Path(mpl.get_data_path(), "fonts", "ttf")]
    found = typst.Fonts(include_system_fonts=False, font_paths=[str(path) for path in folders])
    for family, package in FAMILIES.items():
        if family not in found.families():
            raise FileNotFoundError(f"font {family} not found: install the package {package}")
    return found


def to_pdf(document: Document) -> bytes:
    """Set a report; the same document gives the same bytes.

    Raises
    ------
    ExportError : Typst refused the document (a defect of the template, not of the data).
    """
    with private.folder("pdf-") as place:
        content = _content(document, place)
        (place / "data.json").write_text(json.dumps(content, ensure_ascii=False), "utf-8")
        main = place / "report.typ"
        with (files("evaluation.report") / "templates" / "report.typ").open("rb") as template:
            main.write_bytes(template.read())
        try:
            return typst.compile(
                str(main),
                root=str(place),
                font_paths=fonts(),
                format="pdf",
                timestamp=int(document.moment.timestamp()),
                pdf_standards="ua-1",  # tagged, titled, every picture described
                ignore_system_fonts=True,
            )
        except typst.TypstError as error:
            raise ExportError(f"the PDF could not be set: {error.message}") from error


def _content(document: Document, place: Path) -> dict[str, Any]:
    """Everything the template draws; pictures are laid beside it."""
    language = document.language
    known = set(anchors(document))
    sections = [
        {
            "id": section.id,
            "title": _flow(section.title, known),
            "head": _cut(plain(nodes(section.title))),
            "blocks": [
                _block(block, known, place / f"{section.id}-{number}.png")
                | {"sticky": _introduces(section.blocks, number)}
                for number, block in enumerate(section.blocks)
            ],
        }
        for section in document.sections
    ]
    return {
        "lang": language,
        "region": {"zh": "cn", "en": "gb"}[language],
        "name": document.name,
        "head": _cut(document.name),
        "foot": str(t("page.dated", language, date=f"{document.moment:%Y-%m-%d}")),
        "keywords": [str(t("page.keywords", language))],
        "labels": {name: str(t(f"page.{name}", language)) for name in LABELS},
        "banner": str(t("page.banner", language)) if document.simulated else "",
        "title": _flow(document.title.text, known),
        "opening": [_block(block, known, place) for block in document.title.blocks],
        "sections": sections,
    }


def _introduces(blocks: Sequence[Block], place: int) -> bool:
    """Whether a short paragraph under a heading leads to a table or picture, and stays with it."""
    if not 0 < place < len(blocks) - 1 or not isinstance(blocks[place], Paragraph):
        return False
    short = len(Markup(blocks[place].text).striptags()) <= SHORT
    leads = isinstance(blocks[place - 1], Heading) and isinstance(
        blocks[place + 1], Table | Figure | Terms
    )
    return short and leads


def _cut(text: str) -> str:
    """What a running head has room for."""
    if widths.advance(text) <= HEAD:
        return text
    while widths.advance(text) > HEAD - widths.WIDE:
        text = text[:-1]
    return text.rstrip() + "…"


def _flow(markup: str, known: set[str]) -> list[Node]:
    """Nodes whose references lead somewhere and whose words can be broken over lines."""
    return _fitted(nodes(markup), known)


def _fitted(part: list[Node], known: set[str]) -> list[Node]:
    out: list[Node] = []
    for node in part:
        if isinstance(node, str):
            out.append(_broken(node))
        elif node["k"] == "ref" and node["to"] not in known:
            out += _fitted(node["c"], known)
        elif "c" in node:
            out.append({**node, "c": _fitted(node["c"], known)})
        else:
            out.append(node)
    return out


def _broken(text: str) -> str:
    """Let a very long word, an identifier or a path break where a line ends."""
    words = []
    for word in text.split(" "):
        if len(word) > LONGEST_WORD and word.isascii():
            word = "\u200b".join(word[i : i + PIECE] for i in range(0, len(word), PIECE))
        words.append(word.replace("_", "_\u200b") if "_" in word else word)
    return " ".join(words)


def _block(block: Block, known: set[str], picture: Path) -> dict[str, Any]:
    def flow(markup: str) -> list[Node]:
        return _flow(markup, known)

    match block:
        case Paragraph(text, kind):
            return {"kind": "paragraph", "style": kind, "text": flow(text)}
        case Heading(text):
            return {"kind": "heading", "text": flow(text)}
        case Items(items, key, labels):
            parts = {"items": [flow(i) for i in items], "labels": [flow(i) for i in labels]}
            return {"kind": "items", "key": key, **parts}
        case Locks(count, most, text):
            return {"kind": "locks", "count": count, "most": most, "text": flow(text)}
        case Terms(terms):
            return {"kind": "terms", "terms": [[flow(one), flow(two)] for one, two in terms]}
        case Table():
            return laid_out(block, flow)
        case Figure(png, caption, alt):
            picture.write_bytes(png)
            return {
                "kind": "figure",
                "file": picture.name,
                "caption": flow(caption),
                "alt": harmless(alt) or plain(nodes(caption)),
            }
    raise ExportError(f"the PDF knows no block of type {type(block).__name__}")
