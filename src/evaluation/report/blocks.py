"""What a report is made of: sections of paragraphs, lists, tables and figures.

The blocks know nothing of statistics; they hold markup ready in one language and draw themselves
as HTML in a notebook. Beside the HTML a notebook keeps each part as JSON (``report.bundle``), from
which every format is made.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from markupsafe import Markup, escape


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
        from evaluation.report.bundle import bundle

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
