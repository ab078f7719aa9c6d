"""The documents that sources are: which file stands for which source, its text, its places.

A source names its file in the optional column ``file`` of ``sources.csv``; ``documents.csv`` beside
the documents (``source_id,file``) does so for a package that cannot be changed, and goes first.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from evaluation.base.errors import DataError, KepuError, Violation, shown
from evaluation.data.office.readers import text_of
from evaluation.data.tables import parse

MAPPING = "documents.csv"
REMEDY = f"write source_id,file into {MAPPING}, or the column file into sources.csv"
# Signs that look alike and are written one for another; each stands for one sign, so that a place
# in the text as it is read is a place in the text as it is written.
WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
ALIKE = WIDE | dict.fromkeys(map(ord, "–—―−‐‑～"), "-") | {ord("~"): "-"}
ALIKE |= dict.fromkeys(map(ord, "“”„«»「」『』"), '"') | dict.fromkeys(map(ord, "‘’"), "'")
MARKDOWN = re.compile(r"^(#{1,6})[ \t]+(\S.*)$", re.M)
_NUMBERS = r"第?[一二三四五六七八九十百]+[、章节编部]|[0-9]{1,2}[.、][ \t]?(?![0-9])"
NUMBERED = re.compile(rf"^[ \t]*((?:{_NUMBERS}).{{1,38}})$", re.M)
LONGEST_HEADING = 40
# A line that ends so, or that holds a sentence, is no heading.
SENTENCE = re.compile(r"[。；;！!？?：:,，、.|]\s*$|[。；：:]")


def alike(text: str) -> str:
    """Text with one width and one form of dashes and quotation marks, each sign in its place.

    >>> alike("１．３１％，“十四五”")
    '1.31%,"十四五"'
    """
    return text.translate(ALIKE)


@dataclass(frozen=True)
class Document:
    """One document: ``name`` of its file and its ``text``, pages parted by form feeds."""

    name: str
    text: str

    @cached_property
    def plain(self) -> str:
        """The text as it is compared; see :func:`alike`."""
        return alike(self.text)

    @cached_property
    def _lines(self) -> list[int]:
        return [found.end() for found in re.finditer(r"\n", self.text)]

    def line(self, place: int) -> int:
        """Number of the line a place is in, from 1."""
        return bisect_right(self._lines, place) + 1

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        """Place and words of the headings that part the document, title left out.

        Markdown headings of the highest level that has two or more; else lines numbered as
        headings are; else short lines between empty ones that are no sentences.
        """
        return self._marked or self._set_apart()

    @cached_property
    def guessed(self) -> bool:
        """Whether the headings are only lines that look so, and a section by number may be off."""
        return not self._marked

    @cached_property
    def _marked(self) -> list[tuple[int, str]]:
        """Headings by the marks of Markdown or by their own numbers."""
        levels: dict[int, list[tuple[int, str]]] = {}
        for found in MARKDOWN.finditer(self.text):
            levels.setdefault(len(found[1]), []).append((found.start(), found[2].strip()))
        for level in sorted(levels):
            if len(levels[level]) > 1:
                return levels[level]
        numbered = [(f.start(), f[1].strip()) for f in NUMBERED.finditer(self.text)]
        numbered = [found for found in numbered if not SENTENCE.search(found[1][3:])]
        return numbered if len(numbered) > 1 else []

    def _set_apart(self) -> list[tuple[int, str]]:
        """Short lines that stand apart; those before the first sentence are the title."""
        found, place, begun = [], 0, False
        lines = self.text.split("\n")
        spaced = lines.count("") * 4 > len(lines)  # else its paragraphs follow each other closely
        for number, line in enumerate(lines):
            words = line.strip()
            around = (*lines[max(number - 1, 0) : number], *lines[number + 1 : number + 2])
            apart = not any(each.strip() for each in around)
            alone = apart if spaced else not re.search(r"\d", words)
            short = 2 <= len(words) <= LONGEST_HEADING and not SENTENCE.search(words)
            if begun and alone and short:
                found.append((place, words))
            begun = begun or bool(words and not short)
            place += len(line) + 1
        return found

    def section(self, place: int) -> str:
        """Words of the heading a place stands under; ``""`` before the first."""
        before = [words for start, words in self.headings if start <= place]
        return before[-1] if before else ""


# Beginnings of a locator and the place they name: from where to where in a document.
Span = tuple[int, int]
_NUMBER = r"\s*(\d{1,4})\b"
_LOCATORS: tuple[tuple[str, Callable[[Document, str], Span | None]], ...] = (
    (rf"(?:section|part|chapter|§){_NUMBER}", lambda d, n: _section(d, int(n))),
    (r"第\s*(\d{1,3}|[一二三四五六七八九十]{1,3})\s*[节章部]", lambda d, n: _section(d, _whole(n))),
    (rf"(?:pages?|pp?\.){_NUMBER}", lambda d, n: _page(d, int(n))),
    (r"第\s*(\d{1,4})\s*页", lambda d, n: _page(d, int(n))),
    (rf"lines?{_NUMBER}", lambda d, n: _line(d, int(n))),
    (r"第\s*(\d{1,6})\s*行", lambda d, n: _line(d, int(n))),
    (r"((?:title|opening|lead|introduction)\b|标题|开头|导语|引言)", lambda d, _: _section(d, 0)),
    (r"((?:closing|ending|conclusion)\b|结尾|结语)", lambda d, _: _section(d, len(d.headings))),
)
LOCATORS = tuple((re.compile(pattern, re.I), place) for pattern, place in _LOCATORS)


def place_of(document: Document, locator: str) -> Span | None:
    """Where in a document a locator leads: first place and the one after the last.

    Known are sections, pages and lines by number, opening and closing, and words the document
    itself has (a heading, a caption), which hold up to the next heading.

    Returns
    -------
    None where the document has no such place, or the locator cannot be understood.
    """
    locator = alike(locator).strip()
    for pattern, place in LOCATORS:
        if found := pattern.match(locator):
            return place(document, found[1])
    words = re.escape(locator)
    found = re.search(words, document.plain) if len(locator) > 1 else None
    if not found:
        return None
    ends = [start for start, _ in document.headings if start > found.end()]
    return found.start(), min(ends, default=len(document.text))


def _whole(text: str) -> int:
    digits = "一二三四五六七八九"
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    value = 10 * (digits.find(tens) + 1 if tens else 1) if ten else 0
    return value + digits.find(ones) + 1 if ones else value


def _section(document: Document, number: int) -> Span | None:
    """Section by number; 0 is what stands before the first."""
    starts = [0, *(start for start, _ in document.headings), len(document.text)]
    return (starts[number], starts[number + 1]) if number < len(starts) - 1 else None


def _page(document: Document, number: int) -> Span | None:
    pages = document.text.split("\f")
    if len(pages) < 2 or not 0 < number <= len(pages):
        return None
    start = sum(len(page) + 1 for page in pages[: number - 1])
    return start, start + len(pages[number - 1])


def _line(document: Document, number: int) -> Span | None:
    """A line, with one more on either side: editors count wrapped lines in their own way."""
    starts = [0, *document._lines, len(document.text)]
    if not 0 < number < len(starts):
        return None
    return starts[max(number - 2, 0)], starts[min(number + 1, len(starts) - 1)]


def read(path: Path) -> Document:
    """Read one document; see :func:`evaluation.data.office.readers.text_of` for what is refused."""
    return Document(path.name, text_of(path))


def assigned(sources: pd.DataFrame, folder: Path) -> dict[str, list[Path]]:
    """The files of each source that stand in a folder.

    Parameters
    ----------
    sources : ``sources.csv``, where ``file`` holds one name or several, separated by semicolons.

    Raises
    ------
    KepuError : no such folder; the mapping names an unknown source or a file that is not there.
    """
    if not folder.is_dir():
        raise KepuError(f"{shown(folder)} is no folder — name the folder of the documents")
    declared = sources["file"] if "file" in sources else pd.Series("", index=sources.index)
    named = dict(zip(sources["source_id"], declared, strict=True))
    own = dict(_mapped(folder, set(named)))
    found = {}
    for source, files in (named | own).items():
        paths = [folder / name.strip() for name in files.split(";") if name.strip()]
        if there := [path for path in paths if _stands(path, folder)]:
            found[source] = there
    return found


def _stands(path: Path, folder: Path) -> bool:
    """Whether a path is a file of the folder itself: no step up, no link that leads out."""
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _mapped(folder: Path, known: set[str]) -> Iterator[tuple[str, str]]:
    """Sources and files of ``documents.csv``, where there is one."""
    path = folder / MAPPING
    if not path.is_file():
        return
    frame = parse(MAPPING, path.read_bytes()).frame
    faults: list[Violation] = []
    missing = [name for name in ("source_id", "file") if name not in frame]
    if missing:
        raise DataError([Violation(MAPPING, 1, missing[0], "column is missing", "add the column")])
    files: dict[str, list[str]] = {}
    for row, source, file in zip(frame.index, frame["source_id"], frame["file"], strict=True):
        if source not in known:
            rule = f"'{source}' is not in sources.csv"
            faults.append(Violation(MAPPING, row, "source_id", rule, "correct it, or add it there"))
        elif not _stands(folder / file, folder):
            rule = f"'{file}' does not stand in the folder"
            faults.append(Violation(MAPPING, row, "file", rule, "correct the name of the file"))
        files.setdefault(source, []).append(file)
    if faults:
        raise DataError(faults)
    yield from ((source, ";".join(names)) for source, names in files.items())
