"""What goes with gains in literacy: scatter, estimates, words and power."""

from __future__ import annotations

import pandas as pd

from evaluation import plots, style
from evaluation.report.blocks import Figure, Items, Paragraph, Table
from evaluation.report.context import Context
from evaluation.report.effect import association
from evaluation.study import Estimate
from evaluation.views import View, drawn, show, table

MAIN = "gain_regression"
DIGITS = 3


def parts(page: Context, *kinds: type) -> View:
    """Those blocks of the report's section on the association that are of the ``kinds``."""
    return show(page, *(block for block in drawn(page, association) if isinstance(block, kinds)))


def sentences(page: Context) -> View:
    """The one-sentence answer and what the comparison rests on."""
    return show(page, *drawn(page, association)[:2])


def forest(page: Context) -> View:
    """Estimates of the gain regression with their intervals."""
    return parts(page, Figure)


def estimates(page: Context) -> View:
    """Both models, all doses."""
    return parts(page, Table)


def readings(page: Context) -> View:
    """What each estimate permits to be said."""
    return parts(page, Items)


def scatter(page: Context, dose: str) -> View:
    """Annual gain with its interval against one dose, a doubling to the step."""
    w, panel = page.writer, page.study.provinces
    frame = pd.DataFrame(
        {
            "name": [w.short(code) for code in panel["region_code"]],
            "x": panel[f"dose_{dose}"],
            "y": panel["annual"],
            "y_low": panel["low"] / panel["years"],
            "y_high": panel["high"] / panel["years"],
            "highlight": False,
        }
    ).dropna()
    name = w.t(f"dose.{dose}")
    figure = plots.scatter(frame, xlabel=str(name), ylabel=str(w.t("axis.gain")), log2=True)
    caption = w.t(
        "view.scatter.caption", dose=name, gains=w.number(f"scatter.{dose}", len(frame), "", 0)
    )
    return show(page, Figure(style.figure_png(figure), caption, str(w.t("view.scatter.alt"))))


def power(page: Context) -> View:
    """The smallest difference the design would find, beside the gains there are to explain."""
    w, study = page.writer, page.study
    typical = study.provinces["annual"].median()
    rows = []
    for item in estimable(study.estimates):
        key, details = f"estimate.{MAIN}.{item.dose}", item.result.details
        mde = details["mde"]
        rows.append(
            (
                w.t(f"dose.{item.dose}"),
                w.number(f"{key}.mde", mde, "", DIGITS),
                w.number(f"{key}.mde.share", 100 * mde / typical, "percent", 0),
                w.number(f"{key}.clusters", item.result.clusters, "", 0),
                w.number(f"{key}.effective", details["effective_clusters"], "", 1),
            )
        )
    lead = w.t("view.power", gain=w.number("gain.typical", typical, "percentage_point_per_year", 2))
    columns = ("dose", "mde", "mde_share", "clusters", "effective")
    body = table(page, w.t("view.power.table"), columns, rows, range(1, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.power.note"), "note"))


def estimable(estimates: tuple[Estimate, ...]) -> list[Estimate]:
    """Estimates of the gain regression, those with a reason for none left out."""
    return [item for item in estimates if item.model == MAIN and item.result is not None]
