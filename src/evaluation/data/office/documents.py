"""The documents that sources are: which file stands for which source, its text, its places.

A source names its file in the optional column ``file`` of ``sources.csv``; ``documents.csv`` beside
the documents (``source_id,file``) does so for a package that cannot be changed, and goes first.
"""

from __future__ import annotations

import re
import zipfile
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import error as ZlibError

import pandas as pd

from evaluation.base.errors import DataError, KepuError, Violation, shown
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
    """Read one document; see :func:`text_of` for what is refused."""
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


# ------------------------------------------------------------------------------------------
# The text of a document.


LARGEST = 64_000_000  # bytes of a file
LARGEST_UNPACKED = 200_000_000  # bytes of all parts of a docx
MOST_PARTS, MOST_PAGES = 5_000, 3_000
LONGEST_TEXT = 1_000_000  # characters of one document
# What libraries raise on files that are spoilt; anything else is an error of this program.
SPOILT = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError,
          EOFError, RecursionError, MemoryError, NotImplementedError, UnicodeError, OSError,
          zipfile.BadZipFile, ZlibError)  # fmt: skip
_BLOCKS = re.compile(
    "address|article|aside|blockquote|br|caption|center|d[dlt]|div|fieldset|figcaption|figure|footer|"
    "form|h[1-6r]|header|li|main|[ou]l|p|pre|section|table|tbody|thead|tr"
)
_UNSEEN = frozenset(["script", "style", "noscript", "template", "head", "nav", "svg", "iframe"])


def text_of(path: Path) -> str:
    """The text of a document; lines end with a newline, pages are parted by form feeds.

    Raises
    ------
    KepuError : no regular file, too large, of a kind that is not read, encrypted, spoilt, or
        without text (a scan).
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(READERS))
        raise KepuError(f"{shown(path)} is of no kind that is read here ({known}) — convert it")
    try:
        if not path.is_file():
            raise KepuError(f"{shown(path)} is no regular file — name a document")
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # a ValueError: NUL in a path
        reason = getattr(error, "strerror", None) or error
        raise KepuError(f"{shown(path)} cannot be read ({reason}) — name a document") from None
    if len(content) > LARGEST:
        raise KepuError(f"{shown(path)} is larger than {LARGEST:,} bytes — split it")
    text = reader(content, shown(path)).replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\0", " ")
    if len(text) > LONGEST_TEXT:
        raise KepuError(f"{shown(path)} has more than {LONGEST_TEXT:,} characters — split it")
    if not text.strip():
        raise KepuError(f"{shown(path)} has no text — a scan must be recognised (OCR) first")
    return text


def _txt(content: bytes, name: str) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise KepuError(f"{name} is no text in UTF-8, UTF-16 or GB18030 — save it as UTF-8")


def _docx(content: bytes, name: str) -> str:
    import docx

    _bounded(content, name)
    try:
        document = docx.Document(BytesIO(content))
        return "\n".join(_blocks(document))
    except KepuError:
        raise
    except (*SPOILT, SyntaxError, docx.opc.exceptions.OpcError) as error:
        raise _spoilt(name, "Word document", error) from None


def _bounded(content: bytes, name: str) -> None:
    """Refuse a packed file that would be too large unpacked, before anything of it is unpacked."""
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise KepuError(
            f"{name} is an encrypted document or one of the old format (doc) — save it as docx "
            "without a password"
        )
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
    except SPOILT as error:
        raise _spoilt(name, "Word document", error) from None
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > LARGEST_UNPACKED:
        raise KepuError(
            f"{name} holds {len(parts):,} parts of {unpacked:,} bytes unpacked, more than "
            f"{MOST_PARTS:,} or {LARGEST_UNPACKED:,} — remove its pictures, or split it"
        )


def _blocks(container: Any, depth: int = 0) -> Iterator[str]:
    """Paragraphs and rows of tables in their order; cells of a row are parted by a bar."""
    for block in container.iter_inner_content():
        if hasattr(block, "rows"):
            for row in block.rows if depth < 4 else ():
                cells = dict.fromkeys(row.cells)  # a merged cell comes once
                yield " | ".join(" ".join(_blocks(cell, depth + 1)) for cell in cells)
        else:
            mark = "# " if (block.style.name or "").startswith(("Heading", "Title")) else ""
            yield mark + block.text if block.text.strip() else ""


def _pdf(content: bytes, name: str) -> str:
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong is told below
    try:
        reader = pypdf.PdfReader(BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise KepuError(f"{name} is encrypted — save it without a password")
        if len(reader.pages) > MOST_PAGES:
            raise KepuError(f"{name} has more than {MOST_PAGES:,} pages — split it")
        return "\f".join(page.extract_text() for page in reader.pages)
    except KepuError:
        raise
    except (*SPOILT, pypdf.errors.PyPdfError, pypdf.errors.DependencyError) as error:
        raise _spoilt(name, "PDF", error) from None


def _spoilt(name: str, kind: str, error: BaseException) -> KepuError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return KepuError(f"{name} is no readable {kind} ({reason}) — save it again, or as text")


class _Words(HTMLParser):
    """The words of a page that a reader sees, one block on a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSEEN:
            self.hidden.append(tag)
        elif tag == "body":
            self.hidden.clear()  # a head that nobody closed
        elif _BLOCKS.fullmatch(tag):
            self.parts.append("\n# " if tag in ("h1", "h2", "h3", "h4") else "\n")
        elif tag in ("td", "th"):
            self.parts.append(" | ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.hidden:
            del self.hidden[self.hidden.index(tag) :]
        elif _BLOCKS.fullmatch(tag) and not self.hidden:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(re.sub(r"\s+", " ", data))


def _html(content: bytes, name: str) -> str:
    head = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{2,20})", content[:4096])
    chinese = head and head[1].lower() in (b"gb2312", b"gbk", b"gb18030")
    text = content.decode("gb18030", "replace") if chinese else _txt(content, name)
    words = _Words()
    try:
        words.feed(text)
        words.close()
    except SPOILT as error:
        raise _spoilt(name, "page", error) from None
    return re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(words.parts))


READERS: dict[str, Callable[[bytes, str], str]] = {
    ".txt": _txt, ".md": _txt, ".docx": _docx, ".pdf": _pdf, ".html": _html, ".htm": _html,
}  # fmt: skip


# ------------------------------------------------------------------------------------------
# Look each fact up in the document its source is.


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
        places=tuple(
            Place(document.line(a), document.section(a),
                  " ".join(document.text[max(a - AROUND, 0) : b + AROUND].split()))
            for a, b in where[:MOST_PLACES]
        ),
        hint=_hint(document, figure) if status == MISSING else "",
    )  # fmt: skip


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
        min(  # of a source in several files, the file that has the figure best
            (look_up(documents[path], fact, source) for path in files[source]),
            key=lambda verdict: STATUSES.index(verdict.status),
        )
        for fact in cited.to_dict("records")
        for source in fact["source_id"].split(";")
        if source in files
    ]


def unnamed(sources: pd.DataFrame, folder: Path) -> Iterator[str]:
    """Names of files of a folder that no source names, hidden ones and the mapping left out."""
    named = {path.name for paths in assigned(sources, folder).values() for path in paths}
    for path in sorted(folder.iterdir()):
        told = path.name in named or path.name == MAPPING or path.name.startswith(".")
        if path.is_file() and not told:
            yield path.name
