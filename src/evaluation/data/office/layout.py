"""How a sheet is laid out: where its header is, what each column and row stands for.

Every figure of a sheet has a region, a period and an indicator. Each of the three may be told by
its row, by its column or by the title of the sheet, so that long, wide and turned tables with one
or more rows of header are read in one way. What is told by none, or by two that disagree, is
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from evaluation.data.office import vocabulary
from evaluation.data.office.cells import Sheet
from evaluation.data.office.vocabulary import Period, Unit, is_missing, normal, words

NUMBER = re.compile(r"[-+]?[\d,，]*\.?\d+%?")
YEAR = re.compile(r"(?:19|20)\d\d年?")
TABLE = re.compile(r"^(?:附?表|table)\s*[\d一二三四五六七八九十]+(?:[-—.]\d+)*[:：.、\s]*", re.I)
TITLE_END = re.compile(r"(?:基本)?(?:统计|情况|一览|汇总)*表?$")
HEADER = 40  # rows above the first figure that are looked at
ROLES = ("code", "region", "year", "indicator", "value", "unit", "note", "number")
# Columns that are known and carry no figure.
PASSED = ("note", "number")


@dataclass(frozen=True)
class Column:
    """What the header of a column says."""

    number: int
    role: str
    text: str = ""
    indicator: str = ""
    region: str = ""
    period: Period | None = None
    unit: Unit | None = None


@dataclass(frozen=True)
class Told:
    """What a table of a document's figures says of one beside its value."""

    kind: str
    written: str
    locator: str
    source: str
    document: str


@dataclass(frozen=True)
class Raw:
    """One cell with a figure, and what row, column and title say of it."""

    row: int
    column: int
    text: str
    region: str
    indicator: str
    period: Period
    unit: Unit | None
    header: str
    note: str = ""
    told: Told | None = None


@dataclass
class Read:
    """What was found in a sheet.

    ``asked``: names nobody knows, as (kind, text), with suggestions; ``refused``: cells or rows,
    with the rule and the remedy; ``passed``: what holds no figure of a region, as sentences;
    ``matched``: names that were understood, as (kind, text) with their meaning; ``below``: how many
    empty cells below the name of a region were read as that region.
    """

    sheet: Sheet
    raws: list[Raw] = field(default_factory=list)
    asked: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    matched: dict[tuple[str, str], str] = field(default_factory=dict)
    refused: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    below: dict[str, int] = field(default_factory=dict)


class Meaning:
    """What names stand for: by the mapping a person decided, then by the tables of words.

    Parameters
    ----------
    decided : meaning by (sheet, kind, normal form); ``sheet`` is empty for any.
    inside : codes of the regions in each region.
    whole : names of the region that holds all others, which titles repeat.
    """

    def __init__(self, names, units, decided, inside, whole=()):
        self.names: dict[str, vocabulary.Names] = names
        self.units: vocabulary.Units = units
        self.decided: dict[tuple[str, str, str], str] = decided
        self.inside: dict[str, frozenset[str]] = inside
        self.whole = tuple(filter(None, whole))
        self.sheet = ""
        self._known: dict[tuple[str, str, str], str] = {}

    def find(self, kind: str, text: str) -> str:
        """What a name stands for: a key, ``ignore``, or ``""`` where it is not certain."""
        key = (self.sheet, kind, text)
        if key not in self._known:
            form = normal(text)
            told = self.decided.get((self.sheet, kind, form)) or self.decided.get(("", kind, form))
            self._known[key] = told or self.names[kind].find(text)
        return self._known[key]

    def like(self, kind: str, text: str) -> list[str]:
        return self.names[kind].like(text)


def read(sheet: Sheet, meaning: Meaning) -> Read:
    """Every figure of a sheet, with what could not be read of it."""
    meaning.sheet = sheet.name
    found = Read(sheet)
    grid = _filled(sheet)
    if not any(any(row) for row in grid):
        found.passed.append("the sheet is empty")
        return found
    keys = _region_columns(grid, meaning)
    start = _first_row(grid, keys, meaning)
    if start is None:
        found.passed.append("no figures: a table has a header above rows with numbers")
        return found
    title, header = _header(grid, start)
    context = _context(sheet, title, meaning)
    columns = _columns(grid, header, start, keys, context.region, meaning)
    if any(column.role == "value" and column.indicator for column in columns):
        # Where columns name what they hold, the title does not speak for one that does not.
        context = replace(context, indicator="")
    _tell(columns, found, meaning)
    if keys:
        _fill_down(grid, start, keys[0], columns, found, meaning)
    covered = _covered(sheet, start)
    for number in range(start, len(grid)):
        _row(number, grid[number], columns, context, covered, meaning, found)
    return found


# ------------------------------------------------------------------------------------------
# The grid, and where its header ends.


def _filled(sheet: Sheet) -> list[list[str]]:
    """The cells as a rectangle; a merged range has its text in every cell."""
    rows = [list(row) for row in sheet.rows]
    width = max((len(row) for row in rows), default=0)
    grid = [row + [""] * (width - len(row)) for row in rows]
    for top, left, bottom, right in sheet.merged:
        if top < len(grid) and left < width:
            for row in grid[top : bottom + 1]:
                row[left : right + 1] = [grid[top][left]] * (min(right + 1, width) - left)
    return grid


def _covered(sheet: Sheet, start: int) -> set[tuple[int, int]]:
    """Cells of merged ranges below the header, each of which would repeat one figure."""
    return {
        (row, column)
        for top, left, bottom, right in sheet.merged
        if top >= start
        for row in range(top, bottom + 1)
        for column in range(left, right + 1)
    }


def _region_columns(grid: list[list[str]], meaning: Meaning) -> list[int]:
    """Columns that name regions: the one with most different regions first."""
    found = []
    for column in range(len(grid[0])):
        cells = [row[column] for row in grid if row[column]]
        hits = [code for cell in cells if (code := meaning.find("region", cell))]
        if not hits:
            continue
        known = words("region") | words("code")
        first = next(i for i, cell in enumerate(cells) if meaning.find("region", cell))
        headed = any(normal(cell) in known for cell in cells[:first])
        # A region above a column of figures is the header of a turned table.
        plain = [cell for cell in cells if _is_number(cell) and not meaning.find("region", cell)]
        if len(hits) > len(plain) and (headed or len(hits) * 2 >= len(cells)):
            found.append((len(set(hits)), headed, -column))
    return [-minus for *_, minus in sorted(found, reverse=True)]


def _is_number(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None


def _counts_columns(row: list[str]) -> bool:
    """Whether a row numbers the columns of a statistical table: 甲, 1, 2, 3."""
    numbers = [cell for cell in row if _is_number(cell)]
    return len(numbers) > 1 and numbers in (
        [str(i) for i in range(1, len(numbers) + 1)], [str(i) for i in range(2, len(numbers) + 2)]
    )  # fmt: skip


def _first_row(grid: list[list[str]], keys: list[int], meaning: Meaning) -> int | None:
    """The first row below the header: it names a region beside other cells, or holds a figure."""
    for number, row in enumerate(grid):
        texts = {cell for cell in row if cell}
        named = any(meaning.find("region", row[key]) for key in keys)
        if len(texts) < 2 or (_counts_columns(row) and not named):
            continue
        if (named and not _is_header(row)) or [
            cell for cell in row if _is_number(cell) and not YEAR.fullmatch(cell)
        ]:
            return number
    return None


def _is_header(row: list[str]) -> bool:
    known = words("region") | words("year") | words("code") | words("indicator")
    return any(normal(cell) in known for cell in row if cell)


def _header(grid: list[list[str]], start: int) -> tuple[list[str], list[int]]:
    """Texts of the title, and the rows of the header."""
    title, header = [], []
    for number in range(max(0, start - HEADER), start):
        texts = list(dict.fromkeys(cell for cell in grid[number] if cell))
        if len(texts) == 1 and not header and len(grid[0]) > 1:
            title += texts
        elif texts and not _counts_columns(grid[number]):
            header.append(number)
    return title, header


# ------------------------------------------------------------------------------------------
# What title and header say.


def _context(sheet: Sheet, title: list[str], meaning: Meaning) -> Column:
    """What the title and the name of a sheet say of all its figures."""
    region, indicator, period, unit = "", "", None, None
    for text in [*title, sheet.name]:
        if not text:
            continue
        rest, own_unit = vocabulary.split_unit(text, meaning.units)
        rest, own_period = vocabulary.split_period(rest)
        unit, period = unit or own_unit, period or own_period
        region = region or _known(meaning.find("region", rest.strip() or text))
        for form in _title_forms(rest, meaning):
            # Named in full: what is left of a title names nothing by itself.
            things = meaning.names["indicator"].exact.get(normal(form), set())
            indicator = indicator or (next(iter(things)) if len(things) == 1 else "")
    return Column(-1, "title", " / ".join(title), indicator, region, period, unit)


def _known(found: str) -> str:
    return "" if found == "ignore" else found


def _title_forms(text: str, meaning: Meaning) -> Iterator[str]:
    """A title, and what is left of it without number, whole, kind of region and 统计表."""
    text = TABLE.sub("", text.strip())
    for name in meaning.whole:
        text = text.replace(name, "")
    yield text
    kinds = "|".join(sorted((re.escape(word) for word in words("region")), key=len, reverse=True))
    text = re.sub(rf"^各?(?:{kinds})", "", text)
    yield text
    yield TITLE_END.sub("", text)


def _columns(grid, header: list[int], start: int, keys: list[int], region: str, meaning: Meaning):
    found = []
    for number in range(len(grid[0])):
        path = list(dict.fromkeys(grid[row][number] for row in header if grid[row][number]))
        cells = [row[number] for row in grid[start:] if row[number]]
        if not cells:
            continue
        found.append(_column(number, path, cells, keys, meaning))
    if not keys and not region:  # a column of regions none of which is known is told by its header
        for place, column in enumerate(found):
            if column.role == "value" and normal(column.text) in words("region"):
                found[place] = Column(column.number, "region", column.text)
    return found


def _column(
    number: int, path: list[str], cells: list[str], keys: list[int], meaning: Meaning
) -> Column:
    text = " / ".join(path)
    forms = {normal(part) for part in path}
    if number in keys:
        return Column(number, "region" if number == keys[0] else "region again", text)
    if not path and all(vocabulary.period(cell) for cell in cells):
        return Column(number, "year", text)
    for role in ("year", "note", "number", "code", "unit", "indicator", "value"):
        if forms and forms <= words(role) and _holds(role, cells, meaning):
            return Column(number, role if role != "code" else "note", text)
    if all(not _is_number(cell) and _known(meaning.find("indicator", cell)) for cell in cells):
        return Column(number, "indicator", text)
    return _value_column(number, path, meaning)


def _holds(role: str, cells: list[str], meaning: Meaning) -> bool:
    """Whether the cells of a column are what its header says."""
    fit = cells
    if role == "unit":
        fit = [cell for cell in cells if meaning.units.word(cell) is not None]
    elif role == "indicator":
        fit = [cell for cell in cells if not _is_number(cell)]
    return len(fit) * 2 >= len(cells)


def _value_column(number: int, path: list[str], meaning: Meaning) -> Column:
    """Region, indicator, period and unit as the rows of the header name them."""
    names, region, period, unit = [], "", None, None
    words_ = [part for part in path if not meaning.units.word(part)]
    for part in path:
        # 场次 is a unit under 讲座, and what is counted where it stands alone.
        if (own := meaning.units.word(part)) and (words_ or not meaning.find("indicator", part)):
            unit = own
            continue
        rest, own_unit = vocabulary.split_unit(part, meaning.units)
        rest, own_period = vocabulary.split_period(rest)
        unit, period = own_unit or unit, own_period or period
        if rest and (code := _known(meaning.find("region", rest))) and not region:
            region = code
        elif rest:
            names.append(rest)
    text = " / ".join(names)
    return Column(number, "value", text, _indicator(names, meaning), region, period, unit)


def _indicator(names: list[str], meaning: Meaning) -> str:
    """The indicator that the parts of a header name together; ``?`` where they are not certain.

    A part above the last may only say what kind of thing it is (人员, 活动): any other may change
    what the last one means, as 农村 above 志愿者 does.
    """
    if not names:
        return ""
    for joined in (" / ".join(names), "".join(names)):
        if whole := meaning.find("indicator", joined):
            return whole
    neutral = words("neutral") | words("value")
    known = [meaning.find("indicator", name) for name in names]
    plain = [normal(name) in neutral for name in names]
    if all(plain) and not any(known):
        return ""
    for last in range(len(names) - 1, -1, -1):
        if known[last]:
            others = [i for i in range(len(names)) if i != last and known[i] != known[last]]
            return known[last] if all(plain[i] for i in others) else "?"
    return "?"


def _tell(columns: list[Column], found: Read, meaning: Meaning) -> None:
    """Note which names of columns were understood, which not, and which carry no figure."""
    for column in columns:
        key = ("indicator", column.text)
        if column.role in PASSED:
            found.passed.append(f"column '{column.text}' carries no figure")
        elif column.role == "value" and column.indicator == "?":
            found.asked[key] = meaning.like("indicator", column.text.rpartition(" / ")[2])
        elif column.role == "value" and column.indicator:
            found.matched[key] = column.indicator


# ------------------------------------------------------------------------------------------
# The rows.


def _fill_down(grid, start: int, key: int, columns, found: Read, meaning: Meaning) -> None:
    """Write a region into the empty cells below it, where each row has a year of its own.

    Without such a year, or behind an empty row, an empty cell may stand for anything and stays.
    """
    year = next((column.number for column in columns if column.role == "year"), None)
    values = [column.number for column in columns if column.role == "value"]
    above, seen = "", set()
    for cells in grid[start:]:
        period = vocabulary.period(cells[year]) if year is not None else None
        if cells[key] or not any(cells[column] for column in values):
            above, seen = cells[key] if meaning.find("region", cells[key]) else "", {period}
        elif above and period and period not in seen:
            cells[key] = above
            seen.add(period)
            found.below[above] = found.below.get(above, 0) + 1


def _row(number, cells, columns, context, covered, meaning: Meaning, found: Read) -> None:
    """Figures of one row below the header."""
    values = [c for c in columns if c.role == "value" and not is_missing(cells[c.number])]
    filled = [cell for cell in cells if cell]
    for (
        column
    ) in columns:  # marks in the place of a figure, as "x" or a dash; an empty cell is none
        text = cells[column.number]
        if column.role == "value" and text and is_missing(text):
            place = f"row {number + 1}, column '{column.text}'"
            found.passed.append(f"{place}: '{text}' says that there is no figure")
    if not values:
        return
    if len(set(filled)) == 1:
        found.passed.append(f"row {number + 1}: '{filled[0][:60]}' is no row of figures")
        return
    row = _row_says(number, cells, columns, meaning, found)
    if row is None:
        return
    for column in values:
        spot = (number, column.number)
        if column.indicator in ("?", "ignore"):
            continue
        if reason := found.sheet.faults.get(spot):
            remedy = "write the number itself, or save the file where formulas are computed"
            found.refused.append((*spot, cells[column.number], reason, remedy))
        elif spot in covered:
            remedy = "write the figure of each row into a cell of its own"
            rule = "is merged over several cells"
            found.refused.append((*spot, cells[column.number], rule, remedy))
        else:
            _figure(spot, cells[column.number], row, column, context, found)


def _row_says(number, cells, columns, meaning: Meaning, found: Read) -> Column | None:
    """What the key columns of a row say; ``None`` where the row is left out."""
    told = {"region": "", "year": "", "indicator": "", "unit": "", "note": ""}
    at = {}
    for column in columns:
        if column.role in told and not told[column.role]:
            told[column.role], at[column.role] = cells[column.number], column.number
    region = indicator = ""
    if "region" in at:
        region = _looked_up("region", number, at["region"], told, meaning, found)
        if region is None:
            return None
        for column in (c for c in columns if c.role == "region again"):
            # A second column may name the same region, or one that says nothing against it.
            other = cells[column.number] and meaning.find("region", cells[column.number])
            above = meaning.inside.get(other, ())
            if other and other not in (region, "ignore") and region not in above:
                rule = f"'{told['region']}' and '{cells[column.number]}' are different regions"
                found.refused.append((number, column.number, "", rule, "correct one of the two"))
                return None
    if "indicator" in at:
        indicator = _looked_up("indicator", number, at["indicator"], told, meaning, found)
        if indicator is None:
            return None
    period, unit = vocabulary.period(told["year"]), meaning.units.word(told["unit"])
    for kind, read_ in (("year", period), ("unit", unit)):
        if told[kind] and read_ is None:
            what = "period" if kind == "year" else "unit"
            rule, remedy = f"'{told[kind]}' is no {what} that is known", f"write the {what} plainly"
            found.refused.append((number, at[kind], told[kind], rule, remedy))
            return None
    note = told["note"] if told["note"] and not _is_number(told["note"]) else ""
    return Column(number, "row", note, indicator, region, period, unit)


def _looked_up(kind, number, column, told, meaning: Meaning, found: Read) -> str | None:
    """The region or indicator a row names; ``None``, and why, where it is left out."""
    text = told[kind]
    _, own_unit = vocabulary.split_unit(text, meaning.units) if kind == "indicator" else ("", None)
    name = vocabulary.split_unit(text, meaning.units)[0] if own_unit else text
    told["unit"] = told["unit"] or (own_unit.word if own_unit else "")
    means = meaning.find(kind, name)
    if means == "ignore":
        found.passed.append(f"row {number + 1}: '{text}' is to be ignored")
    elif means:
        if kind == "indicator" or normal(name) not in meaning.names[kind].exact:
            found.matched[kind, name] = means
        return means
    elif kind == "region" and normal(text) in words("total"):
        found.passed.append(
            f"row {number + 1}: '{text}' is a total; to import it, write the code of its region "
            "into the mapping"
        )
    elif not text:
        rule = f"the row names no {kind}"
        found.refused.append((number, column, "", rule, f"write the {kind} into each row"))
    else:
        found.asked[kind, name] = meaning.like(kind, name)
        rule, remedy = f"the {kind} '{text}' is not known", "say what it is in the mapping"
        found.refused.append((number, column, text, rule, remedy))
    return None


def _figure(spot, text: str, row: Column, column: Column, context: Column, found: Read) -> None:
    """Put together what row, column and title say of one cell."""
    said = {}
    for kind in ("region", "indicator", "period"):
        own = {value for each in (row, column) if (value := getattr(each, kind))}
        if len(own) > 1:
            names = " and ".join(sorted(map(str, own)))
            rule = f"row and header name different things ({names})"
            found.refused.append((*spot, text, rule, "correct the row or the header"))
            return
        said[kind] = own.pop() if own else getattr(context, kind)
        if not said[kind]:
            rule = f"neither row, header nor title names the {kind}"
            remedy = f"write the {kind} into the row, the header or the title"
            found.refused.append((*spot, text, rule, remedy))
            return
    unit = row.unit or column.unit or context.unit
    found.raws.append(Raw(*spot, text, **said, unit=unit, header=column.text, note=row.text))
