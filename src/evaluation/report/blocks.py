"""Blocks of a report: their kinds, HTML, and how a notebook carries them."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

from evaluation.base.errors import KepuError

# ------------------------------------------------------------------------------------------
# What a report is made of: sections of paragraphs, lists, tables and figures.


@dataclass(frozen=True)
class Paragraph:
    """One paragraph; ``kind`` is ``""``, ``"note"`` or ``"lead"``."""

    text: Markup
    kind: str = ""

    def html(self) -> Markup:
        kind = Markup(' class="{}"').format(self.kind) if self.kind else Markup("")
        return Markup("<p{}>{}</p>").format(kind, self.text)


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: Markup

    def html(self) -> Markup:
        return Markup("<h3>{}</h3>").format(self.text)


@dataclass(frozen=True)
class Items:
    """A list; ``key`` marks the box of key findings, ``labels`` name what each item answers."""

    items: tuple[Markup, ...]
    key: bool = False
    labels: tuple[Markup, ...] = ()

    def html(self) -> Markup:
        labels = [Markup("<strong>{}</strong> ").format(label) for label in self.labels]
        labels = labels or [Markup("")] * len(self.items)
        inner = Markup("").join(
            Markup("<li>{}{}</li>").format(label, item)
            for label, item in zip(labels, self.items, strict=True)
        )
        return Markup('<ul class="{}">{}</ul>').format("key" if self.key else "list", inner)


@dataclass(frozen=True)
class Locks:
    """The strength of evidence: ``count`` closed locks of ``most``, and the words for it."""

    count: int
    most: int
    text: Markup

    def html(self) -> Markup:
        drawn = "🔒" * self.count + "◌" * (self.most - self.count)
        return Markup('<p><span class="locks" aria-hidden="true">{}</span> {}</p>').format(
            drawn, self.text
        )


@dataclass(frozen=True)
class Terms:
    """Technical terms with what they mean."""

    terms: tuple[tuple[Markup, Markup], ...]

    def html(self) -> Markup:
        inner = (Markup("<dt>{}</dt><dd>{}</dd>").format(*pair) for pair in self.terms)
        return Markup("<dl>{}</dl>").format(Markup("").join(inner))


@dataclass(frozen=True)
class Table:
    """A captioned table; ``numeric`` holds the positions of right-aligned columns."""

    caption: Markup
    columns: tuple[Markup, ...]
    rows: tuple[tuple[Markup, ...], ...]
    numeric: frozenset[int] = frozenset()

    def html(self) -> Markup:
        head = self._cells(self.columns, "th", ' scope="col"')
        body = Markup("").join(
            Markup("<tr>{}</tr>").format(self._cells(row, "td")) for row in self.rows
        )
        return Markup(
            '<div class="table"><table class="kepu"><caption>{}</caption>'
            "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
        ).format(self.caption, head, body)

    def _cells(self, cells, tag: str, extra: str = "") -> Markup:
        parts = []
        for position, cell in enumerate(cells):
            kind = ' class="num"' if position in self.numeric else ""
            parts.append(Markup(f"<{tag}{kind}{extra}>{{}}</{tag}>").format(cell))
        return Markup("").join(parts)


@dataclass(frozen=True)
class Figure:
    """A PNG with its caption and the text that stands for it."""

    png: bytes
    caption: Markup
    alt: str

    def html(self) -> Markup:
        data = base64.b64encode(self.png).decode()
        return Markup(
            '<figure><img alt="{}" src="data:image/png;base64,{}"><figcaption>{}</figcaption>'
            "</figure>"
        ).format(escape(self.alt), data, self.caption)


Block = Paragraph | Heading | Items | Locks | Terms | Table | Figure


class Part:
    """A part of a report that shows itself in a notebook as HTML and keeps itself as JSON."""

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, object]:

        return bundle(self)

    def __str__(self) -> str:
        return str(self.html())


@dataclass(frozen=True)
class Title(Part):
    """Head of a report: its name, what it is about, and what a reader must know first."""

    text: Markup
    blocks: tuple[Paragraph, ...] = ()

    def html(self) -> Markup:
        heading = Markup("<h1>{}</h1>").format(self.text)
        return Markup("\n").join([heading, *(block.html() for block in self.blocks)])

    def __repr__(self) -> str:
        return f"Title({Markup(self.text).striptags()})"


@dataclass(frozen=True)
class Section(Part):
    """A titled run of blocks; ``id`` is the same in every language."""

    id: str
    title: Markup
    blocks: tuple[Block, ...]

    def html(self) -> Markup:
        inner = Markup("\n").join(block.html() for block in self.blocks)
        return Markup('<section id="{}"><h2>{}</h2>\n{}</section>').format(
            self.id, self.title, inner
        )

    def __repr__(self) -> str:
        return f"Section({self.id}: {len(self.blocks)} blocks)"


# ------------------------------------------------------------------------------------------
# The HTML of a report as a tree whose pieces are slices of the very text it was read from.


VOID = {"br", "img"}
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s+[\w-]+(?:=\"[^\"]*\")?)*)\s*>")
_ATTRIBUTE = re.compile(r"([\w-]+)=\"([^\"]*)\"")


@dataclass
class Element:
    """An element: ``attributes`` as written, ``inner`` the markup between its tags."""

    tag: str
    attributes: dict[str, str]
    source: str
    start: int
    stop: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)

    @property
    def inner(self) -> Markup:
        return Markup(self.source[self.start : self.stop])

    def after(self, child: int) -> Markup:
        """The markup that follows a child."""
        return Markup(self.source[self.children[child].end : self.stop])


def elements(markup: str) -> list[Element]:
    """Top-level elements of markup made by :mod:`evaluation.report.blocks`.

    Only such markup is read: lower-case tags, attributes in double quotes, text escaped.

    Raises
    ------
    ValueError : an element is not closed, or closed by another's tag.

    Examples
    --------
    >>> [p.inner for p in elements("<p>a <b>c</b></p><p>d</p>")]
    [Markup('a <b>c</b>'), Markup('d')]
    """
    root = Element("", {}, markup, 0)
    opened = [root]
    for found in _TAG.finditer(markup):
        closing, tag, attributes = found.groups()
        if closing:
            element = opened.pop()
            if element.tag != tag:
                raise ValueError(f"<{element.tag}> is closed by </{tag}>")
            element.stop, element.end = found.start(), found.end()
            continue
        element = Element(tag, dict(_ATTRIBUTE.findall(attributes)), markup, found.end())
        opened[-1].children.append(element)
        if tag in VOID:
            element.stop = element.end = found.end()
        else:
            opened.append(element)
    if len(opened) > 1:
        raise ValueError(f"<{opened[-1].tag}> is not closed")
    return root.children


# ------------------------------------------------------------------------------------------
# A part of a report as a notebook keeps it: HTML to look at, JSON to make every format from.


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
