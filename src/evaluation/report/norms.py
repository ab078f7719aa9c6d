"""Blocks: norms the region is held to, and what is known against them."""

from __future__ import annotations

from evaluation.report.blocks import Heading, Paragraph
from evaluation.report.context import Context

# Indicators that count science museums at county level, by order of preference.
MUSEUMS = ("science_museums_banner_level_and_above", "science_museums_association")


def norm_blocks(context: Context) -> list:
    """Museum coverage of county-level units and the staffing norms of county associations."""
    w = context.writer
    return [Heading(w.t("norms.title")), _coverage(context), *_staffing(context)]


def _latest(context: Context, indicators: tuple[str, ...]):
    for indicator in indicators:
        rows = context.facts[context.facts["indicator"] == indicator]
        if len(rows):
            return rows.sort_values("period_end").iloc[-1]
    return None


def _coverage(context: Context) -> Paragraph:
    w = context.writer
    counties, museums = _latest(context, ("county_level_units",)), _latest(context, MUSEUMS)
    if counties is None or museums is None:
        return context.missing("norms.coverage.missing")
    ratio = museums["value"] / counties["value"]
    return Paragraph(
        w.t(
            "norms.coverage",
            region=context.name,
            museums=w.fact(museums, unit=False),
            counties=w.fact(counties, unit=False),
            period=w.period(museums["period_start"], museums["period_end"]),
            ratio=w.number(f"coverage.{context.code}", ratio, "", 2),
            source=w.cite(f"{museums['source_id']};{counties['source_id']}"),
        )
    )


def _staffing(context: Context) -> list[Paragraph]:
    """Staffing norms are set by the region or by the one above it."""
    w, facts = context.writer, context.study.dataset.facts
    norms = facts[
        (facts["kind"] == "norm")
        & facts["indicator"].str.startswith("county_kepu_staff_norm")
        & facts["region_code"].isin([context.code, context.parent])
    ].set_index("indicator")
    if norms.empty:
        return [context.missing("norms.staff.missing")]
    small, large = (
        norms.loc["county_kepu_staff_norm"],
        norms.loc["county_kepu_staff_norm_large_population"],
    )
    threshold = norms.loc["county_kepu_staff_norm_population_threshold"]
    sentence = w.t(
        "norms.staff",
        small=w.fact(small),
        large=w.fact(large),
        threshold=w.fact(threshold),
        source=w.cite(small["source_id"]),
    )
    gap = w.t("norms.staff.unknown", region=context.name)
    return [Paragraph(w.joined(sentence, gap))]
