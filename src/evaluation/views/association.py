"""What goes with gains in literacy: scatter, estimates, power, and two warnings."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.report.blocks import Figure, Heading, Items, Paragraph, Table
from evaluation.report.context import Context
from evaluation.report.effect import association
from evaluation.study import Estimate
from evaluation.views import View, show, table

MAIN = "gain_regression"
DIGITS = 3


def parts(page: Context, *kinds: type) -> View:
    """Those blocks of the report's section on the association that are of the ``kinds``."""
    return show(page, *(block for block in association(page) if isinstance(block, kinds)))


def sentences(page: Context) -> View:
    """The one-sentence answer and what the comparison rests on."""
    return show(page, *association(page)[:2])


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
    for item in _estimable(study.estimates):
        key, details = f"estimate.{MAIN}.{item.dose}", item.result.details
        mde = details["mde_approximate"]
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
    columns = ("dose", "mde", "mde_share", "clusters", "effective_clusters")
    body = table(page, w.t("view.power.table"), columns, rows, range(1, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.power.note"), "note"))


def opening(page: Context, without: tuple[Estimate, ...]) -> View:
    """Estimates with the opening level among the controls beside those ``without`` it."""
    w, rows = page.writer, []
    others = {item.dose: item for item in _estimable(without)}
    for item in _estimable(page.study.estimates):
        level = item.result.table().set_index("term").at["opening", "estimate"]
        cells = [_cell(page, f"{kind}.{item.dose}", source) for kind, source in
                 (("with", item), ("without", others[item.dose]))]  # fmt: skip
        shift = item.result.estimate - others[item.dose].result.estimate
        cells += [
            w.number(f"shift.{item.dose}", shift, "", DIGITS, signed=True),
            w.number(f"opening.{item.dose}", level, "", DIGITS, signed=True),
        ]
        rows.append((w.t(f"dose.{item.dose}"), *cells))
    columns = ("dose", "with_opening", "without_opening", "shift", "opening_coefficient")
    body = table(page, w.t("view.opening.table"), columns, rows, range(1, 5))
    return show(page, body, Paragraph(w.t("view.opening.note"), "note"))


def recovered(page: Context, truth: Mapping[str, float]) -> View:
    """Estimates beside the effects that made a simulated package."""
    w, rows, held = page.writer, [], 0
    items = _estimable(page.study.estimates)
    for item in items:
        value, result = truth[item.dose], item.result
        inside = result.low <= value <= result.high
        held += inside
        rows.append(
            (
                w.t(f"domain.{item.dose}"),
                w.number(f"truth.{item.dose}", value, "", 2, signed=True),
                _cell(page, f"simulated.{item.dose}", item),
                w.t(f"answer.{'yes' if inside else 'no'}"),
                w.t(f"view.verdict.{item.verdict}"),
                w.number(f"simulated.{item.dose}.mde", result.details["mde_approximate"], "", 2),
            )
        )
    lead = w.t(
        "view.recovered",
        doses=w.number("simulated.doses", len(items), "", 0),
        held=w.number("simulated.held", held, "", 0),
        told=w.number("simulated.told", sum(i.verdict != "unknown" for i in items), "", 0),
        real=w.number("simulated.real", sum(truth[i.dose] != 0 for i in items), "", 0),
    )
    columns = ("domain", "truth", "estimate", "holds_truth", "reading", "mde")
    body = table(page, w.t("view.recovered.table"), columns, rows, (1, 2, 5))
    return show(page, Paragraph(lead), body, Paragraph(w.t("view.recovered.note"), "note"))


def _estimable(estimates: tuple[Estimate, ...]) -> list[Estimate]:
    return [item for item in estimates if item.model == MAIN and item.result is not None]


def _cell(page: Context, key: str, item: Estimate) -> Markup:
    w, result = page.writer, item.result
    return w.joined(
        w.number(key, result.estimate, "", DIGITS, signed=True),
        w.interval(key, result.low, result.high, "", DIGITS),
    )
