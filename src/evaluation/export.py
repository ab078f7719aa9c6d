"""Turn an executed notebook into a page that stands alone: no code, no address loaded, no script
but the one that sorts tables.

A page shows what the code cells display; the notebook's own prose speaks to its readers and stays
there, except for cells tagged ``page``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files

from nbconvert import HTMLExporter
from nbformat import NotebookNode

from evaluation import web
from evaluation.formats.document import ExportError, named
from evaluation.formats.html import with_parts
from evaluation.formats.inline import harmless
from evaluation.text import t

_HELD = re.compile(r"<!--part (\d+)-->")
TEMPLATES = files("evaluation") / "templates"
LOADING = {"src", "srcset", "poster", "background", "action", "formaction"}
LANG = {"zh": "zh-CN", "en": "en"}
WORDS = ("contents", "all", "simulated", "banner", "skip")


def to_html(notebook: NotebookNode, language: str, *, simulated: bool = False) -> str:
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
    notebook, drawn = with_parts(notebook, language)
    shown = "\n".join(_shown(notebook))
    if not shown.strip():
        raise ExportError(f"the notebook displayed nothing — its {language} page would be empty")
    title = notebook.metadata.get("title") or first_heading(shown) or "kepu"
    words = {name: str(t(f"page.{name}", language)) for name in WORDS}
    held = _hold_back(notebook)
    page, _ = _exporter().from_notebook_node(
        notebook,
        resources={
            "title": named(title, language, simulated),
            "labels": words | {"lang": LANG[language]},
            "simulated": simulated,
            "sections": sections(shown),
            "style": (TEMPLATES / "report" / "report.css").read_text("utf-8"),
            "script": script() if drawn and 'class="kepu sortable"' in shown else "",
            "policy": policy(),
        },
    )
    page = harmless(_HELD.sub(lambda mark: held[int(mark[1])], page))
    found = loaded(page)
    if found:
        raise ExportError(f"the page would load {found[0][:200]} — embed it in the notebook")
    return page


@cache
def _exporter() -> HTMLExporter:
    """One exporter for all pages: it compiles its templates when it makes the first."""
    return HTMLExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="report",
        exclude_input=True,
        embed_images=False,
    )


def _hold_back(notebook: NotebookNode) -> list[str]:
    """Put a mark in place of each large piece of markup; give the pieces.

    nbconvert reads and writes every page a second time, for pictures without alternative text. The
    parts of a report have theirs, and make up nearly all of a page.
    """
    held: list[str] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            markup = "".join(output.get("data", {}).get("text/html", ""))
            if markup.lstrip().startswith(("<section", "<template")):
                output["data"] = {"text/html": f"<!--part {len(held)}-->"}
                held.append(markup)
    return held


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
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
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
        if tag in ("link", "iframe", "object", "embed", "base"):
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
