"""Sections: the sources cited, and how the report was made."""

from __future__ import annotations

import json

from markupsafe import Markup

from evaluation.report.blocks import Heading, Items, Paragraph, Section, Table
from evaluation.report.context import Context
from evaluation.report.summary import element
from evaluation.web import link


def sources(context: Context) -> Section:
    """Sources cited so far, in the order of first citation; to be called after other sections."""
    w = context.writer
    table = context.study.dataset.sources.set_index("source_id")
    rows = []
    for identifier in w.cited:
        row = table.loc[identifier]
        title = Markup("<cite>{}</cite>").format(row["title"])
        if address := link(row["url"]):
            title = Markup('<a href="{}">{}</a>').format(address, title)
        elif row["url"]:
            title = Markup("{} <cite>{}</cite>").format(title, row["url"])
        rows.append(
            (
                Markup('<span id="source-{0}"><cite>{0}</cite></span>').format(identifier),
                Markup('<span class="grade grade-{0}">{0}</span>').format(row["grade"]),
                title,
                *(_cited(row[name]) for name in ("publisher", "date")),
            )
        )
    names = ("id", "grade", "title", "publisher", "date")
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Section(
        "sources",
        w.t("sources.title"),
        (
            Paragraph(w.t("sources.grades"), "note"),
            Table(w.t("sources.table"), columns, tuple(rows)),
        ),
    )


def _cited(text: str) -> Markup:
    """What a source says of itself, a dash where nothing was recorded."""
    return Markup("<cite>{}</cite>").format(text) if text else Markup("—")


def method(context: Context) -> Section:
    """How the numbers were made, and everything needed to make them again."""
    w, details = context.writer, context.provenance
    keys = ("rates", "gains", "doses", "regression", "bootstrap", "words")
    rows = tuple(
        (w.t(f"provenance.{key}"), Markup("<code>{}</code>").format(value))
        for key, value in details.items()
        if value
    )
    columns = (w.t("column.what"), w.t("column.value"))
    return Section(
        "method",
        w.t("method.title"),
        (
            Items(tuple(w.t(f"method.{key}") for key in keys)),
            Paragraph(w.t("method.trace"), "note"),
            Heading(w.t("method.provenance")),
            Table(w.t("method.provenance.table"), columns, rows),
        ),
    )


def record(context: Context) -> Markup:
    """Every computed number of the report as JSON in an inert element, for programs that read.

    A regional report adds its summary for the front page, see :mod:`evaluation.report.summary`.
    """
    data = json.dumps(context.writer.computed, sort_keys=True)
    results = Markup('<template id="results">{}</template>').format(data)
    return results if context.codes else Markup("{}\n{}").format(results, element(context))
