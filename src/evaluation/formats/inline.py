"""Running text of a report, from markup to a small tree that any format can draw.

A node is a text or a mapping with its kind ``k``, its content ``c`` and, for links and anchors,
where they lead (``to``, inside the report; ``url``, outside) or what they are called (``id``).
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from evaluation.web import link

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
        text = re.sub(r"[ \t\r\n]+", " ", harmless(data))
        if text:
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
    parser = _Inline()
    parser.feed(str(markup))
    parser.close()
    return _merged(parser.nodes)


def _merged(found: list[Node]) -> list[Node]:
    out: list[Node] = []
    for node in found:
        if isinstance(node, dict):
            out.append({**node, "c": _merged(node["c"])} if "c" in node else node)
        elif out and isinstance(out[-1], str):
            out[-1] += node
        else:
            out.append(node)
    return out


def plain(found: list[Node]) -> str:
    """The words of nodes, a line break as a space, a badge in brackets."""
    parts = []
    for node in found:
        inner = node if isinstance(node, str) else plain(node["c"]) if "c" in node else " "
        badge = isinstance(node, dict) and node["k"] in BADGES
        parts.append(f"[{inner}]" if badge else inner)
    return "".join(parts)
