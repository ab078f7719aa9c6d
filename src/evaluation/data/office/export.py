"""A package for other programs: one tidy table, as CSV, as a workbook with codebook, as SDMX-CSV.

CSV is UTF-8 with commas and a header, decimal points, empty where nothing is known: pandas, DuckDB,
R (readr) and a spreadsheet's import read it as it is. SDMX-CSV is that of version 2.0 (SDMX 3.0):
one observation a row, the columns STRUCTURE, STRUCTURE_ID and ACTION first.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.base.errors import KepuError, shown
from evaluation.base.files import folder, inside, written
from evaluation.data.office.protect import protected
from evaluation.data.package import Dataset, grade_of

STRUCTURE_ID = "KEPU:FACTS(1.0)"
CODE = re.compile(r"[A-Za-z0-9_@$-]+")
ALL = "_T"  # the code of SDMX for a total
# Columns of the tidy table, with what stands in each.
CODEBOOK = {
    "fact_id": "identifier of the fact",
    "region_code": "code of the region",
    "region_zh": "name of the region, Chinese",
    "region_en": "name of the region, English",
    "level": "level of the region",
    "parent_code": "code of the region it belongs to",
    "indicator": "key of the indicator",
    "indicator_zh": "name of the indicator, Chinese",
    "indicator_en": "name of the indicator, English",
    "domain": "what the indicator is about",
    "proxy": "true where it stands in for a quantity it does not measure itself",
    "series": "one definition of the indicator; only figures of one series are comparable",
    "group": "part of the population, empty for all",
    "period_start": "first year or month, empty where not stated",
    "period_end": "last year or month, empty where not stated",
    "value": "the figure, in its unit; empty where withheld",
    "unit": "key of the unit",
    "unit_zh": "name of the unit, Chinese",
    "unit_en": "name of the unit, English",
    "kind": "survey, statistic, target or norm",
    "comparator": "how the value relates to the figure: =, >, >=, <=, approx or nearly",
    "source_id": "sources, separated by semicolons; see the table of sources",
    "grade": "best grade among the sources, A to C",
    "figure_as_written": "the figure as the source prints it",
    "locator": "where it stands in the source",
    "corroborated": "number of sources that print it",
    "caveats": "what must be known of it, separated by semicolons",
    "note": "remarks",
    "withheld": "true where the value is withheld to protect few people",
}
SOURCES = ("source_id", "title", "publisher", "date", "url", "grade", "licence", "note")
# Columns of the SDMX file by column of the tidy table, and what they are to SDMX.
DIMENSIONS = {
    "REF_AREA": "region_code", "INDICATOR": "indicator", "SERIES": "series", "BREAKDOWN": "group",
    "KIND": "kind", "SOURCE": "source_id",
}  # fmt: skip
ATTRIBUTES = {
    "UNIT_MEASURE": "unit", "COMPARATOR": "comparator", "OBS_ID": "fact_id", "GRADE": "grade",
    "CAVEATS": "caveats", "PERIOD_START": "period_start", "PERIOD_END": "period_end",
    "FIGURE_AS_WRITTEN": "figure_as_written", "COMMENT_OBS": "note",
}  # fmt: skip
CODED = ("SERIES", "BREAKDOWN", "SOURCE")  # whose codes may need to be made
MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-\d{2})?")


def tidy(dataset: Dataset) -> pd.DataFrame:
    """All facts with the names of what they are about, one row each: columns of ``CODEBOOK``."""
    facts = dataset.facts
    named = {
        "region": ("region_code", dataset.regions.set_index("code")),
        "indicator": ("indicator", dataset.indicators.set_index("indicator")),
        "unit": ("unit", dataset.units.set_index("unit")),
    }
    frame = facts.assign(grade=grade_of(facts, dataset.sources))
    for name, (column, table) in named.items():
        stem = "name" if name == "region" else "label"
        for language in ("zh", "en"):
            frame[f"{name}_{language}"] = facts[column].map(table[f"{stem}_{language}"])
    for column in ("level", "parent_code"):
        frame[column] = facts["region_code"].map(named["region"][1][column])
    for column in ("domain", "proxy"):
        frame[column] = facts["indicator"].map(named["indicator"][1][column])
    if "withheld" not in frame:
        frame["withheld"] = False
    return frame[list(CODEBOOK)]


def sdmx(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tidy table as SDMX-CSV 2.0, and its code lists: ``codelist, code, name_en, name_zh``.

    A withheld observation is there without a value: ``OBS_STATUS`` Q (missing, suppressed) and
    ``CONF_STATUS`` C; all others are A and F. Figures without any period, which SDMX cannot hold,
    are left out.
    """
    dated = frame[(frame["period_start"] != "") | (frame["period_end"] != "")]
    columns: dict[str, Any] = {"STRUCTURE": "dataflow", "STRUCTURE_ID": STRUCTURE_ID, "ACTION": "I"}
    lists = []
    for name, column in DIMENSIONS.items():
        texts = dated[column]
        codes = _codes(texts) if name in CODED else {text: text for text in texts.unique()}
        columns[name] = texts.map(codes)
        lists.append(_codelist(name, column, dated, codes))
    spans = zip(dated["period_start"], dated["period_end"], strict=True)
    columns["TIME_PERIOD"] = [time_period(*span) for span in spans]
    columns["OBS_VALUE"] = dated["value"]
    columns |= {name: dated[column] for name, column in ATTRIBUTES.items()}
    hidden = dated["withheld"].astype(bool)
    columns["OBS_STATUS"] = hidden.map({True: "Q", False: "A"})
    columns["CONF_STATUS"] = hidden.map({True: "C", False: "F"})
    made = pd.DataFrame(columns, index=dated.index)
    return made.reset_index(drop=True), pd.concat(lists, ignore_index=True)


def _codes(texts: pd.Series) -> dict[str, str]:
    """A code for each text: itself where it is one, else its letters and a part of its hash."""
    found = {}
    for text in texts.unique():
        if not text:
            found[text] = ALL
        elif CODE.fullmatch(text):
            found[text] = text
        else:
            letters = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:40]
            found[text] = f"{letters}_{hashlib.sha256(text.encode()).hexdigest()[:6]}".lstrip("_")
    return found


def _codelist(name: str, column: str, frame: pd.DataFrame, codes: Mapping[str, str]):
    """What the codes of a dimension stand for."""
    stem = {"REF_AREA": "region", "INDICATOR": "indicator"}.get(name)
    rows = frame.drop_duplicates(column)
    texts = rows[column]
    english, chinese = (rows[f"{stem}_{x}"] if stem else texts for x in ("en", "zh"))
    made = {"codelist": f"CL_{name}", "code": texts.map(codes), "name_en": english}
    return pd.DataFrame(made | {"name_zh": chinese})


def time_period(start: str, end: str) -> str:
    """A period as SDMX writes it: a year, a month, or a first day and a length.

    >>> time_period("2022", "2022"), time_period("2021", "2023-09"), time_period("", "2023-09")
    ('2022', '2021-01-01/P33M', '2023-09')
    """
    if not start or not end or start == end:
        return end or start
    first, last = (MONTH.fullmatch(text) for text in (start, end))
    if not first or not last:
        raise KepuError(f"the period {start} to {end} is none that SDMX can write — correct it")
    begin = date(int(first[1]), int(first[2] or 1), 1)
    months = 12 * (int(last[1]) - begin.year) + int(last[2] or 12) - begin.month + 1
    length = f"P{months // 12}Y" if months % 12 == 0 else f"P{months}M"
    return f"{begin.isoformat()}/{length}"


def _tables(dataset: Dataset) -> dict[str, pd.DataFrame]:
    codebook = pd.DataFrame(list(CODEBOOK.items()), columns=["column", "description"])
    return {"facts": tidy(dataset), "codebook": codebook, "sources": dataset.sources[list(SOURCES)]}


def _as_csv(dataset: Dataset) -> dict[str, bytes]:
    return _csv(_tables(dataset))


def _csv(tables: dict[str, pd.DataFrame]) -> dict[str, bytes]:
    """UTF-8 without a byte order mark; floats as short as give back the same number."""
    texts = {n: table.to_csv(index=False, lineterminator="\n") for n, table in tables.items()}
    return {f"{name}.csv": text.encode() for name, text in texts.items()}


def _as_sdmx(dataset: Dataset) -> dict[str, bytes]:
    return _csv(dict(zip(("sdmx", "codelists"), sdmx(tidy(dataset)), strict=True)))


def _as_workbook(dataset: Dataset) -> dict[str, bytes]:
    """One workbook; a text stays a text, whatever it begins with."""
    import xlsxwriter

    stream = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(stream, {"in_memory": True, **plain}) as book:
        book.set_properties({"created": date(2000, 1, 1)})  # equal packages make equal workbooks
        bold = book.add_format({"bold": True})
        facts, codebook, sources = _tables(dataset).items()
        about = [(name, getattr(dataset, name)) for name in ("indicators", "regions")]
        for name, frame in (facts, codebook, *about, sources):
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.write_row(0, 0, list(frame.columns), bold)
            for row, cells in enumerate(frame.itertuples(index=False, name=None), 1):
                for column, cell in enumerate(cells):
                    _write(sheet, row, column, cell)
            sheet.autofilter(0, 0, max(len(frame), 1), len(frame.columns) - 1)
    return {"facts.xlsx": stream.getvalue()}


def _write(sheet: Any, row: int, column: int, cell: Any) -> None:
    if pd.isna(cell) or cell == "":
        return
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, str):
        sheet.write_string(row, column, cell)
    else:
        sheet.write_number(row, column, cell)


FORMATS: dict[str, Callable[[Dataset], dict[str, bytes]]] = {
    "csv": _as_csv, "sdmx-csv": _as_sdmx, "tidy-xlsx": _as_workbook,
}  # fmt: skip


def export(dataset: Dataset, out: Path, form: str, threshold: float | None = None) -> list[Path]:
    """Write a package for other programs into a folder, all files or none.

    Parameters
    ----------
    form : one of ``FORMATS``.
    threshold : counts of people under it are withheld, and what would tell them; None: none are.

    Returns
    -------
    list of the files written.

    Raises
    ------
    KepuError : an unknown format, a file in the way, a folder that cannot be written.
    """
    if form not in FORMATS:
        raise KepuError(f"unknown format '{form}' — use one of {', '.join(FORMATS)}")
    if threshold is not None:
        dataset = protected(dataset, threshold)
    contents = FORMATS[form](dataset)
    with written(out):
        out.mkdir(parents=True, exist_ok=True)
        paths = {name: inside(out, name) for name in contents}
        if there := [path for path in paths.values() if os.path.lexists(path)]:
            raise KepuError(f"{shown(there[0])} is there already — move it, or name another folder")
        _place(contents, paths)
    return [out / name for name in contents]


def _place(contents: Mapping[str, bytes], paths: Mapping[str, Path]) -> None:
    """Write all files beside their places, then move them there; of a failure nothing is left."""
    root = next(iter(paths.values())).parent
    done: list[Path] = []
    with folder("export-", root / ".export") as work:
        try:
            for name, content in contents.items():
                (work / name).write_bytes(content)
            for name, path in paths.items():
                os.replace(work / name, path)
                done.append(path)
        except BaseException:
            for path in done:
                path.unlink(missing_ok=True)
            raise
    remains = root / ".export"
    for path in (remains / ".lock", remains):
        path.unlink() if path.is_file() else path.rmdir()
