"""The brief: a finding as headline, three numbers, two charts, targets, inputs, three requests.

Rules choose headline and requests from the results. Each table of rules is read from the top, and
the first that holds is taken; the last always holds. So a headline is never empty, two rules never
speak at once, and a tie goes to the rule above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from evaluation.base.text import file_stem
from evaluation.data.package import surveyed_rates
from evaluation.figures import charts
from evaluation.report import chain, designs, level
from evaluation.report.blocks import Block, Cards, Figure, Heading, Items, Paragraph, Row, Section
from evaluation.report.effect import mostly_assumed
from evaluation.report.governance import measures_of
from evaluation.report.inputs import DOMAINS_TOLD, first_told, glance
from evaluation.report.page import DASH, Context, ends, picture, plain, side, table, timed
from evaluation.report.targets import (
    assessments,
    chance_word,
    forecast,
    goals_of,
    is_met,
    targets_above,
)
from evaluation.targets.outlook import Outlook

INPUT_ROWS, TARGET_ROWS = 4, 5
CAUTIONS, MOST = 3, 3  # cautions and requests, at most
LISTED = 3  # years that are named one by one
STALE = 5  # years after which a headline says that nothing later is known
POINT = "percentage_point"

# The rules of the headline.


@dataclass(frozen=True)
class Course:
    """What the headline rules look at; each side is ``above``, ``below`` or ``near`` (not told).

    ``surveys`` : usable surveys of the region.
    ``moved`` : side of its change from the first of them to the last.
    ``gaps`` : sides of its difference from the whole, by survey, ``""`` where the whole has none.
    ``shift`` : side of the change of that difference, first to last, where both are known.
    ``flagged`` : there are values of the region, none usable.
    ``unmeasured`` : there are usable values, none with a sampling error.
    """

    surveys: int
    moved: str = "near"
    gaps: tuple[str, ...] = ()
    shift: str = "near"
    flagged: bool = False
    unmeasured: bool = False

    @property
    def first(self) -> str:
        """The first side that is known."""
        return next(side for side in self.gaps if side)

    @property
    def last(self) -> str:
        return self.gaps[-1] if self.gaps else ""


Rules = Sequence[tuple[str, Callable[[Course], bool]]]
# Of a region without a survey that has a sampling error: why there is none.
ABSENT: Rules = (
    ("unmeasured", lambda c: c.unmeasured),
    ("flagged", lambda c: c.flagged),
    ("none", lambda c: True),
)
# How the region's own share moved.
MOVES: Rules = (
    ("once", lambda c: c.surveys == 1),
    ("rose", lambda c: c.moved == "above"),
    ("fell", lambda c: c.moved == "below"),
    ("unclear", lambda c: True),
)
# Where it stands against the whole, and how it came there.
STANDING: Rules = (
    ("alone", lambda c: not c.last),
    ("slipped", lambda c: c.last == "below" and c.first != "below" and c.shift == "below"),
    ("widened", lambda c: c.last == "below" and c.shift == "below"),
    ("closing", lambda c: c.last == "below" and c.shift == "above"),
    ("behind", lambda c: c.last == "below"),
    ("pulled", lambda c: c.last == "above" and c.first != "above" and c.shift == "above"),
    ("extended", lambda c: c.last == "above" and c.shift == "above"),
    ("shrunk", lambda c: c.last == "above" and c.shift == "below"),
    ("ahead", lambda c: c.last == "above"),
    ("caught", lambda c: c.first == "below" and c.shift == "above"),
    ("lost", lambda c: c.first == "above" and c.shift == "below"),
    ("level", lambda c: True),
)
CONTRAST = {("rose", "below"), ("fell", "above")}


def chosen(rules: Rules, course: Course) -> str:
    """The name of the first rule that holds."""
    return next(name for name, holds in rules if holds(course))


def contrasted(move: str, course: Course) -> bool:
    """Whether where the region stands is said against how it moved."""
    return (move, course.last) in CONTRAST


def since(gaps: Sequence[str]) -> int:
    """The place of the survey from which on every known difference lies where the last does.

    >>> since(("near", "near", "below", "", "below"))
    2
    """
    first = len(gaps) - 1
    for place in range(len(gaps) - 1, -1, -1):
        if gaps[place] not in ("", gaps[-1]):
            break
        first = place if gaps[place] else first
    return first


# The brief.


def section(context: Context) -> Section:
    """Everything a leader reads, on two pages at most; without a survey on one."""
    w, known = context.writer, _usable(context)
    kicker = w.t("brief.kicker", region=context.name, date=timed(context.date))
    parts: dict[str, Sequence[Block]] = {"kicker": [Paragraph(kicker, "kicker")]}
    if len(known):  # leads with targets, and what the evidence permits to say of inputs
        lead = w.joined(chain.target(context), designs.quoted(context))
        parts |= {"lead": [Paragraph(lead, "lead")], "numbers": [Cards(_cards(context, known))]}
        parts["charts"] = [_charts(context, known)]
        effect = [Paragraph(designs.finding(context)), *designs.findings_locks(context)]
    else:
        parts["lead"] = [Paragraph(chain.level(context), "lead")]
        effect = [Paragraph(chain.next_step(context))]
    titled = {
        "targets": _targets(context, known),
        "inputs": glance(context, INPUT_ROWS),
        "effect": effect,
        "next": [Items(requests(context))],
        "cautions": [Items(_cautions(context, known))],
    }
    parts |= {name: [Heading(w.t(f"brief.{name}")), *own] for name, own in titled.items()}
    parts["annex"] = [Paragraph(w.t("brief.annex", **_files(context)), "note")]
    return Section.of("brief", told(context), parts)


def _files(context: Context) -> dict[str, Markup]:
    """How report and annex are named, for a reader of paper; on a page they are links."""
    kind = "_simulated" if context.study.simulated else ""
    stem = f"{context.code}_{context.writer.language}{kind}"
    link = Markup('<a href="#{}"><code>{}</code></a>')
    places = {"report": "level", "annex": "sources"}
    return {name: link.format(at, file_stem(stem, name)) for name, at in places.items()}


def _usable(context: Context) -> pd.DataFrame:
    """Surveys of the region with a sampling error, from the first year shown."""
    known = context.surveyed(context.code)
    return known[known["wave"] >= context.first_year]


def course(context: Context) -> Course:
    """What the rules of the headline look at."""
    known = _usable(context)
    if known.empty:
        rates = surveyed_rates(context.study.dataset, flagged=True)
        flagged = rates["region_code"].eq(context.code).any()
        return Course(0, flagged=flagged, unmeasured=len(context.rates_of(context.code)) > 0)
    gaps = [_gap(context, row) for _, row in known.iterrows()]
    both = [gap for gap in gaps if gap is not None]
    shift = side(*_minus(both[-1], both[0])[1:]) if len(both) > 1 else "near"
    sides = tuple("" if gap is None else side(*ends(*gap)) for gap in gaps)
    return Course(len(known), side(*_change(known)[1:]), sides, shift)


def _gap(context: Context, row: pd.Series) -> tuple[float, float] | None:
    """A region's difference from the whole and its variance; none without both errors."""
    whole = context.rate(context.whole, row["wave"])
    if whole is None or pd.isna(whole["variance"]):
        return None
    return row["rate"] - whole["rate"], row["variance"] + whole["variance"]


def _minus(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float]:
    """Difference of two independent values, each given with its variance, and its ends."""
    value = a[0] - b[0]
    return value, *ends(value, a[1] + b[1])


def _change(known: pd.DataFrame) -> tuple[float, float, float]:
    """The change from the first survey to the last, with the ends of its interval."""
    pairs = known[["rate", "variance"]].to_numpy()
    return _minus(pairs[-1], pairs[0])


def told(context: Context) -> Markup:
    """The headline: what the first rules that hold say."""
    w, found, known = context.writer, course(context), _usable(context)
    region = w.short(context.code)
    if known.empty:
        key, values = chosen(ABSENT, found), {"year": "", "rate": ""}
        if len(rates := context.rates_of(context.code)):
            last = rates.iloc[-1]
            values = {"year": w.year(last["wave"]), "rate": context.fact(last["fact_id"])}
        return w.t(f"headline.{key}", region=region, **values)
    move, stands = chosen(MOVES, found), chosen(STANDING, found)
    first, last = known.iloc[0], known.iloc[-1]
    years = {"first": w.year(first["wave"]), "last": w.year(last["wave"])}
    values = {"start": context.fact(first["fact_id"]), "end": context.fact(last["fact_id"])}
    moved = w.t(f"headline.{move}", region=region, **years, **values)
    gap = ""
    if stands != "alone":  # the size of the difference, without its sign
        key = f"brief.distance.{context.code}.{last['wave']}"
        gap = w.number(key, abs(_gap(context, last)[0]), POINT, 2)
    at = w.year(known["wave"].iloc[since(found.gaps)])
    key = "headline.but" if contrasted(move, found) else "headline.and"
    text = w.t(key, moved=moved, stood=w.t(f"headline.{stands}", gap=gap, since=at))
    return w.t("headline.stale", text=text) if last["wave"] <= context.today - STALE else text


def _cards(context: Context, known: pd.DataFrame) -> tuple[tuple[Markup, Markup], ...]:
    """Three numbers; where difference or change is not known, how many surveys there are."""
    w, last, first = context.writer, known.iloc[-1], known.iloc[0]
    year, key = w.year(last["wave"]), f"rate.{context.code}.{last['wave']}"
    interval = w.interval(key, last["low"], last["high"], "percent", 1)
    cards = [(context.fact(last["fact_id"]), w.t("brief.card.rate", year=year, interval=interval))]
    if (gap := _gap(context, last)) is not None:
        key, at = f"gap.{context.code}.{last['wave']}", ends(*gap)
        nation = context.fact(context.rate(context.whole, last["wave"])["fact_id"])
        values = {"interval": w.interval(key, *at, "", 1), "year": year, "nation": nation}
        number = w.number(key, gap[0], "", 2, signed=True)
        cards.append((number, w.t(f"brief.card.gap.{side(*at)}", **values)))
    if len(known) > 1:
        value, *at = _change(known)
        key, span = f"brief.change.{context.code}", w.span(first["wave"], last["wave"])
        number = w.number(key, value, "", 2, signed=True)
        text = w.t("brief.card.change", span=span, interval=w.interval(key, *at, "", 1))
        cards.append((number, text))
    of = context.rates_of(context.whole)
    of = of[of["wave"] >= context.first_year]
    count = w.number(f"brief.surveys.{context.code}", len(known), "", 0)
    if of.empty:
        return (*cards, (count, w.t("brief.card.surveys.own", count=count)))[:3]
    total, newest = w.number(f"brief.surveys.{context.whole}", len(of), "", 0), of.iloc[-1]
    cards.append((count, w.t("brief.card.surveys", total=total, count=count)))
    text = w.t("brief.card.whole", year=w.year(newest["wave"]))
    return (*cards, (context.fact(newest["fact_id"]), text))[:3]


def _charts(context: Context, known: pd.DataFrame) -> Block:
    """The trend beside the whole and the difference from it by survey; else the trend, wide."""
    gaps = {row["wave"]: _gap(context, row) for _, row in known.iterrows()}
    gaps = {wave: gap for wave, gap in gaps.items() if gap is not None}
    if not gaps:
        return level.trend_figure(context)
    return Row((level.trend_figure(context, "brief.trend"), _gap_figure(context, gaps)))


def _gap_figure(context: Context, gaps: dict[int, tuple[float, float]]) -> Figure:
    w = context.writer
    rows = [(str(wave), gap[0], *ends(*gap)) for wave, gap in gaps.items()]
    frame = pd.DataFrame(rows, columns=["label", "estimate", "low", "high"])
    sides = [side(*row[2:]) for row in rows]
    notes = [plain(value, w.language, 2, signed=True) for value in frame["estimate"]]
    frame = frame.assign(highlight=[at != "near" for at in sides], note=notes)
    values = {"region": w.short(context.code), "year": w.year(max(gaps))}
    says = w.t(f"figure.level.{sides[-1]}", **values)
    return picture(context, "brief.gap", charts.forest, frame, xlabel="axis.gap", says=says,
                   values={"region": context.name})  # fmt: skip


def _targets(context: Context, known: pd.DataFrame) -> list[Block]:
    """Each target with what is known of it and the verdict; those of the whole that lie ahead."""
    w, outlook = context.writer, context.study.outlook
    own, rows = assessments(context), []
    for item in own:
        seen = DASH
        if (last := item.latest) is not None:
            seen = w.t("brief.seen", rate=context.rate_text(last), year=w.year(last["wave"]))
        rows.append((item.target, seen, w.t(f"status.{item.status}")))
    forecasts = isinstance(outlook, Outlook) and context.code in outlook.regions
    for goal in (goal for goal in goals_of(context, context.code) if not goal.own):
        seen, said = DASH, w.t("status.no_survey")
        if len(known) and is_met(context, context.code, goal):
            said = w.t("status.met")
        elif forecasts:
            if outlook.within(context.code, goal.year):
                value = w.joined(*forecast(context, outlook, context.code, goal.year))
                seen = w.t("brief.estimate", value=value)
            said = chance_word(context, outlook, context.code, goal)
        elif len(known):
            said = w.t("brief.unforecast")
        rows.append((goal.fact, seen, said))
    missing = Paragraph(w.t("findings.target.missing", region=context.name), "note")
    lacking = [] if own else [missing]
    if not rows:
        return lacking or targets_above(context)
    cells = [
        (w.year(row["year"]), w.short(row["region_code"]), context.fact(row["fact_id"]), seen, said)
        for row, seen, said in rows[-TARGET_ROWS:]
    ]
    columns = ("due", "whose", "target", "known", "status")
    return [table(context, w.t("brief.targets.table"), columns, cells), *lacking]


# What to ask for, of whom and by when.


@dataclass(frozen=True)
class Wants:
    """What the rules of recommendations look at.

    ``surveyed`` : the region has a usable survey.
    ``missed`` : later surveys of the whole have no usable value of the region.
    ``assumed`` : sample sizes of its surveys are assumed.
    ``empty`` : domains of inputs without a published figure, or inputs known by proxies alone.
    ``unnamed`` : its plan has measures without a lead office or a due year.
    ``target`` : it has a usable target that is not yet due.
    ``conflicts`` : contradictions between its sources are recorded.
    ``told`` : the evidence says whether inputs go with gains.
    """

    surveyed: bool
    missed: bool = False
    assumed: bool = False
    empty: bool = False
    unnamed: bool = False
    target: bool = True
    conflicts: bool = False
    told: bool = False


# What to ask for, the most needed first; of the survey, the inputs and the review one each holds.
ASKED: Sequence[tuple[str, Callable[[Wants], bool]]] = (
    ("survey", lambda f: not f.surveyed),
    ("publish", lambda f: f.surveyed and f.missed),
    ("inputs", lambda f: f.empty),
    ("named", lambda f: f.unnamed),
    ("target", lambda f: not f.target),
    ("samples", lambda f: f.assumed and not f.missed),
    ("conflicts", lambda f: f.conflicts),
    ("design", lambda f: not f.told),
    ("repeat", lambda f: f.surveyed),
    ("yearly", lambda f: not f.empty),
    ("review", lambda f: True),
)
SOON = ("publish", "samples", "inputs", "named", "conflicts")  # what only has to be written down
# Where a plan names who leads in these domains, that office is asked.
HELD_BY = {"inputs": "organisation", "yearly": "organisation", "target": "target"}


def asked(found: Wants) -> tuple[str, ...]:
    """The recommendations that hold, the first ``MOST`` of them."""
    return tuple(name for name, holds in ASKED if holds(found))[:MOST]


def wants(context: Context) -> Wants:
    """What the rules of recommendations look at."""
    data, known, study = context.study.dataset, _usable(context), context.study
    own = _own_measures(context)
    result = getattr(study.headline, "result", None)
    return Wants(
        surveyed=len(known) > 0,
        missed=len(_missed(context)) > 0,
        assumed=bool(known["n_assumed"].any()),
        empty=data.doses_are != "input" or bool(_lacking(context)),
        unnamed=bool((own["lead_unit_zh"].eq("") | own["year_due"].isna()).any()),
        target=any(item.target["year"] > context.today for item in assessments(context)),
        conflicts=data.contradictions["region_code"].eq(context.code).any(),
        told=study.strongest is not None or (result is not None and result.verdict != "unknown"),
    )


def _missed(context: Context) -> pd.Series:
    """Surveys of the whole after the region's last."""
    waves, known = context.rates_of(context.whole)["wave"], _usable(context)["wave"]
    return waves[waves > known.iloc[-1]] if len(known) else waves[:0]


def _own_measures(context: Context) -> pd.DataFrame:
    """Measures of the region's own plan."""
    measures, origin = measures_of(context)
    return measures if origin == context.code else measures.iloc[:0]


def _lacking(context: Context) -> list[str]:
    """Domains of inputs in which no figure of the region stands."""
    held = {row["domain"] for row in first_told(context)}
    return [name for name in DOMAINS_TOLD[:4] if name not in held]


def requests(context: Context) -> tuple[Markup, ...]:
    """The recommendations, each with the office asked and the date."""
    return tuple(_request(context, name) for name in asked(wants(context)))


def _request(context: Context, name: str) -> Markup:
    """What is only to be written down is due by the middle of next year, all else by its end."""
    w = context.writer
    key, values = _details(context, name)
    text = w.t(f"ask.{key}", region=w.short(context.code), **values)
    title = Markup("<strong>{}</strong>").format(w.t(f"ask.{name}.title"))
    due = w.year(f"{context.today + 1}-{'06' if name in SOON else '12'}")
    return w.t("brief.request", what=title, text=text, office=_office(context, name), due=due)


def _details(context: Context, name: str) -> tuple[str, dict[str, object]]:
    """The key of a request's text, with the counts, years and names in it."""
    w = context.writer
    if name == "publish":
        years = [w.year(wave) for wave in _missed(context)]
        if len(years) > LISTED:
            return "publish.several", {"first": years[0], "last": years[-1]}
        return name, {"years": Markup(context.listed(years))}
    if name == "inputs":
        lacking, every = _lacking(context), DOMAINS_TOLD[:4]
        values = {"domains": _domains(context, every), "lacking": _domains(context, lacking)}
        return ("inputs.some" if 0 < len(lacking) < len(every) else name), values
    if name == "named":
        rows, _ = measures_of(context)
        counts = {"lead": rows["lead_unit_zh"].eq("").sum(), "late": rows["year_due"].isna().sum()}
        return name, w.numbers(f"brief.measures.{context.code}", all=len(rows), **counts)
    if name == "conflicts":
        rows = context.study.dataset.contradictions["region_code"].eq(context.code)
        return name, w.numbers(f"brief.conflicts.{context.code}", count=int(rows.sum()))
    return name, {}


def _domains(context: Context, names: Sequence[str]) -> str:
    """Domains of inputs in a row, as they stand within a sentence."""
    words = (str(context.writer.t(f"domain.{name}")) for name in names)
    return context.listed(word[:1].lower() + word[1:] for word in words)


def _office(context: Context, name: str) -> Markup:
    """The office that the region's own plan lets lead, else the one that holds the figures."""
    rows, w = _own_measures(context), context.writer
    units = rows["lead_unit_zh"][rows["domain"].eq(HELD_BY.get(name)) & rows["lead_unit_zh"].ne("")]
    if units.empty:
        return w.t(f"office.{name}")
    # The one named most often; of several, the first in the document.
    return Markup("{}").format(w.organisations(units.value_counts(sort=False).idxmax()))


def _cautions(context: Context, known: pd.DataFrame) -> tuple[Markup, ...]:
    """The three that bear most on what the brief says, in a fixed order."""
    w, data, waves = context.writer, context.study.dataset, known["wave"]
    first, last = (waves.iloc[0], waves.iloc[-1]) if len(waves) else (0, 0)
    breaks = [year for year, _ in context.breaks if first < year <= last]
    held = (
        ("assumed", known["n_assumed"].any(), {}),
        ("break", breaks, {"years": Markup(context.listed(map(w.year, breaks)))}),
        ("flagged", any(item.status == "flagged" for item in assessments(context)), {}),
        ("old", 0 < last < context.today - 1, {"year": w.year(last)}),
        ("parent", known.empty, {"parent": w.name(context.surveyed_above)}),
        ("proxy", data.doses_are != "input" and mostly_assumed(context), {}),
        ("sources", True, {}),
        ("cause", True, {}),
        ("error", True, {}),
    )
    return tuple(w.t(f"caution.{name}", **values) for name, holds, values in held if holds)[
        :CAUTIONS
    ]


def lines(context: Context) -> list[str]:
    """Headline and recommendations as plain text, for who reads those of all regions at once."""
    parts = (told(context), *requests(context))
    return [" ".join(Markup(part).striptags().split()) for part in parts]
