"""Who begins when, by lot: stratified, restricted to balanced deals, the same on any machine.

Only whole numbers of the generator's raw stream are compared, and balance is summed in whole
numbers: no rounding of a processor or a library can change a published list.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as day
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from evaluation.base.errors import KepuError
from evaluation.evidence.design.power import Layout, require
from evaluation.stats.permutation import p_among

# Deals that are drawn, and the share of them, the best balanced, of which one is taken.
CANDIDATES, SHARE = 10_000, 0.1
# Fewer different deals could give no p-value of 5 %.
FEWEST = 20
# Standardised covariates are counted in steps of one over this.
STEP = 1 << 20
GENERATOR = "PCG64"


@dataclass(frozen=True, eq=False)
class Units:
    """The units to be dealt, in the order of their codes.

    Attributes
    ----------
    codes, names : of the regions. strata : the group within which each is dealt.
    covariates : names of what is to be balanced. values : (n, c) whole numbers, standardised
        covariates in steps of ``1 / STEP``.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    strata: tuple[str, ...]
    covariates: tuple[str, ...]
    values: np.ndarray


def units(frame: pd.DataFrame, strata: str | None = None, covariates: Sequence[str] = ()) -> Units:
    """Read the units of a frame with ``code`` and, if there is one, ``name``; order is no matter.

    Raises
    ------
    KepuError : a column that is not there, a code given twice or empty, a covariate that is
        missing somewhere, no number or the same everywhere.
    """
    needed = ["code", *([strata] if strata else []), *covariates]
    for column in needed:
        require(column in frame, f"The units have no column '{column}'; add it to their table.")
    frame = frame.assign(code=frame["code"].astype(str)).sort_values("code", ignore_index=True)
    codes = frame["code"]
    twice = codes[codes.duplicated() | (codes.str.strip() == "")]
    require(twice.empty, f"The code '{next(iter(twice), '')}' stands twice or is empty; one each.")
    names = frame.get("name", codes)
    groups = frame[strata].astype(str) if strata else pd.Series("", index=frame.index)
    columns = [_whole(frame, name) for name in covariates]
    values = np.column_stack(columns) if columns else np.zeros((len(frame), 0), dtype=np.int64)
    return Units(tuple(codes), tuple(names.astype(str)), tuple(groups), tuple(covariates), values)


def _whole(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A covariate, standardised, in whole steps."""
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=float)
    absent = frame["code"][~np.isfinite(values)].tolist()
    told = f"Covariate '{name}' has no number for {len(absent)} units, first {absent[:1]}; fill it."
    require(not absent, told)
    spread = values.std()
    told = f"Covariate '{name}' is the same in all units and cannot be balanced; leave it out."
    require(spread > 0, told)
    return np.rint((values - values.mean()) / spread * STEP).astype(np.int64)


def paired(given: Units) -> tuple[Units, tuple[str, ...]]:
    """The units with pairs of the most alike as strata, and the codes of those left over.

    Of all ways to make pairs within strata, that with the smallest sum of squared distances; of
    an odd number the unit is left over without which that sum is smallest.

    Raises
    ------
    KepuError : no covariate says what is alike.

    Source
    ------
    Greevy, Lu, Silber & Rosenbaum (2004), Biostatistics 5:263-275.
    """
    import networkx

    require(given.covariates, "Pairs need covariates that say which units are alike; name some.")
    whole, labels = given.values // 1024, {}
    for stratum in sorted(set(given.strata)):
        members = [i for i, name in enumerate(given.strata) if name == stratum]
        pairs = networkx.Graph()
        for i, j in combinations(members, 2):
            # Distances that are equal are told apart by place: one answer on every machine.
            apart = int(((whole[i] - whole[j]) ** 2).sum()) << 20
            pairs.add_edge(i, j, weight=apart + (i * 1009 + j * 9176) % (1 << 13))
        for i, j in map(sorted, networkx.min_weight_matching(pairs)):
            labels[i] = labels[j] = f"{given.codes[i]}+{given.codes[j]}"
    kept = sorted(labels)
    left = tuple(given.codes[i] for i in range(len(given.codes)) if i not in labels)
    chosen = [tuple(column[i] for i in kept) for column in (given.codes, given.names)]
    pairs = tuple(labels[i] for i in kept)
    return Units(*chosen, pairs, given.covariates, given.values[kept]), left


@dataclass(frozen=True, eq=False)
class Allocation:
    """One deal, and those that could have been in its place.

    Attributes
    ----------
    units : dealt, in the order of their codes. seed, date : published with the list.
    sequence : (n,) group of each unit. accepted : (A, n) the different deals that passed, the one
        drawn among them: the permutation set of the test. score : imbalance of the one drawn.
    worst, median : of the accepted, and of all deals drawn. candidates, share : of the draw.
    """

    units: Units
    seed: int
    date: str
    sequence: np.ndarray
    accepted: np.ndarray
    score: float
    worst: float
    median: float
    candidates: int
    share: float

    def table(self, layout: Layout) -> pd.DataFrame:
        """One unit a row: ``code, name, stratum, group`` from 1 and ``start``, its first wave.

        ``start`` is the number of the wave, from 1; missing for units without the programme.
        """
        begun = layout.start[self.sequence]
        return pd.DataFrame(
            {
                "code": self.units.codes,
                "name": self.units.names,
                "stratum": self.units.strata,
                "group": self.sequence + 1,
                "start": pd.array(np.where(begun < 0, 0, begun + 1), dtype="Int64"),
            }
        ).assign(start=lambda x: x["start"].mask(x["start"] == 0))

    def record(self, layout: Layout) -> dict[str, Any]:
        """What has to be published so that anybody can draw the list again."""
        return {
            "seed": self.seed, "date": self.date, "generator": GENERATOR,
            "candidates": self.candidates, "share": self.share,
            "inputs": digest(self.units, layout, self.candidates, self.share),
            "covariates": list(self.units.covariates), "score": self.score,
            "groups": {
                code: int(group) + 1
                for code, group in zip(self.units.codes, self.sequence, strict=True)
            },
        }  # fmt: skip


def digest(given: Units, layout: Layout, candidates: int, share: float) -> str:
    """SHA-256 over everything but the seed that a deal follows from."""
    inputs = [
        given.codes, given.strata, given.covariates, given.values.tolist(), layout.kind,
        layout.treatment, candidates, share,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(inputs, ensure_ascii=False).encode()).hexdigest()


def deals(given: Units, layout: Layout, seed: int, candidates: int) -> np.ndarray:
    """Deals (K, n): the groups of the units, in each stratum as equal as can be.

    The units are put in a random order within strata and the strata in a random order; the groups
    are then dealt round, so that over all units they are as equal as the design has them.
    """
    raw = np.random.PCG64(np.random.SeedSequence(seed)).random_raw
    names, strata = np.unique(given.strata, return_inverse=True)
    size = len(given.codes)
    orders = raw(candidates * len(names)).reshape(candidates, -1).argsort(axis=1, kind="stable")
    place = orders.argsort(axis=1, kind="stable")[:, strata]
    keys = raw(candidates * size).reshape(candidates, size)
    order = np.lexsort((keys, place), axis=1)
    dealt = np.empty((candidates, size), dtype=np.int8)
    groups = (np.arange(size) % layout.sequences).astype(np.int8)
    np.put_along_axis(dealt, order, np.broadcast_to(groups, order.shape), axis=1)
    return dealt


def imbalance(values: np.ndarray, dealt: np.ndarray, groups: int) -> np.ndarray:
    """Score of deals (K,): variance of the covariates between groups, 0 where all means agree.

    In squared standard deviations of a covariate, summed over covariates and averaged over units.
    """
    total, size = np.zeros(len(dealt)), dealt.shape[1]
    for column in values.T:
        whole = int(column.sum())
        for group in range(groups):
            inside = dealt == group
            number, own = inside.sum(axis=1), inside @ column  # exact: whole numbers
            apart = own / (number * STEP) - whole / (size * STEP)
            total = total + number * apart * apart
    return total / size


def draw(
    given: Units,
    layout: Layout,
    seed: int,
    date: str,
    candidates: int = CANDIDATES,
    share: float = SHARE,
) -> Allocation:
    """Deal the units to the groups of a design, the same for the same seed and units.

    Of ``candidates`` deals the share ``share`` that balances the covariates best is accepted, all
    where there is no covariate, and one of the accepted is taken by lot.

    Parameters
    ----------
    seed : a whole number fixed and published before the draw. date : ISO day of the draw.

    Raises
    ------
    KepuError : a seed, date, number or share out of range, fewer units than groups, pairs that are
        not pairs, or so few different deals that no test could reject at 5 %.

    Source
    ------
    Moulton (2004), Clinical Trials 1:297-305; Li et al. (2017), Statistics in Medicine
    36:3791-3806.
    """
    _check(given, layout, seed, date, candidates, share)
    dealt = deals(given, layout, seed, candidates)
    scores = imbalance(given.values, dealt, layout.sequences)
    kept = int(np.ceil(share * candidates)) if given.covariates else candidates
    best = np.argsort(scores, kind="stable")[:kept]
    _, first = np.unique(dealt[best], axis=0, return_index=True)
    chosen = best[np.sort(first)]
    if len(chosen) < FEWEST:
        raise KepuError(
            f"Only {len(chosen)} different deals are left of {candidates}: no test of them could "
            f"reject at 5 percent. Take a larger share than {share:g}, fewer strata or more units."
        )
    lot = np.random.PCG64(np.random.SeedSequence(seed).spawn(1)[0]).random_raw()
    taken = chosen[int(lot) % len(chosen)]
    return Allocation(
        given, seed, date, dealt[taken].astype(int), dealt[chosen], float(scores[taken]),
        float(scores[chosen].max()), float(np.median(scores)), candidates, share,
    )  # fmt: skip


def _check(
    given: Units, layout: Layout, seed: int, date: str, candidates: int, share: float
) -> None:
    require(isinstance(seed, int) and 0 <= seed < 2**63, f"'seed' is {seed}; take 0 to 2^63 - 1.")
    try:
        day.fromisoformat(date)
    except ValueError:
        raise KepuError(f"'date' is '{date}'; write the day of the draw as YYYY-MM-DD.") from None
    require(candidates >= FEWEST, f"'candidates' is {candidates}; draw at least {FEWEST}.")
    require(0 < share <= 1, f"'share' must lie above 0 and at most at 1; it is {share}.")
    layout.counts(len(given.codes))
    sizes = pd.Series(given.strata).value_counts()
    if layout.kind == "pairs" and (sizes != 2).any():
        raise KepuError(
            f"A design of pairs needs two units in each; '{sizes.index[sizes != 2][0]}' has "
            f"{sizes[sizes != 2].iloc[0]}. Make them with `paired`."
        )


def refuse_another(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse a list where one of another seed or other units stands already.

    Raises
    ------
    KepuError : naming seed and day of the earlier list.
    """
    differing = [name for name in ("seed", "inputs") if before.get(name) != now[name]]
    if differing:
        what = {"seed": "another seed", "inputs": "other units, strata or covariates"}
        raise KepuError(
            f"A list was drawn here with seed {before.get('seed')} on {before.get('date')}; this "
            f"one has {' and '.join(what[name] for name in differing)}. A list is drawn once: keep "
            "it, or write the new one into another folder and say why in the protocol."
        )


@dataclass(frozen=True)
class Tested:
    """The test of the deal that was drawn among those that could have been.

    ``estimate`` of the effect, ``p`` two-sided, never 0, ``deals`` in the permutation set.
    """

    estimate: float
    p: float
    deals: int


def tested(
    allocation: Allocation, layout: Layout, rates: np.ndarray, weights: np.ndarray
) -> Tested:
    """Estimate the effect and test it against the accepted deals.

    Parameters
    ----------
    rates : (n, T) in the order of ``allocation.units``; cells that the design does not survey are
        not read. weights : (S, T) loadings of the estimator on a unit of each group.

    Raises
    ------
    KepuError : another shape, or a surveyed cell without a rate.
    """
    rates = np.asarray(rates, dtype=float)
    shape = (len(allocation.units.codes), layout.periods)
    require(rates.shape == shape, f"'rates' must have the shape {shape}; it has {rates.shape}.")
    absent = ~np.isfinite(rates) & np.isfinite(layout.matrix[allocation.sequence])
    if absent.any():
        code = allocation.units.codes[int(absent.any(axis=1).argmax())]
        raise KepuError(f"{absent.sum()} surveyed cells have no rate, first of {code}; fill them.")
    values = statistics(rates[None], allocation.accepted, weights)[0]
    own = (allocation.accepted == allocation.sequence).all(axis=1)
    estimate = float(values[own.argmax()])
    p = p_among(abs(estimate), np.abs(values[~own]))
    return Tested(estimate / layout.compliance, p, len(values))


def statistics(rates: np.ndarray, dealt: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (B, A) of an estimator on B panels (B, n, T) under each of A deals (A, n).

    Groups of a deal are of the sizes of the design, so one set of weights (S, T) serves all.
    """
    flat = weights[dealt].reshape(len(dealt), -1)
    return np.nan_to_num(rates).reshape(len(rates), -1) @ flat.T
