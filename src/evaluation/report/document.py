"""What formats of a report share: its parts read from a notebook, running text, widths of columns.

Running text becomes a small tree: a node is a text or a mapping with its kind ``k``, its content
``c`` and, for links and anchors, where they lead (``to``, inside the report; ``url``, outside) or
what they are called (``id``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from html.parser import HTMLParser
from typing import Any

from nbformat import NotebookNode

from evaluation.base.errors import KepuError
from evaluation.base.files import build_time
from evaluation.base.text import link, t
from evaluation.report.blocks import Part, Section, Title, stored, to_json
from evaluation.report.depths import ANNEX, BRIEF, REPORT, arranged, official

Node = str | dict[str, Any]

KINDS = {"code": "code", "strong": "strong", "cite": "cite"}
SPANS = {"grade", "proxy", "flag", "when", "bodies", "span"}
BADGES = ("grade", "proxy", "flag")
SILENT = {"template", "style", "script"}
# Marks that reorder what follows them; they are invisible and no text of a report needs them.
REORDERING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_UNPRINTABLE = re.compile(
    rf"[{REORDERING}\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"[ \t\r\n]+")
# The first moment a zip archive can tell; it stands where a report tells no date.
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
LONGEST_NAME = 120
WIDE, NARROW = 1.0, 0.56  # advance of a Chinese and of a Latin letter, in em
PADDING = 1.0  # space beside the text of a cell, in em
URGENT = 15.0  # how much rather a column of numbers or names is widened than one of prose
FEW = 6  # sections up to which a document needs no table of contents
COMPACT = 12.0  # a text up to this width, a name or a date, stands better on one line, in em
SHORT = 4.0  # of a Chinese text, what stays on one line where it can, in em
NOTHING = (
    "the notebook shows no report to make PDF or Word from — "
    "let cells end with report.title(page) and report.SECTIONS[…](page), or choose html"
)
_BREAKS = re.compile(r"(?<=[\-–—/,;:\u200b])(?!\d)")


class ExportError(KepuError):
    """An executed notebook cannot become a page; the message says why."""


def harmless(text: str) -> str:
    """Text without characters that are invisible, reorder others or that no file can hold.

    >>> harmless("a\\u202eb\\x00c\\ud800")
    'abc�'
    """
    return _SURROGATE.sub("\ufffd", _UNPRINTABLE.sub("", text))


class _Inline(HTMLParser):
    """Gather the nodes of a piece of markup."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.nodes: list[Node] = []
        self._open: list[tuple[str, list[Node]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "br":
            self.nodes.append({"k": "br"})
            return
        if tag in ("img", "hr"):
            return
        self._open.append((tag, self.nodes))
        if tag in SILENT or given.get("aria-hidden") == "true":
            self.nodes = []  # what follows, up to the end of the element, is kept nowhere
            return
        for node in _wrappers(tag, given):
            if node["k"] == "bodies":  # a page shows it on a line of its own
                self.nodes.append({"k": "br"})
            self.nodes.append(node)
            self.nodes = node["c"]

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                self.nodes = self._open[place][1]
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        text = _SPACES.sub(" ", harmless(data))
        if text and self.nodes and isinstance(self.nodes[-1], str):
            self.nodes[-1] += text
        elif text:
            self.nodes.append(text)


def _wrappers(tag: str, given: dict[str, str]) -> list[dict[str, Any]]:
    """Nodes an element stands for, the outer first."""
    found: list[dict[str, Any]] = []
    if "id" in given:
        found.append({"k": "anchor", "id": given["id"], "c": []})
    href = given.get("href", "")
    if tag == "a" and href.startswith("#"):
        found.append({"k": "ref", "to": href[1:], "c": []})
    elif tag == "a" and link(href):
        found.append({"k": "link", "url": link(href), "c": []})
    kinds = [KINDS[tag]] if tag in KINDS else []
    kinds += [name for name in given.get("class", "").split() if name in SPANS]
    return found + [{"k": kind, "c": []} for kind in kinds]


def nodes(markup: str) -> list[Node]:
    """Running text as nodes.

    >>> nodes('a <data value="1">1</data><br><cite>S</cite> &lt;b&gt;')
    ['a 1', {'k': 'br'}, {'k': 'cite', 'c': ['S']}, ' <b>']
    """
    return list(_read(str(markup)))


@lru_cache(maxsize=1 << 14)
def _read(markup: str) -> tuple[Node, ...]:
    """See :func:`nodes`; a text is asked for by each format at each depth, and changed by none."""
    if "<" not in markup and "&" not in markup:
        text = _SPACES.sub(" ", harmless(markup))
        return (text,) if text else ()
    parser = _Inline()
    parser.feed(markup)
    parser.close()
    return tuple(parser.nodes)


def plain(found: list[Node]) -> str:
    """The words of nodes, a line break as a space, a badge in brackets."""
    parts = []
    for node in found:
        inner = node if isinstance(node, str) else plain(node["c"]) if "c" in node else " "
        badge = isinstance(node, dict) and node["k"] in BADGES
        parts.append(f"[{inner}]" if badge else inner)
    return "".join(parts)


@dataclass(frozen=True)
class Document:
    """Title and sections of a report in one language.

    ``moment`` is the date files are stamped with, so that the same report gives the same bytes;
    ``depth`` is one of ``DEPTHS``, ``""`` where the report is not divided.
    """

    language: str
    title: Title
    sections: tuple[Section, ...]
    simulated: bool
    moment: datetime
    depth: str = ""

    @property
    def name(self) -> str:
        """Title in words, never longer than a running head or a tab can carry."""
        return named(plain(nodes(self.title.text)), self.language, self.simulated)

    @property
    def listed(self) -> bool:
        """Whether the sections are many enough for a table of contents."""
        return len(self.sections) > FEW and self.depth != BRIEF

    def word(self, kind: str) -> str:
        """What a numbered figure or table is called; those of an annex are counted apart."""
        return counted(kind, self.language, self.depth)

    @cached_property
    def anchors(self) -> list[str]:
        """Sections and places that a reference inside the report may lead to, each once."""
        found = {section.id: None for section in self.sections}
        for section in self.sections:
            to_json(section, lambda text: found.update(dict.fromkeys(_named(nodes(text)))))
        return list(found)


def counted(kind: str, language: str, depth: str) -> str:
    """What stands before the number of a ``figure`` or ``table``.

    >>> counted("table", "en", "annex")
    'Annex table'
    """
    return str(t(f"page.{kind}.annex" if depth == ANNEX else f"page.{kind}", language))


def named(title: str, language: str, simulated: bool) -> str:
    """A title in words, cut to a length, which says so where the data are simulated."""
    title = " ".join(harmless(title).split())
    if len(title) > LONGEST_NAME:
        title = title[: LONGEST_NAME - 1] + "…"
    word = str(t("page.simulated", language))
    return f"{title} ({word})" if simulated and word not in title.casefold() else title


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """What the cells of a notebook put out, in its order."""
    return (output for cell in notebook.cells for output in cell.get("outputs", []))


def read(
    notebook: NotebookNode,
    language: str,
    *,
    simulated: bool = False,
    depth: str = "",
    made: Collection[str] = (),
) -> Document:
    """Rebuild the report an executed notebook shows, at a depth; see
    :func:`evaluation.report.depths.arranged`.

    Raises
    ------
    ExportError : the notebook shows no title or no section of a report, or none at the depth.
    """
    parts = [part for of in arranged(stored_parts(notebook), depth, language, made) for part in of]
    titles = [part for part in parts if isinstance(part, Title)]
    sections = tuple(part for part in parts if isinstance(part, Section))
    if not titles or not sections:
        raise ExportError(NOTHING)
    return Document(language, titles[0], sections, simulated, moment(notebook), depth)


def filed(
    notebook: NotebookNode, *, simulated: bool = False, made: Collection[str] = ()
) -> tuple[Document, int]:
    """The report in the order of an official document, and how many attachments end it."""
    whole = stored_parts(notebook)
    if not any(isinstance(part, Title) for part in whole):
        raise ExportError(NOTHING)
    title, body, attachments = official(whole, "zh", made)
    sections = (*body, *attachments)
    document = Document("zh", title, sections, simulated, moment(notebook), REPORT)
    return document, len(attachments)


def stored_parts(notebook: NotebookNode) -> list[Part]:
    """The parts of a report an executed notebook carries, in its order."""
    return [part for output in outputs(notebook) if (part := stored(output.get("data", {})))]


def _named(part: list[Node]) -> Iterator[str]:
    """Identifiers of the anchors among nodes."""
    for node in part:
        if isinstance(node, dict):
            yield from [node["id"]] if node["k"] == "anchor" else []
            yield from _named(node.get("c", []))


def moment(notebook: NotebookNode) -> datetime:
    """Date to stamp files with: ``SOURCE_DATE_EPOCH``, else the report's own, else 1980.

    Raises
    ------
    KepuError : ``SOURCE_DATE_EPOCH`` is no number of seconds.
    """
    fixed = build_time()
    if fixed is not None:
        return max(fixed, EARLIEST)
    date = str(notebook.metadata.get("kepu", {}).get("date", ""))
    try:
        return max(datetime.fromisoformat(date).replace(tzinfo=UTC), EARLIEST)
    except ValueError:  # a notebook that was run by hand
        return EARLIEST


def printed(part: Sequence[Node]) -> str:
    """Words of nodes as wide as they are drawn: a badge has a frame, what stays together no break.

    >>> printed(["x ", {"k": "span", "c": ["2018–2020"]}]).isascii()
    False
    """
    texts = []
    for node in part:
        inner = node if isinstance(node, str) else printed(node["c"]) if "c" in node else "\n"
        kind = "" if isinstance(node, str) else node["k"]
        if kind in BADGES:
            inner = f"\u00a0{inner}\u00a0"
        texts.append(inner.replace("–", "\u2011") if kind == "span" else inner)
    return "".join(texts)


def advance(text: str) -> float:
    """Width of a text in em, of its widest line where it has several.

    >>> advance("内蒙古"), round(advance("10.04%"), 2)
    (3.0, 3.36)
    """
    return max(map(_line, text.split("\n")))


def _line(text: str) -> float:
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return WIDE * wide + NARROW * (len(text) - wide)


def longest(text: str) -> float:
    """Width of the widest piece that is not broken over lines, in em.

    Chinese breaks between any two characters; a number, a Latin word and their unit hold together.
    """
    pieces = re.findall(r"[^ \n\u2e80-\u9fff\uff00-\uffef]+", text)
    words = [part for piece in pieces for part in _BREAKS.split(piece) if part]
    chinese = unicodedata.east_asian_width(text[:1] or "a") == "W"
    return max([advance(word) for word in words] + [min(advance(text), SHORT) if chinese else 1.0])


def natural(text: str, numeric: bool = False) -> float:
    """Width at which a text stands on few lines: all of a short one, a share of a long one."""
    width, short = advance(text), 24 if numeric else COMPACT
    return width if width <= short else short + (width - short) ** 0.72


def columns(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    room: float,
    numeric: Collection[int] = (),
) -> tuple[list[float], float]:
    """Widths of columns, in em, and by how much they exceed the room if they must.

    Parameters
    ----------
    head, rows : texts of a table.
    room : width of the page, in em of the table's type.
    numeric : columns of numbers, which are better not broken over lines.

    Returns
    -------
    widths, sum to ``room`` ; excess over ``room`` of the least widths, 0 where the table fits.
    """
    cells = [[head[j], *(row[j] for row in rows)] for j in range(len(head))]
    least = [max(map(longest, column)) + PADDING for column in cells]
    wanted = [
        # A heading may take two lines, its column then takes the wider.
        max(
            low - PADDING,
            advance(column[0]) / 2,
            *(natural(text, j in numeric) for text in column[1:]),
        )
        + PADDING
        for j, (low, column) in enumerate(zip(least, cells, strict=True))
    ]
    excess = max(0.0, sum(least) - room)
    if excess:
        return [room * low / sum(least) for low in least], excess
    if sum(wanted) <= room:
        return [width * room / sum(wanted) for width in wanted], 0.0
    short = {j for j, column in enumerate(cells) if max(map(advance, column[1:])) <= COMPACT}
    return _shared(least, wanted, room, short.union(numeric)), 0.0


def _shared(
    least: Sequence[float], wanted: Sequence[float], room: float, urgent: Collection[int]
) -> list[float]:
    """Share the room: numbers and names are served before prose, which reads well on more lines."""
    found = list(least)
    for weight in (URGENT, 1.0):
        for _ in range(len(found)):
            need = [
                (want - has) * (weight if j in urgent else 1.0)
                for j, (want, has) in enumerate(zip(wanted, found, strict=True))
            ]
            spare = room - sum(found)
            if spare < 1e-6 or not any(need):
                break
            found = [
                min(want, has + spare * part / sum(need))
                for want, has, part in zip(wanted, found, need, strict=True)
            ]
    return [width * room / sum(found) for width in found]
