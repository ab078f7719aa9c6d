"""Look each fact up in the document its source is: is the figure there, and where it is said to be?

A figure is compared as it is written, whatever the width of its signs and the spaces within it.
It is no part of a longer one: ``20个`` stands neither in ``120个`` nor in ``第20个``, and
``62万人`` not in ``62万人次``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.base.errors import KepuError, shown
from evaluation.data.office.documents import (
    MAPPING,
    REMEDY,
    Document,
    alike,
    assigned,
    place_of,
    read,
)

FOUND, ELSEWHERE, MISSING = "found", "found elsewhere", "not found"
AMBIGUOUS, UNWRITTEN = "ambiguous", "nothing written"
STATUSES = (FOUND, ELSEWHERE, AMBIGUOUS, MISSING, UNWRITTEN)
AROUND = 24  # signs shown on either side of a figure
MOST_PLACES = 5  # places told of one figure
GAP = 200  # signs an ellipsis in a figure may stand for
ELLIPSIS = re.compile(r"\s*(?:…+|\.{3,})\s*")
# What makes a number or a unit a longer one.
BEFORE = r"(?<![0-9])(?<![0-9]\.)(?<![0-9],(?=[0-9]{3}(?![0-9])))(?<!第)"
NUMERALS = "一二三四五六七八九十百千万亿零〇两"
AFTER_DIGIT = rf"(?![0-9]|\.[0-9]|,[0-9]{{3}}(?![0-9])|\s*[%‰{NUMERALS}])"
AFTER_UNIT = r"(?!次)"


@dataclass(frozen=True)
class Place:
    """Where a figure stands: line from 1, heading above it, the words around it."""

    line: int
    section: str
    excerpt: str


@dataclass(frozen=True)
class Verdict:
    """What became of one fact in one document.

    Attributes
    ----------
    status : ``found``: at its place, or once in a document where the locator names none;
        ``found elsewhere``: not at its place; ``ambiguous``: several times where it was looked
        for, so that none can be told to be it; ``not found``; ``nothing written``: the fact has no
        ``figure_as_written``.
    located : whether the locator leads to a place in the document.
    places : where it stands, at its place first, the first five.
    count : how often it stands where it was looked for, or elsewhere.
    hint : the number with other words about it, where the figure itself is not there.
    """

    fact_id: str
    source_id: str
    file: str
    figure: str
    locator: str
    status: str
    located: bool
    count: int
    places: tuple[Place, ...] = ()
    hint: str = ""

    def record(self) -> dict[str, Any]:
        """The verdict as plain JSON values, the figure as ``figure_as_written``."""
        rest = asdict(self)
        first = {name: rest.pop(name) for name in ("fact_id", "source_id", "file")}
        return first | {"figure_as_written": rest.pop("figure")} | rest

    def __str__(self) -> str:
        first = f", line {self.places[0].line}" if self.places else ""
        hint = f" ({self.hint})" if self.hint else ""
        count = f", {self.count} times" if self.count > 1 else ""
        return (
            f"{self.fact_id} {self.status}: '{self.figure}' in {self.file}{first}{count}, "
            f"said to be at '{self.locator}'{hint}"
        )


def pattern(figure: str) -> re.Pattern[str]:
    """What finds a figure as it is written and no longer one.

    >>> bool(pattern("62万人").search("62 万人在线")), bool(pattern("62万人").search("62万人次"))
    (True, False)
    """
    figure = alike(figure).strip()
    parts = [_spaced(part) for part in ELLIPSIS.split(figure) if part]
    found = rf"[\s\S]{{0,{GAP}}}?".join(parts)
    first, last = figure[:1], figure[-1:]
    before = BEFORE if first.isdecimal() else ""
    before = rf"(?<![第{NUMERALS}])" if first in NUMERALS and first else before
    after = AFTER_DIGIT if last.isdecimal() else ""
    after += "" if last == "次" or not re.search("[人场篇件条]$", figure) else AFTER_UNIT
    return re.compile(before + found + after)


def _spaced(text: str) -> str:
    """A pattern for text with spaces anywhere but between two digits that are written close."""
    found, previous, apart = "", "", False
    for sign in text:
        if sign.isspace():
            apart = True
            continue
        digits = previous.isdecimal() and sign.isdecimal()
        # 1,234 is 1234: a comma before three digits may be there or not.
        close = r",?" if digits and not apart else r"\s*"
        if sign == "," and previous.isdecimal():
            previous, apart = sign, False
            continue
        if previous == "," and sign.isdecimal():
            close = r",?"
        elif previous == ",":
            close = r"\s*,\s*"
        found += (close if previous else "") + re.escape(sign)
        previous, apart = sign, False
    return found


def look_up(document: Document, fact: Mapping[str, Any], source: str) -> Verdict:
    """Look one fact up in one document of one of its sources."""
    figure, locator = str(fact["figure_as_written"]), str(fact["locator"])
    span = place_of(document, locator)
    spans = [found.span() for found in pattern(figure).finditer(document.plain)] if figure else []
    inside = [s for s in spans if span and span[0] <= s[0] < span[1]]
    if not inside and document.guessed:  # a place that was guessed is no ground for a reproach
        span = None
    where = inside or spans
    if not figure:
        status = UNWRITTEN
    elif not spans:
        status = MISSING
    elif span and not inside:
        status = ELSEWHERE
    else:
        status = FOUND if len(where) == 1 else AMBIGUOUS
    return Verdict(
        str(fact["fact_id"]), source, document.name, figure, locator, status,
        located=span is not None, count=len(where),
        places=tuple(_place(document, *found) for found in where[:MOST_PLACES]),
        hint=_hint(document, figure) if status == MISSING else "",
    )  # fmt: skip


def _place(document: Document, start: int, end: int) -> Place:
    around = document.text[max(start - AROUND, 0) : end + AROUND]
    return Place(document.line(start), document.section(start), " ".join(around.split()))


def _hint(document: Document, figure: str) -> str:
    """Where the bare number of a figure stands, with what follows it there."""
    number = re.search(r"[0-9][0-9,]*(?:\.[0-9]+)?", alike(figure))
    if not number:
        return ""
    bare = BEFORE + re.escape(number[0]) + r"(?![0-9]|\.[0-9])"
    found = re.search(bare, document.plain)
    if not found:
        return f"the number {number[0]} is not in the document"
    words = " ".join(document.text[found.start() : found.end() + 8].split())
    return f"line {document.line(found.start())} has '{words}'"


def verify(facts: pd.DataFrame, sources: pd.DataFrame, folder: Path) -> list[Verdict]:
    """Look up every fact whose source is a document that stands in ``folder``.

    Parameters
    ----------
    facts, sources : tables of a data package.

    Returns
    -------
    list of one verdict a fact and document, in the order of the facts.

    Raises
    ------
    KepuError : no such folder, a document that cannot be read, or none that a source names.
    """
    files = assigned(sources, folder)
    if not files:
        raise KepuError(f"no source names a document that stands in {shown(folder)} — {REMEDY}")
    documents = {path: read(path) for paths in files.values() for path in paths}
    cited = facts[
        facts["source_id"].str.split(";").map(lambda ids: not files.keys().isdisjoint(ids))
    ]
    return [
        _best([look_up(documents[path], fact, source) for path in files[source]])
        for fact in cited.to_dict("records")
        for source in fact["source_id"].split(";")
        if source in files
    ]


def _best(verdicts: list[Verdict]) -> Verdict:
    """Of a source in several files, the file that has the figure best."""
    return min(verdicts, key=lambda verdict: STATUSES.index(verdict.status))


def unnamed(sources: pd.DataFrame, folder: Path) -> Iterator[str]:
    """Names of files of a folder that no source names, hidden ones and the mapping left out."""
    named = {path.name for paths in assigned(sources, folder).values() for path in paths}
    for path in sorted(folder.iterdir()):
        told = path.name in named or path.name == MAPPING or path.name.startswith(".")
        if path.is_file() and not told:
            yield path.name
