"""Views of the notebooks: tables, figures and sentences in one language, computed from a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from evaluation.report.blocks import Figure, Heading, Items, Paragraph, Table
from evaluation.report.context import Context

__all__ = ["View", "show", "table"]

# JupyterLab right-aligns and stripes every table: columns of words read better from the left.
STYLE = Markup(
    "<style>"
    "table.kepu{border-collapse:collapse;margin:.5em 0}"
    "table.kepu caption{text-align:left;font-weight:600;padding:.3em 0}"
    "div.table table.kepu th,div.table table.kepu td{text-align:left;vertical-align:baseline;"
    "padding:.25em .7em}"
    "div.table table.kepu td.num,div.table table.kepu th.num{text-align:right;white-space:nowrap}"
    "figure{margin:.5em 0}figure img{max-width:46em;width:100%}"
    "figcaption,p.note{font-size:.88em;color:#59636b;max-width:52em}"
    "cite{font-style:normal}time{white-space:nowrap}"
    "p.simulated{color:#8a4b00;font-weight:600}"
    "span.proxy,span.grade{font-size:.75em;border:1px solid;border-radius:4px;padding:0 .3em;"
    "margin-left:.2em}"
    "</style>"
)


@dataclass(frozen=True)
class View:
    """Blocks that show themselves in a notebook; a simulated package announces itself."""

    blocks: tuple[Paragraph | Heading | Items | Table | Figure, ...]
    warning: Paragraph | None = None

    def _repr_html_(self) -> str:
        blocks = self.blocks if self.warning is None else (self.warning, *self.blocks)
        return str(Markup("\n").join([STYLE, *(block.html() for block in blocks)]))

    def __repr__(self) -> str:
        return f"View({', '.join(type(block).__name__ for block in self.blocks)})"


def show(page: Context, *blocks: Paragraph | Heading | Items | Table | Figure) -> View:
    """Put blocks of a page on the screen, under a warning where its figures are simulated."""
    if not page.study.simulated:
        return View(blocks)
    return View(blocks, Paragraph(page.writer.t("view.simulated"), "simulated"))


def table(
    page: Context,
    caption: Markup,
    columns: Iterable[str],
    rows: Iterable[tuple[object, ...]],
    numeric: Iterable[int] = (),
) -> Table:
    """A table whose head is taken from the texts ``column.<name>``."""
    head = tuple(page.writer.t(f"column.{name}") for name in columns)
    return Table(caption, head, tuple(rows), frozenset(numeric))
