"""A table of the PDF: the widths of its columns, the size of its type, where it may be broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evaluation.formats import widths
from evaluation.formats.inline import Node
from evaluation.report.blocks import Table

ROOM = 168 / 25.4 * 72  # width of the text on the page, in points
SIZES = (8.5, 7.5, 6.8)  # type of tables: the largest in which the columns fit
LONGEST_HEAD = 200  # letters of a head that is repeated on every page
WHOLE = 8, 1600  # rows and letters up to which a table is not broken over pages
LONGEST_ROW = 1200  # letters up to which a row is not


def laid_out(block: Table, flow: Callable[[str], list[Node]]) -> dict[str, Any]:
    """A table with the widths of its columns and the largest type in which they fit."""
    head = [flow(cell) for cell in block.columns]
    rows = [[flow(cell) for cell in row] for row in block.rows]
    words = (
        [widths.printed(cell) for cell in head],
        [[widths.printed(cell) for cell in row] for row in rows],
    )
    for size in SIZES:
        found, excess = widths.columns(*words, room=ROOM / size, numeric=block.numeric)
        if not excess:
            break
    return {
        "kind": "table",
        "caption": flow(block.caption),
        "columns": head,
        "rows": rows,
        "numeric": sorted(block.numeric),
        "widths": [round(width, 3) for width in found],
        "size": size,
        # A head that fills half a page would leave no room to go on.
        "repeated": max(len(text) for text in words[0]) <= LONGEST_HEAD,
        "whole": len(rows) <= WHOLE[0] and sum(map(_letters, words[1])) <= WHOLE[1],
        "rows_whole": max(map(_letters, words[1]), default=0) <= LONGEST_ROW,
    }


def _letters(row: list[str]) -> int:
    return sum(map(len, row))
