"""What a report is made of: blocks as data, each a frozen class with typed fields.

A notebook's display carries a part twice: as HTML for people, made by the ``html`` of each class,
and as JSON for machines, from which the page, the PDF and the Word file are rendered. Neither
JSON nor formats list the kinds of blocks here: both follow the declared types of the fields.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import repeat
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

from markupsafe import Markup, escape

from evaluation.base.errors import KepuError

MIME = "application/vnd.kepu.report+json"
VERSION = 3


class Block:
    """A piece of a report. A new kind is a frozen dataclass with these types of fields.

    ``Markup`` (running text: escaped, with the inline elements of ``report.document``), ``str``,
    ``int``, ``bool``, a ``frozenset`` of them, a ``tuple`` of any, other blocks.
    """

    kinds: ClassVar[dict[str, type[Block]]] = {}

    def __init_subclass__(cls) -> None:
        Block.kinds[cls.__name__.lower()] = cls

    def html(self) -> Markup:
        """What a notebook shows."""
        raise NotImplementedError


@dataclass(frozen=True)
class Paragraph(Block):
    """One paragraph; ``style`` is ``""``, ``"note"``, ``"lead"``, ``"missing"``…"""

    text: Markup
    style: str = ""

    def html(self) -> Markup:
        style = Markup(' class="{}"').format(self.style) if self.style else Markup("")
        return Markup("<p{}>{}</p>").format(style, self.text)


@dataclass(frozen=True)
class Heading(Block):
    """A heading inside a section."""

    text: Markup

    def html(self) -> Markup:
        return Markup("<h3>{}</h3>").format(self.text)


@dataclass(frozen=True)
class Items(Block):
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
class Locks(Block):
    """The strength of evidence: ``count`` closed locks of ``most``, and the words for it."""

    count: int
    most: int
    text: Markup

    def html(self) -> Markup:
        row = "🔒" * self.count + "◌" * (self.most - self.count)
        return Markup('<p><span class="locks" aria-hidden="true">{}</span> {}</p>').format(
            row, self.text
        )


@dataclass(frozen=True)
class Terms(Block):
    """Technical terms with what they mean."""

    terms: tuple[tuple[Markup, Markup], ...]

    def html(self) -> Markup:
        inner = (Markup("<dt>{}</dt><dd>{}</dd>").format(*pair) for pair in self.terms)
        return Markup("<dl>{}</dl>").format(Markup("").join(inner))


@dataclass(frozen=True)
class Table(Block):
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

    def _cells(self, cells: Iterable[str], tag: str, extra: str = "") -> Markup:
        parts = []
        for position, cell in enumerate(cells):
            kind = ' class="num"' if position in self.numeric else ""
            parts.append(Markup(f"<{tag}{kind}{extra}>{{}}</{tag}>").format(cell))
        return Markup("").join(parts)


@dataclass(frozen=True)
class Figure(Block):
    """A drawing as SVG, for a page and for a phone, its caption and the text that stands for it."""

    svg: str
    narrow: str
    caption: Markup
    alt: str

    def html(self) -> Markup:
        # As an image: what JupyterLab shows of a notebook it does not trust, on white paper.
        return Markup(
            '<figure><img alt="{}" style="background:#fff" src="data:image/svg+xml;base64,{}">'
            "<figcaption>{}</figcaption></figure>"
        ).format(self.alt, base64.b64encode(self.svg.encode()).decode(), self.caption)


@dataclass(frozen=True)
class Cards(Block):
    """Numbers that are read first: each with what it is and how far it is known."""

    cards: tuple[tuple[Markup, Markup], ...]

    def html(self) -> Markup:
        inner = (Markup("<li><strong>{}</strong> {}</li>").format(*card) for card in self.cards)
        return Markup('<ul class="cards">{}</ul>').format(Markup("").join(inner))


@dataclass(frozen=True)
class Row(Block):
    """Figures side by side, each in its narrow drawing; below each other on a phone."""

    figures: tuple[Block, ...]

    def html(self) -> Markup:
        return Markup("\n").join(figure.html() for figure in self.figures)


class Part(Block):
    """A part of a report that a cell ends with: a notebook keeps its HTML and its JSON."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/html": str(self.html()),
            MIME: {"version": VERSION, "part": to_json(self)},
            "text/plain": repr(self),
        }

    def __str__(self) -> str:
        return str(self.html())


@dataclass(frozen=True, repr=False)
class Title(Part):
    """Head of a report: its name, what it is about, and what a reader must know first.

    ``keywords`` are those of the file.
    """

    text: Markup
    blocks: tuple[Block, ...] = ()
    keywords: str = ""

    def html(self) -> Markup:
        heading = Markup("<h1>{}</h1>").format(self.text)
        return Markup("\n").join([heading, *(block.html() for block in self.blocks)])

    def __repr__(self) -> str:
        return f"Title({Markup(self.text).striptags()})"


@dataclass(frozen=True, repr=False)
class Section(Part):
    """A titled run of blocks; ``id`` is the same in every language.

    ``section["backtest"]`` are the blocks of a name, none where the data gave none.
    """

    id: str
    title: Markup
    blocks: tuple[Block, ...]
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, id: str, title: Markup, parts: Mapping[str, Sequence[Block]]) -> Section:
        """A section of named parts in their order."""
        pairs = [(name, block) for name, part in parts.items() for block in part]
        blocks = tuple(block for _, block in pairs)
        return cls(id, title, blocks, tuple(name for name, _ in pairs))

    def __getitem__(self, name: str) -> tuple[Block, ...]:
        pairs = zip(self.names, self.blocks, strict=True)
        return tuple(block for given, block in pairs if given == name)

    def html(self) -> Markup:
        inner = Markup("\n").join(block.html() for block in self.blocks)
        return Markup('<section id="{}"><h2>{}</h2>\n{}</section>').format(
            self.id, self.title, inner
        )

    def __repr__(self) -> str:
        return f"Section({self.id}: {len(self.blocks)} blocks)"


def to_json(
    block: Block,
    text: Callable[[Markup], Any] = str,
) -> dict[str, Any]:
    """A block as JSON: its fields by name, and its ``kind``.

    ``text`` says what stands for a running text.
    """

    def written(kind: Any, given: Any) -> Any:
        if kind is Markup:
            return text(escape(given))
        if kind is Block:
            return to_json(given, text)
        return sorted(given) if get_origin(kind) is frozenset else kind(given)

    values = {
        name: _each(written, kind, getattr(block, name), list)
        for name, kind in _types(type(block)).items()
    }
    return {"kind": type(block).__name__.lower(), **values}


def from_json(data: Mapping[str, Any]) -> Block:
    """The block that :func:`to_json` wrote.

    Raises
    ------
    LookupError, TypeError, ValueError : the JSON is none of a block.
    """

    def read(kind: Any, given: Any) -> Any:
        if kind is Block:
            return from_json(given)
        if get_origin(kind) is frozenset:
            return frozenset(read(get_args(kind)[0], item) for item in given)
        if type(given) is not (str if kind is Markup else kind):
            raise TypeError(f"{given!r:.40} is no {kind.__name__}")
        return kind(given)

    kind = Block.kinds[data["kind"]]
    types = _types(kind).items()
    return kind(**{name: _each(read, each, data[name], tuple) for name, each in types})


def _each(convert: Callable[[Any, Any], Any], kind: Any, given: Any, series: type) -> Any:
    """A value of a declared type converted; of a tuple each member, gathered in a ``series``."""
    held = _held(kind)
    if held is None:
        return convert(kind, given)
    kinds = repeat(held[0], len(given)) if held[1:] == (...,) else held
    return series([_each(convert, *pair, series) for pair in zip(kinds, given, strict=True)])


@cache
def _held(kind: Any) -> tuple[Any, ...] | None:
    """Types of a tuple's members, ``None`` of any other type."""
    return get_args(kind) if get_origin(kind) is tuple else None


def stored(data: Mapping[str, Any]) -> Part | None:
    """The part an output of a notebook carries, ``None`` where it carries none.

    Raises
    ------
    KepuError : its JSON is of another version, or none of a part.
    """
    found = data.get(MIME)
    if found is None:
        return None
    try:
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']}, known is {VERSION}")
        part = from_json(found["part"])
        if not isinstance(part, Part):
            raise TypeError(f"a {type(part).__name__} by itself")
    except (LookupError, TypeError, ValueError) as error:
        raise KepuError(
            f"the notebook stores a report part that cannot be read ({error}) — "
            "run the notebook again with this version of the workbook"
        ) from error
    return part


@cache
def _types(kind: type[Block]) -> dict[str, Any]:
    """Declared type of each field."""
    types = get_type_hints(kind)
    return {field.name: types[field.name] for field in fields(kind)}
