"""A whole data package as a workbook, a sheet a table, and back: no figure changes on the way."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.base.errors import DataError, KepuError, Violation, shown
from evaluation.base.text import LANGUAGES, t
from evaluation.data import contract
from evaluation.data.office import cells, vocabulary, write
from evaluation.data.office.create import Plan, Region, standard
from evaluation.data.package import subject_words
from evaluation.data.tables import DESCRIPTOR, TABLES, files_of, read_files

PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.([0-9]{1,9}))?")
PIECE = 30_000  # characters of the descriptor in one cell; a cell holds 32,767
KEY = "facts"  # a workbook with this sheet and its key column is a package


@dataclass
class Merged:
    """A package as it would be with the tables of a workbook; ``counts`` says of each table how
    many rows are new, changed and there already."""

    folder: Path
    hash: str
    files: dict[str, bytes]
    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def facts(self) -> str:
        """The file of the facts."""
        resources = json.loads(self.files[DESCRIPTOR])["resources"]
        return next(each["path"] for each in resources if each["name"] == KEY)


def save(root: Path, file: Path) -> Path:
    """Write the package at ``root`` to a workbook; returns the file.

    Raises
    ------
    DataError : the package breaks its contract.
    KepuError : the file is there already, or cannot be written.
    """
    free(file)
    files = read_files(root)
    package = contract.read(files)
    if faults := contract.breaches(package):
        raise DataError(faults)
    descriptor = files.contents[DESCRIPTOR].decode("utf-8-sig")
    return saved(file, lambda book: _sheets(book, package, descriptor), constant_memory=True)


def _sheets(book, package: contract.Package, descriptor: str) -> None:
    head = book.add_format({"bold": True, "bg_color": "#DDEBF7"})
    formats: dict[int, object] = {}
    for name, frame in package.tables.items():
        sheet = book.add_worksheet(name)
        kinds = {
            each["name"]: each["type"]
            for each in contract.own_schemas().get(name, {}).get("fields", ())
        }
        for column, title in enumerate(frame.columns):
            sheet.write_string(0, column, title, head)
        sheet.freeze_panes(1, 1)
        numeric = [kinds.get(title) in ("number", "integer") for title in frame.columns]
        for number, row in enumerate(frame.itertuples(index=False, name=None), 1):
            for column, text in enumerate(row):
                if text:
                    _cell(book, sheet, (number, column), text, numeric[column], formats)
    sheet = book.add_worksheet(DESCRIPTOR.removesuffix(".json"))
    for number in range(0, len(descriptor), PIECE):
        # A mark before each piece: space at its ends is part of it.
        sheet.write_string(number // PIECE, 0, f"|{descriptor[number : number + PIECE]}|")


def _cell(book, sheet, place: tuple[int, int], text: str, numeric: bool, formats: dict) -> None:
    """A number as a number with the decimals it has, where it comes back as the same text."""
    match = PLAIN.fullmatch(text) if numeric else None
    if match is None or len(text) > 15:
        sheet.write_string(*place, text)
        return
    decimals = len(match[1] or "")
    if decimals not in formats:
        code = f"0.{'0' * decimals}" if decimals else "0"
        formats[decimals] = book.add_format({"num_format": code})
    sheet.write_number(*place, float(text), formats[decimals])


def is_package(book: cells.Book) -> bool:
    """Whether a workbook holds the tables of a package and not an office's figures."""
    return any(
        sheet.name == KEY and sheet.rows and "fact_id" in sheet.rows[0] for sheet in book.sheets
    )


def tables(book: cells.Book) -> dict[str, pd.DataFrame]:
    """The tables of a workbook as text; the index is the row of the sheet.

    Raises
    ------
    DataError : a cell that cannot be read, or a column without a name.
    """
    found, faults = {}, []
    for sheet in book.sheets:
        if sheet.name not in TABLES:
            continue
        head = sheet.rows[0] if sheet.rows else []
        place = f"{book.name}, sheet {sheet.name}"
        if "" in head or len(set(head)) < len(head):
            rule = "a column has no name, or one that is there twice"
            faults.append(Violation(place, 1, "", rule, "name each column once"))
            continue
        faults += [
            Violation(
                place,
                row + 1,
                head[column] if column < len(head) else "",
                rule,
                "write the value itself",
            )
            for (row, column), rule in sheet.faults.items()
        ]
        rows = {
            number: [*row, *[""] * (len(head) - len(row))]
            for number, row in enumerate(sheet.rows[1:], 2) if any(row)
        }  # fmt: skip
        faults += [Violation(place, number, "", "has cells beside the table", "remove them")
                   for number, row in rows.items() if len(row) > len(head)]  # fmt: skip
        found[sheet.name] = pd.DataFrame(
            [row[: len(head)] for row in rows.values()], index=list(rows), columns=head, dtype=str
        )
    if faults:
        raise DataError(faults)
    return found


def merge(book: cells.Book, folder: Path) -> Merged:
    """The package at ``folder`` with the rows of a workbook; a new one where there is none.

    Raises
    ------
    DataError : the result would break the contract; a fault of a fact names the sheet and its row.
    """
    own = tables(book)
    if folder.exists() and any(folder.iterdir()):
        files = read_files(folder)
        before, hash_, contents = contract.read(files), files.hash, dict(files.contents)
        names = before.files
    else:
        contents = {DESCRIPTOR: _descriptor(book)}
        before, hash_ = contract.Package(), ""
        names = {r["name"]: r["path"] for r in json.loads(contents[DESCRIPTOR])["resources"]}
    merged = Merged(folder, hash_, contents)
    rows: dict[str, dict[int, int]] = {}
    for name, table in own.items():
        if name not in names:
            continue
        frame, merged.counts[name], rows[names[name]] = _joined(
            before.tables.get(name), table, name
        )
        contents[names[name]] = write.table(frame)
    faults = contract.breaches(contract.read(files_of(folder, contents)))
    if faults:
        raise DataError([_located(fault, book, rows, names) for fault in faults])
    return merged


def _descriptor(book: cells.Book) -> bytes:
    sheet = next((s for s in book.sheets if s.name == DESCRIPTOR.removesuffix(".json")), None)
    text = "".join(row[0][1:-1] for row in sheet.rows if row) if sheet else ""
    try:
        found = json.loads(text)
        listed = isinstance(found["resources"], list)
    except (ValueError, KeyError, TypeError, RecursionError):
        remedy = "keep the sheet datapackage as it was written, or import into a package"
        raise KepuError(f"{book.name}: holds no description of its tables — {remedy}") from None
    if not listed:
        raise KepuError(f"{book.name}: its sheet datapackage lists no tables — keep it as written")
    return (json.dumps(found, ensure_ascii=False, indent=2) + "\n").encode()


def _joined(before: pd.DataFrame | None, table: pd.DataFrame, name: str):
    """A table with the rows of a sheet; counts; the row of the sheet by the line of the file."""
    if before is None:
        lines = dict(enumerate(table.index, 2))
        return table, (len(table), 0, 0), lines
    key = contract.own_schemas()[name].get("primaryKey") or list(before.columns)
    columns = list(before.columns)
    missing = [column for column in table.columns if column not in columns]
    frame = before.assign(**dict.fromkeys(missing, ""))
    columns += missing
    places = {tuple(each): i for i, each in enumerate(frame[key].to_numpy())}
    rows = frame.to_numpy().tolist()
    counts, lines = [0, 0, 0], {}
    given = table.reindex(columns=columns)
    for number, row in zip(given.index, given.to_numpy().tolist(), strict=True):
        place = places.get(tuple(str(row[columns.index(k)]) for k in key))
        old = rows[place] if place is not None else [""] * len(columns)
        new = [text if isinstance(text, str) else old[i] for i, text in enumerate(row)]
        if place is None:
            lines[len(rows) + 2] = number
            rows.append(new)
        else:
            lines[place + 2] = number
            rows[place] = new
        counts[0 if place is None else 2 if new == old else 1] += 1
    return pd.DataFrame(rows, columns=columns, dtype=str), tuple(counts), lines


def _located(fault: Violation, book: cells.Book, rows, names: dict[str, str]) -> Violation:
    """A breach with the sheet and row it comes from, where it comes from the workbook."""
    row = rows.get(fault.file, {}).get(fault.row)
    if row is None:
        return fault
    sheet = next(name for name, file in names.items() if file == fault.file)
    place = f"{book.name}, sheet {sheet}"
    return Violation(place, row, fault.column, fault.rule, fault.remedy)


# ------------------------------------------------------------------------------------------
# The workbook to fill in.


TOPICS = ("rate", "facility", "personnel", "activity", "fund", "population")
LISTS = "lists"  # the hidden sheet the drop-downs read
HEADER = 2  # rows above the first region: title and header
NARROW, WIDE = 12, 24
LARGEST = 1e15


def write_form(plan: Plan, file: Path, language: str = "both") -> Path:
    """Write the workbook of a plan; returns the file, which is there whole or not at all.

    Parameters
    ----------
    language : ``zh``, ``en`` or ``both``.

    Raises
    ------
    KepuError : the file is there already, is no .xlsx, or cannot be written.
    """
    languages = LANGUAGES if language == "both" else (language,)
    return saved(file, lambda book: _fill(_Form(book, plan, languages)))


def saved(file: Path, fill: Callable[[Any], None], **options: Any) -> Path:
    """Write a workbook that ``fill`` fills beside its place and move it there; returns the file.

    Text stays text: nothing becomes a formula or a link. ``options`` are those of XlsxWriter.

    Raises
    ------
    KepuError : the file is there already, is no .xlsx, or cannot be written.
    """
    import xlsxwriter

    free(file)
    plain = {"strings_to_formulas": False, "strings_to_urls": False}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".kepu-") as parts:
            part = Path(parts) / file.name
            book = xlsxwriter.Workbook(part, plain | options)
            fill(book)
            book.close()
            part.rename(file)
    except OSError as error:
        reason = error.strerror or error
        raise KepuError(f"{shown(file)} cannot be written ({reason}) — name another file") from None
    return file


def free(file: Path) -> None:
    """Refuse a file that a workbook cannot be written to.

    Raises
    ------
    KepuError : it is there already, or no .xlsx.
    """
    if file.suffix.lower() != ".xlsx":
        raise KepuError(f"{shown(file)} is no workbook — name a file that ends with .xlsx")
    if file.exists():
        raise KepuError(f"{shown(file)} is there already — name another file, or move it away")


class _Form:
    """A workbook in the making: its languages, formats and units."""

    def __init__(self, book: Any, plan: Plan, languages: Sequence[str]):
        self.book, self.plan, self.languages = book, plan, languages
        self.units = {row["unit"]: row for row in vocabulary.table("units")}
        money = self.units[plan.subject["currency"]]
        self.words = {
            each: subject_words(plan.subject, money[f"symbol_{each}"], each) for each in languages
        }
        base = {"font_name": "Calibri", "font_size": 11, "valign": "vcenter"}
        self.title = book.add_format({**base, "bold": True, "font_size": 14})
        self.head = book.add_format(
            {**base, "bold": True, "text_wrap": True, "bg_color": "#DDEBF7", "border": 1}
        )
        self.key = book.add_format({**base, "bg_color": "#F2F2F2", "border": 1})
        self.text = book.add_format({**base, "text_wrap": True, "valign": "top"})
        self.whole = book.add_format({**base, "border": 1, "num_format": "#,##0"})
        self.free = book.add_format({**base, "border": 1})

    def say(self, key: str, **values: object) -> str:
        """A text of the table, in the languages of the workbook."""
        texts = (
            t(f"form.{key}", each, **{**self.words[each], **values}) for each in self.languages
        )
        return " / ".join(text.unescape() for text in texts)

    def both(self, row: dict[str, str], name: str) -> str:
        """A label of a table row in the languages of the workbook."""
        return " / ".join(filter(None, (row[f"{name}_{each}"] for each in self.languages)))

    def region(self, region: Region) -> str:
        names = {"zh": region.name_zh, "en": region.name_en}
        return " / ".join(dict.fromkeys(names[each] for each in self.languages))


def _fill(form: _Form) -> None:
    chosen = set(form.plan.indicators or standard()) | {
        row["indicator"] for row in vocabulary.table("vocabulary") if row["topic"] == "rate"
    }
    listed = [row for row in vocabulary.table("vocabulary") if row["indicator"] in chosen]
    _read_me(form, listed)
    for topic in TOPICS:
        if rows := [row for row in listed if row["topic"] == topic]:
            _topic(form, topic, rows)
    sheet = form.book.add_worksheet(LISTS)
    for number, region in enumerate(form.plan.regions):
        sheet.write_string(number, 0, region.code)
        sheet.write_string(number, 1, form.region(region))
    for number, year in enumerate(_years(form, "fund")):
        sheet.write_number(number, 2, year)
    sheet.hide()


def _read_me(form: _Form, listed: list[dict[str, str]]) -> None:
    sheet = form.book.add_worksheet(_name(form.say("readme")))
    sheet.set_column(0, 0, 4)
    sheet.set_column(1, 1, 44)
    sheet.set_column(2, 2, 26)
    sheet.set_column(3, 3, 70)
    whole = form.region(form.plan.whole)
    sheet.write_string(0, 1, form.say("title", whole=whole), form.title)
    row = 2
    for step in ("what", "fill", "empty", "units", "paste", "save"):
        sheet.merge_range(row, 1, row, 3, form.say(step), form.text)
        sheet.set_row(row, 34 * len(form.languages))
        row += 1
    row += 1
    for column, key in enumerate(("indicator", "unit", "definition"), 1):
        sheet.write_string(row, column, form.say(key), form.head)
    for number, item in enumerate(listed, row + 1):
        sheet.write_string(number, 1, form.both(item, "label"), form.text)
        sheet.write_string(number, 2, form.both(form.units[item["unit"]], "label"), form.text)
        sheet.write_string(number, 3, form.both(item, "definition"), form.text)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _name(text: str) -> str:
    """A name as a sheet may have it."""
    return text.replace(" / ", " ").translate(dict.fromkeys(map(ord, "[]:*?/\\"), "-"))[:31]


def _years(form: _Form, topic: str) -> list[int]:
    """Rates have the years of the surveys, what is counted all from the first to the last."""
    waves = sorted(set(form.plan.waves))
    return waves if topic == "rate" else list(range(waves[0], waves[-1] + 1))


def _topic(form: _Form, topic: str, listed: list[dict[str, str]]) -> None:
    sheet = form.book.add_worksheet(_name(form.say(f"topic.{topic}")))
    sheet.write_string(0, 0, form.say(f"topic.{topic}"), form.title)
    heads = [form.say("code"), form.say("region"), form.say("year"),
             *(_head(form, item) for item in listed), form.say("note")]  # fmt: skip
    for column, head in enumerate(heads):
        sheet.write_string(1, column, head, form.head)
    for column, item in enumerate(listed, 3):
        if note := form.both(item, "definition"):
            sheet.write_comment(1, column, note, {"x_scale": 2})
    rows = [(region, year) for region in form.plan.regions for year in _years(form, topic)]
    for number, (region, year) in enumerate(rows, HEADER):
        sheet.write_string(number, 0, region.code, form.key)
        sheet.write_string(number, 1, form.region(region), form.key)
        sheet.write_number(number, 2, year, form.key)
        for column, item in enumerate(listed, 3):
            sheet.write_blank(
                number, column, None, (form.whole if _is_whole(form, item) else form.free)
            )
        sheet.write_blank(number, 3 + len(listed), None, form.free)
    last = HEADER + len(rows) - 1
    _validate(form, sheet, listed, last)
    sheet.set_column(0, 0, NARROW)
    sheet.set_column(1, 1, WIDE)
    sheet.set_column(2, 2, NARROW)
    sheet.set_column(3, 3 + len(listed), WIDE)
    sheet.set_row(1, 64)
    sheet.freeze_panes(HEADER, 3)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0, 1)
    sheet.print_area(0, 0, last, 3 + len(listed))


def _head(form: _Form, item: dict[str, str]) -> str:
    """The header of a column: what is counted, and the unit in brackets, which an import reads."""
    return f"{form.both(item, 'label')} ({form.both(form.units[item['unit']], 'label')})"


def _is_whole(form: _Form, item: dict[str, str]) -> bool:
    return form.units[item["unit"]]["countable"] == "true"


def _validate(form: _Form, sheet: Any, listed: list[dict[str, str]], last: int) -> None:
    """Drop-downs for regions and years, and a range for every figure."""
    regions, years = len(form.plan.regions), len(_years(form, "fund"))
    for column, letter, count in ((0, "A", regions), (1, "B", regions), (2, "C", years)):
        source = f"={LISTS}!${letter}$1:${letter}${count}"
        sheet.data_validation(HEADER, column, last, column, {
            "validate": "list", "source": source, "error_title": form.say("wrong")[:32],
            "error_message": form.say("wrong_choice")[:255],
        })  # fmt: skip
    for column, item in enumerate(listed, 3):
        whole = _is_whole(form, item)
        most = 100 if item["unit"] == "percent" else LARGEST
        label = form.both(form.units[item["unit"]], "label")
        message = form.say(
            "wrong_whole" if whole else "wrong_number", most=f"{most:,.0f}", unit=label
        )
        sheet.data_validation(HEADER, column, last, column, {
            "validate": "integer" if whole else "decimal", "criteria": "between",
            "minimum": 0, "maximum": most, "ignore_blank": True,
            "input_title": label[:32], "input_message": form.both(item, "definition")[:255],
            "error_title": form.say("wrong")[:32], "error_message": message[:255],
        })  # fmt: skip
