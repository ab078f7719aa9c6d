"""Bring an office's figures into a data package: what would change, then all or nothing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path

import pandas as pd

from evaluation.base.errors import DataError, KepuError, Violation, shown
from evaluation.base.files import MEGABYTE, read_text
from evaluation.data import contract, package, plausible, rules
from evaluation.data.office import blank, cells, layout, propose, vocabulary, write
from evaluation.data.office.layout import Meaning, Raw, Read
from evaluation.data.office.vocabulary import Units, normal
from evaluation.data.office.write import appended, guarded, lines, unguarded
from evaluation.data.tables import (
    MAPPING,
    REFUSED,
    Files,
    files_of,
    package_hash,
    read_descriptor,
    read_files,
)

Identity = tuple[str, ...]
IDENTITY = ["region_code", "period_start", "period_end", "indicator", "series", "group", "kind"]
SMALL = re.compile(r"0?\.\d+|[01](?:\.0+)?")  # a number from nought to one
NEW, CHANGED, SAME = "new", "changed", "same"
EMPTY = "no rows"  # what the contract says of a table without rows, as those of a new package


@dataclass(frozen=True)
class Options:
    """How files are taken in.

    ``organisation``, ``date`` and ``grade`` describe the files as sources; ``mapping`` replaces
    the mapping file of the package; ``implausible``: figures that look implausible are taken too.
    """

    organisation: str = ""
    date: str = ""
    grade: str = "B"
    mapping: Path | None = None
    implausible: bool = False


@dataclass(frozen=True)
class Refused:
    """One cell or row that is not taken, the rule it breaks and what to do."""

    file: str
    sheet: str
    row: int
    column: str
    text: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        sheet = f", sheet {shown(self.sheet)}" if self.sheet else ""
        column = f", column {shown(self.column)}" if self.column else ""
        return f"{self.file}{sheet}, row {self.row}{column}: {self.rule} — {self.remedy}"


@dataclass(frozen=True)
class Incoming:
    """One figure of a file on its way into the package; ``before`` is the value it replaces."""

    file: str
    source: str
    sheet: str
    raw: Raw
    value: vocabulary.Reading
    unit: str
    kind: str
    status: str = NEW
    fact_id: str = ""
    before: str = ""

    @property
    def title(self) -> str:
        """Title of its source: the file, or the document whose figures the file lists."""
        return self.raw.told.document if self.raw.told else self.file

    @property
    def identity(self) -> tuple[str, ...]:
        raw, (start, end) = self.raw, self.raw.period
        return raw.region, start, end, raw.indicator, raw.indicator, "", self.kind


@dataclass
class Preview:
    """What an import would do; :func:`evaluation.data.office.write.replace_all` does it.

    ``figures`` holds those that are new or changed, ``same`` counts those already there,
    ``mapping`` is the mapping with new rows, ``asked`` the names nobody knows, by file and sheet,
    ``tables`` names what else is added, ``files`` is the package as it would be.
    """

    folder: Path
    hash: str
    figures: list[Incoming] = field(default_factory=list)
    same: int = 0
    refused: list[Refused] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    mapping: list[Row] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def asked(self) -> list[tuple[str, str, str, str, list[str]]]:
        """Questions as file, sheet, kind, text and suggestions."""
        return [
            (read.sheet.file, read.sheet.name, kind, text, like)
            for read in self.reads
            for (kind, text), like in read.asked.items()
        ]

    @property
    def certain(self) -> bool:
        """Whether nothing of the files was refused or not understood."""
        return not self.refused and not self.asked

    def count(self, status: str) -> int:
        return sum(figure.status == status for figure in self.figures)


def prepare(books: Sequence[cells.Book], folder: Path, options: Options | None = None) -> Preview:
    """Say what files would change in the package at ``folder``; writes nothing.

    Raises
    ------
    DataError : the package breaks its contract, or the mapping is no mapping of this package.
    """
    options = options or Options()
    files = read_files(folder)
    before = contract.read(files)
    # A package that breaks its contract takes nothing in, but it may be empty.
    if faults := [v for v in contract.breaches(before) if v.rule != EMPTY]:
        raise DataError(faults)
    preview = Preview(folder, files.hash)
    own = options.mapping or folder / MAPPING
    rows = read_mapping(own)
    meaning, stated = _meaning(before, own, rows)
    own_indicators = before.tables["indicators"]
    units = {key: row["unit"] for key, row in _standard().items()}
    units |= dict(zip(own_indicators["indicator"], own_indicators["unit"], strict=True))
    surveyed = _surveyed(before)
    for book in books:
        for sheet in book.sheets:
            read = _reader(sheet)(sheet, meaning)
            preview.reads.append(read)
            _figures(book, read, meaning, stated, units, surveyed, preview)
        if book.hidden:
            preview.reads[-1].passed.append(f"hidden sheets are left out: {', '.join(book.hidden)}")
    preview.mapping = completed(rows, preview.reads)
    _once(preview)
    _graded(preview, before)
    _within(preview, before)
    _compare(preview, before)
    _admit(preview, before, files, books, options)
    return preview


def _reader(sheet: cells.Sheet):
    if blank.is_blank(sheet):
        return blank.read
    return propose.accepted if propose.is_decided(sheet) else layout.read


def _surveyed(before: contract.Package) -> set[str]:
    """The outcome, and what else the sample survey asks."""
    told = before.tables["statistics"]
    return {rules.subject_of(before.tables, "outcome"),
            *told.loc[told["group"] == "outcome", "indicator"]}  # fmt: skip


def _meaning(before: contract.Package, path: Path, rows: list[Row]):
    """What names mean in this package, and units a person stated for columns."""
    regions, indicators = before.tables["regions"], before.tables["indicators"]
    own, standard = before.tables["units"], pd.DataFrame(vocabulary.table("units"))
    lacking = standard[~standard["unit"].isin(own["unit"])]
    units = vocabulary.Units(pd.concat([own, lacking]).fillna(""))
    known = {
        "region": set(regions["code"]),
        "indicator": {*indicators["indicator"], *_standard()},
    }
    meanings, stated = decided(path, rows, known, units)
    names = {
        "region": vocabulary.region_names(regions),
        "indicator": vocabulary.indicator_names(indicators),
    }
    whole = regions.loc[regions["parent_code"] == "", ["name_zh", "name_en", "short_zh"]]
    held = before.tables["sources"][["source_id", "title"]].itertuples(index=False, name=None)
    sources = {normal(text): (key, title) for key, title in held for text in (key, title)
               if text}  # fmt: skip
    meaning = Meaning(names, units, meanings, _inside(regions), whole.to_numpy().ravel(), sources)
    return meaning, stated


def _standard() -> dict[str, dict[str, str]]:
    return {row["indicator"]: row for row in vocabulary.table("vocabulary")}


def _inside(regions: pd.DataFrame) -> dict[str, frozenset[str]]:
    """Codes of all regions below each."""
    parents = dict(zip(regions["code"], regions["parent_code"], strict=True))
    found: dict[str, set[str]] = {}
    for code in parents:
        for above in rules.ancestors(parents, code):
            found.setdefault(above, set()).add(code)
    return {code: frozenset(below) for code, below in found.items()}


# ------------------------------------------------------------------------------------------
# From cells to figures.


def _figures(
    book: cells.Book, read: Read, meaning: Meaning, stated, units, surveyed, preview: Preview
):
    """Convert the cells of one sheet; those that cannot be are refused."""
    source = book.source_id
    doubtful = _fractions(read, units)
    sheet = read.sheet
    for row, column, text, rule, remedy in read.refused:
        header = cells.place(sheet, row, column).rpartition("cell ")[2]
        preview.refused.append(Refused(sheet.file, sheet.name, row + 1, header, text, rule, remedy))
    for raw in read.raws:
        form = vocabulary.normal(raw.header)
        unit = stated.get((sheet.name, "indicator", form)) or stated.get(("", "indicator", form))
        target = units[raw.indicator]
        try:
            if raw.column in doubtful and unit is None:
                raise vocabulary.NoFigure(*doubtful[raw.column])
            value = vocabulary.figure(raw.text, unit or raw.unit, target, meaning.units)
        except vocabulary.NoFigure as fault:
            preview.refused.append(_refusal(sheet, raw, fault.rule, fault.remedy))
            continue
        kind = "survey" if raw.indicator in surveyed else "statistic"
        own, kind = (raw.told.source, raw.told.kind or kind) if raw.told else (source, kind)
        preview.figures.append(Incoming(book.name, own, sheet.name, raw, value, target, kind))


def _fractions(read: Read, units: dict[str, str]) -> dict[int, tuple[str, str]]:
    """Columns of a share in percent all of whose figures are at most one, without a unit."""
    plain: dict[int, list[str]] = {}
    for raw in read.raws:
        if units[raw.indicator] == plausible.SHARE and raw.unit is None:
            plain.setdefault(raw.column, []).append(raw.text)
    rule = "all figures of the column are at most 1: they may be fractions and not percent"
    remedy = "write % into the header, or % or fraction as its unit into the mapping"
    return {
        column: (rule, remedy)
        for column, texts in plain.items()
        if len(texts) > 1 and all(SMALL.fullmatch(text) for text in texts)
    }


def _refusal(sheet: cells.Sheet, raw: Raw, rule: str, remedy: str) -> Refused:
    letters = cells.place(sheet, raw.row, raw.column).rpartition("cell ")[2].rstrip("0123456789")
    column = f"{letters} ({raw.header})" if raw.header else letters
    return Refused(sheet.file, sheet.name, raw.row + 1, column, raw.text, rule, remedy)


def _once(preview: Preview) -> None:
    """Keep one of several equal figures; refuse all of those that differ."""
    groups: dict[tuple[str, ...], list[Incoming]] = {}
    for figure in preview.figures:
        groups.setdefault(figure.identity, []).append(figure)
    kept = []
    for group in groups.values():
        if len({Decimal(figure.value.value) for figure in group}) == 1:
            kept.append(group[0])
            continue
        there = "; ".join(
            f"{f.file} {cells.place(_sheet(preview, f), f.raw.row, f.raw.column)}: {f.raw.text}"
            for f in group[:4]
        )
        rule = f"different figures for one region, period and indicator ({there})"
        for figure in group:
            preview.refused.append(
                _refusal(_sheet(preview, figure), figure.raw, rule, "keep the right one")
            )
    preview.figures = kept


def _graded(preview: Preview, before: contract.Package) -> None:
    """Refuse figures that give a source another grade than it has."""
    sources = before.tables["sources"]
    known = dict(zip(sources["source_id"], sources["grade"], strict=True))
    kept = []
    for figure in preview.figures:
        grade = figure.raw.told.grade if figure.raw.told else ""
        if not grade or known.setdefault(figure.source, grade) == grade:
            kept.append(figure)
            continue
        rule = f"grade {grade} for a source that has {known[figure.source]}: {figure.title}"
        remedy = "give a source one grade"
        preview.refused.append(_refusal(_sheet(preview, figure), figure.raw, rule, remedy))
    preview.figures = kept


def _within(preview: Preview, before: contract.Package) -> None:
    """Refuse a part above its whole, or a whole below a part, of the files or of the package."""
    told = before.tables["statistics"]
    whole = dict(zip(told["indicator"], told["part_of"], strict=True))
    parts = told.loc[told["part_of"] != ""].groupby("part_of")["indicator"].agg(list).to_dict()
    wanted: set[str] = set()
    for figure in preview.figures:
        name = figure.raw.indicator
        wanted |= {whole.get(name, ""), *parts.get(name, ())}
    facts = before.tables["facts"]
    facts = facts[facts["indicator"].isin(wanted) & (facts["group"] == "")]
    facts = facts[facts["kind"].isin(("statistic", "survey"))]
    keys = facts[["region_code", "period_start", "period_end", "indicator"]]
    known = dict(zip(keys.itertuples(index=False, name=None), facts["value"], strict=True))

    def key(raw: Raw, indicator: str) -> tuple[str, ...]:
        return raw.region, raw.period.start, raw.period.end, indicator

    known |= {key(f.raw, f.raw.indicator): f.value.value for f in preview.figures}
    new, kept = {key(f.raw, f.raw.indicator) for f in preview.figures}, []
    for figure in preview.figures:
        own, name = figure.raw.indicator, whole.get(figure.raw.indicator, "")
        most, value = known.get(key(figure.raw, name)), Decimal(figure.value.value)
        held = {part: key(figure.raw, part) for part in parts.get(own, ())}
        # A part that is new as well is refused itself.
        above = [part for part, at in held.items()
                 if at not in new and at in known and Decimal(known[at]) > value]  # fmt: skip
        if most is not None and value > Decimal(most):
            rule = f"{value} is more than {name} ({most}), of which it is a part"
        elif above:
            rule = f"{value} is less than its part {above[0]} ({known[held[above[0]]]})"
        else:
            kept.append(figure)
            continue
        remedy = "correct one of the two"
        preview.refused.append(_refusal(_sheet(preview, figure), figure.raw, rule, remedy))
    preview.figures = kept


def _sheet(preview: Preview, figure: Incoming) -> cells.Sheet:
    sheets = (read.sheet for read in preview.reads)
    return next(s for s in sheets if (s.file, s.name) == (figure.file, figure.sheet))


# ------------------------------------------------------------------------------------------
# Beside what the package holds.


def _compare(preview: Preview, before: contract.Package) -> None:
    """Tell new figures from those that are there, and from others for the same thing."""
    facts = before.tables["facts"]
    titles = dict(
        zip(before.tables["sources"]["source_id"], before.tables["sources"]["title"], strict=True)
    )
    wanted = {figure.identity for figure in preview.figures}
    there: dict[tuple[str, ...], list[dict[str, str]]] = {}
    keys = facts[IDENTITY].itertuples(index=False, name=None)
    for position, key in enumerate(keys):
        if key in wanted:
            there.setdefault(key, []).append(facts.iloc[position].to_dict())
    kept = []
    for figure in preview.figures:
        found = there.get(figure.identity, [])
        if any(Decimal(fact["value"]) == Decimal(figure.value.value) for fact in found):
            preview.same += 1
        elif not found:
            kept.append(figure)
        elif len(found) == 1 and titles.get(found[0]["source_id"]) == guarded(figure.title):
            fact = found[0]
            kept.append(
                replace(figure, status=CHANGED, fact_id=fact["fact_id"], before=fact["value"])
            )
        else:
            old = found[0]
            rule = "the package has {value} ({fact_id}, source {source_id})".format(**old)
            remedy = "correct one of the two, or record both in contradictions.csv by hand"
            preview.refused.append(_refusal(_sheet(preview, figure), figure.raw, rule, remedy))
    preview.figures = kept


def _admit(preview: Preview, before, files: Files, books, options: Options) -> None:
    """Build the package as it would be; refuse figures that would break its contract or are odd."""
    checked = False
    while True:
        merged, ids = _merged(preview, before, books, options)
        contents = {**files.contents, **{
            before.files[name]: write.table(merged[name]) for name in merged
        }}  # fmt: skip
        preview.files = contents
        if not preview.figures:
            return
        result = files_of(files.root, contents)
        bad = _breaches(result, ids)
        if not bad and not options.implausible and not checked:
            checked, bad = True, _implausible(result, ids)
        if not bad:
            return
        for figure in [f for f in preview.figures if f.identity in bad]:
            rule, remedy = bad[figure.identity]
            preview.refused.append(_refusal(_sheet(preview, figure), figure.raw, rule, remedy))
        preview.figures = [f for f in preview.figures if f.identity not in bad]


def _breaches(result: Files, ids: Mapping[str, Identity]) -> dict[Identity, tuple[str, str]]:
    """Figures that break the contract; a breach of anything else is an error of its own."""
    read = contract.read(result)
    bad, others = {}, []
    for fault in contract.breaches(read):
        own = fault.file == read.files["facts"]
        fact = read.tables["facts"]["fact_id"].get(fault.row, "") if own else ""
        if fact in ids:
            bad[ids[fact]] = (f"{fault.column}: {fault.rule}", fault.remedy)
        else:
            others.append(fault)
    if others and not bad:
        raise DataError(others)
    return bad


def _implausible(result: Files, ids: Mapping[str, Identity]) -> dict[Identity, tuple[str, str]]:
    dataset = package.load(result, checked_hash=result.hash)
    remedy = "correct it; or, where it is right, import with --yes-implausible"
    return {
        ids[warning.fact_id]: (f"looks implausible: {warning.sentence}", remedy)
        for warning in plausible.warnings(dataset)
        if warning.fact_id in ids and not warning.confirmed_by
    }


# ------------------------------------------------------------------------------------------
# The tables with what is new.


def _merged(preview: Preview, before: contract.Package, books, options: Options):
    """Tables that change, and the identity of each new or changed fact by its id."""
    tables = before.tables
    by_name = {book.name: book for book in books}
    facts, ids = _facts(preview, tables["facts"], by_name)
    new = {name: [] for name in ("sources", "indicators", "units", "covariates")}
    known = set(tables["sources"]["source_id"])
    for figure in preview.figures:
        if figure.source not in known:
            known.add(figure.source)
            new["sources"].append(_source(by_name[figure.file], figure, options))
    measured = set(facts["indicator"])
    standard = _standard()
    for key in sorted(measured - set(tables["indicators"]["indicator"])):
        new["indicators"].append(standard[key])
    declared = set(tables["covariates"]["indicator"])
    new["covariates"] = [
        row for row in vocabulary.table("covariates")
        if row["indicator"] in measured and row["indicator"] not in declared
    ]  # fmt: skip
    doses = _doses(measured, tables["doses"])
    units = {row["unit"] for row in new["indicators"]} | set(doses["unit"])
    new["units"] = [
        row for row in vocabulary.table("units")
        if row["unit"] in units and row["unit"] not in set(tables["units"]["unit"])
    ]  # fmt: skip
    merged = {name: appended(tables[name], rows) for name, rows in new.items() if rows}
    if not doses.equals(tables["doses"]):
        merged["doses"] = doses
    preview.tables = [f"{len(rows)} in {name}" for name, rows in new.items() if rows]
    if "doses" in merged:
        preview.tables.append(f"{len(doses) - len(tables['doses'])} in doses")
    return {**merged, "facts": facts}, ids


def _source(book: cells.Book, figure: Incoming, options: Options) -> dict[str, str]:
    told = figure.raw.told
    listed = f"figures accepted in {book.name}; its " if told else ""
    return {
        "source_id": figure.source, "title": guarded(figure.title), "date": options.date,
        "publisher": options.organisation, "grade": (told and told.grade) or options.grade,
        "note": f"{listed}SHA-256 {book.sha256}",
        "file": figure.title if told and told.kind else "",
    }  # fmt: skip


def _facts(preview: Preview, facts: pd.DataFrame, books):
    """The facts with new rows at the end and changed ones in their place."""
    number = facts["fact_id"].str.removeprefix("F")
    following = int(pd.to_numeric(number, errors="coerce").max() or 0) + 1 if len(facts) else 1
    rows, ids, changed = [], {}, {}
    for figure in preview.figures:
        row = _fact(figure, preview)
        if figure.status == CHANGED:
            row["fact_id"] = figure.fact_id
            changed[figure.fact_id] = row
        else:
            row["fact_id"] = f"F{following:05d}"
            following += 1
            rows.append(row)
        ids[row["fact_id"]] = figure.identity
    if changed:
        facts = facts.copy()
        place = dict(zip(facts["fact_id"], range(len(facts)), strict=True))
        for fact, row in changed.items():
            own = {"confirmed_by": "", **row}
            for name in set(own) & set(facts.columns):
                facts.iloc[place[fact], facts.columns.get_loc(name)] = own[name]
    return appended(facts, rows), ids


def _fact(figure: Incoming, preview: Preview) -> dict[str, str]:
    raw = figure.raw
    sheet = f"sheet {figure.sheet}, " if figure.sheet else ""
    cell = cells.place(cells.Sheet("", "", []), raw.row, raw.column)
    locator = raw.told.locator if raw.told else f"{sheet}{cell}"
    written = (raw.told and raw.told.written) or figure.value.as_written
    return {
        "region_code": raw.region, "period_start": raw.period.start, "period_end": raw.period.end,
        "indicator": raw.indicator, "series": raw.indicator, "group": "",
        "value": figure.value.value, "unit": figure.unit, "kind": figure.kind,
        "comparator": figure.value.comparator, "source_id": figure.source,
        "locator": guarded(locator), "figure_as_written": guarded(written),
        "corroborated": "1", "note": guarded(raw.note), "caveats": "",
    }  # fmt: skip


def _doses(measured: set[str], doses: pd.DataFrame) -> pd.DataFrame:
    """The doses, with one for each standard input that has figures and no dose yet.

    An input is divided by the residents where these are known; where they come later, a dose that
    stands as it was declared here without them is divided from then on.
    """
    declared = dict(zip(doses["indicator"], doses.index, strict=True))
    found, rows = doses, []
    for key, row in _standard().items():
        if key not in measured or not row["dose_domain"]:
            continue
        per_head, total = _dose(row, True), _dose(row, False)
        wanted = per_head if row["dose_per"] in measured else total
        if key not in declared:
            rows.append(wanted)
        elif wanted is per_head and all(
            doses.loc[declared[key], name] == total[name]
            for name in ("denominator", "unit", "label_zh")
        ):
            found = found.copy()
            for name in set(per_head) & set(found.columns):
                found.loc[declared[key], name] = per_head[name]
    return appended(found, rows) if rows else found


def _dose(row: dict[str, str], per_head: bool) -> dict[str, str]:
    short = row["label_en"]  # as it stands within a sentence: ``R&D staff`` keeps its capital
    short = short[:1].lower() + short[1:] if short[1:2].islower() else short
    return {
        "dose": row["indicator"], "domain": row["dose_domain"], "indicator": row["indicator"],
        "denominator": row["dose_per"] if per_head else "",
        "scale": row["scale"] if per_head else "1", "timing": row["timing"],
        "unit": row["dose_unit"] if per_head else row["unit"],
        "label_zh": row["dose_zh"] if per_head else row["label_zh"],
        "label_en": row["dose_en"] if per_head else row["label_en"],
        "short_zh": row["label_zh"], "short_en": short,
    }  # fmt: skip


def refused_rows(refused: list[Refused]) -> str:
    """The rows of ``refused.csv``."""
    columns = [field.name for field in fields(Refused)]
    return lines(columns, ([guarded(str(getattr(e, name))) for name in columns] for e in refused))


def contents(preview: Preview) -> dict[str, bytes]:
    """Every file an import writes, by name within the package."""
    found = dict(preview.files)
    found[MAPPING] = mapping_text(preview.mapping).encode()
    if preview.refused or (preview.folder / REFUSED).exists():
        found[REFUSED] = refused_rows(preview.refused).encode()
    return found


def apply(preview: Preview) -> None:
    """Write what was previewed: all of it, or nothing.

    Raises
    ------
    KepuError : the package has changed since, another import is under way, or it cannot be written.
    """
    if package_hash(preview.folder) != preview.hash:
        raise KepuError(f"{shown(preview.folder)} has changed since it was read — import again")
    facts = next(
        r["path"] for r in read_descriptor(preview.folder)["resources"] if r["name"] == "facts"
    )
    write.replace_all(preview.folder, contents(preview), last=facts)


def remember(preview: Preview) -> Path:
    """Write only the mapping, for a person to answer its questions, and what was refused."""
    written = contents(preview)
    files = {name: written[name] for name in (MAPPING, REFUSED) if name in written}
    write.replace_all(preview.folder, files, last=MAPPING)
    return preview.folder / MAPPING


# ------------------------------------------------------------------------------------------
# The mapping file of a package: what a person decided about names nobody could be certain of.


COLUMNS = ("kind", "sheet", "text", "means", "unit", "how", "suggestions")
KINDS = ("indicator", "region")
IGNORE = "ignore"
REMEDY = "write a key of the package, `ignore`, or leave it empty"


@dataclass(frozen=True)
class Row:
    """One decision, or one question where ``means`` is empty.

    ``sheet`` is empty where it holds for every sheet; ``unit`` is that of a column, where its
    header does not say; ``how`` is ``matched``, ``asked`` or whatever a person writes.
    """

    kind: str
    sheet: str
    text: str
    means: str = ""
    unit: str = ""
    how: str = ""
    suggestions: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.sheet, self.kind, normal(self.text)


def read_mapping(path: Path) -> list[Row]:
    """The rows of a mapping file; none where there is no file.

    Raises
    ------
    KepuError : no UTF-8, a column missing, a kind nobody knows.
    """
    if not path.exists():
        return []
    try:
        reader = csv.DictReader(
            io.StringIO(read_text(path, 16 * MEGABYTE), newline=""), strict=True
        )
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        raise KepuError(f"{path.name}: is no CSV ({error}) — correct it") from None
    if missing := [name for name in COLUMNS[:4] if name not in (reader.fieldnames or ())]:
        faults = [Violation(path.name, 1, name, "column is missing", "add it") for name in missing]
        raise DataError(faults)
    rows, faults = [], []
    for number, line in lines:
        row = Row(*(unguarded((line.get(name) or "").strip()) for name in COLUMNS))
        rows.append(row)
        if row.kind not in KINDS:
            rule = f"'{row.kind}' is no kind of name"
            faults.append(Violation(path.name, number, "kind", rule, f"use {' or '.join(KINDS)}"))
    if faults:
        raise DataError(faults)
    return rows


def decided(path: Path, rows: list[Row], known: dict[str, set[str]], units: Units):
    """Meanings and units by (sheet, kind, normal form).

    Raises
    ------
    DataError : a meaning that is no key of the package, or a unit nobody knows.
    """
    meanings, stated, faults = {}, {}, []
    for number, row in enumerate(rows, 2):
        if row.means and row.means != IGNORE and row.means not in known[row.kind]:
            rule = f"'{row.means}' is no {row.kind} of the package"
            faults.append(Violation(path.name, number, "means", rule, REMEDY))
        if row.unit and units.word(row.unit) is None:
            rule = f"'{row.unit}' is no unit that is known"
            faults.append(Violation(path.name, number, "unit", rule, "write it as in 万人 or %"))
        if row.means:
            meanings[row.key] = row.means
        if row.unit:
            stated[row.key] = units.word(row.unit)
    if faults:
        raise DataError(faults)
    return meanings, stated


def completed(rows: list[Row], reads: list[Read]) -> list[Row]:
    """The rows of a mapping with those of an import added: what was matched, what is asked."""
    there = {row.key for row in rows} | {("", row.kind, normal(row.text)) for row in rows}
    added: dict[tuple[str, str, str], Row] = {}
    for read_ in reads:
        found = [Row(kind, "", text, means, "", "matched")
                 for (kind, text), means in read_.matched.items()]  # fmt: skip
        found += [Row(kind, "", text, "", "", "asked", "; ".join(like))
                  for (kind, text), like in read_.asked.items()]  # fmt: skip
        added |= {row.key: row for row in found if row.key not in there and row.text}
    return [*rows, *added.values()]


def mapping_text(rows: list[Row]) -> str:
    """A mapping file."""
    return lines(COLUMNS, ([guarded(getattr(row, name)) for name in COLUMNS] for row in rows))
