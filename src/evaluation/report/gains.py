"""What a gain is made of, what targets still need, other targets, and what documents judge."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.results import MOST_LOCKS
from evaluation.figures import charts
from evaluation.report.blocks import Figure, Paragraph
from evaluation.report.page import DASH, Context, picture, plain, table
from evaluation.targets.gains import (
    Checked,
    Claimed,
    Decomposition,
    Fastest,
    Part,
    Required,
    Tracked,
    by_residence,
    claimed,
    decompose,
    inputs_part,
    required,
    track,
)
from evaluation.targets.outlook import Outlook

# The targets that no survey has decided yet, as the blocks on the future take them up.


@dataclass(frozen=True)
class Goal:
    """A target held against a region: its own, or one of the levels above it."""

    fact: pd.Series
    own: bool

    @property
    def year(self) -> int:
        return int(self.fact["year"])

    @property
    def value(self) -> float:
        return float(self.fact["value"])


def goals_of(context: Context, code: str) -> list[Goal]:
    """Targets no survey of the region (or, without one, of what lies above it) has decided yet:
    its own, then the nation's, by year."""
    rates = context.surveyed(code)
    last = (context.surveyed(context.parent) if rates.empty else rates)["wave"].max()
    return [
        Goal(row, holder == code)
        for holder in dict.fromkeys([code, context.whole])
        for _, row in context.targets_of(holder).iterrows()
        if row["year"] > last and not row["flagged"]
    ]


def mark(context: Context, goal: Goal) -> str:
    """What is written beside a target in a figure."""
    w = context.writer
    name = w.short(goal.fact["region_code"])
    return str(w.t("figure.goal", name=name, value=f"{plain(goal.value, w.language)}%"))


# Blocks on what a gain is made of: composition of the population, programme inputs, the rest.


def makeup_blocks(context: Context) -> list:
    """The region's gain from its first to its last survey, taken apart as far as data allow."""
    w, study = context.writer, context.study
    found = decompose(study.dataset, study.rates, context.code, context.whole)
    if found is None:
        return [context.missing("makeup.missing")]
    names = ("characteristic", "before", "after", "points")
    lead = _lead(context, found)
    rows = [_part_row(context, found, part) for part in found.parts]
    joint = _range(context, f"makeup.{found.region}.joint", *found.joint)
    rows.append((w.t("makeup.joint"), DASH, DASH, joint))
    absent = (w.t(f"makeup.absent.{name}") for name in found.absent)
    return [
        Paragraph(lead),
        table(context, w.t("makeup.table"), names, rows, (1, 2, 3)),
        Paragraph(inputs_sentence(context)),
        Paragraph(w.joined(w.t("makeup.note"), *absent), "note"),
    ]


def _range(context: Context, key: str, low: float, high: float) -> Markup:
    """Bounds as "from … to …", an exact part as one number."""
    w = context.writer
    if low == high:
        return w.number(key, low, "percentage_point", 2, signed=True)
    ends = w.numbers(key, 1, low=low, high=high)
    return w.t("makeup.range", unit=w.unit("percentage_point"), **ends)


def gain_text(context: Context, found: Decomposition) -> Markup:
    """The gain with its interval."""
    key = f"gain.{found.region}.{found.first}-{found.last}"
    ends = (found.low, found.high)
    return context.writer.estimate(key, found.gain, ends, "percentage_point")


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


def _part_row(context: Context, found: Decomposition, part: Part) -> tuple[Markup, ...]:
    w, key = context.writer, f"makeup.{found.region}.{part.name}"
    return (
        w.t(f"makeup.{part.name}"),
        *w.numbers(key, 1, "percent", before=part.before, after=part.after).values(),
        _range(context, key, part.low, part.high),
    )


def inputs_sentence(context: Context) -> Markup:
    """What programme inputs could at most account for, as far as the locks permit to say it."""
    w, study = context.writer, context.study
    found = inputs_part(study.headline, study.levels, context.code)
    if found.status == "bounded":
        most = w.number(f"inputs.{context.code}.most", found.most, "percentage_point", 1)
        return w.t("makeup.inputs.bounded", most=most, period=w.span(found.first, found.last))
    if found.status == "silent":
        counts = w.numbers("evidence", locks=study.headline.grade.locks, most=MOST_LOCKS)
        return w.t("makeup.inputs.silent", **counts)
    return w.t(f"makeup.inputs.{found.status}")


def nation_sentence(context: Context) -> Markup:
    """The nation's gain by residence, exact because total and both rates are printed."""
    w, study = context.writer, context.study
    try:
        found = by_residence(study.dataset, study.rates, context.whole)
    except KepuError:
        return w.t("makeup.nation.none")
    part, key = found.parts[0], f"makeup.{context.whole}.residence"
    return w.t(
        "makeup.nation",
        period=w.span(found.first, found.last),
        gain=gain_text(context, found),
        **w.numbers(key, 1, "percent", before=part.before, after=part.after),
        part=w.number(key, part.low, "percentage_point", 2),
        rest=w.number(f"makeup.{context.whole}.rest", found.rest[0], "percentage_point", 2),
    )


# Blocks on the yearly gain a target still needs, against the fastest comparable gain.


def needed(context: Context, goals: list[Goal]) -> list:
    """The yearly gain each target still needs against the fastest comparable gain."""
    w, last = context.writer, context.surveyed(context.code).iloc[-1]
    gains = context.study.gains
    needs = [(g, required(g.value, g.year, last, gains, context.units)) for g in goals]
    ahead = [(g, need) for g, need in needs if need.verdict != "met"]
    best = next((need.fastest for _, need in ahead if need.fastest), None)
    sentences = [Paragraph(_needed_sentence(context, goal, need)) for goal, need in needs]
    if best is None:
        return sentences
    counts = w.numbers(f"fastest.{context.code}", count=best.count, regions=best.regions)
    return [
        _needed_figure(context, ahead, best),
        *sentences,
        *_implied(context, ahead[-1][0], last, best),
        Paragraph(w.t("needed.note", region=context.name, **counts), "note"),
    ]


def _implied(context: Context, goal: Goal, last: pd.Series, best: Fastest) -> list[Paragraph]:
    """A warning where the forecast itself goes faster than any comparable unit has."""
    w, found = context.writer, context.study.outlook
    if not isinstance(found, Outlook) or not found.within(context.code, goal.year):
        return []
    if goal.year == last["wave"]:
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


def _needed_figure(context: Context, needs: list[tuple[Goal, Required]], best: Fastest) -> Figure:
    w, rows = context.writer, []
    for goal, need in needs:
        label = str(w.t("figure.needed", goal=mark(context, goal), year=goal.year).striptags())
        rows.append((label, need.value, need.low, need.high, True))
    name = {"name": w.short(best.region), "first": best.wave_from, "last": best.wave_to}
    label = str(w.t("figure.fastest", **name))
    rows.append((label, best.value, best.low, best.high, False))
    rows.append((str(w.t("figure.shrunk")), best.shrunk, best.shrunk, best.shrunk, False))
    frame = pd.DataFrame(rows, columns=["label", "estimate", "low", "high", "highlight"])
    frame["note"] = [plain(value, w.language, 2) for value in frame["estimate"]]
    return picture(
        context,
        "needed",
        charts.forest,
        frame,
        xlabel="axis.gain",
        says=_required_sentence(context, needs),
        values={"region": context.name},
    )


def _required_sentence(context: Context, needs: list[tuple[Goal, Required]]) -> Markup:
    """Whether a comparable unit has been as fast, the targets of one answer together."""
    w, years = context.writer, {}
    for goal, need in needs:
        years.setdefault(need.verdict, []).append(w.year(goal.year))
    return w.joined(
        *(w.t(f"figure.pace.{key}", years=Markup(context.listed(of))) for key, of in years.items())
    )


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
            "name": w.t("needed.itself") if best.region == context.code else w.name(best.region),
            "period": w.span(best.wave_from, best.wave_to),
            "fastest": w.number(stem, best.value, "percentage_point", 2),
            "range": w.interval(stem, best.low, best.high, "", 2),
            "shrunk": w.number(f"{stem}.shrunk", best.shrunk, "percentage_point", 2),
        }
    text = w.t(f"needed.{need.verdict}", **values)
    if best is not None and best.crosses_break:
        return w.joined(text, w.t("needed.break"))
    return text


# Blocks on quantified targets other than the literacy share.


def tracker_blocks(context: Context) -> list:
    """Each target with the last published value, its year and source, and where it stands."""
    w, found = context.writer, track(context.study.dataset, context.code)
    if not found:
        return []
    names = ("indicator", "target", "due", "source", "last_known", "value_source", "status")
    rows = [_tracked_row(context, item) for item in found]
    blocks: list = [table(context, w.t("targets.quantified.table"), names, rows, (1,))]
    if any(item.status == "unknown" for item in found):
        blocks.append(context.missing("tracker.missing"))
    return [*blocks, Paragraph(w.t("tracker.note"), "note")]


def _tracked_row(context: Context, item: Tracked) -> tuple[Markup, ...]:
    w, last = context.writer, item.last
    value, source = w.t("missing.value"), DASH
    if last is not None:
        when = w.t("period.bracket", period=w.period("", last["period_end"]))
        value, source = w.joined(w.fact(last), when), w.cite(last["source_id"])
    return (
        w.indicator(item.target["indicator"]),
        w.fact(item.target),
        w.year(item.target["period_end"]),
        w.cite(item.target["source_id"]),
        value,
        source,
        w.t(f"tracker.{item.status}"),
    )


# Blocks on what documents judge of the region, beside the figures that can decide it.
SIGNS = {">=": "≥", "<=": "≤"}


def claim_blocks(context: Context) -> list:
    """Judgements that documents print, each with the comparisons that hold if it does."""
    w, data = context.writer, context.study.dataset
    found = claimed(data.claims, data.facts, context.code)
    if not found:
        return []
    rows = [_claim_row(context, item) for item in found]
    names = ("year", "claim", "source", "checks", "verdict")
    body = table(context, w.t("claims.table", region=context.name), names, rows)
    return [body, Paragraph(w.t("claims.note"), "note")]


def _claim_row(context: Context, item: Claimed) -> tuple[Markup, ...]:
    w, claim = context.writer, item.claim
    where = Markup("<cite>{}</cite>").format(w.column(claim, "place"))
    checks = w.series(
        [_check(context, f"claim.{claim['claim_id']}.{n}", c) for n, c in enumerate(item.checks)],
        "；",
        "; ",
    )
    return (
        w.year(claim["year"]),
        w.recorded("claims", claim["claim_id"], w.column(claim, "text")),
        w.joined(w.cite(claim["source_id"]), where),
        checks or w.t("claims.none"),
        w.t(f"claims.{item.verdict}"),
    )


def _counted(context: Context, row: pd.Series, named: bool) -> Markup:
    """A figure, with what it counts where the two of a comparison differ in that."""
    w, value = context.writer, context.writer.fact(row)
    if row["kind"] == "target":
        return w.t("claims.target", target=value)
    if not named:
        return value
    label = w.recorded("indicators", row["indicator"], w.indicator(row["indicator"]))
    return w.t("claims.counted", what=label, value=value)


def _check(context: Context, key: str, check: Checked) -> Markup:
    """One comparison with its answer, as ``8.73% ≥ 9%: no``."""
    w, right = context.writer, check.right
    if isinstance(right, float):
        named = False
        bound = w.number(key, right, check.left[0]["unit"], 0 if right.is_integer() else 2)
    else:
        named = check.left[0]["indicator"] != right["indicator"] and len(check.left) == 1
        bound = _counted(context, right, named)
    left = w.series([_counted(context, row, named) for row in check.left], " − ", " − ")
    answer = w.t(f"claims.check.{'holds' if check.holds else 'fails'}")
    text = w.t("claims.check", left=left, sign=SIGNS.get(check.sign, check.sign), right=bound,
               answer=answer)  # fmt: skip
    return w.joined(text, w.t("claims.check.flagged")) if check.flagged else text
