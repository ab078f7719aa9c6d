"""The logic model: inputs, activities, outputs, outcomes, literacy, and what joins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from evaluation.figures.logic import logic_model
from evaluation.report.blocks import Figure
from evaluation.report.designs import findings_locks
from evaluation.report.inputs import KEPU, first_told
from evaluation.report.page import Context, Writer, picture
from evaluation.targets.assess import Assessment

STAGES = ("inputs", "activities", "outputs", "outcomes", "literacy")
# Domains of indicators; what is a share of people is no output any more, but an outcome.
DOMAINS = {
    "fund": "inputs", "facility": "inputs", "personnel": "inputs", "volunteer": "inputs",
    "activity": "activities", "training": "activities", "digital": "activities",
    "reach": "outputs",
}  # fmt: skip
# Kinds of objectives of a programme.
KINDS = {
    "budget": "inputs", "cost": "inputs", "quantity": "activities", "quality": "activities",
    "timeliness": "activities", "benefit": "outputs", "satisfaction": "outcomes",
}  # fmt: skip
SHARE = "percent"


def model(context: Context) -> Figure:
    """The whole of a region: how many figures each stage has, one of them, what joins stages."""
    w = context.writer
    stage = _stages(context)
    counts, proxies = stage.value_counts(), stage[_proxy(context)].value_counts()
    best: dict[str, pd.Series] = {}
    for row in first_told(context):
        at = _stage(row["domain"], row["unit"])
        best.setdefault(at, row)
    told = {
        name: _told(context, name, counts.get(name, 0), proxies.get(name, 0), best.get(name))
        for name in STAGES[:-1]
    }
    told["literacy"] = _literacy(context)
    locks = findings_locks(context)
    whole = w.t("logic.ungraded")
    if locks:
        whole = w.t("logic.whole", **w.numbers("logic", locks=locks[0].count, most=locks[0].most))
    return _picture(context, told, whole, w.t("logic.of", name=context.name))


def _stage(domain: str, unit: str) -> str:
    return "outcomes" if domain == "reach" and unit == SHARE else DOMAINS.get(domain, "")


def _stages(context: Context) -> pd.Series:
    """Stage of each published figure of the region; none for those outside the model."""
    kinds = context.study.dataset.indicators.set_index("indicator")
    facts = context.facts[context.facts["kind"].isin(["statistic", "survey"])]
    told = facts["indicator"].map(kinds["scope"]).isin(KEPU)
    facts = facts[told | facts["indicator"].map(kinds["proxy"]).astype(bool)]
    domains, units = (facts["indicator"].map(kinds[name]) for name in ("domain", "unit"))
    pairs = zip(domains, units, strict=True)
    return pd.Series([_stage(*pair) for pair in pairs], index=facts.index, dtype=str)


def _proxy(context: Context) -> pd.Series:
    kinds = context.study.dataset.indicators.set_index("indicator")["proxy"]
    rows = context.facts.loc[_stages(context).index, "indicator"]
    return rows.map(kinds).astype(bool)


def _told(context: Context, name: str, count: int, proxies: int, row: pd.Series | None) -> Markup:
    w = context.writer
    if not count:
        return w.t("logic.none")
    counted = w.numbers(f"logic.{name}", count=count, **({"proxies": proxies} if proxies else {}))
    told = w.t("logic.count.proxies" if proxies else "logic.count", **counted)
    if row is None:
        return told
    period = w.period(row["period_start"], row["period_end"])
    example = w.t("logic.latest", what=w.indicator(row["indicator"]), value=w.fact(row),
                  period=period)  # fmt: skip
    return w.joined(told, example)


def _literacy(context: Context) -> Markup:
    w, own = context.writer, context.rates_of(context.code)
    if own.empty:
        return w.t("logic.unsurveyed")
    last = own.iloc[-1]
    counted = w.numbers("logic.literacy", count=len(own))
    told = {"value": context.fact(last["fact_id"]), "period": w.year(last["wave"])}
    return w.t("logic.surveyed", **counted, **told)


def programme(page: Any, made: Assessment, actual: Mapping[str, str]) -> Figure:
    """One programme: its objectives by stage, each with its actual figure.

    Parameters
    ----------
    page : whatever has a writer. actual : what is told of each objective, by its id.
    """
    w = page.writer
    at = made.lines["kind"].map(KINDS)
    told = {}
    for name in STAGES[:-1]:
        parts = [
            w.t("logic.objective", what=w.column(row, "title"), value=actual[row["objective_id"]])
            for row in made.lines[at == name].to_dict("records")
        ]
        told[name] = w.series(parts, "；", "; ") or w.t("logic.undeclared")
    told["literacy"] = w.t("logic.programme")
    title = w.t("logic.of", name=w.column(made.programme, "name"))
    return _picture(page, told, w.t("logic.alone"), title)


def _picture(page: Any, told: Mapping[str, Markup], whole: Markup, title: Markup) -> Figure:
    w = page.writer
    boxes = [(_plain(w.t(f"logic.stage.{name}")), _plain(told[name])) for name in STAGES]
    arrows = [_plain(w.t(f"logic.arrow.{name}")) for name in STAGES[:-1]]
    lines = _lines(w, boxes, arrows, _plain(whole))
    values = {"title": title, "told": lines}
    return picture(page, "logic", logic_model, boxes, arrows, _plain(whole), values=values)


def _plain(text: Markup) -> str:
    return Markup(text).striptags()


def _lines(
    w: Writer, boxes: Sequence[tuple[str, str]], arrows: Sequence[str], whole: str
) -> Markup:
    """The picture in words, from the first stage to the last."""
    between = [*arrows, whole]
    pairs = zip(boxes, between, strict=True)
    parts = [w.t("logic.line", name=name, told=told, arrow=arrow) for (name, told), arrow in pairs]
    return w.joined(*parts)
