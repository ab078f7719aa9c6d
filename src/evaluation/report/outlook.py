"""Blocks on the future: fan chart, chance of each target, back-test, gain still needed."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.report.blocks import Figure, Heading, Paragraph, Table
from evaluation.report.context import NATION, Context
from evaluation.report.goals import Goal, goals_of, mark
from evaluation.report.needed import needed
from evaluation.targets.backtest import BENCHMARKS, LEVELS
from evaluation.targets.outlook import Outlook, word

SHOWN = 80  # coverage of the interval printed beside a median, percent
BAND = (0.7, 0.9)  # share of held-out rates an interval of 80 percent should hold


def outlook_blocks(context: Context) -> list:
    """Fan, chances, back-test and needed gains of the region, or why there are none."""
    w, found = context.writer, context.study.outlook
    head: list = [Heading(w.t("outlook.title"))]
    if not isinstance(found, Outlook):
        return [*head, Paragraph(w.t("outlook.none"), "missing")]
    goals = goals_of(context, context.code)
    if context.code in found.regions:
        blocks = [fan(context, found, context.code, goals), *chances(context, found, goals)]
        return [*head, *blocks, *backtest(context, found), *needed(context, goals)]
    # Without a survey of its own a region has no forecast; what lies above it is shown instead.
    name = w.name(context.parent)
    blocks = [context.missing("outlook.missing", parent=name)]
    if context.parent in found.regions:
        blocks.append(fan(context, found, context.parent, goals))
    return [*head, *blocks, *backtest(context, found)]


def fan(context: Context, found: Outlook, code: str, goals: list[Goal]) -> Figure:
    """Published rates of a region, the fan of its forecast, and the targets ahead."""
    w, rates = context.writer, context.rates_of(code)
    rates = rates[rates["variance"].notna() & (rates["wave"] >= context.first_year)]
    start = int(rates["wave"].max())
    end = max([start + 3, context.today, *(goal.year for goal in goals)])
    published = rates.rename(columns={"wave": "year", "rate": "value"})
    marks = pd.DataFrame(
        [(g.year, g.value, mark(context, g), g.own) for g in goals],
        columns=["year", "value", "label", "own"],
    )
    waves = context.study.dataset.waves
    changed = waves.loc[waves["break_before"], "wave"]
    figure = style.drawn(
        plots.fan,
        published[["year", "value", "low", "high"]],
        found.fan(code, range(start, end + 1)),
        marks,
        [(int(year), str(w.t("figure.break"))) for year in changed],
        ylabel=str(w.t("axis.rate")),
        names={"median": str(w.t("figure.median"))} | {str(n): f"{n}%" for n in LEVELS},
    )
    caption = w.t("outlook.fan.caption", region=w.name(code))
    says = _says(context, found, code, goals, rates.iloc[-1])
    caption = context.captioned(says, caption) if says else caption
    return Figure(figure, caption, str(w.t("outlook.fan.alt", region=w.name(code))))


def _says(
    context: Context, found: Outlook, code: str, goals: list[Goal], last: pd.Series
) -> Markup:
    """What the fan tells of each target still open; of another region's fan, whose it is."""
    w = context.writer
    if code not in (context.code, NATION):
        return w.t("figure.fan.above", region=w.name(code))
    return w.joined(
        *(
            w.t(
                "figure.fan",
                year=w.year(goal.year),
                whose=_whose(context, goal),
                target=context.fact(goal.fact["fact_id"]),
                said=chance_word(
                    context, found, found.chance(code, goal.year, goal.value), goal, last
                ),
            )
            for goal in goals
            if last["low"] < goal.value
        )
    )


def _whose(context: Context, goal: Goal) -> Markup:
    w = context.writer
    if goal.own and context.code != NATION:
        return w.t("outlook.own")
    return Markup(w.name(goal.fact["region_code"]))


def chance_text(context: Context, found: Outlook, code: str, goal: Goal) -> Markup:
    """The chance that a target is met in its year, never printed as certain."""
    w, p = context.writer, found.chance(code, goal.year, goal.value)
    if p < 0.01:
        return w.t("chance.under", bound=w.number("chance.least", 1, "percent", 0))
    if p > 0.99:
        return w.t("chance.over", bound=w.number("chance.most", 99, "percent", 0))
    return w.number(f"chance.{code}.{goal.fact['fact_id']}", 100 * p, "percent", 0)


def chance_word(context: Context, found: Outlook, p: float, goal: Goal, last: pd.Series) -> Markup:
    """The word for a chance, marked where no forecast that far ahead could be checked."""
    w, said = context.writer, context.writer.t(f"chance.{word(p)}")
    if goal.year - last["wave"] <= found.reach:
        return said
    years = w.number("backtest.reach", found.reach, "", 0)
    return w.joined(said, w.t("outlook.beyond", years=years))


def chances(context: Context, found: Outlook, goals: list[Goal]) -> list:
    """One row a target: median of the share in the due year, interval, chance and its word."""
    w, code = context.writer, context.code
    if not goals:
        return [Paragraph(w.t("outlook.no_goal"), "note")]
    rows = tuple(_chance_row(context, found, code, goal) for goal in goals)
    names = ("due", "whose", "target", "median", "interval80", "chance", "word")
    columns = tuple(
        w.t(f"column.{name}", cover=w.number("outlook.shown", SHOWN, "percent", 0))
        for name in names
    )
    caption = w.t("outlook.table", region=w.name(code))
    return [
        Table(caption, columns, rows, frozenset({2, 3, 4, 5})),
        Paragraph(w.t("outlook.note"), "note"),
    ]


def _chance_row(context: Context, found: Outlook, code: str, goal: Goal) -> tuple[Markup, ...]:
    w, key = context.writer, f"outlook.{code}.{goal.year}"
    row = found.fan(code, [goal.year]).iloc[0]
    last = context.rates_of(code).dropna(subset="variance").iloc[-1]
    whose = _whose(context, goal)
    told: tuple[Markup, ...] = (Markup("—"), w.t("status.met"))
    if last["low"] < goal.value:
        p = found.chance(code, goal.year, goal.value)
        told = (chance_text(context, found, code, goal), chance_word(context, found, p, goal, last))
    return (
        w.year(goal.year),
        whose,
        context.fact(goal.fact["fact_id"]),
        w.number(key, row["median"], "percent", 1),
        w.interval(key, row[f"low_{SHOWN}"], row[f"high_{SHOWN}"], "percent", 1),
        *told,
    )


def backtest_sentence(context: Context, found: Outlook) -> Markup:
    """How forecasts made from earlier data fared, and which model is used for it."""
    w, best = context.writer, found.score()
    kind = "beats" if found.beats_benchmarks else "lost"
    values = {
        "origins": w.number("backtest.origins", found.records["origin"].nunique(), "", 0),
        "rates": w.number("backtest.rates", best["rates"], "", 0),
        "regions": w.number("backtest.regions", best["regions"], "", 0),
        "cover": w.number("outlook.shown", SHOWN, "percent", 0),
        "held": cover_text(context, found.trend.name, SHOWN, best),
        "mae": w.number(f"backtest.{found.trend.name}.mae", best["mae"], "percentage_point", 2),
    }
    for name in BENCHMARKS:
        key = f"backtest.{name}.mae"
        values[name] = w.number(key, found.score(name)["mae"], "percentage_point", 2)
    share = best[f"cover_{SHOWN}"]
    fit = "narrow" if share < BAND[0] else "wide" if share > BAND[1] else "fair"
    return w.joined(w.t(f"backtest.{kind}", **values), w.t(f"backtest.{fit}"))


def cover_text(context: Context, model: str, level: int, score: pd.Series) -> Markup:
    """Share of the held-out values that intervals of a level held."""
    key, share = f"backtest.{model}.cover_{level}", 100 * score[f"cover_{level}"]
    return context.writer.number(key, share, "percent", 0)


def backtest(context: Context, found: Outlook) -> list:
    """The sentence on the back-test and the table of every model tried."""
    w, rows = context.writer, []
    for _, score in found.scores.iterrows():
        name = score["model"]
        shares = tuple(
            Markup("—") if pd.isna(score[f"cover_{n}"]) else cover_text(context, name, n, score)
            for n in LEVELS
        )
        used = w.t("backtest.used") if name == found.model else Markup("—")
        mae = w.number(f"backtest.{name}.mae", score["mae"], "", 2)
        rows.append((w.t(f"trend.{name}"), mae, *shares, used))
    columns = [w.t("column.model"), w.t("column.mae")]
    columns += [
        w.t("column.cover", cover=w.number(f"backtest.level_{n}", n, "percent", 0)) for n in LEVELS
    ]
    columns.append(w.t("column.verdict"))
    return [
        Paragraph(backtest_sentence(context, found)),
        Table(w.t("backtest.table"), tuple(columns), tuple(rows), frozenset({1, 2, 3, 4})),
        Paragraph(w.t("backtest.note"), "note"),
    ]
