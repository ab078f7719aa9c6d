"""Blocks on what a gain is made of: composition of the population, programme inputs, the rest."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.errors import KepuError
from evaluation.report.blocks import Heading, Paragraph, Table
from evaluation.report.context import NATION, Context
from evaluation.report.strength import LOCKS
from evaluation.targets.decompose import Decomposition, Part, by_residence, decompose
from evaluation.targets.inputs import inputs_part


def makeup_blocks(context: Context) -> list:
    """The region's gain from its first to its last survey, taken apart as far as data allow."""
    w, study = context.writer, context.study
    head = Heading(w.t("makeup.title"))
    found = decompose(study.dataset, study.rates, context.code, NATION)
    if found is None:
        return [head, context.missing("makeup.missing")]
    names = ("characteristic", "before", "after", "points")
    columns = tuple(w.t(f"column.{name}") for name in names)
    rows = tuple(_row(context, found, part) for part in found.parts)
    rows = (*rows, _joint_row(context, found))
    return [
        head,
        Paragraph(_lead(context, found)),
        Table(w.t("makeup.table"), columns, rows, frozenset({1, 2, 3})),
        Paragraph(inputs_sentence(context)),
        Paragraph(w.joined(w.t("makeup.note"), *_absent(context, found)), "note"),
    ]


def _absent(context: Context, found: Decomposition) -> list[Markup]:
    return [context.writer.t(f"makeup.absent.{name}") for name in found.absent]


def _range(context: Context, key: str, low: float, high: float) -> Markup:
    """Bounds as "from … to …", an exact part as one number."""
    w = context.writer
    if low == high:
        return w.number(key, low, "percentage_point", 2, signed=True)
    ends = {"low": w.number(f"{key}.low", low, "", 1), "high": w.number(f"{key}.high", high, "", 1)}
    return w.t("makeup.range", unit=w.unit("percentage_point"), **ends)


def gain_text(context: Context, found: Decomposition) -> Markup:
    """The gain with its interval."""
    w, key = context.writer, f"gain.{found.region}.{found.first}-{found.last}"
    return w.joined(
        w.number(key, found.gain, "percentage_point", 2, signed=True),
        w.interval(key, found.low, found.high, "", 1),
    )


def _lead(context: Context, found: Decomposition) -> Markup:
    key = f"makeup.{found.region}"
    return context.writer.t(
        "makeup.lead",
        region=context.name,
        period=context.writer.span(found.first, found.last),
        gain=gain_text(context, found),
        joint=_range(context, f"{key}.joint", *found.joint),
        rest=_range(context, f"{key}.rest", *found.rest),
    )


def _row(context: Context, found: Decomposition, part: Part) -> tuple[Markup, ...]:
    w, key = context.writer, f"makeup.{found.region}.{part.name}"
    return (
        w.t(f"makeup.{part.name}"),
        w.number(f"{key}.before", part.before, "percent", 1),
        w.number(f"{key}.after", part.after, "percent", 1),
        _range(context, key, part.low, part.high),
    )


def _joint_row(context: Context, found: Decomposition) -> tuple[Markup, ...]:
    w, none = context.writer, Markup("—")
    joint = _range(context, f"makeup.{found.region}.joint", *found.joint)
    return (w.t("makeup.joint"), none, none, joint)


def inputs_sentence(context: Context) -> Markup:
    """What programme inputs could at most account for, as far as the locks permit to say it."""
    w, study = context.writer, context.study
    found = inputs_part(study.headline, study.levels, context.code)
    if found.status == "bounded":
        most = w.number(f"inputs.{context.code}.most", found.most, "percentage_point", 1)
        return w.t("makeup.inputs.bounded", most=most, period=w.span(found.first, found.last))
    if found.status == "silent":
        locks = w.number("evidence.locks", study.headline.grade.locks, "", 0)
        most = w.number("evidence.most", LOCKS, "", 0)
        return w.t("makeup.inputs.silent", locks=locks, most=most)
    return w.t(f"makeup.inputs.{found.status}")


def nation_sentence(context: Context) -> Markup:
    """The nation's gain by residence, exact because total and both rates are printed."""
    w, study = context.writer, context.study
    try:
        found = by_residence(study.dataset, study.rates, NATION)
    except KepuError:
        return w.t("makeup.nation.none")
    part, key = found.parts[0], f"makeup.{NATION}.residence"
    return w.t(
        "makeup.nation",
        period=w.span(found.first, found.last),
        gain=gain_text(context, found),
        before=w.number(f"{key}.before", part.before, "percent", 1),
        after=w.number(f"{key}.after", part.after, "percent", 1),
        part=w.number(key, part.low, "percentage_point", 2),
        rest=w.number(f"makeup.{NATION}.rest", found.rest[0], "percentage_point", 2),
    )
