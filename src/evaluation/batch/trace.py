"""Follow a figure: from a page to facts and sources, and from a fact to the pages that use it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.batch.pages import Number, Page
from evaluation.data.office.documents import alike
from evaluation.data.package import Dataset, by_year, has_caveat, surveyed_rates

FACT, RESULT = "fact", "result"
FACT_ID = re.compile(r"F[0-9]{5,}")
YEARS = re.compile(r"([0-9]{4})(?:-([0-9]{4}))?")
NUMBER = re.compile(r"([+-]?[0-9][0-9,]*(?:\.[0-9]+)?)\s*(\S*)")
FACT_COLUMNS = (
    "fact_id", "region_code", "indicator", "group", "period_start", "period_end", "value", "unit",
    "kind", "comparator", "figure_as_written", "locator", "corroborated", "note", "caveats",
)  # fmt: skip
SOURCE_COLUMNS = ("source_id", "title", "publisher", "date", "url", "grade", "file")
# What results rest on, by the first word of their keys: surveyed rates of the regions they name;
# rates and inputs of all regions compared. Any other rests on the facts and inputs its key names,
# or else on those in the same sentence: no more is claimed.
RATES = (
    "cities", "distance", "expected", "fastest", "gain", "gap", "implied", "makeup", "n",
    "outlook", "rank", "rate", "tracked",
)  # fmt: skip
AIMED = ("chance", "need")  # of a target, which the key names, and of rates
PANEL = (
    "backtest", "check", "curve", "doses", "estimate", "evidence", "ladder", "move",
    "overview", "panel", "value",
)  # fmt: skip
MOST = 12  # different origins of one number that are followed
MOST_RECORDS = 60  # facts told in full; of more only the identifiers


@dataclass(frozen=True)
class Behind:
    """What the key of a result names: regions, years, doses and rows, and the facts behind it.

    ``panel``: it rests on all regions compared, not on those it names alone.
    """

    regions: tuple[str, ...]
    years: tuple[int, ...]
    doses: tuple[str, ...]
    rows: tuple[str, ...]
    facts: tuple[str, ...]
    panel: bool


@dataclass(eq=False)
class Tracer:
    """Follows figures through one data package and the pages made of it.

    Attributes
    ----------
    dataset : the package.
    pages : pages that are searched; none where only the package is.
    """

    dataset: Dataset
    pages: Sequence[Page] = field(default_factory=list)

    def trace(self, asked: str) -> list[dict[str, Any]]:
        """Follow a fact by its identifier, a result by its key, or a number as it is shown.

        Returns
        -------
        list of records, one a fact or result: ``what``, ``key`` and what is known of it.

        Raises
        ------
        KepuError : it is none of these, or too many different things have this number.
        """
        asked = asked.strip()
        if FACT_ID.fullmatch(asked):
            return [self.fact(asked)]
        if any(asked in page.results for page in self.pages):
            return [self.result(asked)]
        keys = self._of_number(asked)
        if not keys:
            where = f"on {len(self.pages)} pages or " if self.pages else ""
            raise KepuError(
                f"'{asked}' is no fact, no result and no number {where}in the package — give a "
                "fact such as F00001, a key such as gap.REGION.YEAR, or a number as it is shown"
            )
        if len(keys) > MOST:
            listed = ", ".join(key for _, key in keys[:MOST])
            raise KepuError(
                f"{len(keys)} facts and results have the number {asked}: {listed}, … — give one "
                "of them, or more of the number, its unit included"
            )
        return [self.fact(key) if kind == FACT else self.result(key) for kind, key in keys]

    def _of_number(self, asked: str) -> list[tuple[str, str]]:
        """Kinds and keys of what is shown as this number; of the package where no page has it."""
        shown = (n for n in self._numbers if same(asked, n.text, n.value))
        keys = dict.fromkeys((FACT, n.fact) if n.fact else (RESULT, n.result) for n in shown)
        if not keys:
            facts = self.dataset.facts
            columns = (facts[name] for name in ("fact_id", "figure_as_written", "value"))
            rows = zip(*columns, strict=True)
            keys = {
                (FACT, i): None for i, text, value in rows if same(asked, text, f"{value:.10g}")
            }
        return list(keys)

    def fact(self, fact_id: str) -> dict[str, Any]:
        """One fact with its sources, where it is shown, and what rests on it.

        Raises
        ------
        KepuError : the package has no such fact.
        """
        if fact_id not in self._facts.index:
            raise KepuError(f"the package has no fact {fact_id} — see `kepu list indicators`")
        row = self._facts.loc[fact_id]
        keys = dict.fromkeys(key for page in self.pages for key in page.results)
        behind = ((key, self.behind(key)) for key in keys)
        return {
            "what": FACT,
            "key": fact_id,
            **self._fact(fact_id),
            "sources": [self._source(name) for name in row["source_id"].split(";")],
            "contradictions": [name for name, ids in self._rows.items() if fact_id in ids],
            "enters": self._enters(fact_id),
            "shown": self._shown(lambda number: number.fact == fact_id),
            # Those that rest on the fact and not on the whole panel.
            "results": [key for key, on in behind if not on.panel and fact_id in on.facts],
        }

    def result(self, key: str) -> dict[str, Any]:
        """One computed number: where it is shown, what writes it, and the facts it rests on."""
        behind = self.behind(key)
        beside = [name for name in self._beside(key) if name not in behind.facts]
        cited = (self._facts.at[name, "source_id"] for name in (*behind.facts, *beside))
        values = {page.results[key] for page in self.pages if key in page.results}
        return {
            "what": RESULT,
            "key": key,
            "values": sorted(values),
            "shown": self._shown(lambda number: number.result == key),
            "written_by": [vars(origin) | {"uses": list(origin.uses)} for origin in origins(key)],
            "regions": {code: self._name(code) for code in behind.regions},
            "years": list(behind.years),
            "doses": list(behind.doses),
            "rows": list(behind.rows),
            "panel": behind.panel,
            "facts": list(behind.facts),
            "beside": beside,
            "records": [self._fact(name) for name in (*beside, *behind.facts)[:MOST_RECORDS]],
            "sources": [
                self._source(name)
                for name in dict.fromkeys(name for ids in cited for name in ids.split(";"))
            ],
        }

    def behind(self, key: str) -> Behind:
        """The facts that a result rests on, as far as its key tells; else those shown beside it.

        Regions, years, inputs and facts a key names narrow down what its first word says.
        """
        parts = key.split(".")
        named = [part for part in parts if part in self._facts.index]
        regions = [part for part in parts if part in self._regions.index]
        doses = [part for part in parts if part in self._doses.index]
        rows = [part for part in parts if part in self._rows]
        spans = [
            found for part in parts if (found := YEARS.fullmatch(part)) and part not in regions
        ]
        years = [int(year) for found in spans for year in found.groups() if year]
        panel = parts[0] in PANEL or (parts[0] in RATES and not regions)
        among = () if panel else tuple(regions)
        facts = named + [fact for row in rows for fact in self._rows[row]]
        if doses or panel:
            facts += self._inputs(among, tuple(years), tuple(doses or self._doses.index))
        if panel or (regions and parts[0] in (*RATES, *AIMED)):
            facts += self._surveyed(among, tuple(years))
        facts = facts or self._beside(key)
        return Behind(*map(tuple, (regions, years, doses, rows, dict.fromkeys(facts))), panel)

    def _inputs(self, among: tuple[str, ...], years: tuple[int, ...], doses: tuple[str, ...]):
        """Facts of inputs and what they are divided by, of an interval over its years."""
        rows = self._doses.loc[list(doses)]
        names = dict.fromkeys([*rows["indicator"], *rows["denominator"]])
        frame = pd.concat([by_year(self.dataset, name) for name in names if name])
        frame = frame[frame["region_code"].isin(among or self.dataset.model_regions)]
        if years:
            frame = frame[frame["year"].between(min(years), max(years))]
        return list(frame["fact_id"])

    def _surveyed(self, among: tuple[str, ...], years: tuple[int, ...]) -> list[str]:
        """Facts of surveyed rates: of some regions or all compared, in some years or all."""
        found = []
        for code in among or self.dataset.model_regions:
            of = self._rates_by_region.get(code, {})
            found += [fact for fact, year in of.items() if not years or year in years]
        return found

    def _enters(self, fact_id: str) -> list[str]:
        """Which parts of the panel a fact may enter, or why none."""
        row = self._facts.loc[fact_id]
        if has_caveat(self._facts.loc[[fact_id]]).iloc[0]:
            return [f"nothing: shown and never estimated from ({row['caveats']})"]
        found = ["rate"] if fact_id in set(self._rates["fact_id"]) else []
        for dose in self.dataset.doses.itertuples():
            for role, name in (("", dose.indicator), (" (divisor)", dose.denominator)):
                if name == row["indicator"] and fact_id in set(
                    by_year(self.dataset, name)["fact_id"]
                ):
                    found.append(f"input {dose.dose}{role}")
        return found

    def _shown(self, wanted: Any) -> list[dict[str, str]]:
        return [
            {"page": page.file, "section": n.piece.section, "text": n.text, "words": n.piece.words}
            for page in self.pages
            for n in page.numbers
            if wanted(n)
        ]

    def _beside(self, key: str) -> list[str]:
        """Facts in the same sentences and rows as a result."""
        results, facts = self._shown_in
        return list(dict.fromkeys(fact for piece in results.get(key, ()) for fact in facts[piece]))

    @cached_property
    def _shown_in(self) -> tuple[dict[str, set[int]], dict[int, list[str]]]:
        """Pieces of the pages by the results they show; facts by the piece that shows them."""
        results: dict[str, set[int]] = {}
        facts: dict[int, list[str]] = {id(number.piece): [] for number in self._numbers}
        for number in self._numbers:
            if number.result:
                results.setdefault(number.result, set()).add(id(number.piece))
            if number.fact:
                facts[id(number.piece)].append(number.fact)
        return results, facts

    @cached_property
    def _numbers(self) -> list[Number]:
        return [number for page in self.pages for number in page.numbers]

    def _fact(self, fact_id: str) -> dict[str, Any]:
        row = self._facts.loc[fact_id]
        found = {name: _json(row[name]) for name in FACT_COLUMNS}
        return found | {"region": self._name(row["region_code"]), "source_id": row["source_id"]}

    def _source(self, name: str) -> dict[str, str]:
        row = self._sources.loc[name] if name in self._sources.index else {}
        return {column: str(row.get(column, "")) for column in SOURCE_COLUMNS} | {"source_id": name}

    def _name(self, code: str) -> str:
        return str(self._regions.at[code, "name_en"])

    @cached_property
    def _facts(self) -> pd.DataFrame:
        return self.dataset.facts.set_index("fact_id", drop=False)

    @cached_property
    def _regions(self) -> pd.DataFrame:
        return self.dataset.regions.set_index("code")

    @cached_property
    def _sources(self) -> pd.DataFrame:
        return self.dataset.sources.set_index("source_id")

    @cached_property
    def _rates(self) -> pd.DataFrame:
        return surveyed_rates(self.dataset)

    @cached_property
    def _rates_by_region(self) -> dict[str, dict[str, int]]:
        """Surveyed rates by region: year by fact."""
        found: dict[str, dict[str, int]] = {}
        columns = (self._rates[name] for name in ("region_code", "fact_id", "year"))
        for code, fact, year in zip(*columns, strict=True):
            found.setdefault(code, {})[fact] = int(year)
        return found

    @cached_property
    def _doses(self) -> pd.DataFrame:
        return self.dataset.doses.set_index("dose")

    @cached_property
    def _rows(self) -> Mapping[str, list[str]]:
        """Rows of assumptions and contradictions by identifier, with the facts they name."""
        found = {name: [] for name in self.dataset.assumptions["assumption_id"]}
        table = self.dataset.contradictions
        named = zip(table["contradiction_id"], table["fact_ids"].str.split(";"), strict=True)
        return found | dict(named)


def same(asked: str, text: str, value: str = "") -> bool:
    """Whether a number a person gives is the one shown as ``text``, its exact ``value`` known.

    A unit is compared as far as it is given.

    >>> same("187000", "187,000 people"), same("10.04%", "10.04%"), same("18.7万", "18.7万人")
    (True, True, True)
    >>> same("10.04", "110.04%"), same("18.7", "18.7万人"), same("187000", "18.7万", "187000")
    (False, True, True)
    """
    wanted, there = (
        NUMBER.match(alike(part).replace("−", "-").lstrip("第<>≥≤~约近 ")) for part in (asked, text)
    )
    if not wanted:
        return False
    number, unit = wanted[1].replace(",", ""), wanted[2]
    if there and there[1].replace(",", "") == number and there[2].startswith(unit):
        return True
    return not unit and bool(value) and _equal(number, value)


def _equal(number: str, value: str) -> bool:
    try:
        return float(number) == float(value)
    except ValueError:
        return False


def _json(value: Any) -> Any:
    """A cell as JSON holds it."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def told(record: Mapping[str, Any]) -> Iterator[str]:
    """Say in lines what is known of a fact or a result."""
    if record["what"] == FACT:
        yield line(record)
        for name in ("locator", "note", "caveats"):
            if record[name]:
                yield f"  {name}: {record[name]}"
        yield from (f"  source {_cited(source)}" for source in record["sources"])
        yield from (f"  contradiction {name} names it" for name in record["contradictions"])
        yield f"  enters: {', '.join(record['enters']) or 'no estimate: shown only'}"
        yield from _told_shown(record)
        if record["results"]:
            yield f"  results that rest on it: {', '.join(record['results'])}"
    else:
        yield from _told_result(record)


def _told_result(record: Mapping[str, Any]) -> Iterator[str]:
    values = ", ".join(f"{value:.10g}" for value in record["values"])
    yield f"{record['key']} = {values or 'on no page'}"
    yield from _told_shown(record)
    for origin in record["written_by"]:
        drawn = f", from {', '.join(origin['uses'])}" if origin["uses"] else ""
        yield f"  {origin['file']}, line {origin['line']}: {origin['function']}{drawn}"
    names = [*record["regions"].values(), *map(str, record["years"]), *record["doses"]]
    if names or record["rows"]:
        yield f"  names {', '.join([*names, *record['rows']])}"
    count = len(record["facts"])
    if record["panel"]:
        sources = len(record["sources"])
        yield f"  rests on all regions compared: {count:,} facts from {sources} sources"
        return
    for fact in record["records"]:
        beside = fact["fact_id"] in record["beside"]
        yield f"  {'shown beside' if beside else 'rests on'} {line(fact)}"
    if more := count + len(record["beside"]) - len(record["records"]):
        yield f"  and {more:,} facts more"
    yield from (f"  source {_cited(source)}" for source in record["sources"])


def line(fact: Mapping[str, Any]) -> str:
    """A fact in one line."""
    start, end = fact["period_start"], fact["period_end"]
    period = start if start == end else f"{start}–{end}"
    group = f", {fact['group']}" if fact["group"] else ""
    return (
        f"{fact['fact_id']} {fact['region']}, {fact['indicator']}{group}, {period}: "
        f"{fact['comparator']} {fact['value']:.10g} {fact['unit']} ({fact['kind']}, "
        f"{fact['source_id']})"
    )


def _cited(source: Mapping[str, str]) -> str:
    parts = (source[name] for name in ("title", "publisher", "date", "url", "file"))
    return f"{source['source_id']} (grade {source['grade']}): {', '.join(filter(None, parts))}"


def _told_shown(record: Mapping[str, Any]) -> Iterator[str]:
    for place in record["shown"]:
        yield f"  {place['page']}, {place['section']}: {place['text']} — {place['words']}"


# ------------------------------------------------------------------------------------------
# Where in the program a result is written.


COMPUTING = ("stats", "survey", "models", "evidence", "targets", "value", "data", "study")
# Functions whose first argument is the key of a text, not of a result; and those of a writer whose
# first argument is a key or its beginning, whatever it looks like.
TEXTS = ("t", "say")
WRITERS = ("number", "numbers", "estimate", "interval", "probability")
HOLE = "{}"
DEPTH = 3  # steps from a function to what its context computes for it


@dataclass(frozen=True)
class Origin:
    """A function that writes results: its place, the pattern of their keys, what it draws on.

    ``uses`` holds functions of the computing rooms and the parts of the study it reads.
    """

    file: str
    function: str
    line: int
    key: str
    uses: tuple[str, ...]


def origins(key: str) -> list[Origin]:
    """The functions that write a result, the best match of its key alone.

    A key may have an ending of its own, as ``.low`` and ``.high`` of an interval.
    """
    found: dict[tuple[int, int], list[Origin]] = {}
    for origin in _all():
        own = (re.escape(part) for part in origin.key.split(HOLE))
        if re.fullmatch(rf"{'[^ ]+?'.join(own)}(\.[^ ]+)?", key):
            # How much a pattern says: parts of a key, then letters of its own.
            weight = origin.key.count("."), len(origin.key.replace(HOLE, ""))
            found.setdefault(weight, []).append(origin)
    return found[max(found)] if found else []


@cache
def _all() -> tuple[Origin, ...]:
    """Every function of the report that builds keys, in the order of files and lines."""
    trees = {
        f"report/{path.name}": ast.parse(path.read_text("utf-8"))
        for path in sorted(files("evaluation.report").iterdir(), key=lambda path: path.name)
        if path.name.endswith(".py")
    }
    drawn: dict[str, dict[str, None]] = {}
    for _ in range(DEPTH):
        for tree in trees.values():
            imported = _imported(tree)
            for node in _functions(tree):
                parts = (part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)
                         and getattr(part.value, "id", "") in ("context", "self"))  # fmt: skip
                asked = (name for part in parts for name in drawn.get(part, ()))
                uses = dict.fromkeys([*_uses(node, imported), *asked])
                drawn[node.name] = drawn.get(node.name, {}) | uses
    return tuple(origin for file, tree in trees.items() for origin in _written(file, tree, drawn))


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _written(file: str, tree: ast.Module, drawn: dict[str, dict]) -> Iterator[Origin]:
    """Keys a file builds; ``drawn`` is what each function of the report draws on by itself."""
    imported = _imported(tree)
    texts = {id(part) for call in _calls(tree, TEXTS) for part in ast.walk(call.args[0])}
    keys = {id(node.args[0]) for node in _calls(tree, WRITERS)}
    for node in _functions(tree):
        # What a function is given by those it calls comes after what it takes itself.
        called = [name for call in _calls(node) for name in drawn.get(_name(call), ())]
        uses = tuple(dict.fromkeys([*_uses(node, imported), *called]))
        within = {id(v) for n in ast.walk(node) if isinstance(n, ast.JoinedStr) for v in n.values}
        for part in ast.walk(node):
            key = _pattern(part, whole=id(part) in keys)
            if key and id(part) not in within and id(part) not in texts:
                yield Origin(file, node.name, part.lineno, key, uses)


def _pattern(node: ast.AST, whole: bool = False) -> str:
    """The pattern of a key a string stands for, ``""`` where it can be none.

    A string that is handed to a writer as a ``whole`` may be a single word.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(v.value if isinstance(v, ast.Constant) else HOLE for v in node.values)
    else:
        return ""
    own = re.fullmatch(r"[A-Za-z_]+(\.[\w{}-]+)+|\{\}(\.[\w{}-]+)*\.[a-z_]{2,}[\w{}.-]*", text)
    return text if own or (whole and re.fullmatch(r"[a-z_]+", text)) else ""


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _calls(tree: ast.AST, names: tuple[str, ...] = ()) -> Iterator[ast.Call]:
    """Calls with an argument by position, of functions of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and (not names or _name(node) in names):
            yield node


def _imported(tree: ast.Module) -> dict[str, str]:
    """Names a file takes from the computing rooms."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.removeprefix("evaluation.")
            if node.module.startswith("evaluation.") and module.split(".")[0] in COMPUTING:
                found |= {a.asname or a.name: f"{module}.{a.name}" for a in node.names}
    return found


def _uses(function: ast.FunctionDef, imported: dict[str, str]) -> Iterator[str]:
    for argument in function.args.args:
        for node in ast.walk(argument.annotation) if argument.annotation else ():
            if getattr(node, "id", "") in imported and node.id != "Dataset":
                yield imported[node.id]
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            if name in imported:
                yield imported[name]
            owner = getattr(getattr(node.func, "value", None), "id", "")
            if owner in imported:
                yield f"{imported[owner]}.{node.func.attr}"
        if isinstance(node, ast.Attribute):
            holder = getattr(node.value, "attr", getattr(node.value, "id", ""))
            if holder == "study" and node.attr != "dataset":
                yield f"study.{node.attr}"
