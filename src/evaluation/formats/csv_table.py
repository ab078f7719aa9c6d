"""A table of a report as CSV that a spreadsheet opens as data and never as a formula.

Rules of OWASP, *CSV Injection*: a cell that begins with a sign a spreadsheet may take for the
start of a formula gets an apostrophe before it, and every cell is quoted. A number is safe as it
stands, since nothing but a sign, digits and one point can be in it; it stays a number.
"""

from __future__ import annotations

import csv
import io
import re

from evaluation.formats.inline import harmless, nodes, plain
from evaluation.report.blocks import Table
from evaluation.text import t

# Full-width forms are turned into the ASCII signs by East Asian spreadsheets.
TRIGGERS = tuple("=+-@\t\r\n＝＋－＠−")
NUMBER = re.compile(r"[+\-−]?(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?%?")
ENDS = ("low", "high", "more")
_INTERVAL = re.compile(
    r'^<data [^>]*>(?P<value>[^<]*)</data>\s*[(（]<data [^>]*\.low">(?P<low>[^<]*)</data>[^<]*'
    r'<data [^>]*\.high">(?P<high>[^<]*)</data>(?P<unit>[^<]*?)[)）](?P<rest>.*)$',
    re.DOTALL,
)


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
