"""The parts of a report as markup of a page: tables to sort and take away, figures with size."""

from __future__ import annotations

import base64
import struct
from copy import deepcopy
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from nbformat import NotebookNode

from evaluation.formats.csv_table import to_csv
from evaluation.formats.document import stem
from evaluation.report.blocks import Figure, Section, Title
from evaluation.report.bundle import unbundled
from evaluation.text import t


@lru_cache(maxsize=1)
def _template():
    environment = Environment(
        loader=PackageLoader("evaluation"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {
        "kind": lambda part: type(part).__name__.lower(),
        "csv": lambda table, words: base64.b64encode(to_csv(table, words)).decode(),
        "png": lambda figure: base64.b64encode(figure.png).decode(),
        "size": size,
    }
    return environment.get_template("report/section.html.j2")


def size(figure: Figure) -> tuple[int, int]:
    """Width and height of a picture in pixels, from the head of its PNG; 0 where it has none."""
    head = figure.png[16:24]
    return struct.unpack(">II", head) if len(head) == 8 else (0, 0)


def part_html(part: Section | Title, language: str, stem: str) -> Markup:
    """One part of a report; ``stem`` begins the names of the CSV files a reader may save."""
    words = {"csv": t("table.csv", language), "language": language}
    return Markup(_template().render(part=part, words=words, stem=stem))


def with_parts(notebook: NotebookNode, language: str) -> tuple[NotebookNode, bool]:
    """The notebook with each report part drawn for a page, and whether there was one.

    Outputs of other kinds stay as they are.
    """
    drawn, found = deepcopy(notebook), False
    for cell in drawn.cells:
        for output in cell.get("outputs", []):
            part = unbundled(output.get("data", {}))
            if part is not None:
                found = True
                markup = part_html(part, language, stem(notebook))
                output["data"] = {"text/html": str(markup)}
    return drawn, found
