"""Blocks of the effect section: the composite on the ladder, its locks, its checks, this region."""

from __future__ import annotations

import math

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.evidence import Component, permitted
from evaluation.headline import Headline
from evaluation.report.blocks import Figure, Heading, Items, Locks, Paragraph, Table
from evaluation.report.context import Context
from evaluation.report.specifications import specifications
from evaluation.report.writer import plain
from evaluation.results import Check, Result
from evaluation.spoken import CHANCES, COUNTS, SHARES

LOCKS = 5


def quotable(context: Context) -> Markup:
    """The strongest sentence the evidence permits on the composite; it has passed the gate."""
    w, found = context.writer, context.study.headline
    if not isinstance(found, Headline):
        return w.t("effect.none")
    key = permitted(found.grade, found.result.verdict, w.language)
    return w.t(key, dose=w.t("composite.name"))


def strength(context: Context) -> tuple:
    """Blocks on the composite: ladder, locks with components, checks."""
    found = context.study.headline
    if not isinstance(found, Headline):
        return ()
    w = context.writer
    return (
        Heading(w.t("composite.title")),
        Paragraph(w.t("composite.what", parts=_parts(context, found.parts))),
        *_drawn_ladder(context, found),
        _ladder(context, found),
        Paragraph(w.t("composite.note", parts=_parts(context, found.level_parts)), "note"),
        Heading(w.t("locks.title")),
        *drawn_locks(context, "locks.count"),
        Items(tuple(_component(context, item) for item in found.grade.components)),
        Heading(w.t("checks.title")),
        _checks(context, found),
    )


def appendix(context: Context) -> tuple:
    """The specification curve, for readers who want every estimate."""
    found = context.study.headline
    return specifications(context, found) if isinstance(found, Headline) else ()


def _parts(context: Context, doses: tuple[str, ...]) -> str:
    return context.listed(context.writer.t(f"dose.short.{dose}") for dose in doses)


def digits(error: float) -> int:
    """Decimals that show two significant digits of a standard error."""
    return max(1, min(4, 1 - math.floor(math.log10(error))))


def _drawn_ladder(context: Context, found: Headline) -> list[Figure]:
    """The rungs with their intervals, one figure a unit: gains and levels share no axis."""
    w, figures = context.writer, []
    for unit in ("percentage_point_per_year", "percentage_point"):
        rungs = [rung for rung in found.ladder if rung.result and rung.result.unit == unit]
        rows = [
            (
                str(w.t(f"rung.{rung.model}")),
                rung.result.estimate,
                rung.result.low,
                rung.result.high,
                plain(rung.result.estimate, w.language, digits(rung.result.se)),
            )
            for rung in rungs
        ]
        if rows:
            frame = pd.DataFrame(rows, columns=["label", "estimate", "low", "high", "note"])
            drawn = style.drawn(plots.forest, frame, xlabel=str(w.t(f"axis.{unit}")))
            caption, alt = w.t(f"composite.caption.{unit}"), str(w.t("composite.alt"))
            if any(rung.result is found.result for rung in rungs):
                says = w.t(f"figure.headline.{found.result.verdict}")
            else:
                says = _levels(context, rungs)
            caption = context.captioned(says, caption)
            figures.append(Figure(drawn, caption, alt))
    return figures


def _levels(context: Context, rungs: list) -> Markup:
    """In which of the models of levels the interval leaves out zero."""
    w = context.writer
    told = [rung.model for rung in rungs if rung.result.verdict != "unknown"]
    key = "none" if not told else "all" if len(told) == len(rungs) else "some"
    return w.t(f"figure.levels.{key}", names=context.listed(w.t(f"rung.{m}") for m in told))


def _ladder(context: Context, found: Headline) -> Table:
    w = context.writer
    rows = tuple(
        (w.t(f"rung.{rung.model}"), *_rung(context, rung.model, rung.result))
        for rung in found.ladder
    )
    names = ("model", "estimate", "interval95", "unit", "p", "used", "verdict")
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Table(w.t("composite.table"), columns, rows, frozenset({1, 2, 4, 5}))


def _rung(context: Context, model: str, result: Result | None) -> tuple[Markup, ...]:
    w = context.writer
    if result is None:
        return (*[Markup("—")] * 5, w.t("rung.refused"))
    key, places = f"ladder.{model}", digits(result.se)
    return (
        w.number(key, result.estimate, "", places, signed=True),
        w.interval(key, result.low, result.high, "", places),
        w.t(f"rung.unit.{result.unit}"),
        w.probability(f"{key}.p", result.p),
        w.number(f"{key}.observations", result.observations, "", 0),
        w.t(f"rung.verdict.{result.verdict}"),
    )


def drawn_locks(context: Context, key: str) -> list[Locks]:
    """The locks drawn, with the text ``key`` beside them; none where nothing was graded."""
    w, found = context.writer, context.study.headline
    if not isinstance(found, Headline):
        return []
    text = w.t(
        key,
        locks=w.number("evidence.locks", found.grade.locks, "", 0),
        most=w.number("evidence.most", LOCKS, "", 0),
    )
    return [Locks(found.grade.locks, LOCKS, text)]


def _component(context: Context, item: Component) -> Markup:
    """Why a component set or moved the grade, its numbers with their results."""
    w, stem = context.writer, item.key.removeprefix("evidence.")
    values = {"amount": w.number(f"{item.key}.amount", item.amount, "", 0)}
    shares = {"minus.confounder", "minus.sign_specifications"}
    if stem in shares:
        values["value"] = w.number(f"{item.key}.value", 100 * item.value, "percent", 1)
    elif stem == "minus.pre_trend_found":
        values["value"] = w.probability(f"{item.key}.value", item.value)
    else:
        whole = float(item.value).is_integer()
        values["value"] = w.number(f"{item.key}.value", item.value, "", 0 if whole else 2)
    return w.t(item.key, **values)


def _checks(context: Context, found: Headline) -> Table:
    w = context.writer
    state = {True: "passed", False: "failed", None: "informs"}
    rows = []
    for check in found.checks:
        kind = "impossible" if check.key == "check.impossible" else state[check.passed]
        words = w.t(check.key, **_values(context, check))
        rows.append((w.t(f"check.name.{check.name}"), w.t(f"check.state.{kind}"), words))
    columns = tuple(w.t(f"column.{name}") for name in ("check", "verdict", "meaning"))
    return Table(w.t("checks.table"), columns, tuple(rows))


def _values(context: Context, check: Check) -> dict[str, Markup]:
    return {
        name: _value(context, f"check.{check.name}.{name}", name, value)
        for name, value in check.values.items()
    }


def _value(context: Context, key: str, name: str, value: float) -> Markup:
    w = context.writer
    if name in COUNTS:
        return w.number(key, value, "", 0)
    if name in SHARES:
        return w.number(key, 100 * value, "percent", 1)
    if name in CHANCES:
        return w.t("number.p", p=w.probability(key, value))
    return w.number(key, value, "", 3 if abs(value) < 1 else 1)
