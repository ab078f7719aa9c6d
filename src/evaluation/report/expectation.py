"""Blocks on a region's gains against what the other provinces lead one to expect."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.headline import Headline
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import Context


def here(context: Context) -> list:
    """The region's latest gain against what the other provinces lead one to expect."""
    found = context.study.headline
    if not isinstance(found, Headline):
        return []
    own = found.expected[found.expected["region_code"] == context.code]
    own = own[own["expected"].notna()]
    if own.empty:
        return [context.missing("expected.missing")]
    row = own.sort_values("wave_to").iloc[-1]
    side = "above" if row["low"] > 0 else "below" if row["high"] < 0 else "near"
    return [Paragraph(_expected(context, row, side)), _drawn_expected(context, own, side)]


def _drawn_expected(context: Context, own: pd.DataFrame, side: str) -> Figure:
    """Every period of the region: the gain on the bar within which it was to be expected."""
    w, rows = context.writer, own.sort_values("wave_to")
    spans = zip(rows["wave_from"], rows["wave_to"], strict=True)
    frame = pd.DataFrame(
        {
            "label": [f"{first}–{last}" for first, last in spans],
            "observed": rows["observed"].to_numpy(),
            "expected": rows["expected"].to_numpy(),
            # The interval is that of the difference; about the expectation it is mirrored.
            "low": (rows["observed"] - rows["high"]).to_numpy(),
            "high": (rows["observed"] - rows["low"]).to_numpy(),
        }
    )
    names = {part: str(w.t(f"figure.{part}")) for part in ("observed", "expected")}
    figure = style.drawn(plots.expected, frame, xlabel=str(w.t("axis.gain")), names=names)
    alt = w.t("expected.alt", region=context.name).striptags()
    caption = w.t("expected.caption", region=context.name)
    caption = context.captioned(w.t(f"figure.expected.{side}"), caption)
    return Figure(figure, caption, str(alt))


def _expected(context: Context, row: pd.Series, side: str) -> Markup:
    w = context.writer
    key = f"expected.{context.code}.{row['interval']}"
    return w.t(
        f"expected.{side}",
        region=context.name,
        first=w.year(row["wave_from"]),
        last=w.year(row["wave_to"]),
        observed=w.number(f"{key}.observed", row["observed"], "", 2, signed=True),
        expected=w.number(f"{key}.expected", row["expected"], "", 2, signed=True),
        residual=w.number(f"{key}.residual", row["residual"], "", 2, signed=True),
        interval=w.interval(key, row["low"], row["high"], "", 2),
    )
