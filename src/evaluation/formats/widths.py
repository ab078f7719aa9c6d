"""How wide the columns of a printed table must be, estimated from its text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from evaluation.formats.inline import BADGES, Node

WIDE, NARROW = 1.0, 0.56  # advance of a Chinese and of a Latin letter, in em
PADDING = 1.0  # space beside the text of a cell, in em
URGENT = 15.0  # how much rather a column of numbers or names is widened than one of prose
BRIEF = 12.0  # a text up to this width, a name or a date, stands better on one line, in em
SHORT = 4.0  # of a Chinese text, what stays on one line where it can, in em
_BREAKS = re.compile(r"(?<=[\-–—/,;:\u200b])(?!\d)")


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
    width, short = advance(text), 24 if numeric else BRIEF
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
    short = {j for j, column in enumerate(cells) if max(map(advance, column[1:])) <= BRIEF}
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
