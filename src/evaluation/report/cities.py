"""Blocks of the level section for leagues: the place among cities of other provinces."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.report.blocks import Figure, Heading, Paragraph
from evaluation.report.context import NATION, Context

# Fewer cities than this are no distribution to stand in.
MINIMUM_CITIES = 10


def city_blocks(context: Context) -> list:
    """Where a league's value or target would stand among cities surveyed in the same wave."""
    w = context.writer
    regions = context.study.dataset.regions.set_index("code")
    outside = regions.index[
        ~regions["level"].isin(["nation", "province"]) & (regions["parent_code"] != context.parent)
    ]
    rates = context.study.rates
    cities = rates[rates["region_code"].isin(outside) & rates["variance"].notna()]
    marks = _marks(context)
    counts = cities["wave"].value_counts()
    waves = [wave for wave in sorted(counts.index) if counts[wave] >= MINIMUM_CITIES]
    if not waves:
        return []
    blocks: list = [Heading(w.t("level.cities"))]
    own = context.rates_of(context.code)
    wave = own["wave"].iloc[-1] if len(own) and own["wave"].iloc[-1] in waves else waves[-1]
    rows = cities[cities["wave"] == wave]
    for mark in marks:
        told = _told(context, rows, mark, wave)
        blocks.append(Paragraph(w.t(f"level.cities.{mark[0]}", year=w.year(wave), **told)))
    return [
        *blocks,
        _strip(context, rows, marks, wave),
        Paragraph(w.t("level.cities.note"), "note"),
    ]


def _told(context: Context, rows: pd.DataFrame, mark: tuple, wave: int) -> dict[str, object]:
    """How many cities lie below the region's value or target."""
    w, (kind, value, shown) = context.writer, mark
    below = int((rows["rate"] < value).sum())
    return {
        "region": context.name,
        "value": shown,
        "below": w.number(f"cities.below.{context.code}.{kind}.{wave}", below, "", 0),
        "count": w.number(f"cities.{wave}", len(rows), "", 0),
    }


def _marks(context: Context) -> list[tuple[str, float, Markup]]:
    """The region's last rate and its last target, where there are any."""
    own, goals = context.rates_of(context.code), context.study.targets
    goals = goals[goals["region_code"] == context.code]
    marks = []
    if len(own):
        marks.append(("rate", own["rate"].iloc[-1], context.fact(own["fact_id"].iloc[-1])))
    if len(goals):
        marks.append(("target", goals["value"].iloc[-1], context.fact(goals["fact_id"].iloc[-1])))
    return marks


def _strip(context: Context, rows: pd.DataFrame, marks: list, wave: int) -> Figure:
    w = context.writer
    values = pd.DataFrame(
        {"name": [w.short(code) for code in rows["region_code"]], "value": rows["rate"]}
    )
    kinds = {"rate": "region", "target": "target"}
    lines = [(str(w.t(f"figure.{kind}")), value, kinds[kind]) for kind, value, _ in marks]
    for code in (context.parent, NATION):
        row = context.rate(code, wave)
        if row is not None:
            lines.append((w.short(code), row["rate"], "nation" if code == NATION else "other"))
    frame = pd.DataFrame(lines, columns=["label", "value", "kind"])
    figure = style.drawn(plots.strip, values, frame, xlabel=str(w.t("axis.rate")))
    caption = w.t("level.cities.caption", year=w.year(wave))
    if marks:
        told = _told(context, rows, marks[0], wave)
        says = w.t(f"figure.cities.{marks[0][0]}", **told)
    else:
        count = w.number(f"cities.{wave}", len(rows), "", 0)
        says = w.t("figure.cities.none", region=context.name, count=count)
    caption = context.captioned(says, caption)
    return Figure(figure, caption, str(w.t("level.cities.alt", year=wave)))
