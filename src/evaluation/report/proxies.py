"""Blocks of the input section: proxies per head, against all provinces, the band and the past."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.doses import per_capita
from evaluation.position import growth, latest_common_year, percentile
from evaluation.report.blocks import Figure, Heading, Paragraph, Table
from evaluation.report.context import Context
from evaluation.report.writer import plain


@dataclass(frozen=True)
class Standing:
    """A region's dose in its latest comparable year, against all provinces and its band."""

    dose: pd.Series
    year: int
    value: float
    percentile: float
    band_median: float
    band_percentile: float
    change: dict | None


@lru_cache(maxsize=1)  # the section and the summary of one report
def standings(context: Context) -> list[Standing]:
    """Each dose of the region where at least nine in ten provinces have the same year."""
    regions = context.study.dataset.regions.set_index("code")
    provinces = regions.index[regions["level"] == "province"]
    found = []
    for _, dose in context.study.dataset.doses.iterrows():
        values = per_capita(context.study.dataset, dose)
        values = values[values["region_code"].isin(provinces)]
        year = latest_common_year(values, context.code)
        if year is None:
            continue
        column = values[values["year"] == year].set_index("region_code")["value"]
        same = column[regions.loc[column.index, "band"] == context.region["band"]]
        found.append(
            Standing(
                dose,
                year,
                float(column[context.code]),
                percentile(column, context.code),
                float(same.median()),
                float(100 * (column < same.median()).mean()),
                growth(values, context.code, year),
            )
        )
    return found


def proxy_blocks(context: Context) -> list:
    """Where the region stands, with its figures, and how it came there; or what is missing."""
    w, found = context.writer, standings(context) if context.is_province else []
    if not found:
        return [context.missing("inputs.proxies.missing")]
    return [
        Heading(w.t("inputs.proxies")),
        _profile(context, found),
        _table(context, found),
        Paragraph(w.t("inputs.proxies.note"), "note"),
        _history(context, found),
    ]


def _label(context: Context, dose: pd.Series) -> str:
    return context.writer.column(dose, "label")


def _value_key(context: Context, item: Standing) -> str:
    return f"dose.{context.code}.{item.dose['dose']}.{item.year}"


def _digits(value: float) -> int:
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2


def _profile(context: Context, found: list[Standing]) -> Figure:
    w = context.writer
    frame = pd.DataFrame(
        {
            "label": [str(w.t(f"dose.{item.dose['dose']}")) for item in found],
            "percentile": [item.percentile for item in found],
            "value_text": [
                plain(item.value, w.language, _digits(item.value)) + w.unit(item.dose["unit"])
                for item in found
            ],
            "band_percentile": [item.band_percentile for item in found],
        }
    )
    names = {part: str(w.t(f"figure.{part}")) for part in ("region", "band")}
    figure = style.drawn(plots.profile, frame, names=names, xlabel=str(w.t("axis.percentile")))
    band = w.t(f"band.{context.region['band']}")
    caption = w.t("inputs.profile.caption", region=context.name, band=band)
    signs = {str(item.dose["dose"]): item.value - item.band_median for item in found}
    key, names = _sides(context, signs)
    if key:
        says = w.t(f"figure.profile.{key}", region=context.name, band=band, **names)
        caption = context.captioned(says, caption)
    alt = str(w.t("inputs.profile.alt", region=context.name).striptags())
    return Figure(figure, caption, alt)


def _sides(context: Context, signs: dict[str, float]) -> tuple[str, dict[str, str]]:
    """Which inputs are above zero, which below: the key of the sentence and its names."""
    w = context.writer
    more, less = (
        context.listed(
            w.t(f"dose.short.{dose}") for dose, value in signs.items() if side * value > 0
        )
        for side in (1, -1)
    )
    key = "both" if more and less else "above" if more else "below" if less else ""
    return key, {"more": more, "less": less}


def _table(context: Context, found: list[Standing]) -> Table:
    w = context.writer
    rows = []
    for item in found:
        key, digits = _value_key(context, item), _digits(item.value)
        change = w.t("missing.series")
        if item.change:
            change = w.t(
                "inputs.growth",
                value=w.number(f"{key}.growth", item.change["rate"], "percent", 1, signed=True),
                start=w.year(item.change["from"]),
                end=w.year(item.change["to"]),
            )
        rows.append(
            (
                Markup("{}").format(_label(context, item.dose)),
                w.year(item.year),
                w.number(key, item.value, item.dose["unit"], digits),
                w.number(f"{key}.percentile", item.percentile, "", 0),
                w.number(
                    f"dose.{context.region['band']}.{item.dose['dose']}.{item.year}",
                    item.band_median,
                    "",
                    digits,
                ),
                change,
            )
        )
    columns = tuple(
        w.t(f"column.{name}")
        for name in ("dose", "year", "value", "percentile", "band_median", "growth")
    )
    return Table(w.t("inputs.proxies.table"), columns, tuple(rows), frozenset({2, 3, 4}))


def _history(context: Context, found: list[Standing]) -> Figure:
    w, parts = context.writer, []
    for _, dose in context.study.dataset.doses.iterrows():
        values = per_capita(context.study.dataset, dose)
        own = values[
            (values["region_code"] == context.code) & (values["year"] >= context.first_year)
        ]
        panel = str(w.t(f"dose.{dose['dose']}"))
        parts.append(own.assign(panel=panel)[["panel", "year", "value", "series"]])
    frame = pd.concat(parts, ignore_index=True)
    frame["year"] = frame["year"].astype(int)
    figure = style.drawn(plots.small_multiples, frame, columns=2)
    caption = w.t("inputs.history.caption", region=context.name)
    signs = {str(item.dose["dose"]): item.change["rate"] for item in found if item.change}
    key, names = _sides(context, signs)
    if key:
        says = w.t(f"figure.history.{key}", region=context.name, **names)
        caption = context.captioned(says, caption)
    alt = str(w.t("inputs.history.alt", region=context.name).striptags())
    return Figure(figure, caption, alt)
