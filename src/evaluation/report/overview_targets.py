"""Section of the overview: the nation's outlook, and the chance of each region's nearest target."""

from __future__ import annotations

from markupsafe import Markup

from evaluation.report.blocks import Paragraph, Section, Table
from evaluation.report.context import NATION, Context
from evaluation.report.goals import Goal, goals_of
from evaluation.report.makeup import nation_sentence
from evaluation.report.outlook import SHOWN, backtest, chance_text, chance_word, fan
from evaluation.targets.outlook import Outlook


def targets(context: Context) -> Section:
    """Fan of the nation, chances by region, the back-test of every model, the nation's gain."""
    w, found = context.writer, context.study.outlook
    title = w.t("overview.targets")
    if not isinstance(found, Outlook):
        return Section("targets", title, (Paragraph(w.t("outlook.none"), "missing"),))
    blocks: list = []
    if NATION in found.regions:
        blocks.append(fan(context, found, NATION, goals_of(context, NATION)))
    chosen = [(code, _nearest(context, code)) for code in [NATION, *context.codes]]
    rows = tuple(
        _row(context, found, code, goal)
        for code, goal in chosen
        if goal is not None and code in found.regions
    )
    if rows:
        blocks += [_table(context, rows), Paragraph(w.t("overview.targets.note"), "note")]
    else:
        blocks.append(Paragraph(w.t("overview.targets.none"), "note"))
    blocks += [*backtest(context, found), Paragraph(nation_sentence(context))]
    return Section("targets", title, tuple(blocks))


def _nearest(context: Context, code: str) -> Goal | None:
    """The first target of the region's own that no survey has decided."""
    return next((goal for goal in goals_of(context, code) if goal.own), None)


def _table(context: Context, rows: tuple) -> Table:
    w = context.writer
    names = ("region", "due", "target", "median", "interval80", "chance", "word")
    cover = w.number("outlook.shown", SHOWN, "percent", 0)
    columns = tuple(w.t(f"column.{name}", cover=cover) for name in names)
    return Table(w.t("overview.targets.table"), columns, rows, frozenset({2, 3, 4, 5}))


def _row(context: Context, found: Outlook, code: str, goal: Goal) -> tuple[Markup, ...]:
    w, row = context.writer, found.fan(code, [goal.year]).iloc[0]
    key = f"outlook.{code}.{goal.year}"
    last = context.rates_of(code).dropna(subset="variance").iloc[-1]
    told: tuple[Markup, ...] = (Markup("—"), w.t("status.met"))
    if last["low"] < goal.value:
        p = found.chance(code, goal.year, goal.value)
        said = chance_word(context, found, p, goal, last)
        told = (chance_text(context, found, code, goal), said)
    name = Markup(w.name(code))
    return (
        name,
        w.year(goal.year),
        context.fact(goal.fact["fact_id"]),
        w.number(key, row["median"], "percent", 1),
        w.interval(key, row[f"low_{SHOWN}"], row[f"high_{SHOWN}"], "percent", 1),
        *told,
    )
