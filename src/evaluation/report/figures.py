"""A table of published figures: indicator, value, period, source with grade, flags."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.report.blocks import Table
from evaluation.report.context import Context


def flags(context: Context, row: pd.Series) -> Markup:
    """What a reader must know of a fact: its caveats and the contradictions that name it."""
    w = context.writer
    marks = [w.t(f"caveat.{name}") for name in row["caveats"].split(";") if name]
    link = Markup('<a class="flag" href="#{0}"><cite>{0}</cite></a>')
    marks += [link.format(name) for name in context.contradicted.get(row["fact_id"], ())]
    return Markup("、" if w.language == "zh" else ", ").join(marks)


def figure_table(context: Context, rows: pd.DataFrame, caption: Markup) -> Table:
    """Facts as printed, one row each; two series of one indicator stand in two rows."""
    w = context.writer
    label = rows["indicator"].map(lambda key: str(w.indicator(key)))
    ordered = rows.assign(label=label).sort_values(["label", "period_end", "fact_id"])
    cells = tuple(
        (
            w.indicator(row["indicator"]),
            w.fact(row),
            w.period(row["period_start"], row["period_end"]),
            w.cite(row["source_id"]),
            flags(context, row),
        )
        for _, row in ordered.iterrows()
    )
    columns = tuple(
        w.t(f"column.{name}") for name in ("indicator", "value", "period", "source", "flags")
    )
    return Table(caption, columns, cells, frozenset({1}))
