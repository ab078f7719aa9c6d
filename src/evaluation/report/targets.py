"""Section: progress to targets, outlook, other quantified targets, what the gain is made of."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.progress import Progress, assess
from evaluation.report.blocks import Paragraph, Section, Table
from evaluation.report.context import NATION, Context
from evaluation.report.makeup import makeup_blocks
from evaluation.report.outlook import outlook_blocks
from evaluation.report.tracker import tracker_blocks


def assessments(context: Context) -> list[Progress]:
    """Every target of the region against its surveys, by due year."""
    goals = context.study.targets
    goals = goals[goals["region_code"] == context.code]
    rates = context.rates_of(context.code)
    return [assess(row, rates, context.today) for _, row in goals.iterrows()]


def section(context: Context) -> Section:
    w = context.writer
    found = assessments(context)
    blocks: list = []
    if found:
        blocks.append(_table(context, found))
        blocks += [Paragraph(_sentence(context, item)) for item in found]
        blocks.append(Paragraph(w.t("targets.note"), "note"))
    else:
        blocks.append(context.missing("targets.missing"))
        blocks += _above(context)
    blocks += [*outlook_blocks(context), *tracker_blocks(context), *makeup_blocks(context)]
    return Section("targets", w.t("targets.title"), tuple(blocks))


def _above(context: Context) -> list:
    """The targets that hold above the region, for orientation."""
    w, goals = context.writer, context.study.targets
    items = []
    for code in dict.fromkeys([context.parent, NATION]):
        rows = goals[(goals["region_code"] == code) & (goals["year"] >= 2025)]
        for _, row in rows.iterrows():
            items.append(
                Paragraph(
                    w.t(
                        "targets.above",
                        name=w.name(code),
                        year=w.year(row["year"]),
                        value=context.fact(row["fact_id"]),
                        source=w.cite(row["source_id"]),
                    )
                )
            )
    return items


def _sentence(context: Context, item: Progress) -> Markup:
    w, goal = context.writer, item.target
    values = {
        "region": context.name,
        "target": context.fact(goal["fact_id"]),
        "year": w.year(goal["year"]),
    }
    if item.latest is not None:
        values |= {
            "rate": context.rate_text(item.latest),
            "wave": w.year(item.latest["wave"]),
            "required": _required(context, item),
        }
    return w.t(f"targets.{told(item)}", **values)


def told(item: Progress) -> str:
    """The status, told apart where only a survey after the due year shows a target reached."""
    late = item.status == "met" and item.latest["wave"] > item.target["year"]
    return "met_late" if late else item.status


def _required(context: Context, item: Progress, unit: str = "percentage_point") -> Markup:
    key = f"required.{context.code}.{item.target['year']}"
    return context.writer.number(key, item.required, unit, 2)


def _observed(context: Context, item: Progress) -> Markup:
    w = context.writer
    if pd.isna(item.observed):
        return w.t("missing.value")
    key = f"observed.{context.code}.{item.latest['wave']}"
    return w.joined(
        w.number(key, item.observed, "", 2, signed=True),
        w.interval(key, item.observed_low, item.observed_high, "", 1),
    )


def _table(context: Context, found: list[Progress]) -> Table:
    w = context.writer
    rows = []
    for item in found:
        latest = item.latest
        rows.append(
            (
                w.year(item.target["year"]),
                context.fact(item.target["fact_id"]),
                w.t("missing.value") if latest is None else context.rate_text(latest),
                w.t("missing.value") if latest is None else w.year(latest["wave"]),
                _required(context, item, "") if not pd.isna(item.required) else Markup("—"),
                _observed(context, item) if not pd.isna(item.required) else Markup("—"),
                w.t(f"status.{item.status}"),
                w.cite(item.target["source_id"]),
            )
        )
    columns = tuple(
        w.t(f"column.{name}")
        for name in ("due", "target", "rate", "wave", "required", "observed", "status", "source")
    )
    caption = w.t("targets.table", region=context.name)
    return Table(caption, columns, tuple(rows), frozenset({1, 2, 4, 5}))
