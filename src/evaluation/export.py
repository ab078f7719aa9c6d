"""Turn an executed notebook into a page that stands alone: no code, no script, no address loaded.

A page shows what the code cells display; the notebook's own prose speaks to its readers and stays
there, except for cells tagged ``page``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files

from nbconvert import HTMLExporter
from nbformat import NotebookNode

from evaluation.errors import KepuError

LOADING = {"src", "srcset", "poster", "background", "action", "formaction"}
LABELS = {
    "zh": {
        "lang": "zh-CN",
        "contents": "目录",
        "all": "全部报告",
        "simulated": "模拟数据",
        "banner": "本页全部数字均为模拟(simulated),不描述任何真实地区。",
    },
    "en": {
        "lang": "en",
        "contents": "Contents",
        "all": "All reports",
        "simulated": "simulated data",
        "banner": "Every figure on this page is simulated; no real region is described.",
    },
}


class ExportError(KepuError):
    """An executed notebook cannot become a page; the message says why."""


def to_html(notebook: NotebookNode, language: str, *, simulated: bool = False) -> str:
    """Export the outputs of an executed notebook as one self-contained page.

    Parameters
    ----------
    notebook : executed notebook.
    language : ``"zh"`` or ``"en"``: the ``lang`` of the page and of the few words around it.
    simulated : whether the title and a banner must say that the data are simulated.

    Raises
    ------
    ExportError : when nothing was displayed, or something displayed would load an address.
    """
    templates = files("evaluation") / "templates"
    shown = "\n".join(_shown(notebook))
    if not shown.strip():
        raise ExportError(f"the notebook displayed nothing — its {language} page would be empty")
    labels = LABELS[language]
    title = notebook.metadata.get("title") or first_heading(shown) or "kepu"
    if simulated and labels["simulated"] not in title.casefold():
        title = f"{title} ({labels['simulated']})"
    exporter = HTMLExporter(
        extra_template_basedirs=[str(templates)],
        template_name="report",
        exclude_input=True,
        embed_images=False,
    )
    page, _ = exporter.from_notebook_node(
        notebook,
        resources={
            "title": title,
            "labels": labels,
            "simulated": simulated,
            "sections": sections(shown),
            "style": (templates / "style.css").read_text("utf-8"),
        },
    )
    found = loaded(page)
    if found:
        raise ExportError(f"the page would load {found[0][:200]} — embed it in the notebook")
    return page


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
    pattern = r"""<section[^>]*\bid=["']([^"']+)["'][^>]*>\s*<h2[^>]*>(.*?)</h2>"""
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

    def handle_starttag(self, tag, attrs):
        self._style = self._style or tag == "style"
        if tag in ("script", "link", "iframe", "object", "embed", "base"):
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

    def handle_data(self, data):
        if self._style:
            self._css(data)

    def _css(self, text):
        self.found += re.findall(r"@import[^;]*|url\(\s*['\"]?(?!data:|#)[^)]*\)", text)


def loaded(page: str) -> list[str]:
    """List what opening ``page`` would fetch or run; links a reader may follow do not count.

    >>> loaded('<a href="https://example.org">x</a><img src="https://example.org/a.png">')
    ['src=https://example.org/a.png']
    """
    parser = _Loads()
    parser.feed(page)
    return parser.found
