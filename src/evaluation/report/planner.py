"""Views of the notebook that plans the next evaluation: candidates, order, sliders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from evaluation.base.results import MOST_LOCKS
from evaluation.data.package import Dataset
from evaluation.data.slices import code_of
from evaluation.design import candidates, plan, power, randomise
from evaluation.design.candidates import Baseline, Candidate, Question
from evaluation.design.components import COVERED
from evaluation.figures.rollout import chances, rollout
from evaluation.report import protocol
from evaluation.report.blocks import Block, Items, Paragraph, Table
from evaluation.report.explorer import Live
from evaluation.report.page import STYLE, View, Writer, picture, table
from evaluation.report.protocol import POINT, Sheet

# Ends of the sliders: waves, respondents in a unit and wave, and hundredths of a point.
WAVES, RESPONDENTS, HUNDREDTHS = (2, 8), (100, 2000), (10, 500)
LABEL = {"description_width": "20em"}


@dataclass(frozen=True, eq=False)
class Planner:
    """A question about the units of one region, in one language.

    Attributes
    ----------
    dataset, language : of the views. question, baseline : see :mod:`evaluation.design.candidates`.
    seed : of draws and simulations.
    """

    dataset: Dataset
    language: str
    question: Question
    baseline: Baseline
    seed: int

    @property
    def writer(self) -> Writer:
        """A writer that has written nothing: each view has numbers of its own."""
        return Writer(self.dataset, self.language)

    def at(self, level: str, **changes: Any) -> Planner:
        """The same question about the units of another level, or changed."""
        own = self.question
        units = len(candidates.below(self.dataset, own.region)[level])
        known = self.baseline
        if level != own.level:
            known = candidates.from_package(self.dataset, own.region, level, own.years, self.seed)
        return replace(
            self, question=replace(own, level=level, units=units, **changes), baseline=known
        )


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
    protocol.check_language(language)
    power.require(waves >= 3, f"An order needs at least 3 waves; 'waves' is {waves}.")
    region = code_of(dataset, region)
    level = candidates.finest(dataset, region)
    question = Question(
        region, level, len(candidates.below(dataset, region)[level]), effect,
        waves=(waves,), respondents=(respondents,),
    )  # fmt: skip
    known = candidates.from_package(dataset, region, level, question.years, seed)
    return Planner(dataset, language, question, known, seed)


def _view(own: Planner, *blocks: Block) -> View:
    if not own.dataset.simulated:
        return View(blocks)
    return View(blocks, Paragraph(own.writer.t("view.simulated"), "simulated"))


def _sheet(w: Writer) -> Any:
    """What the helpers of a page need: a writer, and how captions are made."""
    return Sheet(None, w)


def units(own: Planner) -> View:
    """The levels of units below the region that the lot could decide about, and their numbers."""
    w, region = own.writer, own.question.region
    rows = [
        (w.level(level, several=True), w.number(f"units.{level}", len(codes), "", 0))
        for level, codes in candidates.below(own.dataset, region).items()
    ]
    lead = Paragraph(w.t("planner.units", region=w.name(region)))
    caption = w.t("planner.units.caption", region=w.name(region))
    return _view(own, lead, table(_sheet(w), caption, ("level", "count"), rows, (1,)))


def rests(own: Planner) -> View:
    """Every value the comparison rests on, and where it is from."""
    w, kinds = own.writer, {each.kind for each in candidates.layouts(own.question)}
    found = candidates.rests_on(own.question, own.baseline, kinds)
    body = protocol.assumption_table(_sheet(w), found)
    return _view(own, Paragraph(w.t("planner.rests")), body)


def found(own: Planner, sims: int) -> list[Candidate]:
    """Every design at the waves and respondents of the question, simulated if asked for."""
    made = candidates.compare(own.question, own.baseline)
    if not sims:
        return made
    effect = own.question.effect
    return candidates.simulated(made, own.baseline, effect, sims=sims, seed=own.seed, workers=1)


def compared(own: Planner, sims: int, level: str = "") -> View:
    """The designs side by side, by formula and as they would be analysed."""
    at = own.at(level or own.question.level)
    made = found(at, sims)
    w = own.writer
    return _view(own, Paragraph(_best(w, at, made)), _table(w, at, made))


def _best(w: Writer, own: Planner, made: list[Candidate]) -> Markup:
    one, target = candidates.best(made, own.question.target), own.question.target
    kind = "best" if one.found >= target else "none"
    return w.t(
        f"planner.{kind}", design=w.t(f"design.kind.{one.layout.kind}"),
        power=w.number("best.power", 100 * one.found, "percent", 0),
        effect=w.number("effect", own.question.effect, POINT, 2),
        detectable=w.number("best.detectable", one.detectable, POINT, 2),
        target=w.number("target", 100 * target, "percent", 0),
        units=w.level(own.question.level, several=True),
        count=w.number("count", own.question.units, "", 0),
    )  # fmt: skip


def _table(w: Writer, own: Planner, made: Iterable[Candidate]) -> Table:
    rows = []
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
    question = own.question
    caption = w.t(
        "planner.caption", waves=w.number("waves", question.waves[0], "", 0),
        respondents=w.number("respondents", question.respondents[0], "", 0),
        most=w.number("most", MOST_LOCKS, "", 0),
    )  # fmt: skip
    return table(_sheet(w), caption, names, rows, (1, 2, 3, 4, 5))


def curve(own: Planner) -> View:
    """The chance of finding each difference with the strongest design, by formula."""
    w, one = own.writer, candidates.best(found(own, 0), own.question.target)
    values = {"kind": w.t(f"design.kind.{one.layout.kind}"),
              "cover": w.number("cover", 100 * COVERED, "percent", 0)}  # fmt: skip
    frame = pd.DataFrame(candidates.curve(one))
    options = {"target": own.question.target, "smallest": own.question.effect, "values": values}
    axes = {"xlabel": "axis.difference", "ylabel": "axis.found"}
    return _view(own, picture(_sheet(w), "design.curve", chances, frame, **options, **axes))


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
    years = [str(first + place) for place in range(layout.periods)]
    rows = []
    for group in range(layout.sequences):
        members = [w.short(code) for code, own_group in
                   zip(given.codes, dealt.sequence, strict=True) if own_group == group]  # fmt: skip
        begins = w.year(years[int(layout.start[group])])
        rows.append((begins, w.number(f"group.{group}", len(members), "", 0), w.series(members)))
    caption = w.t("planner.order", seed=protocol.term(lot), region=w.name(question.region))
    sizes = np.bincount(dealt.sequence)
    head = w.t("column.group")
    labels = [f"{head} {k} (n = {size})" for k, size in enumerate(sizes, 1)]
    drawn = picture(_sheet(w), "design.rollout", rollout, layout.matrix, groups=labels, waves=years)
    body = table(_sheet(w), caption, ("begins", "count", "members"), rows, (1,))
    return _view(own, Paragraph(w.t("planner.order.note"), "note"), drawn, body)


def unknown(own: Planner) -> View:
    """What no calculation beforehand can tell."""
    w = own.writer
    keys = ("planner.unknown.variance", "planner.unknown.lasting", "planner.unknown.neighbours")
    return _view(own, Items(tuple(w.t(key) for key in keys)))


# ------------------------------------------------------------------------------------------
# Sliders: waves, respondents and the difference worth knowing.


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


class _Panel:
    """Sliders and the table that follows them."""

    def __init__(self, explorer: Explorer):
        import ipywidgets as widgets

        w, own = explorer.own.writer, explorer.own.question
        at = {"waves": own.waves[0], "respondents": own.respondents[0],
              "hundredths": round(100 * own.effect)}  # fmt: skip
        ends = {"waves": (*WAVES, 1), "respondents": (*RESPONDENTS, 50),
                "hundredths": (*HUNDREDTHS, 5)}  # fmt: skip
        names = {"waves": w.t("column.waves"), "respondents": w.t("column.respondents"),
                 "hundredths": w.t("planner.slider")}  # fmt: skip
        self._explorer = explorer
        self.sliders = {
            name: widgets.IntSlider(
                min(max(at[name], low), high), low, high, step, description=str(names[name]),
                style=LABEL, layout={"width": "46em"}, continuous_update=False,
            )
            for name, (low, high, step) in ends.items()
        }  # fmt: skip
        self.panel = widgets.HTML()
        for slider in self.sliders.values():
            slider.observe(lambda _: self._show(), "value")
        self.box = widgets.VBox([*self.sliders.values(), self.panel])
        self._show()

    def _show(self) -> None:
        values = {name: slider.value for name, slider in self.sliders.items()}
        effect = values["hundredths"] / 100
        told = self._explorer.told(values["waves"], values["respondents"], effect)
        self.panel.value = str(told)


def explore(own: Planner) -> Explorer:
    """Open the comparison with sliders."""
    return Explorer(own)
