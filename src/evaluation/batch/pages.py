"""Read a finished page back: each number on it, what it comes from, and the words about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from evaluation.base.errors import KepuError, shown
from evaluation.base.files import read_text
from evaluation.batch import state

LARGEST = 64_000_000  # bytes of one page
# The smallest pieces of a page that say something by themselves.
PIECES = ("li", "p", "tr", "figcaption", "caption", "dd", "dt", "h1", "h2", "h3")
CELLS = ("td", "th")
FINDINGS = "findings"


@dataclass
class Piece:
    """A piece of a page: its ``section``, its ``words`` and the ``sources`` it cites."""

    tag: str
    section: str
    parts: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        return " ".join("".join(self.parts).split())


@dataclass(frozen=True)
class Number:
    """A number on a page: as shown, its exact value, and the fact or the result it names."""

    text: str
    value: str
    fact: str
    result: str
    piece: Piece


@dataclass(frozen=True)
class Page:
    """A page as it was read: its file, its numbers, its results in full precision by key."""

    file: str
    language: str
    title: str
    numbers: list[Number]
    results: dict[str, float]
    findings: list[str]

    def facts(self) -> dict[str, str]:
        """Facts the page shows, each as it is first shown."""
        found: dict[str, str] = {}
        for number in self.numbers:
            if number.fact:
                found.setdefault(number.fact, number.text)
        return found


class _Reader(HTMLParser):
    """Gather numbers and pieces; whatever else is on the page is passed over."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[Number] = []
        self.findings: list[Piece] = []
        self.language, self.title, self.record = "", "", ""
        self._sections: list[str] = []
        self._pieces: list[Piece] = []
        self._number: tuple[dict[str, str], list[str]] | None = None
        self._inside = ""  # title, results, script or style: what text goes where
        self._drawn = 0  # drawings we are in: their texts belong to no piece of the page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "svg" or self._drawn:
            self._drawn += tag == "svg"
        elif tag == "html":
            self.language = given.get("lang", "")[:2]
        elif tag == "section":
            self._sections.append(given.get("id", ""))
        elif tag in PIECES:
            self._pieces.append(Piece(tag, self._sections[-1] if self._sections else ""))
        elif tag in ("title", "script", "style"):
            self._inside = tag
        elif tag == "template" and given.get("id") == "results":
            self._inside = "results"
        elif tag == "data":
            self._number = given, []
        elif tag in CELLS and self._pieces:
            self._pieces[-1].parts.append(" · " if self._pieces[-1].parts else "")
        elif tag == "cite":
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        if self._drawn:
            self._drawn -= tag == "svg"
        elif tag == "section" and self._sections:
            self._sections.pop()
        elif tag in PIECES and any(piece.tag == tag for piece in self._pieces):
            while (piece := self._pieces.pop()).tag != tag:
                pass
            if tag == "li" and piece.section == FINDINGS:
                self.findings.append(piece)
        elif tag == "data" and self._number:
            (given, parts), self._number = self._number, None
            piece = self._pieces[-1] if self._pieces else Piece("", "")
            fact, result = given.get("data-fact", ""), given.get("data-result", "")
            text, value = "".join(parts), given.get("value", "")
            self.numbers.append(Number(text, value, fact, result, piece))
        elif tag in ("title", "script", "style", "template", "cite"):
            self._inside = ""
        elif tag == "strong" and self._pieces and len(self._pieces[-1].parts) == 1:
            self._pieces[-1].parts.append(" ")  # a label, which stands apart from its sentence

    def handle_data(self, data: str) -> None:
        if self._drawn:
            return
        if self._inside == "title":
            self.title += data
        elif self._inside == "results":
            self.record += data
        elif self._inside not in ("script", "style"):
            if self._inside == "cite" and self._pieces:
                self._pieces[-1].sources.append(data.strip())
            if self._number:
                self._number[1].append(data)
            if self._pieces:
                self._pieces[-1].parts.append(data)


def parse(text: str, file: str) -> Page:
    """Read the text of a page.

    Raises
    ------
    KepuError : it is no page of a report: it has no record of results that can be read.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    try:
        results = json.loads(reader.record)
        sound = isinstance(results, dict)
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise KepuError(f"{shown(file)} is no page of a report (it has no results) — name a page")
    findings = [piece.words for piece in reader.findings]
    title = " ".join(reader.title.split())
    return Page(file, reader.language, title, reader.numbers, results, findings)


def read(path: Path) -> Page:
    """Read one page; see :func:`parse`."""
    return parse(read_text(path, LARGEST, "name a page of a report"), path.name)


def edition(out: Path) -> tuple[dict[str, Any], list[Page]]:
    """What a folder of reports says of its run, and its pages.

    Raises
    ------
    KepuError : no folder, no manifest, or a page of the manifest cannot be read.
    """
    if not out.is_dir():
        raise KepuError(f"{shown(out)} is no folder — name a folder of reports")
    known = state.read(out)
    if not known.entries:
        raise KepuError(f"{shown(out)} has no reports by its manifest.json — name another folder")
    return dict(known.run), list(_pages(out, known))


def _pages(out: Path, known: state.Known) -> Iterator[Page]:
    for stem in sorted(known.entries):
        entry = known.entries[stem]
        written = (f["name"] for kind, f in entry["files"].items() if kind.endswith("html"))
        for name in dict.fromkeys([*filter(None, [entry["file"]]), *written]):
            path = out / name
            if path.is_file():  # a page kept at an address elsewhere is not read
                yield read(path)
