"""Section: key findings, five sentences that answer before anything is explained."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.report.blocks import Items, Locks, Section
from evaluation.report.context import NATION, Context
from evaluation.report.effect import overall
from evaluation.report.strength import drawn_locks
from evaluation.report.targets import assessments, told

ANSWERS = ("level", "change", "target", "effect", "next")


def section(context: Context) -> Section:
    w = context.writer
    effect = overall(context, "findings.effect")
    items = (level(context), _change(context), target(context), effect, next_step(context))
    return Section(
        "findings", w.t("findings.title"), (labelled(context, ANSWERS, items), *locks(context))
    )


def labelled(context: Context, names: tuple[str, ...], items: tuple[Markup, ...]) -> Items:
    """Key findings, each under the question it answers."""
    labels = tuple(context.writer.t(f"findings.label.{name}") for name in names)
    return Items(items, key=True, labels=labels)


def locks(context: Context) -> tuple[Locks, ...]:
    """The strength of the evidence on investment, where there is anything to grade."""
    return tuple(drawn_locks(context, "findings.locks"))


def level(context: Context) -> Markup:
    """The latest surveyed rate against the nation's of the same wave."""
    w, own = context.writer, context.rates_of(context.code)
    known = own[own["variance"].notna()]
    if known.empty:
        code = context.surveyed_above
        above = context.rates_of(code).iloc[-1]
        return w.t(
            "findings.level.missing",
            region=context.name,
            parent=w.name(code),
            rate=context.rate_text(above),
            year=w.year(above["wave"]),
        )
    row = known.iloc[-1]
    nation = context.rate(NATION, row["wave"])
    values = {
        "region": context.name,
        "rate": context.rate_text(row),
        "year": w.year(row["wave"]),
    }
    if nation is None:
        return w.t("findings.level.alone", **values)
    low, high, gap = context.difference(f"gap.{context.code}.{row['wave']}", row, nation)
    side = "above" if low > 0 else "below" if high < 0 else "near"
    if side != "near":  # "above" and "below" say the sign
        gap = _distance(context, f"distance.{context.code}.{row['wave']}", low, high)
    return w.t(f"findings.level.{side}", gap=gap, nation=context.fact(nation["fact_id"]), **values)


def _distance(context: Context, key: str, low: float, high: float) -> Markup:
    """How far two rates lie apart, without a sign, from the ends of their difference."""
    w, (near, far) = context.writer, sorted((abs(low), abs(high)))
    value = w.number(key, (near + far) / 2, "percentage_point", 2)
    return w.joined(value, w.interval(key, near, far, "", 1))


def _change(context: Context) -> Markup:
    w, gains = context.writer, context.study.gains
    own = gains[gains["region_code"] == context.code]
    if own.empty:
        return w.t("findings.change.missing", region=context.name)
    gain = own.iloc[-1]
    key = f"gain.{context.code}.{gain['interval']}"
    side = "up" if gain["low"] > 0 else "down" if gain["high"] < 0 else "unclear"
    text = w.t(
        f"findings.change.{side}",
        first=w.year(gain["wave_from"]),
        last=w.year(gain["wave_to"]),
        gain=w.number(key, gain["gain"], "percentage_point", 2, signed=side != "up"),
        interval=w.interval(key, gain["low"], gain["high"], "", 1),
    )
    if not gain["crosses_break"]:
        return text
    return w.joined(text, w.t("findings.change.break"))


def target(context: Context) -> Markup:
    """The nearest target of the region, or of the nation in an overview, and its verdict."""
    w, found = context.writer, assessments(context)
    if not found:
        return w.t("findings.target.missing", region=context.name)
    item = found[-1] if found[-1].target["year"] <= 2030 or len(found) == 1 else found[-2]
    values = {
        "region": context.name,
        "target": context.fact(item.target["fact_id"]),
        "year": w.year(item.target["year"]),
    }
    if item.latest is not None:
        values["rate"] = context.rate_text(item.latest)
        values["wave"] = w.year(item.latest["wave"])
    return w.t(f"findings.target.{told(item)}", **values)


def next_step(context: Context) -> Markup:
    """Which figures are needed first."""
    w, own = context.writer, context.rates_of(context.code)
    if own.empty:
        return w.t("findings.next.survey", region=context.name)
    return w.t("findings.next.inputs", region=context.name)
