"""The HTML of a report as a tree whose pieces are slices of the very text it was read from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from markupsafe import Markup

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
