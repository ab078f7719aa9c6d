"""A form of merged cells as a workbook and as a Word document, cell for cell the same."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from evaluation.base.errors import KepuError

TITLE, HEAD, TEXT = "title", "head", "text"
MADE = "2000-01-01T00:00:00"  # of the files: the same form is the same bytes


@dataclass(frozen=True)
class Cell:
    """Text at ``row`` and ``column``, from 0, over ``high`` rows and ``wide`` columns."""

    row: int
    column: int
    text: str
    style: str = TEXT
    wide: int = 1
    high: int = 1

    def __post_init__(self) -> None:
        """Texts of the table come as markup; a form holds plain words."""
        if isinstance(self.text, Markup):
            object.__setattr__(self, "text", str(self.text.unescape()))


@dataclass
class Grid:
    """A form: cells, and the width of each column in characters."""

    name: str
    widths: Sequence[float]
    cells: list[Cell] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return max((cell.row + cell.high for cell in self.cells), default=0)

    @property
    def head(self) -> int:
        """Rows at the top that every page repeats: titles, and what names the columns."""
        told = {cell.row for cell in self.cells if cell.style == TEXT}
        return min(told, default=0) if any(cell.style == HEAD for cell in self.cells) else 0

    def line(self, texts: Sequence[str], style: str = TEXT, spans: Sequence[int] = ()) -> None:
        """Add a row of cells below all others; ``spans``: how many columns each takes.

        Raises
        ------
        KepuError : the cells do not fill the form from side to side.
        """
        spans = spans or [1] * len(texts)
        if sum(spans) != len(self.widths) or len(spans) != len(texts):
            raise KepuError(f"A row of the form '{self.name}' does not fill its columns.")
        row, column = self.rows, 0
        for text, wide in zip(texts, spans, strict=True):
            self.cells.append(Cell(row, column, text, style, wide))
            column += wide


def to_xlsx(grids: Sequence[Grid]) -> bytes:
    """The forms as a workbook, a sheet each; nothing becomes a formula or a link."""
    import datetime

    import xlsxwriter

    stream = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(stream, plain)
    book.set_properties({"created": datetime.datetime.fromisoformat(MADE)})
    base = {"font_name": "SimSun", "font_size": 10.5, "valign": "vcenter", "text_wrap": True}
    looks = {
        TITLE: {"bold": True, "font_size": 15, "align": "center"},
        HEAD: {"bold": True, "align": "center", "bg_color": "#EEF5F8", "border": 1},
        TEXT: {"border": 1},
    }  # fmt: skip
    formats = {name: book.add_format(base | look) for name, look in looks.items()}
    for grid in grids:
        sheet = book.add_worksheet(grid.name[:31])
        for column, width in enumerate(grid.widths):
            sheet.set_column(column, column, width)
        for cell in grid.cells:
            place, look = (cell.row, cell.column), formats[cell.style]
            if cell.wide * cell.high > 1:
                ends = (cell.row + cell.high - 1, cell.column + cell.wide - 1)
                sheet.merge_range(*place, *ends, "", look)
            sheet.write_string(*place, cell.text, look)
        for row in range(grid.rows):
            sheet.set_row(row, 15.0 * _lines(grid, row) + 4)
        if grid.head:
            sheet.repeat_rows(0, grid.head - 1)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
    book.close()
    return stream.getvalue()


def _lines(grid: Grid, row: int) -> int:
    """Lines the fullest cell of a row takes."""
    most = 1
    for cell in grid.cells:
        if cell.row == row and cell.high == 1:
            room = sum(grid.widths[cell.column : cell.column + cell.wide])
            size = 1.5 if cell.style == TITLE else 1.1
            most = max(most, lines_of(cell.text, room, size))
    return most


def lines_of(text: str, room: float, size: float = 1.1) -> int:
    """Lines a text takes in ``room`` letters, each ``size`` wide; a Chinese letter is two wide."""
    lengths = (size * sum(2 if ord(letter) > 0x2E7F else 1 for letter in line)
               for line in text.split("\n"))  # fmt: skip
    return sum(max(1, -(-int(length) // max(1, int(room)))) for length in lengths)


def to_docx(grids: Sequence[Grid]) -> bytes:
    """The forms as a Word document on A4 across, a page each; titles stand above the tables."""
    import datetime

    import docx
    from docx.enum.section import WD_ORIENT
    from docx.shared import Mm

    paper = docx.Document()
    moment = datetime.datetime.fromisoformat(MADE)
    paper.core_properties.created = paper.core_properties.modified = moment
    page = paper.sections[0]
    page.orientation, page.page_width, page.page_height = WD_ORIENT.LANDSCAPE, Mm(297), Mm(210)
    page.left_margin = page.right_margin = page.top_margin = page.bottom_margin = Mm(18)
    for number, grid in enumerate(grids):
        if number:
            paper.add_page_break()
        titles = [cell for cell in grid.cells if cell.style == TITLE]
        for cell in titles:
            _run(paper.add_paragraph(), cell.text, 15, bold=True, centre=True)
        _table(paper, grid, page.page_width - page.left_margin - page.right_margin)
    stream = io.BytesIO()
    paper.save(stream)
    return stream.getvalue()


def _table(paper, grid: Grid, room: int) -> None:
    from docx.oxml import OxmlElement

    skipped = sum(1 for cell in grid.cells if cell.style == TITLE)
    table = paper.add_table(grid.rows - skipped, len(grid.widths), style="Table Grid")
    table.autofit = False
    shares = [width / sum(grid.widths) for width in grid.widths]
    for column, share in zip(table.columns, shares, strict=True):
        column.width = int(room * share)
    # Every cell at once: the library looks a cell up by walking the whole table.
    placed = [list(row.cells) for row in table.rows]
    for cells in placed:
        for cell, share in zip(cells, shares, strict=True):
            cell.width = int(room * share)
    for cell in grid.cells:
        if cell.style == TITLE:
            continue
        row, last = cell.row - skipped, cell.column + cell.wide - 1
        place = placed[row][cell.column]
        if cell.wide * cell.high > 1:
            place = place.merge(placed[row + cell.high - 1][last])
        line = place.paragraphs[0]
        _run(line, cell.text, 9, bold=cell.style == HEAD, centre=cell.style == HEAD)
    for row in table._tbl.tr_lst[: max(0, grid.head - skipped)]:
        row.get_or_add_trPr().append(OxmlElement("w:tblHeader"))


def _run(line, text: str, size: float, *, bold: bool, centre: bool) -> None:
    from docx.oxml.ns import qn
    from docx.shared import Pt

    run = line.add_run(text)
    run.bold, run.font.size, run.font.name = bold, Pt(size), "Times New Roman"
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), "SimSun")
    if centre:
        line.alignment = 1
