"""The next evaluation: designs compared, the order drawn, the protocol of the one chosen.

First the views of the notebook that plans, then protocol and list of units, then what a report
quotes and a screen shows of designs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation.base.errors import KepuError
from evaluation.base.results import MOST_LOCKS
from evaluation.base.text import check_language
from evaluation.data.package import Dataset
from evaluation.data.slices import code_of
from evaluation.evidence.design import candidates, plan, power, randomise
from evaluation.evidence.design.candidates import Baseline, Candidate, Question
from evaluation.evidence.design.components import COVERED
from evaluation.evidence.design.plan import Departure, Plan
from evaluation.figures.rollout import chances, rollout
from evaluation.report.blocks import Block, Figure, Items, Paragraph, Part, Section, Table, Title
from evaluation.report.page import STYLE, Context, Live, Opened, View, Writer, picture, table, timed

POINT = "percentage_point"
SCORE = 6  # decimals of an imbalance
DIGITS = {"rate": 2, "trend": 2, "icc": 4, "autocorrelation": 2, "design_effect": 1,
          "matched": 2, "compliance": 2}  # fmt: skip
UNITS = {"rate": "percent", "trend": POINT}
# Ends and steps of the sliders: waves, respondents in a unit and wave, hundredths of a point.
SLIDERS = {"waves": (2, 8, 1), "respondents": (100, 2000, 50), "hundredths": (10, 500, 5)}
LABEL = {"description_width": "20em"}


@dataclass(frozen=True, eq=False)
class Sheet:
    """What a table or a figure needs of a page: a writer; with a plan, its texts and numbers."""

    writer: Writer
    plan: Plan | None = None

    def captioned(self, says: Markup | None, caption: Markup) -> Markup:
        """See :meth:`evaluation.report.page.Context.captioned`."""
        return Context.captioned(self, says, caption)

    def text(self, key: str, **values: object) -> Markup:
        """A text that may name the region, its units and the design."""
        w, plan = self.writer, self.plan
        given = {"region": w.name(plan.region), "level_units": w.level(plan.level, several=True),
                 "kind": w.t(f"design.kind.{plan.layout.kind}")}  # fmt: skip
        return w.t(key, **given | values)

    def number(self, name: str, value: float, unit: str = "", digits: int = 0) -> Markup:
        """A number of the design."""
        return self.writer.number(f"design.{name}", value, unit, digits)


@dataclass(frozen=True, eq=False)
class Planner(Opened):
    """A question about the units of one region, in one language.

    Attributes
    ----------
    dataset, language : of the views.
    question, baseline : see :mod:`evaluation.evidence.design.candidates`.
    seed : of draws and simulations.
    """

    dataset: Dataset
    language: str
    question: Question
    baseline: Baseline
    seed: int

    def at(self, level: str, **changes: Any) -> Planner:
        """The same question about the units of another level, or changed."""
        own, known = self.question, self.baseline
        units = len(candidates.below(self.dataset, own.region)[level])
        if level != own.level:
            known = candidates.from_package(self.dataset, own.region, level, own.years, self.seed)
        asked = replace(own, level=level, units=units, **changes)
        return replace(self, question=asked, baseline=known)


def planner(
    dataset: Dataset,
    region: str,
    language: str,
    *,
    effect: float,
    waves: int,
    respondents: int,
    seed: int,
) -> Planner:
    """Open the question for the finest units that are listed below a region.

    Parameters
    ----------
    effect : smallest difference worth knowing, in percentage points. waves, respondents : most
        that are feasible, of surveys a year apart and of people in each unit and wave.

    Raises
    ------
    KepuError : an unknown region or language, no unit below it, or values out of range.
    """
    check_language(language)
    power.require(waves >= 3, f"An order needs at least 3 waves; 'waves' is {waves}.")
    region = code_of(dataset, region)
    level = candidates.finest(dataset, region)
    units = len(candidates.below(dataset, region)[level])
    most = {"waves": (waves,), "respondents": (respondents,)}
    question = Question(region, level, units, effect, **most)
    known = candidates.from_package(dataset, region, level, question.years, seed)
    return Planner(dataset, language, question, known, seed)


def _view(own: Planner, *blocks: Block) -> View:
    if not own.dataset.simulated:
        return View(blocks)
    return View(blocks, Paragraph(own.writer.t("view.simulated"), "simulated"))


def units(own: Planner) -> View:
    """The levels of units below the region that the lot could decide about, and their numbers."""
    w, region = own.writer, own.question.region
    rows = [
        (w.level(level, several=True), w.number(f"units.{level}", len(codes), "", 0))
        for level, codes in candidates.below(own.dataset, region).items()
    ]
    lead, caption = (w.t(f"planner.units{k}", region=w.name(region)) for k in ("", ".caption"))
    return _view(
        own, Paragraph(lead), table(Sheet(w), caption, ("level", "count"), rows, (1,))
    )  # fmt: skip


def rests(own: Planner) -> View:
    """Every value the comparison rests on, and where it is from."""
    w, kinds = own.writer, {each.kind for each in candidates.layouts(own.question)}
    body = _assumed(Sheet(w), candidates.rests_on(own.question, own.baseline, kinds))
    return _view(own, Paragraph(w.t("planner.rests")), body)


def _assumed(page: Sheet, assumed: dict[str, tuple[float, str]]) -> Table:
    """Values that a comparison rests on, a row each, and where they are from."""
    w, rows = page.writer, []
    for name, (value, origin) in assumed.items():
        number = page.number(f"assumed.{name}", value, UNITS.get(name, ""), DIGITS[name])
        rows.append((w.t(f"design.assumed.{name}"), number, w.t(f"design.origin.{origin}")))
    return table(page, w.t("protocol.assumed.caption"), ("what", "value", "origin"), rows, (1,))


def compared(own: Planner, sims: int, level: str = "") -> View:
    """The designs side by side, by formula and, if asked for, as they would be analysed."""
    at, w = own.at(level or own.question.level), own.writer
    made = candidates.compare(at.question, at.baseline)
    if sims:
        effect = at.question.effect
        made = candidates.simulated(
            made, at.baseline, effect, sims=sims, seed=at.seed, workers=1
        )  # fmt: skip
    return _view(own, Paragraph(_best(w, at, made)), _table(w, at, made))


def _best(w: Writer, own: Planner, made: list[Candidate]) -> Markup:
    one, target = candidates.best(made, own.question.target), own.question.target
    return w.t(
        f"planner.{'best' if one.found >= target else 'none'}",
        design=w.t(f"design.kind.{one.layout.kind}"),
        power=w.number("best.power", 100 * one.found, "percent", 0),
        effect=w.number("effect", own.question.effect, POINT, 2),
        detectable=w.number("best.detectable", one.detectable, POINT, 2),
        target=w.number("target", 100 * target, "percent", 0),
        units=w.level(own.question.level, several=True),
        count=w.number("count", own.question.units, "", 0),
    )


def _table(w: Writer, own: Planner, made: Iterable[Candidate]) -> Table:
    rows, question = [], own.question
    for each in made:
        kind, percent = each.layout.kind, {"unit": "percent", "digits": 0}
        simulated = w.t("planner.formula")
        if each.simulated is not None:
            simulated = w.number(f"{kind}.simulated", 100 * each.simulated.power, **percent)
        rows.append((
            w.t(f"design.short.{kind}"),
            w.joined(w.number(f"{kind}.power", 100 * each.assessed.power, **percent),
                     w.interval(f"{kind}.power", 100 * each.low, 100 * each.high, "percent", 0)),
            simulated, w.number(f"{kind}.detectable", each.detectable, "", 2),
            w.t("planner.locks", locks=w.number(f"{kind}.locks", each.locks, "", 0),
                clean=w.number(f"{kind}.clean", 100 * each.clean, **percent)),
            w.number(f"{kind}.interviews", each.interviews, "", 0),
        ))  # fmt: skip
    names = ("design", "power", "power_simulated", "detectable", "locks", "interviews")
    most = {"waves": question.waves[0], "respondents": question.respondents[0], "most": MOST_LOCKS}
    caption = w.t("planner.caption", **{k: w.number(k, v, "", 0) for k, v in most.items()})
    return table(Sheet(w), caption, names, rows, (1, 2, 3, 4, 5))


def curve(own: Planner) -> View:
    """The chance of finding each difference with the strongest design, by formula."""
    target = own.question.target
    one = candidates.best(candidates.compare(own.question, own.baseline), target)
    return _view(
        own, _chances(Sheet(own.writer), one, candidates.curve(one), own.question, "cover")
    )


def _chances(
    page: Sheet | Context, one: Candidate, points: Iterable, question: Question, cover: str
) -> Figure:
    """The chance of finding each difference with a design; ``cover`` is the key of a number."""
    w = page.writer
    values = {"kind": w.t(f"design.kind.{one.layout.kind}"),
              "cover": w.number(cover, 100 * COVERED, "percent", 0)}  # fmt: skip
    options = {"target": question.target, "smallest": question.effect, "values": values}
    axes = {"xlabel": "axis.difference", "ylabel": "axis.found"}
    return picture(page, "design.curve", chances, pd.DataFrame(list(points)), **options, **axes)


def order(own: Planner, lot: int, first: int) -> View:
    """Who begins when with the stepped wedge, drawn from a seed: an example, not a published list.

    Raises
    ------
    KepuError : too few units for the steps.
    """
    w, question = own.writer, own.question
    layout = power.stepped(question.waves[0] - 1)
    codes = candidates.below(own.dataset, question.region)[question.level]
    given = randomise.units(plan.units_of(own.dataset, codes), "stratum")
    dealt = randomise.draw(given, layout, lot, f"{first}-01-01")
    years, rows = [first + place for place in range(layout.periods)], []
    for group in range(layout.sequences):
        members = [w.short(code) for code, drawn in
                   zip(given.codes, dealt.sequence, strict=True) if drawn == group]  # fmt: skip
        begins = w.year(years[int(layout.start[group])])
        rows.append((begins, w.number(f"group.{group}", len(members), "", 0), w.series(members)))
    caption = w.t("planner.order", seed=_term(lot), region=w.name(question.region))
    body = table(Sheet(w), caption, ("begins", "count", "members"), rows, (1,))
    note = Paragraph(w.t("planner.order.note"), "note")
    return _view(own, note, _staggered(Sheet(w), layout, dealt.sequence, years), body)


def _term(constant: object) -> Markup:
    """A constant of the design, printed digit by digit: a seed is no count."""
    return Markup('<span class="term">{}</span>').format(constant)


def _staggered(
    page: Sheet, layout: power.Layout, sequence: np.ndarray, years: Iterable[int]
) -> Figure:
    """Who begins when: a group a row, with its number and its count of units."""
    head, sizes = page.writer.t("column.group"), np.bincount(sequence, minlength=layout.sequences)
    labels = [f"{head} {k} (n = {size})" for k, size in enumerate(sizes, 1)]
    waves = [str(year) for year in years]
    return picture(page, "design.rollout", rollout, layout.matrix, groups=labels, waves=waves)


def unknown(own: Planner) -> View:
    """What no calculation beforehand can tell."""
    keys = ("planner.unknown.variance", "planner.unknown.lasting", "planner.unknown.neighbours")
    return _view(own, Items(tuple(own.writer.t(key) for key in keys)))


class Explorer(Live):
    """The comparison with sliders in a notebook, and as a table elsewhere."""

    def __init__(self, own: Planner):
        self.own = own

    def told(self, waves: int, respondents: int, effect: float) -> Markup:
        """The comparison for other waves, respondents and another difference, as HTML."""
        changes = {"waves": (waves,), "respondents": (respondents,), "effect": effect}
        own = replace(self.own, question=replace(self.own.question, **changes))
        return Markup(compared(own, 0)._repr_html_())

    def widget(self) -> Any:
        """The sliders with the table below them, an ipywidgets box."""
        return _Panel(self).box

    def _repr_html_(self) -> str:
        note = Paragraph(self.own.writer.t("planner.static"), "note").html()
        own = self.own.question
        return str(STYLE + note + self.told(own.waves[0], own.respondents[0], own.effect))

    def __repr__(self) -> str:
        own = self.own.question
        return f"Explorer({own.region}, {own.units} units of level {own.level})"


explore = Explorer  # how a notebook opens it


class _Panel:
    """Sliders for waves, respondents and the difference worth knowing, and the table of them."""

    def __init__(self, explorer: Explorer):
        import ipywidgets as widgets

        w, own = explorer.own.writer, explorer.own.question
        at = {"waves": own.waves[0], "respondents": own.respondents[0],
              "hundredths": round(100 * own.effect)}  # fmt: skip
        names = {"waves": w.t("column.waves"), "respondents": w.t("column.respondents"),
                 "hundredths": w.t("planner.slider")}  # fmt: skip
        self._explorer = explorer
        self.sliders = {
            name: widgets.IntSlider(
                min(max(at[name], low), high), low, high, step, description=str(names[name]),
                style=LABEL, layout={"width": "46em"}, continuous_update=False,
            )
            for name, (low, high, step) in SLIDERS.items()
        }  # fmt: skip
        self.panel = widgets.HTML()
        for slider in self.sliders.values():
            slider.observe(lambda _: self._show(), "value")
        self.box = widgets.VBox([*self.sliders.values(), self.panel])
        self._show()

    def _show(self) -> None:
        waves, respondents, hundredths = (slider.value for slider in self.sliders.values())
        self.panel.value = str(self._explorer.told(waves, respondents, hundredths / 100))


# ------------------------------------------------------------------------------------------
# The protocol of the design that was chosen, and its list of units.


def sheet(plan: Plan, dataset: Dataset, language: str) -> Sheet:
    """A plan ready to be written in a language."""
    return Sheet(Writer(dataset, language), plan)


def protocol(page: Sheet) -> list[Part]:
    """Question, units, assignment, outcome, sample, analysis, rule, and what would be said."""
    head = (Paragraph(page.text("protocol.subtitle"), "subtitle"),)
    title = Title(page.text("protocol.title"), head, str(page.writer.t("page.keywords")))
    smallest = page.number("effect", page.plan.effect, POINT, 2)
    alpha = page.number("alpha", 100 * (1 - page.plan.setting.level), "percent")
    analysis = page.text(
        "protocol.analysis", alpha=alpha,
        estimator=page.writer.t(f"protocol.estimator.{page.plan.estimator}"),
        accepted=page.number("accepted", len(page.plan.allocation.accepted)),
    )  # fmt: skip
    parts = {
        "question": (Paragraph(page.text("protocol.question", smallest=smallest)),),
        "assignment": _assignment(page),
        "outcome": _outcome(page),
        "analysis": (Paragraph(analysis),),
        "rule": _rule(page, alpha),
    }
    keys = ("protocol.question.title", "protocol.units.title", "protocol.outcome.title",
            "protocol.analysis.title", "protocol.rule.title")  # fmt: skip
    named = zip(keys, parts.items(), strict=True)
    return [title, *(Section(name, page.text(key), blocks) for key, (name, blocks) in named)]


def _assignment(page: Sheet) -> tuple[Block, ...]:
    plan, w, dealt = page.plan, page.writer, page.plan.allocation
    first = page.text(
        "protocol.units", count=page.number("units", len(dealt.units.codes)),
        groups=page.number("groups", plan.layout.sequences),
        seed=_term(dealt.seed), date=timed(dealt.date),
    )  # fmt: skip
    values = {
        "candidates": page.number("candidates", dealt.candidates),
        "accepted": page.number("accepted", len(dealt.accepted)),
        "share_kept": page.number("share", 100 * dealt.share, "percent"),
        "covariates": w.series(dealt.units.covariates),
    }
    kind = "restricted" if dealt.units.covariates else "free"
    told = [first, w.t(f"protocol.units.{kind}", **values)]
    strata = len(set(dealt.units.strata))
    if strata > 1:
        told.append(w.t("protocol.units.strata", strata=page.number("strata", strata)))
    drawn = _staggered(page, plan.layout, dealt.sequence, plan.waves)
    return (Paragraph(w.joined(*told)), drawn)


def _outcome(page: Sheet) -> tuple[Block, ...]:
    plan = page.plan
    interviews = len(plan.surveyed()) * plan.setting.respondents
    text = page.text(
        "protocol.outcome", respondents=page.number("respondents", plan.setting.respondents),
        interviews=page.number("interviews", interviews),
    )  # fmt: skip
    return (Paragraph(text), _tells(page), _assumed(page, plan.assumed))


def _tells(page: Sheet) -> Table:
    plan, w = page.plan, page.writer
    target = page.number("target", 100 * plan.setting.target, "percent")
    kind, clean = "value", {}
    if plan.clean is not None:
        kind, clean = "clean", {"clean": page.number("clean", 100 * plan.clean, "percent")}
    counts = {"locks": page.number("locks", plan.locks), "most": page.number("most", MOST_LOCKS)}
    costs = {
        name: w.t("design.unstated") if value is None else page.number(f"cost.{name}", value)
        for name, value in plan.costs.items()
    }
    found = w.joined(
        page.number("power", 100 * plan.power, "percent"),
        w.interval("design.power", 100 * plan.low, 100 * plan.high, "percent", 0),
    )
    rows = [
        (w.t("protocol.tells.power"), found),
        (w.t("protocol.tells.detectable", target=target),
         page.number("detectable", plan.detectable, POINT, 2)),
        (w.t("protocol.tells.locks"), w.t(f"protocol.tells.locks.{kind}", **counts, **clean)),
        *((w.t(f"protocol.tells.{name}"), costs[name]) for name in ("survey", "programme")),
    ]  # fmt: skip
    if plan.simulated is not None:
        value = page.number("simulated", 100 * plan.simulated, "percent")
        rows.insert(1, (w.t("protocol.tells.simulated"), value))
    return table(page, w.t("protocol.tells.caption"), ("what", "value"), rows, (1,))


def _rule(page: Sheet, alpha: Markup) -> tuple[Block, ...]:
    """The rule, and what would be said: for a difference above zero, below it, and for none."""
    target = page.number("target", 100 * page.plan.setting.target, "percent")
    detectable = page.number("detectable", page.plan.detectable, POINT, 2)
    values = {"alpha": alpha, "detectable": detectable, "target": target}
    says = ("protocol.says.up", "protocol.says.down", "protocol.says.unclear")
    return (
        Paragraph(page.text("protocol.rule", **values)),
        Items(tuple(page.text(key, **values) for key in says)),
        Paragraph(page.text("protocol.says.words"), "note"),
        Paragraph(page.text("protocol.signature")),
    )


def roster(page: Sheet) -> list[Part]:
    """The list of units in the order of their codes, to be printed and signed."""
    plan, w, dealt = page.plan, page.writer, page.plan.allocation
    # The day of the draw, to the day: a published seed is older than its list.
    drawn = page.text("roster.drawn", seed=_term(dealt.seed), date=timed(dealt.date))
    if dealt.units.covariates:
        drawn = w.joined(drawn, page.text(
            "roster.balance", score=page.number("score", dealt.score, "", SCORE),
            median=page.number("median", dealt.median, "", SCORE),
        ))  # fmt: skip
    starts, rows, known = plan.starts(), [], set(w.dataset.regions["code"])
    for row in dealt.table(plan.layout).itertuples():
        begins = w.year(starts[row.code]) if starts[row.code] else w.t("design.never")
        # A region by its name in the language of the page, else as it was given.
        pairs = ((row.code, row.name), (row.stratum, row.stratum))
        told = (row.code, *(w.name(code) if code in known else given for code, given in pairs))
        group = page.number(f"group.{row.code}", row.group)
        rows.append((*(w.recorded("units", row.code, text) for text in told), group, begins))
    caption = w.t("roster.caption", count=page.number("units", len(rows)))
    names = ("code", "region", "stratum", "group", "begins")
    blocks = (Paragraph(drawn), table(page, caption, names, rows, (3,)),
              Paragraph(w.t("protocol.signature")))  # fmt: skip
    head = Title(page.text("roster.title"), (), str(w.t("page.keywords")))
    return [head, Section("roster", page.text("protocol.units.title"), blocks)]


def notebook(parts: Sequence[Part], language: str, date: str) -> nbformat.NotebookNode:
    """A notebook that shows the parts, from which a report's formats are made."""
    new, kepu = nbformat.v4, {"date": date, "language": language, "front": False}
    shown = [new.new_output("display_data", part._repr_mimebundle_()) for part in parts]
    cells = [new.new_code_cell("", outputs=[output]) for output in shown]
    return new.new_notebook(cells=cells, metadata={"kepu": kepu})


# ------------------------------------------------------------------------------------------
# What a report that cannot tell says of the design that could: three sentences and a figure.


def quoted(context: Context) -> list[Block]:
    """The design that could tell for the region of a report, or what is lacking to name it."""
    try:
        found = candidates.quoted(context.study.dataset, context.code)
    except KepuError:  # how much units differ, or what is worth knowing, has no basis here
        return [context.missing("design.quote.unknown")]
    if found is None:
        return [context.missing("design.quote.none")]
    told = Paragraph(_quote(context, found))
    return [told, _chances(context, found.candidate, found.curve, found.question, "design.cover")]


def _quote(context: Context, found: candidates.Quoted) -> Markup:
    w, one, question = context.writer, found.candidate, found.question
    key, own = f"design.{context.code}", one.assessed
    values = {
        "region": context.name, "level_units": w.level(question.level, several=True),
        "kind": w.t(f"design.kind.{one.layout.kind}"),
        "smallest": w.number(f"{key}.effect", own.effect, POINT, 2),
        "detectable": w.number(f"{key}.detectable", own.detectable, POINT, 2),
        "target": w.number(f"{key}.target", 100 * own.target, "percent", 0),
        "power": w.number(f"{key}.power", 100 * own.power, "percent", 0),
        "origin": w.t(f"design.origin.{found.baseline.origins['icc']}"),
    }  # fmt: skip
    counts = {"count": own.units, "groups": one.layout.sequences, "waves": one.layout.periods,
              "respondents": one.setting.respondents, "interviews": one.interviews,
              "years": one.years}  # fmt: skip
    values |= w.numbers(key, **counts)
    if round(100 * one.low) != round(100 * one.high):  # an interval of one number tells nothing
        ends = w.interval(f"{key}.power", 100 * one.low, 100 * one.high, "percent", 0)
        values["power"] = w.joined(values["power"], ends)
    power = ".power" if own.power >= 0.5 else ".power.few"
    return w.joined(*(w.t(f"design.quote{part}", **values) for part in ("", power, ".cost")))


# ------------------------------------------------------------------------------------------
# What the screen shows: candidates, departures and assumptions as plain words.


def candidate_rows(
    compared: Iterable[Candidate], writer: Writer
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of candidates."""
    names = ("design", "waves", "respondents", "power", "power_interval", "power_simulated",
             "detectable", "locks", "interviews", "survey_cost", "programme_cost",
             "years_to_answer")  # fmt: skip
    head = [writer.t(f"column.{name}").striptags() for name in names]
    unstated = writer.t("design.unstated").striptags()
    rows = [
        [
            writer.t(f"design.short.{each.layout.kind}").striptags(),
            f"{each.layout.periods}", f"{each.setting.respondents:,}",
            f"{each.assessed.power:.0%}", f"{each.low:.0%}–{each.high:.0%}",
            "" if each.simulated is None else f"{each.simulated.power:.0%}",
            f"{each.detectable:.2f}", f"{each.locks} ({each.clean:.0%})",
            f"{each.interviews:,}", *(unstated if cost is None else f"{cost:,.0f}"
                                      for cost in (each.survey_cost, each.programme_cost)),
            f"{each.years:g}",
        ]
        for each in compared
    ]  # fmt: skip
    return head, rows


def departure_lines(found: Sequence[Departure], writer: Writer) -> list[str]:
    """One sentence a departure; one sentence where there is none."""
    if not found:
        return [writer.t("departure.none").striptags()]
    lines = []
    for each in found:
        numbers = {"planned": f"{each.planned:,.0f}", "found": f"{each.found:,.0f}"}
        values = {"code": each.code, "wave": str(each.wave), **numbers}
        lines.append(writer.t(f"departure.{each.kind}", **values).striptags())
    return lines


def assumption_lines(assumed: dict[str, tuple[float, str]], writer: Writer) -> list[str]:
    """One line for each value that a comparison rests on, with where it is from."""
    return [
        f"{writer.t(f'design.assumed.{name}').striptags()}: {value:.{DIGITS[name]}f} — "
        f"{writer.t(f'design.origin.{origin}').striptags()}"
        for name, (value, origin) in assumed.items()
    ]
