"""The commands ``kepu design``: candidates compared, one drawn by lot, its data held against it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date as day
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import KepuError, shown
from evaluation.batch.options import DATA, JSON_TABLE, START, Language, show
from evaluation.batch.options import dataset as dataset_of

PLAN, ROSTER, ACCEPTED = "design.yml", "list.xlsx", "accepted.txt"
LARGEST = 4_000_000  # bytes of a design or of a table of units


app = typer.Typer(
    invoke_without_command=True,
    no_args_is_help=False,
    help="Compare designs that could tell; draw one by lot; hold its data against it.",
)
REGION = Annotated[str, typer.Option(help="Region whose units are dealt.  [default: the first]")]
LEVEL = Annotated[str, typer.Option(help="Level of the units.  [default: the finest listed]")]
UNITS = Annotated[int, typer.Option(min=0, help="Number of units.  [default: those listed]")]
EFFECT = Annotated[float, typer.Option(min=0, help="Smallest effect worth knowing, points.")]
WAVES = Annotated[str, typer.Option(help="Feasible numbers of survey waves.")]
ASKED = Annotated[str, typer.Option(help="Feasible respondents in each unit and wave.")]
YEARS = Annotated[float, typer.Option(min=0.1, max=50, help="Years between two waves.")]
BUDGET = Annotated[float | None, typer.Option(min=0, help="For survey and programme together.")]
INTERVIEW = Annotated[float | None, typer.Option(min=0, help="Cost of one interview.")]
PROGRAMME = Annotated[float | None, typer.Option(min=0, help="Cost of the programme in a unit.")]
COMPLIANCE = Annotated[float, typer.Option(min=0.01, max=1, help="Take-up by encouragement.")]
MATCHED = Annotated[float, typer.Option(min=0, max=0.99, help="Differences that pairs take out.")]
TARGET = Annotated[float, typer.Option(min=0.1, max=0.99, help="Power asked for.")]
SIMS = Annotated[int, typer.Option(min=0, max=100_000, help="Simulated panels; 0: by formula.")]
SEEDS = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the simulations.")]
WORKERS = Annotated[int, typer.Option(min=1, max=256, help="Processes.")]
BASELINE = Annotated[Path | None, typer.Option(help="YAML: rate, icc, autocorrelation, …")]
LANGUAGE = Annotated[Language, typer.Option(help="Language of the screen.")]
OUT = Annotated[Path | None, typer.Option(help="Folder for list, protocol and design.")]
CHOOSE = Annotated[str, typer.Option(help="Design drawn, kind:waves:asked.  [default: proposed]")]
LOT = Annotated[int, typer.Option(min=0, help="Published seed of the lot; needed with --out.")]
DATE = Annotated[str, typer.Option(help="Day of the draw, YYYY-MM-DD.  [default: today]")]
FIRST = Annotated[int, typer.Option(help="Year of the first wave; needed with --out.")]
BALANCE = Annotated[str, typer.Option(help="Indicators or columns to balance, by commas.")]
TABLE = Annotated[Path | None, typer.Option(help="CSV of the units: code, name, stratum, …")]


@app.callback()
def compare(
    context: typer.Context,
    region: REGION = "", level: LEVEL = "", units: UNITS = 0, effect: EFFECT = 0.0,
    waves: WAVES = "2,3,4,5", respondents: ASKED = "200,400,700", years: YEARS = 1.0,
    budget: BUDGET = None, interview: INTERVIEW = None, programme: PROGRAMME = None,
    compliance: COMPLIANCE = 0.5, matched: MATCHED = 0.5, target: TARGET = 0.8,
    sims: SIMS = 1000, seed: SEEDS = START, workers: WORKERS = 2, baseline: BASELINE = None,
    language: LANGUAGE = Language.en, json_: JSON_TABLE = False, data: DATA = None, out: OUT = None,
    choose: CHOOSE = "", lot: LOT = 0, date: DATE = "", first: FIRST = 0, balance: BALANCE = "",
    table: TABLE = None,
) -> None:  # fmt: skip
    """Compare designs that could tell; with --out draw the list and write the protocol."""
    if context.invoked_subcommand is not None:
        return
    if out is not None and not (lot and first):
        raise KepuError("A list needs --lot, its published seed, and --first, its first year.")
    dataset = dataset_of(data)
    frame = _listed(dataset, region, level, table, _words(balance))
    possible = {
        "years": years, "waves": _numbers(waves, "waves"), "budget": budget,
        "respondents": _numbers(respondents, "respondents"), "interview": interview,
        "programme": programme, "compliance": compliance, "matched": matched, "target": target,
    }  # fmt: skip
    question, origin = _question(dataset, frame, units, effect, possible)
    known = _known(dataset, question, baseline, seed)
    found = _compared(question, known, sims, seed, workers)
    if json_:
        typer.echo(json.dumps([_record(each) for each in found], allow_nan=False))
    else:
        _show(dataset, question, known, found, origin, language.value)
    if out is not None:
        taken = _chosen(question, known, found, choose)
        drawn = {"seed": lot, "date": date or day.today().isoformat(), "first": first,
                 "balance": _words(balance)}  # fmt: skip
        _write(dataset, _drawn(question, known, taken, frame, drawn), out)


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]


def _numbers(text: str, name: str) -> tuple[int, ...]:
    parts = _words(text)
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise KepuError(f"--{name} is '{text}'; write whole numbers separated by commas.")
    return tuple(map(int, parts))


@dataclasses.dataclass(frozen=True)
class _Listed:
    """The units that are there: of which region and level, and their table if they have one."""

    region: str
    level: str
    table: Any


def _listed(dataset: Any, region: str, level: str, table: Path | None, balance: list) -> _Listed:
    from evaluation.data.slices import code_of
    from evaluation.evidence.design import candidates, plan

    first = dataset.regions.loc[dataset.regions["parent_code"] == dataset.whole, "code"].iloc[0]
    region = code_of(dataset, region) if region else str(first)
    level = level or candidates.finest(dataset, region)
    if level not in set(dataset.levels["level"]):
        known = ", ".join(dataset.levels["level"])
        raise KepuError(f"levels.csv has no level '{level}'; known: {known}.")
    if table is not None:
        return _Listed(region, level, _read(table))
    codes = candidates.below(dataset, region).get(level, [])
    return _Listed(region, level, plan.units_of(dataset, codes, balance) if codes else None)


def _read(path: Path) -> Any:
    """A table of units; codes stay text."""
    import io

    import pandas as pd

    from evaluation.base import files

    text = files.read_text(path, LARGEST)
    try:
        return pd.read_csv(io.StringIO(text), dtype={"code": str, "name": str, "stratum": str})
    except ValueError as error:
        raise KepuError(f"{shown(path)} is no table of units ({error}) — correct it") from None


def _question(
    dataset: Any, listed: _Listed, units: int, effect: float, possible: dict[str, Any]
) -> tuple[Any, tuple[float, float] | None]:
    """What is asked, and where an effect that nobody stated comes from: a year's, and years."""
    from evaluation.evidence.design import candidates

    number = units or (0 if listed.table is None else len(listed.table))
    if not number:
        raise KepuError(f"{listed.region} has no units of level '{listed.level}'; state --units.")
    origin = None
    if not effect:
        span = (max(max(possible["waves"]) - 1, 1)) * possible["years"]
        effect = candidates.smallest(dataset, span)
        origin = effect / span, span
    question = candidates.Question(listed.region, listed.level, number, effect, **possible)
    return question, origin


def _known(dataset: Any, question: Any, baseline: Path | None, seed: int) -> Any:
    from evaluation.base import files
    from evaluation.evidence.design import candidates

    if baseline is not None:
        return candidates.from_record(files.read_yaml(baseline), seed)
    return candidates.from_package(dataset, question.region, question.level, question.years, seed)


def _compared(question: Any, known: Any, sims: int, seed: int, workers: int) -> list[Any]:
    from evaluation.evidence.design import candidates

    found = candidates.shortlist(candidates.compare(question, known), question.target)
    if not sims:
        return found
    with _progress(sims * len(found)) as watch:
        return candidates.simulated(
            found, known, question.effect, sims=sims, seed=seed, workers=workers, watch=watch
        )


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """A bar on standard error, at a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = BarColumn(24), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.advance(task, done)


def _record(each: Any) -> dict[str, Any]:
    own = dataclasses.asdict(each.assessed)
    if own["freedom"] == float("inf"):
        own["freedom"] = None
    rest = ("low", "high", "locks", "interviews", "treated", "survey_cost", "programme_cost",
            "years", "affordable")  # fmt: skip
    simulated = None if each.simulated is None else dataclasses.asdict(each.simulated)
    return {
        "design": each.layout.kind, "waves": each.layout.periods,
        "respondents": each.setting.respondents, **own, "detectable": each.detectable,
        **{name: getattr(each, name) for name in rest}, "simulated": simulated,
    }  # fmt: skip


def _show(
    dataset: Any, question: Any, known: Any, found: list[Any], origin: Any, language: str
) -> None:
    from evaluation.evidence.design import candidates
    from evaluation.report import planner
    from evaluation.report.page import Writer

    w = Writer(dataset, language)

    def say(key: str, **values: object) -> None:
        typer.echo(w.t(key, **values).striptags())

    if dataset.simulated:
        say("speak.simulated")
    names = {"region": w.name(question.region), "count": f"{question.units:,}"}
    names["level_units"] = w.level(question.level, several=True)
    say("design.cli.question", effect=f"{question.effect:g}", **names)
    if origin is not None:
        say("design.cli.declared", stated=f"{origin[0]:g}", span=f"{origin[1]:g}")
    show(*planner.candidate_rows(found, w))
    say("design.cli.locks")
    best = candidates.best(found, question.target)
    said = {
        "kind": w.t(f"design.kind.{best.layout.kind}"), "waves": str(best.layout.periods),
        "respondents": f"{best.setting.respondents:,}", "target": f"{question.target:.0%}",
        "detectable": f"{best.detectable:.2f}",
    }  # fmt: skip
    say("design.cli.best" if best.found >= question.target else "design.cli.none", **said)
    if dear := dict.fromkeys(x.layout.kind for x in found if x.affordable is False):
        say("design.cli.budget", kinds=w.series(w.t(f"design.kind.{kind}") for kind in dear))
    say("design.cli.rests")
    rows = candidates.rests_on(question, known, {each.layout.kind for each in found})
    for line in planner.assumption_lines(rows, w):
        typer.echo(f"  {line}")


def _chosen(question: Any, known: Any, found: list[Any], choose: str) -> Any:
    """The candidate to draw: the one proposed, or that of kind, waves and respondents."""
    from evaluation.evidence.design import candidates

    if not choose:
        return candidates.best(found, question.target)
    kind, _, rest = choose.partition(":")
    waves, _, asked = rest.partition(":")
    for each in [*found, *candidates.compare(question, known)]:
        own = each.layout.kind, str(each.layout.periods), str(each.setting.respondents)
        if own == (kind, waves, asked):
            return each
    raise KepuError(f"No candidate '{choose}'; write kind:waves:asked, as stepped:4:400.")


def _drawn(question: Any, known: Any, taken: Any, listed: _Listed, drawn: dict[str, Any]) -> Any:
    """The plan of a candidate, its units dealt with the published seed."""
    from evaluation.evidence.design import plan, randomise

    if listed.table is None or len(listed.table) != question.units:
        raise KepuError(
            f"A list needs the {question.units} units by code: add them to regions.csv, or name "
            "a file of them with --table."
        )
    strata = "stratum" if "stratum" in listed.table else None
    given = randomise.units(listed.table, strata, drawn["balance"])
    if taken.layout.kind == "pairs":
        given, left = randomise.paired(given)
        if left:
            typer.echo(f"without a partner, left out: {', '.join(left)}", err=True)
    dealt = randomise.draw(given, taken.layout, drawn["seed"], drawn["date"])
    gap = question.years
    waves = [round(drawn["first"] + gap * place) for place in range(taken.layout.periods)]
    return plan.chosen(question, taken, dealt, waves, known)


# ------------------------------------------------------------------------------------------
# The folder of a design: written once.


def _write(dataset: Any, plan: Any, out: Path) -> None:
    """Design, list and protocol; a list that stands there is kept."""
    import yaml

    from evaluation.base import files
    from evaluation.report import planner
    from evaluation.report.html import write

    record, place = plan.record(), out / PLAN
    if place.exists():
        from evaluation.evidence.design.randomise import refuse_another

        before = files.read_yaml(place, LARGEST)
        refuse_another(before.get("assignment", {}), record["assignment"])
    text = yaml.safe_dump(record, allow_unicode=True, sort_keys=False)
    # The permutation set: a deal a line, the group of each unit in the order of the list.
    deals = (" ".join(str(group + 1) for group in deal) for deal in plan.allocation.accepted)
    made = {PLAN: text.encode(), ACCEPTED: ("\n".join(deals) + "\n").encode()}
    for language in ("zh", "en"):
        page = planner.sheet(plan, dataset, language)
        for name, parts in (("protocol", planner.protocol(page)), ("list", planner.roster(page))):
            notebook = planner.notebook(parts, language, record["assignment"]["date"])
            for kind, content in write(notebook, language, simulated=dataset.simulated).items():
                made[f"{name}.{language}.{kind}"] = content
    made[ROSTER] = _workbook(planner.sheet(plan, dataset, "zh"))
    with files.written(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (out / name).write_bytes(content)
    typer.echo(f"{len(made)} files written to {shown(out)}")


def _workbook(page: Any) -> bytes:
    """The list as an Excel file; heads in both languages."""
    import io

    import xlsxwriter

    from evaluation.base.text import t

    buffer = io.BytesIO()
    plain = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(buffer, plain)
    sheet, head = book.add_worksheet("list"), book.add_format({"bold": True, "bg_color": "#DDEBF7"})
    names = ("code", "region", "stratum", "group", "begins")
    for column, name in enumerate(names):
        both = " / ".join(str(t(f"column.{name}", language)) for language in ("zh", "en"))
        sheet.write_string(0, column, both, head)
    starts = page.plan.starts()
    for number, row in enumerate(page.plan.allocation.table(page.plan.layout).itertuples(), 1):
        for column, text in enumerate((row.code, row.name, row.stratum)):
            sheet.write_string(number, column, text)
        sheet.write_number(number, 3, row.group)
        if starts[row.code]:
            sheet.write_number(number, 4, starts[row.code])
    sheet.write_string(number + 2, 0, str(page.writer.t("protocol.signature")))
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, len(names) - 1, 18)
    book.close()
    return buffer.getvalue()


# ------------------------------------------------------------------------------------------
# ``kepu design check`` and ``kepu design sample``.


DESIGN = Annotated[Path, typer.Argument(metavar="DESIGN.yml", help="A design as it was written.")]
STARTS = Annotated[Path | None, typer.Option(help="CSV of code and start: when units began.")]


@app.command()
def check(
    design: DESIGN, starts: STARTS = None, data: DATA = None, language: LANGUAGE = Language.en
) -> None:
    """Say where the data depart from a design; where none is missing, analyse them as planned."""
    from evaluation.base import files
    from evaluation.base.text import chance
    from evaluation.evidence.design import plan
    from evaluation.report import planner
    from evaluation.report.page import Writer
    from evaluation.survey import panel

    own = plan.from_record(files.read_yaml(design, LARGEST))
    dataset = dataset_of(data)
    w = Writer(dataset, language.value)
    rates = panel.rates(dataset).rename(columns={"region_code": "code"})
    rates = rates.assign(n=rates["n"].mask(rates["n_assumed"]))
    begun = None if starts is None else _started(_read(starts), starts)
    found = plan.departures(own, rates, begun)
    for line in planner.departure_lines(found, w):
        typer.echo(line)
    if any(each.kind == "no_survey" for each in found):
        typer.echo(w.t("design.cli.incomplete").striptags())
        return
    result = plan.analyse(own, rates[rates["code"].isin(own.allocation.units.codes)])
    values = {"estimate": f"{result.estimate:+.2f}", "p": chance(result.p).removeprefix("= "),
              "deals": f"{result.deals:,}"}  # fmt: skip
    typer.echo(w.t("design.cli.analysed", **values).unescape())


def _started(table: Any, path: Path) -> dict[str, int]:
    import pandas as pd

    if not {"code", "start"} <= set(table):
        raise KepuError(f"{shown(path)} needs the columns code and start — add them")
    years = pd.to_numeric(table["start"], errors="coerce").fillna(0).astype(int)
    return dict(zip(table["code"].astype(str), years, strict=True))


RATE = Annotated[float, typer.Option(help="Expected share, percent.")]
MARGIN = Annotated[float, typer.Option(help="Half-width of the 95 % interval, points.")]
TAKE = Annotated[float, typer.Option(help="Respondents in a neighbourhood or village.")]
WITHIN = Annotated[float, typer.Option(help="Correlation of answers within one.")]
WEIGHTING = Annotated[float, typer.Option(help="Factor of unequal weights.")]
RESPONSE = Annotated[float, typer.Option(help="Share of those asked who answer.")]
VISIT = Annotated[float | None, typer.Option(help="Cost of reaching a neighbourhood.")]
GROUP = Annotated[list[str] | None, typer.Option(help="Key group and its share: farmers=0.3.")]
GROUP_MARGIN = Annotated[float | None, typer.Option(help="Margin of key groups, points.")]


@app.command()
def sample(
    region: REGION = "", level: LEVEL = "", rate: RATE = 10.0, margin: MARGIN = 2.0,
    take: TAKE = 15.0, icc: WITHIN = 0.05, weighting: WEIGHTING = 1.0, response: RESPONSE = 1.0,
    visit: VISIT = None, interview: INTERVIEW = None, group: GROUP = None,
    group_margin: GROUP_MARGIN = None, language: LANGUAGE = Language.en, data: DATA = None,
) -> None:  # fmt: skip
    """Say how many people to ask in each region for a margin there and in each key group."""
    from evaluation.evidence.design import sample as sampling
    from evaluation.report.page import Writer

    survey = sampling.Survey(
        rate, margin, take=take, icc=icc, weighting=weighting, response=response, visit=visit,
        interview=interview,
    )  # fmt: skip
    groups = dict(_share(text) for text in group or [])
    dataset = dataset_of(data)
    listed = _listed(dataset, region, level, None, [])
    if listed.table is None:
        raise KepuError(f"{listed.region} has no units of level '{listed.level}' in regions.csv.")
    people = _adults(dataset, list(listed.table["code"]))
    found = sampling.by_domain(survey, people, groups, group_margin)
    w = Writer(dataset, language.value)
    names = ("domain_name", "needed", "asked", "primary", "binding", "margins", "total_cost")
    head = [w.t(f"column.{name}").striptags() for name in names]
    show(head, [_domain(each, w) for each in found])
    values = {"rate": f"{rate:g}", "margin": f"{margin:g}", "effect": f"{survey.design_effect:.2f}"}
    typer.echo(w.t("sample.rests", **values).striptags())


def _share(text: str) -> tuple[str, float]:
    name, _, share = text.partition("=")
    try:
        return name.strip(), float(share)
    except ValueError:
        raise KepuError(f"--group is '{text}'; write a name and its share, farmers=0.3.") from None


def _adults(dataset: Any, codes: list[str]) -> dict[str, float]:
    """Adults of each region by its latest population, infinite where none is published."""
    from evaluation.data.package import PEOPLE, by_year

    factor = dataset.units.set_index("unit")["factor"]
    unit = dataset.indicators.set_index("indicator")["unit"].get(PEOPLE)
    latest = by_year(dataset, PEOPLE).groupby("region_code")["value"].last()
    share = dataset.assumed("adult_share")
    scale = float(factor[unit]) * (share or 100.0) / 100 if unit else 1.0
    return {code: float(latest[code]) * scale if code in latest else float("inf") for code in codes}


def _domain(each: Any, w: Any) -> list[str]:
    everyone = w.t("sample.everyone").striptags()
    margins = "; ".join(f"{name or everyone} {value:.1f}" for name, value in each.margins.items())
    cost = each.sample.cost
    return [
        w.short(each.name), f"{each.sample.respondents:,}", f"{each.sample.asked:,}",
        f"{each.sample.primary:,}", each.binding or everyone, margins,
        w.t("design.unstated").striptags() if cost is None else f"{cost:,.0f}",
    ]  # fmt: skip


def register(parent: typer.Typer) -> None:
    """Add the commands of this file."""
    parent.add_typer(app, name="design")
