"""The report as a PDF: A4, tagged, set by Typst with fonts that ship with the packages.

The template ``report.typ`` reads the blocks as JSON, so no word of a report is ever code. A kind
of block needs a case there, and one here only if the page must be measured for it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import typst
from markupsafe import Markup
from PIL import Image

from evaluation.base import files as private
from evaluation.base.text import t
from evaluation.figures.svg import font_files
from evaluation.report.blocks import (
    Block,
    Figure,
    Heading,
    Paragraph,
    Row,
    Table,
    Terms,
    to_json,
)
from evaluation.report.document import (
    WIDE,
    Document,
    ExportError,
    Node,
    advance,
    columns,
    harmless,
    nodes,
    plain,
    printed,
)

FAMILIES = {
    "Noto Sans CJK SC": "mplfonts",
    "Noto Serif CJK SC": "mplfonts",
    "DejaVu Sans": "matplotlib",
    "Libertinus Serif": "typst",
}
LONGEST_WORD, PIECE = 30, 12
HEAD = 36.0  # what a running head has room for, in em
SHORT = 200  # letters of a paragraph that stays with what it leads to
DENSITY = 144.0  # pixels of a bitmap for an inch of 72 of the drawing
LABELS = ("figure", "table")
ROOM = 168 / 25.4 * 72  # width of the text on the page, in points
SIZES = (8.5, 7.5, 6.8)  # type of tables: the largest in which the columns fit
LONGEST_HEAD = 200  # letters of a head that is repeated on every page
WHOLE = 8, 1600  # rows and letters up to which a table is not broken over pages
TALL = 0.5  # of a drawing's width
LONGEST_ROW = 1200  # letters up to which a row is not


@lru_cache(maxsize=1)
def fonts() -> typst.Fonts:
    """The Chinese faces of ``mplfonts``, DejaVu of matplotlib, Typst's own; none of the system's.

    Raises
    ------
    FileNotFoundError : a face is missing from the wheel that ships it.
    """
    folders = {file.parent for file in font_files().values()}
    found = typst.Fonts(include_system_fonts=False, font_paths=sorted(map(str, folders)))
    for family, package in FAMILIES.items():
        if family not in found.families():
            raise FileNotFoundError(f"font {family} not found: install the package {package}")
    return found


def ready() -> None:
    """Have what all documents share; starts no thread, which a forked process would lack."""
    fonts()


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


def bitmaps(svgs: Sequence[str]) -> list[bytes]:
    """Drawings as PNG, in 256 colours, two pixels for each of the drawing along a side."""
    if not svgs:
        return []
    with private.folder("png-") as place:
        for number, svg in enumerate(svgs):
            (place / f"{number}.svg").write_text(svg, "utf-8")
        sheet = f"""#set page(width: auto, height: auto, margin: 0pt)
            #for n in range({len(svgs)}) {{ page(image(str(n) + ".svg")) }}"""
        (place / "sheet.typ").write_text(sheet, "utf-8")
        made = typst.compile(
            str(place / "sheet.typ"), root=str(place), font_paths=fonts(), format="png",
            ppi=DENSITY, ignore_system_fonts=True,
        )  # fmt: skip
    return [_few_colours(png) for png in ([made] if isinstance(made, bytes) else made)]


def _few_colours(png: bytes) -> bytes:
    with Image.open(io.BytesIO(png)) as image:
        # An octree takes a fifth of the time of a median cut, and blurs colours by a shade or two.
        small = image.convert("RGB").quantize(
            256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
        )
    out = io.BytesIO()
    small.save(out, format="PNG")
    return out.getvalue()


def _content(document: Document, place: Path) -> dict[str, Any]:
    """Everything the template draws; pictures are laid beside it."""
    language, known, number = document.language, set(document.anchors), count()

    def flow(markup: Markup) -> list[Node]:
        return _fitted(nodes(markup), known)

    def picture(svg: str) -> str:
        path = place / f"{next(number)}.svg"
        path.write_text(svg, "utf-8")
        return path.name

    def blocks(given: Sequence[Block]) -> list[dict[str, Any]]:
        return [
            _block(block, flow, picture) | {"sticky": _introduces(given, i)}
            for i, block in enumerate(given)
        ]

    return {
        "lang": language,
        "region": {"zh": "cn", "en": "gb"}[language],
        "name": document.name,
        "head": _cut(document.name),
        "foot": str(t("page.dated", language, date=f"{document.moment:%Y-%m-%d}")),
        "keywords": [document.title.keywords],
        "depth": document.depth,
        "labels": {
            "contents": str(t("page.contents", language)),
            **{kind: document.word(kind) for kind in LABELS},
        },
        "banner": str(t("page.banner", language)) if document.simulated else "",
        "listed": document.listed,
        "title": flow(document.title.text),
        "opening": blocks(document.title.blocks),
        "sections": [
            {
                "id": section.id,
                "title": flow(section.title),
                "head": _cut(plain(nodes(section.title))),
                "blocks": blocks(section.blocks),
            }
            for section in document.sections
        ],
    }


def _block(
    block: Block, flow: Callable[[Markup], list[Node]], picture: Callable[[str], str]
) -> dict[str, Any]:
    """A block for the template, with what has to be measured or described."""
    data = to_json(block, flow)
    if isinstance(block, Table):
        return data | _layout(data)
    if isinstance(block, Figure):
        return data | _pictured(block, picture(block.svg)) | {"floats": _tall(block.svg)}
    if isinstance(block, Row):
        drawn = zip(data["figures"], block.figures, strict=True)
        told = {"floats": False}
        return data | {"figures": [d | _pictured(f, picture(f.narrow)) | told for d, f in drawn]}
    return data


def _tall(svg: str) -> bool:
    """Whether a drawing is so much taller than wide that few pages have room left for it."""
    sizes = re.search(r'width="([\d.]+)"[^>]*? height="([\d.]+)"', svg[:400])
    return sizes is not None and float(sizes[2]) > TALL * float(sizes[1])


def _pictured(block: Figure, file: str) -> dict[str, str]:
    return {"alt": harmless(block.alt) or plain(nodes(block.caption)), "svg": file}


def _layout(table: dict[str, Any]) -> dict[str, Any]:
    """The widths of a table's columns, the largest type in which they fit, where it may break."""
    head, *rows = ([printed(cell) for cell in row] for row in (table["columns"], *table["rows"]))
    for size in SIZES:
        widths, excess = columns(head, rows, room=ROOM / size, numeric=table["numeric"])
        if not excess:
            break
    letters = [sum(map(len, row)) for row in rows]
    return {
        "widths": [round(width, 3) for width in widths],
        "size": size,
        # A head that fills half a page would leave no room to go on.
        "repeated": max(map(len, head)) <= LONGEST_HEAD,
        "whole": len(rows) <= WHOLE[0] and sum(letters) <= WHOLE[1],
        "rows_whole": max(letters, default=0) <= LONGEST_ROW,
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
    if advance(text) <= HEAD:
        return text
    while advance(text) > HEAD - WIDE:
        text = text[:-1]
    return text.rstrip() + "…"


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
