"""What a change of composition accounts for in a gain, and what it leaves to everything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.data import Dataset
from evaluation.doses import STALE
from evaluation.errors import KepuError
from evaluation.observations import RATE, by_year, usable
from evaluation.survey import normal_quantile
from evaluation.targets.kitagawa import gap_bounds, implied_share, joint_bounds, kitagawa

COLLEGE = ("junior college", "bachelor or above", "university or above")
BELOW = ("primary or below", "junior secondary", "senior secondary")
SHARES = {"residence": "urbanisation_rate", "education": "college_share_6plus"}


@dataclass(frozen=True)
class Part:
    """One characteristic: its share before and after (percent), and the points of the gain that go
    with its change, exact (``low == high``) or bounded."""

    name: str
    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True)
class Decomposition:
    """A gain, its interval, and its parts in percentage points.

    ``joint`` bounds what all characteristics account for together; ``rest`` is the gain less
    ``joint``. ``absent`` names characteristics that nothing published allows to be taken apart.
    """

    region: str
    first: int
    last: int
    gain: float
    low: float
    high: float
    parts: tuple[Part, ...]
    joint: tuple[float, float]
    absent: tuple[str, ...]

    @property
    def rest(self) -> tuple[float, float]:
        return self.gain - self.joint[1], self.gain - self.joint[0]


def group_rates(dataset: Dataset, nation: str, kind: str) -> pd.DataFrame:
    """National rates in percent by wave (rows) and group of one kind (columns)."""
    rows = dataset.facts[dataset.facts["region_code"] == nation]
    rows = rows[(rows["indicator"] == RATE) & rows["group"].str.startswith(f"{kind}=")]
    rows = usable(rows, dataset.sources)
    rows = rows.assign(group=rows["group"].str.removeprefix(f"{kind}="), wave=rows["year"])
    return rows.pivot(index="wave", columns="group", values="value").sort_index().astype(float)


def _totals(rates: pd.DataFrame, region: str) -> pd.DataFrame:
    own = rates[(rates["region_code"] == region) & (rates["variance"] > 0)]
    return own.set_index("wave").sort_index()


def _gain(totals: pd.DataFrame, first: int, last: int) -> dict[str, float]:
    gain = totals.at[last, "rate"] - totals.at[first, "rate"]
    half = normal_quantile(0.95) * np.sqrt(totals.loc[[first, last], "variance"].sum())
    return {"gain": float(gain), "low": float(gain - half), "high": float(gain + half)}


def by_residence(dataset: Dataset, rates: pd.DataFrame, nation: str) -> Decomposition:
    """The nation's gain between the first and last waves with urban and rural rates, exactly.

    The shares are those of the surveys' own population, which the three printed rates imply.

    Raises
    ------
    KepuError : fewer than two waves with the total and both rates.
    """
    groups, totals = group_rates(dataset, nation, "residence"), _totals(rates, nation)
    if not {"urban", "rural"} <= set(groups):
        raise KepuError("No rates by residence are published.")
    waves = [w for w in groups.dropna(subset=["urban", "rural"]).index if w in totals.index]
    if len(waves) < 2:
        raise KepuError("A decomposition needs two waves with urban, rural and total rates.")
    first, last = int(waves[0]), int(waves[-1])
    pairs = [groups.loc[wave, ["urban", "rural"]].to_numpy() for wave in (first, last)]
    urban = [
        implied_share(totals.at[wave, "rate"], *pair)
        for wave, pair in zip((first, last), pairs, strict=True)
    ]
    shares = [(u, 1 - u) for u in urban]
    split = kitagawa(shares[0], pairs[0], shares[1], pairs[1])
    part = Part("residence", 100 * urban[0], 100 * urban[1], split.composition, split.composition)
    known = (split.composition, split.composition)
    gain = _gain(totals, first, last)
    return Decomposition(nation, first, last, **gain, parts=(part,), joint=known, absent=("age",))


def education_gap(dataset: Dataset, rates: pd.DataFrame, nation: str) -> tuple[float, float]:
    """Bounds of the gap in points between college and the rest over all waves that print it.

    Only rates of finer levels are published, not their shares; the share of college among those
    surveyed (18 to 69) is taken to be no smaller than among all aged 6 and over.

    Raises
    ------
    KepuError : no wave prints rates of both college and lower levels.
    """
    groups, totals = group_rates(dataset, nation, "education"), _totals(rates, nation)
    found = []
    for wave, row in groups.iterrows():
        above, below = (row.reindex(names).dropna() for names in (COLLEGE, BELOW))
        if wave in totals.index and len(above) and len(below):
            least = _national_share(dataset, int(wave)) / 100
            ranges = [(side.min(), side.max()) for side in (above, below)]
            found.append(gap_bounds(totals.at[wave, "rate"], least, *ranges))
    if not found:
        raise KepuError("No wave prints rates by education.")
    return min(low for low, _ in found), max(high for _, high in found)


def _national_share(dataset: Dataset, year: int) -> float:
    """College share of all provinces together up to two years before, 0 where none is known."""
    people = by_year(dataset, "population_resident")
    shares = by_year(dataset, SHARES["education"])
    merged = shares.merge(people, on=["region_code", "year"], suffixes=("", "_people"))
    merged = merged[merged["year"].between(year - STALE, year)]
    if merged.empty:
        return 0.0
    last = merged[merged["year"] == merged["year"].max()]
    return float(np.average(last["value"], weights=last["value_people"]))


def _share(dataset: Dataset, name: str, region: str, year: int) -> float:
    """A published share at most ``STALE`` years older than the wave, missing without one."""
    table = by_year(dataset, SHARES[name])
    rows = table[(table["region_code"] == region) & table["year"].between(year - STALE, year)]
    return float(rows.sort_values("year")["value"].iloc[-1]) if len(rows) else np.nan


def decompose(
    dataset: Dataset, rates: pd.DataFrame, region: str, nation: str
) -> Decomposition | None:
    """A region's gain from its first to its last survey, at national rates of the groups.

    No region publishes its own rates by group, so the change of its shares is valued at the gaps
    between the groups in the nation: the mean of the urban-rural gap at both waves, and the bounds
    of :func:`education_gap`. ``None`` with fewer than two surveys or no published share at all.
    """
    totals = _totals(rates, region)
    if len(totals) < 2:
        return None
    first, last = int(totals.index[0]), int(totals.index[-1])
    parts, gaps = [], []
    for name in SHARES:
        before, after = (_share(dataset, name, region, wave) for wave in (first, last))
        if np.isnan(before) or np.isnan(after):
            continue
        gap = _gap(dataset, rates, nation, name, first, last)
        if gap is None:
            continue
        ends = sorted(g * (after - before) / 100 for g in gap)
        parts.append(Part(name, before, after, *ends))
        gaps.append(gap)
    if not parts:
        return None
    joint = (parts[0].low, parts[0].high)
    if len(parts) == 2:
        joint = _joint(parts, gaps)
    absent = tuple(n for n in ("residence", "education") if n not in {p.name for p in parts})
    gain = _gain(totals, first, last)
    return Decomposition(region, first, last, **gain, parts=tuple(parts), joint=joint,
                         absent=(*absent, "age"))  # fmt: skip


def _gap(dataset, rates, nation: str, name: str, first: int, last: int):
    """Bounds of the national gap in points that one share is valued at, or ``None``."""
    try:
        if name == "education":
            return education_gap(dataset, rates, nation)
    except KepuError:
        return None
    table = group_rates(dataset, nation, "residence")
    if not {"urban", "rural"} <= set(table):
        return None
    gaps = (table["urban"] - table["rural"]).dropna()
    known = [gaps[gaps.index <= wave] for wave in (first, last)]
    if any(side.empty for side in known):
        return None
    mean = float(np.mean([side.iloc[-1] for side in known]))
    return mean, mean


def _joint(parts: list[Part], gaps: list[tuple[float, float]]) -> tuple[float, float]:
    residence, education = parts
    changes = tuple((p.after - p.before) / 100 for p in (education, residence))
    shares = tuple((p.after + p.before) / 200 for p in (education, residence))
    return joint_bounds((gaps[1], gaps[0]), changes, shares)
