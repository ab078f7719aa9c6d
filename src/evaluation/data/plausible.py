"""Figures that look implausible on the scale of their own package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evaluation.base.cache import remembered
from evaluation.data.rules import ancestors, each

if TYPE_CHECKING:
    from evaluation.data.package import Dataset

# ------------------------------------------------------------------------------------------
# How far each figure lies from its neighbours in time and from its peers, on the data's own
# scale.


SHARE = "percent"
# The median absolute deviation of a normal sample times this is its standard deviation.
NORMAL = 1.4826
# Fewer peers than this do not tell what is common to a year, nor a region's place among them.
PEERS = 5
# From fewer deviations no scale can be told; see SCALE_UNKNOWN in ``plausible``.
SAMPLE = 12
ROUNDS = 4  # of median polish; later ones change nothing that is printed


def prepared(facts: pd.DataFrame, regions: pd.DataFrame, countable: frozenset[str]) -> pd.DataFrame:
    """Facts that can be compared, on the scale of comparison.

    Returns
    -------
    The columns of ``facts`` and ``share``, ``half`` (added before a logarithm, so that a count may
    be zero), ``y`` (transformed value), ``t`` (year), ``panel`` (figures of one indicator and
    kind), ``line`` (one series of one region and group), ``depth`` of the region below the nation.
    """
    half = np.where(facts["unit"].isin(countable), 0.5, 0.0)
    frame = facts.assign(share=facts["unit"] == SHARE, half=half, t=facts["year"].astype(float))
    keys = ["region_code", "series", "group", "kind"]
    frame["y"] = transformed(frame["value"], frame)
    frame = frame[frame["y"].notna() & frame["t"].notna()].copy()
    frame["panel"] = frame.groupby(["indicator", "unit", "kind"]).ngroup()
    frame["line"] = frame.groupby(keys).ngroup()
    # What is common to a year is told by regions, whatever definitions their figures follow.
    frame["place"] = frame.groupby(["panel", "region_code", "group"]).ngroup()
    parents = dict(zip(regions["code"], regions["parent_code"], strict=True))
    depths = {code: len(ancestors(parents, code)) for code in parents}
    frame["depth"] = frame["region_code"].map(depths)
    frame["parent"] = frame["region_code"].map(parents)
    return frame


def transformed(value: pd.Series, like: pd.DataFrame) -> pd.Series:
    """Values on the scale of comparison; missing where they have none (zero funds, losses)."""
    value = value.astype(float)
    share = 2 * np.arcsin(np.sqrt(value.clip(0, 100) / 100))
    positive = (value + like["half"]).where(value >= 0)
    logarithm = np.log(positive.where(positive > 0))
    return share.where(like["share"], logarithm)


def returned(y: pd.Series, like: pd.DataFrame) -> pd.Series:
    """Values in their own unit; the inverse of :func:`transformed`."""
    share = 100 * np.sin(y.clip(0, np.pi) / 2) ** 2
    return share.where(like["share"], (np.exp(y) - like["half"]).clip(lower=0))


def common(frame: pd.DataFrame) -> pd.Series:
    """What is common to all figures of a panel in a year, by median polish; zero where unknown.

    A year with few regions takes its value from the years beside it.
    """
    year = frame.groupby(["panel", "t"]).ngroup()
    known = frame.groupby(year)["place"].transform("nunique") >= PEERS
    place = pd.Series(0.0, frame.index)
    effect = place
    for _ in range(ROUNDS):
        effect = (frame["y"] - place).groupby(year).transform("median").where(known)
        place = (frame["y"] - effect).groupby(frame["place"]).transform("median").fillna(0)
    effect = effect.copy()
    told = frame.assign(effect=effect)[known].drop_duplicates(["panel", "t"]).sort_values("t")
    curves = {panel: (rows["t"], rows["effect"]) for panel, rows in told.groupby("panel")}
    for panel, rows in frame[~known].groupby("panel"):
        effect[rows.index] = np.interp(rows["t"], *curves[panel]) if panel in curves else 0.0
    return effect


def in_time(frame: pd.DataFrame, effect: pd.Series) -> pd.DataFrame:
    """Each figure beside the two nearest of its series, less what is common to the years.

    A figure alone in its series stands beside those of its region by other definitions.

    Returns
    -------
    Index of ``frame``, only rows with a neighbour; ``off`` (how far ``y`` lies beyond both
    neighbours, zero between them), ``scale`` (robust standard deviation of a difference over as
    many years), ``known`` (how many differences of the panel there are), ``t_a, t_b, v_a, v_b``
    (years and values of the neighbours, the second may be missing), ``own`` (one series).
    """
    cell = frame.assign(whole=frame["group"] == "").groupby(["panel", "depth", "whole"]).ngroup()
    rows = frame[["line", "place", "t", "panel", "value"]]
    rows = rows.assign(e=frame["y"] - effect, cell=cell)
    own = _neighbours(rows, "line")
    alone = rows[~rows.index.isin(own.index)]
    others = _neighbours(rows, "place").reindex(alone.index).dropna(subset="e_a")
    rows = rows.join(pd.concat([own.assign(own=True), others.assign(own=False)]), how="inner")
    a = rows["e"] - rows["e_a"]
    b = (rows["e"] - rows["e_b"]).fillna(a)
    nearer = a.abs() <= b.abs()
    rows["off"] = a.where(nearer, b).where(np.sign(a) == np.sign(b), 0.0)
    years = (rows["t"] - rows["t_a"].where(nearer, rows["t_b"])).abs()
    typical = (a.abs() + b.abs()) / 2
    rows["scale"] = _typical(typical, rows, years)
    rows["known"] = typical.groupby(rows["panel"]).transform("count")
    return rows[["off", "scale", "known", "t_a", "t_b", "v_a", "v_b", "own"]]


def _neighbours(rows: pd.DataFrame, by: str) -> pd.DataFrame:
    """Year, value and level of the two nearest: before and after, or both on the one side."""
    points = rows.groupby([by, "t"], as_index=False).agg(v=("value", "first"), e=("e", "median"))
    at = {step: points.groupby(by)[["t", "v", "e"]].shift(step) for step in (2, 1, -1, -2)}
    first, second = at[1].fillna(at[-2]), at[-1].fillna(at[2])
    lone = first["e"].isna()
    first, second = first.where(~lone, second), second.mask(lone)
    near = points[[by, "t"]].join(first.add_suffix("_a")).join(second.add_suffix("_b"))
    joined = rows[[by, "t"]].reset_index().merge(near[first["e"].notna()], on=[by, "t"])
    return joined.set_index("index").drop(columns=[by, "t"])


def _typical(change: pd.Series, rows: pd.DataFrame, years: pd.Series) -> pd.Series:
    """Robust standard deviation of a change of such figures over as many years.

    It grows with the root of the years beyond the usual ones: up to these it is mostly the error
    of a figure, then what happened. ``cell`` of ``rows`` says whose changes are compared; where
    these are too few, those of the whole panel.
    """
    found = pd.Series(np.nan, rows.index)
    for by in ("cell", "panel"):
        root = np.sqrt((years / years.groupby(rows[by]).transform("median")).clip(lower=1))
        own = (change / root).groupby(rows[by])
        scale = NORMAL * own.transform("median") * root
        enough = own.transform("count") >= SAMPLE
        found = found.fillna(scale.where(enough) if by == "cell" else scale)
    return found


def beside_peers(frame: pd.DataFrame, effect: pd.Series, head: pd.Series) -> pd.DataFrame:
    """Each figure beside those of other regions at the same depth; amounts per resident.

    Parameters
    ----------
    head : logarithm of the residents, missing where not known. Whether a panel is an amount is
        told by its spread, which division by the residents makes smaller.

    Returns
    -------
    Index of ``frame``; ``off``, ``scale``, ``peers`` (how many other regions) and ``per_head``.
    """
    plain = _among(frame, frame["y"] - effect)
    divided = _among(frame, frame["y"] - effect - head)
    per_head = (divided["scale"] < plain["scale"]) & (divided["peers"] >= PEERS)
    return divided.where(per_head, plain).assign(per_head=per_head)


def _among(frame: pd.DataFrame, level: pd.Series) -> pd.DataFrame:
    """Deviations from the median of a depth, or of all groups, after what they are parts of.

    A region is part of the one above, a group of its region; where the whole is not known, those
    without a whole are compared with each other.
    """
    whole = frame["group"] == ""
    figures = level.groupby([frame["panel"], frame["region_code"], frame["group"]]).median()
    above = figures.reindex(
        pd.MultiIndex.from_arrays(
            [frame["panel"], frame["parent"].where(whole, frame["region_code"]), [""] * len(frame)]
        )
    ).to_numpy()
    within = ~np.isnan(above)
    level = level - np.where(within, above, 0.0)
    cell = frame.assign(whole=whole, within=within)
    cell = cell.groupby(["panel", "depth", "whole", "within"]).ngroup()
    # One place a region, so that long series do not outvote the others.
    place = level.groupby([cell, frame["place"]]).transform("median")
    once = place.where(~pd.DataFrame({"cell": cell, "place": frame["place"]}).duplicated())
    centre = once.groupby(cell).transform("median")
    scale = NORMAL * (once - centre).abs().groupby(cell).transform("median")
    peers = once.groupby(cell).transform("count") - 1
    return pd.DataFrame({"off": level - centre, "scale": scale, "peers": peers})


# ------------------------------------------------------------------------------------------
# Figures that look implausible beside the rest of their package; a person decides about each.


CONFIRMED_BY = "confirmed_by"
REMEDY = (
    "compare it with the source; correct the row, or write who confirmed the figure into "
    f"its column {CONFIRMED_BY}"
)
TITLES = {
    "fraction": "a fraction of something that is counted whole",
    "printed": "another number than the source prints",
    "period": "a year out of line",
    "sample": "a sample size out of line",
    "change": "a figure away from the path of its series",
    "peers": "a figure far from those of other regions",
}
SURVEYED = ("survey", "statistic")  # of what has happened; targets and norms may lie ahead
SAMPLE_SIZE = ("survey_sample_valid", "sample_size")  # as an indicator and as an assumption
# Robust standard deviations beyond which a figure is named. With normal errors 4.5 would name
# one in 150,000; real series have heavier tails, those of shares less so than those of amounts.
CHANGE, CHANGE_LONE = {True: 3.5, False: 6.0}, {True: 4.5, False: 6.0}
# Peers differ for good reasons and lasting ones, so that only the far end of them is odd.
PLACE = {True: 4.0, False: 6.0}
# Smaller changes are never named, however still a series is: 0.1 is 8 % for 5.4 % or 31 % for
# 26.5 %; a factor below 2.5 is a new count, not a lost digit.
LEAST = {True: 0.1, False: np.log(2.5)}
# Where too few changes are known for a scale: a rate of 8 % read as 40 %, a factor of six.
SCALE_UNKNOWN = {True: 0.8, False: np.log(6.0)}
# Beyond the smallest or largest other sample; a nation is sampled like some forty of its parts.
SAMPLE_FACTOR = 40.0
# A year this far from every year with several figures has a digit wrong.
LONELY, FREQUENT = 10, 3
DECADE = 10
RARE, USUAL = 0.1, 0.5  # share of the lines of a panel that have a figure in a year
MAGNITUDES = {"百": 1e2, "千": 1e3, "万": 1e4, "亿": 1e8}
PRINTED = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*[多余几]?\s*([百千]?[万亿]?)")


@dataclass(frozen=True)
class Implausible:
    """One figure that looks odd beside others.

    ``rule`` is a code: ``fraction``, ``printed``, ``period``, ``sample``, ``change`` or ``peers``.
    ``sentence`` says what is odd and gives the figures it was compared with. ``confirmed_by`` is
    empty while nobody has confirmed the figure.
    """

    file: str
    row: int
    column: str
    fact_id: str
    rule: str
    sentence: str
    remedy: str = REMEDY
    confirmed_by: str = ""

    def __str__(self) -> str:
        name = f" ({self.fact_id})" if self.fact_id else ""
        return f"{self.file}, row {self.row}{name}, column {self.column}: {self.sentence}"


def warnings(dataset: Dataset) -> list[Implausible]:
    """Every figure of a package that looks implausible, at most one warning a cell, by row.

    Confirmed figures are among them, with the name in ``confirmed_by``.
    """
    facts = dataset.facts
    by = facts.get(CONFIRMED_BY, pd.Series("", facts.index)).astype(object)
    facts = facts.assign(**{CONFIRMED_BY: by.where(by.notna(), "")})
    # Units of whole things, also in thousands of them; none where no unit says so.
    units = dataset.units
    counted = units.get("countable", pd.Series(False, units.index)).astype(bool)
    whole = units["base_unit"].isin(units.loc[counted, "unit"])
    countable = frozenset(units.loc[whole, "unit"])
    frame = prepared(facts, dataset.regions, countable)
    effect = common(frame)
    in_time_ = in_time(frame, effect)
    found = [
        *_fractions(facts, units, countable),
        *_printed_otherwise(facts, units),
        *_periods(facts, dataset.sources),
        *_moved_decades(frame),
        *_sample_sizes(facts, dataset.assumptions),
        *_changes(frame, in_time_),
        *_places(frame, effect, in_time_, dataset),
    ]
    once: dict[tuple[str, int, str], Implausible] = {}
    for warning in found:
        once.setdefault((warning.file, warning.row, warning.column), warning)
    return sorted(once.values(), key=lambda w: (w.file, w.row, w.column))


def told(dataset: Dataset) -> dict[str, Any]:
    """``lines`` for a person, and how many odd figures are ``unconfirmed``; once for each state."""

    def make() -> dict[str, Any]:
        found = warnings(dataset)
        waiting = sum(not warning.confirmed_by for warning in found)
        return {"lines": listing(found), "unconfirmed": waiting}

    return remembered("plausible", dataset.hash, make, __name__)


def listing(found: list[Implausible]) -> list[str]:
    """Lines for a person: the unconfirmed by rule, each group with its remedy, then the counts."""
    lines = []
    waiting = [warning for warning in found if not warning.confirmed_by]
    for rule, title in TITLES.items():
        group = [warning for warning in waiting if warning.rule == rule]
        if group:
            lines += [f"{title} ({rule}):", *(f"  {warning}" for warning in group)]
            lines += [f"  — {remedy}" for remedy in dict.fromkeys(w.remedy for w in group)]
    if found:
        lines.append(
            f"implausible figures: {len(waiting):,} nobody has confirmed, "
            f"{len(found) - len(waiting):,} confirmed"
        )
    return lines


def _warn(rows: pd.DataFrame, column: str, rule: str, sentences: list[str]) -> list[Implausible]:
    return [
        Implausible("facts.csv", int(row), column, fact, rule, sentence, REMEDY, by)
        for row, fact, by, sentence in zip(
            rows["row"], rows["fact_id"], rows[CONFIRMED_BY], sentences, strict=True
        )
    ]


def _fractions(facts: pd.DataFrame, units: pd.DataFrame, countable: frozenset[str]):
    """Half a person, half a museum; 1.2 in ten thousands is 12,000 and whole."""
    factor = facts["unit"].map(dict(zip(units["unit"], units["factor"], strict=True)))
    number = facts["value"] * factor
    whole = (number - number.round()).abs() <= 1e-9 * number.abs().clip(lower=1)
    rows = facts[facts["unit"].isin(countable) & number.notna() & ~whole]
    return _warn(rows, "value", "fraction", [
        f"{value:.12g} {unit} is no whole number, and the unit counts whole things"
        for value, unit in zip(rows["value"], rows["unit"], strict=True)
    ])  # fmt: skip


def _printed_otherwise(facts: pd.DataFrame, units: pd.DataFrame) -> list[Implausible]:
    """A value that is not the one number ``figure_as_written`` shows.

    An indicator that prints its figures in another form throughout is left out.
    """
    rows = facts[facts["figure_as_written"] != ""]
    numbers = rows["figure_as_written"].map(_numbers)
    rows, numbers = rows[numbers.map(len) == 1], numbers[numbers.map(len) == 1]
    printed = numbers.map(lambda found: found[0]).astype(float)
    factor = rows["unit"].map(dict(zip(units["unit"], units["factor"], strict=True))).astype(float)
    same = np.isclose(rows["value"], printed, rtol=1e-6) | np.isclose(
        rows["value"] * factor, printed, rtol=1e-6
    )
    other_form = pd.Series(~same, rows.index).groupby(rows["indicator"]).transform("sum") > 2
    rows = rows[~same & ~other_form]
    return _warn(rows, "value", "printed", [
        f"{value:.12g} {unit}, where figure_as_written is {text}"
        for value, unit, text in zip(
            rows["value"], rows["unit"], rows["figure_as_written"], strict=True
        )
    ])  # fmt: skip


def _numbers(text: str) -> list[float]:
    found = []
    for digits, magnitudes in PRINTED.findall(text):
        number = float(digits.replace(",", ""))
        found.append(number * float(np.prod([MAGNITUDES[sign] for sign in magnitudes])))
    return found


def _year(text: pd.Series) -> pd.Series:
    """Years of periods and dates; few differ, so that each is read once."""
    codes, known = pd.factorize(text, use_na_sentinel=False)
    years = pd.to_numeric(pd.Series(known).astype(str).str[:4], errors="coerce")
    return pd.Series(years.to_numpy(dtype=float)[codes], text.index)


def _periods(facts: pd.DataFrame, sources: pd.DataFrame) -> Iterator[Implausible]:
    """Years far from those of all other figures, or later than the source of the figure."""
    every = _year(facts["period_end"]).fillna(_year(facts["period_start"]))
    counts = every.value_counts()
    usual = np.sort(counts[counts >= FREQUENT].index.to_numpy())
    for column in ("period_end", "period_start") if len(usual) else ():
        rows = facts[_year(facts[column]).notna()]
        year = _year(rows[column]).to_numpy()
        few, place = np.unique(year, return_inverse=True)
        near = usual[np.abs(few[:, None] - usual[None, :]).argmin(axis=1)][place]
        lonely = np.abs(year - near) >= LONELY
        yield from _warn(rows[lonely], column, "period", [
            f"the year {int(y)} lies {int(abs(y - n))} years from {int(n)}, the nearest of which "
            "there are several figures"
            for y, n in zip(year[lonely], near[lonely], strict=True)
        ])  # fmt: skip
    published = _published(facts, sources, every)
    rows = facts[facts["kind"].isin(SURVEYED) & (_year(facts["period_end"]) > published)]
    yield from _warn(rows, "period_end", "period", [
        f"the figure is for {end}, and its sources ({ids}) are of {int(date)}"
        for end, ids, date in zip(
            rows["period_end"], rows["source_id"], published[rows.index], strict=True
        )
    ])  # fmt: skip


def _published(facts: pd.DataFrame, sources: pd.DataFrame, years: pd.Series) -> pd.Series:
    """Year of the latest source of each fact; of the latest of all where none is dated."""
    dates = _year(sources["date"]).dropna()
    latest = dates.max() if len(dates) else years.max()
    of = dict(zip(sources["source_id"], _year(sources["date"]), strict=True))

    def last(ids: str) -> float:
        dated = [of[source] for source in ids.split(";") if not np.isnan(of.get(source, np.nan))]
        return max(dated, default=np.nan)

    return each(facts["source_id"], last).astype(float).fillna(latest)


def _moved_decades(frame: pd.DataFrame) -> list[Implausible]:
    """A year few other regions have, while a decade away one is missing that most have."""
    frame = frame[frame["kind"].isin(SURVEYED)]
    cell = frame.groupby(["panel", "depth"]).ngroup()
    cells = frame.assign(cell=cell)[["cell", "place", "t"]].drop_duplicates()
    regions = cells.groupby("cell")["place"].nunique()
    share = cells.groupby(["cell", "t"])["place"].count().div(regions, level="cell")
    own = pd.MultiIndex.from_frame(cells[["place", "t"]])
    many = (cell.map(regions) > PEERS).to_numpy()
    here = share.reindex(_index(cell, frame["t"])).to_numpy()
    found = []
    for step in (-DECADE, DECADE):
        there = share.reindex(_index(cell, frame["t"] + step)).fillna(0).to_numpy()
        gap = ~_index(frame["place"], frame["t"] + step).isin(own)
        rows = frame[many & gap & (here <= RARE) & (there >= USUAL)]
        found += _warn(rows, "period_end", "period", [
            f"{indicator} of {int(t)}, which few other regions have; this one has none of "
            f"{int(t) + step}, which most have"
            for indicator, t in zip(rows["indicator"], rows["t"], strict=True)
        ])  # fmt: skip
    return found


def _index(*columns: pd.Series) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([column.to_numpy() for column in columns])


def _sample_sizes(facts: pd.DataFrame, assumptions: pd.DataFrame) -> list[Implausible]:
    """Numbers of respondents far below or above all others, published and assumed."""
    published = facts.loc[facts["indicator"] == SAMPLE_SIZE[0]]
    assumed = assumptions[assumptions["parameter"] == SAMPLE_SIZE[1]]
    sizes = [*published["value"].dropna(), *assumed["value"].dropna()]
    return [
        *_far_sizes(published, sizes, "facts.csv"),
        *_far_sizes(assumed, sizes, "assumptions.csv"),
    ]


def _far_sizes(rows: pd.DataFrame, sizes: list[float], file: str) -> Iterator[Implausible]:
    ordered = sorted(sizes)
    if len(ordered) <= PEERS:
        return
    # The smallest and the largest of the others: all but the one that is judged.
    value = rows["value"]
    least = np.where(value == ordered[0], ordered[1], ordered[0])
    most = np.where(value == ordered[-1], ordered[-2], ordered[-1])
    far = (value < least / SAMPLE_FACTOR) | (value > most * SAMPLE_FACTOR)
    few = rows.assign(least=least, most=most)[far]
    for index, record in zip(few.index, few.to_dict("records"), strict=True):
        n, others = record["value"], (record["least"], record["most"])
        place = int(record.get("row", index + 2))
        yield Implausible(
            file, place, "value", record.get("fact_id", record.get("assumption_id", "")), "sample",
            f"a sample of {n:,.12g}, where the others are {others[0]:,.12g} to {others[-1]:,.12g}",
            REMEDY, record.get(CONFIRMED_BY) or "",
        )  # fmt: skip


def _by_share(table: dict[bool, float], frame: pd.DataFrame) -> np.ndarray:
    return np.where(frame["share"], table[True], table[False])


def _least(rows: pd.DataFrame, known: pd.Series) -> np.ndarray:
    """What is never named however narrow the scale: more, where too few figures tell a scale."""
    told = (known >= SAMPLE).to_numpy()
    return np.where(told, _by_share(LEAST, rows), _by_share(SCALE_UNKNOWN, rows))


def _changes(frame: pd.DataFrame, off: pd.DataFrame) -> list[Implausible]:
    """Figures that leave the path of their series further than such series ever do."""
    rows = frame.loc[off.index].join(off)
    least = _least(rows, rows["known"])
    times = np.where(rows["t_b"].notna(), _by_share(CHANGE, rows), _by_share(CHANGE_LONE, rows))
    far = rows["off"].abs() > times * rows["scale"]
    rows = rows[far & (rows["off"].abs() > least)]
    expected = returned(rows["y"] - rows["off"], rows)
    return _warn(rows, "value", "change", [
        f"{_named(record)} in {int(record['t'])}, where about {about:.3g} follows from "
        f"{'its series' if record['own'] else 'other series of the region'} ({_near(record)}) and "
        "the changes elsewhere"
        for record, about in zip(rows.to_dict("records"), expected, strict=True)
    ])  # fmt: skip


def _named(record: dict) -> str:
    return (
        f"{record['indicator']} ({record['kind']}) of {record['region_code']} is "
        f"{record['value']:.12g} {record['unit']}"
    )


def _near(record: dict) -> str:
    """The neighbours in time as ``2015: 4.75; 2020: 8.73``."""
    pairs = sorted((record[f"t_{side}"], record[f"v_{side}"]) for side in "ab")
    return "; ".join(f"{int(t)}: {value:.12g}" for t, value in pairs if t == t)


def _places(
    frame: pd.DataFrame, effect: pd.Series, in_time: pd.DataFrame, dataset: Dataset
) -> list[Implausible]:
    """Figures without neighbours in time, far from those of all regions at the same depth.

    A series of its own says more than peers: a capital stands out year after year.
    """
    names = set(dataset.doses["denominator"]) - {""}
    known = frame[frame["indicator"].isin(names) & (frame["group"] == "")]
    known = known.drop_duplicates(["region_code", "t"]).sort_values("t")
    ordered = frame[["region_code", "t"]].assign(at=frame.index).sort_values("t")
    near = pd.merge_asof(
        ordered, known[["region_code", "t", "y"]], on="t", by="region_code", direction="nearest"
    ).set_index("at")["y"]
    amounts = ~frame["share"] & ~frame["indicator"].isin(names)
    head = near.reindex(frame.index).where(amounts)
    off = beside_peers(frame, effect, head)
    rows = frame.join(off)[~frame.index.isin(in_time.index)]
    far = rows["off"].abs() > _by_share(PLACE, rows) * rows["scale"]
    far &= rows["off"].abs() > _least(rows, rows["peers"])
    rows = rows[far & (rows["peers"] >= PEERS)]
    typical = returned(rows["y"] - rows["off"], rows)
    return _warn(rows, "value", "peers", [
        f"{_named(record)}, where about {about:.3g} would be usual beside {int(record['peers'])} "
        "other regions" + (" of as many residents" if record["per_head"] else "")
        for record, about in zip(rows.to_dict("records"), typical, strict=True)
    ])  # fmt: skip
