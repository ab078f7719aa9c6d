"""A part of a report as a notebook keeps it: HTML to look at, JSON to make every format from.

Every text and picture stands once, in the HTML; the JSON says which block each piece of it is. A
notebook stays small, shows itself anywhere, and still yields the very objects it was drawn from.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import Any

from evaluation.errors import KepuError
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
    Title,
)
from evaluation.report.elements import Element, elements

MIME = "application/vnd.kepu.report+json"
VERSION = 1
KINDS = {kind.__name__.lower(): kind for kind in Block.__args__}


def bundle(part: Section | Title) -> dict[str, Any]:
    """Give what a notebook stores of a part, by mime type."""
    return {"text/html": str(part.html()), MIME: skeleton(part), "text/plain": repr(part)}


def skeleton(part: Section | Title) -> dict[str, Any]:
    """The part without its texts: what kind of block stands where."""
    kind = type(part).__name__.lower()
    return {"version": VERSION, "part": kind, "blocks": [_bones(b) for b in part.blocks]}


def _bones(block: Block) -> dict[str, Any]:
    kind = type(block).__name__.lower()
    if KINDS.get(kind) is not type(block):
        raise KepuError(f"A report holds no block of type {type(block).__name__}; see blocks.py")
    match block:
        case Table(numeric=numeric):
            return {"kind": kind, "numeric": sorted(numeric)}
        case Locks(count=count, most=most):
            return {"kind": kind, "count": int(count), "most": int(most)}
        case Items(key=key, labels=labels):
            return {"kind": kind, "key": bool(key), "labelled": bool(labels)}
    return {"kind": kind}


def unbundled(data: Mapping[str, Any]) -> Section | Title | None:
    """Rebuild the part a notebook stored, ``None`` where an output holds none.

    Raises
    ------
    KepuError : the JSON is of another version, or does not go with the HTML beside it.
    """
    bones = data.get(MIME)
    if bones is None:
        return None
    if bones.get("version") != VERSION:
        raise KepuError(
            f"the notebook stores report parts of version {bones.get('version')}, known is "
            f"{VERSION} — run the notebook again with this version of the workbook"
        )
    found = elements("".join(data.get("text/html", "")))
    try:
        if bones["part"] == "title":
            return Title(found[0].inner, _blocks(bones, found[1:]))
        section = found[0]
        heading, *rest = section.children
        return Section(section.attributes["id"], heading.inner, _blocks(bones, rest))
    except (LookupError, ValueError, TypeError) as error:
        raise KepuError(
            f"the notebook stores a report part whose HTML and JSON do not go together ({error}) "
            "— run the notebook again"
        ) from error


def _blocks(bones: Mapping[str, Any], found: list[Element]) -> tuple[Block, ...]:
    pairs = zip(bones["blocks"], found, strict=True)
    return tuple(_READERS[bone["kind"]](bone, element) for bone, element in pairs)


def _paragraph(bone: Mapping[str, Any], p: Element) -> Paragraph:
    return Paragraph(p.inner, p.attributes.get("class", ""))


def _items(bone: Mapping[str, Any], ul: Element) -> Items:
    items = ul.children
    if not bone["labelled"]:
        return Items(tuple(li.inner for li in items), bone["key"])
    labels = tuple(li.children[0].inner for li in items)
    return Items(tuple(li.after(0).lstrip() for li in items), bone["key"], labels)


def _locks(bone: Mapping[str, Any], p: Element) -> Locks:
    return Locks(bone["count"], bone["most"], p.after(0).lstrip())


def _terms(bone: Mapping[str, Any], dl: Element) -> Terms:
    texts = [child.inner for child in dl.children]
    return Terms(tuple(zip(texts[::2], texts[1::2], strict=True)))


def _table(bone: Mapping[str, Any], div: Element) -> Table:
    caption, head, body = div.children[0].children
    columns = tuple(th.inner for th in head.children[0].children)
    rows = tuple(tuple(td.inner for td in tr.children) for tr in body.children)
    return Table(caption.inner, columns, rows, frozenset(bone["numeric"]))


def _figure(bone: Mapping[str, Any], figure: Element) -> Figure:
    image, caption = figure.children
    data = image.attributes["src"].partition("base64,")[2]
    return Figure(base64.b64decode(data), caption.inner, html.unescape(image.attributes["alt"]))


_READERS = {
    "paragraph": _paragraph,
    "heading": lambda bone, h3: Heading(h3.inner),
    "items": _items,
    "locks": _locks,
    "terms": _terms,
    "table": _table,
    "figure": _figure,
}
