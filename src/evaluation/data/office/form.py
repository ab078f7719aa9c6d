"""The workbook an office fills in: a sheet a topic, regions and years written already."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evaluation.base.errors import KepuError, shown
from evaluation.base.text import LANGUAGES, t
from evaluation.data.office import vocabulary
from evaluation.data.office.create import Plan, Region, standard
from evaluation.data.package import subject_words

TOPICS = ("rate", "facility", "personnel", "activity", "fund", "population")
LISTS = "lists"  # the hidden sheet the drop-downs read
HEADER = 2  # rows above the first region: title and header
NARROW, WIDE = 12, 24
LARGEST = 1e15


def write(plan: Plan, file: Path, language: str = "both") -> Path:
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
            sheet.write_blank(number, column, None, _format(form, item))
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


def _format(form: _Form, item: dict[str, str]) -> Any:
    return form.whole if _is_whole(form, item) else form.free


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
