"""Section: what could be moved: reallocation, response curves, efficiency."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.report.blocks import Heading, Items, Paragraph, Section, Table
from evaluation.report.context import Context
from evaluation.report.sums import chance
from evaluation.slices import lineage
from evaluation.value.reallocate import Reallocation


def section(context: Context) -> Section:
    """Reallocation with the sentence its rule permits, curves, and the region's efficiency."""
    w, provinces = context.writer, set(context.study.provinces["region_code"])
    if context.code in provinces:
        blocks = [*reallocations(context), Heading(w.t("value.curves")), *curves(context)]
        blocks += [Heading(w.t("value.efficiency")), _efficiency(context)]
    else:
        # The comparison is one of provinces: its answer holds below them, its figures do not.
        above = lineage(context.study.dataset, context.code)
        parent = w.name(next((code for code in above if code in provinces), above[-1]))
        blocks = [_answer(context), Paragraph(w.t("moves.provinces", parent=parent))]
    return Section("moves", w.t("moves.title"), tuple(blocks))


def _given(context: Context) -> list[tuple[str, Reallocation]]:
    value = context.study.value
    parts = {"levers": value.between_levers, "regions": value.between_regions}
    return [(name, part) for name, part in parts.items() if part is not None]


def _answer(context: Context) -> Paragraph:
    """Whether these data support moving money, in one sentence."""
    given = _given(context)
    if not given:
        return context.missing("value.moves.missing")
    kind = "some" if any(part.recommended for _, part in given) else "none"
    return Paragraph(context.writer.t(f"value.moves.{kind}"), "lead")


def reallocations(context: Context) -> list:
    """What may be recommended, mostly nothing, and the numbers that decide it."""
    w, given = context.writer, _given(context)
    blocks = [_answer(context)]
    if not given:
        return blocks
    blocks.append(Paragraph(_rule(context)))
    blocks.append(_table(context, given))
    blocks += [Paragraph(_shift(context, part)) for name, part in given if name == "levers"]
    blocks.append(Paragraph(w.t("value.moves.note"), "note"))
    return blocks


def _rule(context: Context) -> Markup:
    w, table = context.writer, context.study.dataset.assumptions.set_index("parameter")["value"]
    return w.t(
        "value.moves.rule",
        bound=w.number("value.rule.bound", table["reallocation_bound"], "percent", 0),
        chance=w.number("value.rule.probability", table["recommend_probability"], "percent", 1),
        locks=w.number("value.rule.locks", table["recommend_locks"], "", 0),
        own=w.number("evidence.locks", context.study.headline.grade.locks, "", 0),
    )


def _table(context: Context, given: list[tuple[str, Reallocation]]) -> Table:
    w, rows = context.writer, []
    for name, part in given:
        key, digits = f"move.{name}", 3 if name == "levers" else 0
        rows.append(
            (
                w.t(f"value.moves.{name}"),
                w.number(f"{key}.gain", part.gain, "", digits, signed=True),
                w.interval(key, part.low, part.high, "", digits),
                chance(w, f"{key}.probability", part.probability),
                w.probability(f"{key}.p", part.p),
                w.number(f"{key}.regret", part.regret, "", digits),
                w.t(f"value.moves.unit.{name}"),
                w.t("value.moves.yes" if part.recommended else "value.moves.no"),
            )
        )
    names = ("move", "gain_over", "interval95", "beats", "p_choice", "regret", "unit", "verdict")
    columns = tuple(w.t(f"column.{name}") for name in names)
    return Table(w.t("value.moves.table"), columns, tuple(rows), frozenset({1, 2, 3, 4, 5}))


def _shift(context: Context, part: Reallocation) -> Markup:
    """Where the sums alone would move the money, said as what it is."""
    w = context.writer
    shares = {
        f"{name}_{when}": w.number(f"move.levers.{name}.{when}", 100 * share, "percent", 0)
        for name, today, times in zip(part.names, part.today, part.multiples, strict=True)
        for when, share in (("today", today), ("best", today * times))
    }
    return w.t("value.moves.shift", **shares)


def curves(context: Context) -> list:
    """One line a lever: is a straight line rejected in favour of a curve that flattens?"""
    w = context.writer
    items = []
    for found in context.study.value.responses:
        name, key = w.t(f"dose.{found.lever}"), f"curve.{found.lever}"
        if found.reason:
            items.append(w.t("value.curve.none", dose=name))
            continue
        items.append(
            w.t(
                f"value.curve.{found.verdict}",
                dose=name,
                square=w.number(key, found.square, "", 3, signed=True),
                interval=w.interval(key, found.low, found.high, "", 3),
                p=w.t("number.p", p=w.probability(f"{key}.p", found.p)),
                used=w.number(f"{key}.observations", found.observations, "", 0),
            )
        )
    return [Items(tuple(items)), Paragraph(w.t("value.curves.note"), "note")]


def _efficiency(context: Context) -> Paragraph:
    """The region's score with its interval; no other region is named without one."""
    w, found = context.writer, context.study.value.efficiency
    if found is None:
        return context.missing("value.efficiency.missing")
    own = found.table[found.table["region_code"] == context.code]
    if own.empty:
        return context.missing("value.efficiency.absent", wave=w.year(found.wave))
    row, key = own.iloc[0], f"efficiency.{context.code}"
    lower = int((found.table["high"] < row["low"]).sum())
    higher = int((found.table["low"] > row["high"]).sum())
    counts = {
        name: w.number(f"{key}.{name}", count, "", 0)
        for name, count in (("lower", lower), ("higher", higher))
        if lower or higher
    }
    told = "apart" if lower or higher else "alike"
    text = w.t(
        f"value.efficiency.{told}",
        region=context.name,
        wave=w.year(found.wave),
        score=w.number(key, 100 * row["corrected"], "percent", 0),
        interval=w.interval(key, 100 * row["low"], 100 * row["high"], "percent", 0),
        regions=w.number("efficiency.regions", len(found.table), "", 0),
        **counts,
    )
    return Paragraph(w.joined(text, w.t("value.efficiency.inputs")))
