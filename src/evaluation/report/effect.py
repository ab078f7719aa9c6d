"""Section: what the evaluation can and cannot say about the effect of investment."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.report.blocks import Figure, Heading, Items, Paragraph, Section, Table
from evaluation.report.context import Context
from evaluation.report.expectation import here as expected
from evaluation.report.strength import appendix, digits, quotable, strength
from evaluation.report.writer import plain
from evaluation.study import Estimate

MAIN = "gain_regression"


def section(context: Context) -> Section:
    w = context.writer
    here = (Heading(w.t("effect.here", region=context.name)), *_here(context), *expected(context))
    blocks = (*association(context), *here, *limits(context), *appendix(context))
    return Section("effect", w.t("effect.title"), blocks)


def association(context: Context) -> tuple:
    """Blocks on the association over all regions of the panel: sentence, figure, table."""
    w, main = context.writer, _main(context)
    drawn = [_forest(context)] if any(item.result for item in main) else []
    return (
        Paragraph(quotable(context), "lead"),
        Paragraph(overall(context)),
        Paragraph(_design(context)),
        *strength(context),
        Heading(w.t("effect.single")),
        *drawn,
        *_tables(context),
        Paragraph(w.t("effect.note"), "note"),
        Heading(w.t("effect.reading")),
        Items(tuple(sentence(context, item) for item in main)),
    )


def limits(context: Context) -> tuple:
    """Blocks on what stands between these data and a judgement."""
    w = context.writer
    items = tuple(w.t(f"effect.limit.{key}") for key in ("proxy", "order", "survey", "power"))
    return (Heading(w.t("effect.limits")), Items(items))


def _main(context: Context) -> list[Estimate]:
    return [item for item in context.study.estimates if item.model == MAIN]


def overall(context: Context, stem: str = "effect") -> Markup:
    """What the data show over all inputs; it never claims a cause.

    The gain regression leads; where the fixed effects say otherwise, the sentence says so.
    ``stem`` chooses the words: ``effect`` those of the section, ``findings.effect`` plain ones.
    """
    w, main = context.writer, _main(context)
    estimable = [item for item in main if item.result]
    if not estimable:
        return w.t("effect.none")
    told, other = _told(main), _told([i for i in context.study.estimates if i.model != MAIN])
    values = {
        "tried": w.number("doses.tried", len(estimable), "", 0),
        "told": w.number("doses.told", len(told), "", 0),
    }
    short = stem != "effect"
    text = w.t(
        f"{stem}.some" if told else f"{stem}.unknown", names=_names(context, told, short), **values
    )
    if {item.dose for item in other} == {item.dose for item in told}:
        return text
    if not other:
        return w.joined(text, w.t(f"{stem}.second.none"))
    return w.joined(text, w.t(f"{stem}.second", names=_names(context, other, short)))


def _told(estimates: list[Estimate]) -> list[Estimate]:
    """Estimates that differ from zero after Holm's correction within their model."""
    return [item for item in estimates if item.result and item.p_holm < 1 - item.result.level]


def _names(context: Context, estimates: list[Estimate], short: bool = False) -> str:
    w, stem = context.writer, "dose.short" if short else "dose"
    return context.listed([w.t(f"{stem}.{item.dose}") for item in estimates])


def _key(item: Estimate) -> str:
    return f"estimate.{item.model}.{item.dose}"


def _unit(item: Estimate) -> str:
    return "percentage_point_per_year" if item.model == MAIN else "percentage_point"


def sentence(context: Context, item: Estimate) -> Markup:
    """What one estimate permits to be said."""
    w = context.writer
    name = w.t(f"dose.{item.dose}")
    if item.result is None:
        return w.t("effect.not_estimable", dose=name)
    places, key = digits(item.result.se), _key(item)
    verdict = item.verdict
    if verdict != "unknown" and not _told([item]):
        verdict = "not_after_holm"
    return w.t(
        f"effect.sentence.{verdict}",
        dose=name,
        estimate=w.number(key, item.result.estimate, _unit(item), places, signed=True),
        interval=w.interval(key, item.result.low, item.result.high, "", places),
        mde=w.number(f"{key}.mde", item.result.details["mde"], _unit(item), places),
        holm=w.probability(f"{key}.holm", item.p_holm),
    )


def _design(context: Context) -> Markup:
    w, panel = context.writer, context.study.provinces
    return w.t(
        "effect.design",
        gains=w.number("panel.gains", len(panel), "", 0),
        regions=w.number("panel.regions", panel["region_code"].nunique(), "", 0),
        first=w.year(panel["wave_from"].min()),
        last=w.year(panel["wave_to"].max()),
        breaks=w.number("panel.breaks", int(panel["crosses_break"].sum()), "", 0),
    )


def _forest(context: Context) -> Figure:
    w = context.writer
    rows = []
    for item in context.study.estimates:
        if item.model != MAIN or item.result is None:
            continue
        result, places = item.result, digits(item.result.se)
        note = plain(result.estimate, w.language, places, signed=True)
        rows.append((str(w.t(f"dose.{item.dose}")), result.estimate, result.low, result.high, note))
    frame = pd.DataFrame(rows, columns=["label", "estimate", "low", "high", "note"])
    figure = style.drawn(plots.forest, frame, xlabel=str(w.t("axis.effect")))
    told = len(_told(_main(context)))
    says = w.t(
        "figure.forest" if told else "figure.forest.none",
        tried=w.number("doses.tried", len(rows), "", 0),
        told=w.number("doses.told", told, "", 0),
    )
    caption = context.captioned(says, w.t("effect.forest.caption"))
    return Figure(figure, caption, str(w.t("effect.forest.alt")))


def _tables(context: Context) -> list[Table]:
    """One table a model: estimate, interval, adjusted p, detectable difference, counts."""
    w, estimates = context.writer, context.study.estimates
    names = ("dose", "estimate", "interval95", "p_holm", "mde", "used", "effective")
    columns = tuple(w.t(f"column.{name}") for name in names)
    tables = []
    for model in dict.fromkeys(item.model for item in estimates):
        rows = tuple(_row(context, item) for item in estimates if item.model == model)
        caption = w.t(f"effect.table.{model}")
        tables.append(Table(caption, columns, rows, frozenset(range(1, 7))))
    return tables


def _row(context: Context, item: Estimate) -> tuple[Markup, ...]:
    w, label = context.writer, context.writer.t(f"dose.{item.dose}")
    if item.result is None:
        return (label, w.t("effect.cannot"), *[Markup("—")] * 5)
    key, places, result = _key(item), digits(item.result.se), item.result
    return (
        label,
        w.number(key, result.estimate, "", places, signed=True),
        w.interval(key, result.low, result.high, "", places),
        w.probability(f"{key}.holm", item.p_holm),
        w.number(f"{key}.mde", result.details["mde"], "", places),
        w.number(f"{key}.observations", result.observations, "", 0),
        w.number(f"{key}.effective", result.details["effective_clusters"], "", 1),
    )


def _here(context: Context) -> list:
    """What the national association means for this region, and what it does not."""
    w, panel = context.writer, context.study.provinces
    own = panel[panel["region_code"] == context.code]
    if own.empty:
        return [context.missing("effect.here.missing")]
    used = w.number(f"panel.gains.{context.code}", len(own), "", 0)
    return [Paragraph(w.t("effect.here.text", region=context.name, used=used))]
