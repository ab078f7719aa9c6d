"""A report as every format takes it: read from an executed notebook."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from nbformat import NotebookNode

from evaluation.errors import KepuError
from evaluation.formats.inline import Node, harmless, nodes, plain
from evaluation.parameters import build_time
from evaluation.report.blocks import Items, Section, Table, Title
from evaluation.report.bundle import unbundled
from evaluation.text import t

# The first moment a zip archive can tell; it stands where a report tells no date.
EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)
LONGEST_NAME = 120
TAGS = {"zh": "zh-CN", "en": "en-GB"}


class ExportError(KepuError):
    """An executed notebook cannot become a page; the message says why."""


@dataclass(frozen=True)
class Document:
    """Title and sections of a report in one language.

    ``moment`` is the date files are stamped with, so that the same report gives the same bytes.
    ``stem`` begins the names of files a reader takes from a page.
    """

    language: str
    title: Title
    sections: tuple[Section, ...]
    simulated: bool
    moment: datetime
    stem: str

    @property
    def name(self) -> str:
        """Title in words, never longer than a running head or a tab can carry."""
        return named(plain(nodes(self.title.text)), self.language, self.simulated)


def named(title: str, language: str, simulated: bool) -> str:
    """A title in words, cut to a length, which says so where the data are simulated."""
    title = " ".join(harmless(title).split())
    if len(title) > LONGEST_NAME:
        title = title[: LONGEST_NAME - 1] + "…"
    word = str(t("page.simulated", language))
    return f"{title} ({word})" if simulated and word not in title.casefold() else title


def read(notebook: NotebookNode, language: str, *, simulated: bool = False) -> Document:
    """Rebuild the report an executed notebook shows.

    Raises
    ------
    ExportError : the notebook shows no title or no section of a report.
    """
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    parts = [part for output in outputs if (part := unbundled(output.get("data", {})))]
    titles = [part for part in parts if isinstance(part, Title)]
    sections = tuple(part for part in parts if isinstance(part, Section))
    if not titles or not sections:
        raise ExportError(
            "the notebook shows no report to make PDF or Word from — "
            "let cells end with report.title(page) and report.SECTIONS[…](page), or choose html"
        )
    return Document(language, titles[0], sections, simulated, moment(notebook), stem(notebook))


def anchors(document: Document) -> list[str]:
    """Sections and places that a reference inside the report may lead to, each once."""
    found = dict.fromkeys(section.id for section in document.sections)
    for section in document.sections:
        for block in section.blocks:
            rows = block.rows if isinstance(block, Table) else ()
            lines = block.items if isinstance(block, Items) else ()
            for markup in (*lines, *(cell for row in rows for cell in row)):
                found |= dict.fromkeys(_named(nodes(markup)))
    return list(found)


def _named(part: list[Node]) -> list[str]:
    """Identifiers of the anchors among nodes."""
    inner = (node for node in part if isinstance(node, dict))
    return [
        name
        for node in inner
        for name in ([node["id"]] if node["k"] == "anchor" else []) + _named(node.get("c", []))
    ]


def moment(notebook: NotebookNode) -> datetime:
    """Date to stamp files with: ``SOURCE_DATE_EPOCH``, else the report's own, else 1980.

    Raises
    ------
    KepuError : ``SOURCE_DATE_EPOCH`` is no number of seconds.
    """
    fixed = build_time()
    if fixed is not None:
        return max(fixed, EARLIEST)
    date = str(notebook.metadata.get("kepu", {}).get("date", ""))
    try:
        return max(datetime.fromisoformat(date).replace(tzinfo=UTC), EARLIEST)
    except ValueError:  # a notebook that was run by hand
        return EARLIEST


def stem(notebook: NotebookNode) -> str:
    """Region or set and language of a notebook, as a file name may hold them."""
    given = notebook.metadata.get("kepu", {})
    parts = (given.get("region") or given.get("region_set"), given.get("language"))
    words = [
        "".join(c for c in str(part) if c.isalnum() or c in "-_")[:40] for part in parts if part
    ]
    return "_".join(words) or "kepu"
