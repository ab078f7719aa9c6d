"""What the figures of the overview show, in a sentence each, from the rates and gains they draw."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.report.context import NATION, Context
from evaluation.survey import normal_quantile


def counted(context: Context) -> dict[int, Markup]:
    """How many regions published a usable value, by survey."""
    w = context.writer
    return {
        wave: w.number(f"overview.published.{wave}", count, "", 0)
        for wave, count in _counts(context).items()
    }


def _counts(context: Context) -> dict[int, int]:
    rates = context.study.rates
    counts = rates[rates["region_code"].isin(context.codes)]["wave"].value_counts().sort_index()
    return {int(wave): int(n) for wave, n in counts.items() if wave >= context.first_year}


def coverage(context: Context, caption: Markup) -> Markup:
    """The survey with most regions, and how many the latest has."""
    w, counts, shown = context.writer, _counts(context), counted(context)
    if not counts:
        return caption
    most, last = max(counts, key=lambda wave: (counts[wave], wave)), max(counts)
    says = w.t(
        "figure.coverage",
        most=w.year(most),
        most_count=shown[most],
        last=w.year(last),
        last_count=shown[last],
    )
    return context.captioned(says, caption)


def ranking(context: Context, rows: pd.DataFrame, wave: int, caption: Markup) -> Markup:
    """How many regions the 95% interval of the difference puts above the nation, and below."""
    w, nation = context.writer, context.rate(NATION, wave)
    if nation is None or pd.isna(nation["variance"]):
        return caption
    gap = rows["rate"] - nation["rate"]
    half = normal_quantile(0.95) * (rows["variance"] + nation["variance"]) ** 0.5
    says = w.t(
        "figure.ranking",
        year=w.year(wave),
        above=w.number(f"overview.above.{wave}", int((gap > half).sum()), "", 0),
        below=w.number(f"overview.below.{wave}", int((gap < -half).sum()), "", 0),
    )
    return context.captioned(says, caption)


def gains(context: Context, rows: pd.DataFrame, caption: Markup) -> Markup:
    """In how many regions the interval of the latest gain lies above zero."""
    w = context.writer
    says = w.t(
        "figure.rises",
        rising=w.number("overview.rising", int((rows["low"] > 0).sum()), "", 0),
        count=w.number("overview.gains", len(rows), "", 0),
    )
    return context.captioned(says, caption)
