"""The proxies the comparison rests on: what they are not, how they moved, how they differ."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.doses import per_capita
from evaluation.position import latest_common_year, percentile
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.context import Context
from evaluation.study import BANDS
from evaluation.views import View, existing, show, table

PUBLISHED = 0.9  # share of the regions a year needs before a median of it is drawn


def _values(page: Context, dose: pd.Series) -> pd.DataFrame:
    values = per_capita(page.study.dataset, dose)
    values = values[values["region_code"].isin(page.codes) & (values["year"] >= page.first_year)]
    return values.assign(year=values["year"].astype(int))


def _digits(value: float) -> int:
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2


def proxies(page: Context) -> View:
    """What each dose counts, what it is not, and for how many regions and years it exists."""
    w, data = page.writer, page.study.dataset
    kinds, rows = data.indicators.set_index("indicator"), []
    for _, dose in data.doses.iterrows():
        values = _values(page, dose)
        key = f"proxy.{dose['dose']}"
        rows.append(
            (
                w.t(f"domain.{dose['domain']}"),
                w.t(f"dose.{dose['dose']}"),
                w.column(kinds.loc[dose["indicator"]], "definition"),
                w.t(f"timing.{dose['timing']}"),
                w.number(f"{key}.regions", values["region_code"].nunique(), "", 0),
                w.period(str(values["year"].min()), str(values["year"].max())),
            )
        )
    columns = ("domain", "dose", "not", "timing", "regions", "period")
    body = table(page, w.t("view.proxies.table"), columns, rows, (4,))
    return show(page, Paragraph(w.t("view.proxies")), body)


def _steady(values: pd.DataFrame) -> pd.DataFrame:
    """Regions counted by one definition throughout: two definitions are never one line."""
    kinds = values.groupby("region_code")["series"].transform("nunique")
    return values[kinds == 1]


def history(page: Context) -> View:
    """Median of each proxy in the three bands over the years."""
    w, parts, counts = page.writer, [], []
    band = page.study.dataset.regions.set_index("code")["band"]
    for _, dose in page.study.dataset.doses.iterrows():
        values = _steady(_values(page, dose))
        share = values.groupby("year")["region_code"].nunique() / values["region_code"].nunique()
        rows = values[values["year"].map(share) >= PUBLISHED]
        rows = rows.assign(series=rows["region_code"].map(band))
        medians = rows.groupby(["series", "year"])["value"].median().unstack()
        years = range(rows["year"].min(), rows["year"].max() + 1)
        medians = medians.reindex(index=pd.Index(BANDS, name="series"), columns=years)
        name, count = w.t(f"dose.{dose['dose']}"), values["region_code"].nunique()
        counts.append(w.number(f"steady.{dose['dose']}", count, "", 0))
        line = medians.rename_axis(columns="year").stack(future_stack=True).rename("value")
        parts.append(line.reset_index().assign(panel=str(name)))
    frame = pd.concat(parts, ignore_index=True)
    frame["label"] = frame["series"].map({key: str(w.t(f"band.{key}")) for key in BANDS})
    figure = plots.small_multiples(frame, columns=2)
    regions = Markup("、" if w.language == "zh" else ", ").join(counts)
    caption, alt = w.t("view.history.caption", regions=regions), str(w.t("view.history.alt"))
    return show(page, Figure(style.figure_png(figure), caption, alt))


def spread(page: Context, region: str) -> View:
    """Lowest, middle and highest region on each proxy, and where ``region`` stands."""
    w, rows = page.writer, []
    existing(page, region)
    for _, dose in page.study.dataset.doses.iterrows():
        values = _values(page, dose)
        year = latest_common_year(values, region, PUBLISHED)
        if year is None:
            rows.append((w.t(f"dose.{dose['dose']}"), *[Markup("—")] * 7))
            continue
        column = values[values["year"] == year].set_index("region_code")["value"]
        key = f"dose.{dose['dose']}.{year}"
        found = {"low": column.min(), "median": column.median(), "high": column.max()}
        found["own"] = column[region]
        cells = [w.number(f"{key}.{k}", v, "", _digits(column.median())) for k, v in found.items()]
        cells.append(w.number(f"{key}.rank", percentile(column, region), "", 0))
        cells.append(w.number(f"{key}.ratio", found["high"] / found["low"], "", 0))
        rows.append((w.t(f"dose.{dose['dose']}"), w.year(year), *cells))
    columns = ("dose", "year", "lowest", "median", "highest", "own", "percentile", "ratio")
    body = table(page, w.t("view.spread.table", region=w.name(region)), columns, rows, range(2, 8))
    return show(page, body, Paragraph(w.t("view.spread.note", region=w.name(region)), "note"))
