"""Every format of a report from one executed notebook; its page, which stands alone.

A page holds no code, loads no address and runs no script but the one that sorts tables. It shows
what the code cells display; the notebook's own prose speaks to its readers and stays there, except
for cells tagged ``page``. Each table is a CSV file as well, which a spreadsheet opens as data and
never as a formula (OWASP, *CSV Injection*): a cell that begins with a sign a spreadsheet may take
for the start of a formula gets an apostrophe before it, and every cell is quoted. A number is safe
as it stands, since nothing but a sign, digits and one point can be in it; it stays a number.
"""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from itertools import count
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from evaluation.base import text as web
from evaluation.base.errors import KepuError
from evaluation.base.text import COMMON, DEPTHS, FORMATS, OFFICIAL, file_stem, t
from evaluation.figures.svg import themed
from evaluation.report.blocks import MIME, Block, Part, Table
from evaluation.report.depths import ANNEX, NAMES, REPORT, arranged, places
from evaluation.report.document import (
    Document,
    ExportError,
    counted,
    filed,
    harmless,
    named,
    nodes,
    outputs,
    plain,
    read,
    stored_parts,
)

TEMPLATES = files("evaluation.report") / "templates"
LOADING = {"src", "srcset", "poster", "background", "action", "formaction"}
LANG = {"zh": "zh-CN", "en": "en"}
WORDS = ("contents", "all", "simulated", "banner", "skip")
SORTABLE = 'class="kepu sortable"'
_HELD = re.compile(r"<!--part (\d+)-->")
# Full-width forms are turned into the ASCII signs by East Asian spreadsheets.
TRIGGERS = tuple("=+-@\t\r\n＝＋－＠−")
NUMBER = re.compile(r"[+\-−]?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?%?")
ENDS = ("low", "high", "more")
_RECORD = re.compile(r'<template id="results">(.*?)</template>', re.DOTALL)
_INTERVAL = re.compile(
    r'^<data [^>]*>(?P<value>[^<]*)</data>\s*[(（]<data [^>]*\.low">(?P<low>[^<]*)</data>[^<]*'
    r'<data [^>]*\.high">(?P<high>[^<]*)</data>(?P<unit>[^<]*?)[)）](?P<rest>.*)$',
    re.DOTALL,
)


def write(
    notebook: NotebookNode,
    language: str,
    formats: Collection[str] = COMMON,
    *,
    simulated: bool = False,
    reference: Path | None = None,
    depth: str = "",
    made: Collection[str] = (),
) -> dict[str, bytes]:
    """Make the files of a report at one depth; the same notebook gives the same bytes.

    Parameters
    ----------
    notebook : executed notebook whose cells show ``report.title(page)`` and the sections. For
        ``html`` alone any notebook that displays something will do.
    language : ``"zh"`` or ``"en"``.
    formats : some of ``FORMATS``; ``official`` of a Chinese report or one undivided, whose
        attachments are the annex where it is among those ``made``.
    simulated : whether every format must say that the data are simulated.
    reference : a .docx whose styles the Word report takes; ours where ``None``.
    depth : one of ``DEPTHS``; ``""`` for the report undivided.
    made : depths written beside it, which it may lead to.

    Returns
    -------
    dict of the files' bytes by format, in the order of ``FORMATS``.

    Raises
    ------
    KepuError : an unknown format; an ``ExportError`` where a notebook cannot become a format.
    """
    _known(formats, language, depth)
    written: dict[str, bytes] = {}
    told = {"simulated": simulated, "depth": depth, "made": made}
    if "html" in formats:
        written["html"] = to_html(notebook, language, **told).encode()
    if {"pdf", "docx"} & set(formats):
        written |= _documents(read(notebook, language, **told), formats, reference)
    if OFFICIAL in formats:
        from evaluation.report.official import to_official

        written[OFFICIAL] = to_official(*filed(notebook, simulated=simulated, made=made))
    return written


def _documents(
    document: Document, formats: Collection[str], reference: Path | None
) -> dict[str, bytes]:
    """PDF and Word of a document, as far as they are asked for."""
    made: dict[str, bytes] = {}
    if "pdf" in formats:  # the libraries of a format load when it is asked for
        from evaluation.report.pdf import to_pdf

        made["pdf"] = to_pdf(document)
    if "docx" in formats:
        from evaluation.report.word import to_docx

        made["docx"] = to_docx(document, reference.read_bytes() if reference else None)
    return made


def _known(formats: Collection[str], language: str, depth: str) -> None:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise KepuError(f"Unknown format '{unknown[0]}'; known: {', '.join(FORMATS)}.")
    if OFFICIAL in formats and (language != "zh" or depth not in ("", REPORT)):
        raise KepuError(f"'{OFFICIAL}' is the layout of a Chinese report — choose docx for others")


def to_html(
    notebook: NotebookNode,
    language: str,
    *,
    simulated: bool = False,
    depth: str = "",
    made: Collection[str] = (),
) -> str:
    """Export the outputs of an executed notebook as one self-contained page.

    Parameters
    ----------
    notebook : executed notebook.
    language : ``"zh"`` or ``"en"``: the ``lang`` of the page and of the few words around it.
    simulated : whether the title and a banner must say that the data are simulated.

    Raises
    ------
    ExportError : when nothing was displayed, or something displayed would load an address or run
        a script that is not ours.
    """
    parts = stored_parts(notebook)
    rendered, held = _held_back(notebook, parts, language, depth, made)
    shown = _filled("\n".join(_shown(rendered)), held)
    if not shown.strip():
        raise ExportError(f"the notebook displayed nothing — its {language} page would be empty")
    title = notebook.metadata.get("title") or first_heading(shown) or "kepu"
    resources = {
        "title": named(title, language, simulated),
        "simulated": simulated,
        "depth": depth,
        "beside": _beside(notebook, language, depth, made, simulated),
        # A page that is part of no batch has no front page to lead to.
        "front": notebook.metadata.get("kepu", {}).get("front", True),
        "sections": sections(shown),
        "script": script() if any(SORTABLE in markup for markup in held) else "",
    }
    given = _constant(language) | resources
    page, _ = _exporter().from_notebook_node(rendered, resources=given)
    name = _named_file(notebook, simulated)
    page = harmless(_linked(_filled(page, held), parts, name, depth, made))
    found = loaded(page)
    if found:
        raise ExportError(f"the page would load {found[0][:200]} — embed it in the notebook")
    return page


def _constant(language: str) -> dict[str, object]:
    """What every page of a language is given."""
    words = {name: str(t(f"page.{name}", language)) for name in WORDS}
    style = (TEMPLATES / "report" / "report.css").read_text("utf-8")
    return {"labels": words | {"lang": LANG[language]}, "style": style, "policy": policy()}


@cache
def _exporter() -> HTMLExporter:
    """One exporter for all pages: it compiles its templates when it makes the first."""
    return HTMLExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="report",
        exclude_input=True,
        default_preprocessors=[],  # nothing is left for them; each checks the notebook anew
        embed_images=False,
    )


def _held_back(
    notebook: NotebookNode, parts: list[Part], language: str, depth: str, made: Collection[str]
) -> tuple[NotebookNode, list[str]]:
    """The notebook with its parts rendered, a mark in place of each large piece; the pieces.

    nbconvert reads and writes every page a second time, for pictures without alternative text.
    Sections have theirs, and make up nearly all of a page.
    """
    rendered, held = copy(notebook), []
    rendered.cells = [copy(cell) for cell in notebook.cells]
    for cell in rendered.cells:
        if "outputs" in cell:
            cell.outputs = [copy(output) for output in cell.outputs]
    counts = {"figure": count(1), "table": count(1)}  # numbered through, as in PDF and Word
    names, standing = file_stem(stem(notebook), depth), iter(arranged(parts, depth, language, made))
    for output in outputs(rendered):
        data = output.get("data", {})
        part = data.get(MIME) is not None
        if part:
            here = [part_html(each, language, names, counts, depth) for each in next(standing)]
            data = output["data"] = {"text/html": "\n".join(here)}
        markup = "".join(data.get("text/html", ""))
        if markup.lstrip().startswith("<template") and depth not in ("", REPORT):
            markup = _results(markup, "".join(held))
        if part or markup.lstrip().startswith(("<section", "<template")):
            output["data"] = {"text/html": f"<!--part {len(held)}-->"}
            held.append(markup)
    return rendered, held


def _filled(text: str, held: list[str]) -> str:
    return _HELD.sub(lambda mark: held[int(mark[1])], text)


def _results(record: str, shown: str) -> str:
    """The results of a page that shows few of them: those it names, without the summary."""
    found = _RECORD.search(record)
    named = set(re.findall(r'data-result="([^"]+)"', shown))
    results = json.loads(html.unescape(found[1])) if found else {}
    kept = json.dumps({key: value for key, value in results.items() if key in named})
    return str(Markup('<template id="results">{}</template>').format(kept))


def _beside(
    notebook: NotebookNode, language: str, depth: str, made: Collection[str], simulated: bool
) -> list[tuple[str, str]]:
    """Name and address of the same report at its other depths."""
    name = _named_file(notebook, simulated)
    others = [each for each in DEPTHS if each in made and each != depth]
    words = {each: str(t(NAMES[each], language)) for each in others}
    return [(word, f"{file_stem(name, each)}.html") for each, word in words.items()]


def _named_file(notebook: NotebookNode, simulated: bool) -> str:
    return f"{stem(notebook)}_simulated" if simulated else stem(notebook)


def _linked(page: str, parts: list[Part], name: str, depth: str, made: Collection[str]) -> str:
    """A page whose references to what only another depth holds lead there, or are plain words."""
    if not depth:
        return page
    here, held = set(re.findall(r'\bid="([^"]+)"', page)), places(parts)

    def led(found: re.Match) -> str:
        attributes, target, inner = found.groups()
        if target in here:
            return found[0]
        target = target if target in held else f"{ANNEX}-{target}"
        where = held.get(target, "")
        if where not in made:
            return f"<span>{inner}</span>"
        place = f"{file_stem(name, where)}.html#{target}"
        return f'<a{attributes or ""} href="{place}">{inner}</a>'

    return re.sub(r'<a( class="[^"]*")? href="#([^"]+)">(.*?)</a>', led, page)


def part_html(
    part: Part, language: str, stem: str, counts: Mapping[str, Iterator[int]], depth: str = ""
) -> str:
    """One part of a report; ``stem`` begins the names of the CSV files a reader may save.

    ``counts`` give the next number of a figure and of a table.
    """
    words = {kind: counted(kind, language, depth) for kind in counts}
    words |= {"csv": t("table.csv", language), "language": language}
    return _template().render(part=part, words=words, stem=stem, counts=counts)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("evaluation.report"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "kind": lambda block: type(block).__name__.lower(),
        "csv": lambda table, language: base64.b64encode(to_csv(table, language)).decode(),
        "inline": inline,
        "next": next,
        "refused": refused,
    }
    return environment.get_template("report/section.html.j2")


def refused(block: Block) -> None:
    raise ExportError(f"the page shows no block of kind '{type(block).__name__.lower()}'")


def inline(svg: str, kind: str) -> Markup:
    """A drawing for the text of a page: in its typeface, in the colours of its light or dark."""
    head, _, rest = themed(svg).partition(">")
    head = re.sub(r' (?:xmlns|font-family)="[^"]*"', "", head)
    return Markup(f'{head} class="{kind}" aria-hidden="true">{rest}')


def stem(notebook: NotebookNode) -> str:
    """Region or set and language of a notebook, as a file name may hold them."""
    given = notebook.metadata.get("kepu", {})
    parts = (given.get("region") or given.get("region_set"), given.get("language"))
    words = [
        "".join(c for c in str(part) if c.isalnum() or c in "-_")[:40] for part in parts if part
    ]
    return "_".join(words) or "kepu"


@cache
def script() -> str:
    """The one script a page may carry: it sorts tables."""
    return (TEMPLATES / "report" / "report.js").read_text("utf-8")


def policy() -> str:
    """What a browser may do with a page, in the words of its Content-Security-Policy.

    Nothing is fetched, and no script runs but ours, even if one had slipped into the page.
    """
    return web.policy(script(), pictures=True)


def _shown(notebook: NotebookNode) -> Iterator[str]:
    """Markup or text of what the code cells display; a picture counts by its kind."""
    for output in outputs(notebook):
        data = output.get("data", {})
        pictures = [kind for kind in data if kind.startswith("image/")]
        printed = output.get("text", "") if output.get("name") == "stdout" else ""
        yield "".join(data.get("text/html") or pictures or data.get("text/plain", printed))


def first_heading(markup: str) -> str:
    """Text of the first first-level heading, or ``""``.

    >>> first_heading("<h2>Level</h2><h1 id='top'>Inner <b>Mongolia</b></h1>")
    'Inner Mongolia'
    """
    found = re.search(r"<h1[^>]*>(.*?)</h1>", markup, re.DOTALL)
    return text_of(found.group(1)) if found else ""


def sections(markup: str) -> list[tuple[str, str]]:
    """Identifier and heading of each section, for the table of contents.

    >>> sections('<section id="level"><h2>What is the level?</h2></section>')
    [('level', 'What is the level?')]
    """
    pattern = r"""<section[^>]*?\bid=["']([^"']+)["'][^>]*>\s*<h2[^>]*>(.*?)</h2>"""
    return [(name, text_of(h2)) for name, h2 in re.findall(pattern, markup, re.DOTALL)]


def text_of(markup: str) -> str:
    """Give the words of a piece of markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", markup)).split())


class _Loads(HTMLParser):
    """Gather whatever a browser would fetch or run on opening a page."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []
        self._style = False
        self._script: list[str] | None = None

    def handle_starttag(self, tag, attrs):
        self._style = self._style or tag == "style"
        if tag == "script":
            self._script = []
            if attrs:
                self.found.append(f"<{tag}>")
        if tag in ("link", "iframe", "object", "embed", "base", "image", "feimage", "use"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            value = (value or "").strip()
            if name in LOADING and not value.startswith(("data:", "#")):
                self.found.append(f"{name}={value}")
            elif name.startswith("on"):
                self.found.append(f"{name}=…")
            elif name == "style":
                self._css(value)

    def handle_endtag(self, tag):
        if tag == "style":
            self._style = False
        if tag == "script" and self._script is not None:
            if "".join(self._script) != script():
                self.found.append("<script>")
            self._script = None

    def handle_data(self, data):
        if self._style:
            self._css(data)
        if self._script is not None:
            self._script.append(data)

    def _css(self, text):
        self.found += re.findall(r"@import[^;]*|url\(\s*['\"]?(?!data:|#)[^)]*\)", text)


def loaded(page: str) -> list[str]:
    """List what opening ``page`` would fetch or run; links a reader may follow do not count.

    >>> loaded('<a href="https://example.org">x</a><img src="https://example.org/a.png">')
    ['src=https://example.org/a.png']
    """
    parser = _Loads()
    parser.feed(page)
    parser.close()
    if parser._script is not None:
        parser.found.append("<script>")
    return parser.found


def cell(text: str) -> str:
    """What stands for a text in the file.

    >>> cell("−1,234.5"), cell("+0.31"), cell("12.9%"), cell("=HYPERLINK(1)"), cell("-2+3")
    ('-1234.5', '0.31', '12.9%', "'=HYPERLINK(1)", "'-2+3")
    """
    text = harmless(text).strip(" ")
    if NUMBER.fullmatch(text):
        return text.replace(",", "").replace("−", "-").lstrip("+")
    return f"'{text}" if text.lstrip(" \u00a0\u3000").startswith(TRIGGERS) else text


def to_csv(table: Table, language: str) -> bytes:
    """The table as UTF-8 with a byte order mark (spreadsheets need it for Chinese), CRLF lines.

    A column of values with their intervals becomes three, the value and both ends, and a fourth
    where more stands beside some of them.
    """
    rows = [[_parts(markup) for markup in row] for row in table.rows]
    width = [max((len(row[j]) for row in rows), default=1) for j in range(len(table.columns))]
    head: list[str] = []
    for j, column in enumerate(table.columns):
        name = _words(column)
        ends = (plain(nodes(t(f"table.{end}", language, column=name))) for end in ENDS)
        head += [name, *ends][: width[j]]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(map(cell, head))
    for row in rows:
        parts = ([*part, "", "", ""][: width[j]] for j, part in enumerate(row))
        writer.writerow(cell(text) for part in parts for text in part)
    return buffer.getvalue().encode("utf-8-sig")


def _words(markup: str) -> str:
    return " ".join(plain(nodes(markup)).split(" ")).strip()


def _parts(markup: str) -> list[str]:
    """The one text of a cell; of a number with its interval: value, low, high and any more."""
    found = _INTERVAL.match(str(markup).strip())
    if not found:
        return [_words(markup)]
    unit = found["unit"].strip() if found["unit"].strip() == "%" else ""
    ends = (found["value"], found["low"] + unit, found["high"] + unit)
    rest = _words(found["rest"])
    return [_words(text) for text in ends] + ([rest] if rest else [])
