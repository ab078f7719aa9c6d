"""The text of a document: txt and md (UTF-8, UTF-16, GB18030), docx, pdf with text, html.

Whatever is in a file, a reader gives its text, pages parted by form feeds, or refuses with a
message. Nothing a file names (links, images, entities) is opened.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from zlib import error as ZlibError

from evaluation.base.errors import KepuError, shown

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
