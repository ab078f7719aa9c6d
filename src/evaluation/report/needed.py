"""Blocks on the yearly gain a target still needs, against the fastest comparable gain."""

from __future__ import annotations

import pandas as pd
from markupsafe import Markup

from evaluation import plots, style
from evaluation.report.blocks import Figure, Heading, Paragraph
from evaluation.report.context import Context
from evaluation.report.goals import Goal, mark
from evaluation.report.writer import plain
from evaluation.targets.outlook import Outlook
from evaluation.targets.required import Fastest, Required, required


def needed(context: Context, goals: list[Goal]) -> list:
    """The yearly gain each target still needs against the fastest comparable gain."""
    w, rates = context.writer, context.rates_of(context.code)
    last = rates[rates["variance"].notna()].iloc[-1]
    regions = context.study.dataset.regions
    codes = set(regions.loc[regions["level"] == "province", "code"])
    told = [(g, required(g.value, g.year, last, context.study.gains, codes)) for g in goals]
    if not told:
        return []
    open_ = [(g, need) for g, need in told if need.verdict != "met"]
    blocks: list = [Heading(w.t("needed.title"))]
    blocks += [_needed_figure(context, open_)] if any(n.fastest for _, n in open_) else []
    blocks += [Paragraph(_needed_sentence(context, goal, need)) for goal, need in told]
    best = next((need.fastest for _, need in open_ if need.fastest), None)
    if best is None:
        return blocks
    blocks += _implied(context, open_[-1][0], last, best)
    count = w.number(f"fastest.{context.code}.count", best.count, "", 0)
    number = w.number(f"fastest.{context.code}.regions", best.regions, "", 0)
    note = w.t("needed.note", region=context.name, count=count, regions=number)
    return [*blocks, Paragraph(note, "note")]


def _implied(context: Context, goal: Goal, last: pd.Series, best: Fastest) -> list[Paragraph]:
    """A warning where the forecast itself goes faster than any comparable province has."""
    w, found = context.writer, context.study.outlook
    if not isinstance(found, Outlook) or goal.year == last["wave"]:
        return []
    median = found.fan(context.code, [goal.year])["median"].iloc[0]
    pace = (median - last["rate"]) / (goal.year - last["wave"])
    if pace <= best.shrunk:
        return []
    key, stem = f"implied.{context.code}.{goal.year}", f"fastest.{context.code}.shrunk"
    text = w.t(
        "needed.implied",
        year=w.year(goal.year),
        pace=w.number(key, pace, "percentage_point", 2),
        shrunk=w.number(stem, best.shrunk, "percentage_point", 2),
    )
    return [Paragraph(text)]


def _needed_figure(context: Context, told: list[tuple[Goal, Required]]) -> Figure:
    w, rows = context.writer, []
    for goal, need in told:
        label = str(w.t("figure.needed", goal=mark(context, goal), year=goal.year).striptags())
        rows.append((label, need.value, need.low, need.high, True))
    best = next(need.fastest for _, need in told if need.fastest)
    name = {"name": w.short(best.region), "first": best.wave_from, "last": best.wave_to}
    label = str(w.t("figure.fastest", **name))
    rows.append((label, best.value, best.low, best.high, False))
    rows.append((str(w.t("figure.shrunk")), best.shrunk, best.shrunk, best.shrunk, False))
    frame = pd.DataFrame(rows, columns=["label", "estimate", "low", "high", "highlight"])
    frame["note"] = [plain(value, w.language, 2) for value in frame["estimate"]]
    drawn = style.drawn(plots.forest, frame, xlabel=str(w.t("axis.gain")))
    caption, alt = w.t("needed.caption", region=context.name), str(w.t("needed.alt"))
    return Figure(drawn, context.captioned(_says(context, told), caption), alt)


def _says(context: Context, told: list[tuple[Goal, Required]]) -> Markup:
    """Whether a comparable province has been as fast, the targets of one answer together."""
    w, years = context.writer, {}
    for goal, need in told:
        years.setdefault(need.verdict, []).append(w.year(goal.year))
    return w.joined(
        *(w.t(f"figure.pace.{key}", years=Markup(context.listed(of))) for key, of in years.items())
    )


def _named(context: Context, region: str) -> Markup | str:
    w = context.writer
    return w.t("needed.itself") if region == context.code else w.name(region)


def _needed_sentence(context: Context, goal: Goal, need: Required) -> Markup:
    w, best = context.writer, need.fastest
    key = f"need.{context.code}.{goal.fact['fact_id']}"
    values: dict[str, object] = {
        "target": context.fact(goal.fact["fact_id"]),
        "year": w.year(goal.year),
        "whose": w.t("outlook.own") if goal.own else w.name(goal.fact["region_code"]),
    }
    if need.verdict != "met":
        values["need"] = w.number(key, need.value, "percentage_point", 2)
        values["interval"] = w.interval(key, need.low, need.high, "", 2)
    if best is not None:
        stem = f"fastest.{context.code}"
        values |= {
            "name": _named(context, best.region),
            "period": w.span(best.wave_from, best.wave_to),
            "fastest": w.number(stem, best.value, "percentage_point", 2),
            "range": w.interval(stem, best.low, best.high, "", 2),
            "shrunk": w.number(f"{stem}.shrunk", best.shrunk, "percentage_point", 2),
        }
    text = w.t(f"needed.{need.verdict}", **values)
    if best is not None and best.crosses_break:
        return w.joined(text, w.t("needed.break"))
    return text
