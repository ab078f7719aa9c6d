"""Finished pages read back: each number, what it comes from; what changed between two editions."""

from __future__ import annotations

import json
import math
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
    pages = []
    for _, entry in sorted(known.entries.items()):
        written = (f["name"] for kind, f in entry["files"].items() if kind.endswith("html"))
        for name in dict.fromkeys([*filter(None, [entry["file"]]), *written]):
            if (out / name).is_file():  # a page kept at an address elsewhere is not read
                pages.append(read(out / name))
    return dict(known.run), pages


# ------------------------------------------------------------------------------------------
# What changed between two editions.


RUN = ("date", "data_hash", "commit", "package")
SAME = 1e-9  # relative; two runs of one seed agree to the last digits but few


@dataclass(frozen=True)
class Moved:
    """A result or a fact whose number is another: its key, old and new value, on which pages.

    A value is None where an edition has no such number.
    """

    key: str
    old: float | None
    new: float | None
    pages: tuple[str, ...]

    def __str__(self) -> str:
        old, new = ("none" if v is None else f"{v:.6g}" for v in (self.old, self.new))
        return f"{self.key}: {old} → {new} ({', '.join(self.pages)})"


@dataclass(frozen=True)
class Finding:
    """A key finding that says something else; ``because`` are its numbers that moved."""

    page: str
    old: str
    new: str
    because: tuple[str, ...]


@dataclass(frozen=True)
class Edition:
    """Changes from one edition to the next.

    ``run``: what the runs themselves were, where that differs, old and new.
    """

    run: dict[str, tuple[str, str]]
    pages_added: tuple[str, ...]
    pages_removed: tuple[str, ...]
    results: tuple[Moved, ...]
    facts: tuple[Moved, ...]
    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return any(part for name, part in vars(self).items() if name != "run")


def compare(old: Path, new: Path) -> Edition:
    """Compare two folders of reports, page by page of the same name.

    Raises
    ------
    KepuError : see :func:`edition`.
    """
    (run_before, before), (run_after, after) = edition(old), edition(new)
    first, second = ({page.file: page for page in each} for each in (before, after))
    both = [(first[name], second[name]) for name in first if name in second]
    facts = [
        (*({n.fact: float(n.value) for n in page.numbers if n.fact} for page in (a, b)), b.file)
        for a, b in both
    ]
    results = [(a.results, b.results, b.file) for a, b in both]
    moved = _moved(results), _moved(facts)
    keys = {item.key for each in moved for item in each}
    runs = ((name, str(run_before.get(name, "")), str(run_after.get(name, ""))) for name in RUN)
    return Edition(
        {name: (a, b) for name, a, b in runs if a != b},
        tuple(name for name in second if name not in first),
        tuple(name for name in first if name not in second),
        *moved,
        tuple(finding for a, b in both for finding in _findings(a, b, keys)),
    )


def _moved(compared: list[tuple[dict[str, float], dict[str, float], str]]) -> tuple[Moved, ...]:
    """Numbers that differ, the same change on several pages told once."""
    found: dict[tuple[str, float | None, float | None], list[str]] = {}
    for old, new, page in compared:
        for key in dict.fromkeys([*old, *new]):
            before, after = old.get(key), new.get(key)
            known = before is not None and after is not None
            if not known or not math.isclose(before, after, rel_tol=SAME, abs_tol=1e-12):
                found.setdefault((key, before, after), []).append(page)
    return tuple(Moved(*change, tuple(where)) for change, where in found.items())


def _findings(old: Page, new: Page, moved: set[str]) -> Iterator[Finding]:
    """Findings in the order of the page; each answers its own question, so place is identity."""
    for place in range(max(len(old.findings), len(new.findings))):
        texts = (page.findings[place : place + 1] for page in (old, new))
        before, after = ("".join(text) for text in texts)
        if before != after:
            told = {
                number.result or number.fact
                for page, words in ((old, before), (new, after))
                for number in page.numbers
                if number.piece.section == FINDINGS and number.piece.words == words
            }
            yield Finding(new.file, before, after, tuple(sorted(told & moved)))


def lines(edition: Edition) -> Iterator[str]:
    """The changes in plain lines, findings first."""
    yield from (f"{name}: {a or 'none'} → {b or 'none'}" for name, (a, b) in edition.run.items())
    yield from (f"new page {name}" for name in edition.pages_added)
    yield from (f"page {name} is gone" for name in edition.pages_removed)
    for finding in edition.findings:
        why = f" [{', '.join(finding.because)}]" if finding.because else ""
        yield f"finding on {finding.page}{why}:"
        yield f"  was: {finding.old or '(none)'}"
        yield f"  is:  {finding.new or '(none)'}"
    yield from (f"result {item}" for item in edition.results)
    yield from (f"fact {item}" for item in edition.facts)
    if not edition:
        yield "nothing a page says has changed"
