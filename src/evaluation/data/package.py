"""Read a data package and select from it: the only door through which figures enter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pandas as pd

from evaluation.base.cache import remembered
from evaluation.base.errors import DataError
from evaluation.base.results import Spoken, figures, say, whole
from evaluation.base.text import marked, t
from evaluation.data import contract
from evaluation.data.office import protect
from evaluation.data.rules import BARRED, each, flagged
from evaluation.data.rules import SAMPLE as SAMPLE
from evaluation.data.tables import TABLES, Files, read_files

if TYPE_CHECKING:
    from evaluation.figures.svg import Picture

SHOWN_DIGITS = 12
# A model needs as many regions; where a level has fewer, the next one analysed is compared.
MIN_REGIONS = 10
# Words of subject.csv that texts use as they are.
SUBJECT = ("share", "outcome", "topic", "people", "have", "person", "reference", "programme")
PEOPLE = "population_resident"
INDEX = "consumer_price_index"
# Indicator -> (item, lever the money is spent on; empty where the source does not say).
ITEMS = {
    "funds_raised": ("raised", ""),
    "funds_government": ("government", ""),
    "funds_special_government": ("earmarked", ""),
    "funds_used": ("used", ""),
    "special_fund_provincial_level": ("earmarked_provincial", ""),
    "spend_venue_construction": ("venues", "facility"),
    "spend_exhibits_facilities": ("exhibits", "facility"),
    "free_entry_museum_central_subsidy": ("free_opening", "facility"),
    "central_fund_free_museum_opening": ("free_opening_obtained", "facility"),
    "fund_free_museum_opening": ("free_opening_obtained", "facility"),
    "kepu_plus_pilot_fund": ("pilots", "facility"),
    "spend_activities": ("activities", "activity"),
}


@dataclass(frozen=True, eq=False)
class Dataset(Spoken):
    """The tables of one checked data package.

    Attributes
    ----------
    root : folder the package was read from.
    hash : SHA-256 over the names and bytes of its files; two equal hashes are equal data.
    simulated : whether the figures are generated; every page must then say so.
    facts : one published figure a row, with ``row`` (line in ``facts.csv``) and ``year`` (of
        ``period_end``, missing where the period has no stated end); ``value`` in ``unit``.
    sources, indicators, regions, region_sets, measures, units, organisations, waves,
    assumptions, contradictions, doses, part_whole, levels, bands, covariates, subject,
    programmes, claims, events, neighbours : the tables that ``datapackage.json`` describes; the
    last four may have no rows.

    The tables are not changed in place, for what was once selected from them is kept: a package
    with other tables is made by ``dataclasses.replace``.

    Codes, ids and periods are strings, ``""`` where empty; numbers are ``float64``, whole numbers
    ``int64`` (``Int64`` where they may be missing), truth values ``bool``.
    """

    root: Path
    hash: str
    simulated: bool
    facts: pd.DataFrame
    sources: pd.DataFrame
    indicators: pd.DataFrame
    regions: pd.DataFrame
    region_sets: pd.DataFrame
    measures: pd.DataFrame
    units: pd.DataFrame
    organisations: pd.DataFrame
    waves: pd.DataFrame
    assumptions: pd.DataFrame
    contradictions: pd.DataFrame
    doses: pd.DataFrame
    part_whole: pd.DataFrame
    levels: pd.DataFrame
    bands: pd.DataFrame
    covariates: pd.DataFrame
    subject: pd.DataFrame
    programmes: pd.DataFrame
    claims: pd.DataFrame
    events: pd.DataFrame
    neighbours: pd.DataFrame
    composites: pd.DataFrame
    progress: pd.DataFrame
    objectives: pd.DataFrame
    statistics: pd.DataFrame
    calendar: pd.DataFrame

    def same(self, other: Dataset) -> bool:
        """Whether another has the same tables, read from the same place."""
        if (self.root, self.hash) != (other.root, other.hash):
            return False
        pairs = ((getattr(self, name), getattr(other, name)) for name in TABLES)
        return all(one is two or one.equals(two) for one, two in pairs)

    @cached_property
    def whole(self) -> str:
        """Code of the region that all others belong to."""
        return self.regions.loc[self.regions["parent_code"] == "", "code"].iloc[0]

    @property
    def outcome(self) -> str:
        """Indicator of the share that is surveyed and evaluated."""
        return str(self.subject["outcome"].iloc[0])

    @property
    def change(self) -> str:
        """Indicator of a printed change of the outcome; ``""`` where the package has none."""
        return str(self.subject["change"].iloc[0])

    @property
    def currency(self) -> str:
        """The unit costs and worth are stated in."""
        return str(self.subject["currency"].iloc[0])

    @property
    def unit_level(self) -> str:
        """The level that is compared: the first of those that can be."""
        return self.unit_levels[0]

    @cached_property
    def unit_levels(self) -> list[str]:
        """Analysed levels with enough regions to compare; without any, the last analysed one."""
        analysed = self.levels.loc[self.levels["analysed"], "level"]
        counts = self.kinds.value_counts().reindex(analysed, fill_value=0)
        return counts.index[counts >= MIN_REGIONS].tolist() or [counts.index[-1]]

    def compared(self, regions: Iterable[str]) -> Dataset:
        """The package as it compares ``regions``: at their own level where that can be compared.

        Reports of several levels stand side by side so: each rests on a study of its own level.
        """
        kinds = self.kinds.reindex(list(regions)).mode()
        level = next((kind for kind in kinds if kind in self.unit_levels), self.unit_level)
        if level == self.unit_level:
            return self
        return replace(self, levels=self.levels.assign(analysed=self.levels["level"] == level))

    @property
    def model_regions(self) -> pd.Index:
        """Regions of the panel: those of the level that is compared."""
        return pd.Index(self.kinds.index[self.kinds == self.unit_level])

    @cached_property
    def kinds(self) -> pd.Series:
        """Level each region counts as where regions are compared and listed, by code."""
        return self._level("counts_as")

    @cached_property
    def survey_levels(self) -> pd.Series:
        """Level whose survey assumptions hold for each region, by code."""
        return self._level("survey_as")

    def _level(self, column: str) -> pd.Series:
        levels = self.levels.set_index("level")[column]
        own = self.regions.set_index("code")["level"]
        return own.map(levels.where(levels != "", levels.index.to_series()))

    @property
    def levers(self) -> tuple[str, ...]:
        """Doses that a programme sets directly: all but those of money."""
        return tuple(self.doses.loc[self.doses["domain"] != "fund", "dose"])

    @property
    def money(self) -> str:
        """The first dose of money, which pays for the others; ``""`` where none is declared."""
        return next(iter(self.doses.loc[self.doses["domain"] == "fund", "dose"]), "")

    @property
    def conditions(self) -> pd.Series:
        """Indicator of each covariate, by its column of the panels: ``log2_`` before a doubling."""
        table = self.covariates
        names = ("log2_" + table["covariate"]).where(table["log"], table["covariate"])
        return pd.Series(table["indicator"].to_numpy(), index=pd.Index(names, dtype=str))

    @property
    def controls(self) -> dict[str, tuple[str, ...]]:
        """Columns held equal in models of gains (the opening level too) and of levels."""
        names = self.conditions.index
        gains, levels = (names[self.covariates[f"in_{kind}s"]] for kind in ("gain", "level"))
        return {"gain": ("opening", *gains), "level": tuple(levels)}

    def dose_label(self, dose: str, language: str, short: bool = False) -> str:
        """What the package calls a dose; its ``short`` name where it declares one."""
        row = self._doses[dose]
        return str((short and row[f"short_{language}"]) or row[f"label_{language}"])

    @cached_property
    def _doses(self) -> dict[str, dict[str, Any]]:
        return {row["dose"]: row for row in self.doses.to_dict("records")}

    def words(self, language: str) -> dict[str, str]:
        """Words that any text may use: what is compared, with what, and on which measures.

        ``unit, units`` : one region of the level compared, and several; ``whole`` : the region
        they all belong to; ``measure, measures`` : what the doses are, proxies, inputs or both;
        and those of :func:`subject_words`;
        a name with a capital, as ``Units``, is the same word at the beginning of a sentence.
        """
        level = self.levels.set_index("level").loc[self.unit_level]
        names = self.regions.set_index("code").loc[self.whole]
        found = {
            "unit": level[f"name_{language}"],
            "units": level["name_zh" if language == "zh" else "plural_en"],
            "whole": names["short_zh" if language == "zh" else "name_en"],
            "measure": str(t(f"word.{self.doses_are}", language)),
            "measures": str(t(f"word.{self.doses_are}.several", language)),
        }
        money = self.units.set_index("unit").at[self.currency, f"symbol_{language}"]
        return capitals(found) | subject_words(self.subject.iloc[0], money, language)

    @property
    def surveyed(self) -> pd.Series:
        """True where a fact is a surveyed rate of the outcome."""
        return (self.facts["indicator"] == self.outcome) & (self.facts["kind"] == "survey")

    @cached_property
    def doses_are(self) -> str:
        """What the doses are: ``proxy``, standing in for inputs, ``input``, or ``mixed``."""
        stands_in = self.indicators.set_index("indicator")["proxy"]
        found = self.doses["indicator"].map(stands_in).astype(bool)
        return "proxy" if found.all() else "mixed" if found.any() else "input"

    def assumed(self, parameter: str) -> float | None:
        """The declared value of a parameter that holds for all levels and waves, or None."""
        rows = self.assumptions
        general = (rows["level"] == "all") & (rows["wave"] == "")
        values = rows.loc[general & (rows["parameter"] == parameter), "value"]
        return None if values.empty else float(values.iloc[0])

    def counts(self) -> dict[str, int]:
        """Number of rows of each table."""
        return {name: len(getattr(self, name)) for name in TABLES}

    def table(self) -> pd.DataFrame:
        """Rows of each table: ``table, rows``."""
        return pd.DataFrame(list(self.counts().items()), columns=["table", "rows"])

    def summary(self, language: str = "en") -> str:
        """How much is in the package, in one sentence; a simulated one says so."""
        facts = self.facts
        rates = int(self.surveyed.sum())
        counts = {
            "facts": len(facts), "rates": rates, "regions": facts["region_code"].nunique(),
            "indicators": facts["indicator"].nunique(), "sources": len(self.sources),
        }  # fmt: skip
        shown = {name: whole(count) for name, count in counts.items()}
        warning = [say("speak.simulated", language)] if self.simulated else []
        words = self.words(language)
        return " ".join([*warning, say("speak.dataset", language, **words, **shown)])

    def plot(self, language: str = "en") -> Picture:
        """Which regions have a surveyed rate in which survey."""
        facts = self.facts
        rates = facts[self.surveyed]
        rates = rates[(rates["group"] == "") & rates["year"].isin(self.waves["wave"])]
        state = flagged(rates, *BARRED).map({True: "flagged", False: "published"})
        # Where a survey has a rate with a caveat and one without, the latter counts.
        known = rates.assign(state=state).sort_values("state", kind="stable")
        known = known.set_index(["region_code", "year"])["state"].to_dict()
        names = self.regions.set_index("code")["short_zh" if language == "zh" else "name_en"]
        rows = [
            (names[code], wave, known.get((code, wave), "missing"))
            for code in self.model_regions
            for wave in self.waves["wave"]
        ]
        frame = pd.DataFrame(rows, columns=["region", "year", "state"])
        charts = figures()
        states = {name: str(t(f"coverage.{name}", language)) for name in charts.TILES}
        return charts.coverage(frame, states=states)

    def __repr__(self) -> str:
        rates, name = int(self.surveyed.sum()), self.subject["outcome_en"].iloc[0]
        kind = "simulated " if self.simulated else ""
        return (
            f"Dataset({self.root.as_posix()}, {self.hash[:SHOWN_DIGITS]}: {len(self.facts):,} "
            f"{kind}facts, {rates:,} of them surveyed {name} rates, on "
            f"{self.facts['region_code'].nunique()} regions and "
            f"{self.facts['indicator'].nunique()} indicators from {len(self.sources)} sources; "
            f"{len(self.waves)} waves)"
        )


def capitals(words: Mapping[str, str]) -> dict[str, str]:
    """Words, and each with a capital under its name with a capital."""
    return {**words, **{key.capitalize(): w[:1].upper() + w[1:] for key, w in words.items()}}


def subject_words(subject: Mapping[str, str], money: str, language: str) -> dict[str, str]:
    """Words for what a package is about, with and without a capital.

    ``share, outcome, topic, people, have, person, persons, a_person, reference, programme,
    definition, explanation`` : those of ``subject.csv``, of which ``subject`` is the row;
    ``currency`` : ``money``; ``rate_key`` : the indicator of the outcome.
    """
    found = {name: subject[f"{name}_{language}"] for name in SUBJECT}
    person, article = found["person"], ""
    if language == "en":
        article = "an " if person[:1].lower() in "aeiou" else "a "
    return capitals({
        **found,
        "persons": subject["persons_en"] if language == "en" else person,
        "a_person": f"{article}{person}",
        "definition": marked(subject[f"definition_{language}"]),
        "explanation": marked(subject[f"explanation_{language}"]),
        "currency": money,
        "rate_key": subject["outcome"],
    })  # fmt: skip


_held: dict[str, Dataset] = {}


def hold(dataset: Dataset) -> None:
    """Keep a package in memory, for this process and those forked from it: ``load`` finds it."""
    _held[dataset.hash] = dataset


def load(
    path: str | Path | Files = "data", checked_hash: str = "", complete: bool = False
) -> Dataset:
    """Read the data package at ``path``; its contract is checked once for each of its states.

    Where the package declares a ``small_number_threshold``, facts that tell of fewer people are
    left out, and those that would tell them.

    Parameters
    ----------
    path : folder with ``datapackage.json`` and its tables, or its files as they were read.
    checked_hash : hash of a package that has been checked before; a package of the same hash is
        not checked again.
    complete : with the facts that are left out: for the office alone.

    Raises
    ------
    DataError
        Listing every breach of the contract, each with file, row, column, rule and remedy.
    """
    files = path if isinstance(path, Files) else read_files(Path(path))
    root, digest = files.root, files.hash
    if digest in _held and not complete:
        # Copies on write: what a caller does to its tables leaves the ones held as they are.
        held = _held[digest]
        return replace(held, root=root, **{n: getattr(held, n).copy(deep=False) for n in TABLES})
    package = contract.read(files)

    def check() -> str:
        if violations := contract.breaches(package):
            raise DataError(violations)
        return digest

    # A package that cannot be read as a whole is refused, checked before or not.
    if any(name not in package.tables for name in TABLES):
        check()
    elif digest != checked_hash:
        remembered("checked", digest, check, contract.__name__)
    frames = {name: _typed(name, package) for name in TABLES}
    frames["facts"] = _dated(frames["facts"])
    dataset = Dataset(root=root, hash=digest, simulated=package.simulated, **frames)
    return dataset if complete else protect.without(dataset)


def _typed(table: str, package: contract.Package) -> pd.DataFrame:
    """One table with the types of its columns; of facts, the line in the file as column ``row``."""
    text = package.tables[table]
    own = contract.fields(table)
    known = {field["name"] for field in own}
    added = [field for field in package.schemas[table]["fields"] if field["name"] not in known]
    columns = {field["name"]: _column(text, field) for field in [*own, *added]}
    frame = pd.DataFrame(columns, index=text.index)
    if table == "facts":
        frame["row"] = text.index.to_numpy()
    return frame.reset_index(drop=True)


def _column(table: pd.DataFrame, field: dict[str, Any]) -> pd.Series:
    kind, name = field["type"], field["name"]
    # An optional column that is not there is empty.
    text = table[name] if name in table else pd.Series("", index=table.index, dtype=str)
    if kind == "string":
        return text
    if kind == "boolean":
        return text.isin(field.get("trueValues", contract.TRUE))
    numbers = pd.to_numeric(text.where(text != ""))
    if kind == "number":
        return numbers.astype(float)
    required = field.get("constraints", {}).get("required", False)
    return numbers.astype("int64" if required else "Int64")


def _dated(facts: pd.DataFrame) -> pd.DataFrame:
    year = each(facts["period_end"], lambda period: period[:4])
    return facts.assign(year=pd.to_numeric(year.where(year != "")).astype("Int64"))


def has_caveat(facts: pd.DataFrame) -> pd.Series:
    """True where a fact carries a caveat that bars it from the estimates."""
    return flagged(facts, *BARRED)


def grade_of(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """Best grade (A before B before C) among the sources of each fact."""
    grades = dict(zip(sources["source_id"], sources["grade"], strict=True))
    return each(facts["source_id"], lambda ids: min(grades[i] for i in ids.split(";")))


def only_copies(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.Series:
    """True where no source of a fact was read at the address of who published it first."""
    copies = set(sources.loc[sources["mirror"], "source_id"])
    return each(facts["source_id"], lambda ids: copies.issuperset(ids.split(";"))).astype(bool)


def usable(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """Unflagged facts, one row a (region, series, period, group, kind).

    Where several sources print the same value, the best-graded and best-corroborated row stands
    for all; ``also_printed_by`` lists the others. Returns the columns of ``facts`` and ``grade``.
    """
    kept = facts[~has_caveat(facts)].copy()
    kept["grade"] = grade_of(kept, sources)
    keys = ["region_code", "series", "period_start", "period_end", "group", "kind"]
    several = kept.duplicated(keys, keep=False)
    if not several.any():
        return _by_id(kept.assign(also_printed_by=""))
    # Few facts have a second source: only those are ordered and grouped.
    best = ["grade", "corroborated", "fact_id"]
    ranked = kept[several].sort_values(best, ascending=[True, False, True], kind="stable")
    again = ranked.duplicated(keys)
    first = pd.concat([kept[~several], ranked[~again]])
    others = ranked[again].groupby(keys, as_index=False)["fact_id"].agg(";".join)
    others = others.rename(columns={"fact_id": "also_printed_by"})
    found = first.merge(others, on=keys, how="left").fillna({"also_printed_by": ""})
    return _by_id(found)


def _by_id(facts: pd.DataFrame) -> pd.DataFrame:
    if facts["fact_id"].is_monotonic_increasing:  # as they mostly stand; to sort texts takes long
        return facts.reset_index(drop=True)
    return facts.sort_values("fact_id", ignore_index=True)


def surveyed_rates(dataset: Dataset, flagged: bool = False) -> pd.DataFrame:
    """Survey rates of whole regions, in percent; ``flagged=True`` returns the barred ones instead.

    Returns the columns of ``facts``; unflagged rows also carry ``grade`` and ``also_printed_by``.
    """
    rates = dataset.facts[dataset.surveyed & (dataset.facts["group"] == "")]
    return rates[has_caveat(rates)] if flagged else usable(rates, dataset.sources)


def targets(dataset: Dataset) -> pd.DataFrame:
    """Targets of the outcome, one row a (region, year); a target raised later replaces the first.

    Returns columns ``region_code, year, value, comparator, fact_id, source_id, grade, flagged``:
    a flagged one is known only from a source that nothing is judged by.
    """
    facts, contradictions = dataset.facts, dataset.contradictions
    rows = facts[(facts["indicator"] == dataset.outcome) & (facts["kind"] == "target")]
    # The contradictions table lists a raised target as "first;later".
    raised = contradictions.loc[contradictions["kind"] == "target_raised", "fact_ids"]
    replaced = {ids.split(";")[0] for ids in raised}
    rows = rows[~rows["fact_id"].isin(replaced)].assign(
        grade=lambda x: grade_of(x, dataset.sources), flagged=has_caveat
    )
    rows = rows.sort_values(["flagged", "grade", "fact_id"])
    rows = rows.drop_duplicates(["region_code", "year"])
    columns = [
        "region_code", "year", "value", "comparator", "fact_id", "source_id", "grade", "flagged",
    ]  # fmt: skip
    return rows[columns].sort_values(["region_code", "year"], ignore_index=True)


def stated(dataset: Dataset, parameter: str) -> float | None:
    """The value of a parameter of ``assumptions.csv`` that holds for all levels, if one stands."""
    table = dataset.assumptions
    values = table.loc[(table["parameter"] == parameter) & (table["level"] == "all"), "value"]
    return None if values.empty else float(values.iloc[0])


def by_year(dataset: Dataset, indicator: str) -> pd.DataFrame:
    """One indicator as ``region_code, year, value, series, fact_id``, unflagged facts only.

    A first print gives way to the revised statistic, which carries the plain series name.
    """
    if dataset not in _statistics:
        rows = _statistic_facts(dataset.facts, dataset.sources)
        columns = ["region_code", "year", "value", "series", "fact_id"]
        _statistics[dataset] = rows[columns], rows.groupby("indicator").indices
    rows, places = _statistics[dataset]
    return rows.take(places.get(indicator, [])).reset_index(drop=True)


# A report asks for the same few indicators again and again; sorting them out is most of its work.
_statistics: WeakKeyDictionary[Dataset, tuple[pd.DataFrame, dict]] = WeakKeyDictionary()


def _statistic_facts(facts: pd.DataFrame, sources: pd.DataFrame) -> pd.DataFrame:
    """One unflagged statistic of the whole region for each indicator, region and year."""
    rows = facts[(facts["group"] == "") & (facts["kind"] == "statistic") & facts["year"].notna()]
    rows = usable(rows, sources)
    # From the plain series first, then by identifier, as ``usable`` orders them.
    other = (rows["series"] != rows["indicator"]).to_numpy()
    rows = pd.concat([rows[~other], rows[other]])
    rows = rows.drop_duplicates(["indicator", "region_code", "year"])
    return rows.sort_values(["region_code", "year"], ignore_index=True)
