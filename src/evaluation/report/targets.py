"""Targets: progress, forecasts with their back-test, the section and its views."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.figures import charts
from evaluation.report.blocks import Figure, Heading, Paragraph, Section, Table
from evaluation.report.gains import (
    Goal,
    claim_blocks,
    goals_of,
    inputs_sentence,
    makeup_blocks,
    mark,
    nation_sentence,
    needed,
    tracker_blocks,
)
from evaluation.report.page import (
    DASH,
    Context,
    Parts,
    View,
    existing,
    picture,
    show,
    table,
    titled,
)
from evaluation.survey.standing import Progress, assess
from evaluation.targets.outlook import (
    AVERAGE,
    BENCHMARKS,
    CANDIDATES,
    LEVELS,
    Outlook,
    scores,
    word,
)

# Blocks on the future: fan chart, chance of each target, back-test, gain still needed.
SHOWN = 80  # coverage of the interval printed beside a median, percent
CHANCE_COLUMNS = ("due", "target", "median", "interval80", "chance", "word")


def _outlook(context: Context) -> Parts:
    """Fan, chances, back-test and needed gains of the region, or why there are none."""
    w, found = context.writer, context.study.outlook
    head: list = [Heading(w.t("outlook.title"))]
    if not isinstance(found, Outlook):
        return {"outlook": [*head, Paragraph(w.t("outlook.none"), "missing")]}
    goals = goals_of(context, context.code)
    if context.code in found.regions:
        blocks = [fan(context, found, context.code, goals), *chances(context, found, goals)]
        own = [Paragraph(text) for text in own_errors(context, found, context.code)]
        return {
            "outlook": [*head, *blocks, *own],
            "backtest": backtest(context, found),
            "needed": titled(w.t("needed.title"), needed(context, goals)),
        }
    # Without a survey of its own a region has no forecast; what lies above it is shown instead.
    name = w.name(context.parent)
    blocks = [context.missing("outlook.missing", parent=name)]
    if context.parent in found.regions:
        blocks.append(fan(context, found, context.parent, goals))
    return {"outlook": [*head, *blocks], "backtest": backtest(context, found)}


def fan(context: Context, found: Outlook, code: str, goals: list[Goal]) -> Figure:
    """Published rates of a region, the fan of its forecast, and the targets ahead."""
    w, rates = context.writer, context.surveyed(code)
    rates = rates[rates["wave"] >= context.first_year]
    start = int(rates["wave"].max())
    end = max([start + 3, context.today, *(goal.year for goal in goals)])
    # A fan ends where the back-test did: beyond, nothing says how wide it should be.
    end = max(start + 1, min(end, start + found.reach))
    published = rates.rename(columns={"wave": "year", "rate": "value"})
    marks = pd.DataFrame(
        [(g.year, g.value, mark(context, g), g.own) for g in goals],
        columns=["year", "value", "label", "own"],
    )
    return picture(
        context,
        "outlook.fan",
        charts.fan,
        published[["year", "value", "low", "high"]],
        found.fan(code, range(start, end + 1)),
        marks,
        context.breaks,
        ylabel="axis.rate",
        names={"median": str(w.t("figure.median"))} | {str(n): f"{n}%" for n in LEVELS},
        says=_fan_sentence(context, found, code, goals, rates.iloc[-1]),
        values={"region": w.name(code)},
    )


def _fan_sentence(
    context: Context, found: Outlook, code: str, goals: list[Goal], last: pd.Series
) -> Markup:
    """What the fan tells of each target still open; of another region's fan, whose it is."""
    w = context.writer
    if code not in (context.code, context.whole):
        return w.t("figure.fan.above", region=w.name(code))
    return w.joined(
        *(
            w.t(
                "figure.fan",
                year=w.year(goal.year),
                whose=_whose(context, goal),
                target=context.fact(goal.fact["fact_id"]),
                said=chance_word(context, found, code, goal),
            )
            for goal in goals
            if last["low"] < goal.value
        )
    )


def _whose(context: Context, goal: Goal) -> Markup:
    w = context.writer
    if goal.own and context.code != context.whole:
        return w.t("outlook.own")
    return Markup(w.name(goal.fact["region_code"]))


def chance_text(context: Context, found: Outlook, code: str, goal: Goal) -> Markup:
    """The chance that a target is met in its year, never printed as certain; a dash where no
    forecast that far ahead could be checked, or the region's own errors overturn it."""
    if not found.within(code, goal.year) or not found.holds(code, goal.year, goal.value):
        return DASH
    w, p = context.writer, found.chance(code, goal.year, goal.value)
    if p < 0.01:
        return w.t("chance.under", bound=w.number("chance.least", 1, "percent", 0))
    if p > 0.99:
        return w.t("chance.over", bound=w.number("chance.most", 99, "percent", 0))
    return w.number(f"chance.{code}.{goal.fact['fact_id']}", 100 * p, "percent", 0)


def chance_word(context: Context, found: Outlook, code: str, goal: Goal) -> Markup:
    """The word for a chance; why there is none where no forecast that far could be checked, or
    where the region's own errors in the back-test would turn it into another."""
    w = context.writer
    if not found.within(code, goal.year):
        return w.t("outlook.beyond", years=reach(context, found))
    if not found.holds(code, goal.year, goal.value):
        return w.t(f"outlook.overturned.{found.errors(code).way}")
    said = word(found.chance(code, goal.year, goal.value))
    return w.t(f"chance.past.{said}") if is_past(context, goal) else w.t(f"chance.{said}")


def reach(context: Context, found: Outlook) -> Markup:
    """The horizon of the back-test."""
    return context.writer.number("backtest.reach", found.reach, "", 0)


def is_past(context: Context, goal: Goal) -> bool:
    """Whether the due year lies behind the report: what was then is estimated, not forecast."""
    return goal.year < context.today


def chances(context: Context, found: Outlook, goals: list[Goal]) -> list:
    """One row a target: median of the share in the due year, interval, chance and its word."""
    w, code = context.writer, context.code
    if not goals:
        return [Paragraph(w.t("outlook.no_goal"), "note")]
    rows = []
    for goal in goals:
        due, *rest = _chance_row(context, found, code, goal)
        rows.append((due, _whose(context, goal), *rest))
    columns = ("due", "whose", *CHANCE_COLUMNS[1:])
    caption = w.t("outlook.table", region=w.name(code))
    return [
        table(context, caption, columns, rows, range(2, 6), cover=shown(context)),
        Paragraph(w.t("outlook.note"), "note"),
    ]


def shown(context: Context) -> Markup:
    """Coverage of the interval printed beside a median."""
    return context.writer.number("outlook.shown", SHOWN, "percent", 0)


def forecast(context: Context, found: Outlook, code: str, year: int) -> tuple[Markup, Markup]:
    """The median of a forecast and its interval; dashes beyond the horizon of the back-test."""
    if not found.within(code, year):
        return DASH, DASH
    w, key, row = context.writer, f"outlook.{code}.{year}", found.fan(code, [year]).iloc[0]
    ends = (row[f"low_{SHOWN}"], row[f"high_{SHOWN}"])
    return w.number(key, row["median"], "percent", 1), w.interval(key, *ends, "percent", 1)


def is_met(context: Context, code: str, goal: Goal) -> bool:
    """Whether the interval of the region's latest survey lies above a target."""
    return bool(context.surveyed(code)["low"].iloc[-1] >= goal.value)


def _chance_row(context: Context, found: Outlook, code: str, goal: Goal) -> tuple[Markup, ...]:
    w = context.writer
    said: tuple[Markup, ...] = (DASH, w.t("status.met"))
    if not is_met(context, code, goal):
        said = tuple(each(context, found, code, goal) for each in (chance_text, chance_word))
    target = context.fact(goal.fact["fact_id"])
    return (w.year(goal.year), target, *forecast(context, found, code, goal.year), *said)


def backtest_sentence(context: Context, found: Outlook) -> Markup:
    """How forecasts made from earlier data fared, and which model is used for it."""
    w, best = context.writer, found.score()
    kind = "beats" if found.beats_benchmarks else "lost"
    values = {
        **w.numbers("backtest", origins=found.records["origin"].nunique()),
        **w.numbers("backtest", rates=best["rates"], regions=best["regions"]),
        "mae": w.number(f"backtest.{AVERAGE}.mae", best["mae"], "percentage_point", 2),
    }
    for name in BENCHMARKS:
        key = f"backtest.{name}.mae"
        values[name] = w.number(key, found.score(name)["mae"], "percentage_point", 2)
    return w.joined(w.t(f"backtest.{kind}", **values), width_sentence(context, found))


def width_sentence(context: Context, found: Outlook) -> Markup:
    """Whether intervals are as wide as they claim: coverage against its band at every level."""
    w, best = context.writer, found.score()
    levels = [
        w.t(
            "backtest.held",
            cover=level_text(context, level),
            held=cover_text(context, AVERAGE, level, best),
            band=w.interval(
                f"backtest.band_{level}", *(100 * end for end in found.band(level)), "percent", 0
            ),
        )
        for level in LEVELS
    ]
    return w.t(f"backtest.{found.width}", levels=w.series(levels, "；", "; "))


def level_text(context: Context, level: int) -> Markup:
    """Nominal coverage of an interval."""
    return context.writer.number(f"backtest.level_{level}", level, "percent", 0)


def own_errors(context: Context, found: Outlook, code: str) -> list[Markup]:
    """How such forecasts did on the region's own surveys, and to which side they always erred."""
    w, own = context.writer, found.errors(code)
    if own is None:
        return [w.t("backtest.own.none", region=w.name(code))]
    key = f"backtest.{code}"
    text = w.t(
        "backtest.own",
        region=w.name(code),
        **w.numbers(key, rates=own.rates, waves=own.waves),
        mae=w.number(f"{key}.mae", own.mae, "percentage_point", 2),
        pooled=w.number(f"backtest.{found.model}.mae", found.score(found.model)["mae"], "", 2),
    )
    if not own.way:
        return [text]
    mean = w.number(f"{key}.mean", abs(own.mean), "percentage_point", 2)
    return [w.joined(text, w.t(f"backtest.own.{own.way}", region=w.name(code), mean=mean))]


def cover_text(context: Context, model: str, level: int, score: pd.Series) -> Markup:
    """Share of the held-out values that intervals of a level held."""
    key, share = f"backtest.{model}.cover_{level}", 100 * score[f"cover_{level}"]
    return context.writer.number(key, share, "percent", 0)


def _role(context: Context, found: Outlook, name: str) -> Markup:
    """What a model of the back-test is to the forecasts: used, weighed into them, or neither."""
    w = context.writer
    if name == found.model:
        return w.t("backtest.used")
    if name in CANDIDATES and found.beats_benchmarks:
        weight = 100 * found.weights[list(CANDIDATES).index(name)]
        return w.t("backtest.weight", weight=w.number(f"weight.{name}", weight, "percent", 0))
    return DASH


def backtest(context: Context, found: Outlook) -> list:
    """The sentences on the back-test and every model tried."""
    w, rows = context.writer, []
    for _, score in found.scores.iterrows():
        name = score["model"]
        shares = tuple(
            DASH if pd.isna(score[f"cover_{n}"]) else cover_text(context, name, n, score)
            for n in LEVELS
        )
        mae = w.number(f"backtest.{name}.mae", score["mae"], "", 2)
        rows.append((w.t(f"trend.{name}"), mae, *shares, _role(context, found, name)))
    columns = [w.t("column.model"), w.t("column.mae")]
    columns += [w.t("column.cover", cover=level_text(context, n)) for n in LEVELS]
    columns.append(w.t("column.role"))
    return [
        Paragraph(backtest_sentence(context, found)),
        Table(w.t("backtest.table"), tuple(columns), tuple(rows), frozenset({1, 2, 3, 4})),
        Paragraph(w.t("backtest.note"), "note"),
    ]


# Section of the overview: the nation's outlook, and the chance of each region's nearest target.


def targets(context: Context) -> Section:
    """Fan of the nation, chances by region, the back-test of every model, the nation's gain."""
    w, found = context.writer, context.study.outlook
    title = w.t("overview.targets")
    if not isinstance(found, Outlook):
        return Section("targets", title, (Paragraph(w.t("outlook.none"), "missing"),))
    own = context.whole in found.regions
    chosen = [
        (code, next((goal for goal in goals_of(context, code) if goal.own), None))
        for code in [context.whole, *context.codes]
    ]
    rows = [
        (Markup(w.name(code)), *_chance_row(context, found, code, goal))
        for code, goal in chosen
        if goal is not None and code in found.regions
    ]
    note = w.t("overview.targets.note" if rows else "overview.targets.none")
    parts = {
        "outlook": [fan(context, found, context.whole, goals_of(context, context.whole))]
        if own
        else [],
        "chances": [
            table(
                context,
                w.t("overview.targets.table"),
                ("region", *CHANCE_COLUMNS),
                rows,
                range(2, 6),
                cover=shown(context),
            )
        ]
        if rows
        else [],
        "chances.note": [Paragraph(note, "note")],
        "backtest": backtest(context, found),
        "gain": [Paragraph(nation_sentence(context))],
    }
    return Section.of("targets", title, parts)


# Section: progress to targets, outlook, other quantified targets, what the gain is made of.


def assessments(context: Context) -> list[Progress]:
    """Every target of the region against its surveys, by due year."""
    rates, goals = context.rates_of(context.code), context.targets_of(context.code)
    return [assess(row, rates, context.today) for _, row in goals.iterrows()]


def section(context: Context) -> Section:
    w = context.writer
    found = assessments(context)
    blocks: list = []
    if found:
        blocks.append(_table(context, found))
        blocks += [Paragraph(_sentence(context, item)) for item in found]
        blocks.append(Paragraph(w.t("targets.note"), "note"))
    else:
        blocks.append(context.missing("targets.missing"))
        blocks += targets_above(context)
    parts: Parts = {
        "progress": blocks,
        "claims": titled(w.t("claims.title"), claim_blocks(context)),
        **_outlook(context),
        "quantified": titled(w.t("targets.quantified"), tracker_blocks(context)),
        "makeup": titled(w.t("makeup.title"), makeup_blocks(context)),
    }
    return Section.of("targets", w.t("targets.title"), parts)


def targets_above(context: Context) -> list:
    """The targets that hold above the region and that surveys have not left behind."""
    w, items = context.writer, []
    for code in dict.fromkeys([context.parent, context.whole]):
        goals, surveyed = context.targets_of(code), context.rates_of(code)["wave"].max()
        for _, row in goals[~(goals["year"] < surveyed)].iterrows():
            text = w.t(
                "targets.above",
                name=w.name(code),
                year=w.year(row["year"]),
                value=context.fact(row["fact_id"]),
                source=w.cite(row["source_id"]),
            )
            items.append(Paragraph(text))
    return items


def _sentence(context: Context, item: Progress) -> Markup:
    w, goal = context.writer, item.target
    values = {
        "region": context.name,
        "target": context.fact(goal["fact_id"]),
        "year": w.year(goal["year"]),
    }
    if item.latest is not None:
        values |= {
            "rate": context.rate_text(item.latest),
            "wave": w.year(item.latest["wave"]),
            "required": _required(context, item),
        }
    return w.t(f"targets.{told(item)}", **values)


def told(item: Progress) -> str:
    """The status, told apart where only a survey after the due year shows a target reached."""
    late = item.status == "met" and item.latest["wave"] > item.target["year"]
    return "met_late" if late else item.status


def _required(context: Context, item: Progress, unit: str = "percentage_point") -> Markup:
    key = f"required.{context.code}.{item.target['year']}"
    return context.writer.number(key, item.required, unit, 2)


def _observed(context: Context, item: Progress) -> Markup:
    w = context.writer
    if pd.isna(item.observed):
        return w.t("missing.value")
    key = f"observed.{context.code}.{item.latest['wave']}"
    return w.estimate(key, item.observed, (item.observed_low, item.observed_high))


def _table(context: Context, found: list[Progress]) -> Table:
    """Each target beside the surveys; the two columns of pace only where one target has any."""
    w = context.writer
    paced = any(not pd.isna(item.required) for item in found)
    rows = []
    for item in found:
        latest = item.latest
        pace = (DASH, DASH)
        if not pd.isna(item.required):
            pace = (_required(context, item, ""), _observed(context, item))
        rows.append(
            (
                w.year(item.target["year"]),
                context.fact(item.target["fact_id"]),
                context.rate_text(latest),
                w.t("missing.value") if latest is None else w.year(latest["wave"]),
                *(pace if paced else ()),
                w.t(f"status.{item.status}"),
                w.cite(item.target["source_id"]),
            )
        )
    names = ("required", "observed") if paced else ()
    columns = ("due", "target", "rate", "wave", *names, "status", "source")
    caption = w.t("targets.table", region=context.name)
    return table(context, caption, columns, rows, (1, 2, 4, 5) if paced else (1, 2))


# Views of the targets notebook: outlook, back-test, needed gains, tracker, decomposition.


def _found(page: Context) -> Outlook:
    if not isinstance(page.study.outlook, Outlook):
        raise KepuError(f"No forecast from these data: {page.study.outlook}")
    return page.study.outlook


def heading(page: Context, code: str) -> View:
    """Fan chart of one region with its targets."""
    code = existing(page, code)
    return show(page, fan(page, _found(page), code, goals_of(page, code)))


def chance(page: Context) -> View:
    """Chance of each target of the region that is still open."""
    return show(page, *chances(page, _found(page), goals_of(page, page.code)))


def all_chances(page: Context) -> View:
    """The nearest own target of every region of the set."""
    return show(page, *targets(page)["chances"])


def tested(page: Context) -> View:
    """The back-test: sentences, table of models, what it does not show, the region's own errors."""
    found = _found(page)
    own = own_errors(page, found, page.code) if page.code != page.whole else []
    return show(page, *backtest(page, found), *map(Paragraph, own))


def by_origin(page: Context) -> View:
    """Error and coverage of the model used, by the wave its forecasts were made from."""
    w, found = page.writer, _found(page)
    rows = scores(found.records, ("origin", "model")).set_index(["origin", "model"])
    cells = []
    for origin in sorted(found.records["origin"].unique()):
        own, key = rows.loc[(origin, AVERAGE)], f"backtest.{origin}"
        errors = {"mae": own["mae"]} | {
            name: rows.loc[(origin, name), "mae"] for name in BENCHMARKS
        }
        cells.append(
            (
                w.year(origin),
                w.number(f"{key}.rates", own["rates"], "", 0),
                *w.numbers(key, 2, **errors).values(),
                w.number(f"{key}.cover", 100 * own["cover_80"], "percent", 0),
            )
        )
    columns = ("made_from", "held_out", "mae", "no_change", "national_trend", "held_share")
    caption = w.t("view.origin.table", model=w.t(f"trend.{AVERAGE}"))
    body = table(page, caption, columns, cells, range(1, 6))
    return show(page, body, Paragraph(w.t("view.origin")))


def components(page: Context) -> View:
    """What the fitted trends consist of, as standard deviations of the logit."""
    w, found = page.writer, _found(page)
    names = dict.fromkeys(name for trend in found.trends for name in trend.variances)
    rows = [
        (
            w.t(f"component.{name}"),
            *(
                w.number(f"component.{trend.name}.{name}", trend.variances[name] ** 0.5, "", 3)
                if name in trend.variances
                else DASH
                for trend in found.trends
            ),
        )
        for name in names
    ]
    shrinking = next(trend for trend in found.trends if "distance" in trend.variances)
    life = w.number("component.life", shrinking.life, "year", 0)
    head = (w.t("column.component"), *(w.t(f"trend.{trend.name}") for trend in found.trends))
    numeric = frozenset(range(1, len(head)))
    return show(
        page,
        Table(w.t("view.components"), head, tuple(rows), numeric),
        Paragraph(w.t("view.components.note", life=life), "note"),
    )


def gains(page: Context) -> View:
    """Gains needed by the region's targets against the fastest comparable gain."""
    return show(page, *needed(page, goals_of(page, page.code)))


def tracked(page: Context) -> View:
    """Quantified targets other than the share."""
    return show(page, *tracker_blocks(page))


def nation_gain(page: Context) -> View:
    """The nation's gain by residence, exactly."""
    return show(page, Paragraph(nation_sentence(page)))


def gain(page: Context) -> View:
    """The region's gain from its first to its last survey, taken apart."""
    return show(page, *makeup_blocks(page))


def inputs(page: Context) -> View:
    """What programme inputs could at most account for."""
    return show(page, Paragraph(inputs_sentence(page)))
