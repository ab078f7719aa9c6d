"""Views of the notebooks: tables, figures and sentences in one language, computed from a study."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from evaluation.errors import KepuError
from evaluation.report.blocks import Block, Paragraph, Table
from evaluation.report.context import Context

__all__ = ["View", "drawn", "existing", "show", "table"]

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

    blocks: tuple[Block, ...]
    warning: Paragraph | None = None

    def _repr_html_(self) -> str:
        blocks = self.blocks if self.warning is None else (self.warning, *self.blocks)
        return str(Markup("\n").join([STYLE, *(block.html() for block in blocks)]))

    def __repr__(self) -> str:
        return f"View({', '.join(type(block).__name__ for block in self.blocks)})"


def show(page: Context, *blocks: Block) -> View:
    """Put blocks of a page on the screen, under a warning where its figures are simulated."""
    if not page.study.simulated:
        return View(blocks)
    return View(blocks, Paragraph(page.writer.t("view.simulated"), "simulated"))


def existing(page: Context, region: str, codes: Iterable[str] | None = None) -> str:
    """The code of a region, checked: it is in ``regions.csv``, and among ``codes`` if given.

    Raises
    ------
    KepuError : an unknown region, or one that cannot be compared.
    """
    if region not in set(page.study.dataset.regions["code"]):
        raise KepuError(f"Region '{region}' is not in regions.csv; 'kepu list regions' shows all.")
    if codes is not None and region not in set(codes):
        raise KepuError(
            f"Region {region} is not among the provinces that are compared; name one of them."
        )
    return region


def drawn(page: Context, section: Callable[[Context], Iterable[Block]]) -> list[Block]:
    """Blocks of a report section, made once for a page: several views show parts of one."""
    kept = vars(page).setdefault("_drawn", {})
    if section not in kept:
        kept[section] = list(section(page))
    return kept[section]


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
