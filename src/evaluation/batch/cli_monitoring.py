"""The commands of an officer's year: index, track, assess, blank and calendar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from evaluation.base.errors import KepuError, shown
from evaluation.batch.options import Language

DATA = Annotated[Path, typer.Option(help="Folder of the data package.")]
LANGUAGE = Annotated[Language, typer.Option(help="Language of what is shown.")]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")]
NAME = Annotated[str, typer.Argument(help="Index of composites.csv.  [default: the first]")]
SET = Annotated[str, typer.Option("--set", help="Region set that is compared.")]
YEAR = Annotated[int, typer.Option(min=0, help="Year.  [default: the last complete one]")]
DRAWS = Annotated[int, typer.Option(min=200, max=100_000, help="Draws of the choices.")]
SEED = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the draws.")]
ERROR = Annotated[float, typer.Option(min=0, max=0.99, help="Relative error of a figure.")]
APART = Annotated[bool, typer.Option("--inequality", help="How far regions are apart instead.")]
REGION = Annotated[str, typer.Argument(help="Region whose plan is tracked.")]
TODAY = Annotated[str, typer.Option(help="Day the board is of, YYYY-MM-DD.  [default: today]")]
UNIT = Annotated[str, typer.Option(help="Only what this body leads or takes part in.")]
GROUP = Annotated[str, typer.Option(help="Only what addresses this group.")]
DUE = Annotated[int, typer.Option(min=0, help="Only what is due by this year.")]
LATE = Annotated[bool, typer.Option("--overdue", help="Only what is overdue.")]
BARE = Annotated[bool, typer.Option("--no-evidence", help="Only what has no evidence.")]
OUT = Annotated[Path | None, typer.Option(help="New .xlsx or .docx with the form.")]
ITEM = Annotated[str, typer.Option(help="Measure or target an entry is added for.")]
STATUS = Annotated[str, typer.Option(help="not_started, under_way, done or given_up.")]
PERIOD = Annotated[str, typer.Option(help="Period, YYYY or YYYY-MM.")]
FACTS = Annotated[str, typer.Option(help="Evidence: ids of facts, by commas.")]
SOURCES = Annotated[str, typer.Option(help="Evidence: ids of sources, by commas.")]
SCORE = Annotated[str, typer.Option(help="Score of 100.")]
PERSON = Annotated[str, typer.Option(help="Who is responsible.")]
NEXT = Annotated[str, typer.Option(help="Day of the next entry, YYYY-MM-DD.")]
PROGRAMME = Annotated[str, typer.Argument(help="Programme, an id of programmes.csv.")]
PLACE = Annotated[str, typer.Argument(help="Region, its code.")]
OF_YEAR = Annotated[int, typer.Option("--year", min=0, help="Year the statistics are of.")]
BLANK = Annotated[Path | None, typer.Option(help="New .xlsx to fill in.")]
ANYWHERE = Annotated[str, typer.Argument(help="Region.  [default: due in all]")]
FROM = Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD.  [default: today]")]
YEARS = Annotated[int, typer.Option(min=1, max=30, help="Years that are shown.")]
ICS = Annotated[Path | None, typer.Option(help="New iCalendar file, .ics.")]
UNTIL = Annotated[str, typer.Option(help="End of the period meant.  [default: the last]")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("index")(index)
    app.command("track")(track)
    app.command("assess")(assess)
    app.command("blank")(blank)
    app.command("calendar")(calendar)


def index(
    name: NAME = "",
    regions: SET = "provinces",
    year: YEAR = 0,
    draws: DRAWS = 2000,
    seed: SEED = 20250101,
    error: ERROR = 0.05,
    inequality: APART = False,
    language: LANGUAGE = Language.en,
    json_: JSON = False,
    data: DATA = Path("data"),
) -> None:
    """Show the range of places each region takes in a composite index, over all ways to make it."""
    from evaluation.base.text import t
    from evaluation.batch import making
    from evaluation.data.package import load
    from evaluation.targets import index as composite

    dataset = load(data)
    codes = composite.members(dataset, regions)
    name = name or next(iter(dataset.composites["index"]), "")
    given = composite.figures(dataset, name, codes, year or None)
    if inequality:
        _apart(dataset, given, name, language.value, json_)
        return
    found = composite.rank_intervals(given, name, draws=draws, seed=seed, error=error)
    if json_:
        told = {"index": name, "year": found.year, "proxies": found.proxies, "draws": draws,
                "seed": seed, "simulated": dataset.simulated, "left_out": list(given.left),
                "ranks": found.frame.to_dict("records"),
                "sensitivity": found.sensitivity.to_dict("records")}  # fmt: skip
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False))
        return
    if dataset.simulated:
        typer.echo(t("speak.simulated", language.value))
    typer.echo(found.summary(language.value))
    names = dataset.regions.set_index("code")[f"name_{language.value}"]
    rows = [(names[row.region_code], f"{row.rank_low}–{row.rank_high}")
            for row in found.frame.itertuples()]  # fmt: skip
    heads = [
        str(t(f"column.{each}", language.value, level="95%"))
        for each in ("region", "rank_interval")
    ]
    making.console().print(making.table(heads, rows))


def _apart(dataset: Any, given: Any, name: str, language: str, json_: bool) -> None:
    """Print the Gini coefficient of each indicator, its parts in percent, and the convergence."""
    from evaluation.base.text import t
    from evaluation.batch import making
    from evaluation.targets import inequality

    found = inequality.apart(dataset, name, given.x.index.tolist(), given.year)
    if json_:
        told = {"index": name, "year": given.year, "simulated": dataset.simulated,
                "indicators": json.loads(found.to_json(orient="records"))}  # fmt: skip
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    labels = dataset.indicators.set_index("indicator")[f"label_{language}"]
    parts = found[["within", "between", "overlap"]].div(found["gini"], axis=0)
    columns = {
        "indicator": found["indicator"].map(labels), "gini": found["gini"].map("{:.2f}".format),
        **{f"gini_{each}": parts[each].map("{:.0%}".format) for each in parts},
        "cv_first": found["cv_first"].map("{:.2f}".format),
        "cv_last": found["cv_last"].map("{:.2f}".format),
        "beta": [f"{a:.1f} ({b:.1f} – {c:.1f})"
                 for a, b, c in found[["beta", "low", "high"]].to_numpy()],
    }  # fmt: skip
    if dataset.simulated:
        typer.echo(t("speak.simulated", language))
    typer.echo(t("index.gini.caption", language, year=given.year).unescape())
    heads = [str(t(f"column.{each}", language)) for each in columns]
    making.console().print(making.table(heads, list(zip(*columns.values(), strict=True))))
    for key in ("index.together", "index.untold.beta"):
        typer.echo(t(key, language).unescape())


def track(
    region: REGION,
    item: ITEM = "",
    status: STATUS = "",
    period: PERIOD = "",
    facts: FACTS = "",
    sources: SOURCES = "",
    score: SCORE = "",
    person: PERSON = "",
    next_date: NEXT = "",
    unit: UNIT = "",
    group: GROUP = "",
    due: DUE = 0,
    overdue: LATE = False,
    no_evidence: BARE = False,
    today: TODAY = "",
    out: OUT = None,
    language: LANGUAGE = Language.en,
    data: DATA = Path("data"),
) -> None:
    """Show what became of a plan's measures and targets; with --item and --status add an entry."""
    import datetime

    from evaluation.base.text import t
    from evaluation.data.package import load
    from evaluation.data.slices import code_of
    from evaluation.targets import forms, tracker

    today = today or datetime.date.today().isoformat()
    if item or status:
        entry = {"status": status, "period": period or today[:4], "recorded": today,
                 "score": score, "person": person, "next_date": next_date}  # fmt: skip
        _add(data, item, entry, {"fact_ids": facts, "source_id": sources})
    dataset, told = load(data), language.value
    rows = tracker.board(dataset, region := code_of(dataset, region), today)
    rows = tracker.filtered(rows, unit, group, due or None)
    rows = rows[rows["overdue"]] if overdue else rows
    rows = rows[~rows["evidenced"]] if no_evidence else rows
    name = dataset.regions.set_index("code").at[region, f"name_{told}"]
    counted = tracker.counts(rows)
    counts = {key: counted[key] for key in ("items", "overdue", "bare")}
    typer.echo(t("track.counts", told, region=name, day=today, **counts).unescape())
    _put(forms.plan(dataset, rows, region, told, today), out)


def _add(data: Path, item: str, entry: dict[str, str], evidence: dict[str, str]) -> None:
    """Append an entry to the package, or refuse it with the row."""
    from evaluation.data.office import write
    from evaluation.data.tables import read_files
    from evaluation.targets import tracker

    kind = "measure_id" if item.startswith("M") else "target_id"
    named = {name: text.replace(" ", "").replace(",", ";") for name, text in evidence.items()}
    made = tracker.recorded(read_files(data), {kind: item, **entry, **named})
    write.replace_all(data, made, last="progress.csv")


def _put(grid: Any, out: Path | None) -> None:
    """Show a form at the screen, or write it as its file's name asks."""
    from evaluation.batch import making
    from evaluation.targets import sheets

    if out is None:
        lines: dict[int, list[str]] = {}
        for cell in grid.cells:
            lines.setdefault(cell.row, []).append(cell.text)
        wide = [texts for texts in lines.values() if len(texts) == len(grid.widths)]
        making.console().print(making.table(wide[0], wide[1:]))
        return
    makers = {".xlsx": sheets.to_xlsx, ".docx": sheets.to_docx}
    if out.suffix.lower() not in makers:
        raise KepuError(f"{shown(out)}: name a file that ends with .xlsx or .docx")
    _new(out, makers[out.suffix.lower()]([grid]))


def _new(out: Path, content: bytes) -> None:
    """Write a file that is not there yet."""
    if out.exists():
        raise KepuError(f"{shown(out)} is there already — name a new file, or remove it")
    try:
        out.write_bytes(content)
    except OSError as error:
        raise KepuError(f"{shown(out)} cannot be written ({error.strerror})") from None
    typer.echo(shown(out))


def assess(
    programme: PROGRAMME,
    until: UNTIL = "",
    out: OUT = None,
    language: LANGUAGE = Language.en,
    data: DATA = Path("data"),
) -> None:
    """Score a programme against its objectives; where a figure is missing there is no total."""
    from evaluation.data.package import load
    from evaluation.targets import assess as scoring
    from evaluation.targets import forms

    dataset = load(data)
    made = scoring.assess(dataset, programme, until)
    _put(forms.programme(dataset, made, language.value), out)
    typer.echo(f"{made.total():.2f}")
    if made.unexplained:
        raise KepuError(f"{', '.join(made.unexplained)}: far from target without a reason")


def blank(
    region: PLACE,
    year: OF_YEAR = 0,
    out: BLANK = None,
    language: LANGUAGE = Language.en,
    json_: JSON = False,
    data: DATA = Path("data"),
) -> None:
    """Show which statistics a region has and who holds the rest; --out writes the blank to fill."""
    from evaluation.batch import making
    from evaluation.data.package import load
    from evaluation.data.slices import code_of
    from evaluation.targets import blank as statistics

    dataset, told = load(data), language.value
    region = code_of(dataset, region)
    if out is not None:
        if not 1990 <= year <= 2100:
            raise KepuError(
                "Say which year the statistics are of, from 1990 to 2100, as --year 2025."
            )
        typer.echo(shown(statistics.write(dataset, region, year, out, told)))
        return
    rows = statistics.completeness(dataset, region)
    if json_:
        typer.echo(rows.to_json(orient="records", force_ascii=False, indent=1))
        return
    typer.echo(statistics.summary(dataset, rows, region, told))
    table = [[str(text) for text in line] for line in statistics.lines(dataset, rows, told)]
    making.console().print(making.table(list(statistics.heads(told)), table))


def calendar(
    region: ANYWHERE = "",
    start: FROM = "",
    years: YEARS = 1,
    ics: ICS = None,
    language: LANGUAGE = Language.en,
    data: DATA = Path("data"),
) -> None:
    """Show what is due when, as documents state it; --ics writes it for a calendar program."""
    import datetime

    from evaluation.base.text import t
    from evaluation.batch import making
    from evaluation.data.package import load
    from evaluation.data.slices import code_of
    from evaluation.targets import calendar as due

    dataset, told = load(data), language.value
    start = start or datetime.date.today().isoformat()
    rows = due.dues(dataset, region and code_of(dataset, region), start, years)
    if ics is not None:
        if ics.suffix.lower() != ".ics":
            raise KepuError(f"{shown(ics)}: name a file that ends with .ics")
        _new(ics, due.to_ics(rows, told, start))
        return
    table = [
        (due.when(row, told), t(f"calendar.kind.{row['kind']}", told), row[f"title_{told}"],
         " ".join(filter(None, (row["source_id"], row[f"place_{told}"]))))
        for row in rows.to_dict("records")
    ]  # fmt: skip
    heads = [str(t(f"calendar.head.{each}", told)) for each in ("when", "kind", "what", "source")]
    making.console().print(making.table(heads, [[str(each) for each in row] for row in table]))
