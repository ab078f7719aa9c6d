"""Blocks on quantified targets other than the literacy share."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.report.blocks import Heading, Paragraph, Table
from evaluation.report.context import Context
from evaluation.targets.tracker import Tracked, track


def tracker_blocks(context: Context) -> list:
    """Each target with the last published value, its year and source, and where it stands."""
    w, found = context.writer, track(context.study.dataset.facts, context.code)
    if not found:
        return []
    names = ("indicator", "target", "due", "source", "last_known", "value_source", "status")
    columns = tuple(w.t(f"column.{name}") for name in names)
    rows = tuple(_row(context, item) for item in found)
    blocks: list = [
        Heading(w.t("targets.quantified")),
        Table(w.t("targets.quantified.table"), columns, rows, frozenset({1})),
    ]
    if any(item.status == "unknown" for item in found):
        blocks.append(context.missing("tracker.missing"))
    return [*blocks, Paragraph(w.t("tracker.note"), "note")]


def _row(context: Context, item: Tracked) -> tuple[Markup, ...]:
    w, last = context.writer, item.last
    value, source = w.t("missing.value"), Markup("—")
    if last is not None:
        when = w.t("period.bracket", period=w.period("", last["period_end"]))
        value, source = w.joined(w.fact(last), when), w.cite(last["source_id"])
    return (
        w.indicator(item.target["indicator"]),
        w.fact(item.target),
        w.year(item.target["period_end"]),
        w.cite(item.target["source_id"]),
        value,
        source,
        w.t(f"tracker.{item.status}"),
    )
